/** Resolves after `ms` milliseconds; rejects with the signal's reason when that aborts first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => { clearTimeout(timer); reject(signal!.reason as Error); };
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(); }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3; ISO times are seen too); undefined where there is none. */
export function retryAfter(headers: Record<string, string>, now = Date.now()): number | undefined {
  const value = headers['retry-after']?.trim();
  if (!value) return undefined;
  // Joined by a proxy that has one of its own, the longest counts; a time in the past, or a negative one, is none to wait for.
  if (/^-?\d+(\.\d+)?(\s*,\s*-?\d+(\.\d+)?)*$/.test(value)) return Math.max(0, ...value.split(',').map(one => seconds(Number(one), now)));
  const at = Date.parse(/[zZ]|[+-]\d\d:?\d\d$|GMT/.test(value) ? value : `${value}Z`);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - now) / 1000);
}

/** Seconds, or a time in seconds or milliseconds since 1970, as seconds from now. */
const seconds = (value: number, now: number): number => value >= 1e11 ? (value - now) / 1000 : value >= 1e9 ? value - now / 1000 : value;
