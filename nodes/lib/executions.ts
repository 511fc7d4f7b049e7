import type { INodeExecutionData, IRun, ITriggerFunctions } from 'n8n-workflow';
import type { Ended } from './followOptions.js';

/**
 * The executions of this process by name: those that have not ended, and how the latest others ended. A start that
 * replaces another waits for what that one began instead of offering it again: n8n takes a name a second time while its
 * execution still waits for its turn, and says nothing of how a known one ends. Without that, a message whose execution
 * ended between two starts would never be marked.
 */
interface Executions {
  underWay: Map<string, Promise<Ended>>;
  ended: Map<string, Ended>;
}
const EXECUTIONS = Symbol.for('n8n-nodes-mailroom.executions');
const executions = () =>
  ((globalThis as { [EXECUTIONS]?: Executions })[EXECUTIONS] ??= { underWay: new Map(), ended: new Map() });
/** How many ended executions are remembered. */
const MOST_ENDED = 1000;

/** Starts an execution. Resolves when it has ended, and rejects when it could not be started. */
async function started(node: ITriggerFunctions, data: INodeExecutionData[], key: string): Promise<Ended> {
  const { underWay, ended } = executions();
  const done = node.helpers.createDeferredPromise<IRun | undefined>();
  node.emit([data], undefined, done as never, key);
  try {
    const run = await done.promise;
    if (run === undefined) return 'known';
    const how = run.status === 'success' ? 'success' : 'error';
    ended.set(key, how);
    if (ended.size > MOST_ENDED) ended.delete(ended.keys().next().value!);
    return how;
  } finally {
    underWay.delete(key);
  }
}

/** One execution, to its end, or for `longestMs`: after that it counts as failed. */
export async function execute(
  node: ITriggerFunctions,
  longestMs: number,
  data: INodeExecutionData[],
  key: string,
): Promise<Ended> {
  const { underWay, ended } = executions();
  const before = ended.get(key);
  if (before) return before;
  const ending = underWay.get(key) ?? started(node, data, key);
  underWay.set(key, ending);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<Ended>(resolve => {
    timer = setTimeout(() => resolve('error'), longestMs);
  });
  // An hour's patience is no reason for a process to stay.
  timer?.unref();
  return Promise.race([ending, tooLong]).finally(() => clearTimeout(timer));
}
