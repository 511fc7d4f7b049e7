import { choice, flag, list, number, text, time } from '../../fields.js';

/** The vendor's spellings: Unix seconds, 1 and 0, one text with commas (its documents of API 2.0). */
export const seconds = { wire: (iso: string) => Math.floor(Date.parse(iso) / 1000) };
export const bit = { wire: (on: boolean) => (on ? 1 : 0) };
export const commas = { wire: (items: string[]) => items.join(',') };

/** Unix seconds as ISO 8601; undefined for what is no time, 0 included. */
export const iso = (unix: unknown): string | undefined =>
  Number(unix) > 0 && Number(unix) < 1e11 ? new Date(Number(unix) * 1000).toISOString() : undefined;

export const mailbox = text('Mailbox', {
  required: true,
  ref: 'mailbox',
  knownBy: 'email',
  help: 'The ID of the account, 24 hexadecimal digits.',
});
export const source = text('Source', {
  required: true,
  ref: 'source',
  knownBy: 'path',
  help: 'The label of the source, or 0 for the first one of the account.',
});
export const folder = text('Folder', {
  required: true,
  ref: 'folder',
  knownBy: 'path',
  help: 'The full name of the folder.',
  example: 'INBOX',
});
export const message = text('Message', {
  required: true,
  ref: 'message',
  help: 'The ID of the message, its Message-ID header in angle brackets, or gm- and the Gmail message ID.',
});

/** A comma would part one value into two on the vendor's side. */
const oneValue = { pattern: '^[^,]+$' };
const people = <const L extends string>(label: L) =>
  list(label, text('Address', { ...oneValue, example: 'ann@example.com' }), {
    ...commas,
    help: 'Addresses. Later servers take domains too. One of several is enough.',
  });
export const peopleFilters = {
  email: people('Any Address'),
  to: people('To'),
  from: people('From'),
  cc: people('Cc'),
  bcc: people('Bcc'),
};
export const fileFilters = {
  file_name: text('File Name', {
    help: 'A name with wildcards, or a regular expression between slashes.',
    example: '*.pdf',
  }),
  file_size_min: number('Smallest File Size', { min: 0, unit: 'bytes', help: 'In bytes.' }),
  file_size_max: number('Largest File Size', { min: 0, unit: 'bytes', help: 'In bytes.' }),
};
export const dateFilters = {
  date_before: time('Sent Before', { ...seconds, help: 'By the Date header.' }),
  date_after: time('Sent After', { ...seconds, help: "By the Date header, which is the sender's clock." }),
};
export const indexFilters = {
  indexed_before: time('Indexed Before', {
    ...seconds,
    help: 'By the time at which the server took the message into its index.',
  }),
  indexed_after: time('Indexed After', {
    ...seconds,
    help: 'By the time at which the server took the message into its index.',
  }),
};
export const subject = text('Subject', {
  help: 'Text that the subject contains, or a regular expression between slashes.',
});
export const sortOrder = choice('Sort Order', { asc: 'Oldest First', desc: 'Newest First' });
/** Parts of messages that are fetched from the mail server while one waits. */
export const includes = {
  include_body: flag('Include Body', {
    ...bit,
    help: 'Whether to fetch the bodies from the mail server, which takes longer.',
  }),
  body_type: text('Body Type', { example: 'text/plain', help: 'The MIME type of the bodies to include.' }),
  include_flags: flag('Include Flags', {
    ...bit,
    help: 'Whether to fetch the flags, read or unread among them, from the mail server.',
  }),
  include_headers: choice('Include Headers', { 1: 'Parsed', raw: 'Raw' }),
  include_source: flag('Include Source', { ...bit, help: 'Whether to fetch the whole message as it was sent.' }),
  include_thread_size: flag('Include Thread Size', {
    ...bit,
    help: 'Whether to say how many messages the thread has.',
  }),
};
/** What a copied or appended message is marked as. */
export const flagFields = {
  flag_seen: flag('Read', { ...bit, help: 'Whether the message is marked as read there.' }),
  flag_answered: flag('Answered', { ...bit, help: 'Whether the message is marked as answered there.' }),
  flag_flagged: flag('Flagged', { ...bit, help: 'Whether the message is marked as important there.' }),
  flag_deleted: flag('Deleted', { ...bit, help: 'Whether the message is marked for deletion there.' }),
  flag_draft: flag('Draft', { ...bit, help: 'Whether the message is marked as a draft there.' }),
};
