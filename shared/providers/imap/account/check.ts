import { isMailError, MailError } from '../../../errors.js';
import type { Context } from '../../../provider.js';
import { isCertificateError } from './certificate.js';
import { settingsOf, type Endpoint } from './fields.js';
import { wordsOf } from '../session/imapError.js';
import { withImap } from '../session/imapPool.js';
import { smtpWords } from '../session/smtpError.js';
import { checkSmtp } from '../session/smtpPool.js';
import { withSieve } from '../sieve/session.js';
import type { AccountNotes } from '../../../vocabulary.js';

/** How long the look for rules on the server may take where the account does not name their host, in milliseconds. */
const LOOK = 5_000;

/**
 * Logs in at both sides at once, and then where rules are kept. The error names the side that failed, or both; that
 * there are no rules is no error.
 */
export async function checkAccount(ctx: Context): Promise<AccountNotes> {
  const { imap, smtp } = settingsOf(ctx);
  const results = await Promise.allSettled([
    imap ? withImap(ctx, client => client.noop(), { reads: true }) : undefined,
    smtp ? checkSmtp(ctx) : undefined,
  ]);
  ctx.signal?.throwIfAborted();
  const errors = results.flatMap((result, i) =>
    result.status === 'rejected'
      ? [ctx.discreet ? discreet(result.reason, [imap, smtp][i]!) : (result.reason as unknown)]
      : [],
  );
  const [first, second] = errors;
  if (second)
    throw new MailError(
      isMailError(first) ? first.code : 'unavailable',
      `Both sides failed. ${(first as Error).message} ${(second as Error).message}`,
      { cause: first },
    );
  if (first) throw first;
  return { notes: await lookForRules(ctx) };
}

/** What is to be had of rules on the server. Throws only where the account names their host itself. */
async function lookForRules(ctx: Context): Promise<string[]> {
  const { sieve } = settingsOf(ctx);
  if (!sieve) return [];
  const named = ctx.account.sieveHost !== undefined;
  const where = `${sieve.host}:${sieve.port}`;
  const signal = named ? ctx.signal : AbortSignal.any([...(ctx.signal ? [ctx.signal] : []), AbortSignal.timeout(LOOK)]);
  try {
    await withSieve({ ...ctx, ...(signal ? { signal } : {}) }, sieveConnection =>
      sieveConnection.command('LISTSCRIPTS'),
    );
    return [`Rules on the server can be used (ManageSieve at ${where}).`];
  } catch (error) {
    ctx.signal?.throwIfAborted();
    if (named) throw ctx.discreet ? discreet(error, sieve) : error;
    return [
      `No rules on the server: ManageSieve ${isMailError(error) && error.code === 'unauthorized' ? 'refused the login' : 'does not answer'} at ${where}.`,
    ];
  }
}

interface LibraryError {
  message?: string;
  code?: string;
  responseCode?: number;
  authenticationFailed?: boolean;
  syscall?: string;
}

/** The error without a server's words, unless they refuse a login: whoever answers that is a mail server. */
function discreet(error: unknown, { side, host, port, hide }: Endpoint): unknown {
  const cause = isMailError(error) ? (error.details.cause as LibraryError | undefined) : undefined;
  if (!isMailError(error) || !cause) return error;
  const login = cause.authenticationFailed || (cause.code === 'EAUTH' && cause.responseCode !== undefined);
  const ofSystem = cause.syscall !== undefined;
  const quoted = [wordsOf(cause, hide), smtpWords(cause, hide)].some(
    words => words !== '' && error.message.includes(words),
  );
  if (login || ofSystem || !quoted || isCertificateError(cause)) return error;
  return new MailError('unavailable', `${side}: no mail server answered properly at ${host}:${port}.`);
}
