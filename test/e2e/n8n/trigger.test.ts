import assert from 'node:assert/strict';
import { deliver, startSodium } from '../../sandbox/sodium.js';
import type { Vendor } from '../../sandbox/vendor.js';
import { installPackage, prepareHost, type Host } from './host.js';
import { eventually } from './processes.js';
import { newerOnly, theHome, thePackage } from './scene.js';
import {
  accountOf,
  activate,
  chain,
  deactivate,
  ended,
  executionsOf as allExecutionsOf,
  mail,
  plain,
  published,
  readExecution,
  runWorkflow,
  saveCredential,
  saveWorkflow,
} from './workflows.js';

const LEFT_QUEUED = 'n8n before 2.32 leaves an execution queued that it had only stored when it was killed';

describe('Sync Trigger in n8n', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  let sodium: Vendor;
  let id: string;
  before(async function () {
    this.timeout(30 * 60_000);
    home = await theHome();
    host = await prepareHost({ home });
    installPackage(thePackage(), host.userFolder);
    await host.start();
    await host.login();
    sodium = await startSodium();
    const saved = await saveCredential(host, 'sodium', 'Sodium', accountOf(sodium));
    const trigger = mail(
      'News',
      'syncTrigger',
      { event: 'messageReceived', options: { interval: 10 } },
      'sodium',
      saved,
    );
    // The pause makes executions that a crash can interrupt.
    ({ id } = await saveWorkflow(
      host,
      chain(
        'News',
        trigger,
        plain('Pause', 'wait', { resume: 'timeInterval', amount: 1, unit: 'seconds' }, 1.1),
        plain('Done', 'noOp'),
      ),
      {},
    ));
  });
  after(async () => {
    await host?.close();
    await sodium?.close();
  });

  /** Tests by hand start executions too; they are another matter. */
  const executionsOf = async (host: Host, id: string) =>
    (await allExecutionsOf(host, id)).filter(({ mode }) => mode !== 'manual');
  /**
   * Which messages started an execution, one entry for each. What n8n kept no data of (or an artificial item), because
   * it died meanwhile, is known by its state only.
   */
  async function executed(): Promise<string[]> {
    const found = await Promise.all(
      (await executionsOf(host, id)).map(async one => ({
        status: one.status,
        ids: (await readExecution(host, home, one.id))
          .outputs('News')
          .flatMap(item => (typeof item.json.id === 'string' ? [item.json.id] : [])),
      })),
    );
    return found.flatMap(({ status, ids }) => (ids.length ? ids : [`(${status})`])).sort();
  }
  /** The trigger has looked `times` times since now. */
  async function looked(times = 2) {
    const before = sodium.seen.length;
    await eventually('the trigger to look for news', () => sodium.seen.length >= before + times, 60_000);
  }
  const expected: string[] = [];
  async function exactly(what: string, ms = 60_000) {
    await eventually(what, async () => (await executed()).length >= expected.length, ms);
    await eventually(
      'all executions to end',
      async () => (await executionsOf(host, id)).every(one => !['running', 'new', 'waiting'].includes(one.status)),
      60_000,
    );
    await looked();
    const found = await executed();
    const known = found.filter(one => !one.startsWith('('));
    assert.equal(found.length, expected.length, `${what}: ${JSON.stringify(found)}`);
    assert.equal(new Set(known).size, known.length, `${what}: none twice`);
    for (const one of known)
      assert.ok(
        expected.includes(one),
        `${what}: ${one} of ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`,
      );
    // Only an execution that died with n8n may have no data, and it must say so.
    for (const one of found.filter(one => one.startsWith('('))) assert.equal(one, '(crashed)', what);
  }

  it('is activated in a moment, and a new message starts exactly one execution', async () => {
    await activate(host, id);
    await looked(1);
    assert.deepEqual(await executed(), [], 'what was there before starts nothing');
    expected.push(deliver(sodium, { subject: 'First' }));
    await exactly('one execution for one message');
  });

  it('a test by hand shows the latest with the state of the active workflow, and what it knows when the vendor is away', async () => {
    const test = await runWorkflow(host, home, id, 'News');
    const items = test.outputs('News');
    assert.equal(test.status, 'success', test.error);
    assert.equal(items.length, 1);
    for (const { json } of items) {
      const { connectedSince, lastSeen, summary, ...rest } = json.stateDetails;
      assert.equal(json.state, 'This workflow is published and connected.');
      assert.deepEqual(rest, {
        status: 'following',
        lastError: null,
        lastErrorAt: null,
        event: 'messageReceived',
        news: 'asked for',
        intervalSeconds: 10,
        executions: 1,
        notes: [],
      });
      assert.ok(connectedSince < lastSeen && lastSeen <= new Date().toISOString(), summary);
      assert.match(summary, /Nothing has gone wrong/);
    }
    sodium.fail({ status: 503, body: 'away', times: 1000 });
    const failed = await eventually(
      'a test that fails and knows of the failure',
      async () => {
        const one = await runWorkflow(host, home, id, 'News');
        return /not connected and tries again by itself/.test(one.raw.resultData.error?.description ?? '') && one;
      },
      90_000,
    );
    assert.equal(failed.status, 'error');
    sodium.mend();
    await looked();
    const { stateDetails: state } = (await runWorkflow(host, home, id, 'News')).outputs('News')[0]!.json;
    assert.match(`${state.status} ${state.lastError}`, /^following .*503/);
  });

  it('a test by hand can be stopped while the vendor says nothing', async () => {
    const silent = await startSodium();
    try {
      silent.fail({ silent: true, times: 1000 });
      const saved = await saveCredential(host, 'sodium', 'Silent', accountOf(silent));
      const { id: never } = await saveWorkflow(
        host,
        chain(
          'Silent',
          mail('News', 'syncTrigger', { event: 'messageReceived' }, 'sodium', saved),
          plain('Done', 'noOp'),
        ),
        {},
      );
      const { executionId } = await host.rest('POST', `/workflows/${never}/run`, {
        workflowData: await host.rest('GET', `/workflows/${never}`),
        triggerToStartFrom: { name: 'News' },
      });
      await eventually('the test to ask', () => silent.seen.length > 0);
      await host.rest('POST', `/executions/${executionId}/stop`);
      const { status } = await ended(host, home, executionId);
      assert.equal(status, 'canceled');
      // Nobody goes on asking for it.
      assert.equal(silent.seen.length, 1);
    } finally {
      await silent.close();
    }
  });

  it('starts nothing while it is deactivated, and catches up when it is activated again', async () => {
    await deactivate(host, id);
    const before = sodium.seen.length;
    expected.push(deliver(sodium, { subject: 'While deactivated' }));
    assert.equal((await executed()).length, expected.length - 1);
    assert.ok(sodium.seen.length <= before + 1, 'the vendor is left alone');
    await activate(host, id);
    await exactly('the message that came meanwhile');
  });

  it('loses and repeats nothing when n8n is stopped and started', async () => {
    await host.stop();
    for (const subject of ['Stopped 1', 'Stopped 2', 'Stopped 3']) expected.push(deliver(sodium, { subject }));
    await host.start();
    await host.login();
    await published(host, id);
    await exactly('three messages of the time in between');
  });

  newerOnly('loses and repeats nothing when n8n crashes in the middle of executions', LEFT_QUEUED, async () => {
    // Five at a time and a second each: some are under way for more than two seconds.
    for (let n = 1; n <= 12; n++) expected.push(deliver(sodium, { subject: `Crash ${n}` }));
    await eventually(
      'some executions to be under way',
      async () => (await executionsOf(host, id)).some(({ status }) => status !== 'success'),
      60_000,
      50,
    );
    await host.kill();
    expected.push(deliver(sodium, { subject: 'While crashed' }));
    await host.start();
    await host.login();
    await exactly('every message once, those under way included', 90_000);
  });

  it('goes on after the package was updated', async () => {
    await host.stop();
    expected.push(deliver(sodium, { subject: 'During the update' }));
    installPackage(thePackage(), host.userFolder, '9.9.9');
    await host.start();
    await host.login();
    const { body } = await host.ask('GET', '/types/nodes.json');
    const ours = (body as { name: string; communityNodePackageVersion: string }[]).find(
      ({ name }) => name === 'n8n-nodes-mailroom.syncTrigger',
    )!;
    assert.equal(ours.communityNodePackageVersion, '9.9.9');
    await exactly('the message that came during the update');
  });
});
