import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const examples = join(__dirname, '../examples');

describe('the examples', function () {
  this.timeout(120_000);
  for (const name of readdirSync(examples)) {
    // They import the package by its name, as a project of their own does; below this folder that leads to what was
    // built.
    it(`${name} passes`, () => {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['--test', ...readdirSync(join(examples, name)).filter(file => file.endsWith('.test.mjs'))],
        {
          cwd: join(examples, name),
          encoding: 'utf8',
          env: { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: undefined },
        },
      );
      assert.equal(status, 0, stdout + stderr);
    });
  }
});
