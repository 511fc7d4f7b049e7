import type SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import type { Talk } from '../../../wireTalk.js';
import { limits } from '../session/timeLimits.js';
import { dotStuffing } from './dotStuffing.js';
import { commandsOf, type Envelope, type ServerExtensions } from './smtpEnvelope.js';
import { failure, isGood, SmtpStream, type Reply, type SmtpFailure } from './smtpStream.js';

/*
 * The library connects, secures and logs in; the messages are handed over here. What it does with a message costs more
 * than all the rest of sending: each goes through half a dozen streams, and the next one waits for the answer to the
 * one before (the bench shows both). Here a small one goes out in one piece, and where the server takes commands in
 * groups the envelope of the next goes out right behind it: such a group may begin with message text (RFC 2920 section
 * 3.1).
 */

/**
 * Up to this size a message goes out in one piece, in bytes. A larger one goes in pieces, so that it is known whether
 * its last byte went out.
 */
const ONE_PIECE = 64 * 1024;

type Content = Buffer | AsyncIterable<Uint8Array>;

/** How far a message came on the wire: `begun` with its first byte, `handed` with its last, whatever came back. */
export interface DataProgress {
  begun: boolean;
  handed: boolean;
}

/**
 * Around the sending of a message. `onSent` is called when the last byte of a message in one piece is out and another
 * may follow before the answer; `talk` keeps what is said.
 */
export interface Around {
  signal?: AbortSignal | undefined;
  onSent?: () => boolean;
  talk?: Talk | undefined;
}

/** What the server took: for whom, and its last word. */
export interface Delivery {
  accepted: string[];
  rejectedErrors: SmtpFailure[];
  response: string;
}

export interface Session {
  readonly ended: boolean;
  /** Something is under way that has no answer yet. */
  readonly waiting: boolean;
  /**
   * Sends once. Rejects with an `SmtpFailure`, or with the signal's reason; a message that came before is not harmed by
   * that.
   */
  send(envelope: Envelope, message: Content, progress: DataProgress, around?: Around): Promise<Delivery>;
  /** Says goodbye, and closes when the server has answered or `ms` milliseconds have passed. */
  quit(ms: number): void;
  close(): void;
}

/** The session goes on where the library's login ended. */
export function sessionOn(connection: SMTPConnection, can: ServerExtensions): Session {
  return new DataSession(connection, can);
}

class DataSession implements Session {
  private readonly stream: SmtpStream;

  constructor(
    private readonly connection: SMTPConnection,
    private readonly can: ServerExtensions,
  ) {
    this.stream = new SmtpStream(connection);
  }

  get ended(): boolean {
    return this.stream.ended;
  }

  get waiting(): boolean {
    return this.stream.waiting;
  }

  close(): void {
    this.stream.close();
  }

  quit(ms: number): void {
    const { stream } = this;
    if (stream.ended) return;
    const timer = setTimeout(() => stream.close(), ms);
    this.connection.once('end', () => clearTimeout(timer));
    stream.command('QUIT').then(
      () => stream.close(),
      () => {},
    );
  }

  async send(envelope: Envelope, message: Content, progress: DataProgress, around: Around = {}): Promise<Delivery> {
    const { stream } = this;
    const { signal } = around;
    signal?.throwIfAborted();
    if (stream.ended) throw stream.closed();
    const transaction = new Transaction(stream, this.can, envelope, message, progress, around);
    const late = setTimeout(() => stream.closeFor('ETOOSLOW', tooSlow()), limits.transfer).unref();
    const running = transaction
      .run()
      .finally(() => clearTimeout(late))
      .catch((error: unknown) => transaction.broken(error));
    if (!signal) return running;
    return new Promise((resolve, reject) => {
      const stop = () => {
        transaction.giveUp();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', stop, { once: true });
      running.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }
}

const tooSlow = () => `the message was not taken within ${limits.transfer / 60_000} minutes`;

/** One message on its way: MAIL FROM, RCPT TO, DATA, and the text. */
class Transaction {
  /** While the answer to the message before is out, giving up must not cut it off. */
  private isOwnTurn: boolean;
  private isGivenUp = false;

  constructor(
    private readonly stream: SmtpStream,
    private readonly can: ServerExtensions,
    private readonly envelope: Envelope,
    private readonly message: Content,
    private readonly progress: DataProgress,
    private readonly around: Around,
  ) {
    this.isOwnTurn = !stream.waiting;
    if (around.talk) around.talk.tls = stream.tls;
  }

  async run(): Promise<Delivery> {
    const { stream, progress, message } = this;
    const replies = await this.sendEnvelope();
    const { accepted, rejectedErrors, refusal } = judged(replies, this.envelope);
    if (refusal) {
      await this.withdraw(replies.at(-1)!);
      throw refusal;
    }
    if (this.around.signal?.aborted || stream.ended) throw stream.closed();
    progress.begun = true;
    const isSmall = Buffer.isBuffer(message) && message.length <= ONE_PIECE;
    const reply = (await (isSmall ? this.sendWhole(message) : this.sendPieces()))[0]!;
    if (reply.code >= 400) throw failure('EMESSAGE', 'the message was refused', reply, 'DATA');
    // Whatever else that says, it does not say that the message was refused.
    if (!isGood(reply) || !progress.handed) {
      stream.protocol(`the server answered a message with ${reply.text.slice(0, 100)}`);
      throw stream.closed();
    }
    return { accepted, rejectedErrors, response: reply.text };
  }

  /** Nobody waits for it any more. */
  giveUp(): void {
    this.isGivenUp = true;
    if (!this.progress.handed && this.isOwnTurn) this.stream.close();
  }

  /** Half a message cannot be taken back but by closing. */
  broken(error: unknown): never {
    if (this.progress.begun && !this.progress.handed) this.stream.close();
    throw error;
  }

  /** The answers to MAIL FROM, to each RCPT TO, and to DATA. */
  private sendEnvelope(): Promise<Reply[]> {
    const { mail, rcpt } = commandsOf(this.envelope, this.can);
    return this.can.pipelining ? this.sendTogether(mail, rcpt) : this.sendOneByOne(mail, rcpt);
  }

  private sendTogether(mail: string, rcpt: readonly string[]): Promise<Reply[]> {
    const { talk } = this.around;
    const replies = this.stream.nextReplies(rcpt.length + 2, talk, () => this.beginTurn());
    this.stream.write(`${mail}\r\n${rcpt.join('\r\n')}\r\nDATA\r\n`, talk);
    return replies;
  }

  private async sendOneByOne(mail: string, rcpt: readonly string[]): Promise<Reply[]> {
    const { talk } = this.around;
    const replies = [await this.stream.command(mail, talk)];
    this.beginTurn();
    if (isGood(replies[0])) for (const one of rcpt) replies.push(await this.stream.command(one, talk));
    const isForSomebody = replies.slice(1).some(isGood);
    replies.push(isForSomebody ? await this.stream.command('DATA', talk) : { code: 503, text: '503 not asked' });
    return replies;
  }

  /** The message before has its answer. */
  private beginTurn(): void {
    this.isOwnTurn = true;
    if (this.isGivenUp) this.stream.close();
  }

  /** After a refusal the session goes on without the message. */
  private async withdraw(dataReply: Reply): Promise<void> {
    const { stream } = this;
    // A server that says go to a message for nobody is left: an empty one must not come out of it.
    if (dataReply.code === 354) {
      stream.close();
      return;
    }
    const reset = stream.command('RSET', this.around.talk).then(
      reply => {
        if (!isGood(reply)) stream.close();
      },
      () => {},
    );
    if (!this.can.pipelining) await reset;
  }

  private sendWhole(message: Buffer): Promise<Reply[]> {
    const { stream, around } = this;
    const dotStuffed = dotStuffing();
    this.progress.handed = true;
    const last = stream.nextReplies(1, around.talk);
    stream.cork();
    stream.write(Buffer.concat([dotStuffed(message), dotStuffed()]), around.talk);
    // The envelope of the next message comes in this turn of the loop, if there is a next.
    if (around.onSent?.()) setImmediate(() => stream.uncork());
    else stream.uncork();
    return last;
  }

  private async sendPieces(): Promise<Reply[]> {
    const { stream, message } = this;
    const { talk } = this.around;
    const dotStuffed = dotStuffing();
    // An answer before the end is a refusal, and the server need not read the rest.
    let early = false;
    const last = stream.nextReplies(1, talk);
    last.then(
      () => {
        early = true;
        stream.stopWaiting();
      },
      () => {},
    );
    for await (const piece of Buffer.isBuffer(message) ? [message] : readable(message)) {
      for (const slice of slices(piece)) {
        if (early) break;
        await stream.writePiece(dotStuffed(slice), talk);
      }
      if (early) break;
    }
    if (!early) {
      if (stream.ended) throw stream.closed();
      this.progress.handed = true;
      stream.write(dotStuffed(), talk);
    }
    return last;
  }
}

/** What the answers to an envelope say: for whom the message goes on, and why it does not. */
function judged(replies: readonly Reply[], { to }: Envelope): Omit<Delivery, 'response'> & { refusal?: SmtpFailure } {
  const sender = replies[0]!;
  const dataReply = replies.at(-1)!;
  const accepted: string[] = [];
  const rejectedErrors: SmtpFailure[] = [];
  for (const [i, reply] of replies.slice(1, -1).entries()) {
    const recipient = to[i]!;
    if (isGood(reply)) accepted.push(recipient);
    else rejectedErrors.push(Object.assign(failure('EENVELOPE', 'recipient refused', reply, 'RCPT TO'), { recipient }));
  }
  let refusal: SmtpFailure | undefined;
  if (!isGood(sender)) refusal = failure('EENVELOPE', 'sender refused', sender, 'MAIL FROM');
  else if (!accepted.length) refusal = allRefused(rejectedErrors);
  else if (dataReply.code !== 354) refusal = failure('EENVELOPE', 'the message was refused', dataReply, 'DATA');
  return { accepted, rejectedErrors, refusal };
}

function allRefused(rejectedErrors: SmtpFailure[]): SmtpFailure {
  // One who was only put off makes the whole something to try again.
  const { responseCode, response } = rejectedErrors.find(error => error.responseCode! < 500) ?? rejectedErrors.at(-1)!;
  const reply = { code: responseCode!, text: response! };
  return Object.assign(failure('EENVELOPE', 'all recipients were refused', reply, 'RCPT TO'), { rejectedErrors });
}

/** Tells a file that cannot be read from a server that cannot be reached. */
async function* readable(source: AsyncIterable<Uint8Array>) {
  try {
    yield* source;
  } catch (cause) {
    throw Object.assign(new Error((cause as Error).message, { cause }), { code: 'ESTREAM' });
  }
}

function* slices({ buffer, byteOffset, byteLength }: Uint8Array) {
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  for (let at = 0; at < bytes.length; at += ONE_PIECE) yield bytes.subarray(at, at + ONE_PIECE);
}
