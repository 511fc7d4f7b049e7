import type { Wire } from '../../../exchange.js';
import type { Context } from '../../../provider.js';
import { Talk } from '../../../wireTalk.js';
import type { Endpoint } from '../account/fields.js';
import { count } from './commandPace.js';
import { listenToWire } from './imapWire.js';
import type { ImapFlow } from '../libraries.js';

/** Commands that name their folder themselves; of the others the one that is open is meant. */
const NAMES_FOLDER = /^(SELECT|EXAMINE|STATUS|APPEND|CREATE|DELETE|SUBSCRIBE|UNSUBSCRIBE)$/;
const OPENS_FOLDER = /^(SELECT|EXAMINE)$/;

/**
 * Tells the host of a command, a folder and what became of it: never what is searched for or carried, unless it asked
 * for the wire.
 */
export function observed<T>(
  ctx: Context,
  { side, security, host, port }: Endpoint,
  method: string,
  folder: string,
  work: Promise<T>,
  { statusOf, wire }: { statusOf?: (value: T) => number; wire?: Wire } = {},
): Promise<T> {
  const { observe } = ctx;
  if (!observe) return work;
  const started = performance.now();
  const scheme = side.toLowerCase() + (security === 'tls' ? 's' : '');
  const tell = (status?: number, error?: string) =>
    observe({
      method,
      // A server may name half a character, which no address can hold.
      url: `${scheme}://${host}:${port}/${encodeURIComponent(folder.toWellFormed())}`,
      security,
      ms: performance.now() - started,
      ...(status === undefined ? {} : { status }),
      ...(error === undefined ? {} : { error }),
      ...(wire ? { wire } : {}),
    });
  const told = work.then(
    value => tell(statusOf?.(value)),
    (error: { responseStatus?: string; responseCode?: number; code?: string }) =>
      tell(
        error?.responseCode,
        error?.responseCode === undefined ? (error?.responseStatus ?? error?.code ?? 'error') : undefined,
      ),
  );
  // What fails in whoever listens is no fault of the command.
  told.catch(() => {});
  return work;
}

/** What is kept of an exchange with a host that asked for the wire. */
export const talkFor = (ctx: Context, end: Endpoint): Talk | undefined =>
  ctx.observe && ctx.wire ? new Talk(end.hide ?? String) : undefined;

/** Counts a command that goes over a connection beside the library. */
const counting = new WeakMap<ImapFlow, () => void>();
const telling = new WeakMap<ImapFlow, (command: string, tag: string, work: Promise<unknown>) => void>();
/**
 * The same for everything that the IMAP library sends over a connection; each command counts for the account's pace.
 */
export function observeCommands(ctx: Context, end: Endpoint, client: ImapFlow): void {
  const inside = client as unknown as {
    exec?(command: string, attributes?: { value?: unknown }[], options?: object): Promise<unknown>;
  };
  const exec = inside.exec?.bind(client);
  if (!exec) return;
  counting.set(client, () => count(ctx));
  if (!ctx.observe) {
    inside.exec = (command, attributes, options) => {
      count(ctx);
      return exec(command, attributes, options);
    };
    return;
  }
  const wire = ctx.wire ? listenToWire(client, end) : undefined;
  /** The folder that is being opened: commands that are sent together with that are about it already. */
  let opening: { folder: string } | undefined;
  const meant = () => opening?.folder ?? openFolder(client);
  telling.set(client, (command, tag, work) => {
    void observed(ctx, end, command, meant(), work, { wire: wire?.beside(tag) });
  });
  inside.exec = (command, attributes, options) => {
    count(ctx);
    const named = NAMES_FOLDER.test(command) ? attributes?.[0]?.value : meant();
    const folder = typeof named === 'string' ? named : '';
    const talk = wire?.expect(command);
    const work = exec(command, attributes, options);
    if (talk)
      work.then(
        () => wire!.over(talk),
        () => wire!.over(talk),
      );
    if (OPENS_FOLDER.test(command)) {
      const mine = (opening = { folder });
      const opened = () => {
        if (opening === mine) opening = undefined;
      };
      work.then(opened, opened);
    }
    return observed(ctx, end, command, folder, work, { wire: talk });
  };
}
/** The same for a command that goes over a connection beside the library, under a tag of its own. */
export function observeBeside(client: ImapFlow, command: string, tag: string, work: Promise<unknown>): void {
  counting.get(client)?.();
  telling.get(client)?.(command, tag, work);
}
const openFolder = (client: ImapFlow): string => (client.mailbox ? client.mailbox.path : '');
