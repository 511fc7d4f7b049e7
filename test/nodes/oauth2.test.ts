import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Expression, type ICredentialDataDecryptedObject } from 'n8n-workflow';
import {
  GUARDED_BASE_URL,
  oauth2ChoiceProperties,
  oauth2Properties,
  openAccount,
  type Caller,
} from '../../nodes/lib/index.js';
import { refreshTokens } from '../../shared/index.js';
import { outreach as provider } from '../../shared/providers/outreach/index.js';
import { startOutreach, type OutreachVendor } from '../sandbox/outreach.js';

/**
 * A host that renews for everybody who asks, as n8n did before 2.30, and knows the newest tokens only when they are
 * stored.
 */
function careless(vendor: OutreachVendor, more: object = {}) {
  const { clientId, clientSecret, redirectUri, accessToken, refreshToken, ...rest } = vendor.account as Record<
    string,
    string
  >;
  const app = { clientId: clientId!, clientSecret: clientSecret!, redirectUri: redirectUri! };
  const id = randomUUID();
  let stored = { access_token: accessToken!, refresh_token: refreshToken! };
  const state = { renewals: 0, failing: 0 };
  const caller = {
    getNode: () => ({ name: 'Node', credentials: { outreachOAuth2Api: { id, name: 'a' } } }),
    continueOnFail: () => false,
    getNodeParameter: () => undefined,
    getCredentials: async () =>
      ({
        ...rest,
        perMinute: 60_000,
        concurrent: 20,
        accessTokenUrl: `${vendor.url}/oauth/token`,
        ...more,
        oauthTokenData: { ...stored },
      }) as ICredentialDataDecryptedObject,
    helpers: {
      async refreshOAuth2Token() {
        state.renewals++;
        if (state.failing-- > 0) throw new Error('the network is away');
        const tokens = await refreshTokens({
          provider,
          account: vendor.account,
          app,
          refreshToken: stored.refresh_token,
        });
        await new Promise(resolve => setTimeout(resolve, 30));
        return (stored = { access_token: tokens.accessToken, refresh_token: tokens.refreshToken! });
      },
    },
  } as unknown as Caller;
  return { caller, state };
}

describe('OAuth 2 in n8n', () => {
  let vendor: OutreachVendor;
  beforeEach(async () => {
    vendor = await startOutreach({ grantSpacing: false });
  });
  afterEach(() => vendor.close());
  const check = async (caller: Caller, item: number) =>
    (await openAccount(caller, 'outreach', item)).client.call('account.check', {});

  it('twenty items whose token died at once renew it once, at a vendor that ends a sign-in whose refresh token comes twice', async () => {
    const { caller, state } = careless(vendor);
    vendor.revoke();
    const done = await Promise.allSettled(Array.from({ length: 20 }, (_, item) => check(caller, item)));
    assert.deepEqual(
      done.filter(({ status }) => status === 'rejected'),
      [],
    );
    assert.deepEqual([state.renewals, vendor.grants], [1, 1]);
    vendor.revoke();
    await Promise.all(Array.from({ length: 20 }, (_, item) => check(caller, item)));
    assert.deepEqual([state.renewals, vendor.grants], [2, 2], 'and the next one as well');
  }).timeout(30_000);
  it('a renewal that failed is tried again by whoever comes next', async () => {
    const { caller, state } = careless(vendor);
    vendor.revoke();
    // A read is tried three times.
    state.failing = 3;
    await assert.rejects(check(caller, 0), /could not give a new token/);
    await check(caller, 1);
    assert.equal(state.renewals, 4);
  });
  it('does not renew over plain HTTP at another machine, unless the account says so', async () => {
    const old = careless(vendor, { accessTokenUrl: 'http://vendor.example/oauth/token' });
    vendor.revoke();
    await assert.rejects(check(old.caller, 0), /cross the network readable on their way to http:\/\/vendor\.example/);
    assert.equal(old.state.renewals, 0);
    const allowed = careless(vendor, { accessTokenUrl: 'http://vendor.example/oauth/token', plainHttp: true });
    await check(allowed.caller, 0);
    assert.equal(allowed.state.renewals, 1);
  });

  describe("n8n's own requests for tokens", () => {
    const expressions = new Expression('UTC');
    const of = (text: unknown, given: object) =>
      expressions.resolveSimpleParameterValue(text as string, { $self: given, $credentials: given } as never) as string;
    const nowhere = /^https:\/\/plain-http-is-not-allowed\.invalid(?:\/|$)/;
    const defaultOf = (list: { name: string; default: unknown }[], name: string) =>
      list.find(one => one.name === name)!.default;
    const good = [
      'https://api.outreach.io',
      'http://127.0.0.1:5678',
      'http://localhost',
      'http://localhost:99/x',
      'http://[::1]:80',
    ];
    const bad = [
      'http://vendor.example',
      'HTTP://vendor.example',
      'http://localhost:80@vendor.example',
      'http://127.0.0.1.vendor.example',
      'http:/vendor.example',
      ' http://vendor.example',
      'h\nttp://vendor.example',
      'http://localhost.vendor.example',
      'http:\\\\vendor.example',
      'http://127.0.0.1\\@vendor.example',
      '',
      'vendor.example',
    ];
    it('stay at https:// and at this machine', () => {
      for (const name of ['authUrl', 'accessTokenUrl']) {
        const address = defaultOf(oauth2Properties('outreach'), name);
        const own = defaultOf(oauth2ChoiceProperties('imap'), name);
        for (const baseUrl of good) {
          assert.ok(of(address, { baseUrl, plainHttp: false }).startsWith(`${baseUrl}/`), baseUrl);
          assert.equal(of(own, { preset: 'custom', ownAuthUrl: baseUrl, ownTokenUrl: baseUrl }), baseUrl);
          assert.equal(of(GUARDED_BASE_URL, { baseUrl }), baseUrl);
        }
        for (const baseUrl of bad) {
          assert.match(of(address, { baseUrl, plainHttp: false }), nowhere, baseUrl);
          assert.match(of(own, { preset: 'custom', ownAuthUrl: baseUrl, ownTokenUrl: baseUrl }), nowhere, baseUrl);
          assert.match(of(GUARDED_BASE_URL, { baseUrl }), nowhere, baseUrl);
          if (baseUrl) assert.ok(of(address, { baseUrl, plainHttp: true }).startsWith(baseUrl));
        }
      }
      assert.equal(
        of(defaultOf(oauth2ChoiceProperties('imap'), 'accessTokenUrl'), { preset: 'gmail' }),
        'https://oauth2.googleapis.com/token',
      );
    });
    it('use PKCE', () => {
      for (const list of [oauth2Properties('outreach'), oauth2ChoiceProperties('imap')])
        assert.equal(defaultOf(list, 'grantType'), 'pkce');
    });
  });
});
