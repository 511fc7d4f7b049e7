import { tlsFacts } from '../../../tlsFacts.js';
import { Talk } from '../../../wireTalk.js';
import type { Endpoint } from '../account/fields.js';
import type { ImapFlow } from '../libraries.js';

/*
 * What goes and comes on one connection, told apart by command. The library writes in one place and takes what comes in
 * one place; both are listened to, and only on connections whose host asked for it.
 */

/** What is used of the library besides its documented calls. A version without it shows nothing of the wire. */
interface Inside {
  write?(chunk: unknown): unknown;
  commandParts?: unknown[];
  tagCounter?: number;
  socket?: object | false | null;
  streamer?: { processInputChunk?(chunk: Buffer): Promise<void> };
}
/** A command from when it is asked for until its answer has come. */
interface Command {
  name: string;
  talk: Talk;
  written: boolean;
}

const LF = 0x0a;
/** So many bytes are enough to tell which command an answer belongs to. */
const MOST_OF_A_HEAD = 256;
/** At the end of a line: so many bytes follow that are part of it (RFC 9051 section 4.3, RFC 7888). */
const LITERAL = /~?\{(\d{1,15})[+-]?\}\r?\n$/;
/** The longest such mark, in bytes. */
const MARK = 22;
/** Nothing of what these carry is kept, nor of what the server asks for in between. */
const SECRET = /^(?:AUTHENTICATE|LOGIN)$/;
/** Until they are answered, whatever is written belongs to them. */
const TALKS = /^(?:AUTHENTICATE|IDLE)$/;
const MECHANISM = /^\S+ AUTHENTICATE (?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER)(?=\s)/i;

/** A literal of more bytes is not copied for its line end. */
const MOST_COPIED = 64 * 1024;

const literalIn = (line: Uint8Array): number | undefined => {
  const size = LITERAL.exec(Buffer.from(line.subarray(-MARK)).toString('latin1'))?.[1];
  return size === undefined ? undefined : Number(size);
};

/** Listens to one connection. */
export class ImapWire {
  readonly #commands = new Map<string, Command>();
  /** What the server said while nobody asked: the greeting, and news. */
  readonly #unasked: Talk;
  /** The command that is being written, and how many bytes of a literal of it are still to come. */
  #writing: [tag: string, command: Command] | undefined;
  #toWrite = 0;
  /** Whose answer is being read, as soon as that is known. */
  #reading: { talk: Talk; tag?: string; hidden?: true } | undefined;
  #head: Buffer = Buffer.alloc(0);
  #toRead = 0;
  /** The end of what was read of a line. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(
    private readonly inside: Inside,
    private readonly end: Endpoint,
  ) {
    this.#unasked = this.#talk();
  }

  /** What is kept of the command that the library is asked for next. */
  expect(name: string): Talk {
    const tag = ((this.inside.tagCounter ?? 0) + 1).toString(16).toUpperCase();
    return this.#add(tag, name).talk;
  }
  /** What is kept of a command that goes over the connection beside the library. */
  beside(tag: string): Talk | undefined {
    return this.#commands.get(tag)?.talk;
  }
  /** The command is over, answered or not. */
  over(talk: Talk): void {
    for (const [tag, one] of this.#commands) if (one.talk === talk) this.#commands.delete(tag);
  }

  /** Bytes that go out, with their line ends. */
  sent(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const literal = this.#toWrite > 0;
      const end = literal ? at + this.#toWrite : bytes.indexOf(LF, at) + 1 || bytes.length;
      const part = bytes.subarray(at, end);
      at = Math.min(end, bytes.length);
      const [tag, command] = (this.#writing ??= this.#begun(part));
      if (literal) {
        this.#toWrite -= part.length;
        if (!SECRET.test(command.name)) command.talk.say('client', part);
        continue;
      }
      command.talk.say('client', SECRET.test(command.name) ? masked(part, tag) : part);
      const size = literalIn(part);
      this.#toWrite = size ?? 0;
      if (size === undefined && part.at(-1) === LF) this.#writing = undefined;
    }
  }

  /** Bytes that come in. */
  came(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#toRead > 0) {
        const part = bytes.subarray(at, at + this.#toRead);
        this.#toRead -= part.length;
        at += part.length;
        this.#hear(part);
        continue;
      }
      const lineEnd = bytes.indexOf(LF, at) + 1;
      let part = bytes.subarray(at, lineEnd || bytes.length);
      at += part.length;
      if (!this.#reading) {
        part = this.#head = this.#head.length ? Buffer.concat([this.#head, part]) : part;
        if (!lineEnd && this.#head.length < MOST_OF_A_HEAD) return;
        this.#reading = this.#whose(this.#head.toString('latin1', 0, MOST_OF_A_HEAD));
        this.#head = Buffer.alloc(0);
      }
      this.#tail = Buffer.concat([this.#tail, part.subarray(-MARK)]).subarray(-MARK);
      this.#hear(part);
      if (lineEnd) this.#lineRead();
    }
  }

  #lineRead(): void {
    const literal = literalIn(this.#tail);
    this.#tail = Buffer.alloc(0);
    if (literal !== undefined) {
      this.#toRead = literal;
      return;
    }
    const { tag } = this.#reading!;
    this.#reading = undefined;
    if (tag === undefined) return;
    this.#commands.delete(tag);
    // Where a literal was refused, it is not sent.
    if (this.#writing?.[0] === tag) {
      this.#writing = undefined;
      this.#toWrite = 0;
    }
  }

  #hear(part: Buffer): void {
    const { talk, tag, hidden } = this.#reading!;
    if (hidden) return;
    if (tag === undefined) talk.say('server', part);
    else talk.end(part);
  }

  /** Whose an answer is that begins so: what has no tag belongs to the oldest command that may be meant. */
  #whose(head: string): { talk: Talk; tag?: string; hidden?: true } {
    const tag = /^\S+/.exec(head)?.[0] ?? '';
    const own = this.#commands.get(tag);
    if (own?.written) return { talk: own.talk, tag };
    const underWay = [...this.#commands.values()].filter(({ written }) => written);
    const rows = /^\* \d+ FETCH\b/i.test(head) ? underWay.filter(({ name }) => name.endsWith('FETCH')) : [];
    const asking = head.startsWith('+') ? underWay.findLast(({ name }) => SECRET.test(name)) : undefined;
    if (asking) {
      asking.talk.say('server', '+ ***\r\n');
      return { talk: asking.talk, hidden: true };
    }
    const writing = head.startsWith('+') ? this.#writing?.[1] : undefined;
    return { talk: (writing ?? rows[0] ?? underWay[0])?.talk ?? this.#unasked };
  }

  /** The command that begins with a line. */
  #begun(line: Buffer): [string, Command] {
    for (const [tag, one] of this.#commands) if (one.written && TALKS.test(one.name)) return [tag, one];
    const [, tag = '', name = ''] = /^(\S+) ((?:UID )?\S+)/i.exec(line.toString('latin1', 0, 100)) ?? [];
    const command = this.#commands.get(tag) ?? this.#add(tag, name.toUpperCase());
    const others = [...this.#commands.values()].filter(({ written }) => written);
    command.written = true;
    for (const one of others.length ? [command, ...others] : []) one.talk.together = true;
    command.talk.precede(this.#unasked.take());
    command.talk.tls = tlsFacts(this.inside.socket);
    return [tag, command];
  }

  #add(tag: string, name: string): Command {
    const command: Command = { name, talk: this.#talk(), written: false };
    this.#commands.set(tag, command);
    return command;
  }
  #talk = (): Talk => new Talk(this.end.hide ?? String);
}

/** A line of a login: the command, the way, and nothing else. */
function masked(line: Buffer, tag: string): string {
  const text = line.toString('latin1');
  if (!text.startsWith(`${tag} `)) return '***\r\n';
  const shown = MECHANISM.exec(text)?.[0] ?? /^\S+ \S+/.exec(text)?.[0] ?? tag;
  return shown.length < text.trimEnd().length ? `${shown} ***\r\n` : `${shown}\r\n`;
}

/** Listens to a connection; undefined where the library is another than the one known here. */
export function listenToWire(client: ImapFlow, end: Endpoint): ImapWire | undefined {
  const inside = client as unknown as Inside;
  const write = inside.write?.bind(client);
  const { streamer } = inside;
  const process = streamer?.processInputChunk?.bind(streamer);
  if (!write || !streamer || !process || inside.tagCounter === undefined) return undefined;
  const wire = new ImapWire(inside, end);
  inside.write = chunk => {
    // The library ends a command with its last part, and the parts of a command are counted before.
    const ends = inside.commandParts?.length ? '' : '\r\n';
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : (chunk as Buffer);
    if (bytes.length <= MOST_COPIED) wire.sent(Buffer.concat([bytes, Buffer.from(ends)]));
    else {
      wire.sent(bytes);
      wire.sent(Buffer.from(ends));
    }
    return write(chunk);
  };
  streamer.processInputChunk = chunk => {
    wire.came(chunk);
    return process(chunk);
  };
  return wire;
}
