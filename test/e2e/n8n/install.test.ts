import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startScaleway } from '../../sandbox/scaleway.js';
import { startRackspace } from '../../sandbox/rackspace.js';
import type { Vendor } from '../../sandbox/vendor.js';
import { providers } from '../../../shared/index.js';
import { stories } from '../../tools/demo.js';
import { PACKAGE, type Host } from './host.js';
import { evaluatedAtStart, theHome, theHost } from './scene.js';
import {
  accountOf,
  byId,
  credentialType,
  mail,
  pick,
  runWorkflow,
  saveCredential,
  saveWorkflow,
  testCredential,
  type WorkflowJson,
} from './workflows.js';

const isForMail = (file: string) => /imapflow|nodemailer|smtp|postal|mail-composer/.test(file);

describe('the package in n8n', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  let scaleway: Vendor;
  let rackspace: Vendor;
  const credentials: Record<string, { id: string; name: string }> = {};
  before(async function () {
    this.timeout(30 * 60_000);
    home = await theHome();
    host = await theHost();
    // Other files of this run may have read mail in the n8n that all share.
    if (host.evaluated().some(isForMail)) {
      await host.stop();
      writeFileSync(host.env.MAILROOM_PROBE!, '');
      await host.start();
      await host.login();
    }
    [scaleway, rackspace] = await Promise.all([startScaleway({ domains: 120 }), startRackspace()]);
    credentials.scaleway = await saveCredential(host, 'scaleway', 'Scaleway', accountOf(scaleway));
    credentials.rackspace = await saveCredential(host, 'rackspace', 'Rackspace', accountOf(rackspace));
  });
  after(() => Promise.all([scaleway?.close(), rackspace?.close()]));
  beforeEach(() => {
    for (const vendor of [scaleway, rackspace]) {
      vendor.mend();
      vendor.forget();
    }
  });

  it('costs a start of n8n nothing: no node and nothing of the core is evaluated', () => {
    // n8n 2.41 itself evaluates every credential class at start; these hold plain values.
    assert.deepEqual(
      evaluatedAtStart().filter(file => !/^dist\/credentials\/\w+\.credentials\.js$/.test(file)),
      [],
    );
  });

  it('shows its nodes, each as a tool too and Send as a review by a human, with icons that are served', async () => {
    const { body } = await host.ask('GET', '/types/nodes.json');
    const ours = (
      body as { name: string; iconUrl: { light: string; dark: string }; communityNodePackageVersion: string }[]
    ).filter(({ name }) => name.startsWith(`${PACKAGE}.`));
    assert.deepEqual(ours.map(({ name }) => name.slice(PACKAGE.length + 1)).sort(), [
      'alias',
      'aliasTool',
      'mailbox',
      'mailboxTool',
      'mailboxTrigger',
      'send',
      'sendHitlTool',
      'sendTool',
      'spamList',
      'spamListTool',
      'syncTrigger',
    ]);
    for (const { name, iconUrl } of ours) {
      for (const url of [iconUrl.light, iconUrl.dark]) {
        const answer = await host.ask('GET', `/${url}`);
        assert.equal(answer.status, 200, `${name} ${url}`);
        assert.match(answer.headers.get('content-type') ?? '', /svg/);
      }
    }
    const types = await host.ask('GET', '/types/credentials.json');
    const known = new Map(
      (types.body as { name: string; iconUrl?: { light: string } }[]).map(type => [type.name, type]),
    );
    for (const { id } of providers) {
      const icon = await host.ask('GET', `/${known.get(credentialType(id))?.iconUrl?.light}`);
      assert.match(icon.headers.get('content-type') ?? '', /svg/, id);
    }
  });

  it('runs the demo: every step gives what it should', async () => {
    const file = '1-mailboxes.json';
    const workflow = JSON.parse(readFileSync(join(__dirname, '../../demo', file), 'utf8')) as WorkflowJson;
    const { id } = await saveWorkflow(host, workflow, credentials);
    const execution = await runWorkflow(
      host,
      home,
      id,
      workflow.nodes.find(node => node.type.endsWith('manualTrigger'))!.name,
    );
    assert.equal(execution.status, 'success', execution.error);
    for (const [node, { items, holds }] of Object.entries(stories[file]!)) {
      const found = execution.outputs(node);
      assert.equal(found.length, items, node);
      // This story looks at nothing but items.
      assert.equal(
        (await holds?.(
          found.map(item => item.json),
          undefined as never,
        )) || undefined,
        undefined,
        node,
      );
      // Where every item came from is known, or `$('Node').item` fails further on.
      for (const item of found) assert.ok(item.pairedItem !== undefined, node);
    }
  });

  it('tests credentials: good ones pass, and a wrong secret is said to be wrong', async () => {
    for (const vendor of [scaleway, rackspace]) {
      const good = await testCredential(host, vendor.id, accountOf(vendor));
      assert.equal(good.status, 'OK', `${vendor.id}: ${good.message}`);
      const secret = Object.keys(vendor.account).find(name => /secret/i.test(name))!;
      const bad = await testCredential(host, vendor.id, { ...accountOf(vendor), [secret]: 'wrong-secret-0000' });
      assert.equal(bad.status, 'Error', vendor.id);
      assert.ok(bad.message && !bad.message.includes('wrong-secret'), bad.message);
    }
  });

  it('loads no mail library for nodes that speak HTTP', () => {
    const files = host.evaluated();
    assert.ok(files.includes('dist/shared/lazy/undici.js'), 'the probe sees what is loaded');
    assert.deepEqual(files.filter(isForMail), []);
  });

  describe('pickers', () => {
    const node = () =>
      mail(
        'M',
        'mailbox',
        { resource: 'mailbox', operation: 'get', mailbox: byId('') },
        'scaleway',
        credentials.scaleway,
      );
    it('page through a list and search in it', async () => {
      const first = (await pick(host, node(), 'mailbox', 'mailbox')).body.data as {
        results: { name: string; value: string }[];
        paginationToken?: string;
      };
      assert.equal(first.results.length, 50);
      assert.ok(first.paginationToken);
      const seen = new Set(first.results.map(({ value }) => value));
      for (let token: string | undefined = first.paginationToken; token;) {
        const next = (await pick(host, node(), 'mailbox', 'mailbox', { paginationToken: token })).body
          .data as typeof first;
        for (const { value } of next.results) {
          assert.ok(!seen.has(value), 'no entry twice');
          seen.add(value);
        }
        token = next.paginationToken;
      }
      assert.ok(seen.size >= 130, `${seen.size} of at least 130`);
      const found = (await pick(host, node(), 'mailbox', 'mailbox', { filter: 'user017' })).body.data as typeof first;
      assert.deepEqual(
        found.results.map(({ name }) => name),
        ['user017@mail.example.com'],
      );
    });
    it('rest after the vendor asked for fewer requests, and say for how long', async () => {
      const other = await startScaleway();
      try {
        const own = mail(
          'M',
          'mailbox',
          { resource: 'mailbox', operation: 'get', mailbox: byId('') },
          'scaleway',
          await saveCredential(host, 'scaleway', 'Throttled', accountOf(other)),
        );
        other.fail({ throttle: true, times: 10 });
        const first = await pick(host, own, 'mailbox', 'mailbox');
        assert.ok(first.status >= 400, `${first.status}`);
        const asked = other.seen.length;
        const second = await pick(host, own, 'mailbox', 'mailbox');
        assert.match(JSON.stringify(second.body), /asked for fewer requests; this list waits another \d+ s/);
        assert.equal(other.seen.length, asked, 'the vendor is left alone');
      } finally {
        await other.close();
      }
    });
  });
});
