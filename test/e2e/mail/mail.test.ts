import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { letter } from '../../sandbox/corpus.js';
import { openEngine, type Engine } from '../../engine/engine.js';
import { features } from './features.js';
import { killTest } from './kill.js';
import { embeddedLab, type Lab } from './lab.js';
import { runTrigger } from './process.js';
import { realLab } from './real.js';
import { scenarios, type Times } from './scenarios.js';
import { accountData, endAll, patience, wait, watch, workflowOf } from './watch.js';

const packageDir = join(import.meta.dirname, '../../..');
const times: Times = { away: [5, 25, 50], interval: 60, backlog: 1_000, found: 60_000, patient: true };
const all = { ...scenarios, ...features };
const starts = { 'embedded servers': embeddedLab, 'Dovecot and Postfix': realLab };

// The same suite against both pairs of servers. All faults at once, because each mostly waits: every one has its own user, proxy and workflow,
// and its own servers where it bends those. What measures or loads the machine comes after the others have ended.
describe('Sync Trigger over IMAP', function () {
  this.timeout(600_000);
  let engine: Engine;
  const labs = new Map<string, Lab>(), more: Lab[] = [];
  const running = new Map<string, Promise<void>>();
  before(async () => {
    patience.factor = 3;
    engine = await openEngine({ packageDir });
    for (const [name, start] of Object.entries(starts)) {
      const shared = await start();
      labs.set(name, shared);
      for (const [what, scenario] of Object.entries(all)) {
        const lab = shared.mail && what.includes('one connection') ? await embeddedLab() : shared;
        if (lab !== shared) more.push(lab);
        const run = scenario(engine, lab, times);
        run.catch(() => {});
        running.set(`${name}: ${what}`, run);
      }
    }
  });
  after(async () => {
    await Promise.allSettled(running.values());
    await endAll();
    await Promise.all([...labs.values(), ...more].map(lab => lab.close()));
  });

  for (const [name, start] of Object.entries(starts)) {
    describe(name, () => {
      for (const what of Object.keys(all)) if (!what.includes('five minutes')) it(what, () => running.get(`${name}: ${what}`)!);
      it('1,000 messages, 20 kills, 5 restarts: each executed exactly once', async () => {
        const lab = await start();
        try { await killTest(lab, packageDir, { messages: 1_000, kills: 20, restarts: 5, over: 120_000, patience: 60_000 }); } finally { await lab.close(); }
      });
      it('batches through 6 kills and 2 restarts: each executed exactly once', async () => {
        const lab = await start();
        try { await killTest(lab, packageDir, { messages: 120, kills: 6, restarts: 2, over: 25_000, patience: 60_000, parameters: { execute: 'batch', batchSize: 7 } }); } finally { await lab.close(); }
      });
      it('10,000 waiting messages, in bounded memory', async () => {
        const lab = labs.get(name)!, user = lab.user(), stateDir = mkdtempSync(join(tmpdir(), 'mailroom-many-')), text = 'word '.repeat(1_000);
        await lab.fill(user, 10_000, i => letter({ subject: `m${i}`, text }));
        const began = performance.now();
        const running = runTrigger({
          packageDir, stateDir, credentials: { account: { type: 'imapApi', data: accountData(lab, user) } },
          workflow: workflowOf('many', 'account', { filters: { fetch: 'envelope' }, start: 'date', startDate: '2020-01-01T00:00:00Z', options: { concurrent: 20 } }),
        });
        try {
          await running.ready;
          for (const end = performance.now() + 240_000; running.executed.length < 10_000 && performance.now() < end;) await wait(50);
          const took = (performance.now() - began) / 1000;
          assert.equal(new Set(running.executed).size, 10_000);
          assert.equal(running.executed.length, 10_000);
          const { peak } = await running.stop();
          console.log(`      10,000 executions in ${took.toFixed(1)} s with the start of the process; ${Math.round((peak - running.rss) / 1_048_576)} MB above idle (${Math.round(running.rss / 1_048_576)} MB)`);
          // Most of it is n8n's engine at work, and the harness, which keeps the books in memory.
          assert.ok(peak - running.rss < 400 * 1_048_576);
        } finally { await running.kill(); rmSync(stateDir, { recursive: true, force: true }); }
      });
      it('executes as soon as the server tells', async () => {
        const lab = labs.get(name)!, w = await watch(engine, lab, 'latency'), phone = await lab.phone(w.user);
        await phone.mailboxOpen('INBOX');
        const told: number[] = [], executed: number[] = [];
        let sent = 0;
        phone.on('exists', () => { told.push(performance.now() - sent); });
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
        const at = (list: number[], share: number) => Math.round([...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))]!);
        console.log(`      from delivery: the server told a raw IDLE after ${at(told, 0.5)} ms (p50) and ${at(told, 0.95)} ms (p95), the execution had ended after ${at(executed, 0.5)} ms and ${at(executed, 0.95)} ms`);
        assert.ok(at(executed, 0.5) - at(told, 0.5) < 150);
        await w.finish();
      });
      for (const what of Object.keys(all)) if (what.includes('five minutes')) it(what, () => running.get(`${name}: ${what}`)!);
    });
  }
});
