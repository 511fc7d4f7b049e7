import type { MailServer, MailServerOptions } from './mailServer/options.js';

export type { MailServer, MailServerOptions, Misbehaviour } from './mailServer/options.js';

/**
 * Starts a mail server for tests and development: SMTP and IMAP on 127.0.0.1, any address, any login or none. It relays
 * nothing. Rejects where a port that was asked for is taken (`EADDRINUSE`). Its code is loaded with the first call.
 */
export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const { run } = await import('./mailServer/mailServer.js');
  return run(options);
}
