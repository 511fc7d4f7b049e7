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
function date(cursor: Cursor): number {
  const text = cursor.at('"') ? cursor.string() : cursor.atom();
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
  let results: string[] | undefined;
  let utf8 = true;
  let usesModseq = false;
  if (cursor.peek() === 'RETURN') {
    cursor.word('RETURN');
    cursor.space();
    results = cursor.list(() => cursor.atom().toUpperCase());
    for (const option of results)
      if (!['MIN', 'MAX', 'ALL', 'COUNT'].includes(option)) refuse('BAD', `Unknown SEARCH return option ${option}`);
    if (results.length === 0) results = ['ALL'];
    cursor.space();
  }
  if (cursor.peek() === 'CHARSET') {
    cursor.word('CHARSET');
    cursor.space();
    const charset = cursor.astring().toUpperCase();
    if (!['UTF-8', 'US-ASCII'].includes(charset)) refuse('NO', '[BADCHARSET (US-ASCII UTF-8)] Unknown charset');
    utf8 = charset === 'UTF-8';
    cursor.space();
  }
  const text = () => {
    const raw = cursor.astring();
    return (utf8 ? Buffer.from(raw, 'latin1').toString('utf8') : raw).toLowerCase();
  };
  const flag =
    (name: string, wanted = true): Test =>
    c =>
      c.message.flags.includes(name) === wanted;
  const header =
    (name: string, wanted: string): Test =>
    c =>
      c.parsed().part.headers.some(h => h.name === name && decodeWords(h.value.trim()).toLowerCase().includes(wanted));
  const numbers = (set: NumberSet, uid: boolean): Test =>
    uid ? c => inSet(set, c.message.uid, c.lastUid) : c => inSet(set, c.number, c.lastNumber);
  const arrived = (c: Candidate) => Math.floor(c.message.internalDate / day);
  const all =
    (tests: Test[]): Test =>
    c =>
      tests.every(test => test(c));
  const next = <T>(read: () => T): T => {
    cursor.space();
    return read();
  };

  const keys: Record<string, () => Test> = {
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
    KEYWORD: () => {
      const name = next(cursor.atom).toLowerCase();
      return c => c.message.flags.some(f => f.toLowerCase() === name);
    },
    UNKEYWORD: () => {
      const name = next(cursor.atom).toLowerCase();
      return c => !c.message.flags.some(f => f.toLowerCase() === name);
    },
    SINCE: () => {
      const from = next(() => date(cursor));
      return c => arrived(c) >= from;
    },
    BEFORE: () => {
      const to = next(() => date(cursor));
      return c => arrived(c) < to;
    },
    ON: () => {
      const on = next(() => date(cursor));
      return c => arrived(c) === on;
    },
    SENTSINCE: () => {
      const from = next(() => date(cursor));
      return c => (sentDay(c.parsed()) ?? -Infinity) >= from;
    },
    SENTBEFORE: () => {
      const to = next(() => date(cursor));
      return c => (sentDay(c.parsed()) ?? Infinity) < to;
    },
    SENTON: () => {
      const on = next(() => date(cursor));
      return c => sentDay(c.parsed()) === on;
    },
    YOUNGER: () => {
      const seconds = next(cursor.number);
      return c => c.message.internalDate >= Date.now() - seconds * 1000;
    },
    OLDER: () => {
      const seconds = next(cursor.number);
      return c => c.message.internalDate <= Date.now() - seconds * 1000;
    },
    LARGER: () => {
      const size = next(cursor.number);
      return c => c.message.size > size;
    },
    SMALLER: () => {
      const size = next(cursor.number);
      return c => c.message.size < size;
    },
    HEADER: () => {
      const name = next(text);
      return header(name, next(text));
    },
    FROM: () => header('from', next(text)),
    TO: () => header('to', next(text)),
    CC: () => header('cc', next(text)),
    BCC: () => header('bcc', next(text)),
    SUBJECT: () => header('subject', next(text)),
    BODY: () => {
      const wanted = next(text);
      return c => {
        const { part, bytes } = c.parsed();
        return searchableText(part, bytes).toLowerCase().includes(wanted);
      };
    },
    TEXT: () => {
      const wanted = next(text);
      return c => {
        const { part, bytes } = c.parsed();
        return `${headerText(part)}${searchableText(part, bytes)}`.toLowerCase().includes(wanted);
      };
    },
    UID: () => numbers(next(cursor.numberSet), true),
    EMAILID: () => {
      const id = next(cursor.astring);
      return c => c.message.emailId === id;
    },
    MODSEQ: () => {
      cursor.space();
      // The optional entry name and type say nothing here: all metadata has one counter (RFC 7162 3.1.5).
      if (cursor.at('"')) {
        cursor.string();
        cursor.space();
        cursor.atom();
        cursor.space();
      }
      usesModseq = true;
      const from = cursor.bigint();
      return c => c.message.modseq >= from;
    },
    NOT: () => {
      const test = next(key);
      return c => !test(c);
    },
    OR: () => {
      const a = next(key);
      const b = next(key);
      return c => a(c) || b(c);
    },
  };
  function key(): Test {
    if (cursor.at('(')) return all(cursor.list(key, { empty: false }));
    if (cursor.at('*') || /^\d/.test(cursor.peek())) return numbers(cursor.numberSet(), false);
    const name = cursor.atom().toUpperCase();
    const make = keys[name];
    return make ? make() : refuse('BAD', `Unknown SEARCH key ${name}`);
  }
  const tests = [key()];
  while (!cursor.over()) {
    cursor.space();
    tests.push(key());
  }
  return { test: all(tests), results, usesModseq };
}
