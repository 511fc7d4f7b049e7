import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { unlessAborted } from '../../shared/wait.js';

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
