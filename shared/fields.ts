/**
 * What a text must look like. `address` is a mailbox with or without a display name (RFC 5322 section 3.4), `email` its
 * bare addr-spec.
 */
export type TextFormat = 'email' | 'address' | 'uri' | 'uuid' | 'host' | 'ip' | 'html';

/**
 * One declared input. Types, validation, forms, n8n parameters, request bodies and reference pages are read from it.
 */
export type Field = {
  label: string;
  help?: string;
  example?: string;
  group?: string; // heading in forms and reference pages
  required?: boolean;
  default?: unknown;
  clearable?: boolean; // an empty text or list, or 0, is a value: it switches something off
  ref?: string; // names a resource; shown as a picker where that resource can be listed
  /**
   * What people know such an object by, where the provider wants its id: the key of a list's rows to find it under.
   * `path`: the id is a name itself.
   */
  knownBy?: 'email' | 'name' | 'path';
  /** Objects of other resources that serve here as well, each with the values that other fields must have then. */
  also?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  as?: string; // the vendor's name, where it cannot be a key here (`rsEmail.spamHandling`)
  wire?: (value: any) => unknown; // the vendor's spelling: Unix time, "true"/"false", newline lists
} & (
  | {
      type: 'text';
      format?: TextFormat;
      minLength?: number;
      maxLength?: number;
      pattern?: string;
      lines?: number;
      secret?: boolean;
      language?: string;
    } // what such a text is written in, by its name in editors
  | { type: 'number'; min?: number; max?: number; fraction?: boolean; unit?: 'bytes' }
  | { type: 'flag'; suggest?: true } // what a form begins with; unlike a default it is never filled in for a caller
  | { type: 'time' }
  | { type: 'file' }
  | { type: 'json' }
  | { type: 'choice'; choices: Readonly<Record<string, string>>; open?: boolean } // open: other values pass too
  | { type: 'list'; of: Field; minItems?: number; maxItems?: number }
);
export type Fields = Readonly<Record<string, Field>>;

/**
 * A file in or out. `open` starts reading it from its beginning, as often as it is called; `size` is in bytes where it
 * is known.
 */
export interface FileValue {
  name: string;
  type: string;
  size?: number;
  contentId?: string;
  open(): AsyncIterable<Uint8Array>;
}

type ValueOf<F extends Field> = F extends { type: 'choice'; open: true }
  ? string
  : F extends { type: 'choice'; choices: infer C }
    ? keyof C & string
    : F extends { type: 'list'; of: infer E extends Field }
      ? ValueOf<E>[]
      : F extends { type: 'number' }
        ? number
        : F extends { type: 'flag' }
          ? boolean
          : F extends { type: 'json' }
            ? Record<string, unknown>
            : F extends { type: 'file' }
              ? FileValue
              : string;
/** A field with a default is there after validation, so `run` need not ask again. */
type Certain<S extends Fields> = {
  [K in keyof S]: S[K] extends { required: true } | { default: {} } ? K : never;
}[keyof S];
/** The checked values of a set of fields, as `run` receives them. */
export type Values<S extends Fields> = { [K in Certain<S>]: ValueOf<S[K]> } & {
  [K in Exclude<keyof S, Certain<S>>]?: ValueOf<S[K]>;
};

/** What a caller may give for one field that is no list; `validate` turns it into the field's own type. */
type GivenOne<F extends Field> = F extends { type: 'text' }
  ? string | number
  : F extends { type: 'time' }
    ? string | number | Date
    : F extends { type: 'number' }
      ? number | `${number}`
      : F extends { type: 'flag' }
        ? boolean | 'true' | 'false'
        : F extends { type: 'json' }
          ? object | string
          : F extends { type: 'list' }
            ? unknown
            : ValueOf<F>;
/** The same for any field. A list may be one entry, or one text with its entries parted by commas or lines. */
type GivenOf<F extends Field> = F extends { type: 'list'; of: infer E extends Field }
  ? readonly GivenOne<E>[] | GivenOne<E> | string
  : GivenOne<F>;
/** What a caller may give for a set of fields: only what is required must be there; defaults are filled in. */
export type Given<S extends Fields> = {
  [K in keyof S as S[K] extends { required: true } ? K : never]: GivenOf<S[K]>;
} & { [K in keyof S as S[K] extends { required: true } ? never : K]?: GivenOf<S[K]> | null };

type Options<T extends Field['type']> = Omit<Extract<Field, { type: T }>, 'type' | 'label' | 'choices' | 'of'>;
const kind =
  <T extends Field['type']>(type: T) =>
  <const O extends Partial<Options<T>> = {}>(label: string, options?: O) =>
    ({ type, label, ...options }) as unknown as { type: T; label: string } & O;
export const text = kind('text');
export const number = kind('number');
export const flag = kind('flag');
export const time = kind('time');
export const file = kind('file');
export const json = kind('json');
export const choice = <
  const C extends Readonly<Record<string, string>>,
  const O extends Partial<Options<'choice'>> = {},
>(
  label: string,
  choices: C,
  options?: O,
) => ({ type: 'choice', label, choices, ...options }) as { type: 'choice'; label: string; choices: C } & O;
export const list = <const F extends Field, const O extends Partial<Options<'list'>> = {}>(
  label: string,
  of: F,
  options?: O,
) => ({ type: 'list', label, of, ...options }) as { type: 'list'; label: string; of: F } & O;

/** `{ a: 'a', b: 'b' }` from names that are their own labels. */
export const same = <const N extends string>(...names: N[]) =>
  Object.fromEntries(names.map(name => [name, name])) as Record<N, N>;

/**
 * The values in the vendor's names and spelling: `as`, then `wire`. What is absent stays absent; names without a field
 * are left out. Pass only the fields that belong in the body or query, not those of the path.
 */
export function onWire(fields: Fields, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = values[name];
    if (value === undefined) continue;
    out[field.as ?? name] = field.wire ? field.wire(value) : value;
  }
  return out;
}

/** The fields without those named: what is left for a body when the path took its part. */
export function without<S extends Fields, const K extends keyof S>(fields: S, ...names: K[]): Omit<S, K> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name as K))) as Omit<S, K>;
}

/** A file whose bytes are in memory. */
export const fileOf = (name: string, type: string, bytes: Uint8Array): FileValue => ({
  name,
  type,
  size: bytes.byteLength,
  async *open() {
    yield bytes;
  },
});

/** True for what looks like a file, whoever made it. */
export const isFile = (value: unknown): value is FileValue =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as FileValue).open === 'function' &&
  typeof (value as FileValue).name === 'string';
