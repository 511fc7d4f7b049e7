import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { INodeExecutionData } from 'n8n-workflow';
import { openEngine, type Engine, type NodeRun, type RunResult, type SavedCredential, type WorkflowFile } from './engine/engine.js';
import type { Vendor } from './sandbox/vendor.js';

const here = dirname(fileURLToPath(import.meta.url));

/** What a step should give. `requests` counts what reached the pretend vendors; `holds` says what is wrong with the items, or nothing. */
export interface Expected { items: number; requests: number; holds?(items: Row[]): string | false | undefined }
type Row = Record<string, unknown>;
const all = (items: Row[], test: (item: Row) => boolean, what: string) => !items.every(test) && what;
const same = (found: unknown[], wanted: unknown[]) => JSON.stringify([...found].sort()) !== JSON.stringify([...wanted].sort()) && `found ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`;

/** The steps of each story, in order: every node of the package and what it should give. */
export const stories: Record<string, Record<string, Expected>> = {
  '1-mailboxes.json': {
    'List at Rackspace': { items: 120, requests: 2, holds: items => all(items, item => String(item.email).endsWith('@example.com'), 'a mailbox of another domain') },
    'List at Scaleway': { items: 130, requests: 2, holds: items => all(items, item => String(item.email).endsWith('@mail.example.com'), 'a mailbox of another domain') },
    'Create What Is Missing': { items: 2, requests: 2, holds: items => same(items.map(item => `${String(item.email)} ${String(item.status)}`), ['alex.smith@mail.example.com pending', 'john.smith@mail.example.com pending']) },
    'Give Each an Alias': { items: 2, requests: 2, holds: items => same(items.map(item => item.email), ['mail.alex.smith@mail.example.com', 'mail.john.smith@mail.example.com']) },
    'Block at Rackspace': { items: 3, requests: 3 },
    // The sandbox begins with two blocked senders and one blocked address.
    'Blocked Senders': { items: 4, requests: 1, holds: items => !['offers@spam.example.net', 'bulk.example.org'].every(sender => items.some(item => item.value === sender)) && 'a sender is not on the list' },
    'Blocked Addresses': { items: 2, requests: 1, holds: items => !items.some(item => item.value === '203.0.113.7') && 'the address is not on the list' },
    'Pick One at Scaleway': { items: 1, requests: 1, holds: items => same(items.map(item => item.status), ['active']) },
    'Delete One': { items: 1, requests: 1 },
    'Restore It': { items: 1, requests: 1, holds: items => same(items.map(item => `${String(item.email)} ${String(item.status)}`), ['user001@mail.example.com pending']) },
  },
};

export interface Step { step: number; node: string; operation: string; provider: string; items: number; requests: number; ms: number; ok: boolean }
export interface DemoOptions {
  packageDir: string;
  /** Starts the pretend vendor of a provider. */
  start?(provider: string): Promise<Vendor>;
  /** Workflow files in order; those in `test/demo` unless given. */
  files?: readonly string[];
  expect?: Record<string, Record<string, Expected>>;
  out?(step: Step): void;
  /** What was expected and what came, for each step that failed. */
  trouble?(step: Step, lines: string[]): void;
  story?(name: string): void;
}

const startSandbox = async (provider: string): Promise<Vendor> => {
  const module = await import(pathToFileURL(join(here, 'sandbox', `${provider}.ts`)).href) as Record<string, () => Promise<Vendor>>;
  return module[`start${provider[0]!.toUpperCase()}${provider.slice(1)}`]!();
};

/** Runs the stories in n8n's engine against the pretend vendors; true when every step gave what it should. */
export async function runDemo({ packageDir, start = startSandbox, files = workflowFiles(), expect = stories, out, trouble, story }: DemoOptions): Promise<{ ok: boolean; steps: Step[] }> {
  const vendors = new Map<string, Vendor>();
  const steps: Step[] = [];
  try {
    const workflows = files.map(file => ({ file, workflow: JSON.parse(readFileSync(file, 'utf8')) as WorkflowFile }));
    const credentials: Record<string, SavedCredential> = {};
    for (const node of workflows.flatMap(({ workflow }) => workflow.nodes)) {
      for (const [type, { id, name }] of Object.entries(node.credentials ?? {})) {
        const provider = type.replace(/(?:OAuth2)?Api$/, '');
        if (!vendors.has(provider)) vendors.set(provider, await start(provider));
        credentials[id!] = { type, name, data: vendors.get(provider)!.account };
      }
    }
    const engine = await openEngine({ packageDir, credentials });
    for (const { file, workflow } of workflows) {
      const name = file.split(/[\\/]/).at(-1)!;
      story?.(`${name}  ${workflow.name ?? ''}`.trim());
      await runStory(engine, workflow, expect[name] ?? {}, vendors, (step, lines) => {
        steps.push({ ...step, step: steps.length + 1 });
        out?.(steps.at(-1)!);
        if (lines.length) trouble?.(steps.at(-1)!, lines);
      });
    }
  } finally {
    for (const vendor of vendors.values()) await vendor.close();
  }
  return { ok: steps.length > 0 && steps.every(step => step.ok), steps };
}

async function runStory(engine: Engine, workflow: WorkflowFile, expected: Record<string, Expected>, vendors: Map<string, Vendor>, done: (step: Step, lines: string[]) => void) {
  const requests = () => [...vendors.values()].reduce((sum, vendor) => sum + vendor.seen.length, 0);
  const spent = new Map<string, number>();
  let before = 0;
  const result = await engine.run(workflow, { onNode: {
    before() { before = requests(); },
    after(name) { spent.set(name, (spent.get(name) ?? 0) + requests() - before); },
  } });
  const nodes = new Map(workflow.nodes.map(node => [node.name, node]));
  // Those that ran, in the order they ran; then those that should have.
  const ran = Object.keys(result.nodes).sort((a, b) => startOf(result, a) - startOf(result, b));
  const missing = Object.keys(expected).filter(name => !result.nodes[name]);
  for (const name of [...ran, ...missing]) {
    const runs = result.nodes[name] ?? [], failed = runs.find(run => run.error), own = engine.nodeTypes.includes(nodes.get(name)?.type ?? '');
    if (!own && !failed && !expected[name]) continue;
    const { resource, operation, provider } = (nodes.get(name)?.parameters ?? {}) as { resource?: string; operation?: string; provider?: string };
    const items = runs.flatMap(run => run.outputs[0] ?? []);
    const lines = problems(expected[name], items, spent.get(name) ?? 0, runs, failed);
    done({
      step: 0, node: name, operation: resource && operation ? `${resource}.${operation}` : '-', provider: provider ?? '-', items: items.length, requests: spent.get(name) ?? 0,
      ms: runs.reduce((sum, run) => sum + run.ms, 0), ok: lines.length === 0,
    }, lines);
  }
  if (result.status !== 'success' && !ran.some(name => result.nodes[name]!.some(run => run.error))) {
    done({ step: 0, node: '(workflow)', operation: '-', provider: '-', items: 0, requests: 0, ms: Math.round(result.ms), ok: false }, [`expected  the workflow to succeed`, `came      ${result.error?.message ?? result.status}`]);
  }
}
const startOf = (result: RunResult, name: string) => result.run.data.resultData.runData[name]![0]!.executionIndex;

/** What is wrong with a step, in lines; none when all is well. */
function problems(expected: Expected | undefined, items: INodeExecutionData[], requests: number, runs: NodeRun[], failed: NodeRun | undefined): string[] {
  const wanted = expected ? `expected  ${count(expected.items, 'item')} from ${count(expected.requests, 'request')}` : 'expected  nothing known: add the step to the stories in test/demo.ts';
  if (failed) {
    const { message, description, messages } = failed.error as Error & { description?: string; messages?: string[] };
    return [wanted, `came      an error: ${message}`, ...(description && description !== message ? [`          ${description}`] : []), ...(messages ?? []).filter(one => !message.includes(one)).map(one => `vendor    ${one}`)];
  }
  if (!expected || !runs.length) return [wanted, `came      ${runs.length ? `${count(items.length, 'item')} from ${count(requests, 'request')}` : 'nothing: the node did not run'}`];
  const wrong = expected.holds?.(items.map(item => item.json));
  const lines = items.length !== expected.items || requests !== expected.requests ? [`came      ${count(items.length, 'item')} from ${count(requests, 'request')}`] : [];
  if (wrong) lines.push(`came      ${wrong}`);
  if (lines.length) lines.push(...items.slice(0, 3).map(item => `item      ${JSON.stringify(item.json).slice(0, 300)}`));
  return lines.length ? [wanted, ...lines] : [];
}
const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
/** The stories, in order. */
export const workflowFiles = () => readdirSync(join(here, 'demo')).filter(name => name.endsWith('.json')).sort().map(name => join(here, 'demo', name));

const columns = [['step', 4], ['node', 26], ['operation', 17], ['provider', 9], ['items', 5], ['requests', 8], ['ms', 5], ['result', 6]] as const;
const fit = (text: string, width: number) => text.length > width ? `${text.slice(0, width - 1)}…` : text;
/** One line of the table; numbers to the right. */
export const tableRow = (cells: readonly (string | number)[]) =>
  cells.map((cell, i) => typeof cell === 'number' ? String(cell).padStart(columns[i]![1]) : fit(cell, columns[i]![1]).padEnd(columns[i]![1])).join('  ').trimEnd();

/** Lines of at most 100 columns; what does not fit goes on below, under its own beginning. */
export function wrapped(line: string, indent = '      '): string[] {
  const lines: string[] = [];
  for (let rest = indent + line; ;) {
    if (rest.length <= 100) return [...lines, rest];
    const space = rest.lastIndexOf(' ', 100), cut = space > indent.length + 10 ? space : 100;
    lines.push(rest.slice(0, cut));
    rest = `${indent}          ${rest.slice(cut).trimStart()}`;
  }
}

async function main() {
  const json = process.argv.includes('--json'), colour = process.stdout.isTTY && !process.env.NO_COLOR;
  const paint = (code: number, text: string) => colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  const print = (text: string) => process.stdout.write(`${text}\n`);
  // A reader that has seen enough, as `head` does, is no failure worth a stack.
  process.stdout.on('error', () => process.exit(1));
  const began = performance.now();
  const { ok, steps } = await runDemo({
    packageDir: join(here, '..'),
    story: name => { if (!json) print(`\n${paint(1, name)}\n\n${paint(2, tableRow(columns.map(([title]) => title)))}`); },
    out: step => print(json ? JSON.stringify(step)
      : tableRow([step.step, step.node, step.operation, step.provider, step.items, step.requests, step.ms, '']) + `  ${step.ok ? paint(32, 'ok') : paint(31, 'FAILED')}`),
    trouble: (_step, lines) => { for (const line of lines.flatMap(one => wrapped(one))) (json ? process.stderr : process.stdout).write(`${paint(31, line)}\n`); },
  });
  if (!json) {
    const good = steps.filter(step => step.ok).length, sum = (key: 'items' | 'requests') => steps.reduce((total, step) => total + step[key], 0);
    const verdict = ok ? `All ${steps.length} steps gave what they should` : `${steps.length - good} of ${steps.length} steps failed`;
    print(`\n${paint(ok ? 32 : 31, verdict)}: ${sum('items')} items, ${sum('requests')} requests, ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  }
  process.exitCode = ok ? 0 : 1;
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  main().catch((error: unknown) => { process.stderr.write(`The demo could not run: ${(error as Error).stack ?? String(error)}\n`); process.exitCode = 1; });
}
