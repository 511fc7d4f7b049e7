import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import {
  connect,
  createDispatcher,
  providerById,
  type Client,
  type Exchange,
  type WireText,
} from '../../shared/index.js';

import { selfSigned } from '../../shared/mailServer/imap/certificate.js';

describe('what goes over the wire', () => {
  const KEY = 'a-key-nobody-may-see-9Qx';
  const seen: Exchange[] = [];
  let server: Server;
  let account: Record<string, unknown>;
  let client: Client;
  let answer: { status: number; headers?: Record<string, string>; body: string | Buffer };
  before(async () => {
    server = createServer((request, reply) => {
      request
        .resume()
        .on('end', () =>
          reply.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(answer.body),
        );
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    account = {
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      user: 'admin@example.com',
      apiKey: KEY,
      perMinute: 60_000,
    };
    client = connect(providerById('migadu'), account, { wire: true, observe: one => seen.push(one) });
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    seen.length = 0;
  });
  const last = () => seen.at(-1)!.wire!.text() as WireText;
  const read = (mailbox = 'ann@example.com') =>
    (client.call('mailbox.get', { mailbox }) as Promise<unknown>).catch(() => {});

  it('can be looked at: first line, headers and body both ways', async () => {
    answer = { status: 200, headers: { 'x-request': 'r1' }, body: '{"address":"ann@example.com","name":"Ann"}' };
    await read();
    const { sent, answer: came } = last();
    assert.match(sent, /^GET \/v1\/domains\/example\.com\/mailboxes\/ann\nhost: 127\.0\.0\.1:\d+\n/);
    assert.match(came!, /^200\n[^]*x-request: r1[^]*\n\n\{"address":"ann@example\.com","name":"Ann"\}$/);
  });
  it('shows no secret of the account, none that is sent or answered, whole or cut', async () => {
    const password = 'correct horse "battery" staple';
    answer = {
      status: 400,
      headers: { 'set-cookie': 'session=cookie-value', 'x-auth-token': 'header-value' },
      body: JSON.stringify({
        echo: `you sent ${KEY} and ${Buffer.from(`admin@example.com:${KEY}`).toString('base64')}`,
        access_token: 'answered value one',
        nested: { client_secret: 'answered "value" two' },
        xml: '<password>answered three</password>',
        form: 'x=1&refresh_token=answered-four&y=2',
        password: `long ${'z'.repeat(70_000)}`,
      }),
    };
    await (
      client.call('mailbox.create', { mailbox: 'new@example.com', name: 'New', password }) as Promise<unknown>
    ).catch(() => {});
    const { sent, answer: came } = seen.find(one => one.method === 'POST')!.wire!.text() as WireText;
    const all = sent + came!;
    assert.match(sent, /authorization: \*\*\*[^]*"name":"New"[^]*"password":"\*\*\*"/);
    for (const secret of [
      KEY,
      'horse',
      'battery',
      'staple',
      'cookie-value',
      'header-value',
      'value one',
      'value\\" two',
      'answered three',
      'answered-four',
      'zzz',
      Buffer.from(`admin@example.com:${KEY}`).toString('base64').slice(0, 20),
    ]) {
      assert.ok(!all.includes(secret), `${secret} in ${all.slice(0, 3000)}`);
    }
  });
  it('shows no part of a secret that the end of what is kept cuts through', async () => {
    for (let part = 6; part < KEY.length; part += 3) {
      answer = { status: 200, body: `${' '.repeat(32 * 1024 - part)}${KEY}${' '.repeat(100)}` };
      await read();
      assert.ok(!last().answer!.includes(KEY.slice(0, 6)), `${part} letters of it`);
    }
  });
  it('letters that nobody sees or that turn others around are written out', async () => {
    answer = { status: 200, body: '{"address":"ann@example.com","name":"a\u202eb\u200bc\u0007"}' };
    await read();
    assert.match(last().answer!, /"name":"a\\u202eb\\u200bc\\u0007"/);
  });
  it('keeps the beginning of a body, says how much more there was, and counts what is no text', async () => {
    answer = { status: 200, body: `{"a":"${'x '.repeat(500_000)}"}` };
    await read();
    assert.match(last().answer!, /\(\d+ of 1000008 bytes are not shown\)$/);
    assert.ok(seen.at(-1)!.wire!.size < 40_000 && last().answer!.length < 40_000);
    answer = { status: 200, body: Buffer.from([1, 0, 2, 0]) };
    await read();
    assert.match(last().answer!, /\n\n\(4 bytes that are no text\)$/);
  });
  it('a read is sent again as a request of its own, signed anew; a write is not', async () => {
    answer = { status: 200, body: '{"address":"ann@example.com"}' };
    await read();
    await seen[0]!.again!();
    assert.deepEqual(
      seen.map(({ method, status }) => [method, status]),
      [
        ['GET', 200],
        ['GET', 200],
      ],
    );
    assert.match(last().sent, /authorization: \*\*\*/);
    await (client.call('mailbox.update', { mailbox: 'ann@example.com', name: 'Ann' }) as Promise<unknown>).catch(
      () => {},
    );
    const write = seen.find(({ method }) => method === 'PUT');
    assert.ok(write && write.again === undefined && write.wire);
  });
  it('says how TLS protects it: version, cipher, and the certificate as another reader of it has it', async () => {
    const root = { name: 'Acme Root', ...selfSigned({ name: 'Acme Root' }) };
    const shown = selfSigned({ signedBy: root });
    const trusted = getCACertificates('default');
    setDefaultCACertificates([...trusted, root.cert]);
    const secure = createSecure({ ...shown }, (_, reply) => reply.end('{"address":"ann@example.com"}'));
    await new Promise<void>(resolve => secure.listen(0, '127.0.0.1', resolve));
    const dispatcher = await createDispatcher({});
    try {
      const baseUrl = `https://localhost:${(secure.address() as AddressInfo).port}`;
      const told: Exchange[] = [];
      const over = connect(
        providerById('migadu'),
        { ...account, baseUrl },
        { wire: true, observe: one => told.push(one), dispatcher },
      );
      for (let i = 0; i < 2; i++) await over.call('mailbox.get', { mailbox: 'ann@example.com' });
      const { fingerprint256, validToDate } = new X509Certificate(shown.cert);
      for (const one of told) {
        const { protocol, cipher, ...certificate } = one.wire!.text().tls!;
        assert.match(`${protocol} ${cipher}`, /^TLSv1\.[23] TLS_\w+$/);
        assert.deepEqual(certificate, {
          subject: 'localhost',
          names: 'localhost, 127.0.0.1, 0:0:0:0:0:0:0:1',
          issuer: 'Acme Root',
          validTo: validToDate.toISOString(),
          fingerprint: fingerprint256,
        });
      }
      assert.equal(told.length, 2);
      answer = { status: 200, body: '{"address":"ann@example.com"}' };
      await read();
      assert.equal(last().tls, undefined);
    } finally {
      setDefaultCACertificates(trusted);
      await dispatcher.destroy();
      secure.closeAllConnections();
      secure.close();
    }
  });
  it('nothing is kept unless the host asks for it', async () => {
    const plain: Exchange[] = [];
    answer = { status: 200, body: '{"address":"ann@example.com"}' };
    await connect(providerById('migadu'), account, { observe: one => plain.push(one) }).call('mailbox.get', {
      mailbox: 'ann@example.com',
    });
    assert.deepEqual([plain.length, plain[0]!.wire, plain[0]!.again], [1, undefined, undefined]);
  });
});
