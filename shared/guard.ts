import { MailError } from './errors.js';

/** The slowest that an upload or a download may be as a whole, in bytes a second. */
const SLOWEST = 8 * 1024;
/**
 * The library keeps time by the second, and is left to speak first: it knows more of what happened. In milliseconds.
 */
const SLACK = 2000;

/** What is said when a call outlasts its bound. */
export const outlasted = (what: string, ms: number) =>
  new MailError('unavailable', `${what} within ${Math.round(ms / 1000)} s; it was given up.`);

/**
 * How long something may take that waits `ms` milliseconds at most for anything to happen, and moves so many bytes. In
 * milliseconds.
 */
export const allowance = (ms: number, bytes: number): number => 2 * ms + SLACK + (bytes / SLOWEST) * 1000;

/**
 * What `work` gives, or a rejection at once when `signal` aborts or `ms` milliseconds are over, whatever the work does
 * then. `late` is called in the last case and gives the error.
 */
export function within<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  ms: number,
  late: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    };
    const stop = () => {
      end();
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(
      () => {
        end();
        reject(late());
      },
      Math.min(ms, LONGEST_TIMER),
    );
    work.then(
      value => {
        end();
        resolve(value);
      },
      (error: Error) => {
        end();
        reject(error);
      },
    );
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** A body as it comes, read in one of two ways, and once. */
export interface Body {
  /** Gives each part as it comes, and then the end, with an error where it broke off. */
  read(take: (part: Uint8Array) => void, end: (error?: Error) => void): void;
  /** The next part; undefined at the end. Rejects where it broke off. */
  next(): Promise<Uint8Array | undefined>;
  /** Throws the rest away. */
  destroy(): void;
}

/**
 * A body within its bounds. `each` gives the same as the iterator, part by part as it comes, at a third of the cost.
 */
export interface Guarded extends AsyncIterable<Uint8Array> {
  each(take: (part: Uint8Array) => void): Promise<void>;
}

/**
 * A body as it comes, bounded as a whole: by `ms` milliseconds of silence, and by a floor on its rate. Time that the
 * reader takes does not count. `over` is called when the body was read or given up, or its reader rests for `ms`
 * milliseconds; a body that nobody begins to read is given up too.
 */
export function guarded(body: Body, signal: AbortSignal | undefined, ms: number, over: () => void): Guarded {
  let ended = false;
  /**
   * What is done when the time is over: one timer serves until a reader comes and while it reads, as making them is
   * much of the cost.
   */
  let late = () => end(true);
  let timer = setTimeout(() => late(), Math.min(allowance(ms, 0), LONGEST_TIMER));
  const end = (broken: boolean) => {
    clearTimeout(timer);
    if (ended) return;
    ended = true;
    if (broken) body.destroy();
    over();
  };
  const unfinished = (received: number, took: number) =>
    outlasted(`The answer did not come to its end (${received} bytes came)`, took);
  const each = (take: (part: Uint8Array) => void) =>
    new Promise<void>((resolve, reject) => {
      if (ended) return reject(outlasted('Nobody read the answer', allowance(ms, 0)));
      const began = performance.now();
      let received = 0;
      const finish = (error?: unknown) => {
        signal?.removeEventListener('abort', stop);
        if (ended) return;
        end(error !== undefined);
        if (error === undefined) resolve();
        else reject(error as Error);
      };
      const stop = () => finish(signal!.reason);
      late = () => {
        const took = performance.now() - began;
        const left = allowance(ms, received) - took;
        if (left <= 0) finish(unfinished(received, took));
        else timer = setTimeout(() => late(), Math.min(left, LONGEST_TIMER));
      };
      if (signal?.aborted) return stop();
      signal?.addEventListener('abort', stop, { once: true });
      body.read(part => {
        if (ended) return;
        received += part.byteLength;
        try {
          take(part);
        } catch (error) {
          finish(error);
        }
      }, finish);
    });
  return { each, [Symbol.asyncIterator]: () => iterate() };
  async function* iterate(): AsyncGenerator<Uint8Array> {
    clearTimeout(timer);
    let waited = 0;
    let received = 0;
    let whole = false;
    try {
      if (ended) throw outlasted('Nobody read the answer', allowance(ms, 0));
      for (;;) {
        const began = performance.now();
        const left = allowance(ms, received) - waited;
        const part = await within(body.next(), signal, left, () => unfinished(received, waited + left));
        waited += performance.now() - began;
        if (!part) {
          whole = true;
          return;
        }
        received += part.byteLength;
        // A reader that does something else meanwhile does not hold up the account.
        const idle = setTimeout(over, ms);
        try {
          yield part;
        } finally {
          clearTimeout(idle);
        }
      }
    } finally {
      end(!whole);
    }
  }
}

/** The longest that a timer can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;
