// The declarations for scripts are made from what is reachable from shared/index.ts, and nothing else leads there.
// An import would ask for a module where there are only types.
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="./html-to-text.d.ts" />
import { setImmediate as breathe } from 'node:timers/promises';
import type { FormatCallback } from 'html-to-text';
import { wordsOfPlainHtml } from './plainHtml.js';

type Convert = (html: string) => string;
let convert: Convert | undefined;

/** More of an HTML text is not read for its words; in characters. */
const LONGEST = 128 * 1024;
/** Before the library reads a longer text, others have their turn; in characters. */
const LONG = 16 * 1024;
/**
 * Deeper markup than this costs the library time that grows with the square of it, and is no mail that people write.
 */
const DEEPEST = 200;

/** Loads the library, once: it is needed only where an HTML text is not plain. */
async function library(): Promise<Convert> {
  if (convert) return convert;
  const { compile } = await import('html-to-text');
  // A picture is its description; its address helps nobody who reads words.
  const picture: FormatCallback = (element, _walk, builder) => {
    if (element.attribs?.alt) builder.addInline(element.attribs.alt);
  };
  // Cells of one row stand in one line.
  const cell: FormatCallback = (element, walk, builder) => {
    walk(element.children, builder);
    builder.addInline(' ');
  };
  return (convert ??= compile({
    wordwrap: false,
    formatters: { picture, cell },
    limits: { maxInputLength: LONGEST, maxDepth: DEEPEST, maxChildNodes: 20_000 },
    selectors: [
      { selector: 'img', format: 'picture' },
      { selector: 'td', format: 'cell' },
      { selector: 'th', format: 'cell' },
      { selector: 'tr', format: 'block', options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } },
      { selector: 'a', options: { hideLinkHrefIfSameAsText: true, ignoreHref: false, noAnchorUrl: true } },
      ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map(selector => ({ selector, options: { uppercase: false } })),
    ],
  }));
}

/**
 * The words of an HTML text, for those who read no HTML; of its first 128 K characters. Links stand behind their words.
 */
export async function wordsOfHtml(html: string): Promise<string> {
  const read = html.slice(0, LONGEST);
  const plain = wordsOfPlainHtml(read);
  if (plain !== undefined) return finished(plain);
  if (read.length > LONG) await breathe();
  return finished(await wordsByLibrary(read));
}

/** What html-to-text makes of an HTML text that is short enough, before it is cut and trimmed. */
export const wordsByLibrary = async (html: string): Promise<string> =>
  isDeep(html) ? bare(html) : (await library())(html);

/** Quotations within quotations make a text longer than it was. */
export const finished = (text: string): string => text.slice(0, 2 * LONGEST).trim();

/** True where an HTML text is longer than what is read of it for its words. */
export const isBeyondWords = (html: string): boolean => html.length > LONGEST;

/**
 * True where more than `DEEPEST` elements are open at once. Those that end by themselves do not count; those that put
 * something before each line count more.
 */
export function isDeep(html: string): boolean {
  const open = new Map<string, number>();
  let depth = 0;
  for (const [, end, given] of html.matchAll(/<(\/?)([a-z][a-z0-9:-]*)/gi)) {
    const name = given!.toLowerCase();
    if (ENDLESS.test(name)) continue;
    const count = open.get(name) ?? 0;
    const weight = /^(?:blockquote|[uo]l)$/.test(name) ? 6 : 1;
    if (end && !count) continue;
    open.set(name, count + (end ? -1 : 1));
    depth += end ? -weight : weight;
    if (depth > DEEPEST) return true;
  }
  return false;
}
const ENDLESS =
  /^(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr|tr|td|th|dt|dd|option|tbody|thead|tfoot|colgroup)$/;

/** What stands between tags, for what is left to no library. */
const bare = (html: string): string =>
  html
    .replace(/\s+/g, ' ')
    .replace(/<(?:br|tr|li|\/?(?:p|div|h\d|table))\b[^<>]*>/gi, '\n')
    .replace(/<[^<>]*>/g, '')
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)
    .join('\n');
