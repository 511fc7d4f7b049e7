import { basicAuth } from '../../auth/basic.js';
import { text } from '../../fields.js';
import { take } from '../../pages.js';
import { auth, operation, type Provider } from '../../provider.js';
import { aliases } from './alias.js';
import { api } from './api.js';
import { domains } from './domain.js';
import { forwardings } from './forwarding.js';
import { identities } from './identity.js';
import { mailboxes } from './mailbox.js';
import { rewrites } from './rewrite.js';
import { DOCS } from './target.js';

/**
 * Migadu's administration API, which its page calls an early beta. What the page leaves open was taken from public
 * clients and from answers that others published in August and September 2026; a comment names the source at each
 * place.
 */
export const migadu = {
  id: 'migadu',
  name: 'Migadu',
  docs: DOCS,
  auth: auth({
    fields: {
      baseUrl: text('Base URL', { default: 'https://api.migadu.com', format: 'uri' }),
      user: text('Administrator', {
        required: true,
        format: 'email',
        example: 'admin@example.com',
        help: 'The email address you sign in to the administration pages with.',
      }),
      apiKey: text('API Key', {
        required: true,
        secret: true,
        pattern: '^\\S+$',
        help: 'Made in the administration pages under My Account, API Keys.',
      }),
    },
    sign: basicAuth('user', 'apiKey'),
  }),
  // The vendor's page names no limit. github.com/metio/migadu-client.go (July 2026) keeps to 60 requests in two
  // minutes.
  pace: { concurrent: 2, perMinute: 30 },
  operations: {
    'account.check': operation({
      summary: 'Check the account',
      effect: 'read',
      docs: DOCS,
      input: {},
      run: async ctx => {
        await take(api(ctx).list('/domains', 'domains'), 1);
      },
    }),
    ...mailboxes,
    ...aliases,
    ...identities,
    ...forwardings,
    ...rewrites,
    ...domains,
  },
  feeds: {},
} satisfies Provider;
