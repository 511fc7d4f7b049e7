import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  connect,
  createClient,
  fileOf,
  providerById,
  take,
  type Client,
  type FileValue,
  type HttpRequest,
  type MailError,
  type Message,
} from '../../shared/index.js';
import {
  authorise,
  deliver,
  EXPIRED,
  folderId,
  GOOGLE,
  guid,
  LARGE_FILE,
  MICROSOFT,
  OTHER_KEY,
  PRIVATE,
  remove,
  SECOND_TENANT,
  SEND_ONLY,
  sentBy,
  SMTP,
  startSodium,
  TENANT,
  type SodiumOptions,
} from '../sandbox/sodium.js';
import type { Vendor } from '../sandbox/vendor.js';
import { failing } from '../failing.js';

const sodium = providerById('sodium');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
type Values = Record<string, unknown>;

describe('Sodium', function () {
  this.timeout(60_000);
  let vendor: Vendor;
  let client: Client;
  const open = (account: Values = {}) =>
    connect(sodium, { ...vendor.account, concurrent: 50, perMinute: 60_000, ...account }, { timeoutMs: 5000 });
  const restart = async (options?: SodiumOptions) => {
    await vendor?.close();
    vendor = await startSodium(options);
    vendor.stopClock();
    client = open();
  };
  const list = <T = Message>(input: Values = {}, of = client) =>
    take(of.call('message.list', input) as unknown as AsyncIterable<T>);
  const received = async (search: string, mailbox = GOOGLE) =>
    (await list({ mailbox, search, direction: 'Inbound' }))[0]!;
  const bodyOf = (at: number) => JSON.parse(vendor.seen.at(at)!.body.toString()) as Values;
  const mail = {
    to: ['Jo Client <jo@client.test>', 'plain@client.test'],
    subject: 'Figures',
    htmlBody: '<p>Here.</p>',
  };
  beforeEach(() => restart());
  after(() => vendor.close());

  describe('addresses and tenants', () => {
    it("the base address works with and without the vendor's old prefix, and with a slash at its end", async () => {
      for (const tail of ['', '/', '/api', '/api/'])
        await open({ baseUrl: vendor.url + tail }).call('account.check', {});
      assert.deepEqual(
        vendor.seen.map(seen => seen.path),
        ['/tenants/ACME', '/tenants/ACME', '/api/tenants/ACME', '/api/tenants/ACME'],
      );
      assert.ok(vendor.seen.every(seen => seen.headers['x-api-key'] === vendor.account.apiKey));
    });
    it("an input's tenant comes before the account's, and without either nothing is asked", async () => {
      assert.equal(
        (await take(client.call('task.list', { tenant: SECOND_TENANT }) as AsyncIterable<{ id: string }>))[0]?.id,
        'B1',
      );
      vendor.forget();
      const error = await failing(open({ tenant: undefined }).call('mailbox.get', { mailbox: GOOGLE }));
      assert.equal(error.code, 'invalid_input');
      assert.deepEqual(
        error.details.issues?.map(issue => issue.field),
        ['tenant'],
      );
      assert.equal(vendor.seen.length, 0);
    });
    it('the account without a tenant is checked by its list of tenants', async () => {
      await open({ tenant: '' }).call('account.check', {});
      assert.equal(vendor.seen[0]?.path, '/tenants');
      assert.equal((await failing(open({ tenant: 'NOWHERE' }).call('account.check', {}))).code, 'not_found');
    });
    it('ids with slashes, plus and equals signs reach the vendor as they are', async () => {
      const [found] = await take(
        client.call('conversation.list', { mailbox: [GOOGLE] }) as AsyncIterable<{ id: string }>,
        1,
      );
      assert.match(found!.id, /[/+=]/);
      const whole = (await client.call('conversation.get', { mailbox: GOOGLE, conversation: found!.id })) as {
        id: string;
        messages: Message[];
        participants: string[];
      };
      assert.equal(whole.id, found!.id);
      assert.equal(whole.messages.length, 2);
      assert.ok(whole.messages.every(message => message.mailbox === GOOGLE));
      assert.equal(
        (await failing(client.call('conversation.get', { mailbox: GOOGLE, conversation: '..' }))).code,
        'invalid_input',
      );
    });
    it('an API key that cannot stand in a header is refused', () => {
      assert.throws(() => open({ apiKey: 'two\r\nlines' }), { code: 'invalid_input' });
    });
  });

  describe('lists', () => {
    it('come newest first, fifty at a time, and repeat the key of a filter that has several values', async () => {
      const all = await list({ mailbox: [GOOGLE, MICROSOFT] });
      assert.deepEqual(
        all.map(m => m.date),
        all
          .map(m => m.date)
          .sort()
          .reverse(),
      );
      assert.equal(all.length, 140);
      const { query } = vendor.seen[0]!;
      assert.deepEqual(query.getAll('configCode'), [GOOGLE, MICROSOFT]);
      assert.deepEqual([query.get('sortBy'), query.get('sortDesc'), query.get('limit')], ['MessageDate', 'true', '50']);
    });
    it('names are sorted from A to Z unless asked otherwise', async () => {
      await take(client.call('message.list', { sortBy: 'Subject' }), 1);
      await take(client.call('message.list', { sortBy: 'Subject', sortDesc: true }), 1);
      await take(client.call('message.list', { sortDesc: false }), 1);
      assert.deepEqual(
        vendor.seen.filter(seen => seen.query.get('offset') === '0').map(seen => seen.query.get('sortDesc')),
        ['false', 'true', 'false'],
      );
    });
    it('lose nothing when rows vanish, and repeat nothing when rows come, while they are read', async () => {
      const before = (await list()).map(m => m.id);
      for (const gone of [1, 7, 49, 50, 60]) {
        await restart();
        const seen: string[] = [];
        const victims = before.slice(0, gone);
        for await (const message of client.call('message.list', {})) {
          seen.push(message.id);
          // The first page has been read, the second is not asked for yet.
          if (seen.length === 1) {
            for (const id of victims) remove(vendor, id);
          }
        }
        assert.deepEqual(
          before.slice(gone).filter(id => !seen.includes(id)),
          [],
          `${gone} rows vanished`,
        );
        assert.equal(new Set(seen).size, seen.length);
      }
      await restart();
      const seen: string[] = [];
      for await (const message of client.call('message.list', {})) {
        seen.push(message.id);
        if (seen.length === 1) for (let i = 0; i < 60; i++) deliver(vendor);
      }
      assert.equal(new Set(seen).size, seen.length);
      assert.deepEqual(
        seen.filter(id => before.includes(id)),
        before,
      );
    });
    it("a search, a participant and a domain are the vendor's to compare", async () => {
      assert.ok((await list({ search: 'return 42' })).every(m => m.subject?.includes('return 42')));
      assert.ok((await list({ participantEmail: ['jo1@client1.test', 'jo2@client2.test'] })).length > 0);
      assert.deepEqual(vendor.seen.at(-1)!.query.getAll('participantEmail'), ['jo1@client1.test', 'jo2@client2.test']);
      assert.equal((await list({ participantDomain: 'nowhere.test' })).length, 0);
    });
    it('times are compared here, and reading stops where they end', async () => {
      const all = await list();
      const after = all[9]!.date!;
      const before = all[3]!.date!;
      vendor.forget();
      assert.deepEqual(
        (await list({ after, before })).map(m => m.id),
        all.filter(m => m.date! >= after && m.date! < before).map(m => m.id),
      );
      assert.equal(vendor.seen.length, 1, 'pages beyond the time were asked for');
      const ascending = await list({ after, before, sortDesc: false });
      const bySubject = await list({ after, before, sortBy: 'Subject' });
      const ids = (some: Message[]) => some.map(m => m.id).sort();
      assert.deepEqual(ids(ascending), ids(all.slice(4, 10)));
      assert.deepEqual(ids(bySubject), ids(all.slice(4, 10)));
      const threads = await take(client.call('conversation.list', { after }) as AsyncIterable<{ date: string }>);
      assert.ok(threads.length > 0 && threads.every(thread => thread.date >= after));
    });
    it('a folder is refused by servers of the earlier documents, a direction by those of the later ones', async () => {
      assert.equal((await failing(list({ folder: 'Inbox' }))).code, 'unsupported');
      assert.ok((await list({ direction: 'Outbound' })).every(m => m.native.direction === 'Outbound'));
      await restart({ generation: 'B' });
      for (const name of ['message.list', 'conversation.list'])
        assert.equal((await failing(client.call(name, { direction: 'Inbound' }))).code, 'unsupported');
      const inbox = await list({ folder: 'Inbox' });
      assert.ok(inbox.length > 50 && inbox.length < 140);
      assert.deepEqual(
        (await list({ folder: folderId(GOOGLE, 'Inbox') })).map(m => m.id),
        inbox.filter(m => m.mailbox === GOOGLE).map(m => m.id),
      );
    });
    it('a whole list may come bare or in an envelope; anything else is protocol', async () => {
      const bare = await take(client.call('tenant.list', {}) as AsyncIterable<{ id: string }>);
      assert.deepEqual(
        bare.map(one => one.id),
        [TENANT, SECOND_TENANT],
      );
      vendor.fail({
        status: 200,
        body: JSON.stringify({
          data: [{ code: 'X', name: 'In an envelope' }],
          totalCount: 1,
          offset: 0,
          limit: 10,
          hasMore: false,
        }),
      });
      assert.deepEqual(
        (await take(client.call('tenant.list', {}) as AsyncIterable<{ id: string }>)).map(one => one.id),
        ['X'],
      );
      for (const body of ['{}', '{"data":{}}', '{"data":[1]}', '"text"']) {
        vendor.fail({ status: 200, body });
        assert.equal((await failing(client.call('tenant.list', {}))).code, 'protocol', body);
      }
    });
    it('folders that a server does not have are not found, and the error says why that may be', async () => {
      assert.ok(
        (
          await take(
            client.call('folder.list', { mailbox: GOOGLE, systemFoldersOnly: true }) as AsyncIterable<{ kind: string }>,
          )
        ).every(folder => folder.kind !== 'None'),
      );
      await restart({ folders: false });
      const error = await failing(client.call('folder.list', {}));
      assert.equal(error.code, 'not_found');
      assert.match(error.message, /does not have folders yet/);
    });
    it('each user sees own and shared mailboxes only', async () => {
      const codes = async (of: Client) => (await take(of.call('mailbox.list', {}))).map(mailbox => mailbox.id);
      assert.ok(!(await codes(client)).includes(PRIVATE));
      assert.ok((await codes(open({ apiKey: OTHER_KEY }))).includes(PRIVATE));
      assert.equal((await failing(client.call('mailbox.get', { mailbox: PRIVATE }))).code, 'not_found');
    });
  });

  describe('a mailbox that has to be connected again', () => {
    it('is an error that names it and what to do, not an empty message', async () => {
      const row = (await list({ mailbox: EXPIRED }))[0]!;
      const error = await failing(client.call('message.get', { mailbox: EXPIRED, message: row.id }));
      assert.equal(error.code, 'unauthorized');
      for (const word of [EXPIRED, 'authorised again', 'mailbox.reconnect'])
        assert.ok(error.message.includes(word), error.message);
      assert.equal(
        (await failing(client.call('attachment.get', { mailbox: EXPIRED, message: row.id, attachment: 'A1/logo+=' })))
          .code,
        'unauthorized',
      );
    });
    it('takes no reply, and the error says that it was not sent', async () => {
      const row = (await list({ mailbox: EXPIRED }))[0]!;
      const error = await failing(
        client.call('message.reply', { mailbox: EXPIRED, message: row.id, htmlBody: '<p>Hi</p>' }),
      );
      assert.equal(error.code, 'unauthorized');
      assert.match(error.message, /was not sent/);
      assert.equal(sentBy(vendor).length, 0);
    });
    it('works again after the user has followed the address that reconnecting gives', async () => {
      const { authorisationUrl } = (await client.call('mailbox.reconnect', {
        mailbox: EXPIRED,
        returnUrl: 'https://app.acme.test/done',
      })) as { authorisationUrl: string };
      assert.equal((await client.call('mailbox.get', { mailbox: EXPIRED })).status, 'pending');
      const agreed = await fetch(authorisationUrl, { redirect: 'manual' });
      assert.deepEqual([agreed.status, agreed.headers.get('location')], [302, 'https://app.acme.test/done']);
      assert.equal((await client.call('mailbox.get', { mailbox: EXPIRED })).status, 'active');
      const row = (await list({ mailbox: EXPIRED }))[0]!;
      assert.ok((await client.call('message.get', { mailbox: EXPIRED, message: row.id })).html);
    });
    it('the new address is read wherever the vendor puts it', async () => {
      for (const body of [
        '{"authorisationUrl":"https://a.test/x"}',
        '{"code":"c","oAuthStatus":{"authorisationUrl":"https://a.test/x"}}',
        '"https://a.test/x"',
      ]) {
        vendor.fail({ status: 200, body });
        assert.equal(
          ((await client.call('mailbox.reconnect', { mailbox: EXPIRED, returnUrl: 'https://b.test' })) as Values)
            .authorisationUrl,
          'https://a.test/x',
        );
      }
      assert.equal(
        (await failing(client.call('mailbox.reconnect', { mailbox: SMTP, returnUrl: 'https://b.test' }))).code,
        'rejected',
      );
    });
  });

  describe('sending', () => {
    it("goes by the mailbox named, else by the tenant's default, else from the vendor's own address", async () => {
      for (const input of [{ mailbox: SEND_ONLY }, {}, { tenant: SECOND_TENANT }])
        assert.equal((await client.call('message.send', { ...mail, ...input })).outcome, 'done');
      assert.deepEqual(
        sentBy(vendor).map(sent => sent.configCode),
        [SEND_ONLY, SMTP, null],
      );
      assert.deepEqual(sentBy(vendor)[0]!.to, [
        { email: 'jo@client.test', name: 'Jo Client' },
        { email: 'plain@client.test' },
      ]);
      assert.deepEqual(
        vendor.seen.map(seen => seen.path + seen.url.search),
        [
          `/tenants/ACME/mailbox/send?configCode=${SEND_ONLY}`,
          '/tenants/ACME/mailbox/send',
          '/tenants/BETA/mailbox/send',
        ],
      );
    });
    it('sends from one mailbox, with copies, both texts and files, every byte of them', async () => {
      const bytes = Buffer.from(Array.from({ length: 100_001 }, (_, i) => (i * 7) % 256));
      const parts: FileValue = {
        name: 'data.bin',
        type: 'application/x-data',
        async *open() {
          for (let i = 0; i < bytes.length; i += 1000) yield bytes.subarray(i, i + 1000);
        },
      };
      await client.call('message.sendFrom', {
        ...mail,
        mailbox: GOOGLE,
        cc: ['c@client.test'],
        bcc: 'b@client.test',
        plainTextBody: 'Here.',
        attachments: [parts, fileOf('empty.txt', '', Buffer.alloc(0))],
      });
      const [sent] = sentBy(vendor);
      assert.deepEqual(
        [sent!.configCode, sent!.cc, sent!.bcc, sent!.plainTextBody],
        [GOOGLE, [{ email: 'c@client.test' }], [{ email: 'b@client.test' }], 'Here.'],
      );
      assert.deepEqual(
        sent!.attachments.map(one => [one.fileName, one.contentType, one.bytes.length]),
        [
          ['data.bin', 'application/x-data', 100_001],
          ['empty.txt', 'application/octet-stream', 0],
        ],
      );
      assert.ok(sent!.attachments[0]!.bytes.equals(bytes));
      const [row] = await list({ direction: 'Outbound' });
      assert.equal(row?.subject, 'Figures', 'what was sent is listed as sent');
    });
    it('needs a text, and refuses more than any mail provider takes before it reads it', async () => {
      const error = await failing(client.call('message.send', { to: ['a@b.test'], subject: 'x' }));
      assert.deepEqual([error.code, error.details.issues?.[0]?.field], ['invalid_input', 'htmlBody']);
      const huge: FileValue = {
        name: 'huge.bin',
        type: 'a/b',
        size: 200 * 1024 * 1024,
        async *open() {
          throw new Error('was read');
        },
      };
      assert.equal(
        (await failing(client.call('message.send', { ...mail, attachments: [huge] }))).details.issues?.[0]?.field,
        'attachments',
      );
      assert.equal(vendor.seen.length, 0);
    });
    it('replies to the sender, to all, or to those named, and stays in the thread', async () => {
      const { id, thread } = await received('VAT return 69');
      const reply = { mailbox: GOOGLE, message: id, htmlBody: '<p>Thanks</p>' };
      await client.call('message.reply', reply);
      await client.call('message.reply', {
        ...reply,
        replyAll: true,
        attachments: [fileOf('a.txt', 'text/plain', Buffer.from('a'))],
      });
      await client.call('message.reply', {
        ...reply,
        replyAll: true,
        toRecipients: ['Other <other@client.test>'],
        ccRecipients: ['copy@client.test'],
        bccRecipients: ['blind@client.test'],
      });
      assert.deepEqual(bodyOf(-3), { htmlBody: '<p>Thanks</p>' });
      assert.deepEqual(bodyOf(-2), {
        htmlBody: '<p>Thanks</p>',
        replyAll: true,
        attachments: [{ fileName: 'a.txt', contentType: 'text/plain', content: 'YQ==' }],
      });
      assert.deepEqual(bodyOf(-1), {
        htmlBody: '<p>Thanks</p>',
        replyAll: true,
        toRecipients: [{ email: 'other@client.test', name: 'Other' }],
        ccRecipients: [{ email: 'copy@client.test' }],
        bccRecipients: [{ email: 'blind@client.test' }],
      });
      assert.ok(sentBy(vendor).every(sent => sent.inReplyTo === id));
      assert.equal(
        ((await client.call('conversation.get', { mailbox: GOOGLE, conversation: thread })) as { messages: unknown[] })
          .messages.length,
        5,
      );
    });
    const writes: Record<string, () => Promise<Values>> = {
      'message.send': async () => mail,
      'message.sendFrom': async () => ({ ...mail, mailbox: GOOGLE }),
      'message.reply': async () => ({
        mailbox: GOOGLE,
        message: (await received('VAT return 69')).id,
        htmlBody: '<p>Thanks</p>',
      }),
    };
    for (const [name, input] of Object.entries(writes)) {
      it(`${name}: a lost or unreadable answer says that the mail may have been sent, and it is not sent again`, async () => {
        const given = await input();
        for (const fault of [
          { cut: 'answer' as const },
          { status: 500, body: '' },
          { status: 502, body: '<html>Bad gateway</html>' },
          { status: 200, body: '<html>A proxy</html>' },
        ]) {
          vendor.forget();
          vendor.fail({ ...fault, method: 'POST' });
          const error = await failing(client.call(name, given));
          assert.ok(error.code === 'unavailable' || error.code === 'protocol', error.code);
          assert.match(error.message, /may or may not have been sent/);
          assert.deepEqual([error.details.provider, error.details.operation], ['Sodium', name]);
          assert.equal(vendor.seen.filter(seen => seen.method === 'POST').length, 1);
        }
        assert.equal(sentBy(vendor).length, 1, 'the first of them had been sent');
      });
      it(`${name}: what was refused, redirected or never left is not in doubt`, async () => {
        const given = await input();
        for (const fault of [
          { status: 400, body: '{"message":"No."}' },
          { status: 307, headers: { location: '/api/elsewhere' }, body: '' },
        ]) {
          vendor.fail({ ...fault, method: 'POST' });
          assert.doesNotMatch((await failing(client.call(name, given))).message, /may or may not/);
        }
        const nobody = open({ baseUrl: 'http://127.0.0.1:1' });
        const error = await failing(nobody.call(name, given));
        assert.equal(error.code, 'unavailable');
        assert.doesNotMatch(error.message, /may or may not/);
        assert.equal(sentBy(vendor).length, 0);
      });
      it(`${name}: what was throttled was not done, so it is sent again, and goes out once`, async () => {
        const given = await input();
        vendor.forget();
        vendor.fail({ status: 429, headers: { 'retry-after': '1' }, body: '', method: 'POST' });
        await client.call(name, given);
        assert.equal(vendor.seen.filter(seen => seen.method === 'POST').length, 2);
        assert.equal(sentBy(vendor).length, 1);
      });
    }
    it('an empty answer, an object and nothing are all success', async () => {
      for (const body of ['', '{}', 'null', '{"messageId":"m1"}']) {
        vendor.fail({ status: 200, body });
        const receipt = await client.call('message.send', mail);
        assert.deepEqual([receipt.outcome, receipt.id], ['done', body.includes('m1') ? 'm1' : undefined]);
      }
    });
    it("a mailbox that may not send, or not read, is refused in the vendor's words", async () => {
      assert.match((await failing(client.call('message.list', { mailbox: SMTP }))).message, /only available for OAuth/);
      const made = await client.call('mailbox.create', {
        providerType: 'Google',
        fromEmail: 'r@acme.test',
        returnUrl: 'https://a.test',
        allowSend: false,
        allowRead: true,
      });
      assert.match(
        (await failing(client.call('message.sendFrom', { ...mail, mailbox: made.id }))).message,
        /Sending is not enabled/,
      );
    });
  });

  describe('messages', () => {
    it('marks many at once, and one, and says each id once', async () => {
      const rows = (await list({ mailbox: GOOGLE, direction: 'Inbound' })).slice(0, 30);
      await client.call('message.mark', {
        mailbox: GOOGLE,
        message: [...rows.map(row => row.id), rows[0]!.id],
        read: true,
      });
      assert.equal((bodyOf(-1).messageIds as string[]).length, 30);
      assert.ok((await list({ mailbox: GOOGLE, direction: 'Inbound' })).slice(0, 30).every(row => row.read === true));
      assert.equal(
        (await client.call('message.mark', { mailbox: GOOGLE, message: rows[0]!.id, read: false })).id,
        rows[0]!.id,
      );
      assert.equal((await list({ mailbox: GOOGLE, direction: 'Inbound' }))[0]!.read, false);
    });
    it('gives recipients, texts and attachments of one message', async () => {
      const { id } = await received('VAT return 69');
      const { native, ...message } = await client.call('message.get', { mailbox: GOOGLE, message: id });
      assert.deepEqual(message.to, [{ email: 'ann@acme.test', name: 'Ann Archer' }]);
      assert.deepEqual(message.attachments, [
        {
          id: 'A1/logo+=',
          name: 'logo.png',
          type: 'image/png',
          size: 70,
          sizeEstimated: true,
          inline: true,
          contentId: 'logo',
        },
        { id: 'A2/scan+=', name: 'scan.pdf', type: 'application/pdf', size: LARGE_FILE, sizeEstimated: true },
      ]);
      assert.equal(message.mailbox, GOOGLE, 'the details do not name it, the question did');
      assert.ok(message.text && message.html && native.reconnectRequired === false);
    });
    it('a time without a zone is read as UTC', async () => {
      vendor.fail({
        status: 200,
        body: JSON.stringify({
          uniqueId: guid('x'),
          messageDate: '2026-11-01T09:00:00.1234567',
          fromEmail: 'a@b.test',
        }),
      });
      assert.equal(
        (await client.call('message.get', { mailbox: GOOGLE, message: guid('x') })).date,
        '2026-11-01T09:00:00.1234567Z',
      );
    });
    it('streams an attachment of several megabytes, from its beginning each time', async () => {
      const { id } = await received('VAT return 69');
      const file = (await client.call('attachment.get', {
        mailbox: GOOGLE,
        message: id,
        attachment: 'A2/scan+=',
      })) as FileValue;
      assert.deepEqual([file.name, file.type], ['scan.pdf', 'application/pdf']);
      assert.ok(
        !vendor.seen.some(seen => seen.path.includes('/attachments/')),
        'nothing is downloaded before it is opened',
      );
      for (let i = 0; i < 2; i++) {
        let size = 0;
        let parts = 0;
        for await (const part of file.open()) {
          size += part.byteLength;
          parts++;
        }
        assert.equal(size, LARGE_FILE);
        assert.ok(parts > 1, 'it came in one piece');
      }
      for await (const _ of file.open()) break;
      vendor.fail({ cut: 'body', path: '/attachments/' });
      await assert.rejects(
        async () => {
          for await (const _ of file.open());
        },
        (error: MailError) =>
          error.code === 'unavailable' && /"scan.pdf" broke off after \d+ bytes/.test(error.message),
      );
      vendor.fail({ status: 404, body: '', path: '/attachments/' });
      await assert.rejects(
        async () => {
          for await (const _ of file.open());
        },
        { code: 'not_found' },
      );
    });
    it('downloads under a name that the message no longer lists, and takes name and type from the download', async () => {
      const id = guid('some mail');
      const asked: string[] = [];
      const send = async ({ url }: HttpRequest) => {
        asked.push(url);
        const answer = url.includes('/attachments/')
          ? {
              headers: {
                'content-type': 'text/csv; charset=utf-8',
                'content-disposition': 'attachment; filename="../../etc/figures.csv"',
              },
              body: 'a;b',
            }
          : {
              headers: {},
              body: JSON.stringify({ uniqueId: id, attachments: [{ attachmentId: 'new', fileName: 'other' }] }),
            };
        return {
          status: 200,
          headers: answer.headers as unknown as Record<string, string>,
          body: (async function* () {
            yield Buffer.from(answer.body);
          })(),
        };
      };
      const file = (await createClient(sodium, { account: { baseUrl: 'https://api.test', tenant: 'T' }, send }).call(
        'attachment.get',
        { mailbox: 'm', message: id, attachment: 'old' },
      )) as FileValue;
      assert.deepEqual([file.name, file.type], ['figures.csv', 'text/csv']);
      assert.equal(Buffer.concat(await take(file.open())).toString(), 'a;b');
      assert.ok(asked.at(-1)!.endsWith('/attachments/old'));
    });
  });

  it('a task is linked and unlinked, and the conversation shows it', async () => {
    const { thread: conversation } = await received('VAT return 69');
    const at = { mailbox: GOOGLE, conversation };
    const tasks = async () => ((await client.call('conversation.get', at)) as { tasks: unknown[] }).tasks;
    await client.call('conversation.linkTask', { ...at, task: 'T3' });
    await client.call('conversation.linkTask', { ...at, task: 'T3' });
    assert.deepEqual(await tasks(), [{ id: 'T3', name: 'VAT return 3' }]);
    await client.call('conversation.unlinkTask', { ...at, task: 'T3' });
    assert.deepEqual(await tasks(), []);
    assert.equal((await failing(client.call('conversation.unlinkTask', { ...at, task: 'T3' }))).code, 'not_found');
  });

  it('a sync is queued, and what it brings is there two seconds later', async () => {
    const count = async () => (await list({ mailbox: GOOGLE })).length;
    const before = await count();
    assert.deepEqual(await client.call('sync.start', { mailbox: GOOGLE }), {
      id: GOOGLE,
      outcome: 'queued',
      native: {},
    });
    assert.equal(await count(), before);
    vendor.advance(2000);
    assert.equal(await count(), before + 1);
  });

  describe('email configurations', () => {
    it('are made with settings nested as the vendor wants them', async () => {
      await client.call('mailbox.create', {
        providerType: 'Smtp',
        fromEmail: 's@acme.test',
        isShared: true,
        host: 'smtp.acme.test',
        port: 465,
        encryption: 'SslTls',
        requiresAuthentication: true,
        username: 's',
        password: 'open sesame',
      });
      assert.deepEqual(bodyOf(-1), {
        providerType: 'Smtp',
        fromEmail: 's@acme.test',
        isShared: true,
        smtpSettings: {
          host: 'smtp.acme.test',
          port: 465,
          encryption: 'SslTls',
          requiresAuthentication: true,
          username: 's',
          password: 'open sesame',
        },
      });
      const made = await client.call('mailbox.create', {
        providerType: 'Microsoft365',
        fromEmail: 'm@acme.test',
        returnUrl: 'https://a.test/done',
        allowRead: true,
      });
      assert.equal(made.status, 'pending');
      assert.deepEqual(bodyOf(-1).oAuthSettings, { returnUrl: 'https://a.test/done', allowRead: true });
      assert.match((made.native.oAuthStatus as Values).authorisationUrl as string, /^http/);
    });
    it('fields of the other kind, a missing host or return address, and a default that is not shared are refused here', async () => {
      const fields = async (name: string, input: Values) =>
        (await failing(client.call(name, input))).details.issues?.map(issue => issue.field).sort();
      assert.deepEqual(
        await fields('mailbox.create', {
          providerType: 'Smtp',
          fromEmail: 'a@b.test',
          allowRead: true,
          isDefault: true,
        }),
        ['allowRead', 'host', 'isShared'],
      );
      assert.deepEqual(
        await fields('mailbox.create', { providerType: 'Google', fromEmail: 'a@b.test', password: 'x' }),
        ['password', 'returnUrl'],
      );
      assert.equal(vendor.seen.length, 0);
      assert.deepEqual(await fields('mailbox.update', { mailbox: GOOGLE, host: 'a.test', allowRead: true }), [
        'host',
        'returnUrl',
      ]);
      assert.deepEqual(await fields('mailbox.update', { mailbox: SMTP, isShared: false }), ['isShared']);
      assert.ok(
        vendor.seen.every(seen => seen.method === 'GET'),
        'something was written',
      );
    });
    it('a change keeps what it does not name: flags, and the rest of the SMTP settings', async () => {
      const before = (await client.call('mailbox.get', { mailbox: SMTP })).native;
      const after = (await client.call('mailbox.update', { mailbox: SMTP, port: 2525 })).native;
      assert.deepEqual(after, {
        ...before,
        smtpSettings: { ...(before.smtpSettings as object), port: 2525 },
        updatedDate: after.updatedDate,
      });
      const google = (
        await client.call('mailbox.update', { mailbox: GOOGLE, returnUrl: 'https://a.test', allowSend: false })
      ).native;
      assert.deepEqual([google.sendEnabled, google.readEnabled, google.isShared], [false, true, true]);
    });
    it('the default is deleted last', async () => {
      assert.match(
        (await failing(client.call('mailbox.delete', { mailbox: SMTP }))).message,
        /default email configuration cannot be deleted/,
      );
      assert.deepEqual(await client.call('mailbox.delete', { mailbox: SEND_ONLY }), { id: SEND_ONLY, native: {} });
    });
    it('a test mail goes to the one named', async () => {
      assert.equal(
        ((await client.call('mailbox.test', { mailbox: SMTP, recipientEmail: 'ann@acme.test' })) as Values).outcome,
        'done',
      );
      assert.deepEqual(
        sentBy(vendor).map(sent => [sent.configCode, sent.to[0]?.email]),
        [[SMTP, 'ann@acme.test']],
      );
      vendor.fail({ cut: 'answer' });
      assert.match(
        (await failing(client.call('mailbox.test', { mailbox: SMTP, recipientEmail: 'ann@acme.test' }))).message,
        /may or may not have been sent/,
      );
    });
    it('every status of both documents has a meaning, and a new one is unknown', async () => {
      const meanings: Record<string, string> = {
        PendingOAuthSetup: 'pending',
        Active: 'active',
        OAuthFailed: 'error',
        Deleted: 'deleting',
        OAuthExpired: 'error',
        ConnectionError: 'error',
        Deleting: 'deleting',
        Sleeping: 'unknown',
      };
      for (const [status, meaning] of Object.entries(meanings)) {
        vendor.fail({ status: 200, body: JSON.stringify({ code: 'c', status }) });
        assert.equal((await client.call('mailbox.get', { mailbox: 'c' })).status, meaning);
      }
    });
    it('an SMTP password that a refusal repeats is hidden', async () => {
      vendor.fail({
        status: 400,
        body: '{"message":"Login with open sesame failed.","errors":{"SmtpSettings.Password":["open sesame is wrong"]}}',
      });
      const error = await failing(
        client.call('mailbox.create', {
          providerType: 'Smtp',
          fromEmail: 's@acme.test',
          host: 'a.test',
          password: 'open sesame',
        }),
      );
      assert.ok(!JSON.stringify([error.message, error.details, String(error.stack)]).includes('open sesame'));
      assert.equal(error.details.issues?.[0]?.field, 'password');
    });
  });

  it('a key is shown once, works, and is locked out when it is deleted', async () => {
    const { id, secret } = (await client.call('key.create', { name: 'CI' })) as { id: string; secret: string };
    const other = open({ apiKey: secret });
    await other.call('account.check', {});
    assert.ok(!JSON.stringify(await take(client.call('key.list', {}) as AsyncIterable<unknown>)).includes(secret));
    await client.call('key.delete', { key: id });
    assert.equal((await failing(other.call('account.check', {}))).code, 'unauthorized');
  });

  describe('errors', () => {
    const error = async (status: number, body: string) => {
      vendor.fail({ status, body });
      return failing(client.call('conversation.linkTask', { mailbox: GOOGLE, conversation: 'c', task: 't' }));
    };
    it('speak with message, else detail, else title, else the first of errors, else the status', async () => {
      const whole = { message: 'm', detail: 'd', title: 't', errors: { To: ['e'] } };
      const said: string[] = [];
      for (const left of [
        whole,
        { ...whole, message: '' },
        { title: 't', errors: whole.errors },
        { errors: whole.errors },
      ])
        said.push((await error(400, JSON.stringify(left))).message);
      assert.deepEqual(said, ['m (to: e)', 'd (to: e)', 't (to: e)', 'to: e']);
      for (const body of ['', '{}', 'null', '[]']) assert.match((await error(400, body)).message, /status 400/);
      assert.match((await error(400, '<html><b>Bad</b> gateway</html>')).message, /Bad gateway/);
      assert.equal((await error(400, '"Just a text."')).message, 'Just a text.');
    });
    it('errors may be a list, and fields are named as the inputs are', async () => {
      assert.equal(
        (await error(400, '{"errors":["One.",{"message":"Two.","field":"HtmlBody"}]}')).message,
        'One.; htmlBody: Two.',
      );
      const { details } = await error(
        400,
        '{"title":"Invalid","errors":{"$.ToRecipients[0].Email":["bad"],"SmtpSettings.Host":["missing"]}}',
      );
      assert.deepEqual(details.issues, [
        { field: 'toRecipients', message: 'bad' },
        { field: 'host', message: 'missing' },
      ]);
    });
    it('a refused key is not repeated', async () => {
      assert.ok(
        !(await error(401, '{"message":"Invalid API key: sodium-sandbox-ann-5f2c7b1e9a"}')).message.includes(
          '5f2c7b1e9a',
        ),
      );
    });
    it('in both of the shapes that a server may use', async () => {
      for (const errors of ['message', 'problem'] as const) {
        await restart({ errors });
        assert.match((await failing(client.call('mailbox.get', { mailbox: 'none' }))).message, /'none' was not found/);
      }
    });
    it('a redirect is protocol and names where it points', async () => {
      vendor.fail({ status: 301, headers: { location: 'https://elsewhere.test/x?key=1' }, body: '' });
      const { code, message } = await failing(client.call('account.check', {}));
      assert.equal(code, 'protocol');
      assert.match(message, /https:\/\/elsewhere\.test;/);
    });
  });

  describe('the feed of received mail', () => {
    const start = async (input: Values = {}) => (await client.since('messageReceived', input)).cursor;
    const follow = async (cursor: string, input: Values = {}) => {
      const ids: string[] = [];
      for (;;) {
        const batch = await client.since('messageReceived', input, cursor);
        ids.push(...batch.items.map(item => item.id));
        cursor = batch.cursor;
        if (!batch.more) return { ids, cursor };
      }
    };
    for (const generation of ['A', 'B'] as const) {
      it(`hands over what was received and not what was sent, by documents ${generation}`, async () => {
        await restart({ generation });
        const first = await client.since('messageReceived', {});
        assert.equal(first.items.length, 5);
        assert.ok(
          first.items.every(({ item }) => !(item as Message).subject!.startsWith('Re:')),
          'sent mail was shown',
        );
        const news = [deliver(vendor), deliver(vendor, { configCode: MICROSOFT })];
        deliver(vendor, { direction: 'Outbound' });
        assert.deepEqual((await follow(first.cursor)).ids.sort(), news.sort());
      });
    }
    it("knows sent mail by its folder's name where folders cannot be listed", async () => {
      await restart({ generation: 'B', folders: false });
      const cursor = await start();
      deliver(vendor, { direction: 'Outbound' });
      const news = deliver(vendor);
      assert.deepEqual((await follow(cursor)).ids, [news]);
    });
    it('what a mailbox missed while it was cut off is not lost, however long, and the others go on meanwhile', async () => {
      authorise(vendor, GOOGLE, 'OAuthExpired');
      let cursor = await start();
      const early = deliver(vendor, { configCode: MICROSOFT, at: vendor.now() + 4 * DAY });
      const first = await follow(cursor);
      assert.deepEqual(first.ids, [early]);
      cursor = first.cursor;
      authorise(vendor, GOOGLE, 'Active');
      const missed = [0, 1, 2, 3].map(day => deliver(vendor, { configCode: GOOGLE, at: vendor.now() + day * DAY }));
      assert.deepEqual((await follow(cursor)).ids, missed);
    });
    it('a mailbox that is new joins with its last day, not with its history', async () => {
      const cursor = await start();
      const made = await client.call('mailbox.create', {
        providerType: 'Google',
        fromEmail: 'n@acme.test',
        isShared: true,
        returnUrl: 'https://a.test',
        allowRead: true,
      });
      for (let i = 2; i < 300; i++) deliver(vendor, { configCode: made.id, at: vendor.now() - i * DAY });
      const young = deliver(vendor, { configCode: made.id, at: vendor.now() - 2 * HOUR });
      const joined = await follow(cursor);
      assert.deepEqual(joined.ids, [young]);
      const next = deliver(vendor, { configCode: made.id });
      assert.deepEqual((await follow(joined.cursor)).ids, [next]);
    });
    it('a message dated far ahead does not hide the ones that come after it', async () => {
      let cursor = await start();
      const ahead = deliver(vendor, { at: vendor.now() + 400 * DAY });
      let news = await follow(cursor);
      assert.deepEqual(news.ids, [ahead]);
      const usual = deliver(vendor);
      news = await follow((cursor = news.cursor));
      assert.deepEqual(news.ids, [usual]);
      assert.deepEqual((await follow(news.cursor)).ids, []);
      assert.deepEqual((await follow(cursor)).ids, [usual]);
    });
    it('begins at a time when asked to', async () => {
      const at = new Date(vendor.now() - 30 * HOUR).toISOString();
      const cursor = (await client.from('messageReceived', {}, at))!;
      const expected = (await list({ direction: 'Inbound', after: at })).map(m => m.id).sort();
      assert.ok(expected.length > 5);
      assert.deepEqual((await follow(cursor)).ids.sort(), expected);
    });
    it('more than one batch is handed over whole, oldest first', async () => {
      const cursor = await start({ mailbox: [GOOGLE] });
      const news = Array.from({ length: 450 }, (_, i) => deliver(vendor, { at: vendor.now() + i }));
      assert.deepEqual((await follow(cursor, { mailbox: [GOOGLE] })).ids, news);
    });
    it('asks for a sync first when told to, and sees what it brought the next time', async () => {
      const cursor = await start({ mailbox: [GOOGLE, MICROSOFT], syncFirst: true });
      assert.deepEqual(
        vendor.seen
          .filter(seen => seen.method === 'POST')
          .map(seen => seen.segments[3])
          .sort(),
        [GOOGLE, MICROSOFT].sort(),
      );
      vendor.advance(2000);
      assert.equal((await follow(cursor, { mailbox: [GOOGLE, MICROSOFT], syncFirst: true })).ids.length, 2);
    });
    it('a mailbox named that is not there is an error; one that goes by itself is not', async () => {
      assert.equal((await failing(client.since('messageReceived', { mailbox: [guid('none')] }))).code, 'not_found');
      const cursor = await start();
      vendor.fail({ status: 404, body: '', path: '/mailbox/messages' });
      await follow(cursor);
      const news = deliver(vendor);
      assert.deepEqual((await follow(cursor)).ids, [news]);
    });
    it('loses and repeats nothing over any arrivals, equal times, deletions and cuts', async () => {
      const step = fc.oneof(
        fc.record({
          kind: fc.constant('deliver' as const),
          box: fc.constantFrom(GOOGLE, MICROSOFT),
          late: fc.integer({ min: 0, max: 23 }),
          count: fc.integer({ min: 1, max: 4 }),
        }),
        fc.record({ kind: fc.constant('remove' as const), which: fc.nat(200) }),
        fc.record({ kind: fc.constant('look' as const) }),
        fc.record({ kind: fc.constant('restart' as const) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
          await restart();
          const input = { mailbox: [GOOGLE, MICROSOFT] };
          const base = vendor.now();
          let cursor = await start(input);
          let stored = cursor;
          const due = new Set<string>();
          let got: string[] = [];
          let kept: string[] = [];
          for (const one of steps) {
            if (one.kind === 'deliver')
              for (let i = 0; i < one.count; i++)
                due.add(deliver(vendor, { configCode: one.box, at: base - one.late * HOUR }));
            if (one.kind === 'remove') {
              const rows = await list(input);
              const victim = rows[one.which % rows.length]!.id;
              remove(vendor, victim);
              if (!got.includes(victim)) due.delete(victim);
            }
            if (one.kind === 'look') {
              const news = await follow(cursor, input);
              got.push(...news.ids);
              stored = cursor;
              kept = got.slice(0, got.length - news.ids.length);
              cursor = news.cursor;
            }
            // After a crash the last batch is offered again from the cursor before it.
            if (one.kind === 'restart') {
              for (const id of got.slice(kept.length))
                if (!(await list(input)).some(row => row.id === id)) due.delete(id);
              cursor = stored;
              got = kept.slice();
            }
          }
          got.push(...(await follow(cursor, input)).ids);
          assert.equal(new Set(got).size, got.length, 'something came twice');
          assert.deepEqual(
            [...due].filter(id => !got.includes(id)),
            [],
            'something was lost',
          );
          assert.deepEqual(
            got.filter(id => !due.has(id)),
            [],
            'something came that was not news',
          );
        }),
        { numRuns: 25 },
      );
    });
  });
});
