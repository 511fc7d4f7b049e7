import assert from 'node:assert/strict';
import type { IExecuteFunctions, IHttpRequestOptions, INodeExecutionData } from 'n8n-workflow';
import { accountFields, providerById } from '../../shared/index.js';
import { otherSecret } from '../contract/case.js';
import { cases } from '../contract/cases.js';
import { openEngine, type Engine, type SavedCredential } from '../engine/engine.js';
import { MAIN_EMAIL, startContextIo } from '../sandbox/contextIo.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { startOutreach } from '../sandbox/outreach.js';
import { startRackspace } from '../sandbox/rackspace.js';
import type { Vendor } from '../sandbox/vendor.js';
import { builtCredentials } from '../tools/golden.js';
import { credentialOf, line, packageDir } from './workbench.js';

const tested = new Set<string>();

describe('credentials', function () {
  this.timeout(15_000);
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ packageDir });
  });
  const test = (type: string, data: Record<string, unknown>) => {
    tested.add(type);
    return engine.testCredential(type, data);
  };
  const refused = async (type: string, data: Record<string, unknown>, words: RegExp, what = '') => {
    const { status, message } = await test(type, data);
    assert.equal(status, 'Error', `${what} was accepted`);
    assert.match(message, words, what);
    for (const value of Object.values(data))
      if (typeof value === 'string' && value.length > 11 && !/^http|@|^localhost/.test(value))
        assert.ok(!message.includes(value), `${value} in ${message}`);
  };

  describe('are tested as a user presses Test', () => {
    /** What else has to be right beside the secrets. */
    const further: Readonly<Record<string, Record<string, string>>> = {
      rackspace: { userKey: 'eGbq9/2hcZsRlr1JV1Pj' },
      contextIo: { consumerKey: 'nobody' },
    };
    for (const one of cases.filter(({ token }) => !token)) {
      it(`${one.id}: a good one, a wrong secret, a server that is not there`, async () => {
        const vendor = await one.start();
        const { type, data } = credentialOf(vendor);
        try {
          assert.deepEqual(await test(type, data), { status: 'OK', message: 'Connection successful!' });
          assert.ok(vendor.seen.length > 0, 'the vendor was asked');
          const secrets = Object.entries(accountFields(providerById(one.id))).filter(
            ([name, field]) => field.type === 'text' && field.secret && data[name],
          );
          assert.ok(secrets.length > 0);
          const wrong = {
            ...Object.fromEntries(secrets.map(([name, field]) => [name, otherSecret(field, String(data[name]))])),
            ...further[one.id],
          };
          for (const [name, value] of Object.entries(wrong))
            await refused(type, { ...data, [name]: value }, /unauthorized|forbidden|401|403/i, name);
        } finally {
          await vendor.close();
        }
        await refused(type, data, /ECONNREFUSED|refused/i, 'a closed port');
      });
    }
    it('outreach: a good token, one that was ended, one that is renewed', async () => {
      const vendor = await startOutreach({ tokenLifetime: 60, grantSpacing: false });
      const { type, data } = credentialOf(vendor);
      try {
        assert.deepEqual(await test(type, data), { status: 'OK', message: 'Connection successful!' });
        vendor.advance(61_000);
        assert.equal((await test(type, data)).status, 'OK', 'renewed');
        assert.equal(vendor.grants, 1);
        vendor.advance(61_000);
        await refused(type, data, /reconnect|grant|401|unauthorized/i, 'a used refresh token');
      } finally {
        await vendor.close();
      }
    });
    describe('imap', () => {
      let mail: Mail;
      let data: Record<string, unknown>;
      let accepted: { status: string; message: string };
      before(async () => {
        mail = await startMail();
        data = {
          user: 'u0@test.local',
          password: 'pass0',
          imapHost: 'localhost',
          imapPort: mail.imap.tlsPort,
          smtpHost: 'localhost',
          smtpPort: mail.smtp.tlsPort,
          sievePort: mail.sieve.port,
          allowedCertificate: mail.ca,
        };
        accepted = {
          status: 'OK',
          message: `The account answers on both sides. Rules on the server can be used (ManageSieve at localhost:${mail.sieve.port}).`,
        };
      });
      after(() => mail.close());
      it('a good password is accepted on both sides', async () =>
        assert.deepEqual(await test('imapApi', data), accepted));
      it('a wrong one is refused, and it says which side refused', async () => {
        await refused('imapApi', { ...data, password: 'not-this-password' }, /IMAP.*SMTP/s);
        await refused('imapApi', { ...data, smtpUser: 'u0@test.local', smtpPassword: 'not-this-password' }, /^SMTP/);
      });
      it('a certificate that nobody vouches for is refused', async () =>
        refused('imapApi', { ...data, allowedCertificate: '' }, /certificate|trusted/i));
      it('OAuth 2: a good token, and a wrong one', async () => {
        const { password: _, ...rest } = data;
        const grant = (access_token: string) => ({
          ...rest,
          oauthTokenData: { access_token, refresh_token: 'x', token_type: 'Bearer' },
        });
        assert.deepEqual(await test('imapOAuth2Api', grant(mail.token('u0@test.local'))), accepted);
        await refused('imapOAuth2Api', grant('not-a-token-of-anybody'), /IMAP/);
        await refused('imapOAuth2Api', rest, /./);
      });
    });
    describe('and', () =>
      it('every credential of the package was tested here', () =>
        assert.deepEqual(
          [...tested].sort(),
          builtCredentials()
            .map(({ name }) => name)
            .sort(),
        )));
  });

  describe("sign the requests of n8n's own helpers", () => {
    let vendor: Vendor;
    let saved: SavedCredential;
    afterEach(() => vendor.close());
    const begin = async (start: () => Promise<Vendor>) => {
      vendor = await start();
      saved = credentialOf(vendor);
      await engine.saveCredential(saved.type, saved);
    };
    /** What n8n's HTTP Request node does: a helper of the engine, with the credential's own `authenticate`. */
    async function ask(
      helper: 'httpRequestWithAuthentication' | 'requestWithAuthentication',
      options: object,
    ): Promise<unknown> {
      const type = engine.nodeType('n8n-nodes-mailroom.mailbox');
      const { execute } = type;
      let answer: unknown;
      type.execute = async function (this: IExecuteFunctions): Promise<INodeExecutionData[][]> {
        answer = await this.helpers[helper].call(this, saved.type, options as IHttpRequestOptions);
        return [[{ json: {} }]];
      };
      try {
        const result = await engine.run(
          line({
            name: 'Node',
            type: 'n8n-nodes-mailroom.mailbox',
            parameters: { provider: vendor.id, domain: { __rl: true, mode: 'id', value: 'example.com' } },
            account: saved,
          }),
        );
        assert.equal(result.status, 'success', `${result.error?.message} ${String(result.error?.description)}`);
      } finally {
        type.execute = execute!;
      }
      return typeof answer === 'string' && answer.startsWith('{') ? JSON.parse(answer) : answer;
    }
    const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
    let serial = 0;
    const email = () => `signed${++serial}@example.com`;

    describe('Context.IO, whose signature covers query and form', () => {
      beforeEach(() => begin(() => startContextIo()));
      const accounts = () => `${vendor.url}/2.0/accounts`;
      const made = (answer: unknown) =>
        assert.equal((answer as { success?: unknown }).success, true, JSON.stringify(answer));

      it('query as object, in the address, or both', async () => {
        for (const options of [
          { url: accounts(), qs: { email: MAIN_EMAIL, limit: 1 } },
          { url: `${accounts()}?email=${encodeURIComponent(MAIN_EMAIL)}`, qs: { limit: 1 } },
          { baseURL: vendor.url, url: '/2.0/accounts', qs: { email: MAIN_EMAIL } },
        ]) {
          vendor.forget();
          const answer = await ask('httpRequestWithAuthentication', { method: 'GET', json: true, ...options });
          assert.equal((answer as unknown[]).length, 1, JSON.stringify(answer));
          assert.equal(vendor.seen[0]!.query.get('email'), MAIN_EMAIL);
        }
        assert.equal(
          (
            (await ask('requestWithAuthentication', {
              method: 'GET',
              uri: accounts(),
              qs: { email: MAIN_EMAIL },
              json: true,
            })) as unknown[]
          ).length,
          1,
        );
      });
      it("form as URLSearchParams, as object, as text, and in the older helper's way", async () => {
        const words = { first_name: 'Bö & Co', last_name: "O'Example +1" };
        made(
          await ask('httpRequestWithAuthentication', {
            method: 'POST',
            url: accounts(),
            body: new URLSearchParams({ email: email(), ...words }),
          }),
        );
        made(
          await ask('httpRequestWithAuthentication', {
            method: 'POST',
            url: accounts(),
            headers: FORM,
            body: { email: email(), ...words },
          }),
        );
        made(
          await ask('httpRequestWithAuthentication', {
            method: 'POST',
            url: accounts(),
            headers: FORM,
            body: new URLSearchParams({ email: email(), ...words }).toString(),
          }),
        );
        made(
          await ask('requestWithAuthentication', {
            method: 'POST',
            uri: accounts(),
            form: { email: email(), ...words },
          }),
        );
        made(
          await ask('requestWithAuthentication', {
            method: 'POST',
            uri: accounts(),
            headers: { 'content-type': FORM['Content-Type'] },
            form: { email: email(), ...words },
            qs: {},
          }),
        );
        assert.equal(new URLSearchParams(vendor.seen.at(-1)!.body.toString()).get('first_name'), words.first_name);
        assert.equal(new URLSearchParams(vendor.seen.at(-1)!.body.toString()).get('last_name'), words.last_name);
      });
    });
    describe('Rackspace, whose signature covers the User-Agent', () => {
      beforeEach(() => begin(() => startRackspace()));
      const domains = () => `${vendor.url}/v1/customers/${String(vendor.account.customer)}/domains`;
      const form = { displayName: 'Bö & Co', password: 'Secret123!@#', size: '2048' };
      const make = (name: string) => `${domains()}/example.com/ex/mailboxes/${name}`;
      const shown = async (name: string) =>
        assert.match(
          JSON.stringify(
            await ask('httpRequestWithAuthentication', {
              method: 'GET',
              url: make(name),
              headers: { Accept: 'application/json' },
            }),
          ),
          /Bö & Co/,
        );

      it('query as object, also in the older way', async () => {
        for (const [helper, options] of [
          ['httpRequestWithAuthentication', { url: domains() }],
          ['requestWithAuthentication', { uri: domains() }],
        ] as const) {
          vendor.forget();
          await ask(helper, {
            method: 'GET',
            qs: { size: 7, offset: 3 },
            headers: { 'User-Agent': 'n8n', Accept: 'text/xml' },
            ...options,
          });
          assert.deepEqual([vendor.seen[0]!.query.get('size'), vendor.seen[0]!.query.get('offset')], ['7', '3']);
        }
      });
      it('form as URLSearchParams, as object, and in the older way', async () => {
        await ask('httpRequestWithAuthentication', {
          method: 'POST',
          url: make('signed1'),
          body: new URLSearchParams(form),
        });
        await ask('httpRequestWithAuthentication', { method: 'POST', url: make('signed2'), headers: FORM, body: form });
        await ask('requestWithAuthentication', { method: 'POST', uri: make('signed3'), form });
        for (const name of ['signed1', 'signed2', 'signed3']) await shown(name);
      });
    });
  });
});
