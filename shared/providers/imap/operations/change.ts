import { isMailError, MailError } from '../../../errors.js';
import { choice, file, flag, list, text, time } from '../../../fields.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Receipt } from '../../../vocabulary.js';
import { ensure, needing } from '../session/folderRefusal.js';
import { granted, opened, openedWith } from '../session/openFolder.js';
import { isRefused } from '../session/imapError.js';
import { withImap } from '../session/imapPool.js';
import { uidSet } from '../messages/content.js';
import { folderFor } from './folder.js';
import { gone, messageId, placeOf, RESET, validityOf, type Place } from '../messages/id.js';
import type { FetchMessageObject, ImapFlow } from '../libraries.js';
import { folderField, messagesField, uidSearch } from './message.js';
import { fetchRows } from '../wire/fetch.js';

/** What became of one message: `id` as given, `newId` where it is now. */
interface Outcome {
  id: string;
  done: boolean;
  newId?: string;
  error?: string;
  code?: string;
}

/** The largest message that can be uploaded: the library wants it in memory. In bytes. */
const LARGEST_UPLOAD = 64 * 1024 * 1024;

/** The ids given, each once. Throws `invalid_input` for none, before anything is sent. */
function targets(input: { message?: string; messages?: string[] }): { id: string; place: Place }[] {
  const ids = [...new Set([...(input.message ? [input.message] : []), ...(input.messages ?? [])])];
  if (!ids.length)
    throw new MailError('invalid_input', 'No message is named.', {
      issues: [{ field: 'message', message: 'Message is required.' }],
    });
  return ids.map(id => ({ id, place: placeOf(id, input.messages?.includes(id) ? 'messages' : 'message') }));
}

type Change = (
  client: ImapFlow,
  set: string,
  uids: number[],
  folder: string,
) => Promise<Map<number, string> | undefined>;

/**
 * Changes messages folder by folder. What is not there is said of each message; where only one was named it is the
 * error of the whole. `change` may tell the new ids; `how` says for the receipt what was changed.
 */
async function each(
  ctx: Context,
  input: { message?: string; messages?: string[] },
  change: Change,
  how: Record<string, unknown> = {},
): Promise<Receipt> {
  const all = targets(input);
  const outcomes = new Map<string, Outcome>();
  let relocates = false;
  const fail = (id: string, error: MailError) =>
    outcomes.set(id, { id, done: false, error: error.message, code: error.code });
  const byFolder = new Map<string, typeof all>();
  for (const one of all) byFolder.set(one.place.folder, [...(byFolder.get(one.place.folder) ?? []), one]);
  let first: unknown;
  for (const [folder, named] of byFolder) {
    try {
      const wanted = named.map(one => one.place.uid).sort((a, b) => a - b);
      await withImap(ctx, async client => {
        // A command for a UID that is gone succeeds and does nothing (RFC 9051 section 6.4.9), so what is there is
        // asked for first.
        const [mailbox, found] = await openedWith(
          client,
          folder,
          () =>
            uidSearch(client, [
              { type: 'ATOM', value: 'UID' },
              { type: 'SEQUENCE', value: uidSet(wanted) },
            ]),
          { write: true },
        );
        const valid = named.filter(one => {
          if (one.place.uidValidity === validityOf(mailbox)) return true;
          fail(one.id, gone(one.id, RESET));
          return false;
        });
        if (!valid.length) return;
        const there = await thatAreThere(
          client,
          valid.map(one => one.place.uid),
          found,
        );
        const uids = valid
          .map(one => one.place.uid)
          .filter(uid => there.has(uid))
          .sort((a, b) => a - b);
        for (const one of valid) if (!there.has(one.place.uid)) fail(one.id, gone(one.id));
        if (!uids.length) return;
        const moved = await change(client, uidSet(uids), uids, folder);
        relocates ||= !!moved;
        for (const one of valid) {
          if (!there.has(one.place.uid)) continue;
          const newId = moved?.get(one.place.uid);
          outcomes.set(one.id, { id: one.id, done: true, ...(newId ? { newId } : {}) });
        }
      });
    } catch (error) {
      ctx.signal?.throwIfAborted();
      if (!isMailError(error)) throw error;
      first ??= error;
      for (const one of named) if (!outcomes.has(one.id)) fail(one.id, error);
    }
  }
  const results = all.map(
    one => outcomes.get(one.id) ?? { id: one.id, done: false, error: 'Nothing was said about it.' },
  );
  if (results.length === 1 && !results[0]!.done)
    throw first ?? new MailError((results[0]!.code ?? 'not_found') as 'not_found', results[0]!.error!);
  if (first && results.every(one => !one.done)) throw first;
  const one = results.length === 1 ? results[0]! : undefined;
  // Where the server does not tell the new id, the old one would name nothing, or another message than the copy.
  const id = one && (one.newId ?? (relocates ? undefined : one.id));
  const said = { ...how, changed: results.filter(r => r.done).length };
  return { ...(id ? { id } : {}), ...said, ...(one ? {} : { results }), native: { ...said, results } };
}

/**
 * Those of some messages that are in the open folder, of which a search has found these. What it did not find is asked
 * for once more: GNU imap4d takes the numbers of UID SEARCH UID for positions.
 */
async function thatAreThere(client: ImapFlow, uids: readonly number[], found: readonly number[]): Promise<Set<number>> {
  const there = new Set(found);
  const missing = uids.filter(uid => !there.has(uid)).sort((a, b) => a - b);
  if (!missing.length) return there;
  try {
    await fetchRows(client, uidSet(missing), { uid: true }, row => {
      there.add(row.uid);
    });
  } catch (error) {
    // Some refuse to tell of what is not there.
    if (!isRefused(error)) throw error;
  }
  return there;
}

/**
 * The flags of a folder that can be kept; a server drops others without a word (RFC 9051 section 7.1, PERMANENTFLAGS).
 */
function keepable(client: ImapFlow, flags: readonly string[]) {
  const kept = client.mailbox ? client.mailbox.permanentFlags : undefined;
  const refused =
    kept && !kept.has('\\*')
      ? flags.filter(flag => ![...kept].some(one => one.toLowerCase() === flag.toLowerCase()))
      : [];
  if (refused.length) throw new MailError('unsupported', `This folder cannot keep ${refused.join(', ')}.`);
}

const store = async (client: ImapFlow, set: string, add: readonly string[], remove: readonly string[]) => {
  keepable(client, add);
  if (add.length) await granted(client, client.messageFlagsAdd(set, [...add], { uid: true, silent: true }));
  if (remove.length) await granted(client, client.messageFlagsRemove(set, [...remove], { uid: true, silent: true }));
};

const SYSTEM = /^\\(seen|answered|flagged|deleted|draft)$/i;
function flagName(name: string): string {
  const system = name.startsWith('\\')
    ? name
    : /^(seen|answered|flagged|deleted|draft)$/i.test(name)
      ? `\\${name}`
      : undefined;
  if (system) {
    if (SYSTEM.test(system)) return `\\${system[1]!.toUpperCase()}${system.slice(2).toLowerCase()}`;
    throw new MailError(
      'invalid_input',
      `There is no flag "${name}"; those with a backslash are \\Seen, \\Answered, \\Flagged, \\Deleted and \\Draft.`,
    );
  }
  return name;
}

/**
 * Names for what a copy or move left in the target: from COPYUID (RFC 4315), or found again by Message-ID where the
 * server has none.
 */
async function copyTo(
  ctx: Context,
  client: ImapFlow,
  uids: number[],
  target: string,
  move: boolean,
): Promise<Map<number, string>> {
  const set = uidSet(uids);
  const ids = new Map<number, string>();
  const named = new Map<number, string>();
  const uidplus = client.capabilities.has('UIDPLUS') || client.enabled.has('IMAP4REV2');
  if (!uidplus)
    await fetchRows(client, set, { uid: true, envelope: true }, row => {
      if (row.envelope?.messageId) named.set(row.uid, row.envelope.messageId);
    });
  const status = uidplus
    ? undefined
    : await client.status(target, { messages: true, uidNext: true, uidValidity: true });
  let result;
  if (!move)
    result = await needing(client, target, () => granted(client, client.messageCopy(set, target, { uid: true })));
  else if (client.capabilities.has('MOVE') || client.enabled.has('IMAP4REV2')) {
    result = await needing(client, target, () => granted(client, client.messageMove(set, target, { uid: true })));
  } else {
    await mayExpunge(client);
    // Without MOVE: copy, mark, and expunge exactly these. A plain EXPUNGE would take what others marked (RFC 6851
    // section 3.3).
    result = await needing(client, target, () => granted(client, client.messageCopy(set, target, { uid: true })));
    await expunge(client, set);
  }
  if (result.uidMap?.size) {
    for (const [from, to] of result.uidMap)
      ids.set(from, messageId({ folder: result.destination, uidValidity: validityOf(result), uid: to }));
    const missing = uids.filter(uid => !ids.has(uid));
    if (missing.length)
      throw new MailError(
        'rejected',
        `The server reports ${uids.length - missing.length} of ${uids.length} messages as ${move ? 'moved' : 'copied'}; missing are UIDs ${uidSet(missing)}.`,
      );
    return ids;
  }
  if (status && status.uidNext) {
    const mailbox = await opened(client, target, { fresh: true });
    const arrived = new Set<number>();
    const take = (row: FetchMessageObject) => {
      arrived.add(row.uid);
      const from = [...named].find(([uid, name]) => name === row.envelope?.messageId && !ids.has(uid))?.[0];
      if (from !== undefined)
        ids.set(from, messageId({ folder: mailbox.path, uidValidity: validityOf(mailbox), uid: row.uid }));
    };
    const query = { uid: true, envelope: true };
    // The star stands for the last one, even where that is older (RFC 9051 section 9, seq-range).
    if (mailbox.exists)
      await fetchRows(client, `${status.uidNext}:*`, query, row => {
        if (row.uid >= status.uidNext!) take(row);
      });
    // imap4d gives messages lower UIDs than it has foretold: then those count that made the folder longer.
    const longer = mailbox.exists - (status.messages ?? mailbox.exists);
    if (arrived.size < uids.length && longer >= uids.length) {
      await fetchRows(
        client,
        `${mailbox.exists - longer + 1}:*`,
        query,
        row => {
          if (!arrived.has(row.uid)) take(row);
        },
        false,
      );
    }
    if (arrived.size < uids.length)
      throw new MailError(
        'rejected',
        `Only ${arrived.size} of ${uids.length} messages are in "${target}" after the ${move ? 'move' : 'copy'}.`,
      );
  }
  ctx.signal?.throwIfAborted();
  return ids;
}

/** Throws `unsupported` where a server can only expunge everything that anyone marked. */
async function mayExpunge(client: ImapFlow): Promise<void> {
  if (!client.capabilities.has('UIDPLUS') && !client.enabled.has('IMAP4REV2')) {
    const marked = await uidSearch(client, [{ type: 'ATOM', value: 'DELETED' }]);
    if (marked.length)
      throw new MailError(
        'unsupported',
        'This server can only remove all messages marked as deleted at once, and others are marked besides these. Empty the folder in a mail program first.',
      );
  }
}

/** Deletes exactly these, or throws `unsupported`. */
export async function expunge(client: ImapFlow, set: string): Promise<void> {
  await mayExpunge(client);
  await granted(client, client.messageDelete(set, { uid: true }));
}

/** INBOX is the one name whose case does not count (RFC 9051 section 5.1). */
const isSame = (one: string, other: string): boolean =>
  one === other || (one.toUpperCase() === 'INBOX' && other.toUpperCase() === 'INBOX');

const createFolder = flag('Create Folder', { default: false, help: 'Whether the folder is created if it is missing.' });
const target = text('Target Folder', {
  required: true,
  maxLength: 1000,
  pattern: '^\\P{Cc}+$',
  ref: 'folder',
  knownBy: 'path',
});

/** The operations that change messages. */
export const changing = {
  'message.mark': operation({
    summary: 'Mark messages as read or unread',
    effect: 'write',
    docs: 'RFC 9051 section 6.4.6',
    input: {
      ...messagesField,
      read: flag('Read', { default: true, help: 'Whether the messages are marked as read.' }),
    },
    run: (ctx, { read, ...input }) =>
      each(
        ctx,
        input,
        async (client, set) => {
          await store(client, set, read ? ['\\Seen'] : [], read ? [] : ['\\Seen']);
          return undefined;
        },
        { read },
      ),
  }),
  'message.flag': operation({
    summary: 'Add or remove flags and keywords',
    effect: 'write',
    docs: 'RFC 9051 sections 2.3.2 and 6.4.6',
    input: {
      ...messagesField,
      flags: list('Flags', text('Flag', { maxLength: 100, pattern: '^\\\\?[!#-&+-Z^-z|}~]+$' }), {
        required: true,
        maxItems: 50,
        example: 'Flagged',
        help: 'Flagged, Answered, Seen, Draft, Deleted, or keywords of your own.',
      }),
      change: choice('Change', { add: 'Add', remove: 'Remove' }, { default: 'add' }),
    },
    run: (ctx, { flags, change, ...input }) => {
      const names = flags.map(flagName);
      return each(
        ctx,
        input,
        async (client, set) => {
          await store(client, set, change === 'add' ? names : [], change === 'add' ? [] : names);
          return undefined;
        },
        { flags: names, change },
      );
    },
  }),
  'message.move': operation({
    summary: 'Move messages to another folder',
    effect: 'write',
    docs: 'RFC 6851, RFC 4315',
    input: { ...messagesField, target, createFolder },
    run: (ctx, { target, createFolder, ...input }) =>
      each(
        ctx,
        input,
        async (client, _set, uids, folder) => {
          if (isSame(folder, target))
            throw new MailError('invalid_input', `The messages are in "${target}" already.`, {
              issues: [{ field: 'target', message: 'This is the folder the messages are in.' }],
            });
          if (createFolder) await ensure(client, target);
          return copyTo(ctx, client, uids, target, true);
        },
        { target },
      ),
  }),
  'message.copy': operation({
    summary: 'Copy messages to another folder',
    effect: 'write',
    docs: 'RFC 9051 section 6.4.7, RFC 4315',
    input: { ...messagesField, target, createFolder },
    run: (ctx, { target, createFolder, ...input }) =>
      each(
        ctx,
        input,
        async (client, _set, uids) => {
          if (createFolder) await ensure(client, target);
          return copyTo(ctx, client, uids, target, false);
        },
        { target },
      ),
  }),
  'message.delete': operation({
    summary: 'Move messages to the trash, or delete them for good',
    effect: 'destroy',
    docs: 'RFC 4315 section 2.1, RFC 6154',
    doubt: 'At Gmail a message deleted in a label only loses that label, unless it is deleted in the trash.',
    input: {
      ...messagesField,
      forever: flag('Forever', {
        default: false,
        help: 'Whether the messages are removed at once instead of being moved to the trash.',
      }),
    },
    run: (ctx, { forever, ...input }) => {
      const how: { target?: string; forever?: boolean } = {};
      return each(
        ctx,
        input,
        async (client, set, uids, folder) => {
          const trash = forever ? undefined : await folderFor(client, 'trash');
          if (!forever && !trash)
            throw new MailError(
              'not_found',
              'This account has no trash folder; choose Forever to remove the messages at once.',
            );
          if (trash && trash !== folder) {
            how.target = trash;
            return copyTo(ctx, client, uids, trash, true);
          }
          how.forever = true;
          await expunge(client, set);
          return undefined;
        },
        how,
      );
    },
  }),
  'message.append': operation({
    summary: 'Put a message into a folder',
    effect: 'write',
    docs: 'RFC 9051 section 6.3.12, RFC 4315',
    input: {
      ...folderField,
      createFolder,
      file: file('Message File', {
        required: true,
        help: 'A message with headers and body (RFC 5322), at most 64 MB.',
      }),
      flags: list('Flags', text('Flag', { maxLength: 100, pattern: '^\\\\?[!#-&+-Z^-z|}~]+$' }), { maxItems: 50 }),
      received: time('Received At', { help: 'What the folder shows as the time of arrival. Left empty, now.' }),
    },
    run: async (ctx, { folder, createFolder, file, flags = [], received }): Promise<Receipt> => {
      const names = flags.map(flagName);
      const pieces: Uint8Array[] = [];
      let size = 0;
      for await (const piece of file.open()) {
        pieces.push(piece);
        size += piece.byteLength;
        if (size > LARGEST_UPLOAD)
          throw new MailError('invalid_input', `The message is larger than ${LARGEST_UPLOAD / 1048576} MB.`, {
            issues: [{ field: 'file', message: 'The message is too large.' }],
          });
      }
      // CRLF is what a literal must hold (RFC 5322 section 2.1); files from disk often have bare line feeds.
      const bytes = Buffer.concat(pieces, size);
      if (!size)
        throw new MailError('invalid_input', 'The message file is empty.', {
          issues: [{ field: 'file', message: 'The file is empty.' }],
        });
      const put = await append(
        ctx,
        folder,
        bytes.includes('\r\n') ? bytes : Buffer.from(bytes.toString('latin1').replace(/\n/g, '\r\n'), 'latin1'),
        names,
        { received, createFolder },
      );
      return { ...(put.id ? { id: put.id } : {}), folder: put.folder, size, native: { ...put, size } } as Receipt;
    },
  }),
} satisfies Operations;

/**
 * Uploads a message; `id` is there where the server tells it (UIDPLUS). The folder is opened for writing first: while
 * one is open for reading, Courier refuses every APPEND, and only an open folder tells which flags it can keep. Throws
 * `not_found`.
 */
export async function append(
  ctx: Context,
  folder: string,
  bytes: Buffer,
  flags: readonly string[],
  { received, createFolder = false }: { received?: string; createFolder?: boolean } = {},
): Promise<{ folder: string; id?: string }> {
  return withImap(ctx, async client => {
    if (createFolder) await ensure(client, folder);
    const mailbox = await opened(client, folder, { write: true }).catch((error: unknown) => {
      // A folder that may only be read may still take messages (RFC 4314 section 2.1, the right to insert); the server
      // decides.
      if (!isMailError(error) || error.code !== 'forbidden') throw error;
      return undefined;
    });
    keepable(client, flags);
    const put = await needing(client, folder, () =>
      granted(client, client.append(folder, bytes, [...flags], received ? new Date(received) : undefined)),
    );
    // A server that names another life of the folder than the one that is open has put the numbers in the wrong order.
    const isThisOne = !mailbox || mailbox.path !== put.destination || validityOf(mailbox) === validityOf(put);
    return {
      folder: put.destination,
      ...(put.uid && put.uidValidity && isThisOne
        ? { id: messageId({ folder: put.destination, uidValidity: validityOf(put), uid: put.uid }) }
        : {}),
    };
  });
}
