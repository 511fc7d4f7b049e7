import { createServer, type AddressInfo, type Socket } from 'node:net';
import { letter, type ScriptedMessage } from './mail.js';
import { isIn, readScript, wireBytes, type Action, type Script } from './script.js';

/** What a plain server answers by itself; whatever is not given is as plain as it can be. */
export interface Plain {
  messages?: ScriptedMessage[];
  /** All of one line, as in an answer to CAPABILITY. */
  capabilities?: string;
  /** Lines of LIST answers, without `* LIST `. */
  folders?: string[];
  namespace?: string;
  /** `null` where the server tells none. */
  uidValidity?: number | null;
  uidNext?: number | null;
  /** UID FETCH commands that come together are answered at once, row by row in turn, as Dovecot does on a slow line. */
  interleaves?: boolean;
}

/** A scripted IMAP server on loopback, in clear text. */
export interface ScriptedImap {
  port: number;
  /** The messages of every folder, to be changed at any time. */
  messages: ScriptedMessage[];
  /** Everything said: `C:` and `S:` lines, in order, without tags and with literals cut short. */
  log: string[];
  /** Commands heard so far that begin so, without their tags. */
  heard(beginning: string): string[];
  connections: number;
  /** So many UID FETCH commands were answered at once at most, where the server interleaves. */
  atOnce: number;
  close(): Promise<void>;
}

interface Command {
  tag: string;
  name: string;
  args: string;
  text: string;
}
interface Session {
  socket: Socket;
  fetching: Buffer[][];
  selected?: string;
  continued?: (line: string) => void;
  idling?: Command;
}

const CAPABILITIES = 'IMAP4rev1 IDLE UIDPLUS NAMESPACE ID MOVE';

/** Starts a server that answers as the script says, and plainly wherever the script says nothing (see script.ts). */
export async function startImap(text: string, plain: Plain = {}): Promise<ScriptedImap> {
  const script = readScript(text);
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.setNoDelay(true);
    self.connections++;
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    serve(socket, script, self, plain);
  });
  const self: ScriptedImap = {
    port: 0,
    messages: plain.messages ?? [letter(1)],
    log: [],
    connections: 0,
    atOnce: 0,
    heard: beginning => self.log.filter(line => line.startsWith(`C: ${beginning}`)).map(line => line.slice(3)),
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  self.port = (server.address() as AddressInfo).port;
  return self;
}

/** One connection: reads commands with their literals, and answers each. */
function serve(socket: Socket, script: Script, self: ScriptedImap, plain: Plain): void {
  const session: Session = { socket, fetching: [] };
  const say = (line: string, tag?: string) => {
    self.log.push(`S: ${line.slice(0, 400)}`);
    if (!socket.destroyed) socket.write(wireBytes(line, tag));
  };
  const raw = (bytes: Buffer) => {
    self.log.push(`S: ${bytes.toString('latin1', 0, 400).trimEnd()}`);
    if (!socket.destroyed) socket.write(bytes);
  };
  const interleave = (): void => {
    const all = session.fetching.splice(0);
    const most = Math.max(0, ...all.map(answers => answers.length));
    self.atOnce = Math.max(self.atOnce, all.length);
    for (let i = 0; i < most; i++)
      for (const answers of [...all].reverse()) if (i < answers.length - 1) raw(answers[i]!);
    for (const answers of all) raw(answers.at(-1)!);
  };
  const regular = (command: Command): void => {
    if (plain.interleaves && command.name === 'UID FETCH') {
      if (!session.fetching.length) setImmediate(interleave);
      session.fetching.push(plainAnswers(command, session, self, plain));
      return;
    }
    interleave();
    for (const answer of plainAnswers(command, session, self, plain)) raw(answer);
  };
  // What a plain server answers is worked out once, because it may change the folder.
  let made: { command: Command; answers: Buffer[] } | undefined;
  const plainOf = (command: Command) => {
    if (made?.command !== command) made = { command, answers: plainAnswers(command, session, self, plain) };
    return made.answers;
  };
  const perform = (command: Command, action: Action): void => {
    if ('say' in action) return say(action.say, command.tag);
    switch (action.act) {
      case 'close':
        socket.destroy();
        return;
      case 'silence':
      case 'read slowly':
        return;
      case 'drip':
        drip(socket, Buffer.concat(plainAnswers(command, session, self, plain)));
        return;
      case 'regular':
        regular(command);
        return;
      case 'regular without range':
        regular({ ...command, args: command.args.replace(/<\d+\.\d+>/g, '') });
        return;
      case 'regular rows':
      case 'regular tag':
        for (const answer of plainOf(command))
          if ((answer[0] === 0x2a) === (action.act === 'regular rows')) raw(answer);
        return;
      default: {
        const at = self.messages.findIndex(message => message.uid === action.uid);
        if (at < 0) return;
        self.messages.splice(at, 1);
        if (action.act === 'expunge') say(`* ${at + 1} EXPUNGE`);
      }
    }
  };
  const answer = (line: string): void => {
    const { continued } = session;
    if (continued) {
      session.continued = undefined;
      continued(line);
      return;
    }
    const [, tag = '*', text = ''] = /^(?:DONE$|(\S+) ([^]*)$)/i.exec(line) ?? [];
    const [, name = '', args = ''] = /^((?:UID )?\S+)(?: ([^]*))?$/i.exec(text) ?? [];
    const command =
      line === 'DONE'
        ? { tag: session.idling?.tag ?? '*', name: 'DONE', args: '', text: 'DONE' }
        : { tag, name: name.toUpperCase(), args, text };
    self.log.push(`C: ${command.text.slice(0, 400)}`);
    const actions = script.answersTo(command.text);
    if (actions) for (const action of actions) perform(command, action);
    else regular(command);
  };
  readCommands(socket, () => raw(Buffer.from('+ go on\r\n')), answer);
  for (const line of script.greeting ?? ['* OK ready'])
    perform(
      { tag: '*', name: '', args: '', text: '' },
      line === '<close>' ? { act: 'close' } : line === '<silence>' ? { act: 'silence' } : { say: line },
    );
}

/** Sends bytes one at a time, fifty a second, as long as the connection is there. */
function drip(socket: Socket, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at < bytes.length) socket.write(bytes.subarray(at, ++at));
    else clearInterval(timer);
  }, 20);
  socket.once('close', () => clearInterval(timer));
}

/** Calls back for each whole command line; literals stand in it as they came. */
function readCommands(socket: Socket, goOn: () => void, line: (text: string) => void): void {
  let bytes = Buffer.alloc(0);
  let begun = '';
  let wanted = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      if (bytes.length < wanted) return;
      begun += bytes.toString('latin1', 0, wanted);
      bytes = bytes.subarray(wanted);
      wanted = 0;
      const end = bytes.indexOf('\r\n');
      if (end < 0) return;
      begun += bytes.toString('latin1', 0, end);
      bytes = bytes.subarray(end + 2);
      const literal = /\{(\d+)(\+?)\}$/.exec(begun);
      if (!literal) {
        const whole = begun;
        begun = '';
        line(whole);
        continue;
      }
      wanted = Number(literal[1]);
      begun += '\r\n';
      if (!literal[2]) goOn();
    }
  });
}

/** What a plain server answers to a command. */
function plainAnswers(command: Command, session: Session, self: ScriptedImap, plain: Plain): Buffer[] {
  const { tag, name, args } = command;
  const { messages } = self;
  const lines = (...said: string[]) => said.map(line => Buffer.from(`${line}\r\n`, 'latin1'));
  const capabilities = plain.capabilities ?? CAPABILITIES;
  const validity = plain.uidValidity === undefined ? 7 : plain.uidValidity;
  const next = plain.uidNext === undefined ? (messages.at(-1)?.uid ?? 0) + 1 : plain.uidNext;
  switch (name) {
    case 'CAPABILITY':
      return lines(`* CAPABILITY ${capabilities}`, `${tag} OK done`);
    case 'ID':
      return lines('* ID NIL', `${tag} OK done`);
    case 'NAMESPACE':
      return lines(`* NAMESPACE ${plain.namespace ?? '(("" "/")) NIL NIL'}`, `${tag} OK done`);
    case 'AUTHENTICATE': {
      if (/\s/.test(args)) return lines(`${tag} OK in`);
      session.continued = () => session.socket.write(`${tag} OK in\r\n`);
      return lines('+ ');
    }
    case 'LIST':
    case 'LSUB': {
      const listed = args === '"" ""' ? ['(\\Noselect) "/" ""'] : (plain.folders ?? ['(\\HasNoChildren) "/" INBOX']);
      return lines(...listed.map(folder => `* ${name} ${folder}`), `${tag} OK done`);
    }
    case 'SELECT':
    case 'EXAMINE':
      session.selected = args;
      return lines(
        '* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)',
        '* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] kept',
        `* ${messages.length} EXISTS`,
        '* 0 RECENT',
        ...(validity === null ? [] : [`* OK [UIDVALIDITY ${validity}] valid`]),
        ...(next === null ? [] : [`* OK [UIDNEXT ${next}] next`]),
        `${tag} OK [${name === 'SELECT' ? 'READ-WRITE' : 'READ-ONLY'}] open`,
      );
    case 'STATUS':
      return lines(
        `* STATUS ${/^("[^"]*"|\S+)/.exec(args)?.[0] ?? ''} (MESSAGES ${messages.length} UNSEEN 0 UIDNEXT ${next ?? 0} UIDVALIDITY ${validity ?? 0})`,
        `${tag} OK done`,
      );
    case 'UID SEARCH':
      return lines(searchAnswer(command, messages), `${tag} OK done`);
    case 'FETCH':
    case 'UID FETCH':
      return [...rows(command, messages), ...lines(`${tag} OK done`)];
    case 'UID STORE':
      return [...stored(command, messages), ...lines(`${tag} OK done`)];
    case 'UID COPY':
      return lines(`${tag} OK done`);
    case 'UID MOVE':
    case 'UID EXPUNGE':
      return [...lines(...taken(command, messages)), ...lines(`${tag} OK done`)];
    case 'IDLE':
      session.idling = command;
      return lines('+ idling');
    case 'LOGOUT':
      session.socket.end(`* BYE bye\r\n${tag} OK done\r\n`);
      return [];
    case 'DONE':
    case 'LOGIN':
    case 'NOOP':
    case 'CHECK':
    case 'ENABLE':
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
    case 'CREATE':
    case 'DELETE':
    case 'RENAME':
    case 'CLOSE':
    case 'APPEND':
    case 'UNSELECT':
      return lines(`${tag} OK done`);
    default:
      return lines(`${tag} BAD unknown command`);
  }
}

const byUid = (set: string, messages: ScriptedMessage[]) =>
  messages.filter(({ uid }) => isIn(set, uid, messages.at(-1)?.uid ?? 0));

function searchAnswer({ tag, args }: Command, messages: ScriptedMessage[]): string {
  const set = /UID ([\d:,*]+)/i.exec(args)?.[1];
  const found = (set ? byUid(set, messages) : messages).map(({ uid }) => uid);
  if (/RETURN/i.test(args)) return `* ESEARCH (TAG "${tag}") UID${found.length ? ` ALL ${found.join(',')}` : ''}`;
  return `* SEARCH${found.map(uid => ` ${uid}`).join('')}`;
}

function rows({ name, args }: Command, messages: ScriptedMessage[]): Buffer[] {
  const [, set = '', items = ''] = /^(\S+) ([^]*)$/.exec(args) ?? [];
  const asked = name === 'FETCH' ? messages.filter((_, i) => isIn(set, i + 1, messages.length)) : byUid(set, messages);
  return asked.map(message => rowOf(message, messages.indexOf(message) + 1, items));
}

/** One untagged FETCH answer with what was asked for. */
function rowOf(message: ScriptedMessage, position: number, items: string): Buffer {
  const out = [`UID ${message.uid}`];
  const has = (item: RegExp) => item.test(items);
  if (has(/\bFLAGS\b/i)) out.push(`FLAGS (${[...message.flags].join(' ')})`);
  if (has(/\bINTERNALDATE\b/i)) out.push(`INTERNALDATE "${message.internalDate}"`);
  if (has(/\bRFC822\.SIZE\b/i)) out.push(`RFC822.SIZE ${message.size}`);
  if (has(/\bENVELOPE\b/i)) out.push(`ENVELOPE ${message.envelope}`);
  if (has(/\bBODYSTRUCTURE\b/i)) out.push(`BODYSTRUCTURE ${message.structure}`);
  for (const [, section = '', start, length] of items.matchAll(/BODY(?:\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?/gi)) {
    const whole = section === '' ? message.source : message.parts[section.toUpperCase()];
    const bytes = start === undefined ? whole : whole?.slice(Number(start), Number(start) + Number(length));
    out.push(
      `BODY[${section}]${start === undefined ? '' : `<${start}>`} ${bytes === undefined ? 'NIL' : `{${bytes.length}}\r\n${bytes}`}`,
    );
  }
  return Buffer.from(`* ${position} FETCH (${out.join(' ')})\r\n`, 'latin1');
}

function stored({ args }: Command, messages: ScriptedMessage[]): Buffer[] {
  const [, set = '', how = '', names = ''] = /^(\S+) (\S+) \(([^)]*)\)/.exec(args) ?? [];
  const changed = byUid(set, messages);
  for (const { flags } of changed)
    for (const flag of names.split(' '))
      if (how.startsWith('-')) flags.delete(flag);
      else flags.add(flag);
  return /SILENT/i.test(how) ? [] : changed.map(message => rowOf(message, messages.indexOf(message) + 1, 'FLAGS'));
}

function taken({ name, args }: Command, messages: ScriptedMessage[]): string[] {
  return byUid(args.split(' ')[0]!, messages)
    .filter(({ flags }) => name === 'UID MOVE' || flags.has('\\Deleted'))
    .map(message => {
      const at = messages.indexOf(message);
      messages.splice(at, 1);
      return `* ${at + 1} EXPUNGE`;
    });
}
