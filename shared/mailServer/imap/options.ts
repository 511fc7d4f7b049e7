import type { Certificate } from './certificate.js';
import type { Mailbox, Store, StoreOptions } from './store.js';
import type { Trouble } from './trouble.js';

/** What servers of the field do otherwise than the embedded one does unless told. */
export interface Quirks {
  /** MISSING_MAILBOX and MISSING_DOMAIN stand in ENVELOPE where a half of an address is missing, as Dovecot answers. */
  placeholders?: boolean;
  /** BODYSTRUCTURE of a malformed Content-Type says little, as Dovecot's does. */
  structure?: boolean;
  /**
   * Flags, sizes of the folder and words that nobody asked for stand before and behind every row and every tagged
   * answer (RFC 3501 section 7).
   */
  unasked?: boolean;
  /**
   * `<start.length>` of a FETCH is not read: all of the section comes, and its name says so
   * (https://github.com/hmailserver/hmailserver/issues/334).
   */
  wholePieces?: boolean;
  /** A row comes in two. */
  halves?: boolean;
  /** Rows and their items come from the last to the first. */
  backwards?: boolean;
  /** Names of answers and items are in lower case. */
  lowerCase?: boolean;
  /** Strings of ENVELOPE are literals. */
  literals?: boolean;
  /** Empty sections are NIL. */
  nil?: boolean;
  /** Nothing is told of a search that finds nothing (iCloud, https://github.com/home-assistant/core/issues/132042). */
  silentSearch?: boolean;
  /** Refusals have no response code: RFC 5530 is optional. */
  plainNo?: boolean;
  /** UIDVALIDITY moves at each EXAMINE until the folder was opened with SELECT, as Courier's and imap4d's do. */
  movingValidity?: boolean;
}

export interface ImapOptions extends StoreOptions {
  /** Whose mail is served; a new empty store unless given. */
  store?: Store;
  /**
   * Capabilities not offered: IDLE, MOVE, UIDPLUS, CONDSTORE (takes QRESYNC with it), SPECIAL-USE, LITERAL+, STARTTLS,
   * AUTH=PLAIN …
   */
  without?: readonly string[];
  /** Capabilities offered beyond the usual: OBJECTID. */
  offer?: readonly string[];
  /** False: no login before TLS (LOGINDISABLED, PRIVACYREQUIRED). */
  plaintext?: boolean;
  /** False: PERMANENTFLAGS without `\*`, and keywords are dropped. */
  keywords?: boolean;
  /** False: SELECT does not tell UIDNEXT, as a few servers do. */
  uidNext?: boolean;
  quirks?: Quirks;
  /** The account that any login leads to. */
  anyone?: string;
  /** False: what clients did is not written down. */
  record?: boolean;
  /**
   * True: what a list shows of a message is worked out once and kept, so that nobody waits while all of a folder is
   * read for it.
   */
  remember?: boolean;
  /** Told of what this server did not expect of itself. */
  report?(error: unknown): void;
  name?: string;
  certificate?: Certificate;
  /** Largest message for APPEND in bytes; 100 MiB unless given. */
  maxMessageBytes?: number;
  /** Silence after which the server says BYE, in milliseconds; 30 minutes unless given (RFC 9051 5.4). */
  autologoutMs?: number;
  /** Ports to listen on; free ones unless given. */
  port?: number;
  tlsPort?: number;
}

/** What clients did, for assertions. Times in milliseconds since 1970. */
export interface ImapRecord {
  connections: { id: number; at: number; tls: boolean; closedAt: number | undefined }[];
  /** Every try, refused ones too. */
  logins: { at: number; user: string; method: string; ok: boolean; connection: number }[];
  /** The latest 20,000 commands, without passwords and literals. */
  commands: { at: number; connection: number; user: string | undefined; name: string; line: string }[];
}

export interface ImapServer {
  host: string;
  /** Clear text with STARTTLS, and implicit TLS. */
  port: number;
  tlsPort: number;
  /** The server's own certificate in PEM, for `tls.ca`. */
  ca: string;
  store: Store;
  trouble: Trouble;
  seen: ImapRecord;
  /** Connections open now. */
  open(): number;
  /** Commands of that name since the last `forget`. */
  count(name: string): number;
  /** The most login tries within any span of `ms` milliseconds. */
  busiest(ms: number): number;
  forget(): void;
  /** A folder of a user; undefined if there is none. `encoded` for a name in modified UTF-7. */
  folder(user: string, name: string, encoded?: boolean): Mailbox | undefined;
  close(): Promise<void>;
}
