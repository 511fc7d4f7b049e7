import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { createDispatcher, createSend, type Proxies } from '../../shared/index.js';

const listen = (server: Server) =>
  new Promise<number>(resolve =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );

describe('proxies', () => {
  let vendor: Server;
  let proxy: Server;
  let vendorPort: number;
  let proxyPort: number;
  const tunnels: { to: string; authorization: string | undefined }[] = [];
  const sockets = new Set<{ destroy(): void }>();
  const names = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY'];
  const environment = Object.fromEntries(names.map(name => [name, process.env[name]]));
  const setEnv = (values: Record<string, string | undefined>) => {
    for (const name of names)
      if (values[name] === undefined) delete process.env[name];
      else process.env[name] = values[name];
  };

  before(async () => {
    vendor = createServer((_, answer) => answer.end('hello'));
    proxy = createServer();
    proxy.on('connect', (request, socket) => {
      tunnels.push({ to: request.url!, authorization: request.headers['proxy-authorization'] });
      // Whatever the name, there is one vendor here: names that only the proxy can resolve prove that it was asked.
      const onward = connect(vendorPort, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      for (const one of [onward, socket]) {
        sockets.add(one);
        one.on('error', () => {});
      }
    });
    [vendorPort, proxyPort] = [await listen(vendor), await listen(proxy)];
  });
  beforeEach(() => {
    tunnels.length = 0;
    setEnv({});
  });
  after(() => {
    setEnv(environment);
    for (const one of sockets) one.destroy();
    vendor.closeAllConnections();
    vendor.close();
    proxy.closeAllConnections();
    proxy.close();
  });

  async function get(url: string, proxies: 'environment' | Proxies): Promise<string> {
    const dispatcher = await createDispatcher({ proxies });
    try {
      const { body } = await createSend({ dispatcher, timeoutMs: 3000 })({ method: 'GET', url, headers: {} });
      const parts: Uint8Array[] = [];
      for await (const part of body) parts.push(part);
      return Buffer.concat(parts).toString();
    } finally {
      await dispatcher.destroy();
    }
  }
  const through = () => `http://127.0.0.1:${proxyPort}`;

  it('a proxy that was set is used, with its own sign-in', async () => {
    assert.equal(await get('http://vendor.example/', { url: through(), authorization: 'Basic eDp5' }), 'hello');
    assert.deepEqual(tunnels, [{ to: 'vendor.example:80', authorization: 'Basic eDp5' }]);
  });
  it('what is set goes before the environment', async () => {
    setEnv({ http_proxy: 'http://127.0.0.1:9' });
    assert.equal(await get('http://vendor.example/', { url: through() }), 'hello');
    assert.equal(tunnels.length, 1);
  });
  it('without one the environment counts, and its exceptions', async () => {
    setEnv({ http_proxy: through(), no_proxy: 'away.example' });
    assert.equal(await get('http://vendor.example/', 'environment'), 'hello');
    assert.equal(await get('http://vendor.example/', {}), 'hello');
    assert.equal(tunnels.length, 2);
    await assert.rejects(get('http://away.example/', {}), 'asked directly, and there is no such host');
    assert.equal(tunnels.length, 2);
  });
  it('exceptions are reached directly, those of the environment too; so is this machine', async () => {
    setEnv({ no_proxy: 'other.example' });
    for (const host of ['away.example', 'deep.away.example', 'other.example'])
      await assert.rejects(get(`http://${host}/`, { url: through(), except: ['away.example'] }), host);
    assert.equal(await get(`http://127.0.0.1:${vendorPort}/`, { url: through() }), 'hello');
    assert.deepEqual(tunnels, []);
  });
  it('with a star nothing goes through a proxy', async () => {
    setEnv({ http_proxy: through() });
    assert.equal(await get(`http://127.0.0.1:${vendorPort}/`, { except: ['*'] }), 'hello');
    assert.deepEqual(tunnels, []);
  });
});
