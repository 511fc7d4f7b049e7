import { attributesOf, relatedId } from '../../codecs/jsonApi.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import type { Alias, Native } from '../../vocabulary.js';
import { api, DOCS as REFERENCE, id } from './api.js';
import { collection } from './collection.js';

const DOCS = `${REFERENCE}Mail-Alias`;
const toAlias = (native: Native): Alias => {
  const mailbox = relatedId(native, 'mailbox');
  const { email } = attributesOf(native);
  return {
    id: String(native.id),
    email: typeof email === 'string' ? email : '',
    ...(mailbox === undefined ? {} : { mailbox }),
    native,
  };
};
const listed = collection({
  type: 'mailAlias',
  readable: {
    canSend: 'Can Send',
    createdAt: 'Created At',
    email: 'Email',
    emailHash: 'Email Hash',
    updatedAt: 'Updated At',
  },
  filters: {
    mailbox: id('Mailbox', {
      ref: 'mailbox',
      knownBy: 'email',
      as: '[mailbox][id]',
      help: 'Only the aliases of this mailbox.',
    }),
  },
  times: { createdAt: 'Created', updatedAt: 'Updated' },
});

/** The vendor's mail aliases, which it lets nobody change through its interface. */
export const aliases = {
  'alias.list': operation({
    summary: 'List aliases',
    effect: 'read',
    docs: DOCS,
    doubt:
      "Which scope reading needs is known from the provider's own list of scopes (mailAliases.read), not from this page.",
    input: listed.input,
    run: (ctx, input) => map(api(ctx).pages('/mailAliases', listed.parameters(input)), toAlias),
  }),
  'alias.get': operation({
    summary: 'Get an alias',
    effect: 'read',
    docs: DOCS,
    input: {
      alias: id('Alias', { required: true, ref: 'alias', knownBy: 'email', help: 'The ID of the alias.' }),
      ...listed.one,
    },
    run: async (ctx, input) => toAlias(await api(ctx).get(path`/mailAliases/${input.alias}`, listed.shape(input))),
  }),
} satisfies Operations;
