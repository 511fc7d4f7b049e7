import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { selfSigned, type Certificate } from '../../shared/mailServer/imap/certificate.js';
import { EXTENSIONS, faultOf } from './sieve/language.js';

export { EXTENSIONS };

/** What the server asks about logins: the accounts of a mail store fit. */
export type SieveAccounts = ReadonlyMap<string, { password: string; tokens: ReadonlyMap<string, number> }>;

export interface SieveOptions {
  accounts: SieveAccounts;
  certificate?: Certificate;
  port?: number;
  tlsPort?: number;
  /** The extensions of the language, parted by blanks. */
  extensions?: string;
  /** The ways of logging in. */
  sasl?: string;
  /** False: none before the login, so that a client has to know what to do. */
  starttls?: boolean;
  /** False: a server from before RFC 5804, without CHECKSCRIPT and RENAMESCRIPT. */
  version?: boolean;
  /** Largest script in bytes, and how many scripts an account may have. */
  maxBytes?: number;
  maxScripts?: number;
  /**
   * What is wrong with a script, in words; undefined for nothing. Unless given, whatever the server cannot run is
   * refused.
   */
  check?(text: string): string | undefined;
  /**
   * Asked about each command, its literals in place, before it is carried out: lines to answer with instead; `close`
   * ends the connection before the command is done, `done` after it; `silence` answers nothing. `user` is who is logged
   * in.
   */
  answer?(command: string, user?: string): readonly string[] | 'close' | 'done' | 'silence' | undefined;
}

/** The scripts of one user. */
export interface Scripts {
  texts: Map<string, string>;
  active?: string;
}

export interface SieveServer {
  /** Clear text with STARTTLS, and TLS from the start. */
  port: number;
  tlsPort: number;
  ca: string;
  /** May be changed while it runs. */
  options: SieveOptions;
  /** The scripts of a user, which another client may have changed. */
  of(user: string): Scripts;
  /** Every command without passwords, in order. */
  log: string[];
  connections: number;
  /** Ends every connection. */
  cut(): void;
  close(): Promise<void>;
}

interface Session {
  socket: Socket;
  user?: string;
  login?: string[];
  token?: true;
}
type Reply = readonly string[];
const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
const literal = (text: string) => `{${Buffer.byteLength(text)}}\r\n${text}`;

/** Starts a ManageSieve server (RFC 5804) on loopback. */
export async function startSieve(options: SieveOptions): Promise<SieveServer> {
  const certificate = options.certificate ?? selfSigned();
  const sockets = new Set<Socket>();
  const users = new Map<string, Scripts>();
  const accept = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    self.connections++;
    serve(socket, self, certificate);
  };
  const plain = createServer(accept);
  const secure = createTlsServer({ cert: certificate.cert, key: certificate.key }, accept);
  secure.on('tlsClientError', () => {});
  const listening = (server: Server, port = 0) =>
    new Promise<number>(resolve =>
      server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
    );
  const self: SieveServer = {
    port: 0,
    tlsPort: 0,
    ca: certificate.cert,
    options,
    log: [],
    connections: 0,
    of(user) {
      let scripts = users.get(user);
      if (!scripts) users.set(user, (scripts = { texts: new Map() }));
      return scripts;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      self.cut();
      await Promise.all([plain, secure].map(server => new Promise(resolve => server.close(resolve))));
    },
  };
  [self.port, self.tlsPort] = await Promise.all([listening(plain, options.port), listening(secure, options.tlsPort)]);
  return self;
}

/** Reads commands with their literals, each as one text. */
function readCommands(socket: Socket, line: (text: string) => void): void {
  let bytes = Buffer.alloc(0);
  let begun = Buffer.alloc(0);
  let wanted = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= wanted) {
      const end = bytes.indexOf('\r\n', wanted);
      if (end < 0) return;
      begun = Buffer.concat([begun, bytes.subarray(0, end)]);
      const size = /\{(\d+)\+?\}$/.exec(bytes.toString('latin1', wanted, end))?.[1];
      bytes = bytes.subarray(end + 2);
      wanted = 0;
      if (size !== undefined) {
        begun = Buffer.concat([begun, Buffer.from('\r\n')]);
        wanted = Number(size);
        continue;
      }
      const whole = begun.toString('utf8');
      begun = Buffer.alloc(0);
      line(whole);
    }
  });
}

/** The arguments of a command: strings in quotes, literals, numbers. */
function argumentsOf(text: string): string[] {
  const out: string[] = [];
  const bytes = Buffer.from(text);
  let at = 0;
  for (;;) {
    while (bytes[at] === 32) at++;
    if (at >= bytes.length) return out;
    const rest = bytes.toString('utf8', at);
    const size = /^\{(\d+)\+?\}\r\n/.exec(rest);
    if (size) {
      const start = at + size[0].length;
      out.push(bytes.toString('utf8', start, start + Number(size[1])));
      at = start + Number(size[1]);
      continue;
    }
    const string = /^"((?:[^"\\]|\\[^])*)"/.exec(rest);
    const word = string?.[0] ?? /^\S+/.exec(rest)![0];
    out.push(string ? string[1]!.replace(/\\([^])/g, '$1') : word);
    at += Buffer.byteLength(word);
  }
}

function serve(first: Socket, self: SieveServer, certificate: Certificate): void {
  const { options } = self;
  const session: Session = { socket: first };
  const say = (lines: Reply) => {
    if (!session.socket.destroyed) session.socket.write(Buffer.from(lines.map(one => `${one}\r\n`).join(''), 'utf8'));
  };
  const isSecure = () => session.socket instanceof TLSSocket;
  const capabilities = (): string[] => [
    '"IMPLEMENTATION" "Mailroom sandbox"',
    `"SIEVE" ${quoted(options.extensions ?? EXTENSIONS)}`,
    ...(session.user ? [] : [`"SASL" ${quoted(options.sasl ?? 'PLAIN LOGIN OAUTHBEARER XOAUTH2')}`]),
    ...(!isSecure() && options.starttls !== false && !session.user ? ['"STARTTLS"'] : []),
    ...(options.version === false ? [] : ['"VERSION" "1.0"']),
    'OK "ready."',
  ];
  const answer = (line: string) => {
    if (session.login)
      return say(authenticated(session, self, Buffer.from(argumentsOf(line)[0] ?? '', 'base64').toString('utf8')));
    const [, verb = ''] = /^(\S+)/.exec(line) ?? [];
    const name = verb.toUpperCase();
    self.log.push(name === 'AUTHENTICATE' ? line.split(' ').slice(0, 2).join(' ') : line);
    const told = options.answer?.(line, session.user);
    if (told === 'close') {
      session.socket.destroy();
      return;
    }
    if (told === 'silence') return;
    if (told && told !== 'done') return say(told);
    if (name === 'STARTTLS') {
      say(['OK "Begin TLS negotiation now."']);
      const plain = session.socket;
      plain.removeAllListeners('data');
      session.socket = new TLSSocket(plain, { isServer: true, cert: certificate.cert, key: certificate.key }).on(
        'error',
        () => {},
      );
      readCommands(session.socket, answer);
      (session.socket as TLSSocket).once('secure', () => say(capabilities()));
      return;
    }
    const reply =
      name === 'CAPABILITY' ? capabilities() : carryOut(name, argumentsOf(line.slice(verb.length)), session, self);
    if (told === 'done') {
      session.socket.destroy();
      return;
    }
    say(reply);
    if (name === 'LOGOUT') session.socket.end();
  };
  readCommands(first, answer);
  const greeting = options.answer?.('<greeting>');
  if (greeting === 'close' || greeting === 'done') first.destroy();
  else if (greeting !== 'silence') say(greeting ?? capabilities());
}

/** What an answer to a challenge comes to: the login, or the next challenge. */
function authenticated(session: Session, self: SieveServer, text: string): Reply {
  const known = session.login!;
  const { accounts } = self.options;
  const enter = (user: string, ok: boolean): Reply => {
    session.login = undefined;
    if (!ok) return ['NO "Authentication failed."'];
    session.user = user;
    return ['OK "Logged in."'];
  };
  if (session.token) {
    // RFC 7628 section 3.2.3: the reasons come first.
    if (known.length) return enter('', false);
    const [, user = ''] = /(?:^n,a=|^user=)([^,\x01]*)/.exec(text) ?? [];
    const [, token = ''] = /\x01auth=Bearer ([^\x01]*)/.exec(text) ?? [];
    if ((accounts.get(user)?.tokens.get(token) ?? 0) > Date.now()) return enter(user, true);
    known.push(user);
    return [quoted(Buffer.from('{"status":"invalid_token"}').toString('base64'))];
  }
  if (known[0] === 'PLAIN') {
    const [, user = '', password = ''] = text.split('\0');
    return enter(user, accounts.get(user)?.password === password);
  }
  known.push(text);
  if (known.length < 3) return [quoted(Buffer.from('Password:').toString('base64'))];
  return enter(known[1]!, accounts.get(known[1]!)?.password === known[2]);
}

function begun(session: Session, self: SieveServer, [method = '', initial]: readonly string[]): Reply {
  const offered = (self.options.sasl ?? 'PLAIN LOGIN OAUTHBEARER XOAUTH2').split(' ');
  const name = method.toUpperCase();
  if (!offered.includes(name)) return ['NO "Unsupported authentication mechanism."'];
  if (/OAUTH/.test(name)) {
    session.login = [];
    session.token = true;
  } else session.login = [name];
  if (name === 'LOGIN') return [quoted(Buffer.from('Username:').toString('base64'))];
  return authenticated(session, self, Buffer.from(initial ?? '', 'base64').toString('utf8'));
}

function carryOut(name: string, args: readonly string[], session: Session, self: SieveServer): Reply {
  const { options } = self;
  const refuse = (words: string, code?: string): Reply => [
    `NO ${code ? `(${code}) ` : ''}${words.includes('\n') ? literal(words) : quoted(words)}`,
  ];
  if (name === 'AUTHENTICATE') return begun(session, self, args);
  if (name === 'NOOP') return [args[0] === undefined ? 'OK "Done"' : `OK (TAG ${quoted(args[0])}) "Done"`];
  if (name === 'LOGOUT') return ['OK "Logout completed."'];
  if (!session.user) return refuse('Authenticate first.');
  const scripts = self.of(session.user);
  const { texts } = scripts;
  const [first = '', second = ''] = args;
  const wrong = (text: string): Reply | undefined => {
    if (Buffer.byteLength(text) > (options.maxBytes ?? 1024 * 1024))
      return refuse(`Script is too large (max ${options.maxBytes ?? 1024 * 1024} bytes).`, 'QUOTA/MAXSIZE');
    const words = (options.check ?? (one => faultOf(one, options.extensions)))(text);
    return words === undefined ? undefined : refuse(words);
  };
  const missing = () => refuse(`Sieve script \`${first}' not found`, 'NONEXISTENT');
  switch (name) {
    case 'LISTSCRIPTS':
      return [
        ...[...texts.keys()].map(one => quoted(one) + (one === scripts.active ? ' ACTIVE' : '')),
        'OK "Listscripts completed."',
      ];
    case 'GETSCRIPT': {
      const text = texts.get(first);
      return text === undefined ? missing() : [literal(text), 'OK "Getscript completed."'];
    }
    case 'CHECKSCRIPT':
      return options.version === false
        ? refuse('Unknown command.')
        : (wrong(first) ?? ['OK "Script checked successfully."']);
    case 'PUTSCRIPT': {
      if (!texts.has(first) && texts.size >= (options.maxScripts ?? Infinity))
        return refuse('Too many scripts.', 'QUOTA/MAXSCRIPTS');
      const words = wrong(second);
      if (words) return words;
      texts.set(first, second);
      return ['OK "PUTSCRIPT completed."'];
    }
    case 'SETACTIVE':
      if (first !== '' && !texts.has(first)) return missing();
      scripts.active = first === '' ? undefined : first;
      return ['OK "Setactive completed."'];
    case 'DELETESCRIPT':
      if (!texts.has(first)) return missing();
      if (scripts.active === first) return refuse('Cannot delete the active Sieve script.', 'ACTIVE');
      texts.delete(first);
      return ['OK "Deletescript completed."'];
    case 'RENAMESCRIPT': {
      const text = texts.get(first);
      if (options.version === false) return refuse('Unknown command.');
      if (text === undefined) return missing();
      if (texts.has(second)) return refuse(`A script named \`${second}' already exists`, 'ALREADYEXISTS');
      texts.delete(first);
      texts.set(second, text);
      if (scripts.active === first) scripts.active = second;
      return ['OK "Renamescript completed."'];
    }
    case 'HAVESPACE':
      return Number(second) > (options.maxBytes ?? 1024 * 1024)
        ? refuse('Script is too large.', 'QUOTA/MAXSIZE')
        : ['OK "Putscript would succeed."'];
    default:
      return refuse('Unknown command.');
  }
}
