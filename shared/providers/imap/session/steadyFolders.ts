import type { ImapFlow, MailboxObject } from '../libraries.js';
import { validityOf } from '../messages/id.js';

/** A UIDVALIDITY that stays, and the UIDNEXT below which UIDs do. */
export interface Steady {
  validity: string;
  next: number;
}
/** The folders of a connection's account where they are known. */
export const steadyFolders = new WeakMap<ImapFlow, Map<string, Steady>>();
/** Servers that count changes or name messages for good keep what they say of a folder. */
const KEEPS_STATE = ['CONDSTORE', 'OBJECTID', 'X-GM-EXT-1', 'IMAP4REV2'];

/**
 * Gives the opened folder once its UIDVALIDITY no longer changes. Courier and imap4d make up a new one at each EXAMINE
 * until somebody has SELECTed the folder, and every id would soon mean nothing. So a folder is opened a second time
 * when it is first met or was created anew, and with SELECT where the two differ, which marks nothing. What they make
 * up is the time in seconds, so that two may be the same by chance: a UIDVALIDITY that is a time of today is taken for
 * one that moves. imap4d also gives a message that came since another UID at each EXAMINE until the folder is SELECTed
 * again; its UIDNEXT grows with that while nothing came. `moved` says that it was opened with SELECT, so that UIDs told
 * before mean nothing.
 */
export async function steadied(
  client: ImapFlow,
  mailbox: MailboxObject,
): Promise<{ mailbox: MailboxObject; moved: boolean }> {
  const steady = steadyFolders.get(client);
  const { path } = mailbox;
  const known = steady?.get(path);
  if (!steady || KEEPS_STATE.some(name => client.capabilities.has(name))) return { mailbox, moved: false };
  const same = known?.validity === validityOf(mailbox);
  if (same && (known.next === mailbox.uidNext || client.capabilities.has('UIDPLUS'))) return { mailbox, moved: false };
  let again = await client.mailboxOpen(path, { readOnly: true });
  const moved =
    validityOf(again) !== validityOf(mailbox) ||
    (!same && isTimeOfToday(validityOf(again))) ||
    (again.exists === mailbox.exists && again.uidNext > mailbox.uidNext);
  if (moved) {
    await client.mailboxOpen(path);
    again = await client.mailboxOpen(path, { readOnly: true });
  }
  steady.set(path, { validity: validityOf(again), next: again.uidNext });
  return { mailbox: again, moved };
}

/**
 * True for seconds since 1970, with or without their billions as Courier has them, that are no more than a day from
 * now.
 */
function isTimeOfToday(validity: string): boolean {
  const apart = Math.abs(Number(validity) - Date.now() / 1000) % BILLION;
  return Math.min(apart, BILLION - apart) <= 86_400;
}
const BILLION = 1e9;
