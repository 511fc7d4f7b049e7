import assert from 'node:assert/strict';
import { connect, fileOf, providerById, take, type Client, type MailError } from '../../shared/index.js';
import { prepared } from '../../shared/providers/imap/operations/draft.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { closePools } from '../../shared/providers/imap/session/smtpPool.js';
import { startMail, type Mail, type MailOptions } from '../sandbox/mail.js';
import { idOf, withScript } from '../scripted/with.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const refusedWith =
  (code: string, words = /./) =>
  (error: unknown) => {
    assert.equal((error as MailError).code, code, (error as Error).message);
    assert.match((error as Error).message, words);
    return true;
  };

describe('IMAP: folders, quotas and drafts', function () {
  this.timeout(60_000);
  let mail: Mail;
  let client: Client;
  const start = async (options: MailOptions = {}, more: Record<string, unknown> = {}) => {
    mail = await startMail(options);
    client = connect(providerById('imap'), accountOf(mail, 0, more), { resolve: async () => '127.0.0.1' });
  };
  const call = async (name: string, input: Record<string, unknown> = {}) => (await client.call(name, input)) as Any;
  const messageIn = (uid: number, folder = 'INBOX') =>
    `${folder};UIDVALIDITY=${mail.folder('u0@test.local', folder).uidValidity};UID=${uid}`;
  const source = () => mail.smtp.seen.messages.at(-1)!.bytes.toString();
  afterEach(async () => {
    closePools();
    closeConnections();
    await mail?.close();
  });

  it('tells the state of a folder and the quota, and subscribes and unsubscribes', async () => {
    await start();
    mail.deliver('u0@test.local', { subject: 'one' });
    const status = await call('folder.status', { folder: 'INBOX' });
    assert.deepEqual([status.id, status.messages, status.unseen], ['INBOX', 1, 1]);
    assert.equal(status.native.uidNext, 2);
    const quota = await call('quota.get');
    assert.deepEqual(
      [quota.root, quota.limit, quota.messages, quota.messageLimit],
      ['User quota', 1024 ** 3, 1, 100_000],
    );
    assert.ok(quota.used > 0);
    await call('folder.create', { folder: 'Old' });
    const listed = async () =>
      (await take(client.call('folder.list', { subscribed: true }) as Any)).map((one: Any) => one.id as string);
    assert.ok((await listed()).includes('Old'));
    await call('folder.unsubscribe', { folder: 'Old' });
    assert.ok(!(await listed()).includes('Old'));
    await call('folder.subscribe', { folder: 'Old' });
    assert.ok((await listed()).includes('Old'));
    for (const name of ['folder.status', 'folder.subscribe'])
      await assert.rejects(call(name, { folder: 'Nowhere' }), refusedWith('not_found'));
  });

  it('says that a server tells no quotas', async () => {
    await start({ imap: { without: ['QUOTA'] } });
    await assert.rejects(call('quota.get'), refusedWith('unsupported', /quota/i));
  });

  it('creates the folder if it is missing and that was asked for, and only then', async () => {
    await start();
    const { uid } = mail.deliver('u0@test.local', { subject: 'one' });
    const file = fileOf('m.eml', 'message/rfc822', Buffer.from('Subject: x\r\n\r\ny\r\n'));
    await assert.rejects(call('message.copy', { message: messageIn(uid), target: 'A' }), refusedWith('not_found'));
    await assert.rejects(call('message.append', { folder: 'B', file }), refusedWith('not_found'));
    assert.equal(mail.imap.count('CREATE'), 0);
    await call('message.copy', { message: messageIn(uid), target: 'A', createFolder: true });
    await call('message.append', { folder: 'B', file, createFolder: true });
    await call('message.append', { folder: 'B', file, createFolder: true });
    await call('message.move', { message: messageIn(uid), target: 'C/D', createFolder: true });
    assert.deepEqual(
      ['A', 'B', 'C/D'].map(name => mail.folder('u0@test.local', name).messages.length),
      [1, 2, 1],
    );
    assert.equal(mail.imap.count('CREATE'), 3);
  });

  it('names a message and the one it answers on every message', async () => {
    await start();
    mail.deliver('u0@test.local', { subject: 'a', messageId: '<a@x>', headers: { 'In-Reply-To': '<before@x>' } });
    const [listed] = (await take(client.call('message.list', {}) as Any)) as Any[];
    assert.deepEqual([listed.messageId, listed.inReplyTo], ['<a@x>', '<before@x>']);
    const read = await call('message.get', { message: listed.id });
    assert.deepEqual([read.messageId, read.inReplyTo], ['<a@x>', '<before@x>']);
  });

  describe('a plain NO is settled by what is there', () => {
    // Courier and GNU Mailutils imap4d answer so, without a response code.
    const NO = (command: string, words: string) => `C: ${command} …\nS: $ NO ${words}`;
    const there = 'C: STATUS …\nS: * STATUS x (UIDNEXT 1)\nS: $ OK done';
    const missing =
      'C: STATUS …\nS: $ NO Unable to open this mailbox.\nC: LIST …\nS: $ OK done\nC: LSUB …\nS: $ OK done';
    for (const [name, input, script, code] of [
      ['folder.create', { folder: 'x' }, `${NO('CREATE', 'Cannot create this folder.')}\n${there}`, 'conflict'],
      ['folder.create', { folder: 'x' }, `${NO('CREATE', 'Invalid mailbox name.')}\n${missing}`, 'rejected'],
      ['folder.delete', { folder: 'x' }, `${NO('DELETE', 'Cannot delete this folder.')}\n${missing}`, 'not_found'],
      [
        'folder.delete',
        { folder: 'x' },
        `${NO('DELETE', 'Mailbox has inferior hierarchical names.')}\n${there}`,
        'rejected',
      ],
      [
        'folder.rename',
        { folder: 'x', newName: 'y' },
        `${NO('RENAME', 'Mailbox does not exist')}\n${missing}`,
        'not_found',
      ],
      ['folder.rename', { folder: 'x', newName: 'y' }, `${NO('RENAME', 'Target exists')}\n${there}`, 'conflict'],
      [
        'message.copy',
        { message: idOf(1), target: 'x' },
        `${NO('UID COPY', 'Unable to open this mailbox.')}\n${missing}`,
        'not_found',
      ],
      [
        'message.append',
        { folder: 'x', file: fileOf('m', 'message/rfc822', Buffer.from('A: b\r\n\r\n')) },
        `${NO('APPEND', 'Mailbox does not exist')}\n${missing}`,
        'not_found',
      ],
    ] as const) {
      it(`${name}: ${script.split('\n')[1]!.slice(5)} is ${code}`, () =>
        withScript(
          script,
          async using => {
            await assert.rejects(using.call(name, input) as Any, refusedWith(code));
          },
          { capabilities: 'IMAP4rev1 NAMESPACE IDLE UIDPLUS' },
        ));
    }

    it('nothing is put into a folder while it is open for reading', () =>
      withScript('', async (using, server) => {
        await take(using.call('message.list', {}) as Any);
        await using.call('message.append', {
          folder: 'INBOX',
          file: fileOf('m', 'message/rfc822', Buffer.from('A: b\r\n\r\n')),
        });
        const said = server.log
          .filter(line => /^C: (EXAMINE|SELECT|APPEND)/.test(line))
          .map(line => line.split(' ')[1]);
        assert.deepEqual([said[0], ...said.slice(-2)], ['EXAMINE', 'SELECT', 'APPEND']);
      }));
  });

  describe('drafts', () => {
    const kept = () => mail.folder('u0@test.local', 'Drafts').messages;

    it('are kept in the folder for drafts, and sent as they are there', async () => {
      await start();
      const draft = await call('draft.create', {
        to: 'Ann <u1@test.local>',
        bcc: 'u2@test.local',
        subject: 'Plan',
        text: 'first',
        attachments: [fileOf('a.txt', 'text/plain', Buffer.from('file'))],
      });
      assert.ok(kept()[0]!.flags.includes('\\Draft'));
      assert.equal(mail.smtp.seen.messages.length, 0);
      const sent = await call('draft.send', { message: draft.id });
      assert.deepEqual(
        [sent.outcome, sent.native.accepted, sent.native.draftRemoved, sent.native.savedToSent],
        ['done', ['u1@test.local', 'u2@test.local'], true, true],
      );
      assert.equal(sent.id, draft.native.messageId);
      assert.doesNotMatch(source(), /u2@test|X-Mailroom/i);
      assert.match(source(), /^To: Ann <u1@test\.local>\r$/m);
      assert.equal(source().match(/^Date:/gm)!.length, 1);
      assert.equal(kept().length, 0);
      await assert.rejects(call('draft.send', { message: draft.id }), refusedWith('not_found'));
    });

    it('of an answer and a forward mark the message when they are sent', async () => {
      await start();
      const { uid } = mail.deliver('u0@test.local', {
        from: 'Ann <u1@test.local>',
        to: 'u0@test.local, u2@test.local',
        subject: 'plan',
        text: 'what?',
        messageId: '<p@x>',
      });
      const answer = await call('draft.create', { kind: 'replyAll', message: messageIn(uid), text: 'this' });
      const forward = await call('draft.create', {
        kind: 'forward',
        message: messageIn(uid),
        to: 'u3@test.local',
        text: 'see',
      });
      const read = await call('message.get', { message: answer.id });
      assert.deepEqual(
        [read.to[0].email, read.cc[0].email, read.subject, read.inReplyTo],
        ['u1@test.local', 'u2@test.local', 'Re: plan', '<p@x>'],
      );
      assert.match(read.text, /this[^]*> what\?/);
      assert.ok(!mail.folder('u0@test.local').messages[0]!.flags.includes('\\Answered'));
      assert.equal((await call('draft.send', { message: answer.id })).native.markedAnswered, true);
      assert.match(source(), /^In-Reply-To: <p@x>\r$/m);
      assert.equal((await call('draft.send', { message: forward.id })).native.markedForwarded, true);
      assert.match(source(), /^Subject: Fwd: plan\r$/m);
      assert.deepEqual(
        mail
          .folder('u0@test.local')
          .messages[0]!.flags.filter((one: string) => one !== '\\Recent')
          .sort(),
        ['$Forwarded', '\\Answered'],
      );
      await assert.rejects(
        call('draft.create', { kind: 'reply', text: 'x' }),
        refusedWith('invalid_input', /Message is required/),
      );
    });

    it('take the place of earlier ones, which are deleted after them; whom they answer is kept', async () => {
      await start();
      const { uid } = mail.deliver('u0@test.local', { from: 'u1@test.local', to: 'u0@test.local', messageId: '<q@x>' });
      const first = await call('draft.create', { kind: 'reply', message: messageIn(uid), text: 'one' });
      const second = await call('draft.create', {
        replaces: first.id,
        to: 'u1@test.local',
        subject: 'Re: two',
        text: 'two',
      });
      assert.deepEqual([kept().length, second.draftRemoved], [1, true]);
      const read = await call('message.get', { message: second.id });
      assert.deepEqual([read.inReplyTo, read.text.trim()], ['<q@x>', 'two']);
      assert.equal((await call('draft.send', { message: second.id })).native.markedAnswered, true);
      assert.match(source(), /^References: <q@x>\r$/m);
      const late = await call('draft.create', { replaces: second.id, to: 'u1@test.local', text: 'three' });
      assert.deepEqual([kept().length, late.draftRemoved], [1, false]);
      assert.match(late.draftError, /no longer there/);
      await assert.rejects(
        call('draft.create', { replaces: messageIn(uid), text: 'x' }),
        refusedWith('rejected', /no draft/),
      );
      assert.equal(mail.folder('u0@test.local').messages.length, 1, 'only drafts are replaced');
    });

    it('are found again on servers that do not name what they store', async () => {
      await start({ imap: { without: ['UIDPLUS'] } });
      const first = await call('draft.create', { subject: 'a', text: 'one' });
      const second = await call('draft.create', { replaces: first.id, subject: 'b', text: 'two' });
      assert.equal((await call('message.get', { message: second.id })).subject, 'b');
    });

    it('are not sent twice at once, nor without a recipient, nor if they are none', async () => {
      await start();
      const empty = await call('draft.create', { subject: 'later' });
      await assert.rejects(call('draft.send', { message: empty.id }), refusedWith('rejected', /no recipients/));
      assert.equal(kept().length, 1);
      const draft = await call('draft.create', { to: 'u1@test.local', text: 'x' });
      const results = await Promise.all(
        [1, 2].map(() =>
          call('draft.send', { message: draft.id }).then(
            () => 'done',
            (error: MailError) => error.code,
          ),
        ),
      );
      assert.deepEqual(results.sort(), ['conflict', 'done']);
      assert.equal(mail.smtp.seen.messages.length, 1);
      const { uid } = mail.deliver('u0@test.local', { from: 'u1@test.local', to: 'u0@test.local' });
      await assert.rejects(call('draft.send', { message: messageIn(uid) }), refusedWith('rejected', /no draft/));
    });

    it('stay where it is not certain that they were sent', async () => {
      await start();
      const draft = await call('draft.create', { to: 'u1@test.local', text: 'x' });
      mail.smtp.trouble.fail({ at: 'dot', cut: 'reset' });
      assert.equal((await call('draft.send', { message: draft.id })).outcome, 'unknown');
      assert.equal(kept().length, 1);
    });

    it('of other programs go out without their notes, with a date and a name of today', () => {
      const now = new Date('2026-11-28T10:00:00Z');
      const made = prepared(
        Buffer.from(
          'X-Mozilla-Draft-Info: internal/draft\nFrom: u0@test.local\nTo: a@x.test,\n A@X.test\nBcc: =?utf-8?q?=C3=BC?= <b@x.test>\n' +
            'Subject: folded\n one\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n\nBcc: body\n',
        ),
        undefined,
        now,
      );
      assert.deepEqual(made.everyone, ['a@x.test', 'b@x.test']);
      const text = made.bytes.toString();
      assert.match(
        text,
        /^Date: Sat, 28 Nov 2026 10:00:00 \+0000\r\nMessage-ID: <[^>]+@test\.local>\r\nFrom: u0@test\.local\r\nTo: a@x\.test,\r\n A@X\.test\r\nSubject: folded\r\n one\r\n\r\nBcc: body\r\n$/,
      );
      assert.throws(
        () => prepared(Buffer.from('From: u0@test.local\r\nTo: nobody\r\n\r\n'), undefined),
        refusedWith('rejected', /no address/),
      );
    });
  });
});
