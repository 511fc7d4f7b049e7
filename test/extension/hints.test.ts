import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hintsOf, titleOf } from '../../extension/mail/hints.js';
import type { previewMail } from '../../extension/mail/preview.js';
import type { ReaderModel } from '../../extension/webview/messages.js';
import { pretended, withVscode } from './host.js';

const GOOD =
  '<html><head><title>Hello\n you</title></head><body><p style="color:red">Words <a href="https://shop.example/a?b=1">on</a> <a href="mailto:a@b.example">or</a></p>' +
  '<!-- <img src=x><style>p{position:absolute}</style> --><img src="https://shop.example/a.png" alt=""></body></html>';

describe('hints for whoever makes a message', () => {
  it('says nothing of what is fine, and nothing of what stands in a comment', () =>
    assert.deepEqual(hintsOf(GOOD, { hasText: true }), []));
  for (const [what, html, said] of [
    ['is larger than Gmail shows', `<p>${'x'.repeat(102 * 1024)}`, /103 KB.*Gmail cuts it off after 102 KB/],
    ['has pictures without alt', '<img src="cid:a"><img src=cid:b alt=x>', /^One image has no alt text/],
    ['has links in clear', "<a href='http://a.example'>a</a><A HREF=http://b.example>", /^2 links do not use https/],
    ['has links that lead nowhere', '<a href="/start">a</a>', /^One link has no host/],
    ['has pictures that only the disk knows', '<img alt="" src="images/logo.png">', /^One image has no host/],
    [
      'can be unsubscribed from',
      '<a href="https://a.example/?do=Unsubscribe&amp;u=1">a</a><a href="{{unsubscribe_url}}">b</a>',
      /^A link unsubscribes.*List-Unsubscribe and List-Unsubscribe-Post \(RFC 8058\)/,
    ],
    ['has a script', '<script>1</script>', /remove scripts/],
    [
      'places in a way that Gmail drops',
      '<div style="color:red;position:absolute">',
      /^position does not work in Gmail, Outlook for Windows \(caniemail\.com\/features\/css-position\)/,
    ],
    ['has a grid in its sheet', '<style>.a { display: grid }</style>', /^display: grid/],
    ['draws', '<svg viewBox="0 0 1 1"></svg>', /^<svg>/],
    ['has a sheet elsewhere', '<link href=a.css rel=stylesheet>', /^<link/],
    ['has variables', '<style>:root{--a:red}p{color:var(--a)}</style>', /^var\(\)/],
  ] as const) {
    it(`says so where a message ${what}`, () => {
      const hints = hintsOf(html, { hasText: true });
      assert.ok(hints.length === 1 && said.test(hints[0]!), hints.join('\n'));
    });
  }
  it('says so where there is no plain text', () =>
    assert.match(hintsOf(GOOD, { hasText: false }).join(), /no plain text part/));
  it('looks at any text, and at none for long', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[<>a-z="' \/:;!-]*$/)), html => {
        hintsOf(html, { hasText: false });
        titleOf(html);
      }),
    );
    for (const piece of [
      '<a ',
      '<img src="',
      '<!--',
      '<style>',
      "<a href='",
      'url(',
      'background:',
      '<title',
      '"',
      '<a b=c ',
    ]) {
      const began = process.cpuUsage().user;
      const long = piece.repeat(500_000);
      hintsOf(long, { hasText: true });
      titleOf(long);
      assert.ok(process.cpuUsage().user - began < 3_000_000, piece);
    }
  });
  it('takes the title for the subject', () =>
    assert.deepEqual([titleOf(GOOD), titleOf('<p>')], ['Hello you', undefined]));
});

describe('an HTML file as mail', () => {
  async function previewed(files: Record<string, string>) {
    const host = pretended();
    const heard = new Set<(document: object) => void>();
    const sent: object[] = [];
    const uri = (path: string): object => ({
      ...host.vscode.Uri.file(path),
      with: (other: { path: string }) => uri(other.path),
    });
    Object.assign(host.vscode, {
      EventEmitter: class {
        hears = new Set<() => void>();
        event = (hear: () => void) => {
          this.hears.add(hear);
          return { dispose: () => this.hears.delete(hear) };
        };
        fire() {
          for (const hear of this.hears) hear();
        }
        dispose() {
          this.hears.clear();
        }
      },
    });
    Object.assign(host.vscode.ViewColumn, { Beside: -2 });
    Object.assign(host.vscode.workspace, {
      fs: {
        readFile: async ({ path }: { path: string }) => {
          if (files[path] === undefined) throw new Error('no file');
          return Buffer.from(files[path]);
        },
      },
      onDidSaveTextDocument: (hear: (document: object) => void) => {
        heard.add(hear);
        return { dispose: () => heard.delete(hear) };
      },
    });
    Object.assign(host.vscode.window, { setStatusBarMessage: () => ({ dispose() {} }) });
    const { previewMail: show } = await withVscode<{ previewMail: typeof previewMail }>('mail/preview.ts', host.vscode);
    await show(
      {
        extension: host.extension as never,
        showJson: async () => {},
        showText: async () => {},
        deliver: async message => {
          sent.push(message);
        },
      },
      uri('/w/hello.html') as never,
    );
    const [panel] = host.panels;
    await panel!.hear({ type: 'ready' });
    const shown = () => panel!.posted.findLast(one => one.type === 'reader')!.reader as ReaderModel;
    return { ...host, panel: panel!, shown, heard, sent, files, uri };
  }
  it('is shown with its title, its HTML first, its hints, and a text made of it', async () => {
    const { shown } = await previewed({ '/w/hello.html': GOOD });
    const {
      messages: [mail],
      preferHtml,
      can,
      title,
    } = shown();
    assert.deepEqual(
      [title, mail!.subject, preferHtml, can.deliver, can.reply, can.source, mail!.textFromHtml],
      ['Hello you', 'Hello you', true, true, false, false, true],
    );
    assert.match(mail!.hints!.join(), /^There is no plain text part/);
  });
  it('is shown anew when it is saved, and with the text beside it; once closed, nothing listens any more', async () => {
    const { shown, heard, files, uri, panel } = await previewed({ '/w/hello.html': GOOD });
    Object.assign(files, { '/w/hello.html': '<title>Second</title><p>two', '/w/hello.txt': 'two, plainly' });
    for (const hear of heard) hear({ uri: uri('/w/other.html') });
    assert.equal(shown().messages[0]!.subject, 'Hello you');
    for (const hear of heard) hear({ uri: uri('/w/hello.txt') });
    for (let i = 0; i < 1000 && shown().messages[0]?.text?.trim() !== 'two, plainly'; i++)
      await new Promise(resolve => setImmediate(resolve));
    assert.deepEqual(
      [shown().title, shown().messages[0]!.text, shown().messages[0]!.hints],
      ['Second', 'two, plainly', []],
    );
    panel.close();
    assert.equal(heard.size, 0);
  });
  it('is sent as it is saved then', async () => {
    const { ask, panel, sent, files } = await previewed({ '/w/hello.html': GOOD, '/w/hello.txt': 'words' });
    files['/w/hello.html'] = '<title>Later</title>';
    await ask(panel, { do: 'mail', message: 'message', what: 'deliver' });
    assert.deepEqual(sent, [{ subject: 'Later', html: '<title>Later</title>', text: 'words' }]);
  });
});
