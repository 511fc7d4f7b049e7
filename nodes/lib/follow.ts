import { createHash } from 'node:crypto';
import { isMailError, type Batch, type FeedItem, type MailError } from '../../shared/index.js';

/** What a trigger remembers between executions, restarts and crashes. JSON, a few kilobytes. */
export interface TriggerState {
  /** What is being watched; another scope means that the cursor belongs to something else. */
  scope?: string;
  /** The date to begin at, or when this scope was first watched (ISO 8601): for as long as there is no cursor. */
  startedAt?: string;
  cursor?: string;
  /** Items after the cursor whose executions have ended. */
  done?: string[];
  /** The batch under way, so that after a crash the very same one is offered again, and its name, which stays even if some of it is gone by then. */
  batch?: string[];
  batchName?: string;
  /** Messages whose executions have succeeded and which are still to be marked or moved, with the plain values that name them. */
  owed?: FeedItem[];
  /** How things stood when this was last stored: for people, also in another process or after the end of this one. */
  seen?: Stored;
}

/** How an execution ended. `known` means that the host had it already and dropped it. */
export type Ended = 'success' | 'error' | 'known';

/** What the supervisor needs from its host; times are milliseconds. */
export interface FollowOptions {
  /** Opens the account and the feed afresh for one connection; called again after every failure, so that mended credentials are seen. */
  open(signal: AbortSignal): Promise<Source>;
  state: TriggerState;
  /**
   * Makes of an item what its execution begins with; files are read here. What it gives goes to `execute`. Rejects with a `MailError` where the
   * vendor does not give them.
   */
  prepare?(item: FeedItem): Promise<unknown>;
  /** Starts an execution and resolves when it has ended; a name used before is dropped by the host. Rejects when it could not be started. */
  execute(items: FeedItem[], key: string, prepared: unknown[]): Promise<Ended>;
  /** After success only: marks or moves at the vendor. Tried again when the vendor was away, else its failure is reported. */
  acknowledge?(source: Source, item: FeedItem): Promise<void>;
  /** One unreadable item: made visible as a failed execution. */
  poisoned(item: FeedItem): void;
  outage(event: { kind: 'long' | 'credentials'; error: unknown; since: Date } | { kind: 'over'; since: Date }): void;
  log(message: string, details?: Record<string, unknown>): void;
  /** What the feed says of itself, such as that a folder cannot be read: made visible, each sentence once, at most every ten minutes. */
  notes?(sentences: readonly string[]): void;
  /** Something a person should see once, but no failure. */
  warn?(message: string): void;
  /** One execution per item, or one per batch of at most this many. */
  batchSize?: number;
  /** Executions under way at once; items start in order. */
  concurrent: number;
  /** How often to ask where nothing is pushed, and the safety net where it is. */
  intervalMs: number;
  /** Names of executions begin with this, so that no two triggers share one. */
  keyPrefix: string;
  now?: () => number;
  /** For tests of the back-off: 1 in life. */
  haste?: number;
}
export interface Source {
  since(cursor?: string): Promise<Batch>;
  from(at: string): Promise<string | undefined>;
  /** Resolves at once where nothing is pushed; else calls `changed` as soon as it listens and rejects when the connection is lost. */
  watch(changed: (pushed?: boolean) => void): Promise<void>;
}
/**
 * A running trigger. `close` returns within five seconds, whatever the server does. Until then it waits for executions that are to be followed
 * by a mark, unless another follower of this process takes their place and learns how they end.
 */
export interface Follower { close(how?: { replaced?: boolean }): Promise<void>; readonly seen: Status }
/** For people: what the trigger is doing. Times are ISO 8601; `lastSeen` is the last look that succeeded, `pushed` says that news is told at once. */
export interface Status {
  connectedSince?: string; lastSeen?: string; lastError?: string; lastErrorAt?: string; pushed?: boolean; executed: number; attempts: number;
  /** The latest sentences of the feed. */
  notes?: string[];
}
export type Stored = Pick<Status, 'lastSeen' | 'lastError' | 'lastErrorAt' | 'notes'>;

const LONG_OUTAGE = 5 * 60_000, STABLE = 60_000, CLOSING = 4_000, CREDENTIALS_WAIT = 5 * 60_000;
/** A vendor that asks for more is asked again all the same: it may have meant something else, and a timer for months would fire at once. */
const LONGEST_HINT = 60 * 60_000;
/** How often an item may fail to be read before it is set aside: where the vendor refuses it, and where the connection broke, which may be anybody's fault. */
const REFUSALS = 3, BREAKS = 8;
/** How many acknowledgements and names are remembered. */
const MOST = 500;
/** How many of the feed's sentences are shown, and how far apart they are told. */
const NOTES = 5, NOTES_APART = 10 * 60_000;

/**
 * Follows a feed for ever: one loop, which reconnects with growing waits and never gives up. The cursor moves past an item only when its
 * execution has ended, and every execution carries a name made of the item's own, so that what is offered again after a crash is dropped
 * where it was done already.
 */
export function follow(options: FollowOptions): Follower {
  const { state, now = Date.now, haste = 1 } = options;
  const stop = new AbortController();
  // The last error is known beyond a restart, because that is when somebody asks for it.
  const status: Status = { ...(state.seen?.lastError ? { lastError: state.seen.lastError, lastErrorAt: state.seen.lastErrorAt } : {}), executed: 0,
    attempts: 0 };
  // Back-off starts over after progress or a minute of quiet connection, never because of a good login: a server that accepts and drops
  // would otherwise be asked many times a second.
  let failures = 0, down: { since: number; told: boolean } | undefined, refused = 0, refusalTold = false;
  const progress = () => { failures = 0; };
  const strikes = new Map<string, number>();
  const executing = new Set<Promise<unknown>>(), acknowledging = new Set<Promise<unknown>>();
  const warned = new Set<string>(), untold: string[] = [];
  let toldAt = -Infinity;

  const loop = (async () => {
    while (!stop.signal.aborted) {
      const connection = new AbortController();
      const signal = AbortSignal.any([stop.signal, connection.signal]);
      const opened = now();
      try {
        status.attempts++;
        await connected(await raced(options.open(signal), stop.signal), signal, () => {
          if (status.connectedSince === undefined) status.connectedSince = new Date(now()).toISOString();
          refused = 0; refusalTold = false;
          if (down?.told) options.outage({ kind: 'over', since: new Date(down.since) });
          down = undefined;
        });
      } catch (error) {
        if (stop.signal.aborted) break;
        if (now() - opened > STABLE && status.connectedSince) failures = 0;
        delete status.connectedSince;
        status.lastError = error instanceof Error ? error.message : String(error);
        status.lastErrorAt = new Date(now()).toISOString();
        await rest(error);
      } finally {
        // The old connection is gone before a new one is opened.
        connection.abort();
      }
    }
  })();

  /** Waits after a failure, and says what a person should know. */
  async function rest(error: unknown) {
    down ??= { since: now(), told: false };
    const code = isMailError(error) ? error.code : undefined;
    // One refusal may be a server's bad moment; two in a row are the credentials.
    const denied = code === 'unauthorized' || code === 'forbidden' || code === 'invalid_input' || code === 'unsupported';
    refused = denied ? refused + 1 : 0;
    if (refused >= 2 && !refusalTold) { refusalTold = true; down.told = true; options.outage({ kind: 'credentials', error, since: new Date(down.since) }); }
    // What does not exist will not come by waiting for it.
    if (!down.told && (now() - down.since >= LONG_OUTAGE
      || (code === 'not_found' && failures > 0))) { down.told = true; options.outage({ kind: 'long', error, since: new Date(down.since) }); }
    const hinted = isMailError(error) ? Math.min(((error as MailError).details.retryAfter ?? 0) * 1000, LONGEST_HINT) : 0;
    const ceiling = now() - down.since < 10 * 60_000 ? 10_000 : 60_000;
    const grown = failures === 0 ? 0 : Math.min(ceiling, 1000 * 1.7 ** (failures - 1));
    failures++;
    const wait = refused >= 2 ? CREDENTIALS_WAIT : Math.max(hinted, grown * (0.75 + Math.random() / 2));
    options.log(`Connection lost: ${status.lastError} Next try in ${Math.round(wait / 100) / 10} s.`);
    await sleep(wait * haste, stop.signal);
  }

  /** One connection: catches up, then waits for news, until something breaks. */
  async function connected(source: Source, signal: AbortSignal, good: () => void) {
    state.cursor ??= await raced(begin(source), stop.signal);
    let news = true, wake = () => {};
    const changed = (pushed?: boolean) => { if (pushed !== undefined) status.pushed = pushed; news = true; wake(); };
    let broken: unknown, watching = false;
    while (!signal.aborted) {
      while (news) {
        news = false;
        const batch = await raced(source.since(state.cursor), stop.signal);
        good();
        status.lastSeen = new Date(now()).toISOString();
        tell(batch.notes ?? []);
        await settle(source);
        if (batch.items.length) progress();
        await deliver(source, batch, signal);
        if (batch.more) news = true;
      }
      // Only now, so that a vendor that refuses the account is asked once and not twice at a time. What came meanwhile is told at the start.
      if (!watching) {
        watching = true;
        source.watch(changed).catch((error: unknown) => { broken = error ?? new Error('The connection was lost.'); wake(); });
      }
      if (broken) throw broken;
      await new Promise<void>(resolve => {
        const timer = setTimeout(() => { news = true; done(); }, options.intervalMs);
        const done = () => { clearTimeout(timer); signal.removeEventListener('abort', done); wake = () => {}; resolve(); };
        wake = done;
        signal.addEventListener('abort', done, { once: true });
        if (news || broken || signal.aborted) done();
      });
      if (broken && !news) throw broken;
    }
  }

  /** Each sentence of the feed once; together where they come thick and fast, since each telling is a failed execution. */
  function tell(notes: readonly string[]) {
    for (const note of notes) {
      if (warned.has(note)) continue;
      if (warned.size >= MOST) warned.clear();
      warned.add(note);
      if (untold.length < MOST) untold.push(note);
      status.notes = [...status.notes ?? [], note].slice(-NOTES);
    }
    if (!untold.length || now() - toldAt < NOTES_APART) return;
    toldAt = now();
    const more = untold.length - NOTES;
    options.notes?.(more > 0 ? [...untold.slice(0, NOTES), `There are ${more} more like these.`] : [...untold]);
    untold.length = 0;
  }

  /** Where a trigger without a cursor begins: the date wanted, the moment it was switched on, or now where the feed knows no times. */
  async function begin(source: Source): Promise<string> {
    const dated = state.startedAt === undefined ? undefined : await source.from(state.startedAt);
    return dated ?? (await source.since()).cursor;
  }

  /** Hands over a window and moves the cursor when all of it has ended. Throws, without moving it, when an execution could not be started. */
  async function deliver(source: Source, window: Batch, signal: AbortSignal) {
    const done = new Set(state.done ?? []), names = new Set(window.items.map(item => short(item.id)));
    let waiting = window.items.filter(item => !done.has(short(item.id)));
    const ended = (item: FeedItem) => { done.add(short(item.id)); state.done = [...done]; };
    for (const item of waiting.filter(one => one.problem)) { options.poisoned(item); ended(item); }
    waiting = waiting.filter(one => !one.problem);
    if (options.batchSize) await batches(source, waiting, done, ended, signal);
    else await singles(source, waiting, ended, signal);
    signal.throwIfAborted();
    state.cursor = window.cursor;
    // Names of a batch that is known as done, but of which some come in a later window.
    const later = [...done].filter(name => !names.has(name)).slice(-MOST);
    if (later.length) state.done = later; else delete state.done;
    delete state.batch;
    delete state.batchName;
  }

  /** What an execution begins with; undefined when the item was set aside because it cannot be read. Throws when it should be tried again. */
  async function prepared(item: FeedItem): Promise<{ value: unknown } | undefined> {
    const made = await (async () => ({ value: await options.prepare?.(item) }))().catch((error: unknown) => ({ error }));
    if (!('error' in made)) return made;
    const { error } = made;
    if (!isMailError(error) || error.code === 'unauthorized' || error.code === 'forbidden') throw error;
    const times = (strikes.get(item.id) ?? 0) + 1;
    strikes.set(item.id, times);
    if (times < (error.code === 'unavailable' || error.code === 'rate_limited' ? BREAKS : REFUSALS)) throw error;
    strikes.delete(item.id);
    options.poisoned({ ...item, problem: error.message });
    return undefined;
  }

  async function singles(source: Source, items: FeedItem[], ended: (item: FeedItem) => void, signal: AbortSignal) {
    let next = 0;
    const errors: unknown[] = [];
    const worker = async () => {
      while (next < items.length && !errors.length && !signal.aborted) {
        const item = items[next++]!;
        try {
          const ready = await prepared(item);
          if (ready) await run(source, [item], item.id, [ready.value]);
          ended(item);
        } catch (error) { errors.push(error); }
      }
    };
    await raced(Promise.all(Array.from({ length: Math.min(options.concurrent, items.length) }, worker)), stop.signal);
    if (errors.length) throw errors[0];
  }

  async function batches(source: Source, items: FeedItem[], done: Set<string>, ended: (item: FeedItem) => void, signal: AbortSignal) {
    let rest = items;
    while (rest.length && !signal.aborted) {
      // A batch that was under way when the process died is offered again as it was, and under its own name although some of it may be gone.
      const under = state.batch ? rest.filter(item => state.batch!.includes(short(item.id))) : [];
      if (!under.length) { delete state.batch; delete state.batchName; }
      const whole = under.length ? under : rest.slice(0, options.batchSize);
      const ready = (await raced(Promise.all(whole.map(async item => ({ item, ready: await prepared(item) }))), stop.signal)).filter(one => one.ready);
      const batch = ready.map(one => one.item), before = state.batch ?? [];
      if (batch.length) {
        state.batchName ??= batch.map(item => item.id).join('\n');
        state.batch = batch.map(item => short(item.id));
        const how = await raced(run(source, batch, state.batchName, ready.map(one => one.ready!.value)), stop.signal);
        signal.throwIfAborted();
        if (how === 'known') for (const name of before) done.add(name);
      }
      for (const item of whole) ended(item);
      delete state.batch;
      delete state.batchName;
      rest = rest.filter(item => !whole.includes(item) && !done.has(short(item.id)));
    }
  }

  /** Hosts store the state when an execution begins, so this costs no storing of its own. */
  function noteStatus() {
    const { lastSeen, lastError, lastErrorAt, notes } = status;
    state.seen = { ...(lastSeen ? { lastSeen } : {}), ...(lastError ? { lastError: lastError.slice(0, MOST), lastErrorAt } : {}),
      ...(notes ? { notes: notes.map(note => note.slice(0, MOST)) } : {}) };
  }

  async function run(source: Source, items: FeedItem[], name: string, ready: unknown[]): Promise<Ended> {
    noteStatus();
    const key = createHash('sha256').update(`${options.keyPrefix}\n${name}`).digest('base64url');
    const how = await listed(executing, options.execute(items, key, ready));
    for (const item of items) strikes.delete(item.id);
    progress();
    status.executed += how === 'known' ? 0 : 1;
    if (how !== 'success' || !options.acknowledge) return how;
    // The connection of a trigger that was closed meanwhile is gone, so its next start does it.
    for (const item of items) if (stop.signal.aborted || !await acknowledge(source, item)) owe(item);
    return how;
  }

  /** Has `close` know of it until it has ended. */
  function listed<T>(list: Set<Promise<unknown>>, promise: Promise<T>): Promise<T> {
    list.add(promise);
    return promise.finally(() => list.delete(promise));
  }

  /** False where it has to be tried again, because the vendor was away, or this trigger was closed in the middle of it. */
  async function acknowledge(source: Source, item: FeedItem): Promise<boolean> {
    try { await listed(acknowledging, options.acknowledge!(source, item)); } catch (error) {
      const away = stop.signal.aborted || (isMailError(error) && (error.code === 'unavailable' || error.code === 'rate_limited'));
      const what = `The execution succeeded, but marking, moving or deleting the message ${item.id} `
        + `${away ? 'has to wait' : 'failed'}: ${error instanceof Error ? error.message : String(error)}`;
      if (away) options.log(what); else options.warn?.(what);
      return !away;
    }
    return true;
  }

  /** Keeps it with the state, so that the next start knows of it. The oldest of too many are given up, and that is told. */
  function owe({ id, item }: FeedItem) {
    const owed = [...state.owed ?? [], { id, item: bare(item) }];
    for (const lost of owed.splice(0, owed.length - MOST)) {
      options.warn?.(`More than ${MOST} messages wait to be marked, moved or deleted, so this is given up for the message ${lost.id}, whose execution succeeded.`);
    }
    state.owed = owed;
  }

  /** What could not be acknowledged before. */
  async function settle(source: Source) {
    for (const item of options.acknowledge ? state.owed ?? [] : []) {
      if (!await raced(acknowledge(source, item), stop.signal)) continue;
      state.owed = state.owed!.filter(({ id }) => id !== item.id);
      if (!state.owed.length) delete state.owed;
    }
  }

  return {
    seen: status,
    async close({ replaced = false } = {}) {
      stop.abort();
      const over = new AbortController();
      // What becomes of the marks under way is to stand in the state before it is stored, and so is the success of an execution that owes one.
      const ended = (async () => {
        await loop;
        const underWay = [...acknowledging, ...options.acknowledge && !replaced ? executing : []];
        if (!underWay.length) return;
        await Promise.allSettled(underWay);
        await new Promise(resolve => { setImmediate(resolve); });
      })();
      await Promise.race([ended.finally(() => over.abort()), sleep(CLOSING, over.signal)]);
    },
  };
}

/** The plain short values of an item, which name it and its place; its content is not kept. */
const bare = (item: unknown) => Object.fromEntries(Object.entries(item as object)
  .filter(([, value]) => typeof value !== 'object' && String(value).length <= 1000));
const short = (id: string) => createHash('sha1').update(id).digest('base64url').slice(0, 10);

/** Resolves after a time, or at once when the signal aborts. */
const sleep = (ms: number, signal?: AbortSignal) => new Promise<void>(resolve => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  if (signal?.aborted) { clearTimeout(timer); resolve(); }
});

/** The promise, or a rejection when the signal aborts first: what is under way then goes on without us. */
const raced = <T>(promise: Promise<T>, signal: AbortSignal) => new Promise<T>((resolve, reject) => {
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  if (signal.aborted) stop();
});
