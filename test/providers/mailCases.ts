import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../shared/index.js';

/*
 * Messages with the right value of each, for any server: what people got that programs made badly, and mail that is
 * nearly right.
 */

type Any = any;
export const FOLDER = join(__dirname, 'mail');
type Check = (mail: Any, content: (name: string) => Promise<Buffer>) => void | Promise<void>;

/** The right values, as the field has them. */
const RIGHT: Record<string, Check> = {
  '01-utf8-one-bad-byte': m => {
    assert.match(m.text, /^Grüße aus Köln, die Straße ist glatt \ufffd — 日本語 € Ende/);
  },
  '03-from-comma': m => assert.equal(m.from.email, 'service@shop.example'),
  '03b-from-comma-underscore': m => assert.equal(m.from.email, 'no-reply@shop.example'),
  '04-boundary-quote-not-closed': async (m, content) => {
    assert.equal(m.text, 'The text of the mail.');
    assert.equal(m.html, '<p>The text of the mail.</p>');
    assert.deepEqual(
      m.attachments.map((one: Any) => one.name),
      ['a.pdf'],
    );
    assert.equal((await content('a.pdf')).toString('hex'), '255044462d312e340a25c3a40a');
  },
  '05-iso-2022-jp-subject': m =>
    assert.deepEqual(
      [m.subject, m.from.name, m.text.trim()],
      ['会議の日程についてお知らせします', '山田太郎', '本文です。'],
    ),
  '06-subject-with-line-break': m => assert.equal(m.subject, 'Invoice 7 Bcc: eve@evil.example'),
  '07-base64-padding-in-the-middle': async (m, content) => {
    assert.equal(m.text, 'First line\nSecond line!\nThird line!\nFourth line\n');
    assert.equal((await content('data.bin')).length, 12);
  },
  '08-cp932': m => assert.match(m.text, /^日本語の本文です/),
  '08c-cp936': m => assert.match(m.text, /^中文正文。/),
  '09-uuencode': async (_, content) => assert.equal((await content('a.txt')).toString(), 'Hello'),
  '10-body-with-a-name': m => {
    assert.equal(m.text.trim(), 'The only text of this mail.');
    assert.deepEqual(m.attachments, []);
  },
  '11-raw-latin1-names': m =>
    assert.deepEqual([m.subject, m.text, m.attachments[0].name], ['Grüße', 'Grüße', 'Übersicht März.pdf']),
  '11b-raw-latin1-and-utf8-header': m => {
    assert.equal(m.subject, 'Grüße');
    assert.equal(m.native.headers.find((one: Any) => one.name === 'X-Note').value, 'März');
  },
  '12-date-without-zone': m => assert.equal(m.date, '2026-11-02T10:00:00.000Z'),
  '14-text-html-unknown-ct': m => assert.equal(m.html.trim(), '<p>hello</p>'),
  '17-from-no-domain': m => assert.equal(m.from, undefined),
};

/* Messages a server misreads, or that other programs read although no standard would. */
const HEAD = 'To: u0@test.local\r\nDate: Tue, 01 Sep 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n';
const TEXT = 'Content-Type: text/plain\r\n\r\nthe text\r\n';
const FILE = 'Content-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\nUERGUERG\r\n';
const multipart = (type: string) => `Content-Type: ${type}\r\n\r\n--abc\r\n${TEXT}--abc\r\n${FILE}--abc--\r\n`;
const latin = (text: string, charset: string, bytes: string) =>
  Buffer.from(
    `From: ${text} <a@b.example>\r\nSubject: ${text}\r\n${HEAD}Content-Type: multipart/mixed; ` +
      `boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=${charset}\r\n\r\n${bytes}\r\n--b--\r\n`,
    'latin1',
  );
const RUSSIAN = '\xf0\xd2\xc9\xd7\xc5\xd4';
const CHINESE = '\xd6\xd0\xce\xc4';
export interface Case {
  source: Buffer;
  text?: string;
  files?: string[];
  notes?: RegExp;
  from?: object;
  subject?: string;
}
const from = (value: string, right: object | undefined): Case => ({
  source: Buffer.from(`From: ${value}\r\n${HEAD}\r\nx\r\n`),
  from: right as object,
});
export const NEARLY: Record<string, Case> = {
  ...Object.fromEntries(
    [
      'multipart/mixed boundary="abc"',
      'multipart/mixed; boundary="abc "',
      "multipart/mixed; boundary*=us-ascii''abc",
      'multipart/mixed; boundary*0="a"; boundary*1="bc"',
      'multipart/mixed;\r\n boundary="\r\n abc"',
      'multipart/mixed; type="text/html; boundary=abc',
      'multipart; boundary="abc"',
      'multipart/; boundary="abc"',
      '"multipart/mixed"; boundary=abc',
      "'multipart/mixed'; boundary=abc",
      'Multipart/Mixed, boundary="abc"',
      'multipart/mixed (comment); boundary=abc (x)',
    ].map(type => [
      `parts behind ${type.replace(/\s+/g, ' ')}`,
      {
        source: Buffer.from(`From: a@b.example\r\n${HEAD}${multipart(type)}`),
        text: 'the text',
        files: ['a.pdf'],
      } as Case,
    ]),
  ),
  'a short multipart without parts': {
    source: Buffer.from(`${HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts\r\n`),
    text: 'no parts',
    files: [],
  },
  'words with a name behind a picture': {
    files: ['p.png'],
    text: 'words',
    source: Buffer.from(
      `${HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n` +
        'Content-Type: image/png; name=p.png\r\n\r\nx\r\n--b\r\nContent-Type: text/plain; name=w.txt\r\nContent-Disposition: inline\r\n\r\nwords\r\n--b--\r\n',
    ),
  },
  'a raw header in the charset of the body': {
    source: latin(RUSSIAN, 'koi8-r', RUSSIAN),
    subject: 'Привет',
    text: 'Привет',
    from: { email: 'a@b.example', name: 'Привет' },
  },
  'another one': {
    source: latin(CHINESE, 'gbk', CHINESE),
    subject: '中文',
    text: '中文',
    from: { email: 'a@b.example', name: '中文' },
  },
  'a name before an address without brackets': from('John Doe j@d.example', { name: 'John Doe', email: 'j@d.example' }),
  'a quote that is not closed': from('"unclosed <j@d.example>', { name: 'unclosed', email: 'j@d.example' }),
  'an address that is a link': from('J <mailto:j@d.example>', { name: 'J', email: 'j@d.example' }),
  'no address at all': from('john doe', undefined),
  'separators round an address': from(';j@d.example;', { email: 'j@d.example' }),
  'a bracket too many': from('John <<j@d.example>>', { name: 'John', email: 'j@d.example' }),
  'a control character in a name': from('J\x01 <j@d.example>', { name: 'J', email: 'j@d.example' }),
  'a bracket that is not closed': from('J <j@d.example', { name: 'J', email: 'j@d.example' }),
  'an address whose half is missing': from('J <j@>', undefined),
  'a host that only servers invent': from('J <j@SYNTAX_ERROR>', undefined),
  'a mark of the byte order behind other fields': {
    source: Buffer.concat([
      Buffer.from('Received: x\r\n\ufeffFrom: J <j@d.example>\r\n'),
      Buffer.from(`${HEAD}\r\nx\r\n`),
    ]),
    from: { name: 'J', email: 'j@d.example' },
  },
  'a mark of the byte order before all': {
    source: Buffer.concat([Buffer.from('\ufeffFrom: J <j@d.example>\r\n'), Buffer.from(`${HEAD}\r\nx\r\n`)]),
    from: { name: 'J', email: 'j@d.example' },
  },
  ...Object.fromEntries(
    ['"text/html"', "'text/html'", 'text / html', 'text/html charset=utf-8', 'text/html, charset=utf-8'].map(type => [
      `HTML as ${type}`,
      {
        source: Buffer.from(`From: a@b.example\r\n${HEAD}Content-Type: ${type}\r\n\r\n<p>the text</p>\r\n`),
        text: 'the text',
        files: [],
      } as Case,
    ]),
  ),
  'a multipart with the boundary of the one around it': {
    text: 'the text',
    files: ['a.pdf'],
    source: Buffer.from(
      `From: a@b.example\r\n${HEAD}Content-Type: multipart/mixed; ` +
        `boundary=abc\r\n\r\n--abc\r\nContent-Type: multipart/alternative; boundary=abc\r\n\r\n--abc\r\n${TEXT}--abc\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--abc--\r\n--abc\r\n${FILE}--abc--\r\n`,
    ),
  },
  'parts without names': {
    text: 'the text',
    source: Buffer.from(
      `From: a@b.example\r\n${HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${TEXT}${[
        'message/delivery-status',
        'text/rfc822-headers',
        'text/vcard',
        'text/calendar',
        'application/pkcs7-signature',
        'application/pgp-signature',
        'application/ms-tnef',
        'application/zip',
        'audio/mpeg',
        'foo/bar',
      ]
        .map(type => `--b\r\nContent-Type: ${type}\r\n\r\nx\r\n`)
        .join(
          '',
        )}--b\r\nContent-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=c\r\n\r\n--c\r\n` +
        'Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--c\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--c--\r\n--b--\r\n',
    ),
    files: [
      'delivery-status.txt',
      'headers.txt',
      'contact.vcf',
      'invite.ics',
      'smime.p7s',
      'signature.asc',
      'winmail.dat',
      'part-9.zip',
      'part-10.mp3',
      'part-11.bin',
      'version.asc',
      'encrypted.asc',
    ],
    notes: /^Outlook packed .*TNEF files\.\nThe message itself .* OpenPGP\..*key\.$/,
  },
  'a message that is encrypted': {
    text: '',
    files: ['smime.p7m'],
    notes: /S\/MIME/,
    source: Buffer.from(
      `From: a@b.example\r\n${HEAD}Content-Type: application/pkcs7-mime; ` +
        'smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n',
    ),
  },
  'names that are none': {
    files: ['unnamed', 'unnamed', `${'x'.repeat(251)}.pdf`],
    source: Buffer.from(
      `From: a@b.example\r\n${HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n` +
        `${['.', '..', `${'x'.repeat(300)}.pdf`].map(name => `--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="${name}"\r\n\r\nx\r\n`).join('')}--b--\r\n`,
    ),
  },
};

/** The messages of the folder, with what is right of each. */
export const CASES: readonly { name: string; source: Buffer; check: Check }[] = readdirSync(FOLDER)
  .filter(name => name.endsWith('.eml'))
  .sort()
  .map(file => ({
    name: file.slice(0, -4),
    source: readFileSync(join(FOLDER, file)),
    check: RIGHT[file.slice(0, -4)]!,
  }));

/** What a list and a feed that began long ago give of an INBOX, oldest first. */
export async function readInbox(client: Client): Promise<{ listed: Any[]; fed: Any[] }> {
  const listed: Any[] = [];
  const fed: Any[] = [];
  const filter = { folders: ['INBOX'] };
  for await (const one of client.call('message.list', {}) as AsyncIterable<Any>) listed.unshift(one);
  for (let at = await client.from('messageReceived', filter, '2020-01-01T00:00:00Z'), more = true; more;) {
    const batch: Any = await client.since('messageReceived', { ...filter, fetch: 'full' }, at);
    fed.push(...batch.items.map((one: Any) => one.item));
    ({ cursor: at, more } = batch);
  }
  return { listed, fed };
}

const bytesOf = async (file: Any): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  for await (const piece of file.open()) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
};

/** Fails where a case that a list and a feed gave is not right in one of list, get and feed, or not the same in all. */
export async function checkCase(client: Client, check: Check, listed: Any, fed: Any): Promise<void> {
  const got: Any = await client.call('message.get', { message: listed.id });
  const named = (all: Any[], name: string) => all.find(one => one.name === name);
  await check(got, async file =>
    bytesOf(await client.call('attachment.get', { message: got.id, attachment: named(got.attachments, file).id })),
  );
  await check(fed, async file => bytesOf(named(fed.attachments, file).content));
  for (const key of ['from', 'to', 'subject', 'date']) {
    assert.deepEqual(listed[key], got[key], `${key} in list and get`);
    assert.deepEqual(fed[key], got[key], `${key} in feed and get`);
  }
  assert.equal(fed.text, got.text);
  assert.equal(fed.html, got.html);
}

/** The same for a message that is nearly right. */
export async function checkNearly(client: Client, name: string, listed: Any, fed: Any): Promise<void> {
  const right = NEARLY[name]!;
  const got: Any = await client.call('message.get', { message: listed.id });
  for (const one of [got, fed]) {
    if (right.text !== undefined) assert.equal(one.text.trim(), right.text, name);
    if (right.files)
      assert.deepEqual(
        one.attachments.map((file: Any) => file.name),
        right.files,
        name,
      );
    if (right.notes)
      assert.match(one.attachments.flatMap((file: Any) => file.note ?? []).join('\n'), right.notes, name);
  }
  for (const one of [listed, got, fed]) {
    if ('from' in right) assert.deepEqual(one.from, right.from, name);
    if (right.subject) assert.equal(one.subject, right.subject, name);
  }
}
