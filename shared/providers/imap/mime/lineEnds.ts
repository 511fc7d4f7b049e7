/**
 * Makes every CR and LF a CRLF, piece by piece, since servers differ over what a bare one ends (RFC 5321 section
 * 2.3.8). Takes text, a byte a character; without a piece it gives what was held back. A CR at the end of a piece waits
 * for the next one.
 */
export function windowsLines(): (piece?: string) => string {
  let cr = '';
  return piece => {
    if (piece === undefined) {
      const broken = cr;
      cr = '';
      return broken && '\r\n';
    }
    const text = cr + piece;
    cr = text.endsWith('\r') ? '\r' : '';
    const whole = cr ? text.slice(0, -1) : text;
    return /\r(?!\n)|(?<!\r)\n/.test(whole) ? whole.replace(/\r\n?|\n/g, '\r\n') : whole;
  };
}
