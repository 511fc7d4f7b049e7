import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { connect, isMailError, MailError, take, type Client, type Mailbox } from '../../shared/index.js';
import { attributes, readable, writable } from '../../shared/providers/outreach/attributes.js';
import { explain, limitsOf, waitOf } from '../../shared/providers/outreach/api.js';
import { outreach, verifySignature } from '../../shared/providers/outreach/index.js';
import { toMailbox } from '../../shared/providers/outreach/mailbox.js';
import { MAILBOX, startOutreach, type OutreachVendor, type Switches } from '../sandbox/outreach.js';
import { outreach as theCase, tokenFor } from './outreach.case.js';

const SEED = [
  'Get a Collection of Mailboxes',
  'Create a New Mailbox',
  'Delete an Existing Mailbox by ID',
  'Get a Mailbox by ID',
  'Update a Mailbox',
  'Link Ews Master Account',
  'Test Send',
  'Test Sync',
  'Unlink Ews Master Account',
];
const failure = async (promise: Promise<unknown>): Promise<MailError> => {
  try {
    await promise;
  } catch (error) {
    assert.ok(isMailError(error), String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
};
const bodyOf = (text: string) => ({ status: 422, headers: {}, body: Buffer.from(text) });

describe('outreach', () => {
  let vendor: OutreachVendor;
  let client: Client;
  const start = async (switches: Partial<Switches> = {}) => {
    vendor = await startOutreach({ grantSpacing: false, ...switches });
    vendor.stopClock();
    client = connect(outreach, { ...vendor.account, perMinute: 60_000 }, { token: tokenFor(vendor) });
  };
  beforeEach(() => start());
  afterEach(() => vendor.close());
  const call = (name: string, input: Record<string, unknown>) =>
    client.call(name, input) as Promise<Record<string, unknown>>;
  const list = <T = Mailbox>(name: string, input: Record<string, unknown> = {}, count = Infinity) =>
    take(client.call(name, input) as AsyncIterable<T>, count);
  const last = () => vendor.seen.at(-1)!;

  describe('table of attributes', () => {
    it("is the vendor's: fifty, with the same marks, lengths and closed sets", () => {
      assert.deepEqual(Object.keys(attributes).sort(), Object.keys(MAILBOX).sort());
      assert.equal(Object.keys(attributes).length, 50);
      for (const [name, theirs] of Object.entries(MAILBOX)) {
        const { access, field } = attributes[name as keyof typeof attributes] as {
          access: string;
          field: Record<string, unknown>;
        };
        assert.equal(access, theirs.access, name);
        const kinds = {
          string: ['text', 'choice'],
          integer: ['number', 'choice'],
          boolean: ['flag'],
          datetime: ['time'],
          strings: [],
        }[theirs.kind] as string[];
        assert.ok(kinds.includes(field.type as string), name);
        if (field.type === 'text') assert.equal(field.maxLength, theirs.max, name);
        if (theirs.values) assert.deepEqual(Object.keys(field.choices as object), theirs.values.map(String), name);
        if (field.type === 'choice' && !theirs.values) assert.equal(field.open, true, name);
        assert.ok(field.group, name);
      }
    });
    it('gives writes everything but what the vendor sets, and reads everything but secrets and validation', () => {
      assert.equal(Object.keys(writable).length, 38);
      assert.equal(Object.keys(readable).length, 45);
      for (const name of ['password', 'smtpPassword', 'sendgridApiKey']) {
        assert.ok(name in writable && !(name in readable));
        assert.equal((writable as Record<string, { secret?: boolean }>)[name]!.secret, true);
      }
    });
    it('sends every writable attribute as the vendor spells it', async () => {
      const values: Record<string, unknown> = {
        email: 'all@acme.test',
        username: 'all',
        password: 'p',
        emailProvider: 'something_new',
        authId: 7,
        emailHash: 'h',
        imapHost: 'imap.acme.test',
        imapPort: 993,
        imapSsl: true,
        smtpHost: 'smtp.acme.test',
        smtpPort: 587,
        smtpSsl: true,
        smtpUsername: 'u',
        smtpPassword: 'q',
        ewsEndpoint: 'https://ews.acme.test/x',
        ewsSslVerifyMode: '2',
        exchangeVersion: 'Exchange2007_SP1',
        sendgridApiKey: 'SG.k',
        sendThreshold: 2,
        sendPeriod: 60,
        sendMaxRetries: 3,
        maxMailingsPerDay: 500,
        maxMailingsPerWeek: 5000,
        maxEmailsPerDay: 9,
        sendMethod: 'smtp',
        sendDisabled: false,
        sendRequiresSync: true,
        syncMethod: 'imap',
        syncDisabled: false,
        syncActiveFrequency: 60,
        syncPassiveFrequency: 900,
        syncOutreachFolder: true,
        prospectEmailExclusions: '*@a.test\nb@c.test',
        validateSend: true,
        validateSync: true,
        emailSignature: '<p>x</p>\n',
        optOutMessage: 'm',
        optOutSignature: '<a>s</a>',
      };
      assert.deepEqual(Object.keys(values).sort(), Object.keys(writable).sort());
      const created = await client.call('mailbox.create', { ...values, user: '3' });
      const sent = (JSON.parse(last().body.toString()) as { data: { attributes: object; relationships: unknown } })
        .data;
      assert.deepEqual(sent.attributes, { ...values, ewsSslVerifyMode: 2 });
      assert.deepEqual(sent.relationships, { user: { data: { type: 'user', id: 3 } } });
      const answered = (created.native as { attributes: Record<string, unknown> }).attributes;
      for (const name of ['password', 'smtpPassword', 'sendgridApiKey', 'validateSend', 'validateSync'])
        assert.ok(!(name in answered), name);
    });
  });

  it('fulfils every operation of the order', () => {
    const named = Object.values(outreach.operations).flatMap(operation => operation?.orders ?? []);
    assert.deepEqual(named.sort(), [...SEED].sort());
  });
  it('has an example for each operation, and each runs', async () => {
    assert.deepEqual(Object.keys(theCase.examples).sort(), Object.keys(outreach.operations).sort());
    for (const [name, example] of Object.entries(theCase.examples)) {
      const input = await example(client, vendor);
      const result = client.call(name, input) as unknown;
      if (name.endsWith('.list')) assert.ok((await take(result as AsyncIterable<unknown>)).length > 0, name);
      else await result;
    }
  });

  describe('mailboxes', () => {
    it("names the common part, the ids behind relationships, and leaves the vendor's object as it came", async () => {
      const mailbox = (await client.call('mailbox.get', { mailbox: '1' })) as Mailbox & Record<string, unknown>;
      assert.deepEqual(
        {
          id: mailbox.id,
          email: mailbox.email,
          status: mailbox.status,
          user: mailbox.user,
          creator: mailbox.creator,
          updater: mailbox.updater,
        },
        { id: '1', email: 'ann@acme.test', status: 'active', user: '1', creator: '1', updater: '1' },
      );
      assert.equal((mailbox.native as { id: number }).id, 1);
      assert.ok(!('canWrite' in mailbox));
    });
    it("reads the status from the vendor's times and switches", async () => {
      const status = async (mailbox: string) => (await client.call('mailbox.get', { mailbox })).status;
      assert.deepEqual([await status('1'), await status('2'), await status('5')], ['active', 'error', 'disabled']);
      assert.equal((await client.call('mailbox.get', { mailbox: '1', fields: ['email'] })).status, 'unknown');
    });
    it('does not stumble over relationships without data or links, nulls, and text ids', async () => {
      vendor.switches.bareRelationships = true;
      assert.ok(!('updater' in (await call('mailbox.get', { mailbox: '1' }))));
      assert.deepEqual(toMailbox({ id: '7', attributes: { email: null } }), {
        id: '7',
        status: 'unknown',
        native: { id: '7', attributes: { email: null } },
      });
      assert.equal(toMailbox({ id: 7, attributes: { userId: 4 } }).user, '4');
    });
    it("walks pages through the vendor's own link, unchanged", async () => {
      assert.equal((await list('mailbox.list', { sort: '-createdAt' })).length, 125);
      assert.equal(vendor.seen.length, 2);
      assert.ok(last().url.search.includes('page[after]='), 'brackets as the vendor wrote them');
      assert.equal(vendor.seen[0]!.query.get('page[size]'), '100');
    });
    it('filters and sorts where the vendor allows it', async () => {
      assert.deepEqual(
        (await list('mailbox.list', { email: 'ben@acme.test' })).map(m => m.id),
        ['2'],
      );
      assert.equal(last().query.get('filter[email]'), 'ben@acme.test');
      assert.deepEqual(
        (await list('mailbox.list', { user: '3' })).map(m => m.id),
        ['3'],
      );
      assert.equal(last().query.get('filter[user][id]'), '3');
      assert.deepEqual(
        (await list('mailbox.list', { ids: ['3', '9'] })).map(m => m.id),
        ['3', '9'],
      );
      const all = await list('mailbox.list', { sort: 'createdAt' });
      const third = all[2]!.createdAt!;
      assert.equal((await list('mailbox.list', { createdAtTo: third })).length, 3);
      assert.equal(last().query.get('filter[createdAt]'), `neginf..${third}`);
      assert.equal((await list('mailbox.list', { createdAtFrom: third })).length, 123);
      assert.equal(
        (await list('mailbox.list', { updatedAtFrom: all[9]!.updatedAt, updatedAtTo: all[11]!.updatedAt })).length,
        3,
      );
      const emails = (await list('mailbox.list', { sort: '-email' })).map(m => m.email!);
      assert.deepEqual(emails, [...emails].sort().reverse());
      for (const sort of ['createdAt', '-createdAt', 'email', '-email', 'updatedAt', '-updatedAt', 'userId', '-userId'])
        assert.equal((await list('mailbox.list', { sort }, 1)).length, 1);
    });
    it('refuses other filters, other sorts and crossed ranges before any request', async () => {
      for (const input of [
        { sendDisabled: true },
        { sort: 'sendDisabled' },
        { fields: ['password'] },
        { user: 'ann' },
        { ids: ['1,2..9'] },
        { createdAtFrom: '2026-02-01', createdAtTo: '2026-01-01' },
      ]) {
        assert.equal((await failure(list('mailbox.list', input))).code, 'invalid_input', JSON.stringify(input));
      }
      assert.equal(vendor.seen.length, 0);
    });
    it('asks for some attributes only, and for what the caller may do', async () => {
      const [one] = await list<Mailbox & { canWrite?: boolean; canDelete?: boolean }>('mailbox.list', {
        ids: ['4'],
        fields: ['email', 'userId'],
        provideAuthorizationMeta: true,
      });
      assert.deepEqual((one!.native as { attributes: object }).attributes, { email: one!.email, userId: 4 });
      assert.deepEqual([one!.canWrite, one!.canDelete], [false, false]);
      assert.equal((await call('mailbox.get', { mailbox: '1', provideAuthorizationMeta: true })).canDelete, true);
    });
    it('counts on request, and says when the vendor cut it short', async () => {
      assert.deepEqual(await call('mailbox.count', { user: '120' }), {
        count: 6,
        truncated: false,
        native: { count: 6, count_truncated: false },
      });
      assert.equal(last().query.get('page[size]'), '1');
      vendor.switches.countTruncated = true;
      assert.equal((await call('mailbox.count', {})).truncated, true);
    });
    it('changes only what is given, empties texts with null, and sends ids as whole numbers', async () => {
      await client.call('mailbox.update', { mailbox: '1', emailSignature: '', maxMailingsPerDay: 9, user: '2' });
      assert.deepEqual(JSON.parse(last().body.toString()), {
        data: {
          type: 'mailbox',
          id: 1,
          attributes: { emailSignature: null, maxMailingsPerDay: 9 },
          relationships: { user: { data: { type: 'user', id: 2 } } },
        },
      });
      const now = (await client.call('mailbox.get', { mailbox: '1' })) as Mailbox & { user?: string };
      assert.equal(now.user, '2');
      assert.equal((await failure(call('mailbox.update', { mailbox: '1' }))).code, 'invalid_input');
      assert.equal(
        (await failure(call('mailbox.update', { mailbox: '1', updatedAt: '2026-01-01' }))).code,
        'invalid_input',
      );
    });
    it('deletes', async () => {
      assert.deepEqual(await call('mailbox.delete', { mailbox: '6' }), { id: '6', native: {} });
      assert.equal((await failure(call('mailbox.get', { mailbox: '6' }))).code, 'not_found');
    });
    it('tests sending and syncing, and links the EWS master account once', async () => {
      assert.equal(((await client.call('mailbox.testSend', { mailbox: '1' })) as Mailbox).id, '1');
      const failed = await failure(call('mailbox.testSend', { mailbox: '2' }));
      assert.deepEqual(
        [failed.code, failed.message, failed.details.status],
        ['rejected', 'Validation Error: Smtp connection failed.', 422],
      );
      assert.equal(((await client.call('mailbox.testSync', { mailbox: '2' })) as Mailbox).id, '2');
      assert.equal(last().body.length, 0);
      assert.deepEqual(await call('mailbox.linkEwsMasterAccount', { mailbox: '3' }), { id: '3', native: {} });
      assert.equal((await failure(call('mailbox.linkEwsMasterAccount', { mailbox: '3' }))).code, 'rejected');
      assert.deepEqual(await call('mailbox.unlinkEwsMasterAccount', { mailbox: '3' }), { id: '3', native: {} });
    });
    it("tells 403 of governance and of scope in the vendor's words", async () => {
      assert.match(
        (await failure(call('mailbox.update', { mailbox: '4', sendDisabled: true }))).message,
        /not authorized to change mailbox 4/,
      );
      const { accessToken } = vendor.issue(['mailboxes.write']);
      const narrow = connect(outreach, vendor.account, { token: async () => accessToken });
      const refused = await failure(narrow.call('account.check', {}));
      assert.deepEqual(
        [refused.code, refused.message],
        ['forbidden', "Unauthorized OAuth Scope: Your authorization is missing the required scope 'mailboxes.read'."],
      );
    });
  });

  describe('pages', () => {
    it('are halved when the gateway gives up on them, and nothing is lost or repeated', async () => {
      vendor.switches.heaviestPage = 30;
      const all = await list<{ id: string }>('mailing.list', { mailbox: '1' });
      assert.deepEqual(
        all.map(m => m.id),
        Array.from({ length: 230 }, (_, i) => String(i + 1)),
      );
      assert.deepEqual([...new Set(vendor.seen.map(s => s.query.get('page[size]')))], ['100', '50', '25']);
    });
    it('are halved in the middle of a walk too', async () => {
      const walk = (client.call('mailing.list', { mailbox: '1' }) as AsyncIterable<{ id: string }>)[
        Symbol.asyncIterator
      ]();
      const ids = [(await walk.next()).value!.id as string];
      vendor.switches.heaviestPage = 60;
      for (let next = await walk.next(); !next.done; next = await walk.next()) ids.push(next.value.id);
      assert.deepEqual(
        ids,
        Array.from({ length: 230 }, (_, i) => String(i + 1)),
      );
    });
    it('that always fail end in unavailable after a bounded number of tries', async () => {
      vendor.fail({ status: 502, body: '<html>Bad Gateway</html>', times: 100 });
      assert.equal((await failure(list('mailing.list'))).code, 'unavailable');
      assert.ok(vendor.seen.length <= 7, String(vendor.seen.length));
    }).timeout(10_000);
    it('are never followed to another origin: the token stays here', async () => {
      const elsewhere = await startOutreach();
      elsewhere.stopClock();
      try {
        const link = `${elsewhere.url}/api/v2/mailboxes?page[after]=x`;
        vendor.fail({
          status: 200,
          headers: { 'content-type': 'application/vnd.api+json' },
          body: JSON.stringify({ data: [{ type: 'mailbox', id: 1, attributes: {} }], links: { next: link } }),
        });
        const refused = await failure(list('mailbox.list'));
        assert.equal(refused.code, 'protocol');
        assert.match(refused.message, /named a next page at http:\/\/127\.0\.0\.1/);
        assert.equal(elsewhere.seen.length, 0);
      } finally {
        await elsewhere.close();
      }
    });
    it('that lead back to themselves end the list', async () => {
      vendor.fail({
        status: 200,
        body: JSON.stringify({
          data: [],
          links: { next: `${vendor.url}/api/v2/mailboxes?page%5Bsize%5D=100&count=false` },
        }),
        times: 5,
      });
      assert.match((await failure(list('mailbox.list'))).message, /that was read before/);
    });
    it('go on with a new token when the old one ends in the middle', async () => {
      const walk = (client.call('mailing.list', {}) as AsyncIterable<{ id: string }>)[Symbol.asyncIterator]();
      const ids = [(await walk.next()).value!.id as string];
      vendor.advance(7_201_000);
      for (let next = await walk.next(); !next.done; next = await walk.next()) ids.push(next.value.id);
      assert.equal(new Set(ids).size, 260);
      assert.equal(vendor.grants, 1);
    });
    it('without a list or without ids are a protocol error', async () => {
      for (const body of ['{}', '{"data":{}}', '{"data":[{"type":"mailbox"}]}', '[]', 'null', '']) {
        vendor.fail({ status: 200, body });
        assert.equal((await failure(list('mailbox.list'))).code, 'protocol', body);
      }
    });
  });

  describe('errors', () => {
    it('of 422 become issues on our fields', async () => {
      const refused = await failure(
        call('mailbox.create', { email: 'ann@acme.test', user: '1', syncOutreachFolder: true }),
      );
      assert.equal(refused.code, 'rejected');
      assert.deepEqual(refused.details.issues, [
        { field: 'email', message: 'Email has already been taken.' },
        { field: 'syncOutreachFolder', message: 'Sync outreach folder is only available for Exchange2007_SP1.' },
      ]);
      assert.deepEqual((await failure(call('mailbox.create', { email: 'x@acme.test' }))).details.issues, [
        { field: 'user', message: "User can't be blank." },
      ]);
      assert.deepEqual(
        (await failure(call('mailbox.update', { mailbox: '1', smtpHost: 'x.invalid', validateSend: true }))).details
          .issues,
        [{ field: 'validateSend', message: 'Smtp connection failed.' }],
      );
    });
    it('never repeat a secret that was sent', async () => {
      const secret = 'hunter2';
      vendor.fail({
        status: 422,
        body: JSON.stringify({
          errors: [
            {
              id: 'validationError',
              title: 'Validation Error',
              detail: `Password ${secret} was refused.`,
              source: { pointer: '/data/attributes/password' },
            },
          ],
        }),
      });
      const refused = await failure(call('mailbox.update', { mailbox: '1', password: secret }));
      assert.ok(!JSON.stringify([refused.message, refused.details]).includes(secret), refused.message);
      assert.deepEqual(refused.details.issues, [{ field: 'password', message: 'Password *** was refused.' }]);
    });
    it('of the edge lead to one renewal, then to unauthorized in its words', async () => {
      vendor.revoke();
      await client.call('account.check', {});
      assert.equal(vendor.grants, 1);
      const fixed = connect(outreach, vendor.account, { token: async () => 'nonsense' });
      const refused = await failure(fixed.call('account.check', {}));
      assert.deepEqual(
        [refused.code, refused.message],
        ['unauthorized', 'Invalid JWT token. The JWT token could not be decoded.'],
      );
    });
    it('spell their text detail or details', () => {
      const said = (member: string) =>
        explain(
          bodyOf(
            JSON.stringify({ errors: [{ id: 'x', title: 'Unsupported Media Type', [member]: 'Use the other one.' }] }),
          ),
        )?.message;
      assert.equal(said('detail'), 'Unsupported Media Type: Use the other one.');
      assert.equal(said('details'), 'Unsupported Media Type: Use the other one.');
    });
    it('point at attributes, relationships, or nothing', () => {
      const issues = (pointer: string) =>
        explain(bodyOf(JSON.stringify({ errors: [{ detail: 'x', source: { pointer } }] })))?.issues;
      assert.deepEqual(issues('/data/attributes/name'), [{ field: 'name', message: 'x' }]);
      assert.deepEqual(issues('/data/relationships/user/data'), [{ field: 'user', message: 'x' }]);
      assert.deepEqual(issues('/data'), []);
    });
    it('of the hourly limit say when to go on', async () => {
      // The vendor's clock is moved, ours is not: an account that was told to rest is taken for another afterwards.
      const other = (key: string) =>
        connect(outreach, { ...vendor.account, perMinute: 60_000 }, { token: tokenFor(vendor), key });
      for (const resetFormat of ['epoch', 'iso'] as const) {
        vendor.switches.resetFormat = resetFormat;
        vendor.fail({ throttle: true });
        const refused = await failure(other(resetFormat).call('account.check', {}));
        assert.equal(refused.code, 'rate_limited');
        assert.ok(Math.abs(refused.details.retryAfter! - 1800) < 5, String(refused.details.retryAfter));
      }
      vendor.switches.hourlyLimit = 3;
      for (let i = 0; i < 3; i++) await other('limited').call('account.check', {});
      const refused = await failure(other('limited').call('account.check', {}));
      assert.ok(refused.details.retryAfter! > 3500);
      vendor.advance(3_600_000);
      await other('later').call('account.check', {});
    });
    it('of maintenance name an ISO time without zone', async () => {
      const at = new Date(Date.now() + 120_000).toISOString().slice(0, 19);
      vendor.fail({
        status: 503,
        headers: { 'retry-after': at },
        body: JSON.stringify({ errors: [{ id: 'scheduledServerMaintenance', title: 'Scheduled Server Maintenance' }] }),
      });
      const refused = await failure(client.call('account.check', {}));
      assert.equal(refused.code, 'unavailable');
      assert.ok(refused.details.retryAfter! > 100 && refused.details.retryAfter! <= 120);
    });
    it('leave a write alone: it is sent once', async () => {
      vendor.fail({ status: 503, times: 5 });
      assert.equal((await failure(call('mailbox.create', { email: 'once@acme.test', user: '1' }))).code, 'unavailable');
      assert.equal(vendor.seen.length, 1);
    });
  });

  describe('limits', () => {
    const now = Date.parse('2026-11-21T09:00:00Z');
    it('are read in every form that is seen', () => {
      const wait = (value: string) => waitOf({ 'retry-after': value }, now);
      for (const value of [
        '60',
        String(now / 1000 + 60),
        String(now + 60_000),
        '2026-11-21T09:01:00.000Z',
        '2026-11-21T09:01:00',
        '2026-11-21T10:01:00+01:00',
        'Sat, 21 Nov 2026 09:01:00 GMT',
      ])
        assert.equal(wait(value), 60, value);
      assert.equal(waitOf({ 'x-ratelimit-reset': String(now / 1000 + 5) }, now), 5);
      assert.equal(waitOf({ 'retry-after': 'soon' }, now), undefined);
      assert.equal(wait('2020-01-01T00:00:00Z'), 0);
      assert.deepEqual(
        limitsOf({
          'x-ratelimit-limit': '10000',
          'x-ratelimit-remaining': '9999, 19988',
          'x-ratelimit-reset': String(now / 1000),
        }),
        { limit: 10000, remaining: 9999, resetAt: '2026-11-21T09:00:00.000Z' },
      );
      assert.deepEqual(limitsOf({}), {});
    });
    it('are told on request', async () => {
      vendor.switches.dualRemaining = true;
      const { limit, remaining, resetAt } = await call('rateLimit.get', {});
      assert.deepEqual([limit, remaining, typeof resetAt], [10_000, 9999, 'string']);
    });
  });

  describe('neighbours', () => {
    it('are aliases with their mailbox', async () => {
      const aliases = await list<{ mailbox: string; email: string }>('alias.list', { mailbox: '1' });
      assert.equal(aliases.length, 110);
      assert.ok(aliases.every(alias => alias.mailbox === '1' && alias.email));
      assert.equal((await call('alias.get', { alias: '111' })).mailbox, '11');
    });
    it('are mailings by state, time and every relationship that can be filtered', async () => {
      const bounced = await list<{ state: string }>('mailing.list', { mailbox: '1', state: ['bounced', 'failed'] });
      assert.deepEqual([...new Set(bounced.map(m => m.state))].sort(), ['bounced', 'failed']);
      for (const name of [
        'prospect',
        'sequence',
        'sequenceState',
        'sequenceStep',
        'template',
        'task',
        'opportunity',
        'user',
        'followUpSequence',
      ])
        await list('mailing.list', { [name]: '1' }, 1);
      for (const time of [
        'createdAt',
        'updatedAt',
        'scheduledAt',
        'deliveredAt',
        'openedAt',
        'clickedAt',
        'repliedAt',
        'bouncedAt',
        'unsubscribedAt',
        'retryAt',
        'stateChangedAt',
        'notifyThreadScheduledAt',
      ]) {
        await list('mailing.list', { [`${time}From`]: '2026-01-01T00:00:00Z', sort: `-${time}` }, 1);
      }
      for (const [name, value] of Object.entries({
        mailingType: 'single',
        notifyThreadStatus: 'sent',
        messageId: '<1@acme.test>',
      }))
        await list('mailing.list', { [name]: value, sort: name }, 1);
      await list(
        'mailing.list',
        { sort: 'state', fields: ['subject', 'state', 'trackOpens'], provideAuthorizationMeta: true },
        1,
      );
      const one = await call('mailing.get', { mailing: '1' });
      assert.deepEqual([one.id, one.mailbox, one.prospect, one.subject], ['1', '1', '1001', 'Hello 1']);
    });
    it('are users for a picker', async () => {
      const users = await list<{ id: string; name: string; email: string }>('user.list', {
        locked: false,
        fields: ['name', 'email'],
        sort: 'lastName',
      });
      assert.equal(users.length, 117);
      assert.deepEqual([users[0]!.name, users[0]!.email], ['Ann Archer', 'ann@acme.test']);
      for (const input of [
        { email: 'ann@acme.test' },
        { firstName: 'Ann' },
        { lastName: 'Archer' },
        { username: 'ann@acme.test' },
      ])
        assert.equal((await list('user.list', input)).length, 1);
      assert.equal((await call('user.get', { user: '1' })).mailbox, '1');
    });
    it('are webhooks, whose deliveries can be checked', async () => {
      const got: { body: Buffer; signature?: string }[] = [];
      const receiver = createServer(async (request, answer) => {
        const parts: Buffer[] = [];
        for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
        got.push({
          body: Buffer.concat(parts),
          signature: request.headers['outreach-webhook-signature'] as string | undefined,
        });
        answer.writeHead(500).end();
      });
      await new Promise<void>(resolve => receiver.listen(0, '127.0.0.1', resolve));
      try {
        const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
        const hook = await call('webhook.create', {
          url,
          eventResource: 'mailing',
          eventAction: 'bounced',
          secret: 'k',
          payloadVersion: '2',
        });
        assert.equal(hook.event, 'mailing.bounced');
        vendor.change('mailings', 9, { state: 'bounced' }, 'bounced');
        vendor.change('mailings', 9, { state: 'opened' }, 'opened');
        await vendor.delivered();
        assert.equal(got.length, 1);
        assert.deepEqual(
          vendor.deliveries.map(d => [d.tries, d.status]),
          [[1, 500]],
        );
        const { body, signature } = got[0]!;
        assert.equal(verifySignature(body, signature, 'k'), true);
        assert.deepEqual(await call('webhook.verify', { body: body.toString(), signature, secret: 'k' }), {
          valid: true,
        });
        assert.deepEqual(await call('webhook.verify', { body: `${body.toString()} `, signature, secret: 'k' }), {
          valid: false,
        });
        assert.equal(verifySignature(`${body.toString()} `, signature, 'k'), false);
        assert.equal(verifySignature(body, signature, 'other'), false);
        assert.equal(verifySignature(body, signature!.slice(1), 'k'), false);
        assert.equal(verifySignature(body, undefined, 'k'), false);
        assert.equal(verifySignature(body, signature, ''), false);
        await call('webhook.update', { webhook: hook.id, active: false });
        vendor.change('mailings', 9, { state: 'bounced' }, 'bounced');
        await vendor.delivered();
        assert.equal(got.length, 1);
        await call('webhook.delete', { webhook: hook.id });
        assert.equal((await failure(call('webhook.get', { webhook: hook.id }))).code, 'not_found');
      } finally {
        receiver.closeAllConnections();
        receiver.close();
      }
    });
    it('refuse plain HTTP for webhooks, and say which actions there are', async () => {
      assert.equal((await failure(call('webhook.create', { url: 'http://example.com/hook' }))).code, 'invalid_input');
      assert.deepEqual(
        (await failure(call('webhook.create', { url: 'https://example.com/hook', eventResource: 'mailbox' }))).details
          .issues?.[0]?.field,
        'eventResource',
      );
      assert.equal(
        (
          await list('webhook.list', {
            eventResource: 'mailing',
            eventAction: 'updated',
            active: false,
            creator: '1',
            sort: '-action',
          })
        ).length,
        52,
      );
    });
  });

  describe('address patterns', () => {
    const patterns = async (mailbox: string) =>
      (await list<{ pattern: string }>('spamPattern.list', { mailbox })).map(p => p.pattern);
    const raw = (mailbox = 1) => vendor.rows.mailboxes.get(mailbox)!.attributes;
    it('are listed, added and removed one at a time', async () => {
      assert.deepEqual(await patterns('1'), ['*@outreach.io', 'daniel@example.com']);
      await call('spamPattern.add', { mailbox: '1', pattern: '*@spam.test' });
      assert.equal(raw().prospectEmailExclusions, '*@outreach.io\ndaniel@example.com\n*@spam.test');
      await call('spamPattern.remove', { mailbox: '1', pattern: 'Daniel@example.com' });
      assert.equal(raw().prospectEmailExclusions, '*@outreach.io\n*@spam.test');
      assert.deepEqual(await patterns('6'), []);
      await call('spamPattern.add', { mailbox: '6', pattern: 'a@b.test' });
      await call('spamPattern.remove', { mailbox: '6', pattern: 'a@b.test' });
      assert.equal(raw(6).prospectEmailExclusions, null);
    });
    it('that are there already, or not there, cause no write', async () => {
      vendor.forget();
      assert.equal((await call('spamPattern.add', { mailbox: '1', pattern: '*@OUTREACH.io' })).outcome, 'done');
      assert.equal(
        (await failure(call('spamPattern.remove', { mailbox: '1', pattern: 'nobody@example.com' }))).code,
        'not_found',
      );
      assert.ok(vendor.seen.every(s => s.method === 'GET'));
    });
    it('never overwrite a change made between reading and writing', async () => {
      let reads = 0;
      const nosy = connect(
        outreach,
        { ...vendor.account, perMinute: 60_000 },
        {
          token: tokenFor(vendor),
          allow() {
            if (++reads === 2) vendor.change('mailboxes', 1, { prospectEmailExclusions: 'theirs@example.com' });
          },
        },
      );
      const refused = await failure(
        nosy.call('spamPattern.add', { mailbox: '1', pattern: 'mine@example.com' }) as Promise<unknown>,
      );
      assert.equal(refused.code, 'conflict');
      assert.equal(raw().prospectEmailExclusions, 'theirs@example.com');
    });
    it('say so when the vendor stored something else', async () => {
      vendor.fail({
        method: 'PATCH',
        status: 200,
        body: JSON.stringify({
          data: { type: 'mailbox', id: 1, attributes: { prospectEmailExclusions: 'theirs@example.com' } },
        }),
      });
      assert.equal(
        (await failure(call('spamPattern.add', { mailbox: '1', pattern: 'mine@example.com' }))).code,
        'conflict',
      );
    });
    it('may be added by many items at once and none is lost', async () => {
      const many = Array.from({ length: 12 }, (_, i) => `p${i}@example.com`);
      await Promise.all(many.map(pattern => call('spamPattern.add', { mailbox: '1', pattern })));
      assert.deepEqual((await patterns('1')).slice(2).sort(), many.sort());
    });
    it('keep every other line as it was, whatever parted them', async () => {
      const name = fc.stringMatching(/^[a-z]{1,6}@[a-z]{1,6}\.test$/);
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(name, { minLength: 1, maxLength: 6 }),
          fc.array(fc.constantFrom('\n', ' ', '\r\n', '\n\n'), { minLength: 6, maxLength: 6 }),
          fc.nat(),
          async (all, gaps, n) => {
            raw(7).prospectEmailExclusions = all.map((one, i) => one + (i < all.length - 1 ? gaps[i] : '')).join('');
            assert.deepEqual(await patterns('7'), all);
            const gone = all[n % all.length]!;
            await call('spamPattern.remove', { mailbox: '7', pattern: gone });
            assert.deepEqual(
              await patterns('7'),
              all.filter(one => one !== gone),
            );
            await call('spamPattern.add', { mailbox: '7', pattern: gone });
            assert.deepEqual(await patterns('7'), [...all.filter(one => one !== gone), gone]);
          },
        ),
        { numRuns: 25 },
      );
    }).timeout(20_000);
    it('are refused when they are no pattern or the text would be too long', async () => {
      for (const pattern of ['a b', 'a@b.test,c@d.test', ''])
        assert.equal((await failure(call('spamPattern.add', { mailbox: '1', pattern }))).code, 'invalid_input');
      raw(8).prospectEmailExclusions = 'x'.repeat(65_530);
      assert.equal(
        (await failure(call('spamPattern.add', { mailbox: '8', pattern: 'abcdef@example.com' }))).code,
        'invalid_input',
      );
    });
  });

  describe('feed of changed mailboxes', () => {
    it('polls with one small request, and refuses a foreign cursor', async () => {
      const first = await client.since('mailboxChanged', {});
      assert.equal(first.items.length, 5);
      vendor.forget();
      const none = await client.since('mailboxChanged', {}, first.cursor);
      assert.deepEqual([none.items, none.more], [[], false]);
      assert.equal(vendor.seen.length, 1);
      assert.match(last().query.get('filter[updatedAt]')!, /^\d{4}-.*Z\.\.inf$/);
      assert.equal((await failure(client.since('mailboxChanged', {}, 'x'))).code, 'invalid_input');
    });
    it('loses and repeats nothing over any order of changes, equal times and deletions', async () => {
      type Step = { kind: 'change' | 'delete' | 'poll' | 'late'; mailbox: number; ms: number };
      const step: fc.Arbitrary<Step> = fc.record({
        kind: fc.constantFrom(
          'change' as const,
          'change' as const,
          'delete' as const,
          'poll' as const,
          'late' as const,
        ),
        mailbox: fc.integer({ min: 6, max: 20 }),
        ms: fc.constantFrom(0, 0, 1, 500, 30_000, 200_000),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
          await vendor.close();
          await start();
          let { cursor } = await client.since('mailboxChanged', {});
          let clock = vendor.now();
          const want = new Set<string>();
          const got: string[] = [];
          const poll = async () => {
            for (let more = true; more;) {
              const batch = await client.since('mailboxChanged', {}, JSON.parse(JSON.stringify(cursor)) as string);
              got.push(...batch.items.map(i => i.id));
              ({ cursor, more } = batch);
            }
          };
          for (const { kind, mailbox, ms } of steps) {
            clock += ms;
            if (kind === 'poll') {
              await poll();
              continue;
            }
            const row = vendor.rows.mailboxes.get(mailbox);
            if (!row) continue;
            if (kind === 'delete') {
              vendor.rows.mailboxes.delete(mailbox);
              for (const id of want) if (id.startsWith(`${mailbox}@`) && !got.includes(id)) want.delete(id);
              continue;
            }
            // Late: the change is seen only now, but bears a time up to a minute back, as a long write does.
            const at = new Date(kind === 'late' ? clock - 60_000 : clock).toISOString();
            const old = String(row.attributes.updatedAt);
            if (at <= old) continue;
            if (!got.includes(`${mailbox}@${old}`)) want.delete(`${mailbox}@${old}`);
            vendor.change('mailboxes', mailbox, { maxMailingsPerDay: ms, updatedAt: at });
            want.add(`${mailbox}@${at}`);
          }
          await poll();
          assert.equal(new Set(got).size, got.length, 'nothing twice');
          const missing = [...want].filter(id => !got.includes(id));
          assert.deepEqual(missing, []);
          await poll();
          assert.equal(new Set(got).size, got.length, 'nothing again');
        }),
        { numRuns: 40 },
      );
    }).timeout(60_000);
  });

  it('takes its OAuth 2 addresses from the base address', () => {
    const { oauth2 } = outreach.auth;
    assert.equal(
      oauth2!.authorizeUrl({ baseUrl: 'http://127.0.0.1:1/' } as never),
      'http://127.0.0.1:1/oauth/authorize',
    );
    assert.equal(
      oauth2!.tokenUrl({ baseUrl: 'https://api.outreach.io' } as never),
      'https://api.outreach.io/oauth/token',
    );
    assert.ok(!Object.values(outreach.auth.fields as Record<string, { secret?: boolean }>).some(field => field.secret));
  });
});
