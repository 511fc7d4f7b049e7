import { isFile, located, onWire, splitName, validate, type Client, type Field, type Operation } from '../../shared/index.js';

/** What an operation would do, found out without doing it. `changes` names only what differs where the object could be read. */
interface Preview {
  dryRun: true; note: string; changes?: { field: string; from: unknown; to: unknown }[]; current?: unknown;
  operation: string; effect: string; input: Record<string, unknown>;
}

/**
 * Checks an input as the operation itself would and looks up what it would act on, where the provider can get one object by the same target.
 * Only reads are sent. Rejects as the operation would for bad input, an unknown object or refused credentials.
 */
export async function dryRun(client: Client, name: string, operation: Operation, input: Record<string, unknown>): Promise<Preview> {
  const { provider } = client, table = provider.operations as Readonly<Record<string, Operation>>;
  let values: Record<string, unknown>;
  try { values = validate(operation.input, input); } catch (error) { throw located(error, provider.name, name); }
  const [resource, verb] = splitName(name), get = table[`${resource}.get`];
  const targets = get && Object.keys(get.input).filter(key => get.input[key]!.required || key in operation.input);
  const found = get?.effect === 'read' && verb !== 'create' && targets!.every(key => key in operation.input || !get.input[key]!.required)
    && Object.entries(get.input).every(([key, field]) => !field.required || typeof values[key] === 'string' || typeof values[key] === 'number');
  const current = found ? await client.call(`${resource}.get`, Object.fromEntries(targets!.map(key => [key, values[key]]))) as Record<string,
    unknown> : undefined;
  const shown = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, showable(operation.input[key]!, value)]));
  const changes = current && verb === 'update' ? differences(operation, values, current, targets!) : undefined;
  const unchanged = changes?.length === 0;
  return {
    dryRun: true, note: unchanged ? 'Everything is like this already.' : `Would run: ${operation.summary.replace(/\.$/, '')}. Nothing was sent but what reads.`,
    ...(changes ? { changes } : {}), ...(current ? { current: simple(current) } : {}), operation: name, effect: operation.effect, input: shown,
  };
}

/** Secrets and contents of files stay out of the output. */
const showable = (field: Field, value: unknown): unknown =>
  isFile(value) ? value.name : isSecret(field) ? '***' : Array.isArray(value) ? value.map(one => isFile(one) ? one.name : one as unknown) : value;
const isSecret = (field: Field): boolean => field.type === 'text' ? field.secret === true : field.type === 'list' && isSecret(field.of);
const simple = ({ native, ...common }: Record<string, unknown>) => Object.keys(common).length ? common : native;

/** Field by field, in the vendor's spelling, which is how the vendor shows them. What it does not show counts as a change. */
function differences(operation: Operation, values: Record<string, unknown>, current: Record<string, unknown>, targets: readonly string[]) {
  const native = (current.native ?? {}) as Record<string, unknown>, attributes = (native.attributes ?? {}) as Record<string, unknown>;
  return Object.entries(operation.input).filter(([key]) => values[key] !== undefined && !targets.includes(key)).flatMap(([key, field]) => {
    const [wireName] = Object.keys(onWire({ [key]: field }, values)), [wanted] = Object.values(onWire({ [key]: field }, values));
    const from = [native, attributes, current].map(place => place[wireName!] ?? place[key]).find(value => value !== undefined);
    if (String(from) === String(wanted) || JSON.stringify(from) === JSON.stringify(values[key])) return [];
    return [{ field: key, from: isSecret(field) ? '***' : from ?? null, to: showable(field, values[key]) }];
  });
}
