import { MailError } from '../../../errors.js';
import { flag, number, text, time, list, type FileValue } from '../../../fields.js';
import { inReadingOrder, withText } from '../../../message.js';
import { pages } from '../../../pages.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Message } from '../../../vocabulary.js';
import { isRefused, wordsOf } from '../session/imapError.js';
import { opened, openedWith, withFolder } from '../session/openFolder.js';
import { withImap } from '../session/imapPool.js';
import {
  arrivedAt,
  fetchParts,
  fill,
  inPlace,
  SUMMARY,
  BARE,
  summaryOf,
  toMessage,
  uidSet,
  uidsOf,
  readParts,
  unknownMessage,
  type ImapMessage,
} from '../messages/content.js';
import { partFile, sourceFile } from '../messages/download.js';
import { attempt, fetchEach, type Failure, type Problem } from '../messages/fetchEach.js';
import { readGrouped } from '../messages/group.js';
import { gone, messageId, placeOf, validityOf, type Place } from '../messages/id.js';
import { linkThreads } from '../messages/threads.js';
import { readWhole } from '../messages/whole.js';
import { decodingTools, type FetchMessageObject, type ImapFlow } from '../libraries.js';
import { fetchRows, mendRows } from '../wire/fetch.js';
import { isMisread, outline } from '../mime/structure.js';

/** Messages of a list that are fetched at once. */
const WINDOW = 250;
export const messageField = {
  message: text('Message', {
    required: true,
    maxLength: 2000,
    ref: 'message',
    example: 'INBOX;UIDVALIDITY=1795198567;UID=47',
    help: 'The ID of the message as message.list gives it.',
  }),
};

const words = (label: string) => text(label, { maxLength: 500, pattern: '^\\P{Cc}*$', group: 'Search' });
const SEARCH = {
  from: words('From'),
  to: words('To'),
  cc: words('Cc'),
  subject: words('Subject'),
  text: text('Text', {
    maxLength: 500,
    pattern: '^\\P{Cc}*$',
    group: 'Search',
    help: 'Words anywhere in the message. Slow on servers without an index.',
  }),
  since: time('Since', { group: 'Search', help: 'When the server received the message, at the earliest.' }),
  before: time('Before', { group: 'Search', help: 'When the server received the message, before this moment.' }),
  seen: flag('Seen', { group: 'Search', help: 'Whether the message is marked as read.' }),
  flagged: flag('Flagged', { group: 'Search', help: 'Whether the message is flagged.' }),
  answered: flag('Answered', { group: 'Search', help: 'Whether the message is marked as answered.' }),
  larger: number('Larger Than', { min: 0, max: 4294967295, unit: 'bytes', group: 'Search', help: 'In bytes.' }),
  smaller: number('Smaller Than', { min: 0, max: 4294967295, unit: 'bytes', group: 'Search', help: 'In bytes.' }),
  header: text('Header Name', { maxLength: 100, pattern: '^[!-9;-~]+$', group: 'Search', example: 'List-Id' }),
  headerValue: text('Header Value', {
    maxLength: 500,
    pattern: '^\\P{Cc}*$',
    group: 'Search',
    help: 'What the header contains. Left empty, every message that has it is found.',
  }),
  raw: text('Search Keys', {
    maxLength: 2000,
    pattern: '^\\P{Cc}*$',
    group: 'Search',
    example: 'OR FLAGGED KEYWORD urgent',
    help: 'Search keys as the protocol spells them, added to the others.',
  }),
};
type Search = {
  [K in keyof typeof SEARCH]?: (typeof SEARCH)[K] extends { type: 'number' }
    ? number
    : (typeof SEARCH)[K] extends { type: 'flag' }
      ? boolean
      : string;
};

const DAY = 86_400_000;

/**
 * UIDs that match, in rising order. Days are the finest a server knows (RFC 9051 section 6.4.4); the caller compares
 * times. `compares` where the server knows no other letters than those of ASCII (BADCHARSET): then the caller compares
 * words too.
 */
async function search(client: ImapFlow, s: Search): Promise<{ uids: number[]; compares?: true }> {
  const keys: Token[] = [];
  const add = (key: string, value?: string | number) => {
    keys.push({ type: 'ATOM', value: key });
    if (value !== undefined) keys.push({ type: typeof value === 'number' ? 'ATOM' : 'STRING', value: String(value) });
  };
  for (const name of ['from', 'to', 'cc', 'subject', 'text'] as const) if (s[name]) add(name.toUpperCase(), s[name]);
  // A day earlier and later: servers compare in a time zone of their own and leave the clock out.
  if (s.since) keys.push({ type: 'ATOM', value: 'SINCE' }, { type: 'ATOM', value: day(Date.parse(s.since) - DAY) });
  if (s.before)
    keys.push({ type: 'ATOM', value: 'BEFORE' }, { type: 'ATOM', value: day(Date.parse(s.before) + 2 * DAY) });
  for (const name of ['seen', 'flagged', 'answered'] as const)
    if (s[name] !== undefined) add(`${s[name] ? '' : 'UN'}${name.toUpperCase()}`);
  if (s.larger !== undefined) add('LARGER', s.larger);
  if (s.smaller !== undefined) add('SMALLER', s.smaller);
  if (s.header) {
    add('HEADER', s.header);
    keys.push({ type: 'STRING', value: s.headerValue ?? '' });
  }
  if (s.raw) keys.push(...tokens(s.raw));
  if (!keys.length) add('ALL');
  // Servers with UTF8=ACCEPT or IMAP4rev2 take UTF-8 as it is and may refuse the word CHARSET (RFC 6855 section 3).
  const foreign =
    isForeign(JSON.stringify(s)) && !client.enabled.has('UTF8=ACCEPT') && !client.enabled.has('IMAP4REV2');
  if (!foreign) return { uids: await uidSearch(client, keys) };
  try {
    return {
      uids: await uidSearch(client, [{ type: 'ATOM', value: 'CHARSET' }, { type: 'ATOM', value: 'UTF-8' }, ...keys]),
    };
  } catch (error) {
    if (!aboutCharset(error)) throw error;
    const found = await searchIn(client, keys, charsetsIn(error));
    if (found) return { uids: found };
    const blind = (['text', 'headerValue', 'raw'] as const).find(name => isForeign(s[name] ?? ''));
    if (blind)
      throw new MailError(
        'unsupported',
        `This server can only look for ASCII letters. Leave "${SEARCH[blind].label}" out, or write it in plain letters.`,
        { cause: error },
      );
    const plain = Object.fromEntries(Object.entries(s).filter(([, value]) => !isForeign(String(value)))) as Search;
    return { uids: (await search(client, plain)).uids, compares: true };
  }
}

interface Coded {
  response?: { attributes?: { section?: ({ value?: unknown } | { value?: unknown }[] | null)[] }[] };
}
/**
 * The response code of a refusal and what stands behind it: the library reads none for commands that are not its own.
 */
const codeOf = (error: unknown) => (error as Coded).response?.attributes?.[0]?.section ?? [];

/**
 * True for a refusal of the charset of a search. BAD alone counts, too: some know no CHARSET there at all (Yahoo, QQ).
 * Where it was about something else, the same search without one hears it again.
 */
const aboutCharset = (error: unknown): boolean =>
  isRefused(error) &&
  ((error as { responseStatus?: string }).responseStatus === 'BAD' ||
    /char(acter )?set/i.test(wordsOf(error)) ||
    /^BADCHARSET$/i.test(String((codeOf(error)[0] as { value?: unknown } | undefined)?.value)));

/**
 * The charsets that a refusal names (RFC 9051 section 7.1, BADCHARSET), besides those that were tried or hold no
 * foreign letter; three at most.
 */
function charsetsIn(error: unknown): string[] {
  const named = codeOf(error)[1];
  return (Array.isArray(named) ? named : [])
    .map(one => String(one?.value ?? ''))
    .filter(one => one && !/^(utf-?8|us-ascii|ascii)$/i.test(one))
    .slice(0, 3);
}

/**
 * Searches in the first of the charsets that can spell the words and that the server takes; undefined where there is
 * none.
 */
async function searchIn(
  client: ImapFlow,
  keys: readonly Token[],
  charsets: readonly string[],
): Promise<number[] | undefined> {
  for (const charset of charsets) {
    const spelled = inCharset(keys, charset);
    if (!spelled) continue;
    try {
      return await uidSearch(client, [
        { type: 'ATOM', value: 'CHARSET' },
        { type: 'ATOM', value: charset },
        ...spelled,
      ]);
    } catch (error) {
      if (!aboutCharset(error)) throw error;
    }
  }
  return undefined;
}

/** Search keys with their words in a charset, as literals; undefined where it cannot spell them. */
function inCharset(keys: readonly Token[], charset: string): Token[] | undefined {
  const { iconv } = decodingTools();
  if (!iconv.encodingExists(charset)) return undefined;
  const out: Token[] = [];
  for (const key of keys) {
    if (Array.isArray(key)) {
      const inner = inCharset(key, charset);
      if (!inner) return undefined;
      out.push(inner);
    } else if (typeof key.value !== 'string' || !isForeign(key.value)) out.push(key);
    else {
      const bytes = iconv.encode(key.value, charset);
      if (iconv.decode(bytes, charset) !== key.value) return undefined;
      out.push({ type: 'LITERAL', value: bytes });
    }
  }
  return out;
}

const isForeign = (text: string): boolean => /[^\x20-\x7e]/.test(text);

/** True for a message that has the words which a server without their letters was not asked for. */
function hasWords({ envelope }: FetchMessageObject, s: Search): boolean {
  const people = (list: { name?: string; address?: string }[] | undefined) =>
    (list ?? []).map(one => `${one.name ?? ''} <${one.address ?? ''}>`).join(' ');
  const texts = {
    from: people(envelope?.from),
    to: people(envelope?.to),
    cc: people(envelope?.cc),
    subject: envelope?.subject ?? '',
  };
  return (['from', 'to', 'cc', 'subject'] as const).every(
    name => !s[name] || texts[name].toLowerCase().includes(s[name].toLowerCase()),
  );
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const day = (at: number) => {
  const d = new Date(at);
  return `${d.getUTCDate()}-${MONTHS[d.getUTCMonth()]}-${d.getUTCFullYear()}`;
};

export type Token =
  { type: 'ATOM' | 'STRING' | 'SEQUENCE'; value: string } | { type: 'LITERAL'; value: Buffer } | Token[];
/** `numbers` where a SEARCH answer holds nothing else; `attributes` for whatever else it may hold. */
interface Untagged {
  attributes?: ({ value?: unknown } | null)[];
  numbers?: unknown[];
}
interface Raw {
  exec(
    command: string,
    attributes: Token[],
    options: { untagged: Record<string, (answer: Untagged) => Promise<void>> },
  ): Promise<{ next(): void }>;
}

/**
 * UID SEARCH with keys as they are; the library's own search knows neither raw keys nor tells why a search was refused.
 */
export async function uidSearch(client: ImapFlow, keys: Token[]): Promise<number[]> {
  // No search finds more than the folder holds; a server that says so would have us count to four thousand million.
  // Some may have just come.
  const found = new Set<number>();
  const most = () => (client.mailbox ? client.mailbox.exists : 0) + 1000;
  const compact = client.capabilities.has('ESEARCH') || client.enabled.has('IMAP4REV2');
  const answer = await (client as unknown as Raw).exec(
    'UID SEARCH',
    [...(compact ? ([{ type: 'ATOM', value: 'RETURN' }, [{ type: 'ATOM', value: 'ALL' }]] as Token[]) : []), ...keys],
    {
      untagged: {
        SEARCH: async ({ attributes = [], numbers = attributes.map(attribute => attribute?.value) }) => {
          for (const value of numbers) if (/^[1-9]\d{0,9}$/.test(String(value))) found.add(Number(value));
        },
        ESEARCH: async ({ attributes = [] }) => {
          const at = attributes.findIndex(attribute => String(attribute?.value).toUpperCase() === 'ALL');
          const set = at < 0 ? undefined : attributes[at + 1]?.value;
          if (typeof set === 'string' && /^[\d:,]+$/.test(set)) for (const uid of uidsOf(set, most())) found.add(uid);
        },
      },
    },
  );
  answer.next();
  return [...found].sort((a, b) => a - b);
}

/**
 * Search keys taken apart, so that each is sent as what it is and none can begin a second command. Throws
 * `invalid_input`.
 */
function tokens(raw: string): Token[] {
  const bad = (message: string) =>
    new MailError('invalid_input', `Search Keys: ${message}`, { issues: [{ field: 'raw', message }] });
  const open: Token[][] = [[]];
  for (const [, quoted, mark, word] of raw.matchAll(/"((?:[^"\\]|\\.)*)"|([()"])|([^\s()"]+)/g)) {
    const here = open[open.length - 1]!;
    if (word !== undefined)
      here.push({ type: /^(\*|\d+)([:,](\*|\d+))*$/.test(word) ? 'SEQUENCE' : 'ATOM', value: word });
    else if (mark === '(') open.push([]);
    else if (mark === ')') {
      if (open.length < 2) throw bad('a closing bracket has no opening one.');
      open.pop();
      open[open.length - 1]!.push(here);
    } else if (mark === '"') throw bad('a quotation mark is not closed.');
    else here.push({ type: 'STRING', value: quoted!.replace(/\\(.)/g, '$1') });
  }
  if (open.length > 1) throw bad('an opening bracket is not closed.');
  return open[0]!;
}

interface At {
  uids?: number[];
  end: number;
  uidValidity?: string;
  compares?: true;
}

async function* listMessages(
  ctx: Context,
  { folder, ...criteria }: Search & { folder: string },
): AsyncGenerator<Message> {
  if (criteria.raw) tokens(criteria.raw);
  yield* pages<Message, At>({ end: Infinity }, (at, signal) =>
    listWindow({ ...ctx, signal: ctx.signal ? AbortSignal.any([ctx.signal, signal]) : signal }, folder, criteria, at),
  );
}

/** One page of a list. A message that the server cannot give is listed with the reason, and holds up no other. */
async function listWindow(
  ctx: Context,
  folder: string,
  criteria: Search,
  at: At,
): Promise<{ items: Message[]; next?: At }> {
  const rows = new Map<number, FetchMessageObject>();
  const take = (row: FetchMessageObject) => {
    rows.set(row.uid, row);
  };
  const { path, uidValidity, uids, compares, begin, asked, failure } = await withImap(
    ctx,
    async client => {
      const [mailbox, { uids, compares }] = at.uids
        ? ([await opened(client, folder), { uids: at.uids, compares: at.compares }] as const)
        : await openedWith(client, folder, () => search(client, criteria));
      const uidValidity = validityOf(mailbox);
      if (at.uidValidity && at.uidValidity !== uidValidity)
        throw new MailError('conflict', `The folder "${folder}" was created anew while it was listed; list it again.`);
      const end = Math.min(at.end, uids.length);
      const begin = Math.max(0, end - WINDOW);
      const asked = uids.slice(begin, end);
      const failure = asked.length
        ? await attempt(client, () => fetchRows(client, uidSet(asked), SUMMARY, take))
        : undefined;
      if (!failure) await attempt(client, () => mendRows(client, rows.values()));
      return { path: mailbox.path, uidValidity, uids, compares, begin, asked, failure };
    },
    { reads: true },
  );
  const problems =
    rows.size < asked.length
      ? await listRest(ctx, { folder, uidValidity }, asked, rows, take, failure)
      : new Map<number, Problem>();
  const since = criteria.since ? Date.parse(criteria.since) : -Infinity;
  const before = criteria.before ? Date.parse(criteria.before) : Infinity;
  const items: Message[] = [];
  for (const uid of asked.reverse()) {
    const row = rows.get(uid);
    const problem = problems.get(uid);
    if (!row) {
      if (problem)
        items.push(inReadingOrder({ ...unknownMessage({ folder: path, uidValidity, uid }), problem: problem.why }));
      continue;
    }
    const arrived = arrivedAt(row);
    if (arrived < since || arrived >= before || (compares && !hasWords(row, criteria))) continue;
    items.push(
      inReadingOrder({
        ...toMessage(row, path, uidValidity, outline(row.bodyStructure, row)),
        ...(problem ? { problem: problem.why } : {}),
      }),
    );
  }
  linkThreads(items as ImapMessage[]);
  return {
    items,
    ...(begin > 0 ? { next: { uids, end: begin, uidValidity, ...(compares ? { compares } : {}) } } : {}),
  };
}

/**
 * The messages of a page that were not told of: those the server or the library stumbles over with the bare facts, the
 * others with the reason.
 */
async function listRest(
  ctx: Context,
  place: { folder: string; uidValidity: string },
  asked: number[],
  rows: Map<number, FetchMessageObject>,
  take: (row: FetchMessageObject) => void,
  failure: Failure | undefined,
): Promise<Map<number, Problem>> {
  const missing = () => asked.filter(uid => !rows.has(uid));
  const problems = failure
    ? await fetchEach(ctx, place, missing(), SUMMARY, take, failure)
    : new Map<number, Problem>();
  const stumbled = missing().filter(uid => !problems.get(uid)?.lost);
  if (!stumbled.length) return problems;
  // What was moved or deleted meanwhile is no message of this list any more.
  const there: number[] = await withFolder(
    ctx,
    place.folder,
    async (client, { exists }) =>
      exists
        ? uidSearch(client, [
            { type: 'ATOM', value: 'UID' },
            { type: 'SEQUENCE', value: uidSet(stumbled) },
          ])
        : [],
    { reads: true, fresh: true },
  );
  for (const uid of stumbled) if (!there.includes(uid)) problems.delete(uid);
  // Messages whose structure the server or the library cannot read are listed with the bare facts; read singly they are
  // taken apart here.
  if (there.length)
    for (const [uid, problem] of await fetchEach(ctx, place, there, BARE, take)) problems.set(uid, problem);
  for (const uid of there) {
    if (!rows.has(uid) && !problems.has(uid))
      problems.set(uid, { lost: false, why: 'The server lists this message but does not tell what it is.' });
  }
  return problems;
}

/** A message with its texts and headers. */
async function readMessage(ctx: Context, place: Place): Promise<ImapMessage> {
  const { message, broken } = await readGrouped(
    ctx,
    place,
    message => ({ message, broken: false }),
    async (client, place) => {
      const { row, shape } = await summaryOf(client, place).catch(async error => {
        // A server may stumble over the structure of a message it can still send.
        if ((error as { responseStatus?: string }).responseStatus === undefined) throw error;
        return summaryOf(client, place, BARE);
      });
      const message = toMessage(row, place.folder, place.uidValidity, shape);
      if (!shape) return { message, broken: true };
      let came = false;
      let misread = false;
      const failure = await attempt(client, () =>
        fetchParts(client, [{ uid: place.uid, parts: readParts(shape), header: true }], got => {
          came = true;
          misread = isMisread(row.bodyStructure, got.header ?? Buffer.alloc(0), row.size ?? 0);
          if (!misread) fill(message, shape, got);
        }),
      );
      if (failure?.lost) throw failure.error;
      // A server may still tell of a message that another client has just deleted, but has none of it any more (RFC
      // 2180 section 4.1).
      if (!failure && !came) throw gone(messageId(place));
      // A part that is refused may still come with the whole.
      return { message, broken: !!failure || misread };
    },
  );
  if (broken) await readWhole(ctx, place, message);
  return message.error ? inReadingOrder(message) : withText(message);
}

const bare = (message: ImapMessage): ImapMessage => {
  if (message.attachments)
    message.attachments = message.attachments.map(({ content: _content, ...described }) => described);
  return message;
};

async function attachment(ctx: Context, place: Place, id: string): Promise<FileValue> {
  if (/^m\d+$/.test(id)) {
    const message = { native: {}, to: [] } as unknown as ImapMessage;
    await readWhole(ctx, place, message);
    const found = message.attachments?.find(one => one.id === id)?.content;
    if (found) return found;
  } else {
    const { shape } = await inPlace(ctx, place, client => summaryOf(client, place));
    const part = shape && [...shape.attachments, ...shape.texts, ...shape.htmls].find(one => one.part === id);
    if (part) return partFile(ctx, place, part);
  }
  throw new MailError('not_found', `The message has no attachment "${id}".`, {
    issues: [{ field: 'attachment', message: 'There is no such attachment.' }],
  });
}

export const folderField = {
  folder: text('Folder', { default: 'INBOX', maxLength: 1000, pattern: '^\\P{Cc}+$', ref: 'folder', knownBy: 'path' }),
};

const ESTIMATED =
  'A server tells how large an encoded attachment is on the wire, and only a download tells the size of the file. ' +
  'So that size is an estimate, with `sizeEstimated` beside it.';

/** The operations that read messages. */
export const reading = {
  'message.list': operation({
    summary: 'List or search the messages of a folder, newest first',
    effect: 'read',
    docs: 'RFC 9051 sections 6.4.4 and 6.4.5',
    doubt: 'What a server counts as a match of words differs: whole words, parts of words, with or without accents.',
    input: { ...folderField, ...SEARCH },
    run: (ctx, input) => listMessages(ctx, input as Search & { folder: string }),
  }),
  'message.get': operation({
    summary: 'Read a message: texts, headers, and what is attached',
    effect: 'read',
    docs: 'RFC 9051 section 6.4.5',
    doubt: ESTIMATED,
    input: messageField,
    run: async (ctx, { message }) => bare(await readMessage(ctx, placeOf(message))),
  }),
  'message.source': operation({
    summary: 'Download a whole message as it was sent',
    effect: 'read',
    plain: true,
    docs: 'RFC 9051 section 6.4.5',
    input: messageField,
    run: async (ctx, { message }): Promise<FileValue> => {
      const place = placeOf(message);
      const { row } = await inPlace(ctx, place, client => summaryOf(client, place, { uid: true, size: true }));
      return sourceFile(ctx, place, row.size, `message-${place.uid}.eml`);
    },
  }),
  'attachment.list': operation({
    summary: 'List the attachments of a message',
    effect: 'read',
    plain: true,
    docs: 'RFC 9051 section 7.5.2',
    doubt: ESTIMATED,
    input: messageField,
    async *run(ctx, { message }) {
      yield* bare(await readMessage(ctx, placeOf(message))).attachments ?? [];
    },
  }),
  'attachment.get': operation({
    summary: 'Download an attachment',
    effect: 'read',
    plain: true,
    docs: 'RFC 9051 section 6.4.5',
    input: {
      ...messageField,
      attachment: text('Attachment', {
        required: true,
        maxLength: 100,
        pattern: '^[m0-9][0-9.]*$',
        ref: 'attachment',
        example: '2',
        help: 'The ID of the attachment as message.get gives it.',
      }),
    },
    run: (ctx, { message, attachment: id }) => attachment(ctx, placeOf(message), id),
  }),
} satisfies Operations;

/** One message or several, by id. */
export const messagesField = {
  ...messageField,
  message: text('Message', {
    maxLength: 2000,
    ref: 'message',
    example: 'INBOX;UIDVALIDITY=1795198567;UID=47',
    help: 'The ID of the message as message.list gives it.',
  }),
  messages: list('Messages', text('Message', { maxLength: 2000, ref: 'message' }), {
    maxItems: 10_000,
    help: 'Several IDs, each with its own result.',
  }),
};
