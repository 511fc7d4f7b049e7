import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import PostalMime from 'postal-mime';
import { readMail } from '../../shared/index.js';
import type { createEmlEditor } from '../../extension/mail/emlEditor.js';
import type { MailView, ReaderModel } from '../../extension/webview/messages.js';
import { pretended, withVscode } from './host.js';

const LETTER = [
  'From: =?utf-8?q?Gr=C3=A1ce?= <grace@example.com>',
  'To: Ann <ann@example.com>, bob@example.com',
  'Cc: eve@example.com',
  'Subject: =?utf-8?b?RmlndXJlcyDigJM=?= third',
  'Date: Tue, 24 Nov 2026 21:05:00 +0100',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: multipart/alternative; boundary=a',
  '',
  '--a',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Z=C3=BCrich, code 492817: https://example.com/a',
  '--a',
  'Content-Type: text/html',
  '',
  '<p>Hello <a href="https://example.com/b">there</a><script>alert(1)</script><img src="https://spy.example/x.png"></p>',
  '--a--',
  '--b',
  'Content-Type: text/csv; name="fig.csv"',
  'Content-Disposition: attachment; filename="fig.csv"',
  'Content-Transfer-Encoding: base64',
  '',
  Buffer.from('a,b\r\n1,2\r\n').toString('base64'),
  '--b--',
  '',
].join('\r\n');

async function opened(bytes: Uint8Array | Error, answers: Record<string, unknown> = {}) {
  const host = pretended(answers);
  const written: [string, Uint8Array][] = [];
  const texts: string[] = [];
  const reads: string[] = [];
  Object.assign(host.vscode.workspace, {
    fs: {
      readFile: async (at: object) => {
        reads.push(String(at));
        if (bytes instanceof Error) throw bytes;
        return bytes;
      },
      writeFile: async (at: { path: string }, content: Uint8Array) => {
        written.push([at.path, content]);
      },
      stat: async () => {
        throw new Error('no file');
      },
      delete: async () => {},
      rename: async () => {},
    },
  });
  const { createEmlEditor: make } = await withVscode<{ createEmlEditor: typeof createEmlEditor }>(
    'mail/emlEditor.ts',
    host.vscode,
  );
  const editor = make({
    extension: host.extension as never,
    showJson: async () => {},
    showText: async (_, __, text) => {
      texts.push(await text());
    },
  });
  const panel = host.vscode.window.createWebviewPanel('mailroom.eml', 'letter.eml', undefined, {} as never);
  const [shownPanel] = host.panels;
  await editor.resolveCustomEditor(
    { uri: host.vscode.Uri.file('/work/letter.eml'), dispose() {} } as never,
    panel as never,
    {} as never,
  );
  await shownPanel!.hear({ type: 'ready' });
  const shown = () => shownPanel!.posted.findLast(one => one.type === 'reader')!.reader as ReaderModel;
  return { ...host, panel: shownPanel!, shown, texts, reads, written };
}

describe('a message in a file', () => {
  it('is read as another parser reads it', async () => {
    const own = await readMail(Buffer.from(LETTER));
    const other = await PostalMime.parse(LETTER);
    assert.deepEqual(
      [own.subject, own.from, own.to.map(({ email }) => email), own.cc, own.text?.trim(), own.html?.trim(), own.date],
      [
        other.subject,
        { email: other.from!.address, name: other.from!.name },
        other.to!.map(({ address }) => address),
        [{ email: 'eve@example.com' }],
        other.text!.trim(),
        other.html!.trim(),
        new Date(other.date!).toISOString(),
      ],
    );
    assert.deepEqual(
      own.attachments?.map(({ name, type, size }) => [name, type, size]),
      [['fig.csv', 'text/csv', 10]],
    );
  });
  it('is shown by the reader, with its links and codes; its source is there, and nothing can be done with it that a file cannot do', async () => {
    const { shown, panel, ask, texts } = await opened(Buffer.from(LETTER));
    const {
      title,
      messages: [mail],
      can,
    } = shown();
    assert.deepEqual(
      [title, mail!.from, mail!.codes, mail!.links?.map(({ url }) => url)],
      ['Figures – third', 'Gráce <grace@example.com>', ['492817'], ['https://example.com/b', 'https://example.com/a']],
    );
    assert.deepEqual(can, {
      reply: false,
      replyAll: false,
      forward: false,
      flag: false,
      walk: false,
      deliver: false,
      mark: false,
      source: true,
      headers: true,
      attachments: true,
      remove: false,
      move: false,
      link: false,
      unlink: false,
      inspect: true,
      save: true,
      resend: false,
      test: false,
    });
    assert.equal(panel.title, 'letter.eml', 'the tab has the name of the file');
    await ask(panel, { do: 'mail', message: mail!.id, what: 'source' });
    assert.equal(texts[0], LETTER);
    for (const what of ['reply', 'delete', 'move', 'markRead'])
      await ask(panel, { do: 'mail', message: mail!.id, what });
    assert.equal(panel.closed, false);
  });
  it('is looked into as it stands in the file, and saved as it is under a name that every file system takes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mailroom-eml-'));
    const where = join(folder, 'copy.eml');
    const { shown, panel, ask, proposed } = await opened(Buffer.from(LETTER), { save: where });
    const id = shown().messages[0]!.id;
    const mail = () => panel.posted.findLast(one => one.type === 'mail')!.mail as MailView;
    await ask(panel, { do: 'mail', message: id, what: 'inspect' });
    assert.deepEqual(
      mail().inspection!.parts.map(({ depth, type, name }) => [depth, type, name]),
      [
        [0, 'multipart/mixed', ''],
        [1, 'multipart/alternative', ''],
        [2, 'text/plain', ''],
        [2, 'text/html', ''],
        [1, 'text/csv', 'fig.csv'],
      ],
    );
    await ask(panel, { do: 'mail', message: id, what: 'uninspect' });
    assert.equal(mail().inspection, undefined);
    await ask(panel, { do: 'mail', message: id, what: 'save' });
    assert.deepEqual([readFileSync(where, 'utf8'), proposed[0]!.split('/').at(-1)], [LETTER, 'Figures – third.eml']);
    rmSync(folder, { recursive: true });
  });
  it('one that cannot be read says why, and is tried again', async () => {
    const failing = new Error('The file is gone.');
    const { shown, panel, ask, reads } = await opened(failing);
    assert.match(shown().messages[0]!.problem!, /The file is gone\./);
    await ask(panel, { do: 'read', message: shown().messages[0]!.id });
    assert.equal(reads.length, 2);
  });
  it('one that is beyond all bounds says so, and its source is shown all the same', async () => {
    const source = `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(2_000)}`;
    const { shown, panel, ask, texts, reads } = await opened(Buffer.from(source));
    const [mail] = shown().messages;
    assert.match(mail!.problem!, /more than 1000 parts; only its source can be had/);
    assert.equal(mail!.loaded, true, 'the buttons are there');
    await ask(panel, { do: 'mail', message: mail!.id, what: 'source' });
    assert.deepEqual([texts, reads.length], [[source], 1]);
  });
  for (const [what, text] of [
    ['nothing', ''],
    ['no header', 'just words'],
    ['a header alone', 'Subject: x\r\n\r\n'],
    ['a boundary without end', 'Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nwords'],
    ['bare line feeds', 'Subject: y\nTo: a@b.example\n\nwords\n'],
    ['bytes that are no text', '\u0000\u00ff\u00fe'],
  ] as const) {
    it(`one with ${what} is shown as far as it goes`, async () => {
      const { shown } = await opened(Buffer.from(text, 'latin1'));
      assert.deepEqual([shown().messages.length, shown().messages[0]!.problem], [1, undefined]);
    });
  }
});
