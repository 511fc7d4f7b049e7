import { Readable } from 'node:stream';
import type { IBinaryKeyData, IDataObject, IExecuteFunctions, INodeExecutionData, INodeProperties } from 'n8n-workflow';
import {
  isMailError,
  MailError,
  type Client,
  type FileValue,
  type Operation,
  type Provider,
} from '../../shared/index.js';

type Row = Record<string, unknown>;
type Table = Readonly<Record<string, Operation | undefined>>;
const tableOf = (provider: Provider): Table => provider.operations;

/** The operation that downloads an attachment, and the field that names the attachment. */
function downloadOf(provider: Provider): { name: string; field: string } | undefined {
  return [
    { name: 'attachment.get', field: 'attachment' },
    { name: 'file.content', field: 'file' },
  ].find(({ name }) => tableOf(provider)[name]);
}
/** Lists that give the texts themselves need not read each message. */
const listsBodies = (provider: Provider): boolean => 'include_body' in (tableOf(provider)['message.list']?.input ?? {});

/** True for the operations that can bring the text and the files of messages in one step. */
export const bringsContent = (provider: Provider, operation: string): boolean =>
  (operation === 'message.get' || operation === 'message.list') && downloadOf(provider) !== undefined;

/** So many files of one message are downloaded, and so many messages read at once. */
const MOST_FILES = 100;
const AT_ONCE = 5;
/** What a mail server takes at most is rarely more; in megabytes. */
const USUAL_LIMIT = 25;

/** The options of an operation for which `bringsContent` holds. */
export function contentOptions(provider: Provider, operation: string): INodeProperties[] {
  return [
    ...(operation === 'message.list' && !listsBodies(provider)
      ? [
          {
            displayName: 'Read Text and HTML',
            name: 'readBody',
            type: 'boolean' as const,
            default: false,
            description:
              'Whether each message is read with its text and HTML. Without it messages are as the list shows them.',
          },
        ]
      : []),
    {
      displayName: 'Download Attachments',
      name: 'downloadAttachments',
      type: 'boolean',
      default: false,
      description: 'Whether the attachments are downloaded into the binary data of the item',
    },
    {
      displayName: 'Attachments Prefix',
      name: 'attachmentsPrefix',
      type: 'string',
      default: 'attachment_',
      description: 'What the names of the binary fields begin with; a number follows, as in attachment_0',
    },
    {
      displayName: 'Largest Attachment (MB)',
      name: 'attachmentsLimit',
      type: 'number',
      default: USUAL_LIMIT,
      typeOptions: { minValue: 0 },
      description: 'Larger ones are named, but not downloaded',
    },
  ];
}

/** The options as an item gives them; an agent may give flags and numbers as text. `limit` is in bytes. */
export interface Wanted {
  body: boolean;
  files: boolean;
  prefix: string;
  limit: number;
}
export function wantedOf(options: Row): Wanted | undefined {
  const isOn = (value: unknown) => value === true || value === 'true';
  const body = isOn(options.readBody);
  const files = isOn(options.downloadAttachments);
  const limit = Number(options.attachmentsLimit ?? USUAL_LIMIT);
  if (!body && !files) return undefined;
  if (!(limit >= 0)) throw new MailError('invalid_input', 'Largest Attachment (MB) must be a number of at least 0.');
  return {
    body,
    files,
    limit: limit * 1024 ** 2,
    prefix: typeof options.attachmentsPrefix === 'string' ? options.attachmentsPrefix : 'attachment_',
  };
}

interface Opened {
  node: Pick<IExecuteFunctions, 'helpers'>;
  client: Client;
  input: Row;
  wanted: Wanted;
  signal: AbortSignal | undefined;
}

/**
 * Messages of a list with what is wanted of each, a few at a time, in their order. One that cannot be read stays as the
 * list shows it, with the reason under `problem`, and holds up no other.
 */
export async function contentOfEach(
  opened: Opened,
  rows: readonly Row[],
  item: (row: Row) => Promise<INodeExecutionData>,
): Promise<INodeExecutionData[]> {
  const items = new Array<INodeExecutionData>(rows.length);
  let next = 0;
  const worker = async () => {
    while (next < rows.length) {
      opened.signal?.throwIfAborted();
      const index = next++;
      const row = rows[index]!;
      items[index] = await contentOf(opened, row, item, true);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, rows.length) }, worker));
  return items;
}

/**
 * A message with what is wanted of it, as an item. `tolerant` says of a failure in the item what failed; otherwise it
 * is thrown.
 */
export async function contentOf(
  opened: Opened,
  row: Row,
  item: (row: Row) => Promise<INodeExecutionData>,
  tolerant = false,
): Promise<INodeExecutionData> {
  const { client, wanted } = opened;
  const target = targetOf(opened, row);
  let message = row;
  if (tolerant && ((wanted.body && !listsBodies(client.provider)) || (wanted.files && row.attachments === undefined))) {
    try {
      message = (await client.call('message.get', inputOf(client, 'message.get', target))) as unknown as Row;
    } catch (error) {
      return item({ ...row, problem: ofThisAlone(error) });
    }
  }
  if (!wanted.files || !Array.isArray(message.attachments)) return item(message);
  const { attachments, binary } = await downloaded(opened, target, message.attachments as Row[], tolerant);
  const made = await item({ ...message, attachments });
  return Object.keys(binary).length ? { ...made, binary: { ...made.binary, ...binary } } : made;
}

/**
 * The reason of what concerns this message alone. The account and the line to the provider concern all: such errors are
 * thrown on.
 */
function ofThisAlone(error: unknown, tolerant = true): string {
  if (tolerant && isMailError(error) && ['not_found', 'rejected', 'protocol', 'conflict'].includes(error.code))
    return error.message;
  throw error;
}

/** The names of a message: its own, and what the operation was told, such as the tenant. */
const targetOf = ({ input }: Opened, row: Row): Row => ({
  ...input,
  ...(typeof row.mailbox === 'string' ? { mailbox: row.mailbox } : {}),
  message: row.id,
});
/** Of these what an operation takes to find its object. */
const inputOf = (client: Client, name: string, values: Row): Row => {
  const { input } = tableOf(client.provider)[name]!;
  return Object.fromEntries(
    Object.entries(input)
      .filter(
        ([key, { ref }]) => (ref !== undefined || key === 'attachment' || key === 'file') && values[key] !== undefined,
      )
      .map(([key]) => [key, values[key]]),
  );
};

async function downloaded(
  { node, client, wanted, signal }: Opened,
  target: Row,
  described: readonly Row[],
  tolerant: boolean,
) {
  const { name, field } = downloadOf(client.provider)!;
  const binary: IBinaryKeyData = {};
  const attachments: IDataObject[] = [];
  for (const [index, one] of described.entries()) {
    signal?.throwIfAborted();
    const left =
      index >= MOST_FILES
        ? `Only the first ${MOST_FILES} files of a message are downloaded.`
        : tooLarge(one.size, wanted.limit);
    if (left) {
      attachments.push({ ...one, notDownloaded: left });
      continue;
    }
    try {
      const file = (await client.call(
        name,
        inputOf(client, name, { ...target, [field]: one.id }),
      )) as unknown as FileValue;
      const key = `${wanted.prefix}${index}`;
      const kept = await node.helpers.prepareBinaryData(
        Readable.from(bounded(file, wanted.limit)),
        file.name,
        file.type,
      );
      binary[key] = kept;
      attachments.push({ ...one, binary: key, fileName: file.name, mimeType: file.type });
    } catch (error) {
      attachments.push({ ...one, notDownloaded: overOf(error)?.message ?? ofThisAlone(error, tolerant) });
    }
  }
  return { attachments, binary };
}

const tooLarge = (size: unknown, limit: number): string | undefined =>
  typeof size === 'number' && size > limit ? `It is larger than ${limit / 1024 ** 2} MB.` : undefined;

class Over extends Error {}
/** n8n may wrap what a stream fails with. */
const overOf = (error: unknown): Over | undefined =>
  [error, (error as { cause?: unknown } | undefined)?.cause].find((one): one is Over => one instanceof Over);

/** The bytes of a file; ends with `Over` where there are more than the limit, whatever size was told before. */
async function* bounded(file: FileValue, limit: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of file.open()) {
    if ((bytes += piece.byteLength) > limit) throw new Over(tooLarge(bytes, limit));
    yield piece;
  }
}
