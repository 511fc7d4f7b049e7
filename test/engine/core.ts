import { mkdtempSync, rmSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as n8n from 'n8n-workflow';

/**
 * The parts of n8n-core 2.41 the harness stands on, in its own words: n8n-core's types would bind the type check to an
 * installed engine. Each name is n8n's; `packages/core/src/index.ts` exports all of them.
 */
export interface EngineCore {
  PackageDirectoryLoader: new (directory: string) => Loader;
  LazyPackageDirectoryLoader: new (directory: string) => Loader;
  WorkflowExecute: new (
    additional: n8n.IWorkflowExecuteAdditionalData,
    mode: n8n.WorkflowExecuteMode,
    data?: n8n.IRunExecutionData,
  ) => {
    run(options: { workflow: n8n.Workflow; startNode?: n8n.INode }): Cancelable<n8n.IRun>;
    processRunExecutionData(workflow: n8n.Workflow): Cancelable<n8n.IRun>;
  };
  ExecutionLifecycleHooks: new (mode: n8n.WorkflowExecuteMode, executionId: string, workflow: object) => Hooks;
  Credentials: new (
    node: { id: string | null; name: string },
    type: string,
    data?: string,
  ) => n8n.ICredentials & {
    setData(data: object): Promise<void>;
    getData(): Promise<n8n.ICredentialDataDecryptedObject>;
    getDataToSave(): { data?: string };
  };
  TriggerContext: new (...args: unknown[]) => n8n.ITriggerFunctions;
  LoadOptionsContext: new (
    workflow: n8n.Workflow,
    node: n8n.INode,
    additional: n8n.IWorkflowExecuteAdditionalData,
    path: string,
  ) => n8n.ILoadOptionsFunctions;
  ExecuteContext: new (...args: unknown[]) => n8n.IExecuteFunctions;
  CredentialTestContext: new (additional?: n8n.IWorkflowExecuteAdditionalData) => n8n.ICredentialTestFunctions;
  RoutingNode: new (
    context: n8n.IExecuteFunctions,
    type: n8n.INodeType,
    decrypted: n8n.ICredentialsDecrypted,
  ) => { runNode(): Promise<n8n.INodeExecutionData[][] | undefined> };
  TriggersAndPollers: Token<{
    runTriggerFunction(
      workflow: n8n.Workflow,
      node: n8n.INode,
      contexts: unknown,
      additional: n8n.IWorkflowExecuteAdditionalData,
      mode: n8n.WorkflowExecuteMode,
      activation: n8n.WorkflowActivateMode,
    ): Promise<n8n.ITriggerResponse | undefined>;
  }>;
  BinaryDataService: Token<{
    init(): Promise<void>;
    mode: string;
    getAsBuffer(data: n8n.IBinaryData): Promise<Buffer>;
  }>;
  InstanceSettings: Token<{ markAsLeader(): void; encryptionKey: string }>;
  ExternalSecretsProxy: Token<object>;
  Cipher: Token<{ encryptDEKWithInstanceKey(key: string): string }>;
  EncryptionKeyProxy: Token<{ setProvider(provider: object): void }>;
  ScheduledTaskManager: Token<{ deregisterGroup(group: { type: 'workflow'; id: string }): boolean }>;
  getAdditionalKeys(
    additional: n8n.IWorkflowExecuteAdditionalData,
    mode: n8n.WorkflowExecuteMode,
    data: n8n.IRunExecutionData | null,
  ): n8n.IWorkflowDataProxyAdditionalKeys;
}
/** A class n8n's container hands out. */
export type Token<T> = (new (...args: never[]) => T) & { readonly prototype: T };
export interface Cancelable<T> extends Promise<T> {
  cancel(): void;
}
/** What the loader knows of a package after `loadAll`. */
export interface Loader {
  packageName: string;
  isLazyLoaded: boolean;
  known: {
    nodes: Record<string, { sourcePath: string }>;
    credentials: Record<string, { supportedNodes?: string[]; extends?: string[] }>;
  };
  types: { nodes: n8n.INodeTypeDescription[]; credentials: n8n.ICredentialType[] };
  loadAll(): Promise<void>;
  getNode(name: string): { type: n8n.INodeType | n8n.IVersionedNodeType };
  getCredential(name: string): { type: n8n.ICredentialType };
}
type Handler = (this: Hooks, ...args: any[]) => unknown;
export interface Hooks {
  addHandler(name: string, handler: Handler): void;
}

/** n8n's engine, loaded once for the life of the process. */
export interface Booted {
  core: EngineCore;
  workflow: typeof n8n;
  userFolder: string;
  get<T>(token: Token<T>): T;
  /** Makes n8n's egress filter with these exceptions (IP ranges, host names). */
  createGuard(allow: readonly string[]): object;
  /** Puts a filter in place for everything that follows, or none, as in a fresh n8n. */
  useGuard(filter: object | undefined): void;
}

let booted: Promise<Booted> | undefined;
/**
 * Loads n8n's engine into a temporary user folder that goes with the process. Its settings are read from the
 * environment, so they are set before.
 */
export const boot = (): Promise<Booted> => (booted ??= start());

async function start(): Promise<Booted> {
  const userFolder = mkdtempSync(join(tmpdir(), 'mailroom-engine-'));
  process.on('exit', () => rmSync(userFolder, { recursive: true, force: true }));
  const settings: Record<string, string> = {
    N8N_USER_FOLDER: userFolder,
    N8N_ENCRYPTION_KEY: 'only-for-tests-and-the-demo',
    N8N_LOG_LEVEL: 'silent',
    N8N_DIAGNOSTICS_ENABLED: 'false',
    N8N_DEFAULT_BINARY_DATA_MODE: 'filesystem',
    N8N_BINARY_DATA_STORAGE_PATH: join(userFolder, 'binaryData'),
    GENERIC_TIMEZONE: 'UTC',
    // The other expression engines are native modules, whose install scripts never run here.
    N8N_EXPRESSION_ENGINE: 'legacy',
  };
  for (const name of Object.keys(process.env)) if (/^N8N_|^EXECUTIONS_/.test(name)) delete process.env[name];
  Object.assign(process.env, settings);
  // As n8n does at its start: packages that do not bring their own n8n-workflow get the host's.
  const modules = join(import.meta.dirname, 'node_modules');
  process.env.NODE_PATH = [modules, process.env.NODE_PATH]
    .filter(Boolean)
    .join(process.platform === 'win32' ? ';' : ':');
  (Module as unknown as { _initPaths(): void })._initPaths();

  const require = createRequire(join(import.meta.dirname, 'package.json'));
  require('reflect-metadata');
  const core = require('n8n-core') as EngineCore;
  const workflow = require('n8n-workflow') as typeof n8n;
  const { Container } = require('@n8n/di') as { Container: { get<T>(token: Token<T>): T } };
  type Rules = { enabled: boolean; allowedIpRanges: readonly string[]; allowedHostnames: readonly string[] };
  const { SsrfProtectionConfig } = require('@n8n/config') as { SsrfProtectionConfig: Token<Rules> };
  const { Logger } = require('@n8n/backend-common') as { Logger: Token<object> };
  const { DnsResolver, OutboundHttp, SsrfProtectionService } = require('@n8n/backend-network') as {
    DnsResolver: Token<object>;
    OutboundHttp: Token<{ ssrfProtection: object }>;
    SsrfProtectionService: new (...args: unknown[]) => object;
  };
  const rules = Container.get(SsrfProtectionConfig);
  // Schedules fire on the leader only, and nobody else would elect one.
  Container.get(core.InstanceSettings).markAsLeader();
  await Container.get(core.BinaryDataService).init();
  // Without a database there are no rotated keys: credentials are encrypted with the key of the instance, as those of
  // older versions are.
  const value = Container.get(core.Cipher).encryptDEKWithInstanceKey(
    Container.get(core.InstanceSettings).encryptionKey,
  );
  const key = async () => ({ id: 'instance', value, algorithm: 'aes-256-cbc', format: 'no-prefix' });
  Container.get(core.EncryptionKeyProxy).setProvider({
    getActiveKey: key,
    getLegacyKey: key,
    getKeyById: async () => null,
  });
  return {
    core,
    workflow,
    userFolder,
    get: token => Container.get(token),
    createGuard: allow =>
      new SsrfProtectionService(
        {
          ...rules,
          allowedIpRanges: allow.filter(one => /^[\d.:/a-f]+$/i.test(one)),
          allowedHostnames: allow.filter(one => !/^[\d.:/a-f]+$/i.test(one)),
        },
        Container.get(DnsResolver),
        Container.get(Logger),
      ),
    useGuard(filter) {
      rules.enabled = filter !== undefined;
      if (filter) Container.get(OutboundHttp).ssrfProtection = filter;
    },
  };
}
