import { createHash } from 'node:crypto';
import { isMailError, unlessAborted, type Batch, type FeedItem } from '../../shared/index.js';
import { listed, type Acknowledgements } from './acknowledgements.js';
import {
  MOST_REMEMBERED,
  type Ended,
  type FollowOptions,
  type Source,
  type Status,
  type Stored,
} from './followOptions.js';

/**
 * How often an item may fail to be read before it is set aside: where the vendor refuses it, and where the connection
 * broke, which may be anybody's fault.
 */
const REFUSALS = 3;
const BREAKS = 8;

/** What an execution begins with. */
interface Prepared {
  value: unknown;
}

/** One window of the feed on its way to executions. */
interface Window {
  source: Source;
  /** Those that are neither done nor unreadable. */
  items: FeedItem[];
  done: DoneItems;
  /** Aborts with the connection. */
  signal: AbortSignal;
}

/** Hands what the feed brings over to executions: one for each item, or one for each batch. */
export class Delivery {
  /** Executions that have not ended yet. */
  readonly executing = new Set<Promise<unknown>>();
  /** How often each item could not be read. */
  private readonly strikes = new Map<string, number>();

  constructor(
    private readonly options: FollowOptions,
    private readonly status: Status,
    private readonly acknowledgements: Acknowledgements,
    private readonly stopped: AbortSignal,
    private readonly progress: () => void,
  ) {}

  /**
   * Hands over a window and moves the cursor when all of it has ended. Throws, without moving it, when an execution
   * could not be started.
   */
  async deliver(source: Source, batch: Batch, signal: AbortSignal): Promise<void> {
    const { state } = this.options;
    const done = new DoneItems(state);
    const waiting = batch.items.filter(item => !done.has(item));
    for (const item of waiting.filter(one => one.problem)) {
      this.options.poisoned(item);
      done.add(item);
    }
    const window = { source, items: waiting.filter(one => !one.problem), done, signal };
    if (this.options.batchSize) await this.inBatches(window, this.options.batchSize);
    else await this.oneByOne(window);
    signal.throwIfAborted();
    state.cursor = batch.cursor;
    done.forget(batch.items);
    delete state.batch;
    delete state.batchName;
  }

  private async oneByOne({ source, items, done, signal }: Window): Promise<void> {
    let next = 0;
    const errors: unknown[] = [];
    const worker = async () => {
      while (next < items.length && !errors.length && !signal.aborted) {
        const item = items[next++]!;
        try {
          const prepared = await this.prepare(item);
          if (prepared) await this.execute(source, [item], item.id, [prepared.value]);
          done.add(item);
        } catch (error) {
          errors.push(error);
        }
      }
    };
    const workers = Array.from({ length: Math.min(this.options.concurrent, items.length) }, worker);
    await unlessAborted(Promise.all(workers), this.stopped);
    if (errors.length) throw errors[0];
  }

  private async inBatches(window: Window, batchSize: number): Promise<void> {
    const { state } = this.options;
    const { done, signal } = window;
    let rest = window.items;
    while (rest.length && !signal.aborted) {
      // A batch that was under way when the process died is offered again as it was, and under its own name although
      // some of it may be gone.
      const interrupted = state.batch ? rest.filter(item => state.batch!.includes(shortName(item.id))) : [];
      if (!interrupted.length) {
        delete state.batch;
        delete state.batchName;
      }
      const batch = interrupted.length ? interrupted : rest.slice(0, batchSize);
      await this.executeBatch(window, batch);
      for (const item of batch) done.add(item);
      delete state.batch;
      delete state.batchName;
      rest = rest.filter(item => !batch.includes(item) && !done.has(item));
    }
  }

  private async executeBatch({ source, done, signal }: Window, batch: FeedItem[]): Promise<void> {
    const { state } = this.options;
    const before = state.batch ?? [];
    const prepared = await unlessAborted(Promise.all(batch.map(item => this.prepare(item))), this.stopped);
    const items = batch.filter((_, i) => prepared[i]);
    if (!items.length) return;
    state.batchName ??= items.map(item => item.id).join('\n');
    state.batch = items.map(item => shortName(item.id));
    const values = prepared.flatMap(one => (one ? [one.value] : []));
    const ended = await unlessAborted(this.execute(source, items, state.batchName, values), this.stopped);
    signal.throwIfAborted();
    if (ended === 'known') done.addNames(before);
  }

  /**
   * What an execution begins with; undefined when the item was set aside because it cannot be read. Throws when it
   * should be tried again.
   */
  private async prepare(item: FeedItem): Promise<Prepared | undefined> {
    try {
      return { value: await this.options.prepare?.(item) };
    } catch (error) {
      return this.strike(item, error);
    }
  }

  /**
   * Sets an item aside that failed too often. Throws the error when the item should be tried again, or when it says
   * nothing of the item.
   */
  private strike(item: FeedItem, error: unknown): undefined {
    if (!isMailError(error) || error.code === 'unauthorized' || error.code === 'forbidden') throw error;
    const strikes = (this.strikes.get(item.id) ?? 0) + 1;
    this.strikes.set(item.id, strikes);
    const most = error.code === 'unavailable' || error.code === 'rate_limited' ? BREAKS : REFUSALS;
    if (strikes < most) throw error;
    this.strikes.delete(item.id);
    this.options.poisoned({ ...item, problem: error.message });
    return undefined;
  }

  private async execute(source: Source, items: FeedItem[], name: string, prepared: unknown[]): Promise<Ended> {
    const { options, status } = this;
    // Hosts store the state when an execution begins, so this costs no storing of its own.
    options.state.seen = toStore(status);
    const key = createHash('sha256').update(`${options.keyPrefix}\n${name}`).digest('base64url');
    const ended = await listed(this.executing, options.execute(items, key, prepared));
    for (const item of items) this.strikes.delete(item.id);
    this.progress();
    if (ended !== 'known') status.executed++;
    if (ended === 'success') await this.acknowledgements.acknowledge(source, items);
    return ended;
  }
}

/** The items after the cursor whose executions have ended, by short names. Each change stands in the state at once. */
class DoneItems {
  private readonly names: Set<string>;

  constructor(private readonly state: FollowOptions['state']) {
    this.names = new Set(state.done ?? []);
  }

  has(item: FeedItem): boolean {
    return this.names.has(shortName(item.id));
  }

  add(item: FeedItem): void {
    this.addNames([shortName(item.id)]);
  }

  addNames(names: readonly string[]): void {
    for (const name of names) this.names.add(name);
    this.state.done = [...this.names];
  }

  /**
   * Forgets what the cursor has passed. What stays are names of a batch that is known as done, but of which some come
   * in a later window.
   */
  forget(items: readonly FeedItem[]): void {
    const passed = new Set(items.map(item => shortName(item.id)));
    const later = [...this.names].filter(name => !passed.has(name)).slice(-MOST_REMEMBERED);
    if (later.length) this.state.done = later;
    else delete this.state.done;
  }
}

const shortName = (id: string) => createHash('sha1').update(id).digest('base64url').slice(0, 10);

/** What people are told of a trigger that has ended, or that runs in another process. */
function toStore({ lastSeen, lastError, lastErrorAt, notes }: Status): Stored {
  return {
    ...(lastSeen ? { lastSeen } : {}),
    ...(lastError ? { lastError: lastError.slice(0, MOST_REMEMBERED), lastErrorAt } : {}),
    ...(notes ? { notes: notes.map(note => note.slice(0, MOST_REMEMBERED)) } : {}),
  };
}
