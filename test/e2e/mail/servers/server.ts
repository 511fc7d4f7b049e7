import SMTPConnection from 'nodemailer/lib/smtp-connection/index.js';
import { chownSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificate } from '../../../../shared/mailServer/imap/certificate.js';
import type { User } from '../lab.js';
import { MAIL } from './process.js';

/** What servers of a lab share: a folder for all they keep, a certificate, and the users. */
export interface Ground {
  folder: string;
  certificate: Certificate;
  users: readonly User[];
  /** Where mail goes that the servers' rules send: an SMTP server on this machine. */
  outgoing?: number;
}

/**
 * A running IMAP server. What cannot be done to one of its kind is left out; scenarios that need it are then left out
 * too.
 */
export interface ImapServer {
  imapPort: number;
  imapTlsPort: number;
  /** Takes messages for the users (RFC 2033). */
  lmtpPort?: number;
  /** Where rules are kept (RFC 5804). */
  sievePort?: number;
  /** Dovecot's own protocol for SMTP servers that ask it about passwords. */
  saslPort?: number;
  /** The folder of a user's INBOX, where an SMTP server delivers to that. */
  maildir?(user: User): string;
  /** What stands before the names of personal folders, and between two of them. */
  prefix: string;
  delimiter: string;
  deliver(user: User, bytes: Buffer): Promise<void>;
  fill(user: User, count: number, bytes: (i: number) => Buffer): Promise<void>;
  setPassword?(user: User, password: string): Promise<void>;
  poison?(user: User): Promise<void>;
  renumber?(user: User): Promise<void>;
  token?(user: User): string;
  away(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}

/** A running SMTP server that hands messages to an IMAP server. */
export interface SmtpServer {
  port: number;
  security: 'tls' | 'starttls' | 'none';
  close(): Promise<void>;
}

/** LMTP servers refuse for the moment while they are busy; whoever delivers tries again. */
const DELIVERIES = 20;
const BETWEEN_DELIVERIES = 250;

/** One delivering connection by LMTP, used in turn. */
export function lmtpClient(port: number): { deliver(to: string, bytes: Buffer): Promise<void>; close(): void } {
  let lmtp: SMTPConnection | undefined;
  let line: Promise<unknown> = Promise.resolve();
  const connected = () =>
    new Promise<SMTPConnection>((resolve, reject) => {
      const connection = new SMTPConnection({
        host: '127.0.0.1',
        port,
        lmtp: true,
        ignoreTLS: true,
      } as SMTPConnection.Options);
      connection
        .on('error', error => {
          lmtp = undefined;
          reject(error);
        })
        .on('end', () => {
          if (lmtp === connection) lmtp = undefined;
        });
      connection.connect(() => resolve(connection));
    });
  return {
    deliver(to, bytes) {
      const done = line.then(async () => {
        for (let tried = 1; ; tried++) {
          const refused = await sent((lmtp ??= await connected()), to, bytes);
          if (!refused) return;
          if (refused.responseCode! >= 500 || tried === DELIVERIES) throw refused;
          await new Promise(resolve => setTimeout(resolve, BETWEEN_DELIVERIES));
        }
      });
      line = done.catch(() => {});
      return done;
    },
    close() {
      lmtp?.close();
    },
  };
}

/**
 * LMTP answers for each recipient after the message: what the only one was refused with is no error of the connection
 * (RFC 2033 section 4.2).
 */
const sent = (lmtp: SMTPConnection, to: string, bytes: Buffer) =>
  new Promise<SMTPConnection.SMTPError | undefined>((resolve, reject) => {
    lmtp.send({ from: 'sender@gen.test.local', to: [to] }, bytes, (error, info) => {
      if (error) reject(error);
      else resolve(info.rejectedErrors?.[0]);
    });
  });

let delivered = 0;
/** Puts a message into a Maildir as a delivering program does: written beside, moved in when it is whole. */
export function deliverFile(maildir: string, bytes: Buffer, owner: { uid: number; gid: number } = MAIL): void {
  const name = `${Math.floor(Date.now() / 1000)}.M${String(++delivered).padStart(6, '0')}P${process.pid}.localhost`;
  const beside = join(maildir, 'tmp', name);
  // Messages in a Maildir have bare line feeds.
  writeFileSync(beside, Buffer.from(bytes.toString('latin1').replace(/\r\n/g, '\n'), 'latin1'));
  chownSync(beside, owner.uid, owner.gid);
  renameSync(beside, join(maildir, 'new', name));
}
/** The same for many, in order, as messages that were there before. */
export function fillMaildir(
  maildir: string,
  count: number,
  bytes: (i: number) => Buffer,
  owner?: { uid: number; gid: number },
): void {
  for (let i = 0; i < count; i++) {
    const path = join(maildir, 'cur', `${1_700_000_000 + i}.M${i}P1.localhost:2,`);
    writeFileSync(path, Buffer.from(bytes(i).toString('latin1').replace(/\r\n/g, '\n'), 'latin1'));
    if (owner) chownSync(path, owner.uid, owner.gid);
  }
}
/** The newest message of a Maildir. */
export function newestOf(maildir: string): string {
  const files = ['new', 'cur'].flatMap(sub => readdirSync(join(maildir, sub)).map(name => join(maildir, sub, name)));
  const [newest] = files
    .map(path => ({ path, at: statSync(path, { bigint: true }).mtimeNs }))
    .sort((a, b) => (a.at < b.at ? 1 : -1));
  return newest!.path;
}
/** An empty Maildir. */
export function makeMaildir(path: string): void {
  for (const sub of ['tmp', 'new', 'cur']) mkdirSync(join(path, sub), { recursive: true });
}
