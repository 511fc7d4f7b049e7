import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';

/*
 * Mail that somebody made on purpose, and what reading it costs.
 */

export const MB = 2 ** 20;
export const filled = (piece: string, size: number): Buffer => Buffer.alloc(Math.floor(size), piece, 'latin1');
const filledUtf8 = (piece: string, size: number): Buffer => Buffer.alloc(Math.floor(size), piece);
/** Pieces that are not the same, as many as make so many megabytes. */
function many(mb: number, piece: (i: number) => string): Buffer {
  const out = Buffer.alloc(Math.floor(mb * MB), ' ');
  for (let i = 0, at = 0, text = piece(0); at + text.length <= out.length; text = piece(++i)) {
    out.write(text, at, 'latin1');
    at += text.length;
  }
  return out;
}
export const mail = (fields: string[], ...body: (string | Buffer)[]): Buffer =>
  Buffer.concat([
    Buffer.from(['From: a@b.example', 'Subject: hello', ...fields, '', ''].join('\r\n')),
    ...body.map(one => Buffer.from(one as string)),
  ]);
export const part = (head: string, body: Buffer): Buffer => Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]);
export const MIXED = 'Content-Type: multipart/mixed; boundary=b';

/** Multipart in multipart, so deep, around a part. */
export function nested(depth: number, inner: Buffer): Buffer {
  const heads: string[] = [];
  const ends: string[] = [];
  for (let i = 0; i < depth; i++) {
    heads.push(`Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`);
    ends.unshift(`\r\n--b${i}--\r\n`);
  }
  return Buffer.concat([
    Buffer.from(`From: a@b.example\r\nSubject: hello\r\n${heads.join('')}`),
    inner,
    Buffer.from(ends.join('')),
  ]);
}

const HTML = 'Content-Type: text/html; charset=utf-8';
const QP = 'Content-Transfer-Encoding: quoted-printable';
const BASE64 = 'Content-Transfer-Encoding: base64';
const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n');
const parts = (head: string, body: Buffer, count: number) =>
  mail([MIXED], ...Array.from({ length: count }, () => ['--b\r\n', part(head, body), '\r\n']).flat(), '--b--\r\n');

/** Kinds of hostile mail, each made about so many megabytes large. */
export const HOSTILE: Record<string, (mb: number) => Buffer> = {
  'thirty multiparts round short lines': mb => nested(30, part('Content-Type: text/plain', filled('a\r\n', mb * MB))),
  'five hundred multiparts in each other': mb => nested(500, part('Content-Type: text/plain', filled('x', mb * MB))),
  'tiny parts': mb => mail([MIXED], filled('--b\r\n\r\nx\r\n', mb * MB)),
  'a thousand parts': mb => parts('Content-Type: text/plain', filled('a\r\n', (mb * MB) / 900), 900),
  'a thousand parts of HTML': mb => parts('Content-Type: text/html', filled('<p>a', (mb * MB) / 900), 900),
  'a thousand files': mb =>
    parts(
      `Content-Type: image/png; name=${'n'.repeat(200)}.png\r\nContent-Disposition: attachment`,
      filled('a\r\n', (mb * MB) / 900),
      900,
    ),
  'one long line': mb => mail([], filled('a', mb * MB)),
  'no line end at all': mb => filled('a', mb * MB),
  'a long line of HTML': mb => mail([HTML], filled('a', mb * MB)),
  'boundary lines': mb => mail([MIXED], filled('--b\r\n', mb * MB)),
  'boundary lines of another': mb => mail([MIXED], filled('--bb\r\n', mb * MB)),
  'ends of parts': mb => mail([MIXED], filled('--b--\r\n', mb * MB)),
  'the same boundary in each other': mb => mail([MIXED], filled(`--b\r\n${MIXED}\r\n\r\n`, mb * MB)),
  'header fields of a part': mb => mail([MIXED], '--b\r\n', filled('A: b\r\n', mb * MB), '\r\nx\r\n--b--\r\n'),
  'authors without end': mb =>
    Buffer.concat([filled('From: a <a@b.example>\r\n', mb * MB), Buffer.from('Subject: hello\r\n\r\nx')]),
  'stops on the way': mb =>
    mail(
      [
        filled('Received: from a by b; x\r\n', mb * MB)
          .toString()
          .trimEnd(),
      ],
      'x',
    ),
  'messages within messages by the ten thousand': () => {
    const heads = 'Content-Type: message/rfc822\r\n\r\n'.repeat(10_000);
    return mail(['Content-Type: message/rfc822'], heads, 'x');
  },
  'a file name without end': mb =>
    mail([`Content-Type: application/pdf; name="${'n'.repeat((mb * MB) / 2)}"`, BASE64], filled('QUJD', (mb * MB) / 2)),
  'a gzip bomb': mb => {
    const bomb = gzipSync(Buffer.alloc(64 * MB));
    return mail(
      ['Content-Type: application/gzip; name=a.gz', 'Content-Encoding: gzip', BASE64],
      base64(Buffer.alloc(Math.floor(mb * MB * 0.7), bomb)),
    );
  },
  'a file of one long line': mb => mail(['Content-Type: application/pdf; name=a.pdf', BASE64], filled('QUJD', mb * MB)),
  'many files of uuencode': mb =>
    mail(['Content-Transfer-Encoding: x-uuencode'], filled('begin 644 a\n#86)C\n`\nend\n', mb * MB)),
  'uuencode in a text': mb => mail([], filled('begin 644 a\n#86)C\n`\nend\n', mb * MB)),
  'a calendar': mb =>
    mail(['Content-Type: text/calendar; method=REQUEST'], 'BEGIN:VCALENDAR\r\n', filled('A;B=C:d\r\n', mb * MB)),
  'S/MIME': mb =>
    mail(
      ['Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m', BASE64],
      base64(filled('0\x80', mb * MB * 0.7)),
    ),
  'a signed message': mb =>
    mail(
      ['Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b'],
      part('--b\r\nContent-Type: text/plain', filled('a\r\n', (mb * MB) / 2)),
      part(
        '\r\n--b\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64',
        filled('MIAG\r\n', (mb * MB) / 2),
      ),
      '\r\n--b--\r\n',
    ),
  codes: mb => mail([], filled('code 123456 A1-B2-C3\n', mb * MB)),
  'addresses of the web': mb => mail([], filled('http://a.b/c) ', mb * MB)),
  'marks on a letter': mb => mail(['Content-Type: text/plain; charset=utf-8'], filledUtf8('\u0301', mb * MB)),
  'turns of direction': mb => mail(['Content-Type: text/plain; charset=utf-8'], filledUtf8('\u202e', mb * MB)),
  'blank lines': mb => mail([], filled('\n', mb * MB)),
  'short lines': mb => mail([], filled('a\n', mb * MB)),
  quotations: mb => mail([], filled('>\n', mb * MB)),
  'blank lines in base64': mb => mail([BASE64], base64(filled('\n', mb * MB * 0.7))),
  'carriage returns': mb => mail([], filled('\r', mb * MB)),
  ampersands: mb => mail([], filled('&', mb * MB)),
  'ampersands in lines': mb => mail([], filled('&<\n', mb * MB)),
  'endless header fields': mb =>
    mail(
      [
        filled('A: b\r\n', mb * MB)
          .toString()
          .trimEnd(),
      ],
      'x',
    ),
  'an endless header field': mb =>
    mail(
      [
        'X: y',
        filled(' a\r\n', mb * MB)
          .toString()
          .trimEnd(),
      ],
      'x',
    ),
  'a header without an end': mb => mail([`X: ${'y'.repeat(mb * MB)}`], 'x'),
  'recipients without end': mb => mail([`To: ${'a@b.c, '.repeat((mb * MB) / 7)}x@y.z`], 'x'),
  'answer addresses without end': mb => mail([`Reply-To: ${'a@b.c, '.repeat((mb * MB) / 7)}x@y.z`], 'x'),
  'recipients in a hundred kilobytes': () =>
    mail(
      [
        `Reply-To: ${Array.from({ length: 6_000 }, (_, i) => `n${i}@b.c`).join(', ')}`,
        `To: ${Array.from({ length: 6_000 }, (_, i) => `t${i}@b.c`).join(', ')}`,
      ],
      'x',
    ),
  'recipients in lines': mb => mail([`To: ${' a <a@b.c>,\r\n'.repeat((mb * MB) / 13)} x@y.z`], 'x'),
  'an endless address': mb => mail([`Reply-To: ${'a'.repeat(mb * MB)}@b.c`], 'x'),
  'comments in an address': mb =>
    mail([`Reply-To: ${'('.repeat((mb * MB) / 2)}a@b.c${')'.repeat((mb * MB) / 2)}`], 'x'),
  'comments in an address, two hundred kilobytes': () => mail([`Reply-To: ${'('.repeat(100_000)}a@b.c`], 'x'),
  'groups in an address': () => mail([`Reply-To: ${'g:'.repeat(50_000)}a@b.c`], 'x'),
  'references without end': mb => mail([`References: ${'<a@b.c>\r\n '.repeat((mb * MB) / 11)}`], 'x'),
  'references, two hundred kilobytes': () =>
    mail([`References: ${Array.from({ length: 18_000 }, (_, i) => `<a${i}@b>`).join('\r\n ')}`], 'x'),
  'half references': () => mail([`References: ${'<a'.repeat(100_000)}`], 'x'),
  'encoded words in the subject': mb =>
    mail([`X: ${'=?utf-8?q?a?= '.repeat((mb * MB) / 14)}`, `Subject: ${'=?utf-8?q?a?= '.repeat((mb * MB) / 14)}`], 'x'),
  'encoded words, two hundred kilobytes': () =>
    mail(
      ['=?iso-2022-jp?B?GyRCOzNFRBsoQg==?= ', '=?utf-7?q?+AOQ-?= '].map(piece => `Subject: ${piece.repeat(5_000)}`),
      'x',
    ),
  'encoded words in names': () =>
    mail([`Reply-To: ${Array.from({ length: 3_000 }, (_, i) => `=?utf-8?q?=3Ca=2C?= <n${i}@b.c>`).join(', ')}`], 'x'),
  'parameters (RFC 2231)': mb =>
    mail(
      [
        `Content-Type: text/plain${Array.from({ length: Math.min(400_000, mb * 20_000) }, (_, i) => `;\r\n n*${i}*=%41`).join('')}`,
      ],
      'x',
    ),
  'parameters (RFC 2231) of a file': mb =>
    parts(
      `Content-Type: application/pdf\r\nContent-Disposition: attachment${Array.from({ length: 2_000 }, (_, i) => `;\r\n filename*${i}*=%41`).join('')}`,
      filled('a', (mb * MB) / 20),
      20,
    ),
  'parameters (RFC 2231) of a thousand files': mb =>
    parts(
      `Content-Type: application/pdf\r\nContent-Disposition: attachment${Array.from({ length: mb * 50 }, (_, i) => `;\r\n filename*${i}*=%41`).join('')}`,
      filled('a', 10),
      900,
    ),
  'messages within messages': mb => {
    let inner = filled(`${'x'.repeat(998)}\r\n`, mb * MB);
    for (let i = 0; i < 90; i++) inner = part('Content-Type: message/rfc822', inner);
    return mail(['Content-Type: message/rfc822'], inner);
  },
  TNEF: mb =>
    mail(
      ['Content-Type: application/ms-tnef; name=winmail.dat', BASE64],
      base64(
        Buffer.concat([Buffer.from('789f3e22', 'hex'), filled('\x01\x02\x00\x00\xff\xff\xff\x7f', mb * MB * 0.7)]),
      ),
    ),
  'a zip bomb': mb =>
    mail(
      ['Content-Type: application/zip; name=a.zip', 'Content-Encoding: gzip', BASE64],
      base64(filled('PK\x03\x04', mb * MB * 0.7)),
    ),
  'escapes without end': mb => mail([QP], filled('=', mb * MB)),
  'escaped line ends': mb => mail([QP], filled('=0A', mb * MB)),
  'soft breaks': mb => mail([QP], filled('=\r\n', mb * MB)),
  'blanks in quoted-printable': mb => mail([QP], filled('=    ', (mb * MB) / 2), filled(' ', (mb * MB) / 2), '='),
  'padding without end': mb => mail([BASE64], filled('QQ==', mb * MB)),
  'a file of padding': mb => mail(['Content-Disposition: attachment', BASE64], filled('QQ==', mb * MB)),
  'a file of uuencode': mb =>
    mail(
      ['Content-Disposition: attachment', 'Content-Transfer-Encoding: x-uuencode'],
      'begin 644 a\n',
      filled('!\n', mb * MB),
    ),
  'a file of escapes': mb => mail(['Content-Disposition: attachment', QP], filled('=0A', mb * MB)),
  'flowed text': mb => mail(['Content-Type: text/plain; format=flowed'], filled('a \n', mb * MB)),
  'bad bytes': mb =>
    mail(['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit'], filled('\xe4', mb * MB)),
  shifts: mb => mail(['Content-Type: text/plain; charset=iso-2022-jp'], filled('\x1b$B\x1b(B', mb * MB)),
  'UTF-7': mb => mail(['Content-Type: text/plain; charset=utf-7'], filled('+AOQ-', mb * MB)),
  'elements that stay open': mb => mail([HTML], filled('<div>', mb * MB)),
  'tables in tables': mb => mail([HTML], filled('<table><tr><td>', mb * MB)),
  'formatting that stays open': mb => mail([HTML], filled('<b><i><a href=x>', mb * MB)),
  'quotations in HTML': mb => mail([HTML], filled('<blockquote>a<br>', mb * MB)),
  entities: mb => mail([HTML], filled('&lt;', mb * MB)),
  'comments in HTML': mb => mail([HTML], filled('<!-- ', mb * MB)),
  'tags without an end': mb => mail([HTML], filled('<a b="', mb * MB)),
  'one attribute': mb => mail([HTML], '<p title="', filled('x', mb * MB), '">a'),
  attributes: mb => mail([HTML], '<p ', filled('a=b ', mb * MB), '>a'),
  'attributes of another name': mb =>
    mail(
      [HTML],
      '<p ',
      many(mb, i => `a${i}=b `),
      '>a',
    ),
  'one style': mb => mail([HTML], '<style>', filled('a{b:c}', mb * MB), '</style>a'),
  'selectors of a style': mb => mail([HTML], '<style>', filled('a,', mb * MB), 'b{color:red}</style>a'),
  'styles of elements': mb => mail([HTML], filled('<p style="color:red;b:c">a</p>', mb * MB)),
  'a picture within an address': mb => mail([HTML], '<img src="data:image/png;base64,', filled('QUJD', mb * MB), '">a'),
  'pictures within addresses': mb => mail([HTML], filled('<img src="data:image/png;base64,QUJD">', mb * MB)),
  links: mb =>
    mail(
      [HTML],
      many(mb, i => `<a href="https://a.example/${i}">${i}</a> `),
    ),
  'HTML in quoted-printable': mb => mail([HTML, QP], filled('=3Cp=3Ea', mb * MB)),
  'HTML in base64': mb => mail([HTML, BASE64], base64(filled('<p>a</p>', mb * MB * 0.7))),
  'lists in lists': mb => mail([HTML], filled('<ul><li>', mb * MB)),
  'ends of elements': mb => mail([HTML], filled('</p>', mb * MB)),
  'opening brackets in HTML': mb => mail([HTML], filled('<', mb * MB)),
  'ampersands in HTML': mb => mail([HTML], filled('&', mb * MB)),
  styles: mb => mail([HTML], filled('<style>a{b:c}</style>', mb * MB)),
  'pictures of its own': mb => mail([HTML], filled('<img src="cid:a">', mb * MB)),
  'pictures named without end': mb => mail([HTML], filled('cid:', mb * MB)),
  'charsets in HTML': mb => mail(['Content-Type: text/html'], filled('<meta charset=', mb * MB)),
  'HTML as a text': mb =>
    mail(
      ['Content-Type: multipart/alternative; boundary=b'],
      '--b\r\n\r\n',
      filled('<&\n', (mb * MB) / 2),
      '\r\n--b\r\nContent-Type: text/html\r\n\r\n',
      filled('<p>', (mb * MB) / 2),
      '\r\n--b--\r\n',
    ),
};

/**
 * What a task cost: processor time altogether and the most in one piece of the event loop, in milliseconds; memory
 * beside what was there, in MB.
 */
export interface Cost {
  all: number;
  piece: number;
  memory: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Memory is only counted once it has been tidied up, and that is done where it looks like more than this, in MB. */
const SUSPICIOUS = 48;

/** Runs a task and tells what it cost this process. */
export async function costOf(task: () => Promise<unknown> | unknown): Promise<Cost> {
  collect();
  const used = () => {
    const { heapUsed, external } = process.memoryUsage();
    return (heapUsed + external) / MB;
  };
  const before = used();
  let last = process.cpuUsage();
  let lastHere = process.threadCpuUsage();
  let all = 0;
  let piece = 0;
  let memory = 0;
  let over = false;
  const look = () => {
    all += process.cpuUsage(last).user / 1000;
    // What the loop is held up by is this thread's work; compiling and tidying up go on beside it.
    piece = Math.max(piece, process.threadCpuUsage(lastHere).user / 1000);
    if (used() - before > Math.max(SUSPICIOUS, memory)) {
      collect();
      memory = Math.max(memory, used() - before);
    }
    last = process.cpuUsage();
    lastHere = process.threadCpuUsage();
    // Not at every turn of the loop: while somebody else's answer is waited for, looking would be most of the cost.
    if (!over) setTimeout(look, 5);
  };
  setTimeout(look, 5);
  try {
    await task();
  } finally {
    over = true;
    look();
  }
  return { all, piece, memory };
}

/** The bounds of one message: processor time in milliseconds, and memory beside its own size in MB. */
export const ALL = 3_000;
export const PIECE = 300;
export const MEMORY = 64;

/**
 * Fails where a task costs more than a message of `mb` megabytes may; the best of three, since what a busy machine adds
 * is none of the mail's doing.
 */
export async function within(what: string, mb: number, task: () => Promise<unknown> | unknown): Promise<void> {
  let said: string | undefined;
  for (let tries = 0; tries < 3; tries++) {
    const { all, piece, memory } = await costOf(task);
    said =
      all >= ALL
        ? `${Math.round(all)} ms altogether`
        : piece >= PIECE
          ? `${Math.round(piece)} ms in one piece`
          : memory >= MEMORY + mb
            ? `${Math.round(memory)} MB`
            : undefined;
    if (said === undefined) return;
  }
  assert.fail(`${what}: ${said}`);
}

/** A mail server in a process of its own, so that what it costs is not counted. */
export interface HostileServer {
  account: Record<string, unknown>;
  /** Puts one hostile message into the INBOX, which is empty otherwise; resolves with its id. */
  deliver(kind: string, mb: number): Promise<string>;
  /** The same with a message from a file. */
  deliverFile(file: string): Promise<string>;
  close(): void;
}
export async function hostileServer(): Promise<HostileServer> {
  const child = fork(join(__dirname, 'hostileServer.ts'));
  const answer = async <T>(ask?: object): Promise<T> => {
    const come = once(child, 'message');
    if (ask) child.send(ask);
    return (await come)[0] as T;
  };
  const put = async (what: object) => {
    const { uid, uidValidity } = await answer<{ uid: number; uidValidity: number }>(what);
    return `INBOX;UIDVALIDITY=${uidValidity};UID=${uid}`;
  };
  const { imap, smtp, ca } = await answer<{ imap: number; smtp: number; ca: string }>();
  return {
    account: {
      user: 'u0@test.local',
      password: 'pass0',
      imapHost: 'localhost',
      imapPort: imap,
      smtpHost: 'localhost',
      smtpPort: smtp,
      allowedCertificate: ca,
    },
    deliver: (kind, mb) => put({ kind, mb }),
    deliverFile: file => put({ file }),
    close: () => child.disconnect(),
  };
}
