import type { MessageStructureObject } from '../libraries.js';
import type { Attachment } from '../../../vocabulary.js';

/** A part that can be fetched by its number; `size` is in bytes as they are in the message, so before base64 is undone. */
export interface Part {
  part: string; type: string; size: number; encoding: string; charset?: string; flowed?: boolean; delSp?: boolean;
  name?: string; contentId?: string; inline: boolean;
}
/** What a message is made of, as far as a reader cares. */
export interface Outline { texts: Part[]; htmls: Part[]; attachments: Part[] }

/** Deeper nesting than this is not mail but an attack; what lies below is left out. */
const DEEPEST = 50;

/**
 * Sorts the leaves of a BODYSTRUCTURE (RFC 9051 section 7.5.2) into texts and attachments. An embedded message is one attachment.
 * Undefined where the structure cannot be trusted, so that the message has to be taken apart here.
 */
export function outline(root: MessageStructureObject | undefined): Outline | undefined {
  if (!root) return undefined;
  const out: Outline = { texts: [], htmls: [], attachments: [] };
  let odd = false;
  const walk = (node: MessageStructureObject, depth: number, alternative: boolean) => {
    if (depth > DEEPEST) return;
    if (node.childNodes && !node.type.startsWith('message/')) {
      // A multipart without a single part, or a leaf that has parts, was misread by the server.
      if (!node.type.startsWith('multipart/') || node.childNodes.length === 0) { odd = true; return; }
      for (const child of node.childNodes) walk(child, depth + 1, alternative || node.type === 'multipart/alternative');
      return;
    }
    if (node.type.startsWith('multipart/')) { odd = true; return; }
    const parameters = node.parameters ?? {};
    const name = node.dispositionParameters?.filename ?? parameters.name ?? (node.envelope?.subject
      ? `${node.envelope.subject.replace(/[\\/]/g, '_')}.eml` : undefined);
    const disposition = node.disposition?.toLowerCase();
    const part: Part = {
      part: node.part ?? '1', type: node.type === '/' ? 'application/octet-stream' : node.type, size: node.size ?? 0,
      encoding: (node.encoding ?? '7bit').toLowerCase(), inline: disposition === 'inline' || (disposition === undefined && !!node.id),
      ...(parameters.charset ? { charset: parameters.charset } : {}),
      ...(parameters.format?.toLowerCase() === 'flowed' ? { flowed: true, delSp: parameters.delsp?.toLowerCase() === 'yes' } : {}),
      ...(name ? { name: cleanName(name) } : {}), ...(node.id ? { contentId: node.id.replace(/^<|>$/g, '') } : {}),
    };
    const readable = disposition !== 'attachment' && (!name || alternative);
    if (readable && node.type === 'text/plain') out.texts.push(part);
    else if (readable && node.type === 'text/html') out.htmls.push(part);
    else out.attachments.push(part);
  };
  walk(root, 0, false);
  return odd ? undefined : out;
}

/** A file name without directories or control characters; nothing of the sender's is ever used as a path. */
export const cleanName = (name: string): string => name.replace(/\p{Cc}+/gu, ' ').replace(/^.*[\\/]/, '').trim().slice(0, 255) || 'unnamed';

const EXTENSIONS: Readonly<Record<string, string>> = {
  'message/rfc822': 'eml', 'text/calendar': 'ics', 'text/plain': 'txt', 'text/html': 'html', 'application/pdf': 'pdf', 'image/png': 'png',
    'image/jpeg': 'jpg', 'image/gif': 'gif',
};
/** The name of a part, or one made from its number and type. */
export const nameOf = (part: { part: string; type: string; name?: string }): string => part.name ?? `part-${part.part}.${EXTENSIONS[part.type] ?? 'bin'}`;

/** Base64 is a third longer than what it holds (with its line breaks 37 percent); other encodings are taken as they are. */
export const decodedSize = (part: Part): number => part.encoding === 'base64' ? Math.floor(part.size * 54 / 74) : part.size;

/** An attachment as users see it. The size is an estimate where the part is encoded. */
export const toAttachment = (part: Part): Attachment => ({
  id: part.part, name: nameOf(part), type: part.type, size: decodedSize(part),
  ...(part.inline ? { inline: true } : {}), ...(part.contentId ? { contentId: part.contentId } : {}),
});
