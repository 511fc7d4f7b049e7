import { headerAuth } from '../../auth/header.js';
import { watermark, watermarkFrom } from '../../cursor.js';
import { flag, text } from '../../fields.js';
import { map, take } from '../../pages.js';
import { auth, feed, operation, type Provider } from '../../provider.js';
import { aliases } from './alias.js';
import { api } from './api.js';
import { domains } from './domain.js';
import { mailboxes, toMailbox } from './mailbox.js';

/**
 * How late a change may show up in the list after its time, in milliseconds; the vendor says nothing, a minute is
 * generous for one database.
 */
const OVERLAP = 60_000;
const DOCS = 'https://www.scaleway.com/en/developers/api/mailbox/';

export const scaleway = {
  id: 'scaleway',
  name: 'Scaleway Mailbox',
  docs: DOCS,
  auth: auth({
    fields: {
      baseUrl: text('Base URL', { default: 'https://api.scaleway.com', format: 'uri' }),
      secretKey: text('Secret Key', {
        required: true,
        secret: true,
        format: 'uuid',
        help: 'The secret half of an API key made in the Scaleway console.',
      }),
      oldAliasPath: flag('Old Alias Path', {
        default: false,
        help: 'Whether aliases are created under their mailbox, as before June 2026.',
      }),
    },
    sign: headerAuth('x-auth-token', 'secretKey'),
  }),
  // 50 requests in any second (X-Ratelimit-Limit: 50, 50;w=1); the minute here keeps well below for accounts that share
  // a key.
  pace: { concurrent: 5, perMinute: 1200 },
  operations: {
    'account.check': operation({
      summary: 'Check the account',
      effect: 'read',
      docs: DOCS,
      input: {},
      run: async ctx => {
        await take(api(ctx).pages('/domains', 'domains', {}, 1), 1);
      },
    }),
    ...mailboxes,
    ...aliases,
    ...domains,
  },
  feeds: {
    mailboxChanged: feed({
      summary: 'A mailbox was created, changed its state, or was scheduled for deletion',
      input: { domain_id: text('Domain', { format: 'uuid', ref: 'domain' }) },
      // updated_at moved on every change of state in the recordings of September 2026 that the vendor's Terraform
      // provider publishes; a purged mailbox just disappears.
      since: (ctx, input, cursor) =>
        watermark({
          cursor,
          overlapMs: OVERLAP,
          newest: () =>
            map(api(ctx).pages('/mailboxes', 'mailboxes', { ...input, order_by: 'updated_at_desc' }, 100), toMailbox),
          id: mailbox => `${mailbox.id}@${mailbox.updatedAt}`,
          at: mailbox => Date.parse(mailbox.updatedAt ?? '') || 0,
        }),
      from: (_ctx, _input, at) => watermarkFrom(at, OVERLAP),
    }),
  },
} satisfies Provider;
