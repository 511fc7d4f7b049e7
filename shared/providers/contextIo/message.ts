import { file, flag, list, onWire, text, type FileValue } from '../../fields.js';
import { MailError } from '../../errors.js';
import { path } from '../../url.js';
import { inReadingOrder, withText } from '../../message.js';
import { map } from '../../pages.js';
import { operation, type Context, type Operations } from '../../provider.js';
import { idOf, type Address, type Attachment, type Message, type Native } from '../../vocabulary.js';
import { api, someOf } from './api.js';
import {
  bit,
  dateFilters,
  fileFilters,
  flagFields,
  folder,
  includes,
  indexFilters,
  iso,
  mailbox,
  message,
  peopleFilters,
  sortOrder,
  source,
  subject,
} from './fields.js';

const DOCS = 'https://context.io/docs/2.0/accounts/messages';

/** What names a message in its account. Throws `protocol` where it is missing. */
export const messageId = (native: Native): string => idOf(native, 'message_id');
const some = <T>(values: T[]) => (values.length ? values : undefined);
/** One address or several, without those that name nobody. */
const people = (value: unknown): Address[] =>
  (Array.isArray(value) ? value : [value]).flatMap(one => {
    const { email, name } = (one ?? {}) as Native;
    return typeof email === 'string' && email !== ''
      ? [{ email, ...(typeof name === 'string' && name !== '' ? { name } : {}) }]
      : [];
  });
const toAttachment = (native: Native): Attachment[] =>
  typeof native.file_id !== 'string'
    ? []
    : [
        {
          id: native.file_id,
          name: String(native.file_name || 'unnamed'),
          type: String(native.type || 'application/octet-stream'),
          ...(Number.isFinite(Number(native.size ?? NaN)) ? { size: Number(native.size) } : {}),
          ...(native.is_embedded ? { inline: true } : {}),
          ...(typeof native.content_id === 'string' && native.content_id
            ? { contentId: native.content_id.replace(/^<|>$/g, '') }
            : {}),
        },
      ];
const NAMES = {
  seen: '\\Seen',
  answered: '\\Answered',
  flagged: '\\Flagged',
  deleted: '\\Deleted',
  draft: '\\Draft',
} as const;
/** The flags as IMAP names them. */
function flagsOf(flags: unknown): string[] | undefined {
  if (Array.isArray(flags)) return flags.filter((one): one is string => typeof one === 'string');
  if (typeof flags !== 'object' || flags === null) return undefined;
  return Object.entries(NAMES).flatMap(([name, flag]) => ((flags as Native)[name] ? flag : []));
}

/** The flags say whether it was read; servers send an object, or a list of IMAP flags. */
function isRead(flags: unknown): boolean | undefined {
  if (Array.isArray(flags)) return flags.length ? flags.some(one => /^\\?seen$/i.test(String(one))) : undefined;
  const seen = (flags as Native | undefined)?.seen;
  return typeof seen === 'boolean' || typeof seen === 'number' ? Boolean(seen) : undefined;
}

/**
 * The common part of the vendor's message. Maps may come as `[]` when they are empty (samples in the vendor's documents
 * of API 2.0).
 */
export function toMessage(native: Native, account: string): Message {
  const who = (Array.isArray(native.addresses) ? {} : (native.addresses ?? {})) as Native;
  const from = people(who.from)[0];
  const cc = some(people(who.cc));
  const date = iso(native.date) ?? iso(native.date_received);
  const read = isRead(native.flags);
  const bodies = (Array.isArray(native.body) ? native.body : native.body ? [native.body] : []) as Native[];
  const body = (type: string) =>
    bodies.find(part => part?.type === type && typeof part.content === 'string')?.content as string | undefined;
  const plain = body('text/plain');
  const html = body('text/html');
  const attachments = Array.isArray(native.files) ? (native.files as Native[]).flatMap(toAttachment) : undefined;
  const [folder] = Array.isArray(native.folders) ? (native.folders as unknown[]) : [];
  const flags = flagsOf(native.flags);
  const replyTo = people(who.reply_to).filter(one => one.email !== from?.email);
  const text = (name: string) =>
    typeof native[name] === 'string' && native[name] !== '' ? (native[name] as string) : undefined;
  const known = text('email_message_id');
  const before = text('in_reply_to');
  return inReadingOrder({
    id: messageId(native),
    mailbox: account,
    ...(native.gmail_thread_id ? { thread: `gm-${String(native.gmail_thread_id)}` } : {}),
    ...(from ? { from } : {}),
    to: people(who.to),
    ...(cc ? { cc } : {}),
    ...(typeof native.subject === 'string' ? { subject: native.subject } : {}),
    ...(date ? { date } : {}),
    ...(read === undefined ? {} : { read }),
    ...(plain === undefined ? {} : { text: plain }),
    ...(html === undefined ? {} : { html }),
    ...(attachments ? { attachments } : {}),
    ...(flags ? { flags } : {}),
    ...(typeof folder === 'string' ? { folder } : {}),
    ...(known ? { messageId: known } : {}),
    ...(before ? { inReplyTo: before } : {}),
    ...(replyTo.length ? { replyTo } : {}),
    native,
  });
}

/** The message with its text, where its bodies were asked for. */
export const readMessage = async (native: Native, account: string): Promise<Message> => {
  const message = toMessage(native, account);
  return native.body === undefined ? message : withText(message);
};

/** Threads have no paging of their own; their messages have. */
export interface Thread {
  id: string;
  mailbox: string;
  subject?: string;
  messages: Message[];
  native: Native;
}

/**
 * A thread with all of its messages, whatever the length of the vendor's pages. `found` are the pages' other fields.
 */
export async function wholeThread(
  ctx: Context,
  address: string,
  values: Record<string, unknown>,
  id: string,
  account: string,
): Promise<Thread> {
  let native: Native | undefined;
  const found = new Map<string, Native>();
  for (let offset = 0; ;) {
    const page = await api(ctx).get(address, { ...values, limit: 100, offset });
    const messages = page.messages === null ? [] : page.messages;
    if (!Array.isArray(messages))
      throw new MailError('protocol', `${ctx.provider} answered without the messages of the thread.`);
    const items = messages as Native[];
    const before = found.size;
    native ??= page;
    for (const item of items) found.set(messageId(item), item);
    offset += items.length;
    // A server that does not page threads sends all of them each time, and nothing new the second time.
    if (items.length < 100 || found.size === before) break;
  }
  const messages = [...found.values()];
  const first =
    typeof native.subject === 'string'
      ? native.subject
      : messages.map(one => one.subject).find(one => typeof one === 'string');
  const read = await Promise.all(messages.map(one => readMessage(one, account)));
  return {
    id,
    mailbox: account,
    ...(typeof first === 'string' ? { subject: first } : {}),
    messages: read,
    native: { ...native, messages },
  };
}

/** All that narrows a list of messages. */
export const filters = {
  subject,
  ...peopleFilters,
  folder: { ...folder, required: undefined, help: 'The full name of a folder, or a symbolic one such as \\Starred.' },
  source: { ...source, required: undefined, help: 'The label of a source of the account.' },
  ...fileFilters,
  ...dateFilters,
  ...indexFilters,
  ...includes,
  sort_order: sortOrder,
};
const target = { mailbox, message };
const flags = {
  seen: flag('Seen', { ...bit, help: 'Whether the message was read.' }),
  answered: flag('Answered', { ...bit, help: 'Whether the message was answered.' }),
  flagged: flag('Flagged', { ...bit, help: 'Whether the message is marked as important.' }),
  deleted: flag('Deleted', { ...bit, help: 'Whether the message is marked for deletion.' }),
  draft: flag('Draft', { ...bit, help: 'Whether the message is a draft.' }),
};
const whole = {
  ...includes,
  include_body: { ...includes.include_body, default: true },
  include_flags: { ...includes.include_flags, default: true },
};
const destination = {
  dst_folder: text('Destination Folder', {
    required: true,
    ref: 'folder',
    knownBy: 'path',
    example: 'Archive',
    help: 'The full name of the folder it goes to.',
  }),
  dst_source: text('Destination Source', {
    ref: 'source',
    knownBy: 'path',
    help: 'The label of the source it goes to. Left empty, the one it is in.',
  }),
  ...flagFields,
};
const place = async (
  ctx: Context,
  { mailbox: account, message: id, ...rest }: { mailbox: string; message: string },
  move: boolean,
) => ({
  id,
  native: await api(ctx).write('POST', path`/accounts/${account}/messages/${id}`, {
    form: { ...onWire(destination, rest), ...(move ? { move: 1 } : {}) },
  }),
});
const folderNames = (label: string) =>
  list(label, text('Folder'), { help: 'Full names, or symbolic ones such as \\Starred.' });
const moves = { add: folderNames('Add'), remove: folderNames('Remove') };

export const messages = {
  'message.list': operation({
    summary: 'List the messages of an account',
    effect: 'read',
    docs: DOCS,
    doubt:
      'Whether the time filters take the very second with them, and what the default order goes by, is not documented.',
    input: { mailbox, ...filters },
    run: (ctx, { mailbox: account, ...rest }) =>
      map(api(ctx).pages(path`/accounts/${account}/messages`, onWire(filters, rest), messageId), native =>
        readMessage(native, account),
      ),
  }),
  'message.get': operation({
    summary: 'Get a message',
    effect: 'read',
    docs: DOCS,
    input: { ...target, ...whole },
    run: async (ctx, { mailbox: account, message: id, ...rest }) =>
      readMessage(await api(ctx).get(path`/accounts/${account}/messages/${id}`, onWire(whole, rest)), account),
  }),
  'message.body': operation({
    summary: 'Get the bodies of a message',
    effect: 'read',
    plain: true,
    docs: `${DOCS}/body`,
    input: { ...target, type: text('Type', { example: 'text/plain', help: 'Only the bodies of this MIME type.' }) },
    run: (ctx, input) =>
      api(ctx).list(path`/accounts/${input.mailbox}/messages/${input.message}/body`, { type: input.type }),
  }),
  'message.headers': operation({
    summary: 'Get the headers of a message',
    effect: 'read',
    plain: true,
    docs: `${DOCS}/headers`,
    input: { ...target, raw: flag('Raw', { help: 'Whether to give the headers as one text, as they were sent.' }) },
    async run(ctx, { mailbox: account, message: id, raw }) {
      const address = path`/accounts/${account}/messages/${id}/headers`;
      return raw ? { id, raw: await api(ctx).text(address, { raw: 1 }) } : { id, headers: await api(ctx).get(address) };
    },
  }),
  'message.source': operation({
    summary: 'Get the whole message as it was sent',
    effect: 'read',
    plain: true,
    docs: `${DOCS}/source`,
    input: target,
    async run(ctx, { mailbox: account, message: id }): Promise<FileValue> {
      // Asked first, so that an unknown message is refused here and not when the file is opened.
      const name = messageId(await api(ctx).get(path`/accounts/${account}/messages/${id}`));
      return {
        name: `${name}.eml`,
        type: 'message/rfc822',
        open: () => api(ctx).stream(path`/accounts/${account}/messages/${id}/source`),
      };
    },
  }),
  'message.thread': operation({
    summary: 'Get the thread that a message belongs to',
    effect: 'read',
    docs: `${DOCS}/thread`,
    input: { ...target, ...includes },
    run: (ctx, { mailbox: account, message: id, ...rest }) =>
      wholeThread(ctx, path`/accounts/${account}/messages/${id}/thread`, onWire(includes, rest), id, account),
  }),
  'message.flags': operation({
    summary: 'Get the flags of a message',
    effect: 'read',
    docs: `${DOCS}/flags`,
    input: target,
    run: async (ctx, { mailbox: account, message: id }) => {
      const native = await api(ctx).get(path`/accounts/${account}/messages/${id}/flags`);
      const read = isRead(native);
      return { id, ...(read === undefined ? {} : { read }), native };
    },
  }),
  'message.setFlags': operation({
    summary: 'Set or clear flags of a message',
    effect: 'write',
    docs: `${DOCS}/flags`,
    input: { ...target, ...flags },
    async run(ctx, { mailbox: account, message: id, ...rest }) {
      someOf(rest, flags);
      return {
        id,
        native: await api(ctx).write('POST', path`/accounts/${account}/messages/${id}/flags`, {
          form: onWire(flags, rest),
        }),
      };
    },
  }),
  'message.mark': operation({
    summary: 'Mark a message as read or unread',
    effect: 'write',
    docs: `${DOCS}/flags`,
    input: {
      ...target,
      read: flag('Read', { required: true, suggest: true, help: 'Whether the message is to be marked as read.' }),
    },
    run: async (ctx, { mailbox: account, message: id, read }) => ({
      id,
      native: await api(ctx).write('POST', path`/accounts/${account}/messages/${id}/flags`, {
        form: { seen: bit.wire(read) },
      }),
    }),
  }),
  'message.folders': operation({
    summary: 'List the folders that hold a message',
    effect: 'read',
    plain: true,
    docs: `${DOCS}/folders`,
    input: target,
    run: (ctx, input) => api(ctx).list(path`/accounts/${input.mailbox}/messages/${input.message}/folders`),
  }),
  'message.changeFolders': operation({
    summary: 'Put a message into folders and take it out of others',
    effect: 'write',
    docs: `${DOCS}/folders`,
    input: { ...target, ...moves },
    async run(ctx, { mailbox: account, message: id, add, remove }) {
      someOf({ add, remove }, moves);
      // One name goes under the plain parameter that every generation knows, several under the form with brackets.
      const form = Object.fromEntries(
        Object.entries({ add, remove }).map(([name, names]) =>
          names?.length === 1 ? [name, names] : [`${name}[]`, names],
        ),
      );
      return { id, native: await api(ctx).write('POST', path`/accounts/${account}/messages/${id}/folders`, { form }) };
    },
  }),
  'message.setFolders': operation({
    summary: 'Set the folders of a message to exactly these',
    effect: 'write',
    consequence: 'Takes the message out of all other folders.',
    docs: `${DOCS}/folders`,
    doubt: 'The entries of the list that is sent are those that the same address answers with: name or symbolic_name.',
    input: {
      ...target,
      folders: list('Folders', text('Folder'), {
        required: true,
        help: 'Full names, or symbolic ones such as \\Starred.',
      }),
    },
    run: async (ctx, { mailbox: account, message: id, folders }) => ({
      id,
      native: await api(ctx).write('PUT', path`/accounts/${account}/messages/${id}/folders`, {
        json: folders.map(name => (name.startsWith('\\') ? { symbolic_name: name } : { name })),
      }),
    }),
  }),
  'message.copy': operation({
    summary: 'Copy a message to another folder',
    effect: 'write',
    docs: DOCS,
    input: { ...target, ...destination },
    run: (ctx, input) => place(ctx, input, false),
  }),
  'message.move': operation({
    summary: 'Move a message to another folder',
    effect: 'write',
    docs: DOCS,
    input: { ...target, ...destination },
    run: (ctx, input) => place(ctx, input, true),
  }),
  'message.append': operation({
    summary: 'Put a message into a folder of a mailbox, without sending it',
    effect: 'write',
    plain: true,
    docs: DOCS,
    doubt: 'Servers were seen to refuse this with status 400 and no words.',
    input: {
      mailbox,
      dst_source: { ...destination.dst_source, required: true, help: 'The label of the source it goes to.' },
      dst_folder: destination.dst_folder,
      content: file('Message', { required: true, help: 'The whole message, headers first (message/rfc822).' }),
      ...flagFields,
    },
    async run(ctx, { mailbox: account, content, ...rest }) {
      const parts: Uint8Array[] = [];
      for await (const part of content.open()) parts.push(part);
      const multipart = new FormData();
      for (const [name, value] of Object.entries(onWire(destination, rest))) multipart.append(name, String(value));
      multipart.append('message', new Blob([Buffer.concat(parts)], { type: 'message/rfc822' }), content.name);
      return { native: await api(ctx).write('POST', path`/accounts/${account}/messages`, { multipart }) };
    },
  }),
  'message.delete': operation({
    summary: 'Delete a message from its mailbox',
    effect: 'destroy',
    docs: DOCS,
    input: target,
    run: async (ctx, input) => ({
      id: input.message,
      native: await api(ctx).write('DELETE', path`/accounts/${input.mailbox}/messages/${input.message}`),
    }),
  }),
} satisfies Operations;
