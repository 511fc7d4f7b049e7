import { isIP } from 'node:net';
import { MailError, type Issue } from './errors.js';
import { isFile, type Field, type Fields, type TextFormat } from './fields.js';
import { parseAddress, splitAddresses } from './address.js';

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const HOST = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/**
 * Checks every value against its field and reports all problems at once; unknown names are refused. Returns what `run`
 * may rely on.
 */
export function validate(fields: Fields, input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const issues: Issue[] = [];
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(input)) {
    if (input[name] !== undefined && !Object.hasOwn(fields, name))
      issues.push({ field: name, message: `There is no field "${name}" here.` });
  }
  for (const [name, field] of Object.entries(fields)) {
    const given = input[name];
    if (isAbsent(given, field)) {
      if (field.default !== undefined) values[name] = field.default;
      else if (field.required) issues.push({ field: name, message: `${field.label} is required.` });
      continue;
    }
    const value = checked(field, given, message => {
      issues.push({ field: name, message: `${field.label} ${message}` });
      return undefined;
    });
    if (value !== undefined) values[name] = value;
  }
  if (issues.length) {
    throw new MailError(
      'invalid_input',
      issues.length === 1
        ? issues[0]!.message
        : `${issues.length} fields need correction: ${issues.map(i => i.message).join(' ')}`,
      { issues },
    );
  }
  return values;
}

const isAbsent = (value: unknown, field: Field) =>
  value === undefined ||
  value === null ||
  (value === '' && (!field.clearable || field.type === 'number')) ||
  (Array.isArray(value) && value.length === 0 && !field.clearable);

/** Takes the rest of a sentence that begins with the label of the field. */
type Complain = (message: string) => undefined;
type Of<Type extends Field['type']> = Extract<Field, { type: Type }>;

/** The value in its proper type, or undefined after a complaint. */
function checked(field: Field, value: unknown, complain: Complain): unknown {
  switch (field.type) {
    case 'text':
      return checkedText(field, value, complain);
    case 'number':
      return checkedNumber(field, value, complain);
    case 'flag':
      return checkedFlag(value, complain);
    case 'time':
      return checkedTime(value, complain);
    case 'choice':
      return checkedChoice(field, value, complain);
    case 'file':
      return isFile(value) ? value : complain('must be a file.');
    case 'json':
      return checkedJson(value, complain);
    case 'list':
      return checkedList(field, value, complain);
  }
}

function checkedText(field: Of<'text'>, value: unknown, complain: Complain): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return complain(`must be text, not ${named(value)}.`);
  const text = String(value);
  if (text === '' && field.clearable) return text;
  const { minLength = 0, maxLength = Infinity } = field;
  if (text.length < minLength) return complain(`must have at least ${minLength} characters; it has ${text.length}.`);
  if (text.length > maxLength) return complain(`must have at most ${maxLength} characters; it has ${text.length}.`);
  if (field.pattern && !new RegExp(field.pattern, 'u').test(text)) {
    const such = field.example ? `, such as ${field.example}` : '';
    return complain(`is not in the form expected${such}.`);
  }
  const isOneLine = !field.lines && !field.secret && field.format !== 'html';
  if (isOneLine && /[\r\n]/.test(text)) return complain('must not contain line breaks.');
  const wrong = field.format && misformed(field.format, text);
  return wrong ? complain(wrong) : text;
}

function checkedNumber(field: Of<'number'>, value: unknown, complain: Complain): number | undefined {
  const n = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof n !== 'number' || !Number.isFinite(n)) return complain(`must be a number${unlike(value)}.`);
  if (!field.fraction && !Number.isInteger(n)) return complain('must be a whole number.');
  const { min = -Infinity, max = Infinity } = field;
  if (n >= min && n <= max) return n;
  if (max === Infinity) return complain(`must be at least ${min}.`);
  if (min === -Infinity) return complain(`must be at most ${max}.`);
  return complain(`must lie between ${min} and ${max}.`);
}

function checkedFlag(value: unknown, complain: Complain): boolean | undefined {
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  return complain(`must be true or false${unlike(value)}.`);
}

/** ISO 8601. */
function checkedTime(value: unknown, complain: Complain): string | undefined {
  const at = dateOf(value);
  if (at && !Number.isNaN(at.getTime())) return at.toISOString();
  return complain('must be a date and time, such as 2026-11-21T09:00:00Z.');
}

function dateOf(value: unknown): Date | undefined {
  if (value instanceof Date) return value;
  // A text without a year, such as "5", would be taken for some day of 2001.
  if (typeof value === 'number' || (typeof value === 'string' && /\d{4}/.test(value))) return new Date(value);
  return isMoment(value) ? new Date(value.toMillis()) : undefined;
}

function checkedChoice(field: Of<'choice'>, value: unknown, complain: Complain): string | undefined {
  if (typeof value === 'string' && (field.open || Object.hasOwn(field.choices, value))) return value;
  if (typeof value === 'number' && Object.hasOwn(field.choices, String(value))) return String(value);
  return complain(`must be one of ${Object.keys(field.choices).join(', ')}.`);
}

function checkedJson(value: unknown, complain: Complain): object | undefined {
  try {
    const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value;
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    /* falls through to the complaint */
  }
  return complain('must be a JSON object.');
}

function checkedList(field: Of<'list'>, value: unknown, complain: Complain): unknown[] | undefined {
  const items = itemsOf(field, value);
  const { minItems = 0, maxItems = Infinity } = field;
  if (items.length < minItems) return complain(`needs at least ${minItems} ${minItems === 1 ? 'entry' : 'entries'}.`);
  if (items.length > maxItems) return complain(`takes at most ${maxItems} entries; there are ${items.length}.`);
  return items.map((item, i) => checked(field.of, item, message => complain(`entry ${i + 1} ${message}`)));
}

function itemsOf(field: Of<'list'>, value: unknown): unknown[] {
  if (typeof value === 'string') return splitList(field.of, value);
  return Array.isArray(value) ? value : [value];
}

/** Text for a list: one entry a line, or parted by commas. Addresses may hold commas inside quotes. */
function splitList(of: Field, value: string): string[] {
  if (of.type === 'text' && of.format === 'address') return splitAddresses(value);
  // A password may hold commas, so secrets are parted by line only.
  return value
    .split(of.type === 'text' && of.secret ? '\n' : /[\n,]/)
    .map(part => part.trim())
    .filter(part => part !== '');
}

function misformed(format: TextFormat, text: string): string | undefined {
  switch (format) {
    case 'email':
      return parseAddress(text)?.email === text ? undefined : 'must be an e-mail address, such as ann@example.com.';
    case 'address':
      return parseAddress(text) ? undefined : 'must be one e-mail address, alone or as Ann Example <ann@example.com>.';
    case 'uuid':
      return UUID.test(text) ? undefined : 'must be a UUID, such as 234daf08-1557-45a3-9b38-443e4823e640.';
    case 'host':
      return HOST.test(text) ? undefined : 'must be a host name, such as mail.example.com.';
    case 'ip':
      return isIP(text) ? undefined : 'must be an IP address, such as 192.0.2.1.';
    case 'uri':
      return URL.canParse(text) && /^https?:/i.test(text)
        ? undefined
        : 'must be an address that begins with http:// or https://.';
    case 'html':
      return undefined;
  }
}

/** What was given instead, where that tells more than the value itself: a text is what people type. */
const unlike = (value: unknown): string => (typeof value === 'string' ? '' : `, not ${named(value)}`);
const named = (value: unknown) =>
  Array.isArray(value) ? 'a list' : value === null ? 'nothing' : typeof value === 'object' ? 'an object' : typeof value;
/** Luxon's DateTime, as n8n expressions give it. */
const isMoment = (value: unknown): value is { toMillis(): number } =>
  typeof (value as { toMillis?: unknown } | null)?.toMillis === 'function';
