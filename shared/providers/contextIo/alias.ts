import { MailError } from '../../errors.js';
import { text } from '../../fields.js';
import { path } from '../../url.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Alias, type Native } from '../../vocabulary.js';
import { api, named } from './api.js';
import { mailbox } from './fields.js';
import { addressesOf } from './mailbox.js';

const DOCS = 'https://context.io/docs/2.0/accounts/email_addresses';
const alias = text('Alias', { required: true, format: 'email', ref: 'alias', help: 'The address itself.' });
const toAlias = (native: Native, account: string): Alias => {
  const email = idOf(native, 'email');
  return {
    id: email,
    email,
    mailbox: account,
    ...(Number(native.primary) === 1 ? { description: 'Primary address' } : {}),
    native,
  };
};

export const aliases = {
  'alias.list': operation({
    summary: 'List the addresses of an account, or of all accounts',
    effect: 'read',
    docs: DOCS,
    input: {
      mailbox: {
        ...mailbox,
        required: undefined,
        help: 'The ID of the account. Left empty, all accounts are listed, with fewer details.',
      },
    },
    async *run(ctx, input) {
      if (input.mailbox === undefined) {
        for await (const account of api(ctx).pages('/accounts', {}, one => idOf(one))) {
          for (const email of addressesOf(account)) yield toAlias({ email }, idOf(account));
        }
        return;
      }
      for (const native of await api(ctx).list(path`/accounts/${input.mailbox}/email_addresses`))
        yield toAlias(native as Native, input.mailbox);
    },
  }),
  'alias.get': operation({
    summary: 'Get an address of an account',
    effect: 'read',
    docs: DOCS,
    doubt:
      'Early servers have no request for a single address, so it is looked for in the list, which is never long and answers the same.',
    input: { mailbox, alias },
    async run(ctx, input) {
      const all = (await api(ctx).list(path`/accounts/${input.mailbox}/email_addresses`)).map(native =>
        toAlias(native as Native, input.mailbox),
      );
      const found = all.find(one => one.email.toLowerCase() === input.alias.toLowerCase());
      if (found) return found;
      throw new MailError('not_found', `The account ${input.mailbox} has no address ${input.alias}.`);
    },
  }),
  'alias.create': operation({
    summary: 'Add an address to an account',
    effect: 'write',
    docs: DOCS,
    input: {
      mailbox,
      email_address: text('Email Address', {
        required: true,
        format: 'email',
        help: 'An address under which the owner writes or is written to.',
      }),
    },
    async run(ctx, { mailbox: account, email_address }) {
      const native = await api(ctx).write('POST', path`/accounts/${account}/email_addresses`, {
        form: { email_address },
      });
      const email = named(ctx, native, 'email_address');
      return { id: email, email, mailbox: account, native };
    },
  }),
  'alias.setPrimary': operation({
    summary: 'Make an address the primary one of its account',
    effect: 'write',
    docs: DOCS,
    input: { mailbox, alias },
    run: async (ctx, input) => ({
      id: input.alias,
      native: await api(ctx).write('POST', path`/accounts/${input.mailbox}/email_addresses/${input.alias}`, {
        form: { primary: 1 },
      }),
    }),
  }),
  'alias.delete': operation({
    summary: 'Remove an address from an account',
    effect: 'destroy',
    docs: DOCS,
    input: { mailbox, alias },
    run: async (ctx, input) => ({
      id: input.alias,
      native: await api(ctx).write('DELETE', path`/accounts/${input.mailbox}/email_addresses/${input.alias}`),
    }),
  }),
} satisfies Operations;
