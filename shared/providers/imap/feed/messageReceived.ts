import { isMailError } from '../../../errors.js';
import { feed, type Batch, type Context, type FeedItem } from '../../../provider.js';
import { watchFolders } from '../session/watchFolders.js';
import type { ImapMessage } from '../messages/content.js';
import { readCursor, type Cursor, type FolderState } from './cursor.js';
import { baseline } from './firstLook.js';
import { foldersOf, OF_ONE } from './folders.js';
import { input, withTexts, type Input } from './input.js';
import { latest } from './latest.js';
import { look } from './look.js';

/** Tells of each message that arrives in the folders. */
export const messageReceived = feed({
  summary: 'A message arrived in a folder',
  input,
  since: (ctx, values, cursor) => since(ctx, withTexts(values), cursor),
  latest: (ctx, values, most) => latest(ctx, withTexts(values), most),
  from: (ctx, values, at) => beginAt(ctx, values, Date.parse(at)),
  watch: (ctx, values, changed) => watchFolders(ctx, foldersOf(values), changed),
});

async function since(ctx: Context, values: Input, cursor: string | undefined): Promise<Batch<ImapMessage>> {
  const before = cursor === undefined ? undefined : readCursor(cursor);
  const folders = foldersOf(values);
  const states: Record<string, FolderState> = {};
  for (const folder of folders) if (before?.folders[folder]) states[folder] = before.folders[folder];
  const items: FeedItem<ImapMessage>[] = [];
  const notes: string[] = [];
  let more = false;
  let worked = 0;
  let failed: unknown;
  for (const folder of folders) {
    if (more) break;
    try {
      const known = states[folder];
      if (!known) {
        const first = await baseline(ctx, folder, values, cursor === undefined && items.length < 5);
        states[folder] = first.state;
        items.push(...first.items);
        if (cursor !== undefined && !first.behind)
          notes.push(`The folder "${folder}" is new here; its messages count from now on.`);
        if (first.behind) more = true;
      } else {
        const looked = await look(ctx, folder, values, known);
        states[folder] = looked.state;
        items.push(...looked.items);
        notes.push(...looked.notes);
        if (looked.more) more = true;
      }
      worked++;
    } catch (error) {
      // One folder that was deleted, or may not be read any more, must not silence the others.
      if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
      failed ??= error;
      notes.push(`The folder "${folder}" cannot be read: ${error.message}`);
    }
  }
  if (!worked && failed) throw failed;
  return {
    items,
    cursor: JSON.stringify({ v: 1, folders: states } satisfies Cursor),
    more,
    ...(notes.length ? { notes } : {}),
  };
}

/**
 * A cursor that begins at a time: INTERNALDATE, which counts in whole seconds. Folders that do not exist yet count from
 * when they do.
 */
async function beginAt(ctx: Context, values: Input, at: number): Promise<string> {
  const states: Record<string, FolderState> = {};
  let missing: unknown;
  for (const folder of foldersOf(values)) {
    try {
      states[folder] = (await baseline(ctx, folder, values, false, Math.floor(at / 1000) * 1000)).state;
    } catch (error) {
      if (!isMailError(error) || !OF_ONE.has(error.code)) throw error;
      missing ??= error;
    }
  }
  if (missing && !Object.keys(states).length) throw missing;
  return JSON.stringify({ v: 1, folders: states } satisfies Cursor);
}
