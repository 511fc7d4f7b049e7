import { refuse, type Cursor } from './cursor.js';
import { bodyStructure, envelope, findPart, type Part } from './mime.js';
import type { Quirks } from './options.js';
import { flagList, type Selected, type Session } from './session.js';
import type { Message } from './store.js';

/** A message as the items of a FETCH see it. */
export interface Row {
  selected: Selected;
  quirks: Quirks;
  message: Message;
  parsed(): { part: Part; bytes: Buffer };
  bytes(): Buffer;
  /** What was worked out of the message before, or is now. */
  known(item: string, make: () => string): string;
}
/** One data item of a FETCH: writes its name and value. Buffers are literals' bytes. */
export interface Item {
  name: string;
  marksSeen?: boolean;
  value(row: Row): (string | Buffer)[];
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** `01-Feb-2026 03:04:05 +0000` (RFC 3501, date-time). */
function dateTime(at: number): string {
  const d = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(d.getUTCDate())}-${months[d.getUTCMonth()]}-${d.getUTCFullYear()} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} +0000`;
}

export const simple: Record<string, Item> = {
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
/** The items that are known without a look at the message's bytes. */
export const bare: ReadonlySet<string> = new Set([
  'UID',
  'FLAGS',
  'INTERNALDATE',
  'RFC822.SIZE',
  'MODSEQ',
  'EMAILID',
  'THREADID',
]);

/** Reads what a FETCH asks for: a macro, one item, or some in parentheses. */
export function readItems(session: Session, args: Cursor): Item[] {
  if (args.at('(')) return args.list(() => readItem(session, args), { empty: false });
  const macro = macros[args.peek()];
  if (!macro) return [readItem(session, args)];
  args.atom();
  return macro.map(name => simple[name]!);
}

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

/** `BODY[…]`: which part of the message, what of it, and its header fields; `spelled` as it is answered. */
interface Section {
  path: number[];
  what: string;
  fields: string[];
  spelled: string;
}

function bodySection(session: Session, args: Cursor, peek: boolean): Item {
  args.need('[');
  const wanted = readSection(args);
  args.need(']');
  const asked = readPartial(args);
  const { nil, wholePieces } = session.server.options.quirks ?? {};
  const partial = wholePieces ? undefined : asked;
  const name = `BODY[${wanted.spelled}]${partial ? `<${partial[0]}>` : ''}`;
  return {
    name,
    marksSeen: !peek,
    value(row) {
      // A section that is not there has no bytes, as Dovecot answers; RFC 3501 does not say.
      const whole = section(row, wanted) ?? Buffer.alloc(0);
      if (nil && !whole.length) return [`${name} NIL`];
      return literal(name, partial ? whole.subarray(partial[0], partial[0] + partial[1]) : whole);
    },
  };
}

function readSection(args: Cursor): Section {
  const path: number[] = [];
  let spelled = '';
  while (/^[1-9]/.test(args.peek())) {
    const digits = args.run(/[0-9]/);
    path.push(Number(digits));
    spelled += digits;
    if (!args.take('.')) break;
    spelled += '.';
  }
  const none = { path, what: '', fields: [], spelled };
  if (path.length > 0 && !spelled.endsWith('.')) return none;
  if (args.at(']')) return path.length > 0 ? refuse('BAD', 'Section ends with a dot') : none;
  const what = args.run(/[A-Za-z.]/).toUpperCase();
  spelled += what;
  if (what === 'HEADER.FIELDS' || what === 'HEADER.FIELDS.NOT') {
    args.space();
    const fields = args.list(() => args.astring(), { empty: false });
    return { path, what, fields, spelled: `${spelled} (${fields.map(f => f.toUpperCase()).join(' ')})` };
  }
  if (!['HEADER', 'TEXT', ...(path.length > 0 ? ['MIME'] : [])].includes(what))
    refuse('BAD', `Unknown section ${what}`);
  return { path, what, fields: [], spelled };
}

/** `<from.count>` behind a section. */
function readPartial(args: Cursor): [from: number, count: number] | undefined {
  if (!args.take('<')) return undefined;
  const from = args.number();
  args.need('.');
  const count = args.number();
  if (count === 0) refuse('BAD', 'Partial FETCH of no bytes');
  args.need('>');
  return [from, count];
}

function section(row: Row, { path, what, fields }: Section): Buffer | undefined {
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
