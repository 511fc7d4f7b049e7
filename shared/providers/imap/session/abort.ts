/** What is given up is not waited for: neither for a name server nor for a handshake. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop(); else signal.addEventListener('abort', stop, { once: true });
  });
  aborted.catch(() => {});
  work.catch(() => {});
  try { return await Promise.race([work, aborted]); } finally { signal.removeEventListener('abort', stop!); }
}
