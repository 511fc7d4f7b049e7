import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ImapFlow } from 'imapflow';
import parser from 'imapflow/lib/handler/imap-parser.js';
import { parseBodystructure, parseEnvelope } from 'imapflow/lib/tools.js';
import { cleanLabel } from '../../shared/providers/imap/mime/address.js';
import { decodingLibraries } from '../../shared/providers/imap/libraries.js';
import {
  drainPipeline,
  envelopeOf,
  fastFetch,
  fetchRow,
  pipelineFetches,
} from '../../shared/providers/imap/wire/fetch.js';
import { plainStructure } from '../../shared/providers/imap/wire/structure.js';
import type { Value } from '../../shared/providers/imap/wire/value.js';

interface Made {
  text: string;
  literals: Buffer[];
}
const joined = (parts: Made[]): Made => ({
  text: parts.map(part => part.text).join(' '),
  literals: parts.flatMap(part => part.literals),
});
const plain = (text: fc.Arbitrary<string>): fc.Arbitrary<Made> => text.map(one => ({ text: one, literals: [] }));
const word = fc.stringMatching(/^[A-Za-z0-9$_.-]{1,8}$/);
const quoted = plain(
  fc
    .string({ unit: fc.constantFrom('a', 'ä', ' ', '(', ')', '"', '\\', '{', '[', '日'), maxLength: 8 })
    .map(text => `"${text.replace(/["\\]/g, '\\$&')}"`),
);
const literal = fc.string({ maxLength: 12 }).map((text): Made => {
  const bytes = Buffer.from(text);
  return { text: `{${bytes.length}}\r\n`, literals: [bytes] };
});
const leaf = fc.oneof(
  plain(word),
  plain(word.map(one => `\\${one}`)),
  plain(fc.constantFrom('NIL', 'nil', '\\*', '1:3', '2,4', '*')),
  quoted,
  literal,
);
const { value } = fc.letrec<{ value: Made; list: Made }>(tie => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, tie('list')),
  list: fc.array(tie('value'), { maxLength: 5 }).map(parts => {
    const { text, literals } = joined(parts);
    return { text: `(${text})`, literals };
  }),
}));
const key = plain(
  fc.oneof(
    word,
    fc.constantFrom(
      'BODY[]',
      'BODY[1.2]<0>',
      'BODY[HEADER]',
      'body[2.MIME]',
      'BINARY[1]',
      'BODY[HEADER.FIELDS (SUBJECT "Date")]',
      'BODY[',
      'BODY[]<1.2>',
      'X[1]',
    ),
  ),
);
const line = fc.array(fc.tuple(key, value).map(joined), { minLength: 1, maxLength: 6 }).map(parts => {
  const { text, literals } = joined(parts);
  return { text: `* 12 FETCH (${text})`, literals };
});
const theirs = async ({ text, literals }: Made): Promise<unknown> =>
  parser(Buffer.from(text), { literals: [...literals] }).catch(() => undefined);

describe('IMAP: answers to FETCH', () => {
  before(decodingLibraries);
  it('are read as the library reads them, or left to it', async () => {
    let read = 0;
    await fc.assert(
      fc.asyncProperty(line, async made => {
        const own = fetchRow(Buffer.from(made.text), made.literals);
        if (!own) return;
        read++;
        assert.deepEqual(JSON.parse(JSON.stringify(own)), JSON.parse(JSON.stringify(await theirs(made))));
      }),
      { numRuns: 1500 },
    );
    assert.ok(read > 300, `${read} of them were read at all`);
  });
  it('are left to the library when they are damaged', async () => {
    await fc.assert(
      fc.asyncProperty(
        line,
        fc.nat(),
        fc.constantFrom('', '(', ')', '"', '{', ']', ' ', '\\', '\u0000'),
        async (made, at, by) => {
          const i = at % made.text.length;
          const damaged = { text: made.text.slice(0, i) + by + made.text.slice(i + 1), literals: made.literals };
          const own = fetchRow(Buffer.from(damaged.text), damaged.literals);
          if (own) assert.deepEqual(JSON.parse(JSON.stringify(own)), JSON.parse(JSON.stringify(await theirs(damaged))));
        },
      ),
      { numRuns: 1500 },
    );
  });
  it('of everyday mail are all read this way', () => {
    const body =
      '(("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "QUOTED-PRINTABLE" 1200 30 NIL NIL NIL NIL)("TEXT" "HTML" NIL NIL NIL "8BIT" 9 1) "ALTERNATIVE" ("BOUNDARY" "b") NIL NIL)';
    const text = `* 3 FETCH (UID 7 FLAGS (\\Seen $Label1) INTERNALDATE "01-Sep-2026 00:00:00 +0000" RFC822.SIZE 2000 MODSEQ (12) ENVELOPE ("Tue, 1 Sep 2026 00:00:00 +0000" "a \\"b\\"" (("Ada" NIL "ada" "test.local")) NIL NIL NIL NIL NIL NIL "<1@test.local>") BODYSTRUCTURE ${body} BODY[1]<0> {3}\r\n BODY[HEADER] "")`;
    assert.ok(fetchRow(Buffer.from(text), [Buffer.from('abc')]));
    assert.equal(fetchRow(Buffer.from(text), []), undefined, 'a literal is missing');
    assert.equal(fetchRow(Buffer.from('* 3 EXISTS'), []), undefined);
  });
  it('give the envelope the library makes of them', async () => {
    const text = fc.oneof(
      fc.constant('NIL'),
      fc
        .string({ unit: fc.constantFrom('a', 'ä', ' ', '.', ',', '<', "'", '日'), maxLength: 6 })
        .map(one => `"${one}"`),
      fc.constant('"\\"Ada\\""'),
    );
    const date = fc.oneof(text, fc.constant('"Tue, 1 Sep 2026 00:00:00 +0200"'));
    // Halves of addresses are whole ones here: what is no address is read from the header, which has tests of its own.
    const mailbox = fc.constantFrom('"ada"', '"a.b"', '"日"', '"\\"Ada\\""');
    const host = fc.constantFrom('"test.local"', '"日.example"', '"[127.0.0.1]"');
    // Blanks alone are a name to the library.
    const name = text.filter(one => !/^" +"$/.test(one));
    const person = fc.oneof(
      fc.tuple(name, fc.constant('NIL'), mailbox, host),
      fc.tuple(name, fc.constant('NIL'), text, fc.constant('NIL')),
    );
    const people = fc.oneof(
      fc.constant('NIL'),
      fc.constant('()'),
      fc
        .array(
          person.map(one => `(${one.join(' ')})`),
          { minLength: 1, maxLength: 3 },
        )
        .map(list => `(${list.join('')})`),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(date, text, people, people, people, people, people, people, text, text),
        async parts => {
          const line = { text: `* 1 FETCH (ENVELOPE (${parts.join(' ')}))`, literals: [] };
          const values = ((await theirs(line)) as { attributes: [unknown, [unknown, unknown[]]] }).attributes[1][1];
          const theirs_ = parseEnvelope(values as never);
          // Names are made fit to be read, which the library leaves to others.
          for (const role of ['from', 'sender', 'replyTo', 'to', 'cc', 'bcc'] as const) {
            const list = theirs_[role]?.map(one => ({ ...one, name: cleanLabel(one.name ?? '') }));
            if (list) theirs_[role] = list.filter(one => one.address || one.name);
          }
          assert.deepEqual(envelopeOf(values as never), theirs_);
        },
      ),
      { numRuns: 1000 },
    );
    const encoded = {
      type: 'STRING',
      value: '=?utf-8?Q?=C3=A4?= =?utf-8?Q?=C3=B6?= b =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=',
    };
    assert.deepEqual(envelopeOf([null, encoded as never]), parseEnvelope([null, encoded] as never));
  });
  it('give the structure the library makes of them, or leave it to the library', async () => {
    const nil = fc.constant('NIL');
    const mostly = (usual: string[], ...other: string[]) =>
      fc.oneof(
        { weight: 12, arbitrary: fc.constantFrom(...usual) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('NIL', '""', '7', '()', '("a" "b")', '"=?utf-8?Q?=C3=A4?="', '"ä"', '-1'),
        },
        { weight: other.length ? 2 : 0, arbitrary: fc.constantFrom('NIL', ...other) },
      );
    const pair = fc.tuple(
      mostly(
        ['"charset"', '"NAME"', '"filename"', '"boundary"', '"x"'],
        '"filename*"',
        '"name*0"',
        '"name*1*"',
        '"__proto__"',
        '"Constructor"',
        '"toString"',
      ),
      mostly(['"utf-8"', '"a b.pdf"', '"x=y?"', 'atom', '""'], '"utf-8\'\'%C3%A4.txt"', '"\t \u0001"'),
    );
    const parameters = fc.oneof(
      nil,
      fc
        .array(
          pair.map(one => one.join(' ')),
          { maxLength: 3 },
        )
        .map(all => `(${all.join(' ')})`),
      mostly(['()']),
    );
    const disposition = fc.oneof(
      nil,
      nil,
      fc.tuple(mostly(['"ATTACHMENT"', '"inline"']), parameters).map(one => `(${one.join(' ')})`),
      mostly(['NIL']),
    );
    const extension = fc
      .tuple(disposition, mostly(['NIL'], '"en"', '("en" "de")'), mostly(['NIL'], '"here"'))
      .map(one => one.join(' '));
    const tail = fc.oneof(extension, fc.constant(''), disposition);
    const size = mostly(['0', '17', '123456', '"5"'], 'x');
    const kinds = mostly(
      ['"TEXT" "PLAIN"', '"text" "html"', '"image" "png"', '"APPLICATION" "vnd.x+y"'],
      '"message" "rfc822"',
      '"text" "a b"',
      '"TEXT" NIL',
    );
    const leaf = fc
      .tuple(
        kinds,
        parameters,
        mostly(['NIL', '"<1@a>"']),
        mostly(['NIL', '"words"']),
        mostly(['"7BIT"', '"base64"']),
        size,
        mostly(['3', ''], 'NIL'),
        mostly(['NIL']),
        tail,
      )
      .map(one => `(${one.join(' ')})`);
    const { part } = fc.letrec<{ part: string }>(tie => ({
      part: fc.oneof(
        { depthSize: 'small' },
        leaf,
        leaf,
        fc
          .tuple(
            fc.array(tie('part'), { minLength: 1, maxLength: 4 }).map(all => all.join('')),
            mostly(['"MIXED"', '"alternative"']),
            parameters,
            tail,
          )
          .map(one => `(${one.join(' ')})`),
      ),
    }));
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(part, async structure => {
        const read = (await theirs({ text: `* 1 FETCH (BODYSTRUCTURE ${structure})`, literals: [] })) as
          { attributes: [unknown, [unknown, Value[]]] } | undefined;
        if (!read) return;
        const values = read.attributes[1][1];
        const own = plainStructure(values);
        if (!own) return;
        plain++;
        assert.deepEqual(own, parseBodystructure(values as never));
      }),
      { numRuns: 3000 },
    );
    assert.ok(plain > 300, `${plain} of them were plain`);
  });
  it('are taken from the bytes wherever those are cut, each once and in order, and everything else reaches the library', async () => {
    const other = plain(
      fc.constantFrom(
        '* 5 EXISTS',
        '* OK [UIDNEXT 7] {3} next',
        '* 12 EXPUNGE',
        '* FLAGS (a b)',
        '* 1 FETCH (UID 3 FLAGS (\\*))',
        '* 12 FETCH',
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(line, line, other), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }),
        async (answers, cuts) => {
          const bytes = Buffer.concat(
            answers.map(({ text, literals }) => {
              const pieces: Buffer[] = [];
              let left = text;
              for (const one of literals) {
                const end = left.indexOf('}\r\n') + 3;
                pieces.push(Buffer.from(left.slice(0, end)), one);
                left = left.slice(end);
              }
              return Buffer.concat([...pieces, Buffer.from(`${left}\r\n`)]);
            }),
          );
          assert.deepEqual(await heard(bytes, cuts, true), await heard(bytes, cuts, false));
        },
      ),
      { numRuns: 500 },
    );
  });
  it('of several commands under way reach each its own, wherever the bytes are cut and however a row is read', async () => {
    // One that this reader takes, and one that it leaves to the library together with what stands behind it.
    const flags = fc.constantFrom('\\Seen', '\\*');
    const rows = fc.array(fc.array(flags, { maxLength: 4 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }),
        fc.constantFrom('OK Done.', 'NO [LIMIT] No.', 'ok'),
        async (commands, cuts, end) => {
          const client = bare();
          const came: number[][] = commands.map(() => []);
          const ended: number[] = [];
          let sent = '';
          let uid = 1;
          let next = 1;
          const sets = commands.map(all => {
            const first = next;
            next += all.length;
            return all.length ? `${first}:${next - 1}` : '999';
          });
          client.write = (text: string) => {
            sent += `${text}\r\n`;
          };
          fastFetch(client as never);
          Object.assign(client, { usable: true, mailbox: { path: 'INBOX' } });
          client.streamer.on('readable', () => void client.reader());
          await pipelineFetches(
            client as never,
            commands.map((_, i) => ({
              set: sets[i]!,
              query: { uid: true, flags: true, bodyParts: [{ key: '1', start: 0, maxLength: 9 }] },
              each(row) {
                came[i]!.push(row.uid);
              },
              sent(come) {
                void come.then(() => ended.push(i));
              },
            })),
          );
          const tags = [...sent.matchAll(/^(P\d+) UID FETCH [\d:]+ \(UID FLAGS BODY\.PEEK\[1\]<0\.9>\)\r\n/gm)].map(
            ([, tag]) => tag!,
          );
          assert.equal(tags.length, commands.length, sent);
          const bytes = Buffer.from(
            commands
              .map(
                (all, i) =>
                  `${all.map(one => `* 1 FETCH (UID ${uid++} FLAGS (${one}) BODY[1]<0> {3}\r\n* 1)\r\n`).join('')}${tags[i]} ${end}\r\n`,
              )
              .join(''),
          );
          await feed(client, bytes, cuts);
          await drainPipeline(client as never);
          let from = 1;
          assert.deepEqual(
            came,
            commands.map(all => all.map(() => from++)),
          );
          assert.deepEqual(
            ended,
            commands.map((_, i) => i),
          );
        },
      ),
      { numRuns: 300 },
    );
  });
  it('of several commands that a server answers at once reach each its own, and so do their ends', async () => {
    const parts = { uid: true, bodyParts: ['1'] };
    const sizes = { uid: true, size: true };
    const questions = [
      { set: '1:3', query: sizes },
      { set: '4:6', query: sizes },
      { set: '2:5', query: parts },
    ];
    const answers = questions.flatMap(({ set, query }, i) => {
      const [first, last] = set.split(':').map(Number) as [number, number];
      return Array.from({ length: last - first + 1 }, (_, n) => ({
        i,
        uid: first + n,
        says: query === parts ? 'BODY[1] "x"' : 'RFC822.SIZE 9',
      }));
    });
    const order = fc.shuffledSubarray(answers, { minLength: answers.length });
    await fc.assert(
      fc.asyncProperty(order, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), async (rows, ends) => {
        const client = bare();
        const came: number[][] = questions.map(() => []);
        const ended: number[] = [];
        const sent: string[] = [];
        client.write = (text: string) => {
          sent.push(text);
        };
        fastFetch(client as never);
        Object.assign(client, { usable: true, mailbox: { path: 'INBOX' } });
        client.streamer.on('readable', () => void client.reader());
        await pipelineFetches(
          client as never,
          questions.map((question, i) => ({
            ...question,
            each(row) {
              came[i]!.push(row.uid);
            },
            sent(come) {
              void come.then(() => ended.push(i));
            },
          })),
        );
        const tags = [...sent.join('').matchAll(/P\d+(?= UID FETCH)/g)].map(([tag]) => tag);
        const lines = [
          ...rows.map(({ uid, says }) => `* ${uid} FETCH (UID ${uid} ${says})`),
          ...ends.map(i => `${tags[i]} OK Done.`),
        ];
        await feed(client, Buffer.from(`${lines.join('\r\n')}\r\n`), []);
        await drainPipeline(client as never);
        assert.deepEqual(
          came,
          questions.map((_, i) => rows.filter(row => row.i === i).map(({ uid }) => uid)),
        );
        assert.deepEqual(ended, ends);
      }),
      { numRuns: 200 },
    );
  });
  /** Which messages are told of, and how many bytes the library was given. */
  async function passed(bytes: Buffer, cuts: number[]): Promise<{ told: string[]; library: number }> {
    const client = bare();
    const { streamer } = client;
    const told: string[] = [];
    let library = 0;
    const slow = (streamer.processInputChunk as (chunk: Buffer) => Promise<void>).bind(streamer);
    streamer.processInputChunk = (chunk: Buffer) => {
      library += chunk.length;
      return slow(chunk);
    };
    fastFetch(client as never);
    const FETCH = async ({ attributes }: { attributes: { value: string }[][] }) => {
      told.push(attributes[1]![1]!.value);
    };
    client.currentRequest = { options: { untagged: { FETCH } } };
    streamer.on('readable', () => void client.reader());
    await feed(client, bytes, [...cuts, ...new Array<number>(100).fill(64 * 1024)]);
    return { told, library };
  }
  const monstrous = (more: string) =>
    Buffer.from(
      `${more}* 1 FETCH (UID 1 ENVELOPE (${'(NIL NIL "a" "b.example") {7}\r\n"\r\n)* \r'.repeat(60_000)}))\r\n* 2 FETCH (UID 2 FLAGS ())\r\n`,
    );
  it('pass by as they come where they are a monstrous envelope or structure, however they are cut: nothing is kept', async () => {
    const bytes = monstrous('');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 200_000 }), { maxLength: 20 }), async cuts => {
        assert.deepEqual(await passed(bytes, cuts), { told: ['2'], library: 0 });
      }),
      { numRuns: 8 },
    );
  });
  it('are dropped there too where they stand behind one that is left to the library', async () => {
    const { told, library } = await passed(
      monstrous(`* 3 FETCH (UID 3 BODY[] {1500000}\r\n${'x'.repeat(1_500_000)})\r\n`),
      [],
    );
    assert.deepEqual(told, ['3', '2']);
    assert.ok(library > 3_000_000, `${library} bytes`);
  });
  it('are not asked for together while the library waits for one of its own, and end with the connection', async () => {
    const client = bare();
    const sent: string[] = [];
    const ends: Promise<void>[] = [];
    client.write = (text: string) => {
      sent.push(text);
    };
    fastFetch(client as never);
    Object.assign(client, { usable: true, mailbox: { path: 'INBOX' }, currentRequest: { tag: '1' } });
    const request = {
      set: '1',
      query: { uid: true },
      each() {},
      sent(come: Promise<void>) {
        ends.push(come);
      },
    };
    await pipelineFetches(client as never, [request]);
    client.currentRequest = false;
    await pipelineFetches(client as never, [request, request]);
    assert.equal(sent.length, 1, 'one packet, when nothing else is under way');
    assert.equal(ends.length, 2);
    (client as unknown as ImapFlow).emit('close');
    for (const end of ends) await assert.rejects(end, /connection ended/);
    await drainPipeline(client as never);
  });
  it('reach this reader: the library still has what it is attached to', () => {
    const client = bare();
    const { streamer } = client;
    assert.ok(Array.isArray(client.requestQueue));
    assert.equal(client.currentRequest, false);
    for (const name of ['lineBuffer', 'inputBuffer']) assert.ok(Array.isArray(streamer[name]), name);
    assert.equal(streamer.state, 1);
    for (const [owner, name] of [
      [streamer, 'processInputChunk'],
      [ImapFlow.prototype, 'getUntaggedHandler'],
      [ImapFlow.prototype, 'handleResponse'],
      [ImapFlow.prototype, 'write'],
    ] as const)
      assert.equal(typeof (owner as unknown as Record<string, unknown>)[name], 'function', name);
  });
});

type Bare = Record<string, unknown> & {
  streamer: Record<string, unknown> & {
    write(bytes: Buffer, done: () => void): void;
    on(event: 'readable', heard: () => void): void;
  };
  reader(): Promise<void>;
};
const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
const bare = (): Bare =>
  new ImapFlow({ host: 'localhost', port: 1, auth: { user: 'u', pass: 'p' }, logger: quiet }) as unknown as Bare;
/** What a command under way is told of bytes that come in pieces of these sizes. */
async function heard(bytes: Buffer, cuts: number[], quick: boolean): Promise<unknown[]> {
  const client = bare();
  const told: unknown[] = [];
  if (quick) fastFetch(client as never);
  const note = async (untagged: unknown) => {
    told.push(
      JSON.parse(JSON.stringify(untagged, (key, value: unknown) => (key === 'nullBytesRemoved' ? undefined : value))),
    );
  };
  client.currentRequest = {
    options: { untagged: { FETCH: note, EXISTS: note, EXPUNGE: note, FLAGS: note, OK: note } },
  };
  client.streamer.on('readable', () => void client.reader());
  await feed(client, bytes, cuts);
  return told;
}
/** Lets a client hear bytes in pieces of these sizes. */
async function feed(client: Bare, bytes: Buffer, cuts: number[]): Promise<void> {
  for (let at = 0, i = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + (cuts[i++] ?? 1000));
    await new Promise<void>(resolve => client.streamer.write(bytes.subarray(at, end), resolve));
    at = end;
  }
}
