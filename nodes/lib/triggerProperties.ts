import type { INodeProperties } from 'n8n-workflow';
import { providers, type Feed, type Provider } from '../../shared/index.js';
import { CREDENTIALS_HERE, signInProperties } from './account.js';
import { afterSuccessProperties } from './afterSuccess.js';
import { byIdOnly, menu, optionsCollection, parameter } from './parameter.js';
import { firstOf, providerChoice } from './parameters.js';
import { picksSeveral } from './severalPicker.js';
import { describe, title } from './words.js';

/** The providers that have news to follow. */
const feedProviders = (): readonly Provider[] => providers.filter(provider => Object.keys(provider.feeds).length > 0);

/**
 * All parameters of Sync Trigger, derived from the feeds; `listed` for the node of the same kind that n8n's editor
 * lists under Mailbox.
 */
export function triggerProperties({ listed = false } = {}): INodeProperties[] {
  const all = feedProviders();
  return [
    ...(listed ? [listedEvents(all)] : []),
    ...providerChoice(all, 'Where to look for news'),
    ...signInProperties(all.map(({ id }) => id)),
    CREDENTIALS_HERE,
    ...all.flatMap(feedProperties),
    ...startProperties(),
    ...executeProperties(),
    ...afterSuccessProperties(all),
    simplifyProperty(),
    OPTIONS,
  ];
}

/**
 * What n8n's editor reads to list the triggers of Mailbox, in a menu that is never shown: the values that would show it
 * hide it. A click sets them, so the trigger begins with the provider where mail is read, and the event that was
 * clicked.
 */
function listedEvents(all: readonly Provider[]): INodeProperties {
  const { id, feeds } = firstOf(all);
  const choices = Object.entries(feeds).map(([name, { summary }]) => ({
    name: title(name),
    value: name,
    description: describe(summary),
    action: onEvent(name),
  }));
  return {
    ...menu('Event', 'event', choices, choices[0]!.value),
    options: choices,
    displayOptions: { show: { provider: [id] }, hide: { provider: [id] } },
  };
}
/** `messageReceived` -> `On message received`. */
const onEvent = (name: string) => `On ${title(name).toLowerCase()}`;

/** The choice of what to watch for, and the input of each. */
function feedProperties(provider: Provider): INodeProperties[] {
  const feeds = Object.entries(provider.feeds);
  const choices = feeds.map(([name, { summary }]) => ({
    name: title(name),
    value: name,
    description: describe(summary),
  }));
  // Not "Event": of such menus n8n's list of triggers shows the first provider's only.
  const choice = menu('Watch For', 'event', choices, feeds[0]![0]);
  return [
    { ...choice, displayOptions: { show: { provider: [provider.id] } } },
    ...feeds.flatMap(([name, { input }]) => inputProperties(provider, name, input as Feed['input'])),
  ];
}

/** The input of one feed: what is required, then the rest in a collection. */
function inputProperties(provider: Provider, event: string, input: Feed['input']): INodeProperties[] {
  const displayOptions = { show: { provider: [provider.id], event: [event] } };
  const fields = Object.entries(input);
  const optional = fields.filter(([, field]) => !field.required);
  const properties: INodeProperties[] = fields
    .filter(([, field]) => field.required)
    .map(([key, field]) => ({ ...parameter(provider, key, byIdOnly(field), true), displayOptions }));
  if (!optional.length) return properties;
  const filters = optional.flatMap(
    ([key, field]) => picksSeveral(provider, key, field) ?? [parameter(provider, key, byIdOnly(field), false, true)],
  );
  properties.push({
    displayName: 'Filters and Content',
    name: 'filters',
    type: 'collection',
    placeholder: 'Add Filter or Content',
    default: {},
    displayOptions,
    options: filters.sort((a, b) => a.displayName.localeCompare(b.displayName)),
  });
  return properties;
}

const startProperties = (): INodeProperties[] => [
  {
    displayName: 'Start',
    name: 'start',
    type: 'options',
    default: 'now',
    description: 'Which messages or changes start an execution once the workflow is published',
    options: [
      { name: 'From Now On', value: 'now' },
      { name: 'From a Date', value: 'date' },
    ],
  },
  {
    displayName: 'Start Date',
    name: 'startDate',
    type: 'dateTime',
    required: true,
    default: '',
    displayOptions: { show: { start: ['date'] } },
    description: 'Everything that arrived since then starts an execution',
  },
];

const executeProperties = (): INodeProperties[] => [
  {
    displayName: 'Execute',
    name: 'execute',
    type: 'options',
    default: 'each',
    options: [
      { name: 'Once for Each Item', value: 'each' },
      {
        name: 'Once for a Batch',
        value: 'batch',
        description: 'Everything that is new at one look, up to the batch size',
      },
    ],
  },
  {
    displayName: 'Batch Size',
    name: 'batchSize',
    type: 'number',
    typeOptions: { minValue: 1, maxValue: 100 },
    default: 50,
    displayOptions: { show: { execute: ['batch'] } },
    description: 'How many items one execution gets at most',
  },
];

const simplifyProperty = (): INodeProperties => ({
  displayName: 'Simplify',
  name: 'simplify',
  type: 'boolean',
  default: true,
  description: 'Whether to return a simplified version of the response instead of the raw data',
});

const OPTIONS = optionsCollection([
  {
    displayName: 'Check Every (Seconds)',
    name: 'interval',
    type: 'number',
    typeOptions: { minValue: 10 },
    default: 60,
    description: 'How often to look where the provider does not push, and the safety net where it does',
  },
  {
    displayName: 'Executions at a Time',
    name: 'concurrent',
    type: 'number',
    typeOptions: { minValue: 1, maxValue: 50 },
    default: 5,
    description: 'Items start in order; with 1, each waits for the one before',
  },
  {
    displayName: 'Longest Wait for an Execution (Minutes)',
    name: 'longest',
    type: 'number',
    typeOptions: { minValue: 1 },
    default: 60,
    description: 'After this the trigger goes on without knowing how the execution ended',
  },
]);
