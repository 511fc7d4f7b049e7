import { choice, flag, list, number, text, type Values } from '../../../fields.js';

export const input = {
  folders: list('Folders', text('Folder', { maxLength: 1000, pattern: '^\\P{Cc}+$', ref: 'folder' }),
    { maxItems: 20, default: ['INBOX'], help: 'News of the first one arrives at once, of the others within a minute.' }),
  from: text('From', { maxLength: 500, group: 'Filters', help: 'Only messages whose sender contains this.' }),
  subject: text('Subject', { maxLength: 500, group: 'Filters', help: 'Only messages whose subject contains this.' }),
  unseen: flag('Unread Only', { group: 'Filters', help: 'Whether messages that were read elsewhere meanwhile are left out.' }),
  hasAttachment: flag('Has Attachment', { group: 'Filters', help: 'Whether only messages with an attachment come, or only those without.' }),
  largerThan: number('Larger Than', { min: 0, unit: 'bytes', group: 'Filters', help: 'In bytes.' }),
  smallerThan: number('Smaller Than', { min: 1, unit: 'bytes', group: 'Filters', help: 'In bytes.' }),
  fetch: choice('Fetch', { envelope: 'Envelope Only', text: 'Text and HTML', full: 'Text, HTML and Attachments', raw: 'Raw Message' }, { default: 'text' }),
  attachmentLimit: number('Attachment Limit', { min: 0, unit: 'bytes', default: 25 * 1024 * 1024,
    help: 'Attachments larger than this, in bytes, are described but not fetched.' }),
};
export type Input = Values<typeof input>;
