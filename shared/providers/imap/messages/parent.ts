import { parseAddress } from '../../../address.js';
import { withText } from '../../../message.js';
import type { Context } from '../../../provider.js';
import type { Address } from '../../../vocabulary.js';
import type { ImapFlow } from '../libraries.js';
import { headerFields } from '../mime/decode.js';
import { bodyCharset, isMisread, outline, type Outline } from '../mime/structure.js';
import { isRefused } from '../session/imapError.js';
import { LONGEST_HEADER, mendEnvelope, mendRows, type Row } from '../wire/fetch.js';
import {
  addresses,
  BARE,
  fetchParts,
  fill,
  inPlace,
  readParts,
  rowOf,
  SUMMARY,
  toMessage,
  type ImapMessage,
} from './content.js';
import { gone, messageId, type Place } from './id.js';
import { readWhole } from './whole.js';

/** What a reply or forward must know of the message it belongs to. */
export interface Parent {
  from?: Address;
  replyTo: Address[];
  to: Address[];
  cc: Address[];
  subject: string;
  id?: string;
  references: string[];
  automatic: boolean;
  /** The addresses of ours that our own server says it delivered the message for. */
  delivered: string[];
  date?: string;
  text?: string;
  html?: string;
  shape?: Outline;
  /** As the server tells it, in bytes. */
  size?: number;
  /**
   * There is more of it than was read: `message` where its texts are cut, `words` where only those made of its HTML
   * are.
   */
  cut?: 'message' | 'words';
  /** Why its texts, or part of its header, could not be read: a sentence. */
  error?: string;
}

/** The header fields that an answer depends on. */
const ASKED = [
  'references',
  'in-reply-to',
  'auto-submitted',
  'precedence',
  'return-path',
  'x-auto-response-suppress',
  'x-autoreply',
  'x-autorespond',
  'list-id',
  'list-unsubscribe',
  'list-post',
  'list-help',
  'list-subscribe',
  'list-owner',
  'list-archive',
  'received',
  'delivered-to',
  'x-original-to',
  'envelope-to',
];

/** What is known of the message, and whether its structure or its texts could not be had from the server. */
interface Read {
  row: Row;
  shape: Outline | undefined;
  message: ImapMessage;
  broken: boolean;
  headerCut: boolean;
}

/** Reads it; with `texts` what it says, too. Throws `not_found`. */
export async function parentOf(ctx: Context, place: Place, texts: boolean): Promise<Parent> {
  const { row, shape, message, broken, headerCut } = await inPlace(ctx, place, client => read(client, place, texts));
  // What the server cannot tell is in the message itself.
  if (texts && broken) await readWhole(ctx, place, message);
  const worded = texts && !message.error ? await withText(message) : message;
  const { text } = worded;
  const cut = message.native.textCut ? 'message' : worded.native.textCut ? 'words' : undefined;
  const error =
    message.error ?? (headerCut ? `Only the first ${LONGEST_HEADER / 1024} KB of its header were read.` : undefined);
  const fields = headerFields(row.headers ?? Buffer.alloc(0), { charset: bodyCharset(row.bodyStructure) }).map(
    ({ name, value }) => ({ name: name.toLowerCase(), value }),
  );
  const header = (name: string) => fields.find(field => field.name === name)?.value;
  // Ids that are none would make a header of ours that is none.
  const ids = (header('references') ?? header('in-reply-to') ?? '').match(MESSAGE_ID) ?? [];
  const id = (row.envelope?.messageId ?? header('message-id'))?.match(MESSAGE_ID)?.[0];
  return {
    replyTo: addresses(row.envelope?.replyTo),
    size: row.size,
    to: message.to,
    cc: message.cc ?? [],
    subject: message.subject ?? header('subject') ?? '',
    references: chain(ids, id),
    ...(id ? { id } : {}),
    ...(message.from ? { from: message.from } : {}),
    automatic: isAutomatic(fields, message.from, row.bodyStructure?.type),
    delivered: deliveredFor(fields),
    ...(message.date ? { date: message.date } : {}),
    ...(text === undefined ? {} : { text }),
    ...(message.html === undefined ? {} : { html: message.html }),
    ...(shape ? { shape } : {}),
    ...(cut ? { cut } : {}),
    ...(error ? { error } : {}),
  };
}

/**
 * Whom an answer goes to is read from the header wherever that came whole: servers put names of hosts, of their own or
 * invented ones, where an ENVELOPE wants an address and there is none. A structure that the header contradicts is none.
 */
async function read(client: ImapFlow, place: Place, texts: boolean): Promise<Read> {
  const row =
    (await rowOf(client, place, { ...SUMMARY, headers: ASKED }).catch((error: unknown) => {
      // A server may stumble over the structure of a message it can still send.
      if (!isRefused(error)) throw error;
      return rowOf(client, place, { ...BARE, headers: ASKED });
    })) ?? (await rowOf(client, place, { ...BARE, headers: ASKED }));
  if (!row) throw gone(messageId(place));
  const header = row.headers ?? Buffer.alloc(0);
  const headerCut = header.length >= LONGEST_HEADER;
  // A header that goes on and on is read as far as it came where the server told nothing: its envelope may be as long.
  if (header.length > 2 && (!headerCut || !row.envelope)) {
    mendEnvelope(
      (row.envelope ??= {}),
      headerCut ? header.subarray(0, header.lastIndexOf(0x0a) + 1) : header,
      bodyCharset(row.bodyStructure),
    );
  } else await mendRows(client, [row]);
  const told = outline(row.bodyStructure, row);
  const shape = told && isMisread(row.bodyStructure, header, row.size ?? 0) ? undefined : told;
  const message = toMessage(row, place.folder, place.uidValidity, shape);
  if (texts && shape)
    await fetchParts(client, [{ uid: place.uid, parts: readParts(shape), header: false }], got =>
      fill(message, shape, got),
    );
  return { row, shape, message, broken: !shape, headerCut };
}

interface Header {
  name: string;
  value: string;
}

/** Mail that no program may answer: from programs, lists and postmasters (RFC 3834 section 2, RFC 5230 section 4.6). */
function isAutomatic(fields: readonly Header[], from: Address | undefined, type: string | undefined): boolean {
  return (
    fields.some(
      ({ name, value }) =>
        name.startsWith('list-') ||
        name === 'x-autoreply' ||
        name === 'x-autorespond' ||
        (name === 'auto-submitted' && /^(?!\s*no\b)\s*\S/i.test(value)) ||
        (name === 'precedence' && /^\s*(bulk|list|junk|auto_reply)/i.test(value)) ||
        (name === 'return-path' && /^\s*<\s*>/.test(value)) ||
        // Exchange and Outlook:
        // https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmail/ced68690-498a-4567-9d14-5c01f974d8b1
        (name === 'x-auto-response-suppress' && /\b(all|autoreply)\b/i.test(value)),
    ) ||
    type === 'multipart/report' ||
    /^(mailer-daemon|postmaster|listserv|majordomo|owner-.*|.*-request|.*-owner)@/i.test(from?.email ?? '')
  );
}

/**
 * What stands above the first Received was put there by the server that delivered the message; all below it anybody may
 * have written.
 */
function deliveredFor(fields: readonly Header[]): string[] {
  const received = fields.findIndex(({ name }) => name === 'received');
  return fields
    .slice(0, Math.max(0, received))
    .filter(({ name }) => /^(delivered-to|x-original-to|envelope-to)$/.test(name))
    .flatMap(({ value }) => parseAddress(value)?.email ?? []);
}

const MESSAGE_ID = /<[!-;=?-~]{1,900}>/g;

/** References of an answer (RFC 5322 section 3.6.4): at most twenty, the first and the newest. */
const chain = (before: readonly string[], id: string | undefined): string[] => {
  const all = [...new Set([...before, ...(id ? [id] : [])])];
  return all.length > 20 ? [all[0]!, ...all.slice(-19)] : all;
};
