import { fileOf, take, type Client } from '../../shared/index.js';
import type { ProviderCase } from '../contract/case.js';
import {
  deliver,
  GMAIL_SOURCE,
  MAIN,
  MAIN_EMAIL,
  PASSWORD,
  PLAIN_SOURCE,
  startContextIo,
} from '../sandbox/contextIo.js';
import type { Vendor } from '../sandbox/vendor.js';

let made = 0;
const fresh = (what: string) => `${what}${++made}`;
const mailbox = MAIN;
const source = PLAIN_SOURCE;
const server = { server: 'imap.example.com', use_ssl: true, port: 993, password: PASSWORD };

const first = async <T>(client: Client, list: string, input: Record<string, unknown>): Promise<T> =>
  (await take(client.call(list, input) as AsyncIterable<T>, 1))[0]!;
const idIn = async (client: Client, list: string, input: Record<string, unknown> = { mailbox }) =>
  (await first<{ id: string }>(client, list, input)).id;
const aMessage = async (client: Client) => ({ mailbox, message: await idIn(client, 'message.list') });
const newMessage = async (vendor: Vendor) => ({
  mailbox,
  message: await deliver(vendor, { subject: fresh('Delivered ') }),
});
const newAccount = async (client: Client) =>
  (await client.call('mailbox.create', { email: `${fresh('new')}@example.com`, first_name: 'New' })).id;
const newAddress = async (client: Client) => {
  const email_address = `${fresh('also')}@example.com`;
  await client.call('alias.create', { mailbox, email_address });
  return { mailbox, alias: email_address };
};
const newFolder = async (client: Client) => {
  const name = fresh('Made/for a test ');
  await client.call('folder.create', { mailbox, source, name });
  return { mailbox, source, folder: name };
};
const hook = () => ({
  callback_url: 'http://127.0.0.1:9/hook',
  failure_notif_url: 'http://127.0.0.1:9/failed',
  filter_subject: 'never in any subject',
});
const newHook = async (client: Client) => ({
  mailbox,
  webhook: ((await client.call('webhook.create', { mailbox, ...hook() })) as { id: string }).id,
});
const newToken = async (client: Client) => ({
  connectToken: (
    (await client.call('connectToken.create', {
      callback_url: 'https://app.example.com/back',
      email: 'carol@example.com',
    })) as { id: string }
  ).id,
});
const newProvider = async (client: Client) => {
  const input = {
    type: 'GMAIL_OAUTH2',
    provider_consumer_key: fresh('key'),
    provider_consumer_secret: "a provider's secret",
  };
  await client.call('oauthProvider.create', input);
  return { oauthProvider: input.provider_consumer_key };
};
const aContact = { mailbox, contact: 'person001@example.org' };

export const contextIo: ProviderCase = {
  id: 'contextIo',
  start: () => startContextIo(),
  examples: {
    'account.check': () => ({}),
    'mailbox.list': () => ({ status_ok: '1' }),
    'mailbox.get': () => ({ mailbox }),
    'mailbox.create': () => ({
      email: `${fresh('carol')}@example.com`,
      first_name: 'Carol',
      last_name: "O'Example",
      username: 'carol',
      ...server,
    }),
    'mailbox.update': () => ({ mailbox, first_name: 'Anna', last_name: 'Exämple' }),
    'mailbox.delete': async client => ({ mailbox: await newAccount(client) }),
    'alias.list': () => ({ mailbox }),
    'alias.get': () => ({ mailbox, alias: MAIN_EMAIL }),
    'alias.create': () => ({ mailbox, email_address: `${fresh('press')}@example.com` }),
    'alias.setPrimary': () => ({ mailbox, alias: MAIN_EMAIL }),
    'alias.delete': newAddress,
    'source.list': () => ({ mailbox, status: 'OK' }),
    'source.get': () => ({ mailbox, source: GMAIL_SOURCE }),
    'source.create': async client => ({
      mailbox: await newAccount(client),
      email: `${fresh('carol')}@example.com`,
      username: 'carol',
      ...server,
      sync_folders: ['All', 'Trash'],
    }),
    'source.update': () => ({ mailbox, source, status: true, sync_all_folders: false, password: PASSWORD }),
    'source.check': () => ({ mailbox, source: '0' }),
    'source.delete': async client => {
      const account = await newAccount(client);
      return {
        mailbox: account,
        source: (
          (await client.call('source.create', {
            mailbox: account,
            email: `${fresh('carol')}@example.com`,
            username: 'carol',
            ...server,
          })) as { id: string }
        ).id,
      };
    },
    'folder.list': () => ({ mailbox, source, include_extended_counts: true }),
    'folder.get': () => ({ mailbox, source, folder: 'base folder/my folder' }),
    'folder.create': () => ({ mailbox, source, name: fresh('New/folder '), delim: '/' }),
    'folder.delete': newFolder,
    'folder.expunge': newFolder,
    'folderMessage.list': () => ({
      mailbox,
      source: GMAIL_SOURCE,
      folder: 'INBOX',
      flag_seen: '1',
      include_flags: true,
    }),
    'sync.start': () => ({ mailbox }),
    'sync.status': () => ({ mailbox, source }),
    'message.list': () => ({ mailbox, folder: 'INBOX', include_flags: true }),
    'message.get': aMessage,
    'message.body': aMessage,
    'message.headers': aMessage,
    'message.source': aMessage,
    'message.thread': aMessage,
    'message.flags': aMessage,
    'message.setFlags': async (_client, vendor) => ({ ...(await newMessage(vendor)), flagged: true, answered: false }),
    'message.mark': async (_client, vendor) => ({ ...(await newMessage(vendor)), read: true }),
    'message.folders': aMessage,
    'message.changeFolders': async (_client, vendor) => ({
      ...(await newMessage(vendor)),
      add: ['Archive', 'Sent'],
      remove: ['INBOX'],
    }),
    'message.setFolders': async (_client, vendor) => ({ ...(await newMessage(vendor)), folders: ['Archive'] }),
    'message.copy': async (_client, vendor) => ({ ...(await newMessage(vendor)), dst_folder: 'Archive' }),
    'message.move': async (_client, vendor) => ({
      ...(await newMessage(vendor)),
      dst_folder: 'Trash',
      flag_seen: true,
    }),
    'message.append': () => ({
      mailbox,
      dst_source: source,
      dst_folder: 'Sent',
      flag_seen: true,
      content: fileOf(
        'note.eml',
        'message/rfc822',
        Buffer.from(
          `From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nSubject: ${fresh('Appended ')}\r\n\r\nHello\r\n`,
        ),
      ),
    }),
    'message.delete': (_client, vendor) => newMessage(vendor),
    'thread.list': () => ({ mailbox, folder: 'INBOX' }),
    'thread.get': async client => ({ mailbox, thread: await idIn(client, 'thread.list') }),
    'thread.folders': async client => ({ mailbox, thread: await idIn(client, 'thread.list') }),
    'thread.delete': async (client, vendor) => {
      const message = await deliver(vendor, { source: GMAIL_SOURCE });
      return { mailbox, thread: (await client.call('message.get', { mailbox, message })).thread };
    },
    'file.list': () => ({ mailbox, file_name: '*.pdf' }),
    'file.get': async client => ({ mailbox, file: await idIn(client, 'file.list') }),
    'file.content': async client => ({ mailbox, file: await idIn(client, 'file.list') }),
    'file.link': async client => ({ mailbox, file: await idIn(client, 'file.list') }),
    'relatedFile.list': async client => ({ mailbox, file: await idIn(client, 'file.list') }),
    'contact.list': () => ({ mailbox, search: 'person', sort_by: 'count', sort_order: 'desc' }),
    'contact.get': () => aContact,
    'contactMessage.list': () => aContact,
    'contactFile.list': () => ({ mailbox, contact: 'person002@example.net' }),
    'contactThread.list': () => aContact,
    'webhook.list': async client => {
      await newHook(client);
      return { mailbox };
    },
    'webhook.get': newHook,
    'webhook.create': () => ({ ...hook(), filter_from: ['ann@example.com', 'bob'], receive_historical: true }),
    'webhook.update': async client => ({ ...(await newHook(client)), active: false }),
    'webhook.delete': newHook,
    'connectToken.list': async client => {
      await newToken(client);
      return {};
    },
    'connectToken.get': newToken,
    'connectToken.create': () => ({ mailbox, callback_url: 'https://app.example.com/back', source_sync_flags: true }),
    'connectToken.delete': newToken,
    'discovery.get': () => ({ email: 'someone@example.com' }),
    'oauthProvider.list': () => ({}),
    'oauthProvider.get': () => ({ oauthProvider: 'seeded-consumer-key' }),
    'oauthProvider.create': () => ({
      type: 'MSLIVECONNECT',
      provider_consumer_key: fresh('key'),
      provider_consumer_secret: "a provider's secret",
    }),
    'oauthProvider.delete': newProvider,
    'statusCallback.get': () => ({}),
    'statusCallback.set': () => ({ status_callback_url: 'http://127.0.0.1:9/status' }),
    'statusCallback.delete': () => ({}),
  },
  unknown: {
    mailbox: 'ffffffffffffffffffffffff',
    alias: 'nobody@example.com',
    source: 'nobody::imap.example.com',
    folder: 'No Such Folder',
    message: 'ffffffffffffffffffffffff',
    thread: 'gm-ffffffffffffffff',
    file: 'ffffffffffffffffffffffff',
    contact: 'nobody@example.com',
    webhook: 'ffffffffffffffffffffffff',
    connectToken: 'ffffffffffffffffffffffffffffffff',
    oauthProvider: 'no-such-key',
  },
  paged: [
    { operation: 'mailbox.list', size: 100 },
    { operation: 'alias.list', size: 100 },
    { operation: 'message.list', input: { mailbox }, size: 100 },
    { operation: 'thread.list', input: { mailbox }, size: 100 },
    { operation: 'file.list', input: { mailbox }, size: 100 },
    { operation: 'contact.list', input: { mailbox }, size: 100 },
    { operation: 'folderMessage.list', input: { mailbox, source: GMAIL_SOURCE, folder: 'INBOX' }, size: 100 },
  ],
  feeds: {
    messageReceived: {
      input: { mailbox },
      // Every other one was written long ago: the feed goes by the time of indexing.
      happen: (_client, vendor) => {
        vendor.advance(1000);
        return deliver(vendor, ++made % 2 ? { date: Math.floor(vendor.now() / 1000) - 900 * 86_400 } : {});
      },
    },
  },
  throttleWait: 1,
};
