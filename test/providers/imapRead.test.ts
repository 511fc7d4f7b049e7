import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import {
  connect,
  fileOf,
  providerById,
  startMailServer,
  take,
  type Client,
  type FileValue,
  type MailError,
} from '../../shared/index.js';
import { tlsOptions } from '../../shared/providers/imap/account/certificate.js';
import { closeConnections, openConnections } from '../../shared/providers/imap/session/imapPool.js';
import { textOf } from '../../shared/providers/imap/mime/charset.js';
import { decodeStream, unquote } from '../../shared/providers/imap/mime/transfer.js';
import { words } from '../../shared/providers/imap/mime/decode.js';
import { messageId, placeOf } from '../../shared/providers/imap/messages/id.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';
import { bigMail, manyAttachments, oddities, type Oddity } from '../sandbox/corpus.js';

type Any = any;
const imap = providerById('imap');
const clientOf = (mail: Mail, n = 0, more: Record<string, unknown> = {}, options = {}): Client =>
  connect(imap, accountOf(mail, n, more), { resolve: async () => '127.0.0.1', ...options });
const refusedWith =
  (code: string, words = /./) =>
  (error: unknown) => {
    assert.equal((error as MailError).code, code, (error as Error).message);
    assert.match((error as Error).message, words);
    assert.doesNotMatch(
      JSON.stringify([error, (error as MailError).details]) + (error as Error).stack,
      /pass0|wrong-secret/,
    );
    return true;
  };
const bytesOf = async (file: FileValue) => {
  const parts: Uint8Array[] = [];
  for await (const part of file.open()) parts.push(part);
  return Buffer.concat(parts);
};
const list = (client: Client, input = {}) => take(client.call('message.list', input) as AsyncIterable<Any>);

describe('IMAP: account', () => {
  let mail: Mail;
  before(async () => {
    mail = await startMail();
  });
  after(async () => {
    closeConnections();
    await mail.close();
  });
  afterEach(() => {
    mail.imap.trouble.mend();
    mail.smtp.trouble.mend();
  });

  it("connects to the address that the host's rules gave for a name, not to what the name means afterwards", async () => {
    const asked: string[] = [];
    const far = { imapHost: 'imap.nowhere.invalid', smtpHost: 'smtp.nowhere.invalid' };
    await clientOf(mail, 0, far, {
      key: 'resolved',
      resolve: async (host: string) => {
        asked.push(host);
        return '127.0.0.1';
      },
    }).call('account.check', {});
    assert.deepEqual([...new Set(asked)].sort(), ['imap.nowhere.invalid', 'smtp.nowhere.invalid']);
  });
  it('asks for the name of another certificate, though one is allowed', async () => {
    const options = await tlsOptions(
      {
        side: 'IMAP',
        host: 'mail.example',
        port: 993,
        security: 'tls',
        user: 'u',
        password: 'p',
        oauth2: false,
        allowed: { pem: mail.ca },
      } as never,
      '127.0.0.1',
    );
    const other = { fingerprint256: 'AB:CD', subject: { CN: 'other.example' }, subjectaltname: 'DNS:other.example' };
    assert.match(String(options.checkServerIdentity!('mail.example', other as never)), /other\.example/);
    assert.equal(
      options.checkServerIdentity!('mail.example', {
        fingerprint256: new X509Certificate(mail.ca).fingerprint256,
      } as never),
      undefined,
    );
  });
  it('checks both sides', async () => {
    await clientOf(mail).call('account.check', {});
  });
  it('says which side failed', async () => {
    await assert.rejects(
      clientOf(mail, 0, { smtpUser: 'x', smtpPassword: 'wrong-secret' }).call('account.check', {}),
      refusedWith('unauthorized', /^SMTP at localhost/),
    );
    await assert.rejects(
      clientOf(mail, 0, { password: 'wrong-secret', smtpUser: 'u0@test.local', smtpPassword: 'pass0' }).call(
        'account.check',
        {},
      ),
      refusedWith('unauthorized', /^IMAP at localhost/),
    );
    await assert.rejects(
      clientOf(mail, 0, { password: 'wrong-secret' }).call('account.check', {}),
      refusedWith('unauthorized', /Both sides failed\. IMAP.*SMTP/),
    );
  });
  it('does not use a connection made with another password', async () => {
    await clientOf(mail).call('account.check', {});
    await assert.rejects(list(clientOf(mail, 0, { password: 'wrong-secret' })), refusedWith('unauthorized'));
  });
  it('names the fingerprint of a certificate that is not trusted, and accepts it then', async () => {
    await assert.rejects(list(clientOf(mail, 0, { allowedCertificate: undefined })), (error: MailError) => {
      const fingerprint = /(?:[0-9A-F]{2}:){31}[0-9A-F]{2}/.exec(error.message)?.[0];
      assert.ok(fingerprint, error.message);
      return true;
    });
    const { X509Certificate } = await import('node:crypto');
    const fingerprint = new X509Certificate(mail.ca).fingerprint256;
    // The certificate is made anew for each run, so its first byte can be any.
    const another = fingerprint.replace(/^../, fingerprint.startsWith('AA') ? 'AB' : 'AA');
    await clientOf(mail, 0, { allowedCertificate: fingerprint }).call('account.check', {});
    await clientOf(mail, 0, {
      allowedCertificate: fingerprint,
      imapPort: mail.imap.port,
      imapSecurity: 'starttls',
      smtpPort: mail.smtp.port,
      smtpSecurity: 'starttls',
    }).call('account.check', {});
    await assert.rejects(
      list(clientOf(mail, 0, { allowedCertificate: another, imapPort: mail.imap.tlsPort })),
      refusedWith('unavailable', /not trusted/),
    );
  });
  it('refuses to go without TLS to another machine, before it connects', async () => {
    await assert.rejects(
      list(clientOf(mail, 0, { imapHost: 'mail.example.com', imapSecurity: 'none' })),
      refusedWith('invalid_input', /imap|IMAP/),
    );
    assert.deepEqual(
      await list(clientOf(mail, 0, { imapPort: mail.imap.port, imapSecurity: 'none' }), { folder: 'Archive' }),
      [],
    );
  });
  it('tells a limit of connections from a wrong password', async () => {
    mail.imap.trouble.userLimit = 0;
    await assert.rejects(
      list(clientOf(mail, 1)),
      refusedWith('rate_limited', /does not let this account in now: Maximum number/),
    );
    mail.imap.trouble.mend();
    mail.imap.trouble.fail({ command: 'AUTH', reply: 'NO [UNAVAILABLE] Temporary authentication failure' });
    await assert.rejects(list(clientOf(mail, 2)), refusedWith('unavailable'));
  });
  it('renews an access token that was refused, once', async () => {
    const asked: (boolean | undefined)[] = [];
    const good = mail.token('u0@test.local');
    const client = clientOf(
      mail,
      0,
      { authentication: 'oauth2', password: undefined },
      {
        token: async (renew?: boolean) => {
          asked.push(renew);
          return renew ? good : 'stale';
        },
      },
    );
    await list(client);
    assert.deepEqual(asked, [false, true]);
  });
  it('fills hosts from the preset and takes none for an account that only reads', async () => {
    const only = clientOf(mail, 0, { smtpHost: undefined, smtpPort: undefined });
    await assert.rejects(
      only.call('message.send', { to: 'u1@test.local', subject: 'x' }),
      refusedWith('invalid_input', /no SMTP host/),
    );
    let asked = '';
    const gmail = connect(
      imap,
      { preset: 'gmail', user: 'a@b.c', password: 'x' },
      {
        resolve: async host => {
          asked = host;
          throw new Error('blocked');
        },
      },
    );
    await assert.rejects(list(gmail), refusedWith('unavailable', /blocked/));
    assert.equal(asked, 'imap.gmail.com');
  });
  for (const [what, account, host] of [
    ['the address tells the hosts where none is given', { user: 'ann@GMail.com' }, 'imap.gmail.com'],
    ['one within another name is none', { user: 'ann@gmail.com.evil.example' }, undefined],
    ['a host that was given counts', { user: 'ann@gmail.com', imapHost: 'own.example' }, 'own.example'],
    ['a word of every object is no domain', { user: 'ann@constructor' }, undefined],
  ] as const) {
    it(what, async () => {
      let asked: string | undefined;
      const client = connect(
        imap,
        { password: 'x', ...account },
        {
          resolve: async host => {
            asked = host;
            throw new Error('blocked');
          },
        },
      );
      await assert.rejects(
        list(client),
        host
          ? refusedWith('unavailable', /blocked/)
          : refusedWith('invalid_input', /neither an IMAP host nor an SMTP host/),
      );
      assert.equal(asked, host);
    });
  }
  it('programs for tests on this machine are reached without TLS, and those that ask for no password get none that was typed', async () => {
    const server = await startMailServer({ smtp: 0, imap: 0 });
    for (const preset of ['mailpit', 'mailhog', 'greenmail', 'smtp4dev'] as const) {
      const client = connect(imap, {
        preset,
        user: 'any@test.local',
        smtpPort: server.smtp.port,
        imapPort: server.imap.port,
        ...(preset === 'greenmail' ? { password: 'x' } : {}),
      });
      assert.equal(
        (
          (await client.call('message.send', {
            to: 'u1@test.local',
            from: 'u0@test.local',
            subject: preset,
            text: 'x',
          })) as { outcome: string }
        ).outcome,
        'done',
      );
    }
    assert.equal(server.messages, 6, 'those with IMAP keep a copy of what was sent');
    await server.close();
  });
});

describe('IMAP: folders and messages', () => {
  let mail: Mail;
  let client: Client;
  beforeEach(async () => {
    mail = await startMail();
    client = clientOf(mail);
  });
  afterEach(async () => {
    closeConnections();
    await mail.close();
  });
  const deliver = (subject: string, more = {}) =>
    messageId({
      folder: 'INBOX',
      uidValidity: String(mail.folder('u0@test.local').uidValidity),
      uid: mail.deliver('u0@test.local', { subject, ...more }).uid,
    });

  it('lists, creates, renames and deletes folders with names in any script', async () => {
    deliver('one');
    const listed = await take(client.call('folder.list', {}) as AsyncIterable<Any>);
    const inbox = listed.find(f => f.role === 'inbox');
    assert.deepEqual([inbox.id, inbox.messages, inbox.unseen], ['INBOX', 1, 1]);
    assert.ok(['sent', 'trash', 'drafts', 'junk'].every(role => listed.some(f => f.role === role)));
    assert.equal(
      ((await client.call('folder.create', { folder: 'Müller & Söhne 客户' })) as Any).id,
      'Müller & Söhne 客户',
    );
    await assert.rejects(
      client.call('folder.create', { folder: 'Müller & Söhne 客户' }) as Any,
      refusedWith('conflict'),
    );
    await client.call('folder.rename', { folder: 'Müller & Söhne 客户', newName: 'Ä;%' });
    await client.call('folder.delete', { folder: 'Ä;%' });
    await assert.rejects(client.call('folder.delete', { folder: 'Ä;%' }) as Any, refusedWith('not_found'));
    await assert.rejects(client.call('folder.delete', { folder: 'inbox' }) as Any, refusedWith('invalid_input'));
  });

  it('reads a thread across folders, oldest first, each message once', async () => {
    const name = (n: number) => `<t${n}@gen.test.local>`;
    const day = (n: number) => new Date(Date.UTC(2026, 1, n));
    const answering = (n: number, ...before: number[]) => ({
      messageId: name(n),
      date: day(n),
      headers: { 'In-Reply-To': name(before.at(-1)!), References: before.map(name).join(' ') },
    });
    deliver('question', { messageId: name(1), date: day(1) });
    deliver('stranger', { date: day(2) });
    mail.deliver('u0@test.local', { subject: 'answer', ...answering(2, 1) }, { folder: 'Sent' });
    const message = deliver('thanks', answering(3, 1, 2));
    mail.deliver('u0@test.local', { subject: 'thanks', ...answering(3, 1, 2) }, { folder: 'Sent' });
    for (const input of [{ message }, { thread: name(1) }, { message, thread: name(1) }]) {
      const thread = (await client.call('thread.get', input)) as Any;
      assert.deepEqual(
        [thread.id, thread.subject, thread.messages.map((one: Any) => `${one.folder} ${one.subject}`)],
        [name(1), 'question', ['INBOX question', 'Sent answer', 'INBOX thanks']],
      );
      assert.equal(thread.messages[2].native.copies.length, 1);
    }
    assert.equal(((await client.call('message.get', { message })) as Any).thread, name(1));
  });

  it('lists newest first across windows, with one connection for everything', async () => {
    for (let i = 0; i < 620; i++) deliver(`m${i}`);
    const all = await list(client);
    assert.deepEqual(
      all.map(m => m.subject),
      Array.from({ length: 620 }, (_, i) => `m${619 - i}`),
    );
    mail.imap.forget();
    await Promise.all(
      Array.from({ length: 20 }, () => take(clientOf(mail).call('message.list', {}) as AsyncIterable<Any>, 3)),
    );
    assert.equal(mail.imap.open(), 1);
    assert.equal(openConnections(), 1);
  });

  it('searches', async () => {
    const old = deliver('old', { text: 'zebra' });
    mail.folder('u0@test.local').messages[0]!.internalDate = Date.parse('2020-05-05T12:00:00Z');
    const b = deliver('Rückfrage', { from: 'Bob <bob@x.test>', headers: { 'X-Job': '7' } });
    mail.flag('u0@test.local', placeOf(b).uid, ['\\Seen', '\\Flagged', 'urgent']);
    const ids = async (input: object) => (await list(client, input)).map(m => m.id);
    assert.deepEqual(await ids({ subject: 'rückfrage' }), [b]);
    assert.deepEqual(await ids({ from: 'bob@' }), [b]);
    assert.deepEqual(await ids({ text: 'zebra' }), [old]);
    assert.deepEqual(await ids({ seen: false }), [old]);
    assert.deepEqual(await ids({ flagged: true }), [b]);
    assert.deepEqual(await ids({ before: '2020-05-05T12:00:01Z' }), [old]);
    assert.deepEqual(await ids({ before: '2020-05-05T12:00:00Z' }), []);
    assert.deepEqual(await ids({ since: '2020-05-05T12:00:01Z' }), [b]);
    assert.deepEqual(await ids({ header: 'X-Job', headerValue: '7' }), [b]);
    assert.deepEqual(await ids({ larger: 1_000_000 }), []);
    assert.deepEqual(await ids({ raw: 'OR (KEYWORD urgent) SUBJECT "none such"' }), [b]);
    await assert.rejects(ids({ raw: '(SEEN' }), refusedWith('invalid_input'));
    await assert.rejects(ids({ raw: 'FROBNICATE' }), refusedWith('rejected'));
  });

  it('reads a message, its attachments and its source', async () => {
    const source = Buffer.from(
      [
        'From: =?utf-8?q?J=C3=B6?= <jo@x.test>',
        'To: u0@test.local',
        'Subject: two',
        'Message-ID: <two@x>',
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=b',
        '',
        '--b',
        'Content-Type: text/plain; charset=iso-8859-1',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        'Gr=FC=DFe =',
        'dich',
        '--b',
        'Content-Type: application/octet-stream',
        'Content-Transfer-Encoding: base64',
        'Content-Disposition: attachment; filename="../../etc/x.bin"',
        '',
        'AAEC',
        'AwQ=',
        '--b--',
        '',
      ].join('\r\n'),
    );
    const put = (await client.call('message.append', {
      folder: 'INBOX',
      file: fileOf('m.eml', 'message/rfc822', source),
      flags: ['Seen'],
    })) as Any;
    const read = (await client.call('message.get', { message: put.id })) as Any;
    assert.equal(read.text, 'Grüße dich');
    assert.deepEqual(read.from, { email: 'jo@x.test', name: 'Jö' });
    assert.equal(read.read, true);
    assert.equal(read.native.messageId, '<two@x>');
    assert.ok(read.native.headers.some((h: Any) => h.name === 'From' && h.value === 'Jö <jo@x.test>'));
    assert.deepEqual(
      read.attachments.map((a: Any) => [a.id, a.name, a.type]),
      [['2', 'x.bin', 'application/octet-stream']],
    );
    const attachment = (await client.call('attachment.get', { message: put.id, attachment: '2' })) as FileValue;
    assert.deepEqual(await bytesOf(attachment), Buffer.from([0, 1, 2, 3, 4]));
    assert.deepEqual(
      await bytesOf(attachment),
      Buffer.from([0, 1, 2, 3, 4]),
      'opened again it begins at the beginning',
    );
    assert.deepEqual(await bytesOf((await client.call('message.source', { message: put.id })) as FileValue), source);
    await assert.rejects(
      client.call('attachment.get', { message: put.id, attachment: '7' }) as Any,
      refusedWith('not_found'),
    );
    await assert.rejects(
      client.call('message.get', { message: put.id.replace(/UID=\d+$/, 'UID=99') }),
      refusedWith('not_found'),
    );
    await assert.rejects(
      client.call('message.get', { message: put.id.replace(/VALIDITY=\d+/, 'VALIDITY=7') }),
      refusedWith('not_found', /created anew/),
    );
    await assert.rejects(client.call('message.get', { message: '47' }), refusedWith('invalid_input'));
  });

  it('downloads a large attachment in few pieces and little memory, while others use the connection', async function () {
    this.timeout(60_000);
    const uid = mail.deliver('u0@test.local', {
      size: bigMail(60_000_000).length,
      bytes: () => bigMail(60_000_000),
    }).uid;
    const id = messageId({ folder: 'INBOX', uidValidity: String(mail.folder('u0@test.local').uidValidity), uid });
    const { attachments } = await client.call('message.get', { message: id });
    const file = (await client.call('attachment.get', { message: id, attachment: attachments![0]!.id })) as FileValue;
    let size = 0;
    let largest = 0;
    const between: unknown[] = [];
    for await (const piece of file.open()) {
      size += piece.byteLength;
      largest = Math.max(largest, piece.byteLength);
      if (between.length < 2) between.push(await list(client, { folder: 'Archive' }));
    }
    assert.ok(size > 30_000_000, String(size));
    assert.ok(largest <= 4 * 1024 * 1024);
    assert.equal(between.length, 2);
  });

  it('reads whatever is odd, and never throws for it', async () => {
    for (const [name, oddity] of Object.entries(oddities as Record<string, Oddity>)) {
      const uid = mail.deliver('u0@test.local', oddity.bytes).uid;
      const id = messageId({ folder: 'INBOX', uidValidity: String(mail.folder('u0@test.local').uidValidity), uid });
      const read = await client.call('message.get', { message: id });
      if (oddity.text !== undefined)
        assert.ok(
          (read.text ?? read.html ?? '').includes(oddity.text.trim()),
          `${name}: ${oddity.why}: ${JSON.stringify(read.text ?? read.html)}`,
        );
      // A message inside a message is one attachment here, whatever it holds itself.
      const files = name === 'attachedMessage' ? ['Inside.eml'] : oddity.files;
      if (files)
        assert.deepEqual(
          read.attachments?.map(a => a.name),
          files,
          `${name}: ${oddity.why}`,
        );
    }
    const many = mail.deliver('u0@test.local', manyAttachments(1000)).uid;
    const read = await client.call('message.get', {
      message: messageId({ folder: 'INBOX', uidValidity: String(mail.folder('u0@test.local').uidValidity), uid: many }),
    });
    assert.equal(read.attachments!.length, 1000);
    assert.equal((await list(client)).length, Object.keys(oddities).length + 1);
  });

  it('marks, flags, moves, copies and deletes, and says what became of each', async () => {
    const [a, b, c] = [deliver('a'), deliver('b'), deliver('c')];
    const stale = a.replace(/UID=\d+$/, 'UID=999');
    const marked = (await client.call('message.mark', {
      message: a,
      messages: [a, b, stale],
      read: true,
    } as Any)) as Any;
    assert.deepEqual(
      marked.native.results.map((r: Any) => [r.id, r.done, r.code]),
      [
        [a, true, undefined],
        [b, true, undefined],
        [stale, false, 'not_found'],
      ],
    );
    await client.call('message.flag', { message: a, flags: ['flagged', 'urgent'] });
    assert.deepEqual([...mail.folder('u0@test.local').messages[0]!.flags].sort(), ['\\Flagged', '\\Seen', 'urgent']);
    await client.call('message.flag', { message: a, flags: ['urgent'], change: 'remove' });
    const copied = (await client.call('message.copy', { message: a, target: 'Archive' })) as Any;
    assert.match(copied.id, /^Archive;UIDVALIDITY=\d+;UID=1$/);
    const moved = (await client.call('message.move', { messages: [a, b], target: 'Archive' })) as Any;
    assert.equal(moved.native.changed, 2);
    assert.equal(((await client.call('message.get', { message: moved.native.results[1].newId })) as Any).subject, 'b');
    await assert.rejects(
      client.call('message.move', { message: a, target: 'Archive' }) as Any,
      refusedWith('not_found'),
    );
    await assert.rejects(
      client.call('message.move', { message: c, target: 'Nowhere' }) as Any,
      refusedWith('not_found'),
    );
    await assert.rejects(
      client.call('message.move', { message: c, target: 'INBOX' }) as Any,
      refusedWith('invalid_input'),
    );
    const trashed = (await client.call('message.delete', { message: c })) as Any;
    assert.match(trashed.id, /^Trash;/);
    await client.call('message.delete', { message: trashed.id, forever: true });
    assert.equal(mail.folder('u0@test.local', 'Trash').messages.length, 0);
  });

  it('refuses an empty target before it connects', async () => {
    mail.imap.forget();
    for (const [name, input] of [
      ['message.move', { target: 'Archive' }],
      ['message.move', { message: 'INBOX;UIDVALIDITY=1;UID=1' }],
      ['message.delete', {}],
      ['message.mark', { messages: [] }],
    ] as const) {
      await assert.rejects(Promise.resolve(client.call(name, input)), refusedWith('invalid_input'));
    }
    assert.equal(mail.imap.seen.connections.length, 0);
  });

  it('checks moves and copies where the server has neither MOVE nor UIDPLUS, and never expunges what others marked', async () => {
    await mail.close();
    mail = await startMail({ imap: { without: ['MOVE', 'UIDPLUS'] } });
    client = clientOf(mail);
    const a = deliver('a', { messageId: '<a@x>' });
    const b = deliver('b');
    const moved = (await client.call('message.move', { message: a, target: 'Archive' })) as Any;
    assert.match(moved.id, /^Archive;/);
    mail.flag('u0@test.local', placeOf(b).uid, ['\\Deleted']);
    const c = deliver('c');
    await assert.rejects(
      client.call('message.delete', { message: c, forever: true }) as Any,
      refusedWith('unsupported', /others are marked/),
    );
    assert.equal(mail.folder('u0@test.local').messages.length, 2);
    // A move that cannot be ended is not begun.
    await assert.rejects(
      client.call('message.move', { message: c, target: 'Junk' }) as Any,
      refusedWith('unsupported', /others are marked/),
    );
    assert.equal(mail.folder('u0@test.local', 'Junk').messages.length, 0);
    mail.flag('u0@test.local', placeOf(b).uid, []);
    // Nothing tells where it is now, so no id is given rather than one that names nothing.
    const nameless = (await client.call('message.move', {
      message: deliver('d', { messageId: false }),
      target: 'Junk',
    })) as Any;
    assert.deepEqual([nameless.id, nameless.native.changed], [undefined, 1]);
  });

  it('does not move a message within INBOX, however that is spelled: as a new message it would start its workflow again', async () => {
    await assert.rejects(
      client.call('message.move', { message: deliver('a'), target: 'inbox' }) as Any,
      refusedWith('invalid_input', /already/),
    );
  });

  it('refuses flags a folder cannot keep instead of losing them', async () => {
    await mail.close();
    mail = await startMail({ imap: { keywords: false } });
    client = clientOf(mail);
    await assert.rejects(
      client.call('message.flag', { message: deliver('a'), flags: ['urgent'] }) as Any,
      refusedWith('unsupported', /urgent/),
    );
  });

  it('stops at once when it is aborted, and the next caller gets a new connection', async () => {
    deliver('a');
    mail.imap.trouble.fail({ command: 'UID FETCH', silent: true });
    const stop = new AbortController();
    const waiting = list(clientOf(mail, 0, {}, { signal: stop.signal }));
    let begun = 0;
    const asked = setInterval(() => {
      if (!mail.imap.seen.commands.some(({ line }) => line.includes('UID FETCH'))) return;
      clearInterval(asked);
      begun = performance.now();
      stop.abort(new Error('enough'));
    }, 10);
    await assert.rejects(waiting, /enough/);
    assert.ok(performance.now() - begun < 1000);
    assert.equal((await list(client)).length, 1);
  });

  it('survives a connection that died while nobody used it', async () => {
    deliver('a');
    await list(client);
    mail.imap.trouble.drop('fin');
    assert.equal((await list(client)).length, 1);
  });

  it('gives the connection back after each failure', async () => {
    deliver('a');
    for (let i = 0; i < 5; i++) {
      mail.imap.trouble.fail({ command: 'EXAMINE', reply: 'NO [SERVERBUG] Oops' });
      await assert.rejects(list(client), refusedWith('unavailable'));
    }
    assert.equal((await list(client)).length, 1);
    assert.equal(mail.imap.open(), 1);
  });
});

describe('IMAP: decoding', () => {
  it('undoes encodings across any cut', async () => {
    const text = Buffer.from('Grüße an alle, die = hier lesen '.repeat(40));
    const qp = Buffer.from(
      [...text]
        .map(
          (b, i) =>
            `${b > 32 && b < 127 && b !== 61 ? String.fromCharCode(b) : `=${b.toString(16).toUpperCase().padStart(2, '0')}`}${i % 30 === 29 ? '=\r\n' : ''}`,
        )
        .join(''),
    );
    const b64 = Buffer.from(text.toString('base64').replace(/.{76}/g, '$&\r\n'));
    for (const [encoding, source] of [
      ['quoted-printable', qp],
      ['base64', b64],
    ] as const) {
      for (const step of [1, 2, 3, 7, 76, 1000]) {
        const pieces: Buffer[] = [];
        for await (const piece of decodeStream(
          (async function* () {
            for (let i = 0; i < source.length; i += step) yield source.subarray(i, i + step);
          })(),
          encoding,
        ))
          pieces.push(piece);
        assert.deepEqual(Buffer.concat(pieces), text, `${encoding} in steps of ${step}`);
      }
    }
    assert.equal(unquote(Buffer.from('a=ZZb=')).toString(), 'a=ZZb');
  });
  it('reads any charset, named rightly or not', () => {
    assert.equal(textOf(Buffer.from([0xe4]), 'iso-8859-1'), 'ä');
    assert.equal(textOf(Buffer.from('ä'), 'us-ascii'), 'ä');
    assert.equal(textOf(Buffer.from([0xe4]), 'utf-8'), 'ä');
    assert.equal(textOf(Buffer.from([0xe4]), 'no-such-charset'), 'ä');
    assert.equal(words('=?utf-8?B?w6Q=?= =?utf-8?q?_=C3?= =?utf-8?q?=B6?= x'), 'ä ö x');
  });
  it('names messages so that any folder name comes back', () => {
    for (const folder of ['INBOX', 'a;UID=3', '100%', 'ä/ö', '%3B', 'x\ty'])
      assert.deepEqual(placeOf(messageId({ folder, uidValidity: '4294967295', uid: 7 })), {
        folder,
        uidValidity: '4294967295',
        uid: 7,
      });
  });
});

describe('IMAP: libraries', () => {
  it('are named in one file, and loaded by the first call that needs them', async () => {
    const { readdir, readFile } = await import('node:fs/promises');
    const folder = new URL('../../shared/providers/imap/', import.meta.url);
    for (const name of (await readdir(folder, { recursive: true })).filter(path => path.endsWith('.ts'))) {
      for (const line of (await readFile(new URL(name, folder), 'utf8')).split('\n')) {
        if (!/(?:from |import\()'(?:imapflow|nodemailer|libmime|libbase64|iconv-lite|@zone-eu)/.test(line)) continue;
        if (name !== 'libraries.ts') assert.match(line, /^import type /, `${name}: ${line}`);
        else assert.match(line, /^import type |=> .*import\(|^ {2}.*import\(/, line);
      }
    }
  });
});
