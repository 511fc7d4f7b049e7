import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ownerOf } from '../nodes/lib/owner.js';
import { providers, type Operation, type Provider } from '../shared/index.js';
import { reference, table } from '../shared/reference.js';
import { ORDERS } from './orders.js';

const ROOT = join(__dirname, '..');
const NODE_TITLES = { mailbox: 'Mailbox', alias: 'Alias', spamList: 'Spam List', send: 'Send' } as const;

/** Every generated page: its path from the root, and what must stand in it. */
export function pages(): Map<string, string> {
  const all = new Map(providers.map(provider => [`shared/providers/${provider.id}/REFERENCE.md`, reference(provider)]));
  all.set('shared/providers/ORDERS.md', orders());
  return all;
}

/** The pages that are missing or differ from what the tables say. */
export const stale = (): string[] => [...pages()].filter(([path, text]) => !existsSync(join(ROOT, path)) || readFileSync(join(ROOT, path), 'utf8') !== text).map(([path]) => path);

/** The operations that fulfil one entry of the order. */
export const fulfilling = (provider: Provider | undefined, order: string): [string, Operation][] =>
  Object.entries((provider?.operations ?? {}) as Readonly<Record<string, Operation>>).filter(([, operation]) => operation.orders?.includes(order));

/** What was ordered, what does it, where it is shown, and which tests hold it. */
function orders(): string {
  const files = testFiles();
  const rows = Object.entries(ORDERS).flatMap(([id, names]) => {
    const provider = providers.find(one => one.id === id);
    return names.map(order => {
      const found = fulfilling(provider, order);
      return [
        provider?.name ?? id, order, found.map(([name]) => `\`${name}\``).join(', ') || '**missing**',
        [...new Set(found.map(([name]) => ownerOf(name)))].map(node => node ? NODE_TITLES[node] : 'credential test').join(', '),
        found.length ? [...new Set(['contract suite', ...found.flatMap(([name]) => namedIn(files, id, name))])].join(', ') : '',
      ];
    });
  });
  return [
    '# What was ordered, and what does it', '',
    '<!-- Generated from the operation tables and test/orders.ts. A test compares it with them. -->', '',
    'Every operation of the documents the product was ordered from. "Contract suite" is `test/contract/suite.ts`: it runs each operation, garbles its answer, loses it,',
    'refuses bad input and unknown targets, and sends writes once; the other files name the operation as well.', '',
    ...table(['Vendor', 'Ordered operation', 'Our operation', 'Node', 'Tested by'], rows), '',
  ].join('\n');
}

function testFiles(): { path: string; text: string }[] {
  return readdirSync(join(ROOT, 'test'), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.test.ts') && !entry.parentPath.includes('node_modules'))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/')).sort()
    .map(path => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}
/** The vendor's own tests that name an operation. */
const namedIn = (files: { path: string; text: string }[], id: string, name: string) =>
  files.filter(({ path, text }) => path.startsWith(`test/providers/${id}`) && text.includes(`'${name}'`)).map(({ path }) => `\`${path}\``);

if (require.main === module) {
  const old = stale();
  if (process.argv.includes('--write')) for (const [path, text] of pages()) writeFileSync(join(ROOT, path), text);
  for (const path of old) console.log(`${process.argv.includes('--write') ? 'wrote' : 'stale:'} ${path}`);
  if (old.length && !process.argv.includes('--write')) process.exitCode = 1;
}
