// What crosses between the core and whoever sends for it: a request, its answer, and the function that a host gives.
// Types alone, so that a provider can be described without the rules of `http.ts`.
import type { Guarded } from './guard.js';

/** The address is final: query included and encoded, so signer and sender see the same bytes. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}
/** Header names in lower case. The body must be read to its end or given back with `return()`. */
export interface HttpStream {
  status: number;
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array> & Partial<Pick<Guarded, 'each'>>;
}
/** `write` says that it answers a request that may have changed something. */
export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
  write?: boolean;
}
/**
 * Given by the host. It signs, sends, and answers for every status it got; it throws only when nothing came back.
 * `attempt` counts tries of the same request, from 1, and `waited` says how long ago the first of them began, in
 * milliseconds.
 */
export interface Send {
  (request: HttpRequest, signal?: AbortSignal, attempt?: number, waited?: number): Promise<HttpStream>;
  /**
   * Lets the whole account rest for so many milliseconds, for all who use it in this process. Says for how long, in
   * milliseconds, the vendor has let nothing through until now.
   */
  rest?(ms: number): number;
  /** The vendor let something through. */
  eased?(): void;
}
/** How TLS protects a connection, and the certificate that its server showed. */
export interface TlsFacts {
  protocol: string;
  cipher: string;
  /** Whom the certificate is for, the host names it is good for, and who issued it; in the issuer's words. */
  subject: string;
  names: string;
  issuer: string;
  /** ISO 8601. */
  validTo: string;
  /** SHA-256, hexadecimal with colons. */
  fingerprint: string;
}
/** What one side said until the other did. `left` counts the bytes behind `text` that were not kept. */
export interface WireTurn {
  by: 'client' | 'server';
  text: string;
  left?: number;
}
/**
 * A request of HTTP and its answer as texts, without secrets: first line, headers, an empty line, and the beginning of
 * the body.
 */
export interface WireText {
  sent: string;
  answer?: string;
  tls?: TlsFacts;
}
/**
 * What was said over a command of IMAP, SMTP or ManageSieve, without secrets. `together`: other commands were under way
 * meanwhile.
 */
export interface WireTalk {
  turns: WireTurn[];
  together?: boolean;
  tls?: TlsFacts;
}
/** What a host may keep of a request: about so many bytes, and the texts of it when somebody looks. */
export interface Wire {
  readonly size: number;
  text(): WireText | WireTalk;
}
/**
 * One request as a host may write it down: no query, no body, no header. `attempt` counts tries of the same request,
 * from 1. With `wait` it is no request, but says that one failed and is tried again in so many seconds.
 */
export interface Exchange {
  method: string;
  url: string;
  /** How the connection is protected, where the address does not say so: STARTTLS has the scheme of no encryption. */
  security?: 'tls' | 'starttls' | 'none';
  status?: number;
  ms: number;
  error?: string;
  attempt?: number;
  wait?: number;
  /**
   * What went and came, where the host asked for it: without secrets, and only the beginning of bodies. More may come
   * after this was told.
   */
  wire?: Wire;
  /** Sends the same read again. */
  again?(): Promise<void>;
}
