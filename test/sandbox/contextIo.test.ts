import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { request as send } from 'undici';
import { baseString, percentEncode, requestPairs, signOAuth1 } from '../../shared/auth/oauth1.js';
import {
  callsMade,
  deliver,
  MAIN,
  mailServers,
  PASSWORD,
  PLAIN_SOURCE,
  startContextIo,
  TROUBLED,
  type ContextIoOptions,
} from './contextIo.js';
import type { Vendor } from './vendor.js';

type Json = Record<string, any>;
interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  form?: Record<string, string>;
  now?: number;
  nonce?: string;
  key?: string;
  secret?: string;
}
const FORM = 'application/x-www-form-urlencoded';

describe('the Context.IO sandbox refuses what the vendor would refuse', () => {
  let vendor: Vendor;
  before(async () => {
    vendor = await startContextIo();
    vendor.stopClock();
  });
  after(() => vendor.close());

  const read = async (answer: Awaited<ReturnType<typeof send>>) => {
    const text = await answer.body.text();
    let json: any;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: answer.statusCode, headers: answer.headers as Record<string, string>, text, json };
  };
  /** A signed request; what is given as `form` is a form. */
  const signedRequest = (
    path: string,
    { method = 'GET', headers = {}, body, form, now, nonce, key, secret }: Ask = {},
    to = vendor,
  ) =>
    signOAuth1(
      {
        method: method as 'GET',
        url: to.url + path,
        headers: { ...(form ? { 'content-type': FORM } : {}), ...headers },
        ...(form ? { body: String(new URLSearchParams(form)) } : body === undefined ? {} : { body }),
      },
      {
        consumerKey: key ?? String(to.account.consumerKey),
        consumerSecret: secret ?? String(to.account.consumerSecret),
      },
      now === undefined && nonce === undefined
        ? undefined
        : { now: now ?? Date.now(), nonce: nonce ?? String(Math.random()) },
    );
  const ask = async (path: string, options: Ask = {}, to = vendor) => {
    const { method, url, headers, body } = signedRequest(path, options, to);
    return read(await send(url, { method, headers, body: body ?? null }));
  };
  const post = (path: string, form: Record<string, string>, to = vendor) => ask(path, { method: 'POST', form }, to);
  const apart = async (options: ContextIoOptions, work: (its: Vendor) => Promise<void>) => {
    const its = await startContextIo(options);
    its.stopClock();
    try {
      await work(its);
    } finally {
      await its.close();
    }
  };
  const refused = (answer: { status: number; json: Json }, status: number, words: RegExp) => {
    assert.deepEqual([answer.status, answer.json?.type], [status, 'error'], JSON.stringify(answer.json));
    assert.match(answer.json.value, words);
  };

  describe('identity', () => {
    it('no, incomplete and foreign proofs', async () => {
      refused(await read(await send(`${vendor.url}/2.0/accounts`)), 401, /No OAuth parameters/);
      const { headers } = signedRequest('/2.0/accounts');
      for (const name of [
        'oauth_consumer_key',
        'oauth_nonce',
        'oauth_timestamp',
        'oauth_signature_method',
        'oauth_signature',
      ]) {
        refused(
          await read(
            await send(`${vendor.url}/2.0/accounts`, {
              headers: {
                authorization: headers.authorization!.replace(new RegExp(`${name}="[^"]*",?`), '').replace(/,$/, ''),
              },
            }),
          ),
          401,
          new RegExp(`${name} is missing`),
        );
      }
      for (const [from, to, words] of [
        ['HMAC-SHA1', 'PLAINTEXT', /HMAC-SHA1/],
        ['oauth_version="1.0"', 'oauth_version="2.0"', /oauth_version/],
        [/oauth_timestamp="\d+"/, 'oauth_timestamp="soon"', /positive integer/],
        ['OAuth ', 'OAuth oauth_nonce="x",', /stands twice/],
        ['OAuth ', 'OAuth oauth_token="t",', /two-legged/],
        ['OAuth ', 'OAuth nonsense,', /malformed/],
      ] as const) {
        refused(
          await read(
            await send(`${vendor.url}/2.0/accounts`, {
              headers: { authorization: headers.authorization!.replace(from, to) },
            }),
          ),
          401,
          words,
        );
      }
      for (const wrong of [{ key: 'another' }, { secret: 'another' }]) {
        const answer = await ask('/2.0/accounts', wrong);
        refused(answer, 401, /^Invalid signature /);
        assert.equal(answer.json.code, 105);
      }
    });

    it('a wrong signature, naming the base string it expected', async () => {
      const { json } = await ask('/2.0/accounts?email=a%2Bb%40example.com&limit=5', {
        secret: 'wrong',
        now: 1400000000_000,
        nonce: '4f0f1c4f3f757edc',
      });
      assert.equal(
        json.value.replace(/^Invalid signature \S+ /, ''),
        `Signature base string should be GET&${percentEncode(`${vendor.url}/2.0/accounts`)}&email%3Da%252Bb%2540example.com%26limit%3D5%26oauth_consumer_key%3Dabcdef1234567890` +
          '%26oauth_nonce%3D4f0f1c4f3f757edc%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1400000000%26oauth_version%3D1.0',
      );
    });

    it('a request signed for another path, query, form, verb or trailing slash', async () => {
      const { headers, body } = signedRequest('/2.0/accounts', { method: 'POST', form: { email: 'a@example.com' } });
      for (const [method, path, sent] of [
        ['POST', '/2.0/accounts/', body],
        ['POST', '/2.0/accounts?x=1', body],
        ['POST', '/2.0/accounts', 'email=b%40example.com'],
        ['POST', '/2.0/accounts', ''],
        ['GET', '/2.0/accounts', null],
      ] as const) {
        const answer = await read(await send(vendor.url + path, { method, headers, body: sent as string | null }));
        assert.deepEqual([answer.status, answer.json.code], [401, 105], `${method} ${path}`);
      }
      for (const path of ['/2.0/accounts', '/2.0/accounts/', `/2.0/accounts/${MAIN}/`])
        assert.equal((await ask(path)).status, 200, path);
    });

    it('a nonce that was used before, and a clock that is wrong', async () => {
      assert.equal((await ask('/2.0/accounts', { nonce: 'once', now: Date.now() - 5000 })).status, 200);
      const now = Date.now();
      assert.equal((await ask('/2.0/accounts', { nonce: 'twice', now })).status, 200);
      refused(await ask('/2.0/accounts?limit=1', { nonce: 'twice', now }), 401, /nonce was used/);
      refused(await ask('/2.0/accounts', { now: now - 601_000 }), 401, /too far/);
      refused(await ask('/2.0/accounts', { now: now + 605_000 }), 401, /too far/);
      await apart({ refuseRepeatedNonces: false, clockWindow: 0 }, async its => {
        for (let again = 0; again < 2; again++)
          assert.equal((await ask('/2.0/accounts', { nonce: 'any', now: 0 }, its)).status, 200);
      });
    });

    it('but takes what official clients send: a realm, spaces, a proof in the query, multipart, unknown and empty parameters', async () => {
      const spaced = signedRequest('/2.0/accounts')
        .headers.authorization!.replace('OAuth ', 'OAuth realm="", ')
        .replaceAll('",', '", ');
      assert.equal(
        (await read(await send(`${vendor.url}/2.0/accounts`, { headers: { authorization: spaced } }))).status,
        200,
      );
      const url = `${vendor.url}/2.0/accounts?limit=1`;
      const proof: [string, string][] = [
        ['oauth_consumer_key', 'abcdef1234567890'],
        ['oauth_nonce', 'inquery'],
        ['oauth_signature_method', 'HMAC-SHA1'],
        ['oauth_timestamp', String(Math.floor(Date.now() / 1000))],
      ];
      const signature = createHmac('sha1', `${percentEncode(String(vendor.account.consumerSecret))}&`)
        .update(baseString('GET', url, [...requestPairs({ url, headers: {} }), ...proof]))
        .digest('base64');
      assert.equal(
        (await read(await send(`${url}&${new URLSearchParams([...proof, ['oauth_signature', signature]])}`))).json
          .length,
        1,
      );
      const data = new FormData();
      data.append('email', 'multi@example.com');
      const whole = new Response(data);
      const body = Buffer.from(await whole.arrayBuffer()).toString('latin1');
      const made = await ask('/2.0/accounts', {
        method: 'POST',
        headers: { 'content-type': whole.headers.get('content-type')! },
        body,
      });
      assert.deepEqual([made.status, made.json.success], [201, true]);
      assert.equal((await ask('/2.0/accounts?body=&nonsense=1&limit=1')).json.length, 1);
      assert.equal((await post('/2.0/accounts', { email: 'also@example.com', body: '', foo: 'bar' })).status, 201);
    });

    it('a PUT whose form was signed, as the vendor left it out of its own base string', async () => {
      const path = `/2.0/accounts/${MAIN}/sources/0/folders/Signed`;
      assert.equal((await ask(path, { method: 'PUT', form: { delim: '.' } })).json.code, 105);
      assert.equal((await ask(`${path}?delim=.`, { method: 'PUT' })).status, 201);
    });
  });

  describe('parameters', () => {
    it('what is missing, malformed or of another kind', async () => {
      const account = `/2.0/accounts/${MAIN}`;
      for (const [path, words] of [
        ['/2.0/accounts?status=BROKEN', /status/],
        ['/2.0/accounts?status_ok=true', /status_ok/],
        ['/2.0/accounts?limit=-1', /limit/],
        ['/2.0/accounts?offset=x', /offset/],
        [`${account}/messages?date_after=2018-01-01`, /date_after/],
        [`${account}/messages?include_body=yes`, /include_body/],
        [`${account}/messages?sort_order=up`, /sort_order/],
        [`${account}/messages?subject=/(/`, /expression/],
        [`${account}/contacts?sort_by=age`, /sort_by/],
        ['/2.0/discovery?source_type=IMAP', /email/],
        ['/2.0/discovery?source_type=POP&email=a%40b.c', /IMAP/],
      ] as const)
        refused(await ask(path), 400, words);
      for (const [path, form, words] of [
        ['/2.0/accounts', {}, /email/],
        ['/2.0/accounts', { email: 'nobody' }, /email/],
        [`${account}/email_addresses`, {}, /email_address/],
        [`${account}/email_addresses/ann%40example.com`, { primary: '0' }, /primary/],
        [`${account}/webhooks`, { callback_url: 'http://a.example' }, /failure_notif_url/],
        [`${account}/webhooks`, { callback_url: 'ftp://a', failure_notif_url: 'http://a.example' }, /callback_url/],
        ['/2.0/connect_tokens', {}, /callback_url/],
        [`${account}/sources/0`, { force_status_check: '1', status: '1' }, /alone/],
        [`${account}/sources/0`, { status: '2' }, /status/],
        ['/app/status_callback_url', {}, /status_callback_url/],
      ] as const)
        refused(await post(path, form as Record<string, string>), 400, words);
      refused(
        await ask('/2.0/accounts', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"email":"a@b.c"}',
        }),
        400,
        /email/,
      );
      refused(
        await ask('/2.0/accounts', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'email=a@b.c' }),
        400,
        /content type/,
      );
      refused(
        await ask(`${account}/messages/${await deliver(vendor)}/folders`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: '{"name":"INBOX"}',
        }),
        400,
        /list/,
      );
    });

    it('paths and verbs that are not there', async () => {
      refused(await ask('/2.0/nonsense'), 404, /resource/);
      refused(await ask('/accounts'), 404, /resource/);
      const verb = await ask('/2.0/accounts', { method: 'DELETE' });
      refused(verb, 405, /verb/);
      assert.equal(verb.headers.allow, 'GET, POST');
      refused(await ask('/2.0/accounts/ffffffffffffffffffffffff/messages'), 404, /account/);
    });

    it('pages longer than 100', async () => {
      assert.equal((await ask('/2.0/accounts?limit=1000')).json.length, 100);
      assert.equal((await ask('/2.0/accounts')).json.length, 25);
      assert.equal((await ask('/2.0/accounts?limit=100&offset=1000')).json.length, 0);
    });
  });

  describe('sources', () => {
    const source = {
      email: 'carol@example.com',
      server: 'imap.example.com',
      username: 'carol',
      use_ssl: '1',
      port: '993',
      type: 'IMAP',
      password: PASSWORD,
    };

    it('a source that is not whole or does not work, and makes no account then', async () => {
      const count = async () => {
        let all = 0;
        for (let offset = 0; ; offset += 100) {
          const { json } = await ask(`/2.0/accounts?limit=100&offset=${offset}`);
          all += json.length;
          if (json.length < 100) return all;
        }
      };
      const before = await count();
      for (const name of ['server', 'username', 'use_ssl', 'port', 'type', 'password']) {
        const { [name]: _left, ...rest } = source as Record<string, string>;
        refused(await post('/2.0/accounts', rest), 400, new RegExp(name));
      }
      for (const [change, code] of [
        [{ password: 'wrong' }, 'invalid_credentials'],
        [{ server: 'imap.down.example' }, 'connection_impossible'],
        [{ server: 'imap.unknown.example' }, 'connection_impossible'],
        [{ server: 'imap.hidden.example', username: 'ann' }, 'no_access_to_all_mail'],
      ] as const) {
        const { status, json } = await post('/2.0/accounts', { ...source, ...change });
        assert.deepEqual(
          [status, json.success, json.feedback_code, typeof json.connectionLog],
          [400, false, code, 'string'],
        );
      }
      assert.equal(await count(), before);
      const good = await post('/2.0/accounts', source);
      assert.deepEqual([good.status, good.json.source.label], [201, 'carol::imap.example.com']);
    });

    it('never shows a password', async () => {
      for (const path of [`/2.0/accounts/${MAIN}`, `/2.0/accounts/${MAIN}/sources`, `/2.0/accounts/${MAIN}/sources/0`])
        assert.ok(!(await ask(path)).text.includes(PASSWORD), path);
    });

    it('filters by status show accounts that have such a source, and only those sources', async () => {
      for (const status of [
        'OK',
        'INVALID_CREDENTIALS',
        'CONNECTION_IMPOSSIBLE',
        'NO_ACCESS_TO_ALL_MAIL',
        'TEMP_DISABLED',
        'DISABLED',
      ]) {
        const { json } = await ask(`/2.0/accounts?limit=100&status=${status}`);
        assert.ok(
          json.length > 0 &&
            json.every(
              (account: Json) =>
                account.sources.length > 0 && account.sources.every((one: Json) => one.status === status),
            ),
          status,
        );
      }
      const { json } = await ask(`/2.0/accounts/${TROUBLED}/sources?status_ok=0`);
      assert.equal(json.length, 5);
    });

    it('grow worse while they fail, stop, and come back', () =>
      apart({}, async its => {
        const label = encodeURIComponent(PLAIN_SOURCE);
        const path = `/2.0/accounts/${MAIN}/sources/${label}`;
        const status = async () => (await ask(path, {}, its)).json.status;
        mailServers(its)['imap.example.com']!.up = false;
        const seen: string[] = [];
        for (let hour = 0; hour < 8; hour++) {
          its.advance(3600_000);
          seen.push(await status());
        }
        assert.deepEqual(seen, [
          'CONNECTION_IMPOSSIBLE',
          'CONNECTION_IMPOSSIBLE',
          'TEMP_DISABLED',
          'TEMP_DISABLED',
          'TEMP_DISABLED',
          'DISABLED',
          'DISABLED',
          'DISABLED',
        ]);
        mailServers(its)['imap.example.com']!.up = true;
        its.advance(3600_000);
        assert.equal(await status(), 'DISABLED');
        assert.deepEqual((await post(path, { force_status_check: '1' }, its)).json, { status: 'OK' });
        assert.equal(await status(), 'OK');
        await callsMade(its);
      }));

    it('on-demand calls answer 503, not in JSON, while the mail server is away', () =>
      apart({}, async its => {
        const id = await deliver(its);
        mailServers(its)['imap.example.com']!.up = false;
        for (const path of ['/body', '/source', '/headers', '/flags', '?include_body=1']) {
          const { status, json, headers } = await ask(`/2.0/accounts/${MAIN}/messages/${id}${path}`, {}, its);
          assert.deepEqual([status, json, headers['content-type']], [503, undefined, 'text/html'], path);
        }
        assert.equal((await ask(`/2.0/accounts/${MAIN}/messages/${id}`, {}, its)).status, 200);
      }));
  });

  describe('shapes', () => {
    it('empty maps are lists, counts are texts here and numbers there, times are integers', async () => {
      const { json } = await ask(`/2.0/accounts/${MAIN}/messages?limit=100&offset=100`);
      assert.ok(
        json.some((mail: Json) => Array.isArray(mail.addresses)) &&
          json.some((mail: Json) => !Array.isArray(mail.addresses)),
      );
      assert.ok(
        json.some((mail: Json) => Array.isArray(mail.person_info)) &&
          json.every((mail: Json) => Number.isInteger(mail.date) && Number.isInteger(mail.date_indexed)),
      );
      const kinds = new Set(
        (await ask(`/2.0/accounts/${MAIN}/sources/0/folders`)).json.map((folder: Json) => typeof folder.nb_messages),
      );
      assert.deepEqual([...kinds].sort(), ['number', 'string']);
      const made = (await post('/2.0/accounts', { email: 'empty@example.com' })).json;
      assert.deepEqual((await ask(`/2.0/accounts/${made.id}/sync`)).json, []);
    });

    it('messages are sorted by the Date header, newest first, and the two times are filtered apart', async () => {
      const path = `/2.0/accounts/${MAIN}/messages`;
      const { json } = await ask(`${path}?limit=100`);
      const dates = json.map((mail: Json) => mail.date);
      assert.deepEqual(
        dates,
        [...dates].sort((a, b) => b - a),
      );
      const now = Math.floor(vendor.now() / 1000);
      const late = await deliver(vendor, { date: now - 10 ** 8 });
      assert.ok(
        (await ask(`${path}?limit=100&indexed_after=${now - 60}`)).json.some((mail: Json) => mail.message_id === late),
      );
      assert.ok(
        !(await ask(`${path}?limit=100&date_after=${now - 60}`)).json.some((mail: Json) => mail.message_id === late),
      );
    });

    it('a download says what it is called', async () => {
      const [file] = (await ask(`/2.0/accounts/${MAIN}/files?file_name=${encodeURIComponent('Übersicht*')}`)).json;
      const { headers } = await ask(`/2.0/accounts/${MAIN}/files/${file.file_id}/content`);
      assert.equal(
        headers['content-disposition'],
        'attachment; filename="_bersicht _2018_.pdf"; filename*=UTF-8\'\'%C3%9Cbersicht%20%222018%22.pdf',
      );
    });

    it('throttling, on request, is the general error with a wait', async () => {
      vendor.fail({ throttle: true });
      const answer = await ask('/2.0/accounts');
      refused(answer, 429, /Too many/);
      assert.equal(answer.headers['retry-after'], '1');
    });
  });
});
