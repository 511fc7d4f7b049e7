import { TLSSocket } from 'node:tls';
import type { SMTPServerOptions } from 'smtp-server';
import { selfSigned, type Certificate } from '../imap/certificate.js';
import { Connections } from './connections.js';
import { Faults } from './faults.js';
import type { Delivery, SmtpOptions, SmtpServer } from './options.js';
import { Submission } from './submission.js';

export type { SmtpOptions, SmtpServer } from './options.js';

// smtp-server asks a TLS socket for its protocol after a connection was torn down in the middle of the handshake, and
// Node 24 crashes on that (SIGSEGV in SSL_get_version). Tests tear down connections at any moment.
const { getProtocol } = TLSSocket.prototype;
TLSSocket.prototype.getProtocol = function (this: TLSSocket) {
  return this.destroyed ? null : getProtocol.call(this);
};

/**
 * A submission server on loopback: STARTTLS on one port, implicit TLS on the other, mail for local users goes straight
 * to their INBOX. Each new connection waits 100 ms for its greeting (smtp-server looks for clients that talk too
 * early), so rates with one connection per message say nothing; measure those against a real server.
 */
export async function startSmtp(delivery: Delivery, options: SmtpOptions = {}): Promise<SmtpServer> {
  const certificate = options.certificate ?? selfSigned();
  const faults = new Faults(options.misbehave, (session, how) => connections.cut(session, how));
  const submission = new Submission(delivery, options, faults, () => connections.open > connections.limit);
  const connections: Connections = new Connections({ ...settingsOf(options, certificate), ...submission.handlers() });
  const { seen } = submission;
  await connections.listen(options.port ?? 0, options.tlsPort ?? 0);
  return {
    host: connections.host,
    port: connections.port,
    tlsPort: connections.tlsPort,
    ca: certificate.cert,
    seen,
    limit: bytes => connections.announce(bytes),
    open: () => connections.open,
    peak: () => connections.peak,
    forget() {
      for (const list of Object.values(seen)) list.length = 0;
      connections.forget();
    },
    trouble: troubleOf(faults, connections),
    close: () => connections.stop('destroy'),
  };
}

function troubleOf(faults: Faults, connections: Connections): SmtpServer['trouble'] {
  return {
    get connectionLimit() {
      return connections.limit;
    },
    set connectionLimit(limit) {
      connections.limit = limit;
    },
    fail: fault => faults.add(fault),
    mend() {
      faults.clear();
      connections.limit = Infinity;
    },
    drop: (how = 'reset') => connections.drop(how),
    away: () => connections.stop('reset'),
    back: () => connections.listen(connections.port, connections.tlsPort),
  };
}

function settingsOf(options: SmtpOptions, certificate: Certificate): SMTPServerOptions {
  return {
    ...certificate,
    logger: false,
    disableReverseLookup: true,
    closeTimeout: 1,
    size: options.maxMessageBytes ?? 100 * 1024 * 1024,
    rejectOversized: true,
    banner: 'Mailroom sandbox',
    name: 'localhost',
    authMethods: ['PLAIN', 'LOGIN', 'XOAUTH2'],
    allowInsecureAuth: options.plaintext !== false,
    authOptional: options.auth === false || options.anyone !== undefined,
    disabledCommands: options.auth === false ? ['AUTH'] : [],
    hideSTARTTLS: options.startTls === false,
    hideSMTPUTF8: options.smtpUtf8 === false,
    hideDSN: options.dsn === false,
    hidePIPELINING: options.pipelining === false,
    // The status codes are in our texts, where a test can choose them.
    hideENHANCEDSTATUSCODES: true,
    ...(options.maxRecipients ? { maxRecipients: options.maxRecipients } : {}),
  };
}
