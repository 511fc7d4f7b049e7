import type { Certificate } from '../imap/certificate.js';
import type { Store } from '../imap/store.js';

export interface SmtpOptions {
  certificate?: Certificate;
  /** False: AUTH only after TLS. */
  plaintext?: boolean;
  /** False: no SMTPUTF8, so that addresses outside of US-ASCII are refused. */
  smtpUtf8?: boolean;
  /** False: DSN parameters are not offered. */
  dsn?: boolean;
  /** False: commands have to come one at a time. */
  pipelining?: boolean;
  /** False: neither offered nor needed, as on a local relay. */
  auth?: boolean;
  /** Largest message in bytes, announced by SIZE; 100 MiB unless given. */
  maxMessageBytes?: number;
  maxRecipients?: number;
  /**
   * True: other domains are accepted and only recorded. Else they get 550 5.1.1, since nothing may leave the machine.
   */
  relay?: boolean;
  /** True: the sender must be the user who logged in (553 5.7.1). */
  ownSender?: boolean;
  /** True: the server itself puts a copy into Sent, as Gmail and Exchange Online do. */
  saveSent?: boolean;
  /** The account that gets all mail, once for each message, whoever it is for; and any login is good, and none. */
  anyone?: string;
  /** False: STARTTLS is not offered. */
  startTls?: boolean;
  /** False: what clients did is not written down. */
  record?: boolean;
  /** What goes wrong for as long as it is said here, beside the faults. */
  misbehave?(at: SmtpFault['at'], about: Moment): Omit<SmtpFault, 'at'> | undefined;
  port?: number;
  tlsPort?: number;
}
/** Whose turn it is when something goes wrong. */
export interface Moment {
  recipient?: string;
  user?: string;
  from?: string;
}

/** Something to go wrong at the SMTP server. */
export interface SmtpFault {
  /** The moment: the greeting, a login, a command, while the message comes in, or after its final dot. */
  at: 'connect' | 'auth' | 'mail' | 'rcpt' | 'data' | 'dot';
  /** Only for this recipient (rcpt) or login name (auth, dot). */
  recipient?: string;
  user?: string;
  /** How many times; 1 unless given. */
  times?: number;
  delayMs?: number;
  /** The refusal: 451 and `4.7.1 Greylisted`. At `dot` the message is not taken. Not for `data`. */
  code?: number;
  text?: string;
  /** Never answers. At `dot` the message has been taken. */
  silent?: boolean;
  /**
   * Ends the connection without a word. At `dot` the message has been taken unless `lose`: the moment nobody can tell
   * the two apart.
   */
  cut?: 'fin' | 'reset';
  lose?: boolean;
  /** With `data`: after so many bytes of the message; 1 unless given. */
  afterBytes?: number;
}

/** A message that came in whole. */
export interface SmtpMessage {
  at: number;
  session: string;
  user: string | undefined;
  from: string;
  to: string[];
  /** Parameters of MAIL FROM as sent, and what DSN asked for (RFC 3461). */
  args: Record<string, string | true>;
  dsn: { ret?: string; envid?: string; recipients: { address: string; notify?: string[]; orcpt?: string }[] };
  body: string;
  smtpUtf8: boolean;
  bytes: Buffer;
  /** Whether it was delivered. */
  taken: boolean;
}
export interface SmtpServer {
  host: string;
  port: number;
  tlsPort: number;
  /** The server's own certificate in PEM. */
  ca: string;
  seen: {
    sessions: { id: string; at: number; tls: boolean; user: string | undefined; closedAt: number | undefined }[];
    logins: { at: number; user: string; method: string; ok: boolean }[];
    recipients: { at: number; session: string; address: string; ok: boolean }[];
    messages: SmtpMessage[];
  };
  /** Announces another largest message, in bytes. */
  limit(bytes: number): void;
  open(): number;
  /** The most connections open at the same time since the last `forget`. */
  peak(): number;
  forget(): void;
  trouble: {
    fail(fault: SmtpFault): void;
    mend(): void;
    /** Connections at the same time before `421 4.7.0`. */
    connectionLimit: number;
    drop(how?: 'fin' | 'reset'): void;
    away(): Promise<void>;
    back(): Promise<void>;
  };
  close(): Promise<void>;
}
export interface Delivery {
  store: Store;
  /** The account an address belongs to, plus-tag and case aside. */
  accountOf(address: string): string | undefined;
  isLocal(address: string): boolean;
  deliver(
    account: string,
    bytes: Buffer,
    how: { folder: { name: string; flags: string[] } } | { from: string; to: string },
  ): void;
}
