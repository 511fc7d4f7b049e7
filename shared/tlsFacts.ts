import type { TLSSocket } from 'node:tls';
import { short } from './certificate.js';
import type { TlsFacts } from './exchange.js';

/** What is known of a connection stays known when it has ended. */
const known = new WeakMap<object, TlsFacts>();

/** How TLS protects a connection; undefined where it does not, or where nothing is known of it any more. */
export function tlsFacts(socket: object | false | null | undefined): TlsFacts | undefined {
  if (!socket) return undefined;
  const before = known.get(socket);
  if (before) return before;
  const tls = socket as Partial<TLSSocket>;
  const certificate = tls.encrypted ? tls.getPeerCertificate?.() : undefined;
  const protocol = tls.getProtocol?.();
  if (!certificate?.fingerprint256 || !protocol) return undefined;
  const { subject, issuer, subjectaltname, valid_to, fingerprint256 } = certificate;
  const cipher = tls.getCipher?.();
  const until = Date.parse(valid_to);
  const facts: TlsFacts = {
    protocol,
    cipher: cipher?.standardName ?? cipher?.name ?? '',
    subject: short(subject?.CN || subject?.O || ''),
    names: short(subjectaltname?.replace(/DNS:|IP Address:/g, '') ?? ''),
    issuer: short([issuer?.CN, issuer?.O].flat().filter(Boolean)),
    validTo: Number.isNaN(until) ? '' : new Date(until).toISOString(),
    fingerprint: fingerprint256,
  };
  known.set(socket, facts);
  return facts;
}
