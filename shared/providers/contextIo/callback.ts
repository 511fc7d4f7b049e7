import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Native } from '../../vocabulary.js';

/** Tokens that were seen; whoever keeps them may forget one `maxAgeMs` after it was added. */
export interface TokenMemory {
  has(token: string): boolean;
  add(token: string): unknown;
}
export interface CallbackRules {
  /** The vendor's key to sign with: the consumer secret, as it is. */
  consumerSecret: string;
  /** Milliseconds since 1970. */
  now: number;
  /** How old, or how far ahead, a call may be, in milliseconds; 5 minutes unless given. */
  maxAgeMs?: number;
  seen?: TokenMemory;
}
export type CallbackVerdict =
  { ok: true; payload: Native } | { ok: false; reason: 'unreadable' | 'signature' | 'age' | 'repeated' };

/**
 * Whether a webhook call, failure notification or status callback comes from who knows the consumer secret: HMAC-SHA256
 * over the decimal timestamp and the token, in hexadecimal (the vendor's documents of API 2.0, Webhooks). The message
 * itself is not signed, so a call is taken only while it is young, and once: a good token is added to `seen`. Pure
 * apart from that.
 */
export function checkCallback(
  body: string | Uint8Array,
  { consumerSecret, now, maxAgeMs = 300_000, seen }: CallbackRules,
): CallbackVerdict {
  let payload: Native;
  try {
    payload = JSON.parse(Buffer.from(body).toString('utf8')) as Native;
  } catch {
    return { ok: false, reason: 'unreadable' };
  }
  const { timestamp, token, signature } = payload ?? {};
  const whole =
    Number.isSafeInteger(timestamp) && typeof token === 'string' && token !== '' && typeof signature === 'string';
  if (!whole) return { ok: false, reason: 'unreadable' };
  const wanted = createHmac('sha256', consumerSecret)
    .update(`${String(timestamp)}${token}`)
    .digest();
  const given = Buffer.from(/^[0-9a-f]{64}$/.test(signature) ? signature : '', 'hex');
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return { ok: false, reason: 'signature' };
  if (Math.abs(now - Number(timestamp) * 1000) > maxAgeMs) return { ok: false, reason: 'age' };
  if (seen?.has(token)) return { ok: false, reason: 'repeated' };
  seen?.add(token);
  return { ok: true, payload };
}

/**
 * A memory that forgets tokens after `keepMs` milliseconds, which must be twice the age limit: a call may be dated
 * ahead as well as back.
 */
export function tokenMemory(keepMs = 600_000, clock: () => number = Date.now): TokenMemory {
  const tokens = new Map<string, number>();
  const forget = () => {
    for (const [token, until] of tokens)
      if (until < clock()) tokens.delete(token);
      else break;
  };
  return {
    has(token) {
      forget();
      return tokens.has(token);
    },
    add(token) {
      forget();
      tokens.set(token, clock() + keepMs);
    },
  };
}
