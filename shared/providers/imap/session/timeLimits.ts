/*
 * Everything that waits for a server is bounded as a whole, and not only between two bytes: a server that sends a byte
 * now and then is never silent. In milliseconds, unless another unit is named.
 */
export const limits = {
  /**
   * A command during which not one byte goes either way for this long is given up. Searching the text of a large folder
   * may be silent for long.
   */
  silence: 90_000,
  /** A command that carries no contents of messages ends within this time. */
  command: 10 * 60_000,
  /**
   * Contents come, and messages go, at this rate at least, in bytes a second over `lowSpeedTime`; as curl's options of
   * these names have it.
   */
  lowSpeedLimit: 1024,
  lowSpeedTime: 60_000,
  /**
   * A download waits no longer than this for the server, all its pieces together; a message is handed over within it.
   */
  transfer: 60 * 60_000,
  /** An answer of SMTP whose first byte came ends within this time. */
  reply: 60_000,
};

/** "1 KB a second for 60 s", for errors. */
export const lowSpeedWords = (): string =>
  `${limits.lowSpeedLimit / 1024} KB a second for ${limits.lowSpeedTime / 1000} s`;

/** Tells when a transfer was slower than `lowSpeedLimit` for as long as `lowSpeedTime`. */
export class SpeedMeter {
  #marks: { at: number; bytes: number }[] = [];

  /** To be told now and then how many bytes there were so far; true when they are too few. */
  isTooSlow(bytes: number, now = performance.now()): boolean {
    const marks = this.#marks;
    const last = marks.at(-1);
    const over = limits.lowSpeedTime;
    if (!last || now - last.at >= over / 20) marks.push({ at: now, bytes });
    while (marks.length > 1 && now - marks[1]!.at >= over) marks.shift();
    const { at, bytes: before } = marks[0]!;
    return now - at >= over && bytes - before < (limits.lowSpeedLimit * (now - at)) / 1000;
  }

  /** Nothing is on its way: what follows is measured anew. */
  reset(): void {
    this.#marks = [];
  }
}
