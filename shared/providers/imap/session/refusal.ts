/** What a refusal says beyond its code: that it passes. `retryAfter` is in seconds. */
export interface Passing {
  code: 'rate_limited' | 'unavailable';
  retryAfter: number;
}

/**
 * Waits where the server names none, in seconds: for a connection or a login to come free, and for an allowance counted
 * by the day.
 */
const SOON = 60;
const DAILY = 3600;

/** Words about a password or a user that are not known: nothing passes there, whatever else is said. */
const CREDENTIALS = new RegExp(
  [
    /(invalid|wrong|incorrect|bad|unknown) (login|user|username|password|credentials|account)/,
    /(user ?name|password|credentials)\b.{0,40}\b(not accepted|incorrect|invalid|wrong)/,
    /auth\w* (failed|failure|failed\.|unsuccessful|rejected|credentials invalid)/,
    /application.{0,3}specific password|app(lication)? password|parol prilozheniya|web ?browser|web login required/,
    /basic authentication is disabled|logondenied|is disabled for the (mailbox|tenant|user)/,
    /(imap|smtp)( access)? is (disabled|not enabled)|not enabled for (imap|smtp)|enable imap/,
  ]
    .map(one => one.source)
    .join('|'),
  'i',
);
/** Words about too many connections, logins, commands, messages or bytes. */
const LIMITS = new RegExp(
  [
    /too (many|much) (?!(failed|invalid|bad|syntax|unknown|hops|recipients))/,
    /simultaneous|concurrent/,
    /max(imum)? (number of |allowed )?(\w+ ){0,2}(connections?|sessions?|logins?|rate)/,
    /(connection|session|rate|bandwidth|command|sending|login|hourly|daily|relay|message)[\w ]{0,20}\b(limit|quota)/,
    /\blimits? (has been |was |is )?(exceeded|reached|hit)/,
    /throttl|rate.?limit|submissionquota|slow down|too (fast|frequent|often)|per (hour|day|minute|second)|daily/,
  ]
    .map(one => one.source)
    .join('|'),
  'i',
);
/** How large something is does not change by waiting. */
const SIZE = /\bsize\b|too (large|big|long)/i;
/** Words about a server that cannot do its work for a while. */
const TEMPORARY = new RegExp(
  [
    /temporar|try (it )?again|(?<!no )later\b|not (currently )?available|unavailable|maintenance|restart|shutting down|going down|overload|too busy|\bbusy\b/,
    /internal (server )?error|system (problem|error)|server error|backend|time?d? ?out|in progress|not connected|connection lost|try another server/,
  ]
    .map(one => one.source)
    .join('|'),
  'i',
);

const UNIT: Readonly<Record<string, number>> = {
  ms: 0.001,
  mil: 0.001,
  sec: 1,
  s: 1,
  min: 60,
  m: 60,
  hou: 3600,
  h: 3600,
};

/** The wait a server asks for in its words, in seconds, a day at most; undefined where it names none. */
export function waitIn(words: string): number | undefined {
  const found =
    /(?:(?:in|after|wait|for)|back-?off time:?)\s+(\d{1,9})\s*(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h)\b/i.exec(
      words,
    );
  if (!found) return undefined;
  const unit = found[2]!.toLowerCase();
  return Math.min(86_400, Math.ceil(Number(found[1]) * (UNIT[unit] ?? UNIT[unit.slice(0, 3)] ?? 1)));
}

/**
 * Reads a refusal for what its words say: what passes by itself is no wrong password and no bad message. `login` for
 * the answer to a login, where a mailbox that is over its quota passes too. Undefined where nothing says that it
 * passes.
 */
export function passing(words: string, login = false): Passing | undefined {
  const limited = LIMITS.test(words) && !SIZE.test(words);
  const retryAfter = waitIn(words);
  if (limited)
    return { code: 'rate_limited', retryAfter: retryAfter ?? (/daily|per day|24.?hour/i.test(words) ? DAILY : SOON) };
  if (CREDENTIALS.test(words) && !/temporar/i.test(words)) return undefined;
  if (TEMPORARY.test(words) || (login && /quota|mailbox (is )?full/i.test(words)))
    return { code: 'unavailable', retryAfter: retryAfter ?? SOON };
  return undefined;
}
