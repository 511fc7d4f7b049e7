import type { INodeExecutionData, ITriggerFunctions, ITriggerResponse } from 'n8n-workflow';
import { UserError } from 'n8n-workflow';
import { MailError, type Client, type FeedItem } from '../../shared/index.js';
import { doAfterSuccess } from './afterSuccess.js';
import { execute } from './executions.js';
import { follow, type Follower, type Source, type TriggerState } from './follow.js';
import { openAccount } from './host.js';
import { outputItem } from './items.js';
import { runningTriggers, type RunningTrigger } from './runningTriggers.js';
import { notices } from './triggerNotices.js';
import { readSettings, type Settings } from './triggerSettings.js';
import { testTrigger } from './triggerTest.js';

// The life of Sync Trigger in n8n. `triggerProperties.ts` is its form, `triggerSettings.ts` reads it, `follow.ts`
// follows the feed, `triggerNotices.ts` tells people, and `triggerTest.ts` is the test in the editor.

/**
 * Starts the trigger: always succeeds for settings that can work at all, whatever the network does, and supervises
 * itself from then on.
 */
export async function startTrigger(node: ITriggerFunctions): Promise<ITriggerResponse> {
  const settings = readSettings(node);
  const id = `${node.getWorkflow().id}/${node.getNode().id}`;
  return node.getMode() === 'manual' ? startTest(node, settings, id) : startPublished(node, settings, id);
}

function startTest(node: ITriggerFunctions, settings: Settings, id: string): ITriggerResponse {
  const over = new AbortController();
  return {
    manualTriggerFunction: async () => {
      node.emit([await testTrigger(node, settings, runningTriggers().get(id), over.signal)]);
    },
    // n8n calls this when the test is stopped, too.
    closeFunction: async () => over.abort(),
  };
}

async function startPublished(node: ITriggerFunctions, settings: Settings, id: string): Promise<ITriggerResponse> {
  const running = runningTriggers();
  const trigger: RunningTrigger = { settings };
  const before = running.get(id);
  const isReplaced = () => running.get(id) !== trigger;
  running.set(id, trigger);
  await before?.follower?.close({ replaced: true });
  const state = (trigger.state = node.getWorkflowStaticData('node') as TriggerState);
  await prepareState(node, settings, state, before?.state);
  if (isReplaced()) return { closeFunction: async () => {} };
  const follower = (trigger.follower = startFollower(node, settings, state, id));
  return {
    closeFunction: async () => {
      // Whoever replaced it has closed it.
      if (isReplaced()) return;
      await follower.close();
      if (isReplaced()) return;
      running.delete(id);
      // n8n stores the state next, if it has changed. What changed while an earlier storing was under way it does not
      // know of.
      state.scope = settings.scope;
    },
  };
}

/** Has the state belong to what is watched now. `before` is the state of the trigger that this one replaces. */
async function prepareState(
  node: ITriggerFunctions,
  settings: Settings,
  state: TriggerState,
  before: TriggerState | undefined,
): Promise<void> {
  // The one replaced knows more than what n8n has stored of it.
  if (before?.scope === settings.scope) {
    empty(state);
    Object.assign(state, JSON.parse(JSON.stringify(before)));
  }
  if (state.scope === settings.scope) return;
  empty(state);
  state.scope = settings.scope;
  // Both are stored with the activation itself, so that mail which comes next is not lost even if this process dies
  // before the first execution. The time, which depends on this machine's clock, only serves when the provider could
  // not be asked for its own mark.
  state.startedAt = settings.startDate ?? new Date().toISOString();
  const mark = settings.startDate ? undefined : await firstMark(node, settings);
  if (mark !== undefined) state.cursor = mark;
}

function empty(state: TriggerState): void {
  for (const key of Object.keys(state)) delete state[key as keyof TriggerState];
}

/**
 * Where the feed stands now, if the provider answers within a few seconds; activation must not hang on a provider that
 * is away.
 */
async function firstMark(node: ITriggerFunctions, settings: Settings): Promise<string | undefined> {
  const signal = AbortSignal.timeout(FIRST_MARK);
  try {
    const { client } = await openAccount(node, settings.provider.id, 0, signal);
    const late = new Promise<undefined>(resolve => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    return await Promise.race([client.since(settings.event, settings.input).then(({ cursor }) => cursor), late]);
  } catch {
    return undefined;
  }
}
/** Milliseconds. */
const FIRST_MARK = 8_000;

function startFollower(node: ITriggerFunctions, settings: Settings, state: TriggerState, id: string): Follower {
  const { provider, input, after, batchSize } = settings;
  const acknowledge = (source: Source, { item }: FeedItem) =>
    doAfterSuccess((source as OpenSource).client, provider, after!, input, item);
  return follow({
    state,
    keyPrefix: `${id}\n${settings.scope}`,
    intervalMs: settings.intervalMs,
    concurrent: settings.concurrent,
    ...(batchSize ? { batchSize } : {}),
    async open(signal) {
      const { client } = await openAccount(node, provider.id, 0, signal);
      return sourceOf(client, settings);
    },
    // What n8n's store of files will never take, such as one above its limit, concerns this message only; a store that
    // is away concerns all.
    prepare: ({ item }) =>
      outputItem(node, item, undefined, settings.simple).catch((error: unknown) => {
        throw error instanceof UserError ? new MailError('rejected', error.message, { cause: error }) : error;
      }),
    execute: (_items, key, prepared) => execute(node, settings.longestMs, prepared as INodeExecutionData[], key),
    ...(after ? { acknowledge } : {}),
    ...notices(node, provider),
  });
}

interface OpenSource extends Source {
  client: Client;
}
const sourceOf = (client: Client, { event, input }: Settings): OpenSource => ({
  client,
  since: cursor => client.since(event, input, cursor),
  from: at => client.from(event, input, at),
  watch: changed => client.watch(event, input, changed),
});
