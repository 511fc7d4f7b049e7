import assert from 'node:assert/strict';
import type { MailError } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startSmtp, type ScriptedSmtp } from './smtp.js';
import { accountOf } from './with.js';

type Any = any;
/** Sends to two people through a server that plays a script. */
async function send(
  script: string,
  run: (sent: Promise<Any>, server: ScriptedSmtp) => Promise<void>,
  { to = ['a@x.test', 'b@x.test'], ehlo }: { to?: string[]; ehlo?: string[] } = {},
) {
  const server = await startSmtp(script, ehlo ? { ehlo } : {});
  const sent = accountOf(undefined, server).call('message.send', {
    to,
    subject: 'x',
    text: '.dots\n..\nend',
    saveToSent: 'no',
  }) as Promise<Any>;
  sent.catch(() => {});
  try {
    await run(sent, server);
  } finally {
    closeConnections();
    await server.close();
  }
}
const done = async (sent: Promise<Any>, accepted: string[], rejected: string[] = []) => {
  const { outcome, native } = await sent;
  assert.deepEqual(
    [outcome, native.accepted, native.rejected.map((one: Any) => one.address)],
    ['done', accepted, rejected],
  );
};
const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.equal((error as MailError).code, code, (error as Error).message);
  assert.match((error as Error).message, words);
  return true;
};
const BOTH = ['a@x.test', 'b@x.test'];

describe('SMTP transcripts: submission', () => {
  it('a message is taken', () =>
    send('', async (sent, server) => {
      await done(sent, BOTH);
      assert.equal(server.mails.length, 1);
      assert.match(server.mails[0]!.source, /\r\n\.\.dots\r\n\.\.\.\r\nend/);
    }));
  // https://github.com/dahlia/upyo/issues/37
  it('251 takes a recipient as well', () =>
    send('C: RCPT TO:<a@x.test>…\nS: 251 User not local; will forward', sent => done(sent, BOTH)));
  // RFC 5321 section 3.5.3
  it('252 takes a recipient as well', () =>
    send('C: RCPT TO:<a@x.test>…\nS: 252 cannot verify, will try', sent => done(sent, BOTH)));
  // https://github.com/dahlia/upyo/issues/38, https://github.com/chatmail/async-smtp/issues/72
  it('one recipient refused does not keep the message from the other', () =>
    send('C: RCPT TO:<a@x.test>…\nS: 550 5.1.1 no such user', async (sent, server) => {
      await done(sent, ['b@x.test'], ['a@x.test']);
      assert.equal(server.mails.length, 1);
    }));
  // https://github.com/laminas/laminas-mail/issues/41
  it('all recipients refused is an error, and nothing is handed over', () =>
    send('C: RCPT TO:…\nS: 550 5.1.1 no such user', async (sent, server) => {
      await assert.rejects(sent, refused('rejected', /no such user/));
      assert.equal(server.mails.length, 0);
      assert.ok(!server.log.includes('C: DATA'));
    }));
  // https://github.com/emersion/go-smtp/issues/195, RFC 5321 section 4.5.3.1.10
  it('452 after some recipients: the others are offered at once in a second message', () =>
    send('C 1x: RCPT TO:<b@x.test>…\nS: 452 4.5.3 Too many recipients', async (sent, server) => {
      await done(sent, BOTH);
      assert.equal(server.mails.length, 2);
    }));
  // https://github.com/getconversio/email-deep-validator/issues/9
  it('a refusal in several lines is told whole', () =>
    send('C: MAIL …\nS: 550-5.7.1 Your message looks like spam\nS: 550 5.7.1 see http://x.test/why', async sent => {
      await assert.rejects(sent, refused('rejected', /looks like spam.*see http:\/\/x\.test\/why/s));
    }));
  // GMX: https://github.com/OpenSMTPD/OpenSMTPD/issues/446
  it('a greeting in several lines is one greeting', () =>
    send('S: 220-mail.x.test ESMTP\nS: 220-no spam here\nS: 220 welcome', sent => done(sent, BOTH)));
  // RFC 5321 section 4.2: the text may be missing, and so may the blank before it.
  it('replies without text', () => send('C: MAIL …\nS: 250\nC: RCPT …\nS: 250 ', sent => done(sent, BOTH)));
  // Seen on OpenSMTPD 6.8 in clear text.
  it('a server that offers no login takes mail without one', () =>
    send(
      '',
      async (sent, server) => {
        await done(sent, BOTH);
        assert.ok(!server.log.some(line => line.startsWith('C: AUTH')));
      },
      { ehlo: ['8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE 104857600', 'DSN', 'HELP'] },
    ));
  // RFC 1870 section 6.1
  it('a message that is too large is refused in the words of the server', () =>
    send(
      'C: MAIL …\nS: 552 5.3.4 Message size exceeds fixed limit',
      async (sent, server) => {
        await assert.rejects(sent, refused('rejected', /exceeds fixed limit/));
        assert.equal(server.mails.length, 0);
      },
      { ehlo: ['AUTH PLAIN LOGIN', 'SIZE 10'] },
    ));
  // https://github.com/NethServer/dev/issues/5811
  it('a refusal after the whole message is an error, and it is not sent again', () =>
    send('C: .\nS: 554 5.7.1 virus found', async (sent, server) => {
      await assert.rejects(sent, refused('rejected', /virus found/));
      assert.equal(server.log.filter(line => line === 'C: DATA').length, 1);
    }));
  // https://github.com/poolpOrg/filter-rspamd/pull/5
  it('a refusal of DATA is an error', () =>
    send('C: DATA\nS: 554 5.5.1 no valid recipients', async sent => {
      await assert.rejects(sent, refused('rejected', /no valid recipients/));
    }));
  // Postfix: https://www.postfix.org/postconf.5.html#reject_sender_login_mismatch
  it('a sender that is not allowed is an error that says so', () =>
    send('C: MAIL …\nS: 553 5.7.1 Sender address rejected: not owned by user', async sent => {
      await assert.rejects(sent, refused('rejected', /not owned by user/));
    }));
  // The server may have it: RFC 5321 section 4.5.4.2, RFC 1047
  it('a connection that ends behind the last byte leaves it open whether the mail was sent, and it is not sent again', () =>
    send('C: .\nS: <close>', async (sent, server) => {
      const { outcome } = await sent;
      assert.equal(outcome, 'unknown');
      assert.equal(server.log.filter(line => line === 'C: DATA').length, 1);
    }));
  // RFC 5321 section 3.8
  it('a server that says goodbye right behind its answer has the message', () =>
    send('C: .\nS: 250 2.0.0 queued\nS: 221 closing', sent => done(sent, BOTH)));
});
