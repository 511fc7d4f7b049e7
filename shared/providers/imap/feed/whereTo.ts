import type { Context } from '../../../provider.js';
import { fetchEach } from '../messages/fetchEach.js';
import { validityOf, type Place } from '../messages/id.js';
import type { FetchMessageObject } from '../libraries.js';
import { uidSearch } from '../operations/message.js';
import { withFolder } from '../session/openFolder.js';
import { withImap } from '../session/imapPool.js';
import { hashOf } from './cursor.js';

/**
 * Where the next message of each folder would be: a message that comes to a folder has this UID or a higher one (RFC
 * 9051 section 2.3.1.1).
 */
export type Ends = Record<string, [uidValidity: string, uidNext: number]>;

/** So many folders are asked; what is moved to another one counts as deleted. */
export const MOST_FOLDERS = 300;
/** So many new messages of a folder are looked through for those that left another one. */
const MOST_NEW = 2000;

/** The ends of all folders that messages can be moved to. One command where the server knows LIST-STATUS (RFC 5819). */
export async function endsOf(ctx: Context): Promise<Ends> {
  const listed = await withImap(ctx, client => client.list({ statusQuery: { uidNext: true, uidValidity: true } }), {
    reads: true,
  });
  const ends: Ends = {};
  for (const { path, status, flags } of listed.slice(0, MOST_FOLDERS)) {
    if (status?.uidNext !== undefined && !flags.has('\\Noselect')) ends[path] = [validityOf(status), status.uidNext];
  }
  return ends;
}

/** What a message is named by. */
export const NAMES = { uid: true, envelope: true, size: true } as const;

/** Names a message as the cursor does; undefined where the server does not describe it. */
export const nameOf = (row: FetchMessageObject): string | undefined => (row.envelope ? hashOf(row) : undefined);

/**
 * Where messages are now that left a folder, by name: those that came to other folders since `before`. One that cannot
 * be found was deleted, or went where nobody looks. Each place is given once.
 */
export async function findMoved(
  ctx: Context,
  from: string,
  names: ReadonlySet<string>,
  before: Ends,
): Promise<Map<string, Place[]>> {
  const found = new Map<string, Place[]>();
  for (const [folder, [uidValidity, next]] of Object.entries(await endsOf(ctx))) {
    const [was, first] = before[folder] ?? [uidValidity, 1];
    if (folder === from || was !== uidValidity || next <= first) continue;
    const uids = await withFolder(
      ctx,
      folder,
      async (client, mailbox) =>
        validityOf(mailbox) === uidValidity && mailbox.exists
          ? uidSearch(client, [
              { type: 'ATOM', value: 'UID' },
              { type: 'SEQUENCE', value: `${first}:*` },
            ])
          : [],
      { fresh: true, reads: true },
    );
    // A message that the server stumbles over is not found; the others are.
    await fetchEach(ctx, { folder, uidValidity }, uids.filter(uid => uid >= first).slice(-MOST_NEW), NAMES, row => {
      const name = nameOf(row);
      if (name && names.has(name)) found.set(name, [...(found.get(name) ?? []), { folder, uidValidity, uid: row.uid }]);
    });
  }
  return found;
}
