import assert from 'node:assert/strict';
import fc from 'fast-check';
import { take, type Client, type FileValue, type Message, type Receipt } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startImap } from './imap.js';
import { letter, letterWithFile } from './mail.js';
import { startSmtp, type ScriptedSmtp } from './smtp.js';
import { accountOf, bytesOf, follow, idOf } from './with.js';

/** Untagged answers that a server may send at any time (RFC 3501 section 7), or that real ones do send. */
const ANSWERS = [
  // One word: RFC 3501 section 7.2.5, RFC 5161 section 3.1, RFC 2971 section 3.2;
  // https://github.com/djc/imap-proto/issues/34
  '* SEARCH',
  '* ENABLED',
  '* ID',
  '* NAMESPACE',
  '* LIST',
  '* CAPABILITY',
  '* FLAGS',
  '* OK',
  '* NO',
  '* BAD',
  '* LSUB',
  '* STATUS',
  '* ESEARCH',
  '* VANISHED',
  '* SORT',
  '* THREAD',
  '* QUOTA',
  '* XYMAIL',
  // Blanks where none are: https://github.com/djc/imap-proto/issues/34
  '* SEARCH ',
  '*  SEARCH',
  '* OK  hello',
  '* OK [ALERT]',
  '* OK [ALERT] Filesystem notification initialization error',
  '* OK [] hello',
  '* OK [X-UNKNOWN a b] hello',
  // News: RFC 3501 sections 7.3 and 7.4; Box, https://github.com/mscdex/node-imap/issues/464
  '* 0 RECENT',
  '* 1 FETCH (UID 1 FLAGS (\\Seen))',
  '* 1 FETCH (FLAGS ())',
  '* 1 FETCH ()',
  '* 1 FETCH (UID 1 MODSEQ (10000934) FLAGS (\\Seen))',
  '* 1 FETCH (UID 1 FLAGS NIL)',
  '* FLAGS (\\Answered \\Seen)',
  '* FLAGS NIL',
  '* OK [HIGHESTMODSEQ 7] Highest',
  '* OK Still here',
  '* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)]',
  '* LIST (\\HasNoChildren) NIL INBOX',
  '* STATUS Other (MESSAGES 3)',
  '* STATUS Other ()',
  '* NO [OVERQUOTA] Quota is nearly full',
  '* ID NIL',
  '* ID ("name" "Zimbra")',
  '* NAMESPACE NIL NIL NIL',
  '* CAPABILITY IMAP4rev1 IDLE UIDPLUS NAMESPACE ID MOVE',
  '* ENABLED CONDSTORE',
  '* QUOTA "" (STORAGE 10 512)',
  '* LANGUAGE (EN)',
  '* X-GM-NEWS yes',
];

const eml: FileValue = {
  name: 'a.eml',
  type: 'message/rfc822',
  async *open() {
    yield Buffer.from('Subject: x\r\n\r\ny');
  },
};
const second = { message: idOf(2) };
const toOther = { ...second, target: 'Other' };
const all = <T>(answer: unknown) => take(answer as AsyncIterable<T>);
const textOf = async (answer: unknown) => (await bytesOf((await answer) as FileValue)).toString();
const changed = async (answer: unknown) => ((await answer) as Receipt).native.changed;

/** Each operation once, with what must come of it whatever is told beside. */
const OPERATIONS: Record<string, (client: Client, smtp: ScriptedSmtp) => Promise<void>> = {
  'folder.list': async client => {
    assert.ok((await all<{ id: string }>(client.call('folder.list', {}))).some(folder => folder.id === 'INBOX'));
  },
  'message.list': async client => {
    assert.deepEqual(
      (await all<Message>(client.call('message.list', {}))).map(one => one.subject),
      ['m2', 'm1'],
    );
  },
  'message.get': async client =>
    assert.match(((await client.call('message.get', second)) as Message).text!, /see the file/),
  'message.source': async client => assert.match(await textOf(client.call('message.source', second)), /ABC/),
  'attachment.get': async client =>
    assert.equal(await textOf(client.call('attachment.get', { ...second, attachment: '2' })), 'ABC'),
  'message.mark': async client => assert.equal(await changed(client.call('message.mark', second)), 1),
  'message.copy': async client => assert.equal(await changed(client.call('message.copy', toOther)), 1),
  'message.move': async client => assert.equal(await changed(client.call('message.move', toOther)), 1),
  'message.append': async client => {
    await client.call('message.append', { file: eml });
  },
  'message.reply': async (client, smtp) => {
    const receipt = (await client.call('message.reply', { ...second, text: 'x', saveToSent: 'no' })) as Receipt;
    assert.equal(receipt.outcome, 'done');
    assert.match(smtp.mails.at(-1)!.to.join(), /ann@a\.test/);
  },
  'folder.create': async client => {
    await client.call('folder.create', { folder: 'New' });
  },
};

/** What is said before the regular answer of every command, and behind its rows. */
const script = (before: string, behind: string) =>
  [
    '* OK ready',
    'C: IDLE',
    '<regular>',
    'C: LOGOUT',
    '<regular>',
    'C: AUTHENTICATE …',
    '<regular>',
    'C: …',
    before,
    '<regular rows>',
    behind,
    '<regular tag>',
  ]
    .map(line => (line.startsWith('C: ') ? line : `S: ${line}`))
    .join('\n');

describe('IMAP transcripts: any regular answer at any moment', function () {
  this.timeout(120_000);
  for (const answer of ANSWERS) {
    it(`${answer} at each step of each operation`, async () => {
      for (const [name, run] of Object.entries(OPERATIONS)) {
        // Whoever says that it can do nothing is taken at its word, and the plain server here copies nothing that could
        // be found again.
        if (answer === '* CAPABILITY' && /copy|move/.test(name)) continue;
        const server = await startImap(script(answer, answer), { messages: [letter(1), letterWithFile(2, 'ABC')] });
        const smtp = await startSmtp();
        try {
          await run(accountOf(server, smtp), smtp);
          assert.equal(server.connections, 1, `${name} needed a second connection`);
        } catch (error) {
          throw new Error(`${name}: ${(error as Error).message}\n${server.log.slice(-20).join('\n')}`, {
            cause: error,
          });
        } finally {
          closeConnections();
          await server.close();
          await smtp.close();
        }
      }
    });
  }

  const any = fc.constantFrom(...ANSWERS);
  const contents = fc.constantFrom('text', 'full', 'raw', 'envelope');
  it('any of them around anything the feed asks for', () =>
    fc.assert(
      fc.asyncProperty(any, any, contents, async (before, behind, fetch) => {
        const server = await startImap(script(before, behind));
        try {
          const client = accountOf(server);
          const { cursor } = await client.since('messageReceived', {});
          server.messages.push(letterWithFile(2, 'ABC'), letter(5));
          const { items, errors } = await follow(client, { fetch }, cursor);
          assert.deepEqual(errors, []);
          assert.deepEqual(
            items.map(({ item }) => item.subject),
            ['m2', 'm5'],
          );
        } finally {
          closeConnections();
          await server.close();
        }
      }),
      { numRuns: 40 },
    ));
});
