import assert from 'node:assert/strict';
import fc from 'fast-check';
import PostalMime from 'postal-mime';
import { inspection, readReceived, readResults, readTags } from '../../extension/mail/inspection.js';
import { inspectMail } from '../../shared/index.js';
import { HOSTILE, within } from '../providers/hostileMail.js';

const lines = (...given: string[]): Buffer => Buffer.from(given.join('\r\n'));
const looked = async (bytes: Uint8Array) => inspection(await inspectMail(bytes), 'en-GB');
/** RFC 8601 appendix B.5 and the Received fields of RFC 5321 appendix D.3, with times of their own. */
const LETTER = lines(
  'Authentication-Results: example.com;',
  '          dkim=pass (good signature) header.d=newyork.example.com;',
  '          auth=pass (cram-md5) smtp.auth=sender@newyork.example.com;',
  '          spf=fail smtp.mailfrom=example.com',
  'Received: from mail-router.example.com',
  '              (mail-router.example.com [192.0.2.1])',
  '          by server.example.com (8.11.6/8.11.6)',
  '              with ESMTP id i7PK0sH7021929;',
  '          Fri, Feb 15 2002 17:19:22 -0800',
  'Received-SPF: Pass (mybox.example.org: domain of',
  '    myname@example.com designates 192.0.2.1 as permitted sender)',
  '    receiver=mybox.example.org; client-ip=192.0.2.1;',
  'Received: from newyork.example.com',
  '              (newyork.example.com [192.0.2.250])',
  '          by mail-router.example.com (8.11.6/8.11.6)',
  '              with ESMTP id i7PK0sH7021929;',
  '          Fri, Feb 15 2002 17:19:07 -0800',
  'DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;',
  '      c=simple/simple; q=dns/txt; i=joe@football.example.com;',
  '      h=Received : From : To : Subject : Date : Message-ID;',
  '      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB',
  'From: =?utf-8?q?Gr=C3=A1ce?= <grace@example.com>',
  'To: ann@example.com',
  'Subject: Parts',
  'Date: Fri, 15 Feb 2002 17:19:00 -0800',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: multipart/alternative; boundary=a',
  '',
  '--a',
  '',
  'text',
  '--a',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<p>html',
  '--a--',
  '--b',
  'Content-Type: message/rfc822',
  '',
  'Subject: inner',
  '',
  'words',
  '--b',
  'Content-Type: application/pdf; name="a\u202e.pdf"',
  'Content-Transfer-Encoding: base64',
  'Content-Disposition: attachment',
  '',
  'QUJD',
  '--b--',
  '',
);

describe('a message as a developer looks at it', () => {
  it('its headers are those that another parser reads, in their order', async () => {
    const other = await PostalMime.parse(LETTER);
    const own = await inspectMail(LETTER);
    assert.deepEqual(
      own.headers.map(({ name }) => name.toLowerCase()),
      other.headers.map(({ key }) => key),
    );
    assert.equal(own.headers.find(({ name }) => name === 'From')!.value, 'Gráce <grace@example.com>');
    const flat = (text: string) => text.replace(/\s+/g, ' ');
    for (const name of ['received', 'dkim-signature', 'authentication-results']) {
      assert.deepEqual(
        own.headers.filter(one => one.name.toLowerCase() === name).map(({ value }) => flat(value)),
        other.headers.filter(one => one.key === name).map(({ value }) => flat(value)),
      );
    }
  });
  it('its parts stand as they are nested, with type, name and size; an embedded message is one, and no name turns letters around', async () => {
    assert.deepEqual(
      (await looked(LETTER)).parts.map(({ depth, type, name, size }) => [depth, type, name, size]),
      [
        [0, 'multipart/mixed', '', undefined],
        [1, 'multipart/alternative', '', undefined],
        [2, 'text/plain', '', 4],
        [2, 'text/html', '', 7],
        [1, 'message/rfc822', '', 23],
        [1, 'application/pdf', 'a.pdf', 4],
      ],
    );
  });
  it('its way is told from the first server to the last, with what each took', async () => {
    assert.deepEqual(
      (await looked(LETTER)).hops.map(({ from, by, with: how, delay }) => [from, by, how, delay]),
      [
        [
          'newyork.example.com (newyork.example.com [192.0.2.250])',
          'mail-router.example.com (8.11.6/8.11.6)',
          'ESMTP',
          '',
        ],
        [
          'mail-router.example.com (mail-router.example.com [192.0.2.1])',
          'server.example.com (8.11.6/8.11.6)',
          'ESMTP',
          '15 s',
        ],
      ],
    );
  });
  for (const [what, header, sign] of [
    ['a list', 'List-Id: News <news.shop.example>', 'List-Id'],
    ['a precedence', 'Precedence: Bulk', 'Precedence'],
    ['a feedback loop', 'Feedback-ID: 1:2:shop:news', 'Feedback-ID'],
  ] as const) {
    it(`mail to many with ${what} and without List-Unsubscribe is told so`, async () => {
      const hintsWith = async (...headers: string[]) => (await looked(lines(...headers, 'Subject: a', '', ''))).hints;
      assert.match((await hintsWith(header)).join('|'), new RegExp(`^The header ${sign} .*List-Unsubscribe[^|]*$`));
      assert.equal((await hintsWith(header, 'List-Unsubscribe:')).length, 1, 'an empty field unsubscribes nobody');
      assert.deepEqual(await hintsWith(header, 'LIST-UNSUBSCRIBE: <mailto:off@shop.example>'), []);
    });
  }
  it('mail to one is told nothing of lists', async () => {
    assert.deepEqual((await looked(LETTER)).hints, []);
    assert.deepEqual((await looked(lines('Precedence: first-class', 'Subject: a', '', ''))).hints, []);
  });
  it('a clock that is ahead of the one before is said as such, and a field without a time takes no delay', async () => {
    const { hops } = await looked(
      lines(
        'Received: by c; Fri, 15 Feb 2002 20:00:00 +0000',
        'Received: by b; no time',
        'Received: by a2; Fri, 15 Feb 2002 17:59:00 +0000',
        'Received: by a; Fri, 15 Feb 2002 18:00:00 +0000 (UTC)',
        '',
        '',
      ),
    );
    assert.deepEqual(
      hops.map(({ by, delay }) => [by, delay]),
      [
        ['a', ''],
        ['a2', '60 s before the last'],
        ['b', ''],
        ['c', '2 h'],
      ],
    );
  });
  it('words in brackets begin no clause (RFC 5321 section 4.4)', () => {
    assert.deepEqual(
      readReceived(
        'from a.example (HELO by with for (nested from)) by b.example with LMTP id 1 for <x@y.example>; Fri, 15 Feb 2002 18:00:00 +0000',
      ).by,
      'b.example',
    );
    assert.deepEqual(readReceived('(qmail 123 invoked by uid 89); 15 Feb 2002 18:00:00 -0000'), {
      at: Date.UTC(2002, 1, 15, 18),
    });
  });
  it('what the headers say of the sender is told with who says it', async () => {
    assert.deepEqual(
      (await looked(LETTER)).claims.map(({ what, result, by }) => [what, result, by]),
      [
        ['DKIM', 'pass', 'example.com'],
        ['AUTH', 'pass', 'example.com'],
        ['SPF', 'fail', 'example.com'],
        ['SPF', 'pass', 'Received-SPF'],
        ['DKIM', 'signed', 'DKIM-Signature'],
      ],
    );
    assert.match(
      (await looked(LETTER)).claims.at(-1)!.of,
      /^domain example\.com, selector brisbane, rsa-sha256, headers Received, From, To/,
    );
  });
  // https://www.rfc-editor.org/rfc/rfc8601 appendix B.
  for (const [field, by, claims] of [
    ['example.org 1; none', 'example.org', []],
    ['example.com; spf=pass smtp.mailfrom=example.net', 'example.com', [['spf', 'pass']]],
    [
      "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462",
      'foo.example.net',
      [['dkim', 'fail']],
    ],
    [
      'x.example; dmarc=fail (p=REJECT; sp=NONE) reason="a; b" header.from=y.example; dkim=temperror',
      'x.example',
      [
        ['dmarc', 'fail'],
        ['dkim', 'temperror'],
      ],
    ],
    ['i=1; mx.google.com; dkim=pass header.i=@example.org', 'mx.google.com', [['dkim', 'pass']]],
  ] as const) {
    it(`reads ${field.slice(0, 50)}`, () => {
      const read = readResults(field);
      assert.deepEqual([read.by, read.claims.map(({ method, result }) => [method, result])], [by, claims]);
    });
  }
  it('reads any value of these fields without an error, and none for long', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[ ;="().a-z\\<>-]*$/)), value => {
        readReceived(value);
        readResults(value);
        readTags(value);
      }),
    );
    const began = process.cpuUsage().user;
    for (const piece of ['(', ')', ';', '"', 'by ', 'a=b;', 'from a by b(', '=', ' ']) {
      const long = piece.repeat(1_000_000);
      readReceived(long);
      readResults(long);
      readTags(long);
    }
    assert.ok(process.cpuUsage().user - began < 1_500_000);
  });
  it('is bounded: headers, parts, hops and claims, each to a length that a page bears', async () => {
    const many = (line: string) => Array.from({ length: 3_000 }, () => line);
    const read = await looked(
      lines(
        ...many(`Received: from ${'a'.repeat(50)} by b; Fri, 15 Feb 2002 18:00:00 +0000`).slice(0, 2_000),
        ...many('Authentication-Results: x; a=b; c=d; e=f').slice(0, 900),
        `X: ${'y'.repeat(100_000)}`,
        '',
        '',
      ),
    );
    assert.deepEqual([read.hops.length, read.claims.length, read.headers.length, read.more], [60, 60, 400, 2501]);
    assert.ok(read.headers.every(({ value }) => value.length <= 2_000));
  });
  for (const what of [
    'a thousand parts',
    'five hundred multiparts in each other',
    'tiny parts',
    'endless header fields',
    'an endless header field',
    'encoded words, two hundred kilobytes',
    'parameters (RFC 2231) of a thousand files',
    'messages within messages',
  ]) {
    it(`${what} cost no more to look into than to read`, async function () {
      this.timeout(60_000);
      const bytes = HOSTILE[what]!(1);
      // What is beyond reason is said in words.
      await within(what, 1, () =>
        looked(bytes).catch((error: Error) =>
          assert.match(error.message, /could not be taken apart: (?:a header|it has|the headers)/),
        ),
      );
    });
  }
});
