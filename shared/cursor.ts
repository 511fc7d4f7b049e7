import { createHash } from 'node:crypto';
import { MailError } from './errors.js';
import { take } from './pages.js';
import type { Batch, FeedItem } from './provider.js';

/** A short name for an id or version inside a cursor; 48 bits make a collision within one mailbox improbable. */
const short = (text: string) => createHash('sha1').update(text).digest('base64url').slice(0, 8);

/**
 * Reads a cursor of version 1 and of the kind wanted. Throws `invalid_input` for anything else: guessing would lose or
 * repeat.
 */
function read<C extends { v: 1; seen: Record<string, unknown> }>(cursor: string, isOne: (parsed: C) => boolean): C {
  try {
    const parsed = JSON.parse(cursor) as C;
    if (parsed?.v === 1 && typeof parsed.seen === 'object' && parsed.seen !== null && isOne(parsed)) return parsed;
  } catch {
    /* said below */
  }
  throw new MailError('invalid_input', 'This cursor was not made by this feed; start again without a cursor.');
}

/** How the watermark looks at a list. Times are milliseconds since 1970. */
export interface Watermark<T> {
  cursor: string | undefined;
  /**
   * The list, newest first. Read only as far as needed: nothing older than `floor` is looked at, where there is one.
   */
  newest(floor?: number): AsyncIterable<T>;
  /** Names one event for good: an id for messages, id and version for things that change. */
  id(item: T): string;
  at(item: T): number;
  /**
   * How much later than its time an item may appear in the list and still be found. Everything this young is remembered
   * by name.
   */
  overlapMs: number;
  /** How many are shown when there is no cursor yet, and how many are handed over at once. */
  latest?: number;
  most?: number;
}
interface WatermarkCursor {
  v: 1;
  at: number | null;
  seen: Record<string, number>;
}
const readMark = (cursor: string) => read<WatermarkCursor>(cursor, c => c.at === null || Number.isFinite(c.at));

/**
 * Notices change by a time that only grows: reads back to the newest time handed over less the overlap, drops what was
 * handed over before. Loses and repeats nothing as long as an item appears within `overlapMs` of the newest one; equal
 * times, any order of arrival, deletions in between, and items that move to another page while the list is read are all
 * right, because nothing is counted. An item dated in the future does not move the mark, or all that comes before its
 * time would be lost; it stays known by name until then. A clock here that is late costs memory and reading, never an
 * item.
 */
export async function watermark<T>({
  cursor,
  newest,
  id,
  at,
  overlapMs,
  latest = 5,
  most = 200,
}: Watermark<T>): Promise<Batch<T>> {
  const before: WatermarkCursor = cursor === undefined ? { v: 1, at: null, seen: {} } : readMark(cursor);
  const byName = new Map<string, T>();
  const now = Date.now();
  let floor = before.at === null ? -Infinity : before.at - overlapMs;
  for await (const item of newest(Number.isFinite(floor) ? floor : undefined)) {
    // Without a cursor only the young ones must be known by name, and a few shown.
    if (cursor === undefined && floor === -Infinity && at(item) <= now) floor = at(item) - overlapMs;
    if (at(item) < floor && (cursor !== undefined || byName.size >= latest)) break;
    if (!byName.has(id(item))) byName.set(id(item), item);
  }
  const found = [...byName.values()].sort((a, b) => at(a) - at(b) || (id(a) < id(b) ? -1 : 1));
  const fresh = cursor === undefined ? found : found.filter(item => !Object.hasOwn(before.seen, short(id(item))));
  const taken = cursor === undefined ? fresh : fresh.slice(0, most);
  const past = taken
    .filter(item => at(item) <= now)
    .reduce((high, item) => Math.max(high, at(item)), before.at ?? -Infinity);
  // A first look that found nothing but the future has everything by name, and may begin at now.
  const top = cursor === undefined && taken.length && past === -Infinity ? now : past;
  const seen: Record<string, number> = {};
  for (const [name, when] of Object.entries(before.seen)) if (when >= top - overlapMs) seen[name] = when;
  for (const item of taken) if (at(item) >= top - overlapMs) seen[short(id(item))] = at(item);
  const items: FeedItem<T>[] = (cursor === undefined ? taken.slice(-latest) : taken).map(item => ({
    id: id(item),
    item,
  }));
  const after: WatermarkCursor = { v: 1, at: Number.isFinite(top) ? top : null, seen };
  return { items, cursor: JSON.stringify(after), more: taken.length < fresh.length };
}

/**
 * A cursor that finds everything from a time (ISO 8601, checked by the client) on; `overlapMs` must be the feed's own.
 */
export const watermarkFrom = (at: string, overlapMs: number): string =>
  JSON.stringify({ v: 1, at: Date.parse(at) + overlapMs, seen: {} } satisfies WatermarkCursor);

/** How far a cursor of `watermark` has come, in milliseconds since 1970; undefined where it has seen nothing yet. */
export const watermarkAt = (cursor: string): number | undefined => readMark(cursor).at ?? undefined;

/** What happened to an object of a list since the last look. */
export interface Change<T> {
  change: 'created' | 'changed' | 'deleted';
  id: string;
  item?: T;
}
/** How the snapshot looks at a list; `version` is any text that differs after a change. */
export interface Snapshot<T> {
  cursor: string | undefined;
  all(): AsyncIterable<T>;
  id(item: T): string;
  version(item: T): string;
  latest?: number;
  most?: number;
}
interface SnapshotCursor {
  v: 1;
  n: number;
  seen: Record<string, string>;
}

/**
 * Notices change by comparing the whole list with what it was: for vendors that give no time of change. A change undone
 * between two looks is not seen. The cursor holds every id and a short version, about 30 bytes each.
 */
export async function snapshot<T>({
  cursor,
  all,
  id,
  version,
  latest = 5,
  most = 200,
}: Snapshot<T>): Promise<Batch<Change<T>>> {
  const before = cursor === undefined ? undefined : read<SnapshotCursor>(cursor, c => Number.isInteger(c.n));
  if (!before) {
    const items = await take(all());
    const seen = Object.fromEntries(items.map(item => [id(item), short(version(item))]));
    return {
      items: items
        .slice(-latest)
        .map(item => ({ id: `0/${id(item)}`, item: { change: 'created', id: id(item), item } })),
      cursor: JSON.stringify({ v: 1, n: 0, seen } satisfies SnapshotCursor),
      more: false,
    };
  }
  // The number of the look makes an event's name differ from that of the same change happening again later.
  const n = before.n + 1;
  const seen = new Map(Object.entries(before.seen));
  const gone = new Set(seen.keys());
  const items: FeedItem<Change<T>>[] = [];
  let more = false;
  for await (const item of all()) {
    const name = id(item);
    const now = short(version(item));
    const was = seen.get(name);
    gone.delete(name);
    if (was === now) continue;
    if (items.length >= most) {
      more = true;
      continue;
    }
    seen.set(name, now);
    items.push({
      id: `${n}/${name}/${now}`,
      item: { change: was === undefined ? 'created' : 'changed', id: name, item },
    });
  }
  for (const name of gone) {
    if (items.length >= most) {
      more = true;
      break;
    }
    seen.delete(name);
    items.push({ id: `${n}/${name}/deleted`, item: { change: 'deleted', id: name } });
  }
  const after: SnapshotCursor = { v: 1, n: items.length ? n : before.n, seen: Object.fromEntries(seen) };
  return { items, cursor: JSON.stringify(after), more };
}
