import { isMailError, MailError } from '../errors.js';
import { redact, withoutSecrets } from '../secrets.js';
import { pause } from '../wait.js';
import { refreshTokens, SPACING, type OAuth2Options, type OAuth2Tokens } from './oauth2.js';

/**
 * Renewed this long before it ends, in milliseconds, so that a request under way does not outlive its token; at most a
 * tenth of its life.
 */
const MARGIN = 60_000;
/**
 * How often, and at what interval in milliseconds, a refused grant looks for the tokens that another process may be
 * storing just now.
 */
const LOOKS = 5;
const LOOK_EVERY = 100;

/** What a keeper of tokens needs besides: a place where they outlive the process. */
export interface TokenKeeperOptions extends OAuth2Options {
  /**
   * Names the account within this host: keepers of the same name renew one at a time. The keeper stands alone unless
   * given.
   */
  key?: string;
  /** What is stored now; asked before every use, because another process may have renewed. */
  load(): Promise<OAuth2Tokens | undefined>;
  /** Stores; resolves when the tokens would survive a crash. */
  save(tokens: OAuth2Tokens): Promise<void>;
}

/**
 * What keepers of one account share: the renewal under way, tokens that could not be stored yet, and when the vendor
 * may be asked again.
 */
interface Keeping {
  renewing?: Promise<OAuth2Tokens>;
  unsaved?: OAuth2Tokens;
  notBefore: number;
}
const kept = new Map<string, Keeping>();
function keepingOf(key: string | undefined): Keeping {
  const found = (key !== undefined && kept.get(key)) || { notBefore: 0 };
  if (key !== undefined) kept.set(key, found);
  return found;
}

/**
 * The token function for `ConnectOptions.token`. One renewal at a time per account; new tokens are stored before they
 * are used; before a renewal and after a refused one the store is asked again, and newer tokens of another process are
 * used instead. Tokens that could not be stored stay in memory and are stored at the next call. After a 429 the vendor
 * is not asked again before its time. Throws `unauthorized` ("sign in again") when there is no way on but consent,
 * `rate_limited` when it is too early.
 */
export function tokenKeeper(options: TokenKeeperOptions): (renew?: boolean, refused?: string) => Promise<string> {
  const keeper = new TokenKeeper(options);
  return (renew, refused) => keeper.token(renew, refused);
}

class TokenKeeper {
  private readonly state: Keeping;
  /** The token given out last. */
  private given: string | undefined;

  constructor(private readonly options: TokenKeeperOptions) {
    this.state = keepingOf(options.key);
  }

  async token(renew = false, refused?: string): Promise<string> {
    const bad = renew ? await this.refusedToken(refused) : undefined;
    let tokens = await this.current(bad);
    // Again: a renewal that was under way may end with the very token that was refused here.
    if (tokens.accessToken === bad) tokens = await this.current(bad);
    this.given = tokens.accessToken;
    return tokens.accessToken;
  }

  /** Who does not say which token was refused means the one given out last, or else the one stored now. */
  private async refusedToken(refused: string | undefined): Promise<string | undefined> {
    return refused ?? this.given ?? (await this.options.load())?.accessToken;
  }

  /** The stored tokens, or those of a renewal where they are not good. */
  private async current(bad: string | undefined): Promise<OAuth2Tokens> {
    const { state } = this;
    const stored = !state.renewing && !state.unsaved ? await this.stored() : undefined;
    if (stored && this.isGood(stored, bad)) return stored;
    state.renewing ??= this.renewed(bad).finally(() => {
      state.renewing = undefined;
    });
    return state.renewing.catch((error: unknown) => {
      if (stored && this.stillServes(stored, bad, error)) return stored;
      throw error;
    });
  }

  /** What only ends soon still serves while the vendor cannot, or will not yet, give another. */
  private stillServes({ accessToken, expiresAt = 0 }: OAuth2Tokens, bad: string | undefined, error: unknown): boolean {
    const isPassing = isMailError(error) && (error.code === 'rate_limited' || error.code === 'unavailable');
    return isPassing && !this.state.unsaved && Boolean(accessToken) && accessToken !== bad && this.now() < expiresAt;
  }

  /** Only ever one at a time, so that no older tokens are stored over newer ones. */
  private async renewed(bad: string | undefined): Promise<OAuth2Tokens> {
    const { state } = this;
    let from = state.unsaved ? await this.store(state.unsaved) : await this.stored();
    while (!this.isGood(from, bad)) {
      if (!from.refreshToken) throw this.signInAgain('the sign-in ended and cannot be renewed');
      this.checkSpacing();
      try {
        return await this.store(await refreshTokens({ ...this.options, refreshToken: from.refreshToken }));
      } catch (error) {
        from = await this.newerAfter(error, from);
      }
    }
    return from;
  }

  private checkSpacing(): void {
    const wait = this.state.notBefore - this.now();
    const { name } = this.options.provider;
    if (wait <= 0) return;
    throw new MailError('rate_limited', `${name} gives no new token yet.`, { provider: name, retryAfter: wait / 1000 });
  }

  /**
   * After a refused renewal: the tokens of another process that renewed before us. Throws the refusal where there are
   * none.
   */
  private async newerAfter(error: unknown, old: OAuth2Tokens): Promise<OAuth2Tokens> {
    const { state } = this;
    const code = isMailError(error) ? error.code : undefined;
    if (state.unsaved || !isMailError(error) || (code !== 'unauthorized' && code !== 'rate_limited')) throw error;
    if (code === 'rate_limited') state.notBefore = this.now() + (error.details.retryAfter ?? SPACING / 1000) * 1000;
    const newer = await this.newerThan(old);
    if (!newer) throw error;
    return newer;
  }

  /** What another process stores in these moments; undefined when nobody does. */
  private async newerThan(old: OAuth2Tokens): Promise<OAuth2Tokens | undefined> {
    for (let look = 1; ; look++) {
      const tokens = await this.options.load();
      if (tokens && differ(tokens, old)) return tokens;
      if (look >= LOOKS) return undefined;
      await pause(LOOK_EVERY, this.options.signal);
    }
  }

  private async stored(): Promise<OAuth2Tokens> {
    const tokens = await this.options.load();
    if (!tokens?.accessToken && !tokens?.refreshToken) throw this.signInAgain('there is no sign-in for this account');
    return tokens;
  }

  private async store(tokens: OAuth2Tokens): Promise<OAuth2Tokens> {
    this.state.unsaved = tokens;
    try {
      await this.options.save(tokens);
    } catch (error) {
      throw withoutSecrets(this.notStored(error), [tokens.accessToken, tokens.refreshToken ?? '']);
    }
    this.state.unsaved = undefined;
    return tokens;
  }

  private notStored(error: unknown): MailError {
    const { name } = this.options.provider;
    const why = error instanceof Error ? ` (${redact(error.message)})` : '';
    const message =
      `The new token of ${name} could not be stored${why}. ` + 'It is kept in memory and stored at the next try.';
    return new MailError('unavailable', message, { provider: name });
  }

  private signInAgain(why: string): MailError {
    return new MailError('unauthorized', `Sign in again: ${why}.`, { provider: this.options.provider.name });
  }

  private isGood({ accessToken, expiresAt, obtainedAt }: OAuth2Tokens, bad: string | undefined): boolean {
    if (!accessToken || accessToken === bad) return false;
    return expiresAt === undefined || this.now() < expiresAt - Math.min(MARGIN, (expiresAt - obtainedAt) / 10);
  }

  private now(): number {
    return (this.options.now ?? Date.now)();
  }
}

const differ = (a: OAuth2Tokens, b: OAuth2Tokens) =>
  a.accessToken !== b.accessToken || a.refreshToken !== b.refreshToken;
