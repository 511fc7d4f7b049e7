import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Disposable, Memento, SecretStorage } from 'vscode';
import type { Client, Send } from '../../shared/index.js';
import { AccountIndex, providerOf, unknownProvider } from './accountIndex.js';
import { AccountStates } from './accountStates.js';
import { AccountClients, type ClientsOptions } from './clients.js';
import { needsSecrets, type AccountInfo, type AccountState, type Secrets, type StoredAccount } from './account.js';
import type { LocalServer } from './sandboxAccounts.js';
import { SecretStore, type SecretStoreOptions } from './secretStore.js';

// The one door to the accounts. `accountIndex.ts` lists them, `secretStore.ts` keeps their secrets, `clients.ts` opens
// their clients, `signInPrompts.ts` asks for what is missing, and `accountStates.ts` says how they are.

export * from './account.js';
export { isLentId, readSandboxLine } from './sandboxAccounts.js';

interface AccountsOptions extends ClientsOptions, SecretStoreOptions {
  state: Pick<Memento, 'get' | 'update' | 'keys'>;
  secrets: Pick<SecretStorage, 'get' | 'store' | 'delete' | 'onDidChange'>;
  /** Told when the list or one account changed; `named`: no more of it than its name. */
  changed(account?: string, named?: boolean): void;
  /** Told when the last exchange of an account left it in another state. */
  stateChanged?(account: string): void;
  /** Lines of `npm run sandbox`: accounts that are there without being stored. */
  sandbox?: string;
}

/** What the drafts of an account are kept under; they go with it. */
export const draftsOf = (id: string): string => `draft ${id} `;

/** The accounts of this user: stores them, opens clients for them, forgets them. */
export type Accounts = Pick<AccountStore, keyof AccountStore>;
export const createAccounts = (options: AccountsOptions): Accounts => new AccountStore(options);

class AccountStore {
  private readonly index: AccountIndex;
  private readonly states: AccountStates;
  private readonly secrets: SecretStore;
  private readonly clients: AccountClients;
  private readonly watching: Disposable;

  constructor(private readonly options: AccountsOptions) {
    this.index = new AccountIndex(options.state, options.sandbox);
    this.states = new AccountStates(id => options.stateChanged?.(id));
    this.secrets = new SecretStore(this.index, options, id => this.clients.forget(id));
    this.clients = new AccountClients(this.index, this.secrets, this.states, options);
    this.watching = options.secrets.onDidChange(({ key }) => void this.secretChanged(key));
  }

  list(): AccountInfo[] {
    return this.all().flatMap(account => {
      const { id, name, values } = account;
      const provider = providerOf(account);
      if (!provider) return [];
      const { local, has } = this.index.lentAccount(id) ?? {};
      return [{ id, name, provider, values, ...(local === undefined ? {} : { local }), ...(has ? { has } : {}) }];
    });
  }

  all(): StoredAccount[] {
    return this.index.all();
  }

  /** Throws `not_found` where there is none. */
  find(id: string): StoredAccount {
    return this.index.find(id);
  }

  isLent(id: string): boolean {
    return this.index.lentAccount(id) !== undefined;
  }

  newId(): string {
    return randomUUID();
  }

  /** The client of an account; one for all who bring no signal of their own. */
  open(id: string, signal?: AbortSignal): Promise<Client> {
    return this.clients.open(id, signal);
  }

  /** For sign-ins, which no account signs yet. */
  sender(): Send {
    return this.clients.sender();
  }

  /**
   * Loads the HTTP client before the first click needs it, once the accounts have been drawn. No connection is made.
   */
  warm(): void {
    this.clients.warm();
  }

  /** Other proxies hold from now on: what is under way ends on its old connections. */
  renewNetwork(): void {
    this.clients.renewNetwork();
  }

  /**
   * Checks an account before it is stored, and gives its secrets back, with tokens that had to be renewed for it.
   * `signedIn`: the tokens are new, and nobody else's yet; those of an account that is there stay in its keeping.
   */
  check(account: StoredAccount, secret: Secrets, signedIn = false): Promise<Secrets> {
    return this.clients.check(account, secret, signedIn);
  }

  /** Whether an account's secrets are at hand without asking anybody. */
  async has(id: string): Promise<boolean> {
    return Boolean(await this.secretsOf(id));
  }

  secretsOf(id: string): Promise<Secrets | undefined> {
    return this.secrets.read(this.find(id));
  }

  /** Whether an account can be opened without asking anybody. */
  async ready(id: string): Promise<boolean> {
    const account = this.find(id);
    const provider = providerOf(account);
    if (provider === undefined || !needsSecrets(provider, account.values)) return true;
    return Boolean(await this.secrets.read(account));
  }

  /** What the last exchange said of an account; undefined before the first. */
  stateOf(id: string): AccountState | undefined {
    return this.states.get(id);
  }

  /** The user wants to be asked now, though he gave up just before. */
  askAgain(id: string): void {
    this.clients.prompts.askAgain(id);
  }

  /** Stores a new account: secrets first, then the index, so that a crash leaves no account without them. */
  async add(account: StoredAccount, secret: Secrets | undefined): Promise<void> {
    if (!providerOf(account)) throw unknownProvider(account);
    if (secret) await this.secrets.write(account, secret);
    await this.index.append(account);
    this.options.changed();
  }

  /**
   * Changes an account that is there, in the same order. Throws `not_found` where it went meanwhile, and then stores
   * nothing.
   */
  async update(id: string, change: Partial<Omit<StoredAccount, 'id' | 'provider'>>, secret?: Secrets): Promise<void> {
    const before = this.find(id);
    const account = { ...before, ...change };
    if (secret) await this.secrets.write(account, secret);
    const lent = this.index.lentAccount(id);
    if (lent) lent.account = account;
    else await this.updateStored(account);
    this.secrets.used(account);
    this.clients.forget(id);
    if (secret) this.clients.prompts.askAgain(id);
    this.options.changed(id, !secret && isDeepStrictEqual({ ...before, name: '' }, { ...account, name: '' }));
  }

  private async updateStored(account: StoredAccount): Promise<void> {
    if (!this.index.isStored(account.id)) {
      this.secrets.forgetSession(account.id);
      await this.secrets.deleteStored(account);
      this.find(account.id);
    }
    await this.index.replace(account);
  }

  async remove(id: string): Promise<void> {
    const account = this.find(id);
    if (!this.index.takeBack(id)) await this.removeStored(account);
    this.secrets.used({ ...account, remember: 'keep' });
    this.secrets.forgetSession(id);
    this.states.delete(id);
    this.clients.prompts.askAgain(id);
    this.clients.forget(id);
    this.options.changed();
  }

  private async removeStored(account: StoredAccount): Promise<void> {
    const { state } = this.options;
    await this.index.drop(account.id);
    for (const key of state.keys()) if (key.startsWith(draftsOf(account.id))) await state.update(key, undefined);
    await this.secrets.deleteStored(account);
  }

  /**
   * Accounts that are there until the window closes, from lines of the sandbox. Returns how many were not there
   * already.
   */
  lend(lines: string): number {
    const count = this.index.lend(lines);
    if (count) this.options.changed();
    return count;
  }

  /**
   * Shows the account of a server that runs in this window, until it is given back; asked for again, its row says
   * something else.
   */
  lendLocal(id: string, name: string, server: LocalServer, local: string): void {
    const lent = this.index.lentAccount(id);
    if (lent) {
      lent.local = local;
      this.options.changed(id, true);
    } else if (this.index.lendLocal(id, name, server, local)) this.options.changed();
  }

  giveBack(id: string): void {
    if (!this.index.takeBack(id)) return;
    this.states.delete(id);
    this.clients.forget(id);
    this.options.changed();
  }

  dispose(): void {
    this.watching.dispose();
    this.secrets.dispose();
    this.clients.dispose();
  }

  /** What was stored by this window, or a token that was renewed by any, is no reason to read the tree again. */
  private async secretChanged(key: string): Promise<void> {
    const id = this.secrets.accountOf(key);
    if (id === undefined || !this.index.isStored(id) || (await this.secrets.isAsLastSeen(id))) return;
    this.clients.forget(id);
    this.options.changed(id);
  }
}
