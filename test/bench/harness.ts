import { buildSync } from 'esbuild';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Walk } from './steps.js';

/*
 * What all parts of the bench are made of: contenders and servers in processes of their own, tables and verdicts.
 */

// Plain JavaScript for the contenders: a compiler in the same process would be part of every memory figure.
const script = join(__dirname, '../../.cache/bench/contenders.cjs');
// The front end is a file of its own, loaded only where it takes part, for the same reason.
buildSync({
  entryPoints: [
    { in: join(__dirname, 'contenders.ts'), out: 'contenders' },
    { in: join(__dirname, '../../nodes/lib/follow.ts'), out: 'follow' },
  ],
  outdir: join(script, '..'),
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  logLevel: 'warning',
});

/**
 * `rss` and `heap` are peaks; `cpuMs` is the processor time of the measured part, which a busy machine does not change
 * much.
 */
export interface Figures {
  count?: number;
  bytes?: number;
  ms: number;
  rss?: number;
  heap?: number;
  buffers?: number;
  idleRss?: number;
  cpuMs?: number;
  p50?: number;
  p95?: number;
  walk?: Walk;
  note?: string;
}

/** Runs one contender in a fresh process; it prints one JSON line. */
export async function contender(name: string, settings: object): Promise<Figures> {
  const child = spawn(process.execPath, ['--expose-gc', script, name, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) last = line;
  if (child.exitCode === null) await once(child, 'exit');
  if (!last.startsWith('{')) return { ms: NaN, note: `failed with ${child.exitCode}` };
  return JSON.parse(last) as Figures;
}

export interface Server {
  settings: Record<string, unknown>;
  /** Answers with the processor time the servers have used. */ tell(message: object): Promise<{ cpuMs: number }>;
  stop(): Promise<void>;
}
/** The mail servers in a process of their own, so that their memory and time are nobody else's. */
export async function server(settings: object): Promise<Server> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'server.ts'), JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value } = (await lines.next()) as { value: string };
  return {
    settings: JSON.parse(value) as Record<string, unknown>,
    async tell(message) {
      child.stdin.write(`${JSON.stringify(message)}\n`);
      return JSON.parse((await lines.next()).value as string) as { cpuMs: number };
    },
    async stop() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

export const table = (title: string, rows: (string | number)[][]) => {
  console.log(`\n${title}`);
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => String(row[i] ?? '').length)));
  for (const row of rows)
    console.log(
      `  ${row.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]!) : String(cell).padStart(widths[i]!))).join('  ')}`,
    );
};
/** What a process holds beside the mail. */
export const memory = (f: Figures) =>
  `${mb(f.idleRss)} MB before the first message; never more than ${mb(f.heap)} MB of heap and ${mb(f.buffers)} MB of buffers in use; the rest is V8's young generation, which doubles up to 64 MB`;
export const rate = ({ count = 0, ms }: Figures) => (Number.isFinite(ms) ? Math.round(count / (ms / 1000)) : 0);
/** Processor time of a message, in milliseconds. */
export const each = ({ cpuMs = NaN, count = 0 }: Figures) => cpuMs / count;
export const perMessage = (f: Figures) => (f.cpuMs === undefined ? '' : each(f).toFixed(2));
export const mb = (bytes?: number) => (bytes === undefined ? '' : (bytes / 1048576).toFixed(0));
/** Aim and figure; where it is missed, what was measured beside it that says why. */
export function verdict(title: string, figure: number, aim: number, unit = '', below = false, why = '') {
  const met = below ? figure <= aim : figure >= aim;
  console.log(
    `  ${met ? 'met   ' : 'MISSED'}  ${title}: ${figure.toFixed(2)}${unit}, aim ${below ? 'at most' : 'at least'} ${aim}${unit}`,
  );
  if (!met && why) console.log(`          ${why}`);
}

/** In turns, and the middle one of each: what else the machine does would otherwise decide between them. */
export async function inTurns<F extends Figures>(turns: number, ...contenders: (() => Promise<F>)[]): Promise<F[]> {
  const all = contenders.map((): F[] => []);
  for (let turn = 0; turn < turns; turn++) for (const [i, run] of contenders.entries()) all[i]!.push(await run());
  return all.map(list => list.sort((a, b) => rate(a) - rate(b))[list.length >> 1]!);
}

/**
 * A server seen from far away: the same settings with ports of a proxy that makes each round trip so many milliseconds
 * longer and counts them.
 */
export async function away(
  settings: Record<string, unknown>,
  roundTrip: number,
): Promise<{ settings: Record<string, unknown>; stop(): void }> {
  const targets = { port: settings.port, ...(settings.smtpPort === undefined ? {} : { smtpPort: settings.smtpPort }) };
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(__dirname, 'delay.ts'), JSON.stringify({ targets, roundTrip })],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const { value } = (await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()) as {
    value: string;
  };
  return {
    settings: { ...settings, ...(JSON.parse(value) as object) },
    stop: () => {
      child.kill();
    },
  };
}
