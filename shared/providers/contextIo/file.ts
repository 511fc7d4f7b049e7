import { MailError } from '../../errors.js';
import { onWire, text, type FileValue } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api } from './api.js';
import { dateFilters, fileFilters, indexFilters, iso, mailbox, peopleFilters, sortOrder, source } from './fields.js';

const DOCS = 'https://context.io/docs/2.0/accounts/files';
const file = text('File', { required: true, ref: 'file', help: 'The ID of the file.' });

/** An attachment as the index knows it; `message` is the message it came with, `size` in bytes. */
export interface FileEntry {
  id: string;
  name: string;
  type: string;
  size?: number;
  mailbox: string;
  message?: string;
  subject?: string;
  date?: string;
  native: Native;
}
export const fileId = (native: Native): string => idOf(native, 'file_id');
export function toFile(native: Native, account: string): FileEntry {
  const date = iso(native.date);
  const size = Number(native.size ?? NaN);
  return {
    id: fileId(native),
    name: String(native.file_name || 'unnamed'),
    type: String(native.type || 'application/octet-stream'),
    ...(Number.isFinite(size) ? { size } : {}),
    mailbox: account,
    ...(native.message_id ? { message: String(native.message_id) } : {}),
    ...(typeof native.subject === 'string' ? { subject: native.subject } : {}),
    ...(date ? { date } : {}),
    native,
  };
}

const filters = {
  ...fileFilters,
  ...peopleFilters,
  ...dateFilters,
  ...indexFilters,
  source: { ...source, required: undefined, help: 'The label of a source of the account.' },
  sort_order: sortOrder,
};

export const files = {
  'file.list': operation({
    summary: 'List the files attached to the messages of an account',
    effect: 'read',
    docs: DOCS,
    input: { mailbox, ...filters },
    run: (ctx, { mailbox: account, ...rest }) =>
      map(api(ctx).pages(path`/accounts/${account}/files`, onWire(filters, rest), fileId), native =>
        toFile(native, account),
      ),
  }),
  'file.get': operation({
    summary: 'Get what is known about a file',
    effect: 'read',
    docs: DOCS,
    input: { mailbox, file },
    run: async (ctx, input) =>
      toFile(await api(ctx).get(path`/accounts/${input.mailbox}/files/${input.file}`), input.mailbox),
  }),
  'file.content': operation({
    summary: 'Download a file',
    effect: 'read',
    plain: true,
    docs: `${DOCS}/content`,
    input: { mailbox, file },
    async run(ctx, { mailbox: account, file: id }): Promise<FileValue> {
      // Name and type are in the index; the content is fetched from the mail server when it is read, as often as it is.
      const { name, type, size } = toFile(await api(ctx).get(path`/accounts/${account}/files/${id}`), account);
      return {
        name,
        type,
        ...(size === undefined ? {} : { size }),
        open: () => api(ctx).stream(path`/accounts/${account}/files/${id}/content`),
      };
    },
  }),
  'file.link': operation({
    summary: 'Get a temporary link to a file',
    effect: 'read',
    plain: true,
    docs: `${DOCS}/content`,
    doubt: 'How long the link works is not documented; whoever has it can read the file.',
    input: { mailbox, file },
    async run(ctx, input) {
      const url = (
        await api(ctx).text(path`/accounts/${input.mailbox}/files/${input.file}/content`, { as_link: 1 })
      ).trim();
      if (!/^https?:\/\/[^\s<>"]+$/.test(url))
        throw new MailError('protocol', `${ctx.provider} answered without a link.`);
      return { id: input.file, url };
    },
  }),
  'relatedFile.list': operation({
    summary: 'List the files that resemble a file',
    effect: 'read',
    docs: `${DOCS}/related`,
    input: { mailbox, file },
    async *run(ctx, input) {
      for (const native of await api(ctx).list(path`/accounts/${input.mailbox}/files/${input.file}/related`))
        yield toFile(native as Native, input.mailbox);
    },
  }),
} satisfies Operations;
