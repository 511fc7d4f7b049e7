import type { MessageStructureObject } from '../libraries.js';
import type { Attachment } from '../../../vocabulary.js';
import { encodingName } from './transfer.js';

/** A part that can be fetched by its number; `size` is in bytes as they are in the message, so before base64 is undone. */
export interface Part {
  part: string; type: string; size: number; encoding: string; charset?: string; flowed?: boolean; delSp?: boolean;
  name?: string; contentId?: string; inline: boolean;
}
/** What a message is made of, as far as a reader cares. */
export interface Outline { texts: Part[]; htmls: Part[]; attachments: Part[] }

/** Deeper nesting, and more parts than these, is not mail but an attack. */
export const DEEPEST = 50, MOST_PARTS = 1_000;

/** Texts that are files to people, and not words of a mail. */
const FILES = /^text\/(?:calendar|x-vcalendar|csv|tab-separated-values|directory|vcard|x-vcard|xml|css|javascript|ecmascript|rtf|x-amp-html|x-patch|x-diff|rfc822-headers|tnef)$/;
/** What a part is called by its type where nobody named it. */
const NAMES: Readonly<Record<string, string>> = {
  'application/ms-tnef': 'winmail.dat', 'application/vnd.ms-tnef': 'winmail.dat', 'application/pkcs7-mime': 'smime.p7m', 'application/x-pkcs7-mime': 'smime.p7m',
  'application/pkcs7-signature': 'smime.p7s', 'application/x-pkcs7-signature': 'smime.p7s', 'application/pgp-signature': 'signature.asc',
  'application/pgp-encrypted': 'version.asc', 'application/pgp-keys': 'key.asc', 'text/calendar': 'invite.ics',
};

/** The charset of the first text of a message that says one. */
export function bodyCharset(node: MessageStructureObject | undefined): string | undefined {
  for (const child of node?.childNodes ?? []) {
    const found = bodyCharset(child);
    if (found) return found;
  }
  return node?.type.startsWith('text/') ? node.parameters?.charset : undefined;
}

/** A leaf as a part. */
function partOf(node: MessageStructureObject): Part {
  const parameters = node.parameters ?? {}, disposition = node.disposition?.toLowerCase();
  const name = node.dispositionParameters?.filename ?? parameters.name ?? (node.envelope?.subject
    ? `${node.envelope.subject.replace(/[\\/]/g, '_')}.eml` : undefined);
  return {
    part: node.part ?? '1', type: /^[^/]+\/[^/]+$/.test(node.type) ? node.type : 'application/octet-stream', size: node.size ?? 0,
    encoding: encodingName(node.encoding), inline: disposition === 'inline' || (disposition === undefined && !!node.id),
    ...(parameters.charset ? { charset: parameters.charset } : {}),
    ...(parameters.format?.toLowerCase() === 'flowed' ? { flowed: true, delSp: parameters.delsp?.toLowerCase() === 'yes' } : {}),
    ...(name?.trim() ? { name: cleanName(name) } : {}), ...(node.id ? { contentId: node.id.replace(/^<|>$/g, '') } : {}),
  };
}

/**
 * Sorts the leaves of a BODYSTRUCTURE (RFC 9051 section 7.5.2) into texts and attachments. An embedded message is one attachment. Undefined
 * where the structure cannot be trusted, so that the message has to be taken apart here; one that was taken apart here (`ours`) is trusted. `size`
 * is that of the message, in bytes.
 */
export function outline(root: MessageStructureObject | undefined, { size = 0, ours = false }: { size?: number; ours?: boolean } = {}): Outline | undefined {
  if (!root) return undefined;
  const out: Outline = { texts: [], htmls: [], attachments: [] };
  let odd = false, unbounded = false, leaves = 0, bytes = 0;
  const walk = (node: MessageStructureObject, depth: number, alternative: boolean) => {
    if (odd && !ours) return;
    if (depth > DEEPEST || leaves > MOST_PARTS) { odd = true; return; }
    if (node.childNodes && !node.type.startsWith('message/')) {
      // A multipart without a single part or without a boundary, or a leaf that has parts, was misread by the server.
      if (!node.type.startsWith('multipart/') || node.childNodes.length === 0 || (node.parameters && !node.parameters.boundary)) odd = true;
      if (!node.parameters) unbounded = true;
      for (const child of node.childNodes) walk(child, depth + 1, alternative || node.type === 'multipart/alternative');
      return;
    }
    // Types without a half, as `text/html charset=utf-8` is told.
    if (node.type.startsWith('multipart/') || /^\/|\/$/.test(node.type)) { odd = true; return; }
    const part = partOf(node), first = !out.texts.length && !out.htmls.length;
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
 * True where the header, once it is here, shows that the server's structure is not that of the message: one leaf in place of a multipart, or
 * nothing in a message that goes on behind its header. `size` is that of the message, in bytes.
 */
export function isMisread(root: MessageStructureObject | undefined, header: Buffer, size: number): boolean {
  if (!root) return true;
  if (!root.childNodes && /^content-type:\s*multipart\b/im.test(header.toString('latin1', 0, LONGEST_LOOK))) return true;
  const holds = (node: MessageStructureObject): boolean => node.childNodes && !node.type.startsWith('message/') ? node.childNodes.some(holds) : !!node.size;
  // An empty line, and a line break behind it, are no content.
  return !holds(root) && size > header.length + 4;
}
/** The part of a header in which its type is looked for, in bytes. */
const LONGEST_LOOK = 64 * 1024;

/** A message of more bytes has more than a header of the usual kind. */
const EMPTY = 1_000;

/** A file name without directories or control characters; nothing of the sender's is ever used as a path. */
export const cleanName = (name: string): string => name.replace(/\p{Cc}+/gu, ' ').replace(/^.*[\\/]/, '').trim().slice(0, 255) || 'unnamed';

const EXTENSIONS: Readonly<Record<string, string>> = {
  'message/rfc822': 'eml', 'text/calendar': 'ics', 'text/plain': 'txt', 'text/html': 'html', 'application/pdf': 'pdf', 'image/png': 'png',
    'image/jpeg': 'jpg', 'image/gif': 'gif',
};
/** The name of a part, or one made from its number and type. */
export const nameOf = (part: { part: string; type: string; name?: string }): string => part.name ?? NAMES[part.type] ?? `part-${part.part}.${EXTENSIONS[part.type] ?? 'bin'}`;

/** The bytes of a line of base64, of 76 characters and its end (RFC 2045 section 6.8), and how many it holds. */
const LINE = 78, HELD = 57;
/** What an encoded part holds, worked out from its size: for base64 in lines of the usual length right but for two bytes. */
export const decodedSize = ({ encoding, size }: Part): number =>
  encoding === 'base64' ? Math.floor(size / LINE) * HELD + Math.floor(Math.max(0, size % LINE) * 3 / 4) : size;
const isEncoded = (part: Part): boolean => part.encoding === 'base64' || part.encoding === 'quoted-printable' || part.encoding === 'uuencode';

/** An attachment as users see it. The size is an estimate where the part is encoded: only its bytes tell. */
export const toAttachment = (part: Part): Attachment => ({
  id: part.part, name: nameOf(part), type: part.type, size: decodedSize(part), ...(isEncoded(part) ? { sizeEstimated: true } : {}),
  ...(part.inline ? { inline: true } : {}), ...(part.contentId ? { contentId: part.contentId } : {}),
});
