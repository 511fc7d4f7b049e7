import * as vscode from 'vscode';
import { grantOf, type Accounts } from '../accounts/store.js';
import type { Register } from '../host/commands.js';
import type { Problems } from '../host/problems.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import { isNode, type Chosen } from '../tree/chosen.js';
import type { AccountNode } from '../tree/model.js';
import {
  addAccount,
  addSandboxAccount,
  askSecrets,
  exportAccounts,
  importAccounts,
  openAccountForm,
  signIn,
} from './form.js';

interface Parts {
  register: Register;
  chosen: Chosen;
  accounts: Accounts;
  problems: Problems;
  log: vscode.LogOutputChannel;
  extension: vscode.Uri;
  showJson(label: string, value: unknown): Promise<void>;
}

/** The commands for accounts as such: adding, editing, testing, signing in, removing, and carrying them elsewhere. */
export function registerAccountCommands({
  register,
  chosen,
  accounts,
  problems,
  log,
  extension,
  showJson,
}: Parts): void {
  register('addAccount', () => addAccount(extension, accounts, log));
  register('addSandboxAccount', () => addSandboxAccount(accounts));
  register('editAccount', async (node: unknown) => {
    const id = await chosen.account(node);
    if (id === undefined) return;
    const account = accounts.find(id);
    const provider = accounts.list().find(one => one.id === id)?.provider;
    if (provider) openAccountForm(extension, accounts, provider, account, log);
  });
  register('testAccount', async (node: unknown) => {
    const id = await chosen.account(node);
    if (id !== undefined) await test(accounts, problems, id);
  });
  register('signIn', async (node: unknown) => {
    const id = await chosen.account(node);
    if (id !== undefined) await signInAgain(accounts, id);
  });
  register('renameAccount', async (node: unknown) => {
    const id = await chosen.account(node);
    if (id !== undefined) await rename(accounts, id);
  });
  register('removeAccount', async (node: unknown, nodes: unknown) => {
    const all = chosen.rows(node, nodes).filter(one => one.kind === 'account');
    if (isNode(node) && all.length > 1) {
      await removeSeveral(accounts, all);
      return;
    }
    const id = await chosen.account(node);
    if (id === undefined) return;
    if (accounts.list().find(one => one.id === id)?.local !== undefined)
      await vscode.commands.executeCommand('mailroom.stopLocalMail');
    else await removeOne(accounts, id);
  });
  register('importAccounts', () => importAccounts(accounts, results => showJson(t('Imported Accounts'), results)));
  register('exportAccounts', () => exportAccounts(accounts));
}

async function test(accounts: Accounts, problems: Problems, id: string): Promise<void> {
  const { name } = accounts.find(id);
  await window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: t('Testing {0}', name), cancellable: true },
    async (_, token) => {
      const stop = new AbortController();
      token.onCancellationRequested(() => stop.abort());
      accounts.askAgain(id);
      try {
        const told = await (await accounts.open(id, stop.signal)).call('account.check', {});
        void window.showInformationMessage([t('{0} works.', name), ...(told?.notes ?? [])].join(' '));
      } catch (error) {
        if (!stop.signal.aborted) problems.tell(t('Testing {0}', name), error, { account: id });
      }
    },
  );
}

async function signInAgain(accounts: Accounts, id: string): Promise<void> {
  const account = accounts.find(id);
  const provider = accounts.list().find(one => one.id === id)!.provider;
  const known = await accounts.secretsOf(id);
  const browser = grantOf(provider, account.values) !== undefined;
  if (!browser && account.remember === 'keep') {
    await vscode.commands.executeCommand('mailroom.editAccount', id);
    return;
  }
  // What is not remembered is asked for, the secret of the app among it.
  const given =
    browser && known
      ? await signIn(provider, account, known.clientSecret as string | undefined, accounts.sender())
      : await askSecrets(account, accounts.sender());
  if (!given) {
    void window.showInformationMessage(t('The sign-in did not finish. {0} was not changed.', account.name));
    return;
  }
  // It may have been renamed or edited meanwhile, its other secrets too; or it is gone, and stays so.
  await accounts.update(id, {}, { ...(await accounts.secretsOf(id)), ...given });
  void window.showInformationMessage(t('{0} is signed in.', accounts.find(id).name));
}

async function rename(accounts: Accounts, id: string): Promise<void> {
  const account = accounts.find(id);
  const name = await window.showInputBox({
    title: t('Rename Account'),
    value: account.name,
    prompt: t('The name shown in the tree'),
    validateInput: value => (value.trim() ? undefined : t('Enter a name.')),
  });
  if (name?.trim()) await accounts.update(id, { name: name.trim() });
}

async function removeOne(accounts: Accounts, id: string): Promise<void> {
  const { name } = accounts.find(id);
  const button = t('Remove Account');
  if (
    (await window.showWarningMessage(
      t('Remove the account “{0}” from VS Code?', name),
      { modal: true, detail: t('Its secrets are deleted here. Nothing changes at the provider.') },
      button,
    )) === button
  )
    await accounts.remove(id);
}
async function removeSeveral(accounts: Accounts, all: readonly AccountNode[]): Promise<void> {
  const button = t('Remove {0} Accounts', all.length);
  if (
    (await window.showWarningMessage(
      t('Remove {0} accounts from VS Code?', all.length),
      {
        modal: true,
        detail: `${all.map(({ label }) => label).join('\n')}\n\n${t('Their secrets are deleted here. Nothing changes at the providers.')}`,
      },
      button,
    )) === button
  )
    for (const {
      account: { id },
    } of all)
      await accounts.remove(id);
}
