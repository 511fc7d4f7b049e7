import { escape as queryEscape } from 'node:querystring';
import { inspect } from 'node:util';
import fc from 'fast-check';
import * as qp from 'nodemailer/lib/qp';

const hexed = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding).toString('hex');
const units = (text: string, spell: (hex: string) => string) =>
  [...Array(text.length).keys()].map(i => spell(text.charCodeAt(i).toString(16).padStart(4, '0'))).join('');
const points = (text: string, spell: (code: number) => string) =>
  [...text].map(char => spell(char.codePointAt(0)!)).join('');
const NAMED: Record<string, string> = {
  '&': 'amp',
  '<': 'lt',
  '>': 'gt',
  '"': 'quot',
  "'": 'apos',
  ä: 'auml',
  Ö: 'Ouml',
  ß: 'szlig',
  '!': 'excl',
  ';': 'semi',
  '@': 'commat',
};
const named = (text: string) => text.replace(/[&<>"'äÖß!;@]/g, char => `&${NAMED[char]};`);

const jsonText = (text: string) => JSON.stringify(text).slice(1, -1);

/** How a vendor may spell what it was sent, by encoders that are not Mailroom's. */
export const SPELLINGS: Record<string, (secret: string) => string> = {
  'as it is': secret => secret,
  percent: encodeURIComponent,
  'percent in lower case': secret => encodeURIComponent(secret).replace(/%../g, found => found.toLowerCase()),
  'percent, every byte': secret => hexed(secret).replace(/../g, '%$&'),
  'percent twice': secret => encodeURIComponent(encodeURIComponent(secret)),
  'as a query': queryEscape,
  'as a form': secret => new URLSearchParams({ x: secret }).toString().slice(2),
  JSON: jsonText,
  'JSON within JSON': secret => jsonText(jsonText(secret)),
  'JSON within JSON within JSON': secret => jsonText(jsonText(jsonText(secret))),
  'JSON, four times': secret => jsonText(jsonText(jsonText(jsonText(secret)))),
  '\\u in JSON within JSON': secret => jsonText(jsonText(units(secret, hex => `\\u${hex}`))),
  'JSON in ASCII': secret => jsonText(secret).replace(/[\x80-\uffff]/g, char => units(char, hex => `\\u${hex}`)),
  'JSON as PHP writes it': secret =>
    jsonText(secret)
      .replace(/\//g, '\\/')
      .replace(/[\x80-\uffff<>&']/g, char => units(char, hex => `\\u${hex.toUpperCase()}`)),
  '\\u': secret => units(secret, hex => `\\u${hex}`),
  'entities by number': secret => points(secret, code => `&#${code};`),
  'entities in hex': secret => points(secret, code => `&#x${code.toString(16).toUpperCase()};`),
  'entities by name': named,
  'entities of entities': secret => named(secret).replace(/&/g, '&amp;'),
  base64: secret => Buffer.from(secret).toString('base64'),
  base64url: secret => Buffer.from(secret).toString('base64url'),
  'base64 of user:password': secret => Buffer.from(`ann@example.com:${secret}`).toString('base64'),
  'base64 of user:password, one letter on': secret => Buffer.from(`ann@example.comm:${secret}`).toString('base64'),
  'base64 of user:password, two letters on': secret =>
    Buffer.from(`ann@example.commm:${secret}\0`).toString('base64url'),
  'base64 in a form': secret => encodeURIComponent(Buffer.from(`\0ann\0${secret}`).toString('base64')),
  'base64 of UTF-16': secret => Buffer.from(secret, 'utf16le').toString('base64'),
  hex: secret => hexed(secret),
  'hex of UTF-16': secret => hexed(secret, 'utf16le'),
  'hex as C writes it': secret =>
    hexed(secret)
      .replace(/..(?!$)/g, '0x$&, ')
      .replace(/..$/, '0x$&'),
  'numbers, as JSON writes bytes': secret => [...Buffer.from(secret)].join(','),
  'quotes doubled, as SQL has them': secret => secret.replace(/['"]/g, '$&$&'),
  'hex in capitals with blanks': secret =>
    hexed(secret)
      .toUpperCase()
      .replace(/..(?!$)/g, '$& '),
  'quoted-printable': secret => qp.encode(Buffer.from(secret)),
  'in ASCII': secret => secret.replace(/[\x80-\uffff]/g, '?'),
  'in ASCII, a mark for each byte': secret =>
    [...secret].map(char => (char > '\x7f' ? '?'.repeat(Buffer.byteLength(char)) : char)).join(''),
  'bytes that are no UTF-8': secret => secret.replace(/[\x80-\uffff]+/g, found => '\ufffd'.repeat(found.length)),
  'lost letters read as Latin-1': secret =>
    secret.replace(/[\x80-\uffff]+/g, found => Buffer.from('\ufffd'.repeat(found.length)).toString('latin1')),
  'UTF-8 read as Latin-1': secret => Buffer.from(secret).toString('latin1'),
};
const letters = fc.constantFrom(
  ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)),
  'ä',
  'Ö',
  'ß',
  'é',
  '€',
  '😀',
);
/** Secrets of all of ASCII and letters beyond it, so long at least. */
export const secretText = (min: number) =>
  fc
    .array(letters, { minLength: min, maxLength: 40 })
    .map(list => list.join(''))
    .filter(text => text.trim() === text && text.length >= min);

/** The spellings of a secret that can be seen in an error, however it is printed. */
export function seenIn(error: unknown, secret: string): string[] {
  const own = (one: unknown, depth = 0): string =>
    one instanceof Error && depth < 10
      ? `${one.message}\n${one.stack}\n${safeJson({ ...one })}\n${own(one.cause, depth + 1)}`
      : '';
  const printed = [
    inspect(error, { depth: 30, showHidden: true, maxStringLength: Infinity, maxArrayLength: Infinity }),
    safeJson(error),
    own(error),
  ].join('\n');
  const plain = printed.replace(/\\(.)/g, '$1');
  return Object.entries(SPELLINGS)
    .filter(([, spell]) => {
      const spelled = spell(secret);
      return printed.includes(spelled) || plain.includes(spelled);
    })
    .map(([name]) => name);
}
const safeJson = (value: unknown) => {
  try {
    return JSON.stringify(value);
  } catch {
    return '';
  }
};
