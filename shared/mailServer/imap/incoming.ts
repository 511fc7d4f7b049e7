const LONGEST_LINE = 64 * 1024;
const LF = 10;

/** Bytes that were received and not read, in the pieces they came in. */
export class Incoming {
  private chunks: Buffer[] = [];
  private length = 0;

  get size(): number {
    return this.length;
  }

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.length += chunk.length;
  }

  clear(): void {
    this.chunks = [];
    this.length = 0;
  }

  /** The first bytes, in one buffer. */
  take(count: number): Buffer {
    this.length -= count;
    const target = Buffer.allocUnsafe(count);
    let filled = 0;
    while (filled < count) {
      const head = this.chunks[0]!;
      const part = Math.min(head.length, count - filled);
      head.copy(target, filled, 0, part);
      filled += part;
      if (part === head.length) this.chunks.shift();
      else this.chunks[0] = head.subarray(part);
    }
    return target;
  }

  /**
   * The first line without its CRLF, as latin1; undefined where it has not come whole. So many bytes were `looked` at
   * before and hold no end of a line.
   */
  line(looked: number): string | undefined {
    const length = this.lineLength(looked);
    if (length > LONGEST_LINE || (length < 0 && this.length > LONGEST_LINE)) throw new Error('Too long a line');
    if (length < 0) return undefined;
    const text = this.take(length).toString('latin1');
    if (!text.endsWith('\r\n')) throw new Error('Line ends without CR');
    return text.slice(0, -2);
  }

  /** With its LF; -1 where there is none. */
  private lineLength(looked: number): number {
    let before = 0;
    for (const chunk of this.chunks) {
      const at = before + chunk.length > looked ? chunk.indexOf(LF, Math.max(0, looked - before)) : -1;
      if (at >= 0) return before + at + 1;
      before += chunk.length;
    }
    return -1;
  }
}
