import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, providerById, take } from '../../../shared/index.js';
import { selfSigned } from '../../../shared/mailServer/imap/certificate.js';
import { letter } from '../../sandbox/corpus.js';
import { subjectsIn, type User } from '../mail/lab.js';
import { outbox, type Outbox } from '../mail/outbox.js';
import { startDovecot } from '../mail/servers/dovecot.js';
import { removeFolder, temporaryFolder } from '../mail/servers/process.js';
import type { ImapServer } from '../mail/servers/server.js';
import { openEditor, type Editor } from './editor.js';
import type { Host } from './host.js';
import { needPrograms } from './install.js';
import { theHome, theHost } from './scene.js';
import { mail, pick, saveCredential, saveWorkflow, testCredential, type WorkflowJson } from './workflows.js';

/* Rules of Dovecot with Pigeonhole, made by clicking in the editor and proved by delivering mail. */

type Any = any;
const HAND =
  'require ["fileinto", "imap4flags"];\r\n# von Hand, mit Umlaut: ü\r\n\r\nif header :contains "subject" "hand" { setflag "\\\\Seen"; }\r\n';
const WRITER = 'writer@gen.test.local';
const COPY = 'ben@elsewhere.example';

describe('rules on a mail server, in the editor', function () {
  this.timeout(300_000);
  const folder = temporaryFolder();
  const certificate = selfSigned();
  const user: User = { user: 'm0@test.local', password: 'pass0' };
  let host: Host;
  let home: string;
  let server: ImapServer;
  let out: Outbox;
  let editor: Editor;
  let saved: { id: string; name: string };
  let client: Any;
  const account = () => ({
    preset: 'custom',
    user: user.user,
    password: user.password,
    imapHost: 'localhost',
    imapPort: server.imapTlsPort,
    imapSecurity: 'tls',
    sievePort: server.sievePort,
    allowedCertificate: certificate.cert,
  });
  before(async function () {
    this.timeout(45 * 60_000);
    await needPrograms('chromium');
    [home, host] = [await theHome(), await theHost()];
    out = await outbox();
    server = await startDovecot({ folder, certificate, users: [user], outgoing: out.port });
    await server.deliver(user, letter({ to: user.user, subject: 'first' }));
    client = connect(providerById('imap'), account());
    await client.call('script.put', { script: 'by hand', text: HAND, activate: true });
    saved = await saveCredential(host, 'imap', 'Mail of m0', account());
    editor = await openEditor(host, home);
  });
  after(async () => {
    await editor?.close();
    await server?.close();
    await out?.close();
    removeFolder(folder);
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      await editor?.shot(`failed-${this.currentTest.title.replace(/\W+/g, '-').slice(0, 60)}`);
  });

  const deliver = (subject: string, more: Record<string, unknown> = {}) =>
    server.deliver(user, letter({ to: user.user, subject, ...more }));
  const found = (folder?: string) => subjectsIn(server.imapPort, user, folder);
  const field = (name: string) => editor.spot(`parameter-input-${name}`).first();
  const fill = (name: string, text: string) => field(name).locator('input, textarea').first().fill(text);
  const toggle = (name: string) => field(name).locator('[role=switch], .el-switch').first().click();
  const output = async () => (await editor.spot('output-panel').first().textContent())!;
  /** The button of a collection, and the entry of its menu where it has one. */
  async function addTo(button: string, entry?: string) {
    if (!entry) {
      await editor.page.locator('button:visible', { hasText: button }).last().click();
      return;
    }
    await editor.spot('collection-parameter-add').first().click();
    await editor.page
      .locator('.el-select-dropdown__item:visible, [role=option]:visible, [role=menuitem]:visible', {
        hasText: new RegExp(`^\\s*${entry}`),
      })
      .first()
      .click();
  }
  const dryRun = () => addTo('Add Option').then(() => toggle('dryRun'));
  /** A node of a new workflow, with its account. */
  async function open(node: string, search: string, action: string) {
    await editor.newWorkflow();
    await editor.add(node, search, action, 'IMAP and SMTP');
    await editor.account('Mail of m0');
  }

  it('the test of the account tells of the rules the server can keep', async () => {
    const { status, message } = await testCredential(host, 'imap', account());
    assert.equal(status, 'OK', message);
    assert.match(message!, /Sieve/);
    await editor.page.goto(`${host.url}/home/credentials/${saved.id}`);
    await editor.spot('node-credentials-config-container').waitFor();
    await field('sievePort').scrollIntoViewIfNeeded();
    await editor.shot('rules-credential');
  });

  it('Spam List: a sender, a domain and an address are blocked; a dry run shows the difference of the script', async () => {
    await open('Spam List', 'block sender', 'Add an entry to a spam list of a mailbox');
    await editor.choose('list', 'Blocked Senders');
    await fill('value', 'bad@one.example');
    await editor.shot('rules-block');
    await dryRun();
    await editor.run();
    await editor.shot('rules-block-dry-run');
    assert.match(await output(), /\+ {1,2}if|bad@one\.example/);
    assert.deepEqual(await take(client.call('spamList.list', { list: 'blockedSenders' }), 10), []);
    await toggle('dryRun');
    await editor.run();
    await editor.shot('rules-blocked');
    assert.match(await output(), /mailbox[^]*m0@test\.local/, 'the item says which mailbox it is');
    await fill('value', 'two.example');
    await editor.run();
    await editor.choose('list', 'Blocked IP Addresses');
    await fill('value', '192.0.2.0/24');
    await editor.run();
    await editor.choose('operation', 'Get Many');
    await editor.choose('list', 'Blocked Senders');
    await editor.run();
    await editor.shot('rules-block-list');
    assert.match(await output(), /bad@one\.example[^]*two\.example/);
    await editor.choose('operation', 'Add');
    await fill('value', 'two.example');
    await editor.spot('node-execute-button').first().click();
    await editor.page
      .locator('[data-test-id="output-panel"]', { hasText: /already on the list/ })
      .first()
      .waitFor();
    await editor.shot('rules-block-twice');
  });

  it('Automatic Reply: an absence of five days is set, after a dry run', async () => {
    await open('Mailbox', 'out of office', 'Set the automatic reply');
    await editor.shot('rules-reply-form');
    const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
    await fill('subject', 'Out of office');
    await fill('text', 'I am away until Monday.');
    for (const [name, text] of [
      ['start', `${day(-1)}T00:00:00`],
      ['end', `${day(4)}T00:00:00`],
    ] as const) {
      await fill(name, text);
      await editor.page.keyboard.press('Enter');
    }
    await dryRun();
    await editor.run();
    await editor.shot('rules-reply-dry-run');
    assert.match(await output(), /vacation/);
    await toggle('dryRun');
    await editor.run();
    await editor.shot('rules-reply-set');
    await editor.choose('operation', 'Get');
    await editor.run();
    await editor.shot('rules-reply-get');
    const reply = await client.call('autoReply.get', {});
    assert.deepEqual(
      [reply.set, reply.subject, reply.text, reply.start.slice(0, 10), reply.end.slice(0, 10)],
      [true, 'Out of office', 'I am away until Monday.', day(-1), day(4)],
    );
  });

  it('Forwarding: mail is forwarded, and a copy is kept', async () => {
    await open('Mailbox', 'forwarding', 'Forward mail that arrives to other addresses');
    await fill('addresses', COPY);
    await editor.shot('rules-forwarding');
    await editor.run();
    await editor.shot('rules-forwarded');
    assert.deepEqual((await client.call('forwarding.get', {})).addresses, [COPY]);
  });

  it('Rule: one is created with a folder from the list, read back, changed, moved, and found by its picker', async () => {
    await open('Mailbox', 'mail rule', 'Create a rule for mail that arrives');
    await editor.shot('rules-rule-form');
    await fill('name', 'Invoices');
    await fill('subject', 'Invoice');
    await editor.pick('moveTo', 'Arch', 'Archive');
    await toggle('markRead');
    await editor.shot('rules-rule');
    await editor.run();
    await editor.shot('rules-rule-created');
    await client.call('rule.create', { name: 'News', listId: ['news.example'], moveTo: 'Trash' });
    await editor.choose('operation', 'Get Many');
    await editor.run();
    await editor.shot('rules-rule-list');
    await editor.choose('operation', 'Update');
    await editor.pick('rule', 'Inv', 'Invoices');
    await addTo('Add Field', 'From Contains');
    await fill('from', 'shop.example');
    await editor.shot('rules-rule-update');
    await editor.run();
    await editor.choose('operation', 'Move');
    await editor.pick('rule', 'News', 'News');
    await fill('position', '1');
    await editor.run();
    await editor.shot('rules-rule-moved');
    const rules: Any[] = await take(client.call('rule.list', {}), 10);
    assert.deepEqual(
      rules.map(({ name, from, subject, moveTo }) => [name, from, subject, moveTo]),
      [
        ['News', undefined, undefined, 'Trash'],
        ['Invoices', ['shop.example'], ['Invoice'], 'Archive'],
      ],
    );
  });

  it('Script: what is on the server is listed, read through its picker, checked, and refused in words', async () => {
    await open('Mailbox', 'sieve', 'Create a rule for mail that arrives');
    await editor.choose('resource', 'Script');
    await editor.choose('operation', 'Get Many');
    await editor.run();
    await editor.shot('rules-script-list');
    await editor.choose('operation', 'Get');
    await editor.pick('script', 'hand', 'by hand');
    await editor.run();
    await editor.shot('rules-script-get');
    assert.match(await output(), /von Hand, mit Umlaut: ü/);
    await editor.choose('operation', 'Put');
    assert.equal(
      await field('script').locator('input').last().inputValue(),
      'by hand',
      'what was picked stands there by its name',
    );
    await editor.shot('rules-script-put');
    await editor.spot('rlc-mode-selector').first().click();
    await editor.page.locator('.el-select-dropdown__item:visible', { hasText: 'By Name' }).first().click();
    await field('script').locator('[data-test-id="rlc-input-container"] input, input').last().fill('mine');
    await fill('text', 'require ["nosuch"];\nkeep;');
    await editor.spot('node-execute-button').first().click();
    await editor.page
      .locator('[data-test-id="output-panel"]', { hasText: /nosuch/ })
      .first()
      .waitFor();
    await editor.shot('rules-script-refused');
    await editor.choose('operation', 'Check');
    await editor.run();
    await editor.shot('rules-script-check');
  });

  it('pickers of folders, rules and scripts search by name', async () => {
    const node = (resource: string, operation: string) =>
      mail('M', 'mailbox', { authentication: 'password', resource, operation }, 'imap', saved);
    for (const [resource, operation, parameter, filter, wanted] of [
      ['rule', 'get', 'rule', 'inv', 'Invoices'],
      ['script', 'get', 'script', 'mailroom', 'mailroom'],
      ['folder', 'get', 'folder', 'junk', 'Junk'],
    ] as const) {
      const { body } = await pick(host, node(resource, operation), parameter, parameter, { filter });
      assert.ok(
        (body.data?.results as { name: string }[] | undefined)?.some(({ name }) => name.includes(wanted)),
        `${parameter}: ${JSON.stringify(body).slice(0, 500)}`,
      );
    }
  });

  it('mail that is delivered is blocked, answered once, forwarded and filed, and the script from before is at work and unchanged', async () => {
    await deliver('blocked one', { from: 'Bad <BAD@one.example>' });
    await deliver('blocked two', { from: 'x@two.example' });
    await server.deliver(
      user,
      Buffer.concat([
        Buffer.from(
          'Received: from mx.example (mx.example [192.0.2.7])\r\n\tby test.local; Mon, 30 Nov 2026 10:00:00 +0000\r\n',
        ),
        letter({ from: 'ann@fine.example', subject: 'blocked three' }),
      ]),
    );
    await deliver('hello', { from: WRITER });
    await deliver('hello again', { from: WRITER });
    await deliver('Invoice 7', { from: 'orders@shop.example' });
    await deliver('by hand', { from: WRITER });
    const copies = await out.to(COPY, 4);
    assert.deepEqual(
      copies.map(({ source }) => /^Subject: (.*)$/m.exec(source)![1]!.trim()),
      ['hello', 'hello again', 'Invoice 7', 'by hand'],
    );
    assert.deepEqual(await found('Junk'), ['blocked one', 'blocked two', 'blocked three']);
    assert.deepEqual(await found('Archive'), ['Invoice 7 (seen)']);
    assert.deepEqual(await found(), ['first', 'hello', 'hello again', 'by hand (seen)']);
    // Replies go to whom LMTP names as the sender; every letter here has the same.
    const answers = out.sent.filter(({ source }) => /^Subject: Out of office/m.test(source));
    assert.equal(answers.length, 1, 'answered once');
    assert.match(answers[0]!.source, /I am away until Monday\./);
    assert.equal((await client.call('script.get', { script: 'by hand' })).text, HAND);
  });

  it('the template "Out of office from a calendar" is shown whole', async () => {
    const template = JSON.parse(
      readFileSync(join(__dirname, '../../templates/7-out-of-office.json'), 'utf8'),
    ) as WorkflowJson;
    const { id } = await saveWorkflow(host, template, { imap: saved });
    await editor.page.goto(`${host.url}/workflow/${id}`);
    await editor.page.locator('[data-test-id="canvas-node"]', { hasText: 'Set the Automatic Reply' }).first().waitFor();
    await editor.spot('zoom-to-fit').first().click();
    await editor.page.waitForTimeout(1_000);
    await editor.shot('rules-template');
    assert.equal(
      await editor.page.locator('[data-test-id="canvas-node"]', { hasText: /install this node/i }).count(),
      0,
    );
  });

  it('had nothing to complain about', () => assert.deepEqual(editor.complaints, []));
});
