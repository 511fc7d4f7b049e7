import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { letter } from '../../sandbox/corpus.js';
import { openEngine, type Engine } from '../../engine/engine.js';
import { features } from './features.js';
import { killTest, type KillPlan } from './kill.js';
import { embeddedLab, FAMILIES, type Family, type Lab } from './lab.js';
import { whyNot } from './leftOut.js';
import { leftOutSteps, startSteps, STEPS } from './operations.js';
import { runTrigger } from './process.js';
import { realLab } from './real.js';
import { scenarios, type Times } from './scenarios.js';
import { accountData, endAll, patience, wait, watch, workflowOf } from './watch.js';

const packageDir = join(import.meta.dirname, '../../..');
const all = { ...scenarios, ...features };
const families = process.env.SERVERS
  ? (process.env.SERVERS.split(',') as Family[])
  : (Object.keys(FAMILIES) as Family[]);
/** Whose trigger is tried. */
const triggers: Family[] = families.filter(family => family !== 'imap4d');
/**
 * Families take turns: five at once keep a machine so busy that nothing comes in time. The first two have every
 * scenario, and longer ones; they are the ones that wait most.
 */
const TURNS: readonly Family[][] = [['embedded', 'dovecot'], ['bareDovecot', 'imap4d'], ['cyrus'], ['courier']];
const turns = TURNS.map(turn => turn.filter(family => families.includes(family))).filter(turn => turn.length > 0);
const timesOf = (family: Family): Times => ({
  away: TURNS[0]!.includes(family) ? [5, 25, 50] : [5, 25],
  interval: 60,
  backlog: 1_000,
  found: 60_000,
  patient: true,
});
const open = (family: Family): Promise<Lab> => (family === 'embedded' ? embeddedLab() : realLab(family));

/** Where processes are killed: everything on two pairs of servers, a smaller dose on the others. */
const KILLS: Partial<Record<Family, KillPlan[]>> = {
  ...Object.fromEntries(
    (['embedded', 'dovecot'] as const).map(family => [
      family,
      [
        { messages: 1_000, kills: 20, restarts: 5, over: 120_000, patience: 60_000 },
        {
          messages: 120,
          kills: 6,
          restarts: 2,
          over: 25_000,
          patience: 60_000,
          parameters: { execute: 'batch', batchSize: 7 },
        },
      ],
    ]),
  ),
  ...Object.fromEntries(
    (['bareDovecot', 'cyrus', 'courier'] as const).map(family => [
      family,
      [{ messages: 200, kills: 6, restarts: 2, over: 35_000, patience: 60_000 }],
    ]),
  ),
};
const killTitle = ({ messages, kills, restarts, parameters }: KillPlan) =>
  `${messages.toLocaleString('en')} messages${parameters ? ' in batches' : ''}, ${kills} kills, ${restarts} restarts: each executed exactly once`;

/** Runs tasks so many at a time; each result can be waited for by itself. */
function sideBySide<T>(most: number, tasks: readonly (() => Promise<T>)[]): Promise<T>[] {
  const runners: Promise<unknown>[] = Array.from({ length: most }, () => Promise.resolve());
  return tasks.map((task, i) => {
    const run = runners[i % most]!.then(task);
    runners[i % most] = run.catch(() => {});
    run.catch(() => {});
    return run;
  });
}

// The same suite against every pair of servers. All faults of a turn at once, because each mostly waits: every one has
// its own user, proxy and workflow, and its own servers where it bends those. What loads the machine comes after the
// others have ended, two at a time; what measures is alone.
describe('Mail', function () {
  this.timeout(900_000);
  let engine: Engine;
  const labs = new Map<Family, Lab>();
  const more: Lab[] = [];
  const running = new Map<string, Promise<void>>();
  const slow = (title: string) => title.includes('five minutes');
  before(async () => {
    patience.factor = 3;
    engine = await openEngine({ packageDir });
  });
  after(async () => {
    await Promise.allSettled(running.values());
    await endAll();
    await Promise.all([...labs.values(), ...more].map(lab => lab.close()));
  });

  async function start(family: Family): Promise<void> {
    const lab = await open(family);
    labs.set(family, lab);
    for (const [title, step] of startSteps(lab)) running.set(`${family}: ${title}`, step);
    for (const [title, scenario] of Object.entries(all)) {
      if (!triggers.includes(family) || whyNot(title, family)) continue;
      const own = lab.mail && title.includes('one connection') ? await embeddedLab() : lab;
      if (own !== lab) more.push(own);
      const run = scenario(engine, own, timesOf(family));
      run.catch(() => {});
      running.set(`${family}: ${title}`, run);
    }
  }
  const offered = (family: Family, titles: string[], left: (title: string) => string | undefined) => {
    const out = titles.filter(left);
    before(() => {
      for (const title of out) console.log(`      left out: ${title}: ${left(title)}`);
    });
    for (const title of titles) if (!out.includes(title)) it(title, () => running.get(`${family}: ${title}`)!);
  };
  for (const turn of turns)
    describe(turn.map(family => FAMILIES[family]).join('; '), () => {
      before(async () => {
        await Promise.all(turn.map(start));
      });
      for (const family of turn)
        describe(`Operations: ${FAMILIES[family]}`, () =>
          offered(family, Object.keys(STEPS), title => leftOutSteps(title, family)));
      for (const family of turn.filter(one => triggers.includes(one))) {
        describe(`Sync Trigger: ${FAMILIES[family]}`, () =>
          offered(
            family,
            Object.keys(all).filter(title => !slow(title)),
            title => whyNot(title, family),
          ));
      }
    });

  describe('Sync Trigger, killed again and again', () => {
    const plans = triggers.flatMap(family => (KILLS[family] ?? []).map(plan => ({ family, plan })));
    // The long ones side by side, then the short ones.
    plans.sort((one, other) => other.plan.over - one.plan.over);
    let kills: Promise<void>[];
    before(() => {
      kills = sideBySide(
        2,
        plans.map(({ family, plan }) => async () => {
          const lab = await open(family);
          try {
            await killTest(lab, packageDir, plan);
          } finally {
            await lab.close();
          }
        }),
      );
    });
    for (const [i, { family, plan }] of plans.entries()) it(`${FAMILIES[family]}: ${killTitle(plan)}`, () => kills[i]!);
  });

  for (const family of families.filter(one => one === 'embedded' || one === 'dovecot')) {
    describe(`Sync Trigger, measured: ${FAMILIES[family]}`, () => {
      it('10,000 waiting messages, in bounded memory', async () => {
        const lab = labs.get(family)!;
        const user = lab.user();
        const stateDir = mkdtempSync(join(tmpdir(), 'mailroom-many-'));
        const text = 'word '.repeat(1_000);
        await lab.fill(user, 10_000, i => letter({ subject: `m${i}`, text }));
        const began = performance.now();
        const running = runTrigger({
          packageDir,
          stateDir,
          credentials: { account: { type: 'imapApi', data: accountData(lab, user) } },
          workflow: workflowOf('many', 'account', {
            filters: { fetch: 'envelope' },
            start: 'date',
            startDate: '2020-01-01T00:00:00Z',
            options: { concurrent: 20 },
          }),
        });
        try {
          await running.ready;
          for (const end = performance.now() + 240_000; running.executed.length < 10_000 && performance.now() < end;)
            await wait(50);
          const took = (performance.now() - began) / 1000;
          assert.equal(new Set(running.executed).size, 10_000);
          assert.equal(running.executed.length, 10_000);
          const { peak } = await running.stop();
          console.log(
            `      10,000 executions in ${took.toFixed(1)} s with the start of the process; ${Math.round((peak - running.rss) / 1_048_576)} MB above idle (${Math.round(running.rss / 1_048_576)} MB)`,
          );
          // Most of it is n8n's engine at work, and the harness, which keeps the books in memory.
          assert.ok(peak - running.rss < 400 * 1_048_576);
        } finally {
          await running.kill();
          rmSync(stateDir, { recursive: true, force: true });
        }
      });
      it('executes as soon as the server tells', async () => {
        const lab = labs.get(family)!;
        const w = await watch(engine, lab, 'latency');
        const phone = await lab.phone(w.user);
        await phone.mailboxOpen('INBOX');
        const told: number[] = [];
        const executed: number[] = [];
        let sent = 0;
        phone.on('exists', () => {
          told.push(performance.now() - sent);
        });
        void phone.idle();
        await wait(3_000);
        for (let i = 0; i < 20; i++) {
          const before = w.active.executions.length;
          sent = performance.now();
          await lab.deliver(w.user, letter({ subject: `latency ${i}` }));
          while (w.active.executions.length === before) await wait(1);
          executed.push(performance.now() - sent);
          await wait(700);
        }
        phone.close();
        const at = (list: number[], share: number) =>
          Math.round([...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))]!);
        console.log(
          `      from delivery: the server told a raw IDLE after ${at(told, 0.5)} ms (p50) and ${at(told, 0.95)} ms (p95), the execution had ended after ${at(executed, 0.5)} ms and ${at(executed, 0.95)} ms`,
        );
        assert.ok(at(executed, 0.5) - at(told, 0.5) < 150);
        await w.finish();
      });
    });
  }

  for (const family of triggers) {
    describe(`Sync Trigger, waiting long: ${FAMILIES[family]}`, () =>
      offered(family, Object.keys(all).filter(slow), title => whyNot(title, family)));
  }
});
