import { Buffer } from 'node:buffer';

/** Numbers that look random and are the same each time (mulberry32). */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const WORDS: readonly string[][] = [
  'the invoice order meeting attached please find regards team offer number today delivery account'.split(' '),
  'Grüße für Straße Übersicht März Rechnung anbei schöne Köln müssen größer'.split(' '),
  'Привет счёт заказ встреча спасибо сегодня'.split(' '),
  '会議 日程 資料 添付 確認 株式会社'.split(' '),
  'facture numéro élève garçon où déjà'.split(' '),
];
/** By language, with how its letters become bytes where those are not UTF-8. */
const CHARSETS: readonly (readonly [string, (text: string) => Buffer])[] = [
  ['utf-8', text => Buffer.from(text)],
  ['iso-8859-1', text => Buffer.from(text, 'latin1')],
  ['utf-8', text => Buffer.from(text)],
  ['utf-8', text => Buffer.from(text)],
  ['windows-1252', text => Buffer.from(text, 'latin1')],
];
const qp = (bytes: Buffer): string =>
  [...bytes]
    .map(b =>
      (b >= 33 && b <= 126 && b !== 61) || b === 32 || b === 10
        ? String.fromCharCode(b)
        : b === 13
          ? ''
          : `=${b.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')
    .split('\n')
    .map(
      line =>
        line
          .replace(/ $/, '=20')
          .match(/(?:=[0-9A-F]{2}|.){1,70}/g)
          ?.join('=\r\n') ?? '',
    )
    .join('\r\n');
const b64 = (bytes: Buffer): string => bytes.toString('base64').replace(/.{76}/g, '$&\r\n');

/**
 * The message of that number: texts of five languages in the encodings of the field, alternatives, files, nested
 * messages, and a share of oddities.
 */
export function generated(n: number): Buffer {
  const next = seeded(n * 7919 + 1);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(next() * all.length)]!;
  const chance = (share: number) => next() < share;
  const language = Math.floor(next() * WORDS.length);
  const [charset, encode] = CHARSETS[language]!;
  const words = (count: number) => Array.from({ length: count }, () => pick(WORDS[language]!)).join(' ');
  const word = (text: string) =>
    /^[\x20-\x7e]*$/.test(text) && chance(0.9)
      ? text
      : chance(0.5)
        ? `=?${charset}?B?${encode(text).toString('base64')}?=`
        : `=?${charset}?Q?${[...encode(text)].map(b => (b === 32 ? '_' : /[A-Za-z0-9]/.test(String.fromCharCode(b)) ? String.fromCharCode(b) : `=${b.toString(16).toUpperCase()}`)).join('')}?=`;
  const encoded = (head: string, bytes: Buffer): Buffer => {
    const kind = pick(['base64', 'quoted-printable', '8bit']);
    return Buffer.concat([
      Buffer.from(`${head}\r\nContent-Transfer-Encoding: ${kind}\r\n\r\n`),
      kind === 'base64' ? Buffer.from(b64(bytes)) : kind === 'quoted-printable' ? Buffer.from(qp(bytes)) : bytes,
    ]);
  };
  const text = () =>
    encoded(
      `Content-Type: text/plain; charset=${charset}`,
      encode(Array.from({ length: 1 + Math.floor(next() * 8) }, () => words(8)).join('\r\n')),
    );
  const html = () =>
    encoded(`Content-Type: text/html; charset="${charset}"`, encode(`<html><body><p>${words(20)}</p></body></html>`));
  const file = (i: number) => {
    const name = chance(0.5) ? `file-${i}.bin` : `${words(1)} ${i}.pdf`;
    const bytes = Buffer.from(Array.from({ length: Math.floor(next() * 400) }, () => Math.floor(next() * 256)));
    const spelled = /^[\x20-\x7e]*$/.test(name) ? `filename="${name}"` : `filename*=utf-8''${encodeURIComponent(name)}`;
    return Buffer.from(
      `Content-Type: application/octet-stream\r\nContent-Disposition: ${pick(['attachment', 'inline'])}; ${spelled}\r\nContent-Transfer-Encoding: base64\r\n\r\n${b64(bytes)}`,
    );
  };
  let boundaries = 0;
  const multi = (subtype: string, parts: Buffer[]): Buffer => {
    const boundary = `b${n}_${boundaries++}`;
    return Buffer.concat([
      Buffer.from(`Content-Type: multipart/${subtype}; boundary="${boundary}"\r\n\r\n`),
      ...parts.flatMap(part => [Buffer.from(`--${boundary}\r\n`), part, Buffer.from('\r\n')]),
      Buffer.from(`--${boundary}--\r\n`),
    ]);
  };
  const alternative = () => multi('alternative', [text(), html()]);
  const embedded = () =>
    Buffer.concat([
      Buffer.from(
        `Content-Type: message/rfc822\r\n\r\nFrom: x@y.example\r\nSubject: ${words(2).replace(/[^ -~]/g, 'x')}\r\n`,
      ),
      text(),
    ]);
  const body = pick([
    text,
    html,
    alternative,
    () => multi('mixed', [text(), file(0)]),
    () => multi('mixed', [alternative(), file(0), file(1)]),
    () => multi('related', [html(), file(0)]),
    () => multi('mixed', [text(), embedded()]),
  ])();
  const from = pick([
    `${word(words(2))} <a${n}@shop.example>`,
    `a${n}@shop.example`,
    `"${words(1).replace(/[^ -~]/g, 'x')}, ${n}" <a${n}@shop.example>`,
    `Shop, Team <a${n}@shop.example>`,
  ]);
  const date = pick([
    'Mon, 02 Nov 2026 10:00:00 +0100',
    '2 Nov 26 10:00 EST',
    'Mon, 02 Nov 2026 10:00:00',
    'Mon, 2 Nov 2026 10:00:00 GMT',
  ]);
  const head = [
    `From: ${from}`,
    `To: ${word(words(1))} <b@b.example>, c@c.example`,
    `Subject: ${word(words(5))}`,
    `Date: ${date}`,
    `Message-ID: <${n}@gen.example>`,
    'MIME-Version: 1.0',
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n`), body]);
}
