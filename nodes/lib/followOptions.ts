import type { Batch, FeedItem } from '../../shared/index.js';

// What `follow` and its parts share: the state that is stored, what the host does for them, and what people see of
// them.

/** What a trigger remembers between executions, restarts and crashes. JSON, a few kilobytes. */
export interface TriggerState {
  /** What is being watched; another scope means that the cursor belongs to something else. */
  scope?: string;
  /** The date to begin at, or when this scope was first watched (ISO 8601): for as long as there is no cursor. */
  startedAt?: string;
  cursor?: string;
  /** Items after the cursor whose executions have ended. */
  done?: string[];
  /**
   * The batch under way, so that after a crash the very same one is offered again, and its name, which stays even if
   * some of it is gone by then.
   */
  batch?: string[];
  batchName?: string;
  /**
   * Messages whose executions have succeeded and which are still to be marked or moved, with the plain values that name
   * them.
   */
  owed?: FeedItem[];
  /** How things stood when this was last stored: for people, also in another process or after the end of this one. */
  seen?: Stored;
}

/** How an execution ended. `known` means that the host had it already and dropped it. */
export type Ended = 'success' | 'error' | 'known';

/** What the supervisor needs from its host; times are milliseconds. */
export interface FollowOptions {
  /**
   * Opens the account and the feed afresh for one connection; called again after every failure, so that mended
   * credentials are seen.
   */
  open(signal: AbortSignal): Promise<Source>;
  state: TriggerState;
  /**
   * Makes of an item what its execution begins with; files are read here. What it gives goes to `execute`. Rejects with
   * a `MailError` where the vendor does not give them.
   */
  prepare?(item: FeedItem): Promise<unknown>;
  /**
   * Starts an execution and resolves when it has ended; a name used before is dropped by the host. Rejects when it
   * could not be started.
   */
  execute(items: FeedItem[], key: string, prepared: unknown[]): Promise<Ended>;
  /**
   * After success only: marks or moves at the vendor. Tried again when the vendor was away, else its failure is
   * reported.
   */
  acknowledge?(source: Source, item: FeedItem): Promise<void>;
  /** One unreadable item: made visible as a failed execution. */
  poisoned(item: FeedItem): void;
  outage(event: { kind: 'long' | 'credentials'; error: unknown; since: Date } | { kind: 'over'; since: Date }): void;
  log(message: string, details?: Record<string, unknown>): void;
  /**
   * What the feed says of itself, such as that a folder cannot be read: made visible, each sentence once, at most every
   * ten minutes.
   */
  notes?(sentences: readonly string[]): void;
  /** Something a person should see once, but no failure. */
  warn?(message: string): void;
  /** One execution per item, or one per batch of at most this many. */
  batchSize?: number;
  /** Executions under way at once; items start in order. */
  concurrent: number;
  /** How often to ask where nothing is pushed, and the safety net where it is. */
  intervalMs: number;
  /** Names of executions begin with this, so that no two triggers share one. */
  keyPrefix: string;
  now?: () => number;
  /** For tests of the back-off: 1 in life. */
  haste?: number;
}
export interface Source {
  since(cursor?: string): Promise<Batch>;
  from(at: string): Promise<string | undefined>;
  /**
   * Resolves at once where nothing is pushed; else calls `changed` as soon as it listens and rejects when the
   * connection is lost.
   */
  watch(changed: (pushed?: boolean) => void): Promise<void>;
}
/**
 * A running trigger. `close` returns within five seconds, whatever the server does. Until then it waits for executions
 * that are to be followed by a mark, unless another follower of this process takes their place and learns how they end.
 */
export interface Follower {
  close(how?: { replaced?: boolean }): Promise<void>;
  readonly seen: Status;
}
/**
 * For people: what the trigger is doing. Times are ISO 8601; `lastSeen` is the last look that succeeded, `pushed` says
 * that news is told at once.
 */
export interface Status {
  connectedSince?: string;
  lastSeen?: string;
  lastError?: string;
  lastErrorAt?: string;
  pushed?: boolean;
  executed: number;
  attempts: number;
  /** The latest sentences of the feed. */
  notes?: string[];
}
export type Stored = Pick<Status, 'lastSeen' | 'lastError' | 'lastErrorAt' | 'notes'>;

/** How many names, acknowledgements, sentences, and characters of a stored sentence are remembered. */
export const MOST_REMEMBERED = 500;
