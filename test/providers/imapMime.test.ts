import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import libbase64 from 'libbase64';
import libmime from 'libmime';
import libqp from 'libqp';
import { connect, providerById, type Client } from '../../shared/index.js';
import { decodingLibraries } from '../../shared/providers/imap/libraries.js';
import { rawText, textOf } from '../../shared/providers/imap/mime/charset.js';
import { dateOf } from '../../shared/providers/imap/mime/dates.js';
import { headerFields, readableText, structured, words } from '../../shared/providers/imap/mime/decode.js';
import { fill, type ImapMessage } from '../../shared/providers/imap/messages/content.js';
import { cleanName, outline } from '../../shared/providers/imap/mime/structure.js';
import { takenApart } from '../../shared/providers/imap/mime/parse.js';
import { decoded, decodeStream, encodingName, unquote } from '../../shared/providers/imap/mime/transfer.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';
import { CASES, checkCase, checkNearly, FOLDER, NEARLY, readInbox } from './mailCases.js';

const USER = 'u0@test.local';
const part = (more: object) => ({ part: '1', type: 'text/plain', size: 0, encoding: '7bit', inline: false, ...more });

describe('IMAP: what is read of one message', () => {
  before(decodingLibraries);

  it('is no structure with half a type in it, or with nothing in a message that has more than a header', () => {
    for (const type of ['/', 'text/', '/plain']) assert.equal(outline({ type, size: 1 } as never), undefined, type);
    const empty = { type: 'text/plain', size: 0 } as never;
    assert.equal(outline(empty, { size: 500 })?.texts.length, 1);
    assert.equal(outline(empty, { size: 5000 }), undefined);
    assert.equal(
      outline({ type: 'multipart/mixed', childNodes: [empty] } as never, { size: 500 }),
      undefined,
      'it does not even tell its boundary',
    );
  });
  it('says so where the server did not send a text', () => {
    const read = (size: number, came: Map<string, Buffer>) => {
      const message: ImapMessage = { id: '1', to: [], native: {}, folder: 'INBOX' };
      fill(message, outline({ type: 'text/plain', size } as never)!, { uid: 1, parts: came });
      return message;
    };
    assert.match(read(5, new Map()).error!, /was asked for a text of this message \(part 1\) and did not send it/);
    assert.equal(read(0, new Map()).error, undefined, 'there is none');
    const { error, text } = read(5, new Map([['1', Buffer.from('hello')]]));
    assert.deepEqual([error, text], [undefined, 'hello']);
  });
  it('names files by their last part, and by nothing that leads out of a folder', () => {
    for (const [given, name] of [
      ['../../etc/passwd', 'passwd'],
      ['C:\\dir\\a.pdf', 'a.pdf'],
      ['/etc/', 'unnamed'],
      ['..', 'unnamed'],
      ['a/..', 'unnamed'],
      ['a\0b.pdf', 'a b.pdf'],
      ['', 'unnamed'],
      ['.profile', '.profile'],
    ] as const)
      assert.equal(cleanName(given), name, given);
    assert.equal(cleanName(`${'x'.repeat(400)}.pdf`), `${'x'.repeat(251)}.pdf`);
  });
  it('is so many header fields, encoded words in so many characters, and parts of some depth and number', () => {
    assert.equal(headerFields(Buffer.from('A: b\r\n'.repeat(6000))).length, 5000);
    const word = '=?utf-8?q?=C3=BC?=';
    const long = `${word} ${'a '.repeat(50_000)}`;
    assert.equal(words(`${long}${word} ${word}`), `ü ${'a '.repeat(50_000)}${word} ${word}`);
    let boundaries = 0;
    const leaf = { type: 'text/plain', size: 1 };
    const multipart = (childNodes: object[]) => ({
      type: 'multipart/mixed',
      parameters: { boundary: `b${boundaries++}` },
      childNodes,
    });
    const deep = (depth: number) => {
      let node: object = leaf;
      for (let i = 0; i < depth; i++) node = multipart([node]);
      return node;
    };
    assert.equal(outline(deep(50) as never)?.texts.length, 1);
    assert.equal(outline(deep(51) as never), undefined);
    assert.equal(outline(multipart(Array.from({ length: 1000 }, () => leaf)) as never)?.texts.length, 1000);
    assert.equal(outline(multipart(Array.from({ length: 1002 }, () => leaf)) as never), undefined);
    assert.equal(
      outline(multipart([leaf, multipart([])]) as never),
      undefined,
      'a multipart without parts was misread',
    );
  });
});

describe('IMAP: messages that are taken apart here', () => {
  before(decodingLibraries);

  it('have the text of a multipart that falls into no parts, at the top and within', async () => {
    const read = async (lines: string[]) => {
      const { shape, bytes } = await takenApart([Buffer.from(lines.join('\r\n'))]);
      return shape.texts.map(one => [
        one.type,
        one.size,
        Buffer.concat(bytes.get(one.part) ?? [])
          .toString()
          .trim(),
      ]);
    };
    const [first, ...others] = await read([
      'Subject: x',
      'Content-Type: multipart/mixed; boundary=b',
      '',
      'No boundary',
      'anywhere.',
      '',
    ]);
    assert.deepEqual([first![0], first![2], others], ['text/plain', 'No boundary\r\nanywhere.', []]);
    assert.equal(first![1], 'No boundary\r\nanywhere.\r\n'.length, 'the size is that of the text');
    const within = await read([
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: multipart/alternative; boundary=c',
      '',
      'Nor here.',
      '--b',
      '',
      'One part.',
      '--b',
      'Content-Type: multipart/mixed; boundary=d',
      '',
      'The last.',
      '--b--',
      'Afterwards.',
      '',
    ]);
    assert.deepEqual(
      within.map(([type, , text]) => [type, text]),
      [
        ['text/plain', 'Nor here.'],
        ['text/plain', 'One part.'],
        ['text/plain', 'The last.'],
      ],
    );
  });
});

describe('IMAP: charsets', () => {
  before(decodingLibraries);

  // Made by Python 3.11's codecs: label, text, bytes.
  for (const [label, text, bytes] of JSON.parse(readFileSync(join(FOLDER, 'charsets.json'), 'utf8')) as [
    string,
    string,
    string,
  ][]) {
    it(`reads ${text.slice(0, 12)} in ${label}`, () => assert.equal(textOf(Buffer.from(bytes, 'base64'), label), text));
  }

  it('believes the sender who says UTF-8, and guesses only where nothing is said', () => {
    const bad = Buffer.concat([Buffer.from('Grüße aus Köln '), Buffer.from([0xe4]), Buffer.from(' — 日本語 €')]);
    assert.equal(textOf(bad, 'utf-8'), 'Grüße aus Köln \ufffd — 日本語 €');
    assert.equal(textOf(Buffer.from('Grüße und Küsse', 'latin1'), 'utf-8'), 'Grüße und Küsse', 'none of it is UTF-8');
    assert.equal(textOf(Buffer.from('Grüße', 'latin1'), undefined), 'Grüße');
    assert.equal(textOf(Buffer.from('Grüße'), undefined), 'Grüße');
    assert.equal(textOf(Buffer.from('Grüße', 'latin1'), 'us-ascii'), 'Grüße');
    assert.equal(textOf(Buffer.from([0xe4]), 'no-such-charset'), 'ä');
    assert.equal(textOf(bad, 'utf-8').split('\ufffd').length, 2);
    assert.equal(textOf(Buffer.from('ok'), 'utf-8'), 'ok', 'a failure leaves nothing behind');
  });
  it('keeps the characters of UTF-8 beside much that is none, such as a footer that was decoded with the text', () => {
    assert.match(
      textOf(Buffer.concat([Buffer.from('Grüße an alle'), Buffer.from('99a88a5e', 'hex')]), 'utf-8'),
      /^Grüße an alle\ufffd/,
    );
  });
  it('reads what an HTML text says of itself where nothing else does', () => {
    const html = (charset: string | undefined, bytes: Buffer, more: object = {}) =>
      readableText(part({ type: 'text/html', ...(charset ? { charset } : {}), ...more }), Buffer.from(bytes));
    const meta = Buffer.from('<head><meta http-equiv="Content-Type" content="text/html; charset=koi8-r"></head>');
    const russian = Buffer.from([0xf0, 0xd2, 0xc9]);
    const all = Buffer.concat([meta, russian]);
    assert.match(html(undefined, all), /При$/);
    assert.match(html('us-ascii', all), /При$/);
    assert.match(html('windows-1251', all), /рТЙ$/, 'the header comes first');
    assert.match(html(undefined, Buffer.concat([meta, Buffer.from('При')])), /При$/, 'what is UTF-8 is that');
    assert.match(html(undefined, all, { type: 'text/plain' }), /ðÒÉ$/);
  });
  it('joins lines that flow as RFC 3676 has it, line by line', () => {
    const byLine = (text: string, delSp: boolean) =>
      text
        .split('\n')
        .map(line => line.replace(/^ /, ''))
        .map(line => {
          const flows = line.endsWith(' ') && line !== '-- ' && !line.startsWith('>');
          return flows ? line.slice(0, delSp ? -1 : undefined) : `${line}\n`;
        })
        .join('')
        .replace(/\n$/, '');
    const line = fc.constantFrom('', ' ', '  ', 'a', 'a ', ' a ', '-- ', ' -- ', '- ', '--', '> a ', '>', ' > ', 'ä€ ');
    const charset = fc.constantFrom('utf-8', 'utf-16le');
    fc.assert(
      fc.property(fc.array(line), fc.boolean(), charset, (lines, delSp, name) => {
        const text = lines.join('\n');
        const bytes = Buffer.from(text.replaceAll('\n', '\r\n'), name === 'utf-8' ? 'utf8' : 'utf16le');
        const read = readableText(part({ type: 'text/plain', charset: name, flowed: true, delSp }), bytes);
        assert.equal(read, byLine(text, delSp));
      }),
      { numRuns: 2_000 },
    );
  });
  it('never splits a character where a long text is cut', () => {
    for (const [label, encoded] of [
      ['utf-8', Buffer.from('aü日😀')],
      ['utf-16le', Buffer.from('aü日😀', 'utf16le')],
      ['shift_jis', Buffer.from([0x93, 0xfa, 0x96, 0x7b])],
      ['gb18030', Buffer.from([0xd6, 0xd0, 0x81, 0x30, 0x81, 0x30])],
    ] as const) {
      const whole = textOf(encoded, label);
      for (let i = 0; i <= encoded.length; i++)
        assert.ok(whole.startsWith(textOf(encoded.subarray(0, i), label, true)), `${label} cut at ${i}`);
    }
    assert.equal(
      readableText(part({ encoding: 'quoted-printable', charset: 'utf-8' }), Buffer.from('gr=C3=BC=C3'), true),
      'grü',
    );
    assert.equal(
      readableText(part({ encoding: 'quoted-printable', charset: 'utf-8' }), Buffer.from('gr=C3=BC='), true),
      'grü',
    );
    assert.equal(
      readableText(part({ encoding: 'quoted-printable', charset: 'utf-8' }), Buffer.from('gr=C3=BC=C'), true),
      'grü',
      'half an escape is no text',
    );
    assert.equal(
      readableText(part({ encoding: '7bit', charset: 'utf-8' }), Buffer.from('1 + 1 ='), true),
      '1 + 1 =',
      'where nothing is escaped it is',
    );
    assert.equal(
      readableText(
        part({ encoding: 'base64', charset: 'utf-8' }),
        Buffer.from(Buffer.from('grüü').toString('base64').slice(0, 6)),
        true,
      ),
      'grü',
    );
  });
  it('never throws, whatever the bytes and the label', () => {
    const labels = [
      'utf-8',
      'iso-2022-jp',
      'iso-2022-kr',
      'hz',
      'utf-7',
      'utf-16',
      'utf-32',
      'cp437',
      'gb18030',
      'x-mac-greek',
      'big5',
      'euc-jp',
    ];
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.oneof(fc.constantFrom(...labels), fc.string()),
        fc.boolean(),
        (bytes, label, cut) => {
          assert.equal(typeof textOf(bytes, label, cut), 'string');
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('IMAP: transfer encodings', () => {
  before(decodingLibraries);
  const streamed = async (source: Buffer, encoding: string, step: number) => {
    const pieces: Buffer[] = [];
    const source_ = (async function* () {
      for (let i = 0; i < source.length; i += step) yield Buffer.from(source.subarray(i, i + step));
    })();
    for await (const piece of decodeStream(source_, encoding)) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  };

  it('of several padded blocks, and with rubbish between', async () => {
    for (const [source, right] of [
      ['AAECAw==\r\nBAUGBw==\r\nCAkKCw==', '000102030405060708090a0b'],
      ['QUJD!?\r\n REVG*', '414243444546'],
      ['QUI=\r\nQw==', '414243'],
      ['QUJDRA', '41424344'],
      ['====', ''],
      ['QQ', '41'],
    ] as const) {
      assert.equal(decoded(Buffer.from(source), 'base64').toString('hex'), right, source);
      for (const step of [1, 2, 3, 5, 100])
        assert.equal(
          (await streamed(Buffer.from(source), 'base64', step)).toString('hex'),
          right,
          `${source} in steps of ${step}`,
        );
    }
  });
  it('of base64 as libbase64 reads it, in one piece and as it comes', async () => {
    const piece = fc.constantFrom(
      'QUJD',
      'QQ==',
      'QUI=',
      '\r\n',
      ' ',
      '!',
      '=',
      'Q',
      'AAECAw',
      '\x80',
      '\0',
      '-',
      '_',
      '+/',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 10 }), fc.integer({ min: 1, max: 9 }), async (pieces, step) => {
        const source = Buffer.from(pieces.join(''), 'latin1');
        const right = libbase64.decode(source.toString('latin1').replace(/[^A-Za-z0-9+/=]+/g, ''));
        assert.deepEqual(decoded(Buffer.from(source), 'base64'), right);
        assert.deepEqual(await streamed(source, 'base64', step), right);
      }),
      { numRuns: 1000 },
    );
  });
  it('of uuencode, in one piece and as it comes', async () => {
    // Made by Python 3.11's binascii.b2a_uu.
    const source = Buffer.from("see below\r\nbegin 644 a.txt\r\n,2&5L;&\\L('=O<FQD\r\n!(0  \r\n`\r\nend\r\nmore\r\n");
    const right = 'Hello, world!';
    assert.equal(decoded(Buffer.from(source), 'uuencode').toString(), right);
    for (const step of [1, 7, 1000]) assert.equal((await streamed(source, 'uuencode', step)).toString(), right);
    assert.equal(decoded(Buffer.from('no uuencode'), 'uuencode').toString(), 'no uuencode');
    assert.equal((await streamed(Buffer.from('no uuencode'), 'uuencode', 3)).toString(), 'no uuencode');
    for (const name of ['x-uuencode', 'uuencode', 'X-UUE', 'x-uu'])
      assert.equal(encodingName(name), name === 'x-uu' ? 'uuencode' : 'uuencode');
  });
  it('of quoted-printable as libqp reads it, bad escapes and soft breaks at the end among them', () => {
    const piece = fc.constantFrom(
      'a',
      ' ',
      '=',
      '=3D',
      '=\r\n',
      '=\n',
      '=C3=BC',
      '=c3',
      '=XY',
      '\r\n',
      '= \r\n',
      '=\t\n',
      'ü',
      '=4',
      '==',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), pieces => {
        // The library also takes blanks away that end a line without an escape; what a text ends its lines with is left
        // as it is here.
        const source = pieces
          .join('')
          .replace(/(?<!=)[ \t]+(?=\r?\n|$)/g, '')
          .replace(/[ \t]+$/, '');
        // Nor is an escape put together that a soft break divides, which the library does and no standard allows.
        fc.pre(
          !/=[0-9a-f]?(?:=[ \t]*\r?\n)+/i.test(
            source.replace(/=[0-9a-f]{2}/gi, 'x').replace(/(?<![=])=[ \t]*\r?\n(?![0-9a-f])/gi, ''),
          ),
        );
        assert.equal(
          unquote(Buffer.from(source)).toString('latin1'),
          libqp.decode(Buffer.from(source)).toString('latin1'),
          JSON.stringify(source),
        );
      }),
      { numRuns: 3000 },
    );
  });
  it('by the names programs give them', () => {
    for (const [said, name] of [
      ['Base64', 'base64'],
      ['base64;', 'base64'],
      ['base-64', 'base64'],
      ['"base64"', 'base64'],
      ['quoted-printable (x)', 'quoted-printable'],
      [undefined, '7bit'],
      ['8BIT', '8bit'],
      ['x-uuencoded', 'uuencode'],
      ['quoted printable', 'quoted-printable'],
      ['Quoted_Printable', 'quoted-printable'],
      ['base64, base64', 'base64'],
    ] as const) {
      assert.equal(encodingName(said), name);
    }
  });
});

describe('IMAP: header fields', () => {
  before(decodingLibraries);

  it('decodes encoded words as libmime does', () => {
    const word = fc
      .tuple(
        fc.constantFrom('utf-8', 'UTF-8', 'iso-8859-1', 'windows-1251', 'utf-8*en'),
        fc.constantFrom('B', 'q'),
        fc.constantFrom('ü', 'a b', 'Я', '=?', ''),
      )
      .map(
        ([charset, encoding, text]) =>
          `=?${charset}?${encoding}?${encoding === 'B' ? Buffer.from(text).toString('base64') : [...Buffer.from(text)].map(b => `=${b.toString(16).padStart(2, '0')}`).join('')}?=`,
      );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(word, fc.constantFrom(' ', 'x', '  ', '=?', '?=', '_', '=?utf-8?Q?', 'ü')), { maxLength: 8 }),
        pieces => {
          const value = pieces.join('');
          // The library reads ISO-8859-1 as such, and everybody else as windows-1252, of which it is a part.
          assert.equal(words(value), libmime.decodeWords(value).replace(/[\p{Cc}]+/gu, ' '), value);
        },
      ),
      { numRuns: 2000 },
    );
  });
  it('reads a plain header as it reads any other', () => {
    const piece = fc.constantFrom(
      'Subject',
      'a b',
      ':',
      ': ',
      '\r\n',
      '\n',
      '\r',
      ' ',
      '\t',
      '\r\n ',
      '\n\t',
      'x',
      '=?utf-8?q?=C3=BC?=',
      '\u0001',
      '"',
      'To:',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), fc.boolean(), (pieces, raw) => {
        const text = `${pieces.join('')}\r\n`;
        // One field that is no ASCII, and all of them go the long way.
        const long = headerFields(Buffer.from(`${text}X-Last: ü\r\n`), { raw });
        assert.deepEqual(headerFields(Buffer.from(text), { raw }), long.slice(0, -1), JSON.stringify(text));
      }),
      { numRuns: 2000 },
    );
  });
  it('reads a date as it is usually written as it reads any other', () => {
    const digits = (from: number, to: number, least = 2) =>
      fc.integer({ min: from, max: to }).map(n => String(n).padStart(least, '0'));
    const month = fc.constantFrom(
      'Jan',
      'Feb',
      'Mar',
      'Apr',
      'May',
      'Jun',
      'Jul',
      'Aug',
      'Sep',
      'Oct',
      'Nov',
      'Dec',
      'dec',
      'Foo',
    );
    const zone = fc.tuple(fc.constantFrom('+', '-'), digits(0, 26), digits(0, 62)).map(one => one.join(''));
    fc.assert(
      fc.property(
        fc.constantFrom('Mon', 'Tue', 'Xyz'),
        digits(0, 32, 1),
        month,
        digits(1880, 2110, 4),
        digits(0, 25),
        digits(0, 61),
        digits(0, 61),
        zone,
        (day, date, name, year, hour, minute, second, offset) => {
          const text = `${day}, ${date} ${name} ${year} ${hour}:${minute}:${second} ${offset}`;
          // With a comment it goes the long way.
          assert.deepEqual(dateOf(text), dateOf(`${text} (zone)`), text);
        },
      ),
      { numRuns: 5000 },
    );
  });
  it('reads a single encoded word as the library does, which reads several', () => {
    const plain = fc.string({ unit: fc.constantFrom('a', ' ', '"', '?', 'ü', '\t', '<'), maxLength: 6 });
    const charset = fc.constantFrom('utf-8', 'UTF-8', 'iso-8859-1', 'iso-2022-jp', 'utf-7', 'x-none', 'utf-8*en');
    const inner = fc.string({
      unit: fc.constantFrom('a', '_', '=C3', '=BC', '=', '+', 'AOQ', '/', '-', '?'),
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        plain,
        charset,
        fc.constantFrom('q', 'Q', 'b'),
        inner,
        plain,
        (before, name, encoding, text, after) => {
          const value = `${before}=?${name}?${encoding}?${text}?=${after}`;
          assert.equal(words(`${value} x =?utf-8?q?z?=`), `${words(`${value} x `)}z`);
        },
      ),
      { numRuns: 2000 },
    );
  });
  it('decodes words of charsets that shift each for itself', () => {
    assert.equal(words('=?ISO-2022-JP?B?GyRCOzNFRBsoQg==?= =?ISO-2022-JP?B?GyRCQkBPOhsoQg==?='), '山田太郎');
    assert.equal(
      words('=?ISO-2022-JP?B?GyRCOzNFRA==?= =?ISO-2022-JP?B?YWJj?='),
      '山田abc',
      'the first one forgot to shift back',
    );
    assert.equal(words('a =?utf-8?q?=C3=BC?= =?iso-2022-jp?B?GyRCOzNFRBsoQg==?= =?utf-8?q?=C3=BC?= b'), 'a ü山田ü b');
    assert.equal(words('=?hz-gb-2312?Q?~{VPND~}?='), '中文');
    assert.equal(words('=?utf-7?Q?+AOQ-?= =?utf-7?Q?+APY-?='), 'äö');
    // What a word holds is not read a second time.
    assert.equal(
      words(`=?iso-2022-jp?B?${Buffer.from('=?utf-8?q?=C3=BC?=').toString('base64')}?=`),
      '=?utf-8?q?=C3=BC?=',
    );
  });
  it('gives one line, whatever was encoded', () => {
    assert.equal(words('=?UTF-8?B?SW52b2ljZSA3CkJjYzogZXZlQGV2aWwuZXhhbXBsZQ==?='), 'Invoice 7 Bcc: eve@evil.example');
    assert.equal(words('=?utf-8?q?a=0D=0Ab=E2=80=A8c=00d?='), 'a b c d');
    assert.equal(words('a\r\nb'), 'a b');
  });
  it('reads each raw field for itself: UTF-8, else windows-1252', () => {
    const header = Buffer.concat([
      Buffer.from('Subject: Grüße\r\n'),
      Buffer.from('X-Note: März\r\n\t\x80\r\n', 'latin1'),
      Buffer.from('To: a@b.c\r\n'),
    ]);
    assert.deepEqual(headerFields(header), [
      { name: 'Subject', value: 'Grüße' },
      { name: 'X-Note', value: 'März €' },
      { name: 'To', value: 'a@b.c' },
    ]);
    assert.deepEqual(
      headerFields(Buffer.from('Received: x\r\n\ufeffFrom: a@b.c\r\nTo: \ufeffä\r\n')).map(({ name }) => name),
      ['Received', 'From', 'To'],
      'a server put a field before the mark',
    );
    assert.equal(rawText(Buffer.from([0x8c, 0xea]), 'shift_jis'), '語');
    assert.equal(
      rawText(Buffer.from('Grüße', 'latin1'), 'utf-8'),
      'Grüße',
      "what is no UTF-8 is not written in the body's",
    );
    const damaged = Buffer.concat([
      Buffer.from('Grüße aus Köln '),
      Buffer.from([0xe2, 0x80]),
      Buffer.from(' — 日本語 €'),
    ]);
    assert.equal(
      rawText(damaged),
      'Grüße aus Köln \ufffd — 日本語 €',
      'a character cut in two is no reason to misread the others',
    );
    assert.equal(rawText(damaged, 'utf-8'), 'Grüße aus Köln \ufffd — 日本語 €');
    assert.equal(rawText(Buffer.from('\ufeffGrüße')), 'Grüße', 'a mark of the byte order is no text');
    assert.equal(rawText(Buffer.from('\x1b$B;3ED\x1b(B <a@b.c>')), '山田 <a@b.c>');
    assert.equal(rawText(Buffer.from('\x1b$B is no shift')), '\x1b$B is no shift', 'without its end it is not');
  });
  it('reads parameters as libmime does, and where the semicolon is missing', () => {
    assert.deepEqual(structured('text/html charset=utf-8'), { value: 'text/html', params: { charset: 'utf-8' } });
    assert.deepEqual(structured('multipart/mixed; boundary="bnd1'), {
      value: 'multipart/mixed',
      params: { boundary: 'bnd1' },
    });
    assert.deepEqual(structured('multipart/mixed;; boundary=b;').params.boundary, 'b');
    assert.deepEqual(structured("attachment; filename*0*=utf-8''%C3%9Cber; filename*1=sicht.pdf").params, {
      filename: 'Übersicht.pdf',
    });
    assert.deepEqual(structured('a/b; name="=?iso-2022-jp?B?GyRCOzNFRBsoQg==?="').params, { name: '山田' });
    assert.equal(structured('a/b; __proto__=x; constructor=y').value, 'a/b');
  });
  it('reads dates in UTC where no zone is said, whatever the zone of the machine', () => {
    for (const [text, right] of [
      ['Mon, 02 Nov 2026 10:00:00', '2026-11-02T10:00:00.000Z'],
      ['Mon, 02 Nov 2026 10:00:00 +0100 (CET)', '2026-11-02T09:00:00.000Z'],
      ['2 Nov 26 10:00 EST', '2026-11-02T15:00:00.000Z'],
      ['2 Nov 126 10:00 PDT', '2026-11-02T17:00:00.000Z'],
      ['2 Nov 99 10:00 Z', '1999-11-02T10:00:00.000Z'],
      ['Mon Nov  2 10:00:00 2026', '2026-11-02T10:00:00.000Z'],
      ['2026-11-02 10:00:00', '2026-11-02T10:00:00.000Z'],
      ['Mon,2 Nov 2026 10:00:00 GMT+0100', '2026-11-02T09:00:00.000Z'],
      ['November 2, 2026 10:00 PM', '2026-11-02T22:00:00.000Z'],
      ['Mon, 2 Nov 2026 10:00:00 A', '2026-11-02T10:00:00.000Z'],
      ['Mon, 2 Nov 2026 10:00:00 GMT+2', '2026-11-02T08:00:00.000Z'],
      ['Nov 2, 2026 at 10:00 AM', '2026-11-02T10:00:00.000Z'],
      // Blanks and comments may stand between all tokens (RFC 5322 section 4.3); offsets of three digits, quotes and
      // slashes are not allowed, and come.
      ['Mon, 2 Nov 2026 10 : 00 : 00 +0100', '2026-11-02T09:00:00.000Z'],
      ['Mon (x), 02 (y) Nov (z) 2026 10 (h) :00:00 (w) +0100', '2026-11-02T09:00:00.000Z'],
      ['Mon, 2 Nov 2026 10:00:00 +100', '2026-11-02T09:00:00.000Z'],
      ['Mon, 2 Nov 2026 10:00:00 -0330', '2026-11-02T13:30:00.000Z'],
      ['"Mon, 2 Nov 2026 10:00:00 +0100"', '2026-11-02T09:00:00.000Z'],
      ['2026/11/02 10:00:00', '2026-11-02T10:00:00.000Z'],
      ['Mo, 2. November 2026 10:00', '2026-11-02T10:00:00.000Z'],
      ['31 Feb 2026 10:00:00 +0000', undefined],
      ['Mon, 2 Nov 2026 25:00:00 +0000', undefined],
      ['Mon, 2 Nov 2026 10:00:00 +9999', undefined],
      ['tomorrow', undefined],
      ['', undefined],
    ] as const)
      assert.equal(dateOf(text)?.toISOString(), right, text);
  });
});

describe('IMAP: mails as people get them', () => {
  for (const quirks of [{}, { placeholders: true, structure: true }]) {
    describe(quirks.structure ? 'from a server that reads as Dovecot does' : 'from the embedded server', () => {
      let mail: Mail;
      let client: Client;
      let inbox: Awaited<ReturnType<typeof readInbox>>;
      before(async () => {
        mail = await startMail({ imap: { quirks } });
        client = connect(providerById('imap')!, accountOf(mail));
        for (const { source } of CASES) mail.deliver(USER, source);
        inbox = await readInbox(client);
      });
      after(async () => {
        closeConnections();
        await mail.close();
      });

      for (const [i, { name, check }] of CASES.entries()) {
        it(`${name} reads right in list, get and feed`, () => checkCase(client, check, inbox.listed[i], inbox.fed[i]));
      }
    });
    it(`reads as other programs read it what is nearly right${quirks.structure ? ', from a server that reads as Dovecot does' : ''}`, async () => {
      const mail = await startMail({ imap: { quirks } });
      const client = connect(providerById('imap')!, accountOf(mail));
      const names = Object.keys(NEARLY);
      try {
        for (const name of names) mail.deliver(USER, NEARLY[name]!.source);
        const { listed, fed } = await readInbox(client);
        for (const [i, name] of names.entries()) await checkNearly(client, name, listed[i], fed[i]);
      } finally {
        closeConnections();
        await mail.close();
      }
    });
  }
});
