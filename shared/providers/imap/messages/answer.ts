import { domainToASCII } from 'node:url';
import { formatAddress, parseAddress } from '../../../address.js';
import { MailError } from '../../../errors.js';
import type { Address } from '../../../vocabulary.js';
import type { Parent } from './parent.js';

/**
 * Gmail delivers the same mailbox under both names, and with dots anywhere:
 * https://support.google.com/mail/answer/7436150
 */
const GMAIL = /^(?:gmail|googlemail)\.com$/;

/**
 * An address in the one spelling it is compared in: the case of letters never tells two mailboxes apart in practice.
 */
export function sameSpelling(email: string): string {
  const at = email.lastIndexOf('@');
  const domain = email.slice(at + 1);
  return `${email.slice(0, at).normalize('NFC').toLowerCase()}@${(domainToASCII(domain) || domain).toLowerCase()}`;
}

/**
 * The mailbox behind an address: without what stands behind a plus sign (RFC 5233), which its owner may choose at will.
 */
function mailboxOf(email: string): string {
  const spelled = sameSpelling(email);
  const at = spelled.lastIndexOf('@');
  const domain = spelled.slice(at + 1);
  const local = spelled.slice(0, at).replace(/(?<=.)\+.*$/s, '');
  return GMAIL.test(domain) ? `${local.replaceAll('.', '')}@gmail.com` : `${local}@${domain}`;
}

/** Tells whether an address is one of ours. An entry that begins with `@` stands for all addresses of its domain. */
export function isOneOf(own: readonly string[]): (email: string) => boolean {
  const mailboxes = new Set(own.filter(one => !one.startsWith('@')).map(mailboxOf));
  const domains = new Set(own.filter(one => one.startsWith('@')).map(sameSpelling));
  return email => mailboxes.has(mailboxOf(email)) || domains.has(sameSpelling(email.slice(email.lastIndexOf('@'))));
}

/** The addresses that mail can be sent to, each once. A name that cannot be written is left out. */
function usable(list: readonly Address[]): Address[] {
  const found = new Map<string, Address>();
  for (const one of list) {
    const read = parseAddress(formatAddress(one)) ?? parseAddress(one.email);
    if (read && !found.has(sameSpelling(read.email))) found.set(sameSpelling(read.email), read);
  }
  return [...found.values()];
}

/**
 * Whom an answer goes to: where the author wants it (Reply-To), else to the author, and for a message of our own to
 * those it went to. Never to ourselves, since it would come back and be answered again, and to nobody twice. Throws
 * `rejected` where nobody is left, and for an automatic answer to ourselves.
 */
export function answerTo(
  parent: Pick<Parent, 'from' | 'replyTo' | 'to' | 'cc' | 'error'>,
  isOwn: (email: string) => boolean,
  { all, automatic }: { all: boolean; automatic: boolean },
): { to: Address[]; cc: Address[] } {
  const others = (list: readonly Address[]) => usable(list).filter(one => !isOwn(one.email));
  const author = parent.from ? [parent.from] : [];
  const wanted = others(parent.replyTo);
  const ours = !wanted.length && author.some(one => isOwn(one.email));
  if (ours && automatic)
    throw new MailError('rejected', 'The message is from this account itself, so no automatic answer is sent.');
  const recipients = [parent.to, parent.cc].map(others);
  const to = wanted.length ? wanted : !ours ? others(author) : (recipients.find(list => list.length) ?? []);
  if (!to.length)
    throw new MailError(
      'rejected',
      ours
        ? 'The message is from this account and went to nobody else, so the answer would come back to where it is sent from. Send a new message instead.'
        : `The message does not say whom to answer.${parent.error ? ` ${parent.error}` : ''}`,
    );
  const already = new Set(to.map(one => sameSpelling(one.email)));
  const cc = all ? usable(recipients.flat()).filter(one => !already.has(sameSpelling(one.email))) : [];
  const count = to.length + cc.length;
  if (count > MOST_ANSWERED)
    throw new MailError(
      'rejected',
      `The answer would go to ${count} addresses, and ${MOST_ANSWERED} at most are answered. Send a new message to those whom you mean.`,
    );
  return { to, cc };
}
/** As many as a message of our own can have; a stranger's header makes us write to no more. */
const MOST_ANSWERED = 1_000;

/** The one of our addresses that a message came to, to answer from it; undefined where it names none. */
export function addressedTo(
  parent: Pick<Parent, 'to' | 'cc' | 'delivered'>,
  own: readonly string[],
): string | undefined {
  const named = new Set(
    [...parent.to, ...parent.cc, ...parent.delivered.map(email => ({ email }))].map(one => mailboxOf(one.email)),
  );
  return own.find(one => !one.startsWith('@') && named.has(mailboxOf(one)));
}
