import { decoded, textOf } from './decode.js';
import { codeOfStatus, isMailError, MailError, type ErrorCode, type Issue } from './errors.js';
import { excerpt, line } from './excerpt.js';
import type { HttpRequest, HttpResponse, HttpStream } from './exchange.js';
import { codeAndWords, notSent } from './notSent.js';
import { LONGEST_REST } from './pace.js';
import type { Context } from './provider.js';
import { redact, type Hide } from './secrets.js';
import { originOf, shownAddress } from './url.js';
import { pause, restAfter, retryAfter } from './wait.js';

export type {
  Exchange,
  HttpRequest,
  HttpResponse,
  HttpStream,
  Send,
  TlsFacts,
  Wire,
  WireTalk,
  WireText,
  WireTurn,
} from './exchange.js';

/** A provider's reading of a failure; what it leaves out is filled in from the status. */
export type Explain = (
  response: HttpResponse,
) => { code?: ErrorCode; message?: string; issues?: Issue[]; retryAfter?: number; advice?: string } | undefined;

/** No answer that is read whole may be larger; larger things are streamed. */
const LARGEST_ANSWER = 64 * 1024 * 1024;
/**
 * So much of a refusal is read for its words, in bytes; and so much at the end of a longer one is left out, in
 * characters.
 */
const LARGEST_REFUSAL = 32 * 1024;
const CUT = 4096;
/**
 * Reads that fail are tried three times in all (for those that are throttled see `THROTTLED`); the longest wait that a
 * vendor may ask for before we give the error to the user, in seconds.
 */
const TRIES = 3;
const LONGEST_WAIT = 30;
/**
 * A request that is throttled was not done. Where the host is patient it is sent again, a write too, so often at most.
 */
const THROTTLED = 100;

/**
 * Sends, reads the whole answer, and turns every failure into a `MailError`. Of what may have been done, only GET is
 * tried again: RFC 9110 section 9.2.2.
 */
export async function exchange(ctx: Context, request: HttpRequest, explain?: Explain): Promise<HttpResponse> {
  return attempt(ctx, request, async (tried, waited) => {
    const answer = await whole(await ctx.send(request, ctx.signal, tried, waited), ctx, request);
    if (answer.status >= 300) throw failure(ctx, hidden(ctx, answer), explain);
    if (request.method !== 'GET') answer.write = true;
    return answer;
  });
}

/** The same for large content: the body of a good answer is handed on as it comes. */
export async function exchangeStream(ctx: Context, request: HttpRequest, explain?: Explain): Promise<HttpStream> {
  return attempt(ctx, request, async (tried, waited) => {
    const answer = await ctx.send(request, ctx.signal, tried, waited);
    if (answer.status >= 300) throw failure(ctx, hidden(ctx, await whole(answer, ctx, request)), explain);
    return decoded(answer);
  });
}

async function attempt<T>(
  ctx: Context,
  request: HttpRequest,
  once: (tried: number, waited: number) => Promise<T>,
): Promise<T> {
  const began = performance.now();
  let failed = 0;
  let throttled = 0;
  let rested = 0;
  for (;;) {
    try {
      const answer = await once(failed + throttled + 1, performance.now() - began);
      ctx.send.eased?.();
      return answer;
    } catch (error) {
      ctx.signal?.throwIfAborted();
      const known = isMailError(error) ? error : noAnswer(ctx, request, error);
      const named = known.details.retryAfter;
      const refused = refusals.has(known);
      const throttling = refused && known.code === 'rate_limited';
      const patience = ctx.patience ?? 0;
      if (refused && !throttling) ctx.send.eased?.();
      // A vendor that names no time, or one in the past, is not asked again at once.
      const wait = throttling ? Math.max(named ?? 0, backoff(throttled + failed)) : (named ?? backoff(failed + 1));
      const since = throttling ? (ctx.send.rest?.(wait * 1000) ?? rested * 1000) : 0;
      const again =
        throttling && patience > 0
          ? ++throttled <= THROTTLED && wait * 1000 <= LONGEST_REST && since / 1000 + wait <= patience
          : request.method === 'GET' &&
            ++failed < TRIES &&
            (throttling || known.code === 'unavailable') &&
            wait <= LONGEST_WAIT;
      if (!again) throw request.method === 'GET' ? known : doubtful(known);
      rested += wait;
      ctx.observe?.({
        method: request.method,
        url: shownAddress(request.url),
        ms: 0,
        attempt: failed + throttled,
        wait,
      });
      await pause(wait * 1000, ctx.signal);
    }
  }
}

/** Longer from time to time, in seconds, and never the same for two who were refused together. */
const backoff = (times: number): number => Math.min(30, 0.2 * 2 ** times * (1 + Math.random()));

/** Errors that were read from an answer of the vendor itself. */
const refusals = new WeakSet<MailError>();

/** What is said of a write whose answer was lost or could not be read, and what to do then. */
export const DOUBT = 'Whether it was done is not known.';
const LOOK = 'Look at the provider whether it was done before you run it again.';

/**
 * A good answer that could not be understood; of a write, it leaves open what was done. `what` goes on from "answered
 * the operation".
 */
export function unreadable(
  ctx: Pick<Context, 'provider' | 'operation'>,
  answer: HttpResponse,
  what: string,
): MailError {
  const error = new MailError('protocol', `${ctx.provider} answered ${ctx.operation} ${what}.`, {
    provider: ctx.provider,
    operation: ctx.operation,
    status: answer.status,
  });
  return answer.write ? doubtful(error) : error;
}

/**
 * A failed write as it is told: where it was sent and no answer says what became of it, it may have been done. An
 * answer that says no, or that points elsewhere, is no doubt.
 */
export function doubtful(error: MailError): MailError {
  const { status = 0, cause } = error.details;
  const lost =
    error.code === 'unavailable' && status < 500
      ? !refusals.has(error) || status === 408
      : status >= 500 && status !== 501 && status !== 503;
  const unread = error.code === 'protocol' && (status < 300 || status >= 400);
  if (notSent(cause) || !(lost || unread)) return error;
  // A vendor's words may end without a full stop.
  const told = new MailError(error.code, `${error.message.replace(/(?<![.!?])$/, '.')} ${DOUBT}`, {
    advice: LOOK,
    ...error.details,
  });
  if (error.stack) told.stack = error.stack;
  return told;
}

async function whole(coded: HttpStream, ctx: Context, { url }: HttpRequest): Promise<HttpResponse> {
  const parts: Uint8Array[] = [];
  let size = 0;
  let answer = coded;
  const take = (part: Uint8Array) => {
    size += part.byteLength;
    if (size > LARGEST_ANSWER) {
      throw new MailError(
        'protocol',
        `The answer is larger than ${LARGEST_ANSWER / 1048576} MB and was not read to its end.`,
        { provider: ctx.provider, operation: ctx.operation, status: answer.status },
      );
    }
    parts.push(part);
  };
  try {
    answer = decoded(coded);
    if (answer.body.each) await answer.body.each(take);
    else for await (const part of answer.body) take(part);
  } catch (error) {
    ctx.signal?.throwIfAborted();
    const where = { provider: ctx.provider, operation: ctx.operation, status: answer.status };
    // What the head of a refusal says stays true when its body cannot be read.
    if (answer.status < 300) {
      if (isMailError(error))
        throw error.details.status === undefined
          ? new MailError(error.code, error.message, { ...where, ...error.details })
          : error;
      throw new MailError('unavailable', `The answer from ${originOf(url)} broke off: ${reason(error, ctx.hide)}.`, {
        ...where,
        cause: error,
      });
    }
  }
  return {
    status: answer.status,
    headers: answer.headers,
    body: parts.length === 1 ? parts[0]! : Buffer.concat(parts, size),
  };
}

/**
 * A failing answer without the secrets it repeats, so that nothing that is read from it or cut out of it holds a part
 * of one.
 */
function hidden(ctx: Context, answer: HttpResponse): HttpResponse {
  const { hide } = ctx;
  if (!hide) return answer;
  const text = textOf({ ...answer, body: answer.body.subarray(0, LARGEST_REFUSAL) });
  // What was cut may have cut a secret, so the end of it goes too.
  const safe = answer.body.byteLength > LARGEST_REFUSAL ? hide(text).slice(0, -CUT) : hide(text);
  const headers = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, hide(value)]));
  // The head, or a declaration in the text, may still name the charset that it was read in.
  headers['content-type'] = `${(headers['content-type'] ?? '').replace(/;\s*charset\s*=[^;]*/gi, '')}; charset=utf-8`;
  return { ...answer, headers, body: Buffer.from(safe) };
}

function failure(ctx: Context, answer: HttpResponse, explain?: Explain): MailError {
  const where = { provider: ctx.provider, operation: ctx.operation, status: answer.status };
  // No vendor here redirects; whoever does is not the vendor, and a write sent there was not done.
  if (answer.status < 400) {
    return new MailError(
      'protocol',
      `${ctx.provider} answered with status ${answer.status}${
        answer.headers.location ? `, pointing to ${originOf(answer.headers.location)}` : ''
      }; check the Base URL of the account.`,
      where,
    );
  }
  const said = explain?.(answer) ?? {};
  const code = said.code ?? codeOfStatus(answer.status);
  const message =
    line(said.message ?? '') ||
    `${ctx.provider} answered with status ${answer.status}${excerpt(answer) ? `: ${excerpt(answer)}` : ''}.`;
  const wait =
    said.retryAfter ??
    (code === 'rate_limited'
      ? restAfter(answer.headers)
      : code === 'unavailable'
        ? retryAfter(answer.headers)
        : undefined);
  const error = new MailError(code, message, {
    ...where,
    ...(said.issues?.length ? { issues: said.issues } : {}),
    ...(wait === undefined ? {} : { retryAfter: wait }),
    ...(said.advice ? { advice: said.advice } : {}),
  });
  refusals.add(error);
  return error;
}

/** What is told when no answer came: why nothing was sent, or that the connection broke afterwards. */
function noAnswer(ctx: Context, request: HttpRequest, error: unknown): MailError {
  const where = { provider: ctx.provider, operation: ctx.operation, cause: error };
  const unsent = notSent(error);
  const from = originOf(request.url);
  if (!unsent) return new MailError('unavailable', `No answer from ${from}: ${reason(error, ctx.hide)}.`, where);
  const words = redact((ctx.hide ?? String)(unsent.message)).replace(/\.?$/, '.');
  return new MailError(
    unsent.code,
    `${unsent.code === 'rate_limited' ? '' : `No answer from ${from}: `}${words} Nothing was sent.`,
    {
      ...where,
      ...(unsent.advice ? { advice: unsent.advice } : {}),
      ...(unsent.retryAfter === undefined ? {} : { retryAfter: unsent.retryAfter }),
    },
  );
}

/** The innermost cause of a failed connection, in a few words. */
function reason(error: unknown, hide: Hide = text => text): string {
  let inner = error as { code?: string; message?: string; cause?: unknown };
  while (inner?.cause && typeof inner.cause === 'object') inner = inner.cause as typeof inner;
  return redact(hide(codeAndWords(inner ?? {}) || String(error))).replace(/\.$/, '');
}
