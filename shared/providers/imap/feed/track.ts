import type { ImapMessage } from '../messages/content.js';
import type { FetchMessageObject } from '../libraries.js';
import type { Prefetch } from './prefetch.js';
import type { FolderState } from './cursor.js';

/** Not one byte for this long during a command: the connection is dead. In milliseconds. */
export const SILENCE = 30_000;

/**
 * What came so far, for when the connection breaks; `asked` once a FETCH was under way. Refused for the moment, with
 * the server's words, are those in `later`; of the ones in `gaps` that was known. Beyond `end` nothing was asked,
 * because everything was refused.
 */
export interface Track {
  asked: boolean;
  finished: Map<number, ImapMessage | undefined>;
  rows: Map<number, FetchMessageObject>;
  later: Map<number, string>;
  gaps: ReadonlySet<number>;
  end: number;
  /** What may be asked for beyond the window: contents of these messages, so many bytes. */
  ahead?: Prefetch;
  uids?: readonly number[];
  depth?: number;
}
export const newTrack = (rows: Track['rows'] = new Map(), gaps: FolderState['gaps'] = []): Track => ({
  asked: false,
  finished: new Map(),
  rows,
  later: new Map(),
  gaps: new Set(gaps.map(([uid]) => uid)),
  end: Infinity,
});
