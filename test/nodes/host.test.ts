import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { ICredentialDataDecryptedObject, INodeExecutionData } from 'n8n-workflow';
import { openAccount, type Caller } from '../../nodes/lib/index.js';
import { openEngine, type Engine, type EngineOptions, type SavedCredential } from '../engine/engine.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { startOutreach, type OutreachVendor, type Switches } from '../sandbox/outreach.js';
import { seededId, startScaleway } from '../sandbox/scaleway.js';
import type { Vendor } from '../sandbox/vendor.js';
import { credentialOf, line, openGate, packageDir, type Step } from './workbench.js';

const mailbox = 'n8n-nodes-mailroom.mailbox';
const byId = { __rl: true, mode: 'id', value: '={{ $json.id }}' };
const boxes = (count: number): INodeExecutionData[] =>
  Array.from({ length: count }, (_, i) => ({ json: { id: seededId(`user${String(i + 1).padStart(3, '0')}`) } }));

describe("what n8n's own requests obey, ours obey too", function () {
  this.timeout(60_000);
  let vendor: Vendor;
  before(async () => {
    vendor = await startScaleway();
  });
  after(() => vendor.close());
  beforeEach(() => vendor.forget());

  const open = (options: Partial<EngineOptions> = {}, data: object = {}) =>
    openEngine({
      packageDir,
      credentials: { scalewayApi: { ...credentialOf(vendor), data: { ...credentialOf(vendor).data, ...data } } },
      ...options,
    });
  const get = (engine: Engine, items = boxes(1), more: Partial<Step> = {}) =>
    engine.run(
      line({
        name: 'Node',
        type: mailbox,
        parameters: { provider: 'scaleway', resource: 'mailbox', operation: 'get', mailbox: byId },
        account: credentialOf(vendor),
        ...more,
      }),
      { items },
    );

  describe('the egress filter', () => {
    it('refuses what it forbids, before any request, and says so', async () => {
      const { error, status } = await get(await open({ guard: {} }));
      assert.equal(status, 'error');
      assert.match(error!.message, /n8n's network rules forbid 127\.0\.0\.1/);
      assert.equal(vendor.seen.length, 0);
    });
    it('lets pass what it allows', async () => {
      const { status, error } = await get(await open({ guard: { allow: ['127.0.0.0/8'] } }));
      assert.equal(status, 'success', error?.message);
      assert.equal(vendor.seen.length, 1);
    });
    it('also holds for pickers', async () => {
      const engine = await open({ guard: {} });
      await assert.rejects(
        engine.options(
          mailbox,
          'mailbox',
          { provider: 'scaleway', resource: 'mailbox', operation: 'get' },
          { credentials: { scalewayApi: { id: 'scalewayApi', name: 'x' } } },
        ),
        /network rules forbid/,
      );
      assert.equal(vendor.seen.length, 0);
    });
    // A name may mean another address by the time of the connection; so the connection itself asks the filter too.
    it('decides where a name leads when the connection is made', async () => {
      const url = new URL(vendor.url);
      const asked: string[] = [];
      const caller = (answer: (done: (error: Error | null, address?: string, family?: number) => void) => void) =>
        ({
          getNode: () => ({ name: 'Node', credentials: { scalewayApi: { id: 'a', name: 'a' } } }),
          getCurrentNodeParameter: () => undefined,
          getCredentials: async () =>
            ({
              ...credentialOf(vendor).data,
              baseUrl: `http://mail.example:${url.port}`,
              plainHttp: true,
            }) as ICredentialDataDecryptedObject,
          helpers: { getSecureEgressFilter: () => filter(answer) },
        }) as unknown as Caller;
      const filter = (answer: (done: (error: Error | null, address?: string, family?: number) => void) => void) => ({
        validateUrl: async () => ({ ok: true }),
        createSecureLookup:
          () =>
          (
            host: string,
            options: { all?: boolean },
            done: (error: Error | null, address?: unknown, family?: number) => void,
          ) => {
            asked.push(host);
            answer((error, address, family) =>
              done(error, options.all && address ? [{ address, family }] : address, family),
            );
          },
      });
      const good = await openAccount(
        caller(done => done(null, '127.0.0.1', 4)),
        'scaleway',
      );
      await good.client.call('mailbox.get', { mailbox: seededId('user001') });
      assert.deepEqual(asked, ['mail.example']);
      const bad = await openAccount(
        caller(done => done(new Error('it leads to a private address'))),
        'scaleway',
      );
      await assert.rejects(
        bad.client.call('mailbox.update', { mailbox: seededId('user001'), subscription_period: 'yearly' }),
        /it leads to a private address/,
      );
      assert.equal(vendor.seen.length, 1);
    });
  });

  describe('proxies of the environment', () => {
    const names = [
      'http_proxy',
      'https_proxy',
      'no_proxy',
      'HTTP_PROXY',
      'HTTPS_PROXY',
      'NO_PROXY',
      'all_proxy',
      'ALL_PROXY',
    ];
    const before_ = Object.fromEntries(names.map(name => [name, process.env[name]]));
    const restore = () => {
      for (const name of names)
        if (before_[name] === undefined) delete process.env[name];
        else process.env[name] = before_[name];
    };
    let proxy: { url: string; seen: string[]; close(): Promise<void> };
    beforeEach(async () => {
      for (const name of names) delete process.env[name];
      proxy = await startProxy();
      process.env.http_proxy = proxy.url;
    });
    afterEach(async () => {
      restore();
      await proxy.close();
    });
    // A pool is made once for each filter, so a fresh filter has a pool of this environment.
    const fresh = { guard: { allow: ['127.0.0.0/8'] } };

    it('see the requests', async () => {
      const { status, error } = await get(await open(fresh));
      assert.equal(status, 'success', error?.message);
      assert.deepEqual(proxy.seen, [new URL(vendor.url).host]);
      assert.equal(vendor.seen.length, 1);
    });
    it('are passed by for the hosts of no_proxy', async () => {
      process.env.no_proxy = '127.0.0.1';
      assert.equal((await get(await open(fresh))).status, 'success');
      assert.deepEqual(proxy.seen, []);
    });
    it('do not make the egress filter blind', async () => {
      assert.match((await get(await open({ guard: {} }))).error!.message, /network rules forbid/);
      assert.deepEqual(proxy.seen, []);
    });
  });

  describe('the domains a credential may be sent to', () => {
    it('others are refused before any request', async () => {
      const { error } = await get(
        await open({}, { allowedHttpRequestDomains: 'domains', allowedDomains: 'api.scaleway.com, *.example.com' }),
      );
      assert.match(error!.message, /may not be sent to 127\.0\.0\.1.*Allowed HTTP Request Domains/);
      assert.equal(vendor.seen.length, 0);
    });
    it('those named are not', async () => {
      const { status, error } = await get(
        await open({}, { allowedHttpRequestDomains: 'domains', allowedDomains: 'example.com,127.0.0.1' }),
      );
      assert.equal(status, 'success', error?.message);
    });
    it('"none" keeps the credential from the HTTP Request node, not from its own', async () => {
      assert.equal((await get(await open({}, { allowedHttpRequestDomains: 'none' }))).status, 'success');
    });
  });

  it('connections are kept for later items and later executions', async () => {
    const gate = await openGate(vendor.url);
    try {
      const engine = await open({}, { baseUrl: gate.url });
      for (let i = 0; i < 10; i++) assert.equal((await get(engine)).status, 'success');
      // A request made in the very moment an answer ends finds its connection not yet free, and opens a second.
      assert.equal(gate.seen.length, 10);
      assert.ok(gate.connections <= 2, `${gate.connections} connections for ten requests in a row`);
      assert.equal((await get(engine, boxes(30))).status, 'success');
      assert.equal(gate.seen.length, 40);
      assert.ok(gate.connections <= 10, `${gate.connections} connections for five items at a time`);
    } finally {
      await gate.close();
    }
  });

  describe('OAuth 2', () => {
    let outreach: OutreachVendor;
    let engine: Engine;
    let account: SavedCredential;
    const begin = async (switches: Partial<Switches> = {}) => {
      outreach = await startOutreach({ tokenLifetime: 5, ...switches });
      account = credentialOf(outreach);
      engine = await openEngine({ packageDir, credentials: { [account.type]: account } });
    };
    afterEach(() => outreach.close());
    const run = (operation: string, parameters: object, count: number, more: Partial<Step> = {}) =>
      engine.run(
        line({
          name: 'Node',
          type: mailbox,
          account,
          parameters: { provider: 'outreach', resource: 'mailbox', operation, ...parameters },
          ...more,
        }),
        { items: Array.from({ length: count }, (_, i) => ({ json: { id: String(i + 1) } })) },
      );
    const token = async () => (await engine.readCredential(account.type)).oauthTokenData as Record<string, string>;

    it('an expired token is renewed once for all items, and what is stored is the newest', async () => {
      await begin();
      outreach.advance(6000);
      const result = await run('get', { mailbox: byId }, 12);
      assert.equal(result.status, 'success', result.error?.message);
      assert.deepEqual(
        result.items('Node').map(item => item.json.id),
        Array.from({ length: 12 }, (_, i) => String(i + 1)),
      );
      assert.equal(outreach.grants, 1);
      const first = await token();
      assert.notEqual(first.access_token, outreach.account.accessToken);
      assert.notEqual(first.refresh_token, outreach.account.refreshToken);
      // The used refresh token is dead and grants are a minute apart, so only the stored newest can serve the next
      // time.
      outreach.advance(61_000);
      const second = await run('get', { mailbox: byId }, 5);
      assert.equal(second.status, 'success', second.error?.message);
      assert.equal(outreach.grants, 2);
      assert.notEqual((await token()).refresh_token, first.refresh_token);
    });
    it('a token that is still good is not renewed', async () => {
      await begin({ tokenLifetime: 7200 });
      assert.equal((await run('get', { mailbox: byId }, 8)).status, 'success');
      assert.equal(outreach.grants, 0);
    });
    it('a write with an expired token is done once', async () => {
      await begin();
      outreach.advance(6000);
      const result = await run(
        'create',
        { email: 'once@acme.test', additionalFields: { user: { __rl: true, mode: 'id', value: '2' } } },
        1,
      );
      assert.equal(result.status, 'success', result.error?.message);
      assert.equal(
        [...outreach.rows.mailboxes.values()].filter(row => row.attributes.email === 'once@acme.test').length,
        1,
      );
    });
    it('a sign-in that was ended asks the user to connect again', async () => {
      await begin({ refreshLifetime: 1 });
      outreach.advance(6000);
      const result = await run('get', { mailbox: byId }, 6);
      assert.equal(result.status, 'error');
      assert.match(result.error!.message, /needs to be reconnected/);
      assert.deepEqual(result.error!.failure, { cause: 'credential-invalid' });
      assert.match(String(result.error!.description), /: none done; 1-5 failed; the others not started/);
      const routed = await run('get', { mailbox: byId }, 1, { onError: 'continueRegularOutput' });
      assert.equal((routed.items('Node')[0]!.json.details as { code?: string } | undefined)?.code, 'unauthorized');
    });
    it('a vendor that gives no token yet is throttling, not silent', async () => {
      await begin();
      outreach.advance(6000);
      assert.equal((await run('get', { mailbox: byId }, 1)).status, 'success');
      outreach.advance(6000);
      const { error } = await run('get', { mailbox: byId }, 1);
      assert.match(error!.message, /gives no new token yet/);
      assert.deepEqual(error!.failure, { cause: 'rate-limited', retryAfterMs: 60_000 });
    });
    it('a credential that was never connected says so', async () => {
      await begin();
      await engine.saveCredential(account.type, { ...account, data: { ...account.data, oauthTokenData: undefined } });
      assert.match((await run('get', { mailbox: byId }, 1)).error!.message, /not connected/);
    });
  });
});

describe('accounts that open sockets', function () {
  this.timeout(60_000);
  let mail: Mail;
  let base: Record<string, unknown>;
  before(async () => {
    mail = await startMail();
    base = {
      user: 'u0@test.local',
      imapHost: 'localhost',
      imapPort: mail.imap.tlsPort,
      smtpHost: 'localhost',
      smtpPort: mail.smtp.tlsPort,
      allowedCertificate: mail.ca,
    };
  });
  after(() => mail.close());
  const folders = (engine: Engine, type: string, id = type) =>
    engine.run(
      line({
        name: 'Node',
        type: mailbox,
        parameters: {
          provider: 'imap',
          authentication: type === 'imapApi' ? 'password' : 'oauth2',
          resource: 'folder',
          operation: 'list',
        },
        account: { type, id, data: {} },
      }),
    );
  const withPassword = (more: Partial<EngineOptions> = {}) =>
    openEngine({
      packageDir,
      credentials: { imapApi: { type: 'imapApi', data: { ...base, password: 'pass0' } } },
      ...more,
    });

  it('obey the egress filter too', async () => {
    const { error } = await folders(await withPassword({ guard: {} }), 'imapApi');
    assert.match(error?.message ?? '', /n8n's network rules forbid localhost/);
    const allowed = await folders(
      await withPassword({ guard: { allow: ['localhost', '127.0.0.0/8', '::1/128'] } }),
      'imapApi',
    );
    assert.equal(allowed.status, 'success', allowed.error?.message);
  });
  it('a wrong token does not get in over the connection of a good one', async () => {
    const oauth = (access_token: string) => ({
      type: 'imapOAuth2Api',
      data: { ...base, oauthTokenData: { access_token, refresh_token: 'r', token_type: 'Bearer' } },
    });
    const engine = await openEngine({
      packageDir,
      credentials: { good: oauth(mail.token('u0@test.local')), wrong: oauth('a-token-of-nobody') },
    });
    const good = await folders(engine, 'imapOAuth2Api', 'good');
    assert.equal(good.status, 'success', good.error?.message);
    assert.ok(good.items('Node').length > 0);
    assert.equal((await folders(engine, 'imapOAuth2Api', 'wrong')).status, 'error');
  });
});

/** A forward proxy that takes both ways of asking: the whole address in the request line, and CONNECT. */
async function startProxy() {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => {
    const target = new URL(incoming.url!);
    seen.push(target.host);
    const onward = request(target, { method: incoming.method, headers: incoming.headers }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  server.on('connect', (incoming, client: Socket, head: Buffer) => {
    seen.push(incoming.url!);
    const [host, port] = incoming.url!.split(':');
    const onward = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      onward.pipe(client);
      client.pipe(onward);
    });
    for (const end of [client, onward]) {
      sockets.add(end);
      end.on('error', () => {
        client.destroy();
        onward.destroy();
      });
    }
  });
  server.on('connection', socket => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    seen,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
