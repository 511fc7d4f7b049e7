import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { createAccounts } from '../../extension/accounts/store.js';
import type { registerLocalMailCommands } from '../../extension/localMail/commands.js';
import type { askMisbehaviour } from '../../extension/localMail/misbehave.js';
import type { createLocalMail } from '../../extension/localMail/server.js';
import { FORMATS } from '../../extension/localMail/settings.js';
import { connect, providerById, startMailServer, type MailServerOptions } from '../../shared/index.js';
import { pretended, withVscode } from './host.js';

type Made = {
  createAccounts: typeof createAccounts;
  createLocalMail: typeof createLocalMail;
  registerLocalMailCommands: typeof registerLocalMailCommands;
};
const state = (kept = new Map<string, unknown>()) => ({
  get: (key: string, usual?: unknown) => kept.get(key) ?? usual,
  keys: () => [...kept.keys()],
  update: async (key: string, value: unknown) => {
    if (value === undefined) kept.delete(key);
    else kept.set(key, value);
  },
});

describe('the local mail server in the window', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  async function window(
    workspace = state(),
    answers: Record<string, unknown> = {},
    folder = mkdtempSync(join(tmpdir(), 'mailroom-window-')),
  ) {
    const host = pretended(answers);
    const copied: string[] = [];
    Object.assign(host.vscode.env, {
      clipboard: {
        writeText: async (text: string) => {
          copied.push(text);
        },
      },
    });
    Object.assign(host.vscode.window, {
      setStatusBarMessage: (text: string) => {
        host.said.push(text);
      },
      showQuickPick: async (items: { label: string }[], { title }: { title: string }) => {
        const want = answers[title];
        return Array.isArray(want)
          ? items.filter(one => want.includes(one.label))
          : items.find(one => one.label === want);
      },
      showInputBox: async ({ title, validateInput }: { title: string; validateInput(value: string): unknown }) => {
        const want = String(answers[`${title}:`]);
        assert.equal(await validateInput(want), undefined);
        return want;
      },
    });
    const modules = await Promise.all([
      withVscode<Pick<Made, 'createAccounts'>>('accounts/store.ts', host.vscode),
      withVscode<Pick<Made, 'createLocalMail'>>('localMail/server.ts', host.vscode),
      withVscode<Pick<Made, 'registerLocalMailCommands'>>('localMail/commands.ts', host.vscode),
    ]);
    const made = Object.assign({}, ...modules) as Made;
    const accounts = made.createAccounts({
      state: state() as never,
      secrets: {
        get: async () => undefined,
        store: async () => {},
        delete: async () => {},
        onDidChange: () => ({ dispose() {} }),
      } as never,
      ask: async () => undefined,
      changed() {},
      observe() {},
      storeFailed() {},
    });
    const start = (options: MailServerOptions) => startMailServer({ smtp: 0, imap: 0, ...options, folder });
    const localMail = made.createLocalMail({
      accounts,
      folder,
      state: workspace as never,
      log: { info() {}, error() {} },
      start,
    });
    const commands = new Map<string, () => Promise<unknown>>();
    made.registerLocalMailCommands({
      register: (name, run) => {
        commands.set(name, run as () => Promise<unknown>);
      },
      localMail,
      showMail: async () => {},
    });
    ends.push(
      () => rmSync(folder, { recursive: true, force: true }),
      () => {
        localMail.dispose();
        accounts.dispose();
      },
    );
    return { ...host, accounts, localMail, copied, folder, run: (name: string) => commands.get(name)!() };
  }

  it('is started once, and its account is there: it can be opened, read and written to without a question', async () => {
    const { accounts, localMail } = await window();
    const [server, again] = await Promise.all([localMail.begin(), localMail.begin()]);
    assert.equal(server, again);
    const [account] = accounts.list();
    assert.deepEqual(
      [accounts.list().length, account!.name, account!.has?.includes('rule'), account!.local],
      [1, 'Local Mail', false, `SMTP ${server.smtp.port}, IMAP ${server.imap.port}`],
    );
    const client = await accounts.open(account!.id);
    await client.call('account.check', {});
    await client.call('message.send', {
      to: ['ann@example.com'],
      subject: 'Hello',
      text: 'Hi',
      from: 'me@example.com',
    });
    assert.equal(server.messages >= 1, true);
    await localMail.end();
    assert.deepEqual(accounts.list(), []);
  });
  it('comes back with the window that it ran in, with its mail, and not after it was stopped', async () => {
    const workspace = state();
    const first = await window(workspace);
    const server = await first.localMail.begin();
    const post = createTransport({ host: server.host, port: server.smtp.port });
    await post.sendMail({ from: 'a@example.com', to: 'b@example.com', subject: 'Kept', text: 'x' });
    post.close();
    first.localMail.dispose();
    await server.close();
    const second = await window(workspace, {}, first.folder);
    second.localMail.resume();
    const back = await second.localMail.now();
    assert.equal(back?.messages, 1);
    const names: unknown[] = [];
    for await (const one of connect(providerById(back!.provider), back!.account).call('message.list', {}))
      names.push((one as { subject: string }).subject);
    assert.deepEqual(names, ['Kept']);
    await second.localMail.end();
    const third = await window(workspace, {}, first.folder);
    third.localMail.resume();
    assert.equal(await third.localMail.now(), undefined);
  });
  it('commands copy settings, switch, clear and stop; a row says what is switched on', async () => {
    const { accounts, localMail, copied, run, said } = await window(state(), {
      'Copy Mail Settings': 'Django',
      'Simulate Failures': ['Refuse a Recipient', 'Over Quota', 'Limit the Size'],
      'Refuse a Recipient:': '@example.com',
      'Limit the Size:': '5000',
      'Delete all mail': 'Delete All Mail',
    });
    await run('startLocalMail');
    const server = (await localMail.now())!;
    assert.match(
      said.join('\n'),
      /takes mail for every address at 127\.0\.0\.1, port \d+\. Nothing leaves this machine\./,
    );
    await run('copyMailSettings');
    assert.match(copied[0]!, new RegExp(`EMAIL_HOST = "127.0.0.1"\nEMAIL_PORT = ${server.smtp.port}\n`));
    await run('misbehave');
    assert.deepEqual(server.misbehaving, { refuse: '@example.com', overQuota: true, sizeLimit: 5000 });
    assert.match(accounts.list()[0]!.local!, /^SMTP \d+, IMAP \d+ · Refuse a Recipient · Over Quota · Limit the Size$/);
    await run('clearLocalMail');
    assert.ok(said.some(text => text.startsWith('Delete all mail of the local mail server?')));
    await run('stopLocalMail');
    assert.deepEqual([accounts.list(), await localMail.now()], [[], undefined]);
    await run('copyMailSettings');
    assert.equal(said.at(-1), 'The local mail server is not running.');
  });
  it('whoever gives up a question about switches changes nothing', async () => {
    const host = pretended();
    const { askMisbehaviour: ask } = await withVscode<{ askMisbehaviour: typeof askMisbehaviour }>(
      'localMail/misbehave.ts',
      {
        ...host.vscode,
        window: {
          ...host.vscode.window,
          showQuickPick: async (items: { key: string }[]) => items,
          showInputBox: async () => undefined,
        },
      },
    );
    assert.equal(await ask({ overQuota: true }), undefined);
  });
  it('settings are those of each program', () => {
    const where = { host: '127.0.0.1', smtp: 1026, imap: 1144 };
    assert.deepEqual(
      FORMATS.map(({ label }) => label),
      ['.env', 'Docker Compose', 'Nodemailer', 'Django', 'Rails', 'Laravel', 'Spring'],
    );
    for (const { label, text } of FORMATS) assert.match(text(where), /1026/, label);
  });
});
