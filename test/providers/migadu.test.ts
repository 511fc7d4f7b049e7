import assert from 'node:assert/strict';
import { connect, nextStep, take, type Client } from '../../shared/index.js';
import { migadu } from '../../shared/providers/migadu/index.js';
import { ADMIN, API_KEY, EMPTY_DOMAIN, MAIN_DOMAIN, SECOND_DOMAIN, startMigadu } from '../sandbox/migadu.js';
import type { Vendor } from '../sandbox/vendor.js';
import { failing } from '../failing.js';

const mailbox = `user001@${MAIN_DOMAIN}`;

describe('Migadu, what is particular to it', () => {
  let vendor: Vendor;
  let client: Client;
  before(async () => {
    vendor = await startMigadu();
    client = connect(migadu, { ...vendor.account, perMinute: 60_000 });
  });
  after(() => vendor.close());
  beforeEach(() => {
    vendor.mend();
    vendor.forget();
  });

  const last = () => vendor.seen.at(-1)!;
  const body = () => JSON.parse(last().body.toString()) as Record<string, unknown>;
  const sent = () => vendor.seen.map(({ method, path }) => `${method} ${path}`);

  describe('Basic authentication', () => {
    const packed = Buffer.from(`${ADMIN}:${API_KEY}`).toString('base64');

    it('signs as RFC 7617 says, UTF-8 included', async () => {
      await client.call('account.check', {});
      assert.deepEqual([last().headers.authorization, last().path], [`Basic ${packed}`, '/v1/domains']);
      // The example of RFC 7617 section 2.1: user "test", password "123" and a pound sign.
      const { headers } = await migadu.auth.sign!(
        { method: 'GET', url: 'https://a.example', headers: {} },
        { baseUrl: '', user: 'test', apiKey: '123\u00A3' },
      );
      assert.equal(headers.authorization, 'Basic dGVzdDoxMjPCow==');
    });

    it('hides user and key in base64 as it hides the key itself', async () => {
      const url = encodeURIComponent(packed);
      const line = packed.replace(/.{20}/g, '$&\r\n');
      for (const said of [
        `Basic ${packed}`,
        packed,
        `authorization=${url}`,
        packed.replaceAll('=', ''),
        `"${line}"`,
        Buffer.from(packed).toString('base64'),
        API_KEY,
      ]) {
        vendor.fail({ status: 400, body: JSON.stringify({ error: `Credentials ${said} were refused` }) });
        const error = await failing(client.call('mailbox.get', { mailbox }) as Promise<unknown>);
        const shown = `${error.message} ${JSON.stringify(error.details)} ${error.stack}`.replaceAll(/\s|\\r|\\n/g, '');
        for (const secret of [
          API_KEY,
          packed.slice(24),
          url.slice(24),
          Buffer.from(API_KEY).toString('base64').slice(4, -4),
        ])
          assert.ok(!shown.includes(secret), `${secret} in ${shown}`);
        assert.match(error.message, /Credentials.*\*\*\*.*refused/s);
      }
    });
  });

  describe('lists', () => {
    it('read one domain, or all of them with a request for each', async () => {
      assert.equal((await take(client.call('mailbox.list', { domain: MAIN_DOMAIN }))).length, 30);
      assert.deepEqual(sent(), [`GET /v1/domains/${MAIN_DOMAIN}/mailboxes`]);
      vendor.forget();
      const all = await take(client.call('alias.list', {}));
      assert.deepEqual(
        [all.length, all[0]!.email, all.at(-1)!.email],
        [60, `alias001@${MAIN_DOMAIN}`, `alias030@${SECOND_DOMAIN}`],
      );
      assert.deepEqual(sent(), [
        'GET /v1/domains',
        ...[MAIN_DOMAIN, EMPTY_DOMAIN, SECOND_DOMAIN].map(name => `GET /v1/domains/${name}/aliases`),
      ]);
    });

    it('come to their end over hundreds of domains without a mailbox', async () => {
      const names = Array.from({ length: 250 }, (_, i) => `d${i}.example.org`);
      vendor.fail({
        path: '/v1/domains',
        times: 1000,
        rewrite: (_reply, { segments }) => ({
          status: 200,
          body:
            segments.length === 2
              ? { domains: names.map(name => ({ name })) }
              : { mailboxes: segments[2] === names.at(-1) ? [{ address: 'last@example.org' }] : [] },
        }),
      });
      assert.deepEqual(
        (await take(client.call('mailbox.list', {}))).map(({ email }) => email),
        ['last@example.org'],
      );
    });

    it('are read under both names for aliases, and with destinations as a list or as a text', async () => {
      for (const [name, destinations, only] of [
        ['address_aliases', ['a@x.example'], 'a@x.example'],
        ['aliases', 'a@x.example,b@x.example', undefined],
      ] as const) {
        vendor.fail({ status: 200, body: JSON.stringify({ [name]: [{ address: 'one@x.example', destinations }] }) });
        const [alias] = await take(client.call('alias.list', { domain: 'x.example' }));
        assert.deepEqual([alias!.email, alias!.mailbox], ['one@x.example', only]);
      }
    });

    it('without their list are not understood', async () => {
      for (const text of ['{}', '{"mailboxes":{}}', '{"mailboxes":[1]}', '{"domains":[]}', '{"mailboxes":[{}]}']) {
        vendor.fail({ status: 200, body: text });
        assert.equal(
          (await failing(take(client.call('mailbox.list', { domain: MAIN_DOMAIN })))).code,
          'protocol',
          text,
        );
      }
    });
  });

  it('reads a mailbox as the vendor answers it', async () => {
    // The keys of an answer of 6 August 2026: github.com/mahckrocks24/boss888-laravel-app,
    // tests/Feature/Infrastructure/Email/MigaduLiveShapeTest.php.
    const native = {
      local_part: 'ann',
      domain_name: 'x.example',
      address: 'ann@x.example',
      name: 'Ann',
      is_active: false,
      changed_at: '2026-08-06T00:00:00.000Z',
    };
    vendor.fail({ status: 200, body: JSON.stringify(native) });
    assert.deepEqual(await client.call('mailbox.get', { mailbox }), {
      id: native.address,
      email: native.address,
      name: 'Ann',
      status: 'disabled',
      updatedAt: native.changed_at,
      native,
    });
    vendor.fail({ status: 200, body: '{"address":"ann@x.example","changed_at":null,"name":null}' });
    const { status, updatedAt, name } = await client.call('mailbox.get', { mailbox });
    assert.deepEqual([status, updatedAt, name], ['unknown', undefined, undefined]);
  });

  it('asks for an international domain in the spelling of DNS', async () => {
    await failing(client.call('mailbox.get', { mailbox: 'ann@bücher.example' }) as Promise<unknown>);
    assert.equal(last().path, '/v1/domains/xn--bcher-kva.example/mailboxes/ann');
  });

  describe('creating', () => {
    it('takes a password or an invitation, and asks for what that needs', async () => {
      const given = { mailbox: `invited@${MAIN_DOMAIN}`, name: 'Invited' };
      for (const [input, field] of [
        [given, 'password'],
        [{ ...given, password: 'long enough', password_method: 'invitation' }, 'recovery_email'],
      ] as const) {
        const error = await failing(client.call('mailbox.create', input) as Promise<unknown>);
        assert.deepEqual(
          [error.code, error.details.issues?.map(issue => issue.field), vendor.seen.length],
          ['invalid_input', [field], 0],
        );
      }
      const made = await client.call('mailbox.create', {
        ...given,
        password_method: 'invitation',
        recovery_email: 'ann@example.org',
      });
      assert.deepEqual([made.email, made.status], [given.mailbox, 'disabled']);
      assert.deepEqual(body(), {
        local_part: 'invited',
        name: 'Invited',
        password_method: 'invitation',
        password_recovery_email: 'ann@example.org',
      });
    });

    it('tells a name that is taken from other bad input, though the vendor uses the same words', async () => {
      const taken = await failing(
        client.call('alias.create', { alias: `alias001@${MAIN_DOMAIN}`, destinations: [mailbox] }) as Promise<unknown>,
      );
      assert.equal(taken.code, 'conflict');
      assert.match(taken.message, /one with this name already\. Nothing was created/);
      assert.deepEqual(sent(), [
        `POST /v1/domains/${MAIN_DOMAIN}/aliases`,
        `GET /v1/domains/${MAIN_DOMAIN}/aliases/alias001`,
      ]);
      const elsewhere = await failing(
        client.call('alias.create', {
          alias: `away@${MAIN_DOMAIN}`,
          destinations: ['ann@example.org'],
        }) as Promise<unknown>,
      );
      assert.equal(elsewhere.code, 'rejected');
      assert.match(elsewhere.message, /without saying which part/);
      assert.match(nextStep(elsewhere), /a destination in another domain/);
    });
  });

  it('writes days without a time, and only what was given', async () => {
    await client.call('mailbox.update', {
      mailbox,
      expires_on: '2027-01-31T23:30:00-05:00',
      sender_denylist: ['spam.example'],
    });
    assert.deepEqual([last().method, body()], ['PUT', { expires_on: '2027-02-01', sender_denylist: ['spam.example'] }]);
    vendor.forget();
    const nothing = await failing(client.call('mailbox.update', { mailbox }) as Promise<unknown>);
    assert.deepEqual([nothing.code, vendor.seen.length], ['invalid_input', 0]);
  });

  it('sends the password of an identity so that it is kept', async () => {
    const identity = `device@${MAIN_DOMAIN}`;
    const made = (await client.call('identity.create', {
      mailbox,
      identity,
      name: 'Device',
      password: 'a long password',
    })) as { native: Record<string, unknown> };
    assert.deepEqual(
      [body(), made.native.password_use],
      [{ local_part: 'device', name: 'Device', password: 'a long password', password_use: 'custom' }, 'custom'],
    );
    await client.call('identity.update', { mailbox, identity, name: 'Phone' });
    assert.deepEqual(body(), { name: 'Phone' });
    vendor.forget();
    const other = await failing(
      client.call('identity.get', { mailbox, identity: `billing@${SECOND_DOMAIN}` }) as Promise<unknown>,
    );
    assert.deepEqual(
      [other.code, other.details.issues?.[0]?.field, vendor.seen.length],
      ['invalid_input', 'identity', 0],
    );
  });

  it('encodes the address of a forwarding in the path', async () => {
    const forwarding = (await client.call('forwarding.get', { mailbox, forwarding: 'ann@example.org' })) as {
      confirmed: boolean;
    };
    assert.equal(forwarding.confirmed, true);
    assert.equal(last().path, `/v1/domains/${MAIN_DOMAIN}/mailboxes/user001/forwardings/ann%40example.org`);
  });

  describe('a deletion that is answered with the error 500', () => {
    let broken: Vendor;
    let its: Client;
    before(async () => {
      broken = await startMigadu({ each: 3, brokenDeletes: true });
      its = connect(migadu, { ...broken.account, perMinute: 60_000 });
    });
    after(() => broken.close());
    beforeEach(() => {
      broken.mend();
      broken.forget();
    });

    it('was done when the object is gone', async () => {
      const { id, native } = await its.call('mailbox.delete', { mailbox });
      assert.equal(id, mailbox);
      assert.match(String(native.note), /the object is gone/);
      assert.deepEqual(
        broken.seen.map(({ method }) => method),
        ['DELETE', 'GET'],
      );
    });
    it('is an error in doubt when it is still there or cannot be seen', async () => {
      for (const fault of [
        { status: 500, method: 'DELETE' },
        { status: 500, times: 9 },
      ]) {
        broken.mend();
        broken.fail(fault);
        const error = await failing(its.call('mailbox.delete', { mailbox: `user002@${MAIN_DOMAIN}` }));
        assert.equal(error.code, 'unavailable');
        assert.match(error.message, /Whether it was done is not known/);
      }
      assert.deepEqual(broken.seen.filter(({ method }) => method === 'DELETE').length, 2, 'each deletion is sent once');
    });
  });
});
