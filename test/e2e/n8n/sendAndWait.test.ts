import assert from 'node:assert/strict';
import { bytesOf } from '../../../shared/mailServer/imap/store.js';
import { startMail, type Mail } from '../../sandbox/mail.js';
import { openEditor, type Editor } from './editor.js';
import type { Host } from './host.js';
import { needPrograms } from './install.js';
import { eventually } from './processes.js';
import { theHome, theHost } from './scene.js';
import {
  chain,
  ended,
  executionsOf,
  mail as ours,
  plain,
  published,
  readExecution,
  runWorkflow,
  saveCredential,
  saveWorkflow,
} from './workflows.js';

describe('a test run, the list of actions, and Send and Wait for Response, in the editor', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  let mail: Mail;
  let editor: Editor;
  let saved: { id: string; name: string };
  const ANN = 'u0@test.local';
  const BOB = 'u1@test.local';
  before(async function () {
    this.timeout(45 * 60_000);
    await needPrograms('chromium');
    home = await theHome();
    host = await theHost();
    mail = await startMail();
    saved = await saveCredential(host, 'imap', 'Ann', {
      preset: 'custom',
      user: ANN,
      password: 'pass0',
      imapHost: mail.imap.host,
      imapPort: mail.imap.tlsPort,
      imapSecurity: 'tls',
      smtpHost: mail.smtp.host,
      smtpPort: mail.smtp.tlsPort,
      smtpSecurity: 'tls',
      allowedCertificate: mail.ca,
    });
    editor = await openEditor(host, home);
  });
  after(async () => {
    await editor?.close();
    await mail?.close();
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      await editor?.shot(`failed-${this.currentTest.title.replace(/\W+/g, '-').slice(0, 60)}`);
  });

  it('a test of Sync Trigger with nothing to show gives no item, and sends nothing behind it', async () => {
    const trigger = ours(
      'Sync Trigger',
      'syncTrigger',
      { authentication: 'password', event: 'messageReceived', filters: { subject: 'zzz-matches-nothing' } },
      'imap',
      saved,
    );
    const send = ours(
      'Send',
      'send',
      {
        authentication: 'password',
        resource: 'message',
        operation: 'send',
        to: BOB,
        subject: '=New: {{ $json.subject }}',
        text: 'x',
      },
      'imap',
      saved,
    );
    const { id } = await saveWorkflow(host, chain('Test run', trigger, send), {});
    for (let i = 0; i < 5; i++) mail.deliver(ANN, { subject: `Question ${i}`, text: 'Hello.' });
    const run = await runWorkflow(host, home, id, 'Sync Trigger');
    assert.deepEqual([run.status, run.ran], ['error', ['Sync Trigger']]);
    assert.match(run.error!, /there is nothing to show: none of the latest passes the filters/);
    assert.equal(mail.folder(BOB).messages.length, 0);
    await editor.page.goto(`${host.url}/workflow/${id}`);
    await editor.page.locator('[data-test-id="canvas-node"]', { hasText: 'Sync Trigger' }).first().waitFor();
    await editor.spot('execute-workflow-button').first().click();
    await editor.page.locator('text=/nothing to show/').first().waitFor();
    await editor.shot('test-run-nothing');
  });

  it('the list of actions shows a group for each provider', async () => {
    await editor.newWorkflow();
    await editor.spot('canvas-plus-button').first().click();
    for (const words of ['gmail', 'send email', 'new email', 'block sender']) {
      await editor.spot('node-creator-search-bar').fill(words);
      await editor.page
        .locator('[data-test-id="node-creator-item-name"]', { hasText: /Mailbox|Send|Sync Trigger|Spam List/ })
        .first()
        .waitFor();
      await editor.shot(`creator-${words.replace(' ', '-')}`);
    }
    await editor.spot('node-creator-search-bar').fill('mailbox');
    await editor.page
      .locator('[data-test-id="node-creator-item-name"]', { hasText: /^\s*Mailbox\s*$/ })
      .first()
      .click();
    await editor.page
      .locator('[data-test-id="node-creator-item-name"]', { hasText: 'On message received' })
      .first()
      .waitFor();
    await editor.shot('creator-mailbox-triggers');
    await editor.page
      .locator('[data-test-id="node-creator-category-item"]:visible', { hasText: /Actions \(/ })
      .first()
      .click();
    await editor.page.locator('text=/IMAP and SMTP/').first().waitFor();
    await editor.shot('creator-mailbox');
  });

  it('a trigger of Mailbox brings the latest message, and starts one execution for a new one', async () => {
    await editor.newWorkflow();
    await editor.spot('canvas-plus-button').first().click();
    await editor.spot('node-creator-search-bar').fill('mailbox');
    await editor.page
      .locator('[data-test-id="node-creator-item-name"]', { hasText: /^\s*Mailbox\s*$/ })
      .first()
      .click();
    await editor.page
      .locator('[data-test-id="node-creator-item-name"]', { hasText: 'On message changed' })
      .first()
      .click();
    await editor.account('Ann');
    await editor.shot('mailbox-trigger-added');
    assert.match(
      await editor.spot('parameter-input-event').first().locator('input').inputValue(),
      /Message Changed/,
      'the event that was clicked',
    );
    await editor.choose('event', 'Message Received');
    await editor.run();
    await editor.shot('mailbox-trigger-fetched');
    assert.match((await editor.spot('output-panel').first().textContent())!, /Question 4/);
    await editor.closeNode();
    const id = /workflow\/([^/?]+)/.exec(editor.page.url())![1]!;
    const idles = () => mail.imap.seen.commands.filter(({ name }) => name === 'IDLE').length;
    const before = idles();
    // As a person publishes it: while it is open in the editor, n8n lets nobody else.
    await editor.spot('workflow-open-publish-modal-button').first().click();
    await editor.spot('workflow-publish-button').first().click();
    await published(host, id);
    await eventually('the trigger to wait for news', () => idles() > before, 60_000);
    mail.deliver(ANN, { subject: 'New for the trigger of Mailbox' });
    await eventually(
      'one execution',
      async () => (await executionsOf(host, id)).some(({ mode, status }) => mode === 'trigger' && status === 'success'),
      60_000,
    );
    await editor.page.goto(`${host.url}/home/workflows`);
    await eventually(
      'the editor to let go of it',
      async () => (await host.ask('POST', `/rest/workflows/${id}/deactivate`, {})).status === 200,
      60_000,
      1_000,
    );
  });

  it('what was picked for a reply does not stand in the message of Send and Wait', async () => {
    await editor.newWorkflow();
    await editor.add('Send', 'send', 'Reply to a message', 'IMAP and SMTP');
    await editor.account('Ann');
    await editor.pick('message', 'Question 3', 'Question 3');
    await editor.choose('operation', 'Send and Wait');
    const text = editor.spot('parameter-input-text').first().locator('textarea').first();
    await text.waitFor();
    await editor.shot('send-and-wait-form');
    assert.equal(await text.inputValue(), '');
    assert.equal(await editor.spot('parameter-input-message').count(), 0);
  });

  it('a folder is typed by its name; a node made before, where the editor called that an ID, works as it did', async () => {
    const { id } = await saveWorkflow(
      host,
      chain('Made before', {
        ...ours(
          'State of INBOX',
          'mailbox',
          {
            authentication: 'password',
            resource: 'folder',
            operation: 'status',
            folder: { __rl: true, mode: 'id', value: 'INBOX' },
          },
          'imap',
          saved,
        ),
        typeVersion: 1,
      }),
      {},
    );
    await editor.page.goto(`${host.url}/workflow/${id}`);
    await editor.page
      .locator('[data-test-id="canvas-node"]', { hasText: 'State of INBOX' })
      .first()
      .click({ clickCount: 2 });
    const folder = editor
      .spot('parameter-input-folder')
      .first()
      .locator('[data-test-id="rlc-input-container"] input, input')
      .last();
    await folder.waitFor();
    assert.equal(await folder.inputValue(), 'INBOX');
    await editor.run();
    assert.match((await editor.spot('output-panel').first().textContent())!, /INBOX/);
    await editor.spot('rlc-mode-selector').first().click();
    await editor.page.locator('.el-select-dropdown__item:visible', { hasText: 'By Name' }).first().waitFor();
    await editor.shot('folder-by-name');
  });

  it('asks by mail, waits over a restart of n8n, decides nothing when the link is opened, and goes on with the answer', async () => {
    const ask = ours(
      'Ask',
      'send',
      {
        authentication: 'password',
        resource: 'message',
        operation: 'sendAndWait',
        to: BOB,
        subject: 'Pay invoice 7?',
        text: 'Five euros to Carol.\nShall we?',
        responseType: 'approval',
        approvalOptions: { values: { approvalType: 'double' } },
      },
      'imap',
      saved,
    );
    const { id } = await saveWorkflow(
      host,
      chain('Approval', plain('Start', 'manualTrigger'), ask, plain('Done', 'noOp')),
      {},
    );
    const { executionId } = await host.rest('POST', `/workflows/${id}/run`, {
      workflowData: await host.rest('GET', `/workflows/${id}`),
      triggerToStartFrom: { name: 'Start' },
    });
    const message = await eventually('the mail', () => mail.folder(BOB).messages.at(-1), 60_000);
    await eventually(
      'the execution to wait',
      async () => (await readExecution(host, home, executionId)).status === 'waiting',
      30_000,
    );
    const text = bytesOf(message).toString().replace(/=\r\n/g, '').replace(/=3D/g, '=');
    const link = /Approve:\r\n(http\S+)/.exec(text)![1]!;
    const other = /Decline:\r\n(http\S+)/.exec(text)![1]!;
    await host.stop();
    await host.start();
    await host.login();
    const forged = await fetch(other.replace('approved=false', 'approved=true'));
    assert.equal(forged.status, 401, 'the signature covers the answer');
    await editor.page.goto(link);
    await editor.page.locator('text=/Shall we/').first().waitFor();
    await editor.shot('send-and-wait-page');
    assert.equal((await readExecution(host, home, executionId)).status, 'waiting', 'opened, and nothing decided');
    await editor.page.locator('button[type=submit]').first().click();
    await editor.page.locator('text=/Your response was recorded/').first().waitFor();
    await editor.shot('send-and-wait-thanks');
    const done = await ended(host, home, executionId);
    assert.equal(done.status, 'success', done.error);
    assert.equal(done.outputs('Done')[0]!.json.data.approved, true);
    assert.equal(mail.folder(BOB).messages.length, 1, 'asked once');
  });
});
