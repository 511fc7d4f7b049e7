import { connect, isIP, type Socket } from 'node:net';
import * as tls from 'node:tls';
import { certificateTrouble, isCertificateCode } from '../../../certificate.js';
import { MailError } from '../../../errors.js';
import type { Endpoint } from './fields.js';

/** How long the look at a server's certificate may take, in milliseconds. */
const DEADLINE = 10_000;

/**
 * What `tls.connect` must know about an endpoint: names for the check, and the certificate the user vouches for, if
 * any.
 */
export async function tlsOptions(endpoint: Endpoint, address: string): Promise<tls.ConnectionOptions> {
  const name = isIP(endpoint.host) ? {} : { servername: endpoint.host };
  const { allowed } = endpoint;
  if (!allowed) return name;
  let pem = allowed.pem;
  if (!pem) {
    // Node checks nothing by fingerprint, so the certificate is read first; the connection proper then trusts exactly
    // this one.
    const { certificate: shown } = await peerCertificate(endpoint, address);
    if (hex(shown.fingerprint256) !== allowed.fingerprint) return name;
    pem = `-----BEGIN CERTIFICATE-----\n${shown.raw.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
  }
  let fingerprint: string;
  try {
    const { X509Certificate } = await import('node:crypto');
    fingerprint = hex(new X509Certificate(pem).fingerprint256);
  } catch (error) {
    throw new MailError('invalid_input', 'Allowed Certificate is not a readable certificate.', {
      issues: [{ field: 'allowedCertificate', message: 'Allowed Certificate is not a readable certificate.' }],
      cause: error,
    });
  }
  return {
    ...name,
    // A leaf certificate is a trust anchor only with the partial chain allowed; the usual authorities stay trusted
    // beside it.
    secureContext: contextFor(pem),
    checkServerIdentity: (host, certificate) =>
      hex(certificate.fingerprint256) === fingerprint ? undefined : tls.checkServerIdentity(host, certificate),
  };
}

const contexts = new Map<string, tls.SecureContext>();
/** Reading all the authorities takes ten milliseconds and more, so what came of it is kept for the next connections. */
function contextFor(pem: string): tls.SecureContext {
  let context = contexts.get(pem);
  if (!context) {
    if (contexts.size >= 20) contexts.clear();
    contexts.set(
      pem,
      (context = tls.createSecureContext({
        ca: [...tls.rootCertificates, pem],
        allowPartialTrustChain: true,
      } as tls.SecureContextOptions)),
    );
  }
  return context;
}

const hex = (fingerprint: string | undefined) => (fingerprint ?? '').replace(/:/g, '').toLowerCase();

/** The certificate a server shows, unchecked, and the code with which it would be refused. Nothing secret is sent. */
async function peerCertificate(
  endpoint: Endpoint,
  address: string,
): Promise<{ certificate: tls.DetailedPeerCertificate; refused: unknown }> {
  let socket: Socket | undefined;
  const timer = setTimeout(() => socket?.destroy(new Error('no answer in time')), DEADLINE);
  try {
    socket = connect({ host: address, port: endpoint.port });
    if (endpoint.security === 'starttls') await upgrade(socket, endpoint.side);
    const secure = tls.connect({
      socket,
      host: endpoint.host,
      ...(isIP(endpoint.host) ? {} : { servername: endpoint.host }),
      rejectUnauthorized: false,
    });
    await new Promise<void>((resolve, reject) =>
      secure
        .once('secureConnect', resolve)
        .once('error', reject)
        .once('close', () => reject(new Error('closed'))),
    );
    return { certificate: secure.getPeerCertificate(true), refused: secure.authorizationError };
  } finally {
    clearTimeout(timer);
    socket?.destroy();
  }
}

/** What is waited for, and what is said then, until TLS begins. */
const UPGRADES: Readonly<Record<Endpoint['side'], readonly [send: string, until: RegExp][]>> = {
  IMAP: [
    ['', /^\* (OK|PREAUTH)/],
    ['a STARTTLS', /^a OK/i],
  ],
  SMTP: [
    ['', /^220 /],
    ['EHLO [127.0.0.1]', /^250 /],
    ['STARTTLS', /^220 /],
  ],
  Sieve: [
    ['', /^OK\b/i],
    ['STARTTLS', /^OK\b/i],
  ],
};

/**
 * Asks for STARTTLS in the least that each protocol allows (RFC 3501 section 6.2.1, RFC 3207, RFC 5804 section 2.2).
 */
async function upgrade(socket: Socket, side: Endpoint['side']): Promise<void> {
  const steps = UPGRADES[side];
  let text = '';
  let step = 0;
  await new Promise<void>((resolve, reject) => {
    const stop = (error?: Error) => {
      socket.removeListener('data', read).removeListener('error', stop).removeListener('close', closed);
      if (error) reject(error);
      else resolve();
    };
    const closed = () => stop(new Error('closed'));
    const read = (data: Buffer) => {
      text += data.toString('latin1');
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end).trim();
        text = text.slice(end + 1);
        if (!steps[step]![1].test(line)) {
          if (/^(a (NO|BAD)|[45]\d\d |\* BYE|(NO|BYE)\b)/i.test(line))
            return stop(new Error(`STARTTLS refused: ${line.slice(0, 100)}`));
          continue;
        }
        if (++step === steps.length) return stop();
        socket.write(`${steps[step]![0]}\r\n`);
      }
    };
    socket.on('data', read).once('error', stop).once('close', closed);
  });
}

/** True for a failure of Node's own check of a certificate. */
export const isCertificateError = (error: unknown): boolean =>
  isCertificateCode((error as { code?: unknown } | undefined)?.code);

/** The refusal of a certificate: what is wrong with it and, where a user may vouch for it, its fingerprint. */
export async function certificateRefused(endpoint: Endpoint, address: string, error: unknown): Promise<MailError> {
  const { certificate, refused } = await peerCertificate(endpoint, address).catch(() => ({
    certificate: undefined,
    refused: undefined,
  }));
  // Libraries put codes of their own over that of the check; then what the second look found counts.
  const { code } = error as { code?: unknown };
  const meant = isCertificateCode(code) ? code : isCertificateCode(refused) ? refused : '';
  const { fault, words, advice } = certificateTrouble(
    meant,
    `${endpoint.side} at ${endpoint.host}:${endpoint.port}`,
    certificate,
  );
  const vouched = certificate?.fingerprint256 && (fault === 'untrusted' || fault === 'name');
  return new MailError(
    'unavailable',
    vouched ? `${words} Its SHA-256 fingerprint is ${certificate.fingerprint256}.` : words,
    {
      cause: error,
      advice: vouched
        ? "Check host and port. If you know that this certificate is the server's own, put its fingerprint into Allowed Certificate."
        : advice,
    },
  );
}
