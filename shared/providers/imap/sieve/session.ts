import { isMailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import { unlessAborted } from '../../../wait.js';
import { endpoint, settingsOf } from '../account/fields.js';
import { paced } from '../session/commandPace.js';
import { loginTurn, NO_LOGINS, type Logins } from '../session/loginTurn.js';
import { connectSieve, type Sieve } from './connection.js';
import { refusalOf } from './refusal.js';

/** A connection nobody used for this long is closed, in milliseconds. */
const IDLE_CLOSE = 5_000;

/**
 * What an account shares in this process: one connection, and those who want it in a row. So nobody here writes between
 * another's look and write.
 */
interface Hub extends Logins {
  line: Promise<unknown>;
  waiting: number;
  sieve?: Sieve;
  closing?: NodeJS.Timeout;
}
const hubs = new Map<string, Hub>();

/** Closes every connection at once, whatever is under way. */
export function closeSieve(): void {
  for (const hub of hubs.values()) {
    clearTimeout(hub.closing);
    hub.sieve?.close();
  }
  hubs.clear();
}

/**
 * Runs a task on the account's connection when its turn comes. A kept connection that turns out to be dead is replaced
 * once, unless the task has written by then. When `ctx.signal` aborts, the caller is let go and the connection is
 * closed.
 */
export async function withSieve<T>(ctx: Context, run: (sieve: Sieve) => Promise<T>): Promise<T> {
  const end = endpoint(ctx, 'sieve');
  const { key } = settingsOf(ctx);
  const account = JSON.stringify([key, end.host, end.port, end.security]);
  let hub = hubs.get(account);
  if (!hub) hubs.set(account, (hub = { line: Promise.resolve(), waiting: 0, ...NO_LOGINS }));
  const own = hub;
  return unlessAborted(
    inTurn(account, own, ctx.signal, async () => {
      for (let tried = 1; ; tried++) {
        await paced(ctx);
        ctx.signal?.throwIfAborted();
        const kept = own.sieve?.usable === true;
        const sieve = own.sieve?.usable ? own.sieve : (own.sieve = await login(own, ctx, account));
        const { writes } = sieve;
        const stop = () => sieve.close();
        ctx.signal?.addEventListener('abort', stop, { once: true });
        try {
          return await run(sieve);
        } catch (error) {
          ctx.signal?.throwIfAborted();
          if (kept && tried === 1 && !sieve.usable && sieve.writes === writes) continue;
          throw refusalOf(error, end);
        } finally {
          ctx.signal?.removeEventListener('abort', stop);
          if (!sieve.usable && !ctx.signal?.aborted) own.failed = true;
        }
      }
    }),
    ctx.signal,
  );
}

async function inTurn<T>(key: string, hub: Hub, signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
  const before = hub.line;
  let free!: () => void;
  hub.line = new Promise<void>(resolve => {
    free = resolve;
  });
  hub.waiting++;
  clearTimeout(hub.closing);
  try {
    await unlessAborted(before, signal);
    return await task();
  } finally {
    void before.then(free);
    if (--hub.waiting === 0) rest(key, hub);
  }
}

/**
 * Closes the connection after a while; the account is remembered until its next login need not wait for those before.
 */
function rest(key: string, hub: Hub): void {
  hub.closing = setTimeout(() => {
    if (hub.waiting) return;
    if (hub.sieve?.usable) hub.sieve.leave();
    hub.sieve = undefined;
    if (performance.now() > hub.nextLogin) hubs.delete(key);
    else rest(key, hub);
  }, IDLE_CLOSE);
  hub.closing.unref();
}

/** A new connection, logged in. A refused OAuth 2 token is renewed once. */
async function login(hub: Hub, ctx: Context, account: string): Promise<Sieve> {
  const end = endpoint(ctx, 'sieve');
  for (let renewed = false; ; renewed = true) {
    await loginTurn(hub, renewed, ctx.signal);
    try {
      const sieve = await connectSieve(ctx, end, account, renewed);
      hub.failed = false;
      return sieve;
    } catch (error) {
      hub.failed = true;
      ctx.signal?.throwIfAborted();
      if (!end.oauth2 || renewed || !isMailError(error) || error.code !== 'unauthorized') throw error;
    }
  }
}
