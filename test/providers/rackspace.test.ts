import assert from 'node:assert/strict';
import {
  accountFields,
  connect,
  isMailError,
  take,
  type Client,
  type ErrorCode,
  type Mailbox,
  type Operation,
} from '../../shared/index.js';
import { rackspace } from '../../shared/providers/rackspace/index.js';
import { sign } from '../../shared/providers/rackspace/sign.js';
import { startRackspace, type RackspaceOptions } from '../sandbox/rackspace.js';
import { startVendor, type Reply, type Seen, type Vendor } from '../sandbox/vendor.js';
import { failing } from '../failing.js';

const keys = {
  userKey: 'eGbq9/2hcZsRlr1JV1Pi',
  secretKey: 'QHOvchm/40czXhJ1OxfxK7jDHr3t',
  userAgent: 'Rackspace Management Interface',
};
const alex = 'alex.smith@example.com';
const operations = rackspace.operations as Readonly<Record<string, Operation>>;

type Account = Record<string, unknown>;
const clientOf = (vendor: Vendor, account: Account = {}) =>
  connect(rackspace, { ...vendor.account, perMinute: 60_000, ...account }, { patience: 0 });
const all = <T = Record<string, unknown>>(client: Client, name: string, input: Account) =>
  take(client.call(name, input) as AsyncIterable<T>);
const sent = (vendor: Vendor) =>
  vendor.seen.map(s => `${s.method} ${decodeURIComponent(s.path).replace(/^\/v\d\/customers\/\w+\/domains/, '')}`);
const bodyOf = (seen: Seen | undefined) => Object.fromEntries(new URLSearchParams(seen?.body.toString()));
const call = (client: Client, name: string, input: Account) => client.call(name, input) as Promise<Record<string, any>>;
const withSandbox = async (options: RackspaceOptions, work: (vendor: Vendor) => Promise<void>) => {
  const vendor = await startRackspace(options);
  try {
    await work(vendor);
  } finally {
    await vendor.close();
  }
};
/** A vendor that always says the same, for answers the sandbox would not give. */
const saying = async (
  reply: (request: Seen) => Reply,
  work: (client: Client, vendor: Vendor) => Promise<void>,
  account: Account = {},
) => {
  const vendor = await startVendor({
    id: 'rackspace',
    account: baseUrl => ({ baseUrl, ...keys }),
    handle: reply,
    throttled: () => ({ status: 403 }),
  });
  try {
    await work(clientOf(vendor, account), vendor);
  } finally {
    await vendor.close();
  }
};
const xml = (body: string): Reply => ({
  status: 200,
  headers: { 'content-type': 'text/xml; charset=utf-8' },
  body: `<?xml version="1.0" encoding="utf-8"?>${body}`,
});

describe('Rackspace: signature', () => {
  const at = (text: string) => ({ now: Date.parse(text), nonce: '' });
  const header = (account: typeof keys, time: string) =>
    sign({ method: 'GET', url: 'https://x.example/', headers: { accept: 'text/xml' } }, account, at(time)).headers;
  it('reproduces the published vectors', () => {
    assert.equal(
      header(keys, '2001-03-08T14:37:25Z')['x-api-signature'],
      'eGbq9/2hcZsRlr1JV1Pi:20010308143725:46VIwd66mOFGG8IkbgnLlXnfnkU=',
    );
    assert.equal(
      header(keys, '2001-03-17T14:37:25Z')['x-api-signature'],
      'eGbq9/2hcZsRlr1JV1Pi:20010317143725:HKUn0aajpSDx7qqGK3vqzn3FglI=',
    );
    const bindings = {
      ...keys,
      userAgent: 'Rackspace Apps Bindings/1.x (+https://github.com/pradodigital/php-rackspace-apps-bindings)',
    };
    assert.equal(
      header(bindings, '2001-03-08T14:37:25Z')['x-api-signature'],
      'eGbq9/2hcZsRlr1JV1Pi:20010308143725:yeLBFcUOdMgh9vVb499AeygEads=',
    );
  });
  it('does not reproduce the sample header of the wiki, which joins two days', () => {
    assert.notEqual(
      header(keys, '2001-03-17T14:37:25Z')['x-api-signature'],
      'eGbq9/2hcZsRlr1JV1Pi:20010317143725:46VIwd66mOFGG8IkbgnLlXnfnkU=',
    );
  });
  it('signs UTC, pads every part, sends the user agent that it signed, and keeps the other headers', () => {
    const headers = header(keys, '2026-01-02T04:05:06+03:00');
    assert.match(headers['x-api-signature']!, /^eGbq9\/2hcZsRlr1JV1Pi:20260102010506:/);
    assert.deepEqual([headers['user-agent'], headers.accept], ['Rackspace Management Interface', 'text/xml']);
  });
  it('is fresh within the strictest clock, and refused when the user agent is changed on the way', () =>
    withSandbox({ skewMs: 5000 }, async vendor => {
      await call(clientOf(vendor), 'account.check', {});
      const changed = connect(rackspace, { ...vendor.account }, { dispatcher: await rewriting() });
      assert.equal((await failing(call(changed, 'account.check', {}))).code, 'unauthorized');
    }));
  it('an account cannot hold what a header would change or the signature would split', () => {
    for (const [field, value] of [
      ['userAgent', ' Mailroom'],
      ['userAgent', 'Mailröm'],
      ['userAgent', 'a\r\nb: c'],
      ['userKey', 'a:b'],
      ['userKey', 'a b'],
      ['secretKey', 'x\n'],
      ['customer', 'all'],
      ['version', 'v3'],
    ]) {
      assert.throws(
        () => connect(rackspace, { ...keys, [field!]: value }),
        (e: unknown) => isMailError(e) && e.details.issues?.[0]?.field === field,
        `${field} ${JSON.stringify(value)}`,
      );
    }
    assert.equal(accountFields(rackspace).userAgent?.default, 'Mailroom/1');
  });
});

/** A proxy in the way: every request leaves with another user agent. */
async function rewriting() {
  const { Agent } = await import('undici');
  return new Agent().compose(
    dispatch => (options, handler) =>
      dispatch(
        { ...options, headers: { ...(options.headers as Record<string, string>), 'user-agent': 'Proxy/1' } },
        handler,
      ),
  );
}

describe('Rackspace: the order', () => {
  it('every operation of the order is there', () => {
    const ordered = new Set(Object.values(operations).flatMap(op => op.orders ?? []));
    const lists = ['Blacklist', 'IP Blacklist', 'Safelist', 'IP Safelist'];
    assert.deepEqual(
      [...ordered].sort(),
      [
        'Index',
        'Show',
        'Add',
        'Edit',
        'Delete',
        'Add Email Address',
        'Delete Email Address',
        ...['Index', 'Add', 'Delete'].flatMap(verb => lists.map(list => `${verb} ${list}`)),
        'Show Spam Setting',
        'Edit Spam Setting',
        ...['BlackBerry', 'ActiveSync'].flatMap(service =>
          ['Index', 'Add', 'Delete'].map(verb => `${service} ${verb}`),
        ),
      ].sort(),
    );
  });
  it('Add and Edit take every form field of the order, in its spelling', () => {
    const fields = [
      'displayName',
      'password',
      'size',
      'isHidden',
      'isPublicFolderAdmin',
      'firstName',
      'lastName',
      'company',
      'department',
      'jobTitle',
      'addressLine1',
      'city',
      'state',
      'zip',
      'country',
      'businessnumber',
      'pagernumber',
      'homenumber',
      'mobilenumber',
      'faxnumber',
      'notes',
      'emailForwardingAddress',
      'enabled',
    ];
    for (const name of ['mailbox.create', 'mailbox.update'])
      for (const field of fields) assert.ok(Object.hasOwn(operations[name]!.input, field), `${name}: ${field}`);
    assert.deepEqual(
      Object.entries(operations['mailbox.create']!.input)
        .filter(([, f]) => f.required)
        .map(([name]) => name)
        .sort(),
      ['displayName', 'mailbox', 'password', 'size'],
    );
    for (const name of ['filterlevel', 'sendtodomainquarantine', 'quarantineowner'])
      assert.ok(Object.hasOwn(operations['spamSettings.update']!.input, name));
  });
});

for (const version of ['v0', 'v1', 'v2'])
  for (const answerFormat of ['xml', 'json']) {
    describe(`Rackspace ${version} in ${answerFormat}`, () => {
      let vendor: Vendor;
      let client: Client;
      before(async () => {
        vendor = await startRackspace();
        client = clientOf(vendor, { version, answerFormat });
      });
      after(() => vendor.close());
      beforeEach(() => vendor.forget());

      it('a mailbox has numbers, flags and lists, whichever format they came in', async () => {
        const { native, ...rest } = (await call(client, 'mailbox.get', { mailbox: alex })) as unknown as Mailbox;
        assert.deepEqual(rest, { id: alex, email: alex, name: 'Alex Smith', status: 'active' });
        assert.deepEqual(
          [native.size, native.currentUsage, native.isHidden, native.lastLogin],
          [2048, 0, false, '2/12/2006 1:00:00 AM'],
        );
        assert.deepEqual(native.emailAddressList, [{ address: alex, replyTo: true }]);
        assert.equal((native.contactInfo as Record<string, unknown>).homeNumber, '8005551234');
        assert.deepEqual(
          [vendor.seen[0]!.headers.accept, vendor.seen[0]!.path.slice(0, 4)],
          [answerFormat === 'xml' ? 'text/xml' : 'application/json', `/${version}/`],
        );
      });
      it('all form fields of a mailbox arrive, and come back', async () => {
        const form = {
          displayName: 'Émile & <Zoë>',
          password: 'Secret123!@#',
          size: 1024,
          isHidden: true,
          isPublicFolderAdmin: true,
          firstName: 'Émile',
          lastName: 'Z',
          company: 'C&A',
          department: 'D',
          jobTitle: 'J',
          addressLine1: '1 Main St',
          city: 'C',
          state: 'S',
          zip: '01234',
          country: 'FR',
          businessnumber: '1',
          pagernumber: '2',
          homenumber: '3',
          mobilenumber: '4',
          faxnumber: '5',
          notes: 'one\ntwo',
          emailForwardingAddress: 'e@elsewhere.example',
          enabled: false,
          customID: 'E1',
          visibleInRackspaceEmailCompanyDirectory: true,
        };
        const refused = await failing(call(client, 'mailbox.create', { mailbox: 'emile@example.com', ...form }));
        assert.deepEqual(
          [refused.code, refused.message, refused.details.issues?.[0]?.field],
          ['rejected', 'Invalid display name', 'displayName'],
        );
        vendor.forget();
        const made = (await call(client, 'mailbox.create', {
          mailbox: 'emile@example.com',
          ...form,
          displayName: 'Émile & Zoë',
        })) as unknown as Mailbox;
        assert.equal(vendor.seen[0]!.headers['content-type'], 'application/x-www-form-urlencoded');
        assert.deepEqual(Object.keys(bodyOf(vendor.seen[0])).sort(), Object.keys(form).sort());
        assert.equal(made.status, 'disabled');
        const contact = made.native.contactInfo as Record<string, unknown>;
        assert.deepEqual(
          [contact.zip, contact.company, contact.notes, contact.pagerNumber, contact.customID],
          ['01234', 'C&A', 'one\ntwo', '2', 'E1'],
        );
        assert.deepEqual(
          [
            made.name,
            made.native.size,
            made.native.isHidden,
            made.native.emailForwardingAddress,
            made.native.visibleInRackspaceEmailCompanyDirectory,
          ],
          ['Émile & Zoë', 1024, true, 'e@elsewhere.example', true],
        );
        const changed = await call(client, 'mailbox.update', {
          mailbox: 'emile@example.com',
          notes: '',
          enabled: true,
        });
        assert.deepEqual(
          [changed.status, changed.native.contactInfo.notes || null, changed.native.emailForwardingAddress],
          ['active', null, 'e@elsewhere.example'],
        );
      });
      it('the words of a fault are the message, and its kind the code', async () => {
        const cases: [string, Account, ErrorCode, string][] = [
          ['mailbox.get', { mailbox: 'nobody@example.com' }, 'not_found', 'Mailbox not found'],
          ['mailbox.get', { mailbox: 'nobody@abc.com' }, 'not_found', 'abc.com not found'],
          [
            'spamList.list',
            { mailbox: 'nobody@example.com', list: 'blockedIps' },
            'not_found',
            'No user with the email address nobody@example.com exists',
          ],
          [
            'mailbox.create',
            { mailbox: alex, displayName: 'A', password: 'Secret123', size: 5 },
            'conflict',
            'The email address alex.smith@example.com is already in use',
          ],
          [
            'spamList.remove',
            { mailbox: alex, list: 'blockedIps', value: '10.0.0.1' },
            'not_found',
            `10.0.0.1 is not found on the ${version === 'v0' ? 'blacklist' : 'blocklist'}`,
          ],
          [
            'spamList.add',
            { mailbox: alex, list: 'blockedSenders', value: 'example.com' },
            'rejected',
            'Adding example.com would blacklist the current domain',
          ],
          [
            'alias.removeMember',
            { alias: 'sales@example.com', email: 'x@y.example' },
            'not_found',
            'Email address x@y.example does not exist in alias sales.',
          ],
        ];
        for (const [name, input, code, message] of cases) {
          const result = client.call(name, input);
          const error = await failing(result as Promise<unknown>);
          assert.deepEqual([error.code, error.message], [code, message], name);
        }
      });
      it('a service attached twice is a conflict', async () => {
        await call(client, 'activeSync.add', { mailbox: 'user001@example.com' });
        const error = await failing(call(client, 'activeSync.add', { mailbox: 'user001@example.com' }));
        assert.deepEqual(
          [error.code, error.message],
          ['conflict', 'User user001@example.com has ActiveSync Mobile Service already'],
        );
      });
      it('the lists are named as the version names them', async () => {
        const names = version === 'v0' ? ['blacklist', 'ipblacklist'] : ['blocklist', 'ipblocklist'];
        for (const [list, name] of [
          ['blockedSenders', names[0]],
          ['blockedIps', names[1]],
          ['allowedSenders', 'safelist'],
          ['allowedIps', 'ipsafelist'],
        ]) {
          const entries = await all(client, 'spamList.list', { mailbox: alex, list });
          assert.ok(
            entries.length > 0 && entries.every(entry => entry.list === list && typeof entry.value === 'string'),
          );
          assert.ok(vendor.seen.at(-1)!.path.endsWith(`/ex/mailboxes/alex.smith/spam/${name}`));
        }
      });
      it('wrong keys and too many requests, the same status, are two errors', async () => {
        const stranger = clientOf(vendor, { version, answerFormat, secretKey: 'wrong' });
        const refused = await failing(call(stranger, 'mailbox.delete', { mailbox: alex }));
        assert.deepEqual(
          [refused.code, refused.details.status, refused.message],
          ['unauthorized', 403, 'Authentication failed.'],
        );
        await withSandbox({ limits: { write: 0 } }, async slow => {
          const throttled = await failing(
            call(clientOf(slow, { version, answerFormat }), 'mailbox.delete', { mailbox: alex }),
          );
          assert.deepEqual(
            [throttled.code, throttled.details.status, throttled.message],
            ['rate_limited', 403, 'Exceeded request limits'],
          );
          assert.equal(slow.seen.length, 1);
        });
      });
    });
  }

describe('Rackspace: addresses on the wire', () => {
  let vendor: Vendor;
  let client: Client;
  before(async () => {
    vendor = await startRackspace();
    client = clientOf(vendor);
  });
  after(() => vendor.close());
  beforeEach(() => vendor.forget());

  // What real lists hold: patterns of the vendor's bulk edit (api-wiki.apps.rackspace.com, Domain Spam) and of clients,
  // and what an older check let through.
  for (const [list, values] of [
    ['allowedSenders', ['@shop.example', '@brand', 'bounce%@shop.example', '%.shop.example', 'plain.example']],
    ['blockedIps', ['3.4.%.%', '4.%.%.%', '10.0.0.0/24', '192.0.2.1-192.0.2.9', '2001:db8:%', '2001:db8::/32']],
  ] as const) {
    it(`entries of ${list} are added, listed and removed exactly as they stand`, async () => {
      for (const value of values) await call(client, 'spamList.add', { mailbox: alex, list, value });
      const listed = await all(client, 'spamList.list', { mailbox: alex, list });
      assert.deepEqual(
        listed.map(({ value }) => value).filter(value => values.includes(value as never)),
        [...values],
      );
      for (const { value } of listed) await call(client, 'spamList.remove', { mailbox: alex, list, value });
      assert.deepEqual(await all(client, 'spamList.list', { mailbox: alex, list }), []);
      await call(client, 'spamList.edit', { mailbox: alex, list, addList: [...values] });
      await call(client, 'spamList.edit', { mailbox: alex, list, removeList: [...values] });
      assert.deepEqual(await all(client, 'spamList.list', { mailbox: alex, list }), []);
    });
  }
  it('an entry that no rule of ours would take is removed all the same', () =>
    withSandbox({}, async own => {
      const strange = ['junk', '1.2.3', 'a b', 'x@y@z.example', '#1', 'ü'];
      own.fail({
        method: 'GET',
        status: 200,
        body: JSON.stringify({ addresses: strange }),
        contentType: 'application/json',
      });
      const reader = clientOf(own);
      const listed = await all(reader, 'spamList.list', { mailbox: alex, list: 'blockedIps' });
      own.forget();
      for (const { value } of listed)
        await call(reader, 'spamList.remove', { mailbox: alex, list: 'blockedIps', value }).catch(() => {});
      assert.deepEqual(
        own.seen.map(seen => seen.segments.at(-1)),
        strange,
      );
    }));
  it('a limit of 0, as the vendor prints it for none, is kept and can be set', () =>
    withSandbox({}, async own => {
      const settings = clientOf(own);
      const mailbox = 'staff001@example.com';
      for (const [name, at] of [
        ['rsSpamSettings.update', { mailbox }],
        ['domainSpamSettings.update', { domain: 'example.com' }],
      ] as const) {
        await call(settings, name, {
          ...at,
          filterLevel: 'on',
          spamHandling: 'toFolder',
          spamFolderAgeLimit: 0,
          spamFolderNumLimit: 0,
        });
        const { native } = await call(settings, name, { ...at, filterLevel: 'exclusive' });
        assert.deepEqual(
          [native.rsEmailSettings.spamFolderAgeLimit, native.rsEmailSettings.spamFolderNumLimit],
          [0, 0],
        );
      }
    }));
  it('a customer is found by account number and by reference number', async () => {
    for (const by of [{ customer: '87654321' }, { referenceNumber: 'SUB-1' }]) {
      const { id, name, native } = await call(client, 'customer.get', by);
      assert.deepEqual([id, name, native.referenceNumber], ['87654321', 'Sub Account', 'SUB-1']);
    }
    assert.equal((await failing(call(client, 'customer.get', { referenceNumber: 'nobody' }))).code, 'not_found');
    assert.deepEqual(
      vendor.seen.map(({ path, query }) => `${path} ${query}`),
      ['/v1/customers/87654321 ', '/v1/customers referenceNumber=SUB-1', '/v1/customers referenceNumber=nobody'],
    );
  });

  // The wiki's examples and two of its addresses contradict the rest of it; these are the readings taken.
  it('IP addresses go to the IP lists, though the examples of Add print the sender lists', async () => {
    await call(client, 'spamList.add', { mailbox: alex, list: 'blockedIps', value: '216.12.34.2' });
    await call(client, 'spamList.add', { mailbox: alex, list: 'allowedIps', value: '216.12.34.3' });
    await call(client, 'spamList.remove', { mailbox: alex, list: 'allowedIps', value: '216.12.34.3' });
    assert.deepEqual(sent(vendor), [
      'POST /example.com/ex/mailboxes/alex.smith/spam/ipblocklist/216.12.34.2',
      'POST /example.com/ex/mailboxes/alex.smith/spam/ipsafelist/216.12.34.3',
      'DELETE /example.com/ex/mailboxes/alex.smith/spam/ipsafelist/216.12.34.3',
    ]);
  });
  it('ActiveSync has its own address and no field, though its page prints those of BlackBerry', async () => {
    await call(client, 'blackBerry.add', { mailbox: alex, activationPassword: '12345' });
    await call(client, 'activeSync.add', { mailbox: alex });
    await call(client, 'activeSync.delete', { mailbox: alex });
    assert.deepEqual(sent(vendor), [
      'POST /example.com/ex/mailboxes/alex.smith/blackberrymobileservice',
      'POST /example.com/ex/mailboxes/alex.smith/activesyncmobileservice',
      'DELETE /example.com/ex/mailboxes/alex.smith/activesyncmobileservice',
    ]);
    assert.deepEqual(
      vendor.seen.map(s => s.body.toString()),
      ['activationPassword=12345', '', ''],
    );
    const shown = await call(client, 'mailbox.get', { mailbox: alex });
    assert.deepEqual(
      [shown.native.hasBlackBerryMobileService, shown.native.hasActiveSyncMobileService],
      [true, false],
      'the other service was detached',
    );
    await call(client, 'blackBerry.delete', { mailbox: alex });
  });
  it('an edited flag of text type is sent as the words the vendor asks for', async () => {
    await call(client, 'mailbox.update', {
      mailbox: 'user002@example.com',
      enabled: false,
      emailForwardingAddress: '',
    });
    assert.equal(vendor.seen[0]!.body.toString(), 'enabled=false&emailForwardingAddress=');
  });
  it('writes without fields name their length and never expect to be continued', async () => {
    await call(client, 'activeSync.add', { mailbox: 'user003@example.com' });
    assert.deepEqual([vendor.seen[0]!.headers['content-length'], vendor.seen[0]!.headers.expect], ['0', undefined]);
  });
  it('a wildcard and odd names stay inside their segment', async () => {
    await call(client, 'spamList.add', { mailbox: alex, list: 'blockedSenders', value: '@%.bad.example' });
    assert.ok(vendor.seen[0]!.path.endsWith('/spam/blocklist/%40%25.bad.example'));
    const error = await failing(call(client, 'mailbox.get', { mailbox: 'a/customers/x?y#@example.com' }));
    assert.equal(error.code, 'not_found');
    assert.equal(
      vendor.seen[1]!.path,
      '/v1/customers/12345678/domains/example.com/ex/mailboxes/a%2Fcustomers%2Fx%3Fy%23',
    );
  });
  it('rs takes the other branch of the same paths', async () => {
    await all(client, 'spamList.list', {
      mailbox: 'staff001@example.com',
      list: 'blockedSenders',
      service: 'rackspace',
    });
    assert.deepEqual(sent(vendor), ['GET /example.com/rs/mailboxes/staff001/spam/blocklist']);
  });
  it('an account can choose the names of the lists and the customer', async () => {
    const old = clientOf(vendor, { spamListNames: 'blacklist', customer: 'me' });
    const later = clientOf(vendor, { version: 'v0', spamListNames: 'blocklist' });
    await all(old, 'spamList.list', { mailbox: alex, list: 'blockedIps' });
    await all(later, 'domainSpamList.list', { domain: 'example.com', list: 'blockedSenders' });
    assert.deepEqual(
      vendor.seen.map(s => s.path),
      [
        '/v1/customers/me/domains/example.com/ex/mailboxes/alex.smith/spam/ipblacklist',
        '/v0/customers/12345678/domains/example.com/spam/blocklist',
      ],
    );
  });
  it('pages ask for 100 and stop at the total', async () => {
    assert.equal((await all(client, 'mailbox.list', { domain: 'example.com' })).length, 120);
    assert.deepEqual(
      vendor.seen.map(s => s.url.search),
      ['?size=100&offset=0', '?size=100&offset=99'],
    );
    assert.deepEqual(
      (
        await all(client, 'mailbox.list', {
          domain: 'example.com',
          contains: 'smith',
          fields: ['size', 'currentUsage'],
        })
      ).length,
      2,
    );
    assert.equal(vendor.seen.length, 3, 'a whole page was followed by another request');
    const disabled = await all<Mailbox>(client, 'mailbox.list', { domain: 'example.com', enabled: false });
    assert.ok(disabled.length > 5 && disabled.every(one => one.status === 'disabled'));
  });
  it('all customers are asked for by name, and only there', async () => {
    assert.equal((await all(client, 'domain.list', { allCustomers: true, contains: 'subaccount' })).length, 1);
    assert.equal(vendor.seen[0]!.path, '/v1/customers/all/domains');
    assert.equal((await all(client, 'domain.list', { domainNames: ['example.com', 'example.net'] })).length, 2);
  });
});

describe('Rackspace: refused before any request', () => {
  let vendor: Vendor;
  let client: Client;
  before(async () => {
    vendor = await startRackspace();
    client = clientOf(vendor);
  });
  after(() => vendor.close());
  const cases: [string, Account, string | undefined][] = [
    ['mailbox.create', { mailbox: 'a@example.com', displayName: 'A', password: 'short', size: 5 }, 'password'],
    ['mailbox.create', { mailbox: 'a@example.com', displayName: 'A', password: 'long enough', size: 0 }, 'size'],
    ['mailbox.create', { mailbox: 'no address', displayName: 'A', password: 'long enough', size: 5 }, 'mailbox'],
    ['mailbox.update', { mailbox: alex }, undefined],
    ['mailbox.update', { mailbox: alex, emailForwardingAddress: 'abc' }, 'emailForwardingAddress'],
    ['mailbox.list', { domain: 'example.com', startswith: 'a', contains: 'b' }, 'contains'],
    ['blackBerry.list', { domain: 'example.com', startswith: 'a', contains: 'b' }, 'contains'],
    ['alias.list', { domain: 'example.com', startswith: 'a', contains: 'b' }, 'contains'],
    ['domain.list', { startswith: 'a', contains: 'b' }, 'contains'],
    ['rsMailbox.update', { mailbox: alex }, undefined],
    ['spamList.add', { mailbox: alex, list: 'blockedSenders', value: 'abc' }, 'value'],
    ['spamList.add', { mailbox: alex, list: 'allowedSenders', value: '216.12.34.1' }, 'value'],
    ['spamList.add', { mailbox: alex, list: 'blockedIps', value: '123' }, 'value'],
    ['spamList.add', { mailbox: alex, list: 'allowedIps', value: 'junk.example' }, 'value'],
    ['spamList.add', { mailbox: alex, list: 'blockedSenders', value: 'a@b.example,c@d.example' }, 'value'],
    ['spamList.add', { mailbox: alex, list: 'blockedIps', value: '1.2.3' }, 'value'],
    ['spamList.add', { mailbox: alex, list: 'blockedIps', value: '300.4.%.%' }, 'value'],
    ['spamList.add', { mailbox: alex, list: 'blockedIps', value: '10.0.0.0/33' }, 'value'],
    ['spamList.add', { mailbox: alex, list: 'blockedSenders', value: '3.4.%.%' }, 'value'],
    [
      'spamList.edit',
      { mailbox: alex, list: 'blockedSenders', addList: ['abc'], removeList: ['fine.example'] },
      'addList',
    ],
    [
      'spamList.edit',
      { mailbox: alex, list: 'blockedSenders', removeList: ['fine.example', 'a,b.example'] },
      'removeList',
    ],
    ['customer.get', {}, 'customer'],
    ['customer.get', { customer: '87654321', referenceNumber: 'SUB-1' }, 'customer'],
    ['spamList.edit', { mailbox: alex, list: 'blockedSenders' }, undefined],
    ['spamSettings.update', { mailbox: alex }, 'filterlevel'],
    ['spamSettings.update', { mailbox: alex, filterlevel: 'high' }, 'filterlevel'],
    [
      'spamSettings.update',
      { mailbox: alex, filterlevel: 'off', sendtodomainquarantine: true },
      'sendtodomainquarantine',
    ],
    [
      'spamSettings.update',
      { mailbox: alex, filterlevel: 'on', quarantineowner: alex, removeQuarantineOwner: true },
      'removeQuarantineOwner',
    ],
    [
      'rsSpamSettings.update',
      { mailbox: alex, filterLevel: 'on', spamHandling: 'delete', spamFolderAgeLimit: 7 },
      'spamFolderAgeLimit',
    ],
    [
      'domainSpamSettings.update',
      { domain: 'example.com', filterLevel: 'on', defaultQuarantineOwner: alex, removeDefaultQuarantineOwner: true },
      'removeDefaultQuarantineOwner',
    ],
    ['alias.create', { alias: 'x@example.com', aliasEmails: [] }, 'aliasEmails'],
    [
      'alias.create',
      { alias: 'x@example.com', aliasEmails: Array.from({ length: 55 }, (_, i) => `u${i}@example.com`) },
      'aliasEmails',
    ],
    ['blackBerry.add', { mailbox: alex }, 'activationPassword'],
  ];
  for (const [name, input, field] of cases) {
    it(`${name} ${JSON.stringify(input).slice(0, 110)}`, async () => {
      const error = await failing(client.call(name, input) as Promise<unknown>);
      assert.deepEqual(
        [error.code, error.details.issues?.[0]?.field, vendor.seen.length],
        ['invalid_input', field, 0],
        error.message,
      );
    });
  }
  it('off with the quarantine switched off as well is fine, and stays as the vendor forces it', async () => {
    await call(client, 'spamSettings.update', { mailbox: alex, filterlevel: 'on', sendtodomainquarantine: true });
    const off = await call(client, 'spamSettings.update', {
      mailbox: alex,
      filterlevel: 'off',
      sendtodomainquarantine: false,
    });
    assert.deepEqual(off.native, { filterLevel: 'off', sendToDomainQuarantine: false, quarantineOwner: '' });
  });
});

describe('Rackspace: nothing is lost', () => {
  it('an update keeps the forwarding, even where the vendor ends it for an Edit that leaves it out', () =>
    withSandbox({ editEndsForwarding: true }, async vendor => {
      const client = clientOf(vendor);
      const mailbox = 'john.smith@example.com';
      const changed = await call(client, 'mailbox.update', { mailbox, homenumber: '1' });
      assert.equal(changed.native.emailForwardingAddress, 'john@elsewhere.example');
      assert.deepEqual(
        vendor.seen.map(s => s.method),
        ['GET', 'PUT', 'GET'],
      );
      vendor.forget();
      assert.equal(
        (await call(client, 'mailbox.update', { mailbox, emailForwardingAddress: '' })).native.emailForwardingAddress,
        '',
      );
      assert.deepEqual(
        vendor.seen.map(s => s.method),
        ['PUT', 'GET'],
        'what is given need not be read',
      );
    }));
  it('settings of the domain and of rs mailboxes keep what is not given', () =>
    withSandbox({}, async vendor => {
      const client = clientOf(vendor);
      await call(client, 'domainSpamSettings.update', {
        domain: 'example.com',
        filterLevel: 'on',
        forwardToDomainQuarantine: 'nonuser',
        quarantineOwner: alex,
        spamFolderAgeLimit: 30,
        hasFolderCleaner: false,
      });
      const { native } = await call(client, 'domainSpamSettings.update', {
        domain: 'example.com',
        filterLevel: 'exclusive',
        spamFolderNumLimit: 10,
      });
      assert.deepEqual(native, {
        filterLevel: 'exclusive',
        rsEmailSettings: {
          hasFolderCleaner: false,
          spamFolderAgeLimit: 30,
          spamFolderNumLimit: 10,
          spamForwardingAddress: '',
          spamHandling: 'toFolder',
        },
        exchangeSettings: { forwardToDomainQuarantine: 'nonuser', quarantineOwner: alex, defaultQuarantineOwner: '' },
      });
      const cleared = await call(client, 'domainSpamSettings.update', {
        domain: 'example.com',
        filterLevel: 'on',
        removeQuarantineOwner: true,
      });
      assert.equal(cleared.native.exchangeSettings.quarantineOwner, '');
      const mailbox = 'staff001@example.com';
      await call(client, 'rsSpamSettings.update', {
        mailbox,
        filterLevel: 'on',
        spamHandling: 'toAddress',
        spamForwardingAddress: 'spam@elsewhere.example',
      });
      const kept = await call(client, 'rsSpamSettings.update', { mailbox, filterLevel: 'exclusive' });
      assert.equal(kept.native.rsEmailSettings.spamForwardingAddress, 'spam@elsewhere.example');
      // Which details fit is known only after reading; what does not fit is refused before writing.
      vendor.forget();
      const stray = await failing(
        call(client, 'rsSpamSettings.update', { mailbox, filterLevel: 'on', spamFolderAgeLimit: 3 }),
      );
      assert.deepEqual(
        [stray.code, stray.details.issues?.[0]?.field, vendor.seen.map(s => s.method)],
        ['invalid_input', 'spamFolderAgeLimit', ['GET']],
      );
    }));
  for (const [what, fault] of Object.entries({
    'is not there': { status: 404 },
    'is garbled': { malformed: true },
    'never comes': { cut: 'answer' as const },
  })) {
    it(`a mailbox that was made is not reported as failed because the reading of it ${what}`, () =>
      withSandbox({}, async vendor => {
        vendor.fail({ ...fault, method: 'GET', times: 10 });
        const made = await call(clientOf(vendor), 'mailbox.create', {
          mailbox: 'doubt@example.com',
          displayName: 'D',
          password: 'Secret123',
          size: 5,
        });
        assert.deepEqual([made.id, made.email, made.status], ['doubt@example.com', 'doubt@example.com', 'unknown']);
        assert.match(String(made.native.note), /^The change was made, but reading it back failed: /);
        vendor.mend();
        assert.equal((await call(clientOf(vendor), 'mailbox.get', { mailbox: 'doubt@example.com' })).status, 'active');
      }));
  }
  it('a renamed rs mailbox is read under its new name; a deleted one can be brought back', () =>
    withSandbox({}, async vendor => {
      const client = clientOf(vendor);
      assert.equal(
        (
          await call(client, 'rsMailbox.update', {
            mailbox: 'staff002@example.com',
            name: 'renamed',
            emailForwardingAddresses: 'a@o.example, b@o.example',
          })
        ).id,
        'renamed@example.com',
      );
      const shown = await call(client, 'rsMailbox.get', { mailbox: 'renamed@example.com' });
      assert.deepEqual(shown.native.emailForwardingAddressList, ['a@o.example', 'b@o.example']);
      assert.deepEqual(
        (await call(client, 'rsMailbox.update', { mailbox: 'renamed@example.com', emailForwardingAddresses: [] }))
          .native.emailForwardingAddressList,
        [],
      );
      await call(client, 'rsMailbox.delete', { mailbox: 'renamed@example.com' });
      const back = await call(client, 'rsMailbox.create', {
        mailbox: 'renamed@example.com',
        password: 'Secret123',
        size: 25600,
        recoverDeleted: true,
      });
      assert.equal(back.name, 'Staff 2');
    }));
  it('a read that is throttled is tried again, with the same words as the error of one that stays so', () =>
    withSandbox({}, async vendor => {
      vendor.fail({ throttle: true });
      await call(clientOf(vendor), 'account.check', {});
      assert.equal(vendor.seen.length, 2);
    }));
  it('mailboxes deleted while the list is read cost no other its place, and the feed tells of none but them', () =>
    withSandbox({}, async vendor => {
      const client = clientOf(vendor);
      const input = { domain: 'example.com' };
      const { cursor } = await client.since('mailboxChanged', input);
      const names: string[] = [];
      for await (const { id } of client.call('mailbox.list', input)) {
        names.push(id);
        if (names.length === 10) await call(client, 'mailbox.delete', { mailbox: 'user003@example.com' });
      }
      assert.deepEqual([names.length, new Set(names).size], [120, 120]);
      // Between the first page and the second two of the first go; they were seen, so they are news at the next look.
      const gone: string[] = [];
      const reading = connect(
        rackspace,
        { ...vendor.account, concurrent: 50, perMinute: 60_000 },
        {
          async allow(url) {
            if (gone.length || url.searchParams.get('offset') === '0') return;
            gone.push('user004@example.com', 'user005@example.com');
            for (const mailbox of gone) await call(client, 'mailbox.delete', { mailbox });
          },
        },
      );
      const ids = async (from: string) => {
        const look = await reading.since('mailboxChanged', input, from);
        return { ...look, ids: look.items.map(({ item }) => (item as { id: string }).id).sort() };
      };
      const look = await ids(cursor);
      assert.deepEqual(look.ids, ['user003@example.com']);
      assert.deepEqual((await ids(look.cursor)).ids, gone);
    }));
  it('the feed tells what happened, and is not woken by usage', () =>
    withSandbox({}, async vendor => {
      const client = clientOf(vendor);
      const input = { domain: 'example.net' };
      const { cursor } = await client.since('mailboxChanged', input);
      await call(client, 'mailbox.create', {
        mailbox: 'new@example.net',
        displayName: 'New',
        password: 'Secret123',
        size: 5,
      });
      await call(client, 'mailbox.update', { mailbox: 'team01@example.net', displayName: 'First Team' });
      await call(client, 'activeSync.add', { mailbox: 'team02@example.net' });
      await call(client, 'mailbox.delete', { mailbox: 'team03@example.net' });
      const { items } = await client.since('mailboxChanged', input, cursor);
      assert.deepEqual(
        items
          .map(({ item }) => {
            const { change, id } = item as { change: string; id: string };
            return `${change} ${id}`;
          })
          .sort(),
        [
          'changed team01@example.net',
          'changed team02@example.net',
          'created new@example.net',
          'deleted team03@example.net',
        ],
      );
      assert.ok(vendor.seen.every(s => !s.url.search.includes('currentUsage')));
    }));
});

describe('Rackspace: answers the sandbox does not give', () => {
  const one = (client: Client) => call(client, 'mailbox.get', { mailbox: alex });
  for (const [what, reply, code, message] of [
    [
      'an XML fault of any root',
      {
        status: 400,
        body: '<?xml version="1.0"?><x:whatever xmlns:x="urn:x"><x:Code>400</x:Code><x:Message>Odd &amp; wrong</x:Message></x:whatever>',
      },
      'rejected',
      'Odd & wrong',
    ],
    [
      'a JSON fault to a request for XML',
      { status: 403, body: '{"unauthorizedFault":{"message":"Exceeded request limits","code":403}}' },
      'rate_limited',
      'Exceeded request limits',
    ],
    [
      'a header alone',
      { status: 404, headers: { 'x-error-message': 'Customer Not Found' } },
      'not_found',
      'Customer Not Found',
    ],
    [
      'a fault and another header: the fault is the later one',
      { status: 404, headers: { 'x-error-message': 'Header' }, body: '{"itemNotFoundFault":{"message":"Body"}}' },
      'not_found',
      'Body',
    ],
    [
      'a refusal for lack of rights',
      { status: 403, headers: { 'x-error-message': 'Resellers only' } },
      'forbidden',
      'Resellers only',
    ],
    [
      'a format refused on a newer page',
      { status: 404, headers: { 'x-error-message': 'Invalid format' } },
      'rejected',
      'Invalid format',
    ],
    [
      'a format refused on an older page',
      { status: 406, headers: { 'x-error-message': 'Invalid format' } },
      'rejected',
      'Invalid format',
    ],
    ['a conflict by status', { status: 409, body: '{"appsFault":{"message":"Busy","code":409}}' }, 'conflict', 'Busy'],
    [
      'plain words',
      { status: 400, body: 'Bad Request - Invalid Hostname' },
      'rejected',
      'Rackspace Email answered with status 400: Bad Request - Invalid Hostname.',
    ],
  ] as [string, Reply, ErrorCode, string][]) {
    it(`${what}: ${code}`, () =>
      saying(
        () => reply,
        async client => {
          const error = await failing(call(client, 'mailbox.delete', { mailbox: alex }));
          assert.deepEqual([error.code, error.message], [code, message]);
        },
      ));
  }
  it('a 403 without a word says what it may mean', () =>
    saying(
      () => ({ status: 403 }),
      async client => {
        const error = await failing(one(client));
        assert.equal(error.code, 'forbidden');
        assert.match(error.message, /without saying why/);
      },
    ));
  it('a JSON account understands an XML fault by its header, and an XML account a JSON answer', async () => {
    await saying(
      () => ({
        status: 404,
        headers: { 'x-error-message': 'Mailbox not found' },
        body: '<f><message>Mailbox not found</message></f>',
      }),
      async client => {
        assert.equal((await failing(one(client))).message, 'Mailbox not found');
      },
      { answerFormat: 'json' },
    );
    await saying(
      () => ({ status: 200, body: '{"name":"alex.smith","displayName":" ","enabled":true}' }),
      async client => {
        const got = await one(client);
        assert.deepEqual(
          [got.status, got.native.displayName, 'name' in got],
          ['active', '', false],
          'a single space is an empty text',
        );
      },
    );
  });
  it('a single space is an empty text in XML too', () =>
    saying(
      () => xml('<mailbox><name>alex.smith</name><displayName> </displayName><enabled>True</enabled></mailbox>'),
      async client => {
        const got = await one(client);
        assert.deepEqual([got.status, got.native.displayName], ['active', '']);
      },
    ));
  for (const [what, reply] of Object.entries({
    'a web page': xml('<html><body><p>Sign in</p></body></html>'),
    'a mailbox without a name': xml('<mailbox><displayName>x</displayName></mailbox>'),
    'a document type': xml('<!DOCTYPE mailbox [<!ENTITY n "alex">]><mailbox><name>&n;</name></mailbox>'),
    nothing: { status: 200 },
    'a bare root': xml('<mailbox/>'),
  })) {
    it(`${what} is no mailbox`, () =>
      saying(
        () => reply,
        async client => assert.equal((await failing(one(client))).code, 'protocol'),
      ));
    it(`${what} is no list of mailboxes`, () =>
      saying(
        () => reply,
        async client => {
          assert.equal((await failing(client.call('mailbox.list', { domain: 'example.com' }))).code, 'protocol');
        },
      ));
    it(`${what} is no spam list`, () =>
      saying(
        () => reply,
        async client => {
          assert.equal(
            (await failing(client.call('spamList.list', { mailbox: alex, list: 'blockedIps' }))).code,
            'protocol',
          );
        },
      ));
  }
  it('a web page in answer to a write is no proof that it was done', () =>
    saying(
      () => xml('<html><body>Sign in</body></html>'),
      async client => {
        assert.equal((await failing(call(client, 'mailbox.delete', { mailbox: alex }))).code, 'protocol');
      },
    ));
  it('an index without its total is refused; that of aliases may have none', async () => {
    await saying(
      () => xml('<mailboxList><mailboxes><mailbox><name>a</name></mailbox></mailboxes></mailboxList>'),
      async client => {
        assert.equal((await failing(client.call('mailbox.list', { domain: 'example.com' }))).code, 'protocol');
      },
    );
    await saying(
      () =>
        xml(
          '<aliasList><aliases><alias><name>sales</name><numberOfMembers>2</numberOfMembers></alias></aliases></aliasList>',
        ),
      async client => {
        assert.deepEqual(
          (await all(client, 'alias.list', { domain: 'example.com' })).map(a => [
            a.id,
            (a.native as Account).numberOfMembers,
          ]),
          [['sales@example.com', 2]],
        );
      },
    );
  });
  it('mobile service lists are read whatever their elements are called', async () => {
    for (const body of [
      '<A><offset>0</offset><size>50</size><total>1</total><B><C><name>john.smith</name></C></B></A>',
      '{"offset":0,"size":50,"total":1,"z":[{"name":"john.smith"}]}',
    ]) {
      await saying(
        () => ({ status: 200, body }),
        async client => {
          assert.deepEqual(
            (await all(client, 'blackBerry.list', { domain: 'example.com' })).map(item => item.id),
            ['john.smith@example.com'],
          );
        },
      );
    }
    await saying(
      () => xml('<A><offset>0</offset><size>50</size><total>0</total><B/></A>'),
      async client => assert.deepEqual(await all(client, 'activeSync.list', { domain: 'example.com' }), []),
    );
  });
  it('pages smaller than asked for lose nothing', () =>
    saying(
      request => {
        const offset = Number(request.query.get('offset'));
        return {
          status: 200,
          body: {
            offset,
            size: 2,
            total: 5,
            mailboxes: [0, 1]
              .map(i => offset + i)
              .filter(i => i < 5)
              .map(i => ({ name: `m${i}` })),
          },
        };
      },
      async (client, vendor) => {
        assert.deepEqual(
          (await all(client, 'mailbox.list', { domain: 'example.com' })).map(item => item.id),
          [0, 1, 2, 3, 4].map(i => `m${i}@example.com`),
        );
        assert.equal(vendor.seen.length, 4);
      },
    ));
  it('a page that is empty before the total ends the list and does not turn in circles', () =>
    saying(
      () => ({ status: 200, body: { offset: 0, size: 100, total: 5, mailboxes: [] } }),
      async (client, vendor) => {
        assert.deepEqual(await all(client, 'mailbox.list', { domain: 'example.com' }), []);
        assert.equal(vendor.seen.length, 1);
      },
    ));
  it('the members of an alias are read in both shapes', async () => {
    for (const reply of [
      xml('<i><name>sales</name><emailAddressList><emailAddress>a@example.com</emailAddress></emailAddressList></i>'),
      { status: 200, body: '{"name":"sales","emailAddressList":{"emailAddress":["a@example.com"]}}' },
      { status: 200, body: '{"name":"sales","emailAddressList":["a@example.com"]}' },
    ]) {
      await saying(
        () => reply,
        async client =>
          assert.equal((await call(client, 'alias.get', { alias: 'sales@example.com' })).mailbox, 'a@example.com'),
      );
    }
  });
});
