import assert from 'node:assert/strict';
import { connect, providerById } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { hostileServer, within, type HostileServer } from '../providers/hostileMail.js';
import { SHOWN, type MailView, type ToPage } from '../../extension/webview/messages.js';
import { withVscode } from './host.js';

/** A reader of one message, with as much of VS Code as that needs, and what its page is shown. */
async function readerOf(provider: object, client: object, message: string) {
  const posted: ToPage[] = [];
  const texts: string[] = [];
  let receive: (message: unknown) => Promise<void> = async () => {};
  const gone = () => ({ dispose() {} });
  const webview = {
    options: {},
    html: '',
    cspSource: 'x',
    asWebviewUri: String,
    postMessage: (one: ToPage) => {
      posted.push(one);
    },
    onDidReceiveMessage(listen: typeof receive) {
      receive = listen;
      return { dispose() {} };
    },
  };
  const fake = {
    env: { language: 'en' },
    Uri: { joinPath: () => 'uri' },
    l10n: { t: (text: string) => text },
    ThemeIcon: class {},
    ViewColumn: { Active: 1 },
    EventEmitter: class {
      event = gone;
      fire() {}
    },
    FileSystemError: class extends Error {},
    CancellationError: class extends Error {},
    workspace: { getConfiguration: () => ({ get: (_: string, otherwise: unknown) => otherwise }) },
    window: { createWebviewPanel: () => ({ webview, onDidDispose: gone }) },
  };
  const { createReader } = await withVscode<typeof import('../../extension/mail/reader.js')>('mail/reader.ts', fake);
  const target = {
    account: { id: 'a', name: 'Mine', provider },
    resource: 'message',
    label: 'x',
    binding: { refs: { message }, choices: {} },
  };
  const { read } = createReader({
    extension: 'ext',
    accounts: { open: async () => client },
    operator: {},
    showText: async (_: string, __: string, text: () => Promise<string>) => {
      texts.push(await text());
    },
  } as never);
  return {
    texts,
    async open(): Promise<MailView> {
      await read(target as never);
      await receive({ type: 'ready' });
      const shown = posted.findLast(one => one.type === 'reader');
      assert.ok(shown?.type === 'reader');
      return shown.reader.messages[0]!;
    },
    ask: (ask: object) => receive({ type: 'ask', id: 1, ask }),
  };
}
/** Opens one message; `files` are what its vendor answers. */
async function open(
  item: object,
  files: Readonly<Record<string, Uint8Array[]>> = {},
): Promise<{ mail: MailView; fetched: string[] }> {
  const fetched: string[] = [];
  const field = (ref: string) => ({ type: 'text', label: 'x', required: true, ref });
  const provider = {
    id: 'made',
    name: 'Made',
    feeds: {},
    operations: {
      'message.get': { input: { message: field('message') } },
      'attachment.get': { input: { attachment: field('attachment') } },
    },
  };
  const client = {
    call: async (name: string, { attachment }: { attachment: string }) => {
      if (name === 'message.get') return { id: '1', ...item };
      fetched.push(attachment);
      return {
        name: 'a',
        type: 'image/png',
        open: async function* () {
          yield* files[attachment] ?? [];
        },
      };
    },
  };
  return { mail: await (await readerOf(provider, client, '1')).open(), fetched };
}

describe('the limits of the reader', () => {
  it('shows so much of a message, and says when there is more', async () => {
    const { mail: whole } = await open({ text: 'x'.repeat(SHOWN), html: 'y'.repeat(6_000_000) });
    assert.deepEqual(
      [whole.text?.length, whole.textCut, whole.html?.length, whole.htmlCut],
      [SHOWN, undefined, 6_000_000, undefined],
    );
    const { mail: cut } = await open({ text: 'x'.repeat(SHOWN + 1), html: 'y'.repeat(6_000_001) });
    assert.deepEqual([cut.text?.length, cut.textCut, cut.html?.length, cut.htmlCut], [SHOWN, true, 6_000_000, true]);
  });
  it('says why a message could not be read, and where its provider cut it', async () => {
    const { mail: unread } = await open({ error: 'The message is not read, because [it](command:x) is odd.' });
    assert.deepEqual(
      [unread.problem, unread.loaded],
      ['The message is not read, because [it](command:x) is odd.', true],
    );
    const { mail: cut } = await open({ text: 'x', html: 'y', native: { textCut: true, htmlCut: true } });
    assert.deepEqual([cut.problem, cut.textCut, cut.htmlCut], [undefined, true, true]);
    const { mail: words } = await open({ text: 'x', html: 'y', native: { textCut: true } });
    assert.deepEqual([words.textCut, words.htmlCut], [true, undefined]);
  });
  it('copies no more of a file than it shows', async () => {
    const { beginningOf } = await withVscode<typeof import('../../extension/mail/source.js')>('mail/source.ts', {});
    const piece = new Uint8Array(5_000_000).fill(7);
    const file = { open: () => [piece, piece] } as never;
    const { bytes, cut } = await beginningOf(file, 100_000);
    assert.deepEqual([bytes.length, cut, bytes.buffer.byteLength], [100_000, true, 100_000]);
    const { bytes: all, cut: isCut } = await beginningOf(file, 10_000_000);
    assert.deepEqual([all.length, isCut], [10_000_000, false]);
  });
  it('brings the pictures that a message names and carries: of known types, of some size, some of them', async () => {
    const part = (id: string, more: object = {}) => ({
      id,
      name: id,
      type: 'image/png',
      contentId: `<${id}>`,
      ...more,
    });
    const attachments = [
      part('good'),
      part('unnamed'),
      part('drawing', { type: 'image/svg+xml' }),
      part('page', { type: 'text/html' }),
      part('declared', { size: 3_000_001 }),
      part('grown', { size: 5 }),
    ];
    const { mail, fetched } = await open(
      {
        html: ['good', 'drawing', 'page', 'declared', 'grown'].map(id => `<img src="cid:${id}">`).join(''),
        attachments,
      },
      { good: [new Uint8Array([1, 2, 3])], grown: [new Uint8Array(2_000_000), new Uint8Array(2_000_000)] },
    );
    assert.deepEqual(mail.inline, { good: 'data:image/png;base64,AQID' });
    assert.deepEqual(fetched, ['good', 'grown']);
    const many = Array.from({ length: 30 }, (_, i) => part(`p${i}.`));
    assert.equal(
      Object.keys((await open({ html: many.map(({ id }) => `cid:${id}`).join(' '), attachments: many })).mail.inline)
        .length,
      20,
    );
  });
});

describe('the reader and hostile mail', function () {
  this.timeout(300_000);
  let server: HostileServer;
  before(async () => {
    server = await hostileServer();
  });
  after(() => {
    closeConnections();
    server.close();
  });
  // What costs most on the side of VS Code; what the page makes of it is bounded by `markupLimits` and the cleaner.
  const KINDS: [kind: string, mb: number][] = [
    ...[
      'a thousand parts of HTML',
      'a thousand files',
      'blank lines',
      'pictures of its own',
      'pictures named without end',
      'recipients in a hundred kilobytes',
      'tiny parts',
    ].map((kind): [string, number] => [kind, 3]),
    ...[
      'thirty multiparts round short lines',
      'blank lines',
      'padding without end',
      'elements that stay open',
      'a zip bomb',
    ].map((kind): [string, number] => [kind, 50]),
  ];
  for (const [kind, mb] of KINDS) {
    it(`opens, and shows the source and the headers, within bounds: ${kind}, ${mb} MB`, async () => {
      const message = await server.deliver(kind, mb);
      const imap = providerById('imap')!;
      await within(kind, mb, async () => {
        const { open, ask, texts } = await readerOf(imap, connect(imap, server.account), message);
        const { id } = await open();
        for (const what of ['source', 'headers'] as const) await ask({ do: 'mail', message: id, what });
        assert.equal(texts.length, kind === 'tiny parts' ? 1 : 2);
      });
    });
  }
});
