import { letter } from './letter.js';

export { letter, type Letter } from './letter.js';

const encoded = (text: string) =>
  /^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
const mailDate = (date: Date) => date.toUTCString().replace('GMT', '+0000');
const base64 = (bytes: Buffer) => bytes.toString('base64').replace(/.{76}/g, '$&\r\n');

/** Repeatable numbers in [0, 1) (xorshift). */
export function random(seed: number): () => number {
  let s = seed >>> 0 || 1;
  return () => {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return s / 4_294_967_296;
  };
}
const words = (
  'invoice order delivery meeting report customer quantity address payment transfer schedule review update contract draft signature parcel number total ' +
  'amount price discount renewal account balance statement receipt support ticket answer question deadline budget forecast quarter project milestone garden'
).split(' ');
const abroad = [
  'Grüße aus Köln',
  'Réservation confirmée',
  'Zamówienie przyjęte',
  'ご注文ありがとうございます',
  'Счёт на оплату',
  'العرض الجديد',
  '订单确认',
];

function quotedPrintable(text: string): string {
  const out: string[] = [];
  for (const raw of text.split('\n')) {
    let line = '';
    for (const byte of Buffer.from(raw)) {
      const char =
        byte === 32 || (byte >= 33 && byte <= 126 && byte !== 61)
          ? String.fromCharCode(byte)
          : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
      if (line.length + char.length > 75) {
        out.push(`${line}=`);
        line = '';
      }
      line += char;
    }
    out.push(line.endsWith(' ') ? `${line.slice(0, -1)}=20` : line);
  }
  return out.join('\r\n');
}
/** Bytes that look like those of a compressed file. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let x = seed >>> 0;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

/**
 * Message number `i` of an everyday corpus: the same number gives the same bytes. 4 to 40 KB unless `size` (bytes,
 * about) is given; a quarter has attachments, a third plain and HTML text, the rest one of the two; a third is not in
 * English.
 */
export function mail(i: number, { size, tag = 'msg' }: { size?: number; tag?: string } = {}): Buffer {
  const next = random(Math.imul(i, 2_654_435_761) + 12_345);
  for (let k = 0; k < 5; k++) next();
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const target = size ?? Math.floor(4096 + next() * 36 * 1024);
  const kind = next();
  const local = next() < 0.3 ? pick(abroad) : '';
  const date = mailDate(new Date(Date.UTC(2026, 8, 1) + i * 61_000));
  const prose = (length: number) => {
    let text = '';
    while (text.length < length) {
      let line = '';
      while (line.length < 60 + next() * 200) line += `${pick(words)} `;
      text += `${line.trim()}${next() < 0.2 && local ? ` ${local}` : ''}.\n`;
    }
    return text;
  };
  const html = (length: number) => {
    let text = '<html><head><style>p{margin:0 0 1em}</style></head><body>';
    while (text.length < length)
      text += `<p>${prose(200)}<a href="https://gen.test.local/x?id=${Math.floor(next() * 1e6)}&amp;k=1">${pick(words)}</a></p>`;
    return `${text}</body></html>`;
  };
  const part = (type: string, content: string) =>
    `Content-Type: text/${type}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${quotedPrintable(content)}`;
  const both = (length: number, mark: string) =>
    `Content-Type: multipart/alternative; boundary="${mark}"\r\n\r\n--${mark}\r\n${part('plain', prose(length * 0.3))}\r\n--${mark}\r\n${part('html', html(length * 0.6))}\r\n--${mark}--`;
  const head = [
    `Received: from relay${i % 7}.gen.test.local ([192.0.2.${i % 250}])\r\n\tby mx.test.local with ESMTPS id ${Math.floor(next() * 1e12).toString(36)};\r\n\t${date}`,
    `From: ${encoded(local ? 'Zoë Müller' : `Sender ${i % 97}`)} <sender${i % 97}@gen.test.local>`,
    `To: User <u0@test.local>${next() < 0.2 ? ',\r\n Second <second@test.local>' : ''}`,
    `Subject: ${encoded(`${tag} ${i} ${pick(words)} ${pick(words)} ${local}`.trim())}`,
    `Date: ${date}`,
    `Message-ID: <${tag}.${i}@gen.test.local>`,
    'MIME-Version: 1.0',
  ];
  if (next() < 0.4)
    head.push(
      `In-Reply-To: <${tag}.${Math.max(0, i - 3)}@gen.test.local>`,
      `References: <${tag}.${Math.max(0, i - 9)}@gen.test.local> <${tag}.${Math.max(0, i - 3)}@gen.test.local>`,
    );
  if (next() < 0.3) head.push(`List-Id: <list${i % 5}.gen.test.local>`);
  let body: string;
  if (kind < 0.25) {
    const count = 1 + Math.floor(next() * 2);
    body = `Content-Type: multipart/mixed; boundary="_b0_${i}"\r\n\r\n--_b0_${i}\r\n${both(target * 0.3, `_b1_${i}`)}`;
    for (let k = 0; k < count; k++) {
      body +=
        `\r\n--_b0_${i}\r\nContent-Type: ${k ? 'image/png' : 'application/pdf'}\r\nContent-Disposition: attachment; filename="file-${i}-${k}.${k ? 'png' : 'pdf'}"\r\n` +
        `Content-Transfer-Encoding: base64\r\n\r\n${base64(noise(Math.floor(((target * 0.6) / count) * 0.74), i + k * 7919 + 1))}`;
    }
    body += `\r\n--_b0_${i}--\r\n`;
  } else
    body = `${kind < 0.6 ? both(target, `_b0_${i}`) : part(kind < 0.75 ? 'html' : 'plain', kind < 0.75 ? html(target) : prose(target))}\r\n`;
  return Buffer.from(`${head.join('\r\n')}\r\n${body}`);
}

/**
 * A message of about `bytes` bytes with one base64 attachment `big.bin`; 60 MB unless given. Made without holding it in
 * pieces.
 */
export function bigMail(bytes = 60_000_000, seed = 1): Buffer {
  const head = Buffer.from(
    `From: Big <big@gen.test.local>\r\nTo: u0@test.local\r\nSubject: Large ${bytes}\r\nDate: ${mailDate(new Date(Date.UTC(2026, 8, 1)))}\r\n` +
      `Message-ID: <big.${bytes}.${seed}@gen.test.local>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="big"\r\n\r\n` +
      '--big\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe attachment is large.\r\n' +
      '--big\r\nContent-Type: application/octet-stream; name="big.bin"\r\nContent-Disposition: attachment; filename="big.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n',
  );
  const tail = Buffer.from('--big--\r\n');
  const lines = Math.max(1, Math.floor((bytes - head.length - tail.length) / 78));
  const out = Buffer.allocUnsafe(head.length + lines * 78 + tail.length);
  let at = head.copy(out);
  const pattern = Array.from({ length: 64 }, (_, k) =>
    Buffer.from(`${noise(57, seed + k * 31).toString('base64')}\r\n`),
  );
  for (let line = 0; line < lines; line++) at += pattern[(line * 7 + (line >> 6)) & 63]!.copy(out, at);
  tail.copy(out, at);
  return out;
}
/** A message with so many small attachments; a thousand unless given. */
export function manyAttachments(count = 1000): Buffer {
  let body =
    `From: Many <many@gen.test.local>\r\nTo: u0@test.local\r\nSubject: ${count} attachments\r\nDate: ${mailDate(new Date(Date.UTC(2026, 8, 1)))}\r\nMessage-ID: <many.${count}@gen.test.local>\r\n` +
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="many"\r\n\r\n--many\r\nContent-Type: text/plain\r\n\r\nSee attachments.\r\n';
  for (let k = 0; k < count; k++)
    body += `--many\r\nContent-Type: text/csv; name="part-${k}.csv"\r\nContent-Disposition: attachment; filename="part-${k}.csv"\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64(Buffer.from(`row,${k}\n`))}\r\n`;
  return Buffer.from(`${body}--many--\r\n`);
}

/**
 * Mail as it should not be but is. `why` says what is wrong; `text` is a piece of text a good reader still finds,
 * `files` the attachments it finds.
 */
export interface Oddity {
  why: string;
  bytes: Buffer;
  text?: string;
  files?: string[];
}
const plainHead = (id: string, more = '') =>
  `From: Odd <odd@gen.test.local>\r\nTo: u0@test.local\r\nSubject: Oddity ${id}\r\nDate: Tue, 01 Sep 2026 10:00:00 +0000\r\nMessage-ID: <odd.${id}@gen.test.local>\r\nMIME-Version: 1.0\r\n${more}`;
const latin = (text: string) => Buffer.from(text, 'latin1');
const utf = (text: string) => Buffer.from(text, 'utf8');

/**
 * Every oddity by name: broken MIME, wrong charsets, missing, double and hostile headers. Small; see `bigMail` and
 * `manyAttachments` for the large ones.
 */
export const oddities = {
  noMessageId: {
    why: 'no Message-ID',
    text: 'nameless',
    bytes: letter({ subject: 'No id', text: 'nameless', messageId: false, date: new Date(Date.UTC(2026, 8, 1)) }),
  },
  noMessageIdTwin: {
    why: 'no Message-ID, and the same again but for the subject',
    text: 'nameless',
    bytes: letter({
      subject: 'No id either',
      text: 'nameless',
      messageId: false,
      date: new Date(Date.UTC(2026, 8, 1)),
    }),
  },
  sameMessageId: {
    why: 'a Message-ID that another message has, too',
    text: 'first',
    bytes: letter({
      subject: 'Same id',
      text: 'first',
      messageId: '<same@gen.test.local>',
      date: new Date(Date.UTC(2026, 8, 1)),
    }),
  },
  sameMessageIdAgain: {
    why: 'the Message-ID of the one before with other content',
    text: 'second',
    bytes: letter({
      subject: 'Same id, other content',
      text: 'second',
      messageId: '<same@gen.test.local>',
      date: new Date(Date.UTC(2026, 8, 2)),
    }),
  },
  twoMessageIds: {
    why: 'two Message-ID headers',
    text: 'twice',
    bytes: utf(`${plainHead('two-ids')}Message-ID: <other@gen.test.local>\r\n\r\ntwice\r\n`),
  },
  noHeaders: { why: 'nothing but a body', text: 'only a body', bytes: utf('\r\nonly a body\r\n') },
  noBody: { why: 'headers without the blank line', bytes: utf(plainHead('no-body')) },
  garbageHeader: {
    why: 'a line among the headers that is not one',
    text: 'after garbage',
    bytes: utf(`${plainHead('garbage', 'this is not a header line\r\n')}\r\nafter garbage\r\n`),
  },
  bareLf: {
    why: 'LF alone as line break',
    text: 'unix lines',
    bytes: utf(`${plainHead('bare-lf')}\r\nunix lines\r\n`.replace(/\r\n/g, '\n')),
  },
  rawUtf8Header: {
    why: '8-bit UTF-8 in headers without encoding',
    text: 'raw',
    bytes: utf(
      `${plainHead('raw-utf8')}X-Raw: Grüße\r\n`.replace('Oddity raw-utf8', 'Grüße aus Köln').concat('\r\nraw\r\n'),
    ),
  },
  rawLatin1Header: {
    why: '8-bit Latin-1 in headers without encoding',
    text: 'raw',
    bytes: latin(`${plainHead('raw-latin1')}\r\nraw\r\n`.replace('Oddity raw-latin1', 'Gr\xfc\xdfe aus K\xf6ln')),
  },
  badEncodedWord: {
    why: 'encoded words that are cut, of an unknown charset, or not base64',
    text: 'words',
    bytes: utf(
      `${plainHead('words')}X-Cut: =?UTF-8?B?R3LDvM\r\nX-Unknown: =?x-none?Q?abc?=\r\n\r\nwords\r\n`.replace(
        'Oddity words',
        '=?UTF-8?B?!!!?= =?utf-8?q?=C3?= =?nope?q?x?=',
      ),
    ),
  },
  wrongCharset: {
    why: 'declared UTF-8, is Latin-1',
    text: 'caf',
    bytes: latin(
      `${plainHead('wrong-charset', 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n')}\r\ncaf\xe9\r\n`,
    ),
  },
  unknownCharset: {
    why: 'a charset that does not exist',
    text: 'hello',
    bytes: utf(`${plainHead('unknown-charset', 'Content-Type: text/plain; charset=x-klingon\r\n')}\r\nhello\r\n`),
  },
  japanese: {
    why: 'ISO-2022-JP',
    text: '日本',
    bytes: Buffer.concat([
      utf(
        `${plainHead('jis', 'Content-Type: text/plain; charset=iso-2022-jp\r\nContent-Transfer-Encoding: 7bit\r\n')}\r\n`,
      ),
      Buffer.from('\x1b$BF|K\\\x1b(B\r\n', 'latin1'),
    ]),
  },
  utf7Charset: {
    why: 'UTF-7, which few can read',
    bytes: utf(`${plainHead('utf7', 'Content-Type: text/plain; charset=utf-7\r\n')}\r\nGr+APwA3w-e\r\n`),
  },
  badBase64: {
    why: 'base64 with foreign characters and a lost end',
    text: 'hello',
    bytes: utf(
      `${plainHead('bad-base64', 'Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n')}\r\naGVs*bG8g\r\nd29ybGQ\r\n`,
    ),
  },
  badQuotedPrintable: {
    why: 'quoted-printable with broken escapes',
    text: 'half',
    bytes: utf(
      `${plainHead('bad-qp', 'Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n')}\r\nhalf =ZZ =4 =\r\nend=`,
    ),
  },
  unknownEncoding: {
    why: 'an unknown transfer encoding',
    bytes: utf(
      `${plainHead('x-uue', 'Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n')}\r\nbegin 644 a\r\n#86)C\r\nend\r\n`,
    ),
  },
  noBoundary: {
    why: 'multipart without a boundary',
    bytes: utf(`${plainHead('no-boundary', 'Content-Type: multipart/mixed\r\n')}\r\n--x\r\n\r\nlost\r\n--x--\r\n`),
  },
  boundaryNeverUsed: {
    why: 'multipart whose boundary never comes',
    bytes: utf(`${plainHead('unused', 'Content-Type: multipart/mixed; boundary="never"\r\n')}\r\nno parts here\r\n`),
  },
  noClosingBoundary: {
    why: 'multipart without its end',
    text: 'open end',
    bytes: utf(
      `${plainHead('open', 'Content-Type: multipart/mixed; boundary="b"\r\n')}\r\n--b\r\nContent-Type: text/plain\r\n\r\nopen end\r\n`,
    ),
  },
  cutInPart: {
    why: 'cut in the middle of an attachment',
    text: 'intact',
    files: ['cut.bin'],
    bytes: utf(
      `${plainHead('cut', 'Content-Type: multipart/mixed; boundary="b"\r\n')}\r\n--b\r\n\r\nintact\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="cut.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4\r\nOTo7PD`,
    ),
  },
  boundaryPrefix: {
    why: 'a boundary that begins like the outer one',
    text: 'inner',
    bytes: utf(
      `${plainHead('prefix', 'Content-Type: multipart/mixed; boundary="b"\r\n')}\r\n--b\r\nContent-Type: multipart/alternative; boundary="bb"\r\n\r\n--bb\r\n\r\ninner\r\n--bb--\r\n--b--\r\n`,
    ),
  },
  deepNesting: {
    why: '200 multiparts inside each other',
    bytes: utf(
      plainHead('deep') +
        Array.from(
          { length: 200 },
          (_, k) => `Content-Type: multipart/mixed; boundary="n${k}"\r\n\r\n--n${k}\r\n`,
        ).join('') +
        '\r\nbottom\r\n',
    ),
  },
  emptyParts: {
    why: 'parts with nothing in them',
    bytes: utf(
      `${plainHead('empty', 'Content-Type: multipart/mixed; boundary="b"\r\n')}\r\n--b\r\n--b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n--b--\r\n`,
    ),
  },
  badContentType: {
    why: 'a Content-Type that is none',
    text: 'still text',
    bytes: utf(`${plainHead('bad-type', 'Content-Type: text\r\n')}\r\nstill text\r\n`),
  },
  twoContentTypes: {
    why: 'two Content-Type headers',
    text: 'which',
    bytes: utf(`${plainHead('two-types', 'Content-Type: text/plain\r\nContent-Type: text/html\r\n')}\r\nwhich\r\n`),
  },
  attachedMessage: {
    why: 'a message inside a message, with its own attachment',
    text: 'outer',
    files: ['inner.txt'],
    bytes: utf(
      `${plainHead('outer', 'Content-Type: multipart/mixed; boundary="o"\r\n')}\r\n--o\r\n\r\nouter\r\n--o\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@gen.test.local\r\nSubject: Inside\r\nContent-Type: multipart/mixed; boundary="i"\r\n\r\n--i\r\n\r\ninside text\r\n--i\r\nContent-Type: text/plain; name="inner.txt"\r\nContent-Disposition: attachment; filename="inner.txt"\r\n\r\nfile\r\n--i--\r\n--o--\r\n`,
    ),
  },
  fileNames: {
    why: 'file names by RFC 2231, encoded words, raw bytes and with a path',
    text: 'names',
    files: ['naïve file.txt', 'ünï.txt', 'passwd'],
    bytes: utf(
      `${plainHead('names', 'Content-Type: multipart/mixed; boundary="b"\r\n')}\r\n--b\r\n\r\nnames\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename*=UTF-8''na%C3%AFve%20file.txt\r\n\r\n1\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename="=?UTF-8?Q?=C3=BCn=C3=AF.txt?="\r\n\r\n2\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename="../../etc/passwd"\r\n\r\n3\r\n--b--\r\n`,
    ),
  },
  longLine: {
    why: 'one line of 100,000 characters',
    text: 'xxxx',
    bytes: utf(`${plainHead('long')}\r\n${'x'.repeat(100_000)}\r\n`),
  },
  longHeader: {
    why: '2,000 recipients in one header',
    bytes: utf(
      `${plainHead('recipients')}Cc: ${Array.from({ length: 2000 }, (_, k) => `r${k}@gen.test.local`).join(',\r\n ')}\r\n\r\nmany\r\n`,
    ),
  },
  nulBytes: { why: 'NUL bytes in header and body', bytes: latin(`${plainHead('nul')}X-Nul: a\0b\r\n\r\nbe\0fore\r\n`) },
  badDate: {
    why: 'a Date nobody can read',
    text: 'when',
    bytes: utf(`${plainHead('date')}\r\nwhen\r\n`.replace(/Date: .*\r\n/, 'Date: yesterday, maybe\r\n')),
  },
  badAddresses: {
    why: 'addresses without a domain, groups, open quotes and angles',
    text: 'who',
    bytes: utf(
      `${plainHead('addresses')}Cc: undisclosed-recipients:;, "open <a@b, <c@d\r\nReply-To: nobody\r\n\r\nwho\r\n`.replace(
        'Odd <odd@gen.test.local>',
        '"Odd, A." <odd@gen.test.local> (comment (nested))',
      ),
    ),
  },
  signed: {
    why: 'a signed message',
    text: 'signed text',
    files: ['signature.asc'],
    bytes: utf(
      `${plainHead('signed', 'Content-Type: multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"; boundary="s"\r\n')}\r\n--s\r\n\r\nsigned text\r\n--s\r\nContent-Type: application/pgp-signature; name="signature.asc"\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n--s--\r\n`,
    ),
  },
  bounce: {
    why: 'a delivery status notification',
    text: 'could not be delivered',
    bytes: utf(
      `${plainHead('bounce', 'Content-Type: multipart/report; report-type=delivery-status; boundary="r"\r\n')}\r\n--r\r\n\r\nYour message could not be delivered.\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; localhost\r\nOriginal-Envelope-Id: item-1\r\n\r\nFinal-Recipient: rfc822; gone@test.local\r\nAction: failed\r\nStatus: 5.1.1\r\n--r\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <original@gen.test.local>\r\n--r--\r\n`,
    ),
  },
} satisfies Record<string, Oddity>;
