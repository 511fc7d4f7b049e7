import { randomBytes } from 'node:crypto';
import { invalidField, MailError } from '../../../errors.js';
import { choice, flag, list, number, text, type Values } from '../../../fields.js';
import { operation, type Context, type Operations } from '../../../provider.js';
import type { Native, Receipt } from '../../../vocabulary.js';
import { previewing } from '../sieve/difference.js';
import { changeRules, rulesOf } from '../sieve/own.js';
import type { Actions, Conditions, StoredRule } from '../sieve/rules.js';

/** A rule for mail that arrives. `position` counts from 1, in the order they are tried. */
export interface Rule extends Omit<StoredRule, 'if' | 'then'>, Conditions, Actions {
  position: number;
  native: Native;
}

const DOCS = 'RFC 5228 section 2.9';
/** More rules than anybody keeps apart. */
const MOST = 500;

const texts = (label: string, help: string, example: string) =>
  list(label, text('Text', { maxLength: 500, pattern: '^\\P{Cc}+$' }), {
    group: 'Conditions',
    maxItems: 200,
    help,
    example,
  });
const folder = (label: string, help: string) =>
  text(label, { group: 'Actions', maxLength: 1000, pattern: '^\\P{Cc}+$', ref: 'folder', example: 'Customers', help });
const ANY = 'Any of these is enough. * stands for anything.';
const conditions = {
  from: texts('From Contains', `Parts of the sender. ${ANY}`, 'shop.example'),
  to: texts('To or Cc Contains', `Parts of the recipients. ${ANY}`, 'orders@'),
  subject: texts('Subject Contains', `Parts of the subject. ${ANY}`, 'Invoice'),
  listId: texts('List Contains', `Parts of the name of a mailing list (List-Id). ${ANY}`, 'news.example.com'),
  header: texts(
    'Header Contains',
    'A header and what it contains, such as X-Spam-Flag: YES. A name alone stands for any content.',
    'X-Spam-Flag: YES',
  ),
  largerThan: number('Larger Than', {
    group: 'Conditions',
    min: 0,
    max: 2_147_483_647,
    unit: 'bytes',
    help: 'The whole message, in bytes.',
  }),
  smallerThan: number('Smaller Than', {
    group: 'Conditions',
    min: 1,
    max: 2_147_483_647,
    unit: 'bytes',
    help: 'The whole message, in bytes.',
  }),
};
const actions = {
  moveTo: folder('Move to Folder', 'Where the message is filed.'),
  copyTo: folder('Copy to Folder', 'Where a copy is filed. Later rules still apply to the message.'),
  markRead: flag('Mark as Read', { group: 'Actions', help: 'Whether the message is marked as read.' }),
  flag: flag('Flag', { group: 'Actions', help: 'Whether the message is flagged.' }),
  redirectTo: list('Redirect To', text('Address', { format: 'email' }), {
    group: 'Actions',
    maxItems: 20,
    help: 'Addresses that get the message as it is.',
  }),
  reject: text('Reject With', {
    group: 'Actions',
    lines: 3,
    maxLength: 5_000,
    help: 'Words for the sender, who gets the message back. It is not kept.',
  }),
  discard: flag('Discard', { group: 'Actions', help: 'Whether the message is thrown away without a word.' }),
};
const common = {
  name: text('Name', { maxLength: 200, pattern: '^\\P{Cc}+$', example: 'Invoices' }),
  enabled: flag('Enabled', { help: 'Whether the rule is at work.' }),
  match: choice(
    'Match',
    { all: 'All Conditions', any: 'Any Condition' },
    { help: 'Whether all kinds of conditions given must hold, or one is enough.' },
  ),
};
const stop = flag('Stop', {
  group: 'Actions',
  help: 'Whether no other rule is tried after this one, nor the script that was active before.',
});
/** The same for a rule that begins. */
const begins = {
  ...common,
  enabled: { ...common.enabled, default: true },
  match: { ...common.match, default: 'all' },
} as const;
const target = text('Rule', {
  required: true,
  maxLength: 64,
  ref: 'rule',
  example: '1f0c2a9b',
  help: 'The ID of the rule.',
});

type Input = Values<typeof common> & Values<typeof conditions> & Values<typeof actions> & { stop?: boolean };

/** What was given of a set of fields. */
function given<F extends object>(fields: F, input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(fields).flatMap(name =>
      input[name] === undefined || input[name] === false ? [] : [[name, input[name]]],
    ),
  );
}

/** The same without what an update took away: an empty list, an empty text or false. */
const withoutEmpty = (values: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(values).filter(
      ([, value]) => value !== undefined && value !== false && value !== '' && !(Array.isArray(value) && !value.length),
    ),
  );

/** Refuses a rule that has nothing to look at, nothing to do, or things to do that cannot go together. */
function checkRule(rule: StoredRule): StoredRule {
  const { moveTo, copyTo, redirectTo, reject, discard, markRead, flag: flagged, stop } = rule.then;
  const does = moveTo ?? copyTo ?? redirectTo ?? discard ?? markRead ?? flagged;
  if (!Object.keys(rule.if).length) throw invalidField('from', 'A rule needs at least one condition.');
  if (reject !== undefined && does !== undefined) {
    throw invalidField(
      'reject',
      'A message that is rejected cannot be filed, redirected, marked or discarded as well.',
    );
  }
  if (discard && moveTo !== undefined)
    throw invalidField('discard', 'A message cannot be discarded and moved to a folder at once.');
  if ((does ?? reject ?? stop) === undefined) throw invalidField('moveTo', 'A rule needs at least one action.');
  const bad = rule.if.header?.find(one => !/^[!-9;-~]+\s*(:|$)/.test(one));
  if (bad !== undefined)
    throw invalidField('header', `"${bad}" does not begin with the name of a header, such as X-Spam-Flag: YES.`);
  return rule;
}

function toRule({ id, name, enabled, match, if: tests, then }: StoredRule, at: number): Rule {
  return { id, name, position: at + 1, enabled, match, ...tests, ...then, native: {} };
}

/** The place of a rule. Throws `not_found`. */
function placeOf(rules: readonly StoredRule[], id: string): number {
  const at = rules.findIndex(one => one.id === id);
  if (at < 0) throw new MailError('not_found', `There is no rule "${id}".`);
  return at;
}

/** What a rule without a name is called: by what it looks at first. */
const nameFor = (tests: Conditions): string => {
  const [kind = '', value] = Object.entries(tests)[0] ?? [];
  return `${kind}: ${Array.isArray(value) ? value.join(', ') : String(value)}`.slice(0, 200);
};

type NewRule = Values<typeof begins> &
  Values<typeof conditions> &
  Values<typeof actions> & { stop: boolean; position?: number };
async function create(ctx: Context, input: NewRule): Promise<Receipt> {
  const tests = given(conditions, input) as Conditions;
  const rule = checkRule({
    id: randomBytes(4).toString('hex'),
    name: input.name ?? nameFor(tests),
    enabled: input.enabled,
    match: input.match,
    if: tests,
    then: { ...given(actions, input), ...(input.stop ? { stop: true } : {}) },
  });
  const native = await changeRules(ctx, rules => {
    if (rules.rules.length >= MOST)
      throw new MailError('rejected', `There are ${MOST} rules already, and more are not kept.`);
    return { ...rules, rules: rules.rules.toSpliced((input.position ?? Infinity) - 1, 0, rule) };
  });
  return { id: rule.id, native };
}

async function update(ctx: Context, id: string, input: Input): Promise<Receipt> {
  const changesOf = (fields: object) =>
    Object.fromEntries(
      Object.keys(fields).flatMap(name => {
        const value = (input as Record<string, unknown>)[name];
        return value === undefined ? [] : [[name, value === 0 ? '' : value]];
      }),
    );
  if (!Object.values(input).some(one => one !== undefined))
    throw new MailError('invalid_input', 'There is nothing to change: give at least one field beside the rule.');
  const native = await changeRules(ctx, rules => {
    const at = placeOf(rules.rules, id);
    const old = rules.rules[at]!;
    const rule = checkRule({
      id,
      name: input.name ?? old.name,
      enabled: input.enabled ?? old.enabled,
      match: input.match ?? old.match,
      if: withoutEmpty({ ...old.if, ...changesOf(conditions) }) as Conditions,
      then: withoutEmpty({
        ...old.then,
        ...changesOf(actions),
        ...(input.stop === undefined ? {} : { stop: input.stop }),
      }) as Actions,
    });
    return { ...rules, rules: rules.rules.with(at, rule) };
  });
  return { id, native };
}

async function* listed(ctx: Context): AsyncGenerator<Rule> {
  for (const [at, rule] of (await rulesOf(ctx)).rules.entries()) yield toRule(rule, at);
}

/** The fields of an update: an empty list or text, or 0, takes a condition or an action away. */
const clearable = <F extends object>(fields: F): F =>
  Object.fromEntries(
    Object.entries(fields).map(([name, field]: [string, { type: string; help?: string }]) => [
      name,
      field.type === 'number'
        ? { ...field, clearable: true, min: 0, help: `${field.help} 0 takes the condition away.` }
        : field.type === 'list' || (field.type === 'text' && name !== 'name')
          ? { ...field, clearable: true }
          : field,
    ]),
  ) as F;

/** Rules for mail that arrives, which the server carries out. */
export const rules = previewing({
  'rule.list': operation({
    summary: 'List the rules for mail that arrives, in their order',
    effect: 'read',
    docs: DOCS,
    input: {},
    doubt: 'Only rules that Mailroom made are listed; what other programs wrote stands in scripts of its own.',
    run: ctx => listed(ctx),
  }),
  'rule.get': operation({
    summary: 'Get a rule',
    effect: 'read',
    docs: DOCS,
    input: { rule: target },
    run: async (ctx, { rule }): Promise<Rule> => {
      const stored = (await rulesOf(ctx)).rules;
      const at = placeOf(stored, rule);
      return toRule(stored[at]!, at);
    },
  }),
  'rule.create': operation({
    summary: 'Create a rule for mail that arrives',
    effect: 'write',
    docs: DOCS,
    doubt:
      'Forwarding and the automatic reply come before the rules, and the script that was active before behind them.',
    input: {
      ...begins,
      ...conditions,
      ...actions,
      stop: { ...stop, default: true },
      position: number('Position', {
        min: 1,
        max: MOST,
        help: 'Its place among the rules. Left empty, it is the last.',
      }),
    },
    run: (ctx, input): Promise<Receipt> => create(ctx, input),
  }),
  'rule.update': operation({
    summary: 'Change a rule',
    effect: 'write',
    docs: DOCS,
    input: { rule: target, ...common, ...clearable(conditions), ...clearable(actions), stop },
    run: (ctx, { rule, ...input }): Promise<Receipt> => update(ctx, rule, input),
  }),
  'rule.move': operation({
    summary: 'Move a rule to another place in the order',
    effect: 'write',
    docs: DOCS,
    input: {
      rule: target,
      position: number('Position', {
        required: true,
        min: 1,
        max: MOST,
        help: 'Where it stands afterwards, counted from 1.',
      }),
    },
    run: async (ctx, { rule, position }): Promise<Receipt> => ({
      id: rule,
      native: await changeRules(ctx, stored => {
        const at = placeOf(stored.rules, rule);
        return { ...stored, rules: stored.rules.toSpliced(at, 1).toSpliced(position - 1, 0, stored.rules[at]!) };
      }),
    }),
  }),
  'rule.delete': operation({
    summary: 'Delete a rule',
    effect: 'destroy',
    docs: DOCS,
    input: { rule: target },
    run: async (ctx, { rule }): Promise<Receipt> => ({
      id: rule,
      native: await changeRules(ctx, stored => ({
        ...stored,
        rules: stored.rules.toSpliced(placeOf(stored.rules, rule), 1),
      })),
    }),
  }),
} satisfies Operations);
