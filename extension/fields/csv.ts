import type { Values } from '../webview/messages.js';

/** The columns of a table of objects: the shared fields, then what the vendor calls its own. */
export function columnsOf(items: readonly Values[]): string[] {
  const columns = new Set<string>();
  for (const item of items) for (const key of own(item)) columns.add(key);
  for (const item of items) for (const key of Object.keys(nativeOf(item))) columns.add(`native.${key}`);
  return [...columns];
}
const own = (item: Values): string[] =>
  Object.entries(item)
    .filter(([key, value]) => key !== 'native' && typeof value !== 'function')
    .map(([key]) => key);
const nativeOf = (item: Values): Values => {
  const native = (item.native ?? {}) as Values;
  return typeof native.attributes === 'object' && native.attributes !== null ? (native.attributes as Values) : native;
};

/**
 * The last column of a table whose columns were fixed before all of its rows were seen: as JSON what has no column of
 * its own.
 */
const OTHERS = 'others';

/** One row of CSV (RFC 4180). What a spreadsheet would run as a formula is made text. */
export function csvRow(item: Values, columns: readonly string[]): string {
  const native = nativeOf(item);
  return `${columns
    .map(column =>
      cell(
        column === OTHERS
          ? othersOf(item, columns)
          : column.startsWith('native.')
            ? native[column.slice(7)]
            : item[column],
      ),
    )
    .join(',')}\r\n`;
}
function othersOf(item: Values, columns: readonly string[]): Values | undefined {
  const native = nativeOf(item);
  const rest = [
    ...own(item).map(key => [key, item[key]] as const),
    ...Object.entries(native).map(([key, value]) => [`native.${key}`, value] as const),
  ].filter(([key]) => !columns.includes(key));
  return rest.length ? Object.fromEntries(rest) : undefined;
}
/**
 * A value as one cell. Signs at the beginning that make a formula (also the wide ones of East Asian scripts) get an
 * apostrophe before them; numbers stay numbers.
 */
export function cell(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'function') return '';
  let text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (
    typeof value === 'string' &&
    /^[\s\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r\n]/u.test(text) &&
    !/^[+-]?\d+(\.\d+)?$/.test(text)
  )
    text = `'${text}`;
  return /[",\r\n;\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The columns of a table are those of so many first rows: a vendor's objects are alike. What comes later has a column
 * of its own.
 */
const SAMPLE = 1000;

/**
 * A file that is written as its rows come: the text for a row, and what closes it, so that it is readable wherever it
 * ends.
 */
interface Table {
  row(item: Values): string;
  end(): string;
}
export function jsonTable(): Table {
  let any = false;
  return {
    row(item) {
      const text = `${any ? ',\n' : '[\n'}${JSON.stringify(item)}`;
      any = true;
      return text;
    },
    end: () => (any ? '\n]\n' : '[]\n'),
  };
}
export function csvTable(sample = SAMPLE): Table {
  let first: Values[] = [];
  let columns: string[] | undefined;
  const begin = (more: boolean): string => {
    columns = [...columnsOf(first), ...(more ? [OTHERS] : [])];
    // The mark tells spreadsheets that this is UTF-8.
    const text = `\ufeff${columns.map(cell).join(',')}\r\n${first.map(item => csvRow(item, columns!)).join('')}`;
    first = [];
    return text;
  };
  return {
    row(item) {
      if (columns) return csvRow(item, columns);
      first.push(item);
      return first.length >= sample ? begin(true) : '';
    },
    end: () => (columns ? '' : begin(false)),
  };
}
