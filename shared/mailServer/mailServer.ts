import { connect } from 'node:net';
import type { MailServer, MailServerOptions } from './options.js';
import { selfSigned } from './imap/certificate.js';
import { startImap } from './imap/server.js';
import { openStore } from './keep.js';
import { startSmtp } from './smtp/server.js';
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
export async function run({
  smtp,
  imap,
  folder: where,
  messages = KEPT.messages,
  bytes,
  misbehave = {},
}: MailServerOptions = {}): Promise<MailServer> {
  const switches = createSwitches();
  const certificate = selfSigned();
  const at = { smtp: await portFor(smtp, USUAL.smtp), imap: await portFor(imap, USUAL.imap, smtp) };
  const folder = typeof where === 'function' ? where(at.smtp) : where;
  const kept = openStore(USER, {
    messages,
    bytes: bytes ?? (folder === undefined ? KEPT.inMemory : KEPT.onDisk),
    ...(folder === undefined ? {} : { folder }),
  });
  const { store, account } = kept;
  const heard = new Set<() => void>();
  const inbox = () => account.mailboxes.get('INBOX')!;
  const imapServer = await startImap({
    store,
    certificate,
    port: at.imap,
    anyone: USER,
    record: false,
    remember: true,
    without: ['STARTTLS'],
    name: 'Mailroom',
    maxMessageBytes: LARGEST,
  });
  imapServer.trouble.connectionLimit = CONNECTIONS;
  const smtpServer = await startSmtp(
    {
      store,
      accountOf: () => USER,
      isLocal: () => true,
      deliver(_, message) {
        store.append(inbox(), { source: message });
        for (const hear of heard) hear();
      },
    },
    {
      certificate,
      port: at.smtp,
      anyone: USER,
      record: false,
      startTls: false,
      maxMessageBytes: LARGEST,
      misbehave: (moment, about) => switches.at(moment, about),
    },
  ).catch(async (error: unknown) => {
    await imapServer.close();
    throw error;
  });
  smtpServer.trouble.connectionLimit = CONNECTIONS;
  const server: MailServer = {
    host: HOST,
    smtp: { port: smtpServer.port, tlsPort: smtpServer.tlsPort },
    imap: { port: imapServer.port, tlsPort: imapServer.tlsPort },
    certificate: certificate.cert,
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
      heard.add(hear);
      return () => {
        heard.delete(hear);
      };
    },
    clear: () => kept.clear(),
    async close() {
      await Promise.all([imapServer.close(), smtpServer.close()]);
    },
  };
  server.misbehave(misbehave);
  return server;
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
