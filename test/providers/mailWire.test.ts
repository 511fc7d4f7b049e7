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
  it('is not listened to unless the host asks for it', async () => {
    await take(client({}, {}).call('message.list', {}), 5);
    assert.ok(seen.length > 3);
    assert.deepEqual(
      seen.filter(one => one.wire),
      [],
    );
  });
});
