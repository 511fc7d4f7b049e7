import { isMailError, unlessAborted, type FeedItem } from '../../shared/index.js';
import { MOST_REMEMBERED, type FollowOptions, type Source } from './followOptions.js';

/**
 * Marks, moves or deletes messages whose executions have succeeded. What cannot be done at once is owed: it stands in
 * the state, so that the next start knows of it too.
 */
export class Acknowledgements {
  /** Those that have not ended yet. */
  readonly underWay = new Set<Promise<unknown>>();

  constructor(
    private readonly options: FollowOptions,
    private readonly stopped: AbortSignal,
  ) {}

  async acknowledge(source: Source, items: readonly FeedItem[]): Promise<void> {
    if (!this.options.acknowledge) return;
    // The connection of a trigger that was closed meanwhile is gone, so its next start does it.
    for (const item of items) if (this.stopped.aborted || !(await this.acknowledgeOne(source, item))) this.owe(item);
  }

  /** Tries again what is owed. */
  async acknowledgeOwed(source: Source): Promise<void> {
    const { state } = this.options;
    for (const item of this.options.acknowledge ? (state.owed ?? []) : []) {
      if (!(await unlessAborted(this.acknowledgeOne(source, item), this.stopped))) continue;
      state.owed = state.owed!.filter(({ id }) => id !== item.id);
      if (!state.owed.length) delete state.owed;
    }
  }

  /**
   * False where it has to be tried again, because the vendor was away, or this trigger was closed in the middle of it.
   */
  private async acknowledgeOne(source: Source, item: FeedItem): Promise<boolean> {
    try {
      await listed(this.underWay, this.options.acknowledge!(source, item));
      return true;
    } catch (error) {
      const away =
        this.stopped.aborted || (isMailError(error) && (error.code === 'unavailable' || error.code === 'rate_limited'));
      const reason = error instanceof Error ? error.message : String(error);
      const message =
        'The execution succeeded, but marking, moving or deleting the message ' +
        `${item.id} ${away ? 'has to wait' : 'failed'}: ${reason}`;
      if (away) this.options.log(message);
      else this.options.warn?.(message);
      return !away;
    }
  }

  /** Keeps it with the state. The oldest of too many are given up, and that is told. */
  private owe({ id, item }: FeedItem): void {
    const { state } = this.options;
    const owed = [...(state.owed ?? []), { id, item: bare(item) }];
    for (const lost of owed.splice(0, owed.length - MOST_REMEMBERED)) {
      this.options.warn?.(
        `More than ${MOST_REMEMBERED} messages wait to be marked, moved or deleted, ` +
          `so this is given up for the message ${lost.id}, whose execution succeeded.`,
      );
    }
    state.owed = owed;
  }
}

/** Has the list know of the promise until it has ended. */
export function listed<T>(list: Set<Promise<unknown>>, promise: Promise<T>): Promise<T> {
  list.add(promise);
  return promise.finally(() => list.delete(promise));
}

/** The plain short values of an item, which name it and its place; its content is not kept. */
const bare = (item: unknown) =>
  Object.fromEntries(
    Object.entries(item as object).filter(([, value]) => typeof value !== 'object' && String(value).length <= 1000),
  );
