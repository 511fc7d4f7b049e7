import assert from 'node:assert/strict';
import { providers, type Field } from '../../shared/index.js';
import { createAccounts, fieldsOf, grantOf, isThere, parted, readExport, readSandboxLine, writeExport, type Secrets, type StoredAccount } from '../../extension/accounts.js';

function harness(options: { failing?: boolean; answer?: Secrets; sandbox?: string; proxies?: () => object } = {}) {
  const state = new Map<string, unknown>(), secrets = new Map<string, string>();
  const seen = { asked: 0, reads: 0, changed: [] as (string | undefined)[], named: [] as boolean[], failed: 0, proxies: 0 };
  let listener: (event: { key: string }) => void = () => {};
  const accounts = createAccounts({
    state: { get: ((key: string, other: unknown) => state.get(key) ?? other) as never, update: async (key: string, value: unknown) => { if (value === undefined) state.delete(key); else state.set(key, JSON.parse(JSON.stringify(value))); }, keys: () => [...state.keys()] },
    secrets: {
      get: async key => { seen.reads++; if (options.failing) throw new Error('no keychain'); return secrets.get(key); },
      store: async (key, value) => { if (options.failing) throw new Error('no keychain'); secrets.set(key, value); listener({ key }); },
      delete: async key => { secrets.delete(key); }, onDidChange: ((listen: typeof listener) => { listener = listen; return { dispose() {} }; }) as never,
    },
    ask: async () => { seen.asked++; return options.answer; }, changed: (account, named) => { seen.changed.push(account); seen.named.push(named === true); }, observe() {}, storeFailed() { seen.failed++; }, ...(options.proxies ? { proxies: options.proxies } : {}), ...(options.sandbox ? { sandbox: options.sandbox } : {}),
  });
  return { accounts, state, secrets, seen, hear: async (key: string) => { listener({ key }); await new Promise(resolve => setImmediate(resolve)); } };
}
/** A provider that signs with a required secret, whichever it is. */
const provider = providers.find(({ auth }) => auth.sign && Object.values(auth.fields as Record<string, { secret?: boolean; required?: boolean }>).some(field => field.secret && field.required))!;
const secretName = Object.entries(provider.auth.fields as Record<string, { secret?: boolean }>).find(([, field]) => field.secret)![0];
const open = Object.fromEntries(Object.entries(provider.auth.fields as Record<string, { secret?: boolean; required?: boolean; default?: unknown; format?: string }>).filter(([, field]) => !field.secret && field.required && field.default === undefined)
  .map(([name, field]) => [name, field.format === 'uri' ? 'https://x.example' : 'value']));
const account = (remember: StoredAccount['remember']): StoredAccount => ({ id: 'one', name: 'One', provider: provider.id, values: { ...open, baseUrl: 'https://x.example' }, remember });
const SECRET = { [secretName]: 'a-very-secret-value' };

describe('accounts', () => {
  it('keep: secrets lie in the secret store and nowhere else', async () => {
    const { accounts, state, secrets } = harness();
    await accounts.save(account('keep'), SECRET);
    assert.ok(!JSON.stringify([...state]).includes('a-very-secret-value'));
    assert.match(secrets.get('account:one')!, /a-very-secret-value/);
    await accounts.open('one');
    await accounts.remove('one');
    assert.equal(secrets.size, 0);
    assert.deepEqual(accounts.list(), []);
  });
  it('session: nothing is stored, and nobody is asked again in this window', async () => {
    const { accounts, secrets, seen } = harness();
    await accounts.save(account('session'), SECRET);
    assert.equal(secrets.size, 0);
    await accounts.open('one');
    assert.equal(seen.asked, 0);
  });
  it('what this window stored, and tokens that any renewed, are no reason to read the tree again; other secrets are', async () => {
    const { accounts, secrets, seen, hear } = harness();
    await accounts.save(account('keep'), SECRET);
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
    await accounts.save(account('keep'), SECRET);
    state.set('draft one message.send {}', { values: { text: 'private' } }).set('draft other message.send {}', {});
    await accounts.remove('one');
    assert.deepEqual([...state.keys()].filter(key => key.startsWith('draft')), ['draft other message.send {}']);
  });
  it('a new name is told apart from new values', async () => {
    const { accounts, seen } = harness();
    await accounts.save(account('keep'), SECRET);
    seen.named.length = 0;
    await accounts.save({ ...account('keep'), name: 'Two' }, undefined);
    await accounts.save({ ...account('keep'), values: {} }, undefined);
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
    const { accounts, seen } = harness({ proxies: () => { seen.proxies++; return {}; } });
    await accounts.save(account('session'), SECRET);
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
    await accounts.save(account('keep'), SECRET);
    await accounts.open('one');
    await accounts.open('one', new AbortController().signal);
    assert.equal(seen.failed, 1);
    assert.equal(seen.asked, 0);
  });
  it('secrets that came with another choice of remembering are taken out of the store', async () => {
    const { accounts, secrets } = harness();
    await accounts.save(account('keep'), SECRET);
    await accounts.save(account('session'), SECRET);
    assert.equal(secrets.size, 0);
  });
  it('an export holds no secret of any provider and can be imported again', () => {
    const sample = (field: Field): unknown => field.default ?? (field.type === 'choice' ? Object.keys(field.choices)[0] : field.type === 'number' ? field.min ?? 1 : field.type === 'flag' ? true
      : field.type === 'text' ? field.format === 'uri' ? 'https://x.example' : field.format === 'email' ? 'a@x.example' : field.example ?? 'plain' : undefined);
    const all: StoredAccount[] = providers.map(one => ({
      id: one.id, name: one.name, provider: one.id, remember: 'keep',
      values: Object.fromEntries(Object.entries(fieldsOf(one)).filter(([, field]) => field.required || (field as { secret?: boolean }).secret).map(([name, field]) => [name, (field as { secret?: boolean }).secret ? 'top-secret' : sample(field)])),
    }));
    const text = writeExport(all), entries = readExport(text);
    assert.ok(!text.includes('top-secret'));
    assert.deepEqual(entries.map(one => [one.refused, one.account?.name, one.account?.provider, one.secrets]), all.map(one => [undefined, one.name, one.provider, undefined]));
    for (const { account: again } of entries) assert.ok(isThere(all, again!), again!.name);
  });
  it('a file that is none is refused with its reason', () => { for (const bad of ['', '{}', 'null', '{"accounts":{}}']) assert.throws(() => readExport(bad), { code: 'invalid_input' }); });
  it('each account of a file stands for itself: a wrong one is refused with its reason, the others come in', () => {
    const good = { name: ' One ', provider: provider.id, values: { ...account('keep').values } };
    const [one, odd, unknown, nothing, secret] = readExport(JSON.stringify({ accounts: [good, { name: 'Odd', provider: 'nobody' }, { ...good, values: { ...good.values, stray: 1 } }, null, { ...good, remember: 'never', values: { ...good.values, ...SECRET } }] }));
    assert.deepEqual([one!.label, one!.account!.name, one!.refused, one!.secrets], ['One', 'One', undefined, undefined]);
    assert.deepEqual([odd!.label, odd!.account], ['Odd', undefined]);
    assert.match(unknown!.refused!, /stray/);
    assert.equal(nothing!.account, undefined);
    assert.deepEqual([secret!.secrets, secret!.account!.remember], [SECRET, 'never']);
    assert.ok(!JSON.stringify(secret!.account).includes('a-very-secret-value'), 'secrets never stand among the open values');
    for (const name of Object.keys(open)) assert.ok(readExport(JSON.stringify({ accounts: [{ ...good, values: Object.fromEntries(Object.entries(good.values).filter(([key]) => key !== name)) }] }))[0]!.refused, `${name} is missing`);
  });
  it('the same account of a file twice is known', () => {
    const [one] = readExport(writeExport([account('keep')]));
    assert.ok(isThere([account('keep')], one!.account!));
    assert.ok(!isThere([{ ...account('keep'), name: 'Two' }], one!.account!));
    assert.ok(!isThere([{ ...account('keep'), values: { ...account('keep').values, baseUrl: 'https://y.example' } }], one!.account!));
  });
  it('lines of the sandbox become accounts that are not stored; other lines are left out', async () => {
    const line = JSON.stringify({ id: provider.id, account: { ...account('keep').values, ...SECRET } });
    const { accounts, state, secrets } = harness({ sandbox: `${line}\nnonsense\n{"id":"nobody","account":{}}` });
    assert.deepEqual(accounts.list().map(one => one.provider.id), [provider.id]);
    await accounts.open(accounts.list()[0]!.id);
    assert.deepEqual([state.size, secrets.size], [0, 0]);
    assert.equal(readSandboxLine('{"id":1}'), undefined);
  });
  it('accounts are lent once, and not stored', () => {
    const line = JSON.stringify({ id: provider.id, account: { ...account('keep').values, ...SECRET } }), { accounts, state, secrets } = harness();
    assert.deepEqual([accounts.lend(line), accounts.lend(line)], [1, 0]);
    assert.equal(accounts.list().length, 1);
    assert.deepEqual([state.size, secrets.size], [0, 0]);
  });
  it('every secret field of every provider is parted from the open ones', () => {
    for (const one of providers) {
      const fields = fieldsOf(one), { open: shown, secret } = parted(fields, Object.fromEntries(Object.keys(fields).map(name => [name, 'x'])));
      for (const [name, field] of Object.entries(fields)) assert.equal(name in secret, field.type === 'text' && field.secret === true, `${one.id} ${name}`);
      assert.equal(Object.keys(shown).length + Object.keys(secret).length, Object.keys(fields).length);
    }
  });
  it('a choice of OAuth 2 brings its grant, a password none', () => {
    for (const one of providers) {
      const choice = one.auth.oauth2Choice;
      if (!choice) continue;
      assert.equal(grantOf(one, {}), undefined);
      for (const [value, known] of Object.entries(choice.grants)) {
        const grant: { tokenUrl(values: never): string; authorizeUrl(values: never): string } = grantOf(one, { [choice.field]: choice.value, [choice.by]: value })!.auth.oauth2!;
        assert.equal(grant.tokenUrl({} as never), known.tokenUrl);
        assert.ok(grant.authorizeUrl({} as never).startsWith(known.authorizeUrl));
      }
    }
  });
});
