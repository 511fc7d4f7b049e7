import { MailError, type Field } from '../../shared/index.js';
import { momentOf } from './zone.js';

/**
 * A value of the form in the spelling of the core: times with a zone, sizes in bytes. Anything else is left to the
 * check of the input.
 */
export function valueOf(field: Field, given: unknown, timeZone: () => string): unknown {
  if (field.type === 'time') return zoned(given, timeZone());
  return field.type === 'number' && field.unit === 'bytes' ? bytes(field, given) : given;
}

/**
 * Text of a time without a zone is meant in the workflow's; the process may be in another. What is no time is left as
 * it is.
 */
function zoned(given: unknown, timeZone: string): unknown {
  if (typeof given !== 'string' || !/^\s*\d{4}-\d\d-\d\d/.test(given)) return given;
  const at = momentOf(given.trim(), timeZone);
  return Number.isNaN(at) ? given : new Date(at).toISOString();
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  bytes: 1,
  kb: 1024,
  kib: 1024,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
};

/**
 * `5 MB`, `1,5 MB` or `500kb` in bytes; a number alone counts bytes, as it did in workflows from before. Throws
 * `invalid_input` for other words.
 */
function bytes(field: Field, given: unknown): unknown {
  if (typeof given !== 'string' || given.trim() === '') return given === '' ? undefined : given;
  const [, number, unit] = /^\s*(\d+(?:[.,]\d+)?)\s*([a-z]*)\s*$/i.exec(given) ?? [];
  const factor = UNITS[unit?.toLowerCase() ?? ''];
  if (number !== undefined && factor !== undefined) return Math.round(Number(number.replace(',', '.')) * factor);
  const message = `${field.label} must be a size such as 500 KB or 5 MB, not "${given.trim().slice(0, 40)}".`;
  throw new MailError('invalid_input', message, { issues: [{ message }] });
}

/** A number of bytes as the form shows it: the largest unit that leaves it whole. */
export function sizeText(size: unknown): string {
  if (typeof size !== 'number') return '';
  const unit = size && size % UNITS.mb! === 0 ? 'MB' : size && size % UNITS.kb! === 0 ? 'KB' : '';
  return unit ? `${size / UNITS[unit.toLowerCase()]!} ${unit}` : String(size);
}
