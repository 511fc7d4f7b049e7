import { isMailError, type MailError } from '../../shared/index.js';
import type { FollowOptions } from './followOptions.js';

/**
 * In milliseconds: when a person is told of an outage, how far apart refused logins are, and how long the first short
 * waits last.
 */
const LONG_OUTAGE = 5 * 60_000;
const CREDENTIALS_WAIT = 5 * 60_000;
const FIRST_MINUTES = 10 * 60_000;
/**
 * A vendor that asks for more is asked again all the same: it may have meant something else, and a timer for months
 * would fire at once.
 */
const LONGEST_HINT = 60 * 60_000;

/** What says that the account or the settings are wrong. */
const DENIALS: ReadonlySet<string> = new Set(['unauthorized', 'forbidden', 'invalid_input', 'unsupported']);

/**
 * How long to wait before the next connection, and which outages a person is told of. It starts over after progress or
 * a minute of quiet connection, never because of a good login: a server that accepts and drops would otherwise be asked
 * many times a second.
 */
export class Backoff {
  /** Failures since it started over. */
  private failures = 0;
  /** Logins refused one after the other. */
  private refusals = 0;
  private refusalTold = false;
  private down: { since: number; told: boolean } | undefined;

  constructor(
    private readonly options: Pick<FollowOptions, 'outage'>,
    private readonly now: () => number,
  ) {}

  startOver(): void {
    this.failures = 0;
  }

  /** The vendor answered. */
  answered(): void {
    this.refusals = 0;
    this.refusalTold = false;
    if (this.down?.told) this.options.outage({ kind: 'over', since: new Date(this.down.since) });
    this.down = undefined;
  }

  /** A connection failed: tells what a person should know, and says how long to wait, in milliseconds. */
  failed(error: unknown): number {
    const down = (this.down ??= { since: this.now(), told: false });
    const code = isMailError(error) ? error.code : undefined;
    const denied = code !== undefined && DENIALS.has(code);
    this.refusals = denied ? this.refusals + 1 : 0;
    // One refusal may be a server's bad moment; two in a row are the credentials.
    const refused = this.refusals >= 2;
    if (refused && !this.refusalTold) {
      this.refusalTold = true;
      down.told = true;
      this.options.outage({ kind: 'credentials', error, since: new Date(down.since) });
    }
    // What does not exist will not come by waiting for it.
    const missing = code === 'not_found' && this.failures > 0;
    if (!down.told && (this.now() - down.since >= LONG_OUTAGE || missing)) {
      down.told = true;
      this.options.outage({ kind: 'long', error, since: new Date(down.since) });
    }
    const wait = refused ? CREDENTIALS_WAIT : this.grown(error, down.since);
    this.failures++;
    return wait;
  }

  /** Grows with each failure, to ten seconds at first and a minute later; never less than the vendor asked for. */
  private grown(error: unknown, since: number): number {
    const hint = isMailError(error) ? Math.min(((error as MailError).details.retryAfter ?? 0) * 1000, LONGEST_HINT) : 0;
    const ceiling = this.now() - since < FIRST_MINUTES ? 10_000 : 60_000;
    const grown = this.failures === 0 ? 0 : Math.min(ceiling, 1000 * 1.7 ** (this.failures - 1));
    return Math.max(hint, grown * (0.75 + Math.random() / 2));
  }
}
