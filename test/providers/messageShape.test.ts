import assert from 'node:assert/strict';
import { outputItem } from '../../nodes/lib/items.js';
import { connect, providerById, type Client } from '../../shared/index.js';
import { wordsOfHtml } from '../../shared/htmlText.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { toMessage as contextIo, readMessage } from '../../shared/providers/contextIo/message.js';
import { toMessage as sodium } from '../../shared/providers/sodium/message.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const ORDER = [
  'id',
  'date',
  'from',
  'to',
  'cc',
  'subject',
  'text',
  'textFromHtml',
  'html',
  'attachments',
  'read',
  'flags',
  'folder',
  'thread',
  'messageId',
  'inReplyTo',
  'replyTo',
  'mailbox',
  'native',
];
const inOrder = (message: object) =>
  assert.deepEqual(
    Object.keys(message),
    ORDER.filter(key => key in message),
  );
/** A made-up mail with everything in it that a message can have. */
const SOURCE = [
  'From: Ann <ann@a.example>',
  'To: u0@test.local',
  'Cc: Bob <bob@b.example>',
  'Reply-To: desk@a.example',
  'Subject: Hello',
  'Date: Tue, 01 Sep 2026 10:00:00 +0000',
  'Message-ID: <2@a.example>',
  'In-Reply-To: <1@a.example>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<p>Hello <b>Bob</b>,</p><p>see <a href="https://a.example/x">the page</a>.</p>',
  '--b',
  'Content-Type: application/pdf; name=a.pdf',
  'Content-Transfer-Encoding: base64',
  '',
  ...Buffer.alloc(1000, 7)
    .toString('base64')
    .match(/.{1,76}/g)!,
  '--b--',
  '',
].join('\r\n');

describe('Messages have one shape everywhere', () => {
  describe('over IMAP', () => {
    let mail: Mail;
    let client: Client;
    let listed: Any;
    let got: Any;
    let fed: Any;
    before(async () => {
      mail = await startMail();
      client = connect(providerById('imap')!, accountOf(mail));
      mail.deliver('u0@test.local', Buffer.from(SOURCE));
      for await (const one of client.call('message.list', {}) as AsyncIterable<Any>) listed = one;
      got = await client.call('message.get', { message: listed.id });
      const from = await client.from('messageReceived', { folders: ['INBOX'] }, '2020-01-01T00:00:00Z');
      fed = (await client.since('messageReceived', { folders: ['INBOX'], fetch: 'full' }, from)).items[0]!.item;
    });
    after(async () => {
      closeConnections();
      await mail.close();
    });

    it('their keys stand in the order people read', () => {
      for (const one of [listed, got, fed]) inOrder(one);
      assert.deepEqual(
        [got.replyTo, got.messageId, got.inReplyTo, got.flags, got.folder],
        [[{ email: 'desk@a.example' }], '<2@a.example>', '<1@a.example>', [], 'INBOX'],
      );
    });
    it('a text is made from the HTML where the sender sent none, and that is said', () => {
      assert.deepEqual([listed.text, listed.textFromHtml], [undefined, undefined], 'a list reads no bodies');
      for (const one of [got, fed])
        assert.deepEqual([one.text, one.textFromHtml], ['Hello Bob,\n\nsee the page [https://a.example/x].', true]);
    });
    it('an attachment has its real size where it was read, else one that says it is an estimate', () => {
      for (const one of [listed, got]) {
        const [{ size, ...file }] = one.attachments;
        assert.deepEqual(file, { id: '2', name: 'a.pdf', type: 'application/pdf', sizeEstimated: true });
        assert.ok(Math.abs(size - 1000) <= 2, `${size}`);
      }
      const [{ content, ...file }] = fed.attachments;
      assert.deepEqual(file, { id: '2', name: 'a.pdf', type: 'application/pdf', size: 1000 });
      assert.equal(content.size, 1000);
    });
  });
  it('at Sodium', () => {
    const message = sodium({
      uniqueId: 'u',
      configCode: 'c',
      conversationId: 't',
      fromEmail: 'a@b.c',
      toRecipients: [{ email: 'd@e.f' }],
      ccRecipients: [],
      subject: 's',
      messageDate: '2026-09-01T10:00:00Z',
      isRead: true,
      folders: [{ code: 'x', name: 'Inbox' }],
      htmlBody: '<p>x</p>',
      plainTextBody: null,
      attachments: [
        {
          attachmentId: '1',
          fileName: 'a.pdf',
          contentType: 'application/pdf',
          size: 5,
          isInline: false,
          contentId: '<i>',
        },
      ],
    });
    inOrder(message);
    assert.deepEqual(
      [message.flags, message.folder, message.cc, message.attachments],
      [
        ['\\Seen'],
        'Inbox',
        undefined,
        [{ id: '1', name: 'a.pdf', type: 'application/pdf', size: 5, sizeEstimated: true, contentId: 'i' }],
      ],
    );
  });
  it('at Context.IO', async () => {
    const native = {
      message_id: 'm',
      email_message_id: '<2@a>',
      in_reply_to: '<1@a>',
      date: 1400000000,
      folders: ['INBOX', 'Work'],
      subject: 's',
      gmail_thread_id: 'f',
      flags: { seen: true, answered: false, flagged: true, deleted: false, draft: false },
      files: [],
      addresses: { from: { email: 'a@b.c' }, to: [{ email: 'd@e.f' }], reply_to: [{ email: 'g@h.i' }] },
      body: [{ type: 'text/html', content: '<p>Hi</p>' }],
    };
    const message = contextIo(native, 'acc');
    const read = await readMessage(native, 'acc');
    inOrder(message);
    inOrder(read);
    assert.deepEqual(
      [
        message.flags,
        message.folder,
        message.messageId,
        message.inReplyTo,
        message.replyTo,
        message.attachments,
        message.thread,
      ],
      [['\\Seen', '\\Flagged'], 'INBOX', '<2@a>', '<1@a>', [{ email: 'g@h.i' }], [], 'gm-f'],
    );
    assert.deepEqual([message.text, read.text, read.textFromHtml], [undefined, 'Hi', true]);
  });
  it('in n8n, binary properties stand in the order of the message, however long each takes, with the size that was stored', async () => {
    const file = (name: string, bytes: number) => ({
      id: name,
      name,
      type: 'text/plain',
      size: 9,
      sizeEstimated: true,
      content: {
        name,
        type: 'text/plain',
        open: async function* () {
          yield Buffer.alloc(bytes);
        },
      },
    });
    const done: string[] = [];
    const waiting: (() => void)[] = [];
    const prepareBinaryData = async (stream: AsyncIterable<Buffer>, fileName: string) => {
      for await (const _piece of stream) {
        /* stored */
      }
      // The first is stored last.
      if (done.length < 2 && fileName === 'a.txt')
        await new Promise<void>(resolve => {
          waiting.push(resolve);
        });
      done.push(fileName);
      if (done.length === 2) waiting[0]?.();
      return { data: '', mimeType: 'text/plain', fileName };
    };
    const { json, binary } = await outputItem(
      { helpers: { prepareBinaryData } } as Any,
      {
        id: '1',
        attachments: [
          file('a.txt', 1),
          { id: 'big', name: 'big.txt', type: 'text/plain' },
          file('b.txt', 2),
          file('c.txt', 3),
        ],
        native: {},
      },
      0,
      true,
    );
    assert.deepEqual(done, ['b.txt', 'c.txt', 'a.txt']);
    assert.deepEqual(
      Object.entries(binary!).map(([key, one]) => [key, one.fileName]),
      [
        ['attachment_0', 'a.txt'],
        ['attachment_2', 'b.txt'],
        ['attachment_3', 'c.txt'],
      ],
    );
    assert.deepEqual(json.attachments, [
      { id: 'a.txt', name: 'a.txt', type: 'text/plain', size: 1, binary: 'attachment_0' },
      { id: 'big', name: 'big.txt', type: 'text/plain' },
      { id: 'b.txt', name: 'b.txt', type: 'text/plain', size: 2, binary: 'attachment_2' },
      { id: 'c.txt', name: 'c.txt', type: 'text/plain', size: 3, binary: 'attachment_3' },
    ]);
  });
  it('words of HTML keep lists, rows, quotations and links, and lose what nobody sees', async () => {
    assert.equal(
      await wordsOfHtml(
        '<style>x{}</style><h1>Title</h1><p>a &amp; b<br>see <a href="https://b.example">https://b.example</a></p><table><tr><td>Item</td><td>1</td></tr>' +
          '<tr><td>Other</td><td>2</td></tr></table><ul><li>one<li>two</ul><img src="https://t.example/p.gif" alt=""><img src="cid:x" alt="Logo"><blockquote>quoted</blockquote>',
      ),
      'Title\n\na & b\nsee https://b.example\n\nItem 1\nOther 2\n\n * one\n * two\n\nLogo\n\n> quoted',
    );
  });
  it('words of HTML made to stall a reader cost little', async () => {
    const spent = async (html: string) => {
      const begun = process.cpuUsage();
      await wordsOfHtml(html);
      const { user, system } = process.cpuUsage(begun);
      return (user + system) / 1000;
    };
    for (const piece of [
      '<div>',
      '<table><tr><td>',
      '<ul><li>x',
      '<b><i>',
      '<p>x',
      '<li><p>',
      '<div></p>',
      '<',
      '&#38;',
      '<!--',
      '<a href=x>y</a>',
      '<blockquote>x<br>',
    ]) {
      assert.ok((await spent(piece.repeat(1_000_000 / piece.length))) < 1500, piece);
    }
    assert.ok((await spent('<blockquote>'.repeat(33) + 'x<br>'.repeat(200_000))) < 1500);
  });
});
