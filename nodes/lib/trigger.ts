import type { IDataObject, INodeExecutionData, INodeProperties, IRun, ITriggerFunctions, ITriggerResponse } from 'n8n-workflow';
import { NodeOperationError, UserError } from 'n8n-workflow';
import { isMailError, MailError, providers, providerById, type Client, type Feed, type FeedItem, type Message, type Operation,
  type Provider } from '../../shared/index.js';
import { CREDENTIALS_HERE, credentialTypes, signInProperties } from './account.js';
import { follow, type Ended, type Follower, type Source, type Status, type TriggerState } from './follow.js';
import { asNodeError, openAccount } from './host.js';
import { outputItem } from './items.js';
import { plainValue } from './lookup.js';
import { byIdOnly, isPicked, menu, parameter, providerChoice } from './parameters.js';
import { picksSeveral } from './severalPicker.js';
import { valueOf } from './values.js';
import { BEFORE_1_1, SINCE_1_1 } from './version.js';
import { describe, title } from './words.js';
import { momentOf } from './zone.js';

/** The providers that have news to follow. */
const feedProviders = (): readonly Provider[] => providers.filter(provider => Object.keys(provider.feeds).length > 0);

/** What can be done at the vendor after an execution succeeded, where the provider has it. */
const AFTERWARDS: Readonly<Record<string, { operation: string; input: Record<string, unknown>; label: string }>> = {
  markRead: { operation: 'message.mark', input: { read: true }, label: 'Mark as Read' },
  move: { operation: 'message.move', input: {}, label: 'Move to a Folder' },
  delete: { operation: 'message.delete', input: {}, label: 'Delete' },
};
const afterwards = (provider: Provider) => Object.entries(AFTERWARDS).filter(([, { operation }]) => Object.hasOwn(provider.operations, operation));

/** All parameters of Sync Trigger, derived from the feeds. */
export function triggerProperties(): INodeProperties[] {
  const all = feedProviders();
  const properties: INodeProperties[] = providerChoice(all, 'Where to look for news');
  properties.push(...signInProperties(all.map(({ id }) => id)), CREDENTIALS_HERE);
  for (const provider of all) {
    const feeds = Object.entries(provider.feeds);
    properties.push({
      // Not "Event": of such menus n8n's list of triggers shows the first provider's only.
      ...menu('Watch For', 'event', feeds.map(([name, { summary }]) => ({ name: title(name), value: name, description: describe(summary) })), feeds[0]![0]),
      displayOptions: { show: { provider: [provider.id] } },
    });
    for (const [name, { input }] of feeds) {
      const show = { show: { provider: [provider.id], event: [name] } };
      const fields = Object.entries(input as Feed['input']);
      for (const [key, field] of fields.filter(([, f]) => f.required)) {
        properties.push({ ...parameter(provider, key, byIdOnly(field), true), displayOptions: show });
      }
      const optional = fields.filter(([, f]) => !f.required);
      if (optional.length) {
        properties.push({
          displayName: 'Filters and Content', name: 'filters', type: 'collection', placeholder: 'Add Filter or Content', default: {}, displayOptions: show,
          options: optional.flatMap(([key, field]) => picksSeveral(provider, key, field) ?? [parameter(provider, key, byIdOnly(field), false, true)])
            .sort((a, b) => a.displayName.localeCompare(b.displayName)),
        });
      }
    }
  }
  const able = all.filter(provider => afterwards(provider).length > 0);
  properties.push(
    { displayName: 'Start', name: 'start', type: 'options', default: 'now',
      description: 'Which messages or changes start an execution once the workflow is published',
      options: [{ name: 'From Now On', value: 'now' }, { name: 'From a Date', value: 'date' }] },
    { displayName: 'Start Date', name: 'startDate', type: 'dateTime', required: true, default: '', displayOptions: { show: { start: ['date'] } },
      description: 'Everything that arrived since then starts an execution' },
    { displayName: 'Execute', name: 'execute', type: 'options', default: 'each', options: [
      { name: 'Once for Each Item', value: 'each' },
        { name: 'Once for a Batch', value: 'batch', description: 'Everything that is new at one look, up to the batch size' }] },
    { displayName: 'Batch Size', name: 'batchSize', type: 'number', typeOptions: { minValue: 1, maxValue: 100 }, default: 50,
      displayOptions: { show: { execute: ['batch'] } }, description: 'How many items one execution gets at most' },
  );
  for (const provider of able) {
    properties.push({
      displayName: 'After Success', name: 'afterSuccess', type: 'options', default: 'nothing', displayOptions: { show: { provider: [provider.id] } },
      description: 'What happens to the message at the provider once its execution has succeeded',
      options: [...afterwards(provider).map(([value, { label }]) => ({ name: label, value })), { name: 'Leave It', value: 'nothing' }].sort((a, b) =>
        a.name.localeCompare(b.name)),
    });
  }
  properties.push(...able.flatMap(moveProperties),
    { displayName: 'Simplify', name: 'simplify', type: 'boolean', default: true,
      description: 'Whether to return a simplified version of the response instead of the raw data' },
    { displayName: 'Options', name: 'options', type: 'collection', placeholder: 'Add Option', default: {}, options: [
      { displayName: 'Check Every (Seconds)', name: 'interval', type: 'number', typeOptions: { minValue: 10 }, default: 60,
        description: 'How often to look where the provider does not push, and the safety net where it does' },
      { displayName: 'Executions at a Time', name: 'concurrent', type: 'number', typeOptions: { minValue: 1, maxValue: 50 }, default: 5,
        description: 'Items start in order; with 1, each waits for the one before' },
      { displayName: 'Longest Wait for an Execution (Minutes)', name: 'longest', type: 'number', typeOptions: { minValue: 1 }, default: 60,
        description: 'After this the trigger goes on without knowing how the execution ended' },
    ] },
  );
  return properties;
}

/** Where a message goes after success. Nodes of the first version hold the name as text; n8n's editor would not let a person change it in a picker. */
function moveProperties(provider: Provider): INodeProperties[] {
  const { 'message.move': move } = provider.operations as Readonly<Record<string, Operation | undefined>>;
  if (!move) return [];
  const show = { provider: [provider.id], afterSuccess: ['move'] }, field = move.input[destination(provider)]!;
  const typed: INodeProperties = { displayName: 'Folder', name: 'moveTo', type: 'string', required: true, default: '', placeholder: 'e.g. Archive',
    description: 'Where the message goes' };
  const picked = isPicked(provider, field) ? { ...parameter(provider, 'moveTo', { ...field, label: 'Folder', example: 'Archive' }, true),
    description: 'Where the message goes' } : typed;
  return [
    { ...typed, displayOptions: { show: { ...show, '@version': BEFORE_1_1 } } },
    { ...picked, displayOptions: { show: { ...show, '@version': SINCE_1_1 } } },
    ...('createFolder' in move.input ? [{ displayName: 'Create Folder If Missing', name: 'createFolder', type: 'boolean' as const, default: false,
      displayOptions: { show }, description: 'Whether the folder is created when the first message goes there' }] : []),
  ];
}

/** Running triggers of this process, by workflow and node: a second start replaces the first, also across copies of this file. */
const RUNNING = Symbol.for('n8n-nodes-mailroom.triggers');
const running = () => (globalThis as { [RUNNING]?: Map<string, Place> })[RUNNING] ??= new Map<string, Place>();
/** Taken by a start before it waits for anything, so that of two starts at the same moment the later one wins. */
interface Place { follower?: Follower; state?: TriggerState; settings?: Settings }

/** Starts the trigger: always succeeds for settings that can work at all, whatever the network does, and supervises itself from then on. */
export async function startTrigger(node: ITriggerFunctions): Promise<ITriggerResponse> {
  const settings = readSettings(node);
  const id = `${node.getWorkflow().id}/${node.getNode().id}`;
  if (node.getMode() === 'manual') {
    // n8n calls this when the test is stopped, too.
    const over = new AbortController();
    return { manualTriggerFunction: async () => node.emit([await test(node, settings, running().get(id), over.signal)]),
      closeFunction: async () => over.abort() };
  }
  const place: Place = { settings }, before = running().get(id);
  running().set(id, place);
  await before?.follower?.close({ replaced: true });
  const state = place.state = node.getWorkflowStaticData('node') as TriggerState;
  // The one replaced knows more than what n8n has stored of it.
  if (before?.state?.scope === settings.scope) {
    for (const key of Object.keys(state)) delete state[key as keyof TriggerState];
    Object.assign(state, JSON.parse(JSON.stringify(before.state)));
  }
  if (state.scope !== settings.scope) {
    for (const key of Object.keys(state)) delete state[key as keyof TriggerState];
    state.scope = settings.scope;
    // Both are stored with the activation itself, so that mail which comes next is not lost even if this process dies before the first
    // execution. The time, which depends on this machine's clock, only serves when the provider could not be asked for its own mark.
    state.startedAt = settings.startDate ?? new Date().toISOString();
    const mark = settings.startDate ? undefined : await firstMark(node, settings);
    if (mark !== undefined) state.cursor = mark;
  }
  if (running().get(id) !== place) return { closeFunction: async () => {} };
  const follower = place.follower = follow({
    state, keyPrefix: `${id}\n${settings.scope}`, intervalMs: settings.intervalMs, concurrent: settings.concurrent,
    ...(settings.batchSize ? { batchSize: settings.batchSize } : {}),
    async open(signal) { return sourceOf((await openAccount(node, settings.provider.id, 0, signal)).client, settings); },
    // What n8n's store of files will never take, such as one above its limit, concerns this message only; a store that is away concerns all.
    prepare: ({ item }) => outputItem(node, item, undefined, settings.simple).catch((error: unknown) => {
      throw error instanceof UserError ? new MailError('rejected', error.message, { cause: error }) : error;
    }),
    execute: (_items, key, prepared) => execute(node, settings, prepared as INodeExecutionData[], key),
    ...(settings.after ? { acknowledge: (source: Source, item: FeedItem) => acknowledge((source as OpenSource).client, settings, item) } : {}),
    poisoned: item => fail(node, new NodeOperationError(node.getNode(), `A message could not be read: ${item.problem}`, {
      description: `${settings.provider.name} holds it as ${item.id}${describeItem(item.item as Partial<Message>)}. All other messages go on.` })),
    outage(event) {
      if (event.kind === 'over') { node.logger.info(`${settings.provider.name} answers again; nothing was skipped.`); return; }
      const error = asNodeError(node.getNode(), event.error);
      const unusable = isMailError(event.error) && event.error.code === 'invalid_input';
      fail(node, new NodeOperationError(node.getNode(), unusable ? `These settings cannot be followed: ${error.message}` : event.kind === 'credentials'
        ? `${settings.provider.name} refuses the account: ${error.message}`
        : isMailError(event.error) && event.error.code === 'not_found' ? `There is nothing to follow: ${error.message}`
          : `${settings.provider.name} has not answered since ${event.since.toISOString()}: ${error.message}`, {
        description: unusable ? 'Correct the node and publish the workflow again.' : event.kind === 'credentials' ? 'Correct the credential; the trigger tries again every five minutes and skips nothing.'
          : 'The trigger goes on trying and will catch up. This is said once.' }));
    },
    notes: ([first, ...more]) => fail(node, new NodeOperationError(node.getNode(), first!, {
      description: [...more, 'The trigger goes on with everything else. This is said once.'].join(' ') })),
    log: (message, details) => node.logger.debug(message, details),
    warn: message => node.logger.warn(message),
  });
  return {
    closeFunction: async () => {
      // Whoever replaced it has closed it.
      if (running().get(id) !== place) return;
      await follower.close();
      if (running().get(id) !== place) return;
      running().delete(id);
      // n8n stores the state next, if it has changed. What changed while an earlier storing was under way it does not know of.
      state.scope = settings.scope;
    },
  };
}

/** Who wrote and about what, as far as that is known. */
const describeItem = ({ from, subject, date }: Partial<Message>) =>
  [from?.email && ` from ${from.email}`, subject && ` about "${subject}"`, date && ` of ${date}`].filter(Boolean).join('');

/** What a provider calls the folder a message is moved to. */
const destination = (provider: Provider): string => {
  const { input } = (provider.operations as Readonly<Record<string, Operation>>)['message.move']!;
  return ['target', 'dst_folder', 'folder'].find(name => Object.hasOwn(input, name))!;
};

interface Settings {
  provider: Provider; event: string; input: Record<string, unknown>; filtered: boolean; scope: string; simple: boolean;
  intervalMs: number; concurrent: number; batchSize?: number; startDate?: string; longestMs: number;
  after?: { operation: string; input: Record<string, unknown> };
}

/** Reads the parameters once; throws only for what can never work. */
function readSettings(node: ITriggerFunctions): Settings {
  const provider = providerById(node.getNodeParameter('provider') as string);
  const event = node.getNodeParameter('event') as string;
  const feed = provider.feeds[event] as Feed | undefined;
  if (!feed) throw new NodeOperationError(node.getNode(), `${provider.name} has no event "${event}".`, { description: 'Choose another event.' });
  const startDate = node.getNodeParameter('start', 'now') === 'date' ? startOf(node) : undefined;
  if (startDate && !feed.from) {
    throw new NodeOperationError(node.getNode(),
      `${provider.name} does not tell when something was changed, so this trigger cannot start from a date.`, { description: 'Choose to start from now on.' });
  }
  const optional = node.getNodeParameter('filters', {}, { extractValue: true }) as Record<string, unknown>;
  const input: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(feed.input)) {
    const value = field.required ? node.getNodeParameter(key, undefined, { extractValue: isPicked(provider, field) }) : optional[key];
    try { input[key] = valueOf(field, plainValue(value), () => node.getTimezone()); } catch (error) { throw asNodeError(node.getNode(), error); }
  }
  const options = node.getNodeParameter('options', {}) as { interval?: unknown; concurrent?: unknown; longest?: unknown };
  const wanted = node.getNodeParameter('afterSuccess', 'nothing') as string;
  const after = AFTERWARDS[wanted];
  // A cursor belongs to what is looked at, not to the filters: changing those must neither lose nor repeat. Folders are the feed's own matter.
  const where = Object.entries(feed.input).filter(([, field]) => field.ref && field.ref !== 'folder').map(([key]) => [key, input[key] ?? null]);
  const credential = credentialTypes(provider.id).map(({ type }) => node.getNode().credentials?.[type]?.id ?? '').join('/');
  // An expression such as one day ago gives another date at each start of n8n, which must not begin anew each time.
  const given = node.getNode().parameters.startDate, dated = startDate && typeof given === 'string' && given.startsWith('=') ? given : startDate;
  return {
    provider, event, input, filtered: isFiltered(feed, optional), scope: JSON.stringify([provider.id, event, credential, where, dated ?? '']),
      simple: node.getNodeParameter('simplify', true) as boolean,
    intervalMs: within(options.interval, 60, 10, LONGEST_TIMER / 1000) * 1000, concurrent: within(options.concurrent, 5, 1, 50),
      longestMs: within(options.longest, 60, 1, LONGEST_TIMER / 60_000) * 60_000,
    ...(node.getNodeParameter('execute', 'each') === 'batch' ? { batchSize: within(node.getNodeParameter('batchSize', 50), 50, 1, 100) } : {}),
    ...(startDate ? { startDate } : {}),
    ...(after ? { after: { operation: after.operation,
      input: { ...after.input, ...(wanted === 'move' ? moveInput(node, provider) : {}) } } } : {}),
  };
}

function moveInput(node: ITriggerFunctions, provider: Provider): Record<string, unknown> {
  const to = node.getNodeParameter('moveTo', '', { extractValue: true }) as unknown;
  return { [destination(provider)]: plainValue(to),
    ...(node.getNodeParameter('createFolder', false) === true ? { createFolder: true } : {}) };
}

/** True where something is asked for that not everything passes; where to look and what to fetch is no filter. */
const isFiltered = ({ input }: Feed, optional: Record<string, unknown>) => Object.entries(optional).some(([key, value]) => {
  const field = input[key];
  return field !== undefined && !field.ref && field.default === undefined && !(field.type === 'list' && field.of.ref) && value !== '' && value !== false;
});

/** A timer set for longer fires at once (24 days, in milliseconds). */
const LONGEST_TIMER = 2 ** 31 - 1;
/** n8n checks limits in the form only; an expression or an imported workflow may hold anything. */
function within(value: unknown, fallback: number, min: number, max: number): number {
  const given = value === '' || value === null ? NaN : Number(value ?? NaN);
  return Number.isNaN(given) ? fallback : Math.floor(Math.min(max, Math.max(min, given)));
}

/** The start date as ISO 8601. What names no time zone is meant in the workflow's, as n8n's date picker gives it. Throws where it is no date. */
function startOf(node: ITriggerFunctions): string {
  const given = node.getNodeParameter('startDate') as unknown, text = String(given).trim();
  const at = typeof given === 'string' ? momentOf(text, node.getTimezone()) : new Date(given as string).getTime();
  if (Number.isNaN(at) || given === null) throw new NodeOperationError(node.getNode(), `Start Date is no date: "${text.slice(0, 40)}".`,
    { description: 'Choose a date and time, or start from now on.' });
  return new Date(at).toISOString();
}
/** Where the feed stands now, if the provider answers within a few seconds; activation must not hang on a provider that is away. */
async function firstMark(node: ITriggerFunctions, settings: Settings): Promise<string | undefined> {
  const signal = AbortSignal.timeout(FIRST_MARK);
  try {
    const { client } = await openAccount(node, settings.provider.id, 0, signal);
    const late = new Promise<undefined>(resolve => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
    return await Promise.race([client.since(settings.event, settings.input).then(({ cursor }) => cursor), late]);
  } catch {
    return undefined;
  }
}
/** Milliseconds. */
const FIRST_MARK = 8_000;

interface OpenSource extends Source { client: Client }
const sourceOf = (client: Client, { event, input }: Settings): OpenSource => ({
  client,
  since: cursor => client.since(event, input, cursor),
  from: at => client.from(event, input, at),
  watch: changed => client.watch(event, input, changed),
});

/**
 * For the editor's test: what one execution would begin with, the latest that passes the filters, with the state of things at its end. More
 * would have nodes behind the trigger answer people whom nobody thought of, and so would an item that stands for nothing: where there is none
 * to show, the test fails and says why. Moves nothing and stores nothing, and ends within a minute.
 */
async function test(node: ITriggerFunctions, settings: Settings, place: Place | undefined, over: AbortSignal): Promise<INodeExecutionData[]> {
  const { name, id } = settings.provider;
  const late = AbortSignal.timeout(TEST_LIMIT), signal = AbortSignal.any([over, late]);
  const ended = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(late.aborted
    ? new MailError('unavailable', `${name} did not answer within ${TEST_LIMIT / 1000} seconds.`, { provider: name })
      : new Error('The test was stopped.')), { once: true }));
  const looked = (async () => {
    const { client } = await openAccount(node, id, 0, signal);
    const { items, notes = [] } = await client.latest(settings.event, settings.input, settings.batchSize ?? 1);
    const readable = items.filter(({ problem }) => !problem);
    return { items: await Promise.all(readable.map(({ item }) => outputItem(node, item, undefined, settings.simple))),
      notes: [...notes, ...items.flatMap(({ problem }) => problem ?? [])] };
  })();
  try {
    const { items, notes } = await Promise.race([looked, ended]);
    const stateDetails = stateOf(node, settings, place, notes);
    const state = [`This workflow is ${STANDS[stateDetails.status]}.`, ...stateDetails.notes.slice(0, 1)].join(' ');
    if (items.length) return items.map(one => ({ ...one, json: { ...one.json, state, stateDetails } }));
    throw new NodeOperationError(node.getNode(), `${name} answered, and there is nothing to show: ${settings.filtered
      ? 'none of the latest passes the filters.' : 'nothing has come yet.'}`, { level: 'warning', description:
      `${[...notes, settings.filtered ? 'Take a filter away, or wait for something that passes.' : 'Test again when something has come.'].join(' ')} `
      + stateDetails.summary });
  } catch (error) {
    // Told to go on after an error, n8n would give the nodes behind an empty item to work on.
    if (goesOn(node)) return [];
    throw asNodeError(node.getNode(), error, undefined, stateOf(node, settings, place).summary);
  }
}
const goesOn = (node: ITriggerFunctions): boolean => {
  const { onError, continueOnFail } = node.getNode();
  return continueOnFail === true || (onError !== undefined && onError !== 'stopWorkflow');
};
/** Milliseconds. */
const TEST_LIMIT = 60_000;

/**
 * What a test can tell of the published workflow's own trigger, which may run in this process, in another one, or not at all. The keys are
 * always there; the folders or the mailbox come on top, where the feed has such.
 */
const STANDS = {
  following: 'published and connected', connecting: 'published and connecting',
  interrupted: 'published and not connected; it tries again by itself',
  'not running': 'not published, or followed by another process of n8n',
};
interface StateShown extends IDataObject {
  status: 'following' | 'connecting' | 'interrupted' | 'not running'; summary: string;
  connectedSince: string | null; lastSeen: string | null; lastError: string | null; lastErrorAt: string | null;
  event: string; news: 'pushed' | 'asked for' | null; intervalSeconds: number; executions: number | null; notes: string[];
}
function stateOf(node: ITriggerFunctions, tested: Settings, place: Place | undefined, found: readonly string[] = []): StateShown {
  const seen = place?.follower?.seen, settings = place?.settings ?? tested;
  const stored = node.getWorkflowStaticData('node') as TriggerState;
  const known: Partial<Status> = seen ?? (stored.scope === tested.scope ? stored.seen : undefined) ?? {};
  const status = !seen ? 'not running' : seen.connectedSince ? 'following' : seen.lastError ? 'interrupted' : 'connecting';
  const news = !seen?.connectedSince ? null : seen.pushed ? 'pushed' : 'asked for';
  const failed = known.lastError && ` The last error${known.lastErrorAt ? `, at ${known.lastErrorAt}` : ''}: ${known.lastError}`;
  const summary = {
    following: `The published workflow has been connected since ${seen?.connectedSince} and looked last at ${seen?.lastSeen}.`
      + `${failed || ' Nothing has gone wrong.'}`,
    connecting: 'The published workflow is connecting.',
    interrupted: `The published workflow is not connected and tries again by itself${known.lastSeen ? `; it looked last at ${known.lastSeen}` : ''}.${failed}`,
    'not running': `Nothing follows here: the workflow is not published, or another process of n8n follows.`
      + `${known.lastSeen ? ` What started its latest execution was seen at ${known.lastSeen}.` : ''}${failed ?? ''}`,
  }[status] + (seen && settings.scope !== tested.scope
    ? ' It follows something else than this test, because the node was changed since it was published.' : '');
  return {
    status, summary, connectedSince: known.connectedSince ?? null, lastSeen: known.lastSeen ?? null, lastError: known.lastError ?? null,
      lastErrorAt: known.lastErrorAt ?? null,
    event: settings.event, news, intervalSeconds: settings.intervalMs / 1000, executions: seen?.executed ?? null,
      notes: [...new Set([...found, ...known.notes ?? []])],
    ...Object.fromEntries(Object.entries((settings.provider.feeds[settings.event] as Feed).input)
      .filter(([, field]) => field.ref ?? (field.type === 'list' && field.of.ref))
      .flatMap(([key, field]) => { const value = settings.input[key] ?? field.default; return value === undefined ? [] : [[key, String(value)]]; })),
  };
}

/**
 * The executions of this process by name: those that have not ended, and how the latest others ended. A start that replaces another waits for
 * what that one began instead of offering it again: n8n takes a name a second time while its execution still waits for its turn, and says
 * nothing of how a known one ends. Without that, a message whose execution ended between two starts would never be marked.
 */
interface Executions { underWay: Map<string, Promise<Ended>>; ended: Map<string, Ended> }
const EXECUTIONS = Symbol.for('n8n-nodes-mailroom.executions');
const executions = () => (globalThis as { [EXECUTIONS]?: Executions })[EXECUTIONS] ??= { underWay: new Map(), ended: new Map() };
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
  } finally { underWay.delete(key); }
}

/** One execution, to its end. */
async function execute(node: ITriggerFunctions, settings: Settings, data: INodeExecutionData[], key: string): Promise<Ended> {
  const { underWay, ended } = executions(), before = ended.get(key);
  if (before) return before;
  const ending = underWay.get(key) ?? started(node, data, key);
  underWay.set(key, ending);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<Ended>(resolve => { timer = setTimeout(() => resolve('error'), settings.longestMs); });
  // An hour's patience is no reason for a process to stay.
  timer?.unref();
  return Promise.race([ending, tooLong]).finally(() => clearTimeout(timer));
}

/** Marks or moves one message with the provider's own operation; the targets come from the item and the feed's input. */
async function acknowledge(client: Client, settings: Settings, { item }: FeedItem): Promise<void> {
  const { operation, input } = settings.after!;
  // Nothing is there to be marked or moved.
  if ((item as { change?: unknown }).change === 'deleted') return;
  const message = item as IDataObject, fields = (settings.provider.operations as Readonly<Record<string, Operation>>)[operation]!.input;
  const given: Record<string, unknown> = { ...input };
  for (const key of Object.keys(fields)) {
    if (key === 'message') given[key] = message.id;
    else if (given[key] === undefined && key in settings.input) given[key] = settings.input[key];
    else if (given[key] === undefined && fields[key]!.required) given[key] = message[key];
  }
  if ('mailbox' in fields && message.mailbox) given.mailbox = message.mailbox;
  await client.call(operation, given);
}

/** Makes a failure visible without ending the trigger: `emitError` would close it, double it or kill it. */
function fail(node: ITriggerFunctions, error: NodeOperationError) {
  const save = (node as { saveFailedExecution?: (error: NodeOperationError) => void }).saveFailedExecution;
  if (save) save.call(node, error); else node.logger.error(error.message);
}
