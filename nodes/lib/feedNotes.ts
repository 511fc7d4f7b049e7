import { MOST_REMEMBERED, type FollowOptions, type Status } from './followOptions.js';

/** How many of the feed's sentences are shown, and how far apart they are told, in milliseconds. */
const SHOWN = 5;
const APART = 10 * 60_000;

/**
 * Tells each sentence of the feed once; together where they come thick and fast, since each telling is a failed
 * execution.
 */
export class FeedNotes {
  private readonly known = new Set<string>();
  private readonly untold: string[] = [];
  private toldAt = -Infinity;

  constructor(
    private readonly options: Pick<FollowOptions, 'notes'>,
    private readonly status: Status,
    private readonly now: () => number,
  ) {}

  add(notes: readonly string[]): void {
    for (const note of notes) this.remember(note);
    if (!this.untold.length || this.now() - this.toldAt < APART) return;
    this.toldAt = this.now();
    const more = this.untold.length - SHOWN;
    const sentences = this.untold.slice(0, SHOWN);
    if (more > 0) sentences.push(`There are ${more} more like these.`);
    this.untold.length = 0;
    this.options.notes?.(sentences);
  }

  private remember(note: string): void {
    if (this.known.has(note)) return;
    if (this.known.size >= MOST_REMEMBERED) this.known.clear();
    this.known.add(note);
    if (this.untold.length < MOST_REMEMBERED) this.untold.push(note);
    this.status.notes = [...(this.status.notes ?? []), note].slice(-SHOWN);
  }
}
