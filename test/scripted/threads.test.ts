import assert from 'node:assert/strict';
import { take, type MailError, type Message } from '../../shared/index.js';
import { letter, type ScriptedMessage } from './mail.js';
import { follow, idOf, withScript } from './with.js';

type Any = any;
const PLAIN = 'IMAP4rev1 UIDPLUS NAMESPACE ID IDLE';
/** A letter that names others in its header. */
function answer(
  uid: number,
  { references = [], inReplyTo, subject = `m${uid}` }: { references?: number[]; inReplyTo?: number; subject?: string },
): ScriptedMessage {
  const id = (n: number) => `<id${n}@a.test>`;
  const plain = letter(uid, { subject });
  const header = plain.parts
    .HEADER!.replace(
      /\r\n\r\n$/,
      `\r\n${references.length ? `References: ${references.map(id).join('\r\n ')}\r\n` : ''}` +
        `${inReplyTo ? `In-Reply-To: ${id(inReplyTo)}\r\n` : ''}\r\n`,
    )
    .replace(/10:00:00 \+0000/, `10:00:${String(uid).padStart(2, '0')} +0000`);
  const envelope = plain.envelope
    .replace(/NIL "<id/, `${inReplyTo ? `"${id(inReplyTo)}"` : 'NIL'} "<id`)
    .replace('10:00:00', `10:00:${String(uid).padStart(2, '0')}`);
  return { ...plain, envelope, parts: { ...plain.parts, HEADER: header } };
}
/** Two threads and a stranger; the second thread names its messages by In-Reply-To alone, as some programs do. */
const mails = () => [
  answer(1, {}),
  answer(2, { references: [1], inReplyTo: 1 }),
  answer(3, {}),
  answer(4, { references: [1, 2], inReplyTo: 2 }),
  answer(5, {}),
  answer(6, { inReplyTo: 5 }),
  answer(7, { inReplyTo: 6 }),
];
const subjects = (thread: Any) => thread.messages.map((one: Any) => one.subject);
const threadOf = (client: Any, input: Record<string, unknown>): Promise<Any> => client.call('thread.get', input);

describe('IMAP transcripts: threads', () => {
  // https://developers.google.com/workspace/gmail/imap/imap-extensions
  it('Gmail names the thread, and all mail is looked through', () =>
    withScript(
      [
        'C: LIST "" "*"…',
        'S: * LIST (\\HasNoChildren) "/" INBOX',
        'S: * LIST (\\All \\HasNoChildren) "/" "[Gmail]/All Mail"',
        'S: $ OK done',
        'C: UID FETCH 2 (UID FLAGS …',
        'S: * 2 FETCH (X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 X-GM-LABELS () UID 2 FLAGS () RFC822.SIZE 30 ' +
          'INTERNALDATE "28-Nov-2026 10:00:00 +0000" ENVELOPE ("Sat, 28 Nov 2026 10:00:00 +0000" "m2" (("Ann" NIL "ann" "a.test")) NIL NIL NIL NIL NIL NIL "<id2@a.test>") ' +
          'BODYSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 8 1) BODY[HEADER]<0> {2}\\x0d\\x0a\\x0d\\x0a)',
        'S: $ OK done',
        'C: UID SEARCH X-GM-THRID 1266894439832287888',
        'S: * SEARCH 2 4',
        'S: $ OK done',
      ].join('\n'),
      async (client, server) => {
        const thread = await threadOf(client, { message: idOf(2) });
        assert.deepEqual(
          [thread.id, thread.native.method, subjects(thread)],
          ['1266894439832287888', 'X-GM-THRID', ['m2', 'm4']],
        );
        assert.ok(thread.messages.every((one: Any) => one.thread === thread.id));
        assert.ok(server.log.some(line => /^C: EXAMINE "\[Gmail\]\/All Mail"/.test(line)));
        assert.deepEqual(subjects(await threadOf(client, { thread: thread.id })), ['m2', 'm4']);
      },
      { messages: mails(), capabilities: `${PLAIN} X-GM-EXT-1 SPECIAL-USE` },
    ));

  // RFC 8474 sections 5.2 and 6: the example of the RFC itself.
  it('OBJECTID names the thread', () =>
    withScript(
      [
        'C: UID FETCH 2 (UID FLAGS …',
        'S: * 2 FETCH (UID 2 EMAILID (M5fdc09b49ea703) THREADID (T11863d02dd95b5) FLAGS () RFC822.SIZE 30 INTERNALDATE "28-Nov-2026 10:00:00 +0000" ' +
          'ENVELOPE (NIL "m2" (("Ann" NIL "ann" "a.test")) NIL NIL NIL NIL NIL NIL "<id2@a.test>") BODYSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 8 1) BODY[HEADER]<0> {2}\\x0d\\x0a\\x0d\\x0a)',
        'S: $ OK done',
        'C: UID SEARCH THREADID T11863d02dd95b5',
        'S: * SEARCH 1 2',
        'S: $ OK done',
      ].join('\n'),
      async client => {
        const thread = await threadOf(client, { message: idOf(2) });
        assert.deepEqual(
          [thread.id, thread.native.method, subjects(thread)],
          ['T11863d02dd95b5', 'THREADID', ['m2', 'm1']],
        );
      },
      { messages: mails().slice(0, 3), capabilities: `${PLAIN} OBJECTID` },
    ));

  // RFC 8474 section 5.2: NIL where the server has no threads.
  it('a server with OBJECTID that names no threads is asked for ids', () =>
    withScript(
      `C: UID SEARCH OR …\nS: * SEARCH 1 2 4\nS: $ OK done`,
      async client => {
        const thread = await threadOf(client, { message: idOf(4) });
        assert.deepEqual(
          [thread.id, thread.native.method, subjects(thread)],
          ['<id1@a.test>', 'References', ['m1', 'm2', 'm4']],
        );
      },
      { messages: mails(), capabilities: `${PLAIN} OBJECTID` },
    ));

  // RFC 5256 section 4: the thread of the example, and a deeper one than the library's parser takes at most.
  it('the server threads by itself', () =>
    withScript(
      'C: UID THREAD REFERENCES UTF-8 ALL\nS: * THREAD (1 (2)(4))(3)(5 6 7)\nS: $ OK done',
      async client => {
        const thread = await threadOf(client, { message: idOf(2) });
        assert.deepEqual(
          [thread.id, thread.native.method, subjects(thread)],
          ['<id1@a.test>', 'THREAD=REFERENCES', ['m1', 'm2', 'm4']],
        );
        assert.deepEqual(subjects(await threadOf(client, { message: idOf(6) })), ['m5', 'm6', 'm7']);
      },
      { messages: mails(), capabilities: `${PLAIN} THREAD=ORDEREDSUBJECT THREAD=REFERENCES` },
    ));
  // Gmail: https://github.com/pimalaya/himalaya/issues/544; Stalwart:
  // https://github.com/stalwartlabs/stalwart/issues/1865
  it('a THREAD that is refused, or nested beyond reason, leaves the ids', async () => {
    for (const answered of [
      'S: $ NO [CANNOT] not now',
      'S: $ BAD unknown command',
      `S: * THREAD ${'('.repeat(60)}1${')'.repeat(60)}\nS: $ OK done`,
    ]) {
      await withScript(
        `C: UID THREAD …\n${answered}\nC: UID SEARCH OR …\nS: * SEARCH 1 2 4\nS: $ OK done`,
        async client => {
          const thread = await threadOf(client, { message: idOf(2) });
          assert.deepEqual(subjects(thread), ['m1', 'm2', 'm4'], answered);
        },
        { messages: mails(), capabilities: `${PLAIN} THREAD=REFERENCES` },
      );
    }
  });

  // RFC 5322 section 3.6.4: an answer need not name more than its parent.
  it('ids that answers bring are looked for in their turn', () =>
    withScript(
      [
        'C: UID SEARCH OR …id7@a.test…',
        'S: * SEARCH 6 7',
        'S: $ OK done',
        'C: UID SEARCH OR …id5@a.test…',
        'S: * SEARCH 5 6',
        'S: $ OK done',
        'C: UID SEARCH OR …',
        'S: * SEARCH',
        'S: $ OK done',
      ].join('\n'),
      async client => {
        const thread = await threadOf(client, { message: idOf(7) });
        assert.deepEqual([thread.id, subjects(thread)], ['<id5@a.test>', ['m5', 'm6', 'm7']]);
      },
      { messages: mails(), capabilities: PLAIN },
    ));
  // RFC 3501 section 6.4.4: HEADER finds a string anywhere in the field.
  it('what a server finds by words alone is left out', () =>
    withScript(
      'C: UID SEARCH OR …\nS: * SEARCH 1 2 3 4 5\nS: $ OK done',
      async client => {
        assert.deepEqual(subjects(await threadOf(client, { message: idOf(1) })), ['m1', 'm2', 'm4']);
      },
      { messages: mails(), capabilities: PLAIN },
    ));
  it('a copy in another folder is told once, and named beside it', () =>
    withScript(
      'C: UID SEARCH OR …\nS: * SEARCH 1 2\nS: $ OK done',
      async client => {
        const thread = await threadOf(client, { message: idOf(1), folders: ['Sent'] });
        assert.deepEqual(
          thread.messages.map((one: Any) => [one.id, one.native.copies]),
          [
            [idOf(1), ['Sent;UIDVALIDITY=7;UID=1']],
            [idOf(2), ['Sent;UIDVALIDITY=7;UID=2']],
          ],
        );
      },
      { messages: mails(), capabilities: PLAIN },
    ));
  // RFC 5530 section 3: NOPERM
  it('a folder that cannot be read is told, and holds up no other', () =>
    withScript(
      'C: EXAMINE Sent…\nS: $ NO [NOPERM] not for you\nC: UID SEARCH OR …\nS: * SEARCH 1 2\nS: $ OK done',
      async client => {
        const thread = await threadOf(client, { message: idOf(1), folders: ['Sent'] });
        assert.deepEqual(
          [subjects(thread), thread.native.problems.map((one: Any) => one.folder)],
          [['m1', 'm2'], ['Sent']],
        );
      },
      { messages: mails(), capabilities: PLAIN },
    ));

  it('nothing to look for is refused before anything is sent; what is not there is not_found', () =>
    withScript(
      'C: UID SEARCH …\nS: * SEARCH\nS: $ OK done',
      async client => {
        for (const input of [{}, { thread: 'T1) LOGOUT (' }])
          await assert.rejects(threadOf(client, input), (error: MailError) => error.code === 'invalid_input');
        await assert.rejects(threadOf(client, { thread: 'T1' }), (error: MailError) => error.code === 'unsupported');
        await assert.rejects(
          threadOf(client, { thread: '<nobody@a.test>' }),
          (error: MailError) => error.code === 'not_found',
        );
        await assert.rejects(threadOf(client, { message: idOf(99) }), (error: MailError) => error.code === 'not_found');
      },
      { messages: mails(), capabilities: PLAIN },
    ));

  it('every message names its thread, its own id and what it answers', () =>
    withScript(
      '',
      async (client, server) => {
        const named = (one: Any) => [one.messageId, one.inReplyTo, one.thread];
        const [newest] = await take(client.call('message.list', {}) as AsyncIterable<Message>);
        // As far as the list goes back.
        assert.deepEqual(named(newest), ['<id7@a.test>', '<id6@a.test>', '<id5@a.test>']);
        assert.deepEqual(named(await client.call('message.get', { message: idOf(4) })), [
          '<id4@a.test>',
          '<id2@a.test>',
          '<id1@a.test>',
        ]);
        const { cursor } = await client.since('messageReceived', {});
        server.messages.push(answer(8, { references: [1, 2, 4], inReplyTo: 4 }));
        const { items } = await follow(client, {}, cursor);
        assert.deepEqual(
          items.map(({ item }) => named(item)),
          [['<id8@a.test>', '<id4@a.test>', '<id1@a.test>']],
        );
      },
      { messages: mails(), capabilities: PLAIN },
    ));
});
