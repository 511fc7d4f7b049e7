import { Cursor, isRefusal, refuse, type CommandParts, compactSet } from './cursor.js';
import type { ImapServer, ImapOptions } from './options.js';
import type { Part } from './mime.js';
import { placeOf, type Account, type Mailbox, type Message, type Watcher } from './store.js';
import type { ImapFault } from './faults.js';
import type { Wire } from './wire.js';

/** A selected folder as one session sees it: changes by others wait until they may be told. */
export interface Selected {
  mailbox: Mailbox;
  readOnly: boolean;
  /** The messages by their numbers; expunged ones stay until EXPUNGE was sent. */
  view: Message[];
  added: Set<Message>;
  removed: Set<Message>;
  changed: Set<Message>;
  /** UIDs from here are \Recent for this session. */
  recentFrom: number;
  /** How many keywords of the folder this session was told of. */
  toldKeywords: number;
  watcher: Watcher;
}
export interface Session {
  id: number;
  server: ImapServer & Inner;
  wire: Wire;
  secure: boolean;
  account: Account | undefined;
  selected: Selected | undefined;
  /** What ENABLE or a use of it has switched on: CONDSTORE, QRESYNC. */
  enabled: Set<string>;
  idling: boolean;
  failures: number;
  /** The command being answered, with UID in front where it was. */
  command: string;
  tag: string;
  /** No further commands are read. */
  over: boolean;
  /** TLS begins once the answer to STARTTLS was sent. */
  upgrade: boolean;
}
/** What the sessions of one server share, hidden from tests. */
export interface Inner {
  options: ImapOptions;
  has(capability: string): boolean;
  fault(command: string, user?: string): ImapFault | undefined;
  rowFault(command: string, user: string | undefined, uid: number): ImapFault | undefined;
  parsed(message: Message): { part: Part; bytes: Buffer };
  /** What was worked out of a message before, or is now. */
  known(message: Message, item: string, make: () => string): string;
  startTls(session: Session): Promise<void>;
  note(session: Session, command: string, line: string): void;
  login(session: Session, user: string, method: string, ok: boolean): void;
  /** Logins of that user now open. */
  loggedIn(user: string): number;
}
/** One command: reads its arguments and gives the tagged answer (`OK …`), after any untagged ones were written. */
export type Command = (session: Session, args: Cursor, uid: boolean) => string | Promise<string>;
export interface CommandEntry {
  run: Command;
  state: 'any' | 'start' | 'in' | 'selected';
  /** Absent from the server unless this capability is offered. */
  needs?: string;
  uid?: boolean;
  /** EXPUNGE may not be told during this one (RFC 3501 7.4.1), unless it is addressed by UID. */
  keepNumbers?: boolean;
}

/** Untagged line. */
export const tell = (session: Session, text: string) => session.wire.write(`* ${text}\r\n`);
/** The folder of a name the client sent, or NO. */
export const mailboxOf = (session: Session, name: string, code = 'NONEXISTENT'): Mailbox =>
  session.account!.mailboxes.get(name) ??
  refuse('NO', `[${code}] Mailbox doesn't exist: ${name.replace(/[^\x20-\x7e]/g, '?')}`);

/** Reads and answers commands until the connection ends. */
export async function converse(session: Session, commands: Record<string, CommandEntry>): Promise<void> {
  const { wire, server } = session;
  try {
    while (!session.over && !wire.socket.destroyed) {
      const read = await readCommand(session);
      if (!read) break;
      await answer(session, commands, read);
      await wire.flush();
      if (session.upgrade) await server.startTls(session);
    }
  } catch (error) {
    tell(session, `BYE ${error instanceof Error ? error.message : 'Internal error'}`);
    if (!wire.socket.destroyed && !isRefusal(error) && !/^(Too long|Line ends)/.test((error as Error).message))
      server.options.report?.(error);
    await wire.flush();
  }
  unselect(session);
  wire.end();
}

/** A command as it was read. */
interface ReadCommand {
  tag: string;
  name: string;
  parts: CommandParts;
}

async function readCommand(session: Session): Promise<ReadCommand | undefined> {
  const { wire, server } = session;
  for (;;) {
    const first = await wire.line();
    if (first === undefined) return undefined;
    const head = /^([^\x00-\x20\x7f-\xff(){%*"\\+]+) (UID [A-Za-z]+|[A-Za-z0-9]+)(?= |$)/i.exec(first);
    if (!head) {
      const tag = /^[^\x00-\x20\x7f-\xff(){%*"\\+]+(?= |$)/.exec(first)?.[0] ?? '*';
      wire.write(`${tag} BAD Error in IMAP command: tag and command expected\r\n`);
      await fail(session);
      if (session.over) return undefined;
      continue;
    }
    const command: ReadCommand = { tag: head[1]!, name: head[2]!.toUpperCase(), parts: [first] };
    const { tag, name, parts } = command;
    const end = await readLiterals(session, command);
    if (end === 'closed') return undefined;
    if (end === 'told') continue;
    parts[0] = first.slice(head[0].length);
    server.note(session, name, name === 'LOGIN' ? `${tag} LOGIN` : first);
    if (!end.refused) return command;
    wire.write(`${tag} ${end.refused}\r\n`);
    await wire.flush();
  }
}

/**
 * Reads the literals of a command, and the text behind each, into its parts. Says whether the command is refused;
 * `told` where that was answered already, before its literal was sent.
 */
async function readLiterals(session: Session, command: ReadCommand): Promise<{ refused: string } | 'told' | 'closed'> {
  const { wire, server } = session;
  const { tag, parts } = command;
  let refused = '';
  for (let line = parts[0] as string; ;) {
    const announced = /\{(\d+)(\+?)\}$/.exec(line);
    if (!announced) return { refused };
    const size = Number(announced[1]);
    const instant = announced[2] === '+';
    if (instant && !server.has('LITERAL+'))
      throw Object.assign(new Error('Non-synchronising literal is not supported'), { kind: 'BAD' });
    const why = refused || literalRefusal(session, command, size);
    if (why && !instant) {
      wire.write(`${tag} ${why}\r\n`);
      await wire.flush();
      return 'told';
    }
    if (why) {
      refused = why;
      await wire.skip(size);
      parts.push(Buffer.alloc(0));
    } else {
      if (!instant) {
        wire.write('+ OK\r\n');
        await wire.flush();
      }
      const bytes = await wire.bytes(size);
      if (!bytes) return 'closed';
      parts.push(bytes);
    }
    const next = await wire.line();
    if (next === undefined) return 'closed';
    parts.push((line = next));
  }
}

/** Why a literal of this size is not wanted; empty where it is. */
function literalRefusal(session: Session, { name, parts }: ReadCommand, size: number): string {
  const inCommand = session.account ? 1024 * 1024 : 8192;
  const limit = name === 'APPEND' ? (session.server.options.maxMessageBytes ?? 100 * 1024 * 1024) : inCommand;
  if (size > limit) return 'NO [TOOBIG] Literal is too large';
  return name === 'APPEND' ? appendRefusal(session, parts) : '';
}

/** Refuses an APPEND to a folder that is not there before its literal is sent. */
function appendRefusal(session: Session, parts: CommandParts): string {
  if (!session.account || parts.length !== 1) return '';
  const name = /^\S+ APPEND (?:"((?:[^"\\]|\\.)*)"|([^ "{]+)) /i.exec(parts[0] as string);
  const folder = name?.[1]?.replace(/\\(.)/g, '$1') ?? name?.[2];
  if (folder === undefined || session.server.folder(session.account.name, folder, true)) return '';
  return 'NO [TRYCREATE] Mailbox does not exist';
}
async function fail(session: Session) {
  if (++session.failures >= 20) {
    tell(session, 'BYE Too many invalid IMAP commands.');
    session.over = true;
  }
  await session.wire.flush();
}

async function answer(
  session: Session,
  commands: Record<string, CommandEntry>,
  { tag, name, parts }: ReadCommand,
): Promise<void> {
  const { wire, server } = session;
  session.command = name;
  session.tag = tag;
  const fault = server.fault(name, session.account?.name);
  if (fault && (await play(session, fault))) return;
  const byUid = name.startsWith('UID ');
  const base = byUid ? name.slice(4) : name;
  const entry = commands[base];
  let result: string;
  try {
    result = await checked(session, entry, base, byUid).run(session, new Cursor(parts), byUid);
    session.failures = 0;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    result = `${error.kind} ${error.message}`;
    if (error.kind === 'BAD') session.failures++;
  }
  if (fault?.cut === 'answer') {
    session.over = true;
    wire.swallow();
    wire.socket.destroy();
    return;
  }
  if (base !== 'IDLE' || !server.trouble.deafIdle) sync(session, byUid || !entry?.keepNumbers);
  unasked(session);
  wire.write(`${tag} ${server.options.quirks?.plainNo ? result.replace(/^NO \[[^\]]*\] /, 'NO ') : result}\r\n`);
  if (session.failures >= 20) await fail(session);
}

/** Plays a fault that strikes instead of a command; true where the command is not to be run. */
async function play(session: Session, fault: ImapFault): Promise<boolean> {
  const { wire, server, command, tag } = session;
  fault.before?.();
  if (fault.delayMs) await new Promise(resolve => setTimeout(resolve, fault.delayMs));
  if (fault.silent) {
    wire.swallow();
    return true;
  }
  if (fault.bye !== undefined) {
    tell(session, `BYE ${fault.bye}`);
    session.over = true;
    return true;
  }
  if (fault.close) {
    session.over = true;
    if (fault.close === 'reset') wire.reset();
    return true;
  }
  if (fault.reply === undefined) return false;
  if (command === 'LOGIN' || command === 'AUTHENTICATE') server.login(session, '', command, false);
  wire.write(`${tag} ${fault.reply}\r\n`);
  return true;
}

/** The entry of a command, if it is there and this is its time. */
function checked(session: Session, entry: CommandEntry | undefined, base: string, byUid: boolean): CommandEntry {
  const { server, account, command } = session;
  const known =
    entry &&
    !(byUid && !entry.uid) &&
    !(entry.needs && !server.has(entry.needs)) &&
    !(byUid && base === 'EXPUNGE' && !server.has('UIDPLUS'));
  if (!known) return refuse('BAD', `Error in IMAP command ${command}: Unknown command.`);
  const { state } = entry;
  if (state === 'start' && account) refuse('BAD', `Error in IMAP command ${command}: Already authenticated`);
  if ((state === 'in' || state === 'selected') && !account)
    refuse('BAD', `Error in IMAP command ${command}: Please login first`);
  if (state === 'selected' && !session.selected) refuse('BAD', `Error in IMAP command ${command}: No mailbox selected`);
  return entry;
}

/**
 * What nobody asked for: words at any time, and news of the folder that is open which is none. Numbers of messages are
 * those of now.
 */
export function unasked(session: Session): void {
  const { selected, server } = session;
  if (!server.options.quirks?.unasked || session.idling) return;
  tell(session, 'OK Still here');
  if (!selected || /^(SELECT|EXAMINE|CLOSE|UNSELECT)$/.test(session.command)) return;
  tell(session, `${selected.view.length} EXISTS`);
  const last = selected.view.at(-1);
  if (!last) return;
  tell(session, `${selected.view.length} FETCH (${flagList(selected, last)})`);
  tell(session, `${selected.view.length} FETCH (UID ${last.uid} ${flagList(selected, last)})`);
}

/** Leaves the selected folder. */
export function unselect(session: Session) {
  if (session.selected) session.selected.mailbox.watchers.delete(session.selected.watcher);
  session.selected = undefined;
}

/** Takes a folder into view; changes from now on wait in the sets. */
export function enter(session: Session, mailbox: Mailbox, readOnly: boolean): Selected {
  const nudge = () => {
    if (!session.idling || session.server.trouble.deafIdle) return;
    setImmediate(() => {
      if (!session.idling || session.server.trouble.deafIdle) return;
      sync(session, true);
      void session.wire.flush();
    });
  };
  const selected: Selected = {
    mailbox,
    readOnly,
    view: mailbox.messages.slice(),
    added: new Set(),
    removed: new Set(),
    changed: new Set(),
    recentFrom: mailbox.recentFrom,
    toldKeywords: mailbox.keywords.size,
    watcher: {
      added(message) {
        selected.added.add(message);
        nudge();
      },
      removed(message) {
        if (!selected.added.delete(message)) {
          selected.removed.add(message);
          selected.changed.delete(message);
        }
        nudge();
      },
      changed(message) {
        if (!selected.added.has(message)) selected.changed.add(message);
        nudge();
      },
      gone(why) {
        if (session.selected !== selected) return;
        tell(session, `BYE ${why}`);
        session.over = true;
        void session.wire.flush().then(() => session.wire.end());
      },
    },
  };
  if (!readOnly) mailbox.recentFrom = mailbox.uidNext;
  mailbox.watchers.add(selected.watcher);
  session.selected = selected;
  return selected;
}
export const isRecent = (selected: Selected, message: Message) => message.uid >= selected.recentFrom;
/** FLAGS of a message as this session sees them. */
export const flagList = (selected: Selected, message: Message): string =>
  `FLAGS (${(isRecent(selected, message) ? [...message.flags, '\\Recent'] : message.flags).join(' ')})`;

/** All flags a message in that folder may have. */
export const knownFlags = (mailbox: Mailbox) => [
  '\\Answered',
  '\\Flagged',
  '\\Deleted',
  '\\Seen',
  '\\Draft',
  ...mailbox.keywords,
];
export const permanentFlags = ({ server }: Session, { mailbox, readOnly }: Selected): string =>
  readOnly
    ? 'OK [PERMANENTFLAGS ()] Read-only mailbox.'
    : `OK [PERMANENTFLAGS (${[...knownFlags(mailbox), ...(server.options.keywords === false ? [] : ['\\*'])].join(' ')})] Flags permitted.`;
/** Tells of keywords that are new in the folder, before the first FETCH that shows one. */
export function tellKeywords(session: Session) {
  const { selected } = session;
  if (!selected || selected.toldKeywords === selected.mailbox.keywords.size) return;
  selected.toldKeywords = selected.mailbox.keywords.size;
  tell(session, `FLAGS (${knownFlags(selected.mailbox).join(' ')})`);
  tell(session, permanentFlags(session, selected));
}

/** Tells what has changed: EXPUNGE or VANISHED (if allowed now), EXISTS and RECENT, FETCH of flags. */
export function sync(session: Session, mayExpunge: boolean) {
  const selected = session.selected;
  if (!selected) return;
  if (mayExpunge && selected.removed.size > 0) {
    if (session.enabled.has('QRESYNC'))
      tell(session, `VANISHED ${compactSet([...selected.removed].map(m => m.uid).sort((a, b) => a - b))}`);
    const left: Message[] = [];
    for (const message of selected.view) {
      if (!selected.removed.has(message)) left.push(message);
      else if (!session.enabled.has('QRESYNC')) tell(session, `${left.length + 1} EXPUNGE`);
    }
    selected.view = left;
    selected.removed.clear();
  }
  if (selected.added.size > 0) {
    for (const message of selected.added) {
      const place = placeOf(selected.view, message.uid);
      if (place === selected.view.length) selected.view.push(message);
      else selected.view.splice(place, 0, message);
    }
    selected.added.clear();
    if (!selected.readOnly) selected.mailbox.recentFrom = selected.mailbox.uidNext;
    tell(session, `${selected.view.length} EXISTS`);
    tell(session, `${selected.view.length - placeOf(selected.view, selected.recentFrom)} RECENT`);
  }
  if (selected.changed.size > 0 || mayExpunge) tellKeywords(session);
  for (const message of selected.changed) {
    const id = session.enabled.has('QRESYNC') || session.command.startsWith('UID ') ? `UID ${message.uid} ` : '';
    const modseq = session.enabled.has('CONDSTORE') ? ` MODSEQ (${message.modseq})` : '';
    tell(session, `${placeOf(selected.view, message.uid) + 1} FETCH (${id}${flagList(selected, message)}${modseq})`);
  }
  selected.changed.clear();
}
