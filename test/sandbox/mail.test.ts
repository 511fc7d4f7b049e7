import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createTransport, type TransportOptions } from 'nodemailer';
import { bigMail, letter, mail as corpusMail, manyAttachments, oddities } from './corpus.js';
import { startFaultProxy, type FaultProxy } from './faultProxy.js';
import { parseMime } from '../../shared/mailServer/imap/mime.js';
import { rawClient, type RawClient } from './raw.js';
import { startMail, type Mail, type MailOptions } from './mail.js';

const user = 'u0@test.local';
const password = 'pass0';
type Failure = Error & { code?: string; responseCode?: number; response?: string };

describe('sandbox mail', function () {
  this.timeout(60_000);
  const running: { close(): unknown }[] = [];
  const keep = <T extends { close(): unknown }>(what: T): T => {
    running.push(what);
    return what;
  };
  const start = async (options: MailOptions = {}): Promise<Mail> => keep(await startMail({ users: 3, ...options }));
  const transport = (mail: Mail, options: Record<string, unknown> = {}) =>
    keep(
      createTransport({
        host: mail.smtp.host,
        port: mail.smtp.tlsPort,
        secure: true,
        tls: { ca: mail.ca },
        auth: { user, pass: password },
        connectionTimeout: 2000,
        socketTimeout: 2000,
        ...options,
      } as TransportOptions),
    );
  const raw = async (mail: Mail): Promise<RawClient> => {
    const client = keep(await rawClient(mail.smtp.port));
    await client.until(/^220 .*\r\n/);
    return client;
  };
  const failure = (work: Promise<unknown>): Promise<Failure> =>
    work.then(
      () => assert.fail('was not refused'),
      (error: unknown) => error as Failure,
    );
  const letterTo = (to: string | string[]) => ({
    from: user,
    to,
    subject: 'Hi',
    text: 'Hello.',
    messageId: '<sent@test.local>',
  });
  afterEach(async () => {
    for (const each of running.splice(0).reverse()) await each.close();
  });

  describe('SMTP server', () => {
    it('delivers what is sent to every local recipient, plus-tags included, and tells IMAP at once', async () => {
      const mail = await start();
      const watcher = keep(await rawClient(mail.imap.port));
      await watcher.command('LOGIN u1@test.local pass1');
      await watcher.command('SELECT INBOX');
      watcher.write('i IDLE\r\n');
      await watcher.until(/\+ .*\r\n/);
      const info = await transport(mail).sendMail(letterTo(['u1+news@test.local', 'U2@Test.Local']));
      await watcher.until(/\* 1 EXISTS/);
      assert.match(info.response, /^250 2\.0\.0 Ok: queued as S000001/);
      assert.deepEqual(
        mail.smtp.seen.messages.map(m => [m.user, m.from, m.to, m.taken]),
        [[user, user, ['u1+news@test.local', 'U2@test.local'], true]],
      );
      const [got] = mail.folder('u2@test.local').messages;
      const bytes = got!.source as Buffer;
      assert.match(bytes.toString(), /^Return-Path: <u0@test\.local>\r\nReceived: from .*\r\n/s);
      assert.ok(
        bytes
          .subarray(bytes.length - mail.smtp.seen.messages[0]!.bytes.length)
          .equals(mail.smtp.seen.messages[0]!.bytes),
      );
      assert.equal(mail.folder(user, 'Sent').messages.length, 0);
    });

    it('by STARTTLS and in clear text, by PLAIN, LOGIN and XOAUTH2, and refuses the rest', async () => {
      const mail = await start();
      const accessToken = mail.token(user);
      for (const options of [
        { port: mail.smtp.port, secure: false, requireTLS: true },
        { port: mail.smtp.port, secure: false, ignoreTLS: true },
        { authMethod: 'LOGIN' },
        { auth: { type: 'OAuth2', user, accessToken } },
      ])
        await transport(mail, options).sendMail(letterTo(user));
      assert.deepEqual(
        mail.smtp.seen.logins.map(l => [l.method, l.ok]),
        [
          ['PLAIN', true],
          ['PLAIN', true],
          ['LOGIN', true],
          ['XOAUTH2', true],
        ],
      );
      assert.equal((await failure(transport(mail, { auth: { user, pass: 'wrong' } }).verify())).responseCode, 535);
      mail.imap.trouble.expireTokens(user);
      assert.equal(
        (await failure(transport(mail, { auth: { type: 'OAuth2', user, accessToken } }).verify())).responseCode,
        535,
      );
      assert.equal((await failure(transport(mail, { auth: undefined }).sendMail(letterTo(user)))).responseCode, 530);
      const strict = await start({ smtp: { plaintext: false } });
      assert.ok(
        await failure(
          transport(strict, { port: strict.smtp.port, secure: false, ignoreTLS: true }).sendMail(letterTo(user)),
        ),
      );
    });

    it('refuses unknown recipients, foreign senders and international addresses where asked to', async () => {
      const mail = await start({ smtp: { ownSender: true, smtpUtf8: false } });
      const partly = await transport(mail).sendMail(letterTo([user, 'nobody@test.local', 'who@elsewhere.example']));
      assert.deepEqual([partly.accepted, partly.rejected], [[user], ['nobody@test.local', 'who@elsewhere.example']]);
      const unknown = await failure(transport(mail).sendMail(letterTo('nobody@test.local')));
      assert.equal(unknown.responseCode, 550);
      assert.match(unknown.response!, /^550 5\.1\.1 <nobody@test\.local>/);
      assert.equal(
        (await failure(transport(mail).sendMail({ ...letterTo(user), from: 'u1@test.local' }))).responseCode,
        553,
      );
      const client = await raw(mail);
      assert.doesNotMatch(await client.smtp('EHLO x'), /SMTPUTF8/);
      await client.smtp(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`);
      await client.smtp(`MAIL FROM:<${user}>`);
      assert.match(await client.smtp('RCPT TO:<j\xc3\xb6rg@test.local>'), /^5\d\d /);
    });

    it('records DSN, 8BITMIME and SMTPUTF8, and takes pipelined commands', async () => {
      const mail = await start();
      const client = await raw(mail);
      assert.match(await client.smtp('EHLO x'), /PIPELINING[^]*8BITMIME[^]*SMTPUTF8[^]*DSN[^]*AUTH[^]*SIZE 104857600/);
      await client.smtp(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`);
      client.write(
        `MAIL FROM:<${user}> BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=item-1\r\nRCPT TO:<u1@test.local> NOTIFY=FAILURE,DELAY ORCPT=rfc822;u1@test.local\r\nDATA\r\n`,
      );
      await client.until(/354 .*\r\n/);
      assert.match(await client.smtp('Subject: x\r\n\r\n..dot\r\n.'), /^250/);
      const [message] = mail.smtp.seen.messages;
      assert.deepEqual(message!.dsn, {
        ret: 'HDRS',
        envid: 'item-1',
        recipients: [{ address: 'u1@test.local', notify: ['FAILURE', 'DELAY'], orcpt: 'rfc822;u1@test.local' }],
      });
      assert.deepEqual(
        [message!.body, message!.smtpUtf8, message!.bytes.toString()],
        ['8bitmime', true, 'Subject: x\r\n\r\n.dot\r\n'],
      );
      const without = await start({ smtp: { dsn: false } });
      assert.doesNotMatch(await (await raw(without)).smtp('EHLO x'), /DSN/);
    });

    it('saves to Sent where the provider does so itself', async () => {
      const mail = await start({ smtp: { saveSent: true } });
      await transport(mail).sendMail(letterTo('u1@test.local'));
      const [copy] = mail.folder(user, 'Sent').messages;
      assert.deepEqual(copy!.flags, ['\\Seen']);
      assert.match((copy!.source as Buffer).toString(), /Message-ID: <sent@test\.local>/);
    });

    it('refuses too much, announced or not', async () => {
      const mail = await start({ smtp: { maxMessageBytes: 5000, maxRecipients: 2 } });
      assert.equal(
        (await failure(transport(mail).sendMail({ ...letterTo(user), text: 'x'.repeat(6000) }))).responseCode,
        552,
      );
      const client = await raw(mail);
      await client.smtp('EHLO x');
      await client.smtp(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`);
      assert.match(await client.smtp(`MAIL FROM:<${user}> SIZE=6000`), /^552/);
      await client.smtp(`MAIL FROM:<${user}>`);
      await client.smtp(`RCPT TO:<${user}>`);
      await client.smtp('DATA');
      assert.match(await client.smtp(`${'x'.repeat(900)}\r\n`.repeat(7) + '.'), /^552/);
      assert.equal(mail.folder(user).messages.length, 0);
      assert.equal(
        (await transport(mail).sendMail(letterTo(['u0@test.local', 'u1@test.local', 'u2@test.local']))).rejected.length,
        1,
      );
    });

    it('greylists so many times, refuses one recipient, and answers late', async () => {
      const mail = await start();
      const { trouble } = mail.smtp;
      trouble.fail({ at: 'rcpt', code: 451, text: '4.7.1 Greylisted, try again later', times: 2 });
      for (let i = 0; i < 2; i++)
        assert.equal((await failure(transport(mail).sendMail(letterTo(user)))).responseCode, 451);
      await transport(mail).sendMail(letterTo(user));
      trouble.fail({ at: 'rcpt', recipient: 'u1@test.local', code: 554, text: '5.7.1 Blocked', times: Infinity });
      const partly = await transport(mail).sendMail(letterTo([user, 'u1@test.local']));
      assert.deepEqual(partly.rejected, ['u1@test.local']);
      trouble.mend();
      trouble.fail({ at: 'dot', code: 452, text: '4.3.1 Insufficient system storage', delayMs: 100 });
      const before = performance.now();
      const full = await failure(transport(mail).sendMail(letterTo(user)));
      assert.equal(full.responseCode, 452);
      assert.ok(performance.now() - before > 95);
      assert.deepEqual(
        mail.smtp.seen.messages.map(m => m.taken),
        [true, true, false],
      );
      assert.equal(mail.folder(user).messages.length, 2);
      for (const [at, code] of [
        ['auth', 454],
        ['mail', 450],
      ] as const) {
        trouble.fail({ at, code, text: '4.7.0 Temporary' });
        assert.equal((await failure(transport(mail).sendMail(letterTo(user)))).responseCode, code);
      }
    });

    it('cuts after the dot with the message taken or lost, in the middle of the message, and falls silent', async () => {
      const mail = await start();
      const { trouble } = mail.smtp;
      const send = () => failure(transport(mail, { socketTimeout: 300 }).sendMail(letterTo(user)));
      trouble.fail({ at: 'dot', cut: 'reset' });
      const ambiguous = await send();
      assert.equal(ambiguous.responseCode, undefined);
      assert.equal(mail.folder(user).messages.length, 1);
      trouble.fail({ at: 'dot', cut: 'fin', lose: true });
      assert.equal((await send()).responseCode, undefined);
      assert.equal(mail.folder(user).messages.length, 1);
      trouble.fail({ at: 'data', cut: 'reset', afterBytes: 50 });
      assert.equal((await send()).responseCode, undefined);
      assert.equal(mail.folder(user).messages.length, 1);
      trouble.fail({ at: 'dot', silent: true });
      assert.equal((await send()).responseCode, undefined);
      assert.equal(mail.folder(user).messages.length, 2);
      assert.deepEqual(
        mail.smtp.seen.messages.map(m => m.taken),
        [true, false, true],
      );
      await transport(mail).sendMail(letterTo(user));
    });

    it('limits connections, counts them, goes away and comes back', async () => {
      const mail = await start();
      const { trouble } = mail.smtp;
      const first = await raw(mail);
      trouble.connectionLimit = 1;
      const second = keep(await rawClient(mail.smtp.port));
      await second.until(/^421 4\.7\.0 .*\r\n/);
      assert.equal(mail.smtp.peak(), 2);
      trouble.mend();
      trouble.fail({ at: 'connect', code: 554, text: '5.7.1 No service for you' });
      await keep(await rawClient(mail.smtp.port)).until(/^554 5\.7\.1/);
      await trouble.away();
      assert.equal(await first.end(), 'reset');
      await assert.rejects(rawClient(mail.smtp.port), /ECONNREFUSED/);
      await trouble.back();
      await transport(mail).sendMail(letterTo(user));
      await transport(mail, { port: mail.smtp.port, secure: false }).sendMail(letterTo(user));
      assert.equal(mail.folder(user).messages.length, 2);
      assert.deepEqual(mail.smtp.seen.sessions.map(s => s.user).filter(Boolean), [user, user]);
    });

    it('takes 50 MB', async () => {
      const mail = await start();
      const big = bigMail(50_000_000);
      await transport(mail, { socketTimeout: 20_000 }).sendMail({ envelope: { from: user, to: [user] }, raw: big });
      assert.ok(mail.smtp.seen.messages[0]!.bytes.equals(big));
    });
  });

  describe('fault proxy', () => {
    const behind = async (): Promise<{ mail: Mail; proxy: FaultProxy; client: () => Promise<RawClient> }> => {
      const mail = await start();
      const proxy = keep(await startFaultProxy(mail.imap.port));
      const client = async () => {
        const made = keep(await rawClient(proxy.port));
        return made;
      };
      return { mail, proxy, client };
    };
    const ready = async (client: RawClient) => {
      await client.until(/\* OK.*\r\n/);
      await client.command(`LOGIN ${user} ${password}`);
      return client;
    };

    it('passes bytes both ways and counts them, connections and logins', async () => {
      const { mail, proxy, client } = await behind();
      const one = await ready(await client());
      mail.deliver(user, corpusMail(1, { size: 500_000 }));
      await one.command('SELECT INBOX');
      assert.ok((await one.command('FETCH 1 BODY.PEEK[]')).lines.length > 300_000);
      assert.ok(proxy.seen.down > 300_000 && proxy.seen.up > 20);
      await ready(await client());
      assert.deepEqual(
        [
          proxy.seen.connections.length,
          proxy.seen.logins.length,
          proxy.busiest(60_000),
          proxy.busiest(60_000, 'logins'),
          proxy.open(),
        ],
        [2, 2, 2, 2, 2],
      );
      assert.match((await one.command('LOGOUT')).result, /^OK/);
      assert.equal(await one.end(), 'fin');
    });

    it('stalls, resets, ends, refuses and passes again', async () => {
      const { mail, proxy, client } = await behind();
      const stalled = await ready(await client());
      proxy.stall();
      await assert.rejects(stalled.command('NOOP', 100), /within/);
      await assert.rejects((await client()).until(/OK/, 100), /within/);
      proxy.pass();
      await assert.rejects(stalled.command('NOOP', 100), /within/);
      assert.equal(stalled.ended, undefined);
      const second = await ready(await client());
      proxy.reset();
      assert.equal(await second.end(), 'reset');
      const third = await ready(await client());
      proxy.fin();
      assert.equal(await third.end(), 'fin');
      proxy.refuse();
      const refused = await client().then(
        c => c.end(),
        () => 'reset',
      );
      assert.equal(refused, 'reset');
      proxy.pass();
      await ready(await client());
      await until(() => mail.imap.open() === 1);
    });

    it('cuts after exactly so many bytes from the server', async () => {
      const { mail, proxy, client } = await behind();
      mail.deliver(user, corpusMail(2, { size: 200_000 }));
      for (const how of ['reset', 'fin'] as const) {
        const one = await ready(await client());
        await one.command('SELECT INBOX');
        const down = proxy.seen.down;
        proxy.cutAfter(50_000, how);
        one.write('a FETCH 1 BODY.PEEK[]\r\n');
        assert.equal(await one.end(), how);
        assert.equal(one.text.length, 50_000);
        assert.ok(proxy.seen.down >= down + 50_000);
      }
      proxy.cutAfter(10);
      const early = await client();
      await early.end();
      assert.equal(early.text.length, 10);
    });

    it('adds to the round trip and keeps the order', async () => {
      const { proxy, client } = await behind();
      const one = await ready(await client());
      proxy.roundTrip(60);
      const before = performance.now();
      one.write('a NOOP\r\nb NOOP\r\nc NOOP\r\n');
      assert.match(await one.until(/c OK.*\r\n/), /a OK[^]*b OK[^]*c OK/);
      const took = performance.now() - before;
      assert.ok(took >= 58 && took < 1000, `${took} ms`);
    });

    it('flaps', async () => {
      const { proxy, client } = await behind();
      proxy.flap(500, 300);
      const one = await ready(await client());
      assert.equal(await one.end(), 'reset');
      assert.equal(
        await client().then(
          c => c.end(),
          () => 'reset',
        ),
        'reset',
      );
      await new Promise(resolve => setTimeout(resolve, 400));
      await (await client()).until(/OK/);
      proxy.pass();
    });
  });

  describe('corpus', () => {
    it('is the same every time, of many shapes, and well formed', () => {
      const types = new Map<string, number>();
      let bytes = 0;
      for (let i = 1; i <= 300; i++) {
        const message = corpusMail(i);
        assert.ok(message.equals(corpusMail(i)));
        assert.ok(!/(^|[^\r])\n/.test(message.toString('latin1')));
        const { type, subtype } = parseMime(message);
        types.set(`${type}/${subtype}`, (types.get(`${type}/${subtype}`) ?? 0) + 1);
        bytes += message.length;
      }
      assert.deepEqual([...types.keys()].sort(), [
        'multipart/alternative',
        'multipart/mixed',
        'text/html',
        'text/plain',
      ]);
      assert.ok(bytes / 300 > 15_000 && bytes / 300 < 35_000);
      const big = bigMail(1_000_000);
      assert.ok(Math.abs(big.length - 1_000_000) < 100 && big.equals(bigMail(1_000_000)));
      assert.equal(parseMime(manyAttachments(1000)).children.length, 1001);
      assert.match(
        letter({ subject: 'Ü', messageId: false }).toString(),
        /Subject: =\?UTF-8\?B\?w5w=\?=\r\n(?![^]*Message-ID)/,
      );
    });

    it('has every oddity the product must survive', () => {
      const all: Record<string, { bytes: Buffer }> = oddities;
      const ids = Object.values(all).map(({ bytes }) => /^message-id: (.*)\r$/im.exec(bytes.toString('latin1'))?.[1]);
      assert.ok(ids.filter(id => id === undefined).length >= 2);
      assert.equal(ids.filter(id => id === '<same@gen.test.local>').length, 2);
    });
  });

  it('closing leaves no connection and no listener', async () => {
    const mail = await startMail({ users: 1 });
    const open = [
      connect(mail.imap.port, '127.0.0.1'),
      connectTls({ host: '127.0.0.1', port: mail.imap.tlsPort, ca: mail.ca, servername: 'localhost' }),
      connect(mail.imap.tlsPort, '127.0.0.1'),
      connect(mail.smtp.port, '127.0.0.1'),
      connect(mail.smtp.tlsPort, '127.0.0.1'),
    ];
    const closed = Promise.all(
      open.map(
        socket =>
          new Promise<void>(resolve => {
            socket
              .on('error', () => {})
              .on('close', () => resolve())
              .resume();
          }),
      ),
    );
    await new Promise(resolve => setTimeout(resolve, 50));
    await mail.close();
    await closed;
    for (const port of [mail.imap.port, mail.imap.tlsPort, mail.smtp.port, mail.smtp.tlsPort])
      await assert.rejects(rawClient(port), /ECONNREFUSED/);
  });
});

async function until(condition: () => boolean, ms = 3000): Promise<void> {
  for (const deadline = Date.now() + ms; !condition();) {
    if (Date.now() > deadline) throw new Error(`Not within ${ms} ms: ${condition}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
