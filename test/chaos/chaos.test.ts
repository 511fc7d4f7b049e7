import assert from 'node:assert/strict';
import { BAD, campaign } from './campaign.js';

describe('a short fault campaign', () => {
  it('loses nothing, repeats nothing, leaves nothing open and shows no secret', async () => {
    const { findings, ...counts } = await campaign({ seed: 20261129, ms: 6000 });
    console.log(
      `      ${Object.entries(counts)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ')}`,
    );
    assert.deepEqual(findings, []);
    for (const name of BAD) assert.equal(counts[name], 0, name);
    assert.ok(counts.injected > 0);
  }).timeout(60_000);
});
