import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  MemoryStore,
  placeOf,
  type Account,
  type Mailbox,
  type Message,
  type NewMessage,
  type Store,
} from './imap/store.js';
import { Journal, type Line } from './journal.js';

/**
 * What of a store is kept: in which folder (nowhere unless given), how many messages, and how many bytes; the oldest go
 * first.
 */
export interface KeepOptions {
  folder?: string;
  messages: number;
  bytes: number;
}
export interface KeptStore {
  store: Store;
  account: Account;
  /** What is there now, copies of one message counted once. */
  readonly messages: number;
  readonly bytes: number;
  /** Takes all messages away. */
  clear(): void;
}

const FILE = /^\d+\.eml$/;

/**
 * The mail of one account, kept in a folder: a file for each message, and a journal of all else, so that another start
 * finds the same UIDs and flags. A message is on the disk when `append` returns. Without a folder it is in memory.
 */
export function openStore(name: string, options: KeepOptions): KeptStore {
  const { folder } = options;
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  const journal = folder === undefined ? undefined : new Journal(folder);
  const store = new Kept(name, options, journal, journal?.read() ?? []);
  return {
    store,
    account: store.account,
    get messages() {
      return store.held.size;
    },
    get bytes() {
      return store.bytes;
    },
    clear: () => store.clear(),
  };
}

const highestValidity = (lines: readonly Line[]) =>
  lines.reduce((high, line) => (line.o === 'folder' ? Math.max(high, line.v) : high), Math.floor(Date.now() / 1000));

/** A store that writes down what happens to it, and stays within its bounds. */
class Kept extends MemoryStore {
  readonly account: Account;
  /** The messages by their file, copies counted as places. */
  readonly held = new Map<string, { places: number; size: number }>();
  bytes = 0;
  /** The number of the newest file. */
  private last = 0;

  constructor(
    name: string,
    private readonly options: KeepOptions,
    private readonly journal: Journal | undefined,
    lines: readonly Line[],
  ) {
    // Counters of changes go on above those of any start before, which made fewer than a thousand changes in each
    // millisecond.
    super({ uidValidity: highestValidity(lines) + 1, modseq: BigInt(Date.now()) * 1000n });
    this.account = { name, password: '', tokens: new Map(), mailboxes: new Map() };
    this.accounts.set(name, this.account);
    if (lines.length) this.replayAll(lines);
    else this.addFolders(this.account);
  }

  clear(): void {
    for (const mailbox of this.account.mailboxes.values()) this.expunge(mailbox, () => true);
  }

  override create(owner: Account, folderName: string, use?: string): Mailbox {
    const made = super.create(owner, folderName, use);
    this.write({ o: 'folder', b: folderName, v: made.uidValidity, ...(use ? { use } : {}) });
    return made;
  }

  override append(mailbox: Mailbox, given: NewMessage): Message {
    const inMemory = this.options.folder === undefined;
    const id = given.emailId ?? String(++this.last);
    const bytes = () => (typeof given.source === 'function' ? given.source() : given.source);
    const size = given.size ?? bytes().length;
    if (!inMemory && !this.held.has(id)) writeFileSync(this.fileOf(id), bytes());
    const source = inMemory ? given.source : () => bytesIn(this.fileOf(id));
    const message = super.append(mailbox, { ...given, source, size, emailId: id });
    this.hold(message);
    const { uid: u, internalDate: d, flags: f } = message;
    this.write({ o: 'add', b: mailbox.name, u, e: id, s: size, d, f });
    this.bound();
    return message;
  }

  override expunge(mailbox: Mailbox, which: (message: Message) => boolean): Message[] {
    const gone = super.expunge(mailbox, which);
    if (gone.length) this.write({ o: 'gone', b: mailbox.name, u: gone.map(({ uid }) => uid) });
    this.letGo(gone);
    return gone;
  }

  override setFlags(mailbox: Mailbox, message: Message, flags: readonly string[]): void {
    const before = message.flags;
    super.setFlags(mailbox, message, flags);
    if (message.flags !== before) this.write({ o: 'flags', b: mailbox.name, u: message.uid, f: message.flags });
  }

  override rename(owner: Account, from: string, to: string): void {
    super.rename(owner, from, to);
    // What was in the inbox was put into another folder one by one, and stands in the journal already.
    if (from !== 'INBOX') this.write({ o: 'rename', from, to });
  }

  override remove(owner: Account, folderName: string): void {
    const gone = owner.mailboxes.get(folderName)?.messages ?? [];
    super.remove(owner, folderName);
    this.write({ o: 'remove', b: folderName });
    this.letGo(gone);
  }

  override recreate(owner: Account, folderName: string, how?: { keep?: boolean }): Mailbox {
    const gone = owner.mailboxes.get(folderName)?.messages ?? [];
    this.write({ o: 'remove', b: folderName });
    const made = super.recreate(owner, folderName, how);
    this.letGo(gone);
    return made;
  }

  private fileOf(id: string): string {
    return join(this.options.folder!, `${id}.eml`);
  }

  private hold({ emailId: id, size }: Message): void {
    const there = this.held.get(id);
    if (there) {
      there.places++;
      return;
    }
    this.held.set(id, { places: 1, size });
    this.bytes += size;
  }

  private letGo(gone: readonly Message[]): void {
    for (const { emailId: id } of gone) {
      const there = this.held.get(id);
      if (!there || --there.places > 0) continue;
      this.held.delete(id);
      this.bytes -= there.size;
      if (this.options.folder !== undefined) rmSync(this.fileOf(id), { force: true });
    }
  }

  /** Takes the oldest away, a hundredth at a time, until there is room. */
  private bound(): void {
    const { held, options } = this;
    while (held.size > options.messages || (this.bytes > options.bytes && held.size > 1)) {
      const fullest = [...this.account.mailboxes.values()].reduce((one, other) =>
        other.messages.length > one.messages.length ? other : one,
      );
      const share = Math.floor(Math.min(options.messages, fullest.messages.length) / 100);
      const oldest = new Set(fullest.messages.slice(0, Math.max(1, share)));
      this.expunge(fullest, message => oldest.has(message));
    }
  }

  private write(line: Line): void {
    if (!this.journal) return;
    this.journal.append(line);
    const messages = [...this.account.mailboxes.values()].reduce((sum, box) => sum + box.messages.length, 0);
    if (this.journal.isLong(messages)) this.compact();
  }

  /** Writes into the journal only what is there. */
  private compact(): void {
    const out: Line[] = [];
    for (const { name: b, uidValidity: v, uidNext: n, specialUse: use, messages } of this.account.mailboxes.values()) {
      out.push({ o: 'folder', b, v, n, ...(use ? { use } : {}) });
      for (const { uid: u, emailId: e, size: s, internalDate: d, flags: f } of messages)
        out.push({ o: 'add', b, u, e, s, d, f });
    }
    this.journal!.replace(out);
  }

  private replayAll(lines: readonly Line[]): void {
    const { folder } = this.options;
    const files = new Set(readdirSync(folder!).filter(file => FILE.test(file)));
    const ends = new Map<Mailbox, number>();
    for (const line of lines) this.replay(line, files, ends);
    for (const [box, end] of ends) Object.assign(box, { uidNext: end, recentFrom: end });
    for (const { messages } of this.account.mailboxes.values()) for (const message of messages) this.hold(message);
    this.last = [...files].reduce((high, file) => Math.max(high, Number.parseInt(file, 10)), 0);
    // What came in without being written down was never said to have come.
    for (const file of files)
      if (!this.held.has(file.slice(0, -'.eml'.length))) rmSync(join(folder!, file), { force: true });
    this.bound();
    this.compact();
  }

  /** `ends`: the UID that each folder gives next, which may be that of none of its messages. */
  private replay(line: Line, files: ReadonlySet<string>, ends: Map<Mailbox, number>): void {
    const { account } = this;
    const box = 'b' in line ? account.mailboxes.get(line.b) : undefined;
    switch (line.o) {
      case 'folder':
        if (!box) {
          const made = super.create(account, line.b, line.use);
          ends.set(Object.assign(made, { uidValidity: line.v, subscribed: true }), line.n ?? 1);
        }
        return;
      case 'add':
        if (box) this.replayAdded(line, box, files, ends);
        return;
      case 'gone':
        for (const uid of box ? line.u : []) {
          const place = placeIn(box!, uid);
          if (place >= 0) box!.messages.splice(place, 1);
        }
        return;
      case 'flags': {
        const message = box?.messages[placeIn(box, line.u)];
        if (message) super.setFlags(box!, message, line.f);
        return;
      }
      case 'rename':
        if (account.mailboxes.has(line.from) && !account.mailboxes.has(line.to))
          super.rename(account, line.from, line.to);
        return;
      case 'remove':
        if (box) super.remove(account, line.b);
    }
  }

  private replayAdded(
    { u, e, s, d, f }: Extract<Line, { o: 'add' }>,
    box: Mailbox,
    files: ReadonlySet<string>,
    ends: Map<Mailbox, number>,
  ): void {
    ends.set(box, Math.max(ends.get(box) ?? 1, u + 1));
    if (!files.has(`${e}.eml`)) return;
    box.uidNext = u;
    const source = () => bytesIn(this.fileOf(e));
    super.append(box, { source, size: s, flags: f, internalDate: d, emailId: e });
  }
}

/** Where the message of a UID stands in its folder; -1 where it does not. */
function placeIn({ messages }: Mailbox, uid: number): number {
  const place = placeOf(messages, uid);
  return messages[place]?.uid === uid ? place : -1;
}

/**
 * The bytes of a message; of one whose file somebody took away, a message that says so, because the others are still
 * there.
 */
function bytesIn(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    return Buffer.from(`Subject: This message cannot be read\r\n\r\n${(error as Error).message}\r\n`);
  }
}
