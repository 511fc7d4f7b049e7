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

/** How servers say that a search found messages 2 and 4. */
const FOUND: Record<string, { capabilities: string; answer: string }> = {
  numbers: { capabilities: EXCHANGE, answer: 'S: * SEARCH 2 4' },
  // https://github.com/mikel/mail/pull/1611: nothing says that they are in order, or told once.
  'numbers out of order, one of them twice': { capabilities: EXCHANGE, answer: 'S: * SEARCH 4 2 4' },
  // RFC 7162 section 3.1.5
  'numbers and a MODSEQ': { capabilities: EXCHANGE, answer: 'S: * SEARCH 2 4 (MODSEQ 917162500)' },
  // RFC 3501 section 7.2.5 does not say that there is one answer only.
  'numbers in two answers': { capabilities: EXCHANGE, answer: 'S: * SEARCH 2\nS: * SEARCH 4' },
  'a set': { capabilities: DOVECOT, answer: 'S: * ESEARCH (TAG "1") UID ALL 2,4' },
  // Cyrus 2.4: https://github.com/cyrusimap/cyrus-imapd/issues/1720
  'numbers where a set was asked for': { capabilities: DOVECOT, answer: 'S: * SEARCH 2 4' },
  // Purelymail: https://github.com/abhinavxd/libredesk/pull/282
  'a set without the word UID': { capabilities: DOVECOT, answer: 'S: * ESEARCH (TAG "1") ALL 2,4' },
  // RFC 4731 section 3.1, the first example: more than was asked for, and ALL among it.
  'a set behind other results': {
    capabilities: DOVECOT,
    answer: 'S: * ESEARCH (TAG "1") UID MIN 2 MAX 4 COUNT 2 ALL 4,2',
  },
  // RFC 5182: a server that can keep a result is asked for it all the same.
  'a set by a server with SEARCHRES': {
    capabilities: `${DOVECOT} SEARCHRES`,
    answer: 'S: * ESEARCH (TAG "1") UID ALL 2,4',
  },
};

describe('IMAP transcripts: searches', () => {
  for (const [name, { capabilities, answer }] of Object.entries(FOUND)) {
    it(`what is found is told as ${name}`, () =>
      withScript(
        `C: UID SEARCH …\n${answer}\nS: $ OK done`,
        async (client, server) => {
          assert.deepEqual(
            (await take(client.call('message.list', { subject: 'm' }) as AsyncIterable<Message>)).map(
              one => one.subject,
            ),
            ['m4', 'm2'],
          );
          // An empty RETURN () finds nothing on Exchange: https://github.com/jstedfast/MailKit/issues/1177; without
          // ESEARCH it is an unknown key: https://github.com/kenn-io/msgvault/pull/211
          const asked = server.heard('UID SEARCH');
          assert.ok(
            asked.length &&
              asked.every(
                line => /RETURN/.test(line) === /ESEARCH/.test(capabilities) && !/RETURN \(\)|SAVE/.test(line),
              ),
            asked.join('\n'),
          );
        },
        { capabilities, messages: [1, 2, 3, 4, 5].map(uid => letter(uid)) },
      ));
  }

  // Proton's bridge refuses a search by UID in an empty folder: https://github.com/ProtonMail/gluon/pull/478
  it('an empty folder is not searched by UID', () =>
    withScript(
      'C: UID SEARCH …UID …\nS: $ NO no such message',
      async client => {
        const { cursor } = await client.since('messageReceived', {});
        const empty = await follow(client, {}, cursor);
        assert.deepEqual([empty.errors, empty.items], [[], []]);
      },
      { messages: [] },
    ));

  for (const [name, answer] of Object.entries(NOTHING)) {
    it(`nothing found is told as ${name}`, () =>
      withScript(`C: UID SEARCH …\n${answer}`, async (client, server) => {
        assert.deepEqual(await take(client.call('message.list', { subject: 'nothing' }) as AsyncIterable<Message>), []);
        assert.equal(server.connections, 1);
      }));
  }

  for (const [name, capabilities] of [
    ['without ESEARCH', EXCHANGE],
    ['with ESEARCH', DOVECOT],
    ['with SEARCHRES', `${DOVECOT} SEARCHRES`],
  ] as const) {
    // The feed stood still behind a message that a rule moved between the search and the fetch: its own search found
    // nothing.
    it(`a message that vanishes before it is read holds up no other, ${name}`, () =>
      withScript(
        'C 1x: UID FETCH 2:3 …\nS: <expunge 2>\nS: <regular>',
        async (client, server) => {
          const { cursor } = await client.since('messageReceived', {});
          server.messages.push(letter(2), letter(3));
          const first = await follow(client, {}, cursor);
          server.messages.push(letter(4));
          const second = await follow(client, {}, first.cursor);
          assert.deepEqual(
            [...first.items, ...second.items].map(({ item }) => item.subject),
            ['m3', 'm4'],
          );
          assert.deepEqual([...first.errors, ...second.errors], []);
        },
        { capabilities },
      ));

    it(`mail that came and went meanwhile leaves nothing behind, ${name}`, () =>
      withScript(
        '',
        async (client, server) => {
          const { cursor } = await client.since('messageReceived', {});
          server.messages.push(letter(6000));
          const first = await follow(client, {}, cursor);
          server.messages.push(letter(6001));
          const second = await follow(client, {}, first.cursor);
          assert.deepEqual(
            [...first.items, ...second.items].map(({ item }) => item.subject),
            ['m6000', 'm6001'],
          );
        },
        { capabilities },
      ));
  }
});
