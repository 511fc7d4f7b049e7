import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Client, Provider } from '../../shared/index.js';
import { createModel, type AccountInfo, type BranchNode } from '../../extension/model.js';

const root = join(__dirname, '../..');
/** What the extension may cost, and what it costs: sizes of what is shipped, and the tree with 50,000 mailboxes. */
export async function measureExtension(): Promise<{ what: string; value: number; unit: string; limit: number }[]> {
  const kb = (path: string) => statSync(join(root, path)).size / 1024;
  const found = [
    { what: 'host bundle', value: kb('dist/extension/extension.js'), unit: 'KB', limit: 300 },
    ...readdirSync(join(root, 'dist/extension/pages')).filter(file => file.endsWith('.js')).map(file => ({ what: `page ${file}`, value: kb(`dist/extension/pages/${file}`), unit: 'KB', limit: file.startsWith('form') ? 160 : 40 })),
  ];
  const vsix = readdirSync(root).find(file => file.endsWith('.vsix'));
  if (vsix) found.push({ what: vsix, value: kb(vsix), unit: 'KB', limit: 1500 });
  const text = { type: 'text', label: 'Mailbox', required: true, ref: 'mailbox' };
  const operations = { 'mailbox.list': { input: {} }, 'mailbox.get': { input: { mailbox: text } }, 'mailbox.update': { input: { mailbox: text } }, 'alias.list': { input: { mailbox: text } } };
  const account = { id: 'a', name: 'A', provider: { id: 'made', name: 'Made', auth: { fields: {} }, operations } as unknown as Provider, values: {} } satisfies AccountInfo;
  const client = { async *call() { for (let i = 0; i < 50_000; i++) yield { id: `m${i}`, email: `box${i}@example.com`, status: 'active', native: {} }; } } as unknown as Client;
  const model = createModel({ accounts: () => [account], open: async () => client, changed() {} });
  const timed = async (what: string, limit: number, run: () => unknown) => { const from = performance.now(); await run(); found.push({ what, value: performance.now() - from, unit: 'ms', limit }); };
  const branch = ((await model.children((await model.children())[0])) as BranchNode[])[0]!;
  await timed('first children', 100, () => model.children(branch));
  const before = process.memoryUsage().heapUsed;
  await timed('50,000 mailboxes read', 5000, async () => { while (branch.rest) { branch.pages = 500; await model.more(branch, 'quiet'); } });
  await timed('50,000 mailboxes sorted and shown', 1000, () => model.children(branch));
  found.push({ what: 'memory of 50,000 mailboxes', value: (process.memoryUsage().heapUsed - before) / 1048576, unit: 'MB', limit: 120 });
  return found;
}

if (process.argv[1]?.endsWith('extension.ts')) {
  void measureExtension().then(all => {
    for (const { what, value, unit, limit } of all) console.log(`${value <= limit ? '✔' : '✘'} ${what.padEnd(36)} ${value.toFixed(0).padStart(7)} ${unit} (limit ${limit})`);
    if (all.some(({ value, limit }) => value > limit)) process.exitCode = 1;
  });
}
