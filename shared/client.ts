import { located, MailError } from './errors.js';
import { hideWords, hiding, withoutSecrets, type Hide } from './secrets.js';
import type { Field, Fields, Given } from './fields.js';
import type { Batch, Context, Feed, Latest, Operation, Provider } from './provider.js';
import type { Send } from './http.js';
import { isStream } from './pages.js';
import { validate } from './validate.js';
import type { Vocabulary } from './vocabulary.js';

/** What a front end brings: the account, a sender, and a way to stop. */
export interface Host extends Pick<
  Context,
  'resolve' | 'token' | 'key' | 'observe' | 'wire' | 'patience' | 'discreet'
> {
  account: Record<string, unknown>;
  send: Send;
  signal?: AbortSignal;
  /** Values that must not stand in any error, whoever puts them there. */
  secrets?(): Iterable<string>;
}
type InputOf<T> = T extends { input: infer I extends Fields } ? Given<I> : never;
type ResultOf<T> = T extends { run(...given: never[]): infer R }
  ? R extends AsyncIterable<unknown>
    ? R
    : Promise<Awaited<R>>
  : never;
type ItemOf<T> = T extends { since(...given: never[]): Promise<Batch<infer I>> } ? I : unknown;

/** Calls an operation of a provider that is known only when the program runs. */
interface CallByName {
  <K extends keyof Vocabulary>(name: K, input: Record<string, unknown>): Vocabulary[K]['result'];
  (name: string, input: Record<string, unknown>): unknown;
}
/**
 * Calls an operation of one provider: its name, its input and its result are typed. The second way is for names that
 * are known only when the program runs; it takes no name that is written out, so that a misspelt one is refused. Taken
 * from a method, because only methods let such a client pass where any client is asked for.
 */
type Call<P extends Provider> = {
  call<N extends keyof P['operations'] & string>(
    name: N,
    input: InputOf<P['operations'][N]>,
  ): ResultOf<P['operations'][N]>;
  call<N extends string>(name: string extends N ? N : never, input: Record<string, unknown>): any;
}['call'];
type FeedName<P extends Provider> = keyof P['feeds'] & string;
type FeedInput<P extends Provider, N extends FeedName<P>> =
  string extends FeedName<P> ? Record<string, unknown> : InputOf<P['feeds'][N]>;

/**
 * One account at one provider. Where the provider is known when the program is written, names, inputs and results are
 * typed.
 */
export interface Client<P extends Provider = Provider> {
  readonly provider: P;
  supports(name: string): boolean;
  /**
   * Streams (`*.list`) are returned at once and fetch when read; everything else is a promise. Rejects with a
   * `MailError`.
   */
  call: string extends keyof P['operations'] ? CallByName : Call<P>;
  /**
   * What an operation would do, as far as only its provider can say; undefined where that says nothing. Reads, and
   * changes nothing.
   */
  preview(name: string, input: Record<string, unknown>): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** The next batch of a feed; see `Feed.since`. */
  since<N extends FeedName<P>>(feed: N, input: FeedInput<P, N>, cursor?: string): Promise<Batch<ItemOf<P['feeds'][N]>>>;
  /** The latest few of a feed, oldest first, and nothing to go on from; `most` is 1 to 100. See `Feed.latest`. */
  latest<N extends FeedName<P>>(feed: N, input: FeedInput<P, N>, most: number): Promise<Latest<ItemOf<P['feeds'][N]>>>;
  /** A cursor that begins at a time; undefined where the feed knows no times. See `Feed.from`. */
  from<N extends FeedName<P>>(feed: N, input: FeedInput<P, N>, at: string): Promise<string | undefined>;
  /** Follows a feed that is pushed; resolves at once where the provider has to be asked. See `Feed.watch`. */
  watch<N extends FeedName<P>>(feed: N, input: FeedInput<P, N>, changed: (pushed: boolean) => void): Promise<void>;
}

/**
 * Looks an operation up, checks the input, runs it. Unknown name: `unsupported`, before any request, naming the
 * providers that can (`others` is the list to name them from). Bad input: `invalid_input`, all problems at once.
 */
export function createClient(provider: Provider, host: Host, others: readonly Provider[] = []): Client {
  const calls = new Calls(provider, host, others);
  return {
    provider,
    supports: name => Object.hasOwn(provider.operations, name),
    call(name: string, input: Record<string, unknown>) {
      try {
        const result = calls.run(name, input);
        if (isStream(result)) return placedStream(result, error => calls.leaving(error, name, input));
        return Promise.resolve(result).catch(error => {
          throw calls.leaving(error, name, input);
        }) as never;
      } catch (error) {
        const failed = calls.leaving(error, name, input);
        // A list is refused when it is read, everything else as a rejected promise: callers need only one way to catch.
        return (name.endsWith('.list') ? refusedStream(failed) : Promise.reject(failed)) as never;
      }
    },
    preview: (name, input) => calls.preview(name, input),
    since: (name, input, cursor) =>
      calls.onFeed(name, input, (feed, ctx, values) => feed.since(ctx, values as never, cursor)),
    latest: (name, input, most) =>
      calls.onFeed(name, input, async (feed, ctx, values) => {
        if (feed.latest) return feed.latest(ctx, values as never, most);
        const { items, notes } = await feed.since(ctx, values as never, undefined);
        return { items: items.slice(-most), ...(notes ? { notes } : {}) };
      }),
    from: (name, input, at) =>
      calls.onFeed(name, input, async (feed, ctx, values) => {
        if (Number.isNaN(Date.parse(at))) {
          throw new MailError('invalid_input', `"${at}" is no date and time; give one such as 2026-11-21T09:00:00Z.`);
        }
        return feed.from?.(ctx, values as never, at);
      }),
    watch: (name, input, changed) =>
      calls.onFeed(name, input, async (feed, ctx, values) => feed.watch?.(ctx, values as never, changed)),
  };
}

/** Looks up, checks and runs what a client is asked for, and sees to its errors and secrets. */
class Calls {
  private readonly secrets: Host['secrets'];
  private readonly open: Omit<Host, 'secrets'>;
  /** What was hidden last, and by what: a function for it costs more than a use of it. */
  private hidden: readonly string[] = [];
  private hide: Hide = String;

  constructor(
    private readonly provider: Provider,
    { secrets, ...open }: Host,
    private readonly others: readonly Provider[],
  ) {
    this.secrets = secrets;
    this.open = open;
  }

  run(name: string, input: Record<string, unknown>): unknown {
    const operation = this.operation(name);
    return operation.run(this.context(name, input), validate(operation.input, input) as never);
  }

  async preview(name: string, input: Record<string, unknown>) {
    try {
      const operation = this.operation(name);
      return await operation.preview?.(this.context(name, input), validate(operation.input, input) as never);
    } catch (error) {
      throw this.leaving(error, name, input);
    }
  }

  async onFeed<T>(
    name: string,
    input: Record<string, unknown>,
    use: (feed: Feed, ctx: Context, values: Record<string, unknown>) => Promise<T>,
  ): Promise<T> {
    try {
      const feed = this.find(this.provider.feeds, name, 'feed') as Feed;
      return await use(feed, this.context(name, input), validate(feed.input, input));
    } catch (error) {
      throw this.leaving(error, name, input);
    }
  }

  /** The error as it leaves: it says where it happened and holds no secret of the account or of the input. */
  leaving(error: unknown, name: string, input: Record<string, unknown>) {
    return withoutSecrets(located(error, this.provider.name, name), this.secretsOf(name, input));
  }

  private context(operation: string, input: Record<string, unknown>): Context {
    return { ...this.open, provider: this.provider.name, operation, hide: this.hider(operation, input) };
  }

  /**
   * What is secret is asked for when there is something to hide: a token may have been renewed meanwhile. Connections
   * keep this function, so it keeps of the input the secrets alone.
   */
  private hider(name: string, input: Record<string, unknown>): Hide {
    const given = this.secretsOfInput(name, input);
    return text => {
      const now = [...(this.secrets?.() ?? []), ...given];
      if (now.length !== this.hidden.length || now.some((secret, i) => secret !== this.hidden[i])) {
        this.hidden = now;
        this.hide = hiding(now);
      }
      return hideWords(this.hide, text);
    };
  }

  private secretsOf(name: string, input: Record<string, unknown>): string[] {
    return [...(this.secrets?.() ?? []), ...this.secretsOfInput(name, input)];
  }

  private secretsOfInput(name: string, input: Record<string, unknown>): string[] {
    const { operations, feeds } = this.provider;
    const asked = (Object.hasOwn(operations, name) ? operations : feeds)[name] as { input?: Fields } | undefined;
    return secretsIn(asked?.input ?? {}, input);
  }

  private operation(name: string): Operation {
    return this.find(this.provider.operations as Readonly<Record<string, Operation>>, name, 'operation');
  }

  private find<T>(table: Readonly<Record<string, T>>, name: string, what: 'operation' | 'feed'): T {
    if (Object.hasOwn(table, name)) return table[name]!;
    const able = this.others.filter(other => Object.hasOwn(what === 'feed' ? other.feeds : other.operations, name));
    const elsewhere = able.length ? ` It exists at ${able.map(other => other.name).join(', ')}.` : '';
    throw new MailError('unsupported', `${this.provider.name} has no ${what} "${name}".${elsewhere}`, {
      provider: this.provider.name,
      operation: name,
    });
  }
}

async function* placedStream(source: AsyncIterable<unknown>, leaving: (error: unknown) => unknown) {
  try {
    yield* source;
  } catch (error) {
    throw leaving(error);
  }
}
// A stream that fails before its first item is still a stream.
async function* refusedStream(error: unknown): AsyncGenerator<never> {
  throw error;
}

/** The values of secret fields in an input, such as the password of a mailbox to be made. */
function secretsIn(fields: Fields, input: Record<string, unknown>): string[] {
  const isSecret = (field: Field): boolean =>
    field.type === 'text' ? field.secret === true : field.type === 'list' && isSecret(field.of);
  return Object.entries(fields)
    .filter(([, field]) => isSecret(field))
    .flatMap(([name]) => input[name])
    .flat()
    .filter(value => typeof value === 'string');
}
