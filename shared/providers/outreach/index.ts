import { watermark, watermarkFrom } from '../../cursor.js';
import { text } from '../../fields.js';
import { base } from '../../url.js';
import { map } from '../../pages.js';
import { auth, feed, operation, type Provider } from '../../provider.js';
import { aliases } from './alias.js';
import { api, id, limitsOf } from './api.js';
import { mailboxCollection, mailboxes, toMailbox } from './mailbox.js';
import { mailings } from './mailing.js';
import { spamPatterns } from './spam.js';
import { users } from './user.js';
import { webhooks } from './webhook.js';

export { verifySignature } from './webhook.js';

const GUIDE = 'https://developers.outreach.io/api/';
// updatedAt is set when a write begins and seen when it is committed and has reached the copy that lists read; the
// vendor gives no bound. Two minutes are far above what its request limit of 30 s suggests, and a poll that looks back
// so far stays within one page.
const OVERLAP = 120_000;

export const outreach = {
  id: 'outreach',
  name: 'Outreach',
  docs: `${GUIDE}reference/`,
  auth: auth({
    fields: {
      baseUrl: text('Base URL', {
        default: 'https://api.outreach.io',
        format: 'uri',
        help: 'Change it only for a test server. Sign-in uses this address too.',
      }),
    },
    oauth2: {
      authorizeUrl: account => `${base(account)}/oauth/authorize`,
      tokenUrl: account => `${base(account)}/oauth/token`,
      // Levels do not imply each other; "all" does. An unregistered scope fails the consent page, so only what the
      // operations need is asked for.
      scopes: ['mailboxes.all', 'mailAliases.read', 'mailings.read', 'users.read', 'webhooks.all'],
    },
  }),
  // 10,000 requests per hour and user, shared by all of a user's apps: 150 a minute leaves a tenth for the others.
  pace: { concurrent: 5, perMinute: 150 },
  operations: {
    'account.check': operation({
      summary: 'Check the account',
      effect: 'read',
      docs: `${GUIDE}making-requests`,
      input: {},
      run: async ctx => {
        await api(ctx).head('/mailboxes', { 'fields[mailbox]': 'email' });
      },
    }),
    'rateLimit.get': operation({
      summary: "Get what is left of this hour's requests",
      effect: 'read',
      plain: true,
      docs: `${GUIDE}getting-started`,
      input: {},
      doubt:
        'The format of the reset time is not published; epoch seconds and ISO times are read. The request itself counts.',
      run: async ctx => limitsOf((await api(ctx).head('/mailboxes', { 'fields[mailbox]': 'email' })).headers),
    }),
    ...mailboxes,
    ...aliases,
    ...spamPatterns,
    ...mailings,
    ...users,
    ...webhooks,
  },
  feeds: {
    mailboxChanged: feed({
      // The vendor has no webhook for mailboxes, and a deleted one just disappears.
      summary: 'A mailbox was created or changed, by people or by Outreach itself',
      input: { user: id('User', { ref: 'user', help: 'Only the mailboxes of this user.' }) },
      since: (ctx, input, cursor) =>
        watermark({
          cursor,
          overlapMs: OVERLAP,
          newest: floor =>
            map(
              api(ctx).pages(
                '/mailboxes',
                mailboxCollection.parameters({
                  ...input,
                  sort: '-updatedAt',
                  ...(floor === undefined ? {} : { updatedAtFrom: new Date(floor).toISOString() }),
                }),
              ),
              toMailbox,
            ),
          id: mailbox => `${mailbox.id}@${mailbox.updatedAt}`,
          at: mailbox => Date.parse(mailbox.updatedAt ?? '') || 0,
        }),
      from: (_ctx, _input, at) => watermarkFrom(at, OVERLAP),
    }),
  },
} satisfies Provider;
