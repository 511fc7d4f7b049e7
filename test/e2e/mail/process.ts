import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ChildTask, ChildWord } from './child.js';

/** A process that runs a trigger, seen from outside. */
export interface Running {
  executed: string[];
  problems: string[];
  rss: number;
  ready: Promise<void>;
  /** Told of each execution that ended. */
  onExecuted?: () => void;
  kill(): Promise<void>;
  /** Ends it in order; the peak is of the whole life of the process, in bytes. */
  stop(): Promise<{ ms: number; peak: number; duplicates: number }>;
}
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts n8n's engine with one active workflow in a process of its own. */
export function runTrigger(task: ChildTask): Running {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(import.meta.dirname, 'child.ts'), JSON.stringify(task)],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  children.add(child);
  let errors = '';
  let stopped: NonNullable<ChildWord['stopped']> | undefined;
  let tell: () => void;
  let fail: (error: Error) => void;
  child.stderr.on('data', data => {
    errors = (errors + String(data)).slice(-4000);
  });
  child.stdin.on('error', () => {});
  const ended = once(child, 'exit').then(([code]) => {
    children.delete(child);
    fail(new Error(`The process ended (${String(code)}): ${errors}`));
  });
  const running: Running = {
    executed: [],
    problems: [],
    rss: 0,
    ready: new Promise((resolve, reject) => {
      tell = resolve;
      fail = reject;
    }),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async stop() {
      child.stdin.write('stop\n');
      await ended;
      if (!stopped) throw new Error(`The process did not stop in order: ${errors}`);
      return stopped;
    },
  };
  running.ready.catch(() => {});
  createInterface({ input: child.stdout }).on('line', line => {
    const word = JSON.parse(line) as ChildWord;
    if (word.ready) {
      running.rss = word.ready.rss;
      tell();
    }
    if (word.executed) {
      running.executed.push(...word.executed);
      running.onExecuted?.();
    }
    if (word.problem) running.problems.push(word.problem);
    stopped = word.stopped ?? stopped;
  });
  return running;
}
