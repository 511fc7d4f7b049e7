import * as vscode from 'vscode';
import { placeField } from '../fields/tables.js';
import type { BranchNode, ItemNode, Node } from '../tree/model.js';
import type { Operator } from './run.js';
import { targetOf } from './target.js';

/** The kind of what is dragged, by the name that VS Code gives to the rows of the view. */
const ROWS = 'application/vnd.code.tree.mailroom.accounts';

/** Whether the order of the list that a row stands in counts. */
export const isOrdered = (node: Node | undefined): node is ItemNode =>
  node?.kind === 'item' && placeField(node.account.provider, node.resource) !== undefined;

/** The place of a row, counted from 1: what it says itself, for some rows may be filtered out. */
const placeOf = (node: ItemNode): number =>
  typeof node.item.position === 'number'
    ? node.item.position
    : ((node.parent as BranchNode).rows?.indexOf(node) ?? -1) + 1;

/** How many rows the list has, as far as it was read. */
const lastOf = ({ rows = [] }: BranchNode): number => Math.max(rows.length, ...rows.map(placeOf));

/** Moves a row to a place of its list, which is read again then. */
async function moveTo(operator: Operator, node: ItemNode, place: number): Promise<void> {
  const last = lastOf(node.parent as BranchNode);
  const wanted = Math.min(Math.max(place, 1), last);
  if (wanted === placeOf(node)) return;
  await operator.run(targetOf(node), `${node.resource}.move`, {
    [placeField(node.account.provider, node.resource)!]: wanted,
  });
}

/** Moves a row up (-1) or down (1). */
export const moveBy = (operator: Operator, node: ItemNode, steps: number): Promise<void> =>
  moveTo(operator, node, placeOf(node) + steps);

/** Lets rows be dragged within a list whose order counts. */
export function createDrag(operator: () => Operator): vscode.TreeDragAndDropController<Node> {
  return {
    dragMimeTypes: [ROWS],
    dropMimeTypes: [ROWS],
    handleDrag(nodes, transfer) {
      const [first] = nodes;
      if (isOrdered(first)) transfer.set(ROWS, new vscode.DataTransferItem(first));
    },
    async handleDrop(onto, transfer) {
      const node = transfer.get(ROWS)?.value as Node | undefined;
      if (!isOrdered(node)) return;
      if (onto?.kind === 'item' && onto.parent === node.parent) await moveTo(operator(), node, placeOf(onto));
      else if (onto !== undefined && onto === node.parent) await moveTo(operator(), node, lastOf(onto as BranchNode));
    },
  };
}
