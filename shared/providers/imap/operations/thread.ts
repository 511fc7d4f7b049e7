import { isMailError, MailError } from '../../../errors.js';
import { list, text } from '../../../fields.js';
import { inReadingOrder } from '../../../message.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Native } from '../../../vocabulary.js';
import { inPlace, rowOf, SUMMARY, toMessage, uidSet, unknownMessage, type ImapMessage } from '../messages/content.js';
import { attempt, fetchEach } from '../messages/fetchEach.js';
import { gone, messageId, placeOf, validityOf, type Place } from '../messages/id.js';
import { idsIn, namesOf, threadIn, threadName, type Names } from '../messages/threads.js';
import { outline } from '../mime/structure.js';
import type { ImapFlow, MailboxObject } from '../libraries.js';
import { isRefused } from '../session/imapError.js';
import { opened } from '../session/openFolder.js';
import { withImap } from '../session/imapPool.js';
import { fetchRows, mendRows, type Row } from '../wire/fetch.js';
import { foldersFor } from './folder.js';
import { uidSearch, type Token } from './message.js';

/** A thread with its messages, oldest first, as `message.list` gives them. */
export interface Thread {
  id: string;
  subject?: string;
  messages: ImapMessage[];
  native: Native;
}

/**
 * How the messages of a thread are known: by the server's own name for it (for Gmail see
 * https://developers.google.com/workspace/gmail/imap/imap-extensions), by its own threading, or by the ids in their
 * headers.
 */
type Method = 'X-GM-THRID' | 'THREADID' | 'THREAD=REFERENCES' | 'References';

/** So many messages of a thread are given, the newest. */
const MOST = 500;
/** A server is not asked to thread more messages at once: its answer would name each of them. */
const LARGEST_THREADED = 20_000;
/** So often ids that became known are looked for, and so many at a time. */
const ROUNDS = 5;
const AT_ONCE = 20;
/** Failures that concern one folder. */
const OF_ONE: ReadonlySet<string> = new Set(['not_found', 'forbidden', 'rejected', 'conflict']);

/** What is fetched of each message: what a list shows, and the ids in its header. */
const WANTED = { ...SUMMARY, headers: true } as const;

interface Found {
  row: Row;
  place: Place;
  names: Names;
}
/** A thread while it is put together. */
interface Search {
  ctx: Context;
  /** The message it was asked for by, and the server's own name for the thread. */
  start: Place | undefined;
  name: string | undefined;
  method: Method;
  /** The Message-IDs that belong to it, and those that were looked for, by folder. */
  ids: Set<string>;
  asked: Map<string, Set<string>>;
  found: Map<string, Found>;
  unread: ImapMessage[];
  problems: { folder: string; error: string }[];
  cut: boolean;
}

/** The method for a server, when it names the thread itself and when not. */
function methodOf(client: ImapFlow, name: string | undefined): Method {
  if (name !== undefined) return client.capabilities.has('X-GM-EXT-1') ? 'X-GM-THRID' : 'THREADID';
  return client.capabilities.has('THREAD=REFERENCES') ? 'THREAD=REFERENCES' : 'References';
}

/** Gives a thread: by one of its messages, or by its name. */
async function thread(
  ctx: Context,
  { message, thread: name, folders = [] }: { message?: string; thread?: string; folders?: string[] },
): Promise<Thread> {
  if (!message && !name)
    throw new MailError('invalid_input', 'Neither a message of the thread nor its name is given.', {
      issues: [{ field: 'message', message: 'Message or Thread is required.' }],
    });
  const isServers = name !== undefined && !name.startsWith('<');
  if (isServers && !/^[\w-]{1,255}$/.test(name))
    throw new MailError('invalid_input', 'This is not the name of a thread.', {
      issues: [{ field: 'thread', message: 'This is not the name of a thread; take it from a message.' }],
    });
  const search: Search = {
    ctx,
    start: message ? placeOf(message) : undefined,
    name: isServers ? name : undefined,
    method: 'References',
    ids: new Set(),
    asked: new Map(),
    found: new Map(),
    unread: [],
    problems: [],
    cut: false,
  };
  if (name && !isServers) search.ids.add(name);
  if (search.start) await begin(search, search.start);
  const where = await withImap(
    ctx,
    async client => {
      search.method = methodOf(client, search.name);
      if (search.name && search.method === 'THREADID' && !client.capabilities.has('OBJECTID'))
        throw new MailError(
          'unsupported',
          'This server does not name threads, so only a message or a Message-ID finds one.',
        );
      return placesOf(client, search.start?.folder, folders);
    },
    { reads: true },
  );
  if (search.name) await byName(search, where, search.name);
  if (!search.name) await byIds(search, where);
  return made(search, name);
}

/** The folders that are looked through: that of the message, those named, and where the mail of most threads is. */
async function placesOf(client: ImapFlow, own: string | undefined, named: readonly string[]): Promise<string[]> {
  const { all, sent, archive } = await foldersFor(client, ['all', 'sent', 'archive']);
  return [
    ...new Set(
      [own, ...named, ...(named.length ? [] : all ? [all] : ['INBOX', sent, archive])].filter(one => one !== undefined),
    ),
  ];
}

/** Reads the message that a thread is asked for by. */
async function begin(search: Search, place: Place): Promise<void> {
  await inPlace(search.ctx, place, async client => {
    const row = await rowOf(client, place, WANTED);
    if (!row) throw gone(messageId(place));
    await mendRows(client, [row]);
    search.name ??= row.threadId;
    add(search, row, place);
  });
}

function add(search: Search, row: Row, place: Place): void {
  const names = namesOf(row);
  search.found.set(messageId(place), { row, place, names });
  for (const id of idsIn(names)) search.ids.add(id);
}

/** By the server's own name for it. A server that names threads and cannot look for one is asked for ids. */
async function byName(search: Search, where: readonly string[], name: string): Promise<void> {
  const keys: Token[] = [
    { type: 'ATOM', value: search.method },
    { type: 'ATOM', value: name },
  ];
  let worked = false;
  for (const folder of where) {
    await inFolder(search, folder, async () => {
      if (await take(search, folder, client => uidSearch(client, keys))) worked = true;
    });
  }
  if (worked || !search.ids.size) return;
  search.name = undefined;
  search.method = 'References';
}

/** By the server's threading of the message's own folder, and by the ids in headers everywhere else. */
async function byIds(search: Search, where: readonly string[]): Promise<void> {
  const { start } = search;
  let threaded = false;
  if (start && search.method === 'THREAD=REFERENCES') {
    await inFolder(search, start.folder, async () => {
      threaded = await take(search, start.folder, async (client, { exists }) =>
        exists > LARGEST_THREADED ? undefined : threadOf(client, start.uid),
      );
    });
    if (!threaded) search.problems = search.problems.filter(({ folder }) => folder !== start.folder);
  }
  if (!threaded) search.method = 'References';
  const others = threaded ? where.filter(folder => folder !== start!.folder) : where;
  for (let round = 0, before = -1; round < ROUNDS && search.ids.size > before; round++) {
    before = search.ids.size;
    for (const folder of others) {
      if (search.problems.some(one => one.folder === folder)) continue;
      const asked = search.asked.get(folder) ?? new Set<string>();
      const ids = [...search.ids].filter(id => !asked.has(id));
      search.asked.set(folder, asked);
      // The first names the whole thread in most headers, the last the newest of it.
      const some = ids.length > AT_ONCE ? [...ids.slice(0, AT_ONCE / 2), ...ids.slice(-AT_ONCE / 2)] : ids;
      for (const id of some) asked.add(id);
      if (some.length)
        await inFolder(search, folder, () => take(search, folder, client => uidSearch(client, keysOf(some)), true));
    }
  }
}

/** Search keys for all messages that have one of the ids, or name one. */
function keysOf(ids: readonly string[]): Token[] {
  const one = (name: string, id: string): Token[] => [
    { type: 'ATOM', value: 'HEADER' },
    { type: 'STRING', value: name },
    { type: 'STRING', value: id },
  ];
  const all = ids.flatMap(id => ['Message-ID', 'References', 'In-Reply-To'].map(name => one(name, id)));
  return all.reduce((rest, key) => [{ type: 'ATOM', value: 'OR' }, ...key, ...rest]);
}

/**
 * The UIDs of the thread that a message is in, by the server's threading (RFC 5256); undefined where its answer does
 * not name the message.
 */
async function threadOf(client: ImapFlow, uid: number): Promise<number[] | undefined> {
  let uids: number[] | undefined;
  const atom = (value: string): Token => ({ type: 'ATOM', value });
  const answer = await (
    client as unknown as { exec(command: string, attributes: Token[], options: object): Promise<{ next(): void }> }
  ).exec('UID THREAD', [atom('REFERENCES'), atom('UTF-8'), atom('ALL')], {
    untagged: {
      THREAD: async ({ attributes = [] }: { attributes?: unknown[] }) => {
        for (const one of attributes) {
          const found = threadIn(one);
          if (found.includes(uid)) uids = found;
        }
      },
    },
  });
  answer.next();
  return uids;
}

/** One folder that cannot be read does not keep the others from being looked through. */
async function inFolder(search: Search, folder: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    search.ctx.signal?.throwIfAborted();
    if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
    search.problems.push({ folder, error: error.message });
  }
}

/**
 * Takes the messages of a folder that `find` names; false where it names none for good. `check` leaves out those that
 * neither have nor name an id of the thread: some servers find words where whole ids were meant.
 */
async function take(
  search: Search,
  folder: string,
  find: (client: ImapFlow, mailbox: MailboxObject) => Promise<number[] | undefined>,
  check = false,
): Promise<boolean> {
  const rows = new Map<number, Row>();
  const each = (row: Row) => {
    rows.set(row.uid, row);
  };
  const { uids, path, uidValidity, failure } = await withImap(
    search.ctx,
    async client => {
      const mailbox = await opened(client, folder, { fresh: true });
      const path = mailbox.path;
      const uidValidity = validityOf(mailbox);
      let found: number[] | undefined;
      try {
        found = mailbox.exists ? await find(client, mailbox) : [];
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
      if (!found) return { path, uidValidity };
      if (found.length > MOST) search.cut = true;
      const uids = found
        .sort((a, b) => a - b)
        .slice(-MOST)
        .filter(uid => !search.found.has(messageId({ folder: path, uidValidity, uid })));
      const failure = uids.length
        ? await attempt(client, () => fetchRows(client, uidSet(uids), WANTED, each))
        : undefined;
      if (!failure) await attempt(client, () => mendRows(client, rows.values()));
      return { uids, path, uidValidity, failure };
    },
    { reads: true },
  );
  if (!uids) return false;
  if (failure) {
    const problems = await fetchEach(
      search.ctx,
      { folder: path, uidValidity },
      uids.filter(uid => !rows.has(uid)),
      WANTED,
      each,
      failure,
    );
    for (const [uid, { why }] of problems)
      search.unread.push({ ...unknownMessage({ folder: path, uidValidity, uid }), problem: why });
  }
  for (const row of [...rows.values()].sort((a, b) => a.uid - b.uid)) {
    if (check && !idsIn(namesOf(row)).some(id => search.ids.has(id))) continue;
    add(search, row, { folder: path, uidValidity, uid: row.uid });
  }
  return true;
}

/** The thread, each message once: a copy in another folder is named beside it. */
function made({ start, name, method, found, unread, problems, cut }: Search, given: string | undefined): Thread {
  const messages = new Map<string, ImapMessage>();
  let rest = [...found.values()].map(({ row, place, names }) => ({
    names,
    message: toMessage(row, place.folder, place.uidValidity, outline(row.bodyStructure, row)),
  }));
  rest.sort((a, b) => (Date.parse(a.message.date ?? '') || 0) - (Date.parse(b.message.date ?? '') || 0));
  const own = start && messageId(start);
  for (const { message } of rest) {
    const key = message.messageId ?? message.id;
    const known = messages.get(key);
    if (!known) messages.set(key, message);
    else {
      const [kept, copy] = message.id === own ? [message, known] : [known, message];
      messages.set(key, kept);
      kept.native.copies = [...((known.native.copies as string[]) ?? []), copy.id];
    }
  }
  rest = rest.filter(({ message }) => messages.get(message.messageId ?? message.id) === message);
  const first = rest[0];
  const id = name ?? (first && threadName(first.names)) ?? given;
  if (!first && !unread.length)
    throw new MailError(
      'not_found',
      `There is no thread ${given ?? own ?? ''} in the folders that were looked through.`,
    );
  const all = [...messages.values()].slice(-MOST);
  for (const message of all) if (id !== undefined) message.thread = id;
  return {
    id: id ?? own ?? '',
    ...(first?.message.subject === undefined ? {} : { subject: first.message.subject }),
    messages: [...all, ...unread].map(one => inReadingOrder(one)),
    native: {
      method,
      ...(cut || all.length < messages.size ? { cut: true } : {}),
      ...(problems.length ? { problems } : {}),
    },
  };
}

/** The operations on threads. */
export const threads = {
  'thread.get': operation({
    summary: 'Read a thread: all messages that answer each other, oldest first',
    effect: 'read',
    docs: 'RFC 5256, RFC 8474 section 5.2, RFC 5322 section 3.6.4',
    doubt:
      'Where the server names no threads, mail whose headers name no other message of the thread is missing from it. A server that threads by itself ' +
      'may count mail with the same subject to it.',
    input: {
      message: text('Message', {
        maxLength: 2000,
        ref: 'message',
        example: 'INBOX;UIDVALIDITY=1795198567;UID=47',
        help: 'The ID of one message of the thread. Required unless Thread is given.',
      }),
      thread: text('Thread', {
        maxLength: 1000,
        pattern: '^\\P{Cc}+$',
        help: 'The thread as a message names it, instead of a message.',
      }),
      folders: list(
        'Folders',
        text('Folder', { maxLength: 1000, pattern: '^\\P{Cc}+$', ref: 'folder', knownBy: 'path' }),
        {
          maxItems: 20,
          help: 'Where to look besides the folder of the message. Unless given: the folder for all mail, or else INBOX, Sent and Archive.',
        },
      ),
    },
    run: (ctx, input): Promise<Thread> => thread(ctx, input),
  }),
} satisfies Operations;
