import { MailError } from './errors.js';

/** The slowest that an upload or a download may be as a whole, in bytes a second. */
const SLOWEST = 8 * 1024;
/** The library keeps time by the second, and is left to speak first: it knows more of what happened. In milliseconds. */
const SLACK = 2000;

/** What is said when a call outlasts its bound. */
export const outlasted = (what: string, ms: number) => new MailError('unavailable', `${what} within ${Math.round(ms / 1000)} s; it was given up.`);

/** How long something may take that waits `ms` milliseconds at most for anything to happen, and moves so many bytes. In milliseconds. */
export const allowance = (ms: number, bytes: number): number => 2 * ms + SLACK + bytes / SLOWEST * 1000;

/**
 * What `work` gives, or a rejection at once when `signal` aborts or `ms` milliseconds are over, whatever the work does then. `late` is called
 * in the last case and gives the error.
 */
export function within<T>(work: Promise<T>, signal: AbortSignal | undefined, ms: number, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = () => { clearTimeout(timer); signal?.removeEventListener('abort', stop); };
    const stop = () => { end(); reject(signal!.reason as Error); };
    const timer = setTimeout(() => { end(); reject(late()); }, Math.min(ms, 2 ** 31 - 1));
    work.then(value => { end(); resolve(value); }, (error: Error) => { end(); reject(error); });
    if (signal?.aborted) stop(); else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** A body that can be thrown away. */
export interface Body extends AsyncIterable<Uint8Array> { destroy(error?: Error): unknown; on(event: 'error', listener: () => void): unknown }

/**
 * A body as it comes, bounded as a whole: by `ms` milliseconds of silence, and by a floor on its rate. Time that the reader takes does not
 * count. `over` is called when the body was read or given up, or its reader rests for `ms` milliseconds; a body that nobody begins to read is given up too.
 */
export function guarded(body: Body, signal: AbortSignal | undefined, ms: number, over: () => void): AsyncIterable<Uint8Array> {
  let ended = false;
  const end = (broken: boolean) => {
    clearTimeout(unread);
    if (ended) return;
    ended = true;
    // What is thrown away may still fail, and nobody listens then.
    if (broken) { body.on('error', () => {}); body.destroy(); }
    over();
  };
  const unread = setTimeout(() => end(true), allowance(ms, 0));
  return (async function* () {
    clearTimeout(unread);
    let waited = 0, received = 0, whole = false;
    try {
      const parts = body[Symbol.asyncIterator]();
      for (;;) {
        const began = performance.now(), left = allowance(ms, received) - waited;
        const next = await within(parts.next(), signal, left, () => outlasted(`The answer did not come to its end (${received} bytes came)`, waited + left));
        waited += performance.now() - began;
        if (next.done) { whole = true; return; }
        received += next.value.byteLength;
        // A reader that does something else meanwhile does not hold up the account.
        const idle = setTimeout(over, ms);
        try { yield next.value; } finally { clearTimeout(idle); }
      }
    } finally {
      end(!whole);
    }
  })();
}
