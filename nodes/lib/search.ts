import type { ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';
import { isMailError, providerById, type Client, type Operation } from '../../shared/index.js';
import { asNodeError, openAccount } from './host.js';
import { isPicked, pickedResources } from './parameters.js';
import type { NodeName } from './owner.js';

/** How many entries a picker shows at once, how long a list may go on being read page by page (milliseconds), and how long a throttled account rests. */
const PAGE = 50, KEPT = 120_000, REST = 30_000;
interface Reading { stream: AsyncIterator<unknown>; until: number }
const readings = new Map<string, Reading>();
const resting = new Map<string, number>();

/** The search methods of a node: one for each resource that one of its parameters picks. */
export const searchMethods = (node: NodeName) =>
  Object.fromEntries(pickedResources(node).map(resource => [resource, searcher(resource)])) as Record<string, ReturnType<typeof searcher>>;

/** A picker of one resource: the same list the node would give, with its search where the provider has one, else filtered here. */
function searcher(resource: string) {
  return async function (this: ILoadOptionsFunctions, filter?: string, token?: string): Promise<INodeListSearchResult> {
    try {
      const provider = providerById(this.getCurrentNodeParameter('provider') as string);
      const { client, key } = await openAccount(this, provider.id);
      const until = resting.get(key);
      if (until && until > Date.now()) throw new Error(`${provider.name} asked for fewer requests; this list waits another ${Math.ceil((until - Date.now()) / 1000)} s.`);
      const operation = (provider.operations as Readonly<Record<string, Operation>>)[`${resource}.list`]!;
      const input = siblings(this, provider.id, operation);
      const searched = filter ? SEARCHES.find(name => Object.hasOwn(operation.input, name)) : undefined;
      if (searched) input[searched] = filter;
      try {
        return await page(client, `${resource}.list`, input, searched ? undefined : filter, `${key} ${resource} ${JSON.stringify(input)} ${filter ?? ''}`, token);
      } catch (error) {
        if (isMailError(error) && error.code === 'rate_limited') resting.set(key, Date.now() + Math.max(REST, (error.details.retryAfter ?? 0) * 1000));
        throw asNodeError(this.getNode(), error);
      }
    } catch (error) {
      throw asNodeError(this.getNode(), error);
    }
  };
}

/** The names under which the providers' lists take a search text. */
const SEARCHES = ['search', 'contains', 'startswith'];

/** What the list needs besides: the fields of the same name that are filled in already (the domain of a mailbox, the mailbox of a folder). */
function siblings(context: ILoadOptionsFunctions, providerId: string, operation: Operation): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(operation.input)) {
    if (!field.required && !field.ref) continue;
    let value: unknown;
    for (const path of [name, `additionalFields.${name}`, `updateFields.${name}`, `filters.${name}`]) {
      try { value = context.getCurrentNodeParameter(path, { extractValue: isPicked(providerById(providerId), field) }); } catch { value = undefined; }
      if (value) break;
    }
    if (value && typeof value === 'string') input[name] = value;
    else if (field.required) throw new Error(`Choose ${field.label} first.`);
  }
  return input;
}

/** The next entries of a list; the reading goes on where it stopped when the editor scrolls. */
async function page(client: Client, list: string, input: Record<string, unknown>, filter: string | undefined, name: string, token: string | undefined): Promise<INodeListSearchResult> {
  for (const [old, { until, stream }] of readings) if (until < Date.now()) { readings.delete(old); void stream.return?.(); }
  const kept = token ? readings.get(name) : undefined;
  readings.delete(name);
  const stream = kept?.stream ?? (client.call(list, input) as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  // A reading that was dropped meanwhile starts again and skips what was shown.
  let skip = token && !kept ? Number(token) : 0;
  const results: INodeListSearchResult['results'] = [], wanted = filter?.toLowerCase();
  let done = false;
  while (results.length < PAGE) {
    const step = await stream.next();
    if (step.done) { done = true; break; }
    const entry = entryOf(step.value as Record<string, unknown>);
    if (wanted && !`${entry.name} ${entry.value}`.toLowerCase().includes(wanted)) continue;
    if (skip > 0) { skip--; continue; }
    results.push(entry);
  }
  if (done) return { results };
  readings.set(name, { stream, until: Date.now() + KEPT });
  return { results, paginationToken: String(Number(token ?? 0) + results.length) };
}

/** What a person recognises, and what the operations take. */
function entryOf(item: Record<string, unknown>): { name: string; value: string } {
  const value = String(item.id ?? item.value ?? item.name);
  const label = [item.email, item.name, item.subject].find(text => typeof text === 'string' && text !== '') as string | undefined;
  return { name: label ?? value, value };
}
