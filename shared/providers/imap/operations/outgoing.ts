import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { domainToASCII } from 'node:url';
import type { SendMailOptions } from 'nodemailer';
import { parseAddress } from '../../../address.js';
import { isMailError, MailError } from '../../../errors.js';
import type { FileValue } from '../../../fields.js';
import type { Address } from '../../../vocabulary.js';
import { sameSpelling } from '../messages/answer.js';
import { checkFiles, ownHeaders, refuse, TOO_LONG, TOO_LONG_SAID } from './headerChecks.js';
import { composed, ONE_PIECE, streamed } from '../mime/compose.js';
import type { Mail, More } from './mailFields.js';

/**
 * What has to be in memory, as a copy for the Sent folder has, may be so large; larger messages are sent without one.
 * In bytes.
 */
export const LARGEST_COPY = 48 * 1024 * 1024;

/** The three spellings that mail programs look for; RFC 4021 section 2.1.55 knows one of them. */
const PRIORITY = {
  high: [
    { key: 'X-Priority', value: '1 (Highest)' },
    { key: 'X-MSMail-Priority', value: 'High' },
    { key: 'Importance', value: 'High' },
  ],
  low: [
    { key: 'X-Priority', value: '5 (Lowest)' },
    { key: 'X-MSMail-Priority', value: 'Low' },
    { key: 'Importance', value: 'Low' },
  ],
} as const;

const person = (written: string): Address => parseAddress(written)!;
const toLibrary = ({ email, name }: Address) => ({ name: name ?? '', address: email });
export const isForeign = (email: string) => /[^\x00-\x7f]/.test(email.slice(0, email.lastIndexOf('@')));

/** A Message-ID nobody else chooses, at the sender's domain (RFC 5322 section 3.6.4). */
export const newMessageId = (from: string) =>
  `${Date.now().toString(36)}.${randomUUID().replaceAll('-', '').slice(0, 24)}@${domainOf(from)}`;
const domainOf = (email: string) => {
  const domain = email.slice(email.lastIndexOf('@') + 1);
  return domainToASCII(domain) || domain;
};
/**
 * An address as it goes over the wire: the domain in the letters DNS knows, unless the address is international anyway
 * (RFC 6531 section 3.3).
 */
export const onWire = (email: string) =>
  isForeign(email) ? email : `${email.slice(0, email.lastIndexOf('@'))}@${domainOf(email)}`;

/**
 * A mail that was checked and can be sent. `size` is estimated, in bytes; `foreign` are the international addresses in
 * it (RFC 6531).
 */
export interface Outgoing {
  /** The Message-ID without its brackets. */
  id: string;
  from: Address;
  bcc: readonly Address[];
  /** All recipients as they go over the wire, each once. */
  everyone: string[];
  foreign: string[];
  size: number;
  /** Small enough to be put together in memory at once. */
  small: boolean;
  /** It holds a message, whose bytes may not be encoded. */
  eightBit: boolean;
  /**
   * The message for the library, made anew for each try, because a stream can be read only once; everything that names
   * it stays the same.
   */
  compose(): Promise<SendMailOptions>;
}

/**
 * Checks a mail. Throws `invalid_input` with everything that could add a header or a recipient, or that no header can
 * hold.
 */
export function outgoing(mail: Mail, own: string | undefined, more: More): Outgoing {
  const from = mail.from
    ? person(mail.from)
    : own
      ? { email: own }
      : refuse([
          { field: 'from', message: 'From is required, because the user name of the account is no e-mail address.' },
        ]);
  const to = (mail.to ?? []).map(person);
  const cc = (mail.cc ?? []).map(person);
  const bcc = (mail.bcc ?? []).map(person);
  const spellings = new Set<string>();
  const everyone = [...to, ...cc, ...bcc]
    .filter(({ email }) => !spellings.has(sameSpelling(email)) && spellings.add(sameSpelling(email)))
    .map(one => onWire(one.email));
  if (!everyone.length && !more.draft) refuse([{ field: 'to', message: 'At least one recipient is required.' }]);
  const headers = ownHeaders(mail.headers);
  checkForm(mail);
  const invitation = invitationOf(mail);
  if (mail.notify?.includes('never') && mail.notify.length > 1)
    refuse([{ field: 'notify', message: 'Never cannot be combined with other notifications.' }]);
  const id = (mail.messageId ?? newMessageId(from.email)).replace(/^<|>$/g, '');
  const extra = extraHeaders(mail, more);
  const files = [...(mail.attachments ?? []), ...(mail.inlineImages ?? [])];
  const size = estimate(mail, files);
  const small = size <= ONE_PIECE && files.every(one => one.size !== undefined);
  const replyTo = mail.replyTo ? person(mail.replyTo) : undefined;
  const date = new Date();
  const images = named(mail.html ?? '', mail.inlineImages ?? []);
  return {
    id,
    from,
    bcc,
    everyone,
    size,
    small,
    eightBit: files.some(one => /^message\//i.test(one.type)),
    // The header counts as much as the envelope.
    foreign: [from.email, ...everyone, ...(replyTo ? [replyTo.email] : [])].filter(isForeign),
    compose: async () => ({
      from: toLibrary(from),
      to: to.map(toLibrary),
      cc: cc.map(toLibrary),
      subject: mail.subject ?? '',
      date,
      messageId: `<${id}>`,
      ...(replyTo ? { replyTo: toLibrary(replyTo) } : {}),
      ...(more.inReplyTo ? { inReplyTo: more.inReplyTo } : {}),
      ...(more.references?.length ? { references: more.references } : {}),
      ...(mail.text !== undefined || !mail.html ? { text: mail.text ?? '' } : {}),
      ...(mail.html ? { html: images.html } : {}),
      headers: [...headers, ...extra],
      ...(invitation ? { icalEvent: invitation } : {}),
      attachments: [
        ...(await Promise.all((mail.attachments ?? []).map(one => attached(one, false, small)))),
        ...(await Promise.all(images.files.map(one => attached(one, true, small)))),
      ],
    }),
  };
}

function checkForm(mail: Mail): void {
  const badFiles = [
    ...checkFiles('attachments', 'Attachments', mail.attachments),
    ...checkFiles('inlineImages', 'Inline Images', mail.inlineImages),
  ];
  if (badFiles.length) refuse(badFiles);
  if (TOO_LONG.test(mail.subject ?? '')) refuse([{ field: 'subject', message: `Subject ${TOO_LONG_SAID}` }]);
  if (mail.unsubscribeUrl && TOO_LONG.test(new URL(mail.unsubscribeUrl).href))
    refuse([{ field: 'unsubscribeUrl', message: `Unsubscribe URL ${TOO_LONG_SAID}` }]);
}

/**
 * The type of the part and the property in it have to say the same (RFC 6047 section 2.4); what the text says is what
 * was meant.
 */
function invitationOf(mail: Mail): { method: string; content: string } | undefined {
  let calendar = mail.calendar?.trim();
  if (!calendar) return undefined;
  if (!/^BEGIN:VCALENDAR/i.test(calendar))
    refuse([{ field: 'calendar', message: 'Calendar Invitation must begin with BEGIN:VCALENDAR.' }]);
  const method = /^METHOD:([A-Z-]+)/im.exec(calendar)?.[1]?.toUpperCase() ?? mail.calendarMethod ?? 'REQUEST';
  if (!/^METHOD:/im.test(calendar)) calendar = calendar.replace(/^BEGIN:VCALENDAR\s*?$/im, `$&\r\nMETHOD:${method}`);
  return { method, content: calendar.replace(/\r?\n/g, '\r\n') };
}

function extraHeaders(mail: Mail, more: More): { key: string; value: string }[] {
  const unsubscribe = [
    ...(mail.unsubscribeUrl ? [`<${new URL(mail.unsubscribeUrl).href}>`] : []),
    ...(mail.unsubscribeEmail ? [`<mailto:${encodeURIComponent(mail.unsubscribeEmail).replace('%40', '@')}>`] : []),
  ];
  return [
    ...(unsubscribe.length ? [{ key: 'List-Unsubscribe', value: unsubscribe.join(', ') }] : []),
    ...(mail.unsubscribeUrl?.startsWith('https:')
      ? [{ key: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' }]
      : []),
    ...(mail.priority && mail.priority !== 'normal' ? PRIORITY[mail.priority] : []),
    ...(more.automatic ? [{ key: 'Auto-Submitted', value: 'auto-replied' }] : []),
    ...(more.notes ?? []),
  ];
}

/**
 * The bytes of a mail: in one piece where it is small or `keep` says so and it is not too large, else as a stream that
 * is made anew each time.
 */
export interface Bytes {
  load(): Promise<Buffer | Readable>;
  readonly whole: Buffer | undefined;
}

export function bytesOf(mail: Outgoing, keep: boolean): Bytes {
  let once = mail.small || (keep && mail.size <= LARGEST_COPY);
  let whole: Buffer | undefined;
  return {
    get whole() {
      return whole;
    },
    async load() {
      try {
        if (once && !whole) once = (whole = await composed(await mail.compose(), LARGEST_COPY)) !== undefined;
        return whole ?? (await streamed(await mail.compose()));
      } catch (error) {
        if (isMailError(error)) throw error;
        throw new MailError('invalid_input', `An attachment could not be read: ${(error as Error).message}`, {
          issues: [{ field: 'attachments', message: 'An attachment could not be read.' }],
          cause: error,
        });
      }
    },
  };
}

const attached = async (one: FileValue, inline: boolean, whole: boolean) => ({
  filename: one.name,
  contentType: typeOf(one.type),
  contentDisposition: 'attachment' as const,
  content: whole ? await wholeOf(one) : Readable.from(one.open(), { objectMode: false }),
  ...(inline || one.contentId ? { cid: one.contentId ?? one.name, contentDisposition: 'inline' as const } : {}),
});

/** A type a file can have: one that announces parts would make the message fall apart. */
const typeOf = (type: string) =>
  /^(?!multipart\/)[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;.*)?$/i.test(type) ? type : 'application/octet-stream';

/**
 * Content ids are ASCII without spaces (RFC 2392); where the name of an image is not, it gets another, in the HTML too.
 */
function named(html: string, files: readonly FileValue[]): { html: string; files: FileValue[] } {
  const all = files.map((one, i) => {
    const id = one.contentId ?? one.name;
    if (/^[!-;=?-~]+$/.test(id)) return one;
    const safe = `image${i + 1}.${randomUUID().slice(0, 8)}`;
    for (const spelled of [id, encodeURI(id), encodeURIComponent(id), escaped(id)])
      html = html.replaceAll(`cid:${spelled}`, `cid:${safe}`);
    return { ...one, name: one.name, type: one.type, contentId: safe, open: () => one.open() };
  });
  return { html, files: all };
}

/** A file that says of itself that it is small; one that is not ends the attempt. */
async function wholeOf(one: FileValue): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of one.open()) {
    parts.push(part);
    if ((size += part.byteLength) > LARGEST_COPY)
      throw new Error(`${one.name} has more than the ${one.size} bytes it was said to have`);
  }
  return Buffer.concat(parts, size);
}

/** About how many bytes go over the wire; base64 adds 37 percent. Files of unknown size count nothing. */
const estimate = (mail: Mail, files: readonly FileValue[]): number =>
  2000 +
  (mail.text?.length ?? 0) +
  (mail.html?.length ?? 0) +
  Math.ceil(files.reduce((sum, one) => sum + (one.size ?? 0), 0) * 1.37);

/** For a value that stands in HTML. */
export const escaped = (value: string): string => value.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
