import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync, appendFileSync } from 'node:fs';
import { connect as dial, createServer, type AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import {
  connect,
  isFile,
  providerById,
  startMailServer,
  type MailServer,
  type MailServerOptions,
  type Message,
} from '../../shared/index.js';

/** The text of a file that an operation gives. */
async function text(answer: unknown): Promise<string> {
  const file = isFile(answer) ? answer : Object.values(answer as object).find(isFile)!;
  const parts: Uint8Array[] = [];
  for await (const part of file.open()) parts.push(part);
  return Buffer.concat(parts).toString();
}
const LETTER = { from: 'shop@example.com', to: 'ann@example.com', subject: 'Welcome', text: 'Hello Ann.' };

describe('the local mail server', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  const start = async (options: MailServerOptions = {}): Promise<MailServer> => {
    const server = await startMailServer({ smtp: 0, imap: 0, ...options });
    ends.push(() => server.close());
    return server;
  };
  const folder = () => {
    const made = mkdtempSync(join(tmpdir(), 'mailroom-local-'));
    ends.push(() => rmSync(made, { recursive: true, force: true }));
    return made;
  };
  const sender = (server: MailServer, more: object = {}) => {
    const made = createTransport({ host: server.host, port: server.smtp.port, ...more } as object);
    ends.push(() => made.close());
    return made;
  };
  const clientOf = (server: MailServer) => connect(providerById(server.provider), server.account);
  const list = async (server: MailServer): Promise<Message[]> => {
    const found: Message[] = [];
    for await (const one of clientOf(server).call('message.list', {})) found.push(one as Message);
    return found;
  };

  it('takes mail for every address, with any login or none, once for all recipients, and says for whom it was', async () => {
    const server = await start();
    await sender(server).sendMail({
      ...LETTER,
      to: 'ann@example.com, Bob <bob@elsewhere.test>',
      bcc: 'eve@hidden.test',
    });
    await sender(server, { auth: { user: 'whoever', pass: 'whatever' } }).sendMail({ ...LETTER, subject: 'Second' });
    const all = await list(server);
    assert.deepEqual(
      all.map(({ subject }) => subject),
      ['Second', 'Welcome'],
    );
    const source = await text(await clientOf(server).call('message.source', { message: all[1]!.id }));
    assert.deepEqual(
      source.match(/^Delivered-To: .*(?=\r$)/gm),
      ['ann@example.com', 'bob@elsewhere.test', 'eve@hidden.test'].map(one => `Delivered-To: ${one}`),
    );
    assert.equal(server.messages, 2);
  });
  it('keeps mail, its UIDs and flags in a folder for the next start; a UID is never given twice', async () => {
    const at = folder();
    const first = await start({ folder: at });
    for (const subject of ['One', 'Two', 'Three']) await sender(first).sendMail({ ...LETTER, subject });
    const client = clientOf(first);
    const [three, , one] = await list(first);
    await client.call('message.mark', { message: one!.id, read: true });
    await client.call('message.delete', { message: three!.id, forever: true });
    await first.close();
    // What a crash left: a line that was not finished, and a message that was not acknowledged.
    appendFileSync(join(at, 'journal.jsonl'), '{"o":"add","b":"INB');
    writeFileSync(join(at, '99.eml'), 'Subject: never acknowledged\r\n\r\n');
    const second = await start({ folder: at });
    const kept = await list(second);
    assert.deepEqual(
      kept.map(({ subject, read }) => [subject, read]),
      [
        ['Two', false],
        ['One', true],
      ],
    );
    assert.equal(kept[1]!.id, one!.id, 'the same message has the same id');
    assert.deepEqual(readdirSync(at).sort(), ['1.eml', '2.eml', 'journal.jsonl']);
    await sender(second).sendMail({ ...LETTER, subject: 'Four' });
    assert.ok(!(await list(second)).some(({ id }) => id === three!.id));
    second.clear();
    assert.deepEqual(
      [await list(second), second.messages, second.bytes, readdirSync(at)],
      [[], 0, 0, ['journal.jsonl']],
    );
  });
  it('keeps so many messages and bytes, the newest of them', async () => {
    const server = await start({ messages: 3, folder: folder() });
    const post = sender(server);
    for (const subject of ['1', '2', '3', '4', '5']) await post.sendMail({ ...LETTER, subject });
    assert.deepEqual(
      (await list(server)).map(({ subject }) => subject),
      ['5', '4', '3'],
    );
    const small = await start({ bytes: 3000 });
    for (const subject of ['1', '2', '3']) await sender(small).sendMail({ ...LETTER, subject, text: 'x'.repeat(1200) });
    assert.ok(small.bytes <= 3000 && small.messages >= 1, `${small.bytes} bytes`);
  });
  it('reads a message once for all lists of it', async () => {
    const at = folder();
    const server = await start({ folder: at });
    await sender(server).sendMail({ ...LETTER, subject: 'Listed', attachments: [{ filename: 'a.txt', content: 'x' }] });
    const [first] = await list(server);
    // The file goes; what a list shows of it was worked out before, and is the same.
    for (const name of readdirSync(at)) if (name.endsWith('.eml')) rmSync(join(at, name));
    assert.deepEqual(await list(server), [first]);
    assert.equal(first!.attachments?.[0]?.name, 'a.txt');
  });
  it('a message whose file was taken away says so, and holds up no other', async () => {
    const at = folder();
    const server = await start({ folder: at });
    for (const subject of ['One', 'Two']) await sender(server).sendMail({ ...LETTER, subject });
    rmSync(join(at, '1.eml'));
    assert.deepEqual(
      (await list(server)).map(({ subject }) => subject),
      ['Two', 'This message cannot be read'],
    );
  });
  it('listens on loopback alone', async () => {
    const server = await start();
    const outside = Object.values(networkInterfaces())
      .flat()
      .find(one => one?.family === 'IPv4' && !one.internal)?.address;
    const hosts = ['127.0.0.2', ...(outside ? [outside] : [])];
    for (const host of hosts) {
      for (const port of [server.smtp.port, server.smtp.tlsPort, server.imap.port, server.imap.tlsPort]) {
        const code = await new Promise(resolve => {
          dial(port, host)
            .on('connect', () => resolve('connected'))
            .on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
        });
        assert.equal(code, 'ECONNREFUSED', `${host}:${port}`);
      }
    }
  });
  it('takes the next port where the usual one is taken, and refuses one that was asked for and is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => other.once('listening', resolve));
    ends.push(() => new Promise(resolve => other.close(resolve)));
    const { port } = other.address() as AddressInfo;
    await assert.rejects(startMailServer({ smtp: port, imap: 0 }), { code: 'EADDRINUSE' });
    const one = await startMailServer();
    const two = await startMailServer();
    ends.push(
      () => one.close(),
      () => two.close(),
    );
    assert.ok(two.smtp.port > one.smtp.port && two.imap.port > one.imap.port, 'both at once');
  });

  const refused = (server: MailServer, more: object = {}, options: object = {}) =>
    sender(server, options)
      .sendMail({ ...LETTER, ...more })
      .then(
        () => 'taken',
        (error: { responseCode?: number; code?: string }) => error.responseCode ?? error.code,
      );
  it('misbehaves as it is told, and behaves again', async () => {
    const server = await start();
    server.misbehave({ refuse: '@example.com' });
    assert.deepEqual([await refused(server), await refused(server, { to: 'bob@elsewhere.test' })], [550, 'taken']);
    server.misbehave({ failOnce: true });
    assert.deepEqual([await refused(server), await refused(server)], [451, 'taken']);
    server.misbehave({ greylist: true });
    assert.deepEqual(
      [await refused(server), await refused(server), await refused(server, { to: 'new@example.com' })],
      [450, 'taken', 450],
    );
    server.misbehave({ overQuota: true });
    assert.equal(await refused(server), 552);
    server.misbehave({ sizeLimit: 2000 });
    assert.deepEqual([await refused(server, { text: 'x'.repeat(5000) }), await refused(server)], [552, 'taken']);
    server.misbehave({ slow: 300 });
    const began = Date.now();
    assert.equal(await refused(server), 'taken');
    assert.ok(Date.now() - began > 900, 'greeting, sender, recipient and end each wait');
    const before = server.messages;
    server.misbehave({ dropAfterData: true });
    assert.notEqual(await refused(server), 'taken');
    assert.equal(server.messages, before + 1, 'it came all the same');
    server.misbehave({});
    assert.equal(await refused(server, { text: 'x'.repeat(5000) }), 'taken');
  });
  it('offers TLS on ports of their own, and none in the middle, so that a client without its certificate can send', async () => {
    const server = await start();
    assert.equal(
      await refused(
        server,
        {},
        { port: server.smtp.tlsPort, secure: true, tls: { ca: server.certificate, servername: 'localhost' } },
      ),
      'taken',
    );
    assert.equal(await refused(server, {}, { opportunisticTLS: true }), 'taken');
  });
});
