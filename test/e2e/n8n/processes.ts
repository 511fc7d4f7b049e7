import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';

/** A program under test: its pid, what it has said, and how to end it and all it started. */
export interface Running {
  name: string;
  pid: number;
  lines: string[];
  /**
   * Resolves with the first line, said or still to be said after `from`, that matches. Rejects after `ms` (or
   * PATIENCE), with the last lines, or when the program ends first.
   */
  until(line: RegExp, ms: number, from?: number): Promise<string>;
  readonly ended: Promise<void>;
  readonly alive: boolean;
  /** SIGTERM, and after `ms` SIGKILL; then whatever is left of its process group. */
  stop(ms?: number): Promise<void>;
  /** SIGKILL at once, as a crash would; its helpers go with it. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  freeze(): void;
  thaw(): void;
}

const started = new Set<Running>();

/**
 * Starts a program in a process group of its own, so that what it starts ends with it and nobody else's process is
 * touched.
 */
export function start(
  name: string,
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string; uid?: number; gid?: number } = {},
): Running {
  const child: ChildProcess = spawn(program, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  let alive = true;
  for (const stream of [child.stdout!, child.stderr!]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (part: string) => {
      const parts = (rest + part).split('\n');
      rest = parts.pop()!;
      lines.push(...parts.map(line => line.replace(/\x1b\[[0-9;]*m/g, '')));
      if (process.env.MAILROOM_LOG) process.stderr.write(parts.map(line => `[${name}] ${line}\n`).join(''));
      for (const look of watchers) look();
    });
  }
  const ended = new Promise<void>(resolve => {
    child.on('error', error => {
      lines.push(String(error));
      alive = false;
      resolve();
    });
    child.on('exit', (code, signal) => {
      lines.push(`(${name} ended with ${code ?? signal})`);
      alive = false;
      resolve();
      for (const look of watchers) look();
    });
  });
  const group = (signal: NodeJS.Signals) => {
    try {
      if (child.pid) process.kill(-child.pid, signal);
    } catch {
      /* gone already */
    }
  };
  const within = (ms: number) =>
    new Promise<boolean>(resolve => {
      const timer = setTimeout(() => resolve(false), ms);
      void ended.then(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  const running: Running = {
    name,
    pid: child.pid ?? 0,
    lines,
    ended,
    get alive() {
      return alive;
    },
    until(line, ms, from = 0) {
      return new Promise((resolve, reject) => {
        let at = from;
        const look = () => {
          for (; at < lines.length; at++) if (line.test(lines[at]!)) return done(() => resolve(lines[at]!));
          if (!alive) done(() => reject(new Error(`${name} ended before it said ${line}:\n${tail()}`)));
        };
        const done = (how: () => void) => {
          clearTimeout(timer);
          watchers.delete(look);
          how();
        };
        const tail = () => lines.slice(-40).join('\n');
        const patience = Math.max(ms, PATIENCE);
        const timer = setTimeout(
          () => done(() => reject(new Error(`${name} did not say ${line} within ${patience / 1000} s:\n${tail()}`))),
          patience,
        );
        watchers.add(look);
        look();
      });
    },
    async stop(ms = 15_000) {
      if (alive) {
        try {
          process.kill(child.pid!, 'SIGTERM');
        } catch {
          /* gone already */
        }
        await within(ms);
      }
      await running.kill();
    },
    async kill() {
      group('SIGKILL');
      await within(5_000);
      started.delete(running);
    },
    freeze: () => group('SIGSTOP'),
    thaw: () => group('SIGCONT'),
  };
  started.add(running);
  return running;
}

/** Nothing survives this process, however it ends. */
export function endAll() {
  for (const one of started) {
    try {
      process.kill(-one.pid, 'SIGKILL');
    } catch {
      /* gone already */
    }
  }
}
process.on('exit', endAll);
/** Signals that would end this process silently end what it started first. */
export function endWithSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      endAll();
      process.exit(130);
    });
}

const given = new Set<number>();
/**
 * A port of loopback that is free now and stays so: below those that the system gives to outgoing connections, which
 * could take it while a program that listens there starts slowly or is started again.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1000; tries++) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (given.has(port)) continue;
    const server = createServer();
    const free = await new Promise<boolean>(resolve =>
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)),
    );
    if (!free) continue;
    await new Promise<void>(resolve => server.close(() => resolve()));
    given.add(port);
    return port;
  }
  throw new Error('No port of loopback is free.');
}

/**
 * No deadline is shorter, in milliseconds: two loaded cores take long for everything, and only a failing test ever
 * waits so long.
 */
const PATIENCE = 90_000;

/**
 * Asks until the answer is neither undefined nor false; rejects after `ms`, or PATIENCE if that is longer, with what
 * was asked for and what came last.
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  ms = 30_000,
  everyMs = 200,
): Promise<T> {
  const patience = Math.max(ms, PATIENCE);
  const until = Date.now() + patience;
  for (let last: unknown; ;) {
    try {
      const found = await ask();
      if (found !== undefined && found !== false) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until)
      throw new Error(`${what}: not within ${patience / 1000} s.${last instanceof Error ? ` ${last.message}` : ''}`);
    await new Promise(resolve => setTimeout(resolve, everyMs));
  }
}
