import { flag, onWire, text } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Alias, type Native } from '../../vocabulary.js';
import { api } from './api.js';
import { addressPath, day, destinations, DOCS, domainPath, onlyDomain, parts } from './target.js';

const alias = text('Alias', {
  required: true,
  format: 'email',
  ref: 'alias',
  example: 'sales@example.com',
  help: 'The email address of the alias.',
});
const settings = {
  is_internal: flag('Internal Only', { help: 'Whether it takes mail from Migadu’s own servers alone.' }),
  expires_on: day('Expires On', 'The day on which the alias ends, in UTC.'),
  remove_upon_expiry: flag('Remove When Expired', { help: 'Whether the alias is removed on that day.' }),
};
const body = {
  destinations: {
    ...destinations,
    help: 'The addresses that receive the mail. They have to be in the domain of the alias.',
  },
  ...settings,
};

/**
 * `mailbox` is set where the alias has one destination. The vendor's clients send lists and get lists; its page allows
 * a text with commas too.
 */
const toAlias = (native: Native): Alias => {
  const address = idOf(native, 'address');
  const to = typeof native.destinations === 'string' ? native.destinations.split(',') : native.destinations;
  return {
    id: address,
    email: address,
    ...(Array.isArray(to) && to.length === 1 && typeof to[0] === 'string' ? { mailbox: to[0] } : {}),
    native,
  };
};

/** Aliases: one address that goes to several of the same domain. */
export const aliases = {
  'alias.list': operation({
    summary: 'List aliases',
    effect: 'read',
    docs: DOCS,
    doubt: 'The list stands under address_aliases in the provider’s answers; the name aliases is read as well.',
    input: { domain: onlyDomain },
    run: (ctx, input) => map(api(ctx).ofDomains(input.domain, 'aliases', 'address_aliases', 'aliases'), toAlias),
  }),
  'alias.get': operation({
    summary: 'Get an alias',
    effect: 'read',
    docs: DOCS,
    input: { alias },
    run: async (ctx, input) => toAlias(await api(ctx).get(addressPath('aliases', input.alias))),
  }),
  'alias.create': operation({
    summary: 'Create an alias',
    effect: 'write',
    docs: DOCS,
    input: {
      alias: { ...alias, ref: undefined, help: 'The address of the new alias, in a domain of the account.' },
      ...body,
    },
    async run(ctx, { alias: address, ...input }) {
      const { name: local_part, domain: place } = parts(address);
      return toAlias(
        await api(ctx).create(
          `${domainPath(place)}/aliases`,
          { local_part, ...onWire(body, input) },
          addressPath('aliases', address),
        ),
      );
    },
  }),
  'alias.update': operation({
    summary: 'Replace the destinations of an alias',
    effect: 'write',
    consequence: 'Replaces all destinations of the alias.',
    docs: DOCS,
    input: { alias, ...body },
    run: async (ctx, { alias: address, ...input }) =>
      toAlias(await api(ctx).put(addressPath('aliases', address), onWire(body, input))),
  }),
  'alias.delete': operation({
    summary: 'Delete an alias',
    effect: 'destroy',
    docs: DOCS,
    input: { alias },
    run: (ctx, input) => api(ctx).delete(addressPath('aliases', input.alias), input.alias),
  }),
} satisfies Operations;
