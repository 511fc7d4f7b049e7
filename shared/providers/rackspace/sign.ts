import { createHash } from 'node:crypto';
import type { HttpRequest } from '../../http.js';
import type { Clock } from '../../provider.js';

/** What the signature is made of. `userAgent` is sent as the User-Agent header, byte for byte as it was signed. */
export interface Keys {
  userKey: string;
  secretKey: string;
  userAgent: string;
}

/**
 * Puts `X-Api-Signature: {userKey}:{timestamp}:{digest}` on a request; the digest is the base64 of the raw SHA-1 of
 * user key, user agent, timestamp and secret key (wiki, Main Page). It covers neither address nor body. The wiki names
 * no time zone and its samples disagree; UTC, taken anew for each request, is what a server that checks the time at all
 * can compare everywhere.
 */
export function sign(request: HttpRequest, { userKey, secretKey, userAgent }: Keys, clock?: Clock): HttpRequest {
  const timestamp = new Date(clock?.now ?? Date.now()).toISOString().replace(/\D/g, '').slice(0, 14);
  const digest = createHash('sha1')
    .update(userKey + userAgent + timestamp + secretKey, 'utf8')
    .digest('base64');
  return {
    ...request,
    headers: { ...request.headers, 'user-agent': userAgent, 'x-api-signature': `${userKey}:${timestamp}:${digest}` },
  };
}
