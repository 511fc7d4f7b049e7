import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isMailError } from '../../shared/index.js';
import { snapshot, watermark, watermarkFrom, type Change } from '../../shared/cursor.js';
import type { Batch } from '../../shared/index.js';

const OVERLAP = 1000;
interface Item {
  id: string;
  at: number;
}
const stored = (cursor: string) => JSON.parse(JSON.stringify(cursor)) as string;
async function* stream<T>(items: Iterable<T>) {
  yield* items;
}

/** The vendor's list, newest first; equal times in either order, as `flip` says. */
const newestFirst = (items: Iterable<Item>, flip = false) =>
  [...items].sort((a, b) => b.at - a.at || (a.id < b.id !== flip ? -1 : 1));
const look = (items: Iterable<Item>, cursor?: string, options: { most?: number; flip?: boolean } = {}) =>
  watermark<Item>({
    cursor,
    newest: () => stream(newestFirst(items, options.flip)),
    id: item => item.id,
    at: item => item.at,
    overlapMs: OVERLAP,
    ...(options.most ? { most: options.most } : {}),
  });
/** Everything after a cursor. */
async function follow<T>(from: string, ask: (cursor: string) => Promise<Batch<T>>) {
  const ids: string[] = [];
  const items: T[] = [];
  for (let cursor = stored(from), rounds = 0; ; rounds++) {
    assert.ok(rounds < 200, 'it never ends');
    const batch = await ask(cursor);
    ids.push(...batch.items.map(item => item.id));
    items.push(...batch.items.map(item => item.item));
    cursor = stored(batch.cursor);
    if (!batch.more) return { ids, items, cursor };
  }
}

/**
 * A history: in each step some items arrive, each later than the newest one anybody has seen less the overlap, in any
 * order and often at the same time; some go again; and perhaps somebody looks.
 */
const history = fc.array(
  fc.record({
    arrive: fc.array(
      fc.record({
        back: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: OVERLAP - 1 })),
        on: fc.oneof(fc.constant(0), fc.constant(1), fc.nat(5000)),
      }),
      { maxLength: 6 },
    ),
    go: fc.array(fc.nat(50), { maxLength: 2 }),
    look: fc.boolean(),
    flip: fc.boolean(),
    most: fc.constantFrom(1, 2, 3, 200),
  }),
  { minLength: 1, maxLength: 12 },
);

describe('watermark', () => {
  it('loses and repeats nothing, whatever the order of arrival, with equal times and deletions in between', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.boolean(), async (steps, startEmpty) => {
        const list = new Map<string, Item>();
        let newest = 1_700_000_000_000;
        let number = 0;
        if (!startEmpty) for (let i = 0; i < 8; i++) list.set(`old${i}`, { id: `old${i}`, at: newest - i * 400 });
        const first = await look(list.values());
        assert.ok(!first.more);
        let cursor = stored(first.cursor);
        const owed = new Set<string>();
        const told: string[] = [];
        const cursors: { cursor: string; told: number }[] = [{ cursor, told: 0 }];
        for (const step of steps) {
          for (const { back, on } of step.arrive) {
            const at = newest - back + on;
            const id = `n${number++}`;
            list.set(id, { id, at });
            owed.add(id);
          }
          for (const index of step.go) {
            const gone = [...list.keys()][index];
            if (gone) {
              list.delete(gone);
              if (!told.includes(gone)) owed.delete(gone);
            }
          }
          if (!step.look) continue;
          const news = await follow(cursor, at => look(list.values(), at, step));
          told.push(...news.ids);
          cursor = news.cursor;
          cursors.push({ cursor, told: told.length });
          newest = Math.max(newest, ...[...list.values()].map(item => item.at));
        }
        told.push(...(await follow(cursor, at => look(list.values(), at))).ids);
        assert.equal(new Set(told).size, told.length, 'something came twice');
        assert.deepEqual(new Set(told), owed);
        // Resumed from any cursor of the past: what was told after it and still exists, each once.
        for (const { cursor: old, told: before } of cursors) {
          const again = await follow(old, at => look(list.values(), at, { most: 2 }));
          assert.deepEqual(
            [...again.ids].sort(),
            told
              .slice(before)
              .filter(id => list.has(id))
              .sort(),
          );
        }
      }),
      { numRuns: 300 },
    );
  });
  it('hands over oldest first, at most so many at once', async () => {
    const first = await look([{ id: 'a', at: 1 }]);
    const items = [5, 3, 4, 2].map(at => ({ id: `i${at}`, at: at * 10_000 }));
    const batch = await look([{ id: 'a', at: 1 }, ...items], first.cursor, { most: 3 });
    assert.deepEqual([batch.items.map(item => item.id), batch.more], [['i2', 'i3', 'i4'], true]);
  });
  it('shows the latest few on the first look and tells none of them again', async () => {
    const items = Array.from({ length: 50 }, (_, i) => ({ id: `i${i}`, at: i * 10 }));
    const first = await look(items);
    assert.deepEqual(
      first.items.map(item => item.id),
      ['i45', 'i46', 'i47', 'i48', 'i49'],
    );
    assert.deepEqual((await follow(first.cursor, at => look(items, at))).ids, []);
  });
  it('reads no further back than the overlap', async () => {
    const items = Array.from({ length: 1000 }, (_, i) => ({ id: `i${i}`, at: i * 100 }));
    let read = 0;
    const counted = async function* () {
      for (const item of newestFirst(items)) {
        read++;
        yield item;
      }
    };
    const ask = (cursor?: string) =>
      watermark<Item>({ cursor, newest: counted, id: item => item.id, at: item => item.at, overlapMs: OVERLAP });
    const first = await ask();
    assert.ok(read <= 12, `${read} read at first`);
    read = 0;
    await ask(first.cursor);
    assert.ok(read <= 12, `${read} read again`);
  });
  it('an item that moves to another page while the list is read is told once', async () => {
    const first = await look([{ id: 'a', at: 0 }]);
    const shifting = watermark<Item>({
      cursor: first.cursor,
      newest: () =>
        stream([
          { id: 'c', at: 30 },
          { id: 'b', at: 20 },
          { id: 'b', at: 20 },
          { id: 'a', at: 0 },
        ]),
      id: item => item.id,
      at: item => item.at,
      overlapMs: OVERLAP,
    });
    assert.deepEqual(
      (await shifting).items.map(item => item.id),
      ['b', 'c'],
    );
  });
  it('a date in the far future is told once and hides nothing', async () => {
    const list: Item[] = [{ id: 'a', at: Date.now() - 10_000_000 }];
    const poison = { id: 'poison', at: Date.parse('2099-01-01T00:00:00Z') };
    let { cursor } = await look(list);
    list.push(poison);
    const told: string[] = [];
    for (let i = 0; i < 4; i++) {
      list.push({ id: `n${i}`, at: Date.now() - 5_000_000 + i * 100_000 });
      const news = await follow(cursor, at => look(list, at));
      told.push(...news.ids);
      cursor = news.cursor;
    }
    assert.deepEqual(told, ['n0', 'poison', 'n1', 'n2', 'n3']);
    const began = await look([poison, ...list]);
    list.push({ id: 'later', at: Date.now() - 1000 });
    assert.deepEqual((await follow(began.cursor, at => look(list, at))).ids, ['later']);
  });
  it('a list that is all in the future, because the clock here is late, loses and repeats nothing', async () => {
    const ahead = Date.now() + 3_600_000;
    const list: Item[] = Array.from({ length: 8 }, (_, i) => ({ id: `a${i}`, at: ahead + i * 2 * OVERLAP }));
    let { cursor } = await look(list);
    const told: string[] = [];
    for (let i = 0; i < 5; i++) {
      list.push({ id: `n${i}`, at: ahead + 30 * OVERLAP + i * 2 * OVERLAP });
      const news = await follow(cursor, at => look(list, at, { most: 1 }));
      told.push(...news.ids);
      cursor = news.cursor;
    }
    assert.deepEqual(told, ['n0', 'n1', 'n2', 'n3', 'n4']);
  });
  it('begins at a time, exactly', async () => {
    const at = Date.parse('2026-11-21T09:00:00Z');
    const items = [-1, 0, 1].map(offset => ({ id: `i${offset}`, at: at + offset }));
    assert.deepEqual(
      (await follow(watermarkFrom('2026-11-21T09:00:00Z', OVERLAP), cursor => look(items, cursor))).ids,
      ['i0', 'i1'],
    );
  });
  it('its cursor forgets what can no longer come', async () => {
    let { cursor } = await look([]);
    const list: Item[] = [];
    for (let i = 0; i < 100; i++) {
      list.push({ id: `i${i}`, at: i * OVERLAP });
      ({ cursor } = await look(list, cursor));
    }
    assert.ok(cursor.length < 150, cursor);
  });
});

interface Thing {
  id: string;
  version: string;
}
const compare = (things: Iterable<Thing>, cursor?: string, most = 200) =>
  snapshot<Thing>({
    cursor,
    all: () => stream([...things]),
    id: thing => thing.id,
    version: thing => thing.version,
    most,
  });

describe('snapshot', () => {
  it('what it tells turns what was there into what is there, from any cursor and however it is cut', async () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'toString', '7', '12');
    const steps = fc.array(
      fc.record({
        put: fc.array(fc.tuple(id, fc.nat(3).map(String)), { maxLength: 6 }),
        remove: fc.array(id, { maxLength: 3 }),
        most: fc.constantFrom(1, 2, 200),
        look: fc.boolean(),
      }),
      { maxLength: 10 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async all => {
        const things = new Map<string, Thing>([
          ['a', { id: 'a', version: '0' }],
          ['b', { id: 'b', version: '0' }],
        ]);
        const shape = () => new Map([...things].map(([key, { version }]) => [key, version]));
        const first = await compare(things.values());
        const looks = [{ cursor: stored(first.cursor), state: shape() }];
        const told = new Set<string>();
        for (const step of all) {
          for (const [key, version] of step.put) things.set(key, { id: key, version });
          for (const key of step.remove) things.delete(key);
          if (!step.look) continue;
          const news = await follow<Change<Thing>>(looks.at(-1)!.cursor, at => compare(things.values(), at, step.most));
          for (const one of news.ids) {
            assert.ok(!told.has(one), `${one} came twice`);
            told.add(one);
          }
          looks.push({ cursor: news.cursor, state: shape() });
        }
        for (const { cursor, state } of looks) {
          const { items } = await follow<Change<Thing>>(cursor, at => compare(things.values(), at, 2));
          for (const { change, id: key, item } of items) {
            assert.equal(change === 'created', !state.has(key));
            if (change === 'deleted') state.delete(key);
            else state.set(key, item!.version);
          }
          assert.deepEqual([...state].sort(), [...shape()].sort());
          assert.equal(new Set(items.map(item => item.id)).size, items.length, 'one object was told twice');
        }
      }),
      { numRuns: 300 },
    );
  });
  it('hands over at most so many at once, deletions too', async () => {
    const things = Array.from({ length: 9 }, (_, i) => ({ id: `t${i}`, version: '0' }));
    const { cursor } = await compare(things);
    const batch = await compare([{ id: 't0', version: '1' }], cursor, 4);
    assert.deepEqual([batch.items.length, batch.more], [4, true]);
    const changed = await compare(
      things.map(({ id }) => ({ id, version: '1' })),
      cursor,
      4,
    );
    assert.deepEqual(
      [changed.items.map(({ item }) => `${item.change} ${item.id}`), changed.more],
      [['changed t0', 'changed t1', 'changed t2', 'changed t3'], true],
    );
  });
  it('shows the last few on the first look, and that is all there is', async () => {
    const things = Array.from({ length: 9 }, (_, i) => ({ id: `t${i}`, version: '0' }));
    const { items, more } = await compare(things);
    assert.deepEqual(
      items,
      things.slice(-5).map(item => ({ id: `0/${item.id}`, item: { change: 'created', id: item.id, item } })),
    );
    assert.equal(more, false);
  });
  it('the same change happening again is news again', async () => {
    const { cursor } = await compare([{ id: 'a', version: '0' }]);
    const on = await compare([{ id: 'a', version: '1' }], cursor);
    const off = await compare([{ id: 'a', version: '0' }], on.cursor);
    const again = await compare([{ id: 'a', version: '1' }], off.cursor);
    assert.equal(new Set([on, off, again].map(batch => batch.items[0]!.id)).size, 3);
  });
});

describe('cursors', () => {
  it('are refused when they are not one, or one of the other kind', async () => {
    const { cursor: mark } = await look([{ id: 'a', at: 1 }]);
    const { cursor: shot } = await compare([{ id: 'a', version: '0' }]);
    for (const bad of [
      '',
      'x',
      'null',
      '[]',
      '{}',
      '{"v":1}',
      '{"v":2,"at":1,"seen":{}}',
      '{"v":1,"at":"1","seen":{}}',
      '{"v":1,"at":1,"seen":null}',
      shot,
    ]) {
      await assert.rejects(
        look([], bad),
        error => isMailError(error) && error.code === 'invalid_input' && /start again/.test(error.message),
        bad,
      );
    }
    for (const bad of ['{"v":1,"seen":{}}', mark])
      await assert.rejects(compare([], bad), error => isMailError(error) && error.code === 'invalid_input', bad);
  });
});
