import { MailError, providerById, type Client, type Field, type Fields, type Operation } from '../../shared/index.js';
import { title } from './words.js';

/** What a picker holds where an object was named by what people know of it, not by its id. */
export interface Named {
  by: 'email' | 'name';
  value: string;
}

/** The address or name in a resource locator; undefined where it holds an id, or nothing. */
export function namedBy(value: unknown): Named | undefined {
  if (typeof value !== 'object' || value === null || !('__rl' in value)) return undefined;
  const { mode, value: words } = value as { mode?: unknown; value?: unknown };
  return (mode === 'email' || mode === 'name') && typeof words === 'string' && words.trim() !== ''
    ? { by: mode, value: words.trim() }
    : undefined;
}

/** The value inside a resource locator, whatever way it was chosen; any other value as it is. */
export const plainValue = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && '__rl' in value ? (value as { value?: unknown }).value : value;

/** An account, and the name it has in caches. */
interface Where {
  client: Client;
  key: string;
}
type Found = Record<string, unknown>;
/** The objects of one list by their address or name, in small letters. */
type Index = Map<string, Found[]>;

/** No list of names is read further than this; who has more uses ids. */
const MOST = 200_000;

/**
 * Finds ids by addresses and names, for one run of a node. The list of a resource is read once, whatever the number of
 * items; a run of a single item asks for just that object where the provider can. Throws `not_found` for nobody, and
 * `rejected` where several have the name.
 */
export class Lookups {
  private readonly lists = new Map<string, Promise<Index>>();
  constructor(private readonly single: boolean) {}

  /**
   * Puts ids in the place of all that is named otherwise; `input` holds the other values, since a mailbox may be one of
   * a tenant.
   */
  async resolve(
    where: Where,
    fields: Fields,
    named: ReadonlyMap<string, Named>,
    input: Record<string, unknown>,
  ): Promise<void> {
    const open = new Map(named);
    while (open.size) {
      const needs = (key: string) =>
        Object.keys(listOf(where.client, fields[key]!).input).some(one => one !== key && open.has(one));
      const key = [...open.keys()].find(one => !needs(one)) ?? [...open.keys()][0]!;
      input[key] = await this.id(where, key, fields[key]!, open.get(key)!, input);
      open.delete(key);
    }
  }

  private async id(
    { client, key }: Where,
    name: string,
    field: Field,
    { by, value }: Named,
    input: Readonly<Record<string, unknown>>,
  ): Promise<string> {
    const list = listOf(client, field);
    const resource = field.ref!;
    const within = Object.fromEntries(
      Object.entries(list.input)
        .filter(([one, { ref }]) => ref !== undefined && one !== name && typeof input[one] === 'string')
        .map(([one]) => [one, input[one]]),
    );
    const search = this.single
      ? (by === 'email' ? ['email', 'search'] : ['search']).find(one => Object.hasOwn(list.input, one))
      : undefined;
    const asked = search ? { ...within, [search]: value } : within;
    const cached = `${key} ${resource} ${by} ${JSON.stringify(asked)}`;
    let index = this.lists.get(cached);
    if (!index) {
      this.lists.set(cached, (index = read(client, resource, by, asked)));
      // A list that could not be read is asked for anew by the next item.
      index.catch(() => this.lists.delete(cached));
    }
    const found = (await index).get(value.toLowerCase()) ?? [];
    const exact = found.filter(one => one[by] === value);
    const [only, ...others] = exact.length ? exact : found;
    const what = `${title(resource).toLowerCase()} with the ${by === 'email' ? 'address' : 'name'} "${value}"`;
    const complain = (code: 'not_found' | 'rejected', message: string) =>
      new MailError(code, message, { issues: [{ field: name, message }] });
    if (!only) throw complain('not_found', `There is no ${what} in this account.`);
    if (others.length)
      throw complain('rejected', `There are ${others.length + 1} objects of the kind ${what}; choose one by its ID.`);
    return String(only.id);
  }
}

/** The operation that lists what a field names. */
const listOf = (client: Client, field: Field): Operation =>
  (providerById(client.provider.id).operations as Readonly<Record<string, Operation>>)[`${field.ref!}.list`]!;

async function read(client: Client, resource: string, by: Named['by'], input: Record<string, unknown>): Promise<Index> {
  const index: Index = new Map();
  let seen = 0;
  for await (const one of client.call(`${resource}.list`, input) as AsyncIterable<Found>) {
    if (++seen > MOST) throw new MailError('rejected', `This account has more than ${MOST} objects; choose by ID.`);
    const name = one[by];
    if (typeof name === 'string') index.set(name.toLowerCase(), [...(index.get(name.toLowerCase()) ?? []), one]);
  }
  return index;
}
