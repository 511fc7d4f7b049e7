import type { Context } from '../../../provider.js';
import { endpoint, settingsOf } from '../account/fields.js';
import { imapError, isLost, isRefused } from '../session/imapError.js';
import { fetchRows, mendRows } from '../wire/fetch.js';
import { isMisread, outline, type Outline } from '../mime/structure.js';
import type { FetchMessageObject, ImapFlow } from '../libraries.js';
import { fetchParts, fill, inPlace, readParts, SUMMARY, toMessage, uidSet, type ImapMessage } from './content.js';
import type { Place } from './id.js';

/*
 * Messages of one folder that are asked for at about the same time are read with the same commands: far away, each
 * command in its turn would cost a round trip. A group takes whoever comes until its turn on the connection is there.
 */

/** So many messages are read with the same commands at most; their texts are in memory together. */
const MOST = 50;

/** Reads one message on the connection, however it is made up. */
type ReadOne<T> = (client: ImapFlow, place: Place) => Promise<T>;
interface Member<T> {
  place: Place;
  over: boolean;
  resolve(read: T): void;
  reject(error: unknown): void;
}
interface Group<T> {
  members: Member<T>[];
  stop: AbortController;
}

const groups = new Map<string, Group<unknown>>();

/**
 * Reads a message together with others of its folder that are asked for now. `plain` makes the result of a message that
 * could be read so; every other one is left to `one`, singly, and so is a message that nobody else keeps company.
 * Throws what `one` throws.
 */
export async function readGrouped<T>(
  ctx: Context,
  place: Place,
  plain: (message: ImapMessage) => T,
  one: ReadOne<T>,
): Promise<T> {
  const key = JSON.stringify([settingsOf(ctx).key, place.folder, place.uidValidity]);
  const found = groups.get(key) as Group<T> | undefined;
  const group: Group<T> = found && found.members.length < MOST ? found : { members: [], stop: new AbortController() };
  ctx.signal?.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const { signal } = ctx;
    const member: Member<T> = {
      place,
      over: false,
      resolve: read => {
        member.over = true;
        signal?.removeEventListener('abort', stop);
        resolve(read);
      },
      reject: error => {
        member.over = true;
        signal?.removeEventListener('abort', stop);
        reject(error as Error);
      },
    };
    const stop = () => {
      member.reject(signal!.reason);
      // The commands go on as long as anyone waits for them.
      if (group.members.every(({ over }) => over)) group.stop.abort();
    };
    signal?.addEventListener('abort', stop, { once: true });
    group.members.push(member);
    if (group === found) return;
    groups.set(key, group as Group<unknown>);
    const close = () => {
      if (groups.get(key) === group) groups.delete(key);
    };
    inPlace({ ...ctx, signal: group.stop.signal }, place, client => {
      close();
      return serve(ctx, client, group.members, plain, one);
    }).catch((error: unknown) => {
      close();
      for (const left of group.members) if (!left.over) left.reject(error);
    });
  });
}

async function serve<T>(
  ctx: Context,
  client: ImapFlow,
  members: readonly Member<T>[],
  plain: (message: ImapMessage) => T,
  one: ReadOne<T>,
) {
  const waiting = () => members.filter(({ over }) => !over);
  if (waiting().length > 1) {
    const read = await readTogether(
      client,
      waiting().map(({ place }) => place),
    );
    for (const member of waiting()) {
      const message = read.get(member.place.uid);
      if (!message) continue;
      // Whoever asks for the same message gets one of his own.
      read.delete(member.place.uid);
      member.resolve(plain(message));
    }
  }
  const alone = members.length === 1;
  for (const member of waiting()) {
    if (member.over) continue;
    try {
      member.resolve(await one(client, member.place));
    } catch (error) {
      if (alone || isLost(client, error)) throw error;
      member.reject(imapError(error, endpoint(ctx, 'imap')));
    }
  }
}

/** Those that could be read in the plain way; what was refused or did not come is missing. */
async function readTogether(client: ImapFlow, places: readonly Place[]): Promise<Map<number, ImapMessage>> {
  const [first] = places;
  const byUid = new Map(places.map(place => [place.uid, place]));
  const rows = new Map<number, FetchMessageObject>();
  const done = new Map<number, ImapMessage>();
  try {
    const set = uidSet([...byUid.keys()].sort((a, b) => a - b));
    await fetchRows(client, set, SUMMARY, row => {
      if (row.size !== undefined && row.envelope) rows.set(row.uid, row);
    });
    await mendRows(client, rows.values());
    const open = new Map<number, { row: FetchMessageObject; shape: Outline; message: ImapMessage }>();
    for (const [uid, row] of rows) {
      const shape = outline(row.bodyStructure, row);
      if (shape && byUid.has(uid))
        open.set(uid, { row, shape, message: toMessage(row, first!.folder, first!.uidValidity, shape) });
    }
    await fetchParts(
      client,
      [...open].map(([uid, { shape }]) => ({ uid, parts: readParts(shape), header: true })),
      got => {
        const one = open.get(got.uid);
        if (!one || isMisread(one.row.bodyStructure, got.header ?? Buffer.alloc(0), one.row.size ?? 0)) return;
        fill(one.message, one.shape, got);
        done.set(got.uid, one.message);
      },
    );
  } catch (error) {
    // One that the server refuses must not cost the others theirs.
    if (!isRefused(error)) throw error;
  }
  return done;
}
