import { createHmac, randomBytes } from 'node:crypto';
import type { HttpRequest } from '../http.js';
import type { Clock } from '../provider.js';

/**
 * The two halves of a consumer's identity; two-legged use has no token, so the token's secret is empty (RFC 5849
 * section 3.4.2).
 */
export interface Consumer {
  consumerKey: string;
  consumerSecret: string;
}

/** RFC 5849 section 3.6: everything but letters, digits and `-._~` becomes `%XX`. */
export const percentEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * Pairs of a query or form, decoded; those of the query and, where the body is a form, of the body (RFC 5849 section
 * 3.4.1.3.1).
 */
export function requestPairs({
  url,
  headers,
  body,
}: Pick<HttpRequest, 'url' | 'headers' | 'body'>): [name: string, value: string][] {
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  const form =
    /^application\/x-www-form-urlencoded\s*(;|$)/i.test(type) && body !== undefined
      ? new URLSearchParams(Buffer.from(body).toString('utf8'))
      : [];
  return [...new URL(url).searchParams, ...form];
}

/**
 * The signature base string of RFC 5849 section 3.4.1. The path stays as it is sent, escapes and trailing slash
 * included; a port that is the scheme's default is left out. `pairs` are decoded names and values, those of `oauth_*`
 * included and `oauth_signature` and `realm` not.
 */
export function baseString(method: string, url: string, pairs: readonly (readonly [string, string])[]): string {
  const { protocol, host, pathname } = new URL(url);
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const normal = pairs
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]))
    .map(pair => pair.join('='));
  return [method.toUpperCase(), `${protocol}//${host}${pathname}`, normal.join('&')].map(percentEncode).join('&');
}

/**
 * The request with its `Authorization` header: OAuth 1.0a, two-legged, HMAC-SHA1 (RFC 5849 sections 3.1 to 3.5.1). Pure
 * when `clock` is given; otherwise the time is now and the nonce is 128 random bits, so a request that is signed again
 * is another request.
 */
export function signOAuth1(
  request: HttpRequest,
  { consumerKey, consumerSecret }: Consumer,
  clock?: Clock,
): HttpRequest {
  const proof: [string, string][] = [
    ['oauth_consumer_key', consumerKey],
    ['oauth_nonce', clock?.nonce ?? randomBytes(16).toString('hex')],
    ['oauth_signature_method', 'HMAC-SHA1'],
    ['oauth_timestamp', String(Math.floor((clock?.now ?? Date.now()) / 1000))],
    ['oauth_version', '1.0'],
  ];
  const signed = baseString(request.method, request.url, [...requestPairs(request), ...proof]);
  const signature = createHmac('sha1', `${percentEncode(consumerSecret)}&`)
    .update(signed)
    .digest('base64');
  const authorization = `OAuth ${[...proof, ['oauth_signature', signature] as const].map(([name, value]) => `${name}="${percentEncode(value)}"`).join(',')}`;
  return { ...request, headers: { ...request.headers, authorization } };
}
