import { invalidField, something } from '../../errors.js';
import { isIP } from 'node:net';
import { parseAddress } from '../../address.js';
import { choice, flag, list, number, onWire, text } from '../../fields.js';
import { path } from '../../url.js';
import { operation, type Context, type Operations } from '../../provider.js';
import type { Native, SpamEntry, SpamList } from '../../vocabulary.js';
import { api, needed, readBack, unreadable, unwrapped } from './api.js';
import { rsMailbox } from './rsMailbox.js';
import { domain, domainPath, mailbox as exchangeMailbox, mailboxPath, wiki } from './target.js';

const DOCS = wiki('Exchange_Mailbox_Spam');
const RS_DOCS = wiki('Rackspace_Mailbox_Spam');
const DOMAIN_DOCS = wiki('Domain_Spam');

const which = choice(
  'List',
  {
    blockedSenders: 'Blocked Senders',
    blockedIps: 'Blocked IP Addresses',
    allowedSenders: 'Allowed Senders',
    allowedIps: 'Allowed IP Addresses',
  },
  { required: true },
);
const service = choice(
  'Service',
  { exchange: 'Exchange', rackspace: 'Rackspace Email' },
  { default: 'exchange', help: "Which of Rackspace's two mail services the mailbox belongs to." },
);
/** A mailbox of either service, which the field `service` tells apart. */
const mailbox = { ...exchangeMailbox, also: { rsMailbox: { service: 'rackspace' } } } as const;
const value = text('Value', {
  required: true,
  example: 'anyone@spam.example',
  help: 'An e-mail address or domain, or an IP address or range for the IP lists. A percent sign stands for anything, as in @%.example.com or 192.0.2.%.',
});
const gone = text('Value', { required: true, example: 'anyone@spam.example', help: 'The entry as the list shows it.' });
const many = (label: string) => list(label, text('Value'), { wire: (values: string[]) => values.join(',') });
const edits = { addList: many('Add'), removeList: many('Remove') };

/**
 * In October 2020 the vendor renamed the blacklists to blocklists on v1; whether the old names still answer there is
 * not known, so an account can say.
 */
function listName(ctx: Context, list: SpamList): string {
  const { spamListNames, version } = ctx.account;
  const blocked =
    spamListNames === 'blocklist' || spamListNames === 'blacklist'
      ? spamListNames
      : version === 'v0'
        ? 'blacklist'
        : 'blocklist';
  // The wiki's example of Add IP Blacklist shows `blacklist`, and its Add IP Safelist prints `safelist` throughout;
  // Index and Delete of both have `ip`.
  return { blockedSenders: blocked, blockedIps: `ip${blocked}`, allowedSenders: 'safelist', allowedIps: 'ipsafelist' }[
    list
  ];
}

/**
 * A domain or a part of one, with `%` for anything; `@` before it, or an address around it, makes no difference to the
 * vendor.
 */
const SENDER = /^(?:[^\s@,;<>"]*@[\p{L}\p{M}\p{N}%_.-]+|(?=[^.%]*[.%])[\p{L}\p{M}\p{N}%_.-]+)$/u;
const V4_PATTERN = /^[\d%]{1,3}(?:\.[\d%]{1,3}){1,3}$/;
const V6_PATTERN = /^[\da-f:%]*:[\da-f:%]*$/i;

/** An IP address, a network (`10.0.0.0/24`), a range from one to another, or a pattern with `%`. */
function isIpEntry(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/');
  if (bits !== undefined)
    return (
      !more.length && isIP(address) > 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (isIP(address) === 4 ? 32 : 128)
    );
  const [first = '', last, ...rest] = text.split('-').map(one => one.trim());
  if (last !== undefined) return !rest.length && isIP(first) > 0 && isIP(first) === isIP(last);
  if (!text.includes('%')) return isIP(text) > 0;
  return V4_PATTERN.test(text)
    ? text.split('.').every(part => part.includes('%') || Number(part) <= 255)
    : V6_PATTERN.test(text);
}

/**
 * Mistakes that are certain in what is added. What is removed stands in the vendor's list already, so that it is sent
 * as it stands.
 */
function checkValue(list: SpamList, text: string, field: string): void {
  if (list === 'blockedIps' || list === 'allowedIps') {
    if (!isIpEntry(text))
      throw invalidField(
        field,
        `"${text}" is not an IP address, such as 192.0.2.1, nor a range, such as 192.0.2.% or 192.0.2.0/24.`,
      );
  } else if (isIpEntry(text)) {
    throw invalidField(
      field,
      `"${text}" is an IP address; it belongs in the list of ${list === 'blockedSenders' ? 'blocked' : 'allowed'} IP addresses.`,
    );
  } else if (!SENDER.test(text) && parseAddress(text)?.email !== text) {
    throw invalidField(field, `"${text}" is neither an e-mail address nor a domain.`);
  }
}

/**
 * The four lists work alike for Exchange mailboxes, Rackspace Email mailboxes and domains; `at` is the address they
 * hang on.
 */
async function* entries(ctx: Context, at: string, list: SpamList): AsyncGenerator<SpamEntry> {
  const answer = await api(ctx).get(`${at}/spam/${listName(ctx, list)}`);
  if (!('addresses' in answer)) throw unreadable(ctx, 'a list without "addresses"');
  for (const one of unwrapped(answer.addresses)) {
    if (typeof one !== 'string') throw unreadable(ctx, 'entries that are not text');
    yield { list, value: one };
  }
}
async function change(ctx: Context, method: 'POST' | 'DELETE', at: string, list: SpamList, entry: string) {
  if (method === 'POST') checkValue(list, entry, 'value');
  await api(ctx).write(method, `${at}/spam/${listName(ctx, list)}${path`/${entry}`}`);
  return { id: entry, native: {} };
}
async function editMany(
  ctx: Context,
  at: string,
  list: SpamList,
  input: { addList?: string[]; removeList?: string[] },
) {
  something(input);
  for (const one of input.addList ?? []) checkValue(list, one, 'addList');
  // The vendor parts what is sent at the commas.
  const parted = input.removeList?.find(one => one.includes(','));
  if (parted !== undefined)
    throw invalidField('removeList', `"${parted}" holds a comma, so it can only be removed by itself, with Remove.`);
  await api(ctx).write('PUT', `${at}/spam/${listName(ctx, list)}`, onWire(edits, input));
  return { native: {} };
}

const LEVELS = { on: 'On', off: 'Off', exclusive: 'Exclusive: Only from the Safelists' };
const LEVEL_HELP =
  'Exclusive lets only senders and IP addresses of the safelists through. All other mail is treated as spam.';
const settings = {
  filterlevel: choice('Filter Level', LEVELS, { required: true, help: LEVEL_HELP }),
  sendtodomainquarantine: flag('Send to Domain Quarantine', {
    help: 'Whether spam goes to the quarantine of the domain. Left out, it goes to the quarantine of the mailbox.',
  }),
  quarantineowner: text('Quarantine Owner', {
    format: 'email',
    help: 'The address that is told about the quarantine.',
  }),
  removeQuarantineOwner: flag('Remove Quarantine Owner', { help: 'Whether to clear the quarantine owner.' }),
};

const filterLevel = choice('Filter Level', LEVELS, { required: true, help: LEVEL_HELP });
/** Settings of Rackspace Email mailboxes are nested when read and dotted when written. */
const handling = {
  spamHandling: choice(
    'Spam Handling',
    { toFolder: 'To Folder', delete: 'Delete', labelSubject: 'Label Subject', toAddress: 'To Address' },
    { as: 'rsEmail.spamHandling' },
  ),
  hasFolderCleaner: flag('Clean Folder', {
    as: 'rsEmail.hasFolderCleaner',
    help: 'Whether old spam is removed. Only with To Folder.',
  }),
  spamFolderAgeLimit: number('Folder Age Limit', {
    as: 'rsEmail.spamFolderAgeLimit',
    min: 0,
    help: 'In days, 0 for no limit. Only with To Folder.',
  }),
  spamFolderNumLimit: number('Folder Number Limit', {
    as: 'rsEmail.spamFolderNumLimit',
    min: 0,
    help: 'In messages, 0 for no limit. Only with To Folder.',
  }),
  spamForwardingAddress: text('Spam Forwarding Address', {
    as: 'rsEmail.spamForwardingAddress',
    format: 'email',
    help: 'With To Address only.',
  }),
};
const exchange = {
  forwardToDomainQuarantine: choice(
    'Exchange: Domain Quarantine',
    { on: 'On', off: 'Off', nonuser: 'Unknown Users Only' },
    { as: 'exchange.forwardToDomainQuarantine' },
  ),
  quarantineOwner: text('Exchange: Quarantine Owner', { as: 'exchange.quarantineOwner', format: 'email' }),
  removeQuarantineOwner: flag('Exchange: Remove Quarantine Owner', {
    as: 'exchange.removeQuarantineOwner',
    help: 'Whether to clear the quarantine owner.',
  }),
  defaultQuarantineOwner: text('Exchange: Default Quarantine Owner', {
    as: 'exchange.defaultQuarantineOwner',
    format: 'email',
  }),
  removeDefaultQuarantineOwner: flag('Exchange: Remove Default Quarantine Owner', {
    as: 'exchange.removeDefaultQuarantineOwner',
    help: 'Whether to clear the default quarantine owner.',
  }),
};
const domainOnly = {
  overrideUserSettings: flag('Override User Settings', {
    help: 'Whether the settings replace those of the mailboxes.',
  }),
  ...exchange,
};

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  toFolder: ['hasFolderCleaner', 'spamFolderAgeLimit', 'spamFolderNumLimit'],
  toAddress: ['spamForwardingAddress'],
};
const DETAILS = Object.values(GROUPS).flat();
/**
 * Which details go with which handling (wiki, Domain Spam): others are refused, so that nothing given is silently
 * dropped.
 */
function checkHandling(way: unknown, given: Native): void {
  const allowed = GROUPS[String(way)] ?? [];
  const stray = DETAILS.find(name => given[name] !== undefined && !allowed.includes(name));
  if (stray)
    throw invalidField(
      stray,
      `${handling[stray as keyof typeof handling].label} does not go with the spam handling ${String(way)}.`,
    );
}
/**
 * Everything of the chosen handling, from the input or else as it is now: clients have seen values that were left out
 * change.
 */
function wholeHandling(given: Native, now: Native): Native {
  const way = given.spamHandling ?? (now.spamHandling || undefined);
  checkHandling(way, given);
  const whole: Native = { spamHandling: way };
  for (const name of GROUPS[String(way)] ?? []) {
    const one = given[name] ?? now[name];
    if (one !== null && one !== '') whole[name] = one;
  }
  if (way === 'toAddress' && whole.spamForwardingAddress === undefined) {
    throw invalidField(
      'spamForwardingAddress',
      'Spam Forwarding Address is required with the spam handling To Address.',
    );
  }
  return onWire(handling, whole);
}
const section = (native: Native, name: string): Native =>
  typeof native[name] === 'object' && native[name] !== null ? (native[name] as Native) : {};

/** Refuses an owner that is given and removed at once. */
function oneOwner(input: Native, owner: string, remove: string): void {
  if (input[owner] !== undefined && input[remove] === true)
    throw invalidField(remove, 'A quarantine owner cannot be given and removed at once.');
}

/** Settings as every settings operation gives them; `id` is what they belong to. */
export interface Settings {
  id: string;
  filterLevel?: string;
  native: Native;
}
async function show(ctx: Context, id: string, at: string): Promise<Settings> {
  const native = await api(ctx).get(`${at}/spam/settings`);
  return { id, filterLevel: needed(ctx, native, 'filterLevel'), native };
}
async function put(ctx: Context, id: string, at: string, form: Native): Promise<Settings> {
  await api(ctx).write('PUT', `${at}/spam/settings`, form);
  return readBack(
    () => show(ctx, id, at),
    note => ({ id, native: { note } }),
  );
}

const INDEXES = ['Index Blacklist', 'Index IP Blacklist', 'Index Safelist', 'Index IP Safelist'];
const ADDS = ['Add Blacklist', 'Add IP Blacklist', 'Add Safelist', 'Add IP Safelist'];
const DELETES = ['Delete Blacklist', 'Delete IP Blacklist', 'Delete Safelist', 'Delete IP Safelist'];
const RENAMED =
  'The provider renamed blacklist to blocklist in 2020; whether the old name still answers is not documented, and the account can choose.';

/** Spam lists and spam settings of mailboxes and domains. */
export const spam = {
  'spamList.list': operation({
    summary: 'List the entries of a spam list of a mailbox',
    effect: 'read',
    plain: true,
    docs: DOCS,
    orders: INDEXES,
    doubt: RENAMED,
    input: { mailbox, list: which, service },
    run: (ctx, input) => entries(ctx, mailboxPath(input.mailbox, input.service), input.list),
  }),
  'spamList.add': operation({
    summary: 'Add an entry to a spam list of a mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ADDS,
    doubt: `${RENAMED} Its page prints the path of the sender lists for adding an IP address; the IP lists are used.`,
    input: { mailbox, list: which, value, service },
    run: async (ctx, input) => change(ctx, 'POST', mailboxPath(input.mailbox, input.service), input.list, input.value),
  }),
  'spamList.remove': operation({
    summary: 'Remove an entry from a spam list of a mailbox',
    effect: 'destroy',
    docs: DOCS,
    orders: DELETES,
    doubt: RENAMED,
    input: { mailbox, list: which, value: gone, service },
    run: async (ctx, input) =>
      change(ctx, 'DELETE', mailboxPath(input.mailbox, input.service), input.list, input.value),
  }),
  'spamList.edit': operation({
    summary: 'Add and remove several entries of a spam list of a mailbox in one call',
    effect: 'destroy',
    docs: DOCS,
    doubt: 'Whether the provider takes all entries or none when one is refused is not documented.',
    input: { mailbox, list: which, ...edits, service },
    run: async (ctx, { mailbox: address, list: name, service: of, ...input }) => ({
      id: address,
      ...(await editMany(ctx, mailboxPath(address, of), name, input)),
    }),
  }),
  'domainSpamList.list': operation({
    summary: 'List the entries of a spam list of a domain',
    effect: 'read',
    plain: true,
    docs: DOMAIN_DOCS,
    doubt: RENAMED,
    input: { domain, list: which },
    run: (ctx, input) => entries(ctx, domainPath(input.domain), input.list),
  }),
  'domainSpamList.add': operation({
    summary: 'Add an entry to a spam list of a domain',
    effect: 'write',
    docs: DOMAIN_DOCS,
    doubt: RENAMED,
    input: { domain, list: which, value },
    run: async (ctx, input) => change(ctx, 'POST', domainPath(input.domain), input.list, input.value),
  }),
  'domainSpamList.remove': operation({
    summary: 'Remove an entry from a spam list of a domain',
    effect: 'destroy',
    docs: DOMAIN_DOCS,
    doubt: RENAMED,
    input: { domain, list: which, value: gone },
    run: async (ctx, input) => change(ctx, 'DELETE', domainPath(input.domain), input.list, input.value),
  }),
  'domainSpamList.edit': operation({
    summary: 'Add and remove several entries of a spam list of a domain in one call',
    effect: 'destroy',
    docs: DOMAIN_DOCS,
    doubt: 'Whether the provider takes all entries or none when one is refused is not documented.',
    input: { domain, list: which, ...edits },
    run: async (ctx, { domain: place, list: name, ...input }) => ({
      id: place,
      ...(await editMany(ctx, domainPath(place), name, input)),
    }),
  }),
  'spamSettings.get': operation({
    summary: 'Get the spam settings of an Exchange mailbox',
    effect: 'read',
    docs: DOCS,
    orders: ['Show Spam Setting'],
    input: { mailbox: exchangeMailbox },
    run: (ctx, input) => show(ctx, input.mailbox, mailboxPath(input.mailbox)),
  }),
  'spamSettings.update': operation({
    summary: 'Change the spam settings of an Exchange mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['Edit Spam Setting'],
    doubt:
      'Left out, Send to Domain Quarantine seems to fall back to the quarantine of the mailbox; the provider says so of On and Exclusive.',
    input: { mailbox: exchangeMailbox, ...settings },
    async run(ctx, { mailbox: address, ...input }) {
      if (input.filterlevel === 'off' && input.sendtodomainquarantine) {
        throw invalidField(
          'sendtodomainquarantine',
          'Send to Domain Quarantine cannot be on while Filter Level is off.',
        );
      }
      oneOwner(input, 'quarantineowner', 'removeQuarantineOwner');
      return put(ctx, address, mailboxPath(address), onWire(settings, input));
    },
  }),
  'rsSpamSettings.get': operation({
    summary: 'Get the spam settings of a Rackspace Email mailbox',
    effect: 'read',
    docs: RS_DOCS,
    input: { mailbox: rsMailbox },
    run: (ctx, input) => show(ctx, input.mailbox, mailboxPath(input.mailbox, 'rackspace')),
  }),
  'rsSpamSettings.update': operation({
    summary: 'Change the spam settings of a Rackspace Email mailbox',
    effect: 'write',
    docs: RS_DOCS,
    doubt: 'Values left out have been seen to change, so the present ones are read and sent along.',
    input: { mailbox: rsMailbox, filterLevel, ...handling },
    async run(ctx, { mailbox: address, filterLevel: level, ...given }) {
      if (given.spamHandling !== undefined) checkHandling(given.spamHandling, given);
      const at = mailboxPath(address, 'rackspace');
      const now = await show(ctx, address, at);
      return put(ctx, address, at, {
        filterLevel: level,
        ...wholeHandling(given, section(now.native, 'rsEmailSettings')),
      });
    },
  }),
  'domainSpamSettings.get': operation({
    summary: 'Get the spam settings of a domain',
    effect: 'read',
    docs: DOMAIN_DOCS,
    input: { domain },
    run: (ctx, input) => show(ctx, input.domain, domainPath(input.domain)),
  }),
  'domainSpamSettings.update': operation({
    summary: 'Change the spam settings of a domain',
    effect: 'write',
    docs: DOMAIN_DOCS,
    doubt:
      'The Exchange fields are known from clients only; values left out have been seen to change, so the present ones are read and sent along.',
    input: { domain, filterLevel, ...handling, ...domainOnly },
    async run(ctx, { domain: place, filterLevel: level, ...given }) {
      if (given.spamHandling !== undefined) checkHandling(given.spamHandling, given);
      oneOwner(given, 'quarantineOwner', 'removeQuarantineOwner');
      oneOwner(given, 'defaultQuarantineOwner', 'removeDefaultQuarantineOwner');
      const now = await show(ctx, place, domainPath(place));
      const current = section(now.native, 'exchangeSettings');
      const kept: Native = {
        ...(current.forwardToDomainQuarantine ? { forwardToDomainQuarantine: current.forwardToDomainQuarantine } : {}),
        ...(current.quarantineOwner && !given.removeQuarantineOwner
          ? { quarantineOwner: current.quarantineOwner }
          : {}),
        ...(current.defaultQuarantineOwner && !given.removeDefaultQuarantineOwner
          ? { defaultQuarantineOwner: current.defaultQuarantineOwner }
          : {}),
      };
      return put(ctx, place, domainPath(place), {
        filterLevel: level,
        ...wholeHandling(given, section(now.native, 'rsEmailSettings')),
        ...onWire(domainOnly, { ...kept, ...given }),
      });
    },
  }),
} satisfies Operations;
