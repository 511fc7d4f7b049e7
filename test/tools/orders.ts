/**
 * Every operation the customer ordered, in the words of the documents the product was ordered from: one list per vendor. Where a document has
 * one word for several places (Add, Index) the section stands before it.
 */
export const ORDERS = {
  outreach: [
    'Get a Collection of Mailboxes', 'Create a New Mailbox', 'Delete an Existing Mailbox by ID', 'Get a Mailbox by ID', 'Update a Mailbox',
    'Link Ews Master Account', 'Test Send', 'Test Sync', 'Unlink Ews Master Account',
  ],
  sodium: [
    'List Conversations', 'List Messages', 'Send Email', 'Get Conversation', 'Get Message', 'Send new email', 'Mark messages as read or unread',
    'Reply to Message', 'Get Attachment', 'Link Task to Conversation', 'Unlink Task from Conversation', 'Trigger Mailbox Sync',
  ],
  contextIo: [
    'GET accounts (list)', 'POST accounts (create)', 'POST accounts with source', 'GET accounts/{id}', 'POST accounts/{id} (modify)', 'DELETE accounts/{id}',
  ],
  rackspace: [
    'Index', 'Show', 'Add', 'Edit', 'Delete', 'Add Email Address', 'Delete Email Address',
    'Index Blacklist', 'Index IP Blacklist', 'Index Safelist', 'Index IP Safelist',
    'Add Blacklist', 'Add IP Blacklist', 'Add Safelist', 'Add IP Safelist',
    'Delete Blacklist', 'Delete IP Blacklist', 'Delete Safelist', 'Delete IP Safelist',
    'Show Spam Setting', 'Edit Spam Setting',
    'BlackBerry Index', 'BlackBerry Add', 'BlackBerry Delete', 'ActiveSync Index', 'ActiveSync Add', 'ActiveSync Delete',
  ],
  scaleway: [
    'Create one or more mailboxes', 'List mailboxes in an organization', 'Get a mailbox by its ID', 'Delete a mailbox by its ID',
    'Update a mailbox subscription period or password with its ID', 'Create an alias for a mailbox', 'Restore a mailbox in deletion scheduled status by its ID',
  ],
} as const satisfies Record<string, readonly string[]>;
