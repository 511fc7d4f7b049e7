import type { Agent, Dispatcher } from 'undici';
import { MailError } from './errors.js';
import type { Exchange, HttpRequest, Send } from './http.js';
import { shownAddress } from './url.js';
import type { Pacer } from './pace.js';
import { undici, type HttpDispatcher } from './undici.js';

/** What a host brings to a sender; each part is optional. */
export interface SendOptions {
  /** Puts the proof of identity on a request, last of all. */
  sign?: (request: HttpRequest) => HttpRequest | Promise<HttpRequest>;
  /** Asked once after a 401, with the request as it was signed and refused; then the request is signed and sent again. */
  refresh?: (refused: HttpRequest) => Promise<void>;
  dispatcher?: HttpDispatcher | Promise<HttpDispatcher>;
  /** Throws where the host forbids an address; asked before each request. */
  allow?: (url: URL) => Promise<void> | void;
  /** Between two bytes and until the headers, in milliseconds. 30 seconds unless told otherwise. */
  timeoutMs?: number;
  pacer?: Pacer;
  /** Told of every finished request; for logs and counters. Never sees bodies or signed headers. */
  observe?: (seen: Exchange) => void;
}

/** Idle connections are kept this long, in milliseconds; vendors close theirs after 60 s or later. */
const KEEP_ALIVE = 30_000;
let shared: Agent | undefined;
/** One pool of kept connections per origin for the life of the process, made on first use. */
const defaultDispatcher = async () => shared ??= new (await undici()).Agent({ keepAliveTimeout: KEEP_ALIVE, connections: 32 });

/** A sender on undici: kept connections, timeouts, abort, pace. Redirects are not followed: a signed request belongs to one address. */
export function createSend(options: SendOptions = {}): Send {
  const { sign, refresh, allow, pacer, observe, timeoutMs = 30_000 } = options;
  const once = async (unsigned: HttpRequest, attempt: number, signal?: AbortSignal) => {
    const address = new URL(unsigned.url);
    await allow?.(address);
    const run = async () => {
      const request = sign ? await sign(unsigned) : unsigned;
      const started = performance.now();
      const told = (rest: { status?: number; error?: string }) =>
        observe?.({ method: request.method, url: shownAddress(request.url), ms: performance.now() - started, attempt, ...rest });
      try {
        const { request: exchange } = await undici();
        const answer = await exchange(request.url, {
          method: request.method, headers: request.headers, body: request.body ?? null, signal: signal ?? null,
          dispatcher: (await options.dispatcher ?? await defaultDispatcher()) as Dispatcher, headersTimeout: timeoutMs, bodyTimeout: timeoutMs,
        });
        told({ status: answer.statusCode });
        const headers: Record<string, string> = {};
        for (const [name, value] of Object.entries(answer.headers)) if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
        return { request, answer: { status: answer.statusCode, headers, body: answer.body as AsyncIterable<Uint8Array> & { dump(): Promise<void> } } };
      } catch (error) {
        told({ error: error instanceof Error ? error.name : 'error' });
        throw error;
      }
    };
    return pacer ? pacer(run, signal) : run();
  };
  return async (request, signal, attempt = 1) => {
    if (!/^https?:/.test(request.url)) throw new MailError('invalid_input', 'The base address of the account must begin with http:// or https://.');
    const { answer, request: signed } = await once(request, attempt, signal);
    if (answer.status !== 401 || !refresh) return answer;
    await answer.body.dump();
    await refresh(signed);
    return (await once(request, attempt, signal)).answer;
  };
}
