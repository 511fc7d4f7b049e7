import type { FetchMessageObject, ImapFlow } from '../libraries.js';
import { uidSet, fetchRequestsFor, SUMMARY, type Got, type Wanted } from '../messages/content.js';
import { roundTripOf } from '../session/pipeline.js';
import { resumeReading, type FetchRequest } from '../wire/fetch.js';
import { standsStill } from './standstill.js';

/*
 * What a look asks for beyond its window, so that the server works while the window before is read and handed over, and
 * so that a server far away is not waited for once a window. Whoever stops reading has asked for it in vain, so it is
 * no more than a round trip holds.
 */

/**
 * Summaries of so many messages beyond the window at least and at most, with contents and without. More wait in memory.
 */
const SUMMARIES = { full: [16, 512], bare: [128, 1024] } as const;
/**
 * Contents of so many bytes beyond the window at least and at most, where the server is far away. Nearby they would
 * only take memory.
 */
const CONTENTS = [256 * 1024, 4 * 1024 * 1024] as const;
/**
 * A server is nearby when an answer takes no longer than this, most of which is work of its own and ours. In
 * milliseconds.
 */
const NEARBY = 5;
/** From a server nearby that stands still in each command: enough that it always has another one to go on with. */
const STANDING = { summaries: 96, bytes: 384 * 1024 } as const;
/** What goes over a fast line in a millisecond: messages, and bytes of them. */
const MESSAGES_A_MS = 20;
const BYTES_A_MS = 80 * 1024;
/**
 * Summaries of so many messages are one command; contents of so many bytes are asked for together, so that they come in
 * order.
 */
const A_COMMAND = 64;
const A_BATCH = 256 * 1024;

const within = (value: number, [least, most]: readonly [number, number]): number =>
  Math.min(most, Math.max(least, Math.round(value)));
/** How far ahead a look may go on this connection. */
export const depthOf = (client: ImapFlow, bare: boolean): { summaries: number; bytes: number } => {
  const ms = Math.max(0, roundTripOf(client) - NEARBY);
  const least = !bare && standsStill(client) ? STANDING : { summaries: 0, bytes: 0 };
  return {
    summaries: Math.max(least.summaries, within(ms * MESSAGES_A_MS, bare ? SUMMARIES.bare : SUMMARIES.full)),
    bytes: bare ? 0 : Math.max(least.bytes, ms ? within(ms * BYTES_A_MS, CONTENTS) : 0),
  };
};

/** What is under way beyond the window, and what of it came. */
export interface Prefetch {
  /**
   * Summaries are asked for up to this UID, `coming` by their first UIDs; `next` are to be asked for when there is
   * something to send.
   */
  until: number;
  coming: { first: number; come: Promise<void> }[];
  next: number[];
  /**
   * Contents that were asked for, with the bytes they are about to have, until their window is handed over; and those
   * that came.
   */
  asked: Map<number, { come: Promise<void>; cost: number }>;
  got: Map<number, Got>;
  /**
   * Between two looks contents stay unread on the connection, where they take none of our memory; this lets them in.
   */
  letIn?: () => void;
  closed?: Promise<void>;
}
export const newPrefetch = (): Prefetch => ({ until: 0, coming: [], next: [], asked: new Map(), got: new Map() });

/** Leaves contents unread on the connection until the next look, or until somebody else needs the connection. */
export function pauseReading(ahead: Prefetch, client: ImapFlow): void {
  if (!ahead.asked.size || ahead.closed) return;
  ahead.closed = new Promise(resolve => {
    ahead.letIn = () => {
      ahead.closed = ahead.letIn = undefined;
      resolve();
    };
  });
  resumeReading.set(client, () => ahead.letIn?.());
}

/** Forgets what was handed over. */
export function handedOver({ asked, got }: Prefetch, uids: readonly number[]): void {
  for (const uid of uids) {
    asked.delete(uid);
    got.delete(uid);
  }
}

/** The next summaries, to be sent at once. */
export function prefetchSummaries(ahead: Prefetch, rows: Map<number, FetchMessageObject>): FetchRequest[] {
  const requests: FetchRequest[] = [];
  const uids = ahead.next.splice(0);
  for (let i = 0; i < uids.length; i += A_COMMAND) {
    const part = uids.slice(i, i + A_COMMAND);
    requests.push({
      set: uidSet(part),
      query: SUMMARY,
      each: row => {
        if (row.size !== undefined) rows.set(row.uid, row);
      },
      sent(come) {
        ahead.until = part.at(-1)!;
        ahead.coming.push({ first: part[0]!, come });
      },
    });
  }
  return requests;
}

/**
 * The next contents, to be sent at once: of `uids` from the one at `from`, as they will be handed over, as far as
 * `bytes` go.
 * `want` says what a message needs and about how many bytes that is; nothing for one that is to be read another way.
 */
export function prefetchContents(
  ahead: Prefetch,
  uids: readonly number[],
  from: number,
  bytes: number,
  want: (uid: number) => { wanted: Wanted; cost: number } | undefined,
): FetchRequest[] {
  const requests: FetchRequest[] = [];
  let room = bytes - [...ahead.asked.values()].reduce((sum, { cost }) => sum + cost, 0);
  // A few messages are not worth commands of their own.
  if (!bytes || room < bytes / 4) return [];
  const costs = new Map<number, number>();
  const batch: Wanted[] = [];
  let size = 0;
  let any = false;
  const send = () => {
    requests.push(
      ...fetchRequestsFor(
        batch.splice(0),
        got => {
          ahead.got.set(got.uid, got);
          return ahead.closed;
        },
        (come, group) => {
          for (const { uid } of group) ahead.asked.set(uid, { come, cost: costs.get(uid)! });
        },
      ),
    );
    size = 0;
  };
  for (let i = from; i < uids.length; i++) {
    const uid = uids[i]!;
    if (ahead.asked.has(uid)) continue;
    const found = want(uid);
    if (!found) break;
    if (found.cost > room && any) break;
    room -= found.cost;
    if (!found.wanted.parts.length && !found.wanted.header) continue;
    any = true;
    batch.push(found.wanted);
    costs.set(uid, found.cost);
    if ((size += found.cost) >= A_BATCH) send();
    if (room <= 0) break;
  }
  send();
  return requests;
}
