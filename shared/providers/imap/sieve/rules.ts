import { domainToASCII } from 'node:url';
import { MailError } from '../../../errors.js';

/*
 * The rules that Mailroom keeps on a server, and the script they are written as. One line of the script holds the rules
 * as data; the rest is made from it, so that a change by hand is noticed: what is read must give the same text when it
 * is written again.
 */

/** What a message must be like for a rule: texts are looked for as parts, with `*` for anything; sizes are in bytes. */
export interface Conditions {
  from?: string[];
  to?: string[];
  subject?: string[];
  listId?: string[];
  /** `Name: text`, or a name alone for a header that is there. */
  header?: string[];
  largerThan?: number;
  smallerThan?: number;
}
/** What a rule does with a message. */
export interface Actions {
  markRead?: true;
  flag?: true;
  copyTo?: string;
  moveTo?: string;
  redirectTo?: string[];
  reject?: string;
  discard?: true;
  stop?: true;
}
export interface StoredRule {
  id: string;
  name: string;
  enabled: boolean;
  match: 'all' | 'any';
  if: Conditions;
  then: Actions;
}
/**
 * An answer to whoever writes: at most one to each sender in `days`, or in `seconds` where those are given, from
 * `start` and before `end` (ISO 8601, UTC).
 */
export interface StoredReply {
  text: string;
  html?: string;
  subject?: string;
  from?: string;
  days: number;
  seconds?: number;
  addresses: string[];
  start?: string;
  end?: string;
}
export interface StoredForwarding {
  addresses: string[];
  keep: boolean;
}
/** Everything that stands in the script. */
export interface Rules {
  /** The folder for what is blocked. */
  junk?: string;
  blockedSenders: string[];
  blockedIps: string[];
  allowedSenders: string[];
  autoReply?: StoredReply;
  forwarding?: StoredForwarding;
  rules: StoredRule[];
  /** The script that was active before, and goes on behind these rules. */
  include?: string;
  /** Extensions that are used where the server has them, and done without elsewhere. */
  uses: string[];
}
export const NO_RULES: Rules = { blockedSenders: [], blockedIps: [], allowedSenders: [], rules: [], uses: [] };

/** The first line of what Mailroom writes. */
export const HEAD =
  '# Rules of Mailroom, version 1. Change them with Mailroom: what is changed here by hand is shown, and not overwritten.';
/** Before the rules as data, in a line of their own. */
export const DATA = '# mailroom: ';
/** Extensions that make a rule better and are no condition for it. */
const OPTIONAL = ['envelope', 'mailbox'];

/**
 * Names of folders are written in modified UTF-7 (RFC 3501 section 5.1.3), as Cyrus takes them unless its
 * `sieve_utf8fileinto` is on.
 */
const UTF7 = 'modified UTF-7';

/** What the server allows of what is only used where it is there; `server` is what it calls itself. */
export const usable = (extensions: ReadonlySet<string>, server = ''): string[] => [
  ...OPTIONAL.filter(one => extensions.has(one)),
  ...(/^Cyrus\b/i.test(server) ? [UTF7] : []),
];

/** A name in modified UTF-7. */
const inUtf7 = (name: string): string =>
  name.replace(/&|[^\x20-\x7e]+/g, run =>
    run === '&'
      ? '&-'
      : `&${Buffer.from(run, 'utf16le').swap16().toString('base64').replaceAll('/', ',').replace(/=+$/, '')}-`,
  );

const quoted = (text: string) => `"${text.replace(/\r\n?|\n/g, '\r\n').replace(/["\\]/g, '\\$&')}"`;
const quotedList = (texts: readonly string[]) =>
  texts.length === 1 ? quoted(texts[0]!) : `[${texts.map(quoted).join(', ')}]`;

/** Lines of code, and the extensions they need. */
interface Code {
  lines: string[];
  needs: Set<string>;
}

/**
 * The rules as a script (RFC 5228), its lines ended by CR LF. `needs` are the extensions that stand in its `require`.
 */
export function writeRules(rules: Rules): { text: string; needs: string[] } {
  const code: Code = { lines: [], needs: new Set() };
  writeLists(rules, code);
  const answers = answersOf(rules, code.needs);
  const enabled = rules.rules.filter(one => one.enabled);
  const behind = enabled.findLastIndex(({ then }) => then.reject !== undefined);
  for (const rule of enabled.slice(0, behind + 1)) writeRule(rule, rules, code, answers.flat());
  for (const [comment, ...commands] of answers) code.lines.push('', comment!, ...commands);
  for (const rule of enabled.slice(behind + 1)) writeRule(rule, rules, code);
  if (rules.include !== undefined) {
    code.needs.add('include');
    code.lines.push(
      '',
      '# What was active before goes on here.',
      `include :personal :optional ${quoted(rules.include)};`,
    );
  }
  const needs = [...code.needs].sort();
  const required = needs.length ? [`require [${needs.map(quoted).join(', ')}];`] : [];
  return {
    text: [HEAD, `${DATA}${JSON.stringify(ordered(rules))}`, ...required, ...code.lines, ''].join('\r\n'),
    needs,
  };
}

/** The same whatever order the parts were put in. */
const ordered = ({
  junk,
  blockedSenders,
  blockedIps,
  allowedSenders,
  autoReply,
  forwarding,
  rules,
  include,
  uses,
}: Rules): Rules => ({
  ...(junk === undefined ? {} : { junk }),
  blockedSenders,
  blockedIps,
  allowedSenders,
  ...(autoReply ? { autoReply } : {}),
  ...(forwarding ? { forwarding } : {}),
  rules,
  ...(include === undefined ? {} : { include }),
  uses,
});

/**
 * What a script says, or why it is not one that Mailroom wrote: `line` is the first that differs, counted from 1 in the
 * whole script, which has `above` lines before a block; `stored` are the rules as they were before somebody changed it,
 * as far as those can be read.
 */
export type Read =
  { rules: Rules } | { foreign: true } | { edited: { line: number; text: string; above?: number; stored?: Rules } };

/** Reads a script of Mailroom's back. */
export function readRules(text: string): Read {
  const lines = text.split(/\r?\n/);
  if (lines[0] !== HEAD)
    return /^# Rules of Mailroom, version \d/.test(lines[0] ?? '')
      ? { edited: { line: 1, text: lines[0]! } }
      : { foreign: true };
  let rules: Rules;
  let written: string[];
  try {
    rules = { ...NO_RULES, ...(JSON.parse(lines[1]!.startsWith(DATA) ? lines[1]!.slice(DATA.length) : '') as Rules) };
    written = writeRules(rules).text.split('\r\n');
  } catch {
    return { edited: { line: 2, text: lines[1] ?? '' } };
  }
  const at = Array.from({ length: Math.max(lines.length, written.length) }, (_, i) => i).find(
    i => lines[i] !== written[i],
  );
  return at === undefined ? { rules } : { edited: { line: at + 1, text: lines[at] ?? '', stored: rules } };
}

/** Domains in the letters users write and in those that stand in headers (RFC 5890). */
const spellings = (domain: string): string[] => [...new Set([domain, domainToASCII(domain) || domain])];

/** Tests for senders: whole addresses, domains, and either with `%` for anything. */
function senderTests(
  entries: readonly string[],
  tests: (part: ':all' | ':domain', match: ':is' | ':matches', keys: string) => string[],
): string[] {
  const kinds = {
    ':all :is': [] as string[],
    ':all :matches': [] as string[],
    ':domain :is': [] as string[],
    ':domain :matches': [] as string[],
  };
  for (const entry of entries) {
    const at = entry.lastIndexOf('@');
    const pattern = entry.includes('%');
    const wild = (text: string) => (pattern ? text.replace(/[*?\\]/g, '\\$&').replace(/%/g, '*') : text);
    if (at > 0)
      kinds[pattern ? ':all :matches' : ':all :is'].push(
        ...spellings(entry.slice(at + 1)).map(domain => wild(`${entry.slice(0, at)}@${domain}`)),
      );
    else kinds[pattern ? ':domain :matches' : ':domain :is'].push(...spellings(entry.slice(at + 1)).map(wild));
  }
  return Object.entries(kinds)
    .filter(([, keys]) => keys.length)
    .flatMap(([kind, keys]) => {
      const [part, match] = kind.split(' ') as [':all', ':is'];
      return tests(part, match, quotedList(keys));
    });
}

/**
 * How a Received line names an address: `[192.0.2.1]` (Postfix, Exim), `(192.0.2.1)` (Exchange, qmail), `[IPv6:…]` (RFC
 * 5321 section 4.1.3).
 */
function receivedKeys(entry: string): string[] {
  const part = networkPart(entry);
  if (part === undefined)
    return entry.includes(':') ? [`[${entry}]`, `[IPv6:${entry}]`, `(${entry})`] : [`[${entry}]`, `(${entry})`];
  return [`[${part}`, `(${part}`];
}
/**
 * The beginning that all addresses of a network share, such as `192.0.2.`; undefined for a single address. Only whole
 * numbers can be compared.
 */
export function networkPart(entry: string): string | undefined {
  const [address = '', bits] = entry.split('/');
  const pattern = /^((?:\d{1,3}\.){1,3})%(?:\.%){0,2}$/.exec(entry);
  if (pattern) return pattern[1];
  return bits !== undefined && ['8', '16', '24'].includes(bits)
    ? `${address
        .split('.')
        .slice(0, Number(bits) / 8)
        .join('.')}.`
    : undefined;
}

function writeLists(
  { blockedSenders, blockedIps, allowedSenders, junk = 'Junk', uses }: Rules,
  { lines, needs }: Code,
): void {
  const envelope = uses.includes('envelope');
  const allowed = senderTests(allowedSenders, (part, match, keys) => [`address ${part} ${match} "from" ${keys}`]);
  const blocked = [
    ...senderTests(blockedSenders, (part, match, keys) => [
      `address ${part} ${match} ["from", "sender"] ${keys}`,
      ...(envelope ? [`envelope ${part} ${match} "from" ${keys}`] : []),
    ]),
    ...(blockedIps.length ? [`header :contains "received" ${quotedList(blockedIps.flatMap(receivedKeys))}`] : []),
  ];
  if (!blocked.length) return;
  if (envelope && blockedSenders.length) needs.add('envelope');
  needs.add('fileinto');
  const test = `anyof (${blocked.join(', ')})`;
  lines.push(
    '',
    '# Blocked senders',
    `if ${allowed.length ? `allof (not anyof (${allowed.join(', ')}), ${test})` : test} {`,
    `  ${fileinto(junk, uses, needs)}`,
    '  stop;',
    '}',
  );
}

function fileinto(folder: string, uses: readonly string[], needs: Set<string>, copy = false): string {
  needs.add('fileinto');
  if (copy) needs.add('copy');
  const create = uses.includes('mailbox');
  if (create) needs.add('mailbox');
  return `fileinto ${copy ? ':copy ' : ''}${create ? ':create ' : ''}${quoted(uses.includes(UTF7) ? inUtf7(folder) : folder)};`;
}

/**
 * The automatic answer and forwarding, each a comment and its commands. What a rule rejects must not be answered or
 * forwarded as well: Pigeonhole gives a script up that does both. So they stand behind the last rule that rejects, and
 * in a rule before that one ahead of its `stop`.
 */
function answersOf({ autoReply, forwarding }: Rules, needs: Set<string>): string[][] {
  return [
    ...(autoReply ? [['# Automatic answer', ...replyCommands(autoReply, needs)]] : []),
    ...(forwarding ? [['# Forwarding', ...forwardCommands(forwarding, needs)]] : []),
  ];
}

function replyCommands(reply: StoredReply, needs: Set<string>): string[] {
  needs.add('vacation');
  const { start, end } = reply;
  const tests = [...(start ? [timeTest('ge', start)] : []), ...(end ? [timeTest('lt', end)] : [])];
  if (tests.length) {
    needs.add('date');
    needs.add('relational');
  }
  if (reply.seconds !== undefined) needs.add('vacation-seconds');
  const words = [
    'vacation',
    reply.seconds === undefined ? `:days ${reply.days}` : `:seconds ${reply.seconds}`,
    ...(reply.subject === undefined ? [] : [`:subject ${quoted(reply.subject)}`]),
    ...(reply.from === undefined ? [] : [`:from ${quoted(reply.from)}`]),
    ...(reply.addresses.length ? [`:addresses ${quotedList(reply.addresses)}`] : []),
    reply.html === undefined ? quoted(reply.text) : `:mime ${quoted(alternative(reply.text, reply.html))}`,
  ];
  const command = `${words.join(' ')};`;
  return tests.length ? [`if allof (${tests.join(', ')}) {`, `  ${command}`, '}'] : [command];
}
/** The part is `2026-11-30T09:00:00+00:00` on the servers (RFC 5260 section 4.2); what it begins with decides. */
const timeTest = (relation: string, at: string) =>
  `currentdate :zone "+0000" :value "${relation}" "iso8601" ${quoted(at.slice(0, 19))}`;

/** Text and HTML side by side, as `:mime` takes them (RFC 5230 section 4.1). */
function alternative(text: string, html: string): string {
  const part = (type: string, content: string) =>
    [
      `Content-Type: ${type}; charset=utf-8`,
      'Content-Transfer-Encoding: base64',
      '',
      Buffer.from(content).toString('base64').replace(/.{76}/g, '$&\n'),
    ].join('\n');
  return [
    'Content-Type: multipart/alternative; boundary="mailroom-answer"',
    '',
    '--mailroom-answer',
    part('text/plain', text),
    '--mailroom-answer',
    part('text/html', html),
    '--mailroom-answer--',
    '',
  ].join('\n');
}

function forwardCommands({ addresses, keep }: StoredForwarding, needs: Set<string>): string[] {
  if (keep) needs.add('copy');
  return addresses.map(address => `redirect ${keep ? ':copy ' : ''}${quoted(address)};`);
}

/** A test on headers: texts are looked for as parts, and `*` in them stands for anything. */
function headerTests(headers: readonly string[], values: readonly string[] | undefined): string[] {
  const names = quotedList(headers);
  const parts = values?.filter(one => !one.includes('*')) ?? [];
  const patterns = values?.filter(one => one.includes('*')) ?? [];
  return [
    ...(parts.length ? [`header :contains ${names} ${quotedList(parts)}`] : []),
    ...(patterns.length
      ? [`header :matches ${names} ${quotedList(patterns.map(one => `*${one.replace(/[?\\]/g, '\\$&')}*`))}`]
      : []),
  ];
}
const either = (tests: readonly string[]): string[] =>
  tests.length > 1 ? [`anyof (${tests.join(', ')})`] : [...tests];

function conditionTests({ from, to, subject, listId, header, largerThan, smallerThan }: Conditions): string[] {
  const named = (header ?? []).flatMap(one => {
    const colon = one.indexOf(':');
    const name = (colon < 0 ? one : one.slice(0, colon)).trim();
    const text = colon < 0 ? '' : one.slice(colon + 1).trim();
    return text === '' ? [`exists ${quoted(name)}`] : headerTests([name], [text]);
  });
  return [
    ...either(headerTests(['from'], from)),
    ...either(headerTests(['to', 'cc'], to)),
    ...either(headerTests(['subject'], subject)),
    ...either(headerTests(['list-id'], listId)),
    ...either(named),
    ...(largerThan === undefined ? [] : [`size :over ${largerThan}`]),
    ...(smallerThan === undefined ? [] : [`size :under ${smallerThan}`]),
  ];
}

/**
 * `answers` are commands that a rule which ends all has to give first. Nothing can be done with a message that is
 * rejected, so that ends all too.
 */
function writeRule(
  { name, match, if: conditions, then }: StoredRule,
  { uses }: Rules,
  { lines, needs }: Code,
  answers: readonly string[] = [],
): void {
  const flags = [...(then.markRead ? ['\\Seen'] : []), ...(then.flag ? ['\\Flagged'] : [])];
  const commands: string[] = [];
  if (flags.length) {
    needs.add('imap4flags');
    commands.push(`addflag ${quotedList(flags)};`);
  }
  if (then.copyTo !== undefined) commands.push(fileinto(then.copyTo, uses, needs, true));
  for (const address of then.redirectTo ?? []) {
    needs.add('copy');
    commands.push(`redirect :copy ${quoted(address)};`);
  }
  if (then.moveTo !== undefined) commands.push(fileinto(then.moveTo, uses, needs));
  if (then.reject !== undefined) {
    needs.add('reject');
    commands.push(`reject ${quoted(then.reject)};`);
  }
  if (then.discard) commands.push('discard;');
  if (then.stop || then.reject !== undefined) commands.push(...(then.reject === undefined ? answers : []), 'stop;');
  lines.push(
    '',
    `# Rule: ${name.replace(/\p{Cc}/gu, ' ')}`,
    `if ${match === 'all' ? 'allof' : 'anyof'} (${conditionTests(conditions).join(', ')}) {`,
    ...commands.map(one => `  ${one}`),
    '}',
  );
}

/** Throws `unsupported` where the server lacks what the rules need. */
export function demand(needs: readonly string[], extensions: ReadonlySet<string>): void {
  const missing = needs.filter(one => !extensions.has(one));
  if (missing.length) {
    throw new MailError(
      'unsupported',
      `This server's rules cannot do that: it lacks the ${missing.length > 1 ? 'extensions' : 'extension'} ` +
        `${missing.map(one => `"${one}"`).join(', ')} of Sieve.`,
    );
  }
}
