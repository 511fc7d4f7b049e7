import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IDataObject } from 'n8n-workflow';

/**
 * What n8n's database keeps of an execution, as far as triggers can notice. `crashed` is what n8n makes of one that was
 * running when the process died.
 */
export interface StoredExecution {
  id: string;
  workflowId: string;
  status: 'running' | 'success' | 'error' | 'canceled' | 'crashed';
  mode: string;
  deduplicationKey?: string;
  error?: string;
  items?: unknown[];
}
/** What outlives a process: static data of workflows, executions, and with them the keys that let an event run once. */
export interface Store {
  staticData(workflowId: string): IDataObject;
  saveStaticData(workflowId: string, data: IDataObject): void;
  /** False when the key was used before: the column is unique, over all workflows. */
  begin(execution: StoredExecution): boolean;
  end(id: string, status: StoredExecution['status'], error?: string): void;
  executions(): StoredExecution[];
}

/** In memory, or in a folder that a later process can open again, even after this one was killed. */
export function openStore(folder?: string): Store {
  const statics = new Map<string, string>();
  const executions = new Map<string, StoredExecution>();
  const keys = new Set<string>();
  const staticFile = folder && join(folder, 'static.json');
  const log = folder && join(folder, 'executions.jsonl');
  if (folder) mkdirSync(folder, { recursive: true });
  if (staticFile && existsSync(staticFile))
    for (const [id, data] of Object.entries(JSON.parse(readFileSync(staticFile, 'utf8')) as Record<string, string>))
      statics.set(id, data);
  if (log && existsSync(log)) {
    // A line cut by a kill was never committed; what follows must not be written behind it.
    const whole = readFileSync(log);
    truncateSync(log, whole.lastIndexOf('\n') + 1);
    for (const line of whole.toString().split('\n').slice(0, -1)) {
      const change = JSON.parse(line) as StoredExecution;
      executions.set(change.id, { ...executions.get(change.id), ...change });
      if (change.deduplicationKey) keys.add(change.deduplicationKey);
    }
    for (const execution of executions.values()) if (execution.status === 'running') execution.status = 'crashed';
  }
  const write = (change: object) => {
    if (log) appendFileSync(log, `${JSON.stringify(change)}\n`);
  };
  return {
    staticData: id => JSON.parse(statics.get(id) ?? '{}') as IDataObject,
    saveStaticData(id, data) {
      statics.set(id, JSON.stringify(data));
      if (!staticFile) return;
      writeFileSync(`${staticFile}.new`, JSON.stringify(Object.fromEntries(statics)));
      renameSync(`${staticFile}.new`, staticFile);
    },
    begin(execution) {
      if (execution.deduplicationKey !== undefined) {
        if (execution.deduplicationKey.length > 255)
          throw new Error(
            `The deduplication key is ${execution.deduplicationKey.length} characters long; its column holds 255.`,
          );
        if (keys.has(execution.deduplicationKey)) return false;
        keys.add(execution.deduplicationKey);
      }
      executions.set(execution.id, { ...execution });
      write(execution);
      return true;
    },
    end(id, status, error) {
      const change = { id, status, ...(error === undefined ? {} : { error }) };
      executions.set(id, { ...executions.get(id)!, ...change });
      write(change);
    },
    executions: () => [...executions.values()].map(execution => ({ ...execution })),
  };
}
