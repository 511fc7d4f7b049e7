import { createHash } from 'node:crypto';
import { isMailError, type Batch, type FeedItem, type MailError } from '../../shared/index.js';

/** What a trigger remembers between executions, restarts and crashes. JSON, a few kilobytes. */
export interface TriggerState {
  /** What is being watched; another scope means that the cursor belongs to something else. */
  scope?: string;
  /** When this scope was first watched (ISO 8601): where to begin if nothing else was ever stored. */
  startedAt?: string;
  cursor?: string;
  /** Items after the cursor whose executions have ended. */
  done?: string[];
  /** The batch under way, so that after a crash the very same one is offered again under the same name. */
  batch?: string[];
}

/** How an execution ended. `known` means that the host had it already and dropped it. */
export type Ended = 'success' | 'error' | 'known';

/** What the supervisor needs from its host; times are milliseconds. */
export interface FollowOptions {
  /** Opens the account and the feed afresh for one connection; called again after every failure, so that mended credentials are seen. */
  open(signal: AbortSignal): Promise<Source>;
  state: TriggerState;
  /** Starts an execution and resolves when it has ended; a name used before is dropped by the host. Rejects when it could not be started. */
  execute(items: FeedItem[], key: string): Promise<Ended>;
  /** After success only: marks or moves at the vendor. Its failure is reported, never repeated. */
  acknowledge?(source: Source, item: FeedItem): Promise<void>;
  /** One unreadable item: made visible as a failed execution. */
  poisoned(item: FeedItem): void;
  outage(event: { kind: 'long' | 'credentials'; error: unknown; since: Date } | { kind: 'over'; since: Date }): void;
  log(message: string, details?: Record<string, unknown>): void;
  /** What the feed has to say besides its items, such as a folder that was created anew. */
  note?(message: string): void;
  /** One execution per item, or one per batch of at most this many. */
  batchSize?: number;
  /** Executions under way at once; items start in order. */
  concurrent: number;
  /** How often to ask where nothing is pushed, and the safety net where it is. */
  intervalMs: number;
  /** Names of executions begin with this, so that no two triggers share one. */
  keyPrefix: string;
  /** From now on (a date: from then on). */
  startFrom?: string;
  now?: () => number;
  /** For tests of the back-off: 1 in life. */
  haste?: number;
}
export interface Source {
  since(cursor?: string): Promise<Batch>;
  from(at: string): Promise<string | undefined>;
  /** Resolves at once where nothing is pushed; rejects when the connection is lost. */
  watch(changed: () => void): Promise<void>;
}
/** A running trigger. `close` returns within five seconds, whatever the server does. */
export interface Follower { close(): Promise<void>; readonly seen: Status }
/** For people: what the trigger is doing. */
export interface Status { connectedSince?: string; lastSeen?: string; lastError?: string; lastErrorAt?: string; executed: number; attempts: number }

const LONG_OUTAGE = 5 * 60_000, STABLE = 60_000, CLOSING = 4_000, CREDENTIALS_WAIT = 5 * 60_000;

/**
 * Follows a feed for ever: one loop, which reconnects with growing waits and never gives up. The cursor moves past an item only when its
 * execution has ended, and every execution carries a name made of the item's own, so that what is offered again after a crash is dropped
 * where it was done already.
 */
export function follow(options: FollowOptions): Follower {
  const { state, now = Date.now, haste = 1 } = options;
  const stop = new AbortController();
  const status: Status = { executed: 0, attempts: 0 };
  // Back-off starts over after progress or a minute of quiet connection, never because of a good login: a server that accepts and drops
  // would otherwise be asked many times a second.
  let failures = 0, down: { since: number; told: boolean } | undefined, refused = 0, refusalTold = false;
  const progress = () => { failures = 0; };

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
    if (!down.told && now() - down.since >= LONG_OUTAGE) { down.told = true; options.outage({ kind: 'long', error, since: new Date(down.since) }); }
    const hinted = isMailError(error) ? ((error as MailError).details.retryAfter ?? 0) * 1000 : 0;
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
    const changed = () => { news = true; wake(); };
    let broken: unknown;
    source.watch(changed).catch((error: unknown) => { broken = error ?? new Error('The connection was lost.'); wake(); });
    while (!signal.aborted) {
      while (news) {
        news = false;
        const batch = await raced(source.since(state.cursor), stop.signal);
        good();
        for (const note of batch.notes ?? []) options.note?.(note);
        status.lastSeen = new Date(now()).toISOString();
        if (batch.items.length) progress();
        await deliver(source, batch, signal);
        if (batch.more) news = true;
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

  /** Where a trigger without a cursor begins: the date wanted, the moment it was switched on, or now where the feed knows no times. */
  async function begin(source: Source): Promise<string> {
    const from = options.startFrom ?? state.startedAt;
    const dated = from === undefined ? undefined : await source.from(from);
    return dated ?? (await source.since()).cursor;
  }

  /** Hands over a window and moves the cursor when all of it has ended. Throws, without moving it, when an execution could not be started. */
  async function deliver(source: Source, window: Batch, signal: AbortSignal) {
    const done = new Set(state.done ?? []);
    let waiting = window.items.filter(item => !done.has(short(item.id)));
    const ended = (item: FeedItem) => { done.add(short(item.id)); state.done = [...done]; };
    for (const item of waiting.filter(one => one.problem)) { options.poisoned(item); ended(item); }
    waiting = waiting.filter(one => !one.problem);
    if (options.batchSize) await batches(source, waiting, ended, signal);
    else await singles(source, waiting, ended, signal);
    signal.throwIfAborted();
    state.cursor = window.cursor;
    delete state.done;
    delete state.batch;
  }

  async function singles(source: Source, items: FeedItem[], ended: (item: FeedItem) => void, signal: AbortSignal) {
    let next = 0;
    const errors: unknown[] = [];
    const worker = async () => {
      while (next < items.length && !errors.length && !signal.aborted) {
        const item = items[next++]!;
        try { await run(source, [item], item.id); ended(item); } catch (error) { errors.push(error); }
      }
    };
    await raced(Promise.all(Array.from({ length: Math.min(options.concurrent, items.length) }, worker)), stop.signal);
    if (errors.length) throw errors[0];
  }

  async function batches(source: Source, items: FeedItem[], ended: (item: FeedItem) => void, signal: AbortSignal) {
    let rest = items;
    while (rest.length && !signal.aborted) {
      // A batch that was under way when the process died is offered again exactly as it was: its name depends on its items.
      const under = state.batch ? rest.filter(item => state.batch!.includes(short(item.id))) : [];
      const batch = under.length ? under : rest.slice(0, options.batchSize);
      state.batch = batch.map(item => short(item.id));
      await raced(run(source, batch, batch.map(item => item.id).join('\n')), stop.signal);
      signal.throwIfAborted();
      for (const item of batch) ended(item);
      delete state.batch;
      rest = rest.filter(item => !batch.includes(item));
    }
  }

  async function run(source: Source, items: FeedItem[], name: string) {
    const how = await options.execute(items, createHash('sha256').update(`${options.keyPrefix}\n${name}`).digest('base64url'));
    progress();
    status.executed += how === 'known' ? 0 : 1;
    if (how !== 'success' || !options.acknowledge) return;
    for (const item of items) {
      try { await options.acknowledge(source, item); } catch (error) {
        options.log(`The execution succeeded, but marking the message failed: ${error instanceof Error ? error.message : String(error)}`, { item: item.id });
      }
    }
  }

  return {
    seen: status,
    async close() {
      stop.abort();
      await Promise.race([loop, sleep(CLOSING)]);
    },
  };
}

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
