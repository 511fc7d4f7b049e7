import './fakeVscode.js';
import assert from 'node:assert/strict';
import { People } from '../../extension/mail/people.js';

describe('the addresses that are offered', () => {
  const made = () => {
    const kept = new Map<string, unknown>();
    const people = new People({
      get: (key: string) => kept.get(key),
      update: async (key: string, value: unknown) => void kept.set(key, value),
    } as never);
    return { people, kept };
  };
  it('are those of mail that was read or sent, the latest first, found by any word of them', () => {
    const { people } = made();
    people.add({ email: 'ann@x.example', name: 'Lee, Ann' }, [{ email: 'bob@x.example' }], undefined);
    people.add(['Annabel <bel@y.example>', 'no address']);
    assert.deepEqual(people.find('ann'), ['Annabel <bel@y.example>', '"Lee, Ann" <ann@x.example>']);
    assert.deepEqual(
      ['lee', 'BOB@', 'y.ex', 'nn', 'a', ''].map(text => people.find(text).length),
      [1, 1, 1, 0, 0, 0],
    );
    assert.deepEqual(people.find('bob@x.example'), [], 'what is written out is not offered');
    people.add('ann@x.example');
    assert.deepEqual(people.find('ann@')[0], '"Lee, Ann" <ann@x.example>', 'a name that is known stays');
  });
  it('are so many and no longer, and forgotten when that is asked for', async () => {
    const { people, kept } = made();
    people.add(
      Array.from({ length: 700 }, (_, i) => `user${i}@x.example`),
      `${'x'.repeat(300)}@x.example`,
    );
    assert.equal((kept.get('people') as string[]).length, 500);
    assert.deepEqual([people.find('user0@').length, people.find('user').length], [0, 6]);
    await people.clear();
    assert.deepEqual(people.find('user'), []);
  });
});
