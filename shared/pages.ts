import { MailError } from './errors.js';

/** One page of a list; `next` says where the following one begins and is absent on the last. */
export interface Page<T, N> {
  items: T[];
  next?: N;
}

/**
 * How many pages in a row may bring nothing new: a list that is taken up again further to the front comes through pages
 * that are known.
 */
const FRUITLESS = 100;

/**
 * Whatever a vendor counts by - page, offset, link - a list is a stream that fetches when read. Once half of a page has
 * been handed on, the next one is requested; a reader who stops gets no further request, and one under way is aborted
 * through the signal given to `fetch`. Throws `protocol` when page after page brings nothing and still names another
 * one.
 */
export async function* pages<T, N>(
  start: N,
  fetch: (at: N, signal: AbortSignal) => Promise<Page<T, N>>,
): AsyncGenerator<T> {
  const stopped = new AbortController();
  let coming: Promise<Page<T, N>> | undefined = fetch(start, stopped.signal);
  let fruitless = 0;
  try {
    while (coming) {
      const { items, next }: Page<T, N> = await coming;
      coming = undefined;
      fruitless = items.length ? 0 : fruitless + 1;
      if (fruitless >= FRUITLESS)
        throw new MailError(
          'protocol',
          `${FRUITLESS} pages in a row brought nothing new, and another one is named still.`,
        );
      const ahead = Math.floor(items.length / 2);
      for (const [i, item] of items.entries()) {
        if (i === ahead && i > 0 && next !== undefined) (coming = fetch(next, stopped.signal)).catch(() => {});
        yield item;
      }
      if (next !== undefined) coming ??= fetch(next, stopped.signal);
    }
  } finally {
    stopped.abort();
  }
}

/**
 * How often in one reading a list may be taken up again further to the front, and the same page may come in a row:
 * arrivals can do that once.
 */
const STEPS_BACK = 100;
const SAME_PAGES = 3;

/**
 * A list that is counted by offset, in pages of `size`; `largest`, where the vendor gives more, for those who read on
 * beyond the second page. `id` names a row for good; `more` says that the vendor knows of rows after these, `total` of
 * how many in all. So many pages are asked for `ahead` of the one after the reader's, once he has read on as far: the
 * account's pace holds for them as for any other request.
 */
export interface Offsets<T> {
  size: number;
  largest?: number;
  ahead?: number;
  id(row: T): string;
  fetch(offset: number, signal: AbortSignal, limit: number): Promise<{ rows: T[]; more: boolean; total?: number }>;
}

/**
 * Reads a living list by offset: each page begins with the last row of the one before. Where that row is not known,
 * rows before it have gone and others have moved up unseen, so the list is taken up further to the front, and pages
 * that came early count for nothing. Nothing that stays in the list is lost or given twice. Throws `protocol` when the
 * vendor gives the same page whatever the offset, `unavailable` when the list does not come to rest.
 */
export function byOffset<T>({ size, largest = size, ahead = 0, id, fetch }: Offsets<T>): AsyncGenerator<T> {
  const known = new Set<string>();
  const early = new Map<number, ReturnType<typeof fetch>>();
  let back = 0;
  let same = 0;
  let joined = false;
  let first: string | undefined;
  let read = 0;
  let total = Infinity;
  const askAhead = (start: number, signal: AbortSignal) => {
    for (let k = 1; k <= Math.min(ahead, read - 1); k++) {
      const at = start + k * (largest - 1);
      if (at >= total || early.has(at)) continue;
      const page = fetch(at, signal, largest);
      // It is heard of when its turn comes, if ever.
      page.catch(() => {});
      early.set(at, page);
    }
  };
  return pages(0, async (start, signal) => {
    const limit = read < 2 ? size : largest;
    let offset = start;
    const coming = early.get(offset) ?? fetch(offset, signal, limit);
    early.delete(offset);
    if (read >= 2) {
      coming.catch(() => {});
      askAhead(offset, signal);
    }
    let page = await coming;
    while (joined && offset > 0 && (page.rows.length ? !known.has(id(page.rows[0]!)) : !page.more)) {
      if (++back > STEPS_BACK)
        throw new MailError('unavailable', 'The list kept changing while it was read; run again.');
      early.clear();
      page = await fetch((offset = Math.max(0, offset - limit + 1)), signal, limit);
    }
    read++;
    total = page.total ?? total;
    // A vendor that gives smaller pages than it was asked for is read page after page.
    if (page.more && page.rows.length < limit) {
      ahead = 0;
      early.clear();
    }
    const items = page.rows.filter(row => !known.has(id(row)) && known.add(id(row)));
    const top = page.rows.length ? id(page.rows[0]!) : undefined;
    same = !items.length && top === first ? same + 1 : 0;
    first = top;
    if (page.more && same >= SAME_PAGES) {
      throw new MailError(
        'protocol',
        top === undefined
          ? 'The pages are empty, though more rows are said to follow; the list cannot be read to its end.'
          : 'The same page comes whatever the offset, so the list cannot be read to its end.',
      );
    }
    joined = page.rows.length > 1;
    const step = page.rows.length ? Math.max(1, page.rows.length - 1) : limit;
    return { items, ...(page.more ? { next: offset + step } : {}) };
  });
}

/** The first `count` of a stream; the source is told to stop. */
export async function take<T>(source: AsyncIterable<T>, count = Infinity): Promise<T[]> {
  const taken: T[] = [];
  if (count <= 0) return taken;
  for await (const item of source) {
    taken.push(item);
    if (taken.length >= count) break;
  }
  return taken;
}

/** Each item of a stream, changed. */
export async function* map<A, B>(source: AsyncIterable<A>, change: (item: A) => B | Promise<B>): AsyncGenerator<B> {
  for await (const item of source) yield change(item);
}

/** True for what has to be read item by item, as every list is. */
export const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof (value as AsyncIterable<unknown> | null)?.[Symbol.asyncIterator] === 'function';
