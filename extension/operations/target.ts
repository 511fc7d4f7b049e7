import type { AccountInfo } from '../accounts/store.js';
import type { Binding } from '../fields/tables.js';
import { resourceOf, type Node } from '../tree/model.js';

/** What an operation is run on: a place in the tree, or what a panel shows. */
export interface Target { account: AccountInfo; resource: string; binding: Binding; label: string; node?: Node }
/** What was written, and what the vendor answered. */
export interface Written { target: Target; answer: unknown }
/** A row of the tree as what an operation is run on. */
export const targetOf = (node: Node): Target => ({
  account: node.account, node, label: node.label,
  resource: resourceOf(node),
  binding: node.kind === 'account' || node.kind === 'note' ? { refs: {}, choices: {} } : node.binding,
});
