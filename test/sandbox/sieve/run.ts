import { addressParser, decodeWords, type Address } from 'postal-mime';
import { dateOf } from '../../../shared/providers/imap/mime/dates.js';
import { compile, type Known } from './language.js';

/*
 * Runs scripts as RFC 5228 and its extensions say. `cases.ts` holds it against Pigeonhole and Cyrus.
 */

/** A message that arrives: its bytes and its envelope. */
export interface Arriving {
  source: Buffer;
  from: string;
  to: string;
}
/** What an automatic answer says; `handle` tells it from others (RFC 5230 section 4.2). */
export interface Answer {
  to: string;
  subject: string;
  from: string;
  text: string;
  mime: boolean;
  handle: string;
  seconds: number;
}
/** What is to be done with a message. `failed` says why a script came to nothing; the message is kept then. */
export interface Outcome {
  filed: { folder: string; flags: string[]; create: boolean }[];
  redirected: string[];
  rejected?: string;
  answer?: Answer;
  failed?: string;
}
export interface Around {
  /** The text of another script of the same user. */
  script(name: string): string | undefined;
  now: Date;
  extensions?: string;
  /** The user's own addresses, beside those that the script names. */
  addresses: readonly string[];
}

class Stop extends Error {}
class Return extends Error {}
class Failure extends Error {}

/** Runs a script. Throws nothing: whatever fails keeps the message, as RFC 5228 section 2.10.6 asks. */
export function runSieve(text: string, arriving: Arriving, around: Around): Outcome {
  try {
    return new Run(arriving, around).all(text);
  } catch (error) {
    return { filed: [{ folder: 'INBOX', flags: [], create: false }], redirected: [], failed: (error as Error).message };
  }
}

class Run {
  private readonly out: Outcome = { filed: [], redirected: [] };
  private readonly header: { name: string; raw: string; value: string }[];
  private readonly included = new Set<string>();
  private flags = new Set<string>();
  private keeps = true;
  private depth = 0;

  constructor(
    private readonly arriving: Arriving,
    private readonly around: Around,
  ) {
    this.header = headerOf(arriving.source);
  }

  all(text: string): Outcome {
    try {
      this.script(text);
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
    const { out } = this;
    if (out.rejected !== undefined && (out.filed.length || out.redirected.length || out.answer))
      throw new Failure('reject action conflicts with another action');
    if (this.keeps) this.file('INBOX', [...this.flags], false);
    return out;
  }

  private script(text: string): void {
    // RFC 6609 section 3.1 leaves the bound to the server.
    if (++this.depth > 10) throw new Failure('include: too deep');
    try {
      this.run(compile(text, this.around.extensions));
    } catch (error) {
      if (!(error instanceof Return)) throw error;
    }
    this.depth--;
  }

  private run(commands: readonly Known[]): void {
    let done = false;
    for (const one of commands) {
      if (one.name === 'if') done = false;
      if (!/^(if|elsif|else)$/.test(one.name)) this.command(one);
      else if (!done && (one.name === 'else' || this.test(one.tests[0]!))) {
        done = true;
        this.run(one.block);
      }
    }
  }

  private file(folder: string, flags: string[], create: boolean): void {
    const inbox = folder.toUpperCase() === 'INBOX' ? 'INBOX' : folder;
    const there = this.out.filed.find(one => one.folder === inbox);
    // RFC 5228 section 2.10.3: once into each folder.
    if (!there) this.out.filed.push({ folder: inbox, flags, create });
    else there.flags = [...new Set([...there.flags, ...flags])];
  }

  private command({ name, tags, given }: Known): void {
    const { out } = this;
    const [first] = given;
    const text = Array.isArray(first) ? first[0]! : '';
    const flags = () => (tags.flags ? words(tags.flags as string[]) : [...this.flags]);
    switch (name) {
      case 'stop':
        throw new Stop();
      case 'return':
        throw new Return();
      case 'keep':
        this.keeps = false;
        return this.file('INBOX', flags(), false);
      case 'discard':
        this.keeps = false;
        return;
      case 'fileinto':
        if (!tags.copy) this.keeps = false;
        return this.file(text, flags(), tags.create === true);
      case 'redirect':
        if (!tags.copy) this.keeps = false;
        if (!out.redirected.includes(text)) out.redirected.push(text);
        return;
      case 'reject':
      case 'ereject':
        this.keeps = false;
        out.rejected = text;
        return;
      case 'setflag':
        this.flags = new Set(words(first as string[]));
        return;
      case 'addflag':
        for (const one of words(first as string[])) this.flags.add(one);
        return;
      case 'removeflag':
        for (const one of words(first as string[])) this.flags.delete(one);
        return;
      case 'vacation':
        return this.answer(tags, text);
      case 'include':
        return this.include(text, tags);
      default:
        throw new Failure(`${name} cannot be run`);
    }
  }

  private include(name: string, tags: Known['tags']): void {
    if (tags.once && this.included.has(name)) return;
    this.included.add(name);
    const text = this.around.script(name);
    if (text === undefined && !tags.optional) throw new Failure(`include: there is no script "${name}"`);
    if (text !== undefined) this.script(text);
  }

  private answer(tags: Known['tags'], text: string): void {
    if (this.out.answer) throw new Failure('vacation: a second one');
    const { from } = this.arriving;
    const one = (name: string) => (tags[name] as string[] | undefined)?.[0];
    const own = [...this.around.addresses, ...((tags.addresses as string[] | undefined) ?? [])].map(lower);
    // RFC 5230 section 4.5 and 4.6: written to this user, by a person, and no answer to an answer.
    const written = ['to', 'cc', 'bcc', 'resent-to', 'resent-cc', 'resent-bcc']
      .flatMap(name => this.addresses(name))
      .some(to => own.includes(lower(to)));
    const machine =
      from === '' ||
      /^(mailer-daemon|listserv|majordomo|owner-[^@]*|[^@]*-request)@/i.test(from) ||
      own.includes(lower(from)) ||
      this.header.some(
        ({ name, value }) =>
          /^list-/.test(name) ||
          (name === 'auto-submitted' && !/^no\b/i.test(value)) ||
          (name === 'precedence' && /^(bulk|list|junk)\b/i.test(value)),
      );
    if (!written || machine) return;
    const subject = one('subject') ?? `Auto: ${this.values('subject')[0] ?? ''}`;
    const handle = one('handle') ?? JSON.stringify([text, one('subject'), one('from'), tags.mime === true]);
    const seconds =
      tags.seconds === undefined
        ? Math.max(1, (tags.days as number | undefined) ?? 7) * 86_400
        : (tags.seconds as number);
    this.out.answer = {
      to: from,
      subject,
      from: one('from') ?? this.arriving.to,
      text,
      mime: tags.mime === true,
      handle,
      seconds,
    };
  }

  private values(name: string): string[] {
    return this.header.filter(one => one.name === name.toLowerCase()).map(({ value }) => value);
  }
  private addresses(name: string): string[] {
    return this.header
      .filter(one => one.name === name.toLowerCase())
      .flatMap(({ raw }) => addressParser(raw, { flatten: true }))
      .flatMap(({ address }: Address) => (address ? [address] : []));
  }

  private test({ name, tags, given, tests }: Known): boolean {
    const texts = given as string[][];
    switch (name) {
      case 'true':
        return true;
      case 'false':
        return false;
      case 'not':
        return !this.test(tests[0]!);
      case 'allof':
        return tests.every(one => this.test(one));
      case 'anyof':
        return tests.some(one => this.test(one));
      case 'exists':
        return texts[0]!.every(one => this.values(one).length > 0);
      case 'size':
        return 'over' in tags
          ? this.arriving.source.length > (tags.over as number)
          : this.arriving.source.length < (tags.under as number);
      case 'header':
        return matches(
          tags,
          texts[0]!.flatMap(one => this.values(one)),
          texts[1]!,
        );
      case 'address':
        return matches(
          tags,
          partsOf(
            tags,
            texts[0]!.flatMap(one => this.addresses(one)),
          ),
          texts[1]!,
        );
      case 'envelope':
        return matches(
          tags,
          partsOf(
            tags,
            texts[0]!.map(one => (lower(one) === 'from' ? this.arriving.from : this.arriving.to)),
          ),
          texts[1]!,
        );
      case 'hasflag':
        return matches(tags, [...this.flags], texts[0]!);
      case 'currentdate':
        return matches(tags, dateParts(this.around.now, zoneOf(tags) ?? '+0000', texts[0]![0]!), texts[1]!);
      case 'date': {
        const value = this.values(texts[0]![0]!)[0];
        const at = value === undefined ? undefined : dateOf(value);
        const zone = tags.originalzone ? /([+-]\d{4})/.exec(value ?? '')?.[1] : zoneOf(tags);
        return matches(tags, at ? dateParts(at, zone ?? '+0000', texts[1]![0]!) : [], texts[2]!);
      }
      default:
        throw new Failure(`${name} cannot be tested`);
    }
  }
}

/** The fields of a message's header, unfolded, as they are written and with encoded words undone. */
export function headerOf(source: Buffer): { name: string; raw: string; value: string }[] {
  const end = source.indexOf('\r\n\r\n');
  const lines = source
    .toString('utf8', 0, end < 0 ? undefined : end)
    .replace(/\r\n(?=[ \t])/g, '')
    .split('\r\n');
  return lines.flatMap(line => {
    const [, name, raw] = /^([!-9;-~]+)[ \t]*:([^]*)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name: name.toLowerCase(), raw: raw!.trim(), value: decodeWords(raw!.trim()) }];
  });
}

const words = (flags: readonly string[]): string[] => flags.flatMap(one => one.split(/\s+/).filter(Boolean));
/** i;ascii-casemap knows ASCII alone. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, part => part.toLowerCase());
const zoneOf = (tags: Known['tags']): string | undefined => (tags.zone as string[] | undefined)?.[0];

function partsOf(tags: Known['tags'], addresses: readonly string[]): string[] {
  if (!tags.domain && !tags.localpart) return [...addresses];
  return addresses.flatMap(address => {
    const at = address.lastIndexOf('@');
    return at < 0 ? [] : [tags.domain ? address.slice(at + 1) : address.slice(0, at)];
  });
}

function matches(tags: Known['tags'], values: readonly string[], keys: readonly string[]): boolean {
  const comparator = (tags.comparator as string[] | undefined)?.[0] ?? 'i;ascii-casemap';
  const numeric = comparator === 'i;ascii-numeric';
  const folded = comparator === 'i;octet' ? (text: string) => text : lower;
  if (tags.count)
    return keys.some(key => related((tags.count as string[])[0]!, compared(String(values.length), key, true)));
  return values.some(value =>
    keys.some(key => {
      const [text, wanted] = [folded(value), folded(key)];
      if (tags.value) return related((tags.value as string[])[0]!, compared(text, wanted, numeric));
      if (tags.contains) return text.includes(wanted);
      return tags.matches ? isLike(text, wanted) : compared(text, wanted, numeric) === 0;
    }),
  );
}
/** RFC 4790 section 9.1: what begins with no digit is larger than any number. */
const numberOf = (text: string): number => Number(/^\d+/.exec(text)?.[0] ?? Infinity);
const compared = (one: string, other: string, numeric: boolean): number => {
  const [a, b] = numeric ? [numberOf(one), numberOf(other)] : [one, other];
  return a < b ? -1 : a > b ? 1 : 0;
};
const related = (how: string, order: number): boolean =>
  ({ gt: order > 0, ge: order >= 0, lt: order < 0, le: order <= 0, eq: order === 0, ne: order !== 0 })[how] ?? false;

/** RFC 5228 section 2.7.1: `*` stands for anything, `?` for one letter, and `\` takes both at their word. */
export function isLike(text: string, pattern: string): boolean {
  const wanted = [...pattern.matchAll(/\\([^])|([^])/gu)].map(([, taken, plain]) => ({
    sign: taken ?? plain!,
    wild: taken === undefined,
  }));
  const letters = [...text];
  let at = 0;
  let star = -1;
  let tried = 0;
  let p = 0;
  while (at < letters.length) {
    const one = wanted[p];
    if (one?.wild && one.sign === '*') {
      star = p++;
      tried = at;
    } else if (one && ((one.wild && one.sign === '?') || one.sign === letters[at])) {
      p++;
      at++;
    } else if (star >= 0) {
      p = star + 1;
      at = ++tried;
    } else return false;
  }
  return wanted.slice(p).every(one => one.wild && one.sign === '*');
}

const DAYS = 'Sun Mon Tue Wed Thu Fri Sat'.split(' ');
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
/** A part of a time as RFC 5260 section 4.2 writes it; nothing for a part that is not known. */
function dateParts(at: Date, zone: string, part: string): string[] {
  const [, sign, hours, minutes] = /^([+-])(\d\d)(\d\d)$/.exec(zone) ?? [];
  const offset = (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0));
  const there = new Date(at.getTime() + offset * 60_000);
  const iso = there.toISOString();
  const date = iso.slice(0, 10);
  const time = iso.slice(11, 19);
  const colon = `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const day = there.getUTCDay();
  const parts: Record<string, string> = {
    year: date.slice(0, 4),
    month: date.slice(5, 7),
    day: date.slice(8),
    date,
    hour: time.slice(0, 2),
    minute: time.slice(3, 5),
    second: time.slice(6),
    time,
    iso8601: `${date}T${time}${colon}`,
    zone,
    weekday: String(day),
    julian: String(Math.floor(there.getTime() / 86_400_000) + 40_587),
    std11: `${DAYS[day]}, ${Number(date.slice(8))} ${MONTHS[there.getUTCMonth()]} ${date.slice(0, 4)} ${time} ${zone}`,
  };
  const value = parts[part.toLowerCase()];
  return value === undefined ? [] : [value];
}
