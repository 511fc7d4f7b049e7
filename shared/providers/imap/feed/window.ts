import { inReadingOrder, withText } from '../../../message.js';
import type { Context } from '../../../provider.js';
import { settingsOf } from '../account/fields.js';
import { BARE, SUMMARY, toMessage, uidSet, type ImapMessage } from '../messages/content.js';
import { validityOf } from '../messages/id.js';
import type { FetchMessageObject, ImapFlow, MailboxObject } from '../libraries.js';
import { fetchRows, pipelineFetches, mendRows } from '../wire/fetch.js';
import { prefetchSummaries } from './prefetch.js';
import type { Outline } from '../mime/structure.js';
import { contents, costOf, type Open } from './contents.js';
import { passes, shapeOf } from './filters.js';
import type { Input } from './input.js';
import { unreadable } from './items.js';
import { alone, onlyRefusal } from './refusals.js';
import type { Track } from './track.js';
import { passesText } from './words.js';

/** So many bytes of messages are handed over at once; see look.ts. */
const WINDOW_BYTES = 384 * 1024;

export interface Collected {
  done: { uid: number; message: ImapMessage | undefined }[];
  missing: number[];
  cut: boolean;
  last: number;
}

/**
 * Fetches messages as the feed wants them. In order; `cut` when the bytes were too many and the rest must wait. A
 * message that is left out by a filter is done without a message. Refusals of one message become errors in that
 * message, or make it one of the missing where they may pass; everything else is thrown.
 */
export async function collect(
  ctx: Context,
  client: ImapFlow,
  mailbox: MailboxObject,
  folder: string,
  asked: readonly number[],
  values: Input,
  track: Track,
): Promise<Collected> {
  const uidValidity = validityOf(mailbox);
  const errors = new Map<number, string>();
  const name = `${settingsOf(ctx).key}/${folder}/${uidValidity}`;
  await summaries(ctx, client, asked, track, errors, name, values.fetch === 'envelope');
  const missing: number[] = [];
  const chosen: {
    uid: number;
    row: FetchMessageObject | undefined;
    shape: Outline | undefined;
    message: ImapMessage | undefined;
  }[] = [];
  let bytes = 0;
  let cut = false;
  for (const uid of asked) {
    if (uid > track.end) break;
    const row = track.rows.get(uid);
    const error = errors.get(uid);
    if (!row && !error) {
      missing.push(uid);
      continue;
    }
    const shape = shapeOf(row);
    if (row && !passes(values, row, shape)) {
      chosen.push({ uid, row, shape, message: undefined });
      track.finished.set(uid, undefined);
      continue;
    }
    const cost = row ? costOf(values, row, shape) : 0;
    if (bytes > 0 && bytes + cost > WINDOW_BYTES) {
      cut = true;
      break;
    }
    bytes += cost;
    const message = row
      ? toMessage(row, folder, uidValidity, shape)
      : unreadable({ folder, uidValidity, uid }, undefined, '');
    if (error) {
      message.error = error;
      if (!row?.envelope) message.unreadable = true;
    }
    chosen.push({ uid, row, shape, message });
    if (values.fetch === 'envelope' || !row || error) track.finished.set(uid, message);
  }
  if (values.fetch !== 'envelope') {
    const open = chosen.filter(one => one.message && one.row && !errors.has(one.uid)) as Open[];
    await contents(
      ctx,
      client,
      open,
      folder,
      uidValidity,
      values,
      track,
      name,
      chosen.map(one => one.uid),
    );
  }
  // Missing ones beyond the cut are not known to be missing yet in their turn.
  const end = Math.min(cut ? chosen.at(-1)!.uid : Infinity, track.end);
  // Told of, but without content: it may be gone since, which the next look finds out.
  const gone = new Set(chosen.filter(({ uid, message }) => message && !track.finished.has(uid)).map(({ uid }) => uid));
  missing.push(...gone);
  const done: Collected['done'] = [];
  const isRead = values.fetch === 'text' || values.fetch === 'full';
  for (const { uid, message, shape } of chosen) {
    if (uid > end || gone.has(uid)) continue;
    // The filter could not tell before the message was taken apart.
    const late =
      message &&
      !shape &&
      values.hasAttachment !== undefined &&
      !message.error &&
      !!message.attachments?.length !== values.hasAttachment;
    const read =
      !message || late ? undefined : isRead && !message.error ? await withText(message) : inReadingOrder(message);
    done.push({ uid, message: read && isRead && !passesText(values, read) ? undefined : read });
  }
  return { done, missing: missing.filter(uid => uid <= end), cut: end < Infinity, last: end };
}

/** Envelopes, flags and structures; bare facts for messages whose structure the server or the library stumbles over. */
async function summaries(
  ctx: Context,
  client: ImapFlow,
  asked: readonly number[],
  track: Track,
  errors: Map<number, string>,
  name: string,
  bare: boolean,
): Promise<void> {
  const get = async (uids: number[], query: typeof SUMMARY | typeof BARE) => {
    track.asked = true;
    await fetchRows(client, uidSet(uids), query, row => {
      if (row.size !== undefined) track.rows.set(row.uid, row);
    });
  };
  const { ahead } = track;
  if (bare && ahead) await pipelineFetches(client, prefetchSummaries(ahead, track.rows));
  while (ahead?.coming[0] && ahead.coming[0].first <= asked.at(-1)!) {
    track.asked = true;
    await ahead.coming.shift()!.come;
  }
  const mend = async () => {
    // A refusal leaves the sender open; the message comes all the same.
    try {
      await mendRows(
        client,
        asked.flatMap(uid => track.rows.get(uid) ?? []),
      );
    } catch (error) {
      onlyRefusal(error);
    }
  };
  const unknown = asked.filter(uid => !track.rows.has(uid));
  if (!unknown.length) return mend();
  await alone(
    ctx,
    name,
    track,
    unknown,
    uid => track.rows.has(uid) || errors.has(uid),
    () => get(unknown, SUMMARY),
    uid => get([uid], SUMMARY),
    async (uid, said) => {
      errors.set(uid, `The server refuses to tell what this message is: ${said}.`);
      try {
        await get([uid], BARE);
      } catch (error) {
        onlyRefusal(error);
      }
    },
  );
  const silent = () =>
    unknown.filter(uid => uid <= track.end && !track.rows.has(uid) && !errors.has(uid) && !track.later.has(uid));
  // The library drops a row that it cannot read; without the complicated items it can.
  const without = silent();
  if (without.length) {
    try {
      await get(without, BARE);
    } catch (error) {
      onlyRefusal(error);
    }
  }
  await mend();
}
