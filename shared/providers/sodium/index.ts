import { headerAuth } from '../../auth/header.js';
import { text } from '../../fields.js';
import { take } from '../../pages.js';
import { auth, operation, type Provider } from '../../provider.js';
import { api, DOCS, inTenant } from './api.js';
import { attachments } from './attachment.js';
import { conversations } from './conversation.js';
import { mailboxes } from './mailbox.js';
import { messages } from './message.js';
import { messageReceived } from './received.js';
import { tenants } from './tenant.js';

/**
 * Sodium, practice management for accountants: the mailboxes connected to a tenant, read and written through its API.
 */
export const sodium = {
  id: 'sodium',
  name: 'Sodium',
  docs: `${DOCS}/operations/email-mailbox/`,
  auth: auth({
    fields: {
      baseUrl: text('Base URL', {
        default: 'https://api.sodiumhq.com',
        format: 'uri',
        help: "Sodium's guides also show it with /api at the end. Use the one that works for your account.",
      }),
      apiKey: text('API Key', {
        required: true,
        secret: true,
        pattern: '^[!-~]+$',
        help: 'Made by an administrator of the account. It sees what its user sees: own and shared mailboxes.',
      }),
      tenant: text('Tenant', { help: 'The code of the tenant used where an operation names none.' }),
    },
    sign: headerAuth('x-api-key', 'apiKey'),
  }),
  // The vendor documents no limit and no 429; this is what a person with a busy window would cause, and an
  // administrator may raise it.
  pace: { concurrent: 4, perMinute: 120 },
  operations: {
    'account.check': operation({
      summary: 'Check the account',
      effect: 'read',
      docs: `${DOCS}/guides/authentication`,
      input: {},
      run: async ctx => {
        if (ctx.account.tenant) await api(ctx).get(inTenant(ctx, {}));
        else await take(api(ctx).whole('/tenants'), 1);
      },
    }),
    ...mailboxes,
    ...messages,
    ...attachments,
    ...conversations,
    ...tenants,
  },
  feeds: { messageReceived },
} satisfies Provider;
