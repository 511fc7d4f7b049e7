import { invalidField } from '../../errors.js';
import { choice, flag, list, time, type Field, type Fields } from '../../fields.js';
import { id } from './api.js';

/** What the vendor allows when one of its collections is read; see Making Requests and the marks in its schema. */
interface Allowed<F extends Fields> {
  /** Singular, as `fields[...]` wants it. */
  type: string;
  /** Further filters; `as` gives the part after `filter`. */
  filters: F;
  /** Times that can be filtered by range and sorted by: name and label. */
  times: Readonly<Record<string, string>>;
  /** What else can be sorted by: name and label. */
  sorts?: Readonly<Record<string, string>>;
  /** Attributes that can be read: name and label. */
  readable: Readonly<Record<string, string>>;
  /** The vendor may return more attributes than we know names for. */
  open?: boolean;
  /** The resource tells on request what the caller may do with it. */
  authorization?: boolean;
}

/** Inputs and query of a collection: filters, time ranges, sort, sparse fields. */
export function collection<const F extends Fields>({
  type,
  filters,
  times,
  sorts = {},
  readable,
  open,
  authorization,
}: Allowed<F>) {
  const ranges: Record<string, Field> = {};
  for (const [name, label] of Object.entries(times)) {
    ranges[`${name}From`] = time(`${label} From`, { group: 'Filters', help: 'This moment is included.' });
    ranges[`${name}To`] = time(`${label} To`, { group: 'Filters', help: 'This moment is included.' });
  }
  const orders = Object.fromEntries(
    Object.entries({ ...times, ...sorts }).flatMap(([name, label]) =>
      name in times
        ? [
            [name, `${label}, Oldest First`],
            [`-${name}`, `${label}, Newest First`],
          ]
        : [
            [name, `${label}, Ascending`],
            [`-${name}`, `${label}, Descending`],
          ],
    ),
  );
  const sparse = {
    fields: list('Fields', choice('Field', readable, open ? { open } : {}), {
      group: 'Answer',
      help: 'Only these fields are read. Left empty, all are.',
    }),
    ...(authorization ? { provideAuthorizationMeta: authorizationMeta } : {}),
  };
  const filtering = {
    ...(Object.fromEntries(
      Object.entries(filters).map(([name, field]) => [name, { group: 'Filters', ...field }]),
    ) as unknown as F),
    ids: list('IDs', id('ID'), {
      group: 'Filters',
      maxItems: 200,
      help: 'Only those with one of these IDs.',
      wire: (ids: string[]) => ids.join(','),
      as: '[id]',
    }),
    ...ranges,
  };
  const sorted = {
    sort: choice('Sort', orders, { group: 'Answer', help: 'Left empty, the provider chooses the order.' }),
  };
  /** The part of the query that says what each object in the answer holds; a single object takes it too. */
  const shape = (input: Readonly<Record<string, unknown>>): Record<string, unknown> => ({
    ...(Array.isArray(input.fields) && input.fields.length ? { [`fields[${type}]`]: input.fields.join(',') } : {}),
    ...(input.provideAuthorizationMeta === true ? { provideAuthorizationMeta: true } : {}),
  });
  /** The values under the vendor's query names. Throws `invalid_input` for a range that ends before it begins. */
  const parameters = (input: Readonly<Record<string, unknown>>): Record<string, unknown> => {
    const out: Record<string, unknown> = {};
    for (const [name, field] of Object.entries({ ...filters, ids: filtering.ids }) as [string, Field][]) {
      const value = input[name];
      if (value !== undefined) out[`filter${field.as ?? `[${name}]`}`] = field.wire ? field.wire(value) : value;
    }
    for (const [name, label] of Object.entries(times)) {
      const span = range(
        input[`${name}From`] as string | undefined,
        input[`${name}To`] as string | undefined,
        label,
        `${name}To`,
      );
      if (span) out[`filter[${name}]`] = span;
    }
    return { ...out, ...(input.sort === undefined ? {} : { sort: input.sort }), ...shape(input) };
  };
  return { filters: filtering, input: { ...filtering, ...sorted, ...sparse }, one: sparse, parameters, shape };
}

/** Asks the vendor to say what the caller may do. */
const authorizationMeta = flag('Provide Authorization Meta', {
  group: 'Answer',
  help: 'Whether to tell if this account may change each of them (canWrite) and delete mailboxes (canDelete).',
});

function range(from: string | undefined, to: string | undefined, label: string, field: string): string | undefined {
  if (from && to && from > to) {
    throw invalidField(field, `${label} To lies before ${label} From.`);
  }
  return from || to ? `${from ?? 'neginf'}..${to ?? 'inf'}` : undefined;
}
