import { isMailError, MailError } from '../../../errors.js';
import { redact, type Hide } from '../../../secrets.js';
import type { Endpoint } from '../account/fields.js';
import { certificateRefused, isCertificateError } from '../account/certificate.js';
import type { SmtpFailure } from '../wire/smtpStream.js';
import { noAnswer } from './noAnswer.js';
import { loginAdvice } from './loginAdvice.js';
import { passing } from './refusal.js';
import { isPlainAnswer, noStartTls, speaksPlain } from './tlsMix.js';

/** True where a server takes no more connections of this account for now. */
export const isTooMany = (error: unknown) => {
  const { responseCode = 0, response = '' } = error as SmtpFailure;
  return (
    responseCode >= 400 &&
    responseCode < 500 &&
    /too many.*(connection|session)|connection.*limit|concurrent/i.test(response)
  );
};

/**
 * True where the same message may be taken at another try: 4yz and 503 (RFC 5321 section 4.2.1), or no answer at all.
 */
export function isTemporary(error: unknown): boolean {
  const e = error as SmtpFailure;
  // Who logs in too often is only held off longer by trying again at once.
  if (e.code === 'EAUTH' && passing(smtpWords(error), true)?.code === 'rate_limited') return false;
  if (e.responseCode !== undefined) return e.responseCode < 500 || e.responseCode === 503;
  return (
    ['ECONNECTION', 'ETIMEDOUT', 'ESOCKET', 'EDNS', 'EPROTOCOL', 'EMAXLIMIT'].includes(e.code ?? '') &&
    !aboutCertificate(error)
  );
}

/** The library puts its own code over that of TLS, so the words have to tell. */
const aboutCertificate = (error: unknown): boolean =>
  isCertificateError(error) ||
  isCertificateError(innermost(error)) ||
  (/^(ESOCKET|ETLS)$/.test((error as SmtpFailure).code ?? '') &&
    /certificate|altnames/i.test((error as SmtpFailure).message ?? ''));

/** The server's words, without line breaks and without secrets: known ones first, while they are whole. */
export const smtpWords = (error: unknown, hide: Hide = String): string => {
  const e = error as SmtpFailure;
  return redact(
    hide(e.response || e.message || String(error))
      .replace(/\s+/g, ' ')
      .trim(),
  )
    .replace(/\.$/, '')
    .slice(0, 300);
};

function innermost(error: unknown): unknown {
  let inner = error as { cause?: unknown };
  while (inner?.cause && typeof inner.cause === 'object') inner = inner.cause as typeof inner;
  return inner;
}

/** What an `SmtpFailure` has that ends without an answer. */
export const lost = (): SmtpFailure & Error =>
  Object.assign(new Error('the connection was closed'), { code: 'ECONNECTION' });

/**
 * What a failure of the SMTP library means: by the step and the reply code, because the library's own codes are used
 * for several kinds.
 */
export async function smtpError(error: unknown, end: Endpoint, address: string): Promise<MailError> {
  if (isMailError(error)) return error;
  if (isMailError(innermost(error))) return innermost(error) as MailError;
  if (aboutCertificate(error)) return certificateRefused(end, address, innermost(error));
  if (end.security === 'tls' && isPlainAnswer(error)) return speaksPlain(end, error);
  const e = error as SmtpFailure;
  const said = smtpWords(error, end.hide);
  const code = e.responseCode;
  if (code === undefined) return withoutAnswer(e, said, end);
  const details = { cause: error, native: { responseCode: code, ...(e.command ? { command: e.command } : {}) } };
  const passes = passing(e.response || said, e.code === 'EAUTH');
  if (e.command === 'STARTTLS' && code >= 500) return noStartTls(end, error);
  const isLogin = e.code === 'EAUTH' || [530, 532, 534, 535, 538].includes(code);
  const isDoor = /^(CONN|EHLO|HELO|STARTTLS)$/.test(e.command ?? '');
  const where = `SMTP at ${end.host}:${end.port}`;
  if (passes || code < 500) {
    const what = isLogin || isDoor ? 'does not let this account in now' : 'cannot take the message now';
    return new MailError(passes?.code ?? 'unavailable', `${where} ${what}: ${said}.`, {
      ...details,
      retryAfter: passes?.retryAfter ?? 60,
    });
  }
  if (isLogin) {
    // Read as it came: a word that only looks like a secret may be what tells.
    const { code: meant, advice } = loginAdvice(e.response || said, end);
    return new MailError(meant, `${where} refused the login of ${end.user}: ${said}.`, {
      ...details,
      ...(advice ? { advice } : {}),
    });
  }
  if (isDoor) return new MailError('rejected', `${where} refused the connection: ${said}.`, details);
  const whom = e.rejectedErrors?.map(one => one.recipient).filter(Boolean) ?? (e.recipient ? [e.recipient] : []);
  return new MailError(
    'rejected',
    `${where} refused ${whom.length ? `${whom.join(', ')}: ` : 'the message: '}${said}.`,
    {
      ...details,
      ...(/to unblock|unusual (sending )?activity/i.test(said) ? { advice: loginAdvice(said, end).advice } : {}),
    },
  );
}

/** The same for what the server said nothing about. */
function withoutAnswer(e: SmtpFailure, said: string, end: Endpoint): MailError {
  const where = `SMTP at ${end.host}:${end.port}`;
  const details = { cause: e };
  switch (e.code) {
    case 'EAUTH':
    case 'ENOAUTH':
    case 'EOAUTH2':
      return new MailError('unauthorized', `${where} refused the login of ${end.user}: ${said}.`, details);
    case 'EMESSAGE':
      return new MailError('rejected', `${where}: ${said}.`, details);
    case 'EENVELOPE':
    case 'ECONFIG':
      return new MailError('invalid_input', `${said}.`, details);
    case 'ESTREAM':
      return new MailError('invalid_input', `An attachment could not be read: ${said}.`, details);
    case 'ETOOSLOW':
      return new MailError(
        'unavailable',
        `${where} was given up: ${said}. The message was broken off before its end, so it was not sent.`,
        details,
      );
    case 'ENOEND':
      return new MailError('unavailable', `${where} was given up: ${said}. Nothing was sent.`, details);
    default:
      return new MailError('unavailable', noAnswer(where, end.host, { code: e.code, message: said }), details);
  }
}
