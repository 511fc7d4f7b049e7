import { MailError, isMailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import { endpoint, type Endpoint } from '../account/fields.js';
import type { ImapFlow } from '../libraries.js';
import { spareListing } from './pipeline.js';
import { imapError, isRefused } from './imapError.js';
import { alive, leave, PROBE_DEADLINE } from './imapConnect.js';
import { closeWhenIdle, hubOf, isSingle, login, makeSingle, withImap, type Hub, type Watcher } from './imapPool.js';

/** How long a command on the connection that waits for news may take; they are all short. In milliseconds. */
const ANSWER_DEADLINE = 30_000;

/** Between two probes of a waiting connection, and between two looks at folders nobody waits on, in milliseconds. */
const PROBE_EVERY = 30_000;
const OTHERS_EVERY = 60_000;
const POLL_EVERY = 15_000;

/**
 * Calls `changed` when one of the folders may hold something new, until `ctx.signal` aborts; with `changes` also when a
 * message of the folder waited on was marked or went. All watchers of an account share one connection, which idles on
 * the first folder of the first that the server opens (RFC 2177); the other folders are asked for by STATUS. Rejects
 * when none of all opens, and when that connection dies, so that the caller decides when to come back.
 */
export async function watchFolders(
  ctx: Context,
  folders: readonly string[],
  changed: Watcher['changed'],
  { changes = false }: Pick<Watcher, 'changes'> = {},
): Promise<void> {
  // An account that is remembered for nobody would never be forgotten.
  if (ctx.signal?.aborted) return;
  const end = endpoint(ctx, 'imap');
  const hub = hubOf(ctx);
  let leaveHub: () => void = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      const watcher: Watcher = { ctx, folders, changed, fail: reject, changes };
      hub.watchers.add(watcher);
      const stop = () => resolve();
      ctx.signal?.addEventListener('abort', stop, { once: true });
      leaveHub = () => {
        ctx.signal?.removeEventListener('abort', stop);
        hub.watchers.delete(watcher);
        if (!hub.watchers.size) hub.idle?.close();
        hub.wake?.();
        if (!hub.waiting) closeWhenIdle(hub);
      };
      if (!hub.loop) startLoop(hub, end);
      else {
        inform(hub, watcher);
        hub.wake?.();
      }
    });
  } finally {
    leaveHub();
  }
}

function startLoop(hub: Hub, end: Endpoint) {
  const ended = (error?: unknown) => {
    hub.loop = undefined;
    const failed = error === undefined ? undefined : imapError(error, end);
    if (failed) for (const watcher of [...hub.watchers]) watcher.fail(failed);
    // Someone came while the loop was ending.
    else if (hub.watchers.size) startLoop(hub, end);
  };
  const polling = isSingle(hub);
  hub.loop = (polling ? poll(hub) : follow(hub, end)).then(
    () => ended(),
    error => {
      const refused = isMailError(error) && error.code === 'rate_limited';
      if (hub.watchers.size && !polling && (refused || isSingle(hub))) {
        // No second connection to be had: ask on the first one. What fails there is for the watchers to hear, who know
        // how long to wait.
        makeSingle(hub);
        hub.loop = undefined;
        startLoop(hub, end);
      } else ended(hub.watchers.size ? error : undefined);
    },
  );
}

/** Calls the watchers of a folder after a while, if any are left by then. */
export function remind(ctx: Context, folder: string, ms: number): void {
  const hub = hubOf(ctx);
  setTimeout(() => tell(hub, folder), ms).unref();
}

/**
 * Calls the watchers of a folder; all of them where none is named. `changes`: only those that want to hear of messages
 * they know.
 */
const tell = (hub: Hub, folder?: string, changes = false) => {
  for (const watcher of [...hub.watchers]) {
    if ((folder === undefined || watcher.folders.includes(folder)) && (!changes || watcher.changes))
      inform(hub, watcher);
  }
};
const inform = (hub: Hub, watcher: Watcher) =>
  watcher.changed(hub.pushed !== undefined && firstOf(hub, watcher) === hub.pushed);
/** The folder a watcher waits for first, of those that the server opens. */
const firstOf = (hub: Hub, { folders }: Watcher) => folders.find(folder => !hub.refused?.has(folder));
/** What is seen of a folder that the server refuses. */
const GONE = 'gone';

/** Idles on a connection of its own until nobody watches any more. Throws when the connection dies. */
async function follow(hub: Hub, end: Endpoint): Promise<void> {
  const first = [...hub.watchers][0];
  if (!first) return;
  const client = await login(hub, first.ctx, end);
  if (!hub.watchers.size) return void (await leave(client));
  await new Following(hub, end, client).untilNobodyWatches();
}

/** The connection that waits for news: it idles on the main folder, and asks for the others now and then. */
class Following {
  private main = '';
  /** What was last told of each folder. */
  private readonly seen = new Map<string, string>();
  /** Folders that the server refused to open, with what was seen of them then: once that changes it is tried again. */
  private readonly refused = new Map<string, string | undefined>();
  private idles: boolean;
  /** When the other folders were last asked for, in milliseconds of `performance.now`. */
  private othersAt = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  /** Rejects when the connection ends. */
  private readonly closed: Promise<never>;

  constructor(
    private readonly hub: Hub,
    private readonly end: Endpoint,
    private readonly client: ImapFlow,
  ) {
    hub.idle = client;
    hub.refused = this.refused;
    this.idles = client.capabilities.has('IDLE') || client.capabilities.has('IMAP4rev2');
    this.closed = new Promise<never>((_, reject) =>
      client.once('close', () => reject(this.unavailable('closed the connection that waited for new mail'))),
    );
    this.closed.catch(() => {});
    client.on('exists', () => tell(hub, this.main));
    for (const event of ['flags', 'expunge'] as const) client.on(event, () => tell(hub, this.main, true));
  }

  async untilNobodyWatches(): Promise<void> {
    const { hub, client } = this;
    try {
      while (hub.watchers.size) {
        const watchers = [...hub.watchers];
        const wanted = new Set(watchers.flatMap(watcher => watcher.folders));
        await this.openMain(wanted.size ? [...wanted] : ['INBOX']);
        // Folders that somebody's news depends on alone are asked for more often.
        const urgent = watchers.some(watcher => (firstOf(hub, watcher) ?? this.main) !== this.main);
        await this.askForOthers(watchers, urgent ? POLL_EVERY : OTHERS_EVERY);
        if (this.idles) this.idle();
        await this.wait(this.idles && !urgent ? PROBE_EVERY : POLL_EVERY);
        if (hub.watchers.size) await this.probe();
      }
    } finally {
      clearTimeout(this.timer);
      hub.idle = undefined;
      hub.pushed = undefined;
      hub.refused = undefined;
      hub.wake = undefined;
      // Nothing waits for an answer here, so nothing can hold up whoever stops watching.
      client.close();
    }
  }

  /** Makes the first folder that the server opens the main one. Throws when it opens none. */
  private async openMain(wanted: readonly string[]): Promise<void> {
    const { hub, seen, refused } = this;
    const promising = wanted.filter(folder => !refused.has(folder) || refused.get(folder) !== seen.get(folder));
    const gone: string[] = [];
    let failed: unknown;
    for (const folder of promising.length ? promising : wanted) {
      try {
        await this.open(folder);
        for (const one of gone) tell(hub, one);
        return;
      } catch (error) {
        if (!isRefused(error)) throw error;
        failed ??= error;
        // No folder is open after a refusal (RFC 9051 section 6.3.2).
        this.main = '';
        hub.pushed = undefined;
        // Where STATUS answered since, that stands: else the folder would go and come back without end.
        if (!refused.has(folder) && seen.get(folder) !== GONE) {
          seen.set(folder, GONE);
          gone.push(folder);
        }
        refused.set(folder, seen.get(folder));
      }
    }
    throw failed;
  }

  /** Opens a folder unless it is open already; without IDLE it is opened each time, which tells what is new. */
  private async open(wanted: string): Promise<void> {
    const { hub, client, seen, idles, refused } = this;
    if (this.main === wanted && idles) return;
    spareListing(client, wanted);
    const mailbox = await this.answer(client.mailboxOpen(wanted, { readOnly: true }));
    const state = `${mailbox.uidValidity}/${mailbox.uidNext}/${mailbox.exists}`;
    refused.delete(wanted);
    // Whatever came before this moment was not announced to us.
    hub.pushed = idles ? wanted : undefined;
    if (this.main !== wanted || seen.get(wanted) !== state) {
      this.main = wanted;
      tell(hub, wanted);
    }
    seen.set(wanted, state);
  }

  private async askForOthers(watchers: readonly Watcher[], every: number): Promise<void> {
    const { hub, client, seen } = this;
    if (performance.now() - this.othersAt < every - 1_000) return;
    this.othersAt = performance.now();
    for (const folder of new Set(watchers.flatMap(watcher => watcher.folders))) {
      if (folder === this.main) continue;
      const status = await this.answer(
        client.status(folder, { uidNext: true, uidValidity: true, messages: true }).catch(() => false as const),
      );
      const state = status ? `${status.uidValidity}/${status.uidNext}/${status.messages}` : GONE;
      if (seen.get(folder) === state) continue;
      seen.set(folder, state);
      tell(hub, folder);
    }
  }

  /** An IDLE that the server ends is begun again; one that it refuses makes it a server without. */
  private idle(): void {
    const { hub } = this;
    this.client.idle().then(
      ended => {
        if (ended === false) {
          this.idles = false;
          hub.pushed = undefined;
          tell(hub, this.main);
        }
        hub.wake?.();
      },
      () => {},
    );
  }

  /** Waits until somebody wakes it, so many milliseconds at most. */
  private async wait(ms: number): Promise<void> {
    await Promise.race([
      this.closed,
      new Promise<void>(resolve => {
        this.timer = setTimeout(resolve, ms);
        this.hub.wake = () => {
          clearTimeout(this.timer);
          resolve();
        };
      }),
    ]);
  }

  private async probe(): Promise<void> {
    const { hub, client, closed } = this;
    if (await Promise.race([alive(client), closed])) return;
    // The other connection goes the same way and would only be found dead once more.
    if (!hub.waiting) hub.client?.close();
    throw this.unavailable(`did not answer a probe within ${PROBE_DEADLINE / 1000} s`);
  }

  /** An answer, unless the connection ends or stays silent; only IDLE may wait. */
  private async answer<T>(asked: Promise<T>): Promise<T> {
    let deadline: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_, reject) => {
      deadline = setTimeout(() => reject(this.unavailable('fell silent in the middle of a command')), ANSWER_DEADLINE);
    });
    try {
      return await Promise.race([asked, this.closed, silent]);
    } finally {
      clearTimeout(deadline);
      asked.catch(() => {});
    }
  }

  private unavailable(what: string): MailError {
    const { side, host, port } = this.end;
    return new MailError('unavailable', `${side} at ${host}:${port} ${what}.`);
  }
}

/** Without a connection of its own: asks for the state of the folders now and then, between other work. */
async function poll(hub: Hub): Promise<void> {
  const seen = new Map<string, string>();
  // After a while it is tried again whether a second connection is allowed.
  while (hub.watchers.size && isSingle(hub)) {
    const watchers = [...hub.watchers];
    const folders = new Set(watchers.flatMap(watcher => watcher.folders));
    const gone = new Map<string, unknown>();
    for (const folder of folders) {
      const state = await withImap(
        { ...watchers[0]!.ctx, signal: undefined },
        async client => {
          // STATUS of the open folder is not to be trusted (RFC 3501 section 6.3.10), opening it again is.
          try {
            const mailbox = await client.mailboxOpen(folder, { readOnly: true });
            return `${mailbox.uidValidity}/${mailbox.uidNext}/${mailbox.exists}`;
          } catch (error) {
            if (!isRefused(error)) throw error;
            gone.set(folder, error);
            return GONE;
          }
        },
        { reads: true, silence: 30_000 },
      );
      if (gone.size === folders.size) throw [...gone.values()][0];
      if (seen.get(folder) !== state) {
        seen.set(folder, state);
        tell(hub, folder);
      }
    }
    if (!hub.watchers.size) break;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, POLL_EVERY);
      hub.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  hub.wake = undefined;
}
