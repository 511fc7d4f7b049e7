import type { Values } from './form/messages.js';
import type { ItemNode } from './model.js';
import { inputFrom, nodeFor, operationOf } from './tables.js';
import { title } from './words.js';

/** Rows as nodes of n8n, ready to be pasted into its canvas. */
export function n8nNodes(rows: readonly ItemNode[]): unknown {
  return {
    nodes: rows.map((row, i) => {
      const { provider } = row.account, operation = `${row.resource}.get`, found = operationOf(provider, operation);
      const input = inputFrom(provider, operation, row.binding);
      const parameters: Values = { provider: provider.id, resource: row.resource, operation: 'get' };
      for (const [name, value] of Object.entries(input)) {
        const field = found!.input[name]!;
        const picked = field.ref !== undefined && field.type === 'text' && operationOf(provider, `${field.ref}.list`) !== undefined;
        const shown = picked ? { __rl: true, mode: 'id', value } : value;
        if (field.required) parameters[name] = shown; else parameters.additionalFields = { ...parameters.additionalFields as Values, [name]: shown };
      }
      return {
        parameters, type: `n8n-nodes-mailroom.${nodeFor(operation)}`, typeVersion: 1, position: [0, 160 * i],
        name: `${title(row.resource)} ${row.label}`.slice(0, 60),
      };
    }),
    connections: {},
  };
}
