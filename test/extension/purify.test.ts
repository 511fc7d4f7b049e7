import assert from 'node:assert/strict';
import { JSDOM } from 'jsdom';

/** As `purify` of the page is, which is not checked with the types of Node. */
type Purify = (body: object, picture: (address: string) => string | undefined) => void;
/** Its path is no literal, so that it stays out of this check. */
const PAGE: string = '../../extension/mail/page/purify.js';

/**
 * The library that cleans a message, with our lists, in a document of Node's: every line is taken out by them and by
 * nothing else.
 */
describe('the cleaner of messages', () => {
  let purify: Purify;
  let window: JSDOM['window'];
  const spare = Object.getOwnPropertyDescriptor(globalThis, 'window');
  before(async () => {
    ({ window } = new JSDOM(''));
    Object.defineProperty(globalThis, 'window', { value: window, configurable: true });
    ({ purify } = (await import(PAGE)) as { purify: Purify });
  });
  after(() => {
    if (spare) Object.defineProperty(globalThis, 'window', spare);
    else delete (globalThis as { window?: unknown }).window;
    window.close();
  });
  const clean = (html: string): string => {
    const { body } = window.document.implementation.createHTMLDocument('');
    body.innerHTML = html;
    purify(body, address => (/^(https:|data:image\/png)/.test(address) ? address : undefined));
    return body.innerHTML;
  };

  it('keeps what a newsletter is made of', () => {
    const html =
      '<style>p{color:red}</style><table width="600" bgcolor="#eee" cellpadding="0"><tbody><tr><td align="center" style="padding: 3px" colspan="2"><h1 id="x" class="a b">T</h1></td></tr></tbody></table>';
    assert.equal(clean(html), html);
    assert.equal(
      clean('<img src="https://a.example/p.png" width="9" alt="x">'),
      '<img src="https://a.example/p.png" width="9" alt="x">',
    );
    assert.equal(clean('<img src="data:image/png;base64,AA" alt="x">'), '<img src="data:image/png;base64,AA" alt="x">');
    const old =
      '<img src="https://a.example/p.png" hspace="6" vspace="2" align="left" alt=""><br clear="all"><hr noshade=""><table frame="box" rules="rows"></table>';
    assert.equal(clean(old), old);
    assert.equal(clean('<td-x>Text stays</td-x>'), 'Text stays');
  });
  it('takes out what runs, loads or sends, with all it holds', () => {
    for (const html of [
      '<script>x()</script>',
      '<iframe src="https://x.example"></iframe>',
      '<object data="x"><p>in</p></object>',
      '<embed src="x">',
      '<base href="https://x.example/">',
      '<meta http-equiv="refresh" content="0">',
      '<link rel="stylesheet" href="x">',
      '<template><p>in</p></template>',
      '<noscript><p>in</p></noscript>',
      '<svg><a href="https://x.example">in</a></svg>',
      '<math><mi>in</mi></math>',
      '<audio src="x"></audio>',
      '<video src="x"></video>',
      '<canvas>in</canvas>',
      '<dialog open="">in</dialog>',
      '<title>in</title>',
    ]) {
      assert.equal(clean(`<p>a</p>${html}<p>b</p>`), '<p>a</p><p>b</p>', html);
    }
  });
  it('takes out elements that are on no list, and keeps their text', () => {
    for (const name of ['form', 'button', 'label', 'marquee', 'bdo', 'x-own', 'fieldset'])
      assert.equal(clean(`<div>a<${name}>b</${name}></div>`), '<div>ab</div>', name);
    assert.equal(clean('<p>a<input value="b"></p>'), '<p>a</p>');
  });
  it('takes out attributes that are on no list, or stand on another element than theirs', () => {
    for (const attribute of [
      'onclick="x"',
      'onerror="x"',
      'srcset="x"',
      'ping="x"',
      'data-blocked="x"',
      'aria-label="x"',
      'contenteditable=""',
      'formaction="x"',
      'src="https://a.example"',
      'href="https://a.example"',
      'name="x"',
      'coords="1"',
      'usemap="#m"',
      'text="red"',
      'tabindex="1"',
      'autofocus=""',
    ]) {
      assert.equal(clean(`<p ${attribute}>x</p>`), '<p>x</p>', attribute);
    }
  });
  it('takes out links that are none of the web or mail', () => {
    const link = (href: string) => /href="([^"]*)"/.exec(clean(`<a href="${href}">x</a>`))?.[1];
    for (const href of [
      'javascript:a',
      ' JaVa&#10;ScRiPt:a',
      'file:///a',
      '//x.example',
      'data:text/html,a',
      'vbscript:a',
      'command:workbench.action.quit',
      'vscode://x',
      '#x',
      `https://x.example/${'a'.repeat(20_001)}`,
    ]) {
      assert.equal(link(href), undefined, href.slice(0, 40));
    }
    assert.equal(link(' https://x.example/a '), 'https://x.example/a');
    assert.equal(link('mailto:a@b.example'), 'mailto:a@b.example');
    assert.equal(
      clean('<a href="https://x.example/">x</a>'),
      '<a href="https://x.example/" rel="noreferrer noopener" target="_self" title="https://x.example/">x</a>',
    );
    assert.equal(
      clean('<map name="m"><area coords="1,2" href="javascript:a" shape="rect"></map>'),
      '<map name="m"><area coords="1,2" shape="rect" rel="noreferrer noopener" target="_self"></map>',
    );
  });
  it('blocks pictures that may not be shown', () => {
    for (const src of ['http://x.example/p.png', 'cid:x', 'data:image/svg+xml;base64,AA', 'javascript:a', 'x.png', ''])
      assert.equal(clean(`<img src="${src}">`), '<img data-blocked="" alt="">', src);
    assert.equal(clean('<table background="http://x.example/p.png"></table>'), '<table></table>');
    assert.equal(
      clean('<table background="https://x.example/p.png"></table>'),
      '<table background="https://x.example/p.png"></table>',
    );
  });
  it('takes out names that would stand before those of the document', () => {
    assert.equal(clean('<p id="body">a</p><p id="createElement">b</p>'), '<p>a</p><p>b</p>');
  });
  it('takes out comments, and sheets that hide elements', () => {
    assert.equal(clean('<p>a<!-- <img src=x onerror=x> -->b</p>'), '<p>ab</p>');
    assert.equal(clean('<style>p{x:"</s"} <img src=x></style>x'), 'x');
  });
});
