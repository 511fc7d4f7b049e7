import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import type { TlsFacts } from '../../../exchange.js';
import { tlsFacts } from '../../../tlsFacts.js';
import type { Talk } from '../../../wireTalk.js';
import { limits, lowSpeedWords, SpeedMeter } from '../session/timeLimits.js';

/** No answer of a server is longer, in bytes. */
const LONGEST_REPLY = 1024 * 1024;
/** A line of an answer (RFC 5321 section 4.2). */
const REPLY_LINE = /^[2-5]\d\d(?:[ -]|$)/;

/**
 * What went wrong, in the library's spelling: `code` says at which step, `responseCode` and `response` what the server
 * said, if it said anything.
 */
export interface SmtpFailure {
  code?: string;
  responseCode?: number;
  response?: string;
  message?: string;
  command?: string;
  recipient?: string;
  rejectedErrors?: SmtpFailure[];
}

/** An answer of the server; `text` is all of its lines. */
export interface Reply {
  code: number;
  text: string;
}
export const isGood = (reply: Reply | undefined) => reply !== undefined && reply.code >= 200 && reply.code < 300;

export const failure = (code: string, what: string, reply: Reply, command: string): SmtpFailure & Error =>
  Object.assign(new Error(`${what}: ${reply.text}`), { code, responseCode: reply.code, response: reply.text, command });

/**
 * Commands out and answers in, on a connection whose login is done. Errors and the end of the connection stay with the
 * library.
 */
export class SmtpStream {
  ended: boolean;
  private readonly socket: Socket;
  /**
   * Who waits for an answer, in the order of the commands; no answer means that the session ended. `talk` keeps what
   * comes.
   */
  private readonly pendingReplies: { take(reply?: Reply): void; talk: Talk | undefined }[] = [];
  /** What came of a line that has not ended. */
  private unreadText = '';
  /** The lines of an answer that has not ended. */
  private replyText = '';
  /** When an answer began that has not ended. */
  private replyAt: number | undefined;
  private failedBy: unknown;
  /** The answer with which the server closes the connection. */
  private goodbye: Reply | undefined;
  private onDrain = () => {};
  private readonly meter = new SpeedMeter();
  private readonly watch: NodeJS.Timeout;

  constructor(private readonly connection: SMTPConnection) {
    this.socket = connection._socket as Socket;
    this.ended = connection.destroyed;
    const period = Math.min(1_000, limits.lowSpeedTime / 12, limits.reply / 4);
    this.watch = setInterval(() => this.checkSpeed(), period).unref();
    if (this.ended) clearInterval(this.watch);
    this.socket.removeAllListeners('data');
    this.socket.on('data', (chunk: Buffer) => this.receive(chunk));
    this.socket.on('drain', () => this.onDrain());
    connection.on('error', error => {
      this.failedBy ??= error;
    });
    connection.once('end', () => this.end());
  }

  /** Something is under way that has no answer yet. */
  get waiting(): boolean {
    return this.pendingReplies.length > 0;
  }

  close(): void {
    this.connection.close();
  }

  closeFor(code: string, what: string): void {
    this.failedBy ??= Object.assign(new Error(what), { code });
    this.connection.close();
  }

  /** Closes, because the server does not speak SMTP. */
  protocol(what: string): void {
    this.closeFor('EPROTOCOL', what);
  }

  /** Why nothing more can be said. */
  closed(): Error {
    if (this.goodbye) return failure('ECONNECTION', 'the server closed the connection', this.goodbye, 'CONN');
    const cause = this.failedBy as (SmtpFailure & Error) | undefined;
    const error = new Error(cause ? cause.message : 'the connection was closed');
    return Object.assign(error, { code: cause?.code ?? 'ECONNECTION', cause });
  }

  /** How the connection is protected. */
  get tls(): TlsFacts | undefined {
    return tlsFacts(this.socket);
  }

  /** Sends a command alone, and resolves with its answer. */
  async command(text: string, talk?: Talk): Promise<Reply> {
    if (this.ended) throw this.closed();
    this.write(`${text}\r\n`, talk);
    return (await this.nextReplies(1, talk))[0]!;
  }

  write(bytes: Buffer | string, talk?: Talk): void {
    talk?.say('client', bytes);
    this.socket.write(bytes);
  }

  /** Holds back what is written until `uncork`, so that it goes out together. */
  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  /** Resolves when the system has room for more, or after `stopWaiting`. */
  async writePiece(bytes: Buffer, talk?: Talk): Promise<void> {
    if (this.ended) throw this.closed();
    talk?.say('client', bytes);
    if (!this.socket.write(bytes))
      await new Promise<void>(resolve => {
        this.onDrain = resolve;
      });
    if (this.ended) throw this.closed();
  }

  stopWaiting(): void {
    this.onDrain();
  }

  /** The answers to so many commands, in order. */
  nextReplies(count: number, talk?: Talk, first?: () => void): Promise<Reply[]> {
    return new Promise((resolve, reject) => {
      const got: Reply[] = [];
      if (this.ended) return reject(this.closed());
      for (let i = 0; i < count; i++) {
        this.pendingReplies.push({
          talk,
          take: reply => {
            if (!reply) return reject(this.closed());
            if (!i) first?.();
            if (got.push(reply) === count) resolve(got);
          },
        });
      }
    });
  }

  private receive(chunk: Buffer): void {
    if (this.ended) return;
    this.replyAt ??= performance.now();
    this.unreadText += chunk.toString('latin1');
    for (let end = this.unreadText.indexOf('\n'); end >= 0 && !this.ended; end = this.unreadText.indexOf('\n')) {
      const line = this.unreadText.slice(0, end).replace(/\r$/, '');
      this.unreadText = this.unreadText.slice(end + 1);
      if (!this.receiveLine(line)) return;
    }
    const length = this.unreadText.length + this.replyText.length;
    if (length > LONGEST_REPLY) this.protocol("the server's answer has no end");
  }

  /** False when the connection was closed because of it. */
  private receiveLine(line: string): boolean {
    this.pendingReplies[0]?.talk?.say('server', Buffer.from(`${line}\r\n`, 'latin1'));
    if (!REPLY_LINE.test(line)) {
      this.protocol(`the server said what is no answer: ${line}`);
      return false;
    }
    this.replyText += this.replyText ? `\n${line}` : line;
    if (line[3] === '-') return true;
    const reply = { code: Number(line.slice(0, 3)), text: decoded(this.replyText) };
    this.replyText = '';
    this.replyAt = this.unreadText ? performance.now() : undefined;
    return this.receiveReply(reply);
  }

  /** False when the connection was closed because of it. */
  private receiveReply(reply: Reply): boolean {
    // With 421 the server says that it closes the connection, whatever it answers (RFC 5321 section 3.8).
    if (reply.code === 421) this.goodbye = reply;
    const whose = this.pendingReplies.shift();
    if (whose) whose.take(reply);
    else if (!this.goodbye) {
      this.protocol(`the server answered what was not asked: ${reply.text}`);
      return false;
    }
    if (!this.goodbye) return true;
    this.connection.close();
    return false;
  }

  /** The library's time limit is one between two bytes, so a server that trickles would never meet it. */
  private checkSpeed(): void {
    const { socket, meter, replyAt } = this;
    if (socket.writableLength === 0) meter.reset();
    else if (meter.isTooSlow(socket.bytesWritten - socket.writableLength)) {
      this.closeFor('ETOOSLOW', `the server took less than ${lowSpeedWords()}`);
    }
    if (replyAt !== undefined && performance.now() - replyAt > limits.reply) {
      this.closeFor('ENOEND', `the server's answer did not end within ${limits.reply / 1000} s`);
    }
  }

  private end(): void {
    this.ended = true;
    clearInterval(this.watch);
    this.onDrain();
    for (const one of this.pendingReplies.splice(0)) one.take();
  }
}

/** The text of bytes that were read as one character each: UTF-8 where it is that. */
function decoded(text: string): string {
  if (!/[^\x00-\x7f]/.test(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : text;
}
