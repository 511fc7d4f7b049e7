import assert from 'node:assert/strict';
import fc from 'fast-check';
import { connect, providerById, type Client, type MailError } from '../../shared/index.js';
import { answerTo, isOneOf } from '../../shared/providers/imap/messages/answer.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { closePools } from '../../shared/providers/imap/session/smtpPool.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const imap = providerById('imap');
const refused = (words: RegExp) => (error: unknown) => {
  assert.equal((error as MailError).code, 'rejected', (error as Error).message);
  assert.match((error as Error).message, words);
  return true;
};

describe('IMAP and SMTP: answers', function () {
  this.timeout(60_000);
  let mail: Mail;
  const client = (more: Record<string, unknown> = {}): Client =>
    connect(imap, accountOf(mail, 0, more), { resolve: async () => '127.0.0.1' });
  /**
   * A message as it arrives: with the trace header of the server that delivered it, and `above` it what that server
   * says.
   */
  const arrive = (head: string, { above = '', text = 'Hello.' } = {}) => {
    const { uid } = mail.deliver(
      'u0@test.local',
      Buffer.from(
        `${above}Received: from a by b; Sat, 28 Nov 2026 10:00:00 +0000\r\n${head.trim().replace(/\n\s*/g, '\r\n')}\r\n\r\n${text}\r\n`,
      ),
    );
    return `INBOX;UIDVALIDITY=${mail.folder('u0@test.local').uidValidity};UID=${uid}`;
  };
  const reply = async (message: string, input: Record<string, unknown> = {}, using = client()) =>
    ((await using.call('message.reply', { message, text: 'auto', saveToSent: 'no', ...input })) as Any).native
      .accepted as string[];
  before(async () => {
    mail = await startMail({ smtp: { relay: true } });
  });
  after(async () => {
    closePools();
    closeConnections();
    await mail.close();
  });

  it('do not go to an address of the account, however it is known', async () => {
    const id = arrive(`From: Ann <ann@a.test>
      To: support@test.local, u0+shop@test.local
      Cc: U0@TEST.local, Sales@example.net, bob@a.test`);
    const others = ['ann@a.test', 'bob@a.test'];
    assert.deepEqual(await reply(id, { replyAll: true, from: 'support@test.local' }), [
      'ann@a.test',
      'Sales@example.net',
      'bob@a.test',
    ]);
    assert.deepEqual(
      await reply(id, { replyAll: true }, client({ ownAddresses: ['SUPPORT@test.local', '@example.net'] })),
      others,
    );
    assert.deepEqual(
      await reply(
        id,
        { replyAll: true, from: 'x@test.local', replyTo: 'sales@example.net' },
        client({ ownAddresses: 'support@test.local' }),
      ),
      others,
    );
  });

  it('do not go to the address that our own server delivered the message for, but what a sender writes there counts for nothing', async () => {
    const head = `From: Ann <ann@a.test>
      To: team@a.test, boss@a.test`;
    assert.deepEqual(
      await reply(arrive(head, { above: 'Return-Path: <ann@a.test>\r\nDelivered-To: team@a.test\r\n' }), {
        replyAll: true,
      }),
      ['ann@a.test', 'boss@a.test'],
    );
    assert.deepEqual(await reply(arrive(`Delivered-To: boss@a.test\n${head}`), { replyAll: true }), [
      'ann@a.test',
      'team@a.test',
      'boss@a.test',
    ]);
  });

  it('go from the address that the message came to', async () => {
    const using = client({ ownAddresses: ['support@test.local', 'sales@test.local'] });
    await reply(arrive('From: ann@a.test\nTo: sales@test.local'), {}, using);
    assert.match(mail.smtp.seen.messages.at(-1)!.bytes.toString(), /^From: sales@test\.local\r$/m);
    await reply(arrive('From: ann@a.test\nTo: somebody@test.local'), {}, using);
    assert.match(mail.smtp.seen.messages.at(-1)!.bytes.toString(), /^From: u0@test\.local\r$/m);
  });

  it('go to nobody twice, whatever the case', async () => {
    const id = arrive(`From: Ann <Ann@a.test>
      To: ANN@A.TEST, u1@test.local
      Cc: U1@test.local, Bob <bob@a.test>, bob@a.test`);
    assert.deepEqual(await reply(id, { replyAll: true, cc: ['ann@a.test', 'u2@test.local'], bcc: 'BOB@a.test' }), [
      'Ann@a.test',
      'u1@test.local',
      'bob@a.test',
      'u2@test.local',
    ]);
    assert.doesNotMatch(mail.smtp.seen.messages.at(-1)!.bytes.toString(), /^Cc:.*ann@a/im);
  });

  it('go where Reply-To says if that is an address of somebody else, and else to the author', async () => {
    for (const replyTo of ['ann', 'ann@', 'u0@test.local', 'Team:;', '<>', '"@" <ann@ a.test>', 'x@MISSING_DOMAIN']) {
      assert.deepEqual(
        await reply(arrive(`From: ann@a.test\nReply-To: ${replyTo}\nTo: u0@test.local`)),
        ['ann@a.test'],
        replyTo,
      );
    }
    assert.deepEqual(
      await reply(arrive('From: ann@a.test\nReply-To: u0@test.local, desk@a.test, DESK@a.test\nTo: u0@test.local')),
      ['desk@a.test'],
    );
    // A form on a web site sends in our own name, and writes the visitor into Reply-To.
    assert.deepEqual(
      await reply(arrive('From: u0@test.local\nReply-To: visitor@a.test\nTo: u0@test.local'), { automatic: true }),
      ['visitor@a.test'],
    );
  });

  it('to a message of our own go to those it went to, and never back to us', async () => {
    const using = client({ ownAddresses: 'alias@test.local' });
    assert.deepEqual(
      await reply(arrive('From: alias@test.local\nTo: u0@test.local, ann@a.test\nCc: bob@a.test'), {}, using),
      ['ann@a.test'],
    );
    assert.deepEqual(await reply(arrive('From: u0@test.local\nTo: u0@test.local\nCc: bob@a.test')), ['bob@a.test']);
    await assert.rejects(
      reply(arrive('From: U0+notes@test.local\nTo: u0@test.local')),
      refused(/from this account and went to nobody else/),
    );
    await assert.rejects(reply(arrive('To: u0@test.local')), refused(/whom to answer/));
    await assert.rejects(
      reply(arrive('From: u0@test.local\nTo: ann@a.test'), { automatic: true }),
      refused(/from this account itself/),
    );
  });

  it('made by a program go to no list, no program and no postmaster', async () => {
    for (const line of [
      'Auto-Submitted: auto-replied',
      'Auto-Submitted: auto-generated; x=y',
      'List-Unsubscribe: <https://a.test/u>',
      'List-Id: <l.a.test>',
      'Precedence: bulk',
      'Precedence: auto_reply',
      'X-Auto-Response-Suppress: OOF, AutoReply',
      'X-Auto-Response-Suppress: All',
      'X-Autoreply: yes',
      'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
    ]) {
      await assert.rejects(
        reply(arrive(`From: ann@a.test\nTo: u0@test.local\n${line}`), { automatic: true }),
        refused(/automatic or from a list/),
        line,
      );
    }
    for (const from of ['MAILER-DAEMON@a.test', 'owner-list@a.test', 'list-request@a.test']) {
      await assert.rejects(
        reply(arrive(`From: ${from}\nTo: u0@test.local`), { automatic: true }),
        refused(/automatic or from a list/),
        from,
      );
    }
    await assert.rejects(
      reply(arrive('From: ann@a.test\nTo: u0@test.local', { above: 'Return-Path: <>\r\n' }), { automatic: true }),
      refused(/automatic/),
    );
    for (const line of [
      'Auto-Submitted: no',
      'Auto-Submitted: No (really)',
      'Precedence: first-class',
      'X-Auto-Response-Suppress: DR',
    ]) {
      assert.deepEqual(
        await reply(arrive(`From: ann@a.test\nTo: u0@test.local\n${line}`), { automatic: true }),
        ['ann@a.test'],
        line,
      );
    }
  });

  it('have no address of ours and none twice, whoever wrote what', () => {
    const address = fc
      .constantFrom(
        'u0@test.local',
        'U0+a@Test.Local',
        'alias@test.local',
        'any@example.net',
        'ann@a.test',
        'ANN@a.test',
        'bob@b.test',
        'x@münchen.de',
        'x@xn--mnchen-3ya.de',
        'bad',
        '',
      )
      .map(email => ({ email }));
    const isOwn = isOneOf(['u0@test.local', 'ALIAS@test.local', '@Example.net']);
    fc.assert(
      fc.property(
        fc.option(address, { nil: undefined }),
        fc.array(address),
        fc.array(address),
        fc.array(address),
        fc.boolean(),
        fc.boolean(),
        (from, replyTo, to, cc, all, automatic) => {
          let answer;
          try {
            answer = answerTo({ ...(from ? { from } : {}), replyTo, to, cc }, isOwn, { all, automatic });
          } catch (error) {
            return refused(/./)(error);
          }
          const everyone = [...answer.to, ...answer.cc].map(one =>
            one.email.toLowerCase().replace('münchen', 'xn--mnchen-3ya'),
          );
          assert.ok(answer.to.length && everyone.every(one => !/^u0|^alias|example\.net$|^bad$/i.test(one)));
          assert.equal(new Set(everyone).size, everyone.length);
          return true;
        },
      ),
    );
  });

  it('know that Gmail has one mailbox under many spellings', () => {
    const isOwn = isOneOf(['ann.lee@gmail.com']);
    assert.ok(
      isOwn('AnnLee+x@googlemail.com') && !isOwn('annlee@a.test') && !isOneOf(['ann.lee@a.test'])('annlee@a.test'),
    );
  });
});
