import { choice, list, onWire, text, without } from '../../fields.js';
import { path } from '../../url.js';
import { MailError } from '../../errors.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Mailbox, type MailboxStatus, type Native } from '../../vocabulary.js';
import { api } from './api.js';

const DOCS = 'https://www.scaleway.com/en/developers/api/mailbox/mailboxes';
const mailbox = text('Mailbox', {
  required: true,
  format: 'uuid',
  ref: 'mailbox',
  knownBy: 'email',
  help: 'The ID of the mailbox.',
});

/**
 * The states of the vendor's reference of v1alpha1. It may add states; unknown ones are shown as such, never guessed.
 */
const STATUS: Record<string, MailboxStatus> = {
  ready: 'active',
  creating: 'pending',
  waiting_payment: 'pending',
  waiting_domain: 'pending',
  renewing: 'pending',
  restoring: 'pending',
  deletion_scheduled: 'deleting',
  deleting: 'deleting',
  locked: 'disabled',
  payment_failed: 'error',
};
const STATES = {
  creating: 'Creating',
  waiting_payment: 'Waiting for Payment',
  waiting_domain: 'Waiting for Domain',
  ready: 'Ready',
  deletion_scheduled: 'Deletion Scheduled',
  locked: 'Locked',
  renewing: 'Renewing',
  deleting: 'Deleting',
  restoring: 'Restoring',
  payment_failed: 'Payment Failed',
};

/** The common part of the vendor's mailbox. */
export const toMailbox = (native: Native): Mailbox => ({
  id: idOf(native),
  email: idOf(native, 'email'),
  status: STATUS[String(native.status)] ?? 'unknown',
  ...(native.created_at ? { createdAt: String(native.created_at) } : {}),
  ...(native.updated_at ? { updatedAt: String(native.updated_at) } : {}),
  native,
});

const filters = {
  domain_id: text('Domain', { format: 'uuid', ref: 'domain', knownBy: 'name' }),
  statuses: list('Statuses', choice('Status', STATES)),
  search: text('Search', { help: 'Matches the name and the part before the @. A whole address works too.' }),
  project_id: text('Project ID', { format: 'uuid' }),
  order_by: choice('Order By', {
    created_at_desc: 'Created, Newest First',
    created_at_asc: 'Created, Oldest First',
    updated_at_desc: 'Updated, Newest First',
    updated_at_asc: 'Updated, Oldest First',
    email_asc: 'Address, A to Z',
    email_desc: 'Address, Z to A',
  }),
};
const creation = {
  domain_id: text('Domain', { required: true, format: 'uuid', ref: 'domain', knownBy: 'name' }),
  local_part: text('Local Part', {
    required: true,
    maxLength: 64,
    example: 'ann.example',
    help: 'What stands before the @.',
  }),
  password: text('Password', {
    required: true,
    secret: true,
    minLength: 12,
    maxLength: 128,
    help: 'It is never shown again.',
  }),
  subscription_period: choice('Subscription Period', { monthly: 'Monthly', yearly: 'Yearly' }, { required: true }),
};

export const mailboxes = {
  'mailbox.list': operation({
    summary: 'List the mailboxes of the organization',
    effect: 'read',
    docs: DOCS,
    orders: ['List mailboxes in an organization'],
    doubt: 'Whether mailboxes scheduled for deletion are listed without a Statuses filter is not documented.',
    input: filters,
    // Created-ascending keeps pages stable while mailboxes are added: the vendor's own default would push items onto
    // later pages.
    run: (ctx, input) =>
      map(
        api(ctx).pages('/mailboxes', 'mailboxes', { order_by: 'created_at_asc', ...onWire(filters, input) }, 100, 1000),
        toMailbox,
      ),
  }),
  'mailbox.get': operation({
    summary: 'Get a mailbox',
    effect: 'read',
    docs: DOCS,
    orders: ['Get a mailbox by its ID'],
    input: { mailbox },
    run: async (ctx, input) => toMailbox(await api(ctx).get(path`/mailboxes/${input.mailbox}`)),
  }),
  'mailbox.create': operation({
    summary: 'Create a mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Create one or more mailboxes'],
    input: creation,
    async run(ctx, { domain_id, subscription_period, ...one }) {
      const [created] = await createBatch(ctx, domain_id, subscription_period, [one]);
      return toMailbox(created!);
    },
  }),
  'mailbox.createMany': operation({
    summary: 'Create several mailboxes in one call: all or none',
    effect: 'write',
    consequence: 'Creates all of the mailboxes or none.',
    docs: DOCS,
    orders: ['Create one or more mailboxes'],
    doubt: 'That the provider creates all or none, and keeps the order, is not documented.',
    input: {
      ...without(creation, 'local_part', 'password'),
      local_parts: list('Local Parts', text('Local Part', { maxLength: 64 }), { required: true }),
      passwords: list('Passwords', text('Password', { secret: true, minLength: 12, maxLength: 128 }), {
        required: true,
        help: 'One for each local part, in the same order.',
      }),
    },
    async run(ctx, input) {
      if (input.local_parts.length !== input.passwords.length) {
        throw new MailError(
          'invalid_input',
          `There are ${input.local_parts.length} local parts but ${input.passwords.length} passwords.`,
          { issues: [{ field: 'passwords', message: 'Give one password for each local part.' }] },
        );
      }
      const items = input.local_parts.map((local_part, i) => ({ local_part, password: input.passwords[i]! }));
      return (await createBatch(ctx, input.domain_id, input.subscription_period, items)).map(toMailbox);
    },
  }),
  'mailbox.update': operation({
    summary: 'Change the subscription or the password of a mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Update a mailbox subscription period or password with its ID'],
    doubt:
      'That canceled may be sent is not verified: the provider lists it among the periods, its own Terraform provider refuses to send it, and its pages ' +
      'describe canceling in the console only.',
    input: {
      mailbox,
      subscription_period: choice(
        'Subscription Period',
        { monthly: 'Monthly', yearly: 'Yearly', canceled: 'Canceled (Unverified)' },
        {
          help: 'Takes effect at the next renewal. Canceled ends the subscription then, and the mailbox is deleted for good thirty days later.',
        },
      ),
      new_password: text('New Password', { secret: true, minLength: 12, maxLength: 128 }),
    },
    run: async (ctx, { mailbox: id, ...changes }) => toMailbox(await api(ctx).patch(path`/mailboxes/${id}`, changes)),
  }),
  'mailbox.delete': operation({
    summary: 'Schedule a mailbox for deletion',
    effect: 'destroy',
    docs: DOCS,
    orders: ['Delete a mailbox by its ID'],
    doubt: 'The mailbox goes for good about ten minutes later; the provider does not document the time.',
    input: { mailbox },
    run: async (ctx, input) => {
      const native = await api(ctx).delete(path`/mailboxes/${input.mailbox}`);
      return { id: idOf(native), native };
    },
  }),
  'mailbox.restore': operation({
    summary: 'Restore a mailbox scheduled for deletion',
    effect: 'write',
    docs: DOCS,
    orders: ['Restore a mailbox in deletion scheduled status by its ID'],
    input: { mailbox },
    run: async (ctx, input) => toMailbox(await api(ctx).post(path`/mailboxes/${input.mailbox}/restore`)),
  }),
} satisfies Operations;

async function createBatch(
  ctx: Parameters<typeof api>[0],
  domain_id: string,
  subscription_period: string,
  items: unknown[],
): Promise<Native[]> {
  const answer = await api(ctx).post('/batch-create-mailboxes', { domain_id, subscription_period, mailboxes: items });
  const created = answer.mailboxes;
  if (Array.isArray(created) && created.length === items.length) return created as Native[];
  throw new MailError(
    'protocol',
    `Scaleway was asked for ${items.length} mailboxes and named ${Array.isArray(created) ? created.length : 'none'} ` +
      'in its answer; list the domain before you try again.',
  );
}
