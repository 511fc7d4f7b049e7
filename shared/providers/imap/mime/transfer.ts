import { setImmediate as breathe } from 'node:timers/promises';

const EQUALS = 0x3d;
const CR = 0x0d;
const LF = 0x0a;
/** What a byte means as a hexadecimal digit; -1 for all others. */
const HEX = Int8Array.from({ length: 256 }, (_, c) =>
  c >= 0x30 && c <= 0x39 ? c - 0x30 : c >= 0x41 && c <= 0x46 ? c - 55 : c >= 0x61 && c <= 0x66 ? c - 87 : -1,
);
/**
 * Shorter runs are copied byte by byte, which is faster than to look for their end with a call; longer ones in one go.
 */
const RUN = 12;
const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;

/**
 * Undoes quoted-printable (RFC 2045 section 6.7), in place; what is malformed stays as it is. Blanks at the end of a
 * line were added on the way.
 */
export function unquote(bytes: Buffer): Buffer {
  const { length } = bytes;
  let at = bytes.indexOf(EQUALS);
  let to = at;
  if (at < 0) return bytes;
  while (at < length) {
    if (bytes[at] !== EQUALS) {
      const near = Math.min(length, at + RUN);
      let next = at + 1;
      while (next < near && bytes[next] !== EQUALS) next++;
      if (next === near && near < length) {
        next = bytes.indexOf(EQUALS, near);
        if (next < 0) next = length;
        bytes.copyWithin(to, at, next);
        to += next - at;
        at = next;
      } else while (at < next) bytes[to++] = bytes[at++]!;
      continue;
    }
    at++;
    if (at + 1 < length) {
      const code = (HEX[bytes[at]!]! << 4) | HEX[bytes[at + 1]!]!;
      if (code >= 0) {
        bytes[to++] = code;
        at += 2;
        continue;
      }
    }
    // A soft line break; blanks before the end of the line were added on the way.
    let end = at;
    while (end < length && isBlank(bytes[end])) end++;
    if (end >= length || bytes[end] === LF) at = end + 1;
    else if (bytes[end] === CR && end + 1 < length && bytes[end + 1] === LF) at = end + 2;
    else bytes[to++] = EQUALS;
  }
  return bytes.subarray(0, to);
}

/**
 * True for one block of base64, with padding at its end alone: Node reads that as it stands, and leaves out signs that
 * are none. Those of base64url it would take for two of base64.
 */
function isOneBlock(text: string): boolean {
  const padding = text.indexOf('=');
  return (padding < 0 || PADDING.test(text.slice(padding))) && !text.includes('-') && !text.includes('_');
}
const PADDING = /^={1,2}\s*$/;

const STANDARD: ReadonlySet<string> = new Set(['7bit', '8bit', 'binary', 'quoted-printable', 'base64']);
/** The names a transfer encoding goes by (RFC 2045 section 6.1), where they are not those of the standard. */
export function encodingName(said: string | undefined): string {
  const standard = (said ?? '').length < 20 ? (said ?? '').toLowerCase() : '';
  if (STANDARD.has(standard)) return standard;
  const text = (said ?? '')
    .slice(0, 100)
    .replace(/\(.*\)/g, '')
    .replace(/^[\s"']+/, '')
    .toLowerCase();
  const name = text.replace(/[;,\s"'].*$/s, '');
  if (/^(?:x-)?uue?(?:ncoded?)?$/.test(name)) return 'uuencode';
  if (/^quoted[-_\s]?printable(?![\w-])/.test(text)) return 'quoted-printable';
  return /^(?:x-)?base-?64$/.test(name) ? 'base64' : name || '7bit';
}

/** The bytes of a whole part, without its transfer encoding. They are used up. */
export function decoded(bytes: Buffer, encoding: string): Buffer {
  switch (encoding) {
    case 'base64': {
      const text = bytes.toString('latin1');
      // Several blocks with padding of their own, and signs between them that are no base64.
      return isOneBlock(text) ? Buffer.from(text, 'base64') : blocks(bytes).bytes;
    }
    case 'quoted-printable':
      return unquote(bytes);
    case 'uuencode':
      return uuencoded()(bytes.toString('latin1'), true);
    default:
      return bytes;
  }
}

/** Without a line that begins it within so many characters it is no uuencode, and given on as it is. */
const BEGIN_WITHIN = 64 * 1024;

/**
 * Undoes uuencode (POSIX, uuencode) as it comes, line by line: from `begin` to `end`. What stands before and behind is
 * left out.
 */
function uuencoded() {
  let state: 'before' | 'within' | 'after' | 'none' = 'before';
  let kept = '';
  return (text: string, last = false): Buffer => {
    kept += text;
    if (state === 'before') {
      const begin = /^begin [0-7]{3,4} [^\n]*\n/m.exec(kept);
      if (begin) {
        state = 'within';
        kept = kept.slice(begin.index + begin[0].length);
      } else if (last || kept.length > BEGIN_WITHIN) state = 'none';
      else return Buffer.alloc(0);
    }
    const now = kept;
    if (state === 'none') {
      kept = '';
      return Buffer.from(now, 'latin1');
    }
    const out = Buffer.allocUnsafe(now.length + 3);
    let to = 0;
    let at = 0;
    while (state === 'within') {
      let end = lineEnd(now, at);
      if (end < 0 && last) end = now.length;
      if (end < 0 || at >= now.length) break;
      if (now.charCodeAt(at) === E && /^end\s*$/.test(now.slice(at, end))) state = 'after';
      else to = uuLine(now, at, now.charCodeAt(end - 1) === CR ? end - 1 : end, out, to);
      at = end + 1;
    }
    kept = state === 'after' ? '' : now.slice(at);
    return out.subarray(0, to);
  };
}

const E = 0x65;

/**
 * Where a line ends. Looked for letter by letter at first: a call for each of a million short lines would take seconds.
 */
function lineEnd(text: string, at: number): number {
  const near = Math.min(text.length, at + 8);
  for (let i = at; i < near; i++) if (text.charCodeAt(i) === LF) return i;
  return text.indexOf('\n', near);
}

/** Six bits; none where the line is over. */
const sixBits = (text: string, i: number, end: number): number => (i < end ? (text.charCodeAt(i) - 32) & 63 : 0);
/**
 * One line, from `at` to `end`, written to `out`; where it goes on there. Blanks at the end of a line may have been
 * lost.
 */
function uuLine(text: string, at: number, end: number, out: Buffer, to: number): number {
  if (end <= at + 1) return to;
  const stop = to + Math.min(sixBits(text, at, end), Math.ceil(((end - at - 1) * 3) / 4));
  for (let i = at + 1; to < stop; i += 4) {
    const a = sixBits(text, i, end);
    const b = sixBits(text, i + 1, end);
    const c = sixBits(text, i + 2, end);
    const d = sixBits(text, i + 3, end);
    out[to++] = (a << 2) | (b >> 4);
    if (to < stop) out[to++] = (b << 4) | (c >> 2);
    if (to < stop) out[to++] = (c << 6) | d;
  }
  return stop;
}

/** What a byte means in base64; -1 for rubbish, -2 for padding. */
export const SIX = Int8Array.from({ length: 256 }, (_, c) =>
  c === EQUALS
    ? -2
    : 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.indexOf(String.fromCharCode(c)),
);
/** Bits that wait for the rest of their byte, and how many. */
interface Waiting {
  bits: number;
  count: number;
}

/**
 * Base64 in several blocks with padding of their own, and with signs between that are none (libbase64 makes an object
 * of each block, which takes a second where there are half a million).
 */
function blocks(source: Uint8Array, waiting: Waiting = { bits: 0, count: 0 }): { bytes: Buffer; waiting: Waiting } {
  const out = Buffer.allocUnsafe(Math.ceil((source.length * 3) / 4) + 3);
  let { bits, count } = waiting;
  let to = 0;
  for (let at = 0; at < source.length; at++) {
    const six = SIX[source[at]!]!;
    if (six >= 0) {
      bits = ((bits << 6) | six) & 0xffff;
      if ((count += 6) >= 8) {
        count -= 8;
        out[to++] = bits >> count;
      }
    } else if (six === -2) count = 0;
  }
  return { bytes: out.subarray(0, to), waiting: { bits, count } };
}

/** Large pieces would be large strings for a moment; in bytes. */
const SLICE = 128 * 1024;
async function* inSlices(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let since = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length; at += SLICE) {
      const slice = piece.subarray(at, at + SLICE);
      // Others get their turn, whether it comes in large pieces or in small ones that are there already.
      if (since + slice.length > SLICE) {
        await breathe();
        since = 0;
      }
      since += slice.length;
      yield slice;
    }
  }
}

/** Undoes a transfer encoding while the bytes come in, whatever the cuts between them. */
export async function* decodeStream(source: AsyncIterable<Buffer>, encoding: string): AsyncGenerator<Buffer> {
  let kept: Buffer = Buffer.alloc(0);
  let waiting: Waiting | undefined;
  const lines = encoding === 'uuencode' ? uuencoded() : undefined;
  for await (const piece of inSlices(source)) {
    if (encoding === 'base64') {
      const read = blocks(piece, waiting);
      ({ waiting } = read);
      if (read.bytes.length) yield read.bytes;
    } else if (encoding === 'quoted-printable') {
      const bytes = Buffer.concat([kept, piece]);
      // An escape or soft break may go on in the next piece, so the last line is kept unless it is very long.
      const line = bytes.lastIndexOf(LF) + 1;
      const cut =
        line > 0 ? line : bytes.length > 65_536 ? Math.max(bytes.lastIndexOf(EQUALS), bytes.length - 1024) : 0;
      kept = Buffer.from(bytes.subarray(cut));
      if (cut) yield unquote(bytes.subarray(0, cut));
    } else if (lines) {
      const out = lines(piece.toString('latin1'));
      if (out.length) yield out;
    } else yield piece;
  }
  if (kept.length) yield unquote(kept);
  const rest = lines?.('', true);
  if (rest?.length) yield rest;
}
