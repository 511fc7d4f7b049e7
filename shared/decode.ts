import { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { MailError } from './errors.js';
import type { HttpResponse, HttpStream } from './exchange.js';

/** What stands in the place of a packing at some servers, though nothing is packed by it. */
const NOT_PACKED = /^(?:|identity|none|chunked|binary|[78]bit|utf-?8|iso-8859-1)$/;
/** More packings round each other have no use but to cost time. */
const MOST_PACKINGS = 4;
/**
 * What is unpacked may be so large whatever was sent, in bytes; and beyond that so many times as large as what was
 * sent.
 */
const ALWAYS = 64 * 1024 * 1024;
const TIMES = 100;

/**
 * The answer with its body unpacked (RFC 9110 section 8.4). None is asked for packed, but some servers and proxies pack
 * what they like. Throws `protocol` for a packing that is not known, and where a body is read that is not packed as it
 * says or unpacks to far more than was sent.
 */
export function decoded(answer: HttpStream): HttpStream {
  const packings = (answer.headers['content-encoding'] ?? '')
    .toLowerCase()
    .split(',')
    .map(one => one.trim())
    .filter(one => !NOT_PACKED.test(one));
  if (!packings.length) return answer;
  if (packings.length > MOST_PACKINGS)
    throw new MailError('protocol', `The answer is packed ${packings.length} times over and was not read.`);
  const unpackers = packings.reverse().map(unpackerOf);
  const body = unpackers.reduce((packed, unpack) => unpack(packed), answer.body as AsyncIterable<Uint8Array>);
  const { 'content-encoding': _, 'content-length': __, ...headers } = answer.headers;
  return { ...answer, headers, body };
}

type Unpacker = NodeJS.ReadWriteStream & Readable;

function unpackerOf(packing: string): (packed: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> {
  const choose = UNPACKERS[packing];
  if (choose) return packed => unpacked(packed, packing, choose);
  throw new MailError(
    'protocol',
    `The answer is packed in a way that is not known here (${packing.replace(/[^\w.-]/g, '').slice(0, 30)}).`,
  );
}

const isGzip = (start: Uint8Array) => start[0] === 0x1f && start[1] === 0x8b;
/**
 * By its first two bytes, how a body is unpacked; undefined where it is not packed, whatever its head says, as browsers
 * see it too.
 */
type Choose = (start: Uint8Array) => (() => Unpacker) | undefined;
const gzip: Choose = start => (isGzip(start) ? createGunzip : undefined);
const UNPACKERS: Readonly<Record<string, Choose>> = {
  gzip,
  'x-gzip': gzip,
  br: () => createBrotliDecompress,
  // Some servers send "deflate" with the wrapping that the standard wants, some without, some mean gzip.
  deflate: start => (isGzip(start) ? createGunzip : (start[0]! & 0x0f) === 8 ? createInflate : createInflateRaw),
};

async function* unpacked(
  packed: AsyncIterable<Uint8Array>,
  packing: string,
  choose: Choose,
): AsyncGenerator<Uint8Array> {
  const parts = packed[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let came = 0;
  let went = 0;
  const next = async () => {
    const { done, value } = await parts.next();
    came += done ? 0 : value.byteLength;
    return done ? undefined : value;
  };
  for (let part; came < 2 && (part = await next());) first.push(part);
  // Where there is nothing, nothing is packed: some servers say it of answers without a body.
  if (!came) return;
  const start = Buffer.concat(first);
  const make = choose(start);
  const whole = (async function* () {
    try {
      yield start;
      for (let part; (part = await next());) yield part;
    } finally {
      // Whoever gives the text up gives up what it is unpacked from, and with it the connection.
      await parts.return?.();
    }
  })();
  if (!make) return yield* whole;
  const source = Readable.from(whole, { objectMode: false });
  const out = make();
  source.on('error', error => out.destroy(error));
  source.pipe(out);
  try {
    for await (const part of out as AsyncIterable<Uint8Array>) {
      went += part.byteLength;
      if (went > ALWAYS && went > came * TIMES)
        throw new MailError('protocol', 'The answer unpacks to far more than was sent, and was not read to its end.');
      yield part;
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // An end that came too soon is a connection that broke off.
    throw /^(?:Z_|ERR__|ERR_BROTLI)/.test(code) && code !== 'Z_BUF_ERROR'
      ? new MailError('protocol', `The answer is not packed as it says (${packing}).`, { cause: error })
      : error;
  } finally {
    source.destroy();
    out.destroy();
  }
}

/** What an XML declaration begins with, and what may stand before it. */
const LESS = 0x3c;
const SPACE = 0x20;

/**
 * A body as text: by its byte order mark, else by the charset of its content type or of its XML declaration, else
 * UTF-8.
 */
export function textOf({ headers, body }: Pick<HttpResponse, 'headers' | 'body'>): string {
  const [a, b, c] = body;
  const type = headers['content-type'] ?? '';
  // As nearly all answers are: JSON or the like that begins with ASCII, and nobody says that it is anything but UTF-8.
  if (
    a! > SPACE &&
    a! < 0x80 &&
    a !== LESS &&
    b! > 0 &&
    b! < 0x80 &&
    (!/charset/i.test(type) || /charset\s*=\s*"?utf-8\b/i.test(type))
  ) {
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  }
  const marked =
    a === 0xef && b === 0xbb && c === 0xbf
      ? 'utf-8'
      : a === 0xff && b === 0xfe
        ? 'utf-16le'
        : a === 0xfe && b === 0xff
          ? 'utf-16be'
          : undefined;
  const start = Buffer.from(body.subarray(0, 100)).toString('latin1');
  // Without a mark, every other byte of the first letters says it (RFC 4627 section 3).
  const guessed = /^[\0][^\0]/.test(start) ? 'utf-16be' : /^[^\0][\0]/.test(start) ? 'utf-16le' : undefined;
  const named =
    /charset\s*=\s*"?([\w:.-]+)/i.exec(type)?.[1] ?? /^\s*<\?xml[^>]*encoding\s*=\s*["']([\w:.-]+)/i.exec(start)?.[1];
  // What begins with single bytes is not in two, whatever a declaration says that some libraries write without meaning
  // it.
  const meant = named && /^utf-?16|^ucs-?2|^iso-10646/i.test(named) ? 'utf-8' : named;
  const text = (charset: string) => new TextDecoder(charset).decode(body).replace(/^\ufeff/, '');
  try {
    return text(marked ?? guessed ?? meant ?? 'utf-8');
  } catch {
    return text('utf-8');
  }
}
