import { MailError } from './errors.js';
import type { FileValue } from './fields.js';
import { withText } from './message.js';
import { anatomyOf, takeApart } from './providers/imap/messages/whole.js';
import type { Attachment, MailAnatomy, Message } from './vocabulary.js';

/** A message that was read from its bytes, with what is attached to it. */
export interface ReadMail extends Message {
  attachments?: (Attachment & { content?: FileValue })[];
}

/** Larger messages are not read, in bytes. */
const LARGEST = 50 * 1024 * 1024;

/**
 * Reads a message from its bytes (RFC 5322), such as those of an .eml file. Throws `invalid_input` for one that is too
 * large, and `protocol` with the reason for one that cannot be taken apart.
 */
export async function readMail(bytes: Uint8Array, id = 'message'): Promise<ReadMail> {
  if (bytes.byteLength > LARGEST)
    throw new MailError('invalid_input', `The message has more than ${LARGEST / 1048576} MB, so it is not read.`);
  const message = { id, folder: '', to: [], native: {} } as Parameters<typeof takeApart>[1];
  await takeApart([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)], message);
  if (message.error) throw new MailError('protocol', message.error);
  const { folder: _, ...read } = await withText(message);
  return read;
}

/**
 * The header fields of a message, decoded, and how its parts are nested, read from its bytes. Throws `protocol` with
 * the reason for one that cannot be taken apart.
 */
export async function inspectMail(bytes: Uint8Array): Promise<MailAnatomy> {
  try {
    return await anatomyOf([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)]);
  } catch (error) {
    throw new MailError('protocol', `The message could not be taken apart: ${(error as Error).message}`);
  }
}
