import { arrivedAt, uidSet } from '../messages/content.js';
import { validityOf } from '../messages/id.js';
import type { ImapFlow, MailboxObject } from '../libraries.js';
import { fetchRows } from '../wire/fetch.js';
import { uidSearch } from '../operations/message.js';
import { hashOf, LATE, type FolderState, type Work } from './cursor.js';
import { DAY, dayBefore } from './firstLook.js';

/**
 * UIDVALIDITY changed: all UIDs mean something else now. Known mail is recognised by its Message-ID; the state is set
 * to read the rest: what arrived no more than a day before the newest known one, and, where more may have been seen
 * than is known, after the oldest.
 */
export async function begunAnew(
  client: ImapFlow,
  mailbox: MailboxObject,
  folder: string,
  { s, ring, seen }: Work,
): Promise<string> {
  const known = ring.length;
  const names = new Set(ring);
  const begin = s.from?.since ?? -Infinity;
  // A folder that was empty at the first look has nothing but news.
  let after = Math.max(known && s.at !== undefined ? s.at - DAY : -Infinity, begin);
  let oldest = Infinity;
  let lowest = Infinity;
  let top = 0;
  if (mailbox.exists) {
    const look = async (set: string, uid: boolean) => {
      let copied = false;
      await fetchRows(
        client,
        set,
        { uid: true, envelope: true, internalDate: true },
        row => {
          if (!(row.uid > 0)) return;
          lowest = Math.min(lowest, row.uid);
          top = Math.max(top, row.uid);
          const at = arrivedAt(row);
          if (!row.envelope || Number.isNaN(at) || !names.has(hashOf(row))) return;
          oldest = Math.min(oldest, at);
          if (at > (s.at ?? Infinity)) copied = true;
        },
        uid,
      );
      return copied;
    };
    const near = await uidSearch(
      client,
      Number.isFinite(after)
        ? [
            { type: 'ATOM', value: 'SINCE' },
            { type: 'ATOM', value: dayBefore(after) },
          ]
        : [{ type: 'ATOM', value: 'ALL' }],
    );
    // A known one that arrived later than any we know: whoever made the folder anew gave all messages new times. Then
    // the newest must do.
    if (near.length && (await look(uidSet(near), true))) {
      lowest = oldest = Infinity;
      after = begin;
      await look(`${Math.max(1, mailbox.exists - Math.max(500, 2 * known) + 1)}:*`, false);
    } else if (known >= LATE && oldest < Infinity) after = Math.max(after, oldest);
  }
  const until = Math.max((mailbox.uidNext || 1) - 1, top);
  const { at } = s;
  seen.clear();
  for (const name of Object.keys(s)) delete (s as unknown as Record<string, unknown>)[name];
  Object.assign(s, {
    val: validityOf(mailbox),
    last: until,
    base: until,
    ...(at === undefined ? {} : { at }),
  } satisfies FolderState);
  if (lowest === Infinity) return `The folder "${folder}" was created anew and is empty.`;
  s.last = s.base = lowest - 1;
  s.reset = { until, ...(Number.isFinite(after) ? { after } : {}), n: known, known: 0, fresh: 0 };
  return `The folder "${folder}" was created anew; known mail is being recognised.`;
}
