import { something } from '../../errors.js';
import { flag, number, onWire, text } from '../../fields.js';
import { map } from '../../pages.js';
import { path } from '../../url.js';
import { operation, type Context, type Operations } from '../../provider.js';
import type { Mailbox, Native } from '../../vocabulary.js';
import { api, needed, readBack, unreadable, unwrapped } from './api.js';
import { columns, domain, mailbox, mailboxPath, oneFilter, parts, search, servicePath, wiki } from './target.js';

const DOCS = wiki('Exchange_Mailbox');

/**
 * The common part of an index entry or a mailbox. The vendor's times have no zone, so they stay in `native` and are not
 * passed off as exact.
 */
export function toMailbox(ctx: Context, native: Native, place: string): Mailbox {
  const address = `${needed(ctx, native, 'name')}@${place}`;
  return {
    id: address,
    email: address,
    ...(native.displayName ? { name: String(native.displayName) } : {}),
    status: native.enabled === true ? 'active' : native.enabled === false ? 'disabled' : 'unknown',
    native,
  };
}
/** What can be said of a mailbox whose change went through but could not be read back. */
export const unread =
  (address: string) =>
  (note: string): Mailbox => ({ id: address, email: address, status: 'unknown', native: { note } });

const show = async (ctx: Context, address: string) =>
  toMailbox(ctx, await api(ctx).get(mailboxPath(address)), parts(address).domain);

const filters = {
  ...search('name, display name or custom ID'),
  enabled: flag('Enabled', { help: 'Whether to list only enabled (true) or only disabled (false) mailboxes.' }),
  fields: columns({
    size: 'Size',
    currentUsage: 'Current Usage',
    hasBlackBerryMobileService: 'Has BlackBerry',
    hasActiveSyncMobileService: 'Has ActiveSync',
  }),
};

/** `clearable` on Edit only: an empty text there empties the value. */
const details = (clearable: boolean) => ({
  enabled: flag('Enabled', { suggest: true, help: 'Whether the mailbox can be used.' }),
  isHidden: flag('Hidden', { help: 'Whether the mailbox is left out of the Global Address List.' }),
  isPublicFolderAdmin: flag('Public Folder Administrator', { help: 'Whether the account administers public folders.' }),
  emailForwardingAddress: text('Forwarding Address', {
    format: 'email',
    clearable,
    help: 'Mail is forwarded to this address. Left empty, forwarding is off.',
  }),
  visibleInRackspaceEmailCompanyDirectory: flag('Visible in Rackspace Email Directory', {
    help: 'Whether the Rackspace Email company directory shows the mailbox.',
  }),
  firstName: text('First Name', { clearable, group: 'Contact' }),
  lastName: text('Last Name', { clearable, group: 'Contact' }),
  company: text('Company', { clearable, group: 'Contact' }),
  department: text('Department', { clearable, group: 'Contact' }),
  jobTitle: text('Job Title', { clearable, group: 'Contact' }),
  addressLine1: text('Street Address', { clearable, group: 'Contact' }),
  city: text('City', { clearable, group: 'Contact' }),
  state: text('State', { clearable, group: 'Contact' }),
  zip: text('Zip or Postal Code', { clearable, group: 'Contact' }),
  country: text('Country', { clearable, group: 'Contact' }),
  businessnumber: text('Business Phone', { clearable, group: 'Contact' }),
  homenumber: text('Home Phone', { clearable, group: 'Contact' }),
  mobilenumber: text('Mobile Phone', { clearable, group: 'Contact' }),
  faxnumber: text('Fax', { clearable, group: 'Contact' }),
  pagernumber: text('Pager', { clearable, group: 'Contact' }),
  notes: text('Notes', { clearable, lines: 4, group: 'Contact' }),
  customID: text('Custom ID', { clearable, group: 'Contact', help: 'A name of your own for the mailbox.' }),
});
const password = text('Password', { secret: true, minLength: 8, help: 'It is never shown again.' });
const size = number('Size', { min: 1, example: '2048', help: 'In megabytes.' });
const displayName = text('Display Name', { example: 'Alex Smith' });
const creation = {
  displayName: { ...displayName, required: true as const },
  password: { ...password, required: true as const },
  size: { ...size, required: true as const },
  ...details(false),
};
const changes = { displayName, password, size, ...details(true) };

const address = text('Email Address', {
  required: true,
  format: 'email',
  example: 'alex@example.com',
  help: 'A further address of the mailbox.',
});

/** Exchange mailboxes and their further addresses. */
export const mailboxes = {
  'mailbox.list': operation({
    summary: 'List the Exchange mailboxes of a domain',
    effect: 'read',
    docs: DOCS,
    orders: ['Index'],
    doubt:
      'The order of the entries is not documented; the status is known only where Enabled was asked for, because the index does not print it.',
    input: { domain, ...filters },
    run(ctx, { domain: place, ...input }) {
      oneFilter(input);
      const native = (one: Native): Native =>
        input.enabled === undefined || one.enabled !== undefined ? one : { ...one, enabled: input.enabled };
      return map(
        api(ctx).list(`${servicePath(place, 'exchange')}/mailboxes`, { filters: onWire(filters, input) }),
        one => ({ ...toMailbox(ctx, native(one), place), native: one }),
      );
    },
  }),
  'mailbox.get': operation({
    summary: 'Get an Exchange mailbox',
    effect: 'read',
    docs: DOCS,
    orders: ['Show'],
    input: { mailbox },
    run: (ctx, input) => show(ctx, input.mailbox),
  }),
  'mailbox.create': operation({
    summary: 'Create an Exchange mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Add'],
    doubt:
      'Which names, display names and passwords the provider refuses, beyond a password of fewer than eight characters, is not documented.',
    input: { mailbox: { ...mailbox, ref: undefined, help: 'The address of the new mailbox.' }, ...creation },
    async run(ctx, { mailbox: address, ...input }) {
      await api(ctx).write('POST', mailboxPath(address), onWire(creation, input));
      return readBack(() => show(ctx, address), unread(address));
    },
  }),
  'mailbox.update': operation({
    summary: 'Change an Exchange mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Edit'],
    doubt:
      'The provider says that forwarding ends when its field "is not assigned", which may mean left out; so the present address is read and sent again.',
    input: { mailbox, ...changes },
    async run(ctx, { mailbox: address, ...input }) {
      something(input);
      // Taken literally, the wiki lets a new phone number end the forwarding. Sending what is there is right under both
      // readings.
      const forwarding =
        input.emailForwardingAddress === undefined
          ? (await show(ctx, address)).native.emailForwardingAddress
          : undefined;
      await api(ctx).write('PUT', mailboxPath(address), {
        ...onWire(changes, input),
        ...(forwarding ? { emailForwardingAddress: forwarding } : {}),
      });
      return readBack(() => show(ctx, address), unread(address));
    },
  }),
  'mailbox.delete': operation({
    summary: 'Delete an Exchange mailbox and its contents for good',
    effect: 'destroy',
    docs: DOCS,
    orders: ['Delete'],
    input: { mailbox },
    async run(ctx, input) {
      await api(ctx).write('DELETE', mailboxPath(input.mailbox));
      return { id: input.mailbox, native: {} };
    },
  }),
  'emailAddress.list': operation({
    summary: 'List the addresses of an Exchange mailbox',
    effect: 'read',
    docs: DOCS,
    input: { mailbox },
    async *run(ctx, input) {
      const { emailAddressList } = await api(ctx).get(mailboxPath(input.mailbox));
      for (const native of unwrapped(emailAddressList)) {
        if (typeof native !== 'object' || native === null) throw unreadable(ctx, 'addresses that are not objects');
        const id = needed(ctx, native as Native, 'address');
        yield { id, name: id, replyTo: (native as Native).replyTo === true, native: native as Native };
      }
    },
  }),
  'emailAddress.add': operation({
    summary: 'Add an address to an Exchange mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Add Email Address'],
    doubt: 'What the provider answers for an address that is taken or malformed is not documented.',
    input: { mailbox, address },
    async run(ctx, input) {
      await api(ctx).write('POST', mailboxPath(input.mailbox) + path`/emailaddresses/${input.address}`);
      return { id: input.address, native: {} };
    },
  }),
  'emailAddress.remove': operation({
    summary: 'Remove an address from an Exchange mailbox',
    effect: 'destroy',
    docs: DOCS,
    orders: ['Delete Email Address'],
    doubt:
      'The provider says that it fails for an address that is not there, but not how; whether the reply address can be removed is not documented.',
    input: { mailbox, address },
    async run(ctx, input) {
      await api(ctx).write('DELETE', mailboxPath(input.mailbox) + path`/emailaddresses/${input.address}`);
      return { id: input.address, native: {} };
    },
  }),
} satisfies Operations;
