import type { Context } from '../../../provider.js';
import type { Endpoint } from '../account/fields.js';
import type { ImapFlow } from '../libraries.js';

/** Commands that name their folder themselves; of the others the one that is open is meant. */
const NAMES_FOLDER = /^(SELECT|EXAMINE|STATUS|APPEND|CREATE|DELETE|SUBSCRIBE|UNSUBSCRIBE)$/;
const OPENS_FOLDER = /^(SELECT|EXAMINE)$/;

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

const telling = new WeakMap<ImapFlow, (command: string, work: Promise<unknown>) => void>();
/** The same for everything that the IMAP library sends over a connection. */
export function observeCommands(ctx: Context, end: Endpoint, client: ImapFlow): void {
  const inside = client as unknown as { exec?(command: string, attributes?: { value?: unknown }[], options?: object): Promise<unknown> };
  const exec = inside.exec?.bind(client);
  if (!ctx.observe || !exec) return;
  /** The folder that is being opened: commands that are sent together with that are about it already. */
  let opening: { folder: string } | undefined;
  const meant = () => opening?.folder ?? openFolder(client);
  telling.set(client, (command, work) => void observed(ctx, end, command, meant(), work));
  inside.exec = (command, attributes, options) => {
    const named = NAMES_FOLDER.test(command) ? attributes?.[0]?.value : meant(), folder = typeof named === 'string' ? named : '';
    const work = exec(command, attributes, options);
    if (OPENS_FOLDER.test(command)) {
      const mine = opening = { folder }, opened = () => { if (opening === mine) opening = undefined; };
      work.then(opened, opened);
    }
    return observed(ctx, end, command, folder, work);
  };
}
/** The same for a command that goes over a connection beside the library. */
export const observeBeside = (client: ImapFlow, command: string, work: Promise<unknown>): void => telling.get(client)?.(command, work);
const openFolder = (client: ImapFlow): string => client.mailbox ? client.mailbox.path : '';
