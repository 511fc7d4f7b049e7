import * as vscode from 'vscode';
import { isMailError, nextStep } from '../../shared/index.js';
import type { AccountState } from '../accounts/store.js';
import { idOfItem, isConversation, isMail, isMessage } from '../fields/tables.js';
import { oneLine } from '../host/problems.js';
import { t, title } from '../host/text.js';
import { inMarkdown } from '../host/window.js';
import {
  contextOf,
  deletionOf,
  describe,
  needsAttention,
  shortDate,
  stateLabel,
  stateOf,
  statusOf,
  type ItemNode,
  type Model,
  type Node,
} from './model.js';

/** The scheme of the addresses that carry a row's state to the decorations. */
const STATE = 'mailroom-state';

interface TreeParts {
  model: Model;
  icon(provider: string): { light: vscode.Uri; dark: vscode.Uri };
  /** What the last exchange said of an account. */
  stateOf?(account: string): AccountState | undefined;
  /** Told when the accounts are shown: somebody is going to open one. */
  shown?(): void;
}

/** Maps the model to rows; holds nothing itself. */
export function createTree({ model, icon, shown, stateOf }: TreeParts) {
  const emitter = new vscode.EventEmitter<Node | undefined>();
  const provider: vscode.TreeDataProvider<Node> = {
    onDidChangeTreeData: emitter.event,
    getChildren(node) {
      if (!node) shown?.();
      return node?.kind === 'note' ? [] : model.children(node);
    },
    getParent: node => node.parent,
    getTreeItem: node => row(node),
    resolveTreeItem(item, node) {
      item.tooltip = tooltip(node, stateOf?.(node.account.id));
      return item;
    },
  };

  function row(node: Node): vscode.TreeItem {
    const item = new vscode.TreeItem(
      node.label,
      model.expandable(node) ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None,
    );
    item.id = node.id;
    item.contextValue = contextOf(node);
    const description = describe(node);
    if (description) item.description = description;
    switch (node.kind) {
      case 'account': {
        item.iconPath = icon(node.account.provider.id);
        const state = stateOf?.(node.account.id);
        if (!state || state === 'good') break;
        // First, because a narrow view cuts what comes last.
        item.description = [accountState(state), description].filter(Boolean).join(' · ');
        item.resourceUri = vscode.Uri.from({ scheme: STATE, path: `/${encodeURIComponent(node.id)}`, query: state });
        item.accessibilityInformation = { label: [node.label, item.description].join(', ') };
        break;
      }
      case 'branch':
      case 'choice':
        item.iconPath = new vscode.ThemeIcon(iconOf(node.branch.resource, node));
        break;
      case 'single':
        item.iconPath = new vscode.ThemeIcon('settings');
        item.command = { command: 'mailroom.open', title: t('Open'), arguments: [node] };
        break;
      case 'item': {
        const status = statusOf(node.item);
        item.iconPath = new vscode.ThemeIcon(itemIcon(node));
        const label = node.label || (isMail(node.resource) ? t('(no subject)') : '');
        const unread = isMessage(node.resource) && node.item.read === false;
        item.label = label;
        if (unread)
          item.resourceUri = vscode.Uri.from({
            scheme: STATE,
            path: `/${encodeURIComponent(node.id)}`,
            query: 'unread',
          });
        if (status && status !== 'active' && status !== 'unknown') {
          item.resourceUri = vscode.Uri.from({ scheme: STATE, path: `/${encodeURIComponent(node.id)}`, query: status });
        }
        item.command = { command: 'mailroom.open', title: t('Open'), arguments: [node] };
        item.accessibilityInformation = {
          label: [title(node.resource), unread ? t('unread') : '', label, description].filter(Boolean).join(', '),
        };
        break;
      }
      case 'note': {
        const [icon, command] = NOTES[node.note];
        item.iconPath =
          node.note === 'problem'
            ? new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'))
            : icon
              ? new vscode.ThemeIcon(icon)
              : undefined;
        if (node.note === 'problem' && node.error) item.label = oneLine(node.error);
        if (command) item.command = { command, title: node.label, arguments: [node] };
        break;
      }
    }
    return item;
  }

  return { provider, fire: (node: Node | undefined) => emitter.fire(node), dispose: () => emitter.dispose() };
}

const NOTES = {
  more: ['ellipsis', 'mailroom.loadMore'],
  empty: ['', ''],
  problem: ['error', ''],
  retry: ['refresh', 'mailroom.refresh'],
  edit: ['edit', 'mailroom.editAccount'],
  log: ['output', 'mailroom.showLog'],
} as const;

const ICONS: Readonly<Record<string, string>> = {
  mailbox: 'inbox',
  alias: 'mention',
  message: 'mail',
  conversation: 'comment-discussion',
  thread: 'comment-discussion',
  folder: 'folder',
  tenant: 'organization',
  domain: 'globe',
  user: 'person',
  customer: 'organization',
  contact: 'person',
  webhook: 'broadcast',
  key: 'key',
  connectToken: 'key',
  task: 'tasklist',
  file: 'file',
  attachment: 'file',
  mailing: 'send',
  source: 'server',
  script: 'file-code',
  rule: 'list-ordered',
};
const iconOf = (resource: string, node?: Node): string =>
  ICONS[resource] ??
  (/spam/i.test(resource)
    ? node?.kind === 'branch' && /allow/i.test(node.branch.label)
      ? 'pass'
      : 'shield'
    : /mailbox$/i.test(resource)
      ? 'inbox'
      : /message$/i.test(resource)
        ? 'mail'
        : /thread$/i.test(resource)
          ? 'comment-discussion'
          : /file$/i.test(resource)
            ? 'file'
            : /sync|berry/i.test(resource)
              ? 'device-mobile'
              : /address$/i.test(resource)
                ? 'mention'
                : 'list-unordered');
function itemIcon({ resource, item }: ItemNode): string {
  if (isMessage(resource)) return item.read === true ? 'mail-read' : 'mail';
  if (isConversation(resource)) return 'comment-discussion';
  if (resource === 'mailbox') return 'inbox';
  if (/spam/i.test(resource)) return 'circle-small-filled';
  return iconOf(resource);
}

/** What is shown when the mouse rests on a row; made then, not before. */
function tooltip(node: Node, state?: AccountState): vscode.MarkdownString | undefined {
  const text = new vscode.MarkdownString();
  const lines: [string, unknown][] = [];
  if (node.kind === 'account') {
    lines.push(
      [t('Provider'), node.account.provider.name],
      [t('Address'), node.account.values.baseUrl ?? node.account.values.imapHost],
    );
    if (state) lines.push([t('State'), accountState(state)]);
    if (node.account.provider.notice) lines.push([t('Notice'), node.account.provider.notice]);
  } else if (node.kind === 'item') {
    const { item } = node;
    const from = item.from as { name?: string; email?: string } | undefined;
    const status = statusOf(item);
    lines.push(
      [t('Address'), item.email],
      [t('Name'), item.name],
      [t('From'), from && [from.name, from.email && `<${from.email}>`].filter(Boolean).join(' ')],
      [t('Date'), shortDate(item.date)],
      [t('State'), stateOf(node) || (status && stateLabel(status))],
      [t('Created'), shortDate(item.createdAt)],
      [t('Changed'), shortDate(item.updatedAt)],
      [t('ID'), idOfItem(item)],
      [t('Deletion'), shortDate(deletionOf(item))],
    );
  } else if (node.kind === 'note' && node.note === 'problem' && isMailError(node.error)) {
    lines.push([t('Problem'), node.error.message], [t('Next step'), nextStep(node.error)]);
  } else return undefined;
  for (const [name, value] of lines) {
    if (typeof value === 'string' && value !== '') {
      text.appendMarkdown(`**${inMarkdown(name)}** ${inMarkdown(value)}  \n`);
    }
  }
  return text;
}

/** How an account is, in a word or two. */
const accountState = (state: AccountState): string =>
  state === 'good' ? t('connected') : state === 'signIn' ? t('sign-in needed') : t('cannot be reached');

/** Letters and colours for states, so that a state can change without building the row anew. */
export function stateDecorations(): vscode.FileDecorationProvider {
  return {
    provideFileDecoration(uri) {
      if (uri.scheme !== STATE) return undefined;
      const status = uri.query;
      switch (status) {
        case 'error':
          return { badge: '!', color: new vscode.ThemeColor('list.errorForeground'), tooltip: stateLabel(status) };
        case 'deleting':
          return { badge: 'D', color: new vscode.ThemeColor('list.warningForeground'), tooltip: stateLabel(status) };
        case 'pending':
          return { badge: 'P', tooltip: stateLabel(status) };
        case 'signIn':
          return { badge: '!', color: new vscode.ThemeColor('list.errorForeground'), tooltip: accountState(status) };
        case 'unreachable':
          return { badge: '?', color: new vscode.ThemeColor('list.warningForeground'), tooltip: accountState(status) };
        // The rows of a tree have no bold letters; a letter that is marked as found would look like one that was
        // searched for.
        case 'unread':
          return { badge: '●', color: new vscode.ThemeColor('list.highlightForeground'), tooltip: t('unread') };
        case 'disabled':
          return { badge: 'O', color: new vscode.ThemeColor('descriptionForeground'), tooltip: stateLabel(status) };
        default:
          return undefined;
      }
    },
  };
}

/**
 * The second view: rows of the first that need attention, whatever account they are in. The same objects, shown flat.
 */
export function createAttention(model: Model) {
  const emitter = new vscode.EventEmitter<void>();
  const rows = (): ItemNode[] => {
    const seen = new Set<string>();
    // A mailbox may be shown at the account and below its domain; it counts once.
    return model
      .loaded()
      .filter(needsAttention)
      .filter(node => {
        const key = `${node.account.id}/${node.resource}/${idOfItem(node.item)}`;
        return !seen.has(key) && seen.add(key);
      })
      .sort(
        (a, b) =>
          a.account.name.localeCompare(b.account.name) || a.label.localeCompare(b.label, undefined, { numeric: true }),
      );
  };
  const provider: vscode.TreeDataProvider<ItemNode> = {
    onDidChangeTreeData: emitter.event,
    getChildren: node => (node ? [] : rows()),
    getTreeItem(node) {
      const item = new vscode.TreeItem(node.label, vscode.TreeItemCollapsibleState.None);
      item.id = `attention/${node.id}`;
      item.contextValue = contextOf(node);
      const failed = statusOf(node.item) === 'error';
      const state = stateOf(node);
      // That something failed is what the view is for; what else there is to do says so.
      item.description = [failed ? '' : state, node.account.name].filter(Boolean).join(' · ');
      item.accessibilityInformation = { label: [node.label, state, node.account.name].join(', ') };
      item.iconPath = new vscode.ThemeIcon(
        failed ? 'warning' : statusOf(node.item) === 'deleting' ? 'clock' : 'key',
        new vscode.ThemeColor(failed ? 'list.errorForeground' : 'list.warningForeground'),
      );
      item.command = { command: 'mailroom.open', title: t('Open'), arguments: [node] };
      return item;
    },
    resolveTreeItem(item, node) {
      item.tooltip = tooltip(node);
      return item;
    },
  };
  return { provider, rows, fire: () => emitter.fire(), dispose: () => emitter.dispose() };
}
