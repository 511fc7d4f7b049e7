import type { Address } from './vocabulary.js';

// RFC 5322 section 3.4.1: dot-atom on both sides of the @; RFC 6531 allows UTF-8 on both. Quoted local parts and
// address literals are refused.
const ADDR_SPEC =
  /^[^\s@"(),:;<>[\\\]\p{Cc}]{1,64}@(?=.{1,253}$)[^\s@"(),:;<>[\\\]\p{Cc}]+(?:\.[^\s@"(),:;<>[\\\]\p{Cc}]+)*$/u;

/**
 * One mailbox, `ann@example.com` or `Ann Example <ann@example.com>` (RFC 5322 section 3.4); undefined for anything
 * else, line breaks included.
 */
export function parseAddress(text: string): Address | undefined {
  if (/\p{Cc}/u.test(text)) return undefined;
  const named = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^"<>@,;]*?))\s*<([^<>]+)>\s*$/u.exec(text);
  const email = (named ? named[3]! : text).trim();
  if (!ADDR_SPEC.test(email) || email.includes('..') || email.startsWith('.') || email.includes('.@')) return undefined;
  const name = (named?.[1]?.replace(/\\(.)/g, '$1') ?? named?.[2] ?? '').trim();
  return name ? { email, name } : { email };
}

/** The address as it was written, fit to be read again by `parseAddress`. */
export const formatAddress = ({ email, name }: Address): string =>
  name ? `"${name.replace(/[\\"]/g, '\\$&')}" <${email}>` : email;

/** Parts a list of addresses at commas, semicolons and line breaks outside quotes. */
export function splitAddresses(text: string): string[] {
  const parts = text.match(/(?:"(?:[^"\\]|\\.)*"|[^,;\n"])+/g) ?? [];
  return parts.map(part => part.trim()).filter(part => part !== '');
}
