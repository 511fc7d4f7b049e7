import { setImmediate as breathe } from 'node:timers/promises';
import type { FormatCallback } from 'html-to-text';
import { isDeep } from './htmlText.js';
import type { Message } from './vocabulary.js';

/** A link of a message: the words it stands behind, and where it leads. */
export interface Link {
  text: string;
  url: string;
}

/**
 * More text than this is not read for links, nor more HTML, in characters; nor more links of one message, nor longer
 * addresses.
 */
const LONGEST = 512 * 1024;
const LONGEST_HTML = 128 * 1024;
const MOST = 200;
const LONGEST_URL = 8_000;
/** Before the library reads a longer HTML text, others have their turn; in characters. */
const LONG = 16 * 1024;
const WORDS = 200;

interface Element {
  data?: string;
  attribs?: Record<string, string>;
  children?: Element[];
}
let reader: Promise<(html: string, found: { links: Link[] }) => string> | undefined;
/** Reads HTML with the library that knows it, and keeps of it what its links say. Loaded once, with the first HTML. */
const linkReader = () =>
  (reader ??= import('html-to-text').then(({ compile }) => {
    const link: FormatCallback = (element, walk, builder) => {
      const { links } = builder.metadata as { links: Link[] };
      const url = element.attribs?.href?.trim();
      if (url && links.length < MOST) links.push({ text: wordsIn(element), url });
      walk(element.children, builder);
    };
    return compile({
      wordwrap: false,
      formatters: { link },
      limits: { maxInputLength: LONGEST_HTML, maxDepth: 200, maxChildNodes: 20_000 },
      selectors: [
        { selector: 'a', format: 'link' },
        { selector: 'area', format: 'link' },
      ],
    });
  }));
/** The words below an element; of a picture, its description. */
function wordsIn(element: Element): string {
  let words = '';
  const add = (one: Element): void => {
    if (words.length > WORDS) return;
    words += one.data ?? (one.attribs?.alt ? ` ${one.attribs.alt} ` : '');
    one.children?.forEach(add);
  };
  add(element);
  return words.replace(/\s+/g, ' ').trim().slice(0, WORDS);
}

/** Where addresses of the web stand in plain text. What ends a sentence or closes a bracket is none of them. */
const IN_TEXT = /\bhttps?:\/\/[^\s<>"“”«»`{}|\\^]{3,8000}/gi;
function* linksInText(text: string): Generator<Link> {
  for (const [found] of text.matchAll(IN_TEXT)) {
    const url = withoutEnding(found);
    yield { text: url, url };
  }
}
/**
 * An address without the signs that end a sentence, and without brackets that are closed in it and not opened. Once
 * through, however many.
 */
function withoutEnding(found: string): string {
  let end = found.length;
  let unopened = (found.match(/[)\]]/g)?.length ?? 0) - (found.match(/[([]/g)?.length ?? 0);
  for (; end; end--) {
    const last = found[end - 1]!;
    const closes = last === ')' || last === ']';
    if (closes && unopened > 0) unopened--;
    else if (closes || !ENDINGS.includes(last)) break;
  }
  return found.slice(0, end);
}
const ENDINGS = ".,;:!?'’…*_";

/** The links of a message, in order and each address once: those of its HTML, then those in its text. At most 200. */
export async function linksIn({
  html,
  text,
  textFromHtml,
}: Pick<Message, 'html' | 'text' | 'textFromHtml'>): Promise<Link[]> {
  const found: Link[] = [];
  const read = html?.slice(0, LONGEST_HTML) ?? '';
  if (read.length > LONG) await breathe();
  if (read.trim() && !isDeep(read)) (await linkReader())(read, { links: found });
  // A text that was made of the HTML says the same links again.
  if (text && !(textFromHtml && found.length)) found.push(...linksInText(text.slice(0, LONGEST)));
  const seen = new Set<string>();
  return found
    .filter(
      ({ url }) => /^(?:https?|mailto|tel):/i.test(url) && url.length <= LONGEST_URL && !seen.has(url) && seen.add(url),
    )
    .slice(0, MOST);
}

/** A line is read so far for codes, in characters. */
const LONGEST_LINE = 10_000;
/** What a code is called, in the languages that mail of this kind is often written in. */
const CALLED =
  /\b(?:code|codes|otp|pin|passcode|password|token|kode|kód|código|codice|tan|einmal\w*|bestätigungs\w*|verif\w*|confirm\w*|authenti\w*|sign[- ]?in|log[- ]?in)\b|验证码|認証|код/iu;
/** Digits, also in two groups; or letters and digits that belong together. */
const CODE =
  /(?<![\p{L}\p{N}.,:/#@+$€£-])(?:\d{4,8}|\d{3}[ -]\d{3}|[A-Z\d]{3,5}-[A-Z\d]{3,5}|[A-Z\d]{5,10})(?![\p{L}\p{N}%€£@/-]|[.,:]\d)/gu;

/**
 * The codes that a message tells, the likeliest first: numbers and groups of capitals near a word for a code, or alone
 * in a line. Years, prices, times and parts of addresses are none.
 */
export function codesIn({ subject = '', text = '' }: Pick<Message, 'subject' | 'text'>): string[] {
  // Word by word: a pattern for all of an address would look at a line without blanks once for each of its letters.
  const lines = [subject, ...text.slice(0, LONGEST).split('\n', 2_000)].map(line =>
    line.replace(/\S+/g, word => (/.:\/\/.|.@./.test(word) ? ' ' : word)).slice(0, LONGEST_LINE),
  );
  const near: string[] = [];
  const alone: string[] = [];
  lines.forEach((line, i) => {
    for (const { 0: code, index } of line.matchAll(CODE)) {
      if (!/\d/.test(code) || near.length >= MOST) continue;
      const isAlone = line.length < 100 && line.replace(code, '').replace(/[\s*_#>|:.-]/g, '') === '';
      const year = /^(?:19|20)\d\d$/.test(code);
      const said =
        CALLED.test(line.slice(Math.max(0, index - 100), index + code.length + 60)) ||
        (isAlone && lines.slice(Math.max(0, i - 3), i).some(before => CALLED.test(before)));
      if (said && !(year && !isAlone)) near.push(code);
      else if (isAlone && !year) alone.push(code);
    }
  });
  return [...new Set([...near, ...alone])].slice(0, 20);
}
