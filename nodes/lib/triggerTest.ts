import type { IDataObject, INodeExecutionData, ITriggerFunctions } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';
import { MailError, type Feed } from '../../shared/index.js';
import type { Status, TriggerState } from './followOptions.js';
import { asNodeError, openAccount } from './host.js';
import { outputItem } from './items.js';
import type { RunningTrigger } from './runningTriggers.js';
import type { Settings } from './triggerSettings.js';

/** Milliseconds. */
const TEST_LIMIT = 60_000;

/**
 * For the editor's test: what one execution would begin with, the latest that passes the filters, with the state of
 * things at its end. More would have nodes behind the trigger answer people whom nobody thought of, and so would an
 * item that stands for nothing: where there is none to show, the test fails and says why. Moves nothing and stores
 * nothing, and ends within a minute.
 */
export async function testTrigger(
  node: ITriggerFunctions,
  settings: Settings,
  running: RunningTrigger | undefined,
  over: AbortSignal,
): Promise<INodeExecutionData[]> {
  try {
    const { items, notes } = await latestInTime(node, settings, over);
    const stateDetails = stateOf(node, settings, running, notes);
    if (!items.length) throw nothingToShow(node, settings, notes, stateDetails);
    const state = [`This workflow is ${STANDS[stateDetails.status]}.`, ...stateDetails.notes.slice(0, 1)].join(' ');
    return items.map(one => ({ ...one, json: { ...one.json, state, stateDetails } }));
  } catch (error) {
    // Told to go on after an error, n8n would give the nodes behind an empty item to work on.
    if (goesOn(node)) return [];
    throw asNodeError(node.getNode(), error, undefined, stateOf(node, settings, running).summary);
  }
}

interface Latest {
  items: INodeExecutionData[];
  notes: string[];
}

/** The latest of the feed, or a rejection when it takes too long or the test is stopped. */
async function latestInTime(node: ITriggerFunctions, settings: Settings, over: AbortSignal): Promise<Latest> {
  const { name } = settings.provider;
  const late = AbortSignal.timeout(TEST_LIMIT);
  const signal = AbortSignal.any([over, late]);
  const ended = new Promise<never>((_, reject) =>
    signal.addEventListener(
      'abort',
      () =>
        reject(
          late.aborted
            ? new MailError('unavailable', `${name} did not answer within ${TEST_LIMIT / 1000} seconds.`, {
                provider: name,
              })
            : new Error('The test was stopped.'),
        ),
      { once: true },
    ),
  );
  return Promise.race([latest(node, settings, signal), ended]);
}

async function latest(node: ITriggerFunctions, settings: Settings, signal: AbortSignal): Promise<Latest> {
  const { client } = await openAccount(node, settings.provider.id, 0, signal);
  const { items, notes = [] } = await client.latest(settings.event, settings.input, settings.batchSize ?? 1);
  const readable = items.filter(({ problem }) => !problem);
  return {
    items: await Promise.all(readable.map(({ item }) => outputItem(node, item, undefined, settings.simple))),
    notes: [...notes, ...items.flatMap(({ problem }) => problem ?? [])],
  };
}

function nothingToShow(
  node: ITriggerFunctions,
  { provider, filtered }: Settings,
  notes: readonly string[],
  { summary }: StateDetails,
): NodeOperationError {
  const reason = filtered ? 'none of the latest passes the filters.' : 'nothing has come yet.';
  const advice = filtered
    ? 'Take a filter away, or wait for something that passes.'
    : 'Test again when something has come.';
  return new NodeOperationError(node.getNode(), `${provider.name} answered, and there is nothing to show: ${reason}`, {
    level: 'warning',
    description: [...notes, advice, summary].join(' '),
  });
}

const goesOn = (node: ITriggerFunctions): boolean => {
  const { onError, continueOnFail } = node.getNode();
  return continueOnFail === true || (onError !== undefined && onError !== 'stopWorkflow');
};

const STANDS = {
  following: 'published and connected',
  connecting: 'published and connecting',
  interrupted: 'published and not connected; it tries again by itself',
  'not running': 'not published, or followed by another process of n8n',
};

/**
 * What a test can tell of the published workflow's own trigger, which may run in this process, in another one, or not
 * at all. The keys are always there; the folders or the mailbox come on top, where the feed has such.
 */
interface StateDetails extends IDataObject {
  status: keyof typeof STANDS;
  summary: string;
  connectedSince: string | null;
  lastSeen: string | null;
  lastError: string | null;
  lastErrorAt: string | null;
  event: string;
  news: 'pushed' | 'asked for' | null;
  intervalSeconds: number;
  executions: number | null;
  notes: string[];
}

/** `found` are the notes of the test itself. */
function stateOf(
  node: ITriggerFunctions,
  tested: Settings,
  running: RunningTrigger | undefined,
  found: readonly string[] = [],
): StateDetails {
  const seen = running?.follower?.seen;
  const settings = running?.settings ?? tested;
  const stored = node.getWorkflowStaticData('node') as TriggerState;
  const known: Partial<Status> = seen ?? (stored.scope === tested.scope ? stored.seen : undefined) ?? {};
  const status = statusOf(seen);
  const differs = seen !== undefined && settings.scope !== tested.scope;
  return {
    status,
    summary:
      summaryOf(status, known) +
      (differs
        ? ' It follows something else than this test, because the node was changed since it was published.'
        : ''),
    connectedSince: known.connectedSince ?? null,
    lastSeen: known.lastSeen ?? null,
    lastError: known.lastError ?? null,
    lastErrorAt: known.lastErrorAt ?? null,
    event: settings.event,
    news: newsOf(seen),
    intervalSeconds: settings.intervalMs / 1000,
    executions: seen?.executed ?? null,
    notes: [...new Set([...found, ...(known.notes ?? [])])],
    ...placesOf(settings),
  };
}

function statusOf(seen: Status | undefined): StateDetails['status'] {
  if (!seen) return 'not running';
  if (seen.connectedSince) return 'following';
  return seen.lastError ? 'interrupted' : 'connecting';
}

function newsOf(seen: Status | undefined): StateDetails['news'] {
  if (!seen?.connectedSince) return null;
  return seen.pushed ? 'pushed' : 'asked for';
}

function summaryOf(status: StateDetails['status'], known: Partial<Status>): string {
  const { connectedSince, lastSeen, lastError, lastErrorAt } = known;
  const at = lastErrorAt ? `, at ${lastErrorAt}` : '';
  const failed = lastError ? ` The last error${at}: ${lastError}` : '';
  switch (status) {
    case 'following':
      return (
        `The published workflow has been connected since ${connectedSince} and looked last at ${lastSeen}.` +
        (failed || ' Nothing has gone wrong.')
      );
    case 'connecting':
      return 'The published workflow is connecting.';
    case 'interrupted': {
      const looked = lastSeen ? `; it looked last at ${lastSeen}` : '';
      return `The published workflow is not connected and tries again by itself${looked}.${failed}`;
    }
    case 'not running': {
      const looked = lastSeen ? ` What started its latest execution was seen at ${lastSeen}.` : '';
      return (
        'Nothing follows here: the workflow is not published, or another process of n8n follows.' + `${looked}${failed}`
      );
    }
  }
}

/** The folders or the mailbox that the published workflow follows. */
function placesOf({ provider, event, input }: Settings): Record<string, string> {
  const places: Record<string, string> = {};
  for (const [key, field] of Object.entries((provider.feeds[event] as Feed).input)) {
    const isPlace = field.ref ?? (field.type === 'list' && field.of.ref);
    const value = input[key] ?? field.default;
    if (isPlace && value !== undefined) places[key] = String(value);
  }
  return places;
}
