import { choice, flag, list, onWire, text } from '../../fields.js';
import { path } from '../../url.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api, named, someOf } from './api.js';
import { bit, commas, mailbox } from './fields.js';

const DOCS = 'https://context.io/docs/2.0/accounts/webhooks';
const webhook = text('Webhook', { required: true, ref: 'webhook', help: 'The ID of the webhook.' });
const scope = {
  mailbox: {
    ...mailbox,
    required: undefined,
    help: 'The ID of the account. Left empty, the webhooks are for all accounts of the key.',
  },
};
const folder = (account: string | undefined) =>
  account === undefined ? '/webhooks' : path`/accounts/${account}/webhooks`;

/**
 * A call that the vendor makes for each matching message; `active` is off after a failure until it is switched on
 * again.
 */
export interface Webhook {
  id: string;
  mailbox?: string;
  url?: string;
  active?: boolean;
  failed?: boolean;
  native: Native;
}
const toWebhook = (native: Native, account?: string): Webhook => ({
  id: idOf(native, 'webhook_id'),
  ...(account === undefined ? {} : { mailbox: account }),
  ...(typeof native.callback_url === 'string' ? { url: native.callback_url } : {}),
  ...(native.active === undefined ? {} : { active: truth(native.active) }),
  ...(native.failure === undefined ? {} : { failed: truth(native.failure) }),
  native,
});
/** Documented as a boolean here, as 1 or 0 there. */
const truth = (value: unknown) => value === true || value === 1 || value === '1';

const people = (label: string, help: string) =>
  list(label, text('Name or Address', { pattern: '^[^,]+$' }), { ...commas, help });
const filters = {
  filter_to: people('To', 'Names or addresses of receivers. Only later servers take more than one.'),
  filter_from: people('From', 'Names or addresses of senders. Only later servers take more than one.'),
  filter_cc: people('Cc', 'Names or addresses of copied receivers. Only later servers take more than one.'),
  filter_to_domain: text('To Domain', { format: 'host', help: 'Late servers: the domain of a receiver.' }),
  filter_from_domain: text('From Domain', { format: 'host', help: 'Late servers: the domain of the sender.' }),
  filter_subject: text('Subject', { help: 'Text that the subject contains, or a regular expression between slashes.' }),
  filter_thread: text('Thread', { help: 'A Gmail thread ID, or the ID of a message of the thread.' }),
  filter_new_important: flag('New Important', {
    ...bit,
    help: 'Whether only messages that Gmail finds important match.',
  }),
  filter_file_name: text('File Name', {
    example: '*.pdf',
    help: 'A name with wildcards, or a regular expression between slashes.',
  }),
  filter_folder_added: text('Folder Added', { help: 'The full name of a folder that a message is put into.' }),
  filter_folder_removed: text('Folder Removed', { help: 'The full name of a folder that a message is taken from.' }),
};
const contents = {
  include_body: flag('Include Body', { ...bit, help: 'Whether the call contains the bodies. Only on later servers.' }),
  body_type: text('Body Type', { example: 'text/plain', help: 'The MIME type of the bodies to bring.' }),
  include_header: choice('Include Header', { 1: 'Parsed', raw: 'Raw' }, { help: 'Late servers only.' }),
};
const more = {
  receive_historical: flag('Receive Historical', {
    ...bit,
    help: 'Whether mail from before the webhook is included. Only on later servers, and for all accounts.',
  }),
  receive_all_changes: flag('Receive All Changes', {
    ...bit,
    help: 'Whether changes of known messages are included. Only on later servers, and for all accounts.',
  }),
  receive_drafts: flag('Receive Drafts', {
    ...bit,
    help: 'Whether drafts are included. Only on later servers, and for all accounts.',
  }),
  sync_period: text('Sync Period', {
    example: 'immediate',
    help: 'Early servers: the longest delay, such as immediate or 1d.',
  }),
};
const urls = {
  callback_url: text('Callback URL', { required: true, format: 'uri', help: 'Called for each matching message.' }),
  failure_notif_url: text('Failure Notification URL', {
    required: true,
    format: 'uri',
    help: 'Called once when the webhook cannot be kept up.',
  }),
};
const creation = { ...urls, ...filters, ...contents, ...more };
const changes = {
  active: flag('Active', {
    ...bit,
    suggest: true,
    help: 'Whether the webhook works. Turn it on again after a failure.',
  }),
  callback_url: { ...urls.callback_url, required: undefined },
  failure_notif_url: { ...urls.failure_notif_url, required: undefined },
  ...filters,
  ...contents,
};

export const webhooks = {
  'webhook.list': operation({
    summary: 'List webhooks',
    effect: 'read',
    docs: DOCS,
    input: scope,
    async *run(ctx, input) {
      for (const native of await api(ctx).list(folder(input.mailbox))) yield toWebhook(native as Native, input.mailbox);
    },
  }),
  'webhook.get': operation({
    summary: 'Get a webhook',
    effect: 'read',
    docs: DOCS,
    input: { webhook, ...scope },
    run: async (ctx, input) =>
      toWebhook(await api(ctx).get(folder(input.mailbox) + path`/${input.webhook}`), input.mailbox),
  }),
  'webhook.create': operation({
    summary: 'Create a webhook',
    effect: 'write',
    docs: DOCS,
    doubt: 'A webhook for all accounts may take a day to reach the accounts that exist.',
    input: { ...scope, ...creation },
    async run(ctx, { mailbox: account, ...rest }) {
      const native = await api(ctx).write('POST', folder(account), { form: onWire(creation, rest) });
      return {
        id: named(ctx, native, 'webhook_id'),
        ...(account === undefined ? {} : { mailbox: account }),
        url: rest.callback_url,
        native,
      } satisfies Webhook;
    },
  }),
  'webhook.update': operation({
    summary: 'Pause, resume or change a webhook',
    effect: 'write',
    docs: DOCS,
    doubt: 'Early servers change nothing but Active; there, delete the webhook and create it anew.',
    input: { webhook, ...scope, ...changes },
    async run(ctx, { mailbox: account, webhook: id, ...rest }) {
      someOf(rest, changes);
      return {
        id,
        native: await api(ctx).write('POST', folder(account) + path`/${id}`, { form: onWire(changes, rest) }),
      };
    },
  }),
  'webhook.delete': operation({
    summary: 'Delete a webhook',
    effect: 'destroy',
    docs: DOCS,
    input: { webhook, ...scope },
    run: async (ctx, input) => ({
      id: input.webhook,
      native: await api(ctx).write('DELETE', folder(input.mailbox) + path`/${input.webhook}`),
    }),
  }),
} satisfies Operations;
