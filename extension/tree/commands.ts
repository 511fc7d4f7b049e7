import * as vscode from 'vscode';
import type { Accounts } from '../accounts/store.js';
import { idOfItem, isMailbox, operationOf, searchField } from '../fields/tables.js';
import { inView, type Register } from '../host/commands.js';
import { isCancel, type Problems } from '../host/problems.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import { isNode, type Chosen } from './chosen.js';
import { canFollow, hasMore, listsMailboxes, type AccountNode, type BranchNode, type Model } from './model.js';
import { n8nNodes } from './n8nNodes.js';
import type { createAttention, createTree } from './rows.js';
import { readMailboxes } from './readMailboxes.js';
import type { Watch } from './watch.js';

interface Parts {
  register: Register;
  chosen: Chosen;
  accounts: Accounts;
  model: Model;
  problems: Problems;
  log: vscode.LogOutputChannel;
  tree: ReturnType<typeof createTree>;
  attention: ReturnType<typeof createAttention>;
  watch: Watch;
}

/** The commands for what the tree shows: reading again, more of it, less of it, and copying from it. */
export function registerTreeCommands(parts: Parts): void {
  const { register, chosen, accounts, model, tree, watch } = parts;
  register('refresh', async (node: unknown) => {
    const one = isNode(node) ? (node.kind === 'note' ? node.of : node) : undefined;
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
  register('loadMore', (node: unknown) => {
    const branch = chosen.list(node);
    return branch && inView(() => model.more(branch));
  });
  register('loadAll', (node: unknown) => {
    const branch = chosen.list(node);
    return branch && loadAll(parts, branch);
  });
  register('filter', (node: unknown) => {
    const branch = chosen.list(node);
    return branch && search(model, branch);
  });
  register('clearFilter', (node: unknown) => {
    const branch = chosen.list(node);
    return branch && inView(() => model.filter(branch, undefined));
  });
  register('copyId', async (node: unknown, nodes: unknown) => {
    const all = chosen.items(node, nodes);
    if (!chosen.need(all[0], t('Select a row in the Mailroom view first.'))) return;
    await vscode.env.clipboard.writeText(all.map(one => idOfItem(one.item)).join('\n'));
    window.setStatusBarMessage('check', t('Copied'), 3000);
  });
  register('copyNode', async (node: unknown, nodes: unknown) => {
    const all = chosen.rows(node, nodes).filter(one => one.kind === 'item' || one.kind === 'branch');
    if (!chosen.need(all[0], t('Select a row in the Mailroom view first.'))) return;
    await vscode.env.clipboard.writeText(JSON.stringify(n8nNodes(all), null, 2));
    void window.showInformationMessage(t('Copied. Paste it into an n8n canvas.'));
  });
  register('checkAll', () => checkAll(parts));
  register('watch', async (node: unknown) => {
    const id = await chosen.account(node, one => canFollow(one.provider) && !watch.has(one.id));
    const account = accounts.list().find(one => one.id === id);
    if (!chosen.need(account, t('No account here tells of new mail by itself.'))) return;
    if (!canFollow(account!.provider))
      void window.showInformationMessage(t('{0} does not tell of new mail by itself.', account!.provider.name));
    else if (!watch.can(account!))
      void window.showInformationMessage(t('{0} forgets its secret, so it cannot be watched.', account!.name));
    else await watch.add(account!.id);
  });
  register('stopWatching', async (node: unknown) => {
    const id = await chosen.account(node, one => watch.has(one.id));
    if (id !== undefined) await watch.remove(id);
  });
}

async function loadAll({ model, tree, attention }: Parts, branch: BranchNode): Promise<void> {
  await window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: t('Loading all {0}', branch.label), cancellable: true },
    async (progress, token) => {
      const listening = token.onCancellationRequested(() => model.cancel(branch));
      while (hasMore(branch) && !token.isCancellationRequested) {
        for (let i = 0; i < 10 && hasMore(branch) && !token.isCancellationRequested; i++)
          await model.more(branch, 'quiet');
        progress.report({ message: t('{0} so far', branch.rows?.length ?? 0) });
      }
      listening.dispose();
      tree.fire(branch);
      attention.fire();
    },
  );
}

async function search(model: Model, branch: BranchNode): Promise<void> {
  const operation = operationOf(branch.account.provider, branch.branch.operation)!;
  const server = searchField(operation);
  const text = await window.showInputBox({
    title: t('Filter {0}', branch.label),
    value: branch.filter?.text ?? '',
    placeHolder: server ? operation.input[server]!.label : t('Part of the name'),
    prompt: server
      ? t('{0} runs the search. Leave empty to show everything.', branch.account.provider.name)
      : t(
          '{0} cannot search here, so Mailroom reads the whole list. Leave empty to show everything.',
          branch.account.provider.name,
        ),
  });
  if (text !== undefined) await inView(() => model.filter(branch, text.trim() ? { text: text.trim() } : undefined));
}

/** Reads every list of mailboxes of every account, and says how many of them need attention. */
async function checkAll({ accounts, model, tree, attention, problems, log }: Parts): Promise<void> {
  const all = accounts.list().filter(({ provider }) => listsMailboxes(provider));
  const failed = new Set<string>();
  const stopped = await window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: t('Checking all mailboxes'), cancellable: true },
    async (progress, token) => {
      // A page that is waited for may be a minute away, at the pace of its vendor; whoever cancels does not wait for
      // it.
      const cancelled = new Promise<void>(resolve => token.onCancellationRequested(() => resolve()));
      // Each account at its vendor's own pace, so that a slow one holds up nobody.
      const looked = Promise.all(
        all.map(async ({ id, name }) => {
          try {
            const unread = await readMailboxes(model, id, {
              stopped: () => token.isCancellationRequested,
              at: label => progress.report({ message: `${name}: ${label}` }),
              reading: branch => token.onCancellationRequested(() => model.cancel(branch)),
            });
            for (const branch of unread) log.error(`${name}: ${branch.label}: ${branch.failed?.message ?? ''}`);
            if (unread.length) failed.add(name);
          } catch (error) {
            if (!isCancel(error)) {
              failed.add(name);
              problems.tell(name, error, { account: id });
            }
          }
          progress.report({ increment: 100 / Math.max(1, all.length) });
        }),
      );
      await Promise.race([looked, cancelled]);
      return token.isCancellationRequested;
    },
  );
  tree.fire(undefined);
  attention.fire();
  const boxes = new Set(
    model
      .loaded()
      .filter(node => isMailbox(node.resource))
      .map(node => `${node.account.id} ${node.resource} ${idOfItem(node.item)}`),
  ).size;
  const found = attention.rows().length;
  const said =
    found === 1
      ? t('{0} mailboxes are loaded; one needs attention.', boxes)
      : t('{0} mailboxes are loaded; {1} need attention.', boxes, found);
  if (!failed.size) {
    void window.showInformationMessage(stopped ? `${said} ${t('You cancelled, so there may be more.')}` : said);
    return;
  }
  const logs = t('Show Log');
  void window
    .showWarningMessage(`${said} ${t('Some lists could not be read: {0}.', [...failed].join(', '))}`, logs)
    .then(picked => (picked === logs ? log.show() : undefined));
}
