import { cases } from '../contract/cases.js';
import { startMail } from './mail.js';

/**
 * `npm run sandbox`: every pretend vendor and the mail servers on loopback, one JSON line each on stdout, until Ctrl-C.
 * With `--json` that is all that is said; without, a few words on stderr.
 *
 * `account` holds what a user would fill in, under the names of the account fields; a script hands it to `connect` as
 * it is.
 *
 * Things go wrong on demand at every HTTP vendor (`Fault` in vendor.ts has all the fields):
 *
 *     curl -X POST   $BASE/__sandbox/faults -d '{"throttle": true, "times": 3}'       the next three requests are
 *     throttled
 *     curl -X POST   $BASE/__sandbox/faults -d '{"status": 500, "method": "PUT"}'     the next PUT fails
 *     curl -X POST   $BASE/__sandbox/faults -d '{"cut": "answer", "path": "/mail"}'   done, but the answer is lost
 *     curl -X DELETE $BASE/__sandbox/faults                                           all is well again
 *     curl -X POST   $BASE/__sandbox/clock  -d '{"advanceMs": 3600000}'               an hour passes at the vendor
 *     curl           $BASE/__sandbox/requests                                         what has arrived
 *     curl -X POST   $BASE/__sandbox/mail     -d '{"subject": "News"}'                 mail arrives (Sodium,
 *     Context.IO)
 *     curl -X POST   $BASE/__sandbox/switches -d '{"tokenLifetime": 5}'                tokens of five seconds
 *     (Outreach)
 *
 * where $BASE is the scheme, host and port of `baseUrl`. A header `x-sandbox-fault: {"delayMs": 2000}` does the same to
 * one request.
 *
 * The mail servers misbehave for tests in this process only (`trouble` in imap/trouble.ts and smtp.ts). They hold a few
 * days of mail of the first user; all users can write to each other, and mail arrives at once.
 */
async function main() {
  const [mail, ...vendors] = await Promise.all([startMail(), ...cases.map(one => one.start())]);
  const accounts = mail.users.map(({ user, password }) => ({
    user,
    password,
    allowedCertificate: mail.ca,
    imapHost: mail.imap.host,
    imapPort: mail.imap.tlsPort,
    imapSecurity: 'tls',
    smtpHost: mail.smtp.host,
    smtpPort: mail.smtp.tlsPort,
    smtpSecurity: 'tls',
    sievePort: mail.sieve.port,
  }));
  const { user } = accounts[0]!;
  const hour = 3_600_000;
  for (let i = 1; i <= 120; i++) {
    const at = new Date(Date.now() - (120 - i) * hour);
    mail.deliver(
      user,
      {
        from: `Sender ${i % 9} <sender${i % 9}@gen.test.local>`,
        subject: `Message ${i}`,
        text: `This is message ${i}.`,
        date: at,
      },
      { internalDate: at, flags: i % 3 ? ['\\Seen'] : [] },
    );
  }
  const lines = [
    ...vendors.map(({ id, url, account }) => ({ id, baseUrl: url, account })),
    {
      id: 'imap',
      baseUrl: `imaps://${mail.imap.host}:${mail.imap.tlsPort}`,
      account: accounts[0],
      others: accounts.slice(1).map(one => ({ user: one.user, password: one.password })),
    },
  ];
  for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`);
  if (!process.argv.includes('--json'))
    process.stderr.write(
      '\nAll on this machine only. Ctrl-C ends them; test/sandbox/start.ts says how to make them fail.\n',
    );
  const stop = async () => {
    await Promise.all([mail.close(), ...vendors.map(vendor => vendor.close())]);
    process.exit(0);
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
}
main().catch((error: unknown) => {
  process.stderr.write(`The sandbox could not start: ${(error as Error).stack ?? String(error)}\n`);
  process.exitCode = 1;
});
