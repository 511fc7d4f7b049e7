import type { MailAnatomy, MailPart } from '../../shared/index.js';
import { brief, plain, t } from '../host/text.js';
import type { Inspection } from '../webview/messages.js';

/** So many are shown, and a value to this length, in characters. */
const PARTS = 300;
const HEADERS = 400;
const HOPS = 60;
const CLAIMS = 60;
const LONGEST = 2_000;

/** A message as a developer looks at it. `language` is that of the dates. */
export function inspection({ headers, root }: MailAnatomy, language?: string): Inspection {
  const named = (name: string) => headers.filter(one => one.name.toLowerCase() === name).map(({ value }) => value);
  const shown = headers.slice(0, HEADERS);
  return {
    parts: root ? partsOf(root) : [],
    hops: hopsOf(named('received').slice(0, HOPS).reverse(), language),
    claims: claimsOf(named).slice(0, CLAIMS),
    hints: bulkHints(named),
    headers: shown.map(({ name, value }) => ({ name: brief(name), value: cut(value) })),
    ...(headers.length > shown.length ? { more: headers.length - shown.length } : {}),
  };
}
/**
 * What mail to many lacks. Mail to many says so in List-Id (RFC 2919), Precedence (RFC 2076) or Feedback-ID
 * (support.google.com/mail/answer/6254652).
 */
function bulkHints(named: (name: string) => string[]): string[] {
  const sign = named('list-id').length
    ? 'List-Id'
    : named('feedback-id').length
      ? 'Feedback-ID'
      : named('precedence').some(value => /^\s*(?:bulk|list)\b/i.test(value))
        ? 'Precedence'
        : undefined;
  return sign && !named('list-unsubscribe').some(value => value.trim())
    ? [t('The header {0} says that this is mail to many, but there is no header List-Unsubscribe (RFC 2369).', sign)]
    : [];
}
const cut = (value: string): string => plain(value.length > LONGEST ? `${value.slice(0, LONGEST - 1)}…` : value);

function partsOf(root: MailPart): Inspection['parts'] {
  const rows: Inspection['parts'] = [];
  const walk = (part: MailPart, depth: number): void => {
    if (rows.length >= PARTS) return;
    const about = [part.disposition, part.charset, part.encoding, part.contentId && `<${part.contentId}>`]
      .filter(Boolean)
      .join(' · ');
    rows.push({
      depth,
      type: brief(part.type),
      name: brief(part.name ?? ''),
      about: brief(about),
      ...(part.parts ? {} : { size: part.size }),
    });
    part.parts?.forEach(one => walk(one, depth + 1));
  };
  walk(root, 0);
  return rows;
}

/** A stop on the way of a message, as the server there wrote it. */
export interface Hop {
  from?: string;
  by?: string;
  with?: string;
  at?: number;
}
/** The clauses of a Received field (RFC 5321 section 4.4): a word that begins one stands outside of brackets. */
export function readReceived(value: string): Hop {
  const text = value.slice(0, LONGEST);
  const end = text.lastIndexOf(';');
  const hop: Record<string, string> = {};
  const at = Date.parse(end < 0 ? '' : text.slice(end + 1).trim());
  let depth = 0;
  let clause = '';
  for (const word of (end < 0 ? text : text.slice(0, end)).match(/[()]|[^\s()]+/g) ?? []) {
    if (word === '(') depth++;
    else if (word === ')') depth = Math.max(0, depth - 1);
    else if (depth === 0 && /^(?:from|by|via|with|id|for)$/i.test(word)) {
      clause = word.toLowerCase();
      continue;
    }
    if (clause && hop[clause] === undefined) hop[clause] = '';
    if (clause) hop[clause] += word === ')' || hop[clause] === '' || hop[clause]!.endsWith('(') ? word : ` ${word}`;
  }
  return { ...hop, ...(Number.isNaN(at) ? {} : { at }) };
}
function hopsOf(values: readonly string[], language: string | undefined): Inspection['hops'] {
  let before: number | undefined;
  return values.map(value => {
    const { from = '', by = '', with: how = '', at } = readReceived(value);
    const delay = at === undefined || before === undefined ? undefined : at - before;
    if (at !== undefined) before = at;
    return {
      from: brief(from),
      by: brief(by),
      with: brief(how),
      at: at === undefined ? '' : new Date(at).toLocaleString(language),
      delay: delay === undefined ? '' : lasting(delay),
    };
  });
}
/** A span of time in milliseconds, as people say it. A clock may be ahead of the one before. */
function lasting(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const said =
    seconds < 120
      ? t('{0} s', seconds)
      : seconds < 7200
        ? t('{0} min', Math.round(seconds / 60))
        : seconds < 172_800
          ? t('{0} h', Math.round(seconds / 3600))
          : t('{0} days', Math.round(seconds / 86_400));
  return ms < 0 ? t('{0} before the last', said) : said;
}

/** One method of an Authentication-Results field: what it found, and of what. */
export interface Claim {
  method: string;
  result: string;
  of: string;
}
/**
 * An Authentication-Results field (RFC 8601 section 2.2): who says it, and what. Comments and quoted texts may hold
 * semicolons.
 */
export function readResults(value: string): { by: string; claims: Claim[] } {
  const parts = [{ text: '', bare: '' }];
  let depth = 0;
  let quoted = false;
  for (const letter of value.slice(0, LONGEST)) {
    if (letter === '"' && depth === 0) quoted = !quoted;
    else if (!quoted && letter === '(') depth++;
    else if (!quoted && depth === 0 && letter === ';') {
      parts.push({ text: '', bare: '' });
      continue;
    }
    const part = parts.at(-1)!;
    part.text += letter;
    if (depth === 0) part.bare += letter;
    else if (letter === ')') depth--;
  }
  // A field of ARC begins with its number (RFC 8617 section 4.1.1).
  if (/^\s*i\s*=\s*\d+\s*$/i.test(parts[0]!.bare)) parts.shift();
  const [first, ...rest] = parts;
  const says = /^\s*([\w.-]{1,50})(?:\s*\/\s*\d+)?\s*=\s*([\w-]{1,50})\s*/;
  return {
    by: /^[^\s]*/.exec(first?.bare.trim() ?? '')![0],
    claims: rest.flatMap(({ text, bare }) => {
      const found = says.exec(bare);
      const plainly = says.exec(text);
      return found
        ? [
            {
              method: found[1]!.toLowerCase(),
              result: found[2]!.toLowerCase(),
              of: plainly ? text.slice(plainly[0].length) : text.trim(),
            },
          ]
        : [];
    }),
  };
}
/** The tags of a DKIM-Signature (RFC 6376 section 3.2). */
export function readTags(value: string): Record<string, string> {
  return Object.fromEntries(
    value
      .slice(0, LONGEST * 4)
      .split(';')
      .flatMap(one => {
        const at = one.indexOf('=');
        const name = one.slice(0, at).trim().toLowerCase();
        return at > 0 && /^[a-z]\w*$/.test(name)
          ? [
              [
                name,
                one
                  .slice(at + 1)
                  .replace(/\s+/g, ' ')
                  .trim(),
              ],
            ]
          : [];
      }),
  );
}
/** What the headers say of who sent the message. Nothing of it is checked here, and a sender can write it as well. */
function claimsOf(named: (name: string) => string[]): Inspection['claims'] {
  const claim = (what: string, result: string, of: string, by: string) => ({
    what: brief(what),
    result: brief(result),
    of: cut(of),
    by: brief(by),
  });
  return [
    ...['authentication-results', 'arc-authentication-results'].flatMap(name =>
      named(name).flatMap(value => {
        const { by, claims } = readResults(value);
        return claims.map(({ method, result, of }) =>
          claim(method.toUpperCase(), result, of, `${by}${name.startsWith('arc') ? ' (ARC)' : ''}`),
        );
      }),
    ),
    ...named('received-spf').map(value => {
      const [, result = '', of = ''] = /^\s*([\w-]{0,50})\s*([^]*)$/.exec(value) ?? [];
      return claim('SPF', result.toLowerCase(), of, 'Received-SPF');
    }),
    ...named('dkim-signature').map(value => {
      const { d = '', s = '', a = '', h = '' } = readTags(value);
      return claim(
        'DKIM',
        t('signed'),
        t('domain {0}, selector {1}, {2}, headers {3}', d, s, a, h.replace(/\s*:\s*/g, ', ')),
        'DKIM-Signature',
      );
    }),
  ];
}
