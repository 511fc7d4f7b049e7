import { domainToASCII } from 'node:url';
import { invalidField } from '../../errors.js';
import { flag, list, text, time } from '../../fields.js';
import { path } from '../../url.js';

/**
 * The vendor's page on its API, as it stood in August 2026. It has a section for each resource, and none has an address
 * of its own.
 */
export const DOCS = 'https://www.migadu.com/api/';

export const domain = text('Domain', {
  required: true,
  format: 'host',
  ref: 'domain',
  example: 'example.com',
  help: 'The name of the domain.',
});
/** A domain that a list may be narrowed to. */
export const onlyDomain = {
  ...domain,
  required: undefined,
  help: 'Only what this domain has. Left empty, every domain is read, with a request for each.',
};
export const mailbox = text('Mailbox', {
  required: true,
  format: 'email',
  ref: 'mailbox',
  example: 'ann@example.com',
  help: 'The email address of the mailbox.',
});

/**
 * The parts of an address; the fields' format has made sure there are two. The domain is spelled as the vendor spells
 * it, in ASCII.
 */
export function parts(address: string): { name: string; domain: string } {
  const at = address.lastIndexOf('@');
  const place = address.slice(at + 1);
  return { name: address.slice(0, at), domain: domainToASCII(place) || place };
}
export const domainPath = (name: string) => path`/domains/${domainToASCII(name) || name}`;
/** Where an address stands below its domain. */
export function addressPath(kind: 'mailboxes' | 'aliases', address: string): string {
  const { name, domain: place } = parts(address);
  return `${domainPath(place)}/${kind}${path`/${name}`}`;
}
/** The part before the @, of an address that has to be in the mailbox's own domain. */
export function nameBeside(address: string, of: string, field: string): string {
  const { name, domain: place } = parts(address);
  if (place.toLowerCase() !== parts(of).domain.toLowerCase())
    throw invalidField(field, `It has to be an address of ${parts(of).domain}, as the mailbox is.`);
  return name;
}

/** What a login may be used for, of a mailbox and of an identity. */
export const rights = {
  may_send: flag('May Send', { help: 'Whether it may send mail.', group: 'Rights' }),
  may_receive: flag('May Receive', { help: 'Whether it receives mail.', group: 'Rights' }),
  may_access_imap: flag('May Use IMAP', { help: 'Whether it may be read over IMAP.', group: 'Rights' }),
  may_access_pop3: flag('May Use POP3', { help: 'Whether it may be read over POP3.', group: 'Rights' }),
  may_access_managesieve: flag('May Use ManageSieve', {
    help: 'Whether its rules may be changed over ManageSieve.',
    group: 'Rights',
  }),
};
export const footer = {
  footer_active: flag('Footer', { help: 'Whether a footer is added to what is sent.', group: 'Footer' }),
  footer_plain_body: text('Footer Text', { lines: 3, clearable: true, group: 'Footer' }),
  footer_html_body: text('Footer HTML', { lines: 3, format: 'html', clearable: true, group: 'Footer' }),
};
export const destinations = list('Destinations', text('Destination', { format: 'email' }), {
  required: true,
  minItems: 1,
  help: 'The addresses that receive the mail.',
});
/** A day without a time, which is how the vendor writes the end of something. */
export const day = (label: string, help: string, group?: string) =>
  time(label, { help, ...(group ? { group } : {}), wire: (at: string) => new Date(at).toISOString().slice(0, 10) });
