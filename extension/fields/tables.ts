import {
  idOfItem,
  isPlace,
  isPlaceOf,
  isSingle,
  listsAt,
  missing,
  inputFrom,
  operationOf,
  refOf,
  singlesIn,
  splitName,
  tableOf,
  type Binding,
  type ListAt,
  type Operation,
  type Provider,
} from '../../shared/index.js';
import { brief, plural, title } from '../host/text.js';

export {
  bind,
  idOfItem,
  inputFrom,
  isEntryList,
  isMailbox,
  isPlace,
  isSingle,
  missing,
  NOTHING_BOUND,
  operationOf,
  refOf,
  tableOf,
  type Binding,
} from '../../shared/index.js';

/** Whether an operation takes its object away for good: where it can be restored, it is still there and says so. */
export function removes(provider: Provider, name: string): boolean {
  const [resource, verb] = splitName(name);
  return ['delete', 'remove'].includes(verb) && !operationOf(provider, `${resource}.restore`);
}

/**
 * True where a field takes several of what another field has one of already: of a message in hand nobody asks which
 * messages.
 */
export function isSaid(operation: Operation, name: string, input: Readonly<Record<string, unknown>>): boolean {
  const field = operation.input[name]!;
  return (
    field.type === 'list' &&
    !field.required &&
    field.of.ref !== undefined &&
    Object.entries(operation.input).some(
      ([other, one]) => other !== name && input[other] !== undefined && one.ref === field.of.ref,
    )
  );
}

/** A branch of the tree: a list of the table with what it is called. */
export interface Branch extends ListAt {
  label: string;
}
/** The lists to show at a place, with their names. */
export const branchesAt = (...place: Parameters<typeof listsAt>): Branch[] =>
  listsAt(...place).map(one => ({ ...one, label: plural(one.resource) }));
/** What a place has just one of, with its name. */
export const singlesAt = (
  ...place: Parameters<typeof singlesIn>
): { operation: string; resource: string; label: string }[] =>
  singlesIn(...place).map(one => ({ ...one, label: title(one.resource) }));

/**
 * Objects that are texts in a language, such as scripts: which field of the operation that stores them holds the text.
 * Undefined for others.
 */
export function sourceOf(provider: Provider, resource: string): { field: string; language: string } | undefined {
  const found =
    operationOf(provider, `${resource}.get`) &&
    Object.entries(operationOf(provider, `${resource}.put`)?.input ?? {}).find(
      ([, field]) => field.type === 'text' && field.language !== undefined,
    );
  return found && { field: found[0], language: (found[1] as { language: string }).language };
}

/** The field for a place among others where the order of a list counts. Undefined where it does not. */
export const placeField = (provider: Provider, resource: string): string | undefined =>
  operationOf(provider, `${resource}.move`)?.input.position?.type === 'number' ? 'position' : undefined;

/** What can be done with an object, beyond listing and reading it: names of operations, in the table's order. */
export function actionsOn(provider: Provider, resource: string, binding: Binding): string[] {
  return Object.entries(tableOf(provider)).flatMap(([name, operation]) => {
    const [of, verb] = splitName(name);
    if (verb === 'list' || (of === resource && ['get', 'create', 'createMany'].includes(verb))) return [];
    if (verb === 'get') return [];
    const fields = Object.entries(operation.input);
    const own =
      of === resource &&
      (fields.some(([key, field]) => refOf(field) === resource && isPlace(key, field)) ||
        ['remove', 'delete'].includes(verb) ||
        (isSingle(provider, resource) && !['set', 'update'].includes(verb)));
    const about = fields.some(([key, field]) => field.required && isPlaceOf(key, field, resource));
    // Another resource's objects must be reachable from here: an action on one of them is offered there.
    const elsewhere =
      of !== resource &&
      operationOf(provider, `${of}.list`) !== undefined &&
      fields.some(([, field]) => field.required && refOf(field) === of && binding.refs[of] === undefined);
    return (own || about) && !elsewhere ? [name] : [];
  });
}

/** What stands on which command: the verbs of operations that have a place in menus. */
export const VERBS: Readonly<Record<string, readonly string[]>> = {
  restore: ['restore'],
  testSend: ['testSend', 'test'],
  testSync: ['testSync', 'check'],
  link: ['linkEwsMasterAccount'],
  unlink: ['unlinkEwsMasterAccount'],
  validate: ['validate'],
  reconnect: ['reconnect'],
  move: ['move'],
  activate: ['activate'],
  clear: ['clear'],
};

/** What can be done at a branch: making an object of it, and whatever else of its resource needs none. */
export function actionsAt(provider: Provider, resource: string, binding: Binding): string[] {
  return Object.keys(tableOf(provider)).filter(name => {
    const [of, verb] = splitName(name);
    if (of !== resource || ['list', 'get', 'remove', 'delete', 'update'].includes(verb)) return false;
    const operation = operationOf(provider, name)!;
    return (
      !Object.entries(operation.input).some(([key, field]) => refOf(field) === resource && isPlace(key, field)) &&
      missing(operation, inputFrom(provider, name, binding)).every(key => refOf(operation.input[key]!) !== resource)
    );
  });
}

/** What can be done for an account as a whole, such as sending a message. */
export const actionsFor = (provider: Provider): string[] =>
  Object.entries(tableOf(provider)).flatMap(([name, operation]) => {
    const verb = splitName(name)[1];
    const [resource] = splitName(name);
    return verb === 'list' ||
      verb === 'get' ||
      name === 'account.check' ||
      Object.entries(operation.input).some(([key, field]) => refOf(field) === resource && isPlace(key, field)) ||
      Object.values(operation.input).some(field => field.required && field.ref !== undefined)
      ? []
      : [name];
  });

/** The field under which a list takes a search text, where the server can search. */
export const searchField = (operation: Operation): string | undefined =>
  ['search', 'contains', 'text', 'startswith', 'subject', 'file_name'].find(
    name => operation.input[name]?.type === 'text',
  );

const words = (value: unknown): string | undefined =>
  typeof value === 'string' ? brief(value).trim() || undefined : undefined;

/** What a person calls an object. */
export function labelOf(resource: string, item: Readonly<Record<string, unknown>>): string {
  if (isMail(resource)) return words(item.subject) ?? words(item.snippet) ?? '';
  return (
    words(item.email) ??
    words(item.name) ??
    words(item.value) ??
    words(item.pattern) ??
    words(item.address) ??
    words(item.subject) ??
    words(item.title) ??
    words(item.url) ??
    idOfItem(item)
  );
}

/** The kinds of object that are mail to be read. */
export const isMail = (resource: string): boolean => isMessage(resource) || isConversation(resource);
export const isMessage = (resource: string): boolean => /message$/i.test(resource);
/** A message that is marked as a draft (RFC 9051 section 2.3.2). */
export const isDraft = ({ flags }: Readonly<Record<string, unknown>>): boolean =>
  Array.isArray(flags) && flags.some(one => String(one).toLowerCase() === '\\draft');
export const isConversation = (resource: string): boolean => /^(conversation|thread)$|Thread$/.test(resource);

/** The n8n node that offers an operation; the same rule as in the n8n front end, and a test holds them together. */
export function nodeFor(operation: string): string {
  const [resource, verb] = splitName(operation);
  if (resource === 'alias') return 'alias';
  if (/spam/i.test(resource)) return 'spamList';
  return resource === 'message' && ['send', 'sendFrom', 'reply', 'forward'].includes(verb) ? 'send' : 'mailbox';
}

/** The operation that sends a message again, from where it is; undefined where there is none. */
export const resends = (provider: Provider, resource: string, { refs }: Binding): string | undefined =>
  isMessage(resource) && operationOf(provider, 'message.get')
    ? [...(refs.mailbox === undefined ? [] : ['message.sendFrom']), 'message.send'].find(name =>
        operationOf(provider, name),
      )
    : undefined;

/** The operations that the composer is for. */
export const isSending = (name: string): boolean => /^message\.(send|sendFrom|reply|forward)$/.test(name);
