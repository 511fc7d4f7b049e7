import { something } from '../../errors.js';
import { flag, onWire, text } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { path } from '../../url.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api } from './api.js';
import { addressPath, day, DOCS, mailbox } from './target.js';

const forwarding = text('Forwarding', {
  required: true,
  format: 'email',
  ref: 'forwarding',
  example: 'ann@example.net',
  help: 'The address elsewhere that gets a copy of each message.',
});
/** An address elsewhere that gets a copy of a mailbox's mail; it works once its owner has confirmed. */
export interface Forwarding {
  id: string;
  email: string;
  confirmed: boolean;
  native: Native;
}
const toForwarding = (native: Native): Forwarding => {
  const address = idOf(native, 'address');
  return { id: address, email: address, confirmed: Boolean(native.confirmed_at), native };
};
const settings = {
  expires_on: day('Expires On', 'The day on which it ends, in UTC.'),
  remove_upon_expiry: flag('Remove When Expired', { help: 'Whether it is removed on that day.' }),
};
const changes = { is_active: flag('Active', { help: 'Whether copies are sent.' }), ...settings };
const below = (of: string) => `${addressPath('mailboxes', of)}/forwardings`;
const one = (of: string, address: string) => below(of) + path`/${address}`;

export const forwardings = {
  'forwarding.list': operation({
    summary: 'List the forwardings of a mailbox',
    effect: 'read',
    docs: DOCS,
    input: { mailbox },
    run: (ctx, input) => map(api(ctx).list(below(input.mailbox), 'forwardings'), toForwarding),
  }),
  'forwarding.get': operation({
    summary: 'Get a forwarding',
    effect: 'read',
    docs: DOCS,
    input: { mailbox, forwarding },
    run: async (ctx, input) => toForwarding(await api(ctx).get(one(input.mailbox, input.forwarding))),
  }),
  'forwarding.create': operation({
    summary: 'Forward a mailbox to an address elsewhere',
    effect: 'write',
    docs: DOCS,
    consequence: 'The provider writes to the address. Mail is forwarded once its owner has confirmed.',
    input: { mailbox, forwarding: { ...forwarding, ref: undefined }, ...settings },
    async run(ctx, { mailbox: of, forwarding: address, ...input }) {
      return toForwarding(await api(ctx).create(below(of), { address, ...onWire(settings, input) }, one(of, address)));
    },
  }),
  'forwarding.update': operation({
    summary: 'Change a forwarding',
    effect: 'write',
    docs: DOCS,
    input: { mailbox, forwarding, ...changes },
    async run(ctx, { mailbox: of, forwarding: address, ...input }) {
      something(input);
      return toForwarding(await api(ctx).put(one(of, address), onWire(changes, input)));
    },
  }),
  'forwarding.delete': operation({
    summary: 'End a forwarding',
    effect: 'destroy',
    docs: DOCS,
    input: { mailbox, forwarding },
    run: (ctx, input) => api(ctx).delete(one(input.mailbox, input.forwarding), input.forwarding),
  }),
} satisfies Operations;
