import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { domainToASCII } from 'node:url';
import type { SendMailOptions } from 'nodemailer';
import { formatAddress, parseAddress } from '../../../address.js';
import { isMailError, MailError, type Issue } from '../../../errors.js';
import { choice, file, flag, list, text, type FileValue, type Values } from '../../../fields.js';
import { pause } from '../../../wait.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Address, Receipt } from '../../../vocabulary.js';
import { endpoint, settingsOf } from '../account/fields.js';
import { append } from './change.js';
import { composed, ONE_PIECE, streamed } from '../mime/compose.js';
import { granted, withFolder, withImap, addressOf } from '../session/imapPool.js';
import { fetchParts, fill, inPlace, partFile, rowOf, sourceFile, SUMMARY, toMessage, readParts } from '../messages/content.js';
import { headerFields } from '../mime/decode.js';
import { mendRows } from '../wire/fetch.js';
import { folderFor } from './folder.js';
import { gone, placeOf, RESET, type Place } from '../messages/id.js';
import { messageField } from './message.js';
import { outline, type Outline } from '../mime/structure.js';
import type { Envelope, SmtpFailure, Wire } from '../wire/smtpData.js';
import { abilitiesOf, deliver, isTemporary, smtpError, smtpWords } from '../session/smtpPool.js';

/** A message is offered three times at most, with the same Message-ID; in milliseconds, between the tries. */
const WAITS = [1_000, 5_000];
/** Retries end after this time, in milliseconds. */
const LONGEST = 30_000;
/** A copy for the Sent folder has to be in memory; larger messages are sent without one. In bytes. */
const LARGEST_COPY = 48 * 1024 * 1024;

const address = (label: string, more: { help?: string } = {}) => text(label, { format: 'address', maxLength: 1000, ...more });
const addresses = (label: string) => list(label, text(label, { format: 'address', maxLength: 1000 }),
  { maxItems: 1000, help: 'Each address alone or with a name before it, as in Ann Lee <ann@example.com>.' });

const BODY = {
  text: text('Text', { lines: 10, maxLength: 10_000_000 }),
  html: text('HTML', { format: 'html', lines: 10, maxLength: 10_000_000 }),
  attachments: list('Attachments', file('Attachment'), { maxItems: 1000 }),
  inlineImages: list('Inline Images', file('Inline Image'),
    { maxItems: 200, help: 'Shown in the HTML by src="cid:NAME", where NAME is the content id or the file name.' }),
};
const ENVELOPE = {
  from: address('From', { help: 'The account\'s own address unless given.' }),
  replyTo: address('Reply To'),
  headers: list('Headers', text('Header', { maxLength: 2000 }), { maxItems: 100, help: 'More header fields, one an entry, as Name: value.' }),
  priority: choice('Priority', { high: 'High', normal: 'Normal', low: 'Low' }),
  unsubscribeUrl: text('Unsubscribe URL', { format: 'uri', maxLength: 2000,
    help: 'Put into List-Unsubscribe; with https also offered as one click (RFC 8058).' }),
  unsubscribeEmail: text('Unsubscribe Address', { format: 'email', help: 'Put into List-Unsubscribe.' }),
  notify: list('Delivery Notifications', choice('Notification', { success: 'On Success', failure: 'On Failure', delay: 'On Delay', never: 'Never' }),
    { maxItems: 3, help: 'What the recipients\' servers report back (RFC 3461).' }),
  calendar: text('Calendar Invitation', { lines: 8, maxLength: 1_000_000, help: 'An iCalendar text that begins with BEGIN:VCALENDAR.' }),
  calendarMethod: choice('Calendar Method', { REQUEST: 'Request', REPLY: 'Reply', CANCEL: 'Cancel', PUBLISH: 'Publish' }, { default: 'REQUEST' }),
  saveToSent: choice('Save to Sent', { automatic: 'Automatic', yes: 'Yes', no: 'No' },
    { default: 'automatic', help: 'Automatic saves a copy unless the server is known to do it by itself.' }),
  messageId: text('Message-ID', { maxLength: 250, pattern: '^<?[!-;=?A-~]+@[!-;=?A-~]+>?$', example: 'order-4711@example.com',
    help: 'Chosen by you so that a repeated attempt can be recognised; random unless given.' }),
};
const SUBJECT = { maxLength: 2000, pattern: '^\\P{Cc}*$' } as const;
const sendInput = {
  to: addresses('To'), cc: addresses('Cc'), bcc: addresses('Bcc'), subject: text('Subject', { ...SUBJECT, default: '' }), ...BODY, ...ENVELOPE,
};
type Mail = Partial<Values<typeof sendInput>>;
/** What replies and forwards add to a mail. */
interface More { inReplyTo?: string; references?: string[]; extra?: { name: string; value: string }[]; automatic?: boolean }

const refuse = (issues: Issue[]): never => { throw new MailError('invalid_input', issues.map(issue => issue.message).join(' '), { issues }); };

/** Fields that have a place of their own, or that make a message what it is. */
const RESERVED = new RegExp('^(from|sender|to|cc|bcc|subject|date|message-id|in-reply-to|references|reply-to|mime-version|content-.*|return-path'
  + '|received|dkim-signature|list-unsubscribe.*|resent-.*|apparently-to)$', 'i');

function ownHeaders(lines: readonly string[] | undefined): { key: string; value: string }[] {
  return (lines ?? []).map((line, i) => {
    const found = /^([!-9;-~]{1,76})\s*:[ \t]*(\S.*)$/u.exec(line);
    if (!found) return refuse([{ field: 'headers', message: `Headers entry ${i + 1} must have the form Name: value.` }]);
    const [, key, value] = found as unknown as [string, string, string];
    if (/\p{Cc}/u.test(value.replace(/\t/g, ' '))) return refuse([{ field: 'headers',
      message: `Headers entry ${i + 1} must not contain control characters.` }]);
    if (RESERVED.test(key)) return refuse([{ field: 'headers',
      message: `The header ${key} cannot be set this way; it has a field of its own or belongs to the message's structure.` }]);
    if (TOO_LONG.test(value)) return refuse([{ field: 'headers', message: `Headers entry ${i + 1} ${TOO_LONG_SAID}` }]);
    return { key, value };
  });
}

/** What cannot be folded has to fit into a line of 998 characters (RFC 5322 section 2.1.1); other letters than ASCII are encoded, and so can be. */
const TOO_LONG = /[!-~]{900}/, TOO_LONG_SAID = 'has 900 characters or more without a space, which no line of a header can hold.';

/** Names and types come from anywhere, and stand in headers too. */
function checkFiles(field: string, label: string, files: readonly FileValue[] | undefined): Issue[] {
  return (files ?? []).flatMap((one, i) => [one.name, one.type, one.contentId ?? ''].some(value => /\p{Cc}/u.test(value))
    ? [{ field, message: `${label} entry ${i + 1} has a line break or another control character in its name, type or content id.` }] : []);
}

/** The three spellings that mail programs look for; RFC 4021 section 2.1.55 knows one of them. */
const PRIORITY = {
  high: [{ key: 'X-Priority', value: '1 (Highest)' }, { key: 'X-MSMail-Priority', value: 'High' }, { key: 'Importance', value: 'High' }],
  low: [{ key: 'X-Priority', value: '5 (Lowest)' }, { key: 'X-MSMail-Priority', value: 'Low' }, { key: 'Importance', value: 'Low' }],
} as const;

const person = (written: string): Address => parseAddress(written)!;
const toLibrary = ({ email, name }: Address) => ({ name: name ?? '', address: email });
const isForeign = (email: string) => /[^\x00-\x7f]/.test(email.slice(0, email.lastIndexOf('@')));

/** A Message-ID nobody else chooses, at the sender's domain (RFC 5322 section 3.6.4). */
const newMessageId = (from: string) => `${Date.now().toString(36)}.${randomUUID().replaceAll('-', '').slice(0, 24)}@${domainOf(from)}`;
const domainOf = (email: string) => { const domain = email.slice(email.lastIndexOf('@') + 1); return domainToASCII(domain) || domain; };
/** An address as it goes over the wire: the domain in the letters DNS knows, unless the address is international anyway (RFC 6531 section 3.3). */
const onWire = (email: string) => isForeign(email) ? email : `${email.slice(0, email.lastIndexOf('@'))}@${domainOf(email)}`;

/** Sends one mail, and says exactly what became of it. */
async function send(ctx: Context, mail: Mail, more: More = {}): Promise<Receipt> {
  const settings = settingsOf(ctx);
  const end = endpoint(ctx, 'smtp');
  const from = mail.from ? person(mail.from) : settings.address ? { email: settings.address }
    : refuse([{ field: 'from', message: 'From is required, because the user name of the account is no e-mail address.' }]);
  const to = (mail.to ?? []).map(person), cc = (mail.cc ?? []).map(person), bcc = (mail.bcc ?? []).map(person);
  const everyone = [...new Set([...to, ...cc, ...bcc].map(one => onWire(one.email)))];
  if (!everyone.length) refuse([{ field: 'to', message: 'At least one recipient is required.' }]);
  const headers = ownHeaders(mail.headers);
  const badFiles = [...checkFiles('attachments', 'Attachments', mail.attachments), ...checkFiles('inlineImages', 'Inline Images', mail.inlineImages)];
  if (badFiles.length) refuse(badFiles);
  if (TOO_LONG.test(mail.subject ?? '')) refuse([{ field: 'subject', message: `Subject ${TOO_LONG_SAID}` }]);
  if (mail.unsubscribeUrl && TOO_LONG.test(new URL(mail.unsubscribeUrl).href)) refuse([{ field: 'unsubscribeUrl',
    message: `Unsubscribe URL ${TOO_LONG_SAID}` }]);
  let calendar = mail.calendar?.trim();
  if (calendar && !/^BEGIN:VCALENDAR/i.test(calendar)) refuse([{ field: 'calendar', message: 'Calendar Invitation must begin with BEGIN:VCALENDAR.' }]);
  // The type of the part and the property in it have to say the same (RFC 6047 section 2.4); what the text says is what was meant.
  const method = /^METHOD:([A-Z-]+)/im.exec(calendar ?? '')?.[1]?.toUpperCase() ?? mail.calendarMethod ?? 'REQUEST';
  if (calendar && !/^METHOD:/im.test(calendar)) calendar = calendar.replace(/^BEGIN:VCALENDAR\s*?$/im, `$&\r\nMETHOD:${method}`);
  if (mail.notify?.includes('never') && mail.notify.length > 1) refuse([{ field: 'notify', message: 'Never cannot be combined with other notifications.' }]);
  const id = (mail.messageId ?? newMessageId(from.email)).replace(/^<|>$/g, '');
  const unsubscribe = [...(mail.unsubscribeUrl ? [`<${new URL(mail.unsubscribeUrl).href}>`] : []),
    ...(mail.unsubscribeEmail ? [`<mailto:${encodeURIComponent(mail.unsubscribeEmail).replace('%40', '@')}>`] : [])];
  const extra = [
    ...(unsubscribe.length ? [{ key: 'List-Unsubscribe', value: unsubscribe.join(', ') }] : []),
    ...(mail.unsubscribeUrl?.startsWith('https:') ? [{ key: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' }] : []),
    ...(mail.priority && mail.priority !== 'normal' ? PRIORITY[mail.priority] : []),
    ...(more.automatic ? [{ key: 'Auto-Submitted', value: 'auto-replied' }] : []),
  ];
  const files = [...mail.attachments ?? [], ...mail.inlineImages ?? []];
  const size = estimate(mail, files);

  const replyTo = mail.replyTo ? person(mail.replyTo) : undefined;
  // The header counts as much as the envelope.
  const foreign = [from.email, ...everyone, ...(replyTo ? [replyTo.email] : [])].filter(isForeign);
  if (foreign.length || mail.notify?.length || size > ONE_PIECE) {
    const can = await abilitiesOf(ctx);
    // The library would send the raw bytes to any server, and the recipient would be lost on the way (RFC 6531 section 3.1).
    if (foreign.length && !can.smtputf8) throw new MailError('unsupported',
      `SMTP at ${end.host} cannot deliver to international addresses (${foreign.join(', ')}): it does not offer SMTPUTF8.`);
    if (mail.notify?.length && !can.dsn) throw new MailError('unsupported', `SMTP at ${end.host} does not offer delivery notifications (DSN).`);
    if (can.size && size > can.size) throw new MailError('rejected',
      `The message is about ${size} bytes large; SMTP at ${end.host} takes ${can.size} at most.`);
  }

  const date = new Date();
  const images = named(mail.html ?? '', mail.inlineImages ?? []);
  /** Made anew for each try, because a stream can be read only once; everything that names the message stays the same. */
  const compose = async (): Promise<SendMailOptions> => ({
    from: toLibrary(from), to: to.map(toLibrary), cc: cc.map(toLibrary), subject: mail.subject ?? '', date, messageId: `<${id}>`,
    ...(replyTo ? { replyTo: toLibrary(replyTo) } : {}),
    ...(more.inReplyTo ? { inReplyTo: more.inReplyTo } : {}), ...(more.references?.length ? { references: more.references } : {}),
    ...(mail.text !== undefined || !mail.html ? { text: mail.text ?? '' } : {}), ...(mail.html ? { html: images.html } : {}),
    headers: [...headers, ...extra],
    ...(calendar ? { icalEvent: { method, content: calendar.replace(/\r?\n/g, '\r\n') } } : {}),
    attachments: [
      ...await Promise.all((mail.attachments ?? []).map(one => attached(one, false, small))),
      ...await Promise.all(images.files.map(one => attached(one, true, small))),
    ],
  });

  const copies = mail.saveToSent === 'yes' || (mail.saveToSent !== 'no' && !!settings.imap && !settings.savesSent);
  // What is small, and what is to be copied, is made once and kept.
  const small = size <= ONE_PIECE && files.every(one => one.size !== undefined);
  let keep = small || (copies && !!settings.imap && size <= LARGEST_COPY), bytes: Buffer | undefined;
  const load = async (): Promise<Buffer | Readable> => {
    try {
      if (keep && !bytes) keep = (bytes = await composed(await compose(), LARGEST_COPY)) !== undefined;
      return bytes ?? await streamed(await compose());
    } catch (error) {
      if (isMailError(error)) throw error;
      throw new MailError('invalid_input', `An attachment could not be read: ${(error as Error).message}`,
        { issues: [{ field: 'attachments', message: 'An attachment could not be read.' }], cause: error });
    }
  };
  const result = await offer(ctx, everyone, to => ({
    from: onWire(from.email), to, utf8: foreign.length > 0, eightBit: files.some(one => /^message\//i.test(one.type)),
      ...(bytes ? { size: bytes.length } : {}), ...(mail.notify?.length ? { notify: mail.notify, id } : {}),
  }), load);

  const saved = copies ? await save(ctx, settings.imap ? bytes : undefined, bcc, result.outcome) : undefined;
  return {
    id: `<${id}>`, outcome: result.outcome,
    native: {
      messageId: `<${id}>`, from: from.email, accepted: result.accepted, rejected: result.rejected, tries: result.tries,
      ...(result.response ? { response: result.response } : {}), ...(result.why ? { reason: result.why } : {}),
      ...(saved ?? { savedToSent: false }),
    },
  };
}

const attached = async (one: FileValue, inline: boolean, whole: boolean) => ({
  filename: one.name, contentType: typeOf(one.type), contentDisposition: 'attachment' as const,
    content: whole ? await wholeOf(one) : Readable.from(one.open(), { objectMode: false }),
  ...(inline || one.contentId ? { cid: one.contentId ?? one.name, contentDisposition: 'inline' as const } : {}),
});

/** A type a file can have: one that announces parts would make the message fall apart. */
const typeOf = (type: string) => /^(?!multipart\/)[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;.*)?$/i.test(type) ? type : 'application/octet-stream';

/** Content ids are ASCII without spaces (RFC 2392); where the name of an image is not, it gets another, in the HTML too. */
function named(html: string, files: readonly FileValue[]): { html: string; files: FileValue[] } {
  const all = files.map((one, i) => {
    const id = one.contentId ?? one.name;
    if (/^[!-;=?-~]+$/.test(id)) return one;
    const safe = `image${i + 1}.${randomUUID().slice(0, 8)}`;
    for (const spelled of [id, encodeURI(id), encodeURIComponent(id), escaped(id)]) html = html.replaceAll(`cid:${spelled}`, `cid:${safe}`);
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
    if ((size += part.byteLength) > LARGEST_COPY) throw new Error(`${one.name} has more than the ${one.size} bytes it was said to have`);
  }
  return Buffer.concat(parts, size);
}

/** About how many bytes go over the wire; base64 adds 37 percent. Files of unknown size count nothing. */
const estimate = (mail: Mail, files: readonly FileValue[]): number =>
  2000 + (mail.text?.length ?? 0) + (mail.html?.length ?? 0) + Math.ceil(files.reduce((sum, one) => sum + (one.size ?? 0), 0) * 1.37);

interface Rejection { address: string; code?: number; words: string }
interface Offered { outcome: 'done' | 'unknown'; accepted: string[]; rejected: Rejection[]; tries: number; response?: string; why?: string }

/**
 * Offers the message until it is taken, refused for good, or the tries are over; deferred recipients alone are tried again. When the connection
 * dies after the last byte the server may have the message (RFC 5321 section 4.5.4.2): that is said, and nothing is sent again.
 */
async function offer(ctx: Context, everyone: string[], envelope: (recipients: string[]) => Envelope, load: () => Promise<Buffer | Readable>): Promise<Offered> {
  const end = endpoint(ctx, 'smtp');
  const begun = performance.now();
  const accepted: string[] = [], rejected: Rejection[] = [];
  const rejection = (error: SmtpFailure, address = error.recipient ?? ''): Rejection =>
    ({ address, ...(error.responseCode ? { code: error.responseCode } : {}), words: smtpWords(error) });
  let pending = everyone;
  for (let tries = 1; ; tries++) {
    const wire: Wire = { begun: false, handed: false };
    const wait = WAITS[tries - 1];
    const last = wait === undefined || performance.now() - begun + wait > LONGEST;
    try {
      const to = pending;
      const info = await deliver(ctx, () => envelope(to), load, wire);
      accepted.push(...info.accepted);
      const errors = info.rejectedErrors;
      // As many recipients as this server takes at a time: the rest is offered at once, and that is no repetition (RFC 5321 section 4.5.3.1.10).
      const full = info.accepted.length > 0 && errors.some(error => error.responseCode === 452);
      const deferred = last && !full ? [] : errors.filter(isTemporary);
      rejected.push(...errors.filter(error => !deferred.includes(error)).map(error => rejection(error)));
      if (!deferred.length) return { outcome: 'done', accepted, rejected, tries, response: smtpWords({ response: info.response }) };
      pending = deferred.map(error => error.recipient!).filter(Boolean);
      if (full) { tries--; continue; }
    } catch (error) {
      const failure = error as SmtpFailure;
      if (wire.handed && failure.responseCode === undefined) {
        return {
          outcome: 'unknown', accepted, rejected, tries,
          why: `The connection ended after the whole message was handed over and before ${end.host} confirmed it `
            + `(${smtpWords(error)}). It may have been delivered; it is not sent again by itself.`,
        };
      }
      ctx.signal?.throwIfAborted();
      if (isMailError(error)) throw error;
      const each = failure.rejectedErrors ?? [];
      const again: SmtpFailure[] = each.length ? each.filter(isTemporary) : isTemporary(error) ? pending.map(recipient => ({ recipient })) : [];
      if (again.length && !last) {
        rejected.push(...each.filter(one => !again.includes(one)).map(one => rejection(one)));
        pending = again.map(one => one.recipient!).filter(Boolean);
      } else if (accepted.length) {
        rejected.push(...(each.length ? each.map(one => rejection(one)) : pending.map(recipient => rejection(failure, recipient))));
        return { outcome: 'done', accepted, rejected, tries };
      } else {
        const all = [...rejected, ...each.map(one => rejection(one))];
        if (all.length) {
          const temporary = each.length > 0 && each.every(isTemporary);
          throw new MailError(temporary ? 'unavailable' : 'rejected',
            `SMTP at ${end.host}:${end.port} refused ${all.map(one => `${one.address} (${one.words})`).join(', ')}.`,
            { cause: error, native: { rejected: all } });
        }
        throw await smtpError(error, end, await addressOf(ctx, end));
      }
    }
    await pause(wait!, ctx.signal);
  }
}

/** Puts the bytes that were sent into the Sent folder, with the blind copies on top. A failure does not undo the sending. */
async function save(ctx: Context, bytes: Buffer | undefined, bcc: readonly Address[], outcome: Offered['outcome']): Promise<Record<string, unknown>> {
  if (outcome === 'unknown') return { savedToSent: false, sentError: 'It is not certain that the message was sent.' };
  if (!bytes) return { savedToSent: false, sentError: 'The message is too large to be copied, or the account has no IMAP side.' };
  try {
    const folder = await withImap(ctx, client => folderFor(client, 'sent'));
    if (!folder) return { savedToSent: false, sentError: 'The account has no folder for sent mail.' };
    const blind = bcc.length ? Buffer.from(`Bcc: ${bcc.map(one => one.email).join(',\r\n ')}\r\n`) : Buffer.alloc(0);
    const put = await append(ctx, folder, Buffer.concat([blind, bytes]), ['\\Seen']);
    return { savedToSent: true, ...(put.id ? { sentId: put.id } : {}) };
  } catch (error) {
    return { savedToSent: false, sentError: (error as Error).message };
  }
}

/** What a reply or forward must know of the message it belongs to. */
interface Parent {
  from?: Address; replyTo: Address[]; to: Address[]; cc: Address[]; subject: string; id?: string; references: string[]; automatic: boolean;
  date?: string; text?: string; html?: string; shape?: Outline;
}

async function parentOf(ctx: Context, place: Place, texts: boolean): Promise<Parent> {
  return inPlace(ctx, place, async client => {
    const row = await rowOf(client, place, { ...SUMMARY, headers: ['references', 'in-reply-to', 'auto-submitted', 'list-id', 'precedence', 'return-path'] });
    if (!row) throw gone(placeId(place));
    await mendRows(client, [row]);
    const shape = outline(row.bodyStructure, row);
    const message = toMessage(row, place.folder, place.uidValidity, shape);
    if (texts && shape) await fetchParts(client, [{ uid: place.uid, parts: readParts(shape), header: false }],
      got => fill(message, shape, got));
    const header = (name: string) => headerFields(row.headers ?? Buffer.alloc(0)).find(field => field.name.toLowerCase() === name)?.value;
    // Ids that are none would make a header of ours that is none.
    const ids = (header('references') ?? header('in-reply-to') ?? '').match(MESSAGE_ID) ?? [];
    const id = row.envelope?.messageId?.match(MESSAGE_ID)?.[0];
    const replyTo = (row.envelope?.replyTo ?? []).flatMap(({ name, address }) => address ? [{ email: address, ...(name ? { name } : {}) }] : []);
    return {
      replyTo, to: message.to, cc: message.cc ?? [], subject: message.subject ?? '', references: chain(ids, id), ...(id ? { id } : {}),
        ...(message.from ? { from: message.from } : {}),
      automatic: /^(?!no\b)./i.test(header('auto-submitted') ?? '') || header('list-id') !== undefined
        || /^(bulk|list|junk)/i.test(header('precedence') ?? '') || /^\s*<\s*>/.test(header('return-path') ?? ''),
      ...(message.date ? { date: message.date } : {}),
        ...(message.text !== undefined ? { text: message.text } : message.html !== undefined ? { text: wordsIn(message.html) } : {}),
          ...(message.html === undefined ? {} : { html: message.html }), ...(shape ? { shape } : {}),
    };
  });
}
const MESSAGE_ID = /<[!-;=?-~]{1,900}>/g;
const placeId = (place: Place) => `${place.folder};UIDVALIDITY=${place.uidValidity};UID=${place.uid}`;

/** The words of an HTML text, for the part of a quotation that has none of its own. Takes time in proportion to its length, whatever it holds. */
function wordsIn(html: string): string {
  let hidden = '';
  const shown = html.split(/<(?=\/?(?:style|script|head)\b)/i).map((piece, i) => {
    if (!i) return piece;
    const [, end, name] = /^(\/?)(\w+)/.exec(piece)!.map(part => part.toLowerCase()) as [string, string, string];
    if (!hidden && end) return `<${piece}`;
    if (!hidden) { hidden = name; return ''; }
    if (!end || name !== hidden) return '';
    hidden = '';
    return piece.slice(piece.indexOf('>') + 1 || piece.length);
  }).join('');
  return shown.replace(/\s+/g, ' ').replace(/<(?:br|\/(?:p|div|tr|li|h\d|blockquote))\b[^<>]*>/gi, '\n').replace(/<[^<>]*>/g, '')
    .replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(lt|gt|amp|quot|nbsp));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
      if (name) return { lt: '<', gt: '>', amp: '&', quot: '"', nbsp: ' ' }[name.toLowerCase()] ?? whole;
      const code = decimal ? Number(decimal) : parseInt(hex!, 16);
      return code > 31 && code <= 0x10ffff ? String.fromCodePoint(code) : ' ';
    }).split('\n').map(line => line.trim()).join('\n').trim();
}

/** References of an answer (RFC 5322 section 3.6.4): at most twenty, the first and the newest. */
const chain = (before: readonly string[], id: string | undefined): string[] => {
  const all = [...new Set([...before, ...(id ? [id] : [])])];
  return all.length > 20 ? [all[0]!, ...all.slice(-19)] : all;
};

/** Sets a flag on the message that was answered or forwarded. Where that fails the mail is sent all the same. */
async function flagged(ctx: Context, place: Place, name: string): Promise<boolean> {
  try {
    await withFolder(ctx, place.folder, async (client, mailbox) => {
      if (String(mailbox.uidValidity) !== place.uidValidity) throw gone(placeId(place), RESET);
      await granted(client, client.messageFlagsAdd(String(place.uid), [name], { uid: true, silent: true }));
    }, { write: true });
    return true;
  } catch {
    return false;
  }
}

const prefixed = (prefix: string, subject: string) => new RegExp(`^${prefix}:`, 'i').test(subject.trim()) ? subject.trim() : `${prefix}: ${subject.trim()}`;
const quoted = (parent: Parent) =>
  `${parent.from ? formatAddress(parent.from) : 'Someone'} wrote${parent.date ? ` on ${parent.date}` : ''}:\n`
  + (parent.text ?? '').split('\n').map(line => line.startsWith('>') ? `>${line}` : `> ${line}`).join('\n');
const escaped = (value: string) => value.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);

/** The operations that send. */
export const sending = {
  'message.send': operation({
    summary: 'Send a message', effect: 'write', docs: 'RFC 5321, RFC 5322, RFC 6409',
    doubt: 'A server may take a message and still not deliver it; what comes back later is a message of its own.',
    input: sendInput,
    run: (ctx, input): Promise<Receipt> => send(ctx, input),
  }),
  'message.reply': operation({
    summary: 'Answer a message in its thread', effect: 'write', docs: 'RFC 5322 section 3.6.4, RFC 3834',
    input: {
      ...messageField, replyAll: flag('Reply to All', { default: false, help: 'Whether everyone who got the message gets the answer too.' }),
      quote: flag('Quote', { default: false, help: 'Whether the text of the message is quoted below the answer.' }),
      automatic: flag('Automatic Answer', { default: false,
        help: 'Whether the answer says that it was made by a program; automatic and list mail is then not answered.' }),
      cc: addresses('Cc'), bcc: addresses('Bcc'), ...BODY, ...ENVELOPE,
    },
    run: async (ctx, { message, replyAll, quote, automatic, ...mail }): Promise<Receipt> => {
      const place = placeOf(message);
      endpoint(ctx, 'smtp');
      const parent = await parentOf(ctx, place, quote);
      if (automatic && parent.automatic) throw new MailError('rejected',
        'The message is itself automatic or from a list, so no automatic answer is sent (RFC 3834 section 2).');
      const own = settingsOf(ctx).address?.toLowerCase(), isOwn = (one: Address) => one.email.toLowerCase() === own;
      const asked = parent.replyTo.length ? parent.replyTo : parent.from ? [parent.from] : [];
      // Who answers a message of his own writes to the same people again.
      const answerTo = asked.length && asked.every(isOwn) && parent.to.length ? parent.to : asked;
      if (!answerTo.length) throw new MailError('rejected', 'The message does not say whom to answer.');
      const already = new Set(answerTo.map(one => one.email.toLowerCase()));
      const others = replyAll ? [...parent.to, ...parent.cc].filter(one => !isOwn(one) && !already.has(one.email.toLowerCase())) : [];
      const readable = (one: Address) => parseAddress(formatAddress(one)) ? [formatAddress(one)] : parseAddress(one.email) ? [one.email] : [];
      const receipt = await send(ctx, {
        ...mail, to: answerTo.flatMap(readable), cc: [...others.flatMap(readable), ...mail.cc ?? []], subject: clean(prefixed('Re', parent.subject)),
        ...(quote ? { text: `${mail.text ?? ''}\n\n${quoted(parent)}` } : {}),
        ...(quote && mail.html
          ? { html: `${mail.html}<br><blockquote type="cite">${parent.html ?? `<pre>${escaped(parent.text ?? '')}</pre>`}</blockquote>` } : {}),
      }, { ...(parent.id ? { inReplyTo: parent.id } : {}), references: parent.references, automatic });
      if (receipt.outcome === 'done') receipt.native.markedAnswered = await flagged(ctx, place, '\\Answered');
      return receipt;
    },
  }),
  'message.forward': operation({
    summary: 'Forward a message', effect: 'write', docs: 'RFC 5322 section 3.6.4',
    input: {
      ...messageField, to: addresses('To'), cc: addresses('Cc'), bcc: addresses('Bcc'),
      as: choice('Forward As', { inline: 'In the Text', attachment: 'As an Attachment' },
        { default: 'inline', help: 'In the text, with its attachments, or whole and unchanged as one attachment.' }),
      ...BODY, ...ENVELOPE,
    },
    run: async (ctx, { message, as, ...mail }): Promise<Receipt> => {
      const place = placeOf(message);
      endpoint(ctx, 'smtp');
      const parent = await parentOf(ctx, place, as === 'inline');
      const head = ['---------- Forwarded message ----------', ...(parent.from ? [`From: ${formatAddress(parent.from)}`] : []),
        ...(parent.date ? [`Date: ${parent.date}`] : []), `Subject: ${parent.subject}`, `To: ${parent.to.map(formatAddress).join(', ')}`];
      const whole = as === 'attachment' || !parent.shape;
      const files = whole ? [sourceFile(ctx, place, 'forwarded.eml')]
        : parent.shape!.attachments.map(part => partFile(ctx, place, part))
          .map(one => ({ ...one, name: clean(one.name), type: clean(one.type), ...(one.contentId ? { contentId: clean(one.contentId) } : {}) }));
      const html = mail.html ?? (parent.html !== undefined && !whole ? `<p>${escaped(mail.text ?? '').replace(/\n/g, '<br>')}</p>` : undefined);
      const receipt = await send(ctx, {
        ...mail, subject: clean(prefixed('Fwd', parent.subject)), attachments: [...mail.attachments ?? [], ...files],
        ...(whole ? {} : { text: `${mail.text ?? ''}\n\n${head.join('\n')}\n\n${parent.text ?? ''}` }),
        ...(html === undefined || whole ? {}
          : { html: `${html}<br><p>${head.map(escaped).join('<br>')}</p>${parent.html ?? `<pre>${escaped(parent.text ?? '')}</pre>`}` }),
      }, { references: parent.references });
      if (receipt.outcome === 'done') receipt.native.markedForwarded = await flagged(ctx, place, '$Forwarded');
      return receipt;
    },
  }),
} satisfies Operations;

/** What somebody else put into a header, fit to be sent again. */
const clean = (text: string) => text.replace(/\p{Cc}+/gu, ' ').replace(/[!-~]{800}/g, '$& ').slice(0, 2000);
