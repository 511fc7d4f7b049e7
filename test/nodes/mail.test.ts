import assert from 'node:assert/strict';
import type { INodeExecutionData } from 'n8n-workflow';
import { contentOfEach, wantedOf } from '../../nodes/lib/content.js';
import { entryOf } from '../../nodes/lib/search.js';
import { sizeText, valueOf } from '../../nodes/lib/values.js';
import { MailError, providerById } from '../../shared/index.js';
import { openEngine, type Engine } from '../engine/engine.js';
import { MAIN_DOMAIN, seededId, startScaleway } from '../sandbox/scaleway.js';
import { startRackspace } from '../sandbox/rackspace.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { GOOGLE, startSodium } from '../sandbox/sodium.js';
import { MAIN, startContextIo } from '../sandbox/contextIo.js';
import type { Vendor } from '../sandbox/vendor.js';
import { accountOf } from '../providers/imapAccount.js';
import { credentialOf, line, packageDir, UNHURRIED } from './workbench.js';

type Values = Record<string, unknown>;
const byId = (value: unknown) => ({ __rl: true, mode: 'id', value });

describe('mail from the nodes', function () {
  this.timeout(60_000);
  let mail: Mail;
  let engine: Engine;
  let scaleway: Vendor;
  let rackspace: Vendor;
  let sodium: Vendor;
  let contextIo: Vendor;
  before(async () => {
    [mail, scaleway, rackspace, sodium, contextIo] = await Promise.all([
      startMail(),
      startScaleway(),
      startRackspace(),
      startSodium(),
      startContextIo(),
    ]);
    engine = await openEngine({
      packageDir,
      credentials: {
        imapApi: { type: 'imapApi', data: { ...accountOf(mail), ...UNHURRIED } },
        scalewayApi: credentialOf(scaleway),
        rackspaceApi: credentialOf(rackspace),
        sodiumApi: credentialOf(sodium),
        contextIoApi: credentialOf(contextIo),
      },
    });
  });
  after(() => Promise.all([mail.close(), scaleway.close(), rackspace.close(), sodium.close(), contextIo.close()]));

  async function run(
    node: string,
    provider: string,
    operation: string,
    parameters: Values,
    items?: INodeExecutionData[],
    typeVersion = 1,
  ): Promise<INodeExecutionData[]> {
    const [resource, verb] = operation.split('.');
    const result = await engine.run(
      line({
        name: 'Node',
        type: `n8n-nodes-mailroom.${node}`,
        typeVersion,
        account: { type: `${provider}Api`, data: {} },
        parameters: { provider, resource, operation: verb, ...parameters },
      }),
      items ? { items } : {},
    );
    assert.equal(result.status, 'success', `${result.error?.message} ${String(result.error?.description)}`);
    return result.items('Node');
  }
  const idOf = ({ uid }: { uid: number }) => `INBOX;UIDVALIDITY=${mail.folder('u0@test.local').uidValidity};UID=${uid}`;
  const one = async (...given: Parameters<typeof run>) => (await run(...given))[0]!.json as Values;

  describe('a write says what it did', () => {
    it('a sent mail: its Message-ID, who took it and who did not, and the folder of the copy', async () => {
      mail.smtp.trouble.fail({ at: 'rcpt', recipient: 'u2@test.local', code: 550, text: '5.1.1 No such user' });
      const sent = await one('send', 'imap', 'message.send', {
        to: 'u1@test.local, u2@test.local',
        subject: 's',
        text: 't',
      });
      assert.match(String(sent.messageId), /^<.+@test\.local>$/);
      assert.equal(sent.id, sent.messageId);
      assert.deepEqual(
        [
          sent.outcome,
          sent.from,
          sent.accepted,
          (sent.rejected as Values[]).map(({ address, code }) => [address, code]),
        ],
        ['done', 'u0@test.local', ['u1@test.local'], [['u2@test.local', 550]]],
      );
      assert.deepEqual([sent.savedToSent, sent.sentFolder, typeof sent.sentId], [true, 'Sent', 'string']);
      assert.equal(sent.native, undefined);
    });
    it('an entry of a list: which list, of which mailbox and service', async () => {
      const input = { mailbox: byId('alex.smith@example.com'), list: 'blockedSenders', value: 'news@spam.example' };
      const { id, success: _, ...said } = await one('spamList', 'rackspace', 'spamList.add', input);
      assert.equal(id, 'news@spam.example');
      assert.deepEqual(said, {
        mailbox: 'alex.smith@example.com',
        list: 'blockedSenders',
        value: 'news@spam.example',
        service: 'exchange',
      });
    });
    it('several entries: how many', async () => {
      const said = await one('spamList', 'rackspace', 'spamList.edit', {
        mailbox: byId('alex.smith@example.com'),
        list: 'blockedSenders',
        additionalFields: { addList: 'a@spam.example, b@spam.example', removeList: ['news@spam.example'] },
      });
      assert.deepEqual([said.mailbox, said.list, said.count], ['alex.smith@example.com', 'blockedSenders', 3]);
    });
    it('messages: how many, in which folder they are, what became of each, and nothing of one alone twice', async () => {
      const ids = ['a', 'b'].map(subject => idOf(mail.deliver('u0@test.local', `Subject: ${subject}\r\n\r\nx`)));
      const said = await one('mailbox', 'imap', 'message.move', {
        message: byId(''),
        target: byId('Kept'),
        additionalFields: { messages: ids, createFolder: true },
      });
      assert.deepEqual(
        [said.target, said.changed, (said.results as Values[]).map(({ done }) => done)],
        ['Kept', 2, [true, true]],
      );
      const { newId } = (said.results as Values[])[0]!;
      assert.deepEqual(
        await one('mailbox', 'imap', 'message.mark', { message: byId(newId), additionalFields: { read: true } }),
        { id: newId, read: true, changed: 1 },
      );
      assert.equal((await one('mailbox', 'imap', 'message.delete', { message: byId(newId) })).target, 'Trash');
    });
    it('read or unread, which a new node asks for in its form and one from before among the further fields', async () => {
      const arrived = mail.deliver('u0@test.local', 'Subject: m\r\n\r\nx');
      const message = byId(idOf(arrived));
      const mark = async (typeVersion: number, parameters: Values) =>
        (await one('mailbox', 'imap', 'message.mark', { message, ...parameters }, undefined, typeVersion)).read;
      assert.deepEqual(
        [
          await mark(1.1, { read: false }),
          await mark(1.1, {}),
          await mark(1, { additionalFields: { read: false } }),
          await mark(1, {}),
          // What a new node does not show does not count.
          await mark(1.1, { additionalFields: { read: false } }),
        ],
        [false, true, false, true, true],
      );
      const flag = async (typeVersion: number, parameters: Values) => {
        await one(
          'mailbox',
          'imap',
          'message.flag',
          { message, flags: 'Flagged', ...parameters },
          undefined,
          typeVersion,
        );
        return mail
          .folder('u0@test.local')
          .messages.find(({ uid }) => uid === arrived.uid)!
          .flags.includes('\\Flagged');
      };
      assert.deepEqual(
        [
          await flag(1.1, {}),
          await flag(1.1, { change: 'remove' }),
          await flag(1, {}),
          await flag(1, { additionalFields: { change: 'remove' } }),
        ],
        [true, false, true, false],
      );
      const edited = { mailbox: byId('alex.smith@example.com'), list: 'blockedSenders', addList: 'c@spam.example' };
      assert.equal((await one('spamList', 'rackspace', 'spamList.edit', edited, undefined, 1.1)).count, 1);
    });
    it('an object that was changed is itself, and secrets are never told', async () => {
      const mailbox = seededId('user001');
      const changed = await one('mailbox', 'scaleway', 'mailbox.update', {
        mailbox: byId(mailbox),
        updateFields: { new_password: 'correct horse battery' },
      });
      assert.deepEqual([changed.id, changed.email, changed.mailbox], [mailbox, 'user001@mail.example.com', undefined]);
      const added = await one('mailbox', 'rackspace', 'blackBerry.add', {
        mailbox: byId('alex.smith@example.com'),
        activationPassword: 'open-sesame-9',
      });
      assert.equal(added.mailbox, 'alex.smith@example.com');
      assert.doesNotMatch(JSON.stringify([changed, added]), /correct horse|sesame/);
    });
  });

  describe('messages with their text and files in one step', () => {
    const file = (name: string, bytes: Buffer) =>
      `--x\r\nContent-Type: application/pdf; name="${name}"\r\nContent-Disposition: attachment; filename="${name}"\r\n` +
      `Content-Transfer-Encoding: base64\r\n\r\n${bytes.toString('base64')}\r\n`;
    const small = Buffer.from('small file');
    const large = Buffer.alloc(2_000_000, 'large');
    let folder = 0;
    /** A folder of its own with these messages, in the order of the list: newest first. */
    async function deliver(...letters: { subject: string; files?: string[] }[]): Promise<Values> {
      const name = `Content${++folder}`;
      await one('mailbox', 'imap', 'folder.create', { folder: name });
      for (const { subject, files = [] } of [...letters].reverse())
        mail.deliver(
          'u0@test.local',
          `From: Ann <ann@x.test>\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\n` +
            `Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\ntext of ${subject}\r\n${files.join('')}--x--\r\n`,
          { folder: name },
        );
      return { folder: byId(name) };
    }
    const list = (where: Values, options: Values) =>
      run('mailbox', 'imap', 'message.list', { filters: where, options });
    const bytes = async (item: INodeExecutionData, key: string) => (await engine.bytes(item.binary![key]!)).toString();

    it('a list as it is, with the texts, with the files, with both', async () => {
      const where = await deliver(
        { subject: 'plain' },
        { subject: 'filed', files: [file('a.pdf', small), file('b.pdf', Buffer.from('second'))] },
      );
      assert.deepEqual(
        (await list(where, {})).map(({ json, binary }) => [json.subject, json.text, binary]),
        [
          ['plain', undefined, undefined],
          ['filed', undefined, undefined],
        ],
      );
      assert.deepEqual(
        (await list(where, { readBody: true })).map(({ json }) => String(json.text).trim()),
        ['text of plain', 'text of filed'],
      );
      const [plain, filed] = await list(where, { downloadAttachments: true });
      assert.deepEqual([plain!.binary, filed!.json.text], [undefined, undefined]);
      assert.deepEqual(
        [await bytes(filed!, 'attachment_0'), await bytes(filed!, 'attachment_1')],
        ['small file', 'second'],
      );
      assert.deepEqual(
        (filed!.json.attachments as Values[]).map(({ name, binary }) => [name, binary]),
        [
          ['a.pdf', 'attachment_0'],
          ['b.pdf', 'attachment_1'],
        ],
      );
      const both = (await list(where, { readBody: 'true', downloadAttachments: true, attachmentsPrefix: 'file' }))[1]!;
      assert.deepEqual(
        [String(both.json.text).trim(), Object.keys(both.binary!)],
        ['text of filed', ['file0', 'file1']],
      );
    });
    it('one message, with its files; what is larger than the limit is named only', async () => {
      const where = await deliver({ subject: 'filed', files: [file('a.pdf', small), file('b.pdf', large)] });
      const [row] = await list(where, {});
      const [item] = await run('mailbox', 'imap', 'message.get', {
        message: byId(row!.json.id),
        options: { downloadAttachments: true, attachmentsLimit: 1 },
      });
      assert.deepEqual(Object.keys(item!.binary!), ['attachment_0']);
      assert.match(String((item!.json.attachments as Values[])[1]!.notDownloaded), /larger than 1 MB/);
      const [whole] = await run('mailbox', 'imap', 'message.get', {
        message: byId(row!.json.id),
        options: { downloadAttachments: true },
      });
      assert.equal((await bytes(whole!, 'attachment_1')).length, large.length);
    });
    it('a message that cannot be read says so and holds up no other; a line that is down concerns all', async () => {
      const through = (code: 'not_found' | 'unavailable') => ({
        provider: providerById('imap'),
        call: async (_: string, { message }: Values) => {
          if (message === '2') throw new MailError(code, 'It is gone.');
          return { id: message, text: 'read' };
        },
      });
      const read = (code: 'not_found' | 'unavailable') =>
        contentOfEach(
          {
            node: {} as never,
            client: through(code) as never,
            input: { message: '9', folder: 'INBOX' },
            wanted: wantedOf({ readBody: true })!,
            signal: undefined,
          },
          ['1', '2', '3'].map(id => ({ id })),
          async row => ({ json: row as never }),
        );
      assert.deepEqual(
        (await read('not_found')).map(({ json }) => json),
        [
          { id: '1', text: 'read' },
          { id: '2', problem: 'It is gone.' },
          { id: '3', text: 'read' },
        ],
      );
      await assert.rejects(read('unavailable'), /It is gone/);
    });
    it('are picked by subject, sender and date, by the clocks of the workflow', async () => {
      mail.deliver('u0@test.local', 'From: Ann <ann@x.test>\r\nSubject: Invoice\r\n\r\nx');
      const { results } = (await engine.options(
        'n8n-nodes-mailroom.mailbox',
        'message',
        { provider: 'imap', authentication: 'password', resource: 'message', operation: 'get' },
        { credentials: { imapApi: { id: 'imapApi', name: 'imapApi' } } },
      )) as { results: { name: string }[] };
      assert.match(results[0]!.name, /^Invoice, from Ann, \d{4}-\d\d-\d\d \d\d:\d\d$/);
      const row = { id: '1', subject: 's', from: { email: 'ann@x.test' }, date: '2026-07-01T22:30:00.000Z' };
      assert.equal(entryOf(row, 'Europe/Berlin').name, 's, from ann@x.test, 2026-07-02 00:30');
    });
    it('at the other providers too', async () => {
      const withFiles = async (provider: string, parameters: Values) => {
        const items = await run('mailbox', provider, 'message.list', {
          ...parameters,
          limit: 30,
          options: { downloadAttachments: true },
        });
        const filed = items.find(({ binary }) => binary);
        assert.ok(filed, `${provider}: none of ${items.length} has files`);
        assert.equal(
          (filed.json.attachments as Values[]).filter(({ binary }) => binary).length,
          Object.keys(filed.binary!).length,
        );
        for (const key of Object.keys(filed.binary!)) assert.ok((await bytes(filed, key)).length > 0);
      };
      await withFiles('sodium', { filters: { mailbox: GOOGLE, search: 'VAT return 69' } });
      await withFiles('contextIo', { mailbox: byId(MAIN), filters: {} });
    });
  });

  describe('objects by their address or name', () => {
    const by = (mode: string, value: unknown) => ({ __rl: true, mode, value });
    const rows = (...values: string[]) => values.map(value => ({ json: { value } }));
    const emailOf = (n: number) => `user${String(n).padStart(3, '0')}@${MAIN_DOMAIN}`;
    beforeEach(() => scaleway.forget());
    const lists = () =>
      scaleway.seen.filter(({ method, path }) => method === 'GET' && /\/(mailboxes|domains)$/.test(path)).length;

    it('a sheet of addresses: the list is read once, whatever the number of rows and their spelling', async () => {
      const emails = Array.from({ length: 40 }, (_, i) => emailOf(i + 1));
      const before = lists();
      const items = await run(
        'mailbox',
        'scaleway',
        'mailbox.get',
        { mailbox: by('email', '={{ $json.value }}') },
        rows(...emails.map((email, i) => (i % 2 ? email.toUpperCase() : ` ${email} `))),
      );
      assert.deepEqual(
        items.map(({ json }) => json.email),
        emails,
      );
      assert.ok(lists() - before <= 2, `${lists()} pages of the list`);
    });
    it('a single row asks for just that object', async () => {
      assert.equal(
        (await one('mailbox', 'scaleway', 'mailbox.get', { mailbox: by('email', emailOf(9)) })).id,
        seededId('user009'),
      );
      assert.equal(scaleway.seen[0]!.query.get('search'), emailOf(9));
    });
    it('the name of a domain, also inside a collection, and beside a mailbox by its address', async () => {
      const items = await run('mailbox', 'scaleway', 'mailbox.list', {
        filters: { domain_id: by('name', MAIN_DOMAIN) },
        limit: 2,
      });
      assert.deepEqual(items.length, 2);
      assert.equal(scaleway.seen.at(-1)!.query.get('domain_id'), seededId(MAIN_DOMAIN));
      const alias = await one('alias', 'scaleway', 'alias.create', {
        mailbox: by('email', emailOf(1)),
        local_part: 'by-address',
      });
      assert.equal(alias.mailbox, seededId('user001'));
    });
    it('of nobody, and of an id that was meant as a name, says which field', async () => {
      const failed = async (mailbox: unknown) => {
        const result = await engine.run(
          line({
            name: 'Node',
            type: 'n8n-nodes-mailroom.mailbox',
            account: { type: 'scalewayApi', data: {} },
            parameters: { provider: 'scaleway', resource: 'mailbox', operation: 'get', mailbox },
          }),
        );
        return `${result.error?.message} ${String(result.error?.description)}`;
      };
      assert.match(
        await failed(by('email', 'nobody@mail.example.com')),
        /There is no mailbox with the address "nobody@mail\.example\.com" in this account/,
      );
      assert.match(await failed(by('id', emailOf(1))), /UUID/);
    });
    it('a dry run of a row by its address says what would go', async () => {
      const said = await one('mailbox', 'scaleway', 'mailbox.delete', {
        mailbox: by('email', emailOf(3)),
        options: { dryRun: true },
      });
      assert.equal((said.current as Values).email, emailOf(3));
    });
  });

  describe('files to attach', () => {
    const item = (...names: string[]): INodeExecutionData => ({
      json: {},
      binary: Object.fromEntries(
        names.map(name => [
          name,
          { data: Buffer.from(`file ${name}`).toString('base64'), mimeType: 'text/plain', fileName: `${name}.txt` },
        ]),
      ),
    });
    const sent = async (parameters: Values, input: INodeExecutionData, operation = 'message.send') => {
      await run(
        operation === 'message.send' ? 'send' : 'mailbox',
        'imap',
        operation,
        { ...(operation === 'message.send' ? { to: 'u1@test.local', subject: 's', text: 't' } : {}), ...parameters },
        [input],
      );
      const bytes =
        operation === 'message.send'
          ? mail.smtp.seen.messages.at(-1)!.bytes
          : mail.folder('u0@test.local', 'Drafts').messages.at(-1)!.source;
      return [...String(bytes).matchAll(/filename="?(\w+)\.txt/g)].map(([, name]) => name);
    };
    it('are all that the item has, or those that are named; an item without any sends none', async () => {
      assert.deepEqual(await sent({ attachmentsFrom: 'all' }, item('one', 'two')), ['one', 'two']);
      assert.deepEqual(await sent({ attachmentsFrom: 'all' }, { json: {} }), []);
      assert.deepEqual(await sent({ attachments: 'two' }, item('one', 'two')), ['two']);
      assert.deepEqual(await sent({ attachmentsFrom: 'named', attachments: 'one' }, item('one', 'two')), ['one']);
      assert.deepEqual(await sent({}, item('one')), []);
    });
    it('of a draft too', async () => {
      assert.deepEqual(
        await sent(
          { to: 'u1@test.local', subject: 's', text: 't', attachmentsFrom: 'all' },
          item('one', 'two'),
          'draft.create',
        ),
        ['one', 'two'],
      );
    });
    it('come from an expression as names, as the files of an item, as one file, or as the node describes them', async () => {
      assert.deepEqual(await sent({ attachments: '={{ Object.keys($binary) }}' }, item('one', 'two')), ['one', 'two']);
      assert.deepEqual(await sent({ attachments: "={{ $('Start').item.binary }}" }, item('one', 'two')), [
        'one',
        'two',
      ]);
      assert.deepEqual(await sent({ attachments: "={{ $('Start').item.binary.two }}" }, item('one', 'two')), ['two']);
      assert.deepEqual(
        await sent(
          { attachments: '={{ $json.attachments }}' },
          { ...item('one', 'two'), json: { attachments: [{ id: '1', name: 'one.txt', binary: 'one' }] } },
        ),
        ['one'],
      );
    });
    it('that are described and not there stop the mail', async () => {
      const before = mail.smtp.seen.messages.length;
      await assert.rejects(
        sent(
          { attachments: '={{ $json.attachments }}' },
          { json: { attachments: [{ id: '2', name: 'large.pdf', notDownloaded: 'It is larger.' }] } },
        ),
        /"large\.pdf" .* is not there/,
      );
      assert.equal(mail.smtp.seen.messages.length, before);
    });
  });

  describe('sizes and times as people write them', () => {
    const found = async (filters: Values) =>
      (await run('mailbox', 'imap', 'message.list', { filters: { folder: byId('Sizes'), ...filters } })).map(
        ({ json }) => json.subject,
      );
    before(async () => {
      await one('mailbox', 'imap', 'folder.create', { folder: 'Sizes' });
      for (const [subject, size] of [
        ['small', 500],
        ['large', 5000],
      ] as const)
        mail.deliver('u0@test.local', `Subject: ${subject}\r\n\r\n${'x'.repeat(size)}`, { folder: 'Sizes' });
    });
    it('a size with its unit, and a number of bytes as in workflows from before', async () => {
      for (const larger of ['2 KB', '2kb', '1,5 KB', 2048, '2048', '0.002 MB'])
        assert.deepEqual(await found({ larger }), ['large'], String(larger));
      assert.deepEqual(await found({ smaller: '2 KB' }), ['small']);
      assert.deepEqual(await found({ larger: '' }), ['large', 'small']);
      await assert.rejects(found({ larger: 'huge' }), /Larger Than must be a size such as 500 KB or 5 MB, not "huge"/);
    });
    it('the form begins with what the table says', () => {
      assert.deepEqual([25 * 1024 ** 2, 500 * 1024, 1000, 0, undefined].map(sizeText), [
        '25 MB',
        '500 KB',
        '1000',
        '0',
        '',
      ]);
      const time = { type: 'time', label: 'Since' } as const;
      assert.equal(
        valueOf(time, '2026-07-01T10:00:00', () => 'Europe/Berlin'),
        '2026-07-01T08:00:00.000Z',
      );
      assert.equal(
        valueOf(time, '2026-07-01T10:00:00Z', () => 'Europe/Berlin'),
        '2026-07-01T10:00:00.000Z',
      );
    });
  });

  describe('a dry run of mail', () => {
    const dry = (node: string, operation: string, parameters: Values) =>
      one(node, 'imap', operation, { ...parameters, options: { dryRun: true } });
    it('counts what a folder holds, and knows which folders there are', async () => {
      await one('mailbox', 'imap', 'folder.create', { folder: 'Dry' });
      const { uid } = mail.deliver('u0@test.local', 'From: Ann <ann@x.test>\r\nSubject: kept\r\n\r\nlong text', {
        folder: 'Dry',
      });
      const message = byId(`Dry;UIDVALIDITY=${mail.folder('u0@test.local', 'Dry').uidValidity};UID=${uid}`);
      assert.match(
        String((await dry('mailbox', 'folder.delete', { folder: byId('Dry') })).note),
        /It holds 1 message\./,
      );
      await assert.rejects(dry('mailbox', 'folder.create', { folder: 'Dry' }), /There is a folder "Dry" already/);
      assert.match(String((await dry('mailbox', 'folder.create', { folder: 'Dry2' })).note), /Would run/);
      await assert.rejects(dry('mailbox', 'message.move', { message, target: byId('Nowhere') }), /Nowhere/);
      const moved = await dry('mailbox', 'message.move', { message, target: byId('Dry') });
      assert.deepEqual(
        [
          (moved.current as Values).subject,
          (moved.current as Values).text,
          (moved.related as Record<string, Values>).target!.messages,
        ],
        ['kept', undefined, 1],
      );
      assert.match(
        String(
          (
            await dry('mailbox', 'message.move', {
              message,
              target: byId('Nowhere'),
              additionalFields: { createFolder: true },
            })
          ).note,
        ),
        /Would run/,
      );
      assert.equal(mail.folder('u0@test.local', 'Dry').messages.length, 1);
    });
    it('says from whom to whom a mail would go', async () => {
      const before = mail.smtp.seen.messages.length;
      const said = await dry('send', 'message.send', { to: 'u1@test.local', subject: 's', text: 't' });
      assert.deepEqual([said.from, said.to, said.subject], ['u0@test.local', ['u1@test.local'], 's']);
      const { uid } = mail.deliver(
        'u0@test.local',
        [
          'From: Ann <ann@x.test>',
          'Reply-To: desk@x.test',
          'To: u0@test.local, Bob <bob@x.test>',
          'Subject: asked',
          '',
          'long text',
        ].join('\r\n'),
      );
      const message = byId(`INBOX;UIDVALIDITY=${mail.folder('u0@test.local').uidValidity};UID=${uid}`);
      const answer = await dry('send', 'message.reply', { message, text: 't', additionalFields: { replyAll: true } });
      assert.deepEqual(
        [answer.from, answer.to, answer.cc, answer.subject],
        ['u0@test.local', ['desk@x.test'], ['"Bob" <bob@x.test>'], 'Re: asked'],
      );
      const passed = await dry('send', 'message.forward', { message, to: 'u2@test.local', text: 't' });
      assert.deepEqual([passed.from, passed.to, passed.subject], ['u0@test.local', ['u2@test.local'], 'Fwd: asked']);
      const draft = await one('mailbox', 'imap', 'draft.create', { to: 'u3@test.local', subject: 'later', text: 't' });
      const sent = await dry('mailbox', 'draft.send', { message: byId(String(draft.id)) });
      assert.deepEqual([sent.from, sent.to], ['u0@test.local', ['u3@test.local']]);
      await assert.rejects(dry('mailbox', 'draft.send', { message }), /is no draft/);
      assert.equal(mail.smtp.seen.messages.length, before);
      assert.ok(
        !mail
          .folder('u0@test.local')
          .messages.find(one => one.uid === uid)!
          .flags.includes('\\Answered'),
      );
    });
  });
});
