import assert from 'node:assert/strict';
import { connect, MailError, providerById } from '../../shared/index.js';
import { closeSieve } from '../../shared/providers/imap/sieve/session.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const KEEP = 'require ["fileinto"];\r\nif header :contains "subject" "test" { fileinto "Jünk"; }\r\n';

describe('ManageSieve: whole scripts', () => {
  let mail: Mail;
  before(async () => {
    mail = await startMail({ users: 60 });
  });
  afterEach(() => {
    mail.sieve.options.answer = undefined;
  });
  after(async () => {
    closeSieve();
    await mail.close();
  });
  let user = 0;
  const open = (more: Record<string, unknown> = {}, host: Any = {}) =>
    connect(providerById('imap'), { ...accountOf(mail, ++user), ...more }, host);
  const all = async (client: Any) => {
    const out = [];
    for await (const one of client.call('script.list', {})) out.push(one);
    return out as Any[];
  };
  const refused = (code: string, words: RegExp) => (error: unknown) => {
    assert.equal((error as MailError).code, code, (error as Error).message);
    assert.match((error as Error).message, words);
    return true;
  };

  it('one is stored, listed, read, made active, renamed, switched off and deleted', async () => {
    const client: Any = open();
    assert.deepEqual(await all(client), []);
    assert.deepEqual(await client.call('script.put', { script: 'mein "Skript"', text: KEEP }), {
      id: 'mein "Skript"',
      native: { active: false },
    });
    assert.deepEqual(
      (await all(client)).map(one => [one.id, one.active]),
      [['mein "Skript"', false]],
    );
    const read = await client.call('script.get', { script: 'mein "Skript"' });
    assert.deepEqual([read.text, read.size, read.active], [KEEP, Buffer.byteLength(KEEP), false]);
    await client.call('script.activate', { script: 'mein "Skript"' });
    await assert.rejects(
      client.call('script.delete', { script: 'mein "Skript"' }),
      refused('conflict', /is the script that runs/),
    );
    await client.call('script.rename', { script: 'mein "Skript"', newName: 'neu' });
    assert.deepEqual(
      (await all(client)).map(one => [one.id, one.active]),
      [['neu', true]],
    );
    assert.deepEqual((await client.call('script.deactivate', {})).native, { active: false, before: 'neu' });
    await client.call('script.delete', { script: 'neu' });
    assert.deepEqual(await all(client), []);
    await assert.rejects(client.call('script.get', { script: 'neu' }), refused('not_found', /no script "neu"/));
  });

  it('over TLS from the start, by LOGIN, and with OAuth 2, whose token is renewed once', async () => {
    const secure = open({ sievePort: mail.sieve.tlsPort, sieveSecurity: 'tls' });
    await all(secure);
    mail.sieve.options.sasl = 'LOGIN';
    await all(open());
    for (const sasl of ['OAUTHBEARER', 'XOAUTH2']) {
      mail.sieve.options.sasl = sasl;
      const name = `u${user + 1}@test.local`;
      const good = mail.token(name);
      const asked: unknown[] = [];
      await all(
        open(
          { authentication: 'oauth2' },
          {
            token: async (renew: boolean) => {
              asked.push(renew);
              return renew ? good : 'old';
            },
          },
        ),
      );
      assert.deepEqual(asked, [false, true]);
    }
    mail.sieve.options.sasl = undefined;
  });

  it('a wrong password is refused in words, and tried in two ways at most', async () => {
    const from = mail.sieve.log.length;
    await assert.rejects(
      all(open({ password: 'wrong-secret' })),
      refused('unauthorized', /^Sieve at localhost:\d+ refused the login of u\d@test\.local: Authentication failed\.$/),
    );
    assert.deepEqual(
      mail.sieve.log.slice(from).filter(line => line.startsWith('AUTHENTICATE')),
      ['AUTHENTICATE "PLAIN"', 'AUTHENTICATE "LOGIN"'],
    );
  });

  it('without STARTTLS, and with a certificate nobody vouches for, no password is sent', async () => {
    const from = mail.sieve.log.length;
    mail.sieve.options.starttls = false;
    await assert.rejects(all(open()), refused('unavailable', /does not offer STARTTLS, so no password was sent/));
    mail.sieve.options.starttls = undefined;
    await assert.rejects(
      all(open({ allowedCertificate: undefined })),
      refused('unavailable', /certificate of Sieve at localhost:\d+ is not trusted.*SHA-256 fingerprint/s),
    );
    assert.ok(!mail.sieve.log.slice(from).some(line => line.startsWith('AUTHENTICATE')));
    await assert.rejects(
      all(open({ sieveHost: 'mail.example.com', sieveSecurity: 'none' })),
      refused('invalid_input', /only be used that way on this machine/),
    );
  });

  it('a fingerprint allows a certificate behind STARTTLS', async () => {
    const { X509Certificate } = await import('node:crypto');
    assert.deepEqual(await all(open({ allowedCertificate: new X509Certificate(mail.ca).fingerprint256 })), []);
  });

  it('the check of an account says whether there are rules, and fails for them only where the account names their host', async () => {
    const check = (more: Record<string, unknown>) => open(more).call('account.check', {}) as Promise<Any>;
    const { port } = mail.sieve;
    assert.deepEqual((await check({})).notes, [`Rules on the server can be used (ManageSieve at localhost:${port}).`]);
    assert.deepEqual((await check({ sievePort: 1 })).notes, [
      'No rules on the server: ManageSieve does not answer at localhost:1.',
    ]);
    await assert.rejects(
      check({ sieveHost: 'localhost', sievePort: 1 }),
      refused('unavailable', /^Sieve at localhost:1 did not answer/),
    );
    mail.sieve.options.sasl = 'SCRAM-SHA-1';
    assert.deepEqual((await check({})).notes, [
      `No rules on the server: ManageSieve refused the login at localhost:${port}.`,
    ]);
    mail.sieve.options.sasl = undefined;
    assert.deepEqual((await check({ imapHost: undefined })).notes, []);
  });

  it('a provider that is known has no Sieve host, and says so', async () => {
    await assert.rejects(
      all(connect(providerById('imap'), { preset: 'gmail', user: 'a@gmail.com', password: 'x' })),
      refused('unsupported', /no Sieve host/),
    );
  });

  it('a script the server refuses is not stored, and the check says why without failing', async () => {
    const client: Any = open();
    const text = 'require ["nosuch"];\r\n';
    const told = await client.call('script.check', { text });
    assert.equal(told.valid, false);
    assert.match(told.message, /unknown Sieve capability `nosuch'/);
    assert.equal((await client.call('script.check', { text: KEEP })).valid, true);
    await assert.rejects(
      client.call('script.put', { script: 'a', text }),
      refused('invalid_input', /unknown Sieve capability/),
    );
    assert.deepEqual(await all(client), []);
  });

  it('a script that somebody changed or deleted meanwhile is not overwritten, and what was replaced stands in the answer', async () => {
    const client: Any = open();
    const scripts = mail.sieve.of(`u${user}@test.local`);
    await client
      .call('script.put', { script: 'a', text: 'keep;', before: 'x' })
      .then(assert.fail, refused('conflict', /no script "a" any more/));
    scripts.texts.set('a', 'discard;');
    await assert.rejects(
      client.call('script.put', { script: 'a', text: 'keep;', before: 'stop;' }),
      refused('conflict', /changed meanwhile/),
    );
    assert.equal(scripts.texts.get('a'), 'discard;');
    const done = await client.call('script.put', { script: 'a', text: 'keep;', before: 'discard;', activate: true });
    assert.deepEqual(done.native, { active: true, previous: 'discard;' });
    assert.deepEqual([scripts.texts.get('a'), scripts.active], ['keep;', 'a']);
  });

  it('too large and too many are refused in words', async () => {
    const client: Any = open();
    mail.sieve.options.maxBytes = 10;
    await assert.rejects(
      client.call('script.put', { script: 'a', text: KEEP }),
      refused('rejected', /no room for this script: Script is too large/),
    );
    mail.sieve.options.maxBytes = undefined;
    mail.sieve.options.maxScripts = 0;
    await assert.rejects(
      client.call('script.put', { script: 'a', text: KEEP }),
      refused('rejected', /Too many scripts/),
    );
    mail.sieve.options.maxScripts = undefined;
  });

  it('many calls share one login', async () => {
    const client: Any = open();
    const from = mail.sieve.connections;
    await Promise.all(Array.from({ length: 20 }, (_, i) => client.call('script.put', { script: `s${i}`, text: KEEP })));
    assert.equal((await all(client)).length, 20);
    assert.equal(mail.sieve.connections - from, 1);
  });

  it('a kept connection that ended is replaced for what only reads; what may have been written is not sent again', async () => {
    const client: Any = open();
    await all(client);
    mail.sieve.cut();
    assert.deepEqual(await all(client), []);
    let puts = 0;
    mail.sieve.options.answer = line => (line.startsWith('PUTSCRIPT') ? (puts++, 'done') : undefined);
    await assert.rejects(
      client.call('script.put', { script: 'a', text: KEEP }),
      refused(
        'unavailable',
        /ended the connection before it answered PUTSCRIPT\. The server may or may not have done it/,
      ),
    );
    assert.equal(puts, 1);
  });

  it('who gives up is let go within a second, in the login and in a command', async () => {
    for (const silent of ['<greeting>', 'AUTHENTICATE', 'LISTSCRIPTS']) {
      mail.sieve.options.answer = line => (line.startsWith(silent) ? 'silence' : undefined);
      const stop = new AbortController();
      const call = all(open({}, { signal: stop.signal }));
      const asked = Date.now();
      setTimeout(() => stop.abort(), 300);
      await assert.rejects(call, { name: 'AbortError' });
      assert.ok(Date.now() - asked < 1_300);
    }
  });
});
