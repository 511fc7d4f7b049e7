import './fakeVscode.js';
import assert from 'node:assert/strict';
import { createTransport } from 'nodemailer';
import {
  connect,
  MailError,
  providerById,
  startMailServer,
  type MailServer,
  type Provider,
} from '../../shared/index.js';
import { createLive, type Live } from '../../extension/tree/live.js';
import {
  contextOf,
  createModel,
  describe as words,
  type AccountNode,
  type BranchNode,
  type Model,
} from '../../extension/tree/model.js';
import { Watch } from '../../extension/tree/watch.js';

const until = async (what: string, check: () => boolean, ms = 20_000): Promise<void> => {
  for (const end = Date.now() + ms; !check();) {
    if (Date.now() > end) throw new Error(`In vain waited for: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
};

describe('a watched account', function () {
  this.timeout(60_000);
  let server: MailServer;
  let post: ReturnType<typeof createTransport>;
  beforeEach(async () => {
    server = await startMailServer({ smtp: 0, imap: 0 });
    post = createTransport({ host: server.host, port: server.smtp.port } as object);
  });
  afterEach(async () => {
    post.close();
    await server.close();
  });
  const send = (subject: string) =>
    post.sendMail({ from: 'shop@example.com', to: 'ann@example.com', subject, text: 'Hello.' });

  /** A window: nothing of the tree is seen in it. `kept` is what the workspace remembers. */
  function windowOf(kept = new Map<string, unknown>(), remember = 'session') {
    const account = {
      id: 'a',
      name: 'Mine',
      provider: providerById(server.provider) as Provider,
      values: server.account,
    };
    const opened: string[] = [];
    /** Why the server, or the store of secrets, cannot be read. */
    const closed: { server?: Error | undefined; secrets?: Error | undefined } = {};
    const told: string[] = [];
    const timers = new Set<() => void>();
    const open = async (id: string, signal?: AbortSignal) => {
      opened.push(id);
      if (closed.server) throw closed.server;
      return connect(account.provider, server.account, signal ? { signal } : {});
    };
    const ready = async () => {
      if (closed.secrets) throw closed.secrets;
      return true;
    };
    const accounts = { list: () => [account], find: () => ({ remember }), ready, open } as never;
    const model: Model = createModel({
      accounts: () => [account],
      open,
      changed: () => watch.keep(),
      loaded: () => live.sync(),
    });
    const live: Live = createLive({
      accounts,
      model,
      failed() {},
      watched: id => watch.has(id),
      came: (inbox, rows) => watch.came(inbox, rows),
    });
    let wanted = true;
    const watch: Watch = new Watch({
      accounts,
      model,
      state: {
        get: (key: string) => kept.get(key),
        update: async (key: string, value: unknown) => void kept.set(key, value),
      } as never,
      changed: () => live.sync(),
      notify: () => (wanted ? text => told.push(text) : undefined),
      later: run => {
        timers.add(run);
        return () => timers.delete(run);
      },
    });
    return {
      model,
      watch,
      live,
      opened,
      closed,
      timers,
      told,
      kept,
      root: () => (model.children() as AccountNode[])[0]!,
      inbox: () =>
        (model.children((model.children() as AccountNode[])[0]!) as BranchNode[]).find(
          ({ branch }) => branch.resource === 'message',
        )!,
      quiet: () => {
        for (const run of [...timers]) {
          timers.delete(run);
          run();
        }
      },
      unwanted: () => {
        wanted = false;
      },
      close: () => {
        watch.dispose();
        live.dispose();
      },
    };
  }

  it('is followed though nobody sees it, counted in its row, and no longer once it is not watched', async () => {
    await send('One');
    const { watch, live, root, opened, told, close } = windowOf();
    try {
      watch.keep();
      live.sync();
      assert.deepEqual([opened, live.listening()], [[], []], 'nothing is asked of what is not watched');
      assert.match(contextOf(root()), /;can\.watch/);
      await watch.add('a');
      await until('it listens', () => live.listening().length === 1);
      assert.deepEqual([watch.unread(), told], [1, []], 'what was there is no news');
      assert.match(words(root()), /^1 unread/);
      assert.match(contextOf(root()), /;can\.stopWatching/);
      await send('Two');
      await until('it is counted', () => watch.unread() === 2);
      await until('it is told', () => told.length === 1);
      assert.equal(told[0], 'New message in Mine: Two');
      await watch.remove('a');
      assert.deepEqual([live.listening(), watch.unread(), words(root()).includes('unread')], [[], 0, false]);
    } finally {
      close();
    }
  });
  it('tells many messages in one notice, after a while', async () => {
    const { watch, live, told, quiet, close } = windowOf();
    try {
      await watch.add('a');
      await until('it listens', () => live.listening().length === 1);
      await send('First');
      await until('it is told', () => told.length === 1);
      for (let i = 0; i < 12; i++) await send(`More ${i}`);
      await until('all are there', () => watch.unread() === 13);
      assert.equal(told.length, 1);
      quiet();
      assert.deepEqual(told.slice(1), ['12 new messages in Mine']);
      quiet();
      assert.equal(told.length, 2, 'nothing came since');
    } finally {
      close();
    }
  });
  it('tells nobody who did not ask for it', async () => {
    const { watch, live, told, unwanted, close } = windowOf();
    unwanted();
    try {
      await watch.add('a');
      await until('it listens', () => live.listening().length === 1);
      await send('Quietly');
      await until('it is counted', () => watch.unread() === 1);
      assert.deepEqual(told, []);
    } finally {
      close();
    }
  });
  it('is watched again when the window comes back, not before the view does', async () => {
    const first = windowOf();
    await first.watch.add('a');
    first.close();
    const { watch, live, opened, close } = windowOf(first.kept);
    try {
      watch.keep();
      assert.deepEqual([opened, watch.has('a')], [[], false]);
      watch.resume();
      await until('it listens', () => live.listening().length === 1);
    } finally {
      close();
    }
  });
  it('goes on after everything was read again', async () => {
    const { watch, live, model, root, close } = windowOf();
    try {
      await watch.add('a');
      await until('it listens', () => live.listening().length === 1);
      await model.refresh(root());
      await until('it listens again', () => live.listening().length === 1);
      await send('Later');
      await until('it is counted', () => watch.unread() === 1);
    } finally {
      close();
    }
  });
  it('is read again after a reading that failed, though the rows of the one before are left', async () => {
    await send('One');
    const { watch, live, model, inbox, opened, closed, timers, quiet, close } = windowOf();
    try {
      await watch.add('a');
      await until('it listens', () => live.listening().length === 1);
      const list = inbox();
      const before = opened.length;
      closed.server = new MailError('unavailable', 'Not now.');
      await model.refresh(list);
      await until('it was tried once more', () => opened.length === before + 2 && !list.loading);
      assert.deepEqual([list.failed?.code, list.rows?.length, timers.size], ['unavailable', 1, 1]);
      closed.server = undefined;
      await send('Two');
      quiet();
      await until('it is read', () => !list.failed && watch.unread() === 2);
      assert.equal(timers.size, 0);
    } finally {
      close();
    }
  });
  it('is not read again where the login was refused', async () => {
    await send('One');
    const { watch, live, model, inbox, opened, closed, timers, close } = windowOf();
    try {
      await watch.add('a');
      await until('it listens', () => live.listening().length === 1);
      const list = inbox();
      const before = opened.length;
      closed.server = new MailError('unauthorized', 'Wrong password.');
      await model.refresh(list);
      watch.keep();
      assert.deepEqual([list.failed?.code, opened.length, timers.size], ['unauthorized', before + 1, 0]);
    } finally {
      close();
    }
  });
  it('is asked for again where its secrets could not be looked up', async () => {
    const { watch, live, closed, quiet, close } = windowOf();
    const unhandled: unknown[] = [];
    const hear = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', hear);
    try {
      closed.secrets = new Error('No such account.');
      await watch.add('a');
      await new Promise(resolve => setImmediate(resolve));
      assert.deepEqual(unhandled, []);
      closed.secrets = undefined;
      quiet();
      await until('it listens', () => live.listening().length === 1);
    } finally {
      process.off('unhandledRejection', hear);
      close();
    }
  });
  it('is none whose secret is to be forgotten', () => {
    const { watch, root } = windowOf(new Map(), 'never');
    assert.equal(watch.can(root().account), false);
  });
});
