import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDemo, startMailServers, stories, tableRow, workflowFiles, wrapped, type Expected } from '../tools/demo.js';
import { startVendor, type Vendor } from '../sandbox/vendor.js';
import type { WorkflowFile } from './engine.js';

const node = (name: string, type: string, more: object = {}) => ({
  id: name,
  name,
  type,
  typeVersion: 1,
  position: [0, 0],
  parameters: {},
  ...more,
});
const to = (name: string) => ({ main: [[{ node: name, type: 'main', index: 0 }]] });

describe('the demo runner', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mailroom-demo-'));
  const file = join(folder, 'story.json');
  after(() => rmSync(folder, { recursive: true, force: true }));
  const echo = (name: string) =>
    node(name, 'n8n-nodes-fixture.echo', {
      parameters: { account: 'keyApi', task: 'request', provider: 'key', resource: 'thing', operation: 'get' },
      credentials: { keyApi: { id: 'any', name: 'Any' } },
    });
  writeFileSync(
    file,
    JSON.stringify({
      name: 'Story',
      nodes: [node('Start', 'n8n-nodes-base.manualTrigger'), echo('First'), echo('Second')],
      connections: { Start: to('First'), First: to('Second') },
    }),
  );
  async function play(expect: Record<string, Expected>, prepare: (vendor: Vendor) => void = () => {}) {
    const told: string[] = [];
    const start = async (id: string) => {
      const vendor = await startVendor({
        id,
        account: baseUrl => ({ baseUrl, key: 'k' }),
        throttled: () => ({ status: 429 }),
        handle: ({ headers }) =>
          headers['x-key'] === 'k'
            ? { status: 200, body: { state: 'fine' } }
            : { status: 401, body: { message: 'who are you' } },
      });
      prepare(vendor);
      return vendor;
    };
    const { ok, steps } = await runDemo({
      packageDir: join(import.meta.dirname, 'fixture'),
      files: [file],
      expect: { 'story.json': expect },
      start,
      trouble: (step, lines) => told.push(`${step.node}: ${lines.join(' | ')}`),
    });
    return { ok, steps, told };
  }
  const good: Expected = { items: 1, requests: 1, holds: items => items[0]?.state !== 'fine' && 'not fine' };

  it('counts items and requests of each node of the package', async () => {
    const { ok, steps, told } = await play({ First: good, Second: good });
    assert.deepEqual(told, []);
    assert.equal(ok, true);
    assert.deepEqual(
      steps.map(({ ms, ...step }) => ({ ...step, ms: ms >= 0 })),
      [
        { step: 1, node: 'First', operation: 'thing.get', provider: 'key', items: 1, requests: 1, ok: true, ms: true },
        { step: 2, node: 'Second', operation: 'thing.get', provider: 'key', items: 1, requests: 1, ok: true, ms: true },
      ],
    );
    assert.deepEqual(Object.keys(steps[0]!), [
      'step',
      'node',
      'operation',
      'provider',
      'items',
      'requests',
      'ms',
      'ok',
    ]);
  });
  it('fails a step that gave other items, took other requests, or holds something else', async () => {
    for (const [wrong, said] of [
      [{ ...good, items: 2 }, /1 item from 1 request/],
      [{ ...good, requests: 2 }, /1 item from 1 request/],
      [{ ...good, holds: () => 'odd' }, /came {6}odd/],
    ] as const) {
      const { ok, told } = await play({ First: wrong, Second: good });
      assert.equal(ok, false);
      assert.match(told.join(), said);
    }
  });
  it('fails a step nobody expects, and one that never ran', async () => {
    assert.match((await play({ First: good })).told.join(), /^Second: expected {2}nothing known/);
    const { ok, told } = await play({ First: good, Second: good, Third: good });
    assert.equal(ok, false);
    assert.match(told.join(), /^Third: .*did not run/);
  });
  it('shows what the vendor said when a step fails', async () => {
    const { ok, told } = await play({ First: good, Second: good }, vendor =>
      vendor.fail({ status: 418, body: '{"message":"I am a teapot"}' }),
    );
    assert.equal(ok, false);
    assert.match(told[0]!, /^First: .*teapot/);
    assert.match(told[1]!, /^Second: .*did not run/);
  });
  it('fails a trigger whose mail never comes, and says so at every step behind it', async () => {
    const told: string[] = [];
    const start = async () => {
      const servers = await startMailServers();
      servers.mail!.smtp.trouble.fail({ at: 'rcpt', code: 550, text: '5.7.1 Not today' });
      return servers;
    };
    const { ok, steps } = await runDemo({
      packageDir: join(import.meta.dirname, '..', '..'),
      files: workflowFiles().filter(path => path.endsWith('3-mail-arrives.json')),
      start,
      trouble: (step, lines) => told.push(`${step.node}: ${lines.join(' | ')}`),
    });
    assert.equal(ok, false);
    assert.match(told[0]!, /^Send the Report: .*Not today/);
    assert.match(told[1]!, /^Sync Trigger: .*0 executions/);
    assert.deepEqual(
      steps.map(step => `${step.node} ${step.ok}`),
      [
        'Send the Report false',
        'Sync Trigger false',
        'Download the Report false',
        'Flag It false',
        'Answer It false',
        'Sync Trigger (restarted) false',
      ],
    );
  });
  it('keeps to 100 columns', () => {
    assert.ok(
      tableRow([10, 'n'.repeat(60), 'o'.repeat(60), 'p'.repeat(60), 99999, 99999, 99999, 'FAILED']).length <= 100,
    );
    const lines = wrapped(`came ${'word '.repeat(60)}${'x'.repeat(250)}`);
    assert.ok(lines.length > 3 && lines.every(line => line.length <= 100));
    assert.equal(lines.join(' ').replace(/\s/g, ''), `came${'word'.repeat(60)}${'x'.repeat(250)}`);
  });
});

describe('the stories of the demo', () => {
  for (const path of workflowFiles()) {
    const name = path.split(/[\\/]/).at(-1)!;
    it(`${name} is an ordinary workflow file`, () => {
      const workflow = JSON.parse(readFileSync(path, 'utf8')) as WorkflowFile;
      const names = workflow.nodes.map(one => one.name);
      assert.equal(new Set(names).size, names.length, 'names are unique');
      assert.equal(new Set(workflow.nodes.map(one => one.id)).size, names.length, 'ids are unique');
      for (const [from, { main }] of Object.entries(workflow.connections))
        for (const target of main!.flat())
          assert.ok(names.includes(from) && names.includes(target!.node), `${from} -> ${target!.node}`);
      const own = workflow.nodes.filter(one => one.type.startsWith('n8n-nodes-mailroom.'));
      assert.deepEqual(
        own.map(one => one.name).sort(),
        Object.keys(stories[name] ?? {}).sort(),
        'every step is expected, and nothing else',
      );
      for (const one of own) assert.equal(Object.keys(one.credentials ?? {}).length, 1, `${one.name} has its account`);
    });
  }
});
