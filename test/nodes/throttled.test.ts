import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { MAIN_DOMAIN, startScaleway } from '../sandbox/scaleway.js';
import type { Vendor } from '../sandbox/vendor.js';
import { createRows, WORKER, type Outcome, type Task } from './throttledWorker.js';
import { credentialOf } from './workbench.js';

const ROWS = 500;
const WORKERS = 4;

describe('a vendor that throttles, and a node with many rows', function () {
  this.timeout(300_000);
  let vendor: Vendor;
  beforeEach(async () => {
    vendor = await startScaleway({ perSecond: 150 });
    // A slow machine may never ask so fast.
    vendor.fail({ throttle: true, method: 'POST', times: 6 });
  });
  afterEach(() => vendor.close());

  /** Every row is a mailbox, made once, in the place of its row; says how often the vendor refused on the way. */
  function allMade(outcome: Outcome, what: string): void {
    assert.deepEqual(
      outcome.filter(one => one.error !== undefined),
      [],
    );
    assert.deepEqual(
      outcome.map(one => one.email),
      Array.from({ length: ROWS }, (_, i) => `row${i}@${MAIN_DOMAIN}`),
    );
    const asked = vendor.seen.filter(({ method }) => method === 'POST').length;
    console.log(`      ${what}: ${ROWS} rows, ${ROWS} mailboxes, ${asked - ROWS} requests refused on the way`);
    assert.ok(asked >= ROWS + 6, 'some were refused');
  }
  const account = () => credentialOf(vendor, { concurrent: 10 });

  it(`${ROWS} rows end with ${ROWS} mailboxes and no error item`, async () => {
    allMade(await createRows({ account: account(), from: 0, to: ROWS }), 'one process');
  });

  it('so they do in four processes that share the account and know nothing of each other', async () => {
    const share = ROWS / WORKERS;
    const workers = Array.from({ length: WORKERS }, () =>
      fork(join(__dirname, 'throttledWorker.ts'), [WORKER], { execArgv: ['--import', 'tsx'] }),
    );
    try {
      const outcomes = await Promise.all(
        workers.map(async (worker, i) => {
          const ended = once(worker, 'exit').then(([code]) => {
            throw new Error(`A worker ended with ${code}.`);
          });
          ended.catch(() => {});
          worker.send({ account: account(), from: i * share, to: (i + 1) * share } satisfies Task);
          const [outcome] = (await Promise.race([once(worker, 'message'), ended])) as [Outcome];
          return outcome;
        }),
      );
      allMade(outcomes.flat(), 'four processes');
    } finally {
      for (const worker of workers) worker.kill();
    }
  });
});
