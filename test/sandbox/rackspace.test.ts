import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect as openSocket } from 'node:net';
import { SECRET_KEY, startRackspace, USER_KEY, type RackspaceOptions } from './rackspace.js';
import type { Vendor } from './vendor.js';

interface Ask {
  accept?: string;
  form?: Record<string, string>;
  json?: unknown;
  type?: string;
  body?: string;
  headers?: Record<string, string>;
  agent?: string;
  timestamp?: string;
  signature?: string | null;
  version?: string;
}
interface Got {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}
const sha = (text: string) => createHash('sha1').update(text).digest('base64');

/** A client of its own, signed as the wiki says, so that a mistake in the product cannot hide one here. */
function ask(vendor: Vendor, method: string, path: string, options: Ask = {}): Promise<Got> {
  const { agent = 'Someone Else/2.0', timestamp = '20200101000000', version = 'v1' } = options;
  const signature =
    options.signature === undefined
      ? `${USER_KEY}:${timestamp}:${sha(USER_KEY + agent + timestamp + SECRET_KEY)}`
      : options.signature;
  const body =
    options.body ??
    (options.json !== undefined
      ? JSON.stringify(options.json)
      : options.form
        ? new URLSearchParams(options.form).toString()
        : '');
  const type =
    options.type ??
    (options.json !== undefined ? 'application/json' : options.form ? 'application/x-www-form-urlencoded' : undefined);
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      `${vendor.url}/${version}${path}`,
      {
        method,
        agent: false,
        headers: {
          ...(options.accept === '' ? {} : { accept: options.accept ?? 'application/json' }),
          'user-agent': agent,
          ...(type ? { 'content-type': type } : {}),
          ...(method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
          ...(signature === null ? {} : { 'x-api-signature': signature }),
          ...options.headers,
        },
      },
      answer => {
        let text = '';
        answer
          .setEncoding('utf8')
          .on('data', part => {
            text += part;
          })
          .on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }))
          .on('error', reject);
      },
    );
    sent.on('error', reject).end(body);
  });
}
const words = (got: Got) => got.headers['x-error-message'];
const d = '/customers/12345678/domains/example.com';
const m = `${d}/ex/mailboxes`;
const alex = `${m}/alex.smith`;
const good = { displayName: 'New One', password: 'Secret123!@#', size: '2048' };

describe('sandbox of Rackspace', () => {
  let vendor: Vendor;
  before(async () => {
    vendor = await startRackspace();
    vendor.stopClock();
  });
  after(() => vendor.close());
  const withOptions = async (options: RackspaceOptions, work: (own: Vendor) => Promise<void>) => {
    const own = await startRackspace(options);
    own.stopClock();
    try {
      await work(own);
    } finally {
      await own.close();
    }
  };

  describe('signature', () => {
    it('accepts the published vectors, whatever their age, and trailing white space', async () => {
      const agent = 'Rackspace Management Interface';
      for (const [timestamp, digest] of [
        ['20010308143725', '46VIwd66mOFGG8IkbgnLlXnfnkU='],
        ['20010317143725', 'HKUn0aajpSDx7qqGK3vqzn3FglI='],
      ]) {
        assert.equal(
          (
            await ask(vendor, 'GET', '/customers/me/domains', {
              agent,
              signature: `${USER_KEY}:${timestamp}:${digest}  `,
            })
          ).status,
          200,
        );
      }
    });
    it('refuses the sample header of the wiki, which joins one day to the digest of another', async () => {
      const got = await ask(vendor, 'GET', '/customers/me/domains', {
        agent: 'Rackspace Management Interface',
        signature: `${USER_KEY}:20010317143725:46VIwd66mOFGG8IkbgnLlXnfnkU=`,
      });
      assert.equal(got.status, 403);
      assert.equal(
        (JSON.parse(got.text) as { unauthorizedFault: { message: string; code: number } }).unauthorizedFault.message,
        'Authentication failed.',
      );
    });
    for (const [what, bad] of Object.entries({
      missing: { signature: null },
      'of two parts': { signature: `${USER_KEY}:20200101000000` },
      'of an unknown key': { signature: `somebody:20200101000000:${sha('x')}` },
      'with a wrong digest': { signature: `${USER_KEY}:20200101000000:${sha('x')}` },
      'with a time that is none': {
        signature: `${USER_KEY}:now:${sha(`${USER_KEY}Someone Else/2.0now${SECRET_KEY}`)}`,
      },
      'of another user agent': { headers: { 'user-agent': 'Another' } },
    } satisfies Record<string, Ask>)) {
      it(`403 for one ${what}`, async () => {
        const got = await ask(vendor, 'GET', alex, bad);
        assert.deepEqual([got.status, words(got)], [403, 'Authentication failed.']);
      });
    }
    it('refuses an old time where the clock is strict, and takes one of now', () =>
      withOptions({ skewMs: 300_000 }, async own => {
        assert.equal((await ask(own, 'GET', alex)).status, 403);
        const timestamp = new Date(own.now()).toISOString().replace(/\D/g, '').slice(0, 14);
        assert.equal((await ask(own, 'GET', alex, { timestamp })).status, 200);
        own.advance(600_000);
        assert.equal((await ask(own, 'GET', alex, { timestamp })).status, 403);
      }));
  });

  describe('throttling', () => {
    it('counts reads and writes apart, refused ones too, and forgets them after a minute', () =>
      withOptions({ limits: { read: 2, write: 1 } }, async own => {
        assert.equal((await ask(own, 'GET', `${m}/nobody`)).status, 404);
        assert.equal((await ask(own, 'GET', alex)).status, 200);
        const got = await ask(own, 'GET', alex);
        assert.deepEqual([got.status, words(got)], [403, 'Exceeded request limits']);
        assert.equal(
          (JSON.parse(got.text) as { unauthorizedFault: { message: string } }).unauthorizedFault.message,
          'Exceeded request limits',
        );
        assert.equal((await ask(own, 'PUT', alex, { form: { city: 'A' } })).status, 200);
        assert.equal((await ask(own, 'PUT', alex, { form: { city: 'A' } })).status, 403);
        own.advance(60_001);
        assert.equal((await ask(own, 'GET', alex)).status, 200);
      }));
    it('does not count what is not signed', () =>
      withOptions({ limits: { read: 1 } }, async own => {
        await ask(own, 'GET', alex, { signature: null });
        assert.equal((await ask(own, 'GET', alex)).status, 200);
      }));
  });

  describe('faults', () => {
    it('v0: an empty body, the words in a header', async () => {
      const got = await ask(vendor, 'GET', `${m}/nobody`, { version: 'v0' });
      assert.deepEqual(
        [got.status, words(got), got.text, got.headers['content-length']],
        [404, 'Mailbox not found', '', '0'],
      );
    });
    it('v1: a document in the format asked for, and the header', async () => {
      const json = await ask(vendor, 'GET', `${m}/nobody`);
      const xml = await ask(vendor, 'GET', `${m}/nobody`, { accept: 'text/xml' });
      const { itemNotFoundFault: fault } = JSON.parse(json.text) as { itemNotFoundFault: Record<string, unknown> };
      assert.deepEqual([fault.message, fault.code, fault.resourceType], ['Mailbox not found', 404, 'Mailbox']);
      assert.match(String(fault.details), /^\d{1,2}\/\d{1,2}\/\d{4} \d{1,2}:\d\d:\d\d [AP]M$/);
      assert.match(
        xml.text,
        /<itemNotFoundFault [^>]*xmlns="urn:xml:itemNotFoundFault">[^]*<message>Mailbox not found<\/message>/,
      );
      assert.deepEqual([words(json), words(xml)], ['Mailbox not found', 'Mailbox not found']);
      assert.equal(xml.headers['content-type'], 'text/xml; charset=utf-8');
    });
    it('a deleted Rackspace Email mailbox says that it can be recovered, once', async () => {
      assert.equal((await ask(vendor, 'DELETE', `${d}/rs/mailboxes/staff110`)).status, 200);
      const got = await ask(vendor, 'GET', `${d}/rs/mailboxes/staff110`);
      assert.deepEqual(
        (JSON.parse(got.text) as { itemNotFoundFault: { additionalData: unknown } }).itemNotFoundFault.additionalData,
        { isRecoverable: true },
      );
      assert.equal(
        (await ask(vendor, 'POST', `${d}/rs/mailboxes/staff110`, { form: { ...good, recoverDeleted: 'true' } })).status,
        200,
      );
      assert.equal((await ask(vendor, 'GET', `${d}/rs/mailboxes/staff110`)).status, 200);
      const never = await ask(vendor, 'POST', `${d}/rs/mailboxes/never-there`, {
        form: { ...good, recoverDeleted: 'true' },
      });
      assert.equal(never.status, 400);
    });
  });

  describe('formats and transport', () => {
    it('XML without Accept, 404 for a format it does not know, 406 on the older pages', async () => {
      assert.match((await ask(vendor, 'GET', alex, { accept: '' })).text, /^<\?xml/);
      const odd = await ask(vendor, 'GET', alex, { accept: 'text/html' });
      const older = await ask(vendor, 'GET', d, { accept: 'text/html' });
      assert.deepEqual(
        [odd.status, words(odd), older.status, words(older)],
        [404, 'Invalid format', 406, 'Invalid format'],
      );
      const write = await ask(vendor, 'DELETE', `${m}/user118`, { accept: 'text/html' });
      assert.equal(write.status, 404);
      assert.equal((await ask(vendor, 'GET', `${m}/user118`)).status, 200, 'a refused Delete deleted');
    });
    it('escapes slashes in JSON and markup in XML', async () => {
      await ask(vendor, 'PUT', `${m}/user117`, { form: { notes: 'a/b <c> & "d"' } });
      assert.match((await ask(vendor, 'GET', `${m}/user117`)).text, /a\\\/b <c> & \\"d\\"/);
      assert.match(
        (await ask(vendor, 'GET', `${m}/user117`, { accept: 'text/xml' })).text,
        /<notes>a\/b &lt;c&gt; &amp; "d"<\/notes>/,
      );
    });
    it('takes fixed segments in any case, a trailing slash, /v2, and no customer at all', async () => {
      for (const path of [
        '/Customers/12345678/Domains/example.com/EX/Mailboxes/',
        '/domains/example.com/ex/mailboxes',
        '/customers/me/domains/EXAMPLE.com/ex/mailboxes',
      ]) {
        assert.equal((await ask(vendor, 'GET', path, { version: 'v2' })).status, 200, path);
      }
    });
    it('404 for an unknown version, customer, domain, resource; 405 for a wrong method', async () => {
      assert.equal((await ask(vendor, 'GET', alex, { version: 'v9' })).status, 404);
      const customer = await ask(vendor, 'GET', '/customers/99999999/domains');
      const domain = await ask(vendor, 'GET', '/customers/me/domains/abc.com/ex/mailboxes');
      assert.deepEqual(
        [customer.status, words(customer), domain.status, words(domain)],
        [404, 'Invalid account number', 404, 'abc.com not found'],
      );
      assert.equal((await ask(vendor, 'GET', `${d}/ex/calendars`)).status, 404);
      assert.equal((await ask(vendor, 'POST', m, { form: good })).status, 405, 'the name belongs in the path');
      assert.equal((await ask(vendor, 'GET', '/customers/me/domains/subaccount.example')).status, 404);
    });
    const raw = (lines: string[]) =>
      new Promise<string>((resolve, reject) => {
        const signature = `${USER_KEY}:20200101000000:${sha(`${USER_KEY}raw20200101000000${SECRET_KEY}`)}`;
        const socket = openSocket(Number(new URL(vendor.url).port), '127.0.0.1', () =>
          socket.write(
            [...lines, 'Host: x', 'User-Agent: raw', `X-Api-Signature: ${signature}`, 'Connection: close', '', ''].join(
              '\r\n',
            ),
          ),
        );
        let text = '';
        socket
          .setEncoding('utf8')
          .on('data', part => {
            text += part;
          })
          .on('end', () => resolve(text))
          .on('error', reject);
      });
    it('411 for a POST or PUT that names no length, 417 for Expect', async () => {
      assert.match(await raw([`POST /v1${m}/user116/activesyncmobileservice HTTP/1.1`]), /^HTTP\/1.1 411 /);
      assert.match(
        await raw([`PUT /v1${alex} HTTP/1.1`, 'Content-Length: 0', 'Expect: 100-continue']),
        /HTTP\/1.1 417 /,
      );
    });
  });

  describe('paging and filters', () => {
    const page = async (query: string) =>
      JSON.parse((await ask(vendor, 'GET', m + query)).text) as {
        offset: number;
        size: number;
        total: number;
        mailboxes: { name: string }[];
      };
    it('50 a page unless told otherwise, at most 250, sorted, empty past the end', async () => {
      const first = await page('');
      const second = await page('?offset=50');
      const all = await page('?size=1000');
      const past = await page('?offset=5000');
      assert.deepEqual(
        [first.size, first.mailboxes.length, second.offset, all.size, past.mailboxes.length],
        [50, 50, 50, 250, 0],
      );
      assert.ok(all.total > 100 && all.mailboxes.length === all.total);
      assert.deepEqual(
        all.mailboxes.map(one => one.name),
        all.mailboxes.map(one => one.name).sort(),
      );
      assert.deepEqual(all.mailboxes.slice(50, 100), second.mailboxes);
    });
    for (const query of ['?size=many', '?size=0', '?size=-5', '?size=', '?offset=1.5', '?offset=x']) {
      it(`400 for ${query}`, async () => {
        const got = await ask(vendor, 'GET', m + query);
        assert.equal(got.status, 400);
        assert.match(String(words(got)), /^Invalid format for (size|offset), input must be an integer$/);
      });
    }
    it('filters by beginning, part, first digit and state; both texts at once are 400', async () => {
      assert.deepEqual(
        (await page('?startswith=al')).mailboxes.map(one => one.name),
        ['alex.smith'],
      );
      assert.deepEqual(
        (await page('?contains=smith')).mailboxes.map(one => one.name),
        ['alex.smith', 'john.smith'],
      );
      assert.equal((await page('?startswith=0-9')).total, 0);
      assert.ok((await page('?enabled=false')).mailboxes.every(one => one.name.endsWith('0')));
      assert.equal((await ask(vendor, 'GET', `${m}?startswith=a&contains=b`)).status, 400);
      assert.equal((await ask(vendor, 'GET', `${m}?limit=5`)).status, 200, 'unknown keys are ignored');
      assert.equal((await ask(vendor, 'GET', `${m}?fields=shoeSize`)).status, 400);
    });
  });

  describe('forms', () => {
    const refusals: [string, Record<string, string>, string][] = [
      ['a missing field', { displayName: 'X', size: '5' }, 'Missing required field: password'],
      ['an empty required field', { ...good, displayName: '' }, 'Required field displayName cannot be empty'],
      ['an unknown field', { ...good, extraStorage: '1' }, 'Unrecognized field: extraStorage'],
      ['a size that is no number', { ...good, size: 'big' }, 'Invalid format for size, input must be an integer'],
      ['a size of nothing', { ...good, size: '0' }, 'Invalid format for size, input must be an integer'],
      ['a flag that is none', { ...good, enabled: 'yes' }, 'Invalid format for Enabled, input must be True or False'],
      ['a short password', { ...good, password: 'short' }, 'Password must be at least 8 characters long'],
      ['an odd display name', { ...good, displayName: 'A <b>' }, 'Invalid display name'],
    ];
    for (const [what, form, message] of refusals) {
      it(`400 for ${what}`, async () => {
        const got = await ask(vendor, 'POST', `${m}/refused`, { form });
        assert.deepEqual([got.status, words(got)], [400, message]);
        assert.equal((await ask(vendor, 'GET', `${m}/refused`)).status, 404, 'it was made all the same');
      });
    }
    it('400 for a name that is none or taken: by a mailbox, a further address, an alias', async () => {
      assert.equal(words(await ask(vendor, 'POST', `${m}/not%20a%20name`, { form: good })), 'Invalid user name');
      await ask(vendor, 'POST', `${alex}/emailaddresses/alex@example.com`);
      for (const name of ['john.smith', 'alex', 'sales', 'staff001']) {
        assert.equal(
          words(await ask(vendor, 'POST', `${m}/${name}`, { form: good })),
          `The email address ${name}@example.com is already in use`,
        );
      }
    });
    it('takes a flat JSON object, names in any case and flags in any case, and nothing nested', async () => {
      const json = {
        DisplayName: 'From JSON',
        password: 'Secret123!@#',
        size: 2048,
        isHidden: true,
        businessNumber: '1',
      };
      assert.equal((await ask(vendor, 'POST', `${m}/from.json`, { json })).status, 200);
      const shown = JSON.parse((await ask(vendor, 'GET', `${m}/from.json`)).text) as {
        displayName: string;
        isHidden: boolean;
        contactInfo: { businessNumber: string };
      };
      assert.deepEqual([shown.displayName, shown.isHidden, shown.contactInfo.businessNumber], ['From JSON', true, '1']);
      assert.equal((await ask(vendor, 'PUT', `${m}/from.json`, { form: { isHidden: 'False' } })).status, 200);
      assert.equal((await ask(vendor, 'PUT', `${m}/from.json`, { json: { displayName: { a: 1 } } })).status, 400);
      assert.equal((await ask(vendor, 'PUT', `${m}/from.json`, { type: 'text/plain', body: 'city=x' })).status, 415);
      assert.equal((await ask(vendor, 'PUT', `${m}/from.json`, { type: 'application/json', body: '{' })).status, 400);
    });
    it('answers a write with 200 and nothing', async () => {
      const got = await ask(vendor, 'PUT', alex, { form: { homenumber: '8005551234' } });
      assert.deepEqual([got.status, got.text, got.headers['content-length']], [200, '', '0']);
    });
    it('keeps the forwarding on an Edit without it, ends it on an empty one, and in the literal mode on both', async () => {
      const forwarding = async (own: Vendor) =>
        (JSON.parse((await ask(own, 'GET', `${m}/john.smith`)).text) as { emailForwardingAddress: string })
          .emailForwardingAddress;
      await ask(vendor, 'PUT', `${m}/john.smith`, { form: { city: 'A' } });
      assert.equal(await forwarding(vendor), 'john@elsewhere.example');
      await ask(vendor, 'PUT', `${m}/john.smith`, { form: { emailForwardingAddress: '' } });
      assert.equal(await forwarding(vendor), '');
      await withOptions({ editEndsForwarding: true }, async own => {
        await ask(own, 'PUT', `${m}/john.smith`, { form: { city: 'A' } });
        assert.equal(await forwarding(own), '');
      });
    });
  });

  describe('spam', () => {
    const list = async (name: string) =>
      (JSON.parse((await ask(vendor, 'GET', `${alex}/spam/${name}`)).text) as { addresses: string[] }).addresses;
    it('the two names of a list are one list; each answers with its own root', async () => {
      assert.deepEqual(await list('blacklist'), await list('blocklist'));
      assert.match(
        (await ask(vendor, 'GET', `${alex}/spam/blacklist`, { accept: 'text/xml' })).text,
        /<blacklist .*xmlns="urn:xml:blacklist">/,
      );
      assert.match(
        (await ask(vendor, 'GET', `${alex}/spam/ipblocklist`, { accept: 'text/xml' })).text,
        /<ipBlocklist /,
      );
    });
    for (const [name, value, message] of [
      ['blacklist', 'abc', 'invalid email address: abc'],
      ['blacklist', 'example.com', 'Adding example.com would blacklist the current domain'],
      ['blacklist', '216.12.34.1', 'invalid email address: 216.12.34.1'],
      ['safelist', '216.12.34.1', 'invalid email address: 216.12.34.1'],
      ['ipblacklist', '123', 'invalid ip address: 123'],
    ] as const)
      it(`400 for ${value} on ${name}`, async () =>
        assert.equal(words(await ask(vendor, 'POST', `${alex}/spam/${name}/${value}`)), message));
    it('removing what is not there is 400 and never says ip', async () => {
      assert.equal(
        words(await ask(vendor, 'DELETE', `${alex}/spam/blacklist/abc@junkmail.com`)),
        'abc@junkmail.com is not found on the blacklist',
      );
      assert.equal(
        words(await ask(vendor, 'DELETE', `${alex}/spam/ipblacklist/10.0.0.1`)),
        '10.0.0.1 is not found on the blacklist',
      );
      assert.equal(
        words(await ask(vendor, 'DELETE', `${alex}/spam/ipsafelist/10.0.0.1`)),
        '10.0.0.1 is not found on the safelist',
      );
    });
    it('adding twice is one entry; a bulk edit that is refused changes nothing', async () => {
      await ask(vendor, 'POST', `${alex}/spam/safelist/twice.example`);
      await ask(vendor, 'POST', `${alex}/spam/safelist/twice.example`);
      const before = await list('safelist');
      assert.equal(before.filter(one => one === 'twice.example').length, 1);
      assert.equal(
        (
          await ask(vendor, 'PUT', `${alex}/spam/safelist`, {
            form: { addList: 'fine.example, abc', removeList: 'twice.example' },
          })
        ).status,
        400,
      );
      assert.deepEqual(await list('safelist'), before);
    });
    it('takes an IP address on safelist only where it is told to follow the printed examples', () =>
      withOptions({ looseSafelist: true }, async own => {
        assert.equal((await ask(own, 'POST', `${alex}/spam/safelist/216.12.34.1`)).status, 200);
        assert.equal((await ask(own, 'POST', `${alex}/spam/blacklist/216.12.34.1`)).status, 400);
      }));
    it('a missing mailbox has one text in Show Spam Setting and another everywhere else', async () => {
      const other = 'No user with the email address nobody@example.com exists';
      assert.equal(words(await ask(vendor, 'GET', `${m}/nobody/spam/settings`)), 'Mailbox not found');
      assert.equal(
        words(await ask(vendor, 'PUT', `${m}/nobody/spam/settings`, { form: { filterlevel: 'on' } })),
        other,
      );
      assert.equal(words(await ask(vendor, 'GET', `${m}/nobody/spam/blacklist`)), other);
      assert.equal(words(await ask(vendor, 'POST', `${m}/nobody/spam/ipsafelist/10.0.0.1`)), other);
    });
    for (const [form, message] of [
      [{}, 'Missing required field: filterlevel'],
      [{ filterlevel: '' }, 'Required field filterlevel cannot be empty'],
      [{ filterlevel: 'on', address: 'x' }, 'Unrecognized field: address'],
      [
        { filterlevel: 'on', sendtodomainquarantine: 'maybe' },
        'Invalid format for sendtodomainquarantine, input must be true or false',
      ],
      [{ filterlevel: 'high' }, 'Invalid filterLevel, input must be: on/off/exclusive'],
    ] as [Record<string, string>, string][]) {
      it(`settings ${JSON.stringify(form)}: ${message}`, async () =>
        assert.equal(words(await ask(vendor, 'PUT', `${alex}/spam/settings`, { form })), message));
    }
    it('off forces the domain quarantine off', async () => {
      const settings = async () => JSON.parse((await ask(vendor, 'GET', `${alex}/spam/settings`)).text) as unknown;
      await ask(vendor, 'PUT', `${alex}/spam/settings`, {
        form: { filterlevel: 'exclusive', sendtodomainquarantine: 'true', quarantineowner: 'john.smith@example.com' },
      });
      assert.deepEqual(await settings(), {
        filterLevel: 'exclusive',
        sendToDomainQuarantine: true,
        quarantineOwner: 'john.smith@example.com',
      });
      await ask(vendor, 'PUT', `${alex}/spam/settings`, {
        form: { filterlevel: 'off', sendtodomainquarantine: 'true' },
      });
      assert.deepEqual(await settings(), {
        filterLevel: 'off',
        sendToDomainQuarantine: false,
        quarantineOwner: 'john.smith@example.com',
      });
    });
    it('rs handling takes only the details that go with it', async () => {
      const put = (form: Record<string, string>) =>
        ask(vendor, 'PUT', `${d}/rs/mailboxes/staff001/spam/settings`, { form: { filterLevel: 'on', ...form } });
      assert.equal((await put({ 'rsEmail.spamHandling': 'toAddress' })).status, 400);
      assert.equal((await put({ 'rsEmail.spamHandling': 'delete', 'rsEmail.spamFolderAgeLimit': '7' })).status, 400);
      assert.equal((await put({ 'rsEmail.spamHandling': 'burn' })).status, 400);
      assert.equal(
        (await put({ 'rsEmail.spamHandling': 'toAddress', 'rsEmail.spamForwardingAddress': 'spam@elsewhere.example' }))
          .status,
        200,
      );
    });
  });

  describe('mobile services, addresses, aliases', () => {
    it('a service cannot be attached twice, detached where there is none, or given fields it has not', async () => {
      assert.equal(
        words(await ask(vendor, 'POST', `${alex}/blackberrymobileservice`)),
        'Missing required field: activationPassword',
      );
      assert.equal(
        (await ask(vendor, 'POST', `${alex}/blackberrymobileservice`, { form: { activationPassword: '12345' } }))
          .status,
        200,
      );
      assert.equal(
        words(await ask(vendor, 'POST', `${alex}/blackberrymobileservice`, { form: { activationPassword: '12345' } })),
        'User alex.smith@example.com has BlackBerry Mobile Service already',
      );
      assert.equal(
        words(await ask(vendor, 'POST', `${alex}/activesyncmobileservice`, { form: { activationPassword: '12345' } })),
        'Unrecognized field: activationPassword',
      );
      assert.equal((await ask(vendor, 'DELETE', `${alex}/activesyncmobileservice`)).status, 404);
      const shown = JSON.parse((await ask(vendor, 'GET', alex)).text) as Record<string, unknown>;
      assert.deepEqual([shown.hasBlackBerryMobileService, shown.hasActiveSyncMobileService], [true, false]);
    });
    it('the reply address stays, an unknown one is 404, a malformed one 400', async () => {
      assert.equal((await ask(vendor, 'DELETE', `${alex}/emailaddresses/alex.smith@example.com`)).status, 400);
      assert.equal((await ask(vendor, 'DELETE', `${alex}/emailaddresses/never@example.com`)).status, 404);
      assert.equal(words(await ask(vendor, 'POST', `${alex}/emailaddresses/abc`)), 'invalid email address: abc');
    });
    it('an alias needs members that exist, and not many from outside', async () => {
      const post = async (aliasEmails: string) =>
        words(await ask(vendor, 'POST', `${d}/rs/aliases/fresh`, { form: { aliasEmails } }));
      assert.equal(
        await post('nobody@example.com, alex.smith@example.com'),
        'An alias must point to a valid email address. The following email addresses do not exist: nobody@example.com',
      );
      assert.equal(
        await post('abc'),
        'An alias must point to a valid email address. The following email addresses do not exist: abc',
      );
      assert.equal(
        await post('a@o.example,b@o.example,c@o.example,d@o.example,e@o.example'),
        'Max number of non-local email recipients reached.',
      );
      assert.equal(await post('alex.smith@example.com, a@o.example'), undefined);
      assert.equal(
        words(await ask(vendor, 'DELETE', `${d}/rs/aliases/fresh/b@o.example`)),
        'Email address b@o.example does not exist in alias fresh.',
      );
    });
  });
});
