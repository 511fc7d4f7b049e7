import './fakeVscode.js';
import assert from 'node:assert/strict';
import { createTransport } from 'nodemailer';
import { connect, providerById, startMailServer, type MailServer, type Provider } from '../../shared/index.js';
import { createLive, type Live } from '../../extension/tree/live.js';
import { createModel, describe as words, type BranchNode, type Model } from '../../extension/tree/model.js';
import { createTree } from '../../extension/tree/rows.js';

const until = async (what: string, check: () => boolean, ms = 20_000): Promise<void> => {
  for (const end = Date.now() + ms; !check();) {
    if (Date.now() > end) throw new Error(`In vain waited for: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
};

describe('an open list of messages', function () {
  this.timeout(60_000);
  let server: MailServer;
  let post: ReturnType<typeof createTransport>;
  beforeEach(async () => {
    server = await startMailServer({ smtp: 0, imap: 0 });
    post = createTransport({ host: server.host, port: server.smtp.port, pool: true, maxConnections: 1 } as object);
  });
  afterEach(async () => {
    post.close();
    await server.close();
  });
  const send = (subject: string) =>
    post.sendMail({ from: 'shop@example.com', to: 'ann@example.com', subject, text: 'Hello.' });

  async function shown(
    page = 5,
  ): Promise<{
    model: Model;
    live: Live;
    branch: BranchNode;
    subjects(): string[];
    failures: unknown[];
    close(): void;
  }> {
    const provider = providerById(server.provider) as Provider;
    const account = { id: 'a', name: 'Mine', provider, values: server.account };
    const failures: unknown[] = [];
    const open = async (_: string, signal?: AbortSignal) => connect(provider, server.account, signal ? { signal } : {});
    const model: Model = createModel({
      accounts: () => [account],
      open,
      changed() {},
      loaded: () => live.sync(),
      page,
    });
    const live: Live = createLive({
      accounts: { open, find: () => ({ remember: 'session' }) } as never,
      model,
      failed: (_, error) => failures.push(error),
    });
    live.seen(true);
    const [root] = (await model.children()) as never[];
    const branch = (await model.children(root)).find(
      one => one.kind === 'branch' && one.branch.resource === 'message',
    ) as BranchNode;
    await model.children(branch);
    return {
      model,
      live,
      branch,
      failures,
      subjects: () => (branch.rows ?? []).map(({ label }) => label),
      close: () => live.dispose(),
    };
  }

  it('shows new mail at the top, within a second, marked as unread and counted; follows flags and what is deleted', async () => {
    for (const subject of ['One', 'Two']) await send(subject);
    const { model, branch, subjects, live, close } = await shown();
    try {
      assert.deepEqual([subjects(), live.listening().length], [['Two', 'One'], 1]);
      await until('it listens', () => live.listening().length === 1);
      const one = branch.rows![1];
      for (const subject of ['Three', 'Four']) {
        await send(subject);
        await until(`${subject} is shown`, () => subjects()[0] === subject);
      }
      assert.deepEqual(
        [subjects(), words(branch), branch.rows![3] === one],
        [['Four', 'Three', 'Two', 'One'], '4 · 4 unread', true],
      );
      const tree = createTree({ model, icon: () => ({}) as never });
      const item = () =>
        tree.provider.getTreeItem(branch.rows![0]!) as {
          label: unknown;
          resourceUri?: { query: string };
          accessibilityInformation: { label: string };
        };
      assert.deepEqual(
        [item().label, item().resourceUri?.query, item().accessibilityInformation.label.split(', ').slice(0, 3)],
        ['Four', 'unread', ['Message', 'unread', 'Four']],
      );
      const client = connect(providerById('imap'), server.account);
      const [four, three] = branch.rows!.map(({ item: { id } }) => String(id));
      await client.call('message.mark', { message: four!, read: true });
      await until('it is read', () => words(branch) === '4 · 3 unread');
      assert.deepEqual([item().label, item().resourceUri], ['Four', undefined]);
      await client.call('message.delete', { message: three!, forever: true });
      await until('it is gone', () => subjects().join() === 'Four,Two,One');
    } finally {
      close();
    }
  });
  it('what comes in a burst is all there, older pages stay as they were read, and more can be loaded', async () => {
    for (let i = 1; i <= 12; i++) await send(`Old ${i}`);
    const { model, branch, subjects, close } = await shown();
    try {
      assert.deepEqual(subjects(), ['Old 12', 'Old 11', 'Old 10', 'Old 9', 'Old 8']);
      await model.more(branch);
      for (let i = 1; i <= 20; i++) await send(`New ${i}`);
      await until('all came', () => subjects()[0] === 'New 20' && subjects().length === 30);
      assert.deepEqual(new Set(subjects()).size, 30);
      while ((await model.children(branch)).some(one => one.kind === 'note' && one.note === 'more'))
        await model.more(branch);
      assert.deepEqual(subjects(), [
        ...Array.from({ length: 20 }, (_, i) => `New ${20 - i}`),
        ...Array.from({ length: 12 }, (_, i) => `Old ${12 - i}`),
      ]);
    } finally {
      close();
    }
  });
  it('is not asked for while it cannot be seen, and is right as soon as it can', async () => {
    await send('One');
    const { live, branch, model, subjects, close } = await shown();
    try {
      const [root] = await model.children();
      for (const [hide, show] of [
        [() => live.seen(false), () => live.seen(true)],
        [() => live.closed(branch), () => live.opened(branch)],
        [() => live.closed(root!), () => live.opened(root!)],
      ] as const) {
        const before = subjects().length;
        hide();
        assert.deepEqual(live.listening(), []);
        await send(`While hidden ${before}`);
        assert.equal(subjects().length, before);
        show();
        await until('it came', () => subjects().length === before + 1);
      }
    } finally {
      close();
    }
  });
  it('listens again when the server is back', async () => {
    const later: (() => void)[] = [];
    await send('One');
    const { model, branch, subjects, close } = await shown();
    close();
    const tries: unknown[] = [];
    const provider = providerById(server.provider) as Provider;
    const open = async (_: string, signal?: AbortSignal) => connect(provider, server.account, signal ? { signal } : {});
    const live = createLive({
      accounts: { open, find: () => ({ remember: 'keep' }) } as never,
      model,
      failed: (_, error) => tries.push(error),
      later: (run, ms) => {
        if (ms < 1000) {
          const one = setTimeout(run, ms);
          return () => clearTimeout(one);
        }
        later.push(run);
        return () => {};
      },
    });
    try {
      live.seen(true);
      const { port } = server.imap;
      const smtp = server.smtp.port;
      await until('it listens', () => live.listening().length === 1);
      await server.close();
      await until('it was told', () => tries.length > 0 && later.length > 0);
      server = await startMailServer({ smtp, imap: port });
      await send('After the break');
      later.shift()!();
      await until('it came', () => subjects()[0] === 'After the break');
      assert.ok(branch.rows);
    } finally {
      live.dispose();
    }
  });
  it('of an account whose secrets are to be forgotten, nothing is listened to', async () => {
    const { model, close } = await shown();
    close();
    const live = createLive({
      accounts: { open: assert.fail, find: () => ({ remember: 'never' }) } as never,
      model,
      failed() {},
    });
    live.seen(true);
    assert.deepEqual(live.listening(), []);
    live.dispose();
  });
});
