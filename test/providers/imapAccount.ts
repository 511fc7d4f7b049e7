import type { Mail } from '../sandbox/mail.js';

/** An account of the embedded servers: `localhost` over TLS, with their certificate allowed. */
export const accountOf = (mail: Mail, n = 0, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  user: `u${n}@test.local`,
  password: `pass${n}`,
  imapHost: 'localhost',
  imapPort: mail.imap.tlsPort,
  smtpHost: 'localhost',
  smtpPort: mail.smtp.tlsPort,
  sievePort: mail.sieve.port,
  allowedCertificate: mail.ca,
  ...more,
});
