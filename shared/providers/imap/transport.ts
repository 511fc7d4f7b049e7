import type { SendMailOptions, Transporter } from 'nodemailer';
import { isMailError, MailError } from '../../errors.js';
import { redact } from '../../http.js';
import type { Context } from '../../provider.js';
import { endpoint, settingsOf, type Endpoint } from './account.js';
import { certificateRefused, isCertificateError, tlsOptions } from './certificate.js';
import { addressOf, tokenOf } from './connection.js';
import { smtpConnectionLibrary, smtpLibrary } from './libraries.js';

/** Connections per account, and messages handed to the pool at a time; more wait here, so memory has a bound. */
const CONNECTIONS = 5, AT_ONCE = 10;
/** Messages over one connection: some hosts end a session after ten (Scaleway) or a hundred. */
const PER_CONNECTION = 100;
/** A pool nobody used for this long is closed, in milliseconds. */
const IDLE_CLOSE = 5_000;
/** What a server said it can do is believed for this long, in milliseconds. */
const REMEMBERED = 10 * 60_000;

interface Pool {
  ctx: Context; end: Endpoint; address: string; transport: Transporter; running: number; waiting: (() => void)[]; closing?: NodeJS.Timeout; users: number;
}
const pools = new Map<string, Promise<Pool>>();
const abilities = new Map<string, { at: number; can: Promise<Abilities> }>();
/** Accounts whose server refused several connections at once. */
const single = new Set<string>();

/** What the answer to EHLO says (RFC 5321 section 4.1.1.1); `size` is the largest message in bytes (RFC 1870). */
export interface Abilities { smtputf8: boolean; dsn: boolean; size?: number }

/** How sending went on the wire: `handed` once the last byte of the message went out, whatever came back. */
export interface Wire { handed: boolean }

interface PoolMessage { message: { createReadStream(options?: unknown): NodeJS.ReadableStream }; data: { wire?: Wire } }

async function create(ctx: Context): Promise<Pool> {
  const end = endpoint(ctx, 'smtp');
  const { key } = settingsOf(ctx);
  const { createTransport } = await smtpLibrary();
  const address = await addressOf(ctx, end);
  const transport = createTransport({
    pool: true, maxConnections: single.has(key) ? 1 : CONNECTIONS, maxMessages: /\.scw\.eu$/.test(end.host) ? 10 : PER_CONNECTION, idleTimeout: IDLE_CLOSE, maxRequeues: 1,
    ...(await connectionOptions(end, address)),
    auth: end.oauth2 ? { type: 'OAuth2', user: end.user } : { user: end.user, pass: end.password },
    disableFileAccess: true, disableUrlAccess: true,
  });
  const pool: Pool = { ctx, end, address, transport, running: 0, waiting: [], users: 0 };
  // The newest context gives the token, because the one that made the pool may have ended long ago.
  if (end.oauth2) transport.set('oauth2_provision_cb', (_user, renew, done) => { tokenOf(pool.ctx, end, renew).then(token => done(null, token), error => done(error as Error)); });
  transport.use('stream', (mail, next) => {
    // The pool starts reading only after DATA was accepted, and the final dot follows the end of this stream: that moment is what retries hang on.
    const { message, data } = mail as unknown as PoolMessage;
    const make = message.createReadStream.bind(message);
    message.createReadStream = options => make(options).once('end', () => { if (data.wire) data.wire.handed = true; });
    next();
  });
  transport.on('error', () => {});
  return pool;
}

const connectionOptions = async (end: Endpoint, address: string) => ({
  host: address, port: end.port, secure: end.security === 'tls', requireTLS: end.security === 'starttls', ignoreTLS: end.security === 'none',
  // The name of this machine is nobody's business; an address literal is always allowed (RFC 5321 section 4.1.3).
  name: '[127.0.0.1]', ...(address === end.host ? {} : { servername: end.host }), tls: end.security === 'none' ? {} : await tlsOptions(end, address),
  connectionTimeout: 30_000, greetingTimeout: 30_000, socketTimeout: 120_000, dnsTimeout: 15_000,
});

/** The pool of an account, counted while the task runs, closed some seconds after the last. */
async function withPool<T>(ctx: Context, task: (pool: Pool) => Promise<T>): Promise<T> {
  const { key } = settingsOf(ctx);
  let made = pools.get(key);
  if (!made) {
    pools.set(key, made = create(ctx));
    made.catch(() => pools.delete(key));
  }
  const pool = await made;
  pool.ctx = ctx;
  pool.users++;
  clearTimeout(pool.closing);
  try {
    return await task(pool);
  } finally {
    if (--pool.users === 0) {
      pool.closing = setTimeout(() => { if (pools.get(key) === made) pools.delete(key); pool.transport.close(); }, IDLE_CLOSE);
    }
  }
}

/** Sends once. `wire` tells afterwards how far it came, also when this throws the library's error. */
export async function deliver(ctx: Context, mail: SendMailOptions, wire: Wire) {
  return withPool(ctx, async pool => {
    while (pool.running >= AT_ONCE) {
      await new Promise<void>((resolve, reject) => {
        ctx.signal?.throwIfAborted();
        const go = () => { ctx.signal?.removeEventListener('abort', stop); resolve(); };
        const stop = () => { pool.waiting = pool.waiting.filter(one => one !== go); reject(ctx.signal!.reason as Error); };
        ctx.signal?.addEventListener('abort', stop, { once: true });
        pool.waiting.push(go);
      });
    }
    pool.running++;
    try {
      return await pool.transport.sendMail({ ...mail, disableFileAccess: true, disableUrlAccess: true, ...(ctx.signal ? { signal: ctx.signal } : {}), wire } as SendMailOptions);
    } catch (error) {
      if (isTooMany(error)) {
        // One connection from now on; those who send already end in peace.
        const { key } = settingsOf(ctx);
        single.add(key);
        pools.delete(key);
      }
      throw error;
    } finally {
      pool.running--;
      pool.waiting.shift()?.();
    }
  });
}

/** Logs in at the SMTP side and sends nothing. */
export async function checkSmtp(ctx: Context): Promise<void> {
  await withPool(ctx, async pool => {
    try { await pool.transport.verify(); } catch (error) { ctx.signal?.throwIfAborted(); throw await smtpError(error, pool.end, pool.address); }
  });
}

/** What the server can do, from an EHLO of its own that logs nobody in. */
export async function abilitiesOf(ctx: Context): Promise<Abilities> {
  const { key } = settingsOf(ctx);
  const kept = abilities.get(key);
  if (kept && performance.now() - kept.at < REMEMBERED) return kept.can;
  const can = ask(ctx);
  abilities.set(key, { at: performance.now(), can });
  can.catch(() => abilities.delete(key));
  return can;
}

async function ask(ctx: Context): Promise<Abilities> {
  const end = endpoint(ctx, 'smtp');
  const address = await addressOf(ctx, end);
  const SMTPConnection = await smtpConnectionLibrary();
  const connection = new SMTPConnection(await connectionOptions(end, address));
  const stop = () => connection.close();
  ctx.signal?.addEventListener('abort', stop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('error', reject);
      connection.once('end', () => reject(new Error('the connection was closed')));
      connection.connect(error => { if (error) reject(error); else resolve(); });
    });
    const said = String((connection as unknown as { lastServerResponse?: unknown }).lastServerResponse ?? '');
    const size = /^250[ -]SIZE (\d+)/im.exec(said)?.[1];
    return { smtputf8: /^250[ -]SMTPUTF8\b/im.test(said), dsn: /^250[ -]DSN\b/im.test(said), ...(Number(size) ? { size: Number(size) } : {}) };
  } catch (error) {
    ctx.signal?.throwIfAborted();
    throw await smtpError(error, end, address);
  } finally {
    ctx.signal?.removeEventListener('abort', stop);
    connection.on('error', () => {});
    connection.quit();
  }
}

export interface SmtpFailure { code?: string; responseCode?: number; response?: string; message?: string; command?: string; permanent?: boolean; recipient?: string; rejectedErrors?: SmtpFailure[] }

const LIMITS = /too many|rate|limit|throttl|exceed|quota/i;
const isTooMany = (error: unknown) => { const e = error as SmtpFailure; return (e.responseCode ?? 0) >= 400 && (e.responseCode ?? 0) < 500 && /too many.*(connection|session)|connection.*limit|concurrent/i.test(e.response ?? ''); };

/** True where the same message may be taken at another try: 4yz and 503 (RFC 5321 section 4.2.1), or no answer at all. */
export function isTemporary(error: unknown): boolean {
  const e = error as SmtpFailure;
  if (e.responseCode !== undefined) return e.responseCode < 500 || e.responseCode === 503;
  return ['ECONNECTION', 'ETIMEDOUT', 'ESOCKET', 'EDNS', 'EPROTOCOL', 'EMAXLIMIT'].includes(e.code ?? '') && !aboutCertificate(error);
}

/** The library puts its own code over that of TLS, so the words have to tell. */
const aboutCertificate = (error: unknown): boolean =>
  isCertificateError(error) || isCertificateError(innermost(error)) || (/^(ESOCKET|ETLS)$/.test((error as SmtpFailure).code ?? '') && /certificate|altnames/i.test((error as SmtpFailure).message ?? ''));

/** The server's words, without line breaks and without what looks like a secret. */
export const smtpWords = (error: unknown): string => {
  const e = error as SmtpFailure;
  return redact((e.response || e.message || String(error)).replace(/\s+/g, ' ').trim()).replace(/\.$/, '').slice(0, 300);
};

function innermost(error: unknown): unknown {
  let inner = error as { cause?: unknown };
  while (inner?.cause && typeof inner.cause === 'object') inner = inner.cause as typeof inner;
  return inner;
}

/** What a failure of the SMTP library means: by the reply code, because its own codes are used for both kinds. */
export async function smtpError(error: unknown, end: Endpoint, address: string): Promise<MailError> {
  if (isMailError(error)) return error;
  const e = error as SmtpFailure;
  const where = `SMTP at ${end.host}:${end.port}`;
  const said = smtpWords(error);
  const details = { cause: error, ...(e.responseCode ? { native: { responseCode: e.responseCode, ...(e.command ? { command: e.command } : {}) } } : {}) };
  if (isMailError(innermost(error))) return innermost(error) as MailError;
  if (aboutCertificate(error)) return certificateRefused(end, address, innermost(error));
  const code = e.responseCode;
  if (code === undefined) {
    if (e.code === 'EAUTH' || e.code === 'ENOAUTH' || e.code === 'EOAUTH2') return new MailError('unauthorized', `${where} refused the login of ${end.user}: ${said}.`, details);
    if (e.code === 'EMESSAGE') return new MailError('rejected', `${where}: ${said}.`, details);
    if (e.code === 'EENVELOPE' || e.code === 'ECONFIG') return new MailError('invalid_input', `${said}.`, details);
    if (e.code === 'ESTREAM') return new MailError('invalid_input', `An attachment could not be read: ${said}.`, details);
    return new MailError('unavailable', `${where} did not answer: ${[e.code, said].filter(Boolean).join(', ')}.`, details);
  }
  if ([530, 532, 534, 535, 538].includes(code)) return new MailError('unauthorized', `${where} refused the login of ${end.user}: ${said}.`, details);
  if (code < 500) return new MailError(LIMITS.test(said) ? 'rate_limited' : 'unavailable', `${where} cannot take the message now: ${said}.`, details);
  const whom = e.rejectedErrors?.map(one => one.recipient).filter(Boolean) ?? (e.recipient ? [e.recipient] : []);
  return new MailError('rejected', `${where} refused ${whom.length ? `${whom.join(', ')}: ` : 'the message: '}${said}.`, details);
}

/** Closes every pool at once, whatever is under way; for a host that ends. */
export function closePools(): void {
  for (const made of pools.values()) void made.then(pool => { clearTimeout(pool.closing); (pool.transport as unknown as { close(options: { force: boolean }): void }).close({ force: true }); }, () => {});
  pools.clear();
}
