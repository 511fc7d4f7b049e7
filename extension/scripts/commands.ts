import * as vscode from 'vscode';
import type { Accounts } from '../accounts/store.js';
import { sourceOf } from '../fields/tables.js';
import type { Place } from '../fields/values.js';
import type { Register } from '../host/commands.js';
import { t } from '../host/text.js';
import type { ItemNode } from '../tree/model.js';
import { isScript, nameOf, ON_SERVER, SCRIPTS } from './files.js';

/** The commands for scripts and their documents. */
export function registerScriptCommands({ register }: { register: Register }): void {
  register('compareScript', async (uri: unknown) => {
    const given =
      uri instanceof vscode.Uri
        ? uri
        : (vscode.window.tabGroups.activeTabGroup.activeTab?.input as { uri?: vscode.Uri } | undefined)?.uri;
    if (!isScript(given)) return;
    await vscode.commands.executeCommand(
      'vscode.diff',
      given.with({ scheme: ON_SERVER, fragment: String(Date.now()) }),
      given,
      t('{0}: Server ↔ Yours', nameOf(given)),
      { preview: false },
    );
  });
}

/** Whether a row is a text of a language, which has a file. */
export const isScriptRow = ({ account, resource }: ItemNode): boolean =>
  sourceOf(account.provider, resource) !== undefined;

/** Opens the file of a row. */
export async function openScript(
  accounts: Accounts,
  uriOf: (place: Place, account: string, label: string) => vscode.Uri,
  one: ItemNode,
): Promise<void> {
  // A tab that comes back waits for a click before it asks for a secret; this is one.
  if (!(await accounts.ready(one.account.id))) await accounts.open(one.account.id);
  const place: Place = { account: one.account.id, resource: one.resource, refs: { ...one.binding.refs } };
  const uri = uriOf(place, one.account.name, one.label);
  const { language } = sourceOf(one.account.provider, one.resource)!;
  await vscode.commands.executeCommand(
    'vscode.open',
    uri.with({ scheme: SCRIPTS, path: uri.path.replace(/\.mailroom$/, `.${language}`) }),
    { preview: true },
  );
}
