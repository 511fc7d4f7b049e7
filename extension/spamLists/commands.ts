import { isEntryList } from '../fields/tables.js';
import type { Register } from '../host/commands.js';
import { targetOf, type Target } from '../operations/target.js';
import type { Chosen } from '../tree/chosen.js';
import { resourceOf, type Model, type Node } from '../tree/model.js';

interface Parts {
  register: Register;
  chosen: Chosen;
  model: Model;
  editLists(target: Target, resource: string): void;
}

/** The command that opens lists side by side. */
export function registerListCommands({ register, chosen, model, editLists }: Parts): void {
  register('editLists', (node: unknown) => {
    const one = chosen.row(node);
    if (!one) return;
    const { provider } = one.account;
    const isList = (node: Node) =>
      (node.kind === 'choice' || node.kind === 'branch') && isEntryList(provider, node.branch.resource);
    // Lists that stand side by side first: of those there is something to compare.
    const lists = one.kind === 'item' ? (model.children(one) as Node[]).filter(isList) : isList(one) ? [one] : [];
    const list = lists.find(child => child.kind === 'choice') ?? lists[0];
    const owner =
      one.kind === 'item'
        ? one
        : one.kind === 'branch' && one.parent?.kind === 'choice'
          ? one.parent.parent
          : one.parent;
    if (list && owner) editLists(targetOf(owner), resourceOf(list));
    else chosen.refuse(one);
  });
}
