import { isMailError, MailError } from '../../errors.js';
import { watermark, watermarkAt, watermarkFrom } from '../../cursor.js';
import { flag, list, text } from '../../fields.js';
import { query } from '../../url.js';
import { map, take } from '../../pages.js';
import { feed, type Batch, type Context } from '../../provider.js';
import { idOf, type Message, type Native } from '../../vocabulary.js';
import { api, inMailbox, inTenant, moment, objects, tenant, words } from './api.js';
import { toFolder } from './conversation.js';
import { rowId, toMessage } from './message.js';

/**
 * How late a message may show up after its date, compared with the newest one of the same mailbox, in milliseconds. A
 * message has the date its sender or provider gave it and appears with a later synchronisation; greylisting and queues
 * hold mail back for hours, so a day.
 */
const OVERLAP = 24 * 60 * 60 * 1000;
/** How many are shown where there is no cursor yet. */
const LATEST = 5;

type Where = { tenant?: string; mailbox?: string[] };
/** One watermark for each email configuration, by its code; `from` is the one of those that have none yet. */
interface Cursor {
  v: 1;
  boxes: Record<string, string>;
  from?: string;
}

export const messageReceived = feed({
  summary: 'A message was received',
  input: {
    tenant,
    mailbox: list('Mailboxes', text('Mailbox', { ref: 'mailbox' }), {
      help: 'Only these email configurations. Left empty, all that may be read are watched.',
    }),
    syncFirst: flag('Sync First', {
      help: 'Whether to ask the provider to synchronise the mailboxes before each look; what that brings is seen at the next one.',
    }),
  },
  /**
   * Each configuration has a watermark of its own: while one is cut off (an expired authorisation is common) the others
   * go on, and what it missed is older than their newest mail when it comes at last. A configuration that is new starts
   * where the others are.
   */
  async since(ctx, input, cursor): Promise<Batch<Message>> {
    const before = cursor === undefined ? undefined : read(cursor);
    const named = (input.mailbox ?? []).length > 0;
    const codes = named ? [...new Set(input.mailbox)] : await readable(ctx, input);
    if (input.syncFirst)
      await Promise.all(
        codes.map(code =>
          tolerated(named, () => api(ctx).act('POST', `${inMailbox(ctx, { ...input, mailbox: code })}/sync`)),
        ),
      );
    const received = receipts(ctx, input, codes);
    const top = highest(before?.boxes ?? {});
    const start = top === undefined ? before?.from : joining(top);
    const boxes: Record<string, string> = { ...before?.boxes };
    const found: { code: string; row: Native }[] = [];
    let more = false;
    await Promise.all(
      codes.map(async code => {
        const look = await tolerated(named, () =>
          watermark<Native>({
            cursor: before && (before.boxes[code] ?? start),
            overlapMs: OVERLAP,
            latest: LATEST,
            id: row => idOf(row, 'uniqueId'),
            at: dateOf,
            newest: () =>
              only(
                api(ctx).list(
                  `${inTenant(ctx, input)}/mailbox/messages`,
                  { configCode: code, direction: 'Inbound', sortBy: 'MessageDate', sortDesc: true },
                  rowId,
                ),
                received,
              ),
          }),
        );
        if (!look) return;
        boxes[code] = look.cursor;
        more ||= look.more;
        found.push(...look.items.map(({ item }) => ({ code, row: item })));
      }),
    );
    if (!before) {
      // A mailbox that was empty at the first look starts where the others are as well: its history may still be on its
      // way in.
      const newest = highest(boxes);
      if (newest !== undefined)
        for (const [code, box] of Object.entries(boxes))
          if (watermarkAt(box) === undefined) boxes[code] = joining(newest);
    }
    found.sort((a, b) => dateOf(a.row) - dateOf(b.row) || (idOf(a.row, 'uniqueId') < idOf(b.row, 'uniqueId') ? -1 : 1));
    const items = (before ? found : found.slice(-LATEST))
      .map(({ code, row }) => toMessage(row, code))
      .map(item => ({ id: item.id, item }));
    return {
      items,
      cursor: JSON.stringify({ v: 1, boxes, ...(before?.from ? { from: before.from } : {}) } satisfies Cursor),
      more,
    };
  },
  from: (_ctx, _input, at) => JSON.stringify({ v: 1, boxes: {}, from: watermarkFrom(at, OVERLAP) } satisfies Cursor),
});

const dateOf = (row: Native): number => Date.parse(moment(row.messageDate) ?? '');
const highest = (boxes: Readonly<Record<string, string>>): number | undefined =>
  Object.values(boxes)
    .map(watermarkAt)
    .reduce((high, at) => (at !== undefined && (high === undefined || at > high) ? at : high), undefined);
/** The watermark of a configuration that joins others which have come that far. */
const joining = (top: number) => watermarkFrom(new Date(top - OVERLAP).toISOString(), OVERLAP);

function read(cursor: string): Cursor {
  try {
    const parsed = JSON.parse(cursor) as Cursor;
    if (
      parsed?.v === 1 &&
      typeof parsed.boxes === 'object' &&
      parsed.boxes !== null &&
      [parsed.from ?? '', ...Object.values(parsed.boxes)].every(box => typeof box === 'string')
    )
      return parsed;
  } catch {
    /* said below */
  }
  throw new MailError('invalid_input', 'This cursor was not made by this feed; start again without a cursor.');
}

/** The codes of all configurations whose mail may be read. */
const readable = async (ctx: Context, input: Where): Promise<string[]> =>
  (await take(api(ctx).list(`${inTenant(ctx, input)}/email-configs`, {}, row => idOf(row, 'code'))))
    .filter(row => row.readEnabled === true)
    .map(row => idOf(row, 'code'));

/**
 * A configuration that was not asked for by name may refuse (deleted meanwhile, not yet connected): its watermark
 * stays, so nothing is lost.
 */
async function tolerated<T>(named: boolean, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (named || !isMailError(error) || (error.code !== 'rejected' && error.code !== 'not_found')) throw error;
    return undefined;
  }
}

/** Rows without a readable date are drafts at best: what was received has one. */
async function* only(rows: AsyncIterable<Native>, received: (row: Native) => Promise<boolean>): AsyncGenerator<Native> {
  for await (const row of rows) if (!Number.isNaN(dateOf(row)) && (await received(row))) yield row;
}

/**
 * Tells received mail from sent. Earlier documents say so in `direction`; later ones only name the folders of a row,
 * and which of them hold sent mail is asked once, when the first such row comes.
 */
function receipts(ctx: Context, input: Where, codes: readonly string[]): (row: Native) => Promise<boolean> {
  let kinds: Promise<Map<string, string | undefined>> | undefined;
  const load = async () => {
    try {
      const folders = await take(
        map(
          api(ctx).whole(
            `${inTenant(ctx, input)}/mailbox/folders${query({ configCode: codes, systemFoldersOnly: true })}`,
          ),
          toFolder,
        ),
      );
      return new Map(folders.map(folder => [folder.id, folder.kind]));
    } catch (error) {
      if (isMailError(error) && error.code === 'not_found') return new Map<string, string>();
      throw error;
    }
  };
  return async row => {
    if (words(row.direction)) return row.direction !== 'Outbound';
    const folders = objects(row.folders);
    if (!folders.length) return true;
    const known = await (kinds ??= load());
    const of = folders.map(folder => known.get(String(folder.code)) ?? kindByName(words(folder.name) ?? ''));
    // Mail to oneself carries both labels at Gmail; it was received.
    return of.includes('Inbox') || !of.some(kind => kind === 'Sent' || kind === 'Drafts' || kind === 'Outbox');
  };
}

/** The usual names, for servers that list no folders. */
const kindByName = (name: string): string | undefined => {
  const found = /^(?:\[g(?:oogle )?mail\]\/)?(inbox|sent|drafts|outbox)\b/i.exec(name)?.[1]?.toLowerCase();
  return found && found.charAt(0).toUpperCase() + found.slice(1);
};
