import { something } from '../../errors.js';
import { onWire, text } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { path } from '../../url.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api } from './api.js';
import { addressPath, DOCS, footer, mailbox, nameBeside, rights } from './target.js';

const identity = text('Identity', {
  required: true,
  format: 'email',
  ref: 'identity',
  example: 'billing@example.com',
  help: 'The email address of the identity.',
});
/** A further address of a mailbox to send from, with rights and a password of its own. */
export interface Identity {
  id: string;
  email: string;
  name?: string;
  native: Native;
}
const toIdentity = (native: Native): Identity => {
  const address = idOf(native, 'address');
  return {
    id: address,
    email: address,
    ...(typeof native.name === 'string' && native.name ? { name: native.name } : {}),
    native,
  };
};
const name = text('Name', { example: 'Billing', help: 'The name that stands before the address in what is sent.' });
const password = text('Password', {
  secret: true,
  minLength: 8,
  help: 'With it the identity can sign in. It is never shown again.',
});
const changes = { name, password, ...rights, ...footer };
const below = (of: string) => `${addressPath('mailboxes', of)}/identities`;
const one = (of: string, address: string) => below(of) + path`/${nameBeside(address, of, 'identity')}`;
/**
 * A password counts only together with `password_use`; alone it is taken and forgotten (github.com/spbkaizo/migadu, 11
 * September 2026).
 */
const bodyOf = (input: Readonly<Record<string, unknown>>) => ({
  ...onWire(changes, input),
  ...(input.password === undefined ? {} : { password_use: 'custom' }),
});
const PASSWORD_DOUBT =
  'That a password is kept only with password_use: custom is not documented; it is sent so, as other programs do.';

export const identities = {
  'identity.list': operation({
    summary: 'List the identities of a mailbox',
    effect: 'read',
    docs: DOCS,
    input: { mailbox },
    run: (ctx, input) => map(api(ctx).list(below(input.mailbox), 'identities'), toIdentity),
  }),
  'identity.get': operation({
    summary: 'Get an identity',
    effect: 'read',
    docs: DOCS,
    input: { mailbox, identity },
    run: async (ctx, input) => toIdentity(await api(ctx).get(one(input.mailbox, input.identity))),
  }),
  'identity.create': operation({
    summary: 'Create an identity for a mailbox',
    effect: 'write',
    docs: DOCS,
    doubt: PASSWORD_DOUBT,
    input: {
      mailbox,
      identity: { ...identity, ref: undefined, help: 'The address of the new identity, in the domain of the mailbox.' },
      ...changes,
      name: { ...name, required: true },
    },
    async run(ctx, { mailbox: of, identity: address, ...input }) {
      const made = one(of, address);
      const local_part = nameBeside(address, of, 'identity');
      return toIdentity(await api(ctx).create(below(of), { local_part, ...bodyOf(input) }, made));
    },
  }),
  'identity.update': operation({
    summary: 'Change an identity',
    effect: 'write',
    docs: DOCS,
    doubt: PASSWORD_DOUBT,
    input: { mailbox, identity, ...changes },
    async run(ctx, { mailbox: of, identity: address, ...input }) {
      something(input);
      return toIdentity(await api(ctx).put(one(of, address), bodyOf(input)));
    },
  }),
  'identity.delete': operation({
    summary: 'Delete an identity',
    effect: 'destroy',
    docs: DOCS,
    input: { mailbox, identity },
    run: (ctx, input) => api(ctx).delete(one(input.mailbox, input.identity), input.identity),
  }),
} satisfies Operations;
