import type { AddressInfo, Server, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { SMTPServer, type SMTPServerAddress, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import { selfSigned, type Certificate } from './imap/certificate.js';
import type { Store } from './imap/store.js';

export interface SmtpOptions {
  certificate?: Certificate;
  /** False: AUTH only after TLS. */
  plaintext?: boolean;
  /** False: no SMTPUTF8, so that addresses outside of US-ASCII are refused. */
  smtpUtf8?: boolean;
  /** False: DSN parameters are not offered. */
  dsn?: boolean;
  /** False: commands have to come one at a time. */
  pipelining?: boolean;
  /** False: neither offered nor needed, as on a local relay. */
  auth?: boolean;
  /** Largest message in bytes, announced by SIZE; 100 MiB unless given. */
  maxMessageBytes?: number;
  maxRecipients?: number;
  /**
   * True: other domains are accepted and only recorded. Else they get 550 5.1.1, since nothing may leave the machine.
   */
  relay?: boolean;
  /** True: the sender must be the user who logged in (553 5.7.1). */
  ownSender?: boolean;
  /** True: the server itself puts a copy into Sent, as Gmail and Exchange Online do. */
  saveSent?: boolean;
  /** The account that gets all mail, once for each message, whoever it is for; and any login is good, and none. */
  anyone?: string;
  /** False: STARTTLS is not offered. */
  startTls?: boolean;
  /** False: what clients did is not written down. */
  record?: boolean;
  /** What goes wrong for as long as it is said here, beside the faults. */
  misbehave?(at: SmtpFault['at'], about: Moment): Omit<SmtpFault, 'at'> | undefined;
  port?: number;
  tlsPort?: number;
}
/** Whose turn it is when something goes wrong. */
export interface Moment {
  recipient?: string;
  user?: string;
  from?: string;
}

/** Something to go wrong at the SMTP server. */
export interface SmtpFault {
  /** The moment: the greeting, a login, a command, while the message comes in, or after its final dot. */
  at: 'connect' | 'auth' | 'mail' | 'rcpt' | 'data' | 'dot';
  /** Only for this recipient (rcpt) or login name (auth, dot). */
  recipient?: string;
  user?: string;
  /** How many times; 1 unless given. */
  times?: number;
  delayMs?: number;
  /** The refusal: 451 and `4.7.1 Greylisted`. At `dot` the message is not taken. Not for `data`. */
  code?: number;
  text?: string;
  /** Never answers. At `dot` the message has been taken. */
  silent?: boolean;
  /**
   * Ends the connection without a word. At `dot` the message has been taken unless `lose`: the moment nobody can tell
   * the two apart.
   */
  cut?: 'fin' | 'reset';
  lose?: boolean;
  /** With `data`: after so many bytes of the message; 1 unless given. */
  afterBytes?: number;
}

/** A message that came in whole. */
export interface SmtpMessage {
  at: number;
  session: string;
  user: string | undefined;
  from: string;
  to: string[];
  /** Parameters of MAIL FROM as sent, and what DSN asked for (RFC 3461). */
  args: Record<string, string | true>;
  dsn: { ret?: string; envid?: string; recipients: { address: string; notify?: string[]; orcpt?: string }[] };
  body: string;
  smtpUtf8: boolean;
  bytes: Buffer;
  /** Whether it was delivered. */
  taken: boolean;
}
export interface SmtpServer {
  host: string;
  port: number;
  tlsPort: number;
  /** The server's own certificate in PEM. */
  ca: string;
  seen: {
    sessions: { id: string; at: number; tls: boolean; user: string | undefined; closedAt: number | undefined }[];
    logins: { at: number; user: string; method: string; ok: boolean }[];
    recipients: { at: number; session: string; address: string; ok: boolean }[];
    messages: SmtpMessage[];
  };
  /** Announces another largest message, in bytes. */
  limit(bytes: number): void;
  open(): number;
  /** The most connections open at the same time since the last `forget`. */
  peak(): number;
  forget(): void;
  trouble: {
    fail(fault: SmtpFault): void;
    mend(): void;
    /** Connections at the same time before `421 4.7.0`. */
    connectionLimit: number;
    drop(how?: 'fin' | 'reset'): void;
    away(): Promise<void>;
    back(): Promise<void>;
  };
  close(): Promise<void>;
}
export interface Delivery {
  store: Store;
  /** The account an address belongs to, plus-tag and case aside. */
  accountOf(address: string): string | undefined;
  isLocal(address: string): boolean;
  deliver(
    account: string,
    bytes: Buffer,
    how: { folder: { name: string; flags: string[] } } | { from: string; to: string },
  ): void;
}

// smtp-server asks a TLS socket for its protocol after a connection was torn down in the middle of the handshake, and
// Node 24 crashes on that (SIGSEGV in SSL_get_version). Tests tear down connections at any moment.
const { getProtocol } = TLSSocket.prototype;
TLSSocket.prototype.getProtocol = function (this: TLSSocket) {
  return this.destroyed ? null : getProtocol.call(this);
};

/** What a server says of the way a message took (RFC 5321 section 4.4). */
const traceOf = (session: SMTPServerSession, id: string): string[] => [
  `Received: from ${session.hostNameAppearsAs} (localhost [127.0.0.1])`,
  `\tby localhost with ${session.transmissionType} id ${id};`,
  `\t${new Date().toUTCString().replace('GMT', '+0000')}`,
];

const refusal = (responseCode: number, text: string) => Object.assign(new Error(text), { responseCode });

/**
 * A submission server on loopback: STARTTLS on one port, implicit TLS on the other, mail for local users goes straight
 * to their INBOX. Each new connection waits 100 ms for its greeting (smtp-server looks for clients that talk too
 * early), so rates with one connection per message say nothing; measure those against a real server.
 */
export async function startSmtp(delivery: Delivery, options: SmtpOptions = {}): Promise<SmtpServer> {
  const certificate = options.certificate ?? selfSigned();
  const host = '127.0.0.1';
  const sockets = new Map<number, Socket>();
  let faults: SmtpFault[] = [];
  let most = 0;
  let count = 0;
  const seen: SmtpServer['seen'] = { sessions: [], logins: [], recipients: [], messages: [] };

  const take = (at: SmtpFault['at'], about: Moment = {}): SmtpFault | undefined => {
    const found = faults.find(
      f => f.at === at && (!f.recipient || f.recipient === about.recipient) && (!f.user || f.user === about.user),
    );
    if (found && (found.times = (found.times ?? 1) - 1) <= 0) faults = faults.filter(f => f !== found);
    const asked = found ? undefined : options.misbehave?.(at, about);
    return found ?? (asked && { ...asked, at });
  };
  const note = <T>(list: T[], entry: T) => {
    if (options.record !== false) list.push(entry);
  };
  const cut = (session: SMTPServerSession, how: 'fin' | 'reset') => {
    const socket = sockets.get(session.remotePort);
    if (how === 'reset') socket?.resetAndDestroy();
    else socket?.destroySoon();
  };
  /** Plays a fault; true if nothing more may be answered. */
  const play = async (fault: SmtpFault | undefined, session: SMTPServerSession): Promise<boolean> => {
    if (fault?.delayMs) await new Promise(resolve => setTimeout(resolve, fault.delayMs));
    if (fault?.cut) cut(session, fault.cut);
    if (fault?.code) throw refusal(fault.code, fault.text ?? 'Refused');
    return Boolean(fault?.cut ?? fault?.silent);
  };
  const step = (run: () => Promise<boolean>, done: (error?: Error | null) => void) => {
    run().then(stopped => {
      if (!stopped) done();
    }, done);
  };
  const nameOf = (session: SMTPServerSession) => session.user as string | undefined;
  const foreign = (address: string, session: SMTPServerSession) => {
    if (/[^\x00-\x7f]/.test(address) && !(options.smtpUtf8 !== false && session.envelope.smtpUtf8))
      throw refusal(553, '5.6.7 Non-ASCII address needs SMTPUTF8');
  };

  const settings: SMTPServerOptions = {
    ...certificate,
    logger: false,
    disableReverseLookup: true,
    closeTimeout: 1,
    size: options.maxMessageBytes ?? 100 * 1024 * 1024,
    rejectOversized: true,
    banner: 'Mailroom sandbox',
    name: 'localhost',
    authMethods: ['PLAIN', 'LOGIN', 'XOAUTH2'],
    allowInsecureAuth: options.plaintext !== false,
    authOptional: options.auth === false || options.anyone !== undefined,
    disabledCommands: options.auth === false ? ['AUTH'] : [],
    hideSTARTTLS: options.startTls === false,
    hideSMTPUTF8: options.smtpUtf8 === false,
    hideDSN: options.dsn === false,
    hidePIPELINING: options.pipelining === false,
    // The status codes are in our texts, where a test can choose them.
    hideENHANCEDSTATUSCODES: true,
    ...(options.maxRecipients ? { maxRecipients: options.maxRecipients } : {}),
    onConnect(session, done) {
      note(seen.sessions, {
        id: session.id,
        at: Date.now(),
        tls: session.secure,
        user: undefined,
        closedAt: undefined,
      });
      step(async () => {
        if (await play(take('connect'), session)) return true;
        if (sockets.size > server.trouble.connectionLimit)
          throw refusal(421, '4.7.0 Too many connections, try again later');
        return false;
      }, done);
    },
    onClose(session) {
      const entry = seen.sessions.find(s => s.id === session.id);
      if (entry) entry.closedAt = Date.now();
    },
    onAuth(auth, session, done) {
      const user = auth.username ?? '';
      const account = delivery.store.accounts.get(user);
      const oauth = auth.method === 'XOAUTH2';
      const proven = oauth
        ? (account?.tokens.get(auth.accessToken ?? '') ?? 0) > Date.now()
        : account !== undefined && account.password === auth.password;
      const ok = options.anyone !== undefined || proven;
      play(take('auth', { user }), session).then(
        stopped => {
          if (stopped) return;
          note(seen.logins, { at: Date.now(), user, method: auth.method, ok });
          if (!ok) {
            const why = oauth
              ? {
                  data: { status: '400', schemes: 'Bearer', scope: 'https://mail.google.com/' },
                  message: '5.7.8 Username and Password not accepted',
                }
              : { message: '5.7.8 Error: authentication failed' };
            return void done(null, { ...why, responseCode: 535 });
          }
          const entry = seen.sessions.find(s => s.id === session.id);
          if (entry) entry.user = user;
          done(null, { user });
        },
        error => {
          note(seen.logins, { at: Date.now(), user, method: auth.method, ok: false });
          done(error as Error);
        },
      );
    },
    onMailFrom(address, session, done) {
      step(async () => {
        if (await play(take('mail', { user: nameOf(session) ?? '' }), session)) return true;
        foreign(address.address, session);
        if (options.ownSender && delivery.accountOf(address.address) !== nameOf(session))
          throw refusal(553, '5.7.1 Sender address rejected: not owned by user');
        return false;
      }, done);
    },
    onRcptTo({ address }, session, done) {
      step(async () => {
        const told = (ok: boolean) => note(seen.recipients, { at: Date.now(), session: session.id, address, ok });
        try {
          const from = session.envelope.mailFrom ? session.envelope.mailFrom.address : '';
          if (await play(take('rcpt', { recipient: address, from }), session)) return true;
          foreign(address, session);
          if (
            options.anyone === undefined &&
            delivery.accountOf(address) === undefined &&
            (delivery.isLocal(address) || !options.relay)
          )
            throw refusal(550, `5.1.1 <${address}>: Recipient address rejected: User unknown`);
        } catch (error) {
          told(false);
          throw error;
        }
        told(true);
        return false;
      }, done);
    },
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      const middle = take('data', { user: nameOf(session) ?? '' });
      let size = 0;
      let gone = false;
      stream.on('data', (part: Buffer) => {
        size += part.length;
        if (middle && !gone && size >= (middle.afterBytes ?? 1)) {
          gone = true;
          parts.length = 0;
          void play(middle, session).catch(() => {});
        }
        if (!gone && !stream.sizeExceeded) parts.push(part);
      });
      stream.on('error', () => {});
      stream.on('end', () => {
        if (gone) return;
        if (stream.sizeExceeded) return void done(null);
        void finish(Buffer.concat(parts), session).then(
          text => {
            if (text !== undefined) done(null, text);
          },
          (error: Error) => done(error),
        );
      });
    },
  };
  async function finish(content: Buffer, session: SMTPServerSession): Promise<string | undefined> {
    const { mailFrom, rcptTo, dsn, smtpUtf8, bodyType } = session.envelope;
    const user = nameOf(session);
    const fault = take('dot', { user: user ?? '' });
    const from = mailFrom ? mailFrom.address : '';
    const taken = !(fault?.code || fault?.lose);
    note(seen.messages, {
      at: Date.now(),
      session: session.id,
      user,
      from,
      to: rcptTo.map(r => r.address),
      args: mailFrom ? { ...mailFrom.args } : {},
      dsn: {
        ...(dsn?.ret ? { ret: dsn.ret } : {}),
        ...(dsn?.envid ? { envid: dsn.envid } : {}),
        recipients: rcptTo.map(({ address, dsn: asked }: SMTPServerAddress) => ({
          address,
          ...(asked?.notify ? { notify: asked.notify } : {}),
          ...(asked?.orcpt ? { orcpt: asked.orcpt } : {}),
        })),
      },
      body: bodyType ?? '7bit',
      smtpUtf8: Boolean(smtpUtf8),
      bytes: content,
      taken,
    });
    const id = `S${String(++count).padStart(6, '0')}`;
    if (taken && options.anyone !== undefined) {
      const lines = [
        `Return-Path: <${from}>`,
        ...rcptTo.map(({ address }) => `Delivered-To: ${address}`),
        ...traceOf(session, id),
      ];
      const whole = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n`), content]);
      try {
        delivery.deliver(options.anyone, whole, { from, to: rcptTo[0]!.address });
      } catch (error) {
        throw refusal(451, `4.3.0 The message could not be stored: ${(error as Error).message}`);
      }
    } else if (taken) {
      const trace = Buffer.from(`${[`Return-Path: <${from}>`, ...traceOf(session, id)].join('\r\n')}\r\n`);
      for (const { address } of rcptTo) {
        const account = delivery.accountOf(address);
        if (account !== undefined) delivery.deliver(account, Buffer.concat([trace, content]), { from, to: address });
      }
      if (options.saveSent && user !== undefined)
        delivery.deliver(user, content, { folder: { name: 'Sent', flags: ['\\Seen'] } });
    }
    return (await play(fault, session)) ? undefined : `2.0.0 Ok: queued as ${id}`;
  }

  const servers = [new SMTPServer(settings), new SMTPServer({ ...settings, secure: true })];
  for (const each of servers) {
    each.on('error', () => {});
    (each.server as Server).on('connection', (socket: Socket) => {
      const port = socket.remotePort!;
      sockets.set(port, socket);
      most = Math.max(most, sockets.size);
      socket.on('close', () => {
        if (sockets.get(port) === socket) sockets.delete(port);
      });
    });
  }
  const listen = (what: SMTPServer, port: number) =>
    new Promise<number>((resolve, reject) => {
      what.server.once('error', reject);
      what.listen(port, host, () => {
        what.server.off('error', reject);
        resolve((what.server.address() as AddressInfo).port);
      });
    });
  const stop = async (how: 'reset' | 'destroy') => {
    const closing = servers
      .filter(s => s.server.listening)
      .map(
        s =>
          new Promise<void>(resolve => {
            s.server.close(() => resolve());
          }),
      );
    for (const socket of sockets.values())
      if (how === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    await Promise.all(closing);
  };
  const server: SmtpServer = {
    host,
    port: 0,
    tlsPort: 0,
    ca: certificate.cert,
    seen,
    limit(bytes) {
      for (const each of servers) each.options.size = bytes;
    },
    open: () => sockets.size,
    peak: () => most,
    forget() {
      for (const list of Object.values(seen)) list.length = 0;
      most = sockets.size;
    },
    trouble: {
      connectionLimit: Infinity,
      fail(fault) {
        faults.push({ ...fault });
      },
      mend() {
        faults = [];
        server.trouble.connectionLimit = Infinity;
      },
      drop(how = 'reset') {
        for (const socket of sockets.values())
          if (how === 'reset') socket.resetAndDestroy();
          else socket.destroySoon();
      },
      away: () => stop('reset'),
      async back() {
        await listen(servers[0]!, server.port);
        await listen(servers[1]!, server.tlsPort);
      },
    },
    close: () => stop('destroy'),
  };
  server.port = await listen(servers[0]!, options.port ?? 0);
  server.tlsPort = await listen(servers[1]!, options.tlsPort ?? 0);
  return server;
}
