import type { Field, Fields } from '../../shared/index.js';
import { refOf } from '../fields/tables.js';

const isHtml = (name: string, field: Field) => field.type === 'text' && (field.format === 'html' || /html/i.test(name));
const isText = (name: string, field: Field) =>
  field.type === 'text' && !isHtml(name, field) && /^(text|body|plainText|message)/i.test(name);
/** Which field takes the plain text, and which the HTML made of it where a provider insists on HTML. */
export function bodyFields(fields: Fields): { text?: string; html?: string; made: boolean } {
  const entries = Object.entries(fields).filter(([, field]) => refOf(field) === undefined);
  const html = entries.find(([name, field]) => isHtml(name, field));
  const text = entries.find(([name, field]) => isText(name, field));
  return {
    ...(text ? { text: text[0] } : {}),
    ...(html ? { html: html[0] } : {}),
    made: Boolean(html && (html[1].required || !text)),
  };
}
/** Plain text as HTML: its letters and its lines, nothing else. */
export const htmlOf = (text: string): string =>
  text
    .split(/\n{2,}/)
    .map(part => `<p>${part.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`).replaceAll('\n', '<br>')}</p>`)
    .join('\n');
