import { snapshot } from '../../cursor.js';
import { choice, text } from '../../fields.js';
import { map, take } from '../../pages.js';
import { auth, feed, operation, type Provider } from '../../provider.js';
import { aliases } from './alias.js';
import { api } from './api.js';
import { domains } from './domain.js';
import { mailboxes, toMailbox } from './mailbox.js';
import { mobile } from './mobile.js';
import { rsMailboxes } from './rsMailbox.js';
import { sign } from './sign.js';
import { spam } from './spam.js';
import { domain, servicePath } from './target.js';

const DOCS = 'https://api-wiki.apps.rackspace.com/api-wiki/index.php/Main_Page';

/** What the feed compares, beside the display name. */
const FOLLOWED = ['size', 'hasBlackBerryMobileService', 'hasActiveSyncMobileService'];

/**
 * Rackspace Email & Apps REST API ("Cloud Office"): Exchange and Rackspace Email mailboxes, aliases, spam lists, mobile
 * services.
 */
export const rackspace = {
  id: 'rackspace',
  name: 'Rackspace Email',
  docs: DOCS,
  auth: auth({
    fields: {
      baseUrl: text('Base URL', { default: 'https://api.emailsrvr.com', format: 'uri' }),
      version: choice(
        'Version',
        { v0: 'v0', v1: 'v1', v2: 'v2' },
        {
          default: 'v1',
          help: 'Use v1, which is documented. v0 was discontinued in 2015, and v2 is only known from other programs.',
        },
      ),
      customer: text('Customer', {
        default: 'me',
        pattern: '^(?:\\d+|me)$',
        example: '12345678',
        help: 'The account number, or me for the account the keys belong to.',
      }),
      userKey: text('User Key', {
        required: true,
        pattern: '^[^\\s:]+$',
        help: 'The public half of the API key made in the control panel.',
      }),
      secretKey: text('Secret Key', {
        required: true,
        secret: true,
        pattern: '^\\S+$',
        help: 'The secret half of the API key.',
      }),
      // It is part of what is signed, so it must reach the vendor as it stands: no spaces that a header would lose, no
      // bytes it cannot carry.
      userAgent: text('User Agent', {
        default: 'Mailroom/1',
        pattern: '^[!-~](?:[ -~]*[!-~])?$',
        help: 'Sent and signed with each request.',
      }),
      answerFormat: choice('Answer Format', { xml: 'XML', json: 'JSON' }, { default: 'xml' }),
      spamListNames: choice(
        'Spam List Names',
        { automatic: 'Automatic', blocklist: 'blocklist (Since 2020)', blacklist: 'blacklist (Before 2020)' },
        { default: 'automatic', help: 'Automatic uses blacklist on v0 and blocklist on later versions.' },
      ),
    },
    sign,
  }),
  // Documented in 2015: 60 reads and 30 writes a minute and user key; clients of later years run at about 115 and 85.
  // One number serves both: 60 keeps reads within the documented limit and writes within what is allowed today. Slow
  // the account down where the vendor still counts 30.
  pace: { concurrent: 4, perMinute: 60 },
  operations: {
    'account.check': operation({
      summary: 'Check the account',
      effect: 'read',
      docs: DOCS,
      input: {},
      run: async ctx => {
        await take(api(ctx).list('/domains', {}, 1), 1);
      },
    }),
    ...mailboxes,
    ...aliases,
    ...spam,
    ...rsMailboxes,
    ...mobile,
    ...domains,
  },
  feeds: {
    mailboxChanged: feed({
      summary:
        'An Exchange mailbox of a domain was created or deleted, or its display name, size or mobile services changed',
      input: { domain },
      // The usage changes with every message, so it is neither asked for nor part of the version.
      since: (ctx, input, cursor) =>
        snapshot({
          cursor,
          all: () =>
            map(
              api(ctx).list(`${servicePath(input.domain, 'exchange')}/mailboxes`, {
                filters: { fields: FOLLOWED.join(',') },
              }),
              native => toMailbox(ctx, native, input.domain),
            ),
          id: mailbox => mailbox.id,
          version: ({ native }) => JSON.stringify([native.displayName, ...FOLLOWED.map(name => native[name])]),
        }),
    }),
  },
} satisfies Provider;
