import { choice, flag, onWire, text } from '../../fields.js';
import { path } from '../../url.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Native } from '../../vocabulary.js';
import { api, named } from './api.js';
import { bit, iso, mailbox } from './fields.js';

const TOKENS = 'https://context.io/docs/2.0/connect_tokens';
const DISCOVERY = 'https://context.io/docs/2.0/discovery';
const PROVIDERS = 'https://context.io/docs/2.0/oauth_providers';
const APP = 'https://context.io/docs/2.0/app/status_callback_url';

const connectToken = text('Connect Token', { required: true, ref: 'connectToken', help: 'The token itself.' });
const scope = {
  mailbox: {
    ...mailbox,
    required: undefined,
    help: 'The ID of the account that gets another source. Left empty, a new account is made.',
  },
};
const folder = (account: string | undefined) =>
  account === undefined ? '/connect_tokens' : path`/accounts/${account}/connect_tokens`;

/**
 * An invitation to connect a mailbox; `id` is the token, `account` the account that was made, `url` where the owner's
 * browser has to go.
 */
export interface ConnectToken {
  id: string;
  email?: string;
  usedAt?: string;
  expiresAt?: string;
  account?: string;
  url?: string;
  native: Native;
}
function toToken(native: Native): ConnectToken {
  const usedAt = iso(native.used);
  const expiresAt = iso(native.expires);
  // Unused tokens have `account: []` (samples in the vendor's documents of API 2.0).
  const account = Array.isArray(native.account) ? undefined : (native.account as Native | undefined)?.id;
  return {
    id: idOf(native, 'token'),
    ...(typeof native.email === 'string' && native.email ? { email: native.email } : {}),
    ...(usedAt ? { usedAt } : {}),
    ...(expiresAt ? { expiresAt } : {}),
    ...(typeof account === 'string' ? { account } : {}),
    native,
  };
}
const creation = {
  callback_url: text('Callback URL', {
    required: true,
    format: 'uri',
    help: 'Where the browser goes afterwards, with contextio_token in the address.',
  }),
  email: text('Email', { format: 'email', help: 'The address to connect, so that it need not be typed.' }),
  first_name: text('First Name'),
  last_name: text('Last Name'),
  source_callback_url: text('Source Callback URL', {
    format: 'uri',
    help: 'Called when the first synchronization has ended.',
  }),
  source_sync_all_folders: flag('Sync All Folders', {
    ...bit,
    help: 'Whether folders such as spam and trash are read as well.',
  }),
  source_sync_flags: flag('Sync Flags', {
    ...bit,
    help: 'Whether Context.IO keeps the flags of messages in its index.',
  }),
  source_raw_file_list: flag('Raw File List', {
    ...bit,
    help: 'Whether embedded images and signatures are listed as files too.',
  }),
  status_callback_url: text('Status Callback URL', {
    format: 'uri',
    help: 'Called when the connection status of the source changes.',
  }),
};

const oauthProvider = text('OAuth Provider', {
  required: true,
  ref: 'oauthProvider',
  help: 'The consumer key of the provider.',
});
const toProvider = (native: Native) => ({
  id: idOf(native, 'provider_consumer_key'),
  ...(typeof native.type === 'string' ? { name: native.type } : {}),
  native,
});
const provider = {
  type: choice(
    'Type',
    { GMAIL_OAUTH2: 'Gmail', MSLIVECONNECT: 'Microsoft' },
    { required: true, open: true, help: 'The word that the server has for the kind of provider.' },
  ),
  provider_consumer_key: text('Provider Consumer Key', {
    required: true,
    help: 'The client ID that the mail provider gave you.',
  }),
  provider_consumer_secret: text('Provider Consumer Secret', {
    required: true,
    secret: true,
    help: 'The client secret that the mail provider gave you.',
  }),
};

export const tokens = {
  'connectToken.list': operation({
    summary: 'List connect tokens',
    effect: 'read',
    docs: TOKENS,
    input: scope,
    async *run(ctx, input) {
      for (const native of await api(ctx).list(folder(input.mailbox))) yield toToken(native as Native);
    },
  }),
  'connectToken.get': operation({
    summary: 'Get a connect token and the account it was used for',
    effect: 'read',
    docs: TOKENS,
    input: { connectToken, ...scope },
    run: async (ctx, input) => toToken(await api(ctx).get(folder(input.mailbox) + path`/${input.connectToken}`)),
  }),
  'connectToken.create': operation({
    summary: 'Invite the owner of a mailbox to connect it in the browser',
    effect: 'write',
    docs: TOKENS,
    input: { ...scope, ...creation },
    async run(ctx, { mailbox: account, ...rest }) {
      const native = await api(ctx).write('POST', folder(account), { form: onWire(creation, rest) });
      return {
        id: named(ctx, native, 'token'),
        ...(rest.email ? { email: rest.email } : {}),
        url: named(ctx, native, 'browser_redirect_url'),
        native,
      } satisfies ConnectToken;
    },
  }),
  'connectToken.delete': operation({
    summary: 'Delete a connect token',
    effect: 'destroy',
    docs: TOKENS,
    input: { connectToken, ...scope },
    run: async (ctx, input) => ({
      id: input.connectToken,
      native: await api(ctx).write('DELETE', folder(input.mailbox) + path`/${input.connectToken}`),
    }),
  }),

  'discovery.get': operation({
    summary: 'Find the mail server of an address',
    effect: 'read',
    docs: DISCOVERY,
    input: {
      email: text('Email', { required: true, format: 'email', help: 'The address whose server is looked for.' }),
    },
    async run(ctx, { email }) {
      const native = await api(ctx).get('/discovery', { source_type: 'IMAP', email });
      const imap = Array.isArray(native.imap) ? undefined : (native.imap as Native | undefined);
      return {
        email: idOf(native, 'email'),
        found: native.found === true || native.found === 1,
        ...(imap ? { server: imap.server, port: imap.port, username: imap.username, use_ssl: imap.use_ssl } : {}),
        native,
      };
    },
  }),

  'oauthProvider.list': operation({
    summary: 'List the OAuth providers registered for the key',
    effect: 'read',
    docs: PROVIDERS,
    input: {},
    async *run(ctx) {
      for (const native of await api(ctx).list('/oauth_providers')) yield toProvider(native as Native);
    },
  }),
  'oauthProvider.get': operation({
    summary: 'Get an OAuth provider',
    effect: 'read',
    docs: PROVIDERS,
    input: { oauthProvider },
    run: async (ctx, input) => toProvider(await api(ctx).get(path`/oauth_providers/${input.oauthProvider}`)),
  }),
  'oauthProvider.create': operation({
    summary: 'Register an OAuth provider',
    effect: 'write',
    docs: PROVIDERS,
    doubt: 'The words for the type of a provider are not documented.',
    input: provider,
    run: async (ctx, input) => ({
      id: input.provider_consumer_key,
      native: await api(ctx).write('POST', '/oauth_providers', { form: input }),
    }),
  }),
  'oauthProvider.delete': operation({
    summary: 'Remove an OAuth provider',
    effect: 'destroy',
    docs: PROVIDERS,
    input: { oauthProvider },
    run: async (ctx, input) => ({
      id: input.oauthProvider,
      native: await api(ctx).write('DELETE', path`/oauth_providers/${input.oauthProvider}`),
    }),
  }),

  'statusCallback.get': operation({
    summary: 'Get the address called when the connection status of any source changes',
    effect: 'read',
    plain: true,
    docs: APP,
    doubt: 'The form of the answer is not documented.',
    input: {},
    run: async ctx => ({ native: await api(ctx).get('/app/status_callback_url') }),
  }),
  'statusCallback.set': operation({
    summary: 'Set the address called when the connection status of any source changes',
    effect: 'write',
    plain: true,
    docs: APP,
    doubt: 'The name of the parameter is taken from the one that sources have.',
    input: {
      status_callback_url: text('Status Callback URL', {
        required: true,
        format: 'uri',
        help: 'Called for each source that has no address of its own.',
      }),
    },
    run: async (ctx, input) => ({ native: await api(ctx).write('POST', '/app/status_callback_url', { form: input }) }),
  }),
  'statusCallback.delete': operation({
    summary: 'Remove the address called when the connection status of any source changes',
    effect: 'destroy',
    plain: true,
    docs: APP,
    input: {},
    run: async ctx => ({ native: await api(ctx).write('DELETE', '/app/status_callback_url') }),
  }),
} satisfies Operations;
