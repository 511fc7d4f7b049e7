import assert from 'node:assert/strict';
import { isMailError, take, type MailError } from '../shared/index.js';

/**
 * The error of a call that has to fail, or of a list that has to break off; fails the test where there is none, or
 * another kind of error.
 */
export async function failing(work: unknown): Promise<MailError> {
  try {
    await (typeof work === 'object' && work !== null && Symbol.asyncIterator in work
      ? take(work as AsyncIterable<unknown>)
      : work);
  } catch (error) {
    assert.ok(isMailError(error), String(error));
    return error;
  }
  return assert.fail('it was expected to fail');
}
