import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { headerAuth } from '../../shared/auth/header.js';
import { baseString, percentEncode, requestPairs, signOAuth1 } from '../../shared/auth/oauth1.js';
import type { HttpRequest } from '../../shared/http.js';

const consumer = { consumerKey: 'abcdef1234567890', consumerSecret: 's3cr3t/With+Odd&Chars=' };
const signatureOf = (request: HttpRequest) =>
  decodeURIComponent(/oauth_signature="([^"]+)"/.exec(request.headers.authorization!)![1]!);

describe('OAuth 1 signing', () => {
  const form = 'application/x-www-form-urlencoded';
  const examples: [HttpRequest, string, number, string][] = [
    [
      {
        method: 'GET',
        url: 'https://api.context.io/2.0/accounts?email=john.doe%2Bx%40example.com&limit=15',
        headers: {},
      },
      '4f0f1c4f3f757edc',
      1400000000,
      'ZtFiF0Zz50mZvgyuoWyNQ5PGNSs=',
    ],
    [
      {
        method: 'POST',
        url: 'https://api.context.io/2.0/accounts',
        headers: { 'content-type': form },
        body: String(new URLSearchParams({ email: 'john.doe@example.com', first_name: 'John', last_name: "O'Doe" })),
      },
      '4f0f1c4f3f757edd',
      1400000001,
      '/JIxHKreaG2k9Mif7l4UsGyfd00=',
    ],
    [
      { method: 'DELETE', url: 'http://127.0.0.1:8080/2.0/accounts/4f0f1c4f3f757edc3b000002', headers: {} },
      '4f0f1c4f3f757ede',
      1400000002,
      'Bj/mo0toWC/6B8yS2X1jR2vmvsU=',
    ],
  ];
  for (const [request, nonce, seconds, signature] of examples) {
    it(`gives the known signature for ${request.method} ${request.url}`, () => {
      assert.equal(signatureOf(signOAuth1(request, consumer, { now: seconds * 1000 + 999, nonce })), signature);
    });
  }

  it('writes the header of the first example to the letter, beside the headers that are there', () => {
    const [request, nonce, seconds] = examples[0]!;
    assert.deepEqual(
      signOAuth1({ ...request, headers: { accept: 'application/json' } }, consumer, { now: seconds * 1000, nonce })
        .headers,
      {
        accept: 'application/json',
        authorization:
          'OAuth oauth_consumer_key="abcdef1234567890",oauth_nonce="4f0f1c4f3f757edc",oauth_signature_method="HMAC-SHA1",' +
          'oauth_timestamp="1400000000",oauth_version="1.0",oauth_signature="ZtFiF0Zz50mZvgyuoWyNQ5PGNSs%3D"',
      },
    );
  });

  it('normalises as the example of RFC 5849 section 3.4.1.1', () => {
    const url = 'http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b';
    const pairs = requestPairs({ url, headers: { 'Content-Type': form }, body: 'c2&a3=2+q' });
    const proof: [string, string][] = [
      ['oauth_consumer_key', '9djdj82h48djs9d2'],
      ['oauth_token', 'kkk9d7dh3k39sjv7'],
      ['oauth_signature_method', 'HMAC-SHA1'],
      ['oauth_timestamp', '137131201'],
      ['oauth_nonce', '7d8f3e4a'],
    ];
    assert.equal(
      baseString('post', url, [...pairs, ...proof]),
      'POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D' +
        '%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201' +
        '%26oauth_token%3Dkkk9d7dh3k39sjv7',
    );
  });

  it('takes scheme and host in lower case, leaves out default ports only, keeps escapes and the trailing slash', () => {
    // RFC 5849 section 3.4.1.2.
    assert.match(
      baseString('GET', 'HTTP://EXAMPLE.COM:80/r%20v/X?id=123', []),
      /^GET&http%3A%2F%2Fexample\.com%2Fr%2520v%2FX&$/,
    );
    assert.match(
      baseString('GET', 'https://www.example.net:8080/', []),
      /^GET&https%3A%2F%2Fwww\.example\.net%3A8080%2F&$/,
    );
    assert.match(
      baseString('GET', 'https://x.org:443/a%40b.com%3A%3Aimap.b.com/', []),
      /%2Fa%2540b\.com%253A%253Aimap\.b\.com%2F&$/,
    );
  });

  it('does not sign bodies that are not forms', () => {
    const url = 'http://example.com/x';
    for (const type of [
      'application/json',
      'multipart/form-data; boundary=b',
      'application/x-www-form-urlencoded-not',
    ]) {
      assert.deepEqual(requestPairs({ url, headers: { 'content-type': type }, body: 'a=b' }), []);
    }
    assert.deepEqual(
      requestPairs({ url, headers: { 'Content-Type': `${form}; charset=UTF-8` }, body: Buffer.from('a=%C3%A9') }),
      [['a', 'é']],
    );
    assert.deepEqual(
      requestPairs({ url, headers: { accept: form, 'content-type': `text/plain, ${form}` }, body: 'a=b' }),
      [],
    );
    assert.deepEqual(requestPairs({ url, headers: { 'content-type': form } }), []);
    assert.deepEqual(requestPairs({ url, headers: {}, body: 'a=b' }), []);
  });

  it('encodes any text so that only unreserved characters stay and decoding gives it back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        const encoded = percentEncode(text);
        assert.match(encoded, /^(?:[A-Za-z0-9\-._~]|%[0-9A-F]{2})*$/);
        assert.equal(decodeURIComponent(encoded), text);
      }),
    );
  });

  it('sorts by encoded name, then by encoded value, whatever the order of the pairs', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string())), fc.nat(), (pairs, seed) => {
        const turned = pairs.length
          ? [...pairs.slice(seed % pairs.length), ...pairs.slice(0, seed % pairs.length)].reverse()
          : [];
        assert.equal(baseString('GET', 'http://a/', pairs), baseString('GET', 'http://a/', turned));
      }),
    );
    assert.match(
      baseString('GET', 'http://a/', [
        ['b', '2'],
        ['a ', ''],
        ['a', 'z'],
        ['a', 'A'],
        ['B', ''],
      ]),
      /&B%3D%26a%3DA%26a%3Dz%26a%2520%3D%26b%3D2$/,
    );
  });

  it('a key in a header stands beside the headers that are there, and changes no request of its caller', () => {
    const request: HttpRequest = {
      method: 'GET',
      url: 'http://example.com/x',
      headers: { accept: 'application/json' },
    };
    assert.deepEqual(headerAuth('x-api-key', 'apiKey')(request, { apiKey: 'k1' }), {
      ...request,
      headers: { accept: 'application/json', 'x-api-key': 'k1' },
    });
    assert.deepEqual(request.headers, { accept: 'application/json' });
  });

  it('takes the time now and another nonce each time when no clock is given, and signs with both', () => {
    const [request] = examples[0]!;
    const headers = [1, 2].map(() => signOAuth1(request, consumer).headers.authorization!);
    const nonces = headers.map(header => /oauth_nonce="([0-9a-f]{32})"/.exec(header)![1]!);
    assert.notEqual(nonces[0], nonces[1]);
    const stamp = Number(/oauth_timestamp="(\d+)"/.exec(headers[0]!)![1]);
    assert.ok(Math.abs(stamp - Date.now() / 1000) < 5);
    const base = baseString('GET', request.url, [
      ...requestPairs(request),
      ['oauth_consumer_key', consumer.consumerKey],
      ['oauth_nonce', nonces[0]!],
      ['oauth_signature_method', 'HMAC-SHA1'],
      ['oauth_timestamp', String(stamp)],
      ['oauth_version', '1.0'],
    ]);
    assert.equal(
      signatureOf({ ...request, headers: { authorization: headers[0]! } }),
      createHmac('sha1', 's3cr3t%2FWith%2BOdd%26Chars%3D&').update(base).digest('base64'),
    );
  });
});
