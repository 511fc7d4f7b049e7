import type { ErrorCode } from './errors.js';

/**
 * A request that did not leave this machine: there was no connection for it, or the account rests. `message` is a
 * sentence for a person, `advice` what to do, `retryAfter` when it may be tried again, in seconds.
 */
export class NotSent extends Error {
  override name = 'NotSent';
  readonly code: ErrorCode;
  readonly advice: string | undefined;
  readonly retryAfter: number | undefined;
  constructor(
    message: string,
    {
      code = 'unavailable',
      advice,
      retryAfter,
      cause,
    }: { code?: ErrorCode; advice?: string; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.code = code;
    this.advice = advice;
    this.retryAfter = retryAfter;
  }
}

/** A failure of the system in a few words: its code is told once, whether or not its message holds it. */
export const codeAndWords = ({ code, message }: { code?: string; message?: string }, between = ' '): string =>
  [code !== undefined && message?.includes(code) ? undefined : code, message].filter(Boolean).join(between);

/** The reason why nothing was sent, where an error or one of its causes says so. */
export function notSent(error: unknown): NotSent | undefined {
  for (let inner: unknown = error, depth = 0; inner instanceof Error && depth < 10; inner = inner.cause, depth++) {
    if (inner instanceof NotSent) return inner;
  }
  return undefined;
}
