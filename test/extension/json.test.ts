import assert from 'node:assert/strict';
import fc from 'fast-check';
import { getLanguageService, TextDocument } from 'vscode-json-languageservice';
import { schemaOf } from '../../extension/fields/schema.js';
import { NOTHING_BOUND } from '../../extension/fields/tables.js';
import { editingOf, textOf } from '../../extension/fields/values.js';
import { createJsonHelper } from '../../extension/objects/json.js';
import {
  choice,
  flag,
  json,
  list,
  number,
  providers,
  text,
  time,
  validate,
  type Field,
  type Fields,
} from '../../shared/index.js';

/** Everything that has a document, with the fields that it edits. */
const objects = providers.flatMap(provider =>
  Object.keys(provider.operations)
    .filter(name => name.endsWith('.update'))
    .flatMap(name => {
      const editing = editingOf(provider, name.replace(/\.update$/, ''), NOTHING_BOUND);
      return editing && Object.keys(editing.fields).length
        ? [{ name: `${provider.id} ${name}`, fields: editing.fields }]
        : [];
    }),
);
const fields = {
  limit: number('Max Mailings per Day', { help: 'Per mailbox.', min: 0, max: 100, example: '50' }),
  on: flag('Switched On', { required: true }),
  level: choice('Level', { low: 'Low', high: 'High' }),
  kind: choice('Kind', { a: 'A' }, { open: true }),
  at: time('Begins At'),
  more: json('More'),
  to: list('Recipients', text('Recipient', { format: 'email' }), { maxItems: 2 }),
  name: text('Name', { minLength: 2, maxLength: 5 }),
  share: number('Share', { fraction: true }),
} satisfies Fields;
const helper = createJsonHelper(schemaOf(fields));
/** The place of a mark, `|`, and the text without it. */
function at(marked: string): [string, number, number] {
  const [before, after] = marked.split('|') as [string, string];
  const lines = before.split('\n');
  return [before + after, lines.length - 1, lines.at(-1)!.length];
}

describe('the JSON of an object', () => {
  it('completes names and values, by the language service of VS Code itself, for every object that has a document', async () => {
    assert.ok(objects.length >= 10, 'the tables have objects to change');
    for (const { name, fields: own } of objects) {
      const one = createJsonHelper(schemaOf(own));
      const names = (await one.complete('{ "" }', 0, 3)).map(({ label }) => label);
      assert.deepEqual(names.sort(), Object.keys(own).sort(), name);
      for (const [key, field] of Object.entries(own)) {
        if (field.type !== 'choice') continue;
        const before = `{ ${JSON.stringify(key)}: `;
        const offered = (await one.complete(`${before} }`, 0, before.length)).map(({ label }) => label);
        for (const value of Object.keys(field.choices))
          assert.ok(offered.includes(JSON.stringify(value)), `${name}: ${key} offers ${value}`);
      }
    }
  });
  it('says what a field is, under its name and its value', async () => {
    for (const text of ['{ "li|mit": 5 }', '{ "limit": |5 }']) {
      const found = (await helper.hover(...at(text)))!;
      assert.match(found.lines.join('\n'), /Max Mailings per Day[\s\S]*Per mailbox/);
    }
  });
  it('what breaks it is said where it is, and a name that stands there twice', async () => {
    const found = async (text: string) =>
      (await helper.mistakes(text)).map(({ message, range: { start } }) => [message, start.line, start.character]);
    assert.deepEqual(await found('{\n  "limit": 5\n  "on": true\n}'), [['Expected comma', 2, 2]]);
    assert.deepEqual(
      (await found('{ "limit": 5, }')).map(([, line]) => line),
      [0],
    );
    assert.equal((await found('{ "limit": 5, "limit": 6 }')).length, 2);
    assert.equal((await found('{ "limit": 5 /* more */ }')).length, 1);
    assert.deepEqual(await found('{ "limit": 5, "on": true }'), []);
  });
  it('a field is found wherever its value stands', () => {
    const text = '{ "more": { "limit": 1 }, "limit":\n  [ 5,\n 6 ], "on" : }';
    assert.deepEqual(helper.place(text, 'limit'), { start: { line: 1, character: 2 }, end: { line: 2, character: 4 } });
    assert.deepEqual(helper.place(text, 'on').start, { line: 2, character: 6 });
    assert.deepEqual(helper.place(text, 'absent').start, { line: 0, character: 0 });
  });
  it('no text whatever makes it throw, and every place lies in the text', async () => {
    const broken = fc
      .array(
        fc.constantFrom(
          '{',
          '}',
          '[',
          ']',
          ':',
          ',',
          '"limit"',
          '"',
          '5',
          'null',
          '\n',
          '\r\n',
          ' ',
          '\u{1f600}',
          '\\u12',
          '//',
          '-',
        ),
        { maxLength: 12 },
      )
      .map(parts => parts.join(''));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), broken), async given => {
        const lines = given.split(/\r\n|\r|\n/);
        const ranges = [
          ...(await helper.mistakes(given)).map(({ range }) => range),
          helper.place(given, 'limit'),
          helper.place(given, undefined),
        ];
        for (const { start, end } of ranges)
          for (const { line, character } of [start, end]) {
            assert.ok(
              line >= 0 && line < lines.length && character >= 0 && character <= lines[line]!.length + 1,
              `${line}:${character} in ${JSON.stringify(given)}`,
            );
          }
        await helper.complete(given, 0, 0);
        await helper.hover(given, 0, 0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the schema of an object', () => {
  const service = getLanguageService({});
  const accepts = async (own: Fields, values: object): Promise<boolean> => {
    const document = TextDocument.create('mailroom:x.json', 'json', 0, textOf(values as Record<string, unknown>));
    return (
      (await service.doValidation(document, service.parseJSONDocument(document), {}, schemaOf(own) as never)).length ===
      0
    );
  };
  const taken = (own: Fields, values: Record<string, unknown>): boolean => {
    try {
      validate(own, values);
      return true;
    } catch {
      return false;
    }
  };
  it('takes of a value in its own type what the field takes, and nothing else', async () => {
    const byType: Record<Field['type'], fc.Arbitrary<unknown>> = {
      number: fc.oneof(
        fc.integer({ min: -5, max: 200 }),
        fc.integer({ min: -500, max: 20_000 }).map(n => n / 100),
        fc.constantFrom(0, 100, 101),
      ),
      flag: fc.boolean(),
      choice: fc.constantFrom('low', 'high', 'a', 'other'),
      time: fc
        .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-01-01') })
        .map(date => date.toISOString()),
      json: fc.dictionary(fc.string(), fc.integer()),
      list: fc.array(fc.constantFrom('a@b.example', 'c@d.example'), { minLength: 1, maxLength: 4 }),
      text: fc.string({ unit: fc.constantFrom('a', 'b', '1'), minLength: 1, maxLength: 8 }),
      file: fc.constant({}),
    };
    for (const [name, field] of Object.entries(fields) as [string, Field][]) {
      await fc.assert(
        fc.asyncProperty(byType[field.type], async value => {
          assert.equal(
            await accepts({ [name]: field }, { [name]: value }),
            taken({ [name]: field }, { [name]: value }),
            `${name}: ${JSON.stringify(value)}`,
          );
        }),
        { numRuns: 40 },
      );
    }
  });
  it('takes null for what need not be set, and no other names', async () => {
    for (const { name, fields: own } of objects) {
      const free = Object.entries(own)
        .filter(([, field]) => !field.required)
        .map(([key]) => [key, null]);
      assert.ok(await accepts(own, Object.fromEntries(free)), name);
      assert.ok(!(await accepts(own, { 'no such field': 1 })), name);
    }
    assert.ok(!(await accepts(fields, { on: null })));
  });
});
