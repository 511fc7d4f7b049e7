import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  base,
  crossesReadable,
  doubtful,
  exchange,
  exchangeStream,
  excerpt,
  nextStep,
  NotSent,
  isMailError,
  MailError,
  originOf,
  path,
  pause,
  query,
  redact,
  restAfter,
  retryAfter,
  shownAddress,
  textOf,
  unreadable,
  type HttpRequest,
  type HttpStream,
  type MailError as Failure,
} from '../../shared/index.js';
import type { Context, Exchange, HttpResponse } from '../../shared/index.js';

const answer = (status: number, body = '', headers: Record<string, string> = {}): HttpStream => ({
  status,
  headers,
  body: (async function* () {
    if (body) yield Buffer.from(body);
  })(),
});
/** A context whose sender gives these answers in turn, and what was asked of it. */
function context(...answers: (HttpStream | Error)[]): Context & { asked: HttpRequest[] } {
  const asked: HttpRequest[] = [];
  return {
    account: {},
    provider: 'Acme',
    operation: 'mailbox.get',
    asked,
    send: async request => {
      asked.push(request);
      const next = answers.shift() ?? assert.fail('one request too many');
      if (next instanceof Error) throw next;
      return next;
    },
  };
}
const get: HttpRequest = { method: 'GET', url: 'https://api.example.com/x', headers: {} };
const soon = { 'retry-after': '0' };
async function failing(work: Promise<unknown>): Promise<Failure> {
  try {
    await work;
  } catch (error) {
    assert.ok(isMailError(error), String(error));
    return error;
  }
  return assert.fail('it was expected to fail');
}

describe('exchange', () => {
  it('gives the answer as it came', async () => {
    const { status, body, headers } = await exchange(context(answer(200, 'hello', { a: 'b' })), get);
    assert.deepEqual([status, Buffer.from(body).toString(), headers.a], [200, 'hello', 'b']);
  });
  for (const [status, code] of [
    [400, 'rejected'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'not_found'],
    [409, 'conflict'],
    [410, 'not_found'],
    [422, 'rejected'],
    [301, 'protocol'],
    [304, 'protocol'],
  ] as const) {
    it(`${status} is ${code}, at once`, async () => {
      const ctx = context(answer(status, 'why not'));
      const error = await failing(exchange(ctx, get));
      assert.deepEqual(
        [error.code, error.details.status, error.details.provider, error.details.operation, ctx.asked.length],
        [code, status, 'Acme', 'mailbox.get', 1],
      );
    });
  }
  it('says where a redirect points, and no more of its address', async () => {
    const error = await failing(
      exchange(context(answer(302, '', { location: 'https://login.example/x?session=1' })), get),
    );
    assert.match(error.message, /pointing to https:\/\/login\.example;/);
  });
  for (const status of [408, 500, 502, 503, 504]) {
    it(`a read is tried three times after ${status}`, async () => {
      const ctx = context(answer(status, '', soon), answer(status, '', soon), answer(status, '', soon));
      assert.equal((await failing(exchange(ctx, get))).code, 'unavailable');
      assert.equal(ctx.asked.length, 3);
    });
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      it(`a ${method} is tried once, also after ${status}`, async () => {
        const ctx = context(answer(status, '', soon));
        await failing(exchange(ctx, { ...get, method }));
        assert.equal(ctx.asked.length, 1);
      });
    }
  }
  it('a read succeeds at the second try, and after no answer at all', async () => {
    const ctx = context(answer(503, '', soon), answer(200, 'ok'));
    assert.equal((await exchange(ctx, get)).status, 200);
    const broken = context(new Error('other side closed'), answer(200, 'ok'));
    const started = Date.now();
    assert.equal((await exchange(broken, get)).status, 200);
    const waited = Date.now() - started;
    assert.ok(waited >= 350 && waited < 2000, `${waited} ms between the tries`);
  });
  it("a longer rest than 65 s is the user's to decide", async () => {
    const ctx = { ...context(answer(429, '', { 'retry-after': '66' })), patience: 600 };
    const error = await failing(exchange(ctx, get));
    assert.deepEqual([error.code, error.details.retryAfter, ctx.asked.length], ['rate_limited', 66, 1]);
  });
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    it(`a ${method} that is throttled was not done, and is sent again, after the whole account has rested`, async () => {
      const ctx = {
        ...context(answer(429, '', soon), answer(429, '', { 'retry-after': '1' }), answer(200, 'ok')),
        patience: 60,
      };
      const rests: number[] = [];
      Object.assign(ctx.send, { rest: (ms: number) => rests.push(ms) });
      assert.equal((await exchange(ctx, { ...get, method })).status, 200);
      assert.equal(ctx.asked.length, 3);
      assert.ok(rests.length === 2 && rests[0]! > 0 && rests[1]! >= 1000, String(rests));
    });
  }
  it('a request that is sent again says how long ago it was first sent', async () => {
    const ctx = { ...context(answer(429, '', soon), answer(200, 'ok')), patience: 60 };
    const { send } = ctx;
    const waits: number[] = [];
    ctx.send = (request, signal, tried, waited) => {
      waits.push(waited!);
      return send(request, signal, tried, waited);
    };
    await exchange(ctx, { ...get, method: 'POST' });
    assert.ok(waits.length === 2 && waits[0]! < 100 && waits[1]! >= 190, String(waits));
  });
  it('without patience a write that is throttled is told at once', async () => {
    const ctx = context(answer(429, '', soon));
    assert.equal((await failing(exchange(ctx, { ...get, method: 'POST' }))).code, 'rate_limited');
    assert.equal(ctx.asked.length, 1);
  });
  it('a write whose answer is lost or unclear may have been done, and its next step is to look', async () => {
    const post = { ...get, method: 'POST' as const };
    for (const given of [new Error('other side closed'), answer(500), answer(502), answer(504), answer(408)]) {
      const error = await failing(exchange(context(given), post));
      assert.match(error.message, /Whether it was done is not known\.$/);
      assert.match(nextStep(error), /^Look at the provider whether it was done/);
    }
    for (const given of [
      answer(400),
      answer(404),
      answer(503),
      answer(302),
      new NotSent('The name x was not found.'),
    ]) {
      const error = await failing(exchange(context(given), post));
      assert.doesNotMatch(error.message, /not known/);
      assert.doesNotMatch(nextStep(error), /^Look/);
    }
    const read = await failing(
      exchange(
        context(new Error('other side closed'), new Error('other side closed'), new Error('other side closed')),
        get,
      ),
    );
    assert.doesNotMatch(read.message, /not known/);
  });
  it('what the head of a refusal says stays when its body breaks off', async () => {
    const broken = {
      ...answer(404),
      body: (async function* () {
        yield Buffer.from('{"half');
        throw new Error('broke off');
      })(),
    };
    const error = await failing(exchange(context(broken), get));
    assert.deepEqual([error.code, error.details.status], ['not_found', 404]);
  });
  it('a good answer that breaks off keeps its status; of a write it is in doubt, and a read is tried again', async () => {
    const broken = () => ({
      ...answer(201),
      body: (async function* () {
        yield Buffer.from('{"half');
        throw new Error('other side closed');
      })(),
    });
    const error = await failing(exchange(context(broken()), { ...get, method: 'POST' }));
    assert.equal(
      error.message,
      'The answer from https://api.example.com broke off: other side closed. Whether it was done is not known.',
    );
    assert.deepEqual([error.code, error.details.status, error.details.provider], ['unavailable', 201, 'Acme']);
    assert.match(nextStep(error), /^Look at the provider/);
    assert.equal((await exchange(context(broken(), answer(200, 'ok')), get)).status, 200);
  });
  for (const [packing, pack] of [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['gzip, br', (body: Buffer) => brotliCompressSync(gzipSync(body))],
    ['identity', (body: Buffer) => body],
  ] as const) {
    it(`an answer packed with ${packing} (${pack.name}) is read, refusals too`, async () => {
      const packed = (status: number, body: string): HttpStream => ({
        status,
        headers: { 'content-encoding': packing },
        body: (async function* () {
          yield pack(Buffer.from(body));
        })(),
      });
      assert.equal(Buffer.from((await exchange(context(packed(200, 'hello')), get)).body).toString(), 'hello');
      assert.match((await failing(exchange(context(packed(400, 'no way')), get))).message, /no way/);
      const parts: Uint8Array[] = [];
      for await (const part of (await exchangeStream(context(packed(200, 'hello')), get)).body) parts.push(part);
      assert.equal(Buffer.concat(parts).toString(), 'hello');
    });
  }
  it('a small answer that unpacks to more than 64 MB is not read to its end', async () => {
    const bomb: HttpStream = {
      status: 200,
      headers: { 'content-encoding': 'gzip' },
      body: (async function* () {
        yield gzipSync(Buffer.alloc(80 * 1024 * 1024));
      })(),
    };
    assert.equal((await failing(exchange(context(bomb), get))).code, 'protocol');
  });
  const told = (packing: string, body: Buffer, status = 200, type = 'application/json'): HttpStream => ({
    status,
    headers: { 'content-encoding': packing, 'content-type': type },
    body: (async function* () {
      for (const byte of body) yield Buffer.of(byte);
    })(),
  });
  it('an answer that is packed in another way than it says is read where that can be seen', async () => {
    const hello = Buffer.from('hello');
    for (const [packing, body] of [
      ['gzip', hello],
      ['deflate', gzipSync(hello)],
      ['none', hello],
      ['UTF-8', hello],
      ['utf-8, gzip', gzipSync(hello)],
      ['GZip', gzipSync(hello)],
      ['gzip', Buffer.concat([gzipSync('hel'), gzipSync('lo')])],
      ['gzip, gzip', gzipSync(gzipSync(hello))],
    ] as const) {
      assert.equal(Buffer.from((await exchange(context(told(packing, body)), get)).body).toString(), 'hello', packing);
    }
    for (const packing of ['gzip', 'br', 'deflate'])
      assert.equal((await exchange(context(told(packing, Buffer.alloc(0))), get)).body.byteLength, 0, packing);
  });
  it('an answer that is not packed as it says is not asked for again, one that breaks off is', async () => {
    for (const [packing, body, words] of [
      ['br', gzipSync('hello'), /not packed as it says \(br\)/],
      ['gzip', Buffer.concat([gzipSync('hello').subarray(0, 10), Buffer.alloc(40, 255)]), /not packed as it says/],
      ['zip', gzipSync('hello'), /not known here \(zip\)/],
      [Array(9).fill('gzip').join(), gzipSync('hello'), /packed 9 times over/],
    ] as const) {
      const ctx = context(told(packing, body));
      const error = await failing(exchange(ctx, get));
      assert.deepEqual([error.code, error.details.status, ctx.asked.length], ['protocol', 200, 1], packing);
      assert.match(error.message, words);
    }
    const ctx = context(told('gzip', gzipSync('hello').subarray(0, -4)), told('gzip', gzipSync('hello')));
    assert.equal(Buffer.from((await exchange(ctx, get)).body).toString(), 'hello');
  });
  it('a refusal keeps what its head says where its packing cannot be read', async () => {
    for (const [packing, body] of [
      ['zip', gzipSync('no')],
      ['br', gzipSync('no')],
      ['gzip', gzipSync('no way').subarray(0, -9)],
    ] as const) {
      assert.equal((await failing(exchange(context(told(packing, body, 403)), get))).code, 'forbidden', packing);
    }
  });
  it('a download that unpacks to far more than was sent is not read to its end', async () => {
    const { body } = await exchangeStream(
      context({
        status: 200,
        headers: { 'content-encoding': 'gzip' },
        body: (async function* () {
          yield gzipSync(Buffer.alloc(80 * 1024 * 1024));
        })(),
      }),
      get,
    );
    let size = 0;
    await assert.rejects(async () => {
      for await (const part of body) size += part.byteLength;
    }, /unpacks to far more than was sent/);
    assert.ok(size <= 64 * 1024 * 1024, String(size));
  });
  it('a packed download that is given up gives back what it is unpacked from, whether or not it is packed', async () => {
    const half = randomBytes(300_000);
    for (const bytes of [gzipSync(half), half]) {
      let returned = () => {};
      const given = new Promise<void>(resolve => {
        returned = resolve;
      });
      const body = (async function* () {
        try {
          for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
        } finally {
          returned();
        }
      })();
      const packed = await exchangeStream(context({ status: 200, headers: { 'content-encoding': 'gzip' }, body }), get);
      for await (const _ of packed.body) break;
      await given;
    }
  });
  it('what was unpacked is no longer told as packed, nor as large as it was sent', async () => {
    const { headers } = await exchangeStream(
      context({ ...answer(200), headers: { 'content-encoding': 'gzip', 'content-length': '9', etag: 'x' } }),
      get,
    );
    assert.deepEqual(headers, { etag: 'x' });
    const plain = { 'content-encoding': 'identity', 'content-length': '5' };
    assert.deepEqual((await exchangeStream(context(answer(200, 'hello', plain)), get)).headers, plain);
  });
  it('an answer is read that is small, packed four times over, or packed well', async () => {
    const four = Buffer.from('hello');
    for (const [packing, body, text] of [
      ['gzip', Buffer.from('h'), 'h'],
      ['gzip', Buffer.of(0x1f, 0x41), '\x1fA'],
      ['deflate', Buffer.from(deflateRawSync('')), ''],
      ['x-gzip', gzipSync('hello'), 'hello'],
      [' gzip , , identity', gzipSync('hello'), 'hello'],
      ['gzip,gzip,gzip,gzip', gzipSync(gzipSync(gzipSync(gzipSync(four)))), 'hello'],
      ['gzip', gzipSync('a'.repeat(1_000_000)), 'a'.repeat(1_000_000)],
    ] as const)
      assert.equal(Buffer.from((await exchange(context(told(packing, body)), get)).body).toString(), text, packing);
    const five = await failing(exchange(context(told(Array(5).fill('gzip').join(), four)), get));
    assert.equal(five.message, 'The answer is packed 5 times over and was not read.');
    const odd = await failing(exchange(context(told(`a-b.c_d <e>${'f'.repeat(40)}`, four)), get));
    assert.equal(odd.message, `The answer is packed in a way that is not known here (a-b.c_de${'f'.repeat(22)}).`);
    const broken = await failing(exchange(context(told('br', Buffer.from('no brotli'))), { ...get, method: 'POST' }));
    assert.match(broken.message, /^The answer is not packed as it says \(br\)\./);
  });
  it('a refusal is read in the charset that it names, with secrets to hide and without', async () => {
    for (const hide of [undefined, (text: string) => text]) {
      for (const [type, body] of [
        ['text/plain; charset=iso-8859-1', Buffer.from('zu groß', 'latin1')],
        ['text/plain; charset=iso-8859-1', Buffer.from('\ufeffzu groß')],
        ['text/xml', Buffer.from('<?xml version="1.0" encoding="iso-8859-1"?><a>zu groß</a>', 'latin1')],
        ['text/plain', Buffer.from('\ufeffzu groß', 'utf16le')],
      ] as const) {
        const ctx = { ...context(told('', body, 403, type)), ...(hide ? { hide } : {}) };
        assert.match((await failing(exchange(ctx, get))).message, /403: zu groß\.$/, type);
      }
    }
  });
  it('what is no text is not shown', async () => {
    assert.match(
      (await failing(exchange(context(told('', gzipSync('no way'), 403)), get))).message,
      /403: 26 bytes that are no text\.$/,
    );
  });
  it('waits as long as the vendor asks', async () => {
    const started = Date.now();
    await exchange(context(answer(429, '', { 'retry-after': '0.3' }), answer(200)), get);
    assert.ok(Date.now() - started >= 290);
  });
  it('no answer names the place, not the address, and hides what looks like a key', async () => {
    const error = await failing(
      exchange(context(new Error('connect ECONNREFUSED token=abcdef')), {
        ...get,
        method: 'POST',
        url: 'https://user:pw@api.example.com/secret?x=1',
      }),
    );
    assert.equal(error.code, 'unavailable');
    assert.match(
      error.message,
      /^No answer from https:\/\/api\.example\.com: connect ECONNREFUSED token=\*\*\*\. Whether it was done is not known\.$/,
    );
  });
  it('a code that stands in the words already is told once', async () => {
    for (const error of [
      Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
      new Error('fetch failed', { cause: Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }) }),
    ]) {
      assert.match(
        (await failing(exchange(context(error), { ...get, method: 'POST' }))).message,
        /: read ECONNRESET\. Whether/,
      );
    }
    const bare = Object.assign(new Error(''), { code: 'ECONNRESET' });
    const other = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
    assert.match(
      (await failing(exchange(context(bare), { ...get, method: 'POST' }))).message,
      /: ECONNRESET\. Whether/,
    );
    assert.match(
      (await failing(exchange(context(other), { ...get, method: 'POST' }))).message,
      /: UND_ERR_SOCKET other side closed\. Whether/,
    );
  });
  it("an abort while waiting for the next try ends it, with the caller's reason", async () => {
    const stop = new AbortController();
    const ctx = { ...context(answer(503, '', { 'retry-after': '20' })), signal: stop.signal };
    const work = exchange(ctx, get);
    setImmediate(() => stop.abort(new Error('the user left')));
    await assert.rejects(work, /the user left/);
  });
  it("an abort while the answer is awaited is the caller's reason, not a failure of the vendor, and nothing is tried again", async () => {
    const stop = new AbortController();
    const reason = new Error('the user left');
    let asked = 0;
    const work = exchange(
      {
        ...context(),
        signal: stop.signal,
        send: (_request, signal) =>
          new Promise((_, reject) => {
            asked++;
            signal!.addEventListener('abort', () => reject(new Error('socket closed')));
          }),
      },
      get,
    );
    setImmediate(() => stop.abort(reason));
    await assert.rejects(work, error => error === reason);
    assert.equal(asked, 1);
  });
  it("the vendor's reading comes before the status, and its words are one short line", async () => {
    const error = await failing(
      exchange(context(answer(400)), get, () => ({
        code: 'conflict',
        message: `in\nuse ${'word '.repeat(300)}`,
        issues: [{ field: 'a', message: 'b' }],
      })),
    );
    assert.equal(error.code, 'conflict');
    assert.deepEqual(error.details.issues, [{ field: 'a', message: 'b' }]);
    assert.ok(error.message.startsWith('in use word') && error.message.length <= 500);
  });
  it('an answer larger than 64 MB is not read to its end', async () => {
    let given = 0;
    const endless: HttpStream = {
      status: 200,
      headers: {},
      body: (async function* () {
        for (;;) {
          given++;
          yield new Uint8Array(16 * 1024 * 1024);
        }
      })(),
    };
    assert.equal((await failing(exchange(context(endless), get))).code, 'protocol');
    assert.ok(given <= 5);
  });
});

describe('what exchange tells and how it goes on', () => {
  const post: HttpRequest = { ...get, method: 'POST' };
  const { random } = Math;
  beforeEach(() => {
    Math.random = () => 0;
  });
  afterEach(() => {
    Math.random = random;
  });
  /** What is observed while waiting, and what became of it. */
  async function watched(ctx: Context, request: HttpRequest) {
    const seen: unknown[][] = [];
    const observe = ({ method, url, ms, attempt, wait }: Exchange) =>
      void seen.push([method, url, ms, attempt, Math.round(wait! * 100) / 100]);
    const error = await failing(exchange({ ...ctx, observe }, request));
    return { seen, error };
  }

  it('waits longer from try to try, and tells each wait without the query of the address', async () => {
    const address = 'https://api.example.com/x';
    const { seen, error } = await watched(context(answer(503), answer(503), answer(503)), {
      ...get,
      url: `${address}?a=1`,
    });
    assert.deepEqual(seen, [
      ['GET', address, 0, 1, 0.4],
      ['GET', address, 0, 2, 0.8],
    ]);
    assert.equal(error.code, 'unavailable');
  });
  it('counts its tries, those that were throttled too, and tells the account what let something through', async () => {
    const tries: number[] = [];
    const told: string[] = [];
    const counting = (...answers: (HttpStream | Error)[]) => {
      const ctx = { ...context(...answers), patience: 60 };
      const { send } = ctx;
      ctx.send = Object.assign(
        (request: HttpRequest, signal?: AbortSignal, tried?: number) => {
          tries.push(tried!);
          return send(request, signal);
        },
        {
          rest: () => {
            told.push('rest');
            return 0;
          },
          eased: () => void told.push('eased'),
        },
      );
      return ctx;
    };
    await exchange(counting(answer(429, '', soon), answer(503, '', soon), answer(200)), get);
    assert.deepEqual(tries, [1, 2, 3]);
    assert.deepEqual(told.splice(0), ['rest', 'eased', 'eased']);
    await failing(exchange(counting(answer(404)), post));
    assert.deepEqual(told.splice(0), ['eased']);
    await failing(exchange(counting(new Error('other side closed')), post));
    assert.deepEqual(told.splice(0), []);
  });
  it('ends when its patience would be over, counted by its own rests where nobody else counts', async () => {
    for (const [patience, asked] of [
      [0.1, 1],
      [0.5, 2],
      [0.7, 3],
    ] as const) {
      const ctx = { ...context(answer(429), answer(429), answer(429)), patience };
      assert.equal((await failing(exchange(ctx, post))).code, 'rate_limited');
      assert.equal(ctx.asked.length, asked, `${patience} s`);
    }
    const ctx = { ...context(answer(429)), patience: 10 };
    Object.assign(ctx.send, { rest: () => 9900 });
    await failing(exchange(ctx, post));
    assert.equal(ctx.asked.length, 1, 'others have waited for it already');
  });
  it('a throttled read is tried three times by whoever has no patience', async () => {
    const ctx = context(answer(429, '', soon), answer(429, '', soon), answer(429, '', soon));
    assert.equal((await failing(exchange(ctx, get))).code, 'rate_limited');
    assert.equal(ctx.asked.length, 3);
  });
  for (const [status, longest, patience] of [
    [503, 30, 0],
    [429, 30, 0],
    [429, 65, 600],
  ] as const)
    it(`waits ${longest} s that were named with ${status}, and gives a longer wait back${patience ? ' also to the patient' : ''}`, async () => {
      const stop = new AbortController();
      const named = (seconds: number) => ({
        ...context(answer(status, '', { 'retry-after': `${seconds}` })),
        patience,
      });
      const waiting = exchange({ ...named(longest), signal: stop.signal }, get);
      setTimeout(() => stop.abort(new Error('it waits')), 20);
      await assert.rejects(waiting, /it waits/);
      const longer = named(longest + 1);
      const error = await failing(exchange(longer, get));
      assert.deepEqual([error.details.retryAfter, longer.asked.length], [longest + 1, 1]);
    });
  it('a wait that is named is taken from what throttles and what is down, and of nothing else', async () => {
    const after = async (status: number, headers: Record<string, string>) =>
      (await failing(exchange(context(answer(status, '', headers)), post))).details.retryAfter;
    assert.deepEqual(
      [
        await after(429, { 'x-ratelimit-reset-after': '7' }),
        await after(503, { 'retry-after': '8' }),
        await after(503, { 'x-ratelimit-reset-after': '7' }),
        await after(400, { 'retry-after': '9' }),
        await after(429, {}),
      ],
      [7, 8, undefined, undefined, undefined],
    );
  });

  it('doubt of a write hangs on its status', async () => {
    const doubted: number[] = [];
    for (const status of [302, 400, 404, 408, 429, 500, 501, 502, 503, 504, 505])
      if ((await failing(exchange(context(answer(status)), post))).message.includes('not known')) doubted.push(status);
    assert.deepEqual(doubted, [408, 500, 502, 504, 505]);
  });
  it('doubt follows the words of the vendor as a sentence of its own, and its advice stays', async () => {
    for (const [message, told] of [
      ['In use', 'In use. Whether it was done is not known.'],
      ['In use.', 'In use. Whether it was done is not known.'],
      ['In use?', 'In use? Whether it was done is not known.'],
      ['In use!', 'In use! Whether it was done is not known.'],
    ] as const)
      assert.equal((await failing(exchange(context(answer(500)), post, () => ({ message })))).message, told);
    const error = await failing(exchange(context(answer(500)), post, () => ({ advice: 'Ask Ann.', retryAfter: 3 })));
    assert.deepEqual([nextStep(error), error.details.retryAfter, error.details.status], ['Ask Ann.', 3, 500]);
    const plain = await failing(exchange(context(answer(500)), post));
    assert.equal(nextStep(plain), 'Look at the provider whether it was done before you run it again.');
    const known = new MailError('protocol', 'It was odd.', { status: 200 });
    assert.equal(doubtful(known).stack, known.stack, 'where it came from is not lost');
  });
  it('an answer that could not be understood is in doubt where it answers a write', async () => {
    const ctx = context(answer(200, 'x'), answer(200, 'x'));
    const read = unreadable(ctx, await exchange(ctx, get), 'without an ID');
    const write = unreadable(ctx, await exchange(ctx, post), 'without an ID');
    assert.deepEqual(
      [read.code, read.message, read.details],
      [
        'protocol',
        'Acme answered mailbox.get without an ID.',
        { provider: 'Acme', operation: 'mailbox.get', status: 200 },
      ],
    );
    assert.equal(write.message, 'Acme answered mailbox.get without an ID. Whether it was done is not known.');
  });
  it('a redirect is told with what to check, whether or not it says where it points', async () => {
    const told = async (headers: Record<string, string>) =>
      (await failing(exchange(context(answer(302, '', headers)), get))).message;
    assert.deepEqual(
      [await told({}), await told({ location: 'https://b.example/x' })],
      [
        'Acme answered with status 302; check the Base URL of the account.',
        'Acme answered with status 302, pointing to https://b.example; check the Base URL of the account.',
      ],
    );
  });
  it('a refusal without words is told by its status, and one with words by those', async () => {
    const told = async (body: string, explain?: Parameters<typeof exchange>[2]) =>
      (await failing(exchange(context(answer(400, body)), get, explain))).message;
    assert.deepEqual(
      [
        await told(''),
        await told('no way'),
        await told('no way', () => undefined),
        await told('x', () => ({ message: ' ' })),
      ],
      [
        'Acme answered with status 400.',
        'Acme answered with status 400: no way.',
        'Acme answered with status 400: no way.',
        'Acme answered with status 400: x.',
      ],
    );
    const bare = await failing(exchange(context(answer(400)), get, () => ({ issues: [] })));
    assert.deepEqual(bare.details, { provider: 'Acme', operation: 'mailbox.get', status: 400 });
  });
  it('a request that was not sent says why, what to do and when to try again', async () => {
    const unsent = async (why: NotSent, hide?: (text: string) => string) =>
      failing(exchange({ ...context(why), ...(hide ? { hide } : {}) }, post));
    const plain = await unsent(new NotSent('The name x was not found'));
    assert.deepEqual(
      [plain.code, plain.message, plain.details.provider, plain.details.operation],
      [
        'unavailable',
        'No answer from https://api.example.com: The name x was not found. Nothing was sent.',
        'Acme',
        'mailbox.get',
      ],
    );
    assert.ok(!('advice' in plain.details) && !('retryAfter' in plain.details));
    const resting = await unsent(
      new NotSent('The provider asked for a rest of 90 s.', { code: 'rate_limited', retryAfter: 90, advice: 'Wait.' }),
    );
    assert.deepEqual(
      [resting.code, resting.message, resting.details.retryAfter, nextStep(resting)],
      ['rate_limited', 'The provider asked for a rest of 90 s. Nothing was sent.', 90, 'Wait.'],
    );
    const hidden = await unsent(new NotSent('The proxy sesame token=hunter22 is down.'), text =>
      text.replace('sesame', '***'),
    );
    assert.equal(
      hidden.message,
      'No answer from https://api.example.com: The proxy *** token=*** is down. Nothing was sent.',
    );
    // However deep it stands among the causes, up to ten.
    const deep = (depth: number): Error =>
      depth ? new Error('outer', { cause: deep(depth - 1) }) : new NotSent('It rests.');
    assert.match((await failing(exchange(context(deep(9)), post))).message, /: It rests\. Nothing was sent\.$/);
    assert.doesNotMatch((await failing(exchange(context(deep(10)), post))).message, /Nothing was sent/);
  });
  it('an answer without a reason is told by what there is', async () => {
    for (const [thrown, words] of [
      [new Error('it closed.'), 'it closed'],
      [new Error('outer', { cause: 'words alone' }), 'outer'],
      [new Error('outer', { cause: new Error('inner') }), 'inner'],
      ['thrown words', 'thrown words'],
      [undefined, 'undefined'],
    ] as const) {
      const ctx = {
        ...context(),
        send: async () => {
          throw thrown;
        },
      };
      assert.equal(
        (await failing(exchange(ctx, post))).message,
        `No answer from https://api.example.com: ${words}. Whether it was done is not known.`,
      );
    }
  });
  it('what a failing answer repeats of a secret is nowhere: not in its words, its headers or what the provider reads', async () => {
    const hide = (text: string) => text.replaceAll('sesame', '***');
    let read: HttpResponse | undefined;
    const explain = (given: HttpResponse) => {
      read = given;
      return undefined;
    };
    const ctx = {
      ...context(
        answer(400, 'sesame is wrong', { 'x-why': 'sesame', 'content-type': 'text/plain; charset=utf-16; a=b' }),
      ),
      hide,
    };
    assert.equal((await failing(exchange(ctx, get, explain))).message, 'Acme answered with status 400: *** is wrong.');
    assert.deepEqual(read!.headers, { 'x-why': '***', 'content-type': 'text/plain; a=b; charset=utf-8' });
    assert.equal(Buffer.from(read!.body).toString(), '*** is wrong');
    const long = { ...context(answer(400, `${'a '.repeat(16_000)}${'b '.repeat(384)}c`)), hide };
    await failing(exchange(long, get, explain));
    assert.match(
      Buffer.from(read!.body).toString(),
      /^(?:a ){14336}$/,
      'of a long one its beginning, without the end of that',
    );
    const whole = { ...context(answer(400, 'a '.repeat(16_384))), hide };
    await failing(exchange(whole, get, explain));
    assert.equal(read!.body.byteLength, 32 * 1024);
    await failing(exchange(context(answer(400, 'sesame')), get, explain));
    assert.equal(Buffer.from(read!.body).toString(), 'sesame', 'where nothing is to be hidden it stays as it came');
  });
  it('an answer that is too large says so, with where it came from, and a body that gives its parts itself is read too', async () => {
    const each = (...parts: Uint8Array[]): HttpStream => ({
      status: 200,
      headers: {},
      body: Object.assign((async function* () {})(), {
        each: async (take: (part: Uint8Array) => void) => parts.forEach(take),
      }) as HttpStream['body'],
    });
    const { body } = await exchange(context(each(Buffer.from('a'), Buffer.from('b'))), get);
    assert.equal(Buffer.from(body).toString(), 'ab');
    const half = Buffer.allocUnsafe(32 * 1024 * 1024);
    assert.equal((await exchange(context(each(half, half)), get)).body.byteLength, 64 * 1024 * 1024);
    const error = await failing(exchange(context(each(half, half, Buffer.of(1))), get));
    assert.deepEqual(
      [error.code, error.message, error.details.provider, error.details.operation, error.details.status],
      ['protocol', 'The answer is larger than 64 MB and was not read to its end.', 'Acme', 'mailbox.get', 200],
    );
  });
  it('a download is refused as any answer is, and an abort within a body is the reason of the caller', async () => {
    for (const status of [302, 404]) {
      const error = await failing(exchangeStream(context(answer(status, 'no')), get));
      assert.deepEqual([error.details.status, error.details.operation], [status, 'mailbox.get']);
    }
    const stop = new AbortController();
    const broken: HttpStream = {
      ...answer(200),
      body: (async function* () {
        yield Buffer.from('half');
        stop.abort(new Error('the user left'));
        throw new Error('socket closed');
      })(),
    };
    await assert.rejects(exchange({ ...context(broken), signal: stop.signal }, get), /the user left/);
  });
});

describe('path', () => {
  it('keeps every input inside its segment', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), part => {
        let made: string;
        try {
          made = path`/mailboxes/${part}/restore`;
        } catch (error) {
          assert.ok(error instanceof MailError && error.code === 'invalid_input');
          assert.ok(part === '.' || part === '..' || /\p{Surrogate}/u.test(part));
          return;
        }
        const url = new URL(`https://api.example.com${made}`);
        assert.equal(url.href, `https://api.example.com${made}`, 'a parser changed the address');
        assert.equal(decodeURIComponent(url.pathname.split('/')[2]!), part);
        assert.equal(url.pathname.split('/').length, 4);
      }),
      {
        numRuns: 1000,
        examples: [
          ['../x'],
          ['a/b'],
          ['%2e%2e'],
          ['a?b#c'],
          [';'],
          ['\\'],
          ['@'],
          ["'!*()"],
          ['.'],
          ['..'],
          ['\ud800'],
        ],
      },
    );
  });
  it('refuses empty parts and dot segments, by name', () => {
    assert.throws(() => path`/x/${''}`, /^MailError: An id or name must not be empty\.$/);
    for (const part of ['.', '..'])
      assert.throws(() => path`/x/${part}`, new RegExp(`must not be "${part.replaceAll('.', '\\.')}"\\.$`));
    assert.equal(path`/x/${"a'()*!"}`, '/x/a%27%28%29%2A%21');
  });
  it('says where an address points and nothing more', () => {
    assert.equal(originOf('https://ann:pass@api.example.com:8443/secret?token=1'), 'https://api.example.com:8443');
    assert.equal(originOf('/relative'), 'another address');
  });
});

describe('addresses', () => {
  it('cross the network readable by plain HTTP to any machine but this one', () => {
    for (const own of [
      'https://example.com/',
      'http://localhost:8080/x',
      'http://LOCALHOST',
      'http://mail.localhost',
      'http://127.0.0.1',
      'http://127.255.10.200',
      'http://[::1]:80',
    ])
      assert.ok(!crossesReadable(own), own);
    for (const other of [
      'http://example.com',
      'http://localhost.example',
      'http://mylocalhost',
      'http://.localhost.example',
      'http://127.0.0.1.example',
      'http://x127.0.0.1.example',
      'http://a.127.0.0.1',
      'http://128.0.0.1',
      'http://[::11]',
      'http://[1::1]',
      'http://[::1:1]',
    ])
      if (URL.canParse(other)) assert.ok(crossesReadable(other), other);
  });
  it('are written down without their query, and without what stands behind a word for secrets', () => {
    for (const [address, shown] of [
      ['https://ann:pass@a.example:8443/x?token=1#y', 'https://a.example:8443/x'],
      ['https://a.example/token/abc/x', 'https://a.example/token/***/x'],
      ['https://a.example/v1/api-Tokens-2/abc', 'https://a.example/v1/api-Tokens-2/***'],
      ['https://a.example/secret/abc/password-reset/def', 'https://a.example/secret/***/password-reset/***'],
      ['https://a.example/x/tokens', 'https://a.example/x/tokens'],
      ['https://a.example/x/tokens/', 'https://a.example/x/tokens/'],
    ])
      assert.equal(shownAddress(address!), shown);
  });
  it('are put together from the base of an account, parts and a query', () => {
    assert.equal(base({ baseUrl: 'https://a.example/v1' }), 'https://a.example/v1');
    assert.equal(base({ baseUrl: 'https://a.example/v1/x///' }), 'https://a.example/v1/x');
    assert.equal(path`/a/${1}/b/${'x y'}/c`, '/a/1/b/x%20y/c');
    assert.equal(path`/a`, '/a');
    assert.throws(() => path`/x/${'\ud800'}`, {
      code: 'invalid_input',
      message: 'An id or name must not hold half of a character.',
    });
    assert.equal(query({ a: [undefined, null, 0, ''], b: 7 }), '?a=0&a=&b=7');
    assert.equal(query({ a: [] }), '');
  });
});

describe('textOf', () => {
  it('reads what a mark, the content type or the declaration says', () => {
    const read = (body: Uint8Array, type = 'application/json') => textOf({ headers: { 'content-type': type }, body });
    const wide = Buffer.from('{"ä":1}', 'utf16le');
    assert.deepEqual(
      [
        read(Buffer.from('\ufeff{"ä":1}')),
        read(Buffer.concat([Buffer.from([0xff, 0xfe]), wide])),
        read(Buffer.concat([Buffer.from([0xff, 0xfe]), wide]).swap16()),
        read(wide),
        read(Buffer.from('{"ä":1}', 'latin1'), 'text/plain; charset="iso-8859-1"'),
        read(Buffer.from('{"ä":1}'), 'text/plain; charset=no-such'),
      ],
      Array(6).fill('{"ä":1}'),
    );
    assert.equal(
      textOf({ headers: {}, body: Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><ä/>', 'latin1') }).slice(-4),
      '<ä/>',
    );
    const said = (declaration: string) =>
      textOf({ headers: {}, body: Buffer.from(`${declaration}?><ä/>`, 'latin1') }).slice(-4);
    for (const declaration of [
      "  <?xml version='1.0' encoding='iso-8859-1'",
      '<?XML ENCODING = "windows-1252"',
      '<?xml\nversion="1.0"\nencoding="latin1"',
    ])
      assert.equal(said(declaration), '<ä/>', declaration);
    for (const declaration of ['x <?xml encoding="latin1"', '<?xml version="1.0"> encoding="latin1"', '<?xml'])
      assert.equal(said(declaration), '<\ufffd/>', declaration);
    // Without a mark, by the zeros; not by a declaration that says so and is not meant.
    assert.equal(read(Buffer.from(wide).swap16()), '{"ä":1}');
    for (const name of ['utf-16', 'UTF16', 'ucs-2', 'UCS2', 'iso-10646-ucs-2'])
      assert.equal(textOf({ headers: {}, body: Buffer.from(`<?xml encoding="${name}"?>ä`) }).slice(-1), 'ä', name);
    assert.equal(read(Buffer.from('"ä"', 'latin1'), 'text/plain; charset = iso-8859-1'), '"ä"');
    assert.equal(read(Buffer.from('"ä"'), 'text/plain; charset=UTF-8; a=b'), '"ä"');
    assert.equal(read(Buffer.from('"ä"', 'latin1'), 'text/plain; charset=utf-8859'), '"\ufffd"');
    assert.equal(read(Buffer.from('\ufeff"ä"'), 'text/plain; charset=iso-8859-1'), '"ä"', 'a mark counts before all');
    assert.equal(read(new Uint8Array()), '');
    assert.equal(read(Buffer.from('a')), 'a');
    assert.equal(read(Buffer.from('xx"ä"').subarray(2)), '"ä"', 'a part of a larger buffer');
  });
});

describe('query, base, retryAfter, pause', () => {
  it('leaves out what is absent and repeats keys for lists', () => {
    assert.equal(query({ a: 1, b: undefined, c: null, d: ['x', 'y & z'], e: false }), '?a=1&d=x&d=y+%26+z&e=false');
    assert.equal(query({ a: undefined }), '');
  });
  it('drops the slashes at the end of a base address', () =>
    assert.equal(base({ baseUrl: 'https://a.example/v1//' }), 'https://a.example/v1'));
  it('reads seconds, dates and ISO times, and nothing else', () => {
    const now = Date.parse('2026-11-21T09:00:00Z');
    const read = (value?: string) => retryAfter(value === undefined ? {} : { 'retry-after': value }, now);
    assert.deepEqual(
      [
        read('7'),
        read('0.5'),
        read('Sat, 21 Nov 2026 09:00:10 GMT'),
        read('2026-11-21T09:00:20Z'),
        read('2026-11-21T09:00:30'),
        read('Sat, 21 Nov 2026 08:00:00 GMT'),
      ],
      [7, 0.5, 10, 20, 30, 0],
    );
    assert.deepEqual([read(), read(''), read('later')], [undefined, undefined, undefined]);
    assert.deepEqual(
      [read('0'), read('-5'), read('5, 10'), read(String(now / 1000 + 9)), read(String(now + 9000))],
      [0, 0, 10, 9, 9],
    );
  });
  it('a vendor that throttles says when it may be asked again in many ways, Retry-After before all', () => {
    const now = 1_795_907_000_000;
    for (const [headers, wait] of [
      [{ 'retry-after': '3', 'x-ratelimit-reset': '60' }, 3],
      [{ 'retry-after': 'soon', 'x-ratelimit-reset': '60' }, 60],
      // https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api: a time in seconds.
      [{ 'x-ratelimit-reset': String(now / 1000 + 7) }, 7],
      // https://discord.com/developers/docs/topics/rate-limits
      [{ 'x-ratelimit-reset-after': '1.5' }, 1.5],
      // Milliseconds: https://learn.microsoft.com/rest/api/cosmos-db/common-cosmosdb-rest-response-headers
      [{ 'retry-after-ms': '1500' }, 1.5],
      [{ 'x-ms-retry-after-ms': '250' }, 0.25],
      // https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers, its older and its newer form.
      [{ 'ratelimit-reset': '9' }, 9],
      [{ ratelimit: 'limit=100;remaining=0;reset=5' }, 5],
      [{ ratelimit: '"burst";r=0;t=4, "day";r=90;t=9000' }, 4],
      [{ ratelimit: '"day";r=90;t=9000' }, undefined],
      [{ 'x-ratelimit-remaining': '0' }, undefined],
      [{}, undefined],
    ] as const)
      assert.equal(restAfter(headers as unknown as Record<string, string>, now), wait, JSON.stringify(headers));
  });
  it('a pause ends when its signal aborts, also one that has', async () => {
    const stop = new AbortController();
    const work = pause(60_000, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(work, /enough/);
    await assert.rejects(pause(60_000, stop.signal), /enough/);
  });
});

describe('redact and excerpt', () => {
  it('hides keys, passwords and tokens in the usual spellings', () => {
    for (const text of [
      'password=hunter22',
      '"password": "hunter22"',
      "secret: 'hunter22'",
      'api_key=hunter22&x=1',
      'Authorization: hunter22',
      'Bearer hunter22',
      'Basic hunter22==',
      '<token>hunter22</token>'.replace(/<(\w+)>/, '$1='),
      `x ${'hunter22'.repeat(5)} y`,
    ])
      assert.ok(!redact(text).includes('hunter22'), redact(text));
  });
  it('is one line without markup of at most 120 characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 4000 }), body => {
        const seen = excerpt({ body: Buffer.from(`<html>\n${body}</html>`) });
        assert.ok(seen.length <= 120 && !/[\r\n\t\0]/.test(seen));
      }),
    );
    assert.equal(excerpt({ body: Buffer.from('<html><body>\n <h1>Bad  gateway</h1></body></html>') }), 'Bad gateway');
  });
  it('ends between words', () =>
    assert.equal(
      excerpt({ body: Buffer.from(`${'a'.repeat(20)} ${'b'.repeat(20)}`) }, text => text, 30),
      'a'.repeat(20),
    ));
});
