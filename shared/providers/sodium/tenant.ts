import { text, time } from '../../fields.js';
import { path } from '../../url.js';
import { map } from '../../pages.js';
import { operation, type Operations } from '../../provider.js';
import { idOf, type Native, type Receipt } from '../../vocabulary.js';
import { api, DOCS, inTenant, once, tenant, words } from './api.js';

/** A tenant, a task: `id` is what the other operations take, the vendor's code. */
export interface Named {
  id: string;
  name: string;
  native: Native;
}
const toNamed = (native: Native): Named => ({
  id: idOf(native, 'code'),
  name: words(native.name) ?? idOf(native, 'code'),
  native,
});

/** A key of the API. `secret` is there once, in the answer that made it. */
export interface Key {
  id: string;
  name?: string;
  expiryDate?: string;
  secret?: string;
  native: Native;
}
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
/** The members are not published: the id is a GUID, so the first one that looks like it is taken. */
const toKey = (native: Native): Key => {
  const said = (...names: string[]) => names.map(name => words(native[name]));
  const id = said('id', 'code', 'uniqueId', 'key').find(value => value && UUID.test(value)) ?? idOf(native, 'id');
  const secret = said('secret', 'apiKey', 'key', 'value', 'token').find(value => value && value !== id);
  const [name, expiryDate] = said('name', 'expiryDate');
  return {
    id,
    ...(name ? { name } : {}),
    ...(expiryDate ? { expiryDate } : {}),
    ...(secret ? { secret } : {}),
    native,
  };
};

const TENANTS = `${DOCS}/operations/tenants/`;
const KEYS = `${DOCS}/guides/authentication`;

export const tenants = {
  'tenant.list': operation({
    summary: "List the tenants of the key's user",
    effect: 'read',
    docs: TENANTS,
    doubt: 'Whether the answer is a bare list or an envelope is not documented; both are read.',
    input: {},
    run: ctx => map(api(ctx).whole('/tenants'), toNamed),
  }),
  'tenant.get': operation({
    summary: 'Get a tenant',
    effect: 'read',
    docs: TENANTS,
    input: { tenant },
    run: async (ctx, input) => toNamed(await api(ctx).get(inTenant(ctx, input))),
  }),
  'tenant.me': operation({
    summary: "Get the role and permissions of the key's user in a tenant",
    effect: 'read',
    plain: true,
    docs: TENANTS,
    input: { tenant },
    run: async (ctx, input): Promise<{ native: Native }> => ({
      native: await api(ctx).get(`${inTenant(ctx, input)}/me`),
    }),
  }),
  'task.list': operation({
    summary: 'List tasks',
    effect: 'read',
    docs: `${DOCS}/operations/tasks/`,
    doubt: 'The filter by client is known from a public client of the API, not from its documents.',
    input: { tenant, clientCode: text('Client Code', { help: 'Only tasks of this client.' }) },
    run: (ctx, { clientCode, ...input }) =>
      map(
        api(ctx).list(`${inTenant(ctx, input)}/tasks`, { clientCode }, row => idOf(row, 'code')),
        toNamed,
      ),
  }),
  'key.list': operation({
    summary: 'List the API keys of the user',
    effect: 'read',
    docs: KEYS,
    doubt: 'The members of a key are not documented.',
    input: {},
    run: ctx => map(api(ctx).whole('/account/keys'), toKey),
  }),
  'key.create': operation({
    summary: 'Create an API key',
    effect: 'write',
    docs: KEYS,
    consequence: 'The result shows the secret of the key. It is never shown again.',
    doubt:
      'The members name and expiryDate are assumed: the documents only say that a key has a name and an expiry date.',
    input: {
      name: text('Name', {
        required: true,
        example: 'Mailroom',
        help: 'The result shows the secret of the key. It is never shown again.',
      }),
      expiryDate: time('Expiry Date', { help: 'When the key stops working. Left empty, Sodium decides.' }),
    },
    run: async (ctx, input) =>
      toKey(
        await once('A key may or may not have been made: look at List Keys before you run this again.', () =>
          api(ctx).write('POST', '/account/keys', input),
        ),
      ),
  }),
  'key.delete': operation({
    summary: 'Delete an API key',
    effect: 'destroy',
    docs: KEYS,
    input: {
      key: text('Key', {
        required: true,
        format: 'uuid',
        ref: 'key',
        knownBy: 'name',
        help: 'The ID of the key, not its secret.',
      }),
    },
    run: async (ctx, input): Promise<Receipt> => ({
      id: input.key,
      native: await api(ctx).act('DELETE', path`/account/keys/${input.key}`),
    }),
  }),
} satisfies Operations;
