import assert from 'node:assert/strict';
import fc from 'fast-check';
import { allowedValue, costOf } from '../../extension/mail/page/allowed.js';
import { limitCharacters } from '../../extension/mail/page/characterLimits.js';
import { layoutValue } from '../../extension/mail/page/layoutValues.js';
import { SHOWN } from '../../extension/webview/messages.js';
import { limitMarkup } from '../../extension/mail/page/markupLimits.js';

/**
 * The most elements open at once, counted by the letter: what has an end tag of its own and is not closed by what
 * follows.
 */
function deepest(html: string, ...names: string[]): number {
  let now = 0;
  let most = 0;
  for (const [, close, name] of html.matchAll(/<(\/?)([a-z]+)[^>]*>/gi))
    if (names.includes(name!.toLowerCase())) {
      now += close ? -1 : 1;
      most = Math.max(most, now);
    }
  return most;
}

describe('mail before it is parsed', () => {
  it('stays as it is when it is honest', () => {
    for (const honest of [
      '',
      'plain text & more',
      '<p>One<p>Two<br>three<img src="a.png" alt="x > y">',
      '<ul><li>a<li>b</ul>',
      '<table><tr><td>1<td>2<tr><td>3</table>',
      '<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>',
      '<style>p > b { color: red }</style><p style="a:b">x</p>',
      '<b><i>crossed</b></i>',
      '<a href="https://x.example/?a=1&b=2">x</a>',
      `${'<div>'.repeat(80)}x${'</div>'.repeat(80)}`,
      `<table>${'<tr><td>cell'.repeat(2000)}</table>`,
      '<p>'.repeat(3000),
      '<dl><dt>a<dd>b<dt>c<dd><div>d</div></dl>',
      `${'<div>'.repeat(20)}<table><tr><td>${'<div>'.repeat(50)}</table>`.repeat(2),
      '<a href="https://x.example/"><table><tbody><tr><td><b>x</b></td></tr></tbody></table></a>'.repeat(200),
      `<table>${'<tr><td><font color="red"><p>left open'.repeat(500)}</table>`,
      '<a class="x">left open '.repeat(500),
      '<p>a</p></p>b',
    ])
      assert.equal(limitMarkup(honest), honest);
  });
  it('writes what is kept in one way, and text without a tag in it', () => {
    assert.equal(
      limitMarkup('<IMG SRC=a.png alt=\'x "y" <z>\' onerror=x></ p> 1 < 2'),
      '<img src="a.png" alt="x &quot;y&quot; &lt;z>">&lt;/ p> 1 &lt; 2',
    );
    assert.equal(
      limitMarkup('<img usemap=#m><map name=m><area shape=rect coords="0,0,9,9" href=https://x.example/ ping=y></map>'),
      '<img usemap="#m"><map name="m"><area shape="rect" coords="0,0,9,9" href="https://x.example/"></map>',
    );
    assert.equal(limitMarkup('<textarea><b></textarea><b>y</b><xmp><i></xmp>'), '&lt;b><b>y</b>&lt;i>');
    assert.equal(limitMarkup('<style>a<b{}/*</p>*/</style>'), '<style>ab{}/*/p>*/</style>');
    assert.equal(
      limitMarkup('<html dir=rtl onclick=x><style media=print type=x onload=x>a{}</style><body text=red>b'),
      '<html dir="rtl"><style media="print" type="x">a{}</style><body text="red">b',
    );
    assert.equal(
      limitMarkup(
        '<body background=x><form><button>go</button><select><option>1</select></form><noscript><p>n</p></noscript><custom-part>c',
      ),
      '<body background="x">go1c',
    );
  });
  it('loses comments, drawings, and tags without an end', () => {
    assert.equal(limitMarkup('a<!-- <b> --><!--[if mso]><p>x<![endif]-->b<!DOCTYPE html>c<!-->d<?xml x?>e'), 'abcde');
    assert.equal(limitMarkup('a<svg><style><g></style><p>x</svg>b<math>c<svg/>d<svg></svg>e'), 'abcde');
    assert.equal(limitMarkup('a<p title="x>y'), 'a');
    assert.equal(limitMarkup('a<!-- never ends <p>'), 'a');
    assert.equal(limitMarkup('a</div></b>b'), 'ab');
  });
  // Each of these looks closed and is not for the parser: repeated, half a megabyte of it took seconds.
  for (const [why, given, kept] of [
    ['a span does not end around a block', '<span><div></span>', '<span><div>'],
    ['nor around a paragraph', '<span><p></span></p>', '<span><p></p>'],
    ['nothing ends out of a cell', '<div><table><tr><td></div>', '<div><table><tr><td>'],
    ['a list item does not end out of a list', '<li><ul></li>', '<li><ul>'],
    ['what looks like a comment hides an end', '<div></ </div>', '<div>&lt;/ </div>'],
    ['quotes that are none hide an end', '<div ="b="></div>', '<div></div>'],
    ['a tag hides in quotes that are none', '<br ="><div ">', '<br>'],
    ['other spaces belong to the name', '<br\u00a0><p\u00a0>', ''],
    ['the Kelvin sign is no k', '<mar\u212a>', ''],
    ['a form ends by itself', '<form><div></form>', '<div>'],
    ['formatting does not end out of a cell', '<b><table><tr><td></b></table></b>', '<b><table><tr><td></table></b>'],
    ['formatting is put right for eight blocks', `<b>${'<div>'.repeat(8)}</b>`, `<b>${'<div>'.repeat(8)}`],
    [
      'a table ends a table',
      '<table><table><td>x</table>y</table>',
      '<table><td>x</table>'.replace('</table>', 'y</table>'),
    ],
    ['a head that is not there ends nothing', '<table><b><td></thead></b>', '<table><b><td></thead>'],
    ['a part of no table is none', '<td><tr></td>', ''],
  ] as const)
    it(`${why}: ${given.slice(0, 40)}`, () => assert.equal(limitMarkup(given), kept));
  it('never has more open than the parser bears, and keeps all of its text', () => {
    const divs = limitMarkup(`${'<div>'.repeat(100_000)}deep`);
    const tables = limitMarkup(`${'<table><tr><td>'.repeat(5000)}deep${'</td></tr></table>'.repeat(5000)}after`);
    const fonts = limitMarkup(Array.from({ length: 50_000 }, (_, i) => `<font size=${i}>`).join('') + 'deep');
    assert.ok(deepest(limitMarkup('<li><dd><dl><optgroup>'.repeat(50_000)), 'li', 'dd', 'dl') <= 120);
    assert.ok(
      (
        limitMarkup(Array.from({ length: 100 }, (_, i) => `<b id=${i}>`).join('') + '<p>x'.repeat(100_000)).match(
          /<p>/g,
        ) ?? []
      ).length <=
        100_000 / 24,
      'what is opened again in every block counts as often',
    );
    assert.ok(deepest(divs, 'div') <= 120 && divs.endsWith('deep'));
    assert.ok(deepest(tables, 'table') <= 24 && tables.includes('deep') && tables.endsWith('after'));
    assert.ok(deepest(fonts, 'font') <= 24 && fonts.endsWith('deep'));
    let cut = 0;
    assert.ok(
      (
        limitMarkup('<br>x'.repeat(400_000), () => {
          cut++;
        }).match(/<br>/g) ?? []
      ).length <= 100_000,
    );
    assert.equal(cut, 1, 'and says that there was more, and looks no further');
    limitMarkup('<br>x'.repeat(1000), () => assert.fail('nothing was left out'));
    let long = 0;
    const text = limitMarkup('<'.repeat(6_000_000), () => {
      long++;
    });
    assert.deepEqual([text.length, long], [2 * SHOWN * '&lt;'.length, 1], 'nor more text than twice what is shown');
    assert.equal(limitMarkup('x'.repeat(2 * SHOWN), () => assert.fail('all of it is there')).length, 2 * SHOWN);
  });
  it('a dropped tag takes its end tag with it, so that what is around stays whole', () => {
    const text = limitMarkup(
      `<table>${'<tr><td><table>'.repeat(40)}x${'</table></td></tr>'.repeat(40)}</table><p>after</p>`,
    );
    assert.equal((text.match(/<table>/g) ?? []).length, (text.match(/<\/table>/g) ?? []).length);
  });
  it('takes time in proportion to its length, whatever the shape', () => {
    const shapes = [
      '<table>',
      '<div><b>',
      '<a x="',
      '<!--',
      '<svg>',
      '<style>',
      '<font size=1',
      '</p></div>',
      '<',
      '<p',
      '<svg><style>',
      '"<a \'=',
      '<textarea></textarea ',
      '<b><p></b>',
    ];
    for (const shape of shapes) {
      const time = (length: number) => {
        const text = shape.repeat(length / shape.length);
        const start = process.cpuUsage().user;
        limitMarkup(text);
        return process.cpuUsage(undefined).user - start;
      };
      time(100_000);
      const short = Math.max(time(250_000), 4000);
      const long = time(2_000_000);
      assert.ok(long < short * 8 * 6, `${shape}: ${short} and ${long} microseconds`);
    }
  });
  it('never fails, and does the same to its own result (property)', () => {
    const piece = fc.constantFrom(
      '<div>',
      '</div>',
      '<b>',
      '</b>',
      '<table>',
      '</table>',
      '<svg>',
      '</svg>',
      '<style>',
      '</style>',
      '<!--',
      '-->',
      '<p title="',
      '">',
      "'",
      '=',
      'text',
      '<',
      '>',
      '<br/>',
      '<script>',
      '</script >',
      '<TD>',
      '\u0130',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 60 }).map(parts => parts.join('')),
        html => {
          const once = limitMarkup(html);
          assert.ok(once.length <= html.length * 4 + 20 * 10);
          assert.equal(limitMarkup(once).replaceAll('</p>', ''), once.replaceAll('</p>', ''));
          assert.ok(!/<(svg|math)[\s>]/i.test(once.replace(/<(style|script|p title=)[\s\S]*/i, '')));
        },
      ),
    );
  });
});

describe('styles of mail', () => {
  const none = () => undefined;
  const own = (address: string) => (address.startsWith('cid:') ? 'data:image/png;base64,AA' : undefined);
  it('keep what honest mail says', () => {
    for (const [property, value] of [
      ['color', 'rgb(1, 2, 3)'],
      ['font-family', '"Segoe UI (x)", Arial'],
      ['width', 'calc(100% - 4px)'],
      ['max-width', '600px'],
      ['margin-left', 'auto'],
      ['display', 'inline-block'],
      ['display', 'table-cell'],
      ['border-top-left-radius', '4px'],
      ['background-image', 'linear-gradient(red, rgba(0, 0, 0, 0.5) 50%)'],
      ['-webkit-border-horizontal-spacing', '2px'],
      ['white-space-collapse', 'collapse'],
      ['text-decoration-line', 'underline'],
      ['font-size', '5vw'],
      ['list-style-type', 'lower-roman'],
    ] as const)
      assert.equal(allowedValue(property, value, none), value, `${property}: ${value}`);
  });
  it('lose what takes long, lies over the page, follows its height or reverses its letters', () => {
    for (const [property, value] of [
      ['position', 'fixed'],
      ['column-count', '2'],
      ['filter', 'blur(9px)'],
      ['content', '"x"'],
      ['unicode-bidi', 'bidi-override'],
      ['transform', 'scale(9)'],
      ['all', 'initial'],
      ['--x', 'y'],
      ['x-color', 'red'],
      ['color-x', 'red'],
      ['display', 'flex'],
      ['display', 'grid'],
      ['display', '-webkit-box'],
      ['overflow-x', 'scroll'],
      ['list-style-type', '"AAAA"'],
      ['background-attachment', 'fixed'],
      ['min-height', '100vh'],
      ['height', 'calc(50dvh + 1px)'],
      ['width', '5vmax'],
      ['color', ''],
      ['color', 'var(--x)'],
      ['width', 'attr(x)'],
      ['font-family', '"a" paint(x)'],
      ['background-image', 'paint(x)'],
      ['background-image', `linear-gradient(${'red, '.repeat(300)}red)`],
    ] as const)
      assert.equal(allowedValue(property, value, none), undefined, `${property}: ${value}`);
  });
  it('make boxes in rows and columns, in the order of the text, in which nothing gets out of reach or over the next', () => {
    for (const [property, value, kept] of [
      ['display', 'flex'],
      ['display', 'inline-grid'],
      ['flex-direction', 'column'],
      ['flex-wrap', 'wrap'],
      ['flex-grow', '1'],
      ['flex-basis', '50%'],
      ['row-gap', '8px'],
      ['align-items', 'safe center'],
      ['justify-content', 'space-between'],
      ['justify-content', 'center', 'safe center'],
      ['align-self', 'flex-end', 'safe flex-end'],
      ['grid-template-columns', 'repeat(3, 1fr)'],
      ['grid-template-columns', 'repeat(auto-fit, minmax(200px, 1fr))'],
      ['grid-template-columns', '80px 1fr', 'minmax(min-content, 80px) 1fr'],
      ['grid-template-columns', 'minmax(0px, 1fr) 50%', 'minmax(min-content, 1fr) minmax(min-content, 50%)'],
      ['grid-template-columns', 'repeat(2, 10em)', 'repeat(2, minmax(min-content, 10em))'],
    ] as const)
      assert.equal(layoutValue(property, value), kept ?? value, `${property}: ${value}`);
    for (const [property, value] of [
      ['display', 'block'],
      ['flex-direction', 'row-reverse'],
      ['flex-wrap', 'wrap-reverse'],
      ['order', '1'],
      ['grid-row-start', '1'],
      ['grid-column-start', '1'],
      ['grid-template-areas', '"a b"'],
      ['grid-template-rows', '0px'],
      ['z-index', '1'],
      ['grid-template-columns', 'repeat(5000, 1fr)'],
      ['grid-template-columns', 'repeat(auto-fill, 1px)'],
      ['grid-template-columns', '1fr '.repeat(13).trim()],
      ['grid-template-columns', 'subgrid'],
      ['column-gap', 'calc(100vh)'],
      ['flex-basis', '100vh'],
      ['justify-content', 'right'],
    ] as const)
      assert.equal(layoutValue(property, value), undefined, `${property}: ${value}`);
  });
  it('name no picture but those that may be shown, wherever it stands', () => {
    for (const value of [
      'url("https://x.example/a")',
      'image-set(url("https://x.example/a") 1x)',
      'url("data:image/png,\\c );x:y"), url("//x.example/a")',
      'linear-gradient(red, blue), url("https://x.example/\\"a")',
      'cross-fade(url("https://x.example/a"), red)',
    ]) {
      assert.doesNotMatch(allowedValue('background-image', value, none) ?? '', /example|data:/, value);
    }
    assert.equal(
      allowedValue('background-image', 'url("cid:a"), url("https://x.example/")', own),
      'url("data:image/png;base64,AA"), none',
    );
    assert.equal(
      allowedValue('list-style-image', 'url(https://x.example/a)', () => 'https://x.example/a'),
      undefined,
      'the browser writes quotes; what has none is not its own',
    );
  });
  it('say for whom in short and simple words, which cost by their parts', () => {
    for (const [selector, cost] of [
      ['.sm\\:w', 1],
      ['a[title="x:not(y)"]:hover > b', 2],
      ['td, th + td', 3],
      ['#a .b p:first-child', 11],
      ['.\\3a is', 1],
      ['[class~="x"] table', 6],
    ] as const)
      assert.equal(costOf(selector), cost, selector);
    for (const bad of [
      '&',
      'p:has(a)',
      ':is(a)',
      'a:not(.b)',
      'p:nth-child(2)',
      'p::before',
      'p ~ p',
      'a:NOT(b)',
      'svg|a',
      'img[src*="a"]',
      `p${' p'.repeat(300)}`,
    ])
      assert.equal(costOf(bad), undefined, bad);
  });
});

describe('letters of mail', () => {
  it('stay as they are when they are honest', () => {
    for (const honest of ['Grüße, naïve e\u0301', 'עברית \u2067(1)\u2069', 'हिन्दी', '👨‍👩‍👧 ❤️'])
      assert.equal(limitCharacters()(honest), honest);
  });
  it('lose what turns others backwards, marks by the heap, and turns by the thousand, over all texts of a message', () => {
    const calm = limitCharacters();
    assert.equal(calm('a\u202eb\u202dc'), 'abc');
    assert.equal(calm(`x${'\u0301'.repeat(400_000)}y`), `x${'\u0301'.repeat(16)}y`);
    assert.equal(calm('\u2066'.repeat(600)).length + calm('\u202a'.repeat(600)).length + calm('\u202b').length, 1000);
  });
});
