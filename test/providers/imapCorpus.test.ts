import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCorpus, samplesBelow, told } from '../tools/corpus.js';
import { generated } from '../sandbox/generated.js';

describe('IMAP: a corpus', function () {
  this.timeout(600_000);

  it('of a thousand messages reads alike in list, get and feed, and as the judges read it', async () => {
    const samples = function* () {
      for (let i = 0; i < 1000; i++) yield { name: `message ${i}`, source: generated(i) };
    };
    const report = await readCorpus(samples());
    assert.equal(report.messages, 1000);
    assert.deepEqual([...report.kinds.keys()], [], told(report));
  });

  it('is found below a folder: .eml and mbox, lines of either kind', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mailroom-corpus-'));
    try {
      writeFileSync(join(folder, 'a.eml'), generated(1).toString('latin1').replace(/\r\n/g, '\n'), 'latin1');
      writeFileSync(
        join(folder, 'all.mbox'),
        [2, 3]
          .map(
            i =>
              `From a@b.example Mon Nov  2 10:00:00 2026\n${generated(i).toString('latin1').replace(/\r\n/g, '\n')}\n`,
          )
          .join(''),
        'latin1',
      );
      writeFileSync(join(folder, 'notes.txt'), 'nothing');
      assert.deepEqual(
        [...samplesBelow(folder)].map(({ name }) => name),
        ['a.eml', 'all.mbox#1', 'all.mbox#2'],
      );
      assert.match(told(await readCorpus(samplesBelow(folder))), /^3 messages.*\nNothing differs\.$/s);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('tells what differs, by kind and with examples', async () => {
    const bad = Buffer.from(
      'From: a@b.example\r\nSubject: x\r\nContent-Type: text/html charset=utf-8\r\n\r\n<p>a</p>\r\n',
    );
    assert.match(
      told(await readCorpus([{ name: 'bad.eml', source: bad }])),
      /1 {2}html differs from .*malformed type.*\n.*bad\.eml/,
    );
  });
});
