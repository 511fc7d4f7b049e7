import assert from 'node:assert/strict';
import fc from 'fast-check';
import { tame } from '../../extension/form/page/tame.js';

/** The most elements open at once, counted by the letter: what has an end tag of its own and is not closed by what follows. */
function deepest(html: string, ...names: string[]): number {
  let now = 0, most = 0;
  for (const [, close, name] of html.matchAll(/<(\/?)([a-z]+)[^>]*>/gi)) if (names.includes(name!.toLowerCase())) { now += close ? -1 : 1; most = Math.max(most, now); }
  return most;
}

describe('mail before it is parsed', () => {
  it('stays as it is when it is honest', () => {
    for (const honest of [
      '', 'plain < text & more', '<p>One<p>Two<br>three<img src="a.png" alt=\'x > y\'>', '<ul><li>a<li>b</ul>', '<table><tr><td>1<td>2<tr><td>3</table>',
      '<style>p > b { color: red } /* </p> */</style><p style="a:b">x</p>', '<b><i>crossed</b></i>', '<a href="https://x.example/?a=1&b=2">x</a>', `${'<div>'.repeat(80)}x${'</div>'.repeat(80)}`,
      `<table>${'<tr><td>cell'.repeat(2000)}</table>`, '<p>'.repeat(3000), '<textarea><b></textarea><b>y</b>', `${'<div>'.repeat(20)}<table>${'<div>'.repeat(50)}</table>`.repeat(2),
    ]) assert.equal(tame(honest), honest);
  });
  it('loses comments, drawings, and tags without an end', () => {
    assert.equal(tame('a<!-- <b> --><!--[if mso]><p>x<![endif]-->b<!DOCTYPE html>c<!-->d<?xml x?>e'), 'abcde');
    assert.equal(tame('a<svg><style><g></style><p>x</svg>b<math>c'), 'a</svg>bc'.replace('</svg>', ''));
    assert.equal(tame('a<p title="x>y'), 'a');
    assert.equal(tame('a<!-- never ends <p>'), 'a');
    assert.equal(tame('a</div></b>b'), 'ab');
  });
  it('never has more open than the parser bears, and keeps all of its text', () => {
    const divs = tame(`${'<div>'.repeat(100_000)}deep`), tables = tame(`${'<table><tr><td>'.repeat(5000)}deep${'</td></tr></table>'.repeat(5000)}after`), fonts = tame(Array.from({ length: 50_000 }, (_, i) => `<font size=${i}>`).join('') + 'deep');
    assert.ok(deepest(divs, 'div') <= 120 && divs.endsWith('deep'));
    assert.ok(deepest(tables, 'table') <= 24 && tables.includes('deep') && tables.endsWith('after'));
    assert.ok(deepest(fonts, 'font') <= 24 && fonts.endsWith('deep'));
    assert.ok((tame('<br>x'.repeat(400_000)).match(/<br>/g) ?? []).length <= 150_000);
  });
  it('a dropped tag takes its end tag with it, so that what is around stays whole', () => {
    const text = tame(`<table>${'<tr><td><table>'.repeat(40)}x${'</table></td></tr>'.repeat(40)}</table><p>after</p>`);
    assert.equal((text.match(/<table>/g) ?? []).length, (text.match(/<\/table>/g) ?? []).length);
  });
  it('takes time in proportion to its length, whatever the shape', () => {
    const shapes = ['<table>', '<div><b>', '<a x="', '<!--', '<svg>', '<style>', '<font size=1', '</p></div>', '<', '<p', '<svg><style>', '"<a \'=', '<textarea></textarea ', '<b><p></b>'];
    for (const shape of shapes) {
      const time = (length: number) => { const text = shape.repeat(length / shape.length), start = process.cpuUsage().user; tame(text); return process.cpuUsage(undefined).user - start; };
      time(100_000);
      const short = Math.max(time(250_000), 4000), long = time(2_000_000);
      assert.ok(long < short * 8 * 6, `${shape}: ${short} and ${long} microseconds`);
    }
  });
  it('never fails, and does the same to its own result (property)', () => {
    const piece = fc.constantFrom('<div>', '</div>', '<b>', '</b>', '<table>', '</table>', '<svg>', '</svg>', '<style>', '</style>', '<!--', '-->', '<p title="', '">', "'", '=', 'text', '<', '>', '<br/>', '<script>', '</script >', '<TD>', '\u0130');
    fc.assert(fc.property(fc.array(piece, { maxLength: 60 }).map(parts => parts.join('')), html => {
      const once = tame(html);
      assert.ok(once.length <= html.length + 20 * 10);
      assert.ok(!/<(svg|math)[\s>]/i.test(once.replace(/<(style|script|p title=)[\s\S]*/i, '')));
    }));
  });
});
