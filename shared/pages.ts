/** One page of a list; `next` says where the following one begins and is absent on the last. */
export interface Page<T, N> { items: T[]; next?: N }

/**
 * Whatever a vendor counts by - page, offset, link - a list is a stream that fetches when read. Once half of a page has been handed on, the
 * next one is requested; a reader who stops gets no further request, and one under way is aborted through the signal given to `fetch`.
 */
export async function* pages<T, N>(start: N, fetch: (at: N, signal: AbortSignal) => Promise<Page<T, N>>): AsyncGenerator<T> {
  const stopped = new AbortController();
  let coming: Promise<Page<T, N>> | undefined = fetch(start, stopped.signal);
  try {
    while (coming) {
      const { items, next }: Page<T, N> = await coming;
      coming = undefined;
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

/** The first `count` of a stream; the source is told to stop. */
export async function take<T>(source: AsyncIterable<T>, count = Infinity): Promise<T[]> {
  const taken: T[] = [];
  if (count <= 0) return taken;
  for await (const item of source) { taken.push(item); if (taken.length >= count) break; }
  return taken;
}

/** Each item of a stream, changed. */
export async function* map<A, B>(source: AsyncIterable<A>, change: (item: A) => B | Promise<B>): AsyncGenerator<B> {
  for await (const item of source) yield change(item);
}
