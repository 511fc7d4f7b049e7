import { isMailError } from '../../../errors.js';
import type { Context, FeedItem, Latest } from '../../../provider.js';
import { withFolder } from '../session/openFolder.js';
import { arrivedAt, type ImapMessage } from '../messages/content.js';
import { validityOf } from '../messages/id.js';
import { fetchRows } from '../wire/fetch.js';
import { foldersOf, OF_ONE } from './folders.js';
import type { Input } from './input.js';
import { itemOf } from './items.js';
import { asksForText } from './words.js';
import { newTrack, SILENCE } from './track.js';
import { collect, type Collected } from './window.js';

/**
 * So many messages of a folder, from the newest back, a test looks through for some that pass the filters; so many at
 * once.
 */
const LOOK_BACK = 1000;
const LOOK_STEP = 100;

/** The latest of all folders together. One folder that cannot be read is noted, as `since` does it. */
export async function latest(ctx: Context, values: Input, most: number): Promise<Latest<ImapMessage>> {
  const found: { item: FeedItem<ImapMessage>; at: number }[] = [];
  const notes: string[] = [];
  let worked = false;
  let failed: unknown;
  for (const folder of foldersOf(values)) {
    try {
      found.push(...(await latestIn(ctx, folder, values, most, notes)));
      worked = true;
    } catch (error) {
      if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
      failed ??= error;
      notes.push(`The folder "${folder}" cannot be read: ${error.message}`);
    }
  }
  if (!worked && failed) throw failed;
  const items = found
    .sort((one, other) => one.at - other.at)
    .slice(-most)
    .map(({ item }) => item);
  return { items, ...(notes.length ? { notes } : {}) };
}

/** Steps back until enough pass; only those that do are fetched with their content. */
async function latestIn(ctx: Context, folder: string, values: Input, most: number, notes: string[]) {
  return withFolder(
    ctx,
    folder,
    async (client, mailbox) => {
      const found: { item: FeedItem<ImapMessage>; at: number }[] = [];
      const uidValidity = validityOf(mailbox);
      const last = Math.max(0, mailbox.exists - LOOK_BACK);
      for (let end = mailbox.exists, step = most; end > last && found.length < most; end -= step, step = LOOK_STEP) {
        const uids: number[] = [];
        const arrived = new Map<number, number>();
        await fetchRows(
          client,
          `${Math.max(last + 1, end - step + 1)}:${end}`,
          { uid: true, internalDate: true },
          row => {
            uids.push(row.uid);
            arrived.set(row.uid, arrivedAt(row));
          },
          false,
        );
        if (!uids.length) break;
        const all = (wanted: readonly number[], fetch: Input['fetch']) =>
          collectAll(wanted, one => collect(ctx, client, mailbox, folder, one, { ...values, fetch }, newTrack()));
        const described = (
          await all(
            uids.sort((a, b) => a - b),
            'envelope',
          )
        ).map(({ uid }) => uid);
        const passing = asksForText(values) ? described : described.slice(found.length - most);
        const whole: typeof found = [];
        for (const { uid, message } of await all(passing, values.fetch)) {
          if (message.unreadable)
            notes.push(
              `A message in "${folder}" cannot be read: ${message.error || 'the server does not deliver it.'}`,
            );
          else whole.push({ item: itemOf(folder, uidValidity, uid, message), at: arrived.get(uid) || 0 });
        }
        found.unshift(...whole.slice(found.length - most));
      }
      return found;
    },
    { fresh: true, reads: true, silence: SILENCE },
  );
}

/** Window by window. What the server refuses for the moment is left out. */
async function collectAll(uids: readonly number[], get: (uids: number[]) => Promise<Collected>) {
  const found: { uid: number; message: ImapMessage }[] = [];
  for (let rest = [...uids]; rest.length;) {
    const got = await get(rest);
    const before = rest.length;
    for (const { uid, message } of got.done) if (message) found.push({ uid, message });
    rest = got.cut ? rest.filter(uid => uid > got.last) : [];
    if (rest.length === before) break;
  }
  return found;
}
