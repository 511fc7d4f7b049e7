const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;

/** Bytes with line ends of the wire, piece by piece. */
export interface WindowsLines {
  (piece: Buffer): Buffer;
  /** So far it ends with a line end, or is empty. */
  readonly begins: boolean;
}

/**
 * Makes every CR and LF a CRLF, piece by piece, since servers differ over what a bare one ends (RFC 5321 section
 * 2.3.8). `dots` are doubled at the beginning of a line (section 4.5.2). By the byte: a regular expression takes
 * seconds for a million line ends, and memory for each of them.
 */
export function windowsLines({ dots = false } = {}): WindowsLines {
  let last = LF;
  const lines = (piece: Buffer): Buffer => {
    const out = Buffer.allocUnsafe(2 * piece.length);
    let to = 0;
    let before = last;
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]!;
      // A CR has got its LF already.
      if (byte === CR || (byte === LF && before !== CR)) {
        out[to++] = CR;
        out[to++] = LF;
      } else if (byte !== LF) {
        if (dots && byte === DOT && (before === LF || before === CR)) out[to++] = DOT;
        out[to++] = byte;
      }
      before = byte;
    }
    last = before;
    return out.subarray(0, to);
  };
  return Object.defineProperty(lines, 'begins', { get: () => last === LF || last === CR }) as WindowsLines;
}
