import type { Context, FeedItem } from '../../../provider.js';
import { isLost, wordsOf } from '../session/imapError.js';
import { opened } from '../session/openFolder.js';
import { withImap } from '../session/imapPool.js';
import { uidsOf, type ImapMessage } from '../messages/content.js';
import { validityOf } from '../messages/id.js';
import type { FetchMessageObject, ImapFlow, MailboxObject } from '../libraries.js';
import { depthOf, handedOver, pauseReading, newPrefetch, type Prefetch } from './prefetch.js';
import { begunAnew } from './anew.js';
import { done, finish, hashesOf, wanted, type FolderState, type Work } from './cursor.js';
import { news, postpone } from './gaps.js';
import type { Input } from './input.js';
import { itemOf, unreadable } from './items.js';
import { newTrack, SILENCE, type Track } from './track.js';
import { collect } from './window.js';

/**
 * A window: so many messages, and so many bytes of them, are handed over at once. Larger ones save few commands, but
 * more of what they hold outlives a collection of V8's young generation, which then grows to twice the size: 155 MB
 * instead of 115 for ten thousand messages.
 */
const MOST = 32;
const MOST_SUMMARIES = 64;
/** A message is set aside when the connection broke so often while it was fetched alone. */
const STRIKES = 2;

interface Looked {
  state: FolderState;
  items: FeedItem<ImapMessage>[];
  notes: string[];
  more: boolean;
}

/**
 * What a look found beyond its window, so that the next one need not open the folder and ask again. Good for the very
 * state the look ended with, on the same connection, as long as the folder stays open there; flags may have changed
 * since, hence not for long.
 */
interface Continuation {
  folder: string;
  state: string;
  kind: string;
  uids: number[];
  rows: Track['rows'];
  beyond: boolean;
  at: number;
  ahead: Prefetch;
}
const continuations = new WeakMap<ImapFlow, Continuation>();
/** In milliseconds. */
const CONTINUES_FOR = 10_000;

function continuationOf(client: ImapFlow, folder: string, state: string, kind: string): Continuation | undefined {
  const found = continuations.get(client);
  continuations.delete(client);
  const open = client.mailbox && client.mailbox.path === folder && client.mailbox.readOnly;
  const same = found && open && found.folder === folder && found.state === state && found.kind === kind;
  return same && performance.now() - found.at < CONTINUES_FOR ? found : undefined;
}

/** A look on one connection: what there is to hand over, and how much of it this window takes. */
interface Reading {
  client: ImapFlow;
  mailbox: MailboxObject;
  /** What a continuation must have asked for alike. */
  kind: string;
  /** Whether it goes on where a look before stopped. */
  continues: boolean;
  /** In milliseconds of `performance.now`: when `uids` were asked for. */
  at: number;
  /** What is to be handed over, in order; `beyond` that there is more that was not asked for. */
  uids: readonly number[];
  beyond: boolean;
  rows: Track['rows'];
  ahead: Prefetch;
  /** So many bytes of contents may be asked for ahead. */
  depth: number;
  /** Messages are fetched one by one, because a connection broke in the middle of several. */
  careful: boolean;
  window: readonly number[];
  /** How often the connection broke while a message was fetched alone. */
  struck: Map<number, number>;
}

export async function look(ctx: Context, folder: string, values: Input, s: FolderState): Promise<Looked> {
  const one = new Look(ctx, folder, values, s);
  await withImap(ctx, client => one.read(client), { reads: true, silence: SILENCE, goesOn: true });
  return one.finish();
}

class Look {
  private readonly work: Work;
  private readonly before: string;
  private readonly items: FeedItem<ImapMessage>[] = [];
  private readonly notes: string[] = [];
  private more = false;
  private continuation: { client: ImapFlow; rest: Omit<Continuation, 'state'> } | undefined;

  constructor(
    private readonly ctx: Context,
    private readonly folder: string,
    private readonly values: Input,
    private readonly state: FolderState,
  ) {
    this.work = { s: state, ring: hashesOf(state.ring), seen: new Set(uidsOf(state.seen ?? '')) };
    this.before = JSON.stringify(state);
  }

  async read(client: ImapFlow): Promise<void> {
    const reading = await this.begin(client);
    if (!reading) return;
    const { uids, beyond, continues, careful, window, struck } = reading;
    const { state } = this;
    let asked = 0;
    for (const part of careful ? window.map(uid => [uid]) : [window]) {
      const track = this.trackOf(reading);
      try {
        asked += await this.readPart(reading, part, track);
      } catch (error) {
        this.ctx.signal?.throwIfAborted();
        if (!isLost(client, error) || !track.asked) throw error;
        this.handOverWhatCame(reading, part, track, error);
        asked = -1;
        break;
      }
    }
    // What was told earlier may not be all by now: the last word has a look that asked.
    this.more = beyond || asked < uids.length || continues;
    if (state.careful !== undefined && state.last >= state.careful) delete state.careful;
    state.strikes = [...struck];
    if (!state.strikes.length) delete state.strikes;
  }

  finish(): Looked {
    const { state, items, notes, more, continuation } = this;
    finish(this.work, notes, this.folder);
    if (continuation?.rest.uids.length) {
      continuations.set(continuation.client, { ...continuation.rest, state: JSON.stringify(state) });
    }
    return { state, items, notes, more };
  }

  /** Opens the folder and asks what there is to hand over; undefined where that is nothing. */
  private async begin(client: ImapFlow): Promise<Reading | undefined> {
    const { state, values } = this;
    // Contents that were asked for ahead are those of this kind.
    const kind = JSON.stringify([values.fetch, values.attachmentLimit]);
    const continuation = continuationOf(client, this.folder, this.before, kind);
    const mailbox = await this.open(client, !continuation);
    const { uids, beyond } = continuation ?? (await news(client, mailbox, this.work, this.notes, this.folder));
    if (!uids.length) {
      this.more = beyond;
      return undefined;
    }
    const careful = state.careful !== undefined && uids[0]! <= state.careful;
    const { summaries, bytes } = depthOf(client, values.fetch === 'envelope');
    const reading: Reading = {
      client,
      mailbox,
      kind,
      uids,
      beyond,
      careful,
      continues: !!continuation,
      rows: continuation?.rows ?? new Map<number, FetchMessageObject>(),
      at: continuation?.at ?? performance.now(),
      ahead: continuation?.ahead ?? newPrefetch(),
      depth: bytes,
      window: [],
      struck: new Map(state.strikes),
    };
    reading.window = this.windowOf(reading);
    this.askAhead(reading, summaries);
    return reading;
  }

  private async open(client: ImapFlow, fresh: boolean): Promise<MailboxObject> {
    const { folder, state } = this;
    let mailbox = await opened(client, folder, { fresh });
    // Spurious values have been seen, so the folder is opened once more before anything is made of it.
    if (validityOf(mailbox) !== state.val) mailbox = await opened(client, folder, { fresh: true });
    if (validityOf(mailbox) !== state.val) this.notes.push(await begunAnew(client, mailbox, folder, this.work));
    return mailbox;
  }

  /** How many messages a window takes at most. */
  private get most(): number {
    return this.values.fetch === 'envelope' ? MOST_SUMMARIES : MOST;
  }

  private windowOf({ uids, rows, ahead, careful }: Reading): number[] {
    // What is told of the next ones already is handed over before more is asked for.
    const untold = uids.findIndex(uid => !rows.has(uid) && uid > ahead.until);
    const candidates = careful ? uids.filter(uid => uid <= this.state.careful!) : uids;
    return candidates.slice(0, untold > 0 ? Math.min(untold, this.most) : this.most);
  }

  /**
   * Only for a reader who goes on undisturbed: one whom another always interrupts would have everything asked for over
   * and over. Without contents the window itself goes the same way; and less than half a window waits until it is worth
   * a command.
   */
  private askAhead({ uids, rows, ahead, careful, continues, window }: Reading, summaries: number): void {
    const from = this.values.fetch === 'envelope' ? 0 : window.length;
    const next =
      continues && !careful
        ? uids.slice(from, window.length + summaries).filter(uid => uid > ahead.until && !rows.has(uid))
        : [];
    ahead.next = next.length >= this.most / 2 ? next : [];
    ahead.letIn?.();
  }

  private trackOf({ careful, rows, ahead, continues, uids, depth }: Reading): Track {
    const track = newTrack(careful ? undefined : rows, this.state.gaps);
    if (!careful) Object.assign(track, { ahead, uids: continues ? uids : [], depth });
    return track;
  }

  /**
   * Fetches so many messages and hands them over. Says how many were asked for, which is none where the rest must wait.
   */
  private async readPart(reading: Reading, part: readonly number[], track: Track): Promise<number> {
    const { ctx, folder, work, items } = this;
    const { client, mailbox } = reading;
    const found = await collect(ctx, client, mailbox, folder, part, this.values, track);
    for (const { uid, message } of found.done) this.handOver(reading, track, uid, message);
    for (const uid of found.missing) postpone(ctx, work, folder, uid, items, track.rows.get(uid), track.later.get(uid));
    if (!reading.careful) {
      this.continueAfter(reading, found.cut ? reading.uids.indexOf(found.last) + 1 : part.length);
    }
    return found.cut ? 0 : part.length;
  }

  private handOver({ struck }: Reading, track: Track, uid: number, message: ImapMessage | undefined): void {
    const row = track.rows.get(uid);
    done(this.work, uid, row);
    struck.delete(uid);
    if (message && wanted(this.work, row)) this.items.push(itemOf(this.folder, this.state.val, uid, message));
  }

  /** Keeps what was found beyond the first so many messages, which were dealt with. */
  private continueAfter({ client, kind, uids, rows, beyond, at, ahead }: Reading, dealt: number): void {
    const handed = uids.slice(0, dealt);
    for (const uid of handed) rows.delete(uid);
    handedOver(ahead, handed);
    pauseReading(ahead, client);
    const rest = { folder: this.folder, kind, uids: uids.slice(dealt), rows, beyond, at, ahead };
    this.continuation = { client, rest };
  }

  /** The connection broke. What was complete is handed over as far as it is the beginning of the window. */
  private handOverWhatCame(reading: Reading, part: readonly number[], track: Track, error: unknown): void {
    for (const uid of part) {
      if (!track.finished.has(uid)) break;
      this.handOver(reading, track, uid, track.finished.get(uid));
    }
    // A reset also swallows what was on its way, so a window does not tell which message it was; a message fetched
    // alone does.
    if (part.length > 1) this.state.careful = part.at(-1)!;
    else if (!track.finished.has(part[0]!)) this.strike(reading, track, part[0]!, error);
  }

  private strike(reading: Reading, track: Track, uid: number, error: unknown): void {
    const { folder, state } = this;
    const strikes = (reading.struck.get(uid) ?? 0) + 1;
    reading.struck.set(uid, strikes);
    if (strikes < STRIKES) return;
    const why =
      'The server cannot deliver this message: the connection broke whenever it was fetched ' +
      `(${wordsOf(error, this.ctx.hide)}).`;
    const message = unreadable({ folder, uidValidity: state.val, uid }, track.rows.get(uid), why);
    this.handOver(reading, track, uid, message);
  }
}
