import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, isMailError, providerById } from '../../shared/index.js';
import type { NotSent } from '../../shared/notSent.js';
import { createPacer, pacerFor } from '../../shared/pace.js';

const tick = () => new Promise(resolve => setImmediate(resolve));
/** A task that ends when told. */
function held() {
  let end!: () => void;
  const task = new Promise<void>(resolve => {
    end = resolve;
  });
  return { task: () => task, end };
}

describe('pace', () => {
  it('runs at most so many tasks at once, in the order they came', async () => {
    const pacer = createPacer({ concurrent: 2, perMinute: 1000 });
    const started: number[] = [];
    const tasks = [held(), held(), held(), held()];
    const all = tasks.map((one, i) =>
      pacer(() => {
        started.push(i);
        return one.task();
      }),
    );
    await tick();
    assert.deepEqual(started, [0, 1]);
    tasks[1]!.end();
    await tick();
    assert.deepEqual(started, [0, 1, 2]);
    tasks[0]!.end();
    tasks[2]!.end();
    tasks[3]!.end();
    await Promise.all(all);
    assert.deepEqual(started, [0, 1, 2, 3]);
  });
  it('starts at most so many in any minute, and waits for the rest of it', async () => {
    let now = 0;
    const pacer = createPacer({ concurrent: 10, perMinute: 3 }, () => now);
    for (let i = 0; i < 3; i++) await pacer(async () => {});
    now = 59_950;
    let ran = false;
    const late = pacer(async () => {
      ran = true;
    });
    await tick();
    assert.equal(ran, false);
    now = 60_000;
    await late;
    assert.equal(ran, true);
  });
  it('a task that fails frees its place', async () => {
    const pacer = createPacer({ concurrent: 1, perMinute: 1000 });
    await assert.rejects(
      pacer(async () => {
        throw new Error('no');
      }),
      /no/,
    );
    assert.equal(await pacer(async () => 7), 7);
  });
  it('whoever aborts leaves at once, even from the middle of the line, and takes no place', async () => {
    const pacer = createPacer({ concurrent: 1, perMinute: 1000 });
    const first = held();
    const stop = new AbortController();
    const running = pacer(first.task);
    const second = pacer(async () => 2);
    const third = pacer(async () => assert.fail('it was aborted'), stop.signal);
    const fourth = pacer(async () => 4);
    await tick();
    stop.abort(new Error('gone'));
    await assert.rejects(third, /gone/);
    first.end();
    await running;
    assert.deepEqual(await Promise.all([second, fourth]), [2, 4]);
    await assert.rejects(
      pacer(async () => 5, stop.signal),
      /gone/,
    );
    assert.equal(await pacer(async () => 6), 6);
  });
  it('an abort in the very moment of a turn gives the place back', async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const pacer = createPacer({ concurrent: 1, perMinute: 1000 });
      const stop = new AbortController();
      const first = held();
      const running = pacer(first.task);
      const next = pacer(async () => 'ran', stop.signal).catch(() => 'left');
      await tick();
      first.end();
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      stop.abort();
      await Promise.all([running, next]);
      assert.equal(await pacer(async () => 'free'), 'free', `after ${ticks} ticks the place was lost`);
    }
  });
  it('waiting leaves no listeners behind', async () => {
    const pacer = createPacer({ concurrent: 1, perMinute: 100_000 });
    const stop = new AbortController();
    const listeners = new Set<unknown>();
    const { addEventListener: add, removeEventListener: remove } = stop.signal;
    stop.signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners.add(args[1]);
      add.apply(stop.signal, args);
    };
    stop.signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners.delete(args[1]);
      remove.apply(stop.signal, args);
    };
    await Promise.all(Array.from({ length: 20 }, () => pacer(tick, stop.signal)));
    await tick();
    assert.equal(listeners.size, 0);
  });
  it('who is sent back into the line has the patience that is left, while nothing is let through', async () => {
    let now = 0;
    const pacer = createPacer({ concurrent: 5, perMinute: 1000 }, () => now);
    const stop = new AbortController();
    pacer.rest(3000);
    now = 2000;
    await assert.rejects(pacer.turn(undefined, 2000, 2000), /asked for a rest of 1 s/);
    const waits = [
      [2000, 1999],
      [2000, 0],
      [3000, 2000],
    ].map(([patience, waited]) => pacer.turn(stop.signal, patience, waited));
    await Promise.all([
      ...waits.map(one => assert.rejects(one, /enough/)),
      tick().then(() => stop.abort(new Error('enough'))),
    ]);
    pacer.eased();
    pacer.rest(3000);
    const later = new AbortController();
    const waiting = pacer.turn(later.signal, 2000, 9000);
    await Promise.all([assert.rejects(waiting, /enough/), tick().then(() => later.abort(new Error('enough')))]);
  });
  it('one account has one pacer, until its pace changes', () => {
    const one = pacerFor('test-account', { concurrent: 1, perMinute: 10 });
    assert.equal(pacerFor('test-account', { concurrent: 1, perMinute: 10 }), one);
    assert.notEqual(pacerFor('test-account', { concurrent: 2, perMinute: 10 }), one);
    assert.notEqual(pacerFor('another-account', { concurrent: 1, perMinute: 10 }), one);
    const narrow = pacerFor('test-account', { concurrent: 1, perMinute: 11 });
    assert.notEqual(pacerFor('test-account', { concurrent: 11, perMinute: 1 }), narrow);
  });
  it('accounts that nobody used for ten minutes are forgotten once there are many, and none before', () => {
    const { now } = Date;
    let at = now();
    Date.now = () => at;
    try {
      const pace = { concurrent: 1, perMinute: 10 };
      const few = pacerFor('forgotten-1', pace);
      at += 700_000;
      const used = pacerFor('forgotten-2', pace);
      assert.equal(pacerFor('forgotten-1', pace), few, 'there are few');
      at += 599_999;
      pacerFor('forgotten-2', pace);
      assert.equal(pacerFor('forgotten-1', pace), few, 'it was used just now');
      at += 600_000;
      assert.equal(pacerFor('forgotten-2', pace), used);
      for (let i = 0; i < 600; i++) pacerFor(`many-${i}`, pace);
      at += 600_000;
      const young = pacerFor('young', pace);
      assert.notEqual(pacerFor('forgotten-1', pace), few);
      assert.equal(pacerFor('forgotten-2', pace), used, 'ten minutes are not over');
      assert.equal(pacerFor('young', pace), young);
    } finally {
      Date.now = now;
    }
  });
  it('a turn that is said to be over twice gives back one place', async () => {
    const pacer = createPacer({ concurrent: 1, perMinute: 1000 });
    const over = await pacer.turn();
    over();
    over();
    const stop = new AbortController();
    await pacer.turn();
    const second = assert.rejects(pacer.turn(stop.signal), /enough/);
    await tick();
    stop.abort(new Error('enough'));
    await second;
  });
});

describe('an account whose vendor throttles', () => {
  let now: number;
  let pacer: ReturnType<typeof createPacer>;
  beforeEach(() => {
    now = 0;
    pacer = createPacer({ concurrent: 4, perMinute: 1000 }, () => now);
  });
  /** How many of six begin together. */
  const together = async () => {
    const stop = new AbortController();
    const begun: (() => void)[] = [];
    const all = Array.from({ length: 6 }, () =>
      pacer.turn(stop.signal).then(
        over => begun.push(over),
        () => {},
      ),
    );
    await tick();
    stop.abort();
    await Promise.all(all);
    for (const over of begun) over();
    return begun.length;
  };
  /** What somebody without patience is told; undefined where there is no rest. */
  const told = () =>
    pacer.turn(undefined, 0).then(
      over => over(),
      (error: NotSent) => [error.code, error.message, error.retryAfter],
    );

  it('goes on with half as many at once, down to one, and with one more after each round of answers, up to its limit', async () => {
    assert.equal(await together(), 4);
    pacer.rest(1000);
    pacer.rest(1000);
    now = 1000;
    assert.equal(await together(), 2, 'those that were refused together count once');
    for (const end of [2000, 3000, 4000]) {
      pacer.rest(1000);
      now = end;
      assert.equal(await together(), 1);
    }
    const seen: number[] = [];
    for (let answer = 0; answer < 8; answer++) {
      pacer.eased();
      seen.push(await together());
    }
    assert.deepEqual(seen, [2, 2, 2, 3, 3, 3, 4, 4]);
    for (let answer = 0; answer < 50; answer++) pacer.eased();
    pacer.rest(1000);
    now = 5000;
    assert.equal(await together(), 2, 'answers are not saved up');
  });
  it('lets the first in line begin when an answer widens it', async () => {
    pacer = createPacer({ concurrent: 2, perMinute: 1000 }, () => now);
    pacer.rest(10);
    now = 10;
    await pacer.turn();
    const second = pacer.turn();
    await tick();
    pacer.eased();
    (await second)();
  });
  it('says for how long nothing was let through, and counts anew after an answer', () => {
    assert.equal(pacer.rest(1000), 0);
    now = 1500;
    assert.equal(pacer.rest(1000), 1500);
    now = 2500;
    assert.equal(pacer.rest(1000), 2500);
    pacer.eased();
    assert.equal(pacer.rest(1000), 0);
  });
  it('rests for the longest time that was named, and not a millisecond more', async () => {
    pacer.rest(3000);
    pacer.rest(1000);
    now = 1500;
    assert.deepEqual(await told(), ['rate_limited', 'The provider asked for a rest of 2 s.', 1.5]);
    now = 2999;
    assert.deepEqual(await told(), ['rate_limited', 'The provider asked for a rest of 1 s.', 0.001]);
    now = 3000;
    assert.equal(await told(), undefined);
  });
  it('waits for 65 s and tells at once of more, which it tries again all the same when those are over', async () => {
    const stop = new AbortController();
    pacer.rest(65_000);
    const waiting = assert.rejects(pacer.turn(stop.signal), /enough/);
    await tick();
    stop.abort(new Error('enough'));
    await waiting;
    pacer.rest(120_000);
    const late = (error: NotSent) => [error.code, error.message, error.retryAfter];
    assert.deepEqual(
      [await pacer.turn().then(() => assert.fail(), late), await told()],
      [
        ['rate_limited', 'The provider asked for a rest of 120 s.', 120],
        ['rate_limited', 'The provider asked for a rest of 65 s.', 65],
      ],
    );
    now = 65_000;
    assert.equal(await told(), undefined);
  });
  it('who came while it rested waits from then on, and no longer than its patience', async () => {
    pacer.rest(60_000);
    now = 10_000;
    const patient = (patience: number) => {
      const stop = new AbortController();
      const turn = pacer.turn(stop.signal, patience).then(
        () => assert.fail(),
        (error: Error) => error.message,
      );
      void tick().then(() => stop.abort(new Error('waits')));
      return turn;
    };
    assert.equal(await patient(5000), 'waits');
    assert.match(await patient(0), /rest of 50 s/);
  });
});

/**
 * A vendor that takes so many requests in each window of `ms` milliseconds and refuses the rest; `head` is what it says
 * of the rest.
 */
async function throttling(most: number, ms: number, head: Record<string, string>) {
  const count = { asked: 0, refused: 0, made: 0 };
  let began = 0;
  let taken = 0;
  const server = createServer((request, answer) => {
    request.resume();
    request.on('end', () => {
      const now = performance.now();
      count.asked++;
      if (now - began >= ms) {
        began = now;
        taken = 0;
      }
      if (++taken > most) {
        count.refused++;
        answer.writeHead(429, head);
        return answer.end('{"type":"too_many_requests","message":"slow down"}');
      }
      count.made++;
      answer.writeHead(200, { 'content-type': 'application/json' });
      answer.end(JSON.stringify({ id: ID, email: `m${count.made}@a.example`, status: 'ready' }));
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    count,
    baseUrl,
    open: (options: Parameters<typeof connect>[2] = {}, account = {}) =>
      connect(
        providerById('scaleway'),
        { baseUrl, secretKey: ID, concurrent: 5, perMinute: 60_000, ...account },
        { key: randomUUID(), ...options },
      ),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
const ID = '11111111-2222-4333-8444-555555555555';

describe('a vendor that throttles', () => {
  it('what it refused is sent again, writes too, and every one is done once', async () => {
    await using vendor = await throttling(25, 100, { 'retry-after': '0' });
    const client = vendor.open();
    await Promise.all(Array.from({ length: 300 }, () => client.call('mailbox.delete', { mailbox: ID })));
    assert.equal(vendor.count.made, 300);
    assert.ok(vendor.count.refused < 300, `${vendor.count.refused} refused`);
  }).timeout(60_000);

  it('rests as a whole: nobody asks before the time that it named, and then one asks first', async () => {
    await using vendor = await throttling(0, 1, { 'retry-after': '2' });
    const client = vendor.open({ patience: 3 });
    const failed = await Promise.allSettled(
      Array.from({ length: 40 }, () => client.call('mailbox.delete', { mailbox: ID })),
    );
    assert.ok(
      failed.every(one => one.status === 'rejected' && isMailError(one.reason) && one.reason.code === 'rate_limited'),
    );
    // Five together, and afterwards half as many, until its patience ends for all.
    assert.ok(vendor.count.asked <= 9, `${vendor.count.asked} asked`);
  }).timeout(60_000);

  it('a time in hours is told at once, also to those who come after', async () => {
    await using vendor = await throttling(0, 1, { 'retry-after': '3600' });
    const client = vendor.open();
    for (const asked of [1, 1]) {
      await assert.rejects(
        client.call('mailbox.delete', { mailbox: ID }),
        (error: unknown) => isMailError(error) && error.code === 'rate_limited' && error.details.retryAfter! > 3590,
      );
      assert.equal(vendor.count.asked, asked);
    }
  });

  for (const said of ['0', '-5', 'Wed, 21 Oct 2015 07:28:00 GMT', 'soon', '1795907000']) {
    it(`is not asked again at once where it says "${said}"`, async () => {
      await using vendor = await throttling(0, 1, { 'retry-after': said });
      const began = performance.now();
      await assert.rejects(async () => {
        for await (const _ of vendor.open({ patience: 0 }).call('mailbox.list', {}));
      });
      assert.equal(vendor.count.asked, 3);
      assert.ok(performance.now() - began >= 550);
    });
  }
});
