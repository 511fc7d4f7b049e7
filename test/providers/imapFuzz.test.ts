import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parseBodystructure } from 'imapflow/lib/tools.js';
import { decodingLibraries } from '../../shared/providers/imap/libraries.js';
import type { ImapMessage } from '../../shared/providers/imap/messages/content.js';
import { takeApart } from '../../shared/providers/imap/messages/whole.js';
import { words } from '../../shared/providers/imap/mime/decode.js';
import { outline } from '../../shared/providers/imap/mime/structure.js';
import { envelopeOf, fetchRow } from '../../shared/providers/imap/wire/fetch.js';
import { differences, judged, viewOf } from '../tools/judges.js';
import { generated } from '../sandbox/generated.js';
import { bodyStructure, envelope, parseMime } from '../../shared/mailServer/imap/mime.js';

/**
 * More rounds for whoever has the time: `MAILROOM_FUZZ=100 npm test -- test/providers/imapFuzz.test.ts` runs a hundred
 * times as many.
 */
const MORE = Math.max(1, Number(process.env.MAILROOM_FUZZ) || 1);
/** The same each time, unless more is asked for. */
const SEED = MORE > 1 ? Date.now() : 20261129;
const FOLDER = join(__dirname, 'mail');

const CASES = readdirSync(FOLDER)
  .filter(name => name.endsWith('.eml'))
  .sort()
  .map(name => readFileSync(join(FOLDER, name)));
const SOURCES = [...CASES, ...Array.from({ length: 30 }, (_, i) => generated(i))];
/** What breaks readers of mail, put where it does not belong. */
const TOKENS = [
  '\r\n',
  '\n',
  '\r\n\r\n',
  '--b\r\n',
  '--b--\r\n',
  '"',
  ';',
  ':',
  '(',
  ')',
  '<',
  '>',
  ',',
  '=',
  '=?',
  '?=',
  '\0',
  '\x80',
  'ü',
  '\x1b$B',
  'Content-Type: multipart/mixed; boundary=b\r\n\r\n',
  'Content-Type: text/html\r\n',
  'Content-Transfer-Encoding: base64\r\n',
  'charset=iso-2022-jp',
  'boundary=',
  ' ',
  '\t',
  "*0*=utf-8''%C3",
  '=?utf-8?q?=C3?=',
  'From: ',
  'message/rfc822',
];
const change = fc.tuple(
  fc.constantFrom('insert', 'cut', 'double', 'flip'),
  fc.nat(),
  fc.constantFrom(...TOKENS),
  fc.integer({ min: 1, max: 80 }),
);
const changed = (source: Buffer, changes: readonly (readonly [string, number, string, number])[]): Buffer => {
  let text = source.toString('latin1');
  for (const [how, where, token, length] of changes) {
    const at = text.length ? where % text.length : 0;
    if (how === 'insert') text = text.slice(0, at) + Buffer.from(token).toString('latin1') + text.slice(at);
    else if (how === 'cut') text = text.slice(0, at) + text.slice(at + length);
    else if (how === 'double') text = text.slice(0, at + length) + text.slice(at);
    else
      text = text.slice(0, at) + String.fromCharCode((text.charCodeAt(at) || 0) ^ (length & 0x7f)) + text.slice(at + 1);
  }
  return Buffer.from(text, 'latin1');
};
const mutant = (most: number) =>
  fc
    .tuple(fc.constantFrom(...SOURCES), fc.array(change, { minLength: 1, maxLength: most }))
    .map(([source, changes]) => changed(source, changes));

async function read(source: Buffer): Promise<{ message: ImapMessage; contents: Buffer[] }> {
  const message = { id: '1', to: [], native: {}, folder: 'INBOX' } as unknown as ImapMessage;
  const contents: Buffer[] = [];
  await takeApart([source], message);
  for (const one of message.attachments ?? []) {
    const pieces: Buffer[] = [];
    for await (const piece of one.content!.open()) pieces.push(piece as Buffer);
    const bytes = Buffer.concat(pieces);
    assert.equal(one.size, bytes.length, 'the size of a file is the real one');
    contents.push(bytes);
  }
  return { message, contents };
}

describe('IMAP: mail out of order', function () {
  this.timeout(60_000 * MORE);
  before(decodingLibraries);

  it('is read or set aside, never thrown, within its bounds', async () => {
    await fc.assert(
      fc.asyncProperty(mutant(12), async source => {
        const begun = process.cpuUsage();
        const { message } = await read(source);
        if (message.error) assert.match(message.error, /only its source can be had/);
        assert.doesNotMatch(`${message.subject ?? ''}${message.from?.name ?? ''}`, /[\r\n]/);
        assert.ok(process.cpuUsage(begun).user < 300_000, `${process.cpuUsage(begun).user / 1000} ms`);
      }),
      { numRuns: 600 * MORE, seed: SEED },
    );
  });

  it('is read as one of the judges does, or the difference has a name', async () => {
    await fc.assert(
      fc.asyncProperty(mutant(2), async source => {
        const { message, contents } = await read(source);
        if (message.error) return;
        const unnamed = differences(viewOf(message, contents), await judged(source), source).filter(one => !one.name);
        assert.deepEqual(unnamed, [], source.toString('latin1'));
      }),
      { numRuns: 250 * MORE, seed: SEED },
    );
  });

  it('of which a server tells in ENVELOPE and BODYSTRUCTURE is read or left out, never thrown', () => {
    fc.assert(
      fc.property(mutant(6), fc.array(change, { maxLength: 3 }), (source, changes) => {
        const part = parseMime(source);
        const text = `* 1 FETCH (UID 1 RFC822.SIZE ${source.length} ENVELOPE ${envelope(part)} BODYSTRUCTURE ${bodyStructure(part, source, true)})`;
        const [payload, literals] = divided(changed(Buffer.from(text, 'latin1'), changes));
        const row = fetchRow(payload, literals);
        if (!row) return;
        const items = row.attributes[1] as any[];
        for (let i = 0; i + 1 < items.length; i += 2) {
          if (!Array.isArray(items[i + 1])) continue;
          if (items[i]?.value === 'ENVELOPE') assert.ok(envelopeOf(items[i + 1]));
          if (items[i]?.value === 'BODYSTRUCTURE') outline(parseBodystructure(items[i + 1]), { size: source.length });
        }
      }),
      { numRuns: 1000 * MORE, seed: SEED },
    );
  });

  it('in encoded words gives one line', () => {
    const piece = fc.constantFrom(
      ...TOKENS,
      'utf-8',
      '?b?',
      '?Q?',
      'iso-2022-jp',
      'w7w=',
      '=C3=BC',
      ' ',
      'hz-gb-2312',
      '~{VPND~}',
      'a',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), pieces => {
        assert.doesNotMatch(words(pieces.join('')), /[\p{Cc}\u2028\u2029]/u);
      }),
      { numRuns: 3000 * MORE, seed: SEED },
    );
  });
});

/** A line and its literals, as the stream gives them. */
function divided(bytes: Buffer): [Buffer, Buffer[]] {
  const lines: Buffer[] = [];
  const literals: Buffer[] = [];
  for (let at = 0; ;) {
    const found = /\{(\d{1,6})\}\r\n/g;
    found.lastIndex = 0;
    const rest = bytes.subarray(at).toString('latin1');
    const match = found.exec(rest);
    if (!match) {
      lines.push(bytes.subarray(at));
      return [Buffer.concat(lines), literals];
    }
    const end = at + match.index + match[0].length;
    const size = Number(match[1]);
    lines.push(bytes.subarray(at, end));
    literals.push(bytes.subarray(end, end + size));
    at = end + size;
  }
}
