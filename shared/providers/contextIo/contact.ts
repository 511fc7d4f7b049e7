import { MailError } from '../../errors.js';
import { choice, onWire, text, time } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api } from './api.js';
import { mailbox, seconds } from './fields.js';
import { fileId, toFile } from './file.js';
import { messageId, toMessage } from './message.js';
import { threadName, threadOf } from './thread.js';

const DOCS = 'https://context.io/docs/2.0/accounts/contacts';
const contact = text('Contact', {
  required: true,
  format: 'email',
  ref: 'contact',
  help: 'The address of the contact.',
});

/** Someone the owner of an account writes to or hears from; `id` is the address. */
export interface Contact {
  id: string;
  email: string;
  name?: string;
  mailbox: string;
  native: Native;
}
const toContact = (native: Native, email: string, account: string): Contact => ({
  id: email,
  email,
  ...(typeof native.name === 'string' && native.name ? { name: native.name } : {}),
  mailbox: account,
  native,
});
const email = (native: Native) => idOf(native, 'email');

const filters = {
  search: text('Search', { help: 'Text that the name or the address contains.' }),
  active_before: time('Active Before', { ...seconds, help: 'Contacts whose last message is older.' }),
  active_after: time('Active After', { ...seconds, help: 'Contacts whose last message is younger.' }),
  sort_by: choice('Sort By', {
    email: 'Address',
    count: 'All Messages',
    received_count: 'Messages Received',
    sent_count: 'Messages Sent',
  }),
  sort_order: choice('Sort Order', { asc: 'Ascending', desc: 'Descending' }),
};
const target = { mailbox, contact };

export const contacts = {
  'contact.list': operation({
    summary: 'List the contacts of an account',
    effect: 'read',
    docs: DOCS,
    input: { mailbox, ...filters },
    // The one list that comes wrapped (the vendor's documents of API 2.0, Contacts).
    run: (ctx, { mailbox: account, ...rest }) =>
      map(api(ctx).pages(path`/accounts/${account}/contacts`, onWire(filters, rest), email, 'matches'), native =>
        toContact(native, email(native), account),
      ),
  }),
  'contact.get': operation({
    summary: 'Get a contact',
    effect: 'read',
    docs: DOCS,
    input: target,
    async run(ctx, input) {
      const native = await api(ctx).get(path`/accounts/${input.mailbox}/contacts/${input.contact}`);
      const emails = Array.isArray(native.emails)
        ? native.emails.filter((one): one is string => typeof one === 'string')
        : [];
      if (emails.length === 0 && typeof native.email !== 'string') {
        throw new MailError('protocol', `${ctx.provider} answered without the addresses of the contact.`);
      }
      return toContact(
        native,
        emails.find(one => one.toLowerCase() === input.contact.toLowerCase()) ?? emails[0] ?? String(native.email),
        input.mailbox,
      );
    },
  }),
  'contactMessage.list': operation({
    summary: 'List the messages exchanged with a contact',
    effect: 'read',
    docs: `${DOCS}/messages`,
    input: target,
    run: (ctx, input) =>
      map(api(ctx).pages(path`/accounts/${input.mailbox}/contacts/${input.contact}/messages`, {}, messageId), native =>
        toMessage(native, input.mailbox),
      ),
  }),
  'contactFile.list': operation({
    summary: 'List the files exchanged with a contact',
    effect: 'read',
    docs: `${DOCS}/files`,
    input: target,
    run: (ctx, input) =>
      map(api(ctx).pages(path`/accounts/${input.mailbox}/contacts/${input.contact}/files`, {}, fileId), native =>
        toFile(native, input.mailbox),
      ),
  }),
  'contactThread.list': operation({
    summary: 'List the Gmail threads with a contact',
    effect: 'read',
    docs: `${DOCS}/threads`,
    input: target,
    run: (ctx, input) =>
      map(
        api(ctx).pages<unknown>(path`/accounts/${input.mailbox}/contacts/${input.contact}/threads`, {}, threadName),
        entry => threadOf(entry, input.mailbox),
      ),
  }),
} satisfies Operations;
