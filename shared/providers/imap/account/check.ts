import { isMailError, MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import { settingsOf } from './fields.js';
import { withImap } from '../session/imapPool.js';
import { checkSmtp } from '../session/smtpPool.js';

/** Logs in at both sides at once. The error names the side that failed, or both. */
export async function checkAccount(ctx: Context): Promise<void> {
  const { imap, smtp } = settingsOf(ctx);
  const results = await Promise.allSettled([imap ? withImap(ctx, client => client.noop(), { reads: true }) : undefined, smtp ? checkSmtp(ctx) : undefined]);
  ctx.signal?.throwIfAborted();
  const errors = results.flatMap(result => result.status === 'rejected' ? [result.reason as unknown] : []);
  const [first, second] = errors;
  if (second) throw new MailError(isMailError(first) ? first.code : 'unavailable',
    `Both sides failed. ${(first as Error).message} ${(second as Error).message}`, { cause: first });
  if (first) throw first;
}
