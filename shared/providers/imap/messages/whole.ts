import type { FileValue } from '../../../fields.js';
import type { Context } from '../../../provider.js';
import type { MailAnatomy, MailPart } from '../../../vocabulary.js';
import { mendEnvelope } from '../wire/fetch.js';
import { dateOf } from '../mime/dates.js';
import { fieldOf, headerFields } from '../mime/decode.js';
import { takenApart, Unreasonable, type TakenApart } from '../mime/parse.js';
import { cleanName, nameOf, noteOf, type Part } from '../mime/structure.js';
import { decodeStream } from '../mime/transfer.js';
import { addresses, charsetOf, fill, LONGEST_TEXT, readParts, type ImapMessage } from './content.js';
import { bytesOf } from './download.js';
import type { Place } from './id.js';
import type { MessageEnvelopeObject, MessageStructureObject } from '../libraries.js';

/** A message whose structure cannot be used is read whole to be taken apart, up to this many bytes. */
export const LARGEST_PARSED = 10 * 1024 * 1024;
/** What is said of a larger one. */
export const TOO_LARGE =
  'The server cannot tell how this message is made up, and it is larger than ' +
  `${LARGEST_PARSED / 1048576} MB; only its source can be had.`;

/** Takes a message apart that the server could not, and says so where that is not possible either. */
export async function readWhole(ctx: Context, place: Place, message: ImapMessage): Promise<void> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of bytesOf(ctx, place, { size: message.native.size as number | undefined })) {
    pieces.push(piece);
    size += piece.length;
    if (size > LARGEST_PARSED) {
      message.error = TOO_LARGE;
      return;
    }
  }
  await takeApart(pieces, message);
}

/**
 * Fills a message from its source. One that is beyond all reason, or that the splitter fails on, gets an error that
 * says so.
 */
export async function takeApart(source: Iterable<Buffer>, message: ImapMessage): Promise<void> {
  try {
    await filled(await takenApart(source), message);
  } catch (error) {
    message.error =
      error instanceof Unreasonable
        ? `The message is not read, because ${error.message}; only its source can be had.`
        : `The message could not be taken apart: ${(error as Error).message}`;
  }
}

/** The header fields of a message and how its parts are nested. Throws `Unreasonable`, or what the splitter says. */
export async function anatomyOf(source: Iterable<Buffer>): Promise<MailAnatomy> {
  const { header, shape, root } = await takenApart(source);
  return { headers: headerFields(header, { charset: charsetOf(shape) }), ...(root ? { root: partIn(root) } : {}) };
}
function partIn({
  type,
  size,
  encoding,
  disposition,
  dispositionParameters,
  parameters,
  id,
  childNodes,
}: MessageStructureObject): MailPart {
  const name = dispositionParameters?.filename ?? parameters?.name;
  return {
    type,
    size: size ?? 0,
    ...(encoding && !childNodes ? { encoding } : {}),
    ...(disposition ? { disposition } : {}),
    ...(name?.trim() ? { name: cleanName(name) } : {}),
    ...(parameters?.charset ? { charset: parameters.charset } : {}),
    ...(id ? { contentId: id.replace(/^<|>$/g, '') } : {}),
    ...(childNodes ? { parts: childNodes.map(partIn) } : {}),
  };
}

async function filled(taken: TakenApart, message: ImapMessage): Promise<void> {
  const { shape, bytes } = taken;
  const parts = new Map<string, Buffer>();
  const charset = charsetOf(shape);
  for (const part of readParts(shape)) parts.set(part.part, beginning(bytes.get(part.part) ?? [], LONGEST_TEXT));
  fill(message, shape, { uid: 0, parts, header: taken.header });
  const fields = headerFields(taken.header, { charset });
  if (!message.from) {
    const envelope: MessageEnvelopeObject = {};
    mendEnvelope(envelope, taken.header, charset);
    const [from] = addresses(envelope.from);
    const cc = addresses(envelope.cc);
    if (from) message.from = from;
    if (!message.to.length) message.to = addresses(envelope.to);
    if (cc.length) message.cc ??= cc;
  }
  const sent = message.native.envelope ? undefined : dateOf(fieldOf(fields, 'date') ?? '');
  if (sent) message.date = sent.toISOString();
  const subject = fieldOf(fields, 'subject');
  const id = fieldOf(fields, 'message-id');
  if (subject !== undefined) message.subject ??= subject;
  if (id) message.native.messageId ??= id;
  message.attachments = [];
  for (const [i, part] of shape.attachments.entries()) {
    const id = `m${i + 1}`;
    const file = await fileIn(taken, part, id);
    message.attachments.push({
      id,
      name: file.name,
      type: file.type,
      size: file.size!,
      ...(part.inline ? { inline: true } : {}),
      ...(part.contentId ? { contentId: part.contentId } : {}),
      ...noteOf(part),
      content: file,
    });
  }
}

async function fileIn(taken: TakenApart, part: Part, id: string): Promise<FileValue> {
  const pieces = taken.bytes.get(part.part) ?? [];
  return {
    name: nameOf({ ...part, part: id }),
    type: part.type,
    size: await taken.sizeOf(part),
    ...(part.contentId ? { contentId: part.contentId } : {}),
    open: () => decodeStream(all(pieces), part.encoding),
  };
}

async function* all(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

/** The first bytes of what is here in pieces, as bytes of their own: reading a text uses them up. */
function beginning(pieces: readonly Buffer[], most: number): Buffer {
  const out: Buffer[] = [];
  let size = 0;
  for (const piece of pieces) {
    if (size >= most) break;
    out.push(piece.subarray(0, most - size));
    size += piece.length;
  }
  return Buffer.concat(out);
}
