import * as vscode from 'vscode';
import type { Accounts } from '../accounts/store.js';
import { inputFrom, operationOf, VERBS } from '../fields/tables.js';
import { check, editingOf, labelOfDocument, secretsOf, type Place } from '../fields/values.js';
import { inView, type Register } from '../host/commands.js';
import { t, title } from '../host/text.js';
import { window } from '../host/window.js';
import type { Operator } from '../operations/run.js';
import { targetOf, type Target } from '../operations/target.js';
import type { Chosen } from '../tree/chosen.js';
import type { ItemNode, SingleNode } from '../tree/model.js';
import type { Documents } from './documents.js';
import { othersOf } from './editor.js';
import { isDocument, openedAs } from './places.js';

interface Parts {
  register: Register;
  chosen: Chosen;
  accounts: Accounts;
  operator: Operator;
  documents: Documents;
  showJson(label: string, value: unknown): Promise<void>;
  /** Whether a feature has a page of its own for an operation, which it then opens. */
  opens(target: Target, operation: string, alone: boolean): boolean;
}

/** The commands for objects and their documents. */
export function registerObjectCommands(parts: Parts): void {
  const { register, chosen, accounts, operator, documents, showJson } = parts;
  register('openJson', async (node: unknown) => {
    const one = chosen.row(node);
    if (!one) return;
    if (one.kind !== 'item' && one.kind !== 'single') {
      chosen.refuse(one);
      return;
    }
    const { provider } = one.account;
    const get = `${one.resource}.get`;
    const value = await inView(async () =>
      operationOf(provider, get)
        ? ((await accounts.open(one.account.id)).call(get, inputFrom(provider, get, one.binding)) as Promise<unknown>)
        : Promise.resolve((one as ItemNode).item),
    );
    await showJson(one.label || title(one.resource), value);
  });
  register('changePassword', async (node: unknown) => {
    const one = chosen.row(node);
    if (!one) return;
    if (one.kind === 'item' && Object.keys(secretsOf(one.account.provider, one.resource)).length)
      await changePassword(operator, targetOf(one));
    else chosen.refuse(one);
  });
  const documentOf = (uri: unknown): vscode.Uri | undefined => {
    const given =
      uri instanceof vscode.Uri
        ? uri
        : (vscode.window.tabGroups.activeTabGroup.activeTab?.input as { uri?: vscode.Uri } | undefined)?.uri;
    return isDocument(given) ? given : undefined;
  };
  register('showDocumentJson', async (uri: unknown) => {
    const one = documentOf(uri);
    if (one) await vscode.commands.executeCommand('vscode.openWith', one, 'default', vscode.ViewColumn.Beside);
  });
  register('showDocumentForm', async (uri: unknown) => {
    const one = documentOf(uri);
    if (one) await vscode.commands.executeCommand('vscode.openWith', one, 'mailroom.form');
  });
  register('compareServer', async (uri: unknown) => {
    const one = documentOf(uri);
    if (one)
      await vscode.commands.executeCommand(
        'vscode.diff',
        one.with({ scheme: 'mailroom-server', fragment: String(Date.now()) }),
        one,
        t('{0}: Server ↔ Yours', labelOfDocument(one)),
        // In the place of a form that was opened for a look it would compare the server with itself; as forms, older
        // versions show no difference.
        { preview: false, override: false },
      );
  });
  register('reloadDocument', async (uri: unknown) => {
    const one = documentOf(uri);
    if (one) await documents.reload(one);
  });
  const act = (uri: vscode.Uri, action: string) => documentAction(parts, uri, action);
  register('documentAction', act);
  /** The commands in the title of a form: the first of the operations that the provider has. */
  const onForm = (names: (resource: string) => readonly string[]) => async (uri: unknown) => {
    const one = documentOf(uri);
    const place = one && documents.get(one)?.place;
    const provider = accounts.list().find(({ id }) => id === place?.account)?.provider;
    const name = provider && names(place!.resource).find(operation => operationOf(provider, operation));
    if (name) await act(one!, name);
  };
  register(
    'testSendDocument',
    onForm(resource => VERBS.testSend!.map(verb => `${resource}.${verb}`)),
  );
  register(
    'testSyncDocument',
    onForm(resource => VERBS.testSync!.map(verb => `${resource}.${verb}`)),
  );
  register(
    'restoreDocument',
    onForm(resource => [`${resource}.restore`]),
  );
  register(
    'syncDocument',
    onForm(() => ['sync.start']),
  );
}

/** Opens the document of a row in its form, or what the row is as JSON where it cannot be changed. */
export async function openObject(accounts: Accounts, documents: Documents, one: ItemNode | SingleNode): Promise<void> {
  const place = placeOfRow(one);
  if (!place) {
    await vscode.commands.executeCommand('mailroom.openJson', one);
    return;
  }
  // A tab that comes back waits for a click before it asks for a secret; this is one.
  if (!(await accounts.ready(one.account.id))) await accounts.open(one.account.id);
  const label =
    one.kind === 'single'
      ? `${one.label} ${one.parent && one.parent.kind === 'item' ? one.parent.label : ''}`.trim()
      : one.label;
  await vscode.commands.executeCommand(
    'vscode.openWith',
    openedAs(documents.uriOf(place, one.account.name, label)),
    'mailroom.form',
    { preview: true },
  );
}
/**
 * Where the object of a row is; undefined where the provider cannot change such an object, so that it has no document.
 */
export const placeOfRow = ({
  account: { id, provider },
  resource,
  binding,
}: ItemNode | SingleNode): Place | undefined =>
  editingOf(provider, resource, binding) && operationOf(provider, `${resource}.get`)
    ? { account: id, resource, refs: { ...binding.refs }, choices: { ...binding.choices } }
    : undefined;

/** Does what a button of a document's form stands for. */
async function documentAction(
  { accounts, operator, documents, opens }: Parts,
  uri: vscode.Uri,
  action: string,
): Promise<void> {
  if (action === 'json') {
    await vscode.commands.executeCommand('mailroom.showDocumentJson', uri);
    return;
  }
  const {
    place: { resource, account: id },
    binding,
    item,
  } = await documents.load(uri);
  const account = accounts.list().find(one => one.id === id);
  if (!account) return;
  const target: Target = { account, resource, binding: { ...binding, item }, label: labelOfDocument(uri) };
  if (action === 'password') {
    await changePassword(operator, target);
    return;
  }
  const name =
    action === 'more'
      ? (
          await window.showQuickPick(
            othersOf(account.provider, resource, target.binding).map(one => ({
              label: operationOf(account.provider, one)!.summary,
              description: one,
              one,
            })),
            { title: target.label, placeHolder: t('Choose an action'), matchOnDescription: true },
          )
        )?.one
      : action;
  if (name === undefined) return;
  if (!opens(target, name, true)) await operator.run(target, name);
}

/** A new secret, typed twice into boxes; it never touches a document. */
async function changePassword(operator: Operator, target: Target): Promise<void> {
  const { provider } = target.account;
  const secrets = Object.entries(secretsOf(provider, target.resource));
  const entry =
    secrets.length > 1
      ? await window.showQuickPick(
          secrets.map(([key, field]) => ({ label: field.label, key, field })),
          { title: target.label },
        )
      : secrets[0] && { key: secrets[0][0], field: secrets[0][1] };
  if (!entry) return;
  const { key, field } = entry;
  const box = (prompt: string, complain: (value: string) => string | undefined) =>
    window.showInputBox({
      title: `${field.label} · ${target.label}`,
      prompt,
      password: true,
      ignoreFocusOut: true,
      validateInput: complain,
    });
  const first = await box([t('New value'), field.help].filter(Boolean).join('. '), value =>
    check({ [key]: { ...field, required: true } }, key, value),
  );
  if (first === undefined) return;
  if (
    (await box(t('Enter it again'), value => (value === first ? undefined : t('The two do not match.')))) === undefined
  )
    return;
  await operator.run(target, `${target.resource}.update`, { [key]: first });
}
