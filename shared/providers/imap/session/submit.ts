import type { Readable } from 'node:stream';
import { isMailError, MailError } from '../../../errors.js';
import { pause } from '../../../wait.js';
import type { Context } from '../../../provider.js';
import { endpoint } from '../account/fields.js';
import type { DataProgress } from '../wire/smtpData.js';
import type { Envelope } from '../wire/smtpEnvelope.js';
import type { SmtpFailure } from '../wire/smtpStream.js';
import { addressOf } from './imapConnect.js';
import { isTemporary, smtpError, smtpWords } from './smtpError.js';
import { deliver } from './smtpPool.js';

/** A message is offered three times at most, with the same Message-ID; in milliseconds, between the tries. */
const WAITS = [1_000, 5_000];
/** Retries end after this time, in milliseconds. */
const LONGEST = 30_000;

interface Rejection {
  address: string;
  code?: number;
  words: string;
}
export interface Offered {
  outcome: 'done' | 'unknown';
  accepted: string[];
  rejected: Rejection[];
  tries: number;
  response?: string;
  why?: string;
}

/**
 * Offers the message until it is taken, refused for good, or the tries are over; deferred recipients alone are tried
 * again. When the connection dies after the last byte the server may have the message (RFC 5321 section 4.5.4.2): that
 * is said, and nothing is sent again.
 */
export async function offer(
  ctx: Context,
  everyone: string[],
  envelope: (recipients: string[]) => Envelope,
  load: () => Promise<Buffer | Readable>,
): Promise<Offered> {
  const end = endpoint(ctx, 'smtp');
  const begun = performance.now();
  const accepted: string[] = [];
  const rejected: Rejection[] = [];
  const rejection = (error: SmtpFailure, address = error.recipient ?? ''): Rejection => ({
    address,
    ...(error.responseCode ? { code: error.responseCode } : {}),
    words: smtpWords(error, end.hide),
  });
  let pending = everyone;
  for (let tries = 1; ; tries++) {
    const wire: DataProgress = { begun: false, handed: false };
    const wait = WAITS[tries - 1];
    const last = wait === undefined || performance.now() - begun + wait > LONGEST;
    try {
      const to = pending;
      const info = await deliver(ctx, () => envelope(to), load, wire);
      accepted.push(...info.accepted);
      const errors = info.rejectedErrors;
      // As many recipients as this server takes at a time: the rest is offered at once, and that is no repetition (RFC
      // 5321 section 4.5.3.1.10).
      const full = info.accepted.length > 0 && errors.some(error => error.responseCode === 452);
      const deferred = last && !full ? [] : errors.filter(isTemporary);
      rejected.push(...errors.filter(error => !deferred.includes(error)).map(error => rejection(error)));
      if (!deferred.length)
        return {
          outcome: 'done',
          accepted,
          rejected,
          tries,
          response: smtpWords({ response: info.response }, end.hide),
        };
      pending = deferred.map(error => error.recipient!).filter(Boolean);
      if (full) {
        tries--;
        continue;
      }
    } catch (error) {
      const failure = error as SmtpFailure;
      if (wire.handed && failure.responseCode === undefined) {
        return {
          outcome: 'unknown',
          accepted,
          rejected,
          tries,
          why:
            `The connection ended after the whole message was handed over and before ${end.host} confirmed it ` +
            `(${smtpWords(error, end.hide)}). It may have been delivered; it is not sent again by itself.`,
        };
      }
      ctx.signal?.throwIfAborted();
      if (isMailError(error)) throw error;
      const each = failure.rejectedErrors ?? [];
      const again: SmtpFailure[] = each.length
        ? each.filter(isTemporary)
        : isTemporary(error)
          ? pending.map(recipient => ({ recipient }))
          : [];
      if (again.length && !last) {
        rejected.push(...each.filter(one => !again.includes(one)).map(one => rejection(one)));
        pending = again.map(one => one.recipient!).filter(Boolean);
      } else if (accepted.length) {
        rejected.push(
          ...(each.length ? each.map(one => rejection(one)) : pending.map(recipient => rejection(failure, recipient))),
        );
        return { outcome: 'done', accepted, rejected, tries };
      } else {
        const all = [...rejected, ...each.map(one => rejection(one))];
        if (all.length) {
          const temporary = each.length > 0 && each.every(isTemporary);
          throw new MailError(
            temporary ? 'unavailable' : 'rejected',
            `SMTP at ${end.host}:${end.port} refused ${named(all.map(one => `${one.address} (${one.words})`))}.`,
            { cause: error, native: { rejected: all } },
          );
        }
        throw await smtpError(error, end, await addressOf(ctx, end));
      }
    }
    await pause(wait!, ctx.signal);
  }
}

/** So many recipients are named in a sentence; all of them stand beside it. */
const NAMED = 5;
function named(all: readonly string[]): string {
  const more = all.length - NAMED;
  return all.slice(0, NAMED).join(', ') + (more > 0 ? `, and ${more} more recipient${more > 1 ? 's' : ''}` : '');
}
