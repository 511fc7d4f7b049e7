import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Context } from '../../../provider.js';
import { unlessAborted } from '../../../wait.js';
import { endpoint, settingsOf, type Endpoint } from '../account/fields.js';
import { addressOf } from './imapConnect.js';
import { count, paced } from './commandPace.js';
import { connected } from './smtpConnection.js';
import { isTemporary, isTooMany, lost, smtpError } from './smtpError.js';
import { observed, talkFor } from './observe.js';
import { sessionOn, type DataProgress, type Delivery, type Session } from '../wire/smtpData.js';
import type { Envelope, ServerExtensions } from '../wire/smtpEnvelope.js';
import type { SmtpFailure } from '../wire/smtpStream.js';

/**
 * Connections per account and process. Who finds all of them busy waits with nothing in hand, so memory has a bound
 * too.
 */
const CONNECTIONS = 5;
/**
 * Messages over one connection: Scaleway ends a session after ten, Exim after a thousand unless told otherwise
 * (smtp_accept_max_per_connection).
 */
const PER_CONNECTION = 1000;
/** A connection nobody used for this long is closed, in milliseconds. */
const IDLE_CLOSE = 5_000;
/** How long a server may take to say goodbye, in milliseconds. */
const GOODBYE = 2_000;
/**
 * A connection that is logged in. It counts until its socket is closed, so that a new one never comes on top of those
 * the server still knows.
 */
interface Line {
  session: Session;
  sent: number;
  timer?: NodeJS.Timeout;
}
interface Waiting {
  go(line?: Line): void;
  fail(error: unknown): void;
}
interface Pool {
  key: string;
  ctx: Context;
  end: Endpoint;
  limit: number;
  most: number;
  closed?: true;
  lines: Set<Line>;
  idle: Line[];
  opening: number;
  waiting: Waiting[];
  can?: ServerExtensions;
  /** Whether the next message may follow before the one before it was answered. */
  follows: boolean;
}
const pools = new Map<string, Pool>();
/**
 * Connections at once, for accounts whose server refused as many as we wanted; it is believed for a while, and then
 * asked again.
 */
const granted = new Map<string, { limit: number; until: number }>();
const BELIEVED_FOR = 10 * 60_000;

function poolOf(ctx: Context): Pool {
  const { key } = settingsOf(ctx);
  const end = endpoint(ctx, 'smtp');
  let pool = pools.get(key);
  if (!pool)
    pools.set(
      key,
      (pool = {
        key,
        ctx,
        end,
        limit: CONNECTIONS,
        most: /\.scw\.eu$/.test(end.host) ? 10 : PER_CONNECTION,
        lines: new Set(),
        idle: [],
        opening: 0,
        waiting: [],
        follows: true,
      }),
    );
  // The newest context gives the token, because the one that made the pool may have ended long ago.
  pool.ctx = ctx;
  const told = granted.get(key);
  if (told && told.until < performance.now()) granted.delete(key);
  const { concurrent = CONNECTIONS } = ctx.account as { concurrent?: number };
  pool.limit = Math.min(CONNECTIONS, concurrent, granted.get(key)?.limit ?? Infinity);
  return pool;
}

/** How many more may be opened. The first opens alone: a wrong password is then refused once, and not five times. */
const room = (pool: Pool) => (pool.lines.size ? pool.limit : 1) - pool.lines.size - pool.opening;

/** A line of one's own until it is given back: one that is free, else a new one, else the next that comes free. */
async function take(pool: Pool, signal: AbortSignal | undefined): Promise<Line> {
  for (let waited = false; ; waited = true) {
    if (waited && (signal?.aborted || pool.closed)) wake(pool);
    signal?.throwIfAborted();
    if (pool.closed) throw lost();
    if (waited || !pool.waiting.length) {
      const free = pool.idle.pop();
      if (free) {
        clearTimeout(free.timer);
        return free;
      }
      if (room(pool) > 0) {
        const line = await open(pool, signal);
        if (line) return line;
        continue;
      }
    }
    const line = await turn(pool, signal, waited);
    if (line) return line;
  }
}

/** Waits for a line, or for the chance to open one; who waited in vain is the next. */
const turn = (pool: Pool, signal: AbortSignal | undefined, next: boolean) =>
  new Promise<Line | undefined>((resolve, reject) => {
    const leave = () => signal?.removeEventListener('abort', stop);
    const one: Waiting = {
      go(line) {
        leave();
        resolve(line);
      },
      fail(error) {
        leave();
        reject(error as Error);
      },
    };
    const stop = () => {
      pool.waiting = pool.waiting.filter(other => other !== one);
      reject(signal!.reason as Error);
    };
    signal?.addEventListener('abort', stop, { once: true });
    if (next) pool.waiting.unshift(one);
    else pool.waiting.push(one);
  });

/** Lets those look again who may have a place now, and forgets a pool nobody uses. */
function wake(pool: Pool): void {
  for (let free = pool.closed ? Infinity : room(pool); free > 0 && pool.waiting.length; free--)
    pool.waiting.shift()!.go();
  if (!pool.lines.size && !pool.opening && !pool.waiting.length && pools.get(pool.key) === pool) pools.delete(pool.key);
}

/** A new line; undefined where the server takes no more of them and there are others to wait for. */
async function open(pool: Pool, signal: AbortSignal | undefined): Promise<Line | undefined> {
  pool.opening++;
  try {
    const { ctx, end } = pool;
    const talk = talkFor(ctx, end);
    const login = connected({ ctx, end, account: pool.key, ...(talk ? { talk } : {}) }, signal);
    const { connection, can } = await observed(ctx, end, 'AUTH', '', login, { wire: talk });
    pool.can = can;
    if (connection.destroyed || pool.closed) {
      connection.close();
      throw lost();
    }
    const line: Line = { session: sessionOn(connection, can), sent: 0 };
    pool.lines.add(line);
    connection.once('end', () => dismiss(pool, line));
    (connection._socket as Socket).once('close', () => {
      pool.lines.delete(line);
      wake(pool);
    });
    return line;
  } catch (error) {
    if (isTooMany(error)) {
      const others = pool.lines.size + pool.opening - 1;
      pool.limit = Math.max(1, others);
      granted.set(pool.key, { limit: pool.limit, until: performance.now() + BELIEVED_FOR });
      if (others) return undefined;
    }
    // Nobody tries the same password again because he stood in line for it.
    if (!isTemporary(error) && !signal?.aborted) for (const one of pool.waiting.splice(0)) one.fail(error);
    throw error;
  } finally {
    pool.opening--;
    wake(pool);
  }
}

/** Back into the pool: to the next who waits, or to rest. */
function give(pool: Pool, line: Line): void {
  if (line.session.ended) return;
  if (line.sent >= pool.most) return line.session.quit(GOODBYE);
  const next = pool.waiting.shift();
  if (next) return next.go(line);
  pool.idle.push(line);
  rest(pool, line);
}

function rest(pool: Pool, line: Line): void {
  // A message whose successor was given up may still wait for its answer.
  line.timer = setTimeout(() => {
    if (line.session.waiting) rest(pool, line);
    else dismiss(pool, line);
  }, IDLE_CLOSE);
}

/** Nobody gets this line any more. */
function dismiss(pool: Pool, line: Line): void {
  clearTimeout(line.timer);
  pool.idle = pool.idle.filter(one => one !== line);
  line.session.quit(GOODBYE);
}

/**
 * Sends once. `load` is asked for the message when a connection is there for it. `wire` tells afterwards how far it
 * came, also when this throws an `SmtpFailure`. Only where a kept connection turns out to have ended, before a byte of
 * the message went out, is a new one used at once.
 */
export async function deliver(
  ctx: Context,
  envelope: () => Envelope,
  load: () => Promise<Buffer | Readable>,
  wire: DataProgress,
): Promise<Delivery> {
  const pool = poolOf(ctx);
  for (let again = false; ; again = true) {
    await paced(ctx);
    const line = await take(pool, ctx.signal);
    const { session } = line;
    const used = line.sent > 0;
    let message: Buffer | Readable;
    try {
      message = await unlessAborted(load(), ctx.signal);
    } catch (error) {
      give(pool, line);
      throw error;
    }
    // The answer to the message before is still out.
    const behind = session.waiting;
    line.sent++;
    count(ctx);
    let passed = false;
    const out = () =>
      (passed =
        pool.follows &&
        pool.can!.pipelining &&
        line.sent < pool.most &&
        pool.waiting.length > 0 &&
        (pool.waiting.shift()!.go(line), true));
    const talk = talkFor(ctx, pool.end);
    try {
      const taken = await observed(
        ctx,
        pool.end,
        'DATA',
        '',
        session.send(envelope(), message, wire, { signal: ctx.signal, onSent: out, talk }),
        { statusOf: ({ response }) => Number(response.slice(0, 3)), wire: talk },
      );
      if (!passed) give(pool, line);
      return taken;
    } catch (error) {
      const failed = error as SmtpFailure;
      if (!passed) settle(pool, line, failed, wire, ctx.signal);
      if (again || wire.begun || ctx.signal?.aborted) throw error;
      // A server that offers to take commands in groups and then does not is served one message after the other.
      const confused =
        behind &&
        (failed.code === 'ETIMEDOUT' ||
          (failed.command === 'MAIL FROM' &&
            (failed.responseCode === 503 || /pipelin|synchroni/i.test(failed.response ?? ''))));
      if (confused) pool.follows = false;
      else if (!used || !hasEnded(failed)) throw error;
      // Those that rested beside it are as old.
      for (const old of pool.idle) if (!old.session.waiting) dismiss(pool, old);
    }
  }
}

/** After a refusal the connection can be used again; where the outcome is open it can not. */
function settle(
  pool: Pool,
  line: Line,
  { code, responseCode = 0, command }: SmtpFailure,
  wire: DataProgress,
  signal: AbortSignal | undefined,
): void {
  // A sender put off on a connection that sent already may have had as many messages as this server takes over one.
  const worn = command === 'MAIL FROM' && responseCode < 500 && line.sent > 1;
  if ((code === 'EENVELOPE' || code === 'EMESSAGE') && !worn) give(pool, line);
  else if (worn || wire.handed) line.session.quit(GOODBYE);
  // Where the caller gave up the session ends by itself, as soon as that harms nobody else's message.
  else if (!signal?.aborted) line.session.close();
}

const hasEnded = ({ code, responseCode }: SmtpFailure) =>
  responseCode === 421 || (responseCode === undefined && ['ECONNECTION', 'ESOCKET', 'ETIMEDOUT'].includes(code ?? ''));

/** Logs in at the SMTP side and sends nothing. */
export async function checkSmtp(ctx: Context): Promise<void> {
  const pool = poolOf(ctx);
  try {
    give(pool, await take(pool, ctx.signal));
  } catch (error) {
    ctx.signal?.throwIfAborted();
    throw await smtpError(error, pool.end, await addressOf(ctx, pool.end));
  }
}

/** What the server can do. */
export async function abilitiesOf(ctx: Context): Promise<ServerExtensions> {
  const pool = poolOf(ctx);
  if (!pool.can) await checkSmtp(ctx);
  return pool.can!;
}

/** Closes every connection that is logged in at once, whatever is under way. */
export function closePools(): void {
  for (const pool of pools.values()) {
    pool.closed = true;
    for (const line of pool.lines) line.session.close();
    wake(pool);
  }
  pools.clear();
}
