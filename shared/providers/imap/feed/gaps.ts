import type { Context, FeedItem } from '../../../provider.js';
import { remind } from '../session/watchFolders.js';
import { uidSet, type ImapMessage } from '../messages/content.js';
import type { FetchMessageObject, ImapFlow, MailboxObject } from '../libraries.js';
import { uidSearch } from '../operations/message.js';
import { done, LATE, type Work } from './cursor.js';
import { itemOf, unreadable } from './items.js';

/** So many UIDs are looked through at once for new ones; each search interrupts what is asked for ahead. */
const STRETCH = 4000;
/**
 * Announced messages that never come are asked for again after 1, 2 and 4 seconds; those refused for the moment with
 * such waits for an hour.
 */
const TRIES = 3;
const REFUSED_TRIES = 12;

/**
 * An announced message that did not come, or is refused for the moment: asked for again later, while the others go on;
 * at last it is said so.
 */
export function postpone(
  ctx: Context,
  w: Work,
  folder: string,
  uid: number,
  items: FeedItem<ImapMessage>[],
  row: FetchMessageObject | undefined,
  refusal: string | undefined,
) {
  const { s } = w;
  const tries = (s.gaps?.find(([one]) => one === uid)?.[1] ?? 0) + 1;
  done(w, uid, undefined);
  if (tries > (refusal === undefined ? TRIES : REFUSED_TRIES)) {
    const why =
      refusal === undefined
        ? 'The server lists this message but does not deliver it.'
        : `The server refuses to give this message, however often it is asked: ${refusal}.`;
    items.push(itemOf(folder, s.val, uid, unreadable({ folder, uidValidity: s.val, uid }, row, why)));
    return;
  }
  const wait = 1000 * 2 ** (tries - 1);
  (s.gaps ??= []).push([uid, tries, Date.now() + wait]);
  remind(ctx, folder, wait);
}

/**
 * UIDs to hand over now, in order: gaps whose time has come, late ones, new ones. Asked for in stretches, so that
 * 100,000 waiting messages cost little.
 */
export async function news(
  client: ImapFlow,
  mailbox: MailboxObject,
  { s, seen }: Work,
  notes: string[],
  folder: string,
): Promise<{ uids: number[]; beyond: boolean }> {
  if (!mailbox.exists) {
    delete s.gaps;
    return { uids: [], beyond: false };
  }
  const find = async (set: string) =>
    uidSearch(client, [
      { type: 'ATOM', value: 'UID' },
      { type: 'SEQUENCE', value: set },
    ]);
  const now = Date.now();
  // A time further off than it was ever set to means that the clock was put back.
  const due = (s.gaps ?? []).filter(([, tries, at]) => at <= now || at > now + 1000 * 2 ** tries).map(([uid]) => uid);
  const uids = new Set<number>();
  if (due.length) {
    const there = new Set(await find(uidSet([...due].sort((a, b) => a - b))));
    for (const uid of due) {
      if (there.has(uid)) {
        uids.add(uid);
        continue;
      }
      s.gaps = s.gaps!.filter(([one]) => one !== uid);
      notes.push(`Message ${uid} of "${folder}" was moved or deleted before it could be read.`);
    }
  }
  const low = Math.max(s.base + 1, s.last - LATE + 1);
  const top = mailbox.uidNext ? mailbox.uidNext - 1 : undefined;
  let stretch = STRETCH;
  let high: number;
  for (; ; stretch *= 8) {
    high = Math.min(s.last + stretch, 4294967295);
    // UIDNEXT may be old or missing, so the last stretch goes to the end of the folder whatever it says.
    const open = top === undefined || high >= top;
    // A range up to * always finds the last message, even one below its beginning (RFC 3501 section 6.4.8).
    const found = (await find(`${low}:${open ? '*' : high}`)).filter(uid => uid >= low && !seen.has(uid));
    for (const uid of found) uids.add(uid);
    if (open) {
      high = Infinity;
      break;
    }
    if (found.length) break;
  }
  return { uids: [...uids].sort((a, b) => a - b), beyond: top !== undefined && high < top };
}
