import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LoginWire } from '../../shared/providers/imap/session/loginWire.js';
import { Talk } from '../../shared/wireTalk.js';

type Said = readonly [by: '<' | '>', text: string];
/** What is passed on of what client (`>`) and server (`<`) say, the server in pieces of these sizes. */
function passed(protocol: 'SMTP' | 'Sieve', said: readonly Said[], sizes: readonly number[] = [1_000]): string[] {
  const talk = new Talk(String);
  const wire = new LoginWire(talk, protocol);
  for (const [by, text] of said) {
    const bytes = Buffer.from(`${text}\r\n`);
    if (by === '>') wire.sent(bytes, undefined);
    else
      for (let at = 0, i = 0; at < bytes.length; at += sizes[i++ % sizes.length]!)
        wire.came(bytes.subarray(at, at + sizes[i % sizes.length]!));
  }
  return talk.text().turns.flatMap(({ by, text }) =>
    text
      .trimEnd()
      .split('\n')
      .map(line => `${by === 'client' ? '>' : '<'} ${line}`),
  );
}
const SMTP: Said[] = [
  ['<', '220 mail.example'],
  ['>', 'EHLO [127.0.0.1]'],
  ['<', '250-mail.example\r\n250 AUTH PLAIN LOGIN XOAUTH2'],
  ['>', 'AUTH PLAIN AHUAcGFzcw=='],
  ['<', '535-5.7.8 no\r\n535 5.7.8 no'],
  ['>', 'AUTH LOGIN'],
  ['<', '334 VXNlcm5hbWU6'],
  ['>', 'dQ=='],
  ['<', '334 UGFzc3dvcmQ6'],
  ['>', 'cGFzcw=='],
  ['<', '535 no'],
  ['>', 'AUTH XOAUTH2 dXNlcj11'],
  ['<', 'what is this\r\n334 eyJzdGF0dXMiOiI0MDAifQ=='],
  ['>', ''],
  ['<', '235 welcome'],
  ['>', 'QUIT'],
];
const SIEVE: Said[] = [
  ['<', '"SASL" "PLAIN LOGIN"\r\nOK'],
  ['>', 'AUTHENTICATE "PLAIN" "AHUAcGFzcw=="'],
  ['<', 'NO "no"'],
  ['>', 'AUTHENTICATE "LOGIN"'],
  ['<', '"VXNlcm5hbWU6"'],
  ['>', '"dQ=="'],
  ['<', '{12}\r\nUGFzc3dvcmQ6'],
  ['>', '{8+}\r\ncGFzcw=='],
  ['<', 'OK "welcome"'],
  ['>', 'CAPABILITY'],
];

describe('a login on the wire', () => {
  it('of SMTP is passed on without what it carries, and what is around it whole', () => {
    assert.deepEqual(passed('SMTP', SMTP), [
      '< 220 mail.example',
      '> EHLO [127.0.0.1]',
      '< 250-mail.example',
      '< 250 AUTH PLAIN LOGIN XOAUTH2',
      '> AUTH PLAIN ***',
      '< 535-5.7.8 no',
      '< 535 5.7.8 no',
      '> AUTH LOGIN',
      '< ***',
      '> ***',
      '< ***',
      '> ***',
      '< 535 no',
      '> AUTH XOAUTH2 ***',
      '< ***',
      '< ***',
      '> ***',
      '< 235 welcome',
      '> QUIT',
    ]);
  });
  it('of ManageSieve is passed on in the same way', () => {
    assert.deepEqual(passed('Sieve', SIEVE), [
      '< "SASL" "PLAIN LOGIN"',
      '< OK',
      '> AUTHENTICATE "PLAIN" ***',
      '< NO "no"',
      '> AUTHENTICATE "LOGIN"',
      '< ***',
      '> ***',
      '< ***',
      '< ***',
      '> ***',
      '< OK "welcome"',
      '> CAPABILITY',
    ]);
  });
  it('carries nothing in ways that are not known here, nor in a command that is not well formed', () => {
    const begins = [
      ['AUTH SCRAM-SHA-256-PLUS biwsbj11', 'AUTH SCRAM-SHA-256-PLUS ***'],
      ['AUTHENTICATE "EXTERNAL" "dQ=="', 'AUTHENTICATE "EXTERNAL" ***'],
      ['AUTH  PLAIN AHUAcGFzcw==', 'AUTH ***'],
      ['AUTH AHUAcGFzcw==', 'AUTH ***'],
    ];
    for (const [line, shown] of begins)
      assert.deepEqual(
        passed('SMTP', [
          ['>', line!],
          ['<', '334 cj1ub25jZQ=='],
          ['>', 'Yz1iaXdz'],
        ]),
        [`> ${shown}`, '< ***', '> ***'],
      );
    assert.deepEqual(passed('SMTP', [['>', 'AUTHOR x']]), ['> AUTHOR x']);
  });
  it('is the same in whatever pieces the server sends it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 1 }), sizes => {
        assert.deepEqual(passed('SMTP', SMTP, sizes), passed('SMTP', SMTP));
        assert.deepEqual(passed('Sieve', SIEVE, sizes), passed('Sieve', SIEVE));
      }),
    );
  });
});
