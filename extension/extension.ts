import { isDeepStrictEqual } from 'node:util';
import * as vscode from 'vscode';
import { splitName } from '../shared/index.js';
import { askSecrets, setExtensionId, uriHandler } from './accountForm/form.js';
import { onProxySettings, proxySettings } from './accounts/proxies.js';
import { stopSandbox } from './accounts/sandbox.js';
import { createAccounts, grantOf, type StoredAccount } from './accounts/store.js';
import { registerCommands } from './commands.js';
import { idOfItem, isMessage, labelOf, operationOf, removes } from './fields/tables.js';
import { createProblems, explainTo } from './host/problems.js';
import { createReadOnly } from './host/readOnlyDocuments.js';
import { t, translateWith } from './host/text.js';
import { window } from './host/window.js';
import { createLocalMail, LOCAL_MAIL } from './localMail/server.js';
import { createComposer } from './mail/composer.js';
import { createEmlEditor } from './mail/emlEditor.js';
import { previewMail } from './mail/preview.js';
import { createReader } from './mail/reader.js';
import { Documents } from './objects/documents.js';
import { createEditor } from './objects/editor.js';
import { registerJsonHelp } from './objects/jsonHelp.js';
import { createPlaces, labelOfDocument, SCHEME } from './objects/places.js';
import { settle } from './operations/afterWrite.js';
import { createDrag } from './operations/order.js';
import { createOperator } from './operations/run.js';
import { targetOf, type Written } from './operations/target.js';
import { openOverview } from './overview/panel.js';
import { openRequests } from './requests/inspector.js';
import { createRequestLog } from './requests/log.js';
import { createRetryStatus } from './requests/retryStatus.js';
import { restoreTabs } from './restore.js';
import { createScripts, nameOf, ON_SERVER, SCRIPTS } from './scripts/files.js';
import { createListsEditor } from './spamLists/editor.js';
import { createLive } from './tree/live.js';
import { contextOf, createModel, type Node } from './tree/model.js';
import { createAttention, createTree, stateDecorations } from './tree/rows.js';

/** What is drawn anew by itself waits for so much quiet, in milliseconds. */
const CALM = 300;

/** Wires the parts together and registers them; nothing is fetched, read or asked here. */
export function activate(context: vscode.ExtensionContext): void {
  translateWith((message, ...args) => vscode.l10n.t(message, ...args), vscode.l10n.bundle !== undefined);
  setExtensionId(context.extension.id);
  const own = <D extends vscode.Disposable>(one: D): D => { context.subscriptions.push(one); return one; };
  const extension = context.extensionUri;
  const log = own(vscode.window.createOutputChannel('Mailroom', { log: true }));
  explainTo(log);
  const problems = createProblems({ account: id => {
    const info = accounts.list().find(one => one.id === id);
    return info && { name: info.name, signsIn: accounts.find(id).remember !== 'keep' || grantOf(info.provider, info.values) !== undefined };
  } });
  const requests = createRequestLog(log), waits = own(createRetryStatus());
  const icon = (provider: string) => ({
    light: vscode.Uri.joinPath(extension, 'dist', 'icons', `${provider}.svg`),
    dark: vscode.Uri.joinPath(extension, 'dist', 'icons', `${provider}.dark.svg`),
  });
  const accounts = own(createAccounts({
    state: context.globalState, secrets: context.secrets, sandbox: process.env.MAILROOM_SANDBOX, ask: askSecrets, proxies: proxySettings,
    changed: (account, named) => {
      drawn = snapshot();
      if (account === undefined) { tree.fire(undefined); counted(); if (drawn.length) reached('added'); } else void model.renew(account, !named);
    },
    observe: (account, seen) => {
      requests.observe(account.name, seen);
      if (seen.wait !== undefined) waits.wait(account.name, seen.wait);
      else if (seen.status === 429 && seen.method !== 'GET') window.setStatusBarMessage('clock', t('The provider asked {0} to slow down.', account.name), 15_000);
    },
    refused: (account, error) => problems.refused(account.id, error),
    stateChanged: id => redraw(id),
    notDeleted: (account, error) => {
      log.error(`${account.name}: the secret was not deleted`, String(error));
      void window.showWarningMessage(
        t('The secret of {0} could not be deleted and may still be in the secret store. Delete it there, or revoke it at the provider.', account.name));
    },
    storeFailed: error => {
      log.error(t('The secret store is not responding.'), String(error));
      void window.showWarningMessage(t('The system’s secret store is not responding, so secrets are kept for this session only.'), t('Learn More'))
        .then(picked => picked === undefined ? undefined
          : vscode.env.openExternal(vscode.Uri.parse('https://code.visualstudio.com/docs/configure/settings-sync#_troubleshooting-keychain-issues')));
    },
  }));
  /** The accounts as they were drawn last: in another window some may have come, gone or been changed, which is told to nobody. */
  let drawn: readonly StoredAccount[] | undefined;
  const snapshot = () => structuredClone(accounts.all());
  own(vscode.window.onDidChangeWindowState(({ focused }) => {
    const before = drawn;
    if (!focused || before === undefined || isDeepStrictEqual(before, accounts.all())) return;
    drawn = snapshot();
    tree.fire(undefined);
    counted();
    for (const now of drawn) {
      const old = before.find(({ id }) => id === now.id);
      if (old && !isDeepStrictEqual({ ...old, name: '' }, { ...now, name: '' })) void model.renew(now.id, true);
    }
  }));
  own(onProxySettings(() => accounts.renewNetwork()));
  const model = createModel({
    accounts: () => accounts.list(), open: (id, signal) => accounts.open(id, signal),
    changed: node => { tree.fire(node); counted(); },
    loaded: () => { counted(); live.sync(); },
  });
  const live = own(createLive({ accounts, model, failed: (account, error) => log.warn(`${account}: news are not heard for now`, String(error)) }));
  const localMail = own(createLocalMail({
    accounts, folder: vscode.Uri.joinPath(context.globalStorageUri, 'localMail').fsPath, state: context.workspaceState, log,
  }));
  const tree = own(createTree({ model, icon, stateOf: id => accounts.stateOf(id), shown: () => { drawn = snapshot(); accounts.warm(); localMail.resume(); } }));
  const attention = own(createAttention(model));
  const view = own(vscode.window.createTreeView<Node>('mailroom.accounts', {
    treeDataProvider: tree.provider, canSelectMany: true, showCollapseAll: true, dragAndDropController: createDrag(() => operator),
  }));
  const attentionView = own(vscode.window.createTreeView('mailroom.attention', { treeDataProvider: attention.provider, canSelectMany: true }));
  let selection: readonly Node[] = [];
  /** The palette offers what the selected row's menu does. */
  const offered = () => void vscode.commands.executeCommand('setContext', 'mailroom.row', selection[0] ? contextOf(selection[0]) : '');
  const selected = (event: vscode.TreeViewSelectionChangeEvent<Node>) => { selection = event.selection; offered(); };
  own(view.onDidChangeSelection(selected));
  own(attentionView.onDidChangeSelection(selected));
  own(view.onDidChangeVisibility(({ visible }) => live.seen(visible)));
  own(view.onDidExpandElement(({ element }) => live.opened(element)));
  own(view.onDidCollapseElement(({ element }) => live.closed(element)));
  live.seen(view.visible);
  own(vscode.window.registerFileDecorationProvider(stateDecorations()));

  /**
   * Draws the row of an account anew, a moment after nothing below it is being read any more: with it VS Code asks for all that is open below,
   * and older versions lose what was still on its way.
   */
  const redraw = (id: string): void => {
    clearTimeout(redrawing.get(id));
    redrawing.set(id, setTimeout(() => {
      const root = model.find(id);
      if (root && model.branches().some(one => one.account.id === id && one.loading !== undefined)) redraw(id); else if (root) tree.fire(root);
    }, CALM));
  };
  const redrawing = new Map<string, NodeJS.Timeout>();
  own({ dispose: () => { for (const one of redrawing.values()) clearTimeout(one); } });

  /** The badge counts only what needs the user. */
  let timer: NodeJS.Timeout | undefined;
  const counted = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      const count = attention.rows().length;
      attentionView.badge = count
        ? { value: count, tooltip: count === 1 ? t('One mailbox needs attention') : t('{0} mailboxes need attention', count) }
        : undefined;
      attentionView.message = count ? undefined : t('Nothing needs attention among the mailboxes loaded so far.');
      attention.fire();
      const filtered = [...new Set(model.branches().filter(one => one.filter).map(({ label }) => label))];
      view.message = filtered.length ? t('Filtered: {0}', filtered.join(', ')) : undefined;
      offered();
    }, 100);
  };
  own({ dispose: () => clearTimeout(timer) });

  const readOnly = own(createReadOnly());
  const showJson = (label: string, value: unknown) =>
    readOnly.show(`${label}.json`, 'json', async () => `${JSON.stringify(value, (_, one: unknown) => typeof one === 'function' ? undefined : one, 2)}\n`);
  const documents = own(new Documents({
    accounts, places: createPlaces(context.workspaceState),
    refused: (uri, account, error) => problems.tell(t('Save'), error, { on: labelOfDocument(uri), account, write: true }),
    saved: (place, answer) => {
      reached('saved');
      const node = model.loaded()
        .filter(one => one.account.id === place.account && one.resource === place.resource && idOfItem(one.item) === place.refs[place.resource]);
      for (const one of node) {
        if (typeof answer !== 'object' || answer === null) continue;
        const item = answer as Record<string, unknown>;
        if (idOfItem(item) !== idOfItem(one.item)) continue;
        // A receipt names the object and says nothing of it.
        if (labelOf(one.resource, item) === idOfItem(item) && one.parent?.kind === 'branch') void model.refresh(one.parent); else model.update(one, item);
      }
    },
    overwrite: async (uri, fields) => {
      const compare = t('Compare'), button = t('Overwrite');
      const picked = await window.showWarningMessage(
        t('Overwrite what someone else changed in {0}?', labelOfDocument(uri)),
        { modal: true, detail: fields.map(({ label, theirs, ours }) => t('{0}: {1} on the server, {2} here.', label, theirs, ours)).join('\n') },
        compare, button,
      );
      if (picked === compare) void vscode.commands.executeCommand('mailroom.compareServer', uri);
      return picked === button;
    },
  }));
  own(vscode.workspace.registerFileSystemProvider(SCHEME, documents.provider, { isCaseSensitive: true }));
  const scripts = own(createScripts({
    accounts, placeOf: uri => documents.placeOf(uri),
    refused: (uri, account, error) => problems.tell(t('Save'), error, { on: nameOf(uri), account, write: true }),
    saved: ({ account, resource }) => {
      for (const one of model.branches()) if (one.rows && one.account.id === account && one.branch.resource === resource) void model.refresh(one);
    },
  }));
  own(vscode.workspace.registerFileSystemProvider(SCRIPTS, scripts.provider, { isCaseSensitive: true }));
  own(vscode.workspace.registerTextDocumentContentProvider(ON_SERVER, { provideTextDocumentContent: uri => scripts.serverText(uri) }));
  own(registerJsonHelp(documents));
  own(vscode.workspace.registerTextDocumentContentProvider('mailroom-server', { provideTextDocumentContent: uri => documents.serverText(uri) }));

  /** Ticks a step of the walkthrough off. */
  const reached = (step: 'added' | 'saved' | 'listed' | 'sent') => void vscode.commands.executeCommand('setContext', `mailroom.${step}`, true);

  const done = (name: string, written: readonly Written[]) => {
    for (const { target } of written) { log.info(`${target.account.name}: ${name} done`); reader.done(target); }
    const changed = written.filter(({ target }) => operationOf(target.account.provider, name)?.effect !== 'read');
    for (const { target } of changed) void documents.acted(target, splitName(name)[0] === target.resource && removes(target.account.provider, name));
    for (const id of new Set(changed.map(({ target }) => target.account.id))) void scripts.renew(id);
    void settle(model, name, changed);
  };
  const operator = createOperator({ extension, accounts, problems, showJson, done });
  const compose = createComposer({ extension, accounts, operator, state: context.globalState, log, sent: () => reached('sent') });
  const reader = createReader({
    extension, accounts, operator, showJson, showText: (name, language, text) => readOnly.show(name, language, text),
    compose: (target, operation, all) => compose(target, operation, undefined, all),
    beside(target, way) {
      const { node } = target, rows = node?.parent?.kind === 'branch' ? node.parent.rows : undefined, at = rows?.findIndex(({ id }) => id === node?.id) ?? -1;
      const other = at < 0 ? undefined : rows![at + (way === 'next' ? 1 : -1)];
      return other && targetOf(other);
    },
  }), { read } = reader;
  const editLists = createListsEditor({ extension, accounts, operator, changed: (target, resource) => {
    reached('listed');
    for (const branch of model.branches()) {
      if (branch.rows && branch.account.id === target.account.id
          && (resource ? branch.branch.resource === resource : target.node && branch.id.startsWith(`${target.node.id}/`))) {
        void model.refresh(branch);
      }
    }
  } });
  own(vscode.window.registerCustomEditorProvider('mailroom.form', createEditor({
    extension, accounts, documents,
    act: async (uri, action) => { await vscode.commands.executeCommand('mailroom.documentAction', uri, action); },
    pick: async (one, field, values) => {
      const account = accounts.list().find(({ id }) => id === one.place.account);
      return account
        ? operator.pickFor({ account, resource: one.place.resource, binding: one.binding, label: '' }, one.editing.fields[field]!, values)
        : undefined;
    },
  }), { supportsMultipleEditorsPerDocument: true }));
  own(vscode.window.registerCustomEditorProvider('mailroom.eml', createEmlEditor({
    extension, showJson, showText: (name, language, text) => readOnly.show(name, language, text),
  }), { webviewOptions: { enableFindWidget: true } }));
  own(vscode.window.registerUriHandler(uriHandler));

  own({ dispose: () => void stopSandbox() });
  own(restoreTabs({
    extension, accounts, read, editLists, compose, requests: back => openRequests(extension, requests, back),
    overview: ({ account, resource, binding, label }, back) =>
      openOverview(extension, accounts, account, resource ? { within: binding, resource, label } : undefined, back),
  }));
  const showLocalMail = async (): Promise<void> => {
    const root = (await model.children()).find(({ id }) => id === LOCAL_MAIL);
    const list = root && (await model.children(root)).find(one => one.kind === 'branch' && isMessage(one.branch.resource));
    if (list) await view.reveal(list, { expand: true, select: false });
  };
  registerCommands({
    context, log, problems, accounts, model, tree, attention, operator, documents, localMail, compose, read, editLists, showJson,
    selection: () => selection, inAccounts: () => view.selection, showRequests: () => openRequests(extension, requests), showLocalMail,
    preview: file => previewMail({
      extension, showJson, showText: (name, language, text) => readOnly.show(name, language, text),
      async deliver(message) {
        await localMail.begin();
        await (await accounts.open(LOCAL_MAIL)).call('message.send', { from: 'preview@example.com', to: ['inbox@example.com'], saveToSent: 'no', ...message });
      },
    }, file),
  });
}
