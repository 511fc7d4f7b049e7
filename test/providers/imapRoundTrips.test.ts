import assert from 'node:assert/strict';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect, isMailError, providerById, take, type Client } from '../../shared/index.js';
import { closeConnections, openConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startMail, type Mail, type MailOptions } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

const imap = providerById('imap');
const USER = 'u0@test.local';

/**
 * Stands between client and server in clear text and counts round trips: turns of the client after turns of the server.
 * The server's words are held for a moment, as on a long way, so that what goes out together is one turn. `cut` ends a
 * connection when it says so of what goes up.
 */
async function far(target: number) {
  const self = {
    port: 0,
    turns: 0,
    connections: 0,
    up: '',
    cut: undefined as ((up: string) => boolean) | undefined,
    server: undefined as unknown as Server,
  };
  self.server = createServer(client => {
    self.connections++;
    self.turns++;
    const upstream = connectTcp(target, '127.0.0.1');
    const held: Buffer[] = [];
    let spoken = true;
    const pass = () => {
      for (const chunk of held.splice(0)) client.write(chunk);
      spoken = true;
    };
    client.on('data', chunk => {
      if (spoken) {
        self.turns++;
        spoken = false;
      }
      self.up += chunk.toString('latin1');
      if (self.cut?.(chunk.toString('latin1'))) {
        client.destroy();
        upstream.destroy();
        return;
      }
      upstream.write(chunk);
    });
    let timer: NodeJS.Timeout | undefined;
    // Whatever the server says to one turn arrives together.
    upstream.on('data', (chunk: Buffer) => {
      held.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(pass, 25);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as [Socket, Socket][]) {
      one
        .on('error', () => other.destroy())
        .on('close', () => {
          pass();
          other.destroy();
        });
    }
  });
  await new Promise<void>(resolve => self.server.listen(0, '127.0.0.1', resolve));
  self.port = (self.server.address() as AddressInfo).port;
  return self;
}

describe('IMAP: round trips', function () {
  this.timeout(60_000);
  let mail: Mail;
  let way: Awaited<ReturnType<typeof far>>;
  let client: Client;
  const start = async (options: MailOptions = {}) => {
    mail = await startMail(options);
    way = await far(mail.imap.port);
    client = connect(imap, accountOf(mail, 0, { imapHost: '127.0.0.1', imapPort: way.port, imapSecurity: 'none' }));
  };
  afterEach(async () => {
    closeConnections();
    way.server.close();
    await mail.close();
  });

  /** The turns that something takes. */
  const turns = async (run: () => Promise<unknown>): Promise<number> => {
    const before = way.turns;
    await run();
    return way.turns - before;
  };
  const fill = (count: number) => {
    for (let i = 0; i < count; i++)
      mail.deliver(USER, { subject: `m${i}`, text: `text ${i}`, ...(i % 3 ? { html: `<b>${i}</b>` } : {}) });
  };
  const list = (count: number) =>
    take(client.call('message.list', {}) as AsyncIterable<{ id: string; subject: string }>, count);
  const get = (message: string) =>
    client.call('message.get', { message }) as unknown as Promise<{ subject: string; text?: string; html?: string }>;

  it('login and first list take five, a message two, the first after a list too', async () => {
    await start();
    fill(60);
    let ids: string[] = [];
    // Connection, login, what follows the login, folder and search, rows. TLS adds two, a server that tells no
    // capabilities one or two.
    assert.equal(
      await turns(async () => {
        ids = (await list(50)).map(({ id }) => id);
      }),
      5,
      way.up,
    );
    assert.equal(await turns(() => get(ids[0]!)), 2);
    assert.equal(await turns(() => get(ids[1]!)), 2);
    assert.equal(mail.imap.count('LIST') + mail.imap.count('LSUB') + mail.imap.count('CAPABILITY'), 0);
    assert.deepEqual([mail.imap.count('ID'), mail.imap.count('NAMESPACE'), mail.imap.count('ENABLE')], [1, 1, 1]);
  });

  it('twenty messages asked for at once take as many as one, and each caller gets his own', async () => {
    await start();
    fill(30);
    const listed = await list(21);
    mail.expunge(USER, [Number(/UID=(\d+)/.exec(listed[20]!.id)![1])]);
    const asked = [...listed.slice(0, 20), listed[3]!];
    let got: PromiseSettledResult<{ subject: string; text?: string }>[] = [];
    assert.ok(
      (await turns(async () => {
        got = await Promise.allSettled(asked.map(({ id }) => get(id)));
      })) <= 6,
    );
    asked.forEach(({ subject }, i) => {
      const one = got[i]!;
      assert.equal(one.status, 'fulfilled');
      if (one.status === 'fulfilled')
        assert.deepEqual([one.value.subject, one.value.text?.trim()], [subject, `text ${subject.slice(1)}`]);
    });
    const [gone, there] = await Promise.allSettled([get(listed[20]!.id), get(listed[0]!.id)]);
    assert.ok(gone!.status === 'rejected' && isMailError(gone!.reason) && gone!.reason.code === 'not_found');
    assert.equal(there!.status, 'fulfilled');
  });

  it('a message that the server refuses costs those read with it nothing', async () => {
    await start();
    fill(10);
    const listed = await list(10);
    const uid = Number(/UID=(\d+)/.exec(listed[4]!.id)![1]);
    mail.imap.trouble.fail({ command: 'FETCH', uid, reply: 'NO [SERVERBUG] Not this one', times: 100 });
    const got = await Promise.allSettled(listed.map(({ id }) => get(id)));
    assert.deepEqual(
      got.map(({ status }) => status),
      listed.map((_, i) => (i === 4 ? 'rejected' : 'fulfilled')),
    );
  });

  it('whoever stops waiting among others stops nobody else', async () => {
    await start();
    fill(5);
    const listed = await list(5);
    const stop = new AbortController();
    const stopped = connect(
      imap,
      accountOf(mail, 0, { imapHost: '127.0.0.1', imapPort: way.port, imapSecurity: 'none' }),
      { signal: stop.signal },
    );
    const first = stopped.call('message.get', { message: listed[0]!.id });
    const second = get(listed[1]!.id);
    stop.abort(new Error('enough'));
    await assert.rejects(Promise.resolve(first));
    assert.equal((await second).subject, listed[1]!.subject);
    assert.equal(way.connections, 1);
  });

  it('a reader who leaves a list while the next page is on its way keeps the connection', async () => {
    await start();
    fill(600);
    const some = await list(200);
    assert.equal(await turns(() => get(some[0]!.id)), 2 + 1);
    assert.deepEqual([way.connections, openConnections()], [1, 1]);
  });

  it('marking and moving take two', async () => {
    await start();
    fill(3);
    const [one, two] = await list(3);
    assert.equal(
      await turns(() => Promise.resolve(client.call('message.mark', { message: one!.id, read: true }))),
      2,
      way.up,
    );
    assert.equal(
      await turns(() => Promise.resolve(client.call('message.move', { message: two!.id, target: 'Archive' }))),
      2,
      way.up,
    );
    assert.ok(mail.folder(USER).messages.at(-1)!.flags.includes('\\Seen'));
    assert.equal(mail.folder(USER, 'Archive').messages.length, 1);
  });

  it('where a folder cannot be opened, nothing is made of what was asked with it', async () => {
    await start();
    fill(3);
    await list(1);
    const error = await take(client.call('message.list', { folder: 'Nowhere' }) as AsyncIterable<unknown>, 1).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(isMailError(error) && error.code === 'not_found');
    assert.equal((await list(3)).length, 3);
  });

  it('a connection that does not stand several commands in flight is logged in again, and gets them one by one', async () => {
    await start();
    fill(3);
    way.cut = up => (up.match(/\r\n(?!$)/g) ?? []).length > 0;
    assert.equal((await list(3)).length, 3);
    assert.equal(way.connections, 2);
  });
});
