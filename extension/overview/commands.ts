import type * as vscode from 'vscode';
import type { Accounts } from '../accounts/store.js';
import type { Register } from '../host/commands.js';
import { isNode, type Chosen } from '../tree/chosen.js';
import { listsMailboxes } from '../tree/model.js';
import { openOverview } from './panel.js';

interface Parts {
  register: Register;
  chosen: Chosen;
  accounts: Accounts;
  extension: vscode.Uri;
}

/** The command that shows the figures of an account, or of what is below one row. */
export function registerOverviewCommands({ register, chosen, accounts, extension }: Parts): void {
  register('overview', async (node: unknown) => {
    if (isNode(node) && node.kind === 'item') {
      openOverview(extension, accounts, node.account, {
        within: { refs: node.binding.refs, choices: {} },
        resource: node.resource,
        label: node.label,
      });
      return;
    }
    const id = await chosen.account(node, ({ provider }) => listsMailboxes(provider));
    const account = accounts.list().find(one => one.id === id);
    if (account) openOverview(extension, accounts, account);
  });
}
