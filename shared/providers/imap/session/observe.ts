import type { Context } from '../../../provider.js';
import type { Endpoint } from '../account/fields.js';
import type { ImapFlow } from '../libraries.js';

/** Commands that name their folder themselves; of the others the one that is open is meant. */
const NAMES_FOLDER = /^(SELECT|EXAMINE|STATUS|APPEND|CREATE|DELETE|SUBSCRIBE|UNSUBSCRIBE)$/;

/** Tells the host of a command, a folder and what became of it: never what is searched for or carried. */
export function observed<T>(
  ctx: Context, { side, security, host, port }: Endpoint, method: string, folder: string, work: Promise<T>, statusOf?: (value: T) => number,
): Promise<T> {
  const { observe } = ctx;
  if (!observe) return work;
  const started = performance.now(), scheme = side.toLowerCase() + (security === 'tls' ? 's' : '');
  const tell = (status?: number, error?: string) => observe({
    method, url: `${scheme}://${host}:${port}/${encodeURIComponent(folder)}`, ms: performance.now() - started,
    ...(status === undefined ? {} : { status }), ...(error === undefined ? {} : { error }),
  });
  work.then(value => tell(statusOf?.(value)), (error: { responseStatus?: string; responseCode?: number; code?: string }) =>
    tell(error?.responseCode, error?.responseCode === undefined ? error?.responseStatus ?? error?.code ?? 'error' : undefined));
  return work;
}

const telling = new WeakMap<ImapFlow, (command: string, folder: string, work: Promise<unknown>) => void>();
/** The same for everything that the IMAP library sends over a connection. */
export function observeCommands(ctx: Context, end: Endpoint, client: ImapFlow): void {
  const inside = client as unknown as { exec?(command: string, attributes?: { value?: unknown }[], options?: object): Promise<unknown> };
  const exec = inside.exec?.bind(client);
  if (!ctx.observe || !exec) return;
  telling.set(client, (command, folder, work) => void observed(ctx, end, command, folder, work));
  inside.exec = (command, attributes, options) => {
    const named = NAMES_FOLDER.test(command) ? attributes?.[0]?.value : openFolder(client);
    return observed(ctx, end, command, typeof named === 'string' ? named : '', exec(command, attributes, options));
  };
}
/** The same for a command that goes over a connection beside the library. */
export const observeBeside = (client: ImapFlow, command: string, work: Promise<unknown>): void => telling.get(client)?.(command, openFolder(client), work);
const openFolder = (client: ImapFlow): string => client.mailbox ? client.mailbox.path : '';
