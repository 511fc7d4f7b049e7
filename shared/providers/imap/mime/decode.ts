import { TextDecoder } from 'node:util';
import type { Part } from './structure.js';

const EQUALS = 0x3d, CR = 0x0d, LF = 0x0a;
/** What a byte means as a hexadecimal digit; -1 for all others. */
const HEX = Int8Array.from({ length: 256 }, (_, c) =>
  c >= 0x30 && c <= 0x39 ? c - 0x30 : c >= 0x41 && c <= 0x46 ? c - 55 : c >= 0x61 && c <= 0x66 ? c - 87 : -1);
/** Shorter runs are copied byte by byte, which is faster than to look for their end with a call; longer ones in one go. */
const RUN = 12;

/** Undoes quoted-printable (RFC 2045 section 6.7), in place; what is malformed stays as it is. */
export function unquote(bytes: Buffer): Buffer {
  const { length } = bytes;
  let at = bytes.indexOf(EQUALS), to = at;
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
      const code = HEX[bytes[at]!]! << 4 | HEX[bytes[at + 1]!]!;
      if (code >= 0) { bytes[to++] = code; at += 2; continue; }
    }
    // A soft line break; blanks before the end of the line were added on the way.
    let end = at;
    while (end < length && (bytes[end] === 0x20 || bytes[end] === 0x09)) end++;
    if (end >= length || bytes[end] === LF) at = end + 1;
    else if (bytes[end] === CR && end + 1 < length && bytes[end + 1] === LF) at = end + 2;
    else bytes[to++] = EQUALS;
  }
  return bytes.subarray(0, to);
}

/** Line ends of one kind, in place: before the text is made, so that it is made once. */
function unixLines(bytes: Buffer): Buffer {
  let at = bytes.indexOf(CR), to = at;
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

/** The bytes of a whole part, without its transfer encoding. They are used up. */
export function decoded(bytes: Buffer, encoding: string): Buffer {
  switch (encoding) {
    // Node skips line breaks and whatever else is no base64.
    case 'base64': return Buffer.from(bytes.toString('latin1'), 'base64');
    case 'quoted-printable': return unquote(bytes);
    default: return bytes;
  }
}

/** Large pieces would be large strings for a moment; in bytes. */
const SLICE = 128 * 1024;
async function* inSlices(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of source) for (let at = 0; at < piece.length; at += SLICE) yield piece.subarray(at, at + SLICE);
}

/** Undoes a transfer encoding while the bytes come in, whatever the cuts between them. */
export async function* decodeStream(source: AsyncIterable<Buffer>, encoding: string): AsyncGenerator<Buffer> {
  let kept = Buffer.alloc(0);
  for await (const piece of inSlices(source)) {
    if (encoding === 'base64') {
      const text = kept.toString('latin1') + piece.toString('latin1').replace(/[^A-Za-z0-9+/=]+/g, '');
      const whole = text.length - text.length % 4;
      kept = Buffer.from(text.slice(whole), 'latin1');
      if (whole) yield Buffer.from(text.slice(0, whole), 'base64');
    } else if (encoding === 'quoted-printable') {
      const bytes = Buffer.concat([kept, piece]);
      // An escape or soft break may go on in the next piece, so the last line is kept unless it is very long.
      const line = bytes.lastIndexOf(LF) + 1;
      const cut = line > 0 ? line : bytes.length > 65_536 ? Math.max(bytes.lastIndexOf(EQUALS), bytes.length - 1024) : 0;
      kept = Buffer.from(bytes.subarray(cut));
      if (cut) yield unquote(bytes.subarray(0, cut));
    } else yield piece;
  }
  if (kept.length) yield decoded(kept, encoding);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
const decoders = new Map<string, TextDecoder | undefined>();
function decoderFor(charset: string): TextDecoder | undefined {
  const label = charset.trim().toLowerCase().replace(/^cp-?(125\d)$/, 'windows-$1').replace(/^(?:iso|latin)-?8859-?(\d+).*$/, 'iso-8859-$1')
    .replace(/^latin-?1$/, 'iso-8859-1');
  if (decoders.has(label)) return decoders.get(label);
  let decoder: TextDecoder | undefined;
  try { decoder = new TextDecoder(label); } catch { /* an unknown name is no reason to fail */ }
  // The name comes from the message, so the number of names remembered has an end.
  if (decoders.size < 200) decoders.set(label, decoder);
  return decoder;
}

/** Text from bytes. Never throws: an unknown or wrong charset is read as UTF-8 where that fits, else as windows-1252. */
export function textOf(bytes: Uint8Array, charset: string | undefined): string {
  const plain = !charset || /^(us-ascii|ascii|utf-?8|unknown-8bit|x-unknown|default|binary|8bit)$/i.test(charset.trim());
  const decoder = plain ? undefined : decoderFor(charset);
  try {
    if (decoder) return decoder.decode(bytes);
    return utf8.decode(bytes);
  } catch {
    return decoderFor('windows-1252')!.decode(bytes);
  }
}

/** A text part as people read it: decoded, with line ends of one kind, and joined where the sender let lines flow (RFC 3676). The bytes are used up. */
export function readableText(part: Part, bytes: Buffer): string {
  const plain = decoded(bytes, part.encoding);
  // In these a line end is more than one byte.
  const wide = /^(utf|ucs|iso-10646-ucs)-?(16|32|2|4)/i.test(part.charset?.trim() ?? '');
  const text = wide ? textOf(plain, part.charset).replace(/\r\n/g, '\n') : textOf(unixLines(plain), part.charset);
  return part.flowed ? unflow(text, part.delSp ?? false) : text;
}

function unflow(text: string, delSp: boolean): string {
  let out = '';
  for (const line of text.split('\n')) {
    const bare = line.startsWith(' ') ? line.slice(1) : line;
    const flows = bare.endsWith(' ') && bare !== '-- ' && !bare.startsWith('>');
    out += flows ? (delSp ? bare.slice(0, -1) : bare) : `${bare}\n`;
  }
  return out.replace(/\n$/, '');
}

/** Header fields in their order, unfolded; names as they are written. `raw` leaves encoded words as they are. */
export function headerFields(bytes: Uint8Array, { raw = false } = {}): { name: string; value: string }[] {
  const text = textOf(bytes, 'utf-8').replace(/\r?\n[ \t]+/g, ' ');
  const fields: { name: string; value: string }[] = [];
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon <= 0 || /\s/.test(line.slice(0, colon).trimEnd())) continue;
    const value = line.slice(colon + 1).trim();
    fields.push({ name: line.slice(0, colon).trimEnd(), value: raw ? value : words(value) });
  }
  return fields;
}

const WORD = /=\?([^?*\s]+)(?:\*[^?]*)?\?([bqBQ])\?([^?]*)\?=/g;
/** Undoes encoded words (RFC 2047); neighbours of one charset are joined before decoding, because senders cut inside characters. */
export function words(value: string): string {
  if (!value.includes('=?')) return value;
  const joined = value.replace(/(\?=)\s+(?==\?)/g, '$1');
  let out = '', at = 0, run: Buffer[] = [], charset = '';
  const flush = () => { if (run.length) out += textOf(Buffer.concat(run), charset); run = []; };
  for (const found of joined.matchAll(WORD)) {
    const before = joined.slice(at, found.index);
    if (before || found[1]!.toLowerCase() !== charset) flush();
    out += before;
    charset = found[1]!.toLowerCase();
    run.push(/b/i.test(found[2]!) ? Buffer.from(found[3]!, 'base64') : unquote(Buffer.from(found[3]!.replace(/_/g, ' '), 'latin1')));
    at = found.index + found[0].length;
  }
  flush();
  return (out + joined.slice(at)).replace(/[\r\n]+/g, ' ');
}
