import { createHash, createHmac, randomBytes } from 'node:crypto';
import { consentPage, decisionOf, refusedHere } from './consent.js';
import { startVendor, type Reply, type Seen, type Vendor } from './vendor.js';

/*
 * A pretend Outreach.
 *
 * From the vendor's reference and machine-readable schema: paths, methods, attributes and who may write them, filters,
 * sorting, paging, scopes, content types, the grants and their lives, the limit of requests. The tables below are
 * written from those, not from the product's own, so that each proves the other. Seen by others at the live service:
 * the dotted ids of the errors, integers as ids, the plain text that refuses a grant that comes too early. Guesses:
 * what a create must bring, the errors of bad values, the scope of the four actions and what they do, which pair of
 * tokens falls away, whether an old refresh token dies, the statuses of a refused grant, what a deleted mailbox takes
 * with it.
 */

type Kind = 'string' | 'integer' | 'boolean' | 'datetime' | 'strings';
interface Attribute {
  kind: Kind;
  access: 'rw' | 'ro' | 'wo';
  max?: number;
  values?: readonly (string | number)[];
  filter?: boolean;
  sort?: boolean;
}
interface Relation {
  type: string;
  many?: boolean;
  filter?: boolean;
  write?: boolean;
  include?: boolean;
}
interface Kindred {
  type: string;
  path: string;
  scope: string;
  attributes: Record<string, Attribute>;
  relationships: Record<string, Relation>;
  meta: readonly string[];
  methods: readonly string[];
}
export interface Row {
  id: number;
  attributes: Record<string, unknown>;
  relationships: Record<string, number | null>;
  hidden: Record<string, unknown>;
}

/** "name:kind/max marks" lines: marks are ro, wo, F (filter), S (sort); values stand in braces. */
function table(lines: string): Record<string, Attribute> {
  return Object.fromEntries(
    lines
      .trim()
      .split('\n')
      .map(line => {
        const [, name, kind, max, marks = ''] = /^\s*(\w+):(\w+)(?:\/(\d+))?(.*)$/.exec(line)!;
        const values = /\{(.*)\}/
          .exec(marks)?.[1]
          ?.split(',')
          .map(v => (kind === 'integer' ? Number(v) : v));
        const words = marks
          .replace(/\{.*\}/, '')
          .trim()
          .split(' ');
        const access = words.includes('ro')
          ? ('ro' as const)
          : words.includes('wo')
            ? ('wo' as const)
            : ('rw' as const);
        return [
          name!,
          {
            kind: kind as Kind,
            access,
            ...(max ? { max: Number(max) } : {}),
            ...(values ? { values } : {}),
            ...(words.includes('F') ? { filter: true } : {}),
            ...(words.includes('S') ? { sort: true } : {}),
          },
        ];
      }),
  );
}

export const MAILBOX = table(`
  authId:integer
  createdAt:datetime ro F S
  editable:boolean ro
  email:string/255 F S
  emailHash:string/255
  emailProvider:string/255
  emailSignature:string/65535
  ewsEndpoint:string/255
  ewsSslVerifyMode:integer {0,1,2,4}
  exchangeVersion:string/255 {Exchange2007,Exchange2007_SP1,Exchange2010,Exchange2010_SP1,Exchange2010_SP2,Exchange2013,Exchange2013_SP1}
  imapHost:string/255
  imapPort:integer
  imapSsl:boolean
  maxEmailsPerDay:integer
  maxMailingsPerDay:integer
  maxMailingsPerWeek:integer
  optOutMessage:string/512
  optOutSignature:string/512
  password:string/65535 wo
  prospectEmailExclusions:string/65535
  providerId:integer ro
  providerType:string/255 ro
  sendDisabled:boolean
  sendErroredAt:datetime ro
  sendMaxRetries:integer
  sendMethod:string/255 {ews,sendgrid,smtp}
  sendPeriod:integer
  sendRequiresSync:boolean
  sendSuccessAt:datetime ro
  sendThreshold:integer
  sendgridApiKey:string/65535 wo
  sendgridWebhookUrl:string ro
  smtpHost:string/255
  smtpPassword:string/65535 wo
  smtpPort:integer
  smtpSsl:boolean
  smtpUsername:string/255
  syncActiveFrequency:integer
  syncDisabled:boolean
  syncErroredAt:datetime ro
  syncFinishedAt:datetime ro
  syncMethod:string/255 {ews,gmail_api,imap}
  syncOutreachFolder:boolean
  syncPassiveFrequency:integer
  syncSuccessAt:datetime ro
  updatedAt:datetime ro F S
  userId:integer ro F S
  username:string/255
  validateSend:boolean wo
  validateSync:boolean wo`);

const KINDS: Record<string, Kindred> = {
  mailboxes: {
    type: 'mailbox',
    path: 'mailboxes',
    scope: 'mailboxes',
    attributes: MAILBOX,
    meta: ['canWrite', 'canDelete'],
    methods: ['list', 'get', 'create', 'update', 'delete'],
    relationships: {
      user: { type: 'user', filter: true, write: true, include: true },
      creator: { type: 'user', include: true },
      updater: { type: 'user', include: true },
      mailAliases: { type: 'mailAlias', many: true },
      mailings: { type: 'mailing', many: true },
    },
  },
  mailAliases: {
    type: 'mailAlias',
    path: 'mailAliases',
    scope: 'mailAliases',
    meta: [],
    methods: ['list', 'get'],
    relationships: { mailbox: { type: 'mailbox', filter: true, include: true } },
    attributes: table(`
      canSend:boolean
      createdAt:datetime ro F S
      email:string/255
      emailHash:string/255
      updatedAt:datetime ro F S`),
  },
  mailings: {
    type: 'mailing',
    path: 'mailings',
    scope: 'mailings',
    meta: ['canWrite'],
    methods: ['list', 'get', 'create'],
    relationships: {
      mailbox: { type: 'mailbox', filter: true, write: true, include: true },
      prospect: { type: 'prospect', filter: true, write: true },
      sequence: { type: 'sequence', filter: true },
      sequenceState: { type: 'sequenceState', filter: true },
      sequenceStep: { type: 'sequenceStep', filter: true },
      template: { type: 'template', filter: true, write: true },
      task: { type: 'task', filter: true, write: true },
      opportunity: { type: 'opportunity', filter: true },
      user: { type: 'user', filter: true, include: true },
      followUpSequence: { type: 'sequence', filter: true, write: true },
    },
    attributes: table(`
      bodyHtml:string
      bodyText:string ro
      bouncedAt:datetime ro F S
      clickCount:integer ro
      clickedAt:datetime ro F S
      createdAt:datetime ro F S
      deliveredAt:datetime ro F S
      errorBacktrace:string ro
      errorReason:string ro
      followUpTaskScheduledAt:datetime
      followUpTaskType:string {follow_up,no_reply}
      mailboxAddress:string ro
      mailingType:string ro F S {sequence,single,campaign}
      markedAsSpamAt:datetime ro
      messageId:string ro F S
      notifyThreadCondition:string ro {always,no_reply}
      notifyThreadScheduledAt:datetime ro F S
      notifyThreadStatus:string ro F S {pending,sent,skipped}
      openCount:integer ro
      openedAt:datetime ro F S
      overrideSafetySettings:boolean ro
      references:strings ro
      repliedAt:datetime ro F S
      retryAt:datetime ro F S
      retryCount:integer ro
      retryInterval:integer ro
      scheduledAt:datetime F S
      state:string F S {bounced,delivered,delivering,drafted,failed,opened,placeholder,queued,replied,scheduled}
      stateChangedAt:datetime ro F S
      subject:string
      trackLinks:boolean
      trackOpens:boolean
      unsubscribedAt:datetime ro F S
      updatedAt:datetime ro F S`),
  },
  users: {
    type: 'user',
    path: 'users',
    scope: 'users',
    meta: [],
    methods: ['list', 'get'],
    relationships: { mailbox: { type: 'mailbox', include: true }, mailboxes: { type: 'mailbox', many: true } },
    attributes: table(`
      createdAt:datetime ro F S
      email:string/255 F S
      firstName:string/255 F S
      lastName:string/255 F S
      locked:boolean F S
      mailboxErrorEmailEnabled:boolean
      name:string ro
      title:string/255
      updatedAt:datetime ro F S
      userGuid:string ro
      username:string/255 F S`),
  },
  webhooks: {
    type: 'webhook',
    path: 'webhooks',
    scope: 'webhooks',
    meta: [],
    methods: ['list', 'get', 'create', 'update', 'delete'],
    relationships: {
      authorizer: { type: 'user', filter: true },
      creator: { type: 'user', filter: true },
      updater: { type: 'user', filter: true },
    },
    attributes: table(`
      action:string/255 F S
      active:boolean F S
      createdAt:datetime ro
      disabledReason:string/1024 ro
      disabledSince:datetime ro
      disabledUntil:datetime ro
      payloadVersion:integer {1,2}
      resource:string/255 F S
      secret:string/255
      updatedAt:datetime ro
      url:string/1024`),
  },
};

const ACTIONS: Record<string, readonly string[]> = {
  '*': ['*', 'created', 'updated', 'destroyed'],
  import: ['*', 'created', 'finished'],
  kaiaRecording: ['*', 'created'],
  user: ['*', 'created', 'updated'],
  mailing: ['*', 'created', 'updated', 'destroyed', 'bounced', 'delivered', 'opened', 'replied'],
  sequenceState: ['*', 'created', 'updated', 'destroyed', 'advanced', 'finished'],
  task: ['*', 'created', 'updated', 'destroyed', 'completed'],
  ...Object.fromEntries(
    ['account', 'call', 'emailAddress', 'opportunity', 'opportunityProspectRole', 'prospect', 'sequence'].map(name => [
      name,
      ['*', 'created', 'updated', 'destroyed'],
    ]),
  ),
};
const SCOPES = [
  ...['mailboxes', 'webhooks'].flatMap(name => ['all', 'read', 'write', 'delete'].map(level => `${name}.${level}`)),
  'mailAliases.read',
  'mailings.all',
  'mailings.read',
  'mailings.write',
  'users.all',
  'users.read',
  'users.write',
  'users.aggregate',
  'events.all',
  'events.read',
  'events.write',
];
const JSON_API = 'application/vnd.api+json';

/**
 * How the sandbox behaves where the vendor's behaviour is switched, doubtful, or slow. Also `GET` and `POST
 * /sandbox/switches`.
 */
export interface Switches {
  /** A refresh token dies when it was used; off, it lives on, as one integrator reports. */
  rotate: boolean;
  /** One token grant per user and app in 60 s. */
  grantSpacing: boolean;
  /**
   * Redirect addresses of the app besides its own, compared letter by letter; and whether any on this machine will do,
   * which the vendor knows nothing of.
   */
  redirectUris: readonly string[];
  anyLoopback: boolean;
  /** Lifetime of access tokens in seconds, and of refresh tokens. */
  tokenLifetime: number;
  refreshLifetime: number;
  /** Requests per user and hour. */
  hourlyLimit: number;
  /** `X-RateLimit-Remaining` with two numbers, and the format of the reset time. */
  dualRemaining: boolean;
  resetFormat: 'epoch' | 'iso';
  /** The relationship `updater` has neither `data` nor `links`. */
  bareRelationships: boolean;
  /** Pages of mailings larger than this end in a 502. */
  heaviestPage: number;
  /** Counts are cut short. */
  countTruncated: boolean;
  /** Milliseconds between tries of a webhook delivery. */
  webhookRetryMs: number;
}
const DEFAULTS: Switches = {
  rotate: true,
  grantSpacing: true,
  redirectUris: [],
  anyLoopback: true,
  tokenLifetime: 7200,
  refreshLifetime: 14 * 86_400,
  hourlyLimit: 10_000,
  dualRemaining: false,
  resetFormat: 'epoch',
  bareRelationships: false,
  heaviestPage: 1000,
  countTruncated: false,
  webhookRetryMs: 1000,
};

export interface Delivery {
  webhook: number;
  url: string;
  headers: Record<string, string>;
  body: string;
  tries: number;
  status?: number;
}
export interface OutreachVendor extends Vendor {
  switches: Switches;
  rows: Record<'mailboxes' | 'mailAliases' | 'mailings' | 'users' | 'webhooks', Map<number, Row>>;
  /** A fresh pair of tokens for the scopes given, without a grant's spacing. */
  issue(scopes?: readonly string[], user?: number): { accessToken: string; refreshToken: string };
  /** Ends every access token, as an administrator would. */
  revoke(): void;
  /** How many refreshes and code exchanges were granted. */
  grants: number;
  /**
   * Changes attributes of a record as the vendor itself would, and tells the webhooks. `event` is an action such as
   * `bounced`.
   */
  change(path: keyof OutreachVendor['rows'], id: number, attributes: Record<string, unknown>, event?: string): void;
  deliveries: Delivery[];
  /** Resolves when no delivery is under way. */
  delivered(): Promise<void>;
}

interface Refusal extends Error {
  reply: Reply;
}
const refusal = (reply: Reply): Refusal => Object.assign(new Error(`refused with ${reply.status}`), { reply });
interface Problem {
  id: string;
  title: string;
  detail?: string;
  details?: string;
  source?: { pointer: string };
}
const errors = (status: number, ...problems: Problem[]) =>
  refusal({ status, headers: { 'content-type': JSON_API }, body: JSON.stringify({ errors: problems }) });
const bad = (id: string, detail: string) => errors(400, { id, title: 'Bad Request', detail });
const invalid = (pointer: string, detail: string) =>
  errors(422, { id: 'validationError', title: 'Validation Error', detail, source: { pointer } });
const edge = (description: string) =>
  refusal({
    status: 401,
    headers: { 'content-type': 'application/json' },
    body: { error: 'Invalid JWT token.', description },
  });
const plain = (status: number, text: string): Reply => ({
  status,
  headers: { 'content-type': 'text/plain' },
  body: text,
});
const label = (name: string) => name[0]!.toUpperCase() + name.slice(1).replace(/[A-Z]/g, c => ` ${c.toLowerCase()}`);

/** A pretend Outreach: OAuth 2, JSON:API and webhooks on a free loopback port. */
export async function startOutreach(options: Partial<Switches> = {}): Promise<OutreachVendor> {
  const switches: Switches = { ...DEFAULTS, ...options };
  const key = randomBytes(32);
  const app = {
    clientId: 'sandbox-app',
    clientSecret: 'sandbox-app-secret-0123456789abcdef',
    redirectUri: 'https://localhost/callback',
  };
  const access = new Map<string, { user: number; scopes: readonly string[]; expires: number }>();
  const refresh = new Map<string, { user: number; scopes: readonly string[]; expires: number; dead?: boolean }>();
  const codes = new Map<
    string,
    { user: number; scopes: readonly string[]; expires: number; redirectUri: string; challenge?: string }
  >();
  const lastGrant = new Map<number, number>();
  const hours = new Map<number, { from: number; used: number }>();
  const rows: OutreachVendor['rows'] = {
    mailboxes: new Map(),
    mailAliases: new Map(),
    mailings: new Map(),
    users: new Map(),
    webhooks: new Map(),
  };
  let serial = 0;
  let under: Promise<unknown>[] = [];

  const vendor = (await startVendor({
    id: 'outreach',
    account: url => ({ baseUrl: url, ...app }),
    handle: answer,
    // An hour's window cannot end soon, so nobody should wait for it inside one call.
    throttled: () => limited(Date.now() + 1_800_000, 0),
    controls: { switches: { fields: Object.keys(DEFAULTS), act: given => Object.assign(switches, given) } },
  })) as OutreachVendor;
  const iso = (ms = vendor.now()) => new Date(ms).toISOString();
  const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

  // --- OAuth 2 ---
  const jwt = (user: number, scopes: readonly string[], expires: number) => {
    const text = `${b64({ alg: 'HS256', typ: 'JWT' })}.${b64({ iss: 'sandbox', sub: String(user), scope: scopes.join(' '), exp: Math.floor(expires / 1000), jti: ++serial })}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  };
  const issue: OutreachVendor['issue'] = (
    scopes = ['mailboxes.all', 'mailAliases.read', 'mailings.read', 'users.read', 'webhooks.all'],
    user = 1,
  ) => {
    const expires = vendor.now() + switches.tokenLifetime * 1000;
    const accessToken = jwt(user, scopes, expires);
    const refreshToken = randomBytes(24).toString('base64url');
    access.set(accessToken, { user, scopes, expires });
    refresh.set(refreshToken, { user, scopes, expires: vendor.now() + switches.refreshLifetime * 1000 });
    // At most 100 live pairs; which falls away is not documented, the oldest does here.
    for (const [old] of access) {
      if (access.size <= 100) break;
      access.delete(old);
    }
    return { accessToken, refreshToken };
  };
  function authorize(request: Seen): Reply {
    const { query, method } = request;
    const redirect = query.get('redirect_uri') ?? '';
    const refuse = (text: string) => refusedHere(request, 'Outreach', 400, text);
    if (method !== 'GET' && method !== 'POST') return plain(405, 'Method Not Allowed');
    if (query.get('client_id') !== app.clientId) return refuse('Client authentication failed due to unknown client.');
    const registered =
      redirect === app.redirectUri ||
      switches.redirectUris.includes(redirect) ||
      (switches.anyLoopback && /^http:\/\/(127\.0\.0\.1|localhost)[:/]/.test(redirect));
    if (!registered) return refuse('The redirect uri included is not valid.');
    const back = new URL(redirect);
    if (query.has('state')) back.searchParams.set('state', query.get('state')!);
    const scopes = (query.get('scope') ?? '').split(' ').filter(Boolean);
    const decision = decisionOf(request);
    const error =
      query.get('response_type') !== 'code'
        ? 'unsupported_response_type'
        : !scopes.length || scopes.some(s => !SCOPES.includes(s))
          ? 'invalid_scope'
          : query.has('code_challenge') && query.get('code_challenge_method') !== 'S256'
            ? 'invalid_request'
            : decision?.allow === false
              ? 'access_denied'
              : undefined;
    if (error) back.searchParams.set('error', error);
    else if (!decision) return consentPage('Outreach', app.clientId, scopes);
    else {
      // Consent is given as user 1 unless the extra parameter names another.
      const code = randomBytes(16).toString('hex');
      const challenge = query.get('code_challenge');
      codes.set(code, {
        user: Number(query.get('sandbox_user') ?? 1),
        scopes,
        expires: vendor.now() + 60_000,
        redirectUri: redirect,
        ...(challenge ? { challenge } : {}),
      });
      back.searchParams.set('code', code);
    }
    return { status: 302, headers: { location: back.href } };
  }
  function token(request: Seen): Reply {
    const refuse = (status: number, error: string, error_description: string): Reply => ({
      status,
      body: { error, error_description },
    });
    if (request.method !== 'POST') return plain(405, 'Method Not Allowed');
    if (!/^application\/x-www-form-urlencoded\b/.test(request.headers['content-type'] ?? ''))
      return refuse(400, 'invalid_request', 'The request must be form-encoded.');
    const form = new URLSearchParams(request.body.toString());
    const type = form.get('grant_type');
    if (form.get('client_id') !== app.clientId || form.get('client_secret') !== app.clientSecret)
      return refuse(401, 'invalid_client', 'Client authentication failed.');
    const known =
      type === 'authorization_code'
        ? codes.get(form.get('code') ?? '')
        : type === 'refresh_token'
          ? refresh.get(form.get('refresh_token') ?? '')
          : undefined;
    if (type !== 'authorization_code' && type !== 'refresh_token')
      return refuse(400, 'unsupported_grant_type', 'The grant type is not supported.');
    if (!known || known.expires <= vendor.now() || ('dead' in known && known.dead))
      return refuse(400, 'invalid_grant', 'The provided authorization grant is invalid, expired, or revoked.');
    if ('redirectUri' in known) {
      codes.delete(form.get('code')!);
      const proof = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url');
      if (form.get('redirect_uri') !== known.redirectUri || (known.challenge && known.challenge !== proof))
        return refuse(400, 'invalid_grant', 'The redirect uri or verifier does not match.');
    }
    const last = lastGrant.get(known.user) ?? -Infinity;
    if (switches.grantSpacing && vendor.now() < last + 60_000) return plain(429, 'Retry later\n');
    lastGrant.set(known.user, vendor.now());
    if (type === 'refresh_token' && switches.rotate) (known as { dead?: boolean }).dead = true;
    const pair = issue(known.scopes, known.user);
    vendor.grants++;
    return {
      status: 200,
      headers: { 'cache-control': 'no-store' },
      body: {
        access_token: pair.accessToken,
        token_type: 'Bearer',
        expires_in: switches.tokenLifetime,
        refresh_token: pair.refreshToken,
        scope: known.scopes.join(' '),
        created_at: Math.floor(vendor.now() / 1000),
      },
    };
  }

  // --- the application ---
  function rateHeaders(reset: number, remaining: number): Record<string, string> {
    return {
      'X-RateLimit-Limit': String(switches.hourlyLimit),
      'X-RateLimit-Remaining': switches.dualRemaining ? `${remaining}, ${remaining * 2}` : String(remaining),
      'X-RateLimit-Reset':
        switches.resetFormat === 'iso' ? new Date(reset).toISOString() : String(Math.ceil(reset / 1000)),
    };
  }
  function limited(reset: number, remaining: number): Reply {
    const at = new Date(reset).toISOString().slice(0, 19);
    return {
      status: 429,
      headers: {
        ...rateHeaders(reset, remaining),
        'content-type': JSON_API,
        'Retry-After': switches.resetFormat === 'iso' ? `${at}Z` : String(Math.ceil(reset / 1000)),
      },
      body: JSON.stringify({
        errors: [
          {
            id: 'rateLimitExceeded',
            title: 'Rate Limit Exceeded',
            detail: `You have exceeded your permitted rate limit of ${switches.hourlyLimit.toLocaleString('en')}; please try again at ${at}.`,
          },
        ],
      }),
    };
  }
  function caller({ headers }: Seen) {
    const bearer = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1];
    const parts = bearer?.split('.') ?? [];
    if (
      parts.length !== 3 ||
      createHmac('sha256', key).update(`${parts[0]}.${parts[1]}`).digest('base64url') !== parts[2]
    )
      throw edge('The JWT token could not be decoded.');
    const found = access.get(bearer!);
    if (!found) throw edge('The JWT token was revoked.');
    if (found.expires <= vendor.now()) throw edge('The JWT token has expired.');
    return found;
  }

  function answer(request: Seen): Reply {
    const { segments, method } = request;
    if (request.path === '/oauth/authorize') return authorize(request);
    if (request.path === '/oauth/token') return token(request);
    if (segments[0] === 'sandbox') return control(request);
    let counted: Record<string, string> = {};
    try {
      const who = caller(request);
      if (segments[0] !== 'api' || segments[1] !== 'v2') return plain(404, 'Not Found');
      const hour = hours.get(who.user);
      const fresh = !hour || vendor.now() >= hour.from + 3_600_000;
      const window = fresh ? { from: vendor.now(), used: 0 } : hour;
      hours.set(who.user, window);
      window.used++;
      const reset = window.from + 3_600_000;
      if (window.used > switches.hourlyLimit) return limited(reset, 0);
      counted = rateHeaders(reset, switches.hourlyLimit - window.used);
      if (!/^application\/vnd\.api\+json\s*$/i.test(request.headers['content-type'] ?? '')) {
        throw errors(415, {
          id: 'unsupportedMediaType',
          title: 'Unsupported Media Type',
          details: `The request must have the content type ${JSON_API}.`,
        });
      }
      const kind = KINDS[segments[2] ?? ''];
      if (!kind)
        throw errors(404, {
          id: 'routeNotFound',
          title: 'Not Found',
          detail: `No route matches ${method} ${request.path}.`,
        });
      const reply = route(kind, request, who);
      return {
        ...reply,
        headers: { ...counted, ...(reply.status === 204 ? {} : { 'content-type': JSON_API }), ...reply.headers },
      };
    } catch (error) {
      const reply = (error as Partial<Refusal>).reply;
      if (!reply) throw error;
      return { ...reply, headers: { ...counted, ...reply.headers } };
    }
  }

  function route(kind: Kindred, request: Seen, who: { user: number; scopes: readonly string[] }): Reply {
    const { method, segments } = request;
    const [, , path, idText, word, action] = segments;
    const store = rows[path as keyof typeof rows];
    const need = (level: string) => {
      if (!who.scopes.includes(`${kind.scope}.${level}`) && !who.scopes.includes(`${kind.scope}.all`)) {
        throw errors(403, {
          id: 'unauthorizedOauthScope',
          title: 'Unauthorized OAuth Scope',
          detail: `Your authorization is missing the required scope '${kind.scope}.${level}'.`,
        });
      }
    };
    const none = () =>
      errors(404, { id: 'routeNotFound', title: 'Not Found', detail: `No route matches ${method} ${request.path}.` });
    const allowed = (what: string) => {
      if (!kind.methods.includes(what)) throw none();
    };
    const found = () => {
      const row = /^\d+$/.test(idText!) ? store.get(Number(idText)) : undefined;
      if (!row)
        throw errors(404, {
          id: 'resourceNotFound',
          title: 'Resource Not Found',
          detail: `Could not find '${kind.type}' with ID '${idText}'.`,
        });
      return row;
    };
    const may = (row: Row) => {
      if (row.hidden.locked)
        throw errors(403, {
          id: 'unauthorizedRequest',
          title: 'Unauthorized Request',
          detail: `You are not authorized to change ${kind.type} ${row.id}.`,
        });
    };
    if (segments.length === 3) {
      if (method === 'GET') {
        allowed('list');
        need('read');
        return { status: 200, body: JSON.stringify(collection(kind, store, request)) };
      }
      if (method === 'POST') {
        allowed('create');
        need('write');
        const { attributes, relationships } = written(kind, request, undefined);
        const row = blank(kind, nextId(store));
        create(kind, row, attributes, relationships, who.user);
        store.set(row.id, row);
        tell(kind, row, 'created', row.attributes, undefined);
        return {
          status: 201,
          headers: { location: `${vendor.url}/api/v2/${kind.path}/${row.id}` },
          body: JSON.stringify({ data: shown(kind, row, shape(kind, new URLSearchParams())) }),
        };
      }
      throw none();
    }
    if (segments.length === 4) {
      if (method === 'GET') {
        allowed('get');
        need('read');
        const asked = shape(
          kind,
          single(request.query, ['include', 'provideAuthorizationMeta', 'provideDataConnections'], /^fields\[\w+\]$/),
        );
        const row = found();
        return {
          status: 200,
          body: JSON.stringify({
            data: shown(kind, row, asked),
            ...(asked.include.length ? { included: included([row], kind, asked) } : {}),
          }),
        };
      }
      if (method === 'PATCH') {
        allowed('update');
        need('write');
        const row = found();
        may(row);
        update(kind, row, written(kind, request, row), who.user);
        return { status: 200, body: JSON.stringify({ data: shown(kind, row, shape(kind, new URLSearchParams())) }) };
      }
      if (method === 'DELETE') {
        allowed('delete');
        need('delete');
        single(request.query, []);
        const row = found();
        may(row);
        store.delete(row.id);
        // What the vendor's help describes: mailings that were only planned vanish with their mailbox.
        if (kind.type === 'mailbox') {
          for (const [id, mailing] of rows.mailings)
            if (
              mailing.relationships.mailbox === row.id &&
              ['drafted', 'scheduled'].includes(String(mailing.attributes.state))
            )
              rows.mailings.delete(id);
          for (const [id, alias] of rows.mailAliases)
            if (alias.relationships.mailbox === row.id) rows.mailAliases.delete(id);
        }
        tell(kind, row, 'destroyed', row.attributes, undefined);
        return { status: 204 };
      }
      throw none();
    }
    if (segments.length === 6 && word === 'actions' && method === 'POST' && kind.type === 'mailbox')
      return act(action!, found(), request, need, may);
    throw none();
  }

  function act(action: string, row: Row, request: Seen, need: (level: string) => void, may: (row: Row) => void): Reply {
    if (!['testSend', 'testSync', 'linkEwsMasterAccount', 'unlinkEwsMasterAccount'].includes(action)) {
      throw errors(404, { id: 'routeNotFound', title: 'Not Found', detail: `No route matches POST ${request.path}.` });
    }
    need('write');
    for (const [name] of request.query)
      throw bad('actionParams.unknownParam', `The action parameter '${name}' is not permitted.`);
    if (request.body.length) throw bad('permittedParams.unexpectedBody', 'This action takes no body.');
    may(row);
    const values = { ...row.attributes, ...row.hidden };
    if (action === 'testSend' || action === 'testSync') {
      const what = action === 'testSend' ? 'send' : 'sync';
      const problem = connection(values, what);
      const now = later(row);
      row.attributes.updatedAt = now;
      if (problem) {
        row.attributes[`${what}ErroredAt`] = now;
        throw invalid('/data', problem);
      }
      row.attributes[`${what}SuccessAt`] = now;
      if (what === 'sync') row.attributes.syncFinishedAt = now;
      return {
        status: 200,
        body: JSON.stringify({ data: shown(KINDS.mailboxes!, row, shape(KINDS.mailboxes!, new URLSearchParams())) }),
      };
    }
    if (row.attributes.sendMethod !== 'ews' && row.attributes.syncMethod !== 'ews')
      throw invalid('/data', 'Mailbox does not use EWS.');
    const linked = row.hidden.linked === true;
    if (linked === (action === 'linkEwsMasterAccount'))
      throw invalid(
        '/data',
        linked
          ? 'Mailbox is already linked with the EWS master account.'
          : 'Mailbox is not linked with the EWS master account.',
      );
    row.hidden.linked = !linked;
    row.attributes.updatedAt = later(row);
    return { status: 200, body: '{}' };
  }

  /** A pretend connection: hosts under .invalid do not answer, and the password "wrong" is refused. */
  function connection(v: Record<string, unknown>, what: 'send' | 'sync'): string | undefined {
    const method = v[`${what}Method`];
    const host =
      method === 'ews'
        ? v.ewsEndpoint
        : method === 'imap'
          ? v.imapHost
          : method === 'smtp'
            ? v.smtpHost
            : method === 'gmail_api'
              ? 'gmail'
              : v.sendgridApiKey;
    if (!method) return `${label(what)} method can't be blank.`;
    if (!host || /\.invalid\b/.test(String(host))) return `${label(String(method))} connection failed.`;
    const password = method === 'smtp' ? (v.smtpPassword ?? v.password) : v.password;
    return password === 'wrong' ? `${label(String(method))} authentication failed.` : undefined;
  }

  // --- writing ---
  const blank = (kind: Kindred, id: number): Row => ({
    id,
    hidden: {},
    relationships: Object.fromEntries(
      Object.entries(kind.relationships)
        .filter(([, r]) => !r.many)
        .map(([name]) => [name, null]),
    ),
    attributes: Object.fromEntries(
      Object.entries(kind.attributes)
        .filter(([, a]) => a.access !== 'wo')
        .map(([name]) => [name, null]),
    ),
  });
  const nextId = (store: Map<number, Row>) => Math.max(0, ...store.keys()) + 1;
  /** Later than the row's last change, so that two changes within a millisecond differ. */
  const later = (row: Row) => iso(Math.max(vendor.now(), (Date.parse(String(row.attributes.updatedAt)) || 0) + 1));

  function written(kind: Kindred, request: Seen, row: Row | undefined) {
    if (request.query.has('include'))
      throw bad('includeParameter.notAccepted', 'include is not accepted on create or update.');
    single(request.query, []);
    let document: Record<string, unknown>;
    try {
      document = JSON.parse(request.body.toString('utf8')) as typeof document;
    } catch {
      throw bad('malformedRequest', 'The request body is not valid JSON.');
    }
    const data = document?.data as Record<string, unknown> | undefined;
    if (typeof data !== 'object' || data === null || Array.isArray(data))
      throw invalid('/data', "Data can't be blank.");
    for (const name of Object.keys(document))
      if (name !== 'data') throw invalid('/', `Member '${name}' is not permitted.`);
    for (const name of Object.keys(data))
      if (!['type', 'id', 'attributes', 'relationships'].includes(name))
        throw invalid('/data', `Member '${name}' is not permitted.`);
    if (data.type !== kind.type) throw invalid('/data', `Type must be '${kind.type}'.`);
    if (row ? data.id !== row.id : data.id !== undefined)
      throw invalid('/data', row ? 'Id must be the id of the address, as an integer.' : 'Id is not permitted.');
    const attributes = (data.attributes ?? {}) as Record<string, unknown>;
    const relationships: Record<string, number | null> = {};
    for (const name of Object.keys(attributes)) {
      const known = Object.hasOwn(kind.attributes, name) ? kind.attributes[name] : undefined;
      if (!known || known.access === 'ro')
        throw bad('permittedParams.unknownAttribute', `The attribute '${name}' is not permitted.`);
    }
    const problems = Object.entries(attributes)
      .map(([name, value]) => wrong(name, kind.attributes[name]!, value))
      .filter(p => p !== undefined);
    for (const [name, value] of Object.entries(
      (data.relationships ?? {}) as Record<string, { data?: { type?: unknown; id?: unknown } | null } | null>,
    )) {
      const known = kind.relationships[name];
      if (!known?.write)
        throw bad('permittedParams.unknownRelationship', `The relationship '${name}' is not permitted.`);
      const to = value?.data;
      if (to === null) {
        relationships[name] = null;
        continue;
      }
      if (!to || to.type !== known.type || !Number.isInteger(to.id))
        problems.push(
          problem(`/data/relationships/${name}`, `${label(name)} must be a '${known.type}' with an integer id.`),
        );
      else if (known.type in rowsOf && !rows[rowsOf[known.type]!].has(to.id as number))
        problems.push(problem(`/data/relationships/${name}`, `${label(name)} must exist.`));
      else relationships[name] = to.id as number;
    }
    if (problems.length) throw errors(422, ...problems);
    return { attributes, relationships };
  }
  const rowsOf: Record<string, keyof typeof rows> = { mailbox: 'mailboxes', user: 'users' };
  const problem = (pointer: string, detail: string): Problem => ({
    id: 'validationError',
    title: 'Validation Error',
    detail,
    source: { pointer },
  });
  function wrong(name: string, { kind, max, values }: Attribute, value: unknown): Problem | undefined {
    const say = (words: string) => problem(`/data/attributes/${name}`, `${label(name)} ${words}.`);
    if (value === null) return undefined;
    if (kind === 'string' && typeof value !== 'string') return say('must be a string');
    if (kind === 'boolean' && typeof value !== 'boolean') return say('must be a boolean');
    if (kind === 'integer' && !Number.isInteger(value)) return say('must be an integer');
    if (kind === 'datetime' && (typeof value !== 'string' || Number.isNaN(Date.parse(value))))
      return say('must be a date and time');
    if (max && String(value).length > max) return say(`is too long (maximum is ${max} characters)`);
    if (values && !values.includes(value as string)) return say('is not included in the list');
    return undefined;
  }
  function put(kind: Kindred, row: Row, attributes: Record<string, unknown>) {
    for (const [name, value] of Object.entries(attributes))
      (kind.attributes[name]!.access === 'wo' ? row.hidden : row.attributes)[name] = value;
  }
  function checkMailbox(row: Row, attributes: Record<string, unknown>) {
    const values = { ...row.attributes, ...row.hidden, ...attributes };
    const problems: Problem[] = [];
    if (!values.email) problems.push(problem('/data/attributes/email', "Email can't be blank."));
    else if (
      [...rows.mailboxes.values()].some(
        other => other !== row && String(other.attributes.email).toLowerCase() === String(values.email).toLowerCase(),
      )
    )
      problems.push(problem('/data/attributes/email', 'Email has already been taken.'));
    if (values.syncOutreachFolder === true && values.exchangeVersion !== 'Exchange2007_SP1')
      problems.push(
        problem('/data/attributes/syncOutreachFolder', 'Sync outreach folder is only available for Exchange2007_SP1.'),
      );
    for (const [flag, what] of [
      ['validateSend', 'send'],
      ['validateSync', 'sync'],
    ] as const) {
      const failed = attributes[flag] === true ? connection(values, what) : undefined;
      if (failed) problems.push(problem(`/data/attributes/${flag}`, failed));
    }
    if (problems.length) throw errors(422, ...problems);
  }
  function checkWebhook(row: Row, attributes: Record<string, unknown>) {
    const v = { ...row.attributes, ...attributes };
    const resource = String(v.resource ?? '*');
    const action = String(v.action ?? '*');
    const problems: Problem[] = [];
    // The vendor takes HTTPS alone; this machine is let in over HTTP, or nothing could be delivered to a test.
    if (!/^https:\/\/|^http:\/\/(127\.0\.0\.1|localhost)[:/]/.test(String(v.url ?? '')))
      problems.push(problem('/data/attributes/url', 'Url must be an HTTPS address.'));
    if (!ACTIONS[resource])
      problems.push(problem('/data/attributes/resource', 'Resource is not included in the list.'));
    else if (!ACTIONS[resource]!.includes(action))
      problems.push(problem('/data/attributes/action', `Action is not available for ${resource}.`));
    if (problems.length) throw errors(422, ...problems);
  }
  function create(
    kind: Kindred,
    row: Row,
    attributes: Record<string, unknown>,
    relationships: Record<string, number | null>,
    user: number,
  ) {
    if (kind.type === 'mailbox') {
      if (!relationships.user) throw invalid('/data/relationships/user', "User can't be blank.");
      checkMailbox(row, attributes);
      Object.assign(row.attributes, {
        editable: true,
        sendDisabled: false,
        syncDisabled: false,
        maxMailingsPerDay: 500,
        maxMailingsPerWeek: 5000,
        sendThreshold: 2,
        sendPeriod: 60,
        userId: relationships.user,
      });
      row.relationships.creator = user;
    }
    if (kind.type === 'webhook') {
      checkWebhook(row, attributes);
      Object.assign(row.attributes, { resource: '*', action: '*', active: true, payloadVersion: 1 });
      Object.assign(row.relationships, { creator: user, authorizer: user });
    }
    if (kind.type === 'mailing') {
      if (!relationships.mailbox) throw invalid('/data/relationships/mailbox', "Mailbox can't be blank.");
      Object.assign(row.attributes, {
        state: 'drafted',
        mailingType: 'single',
        mailboxAddress: rows.mailboxes.get(relationships.mailbox)!.attributes.email,
      });
      row.relationships.user = user;
    }
    put(kind, row, attributes);
    Object.assign(row.relationships, relationships);
    row.attributes.createdAt = row.attributes.updatedAt = iso();
  }
  function update(kind: Kindred, row: Row, { attributes, relationships }: ReturnType<typeof written>, user: number) {
    if (kind.type === 'mailbox') {
      if (relationships.user === null) throw invalid('/data/relationships/user', "User can't be blank.");
      checkMailbox(row, attributes);
    }
    if (kind.type === 'webhook') {
      checkWebhook(row, attributes);
      Object.assign(row.attributes, { disabledReason: null, disabledSince: null, disabledUntil: null });
    }
    put(kind, row, attributes);
    Object.assign(row.relationships, relationships);
    if (relationships.user) row.attributes.userId = relationships.user;
    if ('updater' in row.relationships) row.relationships.updater = user;
    row.attributes.updatedAt = later(row);
  }

  // --- reading ---
  interface Shape {
    include: string[];
    fields: Record<string, Set<string>>;
    meta: boolean;
    query: URLSearchParams;
  }
  /** Refuses parameters that are not known here, and those given twice. */
  function single(query: URLSearchParams, names: readonly string[], ...patterns: RegExp[]): URLSearchParams {
    const seen = new Set<string>();
    for (const name of query.keys()) {
      if (!names.includes(name) && !patterns.some(p => p.test(name)))
        throw bad('queryParameter.unknown', `The query parameter '${name}' is not permitted.`);
      if (seen.has(name) && !name.endsWith('[]'))
        throw bad('queryParameter.repeated', `The query parameter '${name}' was given more than once.`);
      seen.add(name);
    }
    return query;
  }
  const boolean = (query: URLSearchParams, name: string): boolean => {
    const value = query.get(name);
    if (value !== null && value !== 'true' && value !== 'false')
      throw bad('queryParameter.invalid', `'${name}' must be true or false.`);
    return value === 'true';
  };
  function shape(kind: Kindred, query: URLSearchParams): Shape {
    const include = (query.get('include') ?? '').split(',').filter(Boolean);
    const fields: Shape['fields'] = {};
    for (const name of include)
      if (!kind.relationships[name]?.include)
        throw bad('includeParameter.unknownRelationship', `'${name}' cannot be included.`);
    for (const [name, value] of query) {
      const type = /^fields\[(\w+)\]$/.exec(name)?.[1];
      if (!type) continue;
      const of = Object.values(KINDS).find(k => k.type === type);
      if (!of) throw bad('fieldsParameter.unknownResource', `'${type}' is not a resource.`);
      fields[type] = new Set(value.split(',').filter(Boolean));
      for (const field of fields[type]) {
        if (
          (!Object.hasOwn(of.attributes, field) || of.attributes[field]!.access === 'wo') &&
          !Object.hasOwn(of.relationships, field)
        )
          throw bad('fieldsParameter.unknownResourceField', `'${field}' is not a field of '${type}'.`);
      }
    }
    return { include, fields, meta: boolean(query, 'provideAuthorizationMeta'), query };
  }
  function shown(kind: Kindred, row: Row, { fields, meta }: Shape) {
    const wanted = fields[kind.type];
    const has = (name: string) => !wanted || wanted.has(name);
    const api = `${vendor.url}/api/v2`;
    const relationships = Object.fromEntries(
      Object.entries(kind.relationships)
        .filter(([name]) => has(name))
        .map(([name, relation]) => {
          if (relation.many)
            return [
              name,
              {
                links: {
                  related: `${api}/${relation.type === 'mailAlias' ? 'mailAliases' : relation.type === 'mailing' ? 'mailings' : 'mailboxes'}?filter[${kind.type}][id]=${row.id}`,
                },
              },
            ];
          if (switches.bareRelationships && name === 'updater') return [name, {}];
          const to = row.relationships[name] ?? null;
          return [name, { data: to === null ? null : { type: relation.type, id: to } }];
        }),
    );
    const attributes = Object.fromEntries(Object.entries(row.attributes).filter(([name]) => has(name)));
    const locked = row.hidden.locked === true;
    return {
      type: kind.type,
      id: row.id,
      attributes,
      relationships,
      links: { self: `${api}/${kind.path}/${row.id}` },
      ...(meta && kind.meta.length ? { meta: Object.fromEntries(kind.meta.map(name => [name, !locked])) } : {}),
    };
  }
  function included(list: Row[], kind: Kindred, asked: Shape) {
    const all = new Map<string, unknown>();
    for (const row of list)
      for (const name of asked.include) {
        const type = kind.relationships[name]!.type;
        const to = row.relationships[name];
        const path = rowsOf[type];
        const other = to && path ? rows[path].get(to) : undefined;
        if (other) all.set(`${type} ${other.id}`, shown(KINDS[path!]!, other, { ...asked, meta: false }));
      }
    return [...all.values()];
  }

  function collection(kind: Kindred, store: Map<number, Row>, request: Seen) {
    const query = single(
      request.query,
      ['sort', 'include', 'count', 'newFilterSyntax', 'provideAuthorizationMeta', 'provideDataConnections'],
      /^filter(\[\w+\])+(\[\])?$/,
      /^fields\[\w+\]$/,
      /^page\[(size|after|before|limit|offset)\]$/,
    );
    const asked = shape(kind, query);
    const modern = boolean(query, 'newFilterSyntax');
    let list = [...store.values()].filter(filters(kind, query, modern));
    const order = sorting(kind, query.get('sort'));
    list.sort(order.compare);
    const total = list.length;
    const number = (name: string, least: number) => {
      const text = query.get(`page[${name}]`);
      if (text === null) return undefined;
      if (!/^\d+$/.test(text) || Number(text) < least)
        throw bad('pageParameter.invalid', `page[${name}] must be a whole number of at least ${least}.`);
      return Number(text);
    };
    const offsetMode = query.has('page[limit]') || query.has('page[offset]');
    if (offsetMode && [...query.keys()].some(name => /^page\[(size|after|before)\]$/.test(name)))
      throw bad('pageParameter.mixed', 'Offset and cursor paging cannot be mixed.');
    const link = (changes: Record<string, string | undefined>) => {
      const parts = [...query].filter(([name]) => !Object.hasOwn(changes, name));
      for (const [name, value] of Object.entries(changes)) if (value !== undefined) parts.push([name, value]);
      return `${vendor.url}/api/v2/${kind.path}?${parts.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
    };
    const links: Record<string, string | null> = {};
    if (offsetMode) {
      const size = number('limit', 1) ?? 50;
      const offset = number('offset', 0) ?? 0;
      if (size > 1000 || offset > 10_000)
        throw bad('pageParameter.tooLarge', 'page[limit] may be 1000 and page[offset] 10000 at most.');
      const at = (n: number) => link({ 'page[limit]': String(size), 'page[offset]': String(n) });
      list = list.slice(offset, offset + size);
      Object.assign(links, {
        first: at(0),
        ...(offset > 0 ? { prev: at(Math.max(0, offset - size)) } : {}),
        ...(offset + size < total ? { next: at(offset + size) } : {}),
        last: at(Math.max(0, Math.floor((total - 1) / size) * size)),
      });
    } else {
      const size = Math.min(1000, number('size', 1) ?? 50);
      if (kind.type === 'mailing' && size > switches.heaviestPage && !asked.fields.mailing)
        throw refusal({
          status: 502,
          headers: { 'content-type': 'text/html' },
          body: '<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>',
        });
      const after = query.get('page[after]');
      const before = query.get('page[before]');
      if (after !== null && before !== null)
        throw bad('pageParameter.mixed', 'page[after] and page[before] cannot be given together.');
      const read = (text: string) => {
        try {
          const cursor = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as { s: string; k: unknown[] };
          if (cursor.s === (query.get('sort') ?? '') && Array.isArray(cursor.k)) return cursor.k;
        } catch {
          /* said below */
        }
        throw bad('pageParameter.invalidCursor', 'The page cursor is not valid.');
      };
      const cursorOf = (row: Row) =>
        Buffer.from(JSON.stringify({ s: query.get('sort') ?? '', k: order.keys(row) })).toString('base64');
      const whole = list;
      if (after !== null) {
        const k = read(after);
        list = whole.filter(row => order.against(row, k) > 0).slice(0, size);
      } else if (before !== null) {
        const k = read(before);
        list = whole.filter(row => order.against(row, k) < 0).slice(-size);
      } else list = whole.slice(0, size);
      const last = list.at(-1);
      const head = list[0];
      links.first = link({ 'page[size]': String(size), 'page[after]': undefined, 'page[before]': undefined });
      if (head && whole.indexOf(head) > 0)
        links.prev = link({ 'page[size]': String(size), 'page[after]': undefined, 'page[before]': cursorOf(head) });
      if (last && whole.indexOf(last) < whole.length - 1)
        links.next = link({ 'page[size]': String(size), 'page[before]': undefined, 'page[after]': cursorOf(last) });
      // The last page is told either by no key or by null; both are seen, so both are sent.
      else if (total % 2) links.next = null;
    }
    const counted = boolean(query, 'count');
    return {
      data: list.map(row => shown(kind, row, asked)),
      links,
      meta: counted
        ? { count: switches.countTruncated ? 0 : total, count_truncated: switches.countTruncated }
        : { count: null },
      ...(asked.include.length ? { included: included(list, kind, asked) } : {}),
    };
  }

  function filters(kind: Kindred, query: URLSearchParams, modern: boolean): (row: Row) => boolean {
    const tests: ((row: Row) => boolean)[] = [];
    const several = new Map<string, string[]>();
    for (const [name, value] of query) {
      const found = /^filter\[(\w+)\](?:\[(\w+)\])?(\[\])?$/.exec(name);
      if (!found) {
        if (name.startsWith('filter'))
          throw bad('filterParameter.unfilterableAttribute', `'${name}' cannot be used as a filter.`);
        continue;
      }
      const [, first, second, array] = found as unknown as [string, string, string | undefined, string | undefined];
      const comparison = modern && (second === 'gte' || second === 'lte') ? second : undefined;
      const relation = second === 'id' ? kind.relationships[first] : undefined;
      const attribute =
        first === 'id' && !second
          ? { kind: 'integer' as const, filter: true }
          : !second || comparison
            ? kind.attributes[first]
            : undefined;
      if (relation ? !relation.filter || relation.many : !attribute?.filter)
        throw bad(
          'filterParameter.unfilterableAttribute',
          `'${second && !comparison ? `${first}.${second}` : first}' cannot be used as a filter for '${kind.type}'.`,
        );
      const type: Kind = relation ? 'integer' : attribute!.kind;
      const of = (row: Row): unknown =>
        relation ? row.relationships[first] : first === 'id' ? row.id : row.attributes[first];
      const typed = (text: string): string | number | boolean => {
        if (type === 'datetime') {
          if (
            !/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text) ||
            Number.isNaN(Date.parse(text))
          )
            throw bad('filterParameter.invalidDatetimeFormat', `'${text}' is not a valid date or time for '${first}'.`);
          return Date.parse(text);
        }
        if (type === 'integer') {
          if (!/^-?\d+$/.test(text))
            throw bad('filterParameter.invalidIntegerFormat', `'${text}' is not a valid integer for '${first}'.`);
          return Number(text);
        }
        if (type === 'boolean') {
          if (text !== 'true' && text !== 'false')
            throw bad('filterParameter.invalidBooleanFormat', `'${text}' is not true or false.`);
          return text === 'true';
        }
        return text;
      };
      const actual = (row: Row) => {
        const v = of(row);
        return v === null || v === undefined
          ? null
          : type === 'datetime'
            ? Date.parse(String(v))
            : (v as string | number | boolean);
      };
      if (value === '__null__') {
        tests.push(row => actual(row) === null);
        continue;
      }
      if (value === '__notnull__') {
        tests.push(row => actual(row) !== null);
        continue;
      }
      if (comparison) {
        const bound = typed(value);
        tests.push(row => {
          const v = actual(row);
          return v !== null && (comparison === 'gte' ? v >= bound : v <= bound);
        });
        continue;
      }
      if (modern) {
        if (array) several.set(name, [...(several.get(name) ?? []), value]);
        const wanted = typed(value);
        tests.push(array ? row => several.get(name)!.map(typed).includes(actual(row)!) : row => actual(row) === wanted);
        continue;
      }
      if (array) throw bad('filterParameter.unfilterableAttribute', `'${name}' needs newFilterSyntax=true.`);
      const span = /^(.*?)\.\.(.*)$/.exec(value);
      if (span && type !== 'string') {
        const low = span[1] === 'neginf' ? -Infinity : typed(span[1]!);
        const high = span[2] === 'inf' ? Infinity : typed(span[2]!);
        tests.push(row => {
          const v = actual(row);
          return v !== null && v >= low && v <= high;
        });
        continue;
      }
      const wanted = value.split(',').map(typed);
      tests.push(row => wanted.includes(actual(row)!));
    }
    return row => tests.every(test => test(row));
  }

  function sorting(kind: Kindred, text: string | null) {
    const parts = (text ?? '')
      .split(',')
      .filter(Boolean)
      .map(part => ({ name: part.replace(/^-/, ''), down: part.startsWith('-') }));
    for (const { name } of parts)
      if (!kind.attributes[name]?.sort)
        throw bad('sortParameter.unsortableAttribute', `'${name}' cannot be used to sort '${kind.type}'.`);
    const plain = (v: unknown) => (v === undefined ? null : (v as string | number | boolean | null));
    const keys = (row: Row): unknown[] => [...parts.map(({ name }) => plain(row.attributes[name])), row.id];
    const one = (a: unknown, b: unknown) =>
      a === b ? 0 : a === null ? 1 : b === null ? -1 : (a as string) < (b as string) ? -1 : 1;
    const against = (row: Row, k: readonly unknown[]) => {
      const mine = keys(row);
      for (const [i, { down }] of parts.entries()) {
        const d = one(mine[i], k[i]);
        if (d) return down ? -d : d;
      }
      return one(row.id, k.at(-1));
    };
    return { keys, against, compare: (a: Row, b: Row) => against(a, keys(b)) };
  }

  // --- webhooks ---
  function tell(
    kind: Kindred,
    row: Row,
    action: string,
    attributes: Record<string, unknown>,
    beforeUpdate: Record<string, unknown> | undefined,
  ) {
    if (!ACTIONS[kind.type] || kind.type === 'webhook') return;
    for (const hook of rows.webhooks.values()) {
      const h = hook.attributes;
      if (
        h.active !== true ||
        (h.resource !== '*' && h.resource !== kind.type) ||
        (h.action !== '*' && h.action !== action)
      )
        continue;
      const body = JSON.stringify({
        data: { type: kind.type, id: row.id, attributes, relationships: {} },
        ...(h.payloadVersion === 2 && beforeUpdate ? { beforeUpdate } : {}),
        meta: { deliveredAt: iso().replace('Z', '+00:00'), eventName: `${kind.type}.${action}` },
      });
      const headers: Record<string, string> = { 'content-type': 'application/json' };
      if (h.secret)
        headers['Outreach-Webhook-Signature'] = createHmac('sha256', String(h.secret)).update(body).digest('hex');
      const delivery: Delivery = { webhook: hook.id, url: String(h.url), headers, body, tries: 0 };
      vendor.deliveries.push(delivery);
      const running = deliver(delivery).finally(() => {
        under = under.filter(one => one !== running);
      });
      under.push(running);
    }
  }
  /** Any status counts as delivered; a failed connection is tried four times in all. */
  async function deliver(delivery: Delivery) {
    while (delivery.tries < 4) {
      delivery.tries++;
      try {
        const answered = await fetch(delivery.url, {
          method: 'POST',
          headers: delivery.headers,
          body: delivery.body,
          redirect: 'manual',
          signal: AbortSignal.timeout(5000),
        });
        await answered.arrayBuffer();
        delivery.status = answered.status;
        return;
      } catch {
        await new Promise(resolve => setTimeout(resolve, switches.webhookRetryMs));
      }
    }
  }
  const change: OutreachVendor['change'] = (path, id, attributes, event = 'updated') => {
    const row = rows[path].get(id)!;
    const before = Object.fromEntries(Object.keys(attributes).map(name => [name, row.attributes[name] ?? null]));
    Object.assign(row.attributes, attributes, 'updatedAt' in attributes ? {} : { updatedAt: later(row) });
    tell(KINDS[path]!, row, event, attributes, before);
  };

  /** For other clients: look at and turn the switches, and let mailings change. */
  function control(request: Seen): Reply {
    const { method, segments } = request;
    const body = request.body.length ? (JSON.parse(request.body.toString('utf8')) as Record<string, unknown>) : {};
    if (segments[1] === 'switches' && method === 'POST') Object.assign(switches, body);
    if (segments[1] === 'switches') return { status: 200, body: { ...switches } };
    if (segments[1] === 'tokens' && method === 'POST')
      return { status: 200, body: issue(body.scopes as string[] | undefined, body.user as number | undefined) };
    if (segments[1] === 'mailings' && method === 'POST' && rows.mailings.has(Number(segments[2]))) {
      const event = String(body.state);
      change(
        'mailings',
        Number(segments[2]),
        {
          state: event,
          stateChangedAt: iso(),
          ...(KINDS.mailings!.attributes[`${event}At`] ? { [`${event}At`]: iso() } : {}),
        },
        event,
      );
      return { status: 204 };
    }
    return {
      status: 404,
      body: {
        message:
          'GET or POST /sandbox/switches, POST /sandbox/tokens {scopes, user}, POST /sandbox/mailings/{id} {state}',
      },
    };
  }

  seed();
  const pair = issue();
  Object.assign(vendor.account, pair);
  return Object.assign(vendor, {
    switches,
    rows,
    issue,
    change,
    grants: 0,
    deliveries: [] as Delivery[],
    revoke: () => access.clear(),
    delivered: async () => {
      while (under.length) await Promise.all(under);
    },
  });

  /**
   * 120 users, 125 mailboxes of which the first five are special, 130 aliases, 260 mailings, 105 webhooks: two pages of
   * 100 of each.
   */
  function seed() {
    const day = 86_400_000;
    const today = Math.floor(vendor.now() / day) * day;
    const start = today - 60 * day;
    const add = (
      path: keyof typeof rows,
      id: number,
      attributes: Record<string, unknown>,
      relationships: Record<string, number | null>,
      hidden: Record<string, unknown> = {},
    ) => {
      const row = blank(KINDS[path]!, id);
      Object.assign(
        row.attributes,
        { createdAt: iso(start + id * 60_000), updatedAt: iso(start + 10 * day + id * 61_000) },
        attributes,
      );
      Object.assign(row.relationships, relationships);
      Object.assign(row.hidden, hidden);
      rows[path].set(id, row);
    };
    const names = [
      ['Ann', 'Archer'],
      ['Ben', 'Baker'],
      ['Cho', 'Carter'],
    ];
    for (let id = 1; id <= 120; id++) {
      const [firstName, lastName] = names[id - 1] ?? [`First${id}`, `Last${String(id).padStart(3, '0')}`];
      const email = `${firstName!.toLowerCase()}@acme.test`;
      add(
        'users',
        id,
        {
          email,
          firstName,
          lastName,
          name: `${firstName} ${lastName}`,
          username: email,
          title: 'Account Executive',
          locked: id % 40 === 0,
          mailboxErrorEmailEnabled: true,
          userGuid: `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`,
        },
        { mailbox: id },
      );
    }
    const common = {
      editable: true,
      sendDisabled: false,
      syncDisabled: false,
      sendThreshold: 2,
      sendPeriod: 60,
      sendMaxRetries: 3,
      maxEmailsPerDay: 5000,
      maxMailingsPerDay: 500,
      maxMailingsPerWeek: 5000,
      syncActiveFrequency: 60,
      syncPassiveFrequency: 900,
      syncOutreachFolder: false,
      sendRequiresSync: false,
    };
    const good = {
      sendSuccessAt: iso(today - 3 * day),
      syncSuccessAt: iso(today - 3 * day + 300_000),
      syncFinishedAt: iso(today - 3 * day + 301_000),
    };
    const smtp = {
      sendMethod: 'smtp',
      smtpHost: 'smtp.acme.test',
      smtpPort: 587,
      smtpSsl: true,
      syncMethod: 'imap',
      imapHost: 'imap.acme.test',
      imapPort: 993,
      imapSsl: true,
    };
    const mailbox = (
      id: number,
      attributes: Record<string, unknown>,
      hidden: Record<string, unknown> = {},
      user = Math.min(id, 120),
    ) => {
      const email = String(rows.users.get(Math.min(id, 120))!.attributes.email).replace(
        '@',
        id > 120 ? `.${id}@` : '@',
      );
      add(
        'mailboxes',
        id,
        {
          ...common,
          email,
          username: email,
          emailHash: createHash('sha256').update(email).digest('hex'),
          providerId: 100 + id,
          providerType: 'email',
          userId: user,
          ...attributes,
        },
        { user, creator: 1, updater: id % 2 ? 1 : null },
        hidden,
      );
    };
    mailbox(1, {
      ...good,
      emailProvider: 'gmail_api',
      sendMethod: 'smtp',
      smtpHost: 'smtp.gmail.com',
      smtpPort: 587,
      smtpSsl: true,
      syncMethod: 'gmail_api',
      authId: 501,
      emailSignature: '<p>Ann</p>',
      prospectEmailExclusions: '*@outreach.io\ndaniel@example.com',
    });
    mailbox(
      2,
      { ...good, ...smtp, smtpHost: 'smtp.acme.invalid', sendErroredAt: iso(today - 2 * day) },
      { password: 'pa55' },
    );
    mailbox(3, {
      ...good,
      emailProvider: 'exchange_server',
      sendMethod: 'ews',
      syncMethod: 'ews',
      ewsEndpoint: 'https://ews.acme.test/EWS/Exchange.asmx',
      ewsSslVerifyMode: 1,
      exchangeVersion: 'Exchange2013',
    });
    mailbox(4, { ...good, ...smtp, editable: false }, { locked: true });
    mailbox(5, { ...good, ...smtp, sendDisabled: true, syncDisabled: true });
    for (let id = 6; id <= 125; id++)
      mailbox(
        id,
        {
          ...good,
          ...smtp,
          ...(id % 10 === 0
            ? { sendMethod: 'sendgrid', sendgridWebhookUrl: `https://app.acme.test/sendgrid/${id}` }
            : {}),
        },
        id % 10 === 0 ? { sendgridApiKey: 'SG.x' } : {},
      );
    for (let id = 1; id <= 130; id++)
      add(
        'mailAliases',
        id,
        {
          email: `alias${id}@acme.test`,
          emailHash: createHash('sha256').update(`alias${id}`).digest('hex'),
          canSend: id % 2 === 0,
        },
        { mailbox: id <= 110 ? 1 : id - 100 },
      );
    const states = ['delivered', 'opened', 'replied', 'bounced', 'drafted', 'scheduled', 'failed', 'queued'];
    for (let id = 1; id <= 260; id++) {
      const state = states[id % states.length]!;
      const at = iso(start + 20 * day + id * 1000);
      const box = id <= 230 ? 1 : 2;
      add(
        'mailings',
        id,
        {
          subject: `Hello ${id}`,
          bodyHtml: `<p>Hello ${id}</p>`,
          bodyText: `Hello ${id}`,
          state,
          stateChangedAt: at,
          mailboxAddress: rows.mailboxes.get(box)!.attributes.email,
          mailingType: id % 3 ? 'sequence' : 'single',
          messageId: `<${id}@acme.test>`,
          references: [],
          openCount: 0,
          clickCount: 0,
          retryCount: 0,
          trackLinks: true,
          trackOpens: true,
          overrideSafetySettings: false,
          ...(['delivered', 'opened', 'replied', 'bounced'].includes(state) ? { deliveredAt: at } : {}),
          ...(state === 'bounced' ? { bouncedAt: at, errorReason: 'No such user' } : {}),
          ...(state === 'scheduled' ? { scheduledAt: at } : {}),
        },
        { mailbox: box, user: box, prospect: 1000 + id, sequence: id % 3 ? 7 : null },
      );
    }
    for (let id = 1; id <= 105; id++)
      add(
        'webhooks',
        id,
        {
          resource: id % 2 ? 'prospect' : 'mailing',
          action: 'updated',
          active: false,
          url: `https://hooks.acme.test/${id}`,
          payloadVersion: 2,
        },
        { creator: 1, authorizer: 1 },
      );
  }
}
