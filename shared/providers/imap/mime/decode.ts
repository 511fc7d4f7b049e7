import { isAscii } from 'node:buffer';
import { decodingTools } from '../libraries.js';
import { charsetInHtml, charsetName, rawText, textOf } from './charset.js';
import { isShifted } from './iso2022.js';
import type { Part } from './structure.js';
import { decoded } from './transfer.js';

const CR = 0x0d;
const LF = 0x0a;

/** Line ends of one kind, in place: before the text is made, so that it is made once. */
function unixLines(bytes: Buffer): Buffer {
  let at = bytes.indexOf(CR);
  let to = at;
  if (at < 0) return bytes;
  while (at < bytes.length) {
    let next = bytes.indexOf(CR, at + 1);
    if (next < 0) next = bytes.length;
    const from = bytes[at + 1] === LF ? at + 1 : at;
    bytes.copyWithin(to, from, next);
    to += next - from;
    at = next;
  }
  return bytes.subarray(0, to);
}

/**
 * A text part as people read it: decoded, with line ends of one kind, and joined where the sender let lines flow (RFC
 * 3676). The bytes are used up. `cut` for the beginning of a longer one: a character that is not whole at its end is
 * left out.
 */
export function readableText(part: Part, bytes: Buffer, cut = false): string {
  const plain = decoded(cut ? wholeUnits(bytes, part.encoding) : bytes, part.encoding);
  // In these a line end is more than one byte.
  const named = charsetName(part.charset);
  const wide = /^utf-(?:16|32)/.test(named);
  const charset = !named && part.type === 'text/html' ? charsetInHtml(plain) : part.charset;
  const flow = (lines: Buffer) => (part.flowed ? unflow(lines, part.delSp ?? false) : lines);
  if (!wide) return textOf(flow(unixLines(plain)), charset, cut);
  const text = textOf(plain, charset, cut).replace(/\r\n/g, '\n');
  return part.flowed ? flow(Buffer.from(text)).toString() : text;
}

/** The bytes of a cut part up to the last whole unit of its transfer encoding. */
function wholeUnits(bytes: Buffer, encoding: string): Buffer {
  if (encoding !== 'quoted-printable') return bytes;
  const escape = bytes.lastIndexOf(0x3d);
  return escape >= 0 && escape > bytes.length - 3 ? bytes.subarray(0, escape) : bytes;
}

/**
 * Joins the lines that the sender let flow (RFC 3676 section 4), in place: a million short lines as strings would be
 * half a second in one piece. Takes line ends of one byte.
 */
function unflow(bytes: Buffer, delSp: boolean): Buffer {
  let to = 0;
  for (let at = 0, end = 0; at <= bytes.length; at = end + 1) {
    end = bytes.indexOf(LF, at);
    if (end < 0) end = bytes.length;
    const from = bytes[at] === SPACE && at < end ? at + 1 : at;
    const flows = end > from && bytes[end - 1] === SPACE && bytes[from] !== QUOTED && !isSignature(bytes, from, end);
    const stop = flows && delSp ? end - 1 : end;
    bytes.copyWithin(to, from, stop);
    to += stop - from;
    if (!flows && end < bytes.length) bytes[to++] = LF;
    // A last line of nothing but the blank that is taken away is none.
    else if (flows && end === bytes.length && to > 0 && bytes[to - 1] === LF) to--;
  }
  return bytes.subarray(0, to);
}
const QUOTED = 0x3e;
const DASH = 0x2d;
/** The line above a signature ends in a blank and does not flow (RFC 3676 section 4.3). */
const isSignature = (bytes: Buffer, from: number, end: number): boolean =>
  end - from === 3 && bytes[from] === DASH && bytes[from + 1] === DASH;

/** More header fields of one message are not read. */
const MOST_FIELDS = 5_000;

/**
 * Header fields in their order, unfolded; names as they are written. Each is read for itself: one may be UTF-8 and the
 * next windows-1252. `raw` leaves encoded words as they are; `charset` is that of the body, for bytes that should not
 * be there. At most 5,000.
 */
export function headerFields(
  bytes: Uint8Array,
  { raw = false, charset }: { raw?: boolean; charset?: string | undefined } = {},
): Field[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields: Field[] = [];
  // Most headers are ASCII, and a letter a byte.
  const plain = isAscii(all) && !all.includes(ESC) ? all.toString('latin1') : undefined;
  for (let at = 0; at < all.length && fields.length < MOST_FIELDS;) {
    const from = plain === undefined && startsWithMark(all, at) ? at + BYTE_ORDER.length : at;
    const end = plain === undefined ? fieldEnd(all, at) : plainFieldEnd(plain, at);
    at = end;
    const colon = plain === undefined ? all.indexOf(COLON, from) : plain.indexOf(':', from);
    if (colon < 0) break;
    if (colon >= end || colon === from || all[from] === SPACE || all[from] === TAB) continue;
    const name = (plain === undefined ? all.toString('latin1', from, colon) : plain.slice(from, colon)).trimEnd();
    if (NO_NAME.test(name)) continue;
    const value = unfolded(
      plain === undefined ? rawText(all.subarray(colon + 1, end), charset) : plain.slice(colon + 1, end),
    );
    fields.push({ name, value: raw ? value : words(value) });
  }
  return fields;
}
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;
const ESC = 0x1b;
const NO_NAME = /[^!-9;-~]/;
/** What some editors put before the first field. Servers put fields of their own before it. */
const BYTE_ORDER = Buffer.from('\ufeff');
const startsWithMark = (all: Buffer, at: number): boolean =>
  all[at] === BYTE_ORDER[0] && all.subarray(at, at + BYTE_ORDER.length).equals(BYTE_ORDER);

/** One line of what may be folded. */
function unfolded(value: string): string {
  const text = value.trim();
  return /[\r\n\t]/.test(text)
    ? text
        .replace(/\r?\n(?=[ \t])/g, '')
        .replace(/[\r\n]+/g, ' ')
        .replace(/\t/g, ' ')
        .trim()
    : text;
}

/** A field of a header. */
export interface Field {
  name: string;
  value: string;
}
/** The value of the first field of that name, in small letters. */
export const fieldOf = (fields: readonly Field[], name: string): string | undefined =>
  fields.find(field => field.name.length === name.length && field.name.toLowerCase() === name)?.value;

/** Where a field that begins at `from` ends: behind the first line that the next one does not continue. */
function fieldEnd(bytes: Buffer, from: number): number {
  for (let at = from; ;) {
    const line = bytes.indexOf(LF, at);
    if (line < 0) return bytes.length;
    at = line + 1;
    if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return at;
  }
}

/** The same in a text. */
function plainFieldEnd(text: string, from: number): number {
  for (let at = from; ;) {
    const line = text.indexOf('\n', at);
    if (line < 0) return text.length;
    at = line + 1;
    const next = text.charCodeAt(at);
    if (next !== SPACE && next !== TAB) return at;
  }
}

/** What is read of one value with encoded words; in characters. */
const LONGEST_VALUE = 100_000;
/** Encoded words whose charset shifts: each begins anew, so they are never joined (RFC 1468, RFC 2047 section 5). */
const SHIFTED =
  /=\?([a-z0-9-]*(?:2022|5022|^hz|jis)[a-z0-9-]*|hz[a-z0-9-]*|utf-7)(?:\*[^?\s]*)?\?([bq])\?([^?]*)\?=(?:\s+(?==\?))?/gi;

/**
 * A value with a single encoded word, as most are that have any: read without the library, which looks for several to
 * join.
 */
const SINGLE = /^([^=]*)=\?([a-z0-9_-]+)\?([bq])\?([!->@-~]*)\?=([^=]*)$/i;

/** Undoes encoded words (RFC 2047), and gives one line. Takes a header value that is unfolded already. */
export function words(value: string): string {
  if (!value.includes('=?')) return CONTROL.test(value) ? oneLine(value) : value;
  const single = value.length < LONGEST_VALUE ? SINGLE.exec(value) : null;
  if (single) return oneLine(single[1]! + wordText(single[2]!, single[3]!, single[4]!) + single[5]!);
  const long = value.length > LONGEST_VALUE;
  const text = long ? value.slice(0, LONGEST_VALUE) : value;
  let out = '';
  let at = 0;
  for (const found of text.matchAll(SHIFTED)) {
    const [whole, charset, encoding, inner] = found as unknown as [string, string, string, string];
    if (!isShifted(charsetName(charset)) && charsetName(charset) !== 'utf-7') continue;
    out +=
      mime().decodeWords(text.slice(at, found.index).replace(/(\?=)\s+$/, '$1')) + wordText(charset, encoding, inner);
    at = found.index + whole.length;
  }
  out += mime().decodeWords(text.slice(at)) + (long ? value.slice(LONGEST_VALUE) : '');
  return oneLine(out);
}

interface MimeTools {
  decodeWords(text: string): string;
  parseHeaderValue(text: string): { value: string | false; params: Record<string, string> };
}
let library: MimeTools | undefined;
/**
 * The library that knows where encoded words and parameters begin and end. What they hold is decoded here, as
 * everything else is.
 */
function mime(): MimeTools {
  if (library) return library;
  const { Libmime } = decodingTools();
  return (library = new (class extends Libmime {
    override decodeWord(charset: string, encoding: string, text: string): string {
      return wordText(charset, encoding, text);
    }
  })());
}

/**
 * A field with parameters (RFC 2045 section 5.1, RFC 2231), with what programs leave out: the semicolon behind the
 * type.
 */
export function structured(value: string): { value: string; params: Record<string, string> } {
  const found = mime().parseHeaderValue(value.slice(0, LONGEST_VALUE).replace(/^\s*([^\s;"]+)\s+(?=[\w*-]+=)/, '$1; '));
  return {
    value: words(found.value || ''),
    params: Object.fromEntries(Object.entries(found.params).map(([name, one]) => [name, words(one)])),
  };
}

// Made once: a bundler turns such a pattern into a call that makes it each time.
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const CONTROLS = /[\p{Cc}\u2028\u2029]+/gu;
const oneLine = (text: string): string => text.replace(CONTROLS, ' ');

/** The text of one encoded word, or of several that were joined. */
export function wordText(charset: string, encoding: string, inner: string): string {
  if (/^b$/i.test(encoding)) return textOf(decoded(Buffer.from(inner, 'latin1'), 'base64'), charset);
  const plain = /[^\0-\x7f]/.test(inner) ? Buffer.from(inner).toString('latin1') : inner;
  // A blank between an escape and its digits comes from folding where that is not allowed.
  const bytes = Buffer.from(
    plain.replace(/_/g, ' ').replace(/=\s*([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  );
  return textOf(bytes, charset);
}
