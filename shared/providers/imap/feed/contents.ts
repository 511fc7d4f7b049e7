import { fileOf } from '../../../fields.js';
import type { Context } from '../../../provider.js';
import { fetchParts, fill, LONGEST_TEXT, readParts, uidSet, type Got, type ImapMessage, type Wanted } from '../messages/content.js';
import { partFile, sourceFile } from '../messages/download.js';
import type { FetchMessageObject, ImapFlow } from '../libraries.js';
import { fetchRows, pipelineFetches, type FetchRequest } from '../wire/fetch.js';
import { prefetchContents, newPrefetch, prefetchSummaries } from './prefetch.js';
import { LARGEST_PARSED, takeApart, TOO_LARGE } from '../messages/whole.js';
import { decoded } from '../mime/transfer.js';
import { decodedSize, isMisread, nameOf, toAttachment, type Outline, type Part } from '../mime/structure.js';
import { passes, shapeOf } from './filters.js';
import type { Input } from './input.js';
import { alone } from './refusals.js';
import type { Track } from './track.js';

/** Files up to this size come with their message; larger ones are fetched when they are opened. In bytes. */
const AT_ONCE = 512 * 1024;

const filesOf = (shape: Outline, values: Input): Part[] =>
  values.fetch === 'full' ? shape.attachments.filter(part => part.size <= AT_ONCE && decodedSize(part) <= values.attachmentLimit).slice(0, 100) : [];

/** How many bytes of a message a window would hold. */
export function costOf(values: Input, row: FetchMessageObject, shape: Outline | undefined): number {
  if (values.fetch === 'envelope') return 0;
  if (values.fetch === 'raw') return (row.size ?? 0) <= AT_ONCE ? row.size ?? 0 : 0;
  if (!shape) return Math.min(row.size ?? 0, LARGEST_PARSED);
  return [...readParts(shape).map(part => Math.min(part.size, LONGEST_TEXT)), ...filesOf(shape, values).map(part => part.size)]
    .reduce((sum, size) => sum + size, 4096);
}

export type Open = { uid: number; row: FetchMessageObject; shape: Outline | undefined; message: ImapMessage };

/** What is to be asked for beyond the message that is the last of its window. */
function prefetchBeyond(track: Track, last: number, values: Input): FetchRequest[] {
  const { ahead, rows, uids = [], depth = 0 } = track;
  if (!ahead) return [];
  const want = (uid: number) => {
    const row = rows.get(uid), shape = shapeOf(row);
    if (!row) return undefined;
    const read = shape && passes(values, row, shape);
    const parts = read ? [...readParts(shape), ...filesOf(shape, values)] : [];
    return { wanted: { uid, parts, header: !!read }, cost: read ? costOf(values, row, shape) : 0 };
  };
  const contents = values.fetch === 'raw' ? [] : prefetchContents(ahead, uids.slice(uids.indexOf(last) + 1), depth, want);
  return [...contents, ...prefetchSummaries(ahead, rows)];
}

/** The contents of a window: those that were asked for ahead, and the others. */
async function windowParts(client: ImapFlow, parts: readonly Wanted[], take: (got: Got) => void, behind: readonly FetchRequest[], track: Track): Promise<void> {
  const { asked, got } = track.ahead ?? newPrefetch();
  const early = parts.filter(one => asked.has(one.uid)), now = parts.filter(one => !asked.has(one.uid));
  track.asked = true;
  if (now.length) await fetchParts(client, now, take, behind); else await pipelineFetches(client, behind);
  for (const one of early) await asked.get(one.uid)!.come;
  for (const { uid } of early) { const one = got.get(uid); if (one) take(one); }
  const missing = early.filter(one => !got.has(one.uid));
  if (missing.length) await fetchParts(client, missing, take);
}

export async function contents(ctx: Context, client: ImapFlow, open: Open[], folder: string, uidValidity: string, values: Input, track: Track,
  name: string, asked: readonly number[]): Promise<void> {
  const byUid = new Map(open.map(one => [one.uid, one]));
  const finished = (one: Open) => { track.finished.set(one.uid, one.message); };
  const wholes = open.filter(one => values.fetch === 'raw' ? (one.row.size ?? 0) <= AT_ONCE : !one.shape && (one.row.size ?? 0) <= LARGEST_PARSED);
  for (const one of open) {
    const place = { folder, uidValidity, uid: one.uid };
    if (values.fetch === 'raw') {
      one.message.raw = sourceFile(ctx, place, one.row.size, `message-${one.uid}.eml`);
      if ((one.row.size ?? 0) > AT_ONCE) track.finished.set(one.uid, one.message);
      continue;
    }
    if (!one.shape) {
      if ((one.row.size ?? 0) > LARGEST_PARSED) {
        one.message.error = TOO_LARGE;
        track.finished.set(one.uid, one.message);
      }
      continue;
    }
    if (values.fetch === 'full') {
      one.message.attachments = one.shape.attachments.map(part =>
        ({ ...toAttachment(part), ...(decodedSize(part) <= values.attachmentLimit ? { content: partFile(ctx, place, part) } : {}) }));
    }
  }
  const parts: Wanted[] = values.fetch === 'raw' ? []
    : open.filter(one => one.shape).map(one => ({ uid: one.uid, parts: [...readParts(one.shape!), ...filesOf(one.shape!, values)], header: true }));
  const misread: Open[] = [];
  const take = (got: Got) => {
    const one = byUid.get(got.uid);
    if (!one?.shape) return;
    const size = one.row.size ?? 0;
    if (size <= LARGEST_PARSED && isMisread(one.row.bodyStructure, got.header ?? Buffer.alloc(0), size)) { misread.push(one); return; }
    try {
      fill(one.message, one.shape, got);
      if (values.fetch === 'full') {
        for (const [i, part] of one.shape.attachments.entries()) {
          const bytes = got.parts.get(part.part);
          if (!bytes) continue;
          const file = fileOf(nameOf(part), part.type, decoded(bytes, part.encoding));
          if (part.contentId) file.contentId = part.contentId;
          const told = one.message.attachments![i]!;
          delete told.sizeEstimated;
          Object.assign(told, { size: file.size, content: file });
        }
      }
    } catch (error) {
      one.message.error = `The message could not be read: ${(error as Error).message}`;
    }
    finished(one);
  };
  const whole = async (uids: number[]) => {
    await fetchRows(client, uidSet(uids), { uid: true, source: true }, async row => {
      const one = byUid.get(row.uid);
      if (!one || !row.source) return;
      if (values.fetch === 'raw') one.message.raw = fileOf(`message-${one.uid}.eml`, 'message/rfc822', row.source);
      else await takeApart([row.source], one.message);
      const { attachments } = one.message;
      if (values.fetch !== 'full' && attachments) one.message.attachments = attachments.map(({ content: _content, ...described }) => described);
      finished(one);
    });
  };
  const ask = (some: readonly Open[], all: () => Promise<void>, single: (uid: number) => Promise<void>) => {
    // What came before from elsewhere says nothing about whether the server gives contents now.
    const wanted = some.filter(one => !track.finished.has(one.uid)).map(one => one.uid);
    return alone(ctx, name, track, wanted, uid => track.finished.has(uid), all, single, (uid, said) => {
      const { message } = byUid.get(uid)!;
      message.error = `The server refuses to give the content of this message: ${said}.`;
      message.unreadable = true;
      track.finished.set(uid, message);
    });
  };
  const requests = prefetchBeyond(track, asked.at(-1) ?? 0, values);
  if (!parts.length) await pipelineFetches(client, requests);
  if (parts.length) await ask(open.filter(one => one.shape), () => windowParts(client, parts, take, requests, track),
    uid => fetchParts(client, parts.filter(one => one.uid === uid), take));
  wholes.push(...misread);
  if (wholes.length) await ask(wholes, () => whole(wholes.map(one => one.uid)), uid => whole([uid]));
}
