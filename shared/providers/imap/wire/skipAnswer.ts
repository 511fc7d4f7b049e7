const LF = 0x0a;
/** The longest announcement of a literal with its line end, in characters. */
const ANNOUNCED = 16;

/** Skips the rest of an answer piece by piece and keeps nothing. Gives the bytes after its end. */
export function skipAnswer(): (piece: Buffer) => Buffer | undefined {
  let literal = 0;
  let tail = '';
  return piece => {
    for (let at = 0; at < piece.length;) {
      if (literal) {
        const some = Math.min(literal, piece.length - at);
        literal -= some;
        at += some;
        continue;
      }
      const end = piece.indexOf(LF, at);
      const stop = end < 0 ? piece.length : end + 1;
      tail = (tail + piece.toString('latin1', Math.max(at, stop - ANNOUNCED), stop)).slice(-ANNOUNCED);
      at = stop;
      if (end < 0) break;
      const size = /\{(\d{1,10})\}\r?\n$/.exec(tail)?.[1];
      tail = '';
      if (size === undefined) return piece.subarray(at);
      literal = Number(size);
    }
    return undefined;
  };
}
