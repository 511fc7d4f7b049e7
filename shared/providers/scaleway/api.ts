import { parseObject } from '../../codecs/json.js';
import { MailError, type ErrorCode, type Issue } from '../../errors.js';
import { exchange, type Explain, type HttpRequest } from '../../http.js';
import { base, query } from '../../url.js';
import { pages } from '../../pages.js';
import type { Context } from '../../provider.js';
import type { Native } from '../../vocabulary.js';

/** How often in one reading a list that shrank may be taken up again further to the front. */
const STEPS_BACK = 100;

/** Requests below the account's base address and the API's prefix, JSON both ways. */
export function api(ctx: Context) {
  const call = async (method: HttpRequest['method'], address: string, body?: unknown, signal = ctx.signal) => {
    const answer = await exchange(
      { ...ctx, signal },
      {
        method,
        url: `${base(ctx.account)}/mailbox/v1alpha1${address}`,
        headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      },
      explain,
    );
    return answer.status === 204 ? {} : parseObject(ctx, answer);
  };
  return {
    get: (address: string) => call('GET', address),
    post: (address: string, body: unknown = {}) => call('POST', address, body),
    patch: (address: string, body: unknown) => call('PATCH', address, body),
    delete: (address: string) => call('DELETE', address),
    /**
     * A collection as a stream. The end is an empty page or `total_count` reached: there is no link (the vendor's
     * reference of v1alpha1). Objects that come or go while it is read shift the pages, so none is given twice, and
     * when the total has shrunk the pages before are read again. Whoever reads on beyond the second page gets the
     * `largest` the vendor gives; those begin at the front, as pages have numbers and no offsets.
     */
    pages(address: string, key: string, filters: Record<string, unknown>, size: number, largest = size) {
      const given = new Set<unknown>();
      let before = 0;
      let back = 0;
      return pages({ page: 1, count: size }, async ({ page, count }, stopped) => {
        const signal = ctx.signal ? AbortSignal.any([ctx.signal, stopped]) : stopped;
        const answer = await call('GET', address + query({ ...filters, page, page_size: count }), undefined, signal);
        const items = answer[key] === null ? [] : answer[key];
        const total = Number(answer.total_count);
        if (!Array.isArray(items) || !Number.isInteger(total)) {
          throw new MailError(
            'protocol',
            `${ctx.provider} answered ${ctx.operation} without ${Array.isArray(items) ? 'a total_count' : `a list of ${key}`}.`,
          );
        }
        const gone = Math.max(0, before - total);
        before = total;
        if (gone && ++back > STEPS_BACK)
          throw new MailError('unavailable', 'The list kept changing while it was read; run again.');
        const more = items.length > 0 && page * count < total;
        const next =
          gone && page > 1
            ? { page: Math.max(1, page - Math.ceil(gone / count)), count }
            : !more
              ? undefined
              : page > 1 && count < largest
                ? { page: 1, count: largest }
                : { page: page + 1, count };
        const fresh = (items as Native[]).filter(item => !given.has(item.id));
        for (const item of fresh) given.add(item.id);
        return { items: fresh, ...(next ? { next } : {}) };
      });
    },
  };
}

/**
 * The platform's error envelope: branch on `type`, then on the status (the vendor's reference of v1alpha1, and
 * recordings of September 2026).
 */
const explain: Explain = ({ status, body }) => {
  let said: null | {
    type?: string;
    message?: string;
    help_message?: string;
    details?: Native[];
    resource?: string;
    current_state?: string;
    reset_seconds?: number;
  };
  try {
    said = JSON.parse(Buffer.from(body).toString('utf8')) as typeof said;
  } catch {
    said = null;
  }
  if (typeof said !== 'object' || said === null) said = {};
  const details = Array.isArray(said.details) ? said.details : [];
  const words = [said.message, said.help_message].filter(Boolean).join(': ');
  const wait = said.reset_seconds;
  const code =
    status === 412 ? 'conflict' : said.type && Object.hasOwn(CODES, said.type) ? CODES[said.type] : undefined;
  const issues: Issue[] =
    said.type === 'invalid_arguments'
      ? details.map(d => ({ field: String(d.argument_name), message: String(d.help_message || d.reason) }))
      : [];
  const where = said.resource ? ` (${[said.resource, said.current_state].filter(Boolean).join(', ')})` : '';
  return {
    ...(code ? { code } : {}),
    ...(words
      ? {
          message: `${words}${where}${issues.length ? `: ${issues.map(i => `${i.field}: ${i.message}`).join('; ')}` : ''}`,
        }
      : {}),
    issues,
    ...(said.type && Object.hasOwn(ADVICE, said.type) ? { advice: ADVICE[said.type]! } : {}),
    ...(status === 429 && typeof wait === 'number' ? { retryAfter: wait } : {}),
  };
};

/** What to do about a conflict that is no older object and no change by others. */
const ADVICE: Readonly<Record<string, string>> = {
  transient_state: 'It is being changed just now. Wait until that is over, then run again.',
  locked: 'It is locked. Look in the Scaleway console why, and unlock it there.',
  precondition_failed: 'Do first what the words above ask for, then run again.',
};

const CODES: Record<string, ErrorCode> = {
  invalid_arguments: 'rejected',
  denied_authentication: 'unauthorized',
  permissions_denied: 'forbidden',
  quotas_exceeded: 'rejected',
  not_found: 'not_found',
  resource_expired: 'not_found',
  expired: 'not_found',
  transient_state: 'conflict',
  already_exists: 'conflict',
  precondition_failed: 'conflict',
  locked: 'conflict',
  too_many_requests: 'rate_limited',
  out_of_stock: 'unavailable',
};
