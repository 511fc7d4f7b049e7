/** What a mail server is started with. */
export interface MailServerOptions {
  /** The port for SMTP; 0 for any. Without one it is 1025, or the next that is free. */
  smtp?: number;
  /** The port for IMAP; 0 for any. Without one it is 1143, or the next that is free. */
  imap?: number;
  /**
   * Where mail is kept, so that another start finds it: a folder for this server alone, made where it is missing, or
   * what names one by the port for SMTP. Without one it is kept in memory.
   */
  folder?: string | ((smtp: number) => string);
  /** So many messages are kept, 10,000 unless given; the oldest go first. */
  messages?: number;
  /** So many bytes are kept: 1 GB in a folder and 128 MB in memory, unless given; the oldest go first. */
  bytes?: number;
  /** How it misbehaves from the start. */
  misbehave?: Misbehaviour;
}

/** How a mail server misbehaves on purpose until it is told otherwise: what a program that sends mail has to bear. */
export interface Misbehaviour {
  /** Recipients that are refused with `550 5.1.1`: an address, a part of one such as `@example.com`, or `*` for all. */
  refuse?: string;
  /** The next recipient is refused with `451 4.3.0`, once. */
  failOnce?: boolean;
  /** The first try for each recipient is refused with `450 4.7.1`, the second is taken. */
  greylist?: boolean;
  /** Every answer is so late, in milliseconds, 1 to 600,000. */
  slow?: number;
  /** A message is taken, and the connection is cut before that is said: nobody can tell whether it came. */
  dropAfterData?: boolean;
  /** Recipients are refused with `552 5.2.2`, because there is no room left. */
  overQuota?: boolean;
  /** Messages larger than so many bytes are refused with `552`, and the size is announced. */
  sizeLimit?: number;
}

/**
 * A mail server on this machine: it takes mail for every address, from anybody who connects to loopback, and sends
 * nothing anywhere.
 */
export interface MailServer {
  host: string;
  /** In clear text, and with TLS from the first byte. */
  smtp: { port: number; tlsPort: number };
  imap: { port: number; tlsPort: number };
  /** The certificate of the ports with TLS, in PEM; made at each start. */
  certificate: string;
  /** The id of the provider and the account to `connect` with; any other user and password would do as well. */
  provider: 'imap';
  account: Record<string, unknown>;
  /** What is kept now. */
  readonly messages: number;
  readonly bytes: number;
  readonly misbehaving: Misbehaviour;
  /** Misbehaves in these ways from now on, and in no other; `{}` ends it. */
  misbehave(how: Misbehaviour): void;
  /** Told of each message that came by SMTP; gives a way to hear no more. */
  onMessage(hear: () => void): () => void;
  /** Takes all messages away for good. */
  clear(): void;
  /** Ends it. What is kept in a folder stays there. */
  close(): Promise<void>;
}
