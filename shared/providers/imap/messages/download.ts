import { MailError, isMailError } from '../../../errors.js';
import type { FileValue } from '../../../fields.js';
import type { Context } from '../../../provider.js';
import type { FetchQueryObject } from '../libraries.js';
import { nameOf, type Part } from '../mime/structure.js';
import { decodeStream } from '../mime/transfer.js';
import { limits } from '../session/timeLimits.js';
import type { Row } from '../wire/fetch.js';
import { inPlace, rowOf } from './content.js';
import { gone, messageId, type Place } from './id.js';

/** Large things are asked for in pieces of this size: few round trips, little memory. In bytes. */
const PIECE = 1024 * 1024;
/**
 * A file is asked for in one piece, which stands in memory, where a server does not keep to ranges; up to this many
 * bytes.
 */
const LARGEST_WHOLE = 64 * 1024 * 1024;

/**
 * What is downloaded: one part, or the whole message where none is named. `size` is what the server says it has, in
 * bytes as they are sent.
 */
export interface Download {
  part?: string;
  size?: number;
}

/**
 * The undecoded bytes of a download, in pieces; others use the connection between two of them. What comes is whole, or
 * an error says how much came: the end is where the told size is reached, or where the server says that nothing
 * follows, never where an answer was short or missing.
 */
export async function* bytesOf(ctx: Context, place: Place, { part, size }: Download = {}): AsyncGenerator<Buffer> {
  let waited = 0;
  for (let start = 0; ;) {
    const asked = performance.now();
    const row = await ask(ctx, place, { part, size }, start, { start, maxLength: PIECE });
    if ((waited += performance.now() - asked) > limits.transfer) {
      throw new MailError(
        'unavailable',
        `The download took longer than ${limits.transfer / 60_000} minutes and was given up: ${soFar(start, size)}.`,
      );
    }
    const bytes = sectionOf(row, part);
    if (!bytes && start === 0) throw gone(messageId(place), 'it, or this part of it, was moved or deleted');
    const end = start + (bytes?.length ?? 0);
    // Nothing where there must be more is no end: an answer without what was asked for, or an empty one for a part
    // whose size is exact.
    const missing =
      bytes === undefined
        ? size === undefined || end < size
        : bytes.length === 0 && part !== undefined && size !== undefined && end < size;
    if (!keepsToRange(row, bytes, start) || missing) {
      // All of it, whatever the range: what the server ignored once it ignores again.
      const whole =
        start === 0 && bytes && row.origin === undefined && (bytes.length > PIECE || bytes.length === size)
          ? bytes
          : await inOnePiece(ctx, place, { part, size }, start);
      if (whole.length > start) yield whole.subarray(start);
      return;
    }
    if (!bytes?.length) return;
    yield bytes;
    start = end;
    if (end === size && bytes.length < PIECE) return;
  }
}

/**
 * True when an answer holds what follows `start`, as far as can be told. Nothing at all is the end (RFC 9051 section
 * 6.4.5).
 */
const keepsToRange = ({ origin }: Row, bytes: Buffer | undefined, start: number): boolean =>
  !bytes?.length || (origin === start && bytes.length <= PIECE);

const sectionOf = (row: Row, part: string | undefined): Buffer | undefined =>
  part === undefined ? row.source : row.bodyParts?.get(part.toLowerCase());

const soFar = (start: number, size: number | undefined): string =>
  `${start}${size === undefined ? '' : ` of ${size}`} bytes had come`;

/** One answer of a download. Errors say how far it had come. */
async function ask(
  ctx: Context,
  place: Place,
  { part, size }: Download,
  start: number,
  range?: { start: number; maxLength: number },
): Promise<Row> {
  const query: FetchQueryObject =
    part === undefined
      ? { uid: true, source: range ?? true }
      : { uid: true, bodyParts: [range ? { key: part, ...range } : part] };
  try {
    const row = await inPlace(ctx, place, client => rowOf(client, place, query));
    if (row) return row;
  } catch (error) {
    if (start === 0 || !isMailError(error)) throw error;
    throw new MailError(error.code, `${error.message} The download broke off: ${soFar(start, size)}.`, {
      ...error.details,
      cause: error,
    });
  }
  throw gone(
    messageId(place),
    start === 0
      ? 'it, or this part of it, was moved or deleted'
      : `it was moved or deleted while it was downloaded; ${soFar(start, size)}`,
  );
}

/** A download without ranges. What came is all there is, also where it is less than the size a server tells of. */
async function inOnePiece(ctx: Context, place: Place, { part, size }: Download, start: number): Promise<Buffer> {
  if ((size ?? 0) > LARGEST_WHOLE)
    throw new MailError(
      'protocol',
      `The server does not send the ranges it is asked for, and this is larger than ${LARGEST_WHOLE / 1048576} MB.`,
    );
  const whole = sectionOf(await ask(ctx, place, { part, size }, start), part);
  if (!whole || whole.length < start)
    throw new MailError(
      'protocol',
      `The server sent ${start} bytes of message ${messageId(place)} in pieces, but only ${whole?.length ?? 0} at once.`,
    );
  return whole;
}

/** A part as a file that is fetched when it is opened. */
export const partFile = (ctx: Context, place: Place, part: Part): FileValue => ({
  name: nameOf(part),
  type: part.type,
  ...(part.encoding === 'base64' || part.encoding === 'quoted-printable' ? {} : { size: part.size }),
  ...(part.contentId ? { contentId: part.contentId } : {}),
  open: () => decodeStream(bytesOf(ctx, place, part), part.encoding),
});

/** The whole message as a file, as the server has it. RFC822.SIZE is not given on: Exchange only estimates it. */
export const sourceFile = (ctx: Context, place: Place, size: number | undefined, name = 'message.eml'): FileValue => ({
  name,
  type: 'message/rfc822',
  open: () => bytesOf(ctx, place, size === undefined ? {} : { size }),
});
