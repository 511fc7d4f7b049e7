import { Asking } from './asking.js';
import { createDispatcher, renew, tlsOf } from './dispatcher.js';
import { MailError } from './errors.js';
import { allowance, guarded, outlasted, within, type Body } from './guard.js';
import type { Exchange, HttpRequest, HttpStream, Send } from './http.js';
import { NotSent, notSent } from './notSent.js';
import type { Pacer } from './pace.js';
import type { Hide } from './secrets.js';
import type { HttpDispatcher } from './undici.js';
import { shownAddress } from './url.js';
import { Recording } from './wireText.js';

/** What a host brings to a sender; each part is optional. */
export interface SendOptions {
  /** Puts the proof of identity on a request, last of all. */
  sign?: (request: HttpRequest) => HttpRequest | Promise<HttpRequest>;
  /**
   * Asked once after a 401, with the request as it was signed and refused; then the request is signed and sent again.
   */
  refresh?: (refused: HttpRequest) => Promise<void>;
  dispatcher?: HttpDispatcher | Promise<HttpDispatcher>;
  /** Throws where the host forbids an address; asked before each request. */
  allow?: (url: URL) => Promise<void> | void;
  /**
   * Between two bytes and until the headers, in milliseconds. 30 seconds unless told otherwise. As a whole a request
   * may take twice as long, and more only while it moves at least 8 KB a second.
   */
  timeoutMs?: number;
  pacer?: Pacer;
  /**
   * How long a request waits while the vendor lets nothing of the account through, in milliseconds; for as long as it
   * takes unless told.
   */
  patienceMs?: number;
  /** Told of every finished request; for logs and counters. Never sees bodies or signed headers. */
  observe?: (seen: Exchange) => void;
  /**
   * Lets whoever observes look at what went and came, as far as it is text; `hide` takes the account's secrets out of
   * it.
   */
  wire?: Hide;
}

let shared: Promise<HttpDispatcher> | undefined;
/** One pool of kept connections per origin for the life of the process, made on first use. */
const defaultDispatcher = () => (shared ??= createDispatcher({}));

/**
 * A sender on undici: kept connections, timeouts, abort, pace. Whatever the library does, a request ends in its time,
 * and at once when the caller stops it. A turn of the account's pace lasts until the body was read or given up.
 * Redirects are not followed: a signed request belongs to one address.
 */
export function createSend(options: SendOptions = {}): Send {
  const { refresh, allow, pacer, timeoutMs = 30_000 } = options;
  const pool = poolOf(options);
  const once = async (
    unsigned: HttpRequest,
    attempt: number,
    waited: number,
    signal?: AbortSignal,
  ): Promise<{ request: HttpRequest; answer: HttpStream }> => {
    const late = (what: string) => () => outlasted(what, timeoutMs * 2);
    const allowed = allow?.(new URL(unsigned.url));
    if (allowed) await within(allowed, signal, timeoutMs * 2, late("The host's network rules did not answer"));
    const done = await pacer?.turn(signal, options.patienceMs, waited);
    try {
      const signed: HttpRequest | Promise<HttpRequest> = options.sign ? options.sign(unsigned) : unsigned;
      const request =
        'then' in signed
          ? await within(signed, signal, timeoutMs * 4, late('The request could not be signed'))
          : signed;
      const answer = await exchange(options, pool, request, attempt, signal, again(unsigned));
      // Who reads a refusal may let the account rest; that is said before the next turn begins.
      const over = () => (answer.status < 400 ? done?.() : void setImmediate(() => done?.()));
      return { request, answer: { ...answer, body: guarded(answer.body, signal, timeoutMs, over) } };
    } catch (error) {
      done?.();
      throw error;
    }
  };
  const again = (request: HttpRequest) =>
    request.method !== 'GET'
      ? undefined
      : async () => {
          for await (const _ of (await send(request)).body) {
            /* it is looked at where it is recorded */
          }
        };
  const send: Send = async (request, signal, attempt = 1, waited = 0) => {
    if (!/^https?:/.test(request.url))
      throw new MailError('invalid_input', 'The Base URL of the account must begin with http:// or https://.');
    signal?.throwIfAborted();
    const { answer, request: signed } = await once(request, attempt, waited, signal);
    if (answer.status !== 401 || !refresh) return answer;
    for await (const _ of answer.body) {
      /* so that the connection is kept */
    }
    await within(refresh(signed), signal, timeoutMs * 4, () => outlasted('No new token came', timeoutMs * 4));
    return (await once(request, attempt, waited, signal)).answer;
  };
  return pacer ? Object.assign(send, { rest: pacer.rest, eased: pacer.eased }) : send;
}

/** The pool of a sender, kept once it is there. */
function poolOf({ dispatcher, timeoutMs = 30_000 }: SendOptions): (signal?: AbortSignal) => Promise<HttpDispatcher> {
  let made: HttpDispatcher | undefined;
  const late = () => outlasted('No connections could be made', timeoutMs);
  return async signal =>
    (made ??= await within(Promise.resolve(dispatcher ?? defaultDispatcher()), signal, timeoutMs, late));
}

/** The same body, each part of it told to a recording. */
const overheard = (body: Body, wire: Recording): Body => ({
  read: (take, end) =>
    body.read(part => {
      wire.part(part);
      take(part);
    }, end),
  async next() {
    const part = await body.next();
    if (part) wire.part(part);
    return part;
  },
  destroy: () => body.destroy(),
});

/** One request until its headers have come. */
async function exchange(
  options: SendOptions,
  pool: ReturnType<typeof poolOf>,
  request: HttpRequest,
  attempt: number,
  signal?: AbortSignal,
  again?: () => Promise<void>,
): Promise<{ status: number; headers: Record<string, string>; body: Body }> {
  const { observe, timeoutMs = 30_000 } = options;
  const started = performance.now();
  const wire = observe && options.wire ? new Recording(request, request.body, options.wire) : undefined;
  const told = (rest: { status?: number; error?: string }) =>
    observe?.({
      method: request.method,
      url: shownAddress(request.url),
      ms: performance.now() - started,
      attempt,
      ...rest,
      ...(wire ? { wire, ...(again ? { again } : {}) } : {}),
    });
  // The library feels an abort only once there is a connection, so it is told then and not waited for.
  const asking = new Asking();
  try {
    const { origin, pathname, search } = new URL(request.url);
    const { body = null } = request;
    const ms = allowance(timeoutMs, typeof body === 'string' ? Buffer.byteLength(body) : (body?.byteLength ?? 0));
    const { method, headers } = request;
    const ready = await pool(signal);
    ready.dispatch(
      { origin, path: pathname + search, method, headers, body, headersTimeout: timeoutMs, bodyTimeout: timeoutMs },
      asking,
    );
    const head = await within(asking.head, signal, ms, () => {
      renew(ready);
      return asking.begun
        ? outlasted('The answer did not begin', ms)
        : new NotSent(`No connection was made within ${Math.round(ms / 1000)} s.`);
    });
    wire?.head(head.status, head.headers, tlsOf(ready, origin));
    told({ status: head.status });
    return { ...head, body: wire ? overheard(asking, wire) : asking };
  } catch (error) {
    asking.destroy(error as Error);
    told({ error: error instanceof Error ? error.name : 'error' });
    throw asking.begun || notSent(error)
      ? error
      : new NotSent(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
