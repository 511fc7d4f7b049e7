import assert from 'node:assert/strict';
import { connect, providerById } from '../../../shared/index.js';
import { letter } from '../../sandbox/corpus.js';
import { selfSigned } from '../../../shared/mailServer/imap/certificate.js';
import { bytesOf, CASES, FOLDERS, marked, SENDER, tidy, type Became } from '../../sandbox/sieve/cases.js';
import { phoneOf, type User } from './lab.js';
import { outbox, type Outbox } from './outbox.js';
import { startCyrus } from './servers/cyrus.js';
import { root } from './servers/debian.js';
import { startDovecot } from './servers/dovecot.js';
import { removeFolder, temporaryFolder } from './servers/process.js';
import type { Ground, ImapServer } from './servers/server.js';

/*
 * The table that says what scripts do, put to the servers: the embedded server of the other tests does the same, or one
 * of the two is wrong.
 */

type Any = any;
const STARTS: Record<string, (ground: Ground) => Promise<ImapServer>> = {
  dovecot: startDovecot,
  ...(root ? { cyrus: startCyrus } : {}),
};
const families = Object.keys(STARTS).filter(name => (process.env.SERVERS ?? 'dovecot,cyrus').split(',').includes(name));

for (const family of families) {
  describe(`What scripts do, on ${family}`, function () {
    this.timeout(60_000);
    const folder = temporaryFolder();
    const certificate = selfSigned();
    const users: User[] = CASES.map((_, i) => ({ user: `m${i}@test.local`, password: `pass${i}` }));
    let server: ImapServer;
    let out: Outbox;
    before(async () => {
      out = await outbox();
      server = await STARTS[family]!({ folder, certificate, users, outgoing: out.port });
    });
    after(async () => {
      await server?.close();
      await out?.close();
      removeFolder(folder);
    });

    const path = (name: string) => (name === 'INBOX' ? name : `${server.prefix}${name}`);
    /** Where messages lie, by the names of the table. */
    async function lying(user: User): Promise<Became['folders']> {
      const phone = await phoneOf(server.imapPort, user);
      const found: Record<string, string[]> = {};
      try {
        for (const { path: name } of await phone.list()) {
          const { exists } = await phone.mailboxOpen(name, { readOnly: true });
          const told = name.replace(server.prefix, '');
          if (!exists) continue;
          found[told] = [];
          for await (const one of phone.fetch('1:*', { envelope: true, flags: true }))
            found[told].push(marked(one.envelope!.subject!, one.flags!));
          found[told] = found[told].filter(one => !/^begin\b/.test(one));
        }
      } finally {
        await phone.logout();
      }
      return found;
    }

    for (const [at, { name, script, mails, became, cyrus }] of CASES.entries()) {
      it(name, async () => {
        const user = users[at]!;
        const proof = `proof${at}-${family}@elsewhere.example`;
        // Cyrus lets nobody keep rules who has no INBOX yet.
        await server.deliver(user, letter({ to: user.user, subject: 'begin' }));
        const phone = await phoneOf(server.imapPort, user);
        for (const one of FOLDERS) await phone.mailboxCreate(path(one));
        await phone.logout();
        const client: Any = connect(providerById('imap'), {
          user: user.user,
          password: user.password,
          imapHost: 'localhost',
          imapPort: server.imapTlsPort,
          imapSecurity: 'tls',
          sievePort: server.sievePort,
          allowedCertificate: certificate.cert,
        });
        const put = (text: string) => client.call('script.put', { script: 'main', activate: true, text });
        await put(
          script
            .replaceAll('USER', user.user)
            .replace(
              /("?)(One|Two|Jünk|New)\1/g,
              (_, quote: string, folderName: string) => quote + path(folderName) + quote,
            ),
        );
        const from = out.sent.length;
        let refused = 0;
        for (const one of mails) {
          // Cyrus refuses it to whoever delivers, which tells the sender; Dovecot takes it and writes to the sender
          // itself.
          await server.deliver(user, bytesOf(one, user.user)).catch((error: unknown) => {
            assert.match((error as Error).message, /550 .*Not here\./);
            refused++;
          });
        }
        // What is sent goes out in turn: once this has arrived, whatever rules sent before it has too.
        await put(`redirect "${proof}";\r\n`);
        await server.deliver(user, letter({ to: user.user, subject: 'end' }));
        await out.to(proof);
        const sent = out.sent
          .slice(from)
          .map(({ to }) => to)
          .filter(to => to !== proof);
        assert.deepEqual(
          tidy({ folders: await lying(user), sent: [...sent, ...Array<string>(refused).fill(SENDER)] }),
          tidy(family === 'cyrus' ? (cyrus ?? became) : became),
        );
      });
    }
  });
}
