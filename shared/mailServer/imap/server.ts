import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { accessCommands, capabilities } from './access.js';
import { selfSigned, type Certificate } from './certificate.js';
import { FaultList, type ImapFault } from './faults.js';
import { folderCommands } from './folders.js';
import { messageCommands } from './messages.js';
import { Misbehaviour } from './misbehave.js';
import { decodeName } from './names.js';
import type { ImapOptions, ImapRecord, ImapServer } from './options.js';
import { Descriptions, ParsedMessages, type Parsed } from './parsed.js';
import { Ports } from './ports.js';
import { Recorder } from './record.js';
import { converse, unselect, type Inner, type Session } from './session.js';
import { createStore, properName, type Mailbox, type Message, type Store } from './store.js';
import { Wire } from './wire.js';

export type { ImapOptions, ImapRecord, ImapServer, Quirks } from './options.js';

const commands = { ...accessCommands, ...folderCommands, ...messageCommands };
const defaultOff = ['OBJECTID'];

/**
 * An in-memory IMAP4rev1 server (RFC 3501 and extensions) on loopback that follows the rules strictly and breaks them
 * on command.
 */
export async function startImap(options: ImapOptions = {}): Promise<ImapServer> {
  const server = new Imap(options);
  await server.listen();
  return server;
}

/** Capabilities that are not offered. */
function withheld({ without = [], offer }: ImapOptions): ReadonlySet<string> {
  const off = new Set([...without, ...defaultOff.filter(c => !offer?.includes(c))].map(c => c.toUpperCase()));
  if (off.has('CONDSTORE')) off.add('QRESYNC');
  return off;
}

class Imap implements ImapServer, Inner {
  readonly store: Store;
  readonly trouble: Misbehaviour;
  private readonly certificate: Certificate;
  private readonly ports: Ports;
  private readonly off: ReadonlySet<string>;
  private readonly sessions = new Set<Session>();
  private readonly faults = new FaultList();
  private readonly recorder: Recorder;
  private readonly parsedMessages = new ParsedMessages();
  private readonly descriptions = new Descriptions();
  private nextSession = 1;

  constructor(readonly options: ImapOptions) {
    this.store = options.store ?? createStore(options);
    this.certificate = options.certificate ?? selfSigned();
    this.ports = new Ports(this.certificate, (socket, tcp, tls) => this.accept(socket, tcp, tls));
    this.off = withheld(options);
    this.recorder = new Recorder(options.record !== false);
    this.trouble = new Misbehaviour(this.faults, this.sessions, this.ports, this.store);
  }

  listen(): Promise<void> {
    return this.ports.listen(this.options.port ?? 0, this.options.tlsPort ?? 0);
  }

  close(): Promise<void> {
    return this.ports.stop('destroy');
  }

  get host(): string {
    return this.ports.host;
  }

  get port(): number {
    return this.ports.port;
  }

  get tlsPort(): number {
    return this.ports.tlsPort;
  }

  get ca(): string {
    return this.certificate.cert;
  }

  get seen(): ImapRecord {
    return this.recorder.seen;
  }

  open(): number {
    return this.sessions.size;
  }

  count(name: string): number {
    return this.recorder.count(name);
  }

  busiest(ms: number): number {
    return this.recorder.busiest(ms);
  }

  forget(): void {
    this.recorder.forget();
  }

  folder(user: string, name: string, encoded?: boolean): Mailbox | undefined {
    return this.store.accounts.get(user)?.mailboxes.get(properName(encoded ? decodeName(name) : name));
  }

  has(capability: string): boolean {
    return !this.off.has(capability);
  }

  fault(command: string, user?: string): ImapFault | undefined {
    return this.faults.command(command, user);
  }

  rowFault(command: string, user: string | undefined, uid: number): ImapFault | undefined {
    return this.faults.row(command, user, uid);
  }

  parsed(message: Message): Parsed {
    return this.parsedMessages.of(message);
  }

  known(message: Message, item: string, make: () => string): string {
    return this.options.remember ? this.descriptions.of(message, item, make) : make();
  }

  note(session: Session, command: string, line: string): void {
    this.recorder.command(session, command, line);
  }

  login(session: Session, user: string, method: string, ok: boolean): void {
    this.recorder.login(session, user, method, ok);
  }

  loggedIn(user: string): number {
    return [...this.sessions].filter(s => s.account?.name === user).length;
  }

  async startTls(session: Session): Promise<void> {
    session.upgrade = false;
    const socket = session.wire.detach();
    const tls = new TLSSocket(socket, { isServer: true, ...this.certificate, ...{ allowHalfOpen: true } });
    session.wire.replace(tls);
    session.secure = true;
    await new Promise<void>(resolve => {
      tls.once('secure', () => resolve()).once('close', () => resolve());
    });
  }

  private accept(socket: Socket, tcp: Socket, tls: boolean): void {
    const entry = { id: this.nextSession++, at: Date.now(), tls, closedAt: undefined as number | undefined };
    this.recorder.connection(entry);
    const session: Session = {
      id: entry.id,
      server: this,
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
      wire: new Wire(socket, tcp, () => {
        entry.closedAt = Date.now();
        unselect(session);
        this.sessions.delete(session);
        this.trouble.forget(session);
      }),
    };
    this.sessions.add(session);
    socket.setTimeout(this.options.autologoutMs ?? 30 * 60_000, () => {
      session.over = true;
      session.wire.write('* BYE Disconnected for inactivity.\r\n');
      void session.wire.flush().then(() => session.wire.end());
    });
    void this.greet(session);
  }

  private async greet(session: Session): Promise<void> {
    const fault = this.faults.command('GREETING');
    fault?.before?.();
    if (fault?.delayMs) await new Promise(resolve => setTimeout(resolve, fault.delayMs));
    if (this.trouble.swallowsNew || fault?.silent) return this.trouble.swallow(session);
    if (fault?.close) return void (fault.close === 'reset' ? session.wire.reset() : session.wire.end());
    const full =
      this.sessions.size > this.trouble.connectionLimit
        ? '[UNAVAILABLE] Maximum number of connections reached, try again later'
        : undefined;
    const refused = fault?.bye ?? fault?.reply ?? full;
    const name = this.options.name ?? 'Mailroom sandbox';
    session.wire.write(
      refused === undefined ? `* OK [CAPABILITY ${capabilities(session)}] ${name} ready.\r\n` : `* BYE ${refused}\r\n`,
    );
    await session.wire.flush();
    if (refused !== undefined) return void session.wire.end();
    await converse(session, commands);
  }
}
