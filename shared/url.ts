import { MailError } from './errors.js';

/** path`/mailboxes/${name}` - every part is encoded, so no input can change the address it is put into. */
export function path(fixed: TemplateStringsArray, ...parts: (string | number)[]): string {
  return fixed.reduce((address, text, i) => {
    const part = String(parts[i - 1]);
    // A dot segment would be resolved away by every URL parser (RFC 3986 section 5.2.4), encoded or not.
    if (/\p{Surrogate}/u.test(part))
      throw new MailError('invalid_input', 'An id or name must not hold half of a character.');
    if (part === '' || part === '.' || part === '..') {
      throw new MailError('invalid_input', `An id or name must not be ${part === '' ? 'empty' : `"${part}"`}.`);
    }
    return (
      address +
      encodeURIComponent(part).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`) +
      text
    );
  });
}

/**
 * Query text from values: undefined is left out, an array repeats its key. Empty where nothing is left, else with its
 * `?`.
 */
export function query(values: Readonly<Record<string, unknown>>): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null) pairs.append(name, String(one));
  }
  return pairs.size ? `?${pairs}` : '';
}

/** True for an address where everything crosses the network readable: plain HTTP to another machine than this one. */
export function crossesReadable(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === 'http:' && !/^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

/** The account's base address without a trailing slash, so that paths can be appended. */
export const base = (account: Readonly<Record<string, unknown>>): string => String(account.baseUrl).replace(/\/+$/, '');

/**
 * An address as it may be written down: without its query, and without what stands behind a word for secrets in its
 * path.
 */
export const shownAddress = (url: string): string => {
  const { origin, pathname } = new URL(url);
  return origin + pathname.replace(/(\/[^/]*(?:token|secret|password)[^/]*\/)[^/]+/gi, '$1***');
};
/** Where an address points, for a message; its path and query may be secret. */
export const originOf = (url: string) => {
  try {
    return new URL(url).origin;
  } catch {
    return 'another address';
  }
};
