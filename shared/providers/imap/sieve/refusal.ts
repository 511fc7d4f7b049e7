import { isMailError, MailError } from '../../../errors.js';
import { redact, type Hide } from '../../../secrets.js';
import type { Endpoint } from '../account/fields.js';
import { passing } from '../session/refusal.js';
import type { Answer } from './wire.js';

/** NO or BYE, as the server said it. */
export class SieveRefusal extends Error {
  /** Without the lines before it: in the words they were parted into, a secret is not found again. */
  readonly answer: Omit<Answer, 'lines'>;
  constructor(answer: Omit<Answer, 'lines'>) {
    super(answer.text);
    this.answer = answer;
  }
}

export const placeOf = ({ side, host, port }: Endpoint): string => `${side} at ${host}:${port}`;

/** So many letters of a server's words are shown: those of a script that was checked name each of its lines. */
export const MOST_WORDS = 1_500;
/** The server's words on one line each, without secrets: known ones first, while they are whole. */
export const sieveWords = (text: string, hide: Hide = String): string =>
  redact(
    hide(text)
      .replace(/[^\S\n]+/g, ' ')
      .trim(),
  )
    .replace(/\.$/, '')
    .slice(0, MOST_WORDS);

/** What a failure means: by the response code where there is one (RFC 5804 section 1.3), else by what the words say. */
export function refusalOf(error: unknown, end: Endpoint, { login = false }: { login?: boolean } = {}): MailError {
  if (isMailError(error)) return error;
  const where = placeOf(end);
  if (!(error instanceof SieveRefusal)) {
    const { code, message } = error as { code?: string; message: string };
    return new MailError('unavailable', `${where} did not answer: ${[code, message].filter(Boolean).join(', ')}.`, {
      cause: error,
    });
  }
  const { answer } = error;
  const said = sieveWords(answer.text, end.hide) || 'no reason given';
  const code = answer.code ?? '';
  const details = { cause: error, ...(code ? { native: { responseCode: code } } : {}) };
  const fail = (kind: MailError['code'], words: string, more: object = {}) =>
    new MailError(kind, words, { ...details, ...more });
  if (code === 'REFERRAL') {
    return fail(
      'unavailable',
      `${where} sends this account to another server, ${JSON.stringify(answer.detail === undefined ? said : sieveWords(answer.detail, end.hide))}. Nothing was sent there.`,
      { advice: 'If that server is yours, put it into Sieve Host.' },
    );
  }
  const passes =
    passing(said, login) ?? (code === 'TRYLATER' ? { code: 'unavailable' as const, retryAfter: 60 } : undefined);
  if (login && code !== 'ENCRYPT-NEEDED') {
    if (passes)
      return fail(passes.code, `${where} does not let this account in now: ${said}.`, {
        retryAfter: passes.retryAfter,
      });
    if (answer.status === 'BYE') return fail('unavailable', `${where} closed the connection: ${said}.`);
    return fail('unauthorized', `${where} refused the login of ${end.user}: ${said}.`);
  }
  switch (code.split('/')[0]) {
    case 'NONEXISTENT':
      return fail('not_found', `${where} has no such script: ${said}.`);
    case 'ALREADYEXISTS':
      return fail('conflict', `${where} has a script of this name already: ${said}.`);
    case 'ACTIVE':
      return fail('conflict', `The script is the active one: ${said}.`);
    case 'QUOTA':
      return fail('rejected', `${where} has no room for this script: ${said}.`, {
        advice: 'Make the script shorter, or delete scripts that are not needed.',
      });
    case 'AUTH-TOO-WEAK':
    case 'ENCRYPT-NEEDED':
    case 'TRANSITION-NEEDED':
      return fail('unauthorized', `${where} answered: ${said}.`);
    default:
      break;
  }
  if (passes) return fail(passes.code, `${where} answered: ${said}.`, { retryAfter: passes.retryAfter });
  if (answer.status === 'BYE') return fail('unavailable', `${where} closed the connection: ${said}.`);
  return fail('rejected', `${where} refused: ${said}.`);
}
