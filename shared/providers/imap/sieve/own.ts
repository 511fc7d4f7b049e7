import { MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import type { Native } from '../../../vocabulary.js';
import type { Sieve } from './connection.js';
import { difference } from './difference.js';
import { partsOf, readBlock, withBlock, type Parts } from './block.js';
import { demand, NO_RULES, readRules, usable, writeRules, type Read, type Rules } from './rules.js';
import { checkScript, listScripts, putScript, readScript } from './scripts.js';
import { withSieve } from './session.js';
import { NotUnderstood, understood, withStored } from './understand.js';

/**
 * The script that holds Mailroom's rules, and the one that keeps what it was before the latest change. What was active
 * before is included by the first (RFC 6609), and stays as it is. Where the server lacks "include", the rules stand in
 * a marked block of the active script (`block.ts`).
 */
export const OWN = 'mailroom';
export const BEFORE = 'mailroom-before';

/** What is on the server now: `script` holds the rules, or will hold them, and `text` is all that stands in it now. */
interface Found {
  script: string;
  text: string | undefined;
  parts?: Parts;
  rules: Rules;
  active: string | undefined;
  names: string[];
  includesOwn?: boolean;
}

/** What is made of rules that stand in a script. */
type Judge = (script: string, text: string, read: Read) => Rules;

/** Reads Mailroom's rules; what `judge` throws where somebody else wrote or changed them. */
async function look(sieve: Sieve, judge: Judge): Promise<Found> {
  const listed = await listScripts(sieve);
  const names = listed.map(({ name }) => name);
  const active = listed.find(one => one.active)?.name;
  if (active !== undefined && active !== OWN) {
    const text = await readScript(sieve, active);
    const parts = partsOf(text);
    const found = { script: active, text, parts, active, names };
    if (parts.block) return { ...found, rules: judge(active, parts.block, readBlock(parts)) };
    // Two scripts cannot run together there, so the rules go into a block of this one.
    if (!extensionsOf(sieve).has('include')) return { ...found, rules: (await own(sieve, names, judge)).rules };
    return { script: OWN, ...(await own(sieve, names, judge)), active, names, includesOwn: includesOwn(text) };
  }
  return { script: OWN, ...(await own(sieve, names, judge)), active, names };
}

/** The script of Mailroom's own, where there is one. */
async function own(
  sieve: Sieve,
  names: readonly string[],
  judge: Judge,
): Promise<{ text: string | undefined; rules: Rules }> {
  if (!names.includes(OWN)) return { text: undefined, rules: NO_RULES };
  const text = await readScript(sieve, OWN);
  return { text, rules: judge(OWN, text, readRules(text)) };
}

/** For a change: only rules that are as Mailroom wrote them. Throws `conflict`. */
const untouched: Judge = (script, _, read) => {
  if ('rules' in read) return read.rules;
  throw 'foreign' in read ? foreign(script) : edited(script, read.edited);
};

/** For a look: also those that were changed by hand, if what they do now is understood. Throws `conflict`. */
const asTheyRun: Judge = (script, text, read) => {
  if ('rules' in read) return read.rules;
  if ('foreign' in read) throw foreign(script);
  try {
    return withStored(understood(text), read.edited.stored);
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    throw edited(
      script,
      read.edited,
      ` Mailroom does not understand line ${error.line + (read.edited.above ?? 0)}: ${error.message}.`,
    );
  }
};

const foreign = (script: string) =>
  new MailError('conflict', `The script "${script}" was not written by Mailroom, so it is not touched.`, {
    advice: ADVICE,
  });
function edited(script: string, { line, text }: { line: number; text: string }, more = ''): MailError {
  const part = script === OWN ? `The script "${script}" was` : `The rules of Mailroom in the script "${script}" were`;
  return new MailError(
    'conflict',
    `${part} changed by hand or by another program, in line ${line} (${JSON.stringify(text.slice(0, 200))}), so ` +
      `${script === OWN ? 'it is' : 'they are'} neither used nor overwritten.${more}`,
    { advice: script === OWN ? ADVICE : BLOCK_ADVICE },
  );
}
const ADVICE =
  'Read it with Get of Script. Rename it to keep it as a script of your own, and Mailroom begins a new one.';
const BLOCK_ADVICE =
  'Read the script with Get of Script. Take out the comments at both ends of these rules to keep them as your own, and Mailroom begins anew.';

/** The rules as they stand, also where somebody changed them by hand. Throws `conflict` for what is not understood. */
export const rulesOf = (ctx: Context): Promise<Rules> =>
  withSieve(ctx, async sieve => (await look(sieve, asTheyRun)).rules);

/** Whether a script includes Mailroom's own: whoever wrote that wants both, in an order of their own. */
const includesOwn = (text: string): boolean => new RegExp(`^[^#"]*\\binclude\\b[^;"]*"${OWN}"`, 'im').test(text);

/** What runs when mail arrives, now and once Mailroom's script is stored. */
interface Plan {
  include?: string;
  activate: boolean;
}

function planOf({ script, parts, active, names, rules, includesOwn: included }: Found): Plan {
  if (script !== OWN) return { activate: !parts!.block };
  // A script that is gone is not asked for any more.
  if (active === OWN)
    return {
      ...(rules.include !== undefined && names.includes(rules.include) ? { include: rules.include } : {}),
      activate: false,
    };
  if (included) return { activate: false };
  return { ...(active === undefined ? {} : { include: active }), activate: true };
}

const extensionsOf = (sieve: Sieve): Set<string> => new Set((sieve.capabilities.get('SIEVE') ?? '').split(/\s+/));

function demandAll(sieve: Sieve, needs: readonly string[], rules: Rules): void {
  demand(needs, extensionsOf(sieve));
  const most = Number(sieve.capabilities.get('MAXREDIRECTS') ?? NaN);
  const wanted = rules.forwarding?.addresses.length ?? 0;
  if (wanted > most)
    throw new MailError(
      'rejected',
      `This server forwards a message to ${most} addresses at most, and here are ${wanted}.`,
    );
}

/** What a change is told of the server beside the rules. */
export interface At {
  extensions: ReadonlySet<string>;
  inForce: boolean;
}

/**
 * Changes Mailroom's rules. The new script is checked before anything is written, the old one kept beside it, and the
 * two looked at once more right before the write; what runs is the old script or the new one at every moment. `change`
 * gives the rules it wants, and throws what it refuses. In a preview nothing is written, and the answer holds the
 * difference.
 */
export async function changeRules(
  ctx: Context,
  change: (rules: Rules, at: At) => Rules | Promise<Rules>,
): Promise<Native> {
  return withSieve(ctx, async sieve => {
    const found = await look(sieve, untouched);
    const plan = planOf(found);
    const extensions = extensionsOf(sieve);
    const { script } = found;
    const { include: _, ...changed } = await change(found.rules, { extensions, inForce: !plan.activate });
    const next: Rules = {
      ...changed,
      ...(plan.include === undefined ? {} : { include: plan.include }),
      uses: usable(extensions, sieve.capabilities.get('IMPLEMENTATION')),
    };
    const { text, needs } = found.parts ? withBlock(found.parts, next) : writeRules(next);
    demandAll(sieve, needs, next);
    const told = { script, ...(next.include === undefined ? {} : { includes: next.include }) };
    if (text !== found.text) {
      await checkScript(sieve, text);
      if (ctx.preview) return { ...told, difference: difference(found.text ?? '', text) };
      if (found.text !== undefined) await putScript(sieve, BEFORE, found.text);
      const now = await look(sieve, untouched);
      if (now.text !== found.text || now.active !== found.active) {
        throw new MailError(
          'conflict',
          'Another program changed the scripts at the same moment; nothing was changed here.',
        );
      }
      await putScript(sieve, script, text);
    }
    if (plan.activate && !found.parts && !ctx.preview) await sieve.command('SETACTIVE', OWN);
    return told;
  });
}
