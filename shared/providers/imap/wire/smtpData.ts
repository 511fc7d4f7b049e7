import type { Socket } from 'node:net';
import type SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { windowsLines } from '../mime/lineEnds.js';
import { limits, lowSpeedWords, SpeedMeter } from '../session/timeLimits.js';

/*
 * The library connects, secures and logs in; the messages are handed over here. What it does with a message costs more than all the rest of sending:
 * each goes through half a dozen streams, and the next one waits for the answer to the one before (the bench shows both). Here a small one goes out
 * in one piece, and where the server takes commands in groups the envelope of the next goes out right behind it: such a group may begin with
 * message text (RFC 2920 section 3.1).
 */

/** Up to this size a message goes out in one piece, in bytes. A larger one goes in pieces, so that it is known whether its last byte went out. */
const ONE_PIECE = 64 * 1024;
/** No answer of a server is longer, in bytes. */
const LONGEST_REPLY = 1024 * 1024;

/** What the answer to EHLO says (RFC 5321 section 4.1.1.1); `size` is the largest message in bytes (RFC 1870). */
export interface ServerExtensions {
  pipelining: boolean; smtputf8: boolean; eightBit: boolean; dsn: boolean; sizes: boolean; size?: number;
  /** The ways of logging in, in the order the server has them. */
  auth: string[];
}

export function extensionsIn(said: string): ServerExtensions {
  // The first line is the server's name, whatever that is.
  const list = said.replace(/^.*\n?/, ''), auth = /^250[ -]AUTH[ =](.*)/im.exec(list)?.[1] ?? '', size = Number(/^250[ -]SIZE (\d+)/im.exec(list)?.[1]);
  const has = (word: string) => new RegExp(`^250[ -]${word}(?: |$)`, 'im').test(list);
  return { pipelining: has('PIPELINING'), smtputf8: has('SMTPUTF8'), eightBit: has('8BITMIME'), dsn: has('DSN'), sizes: has('SIZE'), auth: auth.toUpperCase().split(/\s+/).filter(Boolean),
    ...(size ? { size } : {}) };
}

/**
 * From whom, to whom, and what the server is told beforehand. `utf8`: an address in it or in the headers is international (RFC 6531). `notify` and
 * `id` ask for notifications (RFC 3461). Addresses are checked before.
 */
export interface Envelope { from: string; to: readonly string[]; size?: number; utf8?: boolean; eightBit?: boolean; notify?: readonly string[]; id?: string }

/** How far a message came on the wire: `begun` with its first byte, `handed` with its last, whatever came back. */
export interface DataProgress { begun: boolean; handed: boolean }

/** What went wrong, in the library's spelling: `code` says at which step, `responseCode` and `response` what the server said, if it said anything. */
export interface SmtpFailure {
  code?: string; responseCode?: number; response?: string; message?: string; command?: string; recipient?: string; rejectedErrors?: SmtpFailure[];
}

/** What the server took: for whom, and its last word. */
export interface Delivery { accepted: string[]; rejectedErrors: SmtpFailure[]; response: string }

export interface Session {
  readonly ended: boolean;
  /** Something is under way that has no answer yet. */
  readonly waiting: boolean;
  /**
   * Sends once. `onSent` is called when the last byte of a message in one piece is out and another may follow before the answer. Rejects with an
   * `SmtpFailure`, or with the signal's reason; a message that came before is not harmed by that.
   */
  send(
    envelope: Envelope, message: Buffer | AsyncIterable<Uint8Array>, progress: DataProgress, signal?: AbortSignal, onSent?: () => boolean,
  ): Promise<Delivery>;
  /** Says goodbye, and closes when the server has answered or `ms` milliseconds have passed. */
  quit(ms: number): void;
  close(): void;
}

interface Reply { code: number; text: string }
const failure = (code: string, what: string, reply: Reply, command: string): SmtpFailure & Error =>
  Object.assign(new Error(`${what}: ${reply.text}`), { code, responseCode: reply.code, response: reply.text, command });

/** The session goes on where the library's login ended. */
export function sessionOn(connection: SMTPConnection, can: ServerExtensions): Session {
  const socket = connection._socket as Socket;
  /** Who waits for an answer, in the order of the commands; no answer means that the session ended. */
  const pendingReplies: ((reply?: Reply) => void)[] = [];
  let ended = connection.destroyed, unreadText = '', replyText = '', failedBy: unknown, goodbye: Reply | undefined, onDrain = () => {};

  const closed = () => goodbye ? failure('ECONNECTION', 'the server closed the connection', goodbye, 'CONN')
    : Object.assign(new Error(failedBy ? (failedBy as Error).message : 'the connection was closed'),
      { code: (failedBy as SmtpFailure | undefined)?.code ?? 'ECONNECTION', cause: failedBy });
  const closeFor = (code: string, what: string) => { failedBy ??= Object.assign(new Error(what), { code }); connection.close(); };
  const protocol = (what: string) => closeFor('EPROTOCOL', what);

  // The library's time limit is one between two bytes, so a server that trickles would never meet it.
  const meter = new SpeedMeter();
  let replyAt: number | undefined;
  const watch = setInterval(() => {
    if (socket.writableLength === 0) meter.reset();
    else if (meter.isTooSlow(socket.bytesWritten - socket.writableLength)) closeFor('ETOOSLOW', `the server took less than ${lowSpeedWords()}`);
    if (replyAt !== undefined && performance.now() - replyAt > limits.reply) {
      closeFor('ENOEND', `the server's answer did not end within ${limits.reply / 1000} s`);
    }
  }, Math.min(1_000, limits.lowSpeedTime / 12, limits.reply / 4)).unref();
  if (ended) clearInterval(watch);

  // Errors, time limits and the end of the connection stay with the library; only what the server says comes here.
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    if (ended) return;
    replyAt ??= performance.now();
    unreadText += chunk.toString('latin1');
    for (let end; !ended && (end = unreadText.indexOf('\n')) >= 0;) {
      const line = unreadText.slice(0, end).replace(/\r$/, '');
      unreadText = unreadText.slice(end + 1);
      if (!/^[2-5]\d\d(?:[ -]|$)/.test(line)) return protocol(`the server said what is no answer: ${line.slice(0, 100)}`);
      replyText += replyText ? `\n${line}` : line;
      if (line[3] === '-') continue;
      const utf8 = /[^\x00-\x7f]/.test(replyText) ? Buffer.from(replyText, 'latin1').toString() : replyText;
      const reply = { code: Number(line.slice(0, 3)), text: utf8.includes('\ufffd') ? replyText : utf8 };
      replyText = '';
      replyAt = unreadText ? performance.now() : undefined;
      // With 421 the server says that it closes the connection, whatever it answers (RFC 5321 section 3.8).
      if (reply.code === 421) goodbye = reply;
      const whose = pendingReplies.shift();
      if (whose) whose(reply); else if (!goodbye) return protocol(`the server answered what was not asked: ${reply.text.slice(0, 100)}`);
      if (goodbye) return connection.close();
    }
    if (unreadText.length + replyText.length > LONGEST_REPLY) protocol('the server\'s answer has no end');
  });
  connection.on('error', error => { failedBy ??= error; });
  connection.once('end', () => { ended = true; clearInterval(watch); onDrain(); for (const one of pendingReplies.splice(0)) one(); });
  socket.on('drain', () => onDrain());

  /** The answers to so many commands, in order. */
  const nextReplies = (count: number, first?: () => void) => new Promise<Reply[]>((resolve, reject) => {
    const got: Reply[] = [];
    if (ended) return reject(closed());
    for (let i = 0; i < count; i++) {
      pendingReplies.push(reply => {
        if (!reply) return reject(closed());
        if (!i) first?.();
        if (got.push(reply) === count) resolve(got);
      });
    }
  });
  const sendCommand = async (command: string) => { if (ended) throw closed(); socket.write(`${command}\r\n`); return (await nextReplies(1))[0]!; };
  const writePiece = async (bytes: Buffer | string) => {
    if (ended) throw closed();
    if (!socket.write(bytes, 'latin1')) await new Promise<void>(resolve => { onDrain = resolve; });
    if (ended) throw closed();
  };

  const commands = ({ from, to, size, utf8, eightBit, notify, id }: Envelope) => {
    const parameters = [...(utf8 && can.smtputf8 ? ['SMTPUTF8'] : []), ...(eightBit && can.eightBit ? ['BODY=8BITMIME'] : []),
      ...(size && can.sizes ? [`SIZE=${size}`] : []),
      ...(notify?.length && can.dsn ? ['RET=HDRS', ...(id && xtext(id).length <= 100 ? [`ENVID=${xtext(id)}`] : [])] : [])];
    const notifyParameter = notify?.length && can.dsn ? ` NOTIFY=${notify.join(',').toUpperCase()}` : '';
    return { mail: `MAIL FROM:<${from}>${parameters.map(word => ` ${word}`).join('')}`, rcpt: to.map(address => `RCPT TO:<${address}>${notifyParameter}`) };
  };

  async function sendEnvelope(envelope: Envelope, first: () => void): Promise<Omit<Delivery, 'response'>> {
    const { mail, rcpt } = commands(envelope);
    let replies: Reply[];
    if (can.pipelining) {
      const all = nextReplies(rcpt.length + 2, first);
      socket.write(`${mail}\r\n${rcpt.join('\r\n')}\r\nDATA\r\n`);
      replies = await all;
    } else {
      replies = [await sendCommand(mail)];
      first();
      if (isGood(replies[0])) for (const one of rcpt) replies.push(await sendCommand(one));
      replies.push(replies.slice(1).some(isGood) ? await sendCommand('DATA') : { code: 503, text: '503 not asked' });
    }
    const sender = replies[0]!, dataReply = replies.at(-1)!;
    const perRecipient = replies.slice(1, -1).map((reply, i) => ({ reply, recipient: envelope.to[i]! }));
    const accepted = perRecipient.filter(({ reply }) => isGood(reply)).map(({ recipient }) => recipient);
    const rejectedErrors = perRecipient.filter(({ reply }) => !isGood(reply))
      .map(({ reply, recipient }) => Object.assign(failure('EENVELOPE', 'recipient refused', reply, 'RCPT TO'), { recipient }));
    let refusal: SmtpFailure | undefined;
    if (!isGood(sender)) refusal = failure('EENVELOPE', 'sender refused', sender, 'MAIL FROM');
    else if (!accepted.length) {
      // One who was only put off makes the whole something to try again.
      const { responseCode: code, response: text } = rejectedErrors.find(error => error.responseCode! < 500) ?? rejectedErrors.at(-1)!;
      refusal = Object.assign(failure('EENVELOPE', 'all recipients were refused', { code: code!, text: text! }, 'RCPT TO'), { rejectedErrors });
    } else if (dataReply.code !== 354) refusal = failure('EENVELOPE', 'the message was refused', dataReply, 'DATA');
    if (refusal) {
      // A server that says go to a message for nobody is left: an empty one must not come out of it.
      if (dataReply.code === 354) connection.close();
      else {
        const reset = sendCommand('RSET').then(reply => { if (!isGood(reply)) connection.close(); }, () => {});
        if (!can.pipelining) await reset;
      }
      throw refusal;
    }
    return { accepted, rejectedErrors };
  }

  async function send(
    envelope: Envelope, message: Buffer | AsyncIterable<Uint8Array>, progress: DataProgress, signal?: AbortSignal, onSent?: () => boolean,
  ): Promise<Delivery> {
    signal?.throwIfAborted();
    if (ended) throw closed();
    // While the answer to the message before is out, giving up must not cut it off.
    let ownTurn = pendingReplies.length === 0, abandoned = false;
    const run = async (): Promise<Delivery> => {
      const { accepted, rejectedErrors } = await sendEnvelope(envelope, () => { ownTurn = true; if (abandoned) connection.close(); });
      if (signal?.aborted || ended) throw closed();
      progress.begun = true;
      let last: Promise<Reply[]>;
      const dotStuffed = dotStuffing();
      if (Buffer.isBuffer(message) && message.length <= ONE_PIECE) {
        progress.handed = true;
        last = nextReplies(1);
        socket.cork();
        socket.write(Buffer.from(dotStuffed(message.toString('latin1')) + dotStuffed(), 'latin1'));
        // The envelope of the next message comes in this turn of the loop, if there is a next.
        if (onSent?.()) setImmediate(() => socket.uncork()); else socket.uncork();
      } else {
        // An answer before the end is a refusal, and the server need not read the rest.
        let early = false;
        last = nextReplies(1);
        last.then(() => { early = true; onDrain(); }, () => {});
        for await (const piece of Buffer.isBuffer(message) ? slices(message) : readable(message)) {
          if (early) break;
          await writePiece(Buffer.from(dotStuffed(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('latin1')), 'latin1'));
        }
        if (!early) {
          if (ended) throw closed();
          progress.handed = true;
          socket.write(dotStuffed());
        }
      }
      const reply = (await last)[0]!;
      if (reply.code >= 400) throw failure('EMESSAGE', 'the message was refused', reply, 'DATA');
      // Whatever else that says, it does not say that the message was refused.
      if (!isGood(reply) || !progress.handed) { protocol(`the server answered a message with ${reply.text.slice(0, 100)}`); throw closed(); }
      return { accepted, rejectedErrors, response: reply.text };
    };
    const late = setTimeout(() => closeFor('ETOOSLOW', `the message was not taken within ${limits.transfer / 60_000} minutes`), limits.transfer).unref();
    const running = run().finally(() => clearTimeout(late));
    if (!signal) return running.catch(broken);
    return new Promise((resolve, reject) => {
      const stop = () => {
        abandoned = true;
        if (!progress.handed && ownTurn) connection.close();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', stop, { once: true });
      running.catch(broken).then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
    // Half a message cannot be taken back but by closing.
    function broken(error: unknown): never {
      if (progress.begun && !progress.handed) connection.close();
      throw error;
    }
  }

  return {
    get ended() { return ended; },
    get waiting() { return pendingReplies.length > 0; },
    send,
    quit(ms) {
      if (ended) return;
      const timer = setTimeout(() => connection.close(), ms);
      connection.once('end', () => clearTimeout(timer));
      sendCommand('QUIT').then(() => connection.close(), () => {});
    },
    close: () => connection.close(),
  };
}

const isGood = (reply: Reply | undefined) => reply !== undefined && reply.code >= 200 && reply.code < 300;

/** RFC 3461 section 4; what it makes of an id may have 100 characters (section 4.4). */
const xtext = (value: string) => value.replace(/[^!-*,-<>-~]/g,
  c => [...Buffer.from(c)].map(byte => `+${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''));

/** Tells a file that cannot be read from a server that cannot be reached. */
async function* readable(source: AsyncIterable<Uint8Array>) {
  try { yield* source; } catch (cause) { throw Object.assign(new Error((cause as Error).message, { cause }), { code: 'ESTREAM' }); }
}
function* slices(bytes: Buffer) { for (let at = 0; at < bytes.length; at += ONE_PIECE) yield bytes.subarray(at, at + ONE_PIECE); }

/**
 * Prepares text, a byte a character, for the wire, piece by piece; without a piece it gives the end of the message. A dot at the beginning of a line
 * is doubled (RFC 5321 section 4.5.2), and every CR and LF becomes CRLF.
 */
export function dotStuffing(): (piece?: string) => string {
  const lines = windowsLines();
  let begins = true;
  return piece => {
    if (piece === undefined) { const broken = lines(); return `${broken}${begins || broken ? '' : '\r\n'}.\r\n`; }
    let text = lines(piece);
    if (text.includes('\n.')) text = text.replaceAll('\n.', '\n..');
    if (begins && text.startsWith('.')) text = `.${text}`;
    if (text) begins = text.endsWith('\n');
    return text;
  };
}
