import {
  isFile,
  isMailError,
  located,
  MailError,
  onWire,
  splitName,
  validate,
  type Client,
  type Field,
  type Operation,
} from '../../shared/index.js';
import { title } from './words.js';

type Values = Record<string, unknown>;
type Table = Readonly<Record<string, Operation | undefined>>;

/**
 * What an operation would do, found out without doing it. For a mail `from`, `to`, `cc` and `bcc` say whose it would be
 * and whom it would reach. `changes` names only what differs where the object could be read; `difference` the lines of
 * a script that would change; `related` what else it names, such as the folder a message goes to; `entry` what the list
 * holds of what would be added or removed.
 */
interface Preview {
  dryRun: true;
  note: string;
  changes?: { field: string; from: unknown; to: unknown }[];
  difference?: unknown;
  current?: unknown;
  entry?: unknown;
  related?: Values;
  from?: string;
  to?: unknown;
  cc?: unknown;
  bcc?: unknown;
  subject?: unknown;
  operation: string;
  effect: string;
  input: Values;
}

/**
 * Checks an input as the operation itself would and looks up all that it names, where the provider can tell. Only reads
 * are sent. Rejects as the operation would: for bad input, an unknown object, one that exists already, refused
 * credentials. `own` is the address that a mail is sent from unless the input names another.
 */
export async function dryRun(
  client: Client,
  name: string,
  operation: Operation,
  input: Values,
  own?: string,
): Promise<Preview> {
  const { provider } = client;
  let values: Values;
  try {
    values = validate(operation.input, input);
  } catch (error) {
    throw located(error, provider.name, name);
  }
  const [resource, verb] = splitName(name);
  const look = { client, operation, values };
  const reading = readerOf(client, resource);
  const makes = MAKES.test(verb);
  const current = reading && (await readAs(look, reading, target(reading[1], resource, operation, values), makes));
  if (current && verb === 'create')
    throw located(
      new MailError('conflict', `There is ${article(resource)} "${nameOf(current)}" already.`),
      provider.name,
      name,
    );
  const related = await relatedTo(look, current ? reading![0] : undefined);
  const entry = current ? undefined : await listed(look, resource, verb);
  if (entry?.found === false && REMOVES.test(verb))
    throw located(new MailError('not_found', `${entry.what} is not on the list.`), provider.name, name);
  const changes =
    current && verb === 'update' ? differences(operation, values, current, Object.keys(reading![1].input)) : undefined;
  const unchanged = changes?.length === 0 || (entry?.found === true && verb === 'add');
  const preview = unchanged ? undefined : await client.preview(name, input);
  const sender =
    values.from ?? (related.mailbox as Values | undefined)?.email ?? ('from' in operation.input ? own : undefined);
  return {
    dryRun: true,
    note: unchanged
      ? 'Everything is like this already.'
      : [
          `Would run: ${operation.summary.replace(/\.$/, '')}.`,
          ...contents(operation, current),
          'Nothing was changed.',
        ].join(' '),
    ...(preview && 'difference' in preview ? { difference: preview.difference } : {}),
    ...(changes ? { changes } : {}),
    ...(current ? { current: brief(current) } : {}),
    ...(entry?.item ? { entry: simple(entry.item) } : {}),
    ...(Object.keys(related).length
      ? { related: Object.fromEntries(Object.entries(related).map(([key, one]) => [key, brief(one as Values)])) }
      : {}),
    ...(typeof sender === 'string' ? { from: sender } : {}),
    ...preview,
    operation: name,
    effect: operation.effect,
    input: Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, showable(operation.input[key]!, value)]),
    ),
  };
}

/** What makes an object, which need not be there; what takes one off a list, which must be. */
const MAKES = /^(create|put|set|createMany)$/;
const REMOVES = /^(remove|delete)/;

interface Look {
  client: Client;
  operation: Operation;
  values: Values;
}
type Named = readonly [name: string, operation: Operation];

const tableOf = (client: Client): Table => client.provider.operations;
/** The operation that reads one object of a kind. */
function readerOf(client: Client, resource: string): Named | undefined {
  for (const name of [`${resource}.get`, `${resource}.status`]) {
    const operation = tableOf(client)[name];
    if (operation?.effect === 'read') return [name, operation];
  }
  return undefined;
}

/**
 * The input of a reading operation from the values of another; undefined where something that it needs is not among
 * them.
 */
function target(
  reading: Operation,
  resource: string,
  { input: fields }: Operation,
  values: Values,
  value = values[resource],
): Values | undefined {
  const keys = Object.keys(reading.input).filter(key => reading.input[key]!.required || key in fields);
  const own = [
    resource,
    ...keys.filter(key => reading.input[key]!.ref === resource),
    ...keys.filter(key => reading.input[key]!.required),
  ].find(key => key in reading.input);
  const given = Object.fromEntries(keys.map(key => [key, key === own && value !== undefined ? value : values[key]]));
  const isOne = (one: unknown) => typeof one === 'string' || typeof one === 'number';
  const enough = keys.every(key => !reading.input[key]!.required || isOne(given[key]));
  return enough ? Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined)) : undefined;
}

/** The object, or undefined where it cannot be asked for. Nobody there is an error, unless `mayLack`. */
async function readAs(
  { client }: Look,
  [name]: Named,
  input: Values | undefined,
  mayLack: boolean,
): Promise<Values | undefined> {
  if (!input) return undefined;
  return (client.call(name, input) as Promise<Values>).catch((error: unknown) => {
    // Some servers refuse to tell of a folder that is not there, without saying why.
    if (mayLack && isMailError(error) && (error.code === 'not_found' || error.code === 'rejected')) return undefined;
    return Promise.reject(error as Error);
  });
}

/**
 * The other objects that the input names: the mailbox of a list, the folder a message goes to. One that does not exist
 * is an error.
 */
async function relatedTo(look: Look, already: string | undefined): Promise<Values> {
  const { client, operation, values } = look;
  const related: Values = {};
  for (const [key, field] of Object.entries(operation.input)) {
    if (field.type !== 'text' || field.ref === undefined || typeof values[key] !== 'string') continue;
    const served = ([, beside]: [string, Readonly<Record<string, string>>]) =>
      Object.entries(beside).every(([other, value]) => values[other] === value);
    const ref = Object.entries(field.also ?? {}).find(served)?.[0] ?? field.ref;
    const reading = readerOf(client, ref);
    if (!reading || reading[0] === already) continue;
    const found = await readAs(
      look,
      reading,
      target(reading[1], ref, operation, values, values[key]),
      values.createFolder === true,
    );
    if (found) related[key] = found;
  }
  return related;
}

interface Entry {
  found: boolean;
  what: string;
  item?: Values;
}
/** Lists are looked through so far. */
const MOST = 5000;
/** What a list holds of the entry that would be added or removed; undefined where the list needs more than is known. */
async function listed({ client, operation, values }: Look, resource: string, verb: string): Promise<Entry | undefined> {
  const list = tableOf(client)[`${resource}.list`];
  if (!list || !/^(add|remove|delete)$/.test(verb)) return undefined;
  if (Object.entries(list.input).some(([key, { required }]) => required && values[key] === undefined)) return undefined;
  const within = Object.fromEntries(
    Object.keys(list.input)
      .filter(key => key in operation.input && values[key] !== undefined)
      .map(key => [key, values[key]]),
  );
  const sought = Object.entries(values)
    .filter(([key, value]) => !(key in within) && typeof value === 'string' && operation.input[key]!.required)
    .map(([, value]) => String(value).toLowerCase());
  if (sought.length !== 1) return undefined;
  let seen = 0;
  for await (const item of client.call(`${resource}.list`, within) as AsyncIterable<Values>) {
    const found = ['id', 'value', 'pattern', 'email', 'address', 'name'].some(
      key => String(item[key]).toLowerCase() === sought[0],
    );
    if (found) return { found, what: `"${sought[0]}"`, item };
    if (++seen === MOST) return undefined;
  }
  return { found: false, what: `"${sought[0]}"` };
}

/** What goes with an object that is removed. */
const contents = ({ effect }: Operation, current: Values | undefined): string[] =>
  effect === 'destroy' && typeof current?.messages === 'number'
    ? [`It holds ${current.messages} message${current.messages === 1 ? '' : 's'}.`]
    : [];
const nameOf = (one: Values): string => String(one.email ?? one.name ?? one.id);
const article = (resource: string): string => {
  const thing = title(resource).toLowerCase();
  return `${/^[aeio]/.test(thing) ? 'an' : 'a'} ${thing}`;
};

/** Secrets and contents of files stay out of the output. */
const showable = (field: Field, value: unknown): unknown =>
  isFile(value)
    ? value.name
    : isSecret(field)
      ? '***'
      : Array.isArray(value)
        ? value.map(one => (isFile(one) ? one.name : (one as unknown)))
        : value;
const isSecret = (field: Field): boolean =>
  field.type === 'text' ? field.secret === true : field.type === 'list' && isSecret(field.of);
const simple = ({ native, ...common }: Values) => (Object.keys(common).length ? common : native);
/** What tells one object from another; the text of a message does not. */
const brief = ({ text: _text, html: _html, headers: _headers, ...rest }: Values) => simple(rest);

/**
 * Field by field, in the vendor's spelling, which is how the vendor shows them. What it does not show counts as a
 * change.
 */
function differences(operation: Operation, values: Values, current: Values, targets: readonly string[]) {
  const native = (current.native ?? {}) as Values;
  const attributes = (native.attributes ?? {}) as Values;
  return Object.entries(operation.input)
    .filter(([key]) => values[key] !== undefined && !targets.includes(key))
    .flatMap(([key, field]) => {
      const [wireName] = Object.keys(onWire({ [key]: field }, values));
      const [wanted] = Object.values(onWire({ [key]: field }, values));
      const from = [native, attributes, current]
        .map(place => place[wireName!] ?? place[key])
        .find(value => value !== undefined);
      if (String(from) === String(wanted) || JSON.stringify(from) === JSON.stringify(values[key])) return [];
      return [{ field: key, from: isSecret(field) ? '***' : (from ?? null), to: showable(field, values[key]) }];
    });
}
