import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { undici, type HttpDispatcher } from './undici.js';

/** Proxies as a person sets them. `url` serves every address but those of `except` (host, `.domain` or `host:port`) and this machine itself. */
export interface Proxies {
  url?: string; except?: readonly string[];
  /** The whole value of the `Proxy-Authorization` header. */
  authorization?: string;
  /** Whether a proxy reached by TLS must show a certificate that can be trusted; true unless told. The vendor's own is always checked. */
  strict?: boolean;
}
/** Resolves a name as `dns.lookup` does; of the same form as `LookupFunction` in `node:net`, whose types a script need not have. */
export type Lookup = (hostname: string, options: any, callback: (error: any, address: any, family?: number) => void) => void;
/** The network rules of a host, for a pool of its own. Without `url`, `Proxies` fall back to the environment. */
export interface Network { lookup?: Lookup; proxies?: 'environment' | Proxies }

/** What never goes through a proxy that a person set: the proxy's own machine is another one. */
const HERE = ['localhost', '127.0.0.1', '[::1]'];

/**
 * A pool of kept connections that resolves names with the host's lookup and goes through the given proxies, or those of the environment
 * (http_proxy, https_proxy, no_proxy).
 */
export async function createDispatcher({ lookup = systemLookup as Lookup, proxies }: Network): Promise<HttpDispatcher> {
  const { Agent, EnvHttpProxyAgent } = await undici();
  const options = { keepAliveTimeout: 30_000, connections: 32, connect: { lookup: lookup as LookupFunction } };
  if (!proxies) return new Agent(options);
  const { url, except = [], authorization, strict = true } = proxies === 'environment' ? {} : proxies;
  const { http_proxy, HTTP_PROXY, https_proxy, HTTPS_PROXY, no_proxy, NO_PROXY } = process.env;
  if (!url && !http_proxy && !HTTP_PROXY && !https_proxy && !HTTPS_PROXY) return new Agent(options);
  const own = [...except, ...(url ? HERE : [])], direct = [...own, no_proxy ?? NO_PROXY ?? ''];
  return new EnvHttpProxyAgent({
    ...options, ...(url ? { httpProxy: url, httpsProxy: url } : {}),
    ...(own.length ? { noProxy: direct.includes('*') ? '*' : direct.filter(Boolean).join(',') } : {}),
    ...(authorization ? { token: authorization } : {}), ...(strict ? {} : { proxyTls: { rejectUnauthorized: false } }),
  });
}
