import assert from 'node:assert/strict';
import {
  auth,
  choice,
  codeOfStatus,
  connect,
  createClient,
  feed,
  fileOf,
  idOf,
  isMailError,
  list,
  located,
  MailError,
  nextStep,
  number,
  onWire,
  operation,
  pages,
  take,
  text,
  withoutSecrets,
  without,
  type ErrorCode,
  type Operations,
  type Provider,
} from '../../shared/index.js';
import { reference } from '../../shared/reference.js';

const mailbox = text('Mailbox', { required: true, ref: 'mailbox' });
const table = (operations: Operations, name = 'Acme'): Provider => ({
  id: name.toLowerCase(),
  name,
  docs: 'https://acme.example/docs',
  auth: auth({
    fields: {
      baseUrl: text('Base URL', { default: 'https://acme.example' }),
      key: text('Key', { required: true, secret: true }),
    },
    sign: request => request,
  }),
  pace: { concurrent: 2, perMinute: 60 },
  operations,
  feeds: {
    news: feed({
      summary: 'Something | happened',
      input: {},
      since: async () => {
        throw new MailError('unavailable', 'not now');
      },
    }),
  },
});
const op = { effect: 'read', docs: 'https://acme.example/docs#op' } as const;
const acme = table({
  'mailbox.list': operation({
    ...op,
    summary: 'List mailboxes',
    input: {},
    run: () =>
      pages(0, async () => {
        throw new MailError('unavailable', 'the list is away');
      }),
  }),
  'mailbox.get': operation({
    ...op,
    summary: 'Get a mailbox',
    input: { mailbox },
    run: async (_ctx, input) => ({ id: input.mailbox, status: 'active' as const, native: {} }),
  }),
  'key.rotate': operation({
    ...op,
    effect: 'write',
    summary: 'Rotate the key',
    doubt: 'Nobody knows.',
    orders: ['Rotate'],
    input: {
      password: text('Password', { secret: true, help: 'New | one.' }),
      size: number('Size', { min: 1, max: 9, default: 3 }),
      kind: choice('Kind', { a: 'A' }),
    },
    run: async (_ctx, input) => {
      throw new Error(`bad password ${input.password} for key-of-the-account`);
    },
  }),
});
const lists = table({
  'keys.set': operation({
    ...op,
    effect: 'write',
    summary: 'Set keys',
    input: { keys: list('Keys', text('Key', { secret: true })) },
    run: async (_ctx, input) => {
      throw new MailError('rejected', `no ${input.keys?.join(' and no ')}`, { native: { keys: input.keys } });
    },
  }),
});
const host = {
  account: {},
  send: async () => {
    throw new Error('nothing is sent here');
  },
};
const able = table(
  {
    'mailbox.restore': operation({
      ...op,
      effect: 'write',
      summary: 'Restore',
      input: { mailbox },
      run: async () => ({ id: 'x', status: 'active' as const, native: {} }),
    }),
  },
  'Able',
);
const client = createClient(acme, host, [acme, able]);
const failing = async (work: unknown): Promise<MailError> => {
  try {
    await (typeof (work as AsyncIterable<unknown>)[Symbol.asyncIterator] === 'function'
      ? take(work as AsyncIterable<unknown>)
      : work);
  } catch (error) {
    return error as MailError;
  }
  return assert.fail('it was expected to fail');
};

describe('client', () => {
  it('secrets in a list of secret texts are in no error', async () => {
    await assert.rejects(
      createClient(lists, host).call('keys.set', { keys: ['first-secret-1', 'second-secret-2'] }) as Promise<unknown>,
      (error: MailError) => {
        assert.equal(error.message, 'no *** and no ***');
        assert.doesNotMatch(JSON.stringify(error.details), /secret-/);
        return true;
      },
    );
  });
  it('runs what is in the table', async () => {
    assert.deepEqual(await client.call('mailbox.get', { mailbox: 'x' }), { id: 'x', status: 'active', native: {} });
    assert.deepEqual(
      ['mailbox.get', 'mailbox.restore', 'toString'].map(name => client.supports(name)),
      [true, false, false],
    );
  });
  it('refuses what is not, and names who can', async () => {
    const error = await failing(client.call('mailbox.restore', {}));
    assert.deepEqual(
      [error.code, error.message, error.details],
      [
        'unsupported',
        'Acme has no operation "mailbox.restore". It exists at Able.',
        { provider: 'Acme', operation: 'mailbox.restore' },
      ],
    );
    assert.equal((await failing(client.call('alias.list', {}))).message, 'Acme has no operation "alias.list".');
    assert.equal((await failing(client.since('other', {}))).code, 'unsupported');
  });
  it('never throws at once: lists fail when they are read, the rest as promises', async () => {
    assert.equal((await failing(client.call('mailbox.list', { nonsense: 1 }))).code, 'invalid_input');
    assert.equal((await failing(client.call('mailbox.get', {}))).code, 'invalid_input');
  });
  it('says where a failure happened, in operations, streams and feeds', async () => {
    for (const [work, operation] of [
      [client.call('mailbox.list', {}), 'mailbox.list'],
      [client.since('news', {}), 'news'],
    ] as const) {
      assert.deepEqual((await failing(work)).details, { provider: 'Acme', operation });
    }
    assert.equal(await client.from('news', {}, '2026-11-21T09:00:00Z'), undefined);
    assert.equal((await failing(client.from('news', {}, 'tomorrow'))).code, 'invalid_input');
  });
  it('lets no secret out, neither of the account nor of the input, whoever put it there', async () => {
    const hiding = createClient(acme, { ...host, secrets: () => ['key-of-the-account'] });
    const error = await failing(hiding.call('key.rotate', { password: 'new-password' }));
    assert.equal(error.message, 'bad password *** for ***');
    assert.ok(!error.stack!.includes('new-password'));
  });
});

describe('connect', () => {
  it('asks for what the account needs, and shows operations no secret of a signed account', async () => {
    assert.throws(() => connect(acme, {}), /Key is required/);
    let seen: unknown;
    const spying = table({
      'account.check': operation({
        ...op,
        summary: 'Check',
        input: {},
        run: async ctx => {
          seen = ctx;
        },
      }),
    });
    await connect(spying, { key: 'key-of-the-account', extra: 1 }).call('account.check', {});
    assert.deepEqual((seen as { account: unknown }).account, {
      baseUrl: 'https://acme.example',
      concurrent: 2,
      perMinute: 60,
    });
    assert.ok(!JSON.stringify(seen).includes('key-of-the-account'));
    assert.equal((seen as { secrets?: unknown }).secrets, undefined);
  });
  it('hides the secrets of the account in errors', async () => {
    const error = await failing(
      connect(acme, { key: 'key-of-the-account' }).call('key.rotate', { password: 'new-password' }),
    );
    assert.equal(error.message, 'bad password *** for ***');
  });
});

describe('errors', () => {
  it('withoutSecrets finds every spelling, down to the cause', () => {
    const secret = 'p@ss"wörd';
    const spelled = [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
      JSON.stringify(secret).slice(1, -1),
    ];
    const error = new MailError('rejected', spelled.join(' '), {
      issues: [{ field: 'password', message: `${secret} is weak` }],
      cause: new Error(`inner ${secret}`),
    });
    withoutSecrets(error, [secret]);
    const all = `${error.message}${error.stack}${error.details.issues![0]!.message}${(error.cause as Error).message}${(error.cause as Error).stack}`;
    for (const one of spelled) assert.ok(!all.includes(one), one);
    assert.equal(error.message, '*** *** *** ***');
    assert.equal((withoutSecrets(new Error('an abc'), ['a', 'abc']) as Error).message, 'an abc');
  });
  it('located keeps what an error already says, and leaves foreign errors alone', () => {
    const known = new MailError('conflict', 'x', { provider: 'A', operation: 'b.c' });
    const other = new Error('y');
    assert.equal(located(known, 'Z', 'z'), known);
    assert.equal(located(other, 'Z', 'z'), other);
    const placed = located(new MailError('conflict', 'x', { provider: 'A', status: 409 }), 'Z', 'z') as MailError;
    assert.deepEqual(placed.details, { provider: 'A', operation: 'z', status: 409 });
  });
  it('isMailError knows one from another copy of the core', () => {
    assert.ok(isMailError(Object.assign(new Error('x'), { name: 'MailError', code: 'conflict' })));
    assert.ok(!isMailError({ name: 'MailError', code: 'conflict' }));
  });
  it('every code has a next step that is a sentence', () => {
    const codes: Record<ErrorCode, true> = {
      unsupported: true,
      invalid_input: true,
      unauthorized: true,
      forbidden: true,
      not_found: true,
      conflict: true,
      rejected: true,
      rate_limited: true,
      unavailable: true,
      protocol: true,
    };
    for (const code of Object.keys(codes) as ErrorCode[])
      assert.match(nextStep(new MailError(code, 'x')), /^[A-Z].*\.$/);
    assert.match(nextStep(new MailError('rate_limited', 'x', { retryAfter: 6.2 })), /Wait 7 s/);
  });
  it('codeOfStatus follows the family of a status', () => {
    assert.deepEqual([418, 599, 302].map(codeOfStatus), ['rejected', 'unavailable', 'protocol']);
  });
  it('idOf wants a name', () => {
    assert.equal(idOf({ id: 7 }), '7');
    for (const native of [{}, { id: '' }, { id: null }, { id: {} }, { id: NaN }])
      assert.throws(
        () => idOf(native),
        error => isMailError(error) && error.code === 'protocol',
      );
  });
});

describe('fields', () => {
  it('onWire renames, spells and leaves out what is absent or has no field', () => {
    const fields = {
      a: text('A', { as: 'x.a' }),
      b: number('B', { wire: (n: number) => String(n) }),
      c: text('C'),
      d: text('D'),
    };
    assert.deepEqual(onWire(fields, { a: '', b: 1, c: undefined, e: 5 }), { 'x.a': '', b: '1' });
    assert.deepEqual(Object.keys(without(fields, 'a', 'c')), ['b', 'd']);
  });
  it('a file opens as often as it is asked', async () => {
    const value = fileOf('a', 'text/plain', Buffer.from('abc'));
    for (let i = 0; i < 2; i++) assert.equal(Buffer.concat(await take(value.open())).toString(), 'abc');
    assert.equal(value.size, 3);
  });
});

describe('reference', () => {
  it('prints account, operations, doubts, orders, fields and feeds, and breaks no table', () => {
    const rfc = {
      'message.copy': operation({
        ...op,
        effect: 'write',
        summary: 'Copy',
        docs: 'RFC 9051 section 6.4.7, RFC 4315',
        input: {},
        run: async () => undefined,
      }),
    };
    const page = reference({ ...acme, notice: 'Closes in May.', operations: { ...acme.operations, ...rfc } });
    for (const part of [
      '# Acme\n',
      '> Closes in May.',
      '| `key` | Key |  | text, secret | yes |  |',
      '| `perMinute` | Requests per Minute | Pace | whole number, 1 to 60000 | no |',
      '[`mailbox.get`](#mailboxget)',
      '**Not certain:** Nobody knows.',
      'Fulfils: Rotate.',
      "[Provider's page](https://acme.example/docs#op)",
      'New \\| one.',
      '| `size` | Size | whole number, 1 to 9 | no | Default: `3`. |',
      'one of `a`',
      'Can be picked from `mailbox.list`.',
      'It reads and gives a stream.',
      '### news',
      'Follows [RFC 9051](https://www.rfc-editor.org/rfc/rfc9051) section 6.4.7, [RFC 4315](https://www.rfc-editor.org/rfc/rfc4315).',
      'Something | happened. The provider is asked on a schedule.',
    ])
      assert.ok(page.includes(part), `${part}\n---\n${page}`);
    for (const line of page.split('\n').filter(row => row.startsWith('|'))) assert.ok(line.endsWith('|'), line);
    assert.doesNotMatch(page, /undefined|\[object|\n\n\n/);
  });
});
