import { MailError } from '../../../errors.js';
import { flag, text } from '../../../fields.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Native, Receipt } from '../../../vocabulary.js';
import { withImap } from '../session/imapPool.js';
import type { ImapFlow } from '../libraries.js';

/** What a folder is for (RFC 6154). */
type Role = 'inbox' | 'sent' | 'drafts' | 'trash' | 'junk' | 'archive' | 'all' | 'flagged';
/** `id` is the path, as the other operations take it; counts are missing where the folder cannot be opened. */
export interface Folder { id: string; name: string; role?: Role; messages?: number; unseen?: number; native: Native }

const ROLES: Readonly<Record<string, Role>> = {
  '\\Inbox': 'inbox', '\\Sent': 'sent', '\\Drafts': 'drafts', '\\Trash': 'trash', '\\Junk': 'junk', '\\Archive': 'archive', '\\All': 'all',
    '\\Flagged': 'flagged',
};

/**
 * What each folder is for, by path. What the server says itself counts before what a name suggests. It says so in any case of letters (RFC 6154
 * section 2; Cyrus writes `\sent`), of which the library knows one only.
 */
function rolesOf(listed: readonly { path: string; flags: Set<string>; specialUse?: string }[]): Map<string, Role> {
  const known = new Map(Object.entries(ROLES).map(([flag, role]) => [flag.toLowerCase(), role]));
  const told = new Map(listed.flatMap(({ path, flags }) => {
    const role = [...flags].map(flag => known.get(flag.toLowerCase())).find(Boolean);
    return role ? [[path, role] as const] : [];
  }));
  const taken = new Set(told.values());
  for (const { path, specialUse = '' } of listed) {
    const role = ROLES[specialUse];
    if (role && !told.has(path) && !taken.has(role)) told.set(path, role);
  }
  return told;
}

/** The path of the folder with a role, by SPECIAL-USE or by name in many languages; undefined where there is none. */
export async function folderFor(client: ImapFlow, role: Role): Promise<string | undefined> {
  const listed = (await client.list()).filter(folder => !folder.flags.has('\\Noselect')), roles = rolesOf(listed);
  return listed.find(folder => roles.get(folder.path) === role)?.path;
}

async function* listFolders(ctx: Context, subscribed: boolean): AsyncGenerator<Folder> {
  // LIST-STATUS (RFC 5819) brings all counts in one round trip; the library asks folder by folder where it is missing.
  const folders = await withImap(ctx, client => client.list({ statusQuery: { messages: true, unseen: true, uidNext: true, uidValidity: true } }),
    { reads: true });
  const roles = rolesOf(folders);
  for (const folder of folders) {
    if (subscribed && !folder.subscribed) continue;
    const role = roles.get(folder.path), { status } = folder;
    yield {
      id: folder.path, name: folder.name, ...(role ? { role } : {}),
      ...(status?.messages === undefined ? {} : { messages: status.messages }), ...(status?.unseen === undefined ? {} : { unseen: status.unseen }),
      native: {
        path: folder.path, delimiter: folder.delimiter, flags: [...folder.flags], subscribed: folder.subscribed, selectable: !folder.flags.has('\\Noselect'),
        ...(status?.uidValidity === undefined ? {} : { uidValidity: String(status.uidValidity) }),
          ...(status?.uidNext === undefined ? {} : { uidNext: status.uidNext }),
        ...(folder.specialUseSource ? { roleFrom: folder.specialUseSource } : {}),
      },
    };
  }
}

const path = (label: string, more: { help?: string } = {}) =>
  text(label, { required: true, maxLength: 1000, pattern: '^\\P{Cc}+$', ref: 'folder', example: 'INBOX', ...more });

/** The operations on folders. */
export const folders = {
  'folder.list': operation({
    summary: 'List the folders with their roles and counts', effect: 'read', docs: 'RFC 9051 section 6.3.9, RFC 6154, RFC 5819',
    input: { subscribed: flag('Subscribed Only', { default: false, help: 'Whether only folders the account subscribes to are listed.' }) },
    run: (ctx, { subscribed }) => listFolders(ctx, subscribed),
  }),
  'folder.create': operation({
    summary: 'Create a folder', effect: 'write', docs: 'RFC 9051 section 6.3.4',
    input: { folder: text('Folder', { required: true, maxLength: 1000, pattern: '^\\P{Cc}+$', example: 'Customers/2026',
      help: 'The path, with the delimiter that the other folders show.' }) },
    run: async (ctx, { folder }): Promise<Receipt> => withImap(ctx, async client => {
      const made = await client.mailboxCreate(folder);
      if (!made.created) throw new MailError('conflict', `There is a folder "${made.path}" already.`);
      return { id: made.path, native: { path: made.path } };
    }),
  }),
  'folder.rename': operation({
    summary: 'Rename or move a folder', effect: 'write', docs: 'RFC 9051 section 6.3.6',
    doubt: 'Renaming INBOX moves its messages into a new folder and leaves INBOX empty, so it is refused here.',
    input: { folder: path('Folder'), newName: text('New Name', { required: true, maxLength: 1000, pattern: '^\\P{Cc}+$', help: 'The whole new path.' }) },
    run: async (ctx, { folder, newName }): Promise<Receipt> => {
      keepInbox(folder, 'renamed');
      const done = await withImap(ctx, client => client.mailboxRename(folder, newName));
      return { id: done.newPath, native: { ...done } };
    },
  }),
  'folder.delete': operation({
    summary: 'Delete a folder and everything in it', effect: 'destroy', docs: 'RFC 9051 section 6.3.5',
    input: { folder: path('Folder', { help: 'Its messages go with it; they are not moved to the trash.' }) },
    run: async (ctx, { folder }): Promise<Receipt> => {
      keepInbox(folder, 'deleted');
      const done = await withImap(ctx, client => client.mailboxDelete(folder));
      return { id: done.path, native: { ...done } };
    },
  }),
} satisfies Operations;

function keepInbox(folder: string, verb: string) {
  if (folder.toUpperCase() === 'INBOX') throw new MailError('invalid_input', `INBOX cannot be ${verb}.`,
    { issues: [{ field: 'folder', message: `INBOX cannot be ${verb}.` }] });
}
