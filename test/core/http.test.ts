import assert from 'node:assert/strict';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  base,
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
  textOf,
  type HttpRequest,
  type HttpStream,
  type MailError as Failure,
} from '../../shared/index.js';
import type { Context } from '../../shared/index.js';

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
