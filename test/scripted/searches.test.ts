import assert from 'node:assert/strict';
import { take, type Message } from '../../shared/index.js';
import { letter } from './mail.js';
import { follow, withScript } from './with.js';

const EXCHANGE = 'IMAP4 IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+';
const DOVECOT = 'IMAP4rev1 SASL-IR ESEARCH UIDPLUS MOVE ID CHILDREN IDLE NAMESPACE LITERAL+';

/** How servers say that a search found nothing. */
const NOTHING: Record<string, string> = {
  // RFC 3501 section 7.2.5 allows the word alone; https://github.com/djc/imap-proto/issues/34
  'one word': 'S: * SEARCH\nS: $ OK SEARCH completed.',
  // GreenMail, https://github.com/djc/imap-proto/issues/34
  'one word and a blank': 'S: * SEARCH \nS: $ OK SEARCH completed.',
  // iCloud leaves the untagged answer out, https://github.com/home-assistant/core/issues/132042
  'no word': 'S: $ OK SEARCH completed (took 2 ms)',
  // https://github.com/emersion/go-imap/pull/599
  'an ESEARCH without data': 'S: * ESEARCH (TAG "1") UID\nS: $ OK SEARCH completed (Success)',
  // RFC 4731 section 3.1: the answer may leave out even the word UID.
  'ESEARCH, one word': 'S: * ESEARCH\nS: $ OK done',
};

describe('IMAP transcripts: searches', () => {
  for (const [name, answer] of Object.entries(NOTHING)) {
    it(`nothing found is told as ${name}`, () => withScript(`C: UID SEARCH …\n${answer}`, async (client, server) => {
      assert.deepEqual(await take(client.call('message.list', { subject: 'nothing' }) as AsyncIterable<Message>), []);
      assert.equal(server.connections, 1);
    }));
  }

  for (const [name, capabilities] of [['without ESEARCH', EXCHANGE], ['with ESEARCH', DOVECOT]] as const) {
    // The feed stood still behind a message that a rule moved between the search and the fetch: its own search found nothing.
    it(`a message that vanishes before it is read holds up no other, ${name}`, () => withScript('C 1x: UID FETCH 2:3 …\nS: <expunge 2>\nS: <regular>', async (client, server) => {
      const { cursor } = await client.since('messageReceived', {});
      server.messages.push(letter(2), letter(3));
      const first = await follow(client, {}, cursor);
      server.messages.push(letter(4));
      const second = await follow(client, {}, first.cursor);
      assert.deepEqual([...first.items, ...second.items].map(({ item }) => item.subject), ['m3', 'm4']);
      assert.deepEqual([...first.errors, ...second.errors], []);
    }, { capabilities }));

    it(`mail that came and went meanwhile leaves nothing behind, ${name}`, () => withScript('', async (client, server) => {
      const { cursor } = await client.since('messageReceived', {});
      server.messages.push(letter(6000));
      const first = await follow(client, {}, cursor);
      server.messages.push(letter(6001));
      const second = await follow(client, {}, first.cursor);
      assert.deepEqual([...first.items, ...second.items].map(({ item }) => item.subject), ['m6000', 'm6001']);
    }, { capabilities }));
  }
});
