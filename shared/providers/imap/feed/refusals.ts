import type { Context } from '../../../provider.js';
import { endpoint } from '../account/fields.js';
import { imapError, isRefused, wordsOf } from '../session/imapError.js';
import type { Track } from './track.js';

/**
 * So often all messages asked for are refused for the moment before the first of them is put off, so that it holds up
 * the others no longer.
 */
const PATIENCE = 8;

/** Passes for a refusal of what was asked; throws whatever is wrong with the connection. */
export function onlyRefusal(error: unknown) {
  if (!isRefused(error)) throw error;
}

/**
 * True for a refusal that says more about the server's state than about what was asked: it may be another one tomorrow.
 */
function mayPass(ctx: Context, error: unknown): boolean {
  const { code } = imapError(error, endpoint(ctx, 'imap'));
  return code === 'rate_limited' || code === 'unavailable';
}

/** How often nothing but such refusals came, by the first message asked for. */
const impatience = new Map<string, number>();
function isPatient(name: string): boolean {
  const times = (impatience.get(name) ?? 0) + 1;
  impatience.delete(name);
  if (times >= PATIENCE) return false;
  impatience.set(name, times);
  if (impatience.size > 1000) impatience.delete(impatience.keys().next().value!);
  return true;
}

/**
 * Everything at once; when the server refuses that, one by one, so that a single bad message is found and the others
 * come: `never` hears of those refused for good, and those that may come later are noted. Where that is said of all, it
 * is the server: the refusal is thrown, but not for ever, because the only message asked for may be the bad one.
 */
export async function alone(
  ctx: Context,
  name: string,
  track: Track,
  uids: readonly number[],
  has: (uid: number) => boolean,
  all: () => Promise<void>,
  single: (uid: number) => Promise<void>,
  never: (uid: number, said: string) => void | Promise<void>,
): Promise<void> {
  try {
    return await all();
  } catch (error) {
    onlyRefusal(error);
  }
  const fresh: number[] = [];
  let refusal: unknown;
  for (const uid of uids) {
    if (has(uid)) continue;
    try {
      await single(uid);
    } catch (error) {
      onlyRefusal(error);
      if (!mayPass(ctx, error)) {
        await never(uid, wordsOf(error, ctx.hide));
        continue;
      }
      track.later.set(uid, wordsOf(error, ctx.hide));
      if (track.gaps.has(uid)) continue;
      refusal = error;
      fresh.push(uid);
      if (fresh.length >= 3 && !uids.some(has)) break;
    }
  }
  const [first] = fresh;
  if (first === undefined || uids.some(has)) return;
  if (isPatient(`${name}/${first}`)) throw refusal;
  track.end = first;
}
