import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import type { ICredentialType, INodeType } from 'n8n-workflow';

/** What users see of the package, as files to read and review. `npm run golden` writes them; a test compares them. */
const load = createRequire(join(__dirname, '../..', 'package.json'));
const manifest = load('./package.json') as { n8n: { nodes: string[]; credentials: string[] } };
const create = <T>(path: string) =>
  new (load(`./${path}`) as Record<string, new () => T>)[basename(path).split('.')[0]!]!();
const text = (value: unknown) => `${JSON.stringify(value, null, 1)}\n`;

/** The nodes and credentials of the built package, as n8n would make them. */
export const builtNodes = () => manifest.n8n.nodes.map(path => create<INodeType>(path));
export const builtCredentials = () => manifest.n8n.credentials.map(path => create<ICredentialType>(path));

/** File name -> text, from the built package. */
export const golden = (): Record<string, string> =>
  Object.fromEntries([
    ...builtNodes().map(({ description }) => [`node.${description.name}.json`, text(description)]),
    ...builtCredentials().map(type => [`credential.${type.name}.json`, text(type)]),
  ]);
const goldenFile = (name: string) => join(__dirname, '../golden', name);
/** The text that was reviewed; undefined where there is none yet. */
export const kept = (name: string): string | undefined => {
  try {
    return readFileSync(goldenFile(name), 'utf8');
  } catch {
    return undefined;
  }
};

if (process.argv.includes('--write')) {
  mkdirSync(join(__dirname, '../golden'), { recursive: true });
  for (const [name, content] of Object.entries(golden())) writeFileSync(goldenFile(name), content);
}
