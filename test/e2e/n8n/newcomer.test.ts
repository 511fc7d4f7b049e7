import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { providers } from '../../../shared/index.js';
import { openEditor, type Editor } from './editor.js';
import { prepareHost, type Host } from './host.js';
import { needPrograms } from './install.js';
import { eventually, start, type Running } from './processes.js';
import { theHome } from './scene.js';

const root = join(__dirname, '../../..');

/** Programs that were started for this folder, by what they were told or what stands in their environment. */
const programsOf = (folder: string): string[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap(pid => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return command && (command.includes(folder) || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(folder))
          ? [`${pid} ${command.slice(0, 120)}`]
          : [];
      } catch {
        return [];
      }
    });

/** The walk of the README from `npm start`, through the interface only. */
describe('a newcomer, from npm start', function () {
  this.timeout(300_000);
  let folder: string;
  let stack: Running;
  let host: Host;
  let editor: Editor;
  let trigger: string;
  let sender: string;
  let began = 0;
  /** `npm start` until it says where to go; what it says. */
  async function npmStart(): Promise<string> {
    stack = start('npm start', 'npm', ['start', '--', `--folder=${folder}`], { cwd: root });
    await stack.until(/^ {4}SMTP /, 280_000);
    return stack.lines.join('\n');
  }
  async function ctrlC() {
    // To the whole group, as a terminal does.
    process.kill(-stack.pid, 'SIGINT');
    await Promise.race([
      stack.ended,
      new Promise((_, reject) => setTimeout(() => reject(new Error('npm start did not end')), 45_000).unref()),
    ]);
    await eventually('everything to be gone', () => programsOf(folder).length === 0, 5_000).catch(() =>
      assert.deepEqual(programsOf(folder), []),
    );
  }
  before(async function () {
    this.timeout(45 * 60_000);
    await needPrograms('chromium');
    await theHome();
    folder = mkdtempSync(join(tmpdir(), 'mailroom-start-'));
  });
  after(async function () {
    await editor?.close().catch(() => undefined);
    if (stack?.alive) await ctrlC();
    await stack?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      await editor?.shot(`failed-${this.currentTest.title.replace(/\W+/g, '-').slice(0, 60)}`).catch(() => undefined);
  });
  const output = async () => (await editor.spot('output-panel').first().textContent())!;
  /**
   * How many executions n8n has of the workflow with the trigger. Its tab says for a moment that there are none, so it
   * is not what is counted.
   */
  const executions = async () => {
    const { results } = (await host.rest(
      'GET',
      `/executions?filter=${encodeURIComponent(JSON.stringify({ workflowId: trigger }))}&limit=50`,
    )) as { results: unknown[] };
    return results.length;
  };
  /** Looks at them in their tab, as a person would. */
  async function lookAtExecutions() {
    await editor.page.goto(`${host.url}/workflow/${trigger}/executions`);
    await editor.page
      .locator('[data-test-id="current-executions-list"] [data-test-id="execution-time"]')
      .first()
      .waitFor();
  }
  const idOf = () => /workflow\/([^/?]+)/.exec(editor.page.url())![1]!;

  it('is told where to open n8n and how to log in', async () => {
    const said = await npmStart();
    began = Date.now();
    const [, url, email, password] = /Open +(http:\S+)\n +log in +(\S+)\n +password +(\S+)\n/.exec(said)!;
    host = await prepareHost({ home: await theHome(), userFolder: folder, port: Number(new URL(url!).port) });
    await host.login();
    editor = await openEditor(host, await theHome(), { email: email!, password: password! });
    await editor.page.locator('text=Move mailboxes, block senders, undo a deletion').first().waitFor();
    await editor.shot('newcomer-1-home');
  });
  it('creates a mailbox with the Mailbox node', async () => {
    await editor.newWorkflow();
    await editor.add('Mailbox', 'mailbox', 'Create a mailbox', 'Scaleway Mailbox');
    await editor.shot('newcomer-2-mailbox');
    await editor.pick('domain_id', 'mail.example', 'mail.example.com');
    await editor.spot('parameter-input-local_part').first().locator('input').fill('new.person');
    await editor.spot('parameter-input-password').first().locator('input').fill('Correct-horse-9-battery');
    await editor.choose('subscription_period', 'Monthly');
    await editor.run();
    await editor.shot('newcomer-3-created');
    assert.match(await output(), /new\.person@mail\.example\.com/);
    await editor.closeNode();
  });
  it('blocks a sender with Spam List', async () => {
    await editor.add('Spam List', 'spam', 'Add an entry to a spam list of a mailbox', 'Rackspace Email');
    await editor.pick('mailbox', 'alex', 'alex.smith@example.com');
    await editor.choose('list', 'Blocked Senders');
    await editor.spot('parameter-input-value').first().locator('input').fill('pest@spam.example');
    await editor.run();
    await editor.shot('newcomer-4-blocked');
    assert.match(await output(), /pest@spam\.example/);
    await editor.closeNode();
    await editor.shot('newcomer-5-canvas');
  });
  it('publishes a workflow with Sync Trigger, sends a mail, and sees it fire', async () => {
    await editor.newWorkflow();
    await editor.add('Sync Trigger', 'sync trigger');
    await editor.choose('provider', 'IMAP and SMTP');
    await editor.account('IMAP of Ann');
    await editor.run();
    await editor.shot('newcomer-6-trigger');
    assert.match(await output(), /Lunch\?/);
    await editor.closeNode();
    await editor.spot('workflow-open-publish-modal-button').first().click();
    await editor.spot('workflow-publish-button').first().click();
    trigger = idOf();
    await eventually(
      'the workflow to be active',
      async () => (await host.rest('GET', `/workflows/${trigger}/publication-status`)).status === 'published',
      30_000,
    );
    await editor.shot('newcomer-7-published');
    const tested = await executions();

    await editor.newWorkflow();
    await editor.add('Send', 'send', 'Send a message', 'IMAP and SMTP');
    await editor.account('IMAP of Bob');
    await editor.spot('parameter-input-to').first().locator('input').fill('ann@mail.test');
    await editor.spot('parameter-input-subject').first().locator('input').fill('Does it fire?');
    await editor.run();
    await editor.shot('newcomer-8-sent');
    assert.match(await output(), /done/);
    await editor.closeNode();
    sender = idOf();
    await eventually('the trigger to fire', async () => (await executions()) === tested + 1, 45_000, 1_000);
    await lookAtExecutions();
    await editor.shot('newcomer-9-fired');
  });
  it('needed less than ten minutes', () =>
    assert.ok(Date.now() - began < 10 * 60_000, `${Math.round((Date.now() - began) / 1000)} s`));

  it('Ctrl-C stops everything, and leaves no process behind', ctrlC);
  it('a second start reuses everything: workflows, credentials, and the published trigger fires again', async () => {
    const said = await npmStart();
    assert.match(said, /What you built before is there/);
    assert.doesNotMatch(said, /Installing|Building|does not start/);
    await editor.close();
    host = await prepareHost({
      home: await theHome(),
      userFolder: folder,
      port: Number(/Open +http:\/\/[^:]+:(\d+)/.exec(said)![1]),
    });
    await host.login();
    assert.equal(((await host.rest('GET', '/workflows')) as unknown[]).length, 14);
    // One for each provider, and a second one for IMAP.
    assert.equal(((await host.rest('GET', '/credentials')) as unknown[]).length, providers.length + 1);
    editor = await openEditor(host, await theHome());
    const before = await executions();
    assert.ok(trigger && sender, 'the walk ended before it had both workflows');
    await editor.page.goto(`${host.url}/workflow/${sender}`);
    await editor.spot('execute-workflow-button').first().click();
    await editor.page.locator('text=/executed successfully/').first().waitFor();
    await eventually('the trigger to fire once more', async () => (await executions()) === before + 1, 60_000, 1_000);
    assert.deepEqual(editor.complaints, []);
    await ctrlC();
  });
});
