import * as vscode from 'vscode';
import type { Accounts } from '../accounts/store.js';
import { operationOf, resends } from '../fields/tables.js';
import type { Register } from '../host/commands.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import { targetOf, type Target } from '../operations/target.js';
import { isNode, type Chosen } from '../tree/chosen.js';
import { actionsOf } from '../tree/model.js';
import type { Compose } from './composer.js';
import type { People } from './people.js';

interface Parts {
  register: Register;
  chosen: Chosen;
  accounts: Accounts;
  compose: Compose;
  people: Pick<People, 'clear'>;
  preview(file: vscode.Uri): Promise<void>;
}

/** The commands that write mail. */
export function registerMailCommands({ register, chosen, accounts, compose, preview, people }: Parts): void {
  register('previewMail', async (uri: unknown) => {
    const file = uri instanceof vscode.Uri ? uri : vscode.window.activeTextEditor?.document.uri;
    if (file) await preview(file);
    else void window.showInformationMessage(t('Open an HTML file first.'));
  });
  register('openAsText', (uri: unknown) => {
    const tab = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    const file = uri instanceof vscode.Uri ? uri : tab instanceof vscode.TabInputCustom ? tab.uri : undefined;
    return file && vscode.commands.executeCommand('vscode.openWith', file, 'default', vscode.ViewColumn.Beside);
  });
  register('clearAddresses', async () => {
    await people.clear();
    window.setStatusBarMessage('check', t('Cleared.'), 5000);
  });
  register('reply', (node: unknown) => {
    const one = chosen.row(node);
    if (!one) return;
    if (actionsOf(one).includes('message.reply')) compose(targetOf(one), 'message.reply');
    else chosen.refuse(one);
  });
  register('resend', (node: unknown) => {
    const one = chosen.row(node);
    if (!one) return;
    const name = one.kind === 'item' ? resends(one.account.provider, one.resource, one.binding) : undefined;
    if (name) compose(targetOf(one), name, { as: 'again' });
    else chosen.refuse(one);
  });
  register('compose', async (node: unknown) => {
    const one = isNode(node) ? node : undefined;
    const able = accounts.list().filter(({ provider }) => operationOf(provider, 'message.send'));
    const account =
      one?.account ??
      (able.length > 1
        ? (
            await window.showQuickPick(
              able.map(entry => ({ label: entry.name, description: entry.provider.name, entry })),
              { placeHolder: t('Send from which account?') },
            )
          )?.entry
        : chosen.need(able[0], t('No account can send. Add one that can, such as IMAP and SMTP.')));
    if (!account) return;
    const target: Target = one
      ? targetOf(one)
      : { account, resource: '', binding: { refs: {}, choices: {} }, label: account.name };
    const from =
      one?.kind === 'item' && operationOf(account.provider, 'message.sendFrom') ? 'message.sendFrom' : 'message.send';
    compose(target, from);
  });
}
