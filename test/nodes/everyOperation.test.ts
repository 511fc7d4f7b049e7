import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ownerOf } from '../../nodes/lib/index.js';
import {
  checkAccount,
  createClient,
  MailError,
  providerById,
  take,
  type Client,
  type Operation,
  type Provider,
} from '../../shared/index.js';
import type * as Core from '../../shared/index.js';
import { cases } from '../contract/cases.js';
import { openEngine, type Engine, type RunResult } from '../engine/engine.js';
import { ORDERS } from '../tools/orders.js';
import type { Vendor } from '../sandbox/vendor.js';
import { clientOf, credentialOf, fillIn, line, packageDir, type Filled } from './workbench.js';

type Values = Record<string, unknown>;
interface Further {
  order: string;
  operation: string;
  input(client: Client): Values | Promise<Values>;
  path?: RegExp;
}

const alex = 'alex.smith@example.com';
const rackspaceLists = {
  blockedSenders: ['Blacklist', 'blocklist'],
  blockedIps: ['IP Blacklist', 'ipblocklist'],
  allowedSenders: ['Safelist', 'safelist'],
  allowedIps: ['IP Safelist', 'ipsafelist'],
} as const;
/**
 * Orders that are one operation of ours with another input than its example: the four spam lists, and an account
 * without a source.
 */
const FURTHER: Record<string, Further[]> = {
  rackspace: Object.entries(rackspaceLists).flatMap(([list, [words, segment]]): Further[] => {
    const value = list.endsWith('Ips') ? '198.51.100.77' : 'further@spam.example';
    const path = new RegExp(`/${segment}(?:/|$)`, 'i');
    return [
      { order: `Index ${words}`, operation: 'spamList.list', input: () => ({ mailbox: alex, list }), path },
      { order: `Add ${words}`, operation: 'spamList.add', input: () => ({ mailbox: alex, list, value }), path },
      { order: `Delete ${words}`, operation: 'spamList.remove', input: () => ({ mailbox: alex, list, value }), path },
    ];
  }),
  contextIo: [
    {
      order: 'POST accounts (create)',
      operation: 'mailbox.create',
      input: () => ({ email: 'alone@example.com', first_name: 'Alone' }),
    },
  ],
};
/** What the example of an operation runs, where the operation has several orders. */
const EXAMPLE_RUNS: Record<string, string[]> = {
  'contextIo mailbox.create': ['POST accounts with source'],
  'rackspace spamList.list': [],
  'rackspace spamList.add': [],
  'rackspace spamList.remove': [],
};

/** A request as far as the input decides it; boundaries of multipart bodies are random. */
const wire = (method: string, url: URL, body: string | Uint8Array | null | undefined) => ({
  method,
  path: url.pathname,
  query: [...url.searchParams].map(([name, value]) => `${name}=${value}`),
  body: Buffer.from(body ?? '')
    .toString()
    .replace(/-*(?:mailroom|boundary|form)[-\w]{8,}/gi, '(boundary)'),
});
/** What the core sends first for an input, found out without sending it. Undefined for what needs no vendor. */
async function firstRequest(provider: Provider, vendor: Vendor, name: string, input: Values) {
  let first: ReturnType<typeof wire> | undefined;
  const client = createClient(provider, {
    account: checkAccount(provider, vendor.account),
    send: async ({ method, url, body }) => {
      first ??= wire(method, new URL(url), body);
      throw new MailError('rejected', 'Only asked for the request.');
    },
  });
  const result = client.call(name, input);
  try {
    if (Symbol.asyncIterator in Object(result)) await take(result as AsyncIterable<unknown>, 1);
    else await result;
  } catch {
    /* as meant */
  }
  return first;
}

describe('every operation of every provider', function () {
  this.timeout(60_000);
  const vendors = new Map<string, Vendor>();
  const clients = new Map<string, Client>();
  const run = new Set<string>();
  let engine: Engine;

  before(async () => {
    for (const one of cases) {
      const vendor = await one.start();
      vendors.set(one.id, vendor);
      clients.set(one.id, clientOf(providerById(one.id), vendor, one));
    }
    engine = await openEngine({
      packageDir,
      credentials: Object.fromEntries(
        [...vendors.values()].map(vendor => {
          const saved = credentialOf(vendor);
          return [saved.type, saved];
        }),
      ),
    });
  });
  after(async () => {
    for (const vendor of vendors.values()) await vendor.close();
  });

  const execute = (providerId: string, node: string, { parameters, item }: Filled) =>
    engine.run(
      line({
        name: 'Node',
        type: `n8n-nodes-mailroom.${node}`,
        parameters: { ...parameters, ...(parameters.operation === 'list' ? { limit: 120 } : {}) },
        account: credentialOf(vendors.get(providerId)!),
      }),
      { items: [item] },
    );
  /** What the workflow gave must be what the operation promises: items, each paired with the input item. */
  function good(result: RunResult, what: string) {
    const { error } = result;
    assert.equal(
      result.status,
      'success',
      `${what}: ${error?.message} ${String(error?.description ?? '')} ${JSON.stringify(error?.messages ?? '')}`,
    );
    const items = result.items('Node');
    assert.ok(items.length > 0, `${what} gave nothing`);
    for (const item of items) {
      assert.deepEqual(item.pairedItem, { item: 0 }, what);
      assert.ok(Object.keys(item.json).length > 0 || item.binary, `${what} gave an empty item`);
      assert.ok(
        !('error' in item) && !('error' in item.json && typeof item.json.error === 'string' && 'code' in item.json),
        `${what}: ${JSON.stringify(item.json)}`,
      );
    }
    return items;
  }

  for (const one of cases) {
    const provider = providerById(one.id);
    const operations = (Object.entries(provider.operations) as [string, Operation][]).filter(
      ([name]) => ownerOf(name) !== undefined,
    );

    describe(`${provider.name}, from its node in n8n's engine`, () => {
      for (const [name, operation] of operations) {
        const node = ownerOf(name)!;
        it(`${node}: ${name}`, async () => {
          const vendor = vendors.get(one.id)!;
          const input = await one.examples[name]!(clients.get(one.id)!, vendor);
          const filled = await fillIn(engine, node, provider, name, input);
          vendor.forget();
          good(await execute(one.id, node, filled), name);
          const asked = vendor.seen[0] && wire(vendor.seen[0].method, vendor.seen[0].url, vendor.seen[0].body);
          assert.deepEqual(
            asked,
            await firstRequest(provider, vendor, name, input),
            'the node asks the vendor what the core would ask with the same input',
          );
          assert.equal(vendor.seen.length > 0, name !== 'webhook.verify', 'requests at the vendor');
          for (const order of EXAMPLE_RUNS[`${one.id} ${name}`] ?? operation.orders ?? [])
            run.add(`${one.id}: ${order}`);
          if (!filled.lists.length) return;
          // The same once more with arrays out of an expression, as a workflow would have them.
          await one.settle?.(vendor);
          const again = await one.examples[name]!(clients.get(one.id)!, vendor);
          const second = await fillIn(engine, node, provider, name, again, { lists: 'expression' });
          vendor.forget();
          good(await execute(one.id, node, second), `${name} with lists from expressions`);
          assert.deepEqual(
            wire(vendor.seen[0]!.method, vendor.seen[0]!.url, vendor.seen[0]!.body),
            await firstRequest(provider, vendor, name, again),
          );
        });
      }
      for (const { order, operation, input, path } of FURTHER[one.id] ?? []) {
        it(`${ownerOf(operation)!}: ${operation} (${order})`, async () => {
          const vendor = vendors.get(one.id)!;
          const node = ownerOf(operation)!;
          vendor.forget();
          good(
            await execute(
              one.id,
              node,
              await fillIn(engine, node, provider, operation, await input(clients.get(one.id)!)),
            ),
            order,
          );
          if (path) assert.match(vendor.seen.at(-1)!.path, path);
          run.add(`${one.id}: ${order}`);
        });
      }
    });
  }

  // In a suite of its own, because mocha runs the tests of a suite before the suites inside it.
  describe('together', () =>
    it('they fulfil every order from a node', () => {
      const wanted = Object.entries(ORDERS).flatMap(([provider, orders]) =>
        orders.map(order => `${provider}: ${order}`),
      );
      assert.deepEqual(
        wanted.filter(order => !run.has(order)),
        [],
      );
      assert.deepEqual(
        [...run].filter(order => !wanted.includes(order)),
        [],
        'nobody ordered these',
      );
    }));

  describe("from a script, through the package's main entry", () => {
    // Where npm would put it, away from the project's own modules.
    const script = () => createRequire(join(engine.packageFolder, '..', '..', 'script.js'));
    const fulfilled = new Set<string>();
    /** As the README shows it: the provider's own signature on a sender, a client on both. */
    function scripted(id: string): Client {
      const { providers, createClient, createSend, checkAccount } = script()('n8n-nodes-mailroom') as typeof Core;
      const provider = providers.find(known => known.id === id)!;
      const { accessToken } = vendors.get(id)!.account;
      const account = checkAccount(provider, vendors.get(id)!.account);
      const sign = provider.auth.sign
        ? (request: Core.HttpRequest) => provider.auth.sign!(request, account as never)
        : (request: Core.HttpRequest) => ({
            ...request,
            headers: { ...request.headers, authorization: `Bearer ${String(accessToken)}` },
          });
      return createClient(provider, { account, send: createSend({ sign }) });
    }

    for (const one of cases.filter(({ id }) => Object.hasOwn(ORDERS, id))) {
      const ordered = (Object.entries(providerById(one.id).operations) as [string, Operation][]).filter(
        ([, { orders }]) => orders?.length,
      );
      it(`${providerById(one.id).name}: every ordered operation`, async () => {
        const client = scripted(one.id);
        const vendor = vendors.get(one.id)!;
        const call = async (name: string, input: Values) => {
          vendor.forget();
          const result = client.call(name, input);
          let items = 0;
          if (Symbol.asyncIterator in Object(result)) {
            for await (const _ of result as AsyncIterable<unknown>) if (++items === 10) break;
            assert.ok(items > 0, name);
          } else await result;
          assert.ok(vendor.seen.length > 0, name);
        };
        for (const [name, { orders }] of ordered) {
          await call(name, await one.examples[name]!(clients.get(one.id)!, vendor));
          for (const order of EXAMPLE_RUNS[`${one.id} ${name}`] ?? orders!) fulfilled.add(`${one.id}: ${order}`);
        }
        for (const { operation, input, order } of FURTHER[one.id] ?? []) {
          const given = await input(clients.get(one.id)!);
          await call(operation, 'email' in given ? { ...given, email: 'scripted@example.com' } : given);
          fulfilled.add(`${one.id}: ${order}`);
        }
        assert.deepEqual(
          ORDERS[one.id as keyof typeof ORDERS].filter(order => !fulfilled.has(`${one.id}: ${order}`)),
          [],
        );
      });
    }

    it('a plain file run by node needs nothing but the package', async () => {
      const vendor = vendors.get('scaleway')!;
      const file = join(engine.packageFolder, '..', '..', 'list.js');
      writeFileSync(
        file,
        `
        const { providers, createClient, createSend, checkAccount, MailError } = require('n8n-nodes-mailroom');
        const provider = providers.find(one => one.id === 'scaleway'), account = checkAccount(provider, JSON.parse(process.argv[2]));
        const client = createClient(provider, { account, send: createSend({ sign: request => provider.auth.sign(request, account) }) });
        (async () => {
          let found = 0;
          for await (const { email } of client.call('mailbox.list', {})) if (email && ++found === 120) break;
          const refused = await client.call('mailbox.get', { mailbox: '00000000-0000-4000-8000-00000000dead' }).catch(error => error);
          console.log(JSON.stringify({ found, refused: refused instanceof MailError && refused.code, described: providers.every(({ id, name, operations }) => id && name && operations['account.check']) }));
        })();`,
      );
      const { stdout } = await promisify(execFile)(process.execPath, [file, JSON.stringify(vendor.account)], {
        env: {},
        timeout: 10_000,
      });
      assert.deepEqual(JSON.parse(stdout), { found: 120, refused: 'not_found', described: true });
    });
  });
});
