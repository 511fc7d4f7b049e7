import { cpSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import type {
  IConnections,
  IDataObject,
  ILoadOptionsFunctions,
  INode,
  INodeCredentials,
  INodeExecutionData,
  INodeListSearchResult,
  INodeParameters,
  INodePropertyOptions,
  INodeType,
  INodeTypes,
  IRun,
  ITaskData,
  ITriggerResponse,
  IWorkflowExecuteAdditionalData,
  Workflow,
  WorkflowActivateMode,
  WorkflowExecuteMode,
} from 'n8n-workflow';
import { boot, type Cancelable } from './core.js';
import { createCredentials, type SavedCredential } from './credentials.js';
import { standIns } from './standins.js';
import { openStore, type StoredExecution } from './store.js';

export type { SavedCredential } from './credentials.js';
export type { StoredExecution } from './store.js';

/** An ordinary n8n workflow file: what the editor exports and imports. */
export interface WorkflowFile {
  id?: string;
  name?: string;
  nodes: (Omit<INode, 'parameters'> & { parameters: object })[];
  connections: IConnections;
  settings?: object;
  staticData?: IDataObject;
  meta?: Record<string, unknown>;
}
export interface EngineOptions {
  /** The built package: the folder of its package.json. What `files` lists is copied to where n8n would install it. */
  packageDir: string;
  /** Saved credentials by id, as the `credentials` of a node name them. */
  credentials?: Record<string, SavedCredential>;
  /** Where binary data goes; `filesystem` is n8n's own default. */
  binary?: 'memory' | 'filesystem';
  /**
   * n8n's egress filter (N8N_SSRF_PROTECTION_ENABLED); off as in a fresh n8n. It then also blocks loopback, save for
   * `allow`: IP ranges or host names.
   */
  guard?: { allow?: readonly string[] };
  /** A folder for what outlives the process: static data, executions, deduplication keys. In memory when absent. */
  stateDir?: string;
}
export interface RunOptions {
  /** Name of the node to start at; the first trigger of the workflow unless given. */
  start?: string;
  mode?: WorkflowExecuteMode;
  /** What the start node gives; one empty item unless given. */
  items?: INodeExecutionData[];
  signal?: AbortSignal;
  onNode?: { before?(name: string): unknown; after?(name: string, data: ITaskData): unknown };
}
/** One run of one node. Times are in milliseconds. */
export interface NodeRun {
  status: string;
  ms: number;
  outputs: INodeExecutionData[][];
  error?: Error & Record<string, unknown>;
  hints: unknown[];
}
export interface RunResult {
  id: string;
  status: IRun['status'];
  ms: number;
  error?: Error & Record<string, unknown>;
  /** Every run of every node that ran, by name. */
  nodes: Record<string, NodeRun[]>;
  /** What the last run of a node gave at an output. */
  items(name: string, output?: number): INodeExecutionData[];
  run: IRun;
}
export interface ActivateOptions {
  mode?: WorkflowActivateMode;
  /** Waits between the five attempts to start a trigger that throws, in milliseconds; n8n's own unless given. */
  retryDelays?: readonly number[];
}
/**
 * An active workflow. `errors` are those given to `emitError` and those that ended a series of attempts, `failed` those
 * given to `saveFailedExecution`.
 */
export interface Active {
  executions: RunResult[];
  errors: Error[];
  failed: Error[];
  duplicates: string[];
  /** Resolves when nothing that was emitted is still running. */
  settled(): Promise<void>;
  deactivate(): Promise<void>;
}
export interface Engine {
  /** The names of all node types of the package, with its prefix. */
  nodeTypes: readonly string[];
  nodeType(name: string): INodeType;
  lazy: boolean;
  packageFolder: string;
  userFolder: string;
  run(workflow: WorkflowFile, options?: RunOptions): Promise<RunResult>;
  activate(workflow: WorkflowFile, options?: ActivateOptions): Promise<Active>;
  options(
    nodeType: string,
    method: string,
    parameters: INodeParameters,
    more?: OptionsRequest,
  ): Promise<INodePropertyOptions[] | INodeListSearchResult>;
  testCredential(type: string, data: Record<string, unknown>): Promise<{ status: 'OK' | 'Error'; message: string }>;
  saveCredential(id: string, credential: SavedCredential): Promise<void>;
  readCredential(id: string): Promise<IDataObject>;
  staticData(workflowId: string): IDataObject;
  executions(): StoredExecution[];
  /** The bytes of a binary property, wherever they are kept. */
  bytes(data: NonNullable<INodeExecutionData['binary']>[string]): Promise<Buffer>;
}
export interface OptionsRequest {
  credentials?: INodeCredentials;
  filter?: string;
  paginationToken?: string;
  path?: string;
  typeVersion?: number;
}

interface Done {
  resolve(run: IRun): void;
  reject(error: Error): void;
}

/**
 * Loads a built package into n8n's own engine, as n8n loads it. The engine is one per process; packages, credentials
 * and state are per call.
 */
export async function openEngine({
  packageDir,
  credentials: given = {},
  binary = 'filesystem',
  guard,
  stateDir,
}: EngineOptions): Promise<Engine> {
  const host = await boot();
  const { core, workflow: n8n } = host;
  const packageFolder = install(packageDir, host.userFolder);
  const loader = new core.LazyPackageDirectoryLoader(packageFolder);
  await loader.loadAll();
  const store = openStore(stateDir);
  const filter = guard && host.createGuard(guard.allow ?? []);

  const nodeTypes: INodeTypes = {
    getByName: name => typeOf(name),
    getByNameAndVersion: (name, version) => n8n.NodeHelpers.getVersionedNodeType(typeOf(name), version),
    getKnownTypes: () =>
      Object.fromEntries(
        Object.entries(loader.known.nodes).map(([name, known]) => [`${loader.packageName}.${name}`, known]),
      ) as never,
  };
  function typeOf(full: string) {
    const dot = full.lastIndexOf('.');
    const from = full.slice(0, dot);
    const name = full.slice(dot + 1);
    if (from === 'n8n-nodes-base' && standIns[name]) return standIns[name];
    if (from !== loader.packageName) throw new Error(`Unrecognized node type: ${full}`);
    return loader.getNode(name).type;
  }
  const credentials = createCredentials(host, loader, nodeTypes);
  for (const [id, credential] of Object.entries(given)) await credentials.save(id, credential);

  /** Settings n8n has once per process belong to whoever runs next. */
  function settle() {
    host.useGuard(filter);
    host.get(core.BinaryDataService).mode = binary === 'filesystem' ? 'filesystem-v2' : 'default';
  }
  function additionalData(executionId?: string, parameters?: INodeParameters): IWorkflowExecuteAdditionalData {
    settle();
    const url = 'http://n8n.invalid/';
    return {
      credentialsHelper: credentials.helper as never,
      externalSecretsProxy: host.get(core.ExternalSecretsProxy) as never,
      currentNodeExecutionIndex: 0,
      variables: {},
      restApiUrl: url,
      instanceBaseUrl: url,
      formBaseUrl: url,
      formWaitingBaseUrl: url,
      formTestBaseUrl: url,
      webhookBaseUrl: url,
      webhookWaitingBaseUrl: url,
      webhookTestBaseUrl: url,
      mcpBaseUrl: url,
      mcpTestBaseUrl: url,
      setExecutionStatus: () => {},
      logAiEvent: () => {},
      sendDataToUI: () => {},
      ...(executionId ? { executionId } : {}),
      ...(parameters ? { currentNodeParameters: parameters } : {}),
    } as unknown as IWorkflowExecuteAdditionalData;
  }
  const workflowOf = (file: WorkflowFile, active: boolean): Workflow =>
    new n8n.Workflow({
      id: file.id ?? 'workflow',
      name: file.name ?? 'Workflow',
      nodes: structuredClone(file.nodes) as INode[],
      connections: file.connections,
      active,
      nodeTypes,
      staticData: store.staticData(file.id ?? 'workflow'),
      settings: { executionOrder: 'v1', ...file.settings },
    });
  function saveStaticData(workflow: Workflow) {
    if (workflow.staticData.__dataChanged !== true) return;
    store.saveStaticData(workflow.id, workflow.staticData);
    workflow.staticData.__dataChanged = false;
  }
  let executionCount = store.executions().length;

  async function execute(
    file: WorkflowFile,
    { start, mode = 'cli', items, signal, onNode = {} }: RunOptions,
    id: string,
  ): Promise<RunResult> {
    const workflow = workflowOf(file, mode === 'trigger');
    const startNode = start ? workflow.getNode(start) : firstStart(workflow);
    if (!startNode) throw new Error(`The workflow has no node "${start ?? 'to start at'}".`);
    const additional = additionalData(id);
    const hooks = new core.ExecutionLifecycleHooks(mode, id, file);
    if (onNode.before) hooks.addHandler('nodeExecuteBefore', name => onNode.before!(name as string));
    if (onNode.after)
      hooks.addHandler('nodeExecuteAfter', (name, data) => onNode.after!(name as string, data as ITaskData));
    hooks.addHandler('workflowExecuteAfter', (_run, changed) => {
      if (changed && mode !== 'manual') store.saveStaticData(workflow.id, changed as IDataObject);
    });
    (additional as { hooks?: unknown }).hooks = hooks;
    const began = performance.now();
    let running: Cancelable<IRun>;
    if (items) {
      const data = n8n.createRunExecutionData({
        executionData: { nodeExecutionStack: [{ node: startNode, data: { main: [items] }, source: null }] },
      });
      running = new core.WorkflowExecute(additional, mode, data).processRunExecutionData(workflow);
    } else running = new core.WorkflowExecute(additional, mode).run({ workflow, startNode });
    const cancel = () => running.cancel();
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
    try {
      return resultOf(id, await running, performance.now() - began);
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }
  const firstStart = (workflow: Workflow): INode | undefined =>
    Object.values(workflow.nodes).find(
      node =>
        !node.disabled &&
        (node.type === 'n8n-nodes-base.manualTrigger' ||
          nodeTypes.getByNameAndVersion(node.type, node.typeVersion).trigger),
    );

  /**
   * One execution on the books: stored when it begins, so that its key counts even if the process dies in the middle.
   * Undefined for a duplicate.
   */
  async function recorded(
    file: WorkflowFile,
    options: RunOptions,
    deduplicationKey?: string,
  ): Promise<RunResult | undefined> {
    const id = String(++executionCount);
    const workflowId = file.id ?? 'workflow';
    const fresh = store.begin({
      id,
      workflowId,
      status: 'running',
      mode: options.mode ?? 'cli',
      ...(deduplicationKey === undefined ? {} : { deduplicationKey }),
      ...(options.items ? { items: options.items.map(item => item.json) } : {}),
    });
    if (!fresh) return undefined;
    const result = await execute(file, options, id);
    store.end(
      id,
      result.status === 'success' || result.status === 'canceled' ? result.status : 'error',
      result.error?.message,
    );
    return result;
  }

  async function activate(
    file: WorkflowFile,
    { mode: activation = 'activate', retryDelays = [1000, 2000, 4000, 8000] }: ActivateOptions = {},
  ): Promise<Active> {
    const triggers = host.get(core.TriggersAndPollers);
    const workflow = workflowOf(file, true);
    const responses = new Map<string, ITriggerResponse | undefined>();
    const pending = new Set<Promise<unknown>>();
    let live = true;
    const track = (promise: Promise<unknown>) => {
      pending.add(promise);
      void promise.finally(() => pending.delete(promise)).catch(() => {});
    };
    const active: Active = {
      executions: [],
      errors: [],
      failed: [],
      duplicates: [],
      async settled() {
        while (pending.size) await Promise.allSettled(pending);
      },
      async deactivate() {
        live = false;
        host.get(core.ScheduledTaskManager).deregisterGroup({ type: 'workflow', id: workflow.id });
        for (const node of [...responses.keys()]) await close(node);
        saveStaticData(workflow);
      },
    };
    async function close(node: string) {
      const response = responses.get(node);
      responses.delete(node);
      await response?.closeFunction?.();
    }
    async function start(node: INode) {
      responses.set(
        node.name,
        await triggers.runTriggerFunction(workflow, node, contextOf, additionalData(), 'trigger', activation),
      );
    }
    /** Five attempts, after which nothing revives the trigger but a new activation. */
    async function persistently(node: INode) {
      for (let attempt = 0; live; attempt++) {
        try {
          return await start(node);
        } catch (error) {
          if (attempt === retryDelays.length) throw error;
        }
        await after(retryDelays[attempt]!);
      }
    }
    const contextOf = (
      _workflow: Workflow,
      node: INode,
      additional: IWorkflowExecuteAdditionalData,
      mode: WorkflowExecuteMode,
      how: WorkflowActivateMode,
    ) => {
      const emit = (
        data: INodeExecutionData[][],
        _responsePromise?: unknown,
        donePromise?: Done,
        deduplicationKey?: string,
      ) => {
        saveStaticData(workflow);
        // What is emitted now must not change with what the node does next.
        const items = structuredClone(data[0] ?? []);
        const execution = Promise.resolve()
          .then(() => recorded(file, { start: node.name, mode, items }, deduplicationKey))
          .then(result => {
            if (result) active.executions.push(result);
            else active.duplicates.push(deduplicationKey!);
            donePromise?.resolve(result?.run as IRun);
          });
        track(
          execution.catch((error: unknown) => {
            active.errors.push(error as Error);
            donePromise?.reject(error as Error);
          }),
        );
      };
      const emitError = (error: Error) => {
        active.errors.push(error);
        track(
          close(node.name)
            .then(() => persistently(node))
            .catch((last: unknown) => {
              active.errors.push(last as Error);
            }),
        );
      };
      const saveFailedExecution = (error: Error) => {
        active.failed.push(error);
        const id = String(++executionCount);
        store.begin({ id, workflowId: workflow.id, status: 'running', mode });
        store.end(id, 'error', error.message);
      };
      return new core.TriggerContext(workflow, node, additional, mode, how, emit, emitError, saveFailedExecution);
    };

    try {
      for (const node of workflow.getTriggerNodes())
        if (!node.disabled && node.type !== 'n8n-nodes-base.manualTrigger') await persistently(node);
    } catch (error) {
      await active.deactivate();
      throw error;
    }
    saveStaticData(workflow);
    return active;
  }

  async function options(nodeType: string, method: string, parameters: INodeParameters, more: OptionsRequest = {}) {
    const { filter, paginationToken, path = `parameters.${method}`, typeVersion, credentials: used } = more;
    const type = nodeTypes.getByNameAndVersion(nodeType, typeVersion);
    const version = [type.description.version].flat().at(-1)!;
    const complete =
      n8n.NodeHelpers.getNodeParameters(
        type.description.properties,
        parameters,
        true,
        false,
        { typeVersion: version },
        type.description,
      ) ?? parameters;
    const node: INode = {
      id: 'options',
      name: 'Temp-Node',
      type: nodeType,
      typeVersion: version,
      position: [0, 0],
      parameters: complete,
      ...(used ? { credentials: used } : {}),
    };
    const workflow = new n8n.Workflow({ nodes: [node], connections: {}, active: false, nodeTypes });
    const context: ILoadOptionsFunctions = new core.LoadOptionsContext(
      workflow,
      node,
      additionalData(undefined, complete),
      path,
    );
    const search = type.methods?.listSearch?.[method];
    const load = type.methods?.loadOptions?.[method];
    if (search) return search.call(context, filter, paginationToken);
    if (load) return load.call(context);
    throw new Error(`${nodeType} has no method "${method}".`);
  }

  return {
    nodeTypes: Object.keys(loader.known.nodes).map(name => `${loader.packageName}.${name}`),
    nodeType: name => nodeTypes.getByNameAndVersion(name),
    lazy: loader.isLazyLoaded,
    packageFolder,
    userFolder: host.userFolder,
    run: async (file, runOptions = {}) => (await recorded(file, runOptions))!,
    activate,
    options,
    testCredential: (type, data) => credentials.test(type, data, additionalData()),
    saveCredential: credentials.save,
    readCredential: async id => (await credentials.read(id)) as IDataObject,
    staticData: store.staticData,
    executions: store.executions,
    bytes: data => host.get(core.BinaryDataService).getAsBuffer(data),
  };
}

/** Puts what the tarball would hold where n8n keeps community packages, away from the project's own node_modules. */
function install(packageDir: string, userFolder: string): string {
  const manifest = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as {
    name: string;
    files?: string[];
  };
  const folder = join(mkdtempSync(join(userFolder, 'install-')), 'nodes', 'node_modules', manifest.name);
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', ...(manifest.files ?? [])]) {
    try {
      cpSync(join(packageDir, file), join(folder, file), { recursive: true });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error;
    }
  }
  return folder;
}

function resultOf(id: string, run: IRun, ms: number): RunResult {
  const nodes = Object.fromEntries(
    Object.entries(run.data.resultData.runData).map(([name, tasks]) => [
      name,
      tasks.map((task): NodeRun => ({
        status: task.executionStatus ?? 'unknown',
        ms: task.executionTime,
        outputs: (task.data?.main ?? []).map(output => output ?? []),
        hints: task.hints ?? [],
        ...(task.error ? { error: task.error as never } : {}),
      })),
    ]),
  );
  const { error } = run.data.resultData;
  return {
    id,
    status: run.status,
    ms,
    run,
    nodes,
    items: (name, output = 0) => nodes[name]?.at(-1)?.outputs[output] ?? [],
    ...(error ? { error: error as never } : {}),
  };
}
