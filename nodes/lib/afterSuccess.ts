import type { IDataObject, INodeProperties, ITriggerFunctions } from 'n8n-workflow';
import type { Client, Operation, Provider } from '../../shared/index.js';
import { plainValue } from './lookup.js';
import { isPicked, parameter } from './parameter.js';
import { BEFORE_1_1, SINCE_1_1 } from './version.js';

// What Sync Trigger does to a message once its execution has succeeded: the choice in the form, its parameters, and the
// doing.

/** An operation of the provider, and what is given to it beside what names the message. */
export interface AfterSuccess {
  operation: string;
  input: Record<string, unknown>;
}

const CHOICES: Readonly<Record<string, AfterSuccess & { label: string }>> = {
  markRead: { operation: 'message.mark', input: { read: true }, label: 'Mark as Read' },
  move: { operation: 'message.move', input: {}, label: 'Move to a Folder' },
  delete: { operation: 'message.delete', input: {}, label: 'Delete' },
};

const operationsOf = (provider: Provider) => provider.operations as Readonly<Record<string, Operation | undefined>>;

/** The choice for each provider that can do something, then where messages go. */
export function afterSuccessProperties(providers: readonly Provider[]): INodeProperties[] {
  const able = providers.filter(provider => choicesFor(provider).length > 0);
  return [...able.map(choiceProperty), ...able.flatMap(moveProperties)];
}

const choicesFor = (provider: Provider) =>
  Object.entries(CHOICES).filter(([, { operation }]) => Object.hasOwn(provider.operations, operation));

function choiceProperty(provider: Provider): INodeProperties {
  const options = [
    ...choicesFor(provider).map(([value, { label }]) => ({ name: label, value })),
    { name: 'Leave It', value: 'nothing' },
  ];
  return {
    displayName: 'After Success',
    name: 'afterSuccess',
    type: 'options',
    default: 'nothing',
    displayOptions: { show: { provider: [provider.id] } },
    description: 'What happens to the message at the provider once its execution has succeeded',
    options: options.sort((a, b) => a.name.localeCompare(b.name)),
  };
}

/**
 * Nodes of the first version hold the folder's name as text; n8n's editor would not let a person change it in a picker.
 */
function moveProperties(provider: Provider): INodeProperties[] {
  const move = operationsOf(provider)['message.move'];
  if (!move) return [];
  const show = { provider: [provider.id], afterSuccess: ['move'] };
  const properties: INodeProperties[] = [
    { ...typedFolder, displayOptions: { show: { ...show, '@version': BEFORE_1_1 } } },
    { ...folderOf(provider, move), displayOptions: { show: { ...show, '@version': SINCE_1_1 } } },
  ];
  if ('createFolder' in move.input) {
    properties.push({
      displayName: 'Create Folder If Missing',
      name: 'createFolder',
      type: 'boolean',
      default: false,
      displayOptions: { show },
      description: 'Whether the folder is created when the first message goes there',
    });
  }
  return properties;
}

const typedFolder: INodeProperties = {
  displayName: 'Folder',
  name: 'moveTo',
  type: 'string',
  required: true,
  default: '',
  placeholder: 'e.g. Archive',
  description: 'Where the message goes',
};

/** A picker where the provider lists its folders, else a text. */
function folderOf(provider: Provider, move: Operation): INodeProperties {
  const field = move.input[destination(move)]!;
  if (!isPicked(provider, field)) return typedFolder;
  const picked = parameter(provider, 'moveTo', { ...field, label: 'Folder', example: 'Archive' }, true);
  return { ...picked, description: 'Where the message goes' };
}

/** What a provider calls the folder a message is moved to. */
const destination = ({ input }: Operation): string =>
  ['target', 'dst_folder', 'folder'].find(name => Object.hasOwn(input, name))!;

/** What the node's parameters ask for; undefined where nothing is to be done. */
export function readAfterSuccess(node: ITriggerFunctions, provider: Provider): AfterSuccess | undefined {
  const chosen = node.getNodeParameter('afterSuccess', 'nothing') as string;
  const choice = CHOICES[chosen];
  if (!choice) return undefined;
  const { operation, input } = choice;
  return { operation, input: { ...input, ...(chosen === 'move' ? moveInput(node, provider) : {}) } };
}

function moveInput(node: ITriggerFunctions, provider: Provider): Record<string, unknown> {
  const folder = node.getNodeParameter('moveTo', '', { extractValue: true }) as unknown;
  const input: Record<string, unknown> = { [destination(operationsOf(provider)['message.move']!)]: plainValue(folder) };
  if (node.getNodeParameter('createFolder', false) === true) input.createFolder = true;
  return input;
}

/**
 * Does it to one message with the provider's own operation. The targets come from the item and from the feed's input.
 */
export async function doAfterSuccess(
  client: Client,
  provider: Provider,
  { operation, input }: AfterSuccess,
  feedInput: Record<string, unknown>,
  item: unknown,
): Promise<void> {
  const message = item as IDataObject;
  // Nothing is there to be marked or moved.
  if (message.change === 'deleted') return;
  const fields = operationsOf(provider)[operation]!.input;
  const given: Record<string, unknown> = { ...input };
  for (const key of Object.keys(fields)) {
    if (key === 'message') given[key] = message.id;
    else if (given[key] === undefined && key in feedInput) given[key] = feedInput[key];
    else if (given[key] === undefined && fields[key]!.required) given[key] = message[key];
  }
  if ('mailbox' in fields && message.mailbox) given.mailbox = message.mailbox;
  await client.call(operation, given);
}
