import { formBody } from '../../codecs/form.js';
import { parseJson, parseObject } from '../../codecs/json.js';
import { MailError, type ErrorCode } from '../../errors.js';
import type { Fields } from '../../fields.js';
import { exchange, exchangeStream, type Explain, type HttpRequest, type HttpResponse } from '../../http.js';
import { base, query } from '../../url.js';
import { redact, type Hide } from '../../secrets.js';
import { byOffset } from '../../pages.js';
import type { Context } from '../../provider.js';
import type { Native } from '../../vocabulary.js';

/** What a request carries besides its address; at most one of the last three. Undefined values are left out. */
export interface Parts {
  query?: Readonly<Record<string, unknown>>;
  form?: Readonly<Record<string, unknown>>;
  json?: unknown;
  multipart?: FormData;
}

/** The largest page that the later documents allow; lists are asked for until a page is shorter. */
const LIMIT = 100;
/** So many pages are asked for ahead: with the one that is waited for, what the account's pace lets out at once. */
const AHEAD = 3;

/**
 * Requests below the account's base address: parameters in query or form, JSON back. Addresses that begin with `/app/`
 * stand outside `/2.0`.
 */
export function api(ctx: Context) {
  // The version may be part of what the user was given as the address.
  const root = base(ctx.account).replace(/\/2\.0$/, '');
  const request = async (method: HttpRequest['method'], address: string, parts: Parts = {}): Promise<HttpRequest> => ({
    method,
    url: root + (address.startsWith('/app/') ? '' : '/2.0') + address + query(parts.query ?? {}),
    ...(await packed(parts)),
  });
  const call = async (method: HttpRequest['method'], address: string, parts?: Parts, signal = ctx.signal) =>
    exchange({ ...ctx, signal }, await request(method, address, parts), explain);
  const write = async (method: HttpRequest['method'], address: string, parts?: Parts): Promise<Native> => {
    const answer = await call(method, address, parts);
    const native = parseObject(ctx, answer);
    checkDone(ctx, native, answer.status);
    return withoutSecrets(native);
  };
  const json = async (address: string, values?: Parts['query'], signal?: AbortSignal) => {
    const answer = await call('GET', address, { query: values }, signal ?? ctx.signal);
    return { answer, value: withoutSecrets(parseJson(ctx, answer)) };
  };
  const list = async (
    address: string,
    values?: Parts['query'],
    signal?: AbortSignal,
    key?: string,
  ): Promise<unknown[]> => {
    const { answer, value } = await json(address, values, signal);
    const found = key === undefined ? value : (value as Native | null)?.[key];
    if (found === null) return [];
    if (!Array.isArray(found)) throw unexpected(ctx, answer, 'the list expected');
    return found;
  };
  return {
    write,
    /**
     * An object. An empty map comes as `[]` (samples in the vendor's documents of API 2.0), so that is an empty object
     * too.
     */
    async get(address: string, values?: Parts['query']): Promise<Native> {
      const { answer, value } = await json(address, values);
      if (Array.isArray(value) && value.length === 0) return {};
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw unexpected(ctx, answer, 'the object expected');
      }
      return value as Native;
    },
    list,
    /** An answer that is text. */
    async text(address: string, values?: Parts['query']): Promise<string> {
      return Buffer.from((await call('GET', address, { query: values })).body).toString('utf8');
    },
    /** Content of any length, as it comes; a connection that breaks is `unavailable`, never a short file. */
    async *stream(address: string): AsyncGenerator<Uint8Array> {
      const { body } = await exchangeStream(ctx, await request('GET', address), explain);
      try {
        yield* body;
      } catch (cause) {
        ctx.signal?.throwIfAborted();
        throw new MailError('unavailable', `${ctx.provider} broke the content off before its end.`, {
          provider: ctx.provider,
          operation: ctx.operation,
          cause,
        });
      }
    },
    /** A list by offset as a stream; `id` names an item, `key` is where a wrapped list stands. */
    pages: <T = Native>(
      address: string,
      filters: Parts['query'],
      id: (item: T) => string,
      key?: string,
    ): AsyncGenerator<T> =>
      byOffset<T>({
        size: LIMIT,
        ahead: AHEAD,
        id,
        fetch: async (offset, stopped) => {
          const signal = ctx.signal ? AbortSignal.any([ctx.signal, stopped]) : stopped;
          const rows = (await list(address, { ...filters, limit: LIMIT, offset }, signal, key)) as T[];
          return { rows, more: rows.length === LIMIT };
        },
      }),
  };
}

/** Throws where the answer to a write does not say that it was done. */
function checkDone(ctx: Context, native: Native, status: number): void {
  const where = { provider: ctx.provider, operation: ctx.operation, status };
  if (native.success === false || native.type === 'error') {
    const { code = 'rejected', message } = read(native, ctx.hide);
    throw new MailError(code, message ?? `${ctx.provider} did not do it and gave no reason.`, where);
  }
  // A forced check of a source answers with a status where others say success (the vendor's documents of API 2.0).
  if (!native.success && native.status === undefined) {
    throw new MailError(
      'protocol',
      `${ctx.provider} did not say whether it was done; look before you try again.`,
      where,
    );
  }
}

const unexpected = ({ provider, operation }: Context, { status }: HttpResponse, wanted: string) =>
  new MailError('protocol', `${provider} answered ${operation} without ${wanted}.`, { provider, operation, status });

async function packed({ form, json, multipart }: Parts): Promise<Pick<HttpRequest, 'headers' | 'body'>> {
  const accept = { accept: 'application/json, */*;q=0.5' };
  if (json !== undefined)
    return { headers: { ...accept, 'content-type': 'application/json' }, body: JSON.stringify(json) };
  if (multipart) {
    const whole = new Response(multipart);
    return {
      headers: { ...accept, 'content-type': whole.headers.get('content-type')! },
      body: new Uint8Array(await whole.arrayBuffer()),
    };
  }
  const body = formBody(form ?? {});
  return body === ''
    ? { headers: accept }
    : { headers: { ...accept, 'content-type': 'application/x-www-form-urlencoded' }, body };
}

/** The error shapes that the vendor's documents and its Ruby client know, whichever of them a failing answer has. */
const explain: Explain = ({ status, body }) => {
  let native: Native = {};
  try {
    native = (JSON.parse(Buffer.from(body).toString('utf8')) ?? {}) as Native;
  } catch {
    /* 500 and 503 are often pages */
  }
  const said = read(native);
  // A verb that a server does not know, such as folder creation in 2017, is something it cannot do.
  return status === 405 || status === 501 ? { code: 'unsupported', ...said } : said;
};

function read(native: Native, hide: Hide = text => text): { code?: ErrorCode; message?: string } {
  const value = typeof native.value === 'string' ? native.value : '';
  if (Number(native.code) === 105 || /^invalid signature/i.test(value)) {
    // The rest of the vendor's sentence is the signature and the whole base string, passwords of the form included.
    return {
      code: 'unauthorized',
      message:
        'Invalid signature (code 105): the consumer key or the consumer secret is not the right one, or the clock of this machine is wrong.',
    };
  }
  const log = native.connectionLog ?? native.connection_log;
  let words = hide(value || [native.feedback_code, log].filter(Boolean).map(String).join(': '));
  // A connection log is what went over the wire to the mail server, logins included.
  words = words
    .replace(/signature base string.*/is, '')
    .replace(/\b(LOGIN[ \t]+\S+|AUTHENTICATE[ \t]+\S+)[ \t]+[^\r\n]+/gi, '$1 ***');
  words = redact(words).replace(/\s+/g, ' ').trim();
  return words ? { message: words.length > 400 ? `${words.slice(0, 400)}…` : words } : {};
}

/**
 * Credentials that the vendor shows on accounts, tokens and providers for other uses of its keys; nothing here needs
 * them.
 */
const SECRET_KEYS = new Set([
  'access_token',
  'access_token_secret',
  'provider_consumer_secret',
  'provider_refresh_token',
  'provider_token_secret',
]);

function withoutSecrets<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withoutSecrets) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !SECRET_KEYS.has(name))
      .map(([name, inner]) => [name, withoutSecrets(inner)]),
  ) as T;
}

/**
 * The id that the vendor names in an answer to a write. Throws `protocol` where it is missing: the object may exist, so
 * nobody should just try again.
 */
export function named(ctx: Context, native: Native, key: string): string {
  const id = native[key];
  if (typeof id === 'string' && id !== '') return id;
  throw new MailError(
    'protocol',
    `${ctx.provider} said that it was done but named no ${key}; look before you try again.`,
    { provider: ctx.provider, operation: ctx.operation },
  );
}

/** Something to change must be given. Throws `invalid_input` when all of `values` are absent, naming what could be. */
export function someOf(values: Readonly<Record<string, unknown>>, fields: Fields): void {
  if (Object.values(values).some(value => value !== undefined)) return;
  const labels = Object.values(fields)
    .map(field => field.label)
    .join(', ');
  throw new MailError('invalid_input', `Nothing to change was given; fill in at least one of ${labels}.`);
}
