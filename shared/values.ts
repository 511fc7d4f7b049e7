// The document of an object: its editable values as JSON, what a change of it sends, and what others changed meanwhile.
import { isMailError, MailError, type Issue } from './errors.js';
import type { Field, Fields } from './fields.js';
import { inputFrom, isPlace, operationOf, refOf, type Binding } from './places.js';
import type { Provider } from './provider.js';
import { validate } from './validate.js';

type Values = Record<string, unknown>;

/** The operation that changes an object, what its form edits, and what says which object it is. */
export interface Editing {
  operation: string;
  fields: Fields;
  target: Values;
  /** Whether the operation sets the object as a whole, so that what is not sent is taken away. */
  whole: boolean;
}
/**
 * Undefined where the provider cannot change such an object. Secrets are no part of it: they are changed by a command
 * of their own.
 */
export function editingOf(provider: Provider, resource: string, binding: Binding): Editing | undefined {
  const [operation] = [`${resource}.update`, `${resource}.set`].filter(name => operationOf(provider, name));
  const found = operation && operationOf(provider, operation);
  if (!operation || !found) return undefined;
  const target = inputFrom(provider, operation, binding);
  const fields = Object.fromEntries(
    Object.entries(found.input).filter(
      ([name, field]) =>
        target[name] === undefined &&
        !isSecretText(field) &&
        field.type !== 'file' &&
        !(field.required && refOf(field) !== undefined && isPlace(name, field)),
    ),
  );
  return { operation, fields, target, whole: operation.endsWith('.set') };
}
/** Whether nobody may read the value of a field, or its entries. */
export const isSecretText = (field: Field): boolean =>
  field.type === 'text' ? field.secret === true : field.type === 'list' && isSecretText(field.of);

const step = (from: unknown, key: string): unknown =>
  typeof from === 'object' && from !== null ? (from as Values)[key] : undefined;
/**
 * Where a vendor puts the value of a field: under its own name, in a nested part, among JSON:API attributes, or as a
 * relationship.
 */
function found(item: Readonly<Values>, name: string, field: Field): unknown {
  const native = item.native as Values | undefined;
  const path = (field.as ?? name).split('.');
  const candidates = [
    path.reduce<unknown>(step, native),
    step(native, name),
    step(native, field.as ?? name),
    step(step(native, 'attributes'), field.as ?? name),
    step(step(native, 'data'), name),
    step(step(step(step(native, 'relationships'), name), 'data'), 'id'),
    item[name],
  ];
  return candidates.find(value => value !== undefined && value !== null);
}

/** A vendor's value in the field's own type, or null where there is none that the field could hold. */
function settled(field: Field, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  let given = value;
  if (field.type === 'flag' && (given === 1 || given === 0 || given === '1' || given === '0'))
    given = Number(given) === 1;
  if (field.type === 'choice' && typeof given === 'number') given = String(given);
  if (field.type === 'text' && typeof given === 'boolean') given = String(given);
  if (given === '') return null;
  try {
    return (
      validate({ value: { ...field, required: false, default: undefined } as Field }, { value: given }).value ?? null
    );
  } catch {
    return typeof given === 'string' && field.type === 'text' ? given : null;
  }
}

/** The editable values of an object as the vendor gave them; null for what is not set or not told. */
export const valuesOf = (fields: Fields, item: Readonly<Values>): Values =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, settled(field, found(item, name, field))]));

/** The text of a document: one line for each value, in the order of the table. */
export const textOf = (values: Readonly<Values>): string => `${JSON.stringify(values, null, 2)}\n`;

/** What is said about a text or a value that cannot be saved; front ends say it in the language of the person. */
export interface ValueWords {
  noJson(): string;
  noObject(): string;
  unknown(field: string): string;
  empty(label: string): string;
}
const ENGLISH: ValueWords = {
  noJson: () => 'The text is not valid JSON.',
  noObject: () => 'The text must be one JSON object.',
  unknown: field => `There is no field “${field}” here.`,
  empty: label => `${label} cannot be empty. Enter another value.`,
};

/** The values of a document's text. Throws `invalid_input` for anything but one JSON object. */
export function readText(text: string, words = ENGLISH): Values {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new MailError('invalid_input', words.noJson());
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new MailError('invalid_input', words.noObject());
  return parsed as Values;
}

export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

/**
 * What a save sends of an object that is set as a whole: all that it has by then. Nothing where nothing was changed.
 * Throws as `changesOf` does.
 */
export function wholeOf(fields: Fields, base: Readonly<Values>, edited: Readonly<Values>, words = ENGLISH): Values {
  // What was emptied is not sent, whatever a change of it alone would have to send.
  const changes = differing(fields, base, edited, base, words, field => (field.required ? cleared(field) : null));
  if (!Object.keys(changes).length) return {};
  return validate(
    fields,
    Object.fromEntries(
      Object.keys(fields).flatMap(name => {
        const value = name in edited ? edited[name] : base[name];
        return emptied(value) ? [] : [[name, value]];
      }),
    ),
  ) as Values;
}

/**
 * What a save must send: only what differs from what the text was made from, and the required fields besides, as they
 * are `now`. Throws `invalid_input` with all problems.
 */
export const changesOf = (
  fields: Fields,
  base: Readonly<Values>,
  edited: Readonly<Values>,
  now = base,
  words = ENGLISH,
): Values => differing(fields, base, edited, now, words, cleared);
/** What takes a value away; undefined where nothing does. */
const cleared = (field: Field): unknown =>
  !field.clearable ? undefined : field.type === 'list' ? [] : field.type === 'number' ? 0 : '';

/** `empty` says what is sent for a field that was emptied; undefined where it may not be. */
function differing(
  fields: Fields,
  base: Readonly<Values>,
  edited: Readonly<Values>,
  now: Readonly<Values>,
  words: ValueWords,
  empty: (field: Field) => unknown,
): Values {
  const issues: Issue[] = [];
  const input: Values = {};
  for (const name of Object.keys(edited))
    if (!Object.hasOwn(fields, name)) issues.push({ field: name, message: words.unknown(name) });
  for (const [name, field] of Object.entries(fields)) {
    const before = base[name] ?? null;
    const after = name in edited ? (edited[name] ?? null) : before;
    if (alike(before, after)) continue;
    const sent = emptied(after) ? empty(field) : after;
    if (sent !== undefined) input[name] = sent;
    else issues.push({ field: name, message: words.empty(field.label) });
  }
  if (Object.keys(input).length) {
    for (const [name, field] of Object.entries(fields))
      if (field.required && input[name] === undefined && !emptied(now[name])) input[name] = now[name];
  }
  try {
    if (Object.keys(input).length) validate(fields, input);
  } catch (error) {
    if (!isMailError(error)) throw error;
    issues.push(...(error.details.issues ?? [{ message: error.message }]));
  }
  if (issues.length) throw new MailError('invalid_input', issues.map(one => one.message).join(' '), { issues });
  return input;
}
const emptied = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
/** Whether two values mean the same: the order of keys is no difference, nor how nothing is written. */
export const alike = (a: unknown, b: unknown): boolean => same(sorted(a), sorted(b)) || (emptied(a) && emptied(b));
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  );
};

/**
 * The fields that were changed here and by somebody else: their new values would be overwritten. Where nobody knows
 * what the text was made from, every field that would be changed is one.
 */
export const conflicts = (
  base: Readonly<Values> | undefined,
  now: Readonly<Values>,
  input: Readonly<Values>,
): string[] =>
  Object.keys(input).filter(name => !(base && alike(base[name], now[name])) && !alike(now[name], input[name]));

/** The values after a save for everything that a reader may look at: what the vendor answered, else what was sent. */
export const afterSave = (fields: Fields, read: Readonly<Values>, input: Readonly<Values>, answer: unknown): Values => {
  const told = typeof answer === 'object' && answer !== null ? valuesOf(fields, answer as Values) : {};
  return Object.fromEntries(
    Object.keys(fields).map(name => [
      name,
      told[name] ?? (name in input ? (emptied(input[name]) ? null : input[name]) : (read[name] ?? null)),
    ]),
  );
};
