import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { pause, restAfter, retryAfter, unlessAborted } from '../../shared/wait.js';

describe('work that is given up', () => {
  it('ends with the reason of the signal, whatever the work does then, and leaves no listener behind', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const given = unlessAborted(new Promise(() => {}), stop.signal);
    stop.abort(reason);
    await assert.rejects(given, error => error === reason);
    await assert.rejects(unlessAborted(Promise.resolve(1), stop.signal), error => error === reason);
    const open = new AbortController();
    assert.equal(await unlessAborted(Promise.resolve(2), open.signal), 2);
    await assert.rejects(unlessAborted(Promise.reject(reason), open.signal), error => error === reason);
    assert.equal(getEventListeners(open.signal, 'abort').length, 0);
    assert.equal(await unlessAborted(Promise.resolve(3), undefined), 3);
  });
});

describe('a pause', () => {
  it('leaves no listener behind, neither where it ends nor where it is given up', async () => {
    const stop = new AbortController();
    await pause(1, stop.signal);
    assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
    const reason = new Error('enough');
    const waiting = pause(60_000, stop.signal);
    assert.equal(getEventListeners(stop.signal, 'abort').length, 1);
    stop.abort(reason);
    await assert.rejects(waiting, error => error === reason);
    assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
    await pause(1);
  });
});

describe('how long a vendor wants to be left alone', () => {
  const now = Date.parse('2026-11-21T09:00:00Z');
  const told = (said: string) => retryAfter({ 'retry-after': said }, now);
  it('is read in seconds, of several the longest', () => {
    for (const [said, seconds] of [
      [' 7 ', 7],
      ['1.25', 1.25],
      ['12.5 , 3', 12.5],
      ['3,12.25', 12.25],
      ['3, 4 ,5', 5],
      ['-5, 2', 2],
      ['-1.5', 0],
      ['999999999', 999_999_999],
      [String(now / 1000 + 3), 3],
      [`2, ${now / 1000 + 3}`, 3],
      [String(now + 4500), 4.5],
    ] as const)
      assert.equal(told(said), seconds, said);
  });
  it('is read as a time, in the zone that it names and else in UTC, wherever this machine stands', () => {
    const { TZ } = process.env;
    process.env.TZ = 'Asia/Tokyo';
    try {
      for (const [said, seconds] of [
        ['2026-11-21T09:00:20z', 20],
        ['2026-11-21T10:00:20+01:00', 20],
        ['2026-11-21T10:00:20+0100', 20],
        ['2026-11-21T08:00:20-01:00', 20],
        ['2026-11-21T09:00:20', 20],
        ['2026-11-21T09:00:20.500', 20.5],
        ['Sat, 21 Nov 2026 09:00:20 GMT', 20],
        ['2026-11-21T08:59:00Z', 0],
      ] as const)
        assert.equal(told(said), seconds, said);
    } finally {
      if (TZ === undefined) delete process.env.TZ;
      else process.env.TZ = TZ;
    }
  });
  it('is not made up from what is neither', () => {
    for (const said of ['7 seconds', 'x7', 'soon', ' ', '']) assert.equal(told(said), undefined, said);
  });
  it('is read from each header in use, those in milliseconds as such, and 0 is a word', () => {
    const rest = (headers: Record<string, string>) => restAfter(headers, now);
    for (const name of [
      'retry-after',
      'x-retry-after',
      'x-ratelimit-reset-after',
      'ratelimit-reset',
      'x-ratelimit-reset',
      'x-rate-limit-reset',
    ])
      assert.equal(rest({ [name]: '9' }), 9, name);
    for (const name of ['retry-after-ms', 'x-retry-after-ms', 'x-ms-retry-after-ms'])
      assert.equal(rest({ [name]: '9000' }), 9, name);
    assert.equal(rest({ 'retry-after': '0', 'x-ratelimit-reset': '60' }), 0);
    for (const [said, seconds] of [
      ['remaining=0, reset = 12', 12],
      ['r = 0; T = 12', 12],
      ['"a";r=0;t=4,"b";r=0;t=40', 40],
      ['"a";remaining = 3;t=4', undefined],
      ['"a";R=3;t=4', undefined],
      ['"a";r=10;t=4', undefined],
      ['"a";r=0', undefined],
      ['"a";r=0;limit=5', undefined],
    ] as const)
      assert.equal(rest({ ratelimit: said }), seconds, said);
  });
});
