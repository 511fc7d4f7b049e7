import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { letter, random } from '../../sandbox/corpus.js';
import type { StoredExecution } from '../../engine/engine.js';
import type { ImapFlow } from 'imapflow';
import type { Lab, User } from './lab.js';
import { runTrigger, type Running } from './process.js';
import { accountData, wait, workflowOf } from './watch.js';

export interface KillPlan {
  messages: number;
  kills: number;
  restarts: number;
  /** Over how long the messages arrive, in milliseconds, and how long the last may take after that. */
  over: number;
  patience: number;
  seed?: number;
  parameters?: object;
  /** Instead of arriving, the messages are there, and another client stars, moves or deletes each. */
  changes?: boolean;
}

/** What happens to a message in turn, and how its execution is known. */
const DEEDS = ['starred', 'moved', 'deleted'] as const;
const named = ({ change, subject, id }: { change?: string; subject?: string; id?: string }) =>
  change === undefined ? subject! : `${change} ${change === 'deleted' ? /UID=(\d+)$/.exec(id!)![1] : subject}`;

/** Another client of the account, which comes back when the server does. */
function otherClient(lab: Lab, user: User) {
  let phone: ImapFlow | undefined;
  return {
    async make(uid: string, deed: (typeof DEEDS)[number], folder: string) {
      try {
        phone ??= await lab.phone(user);
        await phone.mailboxOpen('INBOX');
        const done =
          deed === 'starred'
            ? await phone.messageFlagsAdd(uid, ['\\Flagged'], { uid: true })
            : deed === 'moved'
              ? await phone.messageMove(uid, folder, { uid: true })
              : await phone.messageDelete(uid, { uid: true });
        if (!phone.usable) throw new Error(`The connection ended (${String(done)}).`);
      } catch (error) {
        phone?.close();
        phone = undefined;
        throw error;
      }
    },
    close: () => phone?.close(),
  };
}

/** How often each subject stands in the inbox. */
async function heldBy(lab: Lab, user: User): Promise<Map<string, number>> {
  const phone = await lab.phone(user);
  const held = new Map<string, number>();
  await phone.mailboxOpen('INBOX');
  for await (const { envelope } of phone.fetch('1:*', { envelope: true }))
    held.set(envelope!.subject!, (held.get(envelope!.subject!) ?? 0) + 1);
  await phone.logout();
  return held;
}

/**
 * Messages arrive, or are changed, while the process that runs the trigger is killed again and again and the server
 * goes away and comes back, all at random moments. In the end every message must stand in exactly one execution on the
 * engine's books.
 */
export async function killTest(
  lab: Lab,
  packageDir: string,
  {
    messages,
    kills,
    restarts,
    over,
    patience,
    seed = Date.now() % 1_000_000,
    parameters = {},
    changes = false,
  }: KillPlan,
): Promise<void> {
  const next = random(seed);
  const user = lab.user();
  const stateDir = mkdtempSync(join(tmpdir(), 'mailroom-kill-'));
  console.log(`      seed ${seed}`);
  const start = () =>
    runTrigger({
      packageDir,
      stateDir,
      credentials: { account: { type: 'imapApi', data: accountData(lab, user) } },
      workflow: workflowOf('killed', 'account', parameters),
    });
  const folder = `${lab.prefix}Elsewhere`;
  const client = otherClient(lab, user);
  if (changes) {
    await lab.fill(user, messages, i => letter({ subject: `m${i}`, text: 'word '.repeat(Math.floor(next() * 2_000)) }));
    const phone = await lab.phone(user);
    await phone.mailboxCreate(folder);
    await phone.logout();
  }
  let running: Running = start();
  const problems: string[] = [];
  try {
    await running.ready;
    const began = performance.now();
    const moment = async (share: number) => {
      const left = began + share * over - performance.now();
      if (left > 0) await wait(left);
    };
    const arriving = (async () => {
      const moments = Array.from({ length: messages }, next).sort();
      for (const [i, share] of moments.entries()) {
        await moment(share);
        // A server that is away takes no mail; whoever delivers tries again, as mail servers do.
        for (let tried = 1; ; tried++) {
          try {
            if (changes) await client.make(String(i + 1), DEEDS[i % DEEDS.length]!, folder);
            else
              await lab.deliver(user, letter({ subject: `m${i}`, text: 'word '.repeat(Math.floor(next() * 2_000)) }));
            break;
          } catch (error) {
            if (tried > 300) throw error;
            await wait(100);
          }
        }
      }
    })();
    const killing = (async () => {
      for (let kill = 0; kill < kills; kill++) {
        await moment((kill + 0.3 + next() * 0.5) / kills);
        // Half of the kills come right behind an execution, when it is on the books and the cursor is not; the others
        // at any moment, even before the process is ready.
        if (next() < 0.5)
          await new Promise<void>(resolve => {
            running.onExecuted = resolve;
            setTimeout(resolve, 3_000);
          });
        problems.push(...running.problems);
        await running.kill();
        running = start();
      }
    })();
    const restarting = (async () => {
      for (let restart = 0; restart < restarts; restart++) {
        await moment((restart + 0.2 + next() * 0.6) / restarts);
        await lab.away();
        await wait(200 + next() * 1_800);
        await lab.back();
      }
    })();
    await Promise.all([arriving, killing, restarting]);
    await running.ready;
    const file = join(stateDir, 'executions.jsonl');
    // It is there once the first execution was stored: each start may have been killed before that.
    const books = () =>
      (existsSync(file) ? readFileSync(file, 'utf8') : '')
        .split('\n')
        .slice(0, -1)
        .map(line => JSON.parse(line) as StoredExecution);
    const subjects = () =>
      books().flatMap(({ items }) => ((items as { subject?: string }[] | undefined) ?? []).map(named));
    const deedOf = (i: number) => DEEDS[i % DEEDS.length]!;
    const wanted = Array.from({ length: messages }, (_, i) =>
      changes ? named({ change: deedOf(i), subject: `m${i}`, id: `UID=${i + 1}` }) : `m${i}`,
    );
    const missing = () => {
      const got = new Set(subjects());
      return wanted.filter(one => !got.has(one));
    };
    for (const end = performance.now() + patience; missing().length && performance.now() < end;) await wait(200);
    await wait(500);
    problems.push(...running.problems);
    const { ms, duplicates } = await running.stop();
    const times = new Map<string, number>();
    for (const one of subjects()) times.set(one, (times.get(one) ?? 0) + 1);
    // A server that goes away between taking a message and saying so is given it once more: then these are two
    // messages, each with its own execution.
    const held = changes ? new Map<string, number>() : await heldBy(lab, user);
    const twice = [...held].filter(([, count]) => count > 1);
    if (twice.length)
      console.log(
        `      delivered twice, because the server went away before it said that it had the message: ${twice.map(([name]) => name).join(', ')}`,
      );
    const due = (name: string) => held.get(name) ?? 1;
    const repeated = [...times].filter(([name, count]) => count > due(name)).map(([name]) => name);
    const lost = wanted.filter(name => (times.get(name) ?? 0) < due(name));
    console.log(
      `      ${messages} messages, ${kills} kills, ${restarts} restarts in ${Math.round((performance.now() - began) / 1000)} s: ${lost.length} lost, ${repeated.length} repeated; ` +
        `${duplicates} offered again after the last start and dropped; closed in ${Math.round(ms)} ms`,
    );
    assert.deepEqual(
      { lost, repeated, problems, foreign: [...times.keys()].filter(one => !wanted.includes(one)) },
      { lost: [], repeated: [], problems: [], foreign: [] },
      `seed ${seed}`,
    );
    assert.ok(ms < 5_000);
  } finally {
    client.close();
    await running.kill();
    rmSync(stateDir, { recursive: true, force: true });
  }
}
