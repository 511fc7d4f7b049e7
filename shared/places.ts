// Where objects are: what a table of operations says of the place of each, so that front ends find lists, ids and
// inputs without knowing a provider.
import type { Field, Fields } from './fields.js';
import type { Operation, Provider } from './provider.js';
import { splitName } from './vocabulary.js';

/**
 * What is known at a place in the tree: ids by the resource they name, chosen values by field name, and the object of
 * the row itself.
 */
export interface Binding {
  readonly refs: Readonly<Record<string, string>>;
  readonly choices: Readonly<Record<string, string>>;
  readonly item?: Readonly<Record<string, unknown>>;
}
export const NOTHING_BOUND: Binding = { refs: {}, choices: {} };

/** The operations of a provider as plain data. */
export const tableOf = (provider: Provider): Readonly<Record<string, Operation>> =>
  provider.operations as Readonly<Record<string, Operation>>;
export const operationOf = (provider: Provider, name: string): Operation | undefined =>
  Object.hasOwn(provider.operations, name) ? tableOf(provider)[name] : undefined;

/** The resource a field names, its own or that of its entries. */
export const refOf = (field: Field): string | undefined =>
  field.ref ?? (field.type === 'list' ? field.of.ref : undefined);

/**
 * True where a field is the place of its resource (`mailbox`, `domain_id`) and not some other mention of it (`target`
 * folder, `creator`).
 */
export function isPlace(name: string, field: Field): boolean {
  const ref = refOf(field)?.toLowerCase();
  const bare = name.replace(/_?ids?$/i, '').toLowerCase();
  return ref !== undefined && bare !== '' && (ref === bare || ref.endsWith(bare));
}

/** True where a field is the place of an object of this resource, its own or one that serves there as well. */
export const isPlaceOf = (name: string, field: Field, resource: string): boolean =>
  isPlace(name, field) && (refOf(field) === resource || Object.hasOwn(field.also ?? {}, resource));

/** The id of a listed object: what the other operations take. */
export function idOfItem(item: Readonly<Record<string, unknown>>): string {
  for (const key of ['id', 'value', 'address', 'pattern', 'email', 'name']) {
    const value = item[key];
    if ((typeof value === 'string' && value !== '') || typeof value === 'number') return String(value);
  }
  return JSON.stringify(item).slice(0, 100);
}

/**
 * The resource whose ids a listed one has for want of its own: a mobile service is named by its mailbox, which its list
 * does not take and its operations do.
 */
function namedBy(provider: Provider, resource: string): string | undefined {
  // Asked for every row of a list, so it is looked up once.
  let known = names.get(provider);
  if (!known) names.set(provider, (known = new Map()));
  if (!known.has(resource)) known.set(resource, findName(provider, resource));
  return known.get(resource);
}
const names = new WeakMap<Provider, Map<string, string | undefined>>();
function findName(provider: Provider, resource: string): string | undefined {
  const list = operationOf(provider, `${resource}.list`);
  const own = Object.entries(tableOf(provider))
    .filter(([name]) => splitName(name)[0] === resource)
    .map(([, operation]) => operation);
  if (!list || own.some(({ input }) => Object.values(input).some(field => refOf(field) === resource))) return undefined;
  const gone = operationOf(provider, `${resource}.delete`) ?? operationOf(provider, `${resource}.remove`);
  return Object.entries(gone?.input ?? {})
    .filter(([key, field]) => field.required && isPlace(key, field))
    .map(([, field]) => refOf(field)!)
    .find(ref => !Object.values(list.input).some(field => refOf(field) === ref));
}

/** The binding below an object: its id under its resource, and what it says of the objects around it. */
export function bind(
  provider: Provider,
  above: Binding,
  resource: string,
  item: Readonly<Record<string, unknown>>,
): Binding {
  const refs: Record<string, string> = { ...above.refs };
  for (const [key, value] of Object.entries(item)) {
    if (
      key !== resource &&
      typeof value === 'string' &&
      value !== '' &&
      refs[key] === undefined &&
      operationOf(provider, `${key}.list`)
    )
      refs[key] = value;
  }
  refs[resource] = idOfItem(item);
  const named = namedBy(provider, resource);
  if (named !== undefined) refs[named] = refs[resource];
  return { refs, choices: above.choices, item };
}

/**
 * The input of an operation as far as the place in the tree knows it. Required places are always filled; optional ones
 * where they limit a list or say where an object is, never where they would be a change (the new owner of a mailbox).
 */
export function inputFrom(provider: Provider, name: string, binding: Binding): Record<string, unknown> {
  const operation = operationOf(provider, name);
  if (!operation) return {};
  const [resource, verb] = splitName(name);
  const read = operationOf(provider, `${resource}.get`)?.input ?? {};
  const input: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(operation.input)) {
    const ref = refOf(field);
    let value: string | undefined;
    // An object that stands in for the one named, and says so in other fields (which of two services).
    const other =
      ref !== undefined && binding.refs[ref] === undefined && isPlace(key, field)
        ? Object.keys(field.also ?? {}).find(one => binding.refs[one] !== undefined)
        : undefined;
    if (other !== undefined) {
      input[key] = field.type === 'list' ? [binding.refs[other]] : binding.refs[other];
      for (const [beside, its] of Object.entries(field.also![other]!))
        if (Object.hasOwn(operation.input, beside)) input[beside] = its;
      continue;
    }
    if (input[key] !== undefined) continue;
    if (ref !== undefined && isPlace(key, field)) {
      const wanted =
        field.required ||
        verb === 'list' ||
        ref === resource ||
        Object.hasOwn(provider.auth.fields as Fields, key) ||
        Object.hasOwn(read, key);
      if (wanted) value = binding.refs[ref];
      // `messages` beside `message`: one of them is enough.
      if (
        value !== undefined &&
        !field.required &&
        field.type === 'list' &&
        ref === resource &&
        Object.entries(operation.input).some(([other, one]) => other !== key && refOf(one) === ref)
      ) {
        value = undefined;
      }
    }
    value ??= binding.choices[key];
    if (
      value === undefined &&
      field.required &&
      ref === undefined &&
      (verb === 'remove' || verb === 'delete') &&
      typeof binding.item?.[key] === 'string'
    ) {
      value = binding.item[key];
    }
    if (value !== undefined) input[key] = field.type === 'list' ? [value] : value;
  }
  return input;
}

/** The required fields that an input does not fill yet. */
export const missing = (operation: Operation, input: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(operation.input)
    .filter(([key, field]) => field.required && field.default === undefined && input[key] === undefined)
    .map(([key]) => key);

/**
 * A list of the table with what limits it. Where a required choice is open (which of four lists), `choice` names it;
 * where the list cannot be limited to the object it is shown below, `only` is the id of the rows that belong there.
 */
export interface ListAt {
  operation: string;
  resource: string;
  choice?: string;
  only?: string;
}

/**
 * The lists to show at a place: at the account (no resource) those that need no target, below an object those that it
 * limits.
 */
export function listsAt(
  provider: Provider,
  account: Readonly<Record<string, unknown>>,
  resource: string | undefined,
  binding: Binding,
): ListAt[] {
  const found: ListAt[] = [];
  for (const [name, operation] of Object.entries(tableOf(provider))) {
    const [listed, verb] = splitName(name);
    if (verb !== 'list' || listed === resource || (resource !== undefined && binding.refs[listed] !== undefined))
      continue;
    const fields = Object.entries(operation.input);
    const named = resource !== undefined && namedBy(provider, listed) === resource;
    if (resource !== undefined && !named && !fields.some(([key, field]) => isPlaceOf(key, field, resource))) continue;
    const input = inputFrom(provider, name, binding);
    // A place that the account can name for all its requests (a tenant) must be known by now.
    const nowhere = fields.some(
      ([key, field]) =>
        field.ref !== undefined &&
        Object.hasOwn(provider.auth.fields as Fields, key) &&
        !account[key] &&
        input[key] === undefined,
    );
    if (nowhere) continue;
    const open = missing(operation, input);
    const choice = open.find(key => operation.input[key]!.type === 'choice');
    if (open.some(key => key !== choice)) continue;
    found.push({
      operation: name,
      resource: listed,
      ...(choice === undefined ? {} : { choice }),
      ...(named ? { only: binding.refs[resource]! } : {}),
    });
  }
  const rank = ({ resource: one }: ListAt) => (one === 'tenant' || one === 'domain' ? 0 : isMailbox(one) ? 1 : 2);
  return resource === undefined ? found.sort((a, b) => rank(a) - rank(b)) : found;
}

/** Objects of which a place has just one (the spam settings of a mailbox): read by themselves, never listed. */
export function singlesIn(
  provider: Provider,
  resource: string | undefined,
  binding: Binding,
): { operation: string; resource: string }[] {
  return Object.entries(tableOf(provider)).flatMap(([name, operation]) => {
    const [one, verb] = splitName(name);
    if (verb !== 'get' || operationOf(provider, `${one}.list`)) return [];
    const fields = Object.entries(operation.input);
    if (
      resource === undefined
        ? fields.some(([, field]) => field.required || startsFrom(field))
        : !fields.some(([key, field]) => field.required && isPlaceOf(key, field, resource))
    )
      return [];
    return missing(operation, inputFrom(provider, name, binding)).length ? [] : [{ operation: name, resource: one }];
  });
}

/**
 * Whether a field names what is to be looked at, such as the message whose thread is read: without it there is nothing
 * to show.
 */
const startsFrom = (field: Field): boolean =>
  field.ref !== undefined && field.type !== 'list' && field.default === undefined;

/** Whether a place has one such object at most: it is read by itself, set as a whole, and never listed. */
export const isSingle = (provider: Provider, resource: string): boolean =>
  operationOf(provider, `${resource}.get`) !== undefined && operationOf(provider, `${resource}.list`) === undefined;

/** Whether the entries of a list are bare texts: they are added and removed, and never read one by one. */
export const isEntryList = (provider: Provider, resource: string): boolean =>
  !operationOf(provider, `${resource}.get`) &&
  operationOf(provider, `${resource}.add`) !== undefined &&
  operationOf(provider, `${resource}.remove`) !== undefined;

export const isMailbox = (resource: string): boolean => /mailbox$/i.test(resource);
