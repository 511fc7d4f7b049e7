import { MailError, isMailError } from '../../../errors.js';
import { pause, unlessAborted } from '../../../wait.js';
import { redact, type Hide } from '../../../secrets.js';
import type { Context } from '../../../provider.js';
import { endpoint, settingsOf, type Endpoint } from '../account/fields.js';
import { certificateRefused, isCertificateError, tlsOptions } from '../account/certificate.js';
import { imapLibrary, type ImapFlow, type Logger, type MailboxObject } from '../libraries.js';
import { validityOf } from '../messages/id.js';
import { paced } from './commandPace.js';
import { LOGIN_EVERY, LOGINS_AT_ONCE, loginTurn, NO_LOGINS, type Logins } from './loginTurn.js';
import { loginAdvice } from './loginAdvice.js';
import { passing, type Passing } from './refusal.js';
import { isNotImap, noAnswer } from './noAnswer.js';
import { beginWithSecond, tryWays, WAYS } from './signIn.js';
import { isPlainAnswer, noStartTls, speaksPlain, speaksTls, watchSilence } from './tlsMix.js';
import { nameAsListed } from './namespaces.js';
import { observeCommands } from './observe.js';
import { perhapsDone, watchCommands } from './watchCommands.js';
import { allowFlights, brokenOff, isOpening, shortenLogin, spareListing, together } from './pipeline.js';
import { drainPipeline, fastFetch, lostInFlight, resumeReading } from '../wire/fetch.js';

/** A connection nobody used for this long is closed, in milliseconds. */
const IDLE_CLOSE = 5_000;
/** The same while somebody waits for news, which will be fetched: fewer logins. */
const WATCHED_CLOSE = 60_000;
/** A connection that was quiet for this long is probed before it is trusted again. */
const PROBE_AFTER = 10_000;
/** A probe must be answered within this time. */
const PROBE_DEADLINE = 10_000;
/** From the first packet to the end of the login. */
const CONNECT_DEADLINE = 30_000;
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

/** What a refused command left in the library's log: many of its calls only answer `false`. */
const refusals = new WeakMap<ImapFlow, unknown>();

/**
 * Everything one account shares in this process. One connection works off all commands in turn; a second one at most
 * waits for news.
 */
interface Hub extends Logins {
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
}
interface Watcher {
  ctx: Context;
  folders: readonly string[];
  changed(pushed: boolean): void;
  fail(error: unknown): void;
  /** News is also what happens to messages that are there already. */
  changes?: boolean;
}

const hubs = new Map<string, Hub>();

function hubOf(ctx: Context): Hub {
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

const isSingle = (hub: Hub): boolean => performance.now() < hub.singleUntil;
const makeSingle = (hub: Hub) => {
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

interface Use {
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

/**
 * The same with a folder opened; `write` for tasks that change it. `fresh` opens it again even if it is open, so that
 * everything new is seen.
 */
export async function withFolder<T>(
  ctx: Context,
  path: string,
  run: (client: ImapFlow, mailbox: MailboxObject) => Promise<T>,
  use: Use & { write?: boolean; fresh?: boolean } = {},
): Promise<T> {
  return withImap(ctx, async client => run(client, await opened(client, path, use)), use);
}

/** Opens a folder unless it is open in the way wanted. */
export async function opened(
  client: ImapFlow,
  path: string,
  { write = false, fresh = false }: { write?: boolean; fresh?: boolean } = {},
): Promise<MailboxObject> {
  const current = client.mailbox;
  if (current && current.path === path && !!current.readOnly === !write && !fresh) return current;
  await drainPipeline(client);
  spareListing(client, path);
  const mailbox = openedAs(path, await client.mailboxOpen(path, { readOnly: !write }), write);
  return write ? mailbox : (await steadied(client, mailbox)).mailbox;
}

/**
 * Opens a folder, even if it is open, and asks for something in it in the same flight. What is asked must hold whatever
 * the folder turns out to be; where it cannot be opened, the answer counts for nothing.
 */
export async function openedWith<T>(
  client: ImapFlow,
  path: string,
  ask: () => Promise<T>,
  { write = false }: { write?: boolean } = {},
): Promise<[MailboxObject, T]> {
  await drainPipeline(client);
  spareListing(client, path);
  const [mailbox, answer] = await together(client, () => {
    const opening = client.mailboxOpen(path, { readOnly: !write });
    // The library may have to ask for something else before it opens this one.
    return Promise.allSettled([opening, isOpening(client) ? ask() : opening.then(ask)]);
  });
  if (mailbox.status === 'rejected') throw mailbox.reason;
  const found = openedAs(path, mailbox.value, write);
  if (answer.status === 'rejected') throw answer.reason;
  if (write) return [found, answer.value];
  const { mailbox: steady, moved } = await steadied(client, found);
  // UIDs that the server made up for the first opening mean nothing in this one.
  return [steady, moved ? await ask() : answer.value];
}

function openedAs(path: string, mailbox: MailboxObject, write: boolean): MailboxObject {
  if (!mailbox) throw new MailError('protocol', `The folder "${path}" could not be opened.`);
  if (write && mailbox.readOnly) throw new MailError('forbidden', `The folder "${path}" may only be read.`);
  return mailbox;
}

/** A UIDVALIDITY that stays, and the UIDNEXT below which UIDs do. */
interface Steady {
  validity: string;
  next: number;
}
/** The folders of a connection's account where they are known. */
const steadyFolders = new WeakMap<ImapFlow, Map<string, Steady>>();
/** Servers that count changes or name messages for good keep what they say of a folder. */
const KEEPS_STATE = ['CONDSTORE', 'OBJECTID', 'X-GM-EXT-1', 'IMAP4REV2'];

/**
 * A folder that was opened to be read, once its UIDVALIDITY stays. Courier and imap4d make up a new one at each EXAMINE
 * until somebody has SELECTed the folder, and every id would soon mean nothing. So a folder is opened a second time
 * when it is first met or was created anew, and with SELECT where the two differ, which marks nothing. What they make
 * up is the time in seconds, so that two may be the same by chance: a UIDVALIDITY that is a time of today is taken for
 * one that moves. imap4d also gives a message that came since another UID at each EXAMINE until the folder is SELECTed
 * again; its UIDNEXT grows with that while nothing came. `moved` says that it was opened with SELECT, so that UIDs told
 * before mean nothing.
 */
async function steadied(client: ImapFlow, mailbox: MailboxObject): Promise<{ mailbox: MailboxObject; moved: boolean }> {
  const steady = steadyFolders.get(client);
  const { path } = mailbox;
  const known = steady?.get(path);
  if (!steady || KEEPS_STATE.some(name => client.capabilities.has(name))) return { mailbox, moved: false };
  const same = known?.validity === validityOf(mailbox);
  if (same && (known.next === mailbox.uidNext || client.capabilities.has('UIDPLUS'))) return { mailbox, moved: false };
  let again = await client.mailboxOpen(path, { readOnly: true });
  const moved =
    validityOf(again) !== validityOf(mailbox) ||
    (!same && isTimeOfToday(validityOf(again))) ||
    (again.exists === mailbox.exists && again.uidNext > mailbox.uidNext);
  if (moved) {
    await client.mailboxOpen(path);
    again = await client.mailboxOpen(path, { readOnly: true });
  }
  steady.set(path, { validity: validityOf(again), next: again.uidNext });
  return { mailbox: again, moved };
}

/**
 * True for seconds since 1970, with or without their billions as Courier has them, that are no more than a day from
 * now.
 */
function isTimeOfToday(validity: string): boolean {
  const apart = Math.abs(Number(validity) - Date.now() / 1000) % BILLION;
  return Math.min(apart, BILLION - apart) <= 86_400;
}
const BILLION = 1e9;

/** The result of a library call that answers a refusal with `false`; the refusal itself is thrown. */
export async function granted<T>(client: ImapFlow, call: Promise<T>): Promise<Exclude<T, false | undefined>> {
  refusals.delete(client);
  const result = await call;
  if (result === false || result === undefined)
    throw refusals.get(client) ?? new MailError('rejected', 'The IMAP server refused the command without a reason.');
  return result as Exclude<T, false | undefined>;
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
function closeWhenIdle(hub: Hub) {
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

/** Says goodbye, but waits no longer than two seconds for the answer. */
async function leave(client: ImapFlow): Promise<void> {
  resumeReading.get(client)?.();
  const timer = setTimeout(() => client.close(), 2_000);
  await client.logout().catch(() => {});
  clearTimeout(timer);
  client.close();
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

/** True when the server answers a NOOP in time. */
async function alive(client: ImapFlow): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), PROBE_DEADLINE);
  });
  const answered = client.noop().then(
    () => client.usable,
    () => false,
  );
  try {
    return await Promise.race([answered, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A new connection, logged in. A refused OAuth 2 token is renewed once. */
async function login(hub: Hub, ctx: Context, end: Endpoint): Promise<ImapFlow> {
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

/** What went wrong with connections that ended in the middle of several commands before anything was done with them. */
const cutOff = new WeakSet();

/** What went wrong with connections that the server closed at a login which may be tried in another way. */
const closedAtLogin = new WeakSet();

/**
 * Connects once and logs in. Throws a `MailError` that names side, host and port. `pipelined`: several commands may
 * be in flight. `ways`: so many ways of logging in are tried.
 */
async function connect(
  ctx: Context,
  end: Endpoint,
  { renew = false, pipelined = true, ways = WAYS } = {},
): Promise<ImapFlow> {
  const { ImapFlow } = await imapLibrary();
  const address = await unlessAborted(addressOf(ctx, end), ctx.signal);
  const quiet = () => {};
  const auth = end.oauth2
    ? { user: end.user, accessToken: await unlessAborted(tokenOf(ctx, end, renew), ctx.signal) }
    : { user: end.user, pass: end.password };
  const client: ImapFlow = new ImapFlow({
    host: address,
    port: end.port,
    secure: end.security === 'tls',
    doSTARTTLS: end.security === 'starttls',
    ...(address === end.host ? {} : { servername: end.host }),
    tls: end.security === 'none' ? {} : await unlessAborted(tlsOptions(end, address), ctx.signal),
    auth,
    disableAutoIdle: true,
    disableCompression: true,
    clientInfo: { name: 'Mailroom', vendor: false, version: false, 'support-url': false },
    connectionTimeout: 30_000,
    greetingTimeout: 20_000,
    socketTimeout: 10 * 60_000,
    maxLiteralSize: 256 * 1024 * 1024,
    // What goes to a level that is absent is not even written out, which halves the cost of a row.
    logger: {
      error: quiet,
      fatal: quiet,
      warn: (entry: { err?: unknown }) => {
        if (entry.err) refusals.set(client, entry.err);
      },
    } as unknown as Logger,
  });
  fastFetch(client, pipelined);
  nameAsListed(client);
  if (pipelined) {
    allowFlights(client);
    shortenLogin(client, auth);
  }
  observeCommands(ctx, end, client);
  // Without a listener a failing socket would end the process; the error itself reaches whoever awaits a command.
  client.on('error', quiet);
  const stop = () => client.close();
  ctx.signal?.addEventListener('abort', stop, { once: true });
  if (!end.oauth2) tryWays(client, settingsOf(ctx).key, ways, error => imapError(error, end).code !== 'unauthorized');
  let late = false;
  let mixed = false;
  const spoken = watchSilence(
    end,
    address,
    () => client.stats().received > 0,
    () => {
      mixed = true;
      client.close();
    },
  );
  // The library's own limits end with the greeting; a server that goes silent after it would be waited for until the
  // socket times out.
  const timer = setTimeout(() => {
    late = true;
    client.close();
  }, CONNECT_DEADLINE);
  try {
    await unlessAborted(client.connect(), ctx.signal);
    return client;
  } catch (error) {
    const ended = !client.usable && (client as unknown as { isClosed?: boolean }).isClosed === true;
    client.close();
    ctx.signal?.throwIfAborted();
    if (mixed) throw speaksTls(end);
    if (late)
      throw new MailError(
        'unavailable',
        `${end.side} at ${end.host}:${end.port} did not let anyone in within ${CONNECT_DEADLINE / 1000} s.`,
        { cause: error },
      );
    if (isCertificateError(error)) throw await certificateRefused(end, address, error);
    const failed = imapError(error, end);
    if (brokenOff.has(client)) cutOff.add(failed);
    // One that passes by itself does not come of how the login was tried.
    else if (ended && failed.details.retryAfter === undefined && beginWithSecond(client, settingsOf(ctx).key))
      closedAtLogin.add(failed);
    throw failed;
  } finally {
    clearTimeout(timer);
    spoken();
    ctx.signal?.removeEventListener('abort', stop);
  }
}

/** The address to connect to, after the host's own rules. */
export async function addressOf(ctx: Context, end: Endpoint): Promise<string> {
  try {
    return await (ctx.resolve?.(end.host) ?? end.host);
  } catch (error) {
    if (isMailError(error)) throw error;
    throw new MailError(
      'unavailable',
      `${end.side}: ${end.host} has no address to connect to: ${wordsOf(error, end.hide)}.`,
      { cause: error },
    );
  }
}

/** The access token of the account. Throws `unauthorized` where the host gives none. */
export async function tokenOf(ctx: Context, end: Endpoint, renew: boolean): Promise<string> {
  if (!ctx.token)
    throw new MailError(
      'unauthorized',
      `${end.side} at ${end.host} is set to OAuth 2, but no access token is at hand. Connect the account first.`,
    );
  return ctx.token(renew);
}

interface LibraryError {
  code?: string;
  message?: string;
  responseStatus?: string;
  responseText?: string;
  response?: unknown;
  serverResponseCode?: string;
  reason?: string;
  authenticationFailed?: boolean;
  mailboxMissing?: boolean;
  throttleReset?: number;
  tlsFailed?: boolean;
  command?: string;
  rejectedFrom?: string;
  oauthError?: { status?: string; error?: string };
}

/** True when the connection went away under a command. */
export const isLost = (client: ImapFlow, error: unknown): boolean =>
  !client.usable && !isMailError(error) && (error as LibraryError)?.responseStatus === undefined;

/** True when the server answered NO or BAD to one command: the connection goes on. */
export const isRefused = (error: unknown): boolean => (error as LibraryError)?.responseStatus !== undefined;

/** The server's words as they came: to be read for what they mean, not to be shown. */
function rawWordsOf(error: unknown): string {
  const e = error as LibraryError;
  return (
    e?.responseText ??
    (typeof e?.response === 'string' ? e.response : undefined) ??
    e?.reason ??
    e?.message ??
    String(error)
  );
}

/** The server's words about a failure, without secrets: known ones first, while they are whole. */
export function wordsOf(error: unknown, hide: Hide = String): string {
  return redact(
    hide(rawWordsOf(error))
      .replace(/^[0-9A-F]+ (NO|BAD)\s+/, '')
      .replace(/\s+/g, ' ')
      .replace(/ \([\d.]+ \+ [\d.]+( \+ [\d.]+)? secs\)\.?$/, '')
      .trim(),
  )
    .replace(/\.$/, '')
    .slice(0, 300);
}

/** The response code of a refusal that the library left unread, as it does for FETCH. */
function codeOf(response: unknown): string | undefined {
  const value = (response as { attributes?: { section?: { value?: unknown }[] }[] } | undefined)?.attributes?.[0]
    ?.section?.[0]?.value;
  return typeof value === 'string' ? value : undefined;
}

/**
 * What the response codes of passing troubles mean, in the words of none (RFC 5530 section 3, RFC 9051 section 7.1).
 */
function ofCode(code: string | undefined): Passing | undefined {
  if (code === 'LIMIT' || code === 'INUSE') return { code: 'rate_limited', retryAfter: 60 };
  return code === 'UNAVAILABLE' || code === 'SERVERBUG' || code === 'CONTACTADMIN'
    ? { code: 'unavailable', retryAfter: 60 }
    : undefined;
}

/**
 * What a failure of the IMAP library means: by the response code where there is one (RFC 5530), never by the library's
 * own flag alone.
 */
export function imapError(error: unknown, end: Endpoint): MailError {
  if (isMailError(error)) return error;
  const e = error as LibraryError;
  const where = `${end.side} at ${end.host}:${end.port}`;
  const code = (e.serverResponseCode ?? codeOf(e.response))?.toUpperCase();
  const said = wordsOf(error, end.hide);
  const details = { cause: error, ...(code ? { native: { responseCode: code } } : {}) };
  if (e.code === 'ETHROTTLE')
    return new MailError('rate_limited', `${where} asks for a break: ${said}.`, {
      ...details,
      retryAfter: Math.ceil((e.throttleReset ?? 0) / 1000),
    });
  const passes = passing(said, e.authenticationFailed) ?? ofCode(code);
  // The words of a full mailbox may say limit too; it is not waiting that helps there (RFC 9208 section 4.1).
  const full = code === 'OVERQUOTA' && !e.authenticationFailed && !/bandwidth|command|rate/i.test(said);
  if (e.authenticationFailed) {
    // LIMIT, UNAVAILABLE and the like say nothing about the password (RFC 5530 section 3), although the library flags
    // every NO alike.
    if (passes?.code === 'rate_limited')
      return new MailError('rate_limited', `${where} does not let this account in now: ${said}.`, {
        ...details,
        retryAfter: passes.retryAfter,
      });
    if (passes)
      return new MailError('unavailable', `${where} cannot log anyone in now: ${said}.`, {
        ...details,
        retryAfter: passes.retryAfter,
      });
    const { code: meant, advice } = loginAdvice(rawWordsOf(error), end);
    return new MailError(meant, `${where} refused the login of ${end.user}: ${said}.`, {
      ...details,
      ...(advice ? { advice } : {}),
    });
  }
  if (/^Unsupported authentication mechanism/.test(e.message ?? '')) {
    return new MailError(
      'unauthorized',
      `${where} offers no way of logging in that works with ${end.oauth2 ? 'an OAuth 2 token' : 'a password'}.`,
      details,
    );
  }
  if (e.responseStatus !== undefined) {
    if (e.mailboxMissing || code === 'NONEXISTENT' || code === 'TRYCREATE')
      return new MailError('not_found', `The folder does not exist: ${said}.`, details);
    if (code === 'ALREADYEXISTS') return new MailError('conflict', `${where} answered: ${said}.`, details);
    if (code === 'NOPERM') return new MailError('forbidden', `${where} answered: ${said}.`, details);
    if (full) return new MailError('rejected', `${where} has no room left for this account: ${said}.`, details);
    if (passes)
      return new MailError(passes.code, `${where} answered: ${said}.`, { ...details, retryAfter: passes.retryAfter });
    return new MailError('rejected', `${where} answered: ${said}.`, details);
  }
  if (e.code === 'NotFound') return new MailError('not_found', `${said}.`, details);
  if (end.security === 'tls' && isPlainAnswer(error)) return speaksPlain(end, error);
  if (end.security === 'starttls' && /does not support STARTTLS/i.test(said)) return noStartTls(end, error);
  if (e.tlsFailed) return new MailError('unavailable', `${where} could not be reached over TLS: ${said}.`, details);
  // The command had been sent, and its answer never came.
  const done = e.command !== undefined && e.rejectedFrom === 'pendingRequest' ? perhapsDone(e.command) : '';
  if (passes && e.reason)
    return new MailError(passes.code, `${where} closed the connection: ${said}.${done}`, {
      ...details,
      retryAfter: passes.retryAfter,
    });
  if (isNotImap(e.code)) {
    return new MailError('protocol', `${where} sent something that is not IMAP: ${said}.`, details);
  }
  return new MailError('unavailable', `${noAnswer(where, end.host, { code: e.code, message: said })}${done}`, details);
}

/** How long a command on the connection that waits for news may take; they are all short. In milliseconds. */
const ANSWER_DEADLINE = 30_000;

/** Between two probes of a waiting connection, and between two looks at folders nobody waits on, in milliseconds. */
const PROBE_EVERY = 30_000;
const OTHERS_EVERY = 60_000;
const POLL_EVERY = 15_000;

/**
 * Calls `changed` when one of the folders may hold something new, until `ctx.signal` aborts; with `changes` also when a
 * message of the folder waited on was marked or went. All watchers of an account share one connection, which idles on
 * the first folder of the first (RFC 2177); the other folders are asked for by STATUS. Rejects when that connection
 * dies, so that the caller decides when to come back.
 */
export async function watchFolders(
  ctx: Context,
  folders: readonly string[],
  changed: Watcher['changed'],
  { changes = false }: Pick<Watcher, 'changes'> = {},
): Promise<void> {
  const end = endpoint(ctx, 'imap');
  const hub = hubOf(ctx);
  if (ctx.signal?.aborted) return;
  let leaveHub: () => void = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      const watcher: Watcher = { ctx, folders, changed, fail: reject, changes };
      hub.watchers.add(watcher);
      const stop = () => resolve();
      ctx.signal?.addEventListener('abort', stop, { once: true });
      leaveHub = () => {
        ctx.signal?.removeEventListener('abort', stop);
        hub.watchers.delete(watcher);
        if (!hub.watchers.size) hub.idle?.close();
        hub.wake?.();
        if (!hub.waiting) closeWhenIdle(hub);
      };
      if (!hub.loop) startLoop(hub, end);
      else {
        inform(hub, watcher);
        hub.wake?.();
      }
    });
  } finally {
    leaveHub();
  }
}

function startLoop(hub: Hub, end: Endpoint) {
  const ended = (error?: unknown) => {
    hub.loop = undefined;
    const failed = error === undefined ? undefined : imapError(error, end);
    if (failed) for (const watcher of [...hub.watchers]) watcher.fail(failed);
    // Someone came while the loop was ending.
    else if (hub.watchers.size) startLoop(hub, end);
  };
  const polling = isSingle(hub);
  hub.loop = (polling ? poll(hub) : follow(hub, end)).then(
    () => ended(),
    error => {
      const refused = isMailError(error) && error.code === 'rate_limited';
      if (hub.watchers.size && !polling && (refused || isSingle(hub))) {
        // No second connection to be had: ask on the first one. What fails there is for the watchers to hear, who know
        // how long to wait.
        makeSingle(hub);
        hub.loop = undefined;
        startLoop(hub, end);
      } else ended(hub.watchers.size ? error : undefined);
    },
  );
}

/** Calls the watchers of a folder after a while, if any are left by then. */
export function remind(ctx: Context, folder: string, ms: number): void {
  const hub = hubOf(ctx);
  setTimeout(() => tell(hub, folder), ms).unref();
}

/**
 * Calls the watchers of a folder; all of them where none is named. `changes`: only those that want to hear of messages
 * they know.
 */
const tell = (hub: Hub, folder?: string, changes = false) => {
  for (const watcher of [...hub.watchers]) {
    if ((folder === undefined || watcher.folders.includes(folder)) && (!changes || watcher.changes))
      inform(hub, watcher);
  }
};
const inform = (hub: Hub, watcher: Watcher) =>
  watcher.changed(hub.pushed !== undefined && watcher.folders[0] === hub.pushed);

async function follow(hub: Hub, end: Endpoint): Promise<void> {
  const first = [...hub.watchers][0];
  if (!first) return;
  const client = await login(hub, first.ctx, end);
  if (!hub.watchers.size) return void (await leave(client));
  hub.idle = client;
  const closed = new Promise<never>((_, reject) =>
    client.once('close', () =>
      reject(
        new MailError(
          'unavailable',
          `${end.side} at ${end.host}:${end.port} closed the connection that waited for new mail.`,
        ),
      ),
    ),
  );
  closed.catch(() => {});
  /** An answer, unless the connection ends or stays silent; only IDLE may wait. */
  const answer = async <T>(asked: Promise<T>): Promise<T> => {
    let deadline: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_, reject) => {
      deadline = setTimeout(
        () =>
          reject(
            new MailError(
              'unavailable',
              `${end.side} at ${end.host}:${end.port} fell silent in the middle of a command.`,
            ),
          ),
        ANSWER_DEADLINE,
      );
    });
    try {
      return await Promise.race([asked, closed, silent]);
    } finally {
      clearTimeout(deadline);
      asked.catch(() => {});
    }
  };
  let main = '';
  client.on('exists', () => tell(hub, main));
  for (const event of ['flags', 'expunge'] as const) client.on(event, () => tell(hub, main, true));
  const seen = new Map<string, string>();
  let idles = client.capabilities.has('IDLE') || client.capabilities.has('IMAP4rev2');
  let othersAt = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    while (hub.watchers.size) {
      const watchers = [...hub.watchers];
      const wanted = watchers[0]!.folders[0] ?? 'INBOX';
      if (main !== wanted || !idles) {
        spareListing(client, wanted);
        const mailbox = await answer(client.mailboxOpen(wanted, { readOnly: true }));
        const state = `${mailbox.uidValidity}/${mailbox.uidNext}/${mailbox.exists}`;
        // Whatever came before this moment was not announced to us.
        hub.pushed = idles ? wanted : undefined;
        if (main !== wanted || seen.get(wanted) !== state) {
          main = wanted;
          tell(hub, main);
        }
        seen.set(wanted, state);
      }
      // Folders that somebody's news depends on alone are asked for more often.
      const urgent = watchers.slice(1).some(watcher => watcher.folders[0] !== main);
      if (performance.now() - othersAt >= (urgent ? POLL_EVERY : OTHERS_EVERY) - 1_000) {
        othersAt = performance.now();
        for (const folder of new Set(watchers.flatMap(watcher => watcher.folders))) {
          if (folder === main) continue;
          const status = await answer(
            client.status(folder, { uidNext: true, uidValidity: true, messages: true }).catch(() => false as const),
          );
          const state = status ? `${status.uidValidity}/${status.uidNext}/${status.messages}` : 'gone';
          if (seen.get(folder) !== state) {
            seen.set(folder, state);
            tell(hub, folder);
          }
        }
      }
      // An IDLE that the server ends is begun again; one that it refuses makes it a server without.
      if (idles)
        client.idle().then(
          ended => {
            if (ended === false) {
              idles = false;
              hub.pushed = undefined;
              tell(hub, main);
            }
            hub.wake?.();
          },
          () => {},
        );
      await Promise.race([
        closed,
        new Promise<void>(resolve => {
          timer = setTimeout(resolve, idles && !urgent ? PROBE_EVERY : POLL_EVERY);
          hub.wake = () => {
            clearTimeout(timer);
            resolve();
          };
        }),
      ]);
      if (hub.watchers.size && !(await Promise.race([alive(client), closed]))) {
        // The other connection goes the same way and would only be found dead once more.
        if (!hub.waiting) hub.client?.close();
        throw new MailError(
          'unavailable',
          `${end.side} at ${end.host}:${end.port} did not answer a probe within ${PROBE_DEADLINE / 1000} s.`,
        );
      }
    }
  } finally {
    clearTimeout(timer);
    hub.idle = undefined;
    hub.pushed = undefined;
    hub.wake = undefined;
    // Nothing waits for an answer here, so nothing can hold up whoever stops watching.
    client.close();
  }
}

/** Without a connection of its own: asks for the state of the folders now and then, between other work. */
async function poll(hub: Hub): Promise<void> {
  const seen = new Map<string, string>();
  // After a while it is tried again whether a second connection is allowed.
  while (hub.watchers.size && isSingle(hub)) {
    const watchers = [...hub.watchers];
    for (const folder of new Set(watchers.flatMap(watcher => watcher.folders))) {
      const state = await withImap(
        { ...watchers[0]!.ctx, signal: undefined },
        async client => {
          // STATUS of the open folder is not to be trusted (RFC 3501 section 6.3.10), opening it again is.
          const mailbox = await client.mailboxOpen(folder, { readOnly: true });
          return `${mailbox.uidValidity}/${mailbox.uidNext}/${mailbox.exists}`;
        },
        { reads: true, silence: 30_000 },
      );
      if (seen.get(folder) !== state) {
        seen.set(folder, state);
        tell(hub, folder);
      }
    }
    if (!hub.watchers.size) break;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, POLL_EVERY);
      hub.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  hub.wake = undefined;
}
