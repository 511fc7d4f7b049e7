import { list, onWire, text } from '../../fields.js';
import { map } from '../../pages.js';
import { path } from '../../url.js';
import { operation, type Context, type Operations } from '../../provider.js';
import type { Alias, Native } from '../../vocabulary.js';
import { api, needed, readBack, unwrapped } from './api.js';
import { alias, domain, oneFilter, parts, search, servicePath, wiki } from './target.js';

// The wiki's own title for this page has no underscore before the bracket.
const DOCS = wiki('Rackspace_Alias').replace('_(', '(');
const GET_DOUBT = 'The wiki prints another path, below a mailbox; the one that clients use is taken.';
const filters = search('name');
const aliasPath = (address: string) =>
  servicePath(parts(address).domain, 'rackspace') + path`/aliases/${parts(address).name}`;
const email = text('Member', {
  required: true,
  format: 'email',
  example: 'alex.smith@example.com',
  help: 'An address that receives the mail of the alias.',
});
const members = {
  aliasEmails: list('Members', text('Member', { format: 'email' }), {
    required: true,
    minItems: 1,
    maxItems: 54,
    wire: (addresses: string[]) => addresses.join(','),
    help: 'The addresses that receive the mail: at most 50 of your domains and 4 outside.',
  }),
};

/** `mailbox` is set where the alias has one member; the index names members only then. */
function toAlias(ctx: Context, native: Native, place: string): Alias {
  const address = `${needed(ctx, native, 'name')}@${place}`;
  const shown = unwrapped(native.emailAddressList);
  const only = native.singleMemberName || (shown.length === 1 ? shown[0] : undefined);
  return { id: address, email: address, ...(typeof only === 'string' ? { mailbox: only } : {}), native };
}
const show = async (ctx: Context, address: string) =>
  toAlias(ctx, await api(ctx).get(aliasPath(address)), parts(address).domain);
const unread =
  (address: string) =>
  (note: string): Alias => ({ id: address, email: address, native: { note } });

/** Rackspace Email aliases: one address that goes to several. */
export const aliases = {
  'alias.list': operation({
    summary: 'List the Rackspace Email aliases of a domain',
    effect: 'read',
    docs: DOCS,
    doubt: 'The documented index has no paging numbers, answers seen have; both are read.',
    input: { domain, ...filters },
    run(ctx, { domain: place, ...input }) {
      oneFilter(input);
      return map(
        api(ctx).list(`${servicePath(place, 'rackspace')}/aliases`, { filters: input, envelope: 'optional' }),
        native => toAlias(ctx, native, place),
      );
    },
  }),
  'alias.get': operation({
    summary: 'Get an alias with its members',
    effect: 'read',
    docs: DOCS,
    doubt: GET_DOUBT,
    input: { alias },
    run: (ctx, input) => show(ctx, input.alias),
  }),
  'alias.create': operation({
    summary: 'Create an alias',
    effect: 'write',
    docs: DOCS,
    input: { alias: { ...alias, ref: undefined, help: 'The address of the new alias.' }, ...members },
    async run(ctx, { alias: address, ...input }) {
      await api(ctx).write('POST', aliasPath(address), onWire(members, input));
      return readBack(() => show(ctx, address), unread(address));
    },
  }),
  'alias.update': operation({
    summary: 'Replace the members of an alias',
    effect: 'write',
    consequence: 'Replaces all members of the alias.',
    docs: DOCS,
    input: { alias, ...members },
    async run(ctx, { alias: address, ...input }) {
      await api(ctx).write('PUT', aliasPath(address), onWire(members, input));
      return readBack(() => show(ctx, address), unread(address));
    },
  }),
  'alias.delete': operation({
    summary: 'Delete an alias',
    effect: 'destroy',
    docs: DOCS,
    input: { alias },
    async run(ctx, input) {
      await api(ctx).write('DELETE', aliasPath(input.alias));
      return { id: input.alias, native: {} };
    },
  }),
  'alias.addMember': operation({
    summary: 'Add a member to an alias',
    effect: 'write',
    docs: DOCS,
    doubt: "Known from clients, not from the provider's documents.",
    input: { alias, email },
    async run(ctx, input) {
      await api(ctx).write('POST', aliasPath(input.alias) + path`/${input.email}`);
      return { id: input.email, native: {} };
    },
  }),
  'alias.removeMember': operation({
    summary: 'Remove a member from an alias',
    effect: 'destroy',
    docs: DOCS,
    doubt: "Known from clients, not from the provider's documents.",
    input: { alias, email },
    async run(ctx, input) {
      await api(ctx).write('DELETE', aliasPath(input.alias) + path`/${input.email}`);
      return { id: input.email, native: {} };
    },
  }),
} satisfies Operations;
