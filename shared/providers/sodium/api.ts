import { parseJson, parseObject } from '../../codecs/json.js';
import { isMailError, MailError, type Issue } from '../../errors.js';
import { text } from '../../fields.js';
import { DOUBT, exchange, type Explain, type HttpRequest, type HttpResponse } from '../../http.js';
import { textOf } from '../../decode.js';
import { base, path, query } from '../../url.js';
import { redact } from '../../secrets.js';
import { notSent } from '../../notSent.js';
import { byOffset, pages } from '../../pages.js';
import type { Context } from '../../provider.js';
import type { Native } from '../../vocabulary.js';

/** Where the vendor describes its operations; each adds its page. */
export const DOCS = 'https://sodiumhq.com/docs/api';
export const tenant = text('Tenant', {
  ref: 'tenant',
  knownBy: 'name',
  help: 'The code of the tenant. Left empty, the tenant of the account is used.',
});
export const mailbox = text('Mailbox', {
  required: true,
  ref: 'mailbox',
  knownBy: 'email',
  help: 'The code of the email configuration.',
});

/** The path of the tenant named in the input, else in the account. Throws `invalid_input` where neither names one. */
export function inTenant(ctx: Pick<Context, 'account'>, input: { tenant?: string }): string {
  const code = input.tenant ?? ctx.account.tenant;
  if (typeof code !== 'string' || code === '')
    refuse({ field: 'tenant', message: 'Tenant is required: neither the input nor the account names one.' });
  return path`/tenants/${code}`;
}

/** The path of one email configuration. */
export const inMailbox = (ctx: Pick<Context, 'account'>, input: { tenant?: string; mailbox: string }): string =>
  inTenant(ctx, input) + path`/email-configs/${input.mailbox}`;

/** Refuses an input for reasons that lie between its fields. Throws `invalid_input`. */
export function refuse(...issues: Issue[]): never {
  const words = issues.map(issue => issue.message).join(' ');
  throw new MailError(
    'invalid_input',
    issues.length === 1 ? words : `${issues.length} fields need correction: ${words}`,
    { issues },
  );
}

/** The vendor's longest page (List Messages: "max 50"); its default of 10 would mean five times the requests. */
const SIZE = 50;

interface Row {
  rows: Native[];
  more: boolean;
}

/** Requests below the account's base address, JSON both ways. */
export function api(ctx: Context) {
  const call = (method: HttpRequest['method'], address: string, body?: unknown, signal = ctx.signal) =>
    exchange(
      { ...ctx, signal },
      {
        method,
        url: base(ctx.account) + address,
        headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      explain,
    );
  const read = async (address: string, signal?: AbortSignal, offset = 0): Promise<Row> =>
    rowsOf(ctx, await call('GET', address, undefined, signal), offset);
  const together = (stopped: AbortSignal) => (ctx.signal ? AbortSignal.any([ctx.signal, stopped]) : stopped);
  return {
    get: async (address: string) => parseObject(ctx, await call('GET', address)),
    /** A write whose answer is an object that is needed. */
    write: async (method: 'POST' | 'PUT', address: string, body: unknown) =>
      parseObject(ctx, await call(method, address, body)),
    /** A write whose answer is not described: nothing, an object, or a bare value, which then stands under `value`. */
    act: async (method: 'POST' | 'PATCH' | 'DELETE', address: string, body?: unknown) =>
      anyOf(ctx, await call(method, address, body)),
    /** A list the vendor describes as whole: a bare array, or the `data` of an envelope (the pages say neither). */
    whole: (address: string) =>
      pages(0, async (_, stopped) => ({ items: (await read(address, together(stopped))).rows })),
    /** A list page by page. The vendor counts by offset over a living list. */
    list: (address: string, filters: Readonly<Record<string, unknown>>, id: (row: Native) => string) =>
      byOffset({
        size: SIZE,
        id,
        fetch: (offset, stopped) =>
          read(address + query({ ...filters, offset, limit: SIZE }), together(stopped), offset),
      }),
  };
}

function anyOf(ctx: Context, answer: HttpResponse): Native {
  if (answer.status === 204 || textOf(answer).trim() === '') return {};
  const value = parseJson(ctx, answer);
  return isObject(value) ? value : value === null ? {} : { value };
}

/** `asked` is the offset that was asked for: answers need not repeat it. */
function rowsOf(ctx: Context, answer: HttpResponse, asked: number): Row {
  const value = parseJson(ctx, answer);
  const list = isObject(value) ? value.data : value;
  const rows = list === null ? [] : list;
  if (!Array.isArray(rows) || !rows.every(isObject)) {
    throw new MailError('protocol', `Sodium answered ${ctx.operation} with something that is not a list.`, {
      provider: ctx.provider,
      operation: ctx.operation,
      status: answer.status,
    });
  }
  if (!isObject(value)) return { rows, more: false };
  const { hasMore, totalCount } = value;
  // A public client of the API goes by hasMore (schemas/listemailsresponse.html has it); the count stands in only where
  // a server leaves it out.
  return {
    rows,
    more: typeof hasMore === 'boolean' ? hasMore : rows.length > 0 && asked + rows.length < Number(totalCount ?? 0),
  };
}

export const isObject = (value: unknown): value is Native =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const words = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
export const objects = (value: unknown): Native[] => (Array.isArray(value) ? value.filter(isObject) : []);

/**
 * The vendor's time with its zone: samples end in Z, and what has no zone is read as UTC, not as the local time of this
 * machine.
 */
export const moment = (value: unknown): string | undefined => {
  const said = words(value);
  if (!said || Number.isNaN(Date.parse(said))) return undefined;
  return /(?:[zZ]|[+-]\d\d:?\d\d)$/.test(said) ? said : `${said}Z`;
};

/**
 * Nobody has published the error bodies; a public client reads `message`, the framework's usual ones have `detail`,
 * `title` and `errors` beside them. The first that is there speaks; problems of single fields follow it.
 */
export const explain: Explain = ({ status, body }) => {
  let said: unknown;
  try {
    said = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
  // A refused key may be repeated in the refusal, in part too. Elsewhere long names are ids, and people need them.
  const clean = (sentence: string) => (status === 401 ? redact(sentence) : sentence);
  if (!isObject(said)) return typeof said === 'string' && said ? { message: clean(said) } : undefined;
  const issues = issuesOf(said.errors).map(issue => ({ ...issue, message: clean(issue.message) }));
  const first = [said.message, said.detail, said.title].map(words).find(Boolean);
  const listed = issues.map(issue => (issue.field ? `${issue.field}: ${issue.message}` : issue.message)).join('; ');
  const message = first
    ? clean(first) + (listed && !issues.every(issue => first.includes(issue.message)) ? ` (${listed})` : '')
    : listed;
  return { ...(message ? { message } : {}), issues: issues.filter(issue => issue.field) };
};

/** `{"HtmlBody":["…"]}` as .NET writes it, or a list of texts or of objects with a `message`. */
function issuesOf(errors: unknown): Issue[] {
  if (Array.isArray(errors)) {
    return errors.flatMap((one): Issue[] => {
      const message = words(one) ?? (isObject(one) ? (words(one.message) ?? words(one.detail)) : undefined);
      const field = isObject(one) ? words(one.field) : undefined;
      return message ? [{ ...(field ? { field: fieldOf(field) } : {}), message }] : [];
    });
  }
  if (!isObject(errors)) return [];
  return Object.entries(errors).flatMap(([name, said]) =>
    (Array.isArray(said) ? said : [said]).flatMap((one): Issue[] =>
      words(one) ? [{ field: fieldOf(name), message: one as string }] : [],
    ),
  );
}
/**
 * `$.To[0].Email`, `SmtpSettings.Host` -> the input that carries it: settings are flat here, everything else is named
 * by its root.
 */
const fieldOf = (name: string): string => {
  const parts = name
    .replace(/^\$\.?/, '')
    .split('.')
    .map(part => part.replace(/\[.*$/, ''))
    .map(part => part.charAt(0).toLowerCase() + part.slice(1));
  return (/^(?:smtp|oAuth)Settings$/i.test(parts[0] ?? '') && parts[1]) || parts[0] || name;
};

/** The connection was never made, so nothing can have been done. */
const NEVER_LEFT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/**
 * Runs a write that must not happen twice and has no key to recognise it by. Where its answer is lost or unreadable,
 * the error says that it may or may not have happened, and where to look; it is never tried again: the vendor has no
 * idempotency keys.
 */
export async function once<T>(inDoubt: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isMailError(error) || (error.code !== 'unavailable' && error.code !== 'protocol') || neverLeft(error))
      throw error;
    const redirected = (error.details.status ?? 0) >= 300 && (error.details.status ?? 0) < 400;
    throw redirected
      ? error
      : new MailError(error.code, `${error.message.replace(` ${DOUBT}`, '')} ${inDoubt}`, {
          ...error.details,
          cause: error,
        });
  }
}
function neverLeft(error: MailError): boolean {
  if (notSent(error)) return true;
  for (let inner: unknown = error.details.cause; inner; inner = (inner as { cause?: unknown }).cause) {
    if (NEVER_LEFT.has(String((inner as { code?: unknown }).code))) return true;
  }
  return false;
}

/**
 * The vendor answers "authorise this mailbox again" with status 200 (schemas/externalmailboxemaildetailresponse.html).
 * Throws `unauthorized` then, naming the configuration and what to do; `lost` says what did not happen.
 */
export function connected(native: Native, code: string, lost: string): Native {
  if (native.reconnectRequired !== true) return native;
  const address = words(native.authorisationUrl);
  throw new MailError(
    'unauthorized',
    `${lost}: the email configuration ${code} has to be authorised again at its mail provider. ` +
      (address
        ? `Open ${address} in a browser, then run this again.`
        : 'Run Reconnect (mailbox.reconnect) on it, open the address that gives, then run this again.'),
    { native },
  );
}
