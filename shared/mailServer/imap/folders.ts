import { compactSet, imapName, imapString, inSet, refuse, type Cursor, type NumberSet } from './cursor.js';
import { decodeName, encodeName, nameMatcher } from './names.js';
import {
  enter,
  flagList,
  knownFlags,
  mailboxOf,
  permanentFlags,
  tell,
  unselect,
  type CommandEntry,
  type Selected,
  type Session,
} from './session.js';
import { placeOf, properName, type Mailbox } from './store.js';

const wireName = (name: string) => imapName(encodeName(name));
const folderName = (args: Cursor) => properName(decodeName(args.astring()));
const uses = ['\\All', '\\Archive', '\\Drafts', '\\Flagged', '\\Junk', '\\Sent', '\\Trash'];

const statusItems = ['MESSAGES', 'RECENT', 'UIDNEXT', 'UIDVALIDITY', 'UNSEEN', 'HIGHESTMODSEQ', 'SIZE', 'MAILBOXID'];
function readStatusItems(session: Session, args: Cursor): string[] {
  return args.list(
    () => {
      const item = args.atom().toUpperCase();
      const needs = { HIGHESTMODSEQ: 'CONDSTORE', SIZE: 'STATUS=SIZE', MAILBOXID: 'OBJECTID' }[item];
      if (!statusItems.includes(item) || (needs && !session.server.has(needs)))
        refuse('BAD', `Unknown STATUS item ${item}`);
      if (item === 'HIGHESTMODSEQ') session.enabled.add('CONDSTORE');
      return item;
    },
    { empty: false },
  );
}
function status(mailbox: Mailbox, items: string[]): string {
  const value: Record<string, () => string | number> = {
    MESSAGES: () => mailbox.messages.length,
    UIDNEXT: () => mailbox.uidNext,
    UIDVALIDITY: () => mailbox.uidValidity,
    RECENT: () => mailbox.messages.length - placeOf(mailbox.messages, mailbox.recentFrom),
    UNSEEN: () => mailbox.messages.reduce((n, m) => n + (m.flags.includes('\\Seen') ? 0 : 1), 0),
    HIGHESTMODSEQ: () => String(mailbox.highestModseq),
    SIZE: () => mailbox.messages.reduce((n, m) => n + m.size, 0),
    MAILBOXID: () => `(F${mailbox.uidValidity})`,
  };
  return `STATUS ${wireName(mailbox.name)} (${items.map(item => `${item} ${value[item]!()}`).join(' ')})`;
}

/** A LIST as it was asked for (RFC 5258, RFC 5819, RFC 6154). */
interface Listing {
  choose: string[];
  reference: string;
  patterns: string[];
  returns: string[];
  statusOf: string[] | undefined;
}

const list: CommandEntry = {
  state: 'in',
  run(session, args) {
    args.space();
    const listing = readListing(session, args);
    const { separator } = session.server.store;
    const { reference, patterns, statusOf } = listing;
    if (patterns.length === 1 && patterns[0] === '') {
      tell(session, `LIST (\\Noselect) "${separator}" ""`);
      return 'OK List completed.';
    }
    const marksOf = marksFor(session, listing);
    const matchers = patterns.map(p => nameMatcher(reference + (/[&]/.test(p) ? decodeName(p) : p), separator));
    for (const { name, mailbox } of tree(session.account!.mailboxes, separator)) {
      if (!matchers.some(m => m(name)) || !isChosen(listing, mailbox)) continue;
      tell(session, `LIST (${marksOf(name, mailbox).join(' ')}) "${separator}" ${wireName(name)}`);
      if (statusOf && mailbox) tell(session, status(mailbox, statusOf));
    }
    return 'OK List completed.';
  },
};

function readListing(session: Session, args: Cursor): Listing {
  const { server } = session;
  const choose = args.at('(') && server.has('LIST-EXTENDED') ? args.list(() => args.atom().toUpperCase()) : [];
  if (choose.length > 0) args.space();
  const reference = decodeName(args.astring());
  args.space();
  const patterns = args.at('(') ? args.list(() => args.listPattern(), { empty: false }) : [args.listPattern()];
  const { returns, statusOf } = readListReturns(session, args);
  args.end();
  for (const option of choose)
    if (!['SUBSCRIBED', 'SPECIAL-USE', 'REMOTE', 'RECURSIVEMATCH'].includes(option))
      refuse('BAD', `Unknown LIST selection option ${option}`);
  if ((choose.includes('SPECIAL-USE') || returns.includes('SPECIAL-USE')) && !server.has('SPECIAL-USE'))
    refuse('BAD', 'SPECIAL-USE is not supported');
  return { choose, reference, patterns, returns, statusOf };
}

function readListReturns(session: Session, args: Cursor): Pick<Listing, 'returns' | 'statusOf'> {
  let statusOf: string[] | undefined;
  if (args.over()) return { returns: [], statusOf };
  args.space();
  args.word('RETURN');
  args.space();
  const returns = args.list(() => {
    const option = args.atom().toUpperCase();
    if (option === 'STATUS' && session.server.has('LIST-STATUS')) {
      args.space();
      statusOf = readStatusItems(session, args);
    } else if (!['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE'].includes(option))
      refuse('BAD', `Unknown LIST return option ${option}`);
    return option;
  });
  return { returns, statusOf };
}

const isChosen = ({ choose }: Listing, mailbox: Mailbox | undefined): boolean =>
  (!choose.includes('SUBSCRIBED') || Boolean(mailbox?.subscribed)) &&
  (!choose.includes('SPECIAL-USE') || Boolean(mailbox?.specialUse));

/** The attributes of a folder. Extended LIST gives what was asked for (RFC 5258 3.2, RFC 6154 2); the plain one all. */
function marksFor({ server, account }: Session, { choose, returns }: Listing) {
  const extended = choose.length > 0 || returns.length > 0;
  const showChildren = server.has('CHILDREN') && (!extended || returns.includes('CHILDREN'));
  const showUse =
    server.has('SPECIAL-USE') && (!extended || returns.includes('SPECIAL-USE') || choose.includes('SPECIAL-USE'));
  const showSubscribed = choose.includes('SUBSCRIBED') || returns.includes('SUBSCRIBED');
  return (name: string, mailbox: Mailbox | undefined): string[] => {
    const children = [...account!.mailboxes.keys()].some(other => other.startsWith(name + server.store.separator));
    return [
      ...(mailbox ? [] : ['\\Noselect']),
      ...(showChildren ? [children ? '\\HasChildren' : '\\HasNoChildren'] : []),
      ...(mailbox?.subscribed && showSubscribed ? ['\\Subscribed'] : []),
      ...(mailbox?.specialUse && showUse ? [mailbox.specialUse] : []),
    ];
  };
}

/** Folders with the parents that were never created themselves, sorted, INBOX first. */
function tree(mailboxes: Map<string, Mailbox>, separator: string): { name: string; mailbox: Mailbox | undefined }[] {
  const names = new Set(mailboxes.keys());
  for (const name of mailboxes.keys())
    for (let at = name.indexOf(separator); at > 0; at = name.indexOf(separator, at + 1)) names.add(name.slice(0, at));
  return [...names]
    .sort((a, b) => (a === 'INBOX' ? -1 : b === 'INBOX' ? 1 : a < b ? -1 : 1))
    .map(name => ({ name, mailbox: mailboxes.get(name) }));
}

/** Folders whose UIDVALIDITY moves no more. */
const steady = new WeakSet<Mailbox>();

/** QRESYNC of a SELECT (RFC 7162 3.2.5): what the client knows of the folder. */
interface Resync {
  validity: number;
  modseq: bigint;
  known: NumberSet | undefined;
}

const select = (readOnly: boolean): CommandEntry => ({
  state: 'in',
  run(session, args) {
    const { server } = session;
    args.space();
    const name = folderName(args);
    const resync = readSelectOptions(session, args);
    args.end();
    // A failed SELECT leaves no folder selected (RFC 3501 6.3.1).
    const before = session.selected;
    unselect(session);
    if (before && server.has('QRESYNC')) tell(session, 'OK [CLOSED] Previous mailbox closed.');
    const mailbox = mailboxOf(session, name);
    const selected = enter(session, mailbox, readOnly);
    if (!readOnly) steady.add(mailbox);
    else if (server.options.quirks?.movingValidity && !steady.has(mailbox)) mailbox.uidValidity++;
    tellSelected(session, selected);
    if (resync && resync.validity === mailbox.uidValidity) tellResync(session, selected, resync);
    return readOnly ? 'OK [READ-ONLY] Examine completed.' : 'OK [READ-WRITE] Select completed.';
  },
});

function readSelectOptions(session: Session, args: Cursor): Resync | undefined {
  const { server, enabled } = session;
  let resync: Resync | undefined;
  if (args.over()) return undefined;
  args.space();
  args.list(
    () => {
      const option = args.atom().toUpperCase();
      if (option === 'CONDSTORE' && server.has('CONDSTORE')) enabled.add('CONDSTORE');
      else if (option === 'QRESYNC' && server.has('QRESYNC')) {
        if (!enabled.has('QRESYNC')) refuse('BAD', 'QRESYNC not enabled');
        args.space();
        resync = readResync(args);
      } else refuse('BAD', `Unknown SELECT parameter ${option}`);
    },
    { empty: false },
  );
  return resync;
}

function readResync(args: Cursor): Resync {
  args.need('(');
  const validity = args.number();
  args.space();
  const modseq = args.bigint();
  let known: NumberSet | undefined;
  if (args.take(' ')) {
    if (!args.at('(')) known = args.numberSet();
    // The match of numbers with UIDs may be given and only saves bytes: it is read and not used.
    if ((known === undefined || args.take(' ')) && args.take('(')) {
      args.numberSet();
      args.space();
      args.numberSet();
      args.need(')');
    }
  }
  args.need(')');
  return { validity, modseq, known };
}

/** What is said of a folder that was just opened (RFC 3501 6.3.1). */
function tellSelected(session: Session, selected: Selected): void {
  const { server } = session;
  const { mailbox, view } = selected;
  selected.toldKeywords = mailbox.keywords.size;
  tell(session, `FLAGS (${knownFlags(mailbox).join(' ')})`);
  tell(session, permanentFlags(session, selected));
  tell(session, `${view.length} EXISTS`);
  tell(session, `${view.length - placeOf(view, selected.recentFrom)} RECENT`);
  const unseen = view.findIndex(m => !m.flags.includes('\\Seen'));
  if (unseen >= 0) tell(session, `OK [UNSEEN ${unseen + 1}] First unseen.`);
  tell(session, `OK [UIDVALIDITY ${mailbox.uidValidity}] UIDs valid`);
  if (server.options.uidNext !== false) tell(session, `OK [UIDNEXT ${mailbox.uidNext}] Predicted next UID`);
  if (server.has('CONDSTORE')) tell(session, `OK [HIGHESTMODSEQ ${mailbox.highestModseq}] Highest`);
  if (server.has('OBJECTID')) tell(session, `OK [MAILBOXID (F${mailbox.uidValidity})] Ok`);
}

/** What happened since the client was here last. */
function tellResync(session: Session, selected: Selected, { modseq, known }: Resync): void {
  const { mailbox, view } = selected;
  const isKnown = (uid: number) => !known || inSet(known, uid, mailbox.uidNext - 1);
  const gone = vanished(mailbox, modseq).filter(isKnown);
  if (gone.length > 0) tell(session, `VANISHED (EARLIER) ${compactSet(gone)}`);
  view.forEach((message, place) => {
    if (message.modseq <= modseq || !isKnown(message.uid)) return;
    const { uid, modseq: changed } = message;
    tell(session, `${place + 1} FETCH (UID ${uid} ${flagList(selected, message)} MODSEQ (${changed}))`);
  });
}

/** UIDs expunged after that modification sequence, ascending. */
export const vanished = (mailbox: Mailbox, modseq: bigint): number[] =>
  mailbox.expunged
    .filter(e => e.modseq > modseq)
    .map(e => e.uid)
    .sort((a, b) => a - b);

const subscription = (wanted: boolean): CommandEntry => ({
  state: 'in',
  run(session, args) {
    args.space();
    const name = folderName(args);
    args.end();
    if (wanted) mailboxOf(session, name).subscribed = true;
    else {
      const mailbox = session.account!.mailboxes.get(name);
      if (mailbox) mailbox.subscribed = false;
    }
    return wanted ? 'OK Subscribe completed.' : 'OK Unsubscribe completed.';
  },
});

/** Commands on folders. */
export const folderCommands: Record<string, CommandEntry> = {
  LIST: list,
  SELECT: select(false),
  EXAMINE: select(true),
  SUBSCRIBE: subscription(true),
  UNSUBSCRIBE: subscription(false),
  LSUB: {
    state: 'in',
    run(session, args) {
      const { separator } = session.server.store;
      args.space();
      const reference = decodeName(args.astring());
      args.space();
      const pattern = args.listPattern();
      args.end();
      const matches = nameMatcher(reference + (/[&]/.test(pattern) ? decodeName(pattern) : pattern), separator);
      for (const { name, mailbox } of tree(session.account!.mailboxes, separator))
        if (mailbox?.subscribed && matches(name)) tell(session, `LSUB () "${separator}" ${wireName(name)}`);
      return 'OK Lsub completed.';
    },
  },
  NAMESPACE: {
    state: 'in',
    needs: 'NAMESPACE',
    run(session, args) {
      const { prefix, separator } = session.server.store;
      args.end();
      tell(session, `NAMESPACE ((${imapString(prefix)} ${imapString(separator)})) NIL NIL`);
      return 'OK Namespace completed.';
    },
  },
  // RFC 9208 section 4.1.1; the limit is a guess of a usual one.
  GETQUOTAROOT: {
    state: 'in',
    needs: 'QUOTA',
    run(session, args) {
      args.space();
      const name = folderName(args);
      args.end();
      mailboxOf(session, name);
      const all = [...session.account!.mailboxes.values()].flatMap(mailbox => mailbox.messages);
      const bytes = all.reduce((sum, message) => sum + message.size, 0);
      tell(session, `QUOTAROOT ${wireName(name)} "User quota"`);
      tell(session, `QUOTA "User quota" (STORAGE ${Math.ceil(bytes / 1024)} 1048576 MESSAGE ${all.length} 100000)`);
      return 'OK Getquotaroot completed.';
    },
  },
  STATUS: {
    state: 'in',
    run(session, args) {
      args.space();
      const name = folderName(args);
      args.space();
      const items = readStatusItems(session, args);
      args.end();
      const mailbox = mailboxOf(session, name);
      tell(session, status(mailbox, items));
      return session.selected?.mailbox === mailbox
        ? 'OK [CLIENTBUG] Status on selected mailbox completed.'
        : 'OK Status completed.';
    },
  },
  CREATE: {
    state: 'in',
    run(session, args) {
      const { separator } = session.server.store;
      args.space();
      const given = folderName(args);
      const name = given.endsWith(separator) ? given.slice(0, -separator.length) : given;
      let use: string | undefined;
      if (!args.over()) {
        args.space();
        args.need('(');
        args.word('USE');
        args.space();
        [use] = args.list(() => args.flag());
        args.need(')');
        if (!uses.includes(use ?? '')) refuse('NO', '[USEATTR] Not a known special use');
      }
      args.end();
      if (!name.startsWith(session.server.store.prefix) && name !== 'INBOX')
        refuse('NO', '[CANNOT] Invalid mailbox name: folders stand below the prefix');
      if (name === '' || name.split(separator).includes('')) refuse('NO', '[CANNOT] Invalid mailbox name: empty part');
      const mailbox = session.server.store.create(session.account!, name, use);
      return `OK ${session.server.has('OBJECTID') ? `[MAILBOXID (F${mailbox.uidValidity})] ` : ''}Create completed.`;
    },
  },
  DELETE: {
    state: 'in',
    run(session, args) {
      args.space();
      const name = folderName(args);
      args.end();
      if (name === 'INBOX') refuse('NO', "[CANNOT] INBOX can't be deleted.");
      const mailbox = mailboxOf(session, name);
      // Deleting the folder one has selected only closes it; others are told with BYE.
      if (session.selected?.mailbox === mailbox) unselect(session);
      session.server.store.remove(session.account!, name);
      return 'OK Delete completed.';
    },
  },
  RENAME: {
    state: 'in',
    run(session, args) {
      args.space();
      const from = folderName(args);
      args.space();
      const to = folderName(args);
      args.end();
      if (to.startsWith(from + session.server.store.separator))
        refuse('NO', "[CANNOT] Can't rename a mailbox below itself.");
      session.server.store.rename(session.account!, from, to);
      return 'OK Rename completed.';
    },
  },
};
