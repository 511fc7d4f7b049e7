import { MailError } from '../../../errors.js';
import type { ImapFlow } from '../libraries.js';
import { isRefused } from './imapError.js';

/** Whether a folder of that name is there, openable or not. */
export async function exists(client: ImapFlow, path: string): Promise<boolean> {
  try {
    // The library asks LIST where STATUS is refused; what is listed and cannot be opened is there.
    await client.status(path, { uidNext: true });
    // Where the connection broke meanwhile, nothing was said of the folder.
    if (!client.usable) throw new Error('The connection closed.');
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'NotFound') return false;
    throw error;
  }
}

/**
 * What a refusal means is asked of the server where it has no code of its own (RFC 5530 is optional), by looking at
 * what is there.
 */
const hasCode = (error: unknown): boolean =>
  typeof (error as { serverResponseCode?: unknown }).serverResponseCode === 'string';

/** Runs a command that needs a folder. A refusal because it is not there is `not_found`, on every family of servers. */
export async function needing<T>(client: ImapFlow, path: string, command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    if (isRefused(error) && !hasCode(error) && client.usable && !(await exists(client, path))) {
      throw new MailError('not_found', `There is no folder "${path}".`, { cause: error });
    }
    throw error;
  }
}

/** Creates a folder. Throws `conflict` where it is there already. */
export async function create(client: ImapFlow, path: string): Promise<string> {
  const there = (name: string) => new MailError('conflict', `There is a folder "${name}" already.`);
  try {
    const made = await client.mailboxCreate(path);
    if (!made.created) throw there(made.path);
    return made.path;
  } catch (error) {
    if (isRefused(error) && !hasCode(error) && client.usable && (await exists(client, path))) throw there(path);
    throw error;
  }
}

/** Creates a folder unless it is there. */
export async function ensure(client: ImapFlow, path: string): Promise<void> {
  if (await exists(client, path)) return;
  try {
    await create(client, path);
  } catch (error) {
    // Somebody was quicker.
    if (!(error instanceof MailError) || error.code !== 'conflict') throw error;
  }
}
