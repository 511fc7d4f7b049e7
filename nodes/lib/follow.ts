import { pause, unlessAborted, type Batch } from '../../shared/index.js';
import { Acknowledgements } from './acknowledgements.js';
import { Backoff } from './backoff.js';
import { Delivery } from './delivery.js';
import { FeedNotes } from './feedNotes.js';
import type { Follower, FollowOptions, Source, Status } from './followOptions.js';

export type * from './followOptions.js';

/** In milliseconds: a connection that held this long is no failure, and `close` waits this long at most. */
const STABLE = 60_000;
const CLOSING = 4_000;

/**
 * Follows a feed for ever: one loop, which reconnects with growing waits and never gives up. The cursor moves past an
 * item only when its execution has ended, and every execution carries a name made of the item's own, so that what is
 * offered again after a crash is dropped where it was done already.
 */
export function follow(options: FollowOptions): Follower {
  return new FeedFollower(options);
}

class FeedFollower implements Follower {
  readonly seen: Status;
  private readonly now: () => number;
  private readonly stop = new AbortController();
  private readonly backoff: Backoff;
  private readonly notes: FeedNotes;
  private readonly acknowledgements: Acknowledgements;
  private readonly delivery: Delivery;
  private readonly loop: Promise<void>;

  constructor(private readonly options: FollowOptions) {
    const { state, now = Date.now } = options;
    // The last error is known beyond a restart, because that is when somebody asks for it.
    const { lastError, lastErrorAt } = state.seen ?? {};
    this.seen = { ...(lastError ? { lastError, lastErrorAt } : {}), executed: 0, attempts: 0 };
    this.now = now;
    this.backoff = new Backoff(options, now);
    this.notes = new FeedNotes(options, this.seen, now);
    const stopped = this.stop.signal;
    const progress = () => this.backoff.startOver();
    this.acknowledgements = new Acknowledgements(options, stopped);
    this.delivery = new Delivery(options, this.seen, this.acknowledgements, stopped, progress);
    this.loop = this.reconnect();
  }

  async close({ replaced = false } = {}): Promise<void> {
    this.stop.abort();
    const over = new AbortController();
    const bound = pause(CLOSING, over.signal).catch(() => {});
    await Promise.race([this.ended(replaced).finally(() => over.abort()), bound]);
  }

  /**
   * Resolves when nothing is under way any more that has to stand in the state before it is stored: marks, and the
   * success of executions that owe one.
   */
  private async ended(replaced: boolean): Promise<void> {
    await this.loop;
    const owing = this.options.acknowledge && !replaced ? this.delivery.executing : [];
    const underWay = [...this.acknowledgements.underWay, ...owing];
    if (!underWay.length) return;
    await Promise.allSettled(underWay);
    await new Promise(resolve => {
      setImmediate(resolve);
    });
  }

  /** One connection after the other, until the trigger is closed. */
  private async reconnect(): Promise<void> {
    const { options, seen } = this;
    const stopped = this.stop.signal;
    while (!stopped.aborted) {
      const connection = new AbortController();
      const signal = AbortSignal.any([stopped, connection.signal]);
      const opened = this.now();
      try {
        seen.attempts++;
        await this.connected(await unlessAborted(options.open(signal), stopped), signal);
      } catch (error) {
        if (stopped.aborted) break;
        if (this.now() - opened > STABLE && seen.connectedSince) this.backoff.startOver();
        this.disconnected(error);
        await this.waitAfter(error);
      } finally {
        // The old connection is gone before a new one is opened.
        connection.abort();
      }
    }
  }

  private disconnected(error: unknown): void {
    delete this.seen.connectedSince;
    this.seen.lastError = error instanceof Error ? error.message : String(error);
    this.seen.lastErrorAt = this.time();
  }

  private async waitAfter(error: unknown): Promise<void> {
    const wait = this.backoff.failed(error);
    const seconds = Math.round(wait / 100) / 10;
    this.options.log(`Connection lost: ${this.seen.lastError} Next try in ${seconds} s.`);
    // Closing it ends the wait; the loop looks for itself.
    await pause(wait * (this.options.haste ?? 1), this.stop.signal).catch(() => {});
  }

  /** One connection: catches up, then waits for news, until something breaks. */
  private async connected(source: Source, signal: AbortSignal): Promise<void> {
    const { state, intervalMs } = this.options;
    state.cursor ??= await unlessAborted(this.firstCursor(source), this.stop.signal);
    const news = new News();
    let watching = false;
    while (!signal.aborted) {
      while (news.pending) {
        news.pending = false;
        const { more } = await this.look(source, state.cursor, signal);
        if (more) news.pending = true;
      }
      // Only now, so that a vendor that refuses the account is asked once and not twice at a time. What came meanwhile
      // is told at the start.
      if (!watching) {
        watching = true;
        this.watch(source, news);
      }
      if (news.broken) throw news.broken;
      await news.next(intervalMs, signal);
      if (news.broken && !news.pending) throw news.broken;
    }
  }

  /** Asks the feed once and hands over what it brings. */
  private async look(source: Source, cursor: string, signal: AbortSignal): Promise<Batch> {
    const batch = await unlessAborted(source.since(cursor), this.stop.signal);
    this.seen.connectedSince ??= this.time();
    this.backoff.answered();
    this.seen.lastSeen = this.time();
    this.notes.add(batch.notes ?? []);
    await this.acknowledgements.acknowledgeOwed(source);
    if (batch.items.length) this.backoff.startOver();
    await this.delivery.deliver(source, batch, signal);
    return batch;
  }

  private watch(source: Source, news: News): void {
    const changed = (pushed?: boolean) => {
      if (pushed !== undefined) this.seen.pushed = pushed;
      news.arrived();
    };
    source.watch(changed).catch((error: unknown) => news.lost(error));
  }

  /**
   * Where a trigger without a cursor begins: the date wanted, the moment it was switched on, or now where the feed
   * knows no times.
   */
  private async firstCursor(source: Source): Promise<string> {
    const { startedAt } = this.options.state;
    const dated = startedAt === undefined ? undefined : await source.from(startedAt);
    return dated ?? (await source.since()).cursor;
  }

  /** Now, as ISO 8601. */
  private time(): string {
    return new Date(this.now()).toISOString();
  }
}

/** What a connection waits for: news, the time of the next look, or its own end. */
class News {
  /** True as long as there is something to look at, as there is at the start. */
  pending = true;
  /** Why nothing is pushed any more. */
  broken: unknown;
  private wake = () => {};

  arrived(): void {
    this.pending = true;
    this.wake();
  }

  lost(error: unknown): void {
    this.broken = error ?? new Error('The connection was lost.');
    this.wake();
  }

  /** Resolves when there is something to do; after the interval there is always something to look at. */
  next(intervalMs: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(() => this.arrived(), intervalMs);
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.wake = () => {};
        resolve();
      };
      this.wake = done;
      signal.addEventListener('abort', done, { once: true });
      if (this.pending || this.broken || signal.aborted) done();
    });
  }
}
