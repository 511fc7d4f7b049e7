import { invalidField } from '../../errors.js';
import { choice, list, text } from '../../fields.js';
import { path } from '../../url.js';

const WIKI = 'https://api-wiki.apps.rackspace.com/api-wiki/index.php';
/** A page of the vendor's wiki. */
export const wiki = (title: string) => `${WIKI}?title=${title}_(Rest_API)`;

export const domain = text('Domain', {
  required: true,
  format: 'host',
  ref: 'domain',
  example: 'example.com',
  help: 'The name of the domain.',
});
export const mailbox = text('Mailbox', {
  required: true,
  format: 'email',
  ref: 'mailbox',
  example: 'alex.smith@example.com',
  help: 'The e-mail address of the mailbox.',
});
export const alias = text('Alias', {
  required: true,
  format: 'email',
  ref: 'alias',
  example: 'sales@example.com',
  help: 'The e-mail address of the alias.',
});

/** Filters of every index; what they look at differs and stands in `help`. */
export const search = (lookedAt: string) => ({
  startswith: text('Starts With', {
    help: `Only those whose ${lookedAt} begins with this. 0-9 means any digit. Not together with Contains.`,
  }),
  contains: text('Contains', { help: `Only those whose ${lookedAt} contains this. Not together with Starts With.` }),
});

/** The vendor refuses both filters at once; so do we, before the request. */
export function oneFilter(filters: { startswith?: string; contains?: string }): void {
  if (filters.startswith !== undefined && filters.contains !== undefined)
    throw invalidField('contains', 'Contains cannot be combined with Starts With.');
}

export const columns = <const C extends Record<string, string>>(choices: C) =>
  list('Fields', choice('Field', choices), {
    help: 'Values to add to each entry. The names are always there.',
    wire: (names: string[]) => names.join(','),
  });

/** The parts of an address; the fields' format has made sure there are two. */
export function parts(address: string): { name: string; domain: string } {
  const at = address.lastIndexOf('@');
  return { name: address.slice(0, at), domain: address.slice(at + 1) };
}

/** Exchange or Rackspace Email: the same paths below `ex` and `rs`. */
export type Service = 'exchange' | 'rackspace';
const SEGMENT = { exchange: 'ex', rackspace: 'rs' } as const;
export const domainPath = (name: string) => path`/domains/${name}`;
export const servicePath = (name: string, service: Service) => `${domainPath(name)}/${SEGMENT[service]}`;
/** The address of a mailbox below its customer. */
export function mailboxPath(address: string, service: Service = 'exchange'): string {
  const { name, domain: place } = parts(address);
  return servicePath(place, service) + path`/mailboxes/${name}`;
}
