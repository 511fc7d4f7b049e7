import { createHash, randomUUID } from 'node:crypto';
import { startVendor, type Reply, type Seen, type Vendor } from './vendor.js';

/**
 * A pretend Scaleway Mailbox.
 *
 * From the vendor's pages and SDKs: paths, fields, enumerations, lengths, quotas, the types of errors and their fields,
 * paging. From recordings of its Terraform provider: the states of a mailbox and their times, the ten minutes until a
 * deleted one goes, the headers on pace. Guesses: which error a rule gives, all or nothing in a batch and its order,
 * what a restored or canceled mailbox goes through, that `canceled` may be sent, the default size of a page, and that
 * deleted mailboxes are listed.
 */
export interface ScalewayOptions {
  /**
   * How much is seeded: domains in all (3), mailboxes on the main domain (130), aliases on its first mailboxes (130).
   */
  domains?: number;
  mailboxes?: number;
  aliases?: number;
  /** Mailboxes a project may have; the vendor's beta allows 20, which would leave no room for a second page. */
  quota?: number;
  /** Requests in any second before the gateway answers 429; the vendor's is 50, enforced only when asked for. */
  perSecond?: number;
}

/** The key of the good account, and one that may read but not write. */
export const SECRET_KEY = '7c0f1e9a-4b1d-4a57-9d5e-2f6f3a9c1b20';
export const READ_ONLY_KEY = '0d8a52c4-91be-4f0c-8a36-5b7e1c2d9f64';
/**
 * The project of the seeded domains, and the domains tests name: ready, waiting for its records, and ready but without
 * mailboxes.
 */
export const PROJECT = '105bdce1-64c0-48ab-899d-868455867ecf';
export const MAIN_DOMAIN = 'mail.example.com';
export const WAITING_DOMAIN = 'nodns.example.net';
export const EMPTY_DOMAIN = 'empty.example.org';
/** A seeded object's id, the same in every run. */
export const seededId = (what: string): string => {
  const hex = createHash('sha256').update(what).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

type Period = 'unknown_subscription_period' | 'canceled' | 'monthly' | 'yearly';
type MailboxState =
  | 'waiting_payment'
  | 'waiting_domain'
  | 'ready'
  | 'deletion_scheduled'
  | 'locked'
  | 'renewing'
  | 'deleting'
  | 'restoring'
  | 'payment_failed';
type DomainState = 'creating' | 'waiting_validation' | 'validating' | 'provisioning' | 'ready' | 'deleting';
type AliasState = 'provisioning' | 'ready' | 'deleting';
/** Times are milliseconds of vendor time; `since` is when the present state began. */
interface Domain {
  id: string;
  project: string;
  name: string;
  status: DomainState;
  since: number;
  created: number;
  updated: number;
  validated: boolean;
  valid: boolean;
}
interface Mailbox {
  id: string;
  domain: string;
  local: string;
  email: string;
  status: MailboxState;
  since: number;
  created: number;
  updated: number;
  period: Period;
  next: Period;
  periodStart?: number;
  nextStart?: number;
  purge?: number;
}
interface Alias {
  id: string;
  email: string;
  mailbox: string;
  description: string;
  status: AliasState;
  since: number;
  created: number;
  updated: number;
}

// How long states last, in milliseconds, from recordings of September 2026 where there are any.
const SECOND = 1000;
const PAYMENT = 75 * SECOND;
const TO_READY = 2 * SECOND;
const PURGE = 600 * SECOND;
const DELETING = 4 * SECOND;
const RESTORING = 3 * SECOND;
const RENEWING = 5 * SECOND;
const CREATING = 3 * SECOND;
const INVALID = 6 * SECOND;
const VALID = 7 * SECOND;
const PROVISIONING = SECOND;
const ALIAS = 5 * SECOND;
const TRANSIENT = [
  'creating',
  'waiting_payment',
  'waiting_domain',
  'renewing',
  'deleting',
  'restoring',
  'validating',
  'provisioning',
];
const PREFIX = 'mailbox/v1alpha1';
const MAILBOX_STATES = [
  'unknown_status',
  'creating',
  'waiting_payment',
  'waiting_domain',
  'ready',
  'deletion_scheduled',
  'locked',
  'renewing',
  'deleting',
  'restoring',
  'payment_failed',
];
const DOMAIN_STATES = [
  'unknown_status',
  'creating',
  'waiting_validation',
  'validating',
  'validation_failed',
  'provisioning',
  'ready',
  'deleting',
];
const ALIAS_STATES = ['unknown_status', 'provisioning', 'ready', 'deleting'];
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const LOCAL_PART = /^[a-z0-9](?:[a-z0-9._+-]*[a-z0-9])?$/i;
const FQDN = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/i;

/** An answer of the vendor thrown from the middle of the work. */
class Refusal extends Error {
  readonly reply: Reply;
  constructor(status: number, body: object) {
    super();
    this.reply = { status, body };
  }
}
const refuse = (status: number, type: string, message: string, more: object = {}): never => {
  throw new Refusal(status, { ...more, message, type });
};
const notFound = (resource: string, id: string) =>
  refuse(404, 'not_found', 'resource is not found', { resource, resource_id: id });
const exists = (resource: string, id: string, help: string) =>
  refuse(409, 'already_exists', 'resource already exists', { resource, resource_id: id, help_message: help });
const transient = (resource: string, id: string, state: string) =>
  refuse(409, 'transient_state', 'resource is in a transient state', {
    resource,
    resource_id: id,
    current_state: state,
  });
const precondition = (name: string, help: string) =>
  refuse(412, 'precondition_failed', 'precondition is not respected', { precondition: name, help_message: help });

/** Collects everything wrong with a request's arguments; the vendor names them all at once. */
function check() {
  const details: {
    argument_name: string;
    reason: 'required' | 'format' | 'constraint' | 'unknown';
    help_message: string;
  }[] = [];
  const wrong = (argument_name: string, reason: (typeof details)[number]['reason'], help_message: string) => {
    details.push({ argument_name, reason, help_message });
  };
  return {
    wrong,
    done() {
      if (details.length) refuse(400, 'invalid_arguments', 'invalid argument(s)', { details });
    },
    text(
      from: Record<string, unknown>,
      name: string,
      {
        min = 0,
        max = Infinity,
        required = false,
        pattern,
        as = name,
      }: { min?: number; max?: number; required?: boolean; pattern?: RegExp; as?: string } = {},
    ): string | undefined {
      const value = from[name];
      if (value === undefined || value === null) return void (required && wrong(as, 'required', `${as} is required`));
      if (typeof value !== 'string') return void wrong(as, 'format', `${as} must be a string`);
      if (required && value === '') return void wrong(as, 'required', `${as} is required`);
      if (value.length < min || value.length > max)
        return void wrong(as, 'constraint', `length must be between ${min} and ${max}`);
      if (pattern && !pattern.test(value))
        return void wrong(as, 'format', pattern === UUID ? 'must be a valid UUID' : `${as} is not valid`);
      return value;
    },
    choice<T extends string>(
      from: Record<string, unknown>,
      name: string,
      choices: readonly T[],
      required = false,
    ): T | undefined {
      const value = from[name];
      if (value === undefined || value === null || value === '')
        return void (required && wrong(name, 'required', `${name} is required`));
      if (typeof value !== 'string' || !choices.includes(value as T))
        return void wrong(name, 'constraint', `must be one of ${choices.join(', ')}`);
      return value as T;
    },
  };
}

/**
 * Scaleway Mailbox v1alpha1 on loopback, as strict as the vendor and with its own time. Local parts that begin with
 * `unpaid` fail to be paid.
 */
export async function startScaleway(options: ScalewayOptions = {}): Promise<Vendor> {
  const { quota = 5000, perSecond = Infinity } = options;
  const domains = new Map<string, Domain>();
  const mailboxes = new Map<string, Mailbox>();
  const aliases = new Map<string, Alias>();
  const recent: number[] = [];

  function move<T extends { status: string; since: number; updated: number }>(
    thing: T,
    status: T['status'],
    at: number,
  ) {
    thing.status = status;
    thing.since = at;
    thing.updated = at;
  }
  /** Brings everything to where it would be by now; the order inside one object is that of time. */
  function settle(now: number) {
    for (const domain of domains.values()) {
      for (let due: number; ;) {
        if (domain.status === 'creating' && (due = domain.since + CREATING) <= now)
          move(domain, 'waiting_validation', due);
        else if (domain.status === 'validating') {
          domain.valid = !domain.name.startsWith('nodns');
          due = domain.since + (domain.valid ? VALID : INVALID);
          if (due > now) break;
          domain.validated = true;
          move(domain, domain.valid ? 'provisioning' : 'waiting_validation', due);
        } else if (domain.status === 'provisioning' && (due = domain.since + PROVISIONING) <= now)
          move(domain, 'ready', due);
        else if (domain.status === 'deleting' && domain.since + DELETING <= now) {
          domains.delete(domain.id);
          break;
        } else break;
      }
    }
    for (const mailbox of mailboxes.values()) while (advance(mailbox, now));
    for (const alias of aliases.values()) {
      if (!mailboxes.has(alias.mailbox)) aliases.delete(alias.id);
      else if (alias.status === 'provisioning' && alias.since + ALIAS <= now) move(alias, 'ready', alias.since + ALIAS);
      else if (alias.status === 'deleting' && alias.since + ALIAS <= now) aliases.delete(alias.id);
    }
  }
  /** One step of a mailbox's life, if it is due. */
  function advance(mailbox: Mailbox, now: number): boolean {
    const begin = (period: Period, at: number) => {
      mailbox.period = period;
      mailbox.next = 'unknown_subscription_period';
      mailbox.periodStart = at;
      const end = new Date(at);
      if (period === 'yearly') end.setUTCFullYear(end.getUTCFullYear() + 1);
      else end.setUTCMonth(end.getUTCMonth() + 1);
      mailbox.nextStart = end.getTime();
    };
    const step = (due: number | undefined, then: (at: number) => void) => {
      if (due === undefined || due > now) return false;
      then(due);
      return true;
    };
    switch (mailbox.status) {
      case 'waiting_payment':
        return step(mailbox.since + PAYMENT, at => {
          if (mailbox.local.startsWith('unpaid')) return move(mailbox, 'payment_failed', at);
          begin(mailbox.next, at);
          move(mailbox, 'waiting_domain', at);
        });
      case 'waiting_domain': {
        const domain = domains.get(mailbox.domain);
        return step(domain?.status === 'ready' ? Math.max(mailbox.since, domain.since) + TO_READY : undefined, at =>
          move(mailbox, 'ready', at),
        );
      }
      // A canceled mailbox stays for thirty days, neither sending nor receiving; that its state is `locked` then is a
      // guess.
      case 'ready':
        return step(mailbox.nextStart, at => move(mailbox, mailbox.next === 'canceled' ? 'locked' : 'renewing', at));
      case 'renewing':
        return step(mailbox.since + RENEWING, at => {
          begin(mailbox.next === 'unknown_subscription_period' ? mailbox.period : mailbox.next, mailbox.nextStart!);
          move(mailbox, 'ready', at);
        });
      case 'restoring':
        return step(mailbox.since + RESTORING, at => {
          delete mailbox.purge;
          move(mailbox, 'ready', at);
        });
      case 'deletion_scheduled':
        return step(mailbox.purge, at => move(mailbox, 'deleting', at));
      case 'deleting':
        if (mailbox.since + DELETING <= now) mailboxes.delete(mailbox.id);
        return false;
      default:
        return false;
    }
  }

  const inDomain = (domain: Domain) => [...mailboxes.values()].filter(m => m.domain === domain.id);
  const domainOut = (d: Domain) => ({
    id: d.id,
    project_id: d.project,
    organization_id: '',
    name: d.name,
    status: d.status,
    mailbox_total_count: inDomain(d).length,
    created_at: micro(d.created),
    updated_at: micro(d.updated),
    webmail_url: 'https://mailbox.scw.eu',
    imap_url: 'imap.mailbox.scw.eu',
    pop3_url: 'pop3.mailbox.scw.eu',
    smtp_url: 'smtp.mailbox.scw.eu',
  });
  const mailboxOut = (m: Mailbox) => ({
    id: m.id,
    project_id: '',
    organization_id: '',
    domain_id: m.domain,
    email: m.email,
    status: m.status,
    subscription_period: m.period,
    subscription_period_started_at: whole(m.periodStart),
    next_subscription_period: m.next,
    next_subscription_period_starts_at: whole(m.nextStart),
    created_at: micro(m.created),
    updated_at: micro(m.updated),
    deletion_scheduled_at: m.purge === undefined ? null : micro(m.purge),
  });
  const aliasOut = (a: Alias) => ({
    id: a.id,
    email: a.email,
    mailbox_id: a.mailbox,
    description: a.description,
    status: a.status,
    created_at: micro(a.created),
    updated_at: micro(a.updated),
  });

  /** One page of a list, filtered and ordered as the query asks. `keys` are the names `order_by` may begin with. */
  function page<T extends { created: number; updated: number; id: string }>(
    query: URLSearchParams,
    all: Iterable<T>,
    out: (item: T) => object,
    {
      key,
      largest,
      keys,
      states,
      one,
      match,
    }: {
      key: string;
      largest: number;
      keys: Record<string, (item: T) => string | number>;
      states: readonly string[];
      one?: boolean;
      match: Record<string, (item: T, value: string) => boolean>;
    },
  ): Reply {
    const c = check();
    const from = Object.fromEntries(query);
    const order =
      c.choice(
        from,
        'order_by',
        Object.keys(keys).flatMap(k => [`${k}_desc`, `${k}_asc`]),
      ) ?? 'created_at_desc';
    const count = (name: string, least: number, most: number, or: number) => {
      const text = query.get(name);
      if (text === null || text === '') return or;
      const n = Number(text);
      if (!/^-?\d+$/.test(text)) c.wrong(name, 'format', `${name} must be an integer`);
      else if (n < least || n > most)
        c.wrong(
          name,
          'constraint',
          most === 2 ** 31 - 1 ? `must be greater or equal to ${least}` : `must be between ${least} and ${most}`,
        );
      return n;
    };
    const number = count('page', 1, 2 ** 31 - 1, 1);
    const size = count('page_size', 1, largest, Math.min(50, largest));
    for (const id of ['domain_id', 'mailbox_id', 'project_id']) if (id in match) c.text(from, id, { pattern: UUID });
    const wanted = one
      ? ([query.get('status')].filter(s => s) as string[])
      : query.getAll('statuses').filter(s => s !== '');
    for (const status of wanted)
      if (!states.includes(status))
        c.wrong(one ? 'status' : 'statuses', 'constraint', `must be one of ${states.join(', ')}`);
    c.done();
    const read = keys[order.replace(/_(?:desc|asc)$/, '')]!;
    const sign = order.endsWith('_desc') ? -1 : 1;
    const found = [...all]
      .filter(item => !wanted.length || wanted.includes((item as unknown as { status: string }).status))
      .filter(item => Object.entries(match).every(([name, test]) => !from[name] || test(item, from[name])))
      .sort((a, b) => {
        const [x, y] = [read(a), read(b)];
        return sign * (x < y ? -1 : x > y ? 1 : a.id < b.id ? -1 : 1);
      });
    return {
      status: 200,
      body: { total_count: found.length, [key]: found.slice((number - 1) * size, number * size).map(out) },
    };
  }
  const times = {
    created_at: (item: { created: number }) => item.created,
    updated_at: (item: { updated: number }) => item.updated,
  };

  const find = <T>(map: Map<string, T>, resource: string, id: string): T => {
    const c = check();
    c.text({ [`${resource}_id`]: id }, `${resource}_id`, { required: true, pattern: UUID });
    c.done();
    return map.get(id.toLowerCase()) ?? notFound(resource, id);
  };
  const taken = (email: string) =>
    [...mailboxes.values(), ...aliases.values()].find(other => other.email.toLowerCase() === email.toLowerCase());

  function createMailboxes(body: Record<string, unknown>, now: number): Reply {
    const c = check();
    const domainId = c.text(body, 'domain_id', { required: true, pattern: UUID });
    const period = c.choice(body, 'subscription_period', ['monthly', 'yearly'] as const, true);
    const items = Array.isArray(body.mailboxes) ? (body.mailboxes as unknown[]) : [];
    if (!items.length) c.wrong('mailboxes', 'required', 'mailboxes is required');
    const asked = items.map((item, i) => {
      const from = typeof item === 'object' && item !== null ? (item as Record<string, unknown>) : {};
      c.text(from, 'password', { required: true, min: 12, max: 128, as: `mailboxes[${i}].password` });
      return c.text(from, 'local_part', {
        required: true,
        min: 1,
        max: 64,
        pattern: LOCAL_PART,
        as: `mailboxes[${i}].local_part`,
      });
    });
    c.done();
    const domain = find(domains, 'domain', domainId!);
    if (domain.status === 'deleting') transient('domain', domain.id, domain.status);
    const current = [...mailboxes.values()].filter(m => domains.get(m.domain)?.project === domain.project).length;
    if (current + asked.length > quota) {
      refuse(403, 'quotas_exceeded', 'quota(s) exceeded for this project', {
        details: [{ resource: 'mailbox', quota, current, project_id: domain.project }],
      });
    }
    // All or nothing, in the order asked for: the vendor documents neither.
    const emails = asked.map(local => `${local}@${domain.name}`);
    emails.forEach((email, i) => {
      const other = taken(email);
      if (other || emails.findIndex(e => e.toLowerCase() === email.toLowerCase()) < i)
        exists('mailbox', other?.id ?? '', `${email} is already used`);
    });
    const made = emails.map((email, i): Mailbox => ({
      id: randomUUID(),
      domain: domain.id,
      local: asked[i]!,
      email,
      status: 'waiting_payment',
      since: now,
      created: now,
      updated: now,
      period: 'unknown_subscription_period',
      next: period!,
    }));
    for (const mailbox of made) mailboxes.set(mailbox.id, mailbox);
    return { status: 200, body: { mailboxes: made.map(mailboxOut) } };
  }

  function createAlias(mailboxId: unknown, body: Record<string, unknown>, now: number): Reply {
    const c = check();
    const id = c.text({ mailbox_id: mailboxId }, 'mailbox_id', { required: true, pattern: UUID });
    const local = c.text(body, 'local_part', { required: true, min: 1, max: 64, pattern: LOCAL_PART });
    const description = c.text(body, 'description', { max: 128 }) ?? '';
    c.done();
    const mailbox = find(mailboxes, 'mailbox', id!);
    if (mailbox.status === 'deletion_scheduled')
      precondition('unknown_precondition', 'the mailbox is scheduled for deletion');
    if (mailbox.status === 'deleting') transient('mailbox', mailbox.id, mailbox.status);
    const email = `${local}@${domains.get(mailbox.domain)!.name}`;
    const other = taken(email);
    if (other) exists('alias', other.id, `${email} is already used`);
    const alias: Alias = {
      id: randomUUID(),
      email,
      mailbox: mailbox.id,
      description,
      status: 'provisioning',
      since: now,
      created: now,
      updated: now,
    };
    aliases.set(alias.id, alias);
    return { status: 200, body: aliasOut(alias) };
  }

  function mailboxRoute(method: string, id: string, body: () => Record<string, unknown>, now: number): Reply {
    const mailbox = find(mailboxes, 'mailbox', id);
    const steady = () => {
      if (TRANSIENT.includes(mailbox.status)) transient('mailbox', mailbox.id, mailbox.status);
    };
    if (method === 'PATCH') {
      const given = body();
      const c = check();
      // `canceled` is in the vendor's enum; that it may be sent is a guess, since the vendor's own Terraform provider
      // does not.
      const period = c.choice(given, 'subscription_period', ['monthly', 'yearly', 'canceled'] as const);
      const password = c.text(given, 'new_password', { min: 12, max: 128 });
      c.done();
      steady();
      if (mailbox.status === 'deletion_scheduled' || mailbox.status === 'payment_failed')
        precondition('unknown_precondition', `the mailbox is ${mailbox.status}`);
      if (mailbox.status === 'locked') {
        if (!period) refuse(423, 'locked', 'resource is locked', { resource: 'mailbox', resource_id: mailbox.id });
        move(mailbox, 'restoring', now);
      }
      if (period && period !== mailbox.period) mailbox.next = period;
      if (period || password) mailbox.updated = now;
    }
    if (method === 'DELETE') {
      steady();
      if (mailbox.status === 'deletion_scheduled')
        precondition('unknown_precondition', 'the mailbox is already scheduled for deletion');
      mailbox.purge = now + PURGE;
      move(mailbox, 'deletion_scheduled', now);
    }
    return { status: 200, body: mailboxOut(mailbox) };
  }

  function restore(id: string, now: number): Reply {
    const mailbox = find(mailboxes, 'mailbox', id);
    if (TRANSIENT.includes(mailbox.status)) transient('mailbox', mailbox.id, mailbox.status);
    if (mailbox.status !== 'deletion_scheduled' && mailbox.status !== 'locked')
      precondition('unknown_precondition', `the mailbox is ${mailbox.status}, not deletion_scheduled`);
    delete mailbox.purge;
    move(mailbox, 'restoring', now);
    return { status: 200, body: mailboxOut(mailbox) };
  }

  function aliasRoute(method: string, id: string, body: () => Record<string, unknown>, now: number): Reply {
    const alias = find(aliases, 'alias', id);
    if (method === 'PATCH') {
      const c = check();
      const description = c.text(body(), 'description', { max: 128 });
      c.done();
      if (alias.status !== 'ready') transient('alias', alias.id, alias.status);
      if (description !== undefined) {
        alias.description = description;
        alias.updated = now;
      }
    }
    if (method === 'DELETE') {
      if (alias.status !== 'ready') transient('alias', alias.id, alias.status);
      move(alias, 'deleting', now);
    }
    return { status: 200, body: aliasOut(alias) };
  }

  function createDomain(body: Record<string, unknown>, now: number): Reply {
    const c = check();
    const name = c.text(body, 'name', { required: true, min: 1, max: 253, pattern: FQDN });
    const project = c.text(body, 'project_id', { required: true, pattern: UUID });
    c.done();
    const other = [...domains.values()].find(d => d.name === name!.toLowerCase());
    if (other) exists('domain', other.id, `${name} is already registered`);
    const domain: Domain = {
      id: randomUUID(),
      project: project!,
      name: name!.toLowerCase(),
      status: 'creating',
      since: now,
      created: now,
      updated: now,
      validated: false,
      valid: false,
    };
    domains.set(domain.id, domain);
    return { status: 200, body: domainOut(domain) };
  }

  function domainRoute(method: string, id: string, now: number): Reply {
    const domain = find(domains, 'domain', id);
    if (method === 'DELETE') {
      if (domain.status === 'deleting') transient('domain', domain.id, domain.status);
      if (inDomain(domain).length) precondition('resource_still_in_use', 'the domain still has mailboxes');
      move(domain, 'deleting', now);
    }
    return { status: 200, body: domainOut(domain) };
  }

  function records(id: string, now: number): Reply {
    const domain = find(domains, 'domain', id);
    const D = domain.name;
    const status = domain.valid ? 'valid' : domain.validated ? 'not_found' : 'unknown_status';
    const row = (slot: string, level: string, type: string, name: string, value: string) =>
      [
        slot,
        {
          id: seededId(`${domain.id}/${slot}`),
          domain_id: domain.id,
          status,
          level,
          dns_type: type,
          dns_name: `${name}.`,
          dns_value: value,
          ...(status === 'not_found'
            ? { error: `no ${type.replace('_dns_type', '').toUpperCase()} record found at ${name}` }
            : {}),
          created_at: micro(domain.created),
          updated_at: micro(domain.updated),
        },
      ] as const;
    const srv = (slot: string, level: string, service: string, port: number, host: string) =>
      row(slot, level, 'srv_dns_type', `_${service}._tcp.${D}`, `0 1 ${port} ${host}.mailbox.scw.eu.`);
    const all = [
      row('domain_validation', 'required', 'txt_dns_type', D, `scaleway-mailbox=${seededId(`validation/${D}`)}`),
      row('spf', 'required', 'txt_dns_type', D, 'v=spf1 include:spf.mailbox.scw.eu -all'),
      row(
        'dkim',
        'required',
        'txt_dns_type',
        `scw-mbox._domainkey.${D}`,
        `v=DKIM1; h=sha256; k=rsa; p=${createHash('sha512').update(D).digest('base64')}`,
      ),
      row('dmarc', 'required', 'txt_dns_type', `_dmarc.${D}`, 'v=DMARC1; p=none'),
      row('mx', 'required', 'mx_dns_type', D, '10 smtp.mailbox.scw.eu.'),
      row('autoconfig', 'recommended', 'cname_dns_type', `autoconfig.${D}`, 'autoconfig.mailbox.scw.eu.'),
      row('autodiscover', 'recommended', 'cname_dns_type', `autodiscover.${D}`, 'autodiscover.mailbox.scw.eu.'),
      srv('imap', 'recommended', 'imaps', 993, 'imap'),
      srv('pop3', 'recommended', 'pop3s', 995, 'pop3'),
      srv('submission', 'recommended', 'submissions', 465, 'smtp'),
      srv('caldav', 'optional', 'caldavs', 443, 'caldav'),
      srv('carddav', 'optional', 'carddavs', 443, 'carddav'),
    ];
    // While a domain is being created its records appear one by one.
    const shown =
      domain.status === 'creating' ? Math.floor((all.length * (now - domain.since)) / CREATING) : all.length;
    return { status: 200, body: Object.fromEntries(all.slice(0, shown)) };
  }

  function validateRecords(id: string, now: number): Reply {
    const domain = find(domains, 'domain', id);
    if (TRANSIENT.includes(domain.status)) transient('domain', domain.id, domain.status);
    if (domain.status === 'waiting_validation') move(domain, 'validating', now);
    return { status: 204, headers: { 'content-type': 'application/json' } };
  }

  function answer(request: Seen, now: number): Reply {
    const key = request.headers['x-auth-token'];
    const denied = (reason: string): never =>
      refuse(401, 'denied_authentication', 'authentication is denied', { method: 'api_key', reason });
    if (!key || !UUID.test(key)) denied('invalid_argument');
    if (key !== SECRET_KEY && key !== READ_ONLY_KEY) denied('not_found');
    const [api, version, resource = '', id, action, ...rest] = request.segments;
    const { method, query } = request;
    const unknownRoute = (): never => {
      throw new Refusal(404, { message: 'no Route matched with those values' });
    };
    if (`${api}/${version}` !== PREFIX || rest.length) unknownRoute();
    const shape = [resource, id === undefined ? '' : '*', action].filter(Boolean).join('/');
    const allowed = ROUTES[shape] ?? unknownRoute();
    if (!allowed.includes(method)) throw new Refusal(405, { message: 'method not allowed' });
    if (method !== 'GET' && key === READ_ONLY_KEY) {
      refuse(403, 'permissions_denied', 'insufficient permissions', {
        details: [{ resource: SINGULAR[resource], action: 'write' }],
      });
    }
    const body = () => {
      if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
        refuse(400, 'invalid_arguments', 'invalid argument(s)', {
          details: [{ argument_name: 'content-type', reason: 'format', help_message: 'must be application/json' }],
        });
      }
      try {
        const value: unknown = JSON.parse(request.body.toString('utf8'));
        if (typeof value === 'object' && value !== null && !Array.isArray(value))
          return value as Record<string, unknown>;
      } catch {
        /* refused below */
      }
      return refuse(400, 'invalid_arguments', 'invalid argument(s)', {
        details: [{ argument_name: 'body', reason: 'format', help_message: 'must be a JSON object' }],
      });
    };
    switch (shape) {
      case 'domains':
        return method === 'POST'
          ? createDomain(body(), now)
          : page(query, domains.values(), domainOut, {
              key: 'domains',
              largest: 1000,
              states: DOMAIN_STATES,
              keys: { ...times, name: d => d.name, mailbox_total_count: d => inDomain(d).length },
              match: {
                project_id: (d, value) => d.project === value,
                search: (d, value) => d.name.includes(value.toLowerCase()),
              },
            });
      case 'domains/*':
        return domainRoute(method, id!, now);
      case 'domains/*/records':
        return records(id!, now);
      case 'domains/*/validate-records':
        body();
        return validateRecords(id!, now);
      case 'batch-create-mailboxes':
        return createMailboxes(body(), now);
      case 'mailboxes':
        return page(query, mailboxes.values(), mailboxOut, {
          key: 'mailboxes',
          largest: 1000,
          states: MAILBOX_STATES,
          keys: { ...times, email: m => m.email },
          match: {
            domain_id: (m, value) => m.domain === value,
            project_id: (m, value) => domains.get(m.domain)?.project === value,
            search: (m, value) =>
              m.local.toLowerCase().includes(value.toLowerCase()) || m.email.toLowerCase() === value.toLowerCase(),
          },
        });
      case 'mailboxes/*':
        return mailboxRoute(method, id!, body, now);
      case 'mailboxes/*/restore':
        body();
        return restore(id!, now);
      case 'mailboxes/*/aliases':
        return createAlias(id, body(), now);
      case 'aliases': {
        if (method === 'POST') {
          const given = body();
          return createAlias(given.mailbox_id, given, now);
        }
        return page(query, aliases.values(), aliasOut, {
          key: 'aliases',
          largest: 100,
          states: ALIAS_STATES,
          one: true,
          keys: { ...times, name: a => a.email },
          match: {
            mailbox_id: (a, value) => a.mailbox === value,
            project_id: (a, value) => domains.get(mailboxes.get(a.mailbox)?.domain ?? '')?.project === value,
          },
        });
      }
      default:
        return aliasRoute(method, id!, body, now);
    }
  }

  const window = (now: number) => {
    while (recent.length && recent[0]! <= now - SECOND) recent.shift();
    return recent.length;
  };
  const vendor = await startVendor({
    id: 'scaleway',
    account: baseUrl => ({ baseUrl, secretKey: SECRET_KEY, oldAliasPath: false }),
    // As the gateway did in a recording: no body, no content type.
    throttled: () => ({
      status: 429,
      headers: {
        'x-envoy-ratelimited': 'true',
        'x-ratelimit-limit': '50, 50;w=1',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': '1',
      },
      body: '',
    }),
    handle(request, self) {
      const now = self.now();
      const headers = {
        'x-request-id': randomUUID(),
        server: 'Scaleway API Gateway (sandbox)',
        'x-ratelimit-limit': '50, 50;w=1',
        'x-ratelimit-remaining': String(Math.max(0, 49 - window(now))),
        'x-ratelimit-reset': '1',
      };
      if (window(now) >= perSecond)
        return { status: 429, headers: { ...headers, 'x-envoy-ratelimited': 'true' }, body: '' };
      recent.push(now);
      settle(now);
      try {
        const reply = answer(request, now);
        return { ...reply, headers: { ...headers, ...reply.headers } };
      } catch (error) {
        if (error instanceof Refusal) return { ...error.reply, headers };
        throw error;
      }
    },
  });
  seed(vendor.now());
  return vendor;

  function seed(now: number) {
    const { domains: domainCount = 3, mailboxes: mailboxCount = 130, aliases: aliasCount = 130 } = options;
    const start = now - 20 * 86_400 * SECOND;
    const addDomain = (name: string, status: DomainState, at: number) => {
      domains.set(seededId(name), {
        id: seededId(name),
        project: PROJECT,
        name,
        status,
        since: at,
        created: at,
        updated: at,
        validated: status === 'ready',
        valid: status === 'ready',
      });
    };
    addDomain(MAIN_DOMAIN, 'ready', start);
    addDomain(WAITING_DOMAIN, 'waiting_validation', start + 60 * SECOND);
    addDomain(EMPTY_DOMAIN, 'ready', start + 120 * SECOND);
    for (let i = 3; i < domainCount; i++)
      addDomain(`d${String(i).padStart(3, '0')}.example.org`, 'ready', start + 60 * i * SECOND);
    for (let i = 0; i < mailboxCount; i++) {
      // Every third shares its time with the one before: batches are created in one moment.
      const local = `user${String(i + 1).padStart(3, '0')}`;
      const at = start + 3600 * SECOND + (i - (i % 3 === 2 ? 1 : 0)) * 60 * SECOND;
      const periodStart = Math.floor((at + PAYMENT) / SECOND) * SECOND;
      const end = new Date(periodStart);
      if (i % 4) end.setUTCMonth(end.getUTCMonth() + 1);
      else end.setUTCFullYear(end.getUTCFullYear() + 1);
      mailboxes.set(seededId(local), {
        id: seededId(local),
        domain: seededId(MAIN_DOMAIN),
        local,
        email: `${local}@${MAIN_DOMAIN}`,
        since: at,
        created: at,
        updated: at + PAYMENT + TO_READY,
        status: i === 6 ? 'locked' : i === 10 ? 'payment_failed' : 'ready',
        period: i === 10 ? 'unknown_subscription_period' : i % 4 ? 'monthly' : 'yearly',
        next: i === 10 ? 'monthly' : 'unknown_subscription_period',
        ...(i === 10 ? {} : { periodStart, nextStart: end.getTime() }),
      });
    }
    for (let i = 0; i < aliasCount; i++) {
      const local = `alias${String(i + 1).padStart(3, '0')}`;
      const at = start + 7200 * SECOND + i * 60 * SECOND;
      const owner = seededId(`user${String((i % Math.max(1, Math.min(5, mailboxCount))) + 1).padStart(3, '0')}`);
      aliases.set(seededId(local), {
        id: seededId(local),
        email: `${local}@${MAIN_DOMAIN}`,
        mailbox: owner,
        description: i % 2 ? '' : `Public address ${i + 1}`,
        status: 'ready',
        since: at,
        created: at,
        updated: at,
      });
    }
  }
}

const ROUTES: Record<string, readonly string[]> = {
  domains: ['GET', 'POST'],
  'domains/*': ['GET', 'DELETE'],
  'domains/*/records': ['GET'],
  'domains/*/validate-records': ['POST'],
  'batch-create-mailboxes': ['POST'],
  mailboxes: ['GET'],
  'mailboxes/*': ['GET', 'PATCH', 'DELETE'],
  'mailboxes/*/restore': ['POST'],
  // The second path of "create an alias" is that of June 2026; whether the vendor still answers it is not known.
  'mailboxes/*/aliases': ['POST'],
  aliases: ['GET', 'POST'],
  'aliases/*': ['GET', 'PATCH', 'DELETE'],
};

const SINGULAR: Record<string, string> = {
  domains: 'domain',
  mailboxes: 'mailbox',
  'batch-create-mailboxes': 'mailbox',
  aliases: 'alias',
};

/** The vendor's stamps: microseconds for changes, whole seconds for periods (recordings of September 2026). */
const micro = (at: number) => new Date(at).toISOString().replace('Z', '000Z');
const whole = (at: number | undefined) =>
  at === undefined ? null : new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
