import type { ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';
import { isMailError, providerById, type Client, type Operation, type Provider } from '../../shared/index.js';
import { asNodeError, openAccount } from './host.js';
import { Lookups, namedBy, plainValue, type Named } from './lookup.js';
import { isPicked } from './parameter.js';
import { pickedResources } from './parameters.js';
import type { NodeName } from './owner.js';

/**
 * How many entries a picker shows at once, how long a list may go on being read page by page (milliseconds), and how
 * long a throttled account rests.
 */
const PAGE = 50;
const KEPT = 120_000;
const REST = 30_000;
interface Reading {
  stream: AsyncIterator<unknown>;
  until: number;
}
const readings = new Map<string, Reading>();
const resting = new Map<string, number>();

/** The search methods of a node: one for each resource that one of its parameters picks. */
export const searchMethods = (node: NodeName) =>
  Object.fromEntries(pickedResources(node).map(resource => [resource, searcher(resource)])) as Record<
    string,
    ReturnType<typeof searcher>
  >;

/**
 * A picker of one resource: the same list the node would give, with its search where the provider has one, else
 * filtered here.
 */
function searcher(resource: string) {
  return async function (this: ILoadOptionsFunctions, filter?: string, token?: string): Promise<INodeListSearchResult> {
    try {
      const provider = providerById(this.getCurrentNodeParameter('provider') as string);
      const account = await openAccount(this, provider.id);
      const { client, key } = account;
      const wanted = servedBy(this, provider, resource);
      const list = `${wanted}.list`;
      const operation = (provider.operations as Readonly<Record<string, Operation>>)[list]!;
      const { input, open } = await siblings(this, account, operation);
      const searched = filter ? SEARCHES.find(name => Object.hasOwn(operation.input, name)) : undefined;
      // Within a domain providers search names, not whole addresses.
      const words = open ? filter?.split('@')[0] : filter;
      if (searched && words) input[searched] = words;
      const begin = () =>
        open ? everywhere(client, list, input, open, filter) : (client.call(list, input) as AsyncIterable<unknown>);
      return await unlessResting(account, () =>
        page(
          begin,
          searched && words === filter ? undefined : filter,
          `${key} ${wanted} ${JSON.stringify(input)} ${filter ?? ''}`,
          token,
          this.getTimezone(),
        ),
      );
    } catch (error) {
      throw asNodeError(this.getNode(), error);
    }
  };
}

/**
 * Fills a list, unless the provider asked this account for fewer requests a moment ago: an editor asks again whenever
 * somebody looks at the field. Throws then, with how long it waits still.
 */
export async function unlessResting<T>(
  { client, key }: { client: Client; key: string },
  fill: () => Promise<T>,
): Promise<T> {
  const left = (resting.get(key) ?? 0) - Date.now();
  if (left > 0)
    throw new Error(
      `${client.provider.name} asked for fewer requests; this list waits another ${Math.ceil(left / 1000)} s.`,
    );
  const filling = fill();
  filling.catch((error: unknown) => {
    if (isMailError(error) && error.code === 'rate_limited')
      resting.set(key, Date.now() + Math.max(REST, (error.details.retryAfter ?? 0) * 1000));
  });
  return filling;
}

/** The names under which the providers' lists take a search text. */
const SEARCHES = ['search', 'contains', 'startswith'];

/**
 * A field that a list needs and the form does not ask for, the resource it names, and what the list of that resource
 * needs in its turn.
 */
interface Open {
  name: string;
  resource: string;
  within: Record<string, unknown>;
}

/**
 * What the list needs besides: the fields of the same name that are filled in already (the domain of a mailbox, the
 * mailbox of a folder). One that the form does not have stays open: an address says its domain, so who names a mailbox
 * is not asked for the domain.
 */
async function siblings(
  context: ILoadOptionsFunctions,
  account: { client: Client; key: string },
  operation: Operation,
): Promise<{ input: Record<string, unknown>; open?: Open }> {
  const input: Record<string, unknown> = {};
  const form = context.getCurrentNodeParameters() ?? {};
  const { provider } = account.client;
  const named = new Map<string, Named>();
  let open: Omit<Open, 'within'> | undefined;
  for (const [name, field] of Object.entries(operation.input)) {
    if (!field.required && !field.ref) continue;
    const whole = filledIn(context, name);
    const value = plainValue(whole);
    const sought = namedBy(whole);
    if (sought) named.set(name, sought);
    else if (value && typeof value === 'string') input[name] = value;
    else if (field.required && !open && !Object.hasOwn(form, name) && isPicked(provider, field))
      open = { name, resource: field.ref! };
    else if (field.required) throw new Error(`Choose ${field.label} first.`);
  }
  await new Lookups(true).resolve(account, operation.input, named, input);
  if (!open) return { input };
  const outer = (provider.operations as Readonly<Record<string, Operation>>)[`${open.resource}.list`]!.input;
  return {
    input,
    open: { ...open, within: Object.fromEntries(Object.entries(input).filter(([name]) => Object.hasOwn(outer, name))) },
  };
}

/** What the form holds under a name, wherever the name stands in it. */
function filledIn(context: ILoadOptionsFunctions, name: string): unknown {
  for (const path of [name, `additionalFields.${name}`, `updateFields.${name}`, `filters.${name}`]) {
    try {
      const value = context.getCurrentNodeParameter(path);
      if (plainValue(value)) return value;
    } catch {
      /* n8n throws for a path that the form does not have. */
    }
  }
  return undefined;
}

/** The resource to list: another one where the form's other choices say that its objects serve here. */
function servedBy(context: ILoadOptionsFunctions, provider: Provider, resource: string): string {
  const name = `${String(filledIn(context, 'resource'))}.${String(filledIn(context, 'operation'))}`;
  for (const field of Object.values((provider.operations as Readonly<Record<string, Operation>>)[name]?.input ?? {})) {
    if (field.ref !== resource) continue;
    for (const [other, beside] of Object.entries(field.also ?? {}))
      if (Object.entries(beside).every(([key, value]) => filledIn(context, key) === value)) return other;
  }
  return resource;
}

/**
 * A list for every value of the field that stays open, one after the other and only as far as it is read. A search for
 * an address looks in its domain only.
 */
async function* everywhere(
  client: Client,
  list: string,
  input: Record<string, unknown>,
  { name, resource, within }: Open,
  filter = '',
): AsyncGenerator<unknown> {
  const part =
    resource === 'domain' && filter.includes('@') ? filter.slice(filter.lastIndexOf('@') + 1).toLowerCase() : '';
  let lists = 0;
  for await (const one of client.call(`${resource}.list`, within) as AsyncIterable<Record<string, unknown>>) {
    const { value } = entryOf(one);
    if (!value.toLowerCase().startsWith(part)) continue;
    if (lists++ % LISTS === LISTS - 1)
      yield { [ENOUGH]: `Nothing in ${lists - 1} ${resource}s. Type an address or @${resource}` };
    yield* client.call(list, { ...input, [name]: value }) as AsyncIterable<unknown>;
  }
}
/**
 * Nobody waits for more lists than these, and no account spends its pace on them; who scrolls gets the next. A text
 * says what to do instead.
 */
const LISTS = 20;
const ENOUGH = Symbol('enough');

/** The next entries of a list; the reading goes on where it stopped when the editor scrolls. */
async function page(
  begin: () => AsyncIterable<unknown>,
  filter: string | undefined,
  name: string,
  token: string | undefined,
  timeZone: string,
): Promise<INodeListSearchResult> {
  for (const [old, { until, stream }] of readings)
    if (until < Date.now()) {
      readings.delete(old);
      void stream.return?.();
    }
  const kept = token ? readings.get(name) : undefined;
  readings.delete(name);
  const stream = kept?.stream ?? begin()[Symbol.asyncIterator]();
  // A reading that was dropped meanwhile starts again and skips what was shown.
  let skip = token && !kept ? Number(token) : 0;
  const results: INodeListSearchResult['results'] = [];
  const wanted = filter?.toLowerCase();
  let done = false;
  while (results.length < PAGE) {
    const step = await stream.next();
    if (step.done) {
      done = true;
      break;
    }
    const told = (step.value as { [ENOUGH]?: string })[ENOUGH];
    if (told) {
      if (results.length) break;
      // As an entry without a value: n8n hides the search field beside an error, and would call an empty list a list
      // without results.
      return { results: [{ name: told, value: '' }] };
    }
    const entry = entryOf(step.value as Record<string, unknown>, timeZone);
    if (wanted && !`${entry.name} ${entry.value}`.toLowerCase().includes(wanted)) continue;
    if (skip > 0) {
      skip--;
      continue;
    }
    results.push(entry);
  }
  if (done) return { results };
  readings.set(name, { stream, until: Date.now() + KEPT });
  return { results, paginationToken: String(Number(token ?? 0) + results.length) };
}

/** Subjects are often the same, so a message also says from whom and when, by the clocks of the workflow. */
function byWhom({ from, date, receivedAt }: Record<string, unknown>, timeZone: string): string[] {
  const { name, email } = (typeof from === 'object' && from !== null ? from : {}) as {
    name?: unknown;
    email?: unknown;
  };
  const who = [name, email].find(text => typeof text === 'string' && text !== '') as string | undefined;
  const at = receivedAt ?? date;
  const clock =
    typeof at === 'string' && !Number.isNaN(Date.parse(at))
      ? new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
      : undefined;
  return who === undefined ? [] : [`from ${who}`, ...(clock ? [clock.format(new Date(at as string))] : [])];
}

/** What a person recognises, and what the operations take. */
export function entryOf(item: Record<string, unknown>, timeZone = 'UTC'): { name: string; value: string } {
  const value = String(item.id ?? item.value ?? item.name);
  const label = [item.email, item.name, item.subject].find(text => typeof text === 'string' && text !== '') as
    string | undefined;
  return { name: [label ?? value, ...byWhom(item, timeZone)].join(', '), value };
}
