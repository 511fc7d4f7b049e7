import { attributesOf, relatedId } from '../../codecs/jsonApi.js';
import { flag, text } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import type { Native } from '../../vocabulary.js';
import { api, DOCS as REFERENCE, id } from './api.js';
import { collection } from './collection.js';

const DOCS = `${REFERENCE}User`;
/** A user; `mailbox` is the id of the default mailbox. */
export interface User {
  id: string;
  email?: string;
  name?: string;
  mailbox?: string;
  native: Native;
}

const toUser = (native: Native): User => {
  const { email, name, firstName, lastName } = attributesOf(native);
  const mailbox = relatedId(native, 'mailbox');
  const called = typeof name === 'string' && name ? name : [firstName, lastName].filter(Boolean).join(' ');
  return {
    id: String(native.id),
    ...(typeof email === 'string' ? { email } : {}),
    ...(called ? { name: called } : {}),
    ...(mailbox === undefined ? {} : { mailbox }),
    native,
  };
};
const listed = collection({
  type: 'user',
  open: true,
  readable: {
    email: 'Email',
    firstName: 'First Name',
    lastName: 'Last Name',
    name: 'Name',
    username: 'Username',
    title: 'Title',
    locked: 'Locked',
    userGuid: 'User GUID',
    mailboxErrorEmailEnabled: 'Mailbox Error Email Enabled',
    createdAt: 'Created At',
    updatedAt: 'Updated At',
  },
  filters: {
    email: text('Email', { format: 'email', maxLength: 255 }),
    username: text('Username', { maxLength: 255, pattern: '^[^,]*$' }),
    firstName: text('First Name', { maxLength: 255, pattern: '^[^,]*$' }),
    lastName: text('Last Name', { maxLength: 255, pattern: '^[^,]*$' }),
    locked: flag('Locked', {
      help: 'Whether to list only users who are locked (true) or only those who are not (false).',
    }),
  },
  times: { createdAt: 'Created', updatedAt: 'Updated' },
  sorts: { email: 'Email', firstName: 'First Name', lastName: 'Last Name', username: 'Username', locked: 'Locked' },
});

export const users = {
  'user.list': operation({
    summary: 'List users',
    effect: 'read',
    docs: DOCS,
    input: listed.input,
    run: (ctx, input) => map(api(ctx).pages('/users', listed.parameters(input)), toUser),
  }),
  'user.get': operation({
    summary: 'Get a user',
    effect: 'read',
    docs: DOCS,
    input: {
      user: id('User', { required: true, ref: 'user', knownBy: 'email', help: 'The ID of the user.' }),
      ...listed.one,
    },
    run: async (ctx, input) => toUser(await api(ctx).get(path`/users/${input.user}`, listed.shape(input))),
  }),
} satisfies Operations;
