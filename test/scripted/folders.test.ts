import assert from 'node:assert/strict';
import { fileOf, take, type Client, type MailError } from '../../shared/index.js';
import type { Plain } from './imap.js';
import { letter } from './mail.js';
import { idOf, withScript } from './with.js';

type Any = any;
const folders = async (client: Client) => (await take(client.call('folder.list', {}) as AsyncIterable<Any>)) as Any[];
const mail = fileOf('m.eml', 'message/rfc822', Buffer.from('Subject: x\r\n\r\nx\r\n'));

interface Layout extends Plain {
  ids: string[];
  wire: string;
}
/**
 * What servers answer to LIST: the ids that are made of it, and how the last one is named on the wire when it is
 * opened.
 */
const LAYOUTS: Record<string, Layout> = {
  // Courier and Dovecot: https://github.com/svarshavchik/courier-libs/issues/32
  'personal folders below INBOX.': {
    namespace: '(("INBOX." ".")) NIL NIL',
    folders: ['(\\HasChildren) "." INBOX', '(\\HasNoChildren) "." "INBOX.Sent"'],
    ids: ['INBOX', 'INBOX.Sent'],
    wire: 'INBOX.Sent',
  },
  // RFC 2342 section 5: a prefix that does not begin with INBOX, and folders beside it.
  'personal folders below Mail/, and one beside': {
    namespace: '(("Mail/" "/")) NIL NIL',
    folders: ['() "/" INBOX', '() "/" "Mail/Sent"', '() "/" Shelf'],
    ids: ['INBOX', 'Mail/Sent', 'Shelf'],
    wire: 'Shelf',
  },
  'personal folders below INBOX/': {
    namespace: '(("INBOX/" "/")) NIL NIL',
    folders: ['() "/" INBOX', '() "/" "INBOX/Sent"'],
    ids: ['INBOX', 'INBOX/Sent'],
    wire: 'INBOX/Sent',
  },
  // RFC 2342 section 5, example 5.7
  'several personal namespaces': {
    namespace: '(("Mail/" "/")("#mh/" "/" "X-PARAM" ("FLAG1" "FLAG2"))) NIL NIL',
    folders: ['() "/" INBOX', '() "/" "Mail/a"', '() "/" "#mh/b"'],
    ids: ['#mh/b', 'INBOX', 'Mail/a'],
    wire: '#mh/b',
  },
  // RFC 2342 section 5, example 5.3: a server may have no personal namespace.
  'no personal namespace': {
    namespace: 'NIL NIL (("" "."))',
    folders: ['() "." INBOX', '() "." bboard'],
    ids: ['INBOX', 'bboard'],
    wire: 'bboard',
  },
  'no namespace at all': {
    namespace: 'NIL NIL NIL',
    folders: ['() "." INBOX', '() "." a.b'],
    ids: ['INBOX', 'a.b'],
    wire: 'a.b',
  },
  // Cyrus: https://www.cyrusimap.org/imap/concepts/features/namespaces.html
  'folders of others and shared ones': {
    namespace: '(("INBOX." ".")) (("user." ".")) (("" "."))',
    folders: ['() "." INBOX', '() "." INBOX.Sent', '() "." user.ann.a', '() "." shared'],
    ids: ['INBOX', 'INBOX.Sent', 'shared', 'user.ann.a'],
    wire: 'shared',
  },
  'a prefix in modified UTF-7': {
    namespace: '(("Gr&APwA3w-e/" "/")) NIL NIL',
    folders: ['() "/" INBOX', '() "/" "Gr&APwA3w-e/a"'],
    ids: ['Grüße/a', 'INBOX'],
    wire: 'Gr&APwA3w-e/a',
  },
  // RFC 3501 section 7.2.2: no hierarchy at all.
  'no separator': { folders: ['() NIL INBOX', '() NIL "a/b"'], ids: ['INBOX', 'a/b'], wire: 'a/b' },
  'a backslash between names': {
    namespace: '(("" "\\\\")) NIL NIL',
    folders: ['() "\\\\" INBOX', '() "\\\\" "a\\\\b"'],
    ids: ['INBOX', 'a\\b'],
    wire: 'a\\\\b',
  },
  // Yandex: https://github.com/modern-email/defects/issues/46
  'a bar between names': {
    namespace: '(("" "|")) NIL NIL',
    folders: ['() "|" INBOX', '() "|" "a|b"'],
    ids: ['INBOX', 'a|b'],
    wire: 'a|b',
  },
  // RFC 3501 section 5.1.3
  'names in modified UTF-7': {
    folders: ['() "/" INBOX', '() "/" "Gr&APw-&AN8-e"'],
    ids: ['Grüße', 'INBOX'],
    wire: 'Gr&APwA3w-e',
  },
  'an ampersand': { folders: ['() "/" INBOX', '() "/" "A &- B"'], ids: ['A & B', 'INBOX'], wire: 'A &- B' },
  'a name as a literal': {
    folders: ['() "/" INBOX', '() "/" {5}\r\na "b"'],
    ids: ['INBOX', 'a "b"'],
    wire: 'a \\"b\\"',
  },
  // https://github.com/s1t5/mail-archiver/issues/426
  'a name that begins with the separator': {
    folders: ['() "." INBOX', '() "." ".Private"', '() "." Private'],
    ids: ['.Private', 'INBOX', 'Private'],
    wire: '.Private',
  },
  // UW imapd: https://git.eckner.net/Erich/alpine/tree/imap/docs/naming.txt
  'a name that is a path of the machine': {
    folders: ['() "/" INBOX', '() "/" "/var/mail/ann"', '() "/" {9}\r\n/var/mail'],
    ids: ['/var/mail', '/var/mail/ann', 'INBOX'],
    wire: '/var/mail',
  },
  'inbox in lower case': { folders: ['() "/" inbox', '() "/" Sent'], ids: ['INBOX', 'Sent'], wire: 'Sent' },
};

describe('IMAP transcripts: folders', () => {
  for (const [name, { ids, wire, ...plain }] of Object.entries(LAYOUTS)) {
    it(`${name}: all are listed, and each can be opened`, () =>
      withScript(
        '',
        async (client, server) => {
          const found = await folders(client);
          assert.deepEqual(found.map(one => one.id).sort(), ids);
          for (const { id } of found) await take(client.call('message.list', { folder: id }) as AsyncIterable<Any>);
          const opened = [...server.heard('EXAMINE'), ...server.heard('SELECT')].map(line =>
            line.replace(/^\S+ "?/, '').replace(/"?( \(.*)?$/, ''),
          );
          assert.ok(opened.includes(wire), opened.join(', '));
        },
        plain,
      ));
  }

  const beside = {
    namespace: '(("Mail/" "/")("#mh/" "/")) NIL NIL',
    folders: ['() "/" INBOX', '() "/" "Mail/Sent"', '() "/" "Mail/Shelf"', '() "/" Shelf', '() "/" "#mh/Old"'],
  };
  // RFC 2342 section 5
  it('a name without the prefix is the folder of that name, else the one below a prefix, else a new one below the first', () =>
    withScript(
      '',
      async (client, server) => {
        for (const folder of ['Sent', 'Shelf', 'Old', 'Sent'])
          await take(client.call('message.list', { folder }) as AsyncIterable<Any>);
        assert.deepEqual(
          [...new Set(server.heard('EXAMINE'))].map(line => line.replace(/"/g, '')),
          ['EXAMINE Mail/Sent', 'EXAMINE Shelf', 'EXAMINE #mh/Old'],
        );
        assert.equal(server.log.filter(line => /^C: LIST "" "?Sent"?$/.test(line)).length, 1);
        await client.call('message.append', { folder: 'Shelf', file: mail });
        await client.call('message.append', { folder: 'Sent', file: mail });
        assert.deepEqual(
          server.heard('APPEND').map(line => line.split(' ')[1]!.replace(/"/g, '')),
          ['Shelf', 'Mail/Sent'],
        );
        await client.call('message.copy', { message: idOf(1), target: 'Shelf' });
        await client.call('message.move', { message: idOf(1), target: 'Old' });
        assert.deepEqual(
          [...server.heard('UID COPY'), ...server.heard('UID MOVE')].map(line => line.split(' ')[3]!.replace(/"/g, '')),
          ['Shelf', '#mh/Old'],
        );
        assert.equal(((await client.call('folder.status', { folder: 'Shelf' })) as Any).id, 'Shelf');
        await client.call('folder.subscribe', { folder: 'Shelf' });
        await client.call('folder.rename', { folder: 'Shelf', newName: 'Other' });
        await client.call('folder.delete', { folder: 'Shelf' });
        assert.deepEqual(
          [...server.heard('SUBSCRIBE'), ...server.heard('RENAME'), ...server.heard('DELETE')].map(line =>
            line.replace(/"/g, ''),
          ),
          ['SUBSCRIBE Shelf', 'RENAME Shelf Mail/Other', 'DELETE Shelf'],
        );
        for (const folder of ['New', 'Shelf/New', 'Mail/Newer']) await client.call('folder.create', { folder });
        assert.deepEqual(
          server.heard('CREATE').map(line => line.replace(/"/g, '')),
          ['CREATE Mail/New', 'CREATE Shelf/New', 'CREATE Mail/Newer'],
        );
      },
      { ...beside, capabilities: 'IMAP4rev1 IDLE UIDPLUS NAMESPACE ID MOVE CONDSTORE' },
    ));

  // Gmail: https://github.com/nextcloud/mail/pull/402
  it('a folder that cannot be selected says so, and is not opened', () =>
    withScript(
      '',
      async (client, server) => {
        const [shelf] = (await folders(client)).filter(one => one.id === 'Shelf');
        assert.equal(shelf.native.selectable, false);
        assert.deepEqual(
          [
            ...server.heard('EXAMINE'),
            ...server.heard('SELECT'),
            ...server.heard('STATUS').filter(line => /^STATUS "?Shelf"? /.test(line)),
          ],
          [],
        );
      },
      { folders: ['() "/" INBOX', '(\\Noselect \\HasChildren) "/" Shelf', '() "/" "Shelf/Box"'] },
    ));
  // Cyrus: https://github.com/cyrusimap/cyrus-imapd/issues/5121
  it('what folders are for is told in lower case', () =>
    withScript(
      '',
      async client => {
        assert.deepEqual((await folders(client)).map(one => one.role).sort(), ['inbox', 'sent', 'trash']);
      },
      {
        capabilities: 'IMAP4rev1 SPECIAL-USE',
        folders: ['() "/" INBOX', '(\\sent) "/" Gesendet', '(\\trash) "/" Papier'],
      },
    ));
  // RFC 6154 section 2
  it('what the server says of a folder counts before its name', () =>
    withScript(
      '',
      async client => {
        assert.deepEqual((await folders(client)).map(one => [one.id, one.role]).sort(), [
          ['INBOX', 'inbox'],
          ['Outgoing', 'sent'],
          ['Sent', undefined],
        ]);
      },
      { capabilities: 'IMAP4rev1 SPECIAL-USE', folders: ['() "/" INBOX', '() "/" Sent', '(\\sent) "/" Outgoing'] },
    ));
  // https://github.com/imapsync/imapsync/issues/167
  it('a STATUS that is refused leaves the folder in the list, without counts', () =>
    withScript('C: STATUS …\nS: $ NO Mailbox does not exist', async client => {
      assert.deepEqual(
        (await folders(client)).map(one => [one.id, one.messages]),
        [['INBOX', undefined]],
      );
    }));
  // RFC 2193, as Cyrus in a cluster answers.
  it('a NAMESPACE that is refused does not keep the folders from being listed', () =>
    withScript('C: NAMESPACE\nS: $ BAD unknown command', async client => {
      assert.deepEqual(
        (await folders(client)).map(one => one.id),
        ['INBOX'],
      );
    }));
  // Seen on Courier 5.1: a RENAME of what is not there is OK.
  it('a folder that is missing cannot be renamed, although the server says that it was', () =>
    withScript(
      [
        'C: RENAME …',
        'S: $ OK RENAME successful.',
        'C: STATUS …',
        'S: $ NO Unable to open this mailbox.',
        'C: LIST …',
        'S: $ OK LIST completed.',
      ].join('\n'),
      client =>
        assert.rejects(
          client.call('folder.rename', { folder: 'Nowhere', newName: 'Else' }) as Promise<Any>,
          (error: MailError) => error.code === 'not_found' && /no folder "Nowhere"/.test(error.message),
        ),
    ));
  it('a folder that is missing is not_found, whatever the words', async () => {
    // Dovecot, Cyrus, Courier and GNU imap4d.
    for (const words of [
      "[NONEXISTENT] Mailbox doesn't exist: Nowhere",
      'Mailbox does not exist',
      'Unable to open this mailbox.',
      "EXAMINE Couldn't open mailbox",
    ]) {
      await withScript(
        `C: LIST … "Nowhere"\nS: $ OK done\nC: EXAMINE …\nS: $ NO ${words}\nC: SELECT …\nS: $ NO ${words}`,
        client =>
          assert.rejects(
            take(client.call('message.list', { folder: 'Nowhere' }) as AsyncIterable<Any>),
            (error: MailError) => error.code === 'not_found',
          ),
      );
    }
  });
});

describe('IMAP transcripts: writing', () => {
  // Courier refuses every APPEND while a folder is open for reading, whichever it is.
  it('a message is put into the folder that was open for reading', () =>
    withScript('', async (client, server) => {
      await take(client.call('message.list', {}) as AsyncIterable<Any>);
      await client.call('message.append', { file: mail });
      const commands = server.log
        .filter(line => /^C: (EXAMINE|SELECT|APPEND)/.test(line))
        .map(line => line.split(' ')[1]);
      assert.deepEqual([commands[0], ...commands.slice(-2)], ['EXAMINE', 'SELECT', 'APPEND']);
    }));
  // The library leaves out flags that the open folder cannot keep: a copy of a sent message was unread while a folder
  // was open for reading.
  it('flags are sent along, although the folder open before kept none', () =>
    withScript(
      'C 1x: EXAMINE …\nS: * 1 EXISTS\nS: * OK [PERMANENTFLAGS ()] none\nS: * OK [UIDVALIDITY 7] ok\nS: $ OK [READ-ONLY] open',
      async (client, server) => {
        await take(client.call('message.list', {}) as AsyncIterable<Any>);
        await client.call('message.append', { folder: 'Sent', file: mail, flags: ['Seen', 'urgent'] });
        assert.match(server.heard('APPEND')[0]!, /^APPEND "?Sent"? \(\\Seen urgent\) \{/);
      },
    ));
  // RFC 3501 section 7.1: PERMANENTFLAGS without \* keeps no others.
  it('flags that the folder cannot keep are refused in words, and nothing is sent', () =>
    withScript(
      'C: SELECT …\nS: * 1 EXISTS\nS: * OK [PERMANENTFLAGS (\\Seen)] some\nS: * OK [UIDVALIDITY 7] ok\nS: $ OK [READ-WRITE] open',
      async (client, server) => {
        await assert.rejects(
          client.call('message.append', { file: mail, flags: ['urgent'] }) as Promise<Any>,
          (error: MailError) => error.code === 'unsupported' && /urgent/.test(error.message),
        );
        assert.deepEqual(server.heard('APPEND'), []);
      },
    ));
  it('APPENDUID names the new message (RFC 4315)', () =>
    withScript('C: APPEND …\nS: $ OK [APPENDUID 7 42] done', async client => {
      assert.equal(((await client.call('message.append', { file: mail })) as Any).id, idOf(42));
    }));
  // Proton's bridge: https://github.com/ProtonMail/proton-bridge/issues/170
  it('without it the message has no id yet', () =>
    withScript('', async client => {
      assert.equal(((await client.call('message.append', { file: mail })) as Any).id, undefined);
    }));
  // RFC 5530 section 3: OVERQUOTA
  it('a refused APPEND is an error in the words of the server', () =>
    withScript('C: APPEND …\nS: $ NO [OVERQUOTA] Quota exceeded (mailbox for user is full)', client =>
      assert.rejects(client.call('message.append', { file: mail }) as Promise<Any>, /Quota exceeded/),
    ));
  // DavMail tells the two numbers the other way round: https://github.com/mguessan/davmail/issues/315
  it('an APPENDUID of another folder than the one that is open names no message', () =>
    withScript('C: APPEND …\nS: $ OK [APPENDUID 42 7] done', async client => {
      assert.equal(((await client.call('message.append', { file: mail })) as Any).id, undefined);
    }));
  it('COPYUID names the copy (RFC 4315)', () =>
    withScript('C: UID COPY …\nS: $ OK [COPYUID 9 1 17] done', async client => {
      assert.equal(
        ((await client.call('message.copy', { message: idOf(1), target: 'Box' })) as Any).id,
        'Box;UIDVALIDITY=9;UID=17',
      );
    }));
  // Before the tagged answer, as RFC 6851 section 4.3 wants it: https://github.com/cyrusimap/cyrus-imapd/issues/2114
  it('COPYUID of a MOVE comes in an untagged OK', () =>
    withScript('C: UID MOVE …\nS: * OK [COPYUID 9 1 17] moved\nS: <expunge 1>\nS: $ OK done', async client => {
      assert.equal(
        ((await client.call('message.move', { message: idOf(1), target: 'Box' })) as Any).id,
        'Box;UIDVALIDITY=9;UID=17',
      );
    }));
  // RFC 3501 section 6.4.7: TRYCREATE
  it('a MOVE that is refused is an error, and the message stays', () =>
    withScript(
      'C: UID MOVE …\nS: $ NO [TRYCREATE] no such mailbox',
      async (client, server) => {
        await assert.rejects(client.call('message.move', { message: idOf(1), target: 'Box' }) as Promise<Any>);
        assert.deepEqual(
          server.messages.map(one => one.uid),
          [1, 2],
        );
        assert.deepEqual([...server.heard('UID COPY'), ...server.heard('UID STORE')], []);
      },
      { messages: [letter(1), letter(2)] },
    ));
  // RFC 5530 section 3: NOPERM
  it('a STORE that is refused is an error', () =>
    withScript('C: UID STORE …\nS: $ NO [NOPERM] not allowed', client =>
      assert.rejects(client.call('message.mark', { message: idOf(1) }) as Promise<Any>, /not allowed/),
    ));
  // RFC 3501 section 6.3.1: SELECT may open a folder READ-ONLY.
  it('a folder that opens for reading only refuses a mark', () =>
    withScript('C: SELECT …\nS: * 1 EXISTS\nS: * OK [UIDVALIDITY 7] ok\nS: $ OK [READ-ONLY] shared', client =>
      assert.rejects(
        client.call('message.mark', { message: idOf(1) }) as Promise<Any>,
        (error: MailError) => error.code === 'forbidden',
      ),
    ));
  // RFC 6851 section 3.3: EXPUNGE would take what others marked.
  it('without UIDPLUS nothing is expunged while others are marked', () =>
    withScript(
      'C: UID SEARCH … DELETED\nS: * SEARCH 2\nS: $ OK done\nC: UID SEARCH DELETED\nS: * SEARCH 2\nS: $ OK done',
      async (client, server) => {
        await assert.rejects(
          client.call('message.delete', { message: idOf(1), forever: true }) as Promise<Any>,
          (error: MailError) => error.code === 'unsupported',
        );
        assert.deepEqual([...server.heard('EXPUNGE'), ...server.heard('CLOSE')], []);
      },
      { capabilities: 'IMAP4rev1', messages: [letter(1), letter(2)] },
    ));
});
