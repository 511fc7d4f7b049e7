import type { Values } from './form/messages.js';

/** The columns of a table of objects: the shared fields, then what the vendor calls its own. */
export function columnsOf(items: readonly Values[]): string[] {
  const columns: string[] = [];
  for (const item of items) {
    for (const [key, value] of Object.entries(item)) if (key !== 'native' && !columns.includes(key) && typeof value !== 'function') columns.push(key);
  }
  for (const item of items) for (const key of Object.keys(nativeOf(item))) if (!columns.includes(`native.${key}`)) columns.push(`native.${key}`);
  return columns;
}
const nativeOf = (item: Values): Values => { const native = (item.native ?? {}) as Values; return typeof native.attributes === 'object' && native.attributes !== null ? native.attributes as Values : native; };

/** One row of CSV (RFC 4180). What a spreadsheet would run as a formula is made text. */
export function csvRow(item: Values, columns: readonly string[]): string {
  return `${columns.map(column => cell(column.startsWith('native.') ? nativeOf(item)[column.slice(7)] : item[column])).join(',')}\r\n`;
}
export function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  let text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text) && !/^[+-]?\d+(\.\d+)?$/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

