import * as vscode from 'vscode';
import { splitName } from '../../shared/index.js';
import type { AccountInfo, Accounts } from '../accounts/store.js';
import { branchesAt, inputFrom, isMail, isMailbox, NOTHING_BOUND, operationOf, VERBS } from '../fields/tables.js';
import { openForm } from '../form/ask.js';
import { inView, type Register } from '../host/commands.js';
import { inSentence, t, title } from '../host/text.js';
import { window } from '../host/window.js';
import { selectList, type Chosen } from '../tree/chosen.js';
import {
  actionsOf,
  contextOf,
  listsMailboxes,
  resourceOf,
  type BranchNode,
  type ItemNode,
  type Model,
  type Node,
} from '../tree/model.js';
import type { Values } from '../webview/messages.js';
import { exportList } from './export.js';
import { mailboxesOf } from './mailboxes.js';
import { isOrdered, moveBy } from './order.js';
import type { Operator } from './run.js';
import { targetOf, type Target } from './target.js';

interface Parts {
  register: Register;
  chosen: Chosen;
  accounts: Accounts;
  model: Model;
  operator: Operator;
  extension: vscode.Uri;
  /** Whether a feature has a page of its own for an operation on a row, which it then opens. */
  opens(target: Target, operation: string, alone: boolean): boolean;
}

/** The commands that run operations of the tables on rows. */
export function registerOperationCommands(parts: Parts): void {
  const { register, chosen, operator } = parts;
  register('filterForm', (node: unknown) => {
    const branch = chosen.list(node);
    if (branch) filterForm(parts, branch);
  });
  register('actions', (node: unknown, nodes: unknown) => chooseAction(parts, chosen.rows(node, nodes)));
  register('create', async (node: unknown) => {
    const one = chosen.need(chosen.rows(node)[0], selectList());
    if (!one) return;
    const name =
      one.kind === 'branch' || one.kind === 'choice'
        ? actionsOf(one).find(action => ['create', 'add'].includes(splitName(action)[1]))
        : undefined;
    if (name) await operator.run(targetOf(one), name);
    else chosen.refuse(one);
  });
  /** Runs what stands on a command on the selection, as the first row's provider calls it. */
  const onRows = async (
    node: unknown,
    nodes: unknown,
    operations: (resource: string) => readonly string[],
    extra: Values = {},
  ): Promise<void> => {
    const all = chosen.rows(node, nodes);
    const first = chosen.need(all[0], t('Select a row in the Mailroom view first.'));
    if (!first) return;
    const offered = actionsOf(first);
    const name = operations(resourceOf(first)).find(one => offered.includes(one));
    if (name) await operator.runMany(all.map(targetOf), name, extra);
    else chosen.refuse(first);
  };
  const ofOwn =
    (...verbs: string[]) =>
    (resource: string) =>
      verbs.map(verb => `${resource}.${verb}`);
  register('delete', async (node: unknown, nodes: unknown) => {
    const all = chosen.rows(node, nodes);
    if (all[0]?.kind === 'account') await vscode.commands.executeCommand('mailroom.removeAccount', all[0], all);
    else await onRows(node, nodes, ofOwn('delete', 'remove'));
  });
  for (const [command, verbs] of Object.entries(VERBS)) {
    register(command, (node: unknown, nodes: unknown) => onRows(node, nodes, ofOwn(...verbs)));
  }
  register('syncNow', (node: unknown, nodes: unknown) => onRows(node, nodes, () => ['sync.start']));
  for (const [command, read] of [
    ['markRead', true],
    ['markUnread', false],
  ] as const) {
    register(command, (node: unknown, nodes: unknown) => onRows(node, nodes, () => ['message.mark'], { read }));
  }
  const move = async (node: unknown, steps: number) => {
    const one = chosen.row(node);
    if (isOrdered(one)) await moveBy(operator, one, steps);
    else if (one) chosen.refuse(one);
  };
  register('moveUp', (node: unknown) => move(node, -1));
  register('moveDown', (node: unknown) => move(node, 1));
  register('export', (node: unknown) => exportRows(parts, node));
}

async function chooseAction({ chosen, operator, opens }: Parts, all: readonly Node[]): Promise<void> {
  const [first, ...rest] = all;
  if (!chosen.need(first, t('Select a row in the Mailroom view first.'))) return;
  const { provider } = first!.account;
  const target = targetOf(first!);
  const names = actionsOf(first!);
  if (!names.length) {
    chosen.refuse(first!);
    return;
  }
  const items = names.map(name => ({ label: operationOf(provider, name)!.summary, description: name, name }));
  const picked = await window.showQuickPick(items, {
    title: [target.label, rest.length ? t('and {0} more', rest.length) : ''].filter(Boolean).join(' '),
    placeHolder: t('Choose an action'),
    matchOnDescription: true,
  });
  if (!picked || opens(target, picked.name, !rest.length)) return;
  await operator.runMany(all.map(targetOf), picked.name);
}

/** A form over all that a list can be limited by. */
function filterForm({ model, operator, extension }: Parts, branch: BranchNode): void {
  const { provider } = branch.account;
  const name = branch.branch.operation;
  const known = inputFrom(provider, name, branch.binding);
  const target = targetOf(branch);
  const fields = Object.fromEntries(
    Object.entries(operationOf(provider, name)!.input).filter(([key]) => known[key] === undefined),
  );
  openForm({
    extension,
    identity: `filter ${branch.id}`,
    icon: 'filter',
    title: t('Filter {0}', branch.label),
    subtitle: branch.account.name,
    fields,
    values: branch.filter?.input ?? {},
    submit: t('Apply'),
    general: t('Filters'),
    pickable: ref => operationOf(provider, `${ref}.list`) !== undefined,
    pick: (field, now) => operator.pickFor(target, fields[field]!, now),
    run: async input => {
      await inView(() => model.filter(branch, Object.keys(input).length ? { input } : undefined));
      return true;
    },
  });
}

/** A list of an account, or all of a kind below a place, into a file. */
async function exportRows({ chosen, accounts, model }: Parts, node: unknown): Promise<void> {
  const branch = chosen.listOf(node);
  if (branch) {
    await exportList(`${branch.account.name} ${branch.label}`, signal => model.listed(branch, signal));
    return;
  }
  const able = accounts.list().filter(({ provider }) => listsMailboxes(provider));
  if (!chosen.need(able[0], t('No account here lists mailboxes.'))) return;
  const [row] = chosen.rows(node);
  const place = row?.kind === 'item' && contextOf(row).split(';').includes('can.export') ? row : undefined;
  const id = place?.account.id ?? (await chosen.account(node, ({ provider }) => listsMailboxes(provider)));
  const account = able.find(one => one.id === id);
  if (!account) return;
  await exportPlace(accounts, account, place);
}
async function exportPlace(accounts: Accounts, account: AccountInfo, place: ItemNode | undefined): Promise<void> {
  const binding = place?.binding ?? NOTHING_BOUND;
  const name = place?.label ?? account.name;
  const { provider } = account;
  // What else stands there, but mail: of that there is too much, and it is read, not counted.
  const others = branchesAt(provider, account.values, place?.resource, binding).filter(
    one => one.choice === undefined && one.only === undefined && !isMailbox(one.resource) && !isMail(one.resource),
  );
  const boxes = { label: t('Mailboxes'), picked: true, list: undefined };
  const picked = !others.length
    ? [boxes]
    : await window.showQuickPick([boxes, ...others.map(list => ({ label: list.label, picked: false, list }))], {
        canPickMany: true,
        title: t('Export {0}', name),
        placeHolder: t('What do you want to export?'),
      });
  if (!picked?.length) return;
  const what = picked.every(({ list }) => !list) ? t('Mailboxes of {0}', name) : name;
  await exportList(what, async function* (signal) {
    for (const { list } of picked) {
      const found = list
        ? ((await accounts.open(account.id, signal)).call(
            list.operation,
            inputFrom(provider, list.operation, binding),
          ) as AsyncIterable<Values>)
        : undefined;
      if (found) for await (const item of found) yield { kind: inSentence(title(list!.resource)), ...item };
      else
        for await (const { resource, item } of mailboxesOf(
          account,
          accounts,
          signal,
          place ? { within: binding } : {},
        )) {
          yield { kind: inSentence(title(resource)), ...item };
        }
    }
  });
}
