import { pause } from './wait.js';
import type { Pace } from './provider.js';

/** Says when an account may do something. It knows nothing of what that is. */
export interface Pacer {
  /** Waits for a turn; call what it gives when the turn is over. Rejects with the signal's reason when that aborts while waiting. */
  turn(signal?: AbortSignal): Promise<() => void>;
  /** Runs a task when its turn has come. */
  <T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** No turn begins before so many milliseconds are over: the vendor asked for a rest. A rest that is longer already stays. */
  rest(ms: number): void;
}

/** No rest is longer, in milliseconds: a vendor that counts by the minute needs no more. */
const LONGEST_REST = 65_000;

/** A pacer of its own: at most `concurrent` tasks at once, at most `perMinute` starts in any 60 seconds. Tasks start in the order they came. */
export function createPacer({ concurrent, perMinute }: Pace, clock: () => number = () => performance.now()): Pacer {
  const starts: number[] = [];
  let running = 0;
  let line: Promise<unknown> = Promise.resolve();
  let freed: (() => void) | undefined;
  let notBefore = -Infinity;
  const next = async (signal?: AbortSignal) => {
    while (running >= concurrent) {
      await new Promise<void>((resolve, reject) => {
        signal?.throwIfAborted();
        const stop = () => reject(signal!.reason as Error);
        signal?.addEventListener('abort', stop, { once: true });
        freed = () => { signal?.removeEventListener('abort', stop); resolve(); };
      });
    }
    for (;;) {
      signal?.throwIfAborted();
      const now = clock(), resting = notBefore - now;
      if (resting > 0) { await pause(resting, signal); continue; }
      while (starts.length && starts[0]! <= now - 60_000) starts.shift();
      if (starts.length < perMinute) break;
      await pause(starts[0]! + 60_000 - now, signal);
    }
    starts.push(clock());
    running++;
  };
  const done = () => { running--; freed?.(); };
  const turn = async (signal?: AbortSignal) => {
    signal?.throwIfAborted();
    const mine = line.then(() => next(signal));
    line = mine.catch(() => {});
    try {
      await (signal ? unlessAborted(mine, signal) : mine);
    } catch (error) {
      // A turn that came in the same moment is given back.
      mine.then(done, () => {});
      throw error;
    }
    let over = false;
    return () => { if (!over) { over = true; done(); } };
  };
  const run = async <T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const over = await turn(signal);
    try { return await task(); } finally { over(); }
  };
  return Object.assign(run, { turn, rest(ms: number) { notBefore = Math.max(notBefore, clock() + Math.min(ms, LONGEST_REST)); } });
}

/** Whoever gives up leaves the line at once, not when its turn would have come. */
const unlessAborted = (turn: Promise<void>, signal: AbortSignal) => new Promise<void>((resolve, reject) => {
  const leave = () => reject(signal.reason as Error);
  signal.addEventListener('abort', leave, { once: true });
  turn.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
});

const shared = new Map<string, { pacer: Pacer; pace: string; used: number }>();
/** The pacer of one account in this process: everything that uses the account shares it. Changing the pace makes a new one. */
export function pacerFor(key: string, pace: Pace): Pacer {
  const same = shared.get(key);
  const spelled = `${pace.concurrent}/${pace.perMinute}`;
  if (same?.pace === spelled) { same.used = Date.now(); return same.pacer; }
  // Accounts made from expressions may be many; those untouched for ten minutes can have no start left in their last minute.
  if (shared.size > 500) for (const [old, { used }] of shared) if (used < Date.now() - 600_000) shared.delete(old);
  const pacer = createPacer(pace);
  shared.set(key, { pacer, pace: spelled, used: Date.now() });
  return pacer;
}
