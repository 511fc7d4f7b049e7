import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ProviderCase } from './case.js';

const folder = join(__dirname, '..', 'providers');
const load = createRequire(__filename);

/** Every provider's case, found by its file; so a new one takes part without being listed anywhere. */
export const cases: readonly ProviderCase[] = readdirSync(folder)
  .filter(file => file.endsWith('.case.ts'))
  .map(file =>
    Object.values(load(join(folder, file)) as Record<string, unknown>).find(
      (value): value is ProviderCase =>
        typeof (value as ProviderCase)?.start === 'function' && 'examples' in (value as object),
    )!,
  );
