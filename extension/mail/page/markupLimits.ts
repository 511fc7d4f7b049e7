import { ATTRIBUTES, DROPPED, KEPT } from './allowed.js';

/**
 * Before a message is parsed: what makes a parser slow is taken out. An HTML parser looks through all open elements again and again, so
 * megabytes of elements that are never closed keep it busy for minutes, and layout of tables in tables grows with every level. Nothing here
 * makes a message safe; that is the sanitizer's work. One pass, whatever is in the text.
 *
 * What is counted as open here must never be less than what the parser has open. So every tag is written anew, in a form that can be read in
 * one way only, text has no `<`, and an end tag stays only where the parser is sure to close by it all that is taken as closed here
 * (the HTML standard, section 13.2.6.4; no DOCTYPE is left, so its quirks mode).
 */

/** So many elements may be open at once, so many of them tables, so many that format text; and so many tags in all. No honest mail comes near. */
const OPEN = 120, TABLES = 24, FORMATS = 24, TAGS = 150_000;

const VOID = new Set(['area', 'br', 'hr', 'img', 'wbr']);
/** Parts of a table, which close what is open in the part before. */
const PARTS = new Set(['td', 'th', 'tr', 'tbody', 'thead', 'tfoot', 'caption', 'col', 'colgroup']), CELLS = new Set(['td', 'th', 'caption']);
/** Opened again by the parser wherever text follows, until they are closed by name. */
const FORMATTING = new Set(['a', 'b', 'big', 'code', 'em', 'font', 'i', 's', 'small', 'strike', 'strong', 'tt', 'u']);
/** Closed only where nothing else is open in them, save their like. */
const INLINE = new Set(['abbr', 'bdi', 'cite', 'del', 'dfn', 'ins', 'kbd', 'map', 'mark', 'q', 'samp', 'span', 'sub', 'sup', 'time', 'var']);
/** Their content is text up to their end. */
const TEXT = new Set(['textarea', 'xmp', 'plaintext']);
/** Attributes that only the sanitizer makes something of. */
const ALSO = new Set(['background', 'media', 'text']);
/** An end tag for formatting stops putting things right after this many blocks. */
const BLOCKS = 8;

/** Where in which table something stands; another object for every part of it. */
interface Place { table: number; cell: boolean }
interface Format { name: string; place: Place; /** How many of the elements around it are still open. */ depth: number }

/** A message without what stalls a parser; says where more than the last tag that is taken was left out. */
export function limitMarkup(html: string, onCut?: () => void): string {
  const parts: string[] = [], stack: string[] = [], outer: Place[] = [], skipped = new Map<string, number>(), endless = new Set<string>();
  const mark = /<(\/?)([a-z][^\t\n\f\r />]*)|<!--|<[!?]/gi;
  let formats: Format[] = [], place: Place = { table: 0, cell: false }, at = 0, tags = 0;
  const text = (from: number, to?: number) => { if (from !== to) parts.push(html.slice(from, to).replaceAll('<', '&lt;')); };
  for (;;) {
    mark.lastIndex = at;
    const found = mark.exec(html);
    if (!found) { text(at); break; }
    text(at, found.index);
    if (found[2] === undefined) {
      const end = found[0] === '<!--' ? html.indexOf('-->', found.index + 2) : html.indexOf('>', found.index);
      if (end < 0) break;
      at = end + (found[0] === '<!--' ? 3 : 1);
      continue;
    }
    // Letters beyond ASCII have no small ones here: the Kelvin sign is no k.
    const name = found[2].replace(/[A-Z]/g, c => c.toLowerCase()), close = found[1] === '/', begin = found.index + found[0].length, end = endOfTag(begin);
    // A tag without an end is no tag, and nothing comes after it.
    if (end < 0) break;
    at = end + 1;
    if (++tags > TAGS) { onCut?.(); continue; }
    const raw = name === 'style' || TEXT.has(name);
    if (!close && (raw || DROPPED.has(name))) {
      const stop = html[end - 1] === '/' && !raw ? -1 : endOf(name, at);
      if (stop < 0 && !raw) continue;
      const content = [at, stop < 0 ? html.length : stop] as const;
      // Where a style is not taken as one, no tag may come to light in it.
      if (name === 'style') parts.push(`<style${attributes(begin, end)}>`, html.slice(...content).replaceAll('<', ''), '</style>'); else if (raw) text(...content);
      at = content[1];
      continue;
    }
    if ((name === 'html' || name === 'body') && !close) { parts.push(`<${name}${attributes(begin, end)}>`); continue; }
    if (!KEPT.has(name) || name === 'style') continue;
    // What formats is opened again in every block, and counts as often.
    if (!close && !VOID.has(name) && !INLINE.has(name)) tags += formats.length;
    if (close ? closes(name) : opens(name)) parts.push(close ? `</${name}>` : `<${name}${attributes(begin, end)}>`);
  }
  return parts.join('');

  /** Where a tag ends: at the first `>` outside of quotes; -1 where there is none. */
  function endOfTag(from: number): number {
    let quote = '', value = false;
    for (let i = from; i < html.length; i++) {
      const c = html[i]!;
      if (quote) { if (c === quote) quote = ''; continue; }
      if (c === '>') return i;
      if (value && (c === '"' || c === "'")) quote = c;
      value = c === '=' || (value && /[\t\n\f\r ]/.test(c));
    }
    return -1;
  }
  /** Where the next end tag of a name begins; -1 where there is none, which is looked for once. */
  function endOf(name: string, from: number): number {
    if (endless.has(name)) return -1;
    const end = new RegExp(`</${name}(?=[\\t\\n\\f\\r />])`, 'gi');
    end.lastIndex = from;
    const found = end.exec(html)?.index ?? -1;
    if (found < 0) endless.add(name);
    return found;
  }
  function attributes(from: number, to: number): string {
    let out = '';
    for (const [, name, double, single, bare] of html.slice(from, to)
        .matchAll(/([^\t\n\f\r />=][^\t\n\f\r />=]*)(?:[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r >]*)))?/g)) {
      const known = name!.toLowerCase();
      if (ATTRIBUTES.has(known) || ALSO.has(known)) {
        out += ` ${known}="${(double ?? single ?? bare ?? '').replaceAll('<', '&lt;').replaceAll('"', '&quot;')}"`;
      }
    }
    return out;
  }

  /** Everything from here on is closed. */
  function cut(to: number): void {
    stack.length = to;
    for (const one of formats) one.depth = Math.min(one.depth, to);
  }
  /** The last of a name that nothing of these is open above; -1 where there is none. */
  function reach(name: string, stops: (one: string) => boolean): number {
    for (let i = stack.length - 1; i >= 0; i--) { if (stack[i] === name) return i; if (stops(stack[i]!)) return -1; }
    return -1;
  }
  function skip(name: string): false { skipped.set(name, (skipped.get(name) ?? 0) + 1); return false; }
  function opens(name: string): boolean {
    if (VOID.has(name)) return true;
    if (PARTS.has(name)) {
      if (!place.table) return false;
      cut(stack.lastIndexOf('table') + 1);
      formats = formats.filter(one => !(one.place.cell && one.place.table === place.table));
      place = { table: place.table, cell: CELLS.has(name) };
      return true;
    }
    if (FORMATTING.has(name)) {
      if (name === 'a') leave('a');
      if (formats.length >= FORMATS) return skip(name);
      formats.push({ name, place, depth: stack.length });
      return true;
    }
    // A table in a table, outside of its cells, would close that one.
    if (name === 'table' && (place.table >= TABLES || (place.table > 0 && !place.cell))) return skip(name);
    if (!INLINE.has(name) && name !== 'table') {
      for (const like of name === 'li' ? ['li'] : name === 'dd' || name === 'dt' ? ['dd', 'dt'] : []) {
        const before = reach(like, one => !INLINE.has(one) && one !== 'address' && one !== 'div' && one !== 'p');
        if (before >= 0) { cut(before); break; }
      }
      const paragraph = reach('p', one => one === 'table');
      if (paragraph >= 0) cut(paragraph);
    }
    if (stack.length >= OPEN) return skip(name);
    stack.push(name);
    if (name === 'table') { outer.push(place); place = { table: place.table + 1, cell: false }; }
    return true;
  }
  function closes(name: string): boolean {
    if (PARTS.has(name)) { if (place.table) place = { table: place.table, cell: false }; return place.table > 0; }
    if (skipped.get(name)) { skipped.set(name, skipped.get(name)! - 1); return false; }
    if (FORMATTING.has(name)) return leave(name);
    if (VOID.has(name)) return name === 'br';
    const open = reach(name, INLINE.has(name)
      ? one => !INLINE.has(one)
      : one => name !== 'table' && (one === 'table' || (name === 'li' && (one === 'ul' || one === 'ol'))));
    // The end of a paragraph that is not open makes an empty one.
    if (open < 0) return name === 'p';
    cut(open);
    if (name === 'table') {
      formats = formats.filter(one => !(one.place.cell && one.place.table === place.table));
      place = outer.pop()!;
    }
    return true;
  }
  /** Closes formatting, where that can be told from here. */
  function leave(name: string): boolean {
    const last = formats.findLastIndex(one => one.name === name);
    if (last < 0 || formats[last]!.place !== place || stack.length - formats[last]!.depth >= BLOCKS) return false;
    formats.splice(last, 1);
    return true;
  }
}
