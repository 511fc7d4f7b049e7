import assert from 'node:assert/strict';
import {
  accountFields,
  connect,
  isFile,
  isMailError,
  providers,
  splitName,
  take,
  type Client,
  type ConnectOptions,
  type ErrorCode,
  type Field,
  type MailError,
  type Operation,
  type Provider,
  type Vocabulary,
} from '../../shared/index.js';
import { otherSecret, type ProviderCase } from './case.js';
import type { Fault, Reply, Vendor } from '../sandbox/vendor.js';

type Values = Record<string, unknown>;
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && !/^(?:undefined|null|NaN|\[object Object\])$/.test(value);
const isObject = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTime = (value: unknown) =>
  isText(value) && /^\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:?\d\d)$/.test(value) && !Number.isNaN(Date.parse(value));

/** Each check says what is wrong with a result, or nothing. */
const optional = (value: unknown, name: string, test: (value: unknown) => boolean) =>
  value === undefined || test(value) ? [] : [`${name} is ${JSON.stringify(value)}`];
const needed = (value: unknown, name: string, test: (value: unknown) => boolean) =>
  test(value) ? [] : [`${name} is ${JSON.stringify(value)}`];
const isAddress = (value: unknown) =>
  isObject(value) && isText(value.email) && (value.name === undefined || typeof value.name === 'string');
const mailbox = (m: Values) => [
  ...needed(m.id, 'id', isText),
  ...needed(m.native, 'native', isObject),
  ...optional(m.email, 'email', isText),
  ...optional(m.name, 'name', isText),
  ...optional(m.createdAt, 'createdAt', isTime),
  ...optional(m.updatedAt, 'updatedAt', isTime),
  ...needed(m.status, 'status', s =>
    ['active', 'disabled', 'pending', 'deleting', 'error', 'unknown'].includes(s as string),
  ),
];
const alias = (a: Values) => [
  ...needed(a.id, 'id', isText),
  ...needed(a.email, 'email', isText),
  ...needed(a.native, 'native', isObject),
  ...optional(a.mailbox, 'mailbox', isText),
  ...optional(a.description, 'description', isText),
];
const spamEntry = (e: Values) => [
  ...needed(e.list, 'list', l =>
    ['blockedSenders', 'blockedIps', 'allowedSenders', 'allowedIps'].includes(l as string),
  ),
  ...needed(e.value, 'value', isText),
];
const message = (m: Values) => [
  ...needed(m.id, 'id', isText),
  ...needed(m.native, 'native', isObject),
  ...needed(m.to, 'to', to => Array.isArray(to) && to.every(isAddress)),
  ...optional(m.cc, 'cc', cc => Array.isArray(cc) && cc.every(isAddress)),
  ...optional(m.from, 'from', isAddress),
  ...optional(m.date, 'date', isTime),
  ...optional(m.read, 'read', r => typeof r === 'boolean'),
  ...optional(m.subject, 'subject', s => typeof s === 'string'),
  ...optional(
    m.attachments,
    'attachments',
    a => Array.isArray(a) && a.every(one => isObject(one) && isText(one.id) && isText(one.name) && isText(one.type)),
  ),
];
const receipt = (r: Values) => [
  ...needed(r.native, 'native', isObject),
  ...optional(r.id, 'id', isText),
  ...optional(r.outcome, 'outcome', o => ['done', 'queued', 'unknown'].includes(o as string)),
];
/** What each common operation promises; the compiler asks for every one of them. */
const COMMON: Record<keyof Vocabulary, ((result: Values) => string[]) | undefined> = {
  'account.check': undefined,
  'mailbox.list': mailbox,
  'mailbox.get': mailbox,
  'mailbox.create': mailbox,
  'mailbox.update': mailbox,
  'mailbox.delete': receipt,
  'mailbox.restore': mailbox,
  'alias.list': alias,
  'alias.get': alias,
  'alias.create': alias,
  'alias.update': alias,
  'alias.delete': receipt,
  'spamList.list': spamEntry,
  'spamList.add': receipt,
  'spamList.remove': receipt,
  'message.list': message,
  'message.get': message,
  'message.mark': receipt,
  'message.reply': receipt,
  'message.send': receipt,
  'sync.start': receipt,
};
/** The results that are worth nothing without the vendor's answer. */
const READABLE = new Set<unknown>([mailbox, alias, message]);

/** Only the check of a signature is done without the vendor. */
const atHome = (operation: string) => splitName(operation)[1] === 'verify';

/** Every provider with a base address speaks HTTP and has to pass the suite. */
export const speaksHttp = (provider: Provider): boolean => Object.hasOwn(provider.auth.fields, 'baseUrl');

const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof (value as AsyncIterable<unknown> | null)?.[Symbol.asyncIterator] === 'function';
const keyOf = (item: unknown) => (isObject(item) && isText(item.id) ? item.id : JSON.stringify(item));
/** A value that no field of this kind takes. */
function wrongFor(field: Field): unknown {
  switch (field.type) {
    case 'text':
      return { not: 'a text' };
    case 'number':
      return 'many';
    case 'flag':
      return 'perhaps';
    case 'time':
      return 'soon';
    case 'file':
      return 5;
    case 'json':
      return '[1]';
    case 'choice':
      return field.open ? { not: 'a text' } : 'no such choice';
    case 'list':
      return [wrongFor(field.of)];
  }
}

/**
 * The promises every provider keeps, run over its whole table. Nothing here can be switched off by a case. Call what it
 * returns before the first test.
 */
export function contract(provider: Provider, theCase: ProviderCase): () => void {
  const operations = Object.entries(provider.operations as Readonly<Record<string, Operation>>);
  const reads = operations.filter(([, op]) => op.effect === 'read');
  const writes = operations.filter(([, op]) => op.effect !== 'read');
  const probe = theCase.probe ?? { operation: 'account.check', input: {} };
  const probed = (provider.operations as Readonly<Record<string, Operation>>)[probe.operation];
  const problems: unknown[] = [];
  const secrets = new Set<string>();
  let vendor: Vendor;
  let client: Client;
  let begin = () => {};

  const open = (to: Vendor, options: ConnectOptions = {}, account: Values = {}): Client => {
    for (const [name, field] of Object.entries(accountFields(provider))) {
      const value = { ...to.account, ...account }[name];
      if (field.type === 'text' && field.secret && typeof value === 'string' && value.length > 3) secrets.add(value);
    }
    const token = theCase.token?.(to);
    return connect(
      provider,
      { ...to.account, concurrent: 50, perMinute: 60_000, ...account },
      {
        patience: 0,
        timeoutMs: 5000,
        ...(token
          ? {
              token: async renew => {
                const now = await token(renew);
                secrets.add(now);
                return now;
              },
            }
          : {}),
        ...options,
      },
    );
  };
  const example = async (name: string, of = client, at = vendor): Promise<Values> => {
    const make = theCase.examples[name];
    assert.ok(make, `the case has no example for ${name}`);
    return await make(of, at);
  };
  /** Runs an operation to its end: a stream is read, at most 300 items of it. */
  const run = async (of: Client, name: string, input: Values): Promise<unknown> => {
    const result = of.call(name, input);
    if (!isStream(result)) return await result;
    return take(result, 300);
  };
  /** The error of something that has to fail; kept, to be searched for secrets. */
  const failing = async (work: Promise<unknown>, what: string): Promise<MailError> => {
    let result: unknown;
    try {
      result = await work;
    } catch (error) {
      problems.push(error);
      if (isMailError(error)) return error;
      throw new assert.AssertionError({ message: `${what}: ${error instanceof Error ? error.stack : String(error)}` });
    }
    throw new assert.AssertionError({
      message: `${what} was expected to fail and gave ${JSON.stringify(result)?.slice(0, 200)}`,
    });
  };
  const saysWhere = (error: MailError, operation: string, what = operation) => {
    assert.equal(error.details.provider, provider.name, `${what}: the error names no provider`);
    assert.equal(error.details.operation, operation, `${what}: the error names no operation`);
    assert.ok(error.message.trim().length > 10, `${what}: "${error.message}" is no sentence`);
  };
  const coded = (error: MailError, codes: ErrorCode[], what: string) =>
    assert.ok(
      codes.includes(error.code),
      `${what}: expected ${codes.join(' or ')}, got ${error.code}: ${error.message}`,
    );

  describe(provider.name, function () {
    this.timeout(60_000);
    before(async () => {
      vendor = await theCase.start();
      client = open(vendor);
    });
    after(() => vendor?.close());
    beforeEach(() => {
      vendor.mend();
      vendor.forget();
    });

    it('has an example for every operation and a happening for every feed', () => {
      assert.deepEqual(Object.keys(theCase.examples).sort(), operations.map(([name]) => name).sort());
      assert.deepEqual(Object.keys(theCase.feeds).sort(), Object.keys(provider.feeds).sort());
      assert.equal(theCase.id, provider.id);
      assert.ok(
        !operations.some(([name]) => name.endsWith('.list')) || theCase.paged.length > 0,
        'no list is tested across a page border',
      );
    });

    describe('every operation runs and gives what it promises', () => {
      for (const [name, { plain = false }] of operations) {
        it(name, async () => {
          const input = await example(name);
          vendor.forget();
          const result = client.call(name, input);
          assert.equal(isStream(result), name.endsWith('.list'), 'a list streams, everything else is a promise');
          const value = isStream(result) ? await take(result, 120) : await result;
          assert.equal(
            vendor.seen.length > 0,
            !atHome(name),
            'nothing was asked of the vendor, or something of an operation that needs no vendor',
          );
          // Who is told that there is nothing to leave out must not miss anything, and nobody is offered a switch that
          // does nothing.
          for (const one of [value].flat())
            if (one !== undefined)
              assert.equal(
                plain,
                !(isObject(one) && 'native' in one && Object.keys(one).length > 1),
                `plain: ${JSON.stringify(one).slice(0, 200)}`,
              );
          if (!Object.hasOwn(COMMON, name)) return;
          const shape = COMMON[name as keyof Vocabulary];
          if (!shape) return assert.equal(value, undefined);
          if (Array.isArray(value)) assert.ok(value.length > 0, 'the example lists nothing');
          for (const one of Array.isArray(value) ? value : [value]) {
            assert.ok(isObject(one), `${JSON.stringify(one)} is no object`);
            assert.deepEqual(shape(one), [], JSON.stringify(one).slice(0, 400));
          }
        });
      }
    });

    describe('lists', () => {
      for (const { operation, input = {}, size } of theCase.paged) {
        it(`${operation} crosses page borders, repeats nothing, and stops asking when the reader stops`, async () => {
          const items = await take(client.call(operation, input) as AsyncIterable<unknown>);
          const whole = vendor.seen.length;
          assert.ok(items.length > size, `${items.length} items do not cross a page of ${size}`);
          assert.ok(
            whole >= Math.ceil(items.length / size),
            `${items.length} items came in ${whole} requests: the pages are larger than ${size}`,
          );
          assert.equal(new Set(items.map(keyOf)).size, items.length, 'an item came twice');
          vendor.forget();
          assert.equal(
            keyOf((await take(client.call(operation, input) as AsyncIterable<unknown>, 1))[0]),
            keyOf(items[0]),
            'another first item',
          );
          const first = vendor.seen.length;
          assert.ok(first < whole, `one item took ${first} requests, all of them ${whole}`);
          await run(client, probe.operation, probe.input);
          const later = vendor.seen.slice(first).map(request => request.path);
          assert.ok(
            !later.slice(0, -1).includes(vendor.seen[0]!.path),
            `more pages were asked for after the reader had stopped: ${later.join(' ')}`,
          );
        });
        it(`${operation} asks for nothing before it is read`, async () => {
          const stream = client.call(operation, input) as AsyncIterable<unknown>;
          await run(client, probe.operation, probe.input);
          const asked = vendor.seen.length;
          await run(client, probe.operation, probe.input);
          assert.equal(vendor.seen.length, asked * 2, 'a list that nobody read made a request');
          await take(stream, 1);
        });
      }
    });

    describe('an unknown target is not_found', () => {
      for (const [name, op] of operations) {
        const [resource, verb] = splitName(name);
        // Where the caller names what is made, an unknown name is the point.
        const made = (field: string) =>
          verb.startsWith('create') && resource.toLowerCase().endsWith(field.toLowerCase());
        for (const field of Object.keys(theCase.unknown).filter(f => op.input[f]?.required && !made(f))) {
          it(`${name}: ${field}`, async () => {
            const input = { ...(await example(name)), [field]: theCase.unknown[field] };
            const error = await failing(run(client, name, input), name);
            coded(error, ['not_found'], name);
            saysWhere(error, name);
          });
        }
      }
    });

    it('wrong credentials are unauthorized', async () => {
      const wrong: [string, Client][] = [];
      if (theCase.token) wrong.push(['token', open(vendor, { token: async () => 'not-the-right-token' })]);
      else {
        for (const [name, field] of Object.entries(provider.auth.fields as Record<string, Field>)) {
          const value = vendor.account[name];
          if (field.type === 'text' && field.secret && typeof value === 'string' && value)
            wrong.push([name, open(vendor, {}, { [name]: otherSecret(field, value) })]);
        }
      }
      assert.ok(wrong.length > 0, 'the account has no secret');
      for (const [name, stranger] of wrong) {
        const error = await failing(run(stranger, probe.operation, probe.input), `a wrong ${name}`);
        coded(error, ['unauthorized'], `a wrong ${name}`);
        saysWhere(error, probe.operation);
      }
    });

    describe('when the vendor fails', () => {
      const marker = 'the end of a long page that nobody wants to read';
      const page = (secret: string) =>
        `<html><body>secret=${secret} key: ${secret} Bearer ${secret} ${'lorem ipsum dolor '.repeat(20)}${marker}</body></html>`;
      const cases: Record<
        string,
        {
          fault: (to: Vendor) => Fault;
          codes: ErrorCode[];
          asked: number[];
          timeoutMs?: number;
          check?: (error: MailError) => void;
        }
      > = {
        'a 500 is unavailable, after two more tries of a read': {
          fault: () => ({ status: 500, headers: { 'retry-after': '0' }, body: 'oops' }),
          codes: ['unavailable'],
          asked: [3],
        },
        'silence is unavailable': {
          fault: () => ({ silent: true }),
          codes: ['unavailable'],
          asked: [3],
          timeoutMs: 150,
        },
        'a connection closed before the answer is unavailable': {
          fault: () => ({ cut: 'answer' }),
          codes: ['unavailable'],
          asked: [3],
        },
        'an answer that breaks off is unavailable or protocol': {
          fault: () => ({ cut: 'body' }),
          codes: ['unavailable', 'protocol'],
          asked: [1, 3],
        },
        'a garbled answer is protocol': { fault: () => ({ malformed: true }), codes: ['protocol'], asked: [1] },
        'a web page instead of an answer is protocol, with a short excerpt': {
          fault: to => ({
            status: 200,
            headers: { 'content-type': 'text/html' },
            body: page(String(Object.values(to.account).find(value => [...secrets].includes(String(value))))),
          }),
          codes: ['protocol'],
          asked: [1],
          check: error => {
            assert.ok(!error.message.includes(marker));
            assert.ok(error.message.includes(provider.name), error.message);
          },
        },
        'a redirect is protocol: it is not followed': {
          fault: () => ({ status: 302, headers: { location: 'https://elsewhere.example/login' }, body: '' }),
          codes: ['protocol'],
          asked: [1],
        },
        'an empty answer is protocol': { fault: () => ({ status: 200, body: '' }), codes: ['protocol'], asked: [1] },
        'too many requests are rate_limited': {
          fault: () => ({ throttle: true }),
          codes: ['rate_limited'],
          asked: [1, 3],
          check: error => {
            const wait = error.details.retryAfter;
            if (theCase.throttleWait !== undefined)
              assert.ok(
                wait !== undefined && Math.abs(wait - theCase.throttleWait) <= 1,
                `the vendor asks for ${theCase.throttleWait} s, the error says ${wait}`,
              );
          },
        },
      };
      // Each in a sandbox of its own, and all providers' at once, since a read is tried again after a pause.
      const outcomes = new Map<string, Promise<{ error: MailError; asked: number }>>();
      begin = () => {
        for (const [name, { fault, timeoutMs }] of Object.entries(cases)) {
          const work = (async () => {
            const own = await theCase.start();
            try {
              const its = open(own, timeoutMs ? { timeoutMs } : {});
              if (theCase.token) await run(its, probe.operation, probe.input);
              own.forget();
              own.fail({ ...fault(own), times: 100 });
              const error = await failing(run(its, probe.operation, probe.input), name);
              return { error, asked: own.seen.length };
            } finally {
              await own.close();
            }
          })();
          work.catch(() => {
            /* reported by the test that awaits it */
          });
          outcomes.set(name, work);
        }
      };
      for (const [name, { codes, asked, check }] of Object.entries(cases)) {
        it(name, async () => {
          const outcome = await outcomes.get(name)!;
          coded(outcome.error, codes, name);
          saysWhere(outcome.error, probe.operation, name);
          assert.ok(asked.includes(outcome.asked), `${outcome.asked} requests, expected ${asked.join(' or ')}`);
          check?.(outcome.error);
        });
      }
      it('the probe is a read', () => assert.equal(probed?.effect, 'read'));

      it('a read that failed once is tried again and succeeds', async () => {
        vendor.fail({ status: 503, headers: { 'retry-after': '0' }, body: '' });
        await run(client, probe.operation, probe.input);
        assert.ok(vendor.seen.length >= 2);
      });

      for (const [name, op] of operations.filter(([operation]) => !atHome(operation))) {
        it(`${name}: a garbled answer is never taken for a result`, async () => {
          const input = await example(name);
          vendor.fail({ malformed: true, times: 100 });
          let value: unknown;
          try {
            value = await run(client, name, input);
          } catch (error) {
            vendor.mend();
            const failed = await failing(Promise.reject(error as Error), name);
            coded(failed, ['protocol', 'unavailable'], name);
            return saysWhere(failed, name);
          }
          // A write may ignore what the vendor says after a good status, and bytes of a file cannot be garbled.
          assert.ok(
            op.effect !== 'read' || isFile(value),
            `${name} made ${JSON.stringify(value)?.slice(0, 200)} of it`,
          );
        });
        it(`${name}: a redirect is never taken for success`, async () => {
          const input = await example(name);
          vendor.fail({ status: 302, headers: { location: 'https://elsewhere.example/login' }, body: '', times: 100 });
          coded(await failing(run(client, name, input), name), ['protocol'], name);
        });
        it(`${name}: a vendor that repeats the secrets is not repeated`, async () => {
          const input = await example(name);
          const own = [...secrets].filter(secret => Object.values(vendor.account).includes(secret));
          const said = [...own, ...(theCase.token ? [await theCase.token(vendor)()] : [])]
            .map(secret => `the key ${secret} (${Buffer.from(secret).toString('base64')}) was refused`)
            .join(', ');
          vendor.fail({
            status: 400,
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ message: said, error: said, value: said, errors: [{ title: said, detail: said }] }),
            times: 100,
          });
          await failing(run(client, name, input), name);
        });
        if (Object.hasOwn(COMMON, name) && READABLE.has(COMMON[name as keyof Vocabulary]) && !name.endsWith('.list')) {
          it(`${name}: an empty object is no ${name.split('.')[0]}`, async () => {
            const input = await example(name);
            vendor.fail({ status: 200, headers: { 'content-type': 'application/json' }, body: '{}', times: 100 });
            let value: unknown;
            try {
              value = await run(client, name, input);
            } catch (error) {
              const failed = await failing(Promise.reject(error as Error), name);
              coded(failed, ['protocol'], name);
              return saysWhere(failed, name);
            }
            // A write may be sure of what it did by the status alone; then it names it properly.
            assert.notEqual(op.effect, 'read', `${name} made ${JSON.stringify(value)} of it`);
            assert.deepEqual(COMMON[name as keyof Vocabulary]!(value as Values), [], JSON.stringify(value));
          });
        }
      }
    });

    describe('a write is sent once, whatever happens to it', () => {
      const faults: Record<string, Fault> = {
        'after a 503': { status: 503, headers: { 'retry-after': '0' }, body: '' },
        'when its answer is lost': { cut: 'answer' },
        'when it is throttled': { throttle: true },
      };
      for (const [name] of writes) {
        for (const [when, fault] of Object.entries(faults)) {
          it(`${name} ${when}`, async () => {
            const input = await example(name);
            vendor.forget();
            for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) vendor.fail({ ...fault, method });
            let result: unknown;
            // A vendor that names a long rest is left alone by the account, and by no other.
            try {
              result = await run(fault.throttle ? open(vendor, { key: `${name} throttled` }) : client, name, input);
            } catch (error) {
              const failed = await failing(Promise.reject(error as Error), name);
              coded(failed, when === 'when it is throttled' ? ['rate_limited'] : ['unavailable'], name);
              saysWhere(failed, name);
            }
            if (result !== undefined) assert.equal((result as Values).outcome, 'unknown', `${name} reported success`);
            const sent = vendor.seen.filter(request => request.method !== 'GET');
            assert.equal(
              sent.length,
              1,
              `sent: ${sent.map(request => `${request.method} ${request.path}`).join(', ')}`,
            );
          });
        }
      }
      it('and no read changes anything', async () => {
        for (const [name] of reads) {
          const input = await example(name);
          vendor.forget();
          await run(client, name, input);
          assert.deepEqual(
            vendor.seen
              .filter(request => !['GET', 'HEAD'].includes(request.method))
              .map(r => `${name}: ${r.method} ${r.path}`),
            [],
          );
        }
      });
    });

    describe('what is not in the table is refused without a request', () => {
      const missing = (Object.keys(COMMON) as (keyof Vocabulary)[]).filter(
        name => !Object.hasOwn(provider.operations, name),
      );
      for (const name of [...missing, 'mailbox.explode', 'toString']) {
        it(name, async () => {
          assert.equal(client.supports(name), false);
          const error = await failing(run(client, name, {}), name);
          coded(error, ['unsupported'], name);
          saysWhere(error, name);
          for (const other of providers.filter(p => Object.hasOwn(p.operations, name)))
            assert.ok(error.message.includes(other.name), `${error.message} does not name ${other.name}`);
          assert.equal(vendor.seen.length, 0);
        });
      }
    });

    describe('bad input is refused whole and without a request', () => {
      for (const [name, op] of operations) {
        it(name, async () => {
          const fields = Object.keys(op.input);
          const bad = {
            ...Object.fromEntries(Object.entries(op.input).map(([field, spec]) => [field, wrongFor(spec)])),
            noSuchField: 1,
          };
          const error = await failing(run(client, name, bad), name);
          coded(error, ['invalid_input'], name);
          saysWhere(error, name);
          assert.deepEqual(
            [...new Set(error.details.issues?.map(issue => issue.field))].sort(),
            [...fields, 'noSuchField'].sort(),
          );
          const needs = Object.entries(op.input)
            .filter(([, field]) => field.required && field.default === undefined)
            .map(([field]) => field);
          if (needs.length) {
            const empty = await failing(run(client, name, {}), name);
            assert.deepEqual(empty.details.issues?.map(issue => issue.field).sort(), needs.sort());
          }
          assert.equal(vendor.seen.length, 0);
        });
      }
    });

    for (const resource of ['mailbox', 'alias'] as const) {
      const has = (verb: string) => Object.hasOwn(provider.operations, `${resource}.${verb}`);
      const settle = async () => {
        await theCase.settle?.(vendor);
      };
      const listed = async () =>
        (await take(client.call(`${resource}.list`, listInput) as AsyncIterable<{ id: string }>)).map(one => one.id);
      const listInput = theCase.paged.find(p => p.operation === `${resource}.list`)?.input ?? {};
      if (!has('create')) continue;
      it(`${resource}: create, get, list, update and delete agree`, async () => {
        const created = (await client.call(`${resource}.create`, await example(`${resource}.create`))) as {
          id: string;
          email?: string;
        };
        await settle();
        const target = async (verb: string): Promise<Values> => ({
          ...(await example(`${resource}.${verb}`)),
          [resource]: created.id,
        });
        const get = async () =>
          (await client.call(`${resource}.get`, await target('get'))) as { id: string; email?: string };
        if (has('get')) {
          const read = await get();
          assert.deepEqual([read.id, read.email], [created.id, created.email]);
        }
        if (has('list'))
          assert.equal((await listed()).filter(id => id === created.id).length, 1, 'the new one is not listed once');
        if (has('update')) {
          const changed = (await client.call(`${resource}.update`, await target('update'))) as { id: string };
          assert.equal(changed.id, created.id);
          if (has('get')) {
            const { id, email, name, description } = (await get()) as Values;
            assert.deepEqual(
              { id, email, name, description },
              Object.fromEntries(['id', 'email', 'name', 'description'].map(key => [key, (changed as Values)[key]])),
            );
          }
        }
        if (!has('delete')) return;
        await settle();
        await client.call(`${resource}.delete`, await target('delete'));
        await settle();
        if (has('get'))
          coded(
            await failing(
              target('get').then(input => run(client, `${resource}.get`, input)),
              'get after delete',
            ),
            ['not_found'],
            'get after delete',
          );
        if (has('list')) assert.ok(!(await listed()).includes(created.id), 'the deleted one is still listed');
      });
    }

    for (const [name, feed] of Object.entries(provider.feeds)) {
      it(`${name}: resumed from any cursor, through JSON and back, it repeats and loses nothing`, async () => {
        const told = theCase.feeds[name]!;
        const stored = (cursor: string) => (JSON.parse(JSON.stringify({ cursor })) as { cursor: string }).cursor;
        /** Everything after a cursor, and the cursor at the end. */
        const follow = async (from: string) => {
          const ids: string[] = [];
          for (let cursor = stored(from); ;) {
            const batch = await client.since(name, told.input, cursor);
            ids.push(...batch.items.map(item => item.id));
            cursor = stored(batch.cursor);
            if (!batch.more) return { ids, cursor };
          }
        };
        const first = await client.since(name, told.input);
        assert.equal(first.more, false, 'the first look promises more');
        assert.ok(first.items.length <= 50, 'the first look shows everything');
        const cursors = [stored(first.cursor)];
        const happened: string[] = [];
        const idle = await follow(cursors[0]!);
        assert.deepEqual(idle.ids, [], 'nothing happened, yet there is news');
        for (const many of [1, 2, 1]) {
          for (let i = 0; i < many; i++) happened.push(String(await told.happen(client, vendor)));
          const news = await follow(cursors.at(-1)!);
          for (const id of happened.slice(-many))
            assert.equal(news.ids.filter(seen => seen.includes(id)).length, 1, `${id} in ${news.ids.join(' ')}`);
          assert.equal(new Set(news.ids).size, news.ids.length);
          assert.ok(news.ids.length <= many, `${many} happened, ${news.ids.length} came`);
          cursors.push(news.cursor);
        }
        assert.deepEqual((await follow(cursors.at(-1)!)).ids, [], 'news without a happening');
        // Batches after each look: 1, 2, 1.
        for (const [i, left] of [4, 3, 1, 0].entries()) {
          const again = await follow(cursors[i]!);
          const expected = left ? happened.slice(-left) : [];
          for (const id of expected)
            assert.ok(
              again.ids.some(seen => seen.includes(id)),
              `resumed from cursor ${i}, ${id} was lost`,
            );
          assert.ok(again.ids.length <= left, `resumed from cursor ${i}: ${again.ids.join(' ')}`);
        }
      });
      it(`${name}: ${feed.from ? 'begins at a time' : 'knows no times to begin at'}`, async () => {
        const told = theCase.feeds[name]!;
        const hourAgo = new Date(vendor.now() - 3_600_000).toISOString();
        if (!feed.from) return assert.equal(await client.from(name, told.input, hourAgo), undefined);
        const cursor = await client.from(name, told.input, hourAgo);
        const happened = String(await told.happen(client, vendor));
        const ids: string[] = [];
        for (let at: string = cursor!, more = true; more;) {
          const batch = await client.since(name, told.input, at);
          ids.push(...batch.items.map(item => item.id));
          ({ cursor: at, more } = batch);
        }
        assert.equal(ids.filter(seen => seen.includes(happened)).length, 1);
        assert.equal(new Set(ids).size, ids.length);
        coded(
          await failing(client.from(name, told.input, 'the day before'), 'a time that is none'),
          ['invalid_input'],
          'a time that is none',
        );
      });
      it(`${name}: a cursor that is none and bad input are refused without a request`, async () => {
        const told = theCase.feeds[name]!;
        vendor.forget();
        for (const cursor of ['', 'nonsense', '{}', '{"v":9}', '{"v":1}', '[]', 'null']) {
          coded(
            await failing(client.since(name, told.input, cursor), `the cursor ${cursor}`),
            ['invalid_input'],
            `the cursor ${cursor}`,
          );
        }
        const bad = {
          ...Object.fromEntries(
            Object.entries(feed.input as Record<string, Field>).map(([field, spec]) => [field, wrongFor(spec)]),
          ),
          noSuchField: 1,
        };
        const error = await failing(client.since(name, bad), 'bad input');
        assert.deepEqual(
          [...new Set(error.details.issues?.map(issue => issue.field))].sort(),
          [...Object.keys(feed.input), 'noSuchField'].sort(),
        );
        assert.equal(vendor.seen.length, 0);
      });
    }

    it('an abort ends a request under way and every further one', async () => {
      const stop = new AbortController();
      const its = open(vendor, { signal: stop.signal });
      vendor.fail({ silent: true, times: 100 });
      const work = run(its, probe.operation, probe.input);
      work.catch(() => {
        /* awaited below */
      });
      while (!vendor.seen.length) await new Promise(resolve => setImmediate(resolve));
      const asked = vendor.seen.length;
      stop.abort(new Error('stopped by the user'));
      await assert.rejects(work, /stopped by the user|abort/i);
      await assert.rejects(run(its, probe.operation, probe.input));
      vendor.mend();
      await run(client, probe.operation, probe.input);
      const usual = vendor.seen.length - asked;
      vendor.forget();
      await run(client, probe.operation, probe.input);
      assert.equal(usual, vendor.seen.length, 'an aborted client made another request');
    });

    for (const { operation, input = {} } of theCase.paged.slice(0, 1)) {
      it(`an abort ends ${operation} between pages`, async () => {
        const stop = new AbortController();
        const its = open(vendor, { signal: stop.signal });
        await assert.rejects(async () => {
          let read = 0;
          for await (const _ of its.call(operation, input) as AsyncIterable<unknown>)
            if (++read === 1) {
              vendor.forget();
              stop.abort(new Error('stopped by the user'));
            }
        }, /stopped by the user|abort/i);
        assert.equal(vendor.seen.length, 0, 'pages were asked for after the abort');
      });
    }

    // A suite of its own, because mocha runs the tests of a suite before its nested suites.
    describe('every list ends', () => {
      for (const [name] of reads.filter(([name]) => name.endsWith('.list'))) {
        for (const [what, rows] of Object.entries(ENDLESS)) {
          for (const [how, claims] of Object.entries(CLAIMS)) {
            it(`${name}, when the vendor gives page after page ${what} ${how}`, async () => {
              const json = open(
                vendor,
                {},
                Object.hasOwn(provider.auth.fields, 'answerFormat') ? { answerFormat: 'json' } : {},
              );
              const input = await example(name);
              const first = new Map<string, Reply>();
              let page = 0;
              vendor.forget();
              vendor.fail({
                method: 'GET',
                times: 1e6,
                rewrite: (reply, { path }) => {
                  if (!first.has(path)) first.set(path, reply);
                  return endless(first.get(path)!, rows, claims(++page));
                },
              });
              // A list may end with what it has, or say that it cannot be read to its end.
              const failed = await take(json.call(name, input) as AsyncIterable<unknown>, 10_000).then(
                () => undefined,
                (error: unknown) => error,
              );
              assert.ok(vendor.seen.length <= 130, `${vendor.seen.length} requests`);
              if (failed !== undefined) assert.equal(isMailError(failed) && failed.code, 'protocol', String(failed));
            });
          }
        }
      }
    });

    describe('secrets', () =>
      it('no error of this run holds a secret of the account', () => {
        assert.ok(problems.length > operations.length, `only ${problems.length} errors were seen`);
        assert.ok(secrets.size > 0);
        const hidden = [...secrets].flatMap(secret => [
          secret,
          encodeURIComponent(secret),
          Buffer.from(secret).toString('base64'),
          Buffer.from(secret).toString('base64url'),
        ]);
        for (const problem of problems) {
          const text = everything(problem);
          for (const secret of hidden) assert.ok(!text.includes(secret), `a secret stands in: ${text.slice(0, 500)}`);
        }
      }));
  });
  return () => begin();
}

/**
 * Pages that never end: what a vendor says of its rows (`claims`), and what it does with them. The counter makes each
 * link a new one.
 */
const ENDLESS: Readonly<Record<string, (rows: unknown[]) => unknown[]>> = {
  'with the same rows each time': rows => rows,
  'without a row': () => [],
};
const CLAIMS: Readonly<Record<string, (page: number) => Values>> = {
  'and says that more follow': page => ({
    hasMore: true,
    totalCount: 1e6,
    total_count: 1e6,
    total: 1e6,
    links: { next: `?page[after]=${page}` },
  }),
  'and counts more, without a word on where it is': page => ({
    hasMore: undefined,
    offset: undefined,
    totalCount: 1e6,
    total_count: 1e6,
    total: 1e6,
    links: { next: `?page[after]=${page % 2}` },
  }),
};
function endless(reply: Reply, rows: (typeof ENDLESS)[string], claims: Values): Reply {
  const said =
    typeof reply.body === 'string' || Buffer.isBuffer(reply.body)
      ? (JSON.parse(String(reply.body)) as unknown)
      : reply.body;
  if (Array.isArray(said)) return { ...reply, body: rows(said) };
  const changed = Object.entries(said as Values).map(([name, value]) => [
    name,
    Array.isArray(value) ? rows(value) : value,
  ]);
  return { ...reply, body: JSON.stringify({ ...Object.fromEntries(changed), ...claims }) };
}

/** All that a log could show of an error: message, stack, details and causes. */
function everything(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 5) return JSON.stringify(error) ?? String(error);
  const own = Object.getOwnPropertyNames(error)
    .filter(name => name !== 'cause')
    .map(name => {
      const value = (error as unknown as Values)[name];
      try {
        return typeof value === 'string' ? value : JSON.stringify(value);
      } catch {
        return String(value);
      }
    });
  return [...own, everything(error.cause, depth + 1)].join('\n');
}
