import { createHash } from 'node:crypto';
import { startVendor, type Reply, type Seen, type Vendor } from './vendor.js';

/**
 * A pretend Sodium.
 *
 * From the vendor's pages: paths, methods, parameters, the statuses 400, 401 and 404, offset and limit, what needs
 * readEnabled or sendEnabled. Seen in a public client: the envelope of lists, and that errors carry a `message`.
 * Guesses: nearly every success body and its status, the names of members in keys, links, attachments and passwords,
 * 403, limits above 50, what unknown ids among known ones do, and that folders can be listed. Where the vendor is
 * silent the choice is said at the line.
 *
 * Answers with and without the /api prefix. A request may ask for the other generation of documents with the header
 * `x-sandbox-generation: B`, and for problem-details with `x-sandbox-errors: problem`. The folders of the later
 * documents can be listed in both unless `folders` is false.
 */
export interface SodiumOptions {
  generation?: 'A' | 'B';
  errors?: 'message' | 'problem';
  folders?: boolean;
}

type Row = Record<string, unknown>;
interface Person {
  email: string;
  name?: string;
}
interface Attachment {
  attachmentId: string;
  fileName: string;
  contentType: string;
  contentId: string | null;
  isInline: boolean;
  bytes: Buffer;
}
interface Mail {
  uniqueId: string;
  configCode: string;
  conversationId: string;
  direction: 'Inbound' | 'Outbound';
  subject: string;
  from: Person;
  to: Person[];
  cc: Person[];
  htmlBody: string | null;
  plainTextBody: string | null;
  at: number;
  isRead: boolean;
  importance: string;
  attachments: Attachment[];
  folder: string;
}
interface Config {
  code: string;
  tenant: string;
  owner: string;
  fromEmail: string;
  fromName: string | null;
  isDefault: boolean;
  isShared: boolean;
  sendEnabled: boolean;
  readEnabled: boolean;
  status: string;
  providerType: string;
  smtpSettings: Row | null;
  createdAt: number;
  updatedAt: number;
  authorisationUrl: string | null;
  returnUrl: string | null;
  signature: string | null;
}
/** A mail that left: through which configuration (none: the platform's own address), and everything it carried. */
export interface SentMail {
  configCode: string | null;
  from: string;
  subject: string;
  to: Person[];
  cc: Person[];
  bcc: Person[];
  htmlBody?: string;
  plainTextBody?: string;
  attachments: { fileName: string; contentType: string; bytes: Buffer }[];
  inReplyTo?: string;
}
interface Key {
  id: string;
  user: string;
  name: string;
  expiryDate: string | null;
  secret: string;
  createdDate: string;
}
interface State {
  options: Required<SodiumOptions>;
  configs: Config[];
  mails: Mail[];
  links: Map<string, Set<string>>;
  tasks: { tenant: string; code: string; name: string; clientCode: string; status: string }[];
  keys: Key[];
  pending: { code: string; due: number; synced: number }[];
  sent: SentMail[];
  made: number;
}

export const TENANT = 'ACME';
export const SECOND_TENANT = 'BETA';
export const HIDDEN_TENANT = 'ZETA';
const TENANTS: Record<string, { name: string; users: string[] }> = {
  ACME: { name: 'Acme Accounting', users: ['u-ann', 'u-bob'] },
  BETA: { name: 'Beta Books', users: ['u-ann'] },
  ZETA: { name: 'Zeta Tax', users: ['u-zoe'] },
};
const USERS: Record<string, string> = { 'u-ann': 'Ann Archer', 'u-bob': 'Bob Baker', 'u-zoe': 'Zoe Zimmer' };
export const KEY = 'sodium-sandbox-ann-5f2c7b1e9a';
export const OTHER_KEY = 'sodium-sandbox-bob-81d40c6e2f';

/** A GUID that is the same in every run. */
export const guid = (name: string): string =>
  createHash('sha1')
    .update(name)
    .digest('hex')
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');
export const GOOGLE = guid('google');
export const MICROSOFT = guid('microsoft');
export const SEND_ONLY = guid('send-only');
export const SMTP = guid('smtp');
export const EXPIRED = guid('expired');
export const PRIVATE = guid('private');

const GUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const EMAIL = /^[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+$/;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SYNC_TIME = 2000;
export const LARGE_FILE = 5 * 1024 * 1024;

const states = new WeakMap<Vendor, State>();
const stateOf = (vendor: Vendor): State => states.get(vendor)!;
/** All mail that left, oldest first. */
export const sentBy = (vendor: Vendor): SentMail[] => stateOf(vendor).sent;

/**
 * Starts a freshly seeded Sodium: tenants, over two pages of configurations, tasks, messages and conversations, and
 * keys of two users.
 */
export async function startSodium(options: SodiumOptions = {}): Promise<Vendor> {
  const vendor = await startVendor({
    id: 'sodium',
    account: url => ({ baseUrl: url, apiKey: KEY, tenant: TENANT }),
    handle: (request, self) => answer(request, self),
    controls: {
      mail: {
        fields: ['configCode', 'subject', 'from', 'conversationId', 'direction'],
        act: (mail, self) => deliver(self, mail),
      },
    },
    // Not documented; for the resilience of clients only.
    throttled: () => ({
      status: 429,
      headers: { 'retry-after': '2' },
      body: { message: 'Too many requests. Try again later.', statusCode: 429 },
    }),
  });
  states.set(
    vendor,
    seed(vendor.now(), {
      generation: options.generation ?? 'A',
      errors: options.errors ?? 'message',
      folders: options.folders ?? true,
    }),
  );
  return vendor;
}

/** One more message comes in. Returns its uniqueId. */
export function deliver(
  vendor: Vendor,
  mail: {
    configCode?: string;
    at?: number;
    subject?: string;
    from?: Person;
    conversationId?: string;
    direction?: 'Inbound' | 'Outbound';
    files?: boolean;
  } = {},
): string {
  const state = stateOf(vendor);
  return add(state, {
    configCode: mail.configCode ?? GOOGLE,
    at: mail.at ?? vendor.now(),
    subject: mail.subject ?? `News ${state.made + 1}`,
    from: mail.from ?? { email: 'jo@client.test', name: 'Jo Client' },
    ...(mail.conversationId ? { conversationId: mail.conversationId } : {}),
    ...(mail.direction ? { direction: mail.direction } : {}),
    ...(mail.files ? { attachments: files() } : {}),
  }).uniqueId;
}
/** A message disappears, as after a deletion at the mail provider. */
export function remove(vendor: Vendor, uniqueId: string): void {
  const state = stateOf(vendor);
  state.mails = state.mails.filter(mail => mail.uniqueId !== uniqueId);
}
/** The authorisation of a configuration is lost (`OAuthExpired`) or found again (`Active`). */
export function authorise(vendor: Vendor, code: string, status: 'Active' | 'OAuthExpired'): void {
  configOf(stateOf(vendor), code)!.status = status;
}

const configOf = (state: State, code: string) => state.configs.find(config => config.code === code);

function seed(now: number, options: Required<SodiumOptions>): State {
  const state: State = {
    options,
    configs: [],
    mails: [],
    links: new Map(),
    tasks: [],
    keys: [],
    pending: [],
    sent: [],
    made: 0,
  };
  const config = (code: string, fromEmail: string, more: Partial<Config>) =>
    state.configs.push({
      code,
      tenant: TENANT,
      owner: 'u-ann',
      fromEmail,
      fromName: null,
      isDefault: false,
      isShared: true,
      sendEnabled: true,
      readEnabled: false,
      status: 'Active',
      providerType: 'Smtp',
      smtpSettings: null,
      createdAt: now - 90 * 24 * HOUR + state.configs.length * MINUTE,
      updatedAt: now - 30 * 24 * HOUR,
      authorisationUrl: null,
      returnUrl: null,
      signature: null,
      ...more,
    });
  const smtpSettings = {
    host: 'smtp.acme.test',
    port: 587,
    encryption: 'StartTls',
    requiresAuthentication: true,
    username: 'office',
  };
  config(GOOGLE, 'ann@acme.test', { providerType: 'Google', readEnabled: true, fromName: 'Ann Archer' });
  config(MICROSOFT, 'info@acme.test', {
    providerType: 'Microsoft365',
    readEnabled: true,
    fromName: 'Acme Accounting',
    owner: 'u-bob',
  });
  config(SEND_ONLY, 'noreply@acme.test', { providerType: 'Microsoft365' });
  config(SMTP, 'office@acme.test', { isDefault: true, smtpSettings });
  config(EXPIRED, 'old@acme.test', { providerType: 'Microsoft365', readEnabled: true, status: 'OAuthExpired' });
  config(PRIVATE, 'bob@acme.test', { providerType: 'Google', readEnabled: true, isShared: false, owner: 'u-bob' });
  for (let i = 1; i <= 54; i++)
    config(guid(`branch-${i}`), `branch${i}@acme.test`, { smtpSettings: { ...smtpSettings, username: `branch${i}` } });
  for (let i = 1; i <= 60; i++)
    state.tasks.push({
      tenant: TENANT,
      code: `T${i}`,
      name: `VAT return ${i}`,
      clientCode: i % 2 ? 'CLI-1' : 'CLI-2',
      status: i % 3 ? 'Open' : 'Done',
    });
  state.tasks.push({ tenant: SECOND_TENANT, code: 'B1', name: 'Payroll', clientCode: 'CLI-9', status: 'Open' });
  // 70 threads of a received message and its answer in the two good mailboxes, newest an hour ago.
  for (let i = 1; i <= 70; i++) {
    const code = i % 2 ? GOOGLE : MICROSOFT;
    const at = now - HOUR - (70 - i) * 3 * HOUR;
    const conversationId = threadOf(code, i);
    const from = { email: `jo${i % 7}@client${i % 3}.test`, name: `Jo Client ${i % 7}` };
    add(state, {
      configCode: code,
      at: at - 30 * MINUTE,
      subject: `VAT return ${i}`,
      from,
      conversationId,
      isRead: i % 4 !== 0,
      ...(i === 69 ? { attachments: files() } : {}),
    });
    add(state, {
      configCode: code,
      at,
      subject: `Re: VAT return ${i}`,
      direction: 'Outbound',
      from: { email: configOf(state, code)!.fromEmail },
      to: [from],
      conversationId,
      isRead: true,
    });
  }
  for (let i = 1; i <= 3; i++)
    add(state, {
      configCode: EXPIRED,
      at: now - 20 * 24 * HOUR - i * HOUR,
      subject: `Before it expired ${i}`,
      ...(i === 1 ? { attachments: files() } : {}),
    });
  for (let i = 1; i <= 3; i++) add(state, { configCode: PRIVATE, at: now - i * HOUR, subject: `For Bob only ${i}` });
  state.keys.push(
    {
      id: guid('key-ann'),
      user: 'u-ann',
      name: 'Mailroom',
      expiryDate: null,
      secret: KEY,
      createdDate: iso(now - 80 * 24 * HOUR),
    },
    {
      id: guid('key-bob'),
      user: 'u-bob',
      name: 'Bob',
      expiryDate: null,
      secret: OTHER_KEY,
      createdDate: iso(now - 80 * 24 * HOUR),
    },
    {
      id: guid('key-old'),
      user: 'u-ann',
      name: 'Old integration',
      expiryDate: iso(now - HOUR),
      secret: 'sodium-sandbox-old-0c3e5a7f19',
      createdDate: iso(now - 85 * 24 * HOUR),
    },
  );
  return state;
}

/** Ids of threads hold what ids of Graph do: `=`, `/` and `+`. */
const threadOf = (code: string, i: number | string) =>
  `AAQ/${createHash('sha1').update(`${code}/${i}`).digest('base64')}+${i}=`;

function files(): Attachment[] {
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
    'base64',
  );
  const large = Buffer.alloc(LARGE_FILE, 'Sodium sandbox, a large file. ');
  return [
    {
      attachmentId: 'A1/logo+=',
      fileName: 'logo.png',
      contentType: 'image/png',
      contentId: 'logo',
      isInline: true,
      bytes: png,
    },
    {
      attachmentId: 'A2/scan+=',
      fileName: 'scan.pdf',
      contentType: 'application/pdf',
      contentId: null,
      isInline: false,
      bytes: large,
    },
  ];
}

function add(state: State, given: Partial<Mail> & { configCode: string; at: number; subject: string }): Mail {
  const n = ++state.made;
  const direction = given.direction ?? 'Inbound';
  const config = configOf(state, given.configCode)!;
  const mail: Mail = {
    uniqueId: guid(`mail-${n}`),
    conversationId: threadOf(given.configCode, `m${n}`),
    direction,
    from: { email: 'jo@client.test', name: 'Jo Client' },
    to: [{ email: config.fromEmail, ...(config.fromName ? { name: config.fromName } : {}) }],
    cc: [],
    importance: 'Normal',
    isRead: false,
    attachments: [],
    htmlBody: `<p>${given.subject}: please find the figures below. <img src="cid:logo"></p>`,
    plainTextBody: `${given.subject}: please find the figures below.`,
    folder: direction === 'Inbound' ? 'Inbox' : 'Sent',
    ...given,
  };
  state.mails.push(mail);
  return mail;
}

/** A refusal on its way to becoming an answer. */
interface Refusal {
  status: number;
  message: string;
  errors?: Record<string, string[]>;
}
const refusal = (status: number, message: string, errors?: Record<string, string[]>): Refusal => ({
  status,
  message,
  ...(errors ? { errors } : {}),
});
const isRefusal = (value: unknown): value is Refusal =>
  typeof (value as Refusal | null)?.status === 'number' && typeof (value as Refusal).message === 'string';

interface Call {
  request: Seen;
  vendor: Vendor;
  state: State;
  user: string;
  generation: 'A' | 'B';
}

function answer(request: Seen, vendor: Vendor): Reply {
  const state = stateOf(vendor);
  settle(state, vendor.now());
  const generation = (request.headers['x-sandbox-generation'] ?? state.options.generation) === 'B' ? 'B' : 'A';
  try {
    const parts = request.segments[0] === 'api' ? request.segments.slice(1) : request.segments;
    // Where the user lands who follows an authorisationUrl: agrees at once and returns.
    if (parts[0] === 'oauth' && parts[1] === 'authorise' && request.method === 'GET')
      return consent(state, parts[2] ?? '', vendor.now());
    const user = userOf(state, request.headers['x-api-key'], vendor.now());
    return route({ request, vendor, state, user, generation }, parts);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { status, message, errors } = error;
    // Neither shape is documented; the first is what a public client reads, the second what the framework writes.
    if ((request.headers['x-sandbox-errors'] ?? state.options.errors) === 'problem') {
      return {
        status,
        headers: { 'content-type': 'application/problem+json' },
        body: {
          type: `https://httpstatuses.io/${status}`,
          title: errors ? 'One or more validation errors occurred.' : message,
          status,
          detail: message,
          traceId: '00-sandbox',
          ...(errors ? { errors } : {}),
        },
      };
    }
    return { status, body: { message, statusCode: status } };
  }
}

function userOf(state: State, key: string | undefined, now: number): string {
  const found = state.keys.find(one => one.secret === key);
  if (!found || (found.expiryDate && Date.parse(found.expiryDate) <= now))
    throw refusal(401, 'Invalid or missing API key.');
  return found.user;
}

/** Two seconds after a sync was asked for, one new message is there; a mailbox that is not connected gets none. */
function settle(state: State, now: number) {
  for (const due of state.pending.filter(one => one.due <= now)) {
    if (configOf(state, due.code)?.status === 'Active')
      add(state, { configCode: due.code, at: due.due, subject: `Brought by sync ${state.made + 1}` });
  }
  state.pending = state.pending.filter(one => one.due > now);
}

function route(call: Call, parts: string[]): Reply {
  const {
    request: { method },
    state,
    user,
  } = call;
  const [area, code, section, ...rest] = parts;
  if (area === 'account' && code === 'keys') return keys(call, section);
  if (area !== 'tenants') throw refusal(404, 'Not found.');
  if (code === undefined) {
    if (method !== 'GET') throw refusal(404, 'Not found.');
    // Described as a plain list.
    return {
      status: 200,
      body: Object.entries(TENANTS)
        .filter(([, one]) => one.users.includes(user))
        .map(([key, one]) => ({ code: key, name: one.name })),
    };
  }
  const tenant = TENANTS[code];
  if (!tenant?.users.includes(user)) throw refusal(404, `Tenant '${code}' was not found.`);
  const what = `${method} ${section ?? ''}`;
  if (what === 'GET ') return { status: 200, body: { code, name: tenant.name } };
  if (what === 'GET me')
    return {
      status: 200,
      body: { code: user, name: USERS[user], role: 'Administrator', permissions: ['Email.Read', 'Email.Send'] },
    };
  if (what === 'GET tasks' && rest.length === 0) {
    const client = call.request.query.get('clientCode');
    return page(
      call,
      state.tasks
        .filter(task => task.tenant === code && (!client || task.clientCode === client))
        .map(({ tenant: _, ...task }) => task),
    );
  }
  if (section === 'mailbox') return tenantWide(call, code, rest);
  if (section === 'email-configs') return configurations(call, code, rest);
  throw refusal(404, 'Not found.');
}

// ---- keys

function keys({ request, state, user, vendor }: Call, id: string | undefined): Reply {
  const shown = ({ secret: _, user: __, ...key }: Key) => key;
  if (request.method === 'GET' && !id)
    return { status: 200, body: state.keys.filter(key => key.user === user).map(shown) };
  if (request.method === 'POST' && !id) {
    // Members assumed: the documents only speak of a custom name and an expiry date.
    const body = json(request);
    const name = string(body, 'name', true)!;
    const expiryDate = string(body, 'expiryDate') ?? null;
    if (expiryDate !== null && Number.isNaN(Date.parse(expiryDate)))
      throw invalid('expiryDate', 'The ExpiryDate field must be a date.');
    const key: Key = {
      id: guid(`key-${++state.made}`),
      user,
      name,
      expiryDate,
      secret: `sodium-sandbox-made-${guid(`secret-${state.made}`).slice(0, 13)}`,
      createdDate: iso(vendor.now()),
    };
    state.keys.push(key);
    return { status: 201, body: { ...shown(key), key: key.secret } };
  }
  if (request.method === 'DELETE' && id) {
    if (!GUID.test(id)) throw invalid('key', `The value '${id}' is not valid.`);
    if (!state.keys.some(key => key.id === id && key.user === user)) throw refusal(404, 'The key was not found.');
    state.keys = state.keys.filter(key => key.id !== id);
    return { status: 204 };
  }
  throw refusal(404, 'Not found.');
}

// ---- email configurations

function configurations(call: Call, tenant: string, [code, section, id, action, extra, ...rest]: string[]): Reply {
  const { request, state, user, vendor, generation } = call;
  const visible = state.configs.filter(
    config => config.tenant === tenant && (config.isShared || config.owner === user),
  );
  const method = request.method;
  if (code === undefined) {
    if (method === 'GET')
      return page(
        call,
        visible.map(config => configDto(config, generation)),
      );
    if (method === 'POST') return createConfig(call, tenant);
    throw refusal(404, 'Not found.');
  }
  const config = visible.find(one => one.code === code);
  if (!config || rest.length) throw refusal(404, `Email configuration '${code}' was not found.`);
  switch (`${method} ${section ?? ''}`) {
    case 'GET ':
      return { status: 200, body: configDto(config, generation) };
    case 'PUT ':
      return updateConfig(call, config);
    case 'DELETE ':
      if (config.isDefault && state.configs.filter(one => one.tenant === tenant).length > 1)
        throw refusal(400, 'The default email configuration cannot be deleted while there are others.');
      state.configs = state.configs.filter(one => one !== config);
      state.mails = state.mails.filter(mail => mail.configCode !== code);
      return { status: 204 };
  }
  if (section === 'test' && method === 'POST' && !id) {
    const body = json(request);
    const to = {
      email: string(body, 'recipientEmail', true)!,
      ...(string(body, 'recipientName') ? { name: string(body, 'recipientName')! } : {}),
    };
    if (!EMAIL.test(to.email))
      throw invalid('recipientEmail', 'The RecipientEmail field is not a valid e-mail address.');
    sending(config);
    const text = string(body, 'plainTextBody') ?? 'This message verifies the email configuration.';
    const html = string(body, 'htmlBody');
    state.sent.push({
      configCode: code,
      from: config.fromEmail,
      subject: string(body, 'subject') ?? 'Test Email - Configuration Verification',
      to: [to],
      cc: [],
      bcc: [],
      plainTextBody: text,
      ...(html ? { htmlBody: html } : {}),
      attachments: [],
    });
    return { status: 200 };
  }
  if (section === 'reconnect' && method === 'POST' && !id) {
    if (config.providerType === 'Smtp')
      throw refusal(400, 'Reconnecting is only available for OAuth email configurations.');
    config.returnUrl = url(json(request), 'returnUrl', true)!;
    config.status = 'PendingOAuthSetup';
    config.authorisationUrl = `${vendor.url}/oauth/authorise/${guid(`grant-${++state.made}`)}`;
    return { status: 200, body: oauthDto(config) };
  }
  if (section === 'sync' && method === 'POST' && !id) {
    reading(config);
    state.pending.push({ code, due: vendor.now() + SYNC_TIME, synced: vendor.now() });
    return { status: 202 };
  }
  if (section === 'conversations' && id !== undefined) return conversation(call, config, id, action, extra);
  if (section === 'messages') return message(call, config, id, action, extra);
  throw refusal(404, 'Not found.');
}

const oauthDto = (config: Config): Row => {
  const isConnected = config.status === 'Active';
  return {
    isConnected,
    sendAsEmail: isConnected ? config.fromEmail : null,
    connectedBy: isConnected ? USERS[config.owner] : null,
    connectedAt: isConnected ? iso(config.updatedAt) : null,
    authorisationUrl: config.authorisationUrl,
  };
};
function configDto(config: Config, generation: 'A' | 'B'): Row {
  const oauth = config.providerType === 'Google' || config.providerType === 'Microsoft365';
  return {
    code: config.code,
    tenantUser: { code: config.owner, name: USERS[config.owner] },
    fromEmail: config.fromEmail,
    fromName: config.fromName,
    isDefault: config.isDefault,
    isShared: config.isShared,
    sendEnabled: config.sendEnabled,
    readEnabled: config.readEnabled,
    status: config.status,
    providerType: config.providerType,
    smtpSettings: config.smtpSettings,
    oAuthStatus: oauth ? oauthDto(config) : null,
    createdDate: iso(config.createdAt),
    updatedDate: iso(config.updatedAt),
    ...(generation === 'B'
      ? {
          signature: config.signature,
          statusReason: config.status === 'OAuthExpired' ? 'The sign-in has expired. Reconnect the mailbox.' : null,
        }
      : {}),
  };
}

function smtpOf(body: Row, now: Row | null): Row | null {
  const given = object(body, 'smtpSettings');
  if (!given) return now;
  const port = given.port;
  if (
    port !== undefined &&
    port !== null &&
    (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535)
  )
    throw invalid('smtpSettings.port', 'The Port field must be between 1 and 65535.');
  const requiresAuthentication = boolean(given, 'requiresAuthentication');
  // The password is taken and never shown. Its member's name is not documented.
  return {
    host: string(given, 'host', true),
    port: port ?? 587,
    encryption: string(given, 'encryption') ?? 'StartTls',
    requiresAuthentication: requiresAuthentication ?? false,
    username: string(given, 'username') ?? null,
  };
}
function oauthOf(body: Row, required: boolean) {
  const given = object(body, 'oAuthSettings');
  if (!given) {
    if (required) throw invalid('oAuthSettings', 'The OAuthSettings field is required.');
    return undefined;
  }
  return {
    returnUrl: url(given, 'returnUrl', true)!,
    allowSend: boolean(given, 'allowSend') ?? true,
    allowRead: boolean(given, 'allowRead') ?? false,
  };
}
function createConfig({ request, state, user, vendor, generation }: Call, tenant: string): Reply {
  const body = json(request);
  const providerType = string(body, 'providerType', true)!;
  const fromEmail = string(body, 'fromEmail', true)!;
  if (!['Smtp', 'SendGrid', 'Microsoft365', 'Google'].includes(providerType))
    throw invalid('providerType', `The value '${providerType}' is not valid.`);
  if (!EMAIL.test(fromEmail)) throw invalid('fromEmail', 'The FromEmail field is not a valid e-mail address.');
  const isShared = boolean(body, 'isShared') ?? false;
  const isDefault = boolean(body, 'isDefault') ?? false;
  if (isDefault && !isShared) throw refusal(400, 'A default email configuration must be shared.');
  const oauth = providerType === 'Google' || providerType === 'Microsoft365' ? oauthOf(body, true) : undefined;
  const now = vendor.now();
  const code = guid(`config-${++state.made}`);
  if (providerType === 'Smtp' && !object(body, 'smtpSettings'))
    throw invalid('smtpSettings', 'The SmtpSettings field is required.');
  const config: Config = {
    code,
    tenant,
    owner: user,
    fromEmail,
    fromName: string(body, 'fromName') ?? null,
    isDefault,
    isShared,
    sendEnabled: oauth?.allowSend ?? true,
    readEnabled: oauth?.allowRead ?? false,
    status: oauth ? 'PendingOAuthSetup' : 'Active',
    providerType,
    smtpSettings: providerType === 'Smtp' ? smtpOf(body, null) : null,
    createdAt: now,
    updatedAt: now,
    authorisationUrl: oauth ? `${vendor.url}/oauth/authorise/${guid(`grant-${++state.made}`)}` : null,
    returnUrl: oauth?.returnUrl ?? null,
    signature: null,
  };
  if (isDefault) for (const other of state.configs) if (other.tenant === tenant) other.isDefault = false;
  state.configs.push(config);
  return { status: 201, body: configDto(config, generation) };
}
function updateConfig({ request, state, vendor, generation }: Call, config: Config): Reply {
  const body = json(request);
  const fromEmail = string(body, 'fromEmail');
  if (fromEmail !== undefined && !EMAIL.test(fromEmail))
    throw invalid('fromEmail', 'The FromEmail field is not a valid e-mail address.');
  // Not documented: here a PUT without a flag resets it, as a PUT may, so that clients which forget them are found out.
  const isShared = boolean(body, 'isShared') ?? false;
  const isDefault = boolean(body, 'isDefault') ?? false;
  if (isDefault && !isShared) throw refusal(400, 'A default email configuration must be shared.');
  if (config.providerType !== 'Smtp' && object(body, 'smtpSettings'))
    throw refusal(400, 'SMTP settings are only available for SMTP email configurations.');
  const oauth =
    config.providerType === 'Google' || config.providerType === 'Microsoft365' ? oauthOf(body, false) : undefined;
  const smtpSettings = config.providerType === 'Smtp' ? smtpOf(body, config.smtpSettings) : null;
  if (isDefault) for (const other of state.configs) if (other.tenant === config.tenant) other.isDefault = false;
  Object.assign(config, {
    ...(fromEmail === undefined ? {} : { fromEmail }),
    ...(string(body, 'fromName') === undefined ? {} : { fromName: string(body, 'fromName') }),
    isShared,
    isDefault,
    smtpSettings,
    ...(oauth ? { returnUrl: oauth.returnUrl, sendEnabled: oauth.allowSend, readEnabled: oauth.allowRead } : {}),
    updatedAt: vendor.now(),
  });
  return { status: 200, body: configDto(config, generation) };
}
function consent(state: State, grant: string, now: number): Reply {
  const config = state.configs.find(one => one.authorisationUrl?.endsWith(`/${grant}`));
  if (!config || !grant)
    return { status: 404, headers: { 'content-type': 'text/html' }, body: '<p>This authorisation is over.</p>' };
  Object.assign(config, { status: 'Active', authorisationUrl: null, updatedAt: now });
  return { status: 302, headers: { location: config.returnUrl ?? '/' } };
}

function reading(config: Config) {
  if (config.providerType !== 'Google' && config.providerType !== 'Microsoft365')
    throw refusal(400, 'Reading mail is only available for OAuth email configurations.');
  if (!config.readEnabled) throw refusal(400, `Reading is not enabled on the email configuration '${config.code}'.`);
}
function sending(config: Config) {
  if (!config.sendEnabled) throw refusal(400, `Sending is not enabled on the email configuration '${config.code}'.`);
}

// ---- lists over the tenant

function tenantWide(call: Call, tenant: string, [section, ...rest]: string[]): Reply {
  const { request, state, user, generation } = call;
  if (rest.length) throw refusal(404, 'Not found.');
  const visible = state.configs.filter(
    config => config.tenant === tenant && (config.isShared || config.owner === user),
  );
  const boxes = () => {
    const asked = request.query.getAll('configCode');
    if (!asked.length) return visible.filter(config => config.readEnabled);
    return asked.map(code => {
      if (!GUID.test(code)) throw invalid('configCode', `The value '${code}' is not valid.`);
      const config = visible.find(one => one.code === code);
      if (!config) throw refusal(404, `Email configuration '${code}' was not found.`);
      reading(config);
      return config;
    });
  };
  switch (`${request.method} ${section ?? ''}`) {
    case 'GET messages': {
      const mails = filtered(call, boxes());
      const by: Record<string, (mail: Mail) => string | number> = {
        MessageDate: mail => mail.at,
        Subject: mail => mail.subject,
        Sender: mail => mail.from.name ?? mail.from.email,
      };
      return page(
        call,
        sorted(call, mails, by, 'MessageDate', mail => mail.uniqueId).map(mail => rowDto(mail, generation)),
      );
    }
    case 'GET conversations': {
      const found = new Map<string, Mail[]>();
      const matching = new Set(filtered(call, boxes()).map(mail => `${mail.configCode}/${mail.conversationId}`));
      for (const mail of state.mails) {
        const name = `${mail.configCode}/${mail.conversationId}`;
        if (matching.has(name)) found.set(name, [...(found.get(name) ?? []), mail]);
      }
      const threads = [...found.values()].map(mails =>
        [...mails].sort((a, b) => a.at - b.at || (a.uniqueId < b.uniqueId ? -1 : 1)),
      );
      const by: Record<string, (thread: Mail[]) => string | number> = {
        LatestMessageDate: thread => thread.at(-1)!.at,
        Subject: thread => thread.at(-1)!.subject,
        MessageCount: thread => thread.length,
      };
      return page(
        call,
        sorted(call, threads, by, 'LatestMessageDate', thread => thread[0]!.conversationId).map(thread =>
          threadDto(thread, generation),
        ),
      );
    }
    case 'GET folders': {
      if (!state.options.folders) throw refusal(404, 'Not found.');
      flagOf(request.query, 'systemFoldersOnly');
      const systemOnly = request.query.get('systemFoldersOnly') === 'true';
      return {
        status: 200,
        body: boxes().flatMap(config =>
          FOLDERS.filter(([, kind]) => !systemOnly || kind !== 'None').map(([path, kind]) => {
            const inside = state.mails.filter(mail => mail.configCode === config.code && mail.folder === path);
            return {
              uniqueId: folderId(config.code, path),
              configCode: config.code,
              name: path,
              path,
              systemFolderType: kind,
              parentFolderUniqueId: null,
              isSystem: kind !== 'None',
              totalCount: inside.length,
              unreadCount: inside.filter(mail => !mail.isRead).length,
            };
          }),
        ),
      };
    }
    case 'POST send':
      return routed(call, tenant, visible);
  }
  throw refusal(404, 'Not found.');
}

const FOLDERS = [
  ['Inbox', 'Inbox'],
  ['Sent', 'Sent'],
  ['Drafts', 'Drafts'],
  ['Junk', 'Junk'],
  ['Trash', 'Trash'],
  ['Clients', 'None'],
] as const;
export const folderId = (code: string, path: string): string => guid(`${code}/folder/${path}`);

function filtered({ request: { query }, state, generation }: Call, boxes: Config[]): Mail[] {
  // The later documents have no such parameter; there it is ignored, as the framework does with what it does not know.
  const direction = generation === 'A' ? query.get('direction') : null;
  if (direction && direction !== 'Inbound' && direction !== 'Outbound')
    throw invalid('direction', `The value '${direction}' is not valid.`);
  const search = query.get('search')?.toLowerCase();
  const emails = query.getAll('participantEmail').map(s => s.toLowerCase());
  const domains = query.getAll('participantDomain').map(s => s.toLowerCase());
  return state.mails.filter(mail => {
    const people = [mail.from, ...mail.to, ...mail.cc].map(person => person.email.toLowerCase());
    return (
      boxes.some(config => config.code === mail.configCode) &&
      (!direction || mail.direction === direction) &&
      (!search ||
        [mail.subject, mail.from.email, mail.from.name ?? ''].some(text => text.toLowerCase().includes(search))) &&
      (!emails.length || people.some(email => emails.includes(email))) &&
      (!domains.length || people.some(email => domains.includes(email.split('@')[1]!)))
    );
  });
}

function sorted<T>(
  { request: { query } }: Call,
  items: T[],
  by: Record<string, (item: T) => string | number>,
  usual: string,
  id: (item: T) => string,
): T[] {
  const name = query.get('sortBy') ?? usual;
  const key = by[name];
  if (!key) throw invalid('sortBy', `The value '${name}' is not valid.`);
  const turn = flagOf(query, 'sortDesc') ? -1 : 1;
  return [...items].sort((a, b) => turn * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : id(a) < id(b) ? -1 : 1));
}

function flagOf(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value !== null && value !== 'true' && value !== 'false')
    throw invalid(name, `The value '${value}' is not valid.`);
  return value === 'true';
}

/** The envelope. Over 50 rows the documents do not say what happens; here the page ends at 50. */
function page({ request: { query } }: Call, items: Row[]): Reply {
  const int = (name: string, usual: number, least: number) => {
    const value = query.get(name);
    if (value !== null && (!/^-?\d+$/.test(value) || Number(value) < least || Number(value) > 2147483647))
      throw invalid(name, `The value '${value}' is not valid.`);
    return value === null ? usual : Number(value);
  };
  const offset = int('offset', 0, 0);
  const limit = Math.min(50, int('limit', 10, 1));
  return {
    status: 200,
    body: {
      data: items.slice(offset, offset + limit),
      totalCount: items.length,
      offset,
      limit,
      hasMore: offset + limit < items.length,
    },
  };
}

const folderOf = (mail: Mail) => ({ code: folderId(mail.configCode, mail.folder), name: mail.folder });
const snippet = (mail: Mail) => (mail.plainTextBody ?? mail.htmlBody?.replace(/<[^>]*>/g, '') ?? '').slice(0, 60);
const rowDto = (mail: Mail, generation: 'A' | 'B'): Row => ({
  uniqueId: mail.uniqueId,
  ...(generation === 'A' ? { direction: mail.direction } : { folders: [folderOf(mail)] }),
  subject: mail.subject,
  fromEmail: mail.from.email,
  fromName: mail.from.name ?? null,
  snippet: snippet(mail),
  messageDate: iso(mail.at),
  isRead: mail.isRead,
  hasAttachments: mail.attachments.length > 0,
  importance: mail.importance,
  conversationId: mail.conversationId,
  configCode: mail.configCode,
});
function threadDto(thread: Mail[], generation: 'A' | 'B'): Row {
  const last = thread.at(-1)!;
  const folders = [...new Map(thread.map(mail => [mail.folder, folderOf(mail)])).values()];
  return {
    conversationId: last.conversationId,
    subject: last.subject,
    snippet: snippet(last),
    latestMessageDate: iso(last.at),
    latestFromEmail: last.from.email,
    latestFromName: last.from.name ?? null,
    ...(generation === 'A' ? { latestDirection: last.direction } : { folders }),
    messageCount: thread.length,
    unreadCount: thread.filter(mail => !mail.isRead).length,
    hasAttachments: thread.some(mail => mail.attachments.length > 0),
    importance: last.importance,
    latestMessageUniqueId: last.uniqueId,
    configCode: last.configCode,
  };
}

// ---- one conversation, one message

function conversation(
  { request, state, generation }: Call,
  config: Config,
  id: string,
  action: string | undefined,
  task: string | undefined,
): Reply {
  reading(config);
  const mails = state.mails
    .filter(mail => mail.configCode === config.code && mail.conversationId === id)
    .sort((a, b) => a.at - b.at);
  if (!mails.length) throw refusal(404, 'The conversation was not found.');
  const name = `${config.code}/${id}`;
  const links = state.links.get(name) ?? new Set<string>();
  const tasks = state.tasks.filter(one => one.tenant === config.tenant);
  if (request.method === 'GET' && action === undefined) {
    const participantEmails = [
      ...new Set(mails.flatMap(mail => [mail.from, ...mail.to, ...mail.cc].map(person => person.email))),
    ];
    const known = participantEmails.find(email => email.endsWith('@client1.test'));
    return {
      status: 200,
      body: {
        messages: mails.map(mail => rowDto(mail, generation)),
        clientAssociations: known ? [{ clientCode: 'CLI-1', clientName: 'Client One Ltd' }] : [],
        suggestedClients: known
          ? []
          : [
              {
                clientCode: 'CLI-2',
                clientName: 'Client Two Ltd',
                matchedEmail: participantEmails[0],
                matchedVia: 'client',
              },
            ],
        participantEmails,
        taskAssociations: tasks
          .filter(one => links.has(one.code))
          .map(({ code, name: title }) => ({ code, name: title })),
      },
    };
  }
  if (request.method === 'POST' && action === 'tasks' && task === undefined) {
    const code = string(json(request), 'taskCode', true)!;
    if (!tasks.some(one => one.code === code)) throw refusal(404, `Task '${code}' was not found.`);
    state.links.set(name, links.add(code));
    return { status: 204 };
  }
  if (request.method === 'DELETE' && action === 'tasks' && task !== undefined) {
    if (!links.delete(task)) throw refusal(404, `Task '${task}' is not linked to the conversation.`);
    return { status: 204 };
  }
  throw refusal(404, 'Not found.');
}

function message(
  call: Call,
  config: Config,
  id: string | undefined,
  action: string | undefined,
  attachmentId: string | undefined,
): Reply {
  const { request, state, vendor, generation } = call;
  if (id === undefined) {
    if (request.method === 'POST') {
      sending(config);
      return { ...send(call, config, mailOf(request)), status: 200 };
    }
    if (request.method === 'PATCH') {
      reading(config);
      return mark(call, config);
    }
    throw refusal(404, 'Not found.');
  }
  if (!GUID.test(id)) throw invalid('messageId', `The value '${id}' is not valid.`);
  if (request.method === 'POST' && action === 'reply') sending(config);
  else reading(config);
  const mail = state.mails.find(one => one.configCode === config.code && one.uniqueId === id.toLowerCase());
  if (!mail) throw refusal(404, 'The message was not found.');
  const connected = config.status === 'Active';
  if (request.method === 'GET' && action === undefined) {
    return {
      status: 200,
      body: {
        uniqueId: mail.uniqueId,
        ...(generation === 'A' ? { direction: mail.direction } : {}),
        subject: mail.subject,
        fromEmail: mail.from.email,
        fromName: mail.from.name ?? null,
        htmlBody: connected ? mail.htmlBody : null,
        plainTextBody: connected ? mail.plainTextBody : null,
        messageDate: iso(mail.at),
        toRecipients: mail.to,
        ccRecipients: mail.cc,
        attachments: connected ? mail.attachments.map(({ bytes, ...one }) => ({ ...one, size: bytes.length })) : [],
        conversationId: mail.conversationId,
        reconnectRequired: !connected,
      },
    };
  }
  if (request.method === 'GET' && action === 'attachments' && attachmentId !== undefined) {
    const found = connected && mail.attachments.find(one => one.attachmentId === attachmentId);
    if (!found) throw refusal(404, 'The attachment was not found.');
    return {
      status: 200,
      headers: { 'content-type': found.contentType, 'cache-control': 'private, max-age=3600' },
      body: found.bytes,
    };
  }
  if (request.method === 'POST' && action === 'reply' && attachmentId === undefined) {
    const body = json(request);
    const htmlBody = string(body, 'htmlBody', true)!;
    const plainTextBody = string(body, 'plainTextBody');
    const all = boolean(body, 'replyAll') ?? false;
    const to = people(body, 'toRecipients');
    const cc = people(body, 'ccRecipients');
    const bcc = people(body, 'bccRecipients') ?? [];
    const attachments = attached(body);
    if (!connected) return { status: 200, body: { reconnectRequired: true } };
    const others = [...mail.to, ...mail.cc].filter(person => person.email !== config.fromEmail);
    const subject = /^re:/i.test(mail.subject) ? mail.subject : `Re: ${mail.subject}`;
    const whom = to ?? [mail.from];
    const copies = cc ?? (all && !to ? others : []);
    out(
      state,
      config,
      vendor.now(),
      {
        subject,
        to: whom,
        cc: copies,
        bcc,
        attachments,
        htmlBody,
        ...(plainTextBody ? { plainTextBody } : {}),
        inReplyTo: mail.uniqueId,
      },
      mail.conversationId,
    );
    return { status: 200, body: { reconnectRequired: false } };
  }
  throw refusal(404, 'Not found.');
}

function mark({ request, state }: Call, config: Config): Reply {
  const body = json(request);
  const ids = body.messageIds;
  if (!Array.isArray(ids) || !ids.length) throw invalid('messageIds', 'The MessageIds field is required.');
  if (!ids.every(id => typeof id === 'string' && GUID.test(id)))
    throw invalid('messageIds', 'The JSON value could not be converted to System.Guid.');
  const isRead = boolean(body, 'isRead');
  if (isRead === undefined) throw invalid('isRead', 'The IsRead field is required.');
  const found = state.mails.filter(
    mail => mail.configCode === config.code && ids.some(id => (id as string).toLowerCase() === mail.uniqueId),
  );
  // Not documented for unknown ids among known ones: here the known ones are marked. None known is "not found".
  if (!found.length) throw refusal(404, 'The messages were not found.');
  for (const mail of found) mail.isRead = isRead;
  return { status: 204 };
}

// ---- sending

type Draft = Omit<SentMail, 'configCode' | 'from'>;
function mailOf(request: Seen): Draft {
  const body = json(request);
  const subject = string(body, 'subject', true)!;
  const htmlBody = string(body, 'htmlBody');
  const plainTextBody = string(body, 'plainTextBody');
  if (!htmlBody && !plainTextBody) throw invalid('htmlBody', 'Either HtmlBody or PlainTextBody is required.');
  const to = people(body, 'to');
  if (!to?.length) throw invalid('to', 'At least one recipient is required.');
  return {
    subject,
    to,
    cc: people(body, 'cc') ?? [],
    bcc: people(body, 'bcc') ?? [],
    attachments: attached(body),
    ...(htmlBody ? { htmlBody } : {}),
    ...(plainTextBody ? { plainTextBody } : {}),
  };
}
function routed(call: Call, tenant: string, visible: Config[]): Reply {
  const { request, state } = call;
  const mail = mailOf(request);
  const code = request.query.get('configCode');
  const config =
    code === null
      ? state.configs.find(one => one.tenant === tenant && one.isDefault)
      : visible.find(one => one.code === code);
  if (code !== null && !config) throw refusal(404, `Email configuration '${code}' was not found.`);
  if (config) {
    sending(config);
    return send(call, config, mail);
  }
  state.sent.push({ configCode: null, from: 'no-reply@sodium.test', ...mail });
  return { status: 200 };
}
function send({ state, vendor }: Call, config: Config, mail: Draft): Reply {
  const oauth = config.providerType === 'Google' || config.providerType === 'Microsoft365';
  if (oauth && config.status !== 'Active')
    throw refusal(400, `The email configuration '${config.code}' is not connected. Reconnect it.`);
  out(state, config, vendor.now(), mail);
  // The success body is not documented: empty.
  return { status: 200 };
}
function out(state: State, config: Config, now: number, mail: Draft, conversationId?: string) {
  state.sent.push({ configCode: config.code, from: config.fromEmail, ...mail });
  if (config.providerType !== 'Google' && config.providerType !== 'Microsoft365') return;
  add(state, {
    configCode: config.code,
    at: now,
    subject: mail.subject,
    direction: 'Outbound',
    from: { email: config.fromEmail, ...(config.fromName ? { name: config.fromName } : {}) },
    to: mail.to,
    cc: mail.cc,
    isRead: true,
    htmlBody: mail.htmlBody ?? null,
    plainTextBody: mail.plainTextBody ?? null,
    ...(conversationId ? { conversationId } : {}),
    attachments: mail.attachments.map((one, i) => ({
      attachmentId: `S${state.made + 1}/${i}=`,
      contentId: null,
      isInline: false,
      ...one,
    })),
  });
}

// ---- bodies

const invalid = (field: string, message: string) =>
  refusal(400, message, { [field.charAt(0).toUpperCase() + field.slice(1)]: [message] });
function json(request: Seen): Row {
  // Not documented, but every framework of this kind does so.
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
    throw refusal(415, 'Unsupported Media Type');
  try {
    const body: unknown = JSON.parse(request.body.toString('utf8'));
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Row;
  } catch {
    /* said below */
  }
  throw refusal(400, 'The request body is not a valid JSON object.');
}
function string(body: Row, name: string, required = false): string | undefined {
  const value = body[name];
  if (value === undefined || value === null || (required && value === '')) {
    if (required) throw invalid(name, `The ${name.charAt(0).toUpperCase()}${name.slice(1)} field is required.`);
    return undefined;
  }
  if (typeof value !== 'string') throw invalid(name, 'The JSON value could not be converted to System.String.');
  return value;
}
function boolean(body: Row, name: string): boolean | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw invalid(name, 'The JSON value could not be converted to System.Boolean.');
  return value;
}
function object(body: Row, name: string): Row | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(name, 'The JSON value could not be converted.');
  return value as Row;
}
function url(body: Row, name: string, required: boolean): string | undefined {
  const value = string(body, name, required);
  if (value !== undefined && !/^https?:\/\//.test(value))
    throw invalid(name, 'The field must be a fully-qualified http or https URL.');
  return value;
}
function list(body: Row, name: string): Row[] | undefined {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every(one => typeof one === 'object' && one !== null && !Array.isArray(one)))
    throw invalid(name, 'The JSON value could not be converted.');
  return value as Row[];
}
const people = (body: Row, name: string): Person[] | undefined =>
  list(body, name)?.map(one => {
    const email = string(one, 'email', true)!;
    const called = string(one, 'name');
    if (!EMAIL.test(email)) throw invalid(name, `'${email}' is not a valid e-mail address.`);
    return { email, ...(called ? { name: called } : {}) };
  });
/** The names of the members are assumed; the content is base64. */
const attached = (body: Row): SentMail['attachments'] =>
  (list(body, 'attachments') ?? []).map(one => {
    const fileName = string(one, 'fileName', true)!;
    const contentType = string(one, 'contentType', true)!;
    const content = string(one, 'content');
    if (content === undefined) throw invalid('attachments', 'The Content field is required.');
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(content) || content.length % 4)
      throw invalid('attachments', 'The JSON value could not be converted to System.Byte[].');
    return { fileName, contentType, bytes: Buffer.from(content, 'base64') };
  });

const iso = (at: number) => new Date(at).toISOString();
