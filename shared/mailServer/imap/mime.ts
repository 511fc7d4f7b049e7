import { addresses, type Address } from './addresses.js';
import { imapString } from './cursor.js';

/**
 * A MIME part as offsets into its message. Broken mail gives a part too: nothing here throws.
 * Header bytes are `start` to `body` (with the blank line), content is `body` to `end`.
 */
export interface Part {
  start: number;
  body: number;
  end: number;
  headers: Header[];
  type: string;
  subtype: string;
  params: [string, string][];
  /** Parts of a multipart, or the one message inside message/rfc822. */
  children: Part[];
}
/** Names in lower case, values unfolded; both are bytes in latin1. */
export interface Header {
  name: string;
  value: string;
  from: number;
  to: number;
}

/** Dovecot's own limit; deeper parts are left in one piece. */
const deepest = 100;
const mostParts = 20_000;

/** The tree of parts of a message (RFC 2045, RFC 2046). */
export function parseMime(bytes: Buffer): Part {
  let count = 0;
  const parse = (start: number, end: number, depth: number, fallback: [string, string]): Part => {
    count++;
    const { headers, body } = readHeaders(bytes, start, end);
    const declared = contentType(valueOf(headers, 'content-type'));
    const [type, subtype] = declared ? [declared.type, declared.subtype] : fallback;
    const part: Part = { start, body, end, headers, type, subtype, params: declared?.params ?? [], children: [] };
    if (depth >= deepest) return part;
    if (type === 'multipart') {
      const boundary = part.params.find(([name]) => name === 'boundary')?.[1];
      const inner: [string, string] = subtype === 'digest' ? ['message', 'rfc822'] : ['text', 'plain'];
      for (const [from, to] of boundary ? pieces(bytes, body, end, boundary) : []) {
        if (count >= mostParts) break;
        part.children.push(parse(from, to, depth + 1, inner));
      }
    } else if (type === 'message' && (subtype === 'rfc822' || subtype === 'global'))
      part.children.push(parse(body, end, depth + 1, ['text', 'plain']));
    return part;
  };
  return parse(0, bytes.length, 0, ['text', 'plain']);
}

function readHeaders(bytes: Buffer, start: number, end: number): { headers: Header[]; body: number } {
  const headers: Header[] = [];
  for (let at = start; at < end;) {
    let line = bytes.indexOf(10, at);
    if (line < 0 || line >= end) line = end - 1;
    const next = line + 1;
    if (next - at <= 2 && (bytes[at] === 10 || (bytes[at] === 13 && bytes[at + 1] === 10)))
      return { headers, body: next };
    const text = bytes.toString('latin1', at, next).replace(/\r?\n$/, '');
    const last = headers.at(-1);
    const colon = text.indexOf(':');
    if (/^[ \t]/.test(text) && last) {
      last.value += text;
      last.to = next;
    } else if (colon > 0)
      headers.push({
        name: text.slice(0, colon).trim().toLowerCase(),
        value: text.slice(colon + 1),
        from: at,
        to: next,
      });
    else headers.push({ name: '', value: text, from: at, to: next });
    at = next;
  }
  return { headers, body: end };
}
function pieces(bytes: Buffer, start: number, end: number, boundary: string): [number, number][] {
  const mark = Buffer.from(`--${boundary}`, 'latin1');
  const found: [number, number][] = [];
  let from = -1;
  for (let at = bytes.indexOf(mark, start); at >= 0 && at < end; at = bytes.indexOf(mark, at + 1)) {
    if (at !== start && bytes[at - 1] !== 10) continue;
    let after = at + mark.length;
    const closes = bytes[after] === 45 && bytes[after + 1] === 45;
    if (closes) after += 2;
    const line = bytes.indexOf(10, after);
    const next = line < 0 || line >= end ? end : line + 1;
    if (/[^ \t\r\n]/.test(bytes.toString('latin1', after, Math.min(next, after + 200)))) continue;
    // The line break before a delimiter belongs to the delimiter.
    if (from >= 0) found.push([from, Math.max(from, bytes[at - 2] === 13 && at - 2 >= from ? at - 2 : at - 1)]);
    from = closes ? -1 : next;
    if (closes) return found;
  }
  if (from >= 0) found.push([from, end]);
  return found;
}

/** The unfolded, trimmed value of the first header of that name (lower case). */
export const valueOf = (headers: Header[], name: string): string | undefined =>
  headers.find(h => h.name === name)?.value.trim();

function contentType(
  value: string | undefined,
): { type: string; subtype: string; params: [string, string][] } | undefined {
  const match = /^\s*([^\s/;()<>@,:\\"[\]?=]+)\s*\/\s*([^\s/;()<>@,:\\"[\]?=]+)\s*(.*)$/s.exec(value ?? '');
  return match
    ? { type: match[1]!.toLowerCase(), subtype: match[2]!.toLowerCase(), params: parameters(match[3]!) }
    : undefined;
}
function parameters(text: string): [string, string][] {
  const found: [string, string][] = [];
  for (const match of text.matchAll(/;\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)/gs)) {
    const raw = match[2]!;
    found.push([
      match[1]!.toLowerCase(),
      raw.startsWith('"') ? raw.slice(1).replace(/"$/, '').replace(/\\(.)/gs, '$1') : raw.replace(/\(.*/s, '').trim(),
    ]);
  }
  return found;
}

/**
 * The part a number path names (RFC 3501 6.4.5): `1.2`, where a single part is its own part 1. Undefined where there is
 * none.
 */
export function findPart(root: Part, path: readonly number[]): Part | undefined {
  let part: Part | undefined = root;
  path.forEach((number, level) => {
    if (!part) return;
    const holder: Part | undefined = level > 0 && part.type === 'message' ? part.children[0] : part;
    if (!holder) part = undefined;
    else if (holder.type === 'multipart') part = holder.children[number - 1];
    else part = number === 1 && (level === 0 || holder !== part) ? holder : undefined;
  });
  return part;
}

/** What Dovecot writes where a half of an address is missing (its imap-envelope.c and message-address.c). */
const filled = ({ name, mailbox, host }: Address): Address => {
  if (host === undefined) return { name, mailbox, host };
  // Several words without an address are a name to it.
  const phrase = !host && !name && /\s/.test(mailbox ?? '');
  return phrase
    ? { name: mailbox, mailbox: 'MISSING_MAILBOX', host: 'MISSING_DOMAIN' }
    : { name, mailbox: mailbox || 'MISSING_MAILBOX', host: host || 'MISSING_DOMAIN' };
};
const listOf = (value: string | undefined, placeholders: boolean): string => {
  const list = (value === undefined ? [] : addresses(value)).map(one => (placeholders ? filled(one) : one));
  return list.length === 0
    ? 'NIL'
    : `(${list.map(a => `(${imapString(a.name)} NIL ${imapString(a.mailbox)} ${imapString(a.host)})`).join('')})`;
};

/**
 * ENVELOPE (RFC 3501 7.4.2); Sender and Reply-To default to From. `placeholders` stand where an address lacks a half.
 */
export function envelope({ headers }: Part, placeholders = false): string {
  const addressList = (text: string | undefined) => listOf(text, placeholders);
  const value = (name: string) => valueOf(headers, name);
  const from = addressList(value('from'));
  const or = (list: string) => (list === 'NIL' ? from : list);
  return `(${[
    imapString(value('date')),
    imapString(value('subject')),
    from,
    or(addressList(value('sender'))),
    or(addressList(value('reply-to'))),
    addressList(value('to')),
    addressList(value('cc')),
    addressList(value('bcc')),
    imapString(value('in-reply-to')),
    imapString(value('message-id')),
  ].join(' ')})`;
}

const parameterList = (params: [string, string][]): string =>
  params.length === 0
    ? 'NIL'
    : `(${params.map(([name, value]) => `${imapString(name)} ${imapString(value)}`).join(' ')})`;
const countLines = (bytes: Buffer, from: number, to: number): number => {
  let lines = 0;
  for (let at = bytes.indexOf(10, from); at >= 0 && at < to; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
};

/** BODYSTRUCTURE, or BODY without the extension data (RFC 3501 7.4.2). */
export function bodyStructure(
  part: Part,
  bytes: Buffer,
  extended: boolean,
  quirks: { placeholders?: boolean; structure?: boolean } = {},
): string {
  const { headers } = part;
  const value = (name: string) => valueOf(headers, name);
  const disposition = () => {
    const match = /^([^\s;]+)\s*(.*)$/s.exec(value('content-disposition') ?? '');
    return match ? `(${imapString(match[1]!.toLowerCase())} ${parameterList(parameters(match[2]!))})` : 'NIL';
  };
  const language = () => {
    const tags = (value('content-language') ?? '')
      .split(',')
      .map(t => t.trim())
      .filter(Boolean);
    return tags.length === 0 ? 'NIL' : `(${tags.map(imapString).join(' ')})`;
  };
  const tail = () => `${disposition()} ${language()} ${imapString(value('content-location'))}`;
  const declared = value('content-type') ?? '';
  if (quirks.structure && part.type === 'multipart' && declared.split('"').length % 2 === 0) {
    // What Dovecot 2.3.19 says of a boundary whose quote is not closed: no parameters, and one empty text.
    return `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) ${imapString(part.subtype)}${extended ? ' NIL NIL NIL NIL' : ''})`;
  }
  // And of `text/html charset=utf-8`, without a semicolon.
  if (quirks.structure && /^[\w-]+\/[\w-]+\s+[^;\s(]/.test(declared))
    return `("" "" NIL NIL NIL "7bit" ${part.end - part.body}${extended ? ' NIL NIL NIL NIL' : ''})`;
  if (part.type === 'multipart') {
    // A multipart must have parts: one without any is shown with one empty text, as Dovecot does.
    const empty = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0${extended ? ' NIL NIL NIL NIL' : ''})`;
    const inner = part.children.map(child => bodyStructure(child, bytes, extended, quirks)).join('') || empty;
    return `(${inner} ${imapString(part.subtype)}${extended ? ` ${parameterList(part.params)} ${tail()}` : ''})`;
  }
  const plain = part.type === 'text' && !part.params.some(([name]) => name === 'charset');
  const fields = [
    imapString(part.type),
    imapString(part.subtype),
    parameterList(plain ? [...part.params, ['charset', 'us-ascii']] : part.params),
    imapString(value('content-id')),
    imapString(value('content-description')),
    imapString((value('content-transfer-encoding') ?? '7bit').replace(/[;\s].*$/s, '').toLowerCase() || '7bit'),
    String(part.end - part.body),
  ];
  const [inner] = part.children;
  if (inner)
    fields.push(
      envelope(inner, quirks.placeholders),
      bodyStructure(inner, bytes, extended, quirks),
      String(countLines(bytes, part.body, part.end)),
    );
  else if (part.type === 'text') fields.push(String(countLines(bytes, part.body, part.end)));
  if (extended) fields.push(imapString(value('content-md5')), tail());
  return `(${fields.join(' ')})`;
}

const decoder = (charset: string): InstanceType<typeof TextDecoder> => {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder('latin1');
  }
};
/** A header value as people read it: encoded words decoded (RFC 2047), raw UTF-8 kept. */
export function decodeWords(value: string): string {
  const words = value
    .replace(/(\?=)\s+(=\?)/g, '$1$2')
    .replace(/=\?([^?*]+)(?:\*[^?]*)?\?([bq])\?([^?]*)\?=/gi, (_, charset: string, kind: string, text: string) => {
      const bytes =
        kind.toLowerCase() === 'b'
          ? Buffer.from(text, 'base64')
          : Buffer.from(
              text
                .replaceAll('_', ' ')
                .replace(/=([0-9a-f]{2})/gi, (__, hex: string) => String.fromCharCode(parseInt(hex, 16))),
              'latin1',
            );
      return Buffer.from(decoder(charset).decode(bytes)).toString('latin1');
    });
  return Buffer.from(words, 'latin1').toString('utf8');
}
/** All text of the leaves below a part, decoded, for SEARCH BODY and TEXT. */
export function searchableText(part: Part, bytes: Buffer): string {
  if (part.children.length > 0)
    return part.children
      .map(child => (part.type === 'message' ? headerText(child) : '') + searchableText(child, bytes))
      .join('\n');
  if (part.type !== 'text') return '';
  const raw = bytes.subarray(part.body, part.end);
  const encoding = (valueOf(part.headers, 'content-transfer-encoding') ?? '').toLowerCase();
  const content =
    encoding === 'base64'
      ? Buffer.from(raw.toString('latin1'), 'base64')
      : encoding === 'quoted-printable'
        ? Buffer.from(
            raw
              .toString('latin1')
              .replace(/=\r?\n/g, '')
              .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
            'latin1',
          )
        : raw;
  return decoder(part.params.find(([name]) => name === 'charset')?.[1] ?? 'utf-8').decode(content);
}
/** All headers of a part, decoded, one a line. */
export const headerText = ({ headers }: Part): string =>
  headers.map(h => `${h.name}: ${decodeWords(h.value.trim())}`).join('\n') + '\n';
