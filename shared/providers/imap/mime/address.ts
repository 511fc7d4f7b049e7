import type { MessageAddressObject } from '../libraries.js';
import { decodingTools } from '../libraries.js';
import { words } from './decode.js';

/*
 * What servers write into an ENVELOPE where they find no address, which looks like one and is none: Dovecot
 * (imap-envelope.c, message-address.c), c-client behind UW IMAP and Panda (rfc822.c: errhst, BADHOST), Cyrus
 * (message.c).
 */
const NO_HOST = /^(?:missing_domain|syntax_error|\.[a-z-]+\.|unspecified-domain)$/i;
/** Words of the same kind that are not known yet: no host has such a name, as it may not have a `_` (RFC 952). */
const NO_HOST_EITHER = /^[A-Z]+(?:_[A-Z]+)+$/;
const NO_MAILBOX = /^(?:missing_mailbox|missing_mailbox_terminator|invalid_address|unexpected_data_after_address)$/i;

// Made once: a bundler turns such a pattern into a call that makes it each time.
const NOT_IN_DOMAIN = /[\s\p{Cc}<>@,;()"\\]/u;
const NOT_IN_LOCAL = /[\s\p{Cc}<>]|^[^"]*[,;]/u;
/** What servers leave of separators that stood where none belongs. */
const BEFORE = /^[\s,;]+/;
const BEHIND = /(?<![\s,;>])[\s,;>]+$/;

/** The halves of most addresses. What a server writes in place of one has a `_`, or no dot between two words. */
const PLAIN_LOCAL = /^[a-z0-9.+-]+$/i;
const PLAIN_DOMAIN = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i;

/** The address of these two halves; undefined where one is missing, or stands in the place of one that is. */
export function addressOf(mailbox: string, host: string): string | undefined {
  if (PLAIN_LOCAL.test(mailbox) && PLAIN_DOMAIN.test(host)) return `${mailbox}@${host}`;
  const local = mailbox
    .replace(BEFORE, '')
    .trimEnd()
    .replace(/^mailto:/i, '');
  const domain = host.replace(BEHIND, '').trimStart();
  if (!local || !domain || NOT_IN_DOMAIN.test(domain) || NOT_IN_LOCAL.test(local)) return undefined;
  if (NO_HOST.test(domain) || NO_HOST_EITHER.test(domain) || NO_MAILBOX.test(local)) return undefined;
  return `${local}@${domain}`;
}

/** One address as text, taken apart at its last `@`. */
const checked = (text: string): string | undefined => {
  const at = text.lastIndexOf('@');
  return at < 0 ? undefined : addressOf(text.slice(0, at), text.slice(at + 1));
};

/** What stands between two brackets: one address, or several that a program joined there. */
function members(address: string): string[] {
  const parts = address.includes('"') ? [] : address.split(/[,;]/);
  return parts.length > 1 && parts.every(part => /.@./.test(part)) ? parts.map(part => part.trim()) : [address];
}

/** Longer fields, in characters, and those of more members are cut: what follows would cost more than it is worth. */
const LONGEST = 100_000;
const MOST = 5_000;

/** Specials inside an encoded word would end it for a reader of addresses, so they are encoded like the rest of it. */
const shielded = (value: string): string =>
  value.replace(/=\?[^?\s]+\?q\?[^?]*\?=/gi, word =>
    word.replace(/[,;:<>@()"\\]/g, c => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`),
  );

/** A name on one line, without what a comment, a bracket or a separator left behind. */
export function cleanLabel(name: string): string {
  if (PLAIN_LABEL.test(name)) return name;
  const text = name.replace(SPACES, ' ').trim();
  const rest = text.includes('<') ? ' ;' : ' ;>';
  let end = text.length;
  while (end && rest.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}
const SPACES = /[\p{Cc}\s]+/gu;
const PLAIN_LABEL = /^[a-z0-9]+(?: [a-z0-9]+)*$/i;

/** The part of a field that is read. */
function bounded(value: string): string {
  let text = value.slice(0, LONGEST);
  let separators = 0;
  for (let i = 0; i < text.length; i++) {
    if (/[,;:]/.test(text[i]!) && ++separators > MOST) {
      text = text.slice(0, i);
      break;
    }
  }
  return text;
}

/**
 * The addresses of a header field (RFC 5322 section 3.4), those of groups among them, in their order. What has a name
 * and no address has an empty one. Takes unfolded text with its encoded words.
 */
export function addressesIn(value: string): MessageAddressObject[] {
  interface Parsed {
    name?: string;
    address?: string;
    group?: Parsed[];
  }
  const out: MessageAddressObject[] = [];
  const take = ({ name = '', address = '', group }: Parsed) => {
    const label = cleanLabel(words(name));
    if (group) for (const one of group) take(one);
    else if (label || address)
      for (const one of members(address)) out.push({ name: label, address: checked(one) ?? '' });
  };
  const text = bounded(value);
  for (const one of decodingTools().addressparser(shielded(text)) as Parsed[]) take(one);
  // A quote that is not closed hides the rest of the field; what stands in brackets is an address all the same.
  const bracketed = out.some(({ address }) => address)
    ? undefined
    : /<([^<>\s"]{1,400}@[^<>\s"]{1,300})>/.exec(text)?.[1];
  const address = bracketed && checked(bracketed);
  return address ? [{ name: cleanLabel(words(text.slice(0, text.indexOf('<')).replaceAll('"', ''))), address }] : out;
}
