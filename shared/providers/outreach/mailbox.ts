import { attributesOf, parseResource, relatedId } from '../../codecs/jsonApi.js';
import { MailError } from '../../errors.js';
import { onWire, text } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Context, type Operations } from '../../provider.js';
import type { Mailbox, MailboxStatus, Native, Receipt } from '../../vocabulary.js';
import { api, DOCS as REFERENCE, id, wireId } from './api.js';
import { readable, writable } from './attributes.js';
import { collection } from './collection.js';

const DOCS = `${REFERENCE}Mailbox`;
const mailbox = id('Mailbox', { required: true, ref: 'mailbox', knownBy: 'email', help: 'The ID of the mailbox.' });
const user = id('User', { ref: 'user', knownBy: 'email', help: 'The user who owns the mailbox.' });

/** The common mailbox, the ids behind its relationships, and what the caller may do where that was asked for. */
export interface OutreachMailbox extends Mailbox {
  user?: string;
  creator?: string;
  updater?: string;
  canWrite?: boolean;
  canDelete?: boolean;
}

const words = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
/** A copy without the members that are undefined. */
const present = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;

/** The common part of the vendor's mailbox; `native` is its resource object as it came. */
export function toMailbox(native: Native): OutreachMailbox {
  const attributes = attributesOf(native);
  const meta = (native.meta ?? {}) as { canWrite?: boolean; canDelete?: boolean };
  return present({
    id: String(native.id),
    email: words(attributes.email),
    createdAt: words(attributes.createdAt),
    updatedAt: words(attributes.updatedAt),
    status: statusOf(attributes),
    user: relatedId(native, 'user') ?? (typeof attributes.userId === 'number' ? String(attributes.userId) : undefined),
    creator: relatedId(native, 'creator'),
    updater: relatedId(native, 'updater'),
    canWrite: meta.canWrite,
    canDelete: meta.canDelete,
    native,
  });
}

/**
 * Off when neither sending nor syncing is on; in error when either failed after it last worked; unknown when what
 * decides was not returned.
 */
function statusOf(attributes: Native): MailboxStatus {
  const failed = (what: 'send' | 'sync') => {
    const at = (name: string) => {
      const value = attributes[what + name];
      return typeof value === 'string' ? Date.parse(value) : undefined;
    };
    const error = at('ErroredAt');
    const success = at('SuccessAt');
    return error !== undefined && `${what}SuccessAt` in attributes && (success === undefined || error > success);
  };
  if (attributes.sendDisabled === true && attributes.syncDisabled === true) return 'disabled';
  if (failed('send') || failed('sync')) return 'error';
  const decisive = ['sendDisabled', 'syncDisabled', 'sendErroredAt', 'sendSuccessAt', 'syncErroredAt', 'syncSuccessAt'];
  return decisive.every(name => name in attributes) ? 'active' : 'unknown';
}

/** What the schema marks as filterable and sortable for mailboxes. */
export const mailboxCollection = collection({
  type: 'mailbox',
  readable,
  authorization: true,
  filters: {
    email: text('Email', { format: 'email', maxLength: 255, help: 'Only the mailbox with exactly this address.' }),
    user: { ...user, as: '[user][id]', help: 'Only the mailboxes of this user.' },
  },
  times: { createdAt: 'Created', updatedAt: 'Updated' },
  sorts: { email: 'Email', userId: 'User ID' },
});

const relationships = (owner: string | undefined) =>
  owner === undefined ? {} : { relationships: { user: { type: 'user', id: wireId(owner) } } };
const receipt = (of: string, native: Native = {}): Receipt => ({ id: of, native });
const act = async (ctx: Context, of: string, action: 'testSend' | 'testSync') =>
  toMailbox(parseResource(ctx, await api(ctx).act(path`/mailboxes/${of}/actions/${action}`)));
const link = async (ctx: Context, of: string, action: 'linkEwsMasterAccount' | 'unlinkEwsMasterAccount') => {
  await api(ctx).act(path`/mailboxes/${of}/actions/${action}`);
  return receipt(of);
};
const LINKING =
  "What must be so before, and the provider's words when it is not, are not published; " +
  'the action is thought to need the scope mailboxes.write.';

export const mailboxes = {
  'mailbox.list': operation({
    summary: 'List mailboxes',
    effect: 'read',
    docs: DOCS,
    orders: ['Get a Collection of Mailboxes'],
    doubt: 'The order without Sort, and the filter by several ids, are not documented for mailboxes.',
    input: mailboxCollection.input,
    run: (ctx, input) => map(api(ctx).pages('/mailboxes', mailboxCollection.parameters(input)), toMailbox),
  }),
  'mailbox.count': operation({
    summary: 'Count mailboxes',
    effect: 'read',
    docs: 'https://developers.outreach.io/api/making-requests',
    doubt: 'Under load the provider may answer 0 and say that the count was cut short; `truncated` is true then.',
    input: mailboxCollection.filters,
    async run(ctx, input) {
      const { meta } = await api(ctx).head('/mailboxes', { ...mailboxCollection.parameters(input), count: true });
      if (typeof meta.count !== 'number')
        throw new MailError('protocol', 'Outreach was asked for a count and gave none.');
      return { count: meta.count, truncated: meta.count_truncated === true, native: meta };
    },
  }),
  'mailbox.get': operation({
    summary: 'Get a mailbox',
    effect: 'read',
    docs: DOCS,
    orders: ['Get a Mailbox by ID'],
    input: { mailbox, ...mailboxCollection.one },
    run: async (ctx, input) =>
      toMailbox(await api(ctx).get(path`/mailboxes/${input.mailbox}`, mailboxCollection.shape(input))),
  }),
  'mailbox.create': operation({
    summary: 'Create a mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Create a New Mailbox'],
    doubt:
      "Which attributes are required, and who may create mailboxes, is not published; a user may have two mailboxes by the provider's policy.",
    input: { ...writable, email: { ...writable.email, required: true }, user },
    run: async (ctx, { user: owner, ...values }) =>
      toMailbox(
        await api(ctx).create('/mailboxes', 'mailbox', {
          attributes: onWire(writable, values),
          ...relationships(owner),
        }),
      ),
  }),
  'mailbox.update': operation({
    summary: 'Change a mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Update a Mailbox'],
    doubt:
      'The provider has no conditional writes: the last one wins. That null takes a text away is the general rule, not said of each attribute; ' +
      'numbers and flags cannot be taken away.',
    input: { mailbox, ...writable, user },
    async run(ctx, { mailbox: of, user: owner, ...values }) {
      const changes = onWire(writable, values);
      if (!Object.keys(changes).length && owner === undefined) {
        throw new MailError('invalid_input', 'There is nothing to change: give at least one attribute or a user.');
      }
      return toMailbox(
        await api(ctx).update(path`/mailboxes/${of}`, 'mailbox', of, { attributes: changes, ...relationships(owner) }),
      );
    },
  }),
  'mailbox.delete': operation({
    summary: 'Delete a mailbox',
    effect: 'destroy',
    docs: DOCS,
    orders: ['Delete an Existing Mailbox by ID'],
    doubt:
      "The provider's help says that drafted and scheduled mailings vanish and that sequences through the mailbox stop; " +
      'whether it refuses while in use is not published.',
    input: { mailbox },
    run: async (ctx, input) => {
      await api(ctx).delete(path`/mailboxes/${input.mailbox}`);
      return receipt(input.mailbox);
    },
  }),
  'mailbox.testSend': operation({
    summary: 'Test whether a mailbox can send',
    effect: 'write',
    docs: DOCS,
    orders: ['Test Send'],
    doubt:
      'Whether the provider tests before it answers is not published; compare sendSuccessAt and sendErroredAt of the answer.',
    input: { mailbox },
    run: (ctx, input) => act(ctx, input.mailbox, 'testSend'),
  }),
  'mailbox.testSync': operation({
    summary: 'Test whether a mailbox can sync',
    effect: 'write',
    docs: DOCS,
    orders: ['Test Sync'],
    doubt:
      'Whether the provider tests before it answers is not published; compare syncSuccessAt and syncErroredAt of the answer.',
    input: { mailbox },
    run: (ctx, input) => act(ctx, input.mailbox, 'testSync'),
  }),
  'mailbox.linkEwsMasterAccount': operation({
    summary: 'Link a mailbox with the EWS master account',
    effect: 'write',
    docs: DOCS,
    orders: ['Link Ews Master Account'],
    doubt: LINKING,
    input: { mailbox },
    run: (ctx, input) => link(ctx, input.mailbox, 'linkEwsMasterAccount'),
  }),
  'mailbox.unlinkEwsMasterAccount': operation({
    summary: 'Unlink a mailbox from the EWS master account',
    effect: 'write',
    docs: DOCS,
    orders: ['Unlink Ews Master Account'],
    doubt: LINKING,
    input: { mailbox },
    run: (ctx, input) => link(ctx, input.mailbox, 'unlinkEwsMasterAccount'),
  }),
} satisfies Operations;
