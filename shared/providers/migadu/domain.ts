import { something } from '../../errors.js';
import { flag, text } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api } from './api.js';
import { DOCS, domain, domainPath } from './target.js';

/** A mail domain; its name is its id. `status` is the vendor's own word, such as `active`. */
export interface Domain {
  id: string;
  name: string;
  status: string;
  native: Native;
}
const toDomain = (native: Native): Domain => {
  const name = idOf(native, 'name');
  return { id: name, name, status: String(native.state ?? 'unknown'), native };
};

/** Domains. The vendor offers no deletion here. */
export const domains = {
  'domain.list': operation({
    summary: 'List domains',
    effect: 'read',
    docs: DOCS,
    input: {},
    run: ctx => map(api(ctx).list('/domains', 'domains'), toDomain),
  }),
  'domain.get': operation({
    summary: 'Get a domain',
    effect: 'read',
    docs: DOCS,
    input: { domain },
    run: async (ctx, input) => toDomain(await api(ctx).get(domainPath(input.domain))),
  }),
  'domain.create': operation({
    summary: 'Add a domain',
    effect: 'write',
    docs: DOCS,
    doubt:
      'The domain works once its DNS records are right and it was activated, which is done in the administration pages: the call that activates ' +
      'it is a GET, which anything on the way may repeat.',
    input: {
      name: text('Name', { required: true, format: 'host', maxLength: 253, example: 'example.com' }),
      create_default_addresses: flag('Default Addresses', {
        default: true,
        help: 'Whether addresses such as postmaster are created with it.',
      }),
      hosted_dns: flag('Hosted DNS', { default: false, help: 'Whether the provider serves the DNS of the domain.' }),
    },
    run: async (ctx, { name, ...input }) =>
      toDomain(await api(ctx).create('/domains', { name, ...input }, domainPath(name))),
  }),
  'domain.update': operation({
    summary: 'Change the description or the tags of a domain',
    effect: 'write',
    docs: DOCS,
    doubt: 'How several tags are parted in their one text is not documented.',
    input: { domain, description: text('Description', { clearable: true }), tags: text('Tags', { clearable: true }) },
    async run(ctx, { domain: name, ...changes }) {
      something(changes);
      return toDomain(await api(ctx).patch(domainPath(name), changes));
    },
  }),
  'domain.records': operation({
    summary: 'Get the DNS records a domain needs',
    effect: 'read',
    plain: true,
    docs: DOCS,
    input: { domain },
    run: (ctx, input) => api(ctx).get(`${domainPath(input.domain)}/records`),
  }),
  'domain.diagnostics': operation({
    summary: 'Check the DNS records of a domain',
    effect: 'read',
    plain: true,
    docs: DOCS,
    doubt: 'What the answer looks like is not documented; it is given as it comes.',
    input: { domain },
    run: (ctx, input) => api(ctx).get(`${domainPath(input.domain)}/diagnostics`),
  }),
  'domain.usage': operation({
    summary: 'Get how much a domain sends, receives and stores',
    effect: 'read',
    plain: true,
    docs: DOCS,
    doubt: 'The units are not documented.',
    input: { domain },
    run: (ctx, input) => api(ctx).get(`${domainPath(input.domain)}/usage`),
  }),
} satisfies Operations;
