import assert from 'node:assert/strict';
import { isMailError, type Client, type FileValue } from '../../shared/index.js';
import { letter, letterWithFile } from './mail.js';
import { bytesOf, idOf, withScript } from './with.js';

const MIB = 1048576;
/** Every byte tells where it stands, so that what is left out or comes twice shows. */
const content = Array.from({ length: 350_000 }, (_, i) => i.toString(36).padStart(7, '0'))
  .join('\r')
  .slice(0, 2.6 * MIB);
const file = () => letterWithFile(2, content);

/** The ways to a file larger than one piece. */
const WAYS: Record<string, { read(client: Client): Promise<Buffer>; is: string; item: string }> = {
  'attachment.get': {
    is: content,
    item: 'BODY.PEEK[2]',
    read: async client =>
      bytesOf((await client.call('attachment.get', { message: idOf(2), attachment: '2' })) as FileValue),
  },
  'message.source': {
    is: file().source,
    item: 'BODY.PEEK[]',
    read: async client => bytesOf((await client.call('message.source', { message: idOf(2) })) as FileValue),
  },
};

const whole = (bytes: Buffer, wanted: string) =>
  assert.ok(bytes.equals(Buffer.from(wanted, 'latin1')), `${bytes.length} of ${wanted.length} bytes`);
const brokenOff = (code: string) => (error: unknown) => {
  assert.ok(isMailError(error), String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, /1048576 of 27\d{5} bytes had come/);
  return true;
};

for (const [way, { read, is, item }] of Object.entries(WAYS)) {
  describe(`IMAP transcripts: downloads by ${way}`, () => {
    const second = `C 1x: UID FETCH 2 (UID ${item}<${MIB}.${MIB}>)`;
    const play = (script: string, run: Parameters<typeof withScript>[1]) =>
      withScript(script, run, { messages: [letter(1), file()] });

    it('are whole where nothing happens', () => play('', async client => whole(await read(client), is)));

    // Dovecot tells of flags that another client changed at any time: https://github.com/emersion/go-imap/issues/430
    it('are whole when a flag of another message is told in between', () =>
      play(`${second}\nS: * 1 FETCH (UID 1 FLAGS (\\Seen))\nS: <regular>`, async client =>
        whole(await read(client), is),
      ));
    // The same without a UID: https://github.com/mjs/imapclient/issues/334
    it('are whole when a flag is told without a UID, before and after', () =>
      play(
        `${second}\nS: * 2 FETCH (FLAGS (\\Seen))\nS: <regular rows>\nS: * 1 FETCH (FLAGS ())\nS: $ OK done`,
        async client => whole(await read(client), is),
      ));
    it('are whole when a flag of the message itself is told first', () =>
      play(`${second}\nS: * 2 FETCH (UID 2 FLAGS (\\Seen))\nS: <regular>`, async client =>
        whole(await read(client), is),
      ));

    it('end with an error when the message is moved away in between', () =>
      play(`${second}\nS: <expunge 2>\nS: $ OK done`, async client =>
        assert.rejects(read(client), brokenOff('not_found')),
      ));
    // Yahoo refuses at any time: https://github.com/imapsync/imapsync/issues/119
    it('end with an error when a piece is refused', () =>
      play(`${second}\nS: $ NO [UNAVAILABLE] UID FETCH Server error while fetching messages`, async client =>
        assert.rejects(read(client), brokenOff('unavailable')),
      ));
    it('are whole when a piece is left out once', () =>
      play(`${second}\nS: $ OK done`, async client => whole(await read(client), is)));
    it('end with an error when a piece is left out for good', () =>
      play(`${second.replace('C 1x', 'C')}\nS: $ OK done`, async client =>
        assert.rejects(read(client), brokenOff('not_found')),
      ));

    // hMailServer: https://github.com/hmailserver/hmailserver/issues/334,
    // https://github.com/Progressiverobot/hmailserver/issues/26
    it('are whole when a piece comes short', () =>
      play(
        `${second}\nS: * 2 FETCH (UID 2 ${item.replace('.PEEK', '')}<${MIB}> {5}\r\nS: ${is.slice(MIB, MIB + 5)})\nS: $ OK done`,
        async client => whole(await read(client), is),
      ));

    // A row that holds another section than the one asked for, as for a flag that is told: it says nothing of the end.
    it('are whole when a piece is answered with another section', () =>
      play(`${second}\nS: * 2 FETCH (UID 2 BODY[1]<${MIB}> {5}\r\nS: aaaaa)\nS: $ OK done`, async client =>
        whole(await read(client), is),
      ));

    it('are whole and read once from a server that ignores ranges and says so', async () => {
      await play(`C: UID FETCH 2 (UID ${item}<…\nS: <regular without range>`, async (client, server) => {
        whole(await read(client), is);
        assert.equal(server.heard(`UID FETCH 2 (UID ${item}`).length, 1);
      });
    });
    it('are whole from a server that gives everything at the second piece', () =>
      play(`${second}\nS: <regular without range>`, async client => whole(await read(client), is)));
  });
}
