import { MailError } from '../../../errors.js';

/**
 * Where a message is: UIDVALIDITY as text (32 bits, but never calculated with), UID as a number (RFC 9051 section
 * 2.3.1.1).
 */
export interface Place {
  folder: string;
  uidValidity: string;
  uid: number;
}

/**
 * `INBOX;UIDVALIDITY=1795198567;UID=47`, in the manner of RFC 5092 section 5. Only what would end a part is encoded in
 * the folder's name.
 */
export const messageId = ({ folder, uidValidity, uid }: Place): string =>
  `${folder.replace(/[%;\p{Cc}]/gu, c => encodeURIComponent(c))};UIDVALIDITY=${uidValidity};UID=${uid}`;

/** Reads an id of ours. Throws `invalid_input` for anything else. */
export function placeOf(id: string, field = 'message'): Place {
  const found = /^([^;]+);UIDVALIDITY=(0|[1-9]\d{0,9});UID=([1-9]\d{0,9})$/u.exec(id);
  try {
    if (found)
      return {
        folder: decodeURIComponent(found[1]!.replace(/%(?![0-9A-F]{2})/gi, '%25')),
        uidValidity: found[2]!,
        uid: Number(found[3]),
      };
  } catch {
    /* said below */
  }
  throw new MailError(
    'invalid_input',
    `"${id.slice(0, 80)}" is not the id of a message; take it from message.list, such as INBOX;UIDVALIDITY=1795198567;UID=47.`,
    { issues: [{ field, message: 'This is not the id of a message.' }] },
  );
}

/** UIDVALIDITY as text; `0` where the server tells none, or 0, which then holds as long as it says the same. */
export const validityOf = ({ uidValidity }: { uidValidity?: bigint | number }): string => String(uidValidity ?? 0);

/** What is said of a message that is no longer where its id says. */
export const gone = (id: string, why = 'it was moved or deleted'): MailError =>
  new MailError('not_found', `There is no message ${id}: ${why}.`);

/** Why an id of an earlier life of its folder finds nothing. */
export const RESET = 'the folder was created anew since, so its old ids mean nothing now';
