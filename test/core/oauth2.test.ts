import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  authorization,
  connect,
  createSend,
  exchangeCode,
  isMailError,
  MailError,
  providerById,
  readRedirect,
  refreshTokens,
  tokenKeeper,
  type HttpRequest,
  type OAuth2App,
  type OAuth2Tokens,
  type Send,
} from '../../shared/index.js';
import { outreach as provider } from '../../shared/providers/outreach/index.js';
import { startOutreach, type OutreachVendor, type Switches } from '../sandbox/outreach.js';

const failure = async (promise: Promise<unknown>): Promise<MailError> => {
  try {
    await promise;
  } catch (error) {
    assert.ok(isMailError(error), String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
};

describe('oauth2', () => {
  let vendor: OutreachVendor;
  let app: OAuth2App;
  let disk: OAuth2Tokens | undefined;
  const start = async (switches: Partial<Switches> = {}) => {
    vendor = await startOutreach(switches);
    vendor.stopClock();
    const { clientId, clientSecret, redirectUri, accessToken, refreshToken } = vendor.account as Record<string, string>;
    app = { clientId: clientId!, clientSecret: clientSecret!, redirectUri: redirectUri! };
    disk = {
      accessToken: accessToken!,
      refreshToken: refreshToken!,
      obtainedAt: vendor.now(),
      expiresAt: vendor.now() + 7_200_000,
    };
  };
  beforeEach(() => start());
  afterEach(() => vendor.close());
  const grantsAsked = () => vendor.seen.filter(s => s.path === '/oauth/token').length;
  const options = () => ({ provider, account: vendor.account, app, now: () => vendor.now() });
  const keeper = (more: Partial<Parameters<typeof tokenKeeper>[0]> = {}) =>
    tokenKeeper({
      ...options(),
      load: async () => disk,
      save: async tokens => {
        disk = tokens;
      },
      ...more,
    });
  const secrets = (...more: (string | undefined)[]) =>
    [app.clientSecret, disk?.accessToken, disk?.refreshToken, ...more].filter(s => s !== undefined);
  const hidesSecrets = (error: MailError, hidden = secrets()) => {
    const shown = `${error.message} ${error.stack} ${JSON.stringify(error.details)} ${String(error.cause)}`;
    for (const secret of hidden) assert.ok(!shown.includes(secret), shown);
  };

  it('codes and tokens go over plain HTTP to this machine only, unless the account says otherwise', async () => {
    const sent: string[] = [];
    const send = async ({ url }: { url: string }) => {
      sent.push(url);
      throw new Error('not sent');
    };
    const account = { ...vendor.account, baseUrl: 'http://vendor.example' };
    const far = { ...options(), account, send };
    await assert.rejects(authorization(far), /cross the network readable on their way to http:\/\/vendor\.example/);
    for (const work of [
      exchangeCode({ ...far, code: 'abc', verifier: 'v' }),
      refreshTokens({ ...far, refreshToken: 'abc' }),
    ]) {
      await assert.rejects(
        work,
        error => isMailError(error) && error.code === 'invalid_input' && !/abc/.test(error.message),
      );
    }
    assert.deepEqual(sent, []);
    assert.match(
      (await authorization({ ...far, account: { ...account, plainHttp: true } })).url,
      /^http:\/\/vendor\.example/,
    );
    await refreshTokens({ ...far, account: { ...account, plainHttp: true }, refreshToken: 'abc' }).catch(() => {});
    assert.deepEqual(sent, ['http://vendor.example/oauth/token']);
  });

  describe('consent', () => {
    const consent = async (url: string) => (await fetch(url, { redirect: 'manual' })).headers.get('location')!;
    it('brings tokens, with PKCE', async () => {
      const { url, state, verifier } = await authorization(options());
      const { searchParams } = new URL(url);
      assert.equal(searchParams.get('code_challenge_method'), 'S256');
      assert.equal(searchParams.get('code_challenge'), createHash('sha256').update(verifier).digest('base64url'));
      const tokens = await exchangeCode({
        ...options(),
        code: await readRedirect(await consent(url), state, options()),
        verifier,
      });
      assert.equal(tokens.expiresAt! - tokens.obtainedAt, 7_200_000);
      assert.ok(tokens.refreshToken);
      await connect(provider, vendor.account, { token: async () => tokens.accessToken }).call('account.check', {});
    });
    it('what is odd beside new tokens does not lose them: the old ones may be dead', async () => {
      const odd = {
        access_token: 'new-access-token',
        refresh_token: 'new-refresh-token',
        expires_in: null,
        scope: 7,
        id_token: 'no.token',
      };
      vendor.fail({ status: 200, body: JSON.stringify(odd) });
      const { accessToken, refreshToken, expiresAt } = await refreshTokens({
        ...options(),
        refreshToken: disk!.refreshToken!,
      });
      assert.deepEqual([accessToken, refreshToken, expiresAt], ['new-access-token', 'new-refresh-token', undefined]);
    });
    it('an answer of another server is refused (RFC 9207), one of the server that was asked is taken', async () => {
      const asked = options();
      const { origin } = new URL(vendor.url);
      const back = (iss: string) =>
        readRedirect(`https://localhost/callback?code=x&state=s&iss=${encodeURIComponent(iss)}`, 's', asked);
      for (const iss of ['https://evil.example', `${origin}.evil.example`, 'no address'])
        await assert.rejects(back(iss), /Another server answered/);
      for (const iss of [origin, `${origin}/tenant/v2.0`]) assert.equal(await back(iss), 'x');
      // Two answers in one address are none.
      await assert.rejects(readRedirect('https://localhost/callback?code=x&state=s&state=s', 's', asked));
      await assert.rejects(readRedirect('https://localhost/callback?code=x&state=s&error=access_denied', 's', asked), {
        code: 'forbidden',
      });
    });
    it('fails with a wrong verifier, a code used twice, a foreign state, and a refusal', async () => {
      const { url, state } = await authorization(options());
      const code = await readRedirect(await consent(url), state, options());
      const wrong = await failure(exchangeCode({ ...options(), code, verifier: 'other' }));
      assert.equal(wrong.code, 'unauthorized');
      hidesSecrets(wrong, secrets(code));
      await assert.rejects(
        readRedirect(`https://localhost/callback?code=x&state=${state}x`, state, options()),
        /not started here/,
      );
      await assert.rejects(
        readRedirect(`https://localhost/callback?error=access_denied&state=${state}`, state, options()),
        (e: MailError) => e.code === 'forbidden',
      );
      await assert.rejects(
        readRedirect(`https://localhost/callback?state=${state}`, state, options()),
        (e: MailError) => e.code === 'protocol',
      );
    });
    it('has a new state and verifier each time', async () => {
      const a = await authorization(options());
      const b = await authorization(options());
      assert.notEqual(a.state, b.state);
      assert.notEqual(a.verifier, b.verifier);
      assert.ok(a.state.length >= 43);
    });
  });

  describe('what goes to the vendor of tokens, and what is read from its answers', () => {
    /** A sender that gives these answers in turn, and what was asked of it. */
    function answering(...answers: [status: number, body: string, headers?: Record<string, string>][]) {
      const asked: HttpRequest[] = [];
      const send: Send = async request => {
        asked.push(request);
        const [status, body, headers = {}] = answers.shift() ?? assert.fail('one request too many');
        return {
          status,
          headers,
          body: (async function* () {
            yield Buffer.from(body);
          })(),
        };
      };
      return { asked, send };
    }
    const form = ({ body }: HttpRequest) => Object.fromEntries(new URLSearchParams(String(body)));
    const good = '{"access_token":"new-access","token_type":"Bearer"}';
    const renewed = (body: string, more: object = {}) =>
      refreshTokens({ ...options(), ...answering([200, body]), refreshToken: 'old-refresh', ...more });
    const refused = (status: number, body: string, headers: Record<string, string> = {}) =>
      failure(refreshTokens({ ...options(), ...answering([status, body, headers]), refreshToken: 'old-refresh' }));

    it('is asked for consent with all that the standard wants, and with what the caller gives', async () => {
      const made = await authorization({
        ...options(),
        scopes: ['a.read', 'b.write'],
        state: 'my-state',
        verifier: 'my-verifier',
      });
      const { origin, pathname, searchParams } = new URL(made.url);
      assert.equal(origin + pathname, provider.auth.oauth2!.authorizeUrl(vendor.account as never));
      assert.deepEqual(Object.fromEntries(searchParams), {
        response_type: 'code',
        client_id: app.clientId,
        redirect_uri: app.redirectUri,
        scope: 'a.read b.write',
        state: 'my-state',
        code_challenge: createHash('sha256').update('my-verifier').digest('base64url'),
        code_challenge_method: 'S256',
      });
      assert.deepEqual([made.state, made.verifier], ['my-state', 'my-verifier']);
      const usual = new URL((await authorization(options())).url).searchParams.get('scope');
      assert.equal(usual, provider.auth.oauth2!.scopes.join(' '));
    });
    it('gets each grant as a form with the secret of the app, and without one from an app that has none', async () => {
      const { asked, send } = answering([200, good], [200, good], [200, good]);
      const open = { ...options(), send };
      await exchangeCode({ ...open, code: 'the-code', verifier: 'the-verifier' });
      await refreshTokens({ ...open, refreshToken: 'old-refresh' });
      const { clientSecret: _, ...publicApp } = app;
      await refreshTokens({ ...open, app: publicApp, refreshToken: 'old-refresh' });
      const client = { client_id: app.clientId, redirect_uri: app.redirectUri };
      const renewal = { ...client, grant_type: 'refresh_token', refresh_token: 'old-refresh' };
      assert.deepEqual(asked.map(form), [
        {
          ...client,
          client_secret: app.clientSecret,
          grant_type: 'authorization_code',
          code: 'the-code',
          code_verifier: 'the-verifier',
        },
        { ...renewal, client_secret: app.clientSecret },
        renewal,
      ]);
      for (const { method, url } of asked)
        assert.deepEqual([method, url], ['POST', provider.auth.oauth2!.tokenUrl(vendor.account as never)]);
    });
    it('gives tokens with their end, counted from before they were asked for, and what they are for', async () => {
      const start = vendor.now();
      const full = { access_token: 'a', token_type: 'bearer', refresh_token: 'r', expires_in: '3600', scope: 'x y' };
      assert.deepEqual(await renewed(JSON.stringify(full)), {
        accessToken: 'a',
        refreshToken: 'r',
        obtainedAt: start,
        expiresAt: start + 3_600_000,
        scope: 'x y',
      });
      for (const odd of [
        { refresh_token: '', expires_in: 0, scope: 7 },
        { refresh_token: 7, expires_in: -5, scope: null },
        { refresh_token: null, expires_in: 'soon', scope: [] },
        {},
      ])
        assert.deepEqual(await renewed(JSON.stringify({ access_token: 'a', ...odd })), {
          accessToken: 'a',
          refreshToken: 'old-refresh',
          obtainedAt: start,
        });
      const before = Date.now();
      const { obtainedAt } = await renewed(good, { now: undefined });
      assert.ok(obtainedAt >= before && obtainedAt <= Date.now());
    });
    it('an answer without a bearer token is told as that, and no word of it', async () => {
      for (const body of [
        'null',
        '[]',
        '7',
        '',
        '{"access_token":""}',
        '{"access_token":7}',
        '{"access_token":"a","token_type":"mac"}',
        '{"access_token":"a","token_type":"DPoP"}',
      ]) {
        const error = await failure(renewed(body));
        assert.deepEqual(
          [error.code, error.message, error.details],
          [
            'protocol',
            `${provider.name} answered renewing the token without a bearer token.`,
            { provider: provider.name, status: 200 },
          ],
          body,
        );
      }
      const signingIn = await failure(
        exchangeCode({ ...options(), ...answering([200, '{}']), code: 'c', verifier: 'v' }),
      );
      assert.equal(signingIn.message, `${provider.name} answered signing in without a bearer token.`);
    });
    it('a refusal is told by its status and its code, in the words of the vendor', async () => {
      for (const [status, body, code, message] of [
        [429, 'slow down', 'rate_limited', 'gives no new token yet.'],
        [500, '{"error":"invalid_grant"}', 'unavailable', 'could not give a token (status 500).'],
        [503, '', 'unavailable', 'could not give a token (status 503).'],
        [
          400,
          '{"error":"invalid_client"}',
          'unauthorized',
          'does not accept the client id and secret (invalid_client).',
        ],
        [
          401,
          '{"error":"unauthorized_client","error_description":"No such app"}',
          'unauthorized',
          'does not accept the client id and secret (unauthorized_client: No such app).',
        ],
        [403, '{"error":"no"}', 'forbidden', 'gave no token (no).'],
        [401, '{"error":"no","error_description":""}', 'unauthorized', 'gave no token (no).'],
        [400, '{"error":7,"error_description":"Bad words"}', 'rejected', 'gave no token (Bad words).'],
        [400, 'null', 'rejected', 'gave no token (status 400).'],
        [404, '<html>', 'rejected', 'gave no token (status 404).'],
      ] as const) {
        const error = await refused(status, body);
        assert.deepEqual(
          [error.code, error.message.replace(/ Whether it was done is not known\.$/, '')],
          [code, `${provider.name} ${message}`],
          body,
        );
        assert.equal(error.details.operation, 'renewing the token');
      }
      const ended = await refused(400, '{"error":"invalid_grant","error_description":"It ended"}');
      assert.deepEqual(
        [ended.code, ended.message],
        ['unauthorized', `Sign in again: ${provider.name} no longer accepts this sign-in (invalid_grant: It ended).`],
      );
      const key = 'a1'.repeat(20);
      assert.ok(!(await refused(400, `{"error":"invalid_grant","error_description":"${key}"}`)).message.includes(key));
      assert.deepEqual(
        [
          (await refused(429, '')).details.retryAfter,
          (await refused(429, '', { 'retry-after': '7' })).details.retryAfter,
        ],
        [60, 7],
      );
    });
    it('consent that was refused is told in the words of the vendor, without what looks like a secret', async () => {
      const back = (query: string) =>
        failure(readRedirect(`https://localhost/callback?state=s&${query}`, 's', options()));
      const key = 'a1'.repeat(20);
      for (const [query, message] of [
        ['error=access_denied', 'Consent was not given (access_denied).'],
        ['error=access_denied&error_description=Ann+said+no', 'Consent was not given (access_denied: Ann said no).'],
        [`error=access_denied&error_description=${key}`, 'Consent was not given (access_denied: ***).'],
        ['', 'The sign-in ended without a code.'],
      ])
        assert.equal((await back(query!)).message, message);
      const foreign = await failure(readRedirect('https://localhost/callback?state=t&code=x', 's', options()));
      assert.deepEqual(
        [foreign.code, foreign.message],
        ['invalid_input', 'This sign-in was not started here, or another was started since. Sign in again.'],
      );
      const other = await failure(
        readRedirect('https://localhost/callback?state=s&code=x&iss=https://evil.example', 's', options()),
      );
      assert.equal(other.code, 'invalid_input');
    });
    it('who stops the work is told its own reason', async () => {
      const stop = new AbortController();
      const reason = new Error('the user left');
      const send: Send = async (_, signal) => {
        assert.equal(signal, stop.signal);
        stop.abort(reason);
        throw new Error('socket closed');
      };
      await assert.rejects(
        refreshTokens({ ...options(), send, signal: stop.signal, refreshToken: 'x' }),
        error => error === reason,
      );
    });
    it('a provider without OAuth 2 says so', async () => {
      const error = await failure(authorization({ ...options(), provider: providerById('scaleway') }));
      assert.deepEqual(
        [error.code, error.message, error.details.provider],
        ['unsupported', `${error.details.provider} has no OAuth 2.`, providerById('scaleway').name],
      );
    });
  });

  describe('a keeper of tokens', () => {
    it('gives the stored token without asking anyone, until shortly before its end', async () => {
      const token = keeper();
      assert.equal(await token(), disk!.accessToken);
      assert.equal(grantsAsked(), 0);
      const old = disk!.accessToken;
      vendor.advance(7_200_000 - 30_000);
      assert.notEqual(await token(), old);
      assert.equal(grantsAsked(), 1);
    });
    it('uses tokens of a few seconds nearly to their end', async () => {
      Object.assign(vendor.switches, { tokenLifetime: 5, grantSpacing: false });
      const token = keeper();
      const first = await token(true);
      vendor.advance(4000);
      assert.equal(await token(), first);
      vendor.advance(800);
      assert.notEqual(await token(), first);
    });
    it('stores new tokens before it gives them out', async () => {
      let done = false;
      const token = keeper({
        save: async tokens => {
          await new Promise(resolve => setTimeout(resolve, 20));
          disk = tokens;
          done = true;
        },
      });
      const given = await token(true);
      assert.ok(done);
      assert.equal(disk!.accessToken, given);
    });
    it('renews once for any number of callers who were refused', async () => {
      const token = keeper();
      const old = await token();
      const given = await Promise.all(Array.from({ length: 20 }, () => token(true, old)));
      assert.equal(new Set(given).size, 1);
      assert.equal(grantsAsked(), 1);
    });
    it('does not throw a new token away for a late refusal of the old one', async () => {
      const token = keeper();
      const old = await token();
      const renewed = await token(true, old);
      assert.equal(await token(true, old), renewed);
      assert.equal(grantsAsked(), 1);
    });
    it('lets a client with requests under way go on after its token died', async () => {
      const client = connect(provider, vendor.account, { token: keeper() });
      await client.call('account.check', {});
      vendor.revoke();
      await Promise.all(Array.from({ length: 12 }, () => client.call('account.check', {})));
      assert.equal(vendor.grants, 1);
    });
    it('shares one renewal among keepers of the same account', async () => {
      const both = [keeper({ key: 'account-1' }), keeper({ key: 'account-1' })];
      const old = disk!.accessToken;
      const given = await Promise.all(both.map(token => token(true, old)));
      assert.equal(given[0], given[1]);
      assert.equal(grantsAsked(), 1);
    });
    it('uses what another process has stored meanwhile, instead of renewing', async () => {
      const token = keeper();
      const old = await token();
      const theirs = await refreshTokens({ ...options(), refreshToken: disk!.refreshToken! });
      disk = theirs;
      assert.equal(await token(true, old), theirs.accessToken);
      assert.equal(grantsAsked(), 1);
    });
    it('waits a moment for another process that was first but has not stored yet', async () => {
      const token = keeper();
      const old = disk!;
      const theirs = await refreshTokens({ ...options(), refreshToken: old.refreshToken! });
      setTimeout(() => {
        disk = theirs;
      }, 150);
      assert.equal(await token(true, old.accessToken), theirs.accessToken);
    });
    it('keeps a token that could not be stored, says so, and stores it at the next call', async () => {
      let broken = true;
      const token = keeper({
        save: async tokens => {
          if (broken) throw new Error(`disk full while writing ${tokens.refreshToken}`);
          disk = tokens;
        },
      });
      const old = disk!;
      const error = await failure(token(true, old.accessToken));
      assert.equal(error.code, 'unavailable');
      assert.match(error.message, /could not be stored \(disk full/);
      assert.equal(disk, old);
      await failure(token());
      assert.equal(grantsAsked(), 1, 'the new refresh token is not risked by asking again');
      broken = false;
      const given = await token();
      assert.notEqual(given, old.accessToken);
      assert.equal(disk!.accessToken, given);
      assert.equal(grantsAsked(), 1);
      hidesSecrets(error);
    });
    it('leaves the vendor alone after a 429 until its time, and says how long', async () => {
      const token = keeper();
      const first = await token(true);
      const early = await failure(token(true, first));
      assert.deepEqual([early.code, early.details.retryAfter], ['rate_limited', 60]);
      vendor.advance(20_000);
      const { retryAfter } = (await failure(token(true, first))).details;
      assert.ok(retryAfter! > 35 && retryAfter! <= 40, String(retryAfter));
      assert.equal(grantsAsked(), 2);
      assert.equal(await token(), first, 'who was not refused may go on');
      vendor.advance(40_000);
      assert.notEqual(await token(true, first), first);
    });
    it('goes on with a token that ends soon while no other can be had', async () => {
      const token = keeper();
      const old = await token();
      vendor.advance(7_200_000 - 30_000);
      vendor.fail({ status: 503, path: '/oauth/token' });
      assert.equal(await token(), old);
      vendor.fail({ status: 503, path: '/oauth/token' });
      assert.equal((await failure(token(true, old))).code, 'unavailable', 'but not with one that was refused');
      assert.notEqual(await token(), old);
    });
    it('asks to sign in again when there is no way on', async () => {
      vendor.advance(15 * 86_400_000);
      const ended = await failure(keeper()());
      assert.deepEqual([ended.code, /^Sign in again/.test(ended.message)], ['unauthorized', true]);
      hidesSecrets(ended);
      assert.match(
        (await failure(keeper({ load: async () => undefined })())).message,
        /^Sign in again: there is no sign-in/,
      );
      assert.match(
        (await failure(keeper({ load: async () => ({ accessToken: 'a', obtainedAt: 0, expiresAt: 1 }) })())).message,
        /^Sign in again/,
      );
    });
    it('tells a wrong secret, a broken vendor and a strange answer apart, without secrets', async () => {
      const wrong = await failure(keeper({ app: { ...app, clientSecret: 'another-secret-entirely' } })(true));
      assert.match(wrong.message, /client id and secret/);
      hidesSecrets(wrong, secrets('another-secret-entirely'));
      const old = disk!;
      for (const [fault, code] of [
        [{ status: 503 }, 'unavailable'],
        [{ status: 200, body: '<html>' }, 'protocol'],
        [{ status: 200, body: `{"refresh_token":"${old.refreshToken}"}` }, 'protocol'],
        [
          {
            status: 400,
            body: `{"error":"invalid_request","error_description":"bad ${old.refreshToken} ${app.clientSecret}"}`,
          },
          'rejected',
        ],
        [{ status: 200, body: '{"access_token":"a","token_type":"mac"}' }, 'protocol'],
      ] as const) {
        vendor.fail(fault);
        const error = await failure(keeper()(true));
        assert.equal(error.code, code, JSON.stringify(fault));
        hidesSecrets(error);
      }
      assert.equal(disk, old, 'nothing was stored');
    });
    it('an error of the sender that holds what was sent is cleaned, all of it that can be reached', async () => {
      const send: Send = async ({ body }) => {
        throw Object.assign(new Error('the socket broke', { cause: new Error(`while sending ${String(body)}`) }), {
          request: { body },
        });
      };
      const error = await failure(keeper({ send })(true));
      const shown = inspect(error, { depth: 20, showHidden: true });
      for (const secret of secrets()) assert.ok(secret === disk!.accessToken || !shown.includes(secret), shown);
    });
    it('says which provider it is that wants a sign-in, has no token yet or whose token could not be stored', async () => {
      const { name } = provider;
      const none = await failure(keeper({ load: async () => undefined })());
      assert.deepEqual(
        [none.message, none.details],
        ['Sign in again: there is no sign-in for this account.', { provider: name }],
      );
      for (const kept of [
        { accessToken: '', obtainedAt: 0 },
        { accessToken: '', refreshToken: '', obtainedAt: 0 },
      ])
        assert.equal((await failure(keeper({ load: async () => kept })())).message, none.message);
      const ended = await failure(keeper({ load: async () => ({ accessToken: 'a', obtainedAt: 0, expiresAt: 1 }) })());
      assert.equal(ended.message, 'Sign in again: the sign-in ended and cannot be renewed.');
      for (const [thrown, why] of [
        [new Error('disk full, token=abcdef'), ' (disk full, token=***)'],
        ['no error', ''],
      ] as const) {
        await vendor.close();
        await start();
        const lost = await failure(
          keeper({
            save: async () => {
              throw thrown;
            },
          })(true),
        );
        assert.deepEqual(
          [lost.code, lost.message, lost.details],
          [
            'unavailable',
            `The new token of ${name} could not be stored${why}. It is kept in memory and stored at the next try.`,
            { provider: name },
          ],
        );
      }
      await vendor.close();
      await start();
      const token = keeper();
      const first = await token(true);
      await failure(token(true, first));
      const early = await failure(token(true, first));
      assert.deepEqual(
        [early.code, early.message, early.details],
        ['rate_limited', `${name} gives no new token yet.`, { provider: name, retryAfter: 60 }],
      );
      vendor.advance(60_000);
      assert.notEqual(await token(true, first), first);
    });
    it('hides the tokens in what a store says that could not keep them, however short they are', async () => {
      vendor.fail({ status: 200, body: '{"access_token":"new-at","token_type":"bearer","refresh_token":"new-rt"}' });
      const save = async ({ accessToken, refreshToken }: OAuth2Tokens) => {
        throw new Error(`cannot write ${accessToken} and ${refreshToken}`);
      };
      assert.match((await failure(keeper({ save })(true))).message, /\(cannot write \*\*\* and \*\*\*\)/);
    });
    it('renews from what is stored where only a refresh token is, and gives what has no end as long as nobody refuses it', async () => {
      const { refreshToken } = disk!;
      disk = { accessToken: '', refreshToken: refreshToken!, obtainedAt: 0 };
      assert.ok(await keeper()());
      assert.equal(grantsAsked(), 1);
      disk = { accessToken: 'endless', obtainedAt: 0 };
      vendor.advance(1e10);
      assert.equal(await keeper()(), 'endless');
      assert.equal(grantsAsked(), 1);
    });
    it('whoever does not say which token was refused means the one given out last, or else the one that is stored', async () => {
      const stored = disk!.accessToken;
      assert.notEqual(await keeper()(true), stored);
      vendor.advance(60_000);
      const token = keeper();
      const given = await token();
      disk = { ...disk!, accessToken: 'of another process' };
      assert.equal(await token(true), 'of another process', `not ${given}`);
      assert.equal(grantsAsked(), 1);
    });
    it('two without a name renew each for itself', async () => {
      Object.assign(vendor.switches, { grantSpacing: false });
      const old = disk!;
      const load = async () => old;
      const both = [keeper({ load }), keeper({ load, app: { ...app, clientSecret: 'another-secret-entirely' } })];
      const [one, two] = await Promise.allSettled(both.map(token => token(true, old.accessToken)));
      assert.deepEqual([one!.status, two!.status], ['fulfilled', 'rejected']);
    });
    it('renews a minute before the end, or a tenth of a short life', async () => {
      const good = async (life: number, before: number) => {
        const end = vendor.now();
        const load = async () => ({ accessToken: 'kept', obtainedAt: end - life, expiresAt: end });
        return keeper({ load, now: () => end - before })().then(
          () => true,
          () => false,
        );
      };
      assert.deepEqual(
        [
          await good(7_200_000, 60_001),
          await good(7_200_000, 60_000),
          await good(100_000, 10_001),
          await good(100_000, 10_000),
        ],
        [true, false, true, false],
      );
    });
    it('a token that ends soon serves only while it lasts, and only where the vendor cannot give another now', async () => {
      const tried = async (fault: object, left: number, stored: Partial<OAuth2Tokens> = {}) => {
        await vendor.close();
        await start();
        const end = vendor.now() + left;
        const load = async () => ({
          ...disk!,
          accessToken: 'ends soon',
          obtainedAt: end - 7_200_000,
          expiresAt: end,
          ...stored,
        });
        vendor.fail({ path: '/oauth/token', ...fault } as never);
        return keeper({ load })().catch((error: MailError) => error.code);
      };
      assert.equal(await tried({ status: 503 }, 1000), 'ends soon');
      assert.equal(await tried({ status: 429 }, 1000), 'ends soon');
      assert.equal(await tried({ status: 503 }, 0), 'unavailable');
      assert.equal(await tried({ status: 503 }, 1000, { accessToken: '' }), 'unavailable');
      assert.equal(await tried({ status: 400, body: '{"error":"invalid_grant"}' }, 1000), 'unauthorized');
      assert.equal(await tried({ status: 403, body: '{}' }, 1000), 'forbidden');
    });
    it('looks five times for the tokens of another process after a refusal, and not after other failures', async () => {
      const looked = async (fault: object) => {
        await vendor.close();
        await start();
        let looks = 0;
        const load = async () => {
          looks++;
          return disk;
        };
        const token = keeper({ load });
        vendor.fail({ path: '/oauth/token', ...fault } as never);
        await failure(token(true, disk!.accessToken));
        return looks;
      };
      const refusal = { status: 400, body: '{"error":"invalid_grant"}' };
      assert.deepEqual(
        [
          await looked(refusal),
          await looked({ status: 429 }),
          await looked({ status: 503 }),
          await looked({ status: 403 }),
        ],
        [7, 7, 2, 2],
      );
    });
    it('tells another process by either token, and goes on from its refresh token where its access token is no good', async () => {
      const old = disk!;
      const theirs = await refreshTokens({ ...options(), refreshToken: old.refreshToken! });
      vendor.advance(60_000);
      disk = old;
      let looks = 0;
      const token = keeper({ load: async () => (looks++ < 3 ? disk : { ...theirs, accessToken: old.accessToken }) });
      const given = await token(true, old.accessToken);
      assert.ok(given !== old.accessToken && given !== theirs.accessToken);
      assert.equal(vendor.grants, 2);
    });
    it('sends a renewal once, even when no answer comes', async () => {
      vendor.fail({ cut: 'answer' });
      assert.equal((await failure(keeper()(true))).code, 'unavailable');
      assert.equal(grantsAsked(), 1);
    });
    it('keeps the old refresh token where the vendor gives no new one', async () => {
      vendor.fail({ status: 200, body: '{"access_token":"a","token_type":"bearer"}' });
      const old = disk!.refreshToken;
      assert.equal(await keeper()(true), 'a');
      assert.deepEqual([disk!.refreshToken, disk!.expiresAt], [old, undefined]);
    });
  });

  it('in several processes at once, with slow stores and any interleaving, never loses the newest token', async () => {
    const plain = createSend();
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.record({ process: fc.nat(2), refused: fc.boolean(), late: fc.boolean() }), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.boolean(),
        async (scheduler, processes, calls, spacing) => {
          await vendor.close();
          await start({ grantSpacing: spacing });
          const old = disk!.accessToken;
          const history: string[] = [];
          // Loading, storing and the way to the vendor each take as long as the scheduler likes; a store holds what was
          // written last.
          const send: Send = async (request, signal) => {
            await scheduler.schedule(Promise.resolve(), 'to the vendor');
            return plain(request, signal);
          };
          const keepers = Array.from({ length: processes }, () =>
            keeper({
              send,
              load: async () => {
                await scheduler.schedule(Promise.resolve(), 'load');
                return disk;
              },
              save: async tokens => {
                disk = tokens;
                history.push(tokens.refreshToken!);
                await scheduler.schedule(Promise.resolve(), 'save');
              },
            }),
          );
          let given: string[] = [];
          const all = Promise.all(
            calls.map(async ({ process, refused, late }) => {
              if (late) await scheduler.schedule(Promise.resolve(), 'late');
              given.push(await keepers[process % processes]!(refused, refused ? old : undefined));
            }),
          );
          await Promise.all([all, scheduler.waitFor(all)]);
          assert.ok(vendor.grants <= 1, `${vendor.grants} grants for one dead token`);
          assert.equal(history.length, vendor.grants);
          // The stored refresh token is the one the vendor still takes.
          vendor.advance(60_000);
          given = [await keeper()(true, disk!.accessToken)];
          await connect(provider, vendor.account, { token: async () => given[0]! }).call('account.check', {});
        },
      ),
      { numRuns: 60 },
    );
  }).timeout(60_000);
});
