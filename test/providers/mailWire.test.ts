import assert from 'node:assert/strict';
import { connect, providerById, take, type Exchange, type WireTalk } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { closePools } from '../../shared/providers/imap/session/smtpPool.js';
import { closeSieve } from '../../shared/providers/imap/sieve/session.js';
import { startMail, type Mail } from '../sandbox/mail.js';

const talkOf = (one: Exchange): WireTalk => one.wire!.text() as WireTalk;
/** What was said, each line with its side before it. */
const linesOf = (talk: WireTalk): string[] =>
  talk.turns.flatMap(({ by, text, left }) => [
    ...text
      .replace(/\n$/, '')
      .split('\n')
      .map(line => `${by === 'client' ? 'C' : 'S'}: ${line}`),
    ...(left ? [`… ${left}`] : []),
  ]);

describe('the wire of a mail account', () => {
  let mail: Mail;
  const seen: Exchange[] = [];
  const client = (more: object = {}, options: object = { wire: true }) =>
    connect(
      providerById('imap'),
      {
        user: 'u0@test.local',
        password: 'pass0-Quite-Secret',
        imapHost: 'localhost',
        imapPort: mail.imap.port,
        imapSecurity: 'none',
        smtpHost: 'localhost',
        smtpPort: mail.smtp.port,
        smtpSecurity: 'none',
        sieveHost: 'localhost',
        sievePort: mail.sieve.port,
        sieveSecurity: 'none',
        ...more,
      },
      { observe: one => seen.push(one), ...options },
    );
  const the = (method: string): Exchange => {
    const found = seen.find(one => one.method === method);
    assert.ok(found, `${method} is among ${seen.map(one => one.method).join(', ')}`);
    return found;
  };
  beforeEach(async () => {
    seen.length = 0;
    mail = await startMail({ users: [{ user: 'u0@test.local', password: 'pass0-Quite-Secret' }] });
  });
  afterEach(async () => {
    closeConnections();
    closePools();
    closeSieve();
    await mail.close();
  });

  it('of IMAP shows each command with the answers that belong to it', async () => {
    mail.deliver('u0@test.local', 'Subject: One\r\n\r\nText of one.\r\n');
    await take(client().call('message.list', {}), 5);
    const examined = linesOf(talkOf(the('EXAMINE')));
    const [asked, ...answers] = examined;
    assert.match(asked!, /^C: \w+ EXAMINE INBOX$/);
    assert.ok(answers.includes('S: * 1 EXISTS'), examined.join('\n'));
    const tag = asked!.split(' ')[1]!;
    assert.match(examined.at(-1)!, new RegExp(`^S: ${tag} OK `));
    const rows = linesOf(talkOf(the('UID FETCH')));
    assert.match(rows[0]!, /^C: \w+ UID FETCH 1 \(UID FLAGS /);
    assert.match(rows[1]!, /^S: \* 1 FETCH \(UID 1 .*"One"/);
    assert.match(rows[2]!, /^S: \w+ OK /);
    assert.equal(rows.length, 3);
  });
  it('of IMAP shows of a login the command and what the server says to it', async () => {
    await take(client().call('message.list', {}), 5);
    const login = linesOf(talkOf(the('AUTHENTICATE')));
    assert.match(login[0]!, /^S: \* OK .*ready\.$/);
    assert.match(login[1]!, /^C: 1 AUTHENTICATE PLAIN \*\*\*$/);
    assert.match(login[2]!, /^S: 1 OK /);
  });
  it('of IMAP shows literals both ways up to a bound, with how much more there was, and the answer behind them', async () => {
    const long = `Subject: Long\r\n\r\n${'A line of the text that goes on.\r\n'.repeat(10_000)}`;
    mail.deliver('u0@test.local', long);
    const [row] = (await take(client().call('message.list', {}), 1)) as { id: string }[];
    await client().call('message.get', { message: row!.id });
    await client().call('draft.create', { subject: 'Mine', text: 'word '.repeat(40_000) });
    const fetched = talkOf(seen.find(one => one.method === 'UID FETCH' && talkOf(one).turns.some(turn => turn.left))!);
    const [, rows, end] = fetched.turns;
    assert.match(rows!.text, /^\* 1 FETCH \(UID 1 [^]*\{\d+\}\n[^]*A line of the text that goes on\.\n/);
    assert.ok(rows!.text.length < 32 * 1024 && end!.text.length < 200);
    assert.match(end!.text, /^\w+ OK /);
    // Nothing is lost in the count: what is shown and what is not are all there was, and line ends are two bytes.
    const shown = Buffer.byteLength(rows!.text.replace(/\n/g, '\r\n'));
    const size = Math.max(...[...rows!.text.matchAll(/\{(\d+)\}/g)].map(([, digits]) => Number(digits)));
    assert.ok(Math.abs(shown + rows!.left! - size) < 1_000, `${shown} and ${rows!.left} are ${size}`);
    const appended = talkOf(the('APPEND'));
    assert.match(appended.turns[0]!.text, /^\w+ APPEND [^]*\{\d+\+?\}\n/);
    assert.ok(appended.turns.some(({ by, left }) => by === 'client' && left! > 100_000));
    assert.match(appended.turns.at(-1)!.text, /\n?\w+ OK .*\n$/);
    assert.ok(seen.every(one => one.wire!.size < 80_000));
  });
  it('of SMTP shows the login without what it carries, and a message with its envelope', async () => {
    const text = 'Hello.\n.a line with a dot';
    await client().call('message.send', { from: 'u0@test.local', to: ['u0@test.local'], subject: 'Hi', text });
    const login = linesOf(talkOf(the('AUTH')));
    assert.match(login[0]!, /^S: 220 /);
    assert.equal(login[1], 'C: EHLO [127.0.0.1]');
    assert.match(login.at(-2)!, /^C: AUTH (PLAIN|LOGIN) \*\*\*$/);
    assert.match(login.at(-1)!, /^S: 235 /);
    const lines = linesOf(talkOf(the('DATA')));
    assert.match(lines[0]!, /^C: MAIL FROM:<u0@test\.local>/);
    assert.match(lines[1]!, /^C: RCPT TO:<u0@test\.local>/);
    assert.ok(lines.includes('C: DATA') && lines.includes('C: Subject: Hi'));
    assert.ok(lines.includes('C: ..a line with a dot'), lines.join('\n'));
    assert.equal(lines.at(-2), 'C: .');
    assert.match(lines.at(-1)!, /^S: 250 /);
  });
  it('of SMTP keeps of a long message the beginning, and its answer', async () => {
    await client().call('message.send', {
      from: 'u0@test.local',
      to: ['u0@test.local'],
      subject: 'Long',
      text: 'A line.\n'.repeat(40_000),
    });
    const { turns } = talkOf(the('DATA'));
    const long = turns.find(({ left }) => left)!;
    assert.ok(long.by === 'client' && long.left! > 250_000 && long.text.length < 32 * 1024);
    assert.match(turns.at(-1)!.text, /^250 /);
    assert.ok(the('DATA').wire!.size < 80_000);
  });
  it('of ManageSieve shows the login without what it carries, and a script', async () => {
    await client().call('script.put', { script: 'mine', text: 'keep;' });
    const login = linesOf(talkOf(the('AUTHENTICATE')));
    assert.ok(
      login.some(line => /^C: AUTHENTICATE "(PLAIN|LOGIN)" \*\*\*$/.test(line)),
      login.join('\n'),
    );
    assert.ok(login.includes('S: OK') || login.some(line => /^S: OK /.test(line)));
    const put = linesOf(talkOf(the('PUTSCRIPT')));
    assert.match(put[0]!, /^C: PUTSCRIPT "mine" /);
    assert.match(put.join('\n'), /keep;/);
    assert.match(put.at(-1)!, /^S: OK/);
  });
  it('says how TLS protects the connection, from its start and after STARTTLS', async () => {
    const { X509Certificate } = await import('node:crypto');
    const { fingerprint256, validToDate } = new X509Certificate(mail.ca);
    const own = { allowedCertificate: mail.ca };
    for (const security of ['tls', 'starttls'] as const) {
      seen.length = 0;
      const tls = { imapSecurity: security, smtpSecurity: security, sieveSecurity: 'starttls' };
      const ports = security === 'tls' ? { imapPort: mail.imap.tlsPort, smtpPort: mail.smtp.tlsPort } : {};
      await client({ ...own, ...tls, ...ports }).call('account.check', {});
      await take(client({ ...own, ...tls, ...ports }).call('script.list', {}), 5);
      for (const method of ['ID', 'AUTH', 'AUTHENTICATE', 'LISTSCRIPTS']) {
        const facts = talkOf(the(method)).tls;
        assert.ok(facts, `${security} ${method}`);
        assert.match(facts.protocol, /^TLSv1\.[23]$/);
        assert.match(facts.cipher, /^TLS_/);
        assert.equal(facts.subject, 'localhost');
        assert.match(facts.names, /localhost/);
        assert.equal(facts.issuer, 'localhost');
        assert.equal(facts.fingerprint, fingerprint256);
        assert.equal(facts.validTo, validToDate.toISOString());
      }
      closeConnections();
      closePools();
      closeSieve();
    }
    seen.length = 0;
    await client().call('account.check', {});
    assert.ok(seen.length && seen.every(one => talkOf(one).tls === undefined));
  });
  it('is not listened to unless the host asks for it', async () => {
    await take(client({}, {}).call('message.list', {}), 5);
    await client({}, {}).call('message.send', {
      from: 'u0@test.local',
      to: ['u0@test.local'],
      subject: 'a',
      text: 'b',
    });
    await take(client({}, {}).call('script.list', {}), 5);
    for (const method of ['UID SEARCH', 'AUTH', 'DATA', 'LISTSCRIPTS']) the(method);
    assert.deepEqual(
      seen.filter(one => one.wire),
      [],
    );
  });
});
