import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { connect, providerById, readMail } from '../../shared/index.js';
import { decodingLibraries } from '../../shared/providers/imap/libraries.js';
import { readableText, words } from '../../shared/providers/imap/mime/decode.js';
import { takeApart } from '../../shared/providers/imap/messages/whole.js';
import type { ImapMessage } from '../../shared/providers/imap/messages/content.js';
import { dotStuffing } from '../../shared/providers/imap/wire/dotStuffing.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startMail } from '../sandbox/mail.js';
import { filled, mail, MB, MIXED, nested, part, within as withinSize } from './hostileMail.js';
import { accountOf } from './imapAccount.js';

const SAFE = /only its source can be had/;

/** What somebody made on purpose, and the words it is set aside with; `undefined` where it is read. */
const KINDS: Record<string, [source: () => Buffer, said: RegExp | undefined]> = {
  'thirty multiparts round a text of short lines': [
    () => nested(30, part('Content-Type: text/plain', filled('a\r\n', 9 * MB))),
    undefined,
  ],
  'five hundred multiparts in each other': [
    () => nested(500, part('Content-Type: text/plain', Buffer.from('x'))),
    /parts within parts, more than 50 deep/,
  ],
  'a hundred thousand tiny parts': [() => mail([MIXED], filled('--b\r\n\r\nx\r\n', 9 * MB)), /more than 1000 parts/],
  'parts that all have the same boundary': [() => mail([MIXED], filled(`--b\r\n${MIXED}\r\n\r\n`, 9 * MB)), SAFE],
  'nothing but blank lines': [() => mail([], filled('\n', 9 * MB)), /more than 4 million lines/],
  'nothing but blank lines of a part': [() => mail([MIXED], '--b\r\n\r\n', filled('\r\n', 7 * MB)), undefined],
  'header fields by the hundred thousand': [
    () => mail([filled('A: b\r\n', 9 * MB).toString()]),
    /header in it has more than 512 KB or 8192 lines/,
  ],
  'header fields by the ten thousand': [
    () => mail([filled('A: b\r\n', MB / 4).toString()], 'x'),
    /more than 512 KB or 8192 lines/,
  ],
  'header fields by the thousand': [() => mail([filled('A: b\r\n', 30_000).toString().trimEnd()], 'x'), undefined],
  'one header field that goes on and on': [
    () => mail(['X: y', filled(' a\r\n', 24_000).toString().trimEnd()], 'x'),
    undefined,
  ],
  'one long line': [() => mail([], filled('a', 9 * MB)), undefined],
  'lines of delimiters that are none': [() => mail([MIXED], filled('--bb\r\n', 9 * MB)), undefined],
  'a boundary of a hundred kilobytes': [
    () =>
      mail(
        [`Content-Type: multipart/mixed; boundary="${'b'.repeat(100_000)}"`],
        filled(`--${'b'.repeat(99_999)}\r\n`, 9 * MB),
      ),
    undefined,
  ],
  'parameters by the thousand': [
    () => mail([`Content-Type: text/plain${filled('; a*0*=x', MB / 4).toString()}`], 'x'),
    undefined,
  ],
  'opening brackets': [
    () =>
      mail(
        [`Content-Type: text/plain${'('.repeat(100_000)}`, `Content-Transfer-Encoding: ${'('.repeat(100_000)}`],
        'x',
      ),
    undefined,
  ],
  'files with parameters by the thousand': [
    () =>
      mail(
        [MIXED],
        ...Array.from({ length: 500 }, () => [
          '--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment',
          filled(';\r\n a*0*=x', 12_000),
          '\r\n\r\nx\r\n',
        ]).flat(),
      ),
    /headers in it have more than 2 MB/,
  ],
  'messages within messages': [
    () => {
      let inner: Buffer = Buffer.from('x');
      for (let i = 0; i < 300; i++) inner = part('Content-Type: message/rfc822', inner);
      return mail(['Content-Type: message/rfc822'], inner);
    },
    undefined,
  ],
  'escapes without end': [() => mail(['Content-Transfer-Encoding: quoted-printable'], filled('=', 9 * MB)), undefined],
  'blanks in quoted-printable': [
    () => mail(['Content-Transfer-Encoding: quoted-printable'], filled('=    ', 5 * MB), filled(' ', 4 * MB), '='),
    undefined,
  ],
  'padding without end': [() => mail(['Content-Transfer-Encoding: base64'], filled('QQ==', 9 * MB)), undefined],
  'a file of padding': [
    () => mail(['Content-Disposition: attachment', 'Content-Transfer-Encoding: base64'], filled('QQ==', 9 * MB)),
    undefined,
  ],
  'a file of uuencode': [
    () =>
      mail(
        ['Content-Disposition: attachment', 'Content-Transfer-Encoding: x-uuencode'],
        'begin 644 a\n',
        filled('!\n', 5 * MB),
      ),
    undefined,
  ],
};
/** Texts within the bounds of a text, by what they cost most. */
const TEXTS: [name: string, encoding: string, charset: string, piece: string][] = [
  ['flowed', '7bit', 'utf-8; flowed', 'a \n'],
  ['flowed blanks', '7bit', 'utf-8; flowed', ' \n'],
  ['escapes', '7bit', 'iso-2022-jp', '\x1b$B\x1b(B'],
  ['shifts', '7bit', 'hz', '~{~}'],
  ['base 64 of base 64', '7bit', 'utf-7', '+AOQ-'],
  ['bad bytes', '8bit', 'utf-8', '\xe4'],
  ['pairs', '8bit', 'gb18030', '\x81\x30'],
  ['carriage returns', '7bit', 'utf-8', '\r'],
];

/** What a busy machine adds is none of the mail's doing, and the mail is here already. */
const within = (what: string, task: () => Promise<unknown> | unknown) => withinSize(what, 0, task);

describe('IMAP: hostile mail', function () {
  this.timeout(300_000);
  before(decodingLibraries);

  for (const [name, [source, said]] of Object.entries(KINDS)) {
    it(`costs little: ${name}`, async () => {
      const bytes = source();
      let message!: ImapMessage;
      await within(name, () => takeApart([bytes], (message = { id: '1', to: [], native: {}, folder: 'INBOX' })));
      if (said) assert.match(message.error ?? '', said);
      else assert.equal(message.error, undefined);
      if (said) assert.match(message.error!, SAFE);
    });
  }
  for (const [name, encoding, charset, piece] of TEXTS) {
    it(`costs little: a text of ${name}`, async () => {
      const bytes = filled(piece, 2 * MB);
      const [label, flowed] = charset.split('; ');
      const whole = {
        part: '1',
        type: 'text/plain',
        size: bytes.length,
        encoding,
        inline: false,
        charset: label!,
        flowed: !!flowed,
      };
      await within(name, () => readableText(whole, Buffer.from(bytes), true));
    });
  }
  it('unpacks nothing: a file that would become a gigabyte is given as it came, and so is a text that says it is packed', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * MB));
    const packed = bomb.toString('base64').replace(/.{76}/g, '$&\r\n');
    const types = [
      'application/gzip; name=a.gz',
      'application/zip; name=a.zip',
      'application/pkcs7-mime; smime-type=compressed-data; name=a.p7z',
      'application/ms-tnef; name=winmail.dat',
      'text/plain; name=a.txt\r\nContent-Encoding: gzip\r\nContent-Disposition: attachment',
    ];
    for (const type of types) {
      const bytes = mail(
        [MIXED, 'Content-Encoding: gzip'],
        '--b\r\n\r\nhello\r\n',
        `--b\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${packed}\r\n--b--\r\n`,
      );
      await within(type, async () => {
        const { text, attachments = [] } = await readMail(bytes);
        const got: Uint8Array[] = [];
        for await (const one of await attachments[0]!.content!.open()) got.push(one as Uint8Array);
        assert.ok(Buffer.concat(got).equals(bomb), type);
        assert.equal(text?.trim(), 'hello');
      });
    }
  });
  it('costs little: bare line ends by the million on their way out', async () => {
    for (const piece of ['\n', '\r', '.\n', 'a\r\n']) {
      const source = filled(piece, 8 * MB);
      await within(JSON.stringify(piece), () => dotStuffing()(source));
    }
  });
  it('costs little: encoded words by the ten thousand', async () => {
    for (const piece of [
      '=?utf-8?q?a?= ',
      '=?utf-8?b?w7w=?=',
      '=?iso-2022-jp?B?GyRCOzNFRBsoQg==?= ',
      '=?',
      '=?utf-8?q?',
      '?= =?',
      '=?a?b?c?=',
      ' =?utf-8?q?=?=',
      '=?utf-7?q?+AOQ-?= \t',
    ]) {
      await within(piece, () => words(piece.repeat(500_000 / piece.length)));
    }
  });

  it('is set aside by list, get and feed, and what stands beside it flows on, after a restart too', async () => {
    type Any = any;
    const mail_ = await startMail();
    const open = () => connect(providerById('imap')!, accountOf(mail_));
    const filter = { folders: ['INBOX'] };
    try {
      const text = part('Content-Type: text/plain', filled('a\r\n', 3 * MB));
      mail_.deliver('u0@test.local', mail(['Message-ID: <1@x>'], 'first'));
      // A structure of megabytes, and more words than are read of one message.
      mail_.deliver('u0@test.local', mail(['Message-ID: <2@x>', MIXED], filled('--b\r\n\r\nx\r\n', 260_000)));
      mail_.deliver(
        'u0@test.local',
        mail(
          ['Message-ID: <3@x>', MIXED],
          ...Array.from({ length: 4 }, () => ['--b\r\n', text, '\r\n']).flat(),
          '--b--\r\n',
        ),
      );
      mail_.deliver('u0@test.local', mail(['Message-ID: <4@x>'], 'last'));
      const listed: Any[] = [];
      for await (const one of open().call('message.list', {}) as AsyncIterable<Any>) listed.unshift(one);
      assert.equal(listed.length, 4);
      assert.equal(listed[1].native.bodyStructure, undefined, 'a structure of megabytes is not read');
      assert.match(
        ((await open().call('message.get', { message: listed[1].id })) as Any).error,
        /more than 1000 parts/,
      );
      const long: Any = await open().call('message.get', { message: listed[2].id });
      assert.equal(long.native.textCut, true);
      assert.ok(long.text.length < 4 * MB, `${long.text.length} characters`);
      let at = await open().from('messageReceived', filter, '2020-01-01T00:00:00Z');
      const fed: Any[] = [];
      for (let more = true; more;) {
        const batch: Any = await open().since('messageReceived', filter, at);
        fed.push(...batch.items.map((one: Any) => one.item));
        ({ cursor: at, more } = batch);
        closeConnections();
      }
      assert.deepEqual(
        fed.map(one => one.text?.slice(0, 5) ?? one.error.slice(0, 23)),
        ['first', 'The message is not read', 'a\na\na', 'last'],
      );
      assert.deepEqual(
        ((await open().since('messageReceived', filter, at)) as Any).items,
        [],
        'nothing is read a second time',
      );
    } finally {
      closeConnections();
      await mail_.close();
    }
  });
});
