import type { INodeExecutionData } from 'n8n-workflow';
import { openEngine, type SavedCredential } from '../engine/engine.js';
import { MAIN_DOMAIN, seededId } from '../sandbox/scaleway.js';
import { line, packageDir } from './workbench.js';

/** The argument of a process that is a worker. */
export const WORKER = 'rows';
/** What a worker has to do: the rows from one number to another, each a mailbox, with an account of its own. */
export interface Task {
  account: SavedCredential;
  from: number;
  to: number;
}
/** What became of each row: the address that was made, or the error. */
export type Outcome = { email?: unknown; error?: unknown }[];

/** Makes a mailbox of each row with the node, as a workflow does. An error becomes an item in the row's place. */
export async function createRows({ account, from, to }: Task): Promise<Outcome> {
  const engine = await openEngine({ packageDir, credentials: { scalewayApi: account } });
  const items: INodeExecutionData[] = Array.from({ length: to - from }, (_, i) => ({
    json: { name: `row${from + i}` },
  }));
  const result = await engine.run(
    line({
      name: 'Node',
      type: 'n8n-nodes-mailroom.mailbox',
      account,
      onError: 'continueRegularOutput',
      parameters: {
        provider: 'scaleway',
        resource: 'mailbox',
        operation: 'create',
        domain_id: { __rl: true, mode: 'id', value: seededId(MAIN_DOMAIN) },
        local_part: '={{ $json.name }}',
        password: 'correct horse battery',
        subscription_period: 'monthly',
      },
    }),
    { items },
  );
  if (result.status !== 'success') throw new Error(result.error?.message);
  return result.items('Node').map(({ json }) => ({ email: json.email, error: json.error }));
}

// As a process of its own it gets its task from the one that started it. The argument tells it apart: mocha's own
// processes have messages too.
if (process.argv[2] === WORKER) {
  process.once('message', (task: Task) => {
    createRows(task).then(
      outcome => process.send!(outcome, () => process.exit(0)),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}
