import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatAddress, parseAddress, splitAddresses } from '../../shared/index.js';

const local = fc.stringMatching(/^[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9+_-]{1,10})?$/);
const email = fc
  .tuple(local, fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,6}){1,2}$/))
  .map(([l, d]) => `${l}@${d}`);
const name = fc
  .string({ unit: 'grapheme', maxLength: 20 })
  .filter(text => !/[\p{Cc}\p{Surrogate}]/u.test(text))
  .map(text => text.trim());

describe('addresses', () => {
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(email, name, (address, called) => {
        const written = formatAddress(called ? { email: address, name: called } : { email: address });
        assert.deepEqual(parseAddress(written), called ? { email: address, name: called } : { email: address });
      }),
    );
  });
  it('parts a list into what was joined', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ email, name }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(', ', ';', '\n'),
        (all, between) => {
          const written = all.map(one => formatAddress(one.name ? one : { email: one.email }));
          assert.deepEqual(splitAddresses(written.join(between)), written);
        },
      ),
    );
  });
  it('refuses what could carry a header, a second address or a route', () => {
    for (const text of [
      '',
      ' ',
      'ann',
      'ann@',
      '@example.com',
      'a@b@c',
      'ann@example.com\r\nBcc: x@example.com',
      'Ann\n <ann@example.com>',
      'ann@example.com,bob@example.com',
      'Ann <ann@example.com>, Bob <bob@example.com>',
      '<ann@example.com> x',
      '.ann@example.com',
      'ann.@example.com',
      'an..n@example.com',
      'ann@[127.0.0.1]',
      `${'a'.repeat(65)}@example.com`,
    ])
      assert.equal(parseAddress(text), undefined, JSON.stringify(text));
  });
  it('never takes anything with a control character', () => {
    fc.assert(
      fc.property(email, fc.nat(31), fc.nat(40), (address, code, at) => {
        const text = address.slice(0, at) + String.fromCharCode(code) + address.slice(at);
        assert.equal(parseAddress(text), undefined);
      }),
    );
  });
});
