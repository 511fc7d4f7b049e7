import { startVendor, type Reply, type Seen, type Vendor } from './vendor.js';

/**
 * A pretend Migadu.
 *
 * From the vendor's page (https://www.migadu.com/api/, August 2026): paths, fields, Basic authentication, status 400
 * for what is refused, that aliases stay in their domain, that a rewrite is an alias for a pattern. From answers of 6
 * August 2026 (github.com/mahckrocks24/boss888-laravel-app, MigaduLiveShapeTest.php): the names of the lists, the keys
 * of a mailbox, the DNS records, `{"error":"bad request"}` for any refused input and for a name that is taken,
 * `{"error":"not found"}`. From public clients: that a name is needed (github.com/metio/migadu-client.go, July 2026),
 * that the password of an identity needs `password_use` (github.com/spbkaizo/migadu, September 2026), 500 for a
 * deletion that was done (github.com/Michaelzag/migadu-mcp, April 2026). Guesses: the words of 401 and 429, the times,
 * the shapes of diagnostics and usage, that a name is unique among mailboxes and aliases, and what a domain is created
 * with.
 */
export interface MigaduOptions {
  /** How many mailboxes and aliases each of the two full domains has (30). */
  each?: number;
  /** Deletions are done and answered with the error 500, as clients saw. */
  brokenDeletes?: boolean;
}

export const ADMIN = 'admin@example.com';
export const API_KEY = 'migadu-sandbox-key-Yp4Rk8Tz';
/** Two domains with mailboxes and aliases, and one with nothing. */
export const MAIN_DOMAIN = 'example.com';
export const SECOND_DOMAIN = 'example.net';
export const EMPTY_DOMAIN = 'empty.example.org';

type Body = Record<string, unknown>;
interface Mailbox {
  fields: Body;
  identities: Map<string, Body>;
  forwardings: Map<string, Body>;
}
interface Domain {
  fields: Body;
  mailboxes: Map<string, Mailbox>;
  aliases: Map<string, Body>;
  rewrites: Map<string, Body>;
}

/** An answer of the vendor thrown from the middle of the work. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly words: string,
  ) {
    super(words);
  }
}
const bad = (): never => {
  throw new Refusal(400, 'bad request');
};
const missing = (): never => {
  throw new Refusal(404, 'not found');
};
const found = <T>(map: Map<string, T>, name: string | undefined): T => map.get((name ?? '').toLowerCase()) ?? missing();

const RIGHTS = ['may_send', 'may_receive', 'may_access_imap', 'may_access_pop3', 'may_access_managesieve'];
const FOOTER = ['footer_active', 'footer_plain_body', 'footer_html_body'];
/** What a request may set, for each kind; what else it holds is passed over. */
const SETTABLE = {
  domain: ['description', 'tags'],
  mailbox: [
    'name',
    'is_active',
    'is_internal',
    'wildcard_sender',
    'password_recovery_email',
    'spam_action',
    'spam_aggressiveness',
    'sender_denylist',
    'sender_allowlist',
    'recipient_denylist',
    'autorespond_active',
    'autorespond_subject',
    'autorespond_body',
    'autorespond_expires_on',
    'expires_on',
    'remove_upon_expiry',
    ...RIGHTS,
    ...FOOTER,
  ],
  alias: ['destinations', 'is_internal', 'expires_on', 'remove_upon_expiry'],
  identity: ['name', ...RIGHTS, ...FOOTER],
  forwarding: ['is_active', 'expires_on', 'remove_upon_expiry'],
  rewrite: ['local_part_rule', 'destinations', 'order_num'],
} as const;
const pick = (body: Body, kind: keyof typeof SETTABLE): Body =>
  Object.fromEntries(SETTABLE[kind].filter(name => body[name] !== undefined).map(name => [name, body[name]]));
/** A list, or a text with commas: the page allows both. */
const listOf = (value: unknown): string[] =>
  (Array.isArray(value) ? (value as string[]) : typeof value === 'string' ? value.split(',') : [])
    .map(one => String(one).trim())
    .filter(Boolean);
const isName = (value: unknown): value is string => typeof value === 'string' && /^[^\s@]{1,64}$/.test(value);

/** Migadu's administration API on loopback. */
export async function startMigadu({ each = 30, brokenDeletes = false }: MigaduOptions = {}): Promise<Vendor> {
  const domains = new Map<string, Domain>();
  const stamp = (now: number) => new Date(now).toISOString();

  const addDomain = (name: string, fields: Body = {}): Domain => {
    const domain: Domain = {
      fields: { name, state: 'active', description: '', tags: '', can_send: true, can_receive: true, ...fields },
      mailboxes: new Map(),
      aliases: new Map(),
      rewrites: new Map(),
    };
    domains.set(name.toLowerCase(), domain);
    return domain;
  };
  const addMailbox = (domain: Domain, local: string, given: Body, now: number): Mailbox => {
    const name = String(domain.fields.name);
    const mailbox: Mailbox = {
      fields: {
        local_part: local,
        domain_name: name,
        address: `${local}@${name}`,
        name: '',
        is_active: true,
        is_internal: false,
        storage_usage: 0,
        ...Object.fromEntries(RIGHTS.map(right => [right, true])),
        spam_action: 'folder',
        spam_aggressiveness: 'default',
        sender_denylist: [],
        sender_allowlist: [],
        recipient_denylist: [],
        password_recovery_email: null,
        expireable: false,
        expires_on: null,
        remove_upon_expiry: false,
        wildcard_sender: false,
        delegations: [],
        ...pick(given, 'mailbox'),
        activated_at: stamp(now),
        changed_at: stamp(now),
      },
      identities: new Map(),
      forwardings: new Map(),
    };
    domain.mailboxes.set(local.toLowerCase(), mailbox);
    return mailbox;
  };
  const addAlias = (domain: Domain, local: string, given: Body): Body => {
    const name = String(domain.fields.name);
    const alias = {
      local_part: local,
      domain_name: name,
      address: `${local}@${name}`,
      is_internal: false,
      expires_on: null,
      remove_upon_expiry: false,
      ...given,
    };
    domain.aliases.set(local.toLowerCase(), alias);
    return alias;
  };
  const mailboxOut = ({ fields, identities, forwardings }: Mailbox): Body => ({
    ...fields,
    identities: [...identities.values()],
    forwardings: [...forwardings.values()],
  });

  /** The name of something new; refused where it is none or taken. */
  const free = (name: unknown, ...taken: ReadonlyMap<string, unknown>[]): string => {
    if (!isName(name) || taken.some(map => map.has(name.toLowerCase()))) return bad();
    return name;
  };
  /** The destinations of an alias or a rewrite, each in the domain. */
  const inDomain = (domain: Domain, given: Body, needed: boolean): Body => {
    if (given.destinations === undefined && !needed) return {};
    const all = listOf(given.destinations);
    const end = `@${String(domain.fields.name)}`.toLowerCase();
    if (!all.length || all.some(one => !one.toLowerCase().endsWith(end))) bad();
    return { destinations: all };
  };

  /** The five verbs of one kind of object, in a map by name. */
  function objects<T>(
    method: string,
    name: string | undefined,
    map: Map<string, T>,
    of: { list: string; out(one: T): Body; create(): T; change(one: T): void },
  ): Reply {
    if (name === undefined) {
      if (method === 'GET') return { status: 200, body: { [of.list]: [...map.values()].map(of.out) } };
      return method === 'POST' ? { status: 200, body: of.out(of.create()) } : missing();
    }
    const one = found(map, name);
    if (method === 'PUT') of.change(one);
    if (method === 'DELETE') {
      map.delete(name.toLowerCase());
      if (brokenDeletes) throw new Refusal(500, 'internal server error');
    }
    return ['GET', 'PUT', 'DELETE'].includes(method) ? { status: 200, body: of.out(one) } : missing();
  }

  function belowMailbox(
    method: string,
    domain: Domain,
    mailbox: Mailbox,
    [kind, name, ...rest]: string[],
    body: Body,
    now: number,
  ): Reply {
    const place = String(domain.fields.name);
    if (rest.length) return missing();
    if (kind === 'identities') {
      const withPassword = (one: Body) => {
        if (body.password !== undefined && body.password_use === 'custom') one.password_use = 'custom';
      };
      return objects(method, name, mailbox.identities, {
        list: 'identities',
        out: one => one,
        create() {
          const local = free(body.local_part, mailbox.identities);
          if (!body.name) bad();
          const one = {
            local_part: local,
            domain_name: place,
            address: `${local}@${place}`,
            ...Object.fromEntries(RIGHTS.map(right => [right, true])),
            password_use: 'none',
            ...pick(body, 'identity'),
          };
          withPassword(one);
          mailbox.identities.set(local.toLowerCase(), one);
          return one;
        },
        change(one) {
          Object.assign(one, pick(body, 'identity'));
          withPassword(one);
        },
      });
    }
    if (kind !== 'forwardings') return missing();
    return objects(method, name, mailbox.forwardings, {
      list: 'forwardings',
      out: one => one,
      create() {
        const address = String(body.address ?? '');
        if (!/^[^\s@]+@[^\s@]+$/.test(address) || mailbox.forwardings.has(address.toLowerCase())) bad();
        const one = {
          address,
          blocked_at: null,
          confirmation_sent_at: stamp(now),
          confirmed_at: null,
          expires_on: null,
          is_active: true,
          remove_upon_expiry: false,
          ...pick(body, 'forwarding'),
        };
        mailbox.forwardings.set(address.toLowerCase(), one);
        return one;
      },
      change(one) {
        Object.assign(one, pick(body, 'forwarding'));
      },
    });
  }

  function belowDomain(
    method: string,
    domain: Domain,
    [kind, name, ...rest]: string[],
    body: Body,
    now: number,
  ): Reply {
    const place = String(domain.fields.name);
    if (kind === 'mailboxes' && rest.length)
      return belowMailbox(method, domain, found(domain.mailboxes, name), rest, body, now);
    if (rest.length) return missing();
    if (kind === 'mailboxes') {
      return objects(method, name, domain.mailboxes, {
        list: 'mailboxes',
        out: mailboxOut,
        create() {
          const local = free(body.local_part, domain.mailboxes, domain.aliases);
          const invited = body.password_method === 'invitation';
          if (
            !body.name ||
            (invited ? !body.password_recovery_email : typeof body.password !== 'string' || body.password.length < 8)
          )
            bad();
          const mailbox = addMailbox(domain, local, { ...body, ...(invited ? { is_active: false } : {}) }, now);
          const to = body.forwarding_to;
          if (typeof to === 'string')
            mailbox.forwardings.set(to.toLowerCase(), { address: to, confirmed_at: null, is_active: true });
          return mailbox;
        },
        change(one) {
          if (body.password !== undefined && (typeof body.password !== 'string' || body.password.length < 8)) bad();
          Object.assign(one.fields, pick(body, 'mailbox'), { changed_at: stamp(now) });
        },
      });
    }
    if (kind === 'aliases') {
      return objects(method, name, domain.aliases, {
        list: 'address_aliases',
        out: one => one,
        create: () =>
          addAlias(domain, free(body.local_part, domain.mailboxes, domain.aliases), {
            ...pick(body, 'alias'),
            ...inDomain(domain, body, true),
          }),
        change(one) {
          Object.assign(one, pick(body, 'alias'), inDomain(domain, body, false));
        },
      });
    }
    if (kind === 'rewrites') {
      return objects(method, name, domain.rewrites, {
        list: 'rewrites',
        out: one => one,
        create() {
          const slug = free(body.name, domain.rewrites);
          if (!body.local_part_rule) bad();
          const one = {
            domain_name: place,
            name: slug,
            order_num: 0,
            ...pick(body, 'rewrite'),
            ...inDomain(domain, body, true),
          };
          domain.rewrites.set(slug.toLowerCase(), one);
          return one;
        },
        change(one) {
          Object.assign(one, pick(body, 'rewrite'), inDomain(domain, body, false));
        },
      });
    }
    if (method !== 'GET' || name !== undefined) return missing();
    if (kind === 'records') return { status: 200, body: recordsOf(place) };
    if (kind === 'diagnostics') return { status: 200, body: { mx: [], spf: [], dkim: [], dmarc: [] } };
    return kind === 'usage' ? { status: 200, body: { incoming: 0, outgoing: 0, storage: 0 } } : missing();
  }

  function route({ method, segments: [version, top, place, ...below], body: bytes, headers, at }: Seen): Reply {
    if (version !== 'v1' || top !== 'domains') return missing();
    const body: Body = bytes.length ? readBody(bytes, headers['content-type']) : {};
    if (place === undefined) {
      if (method === 'GET')
        return { status: 200, body: { domains: [...domains.values()].map(({ fields }) => fields) } };
      if (method !== 'POST') return missing();
      const name = String(body.name ?? '').toLowerCase();
      if (!/^(?:[a-z0-9-]+\.)+[a-z]{2,}$/.test(name) || domains.has(name)) bad();
      return { status: 200, body: addDomain(name, { state: 'inactive', can_send: false, can_receive: false }).fields };
    }
    const domain = found(domains, place);
    if (below.length) return belowDomain(method, domain, below, body, at);
    if (method === 'PATCH') Object.assign(domain.fields, pick(body, 'domain'));
    return method === 'GET' || method === 'PATCH' ? { status: 200, body: domain.fields } : missing();
  }

  const vendor = await startVendor({
    id: 'migadu',
    account: baseUrl => ({ baseUrl, user: ADMIN, apiKey: API_KEY }),
    throttled: () => ({ status: 429, body: { error: 'too many requests' } }),
    handle(request) {
      try {
        if (request.headers.authorization !== `Basic ${Buffer.from(`${ADMIN}:${API_KEY}`).toString('base64')}`)
          throw new Refusal(401, 'unauthorized');
        return route(request);
      } catch (error) {
        if (error instanceof Refusal) return { status: error.status, body: { error: error.words } };
        throw error;
      }
    },
  });
  for (const name of [MAIN_DOMAIN, EMPTY_DOMAIN, SECOND_DOMAIN]) addDomain(name);
  for (const name of [MAIN_DOMAIN, SECOND_DOMAIN]) {
    const domain = domains.get(name)!;
    for (let i = 1; i <= each; i++) {
      const number = String(i).padStart(3, '0');
      addMailbox(
        domain,
        `user${number}`,
        { name: `User ${i}`, is_active: i !== 7 },
        vendor.now() - (each - i + 1) * 3_600_000,
      );
      addAlias(domain, `alias${number}`, {
        destinations: i % 3 ? [`user001@${name}`] : [`user001@${name}`, `user002@${name}`],
      });
    }
    domain.rewrites.set('demo', {
      domain_name: name,
      name: 'demo',
      local_part_rule: 'demo-*',
      order_num: 1,
      destinations: [`user001@${name}`],
    });
  }
  const first = domains.get(MAIN_DOMAIN)!.mailboxes.get('user001');
  first?.identities.set('billing', {
    local_part: 'billing',
    domain_name: MAIN_DOMAIN,
    address: `billing@${MAIN_DOMAIN}`,
    name: 'Billing',
    password_use: 'none',
    may_send: true,
    may_receive: true,
  });
  first?.forwardings.set('ann@example.org', {
    address: 'ann@example.org',
    is_active: true,
    confirmed_at: stamp(vendor.now()),
    confirmation_sent_at: stamp(vendor.now()),
    expires_on: null,
    remove_upon_expiry: false,
  });
  return vendor;
}

function readBody(bytes: Buffer, type = ''): Body {
  if (!/^application\/json\b/.test(type)) bad();
  try {
    const value = JSON.parse(bytes.toString('utf8')) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : bad();
  } catch {
    return bad();
  }
}

/** The records of a domain, in the shape that others recorded on 6 August 2026. */
const recordsOf = (domain: string): Body => ({
  domain_name: domain,
  dns_verification: { name: '@', type: 'txt', value: 'hosted-email-verify=sandbox1' },
  mx_records: [1, 2].map(i => ({ name: '@', priority: 10 * i, type: 'mx', value: `aspmx${i}.migadu.com` })),
  spf: { name: '@', type: 'txt', value: 'v=spf1 include:spf.migadu.com -all' },
  dkim: [1, 2, 3].map(i => ({
    name: `key${i}._domainkey`,
    type: 'cname',
    value: `key${i}.${domain}._domainkey.migadu.com.`,
  })),
  dmarc: { name: '_dmarc', type: 'txt', value: 'v=DMARC1; p=quarantine;' },
});
