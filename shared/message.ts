import { isBeyondWords, wordsOfHtml } from './htmlText.js';
import type { Message } from './vocabulary.js';

/**
 * The order in which people read the keys of a message, at every provider; what else there is stands behind them, the
 * vendor's answer last.
 */
const ORDER = [
  'id',
  'date',
  'from',
  'to',
  'cc',
  'subject',
  'text',
  'textFromHtml',
  'html',
  'attachments',
  'read',
  'flags',
  'folder',
  'thread',
  'messageId',
  'inReplyTo',
  'replyTo',
  'mailbox',
] as const satisfies readonly (keyof Message)[];

/** The same message with its keys in the order people read. What is undefined is left out. */
export function inReadingOrder<M extends Message>(message: M): M {
  const given = message as Record<string, unknown>;
  const out: Record<string, unknown> = {};
  // Done for each message of a feed: iterators and copies would be most of what it costs.
  const put = (keys: readonly string[]) => {
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (given[key] !== undefined && key !== 'native') out[key] = given[key];
    }
  };
  put(ORDER);
  put(Object.keys(given));
  out.native = given.native;
  return out as M;
}

/**
 * A message whose content was read, with a `text`, and its keys in order: where the sender sent none, the text is made
 * from the HTML and `textFromHtml` says so. The message itself is not changed.
 */
export async function withText<M extends Message>(message: M): Promise<M> {
  const { html, text = '' } = message;
  if (text.trim() || !html?.trim()) return inReadingOrder({ ...message, text });
  const native = isBeyondWords(html) ? { ...message.native, textCut: true } : message.native;
  return inReadingOrder({ ...message, text: await wordsOfHtml(html), textFromHtml: true as const, native });
}
