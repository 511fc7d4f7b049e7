import { domainToASCII } from 'node:url';
import {
  NO_RULES,
  writeRules,
  type Actions,
  type Conditions,
  type Rules,
  type StoredReply,
  type StoredRule,
} from './rules.js';
import { parseSieve, SieveSyntaxError, type Argument, type Statement } from './syntax.js';

/*
 * Rules read from what a script does, for one that somebody changed by hand. Only what `rules.ts` writes is understood,
 * and it is compared in the end: the rules found, written again, must be the same commands.
 */

/** A place in a script that says something Mailroom does not write; `line` counts from 1. */
export class NotUnderstood extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/**
 * The rules that a script carries out, in its own order. Throws `NotUnderstood` alone. Names stand in comments and are
 * taken from there.
 */
export function understood(text: string): Rules {
  const program = programOf(text);
  const rules = new Reader(text.split(/\r?\n/), program).rules();
  const again = programOf(writeRules(rules).text);
  const at = program.findIndex((one, i) => !again[i] || !same(one, again[i]));
  if (at >= 0 || again.length !== program.length) {
    throw new NotUnderstood((program[at] ?? program.at(-1))?.line ?? 1, 'it is not in the form that Mailroom writes');
  }
  return rules;
}

/**
 * The same with the IDs of the rules that were stored, where a rule has kept its name, and with those that are switched
 * off.
 */
export function withStored(rules: Rules, stored: Rules | undefined): Rules {
  const left = [...(stored?.rules ?? [])];
  const known = rules.rules.map(one => {
    const at = left.findIndex(({ name, enabled }) => enabled && name === one.name);
    return at < 0 ? one : { ...one, id: left.splice(at, 1)[0]!.id };
  });
  return { ...rules, rules: [...known, ...left.filter(({ enabled }) => !enabled)] };
}

/** A script without what it requires, whatever the order there. */
function programOf(text: string): Statement[] {
  try {
    return parseSieve(text).filter(({ name }) => name !== 'require');
  } catch (error) {
    if (error instanceof SieveSyntaxError) throw new NotUnderstood(error.line, error.message);
    throw error;
  }
}
const plain = (one: Statement): unknown => [one.name, one.args, one.tests.map(plain), one.block?.map(plain)];
const same = (one: Statement, other: Statement): boolean => JSON.stringify(plain(one)) === JSON.stringify(plain(other));

/** Tags with what stands behind them, and what stands without one, as `rules.ts` writes them. */
interface Given {
  tags: Record<string, string[] | number | true>;
  values: string[][];
}
const VALUED = new Set(['days', 'seconds', 'subject', 'from', 'addresses', 'value', 'zone']);
function givenOf({ args }: Statement): Given {
  const tags: Given['tags'] = {};
  const values: string[][] = [];
  const valueOf = (one: Argument | undefined) =>
    !one ? [] : 'strings' in one ? one.strings : 'number' in one ? one.number : [];
  for (let at = 0; at < args.length; at++) {
    const one = args[at]!;
    if ('tag' in one) tags[one.tag] = VALUED.has(one.tag) ? valueOf(args[++at]) : true;
    else if ('strings' in one) values.push(one.strings);
  }
  return { tags, values };
}

const isBlocking = ({ name, args }: Statement): boolean =>
  name === 'address' ||
  name === 'envelope' ||
  (name === 'header' && args.some(one => 'strings' in one && one.strings[0] === 'received'));
const fails = ({ line, name }: Statement, words = `"${name}" cannot stand here in what Mailroom writes`): never => {
  throw new NotUnderstood(line, words);
};

class Reader {
  private readonly out: Rules = { ...NO_RULES, blockedSenders: [], blockedIps: [], allowedSenders: [], rules: [] };
  private readonly uses = new Set<string>();

  constructor(
    private readonly lines: readonly string[],
    private readonly program: readonly Statement[],
  ) {}

  rules(): Rules {
    const { out } = this;
    const answers = this.program.filter(one => one.name === 'vacation' || one.name === 'redirect' || isReply(one));
    for (const [at, one] of this.program.entries()) {
      const {
        name,
        tests: [test],
        block,
      } = one;
      if (isReply(one)) {
        out.autoReply = { ...this.reply(block![0]!), ...times(test!) };
        continue;
      }
      if (name === 'if') {
        if (!block || !test) return fails(one);
        if (at === 0 && block.length === 2 && block[0]!.name === 'fileinto' && !test.args.length && this.isLists(test))
          this.lists(test, block[0]!);
        else out.rules.push(this.rule(one, answers));
      } else if (name === 'vacation') out.autoReply = this.reply(one);
      else if (name === 'redirect')
        out.forwarding = {
          addresses: [...(out.forwarding?.addresses ?? []), textOf(one)],
          keep: givenOf(one).tags.copy === true,
        };
      else if (name === 'include') out.include = textOf(one);
      else fails(one);
    }
    return { ...out, uses: ['envelope', 'mailbox'].filter(one => this.uses.has(one)) };
  }

  private folder(one: Statement): string {
    if (givenOf(one).tags.create) this.uses.add('mailbox');
    return textOf(one);
  }

  private isLists(test: Statement): boolean {
    if (test.name === 'allof')
      return test.tests.length === 2 && test.tests[0]!.name === 'not' && this.isLists(test.tests[1]!);
    return test.name === 'anyof' && test.tests.every(isBlocking);
  }

  private lists(test: Statement, filed: Statement): void {
    const { out } = this;
    const blocked = test.name === 'allof' ? test.tests[1]!.tests : test.tests;
    out.junk = this.folder(filed);
    if (test.name === 'allof') out.allowedSenders = test.tests[0]!.tests.flatMap(one => one.tests).flatMap(sendersOf);
    for (const one of blocked) {
      if (one.name === 'envelope') this.uses.add('envelope');
      else if (one.name === 'header') out.blockedIps = addressesOf(givenOf(one).values[1] ?? []);
      else out.blockedSenders.push(...sendersOf(one));
    }
  }

  private reply(one: Statement): StoredReply {
    const {
      tags,
      values: [[text = ''] = []],
    } = givenOf(one);
    const first = (name: string) => (tags[name] as string[] | undefined)?.[0];
    const said = tags.mime ? alternativesIn(text) : { text };
    if (one.name !== 'vacation' || !said) return fails(one, 'this answer is not in the form that Mailroom writes');
    const subject = first('subject');
    const from = first('from');
    return {
      ...said,
      ...(subject === undefined ? {} : { subject }),
      ...(from === undefined ? {} : { from }),
      days: Number(tags.days ?? 7),
      ...(tags.seconds === undefined ? {} : { seconds: Number(tags.seconds) }),
      addresses: (tags.addresses as string[] | undefined) ?? [],
    };
  }

  private rule(one: Statement, answers: readonly Statement[]): StoredRule {
    const {
      tests: [test],
      block = [],
      line,
    } = one;
    if (!/^(allof|anyof)$/.test(test?.name ?? '')) return fails(test ?? one);
    const name = /^# Rule: (.*)$/.exec(this.lines[line - 2] ?? '')?.[1] ?? '';
    return {
      id: `line${line}`,
      name,
      enabled: true,
      match: test!.name === 'allof' ? 'all' : 'any',
      if: conditionsOf(test!.tests),
      then: this.actions(withoutAnswers(block, answers)),
    };
  }

  private actions(block: readonly Statement[]): Actions {
    const then: Actions = {};
    for (const one of block) {
      const copy = givenOf(one).tags.copy === true;
      switch (one.name) {
        case 'addflag':
          for (const flag of textsOf(one)) {
            if (flag === '\\Seen') then.markRead = true;
            else if (flag === '\\Flagged') then.flag = true;
            else fails(one, `the flag ${flag} is none of Mailroom's rules`);
          }
          break;
        case 'fileinto':
          then[copy ? 'copyTo' : 'moveTo'] = this.folder(one);
          break;
        case 'redirect':
          (then.redirectTo ??= []).push(textOf(one));
          break;
        case 'reject':
          then.reject = textOf(one);
          break;
        case 'discard':
          then.discard = true;
          break;
        case 'stop':
          then.stop = true;
          break;
        default:
          fails(one);
      }
    }
    return then;
  }
}

const textsOf = (one: Statement): string[] => givenOf(one).values[0] ?? [];
const textOf = (one: Statement): string => textsOf(one)[0] ?? '';

/** The commands of a rule without those that answer and forward ahead of its `stop`. */
function withoutAnswers(block: readonly Statement[], answers: readonly Statement[]): readonly Statement[] {
  const from = block.length - 1 - answers.length;
  const given =
    answers.length > 0 &&
    from >= 0 &&
    block.at(-1)!.name === 'stop' &&
    answers.every((one, at) => same(one, block[from + at]!));
  return given ? [...block.slice(0, from), block.at(-1)!] : block;
}

/** An automatic answer that is given in a time alone. */
const isReply = ({ name, tests: [test], block }: Statement): boolean =>
  name === 'if' &&
  block?.length === 1 &&
  block[0]!.name === 'vacation' &&
  test?.name === 'allof' &&
  test.tests.every(one => one.name === 'currentdate');
function times({ tests }: Statement): { start?: string; end?: string } {
  return Object.fromEntries(
    tests.map(one => {
      const { tags, values } = givenOf(one);
      return [(tags.value as string[] | undefined)?.[0] === 'ge' ? 'start' : 'end', `${values[1]?.[0] ?? ''}.000Z`];
    }),
  );
}

/** Text and HTML of an answer that has both. */
function alternativesIn(mime: string): { text: string; html: string } | undefined {
  const [text, html] = mime
    .split(/--mailroom-answer(?:--)?\r?\n/)
    .slice(1)
    .map(part => Buffer.from(part.split(/\r?\n\r?\n/)[1] ?? '', 'base64').toString('utf8'));
  return text === undefined || html === undefined ? undefined : { text, html };
}

/** Undoes what `:matches` needs behind a backslash; `wild` is what `*` becomes. Nothing for a pattern with `?`. */
function unlike(pattern: string, wild: string): string | undefined {
  const parts = [...pattern.matchAll(/\\([^])|([^])/g)].map(
    ([, taken, sign]) => taken ?? (sign === '*' ? wild : sign === '?' ? undefined : sign),
  );
  return parts.includes(undefined) ? undefined : parts.join('');
}

/**
 * Entries of a list of senders from one of its tests. A domain's ASCII spelling stands behind the one somebody wrote.
 */
function sendersOf(one: Statement): string[] {
  const {
    tags,
    values: [, keys = []],
  } = givenOf(one);
  const entries = keys.map(key => (tags.matches ? unlike(key, '%') : key) ?? fails(one));
  return entries.filter((entry, at) => !isSpelling(entry, entries[at - 1]));
}
const domainOf = (entry: string) => entry.slice(entry.lastIndexOf('@') + 1);
const isSpelling = (entry: string, before: string | undefined): boolean =>
  before !== undefined && domainOf(entry) !== domainOf(before) && domainToASCII(domainOf(before)) === domainOf(entry);

/** Addresses and networks from how Received lines name them. */
function addressesOf(keys: readonly string[]): string[] {
  return keys.flatMap(key => {
    const [, address] = /^\[((?!IPv6:)[^\]]*)\]?$/.exec(key) ?? [];
    return address === undefined ? [] : [address.endsWith('.') ? `${address}%` : address];
  });
}

const KINDS = ['from', 'to', 'subject', 'listId', 'header', 'largerThan', 'smallerThan'] as const;
const HEADERS: Readonly<Record<string, (typeof KINDS)[number]>> = {
  from: 'from',
  'to,cc': 'to',
  subject: 'subject',
  'list-id': 'listId',
};

/** Conditions in the order they are written in. */
function conditionsOf(tests: readonly Statement[]): Conditions {
  const found: Conditions = {};
  let at = 0;
  for (const test of tests) {
    const kind = kindOf(test, at);
    at = KINDS.indexOf(kind) + 1;
    if (kind === 'largerThan' || kind === 'smallerThan') found[kind] = numberOf(test);
    else found[kind] = (test.name === 'anyof' ? test.tests : [test]).flatMap(one => textsIn(one, kind === 'header'));
  }
  return found;
}

/**
 * The kind of a condition among those that can stand here; a header that cannot is one of those named by themselves.
 */
function kindOf(test: Statement, from: number): (typeof KINDS)[number] {
  const { tags } = givenOf(test);
  if (test.name === 'size') return tags.over ? 'largerThan' : 'smallerThan';
  const all = test.name === 'anyof' ? test.tests : [test];
  const kinds = all.map(one => (one.name === 'header' ? HEADERS[givenOf(one).values[0]?.join() ?? ''] : undefined));
  const [kind] = kinds;
  // Texts are looked for as parts in one test, as patterns in another.
  const pair =
    all.length === 1 || (all.length === 2 && givenOf(all[0]!).tags.contains && givenOf(all[1]!).tags.matches);
  return kind && pair && kinds.every(one => one === kind) && KINDS.indexOf(kind) >= from ? kind : 'header';
}
const numberOf = ({ args }: Statement): number => args.flatMap(one => ('number' in one ? [one.number] : []))[0] ?? 0;

/** What a test looks for, `named` with its header. */
function textsIn(one: Statement, named: boolean): string[] {
  const {
    tags,
    values: [names = [], keys = []],
  } = givenOf(one);
  if (one.name === 'exists') return names;
  if (one.name !== 'header' || !(tags.contains || tags.matches)) return fails(one);
  return keys.map(key => {
    const text = tags.contains ? key : /^\*[^]*\*$/.test(key) ? unlike(key.slice(1, -1), '*') : undefined;
    return text === undefined ? fails(one) : named ? `${names[0] ?? ''}: ${text}` : text;
  });
}
