import { createInterface } from 'node:readline';
import { openEngine, type SavedCredential, type WorkflowFile } from '../../engine/engine.js';
import { subjectsOf } from './watch.js';

/** What a process that runs a trigger is told to do. */
export interface ChildTask {
  packageDir: string;
  stateDir: string;
  credentials: Record<string, SavedCredential>;
  workflow: WorkflowFile;
}
/** One line of what it says. Memory in bytes. */
export interface ChildWord {
  ready?: { rss: number };
  executed?: string[];
  problem?: string;
  stopped?: { ms: number; peak: number; duplicates: number };
}

/**
 * n8n's engine with one active workflow, in a process of its own that can be killed; its state is in `stateDir`. Ends
 * on any line at its input.
 */
async function main() {
  const { packageDir, stateDir, credentials, workflow } = JSON.parse(process.argv[2]!) as ChildTask;
  const say = (word: ChildWord) => process.stdout.write(`${JSON.stringify(word)}\n`);
  const problem = (error: unknown) =>
    say({ problem: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.on('uncaughtException', problem).on('unhandledRejection', problem);
  const engine = await openEngine({ packageDir, stateDir, credentials });
  const active = await engine.activate(workflow, { retryDelays: [] });
  say({ ready: { rss: process.memoryUsage.rss() } });
  const look = setInterval(() => {
    for (const run of active.executions.splice(0)) say({ executed: subjectsOf(run) });
    for (const error of [...active.errors.splice(0), ...active.failed.splice(0)]) problem(error);
  }, 10);
  // Whoever started this process has died: there is nobody left to say it to.
  process.stdin.once('end', () => process.exit(1));
  createInterface({ input: process.stdin }).once('line', async () => {
    const began = performance.now();
    await active.deactivate();
    clearInterval(look);
    say({
      stopped: {
        ms: performance.now() - began,
        peak: process.resourceUsage().maxRSS * 1024,
        duplicates: active.duplicates.length,
      },
    });
    process.exit(0);
  });
}
void main();
