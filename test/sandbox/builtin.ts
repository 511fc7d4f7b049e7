import { corpus } from '../e2e/vscode/letters.js';
import { startMail } from './mail.js';

/** What is needed of a provider's case to pretend it. */
export interface Startable {
  start(): Promise<{ id: string; account: object; close(): Promise<void> }>;
}

/**
 * Every pretend vendor and the mail servers, as lines of accounts. The extension brings this along, and the demo and
 * its tests use the same. `spy` is an address that counts requests of hostile mail.
 */
export async function startBuiltin<S extends Startable>(cases: readonly S[], spy?: string) {
  const vendors = (await Promise.all(cases.map(one => one.start()))) as Awaited<ReturnType<S['start']>>[];
  const mail = await startMail({ users: 2 });
  const [{ user, password }] = mail.users as [{ user: string; password: string }];
  for (const letter of corpus(user, spy))
    mail.deliver(user, letter.content, { ...(letter.flags ? { flags: letter.flags } : {}), internalDate: letter.at });
  const imap = {
    user,
    password,
    imapHost: '127.0.0.1',
    imapPort: mail.imap.port,
    imapSecurity: 'none',
    smtpHost: '127.0.0.1',
    smtpPort: mail.smtp.port,
    smtpSecurity: 'none',
    sievePort: mail.sieve.port,
    sieveSecurity: 'none',
  };
  return {
    mail,
    vendors,
    lines: [...vendors.map(({ id, account }) => ({ id, account })), { id: 'imap', account: imap }]
      .map(line => JSON.stringify(line))
      .join('\n'),
    async close() {
      await Promise.all([...vendors.map(vendor => vendor.close()), mail.close()]);
    },
  };
}

/**
 * The same for people who try the extension: whatever else runs on their machine, web pages too, cannot make anything
 * happen there.
 */
export async function startSealed(
  cases: readonly { start(): Promise<{ id: string; account: object; seal(): void; close(): Promise<void> }> }[],
) {
  const running = await startBuiltin(cases);
  for (const vendor of running.vendors) vendor.seal();
  return running;
}
