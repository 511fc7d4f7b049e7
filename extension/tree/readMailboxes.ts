import { isMailbox } from '../fields/tables.js';
import { hasMore, type BranchNode, type Model, type Node } from './model.js';

/** How somebody follows a look through an account, and ends it. */
export interface Looking {
  stopped(): boolean;
  at(label: string): void;
  reading(branch: BranchNode): { dispose(): void };
}
/** No more pages are read of one list: what is wrong with so many mailboxes is not found by looking at them. */
const MOST_PAGES = 50;

/**
 * Reads every list of mailboxes of an account anew, also those below its domains or tenants. Gives the lists that could
 * not be read.
 */
export async function readMailboxes(
  model: Model,
  account: string,
  { stopped, at, reading }: Looking,
): Promise<BranchNode[]> {
  const failed: BranchNode[] = [];
  const walk = async (node: Node, depth: number): Promise<void> => {
    for (const child of await model.children(node)) {
      if (stopped()) return;
      if (child.kind !== 'branch') continue;
      const boxes = isMailbox(child.branch.resource);
      const holds = depth === 0 && /^(domain|tenant)$/.test(child.branch.resource);
      if (!boxes && !holds) continue;
      at(child.label);
      const listening = reading(child);
      // What was read before may be long ago.
      await model.refresh(child);
      for (let pages = 0; hasMore(child) && !child.failed && pages < MOST_PAGES && !stopped(); pages++)
        await model.more(child, 'quiet');
      listening.dispose();
      if (child.failed) failed.push(child);
      if (holds)
        for (const [i, item] of (child.rows ?? []).entries()) {
          if (stopped()) return;
          at(`${item.label} (${i + 1}/${child.rows?.length ?? 0})`);
          await walk(item, depth + 1);
        }
    }
  };
  const root = (model.children() as Node[]).find(({ id }) => id === account);
  if (root) await walk(root, 0);
  return failed;
}
