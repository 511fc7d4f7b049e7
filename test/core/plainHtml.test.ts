import assert from 'node:assert/strict';
import fc from 'fast-check';
import { wordsByLibrary } from '../../shared/htmlText.js';
import { wordsOfPlainHtml } from '../../shared/plainHtml.js';

/** What is plain gives what the library gives; true where it was plain. */
async function agrees(html: string): Promise<boolean> {
  const plain = wordsOfPlainHtml(html);
  if (plain !== undefined) assert.equal(plain, await wordsByLibrary(html), html);
  return plain !== undefined;
}

const space = fc.constantFrom('', '', ' ', '\n', ' \r\n\t', '\u200b', '\u00a0', '  ');
const word = fc.constantFrom(
  'Hello',
  'a',
  'Grüße',
  '日本語',
  '&amp;',
  '&nbsp;',
  '&#8364;',
  '&#x20;',
  '&#32;',
  '&lt;b&gt;',
  'x & y',
  '&',
  '&copy',
  '&bogus;',
  '&#150;',
  '[',
  '😀',
  '\ufeff',
  '\u000b',
);
const text = fc.array(fc.tuple(space, word, space), { maxLength: 4 }).map(parts => parts.flat().join(''));
const address = fc.constantFrom(
  'https://a.example/?a=1&amp;b=2',
  'https://a.example/?a=1&b=2',
  '#top',
  '',
  'mailto:ann@a.example',
  ' https://a.example/ x',
  'Hello',
  'a',
  '&copy=1',
  '&euro;x',
  '&lt',
);
const attributes = fc.oneof(
  fc.constantFrom(
    '',
    '',
    ' class="x y"',
    " style='color:red'",
    ' width=100%',
    ' nowrap',
    '\n bgcolor="#fff" ',
    ' HREF="b" href="a"',
    ' title="x>y"',
    ' alt=x/',
  ),
  address.map(href => ` href="${href}"`),
  address.map(href => ` href=${href}`),
  text.map(alt => ` alt=${alt}`),
  fc.constantFrom(' alt=x', ' width=1 href=x', ' HREF=x', ' href'),
  address.map(href => ` title=" href=x" href='${href}'`),
  text.map(alt => ` alt="${alt.replaceAll('"', '')}"`),
);
const CONTAINERS = [
  'p',
  'div',
  'span',
  'b',
  'A',
  'a',
  'h1',
  'H4',
  'center',
  'table',
  'tr',
  'td',
  'section',
  'font',
  'ul',
  'li',
  'blockquote',
  'pre',
  'article',
  'form',
  'address',
];
const { html } = fc.letrec<{ html: string }>(tie => {
  const inner = fc.array(tie('html'), { maxLength: 4 }).map(parts => parts.join(''));
  const element = fc
    .tuple(fc.constantFrom(...CONTAINERS), attributes, inner)
    .map(([name, given, content]) => `<${name}${given}>${content}</${name.toLowerCase()}>`);
  const cell = fc
    .tuple(fc.constantFrom('td', 'th'), attributes, inner)
    .map(([name, given, content]) => `<${name}${given}>${content}</${name}>`);
  const row = fc
    .tuple(fc.array(cell, { maxLength: 3 }), space)
    .map(([cells, between]) => `<tr>${cells.join(between)}</tr>`);
  const table = fc
    .tuple(fc.constantFrom('', 'tbody', 'thead'), fc.array(row, { maxLength: 3 }))
    .map(([group, rows]) => `<table>${group && `<${group}>`}${rows.join('\n')}${group && `</${group}>`}</table>`);
  const rest = fc.constantFrom(
    '<br>',
    '<br/>',
    '<BR />',
    '<img src="x">',
    '<!-- a note -->',
    '<!--[if mso]><p>x</p><![endif]-->',
    '<!-->',
    '<style>p{}</style>',
    '<style><!-- x --></style>',
    '<hr>',
    '<wbr>',
    '<script>x</script>',
    '<o:p>x</o:p>',
    '<p>',
    '</div>',
    '<td/>',
    '</br>',
    '<',
    '<svg><title>x</title></svg>',
  );
  return {
    html: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { arbitrary: text, weight: 3 },
      { arbitrary: tie('html').map(one => one), weight: 1 },
      { arbitrary: element, weight: 5 },
      { arbitrary: table, weight: 2 },
      {
        arbitrary: fc.tuple(fc.constant('<img'), attributes, fc.constant('>')).map(parts => parts.join('')),
        weight: 1,
      },
      { arbitrary: rest, weight: 1 },
    ),
  };
});
const page = fc
  .tuple(
    fc.constantFrom(
      '',
      '',
      '<!DOCTYPE html>\n',
      '<!doctype html PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">',
    ),
    fc.constantFrom('', '<html>', '<html lang="de">\n'),
    fc.constantFrom(
      '',
      '<head></head>',
      '<head><meta charset=utf-8><title>T &amp; x</title>\n<style>p{}</style></head>',
      '<title>x</title>',
    ),
    fc.constantFrom('', '<body>', '<body bgcolor="#fff">\n'),
    html,
    fc.constantFrom('', '</body>', '</body>\n</html>\n', '</html>', 'x'),
  )
  .map(parts => parts.join(''));

describe('Words of plain HTML', () => {
  it('are those of html-to-text, in whatever HTML; what is not plain is left to it', async () => {
    let plain = 0;
    let all = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(html, page), async one => {
        all++;
        if (await agrees(one)) plain++;
      }),
      { numRuns: 3000 },
    );
    // Without a fair share of plain texts the comparison compares nothing.
    assert.ok(plain > all / 5, `${plain} of ${all}`);
  });

  it('are those of html-to-text where a letter was taken out, put in or doubled', async () => {
    const change = fc
      .tuple(page, fc.nat(), fc.constantFrom('', '<', '>', '"', '/', '&', ' ', '-->', '</p>', '\0', '='))
      .map(([one, at, letter]) => {
        const here = at % (one.length + 1);
        return one.slice(0, here) + letter + one.slice(here + (letter ? 0 : 1));
      });
    await fc.assert(
      fc.asyncProperty(change, async one => {
        await agrees(one);
      }),
      { numRuns: 2000 },
    );
  });

  it('are those of html-to-text, or left to it, where markup is odd', async () => {
    for (const one of [
      '<table><tr><td>x</td><td>y</td><th>z</th></tr></table>',
      '<a href="Hello">Hello</a>',
      '<a href="https://a.example">x</a>',
      '<p>x</p> <b>y</b>',
      '<p>x</p>\n<br>y',
      'x <br> y',
      '<p> </p>x',
      '<div>a</div> <div>b</div>',
      'a<!-- x --!>b<!-- -->c',
      '<!-->a-->b',
      '<!--->a-->b',
      '<style>x</style x>y',
      '<style/>x</style>y',
      '<style>x</style',
      '<STYLE>x</Style>y',
      '<style>x</styles>y</style>z',
      'a<p>b',
      'a<div>b<b>c',
      '<b>x</b y>z',
      '<b/>x</b>',
      '<div/>x',
      '<div>x</div/>y',
      '<div/>x</div/>y',
      '<p>x</p/>y',
      'x</br/>y',
      '<a href=x>y</a>',
      '<img alt=x>',
      'x</img/>y',
      '<body>x',
      '<html><p>x</p></html>',
      '<body>x</body>y',
      '<p>a</p>b<p>c</p>',
      '<div><p>a</p></div><p>b</p>',
      '<div><p>a</p></div>b',
      '<h1>a</h1><div>b</div><h4>c</h4>d',
      'x<a href="#">y</a> z',
      '<a href="x"><img alt="x"></a>',
      '<a href="x"></a>',
      '<b>a</b><b>b</b>',
      '<b>a </b><b> b</b>',
      // Beyond the library's own bounds.
      'x<br>'.repeat(11_000),
      '<b>x</b>'.repeat(21_000),
      `${'<div>'.repeat(150)}x${'</div>'.repeat(150)}`,
      `${'<b>'.repeat(210)}x${'</b>'.repeat(210)}`,
    ])
      await agrees(one);
  });

  it('of what mail programs and newsletters write are read without the library', () => {
    for (const one of [
      '<div dir="ltr">Hi Ann,<div><br></div><div>see you <b>tomorrow</b>.</div></div>',
      '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style type="text/css">p { margin: 0 }</style></head><body dir="ltr"><p>Hi</p></body></html>',
      '<!DOCTYPE html><html><body style="margin:0"><!--[if mso]><table><tr><td><![endif]--><table width="600" cellpadding=0><tbody><tr><td align="center"><a href="https://a.example/?x=1&amp;y=2">' +
        '<img src="https://a.example/l.png" alt="Logo" width="100"></a></td></tr></tbody></table></body></html>',
    ])
      assert.notEqual(wordsOfPlainHtml(one), undefined, one);
  });

  it('cost time that grows with the length of a text, whatever is in it', () => {
    const spent = (one: string) => {
      const begun = process.cpuUsage();
      wordsOfPlainHtml(one);
      const { user, system } = process.cpuUsage(begun);
      return (user + system) / 1000;
    };
    for (const piece of [
      ' ',
      '\n',
      '<',
      '<p>',
      '<p></p>',
      '<b>x</b>',
      '<a x',
      '<a ',
      ' x',
      ' x=',
      '<a x="',
      '<!--',
      '<!-- -->',
      '<style>',
      '<style></style>',
      '<br>',
      '&',
      '&amp;',
      '&#38;',
      '<head> ',
      '<html>',
      '<body>',
      '</body>',
      '<table><tr><td>',
      '<div>x',
      'x</div>',
      '\u200b',
      '<a href=x>y</a>',
      '<meta >',
      '<!doctype >',
    ])
      for (const before of ['', '<html>', '<html><head>', '<!doctype html><body ', '<a', '<a href="'])
        assert.ok(spent(before + piece.repeat((128 * 1024) / piece.length)) < 500, before + piece);
  });
});
