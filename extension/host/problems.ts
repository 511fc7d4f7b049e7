import * as vscode from 'vscode';
import { isMailError, nextStep, type MailError } from '../../shared/index.js';
import { t } from './text.js';
import { window } from './window.js';

interface ProblemActions {
  /** What it was done on. It is shown, but not logged: it may be the subject of a message. */
  on?: string | undefined;
  retry?: () => void;
  account?: string | undefined;
  /** It may have changed something: whoever does not know whether it did must not do it again without a look. */
  write?: boolean;
}
export type Problems = ReturnType<typeof createProblems>;

/** The same sentence within so many milliseconds says how often it came. */
const MINUTE = 60_000;

/** True for what the user stopped himself: nothing is said about it. */
export const isCancel = (error: unknown): boolean =>
  error instanceof vscode.CancellationError ||
  (error instanceof Error && (error.name === 'AbortError' || error.name === 'Canceled' || isCancel(error.cause)));

/** What happened. Where the provider refused an input, its own advice belongs to that. */
function wordsOf(error: unknown): string {
  if (!isMailError(error)) return error instanceof Error ? error.message : String(error);
  const { code, message, details } = error;
  return details.advice && (code === 'rejected' || code === 'invalid_input') ? `${message} ${details.advice}` : message;
}

type Log = Pick<vscode.LogOutputChannel, 'info' | 'error' | 'show'>;
let log: Log | undefined;
/** Puts the log behind `explain`. */
export const explainTo = (channel: Log): void => {
  log = channel;
};
/**
 * The one door of all errors: each is logged, and comes out as a sentence for whoever shows it; undefined for what the
 * user stopped himself. `what` goes into the log, so it must not be the text or subject of a message.
 */
export function explain(what: string, error: unknown): string | undefined {
  if (isCancel(error)) {
    log?.info(`${what}: cancelled`);
    return undefined;
  }
  const why = wordsOf(error);
  // What was typed wrong is told where it was typed, and may stand in the sentence.
  if (isMailError(error) && error.code === 'invalid_input') {
    log?.info(`${what}: ${error.code}`);
    return why;
  }
  log?.error(
    `${what}: ${why}`,
    ...(isMailError(error)
      ? [[error.code, error.details.status, error.details.provider, error.details.operation].filter(Boolean).join(' ')]
      : error instanceof Error && error.stack
        ? [error.stack]
        : []),
  );
  return why;
}

interface About {
  name: string;
  signsIn: boolean;
}
/**
 * Errors as messages of VS Code. `account`: what an account is called, and whether it is let in again by a sign-in or
 * by an edit.
 */
export function createProblems({
  account: about,
  now = Date.now,
}: {
  account(id: string): About | undefined;
  now?(): number;
}) {
  const recent = new Map<string, { since: number; times: number }>();
  /**
   * A message and what became of it; it is open until the user closes it, so nothing but its buttons may wait for that.
   */
  const show = async (text: string, ...buttons: { title: string; run(): void }[]): Promise<void> => {
    const picked = await window.showErrorMessage(text, ...buttons.map(button => button.title));
    buttons.find(button => button.title === picked)?.run();
  };
  const showLog = () => ({ title: t('Show Log'), run: () => log?.show() });
  /**
   * That an account is not let in, with the way in. Said twice at a time it is one message: VS Code joins those that
   * are the same.
   */
  const refused = (id: string, { name, signsIn }: About, error: MailError): Promise<void> => {
    const command = signsIn ? 'mailroom.signIn' : 'mailroom.editAccount';
    return show(
      `${name}: ${error.message}`,
      {
        title: signsIn ? t('Sign In') : t('Edit Account'),
        run: () => void vscode.commands.executeCommand(command, id),
      },
      showLog(),
    );
  };
  return {
    /** The same for an account that nobody was asking about just now. */
    async refused(id: string, error: MailError): Promise<void> {
      const known = about(id);
      if (known) await refused(id, known, error);
    },
    /**
     * Answers what the user asked for, each time, with the one or two buttons that help; the second time within a
     * minute it says so. Nothing is said of a cancellation.
     */
    tell(what: string, error: unknown, { on, retry, account, write = false }: ProblemActions = {}): void {
      const why = explain(what, error);
      const code = isMailError(error) ? error.code : undefined;
      if (why === undefined) return;
      const known = account !== undefined && code === 'unauthorized' ? about(account) : undefined;
      if (known) {
        void refused(account!, known, error as MailError);
        return;
      }
      const text = `${[what, on].filter(Boolean).join(' · ')}: ${why}`;
      const before = recent.get(text);
      const seen = before && now() - before.since < MINUTE ? before : { since: now(), times: 0 };
      recent.set(text, seen);
      if (recent.size > 100) recent.delete(recent.keys().next().value!);
      const again = ++seen.times > 1 ? ` ${t('({0} times within a minute)', seen.times)}` : '';
      const unsure = write && code === 'unavailable';
      const step =
        isMailError(error) && !unsure && !['invalid_input', 'rejected'].includes(error.code)
          ? ` ${nextStep(error)}`
          : '';
      const retries = retry && !unsure && (code === 'rate_limited' || code === 'unavailable');
      void show(text + again + step, ...(retries ? [{ title: t('Retry'), run: retry }] : []), showLog());
    },
  };
}

/** The reason of a failed row, in one line. */
export const oneLine = (error: MailError): string => error.message.split('\n')[0]!.slice(0, 200);
