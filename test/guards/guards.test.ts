import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GUARDS, layoutOf } from './guards.js';

const root = join(import.meta.dirname, '../..');

describe('the guards that `npm run guards` takes out', () => {
  it('stand in their files once each, so that code which moves takes its entry along', () => {
    const wrong = GUARDS.flatMap(({ name, file, guard }) => {
      const times = existsSync(join(root, file))
        ? [...readFileSync(join(root, file), 'utf8').matchAll(layoutOf(guard))].length
        : 0;
      return times === 1 ? [] : [`${name}: ${times} times in ${file}`];
    });
    assert.deepEqual(wrong, []);
  });

  it('have tests that are there', () => {
    for (const { name, tests } of GUARDS)
      for (const test of tests) assert.ok(existsSync(join(root, test)), `${name}: ${test}`);
  });
});
