/**
 * Before a message is parsed: what makes a parser slow is taken out. An HTML parser looks through all open elements again and again, so
 * megabytes of elements that are never closed keep it busy for minutes, and layout of tables in tables grows with every level. Nothing here
 * makes a message safe; that is the sanitizer's work. One pass, whatever is in the text.
 */

/** So many elements may be open at once, so many of them tables, so many that format text; and so many tags in all. No honest mail comes near. */
const OPEN = 120, TABLES = 24, FORMATS = 24, TAGS = 150_000;

const VOID = new Set(['area', 'base', 'br', 'col', 'embed', 'hr', 'img', 'input', 'link', 'meta', 'param', 'source', 'track', 'wbr', 'keygen', 'frame']);
/** Closed by what follows, so that they cannot pile up by themselves; and many a mailer leaves them open. */
const IMPLIED = new Set(['p', 'li', 'dt', 'dd', 'td', 'th', 'tr', 'tbody', 'thead', 'tfoot', 'caption', 'colgroup', 'option', 'optgroup', 'html', 'head', 'body']);
/** Opened again by the parser wherever text follows, until they are closed by name. */
const FORMATTING = new Set(['a', 'b', 'big', 'code', 'em', 'font', 'i', 'nobr', 's', 'small', 'strike', 'strong', 'tt', 'u']);
/** Their content is text up to their end. */
const RAW = new Set(['style', 'script', 'title', 'textarea', 'xmp', 'iframe', 'noembed', 'noframes', 'noscript', 'plaintext']);
/** Other rules hold inside, and nothing of it is shown. */
const FOREIGN = new Set(['svg', 'math']);

export function tame(html: string): string {
  const parts: string[] = [], stack: string[] = [], formats = new Map<string, number>(), skipped = new Map<string, number>(), endless = new Set<string>();
  const mark = /<(\/?)([a-z][^\s/>]*)|<!--|<[!?]/gi;
  let at = 0, tags = 0, formatting = 0, tables = 0;
  const add = (counts: Map<string, number>, name: string, by: number) => counts.set(name, (counts.get(name) ?? 0) + by);
  /** Where the next end tag of a name begins; -1 where there is none, which is looked for once. */
  const endOf = (name: string, from: number): number => {
    if (endless.has(name)) return -1;
    const end = new RegExp(`</${name}(?=[\\s/>])`, 'gi');
    end.lastIndex = from;
    const found = end.exec(html)?.index ?? -1;
    if (found < 0) endless.add(name);
    return found;
  };
  for (;;) {
    mark.lastIndex = at;
    const found = mark.exec(html);
    if (!found) { parts.push(html.slice(at)); break; }
    parts.push(html.slice(at, found.index));
    if (found[2] === undefined) {
      const end = found[0] === '<!--' ? html.indexOf('-->', found.index + 2) : html.indexOf('>', found.index);
      if (end < 0) break;
      at = end + (found[0] === '<!--' ? 3 : 1);
      continue;
    }
    const name = found[2].toLowerCase(), close = found[1] === '/';
    let end = found.index + found[0].length, quote = '', value = false;
    for (; end < html.length; end++) {
      const c = html[end]!;
      if (quote) { if (c === quote) quote = ''; continue; }
      if (c === '>') break;
      if (value && (c === '"' || c === "'")) quote = c;
      value = c === '=' || (value && (c === ' ' || c === '\n' || c === '\t' || c === '\r'));
    }
    // A tag without an end is no tag, and nothing comes after it.
    if (end >= html.length) break;
    at = end + 1;
    if (++tags > TAGS) continue;
    if (!close && (RAW.has(name) || FOREIGN.has(name))) {
      const stop = endOf(name, at);
      if (FOREIGN.has(name)) { if (stop >= 0) at = stop; continue; }
      parts.push(html.slice(found.index, stop < 0 ? html.length : stop));
      if (stop < 0) break;
      parts.push(`</${name}>`);
      at = html.indexOf('>', stop) + 1 || html.length;
      continue;
    }
    if (close ? closes(name) : opens(name)) parts.push(html.slice(found.index, at));
  }
  return parts.join('');

  function opens(name: string): boolean {
    if (VOID.has(name) || IMPLIED.has(name)) return true;
    const format = FORMATTING.has(name);
    if (format ? formatting >= FORMATS : stack.length >= OPEN || (name === 'table' && tables >= TABLES)) { add(skipped, name, 1); return false; }
    if (format) { formatting++; add(formats, name, 1); } else { stack.push(name); if (name === 'table') tables++; }
    return true;
  }
  function closes(name: string): boolean {
    if (IMPLIED.has(name)) return true;
    if (skipped.get(name)) { add(skipped, name, -1); return false; }
    if (FORMATTING.has(name)) {
      if (!formats.get(name)) return false;
      formatting--;
      add(formats, name, -1);
      return true;
    }
    const open = stack.lastIndexOf(name);
    if (open < 0) return false;
    for (const one of stack.splice(open)) if (one === 'table') tables--;
    return true;
  }
}
