import assert from 'node:assert/strict';
import { deliver, startSodium } from '../../sandbox/sodium.js';
import type { Vendor } from '../../sandbox/vendor.js';
import { installPackage, prepareHost, type Host } from './host.js';
import { needPrograms } from './install.js';
import { eventually, type Running } from './processes.js';
import { theHome, thePackage } from './scene.js';
import { startPostgres, startRedis, type Server } from './servers.js';
import {
  accountOf,
  activate,
  byId,
  chain,
  executionsOf,
  mail,
  plain,
  readExecution,
  runWorkflow,
  saveCredential,
  saveWorkflow,
} from './workflows.js';

describe('queue mode: Redis, a worker, PostgreSQL', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  let redis: Server;
  let postgres: Server & { user: string; database: string };
  let worker: Running;
  let sodium: Vendor;
  let id: string;
  let saved: { id: string; name: string };
  before(async function () {
    this.timeout(45 * 60_000);
    await needPrograms('redis', 'postgresql');
    home = await theHome();
    [redis, postgres, sodium] = [await startRedis(), await startPostgres(), await startSodium()];
    host = await prepareHost({
      home,
      env: {
        EXECUTIONS_MODE: 'queue',
        QUEUE_BULL_REDIS_HOST: '127.0.0.1',
        QUEUE_BULL_REDIS_PORT: String(redis.port),
        QUEUE_BULL_REDIS_TIMEOUT_THRESHOLD: '60000',
        // A worker that dies is noticed within seconds here; n8n's own figures are a minute.
        QUEUE_WORKER_LOCK_DURATION: '5000',
        QUEUE_WORKER_LOCK_RENEW_TIME: '1500',
        QUEUE_WORKER_STALLED_INTERVAL: '3000',
        DB_TYPE: 'postgresdb',
        DB_POSTGRESDB_HOST: '127.0.0.1',
        DB_POSTGRESDB_PORT: String(postgres.port),
        DB_POSTGRESDB_DATABASE: postgres.database,
        DB_POSTGRESDB_USER: postgres.user,
        DB_POSTGRESDB_PASSWORD: 'unused',
      },
    });
    installPackage(thePackage(), host.userFolder);
    await host.start();
    await host.login();
    worker = await host.worker();
    saved = await saveCredential(host, 'sodium', 'Sodium', accountOf(sodium));
    const trigger = mail(
      'News',
      'syncTrigger',
      { event: 'messageReceived', options: { interval: 10 } },
      'sodium',
      saved,
    );
    const read = mail(
      'Read',
      'mailbox',
      {
        resource: 'message',
        operation: 'get',
        mailbox: byId('={{ $json.mailbox }}'),
        message: byId('={{ $json.id }}'),
      },
      'sodium',
      saved,
    );
    ({ id } = await saveWorkflow(
      host,
      chain('News', trigger, plain('Pause', 'wait', { resume: 'timeInterval', amount: 1, unit: 'seconds' }, 1.1), read),
      {},
    ));
    await activate(host, id);
    await eventually('the first look', () => sodium.seen.length > 0, 30_000);
  });
  after(async () => {
    await host?.close();
    await redis?.close();
    await postgres?.close();
    await sodium?.close();
  });

  const expected: string[] = [];
  /**
   * Messages by the executions they started, in any state. Those that a dead worker never reported have no data, so
   * they are known by their number only.
   */
  async function executed() {
    const found = await Promise.all(
      (await executionsOf(host, id)).map(async one => ({
        status: one.status,
        ids: (await readExecution(host, home, one.id)).outputs('News').map(item => String(item.json.id)),
      })),
    );
    return { all: found, ids: found.flatMap(({ ids }) => ids) };
  }
  async function exactlyOnce(what: string) {
    await eventually(what, async () => (await executionsOf(host, id)).length >= expected.length, 90_000);
    await eventually(
      'all executions to end',
      async () => (await executionsOf(host, id)).every(one => !['running', 'new', 'waiting'].includes(one.status)),
      120_000,
      500,
    );
    const looked = sodium.seen.length;
    await eventually('two more looks', () => sodium.seen.length >= looked + 2, 90_000);
    const { all, ids } = await executed();
    assert.equal(all.length, expected.length, `${what}: ${JSON.stringify(all.map(({ status }) => status))}`);
    assert.equal(new Set(ids).size, ids.length, `${what}: none twice`);
    for (const one of ids) assert.ok(expected.includes(one));
  }

  it('the trigger runs on the main process, executions on the worker', async () => {
    const from = worker.lines.length;
    expected.push(deliver(sodium, { subject: 'Queued' }));
    await exactlyOnce('one execution');
    assert.ok(
      worker.lines.slice(from).some(line => /Worker (started|finished) execution/.test(line)),
      'the worker ran it',
    );
    assert.deepEqual((await executed()).ids, expected);
  });

  it('attachments come through the worker into the store, whole', async () => {
    const list = mail(
      'List',
      'mailbox',
      { resource: 'message', operation: 'list', limit: 1, filters: { search: 'VAT return 69', direction: 'Inbound' } },
      'sodium',
      saved,
    );
    const get = mail(
      'File',
      'mailbox',
      {
        resource: 'attachment',
        operation: 'get',
        mailbox: byId('={{ $json.mailbox }}'),
        message: byId('={{ $json.id }}'),
        attachment: 'A2/scan+=',
      },
      'sodium',
      saved,
    );
    const send = mail(
      'Send',
      'send',
      {
        resource: 'message',
        operation: 'send',
        to: 'jo@client.test',
        subject: 'Your scan',
        htmlBody: '<p>Here.</p>',
        attachments: 'data',
      },
      'sodium',
      saved,
    );
    const { id: files } = await saveWorkflow(
      host,
      chain('Files', plain('Start', 'manualTrigger'), list, get, send),
      {},
    );
    const execution = await runWorkflow(host, home, files, 'Start', 60_000);
    assert.equal(execution.status, 'success', execution.error);
    const { data } = execution.outputs('File')[0]!.binary!;
    assert.equal(data.fileName, 'scan.pdf');
    const answer = await host.ask(
      'GET',
      `/rest/binary-data?id=${encodeURIComponent(data.id as string)}&action=download`,
    );
    assert.equal(answer.status, 200);
    const { sentBy, LARGE_FILE } = await import('../../sandbox/sodium.js');
    assert.deepEqual(
      sentBy(sodium)
        .at(-1)!
        .attachments.map(({ fileName, bytes }) => `${fileName} ${bytes.length}`),
      [`scan.pdf ${LARGE_FILE}`],
      'out of the store again, whole',
    );
  });

  it('a worker killed in the middle: nothing lost, nothing twice', async () => {
    const from = worker.lines.length;
    for (let n = 1; n <= 4; n++) expected.push(deliver(sodium, { subject: `Worker ${n}` }));
    await worker.until(/Worker started execution/, 60_000, from);
    await worker.kill();
    worker = await host.worker();
    await exactlyOnce('four messages');
  });

  it('the main process killed in the middle: nothing lost, nothing twice', async () => {
    const from = worker.lines.length;
    for (let n = 1; n <= 4; n++) expected.push(deliver(sodium, { subject: `Main ${n}` }));
    await worker.until(/Worker started execution/, 60_000, from);
    await host.kill();
    expected.push(deliver(sodium, { subject: 'Main was away' }));
    await host.start();
    await host.login();
    await exactlyOnce('five messages');
  });

  it('Redis killed in the middle: nothing lost, nothing twice', async () => {
    const from = worker.lines.length;
    for (let n = 1; n <= 4; n++) expected.push(deliver(sodium, { subject: `Redis ${n}` }));
    await worker.until(/Worker started execution/, 60_000, from);
    await redis.kill();
    expected.push(deliver(sodium, { subject: 'Redis was away' }));
    await redis.restart();
    // n8n itself may give up without its queue; whoever supervises it starts it again.
    if (!host.main.alive) {
      await host.start();
      await host.login();
    }
    if (!worker.alive) worker = await host.worker();
    await exactlyOnce('five messages');
  });
});
