import { invalidField } from '../../../errors.js';
import { choice, flag, list, number, text, type Values } from '../../../fields.js';
import { asksForText, wordFields } from './words.js';

export const input = {
  folders: list('Folders', text('Folder', { maxLength: 1000, pattern: '^\\P{Cc}+$', ref: 'folder' }), {
    maxItems: 20,
    default: ['INBOX'],
    help: 'News of the first one arrives at once, of the others within a minute.',
  }),
  ...wordFields,
  unseen: flag('Unread Only', {
    group: 'Filters',
    help: 'Whether messages that were read elsewhere meanwhile are left out.',
  }),
  hasAttachment: flag('Has Attachment', {
    group: 'Filters',
    help: 'Whether only messages with an attachment come, or only those without.',
  }),
  largerThan: number('Larger Than', { min: 0, unit: 'bytes', group: 'Filters', help: 'In bytes.' }),
  smallerThan: number('Smaller Than', { min: 1, unit: 'bytes', group: 'Filters', help: 'In bytes.' }),
  fetch: choice(
    'Fetch',
    { envelope: 'Envelope Only', text: 'Text and HTML', full: 'Text, HTML and Attachments', raw: 'Raw Message' },
    {
      default: 'text',
      help: 'The size of an encoded attachment is an estimate, marked by sizeEstimated, until the attachment is fetched.',
    },
  ),
  attachmentLimit: number('Attachment Limit', {
    min: 0,
    unit: 'bytes',
    default: 25 * 1024 * 1024,
    help: 'Attachments larger than this, in bytes, are described but not fetched.',
  }),
};
export type Input = Values<typeof input>;

/**
 * A filter on the text has it read, whatever else is wanted. Throws `invalid_input` for a raw message, which is not
 * taken apart here.
 */
export function withTexts(values: Input): Input {
  if (!asksForText(values) || values.fetch === 'text' || values.fetch === 'full') return values;
  if (values.fetch === 'envelope') return { ...values, fetch: 'text' };
  const message = 'Filters on the text need the text to be fetched: choose Text and HTML, or take the filter away.';
  throw invalidField('fetch', message);
}
