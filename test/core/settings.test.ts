import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  applySettings,
  connect,
  MailError,
  providerById,
  providers,
  pullSettings,
  readSetting,
  settingsOf,
  usualSettings,
  type Client,
} from '../../shared/index.js';
import { rackspace } from '../providers/rackspace.case.js';
import { startMigadu } from '../sandbox/migadu.js';
import type { Vendor } from '../sandbox/vendor.js';

type Values = Record<string, unknown>;
describe('settings as files', () => {
  let vendor: Vendor;
  let client: Client;
  let account: Values;
  let folder: string;
  before(async () => {
    vendor = await startMigadu({ each: 6 });
    account = { ...vendor.account, perMinute: 60_000, concurrent: 10 };
    client = connect(providerById('migadu'), account);
  });
  after(() => vendor.close());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'settings-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const at = (path: string) => join(folder, path);
  const edit = (path: string, changes: Values) =>
    writeFileSync(at(path), JSON.stringify({ ...(JSON.parse(readFileSync(at(path), 'utf8')) as Values), ...changes }));
  const pull = () => pullSettings({ client, account }, { folder });
  const [ANN, BOB] = ['mailbox/user004@example.com.mailroom', 'mailbox/user005@example.com.mailroom'];
  const nameOf = async (mailbox: string) => (await client.call('mailbox.get', { mailbox })).native.name;
  const states = (all: readonly { path: string; state: string }[]) =>
    Object.fromEntries(all.filter(one => one.state !== 'same').map(({ path, state }) => [path, state]));

  it('are pulled as the documents of the form, without secrets; a second pull changes no file', async () => {
    const pulled = await pull();
    const index = readFileSync(at('mailroom.json'), 'utf8');
    assert.ok(pulled.length >= 20 && pulled.every(({ state }) => state === 'written'));
    const document = JSON.parse(readFileSync(at(ANN!), 'utf8')) as Values;
    assert.equal(document.name, await nameOf('user004@example.com'));
    assert.ok(!('password' in document));
    assert.ok((await pull()).every(({ state }) => state === 'same'));
    assert.equal(readFileSync(at('mailroom.json'), 'utf8'), index);
  });
  it('are applied after a dry run that changes nothing, and a second apply has nothing to do', async () => {
    await pull();
    edit(ANN!, { name: 'Ann from a file' });
    const dry = await applySettings({ client, account }, { folder, dryRun: true });
    const [change] = dry.filter(({ state }) => state !== 'same');
    assert.deepEqual(states(dry), { [ANN!]: 'change' });
    assert.deepEqual(
      change!.values.map(({ name, file }) => [name, file]),
      [['name', 'Ann from a file']],
    );
    assert.notEqual(await nameOf('user004@example.com'), 'Ann from a file');
    assert.deepEqual(states(await applySettings({ client, account }, { folder })), { [ANN!]: 'applied' });
    assert.equal(await nameOf('user004@example.com'), 'Ann from a file');
    assert.deepEqual(states(await applySettings({ client, account }, { folder })), {});
  });
  it('what somebody else changed is asked for, and never overwritten in silence', async () => {
    await pull();
    await client.call('mailbox.update', { mailbox: 'user004@example.com', name: 'Changed by others' });
    edit(ANN!, { name: 'Changed here' });
    const [left] = (await applySettings({ client, account }, { folder })).filter(({ state }) => state !== 'same');
    assert.equal(left!.state, 'conflict');
    assert.deepEqual([left!.values[0]!.server, left!.values[0]!.file], ['Changed by others', 'Changed here']);
    assert.equal(await nameOf('user004@example.com'), 'Changed by others');
    const asked: string[] = [];
    await applySettings(
      { client, account },
      {
        folder,
        overwrite: ({ path }) => {
          asked.push(path);
          return false;
        },
      },
    );
    assert.deepEqual([asked, await nameOf('user004@example.com')], [[ANN], 'Changed by others']);
    assert.deepEqual(states(await applySettings({ client, account }, { folder, overwrite: true })), {
      [ANN!]: 'applied',
    });
    assert.equal(await nameOf('user004@example.com'), 'Changed here');
  });
  it('what others changed elsewhere in the same object stays as they left it', async () => {
    await pull();
    await client.call('mailbox.update', { mailbox: 'user005@example.com', may_access_pop3: false });
    edit(BOB!, { name: 'Only the name' });
    assert.deepEqual(states(await applySettings({ client, account }, { folder })), { [BOB!]: 'applied' });
    const { native } = await client.call('mailbox.get', { mailbox: 'user005@example.com' });
    assert.deepEqual([native.name, native.may_access_pop3], ['Only the name', false]);
  });
  it('a file that was taken away deletes nothing, and an object that is gone is said', async () => {
    const made = 'made@example.com';
    const path = `mailbox/${made}.mailroom`;
    await client.call('mailbox.create', { mailbox: made, name: 'Made', password: 'correct horse battery' });
    await pull();
    rmSync(at(ANN!));
    edit(path, { name: 'Too late' });
    await client.call('mailbox.delete', { mailbox: made });
    assert.deepEqual(states(await applySettings({ client, account }, { folder })), {
      [ANN!]: 'missing',
      [path]: 'gone',
    });
    assert.ok(await nameOf('user004@example.com'));
    const again = await pull();
    assert.deepEqual(states(again.filter(one => one.path === path)), { [path]: 'gone' });
    assert.ok(existsSync(at(path)));
  });
  it('an account that is no longer let in does not hide what was applied before', async () => {
    await pull();
    for (const path of [ANN!, BOB!]) edit(path, { name: 'New' });
    const only = (mailbox: string): Client =>
      ({
        ...client,
        call: (operation: string, input: Values) =>
          input.mailbox === mailbox
            ? (client.call as (name: string, input: Values) => unknown)(operation, input)
            : Promise.reject(new MailError('unauthorized', 'The key was refused.')),
      }) as Client;
    await assert.rejects(
      applySettings({ client: only('nobody@example.com'), account }, { folder }),
      /The key was refused/,
    );
    const done = await applySettings({ client: only('user004@example.com'), account }, { folder });
    assert.deepEqual(states(done), { [ANN!]: 'applied', [BOB!]: 'failed' });
    assert.match(done.at(-1)!.message!, /The key was refused/);
  });
  it('a pull keeps what was changed in the folder', async () => {
    await pull();
    edit(ANN!, { name: 'Being written' });
    await client.call('mailbox.update', { mailbox: 'user004@example.com', name: 'Elsewhere' });
    assert.deepEqual(states(await pull()), { [ANN!]: 'kept' });
    assert.match(readFileSync(at(ANN!), 'utf8'), /Being written/);
    assert.deepEqual(states(await applySettings({ client, account }, { folder, dryRun: true })), {
      [ANN!]: 'conflict',
    });
  });
  it('a value that its field does not take, and a text that is no document, are refused each for itself', async () => {
    await pull();
    edit(ANN!, { name: 'Fine', may_send: 'perhaps', nonsense: 1 });
    writeFileSync(at(BOB!), '{ "name": ');
    const done = await applySettings({ client, account }, { folder });
    const of = (path: string) => done.find(one => one.path === path)!;
    assert.deepEqual(states(done), { [ANN!]: 'invalid', [BOB!]: 'invalid' });
    assert.match(of(ANN!).message!, /no field “nonsense”/);
    assert.match(of(BOB!).message!, /not valid JSON/);
  });
  it('an index that leads out of its folder, or is of another provider, is refused before any request', async () => {
    const index = (path: string, provider = 'migadu') =>
      writeFileSync(
        at('mailroom.json'),
        JSON.stringify({
          mailroom: 1,
          provider,
          documents: { [path]: { resource: 'mailbox', refs: { mailbox: 'a@b.example' }, base: {} } },
        }),
      );
    const asked = vendor.seen.length;
    for (const path of [
      '../../out.mailroom',
      '/etc/out.mailroom',
      'a/../../b.mailroom',
      'c:\\x.mailroom',
      'mailbox/x.json',
    ]) {
      index(path);
      await assert.rejects(applySettings({ client, account }, { folder }), /not what was pulled/);
    }
    index('mailbox/a.mailroom', 'scaleway');
    await assert.rejects(applySettings({ client, account }, { folder }), /pulled from scaleway/);
    assert.equal(vendor.seen.length, asked);
  });
  it('a folder of another account is refused before any request, whatever its key', async () => {
    await pull();
    const asked = vendor.seen.length;
    for (const other of [{ user: 'other@example.com' }, { baseUrl: 'https://other.example' }]) {
      const whose = { client, account: { ...account, ...other } };
      for (const work of [applySettings, pullSettings])
        await assert.rejects(work(whose, { folder }), /from another account at Migadu[^]*"owner"/);
      await assert.rejects(readSetting(whose, { folder, path: ANN! }), /from another account/);
    }
    assert.equal(vendor.seen.length, asked);
    const same = { client, account: { ...account, apiKey: 'another', baseUrl: `${String(account.baseUrl)}/` } };
    assert.deepEqual(states(await applySettings(same, { folder })), {});
    assert.doesNotMatch(readFileSync(at('mailroom.json'), 'utf8'), new RegExp(String(account.apiKey)));
  });
  it('each write is asked for with what it changes by then', async () => {
    await pull();
    for (const path of [ANN!, BOB!]) edit(path, { name: `Approved ${path}` });
    const asked: unknown[] = [];
    const done = await applySettings(
      { client, account },
      {
        folder,
        approve: ({ path, values }) => {
          asked.push(values[0]!.file);
          return path === BOB;
        },
      },
    );
    assert.deepEqual(asked, [`Approved ${ANN}`, `Approved ${BOB}`]);
    assert.deepEqual(states(done), { [ANN!]: 'change', [BOB!]: 'applied' });
    assert.notEqual(await nameOf('user004@example.com'), `Approved ${ANN}`);
  });
  it('what was done when it is cancelled is told, and what was under way as not known', async () => {
    await pull();
    const paths = [ANN!, BOB!];
    for (const cancelled of ['between', 'under way'] as const) {
      for (const path of paths) edit(path, { name: `New ${cancelled}` });
      const stop = new AbortController();
      const stopping = {
        ...client,
        call: async (operation: string, input: Values) => {
          if (cancelled === 'under way' && operation === 'mailbox.update' && input.mailbox === 'user005@example.com') {
            stop.abort();
            throw new Error('cut off');
          }
          return (client.call as (name: string, input: Values) => unknown)(operation, input);
        },
      } as Client;
      const done = await applySettings(
        { client: stopping, account },
        { folder, signal: stop.signal, seen: path => cancelled === 'between' && path === ANN && stop.abort() },
      );
      assert.deepEqual(
        states(done),
        cancelled === 'between' ? { [ANN!]: 'applied' } : { [ANN!]: 'applied', [BOB!]: 'unknown' },
      );
    }
    await assert.rejects(applySettings({ client, account }, { folder, signal: AbortSignal.abort() }), /abort/i);
  });
  it('a pull that is cancelled or cut off leaves the folder as it was', async () => {
    const stop = new AbortController();
    await assert.rejects(
      pullSettings({ client, account }, { folder, signal: stop.signal, seen: path => path === ANN && stop.abort() }),
      /abort/i,
    );
    assert.deepEqual(readdirSync(folder), []);
  });
  it('more than can be read again is refused before anything is written', async () => {
    const large = {
      ...client,
      call: (operation: string, input: Values) => {
        const given = (client.call as (name: string, input: Values) => unknown)(operation, input);
        if (operation !== 'mailbox.get') return given;
        return (given as Promise<Values>).then(one => ({ ...one, native: { name: 'x'.repeat(20_000_000) } }));
      },
    } as Client;
    await assert.rejects(
      pullSettings({ client: large, account }, { folder, resources: ['mailbox'] }),
      /more than one folder holds[^]*Nothing was written[^]*fewer kinds/,
    );
    assert.deepEqual(readdirSync(folder), []);
  });
  it('line ends, the order of keys, and a key that is left out are no change', async () => {
    await pull();
    const { name, ...rest } = JSON.parse(readFileSync(at(ANN!), 'utf8')) as Values;
    const text = JSON.stringify({ ...Object.fromEntries(Object.entries(rest).reverse()), name }).replaceAll(
      ',',
      ',\r\n',
    );
    writeFileSync(at(ANN!), text);
    assert.deepEqual(states(await applySettings({ client, account }, { folder })), {});
    await client.call('mailbox.update', { mailbox: 'user004@example.com', name: 'Newer' });
    assert.deepEqual(states(await pull()), { [ANN!]: 'written' });
    writeFileSync(at(ANN!), JSON.stringify({ name: 'Newer' }));
    assert.deepEqual(states(await pull()), {});
  });
  it('a file that the index lost is found again, and what it changes is shown', async () => {
    await pull();
    edit(ANN!, { name: 'Written by hand' });
    rmSync(at('mailroom.json'));
    assert.deepEqual(states(await pull()), { [ANN!]: 'kept' });
    const [change] = (await applySettings({ client, account }, { folder, dryRun: true })).filter(
      ({ state }) => state !== 'same',
    );
    assert.deepEqual([change!.path, change!.state, change!.values[0]!.file], [ANN, 'change', 'Written by hand']);
  });
  it('nothing is written through a link that leads out of the folder, and no half file stays', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'outside-'));
    try {
      symlinkSync(outside, at('mailbox'));
      const done = await pullSettings({ client, account }, { folder, resources: ['mailbox'] });
      assert.ok(done.length > 3 && done.every(({ message = '' }) => /link that leads out/.test(message)));
      rmSync(at('mailbox'));
      writeFileSync(join(outside, 'there'), 'as it was');
      symlinkSync(join(outside, 'there'), at('mailroom.json.part'));
      await pull();
      assert.equal(readFileSync(join(outside, 'there'), 'utf8'), 'as it was');
      assert.deepEqual(readdirSync(outside), ['there']);
      assert.deepEqual(
        readdirSync(folder, { recursive: true }).filter(one => String(one).endsWith('.part')),
        ['mailroom.json.part'],
      );
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });
  it('two pulls at once into one folder keep what each of them found', async () => {
    await Promise.all(['mailbox', 'alias'].map(one => pullSettings({ client, account }, { folder, resources: [one] })));
    const { documents } = JSON.parse(readFileSync(at('mailroom.json'), 'utf8')) as {
      documents: Record<string, { resource: string }>;
    };
    assert.deepEqual([...new Set(Object.values(documents).map(one => one.resource))].sort(), ['alias', 'mailbox']);
  });
  it('every provider has settings of its mailboxes, aliases or lists, unless it can change none', () => {
    const all = Object.fromEntries(providers.map(provider => [provider.id, usualSettings(provider).join(' ')]));
    assert.deepEqual(all, {
      outreach: 'mailbox spamPattern',
      sodium: 'mailbox',
      rackspace: 'mailbox emailAddress alias spamList domainSpamList rsMailbox',
      scaleway: 'mailbox alias',
      migadu: 'mailbox alias',
      imap: 'spamList',
      contextIo: 'mailbox',
    });
    for (const provider of providers)
      for (const one of usualSettings(provider)) assert.ok(settingsOf(provider).includes(one));
  });
});

describe('lists as files', () => {
  it('are those of both kinds of mailboxes that have them', async () => {
    const vendor = await rackspace.start();
    const account = { ...vendor.account, perMinute: 60_000 };
    const client: Client = connect(providerById('rackspace'), account);
    const folder = mkdtempSync(join(tmpdir(), 'lists-'));
    try {
      await pullSettings({ client, account }, { folder, resources: ['spamList'] });
      const { documents } = JSON.parse(readFileSync(join(folder, 'mailroom.json'), 'utf8')) as {
        documents: Record<string, { refs: Values }>;
      };
      const all = Object.values(documents);
      for (const kind of ['mailbox', 'rsMailbox'])
        assert.ok(
          all.some(({ refs }) => kind in refs),
          `${kind}: ${Object.keys(documents).join(' ')}`,
        );
    } finally {
      await vendor.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
  it('are entries; what others added meanwhile stays, and only what the file took away is removed', async () => {
    const vendor = await rackspace.start();
    const account = { ...vendor.account, perMinute: 60_000 };
    const client: Client = connect(providerById('rackspace'), account);
    const folder = mkdtempSync(join(tmpdir(), 'lists-'));
    try {
      await pullSettings({ client, account }, { folder, resources: ['domainSpamList'] });
      const files = readdirSync(join(folder, 'domainSpamList'), { recursive: true })
        .map(String)
        .filter(one => one.endsWith('.mailroom'));
      assert.ok(files.length >= 4, files.join(' '));
      const path = files.sort().find(one => one.endsWith('blockedSenders.mailroom'))!;
      const [domain] = path.split('/');
      const kind = path.split('/').at(-1)!.replace('.mailroom', '');
      const file = join(folder, 'domainSpamList', path);
      const write = (entries: string[]) => writeFileSync(file, JSON.stringify({ entries }));
      const place = { domain: domain!, list: kind };
      const there = (JSON.parse(readFileSync(file, 'utf8')) as { entries: string[] }).entries;
      write([...there, 'new.example.org', 'other.example.org']);
      assert.deepEqual(
        (await applySettings({ client, account }, { folder }))
          .filter(one => one.state !== 'same')
          .map(one => one.state),
        ['applied'],
      );
      await client.call('domainSpamList.add' as string, { ...place, value: 'theirs.example.org' });
      write([...there, 'other.example.org']);
      const [change] = (await applySettings({ client, account }, { folder })).filter(one => one.state !== 'same');
      assert.deepEqual(
        [change!.state, change!.values.map(one => [one.server, one.file])],
        ['applied', [['new.example.org', null]]],
      );
      const now: string[] = [];
      for await (const row of client.call('domainSpamList.list' as string, place) as AsyncIterable<{ value: string }>)
        now.push(row.value);
      assert.deepEqual(
        now.filter(one => one.endsWith('example.org')).sort(),
        [...there.filter(one => one.endsWith('example.org')), 'other.example.org', 'theirs.example.org'].sort(),
      );
    } finally {
      await vendor.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
