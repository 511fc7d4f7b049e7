import { pause } from './wait.js';
import type { Pace } from './provider.js';

/** Runs a task when the account's pace allows it. Rejects with the signal's reason when that aborts while waiting. */
export type Pacer = <T>(task: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

/** A pacer of its own: at most `concurrent` tasks at once, at most `perMinute` starts in any 60 seconds. Tasks start in the order they came. */
export function createPacer({ concurrent, perMinute }: Pace, clock: () => number = () => performance.now()): Pacer {
  const starts: number[] = [];
  let running = 0;
  let line: Promise<unknown> = Promise.resolve();
  let freed: (() => void) | undefined;
  const turn = async (signal?: AbortSignal) => {
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
      const now = clock();
      while (starts.length && starts[0]! <= now - 60_000) starts.shift();
      if (starts.length < perMinute) break;
      await pause(starts[0]! + 60_000 - now, signal);
    }
    starts.push(clock());
    running++;
  };
  const done = () => { running--; freed?.(); };
  return async (task, signal) => {
    signal?.throwIfAborted();
    const mine = line.then(() => turn(signal));
    line = mine.catch(() => {});
    try {
      await (signal ? unlessAborted(mine, signal) : mine);
    } catch (error) {
      // A turn that came in the same moment is given back.
      mine.then(done, () => {});
      throw error;
    }
    try {
      return await task();
    } finally {
      done();
    }
  };
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
