import type { Socket } from 'node:net';
import { Incoming } from './incoming.js';

const highWater = 1024 * 1024;
const batch = 64 * 1024;

/** What a session reads from and writes to; the socket below may be replaced by a TLS one. */
export class Wire {
  private readonly incoming = new Incoming();
  private over = false;
  private deaf = false;
  private wake: (() => void) | undefined;
  private out: Buffer[] = [];
  private outSize = 0;

  /** Wraps a socket that was opened with `allowHalfOpen`; `tcp` is the one below TLS, or the same. */
  constructor(
    public socket: Socket,
    private readonly tcp: Socket,
    private readonly closed: () => void,
  ) {
    this.attach(socket);
  }

  /**
   * The next line without its CRLF, as latin1; undefined at the end of the connection. Throws on a line over 64 KiB or
   * with a bare LF.
   */
  async line(): Promise<string | undefined> {
    for (let looked = 0; ;) {
      const line = this.incoming.line(looked);
      if (line !== undefined) return line;
      looked = this.incoming.size;
      if (!(await this.more())) return undefined;
    }
  }

  /** That many bytes in one buffer. */
  async bytes(count: number): Promise<Buffer | undefined> {
    const { incoming } = this;
    const target = Buffer.allocUnsafe(count);
    for (let filled = 0; filled < count;) {
      if (incoming.size === 0 && !(await this.more()) && incoming.size === 0) return undefined;
      const part = Math.min(incoming.size, count - filled);
      incoming.take(part).copy(target, filled);
      filled += part;
    }
    return target;
  }

  /** Reads and drops. */
  async skip(count: number): Promise<void> {
    const { incoming } = this;
    for (let left = count; left > 0;) {
      if (incoming.size === 0 && !(await this.more()) && incoming.size === 0) return;
      const part = Math.min(incoming.size, left);
      incoming.take(part);
      left -= part;
    }
  }

  /** Bytes that were received and not read. */
  waiting(): number {
    return this.incoming.size;
  }

  write(data: string | Buffer): void {
    if (this.deaf || this.socket.destroyed) return;
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
    this.out.push(bytes);
    this.outSize += bytes.length;
  }

  /** Whether enough was written that `flush` should be awaited. */
  full(): boolean {
    return this.outSize >= batch || this.socket.writableNeedDrain;
  }

  /** Hands everything to the socket and waits while the peer is slower. */
  async flush(): Promise<void> {
    if (this.outSize > 0 && !this.deaf && !this.socket.destroyed) {
      for (const part of this.outSize < 4 * batch ? [Buffer.concat(this.out, this.outSize)] : this.out) {
        this.socket.write(part);
        if (this.socket.writableNeedDrain && this.outSize >= 4 * batch) await drained(this.socket);
      }
    }
    this.forgetOutput();
    if (this.socket.writableNeedDrain) await drained(this.socket);
  }

  /** Neither reads nor writes from now on, and does not close when the peer does. */
  swallow(): void {
    this.deaf = true;
    this.forgetOutput();
    this.incoming.clear();
    this.socket.resume();
  }

  detach(): Socket {
    return this.socket.off('data', this.onData).off('end', this.onEnd).off('close', this.onClose);
  }

  replace(socket: Socket): void {
    this.socket = socket;
    this.attach(socket);
  }

  end(): void {
    if (!this.deaf) this.socket.end();
  }

  /** Ends the connection with a TCP reset. */
  reset(): void {
    if (!this.tcp.destroyed) this.tcp.resetAndDestroy();
    this.socket.destroy();
  }

  private attach(socket: Socket): void {
    socket.setNoDelay(true);
    socket
      .on('data', this.onData)
      .on('end', this.onEnd)
      .on('close', this.onClose)
      .on('error', () => {});
  }

  private readonly onData = (chunk: Buffer): void => {
    if (this.deaf) return;
    this.incoming.push(chunk);
    if (this.incoming.size > highWater && !this.wake) this.socket.pause();
    this.poke();
  };

  private readonly onEnd = (): void => {
    if (this.deaf) return;
    this.over = true;
    this.poke();
  };

  private readonly onClose = (): void => {
    this.over = true;
    this.poke();
    this.closed();
  };

  /** Waits for bytes; false at the end of the connection. */
  private async more(): Promise<boolean> {
    if (this.over) return false;
    this.socket.resume();
    await new Promise<void>(resolve => {
      this.wake = resolve;
    });
    return true;
  }

  private poke(): void {
    const { wake } = this;
    this.wake = undefined;
    wake?.();
  }

  private forgetOutput(): void {
    this.out = [];
    this.outSize = 0;
  }
}

const drained = (socket: Socket) =>
  new Promise<void>(resolve => {
    if (socket.destroyed) return void resolve();
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
