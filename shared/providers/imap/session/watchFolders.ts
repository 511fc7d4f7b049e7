import { MailError, isMailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import { endpoint, type Endpoint } from '../account/fields.js';
import { spareListing } from './pipeline.js';
import { imapError } from './imapError.js';
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
 * the first folder of the first (RFC 2177); the other folders are asked for by STATUS. Rejects when that connection
 * dies, so that the caller decides when to come back.
 */
export async function watchFolders(
  ctx: Context,
  folders: readonly string[],
  changed: Watcher['changed'],
  { changes = false }: Pick<Watcher, 'changes'> = {},
): Promise<void> {
  const end = endpoint(ctx, 'imap');
  const hub = hubOf(ctx);
  if (ctx.signal?.aborted) return;
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
  watcher.changed(hub.pushed !== undefined && watcher.folders[0] === hub.pushed);

async function follow(hub: Hub, end: Endpoint): Promise<void> {
  const first = [...hub.watchers][0];
  if (!first) return;
  const client = await login(hub, first.ctx, end);
  if (!hub.watchers.size) return void (await leave(client));
  hub.idle = client;
  const closed = new Promise<never>((_, reject) =>
    client.once('close', () =>
      reject(
        new MailError(
          'unavailable',
          `${end.side} at ${end.host}:${end.port} closed the connection that waited for new mail.`,
        ),
      ),
    ),
  );
  closed.catch(() => {});
  /** An answer, unless the connection ends or stays silent; only IDLE may wait. */
  const answer = async <T>(asked: Promise<T>): Promise<T> => {
    let deadline: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_, reject) => {
      deadline = setTimeout(
        () =>
          reject(
            new MailError(
              'unavailable',
              `${end.side} at ${end.host}:${end.port} fell silent in the middle of a command.`,
            ),
          ),
        ANSWER_DEADLINE,
      );
    });
    try {
      return await Promise.race([asked, closed, silent]);
    } finally {
      clearTimeout(deadline);
      asked.catch(() => {});
    }
  };
  let main = '';
  client.on('exists', () => tell(hub, main));
  for (const event of ['flags', 'expunge'] as const) client.on(event, () => tell(hub, main, true));
  const seen = new Map<string, string>();
  let idles = client.capabilities.has('IDLE') || client.capabilities.has('IMAP4rev2');
  let othersAt = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    while (hub.watchers.size) {
      const watchers = [...hub.watchers];
      const wanted = watchers[0]!.folders[0] ?? 'INBOX';
      if (main !== wanted || !idles) {
        spareListing(client, wanted);
        const mailbox = await answer(client.mailboxOpen(wanted, { readOnly: true }));
        const state = `${mailbox.uidValidity}/${mailbox.uidNext}/${mailbox.exists}`;
        // Whatever came before this moment was not announced to us.
        hub.pushed = idles ? wanted : undefined;
        if (main !== wanted || seen.get(wanted) !== state) {
          main = wanted;
          tell(hub, main);
        }
        seen.set(wanted, state);
      }
      // Folders that somebody's news depends on alone are asked for more often.
      const urgent = watchers.slice(1).some(watcher => watcher.folders[0] !== main);
      if (performance.now() - othersAt >= (urgent ? POLL_EVERY : OTHERS_EVERY) - 1_000) {
        othersAt = performance.now();
        for (const folder of new Set(watchers.flatMap(watcher => watcher.folders))) {
          if (folder === main) continue;
          const status = await answer(
            client.status(folder, { uidNext: true, uidValidity: true, messages: true }).catch(() => false as const),
          );
          const state = status ? `${status.uidValidity}/${status.uidNext}/${status.messages}` : 'gone';
          if (seen.get(folder) !== state) {
            seen.set(folder, state);
            tell(hub, folder);
          }
        }
      }
      // An IDLE that the server ends is begun again; one that it refuses makes it a server without.
      if (idles)
        client.idle().then(
          ended => {
            if (ended === false) {
              idles = false;
              hub.pushed = undefined;
              tell(hub, main);
            }
            hub.wake?.();
          },
          () => {},
        );
      await Promise.race([
        closed,
        new Promise<void>(resolve => {
          timer = setTimeout(resolve, idles && !urgent ? PROBE_EVERY : POLL_EVERY);
          hub.wake = () => {
            clearTimeout(timer);
            resolve();
          };
        }),
      ]);
      if (hub.watchers.size && !(await Promise.race([alive(client), closed]))) {
        // The other connection goes the same way and would only be found dead once more.
        if (!hub.waiting) hub.client?.close();
        throw new MailError(
          'unavailable',
          `${end.side} at ${end.host}:${end.port} did not answer a probe within ${PROBE_DEADLINE / 1000} s.`,
        );
      }
    }
  } finally {
    clearTimeout(timer);
    hub.idle = undefined;
    hub.pushed = undefined;
    hub.wake = undefined;
    // Nothing waits for an answer here, so nothing can hold up whoever stops watching.
    client.close();
  }
}

/** Without a connection of its own: asks for the state of the folders now and then, between other work. */
async function poll(hub: Hub): Promise<void> {
  const seen = new Map<string, string>();
  // After a while it is tried again whether a second connection is allowed.
  while (hub.watchers.size && isSingle(hub)) {
    const watchers = [...hub.watchers];
    for (const folder of new Set(watchers.flatMap(watcher => watcher.folders))) {
      const state = await withImap(
        { ...watchers[0]!.ctx, signal: undefined },
        async client => {
          // STATUS of the open folder is not to be trusted (RFC 3501 section 6.3.10), opening it again is.
          const mailbox = await client.mailboxOpen(folder, { readOnly: true });
          return `${mailbox.uidValidity}/${mailbox.uidNext}/${mailbox.exists}`;
        },
        { reads: true, silence: 30_000 },
      );
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
