import type {
  SMTPServerAddress,
  SMTPServerAuthentication,
  SMTPServerAuthenticationResponse,
  SMTPServerDataStream,
  SMTPServerOptions,
  SMTPServerSession,
} from 'smtp-server';
import { refusal, type Faults } from './faults.js';
import type { Delivery, SmtpMessage, SmtpOptions, SmtpServer } from './options.js';

type Done = (error?: Error | null) => void;
type LoggedIn = (error: Error | null | undefined, response?: SMTPServerAuthenticationResponse) => void;
type Handlers = Required<
  Pick<SMTPServerOptions, 'onConnect' | 'onClose' | 'onAuth' | 'onMailFrom' | 'onRcptTo' | 'onData'>
>;

/** What a server says of the way a message took (RFC 5321 section 4.4). */
const traceOf = (session: SMTPServerSession, id: string): string[] => [
  `Received: from ${session.hostNameAppearsAs} (localhost [127.0.0.1])`,
  `\tby localhost with ${session.transmissionType} id ${id};`,
  `\t${new Date().toUTCString().replace('GMT', '+0000')}`,
];

const nameOf = (session: SMTPServerSession) => session.user as string | undefined;

/** Answers once `run` is through: nothing where a fault said that nothing may be answered. */
function step(run: () => Promise<boolean>, done: Done): void {
  run().then(stopped => {
    if (!stopped) done();
  }, done);
}

/** From the greeting to the final dot: what is refused, what is taken and for whom, and what is written down of it. */
export class Submission {
  readonly seen: SmtpServer['seen'] = { sessions: [], logins: [], recipients: [], messages: [] };
  private count = 0;

  constructor(
    private readonly delivery: Delivery,
    private readonly options: SmtpOptions,
    private readonly faults: Faults,
    private readonly crowded: () => boolean,
  ) {}

  /** What smtp-server calls. */
  handlers(): Handlers {
    return {
      onConnect: (session, done) => this.connected(session, done),
      onClose: session => {
        const entry = this.seen.sessions.find(s => s.id === session.id);
        if (entry) entry.closedAt = Date.now();
      },
      onAuth: (auth, session, done) => this.login(auth, session, done),
      onMailFrom: ({ address }, session, done) => step(() => this.sender(address, session), done),
      onRcptTo: ({ address }, session, done) => step(() => this.recipient(address, session), done),
      onData: (stream, session, done) => this.data(stream, session, done),
    };
  }

  private note<T>(list: T[], entry: T): void {
    if (this.options.record !== false) list.push(entry);
  }

  private connected(session: SMTPServerSession, done: Done): void {
    const { id, secure: tls } = session;
    this.note(this.seen.sessions, { id, at: Date.now(), tls, user: undefined, closedAt: undefined });
    step(async () => {
      if (await this.faults.play(this.faults.take('connect'), session)) return true;
      if (this.crowded()) throw refusal(421, '4.7.0 Too many connections, try again later');
      return false;
    }, done);
  }

  private login(auth: SMTPServerAuthentication, session: SMTPServerSession, done: LoggedIn): void {
    const { seen, options, faults } = this;
    const { method } = auth;
    const user = auth.username ?? '';
    const ok = this.proven(auth) || options.anyone !== undefined;
    faults.play(faults.take('auth', { user }), session).then(
      stopped => {
        if (stopped) return;
        this.note(seen.logins, { at: Date.now(), user, method, ok });
        if (!ok) return void done(null, refusedLogin(method));
        const entry = seen.sessions.find(s => s.id === session.id);
        if (entry) entry.user = user;
        done(null, { user });
      },
      error => {
        this.note(seen.logins, { at: Date.now(), user, method, ok: false });
        done(error as Error);
      },
    );
  }

  private proven({ method, username = '', password, accessToken }: SMTPServerAuthentication): boolean {
    const account = this.delivery.store.accounts.get(username);
    return method === 'XOAUTH2'
      ? (account?.tokens.get(accessToken ?? '') ?? 0) > Date.now()
      : account !== undefined && account.password === password;
  }

  private async sender(address: string, session: SMTPServerSession): Promise<boolean> {
    const user = nameOf(session);
    if (await this.faults.play(this.faults.take('mail', { user: user ?? '' }), session)) return true;
    this.refuseForeign(address, session);
    if (this.options.ownSender && this.delivery.accountOf(address) !== user)
      throw refusal(553, '5.7.1 Sender address rejected: not owned by user');
    return false;
  }

  private async recipient(address: string, session: SMTPServerSession): Promise<boolean> {
    const told = (ok: boolean) => this.note(this.seen.recipients, { at: Date.now(), session: session.id, address, ok });
    try {
      const from = session.envelope.mailFrom ? session.envelope.mailFrom.address : '';
      if (await this.faults.play(this.faults.take('rcpt', { recipient: address, from }), session)) return true;
      this.refuseForeign(address, session);
      if (!this.knows(address)) throw refusal(550, `5.1.1 <${address}>: Recipient address rejected: User unknown`);
    } catch (error) {
      told(false);
      throw error;
    }
    told(true);
    return false;
  }

  private knows(address: string): boolean {
    const { delivery, options } = this;
    if (options.anyone !== undefined || delivery.accountOf(address) !== undefined) return true;
    return !delivery.isLocal(address) && Boolean(options.relay);
  }

  private refuseForeign(address: string, session: SMTPServerSession): void {
    if (/[^\x00-\x7f]/.test(address) && !(this.options.smtpUtf8 !== false && session.envelope.smtpUtf8))
      throw refusal(553, '5.6.7 Non-ASCII address needs SMTPUTF8');
  }

  private data(
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    done: (e?: Error | null, text?: string) => void,
  ) {
    const parts: Buffer[] = [];
    const middle = this.faults.take('data', { user: nameOf(session) ?? '' });
    let size = 0;
    let gone = false;
    stream.on('data', (part: Buffer) => {
      size += part.length;
      if (middle && !gone && size >= (middle.afterBytes ?? 1)) {
        gone = true;
        parts.length = 0;
        void this.faults.play(middle, session).catch(() => {});
      }
      if (!gone && !stream.sizeExceeded) parts.push(part);
    });
    stream.on('error', () => {});
    stream.on('end', () => {
      if (gone) return;
      if (stream.sizeExceeded) return void done(null);
      void this.finish(Buffer.concat(parts), session).then(
        text => {
          if (text !== undefined) done(null, text);
        },
        (error: Error) => done(error),
      );
    });
  }

  /** After the final dot. Gives what is said of it; undefined where nothing may be said. */
  private async finish(bytes: Buffer, session: SMTPServerSession): Promise<string | undefined> {
    const fault = this.faults.take('dot', { user: nameOf(session) ?? '' });
    const message: SmtpMessage = { ...described(session), at: Date.now(), bytes, taken: !(fault?.code || fault?.lose) };
    this.note(this.seen.messages, message);
    const id = `S${String(++this.count).padStart(6, '0')}`;
    if (message.taken) this.deliver(message, traceOf(session, id));
    return (await this.faults.play(fault, session)) ? undefined : `2.0.0 Ok: queued as ${id}`;
  }

  private deliver(message: SmtpMessage, trace: readonly string[]): void {
    const { delivery, options } = this;
    const { from, to, user, bytes } = message;
    const under = (lines: readonly string[]) =>
      Buffer.concat([Buffer.from(`${[`Return-Path: <${from}>`, ...lines, ...trace].join('\r\n')}\r\n`), bytes]);
    if (options.anyone !== undefined) {
      const whole = under(to.map(address => `Delivered-To: ${address}`));
      try {
        delivery.deliver(options.anyone, whole, { from, to: to[0]! });
      } catch (error) {
        throw refusal(451, `4.3.0 The message could not be stored: ${(error as Error).message}`);
      }
      return;
    }
    for (const address of to) {
      const account = delivery.accountOf(address);
      if (account !== undefined) delivery.deliver(account, under([]), { from, to: address });
    }
    if (options.saveSent && user !== undefined)
      delivery.deliver(user, bytes, { folder: { name: 'Sent', flags: ['\\Seen'] } });
  }
}

/** The answer to a login that proves nothing: to a token, as Gmail gives it. */
function refusedLogin(method: string): SMTPServerAuthenticationResponse {
  const why =
    method === 'XOAUTH2'
      ? {
          data: { status: '400', schemes: 'Bearer', scope: 'https://mail.google.com/' },
          message: '5.7.8 Username and Password not accepted',
        }
      : { message: '5.7.8 Error: authentication failed' };
  return { ...why, responseCode: 535 };
}

/** What the envelope says of a message. */
function described(session: SMTPServerSession): Omit<SmtpMessage, 'at' | 'bytes' | 'taken'> {
  const { mailFrom, rcptTo, dsn, smtpUtf8, bodyType } = session.envelope;
  return {
    session: session.id,
    user: nameOf(session),
    from: mailFrom ? mailFrom.address : '',
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
  };
}
