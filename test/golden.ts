import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import type { ICredentialType, INodeType } from 'n8n-workflow';

/** What users see of the package, as files to read and review. `npm run golden` writes them; a test compares them. */
const root = join(import.meta.dirname, '..');
const require = createRequire(join(root, 'package.json'));
const manifest = require('./package.json') as { n8n: { nodes: string[]; credentials: string[] } };

/** File name -> text, from the built package. */
export function golden(): Record<string, string> {
  const made: Record<string, string> = {};
  const load = <T>(path: string) => new ((require(`./${path}`) as Record<string, new () => T>)[basename(path).split('.')[0]!]!)();
  for (const path of manifest.n8n.nodes) { const { description } = load<INodeType>(path); made[`node.${description.name}.json`] = text(description); }
  for (const path of manifest.n8n.credentials) { const type = load<ICredentialType>(path); made[`credential.${type.name}.json`] = text(type); }
  return made;
}
const text = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;
export const goldenFile = (name: string) => join(import.meta.dirname, 'golden', name);
export const kept = (name: string): string | undefined => { try { return readFileSync(goldenFile(name), 'utf8'); } catch { return undefined; } };

if (process.argv.includes('--write')) {
  mkdirSync(join(import.meta.dirname, 'golden'), { recursive: true });
  for (const [name, content] of Object.entries(golden())) writeFileSync(goldenFile(name), content);
}
