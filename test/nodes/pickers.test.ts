import assert from 'node:assert/strict';
import type { INodeListSearchResult, INodeParameters } from 'n8n-workflow';
import { providerById } from '../../shared/index.js';
import { NODES, pickedResources, providersOf } from '../../nodes/lib/index.js';
import { cases } from '../contract/cases.js';
import { openEngine, type Engine } from '../engine/engine.js';
import { MAIN, startContextIo } from '../sandbox/contextIo.js';
import { startMail } from '../sandbox/mail.js';
import { startRackspace } from '../sandbox/rackspace.js';
import { EMPTY_DOMAIN, MAIN_DOMAIN, seededId, startScaleway } from '../sandbox/scaleway.js';
import type { Vendor } from '../sandbox/vendor.js';
import { clientOf, credentialOf, formOf, packageDir } from './workbench.js';

const rl = (value: string) => ({ __rl: true, mode: 'id', value });

describe('pickers', function () {
  this.timeout(60_000);
  let scaleway: Vendor;
  let rackspace: Vendor;
  let contextIo: Vendor;
  let engine: Engine;
  let serial = 0;
  before(async () => {
    scaleway = await startScaleway();
    rackspace = await startRackspace();
    contextIo = await startContextIo();
    engine = await openEngine({ packageDir });
  });
  after(async () => {
    await scaleway.close();
    await rackspace.close();
    await contextIo.close();
  });
  beforeEach(() => {
    for (const vendor of [scaleway, rackspace, contextIo]) {
      vendor.mend();
      vendor.forget();
    }
  });

  interface Asked {
    node?: string;
    operation?: string;
    more?: INodeParameters;
    filter?: string;
    token?: string;
    path?: string;
    id?: string;
  }
  /**
   * Asks as the editor does; each with a credential of its own, so that no test meets another's reading, unless one is
   * named.
   */
  async function pick(
    vendor: Vendor,
    list: string,
    { node = 'mailbox', operation = 'get', more = {}, filter, token, path, id = `own-${++serial}` }: Asked = {},
  ): Promise<INodeListSearchResult> {
    const account = credentialOf(vendor);
    await engine.saveCredential(id, account);
    const [resource, verb] = operation.includes('.') ? operation.split('.') : ['mailbox', operation];
    return (await engine.options(
      `n8n-nodes-mailroom.${node}`,
      list,
      { provider: vendor.id, resource: resource!, operation: verb!, ...more },
      {
        credentials: { [account.type]: { id, name: id } },
        ...(filter === undefined ? {} : { filter }),
        ...(token === undefined ? {} : { paginationToken: token }),
        ...(path ? { path } : {}),
      },
    )) as INodeListSearchResult;
  }

  it('every parameter that picks has its method, and every method a parameter', () => {
    for (const node of NODES) {
      const type = engine.nodeType(`n8n-nodes-mailroom.${node}`);
      const asked = new Set(
        JSON.stringify(type.description.properties)
          .match(/"searchListMethod":"(\w+)"/g)
          ?.map(text => text.split('"')[3]!),
      );
      assert.deepEqual([...asked].sort(), pickedResources(node));
      assert.deepEqual(Object.keys(type.methods?.listSearch ?? {}).sort(), pickedResources(node));
    }
  });

  it('show what a person knows and give what the operations take, fifty at a time, each once', async () => {
    const id = 'scrolled';
    const seen: string[] = [];
    let page = await pick(scaleway, 'mailbox', { id });
    assert.equal(page.results.length, 50);
    assert.deepEqual(page.results.find(({ value }) => value === seededId('user001'))?.name, `user001@${MAIN_DOMAIN}`);
    seen.push(...page.results.map(({ value }) => String(value)));
    assert.equal(page.paginationToken, '50');
    while (page.paginationToken) {
      page = await pick(scaleway, 'mailbox', { id, token: String(page.paginationToken) });
      seen.push(...page.results.map(({ value }) => String(value)));
    }
    assert.equal(seen.length, 130);
    assert.equal(new Set(seen).size, 130);
    assert.equal(
      scaleway.seen.length,
      2,
      'the reading went on where it had stopped: two pages of the vendor for three of the editor',
    );
  });
  it('a scrolling that was forgotten meanwhile begins again and skips what was shown', async () => {
    const first = await pick(scaleway, 'mailbox');
    const next = await pick(scaleway, 'mailbox', { token: '50' });
    assert.deepEqual(
      next.results.filter(({ value }) => first.results.some(one => one.value === value)),
      [],
    );
    assert.equal(next.results.length, 50);
    assert.equal(next.paginationToken, '100');
  });

  it("search with the provider's own search where it has one", async () => {
    const { results, paginationToken } = await pick(scaleway, 'mailbox', { filter: 'user012' });
    assert.deepEqual(
      results.map(({ name }) => name),
      [`user012@${MAIN_DOMAIN}`],
    );
    assert.equal(paginationToken, undefined);
    assert.equal(scaleway.seen[0]!.query.get('search'), 'user012');
  });
  it('search here where it has none', async () => {
    const { results } = await pick(rackspace, 'domain', { filter: 'EXAMPLE.NET' });
    assert.ok(
      results.length > 0 && results.every(({ name }) => name.toLowerCase().includes('example.net')),
      JSON.stringify(results),
    );
  });
  it('give an empty list where nothing is found', async () =>
    assert.deepEqual(await pick(scaleway, 'mailbox', { filter: 'nobody-at-all' }), { results: [] }));

  describe('depend on what is filled in already', () => {
    it('a filter chosen beside the field narrows its list', async () => {
      const { results } = await pick(scaleway, 'mailbox', {
        operation: 'list',
        more: { filters: { domain_id: rl(seededId(EMPTY_DOMAIN)) } },
      });
      assert.deepEqual(results, []);
      assert.equal(scaleway.seen.at(-1)!.query.get('domain_id'), seededId(EMPTY_DOMAIN));
    });
    it('what the form asks for has to be chosen first', async () => {
      await assert.rejects(
        pick(contextIo, 'message', { operation: 'message.get', more: { mailbox: rl('') } }),
        /Choose Account first|Choose Mailbox first/,
      );
      assert.equal(contextIo.seen.length, 0);
      assert.equal(
        (await pick(contextIo, 'message', { operation: 'message.get', more: { mailbox: rl(MAIN) } })).results.length,
        50,
      );
      assert.ok(contextIo.seen.every(({ path }) => path.includes(MAIN)));
    });
    it("mailboxes of the mail service chosen beside them: a vendor's two keep theirs apart", async () => {
      for (const [service, part] of [
        ['exchange', '/ex/'],
        ['rackspace', '/rs/'],
      ] as const) {
        rackspace.forget();
        const { results } = await pick(rackspace, 'mailbox', {
          node: 'spamList',
          operation: 'spamList.list',
          more: { filters: { service } },
        });
        assert.ok(results.length > 0);
        const asked = rackspace.seen.filter(({ path }) => path.includes('/mailboxes'));
        assert.ok(
          asked.length > 0 && asked.every(({ path }) => path.includes(part)),
          JSON.stringify(asked.map(({ path }) => path)),
        );
      }
    });
    describe('where the form asks for no domain', () => {
      it('the mailboxes of all domains that may be meant are listed, as far as they are read', async () => {
        const id = 'everywhere';
        const filter = '@example.';
        const seen: string[] = [];
        let page = await pick(rackspace, 'mailbox', { id, filter });
        for (;;) {
          seen.push(...page.results.map(({ value }) => String(value)));
          if (!page.paginationToken) break;
          assert.equal(page.results.length, 50);
          page = await pick(rackspace, 'mailbox', { id, filter, token: String(page.paginationToken) });
        }
        assert.ok(seen.length > 100);
        assert.deepEqual([...new Set(seen.map(address => address.split('@')[1]))].sort(), [
          'example.com',
          'example.net',
        ]);
        assert.equal(new Set(seen).size, seen.length);
      });
      it('an address is looked for in its domain', async () => {
        const { results } = await pick(rackspace, 'mailbox', { filter: 'alex.smith@example.com' });
        assert.deepEqual(
          results.map(({ value }) => value),
          ['alex.smith@example.com'],
        );
        assert.ok(
          rackspace.seen
            .filter(({ path }) => path.includes('/mailboxes'))
            .every(({ path }) => path.includes('/example.com/')),
          'other domains were left alone',
        );
      });
      it('many domains without a mailbox are not read to their end; an entry that chooses nothing says how to go on, beside the search field', async () => {
        assert.deepEqual(await pick(rackspace, 'mailbox', { filter: 'nobody' }), {
          results: [{ name: 'Nothing in 19 domains. Type an address or @domain', value: '' }],
        });
        assert.ok(rackspace.seen.length <= 21, `${rackspace.seen.length} requests`);
      });
    });
  });

  describe('a provider that asks for fewer requests', () => {
    it('is left alone for half a minute', async () => {
      const id = 'throttled';
      scaleway.fail({ throttle: true, times: 3 });
      await assert.rejects(
        pick(scaleway, 'mailbox', { id }),
        (error: Error) => error.constructor.name === 'NodeApiError',
      );
      const asked = scaleway.seen.length;
      assert.equal(asked, 3, 'a read is tried again twice');
      await assert.rejects(
        pick(scaleway, 'mailbox', { id }),
        /asked for fewer requests; this list waits another (30|29|28) s/,
      );
      await assert.rejects(pick(scaleway, 'domain', { id }), /waits another/);
      assert.equal(scaleway.seen.length, asked);
    });
    it('is left alone by pickers of several too, whichever of them was refused', async () => {
      const id = 'throttled too';
      const several = () => pick(scaleway, 'mailboxChoices', { node: 'syncTrigger', id });
      scaleway.fail({ throttle: true, times: 3 });
      await assert.rejects(several(), (error: Error) => error.constructor.name === 'NodeApiError');
      const asked = scaleway.seen.length;
      await assert.rejects(several(), /asked for fewer requests; this list waits another (30|29|28) s/);
      await assert.rejects(pick(scaleway, 'mailbox', { id }), /waits another/);
      assert.equal(scaleway.seen.length, asked);
    });
    it('another account is not kept waiting', async () =>
      assert.equal((await pick(scaleway, 'mailbox')).results.length, 50));
  });

  it("say the vendor's words when the key is refused", async () => {
    await engine.saveCredential('wrong', {
      ...credentialOf(scaleway),
      data: { ...credentialOf(scaleway).data, secretKey: '11111111-2222-4333-8444-555555555555' },
    });
    await assert.rejects(
      engine.options(
        'n8n-nodes-mailroom.mailbox',
        'mailbox',
        { provider: 'scaleway', resource: 'mailbox', operation: 'get' },
        { credentials: { scalewayApi: { id: 'wrong', name: 'x' } } },
      ),
      (error: Error & { failure?: object; description?: string }) =>
        /refused the credential\./.test(error.message) &&
        /It says: .*(authentication|denied|permission)/i.test(error.description ?? '') &&
        JSON.stringify(error.failure) === '{"cause":"credential-invalid"}',
    );
  });

  describe('every list of every provider that a node picks from', () => {
    for (const one of cases) {
      const provider = providerById(one.id);
      it(provider.name, async () => {
        const vendor = await one.start();
        const picked = new Set<string>();
        try {
          for (const node of NODES) {
            if (!providersOf(node).some(({ id }) => id === one.id)) continue;
            const { description } = engine.nodeType(`n8n-nodes-mailroom.${node}`);
            for (const operations of description.properties.filter(
              ({ name, type, displayOptions }) =>
                name === 'operation' && type === 'options' && displayOptions?.show?.provider?.includes(one.id),
            )) {
              const resource = String(operations.displayOptions!.show!.resource![0]);
              for (const { value: operation } of operations.options as { value: string }[]) {
                const form = formOf(description, { provider: one.id, resource, operation });
                for (const { property, collection } of form) {
                  const list = property.modes?.[0]?.typeOptions?.searchListMethod;
                  if (!list || picked.has(`${node} ${list}`)) continue;
                  picked.add(`${node} ${list}`);
                  const example = await one.examples[`${resource}.${operation}`]!(
                    clientOf(provider, vendor, one),
                    vendor,
                  );
                  const more: Record<string, INodeParameters> = {};
                  for (const {
                    property: { type, name },
                    collection: inside,
                  } of form) {
                    if (type !== 'resourceLocator' || name === property.name || typeof example[name] !== 'string')
                      continue;
                    if (inside) (more[inside] ??= {})[name] = rl(example[name]);
                    else more[name] = rl(example[name]);
                  }
                  // Most of its domains are empty, so the search says which.
                  const filter =
                    one.id === 'rackspace' && !['domain', 'customer'].includes(list) ? { filter: '@example.com' } : {};
                  const { results } = await pick(vendor, list, {
                    node,
                    operation: `${resource}.${operation}`,
                    more,
                    ...filter,
                    path: `parameters.${collection ? `${collection}.` : ''}${property.name}`,
                  });
                  for (const { name, value } of results)
                    assert.ok(
                      name &&
                        value &&
                        !/^(undefined|null|\[object)/.test(`${name}`) &&
                        !/^(undefined|null|\[object)/.test(String(value)),
                      `${list}: ${name} ${String(value)}`,
                    );
                  assert.ok(results.length > 0, `${node} ${resource}.${operation} picks from an empty list of ${list}`);
                }
              }
            }
          }
        } finally {
          await vendor.close();
        }
        assert.ok(picked.size > 0);
      });
    }
  });

  it('Sync Trigger picks several folders and one to move to; a node made before that keeps its typed names', async () => {
    const mail = await startMail();
    try {
      await engine.saveCredential('mail', {
        type: 'imapApi',
        data: {
          user: 'u0@test.local',
          password: 'pass0',
          preset: 'custom',
          imapHost: 'localhost',
          imapPort: mail.imap.tlsPort,
          imapSecurity: 'tls',
          allowedCertificate: mail.ca,
        },
      });
      const form: INodeParameters = {
        provider: 'imap',
        authentication: 'password',
        event: 'messageReceived',
        afterSuccess: 'move',
      };
      const ask = { credentials: { imapApi: { id: 'mail', name: 'mail' } } };
      const names = [...mail.store.accounts.get('u0@test.local')!.mailboxes.keys()].sort();
      const one = (await engine.options('n8n-nodes-mailroom.syncTrigger', 'folder', form, {
        ...ask,
        path: 'parameters.moveTo',
      })) as INodeListSearchResult;
      assert.deepEqual(one.results.map(({ value }) => value).sort(), names);
      const { description } = engine.nodeType('n8n-nodes-mailroom.syncTrigger');
      const folders = JSON.stringify(description.properties).match(
        /\{[^{}]*"name":"folders","type":"multiOptions".*?"loadOptionsMethod":"(\w+)"/,
      );
      const several = (await engine.options('n8n-nodes-mailroom.syncTrigger', folders![1]!, form, ask)) as {
        value: string;
      }[];
      assert.deepEqual(several.map(({ value }) => value).sort(), names);
      // Each event has its own folders.
      const kinds = (version: number) =>
        ['moveTo', 'folders'].map(name => [
          ...new Set(
            description.properties
              .flatMap(property =>
                property.type === 'collection' ? (property.options as typeof description.properties) : [property],
              )
              .filter(
                property =>
                  property.name === name &&
                  (name !== 'moveTo' || property.displayOptions?.show?.provider?.includes('imap')),
              )
              .filter(({ displayOptions }) =>
                (displayOptions!.show!['@version'] as { _cnd: { gte?: number; lt?: number } }[]).every(
                  ({ _cnd: { gte = 0, lt = Infinity } }) => version >= gte && version < lt,
                ),
              )
              .map(({ type }) => type),
          ),
        ]);
      assert.deepEqual(kinds(1), [['string'], ['string']]);
      assert.deepEqual(kinds(1.1), [['resourceLocator'], ['multiOptions']]);
    } finally {
      await mail.close();
    }
  });
});
