import assert from 'node:assert/strict';
import fc from 'fast-check';
import { byOffset, isMailError, map, pages, take } from '../../shared/index.js';

/** A list of `total` numbers in pages of `size`, and what was asked for. */
function counted(total: number, size: number) {
  const asked: number[] = [];
  const signals: AbortSignal[] = [];
  const stream = () =>
    pages(0, async (at, signal) => {
      asked.push(at);
      signals.push(signal);
      await Promise.resolve();
      const items = Array.from({ length: Math.max(0, Math.min(size, total - at)) }, (_, i) => at + i);
      return { items, ...(at + size < total ? { next: at + size } : {}) };
    });
  return { asked, signals, stream };
}

describe('pages', () => {
  it('gives every item once, in order, and asks for every page once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(60), fc.integer({ min: 1, max: 12 }), async (total, size) => {
        const { asked, stream } = counted(total, size);
        assert.deepEqual(
          await take(stream()),
          Array.from({ length: total }, (_, i) => i),
        );
        assert.deepEqual(
          asked,
          Array.from({ length: Math.max(1, Math.ceil(total / size)) }, (_, i) => i * size),
        );
      }),
    );
  });
  it('asks at most one page ahead of the reader, and none before half of a page is read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 12 }), async (wanted, size) => {
        const { asked, stream } = counted(100, size);
        await take(stream(), wanted);
        if (wanted === 0) return assert.equal(asked.length, 0);
        const read = Math.ceil(wanted / size);
        assert.ok(asked.length <= read + 1, `${wanted} of pages of ${size} took ${asked.length} requests`);
        if ((wanted - 1) % size < Math.floor(size / 2)) assert.equal(asked.length, read);
      }),
    );
  });
  it('fetches nothing before it is read', () => {
    const { asked, stream } = counted(10, 2);
    stream();
    assert.equal(asked.length, 0);
  });
  it('aborts the page under way when the reader stops', async () => {
    const { signals, stream } = counted(100, 4);
    await take(stream(), 3);
    assert.equal(signals.length, 2);
    assert.ok(signals.every(signal => signal.aborted));
  });
  it('does not leave a failed page ahead unhandled, and fails when it is reached', async () => {
    const failing = () =>
      pages(0, async at => {
        if (at) throw new Error('page 2');
        return { items: [1, 2, 3, 4], next: 1 };
      });
    assert.deepEqual(await take(failing(), 4), [1, 2, 3, 4]);
    await assert.rejects(take(failing()), /page 2/);
  });
  it('ends with words where page after page is empty', async () => {
    let asked = 0;
    const endless = pages(0, async at => {
      asked++;
      return { items: [] as string[], next: at + 1 };
    });
    await assert.rejects(take(endless), (error: unknown) => isMailError(error) && error.code === 'protocol');
    assert.equal(asked, 100);
  });
  it('goes on over empty pages', async () => {
    const stream = pages(0, async at => ({ items: at === 2 ? ['x'] : [], ...(at < 3 ? { next: at + 1 } : {}) }));
    assert.deepEqual(await take(stream), ['x']);
  });
});

describe('byOffset', () => {
  it('loses nothing that stays and repeats nothing, however rows come and go while the list is read', async () => {
    const step = fc.record({
      drop: fc.array(fc.nat(40), { maxLength: 3 }),
      add: fc.array(fc.nat(40), { maxLength: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(40),
        fc.integer({ min: 4, max: 9 }),
        fc.array(step, { maxLength: 12 }),
        async (total, size, steps) => {
          const living = Array.from({ length: total }, (_, i) => `r${i}`);
          const gone = new Set<string>();
          const added = new Set<string>();
          const left = [...steps];
          const read = await take(
            byOffset<string>({
              size,
              id: row => row,
              fetch: async offset => {
                const rows = living.slice(offset, offset + size);
                const more = offset + rows.length < living.length;
                const next = left.shift();
                for (const at of next?.drop ?? []) for (const row of living.splice(at, 1)) gone.add(row);
                for (const at of next?.add ?? []) {
                  const row = `new${added.size}`;
                  added.add(row);
                  living.splice(at, 0, row);
                }
                return { rows, more };
              },
            }),
          );
          assert.equal(new Set(read).size, read.length);
          const stayed = Array.from({ length: total }, (_, i) => `r${i}`).filter(row => !gone.has(row));
          assert.deepEqual(
            read.filter(row => stayed.includes(row)),
            stayed,
          );
        },
      ),
      { numRuns: 500 },
    );
  });
  it('loses and repeats nothing either where pages are asked for ahead and come from different moments', async () => {
    const step = fc.record({
      drop: fc.array(fc.nat(80), { maxLength: 2 }),
      add: fc.array(fc.nat(80), { maxLength: 2 }),
      first: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(90),
        fc.integer({ min: 3, max: 6 }),
        fc.array(step, { maxLength: 25 }),
        async (total, size, steps) => {
          const living = Array.from({ length: total }, (_, i) => `r${i}`);
          const gone = new Set<string>();
          const left = [...steps];
          let added = 0;
          // Those that wait are answered in any order, each from the list as it is then.
          const waiting: (() => void)[] = [];
          const answer = () => {
            const next = left.shift();
            for (const at of next?.drop ?? []) for (const row of living.splice(at, 1)) gone.add(row);
            for (const at of next?.add ?? []) living.splice(at, 0, `new${added++}`);
            (next?.first ? waiting.shift() : waiting.pop())?.();
          };
          const read = await take(
            byOffset<string>({
              size,
              largest: 2 * size,
              ahead: 3,
              id: row => row,
              fetch: async (offset, _signal, limit) => {
                await new Promise<void>(resolve => {
                  waiting.push(resolve);
                  setImmediate(answer);
                });
                const rows = living.slice(offset, offset + limit);
                return { rows, more: offset + rows.length < living.length, total: living.length };
              },
            }),
          );
          assert.equal(new Set(read).size, read.length);
          const stayed = Array.from({ length: total }, (_, i) => `r${i}`).filter(row => !gone.has(row));
          assert.deepEqual(
            stayed.filter(row => !read.includes(row)),
            [],
          );
        },
      ),
      { numRuns: 300 },
    );
  });
  it('asks for the largest pages, some ahead, once the reader has read on, and for no more than the next one before', async () => {
    const asked = async (wanted: number) => {
      const all: [offset: number, limit: number][] = [];
      await take(
        byOffset<number>({
          size: 100,
          largest: 250,
          ahead: 3,
          id: String,
          fetch: async (offset, _signal, limit) => {
            all.push([offset, limit]);
            const rows = Array.from({ length: Math.max(0, Math.min(limit, 10_000 - offset)) }, (_, i) => offset + i);
            return { rows, more: offset + rows.length < 10_000, total: 10_000 };
          },
        }),
        wanted,
      );
      return all;
    };
    assert.deepEqual(await asked(50), [[0, 100]]);
    assert.deepEqual(await asked(100), [
      [0, 100],
      [99, 100],
    ]);
    const whole = await asked(Infinity);
    assert.equal(whole.length, 2 + Math.ceil((10_000 - 198) / 249));
    assert.equal(new Set(whole.map(([offset]) => offset)).size, whole.length);
  });
  it('ends with words when the offset is not heeded, and when the list never comes to rest', async () => {
    const failing = async (fetch: (offset: number) => { rows: string[]; more: boolean }) => {
      try {
        await take(byOffset<string>({ size: 3, id: row => row, fetch: async offset => fetch(offset) }));
      } catch (error) {
        return isMailError(error) ? error.code : error;
      }
      return 'nothing';
    };
    assert.equal(await failing(() => ({ rows: ['a', 'b', 'c'], more: true })), 'protocol');
    assert.equal(await failing(() => ({ rows: [], more: true })), 'protocol', 'empty pages that claim more');
    assert.equal(
      await failing(offset => ({ rows: offset ? (offset % 2 ? ['a', 'b'] : ['b', 'a']) : ['a', 'b'], more: true })),
      'protocol',
      'known rows in another order',
    );
    let fresh = 0;
    assert.equal(
      await failing(() => ({ rows: [`${fresh++}`, `${fresh++}`, `${fresh++}`], more: true })),
      'unavailable',
    );
  });
});

describe('take and map', () => {
  it('take tells the source to stop, also when none are wanted', async () => {
    let stopped = 0;
    const source = async function* () {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        stopped++;
      }
    };
    assert.deepEqual(await take(source(), 3), [0, 1, 2]);
    assert.equal(stopped, 1);
    assert.deepEqual(await take(source(), 0), []);
  });
  it('map changes each item and passes the stop on', async () => {
    let stopped = false;
    const source = async function* () {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        stopped = true;
      }
    };
    assert.deepEqual(
      await take(
        map(source(), async i => i * 2),
        3,
      ),
      [0, 2, 4],
    );
    assert.ok(stopped);
  });
});
