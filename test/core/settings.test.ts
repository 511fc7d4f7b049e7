import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  applySettings,
  connect,
  MailError,
  providerById,
  providers,
  pullSettings,
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
  let folder: string;
  before(async () => {
    vendor = await startMigadu({ each: 6 });
    client = connect(providerById('migadu'), { ...vendor.account, perMinute: 60_000, concurrent: 10 });
  });
  after(() => vendor.close());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'settings-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const at = (path: string) => join(folder, path);
  const edit = (path: string, changes: Values) =>
    writeFileSync(at(path), JSON.stringify({ ...(JSON.parse(readFileSync(at(path), 'utf8')) as Values), ...changes }));
  const pull = () => pullSettings(client, { folder });
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
    const dry = await applySettings(client, { folder, dryRun: true });
    const [change] = dry.filter(({ state }) => state !== 'same');
    assert.deepEqual(states(dry), { [ANN!]: 'change' });
    assert.deepEqual(
      change!.values.map(({ name, file }) => [name, file]),
      [['name', 'Ann from a file']],
    );
    assert.notEqual(await nameOf('user004@example.com'), 'Ann from a file');
    assert.deepEqual(states(await applySettings(client, { folder })), { [ANN!]: 'applied' });
    assert.equal(await nameOf('user004@example.com'), 'Ann from a file');
    assert.deepEqual(states(await applySettings(client, { folder })), {});
  });
  it('what somebody else changed is asked for, and never overwritten in silence', async () => {
    await pull();
    await client.call('mailbox.update', { mailbox: 'user004@example.com', name: 'Changed by others' });
    edit(ANN!, { name: 'Changed here' });
    const [left] = (await applySettings(client, { folder })).filter(({ state }) => state !== 'same');
    assert.equal(left!.state, 'conflict');
    assert.deepEqual([left!.values[0]!.server, left!.values[0]!.file], ['Changed by others', 'Changed here']);
    assert.equal(await nameOf('user004@example.com'), 'Changed by others');
    const asked: string[] = [];
    await applySettings(client, {
      folder,
      overwrite: ({ path }) => {
        asked.push(path);
        return false;
      },
    });
    assert.deepEqual([asked, await nameOf('user004@example.com')], [[ANN], 'Changed by others']);
    assert.deepEqual(states(await applySettings(client, { folder, overwrite: true })), { [ANN!]: 'applied' });
    assert.equal(await nameOf('user004@example.com'), 'Changed here');
  });
  it('what others changed elsewhere in the same object stays as they left it', async () => {
    await pull();
    await client.call('mailbox.update', { mailbox: 'user005@example.com', may_access_pop3: false });
    edit(BOB!, { name: 'Only the name' });
    assert.deepEqual(states(await applySettings(client, { folder })), { [BOB!]: 'applied' });
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
    assert.deepEqual(states(await applySettings(client, { folder })), { [ANN!]: 'missing', [path]: 'gone' });
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
    await assert.rejects(applySettings(only('nobody@example.com'), { folder }), /The key was refused/);
    const done = await applySettings(only('user004@example.com'), { folder });
    assert.deepEqual(states(done), { [ANN!]: 'applied', [BOB!]: 'failed' });
    assert.match(done.at(-1)!.message!, /The key was refused/);
  });
  it('a pull keeps what was changed in the folder', async () => {
    await pull();
    edit(ANN!, { name: 'Being written' });
    await client.call('mailbox.update', { mailbox: 'user004@example.com', name: 'Elsewhere' });
    assert.deepEqual(states(await pull()), { [ANN!]: 'kept' });
    assert.match(readFileSync(at(ANN!), 'utf8'), /Being written/);
    assert.deepEqual(states(await applySettings(client, { folder, dryRun: true })), { [ANN!]: 'conflict' });
  });
  it('a value that its field does not take, and a text that is no document, are refused each for itself', async () => {
    await pull();
    edit(ANN!, { name: 'Fine', may_send: 'perhaps', nonsense: 1 });
    writeFileSync(at(BOB!), '{ "name": ');
    const done = await applySettings(client, { folder });
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
      await assert.rejects(applySettings(client, { folder }), /not what was pulled/);
    }
    index('mailbox/a.mailroom', 'scaleway');
    await assert.rejects(applySettings(client, { folder }), /pulled from scaleway/);
    assert.equal(vendor.seen.length, asked);
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
  it('are entries; what others added meanwhile stays, and only what the file took away is removed', async () => {
    const vendor = await rackspace.start();
    const client: Client = connect(providerById('rackspace'), { ...vendor.account, perMinute: 60_000 });
    const folder = mkdtempSync(join(tmpdir(), 'lists-'));
    try {
      await pullSettings(client, { folder, resources: ['domainSpamList'] });
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
        (await applySettings(client, { folder })).filter(one => one.state !== 'same').map(one => one.state),
        ['applied'],
      );
      await client.call('domainSpamList.add' as string, { ...place, value: 'theirs.example.org' });
      write([...there, 'other.example.org']);
      const [change] = (await applySettings(client, { folder })).filter(one => one.state !== 'same');
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
