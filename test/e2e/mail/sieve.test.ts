import assert from 'node:assert/strict';
import { connect, providerById, take, type MailError } from '../../../shared/index.js';
import { letter } from '../../sandbox/corpus.js';
import { selfSigned } from '../../../shared/mailServer/imap/certificate.js';
import { phoneOf, subjectsIn, type User } from './lab.js';
import { outbox, type Outbox } from './outbox.js';
import { startCyrus } from './servers/cyrus.js';
import { root } from './servers/debian.js';
import { startDovecot } from './servers/dovecot.js';
import { removeFolder, temporaryFolder } from './servers/process.js';
import type { Ground, ImapServer } from './servers/server.js';

type Any = any;
const STARTS: Record<string, (ground: Ground) => Promise<ImapServer>> = {
  dovecot: startDovecot,
  bareDovecot: ground => startDovecot(ground, { bare: true }),
  ...(root ? { cyrus: startCyrus } : {}),
};
const families = Object.keys(STARTS).filter(name =>
  (process.env.SERVERS ?? 'dovecot,bareDovecot,cyrus').split(',').includes(name),
);
const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.equal((error as MailError).code, code, (error as Error).message);
  assert.match((error as Error).message, words);
  return true;
};

for (const family of families) {
  describe(`Rules on ${family}`, function () {
    this.timeout(60_000);
    // Without it two scripts do not run together, and the rules stand in the script that is active.
    const include = family !== 'bareDovecot';
    const folder = temporaryFolder();
    const certificate = selfSigned();
    const users: User[] = Array.from({ length: 20 }, (_, i) => ({ user: `m${i}@test.local`, password: `pass${i}` }));
    let server: ImapServer;
    let out: Outbox;
    let next = 0;
    before(async () => {
      out = await outbox();
      server = await STARTS[family]!({ folder, certificate, users, outgoing: out.port });
    });
    after(async () => {
      await server?.close();
      await out?.close();
      removeFolder(folder);
    });

    interface Walk {
      user: User;
      client: Any;
      found(folder?: string): Promise<string[]>;
      deliver(subject: string, more?: Any): Promise<void>;
    }
    const script = async (name: string, client: Any): Promise<string> =>
      (await client.call('script.get', { script: name })).text;
    const all = (client: Any, name: string, input = {}): Promise<Any[]> => take(client.call(name, input), 1_000);
    const path = (name: string) => `${server.prefix}${name}`;
    async function walk(more: Record<string, unknown> = {}): Promise<Walk> {
      const user = users[next++]!;
      // Cyrus lets nobody keep rules who has no INBOX yet.
      await server.deliver(user, letter({ to: user.user, subject: 'first' }));
      const client: Any = connect(providerById('imap'), {
        user: user.user,
        password: user.password,
        imapHost: 'localhost',
        imapPort: server.imapTlsPort,
        imapSecurity: 'tls',
        sievePort: server.sievePort,
        allowedCertificate: certificate.cert,
        ...more,
      });
      return {
        user,
        client,
        deliver: (subject, { bytes, ...parts } = {}) =>
          server.deliver(user, bytes ?? letter({ to: user.user, subject, ...parts })),
        found: folder => subjectsIn(server.imapPort, user, folder),
      };
    }

    it('whole scripts are stored, checked, renamed and deleted', async () => {
      const { client } = await walk();
      const text = 'require ["fileinto"];\r\nif header :contains "subject" "test" { fileinto "Junk"; }\r\n';
      assert.deepEqual(await all(client, 'script.list'), []);
      await client.call('script.put', { script: 'mein Skript', text, activate: true });
      assert.equal(await script('mein Skript', client), text);
      const told = await client.call('script.check', { text: 'require ["nosuch"];\r\nfileinto;\r\n' });
      assert.equal(told.valid, false);
      assert.match(told.message, /nosuch/);
      await assert.rejects(
        client.call('script.put', { script: 'mein Skript', text: 'nonsense' }),
        refused('invalid_input', /does not accept the script/),
      );
      assert.equal(await script('mein Skript', client), text);
      await client.call('script.rename', { script: 'mein Skript', newName: 'neu' });
      assert.deepEqual(
        (await all(client, 'script.list')).map(one => [one.id, one.active]),
        [['neu', true]],
      );
      await client.call('script.deactivate', {});
      await client.call('script.delete', { script: 'neu' });
      assert.deepEqual(await all(client, 'script.list'), []);
      await assert.rejects(client.call('script.delete', { script: 'neu' }), refused('not_found', /no script "neu"/));
    });

    it('a wrong password is refused in words', async () => {
      const { client } = await walk({
        password: 'wrong-secret',
        imapHost: undefined,
        sieveHost: 'localhost',
        smtpHost: 'localhost',
      });
      await assert.rejects(
        all(client, 'script.list'),
        refused('unauthorized', /Sieve at localhost:\d+ refused the login/),
      );
    });

    it('a sender, a domain, a pattern and an IP address are blocked, an allowed sender is not, and what is removed arrives again', async () => {
      const { client, deliver, found } = await walk();
      for (const [list, value] of [
        ['blockedSenders', 'bad@one.example'],
        ['blockedSenders', 'two.example'],
        ['blockedSenders', '@%.three.example'],
        ['blockedIps', '192.0.2.7'],
        ['blockedIps', '198.51.100.0/24'],
        ['allowedSenders', 'good@two.example'],
      ]) {
        await client.call('spamList.add', { list, value });
      }
      await deliver('one', { from: 'Bad <BAD@one.example>' });
      await deliver('fine', { from: 'good@one.example' });
      await deliver('two', { from: 'x@two.example' });
      await deliver('allowed', { from: 'good@two.example' });
      await deliver('three', { from: 'x@a.three.example' });
      const received = (address: string, subject: string) =>
        Buffer.concat([
          Buffer.from(
            `Received: from mx.example (mx.example [${address}])\r\n\tby test.local; Mon, 30 Nov 2026 10:00:00 +0000\r\n`,
          ),
          letter({ from: 'ann@fine.example', subject }),
        ]);
      await deliver('', { bytes: received('192.0.2.7', 'four') });
      await deliver('', { bytes: received('192.0.2.77', 'near') });
      await deliver('', { bytes: received('198.51.100.200', 'five') });
      assert.deepEqual(await found(path('Junk')), ['one', 'two', 'three', 'four', 'five']);
      assert.deepEqual(await found(), ['first', 'fine', 'allowed', 'near']);
      assert.deepEqual(
        (await all(client, 'spamList.list', { list: 'blockedSenders' })).map(one => one.value),
        ['bad@one.example', 'two.example', '@%.three.example'],
      );
      await assert.rejects(
        client.call('spamList.add', { list: 'blockedSenders', value: 'Two.Example' }),
        refused('conflict', /already on the list/),
      );
      await client.call('spamList.remove', { list: 'blockedSenders', value: 'two.example' });
      await deliver('two again', { from: 'x@two.example' });
      assert.deepEqual((await found()).slice(-1), ['two again']);
    });

    it('a script that was active before is still at work, and unchanged', async () => {
      const { client, deliver, found } = await walk();
      const hand =
        'require ["fileinto", "imap4flags"];\r\n# von Hand, mit Umlaut: ü\r\nif header :contains "subject" "hand" { setflag "\\\\Seen"; }\r\n';
      await client.call('script.put', { script: 'von Hand', text: hand, activate: true });
      const done = await client.call('spamList.add', { list: 'blockedSenders', value: 'bad@one.example' });
      assert.deepEqual(done.native, include ? { script: 'mailroom', includes: 'von Hand' } : { script: 'von Hand' });
      await client.call('spamList.add', { list: 'blockedSenders', value: 'worse@one.example' });
      await deliver('by hand');
      await deliver('blocked', { from: 'worse@one.example' });
      assert.deepEqual(await found(), ['first', 'by hand (seen)']);
      assert.deepEqual(await found(path('Junk')), ['blocked']);
      if (!include)
        for (const value of ['bad', 'worse'])
          await client.call('spamList.remove', { list: 'blockedSenders', value: `${value}@one.example` });
      assert.equal(await script('von Hand', client), hand);
      assert.deepEqual(
        (await all(client, 'script.list')).map(one => [one.id, one.active]).sort(),
        include
          ? [
              ['mailroom', true],
              ['mailroom-before', false],
              ['von Hand', false],
            ]
          : [
              ['mailroom-before', false],
              ['von Hand', true],
            ],
      );
    });

    it('an absence is answered once for each sender, while it lasts', async () => {
      const { client, deliver, user } = await walk();
      const hour = 3_600_000;
      const at = (ms: number) => new Date(Date.now() + ms).toISOString();
      await client.call('autoReply.set', {
        subject: 'Bin weg',
        text: 'Grüße,\nich bin "weg" \\ bis Freitag.',
        html: '<p>Grüße</p>',
        start: at(-hour),
        end: at(hour),
      });
      const set = await client.call('autoReply.get', {});
      assert.deepEqual(
        [set.set, set.days, set.addresses, set.text],
        [true, 7, [user.user], 'Grüße,\nich bin "weg" \\ bis Freitag.'],
      );
      const from = 'sender@gen.test.local';
      const before = out.sent.length;
      await deliver('hello', { from });
      const [answer] = (await out.to(from)).slice(before);
      await deliver('hello again', { from });
      await client.call('forwarding.set', { addresses: [`proof-${family}@elsewhere.example`] });
      await deliver('the last', { from });
      await out.to(`proof-${family}@elsewhere.example`);
      assert.equal(out.sent.slice(before).filter(one => one.to === from).length, 1);
      assert.match(answer!.source, /Subject: Bin weg/i);
      assert.match(answer!.source, /multipart\/alternative/);
      assert.ok(answer!.source.includes(Buffer.from('<p>Grüße</p>').toString('base64')));
      await client.call('autoReply.clear', {});
      assert.equal((await client.call('autoReply.get', {})).set, false);
    });

    const seconds = family === 'cyrus';
    it(
      seconds
        ? 'an answer with a pause in seconds is accepted, and given once'
        : 'an answer with a pause in seconds is refused by the name of what is missing',
      async () => {
        const { client, deliver } = await walk();
        const proof = `seconds-${family}@elsewhere.example`;
        const set = () => client.call('autoReply.set', { text: 'Away.', seconds: 600 });
        // Pigeonhole has it, and offers it only where an administrator says so (doc.dovecot.org, sieve_extensions).
        if (!seconds) return assert.rejects(set(), refused('unsupported', /lacks the extension "vacation-seconds"/));
        await set();
        const begun = out.sent.length;
        await deliver('hello');
        await deliver('hello again');
        await client.call('forwarding.set', { addresses: [proof] });
        await deliver('the last');
        await out.to(proof);
        // The envelope's sender is the same for all.
        assert.equal(out.sent.slice(begun).filter(one => one.to === 'sender@gen.test.local').length, 1);
      },
    );

    it('an absence that has not begun, and one that is over, are not answered', async () => {
      const hour = 3_600_000;
      const at = (ms: number) => new Date(Date.now() + ms).toISOString();
      const before = out.sent.length;
      for (const [start, end] of [
        [hour, 2 * hour],
        [-2 * hour, -hour],
      ] as const) {
        const { client, deliver } = await walk();
        const proof = `late${start}-${family}@elsewhere.example`;
        await client.call('autoReply.set', { text: 'Away.', start: at(start), end: at(end) });
        await client.call('forwarding.set', { addresses: [proof] });
        await deliver('hello');
        await out.to(proof);
      }
      assert.equal(out.sent.slice(before).filter(one => one.to === 'sender@gen.test.local').length, 0);
    });

    it('forwarding keeps a copy, or none, until it is cleared', async () => {
      const { client, deliver, found } = await walk();
      const to = `ben-${family}@elsewhere.example`;
      await client.call('forwarding.set', { addresses: [to] });
      await deliver('with a copy');
      await client.call('forwarding.set', { addresses: [to], keep: false });
      await deliver('without');
      await out.to(to, 2);
      await client.call('forwarding.clear', {});
      await deliver('no more');
      assert.deepEqual(await found(), ['first', 'with a copy', 'no more']);
      assert.equal((await out.to(to)).length, 2);
      assert.deepEqual((await client.call('forwarding.get', {})).addresses, []);
    });

    it('rules file, copy, mark, redirect, discard and reject, in their order', async () => {
      const { client, deliver, found } = await walk();
      await client.call('rule.create', {
        name: 'Rechnungen "alle"',
        subject: ['Invoice', 'Rech*ung'],
        moveTo: path('Archive'),
        markRead: true,
      });
      await client.call('rule.create', { from: ['shop.example'], header: ['X-Bulk: yes'], discard: true });
      await client.call('rule.create', {
        match: 'any',
        listId: ['news.example'],
        largerThan: 100_000,
        copyTo: path('Archive'),
        stop: false,
      });
      const { id } = await client.call('rule.create', {
        to: ['orders@'],
        redirectTo: [`orders-${family}@elsewhere.example`],
      });
      const { id: rejecting } = await client.call('rule.create', { from: ['no@way.example'], reject: 'Not here.' });
      await deliver('Your Invoice 7');
      await deliver('Rechnung 8');
      const headers = (fields: string, subject: string) => ({
        bytes: Buffer.concat([Buffer.from(fields), letter({ from: 'a@shop.example', subject })]),
      });
      await deliver('', headers('X-Bulk: yes\r\n', 'thrown away'));
      await deliver('', headers('', 'kept'));
      await deliver('', headers('List-Id: News <news.example>\r\n', 'news'));
      await deliver('order', { to: 'orders@test.local' });
      await out.to(`orders-${family}@elsewhere.example`);
      // Cyrus refuses it to whoever delivers, which tells the sender; Dovecot takes it and writes to the sender itself.
      await deliver('go away', { from: 'no@way.example' }).catch((error: unknown) => {
        assert.match((error as Error).message, /550 .*Not here\./);
      });
      assert.deepEqual(await found(path('Archive')), ['Your Invoice 7 (seen)', 'Rechnung 8 (seen)', 'news']);
      assert.deepEqual(await found(), ['first', 'kept', 'news', 'order']);
      await client.call('rule.move', { rule: id, position: 1 });
      await client.call('rule.update', { rule: id, enabled: false, to: [], subject: ['never'] });
      await client.call('rule.delete', { rule: rejecting });
      const listed = await all(client, 'rule.list');
      assert.deepEqual(
        listed.map(one => [one.position, one.enabled, one.name]),
        [
          [1, false, 'to: orders@'],
          [2, true, 'Rechnungen "alle"'],
          [3, true, 'from: shop.example'],
          [4, true, 'listId: news.example'],
        ],
      );
      assert.deepEqual(
        [listed[0].to, listed[0].subject, listed[0].redirectTo],
        [undefined, ['never'], [`orders-${family}@elsewhere.example`]],
      );
      await deliver('welcome', { from: 'no@way.example' });
      assert.deepEqual((await found()).slice(-1), ['welcome']);
    });

    it('with an answer and forwarding set, a message that is rejected gets neither, and every other one gets both', async () => {
      const { client, deliver, found } = await walk();
      const to = `copy-${family}@elsewhere.example`;
      const from = `writer-${family}@gen.test.local`;
      const begun = out.sent.length;
      await client.call('autoReply.set', { text: 'Away.' });
      await client.call('forwarding.set', { addresses: [to] });
      await client.call('rule.create', { subject: ['filed'], moveTo: path('Archive') });
      await client.call('rule.create', { subject: ['go away'], reject: 'Not here.' });
      // Cyrus refuses it to whoever delivers, which tells the sender; Dovecot takes it and writes to the sender itself.
      await deliver('go away', { from }).catch((error: unknown) => {
        assert.match((error as Error).message, /550 .*Not here\./);
      });
      await deliver('filed', { from });
      await deliver('kept', { from });
      const copies = await out.to(to, 2);
      assert.deepEqual(
        copies.map(({ source }) => /^Subject: (.*)$/m.exec(source)![1]!.trim()),
        ['filed', 'kept'],
      );
      assert.deepEqual([await found(path('Archive')), await found()], [['filed'], ['first', 'kept']]);
      // The envelope's sender is the same for all.
      const answers = out.sent
        .slice(begun)
        .filter(one => one.to === 'sender@gen.test.local')
        .map(({ source }) => (/Not here/.test(source) ? 'refusal' : 'answer'))
        .sort();
      assert.deepEqual(answers, family === 'cyrus' ? ['answer'] : ['answer', 'refusal']);
    });

    it('a folder whose name has letters beyond ASCII is filed into, and made where it is not there', async () => {
      const { client, deliver, found } = await walk();
      const there = `${path('Rückläufer')} & Ä`;
      const made = path('Größe');
      const phone = await phoneOf(server.imapPort, users[next - 1]!);
      await phone.mailboxCreate(there);
      await phone.logout();
      await client.call('rule.create', { subject: ['return'], moveTo: there });
      await client.call('rule.create', { subject: ['size'], copyTo: made });
      await deliver('a return');
      await deliver('a size');
      assert.deepEqual(
        [await found(there), await found(made), await found()],
        [['a return'], ['a size'], ['first', 'a size']],
      );
      assert.equal((await all(client, 'rule.list'))[0].moveTo, there);
    });

    it('rules that another program made active instead come back with the next change, around that script', async () => {
      const { client, deliver, found } = await walk();
      await client.call('spamList.add', { list: 'blockedSenders', value: 'bad@one.example' });
      await client.call('script.put', {
        script: 'roundcube',
        text: 'require "imap4flags";\r\nsetflag "\\\\Seen";\r\n',
        activate: true,
      });
      await deliver('not blocked now', { from: 'bad@one.example' });
      await client.call('spamList.add', { list: 'blockedSenders', value: 'bad@one.example' });
      await deliver('blocked', { from: 'bad@one.example' });
      await deliver('fine');
      assert.deepEqual(await found(), ['first', 'not blocked now (seen)', 'fine (seen)']);
      assert.deepEqual(await found(path('Junk')), ['blocked']);
    });

    it('a script changed by hand is shown, and not overwritten', async () => {
      const { client } = await walk();
      await client.call('spamList.add', { list: 'blockedSenders', value: 'bad@one.example' });
      const edited = (await script('mailroom', client)).replace('stop;', 'discard; stop;');
      await client.call('script.put', { script: 'mailroom', text: edited });
      await assert.rejects(
        client.call('spamList.add', { list: 'blockedSenders', value: 'x@one.example' }),
        refused('conflict', /changed by hand.*line \d+ \("  discard; stop;"\)/),
      );
      assert.equal(await script('mailroom', client), edited);
      await client.call('script.rename', { script: 'mailroom', newName: 'mine' });
      await client.call('spamList.add', { list: 'blockedSenders', value: 'x@one.example' });
      if (include) assert.match(await script('mailroom', client), /include :personal :optional "mine"/);
      else assert.match(await script('mine', client), /# End of the rules of Mailroom/);
    });
  });
}
