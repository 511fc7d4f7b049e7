import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '../account/fields.js';
import { MailError } from '../../../errors.js';

/** A server that should speak first and is silent for so long may be waiting for TLS, in milliseconds. */
const SILENT = 3_000;
/** How long the look at it may take, in milliseconds. */
const LOOK = 5_000;

const USUAL = {
  IMAP: { tls: 993, starttls: 143 },
  SMTP: { tls: 465, starttls: 587 },
  Sieve: { tls: 4190, starttls: 4190 },
} as const;

/** What is said of a server that speaks TLS from the start where it was not expected. */
export const speaksTls = ({ side, host, port, security }: Endpoint): MailError =>
  new MailError(
    'unavailable',
    `${side} at ${host}:${port} expects TLS from the start, and the account says ${security === 'starttls' ? 'STARTTLS' : 'None'}. ` +
      `Set ${side} Security to TLS from the Start, or ${side} Port to the one for STARTTLS (usually ${USUAL[side].starttls}).`,
  );

/** What is said of a server that speaks no TLS where it was expected. */
export const speaksPlain = ({ side, host, port }: Endpoint, cause: unknown): MailError =>
  new MailError(
    'unavailable',
    `${side} at ${host}:${port} does not speak TLS from the start, as the account says. ` +
      `Set ${side} Security to STARTTLS, or ${side} Port to the one for TLS (usually ${USUAL[side].tls}).`,
    { cause },
  );

/** What is said of a server that does not offer the STARTTLS the account asks for. */
export const noStartTls = ({ side, host, port }: Endpoint, cause: unknown): MailError =>
  new MailError(
    'unavailable',
    `${side} at ${host}:${port} does not offer STARTTLS, so no password was sent to it. ` +
      `Set ${side} Security to TLS from the Start with the port for it (usually ${USUAL[side].tls}), or ask the provider.`,
    { cause },
  );

/** True for what OpenSSL says when the other side answers in clear text. */
export function isPlainAnswer(error: unknown): boolean {
  interface Link {
    code?: unknown;
    message?: string;
    cause?: unknown;
  }
  for (
    let inner = error as Link | undefined, depth = 0;
    inner && depth < 5;
    inner = inner.cause as Link | undefined, depth++
  ) {
    if (
      /WRONG_VERSION_NUMBER|wrong version number|unknown protocol|packet length too long|HTTP_REQUEST|record layer failure|http request/i.test(
        `${String(inner.code)} ${inner.message ?? ''}`,
      )
    )
      return true;
  }
  return false;
}

/** True where a TLS handshake begins to be answered. No name, no certificate and nothing secret is looked at. */
async function answersTls(address: string, port: number, signal: AbortSignal): Promise<boolean> {
  const socket = connect({ host: address, port });
  const secure = connectTls({ socket, rejectUnauthorized: false });
  try {
    return await new Promise<boolean>(resolve => {
      const no = () => resolve(false);
      secure
        .once('secureConnect', () => resolve(true))
        .once('error', no)
        .once('close', no);
      socket.once('error', no).once('close', no);
      signal.addEventListener('abort', no, { once: true });
    });
  } finally {
    secure.destroy();
    socket.destroy();
  }
}

/**
 * Looks whether a server that keeps silent waits for TLS, and calls `found` if so. Nothing is done on port 25, where
 * servers punish those who speak before them. Call what this returns when the server has spoken, or nobody waits for it
 * any more.
 */
export function watchSilence(
  { security, port }: Endpoint,
  address: string,
  hasSpoken: () => boolean,
  found: () => void,
): () => void {
  if (security === 'tls' || port === 25) return () => {};
  const over = new AbortController();
  let limit: NodeJS.Timeout | undefined;
  const timer = setTimeout(() => {
    if (hasSpoken()) return;
    limit = setTimeout(() => over.abort(), LOOK);
    void answersTls(address, port, over.signal).then(yes => {
      if (yes && !over.signal.aborted && !hasSpoken()) found();
    });
  }, SILENT);
  return () => {
    clearTimeout(timer);
    clearTimeout(limit);
    over.abort();
  };
}
