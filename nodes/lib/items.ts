import { Readable } from 'node:stream';
import { NodeOperationError } from 'n8n-workflow';
import type { IBinaryData, IBinaryKeyData, IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
  isFile,
  isMailError,
  isStream,
  MailError,
  nextStep,
  providerById,
  splitName,
  take,
  type Field,
  type FileValue,
  type Operation,
} from '../../shared/index.js';
import { bringsContent, contentOf, contentOfEach, wantedOf } from './content.js';
import { dryRun } from './dryRun.js';
import { asNodeError, openAccount } from './host.js';
import type { NodeName } from './owner.js';
import { told } from './receipt.js';
import { SEND_AND_WAIT_OPERATION, sendAndWait } from './sendAndWait.js';
import { Lookups, namedBy, plainValue, type Named } from './lookup.js';
import { cameOut, collectionOf, isAttachments, offered, standsAlone } from './parameters.js';
import { valueOf } from './values.js';
import { operationTitle } from './words.js';

/** How many items are under way at once; the account's pace limits their requests further. */
const AT_ONCE = 5;

/** What n8n's editor puts at the end of the menus of nodes whose credentials can sign any request. */
const CUSTOM_API_CALL = '__CUSTOM_API_CALL__';

/**
 * Runs a node: each item with its own parameters and account, a few at a time, results in the order of the items. With
 * continue-on-fail a failed item becomes an error item, and for an AI agent too, since n8n tells its model nothing of a
 * thrown error; without, the first failure stops what has not begun and says which items were done.
 */
export async function runItems(node: IExecuteFunctions, name: NodeName): Promise<INodeExecutionData[][]> {
  const asks = name === 'send' && node.getNodeParameter('operation', 0, '') === SEND_AND_WAIT_OPERATION;
  if (asks)
    return sendAndWait(node, node.getExecutionCancelSignal?.()).catch((error: unknown) => {
      throw asNodeError(node.getNode(), error, 0);
    });
  const count = node.getInputData().length;
  const goOn = node.continueOnFail() || isToolNode(node);
  const results: INodeExecutionData[][] = new Array<INodeExecutionData[]>(count);
  const cancelled = node.getExecutionCancelSignal?.();
  const failures: { index: number; error: unknown }[] = [];
  const lookups = new Lookups(count === 1);
  let next = 0;
  const worker = async () => {
    while (next < count && !failures.length && !cancelled?.aborted) {
      const index = next++;
      try {
        results[index] = await runItem(node, name, index, lookups, cancelled);
      } catch (error) {
        if (cancelled?.aborted) return;
        if (goOn) {
          results[index] = [errorItem(node, error, index)];
          continue;
        }
        failures.push({ index, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, worker));
  // Those under way when the first failed were finished, so there may be several; the lowest is the one to mend first.
  const failed = failures.sort((a, b) => a.index - b.index)[0];
  if (failed) {
    const done = results.reduce<number[]>((all, result, i) => (result ? [...all, i] : all), []);
    throw asNodeError(node.getNode(), failed.error, failed.index, count > 1 ? progress(count, done, failures) : '');
  }
  const output: INodeExecutionData[] = [];
  for (const result of results) if (result) for (const item of result) output.push(item);
  return [output];
}

async function runItem(
  node: IExecuteFunctions,
  name: NodeName,
  index: number,
  lookups: Lookups,
  signal: AbortSignal | undefined,
): Promise<INodeExecutionData[]> {
  const provider = providerById(node.getNodeParameter('provider', index) as string);
  // n8n drops what its form would not show, so these may be absent.
  const chosen = [
    node.getNodeParameter('resource', index, '') as string,
    node.getNodeParameter('operation', index, '') as string,
  ];
  const operationName = chosen.filter(Boolean).join('.');
  const operation = offered(name, provider).find(([offeredName]) => offeredName === operationName)?.[1];
  if (!operation) {
    throw new MailError(
      'unsupported',
      chosen.includes(CUSTOM_API_CALL)
        ? `For a call of your own to ${provider.name}, use the HTTP Request node with this credential.`
        : `${provider.name} has no operation "${operationTitle(operationName)}" in this node.`,
      { provider: provider.name, operation: operationName },
    );
  }
  const account = await openAccount(node, provider.id, index, signal);
  const { client } = account;
  const { input, named } = await readInput(node, operationName, operation, index);
  await lookups.resolve(account, operation.input, named, input);
  const options =
    operation.effect === 'read' ? {} : (node.getNodeParameter('options', index, {}) as { dryRun?: unknown });
  if (isOn(options.dryRun))
    return [await outputItem(node, await dryRun(client, operationName, operation, input, account.own), index, false)];
  if (
    operation.effect === 'destroy' &&
    isToolNode(node) &&
    !isOn(node.getNodeParameter('allowDestructive', index, false))
  ) {
    throw new NodeOperationError(
      node.getNode(),
      'This operation removes something, and AI agents may not run it here.',
      {
        itemIndex: index,
        description:
          'Turn on Allow Destructive Operation in this tool to permit it. ' +
          'With Dry Run, under Options, an agent can say what would happen.',
      },
    );
  }
  const wanted = bringsContent(provider, operationName)
    ? wantedOf(node.getNodeParameter('options', index, {}) as Record<string, unknown>)
    : undefined;
  const result = client.call(operationName, input);
  const simple = isOn(node.getNodeParameter('simplify', index, true));
  const item = (one: unknown) => outputItem(node, one, index, simple);
  if (isStream(result)) {
    const limit = isOn(node.getNodeParameter('returnAll', index, false))
      ? Infinity
      : limitOf(node.getNodeParameter('limit', index, 50));
    const rows = await take(result, limit);
    return wanted
      ? contentOfEach({ node, client, input, wanted, signal }, rows as Record<string, unknown>[], item)
      : Promise.all(rows.map(item));
  }
  // Where the account is the mailbox, the item names it all the same.
  const value = told(
    operation,
    'mailbox' in operation.input && !input.mailbox ? { ...input, mailbox: account.own } : input,
    await result,
  );
  if (wanted) return [await contentOf({ node, client, input, wanted, signal }, value as Record<string, unknown>, item)];
  return Promise.all((Array.isArray(value) ? value : [value]).map(item));
}

/** An agent, or an expression, may give a flag as text. */
const isOn = (value: unknown) => value === true || value === 'true';
/** The same for numbers; what is no number of one or more is refused before anything is read. */
function limitOf(value: unknown): number {
  const limit = Number(value);
  if (!Number.isInteger(limit) || limit < 1)
    throw new MailError('invalid_input', 'Limit must be a whole number of at least 1.', {
      issues: [{ field: 'limit', message: 'Limit must be a whole number of at least 1.' }],
    });
  return limit;
}
/** n8n gives the node another type where an agent runs it. */
const isToolNode = (node: IExecuteFunctions) => node.getNode().type.endsWith('Tool');

/**
 * What the parameters of an item say: the values of the input, and what stands there by an address or a name and has to
 * be looked up.
 */
interface Read {
  input: Record<string, unknown>;
  named: Map<string, Named>;
}

/** The input of an operation from the parameters of an item. A name that the user left empty stays absent. */
async function readInput(node: IExecuteFunctions, name: string, operation: Operation, index: number): Promise<Read> {
  const input: Record<string, unknown> = {};
  const named = new Map<string, Named>();
  const collection = Object.entries(operation.input).some(([key, field]) => !standsAlone(name, key, field))
    ? (node.getNodeParameter(collectionOf(splitName(name)[1]), index, {}) as Record<string, unknown>)
    : {};
  const sourceOf = (key: string, field: Field) =>
    standsAlone(name, key, field)
      ? node.getNodeParameter('attachmentsFrom', index, 'named')
      : collection.attachmentsFrom;
  for (const [key, field] of Object.entries(operation.input)) {
    // The names are out of sight then.
    if (isAttachments(key, field) && sourceOf(key, field) === 'all') {
      input[key] = await readFiles(node, field, Object.keys(node.getInputData()[index]?.binary ?? {}), index);
      continue;
    }
    // Whole, since n8n takes the value out of a picker without saying what it is: an id, an address or a name.
    // What the form does not show, since another choice rules it out, has no value at all.
    const alone = standsAlone(name, key, field) || cameOut(name, key, field);
    const shown = alone ? node.getNodeParameter(key, index, '') : '';
    const whole = shown === '' && !standsAlone(name, key, field) ? collection[key] : shown;
    const sought = namedBy(whole);
    if (sought) {
      named.set(key, sought);
      continue;
    }
    const given = plainValue(whole);
    input[key] = await readFiles(
      node,
      field,
      valueOf(field, given, () => node.getTimezone()),
      index,
    );
  }
  return { input, named };
}

/**
 * Names of binary fields become the files they hold; so does what an expression gives: n8n's own files, and what
 * attachments are described by.
 */
async function readFiles(node: IExecuteFunctions, field: Field, given: unknown, index: number): Promise<unknown> {
  if (field.type === 'file')
    return given === '' ? given : inputFile(node, typeof given === 'string' ? given.trim() : given, index);
  if (field.type !== 'list' || field.of.type !== 'file') return given;
  return Promise.all(filesIn(given).map(one => inputFile(node, one, index)));
}

/**
 * A list of files as people give it: names with commas, a list of names or files, one file, or the files of an item by
 * their names.
 */
function filesIn(given: unknown): unknown[] {
  if (typeof given === 'string')
    return given
      .split(',')
      .map(name => name.trim())
      .filter(Boolean);
  if (Array.isArray(given)) return (given as unknown[]).flatMap(filesIn);
  if (typeof given !== 'object' || given === null) return [];
  // As the nodes describe an attachment: the file itself stands in the binary field of that name, or was not
  // downloaded.
  if ('binary' in given && typeof given.binary === 'string') return [given.binary];
  const files = isBinary(given) ? [given] : Object.values(given).filter(isBinary);
  // A mail must not leave without a file that somebody thinks is in it.
  if (!files.length && Object.keys(given).length) {
    const message = `${'name' in given ? `"${String(given.name)}"` : 'A value'} of the attachments is described, but its file is not there; download it first.`;
    throw new MailError('invalid_input', message, { issues: [{ field: 'attachments', message }] });
  }
  return files;
}
const isBinary = (value: unknown): value is IBinaryData =>
  typeof value === 'object' && value !== null && 'mimeType' in value && ('data' in value || 'id' in value);

/**
 * A file, read as a stream from wherever n8n keeps it; by its name it is one of the input item. Throws n8n's own clear
 * error when there is none.
 */
async function inputFile(node: IExecuteFunctions, given: unknown, index: number): Promise<unknown> {
  if (typeof given !== 'string' && !isBinary(given)) return given;
  const binary = node.helpers.assertBinaryData(index, given);
  const field = typeof given === 'string' ? given : 'file';
  const size = binary.id
    ? (await node.helpers.getBinaryMetadata(binary.id)).fileSize
    : Buffer.byteLength(binary.data, 'base64');
  return {
    name: binary.fileName ?? field,
    type: binary.mimeType,
    size,
    async *open() {
      if (!binary.id) {
        yield Buffer.from(binary.data, 'base64');
        return;
      }
      yield* (await node.helpers.getBinaryStream(binary.id)) as AsyncIterable<Uint8Array>;
    },
  } satisfies FileValue;
}

const holdsFile = (value: unknown): value is { content: FileValue } =>
  typeof value === 'object' && value !== null && isFile((value as { content?: unknown }).content);

/**
 * One result as an item: files become binary data, streamed into n8n's store; Simplify leaves the vendor's part out.
 */
export async function outputItem(
  node: { helpers: Pick<IExecuteFunctions['helpers'], 'prepareBinaryData'> },
  value: unknown,
  index: number | undefined,
  simple: boolean,
): Promise<INodeExecutionData> {
  const binary: IBinaryKeyData = {};
  const kept = new Map<string, Awaited<ReturnType<typeof node.helpers.prepareBinaryData>> | undefined>();
  const keep = async (key: string, file: FileValue): Promise<IDataObject> => {
    let size = 0;
    async function* counted() {
      for await (const piece of file.open()) {
        size += piece.byteLength;
        yield piece;
      }
    }
    // Several are stored at once; they stand in the order of the message, not in that in which they are done.
    kept.set(key, undefined);
    kept.set(key, await node.helpers.prepareBinaryData(Readable.from(counted()), file.name, file.type));
    return { name: file.name, type: file.type, size, binary: key };
  };
  // A part that says what it is and holds its file, as attachments do: the file becomes binary data, the rest stays
  // beside its name.
  const unfold = async (
    key: string,
    { content, sizeEstimated: _, ...rest }: { content: FileValue; sizeEstimated?: unknown },
  ): Promise<IDataObject> => {
    const { size, binary } = await keep(key, content);
    return { ...rest, size: size!, binary: binary! };
  };
  let json: IDataObject;
  if (isFile(value)) json = await keep('data', value);
  else if (value === undefined || value === null) json = { success: true };
  else if (typeof value !== 'object') json = { value: value as string | number | boolean };
  else {
    json = {};
    for (const [key, one] of Object.entries(value)) {
      if (simple && key === 'native' && Object.keys(value).length > 1) continue;
      if (isFile(one)) json[key] = await keep(key, one);
      else if (Array.isArray(one) && one.some(holdsFile))
        json[key] = await Promise.all(
          one.map((part, i) =>
            holdsFile(part) ? unfold(`${key.replace(/s$/, '')}_${i}`, part) : (part as IDataObject),
          ),
        );
      else if (Array.isArray(one) && one.some(isFile))
        json[key] = await Promise.all(
          one.map((file, i) => (isFile(file) ? keep(`${key}_${i}`, file) : (file as IDataObject))),
        );
      else json[key] = one as IDataObject;
    }
  }
  for (const [key, data] of kept) if (data) binary[key] = data;
  return {
    json,
    ...(Object.keys(binary).length ? { binary } : {}),
    ...(index === undefined ? {} : { pairedItem: { item: index } }),
  };
}

/**
 * What a failed item leaves at the (error) output: everything a workflow may want to branch on. n8n routes by these
 * keys, and only while there is no other; given an `error` beside `json` it would throw the details away.
 */
function errorItem(node: IExecuteFunctions, error: unknown, index: number): INodeExecutionData {
  const { message } = asNodeError(node.getNode(), error, index);
  if (!isMailError(error)) return { json: { error: message }, pairedItem: { item: index } };
  const { provider, operation, status, issues, retryAfter } = error.details;
  const details = {
    code: error.code,
    message,
    nextStep: nextStep(error),
    provider,
    operation,
    status,
    issues,
    retryAfter,
  };
  return {
    json: {
      error: message,
      details: Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined)) as IDataObject,
    },
    pairedItem: { item: index },
  };
}

/** How far a run came that failed. n8n itself counts items from 0, in "[item 1]", so it says that it does not. */
function progress(count: number, done: readonly number[], failures: readonly { index: number }[]): string {
  const parts = [
    done.length ? `${ranges(done)} done` : 'none done',
    `${ranges(failures.map(({ index }) => index).sort((a, b) => a - b))} failed`,
    ...(done.length + failures.length < count ? ['the others not started'] : []),
  ];
  return `Of the ${count} items, counted from 1: ${parts.join('; ')}.`;
}

/** Positions as people count: 0, 1, 2, 5 -> "1-3, 6". */
function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; i++) {
    const from = numbers[i]!;
    while (numbers[i + 1] === numbers[i]! + 1) i++;
    parts.push(from === numbers[i] ? `${from + 1}` : `${from + 1}-${numbers[i]! + 1}`);
  }
  return parts.join(', ');
}
