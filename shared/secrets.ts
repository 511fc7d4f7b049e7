import { inspect } from 'node:util';
import { isMailError } from './errors.js';
import { layersOf, type Place } from './layers.js';

/** Secrets shorter than this stay, in characters: they would be found in any word. */
const SHORTEST = 4;

/** The text without the secrets, whatever spelling they have in it. */
export type Hide = (text: string) => string;

/**
 * A function that hides these secrets in any text: as they are, percent- and form-encoded, JSON and other backslash
 * escapes, HTML entities, quoted-printable, hex, and base64 of the secret alone or within more, such as
 * `user:password`; up to five of them round each other. Each is found whole, before any pattern.
 */
export function hiding(secrets: Iterable<string>): Hide {
  const known = new Set([...secrets].flatMap(secret => [secret, secret.normalize('NFC'), secret.normalize('NFD')]));
  const long = [...known].filter(secret => secret.length >= SHORTEST);
  if (!long.length) return text => text;
  let forms: Form[] | undefined;
  // Made for the first failure: a call that goes well pays nothing.
  return text => cover(text, (forms ??= long.flatMap(formsOf)));
}

/** So much of a text is read for the words of an error; and so much at its end is left out where there is more. */
const MOST_WORDS = 32 * 1024;
const LEFT_OUT = 4096;
/**
 * A text without secrets, so far as an error needs it: a server may say a megabyte, which would take seconds to search.
 * What was cut may have cut a secret, so the end of it goes too.
 */
export const hideWords = (hide: Hide, text: string): string =>
  text.length > MOST_WORDS ? hide(text.slice(0, MOST_WORDS)).slice(0, -LEFT_OUT) : hide(text);

/** One way to look for a secret: its parts in order, and where in a text a part that begins at `at` can end. */
interface Form {
  parts: readonly Part[];
  ends(text: string, at: number, part: Part): number[];
  gap: RegExp;
  begins: RegExp;
  run?: true;
}
/** A letter, and its bytes in UTF-8 and in Latin-1. */
interface Part {
  char: string;
  bytes: readonly number[][];
  units: readonly number[];
  mangled?: string;
}

function formsOf(secret: string): Form[] {
  const parts = [...secret].map(partOf);
  const { char, mangled } = parts[0]!;
  return [
    {
      parts,
      ends: spelled,
      gap: /=\r?\n/y,
      begins: oneOf(`${char[0]}${mangled ? `${mangled[0]}?\ufffd\u00ef` : ''}%=\\&${char === ' ' ? '+_\u00a0' : ''}`),
    },
    ...bytesOf(secret, true).map((bytes): Form => ({
      parts: [...bytes.toString('hex')].map(partOf),
      ends: sameDigit,
      gap: /[\s:,-]/y,
      begins: /[\da-f]/gi,
    })),
    ...bytesOf(secret, true)
      .flatMap(cores)
      .map((core): Form => ({
        parts: [...core].map(partOf),
        ends: packed,
        gap: /(?:\s|\\[rn]|=\r?\n){1,4}/y,
        begins: oneOf(`${core[0]}-_%\\`),
        run: true,
      })),
  ];
}

function partOf(char: string): Part {
  const code = char.codePointAt(0)!;
  if (code < 0x80) return { char, bytes: [[code]], units: [code] };
  return {
    char,
    // No byte is a letter that Latin-1 lacks, so none is found for it.
    bytes: [[...Buffer.from(char)], [code]],
    units: [...Array(char.length).keys()].map(i => char.charCodeAt(i)),
    // Seen by a reader that took UTF-8 for Latin-1.
    mangled: Buffer.from(char).toString('latin1'),
  };
}

/**
 * A text without what was found in it. All places at once: one after the other would take a text as long as a vendor
 * likes.
 */
function cover(text: string, forms: readonly Form[]): string {
  let shown = '';
  let at = 0;
  for (const [from, to] of placesIn(text, forms).sort(([a], [b]) => a - b)) {
    if (from >= at) shown += `${text.slice(at, from)}***`;
    at = Math.max(at, to);
  }
  return shown + text.slice(at);
}

/**
 * So many spellings round each other are taken off; the letters looked at on the way are at most so many, or so many
 * times those of the text.
 */
const DEEPEST = 4;
const MOST_LETTERS = 100_000;
const TIMES = 20;

/** Where the secrets stand, also where one spelling stands within another: JSON in an address, a form in base64. */
function placesIn(text: string, forms: readonly Form[]): Place[] {
  const seen = new Set([text]);
  const places: Place[] = [];
  let left = Math.max(MOST_LETTERS, TIMES * text.length);
  /** Texts to look at, those nearest to the first one before the others, and what their places are in that. */
  const texts: { text: string; depth: number; outer(place: Place): Place }[] = [
    { text, depth: 0, outer: place => place },
  ];
  for (let one = texts.shift(); one; one = texts.shift()) {
    const { outer, depth } = one;
    // Within another spelling, base64 and hex are taken off as those are.
    for (const place of directly(one.text, depth ? forms.filter(form => form.ends === spelled) : forms))
      places.push(outer(place));
    if (depth >= DEEPEST) continue;
    for (const layer of layersOf(one.text)) {
      if (seen.has(layer.text)) continue;
      left -= layer.text.length;
      if (left < 0) {
        // What was not searched is not shown.
        places.push(outer(layer.outer([0, layer.text.length])));
        continue;
      }
      seen.add(layer.text);
      texts.push({ text: layer.text, depth: depth + 1, outer: place => outer(layer.outer(place)) });
    }
  }
  return places;
}

/** The next place from `at` on where one of some letters stands; -1 where there is none. */
function next(letters: RegExp, text: string, at: number): number {
  letters.lastIndex = at;
  return letters.exec(text)?.index ?? -1;
}
const oneOf = (letters: string) => new RegExp(`[${letters.replace(/[\]\\^-]/g, '\\$&')}]`, 'g');

/** Where the secrets stand in one of their forms. */
function directly(text: string, forms: readonly Form[]): Place[] {
  const inRun = /[\w+/=%-]/;
  const found: Place[] = [];
  for (const form of forms) {
    const dead: Set<number>[] = [];
    for (let at = next(form.begins, text, 0); at >= 0; at = next(form.begins, text, at + 1)) {
      const end = endOf(text, at, form, dead);
      if (end === undefined) continue;
      let from = at;
      let to = end;
      // Base64 shows a secret together with its neighbours, so the whole run goes.
      while (form.run && from > 0 && inRun.test(text[from - 1]!)) from--;
      while (form.run && to < text.length && inRun.test(text[to]!)) to++;
      found.push([from, to]);
      at = to - 1;
    }
  }
  return found;
}

/**
 * Where a secret that begins here ends; undefined where it does not stand here. `dead` holds the places from which no
 * end was found, one set for each part: many beginnings in one text lead to the same place, and each is tried once.
 */
function endOf(text: string, start: number, { parts, ends, gap }: Form, dead: Set<number>[]): number | undefined {
  let places = ends(text, start, parts[0]!).filter(end => !dead[0]?.has(end));
  if (!places.length) return undefined;
  const tried: number[][] = [places];
  for (let index = 1; index < parts.length; index++) {
    const part = parts[index]!;
    const next: number[] = [];
    for (const at of places) {
      addTo(next, ends(text, at, part), dead[index]);
      gap.lastIndex = at;
      if (at > start && gap.test(text)) addTo(next, ends(text, gap.lastIndex, part), dead[index]);
    }
    if (!next.length) {
      for (let one = 0; one < index; one++) for (const at of tried[one]!) (dead[one] ??= new Set()).add(at);
      return undefined;
    }
    tried.push(next);
    places = next;
  }
  return Math.max(...places);
}
function addTo(places: number[], ends: readonly number[], dead: Set<number> | undefined): void {
  for (const end of ends) if (!places.includes(end) && !dead?.has(end)) places.push(end);
}

/**
 * A secret's bytes as a vendor may have seen them: UTF-8, Latin-1 where that has all of its letters; UTF-16 too where
 * it is asked for.
 */
function bytesOf(secret: string, wide = false): Buffer[] {
  const latin = /^[\0-\xff]*$/.test(secret) && /[\x80-\xff]/.test(secret) ? [Buffer.from(secret, 'latin1')] : [];
  return [Buffer.from(secret), ...latin, ...(wide ? [Buffer.from(secret, 'utf16le')] : [])];
}

/** What stands for a letter that was lost; the last is U+FFFD in UTF-8, read as Latin-1. */
const MARKS = ['?', '\ufffd', '\u00ef\u00bf\u00bd'];

/** The ends of a letter in any of its spellings. */
function spelled(text: string, at: number, part: Part): number[] {
  const { char, bytes, units, mangled } = part;
  const out: number[] = [];
  if (text.startsWith(char, at)) out.push(at + char.length);
  if (mangled && text.startsWith(mangled, at)) out.push(at + mangled.length);
  // Where a charset lacks the letter, there is a question mark for it, or for each of its bytes or units.
  if (mangled)
    for (const mark of MARKS)
      for (let count = 1; count <= 4 && text.startsWith(mark, at + (count - 1) * mark.length); count++)
        out.push(at + count * mark.length);
  const values = (list: readonly number[], form: RegExp, base: number) => {
    let here = at;
    for (const value of list) {
      form.lastIndex = here;
      const found = form.exec(text);
      if (!found || parseInt(found[1]!, base) !== value) return;
      here = form.lastIndex;
    }
    out.push(here);
  };
  switch (text[at]) {
    case '%':
      for (const form of PERCENT) for (const list of bytes) values(list, form, 16);
      values(units, /%(?:25)?u([\da-f]{4})/iy, 16);
      break;
    case '=':
      for (const list of bytes) values(list, /=([\da-f]{2})/iy, 16);
      break;
    case '&':
      entity(text, at, char, out);
      break;
    case '\\': {
      const after = backslash(text, at, char, out);
      // Most backslashes in a long text begin no number.
      if (!/[xu0-3]/i.test(text[after] ?? '')) break;
      for (const list of bytes) {
        values(list, /\\{1,64}x([\da-f]{2})/iy, 16);
        values(list, /\\{1,64}([0-3][0-7]{2})/y, 8);
      }
      values(units, /\\{1,64}u([\da-f]{4})/iy, 16);
      values([char.codePointAt(0)!], /\\{1,64}u\{0{0,6}([\da-f]{1,6})\}/iy, 16);
      break;
    }
    // As SQL and CSV write a quote within quotes.
    case "'":
    case '"':
      if (char === text[at] && text[at + 1] === char) out.push(at + 2);
      break;
    case '+':
    case '_':
    case '\u00a0':
      if (char === ' ') out.push(at + 1);
      break;
    default:
  }
  return out;
}

/** Encoded once, twice, thrice: `%25ab` is `%ab` encoded once or one byte encoded twice, and both are tried. */
const PERCENT = [/%([\da-f]{2})/iy, /%25([\da-f]{2})/iy, /%2525([\da-f]{2})/iy];
const ENTITY = ['&', '&amp;', '&amp;amp;'].map(
  start => new RegExp(`${start}(?:#0{0,6}(\\d{1,7});?|#x0{0,6}([\\da-f]{1,6});?|[a-z][a-z0-9]{1,30};)`, 'iy'),
);

/** What JSON writes for control characters. */
const SHORT: Readonly<Record<string, string>> = { '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f' };
/** Each JSON around another doubles the backslashes: six of them write 64 for one, and 63 before a quote. */
const BACKSLASHES = /\\{1,64}/y;
/** Backslashes before a letter; where they end, or would be too many. */
function backslash(text: string, at: number, char: string, out: number[]): number {
  BACKSLASHES.lastIndex = at;
  BACKSLASHES.test(text);
  const end = BACKSLASHES.lastIndex;
  if (char === '\\') for (const count of [1, 2, 3, 4, 8, 16, 32, 64]) if (at + count <= end) out.push(at + count);
  if (/["'/<>&`$]/.test(char) && text.startsWith(char, end)) out.push(end + char.length);
  if (Object.hasOwn(SHORT, char) && text[end] === SHORT[char]) out.push(end + 1);
  return end;
}
function entity(text: string, at: number, char: string, out: number[]): void {
  for (const form of ENTITY) {
    form.lastIndex = at;
    const found = form.exec(text);
    if (!found) continue;
    const [, decimal, hex] = found;
    const code = decimal ? Number(decimal) : hex ? parseInt(hex, 16) : undefined;
    // Names of characters are many; between the rest of the secret any of them will do.
    if (code === undefined ? !/[A-Za-z0-9]/.test(char) : code === char.codePointAt(0)) out.push(form.lastIndex);
  }
}

const sameDigit = (text: string, at: number, { char }: Part): number[] =>
  text[at]?.toLowerCase() === char ? [at + 1] : [];

/** A letter of base64, in either alphabet, encoded once more where an address or JSON wants that. */
function packed(text: string, at: number, { char }: Part): number[] {
  const ways =
    char === '+'
      ? ['+', '-', '%2B', '%2b', '\\u002b', '\\u002B']
      : char === '/'
        ? ['/', '_', '\\/', '%2F', '%2f']
        : [char];
  return ways.filter(way => text.startsWith(way, at)).map(way => at + way.length);
}

/**
 * The letters of base64 that depend on the secret alone, for each place it can have among the groups of three bytes.
 */
const cores = (bytes: Buffer): string[] =>
  [0, 1, 2]
    .map(before => {
      const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
      return text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    })
    .filter(core => core.length >= SHORTEST);

/**
 * Takes secrets out of an error and out of all that can be reached from it: message, stack, issues, the vendor's own
 * data, causes. The error stays the same object; what it refers to is replaced by copies where it must be.
 */
export function withoutSecrets(error: unknown, secrets: Iterable<string>): unknown {
  const hide = hiding(secrets);
  return error instanceof Error ? cleanError(error, hide, new Map()) : clean(error, hide, new Map());
}

/** `seen` holds what each object became, so that circles end and what is shared stays shared. */
type Seen = Map<object, unknown>;

/** The value without secrets. */
function clean(value: unknown, hide: Hide, seen: Seen): unknown {
  if (typeof value === 'string') return hideWords(hide, value);
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  if (value instanceof Error) return cleanError(isMailError(value) ? value : copyOf(value), hide, seen, value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null)
    return shows(value, hide) ? '***' : value;
  const copy: unknown[] | Record<string, unknown> = Array.isArray(value) ? [] : {};
  seen.set(value, copy);
  for (const [name, inner] of Object.entries(value)) {
    // The number of an item is no text of anybody, and an item that has none would be no item.
    Object.defineProperty(copy, Array.isArray(value) && /^\d+$/.test(name) ? name : hide(name), {
      value: clean(inner, hide, seen),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

/** Cleans all that an error owns, in place: `stack` and `cause` too, which no loop over keys meets. */
function cleanError<E extends Error>(error: E, hide: Hide, seen: Seen, original: Error = error): E {
  seen.set(original, error);
  for (const name of Object.getOwnPropertyNames(error)) {
    const own = Object.getOwnPropertyDescriptor(error, name)!;
    const value = (error as unknown as Record<string, unknown>)[name];
    const safe = clean(value, hide, seen);
    if (safe !== value)
      Object.defineProperty(error, name, {
        value: safe,
        enumerable: own.enumerable ?? false,
        configurable: true,
        writable: true,
      });
  }
  return error;
}

/** An error of somebody else may be frozen, or be needed as it is: a copy is changed in its place. */
function copyOf(error: Error): Error {
  const own = Object.getOwnPropertyDescriptors(error);
  for (const one of Object.values(own)) one.configurable = true;
  return Object.create(Object.getPrototypeOf(error) as object, own) as Error;
}

/** An object of a class of its own is looked at up to so many letters of its print, and so many items of each list. */
const MOST_PRINTED = 1e6;
const MOST_ITEMS = 10_000;
/** What `inspect` writes where it left something out. */
const CUT = /\.\.\. \d+ more (?:items?|characters?)/;

/**
 * Whether an object of a class of its own, such as a buffer or a socket, would show a secret to whoever prints it; what
 * is too large to be looked at whole may.
 */
function shows(value: object, hide: Hide): boolean {
  const bytes = ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : undefined;
  const texts = bytes
    ? [bytes.toString('utf8'), bytes.toString('latin1')]
    : [inspect(value, { depth: 6, maxArrayLength: MOST_ITEMS, maxStringLength: MOST_PRINTED })];
  return texts.some(text => text.length > MOST_PRINTED || (!bytes && CUT.test(text)) || hide(text) !== text);
}

/**
 * Words that follow "password", "token" and the like where a sentence is said about them: "password must be longer",
 * "token: expired".
 */
const ABOUT =
  /^(?:must|should|shall|may|can|cannot|can't|is|isn't|are|was|were|has|had|have|does|doesn't|do|did|needs|not|too|at|and|or|of|for|in|to|with|the|a|an|no|required|missing|invalid|expired|unknown|wrong|rejected|refused|denied|revoked|incorrect|empty|null|undefined|true|false|none)$/i;
/**
 * Words that follow the name of a way to sign in where no credentials do: "Basic authentication", "Bearer token",
 * `Bearer realm=`.
 */
const WAY =
  /^(?:auth|authentication|authorization|authorisation|access|tokens?|credentials?|scheme|schema|header|login|logins|sign|realm|error|challenge|users?|plans?|mode|type|format|settings|functionality)\b/i;

/**
 * A name, code or path made of words: each part is letters as people write them, or a short number. What is drawn by
 * lot has other letters in between.
 */
const isName = (run: string) =>
  run.split(/[+/_-]/).every(part => /^(?:[A-Z]{0,20}|[A-Z]?[a-z]{0,20}|\d{0,4}|v\d{1,2})$/.test(part) || isCamel(part));
/**
 * Words joined by their capitals, such as `InvalidMailboxConfigurationException`; five letters a word on the average,
 * three at the least.
 */
const isCamel = (part: string) => {
  const words = part.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) ?? [];
  return (
    /^[A-Za-z]+$/.test(part) &&
    part.length >= 5 * words.length &&
    words.every(word => word.length > 2 && word.length <= 20)
  );
};
/**
 * The form of an ID, which vendors say in their errors so that one can ask them. Keys of that form are known and hidden
 * whole before.
 */
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
/** What stands before the ID of a request, or of a message. */
const NUMBERED =
  /(?:(?:request|trace|correlation|incident|event|ray|activity|message)[-_ ]?id["']?\s*[:=]?\s*["'(<]?|<)$/i;
const isCode = (run: string, at: number, text: string) =>
  UUID.test(run) ||
  isName(run) ||
  (NUMBERED.test(text.slice(Math.max(0, at - 40), at)) && (text[at - 1] !== '<' || text[at + run.length] === '@'));

/**
 * Hides what looks like a key, password or token in a text that came from outside. Secrets that are known are hidden
 * before, whatever they look like; IDs, codes and sentences about passwords stay.
 */
export const redact = (text: string): string =>
  text
    .replace(/\b([a-z][a-z\d+.-]{1,20}:\/\/[^\s/:@]{0,200}:)[^\s/@]{1,2000}@/gi, '$1***@')
    .replace(/(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]+)+/g, '***')
    .replace(/\b(Bearer|Basic)(\s+)([\w.~+/=-]+)/gi, (all, way: string, gap: string, word: string) =>
      WAY.test(word) || ABOUT.test(word) ? all : `${way}${gap}***`,
    )
    .replace(
      /(pass(?:word|wd)?|secret|token|key|signature|authorization)(["']?\s*[:=]\s*["']?)([^"'\s,&<}]+)/gi,
      (all, what: string, sign: string, value: string) =>
        ABOUT.test(value) || (!/^(?:pass|secret)/i.test(what) && /^[a-z]{2,20}(?:[_-][a-z]{1,20})+$/i.test(value))
          ? all
          : `${what}${sign}***`,
    )
    .replace(/[A-Za-z0-9+/_-]{32,}={0,2}/g, (run, at: number, whole: string) => (isCode(run, at, whole) ? run : '***'));
