import type { HttpRequest } from '../http.js';

/**
 * A signer for HTTP Basic authentication (RFC 7617): user and password joined by a colon, as UTF-8, in base64. The
 * user's name must hold no colon (section 2); a field of the format `email` or a pattern sees to that. Base64 hides
 * nothing: `secrets.ts` finds the password in it.
 */
export const basicAuth =
  <U extends string, P extends string>(user: U, password: P) =>
  (request: HttpRequest, account: Readonly<Record<U | P, string>>): HttpRequest => ({
    ...request,
    headers: {
      ...request.headers,
      authorization: `Basic ${Buffer.from(`${account[user]}:${account[password]}`).toString('base64')}`,
    },
  });
