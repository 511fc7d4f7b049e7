import { compactSet, refuse, type Cursor } from './cursor.js';
import { bodyStructure, envelope, findPart, type Part } from './mime.js';
import { vanished } from './folders.js';
import { flagList, tell, unasked, type CommandEntry, type Selected, type Session } from './session.js';
import type { Quirks } from './options.js';
import { bytesOf, type Message } from './store.js';

interface Row {
  selected: Selected;
  quirks: Quirks;
  message: Message;
  parsed(): { part: Part; bytes: Buffer };
  bytes(): Buffer;
  /** What was worked out of the message before, or is now. */
  known(item: string, make: () => string): string;
}
/** One data item of a FETCH: writes its name and value. Buffers are literals' bytes. */
interface Item {
  name: string;
  marksSeen?: boolean;
  value(row: Row): (string | Buffer)[];
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** `01-Feb-2026 03:04:05 +0000` (RFC 3501, date-time). */
export function dateTime(at: number): string {
  const d = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(d.getUTCDate())}-${months[d.getUTCMonth()]}-${d.getUTCFullYear()} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} +0000`;
}

const simple: Record<string, Item> = {
  UID: { name: 'UID', value: row => [`UID ${row.message.uid}`] },
  FLAGS: { name: 'FLAGS', value: row => [flagList(row.selected, row.message)] },
  INTERNALDATE: { name: 'INTERNALDATE', value: row => [`INTERNALDATE "${dateTime(row.message.internalDate)}"`] },
  'RFC822.SIZE': { name: 'RFC822.SIZE', value: row => [`RFC822.SIZE ${row.message.size}`] },
  ENVELOPE: {
    name: 'ENVELOPE',
    value: row => {
      const told = `ENVELOPE ${row.known('ENVELOPE', () => envelope(row.parsed().part, row.quirks.placeholders))}`;
      return [
        row.quirks.literals
          ? told.replace(/"((?:[^"\\]|\\.)*)"/g, (_, text: string) => asLiteral(text.replace(/\\(.)/g, '$1')))
          : told,
      ];
    },
  },
  BODYSTRUCTURE: {
    name: 'BODYSTRUCTURE',
    value: row => [
      `BODYSTRUCTURE ${row.known('BODYSTRUCTURE', () => {
        const { part, bytes } = row.parsed();
        return bodyStructure(part, bytes, true, row.quirks);
      })}`,
    ],
  },
  BODY: {
    name: 'BODY',
    value: row => {
      const { part, bytes } = row.parsed();
      return [`BODY ${bodyStructure(part, bytes, false, row.quirks)}`];
    },
  },
  MODSEQ: { name: 'MODSEQ', value: row => [`MODSEQ (${row.message.modseq})`] },
  EMAILID: { name: 'EMAILID', value: row => [`EMAILID (${row.message.emailId})`] },
  THREADID: { name: 'THREADID', value: () => ['THREADID NIL'] },
  RFC822: { name: 'RFC822', marksSeen: true, value: row => literal('RFC822', row.bytes()) },
  'RFC822.HEADER': {
    name: 'RFC822.HEADER',
    value: row => literal('RFC822.HEADER', row.bytes().subarray(0, row.parsed().part.body)),
  },
  'RFC822.TEXT': {
    name: 'RFC822.TEXT',
    marksSeen: true,
    value: row => literal('RFC822.TEXT', row.bytes().subarray(row.parsed().part.body)),
  },
};
const macros: Record<string, string[]> = {
  ALL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE'],
  FAST: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'],
  FULL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY'],
};
const asLiteral = (text: string) => `{${text.length}}\r\n${text}`;
const literal = (name: string, bytes: Buffer): (string | Buffer)[] => [`${name} {${bytes.length}}\r\n`, bytes];
const bare = new Set(['UID', 'FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'MODSEQ', 'EMAILID', 'THREADID']);

function readItem(session: Session, args: Cursor): Item {
  const name = args.run(/[A-Za-z0-9.]/).toUpperCase();
  if ((name === 'BODY' || name === 'BODY.PEEK') && args.at('['))
    return bodySection(session, args, name === 'BODY.PEEK');
  const needs = { MODSEQ: 'CONDSTORE', EMAILID: 'OBJECTID', THREADID: 'OBJECTID' }[name];
  const item = simple[name];
  if (!item || (needs && !session.server.has(needs)))
    return refuse('BAD', `Unknown FETCH item ${name || args.run(/[^ ]/)}`);
  if (name === 'MODSEQ') session.enabled.add('CONDSTORE');
  return item;
}

function bodySection(session: Session, args: Cursor, peek: boolean): Item {
  args.need('[');
  const path: number[] = [];
  let spelled = '';
  let what = '';
  let fields: string[] = [];
  while (/^[1-9]/.test(args.peek())) {
    const digits = args.run(/[0-9]/);
    path.push(Number(digits));
    spelled += digits;
    if (!args.take('.')) break;
    spelled += '.';
  }
  if (path.length > 0 && !spelled.endsWith('.')) what = '';
  else if (!args.at(']')) {
    what = args.run(/[A-Za-z.]/).toUpperCase();
    spelled += what;
    if (what === 'HEADER.FIELDS' || what === 'HEADER.FIELDS.NOT') {
      args.space();
      fields = args.list(() => args.astring(), { empty: false });
      spelled += ` (${fields.map(f => f.toUpperCase()).join(' ')})`;
    } else if (!['HEADER', 'TEXT', ...(path.length > 0 ? ['MIME'] : [])].includes(what))
      refuse('BAD', `Unknown section ${what}`);
  } else if (path.length > 0) refuse('BAD', 'Section ends with a dot');
  args.need(']');
  let partial: [number, number] | undefined;
  if (args.take('<')) {
    const from = args.number();
    args.need('.');
    const count = args.number();
    if (count === 0) refuse('BAD', 'Partial FETCH of no bytes');
    args.need('>');
    partial = [from, count];
  }
  const { nil, wholePieces } = session.server.options.quirks ?? {};
  if (wholePieces) partial = undefined;
  const name = `BODY[${spelled}]${partial ? `<${partial[0]}>` : ''}`;
  return {
    name,
    marksSeen: !peek,
    value(row) {
      // A section that is not there has no bytes, as Dovecot answers; RFC 3501 does not say.
      const whole = section(row, path, what, fields) ?? Buffer.alloc(0);
      if (nil && !whole.length) return [`${name} NIL`];
      return literal(name, partial ? whole.subarray(partial[0], partial[0] + partial[1]) : whole);
    },
  };
}

function section(row: Row, path: number[], what: string, fields: string[]): Buffer | undefined {
  if (path.length === 0 && what === '') return row.bytes();
  const { part: root, bytes } = row.parsed();
  const part = findPart(root, path);
  if (!part) return undefined;
  if (what === '') return bytes.subarray(part.body, part.end);
  if (what === 'MIME') return bytes.subarray(part.start, part.body);
  // HEADER and TEXT of a numbered part mean the message inside it (RFC 3501 6.4.5).
  const message = path.length === 0 ? part : part.type === 'message' ? part.children[0] : undefined;
  if (!message) return undefined;
  if (what === 'TEXT') return bytes.subarray(message.body, message.end);
  if (what === 'HEADER') return bytes.subarray(message.start, message.body);
  const names = new Set(fields.map(f => f.toLowerCase()));
  const wanted = what === 'HEADER.FIELDS';
  return Buffer.concat([
    ...message.headers.filter(h => names.has(h.name) === wanted).map(h => bytes.subarray(h.from, h.to)),
    Buffer.from('\r\n'),
  ]);
}

/**
 * The places (from 0) in view that a set of numbers or UIDs names; numbers that do not exist are BAD, unknown UIDs are
 * nothing.
 */
export function places(selected: Selected, args: Cursor, uid: boolean): number[] {
  const set = args.numberSet();
  const { view } = selected;
  const last = uid ? (view.at(-1)?.uid ?? 0) : view.length;
  const found: number[] = [];
  const single = set.length === 1;
  for (const [a, b] of set) {
    const low = Math.min(a === Infinity ? last : a, b === Infinity ? last : b);
    const high = Math.max(a === Infinity ? last : a, b === Infinity ? last : b);
    if (!uid) {
      if (low < 1 || high > view.length) refuse('BAD', 'Invalid messageset: no such message number');
      for (let i = low - 1; i < high; i++) found.push(i);
      continue;
    }
    let from = 0;
    let to = view.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (view[middle]!.uid < low) from = middle + 1;
      else to = middle;
    }
    for (let i = from; i < view.length && view[i]!.uid <= high; i++) found.push(i);
  }
  return single ? found : [...new Set(found)].sort((a, b) => a - b);
}

/** FETCH and UID FETCH (RFC 3501 6.4.5, RFC 7162 3.1.4). */
export const fetchCommand: CommandEntry = {
  state: 'selected',
  uid: true,
  keepNumbers: true,
  async run(session, args, uid) {
    const selected = session.selected!;
    const { server, wire } = session;
    args.space();
    const chosen = places(selected, args, uid);
    args.space();
    let items: Item[];
    if (args.at('(')) items = args.list(() => readItem(session, args), { empty: false });
    else if (macros[args.peek()]) items = macros[args.atom().toUpperCase()]!.map(name => simple[name]!);
    else items = [readItem(session, args)];
    let since: bigint | undefined;
    let andVanished = false;
    if (!args.over()) {
      args.space();
      args.list(
        () => {
          const name = args.atom().toUpperCase();
          if (name === 'CHANGEDSINCE' && server.has('CONDSTORE')) {
            args.space();
            since = args.bigint();
          } else if (name === 'VANISHED' && session.enabled.has('QRESYNC') && uid) andVanished = true;
          else refuse('BAD', `Unknown FETCH modifier ${name}`);
        },
        { empty: false },
      );
    }
    args.end();
    if (andVanished && since === undefined) refuse('BAD', 'VANISHED needs CHANGEDSINCE');
    if (since !== undefined) session.enabled.add('CONDSTORE');
    const add = (name: string) => {
      if (!items.some(i => i.name === name)) items.unshift(simple[name]!);
    };
    if (since !== undefined && !items.some(i => i.name === 'MODSEQ')) items.push(simple.MODSEQ!);
    if (uid) add('UID');
    if (andVanished) {
      const gone = vanished(selected.mailbox, since!);
      if (gone.length > 0) tell(session, `VANISHED (EARLIER) ${compactSet(gone)}`);
    }
    const marks = !selected.readOnly && items.some(i => i.marksSeen);
    const showsFlags = items.some(i => i.name === 'FLAGS');
    const readsContent = items.some(i => !bare.has(i.name));
    let missing = false;
    const quirks = server.options.quirks ?? {};
    const word = (name: string) => (quirks.lowerCase ? name.toLowerCase() : name);
    if (quirks.backwards) {
      chosen.reverse();
      items.reverse();
    }
    for (const place of chosen) {
      const message = selected.view[place]!;
      if (since !== undefined && message.modseq <= since) continue;
      if (readsContent && selected.removed.has(message)) {
        missing = true;
        continue;
      }
      const fault = server.rowFault(session.command, session.account!.name, message.uid);
      if (fault) {
        fault.before?.();
        if (fault.delayMs) {
          await wire.flush();
          await new Promise(resolve => setTimeout(resolve, fault.delayMs));
        }
        if (fault.empty) continue;
        if (fault.reply !== undefined) return fault.reply;
        if (fault.silent) {
          await wire.flush();
          wire.swallow();
          return '';
        }
        if (fault.bye !== undefined) tell(session, `BYE ${fault.bye}`);
        if (fault.bye !== undefined || fault.close) {
          await wire.flush();
          session.over = true;
          wire.swallow();
          if (fault.close === 'reset') wire.reset();
          else wire.socket.end();
          return '';
        }
      }
      let bytes: Buffer | undefined;
      let parsed: ReturnType<Row['parsed']> | undefined;
      const row: Row = {
        selected,
        message,
        parsed: () => (parsed ??= server.parsed(message)),
        quirks,
        known: (item, make) => server.known(message, item, make),
        bytes: () =>
          (bytes ??=
            parsed?.bytes ?? (typeof message.source === 'function' ? server.parsed(message).bytes : bytesOf(message))),
      };
      const newlySeen = marks && !message.flags.includes('\\Seen');
      if (newlySeen) {
        server.store.setFlags(selected.mailbox, message, [...message.flags, '\\Seen']);
        selected.changed.delete(message);
      }
      const shown = newlySeen && !showsFlags ? [simple.FLAGS!, ...items] : items;
      // Flags shown here need not be told again; rows without them leave an extra FETCH row for the end, as RFC 3501
      // 7.4.2 allows.
      if (showsFlags) selected.changed.delete(message);
      const out: (string | Buffer)[] = [];
      // Both halves say which message they are about.
      const cut = quirks.halves ? shown.length >> 1 : 0;
      const parts = cut ? [shown.slice(0, cut), shown.slice(cut)] : [shown];
      for (const part of parts) {
        const told = uid && !part.some(item => item.name === 'UID') ? [simple.UID!, ...part] : part;
        out.push(`* ${place + 1} ${word('FETCH')} (`);
        told.forEach((item, i) => {
          const [first, ...rest] = item.value(row) as [string, ...(string | Buffer)[]];
          out.push(`${i > 0 ? ' ' : ''}${word(item.name)}${first.slice(item.name.length)}`, ...rest);
        });
        out.push(')\r\n');
      }
      unasked(session);
      if (fault?.cut === 'literal') return await cutLiteral(session, out);
      let text = '';
      for (const part of out)
        if (typeof part === 'string') text += part;
        else {
          wire.write(text);
          text = '';
          wire.write(part);
        }
      wire.write(text);
      if (wire.full()) {
        await wire.flush();
        if (wire.socket.destroyed) return 'OK';
      }
      if (fault?.during) {
        await wire.flush();
        fault.during();
      }
    }
    return missing
      ? 'NO [EXPUNGEISSUED] Some of the requested messages no longer exist.'
      : `OK ${uid ? 'UID ' : ''}Fetch completed.`;
  },
};
/** Everything up to the middle of the first literal, then the end of the connection. */
async function cutLiteral(session: Session, out: (string | Buffer)[]): Promise<string> {
  const { wire } = session;
  for (const part of out) {
    if (typeof part === 'string') {
      wire.write(part);
      continue;
    }
    wire.write(part.subarray(0, part.length >> 1));
    break;
  }
  await wire.flush();
  session.over = true;
  wire.swallow();
  wire.socket.end(() => wire.socket.destroy());
  return '';
}
