import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect, providerById, take } from '../../shared/index.js';
import { startContextIo } from './contextIo.js';
import { startOutreach } from './outreach.js';
import { startSodium } from './sodium.js';
import { startVendor, type Vendor } from './vendor.js';

// What other people's clients and tests have: no access to this process, only HTTP.
describe('sandbox, from outside', () => {
  let vendor: Vendor;
  before(async () => {
    vendor = await startVendor({
      id: 'any',
      account: baseUrl => ({ baseUrl }),
      throttled: () => ({ status: 429, body: { message: 'slow down' } }),
      handle: (request, it) => ({ status: 200, body: { path: request.path, now: it.now() } }),
    });
  });
  after(() => vendor.close());
  const ask = async (path: string, init?: RequestInit) => {
    const answer = await fetch(vendor.url + path, init);
    return { status: answer.status, body: await answer.text() };
  };
  const fault = (body: string) => ask('/__sandbox/faults', { method: 'POST', body });
  const statuses = async (...paths: string[]) => {
    const all: number[] = [];
    for (const path of paths) all.push((await ask(path)).status);
    return all;
  };

  it('fails as often as it was told to, and only where', async () => {
    assert.equal((await fault('{"status":503,"times":2,"path":"/a"}')).status, 204);
    assert.deepEqual(await statuses('/b', '/a', '/a', '/a'), [200, 503, 503, 200]);
    await fault('{"throttle":true,"times":9}');
    assert.deepEqual(await statuses('/a'), [429]);
    await ask('/__sandbox/faults', { method: 'DELETE' });
    assert.deepEqual(await statuses('/a'), [200]);
  });
  it('sealed, does nothing but its work, for nobody who calls it by another name', async () => {
    const own = await startVendor({
      id: 'sealed',
      account: baseUrl => ({ baseUrl }),
      throttled: () => ({ status: 429 }),
      handle: () => ({ status: 200, body: {} }),
    });
    own.seal();
    try {
      const port = new URL(own.url).port;
      const status = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
        new Promise<number | undefined>((resolve, reject) => {
          request({ host: '127.0.0.1', port, path, method, headers }, answer => {
            answer.resume();
            resolve(answer.statusCode);
          })
            .on('error', reject)
            .end(method === 'POST' ? '{"status":500}' : undefined);
        });
      assert.equal(await status('/__sandbox/faults', {}, 'POST'), 404);
      for (const path of ['/__sandbox/requests', '/sandbox/switches']) assert.equal(await status(path), 404);
      assert.equal(await status('/a', { host: `evil.example:${port}` }), 404);
      assert.equal(await status('/a', { 'x-sandbox-fault': '{"status":500}' }), 200);
      assert.equal(own.seen.length, 0);
    } finally {
      await own.close();
    }
  });
  it('fails one request by its header', async () => {
    assert.equal((await ask('/a', { headers: { 'x-sandbox-fault': '{"status":500}' } })).status, 500);
    await assert.rejects(ask('/a', { headers: { 'x-sandbox-fault': '{"cut":"body"}' } }));
    assert.deepEqual(await statuses('/a'), [200]);
  });
  it('refuses a fault it does not know: a misspelt one would let a test pass', async () => {
    for (const wrong of ['', 'x', '[]', 'null', '{"stauts":500}'])
      assert.equal((await fault(wrong)).status, 400, wrong);
    assert.match((await fault('{"stauts":500}')).body, /A fault knows no stauts, but status, /);
    assert.equal((await ask('/a', { headers: { 'x-sandbox-fault': 'boom' } })).status, 400);
    for (const wrong of ['', '{}', '{"advanceMs":"soon"}', '{"advanceMs":-1}', '{"hours":1}'])
      assert.equal((await ask('/__sandbox/clock', { method: 'POST', body: wrong })).status, 400, wrong);
    assert.equal((await ask('/__sandbox/nothing')).status, 404);
    assert.deepEqual(await statuses('/a'), [200]);
  });
  it('moves its clock, and says what has arrived', async () => {
    const before = (JSON.parse((await ask('/a')).body) as { now: number }).now;
    await ask('/__sandbox/clock', { method: 'POST', body: '{"advanceMs": 3600000}' });
    assert.ok((JSON.parse((await ask('/a')).body) as { now: number }).now >= before + 3_600_000);
    assert.deepEqual((JSON.parse((await ask('/__sandbox/requests')).body) as { path: string }[]).at(-1), {
      method: 'GET',
      path: '/a',
      query: '',
    });
  });
  for (const [id, start] of [
    ['sodium', startSodium],
    ['contextIo', startContextIo],
  ] as const) {
    it(`${id}: mail arrives when it is asked for`, async () => {
      const its = await start();
      try {
        const send = (body: string) => fetch(`${new URL(its.url).origin}/__sandbox/mail`, { method: 'POST', body });
        assert.equal((await send('{"subject":"From outside"}')).status, 200);
        assert.equal((await send('{"sujbect":"Misspelt"}')).status, 400);
        const client = connect(providerById(id), its.account);
        const [account] = id === 'contextIo' ? await take(client.call('mailbox.list', {}), 1) : [];
        const found = await take(
          client.call(
            'message.list',
            account ? { mailbox: account.id, subject: 'From outside' } : { search: 'From outside' },
          ),
        );
        assert.deepEqual(
          found.map(({ subject }) => subject),
          ['From outside'],
        );
      } finally {
        await its.close();
      }
    });
  }
  it('outreach: tokens of a few seconds when they are asked for', async () => {
    const its = await startOutreach();
    try {
      assert.equal(
        (await fetch(`${its.url}/__sandbox/switches`, { method: 'POST', body: '{"tokenLifetime":3}' })).status,
        200,
      );
      const { clientId, clientSecret, redirectUri, refreshToken } = its.account as Record<string, string>;
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: clientId!,
        client_secret: clientSecret!,
        redirect_uri: redirectUri!,
        refresh_token: refreshToken!,
      });
      assert.equal(
        (
          (await (await fetch(`${its.url}/oauth/token`, { method: 'POST', body: form })).json()) as {
            expires_in: number;
          }
        ).expires_in,
        3,
      );
      assert.equal((await fetch(`${its.url}/__sandbox/mail`, { method: 'POST', body: '{}' })).status, 404);
    } finally {
      await its.close();
    }
  });
});
