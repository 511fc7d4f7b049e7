import { createHash } from 'node:crypto';
import type { SecretStorage } from 'vscode';
import type { AccountIndex } from './accountIndex.js';
import type { Secrets, StoredAccount } from './account.js';
import { later, type Later } from '../host/later.js';

/** Secrets that are never to be remembered are forgotten after this rest, in milliseconds. */
const REST = 10 * 60_000;
const PREFIX = 'account:';
const keyOf = (id: string) => PREFIX + id;

export interface SecretStoreOptions {
  secrets: Pick<SecretStorage, 'get' | 'store' | 'delete'>;
  /** Told once when the system's secret store does not answer. */
  storeFailed(error: unknown): void;
  /** Told each time when a secret could not be taken out of the store. */
  notDeleted?(account: StoredAccount, error: unknown): void;
  /** Instead of the clock; for tests. */
  later?: Later;
}

/** Where the secrets of accounts are: in VS Code's store, in this session, or with the sandbox accounts. */
export class SecretStore {
  private readonly session = new Map<string, Secrets>();
  /** Reads of VS Code's store that are under way. */
  private readonly reading = new Map<string, Promise<Secrets | undefined>>();
  /** Imprints of what this window last read or wrote. */
  private readonly imprints = new Map<string, string>();
  /** Calls off the rests that are running. */
  private readonly rests = new Map<string, () => void>();
  private isFailureTold = false;

  /** `forgotten` is told after a rest. */
  constructor(
    private readonly index: AccountIndex,
    private readonly options: SecretStoreOptions,
    private readonly forgotten: (id: string) => void,
  ) {}

  async read(account: StoredAccount): Promise<Secrets | undefined> {
    const { id } = account;
    const known = this.index.lentAccount(id)?.secrets ?? this.session.get(id);
    if (known || account.remember !== 'keep') return known;
    // Each read is a hop to another process; those under way are shared.
    const underWay = this.reading.get(id) ?? this.readStored(id).finally(() => this.reading.delete(id));
    this.reading.set(id, underWay);
    return underWay;
  }

  private async readStored(id: string): Promise<Secrets | undefined> {
    try {
      const text = await this.options.secrets.get(keyOf(id));
      this.imprints.set(id, imprint(text));
      return text ? (JSON.parse(text) as Secrets) : undefined;
    } catch (error) {
      this.tellFailure(error);
      return undefined;
    }
  }

  /** The next read asks VS Code's store again. */
  forgetReads(id: string): void {
    this.reading.delete(id);
  }

  /** Where VS Code's store does not answer, the secrets stay for this session. */
  async write(account: StoredAccount, values: Secrets): Promise<void> {
    const { id } = account;
    const lent = this.index.lentAccount(id);
    if (lent) {
      lent.secrets = values;
      return;
    }
    const keeps = account.remember === 'keep';
    if (keeps && (await this.writeStored(id, values))) return;
    const didKeep = this.index.stored().some(one => one.id === id && one.remember === 'keep');
    if (!keeps && didKeep) await this.deleteStored(account);
    this.session.set(id, values);
    this.used(account);
  }

  private async writeStored(id: string, values: Secrets): Promise<boolean> {
    const text = JSON.stringify(values);
    this.imprints.set(id, imprint(text));
    try {
      await this.options.secrets.store(keyOf(id), text);
      this.session.delete(id);
      return true;
    } catch (error) {
      this.tellFailure(error);
      return false;
    }
  }

  private tellFailure(error: unknown): void {
    if (this.isFailureTold) return;
    this.isFailureTold = true;
    this.options.storeFailed(error);
  }

  async deleteStored(account: StoredAccount): Promise<void> {
    this.imprints.set(account.id, imprint(undefined));
    try {
      await this.options.secrets.delete(keyOf(account.id));
    } catch (error) {
      this.options.notDeleted?.(account, error);
    }
  }

  /** Undefined where none are held for this session. */
  ofSession(id: string): Secrets | undefined {
    return this.session.get(id);
  }

  forgetSession(id: string): void {
    this.session.delete(id);
  }

  /** The rest of an account that remembers nothing begins anew. */
  used({ id, remember }: StoredAccount): void {
    this.rests.get(id)?.();
    this.rests.delete(id);
    if (remember !== 'never') return;
    this.rests.set(
      id,
      (this.options.later ?? later)(() => {
        this.session.delete(id);
        this.forgotten(id);
        this.rests.delete(id);
      }, REST),
    );
  }

  /** The account whose secret this key of VS Code's store holds. */
  accountOf(key: string): string | undefined {
    return key.startsWith(PREFIX) ? key.slice(PREFIX.length) : undefined;
  }

  /** Whether VS Code's store still holds what this window last saw, tokens aside. */
  async isAsLastSeen(id: string): Promise<boolean> {
    const seen = this.imprints.get(id);
    if (seen === undefined) return false;
    try {
      return imprint(await this.options.secrets.get(keyOf(id))) === seen;
    } catch {
      return false;
    }
  }

  dispose(): void {
    for (const callOff of this.rests.values()) callOff();
    this.session.clear();
  }
}

/** Tells secrets apart without holding them; tokens do not count, because their keeper looks for newer ones itself. */
function imprint(text: string | undefined): string {
  try {
    const secrets = { ...(JSON.parse(text ?? 'null') as Secrets | null), tokens: undefined };
    return createHash('sha256').update(JSON.stringify(secrets)).digest('base64');
  } catch {
    return '';
  }
}
