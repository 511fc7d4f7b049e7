import { MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import type { ImapFlow, MailboxObject } from '../libraries.js';
import { isOpening, spareListing, together } from './pipeline.js';
import { drainPipeline } from '../wire/fetch.js';
import { refusals } from './imapConnect.js';
import { steadied } from './steadyFolders.js';
import { withImap, type Use } from './imapPool.js';

/**
 * Runs a task as `withImap` does, with a folder opened; `write` for tasks that change it. `fresh` opens it again even
 * if it is open, so that everything new is seen.
 */
export async function withFolder<T>(
  ctx: Context,
  path: string,
  run: (client: ImapFlow, mailbox: MailboxObject) => Promise<T>,
  use: Use & { write?: boolean; fresh?: boolean } = {},
): Promise<T> {
  return withImap(ctx, async client => run(client, await opened(client, path, use)), use);
}

/** Opens a folder unless it is open in the way wanted. */
export async function opened(
  client: ImapFlow,
  path: string,
  { write = false, fresh = false }: { write?: boolean; fresh?: boolean } = {},
): Promise<MailboxObject> {
  const current = client.mailbox;
  if (current && current.path === path && !!current.readOnly === !write && !fresh) return current;
  await drainPipeline(client);
  spareListing(client, path);
  const mailbox = openedAs(path, await client.mailboxOpen(path, { readOnly: !write }), write);
  return write ? mailbox : (await steadied(client, mailbox)).mailbox;
}

/**
 * Opens a folder, even if it is open, and asks for something in it in the same flight. What is asked must hold whatever
 * the folder turns out to be; where it cannot be opened, the answer counts for nothing.
 */
export async function openedWith<T>(
  client: ImapFlow,
  path: string,
  ask: () => Promise<T>,
  { write = false }: { write?: boolean } = {},
): Promise<[MailboxObject, T]> {
  await drainPipeline(client);
  spareListing(client, path);
  const [mailbox, answer] = await together(client, () => {
    const opening = client.mailboxOpen(path, { readOnly: !write });
    // The library may have to ask for something else before it opens this one.
    return Promise.allSettled([opening, isOpening(client) ? ask() : opening.then(ask)]);
  });
  if (mailbox.status === 'rejected') throw mailbox.reason;
  const found = openedAs(path, mailbox.value, write);
  if (answer.status === 'rejected') throw answer.reason;
  if (write) return [found, answer.value];
  const { mailbox: steady, moved } = await steadied(client, found);
  // UIDs that the server made up for the first opening mean nothing in this one.
  return [steady, moved ? await ask() : answer.value];
}

function openedAs(path: string, mailbox: MailboxObject, write: boolean): MailboxObject {
  if (!mailbox) throw new MailError('protocol', `The folder "${path}" could not be opened.`);
  if (write && mailbox.readOnly) throw new MailError('forbidden', `The folder "${path}" may only be read.`);
  return mailbox;
}

/** The result of a library call that answers a refusal with `false`; the refusal itself is thrown. */
export async function granted<T>(client: ImapFlow, call: Promise<T>): Promise<Exclude<T, false | undefined>> {
  refusals.delete(client);
  const result = await call;
  if (result === false || result === undefined)
    throw refusals.get(client) ?? new MailError('rejected', 'The IMAP server refused the command without a reason.');
  return result as Exclude<T, false | undefined>;
}
