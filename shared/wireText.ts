import type { HttpRequest, TlsFacts, Wire, WireText } from './exchange.js';
import { redact, type Hide } from './secrets.js';

/** So much of a body is kept for whoever looks at it, in bytes. */
export const MOST_OF_A_BODY = 32 * 1024;

type Headers = Readonly<Record<string, string>>;
const SECRET_NAME = 'pass(?:word|wd|phrase)?|secret|token|api_?-?key|authorization|credential|signature|cookie';
const HEADER = new RegExp(`auth|${SECRET_NAME}|(?:^|-)key(?:-|$)`, 'i');
/**
 * Values by their names: in JSON, in forms and queries, in XML. What was cut off in the middle of one is hidden to its
 * end.
 */
const VALUES: readonly [RegExp, string][] = [
  [new RegExp(`("[^"\\n]{0,80}(?:${SECRET_NAME})[^"\\n]{0,80}"\\s*:\\s*")(?:[^"\\\\]|\\\\.)*(?="|$)`, 'gi'), '$1***'],
  [new RegExp(`((?:^|[?&\\n])[^=&\\s]{0,80}(?:${SECRET_NAME})[^=&\\s]{0,80}=)[^&\\s]*`, 'gi'), '$1***'],
  [new RegExp(`(<([\\w:-]{0,80}(?:${SECRET_NAME})[\\w:-]{0,80})(?:\\s[^>]{0,200})?>)[^<]*`, 'gi'), '$1***'],
];
/**
 * Letters that nobody sees or that turn others around, written as JSON writes them: what came is to be seen as it came.
 */
const UNSEEN = /[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|(?![\n\r\t])\p{Cc}/gu;
const seen = (text: string): string =>
  text.replace(UNSEEN, one => `\\u${one.codePointAt(0)!.toString(16).padStart(4, '0')}`);
/** A text that came or went, without secrets and with all of it to be seen. */
export const without = (text: string, hide: Hide): string =>
  seen(redact(VALUES.reduce((now, [pattern, put]) => now.replace(pattern, put), hide(text))));
const headersOf = (headers: Headers, hide: Hide): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${HEADER.test(name) ? '***' : without(value, hide)}`)
    .join('\n');

/** What was cut may have cut a secret, so that the end of it is not shown either; in characters. */
const NOT_SHOWN = 4 * 1024;
/** The beginning of a longer text as bytes, as far as it may be shown, and how many bytes of it that leaves out. */
export function beginning(bytes: Uint8Array, hide: Hide): { text: string; left: number } {
  const text = without(
    Buffer.from(bytes)
      .toString('utf8')
      .replace(/\ufffd$/, ''),
    hide,
  );
  const shown = text.slice(0, -NOT_SHOWN);
  return { text: shown, left: Buffer.byteLength(text.slice(shown.length)) };
}

/** A body so far as it is kept; bytes that are no text are counted and not shown. */
function bodyText(parts: readonly Uint8Array[], total: number, hide: Hide): string {
  const kept = Buffer.concat(parts);
  if (!total) return '';
  // A nought is in no text; UTF-16, which has them, no vendor sends.
  if (kept.includes(0)) return `\n\n(${total} bytes that are no text)`;
  if (total === kept.byteLength) return `\n\n${without(kept.toString('utf8'), hide)}`;
  const { text, left } = beginning(kept, hide);
  return `\n\n${text}\n(${total - kept.byteLength + left} of ${total} bytes are not shown)`;
}

/**
 * Keeps the beginning of what goes and comes with one request. `hide` knows the secrets of the account by the time
 * somebody looks.
 */
export class Recording implements Wire {
  #head: { status: number; headers: Headers } | undefined;
  #tls: TlsFacts | undefined;
  readonly #parts: Uint8Array[] = [];
  #kept = 0;
  #total = 0;
  readonly #sent: Uint8Array;
  readonly #sentTotal: number;

  constructor(
    private readonly request: Omit<HttpRequest, 'body'>,
    body: HttpRequest['body'],
    private readonly hide: Hide,
  ) {
    // A copy of the part: what it was cut from shall not stay in memory for it.
    const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? new Uint8Array());
    this.#sent = Uint8Array.from(bytes.subarray(0, MOST_OF_A_BODY));
    this.#sentTotal = bytes.byteLength;
  }
  /** The beginning of the answer; `tls` says how it came. */
  head(status: number, headers: Headers, tls?: TlsFacts): void {
    this.#head = { status, headers };
    this.#tls = tls;
  }
  part(bytes: Uint8Array): void {
    this.#total += bytes.byteLength;
    const room = MOST_OF_A_BODY - this.#kept;
    if (room <= 0) return;
    this.#parts.push(Uint8Array.from(bytes.subarray(0, room)));
    this.#kept += Math.min(room, bytes.byteLength);
  }
  get size(): number {
    return this.#sent.byteLength + this.#kept + 2048;
  }
  text(): WireText {
    const { method, url, headers } = this.request;
    const { pathname, search, host } = new URL(url);
    const query = without(search, this.hide);
    const sent = `${method} ${without(pathname, this.hide)}${query}\nhost: ${host}\n${headersOf(headers, this.hide)}${bodyText([this.#sent], this.#sentTotal, this.hide)}`;
    if (!this.#head) return { sent };
    const answer = `${this.#head.status}\n${headersOf(this.#head.headers, this.hide)}${bodyText(this.#parts, this.#total, this.hide)}`;
    return { sent, answer, ...(this.#tls ? { tls: this.#tls } : {}) };
  }
}
