import type { Follower, TriggerState } from './followOptions.js';
import type { Settings } from './triggerSettings.js';

/** Taken by a start before it waits for anything, so that of two starts at the same moment the later one wins. */
export interface RunningTrigger {
  follower?: Follower;
  state?: TriggerState;
  settings?: Settings;
}

const RUNNING = Symbol.for('n8n-nodes-mailroom.triggers');

/**
 * Running triggers of this process, by workflow and node: a second start replaces the first, also across copies of this
 * file.
 */
export const runningTriggers = (): Map<string, RunningTrigger> =>
  ((globalThis as { [RUNNING]?: Map<string, RunningTrigger> })[RUNNING] ??= new Map<string, RunningTrigger>());
