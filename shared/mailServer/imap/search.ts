import { inSet, refuse, type Cursor, type NumberSet } from './cursor.js';
import { decodeWords, headerText, searchableText, type Part } from './mime.js';
import type { Message } from './store.js';

/** What a test on one message may look at. `last…` are what `*` means. */
export interface Candidate {
  message: Message;
  number: number;
  lastNumber: number;
  lastUid: number;
  recent: boolean;
  parsed(): { part: Part; bytes: Buffer };
}
export type Test = (candidate: Candidate) => boolean;
/** A parsed SEARCH command (RFC 3501 6.4.4, RFC 4731 for `results`). */
export interface Search {
  test: Test;
  results: string[] | undefined;
  usesModseq: boolean;
}

const day = 86_400_000;
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** `1-Feb-2026` as the number of the day since 1970. */
function dayOf(text: string): number {
  const match = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(text);
  const month = months.indexOf(match?.[2]?.toLowerCase() ?? '');
  if (!match || month < 0) return refuse('BAD', `Date like 1-Feb-2026 expected instead of ${text}`);
  return Date.UTC(Number(match[3]), month, Number(match[1])) / day;
}
/** The day a Date header names, its time zone disregarded (RFC 3501 6.4.4). */
function sentDay({ part }: { part: Part }): number | undefined {
  const match = /(\d{1,2})\s+([A-Za-z]{3})[a-z]*\s+(\d{4})/.exec(
    part.headers.find(h => h.name === 'date')?.value ?? '',
  );
  const month = months.indexOf(match?.[2]?.toLowerCase() ?? '');
  return match && month >= 0 ? Date.UTC(Number(match[3]), month, Number(match[1])) / day : undefined;
}

/** Reads everything after the word SEARCH. */
export function parseSearch(cursor: Cursor): Search {
  const results = readResults(cursor);
  const reader = new Reader(cursor, readCharset(cursor) !== 'US-ASCII');
  const tests = [reader.key()];
  while (!cursor.over()) {
    cursor.space();
    tests.push(reader.key());
  }
  return { test: all(tests), results, usesModseq: reader.usesModseq };
}

function readResults(cursor: Cursor): string[] | undefined {
  if (cursor.peek() !== 'RETURN') return undefined;
  cursor.word('RETURN');
  cursor.space();
  const results = cursor.list(() => cursor.atom().toUpperCase());
  for (const option of results)
    if (!['MIN', 'MAX', 'ALL', 'COUNT'].includes(option)) refuse('BAD', `Unknown SEARCH return option ${option}`);
  cursor.space();
  return results.length ? results : ['ALL'];
}

function readCharset(cursor: Cursor): string | undefined {
  if (cursor.peek() !== 'CHARSET') return undefined;
  cursor.word('CHARSET');
  cursor.space();
  const charset = cursor.astring().toUpperCase();
  if (!['UTF-8', 'US-ASCII'].includes(charset)) refuse('NO', '[BADCHARSET (US-ASCII UTF-8)] Unknown charset');
  cursor.space();
  return charset;
}

/** Reads keys and what stands behind them, each after a space. */
class Reader {
  usesModseq = false;

  constructor(
    private readonly cursor: Cursor,
    private readonly utf8: boolean,
  ) {}

  key(): Test {
    const { cursor } = this;
    if (cursor.at('(')) return all(cursor.list(() => this.key(), { empty: false }));
    if (cursor.at('*') || /^\d/.test(cursor.peek())) {
      const set = cursor.numberSet();
      return c => inSet(set, c.number, c.lastNumber);
    }
    const name = cursor.atom().toUpperCase();
    const make = keys[name];
    return make ? make(this) : refuse('BAD', `Unknown SEARCH key ${name}`);
  }

  nextKey(): Test {
    this.cursor.space();
    return this.key();
  }

  text(): string {
    this.cursor.space();
    const raw = this.cursor.astring();
    return (this.utf8 ? Buffer.from(raw, 'latin1').toString('utf8') : raw).toLowerCase();
  }

  keyword(): string {
    this.cursor.space();
    return this.cursor.atom().toLowerCase();
  }

  id(): string {
    this.cursor.space();
    return this.cursor.astring();
  }

  number(): number {
    this.cursor.space();
    return this.cursor.number();
  }

  numberSet(): NumberSet {
    this.cursor.space();
    return this.cursor.numberSet();
  }

  day(): number {
    const { cursor } = this;
    cursor.space();
    return dayOf(cursor.at('"') ? cursor.string() : cursor.atom());
  }

  modseq(): bigint {
    const { cursor } = this;
    cursor.space();
    // The optional entry name and type say nothing here: all metadata has one counter (RFC 7162 3.1.5).
    if (cursor.at('"')) {
      cursor.string();
      cursor.space();
      cursor.atom();
      cursor.space();
    }
    this.usesModseq = true;
    return cursor.bigint();
  }
}

const flag =
  (name: string, wanted = true): Test =>
  c =>
    c.message.flags.includes(name) === wanted;
const header =
  (name: string, wanted: string): Test =>
  c =>
    c.parsed().part.headers.some(h => h.name === name && decodeWords(h.value.trim()).toLowerCase().includes(wanted));
const arrived = (c: Candidate) => Math.floor(c.message.internalDate / day);
const all =
  (tests: Test[]): Test =>
  c =>
    tests.every(test => test(c));

const keys: Record<string, (read: Reader) => Test> = {
  ALL: () => () => true,
  ANSWERED: () => flag('\\Answered'),
  UNANSWERED: () => flag('\\Answered', false),
  DELETED: () => flag('\\Deleted'),
  UNDELETED: () => flag('\\Deleted', false),
  DRAFT: () => flag('\\Draft'),
  UNDRAFT: () => flag('\\Draft', false),
  FLAGGED: () => flag('\\Flagged'),
  UNFLAGGED: () => flag('\\Flagged', false),
  SEEN: () => flag('\\Seen'),
  UNSEEN: () => flag('\\Seen', false),
  RECENT: () => c => c.recent,
  OLD: () => c => !c.recent,
  NEW: () => c => c.recent && !c.message.flags.includes('\\Seen'),
  KEYWORD: read => {
    const name = read.keyword();
    return c => c.message.flags.some(f => f.toLowerCase() === name);
  },
  UNKEYWORD: read => {
    const name = read.keyword();
    return c => !c.message.flags.some(f => f.toLowerCase() === name);
  },
  SINCE: read => {
    const from = read.day();
    return c => arrived(c) >= from;
  },
  BEFORE: read => {
    const to = read.day();
    return c => arrived(c) < to;
  },
  ON: read => {
    const on = read.day();
    return c => arrived(c) === on;
  },
  SENTSINCE: read => {
    const from = read.day();
    return c => (sentDay(c.parsed()) ?? -Infinity) >= from;
  },
  SENTBEFORE: read => {
    const to = read.day();
    return c => (sentDay(c.parsed()) ?? Infinity) < to;
  },
  SENTON: read => {
    const on = read.day();
    return c => sentDay(c.parsed()) === on;
  },
  YOUNGER: read => {
    const seconds = read.number();
    return c => c.message.internalDate >= Date.now() - seconds * 1000;
  },
  OLDER: read => {
    const seconds = read.number();
    return c => c.message.internalDate <= Date.now() - seconds * 1000;
  },
  LARGER: read => {
    const size = read.number();
    return c => c.message.size > size;
  },
  SMALLER: read => {
    const size = read.number();
    return c => c.message.size < size;
  },
  HEADER: read => {
    const name = read.text();
    return header(name, read.text());
  },
  FROM: read => header('from', read.text()),
  TO: read => header('to', read.text()),
  CC: read => header('cc', read.text()),
  BCC: read => header('bcc', read.text()),
  SUBJECT: read => header('subject', read.text()),
  BODY: read => {
    const wanted = read.text();
    return c => {
      const { part, bytes } = c.parsed();
      return searchableText(part, bytes).toLowerCase().includes(wanted);
    };
  },
  TEXT: read => {
    const wanted = read.text();
    return c => {
      const { part, bytes } = c.parsed();
      return `${headerText(part)}${searchableText(part, bytes)}`.toLowerCase().includes(wanted);
    };
  },
  UID: read => {
    const set = read.numberSet();
    return c => inSet(set, c.message.uid, c.lastUid);
  },
  EMAILID: read => {
    const id = read.id();
    return c => c.message.emailId === id;
  },
  MODSEQ: read => {
    const from = read.modseq();
    return c => c.message.modseq >= from;
  },
  NOT: read => {
    const test = read.nextKey();
    return c => !test(c);
  },
  OR: read => {
    const a = read.nextKey();
    const b = read.nextKey();
    return c => a(c) || b(c);
  },
};
