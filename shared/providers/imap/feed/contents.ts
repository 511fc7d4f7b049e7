import { fileOf } from '../../../fields.js';
import type { Context } from '../../../provider.js';
import {
  fetchParts,
  fill,
  LONGEST_TEXT,
  readParts,
  uidSet,
  type Got,
  type ImapMessage,
  type Wanted,
} from '../messages/content.js';
import { partFile, sourceFile } from '../messages/download.js';
import type { FetchMessageObject, ImapFlow } from '../libraries.js';
import { fetchRows, pipelineFetches, type FetchRequest } from '../wire/fetch.js';
import { prefetchContents, newPrefetch, prefetchSummaries } from './prefetch.js';
import { LARGEST_PARSED, takeApart, TOO_LARGE } from '../messages/whole.js';
import { decoded } from '../mime/transfer.js';
import { decodedSize, isMisread, nameOf, toAttachment, type Outline, type Part } from '../mime/structure.js';
import { passes, shapeOf } from './filters.js';
import type { Input } from './input.js';
import { measurePauses } from './standstill.js';
import { alone } from './refusals.js';
import type { Track } from './track.js';

/** Files up to this size come with their message; larger ones are fetched when they are opened. In bytes. */
const AT_ONCE = 512 * 1024;

const filesOf = (shape: Outline, values: Input): Part[] =>
  values.fetch === 'full'
    ? shape.attachments
        .filter(part => part.size <= AT_ONCE && decodedSize(part) <= values.attachmentLimit)
        .slice(0, 100)
    : [];

/** How many bytes of a message a window would hold. */
export function costOf(values: Input, row: FetchMessageObject, shape: Outline | undefined): number {
  if (values.fetch === 'envelope') return 0;
  if (values.fetch === 'raw') return (row.size ?? 0) <= AT_ONCE ? (row.size ?? 0) : 0;
  if (!shape) return Math.min(row.size ?? 0, LARGEST_PARSED);
  return [
    ...readParts(shape).map(part => Math.min(part.size, LONGEST_TEXT)),
    ...filesOf(shape, values).map(part => part.size),
  ].reduce((sum, size) => sum + size, 4096);
}

export type Open = { uid: number; row: FetchMessageObject; shape: Outline | undefined; message: ImapMessage };

/** What is to be asked for beyond the message that is the last of its window. */
function prefetchBeyond(track: Track, last: number, values: Input): FetchRequest[] {
  const { ahead, rows, uids = [], depth = 0 } = track;
  if (!ahead) return [];
  const want = (uid: number) => {
    const row = rows.get(uid);
    const shape = shapeOf(row);
    if (!row) return undefined;
    const read = shape && passes(values, row, shape);
    const parts = read ? [...readParts(shape), ...filesOf(shape, values)] : [];
    return { wanted: { uid, parts, header: !!read }, cost: read ? costOf(values, row, shape) : 0 };
  };
  const contents = values.fetch === 'raw' ? [] : prefetchContents(ahead, uids, uids.indexOf(last) + 1, depth, want);
  return [...contents, ...prefetchSummaries(ahead, rows)];
}

/** The contents of a window: those that were asked for ahead, and the others. */
async function windowParts(
  client: ImapFlow,
  parts: readonly Wanted[],
  take: (got: Got) => void,
  behind: readonly FetchRequest[],
  track: Track,
): Promise<void> {
  const { asked, got } = track.ahead ?? newPrefetch();
  const early = parts.filter(one => asked.has(one.uid));
  const now = parts.filter(one => !asked.has(one.uid));
  track.asked = true;
  if (now.length) {
    const pauses = measurePauses(client);
    await fetchParts(
      client,
      now,
      got => {
        pauses.beat();
        return take(got);
      },
      behind,
    );
    // What else is under way would be part of them.
    if (!early.length) pauses.end();
  } else await pipelineFetches(client, behind);
  for (const one of early) await asked.get(one.uid)!.come;
  for (const { uid } of early) {
    const one = got.get(uid);
    if (one) take(one);
  }
  const missing = early.filter(one => !got.has(one.uid));
  if (missing.length) await fetchParts(client, missing, take);
}

/** What the messages of a window have in common. */
interface Window {
  ctx: Context;
  client: ImapFlow;
  folder: string;
  uidValidity: string;
  values: Input;
  track: Track;
  /** The folder, for what is known of its refusals. */
  name: string;
}

export async function contents(
  ctx: Context,
  client: ImapFlow,
  open: Open[],
  folder: string,
  uidValidity: string,
  values: Input,
  track: Track,
  name: string,
  asked: readonly number[],
): Promise<void> {
  await new WindowContents({ ctx, client, folder, uidValidity, values, track, name }, open).read(asked);
}

/** Reads what the messages of a window hold: parts of those whose structure is plain, and the others whole. */
class WindowContents {
  private readonly byUid: Map<number, Open>;
  /** Those whose structure turned out not to be what the server says. */
  private readonly misread: Open[] = [];

  constructor(
    private readonly window: Window,
    private readonly open: readonly Open[],
  ) {
    this.byUid = new Map(open.map(one => [one.uid, one]));
  }

  async read(asked: readonly number[]): Promise<void> {
    const { client, values, track } = this.window;
    const { open } = this;
    const plain = values.fetch === 'raw' ? [] : open.filter(one => one.shape);
    const wholes = open.filter(one => isReadWhole(values, one));
    for (const one of open) this.describe(one);
    const parts: Wanted[] = plain.map(({ uid, shape }) => ({
      uid,
      parts: [...readParts(shape!), ...filesOf(shape!, values)],
      header: true,
    }));
    const take = (got: Got) => this.takeParts(got);
    const requests = prefetchBeyond(track, asked.at(-1) ?? 0, values);
    if (parts.length) {
      await this.ask(
        plain,
        () => windowParts(client, parts, take, requests, track),
        uid =>
          fetchParts(
            client,
            parts.filter(one => one.uid === uid),
            take,
          ),
      );
    } else await pipelineFetches(client, requests);
    wholes.push(...this.misread);
    if (!wholes.length) return;
    await this.ask(
      wholes,
      () => this.readWhole(wholes.map(one => one.uid)),
      uid => this.readWhole([uid]),
    );
  }

  /** Puts in what needs no reading; finishes those of which nothing is to be read. */
  private describe(one: Open): void {
    const { ctx, folder, uidValidity, values } = this.window;
    const place = { folder, uidValidity, uid: one.uid };
    const size = one.row.size ?? 0;
    if (values.fetch === 'raw') {
      one.message.raw = sourceFile(ctx, place, one.row.size, `message-${one.uid}.eml`);
      if (size > AT_ONCE) this.finished(one);
    } else if (!one.shape) {
      if (size <= LARGEST_PARSED) return;
      one.message.error = TOO_LARGE;
      this.finished(one);
    } else if (values.fetch === 'full') {
      one.message.attachments = one.shape.attachments.map(part => {
        const content = decodedSize(part) <= values.attachmentLimit ? { content: partFile(ctx, place, part) } : {};
        return { ...toAttachment(part), ...content };
      });
    }
  }

  private finished(one: Open): void {
    this.window.track.finished.set(one.uid, one.message);
  }

  private takeParts(got: Got): void {
    const one = this.byUid.get(got.uid);
    if (!one?.shape) return;
    const size = one.row.size ?? 0;
    if (size <= LARGEST_PARSED && isMisread(one.row.bodyStructure, got.header ?? Buffer.alloc(0), size)) {
      this.misread.push(one);
      return;
    }
    try {
      fill(one.message, one.shape, got);
      if (this.window.values.fetch === 'full') takeFiles(one.message, one.shape, got);
    } catch (error) {
      one.message.error = `The message could not be read: ${(error as Error).message}`;
    }
    this.finished(one);
  }

  private async readWhole(uids: number[]): Promise<void> {
    const query = { uid: true, source: true };
    await fetchRows(this.window.client, uidSet(uids), query, row => this.takeWhole(row));
  }

  private async takeWhole({ uid, source }: FetchMessageObject): Promise<void> {
    const { values } = this.window;
    const one = this.byUid.get(uid);
    if (!one || !source) return;
    const { message } = one;
    if (values.fetch === 'raw') message.raw = fileOf(`message-${uid}.eml`, 'message/rfc822', source);
    else await takeApart([source], message);
    if (values.fetch !== 'full' && message.attachments) {
      message.attachments = message.attachments.map(({ content: _content, ...described }) => described);
    }
    this.finished(one);
  }

  /** Asks for all together, and for each alone where the server refuses that. */
  private ask(some: readonly Open[], all: () => Promise<void>, single: (uid: number) => Promise<void>): Promise<void> {
    const { ctx, name, track } = this.window;
    // What came before from elsewhere says nothing about whether the server gives contents now.
    const wanted = some.filter(one => !track.finished.has(one.uid)).map(one => one.uid);
    return alone(
      ctx,
      name,
      track,
      wanted,
      uid => track.finished.has(uid),
      all,
      single,
      (uid, said) => {
        const one = this.byUid.get(uid)!;
        one.message.error = `The server refuses to give the content of this message: ${said}.`;
        one.message.unreadable = true;
        this.finished(one);
      },
    );
  }
}

/** Whether a message is read as a whole, and not by its parts. */
function isReadWhole(values: Input, { row, shape }: Open): boolean {
  const size = row.size ?? 0;
  return values.fetch === 'raw' ? size <= AT_ONCE : !shape && size <= LARGEST_PARSED;
}

/** Puts the files that came into the attachments that stand for them. */
function takeFiles(message: ImapMessage, { attachments }: Outline, got: Got): void {
  for (const [i, part] of attachments.entries()) {
    const bytes = got.parts.get(part.part);
    if (!bytes) continue;
    const file = fileOf(nameOf(part), part.type, decoded(bytes, part.encoding));
    if (part.contentId) file.contentId = part.contentId;
    const told = message.attachments![i]!;
    delete told.sizeEstimated;
    Object.assign(told, { size: file.size, content: file });
  }
}
