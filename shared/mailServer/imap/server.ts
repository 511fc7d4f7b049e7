import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { accessCommands, capabilities } from './access.js';
import { selfSigned } from './certificate.js';
import { folderCommands } from './folders.js';
import { messageCommands } from './messages.js';
import { parseMime, type Part } from './mime.js';
import { decodeName } from './names.js';
import type { ImapOptions, ImapRecord, ImapServer } from './options.js';
import { converse, unselect, type Inner, type Session } from './session.js';
import { bytesOf, createStore, properName, type Message } from './store.js';
import { faultList, type Trouble } from './trouble.js';
import { wire } from './wire.js';

export type { ImapOptions, ImapRecord, ImapServer, Quirks } from './options.js';

const commands = { ...accessCommands, ...folderCommands, ...messageCommands };
const defaultOff = ['OBJECTID'];
/** Longer descriptions of a message are not kept, in characters. */
const LONGEST_KEPT = 4_000;

/**
 * An in-memory IMAP4rev1 server (RFC 3501 and extensions) on loopback that follows the rules strictly and breaks them
 * on command.
 */
export async function startImap(options: ImapOptions = {}): Promise<ImapServer> {
  const store = options.store ?? createStore(options);
  const certificate = options.certificate ?? selfSigned();
  const sessions = new Set<Session>();
  const raw = new Set<Socket>();
  const faults = faultList();
  const seen: ImapRecord = { connections: [], logins: [], commands: [] };
  const counts = new Map<string, number>();
  const host = '127.0.0.1';
  const cache = new Map<Message, { part: Part; bytes: Buffer }>();
  const off = new Set(
    [...(options.without ?? []), ...defaultOff.filter(c => !options.offer?.includes(c))].map(c => c.toUpperCase()),
  );
  if (off.has('CONDSTORE')) off.add('QRESYNC');
  const described = new WeakMap<Message, Map<string, string>>();
  let nextSession = 1;
  let swallowNew = false;
  let cached = 0;

  const trouble: Trouble = {
    deafIdle: false,
    userLimit: Infinity,
    connectionLimit: Infinity,
    fail: faults.add,
    mend() {
      faults.clear();
      Object.assign(trouble, { deafIdle: false, userLimit: Infinity, connectionLimit: Infinity });
      swallowNew = false;
      for (const socket of deaf) socket.destroy();
    },
    halfOpen(andNew = false) {
      swallowNew = andNew;
      for (const session of sessions) swallow(session);
    },
    drop(how = 'reset') {
      for (const session of [...sessions]) {
        session.over = true;
        if (typeof how === 'object') {
          session.wire.write(`* BYE ${how.bye}\r\n`);
          void session.wire.flush().then(() => session.wire.end());
        } else if (how === 'fin') session.wire.end();
        else session.wire.reset();
      }
    },
    async away() {
      const closing = [plain, secure].map(s => new Promise<void>(resolve => s.close(() => resolve())));
      for (const socket of raw) socket.resetAndDestroy();
      await Promise.all(closing);
    },
    async back() {
      await listen(plain, server.port);
      await listen(secure, server.tlsPort);
    },
    expireTokens(user) {
      for (const { name, tokens } of store.accounts.values())
        if (!user || name === user) for (const token of tokens.keys()) tokens.set(token, 0);
    },
  };
  const deaf = new Set<Socket>();
  const swallow = (session: Session) => {
    deaf.add(session.wire.socket);
    session.wire.swallow();
    unselect(session);
  };

  const server: ImapServer & Inner = {
    host,
    port: 0,
    tlsPort: 0,
    ca: certificate.cert,
    store,
    trouble,
    seen,
    options,
    open: () => sessions.size,
    count: name => counts.get(name.toUpperCase()) ?? 0,
    busiest(ms) {
      let most = 0;
      for (let from = 0, to = 0; to < seen.logins.length; to++) {
        while (seen.logins[to]!.at - seen.logins[from]!.at >= ms) from++;
        most = Math.max(most, to - from + 1);
      }
      return most;
    },
    forget() {
      seen.connections.length = 0;
      seen.logins.length = 0;
      seen.commands.length = 0;
      counts.clear();
    },
    folder: (user, name, encoded) =>
      store.accounts.get(user)?.mailboxes.get(properName(encoded ? decodeName(name) : name)),
    async close() {
      const closing = [plain, secure]
        .filter(s => s.listening)
        .map(s => new Promise<void>(resolve => s.close(() => resolve())));
      for (const socket of raw) socket.destroy();
      await Promise.all(closing);
    },
    has: capability => !off.has(capability),
    fault: faults.command,
    rowFault: faults.row,
    parsed(message) {
      const found = cache.get(message);
      if (found) return found;
      const bytes = bytesOf(message);
      const made = { part: parseMime(bytes), bytes };
      cache.set(message, made);
      cached += bytes.length;
      // A few recent messages stay parsed: clients ask for structure first and for parts of the same message next.
      while (cache.size > 1 && (cached > 16 * 1024 * 1024 || cache.size > 64)) {
        const [oldest, { bytes: dropped }] = cache.entries().next().value!;
        cache.delete(oldest);
        cached -= dropped.length;
      }
      return made;
    },
    known(message, item, make) {
      if (!options.remember) return make();
      const kept = described.get(message) ?? new Map<string, string>();
      const told = kept.get(item) ?? make();
      if (told.length <= LONGEST_KEPT) described.set(message, kept.set(item, told));
      return told;
    },
    async startTls(session) {
      session.upgrade = false;
      const socket = session.wire.detach();
      const tls = new TLSSocket(socket, { isServer: true, ...certificate, ...{ allowHalfOpen: true } });
      session.wire.replace(tls);
      session.secure = true;
      await new Promise<void>(resolve => {
        tls.once('secure', () => resolve()).once('close', () => resolve());
      });
    },
    note(session, name, line) {
      if (options.record === false) return;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      if (seen.commands.length >= 20_000) seen.commands.splice(0, 1000);
      seen.commands.push({
        at: Date.now(),
        connection: session.id,
        user: session.account?.name,
        name,
        line: name.startsWith('AUTH') ? name : line.slice(0, 500),
      });
    },
    login(session, user, method, ok) {
      if (options.record !== false) seen.logins.push({ at: Date.now(), user, method, ok, connection: session.id });
    },
    loggedIn: user => [...sessions].filter(s => s.account?.name === user).length,
  };

  function accept(socket: Socket, tcp: Socket, tls: boolean) {
    const entry = { id: nextSession++, at: Date.now(), tls, closedAt: undefined as number | undefined };
    if (options.record !== false) seen.connections.push(entry);
    const session: Session = {
      id: entry.id,
      server,
      secure: tls,
      account: undefined,
      selected: undefined,
      enabled: new Set(),
      idling: false,
      failures: 0,
      command: '',
      tag: '',
      over: false,
      upgrade: false,
      wire: wire(socket, tcp, () => {
        entry.closedAt = Date.now();
        unselect(session);
        sessions.delete(session);
        deaf.delete(session.wire.socket);
      }),
    };
    sessions.add(session);
    socket.setTimeout(options.autologoutMs ?? 30 * 60_000, () => {
      session.over = true;
      session.wire.write('* BYE Disconnected for inactivity.\r\n');
      void session.wire.flush().then(() => session.wire.end());
    });
    void greet(session);
  }
  async function greet(session: Session) {
    const fault = faults.command('GREETING');
    fault?.before?.();
    if (fault?.delayMs) await new Promise(resolve => setTimeout(resolve, fault.delayMs));
    if (swallowNew || fault?.silent) return void swallow(session);
    if (fault?.close) return void (fault.close === 'reset' ? session.wire.reset() : session.wire.end());
    const full =
      sessions.size > trouble.connectionLimit
        ? '[UNAVAILABLE] Maximum number of connections reached, try again later'
        : undefined;
    const refused = fault?.bye ?? fault?.reply ?? full;
    const name = options.name ?? 'Mailroom sandbox';
    session.wire.write(
      refused === undefined ? `* OK [CAPABILITY ${capabilities(session)}] ${name} ready.\r\n` : `* BYE ${refused}\r\n`,
    );
    await session.wire.flush();
    if (refused !== undefined) return void session.wire.end();
    await converse(session, commands);
  }

  const byPort = new Map<number | undefined, Socket>();
  const track = (socket: Socket) => {
    const port = socket.remotePort;
    raw.add(socket);
    byPort.set(port, socket);
    socket
      .on('error', () => {})
      .on('close', () => {
        raw.delete(socket);
        if (byPort.get(port) === socket) byPort.delete(port);
      });
  };
  const plain = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    track(socket);
    accept(socket, socket, false);
  });
  const secure = createTlsServer({ ...certificate, allowHalfOpen: true, noDelay: true }, socket =>
    accept(socket, byPort.get(socket.remotePort) ?? socket, true),
  );
  secure.on('connection', track).on('tlsClientError', () => {});
  const listen = (what: Server, port: number) =>
    new Promise<void>((resolve, reject) => {
      what.once('error', reject);
      what.listen(port, host, () => {
        what.off('error', reject);
        resolve();
      });
    });
  await listen(plain, options.port ?? 0);
  await listen(secure, options.tlsPort ?? 0);
  server.port = (plain.address() as AddressInfo).port;
  server.tlsPort = (secure.address() as AddressInfo).port;
  return server;
}
