import assert from 'node:assert/strict';
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { consequenceOf, runItems, type NodeName } from '../../nodes/lib/index.js';
import { providers, type Operation } from '../../shared/index.js';
import { seededId, startScaleway } from '../sandbox/scaleway.js';
import { startRackspace } from '../sandbox/rackspace.js';
import type { Vendor } from '../sandbox/vendor.js';
import { accountOf } from '../providers/imapAccount.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { closeSieve } from '../../shared/providers/imap/sieve/session.js';
import { startMail } from '../sandbox/mail.js';
import { credentialOf } from './workbench.js';

type Values = Record<string, unknown>;

describe('care before something is changed', function () {
  this.timeout(60_000);
  let scaleway: Vendor;
  let rackspace: Vendor;
  before(async () => {
    [scaleway, rackspace] = await Promise.all([startScaleway(), startRackspace()]);
  });
  after(() => Promise.all([scaleway.close(), rackspace.close()]));
  beforeEach(() => {
    scaleway.forget();
    rackspace.forget();
  });
  const writes = (vendor: Vendor) => vendor.seen.filter(({ method }) => method !== 'GET').length;

  /** Runs one item through the node as n8n would; `type` is the node's, which ends in `Tool` where an agent runs it. */
  async function run(
    vendor: Vendor,
    operation: string,
    parameters: Values,
    {
      type = 'n8n-nodes-mailroom.mailbox',
      node = 'mailbox',
      ...more
    }: { type?: string; node?: NodeName; account?: Values } = {},
  ): Promise<INodeExecutionData> {
    const [resource, verb] = operation.split('.');
    const all: Values = { provider: vendor.id, resource, operation: verb, ...parameters };
    const context = {
      getInputData: () => [{ json: {} }],
      continueOnFail: () => false,
      getExecutionCancelSignal: () => undefined,
      getNode: () => ({ id: '1', name: 'Node', type, typeVersion: 1, position: [0, 0], parameters: {} }),
      getNodeParameter: (name: string, _index: number, fallback?: unknown) => (name in all ? all[name] : fallback),
      getCredentials: () => Promise.resolve({ ...credentialOf(vendor).data, ...more.account }),
      logger: console,
      helpers: {},
    };
    return (await runItems(context as unknown as IExecuteFunctions, node))[0]![0]!;
  }

  describe('a dry run', () => {
    it('of a rule on the mail server shows the lines of the script that would change, and stores none', async () => {
      const mail = await startMail();
      try {
        const account = accountOf(mail, 0);
        const scripts = mail.sieve.of(String(account.user));
        const server = { id: 'imap', account } as unknown as Vendor;
        const { json } = await run(
          server,
          'spamList.add',
          { list: 'blockedSenders', value: 'bad@one.example', options: { dryRun: true } },
          { node: 'spamList' },
        );
        assert.ok(
          (json.difference as string[]).includes(
            '+ if anyof (address :all :is ["from", "sender"] "bad@one.example", envelope :all :is "from" "bad@one.example") {',
          ),
          JSON.stringify(json),
        );
        assert.deepEqual([...scripts.texts], []);
        assert.deepEqual(
          Object.keys(json).slice(0, 3),
          ['dryRun', 'note', 'difference'],
          'what somebody looks for stands in sight',
        );
        const done = await run(
          server,
          'spamList.add',
          { list: 'blockedSenders', value: 'bad@one.example' },
          { node: 'spamList' },
        );
        assert.deepEqual(
          [done.json.mailbox, done.json.list, done.json.value],
          [account.user, 'blockedSenders', 'bad@one.example'],
        );
      } finally {
        closeSieve();
        await closeConnections();
        await mail.close();
      }
    });
    it('of a change names what differs and sends no write', async () => {
      const { json } = await run(rackspace, 'mailbox.update', {
        mailbox: 'alex.smith@example.com',
        updateFields: { displayName: 'Alexandra Smith', size: '2048' },
        options: { dryRun: true },
      });
      assert.deepEqual(json.changes, [{ field: 'displayName', from: 'Alex Smith', to: 'Alexandra Smith' }]);
      assert.equal(json.dryRun, true);
      assert.equal(writes(rackspace), 0);
    });
    it('of a change that changes nothing says so', async () => {
      const { json } = await run(rackspace, 'mailbox.update', {
        mailbox: 'alex.smith@example.com',
        updateFields: { displayName: 'Alex Smith' },
        options: { dryRun: 'true' },
      });
      assert.deepEqual(json.changes, []);
      assert.match(String(json.note), /already/);
    });
    it('of a deletion shows what would go', async () => {
      const { json } = await run(scaleway, 'mailbox.delete', {
        mailbox: seededId('user003'),
        options: { dryRun: true },
      });
      assert.equal((json.current as Values).email, 'user003@mail.example.com');
      assert.equal(writes(scaleway), 0);
    });
    it('of a creation checks the input and hides the password', async () => {
      const input = {
        domain_id: seededId('mail.example.com'),
        local_part: 'new',
        password: 'correct horse battery',
        subscription_period: 'monthly',
      };
      const { json } = await run(scaleway, 'mailbox.create', { ...input, options: { dryRun: true } });
      assert.deepEqual(json.input, { ...input, password: '***' });
      assert.doesNotMatch(JSON.stringify(json), /correct horse/);
      assert.deepEqual(
        scaleway.seen.map(({ method, path }) => [method, path.split('/').at(-1)]),
        [['GET', seededId('mail.example.com')]],
        'the domain was read',
      );
    });
    it('of an entry of a list reads the list: what is there already, what is not, and a mailbox that nobody has', async () => {
      const list = { node: 'spamList' } as const;
      const entry = (operation: string, value: string, mailbox = 'alex.smith@example.com') =>
        run(rackspace, operation, { mailbox, list: 'blockedSenders', value, options: { dryRun: true } }, list).then(
          ({ json }) => json,
        );
      await run(
        rackspace,
        'spamList.add',
        { mailbox: 'alex.smith@example.com', list: 'blockedSenders', value: 'dry@spam.example' },
        list,
      );
      const before = writes(rackspace);
      assert.match(String((await entry('spamList.add', 'dry@spam.example')).note), /already/);
      assert.match(String((await entry('spamList.add', 'other@spam.example')).note), /Would run: Add an entry/);
      assert.deepEqual((await entry('spamList.remove', 'dry@spam.example')).entry, {
        list: 'blockedSenders',
        value: 'dry@spam.example',
      });
      await assert.rejects(entry('spamList.remove', 'other@spam.example'), /"other@spam\.example" is not on the list/);
      await assert.rejects(entry('spamList.add', 'other@spam.example', 'nobody-here@example.com'), /not found/i);
      assert.equal(writes(rackspace), before);
    });
    it('of a creation says what stands in its way, or that what it belongs to is not there', async () => {
      await assert.rejects(
        run(rackspace, 'mailbox.create', {
          mailbox: 'alex.smith@example.com',
          displayName: 'A',
          password: 'Correct-horse-9',
          size: '2048',
          options: { dryRun: true },
        }),
        /There is a mailbox "alex\.smith@example\.com" already/,
      );
      await assert.rejects(
        run(scaleway, 'mailbox.create', {
          domain_id: '00000000-0000-4000-8000-00000000dead',
          local_part: 'new',
          password: 'correct horse battery',
          subscription_period: 'monthly',
          options: { dryRun: true },
        }),
        /not.*found|resource/i,
      );
      assert.equal(writes(rackspace) + writes(scaleway), 0);
    });
    it('fails where the real run would: bad input, nobody there', async () => {
      await assert.rejects(
        run(scaleway, 'mailbox.update', { mailbox: 'no id', updateFields: {}, options: { dryRun: true } }),
        /UUID/,
      );
      await assert.rejects(
        run(scaleway, 'mailbox.delete', { mailbox: '00000000-0000-4000-8000-00000000dead', options: { dryRun: true } }),
        /not.*found|resource/i,
      );
      assert.equal(writes(scaleway), 0);
    });
  });

  describe('an AI agent', () => {
    const tool = { type: 'n8n-nodes-mailroom.mailboxTool' };
    it('may not destroy, unless the tool allows it', async () => {
      const mailbox = seededId('user004');
      // An item, not an exception: of an exception n8n tells the model nothing.
      for (const more of [{}, { allowDestructive: 'false' }])
        assert.match(
          String((await run(scaleway, 'mailbox.delete', { mailbox, ...more }, tool)).json.error),
          /AI agents may not/,
        );
      assert.equal(scaleway.seen.length, 0);
      await run(scaleway, 'mailbox.delete', { mailbox, allowDestructive: true }, tool);
      assert.equal(writes(scaleway), 1);
    });
    it('may always ask what would happen', async () => {
      assert.equal(
        (await run(scaleway, 'mailbox.delete', { mailbox: seededId('user005'), options: { dryRun: true } }, tool)).json
          .dryRun,
        true,
      );
    });
    it('may give numbers and flags as text', async () => {
      const { json } = await run(
        scaleway,
        'mailbox.list',
        { limit: '1', returnAll: 'false', simplify: 'true', filters: {} },
        tool,
      );
      assert.ok(json.email && !('native' in json));
      assert.match(
        String((await run(scaleway, 'mailbox.list', { limit: 'many', filters: {} }, tool)).json.error),
        /Limit must be a whole number/,
      );
    });
  });

  it('everything that destroys, replaces or is shown once says so in the form; reading never does', () => {
    for (const provider of providers) {
      for (const [name, operation] of Object.entries(provider.operations) as [string, Operation][]) {
        if (operation.effect === 'destroy') assert.ok(consequenceOf(operation), `${provider.id} ${name}`);
        if (operation.effect === 'read') assert.equal(consequenceOf(operation), undefined, `${provider.id} ${name}`);
      }
    }
    const { operations } = providers.find(({ id }) => id === 'sodium')!;
    assert.match(consequenceOf((operations as Record<string, Operation>)['key.create']!)!, /never shown again/);
  });

  it('a credential is only sent where its domains allow', async () => {
    const away = { allowedHttpRequestDomains: 'domains', allowedDomains: 'api.example.org' };
    await assert.rejects(
      run(scaleway, 'mailbox.list', { limit: 1, filters: {} }, { account: away }),
      /Allowed HTTP Request Domains/,
    );
    assert.equal(scaleway.seen.length, 0);
    assert.ok(
      (
        await run(
          scaleway,
          'mailbox.list',
          { limit: 1, filters: {} },
          { account: { ...away, allowedDomains: '127.0.0.1' } },
        )
      ).json.email,
    );
  });
});
