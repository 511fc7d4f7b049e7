import {
  parseSieve,
  SieveSyntaxError,
  type Argument,
  type Statement,
} from '../../../shared/providers/imap/sieve/syntax.js';

/*
 * What the embedded server understands of Sieve: the commands and tests that Mailroom writes and those that its tests
 * write by hand. Whatever else a script holds is refused when it is stored, so that no rule is taken that would not
 * run.
 */

type Kind = 'string' | 'strings' | 'number';
/** What stands behind a tag, and which extension it needs. */
interface Tag {
  takes?: Kind;
  needs?: string;
}
interface Form {
  needs?: string;
  tags?: Readonly<Record<string, Tag>>;
  takes?: readonly Kind[];
  tests?: 'one' | 'many';
  block?: true;
}

const relation: Tag = { takes: 'string', needs: 'relational' };
const MATCH = {
  is: {},
  contains: {},
  matches: {},
  value: relation,
  count: relation,
  comparator: { takes: 'string' },
} as const satisfies Record<string, Tag>;
const PART = { all: {}, localpart: {}, domain: {} };
const FLAGS = { takes: 'strings', needs: 'imap4flags' } as const;
const ZONE = { zone: { takes: 'string' }, originalzone: {} } as const;

const COMMANDS: Readonly<Record<string, Form>> = {
  require: { takes: ['strings'] },
  if: { tests: 'one', block: true },
  elsif: { tests: 'one', block: true },
  else: { block: true },
  stop: {},
  keep: { tags: { flags: FLAGS } },
  discard: {},
  fileinto: {
    needs: 'fileinto',
    tags: { copy: { needs: 'copy' }, create: { needs: 'mailbox' }, flags: FLAGS },
    takes: ['string'],
  },
  redirect: { tags: { copy: { needs: 'copy' } }, takes: ['string'] },
  reject: { needs: 'reject', takes: ['string'] },
  ereject: { needs: 'ereject', takes: ['string'] },
  setflag: { needs: 'imap4flags', takes: ['strings'] },
  addflag: { needs: 'imap4flags', takes: ['strings'] },
  removeflag: { needs: 'imap4flags', takes: ['strings'] },
  vacation: {
    needs: 'vacation',
    takes: ['string'],
    tags: {
      days: { takes: 'number' },
      seconds: { takes: 'number', needs: 'vacation-seconds' },
      subject: { takes: 'string' },
      from: { takes: 'string' },
      addresses: { takes: 'strings' },
      mime: {},
      handle: { takes: 'string' },
    },
  },
  include: { needs: 'include', tags: { personal: {}, optional: {}, once: {} }, takes: ['string'] },
  return: { needs: 'include' },
};
const TESTS: Readonly<Record<string, Form>> = {
  true: {},
  false: {},
  not: { tests: 'one' },
  allof: { tests: 'many' },
  anyof: { tests: 'many' },
  header: { tags: MATCH, takes: ['strings', 'strings'] },
  address: { tags: { ...MATCH, ...PART }, takes: ['strings', 'strings'] },
  envelope: { needs: 'envelope', tags: { ...MATCH, ...PART }, takes: ['strings', 'strings'] },
  exists: { takes: ['strings'] },
  size: { tags: { over: { takes: 'number' }, under: { takes: 'number' } } },
  date: { needs: 'date', tags: { ...MATCH, ...ZONE }, takes: ['string', 'string', 'strings'] },
  currentdate: { needs: 'date', tags: { ...MATCH, zone: ZONE.zone }, takes: ['string', 'strings'] },
  hasflag: { needs: 'imap4flags', tags: MATCH, takes: ['strings'] },
};

/** The extensions of the language that run here. */
export const EXTENSIONS =
  'fileinto reject ereject envelope vacation vacation-seconds comparator-i;ascii-numeric relational imap4flags copy include mailbox date';

/**
 * A statement whose arguments are sorted: what stands behind each tag (true for nothing), and what stands without one.
 */
export interface Known {
  name: string;
  line: number;
  tags: Readonly<Record<string, string[] | number | true>>;
  given: (string[] | number)[];
  tests: Known[];
  block: Known[];
}

const wrong = (line: number, message: string): never => {
  throw new SieveSyntaxError(line, message);
};
const isOf = (kind: Kind, argument: Argument | undefined): boolean =>
  argument !== undefined &&
  (kind === 'number'
    ? 'number' in argument
    : 'strings' in argument && (kind === 'strings' || argument.strings.length === 1));
const valueOf = (argument: Argument): string[] | number =>
  'number' in argument ? argument.number : 'strings' in argument ? argument.strings : [];

function known(
  { name, line, args, tests, block }: Statement,
  forms: Readonly<Record<string, Form>>,
  required: ReadonlySet<string>,
): Known {
  const kind = forms === TESTS ? 'test' : 'command';
  const form = forms[name];
  if (!form || (form.needs && !required.has(form.needs)))
    return wrong(line, `unknown ${kind} '${name}' (only reported once at first occurrence).`);
  const tags: Record<string, string[] | number | true> = {};
  const given: (string[] | number)[] = [];
  for (let at = 0; at < args.length; at++) {
    const argument = args[at]!;
    if (!('tag' in argument)) {
      given.push(valueOf(argument));
      continue;
    }
    const tag = form.tags?.[argument.tag];
    if (!tag || (tag.needs && !required.has(tag.needs)))
      return wrong(
        line,
        `unknown tagged argument ':${argument.tag}' for the ${name} ${kind} (reported only once at first occurrence).`,
      );
    const value = tag.takes ? args[++at] : undefined;
    if (tag.takes && !isOf(tag.takes, value))
      return wrong(line, `the :${argument.tag} tag for the ${name} ${kind} requires a ${tag.takes} argument.`);
    tags[argument.tag] = value ? valueOf(value) : true;
  }
  const takes = form.takes ?? [];
  if (
    given.length !== takes.length ||
    given.some((one, at) =>
      takes[at] === 'number'
        ? typeof one !== 'number'
        : typeof one === 'number' || (takes[at] === 'string' && one.length !== 1),
    )
  ) {
    wrong(
      line,
      `the ${name} ${kind} expects ${takes.length} positional argument(s) of its kinds, but ${given.length} is/are specified.`,
    );
  }
  if (form.tests === 'one' ? tests.length !== 1 : form.tests === 'many' ? !tests.length : tests.length)
    wrong(line, `the ${name} ${kind} has ${tests.length} tests.`);
  if (Boolean(form.block) !== (block !== undefined))
    wrong(line, `the ${name} ${kind} ${form.block ? 'needs' : 'has no'} block.`);
  const comparator = tags.comparator as string[] | undefined;
  if (
    comparator &&
    !['i;octet', 'i;ascii-casemap'].includes(comparator[0]!) &&
    !required.has(`comparator-${comparator[0]}`)
  )
    wrong(line, `unknown comparator '${comparator[0]}'.`);
  return {
    name,
    line,
    tags,
    given,
    tests: tests.map(one => known(one, TESTS, required)),
    block: block ? commands(block, required) : [],
  };
}

function commands(all: readonly Statement[], required: ReadonlySet<string>): Known[] {
  return all.map((one, at) => {
    if (one.name === 'require')
      wrong(one.line, 'require commands can only be placed at top level at the beginning of the file.');
    if (/^els/.test(one.name) && !/^(els)?if$/.test(all[at - 1]?.name ?? ''))
      wrong(one.line, `the ${one.name} command must follow an if or elsif command.`);
    return known(one, COMMANDS, required);
  });
}

/** Reads a script and checks it. Throws `SieveSyntaxError` with the server's words. */
export function compile(text: string, extensions = EXTENSIONS): Known[] {
  const all = parseSieve(text);
  const required = new Set<string>();
  const offered = extensions.split(' ');
  const behind = all.findIndex(({ name }) => name !== 'require');
  const head = behind < 0 ? all : all.slice(0, behind);
  for (const one of head) {
    for (const name of known(one, COMMANDS, required).given[0] as string[]) {
      if (!offered.includes(name)) wrong(one.line, `require command: unknown Sieve capability \`${name}'.`);
      required.add(name);
    }
  }
  return commands(all.slice(head.length), required);
}

/** What is wrong with a script, line by line as Pigeonhole says it; undefined for nothing. */
export function faultOf(text: string, extensions = EXTENSIONS): string | undefined {
  try {
    compile(text, extensions);
  } catch (error) {
    if (error instanceof SieveSyntaxError)
      return `line ${error.line}: error: ${error.message}\r\nerror: validation failed.\r\n`;
    throw error;
  }
  return undefined;
}
