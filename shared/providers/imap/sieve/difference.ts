import type { Operation, Operations } from '../../../provider.js';
import type { Receipt } from '../../../vocabulary.js';
import { DATA } from './rules.js';

/**
 * The same table, whose changes can be previewed: their `run` keeps to `Context.preview` and gives the `difference` in
 * the answer's `native`.
 */
export function previewing<T extends Operations>(table: T): T {
  return Object.fromEntries(
    Object.entries(table).map(([name, one]: [string, Operation<any, unknown>]) => [
      name,
      one.effect === 'read'
        ? one
        : ({
            ...one,
            preview: async (ctx, input) => ({
              difference: ((await one.run({ ...ctx, preview: true }, input)) as Receipt).native.difference,
            }),
          } satisfies Operation<any, unknown>),
    ]),
  ) as T;
}

/** More lines than this on either side are told as taken out and put in, without looking for what they share. */
const MOST = 400;

/**
 * What changes between two scripts: lines taken out begin with `- `, lines put in with `+ `. The line that holds rules
 * as data is left out.
 */
export function difference(before: string, after: string): string[] {
  const [old, made] = [before, after].map(text =>
    text.split(/\r?\n/).filter(line => line !== '' && !line.includes(DATA)),
  ) as [string[], string[]];
  let from = 0;
  let end = 0;
  while (from < Math.min(old.length, made.length) && old[from] === made[from]) from++;
  while (end < Math.min(old.length, made.length) - from && old.at(-1 - end) === made.at(-1 - end)) end++;
  return changed(old.slice(from, old.length - end), made.slice(from, made.length - end));
}

function changed(old: readonly string[], made: readonly string[]): string[] {
  const shared = old.length > MOST || made.length > MOST ? undefined : lengths(old, made);
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < made.length) {
    if (shared && i < old.length && j < made.length && old[i] === made[j]) {
      i++;
      j++;
      continue;
    }
    if (i < old.length && (j === made.length || !shared || shared[i + 1]![j]! >= shared[i]![j + 1]!))
      out.push(`- ${old[i++]}`);
    else out.push(`+ ${made[j++]}`);
  }
  return out;
}

/** How many lines the ends of two texts share in their order, from each pair of lines on. */
function lengths(old: readonly string[], made: readonly string[]): number[][] {
  const table = Array.from({ length: old.length + 1 }, () => new Array<number>(made.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = made.length - 1; j >= 0; j--)
      table[i]![j] = old[i] === made[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
  }
  return table;
}
