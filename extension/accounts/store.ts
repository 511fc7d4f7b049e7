import { createHash, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Memento, SecretStorage } from 'vscode';
import {
  accountFields, connect, createDispatcher, createSend, isMailError, isStream, MailError, providers, tokenKeeper,
  type Client, type ConnectOptions, type Exchange, type Fields, type OAuth2Tokens, type Provider, type Proxies,
  type Send, type TokenKeeperOptions,
} from '../../shared/index.js';
import { localizedFields, localizedProviders } from '../fields/localized.js';
import { isSecretField } from '../fields/values.js';
import { t } from '../host/text.js';

/** What becomes of an account's secrets: kept in VS Code's store, until the window closes, or asked for again after a rest. */
export type Remember = 'keep' | 'session' | 'never';
/** An account as it is stored; nothing of it is secret. */
export interface StoredAccount { id: string; name: string; provider: string; values: Record<string, unknown>; remember: Remember }
/** `signedInAt` is the address the last sign-in came back to, which vendors want to hear again when a token is renewed. */
export type Secrets = Record<string, unknown> & { tokens?: OAuth2Tokens; signedInAt?: string };
/** An account as the rest of the extension sees it; `values` are its open values, never secrets. */
export interface AccountInfo {
  id: string; name: string; provider: Provider; values: Readonly<Record<string, unknown>>;
  /** What its row says after its name; only of the account whose server runs in this window. */
  local?: string;
}
export type Accounts = ReturnType<typeof createAccounts>;

interface AccountsOptions {
  state: Pick<Memento, 'get' | 'update' | 'keys'>;
  secrets: Pick<SecretStorage, 'get' | 'store' | 'delete' | 'onDidChange'>;
  /** Asks for the secrets of an account whose secrets are not remembered; undefined when the user gives up. */
  ask(account: StoredAccount, send: Send): Promise<Secrets | undefined>;
  /** Told when the list or one account changed; `named`: no more of it than its name. */
  changed(account?: string, named?: boolean): void;
  observe(account: StoredAccount, seen: Exchange): void;
  /** Told once, however much fails together, that a provider refused what an account signs in with. Resolves when the user has answered. */
  refused?(account: StoredAccount, error: MailError): PromiseLike<void>;
  /** Told when the last exchange of an account left it in another state. */
  stateChanged?(account: string): void;
  /** Told once when the system's secret store does not answer. */
  storeFailed(error: unknown): void;
  /** Told each time when a secret could not be taken out of the store. */
  notDeleted?(account: StoredAccount, error: unknown): void;
  /** The proxies to go through, asked for with the first request; those of the environment unless given. */
  proxies?(): Proxies;
  /** Lines of `npm run sandbox`: accounts that are there without being stored. */
  sandbox?: string;
  /** Milliseconds since 1970, and how to do something later, unless it is called off; for tests. */
  now?(): number;
  later?(run: () => void, ms: number): () => void;
}
/** What the last exchange with a provider said of an account. */
export type AccountState = 'good' | 'signIn' | 'unreachable';

/** What the ids of accounts begin with that end with the window. */
const LENT = 'sandbox-';
export const isLentId = (id: string): boolean => id.startsWith(LENT);
const INDEX = 'accounts';
/** What the drafts of an account are kept under; they go with it. */
export const draftsOf = (id: string): string => `draft ${id} `;
/** Secrets that are never to be remembered are forgotten after this rest, in milliseconds. */
const REST = 10 * 60_000;
/** Who gave up a question about an account is not asked again by what happens on the way, in milliseconds. */
const QUIET = 60_000;
/** After the accounts were shown, in milliseconds. */
const WARM_AFTER = 300;

/** The fields of an account beyond those of the provider: the app registration that OAuth 2 needs. */
export const OAUTH_FIELDS = {
  clientId: { type: 'text', label: 'Client ID', required: true, group: 'OAuth 2', help: 'From the app you registered with the provider.' },
  clientSecret: { type: 'text', label: 'Client Secret', secret: true, group: 'OAuth 2', help: 'Leave empty if the app has none.' },
  redirectUri: {
    type: 'text', label: 'Redirect Address', format: 'uri', group: 'OAuth 2',
    help: 'Only if the provider needs a redirect URL of your own. Your browser ends up there, and you paste the URL it shows.',
  },
} as const satisfies Fields;

/** What mail at any host needs besides, where the host's own sign-in is not known here. */
const OWN_GRANT = {
  authorizeUrl: { type: 'text', label: 'Authorization URL', format: 'uri', group: 'OAuth 2', help: 'Only for a provider that is not listed.' },
  tokenUrl: { type: 'text', label: 'Token URL', format: 'uri', group: 'OAuth 2', help: 'Only for a provider that is not listed.' },
  scope: { type: 'text', label: 'Scope', group: 'OAuth 2', help: 'Only for a provider that is not listed. Separate several with spaces.' },
} as const satisfies Fields;

/** Everything an account of a provider is asked for here. */
export const fieldsOf = (provider: Provider): Fields => localizedFields({
  ...accountFields(provider),
  ...(provider.auth.oauth2 ? OAUTH_FIELDS
    : provider.auth.oauth2Choice ? { ...OAUTH_FIELDS, clientId: { ...OAUTH_FIELDS.clientId, required: false }, ...OWN_GRANT } : {}),
});

/** The provider with the grant that an account signs in by, or undefined for an account without OAuth 2. */
export function grantOf(provider: Provider, values: Readonly<Record<string, unknown>>): Provider | undefined {
  const { oauth2, oauth2Choice } = provider.auth;
  if (oauth2) return provider;
  if (!oauth2Choice || values[oauth2Choice.field] !== oauth2Choice.value) return undefined;
  const known = oauth2Choice.grants[String(values[oauth2Choice.by])];
  const authorizeUrl = known ? `${known.authorizeUrl}${known.parameters ? `?${known.parameters}` : ''}` : String(values.authorizeUrl ?? '');
  const tokenUrl = known?.tokenUrl ?? String(values.tokenUrl ?? '');
  return { ...provider, auth: { ...provider.auth, oauth2: {
    authorizeUrl: () => authorizeUrl, tokenUrl: () => tokenUrl,
    scopes: known?.scopes ?? String(values.scope ?? '').split(/\s+/).filter(Boolean),
  } } };
}

/**
 * Whether a change of an account needs a new sign-in: it names another app, person or host, and the tokens of one must not be shown to another.
 */
export const signsInAgain = (provider: Provider, before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(fieldsOf(provider)).some(([name, field]) => (before[name] ?? field.default) !== (after[name] ?? field.default)
    && (name === provider.auth.oauth2Choice?.by || name === provider.auth.oauth2Choice?.field
      || (field.type === 'text' && !field.secret && !field.lines && name !== 'redirectUri')));

/** Parts the values of an account form into what may be stored openly and what may not. */
export function parted(fields: Fields, values: Readonly<Record<string, unknown>>): { open: Record<string, unknown>; secret: Record<string, unknown> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return {
    open: Object.fromEntries(entries.filter(([name]) => !isSecretField(fields, name))),
    secret: Object.fromEntries(entries.filter(([name]) => isSecretField(fields, name))),
  };
}

/** The vendor said no, but to somebody it knows. */
const ANSWERED: readonly string[] = ['forbidden', 'not_found', 'conflict', 'rejected', 'rate_limited'];

const timer = (run: () => void, ms: number) => { const one = setTimeout(run, ms); one.unref?.(); return () => clearTimeout(one); };

/** The accounts of this user: stores them, opens clients for them, forgets them. */
export function createAccounts(options: AccountsOptions) {
  const { state, secrets, ask, changed, observe, refused, stateChanged, storeFailed, notDeleted, proxies, sandbox, now = Date.now, later = timer } = options;
  /** One pool of connections for all accounts. */
  let shared: ReturnType<typeof createDispatcher> | undefined;
  const pool = () => shared ??= createDispatcher({ proxies: proxies?.() ?? 'environment' });
  /** For sign-ins, which no account signs yet. */
  const sender = (): Send => createSend({ dispatcher: pool() });
  const session = new Map<string, Secrets>(), reading = new Map<string, Promise<Secrets | undefined>>();
  const asking = new Map<string, Promise<Secrets | undefined>>(), quiet = new Map<string, number>();
  const seen = new Map<string, string>(), resting = new Map<string, () => void>(), states = new Map<string, AccountState>();
  /** The clients that are shared, each with the account it was made for: another window may have changed that since. */
  const clients = new Map<string, { account: StoredAccount; client: Promise<Client> }>();
  const lent: { account: StoredAccount; secrets: Secrets; local?: string }[] = sandboxAccounts(sandbox);
  let told = false, warming: NodeJS.Timeout | undefined, line: Promise<unknown> = Promise.resolve();

  const stored = (): StoredAccount[] => state.get<StoredAccount[]>(INDEX, []).filter(one => typeof one?.id === 'string' && typeof one.provider === 'string');
  const all = (): StoredAccount[] => [...stored(), ...lent.map(({ account }) => account)];
  const find = (id: string): StoredAccount => {
    const found = all().find(one => one.id === id);
    if (!found) throw new MailError('not_found', t('This account no longer exists.'));
    return found;
  };
  const providerOf = (account: StoredAccount): Provider | undefined => localizedProviders().find(({ id }) => id === account.provider);
  const secretKey = (id: string) => `account:${id}`;
  const forgetClient = (id: string) => { clients.delete(id); reading.delete(id); };

  async function readSecrets(account: StoredAccount): Promise<Secrets | undefined> {
    const own = lent.find(one => one.account.id === account.id);
    if (own) return own.secrets;
    const here = session.get(account.id);
    if (here) return here;
    if (account.remember !== 'keep') return undefined;
    // Each read is a hop to another process; those under way are shared.
    const under = reading.get(account.id) ?? (async () => {
      try {
        const text = await secrets.get(secretKey(account.id));
        seen.set(account.id, imprint(text));
        return text ? JSON.parse(text) as Secrets : undefined;
      } catch (error) { failed(error); return undefined; }
    })().finally(() => reading.delete(account.id));
    reading.set(account.id, under);
    return under;
  }
  function failed(error: unknown) { if (!told) { told = true; storeFailed(error); } }

  async function writeSecrets(account: StoredAccount, values: Secrets): Promise<void> {
    const own = lent.find(one => one.account.id === account.id);
    if (own) { own.secrets = values; return; }
    if (account.remember === 'keep') {
      const text = JSON.stringify(values);
      seen.set(account.id, imprint(text));
      try {
        await secrets.store(secretKey(account.id), text);
        session.delete(account.id);
        return;
      } catch (error) { failed(error); }
    } else if (stored().some(({ id, remember }) => id === account.id && remember === 'keep')) await deleteSecrets(account);
    session.set(account.id, values);
    used(account);
  }
  async function deleteSecrets(account: StoredAccount): Promise<void> {
    seen.set(account.id, imprint(undefined));
    try { await secrets.delete(secretKey(account.id)); } catch (error) { notDeleted?.(account, error); }
  }
  /** The rest of an account that remembers nothing begins anew. */
  function used({ id, remember }: StoredAccount): void {
    resting.get(id)?.();
    resting.delete(id);
    if (remember === 'never') resting.set(id, later(() => { session.delete(id); forgetClient(id); resting.delete(id); }, REST));
  }

  /**
   * The secrets, from wherever they are remembered, else from the user. Questions for one account are asked once, those of several one after
   * the other, because a box that opens closes another; who gave up is left alone for a while.
   */
  async function secretsFor(account: StoredAccount): Promise<Secrets> {
    const known = await readSecrets(account);
    if (known) return known;
    const missing = () => new MailError('unauthorized', t('The secret of this account is missing. Sign in.'),
      { provider: providerOf(account)?.name ?? account.provider });
    let question = asking.get(account.id);
    if (!question) {
      if (isQuiet(account.id)) throw missing();
      question = inLine(() => ask(account, sender())).then(async given => {
        if (given) await writeSecrets(account, given);
        return given;
      }).finally(() => asking.delete(account.id));
      asking.set(account.id, question);
      question.then(given => { if (!given) { hush(account.id); mark(account.id, 'signIn'); } }, () => hush(account.id));
    }
    const given = await question;
    if (!given) throw missing();
    return given;
  }
  function inLine<T>(work: () => Promise<T>): Promise<T> {
    const mine = line.then(work);
    line = mine.catch(() => {});
    return mine;
  }
  const isQuiet = (id: string) => now() < (quiet.get(id) ?? 0);
  const hush = (id: string) => { quiet.set(id, now() + QUIET); };

  /** The one door for what a provider does not let in: a secret of this session is forgotten, and the user asked once for all that fails together. */
  function unauthorized(account: StoredAccount, with_: Secrets, error: MailError): void {
    mark(account.id, 'signIn');
    // A sign-in is renewed with the app's own secret, and what was given anew meanwhile was not refused.
    if (session.get(account.id) === with_ && !with_.tokens) { session.delete(account.id); forgetClient(account.id); }
    if (isQuiet(account.id) || asking.has(account.id) || !all().some(({ id }) => id === account.id)) return;
    hush(account.id);
    void Promise.resolve(refused?.(account, error)).then(() => { if (quiet.has(account.id)) hush(account.id); });
  }
  function mark(id: string, is: AccountState): void {
    const before = states.get(id);
    if (before === is) return;
    states.set(id, is);
    // That an account works is what its row says by saying nothing, and drawing it again would draw all that is below it.
    if (before !== undefined || is !== 'good') stateChanged?.(id);
  }

  /** A client that tells what became of each call: how the account is, that it is in use, and that it is not let in. */
  function watched(client: Client, account: StoredAccount, known: Secrets): Client {
    const went = <T>(value: T): T => { mark(account.id, 'good'); return value; };
    const broke = (error: unknown): never => {
      if (isMailError(error)) {
        if (error.code === 'unauthorized') unauthorized(account, known, error);
        else if (error.code === 'unavailable') mark(account.id, 'unreachable');
        else if (ANSWERED.includes(error.code)) mark(account.id, 'good');
      }
      throw error;
    };
    const call = (name: string, input: Record<string, unknown>): unknown => {
      if (account.remember === 'never' && session.has(account.id)) used(find(account.id));
      const result = client.call(name, input);
      if (!isStream(result)) return (result as Promise<unknown>).then(went, broke);
      return { [Symbol.asyncIterator]: () => {
        const steps = (result as AsyncIterable<unknown>)[Symbol.asyncIterator]();
        return { next: () => steps.next().then(went, broke), return: async () => await steps.return?.() ?? { done: true, value: undefined } };
      } };
    };
    return { ...client, call: call as Client['call'] };
  }

  /** A client with these secrets; where it signs in by OAuth 2, `tokens` says where those are kept. */
  function connected(
    provider: Provider, account: StoredAccount, secret: Secrets, tokens: Pick<TokenKeeperOptions, 'key' | 'load' | 'save'>, more: ConnectOptions,
  ): Client {
    const { tokens: _, signedInAt, ...values } = secret;
    const app = {
      clientId: String(account.values.clientId ?? ''), ...(secret.clientSecret ? { clientSecret: String(secret.clientSecret) } : {}),
      redirectUri: signedInAt ?? String(account.values.redirectUri ?? ''),
    };
    const grant = grantOf(provider, account.values);
    return connect(provider, { ...account.values, ...values }, {
      key: account.id, observe: seen => observe(all().find(({ id }) => id === account.id) ?? account, seen), dispatcher: pool(),
      ...(grant ? { token: tokenKeeper({ provider: grant, account: account.values, app, send: sender(), ...tokens }) } : {}), ...more,
    });
  }
  /** The tokens where the account is stored. A store that does not answer for once costs neither the tokens nor what lies beside them. */
  function storedTokens(id: string, secret: Secrets): Pick<TokenKeeperOptions, 'key' | 'load' | 'save'> {
    let known = secret;
    return {
      key: id,
      load: async () => {
        const account = find(id), found = await readSecrets(account);
        return (found ?? (account.remember === 'keep' ? known : undefined))?.tokens;
      },
      save: async tokens => {
        const account = all().find(one => one.id === id);
        if (!account) return;
        known = { ...known, ...await readSecrets(account), tokens };
        await writeSecrets(account, known);
      },
    };
  }

  async function make(account: StoredAccount, more: ConnectOptions): Promise<Client> {
    const provider = providerOf(account);
    if (!provider) throw new MailError('unsupported', t('This version does not know the provider “{0}”.', account.provider));
    const known = needsSecrets(provider, account.values) ? await secretsFor(account) : await readSecrets(account) ?? {};
    return watched(connected(provider, account, known, storedTokens(account.id, known), more), account, known);
  }

  /** The client of an account; one for all who bring no signal of their own. */
  async function open(id: string, signal?: AbortSignal): Promise<Client> {
    const account = find(id);
    if (signal) return make(account, { signal });
    let one = clients.get(id);
    if (!one || !isDeepStrictEqual(one.account, account)) {
      const made = one = { account: structuredClone(account), client: make(account, {}) };
      clients.set(id, made);
      made.client.catch(() => { if (clients.get(id) === made) clients.delete(id); });
    }
    return one.client;
  }

  const watching = secrets.onDidChange(({ key }) => void heard(key));
  /** What was stored by this window, or a token that was renewed by any, is no reason to read the tree again. */
  async function heard(key: string): Promise<void> {
    const id = key.startsWith('account:') ? key.slice('account:'.length) : undefined;
    if (id === undefined || !stored().some(one => one.id === id)) return;
    const known = seen.get(id);
    if (known !== undefined && await Promise.resolve(secrets.get(key)).then(imprint, () => undefined) === known) return;
    forgetClient(id);
    changed(id);
  }

  return {
    list: (): AccountInfo[] => all().flatMap(account => {
      const provider = providerOf(account);
      const local = lent.find(one => one.account.id === account.id)?.local;
      return provider ? [{ id: account.id, name: account.name, provider, values: account.values, ...(local === undefined ? {} : { local }) }] : [];
    }),
    find, all, open, sender,
    /** Loads the HTTP client before the first click needs it, once the accounts have been drawn. No connection is made. */
    warm(): void { if (!shared && !warming && all().length) { warming = setTimeout(() => void pool().catch(() => {}), WARM_AFTER); warming.unref?.(); } },
    /** Other proxies hold from now on: what is under way ends on its old connections. */
    renewNetwork(): void {
      const old = shared;
      shared = undefined;
      clients.clear();
      void old?.then(one => one.close()).catch(() => {});
    },
    isLent: (id: string) => lent.some(one => one.account.id === id),
    /** Whether an account's secrets are at hand without asking anybody. */
    has: async (id: string) => Boolean(await readSecrets(find(id))),
    /** Whether an account can be opened without asking anybody. */
    async ready(id: string): Promise<boolean> {
      const account = find(id), provider = providerOf(account);
      return provider === undefined || !needsSecrets(provider, account.values) || Boolean(await readSecrets(account));
    },
    /**
     * Checks an account before it is stored, and gives its secrets back, with tokens that had to be renewed for it. `signedIn`: the tokens are
     * new, and nobody else's yet; those of an account that is there stay in its keeping.
     */
    async check(account: StoredAccount, secret: Secrets, signedIn = false): Promise<Secrets> {
      let held = secret;
      const own = { load: async () => held.tokens, save: async (tokens: OAuth2Tokens) => { held = { ...held, tokens }; } };
      const kept = signedIn || !all().some(({ id }) => id === account.id) ? own : storedTokens(account.id, secret);
      await connected(providerOf(account)!, account, secret, kept, {}).call('account.check', {});
      return held;
    },
    newId: () => randomUUID(),
    secretsOf: (id: string) => readSecrets(find(id)),
    /** What the last exchange said of an account; undefined before the first. */
    stateOf: (id: string): AccountState | undefined => states.get(id),
    /** The user wants to be asked now, though he gave up just before. */
    askAgain(id: string): void { quiet.delete(id); },
    /** Stores a new account: secrets first, then the index, so that a crash leaves no account without them. */
    async add(account: StoredAccount, secret: Secrets | undefined): Promise<void> {
      if (!providerOf(account)) throw new MailError('unsupported', t('This version does not know the provider “{0}”.', account.provider));
      if (secret) await writeSecrets(account, secret);
      await state.update(INDEX, [...stored(), account]);
      changed();
    },
    /** Changes an account that is there, in the same order. Throws `not_found` where it went meanwhile, and then stores nothing. */
    async update(id: string, change: Partial<Omit<StoredAccount, 'id' | 'provider'>>, secret?: Secrets): Promise<void> {
      const before = find(id), account = { ...before, ...change };
      if (secret) await writeSecrets(account, secret);
      const own = lent.find(one => one.account.id === id);
      if (own) own.account = account;
      else {
        if (!stored().some(one => one.id === id)) { session.delete(id); await deleteSecrets(account); find(id); }
        await state.update(INDEX, stored().map(one => one.id === id ? account : one));
      }
      used(account);
      forgetClient(id);
      if (secret) quiet.delete(id);
      changed(id, !secret && isDeepStrictEqual({ ...before, name: '' }, { ...account, name: '' }));
    },
    async remove(id: string): Promise<void> {
      const account = find(id), own = lent.findIndex(one => one.account.id === id);
      if (own >= 0) lent.splice(own, 1);
      else {
        await state.update(INDEX, stored().filter(one => one.id !== id));
        for (const key of state.keys()) if (key.startsWith(draftsOf(id))) await state.update(key, undefined);
        await deleteSecrets(account);
      }
      used({ ...account, remember: 'keep' });
      session.delete(id);
      states.delete(id);
      quiet.delete(id);
      forgetClient(id);
      changed();
    },
    /** Accounts that are there until the window closes, from lines of the sandbox. Returns how many were not there already. */
    lend(lines: string): number {
      const fresh = sandboxAccounts(lines).filter(({ account }) => !lent.some(one => one.account.id === account.id));
      lent.push(...fresh);
      if (fresh.length) changed();
      return fresh.length;
    },
    /** Shows the account of a server that runs in this window, until it is given back; asked for again, its row says something else. */
    lendLocal(id: string, name: string, server: { provider: string; account: Readonly<Record<string, unknown>> }, local: string): void {
      const there = lent.find(one => one.account.id === id);
      if (there) { there.local = local; changed(id, true); return; }
      const read = readSandboxLine(JSON.stringify({ id: server.provider, account: server.account }));
      if (!read) return;
      lent.push({ account: { ...read.account, id, name }, secrets: read.secrets, local });
      changed();
    },
    giveBack(id: string): void {
      const at = lent.findIndex(one => one.account.id === id);
      if (at < 0) return;
      lent.splice(at, 1);
      states.delete(id);
      forgetClient(id);
      changed();
    },
    dispose() { watching.dispose(); clearTimeout(warming); for (const end of resting.values()) end(); session.clear(); clients.clear(); },
  };
}

/** Tells secrets apart without holding them; tokens do not count, because their keeper looks for newer ones itself. */
function imprint(text: string | undefined): string {
  try {
    return createHash('sha256').update(JSON.stringify({ ...JSON.parse(text ?? 'null') as Secrets | null, tokens: undefined })).digest('base64');
  } catch { return ''; }
}

/** Whether an account cannot work without something secret. */
const needsSecrets = (provider: Provider, values: Readonly<Record<string, unknown>>): boolean => {
  const fields = provider.auth.fields as Fields, secret = Object.keys(fields).filter(name => isSecretField(fields, name));
  return grantOf(provider, values) !== undefined || secret.some(name => fields[name]!.required)
    || (provider.auth.oauth2Choice !== undefined && secret.length > 0);
};

/** Accounts from the lines that the sandbox prints. A line that is not understood is left out. */
function sandboxAccounts(lines: string | undefined): { account: StoredAccount; secrets: Secrets }[] {
  return (lines ?? '').split('\n').flatMap(line => {
    const read = readSandboxLine(line);
    return read ? [{ account: { ...read.account, id: `${LENT}${read.account.provider}` }, secrets: read.secrets }] : [];
  });
}

/** One line of `npm run sandbox`: `{"id": provider, "account": {...}}`. Undefined where it is none. */
export function readSandboxLine(line: string): { account: Omit<StoredAccount, 'id'>; secrets: Secrets } | undefined {
  try {
    const { id, account: given } = JSON.parse(line) as { id: string; account: Record<string, unknown> };
    const provider = providers.find(one => one.id === id);
    if (!provider || typeof given !== 'object' || given === null) return undefined;
    // The address registered for scripts is none that a browser could come back from.
    const { accessToken, refreshToken, redirectUri: _, ...rest } = given;
    const { open, secret } = parted(fieldsOf(provider), rest);
    const tokens = typeof accessToken === 'string'
      ? { tokens: { accessToken, obtainedAt: Date.now(), ...(typeof refreshToken === 'string' ? { refreshToken } : {}) } }
      : {};
    return {
      account: { name: t('{0} Sandbox', provider.name), provider: provider.id, values: open, remember: 'session' },
      secrets: { ...secret, ...tokens },
    };
  } catch { return undefined; }
}
