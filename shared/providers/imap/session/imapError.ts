import { MailError, isMailError } from '../../../errors.js';
import { redact, type Hide } from '../../../secrets.js';
import type { Endpoint } from '../account/fields.js';
import type { ImapFlow } from '../libraries.js';
import { loginAdvice } from './loginAdvice.js';
import { passing, type Passing } from './refusal.js';
import { isNotImap, noAnswer } from './noAnswer.js';
import { isPlainAnswer, noStartTls, speaksPlain } from './tlsMix.js';
import { perhapsDone } from './silentCommands.js';

interface LibraryError {
  code?: string;
  message?: string;
  responseStatus?: string;
  responseText?: string;
  response?: unknown;
  serverResponseCode?: string;
  reason?: string;
  authenticationFailed?: boolean;
  mailboxMissing?: boolean;
  throttleReset?: number;
  tlsFailed?: boolean;
  command?: string;
  rejectedFrom?: string;
  oauthError?: { status?: string; error?: string };
}

/** True when the connection went away under a command. */
export const isLost = (client: ImapFlow, error: unknown): boolean =>
  !client.usable && !isMailError(error) && (error as LibraryError)?.responseStatus === undefined;

/** True when the server answered NO or BAD to one command: the connection goes on. */
export const isRefused = (error: unknown): boolean => (error as LibraryError)?.responseStatus !== undefined;

/** The server's words as they came: to be read for what they mean, not to be shown. */
function rawWordsOf(error: unknown): string {
  const e = error as LibraryError;
  return (
    e?.responseText ??
    (typeof e?.response === 'string' ? e.response : undefined) ??
    e?.reason ??
    e?.message ??
    String(error)
  );
}

/** The server's words about a failure, without secrets: known ones first, while they are whole. */
export function wordsOf(error: unknown, hide: Hide = String): string {
  return redact(
    hide(rawWordsOf(error))
      .replace(/^[0-9A-F]+ (NO|BAD)\s+/, '')
      .replace(/\s+/g, ' ')
      .replace(/ \([\d.]+ \+ [\d.]+( \+ [\d.]+)? secs\)\.?$/, '')
      .trim(),
  )
    .replace(/\.$/, '')
    .slice(0, 300);
}

/** The response code of a refusal that the library left unread, as it does for FETCH. */
function codeOf(response: unknown): string | undefined {
  const value = (response as { attributes?: { section?: { value?: unknown }[] }[] } | undefined)?.attributes?.[0]
    ?.section?.[0]?.value;
  return typeof value === 'string' ? value : undefined;
}

/**
 * What a response code says of a trouble that passes, where the words say nothing (RFC 5530 section 3, RFC 9051 section
 * 7.1).
 */
function ofCode(code: string | undefined): Passing | undefined {
  if (code === 'LIMIT' || code === 'INUSE') return { code: 'rate_limited', retryAfter: 60 };
  return code === 'UNAVAILABLE' || code === 'SERVERBUG' || code === 'CONTACTADMIN'
    ? { code: 'unavailable', retryAfter: 60 }
    : undefined;
}

/**
 * What a failure of the IMAP library means: by the response code where there is one (RFC 5530), never by the library's
 * own flag alone.
 */
export function imapError(error: unknown, end: Endpoint): MailError {
  if (isMailError(error)) return error;
  const e = error as LibraryError;
  const where = `${end.side} at ${end.host}:${end.port}`;
  const code = (e.serverResponseCode ?? codeOf(e.response))?.toUpperCase();
  const said = wordsOf(error, end.hide);
  const details = { cause: error, ...(code ? { native: { responseCode: code } } : {}) };
  if (e.code === 'ETHROTTLE')
    return new MailError('rate_limited', `${where} asks for a break: ${said}.`, {
      ...details,
      retryAfter: Math.ceil((e.throttleReset ?? 0) / 1000),
    });
  const passes = passing(said, e.authenticationFailed) ?? ofCode(code);
  // The words of a full mailbox may say limit too; it is not waiting that helps there (RFC 9208 section 4.1).
  const full = code === 'OVERQUOTA' && !e.authenticationFailed && !/bandwidth|command|rate/i.test(said);
  if (e.authenticationFailed) {
    // LIMIT, UNAVAILABLE and the like say nothing about the password (RFC 5530 section 3), although the library flags
    // every NO alike.
    if (passes?.code === 'rate_limited')
      return new MailError('rate_limited', `${where} does not let this account in now: ${said}.`, {
        ...details,
        retryAfter: passes.retryAfter,
      });
    if (passes)
      return new MailError('unavailable', `${where} cannot log anyone in now: ${said}.`, {
        ...details,
        retryAfter: passes.retryAfter,
      });
    const { code: meant, advice } = loginAdvice(rawWordsOf(error), end);
    return new MailError(meant, `${where} refused the login of ${end.user}: ${said}.`, {
      ...details,
      ...(advice ? { advice } : {}),
    });
  }
  if (/^Unsupported authentication mechanism/.test(e.message ?? '')) {
    return new MailError(
      'unauthorized',
      `${where} offers no way of logging in that works with ${end.oauth2 ? 'an OAuth 2 token' : 'a password'}.`,
      details,
    );
  }
  if (e.responseStatus !== undefined) {
    if (e.mailboxMissing || code === 'NONEXISTENT' || code === 'TRYCREATE')
      return new MailError('not_found', `The folder does not exist: ${said}.`, details);
    if (code === 'ALREADYEXISTS') return new MailError('conflict', `${where} answered: ${said}.`, details);
    if (code === 'NOPERM') return new MailError('forbidden', `${where} answered: ${said}.`, details);
    if (full) return new MailError('rejected', `${where} has no room left for this account: ${said}.`, details);
    if (passes)
      return new MailError(passes.code, `${where} answered: ${said}.`, { ...details, retryAfter: passes.retryAfter });
    return new MailError('rejected', `${where} answered: ${said}.`, details);
  }
  if (e.code === 'NotFound') return new MailError('not_found', `${said}.`, details);
  if (end.security === 'tls' && isPlainAnswer(error)) return speaksPlain(end, error);
  if (end.security === 'starttls' && /does not support STARTTLS/i.test(said)) return noStartTls(end, error);
  if (e.tlsFailed) return new MailError('unavailable', `${where} could not be reached over TLS: ${said}.`, details);
  // The command had been sent, and its answer never came.
  const done = e.command !== undefined && e.rejectedFrom === 'pendingRequest' ? perhapsDone(e.command) : '';
  if (passes && e.reason)
    return new MailError(passes.code, `${where} closed the connection: ${said}.${done}`, {
      ...details,
      retryAfter: passes.retryAfter,
    });
  if (isNotImap(e.code)) {
    return new MailError('protocol', `${where} sent something that is not IMAP: ${said}.`, details);
  }
  return new MailError('unavailable', `${noAnswer(where, end.host, { code: e.code, message: said })}${done}`, details);
}
