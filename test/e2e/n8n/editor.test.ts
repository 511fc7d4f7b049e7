import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRackspace } from '../../sandbox/rackspace.js';
import { startScaleway } from '../../sandbox/scaleway.js';
import { deliver, startSodium } from '../../sandbox/sodium.js';
import type { Vendor } from '../../sandbox/vendor.js';
import { openEditor, type Editor } from './editor.js';
import type { Host } from './host.js';
import { needPrograms } from './install.js';
import { eventually } from './processes.js';
import { theHome, theHost } from './scene.js';
import { accountOf, executionsOf, published, saveCredential, saveWorkflow, type WorkflowJson } from './workflows.js';

describe('the editor', function () {
  this.timeout(300_000);
  let host: Host;
  let editor: Editor;
  let vendors: Vendor[];
  let scaleway: Vendor;
  let sodium: Vendor;
  before(async function () {
    this.timeout(45 * 60_000);
    await needPrograms('chromium');
    host = await theHost();
    vendors = await Promise.all([startScaleway({ domains: 120 }), startSodium(), startRackspace()]);
    [scaleway, sodium] = vendors as [Vendor, Vendor];
    for (const vendor of vendors)
      await saveCredential(
        host,
        vendor.id,
        `${vendor.id[0]!.toUpperCase()}${vendor.id.slice(1)} account`,
        accountOf(vendor),
      );
    editor = await openEditor(host, await theHome());
  });
  after(async () => {
    await editor?.close();
    await Promise.all(vendors?.map(vendor => vendor.close()) ?? []);
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      await editor?.shot(`failed-${this.currentTest.title.replace(/\W+/g, '-').slice(0, 60)}`);
  });

  it('Mailbox: found in the panel, an action sets provider and operation, a mailbox is searched, the output is seen', async () => {
    await editor.newWorkflow();
    await editor.add('Mailbox', 'mailbox', 'Get many mailboxes of the organization');
    await editor.shot('mailbox-added');
    assert.match(await editor.spot('parameter-input-provider').first().locator('input').inputValue(), /Scaleway/);
    await editor.run();
    await editor.shot('mailbox-output');
    await editor.choose('operation', 'Get');
    await editor.pick('mailbox', 'user017', 'user017@mail.example.com');
    await editor.shot('mailbox-picked');
    await editor.run();
    assert.match((await editor.spot('output-panel').first().textContent())!, /user017@mail\.example\.com/);
    await editor.shot('mailbox-one');
    assert.ok(
      scaleway.seen.some(({ query }) => [...query.values()].includes('user017')),
      "the search was the provider's own",
    );
  });

  it('Mailbox: the provider can be changed in the node, and a form is filled in and run dry', async () => {
    await editor.choose('provider', 'Rackspace Email');
    await editor.shot('mailbox-rackspace');
    await editor.choose('provider', 'Scaleway Mailbox');
    await editor.choose('operation', 'Create');
    await editor.shot('mailbox-create');
    await editor.choose('operation', 'Delete');
    await editor.pick('mailbox', 'user018', 'user018@mail.example.com');
    // The only option is added at once.
    await editor.page.locator('button:visible', { hasText: 'Add Option' }).last().click();
    await editor.spot('parameter-input-dryRun').first().locator('[role=switch], .el-switch').first().click();
    const writes = () => scaleway.seen.filter(({ method }) => method !== 'GET').length;
    const before = writes();
    await editor.run();
    await editor.shot('mailbox-dry-run');
    assert.match((await editor.spot('output-panel').first().textContent())!, /dryRun/);
    assert.equal(writes(), before, 'nothing was written');
  });

  it('Mailbox: a draft is written in the form itself, without adding fields', async () => {
    await editor.newWorkflow();
    await editor.add('Mailbox', 'mailbox', 'Create a draft', 'IMAP and SMTP');
    await editor.shot('draft-added');
    for (const name of ['kind', 'to', 'subject', 'text'])
      assert.ok(await editor.spot(`parameter-input-${name}`).first().isVisible(), name);
    assert.equal(await editor.spot('parameter-input-message').count(), 0, 'a new mail answers nothing');
    await editor.choose('kind', 'Reply');
    await editor.spot('parameter-input-message').first().waitFor();
    await editor.shot('draft-reply');
  });

  for (const [node, search, action] of [
    ['Alias', 'alias', 'Get many aliases'],
    ['Spam List', 'spam', 'Add an entry to a spam list of a mailbox'],
    ['Send', 'send', 'Send a new email from one mailbox'],
  ] as const) {
    it(`${node}: found in the panel and added`, async () => {
      await editor.newWorkflow();
      await editor.add(node, search, action);
      await editor.shot(`${node.toLowerCase().replace(' ', '-')}-added`);
      assert.ok(await editor.spot('parameter-input-provider').first().isVisible());
      assert.ok(await editor.spot('parameter-input-operation').first().isVisible());
    });
  }

  it('Sync Trigger: fetches a test event, is published, and starts one execution for one new message', async () => {
    await editor.newWorkflow();
    await editor.add('Sync Trigger', 'sync trigger');
    await editor.shot('sync-trigger-added');
    await editor.choose('provider', 'Sodium');
    // Other files may have left credentials of other providers, and then none is chosen by itself.
    await editor.account('Sodium account');
    await editor.shot('sync-trigger-sodium');
    await editor.run();
    await editor.shot('sync-trigger-fetched');
    assert.match((await editor.spot('output-panel').first().textContent())!, /VAT return/);
    await editor.spot('collection-parameter-add').last().click();
    await editor.page
      .locator('.el-select-dropdown__item:visible, [role=option]:visible, [role=menuitem]:visible', {
        hasText: 'Check Every',
      })
      .first()
      .click();
    await editor.spot('parameter-input-interval').first().locator('input').first().fill('10');
    await editor.closeNode();
    await editor.shot('sync-trigger-canvas');
    await editor.spot('workflow-open-publish-modal-button').first().click();
    await editor.spot('workflow-publish-button').first().click();
    await editor.shot('sync-trigger-published');
    const id = /workflow\/([^/?]+)/.exec(editor.page.url())![1]!;
    await eventually(
      'the workflow to be active',
      async () => (await host.rest('GET', `/workflows/${id}`)).active === true,
      30_000,
    );
    await published(host, id);
    deliver(sodium, { subject: 'Seen by the trigger' });
    await eventually(
      'one execution',
      async () => (await executionsOf(host, id)).some(({ mode }) => mode === 'trigger'),
      40_000,
    );
    await editor.shot('sync-trigger-active');
  });

  it('shows a template whole', async () => {
    const template = JSON.parse(
      readFileSync(join(__dirname, '../../templates/2-offboarding.json'), 'utf8'),
    ) as WorkflowJson;
    const { id } = await saveWorkflow(host, template, {});
    await editor.page.goto(`${host.url}/workflow/${id}`);
    await editor.page.locator('[data-test-id="canvas-node"]', { hasText: 'Grace Period' }).first().waitFor();
    await editor.spot('zoom-to-fit').first().click();
    await editor.page.waitForTimeout(1_000);
    await editor.shot('template');
    assert.equal(
      await editor.page.locator('[data-test-id="canvas-node"]', { hasText: /install this node/i }).count(),
      0,
    );
  });

  it('had nothing to complain about', () => assert.deepEqual(editor.complaints, []));
});
