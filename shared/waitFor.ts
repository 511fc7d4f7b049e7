import type { Client } from './client.js';
import { connect } from './connect.js';
import { invalidField, isMailError, MailError } from './errors.js';
import { codesIn, linksIn, type Link } from './links.js';
import { providerById } from './registry.js';
import type { Message } from './vocabulary.js';
import { pause } from './wait.js';

/**
 * Which message is waited for, and how long. Texts are found anywhere and in any case; all that is given has to be
 * right.
 */
export interface Wanted {
  /** In the address or name of a recipient (To or Cc), of the sender, in the subject, in the text. */
  to?: string | RegExp;
  from?: string | RegExp;
  subject?: string | RegExp;
  text?: string | RegExp;
  /** How long it may take, in milliseconds from the call, 1 to 3,600,000; 10,000 unless given. */
  within?: number;
  /**
   * Only what came from then on counts (to the second); unless given, what came up to 10 seconds before the call counts
   * as well.
   */
  since?: Date | string | number;
  /** Where it comes to; the inbox unless given. Only where the account has folders. */
  folder?: string;
}
/** A message that came, with the links and the codes that it tells. */
export interface Arrived extends Message {
  links: Link[];
  codes: string[];
}
/** Whose mail it is: a client, a mail server of `startMailServer`, or a provider's id with the values of an account. */
export type Whose = Client | { provider: string; account: Readonly<Record<string, unknown>> };

/** No such message came in time; `came` is what did, the latest 100. */
export class NotArrived extends MailError {
  override name = 'MailError';
  constructor(
    message: string,
    readonly came: readonly Message[],
  ) {
    super('not_found', message);
  }
}

const USUAL = 10_000;
const LONGEST = 3_600_000;
const LOOKS_BACK = 10_000;
const MOST = 100;
/** So often a provider is asked that does not tell of news by itself, in milliseconds. */
const POLL = 1_000;

/**
 * Waits for a message and resolves with it, its links and codes picked out. Rejects with `NotArrived`, which says what
 * came instead, when it did not come in time; with the account's own error where that cannot be read. Nothing is marked
 * as read.
 */
export async function waitFor(whose: Whose, wanted: Wanted): Promise<Arrived> {
  const { within = USUAL, since = Date.now() - LOOKS_BACK, folder } = wanted;
  const from = new Date(since);
  if (!(within > 0 && within <= LONGEST)) throw invalidField('within', `within is to be 1 to ${LONGEST} milliseconds.`);
  if (Number.isNaN(from.getTime())) throw invalidField('since', 'since is no date.');
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), within);
  try {
    const own = !('call' in whose);
    const client = own ? connect(providerById(whose.provider), whose.account, { signal: stop.signal }) : whose;
    return await arrived(client, wanted, from, stop.signal, own, folder === undefined ? {} : { folders: [folder] });
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
}

const FEED = 'messageReceived';
/** `own`: the client ends with the signal, so that it may be left to listen. */
async function arrived(
  client: Client,
  wanted: Wanted,
  from: Date,
  signal: AbortSignal,
  own: boolean,
  input: Record<string, unknown>,
): Promise<Arrived> {
  const came: Message[] = [];
  let ended: (() => void) | undefined;
  const over = new Promise<undefined>(resolve => {
    signal.addEventListener('abort', (ended = () => resolve(undefined)), { once: true });
  });
  const late = () => new NotArrived(saidOf(wanted, came), came);
  let news = true;
  let pushed = false;
  let wake: () => void = () => {};
  try {
    if (own) {
      void client
        .watch(FEED, input, told => {
          pushed = told;
          news = true;
          wake();
        })
        .catch(() => {
          pushed = false;
        });
    }
    let cursor = await Promise.race([client.from(FEED, input, from.toISOString()), over]);
    for (;;) {
      while (news && !signal.aborted) {
        news = false;
        const batch = await Promise.race([client.since(FEED, input, cursor), over]);
        if (!batch) break;
        for (const { item } of batch.items as { item: Message }[]) {
          // A feed that knows no times shows its latest few, whenever they came.
          if (cursor === undefined && !(Date.parse(item.date ?? '') >= from.getTime() - 1000)) continue;
          if (matches(wanted, item)) return { ...item, links: await linksIn(item), codes: codesIn(item) };
          came.push(item);
          if (came.length > MOST) came.shift();
        }
        cursor = batch.cursor;
        if (batch.more) news = true;
      }
      if (signal.aborted) throw late();
      const waited = new AbortController();
      const asksAgain = pushed
        ? []
        : [
            pause(POLL, waited.signal).then(
              () => {
                news = true;
              },
              () => {},
            ),
          ];
      await Promise.race([
        new Promise<void>(resolve => {
          wake = resolve;
        }),
        over,
        ...asksAgain,
      ]);
      waited.abort();
    }
  } catch (error) {
    // What the end of the waiting breaks off is no failure of the account.
    if (signal.aborted && !(error instanceof NotArrived) && (!isMailError(error) || error.code === 'unavailable'))
      throw late();
    throw error;
  } finally {
    if (ended) signal.removeEventListener('abort', ended);
  }
}

const has = (where: string, what: string | RegExp | undefined): boolean =>
  what === undefined ||
  (typeof what === 'string' ? where.toLowerCase().includes(what.toLowerCase()) : where.search(what) >= 0);
const people = (all: readonly ({ name?: string; email?: string } | undefined)[]): string =>
  all.map(one => `${one?.name ?? ''} <${one?.email ?? ''}>`).join('\n');
const matches = ({ to, from, subject, text }: Wanted, message: Message): boolean =>
  has(people([...(message.to ?? []), ...(message.cc ?? [])]), to) &&
  has(people([message.from]), from) &&
  has(message.subject ?? '', subject) &&
  has(message.text ?? '', text);

/** What was waited for, and what came instead, a line each. */
function saidOf({ to, from, subject, text, within = USUAL }: Wanted, came: readonly Message[]): string {
  const parts = (
    [
      ['to', to],
      ['from', from],
      ['with the subject', subject],
      ['with the text', text],
    ] as const
  ).flatMap(([word, what]) =>
    what === undefined ? [] : [`${word} ${typeof what === 'string' ? `“${what}”` : String(what)}`],
  );
  const asked = `No message${parts.length ? ` ${parts.join(', ')}` : ''} came within ${within < 1000 ? `${within} ms` : `${within / 1000} s`}.`;
  const shown = came
    .slice(-10)
    .map(
      one =>
        `  “${one.subject ?? ''}” to ${one.to.map(({ email }) => email).join(', ') || 'nobody'}${one.from ? ` from ${one.from.email}` : ''}`,
    );
  if (!shown.length) return `${asked} Nothing else came either.`;
  return `${asked} Instead ${came.length === 1 ? 'one message' : `${came.length} messages`} came:\n${shown.join('\n')}`;
}
