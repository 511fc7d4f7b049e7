import type { Client } from './client.js';
import { take } from './pages.js';
import {
  bind,
  idOfItem,
  inputFrom,
  isEntryList,
  isMailbox,
  listsAt,
  missing,
  NOTHING_BOUND,
  operationOf,
  tableOf,
  type Binding,
  type ListAt,
} from './places.js';
import type { Provider } from './provider.js';
import { pathPart, type PulledDocument } from './settingsFolder.js';
import { editingOf, valuesOf } from './values.js';
import { splitName } from './vocabulary.js';

type Values = Record<string, unknown>;
/** So many entries of a list are read, and so many objects of one kind below one place. */
const MOST_ENTRIES = 20_000;
const MOST_OBJECTS = 10_000;
/** Lists lie so deep below an account at most. */
const DEPTH = 3;

/** A list to be read on the way to what is wanted. */
interface Step {
  list: ListAt;
  wanted: boolean;
  below: Step[];
}
/** An object or a list that becomes a document: where its file belongs, and how its values are read. */
export interface Found extends Omit<PulledDocument, 'base'> {
  path: string;
  read(): Promise<Values>;
}

/** The kinds of which there are documents: objects that can be read and changed, and lists of bare texts. */
export const settingsOf = (provider: Provider): string[] =>
  [...new Set(Object.keys(tableOf(provider)).map(name => splitName(name)[0]))].filter(
    resource =>
      operationOf(provider, `${resource}.list`) !== undefined &&
      (isEntryList(provider, resource) || hasDocument(provider, resource)),
  );
/** What is set as a whole is not among them: a value that only somebody else changed would be sent back. */
const hasDocument = (provider: Provider, resource: string): boolean =>
  operationOf(provider, `${resource}.get`) !== undefined &&
  editingOf(provider, resource, NOTHING_BOUND)?.whole === false &&
  operationOf(provider, `${resource}.put`) === undefined;
/** Those that are pulled unless others are named: mailboxes, aliases and lists. */
export const usualSettings = (provider: Provider): string[] =>
  settingsOf(provider).filter(
    resource => isMailbox(resource) || /alias$/i.test(resource) || isEntryList(provider, resource),
  );

/** The ways to what is wanted: each kind is read where it lies least deep, below all that lie there. */
function stepsTo(provider: Provider, account: Values, wanted: ReadonlySet<string>): Step[] {
  const least = new Map<string, number>();
  const all = (resource: string | undefined, binding: Binding, depth: number): Step[] =>
    listsAt(provider, account, resource, binding).map((list): Step => {
      const own = list.resource;
      least.set(own, Math.min(depth, least.get(own) ?? depth));
      const isEnd = depth === DEPTH || isEntryList(provider, own);
      return {
        list,
        wanted: wanted.has(own),
        below: isEnd ? [] : all(own, bind(provider, binding, own, { id: '?' }), depth + 1),
      };
    });
  const kept = (steps: readonly Step[], depth: number): Step[] =>
    steps
      .map(step => ({
        ...step,
        wanted: step.wanted && least.get(step.list.resource) === depth,
        below: kept(step.below, depth + 1),
      }))
      .filter(step => step.wanted || step.below.length > 0);
  return kept(all(undefined, NOTHING_BOUND, 1), 1);
}

/** The text that an entry is, as the operation that adds one names it. */
export const entryKey = (provider: Provider, resource: string, binding: Binding): string | undefined => {
  const add = operationOf(provider, `${resource}.add`);
  return add && missing(add, inputFrom(provider, `${resource}.add`, binding))[0];
};
/** The entries of a list, in the order of the alphabet: what a server reorders is no change. */
export async function entriesOf(client: Client, resource: string, binding: Binding): Promise<string[]> {
  const { provider } = client;
  const name = `${resource}.list`;
  const key = entryKey(provider, resource, binding) ?? 'value';
  const rows = await take(
    client.call(name, inputFrom(provider, name, binding)) as AsyncIterable<Values>,
    MOST_ENTRIES + 1,
  );
  if (rows.length > MOST_ENTRIES)
    throw new Error(`The list has more than ${MOST_ENTRIES} entries. Such a list is not kept as a file.`);
  return [...new Set(rows.map(row => String(row[key] ?? idOfItem(row))))].sort();
}

const labelOf = (item: Values): string => {
  const words = [item.email, item.name, item.address, item.value].find(
    one => typeof one === 'string' && one.trim() !== '',
  );
  return typeof words === 'string' ? words : idOfItem(item);
};

/** All that becomes a document, one after the other; nothing of it is read before it is asked for. */
export async function* walk(client: Client, account: Values, resources: readonly string[]): AsyncGenerator<Found> {
  const { provider } = client;
  yield* below(client, stepsTo(provider, account, new Set(resources)), NOTHING_BOUND, []);
}

async function* below(
  client: Client,
  steps: readonly Step[],
  binding: Binding,
  above: readonly string[],
): AsyncGenerator<Found> {
  for (const step of steps) {
    const { resource, choice } = step.list;
    if (isEntryList(client.provider, resource)) yield* lists(client, step.list, binding, above);
    else if (choice === undefined) yield* objects(client, step, binding, above);
  }
}

async function* lists(
  client: Client,
  { resource, operation, choice }: ListAt,
  binding: Binding,
  above: readonly string[],
): AsyncGenerator<Found> {
  const field = choice === undefined ? undefined : operationOf(client.provider, operation)!.input[choice];
  const kinds = field?.type === 'choice' ? Object.keys(field.choices) : [undefined];
  for (const kind of kinds) {
    const choices = kind === undefined ? {} : { [choice!]: kind };
    const refs = { ...binding.refs };
    const parts = [resource, ...above, kind ?? (above.length ? undefined : 'entries')].filter(
      part => part !== undefined,
    );
    yield {
      path: `${(parts.length > 1 ? parts : [resource, ...parts]).map(pathPart).join('/')}.mailroom`,
      resource,
      refs,
      ...(kind === undefined ? {} : { choices }),
      read: async () => ({ entries: await entriesOf(client, resource, { refs, choices }) }),
    };
  }
}

async function* objects(
  client: Client,
  { list, wanted, below: deeper }: Step,
  binding: Binding,
  above: readonly string[],
): AsyncGenerator<Found> {
  const { provider } = client;
  const { resource, operation, only } = list;
  let count = 0;
  for await (const item of client.call(operation, inputFrom(provider, operation, binding)) as AsyncIterable<Values>) {
    if (only !== undefined && idOfItem(item) !== only) continue;
    if (++count > MOST_OBJECTS)
      throw new Error(
        `There are more than ${MOST_OBJECTS} ${resource} objects in one place. Pull fewer kinds at a time.`,
      );
    const own = bind(provider, binding, resource, item);
    const refs = { ...own.refs };
    const label = labelOf(item);
    if (wanted) {
      yield {
        path: `${[resource, ...above, label].map(pathPart).join('/')}.mailroom`,
        resource,
        refs,
        read: async () => (await readObject(client, resource, own)).values,
      };
    }
    yield* below(client, deeper, { refs, choices: own.choices }, [...above, label]);
  }
}

/** An object as it is now, and what changes it. Throws where the provider cannot. */
export async function readObject(client: Client, resource: string, binding: Binding) {
  const { provider } = client;
  const get = `${resource}.get`;
  const editing = editingOf(provider, resource, binding);
  if (!editing || !operationOf(provider, get)) throw new Error(`${provider.name} cannot change a ${resource}.`);
  const item = (await client.call(get, inputFrom(provider, get, binding))) as Values;
  return { editing, item, values: valuesOf(editing.fields, item) };
}
