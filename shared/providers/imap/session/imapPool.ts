import { MailError, isMailError } from '../../../errors.js';
import { pause } from '../../../wait.js';
import type { Context } from '../../../provider.js';
import { endpoint, settingsOf, type Endpoint } from '../account/fields.js';
import type { ImapFlow } from '../libraries.js';
import { paced } from './commandPace.js';
import { LOGIN_EVERY, LOGINS_AT_ONCE, loginTurn, NO_LOGINS, type Logins } from './loginTurn.js';
import { WAYS } from './signIn.js';
import { watchCommands } from './silentCommands.js';
import { brokenOff } from './pipeline.js';
import { drainPipeline, lostInFlight, resumeReading } from '../wire/fetch.js';
import { imapError, isLost } from './imapError.js';
import { alive, closedAtLogin, connect, cutOff, leave, refusals } from './imapConnect.js';
import { steadyFolders, type Steady } from './steadyFolders.js';

/** A connection nobody used for this long is closed, in milliseconds. */
const IDLE_CLOSE = 5_000;
/** The same while somebody waits for news, which will be fetched: fewer logins. */
const WATCHED_CLOSE = 60_000;
/** A connection that was quiet for this long is probed before it is trusted again. */
const PROBE_AFTER = 10_000;
/** So long after a refused second connection the account makes do with one, in milliseconds. */
const SINGLE_FOR = 10 * 60_000;
/**
 * So long after a connection that ended in the middle of several commands they are sent one at a time, for servers and
 * middle boxes that stand no more.
 */
const PATIENT_FOR = 10 * 60_000;

/**
 * Whoever stops waiting for something that only reads is let go at once; what was asked for may end within this time,
 * in milliseconds, because a connection that is closed for it would cost a login.
 */
const GRACE = 2_000;

/**
 * Everything one account shares in this process. One connection works off all commands in turn; a second one at most
 * waits for news.
 */
export interface Hub extends Logins {
  key: string;
  line: Promise<unknown>;
  waiting: number;
  client?: ImapFlow;
  usedAt: number;
  closing?: NodeJS.Timeout;
  /** The server refused a second connection: until this time news is asked for on the first one. */
  singleUntil: number;
  /** See PATIENT_FOR. */
  patientUntil: number;
  /** Folders whose UIDVALIDITY and UIDs are known to stay. */
  steady: Map<string, Steady>;
  watchers: Set<Watcher>;
  loop?: Promise<void>;
  wake?: () => void;
  idle?: ImapFlow;
  /** The folder whose news the server tells by itself. */
  pushed?: string;
  /** The folders that the server refused to open for whoever waits for news. */
  refused?: ReadonlyMap<string, unknown>;
}
export interface Watcher {
  ctx: Context;
  folders: readonly string[];
  changed(pushed: boolean): void;
  fail(error: unknown): void;
  /** News is also what happens to messages that are there already. */
  changes?: boolean;
}

const hubs = new Map<string, Hub>();

export function hubOf(ctx: Context): Hub {
  const { key } = settingsOf(ctx);
  let hub = hubs.get(key);
  if (!hub)
    hubs.set(
      key,
      (hub = {
        key,
        line: Promise.resolve(),
        waiting: 0,
        usedAt: 0,
        ...NO_LOGINS,
        singleUntil: -Infinity,
        patientUntil: -Infinity,
        steady: new Map(),
        watchers: new Set(),
      }),
    );
  return hub;
}

export const isSingle = (hub: Hub): boolean => performance.now() < hub.singleUntil;
export const makeSingle = (hub: Hub) => {
  hub.singleUntil = performance.now() + SINGLE_FOR;
};

/** How many connections this process holds now; for tests and for a host that wants to know. */
export const openConnections = (): number =>
  [...hubs.values()].reduce((sum, hub) => sum + (hub.client?.usable ? 1 : 0) + (hub.idle?.usable ? 1 : 0), 0);

/** Closes every connection at once, whatever is under way; for a host that ends. */
export function closeConnections(): void {
  for (const hub of hubs.values()) {
    clearTimeout(hub.closing);
    hub.client?.close();
    hub.idle?.close();
    hub.wake?.();
  }
}

export interface Use {
  /** The task only reads: it may be begun again when a kept connection turns out to be dead. */
  reads?: boolean;
  /** Instead of the usual `limits.silence`, in milliseconds. */
  silence?: number;
  /**
   * The task knows what a task before it left under way on the connection, and waits for it where it must; for all
   * others that is over.
   */
  goesOn?: boolean;
}

/**
 * Runs a task on the account's connection when its turn comes. Tasks run one after the other, in the order they came,
 * so a long list is cut into windows and others get their turn in between. When `ctx.signal` aborts, the caller is let
 * go at once; the connection is destroyed, for tasks that only read once GRACE is over.
 */
export async function withImap<T>(ctx: Context, run: (client: ImapFlow) => Promise<T>, use: Use = {}): Promise<T> {
  const end = endpoint(ctx, 'imap');
  const hub = hubOf(ctx);
  return untilAborted(
    ctx.signal,
    inTurn(hub, ctx.signal, async () => {
      for (let tried = 1; ; tried++) {
        await paced(ctx);
        ctx.signal?.throwIfAborted();
        const kept = hub.client?.usable === true;
        const client = await ready(hub, ctx, end);
        const watch = watchCommands(client, end, use.silence);
        // That says nothing about what the server stands.
        const destroy = () => {
          client.close();
          lostInFlight.delete(client);
          brokenOff.delete(client);
        };
        let grace: NodeJS.Timeout | undefined;
        const stop = () => {
          if (use.reads) grace = setTimeout(destroy, GRACE);
          else destroy();
        };
        ctx.signal?.addEventListener('abort', stop, { once: true });
        try {
          refusals.delete(client);
          if (!use.goesOn) await drainPipeline(client);
          return await run(client);
        } catch (error) {
          ctx.signal?.throwIfAborted();
          const { givenUp } = watch;
          if (kept && tried === 1 && use.reads && isLost(client, error) && (!givenUp || watch.silent)) continue;
          if (givenUp) throw new MailError('unavailable', givenUp, { cause: error });
          throw imapError(error, end);
        } finally {
          watch.stop();
          clearTimeout(grace);
          ctx.signal?.removeEventListener('abort', stop);
          hub.usedAt = performance.now();
          if (!client.usable && !ctx.signal?.aborted) hub.failed = true;
        }
      }
    }),
  );
}

/** What the work comes to, unless the signal aborts before: the work goes on then, and nobody hears of it. */
function untilAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

async function inTurn<T>(hub: Hub, signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
  const before = hub.line;
  let free!: () => void;
  hub.line = new Promise<void>(resolve => {
    free = resolve;
  });
  hub.waiting++;
  clearTimeout(hub.closing);
  let stop: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      signal?.throwIfAborted();
      stop = () => reject(signal!.reason as Error);
      signal?.addEventListener('abort', stop, { once: true });
      void before.then(() => resolve());
    });
    return await task();
  } finally {
    if (stop) signal?.removeEventListener('abort', stop);
    void before.then(free);
    if (--hub.waiting === 0) closeWhenIdle(hub);
  }
}

/** Closes the connection after a while, and forgets the account once nothing of it is left. */
export function closeWhenIdle(hub: Hub) {
  clearTimeout(hub.closing);
  hub.closing = setTimeout(
    () => {
      if (hub.waiting) return;
      const { client } = hub;
      hub.client = undefined;
      if (client?.usable) void leave(client);
      if (hub.watchers.size) return;
      // While its logins must still be counted, the account is remembered.
      if (performance.now() > hub.nextLogin + (LOGINS_AT_ONCE - 1) * LOGIN_EVERY) hubs.delete(hub.key);
      else {
        closeWhenIdle(hub);
        hub.closing?.unref();
      }
    },
    hub.watchers.size ? WATCHED_CLOSE : IDLE_CLOSE,
  );
}

async function ready(hub: Hub, ctx: Context, end: Endpoint): Promise<ImapFlow> {
  const kept = hub.client;
  if (kept?.usable) {
    if (performance.now() - hub.usedAt >= PROBE_AFTER) resumeReading.get(kept)?.();
    if (performance.now() - hub.usedAt < PROBE_AFTER || (await alive(kept))) return kept;
    kept.close();
  }
  if (kept && (lostInFlight.has(kept) || brokenOff.has(kept))) hub.patientUntil = performance.now() + PATIENT_FOR;
  hub.client = undefined;
  try {
    return (hub.client = await login(hub, ctx, end));
  } catch (error) {
    // The waiting connection took the last place the server gives this account: work comes first, news is then asked
    // for in between.
    if (!isMailError(error) || error.code !== 'rate_limited' || !hub.idle) throw error;
    makeSingle(hub);
    hub.idle.close();
    await pause(200, ctx.signal);
    return (hub.client = await login(hub, ctx, end));
  }
}

/** A new connection, logged in. A refused OAuth 2 token is renewed once. */
export async function login(hub: Hub, ctx: Context, end: Endpoint): Promise<ImapFlow> {
  for (let renewed = false, second = false; ;) {
    await loginTurn(hub, renewed, ctx.signal);
    const pipelined = performance.now() > hub.patientUntil;
    try {
      const client = await connect(ctx, end, { renew: renewed, pipelined, ways: second ? 1 : WAYS });
      hub.failed = false;
      steadyFolders.set(client, hub.steady);
      return client;
    } catch (error) {
      hub.failed = true;
      ctx.signal?.throwIfAborted();
      if (pipelined && cutOff.has(error as object)) {
        hub.patientUntil = performance.now() + PATIENT_FOR;
        continue;
      }
      if (!second && closedAtLogin.has(error as object)) {
        second = true;
        continue;
      }
      if (!end.oauth2 || renewed || !isMailError(error) || error.code !== 'unauthorized') throw error;
      renewed = true;
    }
  }
}
