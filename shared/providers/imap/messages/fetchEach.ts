import { MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import type { FetchQueryObject, ImapFlow } from '../libraries.js';
import { isLost, isRefused, wordsOf } from '../session/imapError.js';
import { withFolder } from '../session/openFolder.js';
import { fetchRows, type Row } from '../wire/fetch.js';
import { uidSet } from './content.js';
import { validityOf } from './id.js';

/**
 * So often a connection may break during one call before the messages that are left are given up; each costs a login.
 */
const MOST_LOSSES = 8;
/** A message is set aside when the connection broke so often while it was fetched alone. */
const STRIKES = 2;
/** Where so many messages are refused and none was given, it is the server that refuses, not the messages. */
const ALL_REFUSED = 3;
/** Not one byte for this long during a command: the connection is dead. In milliseconds. */
const SILENCE = 30_000;

/** Why a command brought nothing: the server refused it, or the connection ended. */
export interface Failure {
  lost: boolean;
  error: unknown;
}

/**
 * Why one message cannot be had; where the connection was lost, asking for less of it costs another login and helps as
 * little.
 */
export interface Problem {
  why: string;
  lost: boolean;
}

/** Runs a command; a refusal and the end of the connection are given back, everything else is thrown. */
export async function attempt(client: ImapFlow, run: () => Promise<void>): Promise<Failure | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (isRefused(error)) return { lost: false, error };
    if (isLost(client, error)) return { lost: true, error };
    throw error;
  }
}

/**
 * Fetches what can be had of many messages, each row once, and says of the others why they cannot be had. A message
 * that the server refuses to give, or at which it closes the connection, is found by asking for fewer at a time, and
 * holds up no other. `after` is what became of asking for all at once. Throws where the server refuses every message.
 */
export async function fetchEach(
  ctx: Context,
  { folder, uidValidity }: { folder: string; uidValidity: string },
  uids: readonly number[],
  query: FetchQueryObject,
  each: (row: Row) => void,
  after?: Failure,
): Promise<Map<number, Problem>> {
  const left = new Set([...uids].sort((a, b) => a - b));
  const problems = new Map<number, Problem>();
  const fewer = ({ lost }: Failure, count: number) => (lost ? 1 : Math.ceil(count / 4));
  let count = after ? fewer(after, uids.length) : uids.length;
  let losses = after?.lost ? 1 : 0;
  let strikes = 0;
  let given = 0;
  while (left.size) {
    const part = [...left].slice(0, count);
    const failure = await withFolder(
      ctx,
      folder,
      (client, mailbox) => {
        if (validityOf(mailbox) !== uidValidity)
          throw new MailError('conflict', `The folder "${folder}" was created anew while it was read.`);
        return attempt(client, () =>
          fetchRows(client, uidSet(part), query, row => {
            left.delete(row.uid);
            given++;
            each(row);
          }),
        );
      },
      { reads: true, silence: SILENCE },
    );
    const [only] = part;
    if (!failure) {
      for (const uid of part) left.delete(uid);
      [count, strikes] = [count * 4, 0];
      continue;
    }
    count = fewer(failure, part.length);
    if (failure.lost && ++losses > MOST_LOSSES) {
      for (const uid of left)
        problems.set(uid, {
          lost: true,
          why: 'The connection broke too often while this message and others were fetched.',
        });
      break;
    }
    if (part.length > 1 || (failure.lost && ++strikes < STRIKES)) continue;
    left.delete(only!);
    strikes = 0;
    const said = wordsOf(failure.error, ctx.hide);
    problems.set(
      only!,
      failure.lost
        ? {
            lost: true,
            why: `The server cannot deliver this message: the connection broke whenever it was fetched (${said}).`,
          }
        : { lost: false, why: `The server refuses to tell what this message is: ${said}.` },
    );
    if (!failure.lost && !given && problems.size >= ALL_REFUSED && left.size) {
      await withFolder(ctx, folder, () => {
        throw failure.error;
      });
    }
  }
  return problems;
}
