import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hiding } from '../../shared/secrets.js';
import { Talk } from '../../shared/wireTalk.js';

describe('what client and server said', () => {
  const talk = (secret?: string) => new Talk(secret === undefined ? String : hiding([secret]));
  it('stands in turns, with whatever nobody sees written out', () => {
    const one = talk();
    one.say('client', 'a NOOP\r\n');
    one.say('server', '* OK bell \u0007, turned \u202e, a nought \0\r\n');
    one.say('server', 'a lone\nfeed and a lone\rreturn\r\na OK\r\n');
    assert.deepEqual(one.text(), {
      turns: [
        { by: 'client', text: 'a NOOP\n' },
        {
          by: 'server',
          text: '* OK bell \\u0007, turned \\u202e, a nought \\u0000\na lone\\u000a\nfeed and a lone\\u000dreturn\na OK\n',
        },
      ],
    });
  });
  it('is kept up to a bound, whatever comes and in whatever pieces, and what is left out is counted', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ client: fc.boolean(), size: fc.nat(20_000), times: fc.nat(40) }), { maxLength: 30 }),
        said => {
          const one = talk();
          const total = { client: 0, server: 0 };
          for (const { client, size, times } of said)
            for (let i = 0; i < times; i++) {
              one.say(client ? 'client' : 'server', ' '.repeat(size));
              total[client ? 'client' : 'server'] += size;
            }
          assert.ok(one.size < 2 * 32 * 1024 + 1_000, String(one.size));
          const counted = { client: 0, server: 0 };
          for (const { by, text, left = 0 } of one.text().turns) counted[by] += text.length + left;
          assert.deepEqual(counted, total);
        },
      ),
    );
  });
  it('keeps the answer that ends it behind what is too long', () => {
    const one = talk();
    one.say('server', ' '.repeat(100_000));
    one.end(Buffer.from('a OK done\r\n'));
    const [long, end] = one.text().turns;
    assert.equal(long!.text.length + long!.left!, 100_000);
    assert.deepEqual(end, { by: 'server', text: 'a OK done\n' });
  });
  it('keeps a line that ends it and never ends itself up to the same bound, in one turn', () => {
    for (const before of [0, 20_000, 100_000]) {
      const one = talk();
      one.say('server', ' '.repeat(before));
      for (let i = 0; i < 1_000; i++) one.end(Buffer.from(' '.repeat(1_000)));
      assert.ok(one.size < 32 * 1024 + 8 * 1024 + 1_000, `${one.size} bytes`);
      const { turns } = one.text();
      assert.ok(turns.length <= 2, `${turns.length} turns`);
      assert.equal(
        turns.reduce((sum, { text, left = 0 }) => sum + text.length + left, 0),
        before + 1_000_000,
      );
    }
  });
  it('shows no part of a secret in a line that ends it in pieces, wherever there is no more room', () => {
    const secret = 'correct-horse-battery-staple';
    for (const before of [100, 32 * 1024 - 200, 32 * 1024 - 40, 32 * 1024 - 20, 100_000])
      for (let at = 1; at < secret.length; at++) {
        const one = talk(secret);
        one.say('server', ' '.repeat(before));
        for (const piece of [`a NO ${secret.slice(0, at)}`, secret.slice(at), ' is wrong\r\n'])
          one.end(Buffer.from(piece));
        const shown = JSON.stringify(one.text());
        for (let i = 0; i + 6 <= secret.length; i++)
          assert.ok(!shown.includes(secret.slice(i, i + 6)), shown.slice(-90));
        assert.match(shown, /is wrong/);
      }
  });
  it('shows no part of a secret that the bound cuts', () => {
    const secret = 'correct-horse-battery-staple';
    for (let at = 1; at < secret.length + 2; at++) {
      const one = talk(secret);
      one.say('server', `${'x '.repeat(16 * 1024)}`.slice(at) + secret + secret);
      const shown = JSON.stringify(one.text());
      for (let i = 0; i + 6 <= secret.length; i++) assert.ok(!shown.includes(secret.slice(i, i + 6)), String(at));
    }
  });
  it('is bounded too where both sides say next to nothing in turns without end', () => {
    const one = talk();
    for (let i = 0; i < 20_000; i++) one.say(i % 2 ? 'client' : 'server', ' ');
    const { turns } = one.text();
    assert.ok(turns.length < 1_000 && one.size < 150_000, `${turns.length} turns, ${one.size} bytes`);
    assert.equal(
      turns.reduce((sum, { text, left = 0 }) => sum + text.length + left, 0),
      20_000,
    );
  });
  it('costs no more memory for coming byte by byte', () => {
    const one = talk();
    for (let i = 0; i < 30_000; i++) one.say('server', Uint8Array.of(0x20));
    assert.equal((one.text().turns[0] as { text: string }).text.length, 30_000);
    assert.ok(one.parts <= 64, `${one.parts} parts`);
  });
});
