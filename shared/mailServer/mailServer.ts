import { connect } from 'node:net';
import type { MailServer, MailServerOptions } from './options.js';
import { selfSigned, type Certificate } from './imap/certificate.js';
import { startImap, type ImapServer } from './imap/server.js';
import { openStore, type KeptStore } from './keep.js';
import type { Delivery } from './smtp/options.js';
import { startSmtp, type SmtpServer } from './smtp/server.js';
import { createSwitches } from './switches.js';

// The simulated providers of the extension take the same servers from this file.
export { selfSigned } from './imap/certificate.js';
export { startImap } from './imap/server.js';
export { createStore } from './imap/store.js';
export { startSmtp } from './smtp/server.js';

const HOST = '127.0.0.1';
const USER = 'local@mailroom.test';
/** The ports that are tried where none is asked for, and so many after each. */
const USUAL = { smtp: 1025, imap: 1143 };
const TRIES = 50;
/** Kept unless told: messages, and bytes on the disk or in memory. */
const KEPT = { messages: 10_000, onDisk: 1024 ** 3, inMemory: 128 * 1024 ** 2 };
/** The largest message that is taken, in bytes, and the connections at a time. */
const LARGEST = 50 * 1024 * 1024;
const CONNECTIONS = 200;

/** Starts it; see `startMailServer`. */
export async function run(options: MailServerOptions = {}): Promise<MailServer> {
  const { smtp, imap, misbehave = {} } = options;
  const at = { smtp: await portFor(smtp, USUAL.smtp), imap: await portFor(imap, USUAL.imap, smtp) };
  const kept = keptFor(options, at.smtp);
  const parts: Parts = { kept, certificate: selfSigned(), switches: createSwitches(), listeners: new Set() };
  const imapServer = await imapOf(parts, at.imap);
  const smtpServer = await smtpOf(parts, at.smtp).catch(async (error: unknown) => {
    await imapServer.close();
    throw error;
  });
  const server = mailServerOf(parts, imapServer, smtpServer);
  server.misbehave(misbehave);
  return server;
}

/** What both servers are made of. */
interface Parts {
  kept: KeptStore;
  certificate: Certificate;
  switches: ReturnType<typeof createSwitches>;
  /** Told of each message that came. */
  listeners: Set<() => void>;
}

function keptFor({ folder: where, messages = KEPT.messages, bytes }: MailServerOptions, smtp: number): KeptStore {
  const folder = typeof where === 'function' ? where(smtp) : where;
  return openStore(USER, {
    messages,
    bytes: bytes ?? (folder === undefined ? KEPT.inMemory : KEPT.onDisk),
    ...(folder === undefined ? {} : { folder }),
  });
}

async function imapOf({ kept: { store }, certificate }: Parts, port: number): Promise<ImapServer> {
  const server = await startImap({
    store,
    certificate,
    port,
    anyone: USER,
    record: false,
    remember: true,
    without: ['STARTTLS'],
    name: 'Mailroom',
    maxMessageBytes: LARGEST,
  });
  server.trouble.connectionLimit = CONNECTIONS;
  return server;
}

async function smtpOf({ kept, certificate, switches, listeners }: Parts, port: number): Promise<SmtpServer> {
  const { store, account } = kept;
  const delivery: Delivery = {
    store,
    accountOf: () => USER,
    isLocal: () => true,
    deliver(_, message) {
      store.append(account.mailboxes.get('INBOX')!, { source: message });
      for (const hear of listeners) hear();
    },
  };
  const server = await startSmtp(delivery, {
    certificate,
    port,
    anyone: USER,
    record: false,
    startTls: false,
    maxMessageBytes: LARGEST,
    misbehave: (moment, about) => switches.at(moment, about),
  });
  server.trouble.connectionLimit = CONNECTIONS;
  return server;
}

function mailServerOf(parts: Parts, imapServer: ImapServer, smtpServer: SmtpServer): MailServer {
  const { kept, switches, listeners } = parts;
  return {
    host: HOST,
    smtp: { port: smtpServer.port, tlsPort: smtpServer.tlsPort },
    imap: { port: imapServer.port, tlsPort: imapServer.tlsPort },
    certificate: parts.certificate.cert,
    provider: 'imap',
    account: {
      user: USER,
      password: 'any',
      imapHost: HOST,
      imapPort: imapServer.port,
      imapSecurity: 'none',
      smtpHost: HOST,
      smtpPort: smtpServer.port,
      smtpSecurity: 'none',
    },
    get messages() {
      return kept.messages;
    },
    get bytes() {
      return kept.bytes;
    },
    get misbehaving() {
      return switches.now;
    },
    misbehave(how) {
      switches.set(how);
      smtpServer.limit(how.sizeLimit ?? LARGEST);
    },
    onMessage(hear) {
      listeners.add(hear);
      return () => {
        listeners.delete(hear);
      };
    },
    clear: () => kept.clear(),
    async close() {
      await Promise.all([imapServer.close(), smtpServer.close()]);
    },
  };
}

/** The port asked for; the usual one or the next that is free where none is. */
async function portFor(asked: number | undefined, usual: number, taken?: number): Promise<number> {
  if (asked !== undefined) return asked;
  for (let port = usual; port < usual + TRIES; port++) if (port !== taken && !(await answers(port))) return port;
  return 0;
}
/**
 * Whether somebody listens on a port of this machine already, also on one that the system would let us take besides.
 */
const answers = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, HOST);
    const done = (there: boolean) => {
      socket.destroy();
      resolve(there);
    };
    socket.on('connect', () => done(true)).on('error', () => done(false));
  });
