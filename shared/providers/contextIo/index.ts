import { signOAuth1 } from '../../auth/oauth1.js';
import { text } from '../../fields.js';
import { auth, operation, type Provider } from '../../provider.js';
import { aliases } from './alias.js';
import { api } from './api.js';
import { contacts } from './contact.js';
import { messageReceived } from './feed.js';
import { files } from './file.js';
import { mailboxes } from './mailbox.js';
import { messages } from './message.js';
import { sources } from './source.js';
import { sync } from './sync.js';
import { threads } from './thread.js';
import { tokens } from './token.js';
import { webhooks } from './webhook.js';

const DOCS = 'https://context.io/docs/2.0';

/** Context.IO 2.0: accounts and the mail that the vendor reads from their IMAP sources. */
export const contextIo = {
  id: 'contextIo',
  name: 'Context.IO',
  docs: DOCS,
  notice: 'Context.IO ended in 2018. Use the address of a server that is compatible with its 2.0 interface.',
  auth: auth({
    fields: {
      baseUrl: text('Base URL', {
        required: true,
        format: 'uri',
        example: 'https://contextio.example.com',
        help: "The address of a compatible server, without /2.0. Context.IO's own server was shut down.",
      }),
      consumerKey: text('Consumer Key', {
        required: true,
        help: 'The public half of the OAuth key, for two-legged use.',
      }),
      consumerSecret: text('Consumer Secret', {
        required: true,
        secret: true,
        help: 'The secret half of the OAuth key. It also signs the webhooks.',
      }),
    },
    sign: signOAuth1,
  }),
  // The sister interface allowed 5000 calls an hour and key, which is 83 a minute; nothing is known of 2.0. Calls that
  // reach the mail server (bodies, flags, sources, content) were limited to 240 a user and minute there, so four at a
  // time stay within both.
  pace: { concurrent: 4, perMinute: 80 },
  operations: {
    'account.check': operation({
      summary: 'Check the account',
      effect: 'read',
      docs: `${DOCS}/accounts`,
      input: {},
      run: async ctx => {
        await api(ctx).list('/accounts', { limit: 1, offset: 0 });
      },
    }),
    ...mailboxes,
    ...aliases,
    ...sources,
    ...sync,
    ...messages,
    ...threads,
    ...files,
    ...contacts,
    ...webhooks,
    ...tokens,
  },
  feeds: { messageReceived },
} satisfies Provider;
