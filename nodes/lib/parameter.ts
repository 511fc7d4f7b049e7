import type { INodeProperties, INodePropertyOptions } from 'n8n-workflow';
import type { Field, Provider } from '../../shared/index.js';
import { sizeText } from './values.js';
import { describe, EITHER_OR, type EitherOr } from './words.js';

/** True where a field is shown as a picker: its resource can be listed at this provider. */
export const isPicked = (provider: Provider, field: Field): boolean =>
  field.ref !== undefined && field.type === 'text' && Object.hasOwn(provider.operations, `${field.ref}.list`);

/** A menu that decides what else is shown, so no expression may stand in it. */
export const menu = (
  displayName: string,
  name: string,
  options: INodePropertyOptions[],
  first = options[0]?.value ?? '',
): INodeProperties => ({
  displayName,
  name,
  type: 'options',
  noDataExpression: true,
  options: sorted(options),
  default: first,
});

/** The collection of what may be set besides. */
export const optionsCollection = (options: INodeProperties['options']): INodeProperties => ({
  displayName: 'Options',
  name: 'options',
  type: 'collection',
  placeholder: 'Add Option',
  default: {},
  options,
});

/** An entry of a menu; a description that only repeats the name is left out. */
export function option(name: string, value: string, help?: string): INodePropertyOptions {
  const description = describe(help);
  return description && description !== name ? { name, value, description } : { name, value };
}

type Common = Pick<INodeProperties, 'displayName' | 'name' | 'description' | 'required'>;
type FieldOf<T extends Field['type']> = Extract<Field, { type: T }>;

/** One field as an n8n parameter. */
export function parameter(
  provider: Provider,
  name: string,
  field: Field,
  standsAlone: boolean,
  filters = false,
): INodeProperties {
  const choices = filters && field.type === 'flag' && Object.hasOwn(EITHER_OR, name) ? EITHER_OR[name] : undefined;
  if (choices) return eitherOr(name, choices);
  const description = describe([field.help, howToList(field)].filter(Boolean).join(' '));
  const common: Common = {
    displayName: field.label,
    name,
    ...(standsAlone ? { required: true } : {}),
    ...(description && description !== field.label ? { description } : {}),
  };
  const example = exampleOf(field);
  switch (field.type) {
    case 'text':
      return isPicked(provider, field) ? picker(common, field, example) : textParameter(common, field, example);
    case 'number':
      return field.unit === 'bytes' ? sized(common, field) : numberParameter(common, field);
    case 'flag':
      return {
        ...common,
        type: 'boolean',
        default: (field.default ?? field.suggest ?? false) === true,
        description: whether(description, field.label),
      };
    case 'time':
      return { ...common, type: 'dateTime', default: '' };
    case 'json':
      return { ...common, type: 'json', default: '{}' };
    case 'file':
      return {
        ...common,
        displayName: `${field.label} Field`,
        type: 'string',
        default: 'data',
        description: binary(description, 'Name of the input field that holds the file'),
      };
    case 'choice':
      return choiceParameter(common, field);
    case 'list':
      return listParameter(common, field, description, example);
  }
}

/** How several values are typed in one field. */
function howToList(field: Field): string {
  if (field.type !== 'list' || field.of.type === 'choice' || field.of.type === 'file') return '';
  return field.of.type === 'text' && field.of.secret
    ? 'One a line, or a list from an expression.'
    : 'Comma-separated, or a list from an expression.';
}

function exampleOf(field: Field): { placeholder?: string } {
  if (field.example) return { placeholder: `e.g. ${field.example}` };
  if (field.type === 'text' && field.format === 'email') return { placeholder: 'name@email.com' };
  if (
    field.type !== 'list' ||
    field.of.type !== 'text' ||
    (field.of.format !== 'address' && field.of.format !== 'email')
  )
    return {};
  return {
    placeholder: `e.g. ann@example.com, ${field.of.format === 'email' ? 'bob@example.com' : 'Bob Example <bob@example.com>'}`,
  };
}

function textParameter(common: Common, field: FieldOf<'text'>, example: { placeholder?: string }): INodeProperties {
  const typeOptions = { ...(field.secret ? { password: true } : {}), ...(field.lines ? { rows: field.lines } : {}) };
  return {
    ...common,
    type: 'string',
    default: typeof field.default === 'string' ? field.default : '',
    ...example,
    ...(Object.keys(typeOptions).length ? { typeOptions } : {}),
  };
}

function numberParameter(common: Common, field: FieldOf<'number'>): INodeProperties {
  const typeOptions = {
    ...(field.min === undefined ? {} : { minValue: field.min }),
    ...(field.max === undefined ? {} : { maxValue: field.max }),
  };
  return {
    ...common,
    type: 'number',
    default: typeof field.default === 'number' ? field.default : Number(field.example ?? field.min ?? 0),
    ...(Object.keys(typeOptions).length ? { typeOptions } : {}),
  };
}

function choiceParameter(common: Common, field: FieldOf<'choice'>): INodeProperties {
  const options = sorted(Object.entries(field.choices).map(([value, label]) => ({ name: label, value })));
  if (typeof field.default === 'string') return { ...common, type: 'options', options, default: field.default };
  if (options.length === 1) return { ...common, type: 'options', options, default: options[0]!.value };
  // The alphabet must not choose: it lets through nothing but safelists. Empty is refused where it is required, and
  // left out elsewhere.
  return {
    ...common,
    type: 'options',
    options: [{ name: field.clearable ? '[None]' : '[Not Chosen]', value: '' }, ...options],
    default: '',
  };
}

function listParameter(
  common: Common,
  { label, of }: FieldOf<'list'>,
  description: string | undefined,
  example: { placeholder?: string },
): INodeProperties {
  if (of.type === 'choice')
    return {
      ...common,
      type: 'multiOptions',
      options: sorted(Object.entries(of.choices).map(([value, name]) => ({ name, value }))),
      default: [],
    };
  if (of.type === 'file')
    return {
      ...common,
      displayName: `${label.replace(/s$/, '')} Fields`,
      type: 'string',
      default: '',
      placeholder: 'e.g. data, report',
      description: binary(
        description,
        'Names of the input fields that hold the files, comma-separated. An expression may also give a list of ' +
          "names, or files, such as those of another node: {{ $('Node').item.binary }}.",
      ),
    };
  return {
    ...common,
    type: 'string',
    default: '',
    ...example,
    ...(of.type === 'text' && of.secret ? { typeOptions: { password: true } } : {}),
  };
}

/** A size is typed with its unit; one that is a number, as workflows from before have it, counts bytes. */
const sized = (
  common: Pick<INodeProperties, 'displayName' | 'name'> & { description?: string },
  field: Field,
): INodeProperties => ({
  ...common,
  type: 'string',
  default: sizeText(field.default),
  placeholder: 'e.g. 5 MB',
  description: [
    common.description?.replace(/^In bytes$/, '').replace(/, in bytes,/, ''),
    'A size such as 500 KB or 5 MB',
  ]
    .filter(Boolean)
    .map(one => one!.replace(/\.$/, ''))
    .join('. ')
    .replace(/(\..*[^.])$/s, '$1.'),
});

/**
 * Text whose name elsewhere in the node stands for a picker. n8n keeps the value of a name when another operation is
 * chosen, and would show what was picked there as "[object Object]". So it is a picker here as well, which begins as
 * text.
 */
export function asPicker(property: INodeProperties, field: Field, ref: string): INodeProperties {
  if (property.type !== 'string' || property.typeOptions) return property;
  const { placeholder, default: value, ...rest } = property;
  const by =
    field.type === 'list' ? 'By ID' : field.type === 'text' && field.format === 'email' ? 'By Address' : 'By Name';
  return {
    ...rest,
    type: 'resourceLocator',
    default: { mode: 'text', value: value as string },
    modes: [
      { displayName: by, name: 'text', type: 'string', ...(placeholder ? { placeholder } : {}) },
      {
        displayName: 'From List',
        name: 'list',
        type: 'list',
        typeOptions: { searchListMethod: ref, searchable: true },
      },
    ],
  };
}

/** How people call what stands in a picker's field, where that is an address or a name and no ID. */
const knownAs = (field: Field & { type: 'text' }): string | undefined =>
  field.format === 'email' ? 'By Address' : field.format === 'host' || field.knownBy === 'path' ? 'By Name' : undefined;

/**
 * A picker of one object. n8n's editor shows a mode called `id` as "By ID", whatever it says itself, so what people
 * know by a name is typed in a mode `text`. Workflows made before have `id` there too: n8n takes the value as it is,
 * and the editor shows it as text.
 */
function picker(
  common: Pick<INodeProperties, 'displayName' | 'name' | 'description'>,
  field: Field & { type: 'text' },
  example: { placeholder?: string },
): INodeProperties {
  // The ways to choose say as much, and an ID is only one of them.
  const { description, ...bare } = common;
  const says =
    description !== undefined &&
    !/^The (?:ID|code) of the [a-z ]+(?: as Get Many of [\w ]+ gives it)?$/.test(description);
  const by = knownAs(field);
  const label = field.label.toLowerCase();
  const typed = {
    displayName: by ?? 'By ID',
    name: by ? 'text' : 'id',
    type: 'string' as const,
    ...(example.placeholder
      ? example
      : { placeholder: `e.g. the ${field.knownBy === 'path' ? 'name' : 'ID'} of the ${label}` }),
  };
  const soughtBy =
    field.knownBy === 'email'
      ? [{ displayName: 'By Address', name: 'email', type: 'string' as const, placeholder: 'e.g. ann@example.com' }]
      : field.knownBy === 'name'
        ? [
            {
              displayName: 'By Name',
              name: 'name',
              type: 'string' as const,
              placeholder: `e.g. the name of the ${label}`,
            },
          ]
        : [];
  return {
    ...bare,
    ...(says ? { description } : {}),
    type: 'resourceLocator',
    default: { mode: 'list', value: '' },
    modes: [
      {
        displayName: 'From List',
        name: 'list',
        type: 'list',
        typeOptions: { searchListMethod: field.ref!, searchable: true },
      },
      typed,
      ...soughtBy,
    ],
  };
}

/** The same field where nothing can be looked up: an object is chosen from the list or named by its id. */
export const byIdOnly = <F extends Field>(field: F): F =>
  field.knownBy === 'path' ? field : { ...field, knownBy: undefined };

/** The values are those of the flag, so that workflows made with a switch keep their meaning. */
const eitherOr = (name: string, { label, yes, no }: EitherOr): INodeProperties => ({
  displayName: label,
  name,
  type: 'options',
  default: '',
  options: [{ name: 'Any', value: '' }, { name: yes, value: true }, ...(no ? [{ name: no, value: false }] : [])],
});

const whether = (description: string | undefined, label: string) =>
  description?.startsWith('Whether')
    ? description
    : `Whether ${description ? `${description[0]!.toLowerCase()}${description.slice(1)}` : `to set ${label}`}`;
const binary = (description: string | undefined, fixed: string) =>
  description ? `${fixed.replace(/\.?$/, '.')} ${description.replace(/\.?$/, '.')}` : fixed;

/**
 * By label, as n8n shows options; the order of the table where there are fewer than five would be fine too, but one
 * rule is simpler.
 */
export function sorted<T extends INodePropertyOptions | INodeProperties>(
  options: T[],
  by: 'name' | 'displayName' = 'name',
): T[] {
  const label = (option: T) => String((option as unknown as Record<string, unknown>)[by]);
  return [...options].sort((a, b) => label(a).localeCompare(label(b), 'en'));
}
