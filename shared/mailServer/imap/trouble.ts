import type { ImapFault } from './faults.js';

/** The switches for misbehaviour of one IMAP server. */
export interface Trouble {
  fail(fault: ImapFault): void;
  /** Ends all faults and switches; connections that were half-open are destroyed. */
  mend(): void;
  /** IDLE is accepted and then never talks. */
  deafIdle: boolean;
  /** Logins at the same time per user before `NO [LIMIT]`, and connections before `* BYE [UNAVAILABLE]`. */
  userLimit: number;
  connectionLimit: number;
  /** Every present connection (and new ones, with `andNew`) stays open and swallows everything, FIN included. */
  halfOpen(andNew?: boolean): void;
  /** Drops present connections; without `how` with a reset. */
  drop(how?: 'fin' | 'reset' | { bye: string }): void;
  /** Stops listening and resets all connections; mail stays. */
  away(): Promise<void>;
  /** Listens again on the same ports. */
  back(): Promise<void>;
  /** All access tokens (or one user's) are past their time. */
  expireTokens(user?: string): void;
}
