import { MailError, type Operation } from '../../shared/index.js';
import type { AccountInfo } from '../accounts/store.js';
import { operationOf, type Binding } from '../fields/tables.js';
import { t } from '../host/text.js';
import { resourceOf, type Node } from '../tree/model.js';

/** What an operation is run on: a place in the tree, or what a panel shows. */
export interface Target {
  account: AccountInfo;
  resource: string;
  binding: Binding;
  label: string;
  node?: Node;
}
/** What was written, and what the vendor answered. */
export interface Written {
  target: Target;
  answer: unknown;
}
/** A row of the tree as what an operation is run on. */
export const targetOf = (node: Node): Target => ({
  account: node.account,
  node,
  label: node.label,
  resource: resourceOf(node),
  binding: node.kind === 'account' || node.kind === 'note' ? { refs: {}, choices: {} } : node.binding,
});

/** An operation of the target's provider. Throws `unsupported` where there is none. */
export const operationFor = (target: Target, name: string): Operation => {
  const operation = operationOf(target.account.provider, name);
  if (!operation)
    throw new MailError('unsupported', t('{0} has no operation “{1}”.', target.account.provider.name, name));
  return operation;
};
