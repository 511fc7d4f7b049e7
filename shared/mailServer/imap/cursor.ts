/** An answer that ends a command: NO (understood, not done) or BAD (not understood). */
export interface Refusal extends Error {
  kind: 'NO' | 'BAD';
}
/** Ends the running command with a tagged NO or BAD; `text` may begin with a response code in brackets. */
export const refuse = (kind: 'NO' | 'BAD', text: string): never => {
  throw Object.assign(new Error(text), { kind });
};
/** Whether an error came from `refuse`. */
export const isRefusal = (error: unknown): error is Refusal => error instanceof Error && 'kind' in error;

/** Message numbers or UIDs as ranges; `*` is Infinity (RFC 3501, sequence-set). */
export type NumberSet = [from: number, to: number][];

/** A command as it was read: text, with each literal as a Buffer of its own after the text that announced it. */
export type CommandParts = (string | Buffer)[];

/** Reads a command's arguments by the grammar of RFC 3501 section 9 and RFC 4466; whatever does not fit is a BAD. */
export interface Cursor {
  /** Exactly one space. */
  space(): void;
  /** Whether the next character is this one; `take` also steps over it. */
  at(char: string): boolean;
  take(char: string): boolean;
  need(char: string): void;
  /** Whether nothing is left. */
  over(): boolean;
  end(): void;
  atom(): string;
  /** Atom that must be this word, in any case. */
  word(expected: string): void;
  astring(): string;
  string(): string;
  /** String, or an atom that may hold wildcards. */
  listPattern(): string;
  flag(): string;
  number(): number;
  bigint(): bigint;
  numberSet(): NumberSet;
  /** The bytes of the literal at this place. */
  literal(): Buffer;
  /** Items in parentheses, one space between them. */
  list<T>(item: () => T, options?: { empty?: boolean }): T[];
  /** Characters as long as they match. */
  run(allowed: RegExp): string;
  /** The next word without taking it, in upper case. */
  peek(): string;
}

const atomChar = /[^\x00-\x20\x7f-\xff(){%*"\\\]]/;
const astringChar = /[^\x00-\x20\x7f-\xff(){%*"\\]/;
const listChar = /[^\x00-\x20\x7f-\xff(){"\\]/;

export function cursor(parts: CommandParts): Cursor {
  let part = 0;
  let pos = 0;
  const text = () => {
    const now = parts[part];
    return typeof now === 'string' ? now : '';
  };
  const where = () => text().slice(pos, pos + 20) || 'end of the line';
  const over = () => pos >= text().length && part >= parts.length - 1;
  const self: Cursor = {
    space() {
      if (text()[pos] !== ' ') refuse('BAD', `Space expected before ${where()}`);
      pos++;
    },
    at: char => text()[pos] === char,
    take(char) {
      if (text()[pos] !== char) return false;
      pos++;
      return true;
    },
    need(char) {
      if (!self.take(char)) refuse('BAD', `"${char}" expected before ${where()}`);
    },
    over,
    end() {
      if (!over()) refuse('BAD', `Unexpected arguments: ${where()}`);
    },
    run(allowed) {
      const from = pos;
      const now = text();
      while (pos < now.length && allowed.test(now[pos]!)) pos++;
      return now.slice(from, pos);
    },
    atom() {
      return self.run(atomChar) || refuse('BAD', `Atom expected before ${where()}`);
    },
    word(expected) {
      const found = self.atom();
      if (found.toUpperCase() !== expected) refuse('BAD', `${expected} expected instead of ${found}`);
    },
    string() {
      if (self.at('{')) return self.literal().toString('latin1');
      self.need('"');
      const now = text();
      let out = '';
      for (;;) {
        const char = now[pos++];
        if (char === undefined) return refuse('BAD', 'Quoted string without an end');
        if (char === '"') return out;
        if (char !== '\\') {
          if (char === '\r' || char === '\n' || char === '\0') refuse('BAD', 'Quoted string holds a control character');
          out += char;
          continue;
        }
        const escaped = now[pos++];
        if (escaped !== '"' && escaped !== '\\') refuse('BAD', 'Only " and \\ may be escaped in a quoted string');
        out += escaped;
      }
    },
    astring() {
      return self.at('"') || self.at('{')
        ? self.string()
        : self.run(astringChar) || refuse('BAD', `String expected before ${where()}`);
    },
    listPattern() {
      return self.at('"') || self.at('{')
        ? self.string()
        : self.run(listChar) || refuse('BAD', `Pattern expected before ${where()}`);
    },
    flag() {
      const system = self.take('\\') ? '\\' : '';
      return system + self.atom();
    },
    number() {
      const digits = self.run(/[0-9]/);
      if (!digits || Number(digits) > 0xffffffff) refuse('BAD', `Number expected before ${where()}`);
      return Number(digits);
    },
    bigint() {
      const digits = self.run(/[0-9]/);
      if (!digits || BigInt(digits) >= 1n << 63n) refuse('BAD', `Number below 2^63 expected before ${where()}`);
      return BigInt(digits);
    },
    numberSet() {
      const one = () => {
        if (self.take('*')) return Infinity;
        const found = self.number();
        return found === 0 ? refuse('BAD', 'Message numbers begin at 1') : found;
      };
      const ranges: NumberSet = [];
      do {
        const from = one();
        const to = self.take(':') ? one() : from;
        ranges.push(from <= to ? [from, to] : [to, from]);
      } while (self.take(','));
      return ranges;
    },
    literal() {
      const announced = /^\{\d+\+?\}$/.test(text().slice(pos));
      const bytes = parts[part + 1];
      if (!announced || !Buffer.isBuffer(bytes)) return refuse('BAD', `Literal expected before ${where()}`);
      part += 2;
      pos = 0;
      return bytes;
    },
    list(item, { empty = true } = {}) {
      self.need('(');
      const items: ReturnType<typeof item>[] = [];
      if (empty && self.take(')')) return items;
      do items.push(item());
      while (self.take(' '));
      self.need(')');
      return items;
    },
    peek() {
      return /^[^\s(]*/.exec(text().slice(pos))![0].toUpperCase();
    },
  };
  return self;
}

/** `text` as an IMAP string: quoted where possible, else a literal; undefined is NIL. Text is bytes in latin1. */
export function imapString(text: string | undefined): string {
  if (text === undefined) return 'NIL';
  if (/[^\x20-\x7e]/.test(text) || text.length > 1000) return `{${text.length}}\r\n${text}`;
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
/** Folder names: an atom where one is allowed, else quoted. */
export const imapName = (name: string): string =>
  /^[A-Za-z0-9_.\-/&,+]+$/.test(name) && name.toUpperCase() !== 'NIL' ? name : imapString(name);

/** Ascending numbers as a set: `1:3,5`. */
export function compactSet(numbers: readonly number[]): string {
  const out: string[] = [];
  for (let i = 0; i < numbers.length;) {
    let j = i;
    while (numbers[j + 1] === numbers[j]! + 1) j++;
    out.push(j > i ? `${numbers[i]}:${numbers[j]}` : `${numbers[i]}`);
    i = j + 1;
  }
  return out.join(',');
}
/** Whether a number is in a set, with `*` standing for `last`. */
export const inSet = (set: NumberSet, number: number, last: number): boolean =>
  set.some(([a, b]) => {
    const from = Math.min(a === Infinity ? last : a, b === Infinity ? last : b);
    const to = Math.max(a === Infinity ? last : a, b === Infinity ? last : b);
    return number >= from && number <= to;
  });
