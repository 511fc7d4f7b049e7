import { isUtf8 } from 'node:buffer';

export type Place = [from: number, to: number];
/** A text that stands in another one in some spelling; `outer` says where in that other one a place of it is. */
export interface Layer {
  text: string;
  outer(place: Place): Place;
}

/**
 * What one spelling makes of each piece of a text. `alone` where the pieces are looked at without the text around them.
 */
interface Spelling {
  piece: RegExp;
  read(found: RegExpExecArray): string | undefined;
  alone?: true;
}

const textOfBytes = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(isUtf8(bytes) ? 'utf8' : 'latin1');
/** The text of bytes in UTF-8, Latin-1, or in two bytes a letter, where every other one is zero more often than not. */
function textOfAny(bytes: Buffer): string {
  let zeros = 0;
  for (let i = 1; i < bytes.length; i += 2) if (bytes[i] === 0) zeros++;
  return zeros * 4 > bytes.length ? bytes.toString('utf16le') : textOfBytes(bytes);
}
const ofHex = (digits: string) => textOfAny(Buffer.from(digits.replace(/[^\da-f]/gi, ''), 'hex'));

const SHORT: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };
const NAMED: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  excl: '!',
  num: '#',
  dollar: '$',
  percnt: '%',
  lpar: '(',
  rpar: ')',
  plus: '+',
  comma: ',',
  sol: '/',
  colon: ':',
  semi: ';',
  equals: '=',
  quest: '?',
  commat: '@',
  lsqb: '[',
  bsol: '\\',
  rsqb: ']',
  lowbar: '_',
  lcub: '{',
  rcub: '}',
  verbar: '|',
};
const ofPoint = (code: number) => (code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined);

/** Spellings of single letters; the text around them stays what it is. */
const LETTERS: readonly Spelling[] = [
  { piece: /(?:%[\da-f]{2})+/gi, read: ([all]) => ofHex(all) },
  { piece: /(?:=[\da-f]{2})+|=\r?\n/gi, read: ([all]) => (/\n/.test(all) ? '' : ofHex(all)) },
  // Each JSON around another doubles the backslashes.
  {
    piece: /(?:\\{1,128}x[\da-f]{2})+|\\{1,128}u([\da-f]{4})|(?:\\{1,128}[0-3][0-7]{2})+|\\([^\s\w]|[nrtbf])/gi,
    read: ([all, unit, short]) =>
      unit
        ? String.fromCharCode(parseInt(unit, 16))
        : short
          ? (SHORT[short] ?? short)
          : textOfBytes(
              Uint8Array.from(all.split(/\\+/).slice(1), said =>
                /^x/i.test(said) ? parseInt(said.slice(1), 16) : parseInt(said, 8),
              ),
            ),
  },
  {
    piece: /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,8}));?/gi,
    read: ([, decimal, hex, name]) =>
      name ? NAMED[name.toLowerCase()] : ofPoint(decimal ? Number(decimal) : parseInt(hex!, 16)),
  },
];

/** The shortest run that is looked into, in letters. */
const RUN = 8;
const ofBase64 = (run: string, from: number) => textOfAny(Buffer.from(run.slice(from).replace(/\s/g, ''), 'base64'));
/**
 * Spellings of whole texts: a run shows a secret together with its neighbours. A run of base64 may begin within a
 * longer word.
 */
const RUNS: readonly Spelling[] = [
  ...[0, 1, 2, 3].map((from): Spelling => ({
    piece: /[\w+/-]+(?:\r?\n[\w+/-]+)*={0,2}/g,
    read: ([all]) => (all.length < RUN ? undefined : ofBase64(all, from)),
    alone: true,
  })),
  {
    piece: /(?:0x)?[\da-f]{2}(?:[\s:,;+-]{0,2}(?:0x)?[\da-f]{2}){3,}/gi,
    read: ([all]) => ofHex(all.replace(/0x/gi, '')),
    alone: true,
  },
  {
    piece: /\d{1,3}(?:\s{0,8}[,;]\s{0,8}\d{1,3}){3,}/g,
    read: ([all]) => textOfBytes(Uint8Array.from(all.split(/[,;]/), Number)),
    alone: true,
  },
];

/** What stands in a text in each spelling that is in it. */
export const layersOf = (text: string): Layer[] =>
  [...LETTERS, ...RUNS].flatMap(spelling => layer(text, spelling) ?? []);

function layer(text: string, { piece, read, alone }: Spelling): Layer | undefined {
  const pieces: Piece[] = [];
  let out = '';
  let at = 0;
  piece.lastIndex = 0;
  for (let found = piece.exec(text); found; found = piece.exec(text)) {
    const letters = read(found);
    const from = found.index;
    const to = piece.lastIndex;
    if (letters === undefined || (alone && !isReadable(letters))) continue;
    if (!alone) out += text.slice(at, from);
    pieces.push({ start: out.length, from, to });
    // What stood apart stays apart.
    out += alone ? `${letters}\n` : letters;
    pieces.push({ start: out.length, from: to, to: undefined });
    at = to;
  }
  if (!pieces.length) return undefined;
  return {
    text: alone ? out : out + text.slice(at),
    outer: place => outer([{ start: 0, from: 0, to: undefined }, ...pieces], place),
  };
}

/**
 * A piece of a layer: where it starts there, and where it stands outside; one without an end stands there letter by
 * letter.
 */
interface Piece {
  start: number;
  from: number;
  to: number | undefined;
}

function outer(pieces: readonly Piece[], [start, end]: Place): Place {
  const first = pieces.findLast(piece => piece.start <= start)!;
  const last = pieces.findLast(piece => piece.start < end)!;
  return [
    first.to === undefined ? first.from + start - first.start : first.from,
    last.to ?? last.from + end - last.start,
  ];
}

/** Whether bytes are a text: most words, read as base64, are none. */
const isReadable = (letters: string) =>
  (letters.match(/[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]/g) ?? []).length * 4 <= letters.length;
