import { fileOf, type FileValue } from '../../../fields.js';
import { cleanName } from './structure.js';
import { parserLibrary } from '../libraries.js';

/** A message taken apart here. The place of an attachment in the list is its id: `m1`, `m2` and so on. */
interface Parsed {
  text?: string; html?: string; attachments: { id: string; file: FileValue; inline: boolean }[];
  messageId?: string; subject?: string; date?: string; from?: { email: string; name?: string };
}

/** Takes a whole message apart; for messages whose structure the server could not tell, and for what is given as a file. Throws what the parser throws. */
export async function parseMessage(source: Uint8Array): Promise<Parsed> {
  const { default: PostalMime } = await parserLibrary();
  const mail = await PostalMime.parse(source, { attachmentEncoding: 'arraybuffer', maxNestingDepth: 50, maxHeadersSize: 1024 * 1024,
    forceRfc822Attachments: true });
  const from = mail.from?.address ? { email: mail.from.address, ...(mail.from.name ? { name: mail.from.name } : {}) } : undefined;
  return {
    ...(mail.text !== undefined ? { text: mail.text } : {}), ...(mail.html !== undefined ? { html: mail.html } : {}),
    ...(mail.messageId ? { messageId: mail.messageId } : {}), ...(mail.subject ? { subject: mail.subject } : {}), ...(mail.date ? { date: mail.date } : {}),
    ...(from ? { from } : {}),
    attachments: mail.attachments.map((attachment, i) => {
      const content = attachment.content as ArrayBuffer | Uint8Array | string;
      const bytes = typeof content === 'string' ? Buffer.from(content) : content instanceof Uint8Array ? content : new Uint8Array(content);
      const file = fileOf(cleanName(attachment.filename ?? `part-m${i + 1}.bin`), attachment.mimeType, bytes);
      if (attachment.contentId) file.contentId = attachment.contentId.replace(/^<|>$/g, '');
      return { id: `m${i + 1}`, file, inline: attachment.disposition === 'inline' || attachment.related === true };
    }),
  };
}
