import { watermark, watermarkFrom } from '../../cursor.js';
import { isMailError, MailError } from '../../errors.js';
import { onWire } from '../../fields.js';
import { path } from '../../url.js';
import { feed, type Context, type FeedItem } from '../../provider.js';
import type { Message, Native } from '../../vocabulary.js';
import { api } from './api.js';
import { includes, mailbox } from './fields.js';
import { filters, messageId, readMessage, toMessage } from './message.js';

/**
 * How long after its indexing time a message may become visible. The server stamps a message when it takes it up and
 * several workers write at once, each with a clock of its own; a batch of an import is shown when all of it is written.
 * Minutes are generous, and cost only names.
 */
const OVERLAP = 300_000;
const PAGE = 100;

const narrow = {
  folder: filters.folder,
  source: filters.source,
  from: filters.from,
  to: filters.to,
  subject: filters.subject,
  file_name: filters.file_name,
  date_after: {
    ...filters.date_after,
    help: 'By the Date header: leaves out the old mail that the first import of a source brings.',
  },
};
const wanted = {
  include_body: includes.include_body,
  body_type: includes.body_type,
  include_flags: includes.include_flags,
};
const input = { mailbox, ...narrow, ...wanted };

/** Milliseconds since 1970. Throws `protocol` where the index gives no time: nothing else says what is new. */
function indexedAt(message: Message): number {
  const at = Number(message.native.date_indexed ?? NaN);
  if (Number.isFinite(at)) return at * 1000;
  throw new MailError(
    'protocol',
    'The server does not say when it indexed a message (date_indexed), so news cannot be told from what is known.',
  );
}

/**
 * Everything indexed after a time, in any order: the vendor sorts by another date. Each page begins with the last
 * message of the one before; where that is missing, something was deleted while we read and the rest moved up, so the
 * reading starts again.
 */
async function indexedAfter(
  ctx: Context,
  address: string,
  values: Record<string, unknown>,
  after: number,
): Promise<Map<string, Native>> {
  // One second earlier, because it is not documented whether the filter takes the second itself.
  const indexed_after = after > 1000 ? Math.floor(after / 1000) - 1 : undefined;
  for (let tries = 0; tries < 5; tries++) {
    const found = new Map<string, Native>();
    let last: string | undefined;
    for (let offset = 0; ;) {
      const items = (await api(ctx).list(address, { ...values, indexed_after, limit: PAGE, offset })) as Native[];
      if (last !== undefined && !items.some(item => messageId(item) === last)) break;
      const before = found.size;
      for (const item of items) found.set(messageId(item), item);
      // A server that does not page sends all of them each time; one that heeds the limit and not the offset hides what
      // lies behind.
      if (items.length < PAGE || (items.length > PAGE && found.size === before)) return found;
      if (found.size === before)
        throw new MailError(
          'protocol',
          'The same page comes whatever the offset, so the news cannot be read to its end.',
        );
      last = messageId(items.at(-1)!);
      offset += PAGE - 1;
    }
  }
  throw new MailError('unavailable', 'Messages kept disappearing while the news was read; it will be read again.');
}

/**
 * The news, newest first by the time of indexing. Without a floor: the latest, and all that was indexed about that
 * time.
 */
async function* newest(
  ctx: Context,
  account: string,
  values: Record<string, unknown>,
  floor: number | undefined,
): AsyncGenerator<Message> {
  const address = path`/accounts/${account}/messages`;
  const known = new Map<string, Native>();
  let from = floor;
  if (from === undefined) {
    for (const item of (await api(ctx).list(address, { ...values, limit: PAGE, offset: 0 })) as Native[])
      known.set(messageId(item), item);
    if (known.size === 0) return;
    from = Math.max(...[...known.values()].map(item => indexedAt(toMessage(item, account)))) - OVERLAP;
  }
  for (const [id, item] of await indexedAfter(ctx, address, values, from)) known.set(id, item);
  yield* [...known.values()].map(item => toMessage(item, account)).sort((a, b) => indexedAt(b) - indexedAt(a));
}

export const messageReceived = feed({
  summary: 'A message arrived in an account',
  input,
  from: (_ctx, _input, at) => watermarkFrom(at, OVERLAP),
  async since(ctx, { mailbox: account, ...rest }, cursor) {
    const includes = onWire(wanted, rest);
    const detailed = Object.keys(includes).length > 0;
    const batch = await watermark({
      cursor,
      overlapMs: OVERLAP,
      most: detailed ? PAGE : 500,
      // A cursor without a time was made when there was no mail at all: then everything is news.
      newest: floor => newest(ctx, account, onWire(narrow, rest), floor ?? (cursor === undefined ? undefined : 0)),
      id: message => message.id,
      at: indexedAt,
    });
    // Bodies and flags are fetched from the mail server, so they are asked for what is new and not for all that is
    // looked through.
    return detailed
      ? { ...batch, items: await Promise.all(batch.items.map(item => inDetail(ctx, account, item, includes))) }
      : batch;
  },
});

async function inDetail(
  ctx: Context,
  account: string,
  { id, item }: FeedItem<Message>,
  values: Record<string, unknown>,
): Promise<FeedItem<Message>> {
  try {
    return {
      id,
      item: await readMessage(await api(ctx).get(path`/accounts/${account}/messages/${id}`, values), account),
    };
  } catch (error) {
    if (isMailError(error) && error.code === 'not_found')
      return { id, item, problem: 'The message was deleted before it could be read.' };
    throw error;
  }
}
