import { SHOWN } from '../../webview/messages.js';
import { ATTRIBUTES, DROPPED, KEPT } from './allowed.js';

/**
 * Before a message is parsed: what makes a parser slow is taken out. An HTML parser looks through all open elements
 * again and again, so megabytes of elements that are never closed keep it busy for minutes, and layout of tables in
 * tables grows with every level. Nothing here makes a message safe; that is the sanitizer's work. One pass, whatever is
 * in the text.
 *
 * What is counted as open here must never be less than what the parser has open. So every tag is written anew, in a
 * form that can be read in one way only, text has no `<`, and an end tag stays only where the parser is sure to close
 * by it all that is taken as closed here (the HTML standard, section 13.2.6.4; no DOCTYPE is left, so its quirks mode).
 */

/**
 * So many elements may be open at once, so many of them tables, so many that format text; and so many tags in all. No
 * honest mail comes near.
 */
const OPEN = 120;
const TABLES = 24;
const FORMATS = 24;
const TAGS = 100_000;
/** Twice the text that is shown of any message, in characters: a page does not work on megabytes that nobody sees. */
const TEXT_LENGTH = 2 * SHOWN;

const VOID = new Set(['area', 'br', 'hr', 'img', 'wbr']);
/** Parts of a table, which close what is open in the part before. */
const PARTS = new Set(['td', 'th', 'tr', 'tbody', 'thead', 'tfoot', 'caption', 'col', 'colgroup']);
const CELLS = new Set(['td', 'th', 'caption']);
/** Opened again by the parser wherever text follows, until they are closed by name. */
const FORMATTING = new Set(['a', 'b', 'big', 'code', 'em', 'font', 'i', 's', 'small', 'strike', 'strong', 'tt', 'u']);
/** Closed only where nothing else is open in them, save their like. */
const INLINE = new Set([
  'abbr',
  'bdi',
  'cite',
  'del',
  'dfn',
  'ins',
  'kbd',
  'map',
  'mark',
  'q',
  'samp',
  'span',
  'sub',
  'sup',
  'time',
  'var',
]);
/** Their content is text up to their end. */
const TEXT = new Set(['textarea', 'xmp', 'plaintext']);
/** Attributes that only the sanitizer makes something of. */
const ALSO = new Set(['background', 'media', 'text']);
/** An end tag for formatting stops putting things right after this many blocks. */
const BLOCKS = 8;

/** Where in which table something stands; another object for every part of it. */
interface Place {
  table: number;
  cell: boolean;
}
interface Format {
  name: string;
  place: Place;
  /** How many of the elements around it are still open. */ depth: number;
}

/** A message without what stalls a parser; says where more than the last tag that is taken was left out. */
export function limitMarkup(html: string, onCut?: () => void): string {
  const open = new OpenElements();
  const endOf = endTags(html);
  const parts: string[] = [];
  let left = TEXT_LENGTH;
  const text = (from: number, to = html.length) => {
    if (to - from > left) onCut?.();
    if (from !== to) parts.push(html.slice(from, Math.min(to, from + left)).replaceAll('<', '&lt;'));
    left = Math.max(0, left - (to - from));
  };
  let tags = 0;
  let seen = 0;
  for (const tag of tagsOf(html, text)) {
    const { name, close, begin, end } = tag;
    const attributes = () => attributesIn(html.slice(begin, end));
    // Looking through megabytes more would hold up the page.
    if (++seen > TAGS) {
      onCut?.();
      break;
    }
    if (++tags > TAGS) {
      onCut?.();
      continue;
    }
    const raw = name === 'style' || TEXT.has(name);
    if (!close && (raw || DROPPED.has(name))) {
      const stop = html[end - 1] === '/' && !raw ? -1 : endOf(name, tag.next);
      if (stop < 0 && !raw) continue;
      const content = [tag.next, stop < 0 ? html.length : stop] as const;
      // Where a style is not taken as one, no tag may come to light in it.
      if (name === 'style')
        parts.push(`<style${attributes()}>`, html.slice(...content).replaceAll('<', ''), '</style>');
      else if (raw) text(...content);
      tag.next = content[1];
      continue;
    }
    if ((name === 'html' || name === 'body') && !close) {
      parts.push(`<${name}${attributes()}>`);
      continue;
    }
    if (!KEPT.has(name) || name === 'style') continue;
    // What formats is opened again in every block, and counts as often.
    if (!close && !VOID.has(name) && !INLINE.has(name)) tags += open.formatted;
    if (close ? open.closes(name) : open.opens(name)) parts.push(close ? `</${name}>` : `<${name}${attributes()}>`);
  }
  return parts.join('');
}

/**
 * A tag: its attributes stand from `begin` to `end`, and the text goes on at `next`, which whoever reads on by himself
 * moves.
 */
interface Tag {
  name: string;
  close: boolean;
  begin: number;
  end: number;
  next: number;
}

/**
 * The tags of a text, one after another; what stands between them is told to `text`. Comments and the like are left
 * out.
 */
function* tagsOf(html: string, text: (from: number, to?: number) => void): Generator<Tag> {
  const mark = /<(\/?)([a-z][^\t\n\f\r />]*)|<!--|<[!?]/gi;
  let at = 0;
  for (;;) {
    mark.lastIndex = at;
    const found = mark.exec(html);
    if (!found) {
      text(at);
      return;
    }
    text(at, found.index);
    if (found[2] === undefined) {
      const end = found[0] === '<!--' ? html.indexOf('-->', found.index + 2) : html.indexOf('>', found.index);
      if (end < 0) return;
      at = end + (found[0] === '<!--' ? 3 : 1);
      continue;
    }
    const begin = found.index + found[0].length;
    const end = endOfTag(html, begin);
    // A tag without an end is no tag, and nothing comes after it.
    if (end < 0) return;
    // Letters beyond ASCII have no small ones here: the Kelvin sign is no k.
    const name = found[2].replace(/[A-Z]/g, c => c.toLowerCase());
    const tag = { name, close: found[1] === '/', begin, end, next: end + 1 };
    yield tag;
    at = tag.next;
  }
}
/** Where a tag ends: at the first `>` outside of quotes; -1 where there is none. */
function endOfTag(html: string, from: number): number {
  let quote = '';
  let value = false;
  for (let i = from; i < html.length; i++) {
    const c = html[i]!;
    if (quote) {
      if (c === quote) quote = '';
      continue;
    }
    if (c === '>') return i;
    if (value && (c === '"' || c === "'")) quote = c;
    value = c === '=' || (value && /[\t\n\f\r ]/.test(c));
  }
  return -1;
}
/** Tells where the next end tag of a name begins; -1 where there is none, which is looked for once. */
function endTags(html: string): (name: string, from: number) => number {
  const endless = new Set<string>();
  return (name, from) => {
    if (endless.has(name)) return -1;
    const end = new RegExp(`</${name}(?=[\\t\\n\\f\\r />])`, 'gi');
    end.lastIndex = from;
    const found = end.exec(html)?.index ?? -1;
    if (found < 0) endless.add(name);
    return found;
  };
}
/** The attributes that are kept, written anew. */
function attributesIn(text: string): string {
  let out = '';
  for (const [, name, double, single, bare] of text.matchAll(
    /([^\t\n\f\r />=][^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r >]*)))?/g,
  )) {
    const known = name!.toLowerCase();
    if (ATTRIBUTES.has(known) || ALSO.has(known)) {
      out += ` ${known}="${(double ?? single ?? bare ?? '').replaceAll('<', '&lt;').replaceAll('"', '&quot;')}"`;
    }
  }
  return out;
}

/** What the parser has open after the tags so far, at the least. */
class OpenElements {
  private readonly stack: string[] = [];
  private readonly outer: Place[] = [];
  /** Tags that were left out, whose end tags are left out as well. */
  private readonly skipped = new Map<string, number>();
  private formats: Format[] = [];
  private place: Place = { table: 0, cell: false };

  /** How many elements that format text are open. */
  get formatted(): number {
    return this.formats.length;
  }

  /** Takes a start tag; false where it is left out. */
  opens(name: string): boolean {
    if (VOID.has(name)) return true;
    if (PARTS.has(name)) return this.opensPart(name);
    if (FORMATTING.has(name)) {
      if (name === 'a') this.leave('a');
      if (this.formats.length >= FORMATS) return this.skip(name);
      this.formats.push({ name, place: this.place, depth: this.stack.length });
      return true;
    }
    // A table in a table, outside of its cells, would close that one.
    if (name === 'table' && (this.place.table >= TABLES || (this.place.table > 0 && !this.place.cell)))
      return this.skip(name);
    if (!INLINE.has(name) && name !== 'table') this.closeBefore(name);
    if (this.stack.length >= OPEN) return this.skip(name);
    this.stack.push(name);
    if (name === 'table') {
      this.outer.push(this.place);
      this.place = { table: this.place.table + 1, cell: false };
    }
    return true;
  }
  /** Takes an end tag; false where it is left out. */
  closes(name: string): boolean {
    if (PARTS.has(name)) {
      if (this.place.table) this.place = { table: this.place.table, cell: false };
      return this.place.table > 0;
    }
    const skipped = this.skipped.get(name);
    if (skipped) {
      this.skipped.set(name, skipped - 1);
      return false;
    }
    if (FORMATTING.has(name)) return this.leave(name);
    if (VOID.has(name)) return name === 'br';
    const open = this.reach(
      name,
      INLINE.has(name)
        ? one => !INLINE.has(one)
        : one => name !== 'table' && (one === 'table' || (name === 'li' && (one === 'ul' || one === 'ol'))),
    );
    // The end of a paragraph that is not open makes an empty one.
    if (open < 0) return name === 'p';
    this.cut(open);
    if (name === 'table') {
      this.leaveCell();
      this.place = this.outer.pop()!;
    }
    return true;
  }

  private opensPart(name: string): boolean {
    if (!this.place.table) return false;
    this.cut(this.stack.lastIndexOf('table') + 1);
    this.leaveCell();
    this.place = { table: this.place.table, cell: CELLS.has(name) };
    return true;
  }
  /** What a block closes by being opened: an item of a list its like, and everything an open paragraph. */
  private closeBefore(name: string): void {
    for (const like of name === 'li' ? ['li'] : name === 'dd' || name === 'dt' ? ['dd', 'dt'] : []) {
      const before = this.reach(like, one => !INLINE.has(one) && one !== 'address' && one !== 'div' && one !== 'p');
      if (before >= 0) {
        this.cut(before);
        break;
      }
    }
    const paragraph = this.reach('p', one => one === 'table');
    if (paragraph >= 0) this.cut(paragraph);
  }
  /** Everything from here on is closed. */
  private cut(to: number): void {
    this.stack.length = to;
    for (const one of this.formats) one.depth = Math.min(one.depth, to);
  }
  /** The last of a name that nothing of these is open above; -1 where there is none. */
  private reach(name: string, stops: (one: string) => boolean): number {
    for (let i = this.stack.length - 1; i >= 0; i--) {
      if (this.stack[i] === name) return i;
      if (stops(this.stack[i]!)) return -1;
    }
    return -1;
  }
  private skip(name: string): false {
    this.skipped.set(name, (this.skipped.get(name) ?? 0) + 1);
    return false;
  }
  /** What formats text in the cells of this table ends with the cell. */
  private leaveCell(): void {
    this.formats = this.formats.filter(one => !(one.place.cell && one.place.table === this.place.table));
  }
  /** Closes formatting, where that can be told from here. */
  private leave(name: string): boolean {
    const last = this.formats.findLastIndex(one => one.name === name);
    if (last < 0 || this.formats[last]!.place !== this.place || this.stack.length - this.formats[last]!.depth >= BLOCKS)
      return false;
    this.formats.splice(last, 1);
    return true;
  }
}
