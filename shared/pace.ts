import { NotSent } from './notSent.js';
import type { Pace } from './provider.js';
import { pause, unlessAborted } from './wait.js';

/** Says when an account may do something. It knows nothing of what that is. */
export interface Pacer {
  /**
   * Waits for a turn; call what it gives when the turn is over. Rejects with the signal's reason when that aborts while
   * waiting, and with a `NotSent` when the account rests and will not go on within `patience` milliseconds, of which a
   * request that is sent again has `waited` some.
   */
  turn(signal?: AbortSignal, patience?: number, waited?: number): Promise<() => void>;
  /** Runs a task when its turn has come. */
  <T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /**
   * The vendor refused to be asked so fast. No turn begins before so many milliseconds are over, at most LONGEST_REST;
   * a rest that is longer already stays. Says for how long, in milliseconds, nothing has been let through until now.
   */
  rest(ms: number): number;
  /** The vendor let something through. */
  eased(): void;
}

/**
 * No rest is longer, in milliseconds: a vendor that counts by the minute needs no more, and one that names hours is
 * asked again sooner.
 */
export const LONGEST_REST = 65_000;

/**
 * A pacer of its own: at most `concurrent` tasks at once, at most `perMinute` starts in any 60 seconds. Tasks start in
 * the order they came.
 */
export function createPacer(pace: Pace, clock: () => number = () => performance.now()): Pacer {
  const turns = new Turns(pace, clock);
  const run = async <T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const over = await turns.turn(signal);
    try {
      return await task();
    } finally {
      over();
    }
  };
  return Object.assign(run, {
    turn: (...given: Parameters<Pacer['turn']>) => turns.turn(...given),
    rest: (ms: number) => turns.rest(ms),
    eased: () => turns.eased(),
  });
}

/** The turns of one account. */
class Turns {
  private readonly throttle: ReturnType<typeof createThrottle>;
  /** When turns of the last minute began. */
  private readonly starts: number[] = [];
  private running = 0;
  private waiting = 0;
  private line: Promise<unknown> = Promise.resolve();
  private freed?: () => void;

  constructor(
    private readonly pace: Pace,
    private readonly clock: () => number,
  ) {
    this.throttle = createThrottle(pace.concurrent, clock);
  }

  async turn(signal?: AbortSignal, patience = Infinity, waited = 0): Promise<() => void> {
    signal?.throwIfAborted();
    const came = this.clock() - waited;
    // Nobody is before it and nothing is in its way.
    if (!this.waiting && this.running < this.throttle.width() && this.wait(came, patience) <= 0) this.begin();
    else await this.queued(came, patience, signal);
    let over = false;
    return () => {
      if (!over) {
        over = true;
        this.done();
      }
    };
  }

  rest(ms: number): number {
    return this.throttle.rest(ms);
  }

  eased(): void {
    this.throttle.eased();
    this.freed?.();
  }

  /** Tells whether the next one may begin, and how long it waits else, in milliseconds. */
  private wait(came: number, patience: number): number {
    const { starts } = this;
    const now = this.clock();
    const resting = this.throttle.resting(came, patience);
    if (resting > 0) return resting;
    while (starts.length && starts[0]! <= now - 60_000) starts.shift();
    return starts.length < this.pace.perMinute ? 0 : starts[0]! + 60_000 - now;
  }

  private begin(): void {
    this.starts.push(this.clock());
    this.running++;
  }

  private done(): void {
    this.running--;
    this.freed?.();
  }

  /** Waits in line, and begins. */
  private async queued(came: number, patience: number, signal?: AbortSignal): Promise<void> {
    this.waiting++;
    const mine = this.line.then(() => this.next(came, patience, signal));
    this.line = mine
      .catch(() => {})
      .then(() => {
        this.waiting--;
      });
    try {
      // Whoever gives up leaves the line at once, not when its turn would have come.
      await unlessAborted(mine, signal);
    } catch (error) {
      // A turn that came in the same moment is given back.
      mine.then(
        () => this.done(),
        () => {},
      );
      throw error;
    }
  }

  /** Whoever is first in line waits for a free place and for its time. */
  private async next(came: number, patience: number, signal?: AbortSignal): Promise<void> {
    while (this.running >= this.throttle.width()) await this.place(signal);
    for (;;) {
      signal?.throwIfAborted();
      const ms = this.wait(came, patience);
      if (ms <= 0) break;
      await pause(ms, signal);
    }
    this.begin();
  }

  private place(signal?: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      signal?.throwIfAborted();
      const stop = () => reject(signal!.reason as Error);
      signal?.addEventListener('abort', stop, { once: true });
      this.freed = () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
    });
  }
}

/**
 * What is known of a vendor that refuses to be asked so fast. After a refusal only half as many go at once, down to
 * one, so that a vendor who lets nothing through is asked by one at a time; each answer afterwards lets a little more
 * through.
 */
function createThrottle(concurrent: number, clock: () => number) {
  let notBefore = -Infinity;
  let until = -Infinity;
  let since: number | undefined;
  let width = concurrent;
  return {
    width: () => Math.max(1, Math.floor(width)),
    rest(ms: number): number {
      const now = clock();
      // Those that were under way together are refused together.
      if (now >= notBefore) width = Math.max(1, width / 2);
      notBefore = Math.max(notBefore, now + Math.min(ms, LONGEST_REST));
      until = Math.max(until, now + ms);
      return now - (since ??= now);
    },
    eased(): void {
      since = undefined;
      width = Math.min(concurrent, width + 1 / width);
    },
    /**
     * How long a turn waits that came to the line at `came`, in milliseconds. Throws when that is more than its
     * patience.
     */
    resting(came: number, patience: number): number {
      const now = clock();
      const left = notBefore - now;
      if (left <= 0) return 0;
      const named = until - now;
      const late = since !== undefined && now - Math.max(since, came) >= patience;
      if (named > LONGEST_REST || late) {
        throw new NotSent(`The provider asked for a rest of ${Math.ceil((late ? left : named) / 1000)} s.`, {
          code: 'rate_limited',
          retryAfter: (late ? left : named) / 1000,
        });
      }
      return left;
    },
  };
}

const shared = new Map<string, { pacer: Pacer; pace: string; used: number }>();
/**
 * The pacer of one account in this process: everything that uses the account shares it. Changing the pace makes a new
 * one.
 */
export function pacerFor(key: string, pace: Pace): Pacer {
  const same = shared.get(key);
  const spelled = `${pace.concurrent}/${pace.perMinute}`;
  if (same?.pace === spelled) {
    same.used = Date.now();
    return same.pacer;
  }
  // Accounts made from expressions may be many; those untouched for ten minutes can have no start left in their last
  // minute.
  if (shared.size > 500) for (const [old, { used }] of shared) if (used < Date.now() - 600_000) shared.delete(old);
  const pacer = createPacer(pace);
  shared.set(key, { pacer, pace: spelled, used: Date.now() });
  return pacer;
}
