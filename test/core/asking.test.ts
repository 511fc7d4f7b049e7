import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createPlain, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Agent } from 'undici';
import { createSend } from '../../shared/index.js';
import { Asking } from '../../shared/asking.js';
import { createPacer } from '../../shared/pace.js';

/** What the library would give: it notes what it is told. */
const controller = () => {
  const told: string[] = [];
  return {
    told,
    pause: () => {
      told.push('pause');
    },
    resume: () => {
      told.push('resume');
    },
    abort: (reason: Error) => {
      told.push(`abort: ${reason.message}`);
    },
  };
};
const part = (size: number) => new Uint8Array(size);

describe('An answer as it comes', () => {
  it('makes the server wait while nobody reads, and goes on when everything was read', async () => {
    const asking = new Asking();
    const library = controller();
    asking.onRequestStart(library);
    asking.onResponseStart(library, 200, {});
    asking.onResponseData(library, part(60_000));
    assert.deepEqual(library.told, []);
    asking.onResponseData(library, part(60_000));
    assert.deepEqual(library.told, ['pause'], 'more than 64 KB wait to be read');
    await asking.next();
    assert.deepEqual(library.told, ['pause'], 'one part is left');
    await asking.next();
    assert.deepEqual(library.told, ['pause', 'resume']);
    asking.onResponseEnd();
    assert.equal(await asking.next(), undefined);
    asking.destroy();
    assert.doesNotMatch(library.told.join(), /abort/, 'what is over is not ended again');
  });
  it('gives what came before its reader, then each part, then the end or why there is none', () => {
    for (const error of [undefined, new Error('broke off')]) {
      const asking = new Asking();
      const library = controller();
      const seen: unknown[] = [];
      asking.head.catch(() => {});
      asking.onRequestStart(library);
      asking.onResponseData(library, part(1));
      asking.read(
        ({ length }) => {
          seen.push(length);
        },
        how => {
          seen.push(how ?? 'end');
        },
      );
      asking.onResponseData(library, part(2));
      assert.deepEqual(seen, [1, 2]);
      if (error) asking.onResponseError(library, error);
      else asking.onResponseEnd();
      assert.deepEqual(seen, [1, 2, error ?? 'end']);
    }
  });
  it('gives what came before it broke off, and then why', async () => {
    const asking = new Asking();
    const library = controller();
    asking.head.catch(() => {});
    asking.onRequestStart(library);
    asking.onResponseData(library, part(3));
    asking.onResponseError(library, new Error('broke off'));
    assert.equal((await asking.next())!.length, 3);
    await assert.rejects(asking.next(), /broke off/);
  });
  it('gives a reader who comes late all of it', () => {
    const asking = new Asking();
    const library = controller();
    const seen: unknown[] = [];
    asking.onRequestStart(library);
    asking.onResponseData(library, part(3));
    asking.onResponseEnd();
    asking.read(
      ({ length }) => {
        seen.push(length);
      },
      how => {
        seen.push(how ?? 'end');
      },
    );
    assert.deepEqual(seen, [3, 'end']);
  });
});

describe('Requests at a server', () => {
  let server: Server;
  let port: number;
  let act: (socket: Socket, request: string) => void = () => {};
  const sockets = new Set<Socket>();
  const arrived: string[] = [];
  before(async () => {
    server = createPlain(socket => {
      sockets.add(socket.on('error', () => {}));
      socket.on('data', bytes => {
        const request = bytes.toString();
        arrived.push(request.split('\r\n')[0]!);
        act(socket, request);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterEach(() => {
    arrived.length = 0;
  });
  after(() => {
    for (const one of sockets) one.destroy();
    server.close();
  });
  const get = (path: string) => ({ method: 'GET' as const, url: `http://127.0.0.1:${port}${path}`, headers: {} });
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\nok';

  it('take an answer for the answer, and not what comes before it', async () => {
    act = socket => socket.write(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`);
    const answer = await createSend()(get('/early'));
    const parts: Uint8Array[] = [];
    assert.deepEqual([answer.status, answer.headers['x-a'], answer.headers.link], [200, '1, 2', undefined]);
    for await (const one of answer.body) parts.push(one);
    assert.equal(Buffer.concat(parts).toString(), 'ok');
  });
  it('are not sent after they were given up while they waited for a connection', async () => {
    const dispatcher = new Agent({ connections: 1 });
    const send = createSend({ dispatcher });
    const giveUp = new AbortController();
    let held: Socket | undefined;
    const came = new Promise<void>(resolve => {
      act = socket => {
        held = socket;
        resolve();
      };
    });
    const first = send(get('/first'));
    await came;
    const second = assert.rejects(send(get('/second'), giveUp.signal), /enough/);
    giveUp.abort(new Error('enough'));
    await second;
    act = socket => socket.write(OK);
    held!.write(OK);
    for await (const _ of (await first).body) {
      /* to its end */
    }
    for await (const _ of (await send(get('/third'))).body) {
      /* to its end */
    }
    assert.deepEqual(arrived, ['GET /first HTTP/1.1', 'GET /third HTTP/1.1']);
    await dispatcher.close();
  });
  it('hold their turn until the body was read', async () => {
    const pacer = createPacer({ concurrent: 1, perMinute: 60_000 });
    const send = createSend({ pacer });
    let held: Socket | undefined;
    act = socket => {
      held ??= socket;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
    };
    const first = await send(get('/first'));
    const second = send(get('/second'));
    // Whatever could begin has begun when another server's answer was read.
    await createSend()({ ...get('/other'), url: `http://127.0.0.1:${port}/other` }).then(({ body }) =>
      (body as { return?(): void }).return?.(),
    );
    assert.deepEqual(arrived, ['GET /first HTTP/1.1', 'GET /other HTTP/1.1']);
    act = one => one.write(OK);
    held!.write('lf');
    for await (const _ of first.body) {
      /* to its end */
    }
    for await (const _ of (await second).body) {
      /* to its end */
    }
    assert.equal(arrived.at(-1), 'GET /second HTTP/1.1');
  });
});
