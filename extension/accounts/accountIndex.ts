import type { Memento } from 'vscode';
import { MailError, type Provider } from '../../shared/index.js';
import { localizedProviders } from '../fields/localized.js';
import { t } from '../host/text.js';
import type { StoredAccount } from './account.js';
import { readSandboxLine, sandboxAccounts, type LentAccount, type LocalServer } from './sandboxAccounts.js';

const INDEX = 'accounts';

/**
 * The list of accounts: those of VS Code's global state, which other windows may change, and those of the sandbox. No
 * secrets.
 */
export class AccountIndex {
  private readonly lent: LentAccount[];

  constructor(
    private readonly state: Pick<Memento, 'get' | 'update'>,
    sandbox: string | undefined,
  ) {
    this.lent = sandboxAccounts(sandbox);
  }

  stored(): StoredAccount[] {
    return this.state
      .get<StoredAccount[]>(INDEX, [])
      .filter(one => typeof one?.id === 'string' && typeof one.provider === 'string');
  }

  isStored(id: string): boolean {
    return this.stored().some(one => one.id === id);
  }

  all(): StoredAccount[] {
    return [...this.stored(), ...this.lent.map(({ account }) => account)];
  }

  get(id: string): StoredAccount | undefined {
    return this.all().find(one => one.id === id);
  }

  /** Throws `not_found` where there is none. */
  find(id: string): StoredAccount {
    const found = this.get(id);
    if (!found) throw new MailError('not_found', t('This account no longer exists.'));
    return found;
  }

  lentAccount(id: string): LentAccount | undefined {
    return this.lent.find(one => one.account.id === id);
  }

  async append(account: StoredAccount): Promise<void> {
    await this.state.update(INDEX, [...this.stored(), account]);
  }

  async replace(account: StoredAccount): Promise<void> {
    await this.state.update(
      INDEX,
      this.stored().map(one => (one.id === account.id ? account : one)),
    );
  }

  async drop(id: string): Promise<void> {
    await this.state.update(
      INDEX,
      this.stored().filter(one => one.id !== id),
    );
  }

  /** Lends what is not there already, and says how many those were. */
  lend(lines: string): number {
    const fresh = sandboxAccounts(lines).filter(({ account }) => !this.lentAccount(account.id));
    this.lent.push(...fresh);
    return fresh.length;
  }

  /** Lends the account of a server that runs in this window; false where its lines are not understood. */
  lendLocal(id: string, name: string, server: LocalServer, local: string): boolean {
    const read = readSandboxLine(JSON.stringify({ id: server.provider, account: server.account }));
    if (read)
      this.lent.push({
        account: { ...read.account, id, name },
        secrets: read.secrets,
        local,
        ...(server.has ? { has: server.has } : {}),
      });
    return read !== undefined;
  }

  /** Takes away an account that ends with the window; false where it is none. */
  takeBack(id: string): boolean {
    const at = this.lent.findIndex(one => one.account.id === id);
    if (at >= 0) this.lent.splice(at, 1);
    return at >= 0;
  }
}

/** Undefined where this version does not know the provider. */
export const providerOf = (account: StoredAccount): Provider | undefined =>
  localizedProviders().find(({ id }) => id === account.provider);

export const unknownProvider = (account: StoredAccount): MailError =>
  new MailError('unsupported', t('This version does not know the provider “{0}”.', account.provider));
