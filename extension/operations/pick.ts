import * as vscode from 'vscode';
import { take, type Field } from '../../shared/index.js';
import type { AccountInfo, Accounts } from '../accounts/store.js';
import { idOfItem, inputFrom, labelOf, missing, operationOf, refOf, searchField } from '../fields/tables.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import type { Picked, Values } from '../webview/messages.js';
import type { Target } from './target.js';

/** Lets the user pick an object from the list of the resource a field names, or give an id. */
export async function pickFor(
  accounts: Accounts,
  target: Target,
  field: Field,
  known: Values,
  heading = field.label,
): Promise<Picked | undefined> {
  const ref = refOf(field)!;
  const list = `${ref}.list`;
  const { provider } = target.account;
  const refs = { ...target.binding.refs };
  const operation = operationOf(provider, list)!;
  for (const [key, one] of Object.entries(operation.input)) {
    const value = known[key];
    if (typeof value === 'string' && value && refOf(one) !== undefined) refs[refOf(one)!] = value;
  }
  return pickObject(accounts, target.account, list, ref, inputFrom(provider, list, { refs, choices: {} }), heading);
}
/** Whether the objects that a field names can be listed from here; else the id must be typed. */
export function isListed({ account: { provider }, binding: { refs } }: Target, ref: string): boolean {
  const name = `${ref}.list`;
  const list = operationOf(provider, name);
  return list !== undefined && missing(list, inputFrom(provider, name, { refs, choices: {} })).length === 0;
}

/** A quick pick over a list of the server: searched there where it can be, else among the first 500. */
function pickObject(
  accounts: Accounts,
  account: AccountInfo,
  list: string,
  resource: string,
  input: Values,
  heading: string,
): Promise<Picked | undefined> {
  const search = searchField(operationOf(account.provider, list)!);
  return new Promise(resolve => {
    const box = window.createQuickPick<vscode.QuickPickItem & { id?: string }>();
    box.title = heading;
    box.placeholder = t('Type to filter, or enter an ID');
    box.matchOnDescription = true;
    box.ignoreFocusOut = true;
    let generation = 0;
    let timer: NodeJS.Timeout | undefined;
    let picked: Picked | undefined;
    let stop = new AbortController();
    const load = async (text: string) => {
      const mine = ++generation;
      stop.abort();
      stop = new AbortController();
      box.busy = true;
      try {
        const client = await accounts.open(account.id, stop.signal);
        const found = await take(
          client.call(list, { ...input, ...(search && text ? { [search]: text } : {}) }) as AsyncIterable<Values>,
          500,
        );
        if (mine !== generation) return;
        box.items = [
          ...found.map(item => {
            const id = idOfItem(item);
            const label = labelOf(resource, item);
            return { label: label || id, description: id === label ? '' : id, id };
          }),
          ...(text ? [{ label: t('Use “{0}”', text), id: text, alwaysShow: true }] : []),
        ];
      } catch (error) {
        if (mine === generation)
          box.items = [
            {
              iconPath: new vscode.ThemeIcon('error'),
              label: error instanceof Error ? error.message : String(error),
              alwaysShow: true,
            },
            ...(text ? [{ label: t('Use “{0}”', text), id: text, alwaysShow: true }] : []),
          ];
      } finally {
        if (mine === generation) box.busy = false;
      }
    };
    box.onDidChangeValue(text => {
      clearTimeout(timer);
      if (search) timer = setTimeout(() => void load(text), 300);
      else
        box.items = [
          ...box.items.filter(item => !item.alwaysShow),
          ...(text ? [{ label: t('Use “{0}”', text), id: text, alwaysShow: true }] : []),
        ];
    });
    box.onDidAccept(() => {
      const [one] = box.selectedItems;
      if (one?.id === undefined) return;
      picked = { id: one.id, label: one.alwaysShow ? one.id : one.label };
      box.hide();
    });
    box.onDidHide(() => {
      generation++;
      stop.abort();
      clearTimeout(timer);
      box.dispose();
      resolve(picked);
    });
    box.show();
    void load('');
  });
}
