/**
 * The closed list of what can go wrong. Front ends translate it in one place each, with a switch the compiler checks.
 */
export type ErrorCode =
  | 'unsupported'
  | 'invalid_input'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'rejected'
  | 'rate_limited'
  | 'unavailable'
  | 'protocol';

/** One problem of an input: which field, and what is wrong with it, in words for a person. */
export interface Issue {
  field?: string;
  message: string;
}

/** Where and why; `retryAfter` is in seconds, `status` an HTTP status where there was one. Never holds a secret. */
export interface ErrorDetails {
  provider?: string;
  operation?: string;
  status?: number;
  retryAfter?: number;
  issues?: Issue[];
  native?: unknown;
  cause?: unknown;
  /** What the user can do about it, in a sentence, where that is more than the code says. */
  advice?: string;
}

/** The one error of the core. `message` is a sentence for a person, in the vendor's words where those help. */
export class MailError extends Error {
  override name = 'MailError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.code = code;
    this.details = details;
  }
}

/** True for a `MailError`, also one made by another copy of the core. */
export const isMailError = (error: unknown): error is MailError =>
  error instanceof Error && error.name === 'MailError' && typeof (error as Partial<MailError>).code === 'string';

/** The same error, saying where it happened; what it already says about that stays. */
export function located(error: unknown, provider: string, operation: string): unknown {
  if (!isMailError(error) || (error.details.provider && error.details.operation)) return error;
  const placed = new MailError(error.code, error.message, { provider, operation, ...error.details });
  if (error.stack) placed.stack = error.stack;
  return placed;
}

/** What a status means where the vendor says no more: RFC 9110 section 15. */
export function codeOfStatus(status: number): ErrorCode {
  switch (status) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
    case 410:
      return 'not_found';
    case 409:
      return 'conflict';
    case 408:
      return 'unavailable';
    case 429:
      return 'rate_limited';
    default:
      return status >= 500 ? 'unavailable' : status >= 400 ? 'rejected' : 'protocol';
  }
}

/** One sentence on what the user can do about it; the same words in every front end. */
export function nextStep(error: MailError): string {
  const wait = error.details.retryAfter;
  if (error.details.advice) return error.details.advice;
  switch (error.code) {
    case 'unsupported':
      return 'Choose another operation or provider.';
    case 'invalid_input':
      return 'Correct the fields named and run again.';
    case 'unauthorized':
      return 'Check the account: its key, password or token was refused.';
    case 'forbidden':
      return 'The account is known but may not do this; ask its administrator for the right.';
    case 'not_found':
      return 'Check the ID or address; the object may have been deleted.';
    case 'conflict':
      return 'The object exists already or was changed meanwhile; read it again before you write.';
    case 'rejected':
      return 'The provider refused the request as it stands; see its words above.';
    case 'rate_limited':
      return wait
        ? `Wait ${Math.ceil(wait)} s and run again, or lower the pace of the account.`
        : 'Wait a minute and run again, or lower the pace of the account.';
    case 'unavailable':
      return 'The provider did not answer properly; try again later.';
    case 'protocol':
      return 'The answer could not be understood; check the Base URL of the account, then report it.';
  }
}

/** What is said of one field of the input, before anything was sent. */
export const invalidField = (field: string, message: string) =>
  new MailError('invalid_input', message, { issues: [{ field, message }] });

/** Refuses a change that changes nothing: sent, it would cost a write and do nothing good. */
export function something(changes: Readonly<Record<string, unknown>>): void {
  if (Object.values(changes).some(value => value !== undefined)) return;
  throw new MailError('invalid_input', 'There is nothing to change: give at least one field beside the target.');
}
