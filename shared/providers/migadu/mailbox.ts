import { invalidField, something } from '../../errors.js';
import { choice, flag, list, onWire, text } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Mailbox, type Native } from '../../vocabulary.js';
import { api } from './api.js';
import { addressPath, day, DOCS, domainPath, footer, mailbox, onlyDomain, parts, rights } from './target.js';

/**
 * The common part of the vendor's mailbox. `is_active` is in its answers of 6 August 2026
 * (github.com/mahckrocks24/boss888-laravel-app), not on its page.
 */
const toMailbox = (native: Native): Mailbox => {
  const address = idOf(native, 'address');
  const changed = native.changed_at;
  return {
    id: address,
    email: address,
    ...(typeof native.name === 'string' && native.name ? { name: native.name } : {}),
    status: native.is_active === true ? 'active' : native.is_active === false ? 'disabled' : 'unknown',
    ...(typeof changed === 'string' && !Number.isNaN(Date.parse(changed))
      ? { updatedAt: new Date(changed).toISOString() }
      : {}),
    native,
  };
};

const name = text('Name', { example: 'Ann Example', help: 'The name that stands before the address in what is sent.' });
const password = text('Password', { secret: true, minLength: 8, help: 'It is never shown again.' });
// Not under the vendor's name: n8n hides what people type into a parameter that is called a password.
const recovery = text('Recovery Address', {
  as: 'password_recovery_email',
  format: 'email',
  help: 'An address elsewhere, for when the password is lost.',
});
const senders = (label: string, help: string) => list(label, text('Address', {}), { group: 'Spam', help });
const settings = {
  is_internal: flag('Internal Only', {
    help: 'Whether it takes mail from Migadu’s own servers alone.',
    group: 'Rights',
  }),
  wildcard_sender: flag('Any Sender', {
    help: 'Whether it may send from every address of the domain.',
    group: 'Rights',
  }),
  ...rights,
  spam_action: choice(
    'Spam Goes To',
    { folder: 'The Junk Folder', reject: 'No One: It Is Refused', none: 'The Inbox' },
    { group: 'Spam', open: true },
  ),
  spam_aggressiveness: choice(
    'Spam Filter',
    { default: 'As the Domain', low: 'Low', normal: 'Normal', high: 'High', very_high: 'Very High' },
    { group: 'Spam', open: true },
  ),
  sender_allowlist: senders('Allowed Senders', 'Replaces all entries. Their mail is never taken for spam.'),
  sender_denylist: senders('Blocked Senders', 'Replaces all entries. Their mail is refused.'),
  recipient_denylist: senders(
    'Blocked Recipients',
    'Replaces all entries. Mail to these addresses of the mailbox is refused.',
  ),
  ...footer,
};
const changes = {
  name,
  password,
  recovery_email: { ...recovery, clearable: true as const },
  is_active: flag('Active', { help: 'Whether the mailbox can be used.' }),
  ...settings,
  autorespond_active: flag('Auto Reply', { help: 'Whether mail is answered by itself.', group: 'Auto Reply' }),
  autorespond_subject: text('Auto Reply Subject', { clearable: true, group: 'Auto Reply' }),
  autorespond_body: text('Auto Reply Text', { lines: 4, clearable: true, group: 'Auto Reply' }),
  autorespond_expires_on: day('Auto Reply Until', 'The day on which it ends, in UTC.', 'Auto Reply'),
  expires_on: day('Expires On', 'The day on which the mailbox ends, in UTC.'),
  remove_upon_expiry: flag('Remove When Expired', {
    help: 'Whether the mailbox is removed with its mail on that day.',
  }),
};
const creation = {
  mailbox: { ...mailbox, ref: undefined, help: 'The address of the new mailbox, in a domain of the account.' },
  name: { ...name, required: true as const },
  password_method: choice(
    'Password Set By',
    { password: 'You', invitation: 'Its Owner, by Invitation' },
    { default: 'password', help: 'An invitation goes to the recovery address.' },
  ),
  password: { ...password, help: 'Needed unless the owner is invited. It is never shown again.' },
  recovery_email: { ...recovery, help: 'Needed for an invitation, which goes there.' },
  forwarding_to: text('Forwarding To', {
    format: 'email',
    help: 'An address elsewhere that gets a copy of each message, once its owner has confirmed.',
  }),
  ...settings,
};

export const mailboxes = {
  'mailbox.list': operation({
    summary: 'List mailboxes',
    effect: 'read',
    docs: DOCS,
    doubt: 'The list has no pages in the documents; all mailboxes of a domain come in one answer.',
    input: { domain: onlyDomain },
    run: (ctx, input) => map(api(ctx).ofDomains(input.domain, 'mailboxes', 'mailboxes'), toMailbox),
  }),
  'mailbox.get': operation({
    summary: 'Get a mailbox',
    effect: 'read',
    docs: DOCS,
    input: { mailbox },
    run: async (ctx, input) => toMailbox(await api(ctx).get(addressPath('mailboxes', input.mailbox))),
  }),
  'mailbox.create': operation({
    summary: 'Create a mailbox',
    effect: 'write',
    docs: DOCS,
    doubt: 'That a name is needed is not documented; without one, other programs saw the call refused.',
    input: creation,
    async run(ctx, { mailbox: address, ...input }) {
      const missing = input.password_method === 'invitation' ? 'recovery_email' : 'password';
      if (input[missing] === undefined)
        throw invalidField(missing, `Give ${creation[missing].label}, which this way to set the password needs.`);
      const { name: local_part, domain: place } = parts(address);
      const body = { local_part, ...onWire(creation, input) };
      return toMailbox(
        await api(ctx).create(`${domainPath(place)}/mailboxes`, body, addressPath('mailboxes', address)),
      );
    },
  }),
  'mailbox.update': operation({
    summary: 'Change a mailbox',
    effect: 'write',
    docs: DOCS,
    doubt: 'Active is in the provider’s answers and not on its page; other programs set it together with a password.',
    input: { mailbox, ...changes },
    async run(ctx, { mailbox: address, ...input }) {
      something(input);
      return toMailbox(await api(ctx).put(addressPath('mailboxes', address), onWire(changes, input)));
    },
  }),
  'mailbox.delete': operation({
    summary: 'Delete a mailbox with all of its mail',
    effect: 'destroy',
    docs: DOCS,
    doubt:
      'Other programs saw the error 500 although the mailbox was deleted. After that answer Mailroom looks, and says what it found.',
    input: { mailbox },
    run: (ctx, input) => api(ctx).delete(addressPath('mailboxes', input.mailbox), input.mailbox),
  }),
} satisfies Operations;
