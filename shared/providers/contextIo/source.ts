import { MailError, type Issue } from '../../errors.js';
import { choice, flag, list, number, onWire, text, without } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api, named, someOf } from './api.js';
import { bit, commas, folder, includes, mailbox, source } from './fields.js';
import { messageId, toMessage } from './message.js';

const DOCS = 'https://context.io/docs/2.0/accounts/sources';

/** A mailbox on some mail server that an account reads; `id` is its label, `status` the vendor's own word. */
export interface Source {
  id: string;
  name: string;
  mailbox: string;
  status?: string;
  native: Native;
}
const toSource = (native: Native, mailbox: string): Source => ({
  id: idOf(native, 'label'),
  name: idOf(native, 'label'),
  mailbox,
  ...(native.status ? { status: String(native.status) } : {}),
  native,
});

/** A folder of a source; `id` is its full name, counts are numbers although the vendor often sends texts. */
export interface Folder {
  id: string;
  name: string;
  messages?: number;
  unseen?: number;
  native: Native;
}
const count = (value: unknown) =>
  value === undefined || value === null || value === '' || Number.isNaN(Number(value)) ? undefined : Number(value);
const toFolder = (native: Native): Folder => {
  const messages = count(native.nb_messages);
  const unseen = count(native.nb_unseen_messages);
  const id = idOf(native, 'name');
  return {
    id,
    name: id,
    ...(messages === undefined ? {} : { messages }),
    ...(unseen === undefined ? {} : { unseen }),
    native,
  };
};

/** As the vendor's documents of API 2.0 list them. */
export const statusFilters = {
  status: choice('Status', {
    OK: 'OK',
    INVALID_CREDENTIALS: 'Invalid Credentials',
    CONNECTION_IMPOSSIBLE: 'Connection Impossible',
    NO_ACCESS_TO_ALL_MAIL: 'No Access to All Mail',
    TEMP_DISABLED: 'Temporarily Disabled',
    DISABLED: 'Disabled',
  }),
  status_ok: choice('Working', { 1: 'Working Sources Only', 0: 'Failing Sources Only' }),
};

const credentials = {
  password: text('Password', {
    secret: true,
    help: 'The password of the mailbox. Not used when a provider token is given.',
  }),
  provider_refresh_token: text('Provider Refresh Token', {
    secret: true,
    help: 'OAuth 2 refresh token of the mailbox, with the provider consumer key.',
  }),
  provider_consumer_key: text('Provider Consumer Key', {
    help: 'The key of an OAuth provider that is registered with Context.IO.',
  }),
  provider_token: text('Provider Token', { secret: true, help: 'Early servers: OAuth 1 token of the mailbox.' }),
  provider_token_secret: text('Provider Token Secret', {
    secret: true,
    help: 'Early servers: the secret of the OAuth 1 token.',
  }),
};
const callbacks = {
  callback_url: text('Callback URL', { format: 'uri', help: 'Called when the first synchronization has ended.' }),
  status_callback_url: text('Status Callback URL', {
    format: 'uri',
    help: 'Called when the connection status of the source changes.',
  }),
};
const syncing = {
  sync_all_folders: flag('Sync All Folders', {
    ...bit,
    help: 'Whether folders such as spam and trash are read as well.',
  }),
  expunge_on_deleted_flag: flag('Expunge on Deleted Flag', {
    ...bit,
    help: 'Whether messages flagged as deleted leave the index at once.',
  }),
  sync_flags: flag('Sync Flags', { ...bit, help: 'Whether Context.IO keeps the flags of messages in its index.' }),
  raw_file_list: flag('Raw File List', {
    ...bit,
    help: 'Whether embedded images and signatures are listed as files too.',
  }),
  sync_folders: list('Sync Folders', text('Folder', { pattern: '^[^,]+$' }), {
    ...commas,
    example: 'All,Trash',
    help: 'The folders to read. Left empty, all but spam and trash.',
  }),
};
const server = {
  server: text('Server', {
    required: true,
    format: 'host',
    example: 'imap.example.com',
    help: 'The name of the IMAP server.',
  }),
  username: text('Username', { required: true, help: 'The name to log in with at the mail server.' }),
  use_ssl: flag('Use SSL', {
    required: true,
    ...bit,
    suggest: true,
    help: 'Whether the connection to the mail server is encrypted.',
  }),
  port: number('Port', { required: true, min: 1, max: 65535, example: '993' }),
};
const origin_ip = text('Origin IP', {
  format: 'ip',
  help: 'The address of the user, where the mail server wants to know it.',
});
const optional = { ...credentials, ...syncing, origin_ip, ...callbacks };

/** What a new account takes to have its source made in the same call: nothing, or everything a source needs. */
export const firstSource = {
  server: { ...server.server, required: undefined, group: 'Source' },
  username: { ...server.username, required: undefined, group: 'Source' },
  use_ssl: { ...server.use_ssl, required: undefined, group: 'Source' },
  port: { ...server.port, required: undefined, group: 'Source' },
  type: choice('Type', { IMAP: 'IMAP' }, { group: 'Source', help: 'The kind of mail server. There is only one.' }),
  ...optional,
};

/**
 * The form fields of a source, complete or none at all. Throws `invalid_input` naming every field that is missing when
 * only some are there: the vendor's own refusal names none.
 */
export function sourceForm(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const form = onWire(firstSource, values);
  if (Object.keys(form).length === 0) return {};
  const issues: Issue[] = Object.entries(server)
    .filter(([name]) => values[name] === undefined)
    .map(([field, { label }]) => ({ field, message: `${label} is required to make a source.` }));
  const has = (...names: string[]) => names.every(name => values[name] !== undefined);
  if (
    !has('password') &&
    !has('provider_refresh_token', 'provider_consumer_key') &&
    !has('provider_token', 'provider_token_secret', 'provider_consumer_key')
  ) {
    const field =
      has('provider_refresh_token') || has('provider_token', 'provider_token_secret')
        ? 'provider_consumer_key'
        : has('provider_consumer_key')
          ? 'provider_refresh_token'
          : 'password';
    issues.push({ field, message: 'A source needs Password, or Provider Refresh Token with Provider Consumer Key.' });
  }
  if (issues.length)
    throw new MailError(
      'invalid_input',
      `The source is not complete: ${issues.map(issue => issue.message).join(' ')}`,
      { issues },
    );
  return { type: 'IMAP', ...form };
}

const changes = {
  status: flag('Revive', {
    wire: (on: boolean) => (on ? 1 : undefined),
    help: 'Whether to start a disabled source again.',
  }),
  ...credentials,
  sync_all_folders: syncing.sync_all_folders,
  expunge_on_deleted_flag: syncing.expunge_on_deleted_flag,
  status_callback_url: callbacks.status_callback_url,
};
const delim = text('Delimiter', {
  maxLength: 1,
  example: '/',
  help: 'What separates the levels of the name. Left empty, a slash.',
});
const at = { mailbox, source, folder, delim };
const folderOptions = {
  include_extended_counts: flag('Include Extended Counts', {
    ...bit,
    help: 'Whether to count unread messages, which asks the mail server.',
  }),
  no_cache: flag('No Cache', { ...bit, help: 'Whether to ask the mail server instead of the index.' }),
};
const looks = { ...includes, flag_seen: choice('Read', { 1: 'Read Only', 0: 'Unread Only' }) };

export const sources = {
  'source.list': operation({
    summary: 'List the sources of an account',
    effect: 'read',
    docs: DOCS,
    input: { mailbox, ...statusFilters },
    async *run(ctx, { mailbox: account, ...filters }) {
      for (const native of await api(ctx).list(path`/accounts/${account}/sources`, filters))
        yield toSource(native as Native, account);
    },
  }),
  'source.get': operation({
    summary: 'Get a source',
    effect: 'read',
    docs: DOCS,
    input: { mailbox, source },
    run: async (ctx, input) =>
      toSource(await api(ctx).get(path`/accounts/${input.mailbox}/sources/${input.source}`), input.mailbox),
  }),
  'source.create': operation({
    summary: 'Add a source to an account',
    effect: 'write',
    docs: DOCS,
    doubt: 'The words of a refusal (feedback_code) are not documented; they are shown as they come.',
    input: {
      mailbox,
      email: text('Email', { required: true, format: 'email', help: 'The address of the mailbox.' }),
      ...server,
      type: choice('Type', { IMAP: 'IMAP' }, { default: 'IMAP', help: 'The kind of mail server. There is only one.' }),
      ...optional,
    },
    async run(ctx, { mailbox: account, email, ...rest }) {
      const native = await api(ctx).write('POST', path`/accounts/${account}/sources`, {
        form: { email, ...sourceForm(rest) },
      });
      const id = named(ctx, native, 'label');
      return { id, name: id, mailbox: account, native } satisfies Source;
    },
  }),
  'source.update': operation({
    summary: 'Change or revive a source',
    effect: 'write',
    docs: DOCS,
    input: { mailbox, source, ...changes },
    async run(ctx, { mailbox: account, source: label, ...values }) {
      const form = onWire(changes, values);
      someOf(form, changes);
      return { id: label, native: await api(ctx).write('POST', path`/accounts/${account}/sources/${label}`, { form }) };
    },
  }),
  'source.check': operation({
    summary: 'Have the connection of a source checked now',
    effect: 'write',
    docs: DOCS,
    input: { mailbox, source },
    // Alone in its form: the vendor takes no other parameter beside it (the vendor's documents of API 2.0, Sources).
    run: async (ctx, input) => {
      const native = await api(ctx).write('POST', path`/accounts/${input.mailbox}/sources/${input.source}`, {
        form: { force_status_check: 1 },
      });
      return { id: input.source, ...(native.status === undefined ? {} : { status: String(native.status) }), native };
    },
  }),
  'source.delete': operation({
    summary: 'Remove a source and its mail from an account',
    effect: 'destroy',
    docs: DOCS,
    input: { mailbox, source },
    run: async (ctx, input) => ({
      id: input.source,
      native: await api(ctx).write('DELETE', path`/accounts/${input.mailbox}/sources/${input.source}`),
    }),
  }),

  'folder.list': operation({
    summary: 'List the folders of a source',
    effect: 'read',
    docs: `${DOCS}/folders`,
    input: { mailbox, source, ...folderOptions },
    async *run(ctx, { mailbox: account, source: label, ...rest }) {
      const found = await api(ctx).list(
        path`/accounts/${account}/sources/${label}/folders`,
        onWire(folderOptions, rest),
      );
      for (const native of found) yield toFolder(native as Native);
    },
  }),
  'folder.get': operation({
    summary: 'Get a folder',
    effect: 'read',
    docs: `${DOCS}/folders`,
    input: at,
    run: async (ctx, input) =>
      toFolder(
        await api(ctx).get(path`/accounts/${input.mailbox}/sources/${input.source}/folders/${input.folder}`, {
          delim: input.delim,
        }),
      ),
  }),
  'folder.create': operation({
    summary: 'Create a folder',
    effect: 'write',
    docs: `${DOCS}/folders`,
    doubt: 'Servers of 2017 answered 405; then this is unsupported there.',
    input: {
      ...without(at, 'folder'),
      name: text('Name', { required: true, help: 'The full name of the new folder.', example: 'Projects/2018' }),
    },
    // What a PUT has to say stands in its query: the vendor left the form of a PUT out of the signature (seen with its
    // Node and Python clients).
    run: async (ctx, input) => ({
      id: input.name,
      native: await api(ctx).write(
        'PUT',
        path`/accounts/${input.mailbox}/sources/${input.source}/folders/${input.name}`,
        { query: { delim: input.delim } },
      ),
    }),
  }),
  'folder.delete': operation({
    summary: 'Delete a folder',
    effect: 'destroy',
    docs: `${DOCS}/folders`,
    input: at,
    run: async (ctx, input) => ({
      id: input.folder,
      native: await api(ctx).write(
        'DELETE',
        path`/accounts/${input.mailbox}/sources/${input.source}/folders/${input.folder}`,
        { query: { delim: input.delim } },
      ),
    }),
  }),
  'folder.expunge': operation({
    summary: 'Remove for good what is flagged as deleted in a folder',
    effect: 'destroy',
    docs: `${DOCS}/folders/expunge`,
    input: { mailbox, source, folder },
    run: async (ctx, input) => ({
      id: input.folder,
      native: await api(ctx).write(
        'POST',
        path`/accounts/${input.mailbox}/sources/${input.source}/folders/${input.folder}/expunge`,
      ),
    }),
  }),
  'folderMessage.list': operation({
    summary: 'List the messages of a folder as they are on the mail server now',
    effect: 'read',
    docs: `${DOCS}/folders/messages`,
    doubt:
      'Servers may answer a long look with a job to ask for later; that is refused as unreadable, because how to ask is not documented.',
    input: { mailbox, source, folder, ...looks },
    run: (ctx, { mailbox: account, source: label, folder: name, ...rest }) =>
      map(
        api(ctx).pages(
          path`/accounts/${account}/sources/${label}/folders/${name}/messages`,
          onWire(looks, rest),
          messageId,
        ),
        native => toMessage(native, account),
      ),
  }),
} satisfies Operations;
