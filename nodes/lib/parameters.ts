import type { INodeProperties, INodePropertyOptions } from 'n8n-workflow';
import { providers, splitName, type Field, type Operation, type Provider } from '../../shared/index.js';
import { CREDENTIALS_HERE, signInProperties } from './account.js';
import { bringsContent, contentOptions } from './content.js';
import { isCommon, ownerOf, placeAmongCommon, type NodeName } from './owner.js';
import { asPicker, isPicked, menu, option, optionsCollection, parameter, sorted } from './parameter.js';
import { canAsk, SEND_AND_WAIT_OPTION, sendAndWaitProperties } from './sendAndWait.js';
import { BEFORE_1_1, SINCE_1_1 } from './version.js';
import { actionOf, sharedActionOf, subjectOf, title, verbTitle } from './words.js';

/** The names this front end uses itself; no field of an operation may have one of them. */
export const RESERVED = [
  'provider',
  'resource',
  'operation',
  'returnAll',
  'limit',
  'simplify',
  'filters',
  'updateFields',
  'additionalFields',
  'authentication',
  'credentials',
  'options',
  'consequence',
  'allowDestructive',
  'attachmentsFrom',
] as const;

/** For subtitles, inside an expression: the chosen provider as people call it. */
export const CHOSEN_PROVIDER = `(${JSON.stringify(Object.fromEntries(providers.map(({ id, name }) => [id, name])))})[$parameter["provider"]]`;

/** The operations a node offers at a provider, as [name, operation]. */
export const offered = (node: NodeName, provider: Provider): [string, Operation][] =>
  (Object.entries(provider.operations) as [string, Operation][]).filter(([name]) => ownerOf(name) === node);

/** The providers that have something for a node. */
export const providersOf = (node: NodeName): readonly Provider[] =>
  providers.filter(provider => offered(node, provider).length > 0);

/** The name of the collection that holds an operation's optional fields. */
export const collectionOf = (verb: string) =>
  verb === 'list' ? 'filters' : verb === 'update' ? 'updateFields' : 'additionalFields';
const COLLECTION_TITLE = { filters: 'Filters', updateFields: 'Update Fields', additionalFields: 'Additional Fields' };
const COLLECTION_ADD = { filters: 'Add Filter', updateFields: 'Add Field', additionalFields: 'Add Field' };

/**
 * Whether an operation's answer has a vendor part that Simplify can leave out; after a removal nobody looks for one.
 */
const simplifies = (verb: string, { plain }: Operation) => !plain && !/^(delete|remove)/.test(verb);

/** All parameters of a node, derived from the operation tables: what is shown, when, and in which order. */
export function nodeProperties(node: NodeName): INodeProperties[] {
  const offering = providersOf(node);
  const properties: INodeProperties[] = [
    ...editorIndex(node, offering),
    ...providerChoice(offering, 'Where the mailboxes are'),
  ];
  properties.push(...signInProperties(offering.map(({ id }) => id)), CREDENTIALS_HERE);
  for (const provider of offering) properties.push(...providerProperties(node, provider));
  return properties;
}

/**
 * What n8n's editor reads to list actions and to name new nodes; none of it is ever shown. It joins resources and
 * operations by value alone, so with several providers all would get the actions of the first one. Instead:
 * - a menu that names each pair of provider and resource once, by the provider alone, so that the list shows one group
 *   for each provider;
 * - for each pair a menu of its common operations, hidden by the very values that show it: the list reads only what
 *   shows it, and a click sets
 *   those, the provider, the resource and the operation. Nobody reads a list of 160; what is not in it can be chosen in
 *   the node;
 * - an `operation` without options, found first for the plain names, so that these add no actions;
 * - before it, for a version that does not exist and which the list of actions therefore skips, the operations of each
 *   resource at all
 *   providers, from which the editor takes names and n8n the descriptions of tools; where providers word it
 *   differently, in words that fit all;
 * - after it, for the provider that a new node begins with, a place for the operations of resources that it does not
 *   have: the editor names a
 *   node before it sets the provider, and would forget the operation.
 */
function editorIndex(node: NodeName, offering: readonly Provider[]): INodeProperties[] {
  const pairs = [...offering]
    .sort(byMail)
    .flatMap(provider =>
      [...resourcesOf(node, provider)]
        .sort((one, other) => placeAmongCommon(one) - placeAmongCommon(other))
        .map(resource => ({ provider, resource })),
    );
  const resources = [...new Set(pairs.map(({ resource }) => resource))];
  const listed = pairs
    .map(pair => ({ ...pair, options: menuOf(node, pair.provider, pair.resource, true) }))
    .filter(({ options }) => options.length);
  const never = { provider: [''] };
  const named = resources.map((resource): INodeProperties => {
    const words = new Map<string, Set<string>>();
    for (const [name, { summary }] of offering
      .flatMap(provider => offered(node, provider))
      .filter(([one]) => splitName(one)[0] === resource))
      words.set(name, (words.get(name) ?? new Set()).add(actionOf(name, summary)));
    const options = [...words].map(([name, actions]) => ({
      ...option(verbTitle(splitName(name)[1]), splitName(name)[1]),
      action: actions.size > 1 ? sharedActionOf(name) : [...actions][0]!,
    }));
    if (offering.some(provider => asksIn(node, provider, resource))) options.push(SEND_AND_WAIT_OPTION);
    return {
      ...menu('Operation', 'operation', options),
      displayOptions: { show: { ...never, '@version': [0], resource: [resource] } },
    };
  });
  const hidden = (show: Record<string, string[]>): INodeProperties => ({
    displayName: 'Operation',
    name: 'operation',
    type: 'hidden',
    noDataExpression: true,
    default: '',
    displayOptions: { show },
  });
  const first = firstOf(offering);
  const elsewhere = resources.filter(resource => !resourcesOf(node, first).includes(resource));
  return [
    {
      ...menu('Resource', 'resource', []),
      displayOptions: { show: never },
      options: listed.map(({ provider, resource }) => ({ name: provider.name, value: pairOf(provider, resource) })),
      default: pairOf(listed[0]!.provider, listed[0]!.resource),
    },
    ...named,
    hidden({ ...never, resource: resources }),
    ...(elsewhere.length ? [hidden({ provider: [first.id], resource: elsewhere })] : []),
    ...listed.map(({ provider, resource, options }): INodeProperties => ({
      ...menu('Operation', 'operation', options),
      options: byUse(resource, sorted(options)),
      displayOptions: {
        show: { provider: [provider.id], resource: [resource, pairOf(provider, resource)] },
        hide: { provider: [provider.id] },
      },
    })),
  ];
}
/** Common operations as people look for them; the others stay as they are. */
const byUse = (resource: string, options: readonly INodePropertyOptions[]) =>
  [...options].sort(
    (one, other) =>
      placeAmongCommon(`${resource}.${String(one.value)}`) - placeAmongCommon(`${resource}.${String(other.value)}`),
  );
/**
 * Where mail is read and moved comes first, unless a notice stands against it; the others follow in the order of the
 * registry.
 */
const byMail = (one: Provider, other: Provider) => Number(handlesMail(other)) - Number(handlesMail(one));
const handlesMail = ({ operations, notice }: Provider) => Object.hasOwn(operations, 'message.move') && !notice;

/**
 * The operations of a resource as a menu; of a node with very many, only the common ones for the list of actions, where
 * they need no description.
 */
function menuOf(node: NodeName, provider: Provider, resource: string, forList = false) {
  const own = offered(node, provider).filter(
    ([name]) => splitName(name)[0] === resource && (!forList || isCommon(node, name)),
  );
  const options = own.map(([name, { summary }]) => {
    const verb = splitName(name)[1];
    return { ...option(verbTitle(verb), verb, forList ? undefined : summary), action: actionOf(name, summary) };
  });
  return asksIn(node, provider, resource) ? [...options, SEND_AND_WAIT_OPTION] : options;
}
const pairOf = (provider: Provider, resource: string) => `${provider.id}/${resource}`;
const resourcesOf = (node: NodeName, provider: Provider) => [
  ...new Set(offered(node, provider).map(([name]) => splitName(name)[0])),
];

/**
 * What must be known before an operation runs, in a sentence: that it destroys, replaces, or shows something only once.
 * Nothing where it is harmless.
 */
export const consequenceOf = ({ effect, summary, consequence }: Operation): string | undefined =>
  consequence ?? (effect === 'destroy' ? `${summary.replace(/\.$/, '')}.` : undefined);

/** Send and Wait for Response is made of the provider's own way to send; it needs n8n and so stands in no table. */
const asksIn = (node: NodeName, provider: Provider, resource: string) =>
  node === 'send' && resource === 'message' && canAsk(provider);

/**
 * The menu of resources, for each its operations with their parameters, and what many operations share: that stands
 * once for all of them, which makes the description a tenth smaller. A form shows its parts in this order.
 */
function providerProperties(node: NodeName, provider: Provider): INodeProperties[] {
  const resources = resourcesOf(node, provider);
  const all = offered(node, provider);
  const parts = resources.map(resource => resourceProperties(node, provider, resource));
  return [
    resourceMenu(node, provider, resources),
    ...parts.flatMap(({ form }) => form),
    ...agentProperties(provider, all),
    ...listProperties(provider, all),
    ...simplifyProperties(provider, all),
    ...parts.flatMap(({ further }) => further),
    ...dryRunProperties(provider, all),
  ];
}

function resourceMenu(node: NodeName, provider: Provider, resources: readonly string[]): INodeProperties {
  const operations = offered(node, provider);
  const subject = (resource: string) => {
    const seen =
      operations.find(([name]) => name === `${resource}.list`) ??
      operations.find(([name]) => name === `${resource}.get`);
    return seen && subjectOf(resource, seen[1].summary);
  };
  const options = resources.map(resource => option(title(resource), resource, subject(resource)));
  const first = resources.includes(node) ? node : resources[0]!;
  return { ...menu('Resource', 'resource', options, first), displayOptions: { show: { provider: [provider.id] } } };
}

/** The operations of one resource. */
type Own = ReturnType<typeof offered>;
/** Where parameters of these verbs are shown. */
type Show = (verbs: string[]) => { show: { provider: string[]; resource: string[]; operation: string[] } };
const verbOf = (name: string) => splitName(name)[1];

function resourceProperties(node: NodeName, provider: Provider, resource: string) {
  const own = offered(node, provider).filter(([name]) => splitName(name)[0] === resource);
  const verbs = own.map(([name]) => verbOf(name));
  const show: Show = shown => ({ show: { provider: [provider.id], resource: [resource], operation: shown } });
  const first = verbs.includes('list') ? 'list' : verbs[0];
  return {
    form: [
      {
        ...menu('Operation', 'operation', menuOf(node, provider, resource), first),
        displayOptions: { show: { provider: [provider.id], resource: [resource] } },
      },
      ...merged(consequences(own), show),
      ...merged(fieldsAlone(node, provider, own), show),
      ...(asksIn(node, provider, resource) ? sendAndWaitProperties(provider) : []),
    ],
    further: [...merged(collections(provider, own), show), ...merged(contentCollections(provider, own), show)],
  };
}

/**
 * A parameter of those operations of a provider for which `has` says so: shown by verb alone where every operation of
 * that verb has it, by resource and verb for the others.
 */
function sharedBy(
  provider: Provider,
  all: Own,
  has: (verb: string, operation: Operation) => boolean,
  property: INodeProperties,
): INodeProperties[] {
  const having = all.filter(([name, operation]) => has(verbOf(name), operation));
  const resourcesAmong = (among: Own, verb: string) =>
    among.filter(([name]) => verbOf(name) === verb).map(([name]) => splitName(name)[0]);
  const groups = new Map<string, { resource?: string[]; operation: string[] }>();
  for (const verb of new Set(having.map(([name]) => verbOf(name)))) {
    const resource = resourcesAmong(having, verb);
    const every = resource.length === resourcesAmong(all, verb).length;
    const key = every ? '' : resource.join();
    const group = groups.get(key);
    if (group) group.operation.push(verb);
    else groups.set(key, { ...(every ? {} : { resource }), operation: [verb] });
  }
  return [...groups.values()].map(group => ({
    ...property,
    displayOptions: { show: { ...property.displayOptions?.show, provider: [provider.id], ...group } },
  }));
}

const consequences = (own: Own) =>
  own.flatMap(([name, operation]) => {
    const consequence = consequenceOf(operation);
    if (!consequence) return [];
    return [
      {
        verb: verbOf(name),
        property: {
          displayName: `${consequence} Dry Run, under Options, says what would happen and does nothing.`,
          name: 'consequence',
          type: 'notice' as const,
          default: '',
        },
      },
    ];
  });

/**
 * What an operation acts on stands first, whatever other operations share; then what else is required, then what makes
 * a mail. A form with an order of its own has that.
 */
function fieldsAlone(node: NodeName, provider: Provider, own: Own) {
  const picked = new Map(
    offered(node, provider).flatMap(([, { input }]) =>
      Object.entries(input).flatMap(([key, field]) => (isPicked(provider, field) ? [[key, field.ref!] as const] : [])),
    ),
  );
  const place = (name: string, key: string, field: Field) => {
    if (Object.hasOwn(IN_FORM, name)) return IN_FORM[name]!.indexOf(key);
    if (isPicked(provider, field) && (field.required || !makesMail(name))) return 0;
    return field.required ? 1 : makesMail(name) ? 2 + MAIL.indexOf(key) : 2;
  };
  return own
    .flatMap(([name, operation]) =>
      Object.entries(operation.input)
        .filter(([key, field]) => standsAlone(name, key, field) || cameOut(name, key, field))
        .flatMap(([key, field]) => {
          const since = cameOut(name, key, field) ? { '@version': SINCE_1_1 } : undefined;
          return waysToAsk(name, key, parameter(provider, key, field, field.required === true)).flatMap(single => {
            const property = {
              ...(picked.has(key) ? asPicker(single, field, picked.get(key)!) : single),
              ...where(name, key),
            };
            const shown = since && { displayOptions: { show: { ...property.displayOptions?.show, ...since } } };
            return withSource(key, field, { ...property, ...shown }).map(one => ({
              verb: verbOf(name),
              place: place(name, key, field),
              property: one,
            }));
          });
        }),
    )
    .sort((one, other) => one.place - other.place);
}

const agentProperties = (provider: Provider, all: Own) =>
  sharedBy(provider, all, (_, { effect }) => effect === 'destroy', {
    displayName: 'Allow Destructive Operation',
    name: 'allowDestructive',
    type: 'boolean',
    default: false,
    noDataExpression: true,
    displayOptions: { show: { '@tool': [true] } },
    description: 'Whether an AI agent may run this operation, which removes something',
  });

function listProperties(provider: Provider, all: Own): INodeProperties[] {
  const isList = (verb: string) => /^list$|List$/.test(verb);
  return [
    ...sharedBy(provider, all, isList, {
      displayName: 'Return All',
      name: 'returnAll',
      type: 'boolean',
      default: false,
      description: 'Whether to return all results or only up to a given limit',
    }),
    ...sharedBy(provider, all, isList, {
      displayName: 'Limit',
      name: 'limit',
      type: 'number',
      typeOptions: { minValue: 1 },
      default: 50,
      description: 'Max number of results to return',
      displayOptions: { show: { returnAll: [false] } },
    }),
  ];
}

const simplifyProperties = (provider: Provider, all: Own) =>
  sharedBy(provider, all, simplifies, {
    displayName: 'Simplify',
    name: 'simplify',
    type: 'boolean',
    default: true,
    description: 'Whether to return a simplified version of the response instead of the raw data',
  });

/** What may be left out, in one collection for each operation. */
const collections = (provider: Provider, own: Own) =>
  own.flatMap(([name, operation]) => {
    const optional = Object.entries(operation.input).filter(([key, field]) => !standsAlone(name, key, field));
    const still = optional.filter(([key, field]) => !cameOut(name, key, field));
    if (still.length === optional.length) return collection(provider, name, optional);
    const since = (property: { verb: string; property: INodeProperties }, version: typeof SINCE_1_1) => ({
      ...property,
      property: { ...property.property, displayOptions: { show: { '@version': version } } },
    });
    return [
      ...collection(provider, name, optional).map(one => since(one, BEFORE_1_1)),
      ...collection(provider, name, still).map(one => since(one, SINCE_1_1)),
    ];
  });

function collection(provider: Provider, name: string, fields: readonly (readonly [string, Field])[]) {
  if (!fields.length) return [];
  const verb = verbOf(name);
  const called = collectionOf(verb);
  const options = fields.flatMap(([key, field]) =>
    withSource(key, field, parameter(provider, key, field, false, verb === 'list'), true),
  );
  const property: INodeProperties = {
    displayName: COLLECTION_TITLE[called],
    name: called,
    type: 'collection',
    placeholder: COLLECTION_ADD[called],
    default: {},
    options: sorted(options, 'displayName'),
  };
  return [{ verb, property }];
}

const contentCollections = (provider: Provider, own: Own) =>
  own
    .filter(([name]) => bringsContent(provider, name))
    .map(([name]) => ({
      verb: verbOf(name),
      property: optionsCollection(sorted(contentOptions(provider, name), 'displayName')),
    }));

const DRY_RUN: INodeProperties = {
  displayName: 'Dry Run',
  name: 'dryRun',
  type: 'boolean',
  default: false,
  description:
    'Whether to say what would change instead of changing it. The input is checked and what exists is read; nothing is written.',
};
const dryRunProperties = (provider: Provider, all: Own) =>
  sharedBy(provider, all, (_, { effect }) => effect !== 'read', optionsCollection([DRY_RUN]));

/** The provider that a new node begins with: where mail is read, else the first of the registry. */
export const firstOf = (offering: readonly Provider[]): Provider => offering.find(handlesMail) ?? offering[0]!;

/** The menu of providers; twice where nodes of the first version began with another one. */
function providerMenus(offering: readonly Provider[]): INodeProperties[] {
  const options = offering.map(({ id, name, notice }) => option(name, id, notice));
  const now = firstOf(offering);
  const before = offering[0]!;
  if (now === before) return [menu('Provider', 'provider', options)];
  return [
    { ...menu('Provider', 'provider', options, before.id), displayOptions: { show: { '@version': BEFORE_1_1 } } },
    { ...menu('Provider', 'provider', options, now.id), displayOptions: { show: { '@version': SINCE_1_1 } } },
  ];
}

/** The menu of providers, and below it what is to be known of the chosen one. */
export const providerChoice = (offering: readonly Provider[], description: string): INodeProperties[] => [
  ...providerMenus(offering).map(property => ({ ...property, description })),
  ...offering
    .filter(({ notice }) => notice)
    .map(({ id, notice }): INodeProperties => ({
      displayName: notice!,
      name: `${id}Notice`,
      type: 'notice',
      default: '',
      displayOptions: { show: { provider: [id] } },
    })),
];

/**
 * What makes a mail, in the order of a form: nobody sends or drafts without a look at it, though a provider may do
 * without.
 */
const MAIL = ['kind', 'message', 'to', 'subject', 'text', 'plainTextBody', 'html', 'htmlBody', 'attachments'];
/**
 * What belongs to an operation as the text to a mail, in the order of its form: without it the form would show hardly
 * anything.
 */
const IN_FORM: Readonly<Record<string, readonly string[]>> = {
  'autoReply.set': ['subject', 'text', 'start', 'end'],
  'forwarding.set': ['addresses', 'keep'],
  'rule.create': ['name', 'from', 'to', 'subject', 'moveTo', 'markRead'],
  'script.put': ['script', 'text', 'activate'],
};
const inForm = (operation: string): readonly string[] =>
  makesMail(operation) ? MAIL : Object.hasOwn(IN_FORM, operation) ? IN_FORM[operation]! : [];
/**
 * Whether a field stands in the form by itself, not in the collection of further fields: it is required, what is acted
 * on, or belongs to the form.
 */
export const standsAlone = (operation: string, name: string, field: Field): boolean => {
  const [resource, verb] = splitName(operation);
  return field.required === true || (name === resource && verb !== 'list') || inForm(operation).includes(name);
};
/**
 * What is chosen in nearly every use. It stood among the further fields before 1.1, and stays there in nodes that were
 * made then.
 */
const CAME_OUT: Readonly<Record<string, readonly string[]>> = {
  'message.mark': ['read'],
  'message.flag': ['change'],
  'message.changeFolders': ['add', 'remove'],
  'spamList.edit': ['addList', 'removeList'],
  'domainSpamList.edit': ['addList', 'removeList'],
};
/** Whether a field stands in the form by itself in new nodes only. */
export const cameOut = (operation: string, name: string, field: Field): boolean =>
  !standsAlone(operation, name, field) && Object.hasOwn(CAME_OUT, operation) && CAME_OUT[operation]!.includes(name);

/**
 * A switch that says only one of two things is a choice between both, with the same values. As a tool it stays a
 * switch: n8n lets a model decide those, and no choices.
 */
const waysToAsk = (operation: string, name: string, property: INodeProperties): INodeProperties[] =>
  operation === 'message.mark' && name === 'read'
    ? [
        {
          displayName: 'Mark As',
          name,
          type: 'options',
          default: true,
          options: [
            { name: 'Read', value: true },
            { name: 'Unread', value: false },
          ],
          displayOptions: { show: { '@tool': [false] } },
        },
        { ...property, displayOptions: { show: { '@tool': [true] } } },
      ]
    : [property];

const makesMail = (operation: string) => ownerOf(operation) === 'send' || operation === 'draft.create';

/** A new draft belongs to no message. */
const where = (operation: string, name: string): Pick<INodeProperties, 'displayOptions'> =>
  operation === 'draft.create' && name === 'message'
    ? { displayOptions: { show: { kind: ['reply', 'replyAll', 'forward'] } } }
    : {};

/**
 * Equal parameters of several operations become one that is shown for all of them: half the size of the description.
 */
function merged(
  parts: { verb: string; property: INodeProperties }[],
  show: (verbs: string[]) => INodeProperties['displayOptions'],
): INodeProperties[] {
  const groups = new Map<string, { property: INodeProperties; verbs: string[] }>();
  for (const { verb, property } of parts) {
    const key = JSON.stringify(property);
    const group = groups.get(key);
    if (group) group.verbs.push(verb);
    else groups.set(key, { property, verbs: [verb] });
  }
  return [...groups.values()].map(({ property, verbs }) => ({
    ...property,
    displayOptions: { show: { ...show(verbs)?.show, ...property.displayOptions?.show } },
  }));
}

/** True for the files that go along with a mail. */
export const isAttachments = (name: string, field: Field): boolean =>
  name === 'attachments' && field.type === 'list' && field.of.type === 'file';

/**
 * The files of a mail are asked for in two steps: all that the item has, or those of the fields that are named.
 * Workflows from before the choice name fields, which is what stands there first.
 */
function withSource(name: string, field: Field, property: INodeProperties, inCollection = false): INodeProperties[] {
  if (!isAttachments(name, field)) return [property];
  const source: INodeProperties = {
    displayName: 'Attachments',
    name: 'attachmentsFrom',
    type: 'options',
    default: 'named',
    options: [
      { name: 'All Files of the Item', value: 'all' },
      { name: 'Files of Named Fields', value: 'named' },
    ],
  };
  return [source, inCollection ? property : { ...property, displayOptions: { show: { attachmentsFrom: ['named'] } } }];
}

/** Every resource that a picker of this node may ask for. */
export const pickedResources = (node: NodeName): string[] =>
  [
    ...new Set(
      providersOf(node).flatMap(provider =>
        offered(node, provider).flatMap(([, { input }]) =>
          Object.values(input)
            .filter(field => isPicked(provider, field))
            .map(field => field.ref!),
        ),
      ),
    ),
  ].sort();
