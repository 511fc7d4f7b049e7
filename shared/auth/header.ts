import type { HttpRequest } from '../http.js';

/** A signer that puts one account field into one header: `x-api-key`, `X-Auth-Token`. */
export const headerAuth =
  <K extends string>(header: string, field: K) =>
  (request: HttpRequest, account: Readonly<Record<K, string>>): HttpRequest => ({
    ...request,
    headers: { ...request.headers, [header]: account[field] },
  });
