import type { Context, FeedItem } from '../../../provider.js';
import { withFolder } from '../session/openFolder.js';
import { arrivedAt, uidSet, type ImapMessage } from '../messages/content.js';
import { attempt, fetchEach } from '../messages/fetchEach.js';
import { validityOf } from '../messages/id.js';
import type { FetchMessageObject, ImapFlow } from '../libraries.js';
import { fetchRows } from '../wire/fetch.js';
import { uidSearch } from '../operations/message.js';
import { hashOf, LATE, ringOf, type FolderState } from './cursor.js';
import type { Input } from './input.js';
import { itemOf } from './items.js';
import { newTrack, SILENCE } from './track.js';
import { collect } from './window.js';

export const DAY = 86_400_000;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** SINCE knows days only, in a time zone of the server's own. */
export const dayBefore = (at: number) => {
  const d = new Date(at - DAY);
  return `${d.getUTCDate()}-${MONTHS[d.getUTCMonth()]}-${d.getUTCFullYear()}`;
};

/** What the first look knows a message by. */
const NAMES = { uid: true, envelope: true, internalDate: true, size: true } as const;

/**
 * What a folder holds when it is first looked at: its newest messages, and those that may have arrived since `from`.
 */
interface Opening {
  uidValidity: string;
  next: number;
  newest: FetchMessageObject[];
  near: { uid: number; at: number }[];
  show: number[];
}

/** The first look at a folder: where news begins (`from` milliseconds, or now), and the latest few to show. */
export async function baseline(
  ctx: Context,
  folder: string,
  values: Input,
  show: boolean,
  from?: number,
): Promise<{ state: FolderState; items: FeedItem<ImapMessage>[]; behind: boolean }> {
  const { uidValidity, next, newest, near, show: shown } = await openingOf(ctx, folder, from);
  // Some servers leave UIDNEXT out (RFC 3501 made it optional); the highest UID tells the same.
  const last = Math.max(next - 1, shown.at(-1) ?? 0);
  const state: FolderState = { val: uidValidity, last, base: last };
  const first = from === undefined ? undefined : firstSince(near, from);
  if (first !== undefined)
    Object.assign(state, { last: first - 1, base: first - 1, from: { until: last, since: from } });
  const known = newest.filter(row => row.uid <= state.last);
  if (known.length) {
    state.ring = ringOf(known.map(hashOf));
    const at = Math.max(...known.map(arrivedAt).filter(time => !Number.isNaN(time)));
    if (Number.isFinite(at)) state.at = at;
  }
  const items = show ? await firstItems(ctx, { folder, uidValidity }, shown.slice(-5), values) : [];
  return { state, items, behind: state.last < last };
}

/**
 * The first UID that arrived at a time or later. One whose time the server cannot tell counts where none behind it is
 * known to be older.
 */
function firstSince(near: Opening['near'], from: number): number | undefined {
  const older = Math.max(0, ...near.filter(({ at }) => at < from).map(({ uid }) => uid));
  const since = near.filter(({ uid, at }) => at >= from || (Number.isNaN(at) && uid > older)).map(({ uid }) => uid);
  return since.length ? Math.min(...since) : undefined;
}

/**
 * Looks at a folder for the first time. A message that the server cannot give is left out here, whatever it does when
 * it is asked for.
 */
async function openingOf(ctx: Context, folder: string, from: number | undefined): Promise<Opening> {
  const newest: FetchMessageObject[] = [];
  const near = new Map<number, number>();
  const date = (row: FetchMessageObject) => {
    near.set(row.uid, arrivedAt(row));
  };
  const take = (row: FetchMessageObject) => {
    date(row);
    if (row.envelope) newest.push(row);
  };
  const dates = { uid: true, internalDate: true } as const;
  const undatedOf = (uids: number[]) => uids.filter(uid => !near.has(uid));
  const use = { fresh: true, reads: true, silence: SILENCE };
  const seen = await withFolder(
    ctx,
    folder,
    async (client, mailbox) => {
      const { exists } = mailbox;
      const uidValidity = validityOf(mailbox);
      const next = mailbox.uidNext || 1;
      const range = `${Math.max(1, exists - LATE + 1)}:*`;
      newest.length = 0;
      const failure = exists ? await attempt(client, () => fetchRows(client, range, NAMES, take, false)) : undefined;
      if (failure || !exists) return { exists, uidValidity, next, range, failure, uids: [] };
      const uids = from === undefined ? [] : await arrivedSince(client, from);
      const far = undatedOf(uids);
      return {
        exists,
        uidValidity,
        next,
        range,
        uids,
        failure: undefined,
        undated: far.length ? await attempt(client, () => fetchRows(client, uidSet(far), dates, date)) : undefined,
      };
    },
    use,
  );
  const { exists, uidValidity, next, range, failure } = seen;
  let { uids, undated } = seen;
  const place = { folder, uidValidity };
  let shown = newest.map(row => row.uid);
  if (failure) {
    [shown, uids] = await withFolder(
      ctx,
      folder,
      async client => [
        await uidSearch(client, [{ type: 'SEQUENCE', value: range }]),
        from === undefined ? [] : await arrivedSince(client, from),
      ],
      use,
    );
    const had = new Set(newest.map(row => row.uid));
    const problems = await fetchEach(
      ctx,
      place,
      shown.filter(uid => !had.has(uid)),
      NAMES,
      take,
      failure,
    );
    for (const [uid, { lost }] of problems) if (lost) near.set(uid, NaN);
    undated = failure;
  }
  if (undated) await fetchEach(ctx, place, undatedOf(uids), dates, date, undated);
  return {
    uidValidity,
    next,
    newest: newest.sort((a, b) => a.uid - b.uid),
    near: uids.map(uid => ({ uid, at: near.get(uid) ?? NaN })),
    show: exists ? shown.sort((a, b) => a - b) : [],
  };
}

/** UIDs that may have arrived since a time: servers know days only. */
const arrivedSince = (client: ImapFlow, from: number): Promise<number[]> =>
  uidSearch(client, [
    { type: 'ATOM', value: 'SINCE' },
    { type: 'ATOM', value: dayBefore(from) },
  ]);

/** The latest messages, to be shown; one that cannot be read is left out, because it is no news. */
async function firstItems(
  ctx: Context,
  { folder, uidValidity }: { folder: string; uidValidity: string },
  uids: number[],
  values: Input,
): Promise<FeedItem<ImapMessage>[]> {
  const items: FeedItem<ImapMessage>[] = [];
  const read = (some: number[]) =>
    withFolder(
      ctx,
      folder,
      async (client, mailbox) => {
        if (validityOf(mailbox) !== uidValidity) return undefined;
        return attempt(client, async () => {
          const found = await collect(ctx, client, mailbox, folder, some, values, newTrack());
          for (const { uid, message } of found.done) if (message) items.push(itemOf(folder, uidValidity, uid, message));
        });
      },
      { reads: true, silence: SILENCE },
    );
  if (!uids.length || !(await read(uids))) return items;
  for (const uid of uids) await read([uid]);
  return items;
}
