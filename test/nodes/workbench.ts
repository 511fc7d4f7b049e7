import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { NodeHelpers } from 'n8n-workflow';
import type { INodeExecutionData, INodeParameters, INodeProperties, INodeTypeDescription } from 'n8n-workflow';
import { connect, isFile, type Client, type FileValue, type Provider } from '../../shared/index.js';
import type { ProviderCase } from '../contract/case.js';
import type { Engine, SavedCredential, WorkflowFile } from '../engine/engine.js';
import type { Vendor } from '../sandbox/vendor.js';

/** The built package, as the engine installs it. */
export const packageDir = join(__dirname, '..', '..');
type Values = Record<string, unknown>;

/** So that no test waits for the pace of a real account; a test about pace names its own. */
export const UNHURRIED = { concurrent: 50, perMinute: 60_000 };

/** What a user saves as the credential of a pretend vendor's good account. */
export function credentialOf(vendor: Vendor, more: Values = {}): SavedCredential {
  const { accessToken, refreshToken, redirectUri: _, ...rest } = vendor.account as Record<string, string>;
  const data = { ...rest, ...UNHURRIED, ...more };
  if (accessToken === undefined) return { type: `${vendor.id}Api`, data };
  return {
    type: `${vendor.id}OAuth2Api`,
    data: { oauthTokenData: { access_token: accessToken, refresh_token: refreshToken, token_type: 'Bearer' }, ...data },
  };
}
/** The client that a case needs to prepare its examples. */
export function clientOf(
  provider: Provider,
  vendor: Vendor,
  { token }: Partial<Pick<ProviderCase, 'token'>> = {},
): Client {
  const known = token?.(vendor);
  return connect(provider, { ...vendor.account, ...UNHURRIED }, known ? { token: known } : {});
}

/** A node of a workflow file; `credentials` is filled in from `account`, the id of a saved credential. */
export interface Step {
  name: string;
  type: string;
  parameters: Values;
  account?: SavedCredential & { id?: string };
  [more: string]: unknown;
}
/**
 * A workflow: a start, then the nodes in a row. The first of them may end in two branches (`Good` and `Bad` are then
 * added).
 */
export function line(...steps: Step[]): WorkflowFile {
  const start = {
    id: 'start',
    name: 'Start',
    type: 'n8n-nodes-base.manualTrigger',
    typeVersion: 1,
    position: [0, 0] as [number, number],
    parameters: {},
  };
  const nodes = steps.map(({ account, ...step }, i) => ({
    id: step.name,
    typeVersion: 1,
    position: [200 * (i + 1), 0],
    ...step,
    ...(account ? { credentials: { [account.type]: { id: account.id ?? account.type, name: account.type } } } : {}),
  })) as unknown as WorkflowFile['nodes'];
  const all = [start, ...nodes];
  return {
    id: 'workflow',
    name: 'Test',
    nodes: all,
    connections: Object.fromEntries(
      all.slice(1).map((node, i) => [all[i]!.name, { main: [[{ node: node.name, type: 'main' as const, index: 0 }]] }]),
    ),
  };
}

/**
 * The form a node shows for an operation: its own fields and those in its collections. Read from the description alone,
 * as the editor does; what was not chosen is as it begins.
 */
export function formOf(
  description: INodeTypeDescription,
  menus: Values,
  typeVersion = 1,
): { property: INodeProperties; collection?: string }[] {
  const chosen = { attachmentsFrom: 'named', returnAll: true, ...menus } as INodeParameters;
  return description.properties
    .filter(
      property =>
        NodeHelpers.displayParameter(chosen, property, { typeVersion }, description) &&
        !Object.hasOwn(menus, property.name),
    )
    .flatMap(property =>
      property.type === 'collection'
        ? (property.options as INodeProperties[]).map(inner => ({ property: inner, collection: property.name }))
        : [{ property }],
    );
}

export interface Filled {
  parameters: INodeParameters;
  item: INodeExecutionData;
  /** The fields that got a list. */ lists: string[];
}
/**
 * Fills in the form of an operation as a user would. Files go to binary fields of the item, lists are typed as
 * comma-separated text or, with `lists: 'expression'`, come as arrays from the item. Throws when the form has no place
 * for a value.
 */
export async function fillIn(
  engine: Engine,
  node: string,
  provider: Provider,
  operation: string,
  input: Values,
  { lists = 'text' }: { lists?: 'text' | 'expression' } = {},
): Promise<Filled> {
  const { description } = engine.nodeType(`n8n-nodes-mailroom.${node}`);
  const dot = operation.indexOf('.');
  const menus = { provider: provider.id, resource: operation.slice(0, dot), operation: operation.slice(dot + 1) };
  const form = formOf(description, menus);
  const parameters: Values = { ...menus };
  const item: INodeExecutionData = { json: {} };
  const filledLists: string[] = [];
  for (const [key, value] of Object.entries(input)) {
    const place = form.find(({ property }) => property.name === key);
    if (!place) throw new Error(`${node} has no place for ${key} of ${provider.id} ${operation}.`);
    const typed = await type(place.property, value);
    if (place.collection)
      ((parameters[place.collection] ??= {} as Values), parameters[place.collection] as Values)[key] = typed;
    else parameters[key] = typed;
  }
  for (const { property, collection } of form) {
    if (property.required && !collection && !Object.hasOwn(input, property.name))
      throw new Error(`${node} asks for ${property.name}, which ${provider.id} ${operation} does not need.`);
  }
  return { parameters: parameters as INodeParameters, item, lists: filledLists };

  async function type(property: INodeProperties, value: unknown): Promise<unknown> {
    const { name } = property;
    if (Array.isArray(value) && value.some(isFile))
      return (await Promise.all(value.map((one, i) => attach(`${name}${i}`, one as FileValue)))).join(', ');
    if (isFile(value)) return attach(name, value);
    if (Array.isArray(value)) {
      filledLists.push(name);
      if (lists === 'expression') {
        item.json[name] = value as string[];
        return `={{ $json.${name} }}`;
      }
      if (property.type === 'multiOptions') return value;
      return value.join(property.typeOptions?.password ? '\n' : ', ');
    }
    switch (property.type) {
      case 'resourceLocator':
        return { __rl: true, mode: 'id', value };
      case 'json':
        return typeof value === 'string' ? value : JSON.stringify(value);
      default:
        return value;
    }
  }
  async function attach(field: string, file: FileValue): Promise<string> {
    const parts: Uint8Array[] = [];
    for await (const part of file.open()) parts.push(part);
    (item.binary ??= {})[field] = {
      data: Buffer.concat(parts).toString('base64'),
      mimeType: file.type,
      fileName: file.name,
    };
    return field;
  }
}

/** Fails with words when a promise is still waiting for something that should have happened. */
export async function until(check: () => boolean, what: string, ms = 20_000): Promise<void> {
  const end = performance.now() + ms;
  while (!check()) {
    if (performance.now() > end) throw new Error(`${what}: it did not happen within ${ms} ms`);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

export interface Gate {
  url: string;
  /** What passed or waits, oldest first. */
  seen: { method: string; path: string; headers: Record<string, unknown> }[];
  /** Requests under way now, the most at any moment, and TCP connections made. */
  active: number;
  most: number;
  connections: number;
  /** Requests that match wait here until they are let through. */
  hold?: (path: string) => boolean;
  held: { path: string; release(): void }[];
  /** Called with each piece of an answer's body; the next one follows when it resolves. */
  slowly?: (piece: Buffer) => Promise<void>;
  close(): Promise<void>;
}
/**
 * A door in front of a pretend vendor: counts what passes, and lets tests decide the order of answers instead of
 * sleeping.
 */
export async function openGate(target: string): Promise<Gate> {
  const sockets = new Set<Socket>();
  const agent = new Agent({ keepAlive: true });
  const gate = { seen: [], active: 0, most: 0, connections: 0, held: [] } as unknown as Gate;
  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing).catch(() => outgoing.destroy()));
  async function pass(incoming: IncomingMessage, outgoing: ServerResponse) {
    const path = incoming.url ?? '/';
    const { origin } = new URL(target);
    gate.seen.push({ method: incoming.method!, path, headers: incoming.headers });
    gate.most = Math.max(gate.most, ++gate.active);
    outgoing.on('close', () => {
      gate.active--;
    });
    if (gate.hold?.(path)) await new Promise<void>(release => gate.held.push({ path, release }));
    const onward = request(origin + path, { method: incoming.method, headers: incoming.headers, agent });
    incoming.pipe(onward);
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    outgoing.writeHead(answer.statusCode!, answer.headers);
    for await (const piece of answer as AsyncIterable<Buffer>) {
      outgoing.write(piece);
      await gate.slowly?.(piece);
    }
    outgoing.end();
  }
  server.keepAliveTimeout = 60_000;
  server.on('connection', socket => {
    gate.connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = new URL(target);
  own.port = String((server.address() as AddressInfo).port);
  gate.url = own.href.replace(/\/$/, '');
  gate.close = async () => {
    for (const { release } of gate.held) release();
    agent.destroy();
    for (const socket of sockets) socket.destroy();
    await new Promise(resolve => server.close(resolve));
  };
  return gate;
}
