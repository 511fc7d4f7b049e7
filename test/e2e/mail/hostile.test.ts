import assert from 'node:assert/strict';
import { connect, providerById } from '../../../shared/index.js';
import { closeConnections } from '../../../shared/providers/imap/session/imapPool.js';
import { HOSTILE, within } from '../../providers/hostileMail.js';
import type { Lab } from './lab.js';
import { realLab } from './real.js';

type Any = any;
/** What costs most of each kind: structure, lines, header, decoding, markup. Megabytes of each. */
const KINDS: [kind: string, mb: number][] = [
  ['thirty multiparts round short lines', 9],
  ['thirty multiparts round short lines', 50],
  ['tiny parts', 9],
  ['blank lines', 50],
  ['a thousand files', 9],
  ['recipients without end', 9],
  ['padding without end', 50],
  ['elements that stay open', 9],
  ['TNEF', 9],
];

describe('Hostile mail on Dovecot', function () {
  this.timeout(300_000);
  let lab: Lab;
  before(async () => {
    lab = await realLab();
  });
  after(async () => {
    closeConnections();
    await lab?.close();
  });

  for (const [kind, mb] of KINDS) {
    it(`costs little in list, get, feed and an answer: ${kind}, ${mb} MB`, async () => {
      const { user, password } = lab.user();
      const filter = { folders: ['INBOX'] };
      // Straight into the folder: a client that sends such a mail is not what is measured.
      await lab.fill({ user, password }, 1, () => HOSTILE[kind]!(mb));
      const client: Any = connect(providerById('imap'), {
        user,
        password,
        imapHost: 'localhost',
        imapPort: lab.imapTlsPort,
        smtpHost: 'localhost',
        smtpPort: lab.smtpPort,
        smtpSecurity: lab.smtpSecurity,
        allowedCertificate: lab.ca,
      });
      let message = '';
      let items: Any[] = [];
      await within(`list of ${kind}`, mb, async () => {
        for await (const one of client.call('message.list', {})) message = one.id;
      });
      await within(`get of ${kind}`, mb, () => client.call('message.get', { message }));
      await within(`feed of ${kind}`, mb, async () => {
        items = [];
        for (let cursor = await client.from('messageReceived', filter, '2020-01-01T00:00:00Z'), more = true; more;) {
          const batch = await client.since('messageReceived', { ...filter, fetch: 'full' }, cursor);
          items.push(...batch.items);
          ({ cursor, more } = batch);
        }
      });
      assert.equal(items.length, 1);
      await within(`answer to ${kind}`, mb, () =>
        client
          .preview('message.reply', { message, quote: true, replyAll: true, text: 'Hi', html: '<p>Hi' })
          .catch((error: Any) => assert.equal(error.code, 'rejected')),
      );
      closeConnections();
    });
  }
});
