import type { Duplex } from 'node:stream';
import { setImmediate as breathe } from 'node:timers/promises';
import { withMalformed } from './boundary.js';
import { fieldOf, headerFields, structured, type Field } from './decode.js';
import { splitterLibrary, type MessageStructureObject } from '../libraries.js';
import { DEEPEST, MOST_PARTS, outline, type Outline, type Part } from './structure.js';
import { decodeStream, encodingName } from './transfer.js';

/**
 * A header larger than this, of the message or of a part, is none; in bytes. The splitter counts each line for 64 at
 * least.
 */
const LARGEST_HEADER = 512 * 1024;
const MOST_HEADER_LINES = LARGEST_HEADER / 64;
/**
 * More lines than this have more work in them than words; a message of 50 MB in lines of usual length has less than a
 * million.
 */
const MOST_LINES = 4_000_000;
/** The headers of all parts together, in bytes: reading their parameters costs more than all the rest. */
const LARGEST_HEADERS = 2 * 1024 * 1024;
/** So much is split in one piece, in bytes, and others have their turn after so many milliseconds. */
const SLICE = 64 * 1024;
const TURN = 20;
const LF = 0x0a;

/** Why a message is not taken apart, in words that end a sentence. */
export class Unreasonable extends Error {}

/** A message taken apart here: what its parts are, and their undecoded bytes, by the number of the part. */
export interface TakenApart {
  header: Buffer;
  shape: Outline;
  bytes: Map<string, Buffer[]>;
  sizeOf(part: Part): Promise<number>;
  /** All parts as they are nested; undefined for nothing. */
  root: MessageStructureObject | undefined;
}

/** What the splitter tells: a part whose header is complete, or bytes of its content. */
interface Node {
  type: 'node';
  parentNode: Node | false;
  multipart: string | false;
  getHeaders(): Buffer;
}
type Told = Node | { type: 'body' | 'data'; node: Node; value?: Buffer };

/**
 * Takes a whole message apart as it comes in; for messages whose structure the server could not tell. Bounded in depth,
 * parts, lines and header fields: throws `Unreasonable` beyond. Keeps the event loop free, whatever is in the message.
 */
export async function takenApart(source: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<TakenApart> {
  const { Splitter } = await splitterLibrary();
  const splitter = new Splitter({
    maxHeadSize: LARGEST_HEADER,
    maxChildNodes: MOST_PARTS,
    ignoreEmbedded: true,
  }) as unknown as Duplex;
  withMalformed(splitter);
  const places = new Map<Node, { structure: MessageStructureObject; depth: number; path: number[] }>();
  const bytes = new Map<string, Buffer[]>();
  const undivided = new Map<Node, Buffer[]>();
  const keep = <K>(in_: Map<K, Buffer[]>, key: K, value: Buffer) => {
    const pieces = in_.get(key);
    if (pieces) pieces.push(value);
    else in_.set(key, [value]);
  };
  let root: MessageStructureObject | undefined;
  let header: Buffer = Buffer.alloc(0);
  let headers = 0;
  let failed: Error | undefined;
  const add = (node: Node) => {
    const head = node.getHeaders();
    const parent = node.parentNode ? places.get(node.parentNode) : undefined;
    const depth = parent ? parent.depth + 1 : 0;
    if ((headers += head.length) > LARGEST_HEADERS)
      throw new Unreasonable(`the headers in it have more than ${LARGEST_HEADERS / 1048576} MB`);
    if (depth > DEEPEST) throw new Unreasonable(`it has parts within parts, more than ${DEEPEST} deep`);
    const path = parent ? [...parent.path, (parent.structure.childNodes?.length ?? 0) + 1] : [];
    const structure = structureOf(headerFields(head, { raw: true }), path, node.multipart);
    places.set(node, { structure, depth, path });
    if (parent) {
      // Whatever it calls itself, what has parts is a multipart.
      if (!parent.structure.childNodes) Object.assign(parent.structure, { childNodes: [], type: 'multipart/mixed' });
      parent.structure.childNodes!.push(structure);
    } else {
      root = structure;
      header = head;
    }
  };
  splitter.on('data', (told: Told) => {
    if (failed) return;
    try {
      if (told.type === 'node') add(told);
      // The splitter ends a part that has no content with one.
      else if (!told.value) return;
      else if (told.type === 'body') keep(bytes, places.get(told.node)?.structure.part ?? '1', told.value);
      // What comes before its header is the boundary around it.
      else if (places.get(told.node)?.structure.childNodes?.length === 0) keep(undivided, told.node, told.value);
    } catch (error) {
      failed = error as Error;
    }
  });
  const ended = new Promise<void>((resolve, reject) => {
    splitter.on('end', () => resolve()).on('error', reject);
  });
  ended.catch(() => {});
  let lines = 0;
  let begun = performance.now();
  try {
    for await (const piece of source) {
      for (let at = 0; at < piece.length; at += SLICE) {
        const slice = piece.subarray(at, at + SLICE);
        lines += linesIn(slice);
        if (lines > MOST_LINES) throw new Unreasonable(`it has more than ${MOST_LINES / 1e6} million lines`);
        if (failed) throw failed;
        // What the splitter tells comes before anything else, so the loop is never free by itself.
        if (performance.now() - begun > TURN) {
          await breathe();
          begun = performance.now();
        }
        if (!splitter.write(slice))
          await Promise.race([
            new Promise(resolve => {
              splitter.once('drain', resolve);
            }),
            ended,
          ]);
      }
    }
    splitter.end();
    await ended;
    if (failed) throw failed;
  } catch (error) {
    splitter.destroy();
    throw (error as { code?: string }).code === 'EMAXLEN'
      ? new Unreasonable(
          /header/i.test((error as Error).message)
            ? `a header in it has more than ${LARGEST_HEADER / 1024} KB or ${MOST_HEADER_LINES} lines`
            : `it has more than ${MOST_PARTS} parts`,
        )
      : error;
  }
  for (const [node, { structure }] of places) {
    // A multipart that falls into no parts is a text, as its reader would see it.
    if (structure.childNodes?.length !== 0) continue;
    delete structure.childNodes;
    Object.assign(structure, { type: 'text/plain', parameters: {} });
    const around = node.parentNode ? places.get(node.parentNode)?.structure.parameters?.boundary : undefined;
    bytes.set(structure.part ?? '1', beforeEnd(undivided.get(node) ?? [], around));
  }
  for (const { structure } of places.values())
    structure.size = (bytes.get(structure.part ?? '1') ?? []).reduce((sum, one) => sum + one.length, 0);
  const shape = outline(root, { ours: true }) ?? { texts: [], htmls: [], attachments: [] };
  return {
    header,
    shape,
    bytes,
    root,
    async sizeOf(part) {
      let size = 0;
      for await (const piece of decodeStream(inPieces(bytes.get(part.part) ?? []), part.encoding)) size += piece.length;
      return size;
    },
  };
}

/** How many lines end in these bytes; by the byte, since a call for each of a million short lines takes seconds. */
function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === LF) lines++;
  return lines;
}

/**
 * A text without the line that ends what is around it, and what follows: the splitter takes them for the text of a
 * multipart without parts.
 */
function beforeEnd(pieces: Buffer[], boundary: string | undefined): Buffer[] {
  if (!boundary || !pieces.length) return pieces;
  const text = Buffer.concat(pieces);
  const end = text.indexOf(`\n--${boundary}--`);
  return [end < 0 ? text : text.subarray(0, text[end - 1] === 0x0d ? end - 1 : end)];
}

async function* inPieces(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

/** What a header says of its part, in the words of BODYSTRUCTURE. */
function structureOf(
  fields: readonly Field[],
  path: readonly number[],
  multipart: string | false,
): MessageStructureObject {
  const { value, params } = structured(fieldOf(fields, 'content-type') ?? 'text/plain');
  const said = fieldOf(fields, 'content-disposition');
  const disposition = said ? structured(said) : undefined;
  const id = fieldOf(fields, 'content-id');
  const type = multipart ? `multipart/${multipart}` : typeOf(value);
  return {
    ...(path.length ? { part: path.join('.') } : {}),
    type,
    parameters: params,
    encoding: encodingName(fieldOf(fields, 'content-transfer-encoding')),
    ...(id ? { id } : {}),
    ...(disposition ? { disposition: disposition.value.toLowerCase(), dispositionParameters: disposition.params } : {}),
    ...(multipart ? { childNodes: [] } : {}),
  } as MessageStructureObject;
}

/** `text/html` of whatever stands before a missing semicolon; a type that is none is text (RFC 2045 section 5.2). */
function typeOf(value: string): string {
  const found = /^[\s"']*([\w!#$&^.+-]+)\s*\/\s*([\w!#$&^.+-]+)/.exec(value);
  return found
    ? `${found[1]}/${found[2]}`.toLowerCase()
    : /^[\s"']*text\b/i.test(value) || !value.trim()
      ? 'text/plain'
      : 'application/octet-stream';
}
