// Words of plain HTML without a tree: most HTML in mail is well nested and uses few elements, and a feed reads a great
// deal of it. This reads such HTML in one pass and gives exactly what `htmlText.ts` sets html-to-text to give. Whatever
// is not plain (an element that is not in the table, an element that is left open, an entity of the long list) makes it
// give up, and the library reads the whole text. A test compares the two.

/** What an element does to the lines around it: line breaks before and after, as html-to-text has them. */
const BLOCKS = new Map<string, readonly [before: number, after: number]>([
  ['p', [2, 2]],
  ['table', [2, 2]],
  ['tr', [1, 1]],
  ['h1', [3, 2]],
  ['h2', [3, 2]],
  ['h3', [3, 2]],
  ['h4', [2, 2]],
  ['h5', [2, 2]],
  ['h6', [2, 2]],
  ...['article', 'aside', 'div', 'footer', 'form', 'header', 'main', 'nav', 'section'].map(
    name => [name, [1, 1]] as const,
  ),
]);
const INLINE = new Set([
  'a',
  'abbr',
  'b',
  'big',
  'center',
  'cite',
  'code',
  'del',
  'em',
  'font',
  'i',
  'ins',
  's',
  'small',
  'span',
  'strike',
  'strong',
  'sub',
  'sup',
  'tt',
  'u',
  'tbody',
  'thead',
  'tfoot',
  'td',
  'th',
]);
/** Elements of a table stand in these; anywhere else a parser moves or closes something. */
const PARENTS = new Map<string, ReadonlySet<string>>([
  ['tr', new Set(['table', 'tbody', 'thead', 'tfoot'])],
  ...['td', 'th'].map(name => [name, new Set(['tr'])] as const),
  ...['tbody', 'thead', 'tfoot'].map(name => [name, new Set(['table'])] as const),
]);
const KNOWN = new Set([...INLINE, ...BLOCKS.keys()]);
/** No tag of a known element without attributes is as long, in characters. */
const LONGEST_NAME = 12;
const SLASH = 47;
const EXCLAMATION = 33;
const LINK = '<a href="';
/**
 * More open elements, and more tags in all (each with a text behind it), are left to the library and its own bounds.
 */
const DEEPEST = 100;
const MOST = 9_000;

const SPACE = '[ \\t\\r\\n\\f]';
const ATTRIBUTE = `${SPACE}+([a-z][-a-z0-9_:]*)(?:=(?:"([^"<>]*)"|'([^'<>]*)'|([-a-z0-9%#._]+)(?=[ \\t\\r\\n\\f>]|$)))?`;
const ATTRIBUTES = `(?:${ATTRIBUTE.replace(/\((?!\?)/g, '(?:')})*${SPACE}*`;
const TAG = new RegExp(`<(/?)([a-z][a-z0-9]*)(${ATTRIBUTES})(/?)>`, 'iy');
const HEAD = new RegExp(
  `${SPACE}*(?:<!doctype[^<>]*>${SPACE}*)?(?:(<html${ATTRIBUTES}>)${SPACE}*)?(?:<head${ATTRIBUTES}>` +
    `(?:${SPACE}|<(?:meta|link)${ATTRIBUTES}/?>|<title>[^<]*</title>|<style${ATTRIBUTES}>[^<]*</style>)*</head>${SPACE}*)?<body${ATTRIBUTES}>`,
  'iy',
);
const END = [new RegExp(`^</body>${SPACE}*$`, 'i'), new RegExp(`^</body>${SPACE}*</html>${SPACE}*$`, 'i')];
const ENTITIES: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  nbsp: '\u00a0',
  apos: "'",
  copy: '\u00a9',
  reg: '\u00ae',
  euro: '\u20ac',
  ndash: '\u2013',
  mdash: '\u2014',
  hellip: '\u2026',
  bull: '\u2022',
  middot: '\u00b7',
  laquo: '\u00ab',
  raquo: '\u00bb',
  rsquo: '\u2019',
  lsquo: '\u2018',
  ldquo: '\u201c',
  rdquo: '\u201d',
  zwnj: '\u200c',
  shy: '\u00ad',
  auml: 'ä',
  ouml: 'ö',
  uuml: 'ü',
  Auml: 'Ä',
  Ouml: 'Ö',
  Uuml: 'Ü',
  szlig: 'ß',
  eacute: 'é',
  egrave: 'è',
  agrave: 'à',
  ccedil: 'ç',
};

/** White space as html-to-text has it, all of it and only what is not one plain space. */
const RUN = /[\t\r\n\f\u200b][ \t\r\n\f\u200b]*| [ \t\r\n\f\u200b]+/g;
const BREAKS = ['', '\n', '\n\n', '\n\n\n'];
/** Stands for an ampersand that was read while others are looked for. */
const MARK = '\u0000';

/** Thrown inside this file only: the text is not plain. */
class NotPlain extends Error {}
const notPlain = new NotPlain();

/** A block that is being filled: what stands in it already, and the line that words are added to. */
interface Block {
  done: string;
  line: string;
  words: boolean;
  space: boolean;
  breaks: number;
  before: number;
  after: number;
}
const block = (before: number, after: number): Block => ({
  done: '',
  line: '',
  words: false,
  space: false,
  breaks: 0,
  before,
  after,
});

/** The words of plain HTML; undefined where the library has to read it. Works in time that grows with its length. */
export function wordsOfPlainHtml(html: string): string | undefined {
  if (html.includes(MARK)) return undefined;
  try {
    return new Reader(html).read();
  } catch (error) {
    if (error instanceof NotPlain) return undefined;
    throw error;
  }
}

class Reader {
  private at = 0;
  private nodes = 0;
  /** Where the next `&` stands that was found so far; -1 where none is left. */
  private ampersand: number;
  private readonly open: string[] = [];
  private readonly blocks: Block[] = [];
  private block = block(1, 1);
  /** Where the link that is open leads, and its words so far. */
  private link?: { href: string; words: string };

  constructor(private readonly html: string) {
    this.ampersand = html.indexOf('&');
  }

  read(): string {
    const { html } = this;
    const end = this.prologue();
    while (this.at < html.length) {
      const next = html.indexOf('<', this.at);
      if (next !== this.at) this.text(next < 0 ? html.length : next);
      if (next < 0) break;
      this.at = next;
      if (++this.nodes > MOST) throw notPlain;
      if (html.charCodeAt(next + 1) === EXCLAMATION) this.comment();
      else if (end && html.length - next < 200 && html.charCodeAt(next + 1) === SLASH && end.test(html.slice(next)))
        break;
      else this.tag();
    }
    if (this.open.length) throw notPlain;
    return this.block.done + this.block.line;
  }

  /** Goes past what stands before the body; what ends the text then, or undefined where there is no body. */
  private prologue(): RegExp | undefined {
    HEAD.lastIndex = 0;
    const head = HEAD.exec(this.html);
    if (!head) return undefined;
    this.at = HEAD.lastIndex;
    return END[head[1] ? 1 : 0];
  }

  /** The words from here up to a tag. */
  private text(to: number): void {
    const words = this.html.slice(this.at, to);
    // Most texts have no entity, and none is searched twice for one.
    if (this.ampersand >= 0 && this.ampersand < this.at) this.ampersand = this.html.indexOf('&', this.at);
    this.inline(this.ampersand >= 0 && this.ampersand < to ? decoded(words) : words);
  }

  private comment(): void {
    const { html, at } = this;
    const end = html.indexOf('-->', at + 4);
    const said = html.slice(at + 4, end);
    if (end < 0 || !html.startsWith('<!--', at) || /^-?>|--!/.test(said)) throw notPlain;
    this.at = end + 3;
  }

  private tag(): void {
    const { html, at } = this;
    const end = html.indexOf('>', at);
    const ending = html.charCodeAt(at + 1) === SLASH;
    // A tag without attributes needs no regular expression.
    if (end > 0 && end - at < LONGEST_NAME) {
      const bare = html.slice(at + (ending ? 2 : 1), end);
      if (KNOWN.has(bare)) {
        this.at = end + 1;
        if (ending) this.close(bare);
        else this.enter(bare, '');
        return;
      }
    }
    const link = this.linkAlone(end);
    if (link !== undefined) {
      this.at = end + 1;
      this.enter('a', decoded(link, IN_ATTRIBUTE));
      return;
    }
    TAG.lastIndex = at;
    const tag = TAG.exec(html);
    if (!tag) throw notPlain;
    this.at = TAG.lastIndex;
    const name = tag[2]!.toLowerCase();
    const given = tag[3]!;
    if (tag[1]) {
      if (tag[4]) throw notPlain;
      this.close(name);
    } else if (name === 'br') {
      this.block.line += '\n';
      this.block.words = false;
    } else if (name === 'img') {
      const alt = attribute(given, 'alt');
      if (alt) this.inline(alt);
    } else if (name === 'style') this.style();
    else this.enter(name, name === 'a' ? attribute(given, 'href') : '');
  }

  /** The address of a link that has nothing else, as most are written; undefined for any other tag. */
  private linkAlone(end: number): string | undefined {
    const { html, at } = this;
    const from = at + LINK.length;
    if (!html.startsWith(LINK, at) || html.indexOf('"', from) !== end - 1) return undefined;
    const address = html.slice(from, end - 1);
    return address.indexOf('<') < 0 ? address : undefined;
  }

  private style(): void {
    const end = this.html.slice(this.at).search(/<\/style/i);
    if (end < 0 || this.html[this.at + end + 7] !== '>') throw notPlain;
    this.at += end + 8;
  }

  /** `href` is the address of a link. */
  private enter(name: string, href: string): void {
    const { open } = this;
    const parent = open.length ? open[open.length - 1]! : '';
    const breaks = BLOCKS.get(name);
    if (!breaks && !INLINE.has(name)) throw notPlain;
    if (open.length >= DEEPEST || PARENTS.get(name)?.has(parent) === false) throw notPlain;
    // A paragraph ends where a block begins in it.
    if (breaks && parent === 'p') throw notPlain;
    if (name === 'a') this.enterLink(href);
    open.push(name);
    if (!breaks) return;
    this.blocks.push(this.block);
    this.block = block(...breaks);
  }

  private enterLink(target: string): void {
    if (this.open.includes('a')) throw notPlain;
    const href = target.startsWith('mailto:') ? target.slice(7) : target;
    if (href && href[0] !== '#') this.link = { href, words: '' };
  }

  private close(name: string): void {
    if (this.open.pop() !== name) throw notPlain;
    if (name === 'a') this.leaveLink();
    else if (name === 'td' || name === 'th') this.inline(' ');
    else if (BLOCKS.has(name)) this.leaveBlock();
  }

  private leaveLink(): void {
    const { link } = this;
    this.link = undefined;
    if (link && link.href !== link.words) this.inline(link.words ? ` [${link.href}]` : link.href);
  }

  /** Adds the words of a block to the block around it. */
  private leaveBlock(): void {
    const inner = this.block;
    const outer = this.blocks.pop()!;
    const before = outer.done + outer.line;
    const breaks = Math.max(outer.breaks, inner.before);
    outer.line = '';
    outer.words = false;
    if (before) outer.done = before + BREAKS[breaks]! + inner.done + inner.line;
    else {
      outer.done = inner.done + inner.line;
      outer.before = breaks;
    }
    outer.breaks = Math.max(inner.breaks, inner.after);
    this.block = outer;
  }

  /** Adds words to the line, with white space within them made one space. */
  private inline(text: string): void {
    const into = this.block;
    const { length } = text;
    let from = 0;
    let to = length;
    while (from < to && isSpace(text.charCodeAt(from))) from++;
    while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
    if (from === to) {
      if (length) into.space = true;
      return;
    }
    if (into.breaks) {
      into.line += BREAKS[into.breaks]!;
      into.words = false;
      into.breaks = 0;
    }
    const given = to - from === length ? text : text.slice(from, to);
    const words = given.replace(RUN, ' ');
    into.line += into.words && (into.space || from > 0) ? ` ${words}` : words;
    into.words = true;
    into.space = to < length;
    if (this.link) this.link.words += words.replaceAll(' ', '');
  }
}

/** What html-to-text takes for white space: not the no-break space. */
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13 && code !== 11) || code === 0x200b;

const EACH = new RegExp(ATTRIBUTE, 'gi');
/** An attribute of a tag with its entities read; empty where it has none. */
function attribute(given: string, wanted: string): string {
  EACH.lastIndex = 0;
  for (let each = EACH.exec(given); each; each = EACH.exec(given)) {
    if (each[1]!.toLowerCase() !== wanted) continue;
    // Names without a semicolon, as in `?a=1&copy=2`, mean themselves before `=`.
    return decoded(each[2] ?? each[3] ?? each[4] ?? '', IN_ATTRIBUTE);
  }
  return '';
}

/** An entity, or an ampersand that means itself. */
const IN_TEXT = /&(?:(#?[a-z0-9]+);|(?=[ \t\r\n\f]))?/gi;
const IN_ATTRIBUTE = /&(?:(#?[a-z0-9]+);|[a-z0-9]+(?==))?/gi;
/** A text with its entities read. Gives up at one that is not in the table. */
function decoded(text: string, entity = IN_TEXT): string {
  const first = text.indexOf('&');
  if (first < 0) return text;
  // Most addresses have this one entity, once.
  if (text.startsWith('&amp;', first) && text.indexOf('&', first + 1) < 0)
    return `${text.slice(0, first)}&${text.slice(first + 5)}`;
  const usual = text.replaceAll('&amp;', MARK);
  if (usual.indexOf('&') < 0) return usual.replaceAll(MARK, '&');
  return text.replace(entity, (all, name: string | undefined, at: number) => {
    if (name === undefined) {
      // An ampersand that stands alone, or before `=`; one at the end of a text or before anything else is for the
      // library.
      if (all.length > 1 || /[ \t\r\n\f]/.test(text[at + 1] ?? '')) return all;
      throw notPlain;
    }
    if (name[0] === '#') return character(name);
    if (!Object.hasOwn(ENTITIES, name)) throw notPlain;
    return ENTITIES[name]!;
  });
}

function character(name: string): string {
  const code = /^#x[0-9a-f]{1,6}$/i.test(name)
    ? parseInt(name.slice(2), 16)
    : /^#[0-9]{1,7}$/.test(name)
      ? Number(name.slice(1))
      : 0;
  // Controls, the windows-1252 range, half characters and what is beyond Unicode have rules of their own.
  if (code < 32 || (code > 126 && code < 160) || (code > 0xd7ff && code < 0xe000) || code > 0x10ffff) throw notPlain;
  return String.fromCodePoint(code);
}
