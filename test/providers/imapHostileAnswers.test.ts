import assert from 'node:assert/strict';
import { connect, providerById } from '../../shared/index.js';
import { decodeStream } from '../../shared/providers/imap/mime/transfer.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { filled, hostileServer, MB, within, type HostileServer } from './hostileMail.js';

type Any = any;
/** Megabytes of each message here: enough to fail without the bounds. `npm run test:e2e` tries every kind in large. */
const SIZE = 4;
/** What costs most to answer or to pass on. */
const KINDS = ['thirty multiparts round short lines', 'a thousand parts of HTML', 'blank lines', 'ampersands in lines', 'recipients in a hundred kilobytes',
  'parameters (RFC 2231) of a thousand files', 'encoded words in names'];

describe('IMAP: answers to hostile mail', function () {
  this.timeout(300_000);
  let server: HostileServer;
  before(async () => { server = await hostileServer(); });
  after(() => { closeConnections(); server.close(); });
  const call = (name: string, input: object): Promise<Any> => connect(providerById('imap')!, server.account).call(name, input) as Promise<Any>;
  const reply = (message: string, more = {}) =>
    call('message.reply', { message, quote: true, replyAll: true, text: 'Hi', html: '<p>Hi', saveToSent: 'no', ...more });
  const forward = (message: string, as: 'inline' | 'attachment') =>
    call('message.forward', { message, as, to: ['u0@test.local'], text: 'Hi', saveToSent: 'no' });

  for (const kind of KINDS) {
    it(`costs little to answer and to pass on: ${kind}`, async () => {
      const message = await server.deliver(kind, SIZE);
      await within(`reply to ${kind}`, SIZE, () => reply(message).catch((error: Any) => assert.equal(error.code, 'rejected')));
      await within(`forward of ${kind}`, SIZE, () => forward(message, 'inline'));
      await within(`forward of ${kind} as a file`, SIZE, () => forward(message, 'attachment'));
    });
  }
  it('costs little to decode: uuencode in short lines', async () => {
    for (const piece of ['\n', '!\n', '! \n', '!\r\n', 'e\n']) {
      const bytes = Buffer.concat([Buffer.from('begin 644 a\n'), filled(piece, 9 * MB)]);
      await within(JSON.stringify(piece), 9, async () => { for await (const _ of decodeStream(slices(bytes), 'uuencode')); });
    }
  });
});

async function* slices(bytes: Buffer) { for (let at = 0; at < bytes.length; at += MB) yield bytes.subarray(at, at + MB); }
