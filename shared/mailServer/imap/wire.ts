import type { Socket } from 'node:net';

const longestLine = 64 * 1024;
const highWater = 1024 * 1024;
const batch = 64 * 1024;

/** What a session reads from and writes to; the socket below may be replaced by a TLS one. */
export interface Wire {
  socket: Socket;
  /**
   * The next line without its CRLF, as latin1; undefined at the end of the connection. Throws on a line over 64 KiB or
   * with a bare LF.
   */
  line(): Promise<string | undefined>;
  /** That many bytes in one buffer. */
  bytes(count: number): Promise<Buffer | undefined>;
  /** Reads and drops. */
  skip(count: number): Promise<void>;
  /** Bytes that were received and not read. */
  waiting(): number;
  write(data: string | Buffer): void;
  /** Hands everything to the socket and waits while the peer is slower. */
  flush(): Promise<void>;
  /** Whether enough was written that `flush` should be awaited. */
  full(): boolean;
  /** Neither reads nor writes from now on, and does not close when the peer does. */
  swallow(): void;
  replace(socket: Socket): void;
  /** Ends the connection with a TCP reset. */
  reset(): void;
  detach(): Socket;
  end(): void;
}

/** Wraps a socket that was opened with `allowHalfOpen`; `tcp` is the one below TLS, or the same. */
export function wire(first: Socket, tcp: Socket, closed: () => void): Wire {
  let chunks: Buffer[] = [];
  let size = 0;
  let over = false;
  let deaf = false;
  let wake: (() => void) | undefined;
  let out: Buffer[] = [];
  let outSize = 0;
  const poke = () => {
    const now = wake;
    wake = undefined;
    now?.();
  };
  const onData = (chunk: Buffer) => {
    if (deaf) return;
    chunks.push(chunk);
    size += chunk.length;
    if (size > highWater && !wake) self.socket.pause();
    poke();
  };
  const onEnd = () => {
    if (deaf) return;
    over = true;
    poke();
  };
  const onClose = () => {
    over = true;
    poke();
    closed();
  };
  const onError = () => {};
  const attach = (socket: Socket) => {
    socket.setNoDelay(true);
    socket.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError);
  };
  const more = async (): Promise<boolean> => {
    if (over) return false;
    self.socket.resume();
    await new Promise<void>(resolve => {
      wake = resolve;
    });
    return true;
  };
  const take = (count: number): Buffer => {
    size -= count;
    const target = Buffer.allocUnsafe(count);
    let filled = 0;
    while (filled < count) {
      const head = chunks[0]!;
      const part = Math.min(head.length, count - filled);
      head.copy(target, filled, 0, part);
      filled += part;
      if (part === head.length) chunks.shift();
      else chunks[0] = head.subarray(part);
    }
    return target;
  };
  const self: Wire = {
    socket: first,
    async line() {
      for (let looked = 0; ;) {
        let before = 0;
        let length = -1;
        for (const chunk of chunks) {
          const at = before + chunk.length > looked ? chunk.indexOf(10, Math.max(0, looked - before)) : -1;
          if (at >= 0) {
            length = before + at + 1;
            break;
          }
          before += chunk.length;
        }
        if (length > longestLine || (length < 0 && size > longestLine)) throw new Error('Too long a line');
        if (length >= 0) {
          const text = take(length).toString('latin1');
          if (!text.endsWith('\r\n')) throw new Error('Line ends without CR');
          return text.slice(0, -2);
        }
        looked = size;
        if (!(await more())) return undefined;
      }
    },
    async bytes(count) {
      const target = Buffer.allocUnsafe(count);
      for (let filled = 0; filled < count;) {
        if (size === 0 && !(await more()) && size === 0) return undefined;
        const part = Math.min(size, count - filled);
        take(part).copy(target, filled);
        filled += part;
      }
      return target;
    },
    async skip(count) {
      while (count > 0) {
        if (size === 0 && !(await more()) && size === 0) return;
        const part = Math.min(size, count);
        take(part);
        count -= part;
      }
    },
    waiting: () => size,
    write(data) {
      if (deaf || self.socket.destroyed) return;
      const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
      out.push(bytes);
      outSize += bytes.length;
    },
    full: () => outSize >= batch || self.socket.writableNeedDrain,
    async flush() {
      if (outSize > 0 && !deaf && !self.socket.destroyed) {
        for (const part of outSize < 4 * batch ? [Buffer.concat(out, outSize)] : out) {
          self.socket.write(part);
          if (self.socket.writableNeedDrain && outSize >= 4 * batch) await drained(self.socket);
        }
      }
      out = [];
      outSize = 0;
      if (self.socket.writableNeedDrain) await drained(self.socket);
    },
    swallow() {
      deaf = true;
      out = [];
      outSize = 0;
      chunks = [];
      size = 0;
      self.socket.resume();
    },
    detach() {
      const socket = self.socket;
      socket.off('data', onData).off('end', onEnd).off('close', onClose);
      return socket;
    },
    replace(socket) {
      self.socket = socket;
      attach(socket);
    },
    end() {
      if (!deaf) self.socket.end();
    },
    reset() {
      if (!tcp.destroyed) tcp.resetAndDestroy();
      self.socket.destroy();
    },
  };
  attach(first);
  return self;
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
