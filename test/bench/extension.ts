import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Client, Provider } from '../../shared/index.js';
import { createModel, type BranchNode } from '../../extension/tree/model.js';
import type { AccountInfo } from '../../extension/accounts/store.js';

const root = join(__dirname, '../..');
/** One figure and the most it may be. */
export interface Figure {
  what: string;
  value: number;
  unit: string;
  limit: number;
}

/** What is shipped, in kilobytes. */
export function measureSizes(vsix: string): Figure[] {
  const kb = (path: string) => statSync(path).size / 1024;
  const dist = join(root, 'dist/extension');
  return [
    { what: 'host bundle without lazy parts', value: kb(join(dist, 'extension.js')), unit: 'KB', limit: 300 },
    // The overview carries the ordered widget toolkit, the reader the cleaner of mail.
    ...readdirSync(join(dist, 'pages'))
      .filter(file => file.endsWith('.js'))
      .map(file => ({
        what: `page ${file}`,
        value: kb(join(dist, 'pages', file)),
        unit: 'KB',
        limit: /^(overview|reader)/.test(file) ? 72 : 24,
      })),
    { what: '.vsix', value: kb(vsix), unit: 'KB', limit: 1500 },
  ];
}

/** The tree with 50,000 mailboxes at one account: time, memory, and for how long nothing else could be done. */
export async function measureTree(): Promise<Figure[]> {
  const found: Figure[] = [];
  const text = { type: 'text', label: 'Mailbox', required: true, ref: 'mailbox' };
  const operations = {
    'mailbox.list': { input: {} },
    'mailbox.get': { input: { mailbox: text } },
    'mailbox.update': { input: { mailbox: text } },
    'alias.list': { input: { mailbox: text } },
  };
  const account = {
    id: 'a',
    name: 'A',
    provider: { id: 'made', name: 'Made', auth: { fields: {} }, operations } as unknown as Provider,
    values: {},
  } satisfies AccountInfo;
  // A page at a time with a turn of the loop between, as a vendor would answer.
  const client = {
    async *call() {
      for (let i = 0; i < 50_000; i++) {
        if (i % 100 === 0) await new Promise(resolve => setImmediate(resolve));
        yield { id: `m${i}`, email: `box${i}@example.com`, status: 'active', native: {} };
      }
    },
  } as unknown as Client;
  const model = createModel({ accounts: () => [account], open: async () => client, changed() {} });
  const timed = async (what: string, limit: number, run: () => unknown) => {
    const from = performance.now();
    await run();
    found.push({ what, value: performance.now() - from, unit: 'ms', limit });
  };
  const heap = () => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed / 1048576;
  };
  const branch = ((await model.children((await model.children())[0])) as BranchNode[])[0]!;
  await timed('first 100 rows in the model', 100, () => model.children(branch));
  const before = heap();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const all = async () => {
    while (branch.rest) {
      branch.pages = (branch.rows?.length ?? 0) / 100 + 10;
      await model.more(branch, 'quiet');
    }
  };
  delay.enable();
  await timed('50,000 mailboxes read', 5000, all);
  delay.disable();
  found.push({
    what: 'longest time without an answer while they are read',
    value: delay.max / 1e6,
    unit: 'ms',
    limit: 100,
  });
  await timed('50,000 mailboxes sorted and shown', 1000, () => model.children(branch));
  const once = heap();
  found.push({ what: 'memory of 50,000 mailboxes', value: once - before, unit: 'MB', limit: 120 });
  await model.refresh(branch);
  await all();
  found.push({ what: 'more memory after they were read again', value: heap() - once, unit: 'MB', limit: 20 });
  return found;
}
