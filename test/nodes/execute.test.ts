import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { INodeExecutionData } from 'n8n-workflow';
import { providerById } from '../../shared/index.js';
import { cases } from '../contract/cases.js';
import { openEngine, type Engine, type RunResult, type SavedCredential } from '../engine/engine.js';
import { MAIN_DOMAIN, SECRET_KEY, seededId, startScaleway } from '../sandbox/scaleway.js';
import { GOOGLE, LARGE_FILE, sentBy, startSodium } from '../sandbox/sodium.js';
import type { Vendor } from '../sandbox/vendor.js';
import {
  clientOf,
  credentialOf,
  fillIn,
  line,
  openGate,
  packageDir,
  until,
  type Gate,
  type Step,
} from './workbench.js';

type Values = Record<string, unknown>;
const mailbox = 'n8n-nodes-mailroom.mailbox';
/** The seeded mailboxes by number, as items with their id. */
const boxes = (...numbers: number[]): INodeExecutionData[] =>
  numbers.map(n => ({
    json: { id: n ? seededId(`user${String(n).padStart(3, '0')}`) : '00000000-0000-4000-8000-00000000dead' },
  }));
const emailOf = (n: number) => `user${String(n).padStart(3, '0')}@${MAIN_DOMAIN}`;
const NOBODY = 0;
const codeOf = (item: Values) => (item.details as Values | undefined)?.code;
const byId = { __rl: true, mode: 'id', value: '={{ $json.id }}' };

describe('running a node', function () {
  this.timeout(60_000);
  let vendor: Vendor;
  let gate: Gate;
  let engine: Engine;
  let account: SavedCredential;
  const save = (id: string, credential: SavedCredential) => engine.saveCredential(id, credential);

  before(async () => {
    vendor = await startScaleway();
    gate = await openGate(vendor.url);
    account = credentialOf(vendor, { baseUrl: gate.url });
    engine = await openEngine({ packageDir, credentials: { scalewayApi: account } });
  });
  after(async () => {
    await gate.close();
    await vendor.close();
  });
  beforeEach(() => {
    vendor.mend();
    vendor.forget();
    Object.assign(gate, { seen: [], most: 0, held: [], hold: undefined });
  });

  const step = (operation: string, parameters: Values, more: Partial<Step> = {}): Step => ({
    name: 'Node',
    type: mailbox,
    parameters: {
      provider: 'scaleway',
      resource: operation.split('.')[0],
      operation: operation.split('.')[1],
      ...parameters,
    },
    account,
    ...more,
  });
  const run = (operation: string, parameters: Values, items?: INodeExecutionData[], more: Partial<Step> = {}) =>
    engine.run(line(step(operation, parameters, more)), items ? { items } : {});
  const get = (items: INodeExecutionData[], more: Partial<Step> = {}) =>
    run('mailbox.get', { mailbox: byId }, items, more);
  const json = (result: RunResult, output = 0) => {
    assert.equal(result.status, 'success', result.error?.message);
    return result.items('Node', output).map(item => item.json);
  };

  describe('lists', () => {
    it('Return All gives everything', async () => {
      const all = json(await run('mailbox.list', { returnAll: true }));
      assert.equal(new Set(all.map(one => one.id)).size, 130);
      assert.equal(all.length, 130);
    });
    it('Limit ends the reading, and is 50 where nobody sets it', async () => {
      assert.equal(json(await run('mailbox.list', { limit: 7 })).length, 7);
      assert.equal(vendor.seen.length, 1);
      assert.equal(json(await run('mailbox.list', {})).length, 50);
      const each = await run('mailbox.list', { limit: '={{ $json.n }}' }, [{ json: { n: 1 } }, { json: { n: 2 } }]);
      assert.deepEqual(
        each.items('Node').map(item => item.pairedItem),
        [0, 1, 1].map(item => ({ item })),
        'each entry is paired with the item that asked',
      );
    });
    it('filters reach the vendor', async () => {
      const found = json(
        await run('mailbox.list', { returnAll: true, filters: { search: 'user01', statuses: ['ready'] } }),
      );
      assert.ok(
        found.length > 0 && found.every(one => String(one.email).includes('user01')),
        JSON.stringify(found.map(one => one.email)),
      );
      assert.equal(vendor.seen[0]!.query.get('search'), 'user01');
    });
    it('an empty list gives no items and is no failure', async () => {
      assert.deepEqual(json(await run('mailbox.list', { filters: { search: 'nobody-at-all' } })), []);
    });
  });

  it("Simplify leaves the vendor's part out, and gives it when it is off", async () => {
    const [simple] = json(await get(boxes(1)));
    const [whole] = json(await run('mailbox.get', { mailbox: byId, simplify: false }, boxes(1)));
    assert.ok(simple && whole);
    assert.equal(simple.native, undefined);
    assert.equal((whole.native as Values).id, simple.id);
    const { native: _, ...rest } = whole;
    assert.deepEqual(simple, rest);
  });

  it('items come out in their order, each with its pair, though the answers come in another', async () => {
    gate.hold = () => true;
    const running = get(boxes(1, 2, 3, 4, 5));
    await until(() => gate.held.length === 5, 'five requests');
    const last = [...gate.held].reverse();
    for (const [i, { release }] of last.entries()) {
      release();
      await until(() => gate.active === last.length - i - 1, 'an answer');
    }
    const result = await running;
    assert.deepEqual(
      json(result).map(one => one.email),
      [1, 2, 3, 4, 5].map(emailOf),
    );
    assert.deepEqual(
      result.items('Node').map(item => item.pairedItem),
      [0, 1, 2, 3, 4].map(item => ({ item })),
    );
  });

  it('runs five items at a time, and no more', async () => {
    gate.hold = () => true;
    const running = get(boxes(...Array.from({ length: 20 }, (_, i) => i + 1)));
    await until(() => gate.held.length === 5, 'five requests');
    for (let i = 0; i < 20; i++) {
      await until(() => gate.held.length > i, `request ${i + 1}`);
      gate.held[i]!.release();
    }
    assert.equal(json(await running).length, 20);
    assert.equal(gate.most, 5);
  });
  it('keeps to the requests at a time that the account allows', async () => {
    await save('slow', { type: 'scalewayApi', data: { ...account.data, concurrent: 2 } });
    gate.hold = () => true;
    const running = get(boxes(1, 2, 3, 4, 5, 6), { account: { ...account, id: 'slow' } as never });
    for (let i = 0; i < 6; i++) {
      await until(() => gate.held.length > i, `request ${i + 1}`);
      gate.held[i]!.release();
    }
    assert.equal(json(await running).length, 6);
    assert.equal(gate.most, 2);
  });

  it('rows that the vendor throttles are created after a rest: each once, and none is an error', async () => {
    const own = await startScaleway();
    try {
      const throttling = { ...credentialOf(own), id: 'throttling' };
      await save('throttling', throttling);
      own.fail({ status: 429, headers: { 'retry-after': '0' }, body: '', method: 'POST', times: 6 });
      const rows = Array.from({ length: 12 }, (_, i) => ({ json: { name: `row${i}` } }));
      const made = json(
        await run(
          'mailbox.create',
          {
            domain_id: { __rl: true, mode: 'id', value: seededId(MAIN_DOMAIN) },
            local_part: '={{ $json.name }}',
            password: 'correct horse battery',
            subscription_period: 'monthly',
          },
          rows,
          { account: throttling },
        ),
      );
      assert.equal(new Set(made.map(one => one.email)).size, 12);
      assert.ok(made.every(one => one.error === undefined));
      assert.equal(own.seen.filter(({ method }) => method === 'POST').length, 18, 'six were refused');
    } finally {
      await own.close();
    }
  });

  /** So long a rest is told and not waited for. */
  const LONG_THROTTLE = {
    status: 429,
    headers: { 'retry-after': '100' },
    body: JSON.stringify({ type: 'too_many_requests', message: 'slow' }),
  };
  describe('when items fail', () => {
    let accounts = 0;
    /** An account of its own: the vendor asks one to rest, and the others go on. */
    const restful = async (): Promise<Partial<Step>> => {
      const own = { ...account, data: { ...account.data, perMinute: 50_000 + ++accounts } };
      await save(`restful${accounts}`, own);
      return { account: { ...own, id: `restful${accounts}` } };
    };
    /**
     * An update whose second item does not exist, whose third is wrong in two fields, and whose fourth is throttled.
     */
    const update = async (more: Partial<Step>) => {
      vendor.fail({ ...LONG_THROTTLE, path: seededId('user004'), times: 9 });
      const items: INodeExecutionData[] = [
        ['ready', 1],
        ['ready', NOBODY],
        ['wrong', 3],
        ['ready', 4],
        ['ready', 5],
      ].map(([kind, n]) => ({
        json: {
          ...boxes(n as number)[0]!.json,
          period: kind === 'wrong' ? 'weekly' : 'yearly',
          word: kind === 'wrong' ? 'short' : 'correct horse battery',
        },
      }));
      return run(
        'mailbox.update',
        {
          mailbox: byId,
          updateFields: { subscription_period: '={{ $json.period }}', new_password: '={{ $json.word }}' },
        },
        items,
        { ...(await restful()), ...more },
      );
    };
    const told = (errors: Values[]) => {
      const [missing, wrong, throttled] = errors.map(one => one.details as Values);
      assert.equal(errors.length, 3);
      assert.deepEqual(
        [missing!.code, missing!.status, missing!.provider, missing!.operation],
        ['not_found', 404, 'Scaleway Mailbox', 'mailbox.update'],
      );
      assert.match(String(missing!.message), /resource is not found \(mailbox\)/, "the vendor's own words");
      assert.equal(wrong!.code, 'invalid_input');
      assert.deepEqual(
        (wrong!.issues as { field: string }[]).map(({ field }) => field),
        ['subscription_period', 'new_password'],
      );
      assert.deepEqual([throttled!.code, throttled!.status, throttled!.retryAfter], ['rate_limited', 429, 100]);
      for (const { error, details } of errors) assert.equal(error, (details as Values).message);
    };
    it('continue-on-fail turns each failed item into an error item in its place', async () => {
      const result = await update({ onError: 'continueRegularOutput' });
      const items = json(result);
      assert.deepEqual(
        items.map(one => one.email ?? codeOf(one)),
        [emailOf(1), 'not_found', 'invalid_input', 'rate_limited', emailOf(5)],
      );
      assert.deepEqual(
        result.items('Node').map(item => item.pairedItem),
        [0, 1, 2, 3, 4].map(item => ({ item })),
      );
      told(items.slice(1, 4));
    });
    it('the error output gets the failed items, the other output keeps the rest', async () => {
      const result = await update({ onError: 'continueErrorOutput' });
      assert.deepEqual(
        json(result).map(one => one.email),
        [emailOf(1), emailOf(5)],
      );
      told(json(result, 1));
      assert.deepEqual(
        result.items('Node', 1).map(item => item.pairedItem),
        [1, 2, 3].map(item => ({ item })),
      );
      assert.equal(json(result, 1)[0]!.id, '00000000-0000-4000-8000-00000000dead', 'with what the item held');
    });
    it('without it the first failure ends the node: which item, which were done, which were not begun', async () => {
      gate.hold = () => true;
      // The third item has no id: it fails at once, while those beside it wait for their answers.
      const items = boxes(1, 2, 3, 4, 5, 6, 7);
      items[2] = { json: {} };
      const running = get(items);
      await until(() => gate.held.length === 4, 'four requests');
      gate.held.forEach(({ release }) => release());
      const { status, error } = await running;
      assert.equal(status, 'error');
      assert.equal((error!.context as { itemIndex: number }).itemIndex, 2);
      assert.match(
        String(error!.description),
        /Of the 7 items, counted from 1: 1-2, 4-5 done; 3 failed; the others not started/,
      );
      assert.equal(gate.seen.length, 4, 'what was not begun asked for nothing');
    });
    it('what the provider refused is said in its own words, with what to do, where and with which status', async () => {
      const { error } = await get(boxes(NOBODY));
      assert.equal(error!.name, 'NodeApiError');
      assert.equal((error!.context as { itemIndex: number }).itemIndex, 0);
      assert.equal(error!.message, 'resource is not found (mailbox)');
      assert.equal(error!.httpCode, '404');
      assert.match(
        String(error!.description),
        /Check the ID or address.*\(Scaleway Mailbox: Mailbox, Get, status 404\.\)/,
      );
    });
    it('what the user can mend is named by field, before any request', async () => {
      const { error } = await run(
        'mailbox.create',
        { domain_id: 'no uuid', local_part: 'x', password: 'short', subscription_period: 'weekly' },
        [{ json: {} }],
      );
      assert.equal(error!.name, 'NodeOperationError');
      assert.equal((error!.context as { itemIndex: number }).itemIndex, 0);
      for (const field of ['domain_id', 'password', 'subscription_period'])
        assert.ok(String(error!.description).includes(`${field}: `), `${field} in ${String(error!.description)}`);
      assert.equal(vendor.seen.length, 0);
    });
    it('throttling tells n8n how long to wait, a refused key that the credential is at fault', async () => {
      vendor.fail({ ...LONG_THROTTLE, times: 9 });
      const throttled = (
        await run(
          'mailbox.update',
          { mailbox: byId, updateFields: { subscription_period: 'yearly' } },
          boxes(4),
          await restful(),
        )
      ).error!;
      assert.deepEqual(throttled.failure, { cause: 'rate-limited', retryAfterMs: 100_000 });
      vendor.mend();
      await save('wrong', {
        type: 'scalewayApi',
        data: { ...account.data, secretKey: '11111111-2222-4333-8444-555555555555' },
      });
      assert.deepEqual((await get(boxes(1), { account: { ...account, id: 'wrong' } as never })).error!.failure, {
        cause: 'credential-invalid',
      });
      vendor.mend();
      vendor.fail({ status: 503, times: 9, body: '' });
      assert.deepEqual(
        (await run('mailbox.update', { mailbox: byId, updateFields: { subscription_period: 'yearly' } }, boxes(4)))
          .error!.failure,
        { cause: 'temporarily-unavailable' },
      );
    });
    it('a write whose answer was lost is not sent again', async () => {
      vendor.fail({ cut: 'answer' });
      assert.equal(
        (await run('mailbox.update', { mailbox: byId, updateFields: { subscription_period: 'yearly' } }, boxes(6)))
          .status,
        'error',
      );
      assert.equal(vendor.seen.length, 1);
    });
  });

  it('a credential may hold expressions: each item with its own account', async () => {
    const other = await startScaleway({ mailboxes: 3 });
    try {
      await save('own', {
        type: 'scalewayApi',
        data: { ...account.data, secretKey: '={{ $json.key }}', baseUrl: '={{ $json.base }}' },
      });
      const items = [
        [SECRET_KEY, vendor.url],
        ['11111111-2222-4333-8444-555555555555', vendor.url],
        [SECRET_KEY, other.url],
      ].map(([key, base]) => ({ json: { ...boxes(1)[0]!.json, key: key!, base: base! } }));
      const result = await get(items, {
        account: { ...account, id: 'own' } as never,
        onError: 'continueRegularOutput',
      });
      assert.deepEqual(
        json(result).map(one => one.email ?? codeOf(one)),
        [emailOf(1), 'unauthorized', emailOf(1)],
      );
      assert.deepEqual([vendor.seen.length, other.seen.length], [2, 1]);
    } finally {
      await other.close();
    }
  });

  describe('cancelling', () => {
    it('stops what has not begun and what is under way', async () => {
      const stop = new AbortController();
      gate.hold = () => true;
      const running = engine.run(line(step('mailbox.get', { mailbox: byId })), {
        items: boxes(...Array.from({ length: 20 }, (_, i) => i + 1)),
        signal: stop.signal,
      });
      await until(() => gate.held.length === 5, 'five requests');
      stop.abort();
      assert.equal((await running).status, 'canceled');
      await until(() => gate.active === 0, 'the requests under way to be given up');
      assert.equal(gate.seen.length, 5);
      assert.equal(vendor.seen.length, 0);
    });
    it('stops a list between its pages', async () => {
      const stop = new AbortController();
      gate.hold = path => /[?&]page=2/.test(path);
      const running = engine.run(line(step('mailbox.list', { returnAll: true })), { signal: stop.signal });
      await until(() => gate.held.length === 1, 'the second page');
      stop.abort();
      assert.equal((await running).status, 'canceled');
      await until(() => gate.active === 0, 'the page under way to be given up');
      assert.equal(vendor.seen.length, 1);
    });
    it('stops waiting for the pace of the account', async () => {
      await save('paced', { type: 'scalewayApi', data: { ...account.data, perMinute: 1 } });
      const stop = new AbortController();
      const running = engine.run(
        line(step('mailbox.get', { mailbox: byId }, { account: { ...account, id: 'paced' } as never })),
        { items: boxes(1, 2), signal: stop.signal },
      );
      await until(() => vendor.seen.length === 1, 'the first request');
      stop.abort();
      assert.equal((await running).status, 'canceled');
      assert.equal(vendor.seen.length, 1);
    });
  });

  describe('what a node does not offer is refused before any request', () => {
    for (const [what, resource, operation, words] of [
      [
        'the "Custom API Call" entry that n8n adds to the operations',
        'mailbox',
        '__CUSTOM_API_CALL__',
        /use the HTTP Request node/,
      ],
      ['the same among the resources', '__CUSTOM_API_CALL__', '', /use the HTTP Request node/],
      ['an unknown operation', 'mailbox', 'purge', /Scaleway Mailbox has no operation "Mailbox, Purge" in this node/],
      ['an operation of another node', 'alias', 'list', /Scaleway Mailbox has no operation "Alias/],
    ] as const) {
      it(what, async () => {
        const { error, status } = await engine.run(
          line({ name: 'Node', type: mailbox, account, parameters: { provider: 'scaleway', resource, operation } }),
        );
        assert.equal(status, 'error');
        assert.equal(error!.name, 'NodeOperationError', error!.message);
        assert.match(error!.message, words);
        assert.equal(vendor.seen.length, 0);
      });
    }
  });

  describe('binary data', () => {
    let sodium: Vendor;
    let door: Gate;
    let saved: SavedCredential;
    let target: Values;
    before(async () => {
      sodium = await startSodium();
      door = await openGate(sodium.url);
      saved = credentialOf(sodium, { baseUrl: door.url });
      await save('sodiumApi', saved);
      for await (const found of clientOf(providerById('sodium'), sodium).call('message.list', {
        mailbox: [GOOGLE],
        direction: 'Inbound',
        search: 'VAT return 69',
      })) {
        target = { mailbox: found.mailbox!, message: found.id };
        break;
      }
    });
    after(async () => {
      await door.close();
      await sodium.close();
    });
    beforeEach(() => {
      door.slowly = undefined;
    });
    const rl = (value: unknown) => ({ __rl: true, mode: 'id', value });
    const download = (): Step => ({
      name: 'Download',
      type: mailbox,
      account: saved,
      parameters: {
        provider: 'sodium',
        resource: 'attachment',
        operation: 'get',
        mailbox: rl(target.mailbox),
        message: rl(target.message),
        attachment: 'A2/scan+=',
      },
    });
    const send = (field: string): Step => ({
      name: 'Send',
      type: 'n8n-nodes-mailroom.send',
      account: saved,
      parameters: {
        provider: 'sodium',
        resource: 'message',
        operation: 'send',
        to: 'Jo Client <jo@client.test>',
        subject: 'Figures',
        htmlBody: '<p>Here.</p>',
        attachments: field,
      },
    });
    const whole = createHash('sha256').update(Buffer.alloc(LARGE_FILE, 'Sodium sandbox, a large file. ')).digest('hex');
    const filesBelow = (folder: string) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => join(entry.parentPath, entry.name));

    it('5 MB come in from the vendor as a stream, and go out again from the file', async () => {
      const stored = join(engine.userFolder, 'binaryData');
      const before = new Set(filesBelow(stored));
      let passed = 0;
      let onDisk = 0;
      // The vendor's answer goes on only when its beginning has reached the disk: a node that collects it first would
      // wait for ever.
      door.slowly = async piece => {
        passed += piece.length;
        if (passed < 1_000_000 || onDisk) return;
        await until(
          () => filesBelow(stored).some(file => !before.has(file) && (onDisk = statSync(file).size) > 0),
          'a beginning on the disk',
        );
      };
      const result = await engine.run(line(download(), send('data')));
      assert.equal(result.status, 'success', result.error?.message);
      const { json: told, binary } = result.items('Download')[0]!;
      assert.match(binary!.data!.id!, /^filesystem-v2:/);
      assert.ok(onDisk > 0 && onDisk < LARGE_FILE, `${onDisk} bytes were on the disk when a fifth had come`);
      assert.deepEqual(
        [told.name, told.type, binary!.data!.fileName, binary!.data!.mimeType],
        ['scan.pdf', 'application/pdf', 'scan.pdf', 'application/pdf'],
      );
      assert.equal(
        createHash('sha256')
          .update(await engine.bytes(binary!.data!))
          .digest('hex'),
        whole,
      );
      const [attached] = sentBy(sodium).at(-1)!.attachments;
      assert.deepEqual(
        [attached!.fileName, attached!.contentType, createHash('sha256').update(attached!.bytes).digest('hex')],
        ['scan.pdf', 'application/pdf', whole],
      );
    });
    it('a download that breaks off is an error, not half a file', async () => {
      sodium.fail({ cut: 'body', path: '/attachments/', times: 9 });
      const { status, error } = await engine.run(line(download()));
      sodium.mend();
      assert.equal(status, 'error');
      assert.match(error!.message, /"scan\.pdf" broke off after \d+ bytes/);
    });
    it('a field that holds no file is named, and nothing is sent', async () => {
      const before = sentBy(sodium).length;
      const { status, error } = await engine.run(line(send('report')));
      assert.equal(status, 'error');
      assert.match(`${error!.message} ${String(error!.description)}`, /report/);
      assert.equal(sentBy(sodium).length, before);
    });
  });

  describe('no secret of the account leaves in an error or an item', () => {
    for (const one of cases) {
      const provider = providerById(one.id);
      it(provider.name, async () => {
        const its = await one.start();
        try {
          const saved = credentialOf(its);
          const secrets: string[] = [];
          for (const [name, field] of Object.entries(provider.auth.fields as Record<string, { secret?: boolean }>))
            if (field.secret) secrets.push(String(its.account[name]));
          if (its.account.accessToken)
            secrets.push(...['accessToken', 'refreshToken', 'clientSecret'].map(name => String(its.account[name])));
          assert.ok(secrets.length > 0);
          await save(saved.type, saved);
          const filled = async (name: string) =>
            fillIn(engine, 'mailbox', provider, name, await one.examples[name]!(clientOf(provider, its, one), its));
          const reading = await filled('mailbox.get');
          const { parameters, item } = await filled('mailbox.update');
          const good = await engine.run(
            line({
              name: 'Node',
              type: mailbox,
              parameters: { ...reading.parameters, simplify: false },
              account: saved,
            }),
            { items: [reading.item] },
          );
          assert.equal(good.status, 'success', good.error?.message);
          const results = [good];
          for (const status of [400, 401, 403, 500]) {
            for (const onError of ['stopWorkflow', 'continueRegularOutput', 'continueErrorOutput']) {
              its.fail({
                status,
                times: 9,
                headers: { 'retry-after': '0' },
                body: `You sent ${secrets.join(' and ')}, ${secrets.map(secret => encodeURIComponent(secret)).join(' and ')}`,
              });
              results.push(
                await engine.run(line({ name: 'Node', type: mailbox, parameters, account: saved, onError }), {
                  items: [item],
                }),
              );
              its.mend();
            }
          }
          assert.ok(results.some(({ status }) => status === 'error'));
          for (const { run: everything } of results) {
            const text = inspect(everything, {
              depth: 12,
              maxStringLength: null,
              maxArrayLength: null,
              showHidden: true,
            });
            for (const secret of secrets)
              for (const spelled of [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')])
                assert.ok(
                  !text.includes(spelled),
                  `${spelled} in ${text.slice(Math.max(0, text.indexOf(spelled) - 300), text.indexOf(spelled) + 50)}`,
                );
          }
        } finally {
          await its.close();
        }
      });
    }
  });
});
