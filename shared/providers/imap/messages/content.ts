import type { FileValue } from '../../../fields.js';
import type { Context } from '../../../provider.js';
import type { Address, Attachment, Message } from '../../../vocabulary.js';
import { isRefused } from '../session/imapError.js';
import { opened, withFolder } from '../session/openFolder.js';
import { fieldOf, headerFields, readableText } from '../mime/decode.js';
import { idsOf } from './threads.js';
import { gone, messageId, RESET, validityOf, type Place } from './id.js';
import type { FetchMessageObject, FetchQueryObject, ImapFlow } from '../libraries.js';
import {
  fetchOne,
  pipelineFetches,
  fetchRows,
  LONGEST_HEADER,
  mendRows,
  type Row,
  type FetchRequest,
} from '../wire/fetch.js';
import { outline, toAttachment, type Outline, type Part } from '../mime/structure.js';

/** A message as this provider gives it: where it is, and its files where they were asked for. */
export interface ImapMessage extends Message {
  folder: string;
  /**
   * The thread it is in, as `thread.get` takes it: what the server calls it, else the Message-ID of the earliest
   * message that this one is known to follow. A list knows only the message that this one answers.
   */
  thread?: string;
  attachments?: (Attachment & { content?: FileValue })[];
  /** The whole message as it came, where that was asked for. */
  raw?: FileValue;
  /** Why a part of this message is not here. */
  error?: string;
  /** The server cannot give this message; what is known of it is in the other fields. */
  unreadable?: true;
  /** Why a list does not tell all of this message. */
  problem?: string;
}

/** What a list shows: no byte of a body is sent for it. */
export const SUMMARY = {
  uid: true,
  flags: true,
  internalDate: true,
  size: true,
  envelope: true,
  bodyStructure: true,
  threadId: true,
  labels: true,
} as const satisfies FetchQueryObject;
/** The same without the two items a server works out from the message, for messages it stumbles over. */
export const BARE = { uid: true, flags: true, internalDate: true, size: true } as const satisfies FetchQueryObject;

/** One text longer than this is cut, in bytes on the wire; the rest is in the attachment of the same number. */
export const LONGEST_TEXT = 2 * 1024 * 1024;
/**
 * All texts of a message together, and all of its HTML, each; what is beyond is in the attachments of its number. In
 * bytes.
 */
const LONGEST_TEXTS = 2 * LONGEST_TEXT;

/** Those that have an address. */
export const addresses = (list: { name?: string; address?: string }[] | undefined): Address[] => {
  const out: Address[] = [];
  for (const { name, address } of list ?? [])
    if (address) out.push(name ? { email: address, name } : { email: address });
  return out;
};

const iso = (at: Date | string | undefined): string | undefined => {
  // Text is what could not be read.
  if (!(at instanceof Date)) return undefined;
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
};

/** The first id in a field that may hold more. */
const idIn = (value: string | undefined): string | undefined => /<[^<>\s]{1,900}>/.exec(value ?? '')?.[0];

/** When the server took the message, in milliseconds; NaN where it did not say. */
export const arrivedAt = (row: FetchMessageObject): number =>
  row.internalDate === undefined ? NaN : new Date(row.internalDate).getTime();

/** A message from what the server told of it. */
export function toMessage(
  row: FetchMessageObject,
  folder: string,
  uidValidity: string,
  shape: Outline | undefined,
): ImapMessage {
  const { envelope } = row;
  const authors = addresses(envelope?.from);
  const [from] = authors;
  const cc = addresses(envelope?.cc);
  const arrived = iso(row.internalDate);
  const date = iso(envelope?.date) ?? arrived;
  const flags = row.flags ? [...row.flags] : [];
  const message: ImapMessage = {
    id: messageId({ folder, uidValidity, uid: row.uid }),
    folder,
    to: addresses(envelope?.to),
    read: flags.includes('\\Seen'),
    // What only says that no other session saw the message is nothing of the message.
    flags: flags.filter(one => one !== '\\Recent'),
    native: {
      folder,
      uidValidity,
      uid: row.uid,
      flags,
      size: row.size,
      internalDate: arrived,
      ...(envelope
        ? { messageId: envelope.messageId, ...(envelope.inReplyTo ? { inReplyTo: envelope.inReplyTo } : {}), envelope }
        : {}),
      ...(row.bodyStructure ? { bodyStructure: row.bodyStructure } : {}),
      ...(row.modseq === undefined ? {} : { modseq: String(row.modseq) }),
      ...(row.emailId ? { emailId: row.emailId } : {}),
      ...(row.labels ? { labels: [...row.labels] } : {}),
    },
  };
  if (from) message.from = from;
  if (cc.length) message.cc = cc;
  if (envelope?.subject !== undefined) message.subject = envelope.subject;
  if (date) message.date = date;
  const known = idIn(envelope?.messageId);
  const before = idIn(envelope?.inReplyTo);
  if (known) message.messageId = known;
  if (before) message.inReplyTo = before;
  // Servers put the author there where the header names nobody (RFC 9051 section 7.5.2).
  const replyTo = addresses(envelope?.replyTo);
  const isAuthor = ({ email }: Address) => authors.some(author => author.email === email);
  if (replyTo.length && (replyTo.length !== authors.length || !replyTo.every(isAuthor))) message.replyTo = replyTo;
  const thread = row.threadId ?? before ?? known;
  if (thread) message.thread = thread;
  if (shape) message.attachments = shape.attachments.map(toAttachment);
  return message;
}

/** A message of which nothing is known but where it is. */
export const unknownMessage = (place: Place): ImapMessage => ({
  id: messageId(place),
  folder: place.folder,
  to: [],
  native: { ...place },
});

/** Some parts of one message; `whole` asks for the header too. */
export interface Wanted {
  uid: number;
  parts: readonly Part[];
  header: boolean;
}
export interface Got {
  uid: number;
  parts: Map<string, Buffer>;
  header?: Buffer;
}

/** Requests for parts of many messages, one for all that look alike; `sent` is told with those it is for. */
export function fetchRequestsFor(
  wanted: readonly Wanted[],
  each: (got: Got) => void | Promise<void>,
  sent: (come: Promise<void>, group: readonly Wanted[]) => void,
): (FetchRequest & { group: readonly Wanted[] })[] {
  const alike = new Map<string, Wanted[]>();
  for (const one of wanted) {
    const shape = `${one.header ? 'h' : ''}${one.parts.map(part => `${part.part}${part.size > LONGEST_TEXT ? '<' : ''}`).join(',')}`;
    const same = alike.get(shape);
    if (same) same.push(one);
    else alike.set(shape, [one]);
  }
  return [...alike.values()].map(group => {
    const { parts, header } = group[0]!;
    return {
      group,
      set: uidSet(group.map(one => one.uid).sort((a, b) => a - b)),
      query: {
        uid: true,
        ...(header ? { headers: true } : {}),
        ...(parts.length
          ? {
              bodyParts: parts.map(part =>
                part.size > LONGEST_TEXT ? { key: part.part, start: 0, maxLength: LONGEST_TEXT } : part.part,
              ),
            }
          : {}),
      },
      each(row) {
        // Rows without what was asked for are news about flags (RFC 9051 section 7.5.2).
        if (!row.bodyParts && !row.headers) return;
        return each({
          uid: row.uid,
          parts: row.bodyParts ?? new Map(),
          ...(row.headers ? { header: row.headers } : {}),
        });
      },
      sent: come => sent(come, group),
    };
  });
}

/**
 * Fetches parts of many messages, one FETCH for all that look alike; calls back as each arrives. A message that is gone
 * has no call. `behind` is asked for in the same breath, after them, and not waited for.
 */
export async function fetchParts(
  client: ImapFlow,
  wanted: readonly Wanted[],
  each: (got: Got) => void | Promise<void>,
  behind: readonly FetchRequest[] = [],
): Promise<void> {
  const came = new Set<number>();
  const coming: Promise<void>[] = [];
  const asked: Wanted[] = [];
  for (const one of wanted) {
    if (one.parts.length || one.header) asked.push(one);
    else await each({ uid: one.uid, parts: new Map() });
  }
  const take = (got: Got) => {
    came.add(got.uid);
    return each(got);
  };
  const requests = fetchRequestsFor(asked, take, come => {
    coming.push(come);
  });
  // One alone goes the library's way, where a refusal is heard.
  if (behind.length || requests.length > 1) await pipelineFetches(client, [...requests, ...behind]);
  for (const come of coming) await come;
  // What could not be asked for together, or was refused or left out: singly, so that a refusal is heard.
  for (const { group } of requests) {
    const left = group.filter(one => !came.has(one.uid));
    for (const { set, query, each: row } of fetchRequestsFor(left, take, () => {}))
      await fetchRows(client, set, query, row);
  }
}

/**
 * The parts that are read as the words of a message: as many as fit into what is read of one. Each look at a message
 * asks for them several times, so they are worked out once.
 */
export function readParts(shape: Outline): readonly Part[] {
  const some = (parts: readonly Part[]) => {
    let left = LONGEST_TEXTS;
    return parts.filter(({ size }) => (left -= Math.min(size, LONGEST_TEXT)) >= 0);
  };
  return (shape.read ??= [...some(shape.texts), ...some(shape.htmls)]);
}

/** The charset of the words of a message. */
export const charsetOf = ({ texts, htmls }: Outline): string | undefined =>
  [...texts, ...htmls].find(({ charset }) => charset)?.charset;

/** Puts fetched texts and headers into a message. */
export function fill(message: ImapMessage, shape: Outline, got: Got): void {
  const all = readParts(shape);
  const isWhole = all.length === shape.texts.length + shape.htmls.length;
  const leftOut = (parts: Part[]) => !isWhole && parts.some(one => !all.includes(one));
  const read = (parts: Part[]) => {
    const texts: string[] = [];
    for (const part of parts) {
      const bytes = got.parts.get(part.part);
      if (!bytes) {
        // Without a word it would look like a message that says nothing.
        if (part.size > 0 && all.includes(part))
          message.error ??= `The server was asked for a text of this message (part ${part.part}) and did not send it.`;
        continue;
      }
      // A server that ignores ranges gives more than it was asked for.
      texts.push(readableText(part, bytes.subarray(0, LONGEST_TEXT), part.size > LONGEST_TEXT));
      if (part.size > LONGEST_TEXT) markCut(message, parts === shape.htmls);
    }
    return texts.length ? texts.join('\n') : undefined;
  };
  const text = read(shape.texts);
  const html = read(shape.htmls);
  if (leftOut(shape.texts)) markCut(message, false);
  if (leftOut(shape.htmls)) markCut(message, true);
  if (text !== undefined) message.text = text;
  if (html !== undefined) message.html = html;
  if (!got.header) return;
  const header = got.header.subarray(0, LONGEST_HEADER);
  const cut = header.length >= LONGEST_HEADER;
  const fields = (message.native.headers = headerFields(
    cut ? header.subarray(0, header.lastIndexOf(0x0a) + 1) : header,
    { charset: charsetOf(shape) },
  ));
  if (cut) message.native.headersCut = true;
  nameIn(message, fields);
}

/** Notes that there is more of a message than was read. */
function markCut({ native }: ImapMessage, html: boolean): void {
  native.textCut = true;
  if (html) native.htmlCut = true;
}

/** Puts in what the header says of the thread. What the server told counts before. */
function nameIn(message: ImapMessage, fields: readonly { name: string; value: string }[]): void {
  const ids = (name: string) => idsOf(fieldOf(fields, name));
  const [id] = ids('message-id');
  const [inReplyTo] = ids('in-reply-to');
  const [first] = ids('references');
  if (id) message.messageId ??= id;
  if (inReplyTo) message.inReplyTo ??= inReplyTo;
  // Ids of ours stand in brackets.
  if (!message.thread || message.thread.startsWith('<'))
    message.thread = first ?? message.inReplyTo ?? message.messageId ?? message.thread;
  if (message.thread === undefined) delete message.thread;
}

/** `1:3,7` from sorted numbers (RFC 9051 section 9, sequence-set). */
export function uidSet(uids: readonly number[]): string {
  const ranges: string[] = [];
  for (let i = 0; i < uids.length;) {
    let end = i;
    while (end + 1 < uids.length && uids[end + 1] === uids[end]! + 1) end++;
    ranges.push(end === i ? String(uids[i]) : `${uids[i]}:${uids[end]}`);
    i = end + 1;
  }
  return ranges.join(',');
}

/** The numbers of a sequence set without `*`; at most `most` of them. */
export function uidsOf(set: string, most = 10_000_000): number[] {
  const uids: number[] = [];
  for (const range of set === '' ? [] : set.split(',')) {
    const [a, b = a] = range.split(':').map(Number);
    for (let uid = Math.min(a!, b!); uid <= Math.max(a!, b!) && uids.length < most; uid++) uids.push(uid);
  }
  return uids.sort((x, y) => x - y);
}

/**
 * Runs a reading task in the folder of a message. Throws `not_found` when the folder is not the one the id was made in.
 */
export async function inPlace<T>(ctx: Context, place: Place, run: (client: ImapFlow) => Promise<T>): Promise<T> {
  return withFolder(
    ctx,
    place.folder,
    async (client, mailbox) => {
      if (validityOf(mailbox) !== place.uidValidity) throw gone(messageId(place), RESET);
      return run(client);
    },
    { reads: true },
  );
}

/**
 * What the server tells of one message. A folder that was open before may not show the newest yet, so it is opened
 * again before one is called missing.
 */
export async function rowOf(client: ImapFlow, place: Place, query: FetchQueryObject): Promise<Row | undefined> {
  const row = await rowIfThere(client, place.uid, query);
  if (row) return row;
  const mailbox = await opened(client, place.folder, { fresh: true });
  if (validityOf(mailbox) !== place.uidValidity) throw gone(messageId(place), RESET);
  return mailbox.exists ? rowIfThere(client, place.uid, query) : undefined;
}

/** The same of the folder as it is open. GNU imap4d refuses to tell of a message that is not there. */
async function rowIfThere(client: ImapFlow, uid: number, query: FetchQueryObject): Promise<Row | undefined> {
  try {
    return await fetchOne(client, uid, query);
  } catch (error) {
    if (!isRefused(error) || (await isThere(client, uid))) throw error;
    return undefined;
  }
}

/** Whether a search finds a message by its UID; true where the server does not say. */
async function isThere(client: ImapFlow, uid: number): Promise<boolean> {
  const found = await client.search({ uid: String(uid) }, { uid: true });
  return !found || found.includes(uid);
}

/** The one message an id names, with its structure. Throws `not_found`. */
export async function summaryOf(
  client: ImapFlow,
  place: Place,
  query: FetchQueryObject = SUMMARY,
): Promise<{ row: FetchMessageObject; shape: Outline | undefined }> {
  // A row that the library cannot read, as of a structure too deep, is dropped by it; the bare facts it can read.
  const row = (await rowOf(client, place, query)) ?? (query === SUMMARY ? await rowOf(client, place, BARE) : undefined);
  if (!row) throw gone(messageId(place));
  await mendRows(client, [row]);
  return { row, shape: outline(row.bodyStructure, row) };
}
