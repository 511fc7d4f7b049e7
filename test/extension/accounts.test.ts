import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { providers, type Field } from '../../shared/index.js';
import {
  createAccounts,
  fieldsOf,
  grantOf,
  parted,
  readSandboxLine,
  signsInAgain,
  type Secrets,
  type StoredAccount,
} from '../../extension/accounts/store.js';
import { isThere, readExport, writeExport, trustedBy } from '../../extension/accounts/transfer.js';

interface Options {
  failing?: boolean;
  keeps?: boolean;
  answer?: Secrets | undefined;
  sandbox?: string;
  proxies?: () => object;
  asked?: (account: StoredAccount) => Promise<Secrets | undefined>;
}
function harness(options: Options = {}) {
  const state = new Map<string, unknown>();
  const secrets = new Map<string, string>();
  const seen = {
    asked: 0,
    reads: 0,
    changed: [] as (string | undefined)[],
    named: [] as boolean[],
    failed: 0,
    proxies: 0,
    refused: [] as string[],
    notDeleted: 0,
    states: [] as string[],
  };
  const clock = {
    now: 1_000_000,
    timers: new Set<{ at: number; run: () => void }>(),
    pass(ms: number) {
      clock.now += ms;
      for (const one of [...clock.timers])
        if (one.at <= clock.now) {
          clock.timers.delete(one);
          one.run();
        }
    },
  };
  let listener: (event: { key: string }) => void = () => {};
  const accounts = createAccounts({
    state: {
      get: ((key: string, other: unknown) => state.get(key) ?? other) as never,
      update: async (key: string, value: unknown) => {
        if (value === undefined) state.delete(key);
        else state.set(key, JSON.parse(JSON.stringify(value)));
      },
      keys: () => [...state.keys()],
    },
    secrets: {
      get: async key => {
        seen.reads++;
        if (options.failing) throw new Error('no keychain');
        return secrets.get(key);
      },
      store: async (key, value) => {
        if (options.failing) throw new Error('no keychain');
        secrets.set(key, value);
        listener({ key });
      },
      delete: async key => {
        if (options.keeps) throw new Error('locked');
        secrets.delete(key);
      },
      onDidChange: ((listen: typeof listener) => {
        listener = listen;
        return { dispose() {} };
      }) as never,
    },
    ask: async account => {
      seen.asked++;
      return options.asked ? options.asked(account) : options.answer;
    },
    refused: async one => {
      seen.refused.push(one.id);
    },
    notDeleted() {
      seen.notDeleted++;
    },
    stateChanged: id => seen.states.push(`${id} ${accounts.stateOf(id)}`),
    now: () => clock.now,
    later: (run, ms) => {
      const one = { at: clock.now + ms, run };
      clock.timers.add(one);
      return () => {
        clock.timers.delete(one);
      };
    },
    changed: (account, named) => {
      seen.changed.push(account);
      seen.named.push(named === true);
    },
    observe() {},
    storeFailed() {
      seen.failed++;
    },
    ...(options.proxies ? { proxies: options.proxies } : {}),
    ...(options.sandbox ? { sandbox: options.sandbox } : {}),
  });
  return {
    accounts,
    state,
    secrets,
    seen,
    clock,
    options,
    hear: async (key: string) => {
      listener({ key });
      await new Promise(resolve => setImmediate(resolve));
    },
  };
}
/** A provider that signs with a required secret, whichever it is. */
const provider = providers.find(
  ({ auth }) =>
    auth.sign &&
    Object.values(auth.fields as Record<string, { secret?: boolean; required?: boolean }>).some(
      field => field.secret && field.required,
    ),
)!;
const secretName = Object.entries(provider.auth.fields as Record<string, { secret?: boolean }>).find(
  ([, field]) => field.secret,
)![0];
const open = Object.fromEntries(
  Object.entries(
    provider.auth.fields as Record<
      string,
      { secret?: boolean; required?: boolean; default?: unknown; format?: string }
    >,
  )
    .filter(([, field]) => !field.secret && field.required && field.default === undefined)
    .map(([name, field]) => [name, field.format === 'uri' ? 'https://x.example' : 'value']),
);
const account = (remember: StoredAccount['remember']): StoredAccount => ({
  id: 'one',
  name: 'One',
  provider: provider.id,
  values: { ...open, baseUrl: 'https://x.example' },
  remember,
});
const SECRET = { [secretName]: 'a-very-secret-value' };

describe('accounts', () => {
  it('keep: secrets lie in the secret store and nowhere else', async () => {
    const { accounts, state, secrets } = harness();
    await accounts.add(account('keep'), SECRET);
    assert.ok(!JSON.stringify([...state]).includes('a-very-secret-value'));
    assert.match(secrets.get('account:one')!, /a-very-secret-value/);
    await accounts.open('one');
    await accounts.remove('one');
    assert.equal(secrets.size, 0);
    assert.deepEqual(accounts.list(), []);
  });
  it('session: nothing is stored, and nobody is asked again in this window', async () => {
    const { accounts, secrets, seen } = harness();
    await accounts.add(account('session'), SECRET);
    assert.equal(secrets.size, 0);
    await accounts.open('one');
    assert.equal(seen.asked, 0);
  });
  it('what this window stored, and tokens that any renewed, are no reason to read the tree again; other secrets are', async () => {
    const { accounts, secrets, seen, hear } = harness();
    await accounts.add(account('keep'), SECRET);
    await accounts.open('one');
    seen.changed.length = 0;
    secrets.set('account:one', JSON.stringify({ ...SECRET, tokens: { accessToken: 'renewed', obtainedAt: 1 } }));
    await hear('account:one');
    assert.deepEqual(seen.changed, []);
    secrets.set('account:one', JSON.stringify({ [secretName]: 'another' }));
    await hear('account:one');
    assert.deepEqual(seen.changed, ['one']);
  });
  it('an account that goes takes its drafts along, and no other', async () => {
    const { accounts, state } = harness();
    await accounts.add(account('keep'), SECRET);
    state.set('draft one message.send {}', { values: { text: 'private' } }).set('draft other message.send {}', {});
    await accounts.remove('one');
    assert.deepEqual(
      [...state.keys()].filter(key => key.startsWith('draft')),
      ['draft other message.send {}'],
    );
  });
  it('a new name is told apart from new values', async () => {
    const { accounts, seen } = harness();
    await accounts.add(account('keep'), SECRET);
    seen.named.length = 0;
    await accounts.update('one', { name: 'Two' });
    await accounts.update('one', { values: {} });
    assert.deepEqual(seen.named, [true, false]);
  });
  it('a session that ended is asked for, once for many', async () => {
    const { accounts, state, seen } = harness({ answer: SECRET });
    state.set('accounts', [account('session')]);
    await Promise.all([accounts.open('one'), accounts.open('one', new AbortController().signal), accounts.open('one')]);
    assert.equal(seen.asked, 1);
  });
  it('never: what was given is not stored', async () => {
    const { accounts, state, secrets, seen } = harness({ answer: SECRET });
    state.set('accounts', [account('never')]);
    await accounts.open('one');
    assert.equal(secrets.size, 0);
    assert.equal(seen.asked, 1);
    accounts.dispose();
  });
  it('whether an account is ready is found out without asking anybody', async () => {
    const { accounts, state, seen } = harness({ answer: SECRET });
    state.set('accounts', [account('session')]);
    assert.equal(await accounts.ready('one'), false);
    await accounts.open('one');
    assert.equal(await accounts.ready('one'), true);
    assert.equal(seen.asked, 1);
  });
  it('proxies are asked for with the first request, and again when they changed', async () => {
    const { accounts, seen } = harness({
      proxies: () => {
        seen.proxies++;
        return {};
      },
    });
    await accounts.add(account('session'), SECRET);
    assert.equal(seen.proxies, 0);
    await Promise.all([accounts.open('one'), accounts.open('one', new AbortController().signal)]);
    assert.equal(seen.proxies, 1);
    const before = await accounts.open('one');
    accounts.renewNetwork();
    assert.notEqual(await accounts.open('one'), before, 'the next request goes the new way');
    assert.equal(seen.proxies, 2);
  });
  it('an index without its secret says so and does not vanish', async () => {
    const { accounts, state } = harness();
    state.set('accounts', [account('keep')]);
    await assert.rejects(accounts.open('one'), { code: 'unauthorized' });
    assert.equal(accounts.list().length, 1);
  });
  it('a secret store that does not answer is told once, and the session goes on', async () => {
    const { accounts, seen } = harness({ failing: true });
    await accounts.add(account('keep'), SECRET);
    await accounts.open('one');
    await accounts.open('one', new AbortController().signal);
    assert.equal(seen.failed, 1);
    assert.equal(seen.asked, 0);
  });
  it('secrets that came with another choice of remembering are taken out of the store', async () => {
    const { accounts, secrets } = harness();
    await accounts.add(account('keep'), SECRET);
    await accounts.update('one', { remember: 'session' }, SECRET);
    assert.equal(secrets.size, 0);
  });
  it('an export holds no secret of any provider and can be imported again', () => {
    const sample = (field: Field): unknown =>
      field.default ??
      (field.type === 'choice'
        ? Object.keys(field.choices)[0]
        : field.type === 'number'
          ? (field.min ?? 1)
          : field.type === 'flag'
            ? true
            : field.type === 'text'
              ? field.format === 'uri'
                ? 'https://x.example'
                : field.format === 'email'
                  ? 'a@x.example'
                  : (field.example ?? 'plain')
              : undefined);
    const all: StoredAccount[] = providers.map(one => ({
      id: one.id,
      name: one.name,
      provider: one.id,
      remember: 'keep',
      values: Object.fromEntries(
        Object.entries(fieldsOf(one))
          .filter(([, field]) => field.required || (field as { secret?: boolean }).secret)
          .map(([name, field]) => [name, (field as { secret?: boolean }).secret ? 'top-secret' : sample(field)]),
      ),
    }));
    const text = writeExport(all);
    const entries = readExport(text);
    assert.ok(!text.includes('top-secret'));
    assert.deepEqual(
      entries.map(one => [one.refused, one.account?.name, one.account?.provider, one.secrets]),
      all.map(one => [undefined, one.name, one.provider, undefined]),
    );
    for (const { account: again } of entries) assert.ok(isThere(all, again!), again!.name);
  });
  it('servers that a file names are known before a secret is typed for them, and its names hide nothing', () => {
    const [mail, ours, other] = readExport(
      JSON.stringify({
        accounts: [
          {
            name: 'A\u202enn\u200b \u0007',
            provider: 'imap',
            values: {
              user: 'ann@gmail.com',
              preset: 'gmail',
              imapHost: 'imap.evil.example',
              smtpHost: 'smtp.evil.example',
            },
          },
          { name: 'Ours', provider: 'scaleway', values: { baseUrl: 'https://api.scaleway.com' } },
          { name: 'Other', provider: 'scaleway', values: { baseUrl: 'https://evil.example' } },
        ],
      }),
    );
    assert.equal(mail!.account!.name, 'Ann');
    assert.deepEqual(
      trustedBy(mail!.account!).map(({ value }) => value),
      ['imap.evil.example', 'smtp.evil.example'],
    );
    assert.deepEqual(ours!.account && trustedBy(ours!.account), []);
    assert.deepEqual(other!.account && trustedBy(other!.account), [
      { label: 'Base URL', value: 'https://evil.example' },
    ]);
  });
  it('what a file lets pass on the way is known too: certificates, plain HTTP, connections without encryption, other token addresses', () => {
    const said = (provider: string, values: object) =>
      trustedBy(readExport(JSON.stringify({ accounts: [{ name: 'One', provider, values }] }))[0]!.account!).map(
        ({ label, value }) => `${label}: ${value}`,
      );
    const mail = { user: 'ann@gmail.com', preset: 'gmail' };
    assert.deepEqual(said('imap', mail), []);
    assert.deepEqual(said('imap', { ...mail, imapSecurity: 'tls', smtpSecurity: 'starttls' }), []);
    assert.deepEqual(
      said('imap', { ...mail, imapSecurity: 'none', smtpSecurity: 'none', sieveSecurity: 'none' }),
      ['IMAP', 'SMTP', 'Sieve'].map(side => `${side} Security: None (This Machine Only)`),
    );
    const print = 'ab'.repeat(32);
    const pem = `-----BEGIN CERTIFICATE-----\n${'QUJD'.repeat(200)}\n-----END CERTIFICATE-----`;
    assert.deepEqual(said('imap', { ...mail, allowedCertificate: print }), [`Allowed Certificate: ${print}`]);
    assert.match(
      said('imap', { ...mail, allowedCertificate: pem })[0]!,
      /^Allowed Certificate: -----BEGIN CERTIFICATE----- QUJD.*…$/,
    );
    assert.deepEqual(said('scaleway', { plainHttp: true }), ['Allow Plain HTTP: Yes']);
    assert.deepEqual(said('scaleway', { plainHttp: false }), []);
    assert.deepEqual(
      said('imap', {
        user: 'ann@x.example',
        authentication: 'oauth2',
        clientId: 'x',
        imapHost: 'outlook.office365.com',
        authorizeUrl: 'https://login.example/a',
        tokenUrl: 'https://evil.example/token',
        scope: 'a',
      }).map(one => one.replace(/^.*: /, '')),
      ['outlook.office365.com', 'https://login.example/a', 'https://evil.example/token'],
    );
  });
  it('a file that is none is refused with its reason', () => {
    for (const bad of ['', '{}', 'null', '{"accounts":{}}'])
      assert.throws(() => readExport(bad), { code: 'invalid_input' });
  });
  it('each account of a file stands for itself: a wrong one is refused with its reason, the others come in', () => {
    const good = { name: ' One ', provider: provider.id, values: { ...account('keep').values } };
    const [one, odd, unknown, nothing, secret] = readExport(
      JSON.stringify({
        accounts: [
          good,
          { name: 'Odd', provider: 'nobody' },
          { ...good, values: { ...good.values, stray: 1 } },
          null,
          { ...good, remember: 'never', values: { ...good.values, ...SECRET } },
        ],
      }),
    );
    assert.deepEqual(
      [one!.label, one!.account!.name, one!.refused, one!.secrets],
      ['One', 'One', undefined, undefined],
    );
    assert.deepEqual([odd!.label, odd!.account], ['Odd', undefined]);
    assert.match(unknown!.refused!, /stray/);
    assert.equal(nothing!.account, undefined);
    assert.deepEqual([secret!.secrets, secret!.account!.remember], [SECRET, 'never']);
    assert.ok(
      !JSON.stringify(secret!.account).includes('a-very-secret-value'),
      'secrets never stand among the open values',
    );
    for (const name of Object.keys(open))
      assert.ok(
        readExport(
          JSON.stringify({
            accounts: [
              { ...good, values: Object.fromEntries(Object.entries(good.values).filter(([key]) => key !== name)) },
            ],
          }),
        )[0]!.refused,
        `${name} is missing`,
      );
  });
  it('the same account of a file twice is known', () => {
    const [one] = readExport(writeExport([account('keep')]));
    assert.ok(isThere([account('keep')], one!.account!));
    assert.ok(!isThere([{ ...account('keep'), name: 'Two' }], one!.account!));
    assert.ok(
      !isThere(
        [{ ...account('keep'), values: { ...account('keep').values, baseUrl: 'https://y.example' } }],
        one!.account!,
      ),
    );
  });
  it('lines of the sandbox become accounts that are not stored; other lines are left out', async () => {
    const line = JSON.stringify({ id: provider.id, account: { ...account('keep').values, ...SECRET } });
    const { accounts, state, secrets } = harness({ sandbox: `${line}\nnonsense\n{"id":"nobody","account":{}}` });
    assert.deepEqual(
      accounts.list().map(one => one.provider.id),
      [provider.id],
    );
    await accounts.open(accounts.list()[0]!.id);
    assert.deepEqual([state.size, secrets.size], [0, 0]);
    assert.equal(readSandboxLine('{"id":1}'), undefined);
  });
  it('accounts are lent once, and not stored', () => {
    const line = JSON.stringify({ id: provider.id, account: { ...account('keep').values, ...SECRET } });
    const { accounts, state, secrets } = harness();
    assert.deepEqual([accounts.lend(line), accounts.lend(line)], [1, 0]);
    assert.equal(accounts.list().length, 1);
    assert.deepEqual([state.size, secrets.size], [0, 0]);
  });
  it('every secret field of every provider is parted from the open ones', () => {
    for (const one of providers) {
      const fields = fieldsOf(one);
      const { open: shown, secret } = parted(fields, Object.fromEntries(Object.keys(fields).map(name => [name, 'x'])));
      for (const [name, field] of Object.entries(fields))
        assert.equal(name in secret, field.type === 'text' && field.secret === true, `${one.id} ${name}`);
      assert.equal(Object.keys(shown).length + Object.keys(secret).length, Object.keys(fields).length);
    }
  });
  it('a choice of OAuth 2 brings its grant, a password none', () => {
    for (const one of providers) {
      const choice = one.auth.oauth2Choice;
      if (!choice) continue;
      assert.equal(grantOf(one, {}), undefined);
      for (const [value, known] of Object.entries(choice.grants)) {
        const grant: { tokenUrl(values: never): string; authorizeUrl(values: never): string } = grantOf(one, {
          [choice.field]: choice.value,
          [choice.by]: value,
        })!.auth.oauth2!;
        assert.equal(grant.tokenUrl({} as never), known.tokenUrl);
        assert.ok(grant.authorizeUrl({} as never).startsWith(known.authorizeUrl));
      }
    }
  });
});

/** A vendor that answers every request alike, and one that gives tokens. */
async function vendor(answer: { status: number; body?: unknown; granting?: () => Promise<void> }) {
  const seen: { url: string; authorization: string; body: string }[] = [];
  const server = createServer(async (request, reply) => {
    let body = '';
    for await (const part of request) body += String(part);
    seen.push({ url: request.url!, authorization: request.headers.authorization ?? '', body });
    if (body.includes('grant_type')) {
      await answer.granting?.();
      reply.end(
        JSON.stringify({
          access_token: `access-${seen.length}`,
          refresh_token: `refresh-${seen.length}`,
          token_type: 'bearer',
          expires_in: 7200,
        }),
      );
      return;
    }
    reply.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body ?? {}));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    answer,
    seen,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
const at = (url: string, remember: StoredAccount['remember'], id = 'one'): StoredAccount => ({
  ...account(remember),
  id,
  values: { ...account(remember).values, baseUrl: url },
});
const check = (accounts: ReturnType<typeof harness>['accounts'], id = 'one') =>
  accounts.open(id).then(client => client.call('account.check', {}));
const bearer = providers.find(({ auth }) => auth.oauth2)!;
const signedIn = (url: string, remember: StoredAccount['remember']): StoredAccount => ({
  id: 'one',
  name: 'One',
  provider: bearer.id,
  remember,
  values: {
    ...Object.fromEntries(
      Object.entries(bearer.auth.fields as Record<string, Field>)
        .filter(([, field]) => field.required && field.default === undefined)
        .map(([name]) => [name, 'x']),
    ),
    baseUrl: url,
    clientId: 'app',
  },
});

describe('accounts that are not let in', () => {
  it('are told of once for all that fails together, then not for a minute', async () => {
    const there = await vendor({ status: 401 });
    try {
      const { accounts, seen, clock } = harness();
      await accounts.add(at(there.url, 'keep'), SECRET);
      await Promise.all(Array.from({ length: 8 }, () => assert.rejects(check(accounts), { code: 'unauthorized' })));
      assert.deepEqual(seen.refused, ['one']);
      assert.deepEqual(seen.states, ['one signIn']);
      clock.pass(59_000);
      await assert.rejects(check(accounts));
      assert.equal(seen.refused.length, 1);
      clock.pass(2_000);
      await assert.rejects(check(accounts));
      assert.equal(seen.refused.length, 2);
    } finally {
      there.close();
    }
  });
  it('forget what was typed for the session, so that it is asked for again', async () => {
    const there = await vendor({ status: 401 });
    try {
      for (const remember of ['session', 'never'] as const) {
        const { accounts, state, seen } = harness({ answer: SECRET });
        state.set('accounts', [at(there.url, remember)]);
        await assert.rejects(check(accounts), { code: 'unauthorized' });
        assert.equal(await accounts.has('one'), false, remember);
        accounts.askAgain('one');
        await assert.rejects(check(accounts));
        assert.equal(seen.asked, 2, remember);
      }
    } finally {
      there.close();
    }
  });
  it('what is kept in the store stays there, to be edited', async () => {
    const there = await vendor({ status: 401 });
    try {
      const { accounts, secrets } = harness();
      await accounts.add(at(there.url, 'keep'), SECRET);
      await assert.rejects(check(accounts));
      assert.equal(secrets.size, 1);
    } finally {
      there.close();
    }
  });
  it('who gives up a question is left alone for a minute, by every branch, unless he asks for it', async () => {
    const { accounts, state, seen, clock } = harness();
    state.set('accounts', [account('session')]);
    for (let i = 0; i < 3; i++)
      await assert.rejects(accounts.open('one', new AbortController().signal), { code: 'unauthorized' });
    assert.equal(seen.asked, 1);
    clock.pass(61_000);
    await assert.rejects(accounts.open('one'));
    assert.equal(seen.asked, 2);
    accounts.askAgain('one');
    await assert.rejects(accounts.open('one'));
    assert.equal(seen.asked, 3);
  });
  it('questions about several accounts come one after the other', async () => {
    let open = 0;
    let most = 0;
    const { accounts, state } = harness({
      asked: async () => {
        most = Math.max(most, ++open);
        await new Promise(setImmediate);
        open--;
        return SECRET;
      },
    });
    state.set(
      'accounts',
      ['a', 'b', 'c'].map(id => ({ ...account('session'), id })),
    );
    await Promise.all(['a', 'b', 'c'].map(id => accounts.open(id)));
    assert.equal(most, 1);
  });
  it('a state is what the last exchange said', async () => {
    const there = await vendor({ status: 200 });
    const { accounts, seen } = harness();
    await accounts.add(at(there.url, 'keep'), SECRET);
    assert.equal(accounts.stateOf('one'), undefined);
    await check(accounts).catch(() => {});
    there.answer.status = 404;
    await check(accounts).catch(() => {});
    assert.equal(accounts.stateOf('one'), 'good');
    const asked = there.seen.length;
    there.close();
    await assert.rejects(check(accounts), { code: 'unavailable' });
    assert.deepEqual(seen.states, ['one unreachable']);
    assert.equal(there.seen.length, asked);
  }).timeout(10_000);
});

describe('an account that is edited, renamed or removed meanwhile', () => {
  it('in another window: the next request goes to its new address', async () => {
    const { accounts, state } = harness();
    await accounts.add(account('keep'), SECRET);
    const before = await accounts.open('one');
    assert.equal(await accounts.open('one'), before);
    state.set('accounts', [at('https://new.example', 'keep')]);
    assert.notEqual(await accounts.open('one'), before);
  });
  it('in this window: a client made while it is stored is not kept', async () => {
    const { accounts } = harness();
    await accounts.add(account('keep'), SECRET);
    const saving = accounts.update('one', {}, { [secretName]: 'another-secret-value' });
    const early = accounts.open('one');
    await saving;
    assert.notEqual(await accounts.open('one'), await early);
  });
  it('one that was removed does not come back, nor its secrets', async () => {
    const { accounts, state, secrets } = harness();
    await accounts.add(account('keep'), SECRET);
    await accounts.remove('one');
    await assert.rejects(accounts.update('one', { name: 'Back' }, SECRET), { code: 'not_found' });
    await accounts.add(account('keep'), SECRET);
    const storing = accounts.update('one', {}, SECRET);
    state.set('accounts', []);
    await assert.rejects(storing, { code: 'not_found' });
    assert.deepEqual([accounts.list(), secrets.size], [[], 0]);
  });
  it('a change is merged onto what the account is by then; one that is lent is not stored', async () => {
    const { accounts, state } = harness({
      sandbox: JSON.stringify({ id: provider.id, account: { ...account('keep').values, ...SECRET } }),
    });
    await accounts.add(account('keep'), SECRET);
    await accounts.update('one', { name: 'New' });
    await accounts.update('one', {}, SECRET);
    assert.equal(accounts.find('one').name, 'New');
    await accounts.update(`sandbox-${provider.id}`, { name: 'Lent' }, SECRET);
    assert.equal(accounts.find(`sandbox-${provider.id}`).name, 'Lent');
    assert.equal((state.get('accounts') as unknown[]).length, 1);
    assert.equal(accounts.list().length, 2);
  });
  it('a secret that could not be deleted is told of each time', async () => {
    const { accounts, seen } = harness({ keeps: true });
    await accounts.add(account('keep'), SECRET);
    await accounts.update('one', { remember: 'session' }, SECRET);
    assert.equal(seen.notDeleted, 1);
    await accounts.remove('one');
    assert.equal(seen.notDeleted, 2);
  });
});

describe('never', () => {
  it('forgets after ten minutes of rest, counted from the last use', async () => {
    const there = await vendor({ status: 404 });
    try {
      const { accounts, state, seen, clock } = harness({ answer: SECRET });
      state.set('accounts', [at(there.url, 'never')]);
      const client = await accounts.open('one');
      const use = () => (client.call('account.check', {}) as Promise<unknown>).catch(() => {});
      for (let i = 0; i < 3; i++) {
        clock.pass(9 * 60_000);
        await use();
      }
      assert.equal(await accounts.has('one'), true);
      clock.pass(10 * 60_000);
      assert.equal(await accounts.has('one'), false);
      await accounts.open('one');
      assert.equal(seen.asked, 2);
    } finally {
      there.close();
    }
  });
  it('no timer is left over when the choice changes or the account goes', async () => {
    const { accounts, clock } = harness();
    await accounts.add(account('never'), SECRET);
    assert.equal(clock.timers.size, 1);
    await accounts.update('one', { remember: 'session' });
    clock.pass(11 * 60_000);
    assert.equal(await accounts.has('one'), true);
    await accounts.update('one', { remember: 'never' }, SECRET);
    await accounts.remove('one');
    assert.equal(clock.timers.size, 0);
  });
});

describe('tokens', () => {
  const OLD = { accessToken: 'old', refreshToken: 'refresh-0', obtainedAt: 1, expiresAt: 2 };
  it('are renewed for the check of an account that is there, and stay in its keeping', async () => {
    const there = await vendor({ status: 404 });
    try {
      const { accounts, secrets } = harness();
      await accounts.add(signedIn(there.url, 'keep'), { clientSecret: 'app-secret', tokens: OLD });
      await accounts.check(accounts.find('one'), (await accounts.secretsOf('one'))!).catch(() => {});
      assert.equal(there.seen[0]!.body.includes('refresh_token=refresh-0'), true);
      assert.match(there.seen[1]!.authorization, /access-1/);
      const kept = JSON.parse(secrets.get('account:one')!) as Secrets;
      assert.deepEqual([kept.clientSecret, kept.tokens!.refreshToken], ['app-secret', 'refresh-1']);
    } finally {
      there.close();
    }
  });
  it('of a sign-in that is not stored yet stay out of the store', async () => {
    const there = await vendor({ status: 200, body: { data: [] } });
    try {
      const { accounts, secrets } = harness();
      const back = await accounts.check(signedIn(there.url, 'keep'), { clientSecret: 'app-secret', tokens: OLD }, true);
      assert.equal(secrets.size, 0);
      assert.deepEqual([back.clientSecret, back.tokens!.refreshToken], ['app-secret', 'refresh-1']);
    } finally {
      there.close();
    }
  });
  it('a store that does not answer while they are renewed loses nothing that lay beside them', async () => {
    const there = await vendor({ status: 404 });
    try {
      const { accounts, secrets, options } = harness();
      await accounts.add(signedIn(there.url, 'keep'), { clientSecret: 'app-secret', tokens: OLD });
      const client = await accounts.open('one');
      options.failing = true;
      await (client.call('account.check', {}) as Promise<unknown>).catch(() => {});
      options.failing = false;
      assert.equal((await accounts.secretsOf('one'))!.clientSecret, 'app-secret');
      assert.equal((await accounts.secretsOf('one'))!.tokens!.refreshToken, 'refresh-1');
      assert.ok(secrets.size);
    } finally {
      there.close();
    }
  });
  it('renewed after the account was removed are dropped', async () => {
    const there = await vendor({ status: 404 });
    try {
      const { accounts, secrets } = harness();
      await accounts.add(signedIn(there.url, 'keep'), { clientSecret: 'app-secret', tokens: OLD });
      there.answer.granting = () => accounts.remove('one');
      await assert.rejects(check(accounts));
      assert.equal(there.seen.length, 2, 'what was under way goes out once more');
      assert.equal(secrets.size, 0);
    } finally {
      there.close();
    }
  });
  it('are shown to nobody else: another app, person or host signs in again, another pace does not', () => {
    const mail = providers.find(({ auth }) => auth.oauth2Choice)!;
    const by = mail.auth.oauth2Choice!.by;
    const hosts = Object.entries(fieldsOf(mail))
      .filter(([, field]) => field.type === 'text' && (field.format === 'host' || field.format === 'uri'))
      .map(([name]) => name)
      .filter(name => name !== 'redirectUri');
    assert.ok(hosts.length >= 4);
    for (const name of [...hosts, by, 'user', 'clientId', 'scope'])
      assert.equal(signsInAgain(mail, { [name]: 'a' }, { [name]: 'b' }), true, name);
    for (const name of ['perMinute', 'concurrent', 'redirectUri', 'password'])
      assert.equal(signsInAgain(mail, {}, { [name]: 1 }), false, name);
    assert.equal(signsInAgain(bearer, { baseUrl: 'https://a.example' }, { baseUrl: 'https://b.example' }), true);
  });
});
