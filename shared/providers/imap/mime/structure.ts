import type { MessageStructureObject } from '../libraries.js';
import type { Attachment } from '../../../vocabulary.js';
import { decodingTools } from '../libraries.js';
import { encodingName } from './transfer.js';

/**
 * A part that can be fetched by its number; `size` is in bytes as they are in the message, so before base64 is undone.
 */
export interface Part {
  part: string;
  type: string;
  size: number;
  encoding: string;
  charset?: string;
  flowed?: boolean;
  delSp?: boolean;
  name?: string;
  contentId?: string;
  inline: boolean;
}
/** What a message is made of, as far as a reader cares. */
export interface Outline {
  texts: Part[];
  htmls: Part[];
  attachments: Part[];
  /** What `readParts` chose of the texts and HTML. */
  read?: readonly Part[];
}

/** Deeper nesting, and more parts than these, is not mail but an attack. */
export const DEEPEST = 50;
export const MOST_PARTS = 1_000;

/** Texts that are files to people, and not words of a mail. */
const FILES =
  /^text\/(?:calendar|x-vcalendar|csv|tab-separated-values|directory|vcard|x-vcard|xml|css|javascript|ecmascript|rtf|x-amp-html|x-patch|x-diff|rfc822-headers|tnef)$/;
/** What a part is called by its type where nobody named it. */
const NAMES: Readonly<Record<string, string>> = {
  'application/ms-tnef': 'winmail.dat',
  'application/vnd.ms-tnef': 'winmail.dat',
  'application/pkcs7-mime': 'smime.p7m',
  'application/x-pkcs7-mime': 'smime.p7m',
  'application/pkcs7-signature': 'smime.p7s',
  'application/x-pkcs7-signature': 'smime.p7s',
  'application/pgp-signature': 'signature.asc',
  'application/pgp-encrypted': 'version.asc',
  'application/pgp-keys': 'key.asc',
  'text/calendar': 'invite.ics',
  'application/ics': 'invite.ics',
  'text/vcard': 'contact.vcf',
  'text/x-vcard': 'contact.vcf',
  'text/directory': 'contact.vcf',
  'message/delivery-status': 'delivery-status.txt',
  'message/global-delivery-status': 'delivery-status.txt',
  'message/disposition-notification': 'receipt.txt',
  'message/feedback-report': 'feedback-report.txt',
  'message/global-disposition-notification': 'receipt.txt',
  'text/rfc822-headers': 'headers.txt',
  'message/global-headers': 'headers.txt',
};

/** The charset of the first text of a message that says one. */
export function bodyCharset(node: MessageStructureObject | undefined): string | undefined {
  for (const child of node?.childNodes ?? []) {
    const found = bodyCharset(child);
    if (found) return found;
  }
  return node?.type.startsWith('text/') ? node.parameters?.charset : undefined;
}

/** A type as it is meant: some programs put quotes round it, and servers tell them. Undefined for what is none. */
export function typeNamed(said: string): string | undefined {
  const type = said.replace(/["'\s]+/g, '').toLowerCase();
  return /^[^/]+\/[^/]+$/.test(type) ? type : undefined;
}

/** A leaf as a part. */
function partOf(node: MessageStructureObject): Part {
  const parameters = node.parameters ?? {};
  const disposition = node.disposition?.toLowerCase();
  const name =
    node.dispositionParameters?.filename ??
    parameters.name ??
    (node.envelope?.subject ? `${node.envelope.subject.replace(/[\\/]/g, '_')}.eml` : undefined);
  return {
    part: node.part ?? '1',
    type: typeNamed(node.type) ?? 'application/octet-stream',
    size: node.size ?? 0,
    encoding: encodingName(node.encoding),
    inline: disposition === 'inline' || (disposition === undefined && !!node.id),
    ...(parameters.charset ? { charset: parameters.charset } : {}),
    ...(parameters.format?.toLowerCase() === 'flowed'
      ? { flowed: true, delSp: parameters.delsp?.toLowerCase() === 'yes' }
      : {}),
    ...(name?.trim() ? { name: cleanName(name) } : {}),
    ...(node.id ? { contentId: node.id.replace(/^<|>$/g, '') } : {}),
  };
}

/**
 * Sorts the leaves of a BODYSTRUCTURE (RFC 9051 section 7.5.2) into texts and attachments. An embedded message is one
 * attachment. Undefined where the structure cannot be trusted, so that the message has to be taken apart here; one that
 * was taken apart here (`ours`) is trusted. `size` is that of the message, in bytes.
 */
export function outline(
  root: MessageStructureObject | undefined,
  { size = 0, ours = false }: { size?: number; ours?: boolean } = {},
): Outline | undefined {
  if (!root) return undefined;
  const out: Outline = { texts: [], htmls: [], attachments: [] };
  let odd = false;
  let unbounded = false;
  let leaves = 0;
  let bytes = 0;
  const walk = (node: MessageStructureObject, depth: number, alternative: boolean, around?: MessageStructureObject) => {
    if (odd && !ours) return;
    if (depth > DEEPEST || leaves > MOST_PARTS) {
      odd = true;
      return;
    }
    if (node.childNodes && !node.type.startsWith('message/')) {
      // A multipart without a single part or without a boundary, or a leaf that has parts, was misread by the server.
      const boundary = node.parameters?.boundary;
      if (!node.type.startsWith('multipart/') || node.childNodes.length === 0 || (node.parameters && !boundary))
        odd = true;
      // Nobody can tell whose end a line is that ends both.
      if (boundary !== undefined && boundary === around?.parameters?.boundary) odd = true;
      if (!node.parameters) unbounded = true;
      for (const child of node.childNodes)
        walk(child, depth + 1, alternative || node.type === 'multipart/alternative', node);
      return;
    }
    // Types without a half, as `text/html charset=utf-8` is told.
    if (node.type.startsWith('multipart/') || /^\/|\/$/.test(node.type)) {
      odd = true;
      return;
    }
    const part = partOf(node);
    const first = !out.texts.length && !out.htmls.length;
    if (around?.type === 'multipart/encrypted' && part.type === 'application/octet-stream')
      part.name ??= 'encrypted.asc';
    leaves++;
    bytes += part.size;
    const words = part.type.startsWith('text/') && !FILES.test(part.type);
    // The first words are those of the mail, whether or not they have a name; later ones with a name are a file.
    const readable = words && node.disposition?.toLowerCase() !== 'attachment' && (first || !part.name || alternative);
    if (readable && part.type === 'text/html') out.htmls.push(part);
    else if (readable && (part.type === 'text/plain' || !alternative)) out.texts.push(part);
    else out.attachments.push(part);
  };
  walk(root, 0, false);
  // Nothing in it, as told, although something came: the parts were not found.
  if (bytes === 0 && (unbounded || size > EMPTY)) odd = true;
  return odd && !ours ? undefined : out;
}
/**
 * True where the header, once it is here, shows that the server's structure is not that of the message: one leaf in
 * place of a multipart, another type in place of HTML, or nothing in a message that goes on behind its header. `size`
 * is that of the message, in bytes.
 */
export function isMisread(root: MessageStructureObject | undefined, header: Buffer, size: number): boolean {
  if (!root) return true;
  if (!root.childNodes) {
    const said = /^content-type\s*:[\s"']*(multipart\b|text\s*\/\s*html\b)/im.exec(
      header.toString('latin1', 0, LONGEST_LOOK),
    )?.[1];
    if (said && (/^multipart$/i.test(said) || root.type !== 'text/html')) return true;
  }
  const holds = (node: MessageStructureObject): boolean =>
    node.childNodes && !node.type.startsWith('message/') ? node.childNodes.some(holds) : !!node.size;
  // An empty line, and a line break behind it, are no content.
  return !holds(root) && size > header.length + 4;
}
/** The part of a header in which its type is looked for, in bytes. */
const LONGEST_LOOK = 64 * 1024;

/** A message of more bytes has more than a header of the usual kind. */
const EMPTY = 1_000;

/**
 * A file name without directories or control characters; nothing of the sender's is ever used as a path. A long one
 * keeps its ending, which says what the file is.
 */
export function cleanName(name: string): string {
  const clean = name
    .slice(-LONGEST_GIVEN)
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/^.*[\\/]/, '')
    .trim();
  if (/^\.*$/.test(clean)) return 'unnamed';
  if (clean.length <= LONGEST_NAME) return clean;
  const ending = /\.[^.\s]{1,20}$/.exec(clean)?.[0] ?? '';
  return `${clean.slice(0, LONGEST_NAME - ending.length).replace(/[\ud800-\udbff]$/, '')}${ending}`;
}
/** In characters; what is given may be longer. */
const LONGEST_NAME = 255;
const LONGEST_GIVEN = 10_000;

/** The endings of types that mail is made of; all others are known to the library. */
const ENDINGS: Readonly<Record<string, string>> = {
  'message/rfc822': 'eml',
  'message/global': 'eml',
  'message/partial': 'eml',
  'text/plain': 'txt',
  'text/html': 'html',
  'image/jpg': 'jpg',
  'image/jpeg': 'jpg',
  'image/x-png': 'png',
  'text/rtf': 'rtf',
  'audio/mpeg': 'mp3',
};
/** The name of a part, or one made from its number and type. */
export function nameOf({ part, type, name }: { part: string; type: string; name?: string }): string {
  return (
    name ?? NAMES[type] ?? `part-${part}.${ENDINGS[type] ?? decodingTools().Libmime.prototype.detectExtension(type)}`
  );
}

/** Files in which something else is packed that people look for, by their type or name, and what to say of them. */
const PACKED: readonly [type: RegExp, name: RegExp, note: string][] = [
  [
    /^application\/(?:vnd\.)?ms-tnef$/,
    /^winmail\.dat$/i,
    'Outlook packed files and the formatted text of the message into this file. Mailroom does not unpack it: save it and open it with a program for TNEF files.',
  ],
  [
    /^application\/(?:x-)?pkcs7-mime$/,
    /\.p7m$/i,
    'The message itself is in this file, encrypted or signed with S/MIME. Open it in a mail program that has the key.',
  ],
  [
    /^(?!)/,
    /^encrypted\.asc$/i,
    'The message itself is in this file, encrypted with OpenPGP. Open it in a program that has the key.',
  ],
];
/** The sentence about such a file. */
export function noteOf(part: Pick<Part, 'type' | 'name'>): { note?: string } {
  const found = PACKED.find(([type, name]) => type.test(part.type) || name.test(part.name ?? ''));
  return found ? { note: found[2] } : {};
}

/** The bytes of a line of base64, of 76 characters and its end (RFC 2045 section 6.8), and how many it holds. */
const LINE = 78;
const HELD = 57;
/**
 * What an encoded part holds, worked out from its size: for base64 in lines of the usual length right but for two
 * bytes.
 */
export const decodedSize = ({ encoding, size }: Part): number =>
  encoding === 'base64' ? Math.floor(size / LINE) * HELD + Math.floor((Math.max(0, size % LINE) * 3) / 4) : size;
const isEncoded = (part: Part): boolean =>
  part.encoding === 'base64' || part.encoding === 'quoted-printable' || part.encoding === 'uuencode';

/** An attachment as users see it. The size is an estimate where the part is encoded: only its bytes tell. */
export const toAttachment = (part: Part): Attachment => ({
  id: part.part,
  name: nameOf(part),
  type: part.type,
  size: decodedSize(part),
  ...(isEncoded(part) ? { sizeEstimated: true } : {}),
  ...(part.inline ? { inline: true } : {}),
  ...(part.contentId ? { contentId: part.contentId } : {}),
  ...noteOf(part),
});
