import { windowsLines } from '../mime/lineEnds.js';

/**
 * Prepares text, a byte a character, for the wire, piece by piece; without a piece it gives the end of the message. A
 * dot at the beginning of a line is doubled (RFC 5321 section 4.5.2), and every CR and LF becomes CRLF.
 */
export function dotStuffing(): (piece?: string) => string {
  const lines = windowsLines();
  let begins = true;
  return piece => {
    if (piece === undefined) {
      const broken = lines();
      const lineEnd = begins || broken ? '' : '\r\n';
      return `${broken}${lineEnd}.\r\n`;
    }
    let text = lines(piece);
    if (text.includes('\n.')) text = text.replaceAll('\n.', '\n..');
    if (begins && text.startsWith('.')) text = `.${text}`;
    if (text) begins = text.endsWith('\n');
    return text;
  };
}
