import assert from 'node:assert/strict';
import { providers } from '../../shared/index.js';
import { cases } from './cases.js';
import { contract, speaksHttp } from './suite.js';

describe('contract', () => {
  it('every provider that speaks HTTP has a case, and every case a provider', () => {
    assert.deepEqual(
      cases.map(c => c.id).sort(),
      providers
        .filter(speaksHttp)
        .map(p => p.id)
        .sort(),
    );
  });
  const begin = cases.map(its =>
    contract(
      providers.find(provider => provider.id === its.id)!,
      its,
    ),
  );
  before(() => begin.forEach(one => one()));
});
