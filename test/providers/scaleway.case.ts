import type { Client, Mailbox, Alias } from '../../shared/index.js';
import type { ProviderCase } from '../contract/case.js';
import { EMPTY_DOMAIN, MAIN_DOMAIN, PROJECT, seededId, startScaleway, WAITING_DOMAIN } from '../sandbox/scaleway.js';
import type { Vendor } from '../sandbox/vendor.js';

const domain_id = seededId(MAIN_DOMAIN);
let made = 0;
const fresh = (what: string) => `${what}${++made}`;

const newMailbox = () => ({
  domain_id,
  local_part: fresh('new'),
  password: 'correct horse battery',
  subscription_period: 'monthly',
});
/** A mailbox that is paid and ready. */
const ready = async (client: Client, vendor: Vendor): Promise<Mailbox> => {
  const created = await client.call('mailbox.create', newMailbox());
  vendor.advance(120_000);
  return created;
};
const newAlias = async (client: Client, vendor: Vendor): Promise<Alias> => {
  const created = await client.call('alias.create', {
    mailbox: seededId('user002'),
    local_part: fresh('contact'),
    description: 'Made for a test',
  });
  vendor.advance(10_000);
  return created;
};
const newDomain = async (client: Client, vendor: Vendor) => {
  const created = (await client.call('domain.create', { name: `${fresh('d')}.example.com`, project_id: PROJECT })) as {
    id: string;
  };
  vendor.advance(5_000);
  return created;
};

export const scaleway: ProviderCase = {
  id: 'scaleway',
  start: () => startScaleway({ domains: 120 }),
  examples: {
    'account.check': () => ({}),
    'mailbox.list': () => ({ domain_id, statuses: ['ready', 'locked'] }),
    'mailbox.get': () => ({ mailbox: seededId('user001') }),
    'mailbox.create': newMailbox,
    'mailbox.createMany': () => ({
      domain_id,
      subscription_period: 'yearly',
      local_parts: [fresh('many'), fresh('many')],
      passwords: ['first long password', 'second long password'],
    }),
    'mailbox.update': () => ({
      mailbox: seededId('user002'),
      subscription_period: 'yearly',
      new_password: 'a quite new password',
    }),
    'mailbox.delete': async (client, vendor) => ({ mailbox: (await ready(client, vendor)).id }),
    'mailbox.restore': async (client, vendor) => {
      const { id } = await ready(client, vendor);
      await client.call('mailbox.delete', { mailbox: id });
      return { mailbox: id };
    },
    'alias.list': () => ({ status: 'ready' }),
    'alias.get': () => ({ alias: seededId('alias001') }),
    'alias.create': () => ({ mailbox: seededId('user001'), local_part: fresh('press'), description: 'Press office' }),
    'alias.update': () => ({ alias: seededId('alias002'), description: 'Changed' }),
    'alias.delete': async (client, vendor) => ({ alias: (await newAlias(client, vendor)).id }),
    'domain.list': () => ({ statuses: ['ready', 'waiting_validation'] }),
    'domain.get': () => ({ domain: domain_id }),
    'domain.create': () => ({ name: `${fresh('d')}.example.com`, project_id: PROJECT }),
    'domain.delete': async (client, vendor) => ({ domain: (await newDomain(client, vendor)).id }),
    'domain.records': () => ({ domain: seededId(EMPTY_DOMAIN) }),
    'domain.validate': (_client, vendor) => {
      vendor.advance(10_000);
      return { domain: seededId(WAITING_DOMAIN) };
    },
  },
  unknown: {
    mailbox: '00000000-0000-4000-8000-00000000dead',
    alias: '00000000-0000-4000-8000-00000000dead',
    domain: '00000000-0000-4000-8000-00000000dead',
    domain_id: '00000000-0000-4000-8000-00000000dead',
  },
  paged: [
    { operation: 'mailbox.list', size: 100 },
    { operation: 'alias.list', size: 100 },
    { operation: 'domain.list', size: 100 },
  ],
  feeds: {
    mailboxChanged: {
      input: { domain_id },
      happen: async client => (await client.call('mailbox.create', newMailbox())).id,
    },
  },
  settle: vendor => {
    vendor.advance(15 * 60_000);
  },
  throttleWait: 1,
};
