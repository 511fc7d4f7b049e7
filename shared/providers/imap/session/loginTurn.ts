import { pause } from '../../../wait.js';

/** Logins after a connection that failed start at least this far apart. */
const LOGIN_GAP = 1_000;
/**
 * However connections come and go, no account logs in more often than this on average, after the first few: fewer than
 * sixty in any minute.
 */
export const LOGIN_EVERY = 1_100;
export const LOGINS_AT_ONCE = 4;

/** The logins of an account at one server so far. */
export interface Logins {
  /** When the latest login began or will begin, and when the next would be due if they were evenly spaced. */
  lastLogin: number;
  nextLogin: number;
  /** Whether the latest connection failed. */
  failed: boolean;
}
export const NO_LOGINS: Readonly<Logins> = { lastLogin: -Infinity, nextLogin: -Infinity, failed: false };

/**
 * Waits until the account may log in. The moment is taken at once, so that two who ask together do not get the same
 * one.
 */
export async function loginTurn(hub: Logins, renewed: boolean, signal: AbortSignal | undefined): Promise<void> {
  const now = performance.now();
  const due = Math.max(hub.nextLogin, now - (LOGINS_AT_ONCE - 1) * LOGIN_EVERY);
  const at = Math.max(now, due, hub.failed && !renewed ? hub.lastLogin + LOGIN_GAP : 0);
  hub.nextLogin = due + LOGIN_EVERY;
  hub.lastLogin = at;
  if (at > now) await pause(at - now, signal);
}
