import type { ILoadOptionsFunctions, INodeProperties, INodePropertyOptions } from 'n8n-workflow';
import { providerById, providers, type Feed, type Field, type Operation, type Provider } from '../../shared/index.js';
import { asNodeError, openAccount } from './host.js';
import { parameter } from './parameter.js';
import { entryOf, unlessResting } from './search.js';
import { BEFORE_1_1, SINCE_1_1 } from './version.js';
import { describe } from './words.js';

/** So many choices one list shows; who has more names theirs by an expression. */
const MOST = 2000;

/** The resource whose objects fill a list, where the provider lists them and nothing else has to be known first. */
function severalOf(provider: Provider, field: Field): string | undefined {
  const ref = field.type === 'list' ? field.of.ref : undefined;
  const list = ref && (provider.operations as Readonly<Record<string, Operation | undefined>>)[`${ref}.list`];
  return list && Object.values(list.input).every(({ required }) => !required) ? ref : undefined;
}

/**
 * A list of objects as a picker of several, with search. Nodes of the first version hold one text with commas, which
 * n8n's editor cannot show as choices, so they keep their text field. Undefined where nothing can be picked.
 */
export function picksSeveral(provider: Provider, name: string, field: Field): INodeProperties[] | undefined {
  const resource = severalOf(provider, field);
  if (!resource) return undefined;
  const typed = parameter(provider, name, field, false, true);
  const { displayName } = typed;
  const several: INodeProperties = {
    displayName,
    name,
    type: 'multiOptions',
    typeOptions: { loadOptionsMethod: methodOf(resource) },
    default: [],
  };
  if (Array.isArray(field.default)) several.default = field.default as string[];
  several.description = describe(
    [
      field.help,
      'Choose from the list, or specify values using an <a href="https://docs.n8n.io/code/expressions/">expression</a>.',
    ]
      .filter(Boolean)
      .join(' '),
  );
  return [
    { ...typed, displayOptions: { show: { '@version': BEFORE_1_1 } } },
    { ...several, displayOptions: { show: { '@version': SINCE_1_1 } } },
  ];
}

/** The methods that load the choices of all pickers of several. */
export const severalMethods = (): Record<string, (this: ILoadOptionsFunctions) => Promise<INodePropertyOptions[]>> =>
  Object.fromEntries(
    [
      ...new Set(
        providers.flatMap(provider =>
          Object.values(provider.feeds).flatMap(({ input }) =>
            Object.values(input as Feed['input']).flatMap(field => severalOf(provider, field) ?? []),
          ),
        ),
      ),
    ].map(resource => [methodOf(resource), choices(resource)]),
  );

/** The searches of one object have the plain names. */
const methodOf = (resource: string) => `${resource}Choices`;

function choices(resource: string) {
  return async function (this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {
    try {
      const provider = providerById(this.getCurrentNodeParameter('provider') as string);
      const account = await openAccount(this, provider.id);
      return await unlessResting(account, async () => {
        const found: INodePropertyOptions[] = [];
        for await (const one of account.client.call(`${resource}.list`, {}) as AsyncIterable<Record<string, unknown>>) {
          // A folder that only holds others has no messages.
          if ((one.native as { selectable?: boolean } | undefined)?.selectable === false) continue;
          const entry = entryOf(one);
          // Folders of the same name stand in different places.
          if (found.push(resource === 'folder' ? { name: entry.value, value: entry.value } : entry) === MOST) break;
        }
        return found;
      });
    } catch (error) {
      throw asNodeError(this.getNode(), error);
    }
  };
}
