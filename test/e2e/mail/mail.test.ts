import { join } from 'node:path';
import { openEngine, type Engine } from '../../engine/engine.js';
import { killTest } from './kill.js';
import { embeddedLab, type Lab } from './lab.js';
import { realLab } from './real.js';
import { scenarios, type Times } from './scenarios.js';
import { endAll } from './watch.js';

const packageDir = join(import.meta.dirname, '../../..');
const times: Times = { away: [5, 25, 50], interval: 60, backlog: 10_000, found: 60_000 };

// The same suite against both pairs of servers. All faults at once, because each mostly waits: every one has its own user, proxy and workflow.
for (const start of [embeddedLab, realLab]) {
  describe(`Sync Trigger, ${start === realLab ? 'Dovecot and Postfix' : 'embedded servers'}`, function () {
    this.timeout(400_000);
    let engine: Engine;
    const labs: Lab[] = [];
    const running = new Map<string, Promise<void>>();
    before(async () => {
      engine = await openEngine({ packageDir });
      const shared = await start();
      labs.push(shared);
      for (const [name, scenario] of Object.entries(scenarios)) {
        const lab = shared.mail && name.includes('one connection') ? await embeddedLab() : shared;
        if (lab !== shared) labs.push(lab);
        const run = scenario(engine, lab, times);
        run.catch(() => {});
        running.set(name, run);
      }
    });
    after(async () => { await Promise.allSettled(running.values()); await endAll(); await Promise.all(labs.map(lab => lab.close())); });

    for (const name of Object.keys(scenarios)) it(name, () => running.get(name)!);
    it('1,000 messages, 20 kills, 5 restarts: each executed exactly once', async () => {
      await Promise.allSettled(running.values());
      await killTest(labs[0]!, packageDir, { messages: 1_000, kills: 20, restarts: 5, over: 150_000, patience: 60_000 });
    });
  });
}
