import assert from 'node:assert/strict';
import fc from 'fast-check';
import { choice, flag, isMailError, list, number, providers, text, time, type Fields } from '../../shared/index.js';
import {
  afterSave,
  changesOf,
  conflicts,
  editingOf,
  firstValues,
  packPlace,
  readText,
  secretsOf,
  segment,
  textOf,
  unpackPlace,
  valuesOf,
  wholeOf,
} from '../../extension/fields/values.js';
import { NOTHING_BOUND } from '../../extension/fields/tables.js';

const fields = {
  name: text('Name', { clearable: true }),
  limit: number('Limit', { min: 1, max: 1000 }),
  on: flag('On'),
  level: choice('Level', { low: 'Low', high: 'High' }, { required: true }),
  at: time('At'),
  aliases: list('Aliases', text('Alias')),
  dotted: text('Dotted', { as: 'part.inner' }),
  fixed: text('Fixed'),
} as Fields;
const issuesOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (isMailError(error)) return (error.details.issues ?? []).map(one => one.field);
    throw error;
  }
  return [];
};

describe('documents: values', () => {
  it('are found where vendors put them: flat, nested, among attributes, as relationships', () => {
    assert.equal(valuesOf(fields, { native: { name: 'a' } }).name, 'a');
    assert.equal(valuesOf(fields, { native: { attributes: { limit: 5 } } }).limit, 5);
    assert.equal(valuesOf(fields, { native: { part: { inner: 'x' } } }).dotted, 'x');
    assert.equal(
      valuesOf({ user: text('User') }, { native: { relationships: { user: { data: { id: '7' } } } } }).user,
      '7',
    );
    assert.equal(valuesOf(fields, { name: 'common', native: {} }).name, 'common');
  });
  it('are null where a vendor said nothing, or nothing the field could hold', () => {
    assert.deepEqual(valuesOf(fields, { native: { limit: 'many', level: 'unheard of', on: null } }), {
      name: null,
      limit: null,
      on: null,
      level: null,
      at: null,
      aliases: null,
      dotted: null,
      fixed: null,
    });
  });
  it('no password is ever part of a document', () => {
    for (const provider of providers) {
      for (const name of Object.keys(provider.operations)) {
        if (!name.endsWith('.update')) continue;
        const editing = editingOf(provider, name.slice(0, -7), NOTHING_BOUND);
        for (const [key, field] of Object.entries(editing?.fields ?? {}))
          assert.ok(!(field.type === 'text' && field.secret), `${provider.id} ${name} ${key}`);
        for (const key of Object.keys(secretsOf(provider, name.slice(0, -7))))
          assert.equal(editing!.fields[key], undefined);
      }
    }
  });
});

describe('documents: what a save sends', () => {
  const read = { name: 'Ann', limit: 10, on: false, level: 'low', at: null, aliases: ['a'], dotted: null, fixed: 'x' };
  it('0 for a number that was emptied, where that takes it away', () => {
    const size = { size: number('Size', { min: 0, clearable: true }), days: number('Days', { min: 1 }) };
    assert.deepEqual(changesOf(size, { size: 5, days: 2 }, { size: null, days: 2 }), { size: 0 });
    assert.throws(() => changesOf(size, { size: 5, days: 2 }, { size: 5, days: null }), /Days cannot be empty/);
    // An object that is set as a whole is sent without it.
    assert.deepEqual(wholeOf(size, { size: 5, days: 2 }, { size: 5, days: null }), { size: 5 });
  });
  it('only the difference, and required fields besides', () => {
    assert.deepEqual(changesOf(fields, read, { ...read, limit: 20 }), { limit: 20, level: 'low' });
    assert.deepEqual(changesOf(fields, read, read), {});
  });
  it("what must be sent besides is the server's, not what was read long ago", () => {
    assert.deepEqual(changesOf(fields, read, { ...read, limit: 20 }, { ...read, level: 'high' }), {
      limit: 20,
      level: 'high',
    });
  });
  it('an emptied text that may be cleared is sent as empty; others are refused', () => {
    assert.deepEqual(changesOf(fields, read, { ...read, name: null }), { name: '', level: 'low' });
    assert.deepEqual(
      issuesOf(() => changesOf(fields, read, { ...read, fixed: '' })),
      ['fixed'],
    );
  });
  it('everything wrong is said at once, by field', () => {
    assert.deepEqual(issuesOf(() => changesOf(fields, read, { ...read, limit: 5000, level: 'odd', stray: 1 })).sort(), [
      'level',
      'limit',
      'stray',
    ]);
  });
  it('a key left out of the text is unchanged, not removed', () => {
    const { name: _, ...rest } = read;
    assert.deepEqual(changesOf(fields, read, rest), {});
  });
  it('any edit and its reverse send nothing (property)', () => {
    const values = fc.record({
      name: fc.option(fc.string({ maxLength: 20 }).filter(one => !/[\r\n]/.test(one))),
      limit: fc.option(fc.integer({ min: 1, max: 1000 })),
      on: fc.option(fc.boolean()),
      level: fc.constantFrom('low', 'high'),
      at: fc.constant(null),
      aliases: fc.constant(null),
      dotted: fc.constant(null),
      fixed: fc.constant('x'),
    });
    fc.assert(
      fc.property(values, one => {
        assert.deepEqual(changesOf(fields, one, readText(textOf(one))), {});
      }),
    );
  });
  it('a conflict is a field changed here and there to different values', () => {
    assert.deepEqual(conflicts({ a: 1, b: 1, c: 1 }, { a: 2, b: 2, c: 1 }, { a: 3, c: 4 }), ['a']);
    assert.deepEqual(conflicts({ a: 1 }, { a: 3 }, { a: 3 }), [], 'the same change twice is none');
    assert.deepEqual(conflicts({ a: null }, { a: 'x' }, { a: '' }), ['a']);
    assert.deepEqual(conflicts({ a: '' }, { a: null }, { a: 'x' }), [], 'nothing is nothing, however it is written');
  });
  it('where nobody knows what the text was made from, everything that would be changed is a conflict', () => {
    assert.deepEqual(conflicts(undefined, { a: 1, b: 2, c: 3 }, { a: 3, b: 1, c: 3 }), ['a', 'b']);
    assert.deepEqual(conflicts(undefined, { a: null }, { a: 1 }), ['a']);
  });
  it("afterwards the vendor's answer counts, else what was sent", () => {
    assert.equal(afterSave(fields, read, { limit: 20 }, { native: { limit: 15 } }).limit, 15);
    assert.equal(afterSave(fields, read, { limit: 20 }, undefined).limit, 20);
    assert.equal(afterSave(fields, read, { name: '' }, undefined).name, null);
  });
  it('text that is no JSON object is refused', () => {
    for (const bad of ['', '{', '[]', '1', 'null']) assert.throws(() => readText(bad), isMailError);
  });
});

describe('what a form begins with', () => {
  const made = {
    on: flag('On', { suggest: true }),
    off: flag('Off'),
    must: flag('Must', { suggest: true, required: true }),
    fixed: number('Fixed', { default: 5 }),
  } as Fields;
  it('defaults and what is usual, where something is made', () =>
    assert.deepEqual(firstValues(made, true), { on: true, must: true, fixed: 5 }));
  it('a change begins with nothing that nobody chose', () =>
    assert.deepEqual(firstValues(made, false), { must: true, fixed: 5 }));
});

describe('documents: addresses', () => {
  it('come back as they went in, whatever ids a vendor has (property)', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-zA-Z]+$/), fc.string({ unit: 'grapheme' }), { maxKeys: 4 }),
        fc.string({ minLength: 1, unit: 'grapheme' }),
        (refs, account) => {
          assert.deepEqual(unpackPlace(packPlace({ account, resource: 'mailbox', refs: { ...refs } })), {
            account,
            resource: 'mailbox',
            refs: { ...refs },
          });
        },
      ),
    );
  });
  it('others are refused', () => {
    for (const bad of ['', 'x', 'account=a', 'resource=b']) assert.equal(unpackPlace(bad), undefined);
  });
  it('a label cannot change the path', () => {
    assert.ok(!/[/\\?#]/.test(segment('../../a/b\\c?d#e')));
  });
});
