import { onWire, text } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Mailbox, type MailboxStatus, type Native } from '../../vocabulary.js';
import { api, named, someOf } from './api.js';
import { iso, mailbox } from './fields.js';
import { firstSource, sourceForm, statusFilters } from './source.js';

const DOCS = 'https://context.io/docs/2.0/accounts';

/** Addresses of an account, the primary one first. */
export const addressesOf = (native: Native): string[] =>
  Array.isArray(native.email_addresses)
    ? native.email_addresses.filter((one): one is string => typeof one === 'string' && one !== '')
    : [];

/** The worst of what the sources of an account say; an account without a source waits for one. */
function statusOf(native: Native): MailboxStatus {
  if (Number(native.suspended) > 0) return 'disabled';
  const states = Array.isArray(native.sources)
    ? (native.sources as Native[]).map(source => String(source?.status))
    : [];
  if (states.length === 0) return 'pending';
  if (states.some(state => ['INVALID_CREDENTIALS', 'CONNECTION_IMPOSSIBLE', 'NO_ACCESS_TO_ALL_MAIL'].includes(state)))
    return 'error';
  if (states.some(state => ['TEMP_DISABLED', 'DISABLED'].includes(state))) return 'disabled';
  return states.every(state => state === 'OK') ? 'active' : 'unknown';
}

const nameOf = (first: unknown, last: unknown) =>
  [first, last].filter(part => typeof part === 'string' && part !== '').join(' ');

/** The common part of the vendor's account. */
export function toMailbox(native: Native): Mailbox {
  const email = addressesOf(native)[0];
  const name = nameOf(native.first_name, native.last_name);
  const createdAt = iso(native.created);
  return {
    id: idOf(native),
    ...(email ? { email } : {}),
    ...(name ? { name } : {}),
    ...(createdAt ? { createdAt } : {}),
    status: statusOf(native),
    native,
  };
}

const filters = {
  email: text('Email', { format: 'email', help: 'Only the account with this address.' }),
  ...statusFilters,
};
const names = {
  first_name: text('First Name', { clearable: true, help: 'The first name of the owner of the account.' }),
  last_name: text('Last Name', { clearable: true, help: 'The last name of the owner of the account.' }),
};

export const mailboxes = {
  'mailbox.list': operation({
    summary: 'List accounts',
    effect: 'read',
    docs: DOCS,
    orders: ['GET accounts (list)'],
    doubt:
      'With a status filter only the matching sources are shown, so the common status is that of the sources shown. The order is not documented.',
    input: filters,
    run: (ctx, input) =>
      map(
        api(ctx).pages('/accounts', onWire(filters, input), account => idOf(account)),
        toMailbox,
      ),
  }),
  'mailbox.get': operation({
    summary: 'Get an account',
    effect: 'read',
    docs: DOCS,
    orders: ['GET accounts/{id}'],
    input: { mailbox },
    run: async (ctx, input) => toMailbox(await api(ctx).get(path`/accounts/${input.mailbox}`)),
  }),
  'mailbox.create': operation({
    summary: 'Create an account, with its first source or without',
    effect: 'write',
    docs: DOCS,
    orders: ['POST accounts (create)', 'POST accounts with source'],
    doubt: 'What happens with an address that another account has already is not documented; expect a second account.',
    input: {
      email: text('Email', {
        required: true,
        format: 'email',
        help: 'The primary address of the owner of the account.',
      }),
      ...names,
      ...firstSource,
    },
    async run(ctx, { email, first_name, last_name, ...source }) {
      const form = sourceForm(source);
      const native = await api(ctx).write('POST', '/accounts', { form: { email, first_name, last_name, ...form } });
      const name = nameOf(first_name, last_name);
      // The vendor creates nothing when the source does not work, so a source that is there was reached. No second
      // request: if it failed, an account that exists would look as if it did not.
      const status = Object.keys(form).length ? ('active' as const) : ('pending' as const);
      return { id: named(ctx, native, 'id'), email, ...(name ? { name } : {}), status, native };
    },
  }),
  'mailbox.update': operation({
    summary: 'Change the names of an account',
    effect: 'write',
    docs: DOCS,
    orders: ['POST accounts/{id} (modify)'],
    doubt: 'Some catalogues list this as PUT; every client of the provider uses POST.',
    input: { mailbox, ...names },
    async run(ctx, { mailbox: id, ...changes }) {
      someOf(changes, names);
      await api(ctx).write('POST', path`/accounts/${id}`, { form: changes });
      return toMailbox(await api(ctx).get(path`/accounts/${id}`));
    },
  }),
  'mailbox.delete': operation({
    summary: 'Delete an account with its sources, webhooks and index',
    effect: 'destroy',
    docs: DOCS,
    orders: ['DELETE accounts/{id}'],
    input: { mailbox },
    run: async (ctx, input) => ({
      id: input.mailbox,
      native: await api(ctx).write('DELETE', path`/accounts/${input.mailbox}`),
    }),
  }),
} satisfies Operations;
