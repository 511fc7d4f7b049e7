import type { Dispatcher } from 'undici';
import { createDispatcher, renew } from './dispatcher.js';
import { MailError } from './errors.js';
import { allowance, guarded, outlasted, within, type Body } from './guard.js';
import type { Exchange, HttpRequest, HttpStream, Send } from './http.js';
import { NotSent, notSent } from './notSent.js';
import type { Pacer } from './pace.js';
import { undici, type HttpDispatcher } from './undici.js';
import { shownAddress } from './url.js';

/** What a host brings to a sender; each part is optional. */
export interface SendOptions {
  /** Puts the proof of identity on a request, last of all. */
  sign?: (request: HttpRequest) => HttpRequest | Promise<HttpRequest>;
  /** Asked once after a 401, with the request as it was signed and refused; then the request is signed and sent again. */
  refresh?: (refused: HttpRequest) => Promise<void>;
  dispatcher?: HttpDispatcher | Promise<HttpDispatcher>;
  /** Throws where the host forbids an address; asked before each request. */
  allow?: (url: URL) => Promise<void> | void;
  /**
   * Between two bytes and until the headers, in milliseconds. 30 seconds unless told otherwise. As a whole a request may take twice as long,
   * and more only while it moves at least 8 KB a second.
   */
  timeoutMs?: number;
  pacer?: Pacer;
  /** How long a request waits while the vendor lets nothing of the account through, in milliseconds; for as long as it takes unless told. */
  patienceMs?: number;
  /** Told of every finished request; for logs and counters. Never sees bodies or signed headers. */
  observe?: (seen: Exchange) => void;
}

let shared: Promise<HttpDispatcher> | undefined;
/** One pool of kept connections per origin for the life of the process, made on first use. */
const defaultDispatcher = () => shared ??= createDispatcher({});

/**
 * A sender on undici: kept connections, timeouts, abort, pace. Whatever the library does, a request ends in its time, and at once when the caller
 * stops it. A turn of the account's pace lasts until the body was read or given up. Redirects are not followed: a signed request belongs to
 * one address.
 */
export function createSend(options: SendOptions = {}): Send {
  const { refresh, allow, pacer, timeoutMs = 30_000 } = options;
  const once = async (unsigned: HttpRequest, attempt: number, waited: number, signal?: AbortSignal): Promise<{ request: HttpRequest; answer: HttpStream }> => {
    const address = new URL(unsigned.url), late = (what: string) => () => outlasted(what, timeoutMs * 2);
    const allowed = allow?.(address);
    if (allowed) await within(allowed, signal, timeoutMs * 2, late('The host\'s network rules did not answer'));
    const done = await pacer?.turn(signal, options.patienceMs, waited);
    try {
      const signed: HttpRequest | Promise<HttpRequest> = options.sign ? options.sign(unsigned) : unsigned;
      const request = 'then' in signed ? await within(signed, signal, timeoutMs * 4, late('The request could not be signed')) : signed;
      const answer = await exchange(options, request, attempt, signal);
      // Who reads a refusal may let the account rest; that is said before the next turn begins.
      const over = () => answer.status < 400 ? done?.() : void setImmediate(() => done?.());
      return { request, answer: { ...answer, body: guarded(answer.body, signal, timeoutMs, over) } };
    } catch (error) {
      done?.();
      throw error;
    }
  };
  const send: Send = async (request, signal, attempt = 1, waited = 0) => {
    if (!/^https?:/.test(request.url)) throw new MailError('invalid_input', 'The base address of the account must begin with http:// or https://.');
    signal?.throwIfAborted();
    const { answer, request: signed } = await once(request, attempt, waited, signal);
    if (answer.status !== 401 || !refresh) return answer;
    for await (const _ of answer.body) { /* so that the connection is kept */ }
    await within(refresh(signed), signal, timeoutMs * 4, () => outlasted('No new token came', timeoutMs * 4));
    return (await once(request, attempt, waited, signal)).answer;
  };
  return pacer ? Object.assign(send, { rest: pacer.rest, eased: pacer.eased }) : send;
}

type Library = Awaited<ReturnType<typeof undici>>;
/** How far a request came: `begun` when it is about to be written; until then nothing of it left this machine. Given up, it is `stopped`. */
interface Progress { begun: boolean; stopped?: unknown; abort?: (reason: Error) => void }
const PROGRESS = Symbol('progress');

/** The host's pool for requests that carry their progress. */
function makeWatched({ Dispatcher: Base }: Library) {
  /** Changes the call that says that a connection takes the request. It has one name for new handlers, one for older ones. */
  const noting = (handler: Dispatcher.DispatchHandler, progress: Progress) => {
    type Start = (given: ((reason: Error) => void) | { abort(reason: Error): void }, context: unknown) => unknown;
    const starts = handler as unknown as Record<string, Start | undefined>, name = starts.onRequestStart ? 'onRequestStart' : 'onConnect';
    const start = starts[name];
    starts[name] = (given, context) => {
      progress.begun = true;
      progress.abort = typeof given === 'function' ? given : reason => given.abort(reason);
      // The library asks nobody who waits for a connection whether the request is still wanted.
      if (progress.stopped !== undefined) return progress.abort(progress.stopped as Error);
      return start?.call(handler, given, context);
    };
    return handler;
  };
  return class extends Base {
    readonly #pool: HttpDispatcher;
    constructor(pool: HttpDispatcher) { super(); this.#pool = pool; }
    override dispatch(options: Dispatcher.DispatchOptions & { [PROGRESS]?: Progress }, handler: Dispatcher.DispatchHandler) {
      return this.#pool.dispatch(options, options[PROGRESS] ? noting(handler, options[PROGRESS]) : handler);
    }
  };
}
let Watched: ReturnType<typeof makeWatched> | undefined;
/** One for each pool. */
const watched = new WeakMap<HttpDispatcher, Dispatcher>();

/** One request until its headers have come. */
async function exchange(options: SendOptions, request: HttpRequest, attempt: number, signal?: AbortSignal): Promise<HttpStream & { body: Body }> {
  const { observe, timeoutMs = 30_000 } = options, started = performance.now();
  const told = (rest: { status?: number; error?: string }) =>
    observe?.({ method: request.method, url: shownAddress(request.url), ms: performance.now() - started, attempt, ...rest });
  // The library feels an abort only once there is a connection, so it is told then and not waited for.
  const progress: Progress = { begun: false };
  try {
    const library = await undici(), given = Promise.resolve(options.dispatcher ?? defaultDispatcher());
    const pool = await within(given, signal, timeoutMs, () => outlasted('No connections could be made', timeoutMs));
    let dispatcher = watched.get(pool);
    if (!dispatcher) watched.set(pool, dispatcher = new (Watched ??= makeWatched(library))(pool));
    const ms = allowance(timeoutMs, typeof request.body === 'string' ? Buffer.byteLength(request.body) : request.body?.byteLength ?? 0);
    const asked = library.request(request.url, {
      method: request.method, headers: request.headers, body: request.body ?? null, headersTimeout: timeoutMs, bodyTimeout: timeoutMs,
      dispatcher, ...{ [PROGRESS]: progress },
    });
    asked.then(({ body }) => { if (progress.stopped !== undefined) { body.on('error', () => {}); body.destroy(); } }, () => {});
    const answer = await within(asked, signal, ms, () => {
      renew(pool);
      return progress.begun ? outlasted('The answer did not begin', ms) : new NotSent(`No connection was made within ${Math.round(ms / 1000)} s.`);
    });
    told({ status: answer.statusCode });
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
    return { status: answer.statusCode, headers, body: answer.body as unknown as Body };
  } catch (error) {
    progress.stopped = error;
    progress.abort?.(error as Error);
    told({ error: error instanceof Error ? error.name : 'error' });
    throw progress.begun || notSent(error) ? error : new NotSent(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
