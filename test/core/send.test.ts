import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSend, type Exchange, type HttpStream } from '../../shared/index.js';
import { createPacer } from '../../shared/pace.js';

const text = async (answer: HttpStream) => {
  const parts: Uint8Array[] = [];
  for await (const part of answer.body) parts.push(part);
  return Buffer.concat(parts).toString();
};

describe('createSend', () => {
  let server: Server;
  let url: string;
  let connections = 0;
  let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;
  before(async () => {
    server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => answer(request, response, Buffer.concat(parts).toString()));
    });
    server.on('connection', () => {
      connections++;
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    answer = (_request, response) => response.end('ok');
  });

  it('sends method, headers and body as they are, and gives status, headers and body back', async () => {
    answer = (request, response, body) => {
      response.writeHead(418, {
        'x-seen': `${request.method} ${request.url} ${request.headers['x-a']}`,
        'set-cookie': ['a=1', 'b=2'],
      });
      response.end(body.toUpperCase());
    };
    const got = await createSend()({ method: 'PATCH', url: `${url}/p?q=%20`, headers: { 'x-a': 'b' }, body: 'hello' });
    assert.deepEqual(
      [got.status, got.headers['x-seen'], got.headers['set-cookie'], await text(got)],
      [418, 'PATCH /p?q=%20 b', 'a=1, b=2', 'HELLO'],
    );
  });
  it('keeps its connections', async () => {
    const send = createSend();
    await text(await send({ method: 'GET', url, headers: {} }));
    const before = connections;
    for (let i = 0; i < 40; i++) await text(await createSend()({ method: 'GET', url, headers: {} }));
    // One more may be opened while the first is still being given back.
    assert.ok(connections - before <= 1, `${connections - before} connections for 40 requests`);
  });
  it('follows no redirect', async () => {
    answer = (_request, response) => {
      response.writeHead(302, { location: `${url}/other` });
      response.end();
    };
    assert.equal((await createSend()({ method: 'GET', url, headers: {} })).status, 302);
  });
  it('gives up on silence after its time, before the headers and inside the body', async () => {
    const send = createSend({ timeoutMs: 100 });
    answer = () => {};
    await assert.rejects(send({ method: 'GET', url, headers: {} }), /Headers Timeout/i);
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('half');
    };
    await assert.rejects(async () => text(await send({ method: 'GET', url, headers: {} })), /Body Timeout/i);
  });
  it('a connection that breaks inside the body fails the body', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('half', () => response.destroy());
    };
    await assert.rejects(async () => text(await createSend()({ method: 'GET', url, headers: {} })));
  });
  it('aborts before, during and after the headers', async () => {
    const send = createSend();
    await assert.rejects(
      send({ method: 'GET', url, headers: {} }, AbortSignal.abort(new Error('never began'))),
      /never began/,
    );
    const stop = new AbortController();
    answer = () => stop.abort(new Error('while waiting'));
    await assert.rejects(send({ method: 'GET', url, headers: {} }, stop.signal), /while waiting/);
    const late = new AbortController();
    answer = (_request, response) => {
      response.writeHead(200);
      response.write('a');
    };
    const got = await send({ method: 'GET', url, headers: {} }, late.signal);
    late.abort(new Error('while reading'));
    await assert.rejects(text(got), /while reading|abort/i);
  });
  it('signs each request last, and again after one refresh', async () => {
    const seen: string[] = [];
    answer = (request, response) => {
      seen.push(String(request.headers.authorization));
      response.statusCode = seen.length < 2 ? 401 : 200;
      response.end();
    };
    let token = 'old';
    let refreshed = 0;
    const send = createSend({
      sign: request => ({ ...request, headers: { ...request.headers, authorization: token } }),
      refresh: async () => {
        refreshed++;
        token = 'new';
      },
    });
    assert.equal((await send({ method: 'POST', url, headers: {}, body: 'x' })).status, 200);
    assert.deepEqual([seen, refreshed], [['old', 'new'], 1]);
  });
  it('a second 401 is the answer', async () => {
    let asked = 0;
    let refreshed = 0;
    answer = (_request, response) => {
      asked++;
      response.statusCode = 401;
      response.end('no');
    };
    const got = await createSend({
      refresh: async () => {
        refreshed++;
      },
    })({ method: 'GET', url, headers: {} });
    assert.deepEqual([got.status, asked, refreshed, await text(got)], [401, 2, 1, 'no']);
  });
  it('asks for no refresh where there is none, or where something else is wrong', async () => {
    let refreshed = 0;
    answer = (_request, response) => {
      response.statusCode = 403;
      response.end();
    };
    assert.equal(
      (
        await createSend({
          refresh: async () => {
            refreshed++;
          },
        })({ method: 'GET', url, headers: {} })
      ).status,
      403,
    );
    answer = (_request, response) => {
      response.statusCode = 401;
      response.end();
    };
    assert.equal((await createSend()({ method: 'GET', url, headers: {} })).status, 401);
    assert.equal(refreshed, 0);
  });
  it('asks whether the address is allowed before anything is sent', async () => {
    let asked = 0;
    answer = (_request, response) => {
      asked++;
      response.end();
    };
    const send = createSend({
      allow: address => {
        if (address.hostname === '127.0.0.1') throw new Error('forbidden here');
      },
    });
    await assert.rejects(send({ method: 'GET', url, headers: {} }), /forbidden here/);
    assert.equal(asked, 0);
  });
  it('speaks HTTP only', async () => {
    for (const other of ['file:///etc/passwd', 'ftp://example.com', 'data:text/plain,x'])
      await assert.rejects(createSend()({ method: 'GET', url: other, headers: {} }), /must begin with http/);
  });
  it('keeps the pace', async () => {
    let now = 0;
    let most = 0;
    answer = (_request, response) => {
      now++;
      most = Math.max(most, now);
      setTimeout(() => {
        now--;
        response.end();
      }, 5);
    };
    const send = createSend({ pacer: createPacer({ concurrent: 2, perMinute: 1000 }) });
    await Promise.all(Array.from({ length: 8 }, async () => text(await send({ method: 'GET', url, headers: {} }))));
    assert.equal(most, 2);
  });
  it('tells its observer of no secret that stands in a path', async () => {
    const seen: Exchange[] = [];
    const send = createSend({ observe: one => seen.push(one) });
    for (const path of ['connect_tokens/abc123/x', 'token/abc123', 'Password-Reset/abc123?x', 'secrets/abc123'])
      await text(await send({ method: 'GET', url: `${url}/2.0/${path}`, headers: {} }));
    assert.deepEqual(
      seen.map(one => one.url),
      ['connect_tokens/***/x', 'token/***', 'Password-Reset/***', 'secrets/***'].map(path => `${url}/2.0/${path}`),
    );
  });
  it('tells its observer of every request, without query, body or signature', async () => {
    const seen: Exchange[] = [];
    const send = createSend({
      observe: one => seen.push(one),
      sign: request => ({ ...request, headers: { authorization: 'secret-value' } }),
      timeoutMs: 50,
    });
    await text(await send({ method: 'POST', url: `${url}/a?key=secret-value`, headers: {}, body: 'secret-value' }));
    answer = () => {};
    await assert.rejects(send({ method: 'GET', url: `${url}/b`, headers: {} }));
    assert.deepEqual(
      seen.map(({ ms: _ms, ...rest }) => rest),
      [
        { method: 'POST', url: `${url}/a`, status: 200, attempt: 1 },
        { method: 'GET', url: `${url}/b`, error: 'HeadersTimeoutError', attempt: 1 },
      ],
    );
    assert.ok(!JSON.stringify(seen).includes('secret-value'));
  });
});
