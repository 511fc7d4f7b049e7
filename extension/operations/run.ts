import * as vscode from 'vscode';
import { isFile, isStream, splitName, take, type Client, type Field, type Operation } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { inputFrom, operationOf } from '../fields/tables.js';
import { isCancel, type Problems } from '../host/problems.js';
import { inSentence, plural, t } from '../host/text.js';
import { window } from '../host/window.js';
import { isFor, resourceOf } from '../tree/model.js';
import type { Values } from '../webview/messages.js';
import { askSteps } from './ask.js';
import { inBulk, summarize, type Outcome } from './bulk.js';
import { confirm } from './confirm.js';
import { saveFile } from './files.js';
import { openOperationForm } from './operationForm.js';
import { pickFor } from './pick.js';
import { alikeFor, questionsFor } from './questions.js';
import { operationFor, type Target, type Written } from './target.js';
import { tell } from './tell.js';

interface OperatorOptions {
  extension: vscode.Uri;
  accounts: Accounts;
  problems: Problems;
  /** Shows an object as JSON. */
  showJson(label: string, value: unknown): Promise<void>;
  /** Told after an operation, once for all that it was run on, with the answers. */
  done(operation: string, written: readonly Written[]): void;
}

/** Runs it with the input that a form gave; what it throws goes back to the form. */
type Send = (input: Values) => Promise<boolean>;

/** Of a list no more is read. */
const MOST_ROWS = 1000;

/** Runs operations of the tables: asks for what is missing, asks before it destroys, says what happened. */
export type Operator = Pick<TableOperator, keyof TableOperator>;
export const createOperator = (options: OperatorOptions): Operator => new TableOperator(options);

class TableOperator {
  readonly confirm = confirm;

  constructor(private readonly options: OperatorOptions) {}

  pickFor(target: Target, field: Field, known: Values, heading?: string) {
    return pickFor(this.options.accounts, target, field, known, heading);
  }

  summary(what: string, outcome: Outcome, failures: readonly string[]): void {
    summarize(this.options.showJson, what, outcome, failures);
  }

  /** Runs one operation; resolves false when the user gave up or it failed (which was said). */
  async run(target: Target, name: string, extra: Values = {}): Promise<boolean> {
    const operation = operationFor(target, name);
    const input = { ...inputOf(target, name), ...extra };
    const questions = questionsFor(operation, name, input, extra);
    if (questions === 'form') {
      this.openForm([target], name, input, given => this.carryOut(target, name, given, true));
      return true;
    }
    const answers = await askSteps(this.options.accounts, target, operation, questions, input);
    return answers ? this.carryOut(target, name, { ...input, ...answers }) : false;
  }

  /**
   * The same for a selection, whose first row is the one clicked: asked once, a bounded number at once, one progress,
   * one summary.
   */
  async runMany(targets: readonly Target[], name: string, extra: Values = {}): Promise<void> {
    const first = targets[0]!;
    const able = targets.filter(one => first.node && one.node && isFor(name, first.node, one.node));
    if (!able.includes(first)) {
      const message = t('{0} does not offer this for “{1}”.', first.account.provider.name, first.label);
      void window.showInformationMessage(message);
      return;
    }
    if (targets.length === 1) {
      await this.run(first, name, extra);
      return;
    }
    const operation = operationFor(first, name);
    const input = { ...inputOf(first, name), ...extra };
    const questions = questionsFor(operation, name, input, extra);
    const alike = alikeFor(operation, able, first, input, questions);
    const skipped = targets
      .filter(one => !alike.includes(one))
      .map(one =>
        able.includes(one)
          ? t('{0}: skipped, because it needs other values.', one.label)
          : t('{0}: skipped, because this only works for {1}.', one.label, inSentence(plural(resourceOf(first.node!)))),
      );
    const carryOut = (given: Values) => this.carryOutAll(alike, name, { ...extra, ...given }, skipped);
    if (questions === 'form') {
      this.openForm(alike, name, input, carryOut);
      return;
    }
    const answers = await askSteps(this.options.accounts, first, operation, questions, input);
    if (answers) await carryOut(answers);
  }

  private openForm(targets: readonly Target[], name: string, known: Values, send: Send): void {
    const { extension, accounts } = this.options;
    openOperationForm({ extension, accounts, targets, name, known, send });
  }

  /** Confirms, calls with progress in the view, tells the result. With `rethrow`, failures go back to the form. */
  private async carryOut(target: Target, name: string, input: Values, rethrow = false): Promise<boolean> {
    const { accounts, problems, showJson, done } = this.options;
    const operation = operationFor(target, name);
    if (operation.effect === 'destroy' && !(await confirm([target], name))) return false;
    try {
      const answer = await window.withProgress({ location: { viewId: 'mailroom.accounts' } }, async () =>
        answerOf(await accounts.open(target.account.id), name, input),
      );
      await tell(target, name, answer, { showJson, run: (next, following) => this.run(next, following) });
      done(name, [{ target, answer }]);
      return true;
    } catch (error) {
      if (rethrow && !isCancel(error)) throw error;
      problems.tell(operation.summary, error, {
        on: target.label,
        account: target.account.id,
        write: operation.effect !== 'read',
        retry: () => void this.carryOut(target, name, input),
      });
      return false;
    }
  }

  private async carryOutAll(
    targets: readonly Target[],
    name: string,
    given: Values,
    skipped: readonly string[],
  ): Promise<boolean> {
    const { accounts, showJson, done } = this.options;
    const operation = operationFor(targets[0]!, name);
    const { summary } = operation;
    if (operation.effect === 'destroy' && !(await confirm(targets, name))) return false;
    const failures: string[] = [];
    const written: Written[] = [];
    const call = async (target: Target, signal: AbortSignal) => {
      const client = await accounts.open(target.account.id, signal);
      const answer = await answerOf(client, name, { ...inputOf(target, name), ...given });
      written.push({ target, answer });
      if ((answer as Values | undefined)?.outcome === 'unknown') {
        throw new Error(t('it may have been done. Check before you try again.'));
      }
    };
    const outcome = await inBulk(summary, targets, call, (target, error) => {
      failures.push(`${target.label}: ${error instanceof Error ? error.message : String(error)}`);
    });
    done(name, written);
    await this.showAnswers(operation, written);
    summarize(showJson, summary, outcome, failures, skipped, this.restoring(name, written));
    return true;
  }

  /** Saves the files among the answers, and shows what was read. */
  private async showAnswers({ summary, effect }: Operation, written: readonly Written[]): Promise<void> {
    for (const { answer } of written) if (isFile(answer)) await saveFile(answer.name, async () => answer);
    if (effect !== 'read') return;
    const read = written
      .filter(({ answer }) => !isFile(answer))
      .map(({ target, answer }) => ({ name: target.label, answer }));
    if (read.length) await this.options.showJson(summary, read);
  }

  /** The step after a deletion that can be taken back. */
  private restoring(name: string, written: readonly Written[]): { label: string; run(): void } | undefined {
    const [resource, verb] = splitName(name);
    const restore = `${resource}.restore`;
    if (verb !== 'delete') return undefined;
    const gone = written.map(one => one.target).filter(one => operationOf(one.account.provider, restore));
    if (!gone.length) return undefined;
    return { label: t('Restore'), run: () => void this.carryOutAll(gone, restore, {}, []) };
  }
}

/** What the place in the tree says of an operation's input. */
const inputOf = (target: Target, name: string): Values => inputFrom(target.account.provider, name, target.binding);

const answerOf = async (client: Client, name: string, input: Values): Promise<unknown> => {
  const result = client.call(name, input);
  return isStream(result) ? take(result, MOST_ROWS) : result;
};
