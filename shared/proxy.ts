import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { certificateTrouble, isCertificateCode } from './certificate.js';
import { NotSent } from './notSent.js';

/**
 * Proxies as a person sets them. `url` serves every address but those of `except` (host, `.domain` or `host:port`) and
 * this machine itself.
 */
export interface Proxies {
  url?: string;
  except?: readonly string[];
  /** The whole value of the `Proxy-Authorization` header. */
  authorization?: string;
  /**
   * Whether a proxy reached by TLS must show a certificate that can be trusted; true unless told. The vendor's own is
   * always checked.
   */
  strict?: boolean;
}
/** Where a connection is to go; `hostname` is without brackets. */
export interface Target {
  protocol: string;
  hostname: string;
  port: number;
}

/** What never goes through a proxy that a person set: the proxy's own machine is another one. */
const HERE = ['localhost', '127.0.0.1', '[::1]'];

/**
 * The proxy for a target: the one that was set, or that of the environment (http_proxy, https_proxy, no_proxy);
 * undefined for a direct way.
 */
export function proxyFor({ url, except = [] }: Proxies, target: Target): URL | undefined {
  const { http_proxy, HTTP_PROXY, https_proxy, HTTPS_PROXY, no_proxy, NO_PROXY } = process.env;
  const plain = http_proxy ?? HTTP_PROXY;
  const named = url || (target.protocol === 'https:' ? (https_proxy ?? HTTPS_PROXY) || plain : plain);
  if (!named || excepted([...except, ...(url ? HERE : []), ...(no_proxy ?? NO_PROXY ?? '').split(/[,\s]/)], target))
    return undefined;
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(named) ? named : `http://${named}`;
  const proxy = URL.canParse(address) ? new URL(address) : undefined;
  if (proxy && /^https?:$/.test(proxy.protocol)) return proxy;
  throw new NotSent('The address of the proxy is not one that begins with http:// or https://.', {
    code: 'forbidden',
    advice: 'Correct the proxy in the settings or in http_proxy and https_proxy.',
  });
}

/**
 * `*` excepts everything, a name itself and all below it, with a port that port alone; a dot or `*.` before a name
 * changes nothing.
 */
function excepted(entries: readonly string[], { hostname, port }: Target): boolean {
  const host = hostname.toLowerCase();
  return entries.some(entry => {
    if (entry.trim() === '*') return true;
    const [, name = '', only] =
      /^\[?(.*?)\]?(?::(\d+))?$/.exec(
        entry
          .trim()
          .toLowerCase()
          .replace(/^\*?\./, ''),
      ) ?? [];
    // An IPv6 address without brackets has colons of its own.
    const bare = entry.includes('[') || (entry.match(/:/g) ?? []).length < 2 ? name : entry.trim().toLowerCase();
    return (
      bare !== '' && (!only || bare !== name || Number(only) === port) && (host === bare || host.endsWith(`.${bare}`))
    );
  });
}

/** How a proxy is named to people: without the sign-in that its address may hold. */
const shown = ({ protocol, host }: URL) => `${protocol}//${host}`;
const signIn = ({ username, password }: URL) =>
  username || password
    ? `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`
    : undefined;

/** So much may come before the way is open or refused, in bytes. */
const LARGEST_HEAD = 256 * 1024;

/**
 * A way through a proxy (RFC 9110 section 9.3.6), opened within `ms` milliseconds. Rejects with words that name the
 * proxy.
 */
export function tunnel(
  proxy: URL,
  { authorization = signIn(proxy), strict = true }: Proxies,
  { hostname, port }: Target,
  ms: number,
): Promise<Socket> {
  const to = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`;
  const secure = proxy.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const fail = (
      what: string,
      rest: Partial<ConstructorParameters<typeof NotSent>[1]> = {},
      words = `The proxy ${shown(proxy)} ${what}.`,
    ) => {
      clearTimeout(timer);
      asked.destroy();
      reject(
        new NotSent(words, { advice: 'Check the proxy, or whether it is the right one for this address.', ...rest }),
      );
    };
    const asked = (secure ? httpsRequest : httpRequest)({
      method: 'CONNECT',
      path: to,
      agent: false,
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port || (secure ? 443 : 80),
      // Of its answer the status is all that counts, so what is odd beside that is let pass.
      insecureHTTPParser: true,
      maxHeaderSize: LARGEST_HEAD,
      headers: { host: to, ...(authorization ? { 'proxy-authorization': authorization } : {}) },
      ...(secure ? { rejectUnauthorized: strict } : {}),
    });
    const timer = setTimeout(() => fail(`did not open the way to ${to} within ${ms / 1000} s`), ms);
    asked.on('connect', ({ statusCode = 0 }: IncomingMessage, socket: Socket, head: Buffer) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        return fail(...refusal(statusCode, to));
      }
      clearTimeout(timer);
      if (head.length) socket.unshift(head);
      resolve(socket);
    });
    let certificate: DetailedPeerCertificate | undefined;
    if (secure)
      asked.on('socket', socket =>
        socket.prependOnceListener('secure', () => {
          certificate = (socket as TLSSocket).getPeerCertificate(true);
        }),
      );
    asked.on('error', (cause: NodeJS.ErrnoException) => {
      if (!isCertificateCode(cause.code)) return fail(troubleWith(cause, to), { cause });
      const { words, advice } = certificateTrouble(cause.code, `the proxy ${shown(proxy)}`, certificate);
      fail('', { cause, advice }, words);
    });
    asked.end();
  });
}

function refusal(status: number, to: string): [string, Partial<ConstructorParameters<typeof NotSent>[1]>] {
  if (status === 407) {
    return [
      'asks for a sign-in (407)',
      {
        code: 'forbidden',
        advice:
          "Give the proxy's user name and password where the proxy is set, such as http://user:password@proxy:8080.",
      },
    ];
  }
  if (status === 403)
    return [`does not allow ${to} (403)`, { code: 'forbidden', advice: `Ask whoever runs the proxy to allow ${to}.` }];
  return [`did not open the way to ${to} (status ${status})`, {}];
}

function troubleWith({ code = '', message }: NodeJS.ErrnoException, to: string): string {
  if (code === 'HPE_HEADER_OVERFLOW') return `answered with more than ${LARGEST_HEAD / 1024} kB of headers`;
  if (code.startsWith('HPE_')) return 'answered with something that is not HTTP';
  if (code === 'ECONNRESET' || /socket hang up/.test(message))
    return `closed the connection before it opened the way to ${to}`;
  return `cannot be reached (${code || message})`;
}
