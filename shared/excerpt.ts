import { textOf } from './decode.js';
import type { HttpResponse } from './exchange.js';
import { redact, type Hide } from './secrets.js';

/** A vendor's words as one line of at most 500 characters. */
export const line = (words: string) => clip(words.replace(/[\s\p{Cc}]+/gu, ' ').trim(), 500);
/** Cut between words, so that no half of a secret is left over that nobody would recognise. */
export const clip = (text: string, length: number) =>
  text.length <= length ? text : text.slice(0, length).replace(/\s\S*$/, '');

/**
 * A short piece of a body, in whatever encoding, for an error message: one line, no markup, nothing that looks like a
 * secret.
 */
export function excerpt(
  { headers = {}, body }: Pick<HttpResponse, 'body'> & Partial<Pick<HttpResponse, 'headers'>>,
  hide: Hide = text => text,
  length = 120,
): string {
  // Hidden before anything is cut: twice as much as is shown, so that no secret is cut at the end of what is looked at.
  const start = hide(textOf({ headers, body: body.subarray(0, 65_536) })).slice(0, 2048);
  if ((start.match(/\ufffd/g) ?? []).length > start.length / 8) return `${body.byteLength} bytes that are no text`;
  const text = start
    .replace(/<[^>]*>/g, ' ')
    .replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return clip(redact(text), length);
}
