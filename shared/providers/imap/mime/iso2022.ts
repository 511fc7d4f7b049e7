import { TextDecoder } from 'node:util';

/*
 * Charsets that shift between sets of characters by escape sequences (ISO 2022: RFC 1468, 1554, 1557, 1922, and HZ, RFC
 * 1843). Neither the decoder of Node nor iconv-lite knows them all. Each set is one that an EUC encoding knows as well,
 * a bit further up, so the bytes are written as those.
 */
const LABELS =
  /^(?:(?:cs)?iso-?2022-?(?:jp|kr|cn).*|cp5022\d|cp50225|jis7?|jis-encoding|csjisencoding|hz|hz-?gb(?:-?2312)?)$/;

/** True for the name of such a charset. */
export const isShifted = (label: string): boolean => LABELS.test(label);

interface Set {
  charset: string;
  width: 1 | 2;
  lead?: number;
}
const ASCII: Set = { charset: 'ascii', width: 1 };
/** By what follows ESC. JIS X 0201 differs from ASCII in two signs only, and both are meant as ASCII. */
const SETS: Readonly<Record<string, Set>> = {
  '(B': ASCII,
  '(J': ASCII,
  '(H': ASCII,
  '(I': { charset: 'euc-jp', width: 1, lead: 0x8e },
  '$@': { charset: 'euc-jp', width: 2 },
  $B: { charset: 'euc-jp', width: 2 },
  '$(@': { charset: 'euc-jp', width: 2 },
  '$(B': { charset: 'euc-jp', width: 2 },
  '$(O': { charset: 'euc-jp', width: 2 },
  '$(Q': { charset: 'euc-jp', width: 2 },
  '$(D': { charset: 'euc-jp', width: 2, lead: 0x8f },
  $A: { charset: 'gbk', width: 2 },
  '$(A': { charset: 'gbk', width: 2 },
  '$(C': { charset: 'euc-kr', width: 2 },
};
/** What SO shifts to, and what stands for one character after ESC N. */
const SECOND: Readonly<Record<string, Set>> = {
  '$)C': { charset: 'euc-kr', width: 2 },
  '$)A': { charset: 'gbk', width: 2 },
};
const SINGLE: Readonly<Record<string, string>> = { '.A': 'iso-8859-1', '.F': 'iso-8859-7' };
const ESC = 0x1b;
const SO = 0x0e;
const SI = 0x0f;
const LF = 0x0a;
const TILDE = 0x7e;

/** Text from bytes of such a charset. What is malformed becomes U+FFFD. */
export function fromShifted(bytes: Uint8Array, label: string): string {
  return /^hz/.test(label) ? fromHz(bytes) : from2022(bytes);
}

/** Collects bytes of one charset after the other. */
function writer() {
  let out = '';
  let charset = 'ascii';
  let at = 0;
  let run = Buffer.allocUnsafe(1024);
  const flush = () => {
    if (at)
      out +=
        charset === 'ascii'
          ? run.toString('latin1', 0, at).replace(/[\x80-\xff]/g, '\ufffd')
          : new TextDecoder(charset).decode(run.subarray(0, at));
    at = 0;
  };
  return {
    put(in_: string, ...bytes: number[]) {
      if (in_ !== charset) {
        flush();
        charset = in_;
      }
      if (at + bytes.length > run.length) run = Buffer.concat([run, Buffer.allocUnsafe(run.length)]);
      for (const byte of bytes) run[at++] = byte;
    },
    text() {
      flush();
      return out;
    },
  };
}

function from2022(bytes: Uint8Array): string {
  const out = writer();
  const { length } = bytes;
  const text = Buffer.from(bytes).toString('latin1');
  let first = ASCII;
  let second: Set | undefined;
  let shifted = false;
  let single = 'iso-8859-1';
  for (let i = 0; i < length; i++) {
    const byte = bytes[i]!;
    if (byte === ESC) {
      const end = escapeEnd(bytes, i + 1);
      const name = text.slice(i + 1, end);
      if (SETS[name]) {
        first = SETS[name];
        i = end - 1;
        continue;
      }
      if (SECOND[name]) {
        second = SECOND[name];
        i = end - 1;
        continue;
      }
      if (SINGLE[name]) {
        single = SINGLE[name];
        i = end - 1;
        continue;
      }
      if (name[0] === 'N' && i + 2 < length) {
        out.put(single, bytes[i + 2]! | 0x80);
        i += 2;
        continue;
      }
      out.put('ascii', byte);
      continue;
    }
    if (byte === SO || byte === SI) {
      shifted = byte === SO;
      continue;
    }
    // A line begins with ASCII, whatever the one before forgot.
    if (byte === LF) {
      first = ASCII;
      shifted = false;
    }
    const set = shifted && second ? second : first;
    if (byte <= 0x20 || byte >= 0x7f || set === ASCII) {
      out.put('ascii', byte);
      continue;
    }
    const lead = set.lead === undefined ? [] : [set.lead];
    if (set.width === 1) out.put(set.charset, ...lead, byte | 0x80);
    else if (i + 1 < length && bytes[i + 1]! > 0x20) out.put(set.charset, ...lead, byte | 0x80, bytes[++i]! | 0x80);
    else out.put('ascii', 0xff);
  }
  return out.text();
}

/** Where an escape sequence ends: intermediates, then one that is final (ISO 2022 section 13). */
function escapeEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && at - from < 3 && bytes[at]! >= 0x20 && bytes[at]! <= 0x2f) at++;
  return Math.min(at + 1, bytes.length);
}

function fromHz(bytes: Uint8Array): string {
  const out = writer();
  let chinese = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    const next = bytes[i + 1];
    if (byte === TILDE) {
      if (next === 0x7b) {
        chinese = true;
        i++;
        continue;
      }
      if (next === 0x7d) {
        chinese = false;
        i++;
        continue;
      }
      if (next === LF) {
        i++;
        continue;
      }
      if (next === TILDE) {
        out.put('ascii', TILDE);
        i++;
        continue;
      }
    }
    if (byte === LF) chinese = false;
    if (chinese && byte > 0x20 && next !== undefined && next > 0x20) {
      out.put('gbk', byte | 0x80, next | 0x80);
      i++;
    } else out.put('ascii', byte);
  }
  return out.text();
}
