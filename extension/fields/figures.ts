import type { Operation } from '../../shared/index.js';
import { inSentence, t, title } from '../host/text.js';
import type { Values } from '../webview/messages.js';

/**
 * What vendors call the most a mailbox may send in a day, its own messages before all that pass through it; what it has
 * sent; its space and what is used of it.
 */
export const PER_DAY = [
  /^max_?(mailings|sends|messages)_?per_?day$/i,
  /^max_?emails_?per_?day$/i,
  /^(daily_?send(ing)?_?limit|send_?limit)$/i,
];
export const SENT = [/^(sent_?today|emails?_?sent\w*|messages?_?sent\w*|\w*sent_?count)$/i];
export const SIZE = [/^(size|quota|storage_?(limit|quota)|total_?storage)$/i];
export const USED = [/^(current_?usage|used|usage|storage_?used)$/i];
/** The first number whose name fits, the earlier patterns first. */
export function numberIn(flat: Values, patterns: readonly RegExp[]): number | undefined {
  for (const pattern of patterns) {
    for (const [key, value] of Object.entries(flat)) {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      if (pattern.test(key) && typeof number === 'number' && Number.isFinite(number)) return number;
    }
  }
  return undefined;
}

/** What failed last, and when, in words, where a vendor only gives times (`sendErroredAt`); `date` writes one. */
export function lastFailure(flat: Values, date: (value: unknown) => string): string | undefined {
  const [last] = Object.entries(flat)
    .filter(([key, value]) => ERRORED_AT.test(key) && typeof value === 'string' && !Number.isNaN(Date.parse(value)))
    .sort(([, a], [, b]) => Date.parse(String(b)) - Date.parse(String(a)));
  if (!last) return undefined;
  const what = last[0].replace(ERRORED_AT, '');
  return what === ''
    ? t('Last failed on {0}', date(last[1]))
    : t('Last {0} failed on {1}', inSentence(title(what)), date(last[1]));
}
const ERRORED_AT = /_?errored_?at$/i;

/** The figures that a list gives only when they are asked for by name. */
export const figuresAskedFor = (operation: Operation): Values => {
  const { fields } = operation.input;
  const offered = fields?.type === 'list' && fields.of.type === 'choice' ? Object.keys(fields.of.choices) : [];
  const wanted = offered.filter(name => [...SIZE, ...USED, /^enabled$/i].some(pattern => pattern.test(name)));
  // A list whose answers are complete by themselves takes the same field for leaving things out.
  return wanted.some(name => USED[0]!.test(name)) ? { fields: wanted } : {};
};
