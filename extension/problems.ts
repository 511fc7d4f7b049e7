import * as vscode from 'vscode';
import { isMailError, nextStep, type MailError } from '../shared/index.js';
import { t } from './words.js';

interface ProblemActions { retry?: () => void; account?: string }
export type Problems = ReturnType<typeof createProblems>;

/** The same sentence is shown once in this many milliseconds. */
const QUIET = 60_000;

/** True for what the user stopped himself: nothing is said about it. */
export const isCancel = (error: unknown): boolean =>
  error instanceof vscode.CancellationError || (error instanceof Error && (error.name === 'AbortError' || error.name === 'Canceled' || isCancel(error.cause)));

/** One sentence for a person: what failed, and why. */
export const sentence = (what: string, error: unknown): string => {
  const why = error instanceof Error ? error.message : String(error);
  return what ? `${what}: ${why}` : why;
};

/** The one place where an error becomes what the user sees. */
export function createProblems(log: vscode.LogOutputChannel) {
  const recent = new Map<string, { at: number; more: number }>();
  return {
    /** Shows an error once a minute, with the one or two buttons that help. Says nothing of a cancellation. */
    async tell(what: string, error: unknown, { retry, account }: ProblemActions = {}): Promise<void> {
      if (isCancel(error)) { log.info(`${what}: cancelled`); return; }
      const text = sentence(what, error);
      log.error(text, ...(isMailError(error)
        ? [`${error.code}${error.details.status ? ` (${error.details.status})` : ''}`]
        : error instanceof Error && error.stack ? [error.stack] : []));
      const now = Date.now(), before = recent.get(text);
      if (before && now - before.at < QUIET) { before.more++; return; }
      const again = before?.more ? ` ${t('({0} more times)', before.more)}` : '';
      recent.set(text, { at: now, more: 0 });
      if (recent.size > 100) recent.delete(recent.keys().next().value!);
      const buttons: { title: string; run(): void }[] = [];
      if (isMailError(error) && account) {
        if (error.code === 'unauthorized') {
          buttons.push({ title: t('Edit Account'), run: () => void vscode.commands.executeCommand('mailroom.editAccount', account) });
        }
      }
      if (retry && isMailError(error) && ['unavailable', 'rate_limited', 'conflict'].includes(error.code)) buttons.push({ title: t('Retry'), run: retry });
      if (buttons.length < 2) buttons.push({ title: t('Show Log'), run: () => log.show() });
      const step = isMailError(error) && !['invalid_input', 'rejected'].includes(error.code) ? ` ${nextStep(error)}` : '';
      const picked = await vscode.window.showErrorMessage(text + again + step, ...buttons.map(button => button.title));
      buttons.find(button => button.title === picked)?.run();
    },
  };
}

/** The reason of a failed row, in one line. */
export const oneLine = (error: MailError): string => error.message.split('\n')[0]!.slice(0, 200);
