import { splitName } from '../../shared/index.js';
import { inputFrom, nodeFor, operationOf } from '../fields/tables.js';
import { title } from '../host/text.js';
import type { Values } from '../webview/messages.js';
import type { BranchNode, ItemNode } from './model.js';

/**
 * Rows as nodes of n8n, ready to be pasted into its canvas: an object as what gets it, where there is such a thing,
 * else the list it stands in.
 */
export function n8nNodes(rows: readonly (ItemNode | BranchNode)[]): unknown {
  const places = new Map(
    rows.map(row => {
      const get = row.kind === 'item' && operationOf(row.account.provider, `${row.resource}.get`) ? row : undefined;
      return [
        get ?? (row.kind === 'item' ? (row.parent as BranchNode) : row),
        get ? `${get.resource}.get` : row.kind === 'item' ? row.list : row.branch.operation,
      ] as const;
    }),
  );
  return {
    nodes: [...places].map(
      (
        [
          {
            account: { provider },
            binding,
            label,
          },
          name,
        ],
        i,
      ) => {
        const [resource, operation] = splitName(name);
        const found = operationOf(provider, name)!;
        const rest = operation === 'list' ? 'filters' : 'additionalFields';
        const parameters: Values = { provider: provider.id, resource, operation };
        for (const [key, value] of Object.entries(inputFrom(provider, name, binding))) {
          const field = found.input[key]!;
          const picked =
            field.ref !== undefined &&
            field.type === 'text' &&
            operationOf(provider, `${field.ref}.list`) !== undefined;
          // As the nodes call it: what people know by an address or a name is no ID.
          const named = picked && (field.format === 'email' || field.format === 'host' || field.knownBy === 'path');
          const shown = picked ? { __rl: true, mode: named ? 'text' : 'id', value } : value;
          if (field.required) parameters[key] = shown;
          else parameters[rest] = { ...(parameters[rest] as Values), [key]: shown };
        }
        return {
          parameters,
          type: `n8n-nodes-mailroom.${nodeFor(name)}`,
          typeVersion: 1,
          position: [0, 160 * i],
          name: (operation === 'list' ? label : `${title(resource)} ${label}`).slice(0, 60),
        };
      },
    ),
    connections: {},
  };
}
