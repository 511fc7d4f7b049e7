import assert from 'node:assert/strict';
import { connect, providerById, take } from '../../shared/index.js';
import { count, waitOf } from '../../shared/providers/imap/session/commandPace.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { closePools } from '../../shared/providers/imap/session/smtpPool.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const imap = providerById('imap');

describe('IMAP and SMTP: pace', function () {
  this.timeout(60_000);
  let mail: Mail;
  const client = (more: Record<string, unknown>, signal?: AbortSignal) =>
    connect(imap, accountOf(mail, 0, more), { resolve: async () => '127.0.0.1', ...(signal ? { signal } : {}) });
  const send = (using = client({})) =>
    using.call('message.send', { to: 'u1@test.local', subject: 's', text: 't', saveToSent: 'no' }) as Promise<Any>;
  beforeEach(async () => {
    mail = await startMail();
  });
  afterEach(async () => {
    closePools();
    closeConnections();
    await mail.close();
  });

  it('no more is asked in a minute than the account may', () => {
    const ctx = {
      account: { ...accountOf(mail, 7), perMinute: 5, preset: 'custom', authentication: 'password' },
    } as Any;
    for (let i = 0; i < 4; i++) count(ctx, 10_000 + i * 1000);
    assert.equal(waitOf(ctx, 14_000), 0);
    count(ctx, 14_000);
    assert.equal(waitOf(ctx, 14_500), 56_500);
    count(ctx, 14_500);
    assert.equal(waitOf(ctx, 14_500), 57_500);
    assert.equal(waitOf(ctx, 72_000), 0);
    assert.equal(waitOf({ account: { ...ctx.account, perMinute: 6000 } } as Any, 14_500), 0);
  });

  it('a task waits when the minute is used up, whoever used it, and can be given up at once', async () => {
    await take(client({}).call('message.list', {}) as Any);
    const before = mail.imap.seen.commands.length;
    const over = new AbortController();
    const waiting = [
      take(client({ perMinute: 3 }, over.signal).call('message.list', {}) as Any),
      send(client({ perMinute: 3 }, over.signal)),
    ];
    const ended = Promise.allSettled(waiting);
    // Somebody with the usual pace is served meanwhile, so those two had their time to begin.
    await send();
    const at = performance.now();
    over.abort(new Error('enough'));
    assert.ok((await ended).every(({ status }) => status === 'rejected'));
    assert.ok(performance.now() - at < 1000);
    assert.deepEqual([mail.imap.seen.commands.length, mail.smtp.seen.messages.length], [before, 1]);
  });

  it('no more connections are open at once than requests may be', async () => {
    const one = client({ concurrent: 2 });
    const results = await Promise.all(Array.from({ length: 20 }, () => send(one)));
    assert.ok(results.every(({ outcome }) => outcome === 'done'));
    assert.ok(mail.smtp.peak() <= 2, String(mail.smtp.peak()));
  });
});
