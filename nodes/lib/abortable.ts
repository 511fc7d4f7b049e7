/** Resolves after a time in milliseconds, or at once when the signal aborts. */
export const sleep = (ms: number, signal?: AbortSignal) => new Promise<void>(resolve => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  if (signal?.aborted) { clearTimeout(timer); resolve(); }
});

/** The promise, or a rejection when the signal aborts first: what is under way then goes on without us. */
export const unlessAborted = <T>(promise: Promise<T>, signal: AbortSignal) => new Promise<T>((resolve, reject) => {
  const stop = () => reject(signal.reason as Error);
  signal.addEventListener('abort', stop, { once: true });
  promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  if (signal.aborted) stop();
});
