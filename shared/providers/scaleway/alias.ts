import { choice, onWire, text } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Alias, type Native } from '../../vocabulary.js';
import { api } from './api.js';

const DOCS = 'https://www.scaleway.com/en/developers/api/mailbox/aliases';
const alias = text('Alias', {
  required: true,
  format: 'uuid',
  ref: 'alias',
  knownBy: 'email',
  help: 'The ID of the alias.',
});
const mailbox = text('Mailbox', {
  required: true,
  format: 'uuid',
  ref: 'mailbox',
  knownBy: 'email',
  help: 'The ID of the mailbox that receives the mail.',
});
const description = text('Description', { maxLength: 128, clearable: true });
const toAlias = (native: Native): Alias => ({
  id: idOf(native),
  email: idOf(native, 'email'),
  mailbox: idOf(native, 'mailbox_id'),
  ...(native.description ? { description: String(native.description) } : {}),
  native,
});
const filters = {
  mailbox: { ...mailbox, required: undefined, as: 'mailbox_id' },
  status: choice('Status', { provisioning: 'Provisioning', ready: 'Ready', deleting: 'Deleting' }),
  project_id: text('Project ID', { format: 'uuid' }),
  order_by: choice('Order By', {
    created_at_desc: 'Created, Newest First',
    created_at_asc: 'Created, Oldest First',
    updated_at_desc: 'Updated, Newest First',
    updated_at_asc: 'Updated, Oldest First',
    name_asc: 'Name, A to Z',
    name_desc: 'Name, Z to A',
  }),
};

export const aliases = {
  'alias.list': operation({
    summary: 'List aliases',
    effect: 'read',
    docs: DOCS,
    input: filters,
    // Pages of aliases end at 100, those of mailboxes and domains at 1000 (the vendor's reference of v1alpha1).
    run: (ctx, input) =>
      map(
        api(ctx).pages('/aliases', 'aliases', { order_by: 'created_at_asc', ...onWire(filters, input) }, 100),
        toAlias,
      ),
  }),
  'alias.get': operation({
    summary: 'Get an alias',
    effect: 'read',
    docs: DOCS,
    input: { alias },
    run: async (ctx, input) => toAlias(await api(ctx).get(path`/aliases/${input.alias}`)),
  }),
  'alias.create': operation({
    summary: 'Create an alias for a mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Create an alias for a mailbox'],
    doubt: 'The path moved in June 2026; whether the old one, which an account can choose, still answers is not known.',
    input: {
      mailbox,
      local_part: text('Local Part', {
        required: true,
        maxLength: 64,
        example: 'contact',
        help: 'The part before the @. The domain is that of the mailbox.',
      }),
      description,
    },
    run: async (ctx, { mailbox: mailbox_id, ...rest }) =>
      toAlias(
        ctx.account.oldAliasPath
          ? await api(ctx).post(path`/mailboxes/${mailbox_id}/aliases`, rest)
          : await api(ctx).post('/aliases', { mailbox_id, ...rest }),
      ),
  }),
  'alias.update': operation({
    summary: 'Change the description of an alias',
    effect: 'write',
    docs: DOCS,
    input: { alias, description },
    run: async (ctx, { alias: id, ...changes }) => toAlias(await api(ctx).patch(path`/aliases/${id}`, changes)),
  }),
  'alias.delete': operation({
    summary: 'Delete an alias',
    effect: 'destroy',
    docs: DOCS,
    input: { alias },
    run: async (ctx, input) => {
      const native = await api(ctx).delete(path`/aliases/${input.alias}`);
      return { id: idOf(native), native };
    },
  }),
} satisfies Operations;
