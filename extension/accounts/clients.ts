import { isDeepStrictEqual } from 'node:util';
import {
  connect,
  createDispatcher,
  createSend,
  isMailError,
  isStream,
  tokenKeeper,
  type Client,
  type ConnectOptions,
  type Exchange,
  type MailError,
  type OAuth2Tokens,
  type Provider,
  type Proxies,
  type Send,
  type TokenKeeperOptions,
} from '../../shared/index.js';
import { providerOf, unknownProvider, type AccountIndex } from './accountIndex.js';
import type { AccountStates } from './accountStates.js';
import { grantOf, needsSecrets, type Secrets, type StoredAccount } from './account.js';
import type { SecretStore } from './secretStore.js';
import { SignInPrompts, type SignInPromptsOptions } from './signInPrompts.js';

/** After the accounts were shown, in milliseconds. */
const WARM_AFTER = 300;
/** The vendor said no, but to somebody it knows. */
const ANSWERED: readonly string[] = ['forbidden', 'not_found', 'conflict', 'rejected', 'rate_limited'];

/** Where the tokens of an account are kept. */
type TokenStorage = Pick<TokenKeeperOptions, 'key' | 'load' | 'save'>;

export interface ClientsOptions extends SignInPromptsOptions {
  observe(account: StoredAccount, seen: Exchange): void;
  /** The proxies to go through, asked for with the first request; those of the environment unless given. */
  proxies?(): Proxies;
}

/** Opens the clients of accounts, over one pool of connections for all of them. */
export class AccountClients {
  readonly prompts: SignInPrompts;
  private dispatcher: ReturnType<typeof createDispatcher> | undefined;
  private warming: NodeJS.Timeout | undefined;
  /** The clients that are shared, each with the account it was made for: another window may have changed that since. */
  private readonly shared = new Map<string, { account: StoredAccount; client: Promise<Client> }>();

  constructor(
    private readonly index: AccountIndex,
    private readonly secrets: SecretStore,
    private readonly states: AccountStates,
    private readonly options: ClientsOptions,
  ) {
    this.prompts = new SignInPrompts(index, secrets, states, options, () => this.sender());
  }

  /** The client of an account; one for all who bring no signal of their own. */
  async open(id: string, signal?: AbortSignal): Promise<Client> {
    const account = this.index.find(id);
    if (signal) return this.make(account, { signal });
    const shared = this.shared.get(id);
    if (shared && isDeepStrictEqual(shared.account, account)) return shared.client;
    const made = { account: structuredClone(account), client: this.make(account, {}) };
    this.shared.set(id, made);
    made.client.catch(() => {
      if (this.shared.get(id) === made) this.shared.delete(id);
    });
    return made.client;
  }

  /** The next call reads the account and its secrets again. */
  forget(id: string): void {
    this.shared.delete(id);
    this.secrets.forgetReads(id);
  }

  /** For sign-ins, which no account signs yet. */
  sender(): Send {
    return createSend({ dispatcher: this.pool() });
  }

  private pool(): ReturnType<typeof createDispatcher> {
    return (this.dispatcher ??= createDispatcher({ proxies: this.options.proxies?.() ?? 'environment' }));
  }

  /**
   * Loads the HTTP client before the first click needs it, once the accounts have been drawn. No connection is made.
   */
  warm(): void {
    if (this.dispatcher || this.warming || !this.index.all().length) return;
    this.warming = setTimeout(() => void this.pool().catch(() => {}), WARM_AFTER);
    this.warming.unref?.();
  }

  /** Other proxies hold from now on: what is under way ends on its old connections. */
  renewNetwork(): void {
    const old = this.dispatcher;
    this.dispatcher = undefined;
    this.shared.clear();
    void old?.then(one => one.close()).catch(() => {});
  }

  /**
   * Checks an account before it is stored, and gives its secrets back, with tokens that had to be renewed for it.
   * `signedIn`: the tokens are new, and nobody else's yet; those of an account that is there stay in its keeping.
   */
  async check(account: StoredAccount, secret: Secrets, signedIn: boolean): Promise<Secrets> {
    let held = secret;
    const own: TokenStorage = {
      load: async () => held.tokens,
      save: async (tokens: OAuth2Tokens) => {
        held = { ...held, tokens };
      },
    };
    const tokens = signedIn || !this.index.get(account.id) ? own : this.storedTokens(account.id, secret);
    await this.connected(providerOf(account)!, account, secret, tokens, {}).call('account.check', {});
    return held;
  }

  dispose(): void {
    clearTimeout(this.warming);
    this.shared.clear();
  }

  private async make(account: StoredAccount, more: ConnectOptions): Promise<Client> {
    const provider = providerOf(account);
    if (!provider) throw unknownProvider(account);
    const secrets = needsSecrets(provider, account.values)
      ? await this.prompts.secretsFor(account)
      : ((await this.secrets.read(account)) ?? {});
    const tokens = this.storedTokens(account.id, secrets);
    return this.watched(this.connected(provider, account, secrets, tokens, more), account, secrets);
  }

  /** A client with these secrets; where it signs in by OAuth 2, `tokens` says where those are kept. */
  private connected(
    provider: Provider,
    account: StoredAccount,
    secret: Secrets,
    tokens: TokenStorage,
    more: ConnectOptions,
  ): Client {
    const { tokens: _, signedInAt, ...values } = secret;
    const app = {
      clientId: String(account.values.clientId ?? ''),
      ...(secret.clientSecret ? { clientSecret: String(secret.clientSecret) } : {}),
      redirectUri: signedInAt ?? String(account.values.redirectUri ?? ''),
    };
    const grant = grantOf(provider, account.values);
    const token =
      grant && tokenKeeper({ provider: grant, account: account.values, app, send: this.sender(), ...tokens });
    return connect(
      provider,
      { ...account.values, ...values },
      {
        key: account.id,
        observe: seen => this.options.observe(this.index.get(account.id) ?? account, seen),
        dispatcher: this.pool(),
        wire: true,
        ...(token ? { token } : {}),
        ...more,
      },
    );
  }

  /**
   * The tokens where the account is stored. A store that does not answer for once costs neither the tokens nor what
   * lies beside them.
   */
  private storedTokens(id: string, secret: Secrets): TokenStorage {
    let known = secret;
    return {
      key: id,
      load: async () => {
        const account = this.index.find(id);
        const found = await this.secrets.read(account);
        return (found ?? (account.remember === 'keep' ? known : undefined))?.tokens;
      },
      save: async tokens => {
        const account = this.index.get(id);
        if (!account) return;
        known = { ...known, ...(await this.secrets.read(account)), tokens };
        await this.secrets.write(account, known);
      },
    };
  }

  /** A client that tells what became of each call: how the account is, that it is in use, and that it is not let in. */
  private watched(client: Client, account: StoredAccount, secrets: Secrets): Client {
    const succeeded = <T>(value: T): T => {
      this.states.set(account.id, 'good');
      return value;
    };
    const failed = (error: unknown): never => {
      if (isMailError(error)) this.failed(account, secrets, error);
      throw error;
    };
    const call = (name: string, input: Record<string, unknown>): unknown => {
      const isForgetting = account.remember === 'never' && this.secrets.ofSession(account.id);
      if (isForgetting) this.secrets.used(this.index.find(account.id));
      const result = client.call(name, input);
      return isStream(result)
        ? watchedStream(result as AsyncIterable<unknown>, succeeded, failed)
        : (result as Promise<unknown>).then(succeeded, failed);
    };
    return { ...client, call: call as Client['call'] };
  }

  private failed(account: StoredAccount, secrets: Secrets, error: MailError): void {
    if (error.code === 'unauthorized') this.unauthorized(account, secrets, error);
    else if (error.code === 'unavailable') this.states.set(account.id, 'unreachable');
    else if (ANSWERED.includes(error.code)) this.states.set(account.id, 'good');
  }

  /** The one door for what a provider does not let in: a secret of this session is forgotten, and the user is asked. */
  private unauthorized(account: StoredAccount, secrets: Secrets, error: MailError): void {
    this.states.set(account.id, 'signIn');
    // A sign-in is renewed with the app's own secret, and what was given anew meanwhile was not refused.
    if (this.secrets.ofSession(account.id) === secrets && !secrets.tokens) {
      this.secrets.forgetSession(account.id);
      this.forget(account.id);
    }
    this.prompts.refused(account, error);
  }
}

function watchedStream<T>(
  stream: AsyncIterable<T>,
  succeeded: <V>(value: V) => V,
  failed: (error: unknown) => never,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const steps = stream[Symbol.asyncIterator]();
      return {
        next: () => steps.next().then(succeeded, failed),
        return: async () => (await steps.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
}
