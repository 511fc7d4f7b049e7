import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { MailError } from '../../shared/index.js';

/**
 * What n8n keeps its nodes away from: private, loopback and link-local addresses and those for documentation (its own
 * list), and the ranges by which IPv6 reaches the same: RFC 6598, 6052, 3056, 4380. IPv4 that is mapped into IPv6 is
 * checked as IPv4 by Node.js itself.
 */
const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '::1/128',
  '::/128',
  '169.254.0.0/16',
  'fe80::/10',
  'fec0::/10',
  'fc00::/7',
  '0.0.0.0/8',
  '100.64.0.0/10',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  'ff00::/8',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2002::/16',
  '2001::/32',
];

/**
 * The settings of n8n's protection that count here (docs.n8n.io, "SSRF protection" among the environment variables).
 */
const ENABLED = 'N8N_SSRF_PROTECTION_ENABLED';
const BLOCKED = 'N8N_SSRF_BLOCKED_IP_RANGES';
const ALLOWED = 'N8N_SSRF_ALLOWED_IP_RANGES';
const ALLOWED_NAMES = 'N8N_SSRF_ALLOWED_HOSTNAMES';
const BLOCKED_NAMES = 'N8N_SSRF_BLOCKED_HOSTNAMES';

const parted = (text = '') =>
  text
    .split(',')
    .map(one => one.trim().toLowerCase())
    .filter(Boolean);
const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

function rangesOf(entries: readonly string[]): BlockList {
  const ranges = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    // n8n itself warns of an entry that is no range; its word `default` means those that count in any case.
    try {
      if (bits === undefined) ranges.addAddress(address, familyOf(address));
      else ranges.addSubnet(address, Number(bits), familyOf(address));
    } catch {
      /* as above */
    }
  }
  return ranges;
}

/** `*.example.com` names everything below; else the whole name. */
const named = (host: string, patterns: readonly string[]) =>
  patterns.some(one => (one.startsWith('*.') ? host.endsWith(one.slice(1)) : host === one));

/** True while n8n keeps its nodes from private addresses. */
export const isProtected = (environment: NodeJS.ProcessEnv = process.env): boolean =>
  /^(?:true|1)$/i.test(environment[ENABLED] ?? '');

/**
 * The address to connect to for a host, by n8n's rules, for the places where n8n hands out no filter. All addresses of
 * a name must be allowed. Throws `forbidden` for a private one.
 */
export async function publicAddress(
  host: string,
  environment: NodeJS.ProcessEnv = process.env,
  find: (host: string) => Promise<{ address: string }[]> = name => lookup(name, { all: true }),
): Promise<string> {
  const name = host.toLowerCase().replace(/\.$/, '');
  const refused = new MailError(
    'forbidden',
    `n8n's network rules forbid ${host}: it is, or leads to, a private address.`,
  );
  const allowedName = named(name, parted(environment[ALLOWED_NAMES]));
  if (!allowedName && named(name, parted(environment[BLOCKED_NAMES])))
    throw new MailError('forbidden', `n8n's network rules forbid ${host}.`);
  const found = isIP(host) ? [{ address: host }] : await find(host);
  const blocked = rangesOf([...PRIVATE, ...parted(environment[BLOCKED])]);
  const allowed = rangesOf(parted(environment[ALLOWED]));
  for (const { address } of found) {
    const bare = address.replace(/%.*$/, '');
    if (!allowedName && blocked.check(bare, familyOf(bare)) && !allowed.check(bare, familyOf(bare))) throw refused;
  }
  const [first] = found;
  if (!first) throw new MailError('unavailable', `${host} has no address to connect to.`);
  return first.address;
}
