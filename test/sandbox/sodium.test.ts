import assert from 'node:assert/strict';
import { EXPIRED, GOOGLE, guid, KEY, LARGE_FILE, OTHER_KEY, PRIVATE, SEND_ONLY, SMTP, startSodium } from './sodium.js';
import type { Vendor } from './vendor.js';

type Row = Record<string, unknown>;

describe('Sodium sandbox', () => {
  let vendor: Vendor;
  beforeEach(async () => {
    vendor = await startSodium();
    vendor.stopClock();
  });
  afterEach(() => vendor.close());
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(vendor.url + path, {
      method,
      headers: { 'x-api-key': KEY, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = text;
    }
    return { status: answer.status, headers: answer.headers, body: parsed as Row };
  };
  const refused = async (
    status: number,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => {
    const answer = await ask(method, path, body, headers);
    assert.equal(
      answer.status,
      status,
      `${method} ${path} ${JSON.stringify(body)} gave ${answer.status} ${JSON.stringify(answer.body)}`,
    );
    assert.ok(answer.body.message, 'a refusal has a message');
    assert.equal(answer.body.statusCode, status);
  };
  const T = '/tenants/ACME';
  const box = (code: string) => `${T}/email-configs/${code}`;
  const mail = { subject: 'S', htmlBody: '<p>x</p>', to: [{ email: 'a@b.test' }] };
  const first = async (code: string) =>
    ((await ask('GET', `${T}/mailbox/messages?configCode=${code}&direction=Inbound`)).body.data as Row[])[0]!;

  it('asks for a key that is known and has not expired', async () => {
    for (const key of ['', 'wrong', 'sodium-sandbox-old-0c3e5a7f19'])
      await refused(401, 'GET', '/tenants', undefined, { 'x-api-key': key });
    const { body } = await ask('POST', '/account/keys', {
      name: 'short',
      expiryDate: new Date(vendor.now() + 60_000).toISOString(),
    });
    assert.equal((await ask('GET', '/tenants', undefined, { 'x-api-key': String(body.key) })).status, 200);
    vendor.advance(61_000);
    await refused(401, 'GET', '/tenants', undefined, { 'x-api-key': String(body.key) });
  });
  it("knows the tenants and mailboxes of the key's user only", async () => {
    await refused(404, 'GET', '/tenants/ZETA');
    await refused(404, 'GET', '/tenants/BETA', undefined, { 'x-api-key': OTHER_KEY });
    await refused(404, 'GET', box(PRIVATE));
    assert.equal((await ask('GET', box(PRIVATE), undefined, { 'x-api-key': OTHER_KEY })).status, 200);
    await refused(404, 'GET', `${T}/mailbox/messages?configCode=${PRIVATE}`);
    assert.equal((await ask('GET', `/api${T}`)).status, 200);
  });
  it('checks the parameters of lists', async () => {
    for (const query of [
      'limit=0',
      'limit=x',
      'offset=-1',
      'sortBy=Size',
      'sortDesc=yes',
      'direction=Up',
      'configCode=a',
      `configCode=${GOOGLE},${GOOGLE}`,
      `configCode=${SMTP}`,
      `configCode=${SEND_ONLY}`,
    ]) {
      await refused(400, 'GET', `${T}/mailbox/messages?${query}`);
    }
    const { body } = await ask('GET', `${T}/mailbox/messages`);
    assert.deepEqual([(body.data as Row[]).length, body.limit, body.offset, body.hasMore], [10, 10, 0, true]);
    assert.ok(Number(body.totalCount) > 120);
    const dates = (body.data as Row[]).map(row => String(row.messageDate));
    assert.deepEqual(dates, [...dates].sort(), 'the order is ascending unless told otherwise');
    assert.equal((await ask('GET', `${T}/mailbox/messages?limit=500`)).body.limit, 50);
    assert.ok(Number((await ask('GET', `${T}/mailbox/conversations`)).body.totalCount) > 60);
  });
  it('rows name no recipients and hold no text; details neither whether they were read nor their mailbox', async () => {
    const row = await first(GOOGLE);
    for (const name of ['toRecipients', 'htmlBody', 'plainTextBody']) assert.ok(!(name in row), name);
    const details = (await ask('GET', `${box(GOOGLE)}/messages/${String(row.uniqueId)}`)).body;
    for (const name of ['isRead', 'importance', 'bcc', 'configCode']) assert.ok(!(name in details), name);
    assert.ok('direction' in row);
    const later = (
      await ask('GET', `${T}/mailbox/messages?direction=nonsense`, undefined, { 'x-sandbox-generation': 'B' })
    ).body;
    assert.ok((later.data as Row[]).every(one => !('direction' in one) && Array.isArray(one.folders)));
  });
  it('checks bodies: media type, JSON, required members and their types', async () => {
    const path = `${box(GOOGLE)}/messages`;
    await refused(415, 'POST', path, mail, { 'content-type': 'text/plain' });
    for (const bad of ['{', '[]', 'null']) await refused(400, 'POST', path, bad);
    for (const bad of [
      { ...mail, subject: undefined },
      { ...mail, to: [] },
      { ...mail, to: ['a@b.test'] },
      { ...mail, to: [{ email: 'nobody' }] },
      { ...mail, htmlBody: undefined },
      { ...mail, cc: 'a@b.test' },
      { ...mail, attachments: [{ fileName: 'a', contentType: 'b/c', content: 'not base64!' }] },
      { ...mail, attachments: [{ name: 'a', content: 'YQ==' }] },
    ])
      await refused(400, 'POST', path, bad);
    const id = String((await first(GOOGLE)).uniqueId);
    await refused(400, 'POST', `${path}/${id}/reply`, { plainTextBody: 'x' });
    await refused(400, 'PATCH', path, { messageIds: [], isRead: true });
    await refused(400, 'PATCH', path, { messageIds: ['x'], isRead: true });
    await refused(400, 'PATCH', path, { messageIds: [id] });
    await refused(404, 'PATCH', path, { messageIds: [guid('none')], isRead: true });
    await refused(400, 'GET', `${path}/not-a-guid`);
    await refused(404, 'GET', `${path}/${guid('none')}`);
  });
  it('keeps to what a mailbox may do', async () => {
    for (const code of [SMTP, SEND_ONLY]) {
      await refused(400, 'GET', `${box(code)}/conversations/x`);
      await refused(400, 'PATCH', `${box(code)}/messages`, { messageIds: [guid('a')], isRead: true });
    }
    await refused(400, 'POST', `${box(SMTP)}/reconnect`, { returnUrl: 'https://a.test' });
    await refused(400, 'POST', `${box(GOOGLE)}/reconnect`, {});
    await refused(400, 'POST', `${box(EXPIRED)}/messages`, mail);
    await refused(404, 'POST', `${T}/mailbox/send?configCode=${guid('none')}`, mail);
    assert.equal((await ask('POST', `${T}/mailbox/send`, mail)).status, 200);
  });
  it('an expired mailbox lists what it had, and says in a good answer that it has to be connected again', async () => {
    const row = await first(EXPIRED);
    const { status, body } = await ask('GET', `${box(EXPIRED)}/messages/${String(row.uniqueId)}`);
    assert.deepEqual([status, body.reconnectRequired, body.htmlBody], [200, true, null]);
    assert.equal(
      (await ask('POST', `${box(EXPIRED)}/messages/${String(row.uniqueId)}/reply`, { htmlBody: 'x' })).body
        .reconnectRequired,
      true,
    );
  });
  it('checks email configurations', async () => {
    const path = `${T}/email-configs`;
    const oauth = { providerType: 'Google', fromEmail: 'a@b.test' };
    for (const bad of [
      { fromEmail: 'a@b.test' },
      { providerType: 'Pop', fromEmail: 'a@b.test' },
      { providerType: 'Smtp', fromEmail: 'a@b.test' },
      oauth,
      { ...oauth, oAuthSettings: { returnUrl: 'here' } },
      { ...oauth, oAuthSettings: { returnUrl: 'https://a.test' }, isDefault: true },
      { providerType: 'Smtp', fromEmail: 'a@b.test', smtpSettings: { host: 'h', port: 70_000 } },
    ])
      await refused(400, 'POST', path, bad);
    const { status, body } = await ask('POST', path, { ...oauth, oAuthSettings: { returnUrl: 'https://a.test' } });
    assert.deepEqual(
      [status, body.status, body.sendEnabled, body.readEnabled],
      [201, 'PendingOAuthSetup', true, false],
    );
    assert.ok(
      !JSON.stringify(
        (
          await ask('POST', path, {
            providerType: 'Smtp',
            fromEmail: 'a@b.test',
            smtpSettings: { host: 'h', password: 'sesame' },
          })
        ).body,
      ).includes('sesame'),
    );
    await refused(400, 'DELETE', box(SMTP));
    assert.equal((await ask('DELETE', box(SEND_ONLY))).status, 204);
  });
  it('gives attachments as they are, large ones too, and may be asked for an hour from a cache', async () => {
    const row = (
      (await ask('GET', `${T}/mailbox/messages?search=VAT%20return%2069&direction=Inbound`)).body.data as Row[]
    )[0]!;
    const answer = await fetch(
      `${vendor.url}${box(GOOGLE)}/messages/${String(row.uniqueId)}/attachments/${encodeURIComponent('A2/scan+=')}`,
      { headers: { 'x-api-key': KEY } },
    );
    assert.deepEqual(
      [answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')],
      [200, 'application/pdf', 'private, max-age=3600'],
    );
    assert.equal((await answer.arrayBuffer()).byteLength, LARGE_FILE);
    await refused(404, 'GET', `${box(GOOGLE)}/messages/${String(row.uniqueId)}/attachments/none`);
  });
  it('links tasks of its own tenant, once', async () => {
    const path = `${box(GOOGLE)}/conversations/${encodeURIComponent(String((await first(GOOGLE)).conversationId))}`;
    await refused(404, 'POST', `${path}/tasks`, { taskCode: 'B1' });
    await refused(400, 'POST', `${path}/tasks`, { task: 'T1' });
    for (let i = 0; i < 2; i++) assert.equal((await ask('POST', `${path}/tasks`, { taskCode: 'T1' })).status, 204);
    assert.deepEqual((await ask('GET', path)).body.taskAssociations, [{ code: 'T1', name: 'VAT return 1' }]);
    assert.equal((await ask('DELETE', `${path}/tasks/T1`)).status, 204);
    await refused(404, 'DELETE', `${path}/tasks/T1`);
  });
  it('writes errors in either shape', async () => {
    const { headers, body } = await ask('GET', `${T}/mailbox/messages?limit=0`, undefined, {
      'x-sandbox-errors': 'problem',
    });
    assert.match(headers.get('content-type') ?? '', /application\/problem\+json/);
    assert.deepEqual([body.status, body.errors], [400, { Limit: ["The value '0' is not valid."] }]);
  });
});
