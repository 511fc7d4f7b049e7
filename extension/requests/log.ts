import type { LogOutputChannel } from 'vscode';
import type { Exchange } from '../../shared/index.js';
import type { RequestLine } from '../webview/messages.js';

/** How many requests the inspector remembers. */
const KEPT = 200;

/** The requests of this window, for the log channel and the inspector. */
export function createRequestLog(channel: Pick<LogOutputChannel, 'info' | 'warn'>) {
  const lines: RequestLine[] = [];
  const listeners = new Set<(line: RequestLine) => void>();
  let last = 0;
  return {
    lines: (): readonly RequestLine[] => lines,
    observe(account: string, seen: Exchange): void {
      const { protocol, host, pathname } = new URL(seen.url), attempt = seen.attempt ?? 1;
      // The path of a mail server is a folder, which people read.
      const path = protocol.startsWith('http') ? pathname : decodeURIComponent(pathname);
      if (seen.wait !== undefined) {
        const of = lines.findLast(one => one.account === account && one.method === seen.method && one.path === path && one.attempt === attempt);
        if (of) of.wait = Math.ceil(seen.wait);
        channel.info(`${account}: ${seen.method} ${path} is tried again in ${Math.ceil(seen.wait)} s`);
        if (of) for (const listen of listeners) listen(of);
        return;
      }
      const line: RequestLine = {
        id: ++last, at: Date.now(), account, method: seen.method, origin: `${protocol}//${host}`, path, ms: Math.round(seen.ms), attempt,
        ...(seen.status === undefined ? {} : { status: seen.status }), ...(seen.error === undefined ? {} : { error: seen.error }),
      };
      lines.push(line);
      if (lines.length > KEPT) lines.shift();
      const text = `${account}: ${line.method} ${line.path} ${line.status ?? line.error ?? 'OK'} ${line.ms} ms${line.attempt > 1 ? ` (try ${line.attempt})` : ''}`;
      if (line.error !== undefined || (line.status ?? 0) >= 400) channel.warn(text); else channel.info(text);
      for (const listen of listeners) listen(line);
    },
    clear(): void { lines.length = 0; },
    listen(listener: (line: RequestLine) => void): () => void { listeners.add(listener); return () => { listeners.delete(listener); }; },
  };
}
export type RequestLog = ReturnType<typeof createRequestLog>;
