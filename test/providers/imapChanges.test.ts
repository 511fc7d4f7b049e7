import assert from 'node:assert/strict';
import fc from 'fast-check';
import { connect, providerById, type Batch, type Client, type MailError } from '../../shared/index.js';
import {
  ALL_FLAGS,
  flagChanges,
  pack,
  Times,
  unpack,
  type Flag,
  type Messages,
} from '../../shared/providers/imap/feed/changes.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startFaultProxy, type FaultProxy } from '../sandbox/faultProxy.js';
import { startMail, type Mail, type MailOptions } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const imap = providerById('imap');
const USER = 'u0@test.local';
const ALL = ['starred', 'unstarred', 'read', 'unread', 'answered', 'moved', 'deleted'];

describe('IMAP feed of changes', function () {
  this.timeout(60_000);
  let mail: Mail;
  let client: Client;
  let proxy: FaultProxy | undefined;
  const start = async (options: MailOptions = {}) => {
    mail = await startMail(options);
    client = connect(imap, accountOf(mail), { resolve: async () => '127.0.0.1' });
  };
  afterEach(async () => {
    closeConnections();
    await proxy?.close();
    proxy = undefined;
    await mail?.close();
  });

  const begin = async (input: object) => (await client.since('messageChanged', input as Any)).cursor;
  /** All that happened since, as a trigger would hear it, with the cursor as text in between. */
  async function follow(input: object, cursor: string) {
    const items: { id: string; item: Any; problem?: string }[] = [];
    const notes: string[] = [];
    for (let rounds = 0; rounds < 200; rounds++) {
      const batch: Batch = await client.since('messageChanged', input as Any, cursor);
      items.push(...(batch.items as Any));
      notes.push(...(batch.notes ?? []));
      cursor = batch.cursor;
      if (!batch.more) return { items, notes, cursor };
    }
    throw new Error('no end');
  }
  const told = (items: { item: Any }[]) => items.map(({ item }) => `${item.change} ${item.subject ?? item.id}`);
  const fill = (count: number, folder = 'INBOX') => {
    for (let i = 0; i < count; i++) mail.deliver(USER, { subject: `m${i}`, text: `text ${i}` }, { folder });
  };
  /** As another mail program does it. */
  async function elsewhere(run: (phone: Any) => Promise<unknown>) {
    const { ImapFlow } = await import('imapflow');
    const phone = new ImapFlow({
      host: '127.0.0.1',
      port: mail.imap.port,
      secure: false,
      doSTARTTLS: false,
      auth: { user: USER, pass: 'pass0' },
      logger: false,
    });
    phone.on('error', () => {});
    await phone.connect();
    try {
      await run(phone);
    } finally {
      await phone.logout();
    }
  }
  const move = (uid: number, to: string, from = 'INBOX') =>
    elsewhere(async phone => {
      await phone.mailboxOpen(from);
      await phone.messageMove(String(uid), to, { uid: true });
    });

  for (const [kind, off] of [
    ['a server that counts changes', []],
    ['a server that does not', ['CONDSTORE', 'ESEARCH', 'LIST-STATUS']],
  ] as const) {
    describe(kind, () => {
      const options = { imap: { off: [...off] } } as MailOptions;

      it('tells each flag that is set or taken away, once, with the message', async () => {
        await start(options);
        fill(5);
        const cursor = await begin({ changes: ALL });
        assert.deepEqual((await follow({ changes: ALL }, cursor)).items, []);
        mail.flag(USER, 2, ['\\Flagged', '\\Seen']);
        mail.flag(USER, 4, ['\\Answered', 'other']);
        const first = await follow({ changes: ALL }, cursor);
        assert.deepEqual(told(first.items), ['starred m1', 'read m1', 'answered m3']);
        assert.match(first.items[0]!.item.text, /text 1/);
        assert.deepEqual(
          first.items.map(({ id }) => id.split('/').slice(2).join('/')),
          ['2/starred/set/0', '2/read/set/0', '4/answered/set/0'],
        );
        assert.deepEqual((await follow({ changes: ALL }, first.cursor)).items, []);
        mail.flag(USER, 2, []);
        const second = await follow({ changes: ALL }, first.cursor);
        assert.deepEqual(told(second.items), ['unstarred m1', 'unread m1']);
        mail.flag(USER, 2, ['\\Flagged']);
        const third = await follow({ changes: ALL }, second.cursor);
        assert.deepEqual(told(third.items), ['starred m1']);
        assert.notEqual(third.items[0]!.id, first.items[0]!.id, 'the same star again is another event');
        // What is offered again from an earlier cursor has the names it had: n8n drops it then.
        assert.deepEqual(
          (await follow({ changes: ALL }, cursor)).items.map(({ id }) => id),
          [
            'INBOX/' + mail.folder(USER).uidValidity + '/2/starred/set/0',
            'INBOX/' + mail.folder(USER).uidValidity + '/4/answered/set/0',
          ],
        );
      });

      it('tells what was asked for only, also of what arrives with a flag on it, and not of what was brought along', async () => {
        await start(options);
        fill(2);
        const cursor = await begin({ changes: ['starred'] });
        mail.flag(USER, 1, ['\\Seen']);
        mail.deliver(USER, { subject: 'starred at once' }, { flags: ['\\Flagged'] });
        mail.deliver(
          USER,
          { subject: 'old and starred elsewhere' },
          { flags: ['\\Flagged'], internalDate: Date.parse('2020-01-01') },
        );
        const { items } = await follow({ changes: ['starred'] }, cursor);
        assert.deepEqual(told(items), ['starred starred at once']);
      });

      it('tells where a message went, and says deleted only of one that went nowhere', async () => {
        await start(options);
        fill(6);
        mail.deliver(USER, { subject: 'twin', messageId: '<twin@test>' } as Any);
        mail.deliver(USER, { subject: 'twin', messageId: '<twin@test>' } as Any, { folder: 'Sent' });
        const cursor = await begin({ changes: ['moved', 'deleted'] });
        await move(2, 'Trash');
        mail.expunge(USER, [3, 7]);
        const { items, cursor: after } = await follow({ changes: ['moved', 'deleted'] }, cursor);
        assert.deepEqual(
          items.map(({ item }) => [item.change, item.folder, item.movedFrom, item.subject]),
          [
            ['moved', 'Trash', 'INBOX', 'm1'],
            ['deleted', 'INBOX', undefined, undefined],
            ['deleted', 'INBOX', undefined, undefined],
          ],
        );
        assert.equal(items[1]!.item.id, `INBOX;UIDVALIDITY=${mail.folder(USER).uidValidity};UID=3`, 'the id it had');
        assert.match(items[0]!.item.text, /text 1/);
        assert.deepEqual((await follow({ changes: ['moved', 'deleted'] }, after)).items, []);
      });

      it('takes a message that is copied, marked as deleted and expunged later for moved, also when it looks in between', async () => {
        await start(options);
        fill(4);
        const input = { changes: ['moved', 'deleted'] };
        let cursor = await begin(input);
        const told: string[] = [];
        const look = async () => {
          const found = await follow(input, cursor);
          cursor = found.cursor;
          told.push(...found.items.map(({ item }) => `${item.change} ${item.subject ?? item.native.uid}`));
        };
        await elsewhere(async phone => {
          await phone.mailboxOpen('INBOX');
          await phone.messageCopy('2', 'Archive', { uid: true });
        });
        await look();
        mail.flag(USER, 2, ['\\Deleted']);
        mail.flag(USER, 3, ['\\Deleted']);
        await look();
        assert.deepEqual(told, ['moved m1', 'deleted 3']);
        mail.expunge(USER, [2, 3]);
        await look();
        mail.flag(USER, 4, ['\\Deleted']);
        mail.flag(USER, 4, []);
        await look();
        assert.deepEqual(told, ['moved m1', 'deleted 3']);
      });

      it('goes on in windows through many changes, each once', async () => {
        await start(options);
        fill(300);
        const input = { changes: ['starred', 'deleted'] };
        const cursor = await begin(input);
        for (let uid = 1; uid <= 250; uid++) if (uid % 5) mail.flag(USER, uid, ['\\Flagged']);
        mail.expunge(
          USER,
          Array.from({ length: 50 }, (_, i) => (i + 1) * 5),
        );
        const { items } = await follow(input, cursor);
        assert.equal(items.length, 250);
        assert.equal(new Set(items.map(({ id }) => id)).size, 250);
        assert.equal(items.filter(({ item }) => item.change === 'deleted').length, 50);
      });
    });
  }

  it('asks a server that counts changes for these alone', async () => {
    await start();
    fill(50);
    const cursor = await begin({ changes: ['starred'] });
    const before = mail.imap.count('FETCH') + mail.imap.count('UID FETCH');
    const quiet = await follow({ changes: ['starred'] }, cursor);
    assert.equal(
      mail.imap.count('FETCH') + mail.imap.count('UID FETCH'),
      before,
      'nothing is read where nothing changed',
    );
    assert.ok(quiet.cursor.length < 300, quiet.cursor);
  });

  it('chooses by sender, recipient, subject and text, and leaves out', async () => {
    await start();
    const letters = [
      { subject: 'Invoice 1', from: 'Ann <ann@shop.example>', to: 'billing@test.local', text: 'Please pay.' },
      { subject: 'Invoice 2', from: 'noreply@shop.example', to: 'billing@test.local', text: 'Please pay.' },
      { subject: 'Party', from: 'bob@home.example', to: 'bob@home.example', text: 'Come and pay nothing.' },
    ];
    for (const one of letters) mail.deliver(USER, one as Any);
    const cursor = await begin({ changes: ['starred', 'deleted'] });
    for (let uid = 1; uid <= 3; uid++) mail.flag(USER, uid, ['\\Flagged']);
    const by = async (filters: object) =>
      told((await follow({ changes: ['starred', 'deleted'], ...filters }, cursor)).items).map(one =>
        one.replace('starred ', ''),
      );
    assert.deepEqual(await by({ to: 'BILLING@' }), ['Invoice 1', 'Invoice 2']);
    assert.deepEqual(await by({ notFrom: ['noreply@', 'bob'] }), ['Invoice 1']);
    assert.deepEqual(await by({ subject: 'invoice', notSubject: ['2'] }), ['Invoice 1']);
    assert.deepEqual(await by({ contains: 'PAY', notContains: ['please'] }), ['Party']);
    assert.deepEqual(await by({ notTo: ['billing'] }), ['Party']);
  });

  it('says of a deleted message what it passed while it was there, after other filters were set too', async () => {
    await start();
    mail.deliver(USER, { subject: 'wanted' });
    mail.deliver(USER, { subject: 'other' });
    const input = { changes: ['deleted'], subject: 'wanted' };
    const cursor = await begin(input);
    mail.expunge(USER, [2]);
    const none = await follow(input, cursor);
    assert.deepEqual(none.items, []);
    mail.deliver(USER, { subject: 'other again' });
    const other = { changes: ['deleted'], subject: 'other' };
    const again = await follow(other, none.cursor);
    mail.expunge(USER, [1, 3]);
    assert.deepEqual(
      (await follow(other, again.cursor)).items.map(({ item }) => item.native.uid),
      [3],
    );
  });

  it('notes a folder that is new, anew or away, and goes on with the others', async () => {
    await start();
    fill(2);
    const input = { changes: ['starred'], folders: ['INBOX', 'Nowhere'] };
    const cursor = await begin(input);
    mail.flag(USER, 1, ['\\Flagged']);
    const one = await follow(input, cursor);
    assert.deepEqual(told(one.items), ['starred m0']);
    assert.match(one.notes.join(), /"Nowhere" cannot be read/);
    mail.recreate(USER, 'INBOX', { keep: true });
    const two = await follow({ changes: ['starred'], folders: ['INBOX', 'Sent'] }, one.cursor);
    assert.deepEqual(two.items, []);
    assert.match(two.notes.join(' '), /"INBOX" was created anew.*"Sent" is new here/);
    await assert.rejects(client.since('messageChanged', { changes: ['starred'], folders: ['Nowhere'] }), {
      code: 'not_found',
    });
    await assert.rejects(client.since('messageChanged', { changes: [] }), { code: 'invalid_input' });
    await assert.rejects(client.since('messageChanged', { changes: ['starred'] }, '{"v":1,"folders":{}}'), {
      code: 'invalid_input',
    });
  });

  it('loses and repeats nothing over connections that break at any command', async () => {
    await start();
    fill(12);
    proxy = await startFaultProxy(mail.imap.tlsPort);
    client = connect(imap, accountOf(mail, 0, { imapPort: proxy.port }), { resolve: async () => '127.0.0.1' });
    const input = { changes: ['starred', 'moved', 'deleted'] };
    let cursor = await begin(input);
    const items: { id: string; item: Any }[] = [];
    for (const [turn, command] of ['FETCH', 'UID FETCH', 'UID SEARCH', 'LIST', 'EXAMINE', 'STATUS'].entries()) {
      mail.flag(USER, 1 + turn, ['\\Flagged']);
      await move(12 - turn, 'Archive');
      mail.imap.trouble.fail({ command, close: 'reset', times: 2 });
      for (let tries = 0; ; tries++) {
        try {
          const batch = await client.since('messageChanged', input as Any, cursor);
          items.push(...(batch.items as Any));
          cursor = batch.cursor;
          if (!batch.more) break;
        } catch (error) {
          if (tries > 6) throw error;
          assert.equal((error as MailError).code, 'unavailable');
        }
      }
      mail.imap.trouble.mend();
    }
    assert.deepEqual(
      told(items).sort(),
      [...[0, 1, 2, 3, 4, 5].map(n => `starred m${n}`), ...[6, 7, 8, 9, 10, 11].map(n => `moved m${n}`)].sort(),
    );
  });

  it('is told at once when a message is marked or goes, where the server pushes', async () => {
    await start();
    fill(3);
    const over = new AbortController();
    let calls = 0;
    let heard: () => void = () => {};
    const watching = connect(imap, accountOf(mail), {
      resolve: async () => '127.0.0.1',
      signal: over.signal,
    } as Any).watch('messageChanged', { changes: ['starred'] }, () => {
      calls++;
      heard();
    });
    const next = async (what: () => void) => {
      const before = calls;
      const told = new Promise<void>(resolve => {
        heard = () => {
          if (calls > before) resolve();
        };
      });
      what();
      await told;
    };
    await next(() => {});
    await next(() => mail.flag(USER, 2, ['\\Flagged']));
    await next(() => mail.expunge(USER, [3]));
    over.abort();
    await watching;
  });

  it('shows in a test the newest message that is as if it had just been changed, and says what it cannot show', async () => {
    await start();
    fill(5);
    mail.flag(USER, 2, ['\\Flagged']);
    const latest = (input: object, most = 1) => client.latest('messageChanged', input as Any, most);
    assert.deepEqual(told((await latest({ changes: ['starred'] })).items as Any), ['starred m1']);
    assert.deepEqual(told((await latest({ changes: ['unread'] }, 2)).items as Any), ['unread m3', 'unread m4']);
    const gone = await latest({ changes: ['moved'] });
    assert.deepEqual(gone.items, []);
    assert.match(gone.notes!.join(), /cannot show a message that was moved/);
  });

  it('keeps what it knows whole, whatever messages there are', () => {
    const messages = fc.uniqueArray(
      fc.record({
        uid: fc.integer({ min: 1, max: 4_000_000_000 }),
        flags: fc.subarray(ALL_FLAGS as Flag[]),
        named: fc.boolean(),
        pass: fc.boolean(),
      }),
      { selector: ({ uid }) => uid, maxLength: 60 },
    );
    fc.assert(
      fc.property(messages, list => {
        const known: Messages = new Map(
          list
            .sort((a, b) => a.uid - b.uid)
            .map(({ uid, flags, named, pass }) => [
              uid,
              { flags: new Set(flags), ...(named ? { name: uid.toString(16).padStart(8, '0'), pass } : {}) },
            ]),
        );
        const stored = JSON.parse(JSON.stringify(pack(known, ALL_FLAGS, true)));
        assert.deepEqual([...unpack({ val: '1', next: 1, exists: 1, at: 0, ...stored })], [...known]);
      }),
    );
  });

  it('gives every event of a message another name, whatever is set and taken away', () => {
    fc.assert(
      fc.property(fc.array(fc.subarray(ALL_FLAGS as Flag[]), { maxLength: 40 }), steps => {
        const names: string[] = [];
        const times = new Times(undefined);
        let was = new Set<Flag>();
        for (const step of steps) {
          const is = new Set(step);
          names.push(...flagChanges(7, was, is, ALL_FLAGS, times).map(({ id }) => id));
          was = is;
        }
        assert.equal(new Set(names).size, names.length);
      }),
    );
  });
});
