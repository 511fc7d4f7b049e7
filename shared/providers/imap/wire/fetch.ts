import { addressesIn, addressOf, cleanLabel } from '../mime/address.js';
import { rawText } from '../mime/charset.js';
import { dateOf } from '../mime/dates.js';
import { headerFields, words } from '../mime/decode.js';
import { bodyCharset } from '../mime/structure.js';
import {
  imapToolsLibrary,
  type FetchMessageObject,
  type FetchQueryObject,
  type ImapFlow,
  type MailboxObject,
  type MessageAddressObject,
  type MessageEnvelopeObject,
} from '../libraries.js';
import { observeBeside } from '../session/observe.js';
import { skipAnswer } from './skipAnswer.js';
import { plainStructure } from './structure.js';
import type { Value } from './value.js';

interface FetchRow {
  tag: '*';
  command: string;
  attributes: Value[];
}

const LF = 0x0a;
const CR = 0x0d;
const STAR = 0x2a;
const NINE = 0x39;
const CLOSE = 0x7d;
const BLANK = 0x20;
const QUOTE = 0x22;
const LIST = 0x28;
const LIST_END = 0x29;
const LESS = 0x3c;
const SECTION = 0x5b;
const SECTION_END = 0x5d;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
/** The state of the library's stream outside literals. */
const LINE = 1;
/** Answers of more bytes are left to the library. */
const LARGEST = 1024 * 1024;
/** Deeper lists are left to the library, which leaves out the item they are in. */
const DEEPEST = 25;
/** The bytes of an atom. Anything else there, though some servers send it, is left to the library. */
const ATOM = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9\\$_.\-+/]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
const NIL = /^nil$/i;
const WITH_SECTION = /^(?:BODY|BINARY)$/i;
const FOREIGN = /[\x80-\xff\x1b]/;
/** The charset of the first text in a BODYSTRUCTURE: what is no ASCII in its header is likely written in the same. */
const CHARSET = /"charset" "([^"]{1,60})"/i;
const HEAD = /^\* (\d+) FETCH \(/;
const LITERAL = /\{(?:0|[1-9]\d{0,9})\}\r?\n/y;
const PARTIAL = /<(?:0|[1-9]\d{0,9})>/y;

/**
 * Reads one untagged FETCH answer (RFC 9051 section 7.5.2) into what the library's own parser makes of it, at a fifth
 * of the cost. Undefined for whatever is not quite regular; `literals` are not touched.
 */
export function fetchRow(payload: Buffer, literals: readonly Buffer[]): FetchRow | undefined {
  // Byte for byte: what is no ASCII may be in any charset.
  const text = payload.toString('latin1');
  const head = HEAD.exec(text);
  if (!head) return undefined;
  const foreign = FOREIGN.test(text);
  const charset = foreign ? CHARSET.exec(text)?.[1] : undefined;
  let at = head[0].length;
  let literal = 0;
  let bad = false;
  /** What stands here, without the results of `exec`: they would be most of what a row costs. */
  const take = (pattern: RegExp): string => {
    const from = (pattern.lastIndex = at);
    return pattern.test(text) ? text.slice(from, (at = pattern.lastIndex)) : '';
  };
  const list = (end: number, depth: number): Value[] => {
    const out: Value[] = [];
    if (depth > DEEPEST) bad = true;
    while (!bad) {
      const c = text.charCodeAt(at);
      if (c === BLANK) at++;
      else if (c === end) {
        at++;
        return out;
      } else if (c === LIST) {
        at++;
        out.push(list(LIST_END, depth + 1));
      } else if (c === QUOTE) {
        let close = text.indexOf('"', at + 1);
        if (close < 0) break;
        let value = text.slice(at + 1, close);
        if (value.includes('\\')) {
          const quoted = /"((?:[^"\\]|\\.)*)"/sy;
          quoted.lastIndex = at;
          const found = quoted.exec(text);
          if (!found) break;
          value = found[1]!.replace(/\\(.)/gs, '$1');
          close = quoted.lastIndex - 1;
        }
        out.push({ type: 'STRING', value: foreign ? rawText(Buffer.from(value, 'latin1'), charset) : value });
        at = close + 1;
      } else if (c === OPEN) {
        const size = take(LITERAL);
        const bytes = literals[literal++];
        if (!size || !bytes || bytes.length !== parseInt(size.slice(1), 10)) break;
        out.push({ type: 'LITERAL', value: bytes });
      } else {
        const from = at;
        // A backslash begins an atom and stands nowhere else.
        if (ATOM[c])
          do at++;
          while (ATOM[text.charCodeAt(at)] && text.charCodeAt(at) !== BACKSLASH);
        if (at === from) break;
        const value = text.slice(from, at);
        const atom: Value = value.length === 3 && NIL.test(value) ? null : { type: 'ATOM', value };
        out.push(atom);
        if (text.charCodeAt(at) === SECTION && atom && WITH_SECTION.test(value)) {
          at++;
          atom.section = list(SECTION_END, depth + 1);
          if (text.charCodeAt(at) === LESS) {
            const partial = take(PARTIAL);
            if (!partial) break;
            atom.partial = [parseInt(partial.slice(1), 10)];
          }
        }
        // It ends at a blank or with its list.
        const next = text.charCodeAt(at);
        if (next !== BLANK && next !== end) break;
      }
    }
    bad = true;
    return out;
  };
  const items = list(LIST_END, 2);
  if (bad || at !== text.length || literal !== literals.length) return undefined;
  return { tag: '*', command: head[1]!, attributes: [{ type: 'ATOM', value: 'FETCH' }, items] };
}

interface Answer {
  payload: Buffer;
  literals: Buffer[];
  end: number;
}

/** An answer that has not come to its end: how many bytes it has at least, and what came of it besides literals. */
interface Unfinished {
  least: number;
  words: Buffer[];
}

/** The answer that begins at `from`, so far as it is here. */
function answerAt(bytes: Buffer, from: number): Answer | Unfinished {
  const lines: Buffer[] = [];
  const literals: Buffer[] = [];
  for (let at = from; ;) {
    const end = bytes.indexOf(LF, at);
    if (end < 0) return { least: bytes.length - from + 1, words: [...lines, bytes.subarray(at)] };
    const stop = bytes[end - 1] === CR ? end - 1 : end;
    const size =
      bytes[stop - 1] === CLOSE
        ? /\{(\d{1,10})\}$/.exec(bytes.toString('latin1', Math.max(at, stop - 12), stop))?.[1]
        : undefined;
    if (size === undefined)
      return {
        payload: lines.length ? Buffer.concat([...lines, bytes.subarray(at, stop)]) : bytes.subarray(from, stop),
        literals,
        end: end + 1,
      };
    lines.push(bytes.subarray(at, end + 1));
    at = end + 1 + Number(size);
    if (at >= bytes.length) return { least: at - from + 1, words: lines };
    literals.push(bytes.subarray(end + 1, at));
  }
}

/**
 * What is used of the library besides its documented calls. A version without it reads all answers its own way, only
 * slower.
 */
interface Inside {
  getUntaggedHandler?: (
    command: string,
    attributes: Value[] | undefined,
  ) => ((row: FetchRow) => void | Promise<void>) | undefined;
  /** Everything that `processInputChunk` did not take, as whole answers. */
  handleResponse?: (answer: { payload: Buffer }) => Promise<boolean>;
  write?: (text: string) => void;
  currentRequest?: unknown;
  requestQueue?: unknown[];
  streamer?: {
    state?: unknown;
    lineBuffer?: unknown[];
    inputBuffer?: unknown[];
    destroyed: boolean;
    processInputChunk?: (chunk: Buffer) => Promise<void>;
  };
}

/**
 * Lets a connection take FETCH answers from the bytes as they come, with `answerAt` and `fetchRow`. The library passes
 * each through a stream and half a dozen promises and parses it character by character, which takes five times as long
 * for an envelope and three times for a text. Everything else, and every answer that is not quite regular or very
 * large, is left to it. `pipelined` lets it have several commands in flight as well.
 */
export function fastFetch(client: ImapFlow, pipelined = true): void {
  const inside = client as unknown as Inside;
  const { streamer } = inside;
  const slow = streamer?.processInputChunk?.bind(streamer);
  if (!slow || !inside.getUntaggedHandler || !streamer?.lineBuffer || !streamer.inputBuffer) return;
  const pipeline = pipelined ? pipe(client, inside) : [];
  const handler = inside.getUntaggedHandler.bind(client);
  // The beginning of an answer, and how many bytes must be there before it is worth another look.
  let kept: Buffer[] = [];
  let have = 0;
  let need = 0;
  // It waits for the end of a line: without one in it, what comes is not worth a look.
  let inLine = false;
  let pass: ReturnType<typeof skipAnswer> | undefined;
  streamer.processInputChunk = async come => {
    const chunk = pass ? pass(come) : come;
    if (!chunk) return;
    pass = undefined;
    kept.push(chunk);
    have += chunk.length;
    if (have < need || (inLine && have <= LARGEST && !chunk.includes(LF))) return;
    const bytes = kept.length > 1 ? Buffer.concat(kept, have) : chunk;
    kept = [];
    have = need = 0;
    inLine = false;
    let at = 0;
    // Between two answers only: what the library has begun to read, it reads to its end.
    const between = streamer.state === LINE && !streamer.lineBuffer!.length && !streamer.inputBuffer!.length;
    while (
      between &&
      !streamer.destroyed &&
      (bytes[at] === STAR ? !(bytes[at + 2]! > NINE) : bytes[at] === OWN && pipeline.length)
    ) {
      const answer = answerAt(bytes, at);
      if ('least' in answer) {
        if (answer.least > LARGEST) {
          if (!pipelined || !isMonstrous(Buffer.concat(answer.words))) break;
          pass = skipAnswer();
          pass(bytes.subarray(at));
          return;
        }
        kept = [bytes.subarray(at)];
        have = bytes.length - at;
        need = answer.least;
        inLine = answer.least === have + 1;
        return;
      }
      if (bytes[at] === OWN) {
        if (!answered(pipeline, answer.payload)) break;
        at = answer.end;
        continue;
      }
      const row = fetchRow(answer.payload, answer.literals);
      if (!row) break;
      at = answer.end;
      // As the library does: what a handler throws concerns this answer only. The row is missing then, which every
      // caller notices.
      try {
        const handled = handler(row.command, row.attributes)?.(row);
        if (handled) await handled;
      } catch {
        /* see above */
      }
    }
    if (at < bytes.length && !streamer.destroyed) await slow(at ? bytes.subarray(at) : bytes);
  };
}

/**
 * True for a FETCH answer whose words alone, without what stands in literals, are more than any mail needs: a structure
 * of a hundred thousand parts, or as many recipients. Nobody reads it, so the row is missing, and the message is asked
 * for without them.
 */
const isMonstrous = (payload: Buffer): boolean =>
  payload.length > MONSTROUS && HEAD.test(payload.toString('latin1', 0, 30));
/** In bytes. */
const MONSTROUS = 512 * 1024;

/**
 * A FETCH in flight beside the library's own command. `awaits` says whether a row answers it; `end` hears that it was
 * answered, or why it never will be.
 */
interface Pipelined {
  tag: string;
  carries: boolean;
  awaits(told: Told): boolean;
  row(row: FetchRow): void | Promise<void>;
  end(error?: Error): void;
  over: Promise<void>;
}
/** Those of a connection, in the order they were sent. A connection that is not here cannot have any. */
const inFlight = new WeakMap<ImapFlow, Pipelined[]>();
/** Connections that ended with such commands in flight. */
export const lostInFlight = new WeakSet<ImapFlow>();
/** Their tags begin so; the library's are hexadecimal numbers. */
const TAG = 'P';
const OWN = TAG.charCodeAt(0);
let tags = 0;

/** Notes that a command was answered, however; false when the line is no answer to one of them. */
function answered(pipeline: Pipelined[], line: Buffer): boolean {
  const tag = /^P\d+(?= (?:OK|NO|BAD)\b)/i.exec(line.toString('latin1', 0, 30))?.[0];
  const at = pipeline.findIndex(one => one.tag === tag);
  if (at < 0) return false;
  pipeline.splice(at, 1)[0]!.end();
  return true;
}

/** True while contents of messages are on their way, and not only what is told of messages. */
export function isTransferring(client: ImapFlow): boolean {
  const { currentRequest } = client as unknown as {
    currentRequest?: { command?: string; attributes?: Token[] } | false;
  };
  const carries = (items: readonly Token[]): boolean =>
    items.some(item => (Array.isArray(item) ? carries(item) : item.section !== undefined));
  return (
    (inFlight.get(client) ?? []).some(one => one.carries) ||
    (!!currentRequest && isFetch(currentRequest) && carries(currentRequest.attributes ?? []))
  );
}

const isFetch = (request: unknown): boolean =>
  /^(?:UID )?FETCH$/.test((request as { command?: string } | undefined)?.command ?? '');

/** What a row is about, and the names of what it tells besides. */
interface Told {
  uid: number;
  names: string[];
}
function toldBy({ attributes }: FetchRow): Told {
  const told: Told = { uid: 0, names: [] };
  const pairs = attributes[1] as Value[];
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const key = pairs[i];
    const value = pairs[i + 1];
    if (!key || Array.isArray(key) || typeof key.value !== 'string') continue;
    const name = upper(key.value);
    if (name !== 'UID') told.names.push(name);
    else if (value && !Array.isArray(value)) told.uid = Number(value.value);
  }
  return told;
}

/** Tells whether a row answers a question: it is about one of its messages, and tells something that was asked for. */
function awaited(items: Token[], isAsked: (uid: number) => boolean): (told: Told) => boolean {
  const names = new Set(items.flatMap(item => (Array.isArray(item) ? [] : [item.value.replace('.PEEK', '')])));
  names.delete('UID');
  return told => isAsked(told.uid) && told.names.some(name => names.has(name));
}

/** Lets a connection have FETCH commands in flight beside the library's, which sends one at a time. */
function pipe(client: ImapFlow, inside: Inside): Pipelined[] {
  const pipeline: Pipelined[] = [];
  const theirs = inside.getUntaggedHandler!.bind(client);
  const respond = inside.handleResponse?.bind(client);
  if (!respond || !inside.write || !inside.requestQueue) return pipeline;
  // A server may work on several FETCH commands at once (RFC 9051 section 5.5), and Dovecot does when the network is
  // slower than it is. So a row goes to whoever awaits what it tells of its message, and to the library's own command
  // as well, which may await the same.
  inside.getUntaggedHandler = (command, attributes) => {
    // An answer of one word, such as `* SEARCH` for nothing found, has no attributes at all.
    const name = attributes?.[0];
    if (!pipeline.length || !name || Array.isArray(name) || name.value !== 'FETCH') return theirs(command, attributes);
    return row => {
      const receivers: Pipelined['row'][] = [];
      const told = toldBy(row);
      for (const one of pipeline) if (one.awaits(told)) receivers.push(one.row);
      if (!receivers.length || isFetch(inside.currentRequest)) {
        const own = theirs(command, attributes);
        if (own) receivers.push(own);
      }
      return receivers.length === 1 ? receivers[0]!(row) : Promise.all(receivers.map(take => take(row))).then(() => {});
    };
  };
  // An answer behind one that was left to the library goes the same way.
  inside.handleResponse = async answer =>
    (answer.payload[0] === OWN && answered(pipeline, answer.payload)) || isMonstrous(answer.payload) || respond(answer);
  client.once('close', () => {
    if (pipeline.length) lostInFlight.add(client);
    for (const one of pipeline.splice(0)) one.end(new Error('The connection ended.'));
  });
  inFlight.set(client, pipeline);
  return pipeline;
}

/** Whoever pauses reading the answers on a connection says here how it goes on. */
export const resumeReading = new WeakMap<ImapFlow, () => void>();

/** Resolves when no FETCH is in flight beside the library's command any more, however each ended. */
export async function drainPipeline(client: ImapFlow): Promise<void> {
  resumeReading.get(client)?.();
  await Promise.allSettled((inFlight.get(client) ?? []).map(one => one.over));
}

const said = (value: Value | undefined, charset?: string): string =>
  !value || Array.isArray(value) ? '' : typeof value.value === 'string' ? value.value : rawText(value.value, charset);

/** The charset of the first text in a BODYSTRUCTURE that is not read yet. */
function charsetIn(value: Value | undefined): string | undefined {
  if (!Array.isArray(value)) return undefined;
  for (const [i, one] of value.entries()) {
    const next = value[i + 1];
    const found = Array.isArray(one)
      ? charsetIn(one)
      : one && String(one.value).toLowerCase() === 'charset' && next && !Array.isArray(next)
        ? String(next.value)
        : undefined;
    if (found) return found;
  }
  return undefined;
}

/**
 * The same tree in strings alone, with what is encoded in them decoded: then nothing is left to decode for the library.
 */
function readable(value: Value, charset?: string): Value {
  if (!value) return value;
  if (Array.isArray(value)) return value.map(one => readable(one, charset));
  if (value.type === 'ATOM' || (typeof value.value === 'string' && !value.value.includes('=?'))) return value;
  return { type: 'STRING', value: words(said(value, charset)) };
}
const unquoted = (name: string): string =>
  name.length > 2 && name.startsWith('"') && name.endsWith('"') ? name.slice(1, -1) : name;
function people(list: Value | undefined, doubt: () => void, charset?: string): MessageAddressObject[] | undefined {
  if (!Array.isArray(list) || !list.length) return undefined;
  const out: MessageAddressObject[] = [];
  for (const one of list) {
    if (!Array.isArray(one)) continue;
    const name = cleanLabel(unquoted(words(said(one[0], charset))));
    const mailbox = said(one[2]);
    const host = said(one[3]);
    const address = addressOf(mailbox, host);
    if (address !== undefined) out.push({ name, address });
    // NIL for a host is the beginning of a group, whose name stands in place of the mailbox, or its end.
    else if (one[3] === null) {
      const group = name || cleanLabel(unquoted(words(mailbox)));
      if (group) out.push({ name: group, address: '' });
    } else {
      doubt();
      if (name) out.push({ name, address: '' });
    }
  }
  return out;
}

/** Envelopes in which the server put something else where an address should be: the header says what there is. */
const doubted = new WeakSet<MessageEnvelopeObject>();
export const isDoubted = (envelope: MessageEnvelopeObject | undefined): boolean =>
  envelope !== undefined && doubted.has(envelope);

/** An ENVELOPE (RFC 9051 section 7.5.2) as the library makes it, at a fifth of the cost. */
export function envelopeOf(values: Value[], charset?: string): MessageEnvelopeObject {
  const envelope: MessageEnvelopeObject = {};
  const date = said(values[0]);
  const subject = said(values[1], charset);
  const inReplyTo = said(values[8]);
  const messageId = said(values[9]);
  if (date) {
    // What cannot be read is given as it is, as by the library, whatever its types say.
    envelope.date = dateOf(date) ?? (date as unknown as Date);
  }
  if (subject) envelope.subject = words(subject);
  let unsure = false;
  ROLES.forEach((role, i) => {
    const list = people(
      values[i + 2],
      () => {
        unsure = true;
      },
      charset,
    );
    if (list) envelope[role] = list;
  });
  if (unsure || !envelope.from) doubted.add(envelope);
  if (inReplyTo) envelope.inReplyTo = inReplyTo.trim();
  if (messageId) envelope.messageId = messageId.trim();
  return envelope;
}
const ROLES = ['from', 'sender', 'replyTo', 'to', 'cc', 'bcc'] as const;
const FIELDS: Readonly<Record<(typeof ROLES)[number], string>> = {
  from: 'from',
  sender: 'sender',
  replyTo: 'reply-to',
  to: 'to',
  cc: 'cc',
  bcc: 'bcc',
};

/** Puts what the header says in place of what the server made of it; `charset` is that of the body. */
export function mendEnvelope(envelope: MessageEnvelopeObject, header: Uint8Array, charset?: string): void {
  const fields = headerFields(header, { raw: true, charset });
  const said = (role: (typeof ROLES)[number]) =>
    addressesIn(
      fields
        .filter(({ name }) => name.toLowerCase() === FIELDS[role])
        .map(({ value }) => value)
        .join(', '),
    );
  const from = said('from');
  for (const role of ROLES) {
    const list = role === 'from' ? from : said(role);
    // As in an ENVELOPE, the sender stands in for those who are not named (RFC 9051 section 7.5.2).
    if (list.length) envelope[role] = list;
    else if (from.length && (role === 'sender' || role === 'replyTo')) envelope[role] = from;
    else delete envelope[role];
  }
  doubted.delete(envelope);
}

/**
 * Reads the header of each message whose ENVELOPE is doubted. A message whose header does not come keeps what the
 * server said.
 */
export async function mendRows(client: ImapFlow, rows: Iterable<FetchMessageObject>): Promise<void> {
  const unsure = new Map([...rows].filter(row => isDoubted(row.envelope)).map(row => [row.uid, row]));
  if (!unsure.size) return;
  await fetchRows(client, [...unsure.keys()].join(','), { uid: true, headers: true }, row => {
    const { envelope, bodyStructure } = unsure.get(row.uid) ?? {};
    if (envelope && row.headers) mendEnvelope(envelope, row.headers, bodyCharset(bodyStructure));
  });
}

type Token = { type: 'ATOM' | 'SEQUENCE'; value: string; section?: Token[]; partial?: number[] } | Token[];
interface Raw {
  exec(
    command: string,
    attributes: Token[],
    options: { untagged: { FETCH: (row: FetchRow) => void | Promise<void> } },
  ): Promise<{ next(): void }>;
}

const atom = (value: string): Token => ({ type: 'ATOM', value });
const section = (name: string | undefined, range?: { start?: number; maxLength?: number }): Token => ({
  type: 'ATOM',
  value: 'BODY.PEEK',
  section: name ? [atom(name)] : [],
  ...(range?.maxLength ? { partial: [range.start ?? 0, range.maxLength] } : {}),
});

/** A header longer than this is cut, in bytes: a message without an empty line is all header. */
export const LONGEST_HEADER = 256 * 1024;

/** What a row is asked for with. */
function itemsOf({ capabilities, enabled, mailbox }: ImapFlow, query: FetchQueryObject): Token[] {
  const objectId = capabilities.has('OBJECTID');
  const gmail = capabilities.has('X-GM-EXT-1');
  const items: Token[] = [atom('UID')];
  if (query.flags) items.push(atom('FLAGS'));
  if (query.internalDate) items.push(atom('INTERNALDATE'));
  if (query.size) items.push(atom('RFC822.SIZE'));
  // Costs nothing and lets a host see changes, where the server counts them (RFC 7162).
  if (query.flags && enabled.has('CONDSTORE') && mailbox && !mailbox.noModseq) items.push(atom('MODSEQ'));
  if (query.envelope) items.push(atom('ENVELOPE'));
  if (query.bodyStructure) items.push(atom('BODYSTRUCTURE'));
  if (query.threadId && (objectId || gmail))
    items.push(...(objectId ? ['EMAILID', 'THREADID'] : ['X-GM-MSGID', 'X-GM-THRID']).map(atom));
  if (query.labels && gmail) items.push(atom('X-GM-LABELS'));
  if (query.source) items.push(section(undefined, query.source === true ? undefined : query.source));
  if (query.headers) items.push(section('HEADER', { start: 0, maxLength: LONGEST_HEADER }));
  for (const part of query.bodyParts ?? [])
    items.push(typeof part === 'string' ? section(part.toUpperCase()) : section(part.key.toUpperCase(), part));
  return items;
}

/** True where a list of an answer has bytes in it that are not read as text yet. */
function hasLiteral(value: Value): boolean {
  if (!Array.isArray(value)) return false;
  for (let i = 0; i < value.length; i++) {
    const one = value[i];
    if (Array.isArray(one) ? hasLiteral(one) : one?.type === 'LITERAL') return true;
  }
  return false;
}
/** Names of items as most servers write them: looked up here, they need not be spelled anew. */
const NAMES: ReadonlySet<string> = new Set([
  'UID',
  'FLAGS',
  'INTERNALDATE',
  'RFC822.SIZE',
  'MODSEQ',
  'ENVELOPE',
  'BODYSTRUCTURE',
  'BODY',
]);
const upper = (name: string): string => (NAMES.has(name) ? name : name.toUpperCase());

/** What the library says of a FETCH answer, made of what it read or `fetchRow` did. */
async function rowMaker(mailbox: MailboxObject) {
  const { formatMessageResponse, parseBodystructure } = await imapToolsLibrary();
  return ({ command, attributes }: FetchRow): Row | Promise<Row> => {
    const row = { seq: Number(command) } as Row;
    const pairs = attributes[1] as Value[];
    const rest: Value[] = [];
    const charset = pairs.some(hasLiteral) ? charsetIn(pairs) : undefined;
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const key = pairs[i];
      const value = pairs[i + 1]!;
      if (!key || Array.isArray(key) || typeof key.value !== 'string') continue;
      const single = value && !Array.isArray(value) ? value.value : undefined;
      const name = upper(key.value);
      if (key.section && name === 'BODY') {
        // A section may come as a quoted string too; the line was read as UTF-8, so that is what restores its bytes.
        const [inner] = key.section;
        const bytes = typeof single === 'string' ? Buffer.from(single) : single;
        const header = inner && !Array.isArray(inner) && String(inner.value).toUpperCase() === 'HEADER';
        // A header may be told as NIL where it is empty; a part that is NIL is not there.
        if (header) {
          row.headers = bytes ?? Buffer.alloc(0);
          continue;
        }
        if (!bytes) continue;
        if (key.partial) row.origin = key.partial[0];
        if (!inner) row.source = bytes;
        else if (!Array.isArray(inner)) (row.bodyParts ??= new Map()).set(String(inner.value).toLowerCase(), bytes);
      } else if (name === 'UID' && typeof single === 'string' && /^[1-9]\d{0,9}$/.test(single))
        row.uid = Number(single);
      else if (name === 'RFC822.SIZE' && typeof single === 'string' && /^\d{1,15}$/.test(single))
        row.size = Number(single);
      else if (name === 'FLAGS' && Array.isArray(value))
        row.flags = new Set(
          value.flatMap(flag => (flag && !Array.isArray(flag) && typeof flag.value === 'string' ? [flag.value] : [])),
        );
      else if (name === 'INTERNALDATE' && typeof single === 'string') {
        const date = new Date(single);
        row.internalDate = Number.isNaN(date.getTime()) ? single : date;
      } else if (name === 'ENVELOPE') {
        if (Array.isArray(value)) row.envelope = envelopeOf(value, charset);
      } else if (name === 'BODYSTRUCTURE') {
        if (Array.isArray(value))
          row.bodyStructure = plainStructure(value) ?? parseBodystructure(readable(value, charset) as never);
      } else if (name === 'MODSEQ' || name === 'EMAILID' || name === 'THREADID') {
        const [only] = Array.isArray(value) ? value : [];
        const text = only && !Array.isArray(only) && typeof only.value === 'string' ? only.value : undefined;
        if (text === undefined) continue;
        if (name === 'EMAILID') row.emailId = text;
        else if (name === 'THREADID') row.threadId = text;
        else if (/^\d{1,20}$/.test(text)) row.modseq = BigInt(text);
      } else rest.push(key, value);
    }
    if (!rest.length) return row;
    return formatMessageResponse({ tag: '*', command, attributes: [attributes[0], rest] } as never, mailbox).then(
      ({ seq: _seq, id: _id, ...more }) => {
        for (const [name, value] of Object.entries(more))
          if (value !== undefined) Object.assign(row, { [name]: value });
        return row;
      },
    );
  };
}

/** A row, with the beginning of the range it holds where a server says so (`BODY[]<0>`), in bytes. */
export type Row = FetchMessageObject & { origin?: number };
type Each = (row: Row) => void | Promise<void>;

/** What is asked for: messages by UID, or by position where `uid` is false. */
interface Question {
  set: string;
  query: FetchQueryObject;
  each: Each;
  uid?: boolean;
}

/** True for the numbers of a sequence set (RFC 9051 section 9); `*` has no upper end. */
function membership(set: string): (uid: number) => boolean {
  const ranges = set.split(',').map(range => {
    const [a = 0, b = a] = range.split(':').map(end => (end === '*' ? Infinity : Number(end)));
    return { low: Math.min(a, b), high: Math.max(a, b) };
  });
  return uid => {
    for (const { low, high } of ranges) if (uid >= low && uid <= high) return true;
    return false;
  };
}

/**
 * True when a row tells all that was asked for. What a server may leave out for good, such as a thread, does not count.
 */
const isComplete = (row: Row, query: FetchQueryObject): boolean =>
  !(
    (query.flags && !row.flags) ||
    (query.internalDate && row.internalDate === undefined) ||
    (query.size && row.size === undefined) ||
    (query.envelope && !row.envelope) ||
    (query.bodyStructure && !row.bodyStructure) ||
    (query.source && !row.source) ||
    (query.headers && !row.headers) ||
    query.bodyParts?.some(part => !row.bodyParts?.has((typeof part === 'string' ? part : part.key).toLowerCase()))
  );

/**
 * True when a row tells more than flags, or nothing but flags was asked for: a server tells of flags at any time (RFC
 * 9051 section 7.5.2).
 */
const answersAny = (row: Row, query: FetchQueryObject): boolean =>
  row.size !== undefined ||
  row.internalDate !== undefined ||
  !!(row.envelope ?? row.bodyStructure ?? row.source ?? row.headers ?? row.bodyParts) ||
  !(
    query.size ||
    query.internalDate ||
    query.envelope ||
    query.bodyStructure ||
    query.source ||
    query.headers ||
    query.bodyParts
  );

/**
 * What Courier says instead of a message that another client has just deleted, until it may tell EXPUNGE: at NOOP, or
 * when the folder is opened.
 */
const COURIER_GONE = {
  subject: 'message unavailable',
  from: 'root@localhost',
  text: 'This message is no longer available on the server.',
  first: 0x46,
  header: /^From: System Administrator <root@localhost>\r?\nSubject: message unavailable\r?\n\r?\n/,
};

/** True for a row that a server made up for a message that is gone. */
function isMadeUp({ envelope, headers, source, bodyParts }: Row): boolean {
  if (
    envelope?.subject === COURIER_GONE.subject &&
    !envelope.date &&
    !envelope.messageId &&
    envelope.from?.[0]?.address === COURIER_GONE.from
  )
    return true;
  // Anyone may write that sentence, so a header that is told decides.
  const head = headers ?? source;
  if (head?.length) return head[0] === COURIER_GONE.first && COURIER_GONE.header.test(head.toString('latin1', 0, 200));
  for (const part of bodyParts?.values() ?? []) {
    if (part.length < 60 && part.toString('latin1').trim() === COURIER_GONE.text) return true;
  }
  return false;
}

/**
 * Takes the rows of one FETCH. A row counts by its UID and by what it tells, never because it came first: each message
 * is handed over once, when everything asked for is there, and what came in two rows is put together. `finish` hands
 * over what stayed in part, and throws the first thing that was thrown for a row: the library would only note that.
 */
async function rowCollector(mailbox: MailboxObject, { set, query, each, uid = true }: Question) {
  const toRow = await rowMaker(mailbox);
  const isAsked = uid ? membership(set) : () => true;
  const partial = new Map<number, Row>();
  const over = new Set<number>();
  let failed: unknown;
  const fail = (error: unknown) => {
    failed ??= error ?? new Error('failed');
  };
  const hand = (key: number, row: Row): void | Promise<void> => {
    if (failed !== undefined) return;
    over.add(key);
    try {
      return each(row)?.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
  const collect = (row: Row): void | Promise<void> => {
    // Whoever asks by position may be told the UID in another answer than the rest.
    const key = uid ? row.uid : row.seq;
    if (!(key > 0) || !isAsked(key) || over.has(key) || isMadeUp(row)) return;
    const known = partial.get(key);
    if (known) {
      const bodyParts =
        known.bodyParts && row.bodyParts
          ? new Map([...known.bodyParts, ...row.bodyParts])
          : (row.bodyParts ?? known.bodyParts);
      row = { ...known, ...row, ...(bodyParts ? { bodyParts } : {}) };
    }
    if (!(row.uid > 0) || !isComplete(row, query)) {
      partial.set(key, row);
      return;
    }
    partial.delete(key);
    return hand(key, row);
  };
  return {
    collect,
    isAsked,
    // A row that cannot be made is dropped, as the library does, and is asked for again.
    take(untagged: FetchRow): void | Promise<void> {
      const row = toRow(untagged);
      return row instanceof Promise ? row.then(collect) : collect(row);
    },
    async finish(): Promise<void> {
      for (const [key, row] of partial) if (row.uid > 0 && answersAny(row, query)) await hand(key, row);
      if (failed !== undefined) throw failed;
    },
  };
}

/**
 * UID FETCH of a set, or FETCH where it is one of positions; calls back once for each message, in the order they come.
 * The library's own call does the same, but takes every row through a queue of promises and writes the name of each
 * item anew. Throws what the library throws.
 */
export async function fetchRows(
  client: ImapFlow,
  set: string,
  query: FetchQueryObject,
  each: Each,
  uid = true,
): Promise<void> {
  const { mailbox } = client;
  if (!mailbox) return;
  const { take, collect, finish } = await rowCollector(mailbox, { set, query, each, uid });
  try {
    const answer = await (client as unknown as Raw).exec(
      uid ? 'UID FETCH' : 'FETCH',
      [{ type: 'SEQUENCE', value: set }, itemsOf(client, query)],
      { untagged: { FETCH: take } },
    );
    answer.next();
  } catch (error) {
    // The library's own call waits as long as a throttling server asks, and asks again.
    if ((error as { code?: string }).code !== 'ETHROTTLE') throw error;
    for await (const row of client.fetch(set, query, { uid })) await collect(row);
  }
  await finish();
}

/**
 * What the server tells of the message with this UID; undefined where there is none, or nothing that was asked for is
 * told.
 */
export async function fetchOne(client: ImapFlow, uid: number, query: FetchQueryObject): Promise<Row | undefined> {
  let found: Row | undefined;
  await fetchRows(client, String(uid), query, row => {
    found = row;
  });
  return found;
}

/**
 * One FETCH for `pipelineFetches`; `sent` is told once it is on the wire, with what rejects when the connection ends
 * before the answer.
 */
export interface FetchRequest {
  set: string;
  query: FetchQueryObject;
  each: Each;
  sent?(come: Promise<void>): void;
}
/**
 * UID FETCH of several sets at once, in one packet and behind those that are in flight already (RFC 9051 section 5.5):
 * the server goes on working while what it sent is read. Nothing is sent where that cannot be done, and a refusal is
 * not told: whoever misses something asks for it with `fetchRows`. Resolves once all is sent.
 */
export async function pipelineFetches(client: ImapFlow, requests: readonly FetchRequest[]): Promise<void> {
  const { mailbox } = client;
  const inside = client as unknown as Inside;
  const pipeline = inFlight.get(client);
  if (!mailbox || !pipeline || !requests.length) return;
  const collectors = await Promise.all(requests.map(request => rowCollector(mailbox, request)));
  // The rows that the library waits for would be taken for these.
  if (!client.usable || inside.currentRequest || inside.requestQueue!.length) return;
  const under = requests.map(({ set, query }) => ({ tag: `${TAG}${++tags}`, set, items: itemsOf(client, query) }));
  inside.write!(under.map(({ tag, set, items }) => `${tag} UID FETCH ${set} ${spelled(items)}`).join('\r\n'));
  if (!client.usable) return;
  for (const [i, { tag, items }] of under.entries()) {
    const { take, finish, isAsked } = collectors[i]!;
    let end: Pipelined['end'] = () => {};
    const over = new Promise<void>((resolve, reject) => {
      end = error => {
        if (error) reject(error);
        else finish().then(resolve, reject);
      };
    });
    // Nobody may be waiting for it.
    over.catch(() => {});
    observeBeside(client, 'UID FETCH', tag, over);
    const { source, headers, bodyParts } = requests[i]!.query;
    const carries = !!(source ?? headers ?? bodyParts);
    pipeline.push({ tag, carries, awaits: awaited(items, isAsked), row: take, over, end });
    requests[i]!.sent?.(over);
  }
}

const spelled = (token: Token): string =>
  Array.isArray(token)
    ? `(${token.map(spelled).join(' ')})`
    : token.value +
      (token.section ? `[${token.section.map(spelled).join(' ')}]` : '') +
      (token.partial ? `<${token.partial.join('.')}>` : '');
