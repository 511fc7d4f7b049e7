import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { Dispatcher, buildConnector } from 'undici';
import { certificateTrouble, isCertificateCode } from './certificate.js';
import type { TlsFacts } from './exchange.js';
import { codeAndWords, NotSent } from './notSent.js';
import { proxyFor, tunnel, type Proxies, type Target } from './proxy.js';
import { tlsFacts } from './tlsFacts.js';
import { undici, type HttpDispatcher } from './undici.js';

export type { Proxies } from './proxy.js';

/**
 * Resolves a name as `dns.lookup` does; of the same form as `LookupFunction` in `node:net`, whose types a script need
 * not have.
 */
export type Lookup = (
  hostname: string,
  options: any,
  callback: (error: any, address: any, family?: number) => void,
) => void;
/** The network rules of a host, for a pool of its own. Without `url`, `Proxies` fall back to the environment. */
export interface Network {
  lookup?: Lookup;
  proxies?: 'environment' | Proxies;
  /**
   * The longest that a connection may take, in milliseconds: name, TCP and TLS together, and before them a proxy's way.
   * 10 seconds unless told.
   */
  connectMs?: number;
}

/** Idle connections are kept this long, in milliseconds; vendors close theirs after 60 s or later. */
const KEEP_ALIVE = 30_000;
/** A pool that was thrown away may end what it has under way for so long, in milliseconds. */
const LAST_WORDS = 600_000;

type Connect = buildConnector.connector;

/**
 * A pool of kept connections that resolves names with the host's lookup and goes through the given proxies, or those of
 * the environment (http_proxy, https_proxy, no_proxy).
 */
export async function createDispatcher({
  lookup = systemLookup as Lookup,
  proxies,
  connectMs = 10_000,
}: Network): Promise<HttpDispatcher> {
  const library = await undici();
  const direct = library.buildConnector({ lookup: lookup as LookupFunction, timeout: connectMs });
  const newest = new Map<string, object>();
  const connect = noting(newest, connector(direct, proxies === 'environment' ? {} : proxies, connectMs));
  const make = () =>
    new library.Agent({ keepAliveTimeout: KEEP_ALIVE, keepAliveMaxTimeout: KEEP_ALIVE, connections: 32, connect });
  let agent = make();
  /** One pool for its users, whatever happens to the one below. */
  class Pool extends library.Dispatcher {
    override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
      return agent.dispatch(options, handler);
    }
    /** How TLS protects an origin, as its newest certificate has it. */
    tlsOf(origin: string) {
      return tlsFacts(newest.get(origin));
    }
    override close() {
      return agent.close() as never;
    }
    override destroy() {
      return agent.destroy() as never;
    }
    /** Takes new connections from now on. What the old ones have under way may end. */
    renew() {
      const old = agent;
      agent = make();
      void old.close().catch(() => {});
      setTimeout(() => void old.destroy().catch(() => {}), LAST_WORDS).unref();
    }
  }
  return new Pool();
}

/** How TLS protects an origin, as far as its pool can tell. */
export const tlsOf = (pool: HttpDispatcher, origin: string): TlsFacts | undefined =>
  (pool as { tlsOf?(origin: string): TlsFacts | undefined }).tlsOf?.(origin);

/** Throws a pool away that misbehaved, where it can be told to. */
export const renew = (pool: HttpDispatcher): void => (pool as { renew?(): void }).renew?.();

/** So many origins are remembered. */
const MOST_ORIGINS = 100;
/** The same connections, the newest that showed a certificate noted for each origin. */
const noting =
  (newest: Map<string, object>, connect: Connect): Connect =>
  (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error) return callback(error, null);
      if (newest.size >= MOST_ORIGINS) newest.clear();
      const origin = `${options.protocol}//${options.host}`;
      // One that goes on with the session of another shows no certificate again.
      if (!newest.has(origin) || !(socket as Partial<TLSSocket>).isSessionReused?.()) newest.set(origin, socket!);
      callback(null, socket!);
    });

/**
 * Makes connections, through a proxy where one is set. Every failure is a `NotSent`: the library begins anew by itself
 * after failures of kinds that it knows, for as long as they last.
 */
function connector(direct: Connect, proxies: Proxies | undefined, ms: number): Connect {
  return (options, callback) => {
    const { protocol, hostname } = options;
    const target: Target = { protocol, hostname, port: Number(options.port) || (protocol === 'https:' ? 443 : 80) };
    const done: buildConnector.Callback = (...[error, socket]) =>
      error ? callback(error, null) : callback(null, socket!);
    void (async () => {
      const proxy = proxies && proxyFor(proxies, target);
      const way = proxy && (await tunnel(proxy, proxies, target, ms));
      if (way && protocol !== 'https:') return done(null, way);
      open(direct, { ...options, ...(way ? { httpSocket: way } : {}) }, { target, proxy, ms }, done);
    })().catch((error: Error) => done(error, null));
  };
}

/** Where a connection leads, and how long it may take in milliseconds. */
interface Way {
  target: Target;
  proxy: URL | undefined;
  ms: number;
}

function open(direct: Connect, options: buildConnector.Options, way: Way, done: buildConnector.Callback): void {
  let shown: DetailedPeerCertificate | undefined;
  const socket = direct(options, (...[error, made]) => {
    if (!error) return done(null, made!);
    const { words, advice } = whyNot(error, way, shown);
    done(new NotSent(words, { cause: error, ...(advice ? { advice } : {}) }), null);
  }) as unknown as TLSSocket | undefined;
  // Before the library looks at the certificate: afterwards it is gone, and with it what was wrong with it.
  socket?.prependOnceListener('secure', () => {
    shown = socket.getPeerCertificate(true);
  });
}

/** One sentence on why there is no connection, and what to do where that is known. */
function whyNot(
  error: Error & { code?: string },
  { target, proxy, ms }: Way,
  shown?: DetailedPeerCertificate,
): { words: string; advice?: string } {
  const { code = '', message } = error;
  const { hostname, port } = target;
  const where = isIP(hostname) ? `${hostname} port ${port}` : hostname;
  const through = proxy ? ` through the proxy ${proxy.protocol}//${proxy.host}` : '';
  if (isCertificateCode(code)) return certificateTrouble(code, where, shown);
  switch (true) {
    case code === 'ENOTFOUND' || code === 'EAI_AGAIN':
      return {
        words: `The name ${hostname} was not found (${code}).`,
        ...(code === 'ENOTFOUND'
          ? { advice: 'Check the Base URL of the account for a misspelt name, and whether this machine has a network.' }
          : {}),
      };
    case code === 'UND_ERR_CONNECT_TIMEOUT':
      return { words: `${where} took no connection${through} within ${ms / 1000} s.` };
    case /^(?:ERR_SSL|EPROTO)/.test(code):
      return {
        words: `${where} speaks no TLS that could be understood${through} (${code}).`,
        advice: 'Check the port of the Base URL, and whether the server there wants https:// or http://.',
      };
    case code === 'ECONNREFUSED':
      return {
        words: `${hostname} port ${port} refuses connections${through} (${code}).`,
        advice: 'Check host and port of the Base URL, and whether the server there runs.',
      };
    default:
      return { words: `There is no connection to ${where}${through}: ${codeAndWords({ code, message })}.` };
  }
}
