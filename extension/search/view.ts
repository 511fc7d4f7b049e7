import * as vscode from 'vscode';
import { isMailError } from '../../shared/index.js';
import { oneLine } from '../host/problems.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import type { ItemNode, Node } from '../tree/model.js';
import { MOST_FOLDERS, MOST_ROWS, Search, type Found } from './search.js';

/** A row of the view: an account with what was found in it, a message, or why there is nothing more. */
type Row = Found | ItemNode | { of: Found; why: string };
const isFound = (row: Row): row is Found => 'standing' in row;
const isItem = (row: Row): row is ItemNode => 'kind' in row;

interface ViewOptions extends Omit<ConstructorParameters<typeof Search>[0], 'changed'> {
  icon(provider: string): { light: vscode.Uri; dark: vscode.Uri };
  /** A message as the tree of the accounts shows it. */
  rowOf(node: ItemNode): vscode.TreeItem;
  selected(rows: readonly Node[]): void;
}

/** So long changes are gathered before they are drawn, in milliseconds. */
const CALM = 100;

/** The view with the results of a search in all accounts; it is there once somebody searched. */
export function createSearchView({ icon, rowOf, selected, ...options }: ViewOptions) {
  const emitter = new vscode.EventEmitter<Row | undefined>();
  const context = (key: string, is: boolean) =>
    void vscode.commands.executeCommand('setContext', `mailroom.${key}`, is);
  let drawing: NodeJS.Timeout | undefined;
  const draw = () => {
    drawing ??= setTimeout(() => {
      drawing = undefined;
      emitter.fire(undefined);
      view.message = search.found.length ? t('Search: {0}', search.text) : undefined;
      context('searching', search.searching);
    }, CALM);
  };
  const search = new Search({ ...options, changed: draw });
  const provider: vscode.TreeDataProvider<Row> = {
    onDidChangeTreeData: emitter.event,
    getChildren(row) {
      if (!row) return search.found;
      return isFound(row) ? [...row.rows, ...whyOf(row).map(why => ({ of: row, why }))] : [];
    },
    getParent: row =>
      isItem(row) ? search.found.find(({ rows }) => rows.includes(row)) : isFound(row) ? null : row.of,
    getTreeItem(row) {
      if (isFound(row)) return accountRow(row, icon(row.account.provider.id));
      if (!isItem(row)) return noteRow(row.why, row.of);
      const item = rowOf(row);
      item.collapsibleState = vscode.TreeItemCollapsibleState.None;
      const { folder } = row.item;
      if (typeof folder === 'string') item.description = [item.description, folder].filter(Boolean).join(' · ');
      return item;
    },
  };
  const view = vscode.window.createTreeView<Row>('mailroom.found', { treeDataProvider: provider, canSelectMany: true });
  const listening = view.onDidChangeSelection(({ selection }) => selected(selection.filter(isItem)));
  return {
    search,
    async start(text: string): Promise<void> {
      context('searched', true);
      const going = search.start(text);
      await vscode.commands.executeCommand('mailroom.found.focus');
      await window.withProgress({ location: { viewId: 'mailroom.found' } }, () => going);
    },
    clear(): void {
      search.clear();
      context('searched', false);
    },
    dispose(): void {
      search.stop();
      clearTimeout(drawing);
      listening.dispose();
      view.dispose();
      emitter.dispose();
    },
  };
}

function accountRow(found: Found, iconPath: { light: vscode.Uri; dark: vscode.Uri }): vscode.TreeItem {
  const item = new vscode.TreeItem(found.account.name, vscode.TreeItemCollapsibleState.Expanded);
  item.id = `found/${found.account.id}`;
  item.iconPath = iconPath;
  item.description = standingOf(found);
  item.accessibilityInformation = { label: [found.account.name, item.description].join(', ') };
  return item;
}
function standingOf({ standing, rows: { length } }: Found): string {
  const count = length === 0 ? t('nothing found') : length === 1 ? t('1 found') : t('{0} found', length);
  switch (standing) {
    case 'searching':
      return [t('searching…'), length ? count : ''].filter(Boolean).join(' · ');
    case 'stopped':
      return [t('stopped'), count].join(' · ');
    case 'late':
      return [t('took too long'), count].join(' · ');
    case 'failed':
      return [t('failed'), length ? count : ''].filter(Boolean).join(' · ');
    case 'signIn':
      return t('sign-in needed');
    case 'more':
    case 'done':
      return count;
  }
}
/** Why there is not all that there might be, in sentences. */
export function whyOf(found: Found): string[] {
  return [
    whyEnded(found),
    found.unreadable && t('Some folders could not be read.'),
    found.cut && t('Only the first {0} folders were searched.', MOST_FOLDERS),
  ].filter(why => typeof why === 'string');
}
function whyEnded(found: Found): string | undefined {
  switch (found.standing) {
    case 'failed':
      return isMailError(found.error) ? oneLine(found.error) : t('The search failed.');
    case 'late':
      return t('The search was ended after 30 seconds.');
    case 'more':
      return t('Only the first {0} are shown. Search for more words.', MOST_ROWS);
    case 'signIn':
      return t('Sign in to this account, then search again.');
    default:
      return undefined;
  }
}
function noteRow(why: string, of: Found): vscode.TreeItem {
  const item = new vscode.TreeItem(why, vscode.TreeItemCollapsibleState.None);
  item.id = `found/${of.account.id}#${why}`;
  item.tooltip = why;
  item.iconPath =
    of.standing === 'failed'
      ? new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'))
      : new vscode.ThemeIcon('info');
  return item;
}
