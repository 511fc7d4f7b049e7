import { hash } from 'node:crypto';
import { MailError, isMailError } from '../../../errors.js';
import { choice, flag, list, number, text, fileOf, type Values } from '../../../fields.js';
import { inReadingOrder, withText } from '../../../message.js';
import { feed, type Batch, type Context, type FeedItem, type Latest } from '../../../provider.js';
import { endpoint, settingsOf } from '../account/fields.js';
import { imapError, isLost, isRefused, opened, remind, watchFolders, withFolder, withImap, wordsOf } from '../session/imapPool.js';
import {
  arrivedAt, BARE, fetchParts, fill, LONGEST_TEXT, SUMMARY, toMessage, readParts, uidSet, uidsOf, unknownMessage, type Got, type ImapMessage, type Wanted,
} from '../messages/content.js';
import { attempt, fetchEach } from '../messages/fetchEach.js';
import { validityOf } from '../messages/id.js';
import { partFile, sourceFile } from '../messages/download.js';
import type { FetchMessageObject, ImapFlow, MailboxObject } from '../libraries.js';
import { fetchRows, fetchTogether, mendRows, type Wish } from '../wire/fetch.js';
import { contentsAhead, depthOf, handedOver, leaveUnread, newAhead, summariesAhead, type Ahead } from './ahead.js';
import { LARGEST_PARSED, takeApart, TOO_LARGE } from '../messages/whole.js';
import { uidSearch } from '../operations/message.js';
import { decoded } from '../mime/transfer.js';
import { decodedSize, isMisread, nameOf, outline, toAttachment, type Outline, type Part } from '../mime/structure.js';

/**
 * A window: so many messages, and so many bytes of them, are handed over at once. Larger ones save few commands, but more of what they hold
 * outlives a collection of V8's young generation, which then grows to twice the size: 155 MB instead of 115 for ten thousand messages.
 */
const MOST = 32, MOST_SUMMARIES = 64, WINDOW_BYTES = 384 * 1024;
/** So many UIDs are looked through at once for new ones; each search interrupts what is asked for ahead. */
const STRETCH = 4000;
/** Files up to this size come with their message; larger ones are fetched when they are opened. In bytes. */
const AT_ONCE = 512 * 1024;
/** How many hashes of Message-IDs are kept to recognise mail after a folder was created anew, and how far back late UIDs are looked for. */
const KNOWN = 400, LATE = 200;
/** Announced messages that never come are asked for again after 1, 2 and 4 seconds; those refused for the moment with such waits for an hour. */
const TRIES = 3, REFUSED_TRIES = 12;
/** So often all messages asked for are refused for the moment before the first of them is put off, so that it holds up the others no longer. */
const PATIENCE = 8;
/** A message is set aside when the connection broke so often while it was fetched alone. */
const STRIKES = 2;
/** Not one byte for this long during a command: the connection is dead. In milliseconds. */
const SILENCE = 30_000;
const DAY = 86_400_000;

const input = {
  folders: list('Folders', text('Folder', { maxLength: 1000, pattern: '^\\P{Cc}+$', ref: 'folder' }),
    { maxItems: 20, default: ['INBOX'], help: 'News of the first one arrives at once, of the others within a minute.' }),
  from: text('From', { maxLength: 500, group: 'Filters', help: 'Only messages whose sender contains this.' }),
  subject: text('Subject', { maxLength: 500, group: 'Filters', help: 'Only messages whose subject contains this.' }),
  unseen: flag('Unread Only', { group: 'Filters', help: 'Whether messages that were read elsewhere meanwhile are left out.' }),
  hasAttachment: flag('Has Attachment', { group: 'Filters', help: 'Whether only messages with an attachment come, or only those without.' }),
  largerThan: number('Larger Than', { min: 0, unit: 'bytes', group: 'Filters', help: 'In bytes.' }),
  smallerThan: number('Smaller Than', { min: 1, unit: 'bytes', group: 'Filters', help: 'In bytes.' }),
  fetch: choice('Fetch', { envelope: 'Envelope Only', text: 'Text and HTML', full: 'Text, HTML and Attachments', raw: 'Raw Message' }, { default: 'text' }),
  attachmentLimit: number('Attachment Limit', { min: 0, unit: 'bytes', default: 25 * 1024 * 1024,
    help: 'Attachments larger than this, in bytes, are described but not fetched.' }),
};
type Input = Values<typeof input>;

/** What is kept of a folder between two looks. Short names, because the cursor is stored with every message. */
interface FolderState {
  /** UIDVALIDITY; highest UID handed over; UIDs up to `base` were there before us. */
  val: string; last: number; base: number;
  /** UIDs handed over among the last 200, as a set. */
  seen?: string;
  /** Hashes of Message-IDs, six bytes each in base64, oldest first. */
  ring?: string;
  /** When the newest message handed over had arrived. */
  at?: number;
  /** Announced but not delivered: UID, tries, when to try again. */
  gaps?: [uid: number, tries: number, due: number][];
  /** The connection broke during a window: up to this UID messages are fetched one by one, to find the one that does it. */
  careful?: number;
  /** UIDs during whose own FETCH the connection broke, and how often. */
  strikes?: [uid: number, times: number][];
  /** The first look goes back to a date: up to this UID older messages are left out. */
  from?: { until: number; since: number };
  /** The folder was created anew: up to this UID mail known from before is left out. `n` hashes of the ring are from before. */
  reset?: { until: number; after?: number; n: number; known: number; fresh: number };
}
interface Cursor { v: 1; folders: Record<string, FolderState> }

/** Tells of each message that arrives in the folders. */
export const messageReceived = feed({
  summary: 'A message arrived in a folder',
  input,
  since: (ctx, values, cursor) => since(ctx, values, cursor),
  latest: (ctx, values, most) => latest(ctx, values, most),
  from: (ctx, values, at) => beginAt(ctx, values, Date.parse(at)),
  watch: (ctx, values, changed) => watchFolders(ctx, foldersOf(values), changed),
});

const foldersOf = (values: Input): string[] => [...new Set(values.folders.map(folder => folder.toUpperCase() === 'INBOX' ? 'INBOX' : folder))];

function readCursor(cursor: string): Cursor {
  try {
    const parsed = JSON.parse(cursor) as Cursor;
    if (parsed?.v === 1 && typeof parsed.folders === 'object' && parsed.folders) return parsed;
  } catch { /* said below */ }
  throw new MailError('invalid_input', 'This cursor was not made by this feed; start again without a cursor.');
}

/** Failures that concern the folder that was asked for. */
const OF_ONE: ReadonlySet<string> = new Set(['not_found', 'forbidden', 'rejected']);

async function since(ctx: Context, values: Input, cursor: string | undefined): Promise<Batch<ImapMessage>> {
  const before = cursor === undefined ? undefined : readCursor(cursor);
  const folders = foldersOf(values);
  const states: Record<string, FolderState> = {};
  for (const folder of folders) if (before?.folders[folder]) states[folder] = before.folders[folder];
  const items: FeedItem<ImapMessage>[] = [], notes: string[] = [];
  let more = false, worked = 0, failed: unknown;
  for (const folder of folders) {
    if (more) break;
    try {
      const known = states[folder];
      if (!known) {
        const first = await baseline(ctx, folder, values, cursor === undefined && items.length < 5);
        states[folder] = first.state;
        items.push(...first.items);
        if (cursor !== undefined && !first.behind) notes.push(`The folder "${folder}" is new here; its messages count from now on.`);
        if (first.behind) more = true;
      } else {
        const looked = await look(ctx, folder, values, known);
        states[folder] = looked.state;
        items.push(...looked.items);
        notes.push(...looked.notes);
        if (looked.more) more = true;
      }
      worked++;
    } catch (error) {
      // One folder that was deleted, or may not be read any more, must not silence the others.
      if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
      failed ??= error;
      notes.push(`The folder "${folder}" cannot be read: ${error.message}`);
    }
  }
  if (!worked && failed) throw failed;
  return { items, cursor: JSON.stringify({ v: 1, folders: states } satisfies Cursor), more, ...(notes.length ? { notes } : {}) };
}

/** So many messages of a folder, from the newest back, a test looks through for some that pass the filters; so many at once. */
const LOOK_BACK = 1000, LOOK_STEP = 100;

/** The latest of all folders together. One folder that cannot be read is noted, as `since` does it. */
async function latest(ctx: Context, values: Input, most: number): Promise<Latest<ImapMessage>> {
  const found: { item: FeedItem<ImapMessage>; at: number }[] = [], notes: string[] = [];
  let worked = false, failed: unknown;
  for (const folder of foldersOf(values)) {
    try {
      found.push(...await latestIn(ctx, folder, values, most, notes));
      worked = true;
    } catch (error) {
      if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
      failed ??= error;
      notes.push(`The folder "${folder}" cannot be read: ${error.message}`);
    }
  }
  if (!worked && failed) throw failed;
  const items = found.sort((one, other) => one.at - other.at).slice(-most).map(({ item }) => item);
  return { items, ...(notes.length ? { notes } : {}) };
}

/** Steps back until enough pass; only those that do are fetched with their content. */
async function latestIn(ctx: Context, folder: string, values: Input, most: number, notes: string[]) {
  return withFolder(ctx, folder, async (client, mailbox) => {
    const found: { item: FeedItem<ImapMessage>; at: number }[] = [], uidValidity = validityOf(mailbox);
    const last = Math.max(0, mailbox.exists - LOOK_BACK);
    for (let end = mailbox.exists, step = most; end > last && found.length < most; end -= step, step = LOOK_STEP) {
      const uids: number[] = [], arrived = new Map<number, number>();
      await fetchRows(client, `${Math.max(last + 1, end - step + 1)}:${end}`, { uid: true, internalDate: true },
        row => { uids.push(row.uid); arrived.set(row.uid, arrivedAt(row)); }, false);
      if (!uids.length) break;
      const all = (wanted: readonly number[], fetch: Input['fetch']) => collectAll(wanted, one =>
        collect(ctx, client, mailbox, folder, one, { ...values, fetch }, newTrack()));
      const passing = (await all(uids.sort((a, b) => a - b), 'envelope')).map(({ uid }) => uid).slice(found.length - most);
      const whole: typeof found = [];
      for (const { uid, message } of await all(passing, values.fetch)) {
        if (message.unreadable) notes.push(`A message in "${folder}" cannot be read: ${message.error || 'the server does not deliver it.'}`);
        else whole.push({ item: itemOf(folder, uidValidity, uid, message), at: arrived.get(uid) || 0 });
      }
      found.unshift(...whole);
    }
    return found;
  }, { fresh: true, reads: true, silence: SILENCE });
}

/** Window by window. What the server refuses for the moment is left out. */
async function collectAll(uids: readonly number[], get: (uids: number[]) => Promise<Collected>) {
  const found: { uid: number; message: ImapMessage }[] = [];
  for (let rest = [...uids]; rest.length;) {
    const got = await get(rest), before = rest.length;
    for (const { uid, message } of got.done) if (message) found.push({ uid, message });
    rest = got.cut ? rest.filter(uid => uid > got.last) : [];
    if (rest.length === before) break;
  }
  return found;
}

/** A cursor that begins at a time: INTERNALDATE, which counts in whole seconds. Folders that do not exist yet count from when they do. */
async function beginAt(ctx: Context, values: Input, at: number): Promise<string> {
  const states: Record<string, FolderState> = {};
  let missing: unknown;
  for (const folder of foldersOf(values)) {
    try {
      states[folder] = (await baseline(ctx, folder, values, false, Math.floor(at / 1000) * 1000)).state;
    } catch (error) {
      if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
      missing ??= error;
    }
  }
  if (missing && !Object.keys(states).length) throw missing;
  return JSON.stringify({ v: 1, folders: states } satisfies Cursor);
}

/** What the first look knows a message by. */
const NAMES = { uid: true, envelope: true, internalDate: true, size: true } as const;

/** What a folder holds when it is first looked at: its newest messages, and those that may have arrived since `from`. */
interface Opening { uidValidity: string; next: number; newest: FetchMessageObject[]; near: { uid: number; at: number }[]; show: number[] }

/** The first look at a folder: where news begins (`from` milliseconds, or now), and the latest few to show. */
async function baseline(ctx: Context, folder: string, values: Input, show: boolean,
  from?: number): Promise<{ state: FolderState; items: FeedItem<ImapMessage>[]; behind: boolean }> {
  const { uidValidity, next, newest, near, show: shown } = await openingOf(ctx, folder, from);
  // Some servers leave UIDNEXT out (RFC 3501 made it optional); the highest UID tells the same.
  const last = Math.max(next - 1, shown.at(-1) ?? 0);
  const state: FolderState = { val: uidValidity, last, base: last };
  const first = from === undefined ? undefined : firstSince(near, from);
  if (first !== undefined) Object.assign(state, { last: first - 1, base: first - 1, from: { until: last, since: from } });
  const known = newest.filter(row => row.uid <= state.last);
  if (known.length) {
    state.ring = ringOf(known.map(hashOf));
    const at = Math.max(...known.map(arrivedAt).filter(time => !Number.isNaN(time)));
    if (Number.isFinite(at)) state.at = at;
  }
  const items = show ? await firstItems(ctx, { folder, uidValidity }, shown.slice(-5), values) : [];
  return { state, items, behind: state.last < last };
}

/** The first UID that arrived at a time or later. One whose time the server cannot tell counts where none behind it is known to be older. */
function firstSince(near: Opening['near'], from: number): number | undefined {
  const older = Math.max(0, ...near.filter(({ at }) => at < from).map(({ uid }) => uid));
  const since = near.filter(({ uid, at }) => at >= from || (Number.isNaN(at) && uid > older)).map(({ uid }) => uid);
  return since.length ? Math.min(...since) : undefined;
}

/** Looks at a folder for the first time. A message that the server cannot give is left out here, whatever it does when it is asked for. */
async function openingOf(ctx: Context, folder: string, from: number | undefined): Promise<Opening> {
  const newest: FetchMessageObject[] = [], near = new Map<number, number>();
  const date = (row: FetchMessageObject) => { near.set(row.uid, arrivedAt(row)); };
  const take = (row: FetchMessageObject) => { date(row); if (row.envelope) newest.push(row); };
  const dates = { uid: true, internalDate: true } as const, undatedOf = (uids: number[]) => uids.filter(uid => !near.has(uid));
  const use = { fresh: true, reads: true, silence: SILENCE };
  const seen = await withFolder(ctx, folder, async (client, mailbox) => {
    const { exists } = mailbox, uidValidity = validityOf(mailbox), next = mailbox.uidNext || 1;
    const range = `${Math.max(1, exists - LATE + 1)}:*`;
    newest.length = 0;
    const failure = exists ? await attempt(client, () => fetchRows(client, range, NAMES, take, false)) : undefined;
    if (failure || !exists) return { exists, uidValidity, next, range, failure, uids: [] };
    const uids = from === undefined ? [] : await arrivedSince(client, from);
    const far = undatedOf(uids);
    return { exists, uidValidity, next, range, uids, failure: undefined, undated: far.length
      ? await attempt(client, () => fetchRows(client, uidSet(far), dates, date)) : undefined };
  }, use);
  const { exists, uidValidity, next, range, failure } = seen;
  let { uids, undated } = seen;
  const place = { folder, uidValidity };
  let shown = newest.map(row => row.uid);
  if (failure) {
    [shown, uids] = await withFolder(ctx, folder, async client => [
      await uidSearch(client, [{ type: 'SEQUENCE', value: range }]), from === undefined ? [] : await arrivedSince(client, from)], use);
    const had = new Set(newest.map(row => row.uid));
    const problems = await fetchEach(ctx, place, shown.filter(uid => !had.has(uid)), NAMES, take, failure);
    for (const [uid, { lost }] of problems) if (lost) near.set(uid, NaN);
    undated = failure;
  }
  if (undated) await fetchEach(ctx, place, undatedOf(uids), dates, date, undated);
  return { uidValidity, next, newest: newest.sort((a, b) => a.uid - b.uid), near: uids.map(uid => ({ uid, at: near.get(uid) ?? NaN })),
    show: exists ? shown.sort((a, b) => a - b) : [] };
}

/** UIDs that may have arrived since a time: servers know days only. */
const arrivedSince = (client: ImapFlow, from: number): Promise<number[]> =>
  uidSearch(client, [{ type: 'ATOM', value: 'SINCE' }, { type: 'ATOM', value: dayBefore(from) }]);

/** The latest messages, to be shown; one that cannot be read is left out, because it is no news. */
async function firstItems(ctx: Context, { folder, uidValidity }: { folder: string; uidValidity: string }, uids: number[],
  values: Input): Promise<FeedItem<ImapMessage>[]> {
  const items: FeedItem<ImapMessage>[] = [];
  const read = (some: number[]) => withFolder(ctx, folder, async (client, mailbox) => {
    if (validityOf(mailbox) !== uidValidity) return undefined;
    return attempt(client, async () => {
      const found = await collect(ctx, client, mailbox, folder, some, values, newTrack());
      for (const { uid, message } of found.done) if (message) items.push(itemOf(folder, uidValidity, uid, message));
    });
  }, { reads: true, silence: SILENCE });
  if (!uids.length || !await read(uids)) return items;
  for (const uid of uids) await read([uid]);
  return items;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** SINCE knows days only, in a time zone of the server's own. */
const dayBefore = (at: number) => { const d = new Date(at - DAY); return `${d.getUTCDate()}-${MONTHS[d.getUTCMonth()]}-${d.getUTCFullYear()}`; };
const itemOf = (folder: string, uidValidity: string, uid: number, message: ImapMessage): FeedItem<ImapMessage> =>
  ({ id: `${folder}/${uidValidity}/${uid}`, item: message, ...(message.unreadable ? { problem: message.error || 'The server does not deliver it.' } : {}) });

/**
 * What came so far, for when the connection breaks; `asked` once a FETCH was under way. Refused for the moment, with the server's words, are
 * those in `later`; of the ones in `gaps` that was known. Beyond `end` nothing was asked, because everything was refused.
 */
interface Track {
  asked: boolean; finished: Map<number, ImapMessage | undefined>; rows: Map<number, FetchMessageObject>;
  later: Map<number, string>; gaps: ReadonlySet<number>; end: number;
  /** What may be asked for beyond the window: contents of these messages, so many bytes. */
  ahead?: Ahead; uids?: readonly number[]; depth?: number;
}
const newTrack = (rows: Track['rows'] = new Map(), gaps: FolderState['gaps'] = []): Track =>
  ({ asked: false, finished: new Map(), rows, later: new Map(), gaps: new Set(gaps.map(([uid]) => uid)), end: Infinity });

interface Looked { state: FolderState; items: FeedItem<ImapMessage>[]; notes: string[]; more: boolean }

/**
 * What a look found beyond its window, so that the next one need not open the folder and ask again. Good for the very state the look ended
 * with, on the same connection, as long as the folder stays open there; flags may have changed since, hence not for long.
 */
interface Rest { folder: string; state: string; kind: string; uids: number[]; rows: Track['rows']; beyond: boolean; at: number; ahead: Ahead }
const rests = new WeakMap<ImapFlow, Rest>();
/** In milliseconds. */
const REST_FOR = 10_000;

function restOf(client: ImapFlow, folder: string, state: string, kind: string): Rest | undefined {
  const rest = rests.get(client);
  rests.delete(client);
  const open = client.mailbox && client.mailbox.path === folder && client.mailbox.readOnly;
  return rest && open && rest.folder === folder && rest.state === state && rest.kind === kind && performance.now() - rest.at < REST_FOR ? rest : undefined;
}

/** A folder's state with its packed parts opened, while a look is under way. */
interface Work { s: FolderState; ring: string[]; seen: Set<number> }

async function look(ctx: Context, folder: string, values: Input, s: FolderState): Promise<Looked> {
  const w: Work = { s, ring: hashesOf(s.ring), seen: new Set(uidsOf(s.seen ?? '')) };
  const items: FeedItem<ImapMessage>[] = [], notes: string[] = [];
  const before = JSON.stringify(s);
  let more = false, keep: { client: ImapFlow; rest: Omit<Rest, 'state'> } | undefined;
  await withImap(ctx, async client => {
    // Contents that were asked for ahead are those of this kind.
    const kind = JSON.stringify([values.fetch, values.attachmentLimit]), rest = restOf(client, folder, before, kind);
    let mailbox = await opened(client, folder, { fresh: !rest });
    // Spurious values have been seen, so the folder is opened once more before anything is made of it.
    if (validityOf(mailbox) !== s.val) mailbox = await opened(client, folder, { fresh: true });
    if (validityOf(mailbox) !== s.val) notes.push(await begunAnew(client, mailbox, folder, w));
    const { uids, beyond } = rest ?? await news(client, mailbox, w, notes, folder);
    if (!uids.length) { more = beyond; return; }
    const rows = rest?.rows ?? new Map<number, FetchMessageObject>(), at = rest?.at ?? performance.now();
    const struck = new Map(s.strikes);
    const bare = values.fetch === 'envelope', most = bare ? MOST_SUMMARIES : MOST;
    const careful = s.careful !== undefined && uids[0]! <= s.careful;
    const ahead: Ahead = rest?.ahead ?? newAhead(), depth = depthOf(client, bare);
    // What is told of the next ones already is handed over before more is asked for.
    const untold = uids.findIndex(uid => !rows.has(uid) && uid > ahead.until);
    const window = (careful ? uids.filter(uid => uid <= s.careful!) : uids).slice(0, untold > 0 ? Math.min(untold, most) : most);
    // Only for a reader who goes on undisturbed: one whom another always interrupts would have everything asked for over and over. Without
    // contents the window itself goes the same way; and less than half a window waits until it is worth a command.
    const next = rest && !careful ? uids.slice(bare ? 0 : window.length, window.length + depth.summaries)
      .filter(uid => uid > ahead.until && !rows.has(uid)) : [];
    ahead.next = next.length >= most / 2 ? next : [];
    ahead.letIn?.();
    let asked = 0;
    for (const part of careful ? window.map(uid => [uid]) : [window]) {
      const track = newTrack(careful ? undefined : rows, s.gaps);
      if (!careful) Object.assign(track, { ahead, uids: rest ? uids : [], depth: depth.bytes });
      const handOver = (uid: number, message: ImapMessage | undefined) => {
        const row = track.rows.get(uid);
        done(w, uid, row);
        struck.delete(uid);
        if (message && wanted(w, row)) items.push(itemOf(folder, s.val, uid, message));
      };
      try {
        const found = await collect(ctx, client, mailbox, folder, part, values, track);
        for (const { uid, message } of found.done) handOver(uid, message);
        for (const uid of found.missing) postpone(ctx, w, folder, uid, items, track.rows.get(uid), track.later.get(uid));
        asked += found.cut ? 0 : part.length;
        if (!careful) {
          const dealt = found.cut ? uids.indexOf(found.last) + 1 : part.length;
          for (const uid of uids.slice(0, dealt)) rows.delete(uid);
          handedOver(ahead, uids.slice(0, dealt));
          leaveUnread(ahead, client);
          keep = { client, rest: { folder, kind, uids: uids.slice(dealt), rows, beyond, at, ahead } };
        }
      } catch (error) {
        ctx.signal?.throwIfAborted();
        if (!isLost(client, error) || !track.asked) throw error;
        // What was complete is handed over as far as it is the beginning of the window.
        for (const uid of part) {
          if (!track.finished.has(uid)) break;
          handOver(uid, track.finished.get(uid));
        }
        const uid = part[0]!;
        // A reset also swallows what was on its way, so a window does not tell which message it was; a message fetched alone does.
        if (part.length > 1) s.careful = part.at(-1)!;
        else if (!track.finished.has(uid)) {
          const times = (struck.get(uid) ?? 0) + 1;
          struck.set(uid, times);
          if (times >= STRIKES) handOver(uid, unreadable({ folder, uidValidity: s.val, uid }, track.rows.get(uid),
            `The server cannot deliver this message: the connection broke whenever it was fetched (${wordsOf(error)}).`));
        }
        asked = -1;
        break;
      }
    }
    // What was told earlier may not be all by now: the last word has a look that asked.
    more = beyond || asked < uids.length || !!rest;
    if (s.careful !== undefined && s.last >= s.careful) delete s.careful;
    s.strikes = [...struck];
    if (!s.strikes.length) delete s.strikes;
  }, { reads: true, silence: SILENCE, goesOn: true });
  finish(w, notes, folder);
  if (keep?.rest.uids.length) rests.set(keep.client, { ...keep.rest, state: JSON.stringify(s) });
  return { state: s, items, notes, more };
}

/** True unless the message is one of those a first look or a new life of the folder leaves out. */
function wanted({ s, ring }: Work, row: FetchMessageObject | undefined): boolean {
  if (!row) return true;
  if (s.from && row.uid <= s.from.until && arrivedAt(row) < s.from.since) return false;
  if (s.reset && row.uid <= s.reset.until) {
    const hash = hashOf(row), at = arrivedAt(row);
    const known = row.envelope && s.reset.n ? ring.lastIndexOf(hash, s.reset.n - 1) : -1;
    if (known >= 0) {
      // Each stands for one message, so that another under the same Message-ID is not taken for it; it remains known for the next time.
      ring.splice(known, 1);
      ring.push(hash);
      s.reset.n--;
    }
    if (known >= 0 || (s.reset.after !== undefined && at < s.reset.after)) { s.reset.known++; return false; }
    s.reset.fresh++;
    ring.push(hash);
  }
  return true;
}

/** Notes that a UID was dealt with. */
function done({ s, ring, seen }: Work, uid: number, row: FetchMessageObject | undefined) {
  seen.add(uid);
  s.last = Math.max(s.last, uid);
  if (s.gaps) s.gaps = s.gaps.filter(([one]) => one !== uid);
  if (!row) return;
  const at = arrivedAt(row);
  if (!Number.isNaN(at) && !(at <= (s.at ?? -Infinity))) s.at = Math.min(at, Date.now());
  // Up to there it is pushed once it is known to be new.
  if (row.envelope && !(s.reset && uid <= s.reset.until)) ring.push(hashOf(row));
}

/** An announced message that did not come, or is refused for the moment: asked for again later, while the others go on; at last it is said so. */
function postpone(ctx: Context, w: Work, folder: string, uid: number, items: FeedItem<ImapMessage>[], row: FetchMessageObject | undefined,
  refusal: string | undefined) {
  const { s } = w;
  const tries = (s.gaps?.find(([one]) => one === uid)?.[1] ?? 0) + 1;
  done(w, uid, undefined);
  if (tries > (refusal === undefined ? TRIES : REFUSED_TRIES)) {
    const why = refusal === undefined ? 'The server lists this message but does not deliver it.'
      : `The server refuses to give this message, however often it is asked: ${refusal}.`;
    items.push(itemOf(folder, s.val, uid, unreadable({ folder, uidValidity: s.val, uid }, row, why)));
    return;
  }
  const wait = 1000 * 2 ** (tries - 1);
  (s.gaps ??= []).push([uid, tries, Date.now() + wait]);
  remind(ctx, folder, wait);
}

const unreadable = (place: { folder: string; uidValidity: string; uid: number }, row: FetchMessageObject | undefined, error: string): ImapMessage =>
  inReadingOrder({ ...(row ? toMessage(row, place.folder, place.uidValidity, outline(row.bodyStructure, row)) : unknownMessage(place)),
    unreadable: true, error });

/** Ends what has an end: the first look back, and the look at a folder created anew. */
function finish({ s, ring, seen }: Work, notes: string[], folder: string) {
  const over = (until: number) => s.last >= until && !s.gaps?.some(([uid]) => uid <= until);
  if (s.from && over(s.from.until)) delete s.from;
  if (s.reset && over(s.reset.until)) {
    notes.push(`The folder "${folder}" was created anew: ${s.reset.known} messages were known, ${s.reset.fresh} are new.`);
    delete s.reset;
  }
  if (s.gaps && !s.gaps.length) delete s.gaps;
  const old = s.reset ? s.reset.n : 0;
  s.ring = ringOf([...ring.slice(0, old), ...ring.slice(old).slice(-KNOWN)]);
  s.seen = uidSet([...seen].filter(uid => uid > s.last - LATE && uid > s.base && uid <= s.last).sort((a, b) => a - b));
}

/**
 * UIDVALIDITY changed: all UIDs mean something else now. Known mail is recognised by its Message-ID; the state is set to read the rest: what
 * arrived no more than a day before the newest known one, and, where more may have been seen than is known, after the oldest.
 */
async function begunAnew(client: ImapFlow, mailbox: MailboxObject, folder: string, { s, ring, seen }: Work): Promise<string> {
  const known = ring.length, names = new Set(ring), begin = s.from?.since ?? -Infinity;
  // A folder that was empty at the first look has nothing but news.
  let after = Math.max(known && s.at !== undefined ? s.at - DAY : -Infinity, begin), oldest = Infinity, lowest = Infinity, top = 0;
  if (mailbox.exists) {
    const look = async (set: string, uid: boolean) => {
      let copied = false;
      await fetchRows(client, set, { uid: true, envelope: true, internalDate: true }, row => {
        if (!(row.uid > 0)) return;
        lowest = Math.min(lowest, row.uid);
        top = Math.max(top, row.uid);
        const at = arrivedAt(row);
        if (!row.envelope || Number.isNaN(at) || !names.has(hashOf(row))) return;
        oldest = Math.min(oldest, at);
        if (at > (s.at ?? Infinity)) copied = true;
      }, uid);
      return copied;
    };
    const near = await uidSearch(client, Number.isFinite(after) ? [{ type: 'ATOM', value: 'SINCE' }, { type: 'ATOM', value: dayBefore(after) }]
      : [{ type: 'ATOM', value: 'ALL' }]);
    // A known one that arrived later than any we know: whoever made the folder anew gave all messages new times. Then the newest must do.
    if (near.length && await look(uidSet(near), true)) {
      lowest = oldest = Infinity;
      after = begin;
      await look(`${Math.max(1, mailbox.exists - Math.max(500, 2 * known) + 1)}:*`, false);
    } else if (known >= LATE && oldest < Infinity) after = Math.max(after, oldest);
  }
  const until = Math.max((mailbox.uidNext || 1) - 1, top);
  const { at } = s;
  seen.clear();
  for (const name of Object.keys(s)) delete (s as unknown as Record<string, unknown>)[name];
  Object.assign(s, { val: validityOf(mailbox), last: until, base: until, ...(at === undefined ? {} : { at }) } satisfies FolderState);
  if (lowest === Infinity) return `The folder "${folder}" was created anew and is empty.`;
  s.last = s.base = lowest - 1;
  s.reset = { until, ...(Number.isFinite(after) ? { after } : {}), n: known, known: 0, fresh: 0 };
  return `The folder "${folder}" was created anew; known mail is being recognised.`;
}

/** UIDs to hand over now, in order: gaps whose time has come, late ones, new ones. Asked for in stretches, so that 100,000 waiting messages cost little. */
async function news(client: ImapFlow, mailbox: MailboxObject, { s, seen }: Work, notes: string[],
  folder: string): Promise<{ uids: number[]; beyond: boolean }> {
  if (!mailbox.exists) { delete s.gaps; return { uids: [], beyond: false }; }
  const find = async (set: string) => uidSearch(client, [{ type: 'ATOM', value: 'UID' }, { type: 'SEQUENCE', value: set }]);
  const now = Date.now();
  // A time further off than it was ever set to means that the clock was put back.
  const due = (s.gaps ?? []).filter(([, tries, at]) => at <= now || at > now + 1000 * 2 ** tries).map(([uid]) => uid);
  const uids = new Set<number>();
  if (due.length) {
    const there = new Set(await find(uidSet([...due].sort((a, b) => a - b))));
    for (const uid of due) {
      if (there.has(uid)) { uids.add(uid); continue; }
      s.gaps = s.gaps!.filter(([one]) => one !== uid);
      notes.push(`Message ${uid} of "${folder}" was moved or deleted before it could be read.`);
    }
  }
  const low = Math.max(s.base + 1, s.last - LATE + 1);
  const top = mailbox.uidNext ? mailbox.uidNext - 1 : undefined;
  let stretch = STRETCH, high: number;
  for (; ; stretch *= 8) {
    high = Math.min(s.last + stretch, 4294967295);
    // UIDNEXT may be old or missing, so the last stretch goes to the end of the folder whatever it says.
    const open = top === undefined || high >= top;
    // A range up to * always finds the last message, even one below its beginning (RFC 3501 section 6.4.8).
    const found = (await find(`${low}:${open ? '*' : high}`)).filter(uid => uid >= low && !seen.has(uid));
    for (const uid of found) uids.add(uid);
    if (open) { high = Infinity; break; }
    if (found.length) break;
  }
  return { uids: [...uids].sort((a, b) => a - b), beyond: top !== undefined && high < top };
}

interface Collected { done: { uid: number; message: ImapMessage | undefined }[]; missing: number[]; cut: boolean; last: number }

/**
 * Fetches messages as the feed wants them. In order; `cut` when the bytes were too many and the rest must wait. A message that is left out by
 * a filter is done without a message. Refusals of one message become errors in that message, or make it one of the missing where they may
 * pass; everything else is thrown.
 */
async function collect(ctx: Context, client: ImapFlow, mailbox: MailboxObject, folder: string, asked: number[], values: Input,
  track: Track): Promise<Collected> {
  const uidValidity = validityOf(mailbox);
  const errors = new Map<number, string>();
  const name = `${settingsOf(ctx).key}/${folder}/${uidValidity}`;
  await summaries(ctx, client, asked, track, errors, name, values.fetch === 'envelope');
  const missing: number[] = [];
  const chosen: { uid: number; row: FetchMessageObject | undefined; shape: Outline | undefined; message: ImapMessage | undefined }[] = [];
  let bytes = 0, cut = false;
  for (const uid of asked) {
    if (uid > track.end) break;
    const row = track.rows.get(uid);
    const error = errors.get(uid);
    if (!row && !error) { missing.push(uid); continue; }
    const shape = shapeOf(row);
    if (row && !passes(values, row, shape)) { chosen.push({ uid, row, shape, message: undefined }); track.finished.set(uid, undefined); continue; }
    const cost = row ? costOf(values, row, shape) : 0;
    if (bytes > 0 && bytes + cost > WINDOW_BYTES) { cut = true; break; }
    bytes += cost;
    const message = row ? toMessage(row, folder, uidValidity, shape) : unreadable({ folder, uidValidity, uid }, undefined, '');
    if (error) { message.error = error; if (!row?.envelope) message.unreadable = true; }
    chosen.push({ uid, row, shape, message });
    if (values.fetch === 'envelope' || !row || error) track.finished.set(uid, message);
  }
  if (values.fetch !== 'envelope') {
    const open = chosen.filter(one => one.message && one.row && !errors.has(one.uid)) as Open[];
    await contents(ctx, client, open, folder, uidValidity, values, track, name, chosen.map(one => one.uid));
  }
  // Missing ones beyond the cut are not known to be missing yet in their turn.
  const end = Math.min(cut ? chosen.at(-1)!.uid : Infinity, track.end);
  // Told of, but without content: it may be gone since, which the next look finds out.
  const gone = new Set(chosen.filter(({ uid, message }) => message && !track.finished.has(uid)).map(({ uid }) => uid));
  missing.push(...gone);
  const done: Collected['done'] = [], isRead = values.fetch === 'text' || values.fetch === 'full';
  for (const { uid, message, shape } of chosen) {
    if (uid > end || gone.has(uid)) continue;
    // The filter could not tell before the message was taken apart.
    const late = message && !shape && values.hasAttachment !== undefined && !message.error && !!message.attachments?.length !== values.hasAttachment;
    done.push({ uid, message: !message || late ? undefined : isRead && !message.error ? await withText(message) : inReadingOrder(message) });
  }
  return { done, missing: missing.filter(uid => uid <= end), cut: end < Infinity, last: end };
}

/** Envelopes, flags and structures; bare facts for messages whose structure the server or the library stumbles over. */
async function summaries(ctx: Context, client: ImapFlow, asked: number[], track: Track, errors: Map<number, string>, name: string,
  bare: boolean): Promise<void> {
  const get = async (uids: number[], query: typeof SUMMARY | typeof BARE) => {
    track.asked = true;
    await fetchRows(client, uidSet(uids), query, row => { if (row.size !== undefined) track.rows.set(row.uid, row); });
  };
  const { ahead } = track;
  if (bare && ahead) await fetchTogether(client, summariesAhead(ahead, track.rows));
  while (ahead?.coming[0] && ahead.coming[0].first <= asked.at(-1)!) {
    track.asked = true;
    await ahead.coming.shift()!.come;
  }
  const mend = async () => {
    // A refusal leaves the sender open; the message comes all the same.
    try { await mendRows(client, asked.flatMap(uid => track.rows.get(uid) ?? [])); } catch (error) { onlyRefusal(error); }
  };
  const unknown = asked.filter(uid => !track.rows.has(uid));
  if (!unknown.length) return mend();
  await alone(ctx, name, track, unknown, uid => track.rows.has(uid) || errors.has(uid), () => get(unknown, SUMMARY), uid => get([uid], SUMMARY),
    async (uid, said) => {
    errors.set(uid, `The server refuses to tell what this message is: ${said}.`);
    try { await get([uid], BARE); } catch (error) { onlyRefusal(error); }
  });
  const silent = () => unknown.filter(uid => uid <= track.end && !track.rows.has(uid) && !errors.has(uid) && !track.later.has(uid));
  // The library drops a row that it cannot read; without the complicated items it can.
  const without = silent();
  if (without.length) {
    try { await get(without, BARE); } catch (error) { onlyRefusal(error); }
  }
  await mend();
}

/** Passes for a refusal of what was asked; throws whatever is wrong with the connection. */
function onlyRefusal(error: unknown) {
  if (!isRefused(error)) throw error;
}

/** True for a refusal that says more about the server's state than about what was asked: it may be another one tomorrow. */
function mayPass(ctx: Context, error: unknown): boolean {
  const { code } = imapError(error, endpoint(ctx, 'imap'));
  return code === 'rate_limited' || code === 'unavailable';
}

/** How often nothing but such refusals came, by the first message asked for. */
const impatience = new Map<string, number>();
function isPatient(name: string): boolean {
  const times = (impatience.get(name) ?? 0) + 1;
  impatience.delete(name);
  if (times >= PATIENCE) return false;
  impatience.set(name, times);
  if (impatience.size > 1000) impatience.delete(impatience.keys().next().value!);
  return true;
}

/**
 * Everything at once; when the server refuses that, one by one, so that a single bad message is found and the others come: `never` hears of
 * those refused for good, and those that may come later are noted. Where that is said of all, it is the server: the refusal is thrown, but
 * not for ever, because the only message asked for may be the bad one.
 */
async function alone(
  ctx: Context, name: string, track: Track, uids: readonly number[], has: (uid: number) => boolean, all: () => Promise<void>,
  single: (uid: number) => Promise<void>,
  never: (uid: number, said: string) => void | Promise<void>,
): Promise<void> {
  try { return await all(); } catch (error) { onlyRefusal(error); }
  const fresh: number[] = [];
  let refusal: unknown;
  for (const uid of uids) {
    if (has(uid)) continue;
    try { await single(uid); } catch (error) {
      onlyRefusal(error);
      if (!mayPass(ctx, error)) { await never(uid, wordsOf(error)); continue; }
      track.later.set(uid, wordsOf(error));
      if (track.gaps.has(uid)) continue;
      refusal = error;
      fresh.push(uid);
      if (fresh.length >= 3 && !uids.some(has)) break;
    }
  }
  const [first] = fresh;
  if (first === undefined || uids.some(has)) return;
  if (isPatient(`${name}/${first}`)) throw refusal;
  track.end = first;
}

function passes(values: Input, row: FetchMessageObject, shape: Outline | undefined): boolean {
  const has = (text: string | undefined, part: string) => (text ?? '').toLowerCase().includes(part.toLowerCase());
  if (values.unseen && row.flags?.has('\\Seen')) return false;
  if (values.largerThan !== undefined && !((row.size ?? 0) > values.largerThan)) return false;
  if (values.smallerThan !== undefined && !((row.size ?? 0) < values.smallerThan)) return false;
  if (row.envelope) {
    if (values.from && !row.envelope.from?.some(one => has(`${one.name ?? ''} <${one.address ?? ''}>`, values.from!))) return false;
    if (values.subject && !has(row.envelope.subject, values.subject)) return false;
  }
  return values.hasAttachment === undefined || !shape || shape.attachments.length > 0 === values.hasAttachment;
}

/** How a message is made up, worked out once and kept in its row; null where its structure cannot be trusted. */
type Shaped = FetchMessageObject & { shape?: Outline | null };
function shapeOf(row: Shaped | undefined): Outline | undefined {
  if (!row) return undefined;
  if (row.shape === undefined) row.shape = outline(row.bodyStructure, row) ?? null;
  return row.shape ?? undefined;
}

const filesOf = (shape: Outline, values: Input): Part[] =>
  values.fetch === 'full' ? shape.attachments.filter(part => part.size <= AT_ONCE && decodedSize(part) <= values.attachmentLimit).slice(0, 100) : [];

/** How many bytes of a message a window would hold. */
function costOf(values: Input, row: FetchMessageObject, shape: Outline | undefined): number {
  if (values.fetch === 'envelope') return 0;
  if (values.fetch === 'raw') return (row.size ?? 0) <= AT_ONCE ? row.size ?? 0 : 0;
  if (!shape) return Math.min(row.size ?? 0, LARGEST_PARSED);
  return [...readParts(shape).map(part => Math.min(part.size, LONGEST_TEXT)), ...filesOf(shape, values).map(part => part.size)]
    .reduce((sum, size) => sum + size, 4096);
}

type Open = { uid: number; row: FetchMessageObject; shape: Outline | undefined; message: ImapMessage };

/** What is to be asked for beyond the message that is the last of its window. */
function wishesBeyond(track: Track, last: number, values: Input): Wish[] {
  const { ahead, rows, uids = [], depth = 0 } = track;
  if (!ahead) return [];
  const want = (uid: number) => {
    const row = rows.get(uid), shape = shapeOf(row);
    if (!row) return undefined;
    const read = shape && passes(values, row, shape);
    const parts = read ? [...readParts(shape), ...filesOf(shape, values)] : [];
    return { wanted: { uid, parts, header: !!read }, cost: read ? costOf(values, row, shape) : 0 };
  };
  const contents = values.fetch === 'raw' ? [] : contentsAhead(ahead, uids.slice(uids.indexOf(last) + 1), depth, want);
  return [...contents, ...summariesAhead(ahead, rows)];
}

/** The contents of a window: those that were asked for ahead, and the others. */
async function windowParts(client: ImapFlow, parts: readonly Wanted[], take: (got: Got) => void, behind: readonly Wish[], track: Track): Promise<void> {
  const { asked, got } = track.ahead ?? newAhead();
  const early = parts.filter(one => asked.has(one.uid)), now = parts.filter(one => !asked.has(one.uid));
  track.asked = true;
  if (now.length) await fetchParts(client, now, take, behind); else await fetchTogether(client, behind);
  for (const one of early) await asked.get(one.uid)!.come;
  for (const { uid } of early) { const one = got.get(uid); if (one) take(one); }
  const missing = early.filter(one => !got.has(one.uid));
  if (missing.length) await fetchParts(client, missing, take);
}

async function contents(ctx: Context, client: ImapFlow, open: Open[], folder: string, uidValidity: string, values: Input, track: Track,
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
  const wishes = wishesBeyond(track, asked.at(-1) ?? 0, values);
  if (!parts.length) await fetchTogether(client, wishes);
  if (parts.length) await ask(open.filter(one => one.shape), () => windowParts(client, parts, take, wishes, track),
    uid => fetchParts(client, parts.filter(one => one.uid === uid), take));
  wholes.push(...misread);
  if (wholes.length) await ask(wholes, () => whole(wholes.map(one => one.uid)), uid => whole([uid]));
}

/** Names a message by its Message-ID, or by what else stays the same when a folder is created anew; 48 bits. */
function hashOf(row: FetchMessageObject): string {
  const e = row.envelope;
  const name = e?.messageId || JSON.stringify([e?.date, e?.from?.[0]?.address, e?.subject, row.size]);
  return hash('sha1', name, 'base64').slice(0, 8);
}
const ringOf = (hashes: readonly string[]): string => hashes.join('');
const hashesOf = (ring: string | undefined): string[] => ring?.match(/.{8}/g) ?? [];
