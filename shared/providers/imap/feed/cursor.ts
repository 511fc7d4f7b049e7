import { hash } from 'node:crypto';
import { MailError } from '../../../errors.js';
import { arrivedAt, uidSet } from '../messages/content.js';
import type { FetchMessageObject } from '../libraries.js';

/**
 * How many hashes of Message-IDs are kept to recognise mail after a folder was created anew, and how far back late UIDs
 * are looked for.
 */
export const KNOWN = 400;
export const LATE = 200;

/** What is kept of a folder between two looks. Short names, because the cursor is stored with every message. */
export interface FolderState {
  /** UIDVALIDITY; highest UID handed over; UIDs up to `base` were there before us. */
  val: string;
  last: number;
  base: number;
  /** UIDs handed over among the last 200, as a set. */
  seen?: string;
  /** Hashes of Message-IDs, six bytes each in base64, oldest first. */
  ring?: string;
  /** When the newest message handed over had arrived. */
  at?: number;
  /** Announced but not delivered: UID, tries, when to try again. */
  gaps?: [uid: number, tries: number, due: number][];
  /**
   * The connection broke during a window: up to this UID messages are fetched one by one, to find the one that does it.
   */
  careful?: number;
  /** UIDs during whose own FETCH the connection broke, and how often. */
  strikes?: [uid: number, times: number][];
  /** The first look goes back to a date: up to this UID older messages are left out. */
  from?: { until: number; since: number };
  /**
   * The folder was created anew: up to this UID mail known from before is left out. `n` hashes of the ring are from
   * before.
   */
  reset?: { until: number; after?: number; n: number; known: number; fresh: number };
}
export interface Cursor {
  v: 1;
  folders: Record<string, FolderState>;
}

export function readCursor(cursor: string): Cursor {
  try {
    const parsed = JSON.parse(cursor) as Cursor;
    if (parsed?.v === 1 && typeof parsed.folders === 'object' && parsed.folders) return parsed;
  } catch {
    /* said below */
  }
  throw new MailError('invalid_input', 'This cursor was not made by this feed; start again without a cursor.');
}

/** A folder's state with its packed parts opened, while a look is under way. */
export interface Work {
  s: FolderState;
  ring: string[];
  seen: Set<number>;
}

/** True unless the message is one of those a first look or a new life of the folder leaves out. */
export function wanted({ s, ring }: Work, row: FetchMessageObject | undefined): boolean {
  if (!row) return true;
  if (s.from && row.uid <= s.from.until && arrivedAt(row) < s.from.since) return false;
  if (s.reset && row.uid <= s.reset.until) {
    const hash = hashOf(row);
    const at = arrivedAt(row);
    const known = row.envelope && s.reset.n ? ring.lastIndexOf(hash, s.reset.n - 1) : -1;
    if (known >= 0) {
      // Each stands for one message, so that another under the same Message-ID is not taken for it; it remains known
      // for the next time.
      ring.splice(known, 1);
      ring.push(hash);
      s.reset.n--;
    }
    if (known >= 0 || (s.reset.after !== undefined && at < s.reset.after)) {
      s.reset.known++;
      return false;
    }
    s.reset.fresh++;
    ring.push(hash);
  }
  return true;
}

/** Notes that a UID was dealt with. */
export function done({ s, ring, seen }: Work, uid: number, row: FetchMessageObject | undefined) {
  seen.add(uid);
  s.last = Math.max(s.last, uid);
  if (s.gaps) s.gaps = s.gaps.filter(([one]) => one !== uid);
  if (!row) return;
  const at = arrivedAt(row);
  if (!Number.isNaN(at) && !(at <= (s.at ?? -Infinity))) s.at = Math.min(at, Date.now());
  // Up to there it is pushed once it is known to be new.
  if (row.envelope && !(s.reset && uid <= s.reset.until)) ring.push(hashOf(row));
}

/** Ends what has an end: the first look back, and the look at a folder created anew. */
export function finish({ s, ring, seen }: Work, notes: string[], folder: string) {
  const over = (until: number) => s.last >= until && !s.gaps?.some(([uid]) => uid <= until);
  if (s.from && over(s.from.until)) delete s.from;
  if (s.reset && over(s.reset.until)) {
    notes.push(
      `The folder "${folder}" was created anew: ${s.reset.known} messages were known, ${s.reset.fresh} are new.`,
    );
    delete s.reset;
  }
  if (s.gaps && !s.gaps.length) delete s.gaps;
  const old = s.reset ? s.reset.n : 0;
  s.ring = ringOf([...ring.slice(0, old), ...ring.slice(old).slice(-KNOWN)]);
  s.seen = uidSet([...seen].filter(uid => uid > s.last - LATE && uid > s.base && uid <= s.last).sort((a, b) => a - b));
}

/** Names a message by its Message-ID, or by what else stays the same when a folder is created anew; 48 bits. */
export function hashOf(row: FetchMessageObject): string {
  const e = row.envelope;
  const name = e?.messageId || JSON.stringify([e?.date, e?.from?.[0]?.address, e?.subject, row.size]);
  return hash('sha1', name, 'base64').slice(0, 8);
}
export const ringOf = (hashes: readonly string[]): string => hashes.join('');
export const hashesOf = (ring: string | undefined): string[] => ring?.match(/.{8}/g) ?? [];
