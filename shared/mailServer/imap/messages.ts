import { compactSet, refuse, type Cursor } from './cursor.js';
import { fetchCommand, places } from './fetch.js';
import { decodeName } from './names.js';
import { parseSearch, type Candidate } from './search.js';
import {
  flagList,
  isRecent,
  mailboxOf,
  sync,
  tell,
  tellKeywords,
  unselect,
  type CommandEntry,
  type Selected,
  type Session,
} from './session.js';
import { properName, type Mailbox, type Message } from './store.js';

const writable = (selected: Selected) => {
  if (selected.readOnly) refuse('NO', '[READ-ONLY] Mailbox is read-only');
};
const systemFlag = /^\\(seen|answered|flagged|deleted|draft)$/i;
function readFlags(session: Session, args: Cursor): string[] {
  const flags = args.at('(') ? args.list(() => args.flag()) : [];
  if (flags.length === 0 && !args.over() && !args.at(' '))
    do flags.push(args.flag());
    while (args.take(' '));
  for (const flag of flags)
    if (flag.startsWith('\\') && !systemFlag.test(flag)) refuse('BAD', `Invalid system flag ${flag}`);
  return session.server.options.keywords === false ? flags.filter(f => f.startsWith('\\')) : flags;
}
const target = (session: Session, args: Cursor): Mailbox =>
  mailboxOf(session, properName(decodeName(args.astring())), 'TRYCREATE');

function readDateTime(args: Cursor): number {
  const text = args.string();
  const match = /^([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})$/.exec(text);
  const at = match ? Date.parse(`${match[1]!.trim()} ${match[2]} ${match[3]} ${match[4]} ${match[5]}`) : NaN;
  return Number.isNaN(at) ? refuse('BAD', `Invalid date-time ${text}`) : at;
}

/** Copies what is still there; NO if anything chosen is gone, since COPY is all or nothing (RFC 3501 6.4.7). */
function copy(session: Session, chosen: Message[], into: Mailbox): string {
  const { server } = session;
  if (chosen.some(m => session.selected!.removed.has(m)))
    return refuse('NO', '[EXPUNGEISSUED] Some of the requested messages no longer exist.');
  const made = chosen.map(({ source, size, flags, internalDate, emailId }) =>
    server.store.append(into, { source, size, flags, internalDate, emailId }),
  );
  return server.has('UIDPLUS') && made.length > 0
    ? `[COPYUID ${into.uidValidity} ${compactSet(chosen.map(m => m.uid))} ${compactSet(made.map(m => m.uid))}] `
    : '';
}
const expunge = (session: Session, which: (message: Message) => boolean) =>
  session.server.store.expunge(session.selected!.mailbox, which);

const search: CommandEntry = {
  state: 'selected',
  uid: true,
  keepNumbers: true,
  run(session, args, uid) {
    const { server } = session;
    const selected = session.selected!;
    args.space();
    const { test, results, usesModseq } = parseSearch(args);
    args.end();
    if (results && !server.has('ESEARCH')) refuse('BAD', 'Unknown argument RETURN');
    if (usesModseq && !server.has('CONDSTORE')) refuse('BAD', 'Unknown SEARCH key MODSEQ');
    if (usesModseq) session.enabled.add('CONDSTORE');
    const found: number[] = [];
    let highest = 0n;
    const candidate: Candidate = {
      message: undefined!,
      number: 0,
      lastNumber: selected.view.length,
      lastUid: selected.view.at(-1)?.uid ?? 0,
      recent: false,
      parsed: () => server.parsed(candidate.message),
    };
    selected.view.forEach((message, place) => {
      candidate.message = message;
      candidate.number = place + 1;
      candidate.recent = isRecent(selected, message);
      if (!test(candidate)) return;
      found.push(uid ? message.uid : place + 1);
      if (message.modseq > highest) highest = message.modseq;
    });
    const modseq = usesModseq && found.length > 0 ? highest : undefined;
    if (!found.length && server.options.quirks?.silentSearch) return 'OK Search completed.';
    if (!results)
      tell(session, `SEARCH${found.map(n => ` ${n}`).join('')}${modseq === undefined ? '' : ` (MODSEQ ${modseq})`}`);
    else {
      const parts = [`ESEARCH (TAG ${JSON.stringify(session.tag)})${uid ? ' UID' : ''}`];
      if (results.includes('MIN') && found.length > 0) parts.push(`MIN ${found[0]}`);
      if (results.includes('MAX') && found.length > 0) parts.push(`MAX ${found.at(-1)}`);
      if (results.includes('COUNT')) parts.push(`COUNT ${found.length}`);
      if (results.includes('ALL') && found.length > 0) parts.push(`ALL ${compactSet(found)}`);
      if (modseq !== undefined) parts.push(`MODSEQ ${modseq}`);
      tell(session, parts.join(' '));
    }
    return `OK ${uid ? 'UID ' : ''}Search completed.`;
  },
};

const store: CommandEntry = {
  state: 'selected',
  uid: true,
  keepNumbers: true,
  run(session, args, uid) {
    const { server } = session;
    const selected = session.selected!;
    args.space();
    const chosen = places(selected, args, uid);
    args.space();
    let unchanged: bigint | undefined;
    if (args.at('(')) {
      args.list(
        () => {
          args.word('UNCHANGEDSINCE');
          args.space();
          unchanged = args.bigint();
        },
        { empty: false },
      );
      if (!server.has('CONDSTORE')) refuse('BAD', 'Unknown STORE modifier UNCHANGEDSINCE');
      session.enabled.add('CONDSTORE');
      args.space();
    }
    const action = /^([+-]?)FLAGS(\.SILENT)?$/.exec(args.run(/[A-Za-z.+-]/).toUpperCase());
    if (!action) return refuse('BAD', 'FLAGS, +FLAGS or -FLAGS expected');
    args.space();
    const flags = readFlags(session, args);
    args.end();
    writable(selected);
    const modified: number[] = [];
    const lower = flags.map(f => f.toLowerCase());
    let missing = false;
    for (const place of chosen) {
      const message = selected.view[place]!;
      if (selected.removed.has(message)) {
        missing = true;
        continue;
      }
      if (unchanged !== undefined && message.modseq > unchanged) {
        modified.push(uid ? message.uid : place + 1);
        continue;
      }
      const others = selected.changed.has(message);
      const next =
        action[1] === '+'
          ? [...message.flags, ...flags]
          : action[1] === '-'
            ? message.flags.filter(f => !lower.includes(f.toLowerCase()))
            : flags;
      server.store.setFlags(selected.mailbox, message, next);
      tellKeywords(session);
      if (action[2] && others) continue;
      selected.changed.delete(message);
      const modseq = session.enabled.has('CONDSTORE') ? ` MODSEQ (${message.modseq})` : '';
      const id = uid ? `UID ${message.uid} ` : '';
      if (!action[2]) tell(session, `${place + 1} FETCH (${id}${flagList(selected, message)}${modseq})`);
      else if (modseq) tell(session, `${place + 1} FETCH (UID ${message.uid}${modseq})`);
    }
    const code = modified.length > 0 ? `[MODIFIED ${compactSet(modified)}] ` : '';
    return missing
      ? `NO ${code || '[EXPUNGEISSUED] '}Some of the messages no longer exist.`
      : `OK ${code}Store completed.`;
  },
};

/** Commands on messages. */
export const messageCommands: Record<string, CommandEntry> = {
  FETCH: fetchCommand,
  SEARCH: search,
  STORE: store,
  APPEND: {
    state: 'in',
    run(session, args) {
      const { server } = session;
      args.space();
      const mailbox = target(session, args);
      args.space();
      const flags = args.at('(') ? readFlags(session, args) : [];
      if (!args.at('{') && !args.at('"')) args.space();
      let internalDate = Date.now();
      if (args.at('"')) {
        internalDate = readDateTime(args);
        args.space();
      }
      const source = args.literal();
      args.end();
      if (source.length === 0) refuse('NO', "Can't save a zero byte message.");
      const { uid } = server.store.append(mailbox, { source, flags, internalDate });
      return `OK ${server.has('UIDPLUS') ? `[APPENDUID ${mailbox.uidValidity} ${uid}] ` : ''}Append completed.`;
    },
  },
  CLOSE: {
    state: 'selected',
    run(session, args) {
      args.end();
      if (!session.selected!.readOnly) expunge(session, m => m.flags.includes('\\Deleted'));
      unselect(session);
      return 'OK Close completed.';
    },
  },
  UNSELECT: {
    state: 'selected',
    needs: 'UNSELECT',
    run(session, args) {
      args.end();
      unselect(session);
      return 'OK Unselect completed.';
    },
  },
  EXPUNGE: {
    state: 'selected',
    uid: true,
    run(session, args, uid) {
      const selected = session.selected!;
      let only: Set<Message> | undefined;
      if (uid) {
        args.space();
        only = new Set(places(selected, args, true).map(place => selected.view[place]!));
      }
      args.end();
      writable(selected);
      expunge(session, m => m.flags.includes('\\Deleted') && (!only || only.has(m)));
      sync(session, true);
      return `OK ${session.enabled.has('QRESYNC') ? `[HIGHESTMODSEQ ${selected.mailbox.highestModseq}] ` : ''}Expunge completed.`;
    },
  },
  COPY: {
    state: 'selected',
    uid: true,
    run(session, args, uid) {
      const selected = session.selected!;
      args.space();
      const chosen = places(selected, args, uid).map(place => selected.view[place]!);
      args.space();
      const into = target(session, args);
      args.end();
      if (chosen.length === 0) return 'OK No messages found.';
      return `OK ${copy(session, chosen, into)}Copy completed.`;
    },
  },
  MOVE: {
    state: 'selected',
    uid: true,
    needs: 'MOVE',
    run(session, args, uid) {
      const selected = session.selected!;
      args.space();
      const chosen = places(selected, args, uid).map(place => selected.view[place]!);
      args.space();
      const into = target(session, args);
      args.end();
      writable(selected);
      if (chosen.length === 0) return 'OK No messages found.';
      const code = copy(session, chosen, into);
      // COPYUID comes before the EXPUNGEs, so that a client can tell what went where (RFC 6851 4.3).
      if (code) tell(session, `OK ${code}Moved UIDs.`);
      const moved = new Set(chosen);
      expunge(session, m => moved.has(m));
      sync(session, true);
      return `OK ${session.enabled.has('QRESYNC') ? `[HIGHESTMODSEQ ${selected.mailbox.highestModseq}] ` : ''}Move completed.`;
    },
  },
};
