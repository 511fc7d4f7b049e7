import type { LogOutputChannel } from 'vscode';
import type { Exchange } from '../shared/index.js';

/** One request as the log and the inspector show it: no query, no body, no header. `attempt` counts tries of the same read in a row. */
interface Line {
  at: number; account: string; method: string; origin: string; path: string; status?: number; error?: string; ms: number; attempt: number;
}
/** How many requests the inspector remembers. */
const KEPT = 200;
/** A read of the same address this soon after a failed one is another try of it, in milliseconds. */
const AGAIN = 45_000;

/** The requests of this window, for the log channel and the inspector. */
export function createRequestLog(channel: Pick<LogOutputChannel, 'info' | 'warn'>) {
  const lines: Line[] = [];
  const listeners = new Set<(line: Line) => void>();
  return {
    lines: (): readonly Line[] => lines,
    observe(account: string, seen: Exchange): void {
      const address = new URL(seen.url), now = Date.now();
      const before = seen.method === 'GET'
        ? lines.findLast(one => one.account === account && one.method === 'GET' && one.path === address.pathname)
        : undefined;
      const tried = before && now - before.at < AGAIN && (before.error !== undefined || before.status === 429 || (before.status ?? 0) >= 500)
        ? before.attempt : 0;
      const line: Line = {
        at: now, account, method: seen.method, origin: address.origin, path: address.pathname, ms: Math.round(seen.ms), attempt: tried + 1,
        ...(seen.status === undefined ? {} : { status: seen.status }), ...(seen.error === undefined ? {} : { error: seen.error }),
      };
      lines.push(line);
      if (lines.length > KEPT) lines.shift();
      const text =
        `${account}: ${line.method} ${line.path} ${line.status ?? line.error ?? ''} ${line.ms} ms${line.attempt > 1 ? ` (try ${line.attempt})` : ''}`;
      if (line.error !== undefined || (line.status ?? 0) >= 400) channel.warn(text); else channel.info(text);
      for (const listen of listeners) listen(line);
    },
    clear(): void { lines.length = 0; },
    listen(listener: (line: Line) => void): () => void { listeners.add(listener); return () => { listeners.delete(listener); }; },
  };
}
export type RequestLog = ReturnType<typeof createRequestLog>;
