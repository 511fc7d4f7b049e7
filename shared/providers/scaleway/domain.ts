import { choice, list, onWire, text } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api } from './api.js';

const DOCS = 'https://www.scaleway.com/en/developers/api/mailbox/domains';
const domain = text('Domain', {
  required: true,
  format: 'uuid',
  ref: 'domain',
  knownBy: 'name',
  help: 'The ID of the domain.',
});
/** A mail domain; `id` is what the other operations take. */
export interface Domain {
  id: string;
  name: string;
  status: string;
  native: Native;
}
const toDomain = (native: Native): Domain => ({
  id: idOf(native),
  name: idOf(native, 'name'),
  status: String(native.status),
  native,
});
const filters = {
  statuses: list(
    'Statuses',
    choice('Status', {
      creating: 'Creating',
      waiting_validation: 'Waiting for Validation',
      validating: 'Validating',
      validation_failed: 'Validation Failed',
      provisioning: 'Provisioning',
      ready: 'Ready',
      deleting: 'Deleting',
    }),
  ),
  search: text('Search', { help: 'What it is compared with is not documented.' }),
  project_id: text('Project ID', { format: 'uuid' }),
  order_by: choice('Order By', {
    created_at_desc: 'Created, Newest First',
    created_at_asc: 'Created, Oldest First',
    updated_at_desc: 'Updated, Newest First',
    updated_at_asc: 'Updated, Oldest First',
    name_asc: 'Name, A to Z',
    name_desc: 'Name, Z to A',
    mailbox_total_count_desc: 'Most Mailboxes First',
    mailbox_total_count_asc: 'Fewest Mailboxes First',
  }),
};

export const domains = {
  'domain.list': operation({
    summary: 'List domains',
    effect: 'read',
    docs: DOCS,
    input: filters,
    run: (ctx, input) =>
      map(
        api(ctx).pages('/domains', 'domains', { order_by: 'created_at_asc', ...onWire(filters, input) }, 100, 1000),
        toDomain,
      ),
  }),
  'domain.get': operation({
    summary: 'Get a domain',
    effect: 'read',
    docs: DOCS,
    input: { domain },
    run: async (ctx, input) => toDomain(await api(ctx).get(path`/domains/${input.domain}`)),
  }),
  'domain.create': operation({
    summary: 'Register a domain',
    effect: 'write',
    docs: DOCS,
    input: {
      name: text('Name', { required: true, format: 'host', maxLength: 253, example: 'mail.example.com' }),
      project_id: text('Project ID', { required: true, format: 'uuid' }),
    },
    run: async (ctx, input) => toDomain(await api(ctx).post('/domains', input)),
  }),
  'domain.delete': operation({
    summary: 'Delete a domain',
    effect: 'destroy',
    docs: DOCS,
    doubt: 'Mailboxes still scheduled for deletion block it; the error the provider then gives is not documented.',
    input: { domain },
    run: async (ctx, input) => {
      const native = await api(ctx).delete(path`/domains/${input.domain}`);
      return { id: idOf(native), native };
    },
  }),
  'domain.records': operation({
    summary: 'Get the DNS records a domain needs, and their states',
    effect: 'read',
    plain: true,
    docs: DOCS,
    input: { domain },
    run: (ctx, input) => api(ctx).get(path`/domains/${input.domain}/records`),
  }),
  'domain.validate': operation({
    summary: 'Check the DNS records of a domain',
    effect: 'write',
    docs: DOCS,
    input: { domain },
    run: async (ctx, input) => ({
      id: input.domain,
      outcome: 'queued' as const,
      native: await api(ctx).post(path`/domains/${input.domain}/validate-records`),
    }),
  }),
} satisfies Operations;
