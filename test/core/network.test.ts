import assert from 'node:assert/strict';
import { createServer as createHttp } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  connect,
  createDispatcher,
  isMailError,
  nextStep,
  providerById,
  type Client,
  type ConnectOptions,
  type Network,
} from '../../shared/index.js';
import { failing } from '../failing.js';

const ID = '11111111-2222-4333-8444-555555555555';
const servers: Server[] = [];
const sockets = new Set<Socket>();
/** A server that does with each connection what it is told to; how many there were. */
async function serve(act: (socket: Socket) => void): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const server = createServer(socket => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => {});
    act(socket);
  });
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}
/** Answers each CONNECT with these bytes. */
const answering =
  (answer: string, then: (socket: Socket) => void = () => {}) =>
  (socket: Socket) => {
    socket.once('data', () => socket.write(answer, () => then(socket)));
  };
const scaleway = (baseUrl: string, options: ConnectOptions = {}): Client =>
  connect(providerById('scaleway'), { baseUrl, secretKey: ID, perMinute: 60_000 }, { timeoutMs: 1000, ...options });
const through = async (port: number, network: Network = {}) => ({
  dispatcher: await createDispatcher({
    connectMs: 700,
    proxies: { url: `http://ann:pass-word@127.0.0.1:${port}` },
    ...network,
  }),
});
/** The time until a call that was stopped comes back, in milliseconds. */
async function stopped(call: (signal: AbortSignal) => Promise<unknown>, begun: Promise<unknown>): Promise<number> {
  const stop = new AbortController();
  const reason = new Error('the user left');
  const work = call(stop.signal);
  work.catch(() => {});
  await begun;
  const at = performance.now();
  stop.abort(reason);
  await assert.rejects(work, error => error === reason);
  return performance.now() - at;
}

describe('the network', function () {
  this.timeout(60_000);
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers.splice(0)) server.close();
    sockets.clear();
  });

  describe('a proxy', () => {
    const KINDS: Record<string, [act: (socket: Socket) => void, words: RegExp, step: RegExp]> = {
      'that drops the connection': [
        socket => socket.once('data', () => socket.destroy()),
        /closed the connection before it opened the way to api\.vendor\.test:443/,
        /Check the proxy/,
      ],
      'that ends the connection': [
        socket => socket.once('data', () => socket.end()),
        /closed the connection/,
        /Check the proxy/,
      ],
      'that stays silent': [() => {}, /did not open the way to api\.vendor\.test:443 within 0\.7 s/, /Check the proxy/],
      'that speaks something else': [
        answering('220 smtp ready\r\n'),
        /answered with something that is not HTTP/,
        /Check the proxy/,
      ],
      'that wants a sign-in': [
        answering('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n'),
        /asks for a sign-in \(407\)/,
        /user name and password where the proxy is set/,
      ],
      'that wants a sign-in, with many odd headers': [
        answering(
          `HTTP/1.1 407 No\nContent-Length: 3\nTransfer-Encoding: chunked\n${'X-Policy: none of your business\n'.repeat(4_000)}\n`,
        ),
        /asks for a sign-in \(407\)/,
        /user name and password/,
      ],
      'whose headers have no end': [
        answering(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(300_000)}`),
        /answered with more than 256 kB of headers/,
        /Check the proxy/,
      ],
      'that forbids the address': [
        answering('HTTP/1.1 403 Forbidden\r\n\r\n'),
        /does not allow api\.vendor\.test:443 \(403\)/,
        /Ask whoever runs the proxy/,
      ],
      'that has no way': [answering('HTTP/1.1 502 Bad Gateway\r\n\r\n'), /status 502/, /Check the proxy/],
      'that drops the connection after its 200': [
        answering('HTTP/1.1 200 OK\r\n\r\n', socket => socket.destroy()),
        /through the proxy http:\/\/127/,
        /./,
      ],
    };
    for (const [kind, [act, words, step]] of Object.entries(KINDS)) {
      it(`${kind} is named, and a read and a write end`, async () => {
        const proxy = await serve(act);
        const options = await through(proxy.port);
        const client = scaleway('https://api.vendor.test', options);
        for (const work of [
          client.call('mailbox.get', { mailbox: ID }),
          client.call('mailbox.delete', { mailbox: ID }),
        ]) {
          const error = await failing(work as Promise<unknown>);
          assert.match(error.message, words);
          assert.match(error.message, new RegExp(`http://127\\.0\\.0\\.1:${proxy.port}`));
          assert.match(error.message, /Nothing was sent\.$/);
          assert.doesNotMatch(error.message, /pass-word/);
          assert.match(nextStep(error), step);
        }
        assert.ok(proxy.connections() <= 4, `${proxy.connections()} connections for four tries`);
        await options.dispatcher.destroy();
      });
    }
  });

  describe('a call that is stopped comes back within a second', () => {
    const arrived = () => {
      let here = () => {};
      const begun = new Promise<void>(resolve => {
        here = resolve;
      });
      return { here, begun };
    };
    it('while a name is looked for', async () => {
      const { here, begun } = arrived();
      const dispatcher = await createDispatcher({ lookup: (() => here()) as never });
      assert.ok(
        (await stopped(
          signal =>
            scaleway('https://api.vendor.test', { dispatcher, signal }).call('mailbox.delete', {
              mailbox: ID,
            }) as Promise<unknown>,
          begun,
        )) < 1000,
      );
    });
    for (const [phase, act, url] of [
      ['while a proxy is silent', (here: () => void) => (socket: Socket) => socket.once('data', here), 'proxy'],
      ['while TLS is silent', (here: () => void) => (socket: Socket) => socket.once('data', here), 'https'],
      ['while headers are awaited', (here: () => void) => (socket: Socket) => socket.once('data', here), 'http'],
      [
        'while a body drips',
        (here: () => void) => (socket: Socket) =>
          socket.once('data', () => {
            socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{');
            setTimeout(here, 50);
          }),
        'http',
      ],
    ] as const) {
      it(phase, async () => {
        const { here, begun } = arrived();
        const { port } = await serve(act(here));
        const options = url === 'proxy' ? await through(port, { connectMs: 10_000 }) : {};
        const base = url === 'proxy' ? 'https://api.vendor.test' : `${url}://127.0.0.1:${port}`;
        assert.ok(
          (await stopped(
            signal =>
              scaleway(base, { ...options, signal, timeoutMs: 30_000 }).call('mailbox.get', {
                mailbox: ID,
              }) as Promise<unknown>,
            begun,
          )) < 1000,
        );
      });
    }
    it('whatever the library does', async () => {
      const { here, begun } = arrived();
      const deaf = await createDispatcher({});
      (deaf as { dispatch: unknown }).dispatch = () => {
        here();
        return true;
      };
      assert.ok(
        (await stopped(
          signal =>
            scaleway('http://127.0.0.1:9', { dispatcher: deaf, signal }).call('mailbox.get', {
              mailbox: ID,
            }) as Promise<unknown>,
          begun,
        )) < 1000,
      );
    });
  });

  describe('a call ends in its time', () => {
    const timed = async (client: Client, operation = 'mailbox.delete') => {
      const began = performance.now();
      const error = await failing(client.call(operation, { mailbox: ID }) as Promise<unknown>);
      return { error, ms: performance.now() - began };
    };
    it('when a body drips for ever', async () => {
      const { port } = await serve(socket =>
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
          const drip = setInterval(() => socket.write('x'), 50);
          socket.on('close', () => clearInterval(drip));
        }),
      );
      const { error, ms } = await timed(scaleway(`http://127.0.0.1:${port}`, { timeoutMs: 200 }));
      assert.match(error.message, /did not come to its end/);
      assert.ok(ms < 20_000, String(ms));
    });
    it('when the vendor says for ever that it goes on', async () => {
      const { port } = await serve(socket =>
        socket.once('data', () => {
          const more = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 50);
          socket.on('close', () => clearInterval(more));
        }),
      );
      const { ms } = await timed(scaleway(`http://127.0.0.1:${port}`, { timeoutMs: 200 }));
      assert.ok(ms < 20_000, String(ms));
    });
    it('whatever the library does; its pool is thrown away and another serves', async () => {
      const vendor = createHttp((_, answer) =>
        answer.end(JSON.stringify({ id: ID, email: 'a@b.example', status: 'ready' })),
      );
      await new Promise<void>(resolve => vendor.listen(0, '127.0.0.1', resolve));
      servers.push(vendor);
      const dispatcher = await createDispatcher({});
      const url = `http://127.0.0.1:${(vendor.address() as AddressInfo).port}`;
      const dispatch = dispatcher.dispatch.bind(dispatcher);
      const renewed = (dispatcher as unknown as { renew(): void }).renew.bind(dispatcher);
      let pools = 1;
      Object.assign(dispatcher, {
        dispatch: () => true,
        renew: () => {
          pools++;
          renewed();
          Object.assign(dispatcher, { dispatch });
        },
      });
      const { error, ms } = await timed(scaleway(url, { dispatcher, timeoutMs: 100 }));
      assert.match(error.message, /No connection was made within 2 s\. Nothing was sent\.$/);
      assert.ok(ms < 20_000 && pools === 2);
      assert.equal((await scaleway(url, { dispatcher }).call('mailbox.get', { mailbox: ID })).id, ID);
      vendor.closeAllConnections();
      await dispatcher.destroy();
    });
  });

  it('says that nothing was sent where nothing was', async () => {
    const closed = await serve(() => {});
    servers.pop()!.close();
    const refused = await failing(
      scaleway(`http://127.0.0.1:${closed.port}`).call('mailbox.delete', { mailbox: ID }) as Promise<unknown>,
    );
    assert.equal(
      refused.message,
      `No answer from http://127.0.0.1:${closed.port}: 127.0.0.1 port ${closed.port} refuses connections (ECONNREFUSED). Nothing was sent.`,
    );
    assert.match(nextStep(refused), /Check host and port/);
    const dropped = await serve(socket => socket.once('data', () => socket.destroy()));
    const lost = await failing(
      scaleway(`http://127.0.0.1:${dropped.port}`).call('mailbox.delete', { mailbox: ID }) as Promise<unknown>,
    );
    assert.doesNotMatch(lost.message, /Nothing was sent/);
  });
  it('keys go over plain HTTP to this machine only, unless the account says otherwise', () => {
    for (const address of [
      'http://api.example.com',
      'http://10.0.0.1:8080',
      'HTTP://localhost.example.com',
      'http://127.0.0.1.example.com',
      'http://[::2]',
      'http://evillocalhost',
      'http://localhost.',
      'http://128.0.0.1',
      'http://[::1:1]',
    ]) {
      assert.throws(
        () => scaleway(address),
        error =>
          isMailError(error) &&
          error.code === 'invalid_input' &&
          error.details.issues?.[0]?.field === 'baseUrl' &&
          /https:\/\//.test(error.message),
        address,
      );
      connect(providerById('scaleway'), { baseUrl: address, secretKey: ID, plainHttp: true });
    }
    for (const address of [
      'http://localhost:1',
      'http://mail.localhost',
      'http://127.8.8.8',
      'http://127.100.20.255',
      'http://[::1]:80',
      'https://api.example.com',
    ])
      scaleway(address);
  });
});
