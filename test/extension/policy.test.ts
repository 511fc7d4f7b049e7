import assert from 'node:assert/strict';
import { policyOf } from '../../extension/webview/policy.js';
import { withVscode } from './host.js';

/** As much of VS Code as a page's host needs. */
const fake = {
  env: { language: 'de' },
  Uri: { joinPath: (uri: string, ...parts: string[]) => [uri, ...parts].join('/') },
  l10n: { t: (text: string) => text },
};
async function connect(page: 'form' | 'reader') {
  const { connectPage } = await withVscode<typeof import('../../extension/webview/panel.js')>('webview/panel.ts', fake);
  const asked: unknown[] = [];
  const posted: unknown[] = [];
  let receive: (message: unknown) => Promise<void> = async () => {};
  const webview = {
    options: {},
    html: '',
    cspSource: 'https://a.example "b"',
    asWebviewUri: (uri: string) => `webview:${uri}`,
    postMessage: (one: unknown) => {
      posted.push(one);
    },
    onDidReceiveMessage(listen: typeof receive) {
      receive = listen;
      return { dispose() {} };
    },
  };
  const connected = connectPage(webview as never, (() => ({ dispose() {} })) as never, {
    page,
    extension: 'ext' as never,
    ready() {},
    answer: ask => {
      asked.push(ask);
    },
  });
  return { webview, connected, asked, posted, receive: (one: unknown) => receive(one) };
}
const nonceOf = (html: string): string =>
  /<script nonce="([^"]+)" src="webview:ext\/dist\/extension\/pages\/\w+\.page\.js"><\/script>/.exec(html)?.[1] ?? '';
const escaped = (text: string): string => text.replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);

describe('the host of a page', () => {
  it('gives it a policy with a nonce that is used once, written so that nothing of it ends the attribute', async () => {
    const { webview, connected } = await connect('reader');
    const nonces = new Set<string>();
    for (const images of [false, true]) {
      connected.render(images);
      const nonce = nonceOf(webview.html);
      assert.match(nonce, /^[A-Za-z0-9+/]{22}==$/);
      nonces.add(nonce);
      assert.ok(
        webview.html.includes(
          `<meta http-equiv="Content-Security-Policy" content="${escaped(policyOf('reader', images, nonce, webview.cspSource))}">`,
        ),
      );
    }
    assert.equal(nonces.size, 2);
  });
  it('lets it read the folder of the pages alone', async () =>
    assert.deepEqual((await connect('form')).webview.options, {
      enableScripts: true,
      localResourceRoots: ['ext/dist/extension/pages'],
    }));
  it('answers what has the shape of a request, and nothing else', async () => {
    const { asked, posted, receive } = await connect('form');
    await receive({ type: 'ready' });
    const before = posted.length;
    for (const bad of [
      undefined,
      'x',
      { type: 'ask', id: 1, ask: { do: 'exec' } },
      { type: 'ask', id: 1, ask: { do: 'link', url: 1 } },
    ])
      await receive(bad);
    assert.deepEqual([asked, posted.length], [[], before]);
    await receive({ type: 'ask', id: 7, ask: { do: 'save' } });
    assert.deepEqual([asked, posted.at(-1)], [[{ do: 'save' }], { type: 'reply', id: 7, ok: true }]);
  });
});
