import { parseObject } from '../../codecs/json.js';
import { isMailError, MailError } from '../../errors.js';
import { exchange, unreadable, type Explain, type HttpRequest, type HttpResponse } from '../../http.js';
import { pages } from '../../pages.js';
import type { Context } from '../../provider.js';
import { base, path } from '../../url.js';
import { idOf, type Native, type Receipt } from '../../vocabulary.js';

/** Requests below the account's base address and the API's version, JSON both ways. */
export function api(ctx: Context) {
  const call = async (method: HttpRequest['method'], address: string, body?: unknown) =>
    parseObject(ctx, await send(ctx, method, address, body));
  const get = (address: string) => call('GET', address);
  return {
    get,
    put: (address: string, body: unknown) => call('PUT', address, body),
    patch: (address: string, body: unknown) => call('PATCH', address, body),
    /** A list of one place as a stream. */
    list: (address: string, ...names: string[]) =>
      pages(0, async (_at, stopped) => ({ items: await rows(ctx, address, names, stopped) })),
    ofDomains: (domain: string | undefined, below: string, ...names: string[]) => ofDomains(ctx, domain, below, names),
    /**
     * Creates an object that will be found at `made`. Migadu refuses a name that is taken with the same words as any
     * other input (answers of 6 August 2026, github.com/mahckrocks24/boss888-laravel-app), so a refusal is followed by
     * a look whether the object is there.
     */
    async create(address: string, body: unknown, made: string): Promise<Native> {
      try {
        return await call('POST', address, body);
      } catch (error) {
        if (!isMailError(error) || error.details.status !== 400 || (await exists(ctx, made)) !== true) throw error;
        throw new MailError('conflict', 'There is one with this name already. Nothing was created.', { status: 400 });
      }
    },
    /**
     * Deletes an object. The vendor is known to answer 500 although it did so (github.com/Michaelzag/migadu-mcp, April
     * 2026); then a look tells. Nothing is sent twice.
     */
    async delete(address: string, id: string): Promise<Receipt> {
      try {
        const { body } = await send(ctx, 'DELETE', address);
        let native: Native = {};
        try {
          native = JSON.parse(Buffer.from(body).toString('utf8')) as Native;
        } catch {
          /* it is gone whatever was said of it */
        }
        return { id, native: typeof native === 'object' && native !== null && !Array.isArray(native) ? native : {} };
      } catch (error) {
        if (!isMailError(error) || error.details.status !== 500 || (await exists(ctx, address)) !== false) throw error;
        return { id, native: { note: 'The provider answered with an error (500), but the object is gone.' } };
      }
    },
  };
}

const send = (
  ctx: Context,
  method: HttpRequest['method'],
  address: string,
  body?: unknown,
  signal = ctx.signal,
): Promise<HttpResponse> =>
  exchange(
    { ...ctx, signal },
    {
      method,
      url: `${base(ctx.account)}/v1${address}`,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
    explain,
  );

/** The rows of a list. There are no pages: one answer has all of them, under one of these names. */
async function rows(ctx: Context, address: string, names: readonly string[], signal: AbortSignal): Promise<Native[]> {
  const answer = await send(
    ctx,
    'GET',
    address,
    undefined,
    ctx.signal ? AbortSignal.any([ctx.signal, signal]) : signal,
  );
  const native = parseObject(ctx, answer);
  const list = names.map(name => native[name]).find(Array.isArray) as unknown[] | undefined;
  if (list?.every((row): row is Native => typeof row === 'object' && row !== null && !Array.isArray(row))) return list;
  throw unreadable(ctx, answer, `without a list of ${names[0]}`);
}

/**
 * What a domain has, or every domain of the account: one request for each, sent as far as the reader reads. `below` is
 * the last part of the address.
 */
function ofDomains(ctx: Context, domain: string | undefined, below: string, names: readonly string[]) {
  const start: { places?: readonly string[]; at: number } = {
    ...(domain === undefined ? {} : { places: [domain] }),
    at: 0,
  };
  return pages(start, async ({ places, at }, stopped) => {
    const all = places ?? [
      ...new Set((await rows(ctx, '/domains', ['domains'], stopped)).map(row => idOf(row, 'name'))),
    ];
    let items: Native[] = [];
    let next = at;
    // A domain without anything is no page: a hundred of them in a row would look like a list that never ends.
    while (!items.length && next < all.length)
      items = await rows(ctx, `${path`/domains/${all[next++]!}`}/${below}`, names, stopped);
    return { items, ...(next < all.length ? { next: { places: all, at: next } } : {}) };
  });
}

/** Whether an object is there; undefined where that cannot be told. */
async function exists(ctx: Context, address: string): Promise<boolean | undefined> {
  try {
    parseObject(ctx, await send(ctx, 'GET', address));
    return true;
  } catch (error) {
    return isMailError(error) && error.code === 'not_found' ? false : undefined;
  }
}

/**
 * A refusal is `{"error": "bad request"}` and names no field (answers of 6 August 2026,
 * github.com/mahckrocks24/boss888-laravel-app).
 */
const explain: Explain = ({ status, body }) => {
  let said: unknown;
  try {
    said = (JSON.parse(Buffer.from(body).toString('utf8')) as { error?: unknown } | null)?.error;
  } catch {
    /* then the status says it */
  }
  const words = typeof said === 'string' && said.trim() ? said.trim() : undefined;
  return {
    ...(words ? { message: Object.hasOwn(SAID, words) ? SAID[words]! : words } : {}),
    ...(status === 400
      ? {
          advice:
            'Check every field: Migadu says "bad request" for a password that is too weak, too, and for a destination in another domain.',
        }
      : {}),
  };
};

/** What the vendor says in two words, as sentences. */
const SAID: Readonly<Record<string, string>> = {
  'bad request': 'The provider refused the input without saying which part of it.',
  'not found': 'The provider knows no such object.',
};
