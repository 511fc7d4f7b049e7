import type { AccountState } from './account.js';

/** What the last exchange with each account's provider said of the account. */
export class AccountStates {
  private readonly states = new Map<string, AccountState>();

  constructor(private readonly changed: (id: string) => void) {}

  /** Undefined before the first exchange. */
  get(id: string): AccountState | undefined {
    return this.states.get(id);
  }

  set(id: string, state: AccountState): void {
    const before = this.states.get(id);
    if (before === state) return;
    this.states.set(id, state);
    // That an account works is what its row says by saying nothing, and drawing it again would draw all that is below
    // it.
    if (before !== undefined || state !== 'good') this.changed(id);
  }

  delete(id: string): void {
    this.states.delete(id);
  }
}
