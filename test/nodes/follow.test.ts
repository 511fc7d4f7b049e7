import assert from 'node:assert/strict';
import fc from 'fast-check';
import { follow, type Ended, type FollowOptions, type Source, type TriggerState } from '../../nodes/lib/follow.js';
import { MailError, type Batch } from '../../shared/index.js';

/** A feed of numbered messages: the cursor is the number of the last one handed over. */
function mailbox(window = 3) {
  const box = {
    messages: [] as string[],
    logins: [] as number[],
    down: undefined as unknown,
    poison: new Set<string>(),
    changed: () => {},
    broken: (_: unknown) => {},
    arrive(...ids: string[]) {
      box.messages.push(...ids);
      box.changed();
    },
    source: (): Source => {
      box.logins.push(performance.now());
      return {
        async since(cursor): Promise<Batch> {
          if (box.down) throw box.down;
          if (cursor === undefined)
            return {
              items: box.messages.slice(-2).map(id => ({ id, item: { id } })),
              cursor: String(box.messages.length),
              more: false,
            };
          const at = Number(cursor);
          const next = box.messages.slice(at, at + window);
          return {
            items: next.map(id => ({ id, item: { id }, ...(box.poison.has(id) ? { problem: 'unreadable' } : {}) })),
            cursor: String(at + next.length),
            more: at + next.length < box.messages.length,
          };
        },
        from: async () => undefined,
        watch: changed => {
          box.changed = changed;
          changed(true);
          return new Promise((_, reject) => {
            box.broken = error => reject(error as Error);
          });
        },
      };
    },
  };
  return box;
}

/** A host that runs executions, drops names it knows, and can be killed and started again. */
function host(box: ReturnType<typeof mailbox>, more: Partial<FollowOptions> = {}) {
  const known = new Set<string>();
  const executed: string[][] = [];
  const told: string[] = [];
  const waiting: { items: number; check: () => boolean; resolve: () => void }[] = [];
  const look = () => {
    for (const one of [...waiting])
      if (one.check()) {
        waiting.splice(waiting.indexOf(one), 1);
        one.resolve();
      }
  };
  const it = {
    known,
    executed,
    told,
    until: (check: () => boolean) =>
      new Promise<void>(resolve => {
        if (check()) resolve();
        else waiting.push({ items: 0, check, resolve });
      }),
    run: undefined as unknown as (items: string[]) => Promise<Ended>,
    start: (state: TriggerState) =>
      follow({
        state,
        keyPrefix: 'w/n',
        intervalMs: 60_000,
        concurrent: 1,
        haste: 0.001,
        open: async () => {
          const source = box.source();
          look();
          return source;
        },
        async execute(items, key) {
          if (known.has(key)) return 'known';
          known.add(key);
          const ids = items.map(item => item.id);
          executed.push(ids);
          const how = it.run ? await it.run(ids) : 'success';
          look();
          return how;
        },
        poisoned: item => {
          told.push(`poisoned ${item.id}`);
          look();
        },
        outage: event => {
          told.push(event.kind);
          look();
        },
        log: () => {},
        ...more,
      }),
  };
  return it;
}

/** Lets the loop run until something holds; fails instead of waiting for ever. */
async function turn(check: () => boolean) {
  for (let turns = 0; !check(); turns++) {
    if (turns > 100_000) throw new Error('it never came');
    await new Promise(resolve => setImmediate(resolve));
  }
}

describe('follow', () => {
  it('executes what arrives, in order, once, and remembers where it was', async () => {
    const box = mailbox();
    const it_ = host(box);
    const state: TriggerState = { cursor: '0' };
    const trigger = it_.start(state);
    box.arrive('a', 'b', 'c', 'd');
    await it_.until(() => it_.executed.length === 4);
    box.arrive('e');
    await it_.until(() => it_.executed.length === 5);
    await trigger.close();
    assert.deepEqual(it_.executed.flat(), ['a', 'b', 'c', 'd', 'e']);
  });

  it('begins where the mailbox stands when nothing was stored', async () => {
    const box = mailbox();
    const it_ = host(box);
    box.arrive('old');
    const trigger = it_.start({});
    await it_.until(() => box.logins.length === 1);
    await new Promise(resolve => setImmediate(resolve));
    box.arrive('new');
    await it_.until(() => it_.executed.length === 1);
    await trigger.close();
    assert.deepEqual(it_.executed, [['new']]);
  });

  it('does not move past a message whose execution has not ended', async () => {
    const box = mailbox();
    const it_ = host(box);
    const state: TriggerState = { cursor: '0' };
    it_.run = () => new Promise(() => {});
    const trigger = it_.start(state);
    box.arrive('a');
    await it_.until(() => true);
    await turn(() => it_.executed.length > 0);
    await trigger.close();
    assert.equal(state.cursor, '0');
  });

  it('offers again after a crash, under the same names, singly and in batches: every message exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(undefined, 2, 5),
        fc.integer({ min: 1, max: 3 }),
        async (count, kills, batchSize, concurrent) => {
          const box = mailbox();
          const it_ = host(box, { concurrent, ...(batchSize ? { batchSize } : {}) });
          const ids = Array.from({ length: count }, (_, i) => `m${i}`);
          box.messages.push(...ids);
          // What the host stores is what stood in the state when an execution began, as n8n does: later changes die
          // with the process.
          let stored = '{"cursor":"0"}';
          for (const after of kills) {
            const state = JSON.parse(stored) as TriggerState;
            let begun = 0;
            let hang = () => {};
            const killed = new Promise<void>(resolve => {
              hang = resolve;
            });
            it_.run = async () => {
              stored = JSON.stringify(state);
              if (++begun >= after) {
                hang();
                return new Promise(() => {});
              }
              return 'success';
            };
            const trigger = it_.start(state);
            let dead = false;
            void killed.then(() => {
              dead = true;
            });
            await turn(() => dead || state.cursor === String(count));
            await trigger.close();
            // A hanging execution counts: the host had begun it.
          }
          const state = JSON.parse(stored) as TriggerState;
          it_.run = async () => 'success';
          const trigger = it_.start(state);
          await turn(() => state.cursor === String(count));
          await trigger.close();
          assert.deepEqual([...it_.executed.flat()].sort(), [...ids].sort());
        },
      ),
      { numRuns: 60 },
    );
  }).timeout(20_000);

  it('makes an unreadable message visible and lets the rest flow on', async () => {
    const box = mailbox();
    const it_ = host(box);
    box.poison.add('b');
    const trigger = it_.start({ cursor: '0' });
    box.arrive('a', 'b', 'c');
    await it_.until(() => it_.executed.length === 2);
    await trigger.close();
    assert.deepEqual(it_.executed.flat(), ['a', 'c']);
    assert.deepEqual(it_.told, ['poisoned b']);
  });

  it('reconnects for ever with growing waits, says a long outage once and its end once, and loses nothing', async () => {
    const box = mailbox();
    let clock = 0;
    const it_ = host(box, { now: () => clock });
    box.down = new MailError('unavailable', 'away');
    const trigger = it_.start({ cursor: '0' });
    await it_.until(() => box.logins.length === 5);
    assert.deepEqual(it_.told, []);
    clock = 6 * 60_000;
    await it_.until(() => it_.told.includes('long'));
    await it_.until(() => box.logins.length >= 10);
    box.messages.push('a');
    box.down = undefined;
    await it_.until(() => it_.executed.length === 1);
    await trigger.close();
    assert.deepEqual(it_.told, ['long', 'over']);
  });

  it('does not storm a server that accepts and drops: a good login alone does not reset the waits', async () => {
    const box = mailbox();
    const waits: string[] = [];
    const it_ = host(box, {
      log: message => {
        waits.push(/in ([\d.]+) s/.exec(message)![1]!);
      },
    });
    const trigger = it_.start({ cursor: '0' });
    for (let i = 1; i <= 8; i++) {
      await it_.until(() => box.logins.length === i);
      await new Promise(resolve => setImmediate(resolve));
      box.broken(new Error('dropped'));
    }
    await it_.until(() => box.logins.length === 9);
    await trigger.close();
    const seconds = waits.map(Number);
    assert.equal(seconds[0], 0);
    assert.ok(seconds[7]! > 7, `waits grow: ${waits.join(', ')}`);
    assert.ok(
      seconds.slice(0, 8).reduce((a, b) => a + b) > 20,
      `eight reconnects take more than twenty seconds: ${waits.join(', ')}`,
    );
  });

  it('says refused credentials once, after two refusals, and goes on when they are mended', async () => {
    const box = mailbox();
    const it_ = host(box, { haste: 0.00001 });
    box.down = new MailError('unauthorized', 'wrong password');
    const trigger = it_.start({ cursor: '0' });
    await it_.until(() => box.logins.length >= 4);
    assert.deepEqual(it_.told, ['credentials']);
    box.messages.push('a');
    box.down = undefined;
    await it_.until(() => it_.executed.length === 1);
    await trigger.close();
    assert.deepEqual(it_.told, ['credentials', 'over']);
  });

  it('waits no longer than an hour, whatever the vendor asks for', async () => {
    const box = mailbox();
    const waits: number[] = [];
    const it_ = host(box, {
      log: message => {
        waits.push(Number(/in ([\d.]+) s/.exec(message)![1]));
      },
      haste: 0.000001,
    });
    box.down = new MailError('rate_limited', 'busy', { retryAfter: 1e9 });
    const trigger = it_.start({ cursor: '0' });
    await turn(() => waits.length > 1);
    await trigger.close();
    assert.equal(waits[0], 3600);
  });

  it('keeps the message when its execution could not be started', async () => {
    const box = mailbox();
    const it_ = host(box);
    let refusals = 2;
    it_.run = async () => {
      if (refusals-- > 0) {
        it_.known.clear();
        throw new Error('database away');
      }
      return 'success';
    };
    const state: TriggerState = { cursor: '0' };
    const trigger = it_.start(state);
    box.arrive('a');
    await it_.until(() => it_.executed.length === 3);
    await turn(() => state.cursor === '1');
    await trigger.close();
  });

  it('acknowledges after success only, and never repeats an execution because of it', async () => {
    const box = mailbox();
    const marked: string[] = [];
    const it_ = host(box, {
      acknowledge: async (_, item) => {
        marked.push(item.id);
        throw new Error('no');
      },
    });
    it_.run = async ids => (ids[0] === 'bad' ? 'error' : 'success');
    const state: TriggerState = { cursor: '0' };
    const trigger = it_.start(state);
    box.arrive('good', 'bad');
    await turn(() => state.cursor === '2');
    await trigger.close();
    assert.deepEqual(marked, ['good']);
    assert.deepEqual(it_.executed, [['good'], ['bad']]);
  });

  it('acknowledges later what could not be while the vendor was away', async () => {
    const box = mailbox();
    const marked: string[] = [];
    let away = true;
    const it_ = host(box, {
      acknowledge: async (_, item) => {
        if (away) throw new MailError('unavailable', 'away');
        marked.push(item.id);
      },
    });
    const trigger = it_.start({ cursor: '0' });
    box.arrive('a', 'b');
    await it_.until(() => it_.executed.length === 2);
    away = false;
    box.arrive('c');
    await turn(() => marked.length === 3);
    await trigger.close();
    assert.deepEqual([...marked].sort(), ['a', 'b', 'c']);
    assert.equal(it_.executed.length, 3);
  });

  it('keeps the newest 500 of what is to be acknowledged, and tells of each that is given up', async () => {
    const box = mailbox();
    const warned: string[] = [];
    const state: TriggerState = { cursor: '0' };
    const it_ = host(box, {
      acknowledge: async () => {
        throw new MailError('unavailable', 'away');
      },
      warn: message => {
        warned.push(message);
      },
    });
    const owed = Array.from({ length: 500 }, (_, i) => ({ id: `old${i}`, item: {} }));
    const trigger = it_.start(Object.assign(state, { owed }));
    box.arrive('a');
    await it_.until(() => it_.executed.length === 1);
    await turn(() => warned.length === 1);
    await trigger.close();
    assert.match(warned[0]!, /More than 500 messages wait .* for the message old0, whose execution succeeded/);
    assert.deepEqual([state.owed!.length, state.owed![0]!.id, state.owed!.at(-1)!.id], [500, 'old1', 'a']);
  });

  it('acknowledges at its next start what it was closed in the middle of', async () => {
    const box = mailbox();
    const marked: string[] = [];
    let begun = false;
    let broken: (error: Error) => void = () => {};
    const it_ = host(box, {
      acknowledge: async (_, item) => {
        if (!begun) {
          begun = true;
          await new Promise((_resolve, reject) => {
            broken = reject;
          });
        }
        marked.push(item.id);
      },
    });
    const state: TriggerState = { cursor: '0' };
    const trigger = it_.start(state);
    box.arrive('a');
    await turn(() => begun);
    const closing = trigger.close();
    broken(new Error('The connection was closed.'));
    await closing;
    const stored = JSON.parse(JSON.stringify(state)) as TriggerState;
    assert.deepEqual(stored.owed, [{ id: 'a', item: { id: 'a' } }]);
    const again = it_.start(stored);
    await turn(() => marked.length === 1);
    await turn(() => stored.owed === undefined);
    await again.close();
    assert.deepEqual([marked, it_.executed], [['a'], [['a']]]);
  });

  it('acknowledges at its next start what succeeded while it was closed, singly and in batches', async () => {
    for (const batchSize of [undefined, 2]) {
      const box = mailbox();
      const marked: string[] = [];
      const it_ = host(box, {
        ...(batchSize ? { batchSize } : {}),
        acknowledge: async (_, item) => {
          marked.push(item.id);
        },
      });
      let end: (how: Ended) => void = () => {};
      it_.run = () =>
        new Promise(resolve => {
          end = resolve;
        });
      const state: TriggerState = { cursor: '0' };
      const trigger = it_.start(state);
      box.arrive('a');
      await turn(() => it_.executed.length === 1);
      const closing = trigger.close();
      end('success');
      await closing;
      assert.deepEqual(marked, [], 'its connection is closed');
      const stored = JSON.parse(JSON.stringify(state)) as TriggerState;
      const again = it_.start(stored);
      await turn(() => marked.length === 1);
      await again.close();
      assert.deepEqual([marked, it_.executed], [['a'], [['a']]]);
    }
  });

  it('sets aside a message whose files the vendor refuses, after some tries, in singles and in batches', async () => {
    for (const batchSize of [undefined, 3]) {
      const box = mailbox();
      let tries = 0;
      const it_ = host(box, {
        ...(batchSize ? { batchSize } : {}),
        prepare: async item => {
          if (item.id === 'b') {
            tries++;
            throw new MailError('rejected', 'no such file');
          }
          return item.id;
        },
      });
      const trigger = it_.start({ cursor: '0' });
      box.arrive('a', 'b', 'c');
      await turn(() => it_.told.length > 0 && it_.executed.flat().length === 2);
      await trigger.close();
      assert.deepEqual(it_.executed.flat().sort(), ['a', 'c']);
      assert.deepEqual([it_.told, tries], [['poisoned b'], 3]);
    }
  });

  it('has patience with files while the connection breaks, which says nothing about the message', async () => {
    const box = mailbox();
    let breaks = 5;
    const it_ = host(box, {
      prepare: async () => {
        if (breaks-- > 0) throw new MailError('unavailable', 'cut');
      },
    });
    const trigger = it_.start({ cursor: '0' });
    box.arrive('a');
    await it_.until(() => it_.executed.length === 1);
    await trigger.close();
    assert.deepEqual(it_.told, []);
  });

  it('drops a batch that was under way when the process died, although one of its messages is gone since', async () => {
    const box = mailbox(10);
    const it_ = host(box, { batchSize: 3 });
    let stored = '';
    const state: TriggerState = { cursor: '0' };
    it_.run = async () => {
      stored = JSON.stringify(state);
      return new Promise(() => {});
    };
    const first = it_.start(state);
    box.arrive('a', 'b', 'c');
    await turn(() => it_.executed.length === 1);
    await first.close();
    box.messages.splice(1, 1);
    box.messages.push('d');
    it_.run = async () => 'success';
    const second = it_.start(JSON.parse(stored) as TriggerState);
    await turn(() => it_.executed.length === 2);
    await second.close();
    assert.deepEqual(it_.executed, [['a', 'b', 'c'], ['d']]);
  });

  it('asks once and not twice when the vendor refuses: it listens only after it was let in', async () => {
    const box = mailbox();
    const it_ = host(box);
    let listened = 0;
    const source = box.source;
    box.source = () => {
      const made = source();
      return {
        ...made,
        watch: changed => {
          listened++;
          return made.watch(changed);
        },
      };
    };
    box.down = new MailError('unauthorized', 'no');
    const trigger = it_.start({ cursor: '0' });
    await it_.until(() => box.logins.length === 2);
    assert.equal(listened, 0);
    box.down = undefined;
    await turn(() => listened === 1);
    await trigger.close();
  });

  it('says at once that what it should follow does not exist, and says once what lies beside', async () => {
    const box = mailbox();
    const warned: string[] = [];
    const it_ = host(box, { notes: sentences => warned.push(...sentences) });
    box.down = new MailError('not_found', 'no such folder');
    const source = box.source;
    box.source = () => {
      const made = source();
      return { ...made, since: async cursor => ({ ...(await made.since(cursor)), notes: ['One folder is missing.'] }) };
    };
    const trigger = it_.start({ cursor: '0' });
    await it_.until(() => box.logins.length === 4);
    assert.deepEqual(it_.told, ['long']);
    box.down = undefined;
    box.messages.push('a');
    await it_.until(() => it_.executed.length === 1);
    box.arrive('b');
    await it_.until(() => it_.executed.length === 2);
    await trigger.close();
    assert.deepEqual(warned, ['One folder is missing.']);
  });

  it('tells what the feed notes together where it comes thick and fast, and counts what would be too much', async () => {
    const box = mailbox();
    const told: (readonly string[])[] = [];
    let time = 1e12;
    const it_ = host(box, { notes: sentences => told.push(sentences), now: () => time });
    const source = box.source;
    let looks = 0;
    box.source = () => {
      const made = source();
      return { ...made, since: async cursor => ({ ...(await made.since(cursor)), notes: [`Vanished: ${looks++}.`] }) };
    };
    const trigger = it_.start({ cursor: '0' });
    for (let i = 1; i <= 9; i++) {
      if (i === 9) time += 11 * 60_000;
      box.arrive(`m${i}`);
      await it_.until(() => it_.executed.length === i);
    }
    await it_.until(() => told.length === 2);
    await trigger.close();
    assert.deepEqual(told[0], ['Vanished: 0.']);
    assert.equal(told[1]!.length, 6);
    assert.match(told[1]!.at(-1)!, /^There are \d+ more like these\.$/);
    assert.equal(trigger.seen.notes!.length, 5);
  });

  it('tells how it stands: connected, looked, pushed, what went wrong last; the last of these survives a restart', async () => {
    const box = mailbox();
    const it_ = host(box);
    const state: TriggerState = { cursor: '0' };
    const trigger = it_.start(state);
    assert.deepEqual({ ...trigger.seen }, { executed: 0, attempts: 1 });
    await turn(() => trigger.seen.pushed === true);
    const { connectedSince, lastSeen } = trigger.seen;
    assert.ok(connectedSince! <= lastSeen!);
    box.broken(new Error('dropped'));
    await turn(() => trigger.seen.lastError === 'dropped');
    assert.ok(trigger.seen.lastErrorAt! >= connectedSince!);
    await turn(() => trigger.seen.connectedSince !== undefined);
    box.arrive('a');
    await turn(() => state.cursor === '1');
    assert.equal(trigger.seen.executed, 1);
    assert.deepEqual(
      { ...state.seen, lastSeen: '' },
      { lastSeen: '', lastError: 'dropped', lastErrorAt: trigger.seen.lastErrorAt },
    );
    await trigger.close();
    const again = it_.start(state);
    assert.equal(again.seen.lastError, 'dropped');
    await again.close();
  });

  it('closes within five seconds although nothing answers', async () => {
    const box = mailbox();
    const it_ = host(box, { open: () => new Promise(() => {}) });
    const trigger = it_.start({ cursor: '0' });
    const began = performance.now();
    await trigger.close();
    assert.ok(performance.now() - began < 1000);
  });
});
