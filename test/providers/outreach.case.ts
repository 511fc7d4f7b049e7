import { tokenKeeper, type OAuth2Tokens } from '../../shared/index.js';
import { outreach as provider } from '../../shared/providers/outreach/index.js';
import type { Client, Mailbox } from '../../shared/index.js';
import type { ProviderCase } from '../contract/case.js';
import { startOutreach, type OutreachVendor } from '../sandbox/outreach.js';
import type { Vendor } from '../sandbox/vendor.js';

type Token = (renew?: boolean, refused?: string) => Promise<string>;
const keepers = new WeakMap<Vendor, Token>();

/**
 * The token function of a host that keeps tokens itself, starting from those in `vendor.account`; one per vendor, as
 * its tokens rotate.
 */
export function tokenFor(vendor: Vendor): Token {
  const found = keepers.get(vendor);
  if (found) return found;
  const { clientId, clientSecret, redirectUri, accessToken, refreshToken } = vendor.account as Record<string, string>;
  let stored: OAuth2Tokens = { accessToken: accessToken!, refreshToken: refreshToken!, obtainedAt: Date.now() };
  const keeper = tokenKeeper({
    provider,
    account: vendor.account,
    app: { clientId: clientId!, clientSecret: clientSecret!, redirectUri: redirectUri! },
    load: async () => stored,
    save: async tokens => {
      stored = tokens;
    },
  });
  keepers.set(vendor, keeper);
  return keeper;
}

let serial = 0;
const fresh = () => `new${++serial}@acme.test`;
const made = async (client: Client): Promise<string> =>
  (await client.call('mailbox.create', { email: fresh(), user: '2' })).id;
const linked = (vendor: Vendor, yes: boolean) => {
  (vendor as OutreachVendor).rows.mailboxes.get(3)!.hidden.linked = yes;
  return { mailbox: '3' };
};
const hook = async (client: Client): Promise<string> =>
  (
    (await client.call('webhook.create', {
      url: `https://hooks.acme.test/${++serial}`,
      eventResource: 'mailing',
      eventAction: 'bounced',
    })) as { id: string }
  ).id;

export const outreach: ProviderCase = {
  id: 'outreach',
  // Without the minute between grants, which would make every test with a renewal wait for the one before.
  start: () => startOutreach({ grantSpacing: false }),
  token: tokenFor,
  examples: {
    'account.check': () => ({}),
    'rateLimit.get': () => ({}),
    'mailbox.list': () => ({}),
    'mailbox.count': () => ({}),
    'mailbox.get': () => ({ mailbox: '1' }),
    'mailbox.create': () => ({
      email: fresh(),
      user: '2',
      password: 's3cret-word',
      sendMethod: 'smtp',
      smtpHost: 'smtp.acme.test',
      smtpPort: 587,
      smtpSsl: true,
      validateSend: true,
    }),
    'mailbox.update': async client => ({
      mailbox: await made(client),
      maxMailingsPerDay: 250,
      sendDisabled: true,
      emailSignature: '',
    }),
    'mailbox.delete': async client => ({ mailbox: await made(client) }),
    'mailbox.testSend': () => ({ mailbox: '1' }),
    'mailbox.testSync': () => ({ mailbox: '1' }),
    'mailbox.linkEwsMasterAccount': (_, vendor) => linked(vendor, false),
    'mailbox.unlinkEwsMasterAccount': (_, vendor) => linked(vendor, true),
    'alias.list': () => ({}),
    'alias.get': () => ({ alias: '1' }),
    'spamPattern.list': () => ({ mailbox: '1' }),
    'spamPattern.add': () => ({ mailbox: '1', pattern: `*@spam${++serial}.test` }),
    'spamPattern.remove': async client => {
      const pattern = `*@spam${++serial}.test`;
      await client.call('spamPattern.add', { mailbox: '1', pattern });
      return { mailbox: '1', pattern };
    },
    'mailing.list': () => ({}),
    'mailing.get': () => ({ mailing: '1' }),
    'user.list': () => ({}),
    'user.get': () => ({ user: '1' }),
    'webhook.list': () => ({}),
    'webhook.get': () => ({ webhook: '1' }),
    'webhook.create': () => ({
      url: 'https://hooks.acme.test/in',
      eventResource: 'mailing',
      eventAction: 'bounced',
      secret: 'hook-secret',
      payloadVersion: '2',
    }),
    'webhook.update': async client => ({ webhook: await hook(client), active: false }),
    'webhook.delete': async client => ({ webhook: await hook(client) }),
    'webhook.verify': () => ({ body: '{}', signature: '0'.repeat(64), secret: 'hook-secret' }),
  },
  // The sandbox's hour ends in half an hour, told as epoch seconds.
  throttleWait: 1800,
  unknown: { mailbox: '999999', alias: '999999', mailing: '999999', user: '999999', webhook: '999999' },
  paged: [
    { operation: 'mailbox.list', size: 100 },
    { operation: 'alias.list', size: 100 },
    { operation: 'alias.list', input: { mailbox: '1' }, size: 100 },
    { operation: 'mailing.list', size: 100 },
    { operation: 'mailing.list', input: { mailbox: '1' }, size: 100 },
    { operation: 'user.list', size: 100 },
    { operation: 'webhook.list', size: 100 },
  ],
  feeds: {
    mailboxChanged: {
      input: {},
      async happen(client) {
        const changed: Mailbox = await client.call('mailbox.update', {
          mailbox: String(6 + (++serial % 100)),
          maxMailingsPerDay: 100 + serial,
        });
        return `${changed.id}@${changed.updatedAt}`;
      },
    },
  },
};
