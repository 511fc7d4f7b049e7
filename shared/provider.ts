import type { Fields, Values } from './fields.js';
import type { Exchange, HttpRequest, Send } from './exchange.js';
import type { Hide } from './secrets.js';
import type { Vocabulary } from './vocabulary.js';

/** What an operation may touch. `account` holds secrets only for providers that log in themselves (no `sign`). */
export interface Context {
  account: Readonly<Record<string, unknown>>;
  send: Send;
  signal?: AbortSignal;
  /** Told of every exchange, and of every wait before another try. */
  observe?: (seen: Exchange) => void;
  /** Whoever observes may look at what goes and comes: see `Exchange.wire`. Nothing is kept for it otherwise. */
  wire?: boolean;
  /**
   * How long the vendor may throttle the whole account, in seconds, letting nothing through, before a request that it
   * refused so fails; until then it is sent again, since it was not done. With 0 a read is tried twice more, a write is
   * not.
   */
  patience?: number;
  /**
   * Hides the secrets of the account and of the input in a text that came from outside, before anything is cut from it
   * or made of it.
   */
  hide?: Hide;
  /**
   * Whoever asks may not be told what a server says that is no mail server, such as the banner of a service inside a
   * network: an account may name any address.
   */
  discreet?: boolean;
  /**
   * Nothing may be changed: `run` looks, checks, and gives what it would change. Set by an operation's own `preview`
   * alone.
   */
  preview?: true;
  /** Who and what is running, for error messages. */
  provider: string;
  operation: string;
  /** Tells sign-ins apart that look the same from here; what one of them opened is not lent to another. */
  key?: string;
  /**
   * For providers that open sockets: the address to connect to for a host name, after the host's own checks (n8n's
   * egress filter).
   */
  resolve?: (host: string) => Promise<string>;
  /**
   * For providers that log in with OAuth 2 themselves (XOAUTH2): the access token now. `renew` asks for a new one after
   * a refusal; `refused` is the token that was refused, so that a newer one obtained meanwhile is not thrown away.
   */
  token?: (renew?: boolean, refused?: string) => Promise<string>;
}

/** One thing a provider can do. */
export interface Operation<I extends Fields = Fields, R = unknown> {
  summary: string; // "Restore a mailbox scheduled for deletion"
  effect: 'read' | 'write' | 'destroy'; // destroy asks first; only reads are retried
  input: I;
  /** The vendor's page, or the RFC section, that this follows. */
  docs: string;
  /** Its answer is the same with and without the vendor's part: it has none beside its own names, or nothing else. */
  plain?: true;
  /**
   * What must be known before it runs although it destroys nothing: it replaces something, or shows something only
   * once. A sentence.
   */
  consequence?: string;
  /** What is not certain about the vendor here, in a sentence for the reference page. */
  doubt?: string;
  /** The operations of the customer's order that this fulfils, in the order's own words. */
  orders?: readonly string[];
  run(ctx: Context, input: Values<I>): R;
  /**
   * For a dry run: what is only found out by reading, such as whom an answer would go to. Rejects where `run` would.
   */
  preview?(ctx: Context, input: Values<I>): Promise<Readonly<Record<string, unknown>>>;
}
/** Infers the input type of an operation from its fields. */
export const operation = <const I extends Fields, R>(op: Operation<I, R>) => op;

/**
 * Common names must take the common targets and give the common result; every `*.list` streams; the rest is the
 * vendor's.
 */
export type Operations = {
  [K in keyof Vocabulary]?: { input: Record<Vocabulary[K]['target'], unknown> } & Operation<
    any,
    Vocabulary[K]['result']
  >;
} & { readonly [list: `${string}.list`]: Operation<any, AsyncIterable<unknown>> } & {
  readonly [name: string]: Operation<any, unknown>;
};

/**
 * The cursor is the provider's own text; everyone else stores it and hands it back. `id` names an item for good, `item`
 * is what users get. `problem` says that the item could not be read and why: it is shown to the user as a failure, and
 * the rest flows on.
 */
export interface FeedItem<T = unknown> {
  id: string;
  item: T;
  problem?: string;
}
export interface Batch<T = unknown> {
  items: FeedItem<T>[];
  cursor: string;
  more: boolean;
  /**
   * What happened to no item in particular, in sentences for a log: a folder was created anew, a message vanished
   * before it could be read.
   */
  notes?: string[];
}

/** What a test shows of a feed. */
export type Latest<T = unknown> = Pick<Batch<T>, 'items' | 'notes'>;

/** A way to notice news. */
export interface Feed<I extends Fields = Fields, T = unknown> {
  summary: string;
  input: I;
  /**
   * What came after `cursor`, oldest first. No cursor: the latest few (not to be executed, only shown), and where to
   * continue.
   */
  since(ctx: Context, input: Values<I>, cursor: string | undefined): Promise<Batch<T>>;
  /**
   * The latest `most` (1 to 100) that pass the filters, oldest first, for a test: nothing goes on from there. Absent
   * where the first batch of `since` tells as much.
   */
  latest?(ctx: Context, input: Values<I>, most: number): Promise<Latest<T>>;
  /** A cursor that begins at a time (ISO 8601), for "start from a date". Absent where the vendor knows no times. */
  from?(ctx: Context, input: Values<I>, at: string): string | Promise<string>;
  /**
   * Only where the vendor pushes (IMAP IDLE): calls `changed` when `since` is worth asking, the first time as soon as
   * it listens; resolves when `ctx.signal` aborts. `pushed` says whether news is told at once now, or has to be asked
   * for in between after all.
   */
  watch?(ctx: Context, input: Values<I>, changed: (pushed: boolean) => void): Promise<void>;
}
/** Infers the input type of a feed from its fields. */
export const feed = <const I extends Fields, T>(f: Feed<I, T>) => f;

/** How an account is described and how its requests are signed. */
export interface Auth<F extends Fields = Fields> {
  fields: F; // base address, customer number, keys: everything an account needs
  /** Puts the proof of identity on a finished request. Runs in the sender, so operations never see a secret. */
  sign?(request: HttpRequest, account: Values<F>, clock?: Clock): HttpRequest | Promise<HttpRequest>;
  /** Authorization code grant (RFC 6749 section 4.1); addresses may hang on the account's base address. */
  oauth2?: {
    authorizeUrl(account: Values<F>): string;
    tokenUrl(account: Values<F>): string;
    scopes: readonly string[];
  };
  /**
   * For providers that log in themselves and may use OAuth 2 instead of a password: the field and value that say so,
   * and the well-known grants by the value of another field. An account without one of these brings its own addresses.
   */
  oauth2Choice?: {
    field: string;
    value: string;
    by: string;
    grants: Readonly<
      Record<string, { authorizeUrl: string; tokenUrl: string; scopes: readonly string[]; parameters?: string }>
    >;
  };
}
/** Fixed time (milliseconds since 1970) and nonce, for tests of signatures. */
export interface Clock {
  now: number;
  nonce: string;
}
export const auth = <const F extends Fields>(a: Auth<F>) => a;

/** How fast an account may go: requests under way at once, and requests started in any minute. */
export interface Pace {
  concurrent: number;
  perMinute: number;
}

/** A mail provider: a table of operations, and what an account needs. What is not in the table is not supported. */
export interface Provider {
  id: string;
  name: string;
  docs: string;
  /** A sentence users must read before they start, such as the end of a service. */
  notice?: string;
  auth: Auth<any>;
  pace: Pace;
  operations: Operations;
  feeds: Readonly<Record<string, Feed<any, unknown>>>;
}
