import assert from 'node:assert/strict';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INodeParameters } from 'n8n-workflow';
import { openEngine, type Engine, type EngineOptions, type WorkflowFile } from './engine.js';
import { openStore } from './store.js';

interface Cord {
  starts?: number;
  closed?: number;
  broken?: number;
  activation?: string;
  before?: unknown;
  ring(n: number, key?: string): Promise<{ status: string } | undefined>;
  drift(n: number): void;
  crack(error: Error): void;
  report(error: Error): void;
  every(expression: string, tick: () => void): boolean;
}
const bells: Record<string, Cord> = {};
(globalThis as { __bells?: typeof bells }).__bells = bells;

const packageDir = join(import.meta.dirname, 'fixture');
const echo = 'n8n-nodes-fixture.echo';
const start = {
  id: 'start',
  name: 'Start',
  type: 'n8n-nodes-base.manualTrigger',
  typeVersion: 1,
  position: [0, 0] as [number, number],
  parameters: {},
};
let workflows = 0;

/** Nodes in a row after the start. */
function line(
  ...nodes: {
    name: string;
    type: string;
    typeVersion?: number;
    parameters?: INodeParameters;
    [more: string]: unknown;
  }[]
): WorkflowFile {
  const all = nodes[0]?.type.endsWith('Trigger') ? nodes : [start, ...nodes];
  return {
    id: `workflow-${++workflows}`,
    name: 'Test',
    nodes: all.map((node, i) => ({
      typeVersion: 1,
      parameters: {},
      ...node,
      id: node.name,
      position: [i * 200, 0],
    })) as WorkflowFile['nodes'],
    connections: Object.fromEntries(
      all.slice(1).map((node, i) => [all[i]!.name, { main: [[{ node: node.name, type: 'main' as const, index: 0 }]] }]),
    ),
  };
}
const use = (type: string, id = type) => ({ [type]: { id, name: id } });

describe('the engine harness', () => {
  let vendor: Server;
  let url: string;
  let engine: Engine;
  const seen: { path: string; headers: Record<string, unknown> }[] = [];
  let sessions = 0;
  let tokens = 0;
  const open = (more: Partial<EngineOptions> = {}) =>
    openEngine({
      packageDir,
      ...more,
      credentials: {
        keyApi: { type: 'keyApi', data: { baseUrl: url, key: 'k-1' } },
        computed: { type: 'keyApi', data: { key: '={{ "k-" + $json.n }}' } },
        signedApi: { type: 'signedApi', data: { secret: 's' } },
        sessionApi: { type: 'sessionApi', data: { baseUrl: url } },
        grantOAuth2Api: {
          type: 'grantOAuth2Api',
          data: {
            baseUrl: url,
            clientId: 'c',
            clientSecret: 'd',
            oauthTokenData: { access_token: 'old', refresh_token: 'r', token_type: 'bearer' },
          },
        },
        ...more.credentials,
      },
    });

  before(async () => {
    vendor = createServer((request, response) => {
      const path = (request.url ?? '').split('?')[0]!;
      seen.push({ path, headers: request.headers });
      const say = (status: number, body: object) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      const { 'x-key': key, 'x-session': session, authorization } = request.headers;
      if (path === '/login') return say(200, { session: `session-${++sessions}` });
      if (path === '/token')
        return say(200, { access_token: `new-${++tokens}`, refresh_token: 'r2', token_type: 'bearer' });
      if (path === '/check')
        return key === 'k-1' ? say(200, {}) : key === 'k-2' ? say(200, { state: 'suspended' }) : say(401, {});
      if (session !== undefined && session !== 'session-2') return say(401, {});
      if (authorization === 'Bearer old') return say(401, {});
      say(200, { key, session, authorization, signature: request.headers['x-signature'] });
    });
    await new Promise<void>(done => vendor.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${(vendor.address() as AddressInfo).port}`;
    engine = await open();
  });
  after(() => {
    vendor.closeAllConnections();
    vendor.close();
  });

  it('loads a package from a copy, away from the node_modules of the project', () => {
    assert.deepEqual(engine.nodeTypes, [echo, 'n8n-nodes-fixture.bellTrigger']);
    assert.ok(engine.packageFolder.startsWith(engine.userFolder));
    assert.ok(!readdirSync(engine.packageFolder).includes('icons'), 'only what "files" lists is there');
  });

  it('loads lazily where the package says what it holds', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mailroom-lazy-'));
    try {
      cpSync(packageDir, folder, { recursive: true });
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { files: string[] };
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, files: [...manifest.files, 'dist'] }));
      const files = {
        'known/nodes': { echo: { className: 'Echo', sourcePath: 'nodes/Echo/Echo.node.js' } },
        'types/nodes': [],
        'types/credentials': [],
        'known/credentials': {
          keyApi: { className: 'KeyApi', sourcePath: 'credentials/KeyApi.credentials.js', supportedNodes: ['echo'] },
        },
      };
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(join(folder, 'dist', name, '..'), { recursive: true });
        writeFileSync(join(folder, 'dist', `${name}.json`), JSON.stringify(content));
      }
      const lazy = await openEngine({
        packageDir: folder,
        credentials: { keyApi: { type: 'keyApi', data: { key: 'k' } } },
      });
      assert.deepEqual([lazy.lazy, engine.lazy], [true, false]);
      const result = await lazy.run(line({ name: 'Echo', type: echo, credentials: use('keyApi') }));
      assert.equal(result.items('Echo')[0]?.json.key, 'k', result.error?.message);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('runs a workflow and reports each node with items, pairs and times', async () => {
    const order: string[] = [];
    const result = await engine.run(
      line(
        {
          name: 'Two',
          type: 'n8n-nodes-base.set',
          typeVersion: 3.4,
          parameters: {
            assignments: {
              assignments: [{ id: '1', name: 'all', type: 'array', value: '={{ [{ n: 1 }, { n: 2 }, { n: 3 }] }}' }],
            },
          },
        },
        { name: 'Each', type: 'n8n-nodes-base.splitOut', parameters: { fieldToSplitOut: 'all' } },
        {
          name: 'Big',
          type: 'n8n-nodes-base.filter',
          typeVersion: 2.2,
          parameters: {
            conditions: {
              combinator: 'and',
              options: { caseSensitive: true, typeValidation: 'strict', version: 2, leftValue: '' },
              conditions: [
                { id: '1', leftValue: '={{ $json.n }}', rightValue: 1, operator: { type: 'number', operation: 'gt' } },
              ],
            },
          },
        },
        { name: 'Echo', type: echo, parameters: { task: 'item', text: '={{ $("Each").item.json.n * 10 }}' } },
        { name: 'End', type: 'n8n-nodes-base.noOp' },
      ),
      {
        onNode: {
          before: name => {
            order.push(`> ${name}`);
          },
          after: name => {
            order.push(`< ${name}`);
          },
        },
      },
    );
    assert.equal(result.status, 'success', result.error?.message);
    assert.deepEqual(
      result.items('End').map(item => item.json),
      [
        { n: 2, text: 20 },
        { n: 3, text: 30 },
      ],
    );
    assert.deepEqual(
      result.items('Echo').map(item => item.pairedItem),
      [{ item: 0 }, { item: 1 }],
    );
    assert.deepEqual(order.slice(0, 4), ['> Start', '< Start', '> Two', '< Two']);
    assert.ok(result.nodes.Echo![0]!.ms >= 0 && result.ms > 0);
  });

  it('reports a failed node with its error and item, and goes on where the node says so', async () => {
    const failing = { name: 'Echo', type: echo, parameters: { task: 'fail', text: 'no' } };
    const stopped = await engine.run(line(failing, { name: 'Next', type: 'n8n-nodes-base.noOp' }));
    assert.equal(stopped.status, 'error');
    assert.equal(stopped.error?.message, 'Refused: no');
    assert.equal((stopped.nodes.Echo![0]!.error?.context as { itemIndex: number }).itemIndex, 0);
    assert.equal(stopped.nodes.Next, undefined);
    const gone = await engine.run(
      line({ ...failing, onError: 'continueRegularOutput' }, { name: 'Next', type: 'n8n-nodes-base.noOp' }),
    );
    assert.equal(gone.status, 'success');
    assert.deepEqual(gone.items('Next')[0]!.json, { error: 'Refused: no' });
    const routed = line({ ...failing, onError: 'continueErrorOutput' });
    assert.deepEqual(
      (await engine.run(routed)).items('Echo', 1).map(item => item.json.error),
      ['Refused: no'],
    );
  });

  it('cancels a run through the signal nodes get', async () => {
    const stop = new AbortController();
    const result = await engine.run(
      line({ name: 'Echo', type: echo, parameters: { task: 'hang' } }, { name: 'Next', type: 'n8n-nodes-base.noOp' }),
      {
        signal: stop.signal,
        onNode: {
          before: name => {
            if (name === 'Echo') setImmediate(() => stop.abort());
          },
        },
      },
    );
    assert.equal(result.status, 'canceled');
    assert.equal(result.nodes.Next, undefined);
  });

  describe('credentials', () => {
    const asking = (type: string, id = type, task = 'credentials', text = '') =>
      line({ name: 'Echo', type: echo, parameters: { account: type, task, text }, credentials: use(type, id) });
    it('arrive with defaults and resolved expressions', async () => {
      const result = await engine.run(asking('keyApi', 'computed'), { items: [{ json: { n: 5 } }] });
      assert.equal(result.status, 'success', result.error?.message);
      const { key, baseUrl } = result.items('Echo')[0]!.json;
      assert.deepEqual({ key, baseUrl }, { key: 'k-5', baseUrl: 'http://default.invalid' });
    });
    it('carry the domain restriction n8n adds', async () => {
      await engine.saveCredential('bound', {
        type: 'keyApi',
        data: { key: 'k', allowedHttpRequestDomains: 'domains', allowedDomains: 'example.com' },
      });
      const { allowedHttpRequestDomains, allowedDomains } = (await engine.run(asking('keyApi', 'bound'))).items(
        'Echo',
      )[0]!.json;
      assert.deepEqual(
        { allowedHttpRequestDomains, allowedDomains },
        { allowedHttpRequestDomains: 'domains', allowedDomains: 'example.com' },
      );
    });
    it('are refused when they are not there, or are of another type', async () => {
      assert.match((await engine.run(asking('keyApi', 'nobody'))).error!.message, /does not exist/);
      assert.match((await engine.run(asking('keyApi', 'signedApi'))).error!.message, /does not exist/);
      assert.match((await engine.run(line({ name: 'Echo', type: echo }))).error!.message, /credential/i);
    });
    it('authenticate requests by rule and by function', async () => {
      assert.equal((await engine.run(asking('keyApi', 'keyApi', 'request'))).items('Echo')[0]!.json.key, 'k-1');
      assert.equal(
        (await engine.run(asking('signedApi', 'signedApi', 'request', url))).items('Echo')[0]!.json.signature,
        `s:${url}/things`,
      );
    });
    it('log in first where the type says so, again after a 401, and keep the session', async () => {
      const result = await engine.run(asking('sessionApi', 'sessionApi', 'request'));
      assert.equal(result.items('Echo')[0]?.json.session, 'session-2', result.error?.message);
      assert.equal((await engine.readCredential('sessionApi')).session, 'session-2');
    });
    it('renew OAuth 2 tokens after a 401 and on demand, and keep them', async () => {
      const first = await engine.run(asking('grantOAuth2Api', 'grantOAuth2Api', 'request'));
      assert.equal(first.items('Echo')[0]?.json.authorization, 'Bearer new-1', first.error?.message);
      assert.equal(
        ((await engine.readCredential('grantOAuth2Api')).oauthTokenData as { access_token: string }).access_token,
        'new-1',
      );
      const second = await engine.run(asking('grantOAuth2Api', 'grantOAuth2Api', 'refresh'));
      assert.equal(second.items('Echo')[0]?.json.access_token, 'new-2', second.error?.message);
    });
    it('are tested as in the editor: by request, rule, status, or a method of the node', async () => {
      assert.deepEqual(await engine.testCredential('keyApi', { baseUrl: url, key: 'k-1' }), {
        status: 'OK',
        message: 'Connection successful!',
      });
      assert.deepEqual(await engine.testCredential('keyApi', { baseUrl: url, key: 'k-2' }), {
        status: 'Error',
        message: 'The account is suspended',
      });
      assert.deepEqual(await engine.testCredential('keyApi', { baseUrl: url, key: 'k-3' }), {
        status: 'Error',
        message: 'Unauthorized',
      });
      assert.equal((await engine.testCredential('socketApi', { host: 'good.host' })).status, 'OK');
      assert.deepEqual(await engine.testCredential('socketApi', { host: 'bad.host' }), {
        status: 'Error',
        message: 'Nobody there',
      });
    });
  });

  it('fills pickers', async () => {
    const found = await engine.options(
      echo,
      'things',
      { text: 'now' },
      { filter: 'an', paginationToken: '2', credentials: use('keyApi') },
    );
    assert.deepEqual(found, { results: [{ name: 'k-1 an 2 now', value: 1 }], paginationToken: 'next' });
    assert.deepEqual(await engine.options(echo, 'words', { text: 'w' }), [{ name: 'w', value: 'a' }]);
    await assert.rejects(engine.options(echo, 'nothing', {}), /no method/);
  });

  it('keeps binary data in memory or in files below its own folder', async () => {
    const file = line(
      { name: 'Write', type: echo, parameters: { task: 'binary', text: 'hello' } },
      { name: 'Read', type: echo, parameters: { task: 'size' } },
    );
    const onDisk = await engine.run(file);
    const data = onDisk.items('Write')[0]!.binary!.data!;
    assert.match(data.id!, /^filesystem-v2:/);
    assert.equal((await engine.bytes(data)).toString(), 'hello');
    assert.equal(onDisk.items('Read')[0]!.json.text, 'hello');
    const inMemory = (await (await open({ binary: 'memory' })).run(file)).items('Write')[0]!.binary!.data!;
    assert.equal(inMemory.id, undefined);
    assert.equal(Buffer.from(inMemory.data, 'base64').toString(), 'hello');
  });

  it("has n8n's egress filter, off and on", async () => {
    const ask = line({ name: 'Echo', type: echo, parameters: { task: 'filter', text: 'http://127.0.0.1/' } });
    const verdict = async (options: Partial<EngineOptions>) =>
      (await (await open(options)).run(ask)).items('Echo')[0]!.json.ok;
    assert.equal(await verdict({}), true);
    assert.equal(await verdict({ guard: {} }), false);
    assert.equal(await verdict({ guard: { allow: ['127.0.0.0/8'] } }), true);
  });

  describe('triggers', () => {
    const folders: string[] = [];
    const folder = () => {
      const made = mkdtempSync(join(tmpdir(), 'mailroom-state-'));
      folders.push(made);
      return made;
    };
    after(() => {
      for (const made of folders) rmSync(made, { recursive: true, force: true });
    });
    const belled = (cord: string, ...rest: Parameters<typeof line>) => {
      bells[cord] ??= {} as Cord;
      return line({ name: 'Bell', type: 'n8n-nodes-fixture.bellTrigger', parameters: { cord } }, ...rest);
    };

    it('execute the workflow for each emit and answer when the execution has ended', async () => {
      const active = await engine.activate(belled('a', { name: 'Echo', type: echo, parameters: { task: 'item' } }), {
        mode: 'init',
      });
      assert.equal(bells.a!.activation, 'init');
      assert.equal((await bells.a!.ring(1))?.status, 'success');
      assert.deepEqual(
        active.executions.map(one => one.items('Echo')[0]!.json.n),
        [1],
      );
      await active.deactivate();
      assert.equal(bells.a!.closed, 1);
    });
    it('answer a failed execution as such, without rejecting', async () => {
      const active = await engine.activate(belled('b', { name: 'Echo', type: echo, parameters: { task: 'fail' } }));
      assert.equal((await bells.b!.ring(1))?.status, 'error');
      await active.deactivate();
    });
    it('run an event once for each key, over restarts of the process too', async () => {
      const stateDir = folder();
      const file = belled('c');
      const first = await open({ stateDir });
      const active = await first.activate(file);
      const answers = [await bells.c!.ring(1, 'k1'), await bells.c!.ring(1, 'k1'), await bells.c!.ring(2, 'k2')];
      assert.deepEqual(
        answers.map(run => run?.status),
        ['success', undefined, 'success'],
      );
      assert.deepEqual(active.duplicates, ['k1']);
      await active.deactivate();
      const again = await (await open({ stateDir })).activate(file);
      assert.equal(bells.c!.before, 2, 'static data came back');
      assert.deepEqual([await bells.c!.ring(2, 'k2'), (await bells.c!.ring(3, 'k3'))?.status], [undefined, 'success']);
      await again.deactivate();
    });
    it('count as run when the process died in the middle', () => {
      const stateDir = folder();
      assert.equal(
        openStore(stateDir).begin({
          id: '1',
          workflowId: 'w',
          status: 'running',
          mode: 'trigger',
          deduplicationKey: 'k',
        }),
        true,
      );
      appendFileSync(join(stateDir, 'executions.jsonl'), '{"id":"2","dedupl');
      const again = openStore(stateDir);
      assert.deepEqual(
        again.executions().map(({ id, status }) => [id, status]),
        [['1', 'crashed']],
      );
      assert.equal(
        again.begin({ id: '2', workflowId: 'w', status: 'running', mode: 'trigger', deduplicationKey: 'k' }),
        false,
      );
      assert.equal(
        again.begin({ id: '2', workflowId: 'w', status: 'running', mode: 'trigger', deduplicationKey: 'k2' }),
        true,
      );
      assert.deepEqual(
        openStore(stateDir)
          .executions()
          .map(({ id, status }) => [id, status]),
        [
          ['1', 'crashed'],
          ['2', 'crashed'],
        ],
      );
    });
    it('refuse a key its column cannot hold', async () => {
      const active = await engine.activate(belled('long'));
      await assert.rejects(bells.long!.ring(1, 'k'.repeat(256)), /256 characters/);
      await active.deactivate();
    });
    it('save static data on emit and on deactivation, and not in between', async () => {
      const file = belled('d');
      const active = await engine.activate(file);
      await bells.d!.ring(1);
      assert.deepEqual(engine.staticData(file.id!), { 'node:Bell': { last: 1 } });
      bells.d!.drift(7);
      assert.deepEqual(engine.staticData(file.id!), { 'node:Bell': { last: 1 } });
      await active.deactivate();
      assert.deepEqual(engine.staticData(file.id!), { 'node:Bell': { last: 7 } });
    });
    it('let an execution write back the static data it began with, as n8n does', async () => {
      const file = belled('w', { name: 'Echo', type: echo, parameters: { task: 'remember', text: 'x' } });
      const active = await engine.activate(file);
      await bells.w!.ring(1);
      assert.deepEqual(engine.staticData(file.id!), { 'node:Bell': { last: 1 }, global: { text: 'x' } });
      await active.deactivate();
    });
    it('start in five attempts or not at all', async () => {
      bells.e = { broken: 4 } as Cord;
      const active = await engine.activate(belled('e'), { retryDelays: [1, 1, 1, 1] });
      assert.equal(bells.e.starts, 5);
      await active.deactivate();
      bells.f = { broken: 5 } as Cord;
      await assert.rejects(engine.activate(belled('f'), { retryDelays: [1, 1, 1, 1] }), /no clapper/);
    });
    it('close and start again after emitError; saveFailedExecution leaves them up', async () => {
      const active = await engine.activate(belled('g'));
      bells.g!.crack(new Error('cracked'));
      await active.settled();
      assert.deepEqual(
        [bells.g!.starts, bells.g!.closed, active.errors.map(error => error.message)],
        [2, 1, ['cracked']],
      );
      bells.g!.report(new Error('muffled'));
      assert.deepEqual([bells.g!.starts, active.failed.map(error => error.message)], [2, ['muffled']]);
      assert.equal(engine.executions().at(-1)!.error, 'muffled');
      await active.deactivate();
    });
    it('may register schedules, which end with them', async () => {
      const active = await engine.activate(belled('h'));
      const ticked = new Promise<void>(done => assert.equal(bells.h!.every('* * * * * *', done), true));
      await ticked;
      await active.deactivate();
    });
    it('show one sample in a manual run and keep nothing', async () => {
      const file = belled('i');
      const result = await engine.run(file, { mode: 'manual' });
      assert.deepEqual(
        result.items('Bell').map(item => item.json),
        [{ n: 'sample' }],
      );
      assert.equal(bells.i!.closed, 1);
      assert.deepEqual(engine.staticData(file.id!), {});
    });
  });
});
