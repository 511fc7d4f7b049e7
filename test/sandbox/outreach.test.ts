import assert from 'node:assert/strict';
import { startOutreach, type OutreachVendor, type Switches } from './outreach.js';

const TYPE = 'application/vnd.api+json';
interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json: any;
}

describe('sandbox of outreach refuses', () => {
  let vendor: OutreachVendor;
  let token: string;
  const start = async (switches: Partial<Switches> = {}) => {
    vendor = await startOutreach(switches);
    vendor.stopClock();
    token = String(vendor.account.accessToken);
  };
  beforeEach(() => start());
  afterEach(() => vendor.close());
  const ask = async (
    method: string,
    path: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer> => {
    const answer = await fetch(
      `${vendor.url}${path.startsWith('/oauth') || path.startsWith('/sandbox') ? '' : '/api/v2'}${path}`,
      {
        method,
        redirect: 'manual',
        headers: { authorization: `Bearer ${token}`, 'content-type': TYPE, ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      },
    );
    const text = await answer.text();
    let json: any;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: answer.status, headers: answer.headers, text, json };
  };
  const problem = async (promise: Promise<Answer>) => {
    const { status, json } = await promise;
    const error = json?.errors?.[0];
    return [status, error?.id, ...(error?.source ? [error.source.pointer] : [])];
  };
  const patch = (data: object) => ask('PATCH', '/mailboxes/1', { body: { data: { type: 'mailbox', id: 1, ...data } } });
  const post = (data: object) =>
    ask('POST', '/mailboxes', {
      body: { data: { type: 'mailbox', relationships: { user: { data: { type: 'user', id: 1 } } }, ...data } },
    });

  it('tokens that are missing, made up, ended or revoked, in the shape of the edge', async () => {
    const words = async (authorization: string) => {
      const { status, json } = await ask('GET', '/mailboxes', { headers: { authorization } });
      return [status, json.error, json.description];
    };
    const undecodable = [401, 'Invalid JWT token.', 'The JWT token could not be decoded.'];
    assert.deepEqual(await words(''), undecodable);
    assert.deepEqual(await words('Bearer abc'), undecodable);
    assert.deepEqual(await words(`Bearer ${token.slice(0, -2)}xx`), undecodable);
    assert.equal(token.split('.').length, 3);
    vendor.advance(7_200_001);
    assert.equal((await words(`Bearer ${token}`))[2], 'The JWT token has expired.');
    vendor.revoke();
    assert.equal((await words(`Bearer ${token}`))[2], 'The JWT token was revoked.');
  });
  it('any request, reads too, without the media type', async () => {
    for (const [method, path] of [
      ['GET', '/mailboxes'],
      ['GET', '/mailboxes/1'],
      ['DELETE', '/mailboxes/9'],
      ['POST', '/mailboxes/1/actions/testSend'],
    ] as const) {
      const answer = await ask(method, path, { headers: { 'content-type': 'application/json' } });
      assert.equal(answer.status, 415);
      assert.ok(
        answer.json.errors[0].details && !answer.json.errors[0].detail,
        'the text field is misspelt as the vendor does',
      );
    }
    assert.equal(vendor.rows.mailboxes.has(9), true);
  });
  it('scopes that were not granted; levels do not imply each other', async () => {
    const scoped = async (scopes: string[], method: string, path: string) => {
      token = vendor.issue(scopes).accessToken;
      return problem(ask(method, path));
    };
    const missing = [403, 'unauthorizedOauthScope'];
    assert.deepEqual(await scoped(['mailboxes.write'], 'GET', '/mailboxes'), missing);
    assert.deepEqual(await scoped(['mailboxes.read'], 'DELETE', '/mailboxes/9'), missing);
    assert.deepEqual(await scoped(['mailboxes.read'], 'POST', '/mailboxes/1/actions/testSend'), missing);
    assert.deepEqual(await scoped(['mailboxes.all'], 'GET', '/mailAliases'), missing);
    assert.equal((await scoped(['mailboxes.delete'], 'DELETE', '/mailboxes/9'))[0], 204);
  });
  it('what governance forbids', async () => {
    for (const [method, path, body] of [
      ['PATCH', '/mailboxes/4', { data: { type: 'mailbox', id: 4 } }],
      ['DELETE', '/mailboxes/4', undefined],
      ['POST', '/mailboxes/4/actions/testSync', undefined],
    ] as const) {
      assert.deepEqual(await problem(ask(method, path, { body })), [403, 'unauthorizedRequest']);
    }
  });
  it('filters, sorts, fields and parameters that are not allowed', async () => {
    const get = (query: string) => problem(ask('GET', `/mailboxes?${query}`));
    for (const query of [
      'filter[sendDisabled]=true',
      'filter[sendErroredAt]=2026-01-01..inf',
      'filter[creator][id]=1',
      'filter[mailAliases][id]=1',
      'filter[user][name]=ann',
      'filter[nothing]=1',
    ]) {
      assert.deepEqual(await get(query), [400, 'filterParameter.unfilterableAttribute'], query);
    }
    assert.deepEqual(await get('filter[updatedAt]=yesterday'), [400, 'filterParameter.invalidDatetimeFormat']);
    assert.deepEqual(await get('newFilterSyntax=true&filter[updatedAt]=2026-01-01..inf'), [
      400,
      'filterParameter.invalidDatetimeFormat',
    ]);
    assert.deepEqual(await get('filter[userId]=ann'), [400, 'filterParameter.invalidIntegerFormat']);
    assert.deepEqual(await get('sort=sendDisabled'), [400, 'sortParameter.unsortableAttribute']);
    for (const field of ['nothing', 'password', 'Email'])
      assert.deepEqual(await get(`fields[mailbox]=email,${field}`), [400, 'fieldsParameter.unknownResourceField']);
    assert.deepEqual(await get('include=mailings'), [400, 'includeParameter.unknownRelationship']);
    assert.deepEqual(await get('limit=5'), [400, 'queryParameter.unknown']);
    assert.deepEqual(await get('count=yes'), [400, 'queryParameter.invalid']);
    assert.deepEqual(await problem(ask('GET', '/mailAliases?filter[email]=alias1@acme.test')), [
      400,
      'filterParameter.unfilterableAttribute',
    ]);
    assert.deepEqual(await problem(ask('GET', '/users?filter[mailbox][id]=1')), [
      400,
      'filterParameter.unfilterableAttribute',
    ]);
  });
  it('links with parameters added again, foreign cursors and deep offsets', async () => {
    const { json } = await ask('GET', '/mailboxes?page[size]=10&sort=email');
    const next = new URL(json.links.next);
    const follow = (query: string) => problem(ask('GET', `/mailboxes${query}`));
    assert.deepEqual(await follow(`${next.search}&page[size]=10`), [400, 'queryParameter.repeated']);
    assert.deepEqual(await follow(next.search.replace('sort=email', 'sort=-email')), [
      400,
      'pageParameter.invalidCursor',
    ]);
    assert.deepEqual(await follow('?page[after]=abc'), [400, 'pageParameter.invalidCursor']);
    assert.deepEqual(await follow('?page[limit]=1001'), [400, 'pageParameter.tooLarge']);
    assert.deepEqual(await follow('?page[offset]=10001'), [400, 'pageParameter.tooLarge']);
    assert.deepEqual(await follow('?page[limit]=5&page[size]=5'), [400, 'pageParameter.mixed']);
    assert.deepEqual(await follow('?page[size]=0'), [400, 'pageParameter.invalid']);
  });
  it('bodies that are no resource of this address', async () => {
    assert.deepEqual(await problem(ask('PATCH', '/mailboxes/1', { body: '{' })), [400, 'malformedRequest']);
    assert.deepEqual(await problem(ask('PATCH', '/mailboxes/1', { body: { attributes: {} } })), [
      422,
      'validationError',
      '/data',
    ]);
    assert.deepEqual(await problem(patch({ type: 'mailboxes' })), [422, 'validationError', '/data']);
    assert.deepEqual(await problem(patch({ id: '1' })), [422, 'validationError', '/data']);
    assert.deepEqual(await problem(patch({ id: 2 })), [422, 'validationError', '/data']);
    assert.deepEqual(await problem(post({ id: 900 })), [422, 'validationError', '/data']);
    assert.deepEqual(
      await problem(ask('PATCH', '/mailboxes/1?include=user', { body: { data: { type: 'mailbox', id: 1 } } })),
      [400, 'includeParameter.notAccepted'],
    );
  });
  it('attributes that are unknown, read only, too long, of the wrong type or not in the list', async () => {
    for (const name of ['sendDisable', 'SendDisabled', 'updatedAt', 'userId', 'editable', 'sendgridWebhookUrl'])
      assert.deepEqual(
        await problem(patch({ attributes: { [name]: true } })),
        [400, 'permittedParams.unknownAttribute'],
        name,
      );
    const values = {
      email: 'x'.repeat(256),
      imapPort: '993',
      sendDisabled: 'true',
      sendMethod: 'pigeon',
      syncMethod: 'smtp',
      exchangeVersion: 'Exchange2016',
      ewsSslVerifyMode: 3,
      optOutMessage: 'x'.repeat(513),
      prospectEmailExclusions: ['*@a.test'],
    };
    for (const [name, value] of Object.entries(values))
      assert.deepEqual(
        await problem(patch({ attributes: { [name]: value } })),
        [422, 'validationError', `/data/attributes/${name}`],
        name,
      );
    assert.equal((await patch({ attributes: { emailProvider: 'something_else' } })).status, 200);
  });
  it('relationships that are read only, unknown or name ids as text', async () => {
    assert.deepEqual(await problem(patch({ relationships: { creator: { data: { type: 'user', id: 1 } } } })), [
      400,
      'permittedParams.unknownRelationship',
    ]);
    for (const data of [
      { type: 'user', id: '2' },
      { type: 'users', id: 2 },
      { type: 'user', id: 4711 },
    ])
      assert.deepEqual(await problem(patch({ relationships: { user: { data } } })), [
        422,
        'validationError',
        '/data/relationships/user',
      ]);
    assert.deepEqual(await problem(patch({ relationships: { user: { data: null } } })), [
      422,
      'validationError',
      '/data/relationships/user',
    ]);
  });
  it('mailboxes whose connection fails when validation was asked for, and saves nothing', async () => {
    const bad = { email: 'new@acme.test', sendMethod: 'smtp', smtpHost: 'smtp.acme.invalid', validateSend: true };
    assert.deepEqual(await problem(post({ attributes: bad })), [
      422,
      'validationError',
      '/data/attributes/validateSend',
    ]);
    assert.equal(vendor.rows.mailboxes.size, 125);
    assert.deepEqual(
      await problem(
        patch({
          attributes: { syncMethod: 'imap', imapHost: 'imap.acme.test', password: 'wrong', validateSync: true },
        }),
      ),
      [422, 'validationError', '/data/attributes/validateSync'],
    );
    assert.equal((await ask('GET', '/mailboxes/1')).json.data.attributes.syncMethod, 'gmail_api');
    const made = await post({
      attributes: { ...bad, validateSend: false, password: 'p', sendgridApiKey: 'k', smtpPassword: 's' },
    });
    assert.equal(made.status, 201);
    for (const name of ['password', 'sendgridApiKey', 'smtpPassword', 'validateSend', 'validateSync'])
      assert.ok(!(name in made.json.data.attributes), name);
  });
  it('actions that do not exist, take parameters or a body, or do not fit the state', async () => {
    assert.equal((await ask('POST', '/mailboxes/1/actions/testBoth')).status, 404);
    assert.equal((await ask('GET', '/mailboxes/1/actions/testSend')).status, 404);
    assert.deepEqual(await problem(ask('POST', '/mailboxes/1/actions/testSend?actionParams[to]=a')), [
      400,
      'actionParams.unknownParam',
    ]);
    assert.deepEqual(await problem(ask('POST', '/mailboxes/1/actions/testSend', { body: {} })), [
      400,
      'permittedParams.unexpectedBody',
    ]);
    assert.deepEqual(await problem(ask('POST', '/mailboxes/1/actions/linkEwsMasterAccount')), [
      422,
      'validationError',
      '/data',
    ]);
    assert.deepEqual(await problem(ask('POST', '/mailboxes/3/actions/unlinkEwsMasterAccount')), [
      422,
      'validationError',
      '/data',
    ]);
    assert.equal((await ask('POST', '/mailboxes/3/actions/linkEwsMasterAccount')).text, '{}');
    const before = vendor.rows.mailboxes.get(2)!.attributes.sendErroredAt;
    assert.equal((await ask('POST', '/mailboxes/2/actions/testSend')).status, 422);
    assert.notEqual(vendor.rows.mailboxes.get(2)!.attributes.sendErroredAt, before);
  });
  it('ids that do not exist, and methods a resource does not have', async () => {
    const missing = await ask('GET', '/mailboxes/4711');
    assert.deepEqual(
      [missing.status, missing.json.errors[0].detail],
      [404, "Could not find 'mailbox' with ID '4711'."],
    );
    for (const [method, path] of [
      ['POST', '/mailAliases'],
      ['DELETE', '/mailAliases/1'],
      ['PATCH', '/mailings/1'],
      ['DELETE', '/mailings/1'],
      ['PUT', '/mailboxes/1'],
      ['GET', '/nothing'],
    ] as const) {
      assert.equal((await ask(method, path)).status, 404, `${method} ${path}`);
    }
  });
  it('webhooks without HTTPS, and for what the vendor has none', async () => {
    const hook = (attributes: object) =>
      problem(
        ask('POST', '/webhooks', {
          body: { data: { type: 'webhook', attributes: { url: 'https://x.test/h', ...attributes } } },
        }),
      );
    assert.deepEqual(await hook({ url: 'http://x.test/h' }), [422, 'validationError', '/data/attributes/url']);
    assert.deepEqual(await hook({ resource: 'mailbox' }), [422, 'validationError', '/data/attributes/resource']);
    assert.deepEqual(await hook({ resource: 'prospect', action: 'bounced' }), [
      422,
      'validationError',
      '/data/attributes/action',
    ]);
    assert.deepEqual(await hook({ payloadVersion: 3 }), [422, 'validationError', '/data/attributes/payloadVersion']);
  });
  it('more requests than the hour allows', async () => {
    vendor.switches.hourlyLimit = 2;
    assert.equal((await ask('GET', '/mailboxes/1')).headers.get('x-ratelimit-remaining'), '1');
    vendor.switches.dualRemaining = true;
    assert.equal((await ask('GET', '/mailboxes/1')).headers.get('x-ratelimit-remaining'), '0, 0');
    const refused = await ask('GET', '/mailboxes/1');
    assert.equal(refused.status, 429);
    assert.match(
      refused.json.errors[0].detail,
      /^You have exceeded your permitted rate limit of 2; please try again at \d{4}-/,
    );
    assert.equal(refused.headers.get('retry-after'), refused.headers.get('x-ratelimit-reset'));
    vendor.advance(3_600_000);
    assert.equal((await ask('GET', '/mailboxes/1')).status, 200);
  });

  describe('at its token endpoint', () => {
    const form = (fields: Record<string, string>) => ({
      body: new URLSearchParams({
        client_id: String(vendor.account.clientId),
        client_secret: String(vendor.account.clientSecret),
        redirect_uri: String(vendor.account.redirectUri),
        ...fields,
      }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    const renew = (refresh_token: string) =>
      ask('POST', '/oauth/token', form({ grant_type: 'refresh_token', refresh_token }));
    const consent = async (parameters: Record<string, string> = {}) => {
      const asked = new URLSearchParams({
        client_id: 'sandbox-app',
        redirect_uri: 'https://localhost/callback',
        response_type: 'code',
        scope: 'mailboxes.read',
        state: 's',
        ...parameters,
      });
      const { status, headers, text } = await ask('GET', `/oauth/authorize?${asked}`);
      return { status, text, back: headers.has('location') ? new URL(headers.get('location')!) : undefined };
    };
    it('a second grant within a minute, in plain text', async () => {
      const first = await renew(String(vendor.account.refreshToken));
      assert.equal(first.status, 200);
      const { refresh_token, expires_in, token_type, scope } = first.json as Record<string, unknown>;
      assert.deepEqual([expires_in, token_type, typeof scope], [7200, 'Bearer', 'string']);
      const early = await renew(String(refresh_token));
      assert.deepEqual(
        [early.status, early.text, early.headers.get('content-type')],
        [429, 'Retry later\n', 'text/plain'],
      );
      vendor.advance(60_000);
      assert.equal((await renew(String(refresh_token))).status, 200);
    });
    it('a refresh token that was used or is older than 14 days, unless rotation is off', async () => {
      const old = String(vendor.account.refreshToken);
      await renew(old);
      vendor.advance(60_000);
      assert.deepEqual([(await renew(old)).status, (await renew(old)).json.error], [400, 'invalid_grant']);
      const spare = vendor.issue().refreshToken;
      vendor.switches.rotate = false;
      assert.equal((await renew(spare)).status, 200);
      vendor.advance(60_000);
      assert.equal((await renew(spare)).status, 200);
      vendor.advance(15 * 86_400_000);
      assert.equal((await renew(spare)).json.error, 'invalid_grant');
    });
    it('wrong clients, grants and bodies', async () => {
      const tell = async (fields: Record<string, string>) => {
        const { status, json } = await ask('POST', '/oauth/token', form(fields));
        return [status, json.error];
      };
      assert.deepEqual(await tell({ client_secret: 'x', grant_type: 'refresh_token', refresh_token: 'y' }), [
        401,
        'invalid_client',
      ]);
      assert.deepEqual(await tell({ grant_type: 'password' }), [400, 'unsupported_grant_type']);
      assert.deepEqual(await tell({ grant_type: 'authorization_code', code: 'x' }), [400, 'invalid_grant']);
      assert.equal(
        (await ask('POST', '/oauth/token', { body: {}, headers: { 'content-type': 'application/json' } })).json.error,
        'invalid_request',
      );
    });
    it('codes that were used, are old, or came from another redirect; and unknown scopes', async () => {
      const exchange = (code: string, more: Record<string, string> = {}) =>
        ask('POST', '/oauth/token', form({ grant_type: 'authorization_code', code, ...more }));
      const code = (await consent()).back!.searchParams.get('code')!;
      assert.equal((await exchange(code)).json.scope, 'mailboxes.read');
      vendor.advance(60_000);
      assert.equal((await exchange(code)).json.error, 'invalid_grant');
      assert.equal(
        (await exchange((await consent()).back!.searchParams.get('code')!, { redirect_uri: 'https://localhost/other' }))
          .json.error,
        'invalid_grant',
      );
      const late = (await consent()).back!.searchParams.get('code')!;
      vendor.advance(60_000);
      assert.equal((await exchange(late)).json.error, 'invalid_grant');
      assert.equal((await consent({ scope: 'mailAliases.all' })).back!.searchParams.get('error'), 'invalid_scope');
      assert.equal((await consent({ redirect_uri: 'https://evil.test/' })).status, 400);
      assert.equal((await consent({ client_id: 'nobody' })).status, 400);
    });
    it('redirects that are not registered, once loopback is no longer let through', async () => {
      const own = { redirect_uri: 'http://127.0.0.1:5678/rest/oauth2-credential/callback' };
      assert.equal((await consent(own)).status, 302);
      Object.assign(vendor.switches, { anyLoopback: false });
      assert.equal((await consent(own)).status, 400);
      Object.assign(vendor.switches, { redirectUris: [own.redirect_uri] });
      assert.equal((await consent(own)).status, 302);
      assert.equal((await consent({ redirect_uri: `${own.redirect_uri}/` })).status, 400);
    });
    it('what a person denies on the page that browsers are shown', async () => {
      const asked = new URLSearchParams({
        client_id: 'sandbox-app',
        redirect_uri: 'https://localhost/callback',
        response_type: 'code',
        scope: 'mailboxes.read',
        state: 's',
      });
      const page = await ask('GET', `/oauth/authorize?${asked}`, { headers: { accept: 'text/html,*/*' } });
      assert.equal(page.status, 200);
      assert.match(page.text, /sandbox-app<[^]*mailboxes\.read[^]*Allow[^]*Deny/);
      const decide = async (decision: string) =>
        new URL(
          (
            await ask('POST', `/oauth/authorize?${asked}`, {
              body: `decision=${decision}`,
              headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' },
            })
          ).headers.get('location')!,
        );
      assert.equal((await decide('deny')).href, 'https://localhost/callback?state=s&error=access_denied');
      assert.ok((await decide('allow')).searchParams.get('code'));
    });
    it('the oldest of more than a hundred tokens', async () => {
      for (let i = 0; i < 99; i++) vendor.issue();
      assert.equal((await ask('GET', '/mailboxes/1')).status, 200);
      vendor.issue();
      assert.equal((await ask('GET', '/mailboxes/1')).status, 401);
    });
  });

  it('nothing of what the vendor documents: grammar of filters, pages both ways, counts, includes', async () => {
    const ids = async (query: string, path = '/mailboxes') =>
      ((await ask('GET', `${path}?${query}`)).json.data as { id: number }[]).map(one => one.id);
    assert.deepEqual(await ids('filter[id]=1,3,5'), [1, 3, 5]);
    assert.deepEqual(await ids('filter[id]=5..7'), [5, 6, 7]);
    assert.deepEqual(await ids('filter%5BuserId%5D=2'), [2]);
    assert.deepEqual(
      await ids('newFilterSyntax=true&filter[email][]=ann@acme.test&filter[email][]=ben@acme.test'),
      [1, 2],
    );
    assert.equal((await ids('newFilterSyntax=true&filter[createdAt][gte]=2020-01-01&page[size]=1000')).length, 125);
    assert.equal(
      (await ids('filter[bouncedAt]=__null__&page[size]=1000', '/mailings')).length +
        (await ids('filter[bouncedAt]=__notnull__&page[size]=1000', '/mailings')).length,
      260,
    );
    assert.equal((await ids('')).length, 50);
    const first = (await ask('GET', '/mailboxes?page[size]=60&count=true')).json;
    const second = (await ask('GET', `/mailboxes${new URL(first.links.next).search}`)).json;
    assert.deepEqual([first.meta, second.data[0].id], [{ count: 125, count_truncated: false }, 61]);
    const back = (await ask('GET', `/mailboxes${new URL(second.links.prev).search}`)).json;
    assert.deepEqual(
      back.data.map((one: { id: number }) => one.id),
      first.data.map((one: { id: number }) => one.id),
    );
    assert.deepEqual((await ask('GET', '/mailboxes?page[size]=1')).json.meta, { count: null });
    assert.ok((await ask('GET', '/mailboxes?page[limit]=10&page[offset]=20')).json.links.last);
    const one = (await ask('GET', '/mailboxes/1?include=user&fields[user]=email&fields[mailbox]=email,user')).json;
    assert.deepEqual(
      [one.included[0].attributes, Object.keys(one.data.attributes), Object.keys(one.data.relationships)],
      [{ email: 'ann@acme.test' }, ['email'], ['user']],
    );
    assert.equal(typeof one.data.id, 'number');
  });
  it('and its switches can be turned from outside', async () => {
    assert.equal((await ask('POST', '/sandbox/switches', { body: { tokenLifetime: 3 } })).json.tokenLifetime, 3);
    token = (await ask('POST', '/sandbox/tokens', { body: {} })).json.accessToken;
    assert.equal((await ask('GET', '/mailboxes/1')).status, 200);
    vendor.advance(3000);
    assert.equal((await ask('GET', '/mailboxes/1')).status, 401);
    assert.equal((await ask('POST', '/sandbox/mailings/1', { body: { state: 'bounced' } })).status, 204);
    assert.equal(vendor.rows.mailings.get(1)!.attributes.state, 'bounced');
  });
  it('to lose a delivery to a receiver that is down: four tries, then no more', async () => {
    await vendor.close();
    await start({ webhookRetryMs: 1 });
    await ask('POST', '/webhooks', {
      body: {
        data: {
          type: 'webhook',
          attributes: { url: 'http://127.0.0.1:9/closed', resource: 'mailing', action: 'bounced', secret: 'k' },
        },
      },
    });
    vendor.change('mailings', 1, { state: 'bounced' }, 'bounced');
    await vendor.delivered();
    assert.deepEqual(
      vendor.deliveries.map(d => [d.tries, d.status]),
      [[4, undefined]],
    );
  });
});
