import { text } from '../../fields.js';
import { map } from '../../pages.js';
import { operation, type Context, type Operations } from '../../provider.js';
import { api, needed } from './api.js';
import { domain, mailbox, mailboxPath, oneFilter, search, servicePath, wiki } from './target.js';

const DOCS = wiki('Exchange_Mailbox');
const NO_SAMPLE =
  'The provider prints no sample of this list; entries are read as the names and display names of the other lists.';
const filters = search('name or display name');

/** The index hangs on the domain and is plural; adding and deleting hang on the mailbox and are singular. */
function services(
  ctx: Context,
  service: string,
  { domain: place, ...input }: { domain: string; startswith?: string; contains?: string },
) {
  oneFilter(input);
  return map(
    api(ctx).list(`${servicePath(place, 'exchange')}/${service}mobileservices`, { filters: input }),
    native => {
      const id = `${needed(ctx, native, 'name')}@${place}`;
      return { id, name: native.displayName ? String(native.displayName) : id, native };
    },
  );
}
async function change(
  ctx: Context,
  method: 'POST' | 'DELETE',
  service: string,
  address: string,
  form?: Record<string, unknown>,
) {
  await api(ctx).write(method, `${mailboxPath(address)}/${service}mobileservice`, form);
  return { id: address, native: {} };
}

/** Which Exchange mailboxes have a mobile service. */
export const mobile = {
  'blackBerry.list': operation({
    summary: 'List the mailboxes of a domain that have the BlackBerry service',
    effect: 'read',
    docs: DOCS,
    orders: ['BlackBerry Index'],
    doubt: NO_SAMPLE,
    input: { domain, ...filters },
    run: (ctx, input) => services(ctx, 'blackberry', input),
  }),
  'blackBerry.add': operation({
    summary: 'Attach the BlackBerry service to a mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['BlackBerry Add'],
    input: { mailbox, activationPassword: text('Activation Password', { required: true, secret: true }) },
    run: (ctx, input) =>
      change(ctx, 'POST', 'blackberry', input.mailbox, { activationPassword: input.activationPassword }),
  }),
  'blackBerry.delete': operation({
    summary: 'Detach the BlackBerry service from a mailbox',
    effect: 'destroy',
    docs: DOCS,
    orders: ['BlackBerry Delete'],
    doubt: 'What the provider answers where no service is attached is not documented.',
    input: { mailbox },
    run: (ctx, input) => change(ctx, 'DELETE', 'blackberry', input.mailbox),
  }),
  'activeSync.list': operation({
    summary: 'List the mailboxes of a domain that have the ActiveSync service',
    effect: 'read',
    docs: DOCS,
    orders: ['ActiveSync Index'],
    doubt: NO_SAMPLE,
    input: { domain, ...filters },
    run: (ctx, input) => services(ctx, 'activesync', input),
  }),
  // The wiki's example for this one is that of BlackBerry, activation password included; its URL line is taken, and no
  // field is sent.
  'activeSync.add': operation({
    summary: 'Attach the ActiveSync service to a mailbox',
    effect: 'write',
    docs: DOCS,
    orders: ['ActiveSync Add'],
    doubt: "The provider's example shows the BlackBerry path and field; its URL is followed.",
    input: { mailbox },
    run: (ctx, input) => change(ctx, 'POST', 'activesync', input.mailbox),
  }),
  // As printed, with `blackberrymobileservice`, this would detach BlackBerry.
  'activeSync.delete': operation({
    summary: 'Detach the ActiveSync service from a mailbox',
    effect: 'destroy',
    docs: DOCS,
    orders: ['ActiveSync Delete'],
    doubt:
      'The provider prints the BlackBerry path here, which would detach the wrong service; the path of Add is used.',
    input: { mailbox },
    run: (ctx, input) => change(ctx, 'DELETE', 'activesync', input.mailbox),
  }),
} satisfies Operations;
