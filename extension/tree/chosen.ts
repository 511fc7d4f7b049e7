import type { AccountInfo, Accounts } from '../accounts/store.js';
import { t } from '../host/text.js';
import { window } from '../host/window.js';
import type { BranchNode, ItemNode, Node } from './model.js';

/** What the key bindings of account commands pass on. */
const SELECTED = 'selected';

interface ChosenOptions {
  accounts: Accounts;
  /** The rows that were selected last, in whichever view; and those of the view of the accounts. */
  selection(): readonly Node[];
  inAccounts(): readonly Node[];
}
export type Chosen = ReturnType<typeof createChosen>;

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'kind' in value && 'account' in value;

/** What a command is for: the rows it was called on, else the selection, else what the user picks. */
export function createChosen({ accounts, selection, inAccounts }: ChosenOptions) {
  /**
   * The rows a command is for, the one clicked first: the selection, when that row belongs to it. From the palette, the
   * selection too.
   */
  const rows = (node: unknown, nodes?: unknown): Node[] => {
    const all = Array.isArray(nodes) && nodes.length ? nodes.filter(isNode) : isNode(node) ? [node] : [...selection()];
    return isNode(node) ? [node, ...all.filter(one => one !== node)] : all;
  };
  /** The value, or a sentence to the user that there is none. */
  const need = <T>(value: T | undefined, sentence: string): T | undefined => {
    if (value === undefined) void window.showInformationMessage(sentence);
    return value;
  };
  /** The list a command is for: a branch, or that of a note in it. */
  const listOf = (node: unknown): BranchNode | undefined => {
    const [one] = rows(node);
    return one?.kind === 'branch' ? one : one?.kind === 'note' ? one.of : undefined;
  };
  return {
    rows,
    need,
    listOf,
    items: (node: unknown, nodes: unknown): ItemNode[] =>
      rows(node, nodes).filter((one): one is ItemNode => one.kind === 'item'),
    row: (node: unknown): Node | undefined => need(rows(node)[0], t('Select a row in the Mailroom view first.')),
    list: (node: unknown): BranchNode | undefined => need(listOf(node), selectList()),
    /** The account a command is about, asked for when it was not called on a row. */
    async account(node: unknown, able: (account: AccountInfo) => boolean = () => true): Promise<string | undefined> {
      // A key is for the row it was pressed on.
      if (node === SELECTED) {
        const [one] = inAccounts();
        return one?.kind === 'account' ? one.account.id : undefined;
      }
      if (typeof node === 'string') return node;
      if (isNode(node)) return node.account.id;
      const all = accounts.list().filter(able);
      if (all.length <= 1) return all[0]?.id;
      const items = all.map(({ id, name, provider }) => ({ label: name, description: provider.name, id }));
      return (await window.showQuickPick(items, { placeHolder: t('Which account?') }))?.id;
    },
    /** Says that a row is not one that a command is for. */
    refuse({ account: { name, provider }, label }: Node): void {
      void window.showInformationMessage(t('{0} does not offer this for “{1}”.', provider.name, label || name));
    },
  };
}
export const selectList = (): string => t('Select a list in the Mailroom view first, such as mailboxes.');
