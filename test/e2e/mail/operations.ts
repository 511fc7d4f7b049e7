import assert from 'node:assert/strict';
import {
  connect,
  fileOf,
  providerById,
  take,
  type Client,
  type FileValue,
  type MailError,
} from '../../../shared/index.js';
import { letter, noise } from '../../sandbox/corpus.js';
import { FAMILIES, type Family, type Lab, type User } from './lab.js';
import { accountData, wait } from './watch.js';

type Any = any;
/** What the steps hand on: one account of its own, and what earlier steps found or made. */
interface Walk {
  lab: Lab;
  user: User;
  client: Client;
  found: Record<string, Any>;
}
interface Step {
  run(walk: Walk): Promise<void>;
  leftOut?: Partial<Record<Family, string>>;
}

const MANY = 600;
const path = ({ lab }: Walk, ...names: string[]) => `${lab.prefix}${names.join(lab.delimiter)}`;
const list = (client: Client, input = {}) => take(client.call('message.list', input) as AsyncIterable<Any>, 10_000);
const listed = async (walk: Walk, folder = 'INBOX', more = {}) =>
  (await list(walk.client, { folder, ...more })).map(one => one.subject as string);
const folders = (client: Client, input = {}) => take(client.call('folder.list', input) as AsyncIterable<Any>, 1_000);
const bytesOf = async (file: FileValue) => {
  const parts: Uint8Array[] = [];
  for await (const part of file.open()) parts.push(part);
  return Buffer.concat(parts);
};
const refused = (code: string) => (error: unknown) => {
  assert.equal((error as MailError).code, code, (error as Error).message);
  return true;
};
const source = (bytes: Buffer) => fileOf('mail.eml', 'message/rfc822', bytes);
/** Puts a message into a folder; gives its id, from the receipt or by looking for it. */
async function put(
  walk: Walk,
  subject: string,
  { folder = 'INBOX', bytes = letter({ subject }), ...more }: Record<string, Any> = {},
): Promise<string> {
  const receipt = (await walk.client.call('message.append', { folder, file: source(bytes as Buffer), ...more })) as Any;
  return receipt.id ?? (await idOf(walk, subject, folder as string));
}
async function idOf({ client }: Walk, subject: string, folder = 'INBOX'): Promise<string> {
  const one = (await list(client, { folder })).find(message => message.subject === subject);
  assert.ok(one, `"${subject}" is not in ${folder}`);
  return one.id;
}
async function arrives(walk: Walk, subject: string, folder = 'INBOX'): Promise<Any> {
  for (const end = performance.now() + 60_000; performance.now() < end; await wait(250)) {
    const one = (await list(walk.client, { folder })).find(message => message.subject === subject);
    if (one) return one;
  }
  throw new Error(`"${subject}" did not arrive.`);
}
const withPhone = async <T>(
  { lab, user }: Walk,
  run: (phone: Awaited<ReturnType<Lab['phone']>>) => Promise<T>,
  folder = 'INBOX',
): Promise<T> => {
  const phone = await lab.phone(user);
  try {
    await phone.mailboxOpen(folder);
    return await run(phone);
  } finally {
    await phone.logout();
  }
};
const PICTURE = noise(3_300_000, 7);
const MIXED = Buffer.concat([
  Buffer.from(
    [
      'From: Zoë <zoe@gen.test.local>',
      'To: u@test.local',
      'Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= mixed',
      'Date: Tue, 01 Sep 2026 10:00:00 +0000',
      'Message-ID: <mixed@gen.test.local>',
      'List-Id: <things.gen.test.local>',
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary="b"',
      '',
      '--b',
      'Content-Type: multipart/alternative; boundary="a"',
      '',
      '--a',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Gr=C3=BC=C3=9Fe.',
      '--a',
      'Content-Type: text/html; charset=utf-8',
      '',
      '<p>Greetings.</p>',
      '--a--',
      '',
      '--b',
      'Content-Type: image/png; name="picture.png"',
      'Content-Disposition: attachment; filename="picture.png"',
      'Content-Transfer-Encoding: base64',
      '',
      PICTURE.toString('base64').replace(/.{76}/g, '$&\r\n'),
      '--b',
      'Content-Type: text/csv; name="a.csv"',
      'Content-Disposition: attachment; filename="a.csv"',
      '',
      'a,b',
      '1,2',
      '--b--',
      '',
    ]
      .join('\r\n')
      .replace('Zoë', '=?UTF-8?B?Wm/Dqw==?='),
  ),
]);

// Seen on the wire of imap4d 3.15.
const NO_APPENDED_FLAGS = 'it drops the flags and the date that a message is appended with';
const NEW_VALIDITY =
  'it gives a folder a new UIDVALIDITY when another client changes it, so that ids of before mean nothing';
const NO_SMTP_PASSWORDS = { cyrus: 'its SMTP server knows no passwords' };

/** All operations, each against a server that nobody here wrote. Every step stands on those before it. */
export const STEPS: Record<string, Step> = {
  'account.check': {
    async run({ client }) {
      await client.call('account.check', {});
    },
  },
  'account.check over TLS': {
    async run(walk) {
      await other(walk, { imapHost: 'localhost', imapPort: walk.lab.imapTlsPort, imapSecurity: 'tls' }).call(
        'account.check',
        {},
      );
    },
  },
  'account.check with STARTTLS': {
    async run(walk) {
      await other(walk, { imapHost: 'localhost', imapSecurity: 'starttls' }).call('account.check', {});
    },
  },
  'a wrong password is unauthorized': {
    async run(walk) {
      await assert.rejects(
        list(other(walk, { password: 'wrong-one', smtpUser: 'm0@test.local' })),
        refused('unauthorized'),
      );
    },
  },
  'a wrong password for sending is unauthorized': {
    async run(walk) {
      await assert.rejects(
        other(walk, { smtpPassword: 'wrong-one', smtpUser: walk.user.user }).call('account.check', {}),
        refused('unauthorized'),
      );
    },
    leftOut: NO_SMTP_PASSWORDS,
  },
  'folder.list knows INBOX': {
    async run({ client }) {
      assert.equal((await folders(client)).find(one => one.id.toUpperCase() === 'INBOX')?.role, 'inbox');
    },
  },
  'folder.list knows what folders are for': {
    async run(walk) {
      const all = await folders(walk.client);
      for (const role of ['Sent', 'Drafts', 'Trash', 'Junk', 'Archive'])
        assert.equal(all.find(one => one.role === role.toLowerCase())?.id, path(walk, role));
    },
    leftOut: {
      embedded: 'its folders are its own, and stand in npm test',
      imap4d: 'it has no folders but INBOX at first',
    },
  },
  'every folder of the list can be opened': {
    async run({ client }) {
      for (const one of await folders(client)) if (one.native.selectable) await list(client, { folder: one.id });
    },
  },
  'an empty folder lists nothing': {
    async run({ client }) {
      assert.deepEqual(await list(client), []);
    },
  },
  'a search in an empty folder finds nothing': {
    async run({ client }) {
      assert.deepEqual(await list(client, { subject: 'x' }), []);
    },
  },
  'folder.create': {
    async run(walk) {
      assert.equal(
        ((await walk.client.call('folder.create', { folder: path(walk, 'Made') })) as Any).id,
        path(walk, 'Made'),
      );
      assert.ok((await folders(walk.client)).some(one => one.id === path(walk, 'Made')));
    },
  },
  'folder.create of what exists is a conflict': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('folder.create', { folder: path(walk, 'Made') }) as Promise<Any>,
        refused('conflict'),
      );
    },
  },
  'folder.create of INBOX is a conflict': {
    async run({ client }) {
      await assert.rejects(client.call('folder.create', { folder: 'INBOX' }) as Promise<Any>, refused('conflict'));
    },
  },
  'folder.create below another': {
    async run(walk) {
      await walk.client.call('folder.create', { folder: path(walk, 'Made', 'Below') });
      assert.deepEqual(await list(walk.client, { folder: path(walk, 'Made', 'Below') }), []);
    },
  },
  'folder.create with a name from anywhere': {
    async run(walk) {
      const name = path(walk, 'Grüße & Co 項目');
      assert.equal(((await walk.client.call('folder.create', { folder: name })) as Any).id, name);
      assert.ok((await folders(walk.client)).some(one => one.id === name));
      assert.deepEqual(await list(walk.client, { folder: name }), []);
      await put(walk, 'abroad', { folder: name });
      assert.deepEqual(await listed(walk, name), ['abroad']);
    },
  },
  'folder.rename': {
    async run(walk) {
      assert.equal(
        (
          (await walk.client.call('folder.rename', {
            folder: path(walk, 'Grüße & Co 項目'),
            newName: path(walk, 'Renamed'),
          })) as Any
        ).id,
        path(walk, 'Renamed'),
      );
      assert.deepEqual(await listed(walk, path(walk, 'Renamed')), ['abroad']);
    },
  },
  'folder.rename to what exists is a conflict': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('folder.rename', {
          folder: path(walk, 'Renamed'),
          newName: path(walk, 'Made'),
        }) as Promise<Any>,
        refused('conflict'),
      );
    },
  },
  'folder.rename of what is missing is not_found': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('folder.rename', {
          folder: path(walk, 'Nowhere'),
          newName: path(walk, 'Else'),
        }) as Promise<Any>,
        refused('not_found'),
      );
    },
  },
  'folder.rename of INBOX is refused': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('folder.rename', { folder: 'INBOX', newName: path(walk, 'Else') }) as Promise<Any>,
        refused('invalid_input'),
      );
    },
  },
  'folder.delete of what is missing is not_found': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('folder.delete', { folder: path(walk, 'Nowhere') }) as Promise<Any>,
        refused('not_found'),
      );
    },
  },
  'opening what is missing is not_found': {
    async run(walk) {
      await assert.rejects(list(walk.client, { folder: path(walk, 'Nowhere') }), refused('not_found'));
    },
  },
  'folder.delete': {
    async run(walk) {
      await walk.client.call('folder.delete', { folder: path(walk, 'Renamed') });
      assert.ok(!(await folders(walk.client)).some(one => one.id === path(walk, 'Renamed')));
      await assert.rejects(list(walk.client, { folder: path(walk, 'Renamed') }), refused('not_found'));
    },
  },
  'message.append': {
    async run(walk) {
      const id = await put(walk, 'first', { flags: ['Flagged', 'Seen'], received: '2026-03-01T10:00:00Z' });
      const [one] = await list(walk.client);
      assert.deepEqual(
        [one.id, one.subject, one.read, one.native.flags.includes('\\Flagged')],
        [id, 'first', true, true],
      );
      assert.equal(Date.parse(one.native.internalDate), Date.parse('2026-03-01T10:00:00Z'));
    },
    leftOut: { imap4d: NO_APPENDED_FLAGS },
  },
  'message.append into the folder that is open for reading': {
    async run(walk) {
      if (walk.lab.family === 'imap4d')
        await walk.client.call('message.flag', { message: await put(walk, 'first'), flags: ['Flagged', 'Seen'] });
      for (const subject of ['second', 'third']) {
        await list(walk.client);
        await put(walk, subject);
      }
      assert.deepEqual((await listed(walk)).sort(), ['first', 'second', 'third']);
    },
  },
  'message.append into a folder that is missing is not_found': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('message.append', { folder: path(walk, 'Nowhere'), file: source(letter()) }) as Promise<Any>,
        refused('not_found'),
      );
    },
  },
  'message.append of three and a half megabytes': {
    async run(walk) {
      walk.found.mixed = await put(walk, 'Grüße mixed', { bytes: MIXED });
    },
  },
  'ids stay the same when the folder is opened again, by others too': {
    async run(walk) {
      const ids = async () => (await list(walk.client)).map(one => one.id);
      const before = await ids();
      await withPhone(walk, async phone => {
        await phone.noop();
      });
      assert.deepEqual(await ids(), before);
      assert.deepEqual(
        (await list(other(walk, { concurrent: 2 }))).map(one => one.id),
        before,
      );
    },
  },
  'message.list is newest first': {
    async run(walk) {
      assert.deepEqual(await listed(walk), ['Grüße mixed', 'third', 'second', 'first']);
    },
  },
  'message.list by subject': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { subject: 'third' }), ['third']);
    },
  },
  'message.list by words from anywhere': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { subject: 'Grüße' }), ['Grüße mixed']);
    },
  },
  'message.list by sender': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { from: 'zoe@' }), ['Grüße mixed']);
    },
  },
  'message.list by text': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { text: 'Greetings' }), ['Grüße mixed']);
    },
  },
  'message.list by date': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { before: '2026-03-01T10:00:01Z' }), ['first']);
      assert.deepEqual(
        await listed(walk, 'INBOX', { since: '2026-03-01T10:00:01Z', before: '2026-03-20T00:00:00Z' }),
        [],
      );
    },
    leftOut: { imap4d: NO_APPENDED_FLAGS },
  },
  'message.list by flags': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { seen: true }), ['first']);
      assert.deepEqual(await listed(walk, 'INBOX', { flagged: false, seen: false, larger: 1_000_000 }), [
        'Grüße mixed',
      ]);
    },
  },
  'message.list by size': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { smaller: 1_000_000, subject: 'first' }), ['first']);
    },
  },
  'message.list by header': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { header: 'List-Id' }), ['Grüße mixed']);
      assert.deepEqual(await listed(walk, 'INBOX', { header: 'List-Id', headerValue: 'things' }), ['Grüße mixed']);
    },
  },
  'message.list by search keys': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { raw: 'OR FLAGGED SUBJECT "third"' }), ['third', 'first']);
    },
  },
  'message.list finds nothing': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { subject: 'nothing like this' }), []);
    },
  },
  'message.get': {
    async run({ client, found }) {
      const one = (await client.call('message.get', { message: found.mixed })) as Any;
      assert.deepEqual(
        [one.subject, one.from, one.text.trim(), one.html.trim()],
        ['Grüße mixed', { email: 'zoe@gen.test.local', name: 'Zoë' }, 'Grüße.', '<p>Greetings.</p>'],
      );
      assert.deepEqual(
        one.attachments.map((file: Any) => [file.name, file.type]),
        [
          ['picture.png', 'image/png'],
          ['a.csv', 'text/csv'],
        ],
      );
      assert.ok(one.native.headers.some((field: Any) => field.name === 'List-Id'));
      found.picture = one.attachments[0].id;
      found.table = one.attachments[1].id;
    },
  },
  'reading marks nothing': {
    async run(walk) {
      assert.deepEqual(await listed(walk, 'INBOX', { seen: true }), ['first']);
    },
  },
  'message.get twenty at once': {
    async run({ client, found }) {
      const all = await Promise.all(
        Array.from({ length: 20 }, () => client.call('message.get', { message: found.mixed }) as Promise<Any>),
      );
      assert.ok(all.every(one => one.subject === 'Grüße mixed' && one.text.trim() === 'Grüße.'));
    },
  },
  'message.source is what was put there': {
    async run({ client, found }) {
      const bytes = await bytesOf((await client.call('message.source', { message: found.mixed })) as FileValue);
      assert.ok(bytes.equals(MIXED), `${bytes.length} bytes for ${MIXED.length}`);
    },
  },
  'thread.get': {
    async run(walk) {
      const folder = path(walk, 'Talk');
      const name = (n: number) => `<talk${n}@gen.test.local>`;
      const day = (n: number) => new Date(Date.UTC(2026, 1, n));
      await walk.client.call('folder.create', { folder });
      const talk = (n: number, headers: Record<string, string> = {}) =>
        put(walk, `talk ${n}`, {
          folder,
          bytes: letter({ subject: `talk ${n}`, messageId: name(n), date: day(n), headers }),
        });
      await talk(1);
      await talk(2, { 'In-Reply-To': name(1), References: name(1) });
      await talk(3);
      const message = await talk(4, { 'In-Reply-To': name(2), References: `${name(1)}\r\n ${name(2)}` });
      const { messages, native } = (await walk.client.call('thread.get', { message })) as Any;
      assert.deepEqual(
        messages.map((one: Any) => one.subject),
        ['talk 1', 'talk 2', 'talk 4'],
        native.method,
      );
      assert.ok(messages.every((one: Any) => one.thread === messages[0].thread && one.messageId));
      await walk.client.call('folder.delete', { folder });
    },
  },
  'attachment.list': {
    async run({ client, found }) {
      const all = await take(client.call('attachment.list', { message: found.mixed }) as AsyncIterable<Any>);
      assert.deepEqual(
        all.map(file => file.id),
        [found.picture, found.table],
      );
    },
  },
  'attachment.get of three megabytes': {
    async run({ client, found }) {
      const bytes = await bytesOf(
        (await client.call('attachment.get', { message: found.mixed, attachment: found.picture })) as FileValue,
      );
      assert.ok(bytes.equals(PICTURE), `${bytes.length} bytes for ${PICTURE.length}`);
    },
  },
  'attachment.get of a table': {
    async run({ client, found }) {
      const bytes = await bytesOf(
        (await client.call('attachment.get', { message: found.mixed, attachment: found.table })) as FileValue,
      );
      assert.equal(bytes.toString().trim(), 'a,b\r\n1,2');
    },
  },
  'an attachment that is missing is not_found': {
    async run({ client, found }) {
      await assert.rejects(
        (async () =>
          bytesOf((await client.call('attachment.get', { message: found.mixed, attachment: '9' })) as FileValue))(),
        refused('not_found'),
      );
    },
  },
  'a message that is missing is not_found': {
    async run({ client, found }) {
      await assert.rejects(
        client.call('message.get', { message: found.mixed.replace(/UID=\d+$/, 'UID=99999') }) as Promise<Any>,
        refused('not_found'),
      );
    },
  },
  'an id of an earlier life of the folder is not_found': {
    async run({ client, found }) {
      await assert.rejects(
        client.call('message.get', {
          message: found.mixed.replace(/UIDVALIDITY=\d+/, 'UIDVALIDITY=77'),
        }) as Promise<Any>,
        refused('not_found'),
      );
    },
  },
  'message.mark as read': {
    async run(walk) {
      await walk.client.call('message.mark', { messages: [await idOf(walk, 'second'), await idOf(walk, 'third')] });
      assert.deepEqual(await listed(walk, 'INBOX', { seen: true }), ['third', 'second', 'first']);
    },
  },
  'message.mark as unread': {
    async run(walk) {
      await walk.client.call('message.mark', { message: await idOf(walk, 'second'), read: false });
      assert.deepEqual(await listed(walk, 'INBOX', { seen: true }), ['third', 'first']);
    },
  },
  'message.mark says which one is missing': {
    async run(walk) {
      const id = await idOf(walk, 'third');
      const gone = id.replace(/UID=\d+$/, 'UID=99999');
      const { native } = (await walk.client.call('message.mark', { messages: [id, gone] })) as Any;
      assert.deepEqual(
        native.results.map((one: Any) => [one.done, one.code]),
        [
          [true, undefined],
          [false, 'not_found'],
        ],
      );
    },
  },
  'message.flag adds and removes': {
    async run(walk) {
      const message = await idOf(walk, 'third');
      const flags = async () =>
        ((await list(walk.client, { subject: 'third' }))[0].native.flags as string[])
          .filter(one => one !== '\\Recent')
          .sort();
      await walk.client.call('message.flag', { message, flags: ['Flagged', 'Answered'] });
      assert.deepEqual(await flags(), ['\\Answered', '\\Flagged', '\\Seen']);
      await walk.client.call('message.flag', { message, flags: ['Flagged', 'Answered'], change: 'remove' });
      assert.deepEqual(await flags(), ['\\Seen']);
    },
  },
  'message.flag with a word of its own': {
    async run(walk) {
      await walk.client.call('message.flag', { message: await idOf(walk, 'third'), flags: ['urgent'] });
      assert.deepEqual(await listed(walk, 'INBOX', { raw: 'KEYWORD urgent' }), ['third']);
    },
    leftOut: { imap4d: 'it keeps no keywords' },
  },
  'message.copy': {
    async run(walk) {
      const receipt = (await walk.client.call('message.copy', {
        message: await idOf(walk, 'third'),
        target: path(walk, 'Made'),
      })) as Any;
      assert.deepEqual(await listed(walk, path(walk, 'Made')), ['third']);
      assert.equal(receipt.id, await idOf(walk, 'third', path(walk, 'Made')));
      assert.equal(((await walk.client.call('message.get', { message: receipt.id })) as Any).subject, 'third');
    },
  },
  'message.copy into a folder that is missing is not_found': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('message.copy', {
          message: await idOf(walk, 'third'),
          target: path(walk, 'Nowhere'),
        }) as Promise<Any>,
        refused('not_found'),
      );
    },
  },
  'message.move': {
    async run(walk) {
      const message = await idOf(walk, 'second');
      const receipt = (await walk.client.call('message.move', { message, target: path(walk, 'Made') })) as Any;
      assert.deepEqual(await listed(walk), ['Grüße mixed', 'third', 'first']);
      assert.equal(receipt.id, await idOf(walk, 'second', path(walk, 'Made')));
      await assert.rejects(walk.client.call('message.get', { message }) as Promise<Any>, refused('not_found'));
    },
  },
  'message.move of several': {
    leftOut: { imap4d: NEW_VALIDITY },
    async run(walk) {
      const messages = [await put(walk, 'one'), await put(walk, 'two')];
      const { native } = (await walk.client.call('message.move', { messages, target: path(walk, 'Made') })) as Any;
      assert.equal(native.changed, 2);
      assert.deepEqual((await listed(walk, path(walk, 'Made'))).sort(), ['one', 'second', 'third', 'two']);
      for (const one of native.results)
        assert.ok(
          ['one', 'two'].includes(((await walk.client.call('message.get', { message: one.newId })) as Any).subject),
        );
    },
  },
  'message.move into a folder that is missing is not_found': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('message.move', {
          message: await idOf(walk, 'third'),
          target: path(walk, 'Nowhere'),
        }) as Promise<Any>,
        refused('not_found'),
      );
      assert.ok((await listed(walk)).includes('third'));
    },
  },
  'message.move to where it is is refused': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('message.move', { message: await idOf(walk, 'third'), target: 'INBOX' }) as Promise<Any>,
        refused('invalid_input'),
      );
    },
  },
  'message.delete moves to the trash': {
    async run(walk) {
      if (walk.lab.family === 'imap4d') await walk.client.call('folder.create', { folder: 'Trash' });
      const trash = (await folders(walk.client)).find(one => one.role === 'trash')!.id;
      await walk.client.call('message.delete', { message: await put(walk, 'rubbish') });
      assert.deepEqual([await listed(walk, trash), (await listed(walk)).includes('rubbish')], [['rubbish'], false]);
      walk.found.trash = trash;
    },
  },
  'message.delete for ever': {
    async run(walk) {
      await walk.client.call('message.delete', {
        message: await idOf(walk, 'rubbish', walk.found.trash),
        forever: true,
      });
      assert.deepEqual(await listed(walk, walk.found.trash), []);
    },
  },
  'message.delete leaves alone what others marked as deleted': {
    async run(walk) {
      const [mine] = [
        await put(walk, 'mine', { folder: path(walk, 'Made') }),
        await put(walk, 'marked', { folder: path(walk, 'Made') }),
      ];
      const exact = await withPhone(
        walk,
        async phone => {
          const uids = (await phone.search({ header: { subject: 'marked' } }, { uid: true })) as number[];
          await phone.messageFlagsAdd(uids, ['\\Deleted'], { uid: true });
          return phone.capabilities.has('UIDPLUS');
        },
        path(walk, 'Made'),
      );
      const deleting = walk.client.call('message.delete', { message: mine, forever: true }) as Promise<Any>;
      if (exact) await deleting;
      else await assert.rejects(deleting, refused('unsupported'));
      const left = await listed(walk, path(walk, 'Made'));
      assert.deepEqual([left.includes('marked'), left.includes('mine')], [true, !exact]);
    },
    leftOut: { imap4d: NEW_VALIDITY },
  },
  'a message that another client deletes is gone, and nothing stands in for it': {
    async run(walk) {
      const id = await put(walk, 'deleted elsewhere');
      assert.equal(((await walk.client.call('message.get', { message: id })) as Any).subject, 'deleted elsewhere');
      await withPhone(walk, async phone => {
        await phone.messageDelete(
          (await phone.search({ header: { subject: 'deleted elsewhere' } }, { uid: true })) as number[],
          { uid: true },
        );
      });
      // A server may still have it for a client that saw it before; what it says must then be true.
      const still = await (walk.client.call('message.get', { message: id }) as Promise<Any>).catch(error => {
        refused('not_found')(error);
      });
      if (still) assert.deepEqual([still.subject, still.text?.trim()], ['deleted elsewhere', 'Hello.']);
      assert.deepEqual((await listed(walk)).sort(), ['Grüße mixed', 'first', 'third']);
    },
  },
  'a source that another client deletes is no file': {
    async run(walk) {
      const id = await put(walk, 'deleted too');
      await list(walk.client);
      const file = (await walk.client.call('message.source', { message: id })) as FileValue;
      await withPhone(walk, async phone => {
        await phone.messageDelete(
          (await phone.search({ header: { subject: 'deleted too' } }, { uid: true })) as number[],
          { uid: true },
        );
      });
      // A server may still have it for a client that saw it before; what comes must then be all of it.
      const bytes = await bytesOf(file).catch(error => {
        refused('not_found')(error);
      });
      if (bytes) assert.match(bytes.toString(), /^Subject: deleted too\r$/m);
    },
  },
  [`message.list of ${MANY}`]: {
    async run(walk) {
      await walk.client.call('folder.create', { folder: path(walk, 'Many') });
      await withPhone(walk, async phone => {
        for (let i = 0; i < MANY; i++) await phone.append(path(walk, 'Many'), letter({ subject: `n${i}` }));
      });
      const all = await listed(walk, path(walk, 'Many'));
      assert.deepEqual(
        all,
        Array.from({ length: MANY }, (_, i) => `n${MANY - 1 - i}`),
      );
    },
  },
  'message.mark of 300': {
    async run(walk) {
      const all = await list(walk.client, { folder: path(walk, 'Many') });
      const { native } = (await walk.client.call('message.mark', {
        messages: all.filter((_, i) => i % 2).map(one => one.id),
      })) as Any;
      assert.equal(native.changed, MANY / 2);
      assert.equal((await list(walk.client, { folder: path(walk, 'Many'), seen: true })).length, MANY / 2);
    },
  },
  'message.send': {
    async run(walk) {
      const receipt = (await walk.client.call('message.send', {
        to: [walk.user.user],
        subject: 'Sent by SMTP',
        text: 'Grüße.',
        html: '<p>Grüße.</p>',
        attachments: [fileOf('a.csv', 'text/csv', Buffer.from('a,b\r\n1,2\r\n'))],
        saveToSent: 'no',
      })) as Any;
      assert.equal(receipt.outcome, 'done');
      const { id } = await arrives(walk, 'Sent by SMTP');
      const one = (await walk.client.call('message.get', { message: id })) as Any;
      assert.deepEqual(
        [one.text.trim(), one.from.email, one.attachments.map((file: Any) => file.name)],
        ['Grüße.', walk.user.user, ['a.csv']],
      );
      walk.found.sent = id;
    },
  },
  'message.send with a line of dots, and lines without end': {
    async run(walk) {
      const text = `.\n..\n.x\n${'y'.repeat(5_000)}\nend`;
      await walk.client.call('message.send', { to: [walk.user.user], subject: 'Dots', text, saveToSent: 'no' });
      const { id } = await arrives(walk, 'Dots');
      assert.equal(
        ((await walk.client.call('message.get', { message: id })) as Any).text.trim().replace(/\r\n/g, '\n'),
        text,
      );
    },
  },
  'message.send keeps a copy': {
    async run(walk) {
      const { native } = (await walk.client.call('message.send', {
        to: [walk.user.user],
        subject: 'Kept',
        text: 'x',
        saveToSent: 'yes',
      })) as Any;
      assert.deepEqual([native.savedToSent, native.sentError], [true, undefined]);
      const sent = (await folders(walk.client)).find(one => one.role === 'sent')!.id;
      assert.deepEqual(await listed(walk, sent), ['Kept']);
      assert.equal((await list(walk.client, { folder: sent }))[0].read, true);
    },
    leftOut: { imap4d: 'it has no folder for sent mail' },
  },
  'message.send to nobody there is rejected': {
    async run(walk) {
      await assert.rejects(
        walk.client.call('message.send', { to: ['nobody@test.local'], subject: 'x', text: 'x' }) as Promise<Any>,
        refused('rejected'),
      );
    },
    leftOut: {
      cyrus: 'its SMTP server takes every name and asks later',
      embedded: 'it has a test of its own in npm test',
    },
  },
  'message.reply': {
    async run(walk) {
      // An answer to oneself alone is refused, so somebody else has asked.
      const friend = walk.lab.user();
      const theirs = other(walk, { ...friend });
      const asked = await put(walk, 'Asked by a friend', {
        bytes: letter({ from: friend.user, to: walk.user.user, subject: 'Asked by a friend', text: 'Grüße.' }),
      });
      const receipt = (await walk.client.call('message.reply', {
        message: asked,
        text: 'Thanks.',
        quote: true,
        saveToSent: 'no',
      })) as Any;
      assert.equal(receipt.native.markedAnswered, true);
      const { id } = await arrives({ ...walk, client: theirs }, 'Re: Asked by a friend');
      const one = (await theirs.call('message.get', { message: id })) as Any;
      assert.match(one.text, /^Thanks\.\s[^]*> Grüße\./);
      assert.ok((await list(walk.client, { answered: true })).some(message => message.subject === 'Asked by a friend'));
      await walk.client.call('message.delete', { message: asked, forever: true });
    },
  },
  'message.forward with its attachments': {
    async run(walk) {
      await walk.client.call('message.forward', {
        message: walk.found.mixed,
        to: [walk.user.user],
        text: 'See below.',
        saveToSent: 'no',
      });
      const { id } = await arrives(walk, 'Fwd: Grüße mixed');
      const one = (await walk.client.call('message.get', { message: id })) as Any;
      assert.deepEqual(
        one.attachments.map((file: Any) => file.name),
        ['picture.png', 'a.csv'],
      );
      const bytes = await bytesOf(
        (await walk.client.call('attachment.get', { message: id, attachment: one.attachments[0].id })) as FileValue,
      );
      assert.ok(bytes.equals(PICTURE), `${bytes.length} bytes for ${PICTURE.length}`);
    },
    leftOut: { imap4d: NEW_VALIDITY },
  },
  'message.forward as an attachment': {
    async run(walk) {
      await walk.client.call('message.forward', {
        message: await idOf(walk, 'third'),
        to: [walk.user.user],
        as: 'attachment',
        text: 'See the file.',
        saveToSent: 'no',
      });
      const { id } = await arrives(walk, 'Fwd: third');
      const one = (await walk.client.call('message.get', { message: id })) as Any;
      const bytes = await bytesOf(
        (await walk.client.call('attachment.get', { message: id, attachment: one.attachments[0].id })) as FileValue,
      );
      assert.match(bytes.toString(), /^Subject: third\r$/m);
    },
  },
  'a folder that is deleted below another leaves that one': {
    async run(walk) {
      await walk.client.call('folder.delete', { folder: path(walk, 'Made', 'Below') });
      assert.ok((await listed(walk, path(walk, 'Made'))).includes('third'));
    },
  },
};

/** The same account with other settings. */
function other({ lab, user }: Walk, more: Record<string, unknown>): Client {
  const account = { ...accountData(lab, user), ...more };
  return connect(providerById('imap'), account, { resolve: async () => '127.0.0.1' });
}

/** Why a step is left out on a server; undefined where it is taken. */
export const leftOutSteps = (title: string, family: Family): string | undefined => STEPS[title]!.leftOut?.[family];

/** Walks through the steps on a server, one after the other, each in any case; gives how each ends. */
export function startSteps(lab: Lab): Map<string, Promise<void>> {
  const user = lab.user();
  const walk = { lab, user, found: {} } as unknown as Walk;
  const ends = new Map<string, Promise<void>>();
  walk.client = other(walk, {});
  let before: Promise<unknown> = Promise.resolve();
  for (const [title, step] of Object.entries(STEPS)) {
    if (step.leftOut?.[lab.family]) continue;
    const end = before
      .then(() => step.run(walk))
      .catch((error: Error) => {
        throw new Error(`${FAMILIES[lab.family]}: ${error.message}`, { cause: error });
      });
    end.catch(() => {});
    before = end.catch(() => {});
    ends.set(title, end);
  }
  return ends;
}
