import './fakeVscode.js';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  connect,
  MailError,
  providerById,
  startMailServer,
  type MailServer,
  type Provider,
} from '../../shared/index.js';
import { createModel, type BranchNode, type Model } from '../../extension/tree/model.js';
import { MOST_FOLDERS, MOST_ROWS, Search, type Found } from '../../extension/search/search.js';
import { whyOf } from '../../extension/search/view.js';

const provider = providerById('imap') as Provider;

describe('a search in all accounts', function () {
  this.timeout(60_000);
  let server: MailServer;
  /** Takes connections and never says a word. */
  let silent: Server;
  const sockets = new Set<Socket>();
  before(async () => {
    server = await startMailServer({ smtp: 0, imap: 0 });
    silent = createServer(socket => sockets.add(socket));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await server.close();
  });

  type Account = { id: string; name: string; provider: Provider; values: Record<string, unknown> };
  const good = (): Account => ({ id: 'good', name: 'Good', provider, values: { ...server.account } });
  const slow = (): Account => ({
    ...good(),
    id: 'slow',
    name: 'Slow',
    values: { ...server.account, imapPort: (silent.address() as AddressInfo).port },
  });
  const away = (): Account => ({ ...good(), id: 'away', name: 'Away', values: { ...server.account, imapPort: 1 } });
  const others = (): Account => ({
    id: 'other',
    name: 'Other',
    provider: providerById('outreach') as Provider,
    values: {},
  });

  function searching(accounts: Account[], ready: (id: string) => boolean = () => true) {
    const opened: string[] = [];
    const timers = new Set<() => void>();
    const heard = new Set<() => void>();
    const open = async (id: string, signal?: AbortSignal) => {
      opened.push(id);
      return connect(accounts.find(one => one.id === id)!.provider, accounts.find(one => one.id === id)!.values, {
        ...(signal ? { signal } : {}),
      });
    };
    const search: Search = new Search({
      accounts: { list: () => accounts, open, ready: async (id: string) => ready(id) } as never,
      model: createModel({ accounts: () => accounts, open, changed() {} }),
      changed: () => {
        for (const one of [...heard]) one();
      },
      later: run => {
        timers.add(run);
        return () => timers.delete(run);
      },
    });
    const until = (is: () => boolean) =>
      new Promise<void>(resolve => {
        const look = () => {
          if (!is()) return;
          heard.delete(look);
          resolve();
        };
        heard.add(look);
        look();
      });
    const of = (id: string): Found => search.found.find(({ account }) => account.id === id)!;
    return { search, opened, of, until, timers };
  }
  const put = async (folder: string, subject: string, text = 'Words') => {
    const client = connect(provider, server.account);
    const source = Buffer.from(`From: Ann <ann@x.example>\r\nSubject: ${subject}\r\n\r\n${text}\r\n`);
    await client.call('message.append', {
      folder,
      file: {
        name: 'm.eml',
        type: 'message/rfc822',
        size: source.length,
        open: async function* () {
          yield source;
        },
      },
    });
  };

  it('finds messages in the folders of an account, the inbox first, but not in Trash', async () => {
    for (const folder of ['Archive', 'INBOX', 'Trash']) await put(folder, `Invoice in ${folder}`);
    const { search, of } = searching([good(), others()]);
    await search.start('invoice');
    assert.deepEqual(
      search.found.map(({ account, standing }) => [account.id, standing]),
      [['good', 'done']],
    );
    assert.deepEqual(
      of('good').rows.map(({ label, parent }) => [label, parent?.kind === 'branch' && parent.rows!.length]),
      [
        ['Invoice in INBOX', 1],
        ['Invoice in Archive', 1],
      ],
    );
    await search.start('no such word anywhere');
    assert.deepEqual([of('good').rows, of('good').standing], [[], 'done']);
  });
  it('is held up by no account that is slow or cannot be reached, and says so of each', async () => {
    await put('INBOX', 'Report');
    const { search, of, until, timers } = searching([slow(), away(), good()]);
    const going = search.start('report');
    await until(() => of('good').standing === 'done' && of('away').standing === 'failed');
    assert.deepEqual([of('slow').standing, search.searching, of('good').rows.length], ['searching', true, 1]);
    for (const run of [...timers]) run();
    await going;
    assert.deepEqual([of('slow').standing, search.searching, timers.size], ['late', false, 0]);
    assert.match(String(of('away').error), /127\.0\.0\.1/);
  });
  it('can be stopped, and what was found stays', async () => {
    await put('INBOX', 'Standstill');
    const { search, of, until } = searching([slow(), good()]);
    const going = search.start('standstill');
    await until(() => of('good').standing === 'done');
    search.stop();
    await going;
    assert.deepEqual([of('slow').standing, of('good').standing, of('good').rows.length], ['stopped', 'done', 1]);
  });
  it('asks nobody for a secret', async () => {
    const { search, of, opened } = searching([good()], () => false);
    await search.start('x');
    assert.deepEqual([of('good').standing, opened], ['signIn', []]);
  });
  it('shows so many of an account and no more', async () => {
    for (let i = 0; i <= MOST_ROWS; i++) await put('INBOX', `Series ${i}`);
    const { search, of } = searching([good()]);
    await search.start('series');
    assert.deepEqual([of('good').standing, of('good').rows.length], ['more', MOST_ROWS]);
  });
  it('lets a message go that was moved or deleted', async () => {
    const { search, of } = searching([good()]);
    await search.start('report');
    const [row] = of('good').rows;
    assert.ok(search.has(row) && search.gone(row));
    assert.deepEqual([search.has(row), search.gone(row), of('good').rows.length], [false, false, 0]);
    assert.deepEqual((row!.parent as BranchNode).rows, [], 'the reader does not go on to it');
  });
  /** A search in one account whose folders, and what is listed in each, are given. */
  function among(folders: readonly string[], listed: (folder: string) => AsyncGenerator<Record<string, unknown>>) {
    const account = good();
    const client = {
      call: async function* () {
        for (const id of folders) yield { id, name: id };
      },
    };
    const model = { listed: (node: BranchNode) => listed(node.binding.refs.folder!) } as unknown as Model;
    const accounts = { list: () => [account], open: async () => client, ready: async () => true } as never;
    return new Search({ accounts, model, changed() {} });
  }
  it('goes on after a folder that cannot be read, says so, and fails only where none could be', async () => {
    const closed = new Set(['INBOX']);
    const search = among(['INBOX', 'Archive'], async function* (folder) {
      if (closed.has(folder)) throw new MailError('not_found', `There is no ${folder}.`);
      yield { id: `1 ${folder}`, subject: `In ${folder}` };
    });
    await search.start('x');
    const [found] = search.found as [Found];
    assert.deepEqual([found.standing, found.rows.length], ['done', 1]);
    assert.deepEqual(whyOf(found), ['Some folders could not be read.']);
    closed.add('Archive');
    await search.start('x');
    assert.deepEqual([search.found[0]!.standing, search.found[0]!.rows.length], ['failed', 0]);
  });
  it('searches the inbox first also where it is the last of too many folders, and says that not all were', async () => {
    const asked: string[] = [];
    const folders = [...Array.from({ length: MOST_FOLDERS }, (_, i) => `F${i}`), 'INBOX'];
    const search = among(folders, async function* (folder) {
      asked.push(folder);
    });
    await search.start('x');
    assert.deepEqual([asked[0], asked.length], ['INBOX', MOST_FOLDERS]);
    assert.deepEqual(whyOf(search.found[0]!), ['Only the first 200 folders were searched.']);
  });
});
