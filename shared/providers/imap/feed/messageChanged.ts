import { MailError, isMailError } from '../../../errors.js';
import { choice, flag, list, text, type Values } from '../../../fields.js';
import { inReadingOrder } from '../../../message.js';
import { feed, type Batch, type Context, type FeedItem, type Latest } from '../../../provider.js';
import type { FetchMessageObject, ImapFlow, MailboxObject } from '../libraries.js';
import { arrivedAt, uidSet, unknownMessage, type ImapMessage } from '../messages/content.js';
import { fetchEach } from '../messages/fetchEach.js';
import { messageId, validityOf, type Place } from '../messages/id.js';
import { reading, uidSearch } from '../operations/message.js';
import { watchFolders } from '../session/watchFolders.js';
import { withFolder } from '../session/openFolder.js';
import { fetchRows } from '../wire/fetch.js';
import {
  ALL_FLAGS,
  FLAGS,
  flagChanges,
  FOLLOWED,
  NAMED,
  pack,
  Times,
  unpack,
  type Flag,
  type FolderState,
  type Happening,
  type Messages,
} from './changes.js';
import { foldersOf, OF_ONE } from './folders.js';
import { asksForText, passesEnvelope, passesText, wordFields } from './words.js';
import { endsOf, findMoved, nameOf, NAMES, type Ends } from './whereTo.js';

/** What people may choose to hear of. */
const CHANGES = {
  starred: 'Starred',
  unstarred: 'Star Removed',
  read: 'Marked as Read',
  unread: 'Marked as Unread',
  answered: 'Answered',
  moved: 'Moved to Another Folder',
  deleted: 'Deleted',
};
type Change = keyof typeof CHANGES;
/** The flag that a change is about. */
const OF_FLAG: Readonly<Partial<Record<Change, Flag>>> = {
  starred: 'starred',
  unstarred: 'starred',
  read: 'read',
  unread: 'read',
  answered: 'answered',
};

/** So much is told at one look at most. */
const MOST = 64;
/**
 * A message that arrived so long before the last look came from elsewhere, with the flags it had there; clocks may
 * differ so far. In milliseconds.
 */
const CLOCKS_APART = 10 * 60_000;
/** The name of a message that the server does not describe; it is not asked for again. */
const NAMELESS = '?'.repeat(8);

const input = {
  changes: list('Changes', choice('Change', CHANGES), {
    required: true,
    minItems: 1,
    help: `What to tell of. Of each folder the newest ${FOLLOWED} messages are followed; where they go, of the newest ${NAMED}.`,
  }),
  folders: list('Folders', text('Folder', { maxLength: 1000, pattern: '^\\P{Cc}+$', ref: 'folder' }), {
    maxItems: 20,
    default: ['INBOX'],
    help: 'Changes in the first one are told at once, in the others at the next check.',
  }),
  ...wordFields,
  hasAttachment: flag('Has Attachment', {
    group: 'Filters',
    help: 'Whether only messages with an attachment come, or only those without.',
  }),
};
type Input = Values<typeof input>;
/**
 * Where the folders ended: a while ago, which is what is used to find what was moved, and since; `at` is when the
 * younger ones were asked for.
 */
interface Marks {
  old: Ends;
  young: Ends;
  at: number;
}
interface Cursor {
  v: 1;
  changes: Record<string, FolderState>;
  marks?: Marks;
}
/**
 * So long the ends of the folders hold, in milliseconds. Programs that know no MOVE copy a message first and delete it
 * then, so that the copy may be there at a look that still finds the message.
 */
const MARKS_FOR = 60_000;

/** A message, what happened to it, and the folder it left. */
export interface ChangedMessage extends ImapMessage {
  change: Change;
  movedFrom?: string;
}

/** Tells what happens to the messages of the folders after they have arrived. */
export const messageChanged = feed({
  summary: 'A message was starred, read, answered, moved or deleted',
  input,
  since: (ctx, values, cursor) => since(ctx, values, cursor),
  latest: (ctx, values, most) => latest(ctx, values, most),
  watch: (ctx, values, changed) => watchFolders(ctx, foldersOf(values), changed, { changes: true }),
});

const flagsOf = (values: Input): Flag[] =>
  ALL_FLAGS.filter(one => values.changes.some(change => OF_FLAG[change] === one));
const tellsGone = (values: Input): boolean => values.changes.includes('moved') || values.changes.includes('deleted');
/** What the stored answer to whether a message passes was given for. */
const filtersOf = ({ from, to, subject, notFrom, notTo, notSubject }: Input): string =>
  JSON.stringify([from, to, subject, notFrom, notTo, notSubject]);

function readCursor(cursor: string): Cursor {
  try {
    const parsed = JSON.parse(cursor) as Cursor;
    if (parsed?.v === 1 && typeof parsed.changes === 'object' && parsed.changes) return parsed;
  } catch {
    /* said below */
  }
  throw new MailError('invalid_input', 'This cursor was not made by this feed; start again without a cursor.');
}

/**
 * Runs a look at each folder. One that was deleted, or may not be read any more, is noted; where none can be read, that
 * is thrown.
 */
async function eachFolder(
  values: Input,
  notes: string[],
  look: (folder: string) => Promise<boolean>,
): Promise<boolean> {
  let worked = false;
  let failed: unknown;
  for (const folder of foldersOf(values)) {
    try {
      const goesOn = await look(folder);
      worked = true;
      if (!goesOn) return false;
    } catch (error) {
      if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
      failed ??= error;
      notes.push(`The folder "${folder}" cannot be read: ${error.message}`);
    }
  }
  if (!worked && failed) throw failed;
  return failed === undefined;
}

async function since(ctx: Context, values: Input, cursor: string | undefined): Promise<Batch<ChangedMessage>> {
  const before = cursor === undefined ? undefined : readCursor(cursor);
  const states: Record<string, FolderState> = {};
  const items: FeedItem<ChangedMessage>[] = [];
  const notes: string[] = [];
  for (const folder of foldersOf(values)) if (before?.changes[folder]) states[folder] = before.changes[folder];
  // Before the folders are looked at: whatever leaves one after that has a place beyond these ends.
  const marks = tellsGone(values) ? await marksOf(ctx, before?.marks) : undefined;
  let more = false;
  const whole = await eachFolder(values, notes, async folder => {
    const known = states[folder];
    const looked = await look(ctx, folder, values, known);
    if (!known && before)
      notes.push(`The folder "${folder}" is new here; what happens to its messages counts from now on.`);
    notes.push(...looked.notes);
    items.push(
      ...(await itemsOf(
        ctx,
        values,
        { folder, uidValidity: looked.state.val },
        looked.happened,
        before?.marks?.old ?? {},
        notes,
      )),
    );
    states[folder] = looked.state;
    more = looked.more;
    // One window at a time, so that what is in memory stays small.
    return !more;
  });
  // Where not all that left was looked for, it must be found from where it was looked for last.
  const kept = whole ? marks : (before?.marks ?? marks);
  return {
    items,
    cursor: JSON.stringify({ v: 1, changes: states, ...(marks && kept ? { marks: kept } : {}) } satisfies Cursor),
    more,
    ...(notes.length ? { notes } : {}),
  };
}

/** The ends for the next look; the server is asked once in a while only. */
async function marksOf(ctx: Context, before: Marks | undefined): Promise<Marks> {
  if (before && Math.abs(Date.now() - before.at) < MARKS_FOR) return before;
  const ends = await endsOf(ctx);
  return { old: before?.young ?? ends, young: ends, at: Date.now() };
}

interface Looked {
  state: FolderState;
  happened: Happening[];
  notes: string[];
  more: boolean;
}

/** What the server tells of a folder as a whole. */
const standOf = (client: ImapFlow, mailbox: MailboxObject) => ({
  val: validityOf(mailbox),
  exists: mailbox.exists,
  next: mailbox.uidNext || 1,
  ...(client.enabled.has('CONDSTORE') && !mailbox.noModseq && mailbox.highestModseq
    ? { mod: String(mailbox.highestModseq) }
    : {}),
});

/** What was read of a folder: its newest messages, and the flags of those that may have changed. */
interface Seen {
  stand: ReturnType<typeof standOf>;
  present: number[];
  flags: Map<number, Set<Flag>>;
  at: number;
}

/**
 * Reads what may have changed. Only what did, where the server counts changes (RFC 7162 section 3.1.4); else all flags,
 * to be compared. What is marked as deleted is gone for people, although it may stand there until somebody expunges it.
 */
async function see(
  ctx: Context,
  folder: string,
  s: FolderState | undefined,
  followed: readonly Flag[],
): Promise<Seen | undefined> {
  const at = Date.now();
  const fresh = !s || followed.some(one => s.flags[one] === undefined);
  return withFolder(
    ctx,
    folder,
    async (client, mailbox) => {
      const stand = standOf(client, mailbox);
      const same = s?.val === stand.val;
      const still = same && s.exists === stand.exists && s.next === stand.next;
      const uncounted = !stand.mod || !s?.mod || !same || fresh;
      if (still && !uncounted && s.mod === stand.mod) return undefined;
      const flags = new Map<number, Set<Flag>>();
      const deleted = new Set<number>();
      const take = (row: FetchMessageObject) => {
        if (!row.flags) return;
        if (row.flags.has('\\Deleted')) deleted.add(row.uid);
        else flags.set(row.uid, new Set(ALL_FLAGS.filter(one => row.flags!.has(FLAGS[one]))));
      };
      const range = `${Math.max(1, stand.exists - FOLLOWED + 1)}:*`;
      const query = { uid: true, flags: true } as const;
      if (!stand.exists) return { stand, present: [], flags, at };
      if (uncounted) {
        await fetchRows(client, range, query, take, false);
        return { stand, present: [...flags.keys()].sort((a, b) => a - b), flags, at };
      }
      const known = unpack(s);
      const there = still ? [...known.keys()] : await uidSearch(client, [{ type: 'SEQUENCE', value: range }]);
      if (s.mod !== stand.mod)
        for await (const row of client.fetch('1:*', query, { uid: true, changedSince: BigInt(s.mod!) })) take(row);
      // New ones, and those that others who went made room for.
      const untold = there.filter(uid => !known.has(uid) && !flags.has(uid) && !deleted.has(uid));
      if (untold.length) await fetchRows(client, uidSet(untold), query, take);
      // Older ones than those that are followed may have changed too.
      const back = [...flags.keys()].filter(uid => uid >= (there[0] ?? 0));
      const present = [...new Set([...there, ...back])].filter(uid => !deleted.has(uid)).sort((a, b) => a - b);
      return { stand, present, flags, at };
    },
    { fresh: true, reads: true },
  );
}

/**
 * Compares a folder with what it was. Without a state before, or with one of another life of the folder, this only
 * learns what there is.
 */
async function look(ctx: Context, folder: string, values: Input, s: FolderState | undefined): Promise<Looked> {
  const followed = flagsOf(values);
  const named = tellsGone(values);
  const filters = filtersOf(values);
  const seen = await see(ctx, folder, s, followed);
  if (!seen) return { state: s!, happened: [], notes: [], more: false };
  const { stand, present, flags, at } = seen;
  const notes: string[] = [];
  const before = s?.val === stand.val ? s : undefined;
  if (s && !before)
    notes.push(`The folder "${folder}" was created anew; what happens to its messages counts from now on.`);
  const was: Messages = before ? unpack(before) : new Map<number, never>();
  const times = new Times(before?.again, before?.base);
  const old = before ? followed.filter(one => before.flags[one] !== undefined) : [];
  const begun = before
    ? await arrivedWithFlags(ctx, { folder, uidValidity: stand.val }, seen, was, before)
    : new Set<number>();
  const now: Messages = new Map<number, never>();
  const here = new Set(present);
  const lowest = stand.exists > FOLLOWED ? (present[0] ?? 0) : 0;
  const happened: Happening[] = [];
  let cut: number | undefined;
  for (const uid of [...new Set([...was.keys(), ...present])].sort((a, b) => a - b)) {
    const one = was.get(uid);
    if (happened.length >= MOST) cut ??= uid;
    // What is left for the next look stays as it was.
    if (cut !== undefined) {
      if (one) now.set(uid, one);
      continue;
    }
    if (here.has(uid)) {
      const is = flags.get(uid) ?? one?.flags ?? new Set<Flag>();
      const from = one?.flags ?? (begun.has(uid) ? new Set<Flag>() : is);
      if (before) happened.push(...flagChanges(uid, from, is, old, times));
      now.set(uid, { ...one, flags: is });
    } else if (one && uid >= lowest && one.name)
      happened.push({ uid, kind: 'gone', id: `${uid}/gone`, name: one.name, pass: one.pass === true });
  }
  if (named) await nameNewest(ctx, { folder, uidValidity: stand.val }, now, values, before?.filters !== filters, cut);
  const more = cut !== undefined;
  return {
    happened,
    notes,
    more,
    state: {
      val: stand.val,
      ...(more ? (before?.mod ? { mod: before.mod } : {}) : stand.mod ? { mod: stand.mod } : {}),
      next: more ? Math.max(before?.next ?? 1, Math.min(stand.next, cut!)) : stand.next,
      exists: more ? -1 : stand.exists,
      at: more ? (before?.at ?? at) : at,
      ...pack(now, followed, named),
      ...(named ? { filters } : {}),
      ...times.stored(),
    },
  };
}

/**
 * The new messages that had no flag when they came. One that was moved or copied here brings its flags along, and
 * nobody has set them now; it keeps the time at which it arrived at first.
 */
async function arrivedWithFlags(
  ctx: Context,
  place: { folder: string; uidValidity: string },
  { present, flags }: Seen,
  was: Messages,
  { next, at }: FolderState,
): Promise<Set<number>> {
  const fresh = present.filter(uid => uid >= next && !was.has(uid) && flags.get(uid)?.size);
  const begun = new Set<number>();
  await fetchEach(ctx, place, fresh, { uid: true, internalDate: true }, row => {
    // Where the server tells no time, a change that is told once too often is better than one that is never told.
    if (!(arrivedAt(row) < at - CLOCKS_APART)) begun.add(row.uid);
  });
  return begun;
}

/**
 * Names the newest messages, so that they can be found elsewhere, and says which pass the filters; all of them where
 * the filters are others.
 */
async function nameNewest(
  ctx: Context,
  place: { folder: string; uidValidity: string },
  messages: Messages,
  values: Input,
  anew: boolean,
  cut = Infinity,
): Promise<void> {
  const newest = [...messages.keys()]
    .sort((a, b) => a - b)
    .filter(uid => uid < cut)
    .slice(-NAMED);
  const wanted = newest.filter(uid => anew || !messages.get(uid)!.name);
  await fetchEach(ctx, place, wanted, NAMES, row => {
    const one = messages.get(row.uid)!;
    one.name = nameOf(row) ?? NAMELESS;
    one.pass = passesEnvelope(values, row.envelope);
  });
  for (const uid of wanted) messages.get(uid)!.name ??= NAMELESS;
}

/** What there is to tell of a folder, with the messages as they are now. */
async function itemsOf(
  ctx: Context,
  values: Input,
  place: { folder: string; uidValidity: string },
  happened: readonly Happening[],
  ends: Ends,
  notes: string[],
): Promise<FeedItem<ChangedMessage>[]> {
  const wants = (change: Change) => values.changes.includes(change);
  const left = happened.filter(({ kind }) => kind === 'gone');
  const places = left.length
    ? await findMoved(ctx, place.folder, new Set(left.map(({ name }) => name!)), ends)
    : new Map<string, Place[]>();
  const told = await Promise.all(
    happened.map(async (one): Promise<FeedItem<ChangedMessage> | undefined> => {
      const was = { ...place, uid: one.uid };
      const id = `${place.folder}/${place.uidValidity}/${one.id}`;
      if (one.kind !== 'gone')
        return wants(one.kind) ? readItem(ctx, values, was, { change: one.kind }, id, notes) : undefined;
      const to = places.get(one.name!)?.shift();
      if (to)
        return wants('moved')
          ? readItem(ctx, values, to, { change: 'moved', movedFrom: place.folder }, id, notes)
          : undefined;
      // Nothing more is known of it. Its text is gone, so that a filter on that lets nothing through.
      if (!wants('deleted') || !one.pass || asksForText(values) || values.hasAttachment !== undefined) return undefined;
      return { id, item: inReadingOrder({ ...unknownMessage(was), change: 'deleted' as const }) };
    }),
  );
  return told.filter(one => one !== undefined);
}

type What = Pick<ChangedMessage, 'change' | 'movedFrom'>;

/**
 * A message with its text; undefined where it does not pass the filters. One that is gone again is told of by its ID.
 */
async function readItem(
  ctx: Context,
  values: Input,
  place: Place,
  what: What,
  id: string,
  notes: string[],
): Promise<FeedItem<ChangedMessage> | undefined> {
  try {
    const message = await reading['message.get'].run(ctx, { message: messageId(place) });
    return passes(values, message) ? { id, item: inReadingOrder({ ...message, ...what }) } : undefined;
  } catch (error) {
    if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
    const bare = inReadingOrder({ ...unknownMessage(place), ...what });
    if (error.code !== 'not_found') return { id, item: bare, problem: error.message };
    if (isFiltered(values)) {
      notes.push(
        `A message in "${place.folder}" (${what.change}) was gone before it could be looked at, so nobody knows whether it passes the filters.`,
      );
      return undefined;
    }
    return { id, item: bare };
  }
}

const isFiltered = (values: Input): boolean =>
  values.hasAttachment !== undefined ||
  (Object.keys(wordFields) as (keyof typeof wordFields)[]).some(name => values[name]?.length);

function passes(values: Input, message: ImapMessage): boolean {
  const { native } = message as { native: { envelope?: Parameters<typeof passesEnvelope>[1] } };
  return (
    passesEnvelope(values, native.envelope) &&
    passesText(values, message) &&
    (values.hasAttachment === undefined ||
      !message.attachments ||
      message.attachments.length > 0 === values.hasAttachment)
  );
}

/** So many of the newest messages a test looks through for one that is as if it had just been changed. */
const LOOK_BACK = 200;

/**
 * For a test: the newest messages that are in a state which one of the changes leads to. Moves and deletions leave
 * nothing to show.
 */
async function latest(ctx: Context, values: Input, most: number): Promise<Latest<ChangedMessage>> {
  const notes: string[] = [];
  const found: { item: FeedItem<ChangedMessage>; at: string }[] = [];
  const states = values.changes.flatMap(change =>
    OF_FLAG[change] ? [{ change, flag: OF_FLAG[change], set: change !== 'unstarred' && change !== 'unread' }] : [],
  );
  await eachFolder(values, notes, async folder => {
    const flags = new Map<number, Set<string>>();
    const uidValidity = await withFolder(
      ctx,
      folder,
      async (client, mailbox) => {
        const { exists } = mailbox;
        if (exists)
          await fetchRows(
            client,
            `${Math.max(1, exists - LOOK_BACK + 1)}:*`,
            { uid: true, flags: true },
            row => {
              if (row.flags && !row.flags.has('\\Deleted')) flags.set(row.uid, row.flags);
            },
            false,
          );
        return validityOf(mailbox);
      },
      { fresh: true, reads: true },
    );
    let shown = 0;
    for (const [uid, has] of [...flags].sort(([a], [b]) => b - a)) {
      const state = states.find(({ flag, set }) => has.has(FLAGS[flag]) === set);
      if (!state || shown >= most) continue;
      const item = await readItem(
        ctx,
        values,
        { folder, uidValidity, uid },
        { change: state.change },
        `${folder}/${uidValidity}/${uid}`,
        notes,
      );
      if (item && !item.problem) {
        found.push({ item, at: item.item.date ?? '' });
        shown++;
      }
    }
    return true;
  });
  if (tellsGone(values))
    notes.push(
      'A test cannot show a message that was moved or deleted; those are told once the workflow is published.',
    );
  // Each folder was read from its newest message back.
  const items = found
    .reverse()
    .sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0))
    .slice(-most)
    .map(({ item }) => item);
  return { items, ...(notes.length ? { notes } : {}) };
}
