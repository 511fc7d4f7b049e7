import { MailError } from '../../../errors.js';
import { flag, text } from '../../../fields.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Native, Receipt } from '../../../vocabulary.js';
import { create, exists, needing } from '../session/folderRefusal.js';
import { granted } from '../session/openFolder.js';
import { isRefused } from '../session/imapError.js';
import { withImap } from '../session/imapPool.js';
import type { ImapFlow } from '../libraries.js';

/** What a folder is for (RFC 6154). */
type Role = 'inbox' | 'sent' | 'drafts' | 'trash' | 'junk' | 'archive' | 'all' | 'flagged';
/** `id` is the path, as the other operations take it; counts are missing where the folder cannot be opened. */
export interface Folder {
  id: string;
  name: string;
  role?: Role;
  messages?: number;
  unseen?: number;
  native: Native;
}

const ROLES: Readonly<Record<string, Role>> = {
  '\\Inbox': 'inbox',
  '\\Sent': 'sent',
  '\\Drafts': 'drafts',
  '\\Trash': 'trash',
  '\\Junk': 'junk',
  '\\Archive': 'archive',
  '\\All': 'all',
  '\\Flagged': 'flagged',
};

/**
 * What each folder is for, by path. What the server says itself counts before what a name suggests. It says so in any
 * case of letters (RFC 6154 section 2; Cyrus writes `\sent`), of which the library knows one only.
 */
function rolesOf(listed: readonly { path: string; flags: Set<string>; specialUse?: string }[]): Map<string, Role> {
  const known = new Map(Object.entries(ROLES).map(([flag, role]) => [flag.toLowerCase(), role]));
  const told = new Map(
    listed.flatMap(({ path, flags }) => {
      const role = [...flags].map(flag => known.get(flag.toLowerCase())).find(Boolean);
      return role ? [[path, role] as const] : [];
    }),
  );
  const taken = new Set(told.values());
  for (const { path, specialUse = '' } of listed) {
    const role = ROLES[specialUse];
    if (role && !told.has(path) && !taken.has(role)) told.set(path, role);
  }
  return told;
}

/** The path of the folder with a role, by SPECIAL-USE or by name in many languages; undefined where there is none. */
export const folderFor = async (client: ImapFlow, role: Role): Promise<string | undefined> =>
  (await foldersFor(client, [role]))[role];

/** The same for several roles. */
export async function foldersFor(client: ImapFlow, wanted: readonly Role[]): Promise<{ [R in Role]?: string }> {
  const listed = (await client.list()).filter(folder => !folder.flags.has('\\Noselect'));
  const roles = rolesOf(listed);
  return Object.fromEntries(
    wanted.flatMap(role => {
      const found = listed.find(folder => roles.get(folder.path) === role)?.path;
      return found === undefined ? [] : [[role, found]];
    }),
  );
}

async function* listFolders(ctx: Context, subscribed: boolean): AsyncGenerator<Folder> {
  // LIST-STATUS (RFC 5819) brings all counts in one round trip; the library asks folder by folder where it is missing.
  const folders = await withImap(
    ctx,
    client => client.list({ statusQuery: { messages: true, unseen: true, uidNext: true, uidValidity: true } }),
    { reads: true },
  );
  const roles = rolesOf(folders);
  for (const folder of folders) {
    if (subscribed && !folder.subscribed) continue;
    const role = roles.get(folder.path);
    const { status } = folder;
    yield {
      id: folder.path,
      name: folder.name,
      ...(role ? { role } : {}),
      ...(status?.messages === undefined ? {} : { messages: status.messages }),
      ...(status?.unseen === undefined ? {} : { unseen: status.unseen }),
      native: {
        path: folder.path,
        delimiter: folder.delimiter,
        flags: [...folder.flags],
        subscribed: folder.subscribed,
        selectable: !folder.flags.has('\\Noselect'),
        ...(status?.uidValidity === undefined ? {} : { uidValidity: String(status.uidValidity) }),
        ...(status?.uidNext === undefined ? {} : { uidNext: status.uidNext }),
        ...(folder.specialUseSource ? { roleFrom: folder.specialUseSource } : {}),
      },
    };
  }
}

const path = (label: string, more: { help?: string } = {}) =>
  text(label, {
    required: true,
    maxLength: 1000,
    pattern: '^\\P{Cc}+$',
    ref: 'folder',
    knownBy: 'path',
    example: 'INBOX',
    ...more,
  });

async function statusOf(client: ImapFlow, folder: string): Promise<Folder> {
  const status = await client.status(folder, {
    messages: true,
    unseen: true,
    uidNext: true,
    uidValidity: true,
    recent: true,
    ...(client.capabilities.has('CONDSTORE') ? { highestModseq: true } : {}),
  });
  if (!status)
    throw new MailError(
      'rejected',
      `The server does not tell the state of "${folder}"; it may be a folder that holds only folders.`,
    );
  const { messages, unseen, uidNext, uidValidity, recent, highestModseq } = status;
  return {
    id: status.path,
    name: status.path,
    ...(messages === undefined ? {} : { messages }),
    ...(unseen === undefined ? {} : { unseen }),
    native: {
      path: status.path,
      ...(uidNext === undefined ? {} : { uidNext }),
      ...(uidValidity === undefined ? {} : { uidValidity: String(uidValidity) }),
      ...(recent === undefined ? {} : { recent }),
      ...(highestModseq === undefined ? {} : { highestModseq: String(highestModseq) }),
    },
  };
}

/** The operations on folders. */
export const folders = {
  'folder.list': operation({
    summary: 'List the folders with their roles and counts',
    effect: 'read',
    docs: 'RFC 9051 section 6.3.9, RFC 6154, RFC 5819',
    input: {
      subscribed: flag('Subscribed Only', {
        default: false,
        help: 'Whether only folders the account subscribes to are listed.',
      }),
    },
    run: (ctx, { subscribed }) => listFolders(ctx, subscribed),
  }),
  'folder.create': operation({
    summary: 'Create a folder',
    effect: 'write',
    docs: 'RFC 9051 section 6.3.4',
    input: {
      folder: text('Folder', {
        required: true,
        maxLength: 1000,
        pattern: '^\\P{Cc}+$',
        example: 'Customers/2026',
        help: 'The path, with the delimiter that the other folders show.',
      }),
    },
    run: async (ctx, { folder }): Promise<Receipt> =>
      withImap(ctx, async client => {
        const made = await create(client, folder);
        return { id: made, native: { path: made } };
      }),
  }),
  'folder.status': operation({
    summary: 'Read how many messages a folder has, and how many of them are unread',
    effect: 'read',
    docs: 'RFC 9051 section 6.3.11',
    input: { folder: path('Folder') },
    run: async (ctx, { folder }): Promise<Folder> => withImap(ctx, client => statusOf(client, folder), { reads: true }),
  }),
  'folder.subscribe': operation({
    summary: 'Subscribe to a folder, so that mail programs show it',
    effect: 'write',
    docs: 'RFC 9051 section 6.3.7',
    input: { folder: path('Folder') },
    run: (ctx, { folder }): Promise<Receipt> =>
      withImap(ctx, async client => {
        await needing(client, folder, () => granted(client, client.mailboxSubscribe(folder)));
        return { id: folder, native: { path: folder, subscribed: true } };
      }),
  }),
  'folder.unsubscribe': operation({
    summary: 'Unsubscribe from a folder',
    effect: 'write',
    docs: 'RFC 9051 section 6.3.8',
    doubt: 'Some servers answer yes for a folder that was never subscribed to, or that does not exist.',
    input: { folder: path('Folder') },
    run: (ctx, { folder }): Promise<Receipt> =>
      withImap(ctx, async client => {
        await granted(client, client.mailboxUnsubscribe(folder));
        return { id: folder, native: { path: folder, subscribed: false } };
      }),
  }),
  'folder.rename': operation({
    summary: 'Rename or move a folder',
    effect: 'write',
    docs: 'RFC 9051 section 6.3.6',
    doubt: 'Renaming INBOX moves its messages into a new folder and leaves INBOX empty, so it is refused here.',
    input: {
      folder: path('Folder'),
      newName: text('New Name', {
        required: true,
        maxLength: 1000,
        pattern: '^\\P{Cc}+$',
        help: 'The whole new path.',
      }),
    },
    run: async (ctx, { folder, newName }): Promise<Receipt> => {
      keepInbox(folder, 'renamed');
      const done = await withImap(ctx, async client => {
        const renamed = await needing(client, folder, () => client.mailboxRename(folder, newName)).catch(
          async error => {
            // Some say no more than NO; what is in the way is the name that is taken.
            if (isRefused(error) && client.usable && (await exists(client, newName)))
              throw new MailError('conflict', `There is a folder "${newName}" already.`);
            throw error;
          },
        );
        // Courier says OK whether there was one or not.
        if (!(await exists(client, renamed.newPath)))
          throw new MailError('not_found', `There is no folder "${folder}".`);
        return renamed;
      });
      return { id: done.newPath, native: { ...done } };
    },
  }),
  'folder.delete': operation({
    summary: 'Delete a folder and everything in it',
    effect: 'destroy',
    docs: 'RFC 9051 section 6.3.5',
    input: { folder: path('Folder', { help: 'Its messages are deleted too. They do not go to the trash.' }) },
    run: async (ctx, { folder }): Promise<Receipt> => {
      keepInbox(folder, 'deleted');
      const done = await withImap(ctx, client => needing(client, folder, () => client.mailboxDelete(folder)));
      return { id: done.path, native: { ...done } };
    },
  }),
} satisfies Operations;

function keepInbox(folder: string, verb: string) {
  if (folder.toUpperCase() === 'INBOX')
    throw new MailError('invalid_input', `INBOX cannot be ${verb}.`, {
      issues: [{ field: 'folder', message: `INBOX cannot be ${verb}.` }],
    });
}
