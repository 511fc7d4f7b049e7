import type { LogOutputChannel } from 'vscode';
import type { Exchange } from '../../shared/index.js';
import { plain, t } from '../host/text.js';
import type { RequestContent, RequestLine } from '../webview/messages.js';

/** How many requests the inspector remembers. */
const KEPT = 200;
/** What went and came is kept up to so many bytes for all of them together; then that of the oldest goes. */
const MOST_BYTES = 8 * 1024 * 1024;

/** The requests of this window, for the log channel and the inspector. */
export function createRequestLog(channel: Pick<LogOutputChannel, 'info' | 'warn'>) {
  const lines: RequestLine[] = [];
  const contents = new Map<number, Pick<Exchange, 'wire' | 'again'>>();
  /** Lets go of contents: those of forgotten requests, and the oldest beyond the bound. */
  const bound = () => {
    const first = lines[0]?.id ?? Infinity;
    let bytes = 0;
    for (const [id, { wire }] of [...contents].reverse()) {
      bytes += wire?.size ?? 0;
      if (id < first || bytes > MOST_BYTES) contents.delete(id);
    }
  };
  const listeners = new Set<(line: RequestLine) => void>();
  let last = 0;
  return {
    lines: (): readonly RequestLine[] => lines,
    observe(account: string, seen: Exchange): void {
      const { protocol, host, pathname } = new URL(seen.url);
      const origin = `${protocol}//${host}`;
      const attempt = seen.attempt ?? 1;
      // The path of a mail server is a folder, which people read, and which the server names as it likes.
      const path = protocol.startsWith('http') ? pathname : plain(decodeURIComponent(pathname));
      if (seen.wait !== undefined) {
        const of = lines.findLast(
          one =>
            one.account === account &&
            one.origin === origin &&
            one.method === seen.method &&
            one.path === path &&
            one.attempt === attempt,
        );
        if (of) of.wait = Math.ceil(seen.wait);
        channel.info(`${account}: ${seen.method} ${path} is tried again in ${Math.ceil(seen.wait)} s`);
        if (of) for (const listen of listeners) listen(of);
        return;
      }
      const line: RequestLine = {
        id: ++last,
        at: Date.now(),
        account,
        method: seen.method,
        origin,
        path,
        ...(seen.security ? { security: seen.security } : {}),
        ms: Math.round(seen.ms),
        attempt,
        ...(seen.status === undefined ? {} : { status: seen.status }),
        ...(seen.error === undefined ? {} : { error: seen.error }),
        ...(seen.wire ? { wire: true } : {}),
        ...(seen.again ? { again: true } : {}),
      };
      lines.push(line);
      if (lines.length > KEPT) lines.shift();
      if (seen.wire) contents.set(line.id, { wire: seen.wire, ...(seen.again ? { again: seen.again } : {}) });
      bound();
      const text = `${account}: ${line.method} ${line.path} ${line.status ?? line.error ?? 'OK'} ${line.ms} ms${line.attempt > 1 ? ` (try ${line.attempt})` : ''}`;
      if (line.error !== undefined || (line.status ?? 0) >= 400) channel.warn(text);
      else channel.info(text);
      for (const listen of listeners) listen(line);
    },
    /** What went and came with a request, without secrets, or a sentence why that is not known. */
    wire(id: number): RequestContent | string {
      bound();
      return (
        contents.get(id)?.wire?.text() ??
        t('The content of this request is no longer kept. The newest 200 requests are, up to 8 MB.')
      );
    },
    /** Sends a read again. It becomes a request of its own. */
    async again(id: number): Promise<void> {
      await contents.get(id)?.again?.();
    },
    clear(): void {
      lines.length = 0;
      contents.clear();
    },
    listen(listener: (line: RequestLine) => void): () => void {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}
export type RequestLog = ReturnType<typeof createRequestLog>;
