import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  connect,
  fileOf,
  providerById,
  take,
  type Client,
  type FileValue,
  type MailError,
} from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { letter, noise } from '../sandbox/corpus.js';
import type { Quirks } from '../../shared/mailServer/imap/server.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { bytesOf, follow } from '../scripted/with.js';

/*
 * The embedded server, as other families of servers speak: which of their ways it has is drawn anew for each round.
 * Each way alone was seen on a server of the field and stands in a transcript or in the tests with real servers; here
 * they meet.
 */

type Any = any;
/**
 * More rounds for whoever has the time: `MAILROOM_FUZZ=20 npm test -- test/providers/imapQuirks.test.ts` runs twenty
 * times as many.
 */
const ROUNDS = 15 * Math.max(1, Number(process.env.MAILROOM_FUZZ) || 1);
interface Ways {
  quirks: Quirks;
  without: string[];
  keywords: boolean;
  uidNext: boolean;
  prefix: string;
}

const SWITCHES = [
  'placeholders',
  'structure',
  'unasked',
  'wholePieces',
  'halves',
  'backwards',
  'lowerCase',
  'literals',
  'nil',
  'silentSearch',
  'plainNo',
  'movingValidity',
] as const satisfies readonly (keyof Quirks)[];
const OPTIONAL = [
  'IDLE',
  'MOVE',
  'UIDPLUS',
  'CONDSTORE',
  'SPECIAL-USE',
  'LITERAL+',
  'SASL-IR',
  'ID',
  'ENABLE',
  'NAMESPACE',
  'CHILDREN',
  'UNSELECT',
  'ESEARCH',
  'WITHIN',
  'LIST-EXTENDED',
  'LIST-STATUS',
  'STATUS=SIZE',
  'QUOTA',
  'AUTH=PLAIN',
  'AUTH=LOGIN',
];

const ways: fc.Arbitrary<Ways> = fc
  .record({
    quirks: fc.subarray([...SWITCHES]).map(names => Object.fromEntries(names.map(name => [name, true])) as Quirks),
    without: fc.subarray(OPTIONAL),
    keywords: fc.boolean(),
    uidNext: fc.boolean(),
    prefix: fc.constantFrom('', 'INBOX.'),
  })
  .map(one => ({
    ...one,
    // A server that counts changes does not forget what it said of a folder, and one that has a prefix says so.
    without: [...one.without, ...(one.quirks.movingValidity ? ['CONDSTORE'] : [])].filter(
      name => name !== 'NAMESPACE' || !one.prefix,
    ),
  }));

const USER = 'u0@test.local';
const PICTURE = noise(1_300_000, 3);
const withFile = (subject: string) =>
  Buffer.from(
    [
      'From: Ann <ann@a.test>',
      `To: ${USER}`,
      `Subject: ${subject}`,
      'Date: Sat, 28 Nov 2026 10:00:00 +0000',
      `Message-ID: <${subject}@a.test>`,
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary="b"',
      '',
      '--b',
      'Content-Type: text/plain; charset=utf-8',
      '',
      `text of ${subject}`,
      '--b',
      'Content-Type: image/png; name="picture.png"',
      'Content-Disposition: attachment; filename="picture.png"',
      'Content-Transfer-Encoding: base64',
      '',
      PICTURE.toString('base64').replace(/.{76}/g, '$&\r\n'),
      '--b--',
      '',
    ].join('\r\n'),
  );
const small = (subject: string) => letter({ subject, text: `text of ${subject}`, messageId: `<${subject}@a.test>` });
const refused = (code: string) => (error: unknown) => {
  assert.equal((error as MailError).code, code, (error as Error).message);
  return true;
};

async function against(
  { quirks, without, keywords, uidNext, prefix }: Ways,
  run: (client: Client, mail: Mail) => Promise<void>,
): Promise<void> {
  const mail = await startMail({
    users: 1,
    prefix,
    separator: prefix ? '.' : '/',
    imap: { quirks, without, keywords, uidNext },
  });
  try {
    await run(
      connect(providerById('imap'), {
        user: USER,
        password: 'pass0',
        imapHost: '127.0.0.1',
        imapPort: mail.imap.port,
        imapSecurity: 'none',
      }),
      mail,
    );
  } finally {
    closeConnections();
    await mail.close();
  }
}

/** Every message comes once, whole, in order; those that were there before stay where they are. */
async function feeds(client: Client, mail: Mail, fetch: string): Promise<void> {
  mail.deliver(USER, small('before'));
  const { cursor } = await client.since('messageReceived', { fetch });
  const subjects = Array.from({ length: 40 }, (_, i) => `new${i}`);
  for (const [i, subject] of subjects.entries()) mail.deliver(USER, i === 3 ? withFile(subject) : small(subject));
  const { items, errors, cursor: next } = await follow(client, { fetch }, cursor);
  assert.deepEqual(errors, []);
  assert.deepEqual(
    items.map(({ item }) => item.subject),
    subjects,
  );
  if (fetch === 'text') for (const { item } of items) assert.equal(item.text?.trim(), `text of ${item.subject}`);
  if (fetch === 'full') assert.ok((await bytesOf(items[3]!.item.attachments![0]!.content!)).equals(PICTURE));
  mail.deliver(USER, small('later'));
  assert.deepEqual(
    (await follow(client, { fetch }, next)).items.map(({ item }) => item.subject),
    ['later'],
  );
}

async function operates(client: Client, mail: Mail, { prefix, without }: Ways): Promise<void> {
  const path = (name: string) => `${prefix}${name}`;
  const call = (key: string, input: object): Promise<Any> => client.call(key as never, input as never) as Promise<Any>;
  const list = (input = {}) => take(client.call('message.list', input) as AsyncIterable<Any>, 1000);
  const subjects = async (input = {}) => (await list(input)).map(one => one.subject);
  const source = withFile('file');
  for (const subject of ['a', 'b', 'c']) mail.deliver(USER, small(subject));
  mail.deliver(USER, source);
  const folders = await take(client.call('folder.list', {}) as AsyncIterable<Any>, 100);
  assert.equal(folders.find(one => one.id === 'INBOX')?.role, 'inbox');
  for (const { id } of folders) await list({ folder: id });
  assert.deepEqual(await subjects(), ['file', 'c', 'b', 'a']);
  assert.deepEqual(await subjects({ subject: 'nothing' }), []);
  const [file, c, b, a] = await list();
  assert.equal((await call('message.get', { message: b.id })).text.trim(), 'text of b');
  assert.ok(
    (await bytesOf((await call('message.source', { message: file.id })) as FileValue)).equals(source),
    'a source is what was put there',
  );
  const [picture] = (await call('message.get', { message: file.id })).attachments;
  assert.ok(
    (await bytesOf((await call('attachment.get', { message: file.id, attachment: picture.id })) as FileValue)).equals(
      PICTURE,
    ),
    'a file is whole',
  );
  await call('message.mark', { messages: [a.id, c.id] });
  assert.deepEqual(await subjects({ seen: true }), ['c', 'a']);
  assert.deepEqual(
    mail.folder(USER).messages.map(one => one.flags.includes('\\Seen')),
    [true, false, true, false],
  );
  await call('folder.create', { folder: path('Made') });
  await assert.rejects(call('folder.create', { folder: path('Made') }), refused('conflict'));
  await assert.rejects(call('message.copy', { message: a.id, target: path('Nowhere') }), refused('not_found'));
  await call('message.copy', { message: a.id, target: path('Made') });
  await call('message.append', {
    folder: path('Made'),
    file: fileOf('d.eml', 'message/rfc822', small('d')),
    flags: ['Flagged'],
  });
  assert.deepEqual(
    mail.folder(USER, path('Made')).messages.map(one => one.flags.includes('\\Flagged')),
    [false, true],
  );
  assert.deepEqual(await subjects({ folder: path('Made') }), ['d', 'a']);
  // Without UIDPLUS a message cannot be taken away alone, unless the server moves it by itself.
  if (!without.includes('UIDPLUS') || !without.includes('MOVE')) {
    await call('message.move', { message: b.id, target: path('Made') });
    assert.deepEqual(
      [await subjects(), await subjects({ folder: path('Made') })],
      [
        ['file', 'c', 'a'],
        ['b', 'd', 'a'],
      ],
    );
    await assert.rejects(call('message.get', { message: b.id }), refused('not_found'));
  }
  await call('folder.delete', { folder: path('Made') });
  await assert.rejects(list({ folder: path('Made') }), refused('not_found'));
  await assert.rejects(call('folder.delete', { folder: path('Made') }), refused('not_found'));
}

describe('IMAP: servers of many ways', function () {
  this.timeout(20_000 * ROUNDS);
  it('each message of a feed comes once, whole and in order', () =>
    fc.assert(
      fc.asyncProperty(ways, fc.constantFrom('envelope', 'text', 'full', 'raw'), (one, fetch) =>
        against(one, (client, mail) => feeds(client, mail, fetch)),
      ),
      { numRuns: ROUNDS, endOnFailure: true },
    ));
  it('all operations do what they say', () =>
    fc.assert(
      fc.asyncProperty(ways, one => against(one, (client, mail) => operates(client, mail, one))),
      { numRuns: ROUNDS, endOnFailure: true },
    ));
});
