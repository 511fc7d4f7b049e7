import * as vscode from 'vscode';
import { createAccounts } from './accounts.js';
import { registerCommands } from './commands.js';
import { createRequestLog } from './log.js';
import { createModel, type Node } from './model.js';
import { createProblems } from './problems.js';
import { askSecrets } from './accountForm.js';
import { createAttention, createTree, stateDecorations } from './tree.js';
import { t, translateWith } from './words.js';

/** Wires the parts together and registers them; nothing is fetched, read or asked here. */
export function activate(context: vscode.ExtensionContext): void {
  translateWith((message, ...args) => vscode.l10n.t(message, ...args));
  const own = <D extends vscode.Disposable>(one: D): D => { context.subscriptions.push(one); return one; };
  const log = own(vscode.window.createOutputChannel('Mailroom', { log: true }));
  const problems = createProblems(log), requests = createRequestLog(log);
  const failing = new Map<string, string>();
  const icon = (provider: string) => ({
    light: vscode.Uri.joinPath(context.extensionUri, 'dist', 'icons', `${provider}.svg`), dark: vscode.Uri.joinPath(context.extensionUri, 'dist', 'icons', `${provider}.dark.svg`),
  });
  const accounts = own(createAccounts({
    state: context.globalState, secrets: context.secrets, sandbox: process.env.MAILROOM_SANDBOX,
    ask: account => askSecrets(account),
    changed: account => { const node = account === undefined ? undefined : model.find(account); void (node ? model.refresh(node) : tree.fire(undefined)); },
    observe: (account, seen) => requests.observe(account.name, seen),
    storeFailed: error => {
      log.error(t('The secret store does not answer.'), String(error));
      void vscode.window.showWarningMessage(t('The system’s secret store does not answer, so secrets are kept for this session only.'), t('Learn More'))
        .then(picked => picked === undefined ? undefined : vscode.env.openExternal(vscode.Uri.parse('https://code.visualstudio.com/docs/configure/settings-sync#_troubleshooting-keychain-issues')));
    },
  }));
  const model = createModel({
    accounts: () => accounts.list(), open: id => accounts.open(id),
    changed: node => { tree.fire(node); attention.fire(); counted(); },
  });
  const tree = own(createTree({ model, icon, failed: id => failing.get(id) }));
  const attention = own(createAttention(model));
  const view = own(vscode.window.createTreeView<Node>('mailroom.accounts', { treeDataProvider: tree.provider, canSelectMany: true, showCollapseAll: true }));
  const attentionView = own(vscode.window.createTreeView('mailroom.attention', { treeDataProvider: attention.provider, canSelectMany: true }));
  own(vscode.window.registerFileDecorationProvider(stateDecorations()));

  /** The badge counts only what needs the user. */
  let timer: NodeJS.Timeout | undefined;
  const counted = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      const count = attention.rows().length;
      attentionView.badge = count ? { value: count, tooltip: count === 1 ? t('One mailbox needs attention') : t('{0} mailboxes need attention', count) } : undefined;
      attention.fire();
    }, 100);
  };
  own({ dispose: () => clearTimeout(timer) });

  registerCommands({ context, accounts, model, tree, view, attention, problems, requests, log });
}
