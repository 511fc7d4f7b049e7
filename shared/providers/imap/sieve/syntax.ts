/*
 * The grammar of Sieve (RFC 5228 section 8): what a script says, whatever its commands mean. Takes the time that
 * reading the text once takes.
 */

/** A place in a script that cannot be read; `line` counts from 1. */
export class SieveSyntaxError extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

export type Argument = { tag: string } | { number: number } | { strings: string[] };
/** A command or a test; names and tags are in small letters, `:` left out. `block` stands where there are braces. */
export interface Statement {
  name: string;
  line: number;
  args: Argument[];
  tests: Statement[];
  block?: Statement[];
}

/** Blocks and tests within each other. RFC 5228 section 2.10.5 asks for 15 at least. */
const DEEPEST = 50;
/** Numbers above this are refused (section 2.4.1). */
const MOST = 2_147_483_647;

type Token =
  | { kind: 'word' | 'tag' | 'text' | 'sign' | 'end'; text: string; line: number }
  | { kind: 'number'; number: number; text: string; line: number };

const BLANK = /[ \t\r\n]+/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const TAG = /:[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /(\d{1,15})([KMGkmg]?)(?![A-Za-z0-9_])/y;
const PLAIN = /[^"\\]*/y;
const MULTI_LINE = /text:[ \t]*(?:#[^\r\n]*)?\r?\n/iy;
const FACTOR: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** Gives one token after the other. */
function tokens(script: string): () => Token {
  let at = 0;
  let line = 1;
  const fail = (message: string): never => {
    throw new SieveSyntaxError(line, message);
  };
  const matched = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(script);
  };
  const pass = (to: number) => {
    for (; at < to; at++) if (script[at] === '\n') line++;
  };
  const skip = () => {
    for (;;) {
      const blank = matched(BLANK);
      if (blank) pass(at + blank[0].length);
      else if (script[at] === '#') {
        const end = script.indexOf('\n', at);
        pass(end < 0 ? script.length : end + 1);
      } else if (script.startsWith('/*', at)) {
        const end = script.indexOf('*/', at + 2);
        if (end < 0) fail('a comment that does not end');
        pass(end + 2);
      } else return;
    }
  };
  return () => {
    skip();
    const begins = line;
    const one = script[at];
    if (one === undefined) return { kind: 'end', text: '', line };
    if (one === '"') {
      const { text, next } = quotedAt(script, at + 1) ?? fail('a string that does not end');
      pass(next);
      return { kind: 'text', text, line: begins };
    }
    const opened = matched(MULTI_LINE);
    if (opened) {
      const { text, next } = linesAt(script, at + opened[0].length) ?? fail('a text that does not end');
      pass(next);
      return { kind: 'text', text, line: begins };
    }
    const number = matched(NUMBER);
    if (number) {
      const value = Number(number[1]) * (FACTOR[number[2]!.toUpperCase()] ?? 1);
      if (value > MOST) fail(`the number ${number[0]} is too large`);
      at += number[0].length;
      return { kind: 'number', number: value, text: number[0], line };
    }
    const word = matched(WORD) ?? matched(TAG);
    const text = word?.[0] ?? one;
    if (!word && !';,(){}[]'.includes(one)) fail(`${JSON.stringify(one)} cannot stand here`);
    at += text.length;
    return {
      kind: !word ? 'sign' : text.startsWith(':') ? 'tag' : 'word',
      text: text.replace(/^:/, '').toLowerCase(),
      line,
    };
  };
}

/** A string in quotes, from behind the first one. */
function quotedAt(script: string, from: number): { text: string; next: number } | undefined {
  const parts: string[] = [];
  for (let at = from; ;) {
    PLAIN.lastIndex = at;
    parts.push(PLAIN.exec(script)![0]);
    at = PLAIN.lastIndex;
    if (script[at] === '"') return { text: parts.join(''), next: at + 1 };
    if (at + 1 >= script.length) return undefined;
    parts.push(script[at + 1]!);
    at += 2;
  }
}

/** A text of lines up to one with a dot alone (section 2.4.2). */
function linesAt(script: string, from: number): { text: string; next: number } | undefined {
  const lines: string[] = [];
  for (let at = from; ;) {
    const end = script.indexOf('\n', at);
    if (end < 0) return undefined;
    const line = script.slice(at, end).replace(/\r$/, '');
    if (line === '.') return { text: lines.map(one => `${one}\r\n`).join(''), next: end + 1 };
    lines.push(line.replace(/^\.\./, '.'));
    at = end + 1;
  }
}

/** Reads a script. Throws `SieveSyntaxError` alone, at the first place that is wrong. */
export function parseSieve(script: string): Statement[] {
  const next = tokens(script);
  let token = next();
  const advance = () => {
    const one = token;
    token = next();
    return one;
  };
  const is = (sign: string) => token.kind === 'sign' && token.text === sign;
  const fail = (what: string): never => {
    throw new SieveSyntaxError(
      token.line,
      `expected ${what}, found ${token.kind === 'end' ? 'the end of the script' : JSON.stringify(token.text.slice(0, 50))}`,
    );
  };
  const take = (sign: string) => {
    if (!is(sign)) fail(`"${sign}"`);
    advance();
  };
  const separated = <T>(one: () => T, end: string): T[] => {
    const all = [one()];
    while (is(',')) {
      advance();
      all.push(one());
    }
    take(end);
    return all;
  };
  const string = () => (token.kind === 'text' ? advance().text : fail('a string'));
  const argument = (): Argument | undefined => {
    if (token.kind === 'text') return { strings: [advance().text] };
    if (token.kind === 'number') {
      const { number } = token;
      advance();
      return { number };
    }
    if (token.kind === 'tag') return { tag: advance().text };
    if (!is('[')) return undefined;
    advance();
    return { strings: separated(string, ']') };
  };
  const named = (what: string, depth: number): Statement => {
    if (token.kind !== 'word') fail(what);
    if (depth > DEEPEST) throw new SieveSyntaxError(token.line, `blocks and tests are more than ${DEEPEST} deep`);
    const { text: name, line } = advance();
    const args: Argument[] = [];
    for (let one = argument(); one; one = argument()) args.push(one);
    if (is('(')) {
      advance();
      return { name, line, args, tests: separated(() => named('a test', depth + 1), ')') };
    }
    return { name, line, args, tests: token.kind === 'word' ? [named('a test', depth + 1)] : [] };
  };
  const command = (depth: number): Statement => {
    const one = named('a command', depth);
    if (is(';')) {
      advance();
      return one;
    }
    if (!is('{')) fail('";" or "{"');
    advance();
    const block: Statement[] = [];
    while (!is('}')) block.push(command(depth + 1));
    advance();
    return { ...one, block };
  };
  const commands: Statement[] = [];
  while (token.kind !== 'end') commands.push(command(1));
  return commands;
}
