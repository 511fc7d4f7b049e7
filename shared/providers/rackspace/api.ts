import { formBody } from '../../codecs/form.js';
import { parseObject } from '../../codecs/json.js';
import { parseXml, xmlReader, type XmlReader } from '../../codecs/xml.js';
import { isMailError, MailError, type ErrorCode, type Issue } from '../../errors.js';
import { exchange, type Explain, type HttpRequest, type HttpResponse } from '../../http.js';
import { textOf } from '../../decode.js';
import { base, path, query } from '../../url.js';
import { byOffset } from '../../pages.js';
import type { Context } from '../../provider.js';
import type { Native } from '../../vocabulary.js';

/** A first page is small, for pickers. Whoever reads on gets the largest page that the vendor gives. */
export const PAGE = 100;
export const LARGEST_PAGE = 250;
/** So many pages are asked for ahead: with the one that is waited for, what the account's pace lets out at once. */
const AHEAD = 3;

/** Where an index is looked at; `envelope: 'optional'` for those whose documents print none. */
interface Listing {
  filters?: Record<string, unknown>;
  envelope?: 'always' | 'optional';
  customer?: string;
}

/** Requests below the account's base address, version and customer: form bodies out, XML or JSON in. */
export function api(ctx: Context) {
  const accept = ctx.account.answerFormat === 'json' ? 'application/json' : 'text/xml';
  const root = `${base(ctx.account)}/${ctx.account.version}`;
  const mine = path`/customers/${String(ctx.account.customer)}`;
  const call = async (
    method: HttpRequest['method'],
    url: string,
    form?: Record<string, unknown>,
    signal = ctx.signal,
  ) => {
    // Loaded before the request, because faults come in the same format and are read at once.
    const xml = accept === 'text/xml' ? await xmlReader() : undefined;
    const body = form === undefined ? undefined : formBody(form);
    return exchange(
      { ...ctx, signal },
      {
        method,
        url,
        headers: { accept, ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }) },
        // Without a body the sender still names a length of 0 on POST and PUT; the vendor's web server would answer 411
        // otherwise.
        ...(body === undefined ? {} : { body }),
      },
      explain(xml, Object.keys(form ?? {})),
    );
  };
  const read = async (url: string, signal?: AbortSignal) => decode(ctx, await call('GET', url, undefined, signal));
  return {
    /** `address` is below the account's customer unless told otherwise. */
    get: (address: string, customer = mine) => read(root + customer + address),
    /**
     * Add, Edit and Delete answer with an empty body; something else in its place must at least be a document, or it is
     * no proof of anything.
     */
    async write(method: 'POST' | 'PUT' | 'DELETE', address: string, form?: Record<string, unknown>): Promise<void> {
      const answer = await call(method, root + mine + address, form);
      if (answer.body.byteLength && !Object.keys(await decode(ctx, answer)).length) {
        throw unreadable(ctx, 'an empty document where nothing was expected; whether the change was made is not known');
      }
    },
    /**
     * An index as a stream. `offset` counts items to skip; the end is `total` reached. `address` is below the customer
     * unless told otherwise.
     */
    list: (address: string, { filters = {}, envelope = 'always', customer = mine }: Listing = {}, size = PAGE) =>
      byOffset({
        size,
        largest: Math.max(size, LARGEST_PAGE),
        ahead: AHEAD,
        id: nameOf,
        fetch: async (offset, stopped, limit) => {
          const signal = ctx.signal ? AbortSignal.any([ctx.signal, stopped]) : stopped;
          const answer = await read(root + customer + address + query({ ...filters, size: limit, offset }), signal);
          const rows = listed(ctx, answer);
          const total = answer.total;
          if (typeof total !== 'number' && (envelope === 'always' || total !== undefined))
            throw unreadable(ctx, 'an index without its total');
          // Counted by what came, not by what was asked for: a vendor that gives smaller pages than asked loses
          // nothing.
          const more = typeof total === 'number' && rows.length > 0 && offset + rows.length < total;
          return { rows, more, ...(typeof total === 'number' ? { total } : {}) };
        },
      }),
  };
}

/** A `protocol` error that says what came instead of what was expected. */
export const unreadable = (ctx: Context, what: string) =>
  new MailError('protocol', `${ctx.provider} answered ${ctx.operation} with ${what}.`, {
    provider: ctx.provider,
    operation: ctx.operation,
  });

/** The text under a name that must be there, as in every object the vendor describes. */
export function needed(ctx: Context, native: Native, name: string): string {
  const value = native[name];
  if (typeof value === 'string' && value !== '') return value;
  throw unreadable(ctx, `an object without "${name}"`);
}

/**
 * What is in a list, however it is wrapped: JSON prints plain lists or one property with a list, XML one element that
 * repeats.
 */
export function unwrapped(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .filter(([name]) => name !== '#text')
      .flatMap(([, inner]) => inner as unknown);
  return [];
}

/**
 * What a write has left, read back, because the vendor answers writes with an empty body. The write is done by then: a
 * failed reading does not turn it into an error, it gives `otherwise` with a note that says so.
 */
export async function readBack<T>(read: () => Promise<T>, otherwise: (note: string) => T): Promise<T> {
  try {
    return await read();
  } catch (error) {
    return otherwise(
      `The change was made, but reading it back failed: ${isMailError(error) ? error.message : 'the reading was stopped.'}`,
    );
  }
}

/** What tells the entries of an index apart: a name everywhere but among customers. */
const nameOf = (row: Native): string => String(row.name ?? row.accountNumber ?? JSON.stringify(row));

/**
 * The items of an index: the one property beside the paging numbers. Its name is not relied on, because not every index
 * is documented.
 */
function listed(ctx: Context, answer: Native): Native[] {
  const rest = Object.entries(answer).filter(([name]) => !['offset', 'size', 'total', '#text'].includes(name));
  const items = rest.length === 1 ? unwrapped(rest[0]![1]) : rest.length === 0 && answer.total === 0 ? [] : undefined;
  if (items?.every((item): item is Native => typeof item === 'object' && item !== null && !Array.isArray(item)))
    return items;
  throw unreadable(ctx, 'something that is not an index');
}

/**
 * XML or JSON, told apart by the first character, so that an answer in the other format than asked for is read as well.
 */
async function decode(ctx: Context, answer: HttpResponse): Promise<Native> {
  const first = textOf({ ...answer, body: answer.body.subarray(0, 256) }).trimStart();
  if (!first.startsWith('<')) return typed(parseObject(ctx, answer), 'json') as Native;
  const { root, value } = await parseXml(ctx, answer);
  if (/^html$/i.test(root)) throw unreadable(ctx, 'a web page');
  const native = typed(value, 'xml');
  return typeof native === 'object' && native !== null ? (native as Native) : {};
}

const NUMBERS = new Set([
  'offset',
  'size',
  'total',
  'currentUsage',
  'numberOfMembers',
  'exchangeMaxNumMailboxes',
  'exchangeUsedStorage',
  'rsEmailMaxNumberMailboxes',
  'rsEmailUsedStorage',
  'BaseMailboxSize',
  'UsedStorage',
  'TotalStorage',
  'ExtraStorage',
  'MaxNumMailboxes',
  'MaxNumberMailboxes',
  'blackBerryLicenses',
  'activeSyncLicenses',
  'spamFolderAgeLimit',
  'spamFolderNumLimit',
]);
const FLAGS = new Set([
  'isHidden',
  'isPublicFolderAdmin',
  'enabled',
  'saveForwardedEmail',
  'hasBlackBerryMobileService',
  'hasActiveSyncMobileService',
  'visibleInRackspaceEmailCompanyDirectory',
  'visibleInExchangeGAL',
  'replyTo',
  'enableVacationMessage',
  'archivingServiceEnabled',
  'publicFoldersEnabled',
  'blackBerryMobileServiceEnabled',
  'activeSyncMobileServiceEnabled',
  'sendToDomainQuarantine',
  'hasFolderCleaner',
  'overrideUserSettings',
]);
const LISTS = new Set(['emailAddressList', 'emailForwardingAddressList', 'addresses', 'aliases']);

/**
 * The same values from both formats: XML texts become numbers, flags and lists by name. A single space is how the
 * vendor prints some empty texts.
 */
function typed(value: unknown, format: 'xml' | 'json', name = ''): unknown {
  if (value === ' ') return '';
  if (Array.isArray(value)) return value.map(item => typed(item, format));
  if (format === 'xml' && LISTS.has(name)) return unwrapped(value).map(item => typed(item, format));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, typed(inner, format, key)]));
  if (format === 'json' || typeof value !== 'string') return value;
  if (NUMBERS.has(name))
    return value.trim() === '' ? null : /^-?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value;
  if (FLAGS.has(name) && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
  return value;
}

/** The vendor's words: a fault document since 2014, before that (and still beside it) a response header. */
function wordsOf({ headers, body }: HttpResponse, xml?: XmlReader): string | undefined {
  const text = Buffer.from(body).toString('utf8').trim();
  let fault: unknown;
  try {
    fault = text.startsWith('<') ? xml?.(text).value : Object.values(JSON.parse(text) as object)[0];
  } catch {
    /* then the header, or an excerpt of the body, says it */
  }
  const inside = typeof fault === 'object' && fault !== null ? Object.entries(fault) : [];
  const message: unknown = inside.find(([name]) => name.toLowerCase() === 'message')?.[1];
  return (typeof message === 'string' ? message.trim() : '') || headers['x-error-message']?.trim() || undefined;
}

const explain =
  (xml: XmlReader | undefined, sent: readonly string[]): Explain =>
  answer => {
    const words = wordsOf(answer, xml);
    const code = codeOf(answer.status, words ?? '');
    const field = words === undefined ? undefined : fieldOf(words, sent);
    return {
      ...(code ? { code } : {}),
      ...(words ? { message: words } : answer.status === 403 ? { message: SILENT } : {}),
      ...(words && field ? { issues: [{ field, message: words } satisfies Issue] } : {}),
    };
  };

const SILENT =
  'The provider refused the request without saying why (403): the keys may be wrong, the account may lack the right, or it may be too fast.';

/**
 * One status, several meanings: the vendor never answers 401, 409 or 429, so the words decide (wiki, Errors and Main
 * Page).
 */
function codeOf(status: number, words: string): ErrorCode | undefined {
  if (status === 403)
    return /exceeded request limits/i.test(words)
      ? 'rate_limited'
      : /authenticat|signature/i.test(words)
        ? 'unauthorized'
        : 'forbidden';
  // 404 on these pages, 406 on their siblings: the answer's format was refused, nothing is missing.
  if ((status === 404 || status === 406) && /^invalid format\.?$/i.test(words)) return 'rejected';
  if (status === 400 && /already in use|mobile service already|already exists/i.test(words)) return 'conflict';
  if (status === 400 && /is not found on the|does not exist in alias/i.test(words)) return 'not_found';
  return undefined;
}

const NAMING = [
  /^Missing required field: (\S+)$/i,
  /^Required field (\S+) cannot be empty/i,
  /^Invalid format for (\S+), input must/i,
  /^Unrecognized field: (\S+)$/i,
];
/** Fields whose errors do not print a name the user knows. */
const SPEAKING: readonly [RegExp, string][] = [
  [/^Invalid user name/i, 'mailbox'],
  [/^Invalid display name/i, 'displayName'],
  [/^Password must/i, 'password'],
  [/^Invalid filterLevel/i, 'filterlevel'],
];

/** The field an error is about, in the spelling it was sent in: the vendor prints `Enabled` for `enabled`. */
function fieldOf(words: string, sent: readonly string[]): string | undefined {
  const printed =
    NAMING.map(form => form.exec(words)?.[1]).find(Boolean) ?? SPEAKING.find(([form]) => form.test(words))?.[1];
  return printed && (sent.find(name => name.toLowerCase() === printed.toLowerCase()) ?? printed);
}
