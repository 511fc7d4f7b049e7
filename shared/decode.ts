import { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { MailError } from './errors.js';
import type { HttpResponse, HttpStream } from './exchange.js';

/**
 * The answer with its body unpacked (RFC 9110 section 8.4). None is asked for packed, but some servers and proxies pack what they like. Throws
 * `protocol` for a packing that is not known.
 */
export function decoded(answer: HttpStream): HttpStream {
  const packings = (answer.headers['content-encoding'] ?? '').toLowerCase().split(',').map(one => one.trim()).filter(one => one && one !== 'identity');
  if (!packings.length) return answer;
  const body = packings.reverse().reduce((packed, packing) => unpacked(packed, packing), answer.body);
  const { 'content-encoding': _, 'content-length': __, ...headers } = answer.headers;
  return { ...answer, headers, body };
}

function unpacked(packed: AsyncIterable<Uint8Array>, packing: string): AsyncIterable<Uint8Array> {
  switch (packing) {
    case 'gzip': case 'x-gzip': return through(packed, createGunzip);
    case 'br': return through(packed, createBrotliDecompress);
    case 'deflate': return inflated(packed);
    default: throw new MailError('protocol', `The answer is packed in a way that is not known here (${packing.replace(/[^\w.-]/g, '').slice(0, 30)}).`);
  }
}

async function* through(packed: AsyncIterable<Uint8Array>, make: () => NodeJS.ReadWriteStream & Readable): AsyncGenerator<Uint8Array> {
  const source = Readable.from(packed, { objectMode: false }), out = make();
  source.on('error', error => out.destroy(error));
  source.pipe(out);
  try { yield* out as AsyncIterable<Uint8Array>; } finally { source.destroy(); out.destroy(); }
}

/** Some servers send "deflate" with the wrapping that the standard wants, some without. */
async function* inflated(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const parts = packed[Symbol.asyncIterator](), first = await parts.next();
  if (first.done) return;
  const rest = (async function* () { yield first.value; for (let next = await parts.next(); !next.done; next = await parts.next()) yield next.value; })();
  yield* through(rest, (first.value[0]! & 0x0f) === 8 ? createInflate : createInflateRaw);
}

/** What an XML declaration begins with, and what may stand before it. */
const LESS = 0x3c, SPACE = 0x20;

/** A body as text: by its byte order mark, else by the charset of its content type or of its XML declaration, else UTF-8. */
export function textOf({ headers, body }: Pick<HttpResponse, 'headers' | 'body'>): string {
  const [a, b, c] = body, type = headers['content-type'] ?? '';
  // As nearly all answers are: JSON or the like that begins with ASCII, and nobody says that it is anything but UTF-8.
  if (a! > SPACE && a! < 0x80 && a !== LESS && b! > 0 && b! < 0x80 && (!/charset/i.test(type) || /charset\s*=\s*"?utf-8\b/i.test(type))) {
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  }
  const marked = a === 0xef && b === 0xbb && c === 0xbf ? 'utf-8' : a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : undefined;
  const start = Buffer.from(body.subarray(0, 100)).toString('latin1');
  // Without a mark, every other byte of the first letters says it (RFC 4627 section 3).
  const guessed = /^[\0][^\0]/.test(start) ? 'utf-16be' : /^[^\0][\0]/.test(start) ? 'utf-16le' : undefined;
  const named = /charset\s*=\s*"?([\w:.-]+)/i.exec(type)?.[1] ?? /^\s*<\?xml[^>]*encoding\s*=\s*["']([\w:.-]+)/i.exec(start)?.[1];
  // What begins with single bytes is not in two, whatever a declaration says that some libraries write without meaning it.
  const meant = named && /^utf-?16|^ucs-?2|^iso-10646/i.test(named) ? 'utf-8' : named;
  try { return new TextDecoder(marked ?? guessed ?? meant ?? 'utf-8').decode(body); } catch { return new TextDecoder().decode(body); }
}
