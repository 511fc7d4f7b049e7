import { choice, file, flag, list, text, type FileValue } from '../../fields.js';
import { parseAddress } from '../../address.js';
import { path } from '../../url.js';
import { inReadingOrder, withText } from '../../message.js';
import { map } from '../../pages.js';
import { operation, type Context, type Operations } from '../../provider.js';
import { idOf, type Address, type Attachment, type Message, type Native, type Receipt } from '../../vocabulary.js';
import {
  api,
  connected,
  DOCS,
  inMailbox,
  inTenant,
  mailbox,
  moment,
  objects,
  once,
  refuse,
  tenant,
  words,
} from './api.js';
import { asked, chosen, own, queryOf, sortDesc } from './filter.js';

export const PAGES = `${DOCS}/operations/email-mailbox`;
export const message = text('Message', {
  required: true,
  format: 'uuid',
  ref: 'message',
  help: 'The ID of the message, which Sodium calls uniqueId.',
});

const addressOf = (email: unknown, name: unknown): Address | undefined =>
  words(email) ? { email: email as string, ...(words(name) ? { name: name as string } : {}) } : undefined;
const addresses = (value: unknown): Address[] => objects(value).flatMap(one => addressOf(one.email, one.name) ?? []);

/** The common part of a message, from a row of a list or from its details. Rows name no recipients and hold no text. */
export function toMessage(native: Native, code?: string): Message {
  const from = addressOf(native.fromEmail, native.fromName);
  const mailbox = words(native.configCode) ?? code;
  const date = moment(native.messageDate);
  const [thread, subject, body, html] = [
    native.conversationId,
    native.subject,
    native.plainTextBody,
    native.htmlBody,
  ].map(words);
  const cc = addresses(native.ccRecipients);
  const folder = words(objects(native.folders)[0]?.name);
  return inReadingOrder({
    id: idOf(native, 'uniqueId'),
    ...(mailbox ? { mailbox } : {}),
    ...(thread ? { thread } : {}),
    ...(from ? { from } : {}),
    to: addresses(native.toRecipients),
    ...(cc.length ? { cc } : {}),
    ...(subject ? { subject } : {}),
    ...(date ? { date } : {}),
    ...(folder ? { folder } : {}),
    ...(typeof native.isRead === 'boolean' ? { read: native.isRead, flags: native.isRead ? ['\\Seen'] : [] } : {}),
    ...(body ? { text: body } : {}),
    ...(html ? { html } : {}),
    ...(native.attachments === undefined ? {} : { attachments: objects(native.attachments).map(toAttachment) }),
    native,
  });
}
const toAttachment = (native: Native): Attachment => ({
  id: idOf(native, 'attachmentId'),
  name: words(native.fileName) ?? 'attachment',
  type: words(native.contentType) ?? 'application/octet-stream',
  // Mail providers count their own wrapping too.
  ...(typeof native.size === 'number' ? { size: native.size, sizeEstimated: true } : {}),
  ...(native.isInline === true ? { inline: true } : {}),
  ...(words(native.contentId) ? { contentId: (native.contentId as string).replace(/^<|>$/g, '') } : {}),
});

/** Names a row for good: ids are unique within a configuration at least. */
export const rowId = (row: Native): string => `${words(row.configCode) ?? ''}/${idOf(row, 'uniqueId')}`;

/**
 * The details of a message, its text among them. Throws `unauthorized` where the mailbox has to be connected again
 * first.
 */
export const details = async (
  ctx: Context,
  input: { tenant?: string; mailbox: string; message: string },
): Promise<Message> =>
  withText(
    toMessage(
      connected(
        await api(ctx).get(inMailbox(ctx, input) + path`/messages/${input.message}`),
        input.mailbox,
        'The message was not read',
      ),
      input.mailbox,
    ),
  );

const recipient = text('Address', { format: 'address' });
const recipients = (addresses: readonly string[] | undefined): Address[] | undefined =>
  addresses?.map(one => parseAddress(one)!);
const attachments = list('Attachments', file('File'), { help: 'Files to send along. Inline images are not possible.' });

const content = {
  to: list('To', recipient, { required: true, help: 'Each address alone or as Ann Example <ann@example.com>.' }),
  subject: text('Subject', { required: true }),
  cc: list('Cc', recipient),
  bcc: list('Bcc', recipient),
  htmlBody: text('HTML Body', { format: 'html', lines: 10, help: 'Text or HTML is required.' }),
  plainTextBody: text('Plain Text Body', {
    lines: 10,
    help: 'Text or HTML is required. With both, programs without HTML show this one.',
  }),
  attachments,
};
type Content = {
  to: string[];
  subject: string;
  cc?: string[];
  bcc?: string[];
  htmlBody?: string;
  plainTextBody?: string;
  attachments?: FileValue[];
};

/**
 * Exchange and Gmail take no larger message than this, in bytes; Sodium names no limit of its own. The whole goes into
 * one JSON text.
 */
const LARGEST = 150 * 1024 * 1024;

async function encoded(
  files: readonly FileValue[] | undefined,
): Promise<{ fileName: string; contentType: string; content: string }[] | undefined> {
  if (!files) return undefined;
  let total = 0;
  const grow = (by: number) => {
    if ((total += by) > LARGEST)
      refuse({
        field: 'attachments',
        message: `The attachments together are larger than ${LARGEST / 1048576} MB; no mail provider takes that much.`,
      });
  };
  const known = files.reduce((sum, { size = 0 }) => sum + size, 0);
  if (known > LARGEST) grow(known);
  const done = [];
  for (const one of files) {
    const parts: Uint8Array[] = [];
    for await (const part of one.open()) {
      grow(part.byteLength);
      parts.push(part);
    }
    done.push({
      fileName: one.name,
      contentType: one.type || 'application/octet-stream',
      content: Buffer.concat(parts).toString('base64'),
    });
  }
  return done;
}

async function newMail(input: Content) {
  if (!input.htmlBody && !input.plainTextBody) {
    refuse({ field: 'htmlBody', message: 'HTML Body or Plain Text Body is required.' });
  }
  const { subject, htmlBody, plainTextBody } = input;
  return {
    subject,
    htmlBody,
    plainTextBody,
    to: recipients(input.to),
    cc: recipients(input.cc),
    bcc: recipients(input.bcc),
    attachments: await encoded(input.attachments),
  };
}

const LOOK =
  'Look for it among the sent messages (List Messages with Direction "Outbound", or the Sent folder) before you send it again.';
const IN_DOUBT = `The message may or may not have been sent. ${LOOK}`;
const GUESSED =
  'The members of an outgoing attachment are not documented; fileName, contentType and content (base64) are assumed.';

const filters = {
  ...asked,
  ...own,
  sortBy: choice('Sort By', { MessageDate: 'Date', Subject: 'Subject', Sender: 'Sender' }),
  sortDesc,
};

export const messages = {
  'message.list': operation({
    summary: 'List messages, newest first unless told otherwise',
    effect: 'read',
    docs: `${PAGES}/listmailboxmessages.html`,
    orders: ['List Messages'],
    doubt:
      'No parameter for folder or dates is documented, so these are compared here. ' +
      'That the list has the paging envelope of the sent-mail log is inferred.',
    input: { tenant, ...filters },
    run: (ctx, input) =>
      map(
        chosen(
          api(ctx).list(`${inTenant(ctx, input)}/mailbox/messages`, queryOf(input, 'MessageDate'), rowId),
          input,
          'MessageDate',
          'messageDate',
          'direction',
        ),
        row => toMessage(row),
      ),
  }),
  'message.get': operation({
    summary: 'Get a message with its text, recipients and attachments',
    effect: 'read',
    docs: `${PAGES}/getmailboxmessage.html`,
    orders: ['Get Message'],
    doubt:
      'That the texts are empty when the mailbox has to be connected again is inferred; then an error is given, not an empty message.',
    input: { tenant, mailbox, message },
    run: (ctx, input) => details(ctx, input),
  }),
  'message.send': operation({
    summary: "Send an email from a mailbox, else from the tenant's default one, else from Sodium's own address",
    effect: 'write',
    docs: `${PAGES}/sendemail.html`,
    orders: ['Send Email'],
    doubt: `${GUESSED} The success body is not documented either.`,
    input: {
      tenant,
      ...content,
      mailbox: {
        ...mailbox,
        required: undefined,
        help:
          "The code of the email configuration to send from. Left empty, the tenant's default sends. " +
          "A tenant without any mailbox sends from Sodium's own address.",
      },
    },
    async run(ctx, input): Promise<Receipt> {
      const address = `${inTenant(ctx, input)}/mailbox/send${input.mailbox === undefined ? '' : `?configCode=${encodeURIComponent(input.mailbox)}`}`;
      return sent(ctx, address, await newMail(input), input.mailbox);
    },
  }),
  'message.sendFrom': operation({
    summary: 'Send a new email from one mailbox',
    effect: 'write',
    docs: `${PAGES}/sendmailboxmessage.html`,
    orders: ['Send new email'],
    doubt: `${GUESSED} The success body is not documented either.`,
    input: { tenant, mailbox, ...content },
    run: async (ctx, input): Promise<Receipt> => {
      const address = `${inMailbox(ctx, input)}/messages`;
      return sent(ctx, address, await newMail(input), input.mailbox);
    },
  }),
  'message.reply': operation({
    summary: 'Reply to a message, to its sender or to all',
    effect: 'write',
    docs: `${PAGES}/replytomailboxmessage.html`,
    orders: ['Reply to Message'],
    doubt: `${GUESSED} Beside reconnectRequired the success body is not documented.`,
    input: {
      tenant,
      mailbox,
      message,
      htmlBody: text('HTML Body', { required: true, format: 'html', lines: 10 }),
      plainTextBody: text('Plain Text Body', { lines: 10 }),
      replyAll: flag('Reply All', {
        help: 'Whether everyone who got the message gets the reply. Otherwise only its sender does.',
      }),
      toRecipients: list('To Recipients', recipient, {
        help: 'Instead of the receivers that the mail provider would choose. Overrides Reply All.',
      }),
      ccRecipients: list('Cc Recipients', recipient, {
        help: 'Instead of the receivers that the mail provider would choose. Overrides Reply All.',
      }),
      bccRecipients: list('Bcc Recipients', recipient),
      attachments,
    },
    async run(ctx, { mailbox: code, message: id, ...input }): Promise<Receipt> {
      const address = inMailbox(ctx, { tenant: input.tenant, mailbox: code }) + path`/messages/${id}/reply`;
      const { htmlBody, plainTextBody, replyAll } = input;
      return sent(
        ctx,
        address,
        {
          htmlBody,
          plainTextBody,
          replyAll,
          toRecipients: recipients(input.toRecipients),
          ccRecipients: recipients(input.ccRecipients),
          bccRecipients: recipients(input.bccRecipients),
          attachments: await encoded(input.attachments),
        },
        code,
      );
    },
  }),
  'message.mark': operation({
    summary: 'Mark messages as read or unread',
    effect: 'write',
    docs: `${PAGES}/patchmailboxmessages.html`,
    orders: ['Mark messages as read or unread'],
    doubt:
      'What happens when only some of the messages exist is not documented. The mail provider is told later, so a sync may show the old mark for a while.',
    input: {
      tenant,
      mailbox,
      message: list('Messages', text('Message', { format: 'uuid', ref: 'message' }), {
        required: true,
        help: 'The IDs of messages of this mailbox, one or many.',
      }),
      read: flag('Read', { required: true, suggest: true, help: 'Whether the messages count as read.' }),
    },
    run: async (ctx, input): Promise<Receipt> => {
      const ids = [...new Set(input.message)];
      const native = await api(ctx).act('PATCH', `${inMailbox(ctx, input)}/messages`, {
        messageIds: ids,
        isRead: input.read,
      });
      return { ...(ids.length === 1 ? { id: ids[0]! } : {}), native };
    },
  }),
} satisfies Operations;

/** One mail out: done, refused, or in doubt and said so. Nothing is tried again. */
async function sent(ctx: Context, address: string, body: unknown, code: string | undefined): Promise<Receipt> {
  const native = await once(IN_DOUBT, () => api(ctx).act('POST', address, body));
  connected(native, code ?? 'of the tenant', 'The message was not sent');
  const id = words(native.uniqueId) ?? words(native.messageId);
  return { ...(id ? { id } : {}), outcome: 'done', native };
}
