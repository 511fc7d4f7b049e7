import assert from 'node:assert/strict';
import { uidsOf } from '../../shared/providers/imap/messages/content.js';
import { letter } from './mail.js';
import { follow, idOf, withScript } from './with.js';

describe('IMAP transcripts: answers to several commands at once', () => {
  // RFC 9051 section 5.5 allows it; Dovecot works on the next FETCH while the rows of the one before wait for a slow
  // line.
  for (const fetch of ['envelope', 'full']) {
    it(`each message of the feed comes once with what is its own (fetch: ${fetch})`, () =>
      withScript(
        '',
        async (client, server) => {
          const { cursor } = await client.since('messageReceived', { fetch });
          for (let uid = 2; uid <= 300; uid++) server.messages.push(letter(uid));
          const { items, notes, errors } = await follow(client, { fetch }, cursor);
          assert.deepEqual([notes, errors], [[], []]);
          assert.deepEqual(
            items.map(({ item }) => item.subject),
            Array.from({ length: 299 }, (_, i) => `m${i + 2}`),
          );
          if (fetch === 'full')
            assert.deepEqual(
              items.map(({ item }) => item.text?.trim()),
              Array.from({ length: 299 }, (_, i) => `text ${i + 2}`),
            );
          // Each is asked for once: none of it was lost on the way.
          const asked = server
            .heard('UID FETCH')
            .filter(line => line.includes('ENVELOPE'))
            .flatMap(line => uidsOf(line.split(' ')[2]!))
            .filter(uid => uid > 1);
          assert.deepEqual(
            asked.sort((a, b) => a - b),
            Array.from({ length: 299 }, (_, i) => i + 2),
          );
          assert.ok(server.atOnce > 1, String(server.atOnce));
        },
        { interleaves: true },
      ));
  }
  it('what another command asked of a message is not taken for its content', () =>
    withScript(
      'C: UID FETCH 1 (UID BODY.PEEK[HEADER]…\nS: * 1 FETCH (UID 1 RFC822.SIZE 5 FLAGS ())\nS: $ OK done',
      client =>
        assert.rejects(client.call('message.get', { message: idOf(1) }) as Promise<unknown>, { code: 'not_found' }),
    ));
});
