import type { ImapFlow } from '../libraries.js';

/*
 * Servers offer ways of logging in that they then refuse with the right password: iCloud and others AUTHENTICATE PLAIN where LOGIN works
 * (https://github.com/LogicLabs-OU/OpenArchiver/issues/319, https://github.com/thunderbird/thunderbird-android/pull/2650), others the other way
 * round. So two are tried, no more: servers count, and lock an account out after a few.
 */

/** Ways that send name and password as they are; `LOGIN` is the command of IMAP or the mechanism of SMTP. */
export type Method = 'PLAIN' | 'LOGIN';
const TRIED = 2;

/** What worked last, by account, so that the next login begins with it. */
const worked = new Map<string, string>();
export function remember(account: string, method: string): void {
  if (worked.size > 1000) worked.clear();
  worked.set(account, method);
}

/** The ways to try, in the order the server offers them, but what worked last first. */
export function waysOf<M extends string>(account: string, offered: readonly M[]): M[] {
  const last = worked.get(account);
  return [...new Set([...offered.filter(way => way === last), ...offered])].slice(0, TRIED);
}

interface Inside {
  authenticate(): Promise<boolean>; options: { auth: { user: string; loginMethod?: string } }; isClosed?: boolean; capabilities: Map<string, unknown>;
}
type ImapWay = 'AUTH=PLAIN' | 'AUTH=LOGIN' | 'LOGIN';

/** The LOGIN command is always there unless it is said not to be (RFC 3501 section 6.2.3); it stands for the mechanism of the same name. */
function imapWays({ capabilities, options }: Inside): ImapWay[] {
  const offered = [...capabilities.keys()].filter(one => one === 'AUTH=PLAIN' || one === 'AUTH=LOGIN');
  if (capabilities.has('LOGINDISABLED')) return offered;
  const all = [...new Set<ImapWay>([...offered.map(way => way === 'AUTH=LOGIN' ? 'LOGIN' : way), 'LOGIN'])];
  // Exchange takes DOMAIN\user and user/shared only there.
  return /[\\/]/.test(options.auth.user) ? all.reverse() : all;
}

/**
 * Lets a client that logs in with a password try a second way when the first is refused. `isFinal` tells refusals that no other way helps
 * with. Where all are refused it rejects with the first refusal.
 */
export function trySecondWay(client: ImapFlow, account: string, isFinal: (error: unknown) => boolean): void {
  const inside = client as unknown as Inside, once = inside.authenticate.bind(client);
  inside.authenticate = async () => {
    let first: unknown;
    const ways = waysOf(account, imapWays(inside));
    for (const way of ways.length ? ways : [undefined]) {
      if (way) inside.options.auth.loginMethod = way;
      try {
        const done = await once();
        if (way) remember(account, way);
        return done;
      } catch (error) {
        if (isFinal(error)) throw error;
        first ??= error;
        if (inside.isClosed) break;
      }
    }
    throw first;
  };
}
