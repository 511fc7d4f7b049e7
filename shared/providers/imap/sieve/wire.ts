import { MailError } from '../../../errors.js';

/*
 * The words of ManageSieve (RFC 5804 section 4): lines of atoms, strings in quotes, literals and parentheses.
 */

/**
 * One piece of a line. A string holds its bytes; an atom, such as OK or ACTIVE, is in capitals whatever the server
 * wrote.
 */
export type Token = { string: Buffer } | { atom: string } | '(' | ')';
/** What a server answers to one command: lines of data, and how it ended. */
export interface Answer {
  lines: Token[][];
  status: 'OK' | 'NO' | 'BYE';
  /** The response code, such as QUOTA/MAXSIZE, and what stands behind it (section 1.3). */
  code?: string;
  detail?: string;
  /** The server's words, for a person. */
  text: string;
}

/** So long may a script be, in bytes; Dovecot takes one megabyte and Cyrus 32 kilobytes unless told otherwise. */
export const MOST_SCRIPT = 4 * 1024 * 1024;
/** So many bytes may a line have beside its literals, and so many lines an answer. */
const MOST_LINE = 64 * 1024;
const MOST_LINES = 10_000;
/** Strings up to this many bytes go in quotes (section 4: 1024 octets at most). */
const MOST_QUOTED = 1_000;

const CR = 13;
const LF = 10;
const QUOTE = 34;
const BACKSLASH = 92;
const SPACE = 32;
const TAB = 9;
const OPEN = 40;
const CLOSE = 41;
const BRACE = 123;
const notSieve = (what: string) =>
  new MailError('protocol', `The Sieve server sent something that is not ManageSieve: ${what}.`);

/** A whole line from the beginning of the bytes, or how many bytes it takes at least. */
type Line = { tokens: Token[]; used: number } | { need: number };

function readLine(bytes: Buffer): Line {
  const tokens: Token[] = [];
  let at = 0;
  let literals = 0;
  const more = (): Line => {
    if (Math.max(at, bytes.length) - literals > MOST_LINE) throw notSieve(`a line of more than ${MOST_LINE} bytes`);
    return { need: bytes.length + 1 };
  };
  for (;;) {
    if (at >= bytes.length || at - literals > MOST_LINE) return more();
    const byte = bytes[at]!;
    if (byte === LF) return { tokens, used: at + 1 };
    if (byte === CR || byte === SPACE || byte === TAB) {
      at++;
      continue;
    }
    if (byte === OPEN || byte === CLOSE) {
      tokens.push(byte === OPEN ? '(' : ')');
      at++;
      continue;
    }
    if (byte === QUOTE) {
      const quoted = readQuoted(bytes, at + 1);
      if (!quoted) return more();
      tokens.push({ string: quoted.string });
      at = quoted.next;
    } else if (byte === BRACE) {
      const end = bytes.indexOf(LF, at);
      if (end < 0) return more();
      const size = Number(/^\{(\d{1,10})\+?\}\r?$/.exec(bytes.toString('latin1', at, end))?.[1] ?? NaN);
      if (Number.isNaN(size)) throw notSieve('a literal without a size');
      if (literals + size > MOST_SCRIPT) throw notSieve(`a text of ${size} bytes, where ${MOST_SCRIPT} are the most`);
      if (end + 1 + size > bytes.length) return { need: end + 1 + size };
      tokens.push({ string: Buffer.from(bytes.subarray(end + 1, end + 1 + size)) });
      literals += size;
      at = end + 1 + size;
    } else {
      const start = at;
      while (at < bytes.length && ![CR, LF, SPACE, TAB, OPEN, CLOSE, QUOTE].includes(bytes[at]!)) at++;
      if (at >= bytes.length) return more();
      tokens.push({ atom: bytes.toString('latin1', start, at).toUpperCase() });
    }
  }
}

function readQuoted(bytes: Buffer, start: number): { string: Buffer; next: number } | undefined {
  const out: number[] = [];
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return { string: Buffer.from(out), next: at + 1 };
    if (byte === CR || byte === LF) throw notSieve('a string that does not end on its line');
    if (byte !== BACKSLASH) {
      out.push(byte);
      continue;
    }
    if (++at >= bytes.length) return undefined;
    out.push(bytes[at]!);
  }
  return undefined;
}

/** Puts lines together from what arrives. Throws `protocol` where a bound is passed or the bytes are something else. */
export function lineReader(): { push(chunk: Buffer): Token[][]; readonly rest: number } {
  let chunks: Buffer[] = [];
  let size = 0;
  let need = 1;
  return {
    get rest() {
      return size;
    },
    push(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      const lines: Token[][] = [];
      while (size > 0 && size >= need) {
        const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        const line = readLine(bytes);
        chunks = [bytes];
        if ('need' in line) {
          need = line.need;
          break;
        }
        lines.push(line.tokens);
        chunks = [bytes.subarray(line.used)];
        size = bytes.length - line.used;
        need = 1;
      }
      return lines;
    },
  };
}

/** Text of a string as a person or a program reads it. */
export const textOf = (token: Token | undefined): string | undefined =>
  typeof token === 'object' && 'string' in token ? token.string.toString('utf8') : undefined;
const atomOf = (token: Token | undefined): string | undefined =>
  typeof token === 'object' && 'atom' in token ? token.atom : undefined;

/** How a command ended, if a line says so (section 1.2); undefined for a line of data. */
export function endOf(tokens: readonly Token[]): Omit<Answer, 'lines'> | undefined {
  const status = atomOf(tokens[0]);
  if (status !== 'OK' && status !== 'NO' && status !== 'BYE') return undefined;
  let at = 1;
  let code: string | undefined;
  let detail: string | undefined;
  if (tokens[1] === '(') {
    const close = tokens.indexOf(')');
    if (close < 0) throw notSieve('a response code without an end');
    code = atomOf(tokens[2]);
    detail = textOf(tokens[3]);
    at = close + 1;
  }
  return {
    status,
    text: textOf(tokens[at]) ?? '',
    ...(code ? { code } : {}),
    ...(detail === undefined ? {} : { detail }),
  };
}

/** Collects lines of data. Throws `protocol` where they are too many. */
export function collect(lines: Token[][], line: Token[]): void {
  if (lines.length >= MOST_LINES) throw notSieve(`an answer of more than ${MOST_LINES} lines`);
  lines.push(line);
}

/** A command's argument: a text, bytes, or a number. */
export type Argument = string | Buffer | number;
/** A command as it goes over the wire. Literals need no leave of the server (section 4). */
export function commandBytes(name: string, args: readonly Argument[]): Buffer {
  return Buffer.concat([
    Buffer.from(name),
    ...args.flatMap(one => [Buffer.from(' '), argumentBytes(one)]),
    Buffer.from('\r\n'),
  ]);
}
/** A string alone, as an answer to a challenge is sent (section 2.1). */
export const stringBytes = (value: string | Buffer): Buffer =>
  Buffer.concat([argumentBytes(value), Buffer.from('\r\n')]);

function argumentBytes(value: Argument): Buffer {
  if (typeof value === 'number') return Buffer.from(String(value));
  const bytes = Buffer.from(value);
  if (bytes.length > MOST_QUOTED || bytes.includes(CR) || bytes.includes(LF))
    return Buffer.concat([Buffer.from(`{${bytes.length}+}\r\n`), bytes]);
  const quoted = [...bytes].flatMap(byte => (byte === QUOTE || byte === BACKSLASH ? [BACKSLASH, byte] : [byte]));
  return Buffer.from([QUOTE, ...quoted, QUOTE]);
}
