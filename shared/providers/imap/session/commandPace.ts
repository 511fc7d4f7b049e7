import type { Context } from '../../../provider.js';
import { pause } from '../../../wait.js';
import { settingsOf } from '../account/fields.js';

/** Commands and messages of the last minute, by account and second. */
const counted = new Map<string, { second: number; times: number }[]>();

/** A second is counted whole, so a minute is that and sixty more. */
const MINUTE = 60;

/** Notes that the account asked its server for something, or handed a message over. */
export function count(ctx: Context, now = performance.now()): void {
  const { key } = settingsOf(ctx);
  const second = Math.floor(now / 1000);
  let seconds = counted.get(key);
  if (!seconds) {
    if (counted.size > 1000)
      for (const [old, [...all]] of counted) if ((all.at(-1)?.second ?? 0) < second - MINUTE) counted.delete(old);
    counted.set(key, (seconds = []));
  }
  while (seconds.length && seconds[0]!.second < second - MINUTE) seconds.shift();
  const last = seconds.at(-1);
  if (last?.second === second) last.times++;
  else seconds.push({ second, times: 1 });
}

/** How long the account has to wait before it may ask again, in milliseconds. */
export function waitOf(ctx: Context, now = performance.now()): number {
  const { perMinute } = ctx.account as { perMinute?: number };
  const since = Math.floor(now / 1000) - MINUTE;
  const seconds = (counted.get(settingsOf(ctx).key) ?? []).filter(({ second }) => second >= since);
  let left = seconds.reduce((sum, { times }) => sum + times, 0) - (perMinute ?? Infinity) + 1;
  for (const { second, times } of seconds) {
    if (left <= 0) return 0;
    if ((left -= times) <= 0) return (second + MINUTE + 1) * 1000 - now;
  }
  return 0;
}

/**
 * Waits until the account may ask again. What a task asks in one go is not held up in its middle: it counts for the
 * next one.
 */
export async function paced(ctx: Context): Promise<void> {
  for (let ms = waitOf(ctx); ms > 0; ms = waitOf(ctx)) await pause(ms, ctx.signal);
}
