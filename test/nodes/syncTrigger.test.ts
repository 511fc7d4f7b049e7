import { join } from 'node:path';
import { openEngine, type Engine } from '../engine/engine.js';
import { features } from '../e2e/mail/features.js';
import { embeddedLab, type Lab } from '../e2e/mail/lab.js';
import { scenarios, type Times } from '../e2e/mail/scenarios.js';
import { endAll, patience } from '../e2e/mail/watch.js';

const packageDir = join(import.meta.dirname, '../..');

/** Stand-ins for the times of the run against real servers: what takes minutes there takes seconds here. */
const times: Times = { away: [3], interval: 10, backlog: 600, found: 35_000 };

const all = { ...scenarios, ...features };

describe('Sync Trigger over IMAP, embedded servers', function () {
  // All of them share one process with each other, and the machine with other files.
  this.timeout(180_000);
  const { factor } = patience;
  let engine: Engine;
  const labs: Lab[] = [];
  const running = new Map<string, Promise<void>>();
  // All at once, because each mostly waits: every scenario has its own user, proxy and workflow, and its own servers
  // where it bends those.
  before(async () => {
    patience.factor = 4;
    engine = await openEngine({ packageDir });
    const shared = await embeddedLab();
    labs.push(shared);
    for (const [name, scenario] of Object.entries(all)) {
      const lab = name.includes('one connection') ? await embeddedLab() : shared;
      if (lab !== shared) labs.push(lab);
      const run = scenario(engine, lab, times);
      run.catch(() => {});
      running.set(name, run);
    }
  });
  after(async () => {
    await Promise.allSettled(running.values());
    await endAll();
    patience.factor = factor;
    await Promise.all(labs.map(lab => lab.close()));
  });

  for (const name of Object.keys(all)) it(name, () => running.get(name)!);
});
