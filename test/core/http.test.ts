import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  base, exchange, excerpt, isMailError, MailError, path, pause, query, redact, retryAfter, type HttpRequest, type HttpStream, type MailError as Failure,
} from '../../shared/index.js';
import type { Context } from '../../shared/index.js';

const answer = (status: number, body = '', headers: Record<string, string> = {}): HttpStream =>
  ({ status, headers, body: (async function* () { if (body) yield Buffer.from(body); })() });
/** A context whose sender gives these answers in turn, and what was asked of it. */
function context(...answers: (HttpStream | Error)[]): Context & { asked: HttpRequest[] } {
  const asked: HttpRequest[] = [];
  return {
    account: {}, provider: 'Acme', operation: 'mailbox.get', asked,
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
  try { await work; } catch (error) { assert.ok(isMailError(error), String(error)); return error; }
  return assert.fail('it was expected to fail');
}

describe('exchange', () => {
  it('gives the answer as it came', async () => {
    const { status, body, headers } = await exchange(context(answer(200, 'hello', { a: 'b' })), get);
    assert.deepEqual([status, Buffer.from(body).toString(), headers.a], [200, 'hello', 'b']);
  });
  for (const [status, code] of [[400, 'rejected'], [401, 'unauthorized'], [403, 'forbidden'], [404, 'not_found'], [409, 'conflict'], [410, 'not_found'], [422, 'rejected'], [301, 'protocol'], [304, 'protocol']] as const) {
    it(`${status} is ${code}, at once`, async () => {
      const ctx = context(answer(status, 'why not'));
      const error = await failing(exchange(ctx, get));
      assert.deepEqual([error.code, error.details.status, error.details.provider, error.details.operation, ctx.asked.length], [code, status, 'Acme', 'mailbox.get', 1]);
    });
  }
  it('says where a redirect points, and no more of its address', async () => {
    const error = await failing(exchange(context(answer(302, '', { location: 'https://login.example/x?session=1' })), get));
    assert.match(error.message, /pointing to https:\/\/login\.example;/);
  });
  for (const status of [500, 502, 503, 504, 429]) {
    it(`a read is tried three times after ${status}`, async () => {
      const ctx = context(answer(status, '', soon), answer(status, '', soon), answer(status, '', soon));
      assert.equal((await failing(exchange(ctx, get))).code, status === 429 ? 'rate_limited' : 'unavailable');
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
  it('a longer wait than 30 s is the user\'s to decide', async () => {
    const ctx = context(answer(429, '', { 'retry-after': '31' }));
    const error = await failing(exchange(ctx, get));
    assert.deepEqual([error.code, error.details.retryAfter, ctx.asked.length], ['rate_limited', 31, 1]);
  });
  it('waits as long as the vendor asks', async () => {
    const started = Date.now();
    await exchange(context(answer(429, '', { 'retry-after': '0.3' }), answer(200)), get);
    assert.ok(Date.now() - started >= 290);
  });
  it('no answer names the place, not the address, and hides what looks like a key', async () => {
    const error = await failing(exchange(context(new Error('connect ECONNREFUSED token=abcdef')), { ...get, method: 'POST', url: 'https://user:pw@api.example.com/secret?x=1' }));
    assert.equal(error.code, 'unavailable');
    assert.match(error.message, /^No answer from https:\/\/api\.example\.com: connect ECONNREFUSED token=\*\*\*\.$/);
  });
  it('an abort while waiting for the next try ends it, with the caller\'s reason', async () => {
    const stop = new AbortController();
    const ctx = { ...context(answer(503, '', { 'retry-after': '20' })), signal: stop.signal };
    const work = exchange(ctx, get);
    setImmediate(() => stop.abort(new Error('the user left')));
    await assert.rejects(work, /the user left/);
  });
  it('an abort while the answer is awaited is the caller\'s reason, not a failure of the vendor, and nothing is tried again', async () => {
    const stop = new AbortController(), reason = new Error('the user left');
    let asked = 0;
    const work = exchange({
      ...context(), signal: stop.signal,
      send: (_request, signal) => new Promise((_, reject) => { asked++; signal!.addEventListener('abort', () => reject(new Error('socket closed'))); }),
    }, get);
    setImmediate(() => stop.abort(reason));
    await assert.rejects(work, error => error === reason);
    assert.equal(asked, 1);
  });
  it('the vendor\'s reading comes before the status, and its words are one short line', async () => {
    const error = await failing(exchange(context(answer(400)), get, () => ({ code: 'conflict', message: `in\nuse ${'word '.repeat(300)}`, issues: [{ field: 'a', message: 'b' }] })));
    assert.equal(error.code, 'conflict');
    assert.deepEqual(error.details.issues, [{ field: 'a', message: 'b' }]);
    assert.ok(error.message.startsWith('in use word') && error.message.length <= 500);
  });
  it('an answer larger than 64 MB is not read to its end', async () => {
    let given = 0;
    const endless: HttpStream = { status: 200, headers: {}, body: (async function* () { for (;;) { given++; yield new Uint8Array(16 * 1024 * 1024); } })() };
    assert.equal((await failing(exchange(context(endless), get))).code, 'protocol');
    assert.ok(given <= 5);
  });
});

describe('path', () => {
  it('keeps every input inside its segment', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), part => {
      let made: string;
      try { made = path`/mailboxes/${part}/restore`; } catch (error) {
        assert.ok(error instanceof MailError && error.code === 'invalid_input');
        assert.ok(part === '.' || part === '..' || /\p{Surrogate}/u.test(part));
        return;
      }
      const url = new URL(`https://api.example.com${made}`);
      assert.equal(url.href, `https://api.example.com${made}`, 'a parser changed the address');
      assert.equal(decodeURIComponent(url.pathname.split('/')[2]!), part);
      assert.equal(url.pathname.split('/').length, 4);
    }), { numRuns: 1000, examples: [['../x'], ['a/b'], ['%2e%2e'], ['a?b#c'], [';'], ['\\'], ['@'], ["'!*()"], ['.'], ['..'], ['\ud800']] });
  });
  it('refuses empty parts', () => assert.throws(() => path`/x/${''}`, /must not be empty/));
});

describe('query, base, retryAfter, pause', () => {
  it('leaves out what is absent and repeats keys for lists', () => {
    assert.equal(query({ a: 1, b: undefined, c: null, d: ['x', 'y & z'], e: false }), '?a=1&d=x&d=y+%26+z&e=false');
    assert.equal(query({ a: undefined }), '');
  });
  it('drops the slashes at the end of a base address', () => assert.equal(base({ baseUrl: 'https://a.example/v1//' }), 'https://a.example/v1'));
  it('reads seconds, dates and ISO times, and nothing else', () => {
    const now = Date.parse('2026-11-21T09:00:00Z');
    const read = (value?: string) => retryAfter(value === undefined ? {} : { 'retry-after': value }, now);
    assert.deepEqual([read('7'), read('0.5'), read('Sat, 21 Nov 2026 09:00:10 GMT'), read('2026-11-21T09:00:20Z'), read('2026-11-21T09:00:30'), read('Sat, 21 Nov 2026 08:00:00 GMT')], [7, 0.5, 10, 20, 30, 0]);
    assert.deepEqual([read(), read(''), read('later')], [undefined, undefined, undefined]);
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
      'password=hunter22', '"password": "hunter22"', "secret: 'hunter22'", 'api_key=hunter22&x=1', 'Authorization: hunter22', 'Bearer hunter22', 'Basic hunter22==', '<token>hunter22</token>'.replace(/<(\w+)>/, '$1='),
      `x ${'hunter22'.repeat(5)} y`,
    ]) assert.ok(!redact(text).includes('hunter22'), redact(text));
  });
  it('is one line without markup of at most 120 characters', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 4000 }), body => {
      const seen = excerpt({ body: Buffer.from(`<html>\n${body}</html>`) });
      assert.ok(seen.length <= 120 && !/[\r\n\t\0]/.test(seen));
    }));
    assert.equal(excerpt({ body: Buffer.from('<html><body>\n <h1>Bad  gateway</h1></body></html>') }), 'Bad gateway');
  });
  it('ends between words', () => assert.equal(excerpt({ body: Buffer.from(`${'a'.repeat(20)} ${'b'.repeat(20)}`) }, text => text, 30), 'a'.repeat(20)));
});
