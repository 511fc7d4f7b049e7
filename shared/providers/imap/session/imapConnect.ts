import { MailError, isMailError } from '../../../errors.js';
import { unlessAborted } from '../../../wait.js';
import type { Context } from '../../../provider.js';
import { settingsOf, type Endpoint } from '../account/fields.js';
import { certificateRefused, isCertificateError, tlsOptions } from '../account/certificate.js';
import { imapLibrary, type ImapFlow, type Logger } from '../libraries.js';
import { beginWithSecond, tryWays, WAYS } from './signIn.js';
import { speaksTls, watchSilence } from './tlsMix.js';
import { nameAsListed } from './namespaces.js';
import { observeCommands } from './observe.js';
import { allowFlights, brokenOff, shortenLogin } from './pipeline.js';
import { fastFetch, resumeReading } from '../wire/fetch.js';
import { imapError, wordsOf } from './imapError.js';

/** A probe must be answered within this time, in milliseconds. */
export const PROBE_DEADLINE = 10_000;
/** From the first packet to the end of the login, in milliseconds. */
const CONNECT_DEADLINE = 30_000;

/** What a refused command left in the library's log: many of its calls only answer `false`. */
export const refusals = new WeakMap<ImapFlow, unknown>();

/** What went wrong with connections that ended in the middle of several commands before anything was done with them. */
export const cutOff = new WeakSet();

/** What went wrong with connections that the server closed at a login which may be tried in another way. */
export const closedAtLogin = new WeakSet();

/**
 * Connects once and logs in. Throws a `MailError` that names side, host and port. `pipelined`: several commands may
 * be in flight. `ways`: so many ways of logging in are tried.
 */
export async function connect(
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

/** True when the server answers a NOOP in time. */
export async function alive(client: ImapFlow): Promise<boolean> {
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

/** Says goodbye, but waits no longer than two seconds for the answer. */
export async function leave(client: ImapFlow): Promise<void> {
  resumeReading.get(client)?.();
  const timer = setTimeout(() => client.close(), 2_000);
  await client.logout().catch(() => {});
  clearTimeout(timer);
  client.close();
}
