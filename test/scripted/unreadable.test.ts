import assert from 'node:assert/strict';
import { take, type Client, type Message } from '../../shared/index.js';
import { letter } from './mail.js';
import { follow, withScript } from './with.js';

/** What servers do when they cannot give message 2, for every FETCH that names it. */
const FAULTS: Record<string, string> = {
  // Dovecot closes the connection at a file it cannot read: https://github.com/OfflineIMAP/offlineimap/pull/278
  'closes the connection': 'S: * BYE Internal error occurred. Refer to server log for more information.\nS: <close>',
  // The same in the middle of an answer: https://github.com/lefcha/imapfilter/issues/213
  'closes the connection without a word': 'S: <close>',
  // Yahoo: https://github.com/imapsync/imapsync/issues/119
  'refuses it for the moment': 'S: $ NO [UNAVAILABLE] UID FETCH Server error while fetching messages',
  // Yahoo: https://github.com/jstedfast/MailKit/issues/358
  'refuses it': 'S: $ NO FETCH Some messages could not be FETCHed',
  // https://github.com/mscdex/node-imap/issues/324
  'calls it a syntax error': 'S: $ BAD Error in IMAP command FETCH: Invalid messageset',
};
const script = (answer: string) => `C: UID FETCH <2> …\n${answer}\nC: FETCH <2> …\n${answer}`;
const three = () => ({ messages: [letter(1), letter(2), letter(3)] });
const list = async (client: Client) =>
  await take(client.call('message.list', {}) as AsyncIterable<Message & { problem?: string }>);

describe('IMAP transcripts: a message the server cannot give', function () {
  // Logins after a connection that broke are a second apart.
  this.timeout(60_000);
  for (const [what, answer] of Object.entries(FAULTS)) {
    it(`is listed with the reason by a server that ${what}`, () =>
      withScript(
        script(answer),
        async client => {
          const listed = await list(client);
          assert.deepEqual(
            listed.map(one => [one.subject, !!one.problem]),
            [
              ['m3', false],
              [undefined, true],
              ['m1', false],
            ],
          );
          assert.match(listed[1]!.problem!, /server cannot deliver|server refuses/);
        },
        three(),
      ));

    if (/without a word/.test(what)) continue;
    it(`does not keep the feed from starting on a server that ${what}`, () =>
      withScript(
        script(answer),
        async (client, server) => {
          const { cursor, items } = await client.since('messageReceived', {});
          assert.ok(
            items.some(({ item }) => (item as Message).subject === 'm3'),
            'the latest are shown',
          );
          server.messages.push(letter(4));
          assert.deepEqual(
            (await follow(client, {}, cursor)).items.map(({ item }) => item.subject),
            ['m4'],
          );
        },
        three(),
      ));

    it(`is told once by a feed that begins at a time, on a server that ${what}`, () =>
      withScript(
        script(answer),
        async (client, server) => {
          const cursor = await client.from('messageReceived', {}, '2026-11-28T09:59:59Z');
          server.messages.push(letter(4));
          const { items } = await follow(client, {}, cursor!, 12);
          assert.deepEqual(
            items.filter(one => !one.problem).map(({ item }) => item.subject),
            ['m1', 'm3', 'm4'],
          );
          if (!/UNAVAILABLE/.test(answer)) assert.equal(items.filter(one => one.problem).length, 1);
        },
        three(),
      ));

    it(`is told as one by a feed that meets it, on a server that ${what}`, () =>
      withScript(
        script(answer),
        async (client, server) => {
          const begun = await client.since('messageReceived', {});
          server.messages.push(letter(2), letter(3));
          const { items } = await follow(client, {}, begun.cursor, 12);
          const problems = items.filter(one => one.problem);
          assert.deepEqual(
            items.filter(one => !one.problem).map(({ item }) => item.subject),
            ['m3'],
          );
          if (!/UNAVAILABLE/.test(answer)) assert.equal(problems.length, 1);
        },
        { messages: [letter(1)] },
      ));
  }

  // A folder where all is refused is not a folder of bad messages.
  it('is not what a server means that refuses everything', () =>
    withScript(
      'C: UID FETCH …\nS: $ NO [UNAVAILABLE] Server error - Please try again later',
      async client => {
        await assert.rejects(list(client), { code: 'unavailable' });
      },
      { messages: Array.from({ length: 30 }, (_, i) => letter(i + 1)) },
    ));

  it('is found among many, and costs few commands', () =>
    withScript(
      'C: UID FETCH 1:250 …\nS: $ NO one of them\nC: UID FETCH …\nS: <regular>',
      async (client, server) => {
        assert.equal((await list(client)).length, 250);
        assert.ok(server.heard('UID FETCH').length < 12, server.heard('UID FETCH').join('\n'));
      },
      { messages: Array.from({ length: 250 }, (_, i) => letter(i + 1)) },
    ));
});
