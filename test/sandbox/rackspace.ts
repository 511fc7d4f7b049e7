import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { startVendor, type Reply, type Seen, type Vendor } from './vendor.js';

/** The published dummy pair of the vendor's wiki, and the account it opens here. */
export const USER_KEY = 'eGbq9/2hcZsRlr1JV1Pi';
export const SECRET_KEY = 'QHOvchm/40czXhJ1OxfxK7jDHr3t';
export const ACCOUNT = '12345678';

/**
 * A pretend Rackspace Email.
 *
 * From the vendor's pages (api-wiki.apps.rackspace.com): paths, methods, the signature, forms and their required
 * fields, texts and statuses of the errors, the documents of mailboxes, domains and the list of customers, paging, the
 * limits of requests, that the rs details go by handling. From clients only: the empty texts of one space, the
 * spellings of spam lists before and after 2020, the Exchange fields of domain settings, patterns with `%` in IP lists,
 * and that settings left out fall back. Guesses: the order of checks, names that are valid, what spam lists take beside
 * addresses, domains and IP addresses (nearly everything here), that 0 is a limit, adding twice, a customer by account
 * number, and the documents of mobile services.
 */
export interface RackspaceOptions {
  /** Requests a minute and user key; unlimited unless given. The wiki says 60 and 30. */
  limits?: { read?: number; write?: number };
  /**
   * Refuses timestamps further away than this, in milliseconds. The vendor's own check is loose or absent, so this is
   * off.
   */
  skewMs?: number;
  /** Reads the wiki literally: an Edit without `emailForwardingAddress` ends the forwarding. */
  editEndsForwarding?: boolean;
  /** Takes an IP address on POST `safelist`, as the wiki's examples print it. */
  looseSafelist?: boolean;
}

type Flat = Record<string, string>;
/**
 * A list in a document: XML wraps each value in an element of this name, JSON prints the values, below that name where
 * `nested`.
 */
interface Items {
  item: string;
  values: unknown[];
  nested?: boolean;
}
type Document = Record<string, unknown>;

/** An answer that is no success; thrown from wherever it is noticed. */
class Refusal extends Error {
  readonly status: number;
  readonly fault: string;
  readonly extra: Document;
  constructor(status: number, message: string, extra: Document = {}, fault = FAULTS[status] ?? 'appsFault') {
    super(message);
    this.status = status;
    this.fault = fault;
    this.extra = extra;
  }
}
const CUSTOMERS = [
  { name: 'Mailroom Hosting', accountNumber: ACCOUNT, referenceNumber: '' },
  { name: 'Sub Account', accountNumber: '87654321', referenceNumber: 'SUB-1' },
];
const FAULTS: Record<number, string> = { 400: 'badRequestFault', 403: 'unauthorizedFault', 404: 'itemNotFoundFault' };

const LISTS = ['blocklist', 'ipblocklist', 'safelist', 'ipsafelist'] as const;
type ListName = (typeof LISTS)[number];
const RENAMED: Record<string, ListName> = { blacklist: 'blocklist', ipblacklist: 'ipblocklist' };
interface Spam {
  lists: Record<ListName, string[]>;
  settings: Document;
}
interface Exchange {
  name: string;
  displayName: string;
  size: number;
  isHidden: boolean;
  isPublicFolderAdmin: boolean;
  enabled: boolean;
  lastLogin: string;
  contact: Flat;
  emailForwardingAddress: string;
  addresses: { address: string; replyTo: boolean }[];
  blackBerry: boolean;
  activeSync: boolean;
  visible: boolean;
  sam: string;
  spam: Spam;
}
interface Rs {
  name: string;
  displayName: string;
  size: number;
  enabled: boolean;
  createdDate: string;
  contact: Flat;
  vacationMessage: string;
  enableVacationMessage: boolean;
  forwarding: string[];
  saveForwardedEmail: boolean;
  inDirectory: boolean;
  inGal: boolean;
  spam: Spam;
}
interface Domain {
  name: string;
  accountNumber: string;
  serviceType: string;
  exchange: Map<string, Exchange>;
  rs: Map<string, Rs>;
  deletedRs: Map<string, Rs>;
  aliases: Map<string, string[]>;
  spam: Spam;
}

const CONTACT = [
  'firstName',
  'lastName',
  'jobTitle',
  'company',
  'department',
  'businessNumber',
  'homeNumber',
  'mobileNumber',
  'faxNumber',
  'pagerNumber',
  'addressLine1',
  'city',
  'state',
  'zip',
  'country',
  'notes',
  'customID',
];
const RS_CONTACT = [
  'lastName',
  'firstName',
  'generationQualifier',
  'initials',
  'organizationUnit',
  ...['business', 'home'].flatMap(where =>
    ['Street', 'City', 'State', 'PostalCode', 'Country'].map(what => where + what),
  ),
  'businessNumber',
  'homeNumber',
  'mobileNumber',
  'faxNumber',
  'homeFaxNumber',
  'pagerNumber',
  'notes',
  'title',
  'userID',
  'organizationalStatus',
  'employeeType',
  'customID',
];

type Kind = 'text' | 'integer' | 'boolean';
const spelled = (names: string[], kind: Kind) => Object.fromEntries(names.map(name => [name, kind]));
const EXCHANGE_FORM: Record<string, Kind> = {
  displayName: 'text',
  password: 'text',
  size: 'integer',
  isHidden: 'boolean',
  isPublicFolderAdmin: 'boolean',
  emailForwardingAddress: 'text',
  enabled: 'boolean',
  visibleInRackspaceEmailCompanyDirectory: 'boolean',
  ...spelled(CONTACT, 'text'),
};
const RS_FORM: Record<string, Kind> = {
  password: 'text',
  size: 'integer',
  displayName: 'text',
  enabled: 'boolean',
  vacationMessage: 'text',
  enableVacationMessage: 'boolean',
  emailForwardingAddresses: 'text',
  saveForwardedEmail: 'boolean',
  visibleInRackspaceEmailCompanyDirectory: 'boolean',
  visibleInExchangeGAL: 'boolean',
  ...spelled(RS_CONTACT, 'text'),
};
const RS_SETTINGS: Record<string, Kind> = {
  filterLevel: 'text',
  'rsEmail.spamHandling': 'text',
  'rsEmail.hasFolderCleaner': 'boolean',
  'rsEmail.spamFolderAgeLimit': 'integer',
  'rsEmail.spamFolderNumLimit': 'integer',
  'rsEmail.spamForwardingAddress': 'text',
};
const DOMAIN_SETTINGS: Record<string, Kind> = {
  ...RS_SETTINGS,
  overrideUserSettings: 'boolean',
  'exchange.forwardToDomainQuarantine': 'text',
  'exchange.quarantineOwner': 'text',
  'exchange.removeQuarantineOwner': 'boolean',
  'exchange.defaultQuarantineOwner': 'text',
  'exchange.removeDefaultQuarantineOwner': 'boolean',
};

const noLists = (): Spam['lists'] => ({ blocklist: [], ipblocklist: [], safelist: [], ipsafelist: [] });
const rsSettings = (): Document => ({
  filterLevel: 'on',
  rsEmailSettings: {
    hasFolderCleaner: true,
    spamFolderAgeLimit: 7,
    spamFolderNumLimit: 250,
    spamForwardingAddress: '',
    spamHandling: 'toFolder',
  },
});
const newExchange = (name: string, place: string, displayName: string, size: number): Exchange => ({
  name,
  displayName,
  size,
  isHidden: false,
  isPublicFolderAdmin: false,
  enabled: true,
  lastLogin: '',
  contact: {},
  emailForwardingAddress: '',
  addresses: [{ address: `${name}@${place}`, replyTo: true }],
  blackBerry: false,
  activeSync: false,
  visible: false,
  sam: `${name}_${createHash('sha1').update(`${name}@${place}`).digest('hex').slice(0, 5).toUpperCase()}`,
  spam: { lists: noLists(), settings: { filterLevel: 'on', sendToDomainQuarantine: false, quarantineOwner: '' } },
});
const newRs = (name: string, displayName: string, size: number): Rs => ({
  name,
  displayName,
  size,
  enabled: true,
  createdDate: '11/23/2020 1:05:09 PM',
  contact: {},
  vacationMessage: '',
  enableVacationMessage: false,
  forwarding: [],
  saveForwardedEmail: false,
  inDirectory: true,
  inGal: false,
  spam: { lists: noLists(), settings: rsSettings() },
});
const newDomain = (name: string, serviceType = 'both', accountNumber = ACCOUNT): Domain => ({
  name,
  accountNumber,
  serviceType,
  exchange: new Map(),
  rs: new Map(),
  deletedRs: new Map(),
  aliases: new Map(),
  spam: {
    lists: noLists(),
    settings: {
      ...rsSettings(),
      exchangeSettings: { forwardToDomainQuarantine: 'off', quarantineOwner: '', defaultQuarantineOwner: null },
    },
  },
});

/** Two lived-in domains, over a hundred empty ones, and more than a hundred of everything that has pages. */
function seed(): Map<string, Domain> {
  const com = newDomain('example.com');
  const net = newDomain('example.net');
  const add = (domain: Domain, name: string, displayName: string) => {
    const made = newExchange(name, domain.name, displayName, 2048);
    domain.exchange.set(name, made);
    return made;
  };
  const alex = add(com, 'alex.smith', 'Alex Smith');
  Object.assign(alex, {
    lastLogin: '2/12/2006 1:00:00 AM',
    contact: { firstName: 'Alex', lastName: 'Smith', homeNumber: '8005551234' },
  });
  alex.spam.lists = {
    blocklist: ['anyone@spam.com', 'junk.example'],
    ipblocklist: ['216.12.34.1'],
    safelist: ['anyone@yahoo.com'],
    ipsafelist: ['198.51.100.7'],
  };
  add(com, 'john.smith', 'John Smith').emailForwardingAddress = 'john@elsewhere.example';
  for (let i = 1; i <= 118; i++) {
    const made = add(com, `user${String(i).padStart(3, '0')}`, `User ${i}`);
    made.blackBerry = i <= 104;
    made.activeSync = i > 10;
    made.enabled = i % 10 !== 0;
  }
  for (let i = 1; i <= 110; i++)
    com.rs.set(`staff${String(i).padStart(3, '0')}`, newRs(`staff${String(i).padStart(3, '0')}`, `Staff ${i}`, 25600));
  com.aliases.set('sales', ['alex.smith@example.com']);
  com.aliases.set('support', ['alex.smith@example.com', 'john.smith@example.com', 'help@elsewhere.example']);
  for (let i = 1; i <= 105; i++)
    com.aliases.set(`list${String(i).padStart(3, '0')}`, [`user${String(i).padStart(3, '0')}@example.com`]);
  com.spam.lists.blocklist.push('@%.junk.example');
  for (let i = 1; i <= 12; i++) add(net, `team${String(i).padStart(2, '0')}`, `Team ${i}`);
  for (let i = 1; i <= 3; i++) net.rs.set(`office${i}`, newRs(`office${i}`, `Office ${i}`, 25600));
  const rest = Array.from({ length: 105 }, (_, i) =>
    newDomain(`tenant${String(i + 1).padStart(3, '0')}.example`, 'rsemail'),
  );
  return new Map(
    [com, net, ...rest, newDomain('subaccount.example', 'exchange', '87654321')].map(domain => [domain.name, domain]),
  );
}

/** Rackspace's api.emailsrvr.com on loopback: `/v0` with its bare faults, `/v1` and `/v2` with fault documents. */
export async function startRackspace(options: RackspaceOptions = {}): Promise<Vendor> {
  const domains = seed();
  const calls: { at: number; read: boolean }[] = [];
  return startVendor({
    id: 'rackspace',
    account: baseUrl => ({ baseUrl, userKey: USER_KEY, secretKey: SECRET_KEY, customer: ACCOUNT }),
    throttled: request => refuse(request, Date.now(), new Refusal(403, 'Exceeded request limits')),
    handle(request, vendor) {
      try {
        return answer(request, vendor.now());
      } catch (error) {
        if (error instanceof Refusal) return refuse(request, vendor.now(), error);
        throw error;
      }
    },
  });

  function answer(request: Seen, now: number): Reply {
    // The vendor's web server, before the API is reached.
    if (request.headers.expect) throw new Refusal(417, 'Expectation Failed');
    if (
      (request.method === 'POST' || request.method === 'PUT') &&
      !request.headers['content-length'] &&
      !request.headers['transfer-encoding']
    )
      throw new Refusal(411, 'Length Required');
    authenticate(request, now);
    throttle(request, now);
    const [version = '', ...rest] = request.segments;
    if (!/^v[012]$/i.test(version)) throw new Refusal(404, 'Not Found');
    const [reply, missing] = route(request, rest);
    // Indexes and mailboxes say 404 for a format they do not know, their older siblings 406.
    if (!format(request)) throw new Refusal(missing, 'Invalid format');
    const [root, body] = reply() ?? [];
    return root === undefined ? { status: 200, headers: SERVER, body: '' } : document(request, 200, root, body!);
  }

  function authenticate(request: Seen, now: number) {
    const denied = new Refusal(403, 'Authentication failed.');
    // Ruby's base64 ends with a line break, which arrives here as trailing space.
    const parts = (request.headers['x-api-signature'] ?? '').trim().split(':');
    if (parts.length !== 3) throw denied;
    const [userKey, timestamp, digest] = parts as [string, string, string];
    if (userKey !== USER_KEY || !/^\d{14,16}$/.test(timestamp)) throw denied;
    const expected = createHash('sha1')
      .update(`${userKey}${request.headers['user-agent'] ?? ''}${timestamp}${SECRET_KEY}`)
      .digest('base64');
    if (digest !== expected) throw denied;
    if (options.skewMs !== undefined) {
      const at = Date.parse(timestamp.slice(0, 14).replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6Z'));
      if (!(Math.abs(now - at) <= options.skewMs)) throw denied;
    }
  }

  /** Counts what is signed correctly, refused or not (wiki, Main Page). */
  function throttle(request: Seen, now: number) {
    const read = request.method === 'GET';
    while (calls.length && calls[0]!.at <= now - 60_000) calls.shift();
    calls.push({ at: now, read });
    const limit = read ? options.limits?.read : options.limits?.write;
    if (limit !== undefined && calls.filter(call => call.read === read).length > limit)
      throw new Refusal(403, 'Exceeded request limits');
  }

  type Action = () => [root: string, body: Document] | undefined;
  /**
   * Finds what is asked for. Fixed segments may be in any case, clients do not agree on one. Nothing happens before the
   * format is known to be good.
   */
  function route(request: Seen, segments: string[]): [Action, missingFormat: number] {
    let customer = 'me';
    let rest = segments;
    if (rest[0]?.toLowerCase() === 'customers') {
      if (rest.length === 1) return [only(request, { GET: () => customers(request) }), 406];
      if (rest.length === 2)
        return [
          only(request, {
            GET: () => customerShow(one => one.accountNumber === (rest[1] === 'me' ? ACCOUNT : rest[1])),
          }),
          406,
        ];
      customer = rest[1]!;
      rest = rest.slice(2);
    }
    if (rest[0]?.toLowerCase() !== 'domains') throw new Refusal(404, 'Not Found');
    const index = rest.length === 1;
    if (![ACCOUNT, 'me', ...(index ? ['all'] : [])].includes(customer.toLowerCase()))
      throw new Refusal(404, 'Invalid account number', { resourceType: 'Customer' });
    if (index) return [only(request, { GET: () => domainIndex(request, customer.toLowerCase() === 'all') }), 406];
    const find = () => domains.get(rest[1]!.toLowerCase()) ?? missing('Domain', `${rest[1]} not found`);
    const owned = () => {
      const found = find();
      return found.accountNumber === ACCOUNT ? found : missing('Domain', `${rest[1]} not found`);
    };
    const [service, kind, name, ...below] = [rest[2]?.toLowerCase(), rest[3]?.toLowerCase(), rest[4], ...rest.slice(5)];
    if (service === undefined) return [only(request, { GET: () => domainShow(owned()) }), 406];
    if (service === 'spam')
      return [
        spamRoute(request, rest.slice(3), () => ({
          spam: owned().spam,
          place: rest[1]!.toLowerCase(),
          kind: 'domain',
        })),
        404,
      ];
    if (service === 'ex') return [exchangeRoute(request, owned, kind, name, below), 404];
    if (service === 'rs' && kind === 'mailboxes') return [rsRoute(request, owned, name, below), 404];
    if (service === 'rs' && kind === 'aliases') return [aliasRoute(request, owned, name, below), 404];
    throw new Refusal(404, 'Not Found');
  }

  function customers(request: Seen): [string, Document] {
    const reference = queryOf(request, 'referenceNumber');
    if (reference !== undefined) return customerShow(one => one.referenceNumber === reference);
    return index(request, 'customerList', 'customers', 'customer', CUSTOMERS, one => [one.name]);
  }
  function customerShow(is: (one: (typeof CUSTOMERS)[number]) => boolean): [string, Document] {
    return ['customer', CUSTOMERS.find(is) ?? missing('Customer', 'Customer Not Found')];
  }

  function domainIndex(request: Seen, all: boolean): [string, Document] {
    const named = queryOf(request, 'domainNames')
      ?.split(',')
      .map(name => name.trim().toLowerCase());
    if (named && named.length > 100) throw new Refusal(400, 'No more than 100 domain names are allowed');
    const shown = [...domains.values()].filter(
      domain => (all || domain.accountNumber === ACCOUNT) && (!named || named.includes(domain.name)),
    );
    return index(
      request,
      'domainList',
      'domains',
      'domain',
      shown.map(domain => ({
        accountNumber: domain.accountNumber,
        exchangeMaxNumMailboxes: 500,
        exchangeUsedStorage: domain.exchange.size,
        name: domain.name,
        rsEmailMaxNumberMailboxes: 500,
        rsEmailUsedStorage: domain.rs.size,
        serviceType: domain.serviceType,
      })),
      one => [one.name],
    );
  }
  function domainShow(domain: Domain): [string, Document] {
    return [
      'domain',
      {
        name: domain.name,
        accountNumber: domain.accountNumber,
        serviceType: domain.serviceType,
        exchange: {
          BaseMailboxSize: 2048,
          UsedStorage: domain.exchange.size,
          TotalStorage: 1_024_000,
          ExtraStorage: 0,
          MaxNumMailboxes: 500,
        },
        rsEmail: { BaseMailboxSize: 25600, MaxNumberMailboxes: 500, ExtraStorage: 0, UsedStorage: domain.rs.size },
        aliases: { item: 'alias', values: [] } satisfies Items,
        archivingServiceEnabled: false,
        publicFoldersEnabled: false,
        blackBerryMobileServiceEnabled: domain.exchange.size > 0,
        blackBerryLicenses: domain.exchange.size ? 500 : null,
        activeSyncMobileServiceEnabled: domain.exchange.size > 0,
        activeSyncLicenses: domain.exchange.size ? 500 : null,
      },
    ];
  }

  function exchangeRoute(
    request: Seen,
    owned: () => Domain,
    kind: string | undefined,
    name: string | undefined,
    below: string[],
  ): Action {
    if (kind === 'blackberrymobileservices' || kind === 'activesyncmobileservices') {
      if (name !== undefined) throw new Refusal(404, 'Not Found');
      const [which, label] = kind.startsWith('b')
        ? ['blackBerry' as const, 'blackberryMobileService']
        : ['activeSync' as const, 'activeSyncMobileService'];
      return only(request, {
        GET: () =>
          index(
            request,
            `${label}List`,
            `${label}s`,
            label,
            [...owned().exchange.values()]
              .filter(one => one[which])
              .map(one => ({ name: one.name, displayName: one.displayName })),
            one => [one.name, one.displayName],
          ),
      });
    }
    if (kind !== 'mailboxes') throw new Refusal(404, 'Not Found');
    if (name === undefined) {
      return only(request, {
        GET: () => {
          const columns = columnsOf(request, [
            'size',
            'currentUsage',
            'hasBlackBerryMobileService',
            'hasActiveSyncMobileService',
          ]);
          const enabled = flagOf(request, 'enabled');
          const shown = [...owned().exchange.values()].filter(one => enabled === undefined || one.enabled === enabled);
          return index(
            request,
            'mailboxList',
            'mailboxes',
            'mailbox',
            shown.map(one => ({
              name: one.name,
              displayName: one.displayName,
              ...columns({
                size: one.size,
                currentUsage: 0,
                hasBlackBerryMobileService: one.blackBerry,
                hasActiveSyncMobileService: one.activeSync,
              }),
            })),
            one => [
              one.name,
              one.displayName,
              domains.get(owned().name)!.exchange.get(one.name)?.contact.customID ?? '',
            ],
          );
        },
      });
    }
    const found = (text?: string) =>
      owned().exchange.get(name.toLowerCase()) ?? missing('Mailbox', text ?? 'Mailbox not found');
    if (below.length === 0) {
      return only(request, {
        GET: () => exchangeShow(found()),
        POST: () => {
          const domain = owned();
          addExchange(domain, name, formOf(request, EXCHANGE_FORM, ['displayName', 'password', 'size'], true));
          return undefined;
        },
        PUT: () => {
          const one = found();
          changeExchange(
            one,
            formOf(request, EXCHANGE_FORM, ['displayName', 'password', 'size'], false),
            options.editEndsForwarding,
          );
          return undefined;
        },
        DELETE: () => {
          owned().exchange.delete(found().name);
          return undefined;
        },
      });
    }
    const part = below[0]!.toLowerCase();
    if (part === 'spam') {
      // Show Spam Setting has a text of its own for a missing mailbox; Edit and the lists share another.
      const show = request.method === 'GET' && below[1]?.toLowerCase() === 'settings';
      return spamRoute(request, below.slice(1), () => {
        const domain = owned();
        return {
          spam: found(show ? undefined : `No user with the email address ${name}@${domain.name} exists`).spam,
          place: domain.name,
          kind: 'exchange',
        };
      });
    }
    if (part === 'emailaddresses' && below.length === 2) {
      const address = below[1]!.toLowerCase();
      return only(request, {
        POST: () => {
          const one = found();
          if (!isEmail(address)) throw new Refusal(400, `invalid email address: ${below[1]}`);
          if (!domains.has(address.split('@')[1]!)) throw missing('Domain', `${address.split('@')[1]} not found`);
          unused(address);
          one.addresses.push({ address, replyTo: false });
          return undefined;
        },
        DELETE: () => {
          const one = found();
          const at = one.addresses.findIndex(known => known.address === address);
          if (at < 0) throw missing('EmailAddress', `${below[1]} not found`);
          if (one.addresses[at]!.replyTo)
            throw new Refusal(400, `The email address ${address} is the reply address of the mailbox`);
          one.addresses.splice(at, 1);
          return undefined;
        },
      });
    }
    if ((part === 'blackberrymobileservice' || part === 'activesyncmobileservice') && below.length === 1) {
      const [which, label] = part.startsWith('b')
        ? ['blackBerry' as const, 'BlackBerry']
        : ['activeSync' as const, 'ActiveSync'];
      return only(request, {
        POST: () => {
          const one = found();
          formOf(
            request,
            which === 'blackBerry' ? { activationPassword: 'text' } : {},
            which === 'blackBerry' ? ['activationPassword'] : [],
            true,
          );
          if (one[which])
            throw new Refusal(400, `User ${one.name}@${owned().name} has ${label} Mobile Service already`);
          one[which] = true;
          return undefined;
        },
        DELETE: () => {
          const one = found();
          if (!one[which]) throw missing('MobileService', `${label} Mobile Service not found`);
          one[which] = false;
          return undefined;
        },
      });
    }
    throw new Refusal(404, 'Not Found');
  }

  function exchangeShow(one: Exchange): [string, Document] {
    return [
      'mailbox',
      {
        name: one.name,
        displayName: one.displayName,
        size: one.size,
        currentUsage: 0,
        isHidden: one.isHidden,
        isPublicFolderAdmin: one.isPublicFolderAdmin,
        enabled: one.enabled,
        lastLogin: one.lastLogin,
        contactInfo: Object.fromEntries(CONTACT.map(name => [name, one.contact[name] ?? null])),
        emailForwardingAddress: one.emailForwardingAddress,
        saveForwardedEmail: false,
        emailAddressList: { item: 'emailAddress', values: one.addresses } satisfies Items,
        hasBlackBerryMobileService: one.blackBerry,
        hasActiveSyncMobileService: one.activeSync,
        samAccountName: one.sam,
        visibleInRackspaceEmailCompanyDirectory: one.visible,
      },
    ];
  }
  function addExchange(domain: Domain, name: string, form: Flat) {
    checkName(name);
    checkExchange(form);
    unused(`${name}@${domain.name}`);
    const made = newExchange(name, domain.name, form.displayName!, Number(form.size));
    changeExchange(made, form);
    domain.exchange.set(name, made);
  }
  function checkExchange(form: Flat) {
    if (form.displayName !== undefined && (form.displayName.length > 256 || /[<>"\\]/.test(form.displayName)))
      throw new Refusal(400, 'Invalid display name');
    checkPassword(form);
    if (form.emailForwardingAddress && !isEmail(form.emailForwardingAddress))
      throw new Refusal(400, `invalid email address: ${form.emailForwardingAddress}`);
  }
  function changeExchange(one: Exchange, form: Flat, endForwarding = false) {
    checkExchange(form);
    if (form.displayName !== undefined) one.displayName = form.displayName;
    if (form.size !== undefined) one.size = Number(form.size);
    for (const name of ['isHidden', 'isPublicFolderAdmin', 'enabled'] as const)
      if (form[name] !== undefined) one[name] = form[name] === 'true';
    if (form.visibleInRackspaceEmailCompanyDirectory !== undefined)
      one.visible = form.visibleInRackspaceEmailCompanyDirectory === 'true';
    if (form.emailForwardingAddress !== undefined || endForwarding)
      one.emailForwardingAddress = form.emailForwardingAddress ?? '';
    for (const name of CONTACT) if (form[name] !== undefined) one.contact[name] = form[name];
  }

  function rsRoute(request: Seen, owned: () => Domain, name: string | undefined, below: string[]): Action {
    if (name === undefined) {
      return only(request, {
        GET: () => {
          const columns = columnsOf(request, ['size', 'currentUsage', 'enabled', 'createdDate', 'lastLogin']);
          const enabled = flagOf(request, 'enabled');
          const shown = [...owned().rs.values()].filter(one => enabled === undefined || one.enabled === enabled);
          return index(
            request,
            'rsMailboxList',
            'rsMailboxes',
            'rsMailbox',
            shown.map(one => ({
              name: one.name,
              displayName: one.displayName,
              ...columns({
                size: one.size,
                currentUsage: 0,
                enabled: one.enabled,
                createdDate: one.createdDate,
                lastLogin: '',
              }),
            })),
            one => [one.name, one.displayName],
          );
        },
      });
    }
    const found = () => {
      const domain = owned();
      const key = name.toLowerCase();
      return (
        domain.rs.get(key) ??
        missing(
          'Mailbox',
          'Mailbox not found',
          domain.deletedRs.has(key) ? { additionalData: { isRecoverable: true } } : {},
        )
      );
    };
    if (below.length === 0) {
      return only(request, {
        GET: () => rsShow(found()),
        POST: () => {
          const domain = owned();
          const form = formOf(request, { ...RS_FORM, recoverDeleted: 'boolean' }, ['password', 'size'], true);
          checkName(name);
          checkRs(form);
          unused(`${name}@${domain.name}`);
          const old = domain.deletedRs.get(name);
          if (form.recoverDeleted === 'true' && !old) throw new Refusal(400, 'Mailbox cannot be recovered');
          const made = form.recoverDeleted === 'true' ? old! : newRs(name, form.displayName ?? name, Number(form.size));
          changeRs(made, form);
          domain.deletedRs.delete(name);
          domain.rs.set(name, made);
          return undefined;
        },
        PUT: () => {
          const domain = owned();
          const one = found();
          const form = formOf(request, { ...RS_FORM, name: 'text' }, ['password', 'size', 'name'], false);
          checkRs(form);
          if (form.name !== undefined && form.name !== one.name) {
            checkName(form.name);
            unused(`${form.name}@${domain.name}`);
            domain.rs.delete(one.name);
            one.name = form.name;
            domain.rs.set(one.name, one);
          }
          changeRs(one, form);
          return undefined;
        },
        DELETE: () => {
          const domain = owned();
          const one = found();
          domain.rs.delete(one.name);
          domain.deletedRs.set(one.name, one);
          return undefined;
        },
      });
    }
    if (below[0]!.toLowerCase() !== 'spam') throw new Refusal(404, 'Not Found');
    const show = request.method === 'GET' && below[1]?.toLowerCase() === 'settings';
    return spamRoute(request, below.slice(1), () => {
      const domain = owned();
      const one = domain.rs.get(name.toLowerCase());
      return {
        spam:
          one?.spam ??
          missing(
            'Mailbox',
            show ? 'Mailbox not found' : `No user with the email address ${name}@${domain.name} exists`,
          ),
        place: domain.name,
        kind: 'rs',
      };
    });
  }
  function checkRs(form: Flat) {
    checkPassword(form);
    for (const address of parted(form.emailForwardingAddresses))
      if (!isEmail(address)) throw new Refusal(400, `invalid email address: ${address}`);
  }
  function changeRs(one: Rs, form: Flat) {
    if (form.displayName !== undefined) one.displayName = form.displayName;
    if (form.size !== undefined) one.size = Number(form.size);
    if (form.vacationMessage !== undefined) one.vacationMessage = form.vacationMessage;
    for (const name of ['enabled', 'enableVacationMessage', 'saveForwardedEmail'] as const)
      if (form[name] !== undefined) one[name] = form[name] === 'true';
    if (form.visibleInRackspaceEmailCompanyDirectory !== undefined)
      one.inDirectory = form.visibleInRackspaceEmailCompanyDirectory === 'true';
    if (form.visibleInExchangeGAL !== undefined) one.inGal = form.visibleInExchangeGAL === 'true';
    if (form.emailForwardingAddresses !== undefined) one.forwarding = parted(form.emailForwardingAddresses);
    for (const name of RS_CONTACT) if (form[name] !== undefined) one.contact[name] = form[name];
  }
  function rsShow(one: Rs): [string, Document] {
    return [
      'rsMailbox',
      {
        name: one.name,
        displayName: one.displayName,
        size: one.size,
        currentUsage: 0,
        vacationMessage: one.vacationMessage,
        enableVacationMessage: one.enableVacationMessage,
        emailForwardingAddressList: { item: 'emailAddress', values: one.forwarding } satisfies Items,
        saveForwardedEmail: one.saveForwardedEmail,
        lastLogin: '',
        createdDate: one.createdDate,
        visibleInRackspaceEmailCompanyDirectory: one.inDirectory,
        visibleInExchangeGAL: one.inGal,
        contactInfo: Object.fromEntries(RS_CONTACT.map(name => [name, one.contact[name] ?? null])),
        enabled: one.enabled,
      },
    ];
  }

  function aliasRoute(request: Seen, owned: () => Domain, name: string | undefined, below: string[]): Action {
    if (name === undefined) {
      return only(request, {
        GET: () =>
          index(
            request,
            'aliasList',
            'aliases',
            'alias',
            [...owned().aliases].map(([alias, members]) => ({
              name: alias,
              numberOfMembers: members.length,
              singleMemberName: members.length === 1 ? members[0] : null,
            })),
            one => [one.name],
          ),
      });
    }
    const alias = name.toLowerCase();
    const found = () => owned().aliases.get(alias) ?? missing('Alias', 'Alias not found');
    if (below.length === 0) {
      return only(request, {
        GET: () => [
          'rsAliasInfo',
          { name: alias, emailAddressList: { item: 'emailAddress', values: found(), nested: true } satisfies Items },
        ],
        POST: () => {
          const domain = owned();
          const { aliasEmails } = formOf(request, { aliasEmails: 'text' }, ['aliasEmails'], true);
          checkName(name);
          const members = checkMembers(parted(aliasEmails));
          unused(`${alias}@${domain.name}`);
          domain.aliases.set(alias, members);
          return undefined;
        },
        PUT: () => {
          found();
          const { aliasEmails } = formOf(request, { aliasEmails: 'text' }, ['aliasEmails'], true);
          owned().aliases.set(alias, checkMembers(parted(aliasEmails)));
          return undefined;
        },
        DELETE: () => {
          found();
          owned().aliases.delete(alias);
          return undefined;
        },
      });
    }
    if (below.length !== 1) throw new Refusal(404, 'Not Found');
    const member = below[0]!.toLowerCase();
    return only(request, {
      POST: () => {
        const members = found();
        if (!members.includes(member)) owned().aliases.set(alias, checkMembers([...members, member]));
        return undefined;
      },
      DELETE: () => {
        const members = found();
        if (!members.includes(member))
          throw new Refusal(400, `Email address ${member} does not exist in alias ${alias}.`);
        owned().aliases.set(alias, checkMembers(members.filter(one => one !== member)));
        return undefined;
      },
    });
  }
  function checkMembers(members: string[]): string[] {
    const wrong = members.filter(member => !isEmail(member) || (domains.has(member.split('@')[1]!) && !taken(member)));
    if (members.length === 0 || wrong.length) {
      throw new Refusal(
        400,
        `An alias must point to a valid email address.${wrong.length ? ` The following email addresses do not exist: ${wrong.join(', ')}` : ''}`,
      );
    }
    const outside = members.filter(member => !domains.has(member.split('@')[1]!)).length;
    if (outside > 4) throw new Refusal(400, 'Max number of non-local email recipients reached.');
    if (members.length - outside > 50) throw new Refusal(400, 'Max number of local email recipients reached.');
    return members;
  }

  type Owner = () => { spam: Spam; place: string; kind: 'exchange' | 'rs' | 'domain' };
  function spamRoute(request: Seen, [what = '', value, ...more]: string[], owner: Owner): Action {
    const printed = what.toLowerCase();
    if (more.length) throw new Refusal(404, 'Not Found');
    if (printed === 'settings' && value === undefined) {
      return only(request, {
        GET: () => showSettings(owner()),
        PUT: () => {
          putSettings(request, owner());
          return undefined;
        },
      });
    }
    const name = RENAMED[printed] ?? LISTS.find(list => list === printed);
    if (!name) throw new Refusal(404, 'Not Found');
    const ip = name.startsWith('ip');
    const blocked = name.endsWith('blocklist');
    // The old texts and the new ones: whichever name was used is the one that is printed, without its `ip`.
    const shown = printed.replace(/^ip/, '');
    const check = (spam: Spam, one: string, place: string, adding: boolean) => {
      // What is on a list can be taken off it, whatever the rules for adding are.
      if (!adding && spam.lists[name].includes(one)) return;
      // Which patterns an IP list takes is a guess; the page names addresses only, clients send `2.3.4.%`.
      if (
        ip
          ? !/^[\da-f:.%/ -]*[.:][\da-f:.%/ -]*$/i.test(one)
          : !isSender(one) && !(options.looseSafelist && adding && name === 'safelist' && isIP(one) === 4)
      ) {
        throw new Refusal(400, ip ? `invalid ip address: ${one}` : `invalid email address: ${one}`);
      }
      if (adding && blocked && one.toLowerCase() === place)
        throw new Refusal(400, `Adding ${place} would blacklist the current domain`);
    };
    const take = (spam: Spam, one: string) => {
      const at = spam.lists[name].indexOf(one);
      if (at < 0) throw new Refusal(400, `${one} is not found on the ${shown}`);
      spam.lists[name].splice(at, 1);
    };
    const put = (spam: Spam, one: string) => {
      if (!spam.lists[name].includes(one)) spam.lists[name].push(one);
    };
    if (value === undefined) {
      const root = {
        blocklist: 'blocklist',
        blacklist: 'blacklist',
        ipblocklist: 'ipBlocklist',
        ipblacklist: 'ipBlacklist',
        safelist: 'safelist',
        ipsafelist: 'ipSafelist',
      }[printed]!;
      return only(request, {
        GET: () => [root, { addresses: { item: 'address', values: [...owner().spam.lists[name]] } satisfies Items }],
        PUT: () => {
          const { spam, place } = owner();
          const form = formOf(request, { addList: 'text', removeList: 'text' }, [], false);
          const adds = parted(form.addList);
          const removes = parted(form.removeList);
          for (const one of adds) check(spam, one, place, true);
          for (const one of removes) {
            check(spam, one, place, false);
            if (!spam.lists[name].includes(one)) throw new Refusal(400, `${one} is not found on the ${shown}`);
          }
          for (const one of adds) put(spam, one);
          for (const one of removes) take(spam, one);
          return undefined;
        },
      });
    }
    return only(request, {
      POST: () => {
        const { spam, place } = owner();
        check(spam, value, place, true);
        put(spam, value);
        return undefined;
      },
      DELETE: () => {
        const { spam, place } = owner();
        check(spam, value, place, false);
        take(spam, value);
        return undefined;
      },
    });
  }
  function showSettings({ spam, kind }: ReturnType<Owner>): [string, Document] {
    return [
      { exchange: 'MailboxSpamSettings', rs: 'rsMailboxSpamSetting', domain: 'domainSpamSettings' }[kind],
      spam.settings,
    ];
  }
  function putSettings(request: Seen, { spam, kind }: ReturnType<Owner>) {
    const settings = spam.settings;
    if (kind === 'exchange') {
      const form = formOf(
        request,
        {
          filterlevel: 'text',
          sendtodomainquarantine: 'boolean',
          quarantineowner: 'text',
          removeQuarantineOwner: 'boolean',
        },
        ['filterlevel'],
        true,
        false,
      );
      checkLevel(form.filterlevel!);
      if (form.quarantineowner && !isEmail(form.quarantineowner))
        throw new Refusal(400, `invalid email address: ${form.quarantineowner}`);
      settings.filterLevel = form.filterlevel;
      // "off" forces false; "on" and "exclusive" default to the quarantine of the mailbox unless told otherwise.
      settings.sendToDomainQuarantine = form.filterlevel !== 'off' && form.sendtodomainquarantine === 'true';
      if (form.quarantineowner !== undefined) settings.quarantineOwner = form.quarantineowner;
      if (form.removeQuarantineOwner === 'true') settings.quarantineOwner = '';
      return;
    }
    const form = formOf(request, kind === 'rs' ? RS_SETTINGS : DOMAIN_SETTINGS, ['filterLevel'], true, false);
    checkLevel(form.filterLevel!);
    const rs = settings.rsEmailSettings as Document;
    const way = form['rsEmail.spamHandling'] ?? rs.spamHandling;
    if (!['toFolder', 'delete', 'labelSubject', 'toAddress'].includes(String(way)))
      throw new Refusal(400, 'Invalid rsEmail.spamHandling, input must be: toFolder/delete/labelSubject/toAddress');
    const folder = ['rsEmail.hasFolderCleaner', 'rsEmail.spamFolderAgeLimit', 'rsEmail.spamFolderNumLimit'];
    const to = 'rsEmail.spamForwardingAddress';
    const stray = [...(way === 'toFolder' ? [] : folder), ...(way === 'toAddress' ? [] : [to])].find(
      name => form[name] !== undefined,
    );
    if (stray) throw new Refusal(400, `${stray} is not valid with spam handling ${String(way)}`);
    if (way === 'toAddress' && !isEmail(form[to] ?? ''))
      throw new Refusal(
        400,
        form[to] === undefined ? `Missing required field: ${to}` : `invalid email address: ${form[to]}`,
      );
    const quarantine = form['exchange.forwardToDomainQuarantine'];
    if (quarantine !== undefined && !['on', 'off', 'nonuser'].includes(quarantine))
      throw new Refusal(400, 'Invalid exchange.forwardToDomainQuarantine, input must be: on/off/nonuser');
    settings.filterLevel = form.filterLevel;
    // What is left out falls back, as clients have seen it happen.
    settings.rsEmailSettings = {
      hasFolderCleaner: form[folder[0]!] === 'true',
      spamFolderAgeLimit: Number(form[folder[1]!] ?? 7),
      spamFolderNumLimit: Number(form[folder[2]!] ?? 250),
      spamForwardingAddress: form[to] ?? '',
      spamHandling: way,
    };
    if (kind !== 'domain') return;
    const exchange = settings.exchangeSettings as Document;
    settings.exchangeSettings = {
      forwardToDomainQuarantine: quarantine ?? 'off',
      quarantineOwner:
        form['exchange.removeQuarantineOwner'] === 'true'
          ? ''
          : (form['exchange.quarantineOwner'] ?? exchange.quarantineOwner),
      defaultQuarantineOwner:
        form['exchange.removeDefaultQuarantineOwner'] === 'true'
          ? null
          : (form['exchange.defaultQuarantineOwner'] ?? exchange.defaultQuarantineOwner),
    };
  }

  function taken(address: string): boolean {
    const [name, place] = [address.slice(0, address.lastIndexOf('@')), address.slice(address.lastIndexOf('@') + 1)];
    const domain = domains.get(place);
    return (
      (!!domain && (domain.rs.has(name) || domain.aliases.has(name))) ||
      [...domains.values()].some(one =>
        [...one.exchange.values()].some(box => box.addresses.some(known => known.address === address)),
      )
    );
  }
  function unused(address: string) {
    if (taken(address.toLowerCase())) throw new Refusal(400, `The email address ${address} is already in use`);
  }
}

const missing = (resourceType: string, message: string, extra: Document = {}): never => {
  throw new Refusal(404, message, { resourceType, ...extra });
};
const checkName = (name: string) => {
  if (!/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/.test(name)) throw new Refusal(400, 'Invalid user name');
};
const checkPassword = (form: Flat) => {
  if (form.password !== undefined && form.password.length < 8)
    throw new Refusal(400, 'Password must be at least 8 characters long');
};
const checkLevel = (level: string) => {
  if (!['on', 'off', 'exclusive'].includes(level))
    throw new Refusal(400, 'Invalid filterLevel, input must be: on/off/exclusive');
};
const isEmail = (text: string) => /^[^\s@,;]+@(?:[a-z0-9-]+\.)+[a-z0-9-]+$/i.test(text);
/** An address or a domain, with `%` for anything; dotted numbers are neither. */
/** An address, a domain, or a part of one after `@`; which patterns are taken is a guess. */
const isSender = (text: string) => !isIP(text) && /^(?:[^\s@,;]*@[^\s@,;]+|[^\s@,;]*[.%][^\s@,;]*)$/.test(text);
const parted = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');

/** The method's action, or 405 with those there are. */
function only<T>(request: Seen, actions: Record<string, T>): T {
  const action = actions[request.method];
  if (!action) throw new Refusal(405, `The requested resource does not support http method '${request.method}'.`);
  return action;
}

/** Query keys are read in any case; those that are not known are ignored. */
function queryOf(request: Seen, name: string): string | undefined {
  for (const [key, value] of request.query) if (key.toLowerCase() === name.toLowerCase()) return value;
  return undefined;
}
function countOf(request: Seen, name: string, fallback: number, least: number): number {
  const value = queryOf(request, name);
  if (value === undefined) return fallback;
  if (!/^\d{1,9}$/.test(value) || Number(value) < least)
    throw new Refusal(400, `Invalid format for ${name}, input must be an integer`);
  return Number(value);
}
function flagOf(request: Seen, name: string): boolean | undefined {
  const value = queryOf(request, name);
  if (value === undefined) return undefined;
  if (!/^(true|false)$/i.test(value)) throw new Refusal(400, `Invalid format for ${name}, input must be True or False`);
  return value.toLowerCase() === 'true';
}
function columnsOf(request: Seen, known: string[]): (values: Document) => Document {
  const asked = parted(queryOf(request, 'fields'));
  const odd = asked.find(name => !known.includes(name));
  if (odd) throw new Refusal(400, `Unrecognized field: ${odd}`);
  return values => Object.fromEntries(Object.entries(values).filter(([name]) => asked.includes(name)));
}

/** One page of an index: sorted by name, 50 unless asked, never more than 250; past the end it is empty. */
function index<T extends Document>(
  request: Seen,
  root: string,
  plural: string,
  item: string,
  all: T[],
  searched: (one: T) => unknown[],
): [string, Document] {
  const size = Math.min(250, countOf(request, 'size', 50, 1));
  const offset = countOf(request, 'offset', 0, 0);
  const start = queryOf(request, 'startswith')?.toLowerCase();
  const part = queryOf(request, 'contains')?.toLowerCase();
  if (start !== undefined && part !== undefined)
    throw new Refusal(400, 'startswith and contains cannot be used together');
  const fits = (text: string) =>
    (start === undefined || (start === '0-9' ? /^\d/.test(text) : text.startsWith(start))) &&
    (part === undefined || text.includes(part));
  const found = all
    .filter(one => searched(one).some(text => fits(String(text).toLowerCase())))
    .sort((a, b) => (String(a.name) < String(b.name) ? -1 : 1));
  return [
    root,
    {
      offset,
      size,
      total: found.length,
      [plural]: { item, values: found.slice(offset, offset + size) } satisfies Items,
    },
  ];
}

/** Where 0 is a value, and means no limit: the vendor's own sample prints it. */
const LIMITS = new Set(['rsEmail.spamFolderAgeLimit', 'rsEmail.spamFolderNumLimit']);
/**
 * The form, as URL-encoded text or a flat JSON object, checked in the vendor's order: unknown, missing, empty, type.
 * Names are given back as declared.
 */
function formOf(request: Seen, known: Record<string, Kind>, required: string[], add: boolean, capitals = true): Flat {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  const sent: [string, string][] = [];
  if (request.body.length) {
    if (type === 'application/x-www-form-urlencoded') sent.push(...new URLSearchParams(request.body.toString('utf8')));
    else if (type === 'application/json') {
      let parsed: unknown;
      try {
        parsed = JSON.parse(request.body.toString('utf8'));
      } catch {
        throw new Refusal(400, 'Invalid JSON');
      }
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
        throw new Refusal(400, 'Invalid JSON');
      for (const [name, value] of Object.entries(parsed)) {
        if (typeof value === 'object' && value !== null) throw new Refusal(400, `Invalid format for ${name}`);
        sent.push([name, value === null ? '' : String(value)]);
      }
    } else throw new Refusal(415, 'Unsupported Media Type');
  }
  const form: Flat = {};
  for (const [name, value] of sent) {
    const declared = Object.keys(known).find(one => one.toLowerCase() === name.toLowerCase());
    if (!declared) throw new Refusal(400, `Unrecognized field: ${name}`);
    form[declared] = value;
  }
  if (add)
    for (const name of required)
      if (form[name] === undefined) throw new Refusal(400, `Missing required field: ${name}`);
  for (const name of required)
    if (form[name] !== undefined && form[name].trim() === '')
      throw new Refusal(400, `Required field ${name} cannot be empty`);
  for (const [name, value] of Object.entries(form)) {
    if (known[name] === 'integer' && !(LIMITS.has(name) ? /^\d{1,9}$/ : /^0*[1-9]\d{0,8}$/).test(value))
      throw new Refusal(400, `Invalid format for ${name}, input must be an integer`);
    if (known[name] === 'boolean') {
      // Mailboxes print the field with a capital and "True or False", spam settings neither.
      if (!/^(true|false)$/i.test(value)) {
        throw new Refusal(
          400,
          capitals
            ? `Invalid format for ${name[0]!.toUpperCase()}${name.slice(1)}, input must be True or False`
            : `Invalid format for ${name}, input must be true or false`,
        );
      }
      form[name] = value.toLowerCase();
    }
  }
  return form;
}

const SERVER = { 'Cache-Control': 'private', Server: 'Microsoft-IIS/7.0' };
/** XML where nothing or everything is accepted: the vendor does not say. Undefined: not a format it knows. */
function format(request: Seen): 'xml' | 'json' | undefined {
  const accepted = (request.headers.accept ?? '*/*').split(',').map(part => part.split(';')[0]!.trim().toLowerCase());
  for (const one of accepted) {
    if (one === 'application/json') return 'json';
    if (one === 'text/xml' || one === '*/*') return 'xml';
  }
  return undefined;
}
function document(
  request: Seen,
  status: number,
  root: string,
  body: Document,
  headers: Record<string, string> = {},
): Reply {
  if (format(request) === 'json') {
    return {
      status,
      headers: { ...SERVER, ...headers, 'Content-Type': 'application/json; charset=utf-8' },
      body: JSON.stringify(jsonOf(status === 200 ? body : { [root]: body })).replaceAll('/', '\\/'),
    };
  }
  const namespace =
    {
      MailboxSpamSettings: 'MailboxSpamSettings',
      rsMailboxSpamSetting: 'RSMailboxSpamSetting',
      domainSpamSettings: 'DomainSpamSettings',
    }[root] ?? root;
  return {
    status,
    headers: { ...SERVER, ...headers, 'Content-Type': 'text/xml; charset=utf-8' },
    body:
      `<?xml version="1.0" encoding="utf-8"?>\n<${root} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns="urn:xml:${namespace}">\n` +
      `${inner(body, 1)}</${root}>`,
  };
}
/** v0: the words in a header above an empty body. Later: the same header, and a fault document. */
function refuse(request: Seen, now: number, { status, message, fault, extra }: Refusal): Reply {
  const headers = { ...SERVER, 'x-error-message': message };
  if (request.segments[0]?.toLowerCase() === 'v0' || status === 411 || status === 417)
    return { status, headers, body: '' };
  return document(request, status, fault, { message, details: usTime(now), code: status, ...extra }, headers);
}

const isItems = (value: unknown): value is Items =>
  typeof value === 'object' && value !== null && Array.isArray((value as Items).values) && 'item' in value;
function jsonOf(value: unknown): unknown {
  if (isItems(value)) {
    const values = value.values.map(jsonOf);
    return value.nested ? { [value.item]: values } : values;
  }
  if (Array.isArray(value)) return value.map(jsonOf);
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, jsonOf(one)]))
    : value;
}
function inner(body: Document, depth: number): string {
  return Object.entries(body)
    .map(([name, value]) => element(name, value, depth))
    .join('');
}
function element(name: string, value: unknown, depth: number): string {
  const indent = '  '.repeat(depth);
  const content = isItems(value)
    ? value.values.map(one => element(value.item, one, depth + 1)).join('')
    : typeof value === 'object' && value !== null
      ? inner(value as Document, depth + 1)
      : undefined;
  if (content !== undefined)
    return content ? `${indent}<${name}>\n${content}${indent}</${name}>\n` : `${indent}<${name} />\n`;
  return value === null || value === undefined || value === ''
    ? `${indent}<${name} />\n`
    : `${indent}<${name}>${escaped(String(value))}</${name}>\n`;
}
const escaped = (text: string) => text.replace(/[&<>]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]!);
/** `2/12/2006 1:00:00 AM`: the vendor's times are in US form and name no zone. */
function usTime(ms: number): string {
  const at = new Date(ms);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${at.getUTCMonth() + 1}/${at.getUTCDate()}/${at.getUTCFullYear()} ${at.getUTCHours() % 12 || 12}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} ${at.getUTCHours() < 12 ? 'AM' : 'PM'}`;
}
