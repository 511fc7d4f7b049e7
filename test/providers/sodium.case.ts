import { fileOf, take, type Client, type Message } from '../../shared/index.js';
import type { ProviderCase } from '../contract/case.js';
import { deliver, GOOGLE, guid, MICROSOFT, SMTP, startSodium, TENANT } from '../sandbox/sodium.js';

const message = async (client: Client, search = 'VAT return 1') =>
  (await take(client.call('message.list', { mailbox: [GOOGLE], direction: 'Inbound', search }), 1))[0]!;
const target = (found: Message) => ({ mailbox: found.mailbox, message: found.id });
const thread = (found: Message) => ({ mailbox: found.mailbox, conversation: found.thread });
const made = (client: Client) =>
  client.call('mailbox.create', {
    providerType: 'Smtp',
    fromEmail: 'new@acme.test',
    isShared: true,
    host: 'smtp.acme.test',
    port: 587,
  });
const mail = { to: ['Jo Client <jo@client.test>'], subject: 'Figures', htmlBody: '<p>Here they are.</p>' };
const picture = () => fileOf('chart.png', 'image/png', Buffer.from('not really a picture'));

/** What the contract suite is told about Sodium. */
export const sodium: ProviderCase = {
  id: 'sodium',
  start: () => startSodium(),
  examples: {
    'account.check': () => ({}),
    'mailbox.list': () => ({}),
    'mailbox.get': () => ({ mailbox: GOOGLE }),
    'mailbox.create': () => ({
      providerType: 'Google',
      fromEmail: 'team@acme.test',
      isShared: true,
      returnUrl: 'https://app.acme.test/done',
      allowRead: true,
    }),
    'mailbox.update': () => ({ mailbox: SMTP, fromName: 'Acme Office' }),
    'mailbox.delete': async client => ({ mailbox: (await made(client)).id }),
    'mailbox.test': () => ({ mailbox: SMTP, recipientEmail: 'ann@acme.test' }),
    'mailbox.reconnect': () => ({ mailbox: MICROSOFT, returnUrl: 'https://app.acme.test/done' }),
    'sync.start': () => ({ mailbox: GOOGLE }),
    'message.list': () => ({}),
    'message.get': async client => target(await message(client)),
    'message.send': () => ({ ...mail, attachments: [picture()] }),
    'message.sendFrom': () => ({ ...mail, mailbox: GOOGLE }),
    'message.reply': async client => ({ ...target(await message(client)), htmlBody: '<p>Thanks.</p>', replyAll: true }),
    'message.mark': async client => ({ ...target(await message(client)), read: true }),
    'attachment.get': async client => ({ ...target(await message(client, 'VAT return 69')), attachment: 'A1/logo+=' }),
    'conversation.list': () => ({}),
    'conversation.get': async client => thread(await message(client)),
    'conversation.linkTask': async client => ({ ...thread(await message(client)), task: 'T1' }),
    'conversation.unlinkTask': async client => {
      const linked = { ...thread(await message(client)), task: 'T2' };
      await client.call('conversation.linkTask', linked);
      return linked;
    },
    'folder.list': () => ({}),
    'tenant.list': () => ({}),
    'tenant.get': () => ({ tenant: TENANT }),
    'tenant.me': () => ({}),
    'task.list': () => ({}),
    'key.list': () => ({}),
    'key.create': () => ({ name: 'Made by a test', expiryDate: '2099-01-01T00:00:00Z' }),
    'key.delete': async client => ({
      key: ((await client.call('key.create', { name: 'Short-lived' })) as { id: string }).id,
    }),
  },
  unknown: {
    tenant: 'NOWHERE',
    mailbox: guid('no mailbox'),
    message: guid('no message'),
    conversation: 'AAQ/none+=',
    task: 'T999',
    attachment: 'A9/none=',
    key: guid('no key'),
  },
  paged: [
    { operation: 'message.list', size: 50 },
    { operation: 'conversation.list', size: 50 },
    { operation: 'mailbox.list', size: 50 },
    { operation: 'task.list', size: 50 },
  ],
  throttleWait: 2,
  feeds: { messageReceived: { input: {}, happen: async (_client, vendor) => deliver(vendor) } },
};
