import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startMailServers, stories, type Expected, type Started, type World } from '../../tools/demo.js';
import { openGate, type Gate } from '../../nodes/workbench.js';
import { startContextIo } from '../../sandbox/contextIo.js';
import { bytesOf } from '../../../shared/mailServer/imap/store.js';
import type { Mail } from '../../sandbox/mail.js';
import { startOutreach } from '../../sandbox/outreach.js';
import { startRackspace } from '../../sandbox/rackspace.js';
import { startScaleway } from '../../sandbox/scaleway.js';
import { startSodium } from '../../sandbox/sodium.js';
import type { Vendor } from '../../sandbox/vendor.js';
import type { Host } from './host.js';
import { eventually } from './processes.js';
import { theHome, theHost } from './scene.js';
import {
  accountOf,
  activate,
  byId,
  chain,
  deactivate,
  download,
  executionsOf,
  mail as node,
  pick,
  plain,
  readExecution,
  runWorkflow,
  saveCredential,
  saveWorkflow,
  signedIn,
  testCredential,
  type Execution,
  type Item,
  type WorkflowJson,
  type WorkflowNode,
} from './workflows.js';

const read = (file: string) => JSON.parse(readFileSync(join(__dirname, '../../demo', file), 'utf8')) as WorkflowJson;
type Saved = Record<string, { id: string; name: string }>;

/** Holds every step to what the demo expects of it. */
async function holds(
  expected: Record<string, Expected>,
  outputs: (name: string) => Item[],
  world: Omit<World, 'given' | 'file'>,
  host: Host,
) {
  const whole: World = {
    ...world,
    given: name => outputs(name).map(item => item.json),
    file: name => download(host, outputs(name)[0]!.binary!.data),
  };
  for (const [name, { items, holds: test }] of Object.entries(expected)) {
    const found = outputs(name);
    assert.equal(found.length, items, name);
    assert.equal(
      (await test?.(
        found.map(item => item.json),
        whole,
      )) || undefined,
      undefined,
      name,
    );
  }
}

describe('the demo story of five providers', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  let gate: Gate;
  const vendors: Record<string, Vendor> = {};
  const credentials: Saved = {};
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
    for (const [provider, start] of Object.entries(starts)) vendors[provider] = await start();
    gate = await openGate(vendors.contextIo!.url);
    for (const [provider, vendor] of Object.entries(vendors)) {
      const account = accountOf(vendor);
      credentials[provider] = await saveCredential(
        host,
        provider,
        `${provider} for a story`,
        provider === 'outreach'
          ? signedIn({ ...account, accessToken: 'ended' })
          : provider === 'contextIo'
            ? { ...account, baseUrl: gate.url }
            : account,
      );
    }
  });
  after(async () => {
    await gate?.close();
    await Promise.all(Object.values(vendors).map(vendor => vendor.close()));
  });

  it('every step gives what it should', async () => {
    const file = '2-five-providers.json';
    const workflow = read(file);
    const expected = stories[file]!;
    const last = 'List New Messages';
    // Mail arrives between two nodes: while the first question for it waits at the door.
    gate.hold = path => /\/messages\b/.test(path);
    const { id } = await saveWorkflow(host, workflow, credentials);
    const running = runWorkflow(
      host,
      home,
      id,
      workflow.nodes.find(({ type }) => type.endsWith('manualTrigger'))!.name,
      120_000,
    );
    running.catch(() => {});
    await Promise.race([
      eventually('the question for new messages', () => gate.held.length === 2, 120_000, 50),
      running.then(({ error }) => {
        throw new Error(`It ended before: ${error}`);
      }),
    ]);
    const made = gate.held.map(({ path }) => ({ id: /\/accounts\/([^/]+)\//.exec(path)![1]! }));
    const world = { vendor: (name: string) => vendors[name]! as Started, mail: undefined as never };
    await expected[last]!.before!({ ...world, given: () => made, file: async () => '' });
    gate.hold = undefined;
    for (const one of gate.held.splice(0)) one.release();
    const execution = await running;
    assert.equal(execution.status, 'success', execution.error);
    await holds(expected, name => execution.outputs(name), world, host);
  });
});

describe('an IMAP account in n8n', function () {
  this.timeout(300_000);
  let host: Host;
  let home: string;
  let servers: Started;
  let mail: Mail;
  let ann: { id: string; name: string };
  let bob: { id: string; name: string };
  const active: string[] = [];
  before(async function () {
    this.timeout(30 * 60_000);
    [host, home] = [await theHost(), await theHome()];
    servers = await startMailServers();
    mail = servers.mail!;
    ann = await saveCredential(host, 'imap', 'Ann', servers.accounts!['mailroom-imap-ann']!);
    bob = await saveCredential(host, 'imap', 'Bob', servers.accounts!['mailroom-imap-bob']!);
  });
  after(async () => {
    for (const id of active) await deactivate(host, id).catch(() => {});
    await servers?.close();
  });

  const ANN = 'ann@mail.test';
  const BOB = 'bob@mail.test';
  const imap = (name: string, type: string, parameters: Record<string, unknown>, saved = ann): WorkflowNode =>
    node(name, type, { authentication: 'password', ...parameters }, 'imap', saved);
  async function run(...nodes: WorkflowNode[]): Promise<Execution> {
    const { id } = await saveWorkflow(host, chain('Mail', plain('Start', 'manualTrigger'), ...nodes), {});
    const execution = await runWorkflow(host, home, id, 'Start');
    assert.equal(execution.status, 'success', execution.error);
    return execution;
  }
  /** Published, with the server saying by itself what is new. */
  async function follow(id: string) {
    const idles = () => mail.imap.seen.commands.filter(({ name }) => name === 'IDLE').length;
    const before = idles();
    active.push(id);
    await activate(host, id);
    await eventually('the trigger to wait for news', () => idles() > before, 60_000);
  }
  /** Executions that the trigger started, once there are so many and all have ended. */
  async function triggered(id: string, count: number) {
    const found = async () => (await executionsOf(host, id)).filter(({ mode }) => mode === 'trigger');
    await eventually(
      `${count} executions of the trigger`,
      async () =>
        (await found()).filter(({ status }) => !['new', 'running', 'waiting'].includes(status)).length >= count,
      60_000,
    );
    return Promise.all((await found()).map(one => readExecution(host, home, one.id)));
  }
  const subjects = (user: string, folder?: string) =>
    mail
      .folder(user, folder)
      .messages.map(one => /^Subject: (.*)\r$/m.exec(String(bytesOf(one)))?.[1])
      .sort();
  /** A message of Bob's to Ann, sent by the Send node with a file made on the spot. */
  const send = (subject: string, text = 'Hello Ann.', more: Record<string, unknown> = {}) =>
    run(
      plain(
        'File',
        'set',
        {
          assignments: { assignments: [{ id: '1', name: 'text', type: 'string', value: `a,b\n1,${subject}\n` }] },
          options: {},
        },
        3.4,
      ),
      plain(
        'Make',
        'convertToFile',
        {
          operation: 'toText',
          sourceProperty: 'text',
          binaryPropertyName: 'data',
          options: { fileName: 'figures.csv' },
        },
        1.1,
      ),
      imap(
        'Send',
        'send',
        { resource: 'message', operation: 'send', to: `Ann <${ANN}>`, subject, text, attachments: 'data', ...more },
        bob,
      ),
    );

  it('its test button: both sides are tried, and a wrong password is said to be wrong without being shown', async () => {
    const good = servers.accounts!['mailroom-imap-ann']!;
    const logins = () => [mail.imap.seen.logins.length, mail.smtp.seen.logins.length];
    const before = logins();
    const { status, message } = await testCredential(host, 'imap', good);
    assert.equal(status, 'OK', message);
    assert.match(message!, /^The account answers on both sides\./);
    assert.deepEqual(
      logins(),
      before.map(count => count + 1),
      'IMAP and SMTP were asked',
    );
    const bad = await testCredential(host, 'imap', { ...good, password: 'not-her-secret' });
    assert.equal(bad.status, 'Error');
    assert.match(bad.message!, /refused the login of ann@mail\.test/);
    assert.doesNotMatch(bad.message!, /not-her-secret/);
    const stranger = await testCredential(host, 'imap', { ...good, allowedCertificate: '' });
    assert.equal(stranger.status, 'Error', 'a certificate nobody vouches for');
    assert.match(stranger.message!, /certificate/i);
  });

  it('Send, and what arrives: folders, messages, and an attachment as binary data', async () => {
    const sent = await send('Figures of May');
    assert.equal(sent.outputs('Send')[0]!.json.outcome, 'done');
    assert.deepEqual(
      mail.smtp.seen.messages.map(one => one.to),
      [[ANN]],
    );
    const folders = await run(imap('Folders', 'mailbox', { resource: 'folder', operation: 'list', returnAll: true }));
    assert.ok(
      folders.outputs('Folders').some(({ json }) => json.id === 'INBOX'),
      JSON.stringify(folders.outputs('Folders').map(({ json }) => json.id)),
    );
    const execution = await run(
      imap('List', 'mailbox', {
        resource: 'message',
        operation: 'list',
        returnAll: true,
        filters: { subject: 'Figures' },
      }),
      imap('Read', 'mailbox', { resource: 'message', operation: 'get', message: byId('={{ $json.id }}') }),
      imap('File', 'mailbox', {
        resource: 'attachment',
        operation: 'get',
        message: byId('={{ $json.id }}'),
        attachment: byId('={{ $json.attachments[0].id }}'),
      }),
    );
    const [message] = execution.outputs('Read');
    const [file] = execution.outputs('File');
    assert.deepEqual(
      [message!.json.from.email, message!.json.subject, message!.json.text.trim()],
      [BOB, 'Figures of May', 'Hello Ann.'],
    );
    assert.equal(file!.binary!.data.fileName, 'figures.csv');
    assert.equal(await download(host, file!.binary!.data), 'a,b\n1,Figures of May\n');
    const { body } = await pick(
      host,
      imap('M', 'mailbox', { resource: 'message', operation: 'get', message: byId('') }),
      'message',
      'message',
    );
    assert.deepEqual(
      body.data.results.map(({ value }: { value: string }) => value),
      [message!.json.id],
      JSON.stringify(body),
    );
  });

  it('Sync Trigger: a message starts one execution at once, and is moved after success only', async () => {
    assert.deepEqual(subjects(ANN), ['Figures of May']);
    const trigger = imap('News', 'syncTrigger', {
      event: 'messageReceived',
      filters: { fetch: 'full' },
      afterSuccess: 'move',
      moveTo: 'Archive',
    });
    // Subjects that are no number make an execution fail.
    const check = plain(
      'Check',
      'set',
      {
        assignments: { assignments: [{ id: '1', name: 'n', type: 'number', value: '={{ $json.subject }}' }] },
        options: {},
      },
      3.4,
    );
    const { id } = await saveWorkflow(host, chain('Move', trigger, check), {});
    await follow(id);
    const began = Date.now();
    await send('1');
    const [first, ...others] = await triggered(id, 1);
    assert.equal(others.length, 0);
    assert.equal(first!.status, 'success', first!.error);
    const [item] = first!.outputs('News');
    assert.deepEqual([item!.json.subject, item!.json.from.email, item!.json.attachments.length], ['1', BOB, 1]);
    assert.ok(!('state' in item!.json), 'the state of the trigger is for tests');
    assert.equal(await download(host, Object.values(item!.binary!)[0]), 'a,b\n1,1\n');
    await eventually('the message to be moved', () => subjects(ANN, 'Archive').length === 1, 30_000);
    assert.deepEqual([subjects(ANN), subjects(ANN, 'Archive')], [['Figures of May'], ['1']]);
    const arrived = mail.smtp.seen.messages.at(-1)!.at;
    const started = first!.raw.resultData.runData.News[0].startTime as number;
    assert.ok(
      started - arrived < 20_000 && arrived >= began,
      `${started - arrived} ms: told at once and not found by the look of every minute`,
    );
    await send('not a number');
    const all = await triggered(id, 2);
    assert.deepEqual(all.map(({ status }) => status).sort(), ['error', 'success']);
    const manual = await runWorkflow(host, home, id, 'News');
    // The latest few are those of the folder now, with the state of the one that follows.
    const [shown] = manual.outputs('News');
    assert.deepEqual(
      ['status', 'news', 'folders', 'executions'].map(key => shown!.json.stateDetails[key]),
      ['following', 'pushed', 'INBOX', 2],
      JSON.stringify(shown!.json.stateDetails),
    );
    assert.deepEqual(subjects(ANN), ['Figures of May', 'not a number'], 'neither a failure nor a test moves a message');
    await deactivate(host, id);
  });

  it('Sync Trigger: marks as read after success, and loses nothing while it is not active', async () => {
    const { id } = await saveWorkflow(
      host,
      chain(
        'Mark',
        imap('News', 'syncTrigger', {
          event: 'messageReceived',
          filters: { subject: 'Mark', fetch: 'envelope' },
          afterSuccess: 'markRead',
        }),
        plain('Done', 'noOp'),
      ),
      {},
    );
    await follow(id);
    await deactivate(host, id);
    mail.deliver(ANN, { subject: 'Mark 1' });
    mail.deliver(ANN, { subject: 'Leave me' });
    await follow(id);
    mail.deliver(ANN, { subject: 'Mark 2' });
    const found = await triggered(id, 2);
    assert.deepEqual(found.flatMap(one => one.outputs('News').map(({ json }) => json.subject)).sort(), [
      'Mark 1',
      'Mark 2',
    ]);
    const seen = () =>
      mail
        .folder(ANN)
        .messages.filter(one => one.flags.includes('\\Seen'))
        .map(one => /^Subject: (.*)\r$/m.exec(String(bytesOf(one)))?.[1])
        .sort();
    await eventually(
      'both to be marked',
      () => {
        if (seen().length !== 2) throw new Error(`Marked are: ${seen().join(', ')}`);
        return true;
      },
      30_000,
    );
    assert.deepEqual(seen(), ['Mark 1', 'Mark 2']);
    await deactivate(host, id);
  });

  it('the demo story of mail that arrives: sent, found, downloaded, flagged, answered, once', async () => {
    // A fresh pair of servers, as the story expects nothing but its own mail.
    const own = await startMailServers();
    const credentials: Saved = {};
    for (const [key, account] of Object.entries(own.accounts!))
      credentials[key] = await saveCredential(host, 'imap', `${key} of the story`, account);
    const file = '3-mail-arrives.json';
    const workflow = read(file);
    const expected = stories[file]!;
    const store = own.mail!;
    const { id } = await saveWorkflow(host, workflow, credentials);
    const waiting = () => store.imap.seen.commands.filter(({ name }) => name === 'IDLE').length;
    try {
      await activate(host, id);
      await eventually('the trigger to wait for news', () => waiting() > 0, 60_000);
      const byHand = await runWorkflow(
        host,
        home,
        id,
        workflow.nodes.find(({ type }) => type.endsWith('manualTrigger'))!.name,
      );
      assert.equal(byHand.status, 'success', byHand.error);
      const [arrived] = await triggered(id, 1);
      assert.equal(arrived!.status, 'success', arrived!.error);
      const outputs = (name: string) => (name in { 'Send the Report': 1 } ? byHand : arrived!).outputs(name);
      await holds(expected, outputs, { vendor: () => own, mail: store }, host);
      await deactivate(host, id);
      const before = store.imap.seen.commands.length;
      await activate(host, id);
      await eventually(
        'two more looks',
        () => store.imap.seen.commands.slice(before).filter(({ name }) => name === 'UID SEARCH').length > 1,
        60_000,
      );
      assert.equal((await triggered(id, 1)).length, 1, 'again nothing');
    } finally {
      await deactivate(host, id).catch(() => {});
      await own.close();
    }
  });
});
