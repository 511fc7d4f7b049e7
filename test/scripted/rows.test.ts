import assert from 'node:assert/strict';
import { take, type Client, type FileValue, type Message, type Receipt } from '../../shared/index.js';
import { startImap } from './imap.js';
import { letter, letterWithFile } from './mail.js';
import { startSmtp } from './smtp.js';
import { accountOf, bytesOf, follow, idOf, withScript } from './with.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';

/** What servers tell beside the row that was asked for, before and after it. */
const BESIDE: Record<string, { before?: string; after?: string }> = {
  // Dovecot: https://github.com/emersion/go-imap/issues/430
  'a flag of another message': { before: '* 1 FETCH (UID 1 FLAGS (\\Seen))', after: '* 1 FETCH (UID 1 FLAGS ())' },
  // https://github.com/mjs/imapclient/issues/334
  'flags without a UID': { before: '* 1 FETCH (FLAGS (\\Seen))', after: '* 2 FETCH (FLAGS (\\Seen))' },
  // Box: https://github.com/mscdex/node-imap/issues/464
  'a whole row of another message': {
    before:
      '* 1 FETCH (X-GM-MSGID 1 UID 1 MODSEQ (1) INTERNALDATE "15-Mar-1997 19:31:57 +0000" RFC822.SIZE 7 FLAGS () BODY[] {3}\r\nS: abc BODY[2] "abc")',
  },
  'flags of the message itself': {
    before: '* 2 FETCH (UID 2 FLAGS (\\Flagged))',
    after: '* 2 FETCH (UID 2 FLAGS (\\Flagged))',
  },
  // Cyrus tells of a message before it says that it exists: https://github.com/cyrusimap/cyrus-imapd/issues/1967
  'a message nobody knows of yet': { before: '* 3 FETCH (FLAGS (\\Recent) UID 919)', after: '* 3 EXISTS' },
};

const OPERATIONS: Record<string, (client: Client, id: string) => Promise<void>> = {
  'message.get': async (client, message) => {
    assert.match(((await client.call('message.get', { message })) as Message).text!, /see the file/);
  },
  'message.list': async client => {
    assert.deepEqual(
      (await take(client.call('message.list', {}) as AsyncIterable<Message>)).map(one => one.subject),
      ['m2', 'm1'],
    );
  },
  'message.source': async (client, message) => {
    assert.match((await bytesOf((await client.call('message.source', { message })) as FileValue)).toString(), /ABC/);
  },
  'attachment.get': async (client, message) => {
    assert.equal(
      (await bytesOf((await client.call('attachment.get', { message, attachment: '2' })) as FileValue)).toString(),
      'ABC',
    );
  },
  'attachment.list': async (client, message) => {
    assert.equal(
      (await take(client.call('attachment.list', { message }) as AsyncIterable<{ name: string }>))[0]?.name,
      'file.dat',
    );
  },
  'message.mark': async (client, message) => {
    assert.equal(((await client.call('message.mark', { message })) as Receipt).native.changed, 1);
  },
  'message.reply': async (client, message) => {
    assert.equal(
      ((await client.call('message.reply', { message, text: 'x', saveToSent: 'no' })) as Receipt).outcome,
      'done',
    );
  },
  'message.forward': async (client, message) => {
    assert.equal(
      ((await client.call('message.forward', { message, to: ['x@y.test'], saveToSent: 'no' })) as Receipt).outcome,
      'done',
    );
  },
};

describe('IMAP transcripts: rows', () => {
  for (const [what, { before, after }] of Object.entries(BESIDE)) {
    const script = `C: UID FETCH …\n${before ? `S: ${before}\n` : ''}S: <regular rows>\n${after ? `S: ${after}\n` : ''}S: $ OK done`;
    for (const [name, run] of Object.entries(OPERATIONS)) {
      it(`${name} takes the row asked for, with ${what} beside it`, async () => {
        const server = await startImap(script, { messages: [letter(1), letterWithFile(2, 'ABC')] });
        const smtp = await startSmtp();
        try {
          await run(accountOf(server, smtp), idOf(2));
        } finally {
          closeConnections();
          await server.close();
          await smtp.close();
        }
      });
    }
    it(`the feed hands over each message once, with ${what} beside it`, async () => {
      const server = await startImap(script);
      try {
        const client = accountOf(server);
        const { cursor } = await client.since('messageReceived', {});
        server.messages.push(letterWithFile(2, 'ABC'), letter(5));
        const { items, errors } = await follow(client, { fetch: 'full' }, cursor);
        assert.deepEqual(errors, []);
        assert.deepEqual(
          items.map(({ item }) => [item.subject, item.text?.trim()]),
          [
            ['m2', 'see the file'],
            ['m5', 'text 5'],
          ],
        );
      } finally {
        closeConnections();
        await server.close();
      }
    });
  }

  // RFC 3501 section 7.4.2 lets a server tell of a message in several answers, which name it by its position alone.
  it('the first look takes what is told by position in halves for one message', () =>
    withScript(
      [
        'C: FETCH 1:* …',
        'S: * 1 FETCH (UID 1 RFC822.SIZE 99)',
        'S: * 1 FETCH (INTERNALDATE "28-Nov-2026 10:00:00 +0000" ' +
          'ENVELOPE (NIL "m1" (("Ann" NIL "ann" "a.test")) NIL NIL NIL NIL NIL NIL "<id1@a.test>"))',
        'S: $ OK done',
      ].join('\n'),
      async (client, server) => {
        const { cursor } = await client.since('messageReceived', {});
        server.messages.push(letter(2));
        assert.deepEqual(
          (await follow(client, {}, cursor)).items.map(({ item }) => item.subject),
          ['m2'],
        );
      },
      { uidNext: null },
    ));

  // A server may tell of one message in several answers (RFC 3501 section 7.4.2 asks for none): some do when the parts
  // come from different stores.
  it('a row in two halves is one row', async () => {
    const halves =
      'C: UID FETCH 2 (UID FLAGS …\nS: * 2 FETCH (UID 2 FLAGS () RFC822.SIZE 99 INTERNALDATE "28-Nov-2026 10:00:00 +0000")\n' +
      `S: * 2 FETCH (UID 2 ENVELOPE ${letter(2).envelope})\nS: * 2 FETCH (UID 2 BODYSTRUCTURE ${letter(2).structure})\nS: $ OK done\n` +
      'C: UID FETCH 2 (UID BODY.PEEK[HEADER]…\nS: * 2 FETCH (UID 2 BODY[1] "the text")\nS: * 2 FETCH (UID 2 BODY[HEADER] "Subject: m2")\nS: $ OK done';
    const server = await startImap(halves, { messages: [letter(1), letter(2)] });
    try {
      const message = (await accountOf(server).call('message.get', { message: idOf(2) })) as Message;
      assert.deepEqual([message.subject, message.text, message.from?.email], ['m2', 'the text', 'ann@a.test']);
    } finally {
      closeConnections();
      await server.close();
    }
  });
});
