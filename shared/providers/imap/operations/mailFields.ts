import { choice, file, list, text, type Values } from '../../../fields.js';

const address = (label: string, more: { help?: string } = {}) =>
  text(label, { format: 'address', maxLength: 1000, ...more });
export const addresses = (label: string) =>
  list(label, text(label, { format: 'address', maxLength: 1000 }), {
    maxItems: 1000,
    help: 'Each address alone or with a name before it, as in Ann Lee <ann@example.com>.',
  });

export const BODY = {
  text: text('Text', { lines: 10, maxLength: 10_000_000 }),
  html: text('HTML', { format: 'html', lines: 10, maxLength: 10_000_000 }),
  attachments: list('Attachments', file('Attachment'), { maxItems: 1000 }),
  inlineImages: list('Inline Images', file('Inline Image'), {
    maxItems: 200,
    help: 'Shown in the HTML by src="cid:NAME", where NAME is the content ID or the file name.',
  }),
};
export const ENVELOPE = {
  from: address('From', { help: "Left empty, the account's own address." }),
  replyTo: address('Reply To'),
  headers: list('Headers', text('Header', { maxLength: 2000 }), {
    maxItems: 100,
    help: 'More header fields, one an entry, as Name: value.',
  }),
  priority: choice('Priority', { high: 'High', normal: 'Normal', low: 'Low' }),
  unsubscribeUrl: text('Unsubscribe URL', {
    format: 'uri',
    maxLength: 2000,
    help: 'Written to List-Unsubscribe. An https address is also offered as one click (RFC 8058).',
  }),
  unsubscribeEmail: text('Unsubscribe Address', { format: 'email', help: 'Put into List-Unsubscribe.' }),
  notify: list(
    'Delivery Notifications',
    choice('Notification', { success: 'On Success', failure: 'On Failure', delay: 'On Delay', never: 'Never' }),
    { maxItems: 3, help: "What the recipients' servers report back (RFC 3461)." },
  ),
  calendar: text('Calendar Invitation', {
    lines: 8,
    maxLength: 1_000_000,
    help: 'An iCalendar text that begins with BEGIN:VCALENDAR.',
  }),
  calendarMethod: choice(
    'Calendar Method',
    { REQUEST: 'Request', REPLY: 'Reply', CANCEL: 'Cancel', PUBLISH: 'Publish' },
    { default: 'REQUEST' },
  ),
  saveToSent: choice(
    'Save to Sent',
    { automatic: 'Automatic', yes: 'Yes', no: 'No' },
    { default: 'automatic', help: 'Automatic saves a copy unless the server is known to do it by itself.' },
  ),
  messageId: text('Message-ID', {
    maxLength: 250,
    pattern: '^<?[!-;=?A-~]+@[!-;=?A-~]+>?$',
    example: 'order-4711@example.com',
    help: 'Chosen by you, so that a repeated attempt is recognized. Left empty, it is random.',
  }),
};
const SUBJECT = { maxLength: 2000, pattern: '^\\P{Cc}*$' } as const;
export const sendInput = {
  to: addresses('To'),
  cc: addresses('Cc'),
  bcc: addresses('Bcc'),
  subject: text('Subject', { ...SUBJECT, default: '' }),
  ...BODY,
  ...ENVELOPE,
};
/** A mail as the fields describe it. */
export type Mail = Partial<Values<typeof sendInput>>;
/** What replies and forwards add to a mail. */
export interface More {
  inReplyTo?: string;
  references?: string[];
  automatic?: boolean;
  /** A draft may have no recipients yet. */
  draft?: boolean;
  /** Header fields of our own. */
  notes?: { key: string; value: string }[];
}
