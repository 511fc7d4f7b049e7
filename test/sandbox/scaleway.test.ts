import assert from 'node:assert/strict';
import { request } from 'undici';
import {
  EMPTY_DOMAIN,
  MAIN_DOMAIN,
  PROJECT,
  READ_ONLY_KEY,
  SECRET_KEY,
  seededId,
  startScaleway,
  WAITING_DOMAIN,
  type ScalewayOptions,
} from './scaleway.js';
import type { Vendor } from './vendor.js';

type Body = Record<string, any>;
const UNKNOWN = '00000000-0000-4000-8000-00000000dead';
const domain_id = seededId(MAIN_DOMAIN);

describe('Scaleway sandbox', () => {
  let vendor: Vendor;
  const started: Vendor[] = [];
  const start = async (options?: ScalewayOptions) => {
    const one = await startScaleway(options);
    one.stopClock();
    started.push(one);
    return one;
  };
  before(async () => {
    vendor = await start();
  });
  after(() => Promise.all(started.map(one => one.close())));

  /** A request as any client would make it. */
  async function ask(
    method: string,
    path: string,
    body?: unknown,
    { headers = {}, to = vendor }: { headers?: Record<string, string>; to?: Vendor } = {},
  ) {
    // Not fetch: the vendor's Python client sends a body with GET too.
    const answer = await request(`${to.url}/mailbox/v1alpha1${path}`, {
      method: method as 'GET',
      headers: {
        'x-auth-token': SECRET_KEY,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return {
      status: answer.statusCode,
      headers: new Headers(answer.headers as Record<string, string>),
      text,
      body: (text ? JSON.parse(text) : {}) as Body,
    };
  }
  const refused = async (status: number, type: string, method: string, path: string, body?: unknown) => {
    const answer = await ask(method, path, body);
    assert.deepEqual([answer.status, answer.body.type], [status, type], answer.text);
    return answer.body;
  };
  const wrong = async (method: string, path: string, body?: unknown) =>
    ((await refused(400, 'invalid_arguments', method, path, body)).details as Body[]).map(
      detail => `${detail.argument_name}: ${detail.reason}`,
    );
  let number = 0;
  const create = async (local = `box${++number}`, more: Body = {}) =>
    (
      await ask('POST', '/batch-create-mailboxes', {
        domain_id,
        subscription_period: 'monthly',
        mailboxes: [{ local_part: local, password: 'twelve letters' }],
        ...more,
      })
    ).body.mailboxes[0] as Body;
  const mailbox = async (id: string) => (await ask('GET', `/mailboxes/${id}`)).body;

  it('answers with the headers of the gateway', async () => {
    const { headers, status } = await ask('GET', '/domains');
    assert.equal(status, 200);
    assert.match(headers.get('x-request-id')!, /^[0-9a-f-]{36}$/);
    assert.equal(headers.get('x-ratelimit-limit'), '50, 50;w=1');
    assert.ok(Number(headers.get('x-ratelimit-remaining')) < 50);
    assert.match(headers.get('content-type')!, /^application\/json/);
  });

  it('refuses keys that are missing, malformed, unknown, or may only read', async () => {
    for (const [key, reason] of [
      ['', 'invalid_argument'],
      ['abc', 'invalid_argument'],
      [UNKNOWN, 'not_found'],
    ] as const) {
      const { status, body } = await ask('GET', '/domains', undefined, { headers: { 'x-auth-token': key } });
      assert.deepEqual(
        [status, body.type, body.method, body.reason],
        [401, 'denied_authentication', 'api_key', reason],
      );
    }
    const key = { headers: { 'x-auth-token': READ_ONLY_KEY } };
    assert.equal((await ask('GET', '/mailboxes', undefined, key)).status, 200);
    const denied = await ask('DELETE', `/mailboxes/${seededId('user001')}`, undefined, key);
    assert.deepEqual(
      [denied.status, denied.body.type, denied.body.details],
      [403, 'permissions_denied', [{ resource: 'mailbox', action: 'write' }]],
    );
  });

  it('knows its paths and methods', async () => {
    for (const path of ['/mailbox', '/mailboxes/a/b/c', '/domains/x/y'])
      assert.equal((await ask('GET', path)).status, 404);
    assert.equal((await ask('PUT', '/domains')).status, 405);
    assert.equal((await ask('POST', '/mailboxes', {})).status, 405);
    assert.equal((await ask('DELETE', '/batch-create-mailboxes')).status, 405);
  });

  it('wants UUIDs, and says which object it does not know', async () => {
    for (const [path, name] of [
      ['/mailboxes/x', 'mailbox_id'],
      ['/aliases/x', 'alias_id'],
      ['/domains/mail.example.com', 'domain_id'],
      ['/domains/x/records', 'domain_id'],
    ]) {
      assert.deepEqual(await wrong('GET', path!), [`${name}: format`]);
    }
    for (const resource of ['mailbox', 'alias', 'domain']) {
      const body = await refused(
        404,
        'not_found',
        'GET',
        `/${resource === 'mailbox' ? 'mailboxes' : resource === 'alias' ? 'aliases' : 'domains'}/${UNKNOWN}`,
      );
      assert.deepEqual([body.resource, body.resource_id, body.message], [resource, UNKNOWN, 'resource is not found']);
    }
  });

  it('checks paging, order, states and filters of each list', async () => {
    for (const bad of ['page=0', 'page=-1', 'page=x', 'page_size=0', 'page_size=1001', 'page_size=1.5']) {
      for (const list of ['mailboxes', 'domains', 'aliases'])
        assert.equal((await wrong('GET', `/${list}?${bad}`)).length, 1, `${list} ${bad}`);
    }
    assert.deepEqual(await wrong('GET', '/aliases?page_size=101'), ['page_size: constraint']);
    assert.equal((await ask('GET', '/mailboxes?page_size=1000')).status, 200);
    assert.deepEqual(await wrong('GET', '/mailboxes?order_by=name_asc&statuses=asleep&domain_id=x'), [
      'order_by: constraint',
      'domain_id: format',
      'statuses: constraint',
    ]);
    assert.deepEqual(await wrong('GET', '/aliases?status=asleep'), ['status: constraint']);
    assert.equal(
      (await ask('GET', '/mailboxes?surprise=1', {})).status,
      200,
      'unknown names and a body on GET are let pass',
    );
  });

  it('gives pages, the total, and every order', async () => {
    const { body } = await ask('GET', '/mailboxes?page_size=50&page=3');
    assert.equal(body.mailboxes.length, body.total_count - 100);
    assert.equal((await ask('GET', '/mailboxes')).body.mailboxes.length, 50, 'the default page');
    assert.equal((await ask('GET', '/mailboxes?page=99')).body.mailboxes.length, 0);
    for (const [list, key, field, name] of [
      ['mailboxes', 'mailboxes', 'email', 'email'],
      ['mailboxes', 'mailboxes', 'created_at', 'created_at'],
      ['aliases', 'aliases', 'email', 'name'],
      ['domains', 'domains', 'mailbox_total_count', 'mailbox_total_count'],
      ['mailboxes', 'mailboxes', 'updated_at', 'updated_at'],
    ] as const) {
      const values = async (way: string) =>
        ((await ask('GET', `/${list}?page_size=100&order_by=${name}_${way}`)).body[key] as Body[]).map(
          one => one[field] as string | number,
        );
      const sorted = (all: (string | number)[]) => [...all].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      const up = await values('asc');
      const down = await values('desc');
      assert.deepEqual(up, sorted(up));
      assert.deepEqual(down, sorted(down).reverse());
    }
    const newest = (await ask('GET', '/mailboxes')).body.mailboxes as Body[];
    assert.ok(newest[0]!.created_at >= newest[49]!.created_at, 'newest first unless asked otherwise');
  });

  it('filters by repeated states, search, domain and mailbox', async () => {
    const list = async (query: string) => (await ask('GET', query)).body;
    const states = (await list('/mailboxes?statuses=locked&statuses=payment_failed')).mailboxes as Body[];
    assert.deepEqual(states.map(one => one.status).sort(), ['locked', 'payment_failed']);
    assert.equal((await list('/mailboxes?search=USER007')).total_count, 1);
    assert.equal((await list(`/mailboxes?search=user007@${MAIN_DOMAIN}`)).total_count, 1);
    assert.equal((await list('/mailboxes?search=example')).total_count, 0, 'the domain is not searched');
    assert.equal((await list(`/mailboxes?domain_id=${seededId(EMPTY_DOMAIN)}`)).total_count, 0);
    assert.equal((await list(`/aliases?mailbox_id=${seededId('user001')}`)).total_count, 26);
    assert.equal((await list(`/domains?project_id=${UNKNOWN}`)).total_count, 0);
  });

  it('names every wrong argument of a batch at once, and creates all or none in the order asked', async () => {
    assert.deepEqual(
      await wrong('POST', '/batch-create-mailboxes', {
        domain_id: 'x',
        subscription_period: 'weekly',
        mailboxes: [{ local_part: 'a b', password: 'short' }, {}],
      }),
      [
        'domain_id: format',
        'subscription_period: constraint',
        'mailboxes[0].password: constraint',
        'mailboxes[0].local_part: format',
        'mailboxes[1].password: required',
        'mailboxes[1].local_part: required',
      ],
    );
    assert.deepEqual(await wrong('POST', '/batch-create-mailboxes', {}), [
      'domain_id: required',
      'subscription_period: required',
      'mailboxes: required',
    ]);
    const items = ['z', 'a', 'm'].map(local => ({ local_part: `order-${local}`, password: 'twelve letters' }));
    const { body } = await ask('POST', '/batch-create-mailboxes', {
      domain_id,
      subscription_period: 'yearly',
      mailboxes: items,
      surprise: true,
    });
    assert.deepEqual(
      body.mailboxes.map((one: Body) => one.email),
      items.map(item => `${item.local_part}@${MAIN_DOMAIN}`),
    );
    const before = (await ask('GET', '/mailboxes')).body.total_count;
    for (const second of ['user001', 'alias001', 'TWICE']) {
      const clash = await refused(409, 'already_exists', 'POST', '/batch-create-mailboxes', {
        domain_id,
        subscription_period: 'yearly',
        mailboxes: [
          { local_part: 'twice', password: 'twelve letters' },
          { local_part: second, password: 'twelve letters' },
        ],
      });
      assert.equal(clash.resource, 'mailbox');
    }
    assert.equal((await ask('GET', '/mailboxes')).body.total_count, before);
    assert.ok(!JSON.stringify(body).includes('twelve letters'), 'passwords never come back');
  });

  it('reads JSON objects only', async () => {
    for (const body of ['{', '[]', 'null', '"x"'])
      assert.deepEqual(await wrong('POST', '/domains', body), ['body: format']);
    const form = await ask('POST', '/domains', 'name=a.example', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    assert.deepEqual(form.body.details[0].argument_name, 'content-type');
    assert.equal(
      (
        await ask(
          'POST',
          '/domains',
          { name: 'utf8.example.com', project_id: PROJECT },
          { headers: { 'content-type': 'application/json; charset=utf-8' } },
        )
      ).status,
      200,
    );
  });

  it('a mailbox waits for payment, then for its domain, and is then ready with a period', async () => {
    const made = await create();
    assert.deepEqual(
      [made.status, made.subscription_period, made.next_subscription_period, made.subscription_period_started_at],
      ['waiting_payment', 'unknown_subscription_period', 'monthly', null],
    );
    assert.match(made.created_at, /\.\d{6}Z$/);
    vendor.advance(76_000);
    const paid = await mailbox(made.id);
    assert.deepEqual(
      [paid.status, paid.subscription_period, paid.next_subscription_period],
      ['waiting_domain', 'monthly', 'unknown_subscription_period'],
    );
    assert.match(paid.subscription_period_started_at, /T\d\d:\d\d:\d\dZ$/);
    vendor.advance(2_000);
    const ready = await mailbox(made.id);
    assert.equal(ready.status, 'ready');
    assert.ok(ready.updated_at > paid.updated_at && paid.updated_at > made.updated_at, 'every change moves updated_at');
  });
  it('a payment can fail', async () => {
    const { id } = await create('unpaid1');
    vendor.advance(80_000);
    assert.equal((await mailbox(id)).status, 'payment_failed');
    await refused(412, 'precondition_failed', 'PATCH', `/mailboxes/${id}`, { new_password: 'a longer password' });
  });
  it('a mailbox of a domain that is not ready waits for it', async () => {
    const name = 'later.example.com';
    const { body: domain } = await ask('POST', '/domains', { name, project_id: PROJECT });
    const made = await create('early', { domain_id: domain.id });
    vendor.advance(100_000);
    assert.equal((await mailbox(made.id)).status, 'waiting_domain');
    await ask('POST', `/domains/${domain.id}/validate-records`, {});
    vendor.advance(12_000);
    assert.equal((await mailbox(made.id)).status, 'ready');
  });
  it('a period ends in a renewal with the period chosen meanwhile', async () => {
    const own = await start({ mailboxes: 1, aliases: 0 });
    const id = seededId('user001');
    const changed = (await ask('PATCH', `/mailboxes/${id}`, { subscription_period: 'monthly' }, { to: own })).body;
    assert.deepEqual([changed.subscription_period, changed.next_subscription_period], ['yearly', 'monthly']);
    own.advance(366 * 86_400_000);
    const renewed = (await ask('GET', `/mailboxes/${id}`, undefined, { to: own })).body;
    assert.deepEqual(
      [renewed.status, renewed.subscription_period, renewed.next_subscription_period],
      ['ready', 'monthly', 'unknown_subscription_period'],
    );
  });

  it('refuses changes in passing states, and periods and passwords that are none', async () => {
    const { id } = await create();
    for (const [method, path] of [
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/restore'],
    ]) {
      const body = await refused(409, 'transient_state', method!, `/mailboxes/${id}${path}`, {});
      assert.equal(body.current_state, 'waiting_payment');
    }
    assert.deepEqual(
      await wrong('PATCH', `/mailboxes/${seededId('user001')}`, {
        subscription_period: 'weekly',
        new_password: 'short',
      }),
      ['subscription_period: constraint', 'new_password: constraint'],
    );
    const before = await mailbox(seededId('user003'));
    assert.deepEqual(
      (await ask('PATCH', `/mailboxes/${seededId('user003')}`, {})).body,
      before,
      'an empty change changes nothing',
    );
    await refused(423, 'locked', 'PATCH', `/mailboxes/${seededId('user007')}`, { new_password: 'a longer password' });
  });

  it('a deleted mailbox is scheduled, can be restored, and is else gone after ten minutes with its aliases', async () => {
    const { id } = await create();
    vendor.advance(120_000);
    const alias = (await ask('POST', '/aliases', { mailbox_id: id, local_part: `of-${id.slice(0, 8)}` })).body;
    vendor.advance(10_000);
    const scheduled = (await ask('DELETE', `/mailboxes/${id}`)).body;
    assert.equal(scheduled.status, 'deletion_scheduled');
    const ahead = Date.parse(scheduled.deletion_scheduled_at) - vendor.now();
    assert.ok(ahead > 590_000 && ahead <= 600_000);
    await refused(412, 'precondition_failed', 'DELETE', `/mailboxes/${id}`);
    const restoring = (await ask('POST', `/mailboxes/${id}/restore`, {})).body;
    assert.equal(restoring.status, 'restoring');
    vendor.advance(5_000);
    const restored = await mailbox(id);
    assert.deepEqual([restored.status, restored.deletion_scheduled_at], ['ready', null]);
    await refused(412, 'precondition_failed', 'POST', `/mailboxes/${id}/restore`, {});
    await ask('DELETE', `/mailboxes/${id}`);
    vendor.advance(599_000);
    assert.equal((await mailbox(id)).status, 'deletion_scheduled');
    vendor.advance(2_000);
    assert.equal((await mailbox(id)).status, 'deleting');
    vendor.advance(5_000);
    await refused(404, 'not_found', 'GET', `/mailboxes/${id}`);
    await refused(404, 'not_found', 'GET', `/aliases/${alias.id}`);
  });

  it('serves both alias paths, and an alias its whole life', async () => {
    const owner = seededId('user004');
    const now = (await ask('POST', '/aliases', { mailbox_id: owner, local_part: 'current', description: 'd' })).body;
    const old = (await ask('POST', `/mailboxes/${owner}/aliases`, { local_part: 'older' })).body;
    assert.deepEqual(
      [now.status, now.mailbox_id, now.description, old.email, old.description],
      ['provisioning', owner, 'd', `older@${MAIN_DOMAIN}`, ''],
    );
    await refused(409, 'transient_state', 'DELETE', `/aliases/${now.id}`);
    vendor.advance(6_000);
    assert.equal((await ask('PATCH', `/aliases/${now.id}`, { description: 'e' })).body.description, 'e');
    assert.equal((await ask('DELETE', `/aliases/${now.id}`)).body.status, 'deleting');
    vendor.advance(6_000);
    await refused(404, 'not_found', 'GET', `/aliases/${now.id}`);
    for (const local_part of ['older', 'user001'])
      assert.equal(
        (await refused(409, 'already_exists', 'POST', '/aliases', { mailbox_id: owner, local_part })).resource,
        'alias',
      );
    assert.deepEqual(
      await wrong('POST', '/aliases', { mailbox_id: 'x', local_part: '', description: 'd'.repeat(129) }),
      ['mailbox_id: format', 'local_part: required', 'description: constraint'],
    );
    await refused(404, 'not_found', 'POST', '/aliases', { mailbox_id: UNKNOWN, local_part: 'nobody' });
  });

  it('a domain is created, gets its records one by one, is validated or not, and deleted', async () => {
    const make = async (name: string) => (await ask('POST', '/domains', { name, project_id: PROJECT })).body;
    const good = await make('good.example.com');
    const bad = await make('nodns2.example.com');
    assert.deepEqual([good.status, good.mailbox_total_count, good.imap_url], ['creating', 0, 'imap.mailbox.scw.eu']);
    vendor.advance(1_500);
    const some = Object.keys((await ask('GET', `/domains/${good.id}/records`)).body).length;
    assert.ok(some > 0 && some < 12, `${some} records`);
    await refused(409, 'transient_state', 'POST', `/domains/${good.id}/validate-records`, {});
    vendor.advance(2_000);
    const records = (await ask('GET', `/domains/${good.id}/records`)).body;
    assert.equal(Object.keys(records).length, 12);
    assert.deepEqual(
      [records.mx.dns_value, records.mx.status, records.mx.level, 'error' in records.mx],
      ['10 smtp.mailbox.scw.eu.', 'unknown_status', 'required', false],
    );
    for (const domain of [good, bad]) {
      const answer = await ask('POST', `/domains/${domain.id}/validate-records`, {});
      assert.deepEqual([answer.status, answer.text], [204, '']);
      assert.equal((await ask('GET', `/domains/${domain.id}`)).body.status, 'validating');
    }
    vendor.advance(8_500);
    assert.equal((await ask('GET', `/domains/${good.id}`)).body.status, 'ready');
    assert.equal((await ask('GET', `/domains/${bad.id}`)).body.status, 'waiting_validation');
    assert.match((await ask('GET', `/domains/${bad.id}/records`)).body.mx.error, /no MX record/);
    assert.equal((await ask('DELETE', `/domains/${good.id}`)).body.status, 'deleting');
    vendor.advance(5_000);
    await refused(404, 'not_found', 'GET', `/domains/${good.id}`);
    assert.equal(
      (await refused(412, 'precondition_failed', 'DELETE', `/domains/${domain_id}`)).precondition,
      'resource_still_in_use',
    );
    assert.deepEqual(await wrong('POST', '/domains', { name: 'no dots' }), ['name: format', 'project_id: required']);
    await refused(409, 'already_exists', 'POST', '/domains', { name: WAITING_DOMAIN, project_id: PROJECT });
  });

  it('keeps the quota of a project and, when asked to, the rate of the gateway', async () => {
    const own = await start({ mailboxes: 19, aliases: 0, quota: 20, perSecond: 3 });
    const make = (...locals: string[]) =>
      ask(
        'POST',
        '/batch-create-mailboxes',
        {
          domain_id,
          subscription_period: 'monthly',
          mailboxes: locals.map(local_part => ({ local_part, password: 'twelve letters' })),
        },
        { to: own },
      );
    const over = await make('a', 'b');
    assert.deepEqual(
      [over.status, over.body.type, over.body.details],
      [403, 'quotas_exceeded', [{ resource: 'mailbox', quota: 20, current: 19, project_id: PROJECT }]],
    );
    assert.equal((await make('a')).status, 200);
    assert.equal((await make('b')).status, 403);
    const throttled = await make('c');
    assert.deepEqual(
      [
        throttled.status,
        throttled.text,
        throttled.headers.get('x-envoy-ratelimited'),
        throttled.headers.get('content-type'),
      ],
      [429, '', 'true', null],
    );
    own.advance(1_001);
    assert.equal((await make('d')).status, 403);
  });
});
