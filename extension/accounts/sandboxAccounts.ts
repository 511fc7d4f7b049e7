import { providers } from '../../shared/index.js';
import { t } from '../host/text.js';
import { fieldsOf, parted, type Secrets, type StoredAccount } from './account.js';

// Accounts of the simulated providers, which end with the window and are never stored.

/** An account that ends with the window, with its secrets, which change when a token is renewed. */
export interface LentAccount {
  account: StoredAccount;
  secrets: Secrets;
  /** What its row says after its name; only of the account whose server runs in this window. */
  local?: string;
  /** The resources that its server has, where that is less than its provider can offer. */
  has?: readonly string[];
}

/**
 * What a server says of itself: its provider, the account that is signed in there, and which resources it has, where
 * not all of its provider.
 */
export interface LocalServer {
  provider: string;
  account: Readonly<Record<string, unknown>>;
  has?: readonly string[];
}

/** What the ids of accounts begin with that end with the window. */
const LENT = 'sandbox-';
export const isLentId = (id: string): boolean => id.startsWith(LENT);

/** Accounts from the lines that the sandbox prints. A line that is not understood is left out. */
export function sandboxAccounts(lines: string | undefined): LentAccount[] {
  return (lines ?? '').split('\n').flatMap(line => {
    const read = readSandboxLine(line);
    if (!read) return [];
    return [{ account: { ...read.account, id: `${LENT}${read.account.provider}` }, secrets: read.secrets }];
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
    const secrets: Secrets = { ...secret };
    if (typeof accessToken === 'string') {
      const renewable = typeof refreshToken === 'string' ? { refreshToken } : {};
      secrets.tokens = { accessToken, obtainedAt: Date.now(), ...renewable };
    }
    return {
      account: { name: t('{0} Sandbox', provider.name), provider: provider.id, values: open, remember: 'session' },
      secrets,
    };
  } catch {
    return undefined;
  }
}
