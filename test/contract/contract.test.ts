import assert from 'node:assert/strict';
import { providers } from '../../shared/index.js';
import { cases } from './cases.js';
import { contract, speaksHttp } from './suite.js';

describe('contract', () => {
  it('every provider that speaks HTTP has a case, and every case a provider', () => {
    assert.deepEqual(cases.map(c => c.id).sort(), providers.filter(speaksHttp).map(p => p.id).sort());
  });
  for (const provider of providers) {
    const its = cases.find(c => c.id === provider.id);
    if (its) contract(provider, its);
  }
});
