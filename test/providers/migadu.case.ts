import type { Client } from '../../shared/index.js';
import type { ProviderCase } from '../contract/case.js';
import { EMPTY_DOMAIN, MAIN_DOMAIN, startMigadu } from '../sandbox/migadu.js';

let made = 0;
const fresh = (what: string) => `${what}${++made}@${MAIN_DOMAIN}`;
const mailbox = `user001@${MAIN_DOMAIN}`;
const destinations = [`user002@${MAIN_DOMAIN}`];
const newMailbox = () => ({ mailbox: fresh('new'), name: 'New One', password: 'correct horse battery' });
const newAlias = () => ({ alias: fresh('sales'), destinations });
const newIdentity = () => ({ mailbox, identity: fresh('persona'), name: 'Persona', password: 'another long password' });
const newForwarding = () => ({ mailbox, forwarding: `copy${++made}@example.org` });
const newRewrite = () => ({
  domain: MAIN_DOMAIN,
  rewrite: `rule${++made}`,
  local_part_rule: `r${made}-*`,
  destinations,
});
/** Creates one, and gives the input that names it. */
const after =
  (operation: string, input: () => Record<string, unknown>, ...keys: string[]) =>
  async (client: Client) => {
    const given = input();
    await client.call(operation, given);
    return Object.fromEntries(keys.map(key => [key, given[key]]));
  };

export const migadu: ProviderCase = {
  id: 'migadu',
  start: () => startMigadu(),
  examples: {
    'account.check': () => ({}),
    'mailbox.list': () => ({ domain: MAIN_DOMAIN }),
    'mailbox.get': () => ({ mailbox }),
    'mailbox.create': newMailbox,
    'mailbox.update': () => ({
      mailbox: `user003@${MAIN_DOMAIN}`,
      name: 'Renamed',
      may_access_pop3: false,
      expires_on: '2027-01-31T00:00:00Z',
    }),
    'mailbox.delete': after('mailbox.create', newMailbox, 'mailbox'),
    'alias.list': () => ({ domain: MAIN_DOMAIN }),
    'alias.get': () => ({ alias: `alias001@${MAIN_DOMAIN}` }),
    'alias.create': newAlias,
    'alias.update': () => ({ alias: `alias002@${MAIN_DOMAIN}`, destinations: [mailbox, ...destinations] }),
    'alias.delete': after('alias.create', newAlias, 'alias'),
    'identity.list': () => ({ mailbox }),
    'identity.get': () => ({ mailbox, identity: `billing@${MAIN_DOMAIN}` }),
    'identity.create': newIdentity,
    'identity.update': () => ({
      mailbox,
      identity: `billing@${MAIN_DOMAIN}`,
      name: 'Accounts',
      password: 'a quite new password',
    }),
    'identity.delete': after('identity.create', newIdentity, 'mailbox', 'identity'),
    'forwarding.list': () => ({ mailbox }),
    'forwarding.get': () => ({ mailbox, forwarding: 'ann@example.org' }),
    'forwarding.create': newForwarding,
    'forwarding.update': () => ({ mailbox, forwarding: 'ann@example.org', is_active: false }),
    'forwarding.delete': after('forwarding.create', newForwarding, 'mailbox', 'forwarding'),
    'rewrite.list': () => ({ domain: MAIN_DOMAIN }),
    'rewrite.get': () => ({ domain: MAIN_DOMAIN, rewrite: 'demo' }),
    'rewrite.create': newRewrite,
    'rewrite.update': () => ({ domain: MAIN_DOMAIN, rewrite: 'demo', local_part_rule: 'try-*' }),
    'rewrite.delete': after('rewrite.create', newRewrite, 'domain', 'rewrite'),
    'domain.list': () => ({}),
    'domain.get': () => ({ domain: MAIN_DOMAIN }),
    'domain.create': () => ({ name: `d${++made}.example.com` }),
    'domain.update': () => ({ domain: EMPTY_DOMAIN, description: 'Nothing here yet' }),
    'domain.records': () => ({ domain: MAIN_DOMAIN }),
    'domain.diagnostics': () => ({ domain: MAIN_DOMAIN }),
    'domain.usage': () => ({ domain: MAIN_DOMAIN }),
  },
  unknown: {
    mailbox: `nobody@${MAIN_DOMAIN}`,
    alias: `nobody@${MAIN_DOMAIN}`,
    identity: `nobody@${MAIN_DOMAIN}`,
    forwarding: 'nobody@example.org',
    rewrite: 'nothing',
    domain: 'unknown.example.org',
  },
  // There are no pages; the list of every domain asks for one domain after the other.
  paged: [
    { operation: 'mailbox.list', size: 30 },
    { operation: 'alias.list', size: 30 },
  ],
  feeds: {},
};
