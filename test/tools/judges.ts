import { createHash } from 'node:crypto';
import libmime from 'libmime';
import { simpleParser } from 'mailparser';
import PostalMime from 'postal-mime';

/*
 * Three other readers of mail, for what only somebody else can say: mailparser, postal-mime, and libmime for single
 * fields. Ours is right where one of them agrees; where none does, the difference has a name here, or is a fault.
 */

/** What of a message is compared. Words are compared without regard to how their lines are broken. */
export interface View {
  subject: string;
  from: string;
  text: string;
  html: string;
  files: string;
}
export type Field = keyof View;
const FIELDS: readonly Field[] = ['subject', 'from', 'text', 'html', 'files'];

const plain = (text: string | undefined | false): string =>
  (text || '')
    .replace(/[\s\p{Cc}\u00a0]+/gu, ' ')
    .trim()
    .slice(0, 200_000);
const files = (all: readonly Uint8Array[]): string =>
  all
    .map(bytes => `${bytes.length}:${createHash('sha1').update(bytes).digest('base64').slice(0, 6)}`)
    .sort()
    .join(' ');

/** A message as Mailroom gives it, with its files fetched. */
export const viewOf = (
  message: {
    subject?: string | undefined;
    from?: { email: string } | undefined;
    text?: string | undefined;
    html?: string | undefined;
    textFromHtml?: boolean | undefined;
  },
  content: readonly Uint8Array[],
): View => ({
  subject: plain(message.subject),
  from: (message.from?.email ?? '').toLowerCase(),
  // The judges make no text of the HTML.
  text: message.textFromHtml ? '' : plain(message.text),
  html: plain(message.html),
  files: files(content),
});

const address = (one: string | undefined): string =>
  one && one.lastIndexOf('@') > 0 && !/\s/.test(one) ? one.toLowerCase() : '';

/** What the judges say. One that throws has no say. */
export async function judged(source: Buffer): Promise<Record<string, View>> {
  const out: Record<string, View> = {};
  try {
    const mail = await simpleParser(source, { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true });
    const from = mail.from?.value
      .flatMap(one => [one, ...(one.group ?? [])])
      .map(one => address(one.address))
      .find(Boolean);
    out.mailparser = {
      subject: plain(mail.subject),
      from: from ?? '',
      text: plain(mail.text),
      html: plain(mail.html),
      files: files(mail.attachments.map(one => one.content)),
    };
  } catch {
    /* it has no say */
  }
  try {
    const mail = await PostalMime.parse(source, { attachmentEncoding: 'arraybuffer', forceRfc822Attachments: true });
    const from = [mail.from, ...(mail.from?.group ?? [])].map(one => address(one?.address)).find(Boolean);
    out.postalMime = {
      subject: plain(mail.subject),
      from: from ?? '',
      text: plain(mail.text),
      html: plain(mail.html),
      files: files(mail.attachments.map(one => new Uint8Array(one.content as ArrayBuffer))),
    };
  } catch {
    /* it has no say */
  }
  try {
    const head = source
      .subarray(0, 200_000)
      .toString('utf8')
      .split(/\r?\n\r?\n/)[0]!;
    const { subject } = libmime.decodeHeaders(head);
    out.libmime = {
      ...(out.mailparser ?? out.postalMime!),
      subject: plain(subject ? libmime.decodeWords(subject.at(-1)!) : ''),
    };
  } catch {
    /* it has no say */
  }
  return out;
}

export interface Difference {
  field: Field;
  ours: string;
  theirs: Record<string, string>;
  name: string | undefined;
}

/** Why Mailroom reads something as none of the judges does, on purpose. */
export const NAMED: readonly {
  name: string;
  reason: string;
  is(field: Field, ours: string, theirs: readonly string[], source: string): boolean;
}[] = [
  {
    name: 'no agreement',
    reason: 'The judges do not agree with each other either: nobody can say what is right.',
    is: (_, __, theirs) => new Set(theirs).size > 1,
  },
  {
    name: 'replacement',
    reason: 'Bytes that are none in their charset: how many signs stand for them is not settled.',
    is: (field, ours, theirs) => field !== 'files' && theirs.some(one => scrub(one) === scrub(ours)),
  },
  {
    name: 'unclosed quote',
    reason: 'The boundary ends with its line where its quote is not closed; the judges find no parts then.',
    is: (_, __, ___, source) => /boundary="[^"\r\n]*\r?\n/i.test(source),
  },
  {
    name: 'malformed type',
    reason:
      '`text/html charset=utf-8` and the like are read as every mail program reads them; the judges make files of them, or nothing.',
    is: (_, __, ___, source) =>
      /^content-type:(?!\s*[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(?:;|\r?\n(?![ \t])))/im.test(source),
  },
  {
    name: 'more',
    reason: 'Where the judges find nothing, Mailroom shows what is there.',
    is: (field, ours, theirs) => field !== 'from' && !!ours && theirs.every(one => !one),
  },
  {
    name: 'no address',
    reason: 'What has brackets in it is no address.',
    is: (field, ours, theirs) => field === 'from' && !ours && theirs.every(one => /[<>()\p{Cc}]/u.test(one)),
  },
  {
    name: 'uuencode',
    reason: 'The judges leave x-uuencode as it is.',
    is: (field, _, __, source) => field === 'files' && /x-uu/i.test(source),
  },
];
const scrub = (text: string) => text.replace(/[^\x20-\x7e]+/g, '').replace(/[?\s]+/g, '');

/** Where Mailroom agrees with none of the judges. */
export function differences(ours: View, judges: Record<string, View>, source: Buffer): Difference[] {
  const all = Object.entries(judges);
  const out: Difference[] = [];
  if (!all.length) return out;
  const text = source.toString('latin1');
  for (const field of FIELDS) {
    if (all.some(([, view]) => view[field] === ours[field])) continue;
    const theirs = Object.fromEntries(all.map(([name, view]) => [name, view[field]]));
    out.push({
      field,
      ours: ours[field],
      theirs,
      name: NAMED.find(({ is }) => is(field, ours[field], Object.values(theirs), text))?.name,
    });
  }
  return out;
}
