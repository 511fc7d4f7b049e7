import type { Context, FeedItem } from '../../../provider.js';
import { isLost, opened, withImap, wordsOf } from '../session/imapPool.js';
import { uidsOf, type ImapMessage } from '../messages/content.js';
import { validityOf } from '../messages/id.js';
import type { FetchMessageObject, ImapFlow } from '../libraries.js';
import { depthOf, handedOver, pauseReading, newPrefetch, type Prefetch } from './prefetch.js';
import { begunAnew } from './anew.js';
import { done, finish, hashesOf, wanted, type FolderState, type Work } from './cursor.js';
import { news, postpone } from './gaps.js';
import type { Input } from './input.js';
import { itemOf, unreadable } from './items.js';
import { newTrack, SILENCE, type Track } from './track.js';
import { collect } from './window.js';

/**
 * A window: so many messages, and so many bytes of them, are handed over at once. Larger ones save few commands, but more of what they hold
 * outlives a collection of V8's young generation, which then grows to twice the size: 155 MB instead of 115 for ten thousand messages.
 */
const MOST = 32, MOST_SUMMARIES = 64;
/** A message is set aside when the connection broke so often while it was fetched alone. */
const STRIKES = 2;

interface Looked { state: FolderState; items: FeedItem<ImapMessage>[]; notes: string[]; more: boolean }

/**
 * What a look found beyond its window, so that the next one need not open the folder and ask again. Good for the very state the look ended
 * with, on the same connection, as long as the folder stays open there; flags may have changed since, hence not for long.
 */
interface Continuation { folder: string; state: string; kind: string; uids: number[]; rows: Track['rows']; beyond: boolean; at: number; ahead: Prefetch }
const continuations = new WeakMap<ImapFlow, Continuation>();
/** In milliseconds. */
const CONTINUES_FOR = 10_000;

function continuationOf(client: ImapFlow, folder: string, state: string, kind: string): Continuation | undefined {
  const found = continuations.get(client);
  continuations.delete(client);
  const open = client.mailbox && client.mailbox.path === folder && client.mailbox.readOnly;
  const same = found && open && found.folder === folder && found.state === state && found.kind === kind;
  return same && performance.now() - found.at < CONTINUES_FOR ? found : undefined;
}

export async function look(ctx: Context, folder: string, values: Input, s: FolderState): Promise<Looked> {
  const w: Work = { s, ring: hashesOf(s.ring), seen: new Set(uidsOf(s.seen ?? '')) };
  const items: FeedItem<ImapMessage>[] = [], notes: string[] = [];
  const before = JSON.stringify(s);
  let more = false, keep: { client: ImapFlow; continuation: Omit<Continuation, 'state'> } | undefined;
  await withImap(ctx, async client => {
    // Contents that were asked for ahead are those of this kind.
    const kind = JSON.stringify([values.fetch, values.attachmentLimit]), continuation = continuationOf(client, folder, before, kind);
    let mailbox = await opened(client, folder, { fresh: !continuation });
    // Spurious values have been seen, so the folder is opened once more before anything is made of it.
    if (validityOf(mailbox) !== s.val) mailbox = await opened(client, folder, { fresh: true });
    if (validityOf(mailbox) !== s.val) notes.push(await begunAnew(client, mailbox, folder, w));
    const { uids, beyond } = continuation ?? await news(client, mailbox, w, notes, folder);
    if (!uids.length) { more = beyond; return; }
    const rows = continuation?.rows ?? new Map<number, FetchMessageObject>(), at = continuation?.at ?? performance.now();
    const struck = new Map(s.strikes);
    const bare = values.fetch === 'envelope', most = bare ? MOST_SUMMARIES : MOST;
    const careful = s.careful !== undefined && uids[0]! <= s.careful;
    const ahead: Prefetch = continuation?.ahead ?? newPrefetch(), depth = depthOf(client, bare);
    // What is told of the next ones already is handed over before more is asked for.
    const untold = uids.findIndex(uid => !rows.has(uid) && uid > ahead.until);
    const window = (careful ? uids.filter(uid => uid <= s.careful!) : uids).slice(0, untold > 0 ? Math.min(untold, most) : most);
    // Only for a reader who goes on undisturbed: one whom another always interrupts would have everything asked for over and over. Without
    // contents the window itself goes the same way; and less than half a window waits until it is worth a command.
    const next = continuation && !careful ? uids.slice(bare ? 0 : window.length, window.length + depth.summaries)
      .filter(uid => uid > ahead.until && !rows.has(uid)) : [];
    ahead.next = next.length >= most / 2 ? next : [];
    ahead.letIn?.();
    let asked = 0;
    for (const part of careful ? window.map(uid => [uid]) : [window]) {
      const track = newTrack(careful ? undefined : rows, s.gaps);
      if (!careful) Object.assign(track, { ahead, uids: continuation ? uids : [], depth: depth.bytes });
      const handOver = (uid: number, message: ImapMessage | undefined) => {
        const row = track.rows.get(uid);
        done(w, uid, row);
        struck.delete(uid);
        if (message && wanted(w, row)) items.push(itemOf(folder, s.val, uid, message));
      };
      try {
        const found = await collect(ctx, client, mailbox, folder, part, values, track);
        for (const { uid, message } of found.done) handOver(uid, message);
        for (const uid of found.missing) postpone(ctx, w, folder, uid, items, track.rows.get(uid), track.later.get(uid));
        asked += found.cut ? 0 : part.length;
        if (!careful) {
          const dealt = found.cut ? uids.indexOf(found.last) + 1 : part.length;
          for (const uid of uids.slice(0, dealt)) rows.delete(uid);
          handedOver(ahead, uids.slice(0, dealt));
          pauseReading(ahead, client);
          keep = { client, continuation: { folder, kind, uids: uids.slice(dealt), rows, beyond, at, ahead } };
        }
      } catch (error) {
        ctx.signal?.throwIfAborted();
        if (!isLost(client, error) || !track.asked) throw error;
        // What was complete is handed over as far as it is the beginning of the window.
        for (const uid of part) {
          if (!track.finished.has(uid)) break;
          handOver(uid, track.finished.get(uid));
        }
        const uid = part[0]!;
        // A reset also swallows what was on its way, so a window does not tell which message it was; a message fetched alone does.
        if (part.length > 1) s.careful = part.at(-1)!;
        else if (!track.finished.has(uid)) {
          const times = (struck.get(uid) ?? 0) + 1;
          struck.set(uid, times);
          if (times >= STRIKES) handOver(uid, unreadable({ folder, uidValidity: s.val, uid }, track.rows.get(uid),
            `The server cannot deliver this message: the connection broke whenever it was fetched (${wordsOf(error)}).`));
        }
        asked = -1;
        break;
      }
    }
    // What was told earlier may not be all by now: the last word has a look that asked.
    more = beyond || asked < uids.length || !!continuation;
    if (s.careful !== undefined && s.last >= s.careful) delete s.careful;
    s.strikes = [...struck];
    if (!s.strikes.length) delete s.strikes;
  }, { reads: true, silence: SILENCE, goesOn: true });
  finish(w, notes, folder);
  if (keep?.continuation.uids.length) continuations.set(keep.client, { ...keep.continuation, state: JSON.stringify(s) });
  return { state: s, items, notes, more };
}
