import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createStore, placeOf, type Account, type Mailbox, type Message, type Store } from './imap/store.js';

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

/**
 * One line of the journal: what happened to the store. Folders by name, messages by UID and by the file that holds
 * them.
 */
type Line =
  | { o: 'folder'; b: string; v: number; n?: number; use?: string }
  | { o: 'add'; b: string; u: number; e: string; s: number; d: number; f: readonly string[] }
  | { o: 'gone'; b: string; u: number[] }
  | { o: 'flags'; b: string; u: number; f: readonly string[] }
  | { o: 'rename'; from: string; to: string }
  | { o: 'remove'; b: string };

const JOURNAL = 'journal.jsonl';
const FILE = /^\d+\.eml$/;
/** The journal is written anew when it has so many lines more than twice those that say what is there. */
const SLACK = 5_000;

/**
 * The mail of one account, kept in a folder: a file for each message, and a journal of all else, so that another start
 * finds the same UIDs and flags. A message is on the disk when `append` returns. Without a folder it is in memory.
 */
export function openStore(name: string, { folder, messages: most, bytes: mostBytes }: KeepOptions): KeptStore {
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  const lines = folder === undefined ? [] : readJournal(folder);
  const highest = lines.reduce(
    (high, line) => (line.o === 'folder' ? Math.max(high, line.v) : high),
    Math.floor(Date.now() / 1000),
  );
  // Counters of changes go on above those of any start before, which made fewer than a thousand changes in each
  // millisecond.
  const store = createStore({ uidValidity: highest + 1, modseq: BigInt(Date.now()) * 1000n });
  const plain = { ...store };
  const held = new Map<string, { places: number; size: number }>();
  let bytes = 0;
  let last = 0;
  let written = 0;

  const fileOf = (id: string) => join(folder!, `${id}.eml`);
  const write = (line: Line): void => {
    if (folder === undefined) return;
    appendFileSync(join(folder, JOURNAL), `${JSON.stringify(line)}\n`);
    if (++written > SLACK + 2 * count()) compact();
  };
  const count = (): number => [...account.mailboxes.values()].reduce((sum, { messages }) => sum + messages.length, 0);
  function hold({ emailId: id, size }: Message): void {
    const there = held.get(id);
    if (there) {
      there.places++;
      return;
    }
    held.set(id, { places: 1, size });
    bytes += size;
  }
  function letGo(gone: readonly Message[]): void {
    for (const { emailId: id } of gone) {
      const there = held.get(id);
      if (!there || --there.places > 0) continue;
      held.delete(id);
      bytes -= there.size;
      if (folder !== undefined) rmSync(fileOf(id), { force: true });
    }
  }
  /** Takes the oldest away, a hundredth at a time, until there is room. */
  function bound(): void {
    while (held.size > most || (bytes > mostBytes && held.size > 1)) {
      const fullest = [...account.mailboxes.values()].reduce((one, other) =>
        other.messages.length > one.messages.length ? other : one,
      );
      const oldest = new Set(
        fullest.messages.slice(0, Math.max(1, Math.floor(Math.min(most, fullest.messages.length) / 100))),
      );
      store.expunge(fullest, message => oldest.has(message));
    }
  }

  Object.assign(store, {
    create(owner, folderName, use) {
      const made = plain.create(owner, folderName, use);
      write({ o: 'folder', b: folderName, v: made.uidValidity, ...(use ? { use } : {}) });
      return made;
    },
    append(mailbox, given) {
      const id = given.emailId ?? String(++last);
      const size = given.size ?? (typeof given.source === 'function' ? given.source() : given.source).length;
      const here = held.has(id) || folder === undefined;
      if (!here) writeFileSync(fileOf(id), typeof given.source === 'function' ? given.source() : given.source);
      const source = folder === undefined ? given.source : () => bytesIn(fileOf(id));
      const message = plain.append(mailbox, { ...given, source, size, emailId: id });
      hold(message);
      write({ o: 'add', b: mailbox.name, u: message.uid, e: id, s: size, d: message.internalDate, f: message.flags });
      bound();
      return message;
    },
    expunge(mailbox, which) {
      const gone = plain.expunge(mailbox, which);
      if (gone.length) write({ o: 'gone', b: mailbox.name, u: gone.map(({ uid }) => uid) });
      letGo(gone);
      return gone;
    },
    setFlags(mailbox, message, flags) {
      const before = message.flags;
      plain.setFlags(mailbox, message, flags);
      if (message.flags !== before) write({ o: 'flags', b: mailbox.name, u: message.uid, f: message.flags });
    },
    rename(owner, from, to) {
      plain.rename(owner, from, to);
      // What was in the inbox was put into another folder one by one, and stands in the journal already.
      if (from !== 'INBOX') write({ o: 'rename', from, to });
    },
    remove(owner, folderName) {
      const gone = owner.mailboxes.get(folderName)?.messages ?? [];
      plain.remove(owner, folderName);
      write({ o: 'remove', b: folderName });
      letGo(gone);
    },
    recreate(owner, folderName, how) {
      const gone = owner.mailboxes.get(folderName)?.messages ?? [];
      write({ o: 'remove', b: folderName });
      const made = plain.recreate(owner, folderName, how);
      letGo(gone);
      return made;
    },
  } satisfies Partial<Store>);

  const account: Account = { name, password: '', tokens: new Map(), mailboxes: new Map() };
  store.accounts.set(name, account);
  if (lines.length) replayAll();
  else addFolders();

  function addFolders(): void {
    store.create(account, 'INBOX').subscribed = true;
    for (const one of ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive'])
      store.create(account, one, `\\${one}`).subscribed = true;
  }
  function replayAll(): void {
    const files = new Set(readdirSync(folder!).filter(file => FILE.test(file)));
    const ends = new Map<Mailbox, number>();
    for (const line of lines) replay(line, files, ends);
    for (const [box, end] of ends) Object.assign(box, { uidNext: end, recentFrom: end });
    for (const { messages } of account.mailboxes.values()) messages.forEach(hold);
    last = [...files].reduce((high, file) => Math.max(high, Number.parseInt(file, 10)), 0);
    // What came in without being written down was never said to have come.
    for (const file of files)
      if (!held.has(file.slice(0, -'.eml'.length))) rmSync(join(folder!, file), { force: true });
    bound();
    compact();
  }
  /** `ends`: the UID that each folder gives next, which may be that of none of its messages. */
  function replay(line: Line, files: ReadonlySet<string>, ends: Map<Mailbox, number>): void {
    const box = 'b' in line ? account.mailboxes.get(line.b) : undefined;
    const at = (uid: number) => {
      const place = placeOf(box!.messages, uid);
      return box!.messages[place]?.uid === uid ? place : -1;
    };
    switch (line.o) {
      case 'folder':
        if (!box)
          ends.set(
            Object.assign(plain.create(account, line.b, line.use), { uidValidity: line.v, subscribed: true }),
            line.n ?? 1,
          );
        return;
      case 'add':
        if (!box) return;
        ends.set(box, Math.max(ends.get(box) ?? 1, line.u + 1));
        if (!files.has(`${line.e}.eml`)) return;
        box.uidNext = line.u;
        plain.append(box, {
          source: () => bytesIn(fileOf(line.e)),
          size: line.s,
          flags: line.f,
          internalDate: line.d,
          emailId: line.e,
        });
        return;
      case 'gone':
        for (const uid of box ? line.u : []) if (at(uid) >= 0) box!.messages.splice(at(uid), 1);
        return;
      case 'flags': {
        const message = box?.messages[at(line.u)];
        if (message) plain.setFlags(box!, message, line.f);
        return;
      }
      case 'rename':
        if (account.mailboxes.has(line.from) && !account.mailboxes.has(line.to))
          plain.rename(account, line.from, line.to);
        return;
      case 'remove':
        if (box) plain.remove(account, line.b);
    }
  }
  /** Writes the journal anew: only what is there. It takes the place of the old one when it is whole. */
  function compact(): void {
    const out: Line[] = [];
    for (const { name: b, uidValidity: v, uidNext: n, specialUse: use, messages } of account.mailboxes.values()) {
      out.push({ o: 'folder', b, v, n, ...(use ? { use } : {}) });
      for (const { uid: u, emailId: e, size: s, internalDate: d, flags: f } of messages)
        out.push({ o: 'add', b, u, e, s, d, f });
    }
    const file = join(folder!, JOURNAL);
    writeFileSync(`${file}.new`, out.map(line => `${JSON.stringify(line)}\n`).join(''));
    renameSync(`${file}.new`, file);
    written = out.length;
  }

  return {
    store,
    account,
    get messages() {
      return held.size;
    },
    get bytes() {
      return bytes;
    },
    clear() {
      for (const mailbox of account.mailboxes.values()) store.expunge(mailbox, () => true);
    },
  };
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

/** What the journal says; a last line that was not finished does not count, nor what cannot be read. */
function readJournal(folder: string): Line[] {
  const file = join(folder, JOURNAL);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap(line => {
      try {
        const read = JSON.parse(line) as Line | null;
        return read && typeof read === 'object' ? [read] : [];
      } catch {
        return [];
      }
    });
}
