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

const atomChar = /[^\x00-\x20\x7f-\xff(){%*"\\\]]/;
const astringChar = /[^\x00-\x20\x7f-\xff(){%*"\\]/;
const listChar = /[^\x00-\x20\x7f-\xff(){"\\]/;

/** Reads a command's arguments by the grammar of RFC 3501 section 9 and RFC 4466; whatever does not fit is a BAD. */
export class Cursor {
  private part = 0;
  private pos = 0;

  constructor(private readonly parts: CommandParts) {}

  private get text(): string {
    const now = this.parts[this.part];
    return typeof now === 'string' ? now : '';
  }

  private get where(): string {
    return this.text.slice(this.pos, this.pos + 20) || 'end of the line';
  }

  /** Exactly one space. */
  space(): void {
    if (this.text[this.pos] !== ' ') refuse('BAD', `Space expected before ${this.where}`);
    this.pos++;
  }

  /** Whether the next character is this one; `take` also steps over it. */
  at(char: string): boolean {
    return this.text[this.pos] === char;
  }

  take(char: string): boolean {
    if (!this.at(char)) return false;
    this.pos++;
    return true;
  }

  need(char: string): void {
    if (!this.take(char)) refuse('BAD', `"${char}" expected before ${this.where}`);
  }

  /** Whether nothing is left. */
  over(): boolean {
    return this.pos >= this.text.length && this.part >= this.parts.length - 1;
  }

  end(): void {
    if (!this.over()) refuse('BAD', `Unexpected arguments: ${this.where}`);
  }

  /** Characters as long as they match. */
  run(allowed: RegExp): string {
    const from = this.pos;
    const now = this.text;
    let to = from;
    while (to < now.length && allowed.test(now[to]!)) to++;
    this.pos = to;
    return now.slice(from, to);
  }

  atom(): string {
    return this.run(atomChar) || refuse('BAD', `Atom expected before ${this.where}`);
  }

  /** Atom that must be this word, in any case. */
  word(expected: string): void {
    const found = this.atom();
    if (found.toUpperCase() !== expected) refuse('BAD', `${expected} expected instead of ${found}`);
  }

  string(): string {
    if (this.at('{')) return this.literal().toString('latin1');
    this.need('"');
    const now = this.text;
    let out = '';
    for (;;) {
      const char = now[this.pos++];
      if (char === undefined) return refuse('BAD', 'Quoted string without an end');
      if (char === '"') return out;
      if (char !== '\\') {
        if (char === '\r' || char === '\n' || char === '\0') refuse('BAD', 'Quoted string holds a control character');
        out += char;
        continue;
      }
      const escaped = now[this.pos++];
      if (escaped !== '"' && escaped !== '\\') refuse('BAD', 'Only " and \\ may be escaped in a quoted string');
      out += escaped;
    }
  }

  astring(): string {
    return this.at('"') || this.at('{')
      ? this.string()
      : this.run(astringChar) || refuse('BAD', `String expected before ${this.where}`);
  }

  /** String, or an atom that may hold wildcards. */
  listPattern(): string {
    return this.at('"') || this.at('{')
      ? this.string()
      : this.run(listChar) || refuse('BAD', `Pattern expected before ${this.where}`);
  }

  flag(): string {
    const system = this.take('\\') ? '\\' : '';
    return system + this.atom();
  }

  number(): number {
    const digits = this.run(/[0-9]/);
    if (!digits || Number(digits) > 0xffffffff) refuse('BAD', `Number expected before ${this.where}`);
    return Number(digits);
  }

  bigint(): bigint {
    const digits = this.run(/[0-9]/);
    if (!digits || BigInt(digits) >= 1n << 63n) refuse('BAD', `Number below 2^63 expected before ${this.where}`);
    return BigInt(digits);
  }

  numberSet(): NumberSet {
    const ranges: NumberSet = [];
    do {
      const from = this.setNumber();
      const to = this.take(':') ? this.setNumber() : from;
      ranges.push(from <= to ? [from, to] : [to, from]);
    } while (this.take(','));
    return ranges;
  }

  private setNumber(): number {
    if (this.take('*')) return Infinity;
    const found = this.number();
    return found === 0 ? refuse('BAD', 'Message numbers begin at 1') : found;
  }

  /** The bytes of the literal at this place. */
  literal(): Buffer {
    const announced = /^\{\d+\+?\}$/.test(this.text.slice(this.pos));
    const bytes = this.parts[this.part + 1];
    if (!announced || !Buffer.isBuffer(bytes)) return refuse('BAD', `Literal expected before ${this.where}`);
    this.part += 2;
    this.pos = 0;
    return bytes;
  }

  /** Items in parentheses, one space between them. */
  list<T>(item: () => T, { empty = true }: { empty?: boolean } = {}): T[] {
    this.need('(');
    const items: T[] = [];
    if (empty && this.take(')')) return items;
    do items.push(item());
    while (this.take(' '));
    this.need(')');
    return items;
  }

  /** The next word without taking it, in upper case. */
  peek(): string {
    return /^[^\s(]*/.exec(this.text.slice(this.pos))![0].toUpperCase();
  }
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
