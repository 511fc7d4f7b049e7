import { createRequire } from 'node:module';
import { join } from 'node:path';
import { eventually } from './processes.js';
import { PACKAGE, type Host } from './host.js';
import { OLDEST } from './install.js';
import type { Vendor } from '../../sandbox/vendor.js';

export interface WorkflowNode {
  id: string;
  name: string;
  type: string;
  typeVersion: number;
  position: [number, number];
  parameters: Record<string, any>;
  credentials?: Record<string, { id: string | null; name: string }>;
  [more: string]: unknown;
}
export interface WorkflowJson {
  name: string;
  nodes: WorkflowNode[];
  connections: Record<string, unknown>;
  settings?: Record<string, unknown>;
}
export interface Item {
  json: Record<string, any>;
  binary?: Record<string, any>;
  pairedItem?: unknown;
}
/** An execution as a person looks at it: how it ended and what each node gave at each of its outputs. */
export interface Execution {
  id: string;
  status: string;
  error?: string;
  mode: string;
  outputs(node: string, output?: number): Item[];
  ran: string[];
  raw: any;
}

const flatted = (home: string) => createRequire(join(home, 'package.json'))('flatted') as { parse(text: string): any };

/** The credential type of a provider. */
export const credentialType = (provider: string) => (provider === 'outreach' ? 'outreachOAuth2Api' : `${provider}Api`);

/** Stores an account as a credential of n8n; OAuth 2 accounts bring the tokens that connecting would have left. */
export async function saveCredential(
  host: Host,
  provider: string,
  name: string,
  data: Record<string, unknown>,
): Promise<{ id: string; name: string }> {
  const { id } = await host.rest('POST', '/credentials', { name, type: credentialType(provider), data });
  return { id, name };
}

/** The test button of a credential. n8n 2.20 tests none that is not saved. */
export async function testCredential(
  host: Host,
  provider: string,
  data: Record<string, unknown>,
): Promise<{ status: string; message?: string }> {
  const saved = OLDEST ? await saveCredential(host, provider, 'x', data) : { id: '', name: 'x' };
  return host.rest('POST', '/credentials/test', { credentials: { ...saved, type: credentialType(provider), data } });
}

/**
 * Saves a workflow as the editor does; what it names by credential type is filled in from `credentials` (provider ->
 * saved).
 */
export async function saveWorkflow(
  host: Host,
  workflow: WorkflowJson,
  credentials: Record<string, { id: string; name: string }>,
): Promise<{ id: string; versionId: string }> {
  const byType = new Map(Object.entries(credentials).map(([provider, saved]) => [credentialType(provider), saved]));
  const nodes = workflow.nodes.map(node =>
    node.credentials
      ? {
          ...node,
          credentials: Object.fromEntries(
            Object.keys(node.credentials).map(type => [
              type,
              credentials[node.credentials![type]!.id ?? ''] ?? byType.get(type) ?? node.credentials![type],
            ]),
          ),
        }
      : node,
  );
  const saved = await host.rest('POST', '/workflows', {
    name: workflow.name,
    nodes,
    connections: workflow.connections,
    settings: workflow.settings ?? { executionOrder: 'v1' },
  });
  return { id: saved.id, versionId: saved.versionId };
}

/** The button "Execute workflow": starts it and waits for its end. */
export async function runWorkflow(
  host: Host,
  home: string,
  id: string,
  trigger: string,
  ms = 60_000,
): Promise<Execution> {
  const workflowData = await host.rest('GET', `/workflows/${id}`);
  const { executionId } = await host.rest('POST', `/workflows/${id}/run`, {
    workflowData,
    triggerToStartFrom: { name: trigger },
  });
  if (!executionId) throw new Error('n8n waits for an event instead of running.');
  return ended(host, home, executionId, ms);
}

export const ended = (host: Host, home: string, executionId: string, ms = 60_000): Promise<Execution> =>
  eventually(
    `execution ${executionId} to end`,
    async () => {
      const execution = await readExecution(host, home, executionId);
      return !['new', 'running', 'waiting', 'unknown'].includes(execution.status) && execution;
    },
    ms,
  );

export async function readExecution(host: Host, home: string, executionId: string): Promise<Execution> {
  const found = await host.rest('GET', `/executions/${executionId}`);
  const data = typeof found.data === 'string' ? flatted(home).parse(found.data) : found.data;
  const runData: Record<string, any[]> = data?.resultData?.runData ?? {};
  return {
    id: String(found.id),
    status: found.status,
    mode: found.mode,
    raw: data,
    error: data?.resultData?.error?.message,
    ran: Object.keys(runData),
    outputs: (node, output = 0) => (runData[node] ?? []).flatMap(run => run.data?.main?.[output] ?? []),
  };
}

/** Executions of a workflow, newest first. */
export async function executionsOf(
  host: Host,
  workflowId: string,
): Promise<{ id: string; status: string; mode: string }[]> {
  const found = await host.rest(
    'GET',
    `/executions?limit=100&filter=${encodeURIComponent(JSON.stringify({ workflowId }))}`,
  );
  return found.results as { id: string; status: string; mode: string }[];
}

/** Publishes the newest version and waits until its triggers have started. */
export async function activate(host: Host, id: string): Promise<void> {
  const { versionId } = await host.rest('GET', `/workflows/${id}`);
  await host.rest('POST', `/workflows/${id}/activate`, { versionId });
  await published(host, id);
}
export const published = (host: Host, id: string) =>
  eventually(
    `workflow ${id} to be published`,
    async () => {
      // n8n 2.20 has no such question: its triggers have started when it answers, and when it says that it is ready.
      if (OLDEST) return (await host.rest('GET', `/workflows/${id}`)).active === true;
      const { status, ...rest } = await host.rest('GET', `/workflows/${id}/publication-status`);
      if (status === 'failed') throw new Error(JSON.stringify(rest));
      return status === 'published';
    },
    45_000,
  );
export const deactivate = (host: Host, id: string) => host.rest('POST', `/workflows/${id}/deactivate`, {});

/** What a binary property holds, as text; out of n8n's store as the editor's download button takes it. */
export async function download(host: Host, { id, data }: { id?: string; data?: string }): Promise<string> {
  if (!id) return Buffer.from(data!, 'base64').toString();
  const answer = await host.ask('GET', `/rest/binary-data?id=${encodeURIComponent(id)}&action=download`);
  if (answer.status !== 200) throw new Error(`${id}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return String(answer.body);
}

/** One page of a picker, as the editor asks for it. */
export const pick = (
  host: Host,
  node: WorkflowNode,
  parameter: string,
  method: string,
  more: { filter?: string; paginationToken?: string } = {},
) =>
  host.ask('POST', '/rest/dynamic-node-parameters/resource-locator-results', {
    nodeTypeAndVersion: { name: node.type, version: node.typeVersion },
    currentNodeParameters: node.parameters,
    credentials: node.credentials,
    path: `parameters.${parameter}`,
    methodName: method,
    ...more,
  });

let made = 0;
/** A node of ours; `id` by list is what a click in a picker leaves. */
export const mail = (
  name: string,
  type: string,
  parameters: Record<string, unknown>,
  provider: string,
  saved?: { id: string; name: string },
): WorkflowNode => ({
  id: `node-${++made}`,
  name,
  type: `${PACKAGE}.${type}`,
  typeVersion: 1,
  position: [200 * made, 300],
  parameters: { provider, ...parameters },
  credentials: { [credentialType(provider)]: saved ?? { id: null, name: '' } },
});
/** A node of n8n itself. */
export const plain = (
  name: string,
  type: string,
  parameters: Record<string, unknown> = {},
  typeVersion = 1,
): WorkflowNode => ({
  id: `node-${++made}`,
  name,
  type: `n8n-nodes-base.${type}`,
  typeVersion,
  position: [200 * made, 300],
  parameters,
});
/** Nodes one after the other. */
export function chain(name: string, ...nodes: WorkflowNode[]): WorkflowJson {
  const connections = Object.fromEntries(
    nodes
      .slice(0, -1)
      .map((node, i) => [node.name, { main: [[{ node: nodes[i + 1]!.name, type: 'main', index: 0 }]] }]),
  );
  return { name, nodes, connections, settings: { executionOrder: 'v1' } };
}
export const byId = (value: string) => ({ __rl: true, mode: 'id', value });
/** The account of a pretend vendor as n8n would store it. */
export const accountOf = (vendor: Vendor): Record<string, unknown> => vendor.account;
/** An OAuth 2 account as it is after its owner has connected it. */
export const signedIn = (account: Record<string, unknown>): Record<string, unknown> => ({
  ...account,
  oauthTokenData: {
    access_token: account.accessToken ?? 'ended',
    refresh_token: account.refreshToken,
    token_type: 'bearer',
  },
});
