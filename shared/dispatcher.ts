import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Dispatcher } from 'undici';
import { undici } from './send.js';

/** The network rules of a host, for a pool of its own. */
export interface Network { lookup?: LookupFunction; proxies?: 'environment' }

/** A pool of kept connections that resolves names with the host's lookup and goes through the proxies of the environment (http_proxy, https_proxy, no_proxy). */
export async function createDispatcher({ lookup = systemLookup as LookupFunction, proxies }: Network): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent } = await undici();
  const options = { keepAliveTimeout: 30_000, connections: 32, connect: { lookup } };
  return proxies && (process.env.http_proxy || process.env.HTTP_PROXY || process.env.https_proxy || process.env.HTTPS_PROXY) ? new EnvHttpProxyAgent(options) : new Agent(options);
}
