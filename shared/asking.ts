import type { Body } from './guard.js';

/** What the library gives to steer a request with, once a connection takes it. */
interface Controller {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

interface Head {
  status: number;
  headers: Record<string, string>;
}

/** So much of an answer is kept for a reader who is not there yet; then the server has to wait. In bytes. */
const MOST_KEPT = 64 * 1024;

/**
 * One request at a pool, and its answer: what the library calls a handler
 * (https://undici.nodejs.org/#/docs/api/Dispatcher). The library's own `request` makes a stream of each answer, which
 * costs as much as all the rest of it; here each part goes to whoever reads, as it comes.
 */
export class Asking implements Body {
  /** It is about to be written; until then nothing of it left this machine. */
  begun = false;
  /** Status and headers of the answer; names in lower case, what came several times in one value. */
  readonly head: Promise<Head>;
  readonly #came: (head: Head) => void;
  readonly #failed: (error: Error) => void;
  #controller: Controller | undefined;
  #stopped: Error | undefined;
  #kept: Uint8Array[] = [];
  #size = 0;
  #over: { error?: Error } | undefined;
  #take: ((part: Uint8Array) => void) | undefined;
  /** Told that something is there to be read: a part or the end. */
  #news: (() => void) | undefined;

  constructor() {
    let came!: (head: Head) => void;
    let failed!: (error: Error) => void;
    this.head = new Promise<Head>((resolve, reject) => {
      came = resolve;
      failed = reject;
    });
    this.#came = came;
    this.#failed = failed;
  }

  onRequestStart(controller: Controller): void {
    this.begun = true;
    this.#controller = controller;
    // The library asks nobody who waits for a connection whether the request is still wanted.
    if (this.#stopped) controller.abort(this.#stopped);
  }

  onResponseStart(_: Controller, status: number, given: Record<string, string | string[] | undefined>): void {
    // What comes before an answer says nothing of it (RFC 9110 section 15.2).
    if (status < 200) return;
    const headers: Record<string, string> = {};
    for (const name in given) {
      const value = given[name];
      if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    this.#came({ status, headers });
  }

  onResponseData(controller: Controller, part: Uint8Array): void {
    if (this.#take) return this.#take(part);
    this.#kept.push(part);
    if ((this.#size += part.byteLength) >= MOST_KEPT) controller.pause();
    this.#news?.();
  }

  onResponseEnd(): void {
    this.#end({});
  }

  onResponseError(_: Controller | undefined, error: Error): void {
    this.#failed(error);
    this.#end({ error });
  }

  #end(how: { error?: Error }): void {
    this.#over ??= how;
    this.#news?.();
  }

  read(take: (part: Uint8Array) => void, end: (error?: Error) => void): void {
    for (let part = this.#next(); part; part = this.#next()) take(part);
    const done = () => {
      if (this.#over) end(this.#over.error);
    };
    this.#take = take;
    this.#news = done;
    done();
  }

  async next(): Promise<Uint8Array | undefined> {
    while (!this.#kept.length && !this.#over)
      await new Promise<void>(resolve => {
        this.#news = resolve;
      });
    const part = this.#next();
    if (!part && this.#over?.error) throw this.#over.error;
    return part;
  }

  #next(): Uint8Array | undefined {
    const part = this.#kept.shift();
    this.#size -= part?.byteLength ?? 0;
    if (!this.#kept.length) this.#controller?.resume();
    return part;
  }

  destroy(reason = new Error('The answer is no longer wanted.')): void {
    this.#stopped ??= reason;
    if (!this.#over) this.#controller?.abort(this.#stopped);
  }
}
