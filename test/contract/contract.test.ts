import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { providers } from '../../shared/index.js';
import type { ProviderCase } from './case.js';
import { contract, speaksHttp } from './suite.js';

const folder = join(__dirname, '..', 'providers');
const load = createRequire(__filename);
const cases = readdirSync(folder).filter(file => file.endsWith('.case.ts')).map(file =>
  Object.values(load(join(folder, file)) as Record<string, unknown>).find((value): value is ProviderCase => typeof (value as ProviderCase)?.start === 'function' && 'examples' in (value as object))!);

describe('contract', () => {
  it('every provider that speaks HTTP has a case, and every case a provider', () => {
    assert.deepEqual(cases.map(c => c.id).sort(), providers.filter(speaksHttp).map(p => p.id).sort());
  });
  for (const provider of providers) {
    const its = cases.find(c => c.id === provider.id);
    if (its) contract(provider, its);
  }
});
