import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addressParser } from 'postal-mime';
import { splitAddresses } from '../../extension/webview/page/addresses.js';

describe('recipients that are typed or pasted', () => {
  for (const [how, text, wanted] of [
    ['by commas', 'a@x.example, b@x.example', ['a@x.example', 'b@x.example']],
    ['by semicolons, as Outlook does', 'a@x.example; b@x.example;', ['a@x.example', 'b@x.example']],
    ['by line ends', 'a@x.example\r\n b@x.example\n\n', ['a@x.example', 'b@x.example']],
    [
      'but not inside quotes',
      '"Doe, Jane; PhD" <jane@x.example>, b@x.example',
      ['"Doe, Jane; PhD" <jane@x.example>', 'b@x.example'],
    ],
    ['nor inside comments', 'a@x.example (one, two), b@x.example', ['a@x.example (one, two)', 'b@x.example']],
    [
      'nor in what a backslash keeps',
      '"a\\", b" <a@x.example>, b@x.example',
      ['"a\\", b" <a@x.example>', 'b@x.example'],
    ],
    [
      'and a name with a comma stays with its address',
      'Doe, Jane <jane@x.example>; Roe, Rick <rick@x.example>',
      ['"Doe, Jane" <jane@x.example>', '"Roe, Rick" <rick@x.example>'],
    ],
    ['and what is no address stays, to be refused', 'nobody, a@x.example', ['nobody', 'a@x.example']],
  ] as const)
    it(`are parted ${how}`, () => assert.deepEqual(splitAddresses(text), wanted));

  it('are parted where another parser parts them', () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/);
    const address = fc.tuple(word, word).map(([a, b]) => `${a}@${b}.example`);
    const name = fc.oneof(
      word,
      fc.tuple(word, fc.constantFrom(', ', '; ', ' '), word).map(([a, sign, b]) => `"${a}${sign}${b}"`),
    );
    const one = fc.oneof(
      address,
      fc.tuple(name, address).map(([who, at]) => `${who} <${at}>`),
    );
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 6 }), many => {
        const text = many.join(', ');
        assert.deepEqual(
          splitAddresses(text).flatMap(part => addressParser(part).map(found => found.address)),
          addressParser(text).map(found => found.address),
        );
        assert.deepEqual(splitAddresses(text), many);
      }),
      { numRuns: 500 },
    );
  });
});
