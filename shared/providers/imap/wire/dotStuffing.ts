import { windowsLines } from '../mime/lineEnds.js';

/**
 * Prepares bytes for the wire, piece by piece; without a piece it gives the end of the message. A dot at the beginning
 * of a line is doubled (RFC 5321 section 4.5.2), and every CR and LF becomes CRLF.
 */
export function dotStuffing(): (piece?: Buffer) => Buffer {
  const lines = windowsLines({ dots: true });
  return piece => (piece ? lines(piece) : Buffer.from(lines.begins ? '.\r\n' : '\r\n.\r\n'));
}
