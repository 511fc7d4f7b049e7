import { flag, list, onWire, text } from '../../fields.js';
import { invalidField, MailError } from '../../errors.js';
import { map } from '../../pages.js';
import { operation, type Context, type Operations } from '../../provider.js';
import type { Native } from '../../vocabulary.js';
import { path, query } from '../../url.js';
import { api, needed, unwrapped } from './api.js';
import { domain, domainPath, oneFilter, search, wiki } from './target.js';

const DOCS = wiki('Domain');
/** A mail domain; its name is its id. */
export interface Domain {
  id: string;
  name: string;
  native: Native;
}
const toDomain = (ctx: Context, native: Native): Domain => {
  const name = needed(ctx, native, 'name');
  return { id: name, name, native };
};
/** An account below a reseller's; its account number is its id. */
export interface Customer {
  id: string;
  name: string;
  native: Native;
}
const toCustomer = (ctx: Context, native: Native): Customer => ({
  id: needed(ctx, native, 'accountNumber'),
  name: needed(ctx, native, 'name'),
  native,
});
const filters = {
  ...search('name'),
  domainNames: list('Domain Names', text('Domain Name', { format: 'host' }), {
    maxItems: 100,
    wire: (names: string[]) => names.join(','),
    help: 'Only these, at most 100.',
  }),
};

/** Domains and, for resellers, customers; read only, because the vendor lets only resellers change them. */
export const domains = {
  'domain.list': operation({
    summary: 'List domains',
    effect: 'read',
    docs: DOCS,
    input: {
      ...filters,
      allCustomers: flag('All Customers', { help: 'Whether to list the domains of sub-accounts too, for resellers.' }),
    },
    run(ctx, { allCustomers, ...input }) {
      oneFilter(input);
      const whose = allCustomers ? { customer: '/customers/all' } : {};
      return map(api(ctx).list('/domains', { filters: onWire(filters, input), ...whose }), native =>
        toDomain(ctx, native),
      );
    },
  }),
  'domain.get': operation({
    summary: 'Get a domain with its quotas, licenses and alias names',
    effect: 'read',
    docs: DOCS,
    input: { domain },
    run: async (ctx, input) => toDomain(ctx, await api(ctx).get(domainPath(input.domain))),
  }),
  'customer.list': operation({
    summary: 'List the customers of a reseller',
    effect: 'read',
    docs: wiki('Customer'),
    doubt: 'Filters other than the reference number are not documented here, and none are offered.',
    input: {},
    run: ctx => map(api(ctx).list('/customers', { customer: '' }), native => toCustomer(ctx, native)),
  }),
  'customer.get': operation({
    summary: 'Get a customer of a reseller, by account number or reference number',
    effect: 'read',
    docs: wiki('Customer'),
    doubt:
      "The provider's page shows a customer by its reference number; the path by account number follows those of its domains.",
    input: {
      customer: text('Customer', {
        ref: 'customer',
        pattern: '^(?:\\d+|me)$',
        example: '12345678',
        help: 'The account number. Not together with Reference Number.',
      }),
      referenceNumber: text('Reference Number', {
        help: 'The number the reseller gave to the customer. Not together with Customer.',
      }),
    },
    async run(ctx, { customer, referenceNumber }) {
      if ((customer === undefined) === (referenceNumber === undefined))
        throw invalidField('customer', 'Give either Customer or Reference Number.');
      const answer = await api(ctx).get(
        customer === undefined ? `/customers${query({ referenceNumber })}` : path`/customers/${customer}`,
        '',
      );
      const [one] = 'customers' in answer ? (unwrapped(answer.customers) as Native[]) : [answer];
      if (!one) throw new MailError('not_found', `There is no customer with the reference number ${referenceNumber}.`);
      return toCustomer(ctx, one);
    },
  }),
} satisfies Operations;
