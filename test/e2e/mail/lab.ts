import type { ImapFlow } from 'imapflow';
import { createServer } from 'node:net';
import { startMail, type Mail } from '../../sandbox/mail.js';

/** A user of the mail servers under test. */
export interface User {
  user: string;
  password: string;
}

/** The servers of a lab. */
export type Family = 'embedded' | 'dovecot' | 'bareDovecot' | 'cyrus' | 'courier' | 'imap4d';
/** What they are called in reports. */
export const FAMILIES: Readonly<Record<Family, string>> = {
  embedded: 'embedded servers',
  dovecot: 'Dovecot and Postfix',
  bareDovecot: 'Dovecot with no optional capability, below INBOX., and Exim',
  cyrus: 'Cyrus and OpenSMTPD',
  courier: 'Courier and Exim',
  imap4d: 'GNU Mailutils imap4d and Exim',
};

/**
 * A pair of mail servers, embedded or real, with what the tests need to do behind a client's back. Everything that IMAP
 * itself can do is done by `phone`, another client of the same account.
 */
export interface Lab {
  family: Family;
  /** Clear text, so that a proxy before it can count logins. */
  imapPort: number;
  smtpPort: number;
  /** The same server over TLS. */
  imapTlsPort: number;
  smtpSecurity: 'tls' | 'starttls' | 'none';
  /** What stands before the names of personal folders, and between two of them. */
  prefix: string;
  delimiter: string;
  /** Certificate of both servers in PEM. */
  ca: string;
  /** A user nobody else uses; `single` may hold one connection only. */
  user(kind?: 'single'): User;
  /** Puts a message into a user's INBOX; resolves when it is there. */
  deliver(user: User, bytes: Buffer): Promise<void>;
  /** The same for many, as fast as it can be done; order is kept. */
  fill(user: User, count: number, bytes: (i: number) => Buffer): Promise<void>;
  /** Another client of the account, straight to the server. */
  phone(user: User): Promise<ImapFlow>;
  setPassword?(user: User, password: string): Promise<void>;
  /** Makes the newest message of the INBOX one the server breaks off at when it is fetched. */
  poison?(user: User): Promise<void>;
  /** Gives the INBOX a new UIDVALIDITY; its messages stay. */
  renumber?(user: User): Promise<void>;
  /** A new OAuth 2 access token; the ones before are no longer accepted. */
  token?(user: User): string;
  away(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
  /** The embedded servers, for faults that no real server shows on command. */
  mail?: Mail;
}

/** A phone that is not in the way of the process ending. */
export async function phoneOf(port: number, { user, password }: User): Promise<ImapFlow> {
  const { ImapFlow } = await import('imapflow');
  const client = new ImapFlow({
    host: '127.0.0.1',
    port,
    secure: false,
    doSTARTTLS: false,
    auth: { user, pass: password },
    logger: false,
    disableAutoIdle: true,
  });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** The subjects in a folder, in its order; `(seen)` behind those that were read. */
export async function subjectsIn(port: number, user: User, folder = 'INBOX'): Promise<string[]> {
  const phone = await phoneOf(port, user);
  try {
    await phone.mailboxOpen(folder);
    const subjects: string[] = [];
    for await (const one of phone.fetch('1:*', { envelope: true, flags: true }))
      subjects.push(one.envelope!.subject + (one.flags!.has('\\Seen') ? ' (seen)' : ''));
    return subjects;
  } finally {
    await phone.logout();
  }
}

/** The embedded servers; `options` as for `startMail`. */
export async function embeddedLab(options: Parameters<typeof startMail>[0] = {}): Promise<Lab> {
  const mail = await startMail({ users: 80, ...options });
  let next = 0;
  return {
    family: 'embedded',
    mail,
    imapPort: mail.imap.port,
    imapTlsPort: mail.imap.tlsPort,
    smtpPort: mail.smtp.tlsPort,
    smtpSecurity: 'tls',
    ca: mail.ca,
    prefix: '',
    delimiter: '/',
    user: () => mail.users[next++]!,
    deliver: async ({ user }, bytes) => {
      mail.deliver(user, bytes);
    },
    fill: async ({ user }, count, bytes) => {
      for (let i = 0; i < count; i++) mail.deliver(user, bytes(i));
    },
    phone: user => phoneOf(mail.imap.port, user),
    setPassword: async ({ user }, password) => {
      mail.store.accounts.get(user)!.password = password;
    },
    poison: async ({ user }) =>
      mail.imap.trouble.fail({ command: 'FETCH', user, uid: mail.folder(user).messages.at(-1)!.uid, close: 'fin' }),
    renumber: async ({ user }) => {
      mail.recreate(user, 'INBOX', { keep: true });
    },
    token: ({ user }) => {
      mail.store.accounts.get(user)!.tokens.clear();
      return mail.token(user);
    },
    away: () => mail.imap.trouble.away(),
    back: () => mail.imap.trouble.back(),
    close: () => mail.close(),
  };
}

const taken = new Set<number>();
/**
 * Ports nobody listens on now, each given once. They lie below those that systems give to outgoing connections, so that
 * none is lost to one while its server is away for a while.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries > 1_000) throw new Error('No free port was found.');
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (taken.has(port)) continue;
    taken.add(port);
    const free = await new Promise<boolean>(resolve => {
      const server = createServer()
        .once('error', () => resolve(false))
        .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) ports.push(port);
  }
  return ports;
}
