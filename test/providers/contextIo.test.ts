import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import {
  connect,
  fileOf,
  isFile,
  isMailError,
  take,
  type Client,
  type FileValue,
  type Message,
} from '../../shared/index.js';
import { checkCallback, tokenMemory } from '../../shared/providers/contextIo/callback.js';
import { contextIo } from '../../shared/providers/contextIo/index.js';
import {
  callsMade,
  deliver,
  GMAIL_SOURCE,
  MAIN,
  MAIN_EMAIL,
  mailServers,
  PASSWORD,
  PLAIN_SOURCE,
  startContextIo,
  TROUBLED,
  vanish,
} from '../sandbox/contextIo.js';
import type { Vendor } from '../sandbox/vendor.js';
import { failing } from '../failing.js';

type Native = Record<string, unknown>;
const mailbox = MAIN;
const source = PLAIN_SOURCE;
const carol = { username: 'carol', server: 'imap.example.com', use_ssl: true, port: 993, password: PASSWORD };
const all = <T>(stream: unknown, count?: number) => take(stream as AsyncIterable<T>, count);
const bytes = async (file: FileValue) => {
  const parts: Uint8Array[] = [];
  for await (const part of file.open()) parts.push(part);
  return Buffer.concat(parts);
};

describe('Context.IO, what is particular to it', () => {
  let vendor: Vendor;
  let client: Client;
  const open = (to = vendor, account: Native = {}) =>
    connect(contextIo, { ...to.account, perMinute: 60_000, ...account }, { patience: 0 });
  before(async () => {
    vendor = await startContextIo();
    vendor.stopClock();
    client = open();
  });
  after(() => vendor.close());
  beforeEach(() => {
    vendor.mend();
    vendor.forget();
  });
  const last = () => vendor.seen.at(-1)!;
  const form = () => Object.fromEntries(new URLSearchParams(last().body.toString()));
  const answer = (body: unknown, status = 200) =>
    vendor.fail({ status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  /** A sandbox of its own, for what would disturb the others. */
  const apart = async (work: (its: Vendor, client: Client) => Promise<void>, options = {}) => {
    const its = await startContextIo(options);
    its.stopClock();
    try {
      await work(its, open(its));
    } finally {
      await its.close();
    }
  };

  it('says that the vendor is gone, and asks for the address of a server', () => {
    assert.match(contextIo.notice!, /2018/);
    assert.throws(() => connect(contextIo, { consumerKey: 'k', consumerSecret: 's' }), /Base URL is required/);
  });

  it('signs query and form, and takes the address with /2.0 and slashes too', async () => {
    for (const end of ['', '/', '/2.0', '/2.0/']) {
      await open(vendor, { baseUrl: vendor.url + end }).call('account.check', {});
      assert.equal(last().path, '/2.0/accounts');
      assert.match(
        last().headers.authorization!,
        /^OAuth oauth_consumer_key="abcdef1234567890",oauth_nonce="[0-9a-f]{32}",/,
      );
    }
    await client.call('mailbox.update', { mailbox, first_name: "A & B = ~*'()!", last_name: 'Ünïcode 漢字 +%' });
    const { first_name, last_name } = (await client.call('mailbox.get', { mailbox })).native;
    assert.deepEqual([first_name, last_name], ["A & B = ~*'()!", 'Ünïcode 漢字 +%']);
  });

  describe('accounts', () => {
    it("'mailbox.list' takes every filter and shows the sources that match", async () => {
      assert.equal((await all(client.call('mailbox.list', {}))).length, 130);
      assert.deepEqual([last().query.get('limit'), last().query.get('offset')], ['100', '99']);
      const [ann, ...others] = await all<{ id: string; email: string; createdAt: string }>(
        client.call('mailbox.list', { email: 'ann.example@example.org' }),
      );
      assert.deepEqual([ann!.id, ann!.email, others.length], [MAIN, MAIN_EMAIL, 0]);
      assert.match(ann!.createdAt, /^\d{4}-.*Z$/);
      const refused = await all<{ status: string; native: Native }>(
        client.call('mailbox.list', { status: 'INVALID_CREDENTIALS' }),
      );
      assert.ok(
        refused.length > 10 &&
          refused.every(
            one =>
              one.status === 'error' && (one.native.sources as Native[]).every(s => s.status === 'INVALID_CREDENTIALS'),
          ),
      );
      await all(client.call('mailbox.list', { status_ok: '0' }), 1);
      assert.equal(last().query.get('status_ok'), '0');
      assert.equal((await failing(client.call('mailbox.list', { status: 'BROKEN' }))).code, 'invalid_input');
    });

    it('the common status is the worst of its sources', async () => {
      const status = async (native: Native) => {
        answer({ id: 'x', email_addresses: [], sources: [], suspended: null, ...native });
        return (await client.call('mailbox.get', { mailbox })).status;
      };
      const sources = (...names: string[]) => ({ sources: names.map(name => ({ status: name })) });
      assert.equal(await status({}), 'pending');
      assert.equal(await status(sources('OK', 'OK')), 'active');
      for (const bad of ['INVALID_CREDENTIALS', 'CONNECTION_IMPOSSIBLE', 'NO_ACCESS_TO_ALL_MAIL'])
        assert.equal(await status(sources('OK', 'DISABLED', bad)), 'error');
      assert.equal(await status(sources('OK', 'TEMP_DISABLED')), 'disabled');
      assert.equal(await status({ ...sources('OK'), suspended: 1400000000 }), 'disabled');
      assert.equal(await status(sources('SOMETHING_NEW')), 'unknown');
    });

    it("'mailbox.create' without a source sends only what was given", async () => {
      const made = await client.call('mailbox.create', { email: 'new@example.com', first_name: 'New' });
      assert.deepEqual(form(), { email: 'new@example.com', first_name: 'New' });
      assert.deepEqual([made.email, made.name, made.status], ['new@example.com', 'New', 'pending']);
      assert.equal(vendor.seen.length, 1);
    });

    it("'mailbox.create' with a source makes both in one call", async () => {
      const made = await client.call('mailbox.create', {
        email: 'carol@example.com',
        ...carol,
        sync_flags: true,
        sync_folders: ['All', 'Trash'],
        callback_url: 'http://127.0.0.1:9/',
      });
      assert.deepEqual(form(), {
        email: 'carol@example.com',
        type: 'IMAP',
        server: 'imap.example.com',
        username: 'carol',
        use_ssl: '1',
        port: '993',
        password: PASSWORD,
        sync_flags: '1',
        sync_folders: 'All,Trash',
        callback_url: 'http://127.0.0.1:9/',
      });
      assert.equal((made.native.source as Native).label, 'carol::imap.example.com');
      assert.equal(made.status, 'active');
      const read = await client.call('mailbox.get', { mailbox: made.id });
      assert.deepEqual([read.email, read.status], ['carol@example.com', 'active']);
    });

    it('half a source is refused before anything is sent, naming what is missing', async () => {
      const missing = async (input: Native) => {
        const error = await failing(client.call('mailbox.create', { email: 'half@example.com', ...input }));
        assert.equal(error.code, 'invalid_input');
        return error.details.issues!.map(issue => issue.field);
      };
      assert.deepEqual(await missing({ server: 'imap.example.com' }), ['username', 'use_ssl', 'port', 'password']);
      assert.deepEqual(await missing({ ...carol, password: undefined }), ['password']);
      assert.deepEqual(await missing({ ...carol, password: undefined, provider_refresh_token: 't' }), [
        'provider_consumer_key',
      ]);
      assert.deepEqual(await missing({ ...carol, password: undefined, provider_consumer_key: 'k' }), [
        'provider_refresh_token',
      ]);
      assert.deepEqual(await missing({ sync_flags: false }), ['server', 'username', 'use_ssl', 'port', 'password']);
      assert.equal(vendor.seen.length, 0);
    });

    it('a source that does not work makes no account, and the reason is told without the password', async () => {
      const count = (await all(client.call('mailbox.list', {}))).length;
      const error = await failing(
        client.call('mailbox.create', { email: 'carol@example.com', ...carol, password: 'Pa55 w"rd' }),
      );
      assert.deepEqual([error.code, error.details.status], ['rejected', 400]);
      assert.equal(
        error.message,
        'invalid_credentials: * OK imap.example.com ready a1 LOGIN carol *** a1 NO login failed',
      );
      assert.ok(!JSON.stringify([error.message, error.details, error.stack]).includes('w"rd'));
      const down = await failing(
        client.call('mailbox.create', { email: 'carol@example.com', ...carol, server: 'imap.down.example' }),
      );
      assert.match(down.message, /^connection_impossible: connecting to imap.down.example:993/);
      assert.equal((await all(client.call('mailbox.list', {}))).length, count);
    });

    it('hides a login in a log even when it is another one than was sent', async () => {
      answer(
        {
          success: false,
          feedback_code: 'x',
          connection_log: 'C: a1 LOGIN ann "other secret"\r\nC: a2 AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=\r\nS: NO',
        },
        400,
      );
      const error = await failing(client.call('mailbox.create', { email: 'carol@example.com', ...carol }));
      assert.equal(error.message, 'x: C: a1 LOGIN ann *** C: a2 AUTHENTICATE PLAIN *** S: NO');
    });

    it("'mailbox.update' can empty a name, and wants at least one", async () => {
      assert.equal((await client.call('mailbox.update', { mailbox, first_name: 'Ann', last_name: '' })).name, 'Ann');
      assert.equal(
        (await client.call('mailbox.update', { mailbox, first_name: 'Ann', last_name: 'Example' })).name,
        'Ann Example',
      );
      vendor.forget();
      assert.match((await failing(client.call('mailbox.update', { mailbox }))).message, /First Name, Last Name/);
      assert.equal(vendor.seen.length, 0);
    });

    it("'mailbox.get' and 'mailbox.delete' of what is gone are not_found", async () => {
      const { id } = await client.call('mailbox.create', { email: 'gone@example.com' });
      assert.deepEqual((await client.call('mailbox.delete', { mailbox: id })).native, { success: true });
      for (const name of ['mailbox.get', 'mailbox.delete'] as const)
        assert.deepEqual([(await failing(client.call(name, { mailbox: id }))).code], ['not_found']);
    });
  });

  describe('refusals', () => {
    it('a bad signature is unauthorized, without the base string and what is in it', async () => {
      const stranger = open(vendor, { consumerSecret: 'not the right one' });
      const error = await failing(stranger.call('mailbox.create', { email: 'secret.address@example.com', ...carol }));
      assert.equal(error.code, 'unauthorized');
      assert.match(error.message, /^Invalid signature \(code 105\): /);
      for (const part of ['base string', 'imap.example.com', 'correct', 'oauth', 'secret.address'])
        assert.ok(!error.message.includes(part), `${part} in ${error.message}`);
      answer(
        {
          type: 'error',
          value: 'Something is wrong with oauth. Signature base string should be GET&password%3Dx',
          code: 7,
        },
        401,
      );
      assert.equal((await failing(client.call('account.check', {}))).message, 'Something is wrong with oauth.');
    });

    it('success: false is a refusal whatever the status, and type: error as well', async () => {
      for (const [body, status, message] of [
        [{ success: false }, 200, 'Context.IO did not do it and gave no reason.'],
        [{ success: false, feedback_code: 'no_room' }, 201, 'no_room'],
        [{ type: 'error', value: 'Not today' }, 200, 'Not today'],
        [{ success: false, feedback_code: 'bad', connectionLog: 'gone' }, 400, 'bad: gone'],
      ] as const) {
        answer(body, status);
        const error = await failing(client.call('mailbox.create', { email: 'x@example.com' }));
        assert.deepEqual([error.code, error.message, error.details.status], ['rejected', message, status]);
      }
    });

    it('a write that does not say that it was done is protocol', async () => {
      for (const body of [{}, { success: true }, { success: null, id: 'x' }, { success: true, id: 7 }]) {
        answer(body);
        const error = await failing(client.call('mailbox.create', { email: 'x@example.com' }));
        assert.deepEqual(
          [error.code, /look before you try again/.test(error.message)],
          ['protocol', true],
          JSON.stringify(body),
        );
      }
    });

    it("every status has its code, and the vendor's words", async () => {
      for (const [status, code] of [
        [400, 'rejected'],
        [402, 'rejected'],
        [403, 'forbidden'],
        [404, 'not_found'],
        [405, 'unsupported'],
        [429, 'rate_limited'],
        [500, 'unavailable'],
        [503, 'unavailable'],
      ] as const) {
        answer({ type: 'error', value: `Words for ${status}` }, status);
        const error = await failing(client.call('mailbox.delete', { mailbox }));
        // A server that failed may have deleted it all the same.
        assert.deepEqual(
          [error.code, error.message, error.details.status],
          [code, `Words for ${status}${status === 500 ? '. Whether it was done is not known.' : ''}`, status],
        );
      }
      answer([], 400);
      assert.match((await failing(client.call('mailbox.delete', { mailbox }))).message, /answered with status 400/);
      answer(null, 400);
      assert.equal((await failing(client.call('mailbox.delete', { mailbox }))).code, 'rejected');
    });

    it('a mail server that is away makes what needs it unavailable, and the rest goes on', async function () {
      this.timeout(60_000); // a read is tried three times
      await apart(async (its, own) => {
        mailServers(its)['imap.gmail.example']!.up = mailServers(its)['imap.example.com']!.up = false;
        const [{ id }] = (await all<Message>(own.call('message.list', { mailbox }), 1)) as [Message];
        assert.equal((await failing(own.call('message.body', { mailbox, message: id }))).code, 'unavailable');
        assert.ok(await own.call('message.get', { mailbox, message: id, include_body: false, include_flags: false }));
      });
    });
  });

  describe('lists', () => {
    it('a mail that arrives between two pages moves the rest down, and nothing comes twice', () =>
      apart(async (its, own) => {
        const ids: string[] = [];
        for await (const { id } of own.call('message.list', { mailbox })) {
          ids.push(id);
          if (ids.length === 20) for (let i = 0; i < 3; i++) await deliver(its);
        }
        assert.deepEqual([ids.length, new Set(ids).size], [300, 300]);
      }));

    it('a server that pays no attention to the offset is found out', () =>
      apart(
        async (_its, own) => {
          const error = await failing(own.call('message.list', { mailbox }));
          assert.deepEqual(
            [error.code, /whatever the offset/.test(error.message), error.details.operation],
            ['protocol', true, 'message.list'],
          );
        },
        { ignoreOffset: true },
      ));
  });

  describe('addresses', () => {
    it('are added, made primary, and removed', async () => {
      const made = await client.call('alias.create', { mailbox, email_address: 'also@example.com' });
      assert.deepEqual([made.id, made.email, made.mailbox], ['also@example.com', 'also@example.com', mailbox]);
      await client.call('alias.setPrimary', { mailbox, alias: 'also@example.com' });
      assert.deepEqual(
        [last().path, form()],
        [`/2.0/accounts/${mailbox}/email_addresses/also%40example.com`, { primary: '1' }],
      );
      assert.equal((await client.call('mailbox.get', { mailbox })).email, 'also@example.com');
      assert.equal(
        (await failing(client.call('alias.delete', { mailbox, alias: 'also@example.com' }))).code,
        'rejected',
      );
      await client.call('alias.setPrimary', { mailbox, alias: MAIN_EMAIL });
      await client.call('alias.delete', { mailbox, alias: 'also@example.com' });
    });
    it('of an early server are read as well', () =>
      apart(
        async (_its, own) => {
          const found = await own.call('alias.get', { mailbox, alias: 'ANN@example.com' });
          assert.deepEqual([found.id, found.description], [MAIN_EMAIL, 'Primary address']);
        },
        { early: true },
      ));
    it('of all accounts come with the accounts, not with a request for each', async () => {
      const found = await all<{ mailbox: string; email: string }>(client.call('alias.list', {}));
      assert.ok(found.some(one => one.mailbox === MAIN && one.email === 'ann.example@example.org'));
      assert.equal(vendor.seen.length, 2);
    });
  });

  describe('sources and folders', () => {
    it('a source goes through its states, is checked and revived', () =>
      apart(async (its, own) => {
        const { id } = await own.call('mailbox.create', { email: 'carol@example.com', ...carol });
        its.advance(20_000);
        const label = { mailbox: id, source: 'carol::imap.example.com' };
        const status = async () => ((await own.call('source.get', label)) as { status: string }).status;
        assert.equal(await status(), 'OK');
        mailServers(its)['imap.example.com']!.logins.carol = 'a new password';
        for (const [hours, expected] of [
          [1, 'INVALID_CREDENTIALS'],
          [2, 'TEMP_DISABLED'],
          [3, 'DISABLED'],
        ] as const) {
          its.advance(hours * 3600_000);
          assert.equal(await status(), expected);
        }
        assert.equal(((await own.call('source.check', label)) as { status: string }).status, 'INVALID_CREDENTIALS');
        await own.call('source.update', { ...label, password: 'a new password', status: true });
        assert.deepEqual(Object.fromEntries(new URLSearchParams(its.seen.at(-1)!.body.toString())), {
          password: 'a new password',
          status: '1',
        });
        assert.equal(await status(), 'OK');
        assert.equal((await own.call('mailbox.get', { mailbox: id })).status, 'active');
      }));

    it('labels and folders are encoded once, and 0 is the first source', async () => {
      const found = (await client.call('folder.get', {
        mailbox,
        source: GMAIL_SOURCE,
        folder: 'base folder/my folder',
      })) as Native;
      assert.equal(
        last().path,
        `/2.0/accounts/${mailbox}/sources/ann%40example.com%3A%3Aimap.gmail.example/folders/base%20folder%2Fmy%20folder`,
      );
      assert.equal(found.id, 'base folder/my folder');
      assert.equal(((await client.call('source.get', { mailbox, source: '0' })) as Native).id, GMAIL_SOURCE);
      assert.equal(((await client.call('source.get', { mailbox, source: 0 })) as Native).id, GMAIL_SOURCE);
    });

    it('counts are numbers, also where the vendor sends texts', async () => {
      const folders = await all<{ messages: number; unseen: number; native: Native }>(
        client.call('folder.list', { mailbox, source: GMAIL_SOURCE, include_extended_counts: true }),
      );
      assert.ok(folders.some(folder => typeof folder.native.nb_messages === 'string'));
      assert.ok(folders.every(folder => typeof folder.messages === 'number' && typeof folder.unseen === 'number'));
      answer([{ name: 'INBOX', nb_messages: '' }]);
      assert.ok(!('messages' in (await all<Native>(client.call('folder.list', { mailbox, source })))[0]!));
    });

    it('a folder is made with what a PUT may carry; a server that cannot says so', async () => {
      await client.call('folder.create', { mailbox, source, name: 'Projects.2018', delim: '.' });
      assert.deepEqual([last().method, last().url.search, last().body.length], ['PUT', '?delim=.', 0]);
      assert.ok(await client.call('folder.get', { mailbox, source, folder: 'Projects/2018' }));
      vendor.fail({ status: 405, body: '' });
      assert.equal((await failing(client.call('folder.create', { mailbox, source, name: 'x' }))).code, 'unsupported');
    });

    it('expunging takes away what is marked for deletion, and no more', async () => {
      const ids = [await deliver(vendor, { folder: 'Archive' }), await deliver(vendor, { folder: 'Archive' })];
      await client.call('message.setFlags', { mailbox, message: ids[0], deleted: true });
      await client.call('folder.expunge', { mailbox, source, folder: 'Archive' });
      assert.equal((await failing(client.call('message.flags', { mailbox, message: ids[0] }))).code, 'not_found');
      assert.ok(await client.call('message.flags', { mailbox, message: ids[1] }));
    });

    it('an OAuth source needs a registered provider', async () => {
      const token = {
        username: 'carol',
        server: 'imap.example.com',
        use_ssl: false,
        port: 143,
        provider_refresh_token: 'good-token',
      };
      const { id } = await client.call('mailbox.create', {
        email: 'oauth@example.com',
        ...token,
        provider_consumer_key: 'seeded-consumer-key',
      });
      assert.equal(form().use_ssl, '0');
      assert.equal(
        (await all<{ native: Native }>(client.call('source.list', { mailbox: id })))[0]!.native.authentication_type,
        'oauth2',
      );
      assert.equal(
        (
          await failing(
            client.call('mailbox.create', { email: 'oauth@example.com', ...token, provider_consumer_key: 'unknown' }),
          )
        ).code,
        'rejected',
      );
    });
  });

  describe('synchronization', () => {
    type Status = {
      finished: boolean;
      folders: { source?: string; folder?: string; imported: boolean; stoppedAt?: string }[];
    };
    it('is followed from null to the end, and started anew', () =>
      apart(async (its, own) => {
        const { id } = await own.call('mailbox.create', { email: 'carol@example.com', ...carol });
        const status = async (more = {}) => (await own.call('sync.status', { mailbox: id, ...more })) as Status;
        assert.deepEqual((await status()).folders, [{ source: 'carol::imap.example.com', imported: false }]);
        assert.equal((await status({ source: '0' })).finished, false);
        its.advance(5_000);
        assert.deepEqual([(await status()).finished, (await status()).folders.length], [false, 5]);
        assert.equal((await all(own.call('message.list', { mailbox: id }))).length, 0);
        its.advance(10_000);
        const done = await status();
        assert.equal(done.finished, true);
        assert.equal((await all(own.call('message.list', { mailbox: id }))).length, 3);
        const receipt = await own.call('sync.start', { mailbox: id });
        assert.deepEqual([receipt.outcome, receipt.native.syncs_queued], ['queued', ['carol::imap.example.com']]);
        its.advance(10_000);
        assert.ok(
          (await status({ source: 'carol::imap.example.com' })).folders[0]!.stoppedAt! > done.folders[0]!.stoppedAt!,
        );
      }));
    it('reads both spellings of a source, and an empty list for nothing', async () => {
      const folder = { initial_import_finished: true, last_sync_start: 1404243000, last_sync_stop: 1404243004 };
      for (const body of [{ INBOX: folder }, { [source]: { INBOX: folder } }]) {
        answer(body);
        assert.deepEqual(((await client.call('sync.status', { mailbox, source })) as Status).folders, [
          {
            source,
            folder: 'INBOX',
            imported: true,
            startedAt: '2014-07-01T19:30:00.000Z',
            stoppedAt: '2014-07-01T19:30:04.000Z',
          },
        ]);
      }
      answer([]);
      assert.deepEqual((await client.call('sync.status', { mailbox })) as Status, {
        id: mailbox,
        finished: false,
        folders: [],
        native: {},
      });
    });
  });

  describe('messages', () => {
    it("every filter goes out in the vendor's spelling", async () => {
      await all(
        client.call('message.list', {
          mailbox,
          subject: '/a,b/',
          from: ['a@example.com', 'example.org'],
          folder: '\\Starred',
          source,
          file_name: '*.pdf',
          file_size_min: 1,
          date_after: '2018-01-01T00:00:00Z',
          indexed_before: '2030-01-01T00:00:00+01:00',
          include_body: true,
          include_flags: false,
          include_headers: 'raw',
          body_type: 'text/plain',
          sort_order: 'asc',
        }),
      );
      assert.deepEqual(Object.fromEntries(last().query), {
        subject: '/a,b/',
        from: 'a@example.com,example.org',
        folder: '\\Starred',
        source,
        file_name: '*.pdf',
        file_size_min: '1',
        date_after: '1514764800',
        indexed_before: '1893452400',
        include_body: '1',
        include_flags: '0',
        include_headers: 'raw',
        body_type: 'text/plain',
        sort_order: 'asc',
        limit: '100',
        offset: '0',
      });
      assert.equal(
        (await failing(client.call('message.list', { mailbox, from: ['a@example.com, b@example.com', 'x,y'] }))).code,
        'invalid_input',
      );
    });

    it('are read whole: people, times, flags, bodies, attachments', async () => {
      const id = await deliver(vendor, {
        subject: 'Grüße',
        from: { email: 'p@example.org', name: 'Pé' },
        text: 'Hello',
        date: 1400000000,
        files: [{ name: 'ä b.pdf', type: 'application/pdf', content: Buffer.from('pdf') }],
      });
      const read = await client.call('message.get', { mailbox, message: id });
      const { native, attachments, ...common } = read;
      assert.deepEqual(common, {
        id,
        mailbox,
        from: { email: 'p@example.org', name: 'Pé' },
        to: common.to,
        ...(common.cc ? { cc: common.cc } : {}),
        subject: 'Grüße',
        date: '2014-05-13T16:53:20.000Z',
        read: false,
        text: 'Hello',
        html: common.html,
        flags: [],
        folder: 'INBOX',
        messageId: native.email_message_id,
        // The sandbox makes some messages answers.
        ...(common.inReplyTo ? { inReplyTo: common.inReplyTo } : {}),
      });
      assert.deepEqual(
        [attachments![0]!.name, attachments![0]!.type, attachments![0]!.size],
        ['ä b.pdf', 'application/pdf', 3],
      );
      for (const name of [String(native.email_message_id), id])
        assert.equal((await client.call('message.get', { mailbox, message: name })).id, id);
      const [gmail] = await all<Message>(client.call('message.list', { mailbox, source: GMAIL_SOURCE }), 1);
      assert.equal(
        (await client.call('message.get', { mailbox, message: `gm-${String(gmail!.native.gmail_message_id)}` })).id,
        gmail!.id,
      );
      assert.equal(gmail!.thread, `gm-${String(gmail!.native.gmail_thread_id)}`);
    });

    it('take empty lists for empty maps, and flags in either form', async () => {
      const read = async (native: Native) => {
        answer({ message_id: 'm', addresses: [], person_info: [], files: [], ...native });
        return await client.call('message.get', { mailbox, message: 'm' });
      };
      const { native: _native, ...bare } = await read({ date: 0 });
      assert.deepEqual(bare, { id: 'm', mailbox, to: [], attachments: [] });
      assert.equal((await read({ flags: ['\\Seen'] })).read, true);
      assert.equal((await read({ flags: ['\\Flagged'] })).read, false);
      assert.equal((await read({ flags: { seen: 0 } })).read, false);
      assert.deepEqual((await read({ addresses: { from: { name: 'nobody' }, to: [{ email: 'a@b' }, null, {}] } })).to, [
        { email: 'a@b' },
      ]);
    });

    it('are marked, and only what is named changes', async () => {
      const message = await deliver(vendor);
      const target = { mailbox, message };
      await client.call('message.mark', { ...target, read: true });
      assert.deepEqual(form(), { seen: '1' });
      await client.call('message.setFlags', { ...target, flagged: true, answered: false });
      assert.deepEqual(((await client.call('message.flags', target)) as { native: Native }).native, {
        seen: true,
        answered: false,
        flagged: true,
        deleted: false,
        draft: false,
      });
      await client.call('message.mark', { ...target, read: false });
      assert.equal(((await client.call('message.flags', target)) as { read: boolean }).read, false);
      assert.equal((await failing(client.call('message.setFlags', target))).code, 'invalid_input');
    });

    it('are put into folders, copied, moved, deleted', async () => {
      const message = await deliver(vendor);
      const target = { mailbox, message };
      const folders = async () =>
        ((await client.call('message.folders', target)) as { name: string }[]).map(one => one.name);
      await client.call('message.changeFolders', { ...target, add: ['Archive', 'Sent'], remove: ['INBOX'] });
      assert.deepEqual(
        [...new URLSearchParams(last().body.toString())],
        [
          ['add[]', 'Archive'],
          ['add[]', 'Sent'],
          ['remove', 'INBOX'],
        ],
      );
      assert.deepEqual(await folders(), ['Archive', 'Sent']);
      await client.call('message.setFolders', { ...target, folders: ['Trash'] });
      assert.deepEqual(
        [last().method, last().headers['content-type'], last().body.toString()],
        ['PUT', 'application/json', '[{"name":"Trash"}]'],
      );
      await client.call('message.copy', { ...target, dst_folder: 'Archive' });
      assert.deepEqual(await folders(), ['Trash']);
      await client.call('message.move', { ...target, dst_folder: 'Sent', dst_source: source, flag_flagged: true });
      assert.deepEqual(form(), { dst_folder: 'Sent', dst_source: source, flag_flagged: '1', move: '1' });
      assert.deepEqual(await folders(), ['Sent']);
      await client.call('message.delete', target);
      assert.equal((await failing(client.call('message.folders', target))).code, 'not_found');
    });

    it("'message.append' puts a whole message in, unchanged", async () => {
      const raw = Buffer.from(
        'From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nSubject: Appended with \u00fc\r\nMessage-ID: <appended@example.com>\r\n\r\nBody & more=1\r\n',
        'utf8',
      );
      await client.call('message.append', {
        mailbox,
        dst_source: source,
        dst_folder: 'Sent',
        content: fileOf('a.eml', 'message/rfc822', raw),
        flag_seen: true,
      });
      assert.match(last().headers['content-type']!, /^multipart\/form-data; boundary=/);
      const target = { mailbox, message: '<appended@example.com>' };
      const found = await client.call('message.get', target);
      assert.deepEqual(
        [found.read, found.to],
        [true, [{ email: 'bob@example.com', name: undefined }].map(({ email }) => ({ email }))],
      );
      const file = (await client.call('message.source', target)) as FileValue;
      assert.deepEqual([isFile(file), file.type, file.name], [true, 'message/rfc822', `${found.id}.eml`]);
      for (let again = 0; again < 2; again++) assert.deepEqual(await bytes(file), raw);
    });

    it('headers come parsed or raw', async () => {
      const message = await deliver(vendor, { subject: 'Headers' });
      const parsed = (await client.call('message.headers', { mailbox, message })) as {
        headers: Record<string, string[]>;
      };
      assert.deepEqual([parsed.headers.Subject, parsed.headers.Received!.length], [['Headers'], 2]);
      assert.match(
        ((await client.call('message.headers', { mailbox, message, raw: true })) as { raw: string }).raw,
        /^Subject: Headers\r\n/m,
      );
      assert.deepEqual(
        ((await client.call('message.body', { mailbox, message, type: 'text/html' })) as Native[]).map(
          part => part.type,
        ),
        ['text/html'],
      );
    });
  });

  describe('threads, files, contacts', () => {
    it('the addresses that threads are listed as become ids', async () => {
      const [thread] = await all<{ id: string }>(client.call('thread.list', { mailbox }), 1);
      assert.match(thread!.id, /^gm-[0-9a-f]{16}$/);
      const whole = (await client.call('thread.get', { mailbox, thread: thread!.id, include_flags: true })) as {
        subject: string;
        messages: Message[];
      };
      assert.ok(
        whole.messages.length === 2 && whole.messages.every(one => one.thread === thread!.id && one.read !== undefined),
      );
      answer([
        'https://api.context.io/2.0/accounts/x/threads/gm-abc%2Fd/',
        { resource_url: 'https://h/threads/gm-e?x=1' },
      ]);
      assert.deepEqual(
        (await all<{ id: string }>(client.call('thread.list', { mailbox }))).map(one => one.id),
        ['gm-abc/d', 'gm-e'],
      );
      answer([7]);
      assert.equal((await failing(client.call('thread.list', { mailbox }))).code, 'protocol');
    });

    it('a long thread is read to its end, and one that comes whole is not read for ever', async () => {
      const page = (from: number, count: number) => ({
        email_message_ids: [],
        messages: Array.from({ length: count }, (_, i) => ({ message_id: `m${from + i}`, subject: 'S' })),
      });
      for (const body of [page(0, 100), page(100, 100), page(200, 1)]) answer(body);
      assert.equal(
        ((await client.call('message.thread', { mailbox, message: 'm0' })) as { messages: unknown[] }).messages.length,
        201,
      );
      assert.deepEqual(
        vendor.seen.map(seen => seen.query.get('offset')),
        ['0', '100', '200'],
      );
      for (const body of [page(0, 150), page(0, 150), page(0, 150)]) answer(body);
      assert.equal(
        ((await client.call('message.thread', { mailbox, message: 'm0' })) as { messages: unknown[] }).messages.length,
        150,
      );
    });

    it("'file.content' streams the file, again when it is opened again; a broken one is no short file", async () => {
      const [entry] = await all<{ id: string; name: string; size: number }>(
        client.call('file.list', { mailbox, file_name: 'Übersicht*' }),
      );
      assert.equal(entry!.name, 'Übersicht "2018".pdf');
      const file = (await client.call('file.content', { mailbox, file: entry!.id })) as FileValue;
      assert.deepEqual([file.name, file.type, file.size], [entry!.name, 'application/pdf', entry!.size]);
      vendor.fail({ cut: 'body' });
      await assert.rejects(
        bytes(file),
        (error: unknown) =>
          isMailError(error) && error.code === 'unavailable' && error.details.operation === 'file.content',
      );
      for (let again = 0; again < 2; again++)
        assert.equal((await bytes(file)).toString(), 'content of file 2\n'.repeat(3));
    });

    it("'file.link' gives an address anybody can use", async () => {
      const [entry] = await all<{ id: string }>(client.call('file.list', { mailbox, file_name: '*.txt' }), 1);
      const { url } = (await client.call('file.link', { mailbox, file: entry!.id })) as { url: string };
      const got = await fetch(url);
      assert.deepEqual([got.status, got.headers.get('content-type')], [200, 'text/plain']);
      assert.deepEqual(
        Buffer.from(await got.arrayBuffer()),
        await bytes((await client.call('file.content', { mailbox, file: entry!.id })) as FileValue),
      );
    });

    it('contacts come wrapped, without the owner, and a single one without its key', async () => {
      const found = await all<{ id: string; email: string }>(
        client.call('contact.list', { mailbox, sort_by: 'email', sort_order: 'asc' }),
      );
      assert.ok(found.length > 100 && !found.some(one => one.email === MAIN_EMAIL));
      assert.deepEqual(
        found.map(one => one.id),
        found.map(one => one.id).sort(),
      );
      const one = (await client.call('contact.get', { mailbox, contact: 'person001@example.org' })) as Native;
      assert.deepEqual(
        [one.id, one.name, 'email' in (one.native as Native)],
        ['person001@example.org', 'Person 1', false],
      );
      const mails = await all<Message>(
        client.call('contactMessage.list', { mailbox, contact: 'person001@example.org' }),
      );
      assert.ok(
        mails.length > 1 &&
          mails.every(mail => [mail.from, ...mail.to].some(person => person?.email === 'person001@example.org')),
      );
    });
  });

  describe('webhooks', () => {
    /** Takes calls, answers with `status`. */
    const listen = async () => {
      const calls: { path: string; body: Buffer; payload: Native }[] = [];
      const its = { status: 200 };
      const server = createServer((request, response) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () => {
          const body = Buffer.concat(parts);
          calls.push({ path: request.url!, body, payload: JSON.parse(body.toString()) as Native });
          response.writeHead(its.status).end();
        });
      });
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
      return {
        calls,
        its,
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        close: () =>
          new Promise(resolve => {
            server.closeAllConnections();
            server.close(resolve);
          }),
      };
    };

    it('tell of matching mail with a signature that holds, for one account and for all', () =>
      apart(async (its, own) => {
        const ear = await listen();
        try {
          const urls = { callback_url: `${ear.url}/hook`, failure_notif_url: `${ear.url}/failed` };
          const made = (await own.call('webhook.create', {
            mailbox,
            ...urls,
            filter_from: ['boss@example.org'],
            filter_subject: '/^urgent/i',
            include_body: true,
          })) as { id: string };
          await own.call('webhook.create', { ...urls, callback_url: `${ear.url}/app` });
          await deliver(its, { subject: 'Urgent: now', from: { email: 'boss@example.org' } });
          await deliver(its, { subject: 'Not so', from: { email: 'boss@example.org' } });
          await callsMade(its);
          assert.deepEqual(ear.calls.map(call => call.path).sort(), ['/app', '/app', '/hook']);
          const call = ear.calls.find(one => one.path === '/hook')!;
          assert.deepEqual(
            [call.payload.account_id, call.payload.webhook_id, (call.payload.message_data as Native).subject],
            [mailbox, made.id, 'Urgent: now'],
          );
          const rules = { consumerSecret: String(its.account.consumerSecret), now: its.now(), seen: tokenMemory() };
          assert.equal(checkCallback(call.body, rules).ok, true);
          assert.deepEqual(checkCallback(call.body, rules), { ok: false, reason: 'repeated' });
        } finally {
          await ear.close();
        }
      }));

    it('fall silent after a failure, which is told once, and work again when switched on', () =>
      apart(async (its, own) => {
        const ear = await listen();
        try {
          ear.its.status = 500;
          const { id } = (await own.call('webhook.create', {
            mailbox,
            callback_url: `${ear.url}/hook`,
            failure_notif_url: `${ear.url}/failed`,
          })) as { id: string };
          await deliver(its);
          await deliver(its);
          assert.deepEqual(
            ear.calls.map(call => call.path),
            ['/hook', '/failed'],
          );
          assert.match(String(ear.calls[1]!.payload.data), /500/);
          const state = async () => {
            const { active, failed } = (await own.call('webhook.get', { mailbox, webhook: id })) as Native;
            return [active, failed];
          };
          assert.deepEqual(await state(), [false, true]);
          ear.its.status = 204;
          await own.call('webhook.update', { mailbox, webhook: id, active: true });
          assert.deepEqual(await state(), [true, false]);
          await deliver(its);
          assert.equal(ear.calls.length, 3);
        } finally {
          await ear.close();
        }
      }));

    it("a change of a source's status and the end of the first import are told too", () =>
      apart(async (its, own) => {
        const ear = await listen();
        try {
          await own.call('statusCallback.set', { status_callback_url: `${ear.url}/app` });
          await own.call('mailbox.create', {
            email: 'carol@example.com',
            ...carol,
            callback_url: `${ear.url}/imported`,
          });
          its.advance(20_000);
          await callsMade(its);
          mailServers(its)['imap.example.com']!.logins.carol = 'changed';
          its.advance(3600_000);
          await callsMade(its);
          assert.deepEqual(
            ear.calls.map(call => [call.path, call.payload.failure]),
            [
              ['/imported', undefined],
              ['/app', 'INVALID_CREDENTIALS'],
            ],
          );
          assert.ok(
            checkCallback(ear.calls[1]!.body, { consumerSecret: String(its.account.consumerSecret), now: its.now() })
              .ok,
          );
        } finally {
          await ear.close();
        }
      }));

    const sample = {
      account_id: '4f0f1c4f3f757edc3b000002',
      webhook_id: '4f0f1c4f3f757edc3b0000aa',
      timestamp: 1467254577,
      token: '9a1b2c3d4e5f60718293a4b5c6d7e8f9',
      signature: 'e0ea9af00576c0d0a80181d538a54266b45b8de56977795fc61305e97d20a8c9',
    };
    const rules = { consumerSecret: 's3cr3t/With+Odd&Chars=', now: 1467254577_000 };
    it('a call that is known to be good is good, by text and by bytes', () => {
      assert.deepEqual(checkCallback(JSON.stringify(sample), rules), { ok: true, payload: sample });
      assert.equal(checkCallback(Buffer.from(JSON.stringify(sample)), rules).ok, true);
    });
    it('a call is refused with its reason', () => {
      const refused = (change: Native, more: Partial<typeof rules & { maxAgeMs: number }> = {}) => {
        const verdict = checkCallback(JSON.stringify({ ...sample, ...change }), { ...rules, ...more });
        return verdict.ok ? 'taken' : verdict.reason;
      };
      for (const [change, reason] of [
        [{ signature: sample.signature.replace('e', 'f') }, 'signature'],
        [{ signature: sample.signature.toUpperCase() }, 'signature'],
        [{ signature: '' }, 'signature'],
        [{ signature: 7 }, 'unreadable'],
        [{ token: `${sample.token}0` }, 'signature'],
        [{ token: '' }, 'unreadable'],
        [{ timestamp: 1467254578 }, 'signature'],
        [{ timestamp: '1467254577' }, 'unreadable'],
        [{ timestamp: 1.5 }, 'unreadable'],
      ] as const)
        assert.equal(refused(change), reason, JSON.stringify(change));
      for (const body of ['', 'null', '[]', '7', '{'])
        assert.deepEqual(checkCallback(body, rules), { ok: false, reason: 'unreadable' });
      assert.equal(refused({}, { consumerSecret: 'another' }), 'signature');
      assert.equal(refused({}, { now: rules.now + 300_001 }), 'age');
      assert.equal(refused({}, { now: rules.now - 300_001 }), 'age');
      assert.equal(refused({}, { now: rules.now + 300_000 }), 'taken');
      assert.equal(refused({}, { now: rules.now + 10_001, maxAgeMs: 10_000 }), 'age');
    });
    it('a bad call does not use up a token, and the memory forgets in time', () => {
      let now = rules.now;
      const seen = tokenMemory(1000, () => now);
      assert.equal(
        checkCallback(JSON.stringify({ ...sample, signature: '0'.repeat(64) }), { ...rules, seen }).ok,
        false,
      );
      assert.equal(checkCallback(JSON.stringify(sample), { ...rules, seen }).ok, true);
      assert.equal(seen.has(sample.token), true);
      now += 1001;
      assert.equal(seen.has(sample.token), false);
    });
  });

  describe('connect tokens, providers, discovery', () => {
    it("the owner's browser connects a mailbox, and the token names the account without its secrets", async () => {
      const made = (await client.call('connectToken.create', {
        callback_url: 'https://app.example.com/back?x=1',
        email: 'carol@example.com',
        first_name: 'Carol',
      })) as { id: string; url: string };
      const page = await fetch(made.url, { redirect: 'manual' });
      assert.deepEqual([page.status, (await page.text()).includes('<form')], [200, true]);
      const done = await fetch(made.url, {
        method: 'POST',
        body: new URLSearchParams({ password: PASSWORD }),
        redirect: 'manual',
      });
      assert.deepEqual(
        [done.status, done.headers.get('location')],
        [302, `https://app.example.com/back?x=1&contextio_token=${made.id}`],
      );
      const used = (await client.call('connectToken.get', { connectToken: made.id })) as {
        account: string;
        usedAt: string;
        expiresAt?: string;
      };
      assert.ok(used.usedAt && !used.expiresAt);
      assert.equal((await client.call('mailbox.get', { mailbox: used.account })).email, 'carol@example.com');
      assert.doesNotMatch(JSON.stringify(used), /access_token|not for anybody/);
      assert.equal((await fetch(made.url)).status, 404);
    });
    it('an unused token has no account and is gone after a day', () =>
      apart(async (its, own) => {
        const { id } = (await own.call('connectToken.create', {
          mailbox,
          callback_url: 'https://app.example.com/',
        })) as { id: string };
        const unused = (await own.call('connectToken.get', { mailbox, connectToken: id })) as Native;
        assert.deepEqual([unused.account, (unused.native as Native).account], [undefined, []]);
        its.advance(25 * 3600_000);
        assert.equal((await failing(own.call('connectToken.get', { mailbox, connectToken: id }))).code, 'not_found');
      }));
    it("a provider's secret goes in and never comes out", async () => {
      assert.doesNotMatch(JSON.stringify(await all(client.call('oauthProvider.list', {}))), /secret/);
      assert.doesNotMatch(
        JSON.stringify(await client.call('oauthProvider.get', { oauthProvider: 'seeded-consumer-key' })),
        /secret/,
      );
    });
    it('finds a mail server or says that it knows none', async () => {
      assert.deepEqual(
        { ...((await client.call('discovery.get', { email: 'bob@example.com' })) as Native), native: undefined },
        {
          email: 'bob@example.com',
          found: true,
          server: 'imap.example.com',
          port: 993,
          username: 'bob',
          use_ssl: true,
          native: undefined,
        },
      );
      assert.equal(last().query.get('source_type'), 'IMAP');
      assert.deepEqual(await client.call('discovery.get', { email: 'bob@nowhere.test' }), {
        email: 'bob@nowhere.test',
        found: false,
        native: { email: 'bob@nowhere.test', found: false },
      });
    });
  });

  describe('the feed of messages', () => {
    const follow = async (own: Client, input: Native, cursor: string) => {
      const items: { id: string; item: Message; problem?: string }[] = [];
      for (;;) {
        const batch = await own.since('messageReceived', input, cursor);
        items.push(...(batch.items as typeof items));
        cursor = batch.cursor;
        if (!batch.more) return { items, ids: items.map(one => one.id), cursor };
      }
    };

    it('goes by the time of indexing: old mail that arrives late is news, and is asked for by that time', () =>
      apart(async (its, own) => {
        const { cursor } = await own.since('messageReceived', { mailbox });
        const old = await deliver(its, { date: 1_000_000_000, subject: 'Late' });
        its.forget();
        assert.deepEqual((await follow(own, { mailbox }, cursor)).ids, [old]);
        const { query } = its.seen[0]!;
        assert.ok(Number(query.get('indexed_after')) > its.now() / 1000 - 4000);
        assert.equal(query.get('date_after'), null);
        // Where old mail is not wanted, it can be left out.
        assert.deepEqual((await follow(own, { mailbox, date_after: '2015-01-01T00:00:00Z' }, cursor)).ids, []);
      }));

    it('loses nothing of an account that was empty, however much comes', () =>
      apart(async (its, own) => {
        const { items, cursor } = await own.since('messageReceived', { mailbox: TROUBLED });
        assert.deepEqual(items, []);
        const ids: string[] = [];
        const now = Math.floor(its.now() / 1000);
        for (let i = 0; i < 730; i++)
          ids.push(
            await deliver(its, { account: TROUBLED, indexed: now - (730 - i) * 100, date: now - (730 - i) * 100 }),
          );
        const news = await follow(own, { mailbox: TROUBLED }, cursor);
        assert.deepEqual(news.ids, ids);
      }));

    it('begins at a time', () =>
      apart(async (its, own) => {
        const now = Math.floor(its.now() / 1000);
        const at = new Date((now - 3600 * 5) * 1000).toISOString();
        const { items } = await follow(
          own,
          { mailbox },
          await contextIo.feeds.messageReceived!.from!({} as never, {} as never, at),
        );
        assert.equal(items.length, 4);
      }));

    it('does not lose what moves up when a message is deleted between two pages', () =>
      apart(async (its, own) => {
        const { cursor } = await own.since('messageReceived', { mailbox: TROUBLED });
        const ids: string[] = [];
        const now = Math.floor(its.now() / 1000);
        for (let i = 0; i < 250; i++)
          ids.push(await deliver(its, { account: TROUBLED, indexed: now - 250 + i, date: now - 250 + i }));
        const gone = [ids[249]!, ids[248]!, ids[100]!];
        const { seen } = its;
        let pages = 0;
        // After the first page the newest two go, so the second begins two further on.
        its.seen = new Proxy(seen, {
          get(target, key) {
            return key === 'push'
              ? (one: never) => {
                  if (++pages === 2) for (const id of gone) vanish(its, id);
                  return target.push(one);
                }
              : (Reflect.get(target, key) as unknown);
          },
        });
        const news = await follow(own, { mailbox: TROUBLED }, cursor);
        for (const id of ids.filter(one => !gone.includes(one))) assert.ok(news.ids.includes(id), `${id} was lost`);
        assert.equal(new Set(news.ids).size, news.ids.length);
      }));

    it('brings bodies and flags for what is new alone, and shows what was deleted meanwhile as a problem', () =>
      apart(async (its, own) => {
        const input = { mailbox, include_body: true, include_flags: true };
        const { cursor, items } = await own.since('messageReceived', input);
        assert.ok(
          items.every(({ item }) => (item as Message).text !== undefined && (item as Message).read !== undefined),
        );
        const id = await deliver(its, { text: 'Fresh' });
        its.forget();
        const news = await own.since('messageReceived', input, cursor);
        assert.deepEqual(
          news.items.map(one => [one.id, (one.item as Message).text, (one.item as Message).read]),
          [[id, 'Fresh', false]],
        );
        assert.deepEqual(
          its.seen.filter(request => request.query.get('include_body')).map(request => request.path),
          [`/2.0/accounts/${mailbox}/messages/${id}`],
        );
        await deliver(its);
        its.fail({ status: 404, body: '{"type":"error","value":"gone"}', path: '/messages/' });
        assert.match((await own.since('messageReceived', input, news.cursor)).items[0]!.problem!, /deleted/);
      }));

    it('refuses to guess where the index gives no time', async () => {
      answer([{ message_id: 'm', date: 1400000000 }]);
      assert.equal((await failing(client.since('messageReceived', { mailbox }))).code, 'protocol');
    });

    it('repeats and loses nothing over arrival orders, equal times, late appearances and deletions', function () {
      this.timeout(60_000);
      const step = fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({
            kind: fc.constant('arrive' as const),
            age: fc.integer({ min: 0, max: 280 }),
            dated: fc.integer({ min: 0, max: 10 ** 9 }),
          }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), which: fc.nat() }) },
        {
          weight: 1,
          arbitrary: fc.record({ kind: fc.constant('pass' as const), seconds: fc.integer({ min: 0, max: 400 }) }),
        },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant('look' as const) }) },
      );
      return fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
          await apart(async (its, own) => {
            const input = { mailbox: TROUBLED };
            let { cursor } = await own.since('messageReceived', input);
            const alive = new Set<string>();
            const told: string[] = [];
            const waiting = new Set<string>();
            const look = async () => {
              const news = await follow(own, input, cursor);
              cursor = JSON.parse(JSON.stringify(news.cursor)) as string;
              for (const id of waiting) if (alive.has(id)) assert.ok(news.ids.includes(id), `${id} was lost`);
              waiting.clear();
              told.push(...news.ids);
            };
            for (const one of steps) {
              if (one.kind === 'arrive') {
                // It becomes visible now; its time lies up to the overlap back.
                const id = await deliver(its, {
                  account: TROUBLED,
                  indexed: Math.floor(its.now() / 1000) - one.age,
                  date: one.dated,
                });
                alive.add(id);
                waiting.add(id);
              } else if (one.kind === 'delete') {
                const id = [...alive][one.which % Math.max(1, alive.size)];
                if (id) {
                  alive.delete(id);
                  vanish(its, id);
                }
              } else if (one.kind === 'pass') its.advance(one.seconds * 1000);
              else await look();
            }
            await look();
            assert.equal(new Set(told).size, told.length, 'something came twice');
          });
        }),
        { numRuns: 25 },
      );
    });
  });
});
