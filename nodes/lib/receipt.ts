import type { Field, Operation } from '../../shared/index.js';

/**
 * What every receipt of a write may have; an answer with more than these is the object itself, or says itself what was
 * done.
 */
const RECEIPT: ReadonlySet<string> = new Set(['id', 'outcome', 'native']);

/**
 * What a write leaves in its item. Where the answer is a mere receipt, it is told what was acted on and how, in the
 * names of the form: the mailbox, the list, the entry, and how many where there were several. The answer's own words
 * count before these. Lists of objects stay as they are.
 */
export function told(operation: Operation, input: Readonly<Record<string, unknown>>, answer: unknown): unknown {
  if (operation.effect === 'read' || Array.isArray(answer)) return answer;
  const own = answer === undefined || answer === null ? { success: true } : answer;
  if (typeof own !== 'object' || Object.keys(own).some(key => !RECEIPT.has(key) && key !== 'success')) return answer;
  const given = Object.entries(operation.input).flatMap(([key, field]) => {
    // A choice that was left alone is one all the same, such as the service whose list it is.
    const value =
      input[key] || input[key] === false || input[key] === 0
        ? input[key]
        : field.type === 'choice'
          ? field.default
          : undefined;
    return isTold(field) && !RECEIPT.has(key) && value !== undefined ? [[key, field, value] as const] : [];
  });
  const counts = given
    .filter(([, field]) => field.type === 'list' && !isAddress(field.of))
    .map(([, , value]) => countOf(value));
  return {
    ...Object.fromEntries(given.map(([key, , value]) => [key, value])),
    ...(counts.length ? { count: counts.reduce((sum, one) => sum + one) } : {}),
    ...own,
  };
}

/** Names, choices and switches are told. Secrets, files and the text of a mail are not. */
const isTold = (field: Field): boolean =>
  field.type === 'list'
    ? isTold(field.of)
    : field.type === 'text'
      ? !field.secret && field.lines === undefined && field.format !== 'html'
      : field.type !== 'file' && field.type !== 'json';
/** Whom a mail goes to is not what it acts on. */
const isAddress = (field: Field): boolean => field.type === 'text' && field.format === 'address';

/** A list may have been typed as one text. */
const countOf = (value: unknown): number =>
  Array.isArray(value)
    ? value.length
    : String(value)
        .split(/[\n,]/)
        .filter(part => part.trim()).length;
