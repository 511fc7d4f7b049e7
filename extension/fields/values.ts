import {
  changesOf as changes,
  isSecretText,
  readText as read,
  validate,
  wholeOf as whole,
  type Fields,
  type Provider,
  type ValueWords,
} from '../../shared/index.js';
import { t } from '../host/text.js';
import type { Values } from '../webview/messages.js';
import { operationOf } from './tables.js';

export {
  afterSave,
  conflicts,
  documentText as textOf,
  editingOf,
  same,
  valuesOf,
  type Editing,
} from '../../shared/index.js';

/** What the core says of a text that cannot be saved, in the language of the person. */
const WORDS: ValueWords = {
  noJson: () => t('The text is not valid JSON.'),
  noObject: () => t('The text must be one JSON object.'),
  unknown: field => t('There is no field “{0}” here.', field),
  empty: label => t('{0} cannot be empty. Enter another value.', label),
};
/** The values of a document's text. Throws `invalid_input` for anything but one JSON object. */
export const readText = (text: string): Values => read(text, WORDS);
/** What a save sends of an object that is set as a whole. */
export const wholeOf = (fields: Fields, base: Readonly<Values>, edited: Readonly<Values>): Values =>
  whole(fields, base, edited, WORDS);
/** What a save sends of an object that is changed by parts. */
export const changesOf = (fields: Fields, base: Readonly<Values>, edited: Readonly<Values>, now = base): Values =>
  changes(fields, base, edited, now, WORDS);

/** Whether a field of this name is a text that nobody may read. */
export const isSecretField = (fields: Fields, name: string): boolean => {
  const field = fields[name];
  return field?.type === 'text' && field.secret === true;
};
/** The secret fields that an object's update takes, such as its password. */
export const secretsOf = (provider: Provider, resource: string): Fields =>
  Object.fromEntries(
    Object.entries(operationOf(provider, `${resource}.update`)?.input ?? {}).filter(([, field]) => isSecretText(field)),
  );

/**
 * What a form begins with: the defaults, and for what is being made or must be said also what is usual. A change begins
 * with nothing that was not there.
 */
export const firstValues = (fields: Fields, making: boolean): Values =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) =>
      field.default !== undefined
        ? [[name, field.default]]
        : field.type === 'flag' && field.suggest !== undefined && (making || field.required)
          ? [[name, field.suggest]]
          : [],
    ),
  );

/** What a document or panel is about, small enough for an address: account, resource and what names the object. */
export interface Place {
  account: string;
  resource: string;
  refs: Record<string, string>;
  choices?: Record<string, string>;
}
export const packPlace = ({ account, resource, refs, choices }: Place): string =>
  [
    ['account', account],
    ['resource', resource],
    ...Object.entries(refs).map(([name, id]) => [`ref.${name}`, id]),
    ...Object.entries(choices ?? {}).map(([name, value]) => [`choice.${name}`, value]),
  ]
    .map(([name, value]) => `${name}=${encodeURIComponent(value!)}`)
    .join('&');
/** Undefined for a text that was not made by `packPlace`. */
export function unpackPlace(packed: string): Place | undefined {
  const given = new URLSearchParams(packed.replaceAll('+', '%2B'));
  const account = given.get('account');
  const resource = given.get('resource');
  // What is of the account itself has no resource.
  if (!account || resource === null) return undefined;
  const under = (prefix: string) =>
    Object.fromEntries(
      [...given].filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]),
    );
  const choices = under('choice.');
  return { account, resource, refs: under('ref.'), ...(Object.keys(choices).length ? { choices } : {}) };
}
/** A part of an address that a person reads: nothing in it can be taken for another part. */
export const segment = (label: string): string => label.replace(/[/\\?#%*:|"<>\p{Cc}]/gu, '_').slice(0, 80) || '_';
/** What a person calls the object of a document, before it is read. */
export const labelOfDocument = ({ path }: { path: string }): string =>
  path
    .split('/')
    .at(-1)!
    .replace(/\.mailroom$/, '');

/** What is wrong with one value, in a sentence; undefined where nothing is. */
export function check(fields: Fields, name: string, value: unknown): string | undefined {
  try {
    validate({ [name]: fields[name]! }, { [name]: value });
    return undefined;
  } catch (error) {
    return (error as Error).message || t('This value is not accepted.');
  }
}
