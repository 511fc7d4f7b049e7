import { fieldOf, headerFields } from '../mime/decode.js';
import type { Row } from '../wire/fetch.js';

/** Ids of messages in a header field, in their brackets (RFC 5322 section 3.6.4). */
const IDS = /<[!-;=?-~]{1,900}>/g;
export const idsOf = (value: string | undefined): string[] => value?.match(IDS) ?? [];

/** The names that tie messages to a thread: its own, those it refers to, oldest first, and the one it answers. */
export interface Names {
  id?: string;
  references: string[];
  inReplyTo?: string;
}

/** Of a message whose summary was fetched, and its header where that was asked for. */
export function namesOf({ envelope, headers }: Pick<Row, 'envelope' | 'headers'>): Names {
  const id = idsOf(envelope?.messageId)[0];
  const inReplyTo = idsOf(envelope?.inReplyTo)[0];
  const references = headers ? idsOf(fieldOf(headerFields(headers), 'references')) : [];
  return { references, ...(id ? { id } : {}), ...(inReplyTo ? { inReplyTo } : {}) };
}

/** All of them. */
export const idsIn = ({ id, references, inReplyTo }: Names): string[] => [
  ...new Set([...references, inReplyTo, id].filter(one => one !== undefined)),
];

/**
 * The numbers in one thread of a THREAD answer, which is a list of numbers and lists as the library gives it (RFC 5256
 * section 4).
 */
export function threadIn(value: unknown): number[] {
  const found: number[] = [];
  const open: unknown[] = [value];
  while (open.length) {
    const one = open.pop();
    if (Array.isArray(one)) open.push(...one);
    else {
      const number = Number((one as { value?: unknown } | null)?.value);
      if (Number.isInteger(number) && number > 0) found.push(number);
    }
  }
  return found;
}

/** What a thread is named by where the server has no name for it: the earliest message of it that is known. */
export const threadName = ({ id, references, inReplyTo }: Names): string | undefined =>
  references[0] ?? inReplyTo ?? id;

/**
 * Lets messages that answer one of the others, newest first, name the same thread as that one. What a server calls a
 * thread stays.
 */
export function linkThreads(messages: readonly { messageId?: string; inReplyTo?: string; thread?: string }[]): void {
  const threads = new Map<string, string>();
  for (const one of [...messages].reverse()) {
    if (!one.thread?.startsWith('<')) continue;
    if (one.inReplyTo) one.thread = threads.get(one.inReplyTo) ?? one.thread;
    if (one.messageId) threads.set(one.messageId, one.thread);
  }
}
