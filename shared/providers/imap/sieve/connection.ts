import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import { unlessAborted } from '../../../wait.js';
import type { Talk } from '../../../wireTalk.js';
import { certificateRefused, isCertificateError, tlsOptions } from '../account/certificate.js';
import type { Endpoint } from '../account/fields.js';
import { count } from '../session/commandPace.js';
import { addressOf } from '../session/imapConnect.js';
import { LoginWire } from '../session/loginWire.js';
import { observed, talkFor } from '../session/observe.js';
import { isPlainAnswer, noStartTls, speaksPlain, speaksTls, watchSilence } from '../session/tlsMix.js';
import { placeOf, refusalOf, SieveRefusal } from './refusal.js';
import { signIn } from './signIn.js';
import {
  collect,
  commandBytes,
  endOf,
  lineReader,
  stringBytes,
  textOf,
  type Answer,
  type Argument,
  type Token,
} from './wire.js';

/** From the first packet to the end of the login, in milliseconds. */
const CONNECT_DEADLINE = 30_000;
/** How long a command may take, in milliseconds; checking a script is the slowest. */
const COMMAND_DEADLINE = 60_000;
/** How long a server may take to say goodbye, in milliseconds. */
const GOODBYE = 2_000;

/** Commands that change something: of one whose answer is lost nobody knows whether it was done. */
const WRITES = new Set(['PUTSCRIPT', 'SETACTIVE', 'DELETESCRIPT', 'RENAMESCRIPT']);

/** A connection that is logged in. Commands go one after the other. */
export interface Sieve {
  readonly end: Endpoint;
  /** What the server said of itself, by names in capitals (RFC 5804 section 1.7). */
  readonly capabilities: ReadonlyMap<string, string>;
  readonly usable: boolean;
  /** How many commands that change something were sent. */
  readonly writes: number;
  /**
   * Sends a command and gives its answer. Throws a `SieveRefusal` for NO and BYE, a `MailError` where the connection
   * fails.
   */
  command(name: string, ...args: Argument[]): Promise<Answer>;
  close(): void;
  /** Says goodbye, and closes the connection after a while whatever is answered. */
  leave(): void;
}

/** The conversation over one socket, which STARTTLS replaces. */
interface Conversation {
  /** Told of what goes and comes. */
  wire: LoginWire | undefined;
  /**
   * Sends bytes, if any, and reads to the end of the answer. `challenge` is asked for what to answer to a line that is
   * one string alone.
   */
  exchange(bytes: Buffer | undefined, challenge?: (text: string) => string | Buffer): Promise<Answer>;
  heard(): boolean;
  fail(error: Error): void;
  /** Wraps the connection in TLS. */
  secure(make: (socket: Socket) => Socket, event: string): Promise<void>;
  /** Rejects when the conversation ends. */
  readonly failed: Promise<never>;
  readonly ended: boolean;
  destroy(): void;
}

/** Who waits for an answer. */
interface Waiting {
  lines: Token[][];
  challenge?: (text: string) => string | Buffer;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

class SocketConversation implements Conversation {
  wire: LoginWire | undefined;
  readonly failed: Promise<never>;
  private reader = lineReader();
  private over?: Error;
  private anythingHeard = false;
  private waiting?: Waiting;
  private giveUp!: (error: Error) => void;

  constructor(private socket: Socket) {
    this.failed = new Promise<never>((_, reject) => {
      this.giveUp = reject;
    });
    this.failed.catch(() => {});
    this.listen();
  }

  get ended(): boolean {
    return this.over !== undefined;
  }
  readonly heard = (): boolean => this.anythingHeard;
  destroy(): void {
    this.fail(new Error('closed'));
  }

  readonly fail = (error: Error): void => {
    this.giveUp((this.over ??= error));
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.reject(this.over);
    this.socket.destroy();
  };

  exchange(bytes: Buffer | undefined, challenge?: (text: string) => string | Buffer): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      if (this.over) return reject(this.over);
      this.waiting = { lines: [], resolve, reject, ...(challenge ? { challenge } : {}) };
      if (bytes) this.write(bytes);
    });
  }

  private write(bytes: Buffer): void {
    this.wire?.sent(bytes, this.socket);
    this.socket.write(bytes);
  }

  async secure(make: (socket: Socket) => Socket, event: string): Promise<void> {
    // Whatever somebody put behind the answer in clear text would be taken for words of the server (CVE-2011-0411).
    if (this.reader.rest > 0)
      throw new MailError('protocol', 'The Sieve server went on in clear text after it agreed to TLS.');
    const plain = this.socket;
    plain
      .removeListener('data', this.data)
      .removeListener('error', this.fail)
      .removeListener('close', this.closed)
      .on('error', () => {});
    const socket = (this.socket = make(plain));
    this.reader = lineReader();
    await new Promise<void>((resolve, reject) => {
      socket
        .once(event, resolve)
        .once('error', reject)
        .once('close', () => reject(new Error('the connection was closed')));
    });
    this.listen();
  }

  private listen(): void {
    this.socket.on('data', this.data).on('error', this.fail).on('close', this.closed);
  }
  private readonly closed = (): void => this.fail(new Error('the connection was closed'));
  private readonly data = (chunk: Buffer): void => {
    this.anythingHeard = true;
    this.wire?.came(chunk);
    try {
      for (const line of this.reader.push(chunk)) this.take(line);
    } catch (error) {
      this.fail(error as Error);
    }
  };

  private take(line: Token[]): void {
    if (!line.length) return;
    const { waiting } = this;
    const end = endOf(line);
    // Nobody asked: a server that says goodbye for itself, or one that answers twice.
    if (!waiting)
      return this.fail(
        end?.status === 'BYE' ? new SieveRefusal(end) : new MailError('protocol', 'The Sieve server spoke unasked.'),
      );
    const alone = line.length === 1 ? textOf(line[0]) : undefined;
    if (!end && waiting.challenge && alone !== undefined) {
      this.write(stringBytes(waiting.challenge(alone)));
      return;
    }
    if (!end) return collect(waiting.lines, line);
    const { resolve, reject, lines } = waiting;
    this.waiting = undefined;
    if (end.status === 'OK') return resolve({ ...end, lines });
    const refusal = new SieveRefusal(end);
    reject(refusal);
    if (end.status === 'BYE') this.fail(refusal);
  }
}

/** Connects and logs in. `renew` asks for a new OAuth 2 token. Throws a `MailError`, within a second of an abort. */
export async function connectSieve(ctx: Context, end: Endpoint, account: string, renew: boolean): Promise<Sieve> {
  const { signal } = ctx;
  const address = await unlessAborted(addressOf(ctx, end), signal);
  const tls = end.security === 'none' ? {} : await unlessAborted(tlsOptions(end, address), signal);
  signal?.throwIfAborted();
  const socket = connectTcp({ host: address, port: end.port });
  socket.setNoDelay(true);
  const talk: Conversation = new SocketConversation(socket);
  const kept = recorded(ctx, end, talk);
  const late = setTimeout(
    () =>
      talk.fail(
        new MailError('unavailable', `${placeOf(end)} did not let anyone in within ${CONNECT_DEADLINE / 1000} s.`),
      ),
    CONNECT_DEADLINE,
  );
  const spoken = watchSilence(end, address, talk.heard, () => talk.fail(speaksTls(end)));
  try {
    const letIn = async () => {
      await new Promise<void>(resolve => socket.once('connect', resolve));
      const told = await begin(end, talk, tls);
      await signIn(ctx, end, account, {
        offered: told.get('SASL') ?? '',
        renew,
        usable: () => !talk.ended,
        send: (bytes, challenge) => {
          count(ctx);
          return talk.exchange(bytes, challenge);
        },
      });
      return sieveOver(ctx, end, talk, capabilitiesIn(await talk.exchange(commandBytes('CAPABILITY', []))));
    };
    const work = Promise.race([letIn(), talk.failed]);
    return await unlessAborted(observed(ctx, end, 'AUTHENTICATE', '', work, { wire: kept }), signal);
  } catch (error) {
    talk.destroy();
    signal?.throwIfAborted();
    if (isCertificateError(error)) throw await certificateRefused(end, address, error);
    if (end.security === 'tls' && isPlainAnswer(error)) throw speaksPlain(end, error);
    throw refusalOf(error, end, { login: true });
  } finally {
    clearTimeout(late);
    spoken();
  }
}

/** What is kept of the next exchange over a connection, where the host asked for the wire. */
function recorded(ctx: Context, end: Endpoint, talk: Conversation): Talk | undefined {
  const kept = talkFor(ctx, end);
  talk.wire = kept && new LoginWire(kept, 'Sieve');
  return kept;
}

/** From the greeting to the capabilities that hold for the login, over TLS unless the account says otherwise. */
async function begin(end: Endpoint, talk: Conversation, tls: ConnectionOptions): Promise<Map<string, string>> {
  const overTls = () => talk.secure(plain => connectTls({ socket: plain, ...tls }), 'secureConnect');
  if (end.security === 'tls') await overTls();
  const told = capabilitiesIn(await talk.exchange(undefined));
  if (end.security !== 'starttls') return told;
  if (!told.has('STARTTLS')) throw noStartTls(end, new Error('STARTTLS is not offered'));
  await talk.exchange(commandBytes('STARTTLS', [])).catch((error: unknown) => {
    throw error instanceof SieveRefusal ? noStartTls(end, error) : error;
  });
  await overTls();
  // RFC 5804 section 2.2: the server says all of it again, unasked; what it said in clear text counts for nothing.
  return capabilitiesIn(await talk.exchange(undefined));
}

function capabilitiesIn({ lines }: Answer): Map<string, string> {
  return new Map(
    lines.flatMap(line => {
      const name = textOf(line[0]);
      return name === undefined ? [] : [[name.toUpperCase(), textOf(line[1]) ?? ''] as const];
    }),
  );
}

function sieveOver(ctx: Context, end: Endpoint, talk: Conversation, capabilities: ReadonlyMap<string, string>): Sieve {
  let sent = 0;
  return {
    end,
    capabilities,
    get usable() {
      return !talk.ended;
    },
    get writes() {
      return sent;
    },
    command(name, ...args) {
      count(ctx);
      const writes = WRITES.has(name);
      if (writes) sent++;
      const late = setTimeout(
        () =>
          talk.fail(
            new MailError(
              'unavailable',
              `${placeOf(end)} did not answer ${name} within ${COMMAND_DEADLINE / 1000} s.${writes ? ` ${inDoubt(name)}` : ''}`,
            ),
          ),
        COMMAND_DEADLINE,
      );
      const kept = recorded(ctx, end, talk);
      const work = talk
        .exchange(commandBytes(name, args))
        .catch((error: unknown) => {
          if (error instanceof SieveRefusal || error instanceof MailError) throw error;
          throw new MailError(
            'unavailable',
            `${placeOf(end)} ended the connection before it answered ${name}.${writes ? ` ${inDoubt(name)}` : ''}`,
            { cause: error },
          );
        })
        .finally(() => clearTimeout(late));
      const [first] = args;
      return observed(ctx, end, name, typeof first === 'string' ? first : '', work, { wire: kept });
    },
    close: () => talk.destroy(),
    leave() {
      const timer = setTimeout(() => talk.destroy(), GOODBYE);
      void talk
        .exchange(commandBytes('LOGOUT', []))
        .catch(() => {})
        .finally(() => {
          clearTimeout(timer);
          talk.destroy();
        });
    },
  };
}

const inDoubt = (name: string) =>
  `The server may or may not have done it (${name}); it is not tried again by itself, so look before you do.`;
