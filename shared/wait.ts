/** Resolves after `ms` milliseconds; rejects with the signal's reason when that aborts first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/**
 * What `work` gives, or a rejection with the signal's reason as soon as that aborts: what is under way then goes on
 * without us. Without a signal it is the work itself.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/**
 * `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3; ISO times are seen too); undefined where there is
 * none.
 */
export const retryAfter = (headers: Record<string, string>, now = Date.now()): number | undefined =>
  waitOf(headers['retry-after'], now);

/** Headers in use that say when the count of requests begins anew. Those with `-ms` count milliseconds. */
const RESETS = [
  'x-retry-after',
  'x-ratelimit-reset-after',
  'ratelimit-reset',
  'x-ratelimit-reset',
  'x-rate-limit-reset',
  'retry-after-ms',
  'x-retry-after-ms',
  'x-ms-retry-after-ms',
];

/**
 * How long a vendor that refuses to be asked so fast wants to be left alone, in seconds: `Retry-After`, else what it
 * says of its count of requests.
 */
export function restAfter(headers: Record<string, string>, now = Date.now()): number | undefined {
  for (const name of ['retry-after', ...RESETS]) {
    const told = waitOf(headers[name], now);
    if (told !== undefined) return name.endsWith('-ms') ? told / 1000 : told;
  }
  // RateLimit of draft-ietf-httpapi-ratelimit-headers: of several limits, those that have nothing left.
  const spent = (headers.ratelimit ?? '').split(',').filter(one => !/\b(?:r|remaining)\s*=\s*[1-9]/i.test(one));
  const waits = spent.flatMap(one => /\b(?:t|reset)\s*=\s*(\d+)/i.exec(one)?.[1] ?? []).map(Number);
  return waits.length ? Math.max(...waits) : undefined;
}

/** Seconds or a time, as seconds from now; undefined for what is neither. */
function waitOf(said: string | undefined, now: number): number | undefined {
  const value = said?.trim();
  if (!value) return undefined;
  // Joined by a proxy that has one of its own, the longest counts; a time in the past, or a negative one, is none to
  // wait for.
  if (/^-?\d+(\.\d+)?(\s*,\s*-?\d+(\.\d+)?)*$/.test(value))
    return Math.max(0, ...value.split(',').map(one => seconds(Number(one), now)));
  const at = Date.parse(/[zZ]|[+-]\d\d:?\d\d$|GMT/.test(value) ? value : `${value}Z`);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - now) / 1000);
}

/** Seconds, or a time in seconds or milliseconds since 1970, as seconds from now. */
const seconds = (value: number, now: number): number =>
  value >= 1e11 ? (value - now) / 1000 : value >= 1e9 ? value - now / 1000 : value;
