import { isAscii, isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import { decodingTools } from '../libraries.js';
import { fromShifted, isShifted } from './iso2022.js';
import { SIX } from './transfer.js';

/** What the label stands for where `TextDecoder` and iconv-lite know it by another name only. */
const ALIASES: readonly [RegExp, string][] = [
  [
    /^(?:us-?ascii|ascii|ansi[-_]x3\.4.*|iso-?646.*|646|7bit|8bit|binary|default|none|unknown.*|x-unknown.*|.*user-defined)$/,
    '',
  ],
  [/^(?:utf-?8.*|unicode-1-1-utf-8|cp65001|x-utf-?8)$/, 'utf-8'],
  [/^(?:utf-?7|unicode-[12]-[01]-utf-7|x-unicode-2-0-utf-7|cs?unicode11utf7|cp65000)$/, 'utf-7'],
  [/^(?:unicode|ucs-?2|utf-?16|iso-10646-ucs-2|csunicode)$/, 'utf-16'],
  [/^(?:ucs-?2-?le|cp1200)$/, 'utf-16le'],
  [/^(?:ucs-?2-?be|cp1201)$/, 'utf-16be'],
  [/^(?:ucs-?4|utf-?32|iso-10646-ucs-4)$/, 'utf-32'],
  [/^utf-?(16|32)-?(le|be)$/, 'utf-$1$2'],
  [
    /^(?:cp|ms|ibm|windows|x-ms-cp|x-sjis-cp)?-?9(?:32|42|43)c?$|^(?:cs)?windows-?31j$|^(?:x-)?(?:s-?jis|shift-?jis|ms-?kanji|shift-jis)-?(?:win|ms|open|2004|x0213)?$/,
    'shift_jis',
  ],
  [
    /^(?:x-)?euc-?jp(?:-?(?:ms|win|open|2004|x0213))?$|^euc-?jisx?-?(?:2004|0213)$|^u-?jis$|^cp51932$|^extended-unix-code-packed-format-for-japanese$/,
    'euc-jp',
  ],
  [/^(?:cp|ms|ibm|windows|x-windows)?-?949$|^(?:x-)?euc-?kr$|^uhc$|^ks-?c-?5601.*$|^ksc-?5601.*$|^korean$/, 'euc-kr'],
  [
    /^(?:cp|ms|ibm|windows|x-ms-cp)?-?(?:936|54936|1386)$|^(?:x-)?(?:euc-?cn|gb-?(?:2312|k|18030)(?![\da-z]).*|cn-gb|chinese)$|^csgb2312$/,
    'gb18030',
  ],
  [
    /^(?:cp|ms|ibm|windows)?-?950$|^(?:x-x-|x-)?big-?5(?:[-+]?(?:hk ?scs|eten|tw|e|p|ms|2003))?.*$|^cn-big5$|^csbig5$/,
    'big5',
  ],
  [/^(?:cp|win|windows|ms|x-cp|x-windows|ansi|(?:windows|microsoft)-cp)?-?(125\d|874)$/, 'windows-$1'],
  [/^(?:ansi|ms-ansi|winlatin1|x-ansi)$/, 'windows-1252'],
  [
    /^(?:cp|ibm|oem|dos|pc|x-cp|ccsid)?-?(?:00)?(437|720|737|775|808|850|852|855|856|857|858|860|861|862|863|864|865|866|869|922|1046|1124|1125|1129|1133|1161|1162|1163)$/,
    'cp$1',
  ],
  [/^koi8?-?r?$|^cp878$|^cskoi8r$/, 'koi8-r'],
  [/^koi8-?(?:u|ru)$|^cp21866$/, 'koi8-u'],
  [/^koi8-?t$/, 'koi8-t'],
  [/^(?:pt-?cp-?154|csptcp154|cyrillic-asian)$/, 'pt154'],
  [/^kz-?1048$|^cskz1048$|^strk1048-2002$/, 'rk1048'],
  [/^(?:x-)?mac(?:intosh)?(?:-?roman)?$|^cp10000$|^csmacintosh$/, 'macintosh'],
  [/^(?:x-)?mac-?(?:cyrillic|ukrain(?:e|ian))$|^cp1000[17]$/, 'x-mac-cyrillic'],
  [
    /^(?:x-)?mac-?(?:ce|centraleurope|central-?euro?p?e?|latin-?2|east-?europe|central-?eur-?roman)$|^cp10029$/,
    'maccenteuro',
  ],
  [/^(?:x-)?mac-?(croatian|greek|iceland|romania|thai|turkish)(?:ic|n)?$/, 'mac$1'],
  [/^latin-?9$|^l9$|^latin-?0$/, 'iso-8859-15'],
  [/^latin-?10$|^l10$/, 'iso-8859-16'],
  [/^(?:latin|l)-?([1-4])$/, 'iso-8859-$1'],
  [/^(?:latin|l)-?5$/, 'iso-8859-9'],
  [/^(?:latin|l)-?6$/, 'iso-8859-10'],
  [/^(?:latin|l)-?7$/, 'iso-8859-13'],
  [/^(?:latin|l)-?8$/, 'iso-8859-14'],
  [
    /^(?:cs)?(?:iso|latin|x-iso|8859)?-?(?:ir-\d+-)?(?:8859)?-(1[0-6]|[1-9])(?:-?[ie])?(?:[-:(].*)?$|^iso-?8859-?(1[0-6]|[1-9])(?:[^\d].*)?$/,
    'iso-8859-$1$2',
  ],
  [/^tis-?620(?:[-.]\d)?$|^iso-8859-11$/, 'windows-874'],
];

/** Reads bytes; with `cut` what may go on after them is left out. */
type Read = (bytes: Uint8Array, cut: boolean) => string;

const readers = new Map<string, Read | undefined>();
const web = (label: string): Read => {
  // Throws for what it does not know.
  new TextDecoder(label);
  return (bytes, cut) => new TextDecoder(label).decode(bytes, { stream: cut });
};

function readerOf(label: string): Read | undefined {
  if (!label) return undefined;
  if (label === 'utf-7') return fromUtf7;
  if (isShifted(label)) return bytes => fromShifted(bytes, label);
  const { iconv } = decodingTools();
  // A byte order that nobody told is looked for by the library; and Node's tables of these two lack what Windows added
  // to them.
  if (/^(?:utf-(?:16|32)|euc-kr|big5)$/.test(label)) return iconvRead(label === 'euc-kr' ? 'cp949' : label);
  try {
    return web(label);
  } catch {
    /* one of the older ones */
  }
  return iconv.encodingExists(label) ? iconvRead(label) : undefined;
}

/** RFC 2152. The library does the same in fifty times the time. */
function fromUtf7(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length);
  let to = 0;
  let shifted = false;
  let bits = 0;
  let count = 0;
  let begun = false;
  for (const byte of bytes) {
    const six = SIX[byte]!;
    if (!shifted) {
      shifted = byte === PLUS;
      if (shifted) {
        count = 0;
        begun = false;
      } else units[to++] = byte;
    } else if (six >= 0) {
      begun = true;
      bits = ((bits << 6) | six) & 0x3fffff;
      if ((count += 6) >= 16) {
        count -= 16;
        units[to++] = bits >> count;
      }
    } else {
      shifted = false;
      // `+-` is the plus itself.
      if (!begun) units[to++] = PLUS;
      if (byte !== MINUS) units[to++] = byte;
    }
  }
  return new TextDecoder('utf-16le').decode(units.subarray(0, to));
}
const PLUS = 0x2b;
const MINUS = 0x2d;

const iconvRead =
  (label: string): Read =>
  (bytes, cut) => {
    const decoder = decodingTools().iconv.getDecoder(label);
    const text = decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    return cut ? text : text + (decoder.end() ?? '');
  };

/** Names that were looked up. They come from messages, so the number of those remembered has an end. */
const names = new Map<string, string>();
const MOST_NAMES = 200;

/** The name under which a charset is known, in small letters; empty for ASCII, and for names that say nothing. */
export function charsetName(charset: string | undefined): string {
  const said = (charset ?? '').slice(0, 100);
  const known = names.get(said);
  if (known !== undefined) return known;
  const name = lookedUp(said);
  if (names.size < MOST_NAMES) names.set(said, name);
  return name;
}
function lookedUp(said: string): string {
  const label = said
    .replace(/\*.*$/, '')
    .replace(/["'\s]+/g, '')
    .replace(/_/g, '-')
    .toLowerCase();
  for (const [spelled, name] of ALIASES) if (spelled.test(label)) return label.replace(spelled, name);
  return label;
}

function reader(charset: string | undefined): { name: string; read: Read | undefined } {
  const name = charsetName(charset);
  if (readers.has(name)) return { name, read: readers.get(name) };
  const read = readerOf(name);
  if (readers.size < MOST_NAMES) readers.set(name, read);
  return { name, read };
}

const strict = new TextDecoder('utf-8', { fatal: true });
const windows = new TextDecoder('windows-1252');

/**
 * UTF-8, or what it is taken for. Bytes that are no UTF-8 become U+FFFD, unless most of what is not ASCII is bad: then
 * it is no UTF-8, but windows-1252. `said` where the sender says that it is UTF-8.
 */
function utf8(bytes: Uint8Array, cut: boolean, said: boolean): string {
  // One that is told to wait for more keeps what it waits for.
  try {
    return (cut ? new TextDecoder('utf-8', { fatal: true }) : strict).decode(bytes, { stream: cut });
  } catch {
    /* looked at below */
  }
  const text = new TextDecoder('utf-8').decode(bytes, { stream: cut });
  let bad = 0;
  let good = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0xfffd) bad++;
    else if (code > 0x7f) good++;
  }
  // By chance hardly any of the other charsets makes a character of UTF-8: where there are some, what is bad beside
  // them is damage.
  return (said ? bad > good * 8 : bad * 2 > good) ? windows.decode(bytes) : text;
}

/**
 * Text from bytes. Never throws: what the sender says is believed where such a charset is known. `cut` for the
 * beginning of something longer, whose last character may not be whole; it is left out.
 */
export function textOf(bytes: Uint8Array, charset: string | undefined, cut = false): string {
  const { name, read } = reader(charset);
  if (!read || name === 'utf-8') return utf8(bytes, cut, name === 'utf-8');
  try {
    return read(bytes, cut);
  } catch {
    return utf8(bytes, cut, false);
  }
}

/**
 * Bytes of a header that should be ASCII: UTF-8 where they are that, else the charset of the body, else windows-1252. A
 * byte or two that are bad beside much that is UTF-8 are damage. A mark of the byte order is no text.
 */
export function rawText(bytes: Uint8Array, charset?: string): string {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  // Most are, and need no decoder.
  if (isAscii(all))
    return all.includes(ESC) && SHIFTS.test(all.toString('latin1'))
      ? fromShifted(all, 'iso-2022-jp')
      : all.toString('latin1');
  const name = charsetName(charset);
  return isUtf8(all) || !name || /^utf-/.test(name) || isShifted(name)
    ? utf8(all, false, name === 'utf-8')
    : textOf(all, name);
}
const ESC = 0x1b;
const SHIFTS = /\x1b\$[@AB(][^]*\x1b\([BJ]/;

/**
 * The charset that an HTML text says of itself where its header says none, as browsers look for it (HTML, section
 * 13.2.3.2): near its beginning.
 */
export function charsetInHtml(bytes: Buffer): string | undefined {
  if (isUtf8(bytes)) return undefined;
  return /<meta\b[^<>]{0,300}?\bcharset\s*=\s*["']?\s*([\w.:-]{2,40})/i.exec(
    bytes.toString('latin1', 0, META_WITHIN),
  )?.[1];
}
const META_WITHIN = 1024;
