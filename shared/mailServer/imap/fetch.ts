import { compactSet, refuse, type Cursor } from './cursor.js';
import type { ImapFault } from './faults.js';
import { bare, readItems, simple, type Item, type Row } from './fetchItems.js';
import { vanished } from './folders.js';
import type { Quirks } from './options.js';
import type { Parsed } from './parsed.js';
import { tell, unasked, type CommandEntry, type Selected, type Session } from './session.js';
import { bytesOf, type Message } from './store.js';

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
    args.space();
    const chosen = places(session.selected!, args, uid);
    args.space();
    const items = readItems(session, args);
    const since = readModifiers(session, args, uid);
    if (since !== undefined && !items.some(i => i.name === 'MODSEQ')) items.push(simple.MODSEQ!);
    if (uid && !items.some(i => i.name === 'UID')) items.unshift(simple.UID!);
    return await new Rows(session, uid, items, since).send(chosen);
  },
};

/** What follows the items. Gives the modification sequence that rows must be above, if one was asked for. */
function readModifiers(session: Session, args: Cursor, uid: boolean): bigint | undefined {
  let since: bigint | undefined;
  let andVanished = false;
  const modifier = () => {
    const name = args.atom().toUpperCase();
    if (name === 'CHANGEDSINCE' && session.server.has('CONDSTORE')) {
      args.space();
      since = args.bigint();
    } else if (name === 'VANISHED' && session.enabled.has('QRESYNC') && uid) andVanished = true;
    else refuse('BAD', `Unknown FETCH modifier ${name}`);
  };
  if (!args.over()) {
    args.space();
    args.list(modifier, { empty: false });
  }
  args.end();
  if (andVanished && since === undefined) refuse('BAD', 'VANISHED needs CHANGEDSINCE');
  if (since === undefined) return undefined;
  session.enabled.add('CONDSTORE');
  const gone = andVanished ? vanished(session.selected!.mailbox, since) : [];
  if (gone.length > 0) tell(session, `VANISHED (EARLIER) ${compactSet(gone)}`);
  return since;
}

/** The rows of one FETCH on their way. */
class Rows {
  private readonly selected: Selected;
  private readonly quirks: Quirks;
  private readonly marks: boolean;
  private readonly showsFlags: boolean;
  private readonly readsContent: boolean;

  constructor(
    private readonly session: Session,
    private readonly uid: boolean,
    private readonly items: Item[],
    private readonly since: bigint | undefined,
  ) {
    this.selected = session.selected!;
    this.quirks = session.server.options.quirks ?? {};
    this.marks = !this.selected.readOnly && items.some(i => i.marksSeen);
    this.showsFlags = items.some(i => i.name === 'FLAGS');
    this.readsContent = items.some(i => !bare.has(i.name));
  }

  /** Gives the tagged answer. */
  async send(chosen: number[]): Promise<string> {
    const { session, selected, since } = this;
    const { server, wire } = session;
    let missing = false;
    if (this.quirks.backwards) {
      chosen.reverse();
      this.items.reverse();
    }
    for (const place of chosen) {
      const message = selected.view[place]!;
      if (since !== undefined && message.modseq <= since) continue;
      if (this.readsContent && selected.removed.has(message)) {
        missing = true;
        continue;
      }
      const fault = server.rowFault(session.command, session.account!.name, message.uid);
      const instead = fault && (await this.play(fault));
      if (instead !== undefined) return instead;
      if (fault?.empty) continue;
      const out = this.row(place, message);
      unasked(session);
      if (fault?.cut === 'literal') return await cutLiteral(session, out);
      this.write(out);
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
      : `OK ${this.uid ? 'UID ' : ''}Fetch completed.`;
  }

  /** Plays a fault before its row. Gives what is answered instead of all further rows, if that is so. */
  private async play(fault: ImapFault): Promise<string | undefined> {
    const { session } = this;
    const { wire } = session;
    fault.before?.();
    if (fault.delayMs) {
      await wire.flush();
      await new Promise(resolve => setTimeout(resolve, fault.delayMs));
    }
    if (fault.empty) return undefined;
    if (fault.reply !== undefined) return fault.reply;
    if (fault.silent) {
      await wire.flush();
      wire.swallow();
      return '';
    }
    if (fault.bye === undefined && !fault.close) return undefined;
    if (fault.bye !== undefined) tell(session, `BYE ${fault.bye}`);
    await wire.flush();
    session.over = true;
    wire.swallow();
    if (fault.close === 'reset') wire.reset();
    else wire.socket.end();
    return '';
  }

  private row(place: number, message: Message): (string | Buffer)[] {
    const { selected, quirks, items } = this;
    const row = this.rowOf(message);
    const newlySeen = this.marks && !message.flags.includes('\\Seen');
    if (newlySeen) this.session.server.store.setFlags(selected.mailbox, message, [...message.flags, '\\Seen']);
    const shown = newlySeen && !this.showsFlags ? [simple.FLAGS!, ...items] : items;
    // Flags shown here need not be told again; rows without them leave an extra FETCH row for the end, as RFC 3501
    // 7.4.2 allows.
    if (newlySeen || this.showsFlags) selected.changed.delete(message);
    const out: (string | Buffer)[] = [];
    // Both halves say which message they are about.
    const cut = quirks.halves ? shown.length >> 1 : 0;
    if (cut) this.put(out, place, row, shown.slice(0, cut));
    this.put(out, place, row, cut ? shown.slice(cut) : shown);
    return out;
  }

  private rowOf(message: Message): Row {
    const { server } = this.session;
    let bytes: Buffer | undefined;
    let parsed: Parsed | undefined;
    return {
      selected: this.selected,
      message,
      parsed: () => (parsed ??= server.parsed(message)),
      quirks: this.quirks,
      known: (item, make) => server.known(message, item, make),
      bytes: () =>
        (bytes ??=
          parsed?.bytes ?? (typeof message.source === 'function' ? server.parsed(message).bytes : bytesOf(message))),
    };
  }

  private put(out: (string | Buffer)[], place: number, row: Row, items: readonly Item[]): void {
    const told = this.uid && !items.some(item => item.name === 'UID') ? [simple.UID!, ...items] : items;
    out.push(`* ${place + 1} ${this.word('FETCH')} (`);
    told.forEach((item, i) => {
      const [first, ...rest] = item.value(row) as [string, ...(string | Buffer)[]];
      out.push(`${i > 0 ? ' ' : ''}${this.word(item.name)}${first.slice(item.name.length)}`, ...rest);
    });
    out.push(')\r\n');
  }

  private word(name: string): string {
    return this.quirks.lowerCase ? name.toLowerCase() : name;
  }

  private write(out: readonly (string | Buffer)[]): void {
    const { wire } = this.session;
    let text = '';
    for (const part of out)
      if (typeof part === 'string') text += part;
      else {
        wire.write(text);
        text = '';
        wire.write(part);
      }
    wire.write(text);
  }
}

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
