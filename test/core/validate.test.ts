import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  choice,
  file,
  fileOf,
  flag,
  isMailError,
  json,
  list,
  number,
  text,
  time,
  validate,
  type Field,
  type Fields,
} from '../../shared/index.js';

/** What is wrong with an input, by field. */
const issues = (fields: Fields, input: Record<string, unknown>) => {
  try {
    validate(fields, input);
  } catch (error) {
    assert.ok(isMailError(error) && error.code === 'invalid_input', String(error));
    return error.details.issues!;
  }
  return [];
};
const accepts = (field: Field, value: unknown) => validate({ it: field }, { it: value }).it;
const refuses = (field: Field, value: unknown, words: RegExp) => {
  const [issue] = issues({ it: field }, { it: value });
  assert.ok(issue, `${JSON.stringify(value)} was accepted`);
  assert.equal(issue.field, 'it');
  assert.match(issue.message, words);
};

describe('validate', () => {
  it('names every problem at once, by field, and unknown names too', () => {
    const fields = {
      name: text('Name', { required: true }),
      size: number('Size', { min: 1 }),
      when: time('When'),
      on: flag('On'),
    };
    const found = issues(fields, { size: 0, when: 'soon', on: 'perhaps', colour: 'red' });
    assert.deepEqual(found.map(issue => issue.field).sort(), ['colour', 'name', 'on', 'size', 'when']);
  });
  it('says the one problem itself, and counts several', () => {
    assert.throws(() => validate({ name: text('Name', { required: true }) }, {}), /^MailError: Name is required\.$/);
    assert.throws(() => validate({}, { a: 1, b: 2 }), /2 fields need correction: .*"a".*"b"/);
  });
  it('leaves out what is absent: undefined, null, and empty texts and lists of fields that cannot be cleared', () => {
    const fields = { a: text('A'), b: text('B'), c: text('C'), d: list('D', text('E')) };
    assert.deepEqual(validate(fields, { a: undefined, b: null, c: '', d: [] }), {});
    assert.deepEqual(
      validate({ a: text('A', { clearable: true }), d: list('D', text('E'), { clearable: true }) }, { a: '', d: [] }),
      { a: '', d: [] },
    );
  });
  it('fills in defaults, also for required fields', () => {
    assert.deepEqual(
      validate({ a: text('A', { required: true, default: 'x' }), b: flag('B', { default: false }) }, {}),
      { a: 'x', b: false },
    );
  });
  it('refuses names that are only inherited', () => {
    assert.equal(issues({}, JSON.parse('{"__proto__": 1, "constructor": 2}') as Record<string, unknown>).length, 2);
    refuses(choice('It', { a: 'A' }), 'toString', /must be one of a/);
  });

  it('text: length, pattern, line breaks, kinds', () => {
    assert.equal(accepts(text('It'), 5), '5');
    refuses(text('It'), {}, /^It must be text, not an object\.$/);
    refuses(text('It'), ['a'], /not a list/);
    refuses(text('It'), true, /not boolean/);
    refuses(text('It', { minLength: 3 }), 'ab', /at least 3 characters; it has 2/);
    refuses(text('It', { maxLength: 3 }), 'abcd', /at most 3 characters; it has 4/);
    refuses(text('It', { pattern: '^\\d+$', example: '12' }), 'a', /such as 12/);
    for (const broken of ['a\nb', 'a\rb', 'a\r\nBcc: c@example.com']) refuses(text('It'), broken, /line breaks/);
    assert.equal(accepts(text('It', { lines: 5 }), 'a\nb'), 'a\nb');
  });
  const formats: Record<string, { good: string[]; bad: string[] }> = {
    email: {
      good: ['ann@example.com', 'ä@exämple.de', "o'neil+tag@sub.example.co"],
      bad: [
        'ann',
        'ann@',
        '@example.com',
        'a b@example.com',
        'Ann <ann@example.com>',
        ' ann@example.com',
        'ann@example..com',
        'a@b,c@d',
      ],
    },
    address: {
      good: ['ann@example.com', 'Ann Example <ann@example.com>', '"Example, Ann" <ann@example.com>'],
      bad: ['Ann <ann>', 'a@b.c, d@e.f', 'Ann <ann@example.com', 'a\u0000b@example.com'],
    },
    uri: {
      good: ['https://example.com/x', 'http://127.0.0.1:1'],
      bad: ['example.com', 'ftp://example.com', 'javascript:alert(1)', 'https://'],
    },
    uuid: {
      good: ['234daf08-1557-45a3-9b38-443e4823e640', '234DAF08-1557-45A3-9B38-443E4823E640'],
      bad: ['234daf08155745a39b38443e4823e640', '../x', '234daf08-1557-45a3-9b38-443e4823e640x'],
    },
    host: {
      good: ['mail.example.com', 'localhost', 'a-b.example'],
      bad: ['-a.example', 'a..b', 'a b', 'http://a', `${'a'.repeat(64)}.example`],
    },
    ip: { good: ['192.0.2.1', '2001:db8::1'], bad: ['192.0.2', '192.0.2.256', '1', 'example.com'] },
  };
  for (const [format, { good, bad }] of Object.entries(formats)) {
    it(`text: ${format}`, () => {
      const field = text('It', { format: format as 'email' });
      for (const value of good) assert.equal(accepts(field, value), value);
      for (const value of bad) refuses(field, value, /^It must/);
    });
  }
  it('number: whole unless told otherwise, in its range, from text too', () => {
    refuses(number('It'), 'many', /^It must be a number\.$/);
    refuses(number('It'), ['a'], /^It must be a number, not a list\.$/);
    assert.equal(accepts(number('It'), '42'), 42);
    assert.equal(accepts(number('It', { fraction: true }), 1.5), 1.5);
    refuses(number('It'), 1.5, /whole number/);
    for (const bad of ['', ' ', 'x', NaN, Infinity, true, {}])
      if (bad !== '') refuses(number('It'), bad, /must be a number/);
    refuses(number('It', { min: 1, max: 9 }), 10, /between 1 and 9/);
    refuses(number('It', { min: 1 }), 0, /at least 1/);
    refuses(number('It', { max: 9 }), 10, /at most 9/);
  });
  it('flag: true and false only', () => {
    assert.deepEqual(
      [true, 'true', false, 'false'].map(value => accepts(flag('It'), value)),
      [true, true, false, false],
    );
    for (const bad of [1, 0, 'yes', 'TRUE']) refuses(flag('It'), bad, /true or false/);
  });
  it('time: dates, ISO texts, milliseconds and Luxon, always with zone in the end', () => {
    const at = '2026-11-21T09:00:00.000Z';
    for (const value of [
      at,
      new Date(at),
      Date.parse(at),
      { toMillis: () => Date.parse(at) },
      '2026-11-21T10:00:00+01:00',
    ])
      assert.equal(accepts(time('It'), value), at);
    for (const bad of ['soon', '5', '12:30', new Date(NaN), {}, true]) refuses(time('It'), bad, /date and time/);
  });
  it('choice: its own values, others only where it is open', () => {
    assert.equal(accepts(choice('It', { 4: 'Four' }), 4), '4');
    refuses(choice('It', { a: 'A', b: 'B' }), 'c', /one of a, b/);
    assert.equal(accepts(choice('It', { a: 'A' }, { open: true }), 'c'), 'c');
  });
  it('json: an object, also as text', () => {
    assert.deepEqual(accepts(json('It'), '{"a":1}'), { a: 1 });
    for (const bad of ['[1]', 'null', '{', 5, [1]]) refuses(json('It'), bad, /JSON object/);
  });
  it('file: something that can be opened', () => {
    const value = fileOf('a.txt', 'text/plain', new Uint8Array(3));
    assert.equal(accepts(file('It'), value), value);
    refuses(file('It'), { name: 'a.txt' }, /must be a file/);
  });
  it('list: every entry is checked, text is parted at commas and lines, addresses at unquoted commas, secrets at lines', () => {
    assert.deepEqual(accepts(list('It', text('One')), 'a, b\nc,,'), ['a', 'b', 'c']);
    assert.deepEqual(accepts(list('It', number('One')), ['1', 2]), [1, 2]);
    assert.deepEqual(accepts(list('It', text('One', { secret: true })), 'a,b\nc'), ['a,b', 'c']);
    assert.deepEqual(
      accepts(list('It', text('One', { format: 'address' })), '"Example, Ann" <a@example.com>, b@example.com'),
      ['"Example, Ann" <a@example.com>', 'b@example.com'],
    );
    assert.deepEqual(accepts(list('It', text('One')), 'single'), ['single']);
    const found = issues({ it: list('It', text('One', { format: 'email' })) }, { it: ['a@example.com', 'b', 'c'] });
    assert.deepEqual(
      found.map(issue => issue.message.match(/entry (\d)/)![1]),
      ['2', '3'],
    );
    refuses(list('It', text('One'), { maxItems: 1 }), ['a', 'b'], /at most 1/);
    refuses(list('It', text('One'), { minItems: 2 }), ['a'], /at least 2/);
  });
  it('never throws anything but invalid_input, whatever it is given', () => {
    const fields: Fields = {
      a: text('A', { format: 'email' }),
      b: number('B'),
      c: flag('C'),
      d: time('D'),
      e: json('E'),
      f: choice('F', { x: 'X' }),
      g: list('G', text('H', { format: 'address' })),
      h: file('I'),
      i: text('J', { format: 'uri' }),
    };
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(fields), 'other'), fc.anything()), input => {
        issues(fields, input);
      }),
      { numRuns: 500 },
    );
  });
});
