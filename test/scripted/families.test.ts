import assert from 'node:assert/strict';
import { fileOf, take, type Message, type Receipt } from '../../shared/index.js';
import { letter } from './mail.js';
import { follow, withScript } from './with.js';

const COURIER = 'IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE';
/** As Courier 5.0.13 answers once another client has expunged message 2 and EXPUNGE could not be told yet. */
const MADE_UP = {
  summary:
    '* 2 FETCH (UID 2 FLAGS () INTERNALDATE "28-Nov-2026 23:31:07 +0000" RFC822.SIZE 129 ENVELOPE (NIL "message unavailable" (("System Administrator" NIL "root" ' +
    '"localhost")) (("System Administrator" NIL "root" "localhost")) (("System Administrator" NIL "root" "localhost")) NIL NIL NIL NIL NIL) ' +
    'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "8bit" 52 1 NIL NIL NIL))',
  content:
    '* 2 FETCH (UID 2 BODY[HEADER]<0> {77}\\x0d\\x0aFrom: System Administrator <root@localhost>\\x0d\\x0aSubject: message unavailable\\x0d\\x0a\\x0d\\x0a ' +
    'BODY[1] {52}\\x0d\\x0aThis message is no longer available on the server.\\x0d\\x0a)',
};
const list = async (client: Parameters<Parameters<typeof withScript>[1]>[0], input = {}) =>
  take(client.call('message.list', input) as AsyncIterable<Message>);

describe('IMAP transcripts: families of servers', () => {
  // Courier and imap4d make up a UIDVALIDITY at each EXAMINE until somebody has SELECTed the folder.
  const moving = [1, 2, 3, 4, 5, 6].map(
    n =>
      `C 1x: EXAMINE INBOX\nS: * FLAGS (\\Seen)\nS: * 2 EXISTS\nS: * OK [UIDVALIDITY 79590860${n}] Ok\nS: * OK [UIDNEXT 3] Ok\nS: $ OK [READ-ONLY] Ok`,
  );
  it('a UIDVALIDITY that moves under EXAMINE is made to stay by SELECT, once, and nothing is marked', () =>
    withScript(
      [...moving.slice(0, 2), 'C 1x: SELECT INBOX\nS: <regular>'].join('\n'),
      async (client, server) => {
        const [newest] = await list(client);
        assert.equal(((await client.call('message.get', { message: newest!.id })) as Message).subject, 'm2');
        const { cursor } = await client.since('messageReceived', {});
        server.messages.push(letter(3));
        const { items, notes } = await follow(client, {}, cursor);
        assert.deepEqual([items.map(({ item }) => item.subject), notes], [['m3'], []]);
        assert.equal(server.heard('SELECT').length, 1);
        assert.equal(server.heard('UID STORE').length, 0);
      },
      { capabilities: COURIER, messages: [letter(1), letter(2)] },
    ));

  // GNU imap4d 3.15, seen on the wire: its UIDs move with it, so that those of the first EXAMINE name nothing after the
  // SELECT.
  it('UIDs that a server gave before its UIDVALIDITY stays are asked for again, and no message is missing from the list', () =>
    withScript(
      [
        ...moving.slice(0, 2),
        'C 1x: UID SEARCH ALL\nS: * SEARCH 8 9\nS: $ OK done',
        'C 1x: SELECT INBOX\nS: <regular>',
      ].join('\n'),
      async client => {
        assert.deepEqual(
          (await list(client)).map(({ subject }) => subject),
          ['m2', 'm1'],
        );
      },
      { capabilities: COURIER, messages: [letter(1), letter(2)] },
    ));

  // Both are seconds since 1970, Courier's without their billions, so that two EXAMINEs within a second are told the
  // same.
  for (const billions of [0, 1e9]) {
    it(`a UIDVALIDITY that is the time, ${billions ? 'without' : 'with'} its billions, is taken for one that moves`, () => {
      const now = Math.floor(Date.now() / 1000) - billions;
      const examine = (times: number, validity: number) =>
        `C ${times}x: EXAMINE INBOX\nS: * FLAGS (\\Seen)\nS: * 0 EXISTS\nS: * OK [UIDVALIDITY ${validity}] Ok\nS: * OK [UIDNEXT 1] Ok\nS: $ OK [READ-ONLY] Ok`;
      return withScript(
        [examine(2, now), 'C 1x: SELECT INBOX\nS: <regular>'].join('\n'),
        async (client, server) => {
          const { cursor } = await client.since('messageReceived', {});
          server.messages.push(letter(1));
          const { items, notes } = await follow(client, {}, cursor);
          assert.deepEqual([items.map(({ item }) => item.subject), notes], [['m1'], []]);
          assert.equal(server.heard('SELECT').length, 1);
        },
        { capabilities: COURIER, messages: [] },
      );
    });
  }

  // GNU imap4d 3.15, seen on the wire: what came since the folder was SELECTed gets another UID at each EXAMINE, and
  // UIDNEXT grows with it.
  it('UIDs of new messages that move under EXAMINE are made to stay by SELECT, each time something came', () => {
    const examine = (exists: number, next: number) =>
      [
        'C 1x: EXAMINE INBOX',
        'S: * FLAGS (\\Seen)',
        `S: * ${exists} EXISTS`,
        'S: * OK [UIDVALIDITY 77] Ok',
        `S: * OK [UIDNEXT ${next}] Ok`,
        'S: $ OK [READ-ONLY] Ok',
      ].join('\n');
    const search = (uids: string) => `C 1x: UID SEARCH ALL\nS: * SEARCH ${uids}\nS: $ OK done`;
    return withScript(
      [
        examine(1, 2),
        examine(1, 2),
        search('1'),
        examine(2, 3),
        search('1 2'),
        examine(2, 4),
        'C 1x: SELECT INBOX\nS: <regular>',
        examine(2, 5),
        search('1 4'),
      ].join('\n'),
      async (client, server) => {
        assert.deepEqual(
          (await list(client)).map(({ subject }) => subject),
          ['m1'],
        );
        server.messages.push(letter(4));
        await take(client.call('folder.list', {}) as AsyncIterable<unknown>);
        assert.deepEqual(
          (await list(client)).map(({ subject }) => subject),
          ['m4', 'm1'],
        );
        assert.deepEqual([server.heard('EXAMINE').length, server.heard('SELECT').length], [5, 1]);
      },
      { capabilities: 'IMAP4rev1 NAMESPACE ID IDLE LITERAL+ UNSELECT', messages: [letter(1)] },
    );
  });

  // GNU imap4d 3.15, seen on the wire: it takes the numbers of UID SEARCH UID for positions.
  it('a message that a search by its UID does not find is asked for before it is called missing', () =>
    withScript(
      'C: UID SEARCH UID …\nS: * SEARCH\nS: $ OK done',
      async (client, server) => {
        const id = 'INBOX;UIDVALIDITY=7;UID=';
        const { native } = (await client.call('message.mark', { messages: [`${id}4`, `${id}9`] })) as Receipt & {
          native: { results: { done: boolean; code?: string }[] };
        };
        assert.deepEqual(
          native.results.map(({ done, code }) => [done, code]),
          [
            [true, undefined],
            [false, 'not_found'],
          ],
        );
        assert.deepEqual(
          server.messages.map(({ uid, flags }) => [uid, flags.has('\\Seen')]),
          [
            [1, false],
            [4, true],
          ],
        );
      },
      { messages: [letter(1), letter(4)] },
    ));

  it('a folder that is created anew is made to stay once more', () =>
    withScript(
      ['C 2x: EXAMINE INBOX\nS: <regular>', ...moving.slice(0, 2), 'C: SELECT INBOX\nS: <regular>'].join('\n'),
      async (client, server) => {
        await list(client);
        assert.equal(server.heard('SELECT').length, 0);
        await client.since('messageReceived', {});
        const [newest] = await list(client);
        assert.equal(((await client.call('message.get', { message: newest!.id })) as Message).subject, 'm2');
        assert.equal(server.heard('SELECT').length, 1);
      },
      { capabilities: COURIER, messages: [letter(1), letter(2)] },
    ));

  // Xeams leaves it out: https://github.com/nextcloud/mail/issues/10199; others tell 0:
  // https://github.com/modern-email/defects/issues/52
  for (const uidValidity of [null, 0]) {
    it(`a UIDVALIDITY that is ${uidValidity ?? 'missing'} makes ids that work`, () =>
      withScript(
        '',
        async (client, server) => {
          const [first] = await list(client);
          assert.equal(((await client.call('message.get', { message: first!.id })) as Message).subject, 'm1');
          assert.equal(((await client.call('message.mark', { message: first!.id })) as Receipt).native.changed, 1);
          const { cursor } = await client.since('messageReceived', {});
          server.messages.push(letter(2));
          assert.deepEqual(
            (await follow(client, {}, cursor)).items.map(({ item }) => item.subject),
            ['m2'],
          );
        },
        { uidValidity },
      ));
  }

  // Courier: what it makes up for a message that is gone, seen as mail from root@localhost by everyone who takes it for
  // one.
  it('what Courier makes up for a message that is gone is no message, in a list', () =>
    withScript(
      `C 1x: UID FETCH 1:3 …\nS: ${MADE_UP.summary}\nS: <remove 2>\nS: <regular>`,
      async client => {
        assert.deepEqual(
          (await list(client)).map(one => one.subject),
          ['m3', 'm1'],
        );
      },
      { capabilities: COURIER, messages: [letter(1), letter(2), letter(3)] },
    ));
  it('nor in the feed', () =>
    withScript(
      `C 1x: UID FETCH 2:3 (UID FLAGS …\nS: ${MADE_UP.summary}\nS: <remove 2>\nS: <regular>`,
      async (client, server) => {
        const { cursor } = await client.since('messageReceived', {});
        server.messages.push(letter(2), letter(3));
        assert.deepEqual(
          (await follow(client, {}, cursor)).items.map(({ item }) => item.subject),
          ['m3'],
        );
      },
      { capabilities: COURIER },
    ));
  it('nor when the content of a message that was there a moment ago is fetched', () =>
    withScript(
      `C 1x: UID FETCH 2 (UID BODY.PEEK[HEADER]…\nS: ${MADE_UP.content}\nS: <remove 2>\nS: $ OK done`,
      async (client, server) => {
        const { cursor } = await client.since('messageReceived', {});
        server.messages.push(letter(2));
        assert.deepEqual((await follow(client, {}, cursor)).items, []);
      },
      { capabilities: COURIER },
    ));

  it('a mail that only says the same is one', () =>
    withScript(
      '',
      async client => {
        const [one] = await list(client);
        assert.equal(
          ((await client.call('message.get', { message: one!.id })) as Message).text?.trim(),
          'This message is no longer available on the server.',
        );
      },
      {
        messages: [
          letter(1, { subject: 'message unavailable', text: 'This message is no longer available on the server.' }),
        ],
      },
    ));

  // Exchange and Microsoft 365 know US-ASCII alone: https://github.com/jstedfast/MailKit/issues/808
  it('a search in letters the server does not know is asked without them and compared here', () =>
    withScript(
      'C: UID SEARCH CHARSET UTF-8 …\nS: $ NO [BADCHARSET (US-ASCII)] The specified charset is not supported.',
      async client => {
        assert.deepEqual(
          (await list(client, { subject: 'RÜCK' })).map(one => one.subject),
          ['Rückfrage'],
        );
        await assert.rejects(list(client, { text: 'Rück' }), { code: 'unsupported' });
      },
      { messages: [letter(1), letter(2, { subject: '=?utf-8?Q?R=C3=BCckfrage?=' }), letter(3)] },
    ));

  // Yahoo, https://github.com/iroco-co/aioimaplib/issues/126; QQ, https://github.com/MailCore/mailcore2/issues/667
  for (const said of [
    'BAD [CLIENTBUG] UID SEARCH Command arguments invalid',
    'BAD UID SEARCH invalid argument',
    'NO Unknown character set',
  ]) {
    it(`and so is one on a server that knows no CHARSET (${said})`, () =>
      withScript(
        `C: UID SEARCH CHARSET …\nS: $ ${said}`,
        async client => {
          assert.deepEqual(
            (await list(client, { subject: 'RÜCK', from: 'ann' })).map(one => one.subject),
            ['Rückfrage'],
          );
          await assert.rejects(list(client, { text: 'Rück' }), { code: 'unsupported' });
        },
        { messages: [letter(1), letter(2, { subject: '=?utf-8?Q?R=C3=BCckfrage?=' }), letter(3)] },
      ));
  }
  it('what is wrong with a search beside its letters is told', () =>
    withScript('C: UID SEARCH …\nS: $ BAD no such key', async client => {
      await assert.rejects(list(client, { subject: 'RÜCK', raw: 'NOSUCHKEY' }), {
        code: 'rejected',
        message: /no such key/,
      });
    }));

  // RFC 9051 section 7.1: the charsets a server names are those it knows.
  it('a search is asked in the charset that the server names', () =>
    withScript(
      [
        'C: UID SEARCH CHARSET UTF-8 …',
        'S: $ NO [BADCHARSET (US-ASCII KOI8-R ISO-8859-1)] unknown',
        'C: UID SEARCH CHARSET ISO-8859-1 …',
        'S: * SEARCH 2',
        'S: $ OK done',
      ].join('\n'),
      async (client, server) => {
        assert.deepEqual(
          (await list(client, { text: 'Rück' })).map(one => one.subject),
          ['m2'],
        );
        const [, asked] = server.heard('UID SEARCH CHARSET');
        assert.match(asked!, /^UID SEARCH CHARSET ISO-8859-1 TEXT \{4\}\r\nR\xfcck$/);
        // No charset of these has both letters.
        await assert.rejects(list(client, { text: 'ü Ж' }), { code: 'unsupported' });
      },
      { messages: [letter(1), letter(2), letter(3)] },
    ));

  // GNU imap4d 3.15, seen on the wire: UIDNEXT counts on with each EXAMINE, and what is copied then gets a lower UID.
  it('a copy whose UID is lower than the server foretold is found, and one that never came is an error', () => {
    const folder = (more: string) =>
      `C: STATUS Box …\nS: * STATUS Box (MESSAGES ${more} UIDNEXT 9 UIDVALIDITY 7)\nS: $ OK done`;
    const plain = {
      capabilities: 'IMAP4rev1 NAMESPACE ID IDLE',
      messages: [letter(1), letter(2), letter(3, { envelope: letter(1).envelope })],
    };
    const copy = (client: Parameters<Parameters<typeof withScript>[1]>[0]) =>
      client.call('message.copy', { message: 'INBOX;UIDVALIDITY=7;UID=1', target: 'Box' }) as Promise<Receipt>;
    return withScript(
      folder('2'),
      async client => {
        assert.equal((await copy(client)).id, 'Box;UIDVALIDITY=7;UID=3');
      },
      plain,
    ).then(() =>
      withScript(
        folder('3'),
        async client => {
          await assert.rejects(copy(client), { code: 'rejected' });
        },
        plain,
      ),
    );
  });

  // GNU imap4d 3.15, seen on the wire.
  it('a message that is gone is missing where the server refuses to tell of it, and one that is there keeps the refusal', () =>
    withScript(
      'C: UID FETCH <9> …\nS: $ BAD UID FETCH Failed to parse message set\nC: UID FETCH <2> …\nS: $ NO sorry',
      async client => {
        await assert.rejects(client.call('message.get', { message: 'INBOX;UIDVALIDITY=7;UID=9' }) as Promise<Message>, {
          code: 'not_found',
        });
        await assert.rejects(client.call('message.get', { message: 'INBOX;UIDVALIDITY=7;UID=2' }) as Promise<Message>, {
          code: 'rejected',
        });
      },
      { messages: [letter(1), letter(2)] },
    ));

  // RFC 4315 section 3: a server may leave them out, as where the target may not be read (NOPERM, UIDNOTSTICKY).
  // Proton's bridge does: https://github.com/ProtonMail/proton-bridge/issues/170
  it('a copy, a move and an upload without COPYUID and APPENDUID are done, and have no new id', () =>
    withScript(
      '',
      async client => {
        const [one, two] = await list(client);
        for (const [operation, message] of [
          ['message.copy', one!.id],
          ['message.move', two!.id],
        ] as const) {
          const { id, native } = (await client.call(operation, { message, target: 'Box' })) as Receipt;
          assert.equal((native.results as { done: boolean; newId?: string }[])[0]!.done, true);
          assert.equal((native.results as { newId?: string }[])[0]!.newId, undefined);
          assert.equal(id, undefined);
        }
        assert.equal(
          (
            (await client.call('message.append', {
              file: fileOf('m.eml', 'message/rfc822', Buffer.from('Subject: x\r\n\r\ny')),
            })) as Receipt
          ).id,
          undefined,
        );
      },
      { messages: [letter(1), letter(2)], capabilities: 'IMAP4rev1 UIDPLUS MOVE IDLE NAMESPACE ID' },
    ));
});
