import * as vscode from 'vscode';
import { splitName } from '../shared/index.js';
import { registerAccountCommands } from './accountForm/commands.js';
import type { Accounts } from './accounts/store.js';
import { isDraft, isEntryList, isMail, isMessage, isSending } from './fields/tables.js';
import { labelOfDocument } from './fields/values.js';
import { createRegister } from './host/commands.js';
import type { Problems } from './host/problems.js';
import { registerLocalMailCommands } from './localMail/commands.js';
import type { LocalMail } from './localMail/server.js';
import { registerMailCommands } from './mail/commands.js';
import { canKeepDrafts, type Compose } from './mail/composer.js';
import type { People } from './mail/people.js';
import { openObject, placeOfRow, registerObjectCommands } from './objects/commands.js';
import type { Documents } from './objects/documents.js';
import { isDocument } from './objects/places.js';
import { registerOperationCommands } from './operations/commands.js';
import type { Operator } from './operations/run.js';
import { targetOf, type Target } from './operations/target.js';
import { registerOverviewCommands } from './overview/commands.js';
import { isScriptRow, openScript, registerScriptCommands } from './scripts/commands.js';
import { registerSearchCommands } from './search/commands.js';
import type { createSearchView } from './search/view.js';
import { registerSettingsCommands } from './settings/commands.js';
import { registerListCommands } from './spamLists/commands.js';
import { createChosen, isNode } from './tree/chosen.js';
import { registerTreeCommands } from './tree/commands.js';
import type { Model, Node } from './tree/model.js';
import type { createAttention, createTree } from './tree/rows.js';
import type { Watch } from './tree/watch.js';

interface Parts {
  context: vscode.ExtensionContext;
  log: vscode.LogOutputChannel;
  problems: Problems;
  accounts: Accounts;
  model: Model;
  tree: ReturnType<typeof createTree>;
  attention: ReturnType<typeof createAttention>;
  watch: Watch;
  operator: Operator;
  documents: Documents;
  localMail: LocalMail;
  found: ReturnType<typeof createSearchView>;
  /** The rows that were selected last, in whichever view; and those of the view of the accounts. */
  selection(): readonly Node[];
  inAccounts(): readonly Node[];
  compose: Compose;
  people: People;
  read(target: Target): Promise<void>;
  editLists(target: Target, resource: string): void;
  showJson(label: string, value: unknown): Promise<void>;
  showRequests(): void;
  /** Shows an HTML file as mail. */
  preview(file: vscode.Uri): Promise<void>;
  /** Opens the list of what came to the mail server of this window. */
  showLocalMail(): Promise<void>;
}

/** Lets every room register its commands, and says what a click on a row opens. */
export function registerCommands(parts: Parts): void {
  const {
    context,
    log,
    problems,
    accounts,
    model,
    tree,
    attention,
    watch,
    operator,
    documents,
    localMail,
    found,
    selection,
    inAccounts,
    compose,
    people,
    read,
    editLists,
    showJson,
    showRequests,
    showLocalMail,
    preview,
  } = parts;
  const extension = context.extensionUri;
  const chosen = createChosen({ accounts, selection, inAccounts });
  const about = (on: unknown) => {
    if (isNode(on)) return { name: on.label, account: on.account.id, id: on.id };
    if (typeof on === 'string') return { name: accounts.list().find(({ id }) => id === on)?.name };
    return { name: isDocument(on as vscode.Uri | undefined) ? labelOfDocument(on as vscode.Uri) : undefined };
  };
  const register = createRegister({ context, log, problems, about });
  /** The operations that have a page of their own. */
  const opens = (target: Target, operation: string, alone: boolean): boolean => {
    const { node } = target;
    if (isSending(operation)) {
      compose(target, operation);
      return true;
    }
    if (!alone || splitName(operation)[1] !== 'update' || node?.kind !== 'item' || !placeOfRow(node)) return false;
    void vscode.commands.executeCommand('mailroom.open', node);
    return true;
  };
  registerAccountCommands({ register, chosen, accounts, problems, log, extension, showJson });
  registerTreeCommands({ register, chosen, accounts, model, problems, log, tree, attention, watch });
  registerOperationCommands({ register, chosen, accounts, model, operator, extension, opens });
  registerObjectCommands({ register, chosen, accounts, operator, documents, showJson, opens });
  registerMailCommands({ register, chosen, accounts, compose, preview, people });
  registerSearchCommands({ register, found });
  registerListCommands({ register, chosen, model, editLists });
  registerOverviewCommands({ register, chosen, accounts, extension });
  registerScriptCommands({ register });
  registerSettingsCommands({
    register,
    chosen,
    accounts,
    showJson,
    applied: id => {
      for (const one of model.branches()) if (one.rows && one.account.id === id) void model.refresh(one);
    },
  });
  registerLocalMailCommands({ register, localMail, showMail: showLocalMail });
  register('showLog', () => log.show());
  register('showRequests', () => showRequests());
  // A click on a row: each kind of object has its own page.
  register('open', async (node: unknown) => {
    const one = chosen.row(node);
    if (!one) return;
    if (one.kind === 'item' && isMessage(one.resource) && isDraft(one.item) && canKeepDrafts(one.account.provider))
      compose(targetOf(one), 'draft.create', { as: 'draft' });
    else if (one.kind === 'item' && isMail(one.resource)) await read(targetOf(one));
    else if (one.kind === 'item' && isScriptRow(one))
      await openScript(accounts, (...of) => documents.uriOf(...of), one);
    else if (one.kind !== 'item' && one.kind !== 'single') chosen.refuse(one);
    else if (one.kind === 'item' && isEntryList(one.account.provider, one.resource)) {
      await vscode.commands.executeCommand('mailroom.editLists', one.parent?.parent ?? one.parent);
    } else await openObject(accounts, documents, one);
  });
}
