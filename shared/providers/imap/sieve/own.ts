import { MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import type { Native } from '../../../vocabulary.js';
import type { Sieve } from './connection.js';
import { demand, NO_RULES, readRules, usable, writeRules, type Rules } from './rules.js';
import { checkScript, listScripts, putScript, readScript } from './scripts.js';
import { withSieve } from './session.js';

/**
 * The script that holds Mailroom's rules, and the one that keeps what it was before the latest change. What was active before is included by the
 * first (RFC 6609), and stays as it is.
 */
export const OWN = 'mailroom', BEFORE = 'mailroom-before';

/** What is on the server now. */
interface Found { text: string | undefined; rules: Rules; active: string | undefined; names: string[] }

/** Reads Mailroom's script. Throws `conflict` where somebody else wrote or changed it. */
async function look(sieve: Sieve): Promise<Found> {
  const listed = await listScripts(sieve), names = listed.map(({ name }) => name), active = listed.find(one => one.active)?.name;
  if (!names.includes(OWN)) return { text: undefined, rules: NO_RULES, active, names };
  const text = await readScript(sieve, OWN), read = readRules(text);
  if ('rules' in read) return { text, rules: read.rules, active, names };
  const advice = `Read it with Get of Script. Rename it to keep it as a script of your own, and Mailroom begins a new one.`;
  if ('foreign' in read) throw new MailError('conflict', `The script "${OWN}" was not written by Mailroom, so it is not touched.`, { advice });
  throw new MailError('conflict', `The script "${OWN}" was changed by hand or by another program, in line ${read.edited.line} `
    + `(${JSON.stringify(read.edited.text.slice(0, 200))}), so it is neither used nor overwritten.`, { advice });
}

/** The rules as they stand. */
export const rulesOf = (ctx: Context): Promise<Rules> => withSieve(ctx, async sieve => (await look(sieve)).rules);

/** Whether a script includes Mailroom's own: whoever wrote that wants both, in an order of their own. */
const includesOwn = (text: string): boolean => new RegExp(`^[^#"]*\\binclude\\b[^;"]*"${OWN}"`, 'im').test(text);

/** What runs when mail arrives, now and once Mailroom's script is stored. */
interface Plan { include?: string; activate: boolean }

async function planOf(sieve: Sieve, { active, names, rules }: Found): Promise<Plan> {
  // A script that is gone is not asked for any more.
  if (active === OWN) return { ...(rules.include !== undefined && names.includes(rules.include) ? { include: rules.include } : {}), activate: false };
  if (active === undefined) return { activate: true };
  if (includesOwn(await readScript(sieve, active))) return { activate: false };
  return { include: active, activate: true };
}

const extensionsOf = (sieve: Sieve): Set<string> => new Set((sieve.capabilities.get('SIEVE') ?? '').split(/\s+/));

function demandAll(sieve: Sieve, needs: readonly string[], rules: Rules): void {
  const extensions = extensionsOf(sieve);
  if (rules.include !== undefined && !extensions.has('include')) {
    throw new MailError('unsupported', `This server cannot run two scripts together (it lacks the extension "include"), and "${rules.include}" is active. `
      + 'Nothing was changed.', { advice: `Write the rule into "${rules.include}" with Put of Script, or switch that script off.` });
  }
  demand(needs, extensions);
  const most = Number(sieve.capabilities.get('MAXREDIRECTS') ?? NaN), wanted = rules.forwarding?.addresses.length ?? 0;
  if (wanted > most) throw new MailError('rejected', `This server forwards a message to ${most} addresses at most, and here are ${wanted}.`);
}

/** What a change is told of the server beside the rules. */
export interface At { extensions: ReadonlySet<string>; inForce: boolean }

/**
 * Changes Mailroom's rules. The new script is checked before anything is written, the old one kept beside it, and the two looked at once more
 * right before the write; what runs is the old script or the new one at every moment. `change` gives the rules it wants, and throws what it refuses.
 */
export async function changeRules(ctx: Context, change: (rules: Rules, at: At) => Rules | Promise<Rules>): Promise<Native> {
  return withSieve(ctx, async sieve => {
    const found = await look(sieve), plan = await planOf(sieve, found), extensions = extensionsOf(sieve);
    const { include: _, ...changed } = await change(found.rules, { extensions, inForce: !plan.activate });
    const next: Rules = { ...changed, ...(plan.include === undefined ? {} : { include: plan.include }), uses: usable(extensions) };
    const { text, needs } = writeRules(next);
    demandAll(sieve, needs, next);
    if (text !== found.text) {
      await checkScript(sieve, text);
      if (found.text !== undefined) await putScript(sieve, BEFORE, found.text);
      const now = await look(sieve);
      if (now.text !== found.text || now.active !== found.active) {
        throw new MailError('conflict', 'Another program changed the scripts at the same moment; nothing was changed here.');
      }
      await putScript(sieve, OWN, text);
    }
    if (plan.activate) await sieve.command('SETACTIVE', OWN);
    return { script: OWN, ...(next.include === undefined ? {} : { includes: next.include }) };
  });
}
