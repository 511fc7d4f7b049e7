import type { ImapFlow } from '../libraries.js';

/*
 * Servers offer ways of logging in that they then refuse with the right password: iCloud and others AUTHENTICATE PLAIN
 * where LOGIN works (https://github.com/LogicLabs-OU/OpenArchiver/issues/319,
 * https://github.com/thunderbird/thunderbird-android/pull/2650), others the other way round. So two are tried, no more:
 * servers count, and lock an account out after a few.
 */

/** Ways that send name and password as they are; `LOGIN` is the command of IMAP or the mechanism of SMTP. */
export type Method = 'PLAIN' | 'LOGIN';
export const WAYS = 2;

/** What worked last, by account, so that the next login begins with it. */
const worked = new Map<string, string>();
export function remember(account: string, method: string): void {
  if (worked.size > 1000) worked.clear();
  worked.set(account, method);
}

/** The ways to try, in the order the server offers them, but what worked last first. */
export function waysOf<M extends string>(account: string, offered: readonly M[]): M[] {
  const last = worked.get(account);
  return [...new Set([...offered.filter(way => way === last), ...offered])].slice(0, WAYS);
}

interface Inside {
  authenticate(): Promise<boolean>;
  options: { auth: { user: string; loginMethod?: string } };
  isClosed?: boolean;
  capabilities: Map<string, unknown>;
}
type ImapWay = 'AUTH=PLAIN' | 'AUTH=LOGIN' | 'LOGIN';

/**
 * The LOGIN command is always there unless it is said not to be (RFC 3501 section 6.2.3); it stands for the mechanism
 * of the same name.
 */
function imapWays({ capabilities, options }: Inside): ImapWay[] {
  const offered = [...capabilities.keys()].filter(one => one === 'AUTH=PLAIN' || one === 'AUTH=LOGIN');
  if (capabilities.has('LOGINDISABLED')) return offered;
  const all = [...new Set<ImapWay>([...offered.map(way => (way === 'AUTH=LOGIN' ? 'LOGIN' : way)), 'LOGIN'])];
  // Exchange takes DOMAIN\user and user/shared only there.
  return /[\\/]/.test(options.auth.user) ? all.reverse() : all;
}

/** The way that is left to try on another connection, for clients whose server may close theirs at the first. */
const left = new WeakMap<ImapFlow, ImapWay>();
/**
 * Has the next login of an account begin with the second way, where a connection ended at the first: Migadu's proxy
 * does that at AUTHENTICATE and takes LOGIN (https://github.com/pimalaya/himalaya/issues/625). False where there is
 * none left to try.
 */
export function beginWithSecond(client: ImapFlow, account: string): boolean {
  const way = left.get(client);
  if (way) remember(account, way);
  return !!way;
}

/**
 * Lets a client that logs in with a password try so many ways, the next when one is refused. `isFinal` tells refusals
 * that no other way helps with. Where all are refused it rejects with the first refusal.
 */
export function tryWays(client: ImapFlow, account: string, most: number, isFinal: (error: unknown) => boolean): void {
  const inside = client as unknown as Inside;
  const once = inside.authenticate.bind(client);
  inside.authenticate = async () => {
    let first: unknown;
    const ways = waysOf(account, imapWays(inside)).slice(0, most);
    for (const [i, way] of (ways.length ? ways : [undefined]).entries()) {
      if (way) inside.options.auth.loginMethod = way;
      const other = ways[i + 1];
      if (other) left.set(client, other);
      try {
        const done = await once();
        left.delete(client);
        if (way) remember(account, way);
        return done;
      } catch (error) {
        const refused = isAnswer(error);
        // The connection was closed behind the first refusal, before this way could be tried.
        if (!refused && i > 0) throw first;
        if (refused && i > 0) left.delete(client);
        if (isFinal(error)) throw error;
        first ??= error;
        if (inside.isClosed) break;
      }
    }
    throw first;
  };
}

/** True for an answer of the server; without one the connection ended. */
const isAnswer = (error: unknown): boolean => {
  const { responseStatus, authenticationFailed } = error as { responseStatus?: string; authenticationFailed?: boolean };
  return responseStatus !== undefined || !!authenticationFailed;
};
