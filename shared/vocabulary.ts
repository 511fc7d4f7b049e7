import { MailError } from './errors.js';

/** The vendor's answer, untouched. */
export type Native = Record<string, unknown>;
/** `deleting` covers scheduled deletions that can still be taken back. */
export type MailboxStatus = 'active' | 'disabled' | 'pending' | 'deleting' | 'error' | 'unknown';
/** Times are ISO 8601 with zone; `id` is what the other mailbox operations take. */
export interface Mailbox {
  id: string;
  email?: string;
  name?: string;
  createdAt?: string;
  updatedAt?: string;
  status: MailboxStatus;
  native: Native;
}
export interface Alias {
  id: string;
  email: string;
  mailbox?: string;
  description?: string;
  native: Native;
}
export type SpamList = 'blockedSenders' | 'blockedIps' | 'allowedSenders' | 'allowedIps';
export interface SpamEntry {
  list: SpamList;
  value: string;
}
export interface Address {
  email: string;
  name?: string;
}
/**
 * `size` is in bytes of the file itself; `sizeEstimated` where it was worked out from something else. `contentId`
 * stands without brackets. `note` is a sentence for people about a file that holds more than its name says, such as
 * `winmail.dat`.
 */
export interface Attachment {
  id: string;
  name: string;
  type: string;
  size?: number;
  sizeEstimated?: true;
  inline?: true;
  contentId?: string;
  note?: string;
}
/**
 * The same keys for the same things at every provider, in the order people read (`inReadingOrder`). `text` is there
 * whenever the content was read, and `textFromHtml` says that it was made from the HTML. `flags` are those of IMAP (RFC
 * 9051 section 2.3.2). `messageId` and `inReplyTo` stand in their brackets; `replyTo` only where answers do not simply
 * go to `from`.
 */
export interface Message {
  id: string;
  date?: string;
  from?: Address;
  to: Address[];
  cc?: Address[];
  subject?: string;
  text?: string;
  textFromHtml?: true;
  html?: string;
  attachments?: Attachment[];
  read?: boolean;
  flags?: string[];
  folder?: string;
  thread?: string;
  messageId?: string;
  inReplyTo?: string;
  replyTo?: Address[];
  mailbox?: string;
  native: Native;
}
/**
 * A part of a message as it stands there: `size` is in bytes before its encoding is undone, and 0 for what holds other
 * parts. An embedded message is one part.
 */
export interface MailPart {
  type: string;
  size: number;
  name?: string;
  encoding?: string;
  charset?: string;
  disposition?: string;
  contentId?: string;
  parts?: MailPart[];
}
/** The header fields of a message in their order, decoded, and its parts as they are nested. */
export interface MailAnatomy {
  headers: { name: string; value: string }[];
  root?: MailPart;
}
/**
 * What a write left behind. `outcome` is there only for writes that can end in doubt: `unknown` means that the vendor
 * may or may not have done it, and that nobody may simply try again.
 */
export interface Receipt {
  id?: string;
  outcome?: 'done' | 'queued' | 'unknown';
  native: Native;
}

/** What the check of an account found beside that it works, in sentences for a person. */
export interface AccountNotes {
  notes: string[];
}

interface Op<Target extends string, Result> {
  target: Target;
  result: Result;
}
/** The common operations: the inputs that say what they act on, and what they give. */
export interface Vocabulary {
  'account.check': Op<never, Promise<void | AccountNotes>>;
  'mailbox.list': Op<never, AsyncIterable<Mailbox>>;
  'mailbox.get': Op<'mailbox', Promise<Mailbox>>;
  'mailbox.create': Op<never, Promise<Mailbox>>;
  'mailbox.update': Op<'mailbox', Promise<Mailbox>>;
  'mailbox.delete': Op<'mailbox', Promise<Receipt>>;
  'mailbox.restore': Op<'mailbox', Promise<Mailbox>>;
  'alias.list': Op<never, AsyncIterable<Alias>>;
  'alias.get': Op<'alias', Promise<Alias>>;
  'alias.create': Op<never, Promise<Alias>>;
  'alias.update': Op<'alias', Promise<Alias>>;
  'alias.delete': Op<'alias', Promise<Receipt>>;
  'spamList.list': Op<'mailbox' | 'list', AsyncIterable<SpamEntry>>;
  'spamList.add': Op<'mailbox' | 'list' | 'value', Promise<Receipt>>;
  'spamList.remove': Op<'mailbox' | 'list' | 'value', Promise<Receipt>>;
  'message.list': Op<never, AsyncIterable<Message>>;
  'message.get': Op<'message', Promise<Message>>;
  'message.mark': Op<'message' | 'read', Promise<Receipt>>;
  'message.reply': Op<'message', Promise<Receipt>>;
  'message.send': Op<'to' | 'subject', Promise<Receipt>>;
  'sync.start': Op<never, Promise<Receipt>>;
}
/**
 * The id, or another text no object can be without, in a vendor's answer. Throws `protocol` where there is none: an
 * object without a name was not understood.
 */
export function idOf(native: Native, key = 'id'): string {
  const id = native[key];
  if ((typeof id === 'string' && id !== '') || (typeof id === 'number' && Number.isFinite(id))) return String(id);
  throw new MailError('protocol', `The answer was not understood: "${key}" is missing in it.`);
}

/** `mailbox.get` -> `mailbox`, `get`. */
export const splitName = (operation: string): [resource: string, verb: string] => {
  const dot = operation.indexOf('.');
  return [operation.slice(0, dot), operation.slice(dot + 1)];
};
