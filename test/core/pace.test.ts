import assert from 'node:assert/strict';
import { createPacer, pacerFor } from '../../shared/pace.js';

const tick = () => new Promise(resolve => setImmediate(resolve));
/** A task that ends when told. */
function held() {
  let end!: () => void;
  const task = new Promise<void>(resolve => { end = resolve; });
  return { task: () => task, end };
}

describe('pace', () => {
  it('runs at most so many tasks at once, in the order they came', async () => {
    const pacer = createPacer({ concurrent: 2, perMinute: 1000 });
    const started: number[] = [], tasks = [held(), held(), held(), held()];
    const all = tasks.map((one, i) => pacer(() => { started.push(i); return one.task(); }));
    await tick();
    assert.deepEqual(started, [0, 1]);
    tasks[1]!.end();
    await tick();
    assert.deepEqual(started, [0, 1, 2]);
    tasks[0]!.end(); tasks[2]!.end(); tasks[3]!.end();
    await Promise.all(all);
    assert.deepEqual(started, [0, 1, 2, 3]);
  });
  it('starts at most so many in any minute, and waits for the rest of it', async () => {
    let now = 0;
    const pacer = createPacer({ concurrent: 10, perMinute: 3 }, () => now);
    for (let i = 0; i < 3; i++) await pacer(async () => {});
    now = 59_950;
    let ran = false;
    const late = pacer(async () => { ran = true; });
    await tick();
    assert.equal(ran, false);
    now = 60_000;
    await late;
    assert.equal(ran, true);
  });
  it('a task that fails frees its place', async () => {
    const pacer = createPacer({ concurrent: 1, perMinute: 1000 });
    await assert.rejects(pacer(async () => { throw new Error('no'); }), /no/);
    assert.equal(await pacer(async () => 7), 7);
  });
  it('whoever aborts leaves at once, even from the middle of the line, and takes no place', async () => {
    const pacer = createPacer({ concurrent: 1, perMinute: 1000 });
    const first = held(), stop = new AbortController();
    const running = pacer(first.task);
    const second = pacer(async () => 2), third = pacer(async () => assert.fail('it was aborted'), stop.signal), fourth = pacer(async () => 4);
    await tick();
    stop.abort(new Error('gone'));
    await assert.rejects(third, /gone/);
    first.end();
    await running;
    assert.deepEqual(await Promise.all([second, fourth]), [2, 4]);
    await assert.rejects(pacer(async () => 5, stop.signal), /gone/);
    assert.equal(await pacer(async () => 6), 6);
  });
  it('an abort in the very moment of a turn gives the place back', async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const pacer = createPacer({ concurrent: 1, perMinute: 1000 }), stop = new AbortController(), first = held();
      const running = pacer(first.task), next = pacer(async () => 'ran', stop.signal).catch(() => 'left');
      await tick();
      first.end();
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      stop.abort();
      await Promise.all([running, next]);
      assert.equal(await pacer(async () => 'free'), 'free', `after ${ticks} ticks the place was lost`);
    }
  });
  it('waiting leaves no listeners behind', async () => {
    const pacer = createPacer({ concurrent: 1, perMinute: 100_000 }), stop = new AbortController();
    const listeners = new Set<unknown>();
    const { addEventListener: add, removeEventListener: remove } = stop.signal;
    stop.signal.addEventListener = (...args: Parameters<typeof add>) => { listeners.add(args[1]); add.apply(stop.signal, args); };
    stop.signal.removeEventListener = (...args: Parameters<typeof remove>) => { listeners.delete(args[1]); remove.apply(stop.signal, args); };
    await Promise.all(Array.from({ length: 20 }, () => pacer(tick, stop.signal)));
    await tick();
    assert.equal(listeners.size, 0);
  });
  it('one account has one pacer, until its pace changes', () => {
    const one = pacerFor('test-account', { concurrent: 1, perMinute: 10 });
    assert.equal(pacerFor('test-account', { concurrent: 1, perMinute: 10 }), one);
    assert.notEqual(pacerFor('test-account', { concurrent: 2, perMinute: 10 }), one);
    assert.notEqual(pacerFor('another-account', { concurrent: 1, perMinute: 10 }), one);
  });
});
