import assert from 'node:assert/strict';
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net';
import { connect, providerById, type Batch, type Client, type MailError } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { watchFolders } from '../../shared/providers/imap/session/watchFolders.js';
import { bigMail, mail as corpus, oddities, type Oddity } from '../sandbox/corpus.js';
import { startFaultProxy, type FaultProxy } from '../sandbox/faultProxy.js';
import { startMail, type Mail, type MailOptions } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const imap = providerById('imap');
const USER = 'u0@test.local';

/**
 * Follows a feed as a trigger does: goes on from the cursor through everything, again after an error, with the cursor
 * as text in between.
 */
async function follow(
  client: Client,
  input: Record<string, unknown>,
  cursor: string,
  patience = 40,
): Promise<{ items: { id: string; item: Any }[]; cursor: string; notes: string[]; errors: MailError[] }> {
  const items: { id: string; item: Any }[] = [];
  const notes: string[] = [];
  const errors: MailError[] = [];
  for (let rounds = 0; rounds < 500; rounds++) {
    let batch: Batch;
    try {
      batch = await client.since('messageReceived', input, cursor);
    } catch (error) {
      errors.push(error as MailError);
      if (errors.length > patience) throw error;
      await new Promise(resolve => setTimeout(resolve, 100));
      continue;
    }
    items.push(...(batch.items as { id: string; item: Any }[]));
    notes.push(...(batch.notes ?? []));
    cursor = batch.cursor;
    if (!batch.more) return { items, cursor, notes, errors };
  }
  throw new Error('no end');
}
const unique = (items: { id: string }[]) => new Set(items.map(item => item.id)).size === items.length;

describe('IMAP feed', function () {
  this.timeout(60_000);
  let mail: Mail;
  let client: Client;
  let proxy: FaultProxy | undefined;
  const start = async (options: MailOptions = {}, more: Record<string, unknown> = {}) => {
    mail = await startMail(options);
    client = connect(imap, accountOf(mail, 0, more), { resolve: async () => '127.0.0.1' });
  };
  const viaProxy = async () => {
    proxy = await startFaultProxy(mail.imap.tlsPort);
    client = connect(imap, accountOf(mail, 0, { imapPort: proxy.port }), { resolve: async () => '127.0.0.1' });
  };
  const first = async (input = {}) => (await client.since('messageReceived', input)).cursor;
  const deliver = (subject: string, more = {}) => mail.deliver(USER, { subject, ...more });
  const subjects = (items: { item: Any }[]) => items.map(({ item }) => item.subject);
  afterEach(async () => {
    closeConnections();
    await proxy?.close();
    proxy = undefined;
    await mail.close();
  });

  it('finds the latest that pass, far back and in all folders together, and notes what it cannot read', async () => {
    await start();
    deliver('wanted in INBOX');
    for (let i = 0; i < 250; i++) deliver(`other${i}`);
    const latest = (input: object, most = 1) =>
      client.latest('messageReceived', input as Record<string, unknown>, most);
    assert.deepEqual(subjects((await latest({})).items as Any), ['other249']);
    assert.deepEqual(subjects((await latest({}, 3)).items as Any), ['other247', 'other248', 'other249']);
    const { items, notes } = await latest({ subject: 'wanted', folders: ['INBOX', 'Nowhere'] });
    assert.deepEqual(subjects(items as Any), ['wanted in INBOX']);
    assert.match(String((items[0] as Any).item.text), /./);
    assert.match(notes!.join(), /^The folder "Nowhere" cannot be read/);
    assert.deepEqual(await latest({ subject: 'zzz-matches-nothing' }, 5), { items: [] });
    await assert.rejects(latest({ folders: ['Nowhere'] }), { code: 'not_found' });
  });

  it('chooses by recipient and text, and leaves out what is excluded', async () => {
    await start();
    const cursor = await first();
    deliver('one', { from: 'Ann <ann@shop.example>', to: 'billing@test.local', text: 'Please pay the invoice.' });
    deliver('two', { from: 'noreply@shop.example', to: 'billing@test.local', text: 'Please pay.' });
    deliver('three', {
      from: 'bob@home.example',
      to: 'bob@home.example',
      html: '<p>Nothing to <b>pay</b></p>',
      text: '',
    });
    const by = async (input: object) =>
      subjects((await follow(client, input as Record<string, unknown>, cursor)).items);
    assert.deepEqual(await by({ to: 'Billing' }), ['one', 'two']);
    assert.deepEqual(await by({ notFrom: ['noreply@', 'bob@'] }), ['one']);
    assert.deepEqual(await by({ notTo: 'billing' }), ['three']);
    assert.deepEqual(await by({ notSubject: ['T'] }), ['one']);
    for (const fetch of ['text', 'full', 'envelope']) {
      assert.deepEqual(await by({ contains: 'PAY', notContains: ['invoice'], fetch }), ['two', 'three']);
      assert.deepEqual(
        await by({ contains: 'nothing to pay', fetch }),
        ['three'],
        'a text that is made from the HTML counts too',
      );
    }
    await assert.rejects(by({ contains: 'pay', fetch: 'raw' }), { code: 'invalid_input' });
    const latest = async (input: object, most: number) =>
      subjects((await client.latest('messageReceived', input as Record<string, unknown>, most)).items as Any);
    assert.deepEqual(await latest({ contains: 'please' }, 1), ['two']);
    assert.deepEqual(await latest({ contains: 'pay' }, 2), ['two', 'three']);
    assert.deepEqual(await latest({ notContains: ['nothing'], to: 'billing' }, 5), ['one', 'two']);
  });

  it('shows the latest few first, and only news from then on', async () => {
    await start();
    for (let i = 0; i < 8; i++) deliver(`old${i}`);
    const shown = await client.since('messageReceived', {});
    assert.deepEqual(subjects(shown.items as Any), ['old3', 'old4', 'old5', 'old6', 'old7']);
    assert.equal(shown.more, false);
    assert.deepEqual((await follow(client, {}, shown.cursor)).items, []);
    deliver('new', { text: 'hello', html: '<b>hello</b>' });
    const { items, cursor } = await follow(client, {}, shown.cursor);
    assert.deepEqual(subjects(items), ['new']);
    assert.equal(items[0]!.id, `INBOX/${mail.folder(USER).uidValidity}/9`);
    assert.equal(items[0]!.item.text.trim(), 'hello');
    assert.deepEqual((await follow(client, {}, cursor)).items, []);
    assert.ok(cursor.length < 6000);
  });

  it('does not miss what came to an empty folder before the first message was handed over', async () => {
    await start();
    const cursor = await first();
    deliver('a');
    deliver('b');
    mail.flag(USER, 1, ['\\Seen']);
    assert.deepEqual(subjects((await follow(client, {}, cursor)).items), ['a', 'b']);
  });

  it('goes through a backlog in windows, in order, each once', async () => {
    await start();
    const cursor = await first();
    for (let i = 0; i < 1203; i++) deliver(`m${i}`);
    for (const fetch of ['envelope', 'text'] as const) {
      const { items } = await follow(client, { fetch }, cursor);
      assert.deepEqual(
        subjects(items),
        Array.from({ length: 1203 }, (_, i) => `m${i}`),
      );
      assert.ok(unique(items));
    }
  });

  it('goes on from what it was told without asking again, unless the folder was left or a message went meanwhile', async () => {
    await start();
    const cursor = await first();
    const text = 'A line of text that fills the message.\r\n'.repeat(1000);
    for (let i = 0; i < 90; i++) deliver(`m${i}`, { text });
    const searches = () => mail.imap.count('UID SEARCH');
    const before = searches();
    const all = await follow(client, { fetch: 'text' }, cursor);
    assert.deepEqual(
      subjects(all.items),
      Array.from({ length: 90 }, (_, i) => `m${i}`),
    );
    assert.equal(searches() - before, 2, 'one search for all windows, and one to see that there is no more');

    for (const leave of [false, true]) {
      const one = await client.since('messageReceived', { fetch: 'text' }, cursor);
      assert.ok(one.more && one.items.length < 15, 'several windows');
      // Among those that the first look was told of and left for the next.
      const uid = leave ? 20 : 25;
      mail.expunge(USER, [uid]);
      deliver('late', { text });
      // Another task on the same connection leaves the folder.
      if (leave)
        for await (const row of client.call('message.list', { folder: 'Archive' }) as AsyncIterable<unknown>) void row;
      const rest = await follow(client, { fetch: 'text' }, one.cursor);
      const items = [...(one.items as { id: string; item: Any }[]), ...rest.items];
      assert.ok(unique(items));
      assert.deepEqual(
        subjects(items).filter(name => name !== 'late'),
        Array.from({ length: 90 }, (_, i) => `m${i}`).filter((_, i) => i !== 24 && (!leave || i !== 19)),
      );
      assert.equal(subjects(items).at(-1), 'late');
      assert.ok(
        items.every(({ item }) => item.text.length > 30_000),
        'none without its text',
      );
    }
  });

  it('starts from a date', async () => {
    await start();
    const times = [
      '2026-01-01T10:00:00Z',
      '2026-03-01T09:59:59Z',
      '2026-03-01T10:00:00Z',
      '2026-02-01T00:00:00Z',
      '2026-04-01T00:00:00Z',
    ];
    times.forEach((time, i) => mail.deliver(USER, { subject: `m${i}` }, { internalDate: Date.parse(time) }));
    // A server tells whole seconds, so a message of the same second counts.
    const begun = await client.from('messageReceived', {}, '2026-03-01T10:00:00.700Z');
    mail.deliver(USER, { subject: 'moved here later' }, { internalDate: Date.parse(times[0]!) });
    assert.deepEqual(subjects((await follow(client, {}, begun!)).items), ['m2', 'm4', 'moved here later']);
    const empty = await client.from('messageReceived', { folders: ['Archive', 'Absent'] }, times[0]!);
    mail.deliver(USER, { subject: 'first here' }, { folder: 'Archive' });
    assert.deepEqual(subjects((await follow(client, { folders: ['Archive'] }, empty!)).items), ['first here']);
    await assert.rejects(
      client.from('messageReceived', { folders: ['Absent'] }, times[0]!),
      (error: MailError) => error.code === 'not_found',
    );
  });

  it('filters', async () => {
    await start();
    const cursor = await first();
    deliver('Invoice 7', { from: 'Shop <shop@x.test>' });
    deliver('Hello');
    mail.deliver(
      USER,
      Buffer.from(
        'From: a@x.test\r\nSubject: with file\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nt\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n--b--\r\n',
      ),
    );
    mail.flag(USER, 2, ['\\Seen']);
    const only = async (input: object) => subjects((await follow(client, input as Any, cursor)).items);
    assert.deepEqual(await only({ from: 'SHOP@' }), ['Invoice 7']);
    assert.deepEqual(await only({ subject: 'invoice' }), ['Invoice 7']);
    assert.deepEqual(await only({ unseen: true }), ['Invoice 7', 'with file']);
    assert.deepEqual(await only({ hasAttachment: true }), ['with file']);
    assert.deepEqual(await only({ hasAttachment: false }), ['Invoice 7', 'Hello']);
    assert.deepEqual(await only({ largerThan: 100_000 }), []);
  });

  it('gives attachments within the limit, and the raw message', async () => {
    await start();
    const cursor = await first();
    const file = Buffer.alloc(3000, 7);
    const raw = Buffer.from(
      `From: a@x.test\r\nSubject: f\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nt\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n${file.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n--b--\r\n`,
    );
    mail.deliver(USER, raw);
    const read = async (input: object) => (await follow(client, input as Any, cursor)).items[0]!.item;
    const bytes = async (value: Any) => {
      const parts: Uint8Array[] = [];
      for await (const part of value.open()) parts.push(part);
      return Buffer.concat(parts);
    };
    assert.deepEqual(await bytes((await read({ fetch: 'full' })).attachments[0].content), file);
    assert.equal((await read({ fetch: 'full', attachmentLimit: 1000 })).attachments[0].content, undefined);
    assert.deepEqual(await bytes((await read({ fetch: 'raw' })).raw), raw);
    assert.equal((await read({ fetch: 'text' })).attachments[0].content, undefined);
  });

  it('hands over whatever is odd in every way of fetching', async () => {
    await start();
    const cursor = await first();
    for (const oddity of Object.values(oddities as Record<string, Oddity>)) mail.deliver(USER, oddity.bytes);
    for (const fetch of ['envelope', 'text', 'full', 'raw']) {
      const { items, errors } = await follow(client, { fetch }, cursor);
      assert.equal(items.length, Object.keys(oddities).length, fetch);
      assert.deepEqual(errors, []);
      assert.ok(
        items.every(({ item }) => !item.unreadable),
        fetch,
      );
    }
  });

  it('keeps a message of 60 MB out of memory', async () => {
    await start();
    const cursor = await first();
    deliver('before');
    mail.deliver(USER, { size: bigMail(60_000_000).length, bytes: () => bigMail(60_000_000) });
    deliver('after');
    const { items } = await follow(client, { fetch: 'full', attachmentLimit: 100_000_000 }, cursor);
    assert.equal(items.length, 3);
    let size = 0;
    for await (const piece of items[1]!.item.attachments[0].content.open()) size += piece.length;
    assert.ok(size > 30_000_000);
  });

  it('sets a header that never ends aside with a sentence, and the next message comes', async () => {
    await start();
    const cursor = await first();
    const bytes = () =>
      Buffer.from(`From: a@x.test\r\nSubject: endless\r\n${'X-More: and more and more and more\r\n'.repeat(300_000)}`);
    mail.deliver(USER, { size: bytes().length, bytes });
    deliver('after');
    const { items } = await follow(client, {}, cursor);
    assert.deepEqual(
      items.map(({ item }) => item.subject),
      ['endless', 'after'],
    );
    assert.match(items[0]!.item.error, /larger than 10 MB; only its source can be had/);
  });

  it('recognises known mail after the folder was created anew, and hands over the rest', async () => {
    await start();
    for (let i = 0; i < 20; i++) deliver(`known${i}`, { messageId: i % 5 ? `<k${i}@x>` : false });
    let cursor = await first();
    deliver('seen', { messageId: '<seen@x>' });
    ({ cursor } = await follow(client, {}, cursor));
    mail.recreate(USER, 'INBOX', { keep: true });
    for (let i = 0; i < 5; i++) deliver(`new${i}`);
    const { items, notes, cursor: after } = await follow(client, {}, cursor);
    assert.deepEqual(subjects(items), ['new0', 'new1', 'new2', 'new3', 'new4']);
    assert.ok(
      notes.some(note => /21 messages were known, 5 are new/.test(note)),
      notes.join('\n'),
    );
    assert.deepEqual((await follow(client, {}, after)).items, []);
  });

  it('finds all that waited in a folder created anew, however much it is, and what came to one that was empty', async () => {
    await start();
    let cursor = await first();
    mail.recreate(USER);
    const now = Date.now();
    mail.deliver(USER, { subject: 'to an empty one' }, { internalDate: now - 20_000_000 });
    const found = await follow(client, {}, cursor);
    assert.deepEqual(subjects(found.items), ['to an empty one']);
    for (let i = 0; i < 1200; i++)
      mail.deliver(USER, { subject: `m${i}`, messageId: `<m${i}@x>` }, { internalDate: now + (i - 1200) * 10_000 });
    mail.recreate(USER, 'INBOX', { keep: true });
    const rest = await follow(client, { fetch: 'envelope' }, found.cursor);
    assert.deepEqual(
      subjects(rest.items),
      Array.from({ length: 1200 }, (_, i) => `m${i}`),
    );
    assert.ok(rest.cursor.length < 9000, `${rest.cursor.length}`);
    mail.recreate(USER, 'INBOX', { keep: true });
    deliver('and later');
    ({ cursor } = rest);
    assert.deepEqual(subjects((await follow(client, { fetch: 'envelope' }, cursor)).items), ['and later']);
  });

  it('does not hand over a whole folder again whose messages were given new times of arrival', async () => {
    await start();
    for (let i = 0; i < 1500; i++)
      mail.deliver(
        USER,
        { subject: `m${i}`, messageId: `<m${i}@x>` },
        { internalDate: Date.parse('2026-01-01') + i * 3_600_000 },
      );
    const cursor = await first();
    const old = mail.folder(USER).messages;
    mail.recreate(USER);
    for (const { source } of old) mail.deliver(USER, source as Buffer);
    deliver('new');
    const { items } = await follow(client, { fetch: 'envelope' }, cursor);
    assert.equal(items.at(-1)!.item.subject, 'new');
    assert.ok(items.length < 500, `${items.length}`);
  });

  it('goes on from its date in a folder created anew before it had come to the end', async () => {
    await start();
    mail.deliver(USER, { subject: 'too old' }, { internalDate: Date.parse('2026-01-01') });
    for (let i = 0; i < 250; i++)
      mail.deliver(USER, { subject: `m${i}` }, { internalDate: Date.parse('2026-03-01') + i * 3_600_000 });
    const begun = (await client.from('messageReceived', {}, '2026-02-01T00:00:00Z'))!;
    const one = await client.since('messageReceived', {}, begun);
    assert.ok(one.items.length && one.items.length < 125, 'several windows');
    mail.recreate(USER, 'INBOX', { keep: true });
    for (const cursor of [begun, one.cursor]) {
      const { items } = await follow(client, {}, cursor);
      const known = cursor === begun ? 0 : one.items.length;
      assert.deepEqual(
        subjects(items),
        Array.from({ length: 250 - known }, (_, i) => `m${i + known}`),
      );
    }
  });

  it('notices UIDVALIDITY changing between two windows', async () => {
    await start();
    const cursor = await first();
    for (let i = 0; i < 250; i++) deliver(`m${i}`, { messageId: `<m${i}@x>` });
    const one = await client.since('messageReceived', {}, cursor);
    assert.ok(one.more && one.items.length < 125, 'several windows');
    mail.recreate(USER, 'INBOX', { keep: true });
    const rest = await follow(client, {}, one.cursor);
    assert.deepEqual(
      [...subjects(one.items as Any), ...subjects(rest.items)],
      Array.from({ length: 250 }, (_, i) => `m${i}`),
    );
  });

  it('finds UIDs that become visible late', async () => {
    await start();
    let cursor = await first();
    mail.deliver(USER, { subject: 'late' }, { hidden: true });
    deliver('early');
    let found = await follow(client, {}, cursor);
    assert.deepEqual(subjects(found.items), ['early']);
    mail.reveal(USER);
    found = await follow(client, {}, (cursor = found.cursor));
    assert.deepEqual(subjects(found.items), ['late']);
    assert.deepEqual((await follow(client, {}, found.cursor)).items, []);
  });

  it('asks again for a message that was announced but did not come, without holding up others', async () => {
    await start();
    const cursor = await first();
    deliver('a');
    const b = deliver('b');
    deliver('c');
    mail.imap.trouble.fail({ command: 'UID FETCH', uid: b.uid, empty: true, times: 2 });
    let found = await follow(client, {}, cursor);
    assert.deepEqual(subjects(found.items), ['a', 'c']);
    await new Promise(resolve => setTimeout(resolve, 1100));
    found = await follow(client, {}, found.cursor);
    assert.deepEqual(subjects(found.items), ['b']);
  });

  it('says so at last when such a message never comes, and drops it silently when it is gone', async () => {
    await start();
    const cursor = await first();
    const a = deliver('a');
    const b = deliver('b');
    for (const { uid } of [a, b]) mail.imap.trouble.fail({ command: 'UID FETCH', uid, empty: true });
    let found = await follow(client, {}, cursor);
    assert.equal(found.items.length, 0);
    mail.expunge(USER, [b.uid]);
    const items = [];
    for (let i = 0; i < 90 && !items.length; i++) {
      await new Promise(resolve => setTimeout(resolve, 100));
      found = await follow(client, {}, found.cursor);
      items.push(...found.items);
    }
    assert.deepEqual(
      items.map(({ id, item }) => [id.split('/').pop(), item.unreadable]),
      [[String(a.uid), true]],
    );
  });

  it('sets aside a message on which the server closes the connection, and delivers the others', async () => {
    for (const [name, fault] of Object.entries({
      fin: { close: 'fin' },
      reset: { close: 'reset' },
      cut: { cut: 'literal' },
    } as const)) {
      await start();
      const cursor = await first();
      for (let i = 0; i < 3; i++) deliver(`a${i}`);
      const bad = deliver('bad');
      for (let i = 0; i < 3; i++) deliver(`b${i}`);
      mail.imap.trouble.fail({ command: 'UID FETCH', uid: bad.uid, times: Infinity, ...fault });
      mail.imap.forget();
      const { items } = await follow(client, {}, cursor);
      assert.equal(items.length, 7, name);
      assert.ok(unique(items));
      assert.deepEqual(
        items.filter(({ item }) => item.unreadable).map(({ id }) => id.split('/').pop()),
        [String(bad.uid)],
        name,
      );
      assert.ok(mail.imap.seen.logins.length <= 4, `${name}: ${mail.imap.seen.logins.length} logins`);
      closeConnections();
      await mail.close();
    }
    await start();
  });

  it('hands over a message with an error when the server refuses to give it', async () => {
    await start();
    const cursor = await first();
    deliver('a');
    const bad = deliver('bad');
    deliver('c');
    mail.imap.trouble.fail({ command: 'UID FETCH', uid: bad.uid, times: Infinity, reply: 'NO Message is damaged' });
    const { items } = await follow(client, {}, cursor);
    assert.deepEqual(
      items.map(({ item }) => !!item.unreadable),
      [false, true, false],
    );
    assert.match(items[1]!.item.error, /damaged/);
  });

  it('lets the others flow on while one message is refused for the moment, and hands that over when it comes', async () => {
    const cases = [
      ['envelope', 'NO [SERVERBUG] Internal error occurred'],
      ['text', 'NO [UNAVAILABLE] Try again later'],
      ['raw', 'NO [LIMIT] Too much'],
      ['text', 'NO Temporary failure'],
    ];
    for (const [fetch, reply] of cases) {
      await start();
      const cursor = await first();
      deliver('a');
      const bad = deliver('bad');
      deliver('c');
      mail.imap.trouble.fail({ command: 'UID FETCH', uid: bad.uid, reply: reply!, times: 2 });
      const found = await follow(client, { fetch }, cursor, 0);
      assert.deepEqual(subjects(found.items), ['a', 'c'], reply);
      await new Promise(resolve => setTimeout(resolve, 1050));
      assert.deepEqual(subjects((await follow(client, { fetch }, found.cursor, 0)).items), ['bad'], reply);
      closeConnections();
      await mail.close();
    }
    await start();
  });

  it('waits while the server refuses everything for the moment, however long the window, and loses nothing', async () => {
    await start();
    const cursor = await first();
    for (let i = 0; i < 5; i++) deliver(`m${i}`);
    mail.imap.trouble.fail({ command: 'UID FETCH', reply: 'NO [UNAVAILABLE] Storage is away', times: 12 });
    const found = await follow(client, {}, cursor);
    assert.ok(found.errors.length >= 3 && found.errors.every(error => error.code === 'unavailable'));
    assert.deepEqual(subjects(found.items), ['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  it('is not held up for ever by messages that alone are left and refused for the moment', async () => {
    await start();
    const cursor = await first();
    for (const name of ['bad1', 'bad2'])
      mail.imap.trouble.fail({
        command: 'UID FETCH',
        uid: deliver(name).uid,
        reply: 'NO [SERVERBUG] Internal error',
        times: Infinity,
      });
    const found = await follow(client, {}, cursor);
    assert.deepEqual(found.items, []);
    deliver('new');
    assert.deepEqual(subjects((await follow(client, {}, found.cursor, 0)).items), ['new']);
  });

  it('does not hand over a message without its text that was moved away between envelope and text', async () => {
    await start();
    const cursor = await first();
    for (const name of ['a', 'b', 'c']) deliver(name);
    let fetches = 0;
    for (let i = 0; i < 2; i++)
      mail.imap.trouble.fail({
        command: 'UID FETCH',
        before: () => {
          if (++fetches === 2) mail.expunge(USER, [2]);
        },
      });
    const found = await follow(client, {}, cursor);
    assert.deepEqual(subjects(found.items), ['a', 'c']);
    await new Promise(resolve => setTimeout(resolve, 1050));
    const after = await follow(client, {}, found.cursor);
    assert.deepEqual([after.items, after.notes.length], [[], 1]);
    assert.match(after.notes[0]!, /Message 2 .* was moved or deleted/);
  });

  it('loses and repeats nothing when the connection is reset again and again in the middle of a fetch', async () => {
    await start();
    await viaProxy();
    const cursor = await first({ fetch: 'full' });
    for (let i = 0; i < 300; i++) mail.deliver(USER, corpus(i, { size: 6000 }));
    closeConnections();
    proxy!.cutAfter(150_000, 'reset', 5);
    const { items } = await follow(client, { fetch: 'full' }, cursor);
    assert.equal(items.length, 300);
    assert.ok(unique(items));
    assert.ok(items.every(({ item }) => !item.unreadable));
  });

  it('loses and repeats nothing while half of the folder is expunged under it', async () => {
    await start();
    const cursor = await first();
    for (let i = 0; i < 400; i++) deliver(`m${i}`);
    const one = await client.since('messageReceived', {}, cursor);
    mail.imap.trouble.fail({
      command: 'UID FETCH',
      during: () =>
        mail.expunge(
          USER,
          Array.from({ length: 200 }, (_, i) => 2 * i + 1),
        ),
    });
    const rest = await follow(client, {}, one.cursor);
    const all = new Set([...one.items, ...rest.items].map(({ id }) => id));
    for (const message of mail.folder(USER).messages)
      assert.ok(all.has(`INBOX/${mail.folder(USER).uidValidity}/${message.uid}`), String(message.uid));
    assert.equal(all.size, one.items.length + rest.items.length);
  });

  it('works with a server that does not tell UIDNEXT, and with one without ESEARCH', async () => {
    await start({ imap: { uidNext: false, without: ['ESEARCH'] } });
    deliver('old');
    const cursor = await first();
    for (let i = 0; i < 130; i++) deliver(`m${i}`);
    assert.equal((await follow(client, {}, cursor)).items.length, 130);
  });

  it('reads several folders, goes on when one is deleted, and begins a new one at its end', async () => {
    await start();
    mail.deliver(USER, { subject: 'old' }, { folder: 'Archive' });
    let cursor = await first({ folders: ['INBOX', 'Archive'] });
    deliver('in');
    mail.deliver(USER, { subject: 'arch' }, { folder: 'Archive' });
    mail.deliver(USER, { subject: 'junk' }, { folder: 'Junk' });
    let found = await follow(client, { folders: ['Nope', 'INBOX', 'Archive', 'Junk'] }, cursor);
    assert.deepEqual(subjects(found.items), ['in', 'arch']);
    assert.ok(found.notes.some(note => /Nope/.test(note)));
    cursor = found.cursor;
    mail.deliver(USER, { subject: 'junk2' }, { folder: 'Junk' });
    found = await follow(client, { folders: ['INBOX', 'Archive', 'Junk'] }, cursor);
    assert.deepEqual(subjects(found.items), ['junk2']);
    await assert.rejects(
      client.since('messageReceived', { folders: ['Nope'] }),
      (error: MailError) => error.code === 'not_found',
    );
  });

  it('goes on with the other folders while one may not be opened', async () => {
    for (const reply of ['NO [NOPERM] Permission denied', 'NO Mailbox is not selectable']) {
      await start();
      const input = { folders: ['Archive', 'INBOX'] };
      const cursor = await first(input);
      mail.deliver(USER, { subject: 'arch' }, { folder: 'Archive' });
      deliver('in');
      // Opened once, or twice where the first answer is not believed.
      mail.imap.trouble.fail({ command: 'EXAMINE', reply });
      const one = await client.since('messageReceived', input, cursor);
      assert.deepEqual(subjects(one.items as Any), ['in'], reply);
      assert.match(one.notes![0]!, /"Archive" cannot be read/);
      assert.deepEqual(subjects((await follow(client, input, one.cursor)).items), ['arch']);
      closeConnections();
      await mail.close();
    }
    await start();
  });

  it('does not count to the end of a range that a server makes up', async () => {
    await start();
    const lying = createServer(to => {
      const from = connectTcp(mail.imap.port, '127.0.0.1');
      to.pipe(from);
      from.on('data', chunk =>
        to.write(
          Buffer.from(chunk.toString('latin1').replace(/^(\* ESEARCH .* ALL) \S+/gm, '$1 1:4294967295'), 'latin1'),
        ),
      );
      for (const [one, other] of [
        [to, from],
        [from, to],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
    });
    await new Promise<void>(resolve => lying.listen(0, '127.0.0.1', resolve));
    client = connect(
      imap,
      accountOf(mail, 0, {
        imapHost: '127.0.0.1',
        imapPort: (lying.address() as AddressInfo).port,
        imapSecurity: 'none',
      }),
    );
    const cursor = await first({ fetch: 'envelope' });
    deliver('a');
    const one = await client.since('messageReceived', { fetch: 'envelope' }, cursor);
    lying.close();
    assert.deepEqual(subjects(one.items as Any), ['a']);
    assert.ok(one.cursor.length < 50_000, `${one.cursor.length}`);
  }).timeout(10_000);

  it('refuses a cursor of another feed', async () => {
    await start();
    await assert.rejects(
      client.since('messageReceived', {}, '{"v":7}'),
      (error: MailError) => error.code === 'invalid_input',
    );
  });

  describe('watching', () => {
    const watch = (input: Record<string, unknown> = {}) => {
      const stop = new AbortController();
      let calls = 0;
      let pushed: boolean | undefined;
      let wake: (() => void) | undefined;
      const watching = connect(imap, accountOf(mail), { resolve: async () => '127.0.0.1', signal: stop.signal });
      const ended = watching.watch('messageReceived', input, how => {
        calls++;
        pushed = how;
        wake?.();
      });
      ended.catch(() => {});
      return {
        ended,
        stop: () => stop.abort(),
        get calls() {
          return calls;
        },
        get pushed() {
          return pushed;
        },
        async next(ms = 3000) {
          const begun = performance.now();
          await new Promise<void>((resolve, reject) => {
            wake = resolve;
            setTimeout(() => reject(new Error('nothing happened')), ms).unref();
          });
          return performance.now() - begun;
        },
      };
    };
    it('tells of new mail at once, and ends when it is told to', async () => {
      await start();
      const w = watch();
      await w.next();
      for (let i = 0; i < 3; i++) {
        setTimeout(() => deliver('x'), 50);
        const took = await w.next();
        assert.ok(took < 1000, `${took} ms`);
      }
      mail.imap.trouble.halfOpen();
      const begun = performance.now();
      w.stop();
      await w.ended;
      assert.ok(performance.now() - begun < 500);
    });
    it('fails when the connection ends, so that the caller can come back', async () => {
      await start();
      for (const how of ['fin', 'reset', { bye: 'restarting' }] as const) {
        const w = watch();
        await w.next();
        mail.imap.trouble.drop(how);
        await assert.rejects(w.ended, (error: MailError) => error.code === 'unavailable');
      }
    });
    it('shares one connection among all who watch', async () => {
      await start();
      const all = [watch(), watch(), watch({ folders: ['Archive'] })];
      await Promise.all(all.slice(0, 1).map(w => w.next()));
      await new Promise(resolve => setTimeout(resolve, 300));
      assert.equal(mail.imap.open(), 1);
      const heard = Promise.all(all.slice(0, 2).map(w => w.next()));
      deliver('x');
      await heard;
      for (const w of all) w.stop();
      await Promise.all(all.map(w => w.ended));
    });
    it('asks on the one connection where the server allows no second', async () => {
      await start();
      await first();
      mail.imap.trouble.userLimit = 1;
      const w = watch();
      await w.next();
      assert.equal(mail.imap.open(), 1);
      assert.equal(w.pushed, false);
      w.stop();
      await w.ended;
    });
    it('says whether news is pushed: by IDLE, and only of the folder that waits', async () => {
      await start();
      const inbox = watch();
      const archive = watch({ folders: ['Archive'] });
      await inbox.next();
      assert.deepEqual([inbox.pushed, archive.pushed], [true, false]);
      for (const w of [inbox, archive]) {
        w.stop();
        await w.ended;
      }
      closeConnections();
      await mail.close();
      await start({ imap: { without: ['IDLE'] } });
      const asked = watch();
      await asked.next();
      assert.equal(asked.pushed, false);
      asked.stop();
      await asked.ended;
    });
    const until = async (w: ReturnType<typeof watch>, is: () => boolean) => {
      while (!is()) await w.next();
    };
    /** Resolves when the server hears IDLE next. */
    const idling = () => new Promise<void>(before => mail.imap.trouble.fail({ command: 'IDLE', before }));
    const examined = () => mail.imap.seen.commands.filter(({ name }) => name === 'EXAMINE').length;
    it('waits on the next folder where the first is missing, and says so once', async () => {
      await start();
      const w = watch({ folders: ['Deleted', 'INBOX'] });
      await until(w, () => w.calls === 2);
      assert.equal(w.pushed, true);
      for (let i = 0; i < 2; i++) {
        const heard = w.next();
        deliver('x');
        await heard;
        assert.equal(w.calls, 3 + i);
      }
      assert.equal(mail.imap.open(), 1);
      w.stop();
      await w.ended;
    });
    it('waits on a folder of another where the only one of the first is missing, and fails where all are', async () => {
      await start();
      await assert.rejects(watch({ folders: ['Deleted', 'Nowhere'] }).ended, { code: 'not_found' });
      const waiting = idling();
      const lost = watch({ folders: ['Deleted'] });
      const inbox = watch();
      await waiting;
      assert.deepEqual([inbox.pushed, lost.pushed], [true, false]);
      const heard = inbox.next();
      deliver('x');
      await heard;
      assert.equal(inbox.pushed, true);
      inbox.stop();
      await inbox.ended;
      await assert.rejects(lost.ended, { code: 'not_found' });
    });
    it('comes back to a folder that was refused once its STATUS answers, and is not refused twice for nothing', async () => {
      for (const times of [1, 2]) {
        await start();
        mail.imap.trouble.fail({ command: 'EXAMINE', reply: 'NO [NOPERM] Permission denied' });
        let waiting = idling();
        const w = watch({ folders: ['Archive', 'INBOX'] });
        await waiting;
        // INBOX is open, Archive is gone, Archive answers STATUS.
        assert.deepEqual([w.calls, w.pushed, examined()], [3, true, 2]);
        if (times === 2) mail.imap.trouble.fail({ command: 'EXAMINE', reply: 'NO [NOPERM] Permission denied' });
        const others = [];
        for (let round = 0; round < 2; round++) {
          waiting = idling();
          // Whoever comes wakes the connection that waits.
          others.push(watch());
          await waiting;
          assert.equal(examined(), 2 + times);
        }
        // Of the folder that was opened, and not once more of one that is gone.
        assert.equal(w.calls, 4);
        const heard = w.next();
        mail.deliver(USER, { subject: 'x' }, { folder: times === 1 ? 'Archive' : 'INBOX' });
        await heard;
        assert.deepEqual([w.pushed, examined()], [true, 2 + times]);
        for (const one of [w, ...others]) {
          one.stop();
          await one.ended;
        }
        closeConnections();
        await mail.close();
      }
      await start();
    });
    it('asks for the others on the one connection while one is missing, and fails where all are', async () => {
      await start();
      await first();
      mail.imap.trouble.userLimit = 1;
      const w = watch({ folders: ['Deleted', 'INBOX'] });
      await until(w, () => w.calls === 2);
      assert.equal(mail.imap.open(), 1);
      w.stop();
      await w.ended;
      await assert.rejects(watch({ folders: ['Deleted', 'Nowhere'] }).ended, { code: 'not_found' });
    });
    it('asks for the other folders at once, also where the clock begins at nought', async () => {
      await start();
      const { now } = performance;
      const begun = performance.now();
      performance.now = () => now.call(performance) - begun;
      try {
        const w = watch({ folders: ['INBOX', 'Archive'] });
        await until(w, () => w.calls === 2);
        w.stop();
        await w.ended;
      } finally {
        performance.now = now;
      }
    });
    it('looks at no account where it was stopped before', async () => {
      await start();
      await watchFolders({ signal: AbortSignal.abort() } as Any, ['INBOX'], () => {});
    });
    it('says so when the server offers IDLE and then refuses it', async () => {
      await start();
      mail.imap.trouble.fail({ command: 'IDLE', reply: 'BAD not now' });
      const w = watch();
      await w.next();
      if (w.pushed) await w.next();
      assert.equal(w.pushed, false);
      w.stop();
      await w.ended;
    });
  });
});
