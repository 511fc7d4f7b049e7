import { JSON_API, parseCollection, parseErrors, parseResource, resourceDocument } from '../../codecs/jsonApi.js';
import { isMailError, MailError } from '../../errors.js';
import { text } from '../../fields.js';
import { exchange, type Explain, type HttpRequest } from '../../http.js';
import { base, query } from '../../url.js';
import { pause } from '../../wait.js';
import { redact } from '../../secrets.js';
import { pages } from '../../pages.js';
import type { Context } from '../../provider.js';
import type { Native } from '../../vocabulary.js';

/** Where the vendor describes its resources. */
export const DOCS = 'https://developers.outreach.io/api/reference/tag/';
/** Resources asked for at a time; clients of the vendor report gateway errors for more where a resource is large. */
const PAGE = 100;
/** A page of this size is not halved any further when the gateway gives up on it. */
const SMALLEST_PAGE = 12;

/** An id as the vendor gives it: a whole number of any length up to 64 bits. */
export const id = <const O extends { required?: true; ref?: string; help?: string; as?: string } = {}>(
  label: string,
  options?: O,
) =>
  text(label, { pattern: '^[1-9][0-9]{0,18}$', example: '42', ...options } as { pattern: string; example: string } & O);

/**
 * An id on the wire: the vendor's integer, and beyond 2^53, where JSON numbers lose digits, the text that the standard
 * wants.
 */
export const wireId = (of: string): number | string => (Number.isSafeInteger(Number(of)) ? Number(of) : of);

const misled = (what: string) =>
  new MailError('protocol', `Outreach named a next page ${what}; the list was not read any further.`);

type Body = Omit<Parameters<typeof resourceDocument>[0], 'type'>;

/** Requests below `/api/v2` of the account's base address, JSON:API both ways. */
export function api(ctx: Context) {
  const root = `${base(ctx.account)}/api/v2`;
  const write = async (method: 'POST' | 'PATCH', address: string, type: string, data: Body) =>
    parseResource(ctx, await call(ctx, method, root + address, { body: resourceDocument({ type, ...data }) }));
  return {
    get: async (address: string, parameters: Readonly<Record<string, unknown>> = {}) =>
      parseResource(ctx, await call(ctx, 'GET', root + address + query(parameters))),
    create: (address: string, type: string, data: Body) => write('POST', address, type, data),
    update: (address: string, type: string, of: string, data: Body) =>
      write('PATCH', address, type, { ...data, id: wireId(of) }),
    delete: async (address: string): Promise<void> => {
      await call(ctx, 'DELETE', root + address);
    },
    /** A member action; its answer as it came. */
    act: (address: string) => call(ctx, 'POST', root + address),
    /** The first page alone, for counts and headers. */
    head: async (address: string, parameters: Readonly<Record<string, unknown>>) => {
      const answer = await call(ctx, 'GET', root + address + query({ ...parameters, 'page[size]': 1 }));
      return { ...parseCollection(ctx, answer), headers: answer.headers };
    },
    /** A collection as a stream: the vendor's own link leads to each next page. */
    pages(address: string, parameters: Readonly<Record<string, unknown>>) {
      const read = new Set<string>();
      const given = new Set<string>();
      return pages<Native, string>(
        root + address + query({ 'page[size]': PAGE, count: false, ...parameters }),
        async (url, stopped) => {
          read.add(new URL(url).href);
          const { data, links } = await page(ctx, url, stopped);
          const following = next(links.next, url, new URL(root).origin);
          if (following !== undefined && read.has(new URL(following).href)) throw misled('that was read before');
          const fresh = data.filter(one => !given.has(String(one.id)));
          for (const one of fresh) given.add(String(one.id));
          return { items: fresh, ...(following === undefined ? {} : { next: following }) };
        },
      );
    },
  };
}

const call = (
  ctx: Context,
  method: HttpRequest['method'],
  url: string,
  { body, signal = ctx.signal, reading = explain }: { body?: string; signal?: AbortSignal; reading?: Explain } = {},
) =>
  exchange(
    { ...ctx, signal },
    {
      // The vendor demands the content type of every request, reads included (Making Requests, "Content negotiation").
      method,
      url,
      headers: { accept: JSON_API, 'content-type': JSON_API },
      ...(body === undefined ? {} : { body }),
    },
    reading,
  );

/**
 * One page; halved as long as the gateway gives up on it. The cursor does not depend on the size, so nothing is lost or
 * repeated.
 */
async function page(ctx: Context, url: string, stopped: AbortSignal) {
  const signal = ctx.signal ? AbortSignal.any([ctx.signal, stopped]) : stopped;
  for (let at = url, halved = 0; ; halved++) {
    const size = Number(new URL(at).searchParams.get('page[size]'));
    const large = size > SMALLEST_PAGE;
    try {
      // A page too large fails the same way when it is asked for again, so `exchange` is told not to.
      return parseCollection(
        ctx,
        await call(ctx, 'GET', at, {
          signal,
          reading: answer => (large && answer.status === 502 ? { code: 'rejected' } : explain(answer)),
        }),
      );
    } catch (error) {
      if (!large || !isMailError(error) || error.details.status !== 502) throw error;
      const smaller = new URL(at);
      smaller.searchParams.set('page[size]', String(Math.floor(size / 2)));
      at = smaller.href;
      await pause(100 * 2 ** halved, signal);
    }
  }
}

/** Where the vendor's link to the next page leads; undefined where there is none. */
function next(link: unknown, from: string, own: string): string | undefined {
  if (link === undefined || link === null || link === '') return undefined;
  const url = typeof link === 'string' && URL.canParse(link, from) ? new URL(link, from) : undefined;
  if (!url) throw misled('that is no address');
  // The token goes wherever a request goes: a link may never lead it away from the account's own address.
  if (url.origin !== own) throw misled(`at ${url.origin}, but the account's Base URL is ${own}`);
  return URL.canParse(link as string) ? (link as string) : url.href;
}

/**
 * The vendor's two error bodies: JSON:API from the application, `{"error","description"}` from the edge in front of it.
 * Where 422 points at an attribute or relationship, its name is that of our field.
 */
export const explain: Explain = ({ status, headers, body }) => {
  const errors = parseErrors(body);
  const wait = status === 429 || status === 503 ? waitOf(headers) : undefined;
  const message = errors?.message ?? edgeWords(body);
  return {
    ...(message ? { message: redact(message) } : {}),
    ...(errors
      ? {
          issues: errors.issues.map(({ field, message }) => ({
            field: field && (OURS[field] ?? field),
            message: redact(message),
          })),
        }
      : {}),
    ...(wait === undefined ? {} : { retryAfter: wait }),
  };
};

/** Attributes of webhooks whose names are taken by front ends, and what their fields are called here. */
const OURS: Readonly<Record<string, string>> = { resource: 'eventResource', action: 'eventAction' };

function edgeWords(body: Uint8Array): string | undefined {
  try {
    const { error, description } = JSON.parse(Buffer.from(body).toString('utf8')) as {
      error?: unknown;
      description?: unknown;
    };
    return [error, description].filter(words => typeof words === 'string' && words).join(' ') || undefined;
  } catch {
    return undefined;
  }
}

/**
 * How long to wait, in seconds: `Retry-After`, else `X-RateLimit-Reset`. The vendor states no format, and uses the
 * first for the time of the second, so seconds, epoch seconds, epoch milliseconds, ISO (UTC unless it says otherwise)
 * and HTTP dates are all read.
 */
export function waitOf(headers: Readonly<Record<string, string>>, now = Date.now()): number | undefined {
  for (const name of ['retry-after', 'x-ratelimit-reset']) {
    const at = momentOf(headers[name], now);
    if (at !== undefined) return Math.max(0, (at - now) / 1000);
  }
  return undefined;
}

function momentOf(value: string | undefined, now: number): number | undefined {
  const said = value?.trim();
  if (!said) return undefined;
  if (/^\d+(\.\d+)?$/.test(said))
    return Number(said) >= 1e11 ? Number(said) : Number(said) >= 1e9 ? Number(said) * 1000 : now + Number(said) * 1000;
  const at = Date.parse(/[zZ]$|[+-]\d\d:?\d\d$|GMT$/.test(said) ? said : `${said}Z`);
  return Number.isNaN(at) ? undefined : at;
}

/**
 * What an answer's headers say of the hourly limit; `resetAt` is ISO 8601. `Remaining` may hold two numbers, of which
 * the first is the hour's.
 */
export function limitsOf(
  headers: Readonly<Record<string, string>>,
  now = Date.now(),
): { limit?: number; remaining?: number; resetAt?: string } {
  const first = (name: string) => {
    const found = /^\s*(\d+)/.exec(headers[name] ?? '')?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const limit = first('x-ratelimit-limit');
  const remaining = first('x-ratelimit-remaining');
  const reset = momentOf(headers['x-ratelimit-reset'], now);
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(remaining === undefined ? {} : { remaining }),
    ...(reset === undefined ? {} : { resetAt: new Date(reset).toISOString() }),
  };
}
