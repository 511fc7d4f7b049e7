import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { accountOf as imapAccountOf } from '../../providers/imapAccount.js';
import { startMail } from '../../sandbox/mail.js';
import { startContextIo } from '../../sandbox/contextIo.js';
import { startOutreach } from '../../sandbox/outreach.js';
import { startRackspace } from '../../sandbox/rackspace.js';
import { startScaleway } from '../../sandbox/scaleway.js';
import { deliver, sentBy, startSodium } from '../../sandbox/sodium.js';
import type { Vendor } from '../../sandbox/vendor.js';
import type { Host } from './host.js';
import { theHome, theHost } from './scene.js';
import {
  accountOf,
  runWorkflow,
  saveCredential,
  saveWorkflow,
  signedIn,
  type Execution,
  type WorkflowJson,
} from './workflows.js';

const folder = join(__dirname, '../../templates');

describe('the templates', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  const vendors: Record<string, Vendor> = {};
  const credentials: Record<string, { id: string; name: string }> = {};
  before(async function () {
    this.timeout(30 * 60_000);
    [host, home] = [await theHost(), await theHome()];
    const starts = {
      scaleway: startScaleway,
      sodium: startSodium,
      rackspace: startRackspace,
      outreach: startOutreach,
      contextIo: startContextIo,
    };
    for (const [provider, start] of Object.entries(starts)) {
      const vendor = (vendors[provider] = await start());
      credentials[provider] = await saveCredential(
        host,
        provider,
        `${provider} for templates`,
        provider === 'outreach' ? signedIn(accountOf(vendor)) : accountOf(vendor),
      );
    }
  });
  after(() => Promise.all(Object.values(vendors).map(vendor => vendor.close())));

  async function play(file: string, start = 'When clicking ‘Execute workflow’'): Promise<Execution> {
    const workflow = JSON.parse(readFileSync(join(folder, file), 'utf8')) as WorkflowJson;
    const { id } = await saveWorkflow(host, workflow, credentials);
    const execution = await runWorkflow(host, home, id, start, 150_000);
    assert.equal(execution.status, 'success', `${file}: ${execution.error}`);
    return execution;
  }
  const json = (execution: Execution, node: string) => execution.outputs(node).map(item => item.json);

  it('are seven', () => assert.equal(readdirSync(folder).filter(name => name.endsWith('.json')).length, 7));

  it('onboarding: a mailbox, an alias, a welcome mail', async () => {
    const execution = await play('1-onboarding.json');
    assert.deepEqual(
      json(execution, 'Create the Mailbox').map(({ email }) => email),
      ['grace.hopper@mail.example.com'],
    );
    assert.deepEqual(
      json(execution, 'Give an Alias').map(({ email }) => email),
      ['grace@mail.example.com'],
    );
    const mail = sentBy(vendors.sodium!).at(-1)!;
    assert.deepEqual(
      mail.to.map(({ email }) => email),
      ['grace@home.example'],
    );
    assert.match(mail.htmlBody!, /grace\.hopper@mail\.example\.com.*grace@mail\.example\.com/s);
    assert.doesNotMatch(mail.htmlBody!, /Change-me/);
  });

  it('offboarding: switched off, and deleted after the grace period', async () => {
    const execution = await play('2-offboarding.json');
    assert.equal(json(execution, 'Switch Off and Forward')[0]!.status, 'disabled');
    assert.equal(execution.outputs('Delete').length, 1);
    assert.equal(execution.outputs('Kept').length, 0);
  });

  it('support inbox: a message becomes a ticket, with the same files where it has some', async () => {
    const tickets = () =>
      sentBy(vendors.sodium!).filter(mail => mail.to.some(({ email }) => email === 'tickets@helpdesk.example'));
    const without = await play('3-support-tickets.json', 'Sync Trigger');
    assert.equal(without.outputs('Open a Ticket').length, 1);
    assert.match(tickets()[0]!.subject, /^\[.+@.+\] VAT return 70$/);
    assert.equal(without.outputs('Mark as Read').length, 1);
    deliver(vendors.sodium!, { subject: 'The scan', files: true });
    const files = await play('3-support-tickets.json', 'Sync Trigger');
    assert.equal(files.outputs('Open a Ticket with Files').length, 1);
    assert.deepEqual(
      tickets()[1]!.attachments.map(({ fileName, bytes }) => `${fileName} ${bytes.length > 5_000_000}`),
      ['logo.png false', 'scan.pdf true'],
    );
  });

  it('audit: findings of all providers in one table', async () => {
    const execution = await play('4-nightly-audit.json');
    const rows = json(execution, 'Write the Table');
    for (const provider of ['Scaleway', 'Sodium', 'Context.IO', 'Rackspace Exchange'])
      assert.ok(
        rows.some(row => row.provider === provider),
        `${provider} in ${JSON.stringify(rows.map(row => row.provider))}`,
      );
    assert.ok(
      rows.some(
        row => row.mailbox === 'john.smith@example.com' && row.finding === 'forwards to john@elsewhere.example',
      ),
    );
    assert.ok(
      !rows.some(row => String(row.finding).startsWith('not readable')),
      JSON.stringify(rows.filter(row => String(row.finding).startsWith('not readable'))[0]),
    );
    assert.ok(execution.outputs('Mailboxes at Outreach').length > 0);
  });

  it('spam report: every reported sender is blocked at every mailbox, once', async () => {
    const execution = await play('5-spam-report.json');
    const pairs = json(execution, 'Every Pair').map(({ email, sender }) => `${email} ${sender}`);
    assert.ok(pairs.length > 3);
    assert.equal(new Set(pairs).size, pairs.length);
    assert.equal(execution.outputs('Block').length, pairs.length);
    assert.equal(execution.outputs('Not Blocked').length, 0);
  });

  it('conversation to task: unread conversations are linked to the task of the same name and read', async () => {
    deliver(vendors.sodium!, { subject: 'No task has this name' });
    const execution = await play('6-conversation-to-task.json');
    const linked = json(execution, 'Read It');
    assert.ok(linked.length > 0);
    const topics = json(execution, 'Same Name').map(({ topic }) => topic as string);
    linked.forEach((one, i) =>
      assert.ok(
        (one.tasks as { name: string }[]).some(({ name }) => name === topics[i]),
        topics[i],
      ),
    );
    assert.equal(execution.outputs('Mark as Read').length, linked.length);
  });

  it('out of office: the next absence of a calendar is the automatic reply on the mail server, and without one it is cleared', async () => {
    const mail = await startMail();
    const time = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:]|\.\d+/g, '');
    const event = (summary: string, from: number, to: number) => [
      'BEGIN:VEVENT',
      `SUMMARY:${summary}`,
      `DTSTART:${time(from)}`,
      `DTEND:${time(to)}`,
      'END:VEVENT',
    ];
    let events = [
      event('Vacation last year', -400, -380),
      event('Lunch', 1, 2),
      event('Winter vaca\r\n tion\\, at last', 3, 9),
      event('Vacation', 30, 40),
    ];
    const server = createServer((_, response) => {
      response.end(['BEGIN:VCALENDAR', ...events.flat(), 'END:VCALENDAR', ''].join('\r\n'));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    try {
      const account = imapAccountOf(mail, 0);
      const saved = await saveCredential(host, 'imap', 'IMAP for templates', account);
      const workflow = JSON.parse(readFileSync(join(folder, '7-out-of-office.json'), 'utf8')) as WorkflowJson;
      const settings = workflow.nodes.find(({ name }) => name === 'Settings')!.parameters.assignments.assignments as {
        name: string;
        value: string;
      }[];
      settings.find(({ name }) => name === 'calendarUrl')!.value =
        `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const { id } = await saveWorkflow(host, workflow, { imap: saved });
      const play = async () => {
        const execution = await runWorkflow(host, home, id, 'When clicking ‘Execute workflow’', 150_000);
        assert.equal(execution.status, 'success', execution.error);
        return execution;
      };
      const script = () => mail.sieve.of(String(account.user)).texts.get('mailroom')!;
      assert.equal(json(await play(), 'Next Absence')[0]!.summary, 'Winter vacation, at last');
      assert.match(script(), /vacation :days 7 :subject "Out of office"/);
      assert.ok(script().includes(`"${new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10)}`), script());
      events = [event('Lunch', 1, 2)];
      assert.deepEqual((await play()).outputs('Clear It').length, 1);
      assert.doesNotMatch(script(), /vacation :days/);
    } finally {
      server.close();
      await mail.close();
    }
  });
});
