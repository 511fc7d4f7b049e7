import * as vscode from 'vscode';
import { validate, type Field, type Operation } from '../../shared/index.js';
import type { Accounts } from '../accounts/store.js';
import { refOf } from '../fields/tables.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import type { Values } from '../webview/messages.js';
import { isListed, pickFor } from './pick.js';
import type { Target } from './target.js';

const BACK = Symbol('back');

/** The missing values of an operation, one question each, with a way back. Undefined when the user gives up. */
export async function askSteps(
  accounts: Accounts,
  target: Target,
  operation: Operation,
  names: readonly string[],
  known: Values,
): Promise<Values | undefined> {
  const given: Values = {};
  for (let i = 0; i < names.length;) {
    const key = names[i]!;
    const field = operation.input[key]!;
    const heading = `${operation.summary} · ${target.label}${names.length > 1 ? ` (${i + 1}/${names.length})` : ''}`;
    const answer = await askOne(accounts, target, field, heading, { ...known, ...given }, i > 0, value => {
      try {
        validate({ [key]: field }, { [key]: value });
        return undefined;
      } catch (error) {
        return (error as Error).message;
      }
    });
    if (answer === undefined) return undefined;
    if (answer === BACK) {
      i--;
      continue;
    }
    given[key] = answer;
    i++;
  }
  return given;
}
async function askOne(
  accounts: Accounts,
  target: Target,
  field: Field,
  heading: string,
  known: Values,
  back: boolean,
  complain: (value: unknown) => string | undefined,
): Promise<unknown> {
  if (field.type === 'choice' || field.type === 'flag') {
    const choices =
      field.type === 'choice'
        ? Object.entries(field.choices).map(([value, label]) => ({ label, value: value as unknown }))
        : [
            { label: t('Yes'), value: true as unknown },
            { label: t('No'), value: false as unknown },
          ];
    return new Promise(resolve => {
      const box = window.createQuickPick<(typeof choices)[number]>();
      let settled: unknown;
      box.title = heading;
      box.placeholder = [field.label, field.help].filter(Boolean).join('. ');
      box.ignoreFocusOut = true;
      box.items = choices;
      if (back) box.buttons = [vscode.QuickInputButtons.Back];
      box.onDidTriggerButton(() => {
        settled = BACK;
        box.hide();
      });
      box.onDidAccept(() => {
        const [one] = box.selectedItems;
        if (one) {
          settled = one.value;
          box.hide();
        }
      });
      box.onDidHide(() => {
        box.dispose();
        resolve(settled);
      });
      box.show();
    });
  }
  const ref = refOf(field);
  if (ref !== undefined && isListed(target, ref)) return (await pickFor(accounts, target, field, known, heading))?.id;
  return new Promise(resolve => {
    const box = window.createInputBox();
    box.title = heading;
    box.prompt = [field.label, field.help].filter(Boolean).join('. ');
    box.placeholder = field.example ?? '';
    box.password = field.type === 'text' && field.secret === true;
    box.ignoreFocusOut = true;
    if (back) box.buttons = [vscode.QuickInputButtons.Back];
    let settled: unknown;
    box.onDidTriggerButton(() => {
      settled = BACK;
      box.hide();
    });
    box.onDidChangeValue(value => {
      const bad = value ? complain(value) : undefined;
      box.validationMessage = bad ?? '';
    });
    box.onDidAccept(() => {
      const bad = complain(box.value);
      box.validationMessage = bad ?? '';
      if (!bad) {
        settled = box.value;
        box.hide();
      }
    });
    box.onDidHide(() => {
      box.dispose();
      resolve(settled);
    });
    box.show();
  });
}
