import assert from 'node:assert/strict';
import { JSDOM } from 'jsdom';

interface Clean {
  html: string;
  remote: boolean;
  cut: boolean;
}
type Sanitize = (html: string, options: { images: boolean; inline: Record<string, string> }) => Clean;
/** Its path is no literal, so that it stays out of this check. */
const PAGE: string = '../../extension/mail/page/sanitize.js';
const GLOBALS = ['window', 'document', 'DOMParser', 'Node'] as const;

/**
 * The whole way of a message into the reader, in a document of Node's, which knows no sheets: the bounds that stand
 * beside the cleaner's lists.
 */
describe('a message on its way into the reader', function () {
  this.timeout(120_000);
  let sanitize: Sanitize;
  let window: JSDOM['window'];
  const spare = GLOBALS.map(name => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  before(async () => {
    ({ window } = new JSDOM(''));
    const own = window as unknown as Record<string, unknown>;
    for (const name of GLOBALS) Object.defineProperty(globalThis, name, { value: own[name], configurable: true });
    ({ sanitize } = (await import(PAGE)) as { sanitize: Sanitize });
  });
  after(() => {
    for (const [name, own] of spare) {
      if (own) Object.defineProperty(globalThis, name, own);
      else delete (globalThis as Record<string, unknown>)[name];
    }
    window.close();
  });
  const clean = (html: string, options: { images?: boolean; inline?: Record<string, string> } = {}) =>
    sanitize(html, { images: false, inline: {}, ...options });
  const count = (text: string, of: string) => text.split(of).length - 1;

  it('loses what runs, and keeps what it says and how it is laid out', () => {
    const { html, remote, cut } = clean(
      '<body bgcolor="#eee" onload="x()"><table width="600"><tr><td style="padding:3px;position:fixed" onclick="x()"><script>x()</script><p>Words</p></td></tr></table>',
    );
    assert.equal(
      html,
      '<body bgcolor="#eee"><table width="600"><tbody><tr><td style="padding: 3px;"><p>Words</p></td></tr></tbody></table></body>',
    );
    assert.deepEqual([remote, cut], [false, false]);
  });
  it('asks for no picture of another machine before it may, and shows those that it brings along', () => {
    const html =
      '<img src="https://a.example/1"><img src="//a.example/2"><img src="cid:a%40b"><img src="cid:constructor"><img src="data:image/png;base64,AA"><img src="data:image/svg+xml;base64,AA">' +
      '<td background="https://a.example/3">';
    const blocked = clean(html, { inline: { 'a@b': 'data:image/png;base64,BB' } });
    assert.doesNotMatch(blocked.html, /a\.example|svg/);
    assert.deepEqual(
      [blocked.remote, count(blocked.html, 'data-blocked'), count(blocked.html, 'src="data:image/png')],
      [true, 4, 2],
    );
    const shown = clean(html, { images: true, inline: { 'a@b': 'data:image/png;base64,BB' } });
    assert.deepEqual(
      [shown.remote, count(shown.html, 'src="https://a.example'), count(shown.html, 'data-blocked')],
      [true, 2, 2],
    );
  });
  it('ends at a number of elements and of characters, and says so', () => {
    const many = clean('<hr>'.repeat(60_100));
    assert.deepEqual([count(many.html, '<hr>') < 60_100, many.cut], [true, true]);
    const long = clean(`<p>${'a'.repeat(1_100_000)}</p>`.repeat(2));
    assert.deepEqual([long.html.length < 2_100_000, long.cut], [true, true]);
    const short = clean('<hr>'.repeat(100));
    assert.deepEqual([count(short.html, '<hr>'), short.cut], [100, false]);
  });
  it('has cells that span few others, each and together', () => {
    const row = (cells: string) => `<table><tr>${cells}</tr></table>`;
    assert.match(clean(row('<td colspan="5000">x')).html, /<td colspan="100">/);
    assert.doesNotMatch(clean(row('<td rowspan="-1">x')).html, /rowspan/);
    const together = [...clean(row('<td colspan="100">x'.repeat(300))).html.matchAll(/colspan="(\d+)"/g)].reduce(
      (sum, [, span]) => sum + Number(span),
      0,
    );
    assert.ok(together <= 20_000, String(together));
  });
  it('has few of what costs the more the more there is', () => {
    for (const [html, of, most] of [
      ['<q>a</q>', '<q>', 1000],
      ['<p dir="rtl">a</p>', 'dir=', 3000],
      ['<li value="3">a', 'value=', 200],
      ['<map name="m"></map>', '<map', 200],
      ['<img usemap="#m">', 'usemap=', 200],
    ] as const)
      assert.equal(count(clean(html.repeat(most + 50)).html, of), most, html);
  });
  it('has attributes of some length, and addresses whole or not at all', () => {
    assert.match(clean(`<p title="${'a'.repeat(5000)}">x`).html, /title="a{2000}"/);
    const link = `https://a.example/${'a'.repeat(5000)}`;
    assert.ok(clean(`<a href="${link}">x</a>`).html.includes(`href="${link}"`));
    assert.doesNotMatch(clean(`<a href="https://a.example/${'a'.repeat(30_000)}">x</a>`).html, /href=/);
  });
  it('has few boxes in boxes, and few in all: layout takes long by every level', () => {
    const boxes = (html: string) => count(clean(html).html, 'display: block !important');
    assert.equal(boxes('<div style="display:flex">'.repeat(6)), 2);
    assert.equal(boxes('<div style="display:grid"></div>'.repeat(1003)), 3);
  });
});
