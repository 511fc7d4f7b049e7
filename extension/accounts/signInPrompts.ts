import { MailError, type Send } from '../../shared/index.js';
import { t } from '../host/text.js';
import { providerOf, type AccountIndex } from './accountIndex.js';
import type { AccountStates } from './accountStates.js';
import type { Secrets, StoredAccount } from './account.js';
import type { SecretStore } from './secretStore.js';

/** Who gave up a question about an account is not asked again by what happens on the way, in milliseconds. */
const QUIET = 60_000;

export interface SignInPromptsOptions {
  /** Asks for the secrets of an account whose secrets are not remembered; undefined when the user gives up. */
  ask(account: StoredAccount, send: Send): Promise<Secrets | undefined>;
  /**
   * Told once, however much fails together, that a provider refused what an account signs in with. Resolves when the
   * user has answered.
   */
  refused?(account: StoredAccount, error: MailError): PromiseLike<void>;
  /** Milliseconds since 1970; for tests. */
  now?(): number;
}

/**
 * Asks the user for secrets that are missing or refused. Questions for one account are asked once, those of several one
 * after the other, because a box that opens closes another; who gave up is left alone for a while.
 */
export class SignInPrompts {
  private readonly asking = new Map<string, Promise<Secrets | undefined>>();
  /** Until when an account asks nothing, in milliseconds since 1970. */
  private readonly quietUntil = new Map<string, number>();
  private lastQuestion: Promise<unknown> = Promise.resolve();

  /** `sender` sends sign-ins, which no account signs yet. */
  constructor(
    private readonly index: AccountIndex,
    private readonly secrets: SecretStore,
    private readonly states: AccountStates,
    private readonly options: SignInPromptsOptions,
    private readonly sender: () => Send,
  ) {}

  /**
   * The secrets, from wherever they are remembered, else from the user. Throws `unauthorized` where they are not given.
   */
  async secretsFor(account: StoredAccount): Promise<Secrets> {
    const known = await this.secrets.read(account);
    if (known) return known;
    const question = this.asking.get(account.id) ?? this.question(account);
    const given = await question;
    if (!given) throw missing(account);
    return given;
  }

  /** Throws where the user was asked just before. */
  private question(account: StoredAccount): Promise<Secrets | undefined> {
    const { id } = account;
    if (this.isQuiet(id)) throw missing(account);
    const question = this.ask(account).finally(() => this.asking.delete(id));
    this.asking.set(id, question);
    question.then(
      given => {
        if (given) return;
        this.hush(id);
        this.states.set(id, 'signIn');
      },
      () => this.hush(id),
    );
    return question;
  }

  private async ask(account: StoredAccount): Promise<Secrets | undefined> {
    const asked = this.lastQuestion.then(() => this.options.ask(account, this.sender()));
    this.lastQuestion = asked.catch(() => {});
    const given = await asked;
    if (given) await this.secrets.write(account, given);
    return given;
  }

  /** A provider refused these secrets. The user is asked once for all that fails together. */
  refused(account: StoredAccount, error: MailError): void {
    const { id } = account;
    if (this.isQuiet(id) || this.asking.has(id) || !this.index.get(id)) return;
    this.hush(id);
    void Promise.resolve(this.options.refused?.(account, error)).then(() => {
      if (this.quietUntil.has(id)) this.hush(id);
    });
  }

  private isQuiet(id: string): boolean {
    return (this.options.now ?? Date.now)() < (this.quietUntil.get(id) ?? 0);
  }

  private hush(id: string): void {
    this.quietUntil.set(id, (this.options.now ?? Date.now)() + QUIET);
  }

  /** The next question may come at once. */
  askAgain(id: string): void {
    this.quietUntil.delete(id);
  }
}

const missing = (account: StoredAccount) =>
  new MailError('unauthorized', t('The secret of this account is missing. Sign in.'), {
    provider: providerOf(account)?.name ?? account.provider,
  });
