import type { ImapFlow } from '../libraries.js';
import { roundTripOf } from '../session/pipeline.js';

/*
 * Some servers nearby stand still in every command: Cyrus and Courier write the end of an answer in small pieces, which
 * their system keeps back until we have acknowledged what came before (Nagle's algorithm, RFC 9293 section 3.7.4), and
 * ours delays that by some 40 ms (RFC 9293 section 3.8.6.3). A server that has the next command already goes on writing
 * and need not wait.
 */

/** Nothing for so long in the middle of a command, from a server that answers others at once. In milliseconds. */
const PAUSE = 30;
/** So many commands in a row must have had such a pause: a busy machine makes one now and then. */
const IN_A_ROW = 3;

/** How many commands in a row stood still on a connection. */
const stood = new WeakMap<ImapFlow, number>();

/** Whether the server of this connection stands still in each command. Once known, it holds for the connection. */
export const standsStill = (client: ImapFlow): boolean => (stood.get(client) ?? 0) >= IN_A_ROW;

/**
 * Measures the longest pause of one command: `beat` at each row, `end` when it is answered. The way to the server and
 * back is no pause of it.
 */
export function measurePauses(
  client: ImapFlow,
  now = () => performance.now(),
  away = roundTripOf(client),
): { beat(): void; end(): void } {
  let last = now() + away;
  let longest = 0;
  const beat = () => {
    const at = now();
    longest = Math.max(longest, at - last);
    last = at;
  };
  return {
    beat,
    end() {
      beat();
      if (!standsStill(client)) stood.set(client, longest >= PAUSE ? (stood.get(client) ?? 0) + 1 : 0);
    },
  };
}
