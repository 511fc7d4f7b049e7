import { providers, type Field, type Fields, type Operation, type Provider } from '../../shared/index.js';
import { isTranslated, t } from '../host/text.js';

/** A field with its texts in the user's language. */
function localizedField(field: Field): Field {
  return {
    ...field,
    label: t(field.label),
    ...(field.help ? { help: t(field.help) } : {}),
    ...(field.group ? { group: t(field.group) } : {}),
    ...(field.type === 'choice'
      ? { choices: Object.fromEntries(Object.entries(field.choices).map(([value, label]) => [value, t(label)])) }
      : {}),
    ...(field.type === 'list' ? { of: localizedField(field.of) } : {}),
  } as Field;
}
/** Fields with their texts in the user's language. */
export const localizedFields = (fields: Fields): Fields =>
  isTranslated()
    ? Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, localizedField(field)]))
    : fields;

let made: readonly Provider[] | undefined;
/**
 * The providers with what their tables say in the user's language: translated once, and the tables themselves where
 * nothing is.
 */
export const localizedProviders = (): readonly Provider[] =>
  isTranslated()
    ? (made ??= providers.map(provider => ({
        ...provider,
        ...(provider.notice ? { notice: t(provider.notice) } : {}),
        operations: Object.fromEntries(
          Object.entries(provider.operations as Record<string, Operation>).map(([name, operation]) => [
            name,
            { ...operation, summary: t(operation.summary), input: localizedFields(operation.input) },
          ]),
        ) as Provider['operations'],
      })))
    : providers;
