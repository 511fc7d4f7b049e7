import { createHash, createHmac, randomBytes } from 'node:crypto';
import PostalMime from 'postal-mime';
import { startVendor, type Reply, type Seen, type Vendor } from './vendor.js';

/**
 * A pretend Context.IO (2.0).
 *
 * From the vendor's archived pages: paths, methods, fields, documents, the signature (RFC 5849). Run against a
 * recording server: the vendor's own clients for Node and Python, so that what they send is taken. Guesses: nonces and
 * clocks, the default sizes of pages, statuses of creates other than accounts, texts of errors and codes of feedback,
 * the thresholds of a source's states, how often a callback is tried again, the order of accounts.
 */
/** How strict the vendor is where its documents are silent. */
export interface ContextIoOptions {
  /**
   * Refuse a nonce that was used before. The vendor is not known to have done so, yet RFC 5849 section 3.3 lets every
   * server do it: a client that passes here passes everywhere, so this is on unless told otherwise.
   */
  refuseRepeatedNonces?: boolean;
  /** How far the client's clock may be from this machine's, in seconds; 600 unless told otherwise, 0 for no limit. */
  clockWindow?: number;
  /** Like an early server: no request for a single address, no app-level webhooks. */
  early?: boolean;
  /** Like a server that pays no attention to `offset`. */
  ignoreOffset?: boolean;
}
const KEY = 'abcdef1234567890';
const SECRET = 's3cr3t/With+Odd&Chars=';
const DAY = 86_400;
/** Vendor seconds until a new source has been looked at, imported, and how often it is looked at from then on. */
const FIRST_LOOK = 1;
const FIRST_IMPORT = 10;
const SYNC_EVERY = 3600;
const SYNC_TAKES = 4;
/**
 * Failures in a row until a source is put aside, and until it is given up: unverified, as is that one comes before the
 * other.
 */
const FAILURES_TEMP = 3;
const FAILURES_DISABLED = 6;
const STATUSES = [
  'OK',
  'INVALID_CREDENTIALS',
  'CONNECTION_IMPOSSIBLE',
  'NO_ACCESS_TO_ALL_MAIL',
  'TEMP_DISABLED',
  'DISABLED',
];

interface Person {
  email: string;
  name?: string;
}
interface Attached {
  file_id: string;
  file_name: string;
  type: string;
  content: Buffer;
  is_embedded: boolean;
  content_id?: string;
}
interface Mail {
  message_id: string;
  email_message_id: string;
  gmail?: { message: string; thread: string };
  source: Source;
  folders: string[];
  subject: string;
  from?: Person;
  to: Person[];
  cc: Person[];
  bcc: Person[];
  date: number;
  date_indexed: number;
  date_received: number;
  text: string;
  html: string;
  files: Attached[];
  references: string[];
  flags: Record<'seen' | 'answered' | 'flagged' | 'deleted' | 'draft', boolean>;
  raw?: Buffer;
}
interface FolderState {
  name: string;
  delim: string;
  symbolic_name?: string;
}
interface Source {
  label: string;
  email: string;
  server: string;
  username: string;
  port: number;
  use_ssl: boolean;
  authentication_type: 'password' | 'oauth' | 'oauth2';
  password?: string;
  refreshToken?: string;
  status: string;
  failures: number;
  created: number;
  queued: number[];
  lastStart: number;
  lastStop: number;
  next: number;
  imported: boolean;
  folders: FolderState[];
  callback_url?: string;
  status_callback_url?: string;
  sync_flags: boolean;
}
interface Hook {
  webhook_id: string;
  active: boolean;
  failure: boolean;
  values: Record<string, string>;
}
interface Token {
  token: string;
  email: string;
  created: number;
  used: number;
  values: Record<string, string>;
  account?: string;
  serverLabel?: string;
}
interface Account {
  id: string;
  username: string;
  created: number;
  suspended: number;
  first_name: string;
  last_name: string;
  password_expired: number;
  addresses: { email: string; validated: number; primary: 0 | 1 }[];
  sources: Source[];
  mails: Mail[];
  webhooks: Hook[];
  tokens: Token[];
}
/** A mail server of the pretend world. */
export interface MailServer {
  up: boolean;
  showsAllMail: boolean;
  logins: Record<string, string>;
  gmail?: boolean;
}
interface State {
  options: Required<ContextIoOptions>;
  accounts: Account[];
  servers: Record<string, MailServer>;
  hooks: Hook[];
  tokens: Token[];
  nonces: Map<string, number>;
  providers: { type: string; provider_consumer_key: string; provider_consumer_secret: string }[];
  statusCallback: string;
  links: Map<string, Attached>;
  serial: number;
  calls: Promise<unknown>[];
}
const states = new WeakMap<Vendor, State>();
const stateOf = (vendor: Vendor): State => {
  const state = states.get(vendor);
  if (!state) throw new Error('This is no Context.IO sandbox.');
  return state;
};

/** The account with all the mail; its first source is a Gmail one. */
export const MAIN = '4f0f1c4f3f757edc3b000001';
/** An account whose sources are in every status. */
export const TROUBLED = '4f0f1c4f3f757edc3b000002';
export const MAIN_EMAIL = 'ann@example.com';
export const GMAIL_SOURCE = 'ann@example.com::imap.gmail.example';
export const PLAIN_SOURCE = 'ann::imap.example.com';
/** The password of every seeded login. */
export const PASSWORD = 'correct horse battery';

const enc = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const hex = (text: string, length: number) => createHash('sha256').update(text).digest('hex').slice(0, length);
const id24 = (state: State) => `4f0f1c4f3f757edc${(0x3b100000 + ++state.serial).toString(16)}`;
const seconds = (vendor: Vendor) => Math.floor(vendor.now() / 1000);

// Errors, as the vendor's documents and clients know them. What is not recorded there is worded here.
const error = (status: number, value: string, more: object = {}, headers: Record<string, string> = {}): Reply => ({
  status,
  headers,
  body: { type: 'error', ...more, value },
});
class Refusal extends Error {
  readonly reply: Reply;
  constructor(reply: Reply) {
    super('refused');
    this.reply = reply;
  }
}
const refuse = (reply: Reply): never => {
  throw new Refusal(reply);
};
const bad = (value: string): never => refuse(error(400, value));
const ok = (body: object = {}): Reply => ({ status: 200, body: { success: true, ...body } });
const created = (body: object): Reply => ({ status: 201, body: { success: true, ...body } });
const bare = (body: object): Reply => ({ status: 200, body });

// ---- Identity
// --------------------------------------------------------------------------------------------------------------

/**
 * Checks the signature by itself, without the code under test. Refuses with 401 and, for a signature, code 105 and the
 * base string expected.
 */
function authenticate(request: Seen, state: State, form: [string, string][]): void {
  const proof = new Map<string, string>();
  const once = (name: string, value: string) => {
    if (proof.has(name)) refuse(error(401, `${name} stands twice`));
    proof.set(name, value);
  };
  const header = /^OAuth\s+(.*)$/i.exec(request.headers.authorization ?? '')?.[1];
  for (const part of header ? header.split(/,\s*/) : []) {
    const [, name, value] =
      /^([^=]+)="([^"]*)"$/.exec(part.trim()) ?? refuse(error(401, 'The Authorization header is malformed'));
    if (name !== 'realm') once(decodeURIComponent(name!), decodeURIComponent(value!));
  }
  const query = [...request.query].filter(([name]) => !name.startsWith('oauth_'));
  for (const [name, value] of request.query) if (name.startsWith('oauth_')) once(name, value);
  if (proof.size === 0) refuse(error(401, 'No OAuth parameters found'));
  for (const name of [
    'oauth_consumer_key',
    'oauth_nonce',
    'oauth_timestamp',
    'oauth_signature_method',
    'oauth_signature',
  ]) {
    if (!proof.get(name)) refuse(error(401, `${name} is missing`));
  }
  if (proof.get('oauth_signature_method') !== 'HMAC-SHA1')
    refuse(error(401, 'oauth_signature_method must be HMAC-SHA1'));
  if (proof.has('oauth_version') && proof.get('oauth_version') !== '1.0')
    refuse(error(401, 'oauth_version must be 1.0'));
  if (proof.has('oauth_token') && proof.get('oauth_token') !== '') refuse(error(401, 'This key is for two-legged use'));
  if (!/^\d+$/.test(proof.get('oauth_timestamp')!)) refuse(error(401, 'oauth_timestamp must be a positive integer'));
  const signature = proof.get('oauth_signature')!;
  proof.delete('oauth_signature');
  // The vendor left the form of a PUT out of what it expected (seen with its Node and Python clients).
  const pairs = [...query, ...(request.method === 'PUT' ? [] : form), ...proof]
    .map(([name, value]) => `${enc(name)}\u0000${enc(value)}`)
    .sort()
    .map(pair => pair.replace('\u0000', '='));
  const base = [
    request.method,
    `http://${request.headers.host!.toLowerCase().replace(/:80$/, '')}${request.path}`,
    pairs.join('&'),
  ]
    .map(enc)
    .join('&');
  const wanted = createHmac('sha1', `${enc(SECRET)}&`)
    .update(base)
    .digest('base64');
  if (proof.get('oauth_consumer_key') !== KEY || signature !== wanted) {
    refuse(error(401, `Invalid signature ${signature}. Signature base string should be ${base}`, { code: 105 }));
  }
  // By this machine's clock and not by the vendor's, which tests move.
  const now = Date.now() / 1000;
  const { clockWindow, refuseRepeatedNonces } = state.options;
  if (clockWindow && Math.abs(now - Number(proof.get('oauth_timestamp'))) > clockWindow)
    refuse(error(401, 'oauth_timestamp is too far from now'));
  if (!refuseRepeatedNonces) return;
  const used = `${proof.get('oauth_timestamp')} ${proof.get('oauth_nonce')}`;
  if (state.nonces.has(used)) refuse(error(401, 'oauth_nonce was used before'));
  if (state.nonces.size > 50_000)
    for (const [old, at] of state.nonces) if (at < now - 2 * (clockWindow || DAY)) state.nonces.delete(old);
  state.nonces.set(used, now);
}

/**
 * What a request may carry: pairs of a form, which are signed; those of a multipart body, which are not; files; or
 * JSON.
 */
interface Body {
  form: [string, string][];
  parts: [string, string][];
  files: Map<string, Buffer>;
  json?: unknown;
}
async function readBody(request: Seen): Promise<Body> {
  const body: Body = { form: [], parts: [], files: new Map() };
  const type = request.headers['content-type'] ?? '';
  if (request.body.length === 0) return body;
  if (/^application\/x-www-form-urlencoded\b/i.test(type))
    body.form = [...new URLSearchParams(request.body.toString('utf8'))];
  else if (/^multipart\/form-data\b/i.test(type)) {
    const data = await new Response(new Uint8Array(request.body), { headers: { 'content-type': type } })
      .formData()
      .catch(() => bad('The multipart body is malformed'));
    for (const [name, value] of data)
      if (typeof value === 'string') body.parts.push([name, value]);
      else body.files.set(name, Buffer.from(await value.arrayBuffer()));
  } else if (/^application\/json\b/i.test(type)) {
    try {
      body.json = JSON.parse(request.body.toString('utf8'));
    } catch {
      bad('The JSON body is malformed');
    }
  } else bad(`The content type ${type || 'of the body, which is not given,'} is not understood`);
  return body;
}

// ---- Parameters
// --------------------------------------------------------------------------------------------------------------

/**
 * The parameters of a request. Unknown ones are ignored, since the vendor's Python client sends an empty one; known
 * ones have to be what they are said to be.
 */
class Values {
  readonly all: Map<string, string[]>;
  constructor(pairs: Iterable<[string, string]>) {
    this.all = new Map();
    for (const [name, value] of pairs) this.all.set(name, [...(this.all.get(name) ?? []), value]);
  }
  text(name: string): string | undefined {
    const value = this.all.get(name)?.at(-1);
    return value === undefined || value === '' ? undefined : value;
  }
  given(name: string): boolean {
    return this.all.has(name);
  }
  need(name: string): string {
    return this.text(name) ?? bad(`${name} is required`);
  }
  whole(name: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : /^\d+$/.test(value) ? Number(value) : bad(`${name} must be an integer`);
  }
  bit(name: string): boolean | undefined {
    const value = this.text(name);
    return value === undefined
      ? undefined
      : value === '1'
        ? true
        : value === '0'
          ? false
          : bad(`${name} must be 0 or 1`);
  }
  url(name: string, needed = false): string | undefined {
    const value = needed ? this.need(name) : this.text(name);
    return value === undefined || (URL.canParse(value) && /^https?:/.test(value))
      ? value
      : bad(`${name} must be a URL`);
  }
  one(name: string, words: string[]): string | undefined {
    const value = this.text(name);
    return value === undefined || words.includes(value) ? value : bad(`${name} must be one of ${words.join(', ')}`);
  }
  /** A part of a list. Limits above 100 are 100, as in the late documents. */
  page<T>(items: T[], state: State, usual = 25): T[] {
    const limit = Math.min(100, this.whole('limit') ?? usual);
    const offset = state.options.ignoreOffset ? 0 : (this.whole('offset') ?? 0);
    return items.slice(offset, offset + limit);
  }
}

/** `/regex/`, or wildcards where they may be, or text that is contained. */
function matcher(pattern: string, wildcards = false): (text: string) => boolean {
  const expression = /^\/(.*)\/([imsu]*)$/s.exec(pattern);
  try {
    if (expression) {
      const found = new RegExp(expression[1]!, expression[2]);
      return text => found.test(text);
    }
  } catch {
    bad('The regular expression is malformed');
  }
  if (wildcards) {
    const all = new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replace(/\*/g, '.*')
        .replace(/\?/g, '.')}$`,
      'i',
    );
    return text => all.test(text);
  }
  return text => text.toLowerCase().includes(pattern.toLowerCase());
}
const involves = (people: (Person | undefined)[], wanted: string) =>
  wanted
    .split(',')
    .map(one => one.trim().toLowerCase())
    .some(one =>
      people.some(
        person =>
          person &&
          (one.includes('@') ? person.email.toLowerCase() === one : person.email.toLowerCase().endsWith(`@${one}`)),
      ),
    );

// ---- What is shown
// --------------------------------------------------------------------------------------------------------------

const accountUrl = (vendor: Vendor, account: Account) => `${vendor.url}/2.0/accounts/${account.id}`;
const viewSource = (vendor: Vendor, account: Account, source: Source) => ({
  server: source.server,
  label: source.label,
  username: source.username,
  port: source.port,
  authentication_type: source.authentication_type,
  use_ssl: source.use_ssl,
  status: source.status,
  type: 'imap',
  sync_period: '1d',
  service_level: 'pro',
  sync_flags: source.sync_flags,
  mailserviceAccountId: null,
  resource_url: `${accountUrl(vendor, account)}/sources/${enc(source.label)}`,
});
const viewAccount = (vendor: Vendor, account: Account, sources = account.sources) => ({
  id: account.id,
  username: account.username,
  created: account.created,
  suspended: account.suspended,
  email_addresses: account.addresses.map(({ email }) => email),
  first_name: account.first_name,
  last_name: account.last_name,
  password_expired: account.password_expired,
  sources: sources.map(source => viewSource(vendor, account, source)),
  nb_messages: account.mails.length,
  nb_files: account.mails.reduce((sum, mail) => sum + mail.files.length, 0),
  resource_url: accountUrl(vendor, account),
});
const nameParts = (name: string) => {
  const dot = name.lastIndexOf('.');
  return dot > 0
    ? [
        [name.slice(0, dot), 'main'],
        [name.slice(dot), 'ext'],
      ]
    : [[name, 'main']];
};
const viewAttached = (file: Attached, i: number) => ({
  file_id: file.file_id,
  file_name: file.file_name,
  file_name_structure: nameParts(file.file_name),
  size: file.content.length,
  type: file.type,
  body_section: String(i + 2),
  is_embedded: file.is_embedded,
  content_disposition: file.is_embedded ? 'inline' : 'attachment',
  content_id: file.content_id ?? null,
});
/** An empty map is a list, as PHP wrote it. */
const mapOf = (entries: [string, unknown][]) => (entries.length ? Object.fromEntries(entries) : []);
const addressesOf = (mail: Mail) =>
  mapOf([
    ...(mail.from ? [['from', mail.from] as [string, unknown]] : []),
    ...(['to', 'cc', 'bcc'] as const)
      .filter(kind => mail[kind].length)
      .map(kind => [kind, mail[kind]] as [string, unknown]),
  ]);
const personInfo = (mail: Mail) =>
  mapOf(
    [mail.from, ...mail.to]
      .filter(person => person?.name)
      .map(person => [person!.email, { thumbnail: `https://secure.gravatar.example/${hex(person!.email, 32)}` }]),
  );
const bodiesOf = (mail: Mail, type?: string) =>
  [
    { type: 'text/plain', charset: 'utf-8', content: mail.text, body_section: '1.1' },
    { type: 'text/html', charset: 'utf-8', content: mail.html, body_section: '1.2' },
  ].filter(part => !type || part.type === type);
const headersOf = (mail: Mail): Record<string, string[]> => ({
  ...(mail.from ? { From: [written(mail.from)] } : {}),
  ...(mail.to.length ? { To: [mail.to.map(written).join(', ')] } : {}),
  ...(mail.cc.length ? { Cc: [mail.cc.map(written).join(', ')] } : {}),
  Subject: [mail.subject],
  Date: [new Date(mail.date * 1000).toUTCString()],
  'Message-ID': [mail.email_message_id],
  ...(mail.references.length
    ? { 'In-Reply-To': [mail.references.at(-1)!], References: [mail.references.join(' ')] }
    : {}),
  Received: ['from a.example by b.example', 'from b.example by c.example'],
});
const written = ({ email, name }: Person) => (name ? `${name} <${email}>` : email);
const rawHeaders = (mail: Mail) =>
  Object.entries(headersOf(mail))
    .flatMap(([name, values]) => values.map(value => `${name}: ${value}\r\n`))
    .join('');
const rawOf = (mail: Mail): Buffer =>
  mail.raw ??
  Buffer.from(
    `${rawHeaders(mail)}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${mail.text.replace(/\r?\n/g, '\r\n')}`,
  );

function viewMail(vendor: Vendor, account: Account, mail: Mail, values: Values) {
  const bodyType = values.text('body_type');
  const headers = values.one('include_headers', ['0', '1', 'raw']);
  const live =
    ['include_body', 'include_flags', 'include_source'].filter(name => values.bit(name)).length > 0 ||
    (headers ?? '0') !== '0';
  if (live) reach(vendor, mail.source);
  return {
    message_id: mail.message_id,
    email_message_id: mail.email_message_id,
    ...(mail.gmail ? { gmail_message_id: mail.gmail.message, gmail_thread_id: mail.gmail.thread } : {}),
    subject: mail.subject,
    date: mail.date,
    date_indexed: mail.date_indexed,
    date_received: mail.date_received,
    addresses: addressesOf(mail),
    person_info: personInfo(mail),
    folders: mail.folders,
    sources: [
      { label: mail.source.label, resource_url: `${accountUrl(vendor, account)}/sources/${enc(mail.source.label)}` },
    ],
    files: mail.files.map(viewAttached),
    ...(mail.references.length ? { in_reply_to: mail.references.at(-1), references: mail.references } : {}),
    ...(values.bit('include_body') ? { body: bodiesOf(mail, bodyType) } : {}),
    ...(values.bit('include_flags') ? { flags: mail.flags } : {}),
    ...(headers === '1' ? { headers: headersOf(mail) } : headers === 'raw' ? { headers: rawHeaders(mail) } : {}),
    ...(values.bit('include_source') ? { source: rawOf(mail).toString('utf8') } : {}),
    ...(values.bit('include_thread_size') ? { thread_size: threadOf(account, mail).length } : {}),
    resource_url: `${accountUrl(vendor, account)}/messages/${mail.message_id}`,
  };
}
const viewFile = (vendor: Vendor, account: Account, mail: Mail, file: Attached) => ({
  ...viewAttached(file, mail.files.indexOf(file)),
  supports_preview: /pdf|text/.test(file.type),
  message_id: mail.message_id,
  email_message_id: mail.email_message_id,
  ...(mail.gmail ? { gmail_message_id: mail.gmail.message, gmail_thread_id: mail.gmail.thread } : {}),
  subject: mail.subject,
  date: mail.date,
  date_indexed: mail.date_indexed,
  addresses: addressesOf(mail),
  person_info: personInfo(mail),
  resource_url: `${accountUrl(vendor, account)}/files/${file.file_id}`,
});
const root = (mail: Mail) => mail.references[0] ?? mail.email_message_id;
const threadOf = (account: Account, mail: Mail) =>
  account.mails
    .filter(other => (mail.gmail ? other.gmail?.thread === mail.gmail.thread : root(other) === root(mail)))
    .sort((a, b) => a.date - b.date);
const viewToken = (vendor: Vendor, state: State, token: Token) => ({
  token: token.token,
  email: token.email,
  created: token.created,
  used: token.used,
  expires: token.used ? false : token.created + DAY,
  callback_url: token.values.callback_url,
  first_name: token.values.first_name ?? '',
  last_name: token.values.last_name ?? '',
  ...(token.serverLabel ? { serverLabel: token.serverLabel } : {}),
  account: token.account
    ? (found =>
        found
          ? { ...viewAccount(vendor, found), access_token: null, access_token_secret: 'not for anybody to see' }
          : [])(state.accounts.find(one => one.id === token.account))
    : [],
});
const viewHook = (url: string, hook: Hook) => ({
  ...hook.values,
  webhook_id: hook.webhook_id,
  active: hook.active,
  failure: hook.failure,
  resource_url: `${url}/${hook.webhook_id}`,
});

// ---- The world behind
// --------------------------------------------------------------------------------------------------------------

/** Whether a login would work now, as the word for the status of a source. */
function login(state: State, source: Pick<Source, 'server' | 'username' | 'password' | 'refreshToken'>): string {
  const server = state.servers[source.server];
  if (!server?.up) return 'CONNECTION_IMPOSSIBLE';
  const good =
    source.refreshToken === undefined
      ? server.logins[source.username] === source.password && source.password !== undefined
      : source.refreshToken.startsWith('good-');
  return !good ? 'INVALID_CREDENTIALS' : server.showsAllMail ? 'OK' : 'NO_ACCESS_TO_ALL_MAIL';
}
/**
 * On-demand calls fail like this while the mail server is away, and not in JSON (issue reports of the vendor's
 * clients).
 */
function reach(vendor: Vendor, source: Source) {
  if (!stateOf(vendor).servers[source.server]?.up)
    refuse({
      status: 503,
      headers: { 'content-type': 'text/html' },
      body: '<html><body><h1>503 Service Unavailable</h1></body></html>',
    });
}
const signed = (vendor: Vendor) => {
  const timestamp = seconds(vendor);
  const token = randomBytes(16).toString('hex');
  return { timestamp, token, signature: createHmac('sha256', SECRET).update(`${timestamp}${token}`).digest('hex') };
};
/**
 * POSTs to whoever wants to know; resolves with the status, or 0. Nothing is tried again: how often the vendor did is
 * not known.
 */
function post(state: State, url: string, body: object): Promise<number> {
  const work = fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    redirect: 'manual',
    signal: AbortSignal.timeout(5000),
  }).then(
    async answer => {
      await answer.arrayBuffer();
      return answer.status;
    },
    () => 0,
  );
  state.calls.push(work);
  return work;
}
function setStatus(vendor: Vendor, state: State, account: Account, source: Source, status: string) {
  if (source.status === status) return;
  source.status = status;
  const url = source.status_callback_url ?? state.statusCallback;
  if (url)
    void post(state, url, {
      account_id: account.id,
      server_label: source.label,
      failure: status,
      failure_message: status === 'OK' ? '' : `The source is ${status}`,
      ...signed(vendor),
    });
}
/** One look at the mail server, at a second of vendor time. */
function look(vendor: Vendor, state: State, account: Account, source: Source, at: number) {
  const result = login(state, source);
  source.lastStart = at;
  if (result === 'OK') {
    source.failures = 0;
    source.lastStop = at + SYNC_TAKES;
    setStatus(vendor, state, account, source, 'OK');
    return;
  }
  source.failures++;
  setStatus(
    vendor,
    state,
    account,
    source,
    source.failures >= FAILURES_DISABLED ? 'DISABLED' : source.failures >= FAILURES_TEMP ? 'TEMP_DISABLED' : result,
  );
}
/** Does everything whose time has come by the vendor's clock. */
function settle(vendor: Vendor) {
  const state = stateOf(vendor);
  const now = seconds(vendor);
  for (const account of state.accounts) {
    account.tokens = account.tokens.filter(token => token.used || token.created + DAY > now);
    for (const source of account.sources) {
      if (!source.imported && now >= source.created + FIRST_IMPORT && source.status === 'OK') {
        source.imported = true;
        source.lastStart = source.created + FIRST_LOOK;
        source.lastStop = source.next = source.created + FIRST_IMPORT;
        for (let i = 0; i < 3; i++)
          account.mails.push(seedMail(state, account, source, 9000 + i, source.created - i * DAY, source.lastStop));
        if (source.callback_url)
          void post(state, source.callback_url, {
            account_id: account.id,
            server_label: source.label,
            ...signed(vendor),
          });
      }
      const due = source.queued.filter(at => at <= now);
      source.queued = source.queued.filter(at => at > now);
      // A source that has been left alone for years looks at most at a dozen of the hours it missed.
      for (
        let i = 0;
        i < 12 && source.status !== 'DISABLED' && source.imported && source.next + SYNC_EVERY <= now;
        i++
      ) {
        source.next += SYNC_EVERY;
        look(vendor, state, account, source, source.next);
      }
      if (source.next + SYNC_EVERY <= now) source.next = now;
      if (source.status !== 'DISABLED') for (const at of due) look(vendor, state, account, source, at);
    }
  }
  state.tokens = state.tokens.filter(token => token.used || token.created + DAY > now);
}

/** A mail as `deliver` takes it. Times are Unix seconds; `date` is the Date header and may lie anywhere. */
export interface Delivery {
  subject?: string;
  from?: Person;
  to?: Person[];
  text?: string;
  date?: number;
  indexed?: number;
  folder?: string;
  files?: { name: string; type: string; content: Buffer }[];
  account?: string;
  source?: string;
}
/**
 * A mail arrives: it is indexed at once and told to every webhook it matches. Resolves with its id when all calls have
 * been made.
 */
export async function deliver(vendor: Vendor, mail: Delivery = {}): Promise<string> {
  const state = stateOf(vendor);
  const account = state.accounts.find(one => one.id === (mail.account ?? MAIN))!;
  const source = mail.source ? account.sources.find(one => one.label === mail.source)! : account.sources.at(-1)!;
  const now = seconds(vendor);
  const made = seedMail(state, account, source, state.serial + 20_000, mail.date ?? now, mail.indexed ?? now);
  Object.assign(made, {
    folders: [mail.folder ?? 'INBOX'],
    ...(mail.subject === undefined ? {} : { subject: mail.subject }),
    ...(mail.from ? { from: mail.from } : {}),
    ...(mail.to ? { to: mail.to } : {}),
    ...(mail.text === undefined ? {} : { text: mail.text }),
    flags: { seen: false, answered: false, flagged: false, deleted: false, draft: false },
    files: (mail.files ?? []).map(file => attached(id24(state), file.name, file.type, file.content)),
  });
  account.mails.push(made);
  await tell(vendor, account, made);
  return made.message_id;
}
/** Takes a message away, as its owner does with another mail program. */
export function vanish(vendor: Vendor, messageId: string): void {
  for (const account of stateOf(vendor).accounts)
    account.mails = account.mails.filter(mail => mail.message_id !== messageId);
}
/** The mail servers of the pretend world: take one down, change a password. */
export const mailServers = (vendor: Vendor): Record<string, MailServer> => stateOf(vendor).servers;
/** Resolves when every call to a webhook or callback that was begun has ended. */
export async function callsMade(vendor: Vendor): Promise<void> {
  const state = stateOf(vendor);
  while (state.calls.length) await Promise.all(state.calls.splice(0));
}

function matchesHook({ values }: Hook, mail: Mail): boolean {
  const people = (name: string, who: (Person | undefined)[]) =>
    !values[name] ||
    values[name]!.split(',').some(wanted =>
      who.some(
        person => person && `${person.name ?? ''} ${person.email}`.toLowerCase().includes(wanted.trim().toLowerCase()),
      ),
    );
  const domain = (name: string, who: (Person | undefined)[]) =>
    !values[name] || who.some(person => person?.email.endsWith(`@${values[name]}`));
  return (
    people('filter_to', mail.to) &&
    people('filter_from', [mail.from]) &&
    people('filter_cc', mail.cc) &&
    domain('filter_to_domain', mail.to) &&
    domain('filter_from_domain', [mail.from]) &&
    (!values.filter_subject || matcher(values.filter_subject)(mail.subject)) &&
    (!values.filter_file_name || mail.files.some(file => matcher(values.filter_file_name!, true)(file.file_name))) &&
    (!values.filter_thread || [mail.gmail?.thread, root(mail), mail.message_id].includes(values.filter_thread)) &&
    (values.filter_new_important ?? '0') === '0' &&
    (!values.filter_folder_added || mail.folders.includes(values.filter_folder_added)) &&
    !values.filter_folder_removed
  );
}
async function tell(vendor: Vendor, account: Account, mail: Mail) {
  const state = stateOf(vendor);
  await Promise.all(
    [...account.webhooks, ...state.hooks]
      .filter(hook => hook.active && matchesHook(hook, mail))
      .map(async hook => {
        const { values } = hook;
        const status = await post(state, values.callback_url!, {
          account_id: account.id,
          webhook_id: hook.webhook_id,
          ...signed(vendor),
          message_data: {
            message_id: mail.message_id,
            email_message_id: mail.email_message_id,
            subject: mail.subject,
            date: mail.date,
            date_received: mail.date_received,
            folders: mail.folders,
            references: mail.references,
            sources: [{ label: mail.source.label }],
            addresses: addressesOf(mail),
            person_info: personInfo(mail),
            flags: mail.flags,
            files: mail.files.map(file => ({
              attachment_id: file.file_id,
              main_file_name: file.file_name,
              x_attachment_id: null,
              type: file.type,
              size: file.content.length,
            })),
            ...(values.include_body === '1' ? { bodies: bodiesOf(mail, values.body_type) } : {}),
            ...(values.include_header && values.include_header !== '0' ? { headers: headersOf(mail) } : {}),
          },
        });
        if (status >= 200 && status < 300) return;
        hook.failure = true;
        hook.active = false;
        await post(state, values.failure_notif_url!, {
          account_id: account.id,
          webhook_id: hook.webhook_id,
          ...signed(vendor),
          data: `The callback answered with ${status || 'nothing'}`,
        });
      }),
  );
}

// ---- Seeds
// --------------------------------------------------------------------------------------------------------------

const attached = (
  file_id: string,
  file_name: string,
  type: string,
  content: Buffer,
  is_embedded = false,
): Attached => ({
  file_id,
  file_name,
  type,
  content,
  is_embedded,
  ...(is_embedded ? { content_id: `<${file_id}@example.com>` } : {}),
});

function seedMail(state: State, account: Account, source: Source, n: number, date: number, indexed: number): Mail {
  const gmail = state.servers[source.server]?.gmail === true;
  const email = `person${String(n % 130).padStart(3, '0')}@${n % 2 ? 'example.org' : 'example.net'}`;
  const owner: Person = {
    email: account.addresses[0]!.email,
    name: `${account.first_name} ${account.last_name}`.trim() || undefined,
  };
  const other: Person = { email, ...(n % 3 ? { name: `Person ${n % 130}` } : {}) };
  const pair = Math.floor(n / 2);
  const first = `<seed${pair * 2}.${account.id}@example.org>`;
  return {
    message_id: id24(state),
    email_message_id: `<seed${n}.${account.id}@example.org>`,
    source,
    folders: [n % 5 ? 'INBOX' : 'Archive', ...(gmail && n % 7 === 0 ? ['\\Starred'] : [])],
    ...(gmail ? { gmail: { message: hex(`m${n}${account.id}`, 16), thread: hex(`t${pair}${account.id}`, 16) } } : {}),
    subject: n === 3 ? 'Grüße: "quoted", 漢字 & <tags>' : `${n % 2 ? 'Re: ' : ''}Subject ${pair}`,
    ...(n % 6 ? { from: other, to: [owner] } : { from: owner, to: [other] }),
    cc: n % 9 ? [] : [{ email: 'cc@example.com' }],
    bcc: [],
    date,
    date_indexed: indexed,
    date_received: Math.min(date + 2, indexed),
    text: `Text of message ${n}\n`,
    html: `<p>Text of message <b>${n}</b></p>`,
    files:
      n % 2
        ? []
        : [
            attached(
              hex(`f${n}${account.id}`, 24),
              n === 2 ? 'Übersicht "2018".pdf' : `report${n}.${n % 4 ? 'pdf' : 'txt'}`,
              n % 4 ? 'application/pdf' : 'text/plain',
              Buffer.from(`content of file ${n}\n`.repeat(1 + (n % 40))),
              n % 10 === 0,
            ),
          ],
    references: n % 2 ? [first] : [],
    flags: { seen: n % 4 !== 0, answered: n % 8 === 1, flagged: n % 7 === 0, deleted: false, draft: false },
  };
}
function makeSource(
  vendor: Vendor,
  fields: Partial<Source> & Pick<Source, 'email' | 'server' | 'username' | 'port'>,
  done: boolean,
): Source {
  const now = seconds(vendor);
  const gmail = stateOf(vendor).servers[fields.server]?.gmail;
  return {
    label: `${fields.username}::${fields.server}`,
    use_ssl: true,
    authentication_type: 'password',
    status: 'OK',
    failures: 0,
    created: now,
    queued: [],
    lastStart: done ? now - 60 : 0,
    lastStop: done ? now - 56 : 0,
    next: now,
    imported: done,
    sync_flags: false,
    folders: [
      { name: 'INBOX', delim: '/' },
      { name: 'Archive', delim: '/' },
      { name: 'Sent', delim: '/' },
      { name: 'Trash', delim: '/' },
      { name: 'base folder/my folder', delim: '/' },
      ...(gmail
        ? [
            { name: '[Gmail]/All Mail', delim: '/', symbolic_name: '\\AllMail' },
            { name: '[Gmail]/Starred', delim: '/', symbolic_name: '\\Starred' },
          ]
        : []),
    ],
    ...fields,
  };
}
const makeAccount = (id: string, email: string, now: number, first_name: string, last_name: string): Account => ({
  id,
  username: `${email.replace('@', '.')}_${hex(id, 16)}`,
  created: now,
  suspended: 0,
  first_name,
  last_name,
  password_expired: 0,
  addresses: [{ email, validated: now, primary: 1 }],
  sources: [],
  mails: [],
  webhooks: [],
  tokens: [],
});

function seed(vendor: Vendor, state: State) {
  const now = seconds(vendor);
  const main = makeAccount(MAIN, MAIN_EMAIL, now - 400 * DAY, 'Ann', 'Example');
  main.addresses.push({ email: 'ann.example@example.org', validated: now - 300 * DAY, primary: 0 });
  main.sources = [
    makeSource(
      vendor,
      { email: MAIN_EMAIL, server: 'imap.gmail.example', username: MAIN_EMAIL, port: 993, password: PASSWORD },
      true,
    ),
    makeSource(
      vendor,
      {
        email: MAIN_EMAIL,
        server: 'imap.example.com',
        username: 'ann',
        port: 993,
        password: PASSWORD,
        sync_flags: true,
      },
      true,
    ),
  ];
  // Five minutes and a second between them; every eleventh was indexed years after its date.
  for (let n = 0; n < 300; n++) {
    const indexed = now - (300 - n) * 3601;
    main.mails.push(
      seedMail(state, main, main.sources[n % 10 ? 0 : 1]!, n, n % 11 ? indexed - 3 : indexed - 900 * DAY, indexed),
    );
  }
  main.mails[150]!.from = undefined;
  main.mails[150]!.to = [];
  main.mails[150]!.flags.draft = true;
  const trouble = makeAccount(TROUBLED, 'bob@example.com', now - 390 * DAY, 'Bob', 'Example');
  trouble.sources = STATUSES.map((status, i) =>
    makeSource(
      vendor,
      {
        email: 'bob@example.com',
        server: 'imap.example.com',
        username: `bob${i}`,
        port: 143,
        use_ssl: false,
        password: 'wrong',
        status,
        next: now + 5 * 365 * DAY,
      },
      true,
    ),
  );
  state.accounts.push(main, trouble);
  for (let n = 3; n <= 130; n++) {
    const account = makeAccount(
      `4f0f1c4f3f757edc3b${n.toString(16).padStart(6, '0')}`,
      `user${String(n).padStart(3, '0')}@example.com`,
      now - (380 - n) * DAY,
      `User${n}`,
      'Example',
    );
    if (n % 3 === 0)
      account.sources = [
        makeSource(
          vendor,
          {
            email: account.addresses[0]!.email,
            server: 'imap.example.com',
            username: `user${n}`,
            port: 993,
            password: PASSWORD,
            ...(n % 9 ? {} : { status: 'INVALID_CREDENTIALS', password: 'wrong' }),
          },
          true,
        ),
      ];
    if (n === 10) account.suspended = now - DAY;
    state.accounts.push(account);
  }
}

// ---- Requests
// --------------------------------------------------------------------------------------------------------------

interface Call {
  vendor: Vendor;
  state: State;
  request: Seen;
  values: Values;
  body: Body;
  path: string[];
}
type Route = (call: Call) => Reply | Promise<Reply>;

const accountOf = ({ state, path }: Call): Account =>
  state.accounts.find(one => one.id === path[0]) ?? refuse(error(404, `There is no account ${path[0]}`));
/** `0` is the first source. */
const findSource = (account: Account, label: string): Source | undefined =>
  label === '0' ? account.sources[0] : account.sources.find(one => one.label === label);
const sourceOf = (call: Call, label = call.path[1]!): Source =>
  findSource(accountOf(call), label) ?? refuse(error(404, `There is no source ${label}`));
const folderOf = (call: Call): FolderState => {
  const source = sourceOf(call);
  const delim = call.values.text('delim') ?? '/';
  const name = call.path[2]!;
  return (
    source.folders.find(one => one.name === name.split(delim).join(one.delim)) ??
    refuse(error(404, `There is no folder ${name}`))
  );
};
/** The three ways to name a message. */
const mailOf = (call: Call): Mail =>
  accountOf(call).mails.find(mail =>
    [mail.message_id, mail.email_message_id, `gm-${mail.gmail?.message}`].includes(call.path[1]!),
  ) ?? refuse(error(404, `There is no message ${call.path[1]}`));
const fileOf = (call: Call): [Mail, Attached] => {
  for (const mail of accountOf(call).mails)
    for (const file of mail.files) if (file.file_id === call.path[1]) return [mail, file];
  return refuse(error(404, `There is no file ${call.path[1]}`));
};
const gmailThread = (call: Call): Mail[] => {
  const mails = accountOf(call)
    .mails.filter(mail => mail.gmail && `gm-${mail.gmail.thread}` === call.path[1])
    .sort((a, b) => a.date - b.date);
  return mails.length ? mails : refuse(error(404, `There is no thread ${call.path[1]}`));
};
const withContact = (call: Call): Mail[] => {
  const account = accountOf(call);
  const wanted = call.path[1]!.toLowerCase();
  const mails = account.mails.filter(mail =>
    [mail.from, ...mail.to, ...mail.cc].some(person => person?.email.toLowerCase() === wanted),
  );
  return mails.length && !account.addresses.some(({ email }) => email === wanted)
    ? newestFirst(mails)
    : refuse(error(404, `There is no contact ${call.path[1]}`));
};
const newestFirst = (mails: Mail[]) =>
  [...mails].sort((a, b) => b.date - a.date || (a.message_id < b.message_id ? 1 : -1));

function filtered(call: Call): Mail[] {
  const { values } = call;
  const account = accountOf(call);
  const subject = values.text('subject');
  const test = subject ? matcher(subject) : undefined;
  const name = values.text('file_name');
  const nameTest = name ? matcher(name, true) : undefined;
  const source = values.text('source');
  const folder = values.text('folder');
  const smallest = values.whole('file_size_min');
  const largest = values.whole('file_size_max');
  const who = (kind: string) => values.text(kind);
  const between = (at: number, kind: string) =>
    (values.whole(`${kind}_before`) ?? Infinity) > at && (values.whole(`${kind}_after`) ?? -Infinity) < at;
  const wantedSource = source ? findSource(account, source) : undefined;
  const found = account.mails.filter(
    mail =>
      (!test || test(mail.subject)) &&
      (!source || mail.source === wantedSource) &&
      (!folder || mail.folders.includes(folder)) &&
      (!who('email') || involves([mail.from, ...mail.to, ...mail.cc, ...mail.bcc], who('email')!)) &&
      (!who('from') || involves([mail.from], who('from')!)) &&
      (['to', 'cc', 'bcc'] as const).every(kind => !who(kind) || involves(mail[kind], who(kind)!)) &&
      (!nameTest || mail.files.some(file => nameTest(file.file_name))) &&
      (smallest === undefined || mail.files.some(file => file.content.length >= smallest)) &&
      (largest === undefined || mail.files.some(file => file.content.length <= largest)) &&
      between(mail.date, 'date') &&
      between(mail.date_indexed, 'indexed'),
  );
  // By the Date header, so that clients who take it for the time of arrival are found out.
  const sorted = newestFirst(found);
  return values.one('sort_order', ['asc', 'desc']) === 'asc' ? sorted.reverse() : sorted;
}

function filteredSources(sources: Source[], values: Values): Source[] {
  const status = values.one('status', STATUSES);
  const works = values.bit('status_ok');
  return sources.filter(
    source =>
      (status === undefined || source.status === status) && (works === undefined || (source.status === 'OK') === works),
  );
}

/**
 * A source from a form; a refusal with the vendor's own shape when it cannot be used (the vendor's Ruby client reads
 * it).
 */
function newSource({ vendor, state, values }: Call): Source {
  const email = values.need('email');
  const server = values.need('server');
  const username = values.need('username');
  const port = values.whole('port') ?? bad('port is required');
  if (!values.given('use_ssl')) bad('use_ssl is required');
  if (values.need('type').toUpperCase() !== 'IMAP') bad('type must be IMAP');
  if (port < 1 || port > 65535) bad('port must lie between 1 and 65535');
  const refreshToken = values.text('provider_refresh_token') ?? values.text('provider_token');
  if (
    refreshToken !== undefined &&
    !state.providers.some(one => one.provider_consumer_key === values.text('provider_consumer_key'))
  )
    bad('provider_consumer_key is not known');
  if (refreshToken === undefined && !values.text('password')) bad('password is required');
  for (const name of ['sync_all_folders', 'expunge_on_deleted_flag', 'sync_flags', 'raw_file_list']) values.bit(name);
  const source = makeSource(
    vendor,
    {
      email,
      server,
      username,
      port,
      use_ssl: values.text('use_ssl') === '1',
      sync_flags: values.bit('sync_flags') ?? false,
      callback_url: values.url('callback_url'),
      status_callback_url: values.url('status_callback_url'),
      ...(refreshToken === undefined
        ? { password: values.text('password') }
        : { refreshToken, authentication_type: 'oauth2' }),
    },
    false,
  );
  const result = login(state, source);
  if (result !== 'OK') {
    refuse({
      status: 400,
      body: {
        success: false,
        feedback_code: result.toLowerCase(),
        connectionLog:
          result === 'CONNECTION_IMPOSSIBLE'
            ? `connecting to ${server}:${port}\r\nno answer`
            : `* OK ${server} ready\r\na1 LOGIN ${username} "${values.text('password') ?? refreshToken}"\r\na1 NO login failed`,
      },
    });
  }
  return source;
}
const SOURCE_FIELDS = [
  'server',
  'username',
  'use_ssl',
  'port',
  'type',
  'password',
  'provider_refresh_token',
  'provider_token',
  'provider_consumer_key',
];

const hookView = (call: Call, hooks: Hook[]) =>
  hooks.find(hook => hook.webhook_id === call.path.at(-1)) ??
  refuse(error(404, `There is no webhook ${call.path.at(-1)}`));
const HOOK_FIELDS = [
  'callback_url',
  'failure_notif_url',
  'filter_to',
  'filter_from',
  'filter_cc',
  'filter_to_domain',
  'filter_from_domain',
  'filter_subject',
  'filter_thread',
  'filter_new_important',
  'filter_file_name',
  'filter_folder_added',
  'filter_folder_removed',
  'include_body',
  'body_type',
  'include_header',
  'receive_historical',
  'receive_all_changes',
  'receive_drafts',
  'sync_period',
];
const hookValues = (values: Values): Record<string, string> => {
  for (const name of [
    'filter_new_important',
    'include_body',
    'receive_historical',
    'receive_all_changes',
    'receive_drafts',
  ])
    values.bit(name);
  if (values.text('filter_subject')) matcher(values.text('filter_subject')!);
  return Object.fromEntries(
    HOOK_FIELDS.filter(name => values.given(name)).map(name => [name, values.text(name) ?? '']),
  );
};
const hookRoutes = (
  prefix: string,
  hooksOf: (call: Call) => Hook[],
  set: (call: Call, hooks: Hook[]) => void,
  urlOf: (call: Call) => string,
): Record<string, Route> => ({
  [`GET ${prefix}`]: call => bare(hooksOf(call).map(hook => viewHook(urlOf(call), hook))),
  [`POST ${prefix}`]: call => {
    call.values.url('callback_url', true);
    call.values.url('failure_notif_url', true);
    const hook: Hook = { webhook_id: id24(call.state), active: true, failure: false, values: hookValues(call.values) };
    set(call, [...hooksOf(call), hook]);
    return created({ webhook_id: hook.webhook_id, resource_url: `${urlOf(call)}/${hook.webhook_id}` });
  },
  [`GET ${prefix}/:webhook`]: call => bare(viewHook(urlOf(call), hookView(call, hooksOf(call)))),
  [`POST ${prefix}/:webhook`]: call => {
    const hook = hookView(call, hooksOf(call));
    const active = call.values.bit('active');
    const changes = hookValues(call.values);
    call.values.url('callback_url');
    call.values.url('failure_notif_url');
    if (active !== undefined) {
      hook.active = active;
      if (active) hook.failure = false;
    }
    if (!call.state.options.early) Object.assign(hook.values, changes);
    return ok();
  },
  [`DELETE ${prefix}/:webhook`]: call => {
    const hook = hookView(call, hooksOf(call));
    set(
      call,
      hooksOf(call).filter(one => one !== hook),
    );
    return ok();
  },
});
const tokenOf = (call: Call, tokens: Token[]) =>
  tokens.find(one => one.token === call.path.at(-1)) ?? refuse(error(404, 'There is no such connect token'));
const tokenRoutes = (
  prefix: string,
  tokensOf: (call: Call) => Token[],
  set: (call: Call, tokens: Token[]) => void,
): Record<string, Route> => ({
  [`GET ${prefix}`]: call => bare(tokensOf(call).map(token => viewToken(call.vendor, call.state, token))),
  [`POST ${prefix}`]: call => {
    const { values, vendor } = call;
    values.url('callback_url', true);
    for (const name of ['source_sync_all_folders', 'source_sync_flags', 'source_raw_file_list']) values.bit(name);
    const names = ['callback_url', 'email', 'first_name', 'last_name', 'source_callback_url', 'status_callback_url'];
    const token: Token = {
      token: randomBytes(16).toString('hex'),
      email: values.text('email') ?? '',
      created: seconds(vendor),
      used: 0,
      values: Object.fromEntries(names.filter(name => values.text(name)).map(name => [name, values.text(name)!])),
      ...(call.path[0] ? { account: undefined } : {}),
    };
    set(call, [...tokensOf(call), token]);
    return created({
      token: token.token,
      resource_url: `${vendor.url}${call.request.path.replace(/\/+$/, '')}/${token.token}`,
      browser_redirect_url: `${vendor.url}/connect/${token.token}`,
    });
  },
  [`GET ${prefix}/:token`]: call => bare(viewToken(call.vendor, call.state, tokenOf(call, tokensOf(call)))),
  [`DELETE ${prefix}/:token`]: call => {
    const token = tokenOf(call, tokensOf(call));
    set(
      call,
      tokensOf(call).filter(one => one !== token),
    );
    return ok();
  },
});

/** What the first import of each folder has come to. */
const syncOf = (vendor: Vendor, source: Source) =>
  seconds(vendor) < source.created + FIRST_LOOK
    ? null
    : Object.fromEntries(
        source.folders.map(({ name }) => [
          name,
          {
            initial_import_finished: source.imported,
            last_expunge: source.lastStop,
            last_sync_start: source.lastStart,
            last_sync_stop: Math.min(source.lastStop, seconds(vendor)),
          },
        ]),
      );
const queue = (vendor: Vendor, sources: Source[]) => {
  for (const source of sources) source.queued.push(seconds(vendor) + 1);
  return sources.map(source => source.label);
};

function viewFolder(account: Account, source: Source, folder: FolderState, i: number, extended: boolean) {
  const mails = account.mails.filter(
    mail =>
      mail.source === source && mail.folders.includes(folder.symbolic_name === '\\Starred' ? '\\Starred' : folder.name),
  );
  return {
    name: folder.name,
    delim: folder.delim,
    nb_messages: i % 2 ? mails.length : String(mails.length),
    included_in_sync: folder.name !== 'Trash',
    ...(folder.symbolic_name ? { symbolic_name: folder.symbolic_name } : {}),
    attributes: { Noinferiors: false, Marked: false, HasChildren: false, Noselect: false, HasNoChildren: true },
    ...(extended ? { nb_unseen_messages: mails.filter(mail => !mail.flags.seen).length } : {}),
  };
}
const flagsOf = (values: Values, prefix: string) =>
  Object.fromEntries(
    (['seen', 'answered', 'flagged', 'deleted', 'draft'] as const).flatMap(name => {
      const on = values.bit(prefix + name);
      return on === undefined ? [] : [[name, on]];
    }),
  );
/** A folder by its full or symbolic name, as `dst_folder` and the folders of a message give it. */
const known = (source: Source, name: string) =>
  source.folders.some(folder => folder.name === name || folder.symbolic_name === name)
    ? name
    : bad(`There is no folder ${name}`);

const routes: Record<string, Route> = {
  'GET /2.0/accounts': ({ vendor, state, values }) => {
    const email = values.text('email')?.toLowerCase();
    const narrowed = values.text('status') !== undefined || values.text('status_ok') !== undefined;
    const found = state.accounts
      .map(account => [account, filteredSources(account.sources, values)] as const)
      .filter(
        ([account, sources]) =>
          (!email || account.addresses.some(one => one.email.toLowerCase() === email)) &&
          (!narrowed || sources.length > 0),
      );
    return bare(values.page(found, state).map(([account, sources]) => viewAccount(vendor, account, sources)));
  },
  'POST /2.0/accounts': call => {
    const { vendor, state, values } = call;
    const email = values.need('email');
    if (!/^[^@\s]+@[^@\s]+$/.test(email)) bad('email must be an address');
    const source = SOURCE_FIELDS.some(name => values.text(name) !== undefined) ? newSource(call) : undefined;
    const account = makeAccount(
      id24(state),
      email,
      seconds(vendor),
      values.text('first_name') ?? '',
      values.text('last_name') ?? '',
    );
    if (source) account.sources.push(source);
    state.accounts.push(account);
    return created({
      id: account.id,
      resource_url: accountUrl(vendor, account),
      ...(source
        ? { source: { label: source.label, resource_url: viewSource(vendor, account, source).resource_url } }
        : {}),
    });
  },
  'GET /2.0/accounts/:account': call => bare(viewAccount(call.vendor, accountOf(call))),
  'POST /2.0/accounts/:account': call => {
    const account = accountOf(call);
    for (const name of ['first_name', 'last_name'] as const)
      if (call.values.given(name)) account[name] = call.values.text(name) ?? '';
    return ok();
  },
  'DELETE /2.0/accounts/:account': call => {
    const account = accountOf(call);
    call.state.accounts = call.state.accounts.filter(one => one !== account);
    return ok();
  },

  'GET /2.0/accounts/:account/email_addresses': call => bare(accountOf(call).addresses),
  'POST /2.0/accounts/:account/email_addresses': call => {
    const account = accountOf(call);
    const email = call.values.need('email_address');
    if (!/^[^@\s]+@[^@\s]+$/.test(email)) bad('email_address must be an address');
    if (account.addresses.some(one => one.email === email)) bad('The account has this address already');
    account.addresses.push({ email, validated: seconds(call.vendor), primary: 0 });
    return created({
      email_address: email,
      resource_url: `${accountUrl(call.vendor, account)}/email_addresses/${enc(email)}`,
    });
  },
  'GET /2.0/accounts/:account/email_addresses/:email': call =>
    call.state.options.early ? refuse(error(405, 'This verb is not allowed here')) : bare(addressOf(call)),
  'POST /2.0/accounts/:account/email_addresses/:email': call => {
    const account = accountOf(call);
    const address = addressOf(call);
    if (!call.values.bit('primary')) bad('primary must be 1');
    for (const one of account.addresses) one.primary = one === address ? 1 : 0;
    account.addresses.sort((a, b) => b.primary - a.primary);
    return ok();
  },
  'DELETE /2.0/accounts/:account/email_addresses/:email': call => {
    const account = accountOf(call);
    const address = addressOf(call);
    if (address.primary) bad('The primary address cannot be removed');
    account.addresses = account.addresses.filter(one => one !== address);
    return ok();
  },

  'GET /2.0/accounts/:account/sources': call =>
    bare(
      filteredSources(accountOf(call).sources, call.values).map(source =>
        viewSource(call.vendor, accountOf(call), source),
      ),
    ),
  'POST /2.0/accounts/:account/sources': call => {
    const account = accountOf(call);
    const source = newSource(call);
    if (account.sources.some(one => one.label === source.label)) bad('The account has this source already');
    account.sources.push(source);
    if (!account.addresses.some(one => one.email === source.email))
      account.addresses.push({ email: source.email, validated: seconds(call.vendor), primary: 0 });
    return created({ label: source.label, resource_url: viewSource(call.vendor, account, source).resource_url });
  },
  'GET /2.0/accounts/:account/sources/:source': call => bare(viewSource(call.vendor, accountOf(call), sourceOf(call))),
  'POST /2.0/accounts/:account/sources/:source': call => {
    const { vendor, state, values } = call;
    const account = accountOf(call);
    const source = sourceOf(call);
    if (values.bit('force_status_check')) {
      if (call.body.form.length + call.body.parts.length > 1) bad('force_status_check has to stand alone');
      const result = login(state, source);
      if (result === 'OK') source.failures = 0;
      setStatus(vendor, state, account, source, result);
      return bare({ status: source.status });
    }
    for (const name of ['sync_all_folders', 'expunge_on_deleted_flag']) values.bit(name);
    if (values.text('password')) source.password = values.text('password');
    if (values.text('provider_refresh_token')) source.refreshToken = values.text('provider_refresh_token');
    if (values.given('status_callback_url')) source.status_callback_url = values.url('status_callback_url');
    if (values.given('status')) {
      if (values.text('status') !== '1') bad('status must be 1');
      source.failures = 0;
      source.next = seconds(vendor);
      setStatus(vendor, state, account, source, login(state, source));
    }
    return ok();
  },
  'DELETE /2.0/accounts/:account/sources/:source': call => {
    const account = accountOf(call);
    const source = sourceOf(call);
    account.sources = account.sources.filter(one => one !== source);
    account.mails = account.mails.filter(mail => mail.source !== source);
    return ok();
  },
  'GET /2.0/accounts/:account/sources/:source/folders': call => {
    const source = sourceOf(call);
    const extended = call.values.bit('include_extended_counts') ?? false;
    if (extended || call.values.bit('no_cache')) reach(call.vendor, source);
    return bare(source.folders.map((folder, i) => viewFolder(accountOf(call), source, folder, i, extended)));
  },
  'GET /2.0/accounts/:account/sources/:source/folders/:folder': call =>
    bare(viewFolder(accountOf(call), sourceOf(call), folderOf(call), 0, false)),
  'PUT /2.0/accounts/:account/sources/:source/folders/:folder': call => {
    const source = sourceOf(call);
    const name = call.path[2]!.split(call.values.text('delim') ?? '/').join('/');
    reach(call.vendor, source);
    if (source.folders.some(folder => folder.name === name)) bad('The folder exists already');
    source.folders.push({ name, delim: '/' });
    return created({
      resource_url: `${viewSource(call.vendor, accountOf(call), source).resource_url}/folders/${enc(name)}`,
    });
  },
  'DELETE /2.0/accounts/:account/sources/:source/folders/:folder': call => {
    const account = accountOf(call);
    const source = sourceOf(call);
    const folder = folderOf(call);
    reach(call.vendor, source);
    if (folder.name === 'INBOX') bad('INBOX cannot be deleted');
    source.folders = source.folders.filter(one => one !== folder);
    account.mails = account.mails.filter(
      mail => mail.source !== source || mail.folders.some(name => name !== folder.name),
    );
    return ok();
  },
  'POST /2.0/accounts/:account/sources/:source/folders/:folder/expunge': call => {
    const account = accountOf(call);
    const source = sourceOf(call);
    const folder = folderOf(call);
    reach(call.vendor, source);
    account.mails = account.mails.filter(
      mail => !(mail.source === source && mail.folders.includes(folder.name) && mail.flags.deleted),
    );
    return ok();
  },
  'GET /2.0/accounts/:account/sources/:source/folders/:folder/messages': call => {
    const account = accountOf(call);
    const source = sourceOf(call);
    const folder = folderOf(call);
    const seen = call.values.bit('flag_seen');
    reach(call.vendor, source);
    const mails = newestFirst(
      account.mails.filter(
        mail =>
          mail.source === source &&
          mail.folders.includes(folder.name) &&
          (seen === undefined || mail.flags.seen === seen),
      ),
    );
    return bare(call.values.page(mails, call.state).map(mail => viewMail(call.vendor, account, mail, call.values)));
  },
  'GET /2.0/accounts/:account/sources/:source/sync': call => {
    const source = sourceOf(call);
    return bare(syncOf(call.vendor, source) ?? { [source.label]: null });
  },
  'POST /2.0/accounts/:account/sources/:source/sync': call => {
    const source = sourceOf(call);
    const labels = queue(call.vendor, [source]);
    return ok({
      syncs_queued: labels,
      syncsQueued: labels,
      label: source.label,
      resource_url: `${viewSource(call.vendor, accountOf(call), source).resource_url}/sync`,
    });
  },
  'GET /2.0/accounts/:account/sync': call => {
    const account = accountOf(call);
    return bare(mapOf(account.sources.map(source => [source.label, syncOf(call.vendor, source)])) as object);
  },
  'POST /2.0/accounts/:account/sync': call => {
    const account = accountOf(call);
    const labels = queue(call.vendor, account.sources);
    return ok({ syncs_queued: labels, syncsQueued: labels, resource_url: `${accountUrl(call.vendor, account)}/sync` });
  },

  'GET /2.0/accounts/:account/messages': call =>
    bare(
      call.values
        .page(filtered(call), call.state)
        .map(mail => viewMail(call.vendor, accountOf(call), mail, call.values)),
    ),
  'POST /2.0/accounts/:account/messages': async call => {
    const { vendor, state, values, body } = call;
    const account = accountOf(call);
    const raw = body.files.get('message') ?? bad('message is required, as a file of a multipart body');
    const source =
      findSource(account, values.need('dst_source')) ?? bad(`There is no source ${values.text('dst_source')}`);
    const folder = known(source, values.need('dst_folder'));
    reach(vendor, source);
    const parsed = await PostalMime.parse(raw);
    const people = (list?: { address?: string; name?: string }[]): Person[] =>
      (list ?? []).flatMap(one =>
        one.address ? [{ email: one.address, ...(one.name ? { name: one.name } : {}) }] : [],
      );
    const now = seconds(vendor);
    const mail = seedMail(
      state,
      account,
      source,
      state.serial + 30_000,
      parsed.date ? Math.floor(Date.parse(parsed.date) / 1000) : now,
      now,
    );
    Object.assign(mail, {
      email_message_id: parsed.messageId ?? mail.email_message_id,
      subject: parsed.subject ?? '',
      from: people(parsed.from ? [parsed.from as { address?: string }] : [])[0],
      to: people(parsed.to as { address?: string }[]),
      cc: people(parsed.cc as { address?: string }[]),
      folders: [folder],
      text: parsed.text ?? '',
      html: parsed.html ?? '',
      raw,
      references: [],
      gmail: undefined,
      flags: {
        seen: false,
        answered: false,
        flagged: false,
        deleted: false,
        draft: false,
        ...flagsOf(values, 'flag_'),
      },
      files: parsed.attachments.map(part =>
        attached(id24(state), part.filename ?? 'unnamed', part.mimeType, Buffer.from(part.content as ArrayBuffer)),
      ),
    });
    account.mails.push(mail);
    await tell(vendor, account, mail);
    return ok();
  },
  'GET /2.0/accounts/:account/messages/:message': call =>
    bare(viewMail(call.vendor, accountOf(call), mailOf(call), call.values)),
  'POST /2.0/accounts/:account/messages/:message': call => {
    const { values } = call;
    const account = accountOf(call);
    const mail = mailOf(call);
    const name = values.text('dst_source');
    const source = name ? (findSource(account, name) ?? bad(`There is no source ${name}`)) : mail.source;
    const folder = known(source, values.need('dst_folder'));
    reach(call.vendor, source);
    if (values.bit('move'))
      Object.assign(mail, { source, folders: [folder], flags: { ...mail.flags, ...flagsOf(values, 'flag_') } });
    else
      account.mails.push({
        ...mail,
        message_id: id24(call.state),
        source,
        folders: [folder],
        flags: { ...mail.flags, ...flagsOf(values, 'flag_') },
        date_indexed: seconds(call.vendor),
      });
    return ok();
  },
  'DELETE /2.0/accounts/:account/messages/:message': call => {
    const mail = mailOf(call);
    reach(call.vendor, mail.source);
    vanish(call.vendor, mail.message_id);
    return ok();
  },
  'GET /2.0/accounts/:account/messages/:message/body': call => {
    const mail = mailOf(call);
    reach(call.vendor, mail.source);
    return bare(bodiesOf(mail, call.values.text('type')));
  },
  'GET /2.0/accounts/:account/messages/:message/flags': call => {
    const mail = mailOf(call);
    reach(call.vendor, mail.source);
    return bare(mail.flags);
  },
  'POST /2.0/accounts/:account/messages/:message/flags': call => {
    const mail = mailOf(call);
    const flags = flagsOf(call.values, '');
    reach(call.vendor, mail.source);
    if (Object.keys(flags).length === 0) bad('At least one flag is required');
    Object.assign(mail.flags, flags);
    return ok({ flags: mail.flags });
  },
  'GET /2.0/accounts/:account/messages/:message/headers': call => {
    const mail = mailOf(call);
    reach(call.vendor, mail.source);
    return call.values.bit('raw')
      ? { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: rawHeaders(mail) }
      : bare(headersOf(mail));
  },
  'GET /2.0/accounts/:account/messages/:message/source': call => {
    const mail = mailOf(call);
    reach(call.vendor, mail.source);
    return { status: 200, headers: { 'content-type': 'message/rfc822' }, body: rawOf(mail) };
  },
  'GET /2.0/accounts/:account/messages/:message/thread': call => {
    const account = accountOf(call);
    const mails = threadOf(account, mailOf(call));
    return bare({
      email_message_ids: mails.map(mail => mail.email_message_id),
      person_info: personInfo(mails[0]!),
      messages: call.values.page(mails, call.state).map(mail => viewMail(call.vendor, account, mail, call.values)),
    });
  },
  'GET /2.0/accounts/:account/messages/:message/folders': call => bare(foldersOf(mailOf(call))),
  'POST /2.0/accounts/:account/messages/:message/folders': call => {
    const mail = mailOf(call);
    const names = (kind: string) =>
      [...(call.values.text(kind)?.split(',') ?? []), ...(call.values.all.get(`${kind}[]`) ?? [])].map(name =>
        known(mail.source, name),
      );
    const add = names('add');
    const remove = names('remove');
    if (add.length + remove.length === 0) bad('add or remove is required');
    reach(call.vendor, mail.source);
    mail.folders = [...new Set([...mail.folders, ...add])].filter(name => !remove.includes(name));
    return ok();
  },
  'PUT /2.0/accounts/:account/messages/:message/folders': call => {
    const mail = mailOf(call);
    const list = Array.isArray(call.body.json) ? (call.body.json as unknown[]) : bad('The body must be a JSON list');
    const names = list
      .map(one =>
        typeof one === 'string'
          ? one
          : String(
              (one as { name?: string } | null)?.name ??
                (one as { symbolic_name?: string } | null)?.symbolic_name ??
                bad('Each folder needs a name or a symbolic_name'),
            ),
      )
      .map(name => known(mail.source, name));
    reach(call.vendor, mail.source);
    mail.folders = [...new Set(names)];
    return ok();
  },

  'GET /2.0/accounts/:account/threads': call => {
    const account = accountOf(call);
    const { values } = call;
    const ids = new Map<string, number>();
    for (const mail of filtered(call))
      if (mail.gmail) ids.set(mail.gmail.thread, Math.max(mail.date, ids.get(mail.gmail.thread) ?? 0));
    const dates = (thread: string) =>
      account.mails.filter(mail => mail.gmail?.thread === thread).map(mail => mail.date);
    const found = [...ids.keys()].filter(thread => {
      const all = dates(thread);
      const first = Math.min(...all);
      const last = Math.max(...all);
      return (
        last < (values.whole('active_before') ?? Infinity) &&
        last > (values.whole('active_after') ?? -1) &&
        first < (values.whole('started_before') ?? Infinity) &&
        first > (values.whole('started_after') ?? -1)
      );
    });
    return bare(
      values.page(found, call.state).map(thread => `${accountUrl(call.vendor, account)}/threads/gm-${thread}`),
    );
  },
  'GET /2.0/accounts/:account/threads/:thread': call => {
    const account = accountOf(call);
    const mails = gmailThread(call);
    return bare({
      gmail_thread_id: mails[0]!.gmail!.thread,
      email_message_ids: mails.map(mail => mail.email_message_id),
      person_info: personInfo(mails[0]!),
      subject: mails[0]!.subject,
      folders: [...new Set(mails.flatMap(mail => mail.folders))],
      sources: [{ label: mails[0]!.source.label }],
      messages: call.values.page(mails, call.state).map(mail => viewMail(call.vendor, account, mail, call.values)),
    });
  },
  'DELETE /2.0/accounts/:account/threads/:thread': call => {
    for (const mail of gmailThread(call)) vanish(call.vendor, mail.message_id);
    return ok();
  },
  'GET /2.0/accounts/:account/threads/:thread/folders': call =>
    bare([...new Set(gmailThread(call).flatMap(mail => mail.folders))].map(name => ({ name }))),

  'GET /2.0/accounts/:account/files': call => {
    const name = call.values.text('file_name');
    const test = name ? matcher(name, true) : undefined;
    const smallest = call.values.whole('file_size_min') ?? 0;
    const largest = call.values.whole('file_size_max') ?? Infinity;
    const found = filtered(call).flatMap(mail =>
      mail.files
        .filter(
          file => (!test || test(file.file_name)) && file.content.length >= smallest && file.content.length <= largest,
        )
        .map(file => [mail, file] as const),
    );
    return bare(
      call.values.page(found, call.state).map(([mail, file]) => viewFile(call.vendor, accountOf(call), mail, file)),
    );
  },
  'GET /2.0/accounts/:account/files/:file': call => bare(viewFile(call.vendor, accountOf(call), ...fileOf(call))),
  'GET /2.0/accounts/:account/files/:file/content': call => {
    const [mail, file] = fileOf(call);
    reach(call.vendor, mail.source);
    if (call.values.bit('as_link') || /text\/uri-list/.test(call.request.headers.accept ?? '')) {
      const key = randomBytes(8).toString('hex');
      call.state.links.set(key, file);
      return {
        status: 200,
        headers: { 'content-type': 'text/uri-list' },
        body: `${call.vendor.url}/download/${key}\r\n`,
      };
    }
    return content(file);
  },
  'GET /2.0/accounts/:account/files/:file/related': call => {
    const [mail, file] = fileOf(call);
    const account = accountOf(call);
    const stem = file.file_name.replace(/\d+.*$/, '');
    return bare(
      account.mails
        .flatMap(one =>
          one.files
            .filter(other => one !== mail && other.file_name.startsWith(stem))
            .map(other => viewFile(call.vendor, account, one, other)),
        )
        .slice(0, 10),
    );
  },

  'GET /2.0/accounts/:account/contacts': call => {
    const { values } = call;
    const account = accountOf(call);
    const own = new Set(account.addresses.map(({ email }) => email));
    const found = new Map<
      string,
      { email: string; name?: string; sent: number; received: number; lastSent: number; lastReceived: number }
    >();
    for (const mail of account.mails) {
      for (const [person, incoming] of [
        [mail.from, true] as const,
        ...[...mail.to, ...mail.cc].map(one => [one, false] as const),
      ]) {
        if (!person || own.has(person.email)) continue;
        const entry = found.get(person.email) ?? {
          email: person.email,
          sent: 0,
          received: 0,
          lastSent: 0,
          lastReceived: 0,
        };
        found.set(person.email, {
          ...entry,
          name: entry.name ?? person.name,
          ...(incoming
            ? { received: entry.received + 1, lastReceived: Math.max(entry.lastReceived, mail.date) }
            : { sent: entry.sent + 1, lastSent: Math.max(entry.lastSent, mail.date) }),
        });
      }
    }
    const search = values.text('search')?.toLowerCase();
    const by = values.one('sort_by', ['email', 'count', 'received_count', 'sent_count']) ?? 'count';
    const down = values.one('sort_order', ['asc', 'desc']) === 'desc' || by !== 'email';
    const number = (entry: { sent: number; received: number }) =>
      by === 'sent_count' ? entry.sent : by === 'received_count' ? entry.received : entry.sent + entry.received;
    const matches = [...found.values()]
      .filter(entry => {
        const last = Math.max(entry.lastSent, entry.lastReceived);
        return (
          (!search || `${entry.name ?? ''} ${entry.email}`.toLowerCase().includes(search)) &&
          last < (values.whole('active_before') ?? Infinity) &&
          last > (values.whole('active_after') ?? -1)
        );
      })
      .sort(
        (a, b) =>
          (by === 'email' ? 0 : (number(a) - number(b)) * (down ? -1 : 1)) ||
          (a.email < b.email ? -1 : 1) * (by === 'email' && down ? -1 : 1),
      );
    return bare({
      query: {
        limit: Math.min(100, values.whole('limit') ?? 25),
        offset: values.whole('offset') ?? null,
        sort_by: by,
        sort_order: down ? 'desc' : 'asc',
        search: search ?? null,
      },
      matches: values
        .page(matches, call.state)
        .map(entry => ({
          email: entry.email,
          ...(entry.name ? { name: entry.name } : {}),
          count: entry.sent + entry.received,
          sent_count: entry.sent,
          received_count: entry.received,
          sent_from_account_count: entry.sent,
          thumbnail: `https://secure.gravatar.example/${hex(entry.email, 32)}`,
          last_sent: entry.lastSent,
          last_received: entry.lastReceived,
          resource_url: `${accountUrl(call.vendor, account)}/contacts/${enc(entry.email)}`,
        })),
    });
  },
  'GET /2.0/accounts/:account/contacts/:contact': call => {
    const mails = withContact(call);
    const wanted = call.path[1]!.toLowerCase();
    const name = mails
      .flatMap(mail => [mail.from, ...mail.to, ...mail.cc])
      .find(person => person?.email.toLowerCase() === wanted && person.name)?.name;
    return bare({
      emails: [wanted],
      name: name ?? '',
      thumbnail: `https://secure.gravatar.example/${hex(wanted, 32)}`,
      last_received: mails[0]!.date,
      last_sent: 0,
      count: mails.length,
    });
  },
  'GET /2.0/accounts/:account/contacts/:contact/messages': call =>
    bare(
      call.values
        .page(withContact(call), call.state)
        .map(mail => viewMail(call.vendor, accountOf(call), mail, call.values)),
    ),
  'GET /2.0/accounts/:account/contacts/:contact/files': call =>
    bare(
      call.values.page(
        withContact(call).flatMap(mail => mail.files.map(file => viewFile(call.vendor, accountOf(call), mail, file))),
        call.state,
      ),
    ),
  'GET /2.0/accounts/:account/contacts/:contact/threads': call => {
    const threads = [...new Set(withContact(call).flatMap(mail => (mail.gmail ? [mail.gmail.thread] : [])))];
    return bare(
      call.values
        .page(threads, call.state)
        .map(thread => `${accountUrl(call.vendor, accountOf(call))}/threads/gm-${thread}`),
    );
  },

  ...hookRoutes(
    '/2.0/accounts/:account/webhooks',
    call => accountOf(call).webhooks,
    (call, hooks) => {
      accountOf(call).webhooks = hooks;
    },
    call => `${accountUrl(call.vendor, accountOf(call))}/webhooks`,
  ),
  ...hookRoutes(
    '/2.0/webhooks',
    call => (call.state.options.early ? refuse(error(404, 'There is no such resource')) : call.state.hooks),
    (call, hooks) => {
      call.state.hooks = hooks;
    },
    call => `${call.vendor.url}/2.0/webhooks`,
  ),
  ...tokenRoutes(
    '/2.0/accounts/:account/connect_tokens',
    call => accountOf(call).tokens,
    (call, tokens) => {
      accountOf(call).tokens = tokens;
    },
  ),
  ...tokenRoutes(
    '/2.0/connect_tokens',
    call => call.state.tokens,
    (call, tokens) => {
      call.state.tokens = tokens;
    },
  ),

  'GET /2.0/discovery': ({ state, values }) => {
    const email = values.need('email');
    const domain = email.split('@')[1] ?? bad('email must be an address');
    if (values.need('source_type').toUpperCase() !== 'IMAP') bad('source_type must be IMAP');
    const server = [`imap.${domain}`].find(name => state.servers[name]);
    return bare(
      server
        ? {
            email,
            found: true,
            type: 'generic',
            imap: {
              server,
              username: email.split('@')[0],
              port: 993,
              use_ssl: true,
              oauth: state.servers[server]!.gmail ?? false,
            },
            documentation: [],
          }
        : { email, found: false },
    );
  },
  'GET /2.0/oauth_providers': ({ vendor, state }) =>
    bare(
      state.providers.map(one => ({
        ...one,
        resource_url: `${vendor.url}/2.0/oauth_providers/${enc(one.provider_consumer_key)}`,
      })),
    ),
  'POST /2.0/oauth_providers': ({ vendor, state, values }) => {
    const one = {
      type: values.need('type'),
      provider_consumer_key: values.need('provider_consumer_key'),
      provider_consumer_secret: values.need('provider_consumer_secret'),
    };
    if (state.providers.some(other => other.provider_consumer_key === one.provider_consumer_key))
      bad('The provider is registered already');
    state.providers.push(one);
    return created({
      provider_consumer_key: one.provider_consumer_key,
      resource_url: `${vendor.url}/2.0/oauth_providers/${enc(one.provider_consumer_key)}`,
    });
  },
  'GET /2.0/oauth_providers/:provider': call => bare(providerOf(call)),
  'DELETE /2.0/oauth_providers/:provider': call => {
    const one = providerOf(call);
    call.state.providers = call.state.providers.filter(other => other !== one);
    return ok();
  },
  'GET /app/status_callback_url': ({ state }) => bare({ status_callback_url: state.statusCallback || null }),
  'POST /app/status_callback_url': ({ state, values }) => {
    state.statusCallback = values.url('status_callback_url', true)!;
    return ok();
  },
  'DELETE /app/status_callback_url': ({ state }) => {
    state.statusCallback = '';
    return ok();
  },
};
const addressOf = (call: Call) =>
  accountOf(call).addresses.find(one => one.email.toLowerCase() === call.path[1]!.toLowerCase()) ??
  refuse(error(404, `There is no address ${call.path[1]}`));
const providerOf = (call: Call) =>
  call.state.providers.find(one => one.provider_consumer_key === call.path[0]) ??
  refuse(error(404, 'There is no such provider'));
const foldersOf = (mail: Mail) =>
  mail.folders.map(name =>
    name.startsWith('\\') ? { name: `[Gmail]/${name.slice(1)}`, symbolic_name: name } : { name },
  );
const content = (file: Attached): Reply => ({
  status: 200,
  body: file.content,
  headers: {
    'content-type': file.type,
    'content-disposition': `attachment; filename="${file.file_name.replace(/[^\x20-\x7e]|["\\]/g, '_')}"; filename*=UTF-8''${enc(file.file_name)}`,
  },
});

/** Pages for browsers, which nobody signs: the one that asks for a mailbox, and temporary downloads. */
async function browse(request: Seen, vendor: Vendor, state: State): Promise<Reply> {
  const [what, key = ''] = request.segments;
  const file = what === 'download' ? state.links.get(key) : undefined;
  if (file) return content(file);
  const owner = state.accounts.find(account => account.tokens.some(token => token.token === key));
  const token = [...state.tokens, ...(owner?.tokens ?? [])].find(one => one.token === key);
  if (what !== 'connect' || !token || token.used)
    return {
      status: 404,
      headers: { 'content-type': 'text/html' },
      body: '<html><body><p>This link is not valid any more.</p></body></html>',
    };
  const values = new Values([...request.query, ...(await readBody(request)).form]);
  const email = values.text('email') ?? token.email;
  const server = `imap.${email.split('@')[1]}`;
  const username = email.split('@')[0]!;
  const password = values.text('password');
  if (login(state, { server, username, password }) !== 'OK') {
    return {
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: `<html><body><form method="post"><input name="email" value="${email.replace(/[^\w.@+-]/g, '')}"><input name="password" type="password"><button>Connect</button></form></body></html>`,
    };
  }
  const account =
    owner ??
    makeAccount(id24(state), email, seconds(vendor), token.values.first_name ?? '', token.values.last_name ?? '');
  const source = makeSource(
    vendor,
    {
      email,
      server,
      username,
      port: 993,
      password,
      callback_url: token.values.source_callback_url,
      status_callback_url: token.values.status_callback_url,
    },
    false,
  );
  account.sources.push(source);
  if (!owner) state.accounts.push(account);
  Object.assign(token, { used: seconds(vendor), account: account.id, serverLabel: source.label });
  const back = new URL(token.values.callback_url!);
  back.searchParams.set('contextio_token', token.token);
  return { status: 302, headers: { location: back.href }, body: '' };
}

/** Parts of the routes, once: which verbs a path has is asked for every request. */
const table = Object.entries(routes).map(([key, route]) => {
  const [method, pattern] = key.split(' ');
  return { method: method!, parts: pattern!.split('/').slice(1), route };
});

/**
 * A strict Context.IO 2.0 on loopback: signatures, parameters, paging, statuses, sync by the vendor's clock, signed
 * webhooks.
 */
export async function startContextIo(options: ContextIoOptions = {}): Promise<Vendor> {
  const vendor = await startVendor({
    id: 'contextIo',
    account: url => ({ baseUrl: url, consumerKey: KEY, consumerSecret: SECRET }),
    throttled: () => error(429, 'Too many requests', {}, { 'retry-after': '1' }),
    controls: {
      mail: {
        fields: ['subject', 'from', 'to', 'text', 'folder', 'account', 'source'],
        act: (mail, its) => deliver(its, mail),
      },
    },
    async handle(request, its) {
      const state = stateOf(its);
      try {
        settle(its);
        if (request.segments[0] === 'connect' || request.segments[0] === 'download')
          return await browse(request, its, state);
        const body = await readBody(request);
        authenticate(request, state, body.form);
        const fitting = table.filter(
          ({ parts }) =>
            parts.length === request.segments.length &&
            parts.every((part, i) => part.startsWith(':') || part === request.segments[i]),
        );
        if (fitting.length === 0) return error(404, 'There is no such resource');
        const found = fitting.find(({ method }) => method === request.method);
        if (!found)
          return error(
            405,
            'This verb is not allowed here',
            {},
            { allow: fitting.map(({ method }) => method).join(', ') },
          );
        const path = request.segments.filter((_, i) => found.parts[i]!.startsWith(':'));
        const pairs = request.method === 'POST' ? [...request.query, ...body.form, ...body.parts] : request.query;
        return await found.route({ vendor: its, state, request, body, path, values: new Values(pairs) });
      } catch (refusal) {
        if (refusal instanceof Refusal) return refusal.reply;
        throw refusal;
      }
    },
  });
  const state: State = {
    options: { refuseRepeatedNonces: true, clockWindow: 600, early: false, ignoreOffset: false, ...options },
    accounts: [],
    hooks: [],
    tokens: [],
    nonces: new Map(),
    statusCallback: '',
    links: new Map(),
    serial: 0,
    calls: [],
    providers: [
      {
        type: 'GMAIL_OAUTH2',
        provider_consumer_key: 'seeded-consumer-key',
        provider_consumer_secret: 'seeded-consumer-secret',
      },
    ],
    servers: {
      'imap.example.com': {
        up: true,
        showsAllMail: true,
        logins: {
          ann: PASSWORD,
          bob: PASSWORD,
          carol: PASSWORD,
          ...Object.fromEntries(Array.from({ length: 131 }, (_, n) => [`user${n}`, PASSWORD])),
        },
      },
      'imap.gmail.example': { up: true, showsAllMail: true, gmail: true, logins: { [MAIN_EMAIL]: PASSWORD } },
      'imap.hidden.example': { up: true, showsAllMail: false, gmail: true, logins: { ann: PASSWORD } },
      'imap.down.example': { up: false, showsAllMail: true, logins: {} },
    },
  };
  states.set(vendor, state);
  seed(vendor, state);
  const { advance } = vendor;
  // Time that passes lets things happen, whether or not somebody asks.
  vendor.advance = ms => {
    advance(ms);
    settle(vendor);
  };
  return vendor;
}
