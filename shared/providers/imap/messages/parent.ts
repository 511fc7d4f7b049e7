import type { Context } from '../../../provider.js';
import type { Address } from '../../../vocabulary.js';
import { headerFields } from '../mime/decode.js';
import { outline, type Outline } from '../mime/structure.js';
import { mendRows } from '../wire/fetch.js';
import { fetchParts, fill, inPlace, rowOf, SUMMARY, toMessage } from './content.js';
import { gone, messageId, type Place } from './id.js';

/** What a reply or forward must know of the message it belongs to. */
export interface Parent {
  from?: Address; replyTo: Address[]; to: Address[]; cc: Address[]; subject: string; id?: string; references: string[]; automatic: boolean;
  date?: string; text?: string; html?: string; shape?: Outline;
}

export async function parentOf(ctx: Context, place: Place, texts: boolean): Promise<Parent> {
  return inPlace(ctx, place, async client => {
    const row = await rowOf(client, place, { ...SUMMARY, headers: ['references', 'in-reply-to', 'auto-submitted', 'list-id', 'precedence', 'return-path'] });
    if (!row) throw gone(messageId(place));
    await mendRows(client, [row]);
    const shape = outline(row.bodyStructure);
    const message = toMessage(row, place.folder, place.uidValidity, shape);
    if (texts && shape) await fetchParts(client, [{ uid: place.uid, parts: [...shape.texts, ...shape.htmls], header: false }],
      got => fill(message, shape, got));
    const header = (name: string) => headerFields(row.headers ?? Buffer.alloc(0)).find(field => field.name.toLowerCase() === name)?.value;
    // Ids that are none would make a header of ours that is none.
    const ids = (header('references') ?? header('in-reply-to') ?? '').match(MESSAGE_ID) ?? [];
    const id = row.envelope?.messageId?.match(MESSAGE_ID)?.[0];
    const replyTo = (row.envelope?.replyTo ?? []).flatMap(({ name, address }) => address ? [{ email: address, ...(name ? { name } : {}) }] : []);
    return {
      replyTo, to: message.to, cc: message.cc ?? [], subject: message.subject ?? '', references: chain(ids, id), ...(id ? { id } : {}),
        ...(message.from ? { from: message.from } : {}),
      automatic: /^(?!no\b)./i.test(header('auto-submitted') ?? '') || header('list-id') !== undefined
        || /^(bulk|list|junk)/i.test(header('precedence') ?? '') || /^\s*<\s*>/.test(header('return-path') ?? ''),
      ...(message.date ? { date: message.date } : {}),
        ...(message.text !== undefined ? { text: message.text } : message.html !== undefined ? { text: wordsIn(message.html) } : {}),
          ...(message.html === undefined ? {} : { html: message.html }), ...(shape ? { shape } : {}),
    };
  });
}
const MESSAGE_ID = /<[!-;=?-~]{1,900}>/g;

/** The words of an HTML text, for the part of a quotation that has none of its own. Takes time in proportion to its length, whatever it holds. */
function wordsIn(html: string): string {
  let hidden = '';
  const shown = html.split(/<(?=\/?(?:style|script|head)\b)/i).map((piece, i) => {
    if (!i) return piece;
    const [, end, name] = /^(\/?)(\w+)/.exec(piece)!.map(part => part.toLowerCase()) as [string, string, string];
    if (!hidden && end) return `<${piece}`;
    if (!hidden) { hidden = name; return ''; }
    if (!end || name !== hidden) return '';
    hidden = '';
    return piece.slice(piece.indexOf('>') + 1 || piece.length);
  }).join('');
  return shown.replace(/\s+/g, ' ').replace(/<(?:br|\/(?:p|div|tr|li|h\d|blockquote))\b[^<>]*>/gi, '\n').replace(/<[^<>]*>/g, '')
    .replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(lt|gt|amp|quot|nbsp));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
      if (name) return { lt: '<', gt: '>', amp: '&', quot: '"', nbsp: ' ' }[name.toLowerCase()] ?? whole;
      const code = decimal ? Number(decimal) : parseInt(hex!, 16);
      return code > 31 && code <= 0x10ffff ? String.fromCodePoint(code) : ' ';
    }).split('\n').map(line => line.trim()).join('\n').trim();
}

/** References of an answer (RFC 5322 section 3.6.4): at most twenty, the first and the newest. */
const chain = (before: readonly string[], id: string | undefined): string[] => {
  const all = [...new Set([...before, ...(id ? [id] : [])])];
  return all.length > 20 ? [all[0]!, ...all.slice(-19)] : all;
};
