import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type MailComposer from 'nodemailer/lib/mail-composer/index.js';

const root = join(import.meta.dirname, '..');
const load = createRequire(join(root, 'package.json'));
type Composer = typeof MailComposer;
/** The types of attached files by the ends of their names, as a composer writes them. */
const typesOf = (composer: Composer, ends: readonly string[]): string[] =>
  new composer({ text: 'x', attachments: ends.map(end => ({ filename: `file.${end}`, content: 'x' })) })
    .compile()
    .childNodes.slice(1)
    .map(({ getHeader }, i, nodes) => String(getHeader.call(nodes[i], 'Content-Type')).split(';')[0]!);

describe('what is bundled of libraries', () => {
  it('attached files are of a type that the library gives them, or of one it does not know', () => {
    const { extensions } = load(join(root, 'node_modules/libmime/dist/cjs/mimetypes.js')) as {
      extensions: Record<string, string | string[]>;
    };
    const ends = [...Object.keys(extensions), 'unknown', ''];
    const own = typesOf((load(join(root, 'dist/shared/lazy/mail-composer.js')) as { default: Composer }).default, ends);
    const whole = typesOf(load('nodemailer/lib/mail-composer') as Composer, ends);
    assert.ok(ends.length > 1000);
    const others = ends.flatMap((end, i) =>
      own[i] === whole[i] || [extensions[end]].flat().includes(own[i]) ? [] : [`${end}: ${own[i]}, not ${whole[i]}`],
    );
    assert.deepEqual(others, []);
    for (const [end, type] of Object.entries({
      md: 'text/markdown',
      heic: 'image/heic',
      pdf: 'application/pdf',
      unknown: 'application/octet-stream',
    })) {
      assert.equal(own[ends.indexOf(end)], type);
    }
  });

  it('charsets of two and three bytes, whose tables are made by Node, are read and written as the library does', () => {
    type Charsets = typeof import('iconv-lite');
    const own = load(join(root, 'dist/shared/lazy/iconv-lite.js')) as Charsets;
    const whole = load('iconv-lite') as Charsets;
    const bytes = Array.from({ length: 256 }, (_, i) => i);
    const pairs = bytes.filter(lead => lead > 0x7f).flatMap(lead => bytes.map(trail => [lead, trail]));
    for (const charset of ['gb2312', 'gbk', 'gb18030', 'cp950', 'big5', 'shift_jis', 'euc-jp', 'euc-kr']) {
      const sequences = [
        ...bytes.map(one => [one]),
        ...pairs,
        ...(charset === 'euc-jp' ? pairs.map(pair => [0x8f, ...pair]) : []),
      ];
      let known = 0;
      for (const sequence of sequences) {
        const text = whole.decode(Buffer.from(sequence), charset);
        const shown = `${charset} ${Buffer.from(sequence).toString('hex')}`;
        assert.equal(own.decode(Buffer.from(sequence), charset), text, shown);
        if (text.includes('\ufffd')) continue;
        known += 1;
        assert.deepEqual(own.encode(text, charset), whole.encode(text, charset), shown);
      }
      assert.ok(known > 8_000, charset);
    }
  });

  it('no table of characters is built before a charset needs it', () => {
    for (const name of ['iconv-lite.js', 'libmime.js'])
      Reflect.deleteProperty(load.cache, join(root, 'dist/shared/lazy', name));
    load(join(root, 'dist/shared/lazy/libmime.js'));
    const { _codecDataCache: built } = load(join(root, 'dist/shared/lazy/iconv-lite.js')) as {
      _codecDataCache: Record<string, unknown>;
    };
    assert.deepEqual(
      Object.keys(built).filter(name => !/^utf|^base64|^hex|^_/.test(name)),
      [],
    );
  });
});
