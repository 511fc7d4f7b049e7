import assert from 'node:assert/strict';
import { connect, providerById, type Client } from '../../shared/index.js';
import { decodingLibraries } from '../../shared/providers/imap/libraries.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { addressesIn, addressOf } from '../../shared/providers/imap/mime/address.js';
import { envelopeOf } from '../../shared/providers/imap/wire/fetch.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

type Any = any;
const USER = 'u0@test.local';
const mailOf = (fields: string[]) =>
  Buffer.from(
    [
      'To: Bob <bob@b.example>',
      'Date: Mon, 02 Nov 2026 10:00:00 +0100',
      'Message-ID: <3@a.example>',
      'Subject: Test',
      ...fields,
      '',
      'hello',
      '',
    ].join('\r\n'),
  );

/**
 * Senders as people and programs write them, with the address that is meant. The first is the commonest of real ones.
 */
const SENDERS: [string, { email: string; name?: string } | undefined][] = [
  [
    'From: Shop Newsletter, Team <service@shop.example>',
    { email: 'service@shop.example', name: 'Shop Newsletter, Team' },
  ],
  ['From: Account team ,_<no-reply@shop.example>', { email: 'no-reply@shop.example', name: 'Account team, _' }],
  ['From: root (Cron Daemon)', undefined],
  ['From: MAILER-DAEMON', undefined],
  ['From: <>', undefined],
  ['From: nobody, Ann <ann@a.example>, Carl <carl@c.example>', { email: 'ann@a.example', name: 'nobody, Ann' }],
  [
    'From: =?utf-8?Q?M=C3=BCller,_Shop?=, Team <service@shop.example>',
    { email: 'service@shop.example', name: 'Müller, Shop, Team' },
  ],
  ['From: Ann <ann@a.example,carl@c.example>', { email: 'ann@a.example', name: 'Ann' }],
  ['From: Ann <ann@a.example>', { email: 'ann@a.example', name: 'Ann' }],
];

describe('IMAP: addresses', () => {
  before(decodingLibraries);
  after(closeConnections);

  it('reads fields to a length and a number of members, and no further', () => {
    const far = (blanks: number) =>
      addressesIn(`Ann <ann@a.example>, ${' '.repeat(blanks)}Bob <bob@b.example>`).map(({ address }) => address);
    assert.deepEqual(far(90_000), ['ann@a.example', 'bob@b.example']);
    assert.deepEqual(far(100_000), ['ann@a.example']);
    const many = (members: number) =>
      addressesIn(Array.from({ length: members }, (_, i) => `u${i}@a.example`).join(', ')).length;
    assert.deepEqual([many(4000), many(6000)], [4000, 5001]);
  });

  it('takes what servers put in the place of an address for none', () => {
    // Dovecot; UW IMAP and Panda (c-client's rfc822.c); Cyrus (message.c).
    for (const [mailbox, host] of [
      ['MISSING_MAILBOX', 'MISSING_DOMAIN'],
      ['root', 'MISSING_DOMAIN'],
      ['MISSING_MAILBOX', 'a.example'],
      ['ann', '.SYNTAX-ERROR.'],
      ['INVALID_ADDRESS', '.SYNTAX-ERROR.'],
      ['MISSING_MAILBOX_TERMINATOR', '.SYNTAX-ERROR.'],
      ['ann', '.MISSING-HOST-NAME.'],
      ['UNEXPECTED_DATA_AFTER_ADDRESS', '.SYNTAX-ERROR.'],
      ['ann', 'unspecified-domain'],
      ['ann', ''],
      ['', 'a.example'],
      ['mailto', 'SYNTAX_ERROR'],
      ['j', 'SYNTAX_ERROR'],
      ['j', 'syntax_error'],
      ['ann', 'NO_SUCH_DOMAIN'],
      ['ann', '.NO-HOST.'],
    ] as const) {
      assert.equal(addressOf(mailbox, host), undefined, `${mailbox}@${host}`);
    }
    assert.equal(addressOf('ann', 'a.example'), 'ann@a.example');
    assert.equal(addressOf('missing', 'domain.example'), 'missing@domain.example');
    for (const host of ['app_server', 'LOCALHOST', 'A_B.EXAMPLE', 'MAIL-1'])
      assert.equal(addressOf('root', host), `root@${host}`, 'a host of a network at home');
  });

  it('reads a header field as the field defines it', () => {
    const read = (value: string) => addressesIn(value).map(({ name, address }) => `${name}|${address}`);
    assert.deepEqual(read('Friends: Ann <ann@a.example>, "B, C" <b@b.example>;, d@d.example'), [
      'Ann|ann@a.example',
      'B, C|b@b.example',
      '|d@d.example',
    ]);
    assert.deepEqual(read('undisclosed-recipients:;'), []);
    assert.deepEqual(read('a@a.example (Ann (the first))'), ['Ann (the first)|a@a.example']);
    assert.deepEqual(read('=?utf-8?Q?Ann_<eve@evil.example>,?= <ann@a.example>'), [
      'Ann <eve@evil.example>,|ann@a.example',
    ]);
    assert.deepEqual(read('"eve@evil.example" <ann@a.example>'), ['eve@evil.example|ann@a.example']);
    assert.deepEqual(read('Ann <ann@a.example,bob@b.example>, <d@d.example>'), [
      'Ann|ann@a.example',
      'Ann|bob@b.example',
      '|d@d.example',
    ]);
    assert.deepEqual(read('Ann <Miller,ann@a.example>, "a,b" <"a,b"@c.example>'), ['Ann|', 'a,b|"a,b"@c.example']);
    assert.deepEqual(read('Ann <ann@müller.example>'), ['Ann|ann@müller.example']);
  });

  it('reads a field of any length in bounded time', () => {
    for (const piece of ['a,', '(', '"', '<', ':', 'a:', ';', '"a" ', 'a@', '=?utf-8?q?,?= ', '\\']) {
      const begun = process.cpuUsage();
      addressesIn(piece.repeat(250_000 / piece.length));
      assert.ok(process.cpuUsage(begun).user < 1_500_000, `${piece} took ${process.cpuUsage(begun).user / 1000} ms`);
    }
  });

  for (const quirks of [{}, { placeholders: true }]) {
    describe(`from a server that ${quirks.placeholders ? 'answers as Dovecot does' : 'leaves the half of an address empty'}`, () => {
      let mail: Mail;
      let client: Client;
      before(async () => {
        mail = await startMail({ imap: { quirks } });
        client = connect(providerById('imap')!, accountOf(mail));
        for (const [line] of SENDERS) mail.deliver(USER, mailOf([line]));
      });
      after(async () => {
        closeConnections();
        await mail.close();
      });

      it('names the first real sender in list, get and feed', async () => {
        const listed: Any[] = [];
        for await (const one of client.call('message.list', {}) as AsyncIterable<Any>) listed.unshift(one);
        const cursor = await client.from('messageReceived', { folders: ['INBOX'] }, '2020-01-01T00:00:00Z');
        const fed: Any[] = [];
        for (let at = cursor, more = true; more;) {
          const batch: Any = await client.since('messageReceived', { folders: ['INBOX'], fetch: 'envelope' }, at);
          fed.push(...batch.items.map((one: Any) => one.item));
          at = batch.cursor;
          more = batch.more;
        }
        for (const [i, [line, right]] of SENDERS.entries()) {
          const got = (await client.call('message.get', { message: listed[i].id })) as Any;
          for (const [how, { from, native }] of Object.entries({ list: listed[i], get: got, feed: fed[i] })) {
            assert.deepEqual(from, right, `${how}: ${line}`);
            assert.doesNotMatch(JSON.stringify(native.envelope), /MISSING_/, how);
          }
        }
      });

      it('answers the real sender, or says that nobody can be answered', async () => {
        const ids: string[] = [];
        for await (const one of client.call('message.list', {}) as AsyncIterable<Any>) ids.unshift(one.id);
        const answer = (i: number) =>
          client.call('message.reply', { message: ids[i]!, text: 'x', saveToSent: 'no' }) as Promise<Any>;
        const asked = await answer(0).then(
          (receipt: Any) => receipt.native.accepted as string[],
          (error: Error) => error.message,
        );
        assert.match(String(asked), /service@shop\.example/);
        await assert.rejects(answer(2), /does not say whom to answer/);
      });
    });
  }

  it('reads the same from ENVELOPE and from the header', () => {
    const atom = (value: string | null) => (value === null ? null : { type: 'STRING' as const, value });
    const person = (...[name, mailbox, host]: (string | null)[]) => [name!, null, mailbox!, host!].map(atom);
    for (const [list, header] of [
      [[person('Ann', 'ann', 'a.example')], 'Ann <ann@a.example>'],
      [
        [
          person(null, 'Friends', null),
          person('Ann', 'ann', 'a.example'),
          person(null, null, null),
          person(null, 'd', 'd.example'),
        ],
        'Friends: Ann <ann@a.example>;, d@d.example',
      ],
      [
        [person('=?utf-8?Q?M=C3=BCller?=', 'm', 'a.example'), person('C, D', 'c', 'c.example')],
        '=?utf-8?Q?M=C3=BCller?= <m@a.example>, "C, D" <c@c.example>',
      ],
    ] as const) {
      const { to } = envelopeOf([null, null, null, null, null, list as Any, null, null, null, null]);
      assert.deepEqual(
        to!.filter(one => one.address),
        addressesIn(header),
      );
    }
  });
});
