import { randomBytes } from 'node:crypto';
import { letter, type Letter } from './letter.js';
import { selfSigned, type Certificate } from '../../shared/mailServer/imap/certificate.js';
import { startImap, type ImapOptions, type ImapServer } from '../../shared/mailServer/imap/server.js';
import {
  createStore,
  type Mailbox,
  type Message,
  type Source,
  type Store,
  type StoreOptions,
} from '../../shared/mailServer/imap/store.js';
import { deliveries, type Arrival, type Envelope, type Sent } from './sieve/deliver.js';
import { startSieve, type SieveOptions, type SieveServer } from './sieve.js';
import { startSmtp, type SmtpOptions, type SmtpServer } from '../../shared/mailServer/smtp/server.js';

export interface MailOptions extends StoreOptions {
  /** How many users, or which; u0 to u9 at test.local with pass0 to pass9 unless given. */
  users?: number | { user: string; password: string }[];
  imap?: Omit<ImapOptions, 'store' | 'certificate'>;
  smtp?: Omit<SmtpOptions, 'certificate'>;
  sieve?: Omit<SieveOptions, 'accounts' | 'certificate'>;
  certificate?: Certificate;
}
/**
 * What `deliver` takes: bytes, text, a function for bytes made anew each time (with its size), or the parts of a short
 * message.
 */
export type Content = Buffer | string | { size: number; bytes: () => Buffer } | Letter;
export interface Where {
  folder?: string;
  flags?: string[];
  internalDate?: number | Date;
  /** Takes a UID now and stays invisible until `reveal`. */
  hidden?: boolean;
}

/** The servers over one store of mail. */
export interface Mail {
  imap: ImapServer;
  smtp: SmtpServer;
  sieve: SieveServer;
  store: Store;
  users: { user: string; password: string }[];
  /** Certificate of all of them in PEM. */
  ca: string;
  /**
   * Puts a message into a user's folder at once, as LMTP would: when it returns, the message is there and its UID
   * known.
   */
  deliver(to: string, content: Content, where?: Where): Message;
  /** A message arrives at a user, whose active script decides what becomes of it. Mail by SMTP arrives so too. */
  arrive(to: string, content: Buffer, envelope?: Partial<Envelope>): Arrival;
  /** What rules sent to others, in order. Whoever is a user here has got it. */
  sent: Sent[];
  /** Shows messages delivered with `hidden`. */
  reveal(user: string, folder?: string): void;
  /** A folder of a user, for looking into it; throws where there is none. */
  folder(user: string, name?: string): Mailbox;
  /** As another program would: set flags, remove for good, delete and create anew. */
  flag(user: string, uid: number, flags: string[], folder?: string): void;
  expunge(user: string, uids: readonly number[], folder?: string): void;
  recreate(user: string, folder?: string, options?: { keep?: boolean }): Mailbox;
  /** A fresh OAuth 2 access token that lasts so long. */
  token(user: string, lifetimeMs?: number): string;
  close(): Promise<void>;
}

/**
 * Starts IMAP, SMTP and ManageSieve on free loopback ports; mail sent to a local user by SMTP goes through that user's
 * rules.
 */
export async function startMail(options: MailOptions = {}): Promise<Mail> {
  const users = Array.isArray(options.users)
    ? options.users
    : Array.from({ length: options.users ?? 10 }, (_, i) => ({ user: `u${i}@test.local`, password: `pass${i}` }));
  const store = createStore(options);
  const certificate = options.certificate ?? selfSigned();
  for (const { user, password } of users) store.addAccount(user, password);
  const domains = new Set(users.map(({ user }) => user.slice(user.lastIndexOf('@') + 1)));
  const accountOf = (address: string): string | undefined => {
    const [, local, domain] = /^([^+@]*)(?:\+[^@]*)?@([^@]*)$/.exec(address.toLowerCase()) ?? [];
    return [address, `${local}@${domain}`].find(name => store.accounts.has(name));
  };
  const folder = (user: string, name = 'INBOX'): Mailbox => {
    const found = imap.folder(user, name);
    if (!found) throw new Error(`No folder ${name} of ${user}`);
    return found;
  };
  const deliver: Mail['deliver'] = (to, content, { folder: name = 'INBOX', flags = [], internalDate, hidden } = {}) => {
    const account = accountOf(to);
    if (account === undefined) throw new Error(`No user ${to}`);
    const made: { source: Source; size?: number } =
      typeof content === 'string'
        ? { source: Buffer.from(content) }
        : Buffer.isBuffer(content)
          ? { source: content }
          : 'bytes' in content
            ? { source: content.bytes, size: content.size }
            : { source: letter({ to, ...content }) };
    const when = internalDate === undefined ? {} : { internalDate: Number(internalDate) };
    return store.append(folder(account, name), { ...made, ...when, flags, ...(hidden ? { hidden } : {}) });
  };
  const imap = await startImap({
    report: error => console.error('sandbox imap:', error),
    ...options.imap,
    store,
    certificate,
  });
  const sent: Sent[] = [];
  const arrived = deliveries({
    scriptsOf: account => sieve.of(account),
    extensions: () => sieve.options.extensions,
    hasFolder: (account, name) => imap.folder(account, name) !== undefined,
    create: (account, name) => {
      store.create(store.accounts.get(account)!, name);
    },
    store: (account, source, name, flags) => {
      store.append(folder(account, name), { source, flags });
    },
    send(message, depth) {
      sent.push(message);
      const account = accountOf(message.to);
      if (account !== undefined) arrived(account, message.source, message, depth);
    },
  });
  const arrive: Mail['arrive'] = (to, content, { from = 'sender@gen.test.local', to: written = to } = {}) => {
    const account = accountOf(to);
    if (account === undefined) throw new Error(`No user ${to}`);
    return arrived(account, content, { from, to: written });
  };
  const smtp = await startSmtp(
    {
      store,
      accountOf,
      isLocal: address => domains.has(address.slice(address.lastIndexOf('@') + 1).toLowerCase()),
      deliver(account, bytes, how) {
        if ('folder' in how) deliver(account, bytes, { folder: how.folder.name, flags: how.folder.flags });
        else arrived(account, bytes, how);
      },
    },
    { ...options.smtp, certificate },
  );
  const sieve = await startSieve({ ...options.sieve, accounts: store.accounts, certificate });
  return {
    imap,
    smtp,
    sieve,
    store,
    users,
    ca: certificate.cert,
    deliver,
    arrive,
    sent,
    folder,
    reveal: (user, name) => store.reveal(folder(user, name)),
    flag(user, uid, flags, name) {
      const mailbox = folder(user, name);
      const message = mailbox.messages.find(m => m.uid === uid);
      if (!message) throw new Error(`No UID ${uid} in ${mailbox.name}`);
      store.setFlags(mailbox, message, flags);
    },
    expunge(user, uids, name) {
      const gone = new Set(uids);
      store.expunge(folder(user, name), m => gone.has(m.uid));
    },
    recreate: (user, name = 'INBOX', how) => store.recreate(store.accounts.get(user)!, name, how),
    token(user, lifetimeMs = 3_600_000) {
      const token = randomBytes(16).toString('hex');
      store.accounts.get(user)!.tokens.set(token, Date.now() + lifetimeMs);
      return token;
    },
    async close() {
      await Promise.all([imap.close(), smtp.close(), sieve.close()]);
    },
  };
}
