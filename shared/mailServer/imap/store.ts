import { refuse } from './cursor.js';

/** A message's bytes, or a function that makes them anew each time (for folders too large for memory). */
export type Source = Buffer | (() => Buffer);

/** A stored message. Flags are shared arrays: replace, never change. Dates in milliseconds. */
export interface Message {
  uid: number;
  flags: readonly string[];
  internalDate: number;
  modseq: bigint;
  size: number;
  source: Source;
  /** Stays the same through COPY and MOVE (RFC 8474 EMAILID). */
  emailId: string;
}
/** Told about what happens to a folder; one per session that has it selected. */
export interface Watcher {
  added(message: Message): void;
  removed(message: Message): void;
  changed(message: Message): void;
  /** The folder was deleted, renamed or re-created. */
  gone(why: string): void;
}
export interface Mailbox {
  name: string;
  uidValidity: number;
  uidNext: number;
  highestModseq: bigint;
  /** Ascending by UID. */
  messages: Message[];
  /** UIDs given out but not visible yet (see `reveal`). */
  hidden: Message[];
  expunged: { uid: number; modseq: bigint }[];
  /** The first UID no session was told about as recent. */
  recentFrom: number;
  subscribed: boolean;
  specialUse: string | undefined;
  /** Keywords in use, for FLAGS. */
  keywords: Set<string>;
  watchers: Set<Watcher>;
}
/** One user's mail. `tokens` are OAuth 2 access tokens with the time they expire, in milliseconds. */
export interface Account {
  name: string;
  password: string;
  tokens: Map<string, number>;
  mailboxes: Map<string, Mailbox>;
}

/** What a store of accounts starts from. */
export interface StoreOptions {
  /** UIDVALIDITY of the first folder; each later one is higher. */
  uidValidity?: number;
  /** Modification sequence every folder starts at; above 2^53 it finds clients that keep it in a JS number. */
  modseq?: bigint;
  separator?: string;
  /** What the names of all folders but INBOX begin with, such as `INBOX.`. */
  prefix?: string;
}
export interface Store {
  separator: string;
  prefix: string;
  accounts: Map<string, Account>;
  addAccount(name: string, password: string): Account;
  create(account: Account, name: string, specialUse?: string): Mailbox;
  append(mailbox: Mailbox, message: NewMessage): Message;
  /** Makes UIDs visible that were given out with `hidden`, out of order as some clustered servers do. */
  reveal(mailbox: Mailbox): void;
  expunge(mailbox: Mailbox, which: (message: Message) => boolean): Message[];
  setFlags(mailbox: Mailbox, message: Message, flags: readonly string[]): void;
  rename(account: Account, from: string, to: string): void;
  remove(account: Account, name: string): void;
  /**
   * Deletes and creates a folder in one step: new UIDVALIDITY, UIDs from 1. `keep` puts the same messages into it
   * again.
   */
  recreate(account: Account, name: string, options?: { keep?: boolean }): Mailbox;
}
export interface NewMessage {
  source: Source;
  /** Needed with a function as source, else measured. */
  size?: number;
  flags?: readonly string[];
  internalDate?: number;
  hidden?: boolean;
  emailId?: string;
}

const systemFlags = ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft'];
const known = new Map<string, readonly string[]>();
/**
 * One shared array per set of flags: a hundred thousand messages must not hold as many arrays. Case of system flags is
 * put right.
 */
export function flagSet(flags: Iterable<string>): readonly string[] {
  const tidy = new Map<string, string>();
  for (const flag of flags)
    if (flag.toLowerCase() !== '\\recent')
      tidy.set(flag.toLowerCase(), systemFlags.find(f => f.toLowerCase() === flag.toLowerCase()) ?? flag);
  const list = [...tidy.values()].sort(
    (a, b) => Number(b.startsWith('\\')) - Number(a.startsWith('\\')) || (a < b ? -1 : 1),
  );
  const key = list.join(' ');
  const found = known.get(key) ?? Object.freeze(list);
  known.set(key, found);
  return found;
}
/** The place of the first message whose UID is not below `uid`. */
export function placeOf(messages: readonly Message[], uid: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle]!.uid < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}
/** The bytes of a message. */
export const bytesOf = (message: Message): Buffer =>
  typeof message.source === 'function' ? message.source() : message.source;
/** INBOX in any case is INBOX. */
export const properName = (name: string): string => (/^inbox(?=$|\/)/i.test(name) ? `INBOX${name.slice(5)}` : name);

/** Accounts, folders and messages in memory. */
export const createStore = (options: StoreOptions = {}): Store => new MemoryStore(options);

export class MemoryStore implements Store {
  readonly separator: string;
  readonly prefix: string;
  readonly accounts = new Map<string, Account>();
  private readonly modseq: bigint;
  private nextValidity: number;
  private nextEmail = 1;

  constructor({ uidValidity = 1_700_000_000, modseq = 1n, separator = '/', prefix = '' }: StoreOptions) {
    this.separator = separator;
    this.prefix = prefix;
    this.modseq = modseq;
    this.nextValidity = uidValidity;
  }

  addAccount(name: string, password: string): Account {
    const account: Account = { name, password, tokens: new Map(), mailboxes: new Map() };
    this.accounts.set(name, account);
    this.addFolders(account);
    return account;
  }

  /** The folders that every account begins with. */
  protected addFolders(account: Account): void {
    this.create(account, 'INBOX').subscribed = true;
    for (const folder of ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive'])
      this.create(account, `${this.prefix}${folder}`, `\\${folder}`).subscribed = true;
  }

  create(account: Account, name: string, specialUse?: string): Mailbox {
    if (account.mailboxes.has(name)) refuse('NO', '[ALREADYEXISTS] Mailbox already exists');
    const mailbox: Mailbox = {
      name,
      uidValidity: this.nextValidity++,
      uidNext: 1,
      highestModseq: this.modseq,
      messages: [],
      hidden: [],
      expunged: [],
      recentFrom: 1,
      subscribed: false,
      specialUse,
      keywords: new Set(),
      watchers: new Set(),
    };
    account.mailboxes.set(name, mailbox);
    return mailbox;
  }

  append(mailbox: Mailbox, given: NewMessage): Message {
    const { source, size, flags = [], internalDate = Date.now(), hidden, emailId } = given;
    const message: Message = {
      uid: mailbox.uidNext++,
      flags: flagSet(flags),
      internalDate,
      modseq: 0n,
      source,
      size: size ?? (typeof source === 'function' ? source().length : source.length),
      emailId: emailId ?? `M${this.nextEmail++}`,
    };
    for (const flag of message.flags) if (!flag.startsWith('\\')) mailbox.keywords.add(flag);
    if (hidden) mailbox.hidden.push(message);
    else show(mailbox, message);
    return message;
  }

  reveal(mailbox: Mailbox): void {
    for (const message of mailbox.hidden.splice(0)) show(mailbox, message);
  }

  expunge(mailbox: Mailbox, which: (message: Message) => boolean): Message[] {
    const gone: Message[] = [];
    const kept: Message[] = [];
    for (const message of mailbox.messages) (which(message) ? gone : kept).push(message);
    if (gone.length === 0) return gone;
    mailbox.messages = kept;
    for (const message of gone) {
      mailbox.expunged.push({ uid: message.uid, modseq: ++mailbox.highestModseq });
      for (const watcher of mailbox.watchers) watcher.removed(message);
    }
    return gone;
  }

  setFlags(mailbox: Mailbox, message: Message, flags: readonly string[]): void {
    const next = flagSet(flags);
    if (next === message.flags) return;
    message.flags = next;
    message.modseq = ++mailbox.highestModseq;
    for (const flag of next) if (!flag.startsWith('\\')) mailbox.keywords.add(flag);
    for (const watcher of mailbox.watchers) watcher.changed(message);
  }

  rename(account: Account, from: string, to: string): void {
    if (from === 'INBOX') {
      // RFC 3501 6.3.5: INBOX itself stays, empty; its messages move to the new name.
      const inbox = account.mailboxes.get('INBOX')!;
      this.copy(inbox.messages, this.create(account, to));
      this.expunge(inbox, () => true);
      return;
    }
    const below = from + this.separator;
    const moving = [...account.mailboxes.values()].filter(m => m.name === from || m.name.startsWith(below));
    if (moving.length === 0) refuse('NO', '[NONEXISTENT] Mailbox does not exist');
    if (account.mailboxes.has(to)) refuse('NO', '[ALREADYEXISTS] Target mailbox already exists');
    for (const mailbox of moving) {
      account.mailboxes.delete(mailbox.name);
      mailbox.name = to + mailbox.name.slice(from.length);
      account.mailboxes.set(mailbox.name, mailbox);
    }
  }

  remove(account: Account, name: string): void {
    const mailbox = account.mailboxes.get(name);
    if (!mailbox) return refuse('NO', `[NONEXISTENT] Mailbox doesn't exist`);
    account.mailboxes.delete(name);
    leave(mailbox, 'Mailbox was deleted under us');
  }

  recreate(account: Account, name: string, { keep = false } = {}): Mailbox {
    const old = account.mailboxes.get(name);
    if (!old) return refuse('NO', '[NONEXISTENT] Mailbox does not exist');
    account.mailboxes.delete(name);
    const fresh = this.create(account, name, old.specialUse);
    fresh.subscribed = old.subscribed;
    if (keep) this.copy(old.messages, fresh);
    leave(old, 'Mailbox was re-created: UIDVALIDITY changed');
    return fresh;
  }

  private copy(messages: readonly Message[], into: Mailbox): void {
    for (const { source, size, flags, internalDate, emailId } of messages)
      this.append(into, { source, size, flags, internalDate, emailId });
  }
}

/** Puts a message into its place in the folder, and tells the sessions. */
function show(mailbox: Mailbox, message: Message): void {
  message.modseq = ++mailbox.highestModseq;
  const place = placeOf(mailbox.messages, message.uid);
  if (place === mailbox.messages.length) mailbox.messages.push(message);
  else mailbox.messages.splice(place, 0, message);
  for (const watcher of mailbox.watchers) watcher.added(message);
}

/** Sends every session out of the folder. */
function leave(mailbox: Mailbox, why: string): void {
  for (const watcher of [...mailbox.watchers]) watcher.gone(why);
  mailbox.watchers.clear();
}
