import { connect, providerById, type Client } from '../../../shared/index.js';
import { closeConnections } from '../../../shared/providers/imap/session/imapPool.js';
import { CASES, checkCase, checkNearly, NEARLY, readInbox } from '../../providers/mailCases.js';
import type { Lab, User } from './lab.js';
import { realLab } from './real.js';
import { root } from './servers/debian.js';

/** Courier needs root. Cyrus takes no mail whose header is wrong. */
const families = (['dovecot', 'bareDovecot', 'courier'] as const).filter(
  family => (root || family === 'dovecot') && (process.env.SERVERS ?? 'dovecot,courier').split(',').includes(family),
);

for (const family of families) {
  describe(`What is read of mail on ${family}`, function () {
    this.timeout(120_000);
    let lab: Lab;
    before(async () => {
      lab = await realLab(family);
    });
    after(async () => {
      closeConnections();
      await lab?.close();
    });
    const clientOf = ({ user, password }: User): Client =>
      connect(providerById('imap')!, {
        user,
        password,
        imapHost: 'localhost',
        imapPort: lab.imapTlsPort,
        allowedCertificate: lab.ca,
      });
    const filled = async (sources: readonly Buffer[]) => {
      const user = lab.user();
      for (const source of sources) await lab.deliver(user, source);
      const client = clientOf(user);
      return { client, ...(await readInbox(client)) };
    };

    describe('mails as people get them', () => {
      let inbox: Awaited<ReturnType<typeof filled>>;
      before(async () => {
        inbox = await filled(CASES.map(one => one.source));
      });
      for (const [i, { name, check }] of CASES.entries()) {
        it(`${name} reads right in list, get and feed`, () =>
          checkCase(inbox.client, check, inbox.listed[i], inbox.fed[i]));
      }
    });
    describe('mail that is nearly right', () => {
      let inbox: Awaited<ReturnType<typeof filled>>;
      const names = Object.keys(NEARLY);
      before(async () => {
        inbox = await filled(names.map(name => NEARLY[name]!.source));
      });
      for (const [i, name] of names.entries())
        it(name, () => checkNearly(inbox.client, name, inbox.listed[i], inbox.fed[i]));
    });
  });
}
