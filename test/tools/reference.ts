import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { NODES, ownerOf, type NodeName } from '../../nodes/lib/owner.js';
import { title } from '../../nodes/lib/words.js';
import { providers, splitName, type Operation, type Provider } from '../../shared/index.js';
import { reference, table } from '../../shared/reference.js';
import { ORDERS } from './orders.js';
import { drawing } from './rooms.js';

const ROOT = join(__dirname, '../..');
/** Where the table of what each node does at each provider stands. */
export const NODES_PAGE = 'docs/nodes/README.md';
const NODE_TITLES = { mailbox: 'Mailbox', alias: 'Alias', spamList: 'Spam List', send: 'Send' } as const;

/** Every generated page: its path from the root, and what must stand in it. */
export function pages(): Map<string, string> {
  const all = new Map(providers.map(provider => [`shared/providers/${provider.id}/REFERENCE.md`, reference(provider)]));
  all.set('shared/providers/ORDERS.md', orders());
  all.set(
    'CONTRIBUTING.md',
    readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8').replace(
      /(?<=^<!-- Drawn from test\/tools\/rooms\.ts -->\n)```\n[^]*?\n```/m,
      drawing,
    ),
  );
  all.set(NODES_PAGE, withTable(readFileSync(join(ROOT, NODES_PAGE), 'utf8')));
  for (const node of NODES) {
    const path = `nodes/${NODE_TITLES[node].replace(' ', '')}/${NODE_TITLES[node].replace(' ', '')}.node.json`;
    all.set(path, withNames(readFileSync(join(ROOT, path), 'utf8'), node));
  }
  return all;
}

/** The name of a provider in few words, as people search for it: Rackspace, Scaleway. */
export const shortName = ({ name }: Provider): string => name.split(' ')[0]!;

/** The page of all nodes, with its table of what each does at each provider. */
function withTable(page: string): string {
  const head = '| | Mailbox | Alias | Spam List | Send | Sync Trigger |';
  const from = page.indexOf(head);
  return from < 0 ? page : page.slice(0, from) + whatNodesDo(head) + page.slice(page.indexOf('\n\n', from));
}
function whatNodesDo(head: string): string {
  const verbs = (names: string[]) =>
    names.map(name => title(splitName(name)[1]).toLowerCase().replace('ews', 'EWS')).join(', ');
  const rows = providers.map(({ id, name, operations, feeds }) => {
    const cells = NODES.map(node => {
      const own = Object.keys(operations).filter(operation => ownerOf(operation) === node);
      const resources = [...new Set(own.map(one => splitName(one)[0]))];
      const of = (resource: string) => own.filter(one => splitName(one)[0] === resource);
      if (!own.length) return '–';
      if (node === 'send') return own.map(one => title(splitName(one)[1]).toLowerCase()).join(', ');
      const [first, ...rest] = [...resources].sort((a, b) => Number(b === node) - Number(a === node));
      return `${title(first!)}: ${verbs(of(first!))}${rest.length ? `. Also: ${rest.map(title).join(', ')}` : ''}`;
    });
    return `| [${name}](../../shared/providers/${id}/REFERENCE.md) | ${[
      ...cells,
      Object.keys(feeds)
        .map(feed => title(feed).toLowerCase())
        .join(', ') || '–',
    ].join(' | ')} |`;
  });
  return [head, '| --- | --- | --- | --- | --- | --- |', ...rows].join('\n');
}

/** What n8n finds a node by, with the name of every provider it offers; what is there keeps its place. */
function withNames(codex: string, node: NodeName): string {
  const file = JSON.parse(codex) as { alias: string[] };
  const offering = providers
    .filter(({ operations }) => Object.keys(operations).some(name => ownerOf(name) === node))
    .map(shortName);
  const missing = offering.filter(name => !file.alias.includes(name));
  if (!missing.length) return codex;
  const last = file.alias.findLastIndex(name => offering.includes(name));
  file.alias.splice(last + 1, 0, ...missing);
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** The pages that are missing or differ from what the tables say. */
export const stale = (): string[] =>
  [...pages()]
    .filter(([path, text]) => !existsSync(join(ROOT, path)) || readFileSync(join(ROOT, path), 'utf8') !== text)
    .map(([path]) => path);

/** The operations that fulfil one entry of the order. */
export const fulfilling = (provider: Provider | undefined, order: string): [string, Operation][] =>
  Object.entries((provider?.operations ?? {}) as Readonly<Record<string, Operation>>).filter(([, operation]) =>
    operation.orders?.includes(order),
  );

/** What was ordered, what does it, where it is shown, and which tests hold it. */
function orders(): string {
  const files = testFiles();
  const rows = Object.entries(ORDERS).flatMap(([id, names]) => {
    const provider = providers.find(one => one.id === id);
    return names.map(order => {
      const found = fulfilling(provider, order);
      return [
        provider?.name ?? id,
        order,
        found.map(([name]) => `\`${name}\``).join(', ') || '**missing**',
        [...new Set(found.map(([name]) => ownerOf(name)))]
          .map(node => (node ? NODE_TITLES[node] : 'credential test'))
          .join(', '),
        found.length
          ? [...new Set(['contract suite', ...found.flatMap(([name]) => namedIn(files, id, name))])].join(', ')
          : '',
      ];
    });
  });
  return [
    '# What was ordered, and what does it',
    '',
    '<!-- Generated from the operation tables and test/tools/orders.ts. A test compares it with them. -->',
    '',
    'Every operation of the documents the product was ordered from. "Contract suite" is `test/contract/suite.ts`: it runs each operation, garbles its answer, loses it,',
    'refuses bad input and unknown targets, and sends writes once; the other files name the operation as well.',
    '',
    ...table(['Vendor', 'Ordered operation', 'Our operation', 'Node', 'Tested by'], rows),
    '',
  ].join('\n');
}

function testFiles(): { path: string; text: string }[] {
  return readdirSync(join(ROOT, 'test'), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.test.ts') && !entry.parentPath.includes('node_modules'))
    .map(entry => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort()
    .map(path => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}
/** The vendor's own tests that name an operation. */
const namedIn = (files: { path: string; text: string }[], id: string, name: string) =>
  files
    .filter(({ path, text }) => path.startsWith(`test/providers/${id}`) && text.includes(`'${name}'`))
    .map(({ path }) => `\`${path}\``);

if (require.main === module) {
  const old = stale();
  if (process.argv.includes('--write')) for (const [path, text] of pages()) writeFileSync(join(ROOT, path), text);
  for (const path of old) console.log(`${process.argv.includes('--write') ? 'wrote' : 'stale:'} ${path}`);
  if (old.length && !process.argv.includes('--write')) process.exitCode = 1;
}
