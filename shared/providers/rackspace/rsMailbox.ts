import { something } from '../../errors.js';
import { flag, list, number, onWire, text } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Context, type Operations } from '../../provider.js';
import { api, readBack } from './api.js';
import { toMailbox, unread } from './mailbox.js';
import { columns, domain, mailboxPath, oneFilter, parts, search, servicePath, wiki } from './target.js';

const DOCS = wiki('Rackspace_Mailbox');
export const rsMailbox = text('Mailbox', {
  required: true,
  format: 'email',
  ref: 'rsMailbox',
  example: 'alex.smith@example.com',
  help: 'The e-mail address of the Rackspace Email mailbox.',
});

const show = async (ctx: Context, address: string) =>
  toMailbox(ctx, await api(ctx).get(mailboxPath(address, 'rackspace')), parts(address).domain);

const filters = {
  ...search('name, display name or custom ID'),
  enabled: flag('Enabled', { help: 'Whether to list only enabled (true) or only disabled (false) mailboxes.' }),
  fields: columns({
    size: 'Size',
    currentUsage: 'Current Usage',
    enabled: 'Enabled',
    createdDate: 'Created',
    lastLogin: 'Last Login',
  }),
};

const contact = (label: string, clearable: boolean) => text(label, { clearable, group: 'Contact' });
const details = (clearable: boolean) => ({
  displayName: text('Display Name', { clearable }),
  enabled: flag('Enabled', { suggest: true, help: 'Whether the mailbox can be used.' }),
  vacationMessage: text('Vacation Message', { clearable, lines: 6 }),
  enableVacationMessage: flag('Vacation Message On', { help: 'Whether the vacation message is sent.' }),
  emailForwardingAddresses: list('Forwarding Addresses', text('Address', { format: 'email' }), {
    clearable,
    wire: (addresses: string[]) => addresses.join(','),
    help: 'Mail is forwarded to these addresses. An empty list turns forwarding off.',
  }),
  saveForwardedEmail: flag('Keep Forwarded Mail', {
    suggest: true,
    help: 'Whether forwarded mail also stays in the mailbox.',
  }),
  visibleInRackspaceEmailCompanyDirectory: flag('Visible in Company Directory', {
    help: 'Whether the Rackspace Email company directory shows the mailbox.',
  }),
  visibleInExchangeGAL: flag('Visible in Exchange Address List', {
    help: 'Whether the Exchange Global Address List shows the mailbox.',
  }),
  customID: text('Custom ID', { clearable, help: 'A name of your own for the mailbox.' }),
  firstName: contact('First Name', clearable),
  lastName: contact('Last Name', clearable),
  initials: contact('Initials', clearable),
  generationQualifier: contact('Generation Qualifier', clearable),
  title: contact('Title', clearable),
  userID: contact('User ID', clearable),
  organizationUnit: contact('Organization Unit', clearable),
  organizationalStatus: contact('Organizational Status', clearable),
  employeeType: contact('Employee Type', clearable),
  businessStreet: contact('Business Street', clearable),
  businessCity: contact('Business City', clearable),
  businessState: contact('Business State', clearable),
  businessPostalCode: contact('Business Postal Code', clearable),
  businessCountry: contact('Business Country', clearable),
  homeStreet: contact('Home Street', clearable),
  homeCity: contact('Home City', clearable),
  homeState: contact('Home State', clearable),
  homePostalCode: contact('Home Postal Code', clearable),
  homeCountry: contact('Home Country', clearable),
  businessNumber: contact('Business Phone', clearable),
  homeNumber: contact('Home Phone', clearable),
  mobileNumber: contact('Mobile Phone', clearable),
  faxNumber: contact('Fax', clearable),
  homeFaxNumber: contact('Home Fax', clearable),
  pagerNumber: contact('Pager', clearable),
  notes: text('Notes', { clearable, lines: 4, group: 'Contact' }),
});
const password = text('Password', { secret: true, minLength: 8, help: 'It is never shown again.' });
const size = number('Size', { min: 1, example: '2048', help: 'In megabytes.' });
const creation = {
  password: { ...password, required: true as const },
  size: { ...size, required: true as const },
  recoverDeleted: flag('Recover Deleted', {
    help: 'Whether to bring back the deleted mailbox of this name, with its mail, in place of an empty one.',
  }),
  ...details(false),
};
const changes = {
  name: text('New Name', {
    maxLength: 64,
    example: 'alex.jones',
    help: 'The part before the @. A change renames the mailbox, and the old address stops working.',
  }),
  password,
  size,
  ...details(true),
};

/** Rackspace Email mailboxes: the vendor's other mail service, at the same addresses under `rs`. */
export const rsMailboxes = {
  'rsMailbox.list': operation({
    summary: 'List the Rackspace Email mailboxes of a domain',
    effect: 'read',
    docs: DOCS,
    input: { domain, ...filters },
    run(ctx, { domain: place, ...input }) {
      oneFilter(input);
      return map(
        api(ctx).list(`${servicePath(place, 'rackspace')}/mailboxes`, { filters: onWire(filters, input) }),
        native => toMailbox(ctx, native, place),
      );
    },
  }),
  'rsMailbox.get': operation({
    summary: 'Get a Rackspace Email mailbox',
    effect: 'read',
    docs: DOCS,
    input: { mailbox: rsMailbox },
    run: (ctx, input) => show(ctx, input.mailbox),
  }),
  'rsMailbox.create': operation({
    summary: 'Create a Rackspace Email mailbox',
    effect: 'write',
    docs: DOCS,
    doubt:
      'Newer clients leave the size out; whether it is still needed, and which password a recovered mailbox has afterwards, is not documented.',
    input: { mailbox: { ...rsMailbox, ref: undefined, help: 'The address of the new mailbox.' }, ...creation },
    async run(ctx, { mailbox: address, ...input }) {
      await api(ctx).write('POST', mailboxPath(address, 'rackspace'), onWire(creation, input));
      return readBack(() => show(ctx, address), unread(address));
    },
  }),
  'rsMailbox.update': operation({
    summary: 'Change or rename a Rackspace Email mailbox',
    effect: 'write',
    docs: DOCS,
    input: { mailbox: rsMailbox, ...changes },
    async run(ctx, { mailbox: address, ...input }) {
      something(input);
      await api(ctx).write('PUT', mailboxPath(address, 'rackspace'), onWire(changes, input));
      const now = input.name === undefined ? address : `${input.name}@${parts(address).domain}`;
      return readBack(() => show(ctx, now), unread(now));
    },
  }),
  'rsMailbox.delete': operation({
    summary: 'Delete a Rackspace Email mailbox',
    effect: 'destroy',
    docs: DOCS,
    doubt: 'For how long a deleted mailbox can be brought back (Recover Deleted) is not documented.',
    input: { mailbox: rsMailbox },
    async run(ctx, input) {
      await api(ctx).write('DELETE', mailboxPath(input.mailbox, 'rackspace'));
      return { id: input.mailbox, native: {} };
    },
  }),
} satisfies Operations;
