import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { connect, providerById, take, type Exchange, type WireTalk } from '../../../shared/index.js';
import { closeConnections } from '../../../shared/providers/imap/session/imapPool.js';
import { letter } from '../../sandbox/corpus.js';
import type { Family, Lab } from './lab.js';
import { realLab } from './real.js';
import { root } from './servers/debian.js';

type Any = any;
const families = (['dovecot', 'cyrus', 'courier'] as const satisfies Family[]).filter(
  family => root && (process.env.SERVERS ?? 'dovecot,courier').split(',').includes(family),
);

for (const family of families) {
  describe(`The wire of ${family}`, function () {
    this.timeout(120_000);
    let lab: Lab;
    const seen: Exchange[] = [];
    before(async () => {
      lab = await realLab(family);
    });
    after(async () => {
      closeConnections();
      await lab?.close();
    });

    it('holds each command with its own answer, whatever was in flight beside it, and no login', async () => {
      const user = lab.user();
      await lab.fill(user, 30, i => letter({ subject: `Letter ${i}`, text: 'A text.\n'.repeat(3_000) }));
      const client: Any = connect(
        providerById('imap'),
        {
          ...user,
          imapHost: 'localhost',
          imapPort: lab.imapTlsPort,
          imapSecurity: 'tls',
          smtpHost: 'localhost',
          smtpPort: lab.smtpPort,
          smtpSecurity: lab.smtpSecurity,
          allowedCertificate: lab.ca,
        },
        { wire: true, observe: one => seen.push(one) },
      );
      const rows: Any[] = await take(client.call('message.list', {}), 30);
      for (const { id } of rows.slice(0, 5)) await client.call('message.get', { message: id });
      let cursor = await client.from('messageReceived', { folders: ['INBOX'] }, '2020-01-01T00:00:00Z');
      for (let more = true; more;)
        ({ cursor, more } = await client.since('messageReceived', { folders: ['INBOX'] }, cursor));
      await client.call('message.send', { from: user.user, to: [user.user], subject: 'Hi', text: 'Hello.' });

      const { fingerprint256 } = new X509Certificate(lab.ca);
      let fetched = 0;
      for (const one of seen) {
        const { turns, tls } = one.wire!.text() as WireTalk;
        const what = `${one.method}: ${JSON.stringify(turns).slice(0, 500)}`;
        // What was cut ends in the middle of a line.
        const all = turns.map(({ text }) => text).join('\n');
        assert.ok(!all.includes(user.password) && !all.includes(Buffer.from(user.password).toString('base64')), what);
        if (one.url.startsWith('imap')) {
          const tag = /^(\w+) /.exec(turns.find(({ by }) => by === 'client')!.text)![1]!;
          assert.match(turns.at(-1)!.text, new RegExp(`(?:^|\\n)${tag} (?:OK|NO|BAD) .*\\n$`), what);
          // An answer to another command would stand with a tag of its own.
          const tags = [...all.matchAll(/^(\w+) (?:OK|NO|BAD)\b/gm)].map(([, other]) => other);
          assert.deepEqual(tags, [tag], what);
          fetched += [...all.matchAll(/^\* \d+ FETCH /gm)].length;
        }
        assert.equal(tls?.fingerprint, fingerprint256, what);
        assert.ok(/^TLSv1\.[23]$/.test(tls.protocol), what);
      }
      assert.ok(fetched >= 60, `${fetched} rows`);
      const sent = seen.find(({ method }) => method === 'DATA')!.wire!.text() as WireTalk;
      assert.match(sent.turns[0]!.text, /^MAIL FROM:</);
      assert.match(sent.turns.at(-1)!.text, /^250 /m);
      assert.ok(seen.some(({ method }) => method === 'AUTH'));
    });
    it('names protocol, cipher and certificate as openssl does', () => {
      const { tls } = seen.find(({ method }) => method === 'EXAMINE')!.wire!.text() as WireTalk;
      const { stdout, stderr } = spawnSync(
        'openssl',
        ['s_client', '-connect', `localhost:${lab.imapTlsPort}`, '-servername', 'localhost', '-brief'],
        { input: 'a LOGOUT\r\n', encoding: 'utf8', timeout: 30_000 },
      );
      const said = stdout + stderr;
      assert.equal(/^Protocol version: (\S+)/m.exec(said)?.[1], tls!.protocol, said);
      assert.equal(/^Ciphersuite: (\S+)/m.exec(said)?.[1], tls!.cipher, said);
      assert.match(/^Peer certificate: (.*)/m.exec(said)?.[1] ?? said, new RegExp(`CN ?= ?${tls!.subject}$`));
    });
  });
}
