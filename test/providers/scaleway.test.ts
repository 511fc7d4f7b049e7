import assert from 'node:assert/strict';
import { connect, nextStep, take, type Client } from '../../shared/index.js';
import { scaleway } from '../../shared/providers/scaleway/index.js';
import { MAIN_DOMAIN, READ_ONLY_KEY, seededId, startScaleway, WAITING_DOMAIN } from '../sandbox/scaleway.js';
import type { Vendor } from '../sandbox/vendor.js';
import { failing } from '../failing.js';

const domain_id = seededId(MAIN_DOMAIN);

describe('Scaleway Mailbox, what is particular to it', () => {
  let vendor: Vendor;
  let client: Client;
  before(async () => {
    vendor = await startScaleway();
    vendor.stopClock();
    client = connect(scaleway, { ...vendor.account, perMinute: 60_000 });
  });
  after(() => vendor.close());
  beforeEach(() => {
    vendor.mend();
    vendor.forget();
  });

  const last = () => vendor.seen.at(-1)!;
  const body = () => JSON.parse(last().body.toString()) as Record<string, unknown>;
  let number = 0;
  const create = () =>
    client.call('mailbox.create', {
      domain_id,
      local_part: `particular${++number}`,
      password: 'twelve letters',
      subscription_period: 'monthly',
    });
  const created = async () => {
    const { id } = await create();
    vendor.advance(120_000);
    return id;
  };

  it('signs with one header and keeps everything else out of it', async () => {
    await client.call('account.check', {});
    assert.equal(last().headers['x-auth-token'], vendor.account.secretKey);
    assert.equal(last().path, '/mailbox/v1alpha1/domains');
    assert.deepEqual(
      [...last().query],
      [
        ['page', '1'],
        ['page_size', '1'],
      ],
    );
  });

  it('reads every state as a common one', async () => {
    const states: Record<string, string> = {
      ready: 'active',
      creating: 'pending',
      waiting_payment: 'pending',
      waiting_domain: 'pending',
      renewing: 'pending',
      restoring: 'pending',
      deletion_scheduled: 'deleting',
      deleting: 'deleting',
      locked: 'disabled',
      payment_failed: 'error',
      unknown_status: 'unknown',
      brand_new: 'unknown',
    };
    for (const [status, common] of Object.entries(states)) {
      vendor.fail({
        status: 200,
        body: JSON.stringify({ id: 'x', email: 'x@example.com', status, created_at: null, updated_at: null }),
      });
      const mailbox = await client.call('mailbox.get', { mailbox: seededId('user001') });
      assert.deepEqual([mailbox.status, mailbox.createdAt, mailbox.updatedAt], [common, undefined, undefined], status);
    }
  });

  it('a subscription can be canceled: it ends at the next renewal', async () => {
    const mailbox = await created();
    const { native } = await client.call('mailbox.update', { mailbox, subscription_period: 'canceled' });
    assert.deepEqual(
      [body(), native.subscription_period, native.next_subscription_period],
      [{ subscription_period: 'canceled' }, 'monthly', 'canceled'],
    );
  });

  it('follows a mailbox from payment to deletion and back', async () => {
    const { id, status } = await create();
    assert.equal(status, 'pending');
    const early = await failing(client.call('mailbox.delete', { mailbox: id }));
    assert.deepEqual(
      [early.code, early.message],
      ['conflict', 'resource is in a transient state (mailbox, waiting_payment)'],
    );
    assert.match(nextStep(early), /Wait until that is over/);
    vendor.advance(120_000);
    const get = async () => (await client.call('mailbox.get', { mailbox: id })).status;
    assert.equal(await get(), 'active');
    const receipt = await client.call('mailbox.delete', { mailbox: id });
    assert.ok(receipt.native.deletion_scheduled_at);
    assert.equal(await get(), 'deleting');
    assert.equal((await client.call('mailbox.restore', { mailbox: id })).status, 'pending');
    vendor.advance(5_000);
    assert.equal(await get(), 'active');
    assert.equal((await failing(client.call('mailbox.restore', { mailbox: id }))).code, 'conflict');
  });

  it('a changed period shows as the next one', async () => {
    const mailbox = await client.call('mailbox.update', {
      mailbox: seededId('user002'),
      subscription_period: 'yearly',
    });
    assert.deepEqual(
      [mailbox.native.subscription_period, mailbox.native.next_subscription_period],
      ['monthly', 'yearly'],
    );
    assert.deepEqual(body(), { subscription_period: 'yearly' });
  });

  it('creates several in one request, one password for each', async () => {
    const several = {
      domain_id,
      subscription_period: 'monthly',
      local_parts: 'first, second',
      passwords: 'a password, with comma\nanother password',
    };
    const made = (await client.call('mailbox.createMany', several)) as { email: string }[];
    assert.deepEqual(
      made.map(one => one.email),
      [`first@${MAIN_DOMAIN}`, `second@${MAIN_DOMAIN}`],
    );
    assert.deepEqual(
      (body().mailboxes as { password: string }[]).map(one => one.password),
      ['a password, with comma', 'another password'],
    );
    assert.equal(vendor.seen.length, 1);
    const uneven = await failing(
      client.call('mailbox.createMany', { ...several, passwords: ['only one password'] }) as Promise<unknown>,
    );
    assert.deepEqual(
      [uneven.code, uneven.details.issues?.[0]?.field, vendor.seen.length],
      ['invalid_input', 'passwords', 1],
    );
  });
  it('a batch that names fewer than asked for is not reported as done', async () => {
    vendor.fail({ status: 200, body: '{"mailboxes":[]}' });
    const error = await failing(create());
    assert.equal(error.code, 'protocol');
    assert.match(error.message, /asked for 1 mailboxes and named 0 .*list the domain before you try again/);
  });

  it('takes both alias paths, as the account says', async () => {
    const alias = { mailbox: seededId('user001'), local_part: 'by-new-path' };
    await client.call('alias.create', alias);
    assert.deepEqual(
      [last().path, body()],
      ['/mailbox/v1alpha1/aliases', { mailbox_id: alias.mailbox, local_part: 'by-new-path' }],
    );
    await connect(scaleway, { ...vendor.account, oldAliasPath: true }).call('alias.create', {
      ...alias,
      local_part: 'by-old-path',
    });
    assert.deepEqual(
      [last().path, body()],
      [`/mailbox/v1alpha1/mailboxes/${alias.mailbox}/aliases`, { local_part: 'by-old-path' }],
    );
  });
  it('an empty description clears it', async () => {
    assert.equal(
      (await client.call('alias.update', { alias: seededId('alias001'), description: '' })).description,
      undefined,
    );
    assert.deepEqual(body(), { description: '' });
  });

  it('repeats the key for several states and spells filters as the vendor does', async () => {
    await take(
      client.call('mailbox.list', { statuses: ['ready', 'locked'], search: 'user00', order_by: 'email_desc' }),
    );
    assert.deepEqual(
      [...last().query],
      [
        ['order_by', 'email_desc'],
        ['statuses', 'ready'],
        ['statuses', 'locked'],
        ['search', 'user00'],
        ['page', '1'],
        ['page_size', '100'],
      ],
    );
    await take(client.call('alias.list', { mailbox: seededId('user001') }), 1);
    assert.equal(last().query.get('mailbox_id'), seededId('user001'));
  });
  it('a list stays whole while mailboxes disappear from pages already read', async () => {
    const own = await startScaleway({ aliases: 0, mailboxes: 250 });
    own.stopClock();
    try {
      const its = connect(scaleway, { ...own.account, perMinute: 60_000 });
      for (const local of ['user001', 'user002']) await its.call('mailbox.delete', { mailbox: seededId(local) });
      const seen: string[] = [];
      for await (const mailbox of its.call('mailbox.list', { order_by: 'created_at_asc' })) {
        seen.push(mailbox.email!);
        if (seen.length === 20) own.advance(620_000);
      }
      assert.equal(new Set(seen).size, seen.length, 'one came twice');
      assert.deepEqual(
        seen.sort(),
        Array.from({ length: 250 }, (_, i) => `user${String(i + 1).padStart(3, '0')}@${MAIN_DOMAIN}`),
        'one was passed over',
      );
    } finally {
      await own.close();
    }
  });

  it('DNS records come as the vendor names them, and validation only starts', async () => {
    const records = (await client.call('domain.records', { domain: seededId(WAITING_DOMAIN) })) as Record<
      string,
      { dns_value: string }
    >;
    assert.equal(records.spf!.dns_value, 'v=spf1 include:spf.mailbox.scw.eu -all');
    const receipt = (await client.call('domain.validate', { domain: seededId(WAITING_DOMAIN) })) as { outcome: string };
    assert.equal(receipt.outcome, 'queued');
    assert.deepEqual(body(), {});
  });

  describe("errors, in the vendor's words", () => {
    it('wrong arguments become issues on fields', async () => {
      vendor.fail({
        status: 400,
        body: '{"details":[{"argument_name":"new_password","help_message":"too common","reason":"constraint"}],"message":"invalid argument(s)","type":"invalid_arguments"}',
      });
      const error = await failing(
        client.call('mailbox.update', { mailbox: seededId('user001'), new_password: 'password1234' }),
      );
      assert.deepEqual(
        [error.code, error.message, error.details.issues],
        [
          'rejected',
          'invalid argument(s): new_password: too common',
          [{ field: 'new_password', message: 'too common' }],
        ],
      );
    });
    const types = {
      denied_authentication: [401, 'unauthorized'],
      permissions_denied: [403, 'forbidden'],
      quotas_exceeded: [403, 'rejected'],
      not_found: [404, 'not_found'],
      already_exists: [409, 'conflict'],
      transient_state: [409, 'conflict'],
      resource_expired: [410, 'not_found'],
      expired: [410, 'not_found'],
      precondition_failed: [412, 'conflict'],
      locked: [423, 'conflict'],
      too_many_requests: [429, 'rate_limited'],
      out_of_stock: [503, 'unavailable'],
      constructor: [400, 'rejected'],
    } as const;
    for (const [type, [status, code]] of Object.entries(types)) {
      it(`${type} is ${code}`, async () => {
        vendor.fail({
          status,
          body: JSON.stringify({
            type,
            message: 'the words',
            help_message: 'and the help',
            resource: 'mailbox',
            reset_seconds: 45,
          }),
          times: 9,
          headers: { 'retry-after': '0' },
        });
        // An account for each, so that none rests from what another was told; and nobody waits for 45 seconds.
        const hasty = connect(scaleway, vendor.account, { key: type, patience: 0 });
        const error = await failing(hasty.call('mailbox.delete', { mailbox: seededId('user001') }));
        assert.deepEqual(
          [error.code, error.message, error.details.retryAfter],
          [code, 'the words: and the help (mailbox)', status === 429 ? 45 : status === 503 ? 0 : undefined],
        );
      });
    }
    it('bodies without type, without JSON, and without anything fall back to the status', async () => {
      for (const text of ['{"message":"nope"}', 'nope', 'null', '[]', '7', '{"details":7,"type":7}', '']) {
        for (const [status, code] of [
          [403, 'forbidden'],
          [404, 'not_found'],
          [412, 'conflict'],
          [418, 'rejected'],
        ] as const) {
          vendor.fail({ status, body: text });
          const error = await failing(client.call('mailbox.get', { mailbox: seededId('user001') }));
          assert.equal(error.code, code, `${status} ${text}`);
          assert.ok(
            text.includes('nope') ? error.message.includes('nope') : error.message.includes(String(status)),
            error.message,
          );
        }
      }
    });
    it('a key that may only read is forbidden to write, and says what', async () => {
      const reader = connect(scaleway, { ...vendor.account, secretKey: READ_ONLY_KEY });
      await reader.call('account.check', {});
      assert.equal((await failing(reader.call('mailbox.delete', { mailbox: await created() }))).code, 'forbidden');
    });
    it('an answer without its list or its total is none', async () => {
      for (const text of [
        '{}',
        '{"total_count":3}',
        '{"mailboxes":[]}',
        '{"mailboxes":{},"total_count":0}',
        '{"mailboxes":[],"total_count":"many"}',
      ]) {
        vendor.fail({ status: 200, body: text });
        assert.equal((await failing(take(client.call('mailbox.list', {})))).code, 'protocol', text);
      }
    });
  });
});
