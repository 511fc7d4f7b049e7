import * as vscode from 'vscode';
import { splitName, type Field } from '../shared/index.js';
import {
  addAccount, addSandboxAccount, askSecrets, check, exportAccounts, importAccounts, openAccountForm, signIn,
} from './accountForm/form.js';
import { grantOf, type AccountInfo, type Accounts } from './accounts/store.js';
import {
  branchesAt, idOfItem, inputFrom, isMail, isMailbox, NOTHING_BOUND, operationOf, searchField, VERBS,
} from './fields/tables.js';
import { editingOf, secretsOf } from './fields/values.js';
import { isCancel, type Problems } from './host/problems.js';
import { inSentence, t, title } from './host/text.js';
import { window } from './host/window.js';
import { isSending } from './mail/composer.js';
import { documentUri, isDocument, labelOfDocument, openedAs, type Documents } from './objects/documents.js';
import { othersOf } from './objects/editor.js';
import { exportList } from './operations/export.js';
import { mailboxesOf } from './operations/mailboxes.js';
import type { Operator } from './operations/run.js';
import { targetOf, type Target } from './operations/target.js';
import { openOverview } from './overview/panel.js';
import {
  actionsOf, contextOf, hasMore, isEntryList, listsMailboxes, resourceOf, type AccountNode, type BranchNode,
  type ItemNode, type Model, type Node, type SingleNode,
} from './tree/model.js';
import { n8nNodes } from './tree/n8nNodes.js';
import type { createAttention, createTree } from './tree/rows.js';
import { readMailboxes } from './tree/search.js';
import type { Values } from './webview/messages.js';

interface Parts {
  context: vscode.ExtensionContext; accounts: Accounts; model: Model;
  tree: ReturnType<typeof createTree>; view: vscode.TreeView<Node>; attention: ReturnType<typeof createAttention>;
  /** The rows that were selected last, in whichever view. */
  selection(): readonly Node[];
  problems: Problems; log: vscode.LogOutputChannel; operator: Operator; documents: Documents;
  compose(target: Target, operation: string): void; read(target: Target): Promise<void>;
  editLists(target: Target, resource: string): void; showJson(label: string, value: unknown): Promise<void>; showRequests(): void;
  askFilter(target: Target, fields: Readonly<Record<string, Field>>, values: Values, run: (input: Values) => Promise<void>): void;
}
/** What the key bindings of account commands pass on. */
const SELECTED = 'selected';

/** Registers every command through one function: a log line, one error handling, no double run, all arguments passed on. */
export function registerCommands(parts: Parts): void {
  const { context, accounts, model, tree, view, attention, problems, log, operator, documents } = parts;
  const extension = context.extensionUri;
  const running = new Set<string>();
  const titles = new Map((context.extension.packageJSON as { contributes: { commands: { command: string; title: string }[] } }).contributes.commands
    .map(one => [one.command, one.title.replace(/…$/, '')]));
  /** What a command was called on, in words. */
  const nameOf = (on: unknown): string | undefined => isNode(on) ? on.label : on instanceof vscode.Uri ? labelOfDocument(on)
    : typeof on === 'string' ? accounts.list().find(({ id }) => id === on)?.name : undefined;
  const register = (name: string, run: (...args: any[]) => unknown) => {
    context.subscriptions.push(vscode.commands.registerCommand(`mailroom.${name}`, async (...args: unknown[]) => {
      const first = args[0] as Node | undefined, key = `${name} ${first?.id ?? String(args[0] ?? '')}`;
      if (running.has(key)) return undefined;
      running.add(key);
      log.debug(`mailroom.${name}`);
      try { return await run(...args); } catch (error) {
        problems.tell(titles.get(`mailroom.${name}`) ?? name, error, { on: nameOf(args[0]), ...(first?.account ? { account: first.account.id } : {}) });
        return undefined;
      } finally { running.delete(key); }
    }));
  };
  const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'kind' in value && 'account' in value;
  /** The rows a command is for, the one clicked first: the selection, when that row belongs to it. From the palette, the selection too. */
  const chosen = (node: unknown, nodes: unknown): Node[] => {
    const rows = Array.isArray(nodes) && nodes.length ? nodes.filter(isNode) : isNode(node) ? [node] : [...parts.selection()];
    return isNode(node) ? [node, ...rows.filter(one => one !== node)] : rows;
  };
  const items = (node: unknown, nodes: unknown): ItemNode[] => chosen(node, nodes).filter((one): one is ItemNode => one.kind === 'item');
  const inView = <T>(work: () => Thenable<T>) => window.withProgress({ location: { viewId: 'mailroom.accounts' } }, work);
  /** Asks for what a command is about, when it was not called on a row. */
  const accountFor = async (node: unknown, able: (account: AccountInfo) => boolean = () => true): Promise<string | undefined> => {
    // A key is for the row it was pressed on.
    if (node === SELECTED) { const [one] = view.selection; return one?.kind === 'account' ? one.account.id : undefined; }
    if (typeof node === 'string') return node;
    if (isNode(node)) return node.account.id;
    const all = accounts.list().filter(able);
    if (all.length <= 1) return all[0]?.id;
    return (await window.showQuickPick(
      all.map(({ id, name, provider }) => ({ label: name, description: provider.name, id })),
      { placeHolder: t('Which account?') },
    ))?.id;
  };
  const branchFor = (node: unknown): BranchNode | undefined => {
    const [one] = chosen(node, undefined);
    return one?.kind === 'branch' ? one : one?.kind === 'note' ? one.of : undefined;
  };
  const need = <T>(value: T | undefined, sentence: string): T | undefined => {
    if (value === undefined) void window.showInformationMessage(sentence);
    return value;
  };
  const SELECT = () => t('Select a row in the Mailroom view first.'), SELECT_LIST = () => t('Select a list in the Mailroom view first, such as mailboxes.');
  /** Says that a row is not one that a command is for. */
  const refuse = ({ account: { name, provider }, label }: Node) =>
    void window.showInformationMessage(t('{0} does not offer this for “{1}”.', provider.name, label || name));

  // Accounts
  register('addAccount', () => addAccount(extension, accounts, log));
  register('addSandboxAccount', () => addSandboxAccount(accounts));
  register('editAccount', async (node: unknown) => {
    const id = await accountFor(node);
    if (id === undefined) return;
    if (accounts.isLent(id)) { void window.showInformationMessage(t('This account comes from the environment and cannot be edited.')); return; }
    const account = accounts.find(id), provider = accounts.list().find(one => one.id === id)?.provider;
    if (provider) openAccountForm(extension, accounts, provider, account, log);
  });
  register('testAccount', async (node: unknown) => {
    const id = await accountFor(node);
    if (id === undefined) return;
    const { name } = accounts.find(id);
    await window.withProgress({ location: vscode.ProgressLocation.Notification, title: t('Testing {0}', name), cancellable: true }, async (_, token) => {
      const stop = new AbortController();
      token.onCancellationRequested(() => stop.abort());
      accounts.askAgain(id);
      try {
        await (await accounts.open(id, stop.signal)).call('account.check', {});
        void window.showInformationMessage(t('{0} works.', name));
      } catch (error) { if (!stop.signal.aborted) problems.tell(t('Testing {0}', name), error, { account: id }); }
    });
  });
  register('signIn', async (node: unknown) => {
    const id = await accountFor(node);
    if (id === undefined) return;
    const account = accounts.find(id), provider = accounts.list().find(one => one.id === id)!.provider;
    const known = await accounts.secretsOf(id), browser = grantOf(provider, account.values) !== undefined;
    if (!browser && account.remember === 'keep') { await vscode.commands.executeCommand('mailroom.editAccount', id); return; }
    // What is not remembered is asked for, the secret of the app among it.
    const given = browser && known
      ? await signIn(provider, account, known.clientSecret as string | undefined, accounts.sender())
      : await askSecrets(account, accounts.sender());
    if (!given) { void window.showInformationMessage(t('The sign-in was not finished. {0} is as it was.', account.name)); return; }
    // It may have been renamed or edited meanwhile, its other secrets too; or it is gone, and stays so.
    await accounts.update(id, {}, { ...await accounts.secretsOf(id), ...given });
    void window.showInformationMessage(t('{0} is signed in.', accounts.find(id).name));
  });
  register('renameAccount', async (node: unknown) => {
    const id = await accountFor(node);
    if (id === undefined || accounts.isLent(id)) return;
    const account = accounts.find(id);
    const name = await window.showInputBox({
      title: t('Rename Account'), value: account.name, prompt: t('What stands in the tree'),
      validateInput: value => value.trim() ? undefined : t('A name is needed.'),
    });
    if (name?.trim()) await accounts.update(id, { name: name.trim() });
  });
  register('removeAccount', async (node: unknown) => {
    const id = await accountFor(node);
    if (id === undefined) return;
    const { name } = accounts.find(id), button = t('Remove Account');
    if (await window.showWarningMessage(
      t('Remove the account “{0}” from VS Code?', name),
      { modal: true, detail: t('Its secrets are deleted here. Nothing changes at the provider.') },
      button,
    ) === button) await accounts.remove(id);
  });
  register('importAccounts', () => importAccounts(accounts, results => parts.showJson(t('Imported Accounts'), results)));
  register('exportAccounts', () => exportAccounts(accounts));

  // Tree
  register('refresh', async (node: unknown) => {
    const one = isNode(node) ? node.kind === 'note' ? node.of : node : undefined;
    // Whoever asks for it wants to be asked, also after he just gave up.
    for (const { id } of one ? [one.account] : accounts.list()) accounts.askAgain(id);
    await inView(async () => {
      if (one) await model.refresh(one);
      else {
        for (const root of model.children() as AccountNode[]) await model.refresh(root);
        tree.fire(undefined);
      }
    });
  });
  register('loadMore', (node: unknown) => { const branch = need(branchFor(node), SELECT_LIST()); return branch && inView(() => model.more(branch)); });
  register('loadAll', async (node: unknown) => {
    const branch = need(branchFor(node), SELECT_LIST());
    if (!branch) return;
    await window.withProgress({
      location: vscode.ProgressLocation.Notification, title: t('Loading all {0}', branch.label), cancellable: true,
    }, async (progress, token) => {
      const listening = token.onCancellationRequested(() => model.cancel(branch));
      while (hasMore(branch) && !token.isCancellationRequested) {
        for (let i = 0; i < 10 && hasMore(branch) && !token.isCancellationRequested; i++) await model.more(branch, 'quiet');
        progress.report({ message: t('{0} so far', branch.rows?.length ?? 0) });
      }
      listening.dispose();
      tree.fire(branch);
      attention.fire();
    });
  });
  register('filter', async (node: unknown) => {
    const branch = need(branchFor(node), SELECT_LIST());
    if (!branch) return;
    const operation = operationOf(branch.account.provider, branch.branch.operation)!, server = searchField(operation);
    const text = await window.showInputBox({
      title: t('Filter {0}', branch.label), value: branch.filter?.text ?? '', placeHolder: server ? operation.input[server]!.label : t('Part of the name'),
      prompt: server
        ? t('Searched by {0}. Empty shows everything.', branch.account.provider.name)
        : t('{0} cannot search here, so the list is read and compared. Empty shows everything.', branch.account.provider.name),
    });
    if (text !== undefined) await inView(() => model.filter(branch, text.trim() ? { text: text.trim() } : undefined));
  });
  register('filterForm', (node: unknown) => {
    const branch = need(branchFor(node), SELECT_LIST());
    if (!branch) return;
    const operation = operationOf(branch.account.provider, branch.branch.operation)!;
    const known = inputFrom(branch.account.provider, branch.branch.operation, branch.binding);
    parts.askFilter(
      targetOf(branch),
      Object.fromEntries(Object.entries(operation.input).filter(([key]) => known[key] === undefined)),
      branch.filter?.input ?? {},
      async input => { await inView(() => model.filter(branch, Object.keys(input).length ? { input } : undefined)); },
    );
  });
  register('clearFilter', (node: unknown) => { const branch = need(branchFor(node), SELECT_LIST()); return branch && inView(() => model.filter(branch, undefined)); });

  // Objects
  register('open', async (node: unknown) => {
    const one = need(chosen(node, undefined)[0], SELECT());
    if (!one) return;
    if (one.kind === 'item' && isMail(one.resource)) { await parts.read(targetOf(one)); return; }
    if (one.kind !== 'item' && one.kind !== 'single') { refuse(one); return; }
    if (one.kind === 'item' && isEntryList(one.account.provider, one.resource)) {
      await vscode.commands.executeCommand('mailroom.editLists', one.parent?.parent ?? one.parent);
      return;
    }
    const uri = uriOf(one);
    if (uri) {
      // A tab that comes back waits for a click before it asks for a secret; this is one.
      if (!await accounts.ready(one.account.id)) await accounts.open(one.account.id);
      await vscode.commands.executeCommand('vscode.openWith', openedAs(uri), 'mailroom.form', { preview: true });
    }
    else await vscode.commands.executeCommand('mailroom.openJson', one);
  });
  const uriOf = (node: ItemNode | SingleNode): vscode.Uri | undefined => {
    const { provider } = node.account;
    if (!editingOf(provider, node.resource, node.binding) || !operationOf(provider, `${node.resource}.get`)) return undefined;
    return documentUri(
      { account: node.account.id, resource: node.resource, refs: { ...node.binding.refs }, choices: { ...node.binding.choices } },
      node.account.name,
      node.kind === 'single' ? `${node.label} ${node.parent && node.parent.kind === 'item' ? node.parent.label : ''}`.trim() : node.label,
    );
  };
  register('openJson', async (node: unknown) => {
    const one = need(chosen(node, undefined)[0], SELECT());
    if (!one) return;
    if (one.kind !== 'item' && one.kind !== 'single') { refuse(one); return; }
    const { provider } = one.account, get = `${one.resource}.get`;
    const value = await inView(async () => operationOf(provider, get)
      ? (await accounts.open(one.account.id)).call(get, inputFrom(provider, get, one.binding)) as Promise<unknown>
      : Promise.resolve((one as ItemNode).item));
    await parts.showJson(one.label || title(one.resource), value);
  });
  register('copyId', async (node: unknown, nodes: unknown) => {
    const all = items(node, nodes);
    if (!need(all[0], SELECT())) return;
    await vscode.env.clipboard.writeText(all.map(one => idOfItem(one.item)).join('\n'));
    window.setStatusBarMessage('check', t('Copied'), 3000);
  });
  register('copyNode', async (node: unknown, nodes: unknown) => {
    const all = chosen(node, nodes).filter(one => one.kind === 'item' || one.kind === 'branch');
    if (!need(all[0], SELECT())) return;
    await vscode.env.clipboard.writeText(JSON.stringify(n8nNodes(all), null, 2));
    void window.showInformationMessage(t('Copied. Paste it into an n8n canvas.'));
  });
  register('actions', async (node: unknown, nodes: unknown) => {
    const all = chosen(node, nodes), [first, ...rest] = all;
    if (!need(first, SELECT())) return;
    const { provider } = first!.account, target = targetOf(first!), names = actionsOf(first!);
    if (!names.length) { refuse(first!); return; }
    const picked = await window.showQuickPick(names.map(name => ({ label: operationOf(provider, name)!.summary, description: name, name })), {
      title: [target.label, rest.length ? t('and {0} more', rest.length) : ''].filter(Boolean).join(' '),
      placeHolder: t('What to do?'), matchOnDescription: true,
    });
    if (!picked) return;
    if (isSending(picked.name)) { parts.compose(target, picked.name); return; }
    if (!rest.length && splitName(picked.name)[1] === 'update' && first!.kind === 'item' && uriOf(first as ItemNode)) {
      await vscode.commands.executeCommand('mailroom.open', first);
      return;
    }
    await operator.runMany(all.map(targetOf), picked.name);
  });
  register('create', async (node: unknown) => {
    const one = need(chosen(node, undefined)[0], SELECT_LIST());
    if (!one) return;
    const name = one.kind === 'branch' || one.kind === 'choice' ? actionsOf(one).find(action => ['create', 'add'].includes(splitName(action)[1])) : undefined;
    if (name) await operator.run(targetOf(one), name); else refuse(one);
  });
  /** Runs what stands on a command on the selection, as the first row's provider calls it. */
  const onRows = async (node: unknown, nodes: unknown, operations: (resource: string) => readonly string[], extra: Values = {}): Promise<void> => {
    const all = chosen(node, nodes), first = need(all[0], SELECT());
    if (!first) return;
    const offered = actionsOf(first), name = operations(resourceOf(first)).find(one => offered.includes(one));
    if (name) await operator.runMany(all.map(targetOf), name, extra); else refuse(first);
  };
  const ofOwn = (...verbs: string[]) => (resource: string) => verbs.map(verb => `${resource}.${verb}`);
  register('delete', async (node: unknown, nodes: unknown) => {
    const all = chosen(node, nodes);
    if (all[0]?.kind === 'account') await removeAccounts(all.filter(one => one.kind === 'account'));
    else await onRows(node, nodes, ofOwn('delete', 'remove'));
  });
  async function removeAccounts(all: readonly AccountNode[]): Promise<void> {
    if (all.length === 1) { await vscode.commands.executeCommand('mailroom.removeAccount', all[0]); return; }
    const button = t('Remove {0} Accounts', all.length);
    if (await window.showWarningMessage(
      t('Remove {0} accounts from VS Code?', all.length),
      { modal: true, detail: `${all.map(({ label }) => label).join('\n')}\n\n${t('Their secrets are deleted here. Nothing changes at the providers.')}` },
      button,
    ) === button) for (const { account: { id } } of all) await accounts.remove(id);
  }
  for (const [command, verbs] of Object.entries(VERBS)) {
    register(command, (node: unknown, nodes: unknown) => onRows(node, nodes, ofOwn(...verbs)));
  }
  register('syncNow', (node: unknown, nodes: unknown) => onRows(node, nodes, () => ['sync.start']));
  for (const [command, read] of [['markRead', true], ['markUnread', false]] as const) {
    register(command, (node: unknown, nodes: unknown) => onRows(node, nodes, () => ['message.mark'], { read }));
  }
  register('reply', (node: unknown) => {
    const one = need(chosen(node, undefined)[0], SELECT());
    if (!one) return;
    if (actionsOf(one).includes('message.reply')) parts.compose(targetOf(one), 'message.reply'); else refuse(one);
  });
  register('compose', async (node: unknown) => {
    const one = isNode(node) ? node : undefined;
    const able = accounts.list().filter(({ provider }) => operationOf(provider, 'message.send'));
    const account = one?.account ?? (able.length > 1
      ? (await window.showQuickPick(
        able.map(entry => ({ label: entry.name, description: entry.provider.name, entry })), { placeHolder: t('Send from which account?') },
      ))?.entry
      : need(able[0], t('No account can send. Add one that can, such as IMAP and SMTP.')));
    if (!account) return;
    const target: Target = one ? targetOf(one) : { account, resource: '', binding: { refs: {}, choices: {} }, label: account.name };
    const from = one?.kind === 'item' && operationOf(account.provider, 'message.sendFrom') ? 'message.sendFrom' : 'message.send';
    parts.compose(target, from);
  });
  register('changePassword', async (node: unknown) => {
    const one = need(chosen(node, undefined)[0], SELECT());
    if (!one) return;
    if (one.kind === 'item' && Object.keys(secretsOf(one.account.provider, one.resource)).length) await password(targetOf(one)); else refuse(one);
  });
  /** A new secret, typed twice into boxes; it never touches a document. */
  async function password(target: Target): Promise<void> {
    const { provider } = target.account, secrets = Object.entries(secretsOf(provider, target.resource));
    const entry = secrets.length > 1
      ? (await window.showQuickPick(secrets.map(([key, field]) => ({ label: field.label, key, field })), { title: target.label }))
      : secrets[0] && { key: secrets[0][0], field: secrets[0][1] };
    if (!entry) return;
    const { key, field } = entry;
    const box = (prompt: string, complain: (value: string) => string | undefined) =>
      window.showInputBox({ title: `${field.label} · ${target.label}`, prompt, password: true, ignoreFocusOut: true, validateInput: complain });
    const first = await box([t('The new value'), field.help].filter(Boolean).join('. '), value => check({ [key]: { ...field, required: true } }, key, value));
    if (first === undefined) return;
    if (await box(t('The same once more'), value => value === first ? undefined : t('The two differ.')) === undefined) return;
    await operator.run(target, `${target.resource}.update`, { [key]: first });
  }
  register('editLists', (node: unknown) => {
    const one = need(chosen(node, undefined)[0], SELECT());
    if (!one) return;
    const { provider } = one.account, isList = (node: Node) => (node.kind === 'choice' || node.kind === 'branch') && isEntryList(provider, node.branch.resource);
    // Lists that stand side by side first: of those there is something to compare.
    const lists = one.kind === 'item' ? (model.children(one) as Node[]).filter(isList) : isList(one) ? [one] : [];
    const list = lists.find(child => child.kind === 'choice') ?? lists[0];
    const owner = one.kind === 'item' ? one : one.kind === 'branch' && one.parent?.kind === 'choice' ? one.parent.parent : one.parent;
    if (list && owner) parts.editLists(targetOf(owner), resourceOf(list)); else refuse(one);
  });

  // Documents
  const documentOf = (uri: unknown): vscode.Uri | undefined => {
    const given = uri instanceof vscode.Uri ? uri : (vscode.window.tabGroups.activeTabGroup.activeTab?.input as { uri?: vscode.Uri } | undefined)?.uri;
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
    if (one) await vscode.commands.executeCommand('vscode.diff',
      one.with({ scheme: 'mailroom-server', fragment: String(Date.now()) }), one, t('{0}: Server ↔ Yours', labelOfDocument(one)),
      // In the place of a form that was opened for a look it would compare the server with itself; as forms, older versions show no difference.
      { preview: false, override: false });
  });
  register('reloadDocument', async (uri: unknown) => { const one = documentOf(uri); if (one) await documents.reload(one); });
  const documentAction = async (uri: vscode.Uri, action: string) => {
    if (action === 'json') { await vscode.commands.executeCommand('mailroom.showDocumentJson', uri); return; }
    const { place: { resource, account: id }, binding, item } = await documents.load(uri), account = accounts.list().find(one => one.id === id);
    if (!account) return;
    const target: Target = { account, resource, binding: { ...binding, item }, label: labelOfDocument(uri) };
    if (action === 'password') { await password(target); return; }
    const name = action === 'more'
      ? (await window.showQuickPick(
        othersOf(account.provider, resource, target.binding).map(one => ({ label: operationOf(account.provider, one)!.summary, description: one, one })),
        { title: target.label, placeHolder: t('What to do?'), matchOnDescription: true },
      ))?.one
      : action;
    if (name === undefined) return;
    if (isSending(name)) parts.compose(target, name); else await operator.run(target, name);
  };
  register('documentAction', documentAction);
  /** The commands in the title of a form: the first of the operations that the provider has. */
  const onForm = (names: (resource: string) => readonly string[]) => async (uri: unknown) => {
    const one = documentOf(uri), place = one && documents.get(one)?.place;
    const provider = accounts.list().find(({ id }) => id === place?.account)?.provider;
    const name = provider && names(place!.resource).find(operation => operationOf(provider, operation));
    if (name) await documentAction(one!, name);
  };
  register('testSendDocument', onForm(resource => VERBS.testSend!.map(verb => `${resource}.${verb}`)));
  register('testSyncDocument', onForm(resource => VERBS.testSync!.map(verb => `${resource}.${verb}`)));
  register('restoreDocument', onForm(resource => [`${resource}.restore`]));
  register('syncDocument', onForm(() => ['sync.start']));

  // For developers and administrators
  register('showLog', () => log.show());
  register('showRequests', () => parts.showRequests());
  register('overview', async (node: unknown) => {
    if (isNode(node) && node.kind === 'item') {
      openOverview(extension, accounts, node.account, { within: { refs: node.binding.refs, choices: {} }, resource: node.resource, label: node.label });
      return;
    }
    const id = await accountFor(node, ({ provider }) => listsMailboxes(provider)), account = accounts.list().find(one => one.id === id);
    if (account) openOverview(extension, accounts, account);
  });
  register('export', async (node: unknown) => {
    const branch = branchFor(node);
    if (branch) {
      await exportList(`${branch.account.name} ${branch.label}`, signal => model.listed(branch, signal));
      return;
    }
    const able = accounts.list().filter(({ provider }) => listsMailboxes(provider));
    if (!need(able[0], t('No account here lists mailboxes.'))) return;
    const [row] = chosen(node, undefined), place = row?.kind === 'item' && contextOf(row).split(';').includes('can.export') ? row : undefined;
    const id = place?.account.id ?? await accountFor(node, ({ provider }) => listsMailboxes(provider));
    const account = able.find(one => one.id === id);
    if (!account) return;
    const binding = place?.binding ?? NOTHING_BOUND, name = place?.label ?? account.name, { provider } = account;
    // What else stands there, but mail: of that there is too much, and it is read, not counted.
    const others = branchesAt(provider, account.values, place?.resource, binding)
      .filter(one => one.choice === undefined && one.only === undefined && !isMailbox(one.resource) && !isMail(one.resource));
    const boxes = { label: t('Mailboxes'), picked: true, list: undefined };
    const picked = !others.length ? [boxes] : await window.showQuickPick([boxes, ...others.map(list => ({ label: list.label, picked: false, list }))], {
      canPickMany: true, title: t('Export {0}', name), placeHolder: t('What goes into the file?'),
    });
    if (!picked?.length) return;
    const what = picked.every(({ list }) => !list) ? t('Mailboxes of {0}', name) : name;
    await exportList(what, async function* (signal) {
      for (const { list } of picked) {
        const found = list
          ? (await accounts.open(account.id, signal)).call(list.operation, inputFrom(provider, list.operation, binding)) as AsyncIterable<Values>
          : undefined;
        if (found) for await (const item of found) yield { kind: inSentence(title(list!.resource)), ...item };
        else for await (const { resource, item } of mailboxesOf(account, accounts, signal, place ? { within: binding } : {})) {
          yield { kind: inSentence(title(resource)), ...item };
        }
      }
    });
  });
  register('checkAll', async () => {
    const all = accounts.list().filter(({ provider }) => listsMailboxes(provider)), failed = new Set<string>();
    const stopped = await window.withProgress({
      location: vscode.ProgressLocation.Notification, title: t('Looking at all mailboxes'), cancellable: true,
    }, async (progress, token) => {
      // A page that is waited for may be a minute away, at the pace of its vendor; whoever cancels does not wait for it.
      const cancelled = new Promise<void>(resolve => token.onCancellationRequested(() => resolve()));
      // Each account at its vendor's own pace, so that a slow one holds up nobody.
      const looked = Promise.all(all.map(async ({ id, name }) => {
        try {
          const unread = await readMailboxes(model, id, {
            stopped: () => token.isCancellationRequested, at: label => progress.report({ message: `${name}: ${label}` }),
            reading: branch => token.onCancellationRequested(() => model.cancel(branch)),
          });
          for (const branch of unread) log.error(`${name}: ${branch.label}: ${branch.failed?.message ?? ''}`);
          if (unread.length) failed.add(name);
        } catch (error) {
          if (!isCancel(error)) { failed.add(name); problems.tell(name, error, { account: id }); }
        }
        progress.report({ increment: 100 / Math.max(1, all.length) });
      }));
      await Promise.race([looked, cancelled]);
      return token.isCancellationRequested;
    });
    tree.fire(undefined);
    attention.fire();
    const boxes = new Set(model.loaded().filter(node => isMailbox(node.resource)).map(node => `${node.account.id} ${node.resource} ${idOfItem(node.item)}`)).size;
    const found = attention.rows().length;
    const said = found === 1 ? t('{0} mailboxes are loaded; one needs attention.', boxes) : t('{0} mailboxes are loaded; {1} need attention.', boxes, found);
    if (!failed.size) { void window.showInformationMessage(stopped ? `${said} ${t('You cancelled, so there may be more.')}` : said); return; }
    const logs = t('Show Log');
    void window.showWarningMessage(`${said} ${t('Not everything could be read: {0}.', [...failed].join(', '))}`, logs)
      .then(picked => picked === logs ? log.show() : undefined);
  });
}
