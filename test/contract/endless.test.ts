import assert from 'node:assert/strict';
import { connect, isMailError, isStream, providerById, type Client } from '../../shared/index.js';
import type { Reply, Seen } from '../sandbox/vendor.js';
import { cases } from './cases.js';

/**
 * More requests than this for one list are a loop: a hundred pages without anything new are looked at, and what comes
 * before.
 */
const MOST = 150;

/**
 * The answer as one of a list that never ends: rows beyond counting, more to come, and for `empty` none on this page.
 */
function grown(value: unknown, empty: boolean): unknown {
  if (Array.isArray(value)) return empty ? [] : value.map(one => grown(one, false));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      typeof inner === 'number' && /^(?:total|count|size)/i.test(name)
        ? 1e9
        : /^has_?more$/i.test(name)
          ? true
          : grown(inner, empty),
    ]),
  );
}
function parsed({ body }: Reply): unknown {
  if (typeof body === 'object' && !Buffer.isBuffer(body)) return body;
  try {
    return JSON.parse(String(body));
  } catch {
    return undefined;
  }
}

describe('a list that never ends', function () {
  this.timeout(120_000);
  for (const each of cases) {
    const provider = providerById(each.id);
    for (const [kind, empty] of [
      ['the same page, whatever is asked for', false],
      ['empty pages, with more to come', true],
    ] as const) {
      it(`${provider.name}: ${kind}`, async () => {
        const vendor = await each.start();
        const token = each.token?.(vendor);
        const open = (key: string): Client =>
          connect(
            provider,
            { ...vendor.account, concurrent: 50, perMinute: 60_000 },
            { key, ...(token ? { token } : {}) },
          );
        try {
          for (const name of Object.keys(provider.operations).filter(one => one.endsWith('.list'))) {
            const input = await each.examples[name]!(open(''), vendor);
            const first = new Map<string, Reply>();
            vendor.forget();
            vendor.fail({
              times: Infinity,
              rewrite: (reply: Reply, { path }: Seen) => {
                const whole = reply.status === 200 ? parsed(reply) : undefined;
                const known = first.get(path);
                if (known) return known;
                const made = whole === undefined ? reply : { ...reply, body: grown(whole, empty) as object };
                first.set(path, made);
                return made;
              },
            });
            try {
              const list = open(name).call(name, input) as unknown;
              if (isStream(list))
                for await (const _ of list) assert.ok(vendor.seen.length <= MOST, `${name} asks for ever`);
            } catch (error) {
              assert.ok(isMailError(error) && error.code === 'protocol', `${name}: ${String(error)}`);
            }
            assert.ok(vendor.seen.length <= MOST, `${name}: ${vendor.seen.length} requests`);
            vendor.mend();
          }
        } finally {
          await vendor.close();
        }
      });
    }
  }
});
