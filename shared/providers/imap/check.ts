import { isMailError, MailError } from '../../errors.js';
import type { Context } from '../../provider.js';
import { settingsOf } from './account.js';
import { withImap } from './connection.js';

/** Logs in at both sides. The error names the side that failed, or both. */
export async function checkAccount(ctx: Context): Promise<void> {
  const { imap } = settingsOf(ctx);
  const results = await Promise.allSettled([imap ? withImap(ctx, client => client.noop(), { reads: true }) : undefined]);
  ctx.signal?.throwIfAborted();
  const errors = results.flatMap(result => result.status === 'rejected' ? [result.reason as unknown] : []);
  if (errors.length < 2) { if (errors.length) throw errors[0]; return; }
  const [first] = errors;
  throw new MailError(isMailError(first) ? first.code : 'unavailable', errors.map(error => (error as Error).message).join(' '), { cause: first });
}
