import assert from 'node:assert/strict';
import fc from 'fast-check';
import { observeCommands } from '../../shared/providers/imap/session/observe.js';
import { ImapWire } from '../../shared/providers/imap/session/imapWire.js';
import type { Talk } from '../../shared/wireTalk.js';

/** What client (`>`) and server (`<`) say in turn; commands are asked for as they are written. */
type Said = readonly [by: '<' | '>', bytes: string];
/** Plays what is said in the pieces given, and gives what was kept of each command, by tag. */
function played(said: readonly Said[], cut: (bytes: Buffer) => Buffer[] = bytes => [bytes]): Record<string, string[]> {
  const inside = { tagCounter: 0 };
  const wire = new ImapWire(inside, {} as never);
  const talks: Record<string, Talk> = {};
  for (const [by, text] of said) {
    const bytes = Buffer.from(text, 'latin1');
    if (by === '<') for (const piece of cut(bytes)) wire.came(piece);
    else {
      for (const [, tag, name] of text.matchAll(/(?<=^|\n)([\dA-F]+|P\d+) ((?:UID )?[A-Z]+)(?= |\r)/g)) {
        if (tag!.startsWith('P')) continue;
        talks[tag!] ??= wire.expect(name!);
        inside.tagCounter = parseInt(tag!, 16);
      }
      wire.sent(bytes);
      for (const [, tag] of text.matchAll(/(?<=^|\n)(P\d+) /g)) talks[tag!] = wire.beside(tag!)!;
    }
  }
  return Object.fromEntries(
    Object.entries(talks).map(([tag, talk]) => [
      tag,
      talk.text().turns.flatMap(({ by, text }) =>
        text
          .replace(/\n$/, '')
          .split('\n')
          .map(line => `${by === 'client' ? 'C' : 'S'}: ${line}`),
      ),
    ]),
  );
}
const CASES: Record<string, { said: Said[]; kept: Record<string, string[]> }> = {
  'commands in one flight, whose answers name them': {
    said: [
      ['>', '1 EXAMINE INBOX\r\n2 UID SEARCH ALL\r\n'],
      ['<', '* 3 EXISTS\r\n1 OK [READ-ONLY] done\r\n* SEARCH 1 2\r\n2 OK done\r\n'],
    ],
    kept: {
      1: ['C: 1 EXAMINE INBOX', 'S: * 3 EXISTS', 'S: 1 OK [READ-ONLY] done'],
      2: ['C: 2 UID SEARCH ALL', 'S: * SEARCH 1 2', 'S: 2 OK done'],
    },
  },
  'rows that go to a FETCH, also where another command is older': {
    said: [
      ['>', '1 NOOP\r\n'],
      ['>', 'P1 UID FETCH 1 (UID)\r\nP2 UID FETCH 2 (UID)\r\n'],
      ['<', '* 1 FETCH (UID 1)\r\n1 OK\r\nP1 OK\r\n* 2 FETCH (UID 2)\r\nP2 NO no\r\n'],
    ],
    kept: {
      1: ['C: 1 NOOP', 'S: 1 OK'],
      P1: ['C: P1 UID FETCH 1 (UID)', 'S: * 1 FETCH (UID 1)', 'S: P1 OK'],
      P2: ['C: P2 UID FETCH 2 (UID)', 'S: * 2 FETCH (UID 2)', 'S: P2 NO no'],
    },
  },
  'a literal whose bytes look like answers': {
    said: [
      ['>', '1 UID FETCH 1 (BODY[])\r\n2 NOOP\r\n'],
      ['<', '* 1 FETCH (BODY[] {22}\r\n1 OK no\r\n2 BAD {5}\r\n)\r\n1 OK done\r\n2 OK done\r\n'],
    ],
    kept: {
      1: [
        'C: 1 UID FETCH 1 (BODY[])',
        'S: * 1 FETCH (BODY[] {22}',
        'S: 1 OK no',
        'S: 2 BAD {5}',
        'S: )',
        'S: 1 OK done',
      ],
      2: ['C: 2 NOOP', 'S: 2 OK done'],
    },
  },
  'a literal of the client that looks like commands, and one that is refused': {
    said: [
      ['>', '1 APPEND A {12}\r\n'],
      ['<', '+ go on\r\n'],
      ['>', '2 login a b\n\r\n'],
      ['<', '1 OK\r\n'],
      ['>', '2 APPEND A {99}\r\n'],
      ['<', '2 NO no room\r\n'],
      ['>', '3 NOOP\r\n4 NOOP\r\n'],
      ['<', '3 OK\r\n4 OK\r\n'],
    ],
    kept: {
      1: ['C: 1 APPEND A {12}', 'S: + go on', 'C: 2 login a b\\u000a', 'C: ', 'S: 1 OK'],
      2: ['C: 2 APPEND A {99}', 'S: 2 NO no room'],
      3: ['C: 3 NOOP', 'S: 3 OK'],
      4: ['C: 4 NOOP', 'S: 4 OK'],
    },
  },
  'news while nobody asks, which stands before the next command': {
    said: [
      ['<', '* OK ready\r\n'],
      ['>', '1 NOOP\r\n'],
      ['<', '1 OK\r\n* 4 EXISTS\r\n'],
      ['>', '2 IDLE\r\n'],
      ['<', '+ idling\r\n* 5 EXISTS\r\n'],
      ['>', 'DONE\r\n'],
      ['<', '2 OK\r\n'],
    ],
    kept: {
      1: ['S: * OK ready', 'C: 1 NOOP', 'S: 1 OK'],
      2: ['S: * 4 EXISTS', 'C: 2 IDLE', 'S: + idling', 'S: * 5 EXISTS', 'C: DONE', 'S: 2 OK'],
    },
  },
  'logins in every way, of which nothing is kept': {
    said: [
      ['>', '1 AUTHENTICATE PLAIN AHUAcGFzcw==\r\n'],
      ['<', '1 NO no\r\n'],
      ['>', '2 AUTHENTICATE LOGIN\r\n'],
      ['<', '+ VXNlcm5hbWU6\r\n'],
      ['>', 'dQ==\r\n'],
      ['<', '+ UGFzc3dvcmQ6\r\n'],
      ['>', 'cGFzcw==\r\n'],
      ['<', '2 NO no\r\n'],
      ['>', '3 LOGIN "u" {4}\r\n'],
      ['<', '+ OK\r\n'],
      ['>', 'pass\r\n'],
      ['<', '3 NO no\r\n'],
      ['>', '4 AUTHENTICATE XOAUTH2 dXNlcj11\r\n'],
      ['<', '+ eyJzdGF0dXMiOiI0MDAifQ==\r\n'],
      ['>', '\r\n'],
      ['<', '4 NO no\r\n'],
      ['>', '5 LOGIN u pass\r\n'],
      ['<', '* CAPABILITY IMAP4rev1\r\n5 OK\r\n'],
    ],
    kept: {
      1: ['C: 1 AUTHENTICATE PLAIN ***', 'S: 1 NO no'],
      2: ['C: 2 AUTHENTICATE LOGIN', 'S: + ***', 'C: ***', 'S: + ***', 'C: ***', 'S: 2 NO no'],
      3: ['C: 3 LOGIN ***', 'S: + ***', 'C: ***', 'S: 3 NO no'],
      4: ['C: 4 AUTHENTICATE XOAUTH2 ***', 'S: + ***', 'C: ***', 'S: 4 NO no'],
      5: ['C: 5 LOGIN ***', 'S: * CAPABILITY IMAP4rev1', 'S: 5 OK'],
    },
  },
};

describe('the wire of IMAP, told apart by command', () => {
  for (const [name, { said, kept }] of Object.entries(CASES))
    it(name, () => {
      assert.deepEqual(played(said), kept);
    });
  it('is the same in whatever pieces it comes', () => {
    const cuts = (sizes: number[]) => (bytes: Buffer) => {
      const pieces: Buffer[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length]!;
        pieces.push(bytes.subarray(at, at + size));
        at += size;
      }
      return pieces;
    };
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(CASES)),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }),
        (name, sizes) => assert.deepEqual(played(CASES[name]!.said, cuts(sizes)), CASES[name]!.kept),
      ),
    );
  });
  it('is not listened to where nobody asked: neither what goes nor what comes passes through anything', () => {
    const library = () => ({
      exec: async () => {},
      write: () => {},
      tagCounter: 0,
      streamer: { processInputChunk: async () => {} },
    });
    for (const wire of [false, true]) {
      const client = library();
      const { write } = client;
      const { processInputChunk } = client.streamer;
      observeCommands({ observe: () => {}, wire } as never, {} as never, client as never);
      assert.deepEqual(
        [client.write === write, client.streamer.processInputChunk === processInputChunk],
        [!wire, !wire],
      );
    }
  });
});
