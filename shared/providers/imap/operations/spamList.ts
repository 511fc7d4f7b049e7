import { isIP } from 'node:net';
import { parseAddress } from '../../../address.js';
import { invalidField, MailError } from '../../../errors.js';
import { choice, text } from '../../../fields.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Receipt, SpamEntry } from '../../../vocabulary.js';
import { settingsOf } from '../account/fields.js';
import { withImap } from '../session/imapPool.js';
import { previewing } from '../sieve/difference.js';
import { changeRules, rulesOf, type At } from '../sieve/own.js';
import { networkPart, type Rules } from '../sieve/rules.js';
import { folderFor } from './folder.js';

/** The lists that rules on a server can keep. */
export type SieveSpamList = 'blockedSenders' | 'blockedIps' | 'allowedSenders';

const mailbox = text('Mailbox', {
  format: 'email',
  example: 'ann@example.com',
  help: 'May be left empty: an account here is one mailbox. Any other is refused.',
});
const which = choice(
  'List',
  { blockedSenders: 'Blocked Senders', blockedIps: 'Blocked IP Addresses', allowedSenders: 'Allowed Senders' },
  {
    required: true,
    help: 'What is blocked goes into the folder for junk. An allowed sender is never blocked by these lists.',
  },
);
const value = text('Value', {
  required: true,
  maxLength: 320,
  example: 'anyone@spam.example',
  help: 'An e-mail address or domain, or an IP address or network for the IP list. A percent sign stands for anything, as in @%.example.com or 192.0.2.%.',
});
const gone = text('Value', {
  required: true,
  maxLength: 320,
  example: 'anyone@spam.example',
  help: 'The entry as the list shows it.',
});

/** Refuses a mailbox that is not the one of the account. */
function checkMailbox(ctx: Context, given: string | undefined): void {
  const { user, own } = settingsOf(ctx);
  const same = (one: string) => one.toLowerCase() === given?.toLowerCase();
  if (given === undefined || [user, ...own].some(same) || !own.some(one => !one.startsWith('@'))) return;
  throw invalidField('mailbox', `This account is the mailbox ${own.find(one => !one.startsWith('@'))}, not ${given}.`);
}

/** A domain or a part of one, with `%` for anything, after `@` or not. */
const DOMAIN = /^@?(?=[^.%]*[.%])[\p{L}\p{M}\p{N}%_.-]+$/u;
const PATTERN = /^[^\s@,;<>"]+@[\p{L}\p{M}\p{N}%_.-]+$/u;
const isAddressOrPart = (text: string) =>
  isIP(text) > 0 || networkPart(text) !== undefined || /^[\d.%]+(\/\d+)?$/.test(text);

/** Mistakes that are certain in what is added. */
function checkValue(list: SieveSpamList, entry: string): void {
  if (list === 'blockedIps') {
    const part = networkPart(entry);
    const whole = entry.split('/')[0]!;
    if (part === undefined ? isIP(entry) > 0 : entry.includes('%') || isIP(whole) === 4) return;
    throw invalidField(
      'value',
      /^[\d.]+\/\d+$|:.*\/\d+$|-/.test(entry)
        ? `Rules on a mail server can only block whole parts of an IPv4 network, such as 192.0.2.0/24 or 192.0.%; "${entry}" is no such part.`
        : `"${entry}" is not an IP address, such as 192.0.2.1, nor a network, such as 192.0.2.% or 192.0.2.0/24.`,
    );
  }
  if (isAddressOrPart(entry))
    throw invalidField('value', `"${entry}" is an IP address; only the list of blocked IP addresses takes those.`);
  if (!DOMAIN.test(entry) && !PATTERN.test(entry) && parseAddress(entry)?.email !== entry) {
    throw invalidField('value', `"${entry}" is neither an e-mail address nor a domain.`);
  }
}

const sameEntry = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();

/** Where blocked mail goes: the folder that is for junk, else one of that name, which the server makes if it can. */
async function junkFolder(ctx: Context, { extensions }: At): Promise<string> {
  const found = settingsOf(ctx).imap
    ? await withImap(ctx, client => folderFor(client, 'junk'), { reads: true })
    : undefined;
  if (found === undefined && !extensions.has('mailbox')) {
    throw new MailError(
      'not_found',
      'There is no folder for junk, and the server cannot make one by itself. Create a folder "Junk" first.',
    );
  }
  return found ?? 'Junk';
}

async function add(ctx: Context, list: SieveSpamList, entry: string): Promise<Receipt> {
  checkValue(list, entry);
  const native = await changeRules(ctx, async (rules, at) => {
    const there = rules[list].some(one => sameEntry(one, entry));
    if (there && at.inForce)
      throw new MailError('conflict', `"${entry}" is already on the list.`, { advice: 'There is nothing to do.' });
    const junk = list === 'allowedSenders' ? rules.junk : (rules.junk ?? (await junkFolder(ctx, at)));
    return { ...rules, ...(junk === undefined ? {} : { junk }), [list]: there ? rules[list] : [...rules[list], entry] };
  });
  return { id: entry, native };
}

async function remove(ctx: Context, list: SieveSpamList, entry: string): Promise<Receipt> {
  const native = await changeRules(ctx, (rules): Rules => {
    if (!rules[list].some(one => sameEntry(one, entry)))
      throw new MailError('not_found', `"${entry}" is not on the list.`);
    return { ...rules, [list]: rules[list].filter(one => !sameEntry(one, entry)) };
  });
  return { id: entry, native };
}

async function* entries(ctx: Context, list: SieveSpamList): AsyncGenerator<SpamEntry> {
  for (const one of (await rulesOf(ctx))[list]) yield { list, value: one };
}

const HEADERS =
  'Senders are known by what a message says of itself, and by its envelope where the server has the extension "envelope"; IP addresses by any ' +
  'Received line, because the server does not tell rules who delivered. There is no list of allowed IP addresses: a sender could write such a line.';

/** The spam lists, kept as rules on the server. */
export const spamLists = previewing({
  'spamList.list': operation({
    summary: 'List the entries of a spam list of a mailbox',
    effect: 'read',
    plain: true,
    docs: 'RFC 5804 section 2.9',
    doubt: 'Entries are told as they were stored, also while another script was made active and they do not run.',
    input: { mailbox, list: which },
    run: (ctx, input) => {
      checkMailbox(ctx, input.mailbox);
      return entries(ctx, input.list);
    },
  }),
  'spamList.add': operation({
    summary: 'Add an entry to a spam list of a mailbox',
    effect: 'write',
    docs: 'RFC 5228 section 5.1, RFC 5228 section 4.1',
    doubt: HEADERS,
    input: { mailbox, list: which, value },
    run: async (ctx, input): Promise<Receipt> => {
      checkMailbox(ctx, input.mailbox);
      return add(ctx, input.list, input.value);
    },
  }),
  'spamList.remove': operation({
    summary: 'Remove an entry from a spam list of a mailbox',
    effect: 'destroy',
    docs: 'RFC 5228 section 5.1',
    input: { mailbox, list: which, value: gone },
    run: async (ctx, input): Promise<Receipt> => {
      checkMailbox(ctx, input.mailbox);
      return remove(ctx, input.list, input.value);
    },
  }),
} satisfies Operations);
