import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formBody } from '../../shared/codecs/form.js';
import { parseXml, xmlReader } from '../../shared/codecs/xml.js';
import { isMailError } from '../../shared/index.js';

const escaped = (text: string) => text.replace(/[&<>]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c]!);

describe('XML', () => {
  it('gives the local root name, repeated elements as lists, leaves as text, and no attributes', async () => {
    const read = await xmlReader();
    assert.deepEqual(
      read(
        '<?xml version="1.0" encoding="utf-8"?>\n<p:a xmlns:p="urn:x" x="1">\n <p:b>1</p:b>\n <p:b> 02 </p:b>\n <c/>\n <d> </d>\n</p:a>\n',
      ),
      { root: 'a', value: { b: ['1', ' 02 '], c: '', d: ' ' } },
    );
  });
  it('decodes the five entities and character references once, and nothing in CDATA', async () => {
    const read = await xmlReader();
    assert.equal(
      read('<a>&lt;&amp;lt;&gt;&quot;&apos; &#228;&#xE4; &amp;#228;<![CDATA[&amp;<b>]]></a>').value,
      '<&lt;>"\' ää &#228;&amp;<b>',
    );
  });
  it('gives back any text that was escaped', async () => {
    const read = await xmlReader();
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aZ09 &<>;#x"\'/!?-[]ä€\u{1F600}') }), text => {
        assert.equal((read(`<a><b>${escaped(text)}</b><c>-</c></a>`).value as { b: string }).b, text);
      }),
    );
  });
  it('refuses a document type and entities of its own, wherever they stand', async () => {
    const read = await xmlReader();
    for (const text of [
      '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
      '<?xml version="1.0"?><!-- -->\n<!doctype a SYSTEM "file:///etc/passwd"><a/>',
      '<a><!ENTITY x "y"></a>',
      '<!-- <a> --><!DOCTYPE a><a/>',
    ]) {
      assert.throws(() => read(text), /document type/, text);
    }
  });
  it('refuses element names that reach a prototype', async () => {
    const read = await xmlReader();
    for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__']) {
      assert.throws(() => read(`<a><${name}><polluted>1</polluted></${name}></a>`), /not allowed|reserved/i, name);
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
  it('refuses what is not one whole document', async () => {
    const read = await xmlReader();
    for (const text of [
      '',
      'text',
      '{}',
      '<a>',
      '<a><b>1</b>',
      '<a></b>',
      '<a/><b/>',
      '<a/><a/>',
      '<a/>tail',
      '<a><b>x</a></b>',
      '<?xml version="1.0"?>',
    ])
      assert.throws(() => read(text), Error, text);
  });
  it('refuses every beginning of a document', async () => {
    const read = await xmlReader();
    const whole =
      '<?xml version="1.0"?><list><total>2</total><items><item>&lt;a&gt;</item><item>b</item></items></list>';
    for (let i = 0; i < whole.length; i++) assert.throws(() => read(whole.slice(0, i)), Error, whole.slice(0, i));
    assert.equal(read(whole).root, 'list');
  });
  it('an unreadable answer is a protocol error with a short excerpt and without secrets', async () => {
    const body = Buffer.from(`<a><password>hunter2hunter2</password>${'x '.repeat(500)}`);
    await assert.rejects(parseXml({ provider: 'P', operation: 'o.p' }, { status: 200, headers: {}, body }), error => {
      assert.ok(
        isMailError(error) &&
          error.code === 'protocol' &&
          error.message.startsWith('P answered o.p with XML that cannot be read'),
      );
      assert.ok(error.message.length < 300, error.message);
      return true;
    });
  });
});

describe('form bodies', () => {
  it('encode as forms do, leave out what is absent, keep what is empty, repeat lists', () => {
    assert.equal(
      formBody({ a: 'x y&z=ä', b: undefined, c: null, d: '', e: false, f: 0, g: ['1', '2'] }),
      'a=x+y%26z%3D%C3%A4&d=&e=false&f=0&g=1&g=2',
    );
  });
  it('are read back as they were', () =>
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), values => {
        assert.deepEqual([...new URLSearchParams(formBody(values))], Object.entries(values));
      }),
    ));
});
