import { selfSigned } from '../../../shared/mailServer/imap/certificate.js';
import { phoneOf, type Family, type Lab, type User } from './lab.js';
import { startCourier } from './servers/courier.js';
import { startCyrus } from './servers/cyrus.js';
import { root } from './servers/debian.js';
import { startDovecot } from './servers/dovecot.js';
import { startExim } from './servers/exim.js';
import { startImap4d } from './servers/imap4d.js';
import { startOpensmtpd } from './servers/opensmtpd.js';
import { startPostfix } from './servers/postfix.js';
import { removeFolder, temporaryFolder } from './servers/process.js';
import type { Ground, ImapServer, SmtpServer } from './servers/server.js';

type Pair = [
  imap: (ground: Ground) => Promise<ImapServer>,
  smtp: (ground: Ground, imap: ImapServer) => Promise<SmtpServer>,
];
/** Which servers stand side by side in a lab. */
const PAIRS: Record<Exclude<Family, 'embedded'>, Pair> = {
  dovecot: [startDovecot, startPostfix],
  bareDovecot: [ground => startDovecot(ground, { bare: true }), startExim],
  cyrus: [startCyrus, startOpensmtpd],
  courier: [startCourier, startExim],
  imap4d: [startImap4d, startExim],
};

/**
 * Real servers on free ports, everything they keep in a folder of its own that goes with them. Without root there is
 * Dovecot alone. Users `m0@test.local` … hold as many connections as they like, `single0@test.local` … one, where the
 * server can do that.
 */
export async function realLab(family: Exclude<Family, 'embedded'> = 'dovecot'): Promise<Lab> {
  if (!root && family !== 'dovecot')
    throw new Error('These mail servers change their user and see files of their own, which needs root.');
  const folder = temporaryFolder();
  const certificate = selfSigned();
  const users: User[] = Array.from({ length: 80 }, (_, i) => ({ user: `m${i}@test.local`, password: `pass${i}` }));
  const singles: User[] = Array.from({ length: 8 }, (_, i) => ({
    user: `single${i}@test.local`,
    password: `pass${i}`,
  }));
  const ground = { folder, certificate, users: [...users, ...singles] };
  const [startImap, startSmtp] = PAIRS[family];
  const imap = await startImap(ground);
  const smtp = root ? await startSmtp(ground, imap) : undefined;
  const passwords = new Map(ground.users.map(({ user, password }) => [user, password]));
  let nextUser = 0;
  let nextSingle = 0;
  return {
    ...imap,
    family,
    smtpPort: smtp?.port ?? 0,
    smtpSecurity: smtp?.security ?? 'tls',
    ca: certificate.cert,
    user: kind => (kind === 'single' ? singles[nextSingle++]! : users[nextUser++]!),
    phone: ({ user }) => phoneOf(imap.imapPort, { user, password: passwords.get(user)! }),
    ...(imap.setPassword
      ? {
          async setPassword(user: User, password: string) {
            passwords.set(user.user, password);
            await imap.setPassword!(user, password);
          },
        }
      : {}),
    async close() {
      await smtp?.close();
      await imap.close();
      removeFolder(folder);
    },
  };
}
