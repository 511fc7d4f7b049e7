import type { Client } from '../../shared/index.js';
import type { ProviderCase } from '../contract/case.js';
import { startRackspace } from '../sandbox/rackspace.js';

let made = 0;
const fresh = (name: string) => `${name}${++made}@example.com`;
/** A mailbox of its own, so that no example meets what another left. */
const newMailbox = async (client: Client) =>
  (
    await client.call('mailbox.create', {
      mailbox: fresh('made'),
      displayName: 'Made',
      password: 'Secret123!@#',
      size: 2048,
    })
  ).id;
const newRsMailbox = async (client: Client) =>
  (
    (await client.call('rsMailbox.create', { mailbox: fresh('rsmade'), password: 'Secret123!@#', size: 25600 })) as {
      id: string;
    }
  ).id;
const newAlias = async (client: Client) =>
  (
    await client.call('alias.create', {
      alias: fresh('alias'),
      aliasEmails: ['alex.smith@example.com', 'john.smith@example.com'],
    })
  ).id;
const alex = 'alex.smith@example.com';

export const rackspace: ProviderCase = {
  id: 'rackspace',
  start: () => startRackspace(),
  examples: {
    'account.check': () => ({}),
    'mailbox.list': () => ({ domain: 'example.com', fields: ['size', 'currentUsage'] }),
    'mailbox.get': () => ({ mailbox: alex }),
    'mailbox.create': () => ({
      mailbox: fresh('new'),
      displayName: 'New One',
      password: 'Secret123!@#',
      size: 2048,
      city: 'Springfield',
    }),
    'mailbox.update': async client => ({ mailbox: await newMailbox(client), homenumber: '8005551234' }),
    'mailbox.delete': async client => ({ mailbox: await newMailbox(client) }),
    'emailAddress.list': () => ({ mailbox: alex }),
    'emailAddress.add': async client => ({ mailbox: await newMailbox(client), address: fresh('extra') }),
    'emailAddress.remove': async client => {
      const mailbox = await newMailbox(client);
      const address = fresh('extra');
      await client.call('emailAddress.add', { mailbox, address });
      return { mailbox, address };
    },
    'alias.list': () => ({ domain: 'example.com' }),
    'alias.get': () => ({ alias: 'support@example.com' }),
    'alias.create': () => ({ alias: fresh('list'), aliasEmails: [alex, 'someone@elsewhere.example'] }),
    'alias.update': async client => ({ alias: await newAlias(client), aliasEmails: ['john.smith@example.com'] }),
    'alias.delete': async client => ({ alias: await newAlias(client) }),
    'alias.addMember': async client => ({ alias: await newAlias(client), email: 'user001@example.com' }),
    'alias.removeMember': async client => ({ alias: await newAlias(client), email: alex }),
    'spamList.list': () => ({ mailbox: alex, list: 'blockedSenders' }),
    'spamList.add': async client => ({
      mailbox: await newMailbox(client),
      list: 'blockedSenders',
      value: 'anyone@spam.com',
    }),
    'spamList.remove': async client => {
      const mailbox = await newMailbox(client);
      await client.call('spamList.add', { mailbox, list: 'allowedIps', value: '216.12.34.1' });
      return { mailbox, list: 'allowedIps', value: '216.12.34.1' };
    },
    'spamList.edit': async client => {
      const mailbox = await newMailbox(client);
      await client.call('spamList.add', { mailbox, list: 'blockedSenders', value: 'junk.example' });
      return {
        mailbox,
        list: 'blockedSenders',
        addList: ['anyone@spam.com', '@%.bad.example'],
        removeList: ['junk.example'],
      };
    },
    'domainSpamList.list': () => ({ domain: 'example.com', list: 'blockedSenders' }),
    'domainSpamList.add': () => ({ domain: 'example.com', list: 'allowedSenders', value: `partner${++made}.example` }),
    'domainSpamList.remove': async client => {
      const value = `partner${++made}.example`;
      await client.call('domainSpamList.add', { domain: 'example.com', list: 'allowedSenders', value });
      return { domain: 'example.com', list: 'allowedSenders', value };
    },
    'domainSpamList.edit': () => ({ domain: 'example.com', list: 'blockedIps', addList: ['192.0.2.1', '2.3.4.%'] }),
    'spamSettings.get': () => ({ mailbox: alex }),
    'spamSettings.update': async client => ({
      mailbox: await newMailbox(client),
      filterlevel: 'exclusive',
      sendtodomainquarantine: true,
    }),
    'rsSpamSettings.get': () => ({ mailbox: 'staff001@example.com' }),
    'rsSpamSettings.update': async client => ({
      mailbox: await newRsMailbox(client),
      filterLevel: 'on',
      spamFolderAgeLimit: 14,
    }),
    'domainSpamSettings.get': () => ({ domain: 'example.com' }),
    'domainSpamSettings.update': () => ({
      domain: 'example.net',
      filterLevel: 'on',
      spamHandling: 'labelSubject',
      forwardToDomainQuarantine: 'nonuser',
    }),
    'rsMailbox.list': () => ({ domain: 'example.com' }),
    'rsMailbox.get': () => ({ mailbox: 'staff001@example.com' }),
    'rsMailbox.create': () => ({
      mailbox: fresh('rsnew'),
      password: 'Secret123!@#',
      size: 25600,
      emailForwardingAddresses: ['a@elsewhere.example', 'b@elsewhere.example'],
    }),
    'rsMailbox.update': async client => ({
      mailbox: await newRsMailbox(client),
      vacationMessage: 'Back on Monday.',
      enableVacationMessage: true,
    }),
    'rsMailbox.delete': async client => ({ mailbox: await newRsMailbox(client) }),
    'blackBerry.list': () => ({ domain: 'example.com' }),
    'blackBerry.add': async client => ({ mailbox: await newMailbox(client), activationPassword: '12345' }),
    'blackBerry.delete': async client => {
      const mailbox = await newMailbox(client);
      await client.call('blackBerry.add', { mailbox, activationPassword: '12345' });
      return { mailbox };
    },
    'activeSync.list': () => ({ domain: 'example.com' }),
    'activeSync.add': async client => ({ mailbox: await newMailbox(client) }),
    'activeSync.delete': async client => {
      const mailbox = await newMailbox(client);
      await client.call('activeSync.add', { mailbox });
      return { mailbox };
    },
    'domain.list': () => ({}),
    'domain.get': () => ({ domain: 'example.com' }),
    'customer.list': () => ({}),
    'customer.get': () => ({ customer: '87654321' }),
  },
  // In a domain that does not exist, because Create takes the address of what is not there yet.
  unknown: { mailbox: 'nobody@nowhere.example', alias: 'nobody@nowhere.example', domain: 'nowhere.example' },
  paged: [
    { operation: 'mailbox.list', input: { domain: 'example.com' }, size: 100 },
    { operation: 'rsMailbox.list', input: { domain: 'example.com' }, size: 100 },
    { operation: 'alias.list', input: { domain: 'example.com' }, size: 100 },
    { operation: 'blackBerry.list', input: { domain: 'example.com' }, size: 100 },
    { operation: 'activeSync.list', input: { domain: 'example.com' }, size: 100 },
    { operation: 'domain.list', size: 100 },
  ],
  feeds: { mailboxChanged: { input: { domain: 'example.com' }, happen: newMailbox } },
};
