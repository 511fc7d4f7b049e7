import type SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import type { SMTPConnectionAuth } from 'nodemailer/lib/smtp-connection/index.js';
import { MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import { unlessAborted } from '../../../wait.js';
import { tlsOptions } from '../account/certificate.js';
import type { Endpoint } from '../account/fields.js';
import { smtpConnectionLibrary } from '../libraries.js';
import type { Talk } from '../../../wireTalk.js';
import { extensionsIn, type ServerExtensions } from '../wire/smtpEnvelope.js';
import type { SmtpFailure } from '../wire/smtpStream.js';
import { addressOf, tokenOf } from './imapConnect.js';
import { LoginWire } from './loginWire.js';
import { passing } from './refusal.js';
import { remember, waysOf, type Method } from './signIn.js';
import { lost, smtpWords } from './smtpError.js';
import { speaksTls, watchSilence } from './tlsMix.js';

/** From the first packet to the end of the login, in milliseconds. */
const CONNECT_DEADLINE = 60_000;

/** Who logs in: the context gives tokens and the way to the host, `account` names it, `talk` keeps what is said. */
export interface Login {
  ctx: Context;
  end: Endpoint;
  account: string;
  talk?: Talk;
}

/**
 * A login that is under way: whether its token was renewed, the one way to try, and the way that is left where the
 * server ends the connection.
 */
interface Try {
  renewed?: boolean;
  only?: Method;
  left?: Method;
}

/**
 * A connection that is logged in, and what its server can do. Rejects with the library's error, within a second of an
 * abort.
 */
export async function connected(
  login: Login,
  signal: AbortSignal | undefined,
  { renewed = false, only }: Try = {},
): Promise<{ connection: SMTPConnection; can: ServerExtensions }> {
  const { ctx, end } = login;
  const address = await unlessAborted(addressOf(ctx, end), signal);
  const SmtpConnection = await smtpConnectionLibrary();
  const connection: SMTPConnection = new SmtpConnection({
    host: address,
    port: end.port,
    secure: end.security === 'tls',
    requireTLS: end.security === 'starttls',
    ignoreTLS: end.security === 'none',
    // The name of this machine is nobody's business; an address literal is always allowed (RFC 5321 section 4.1.3).
    name: '[127.0.0.1]',
    ...(address === end.host ? {} : { servername: end.host }),
    tls: end.security === 'none' ? {} : await unlessAborted(tlsOptions(end, address), signal),
    connectionTimeout: 30_000,
    greetingTimeout: 30_000,
    socketTimeout: 120_000,
    dnsTimeout: 15_000,
  });
  // Without a listener a failing socket would end the process; the error itself reaches whoever waits for an answer.
  connection.on('error', () => {});
  let failed: Error | undefined;
  const giveUp = (error: Error) => {
    failed ??= error;
    connection.close();
  };
  const late = setTimeout(
    () =>
      giveUp(
        new MailError(
          'unavailable',
          `SMTP at ${end.host}:${end.port} did not let anyone in within ${CONNECT_DEADLINE / 1000} s.`,
        ),
      ),
    CONNECT_DEADLINE,
  );
  const spoken = watchSilence(
    end,
    address,
    () => connection.lastServerResponse !== false,
    () => giveUp(speaksTls(end)),
  );
  const unheard = login.talk && listen(connection, new LoginWire(login.talk, 'SMTP'));
  const trying: Try = { renewed, only };
  try {
    const can = await unlessAborted(letIn(login, connection, trying), signal);
    return { connection, can };
  } catch (error) {
    connection.close();
    signal?.throwIfAborted();
    // The library renews a token where the server gives its reasons first; Exchange Online and others refuse at once.
    const { code, responseCode } = error as SmtpFailure;
    if (end.oauth2 && !renewed && code === 'EAUTH' && responseCode === 535)
      return await connected(login, signal, { renewed: true });
    if (trying.left && !only && !failed) return await connected(login, signal, { only: trying.left });
    throw failed ?? error;
  } finally {
    clearTimeout(late);
    spoken();
    unheard?.();
  }
}

/** Passes on what goes and comes on a connection of the library until the function it gives is called. */
function listen(connection: SMTPConnection, wire: LoginWire): () => void {
  const inside = connection as unknown as {
    _sendCommand?(text: string | Buffer, shown?: string): unknown;
    _onData?(chunk: Buffer): unknown;
    _socket?: object;
  };
  const send = inside._sendCommand?.bind(connection);
  const data = inside._onData?.bind(connection);
  if (!send || !data) return () => {};
  inside._sendCommand = (text, shown) => {
    wire.sent(Buffer.from(`${text}\r\n`), inside._socket);
    return send(text, shown);
  };
  inside._onData = chunk => {
    wire.came(chunk);
    return data(chunk);
  };
  return () => {
    delete inside._sendCommand;
    delete inside._onData;
  };
}

/** Connects and logs in, in two ways if the first is refused. */
async function letIn(login: Login, connection: SMTPConnection, trying: Try): Promise<ServerExtensions> {
  const ended = new Promise<never>((_, reject) =>
    connection.once('error', reject).once('end', () => setImmediate(reject, lost())),
  );
  ended.catch(() => {});
  const step = (run: (done: (error?: Error | null) => void) => void) =>
    Promise.race([
      ended,
      new Promise<void>((resolve, reject) =>
        run(error => {
          if (error) reject(error);
          else resolve();
        }),
      ),
    ]);
  await step(done => connection.connect(done));
  const can = extensionsIn(String(connection.lastServerResponse));
  if (!connection.allowsAuth) return can;
  if (login.end.oauth2) {
    await step(done => connection.login(tokenLogin(login, !!trying.renewed), done));
    return can;
  }
  const { user, password } = login.end;
  let first: unknown;
  const all = trying.only ? [trying.only] : ways(login.account, can);
  for (const [i, way] of all.entries()) {
    try {
      await step(done =>
        connection.login(
          { user, credentials: { user, pass: password }, ...(way ? { method: way } : {}) } as SMTPConnectionAuth,
          done,
        ),
      );
      if (way) remember(`${login.account} SMTP`, way);
      return can;
    } catch (error) {
      const { code, responseCode } = error as SmtpFailure;
      first ??= error;
      // Some close the connection at a way they do not take: https://github.com/hkdb/aerion/issues/355
      trying.left = responseCode === undefined && i > 0 ? way : all[i + 1];
      if (responseCode === undefined) throw first;
      const passes = code !== 'EAUTH' || responseCode < 500 || passing(smtpWords(error), true);
      if (passes) trying.left = undefined;
      if (passes || connection.destroyed) throw first;
    }
  }
  throw first as Error;
}

/**
 * Name and password as they are, over TLS, before anything that hides them; undefined leaves the choice to the library.
 */
function ways(account: string, { auth }: ServerExtensions): (Method | undefined)[] {
  const plain = auth.filter((one): one is Method => one === 'PLAIN' || one === 'LOGIN');
  return plain.length ? waysOf(`${account} SMTP`, plain) : [undefined];
}

function tokenLogin({ ctx, end }: Login, renewed: boolean): SMTPConnectionAuth {
  const tokens = {
    getToken(renew: boolean, done: (error: Error | null, token?: string) => void) {
      // The library writes a code of its own over that of an error, so it gets one around it.
      tokenOf(ctx, end, renew || renewed).then(
        token => done(null, token),
        (cause: unknown) => done(new Error((cause as Error).message, { cause })),
      );
    },
    // https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
    buildXOAuth2Token: (token: string) =>
      Buffer.from(`user=${end.user}\x01auth=Bearer ${token}\x01\x01`).toString('base64'),
  };
  return { type: 'OAUTH2', user: end.user, method: 'XOAUTH2', oauth2: tokens } as unknown as SMTPConnectionAuth;
}
