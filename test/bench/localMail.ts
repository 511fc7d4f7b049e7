import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contender, mb, rate, table, verdict } from './harness.js';

/**
 * The local mail server of the extension: how fast it takes mail, how soon it tells of it, and what a full folder
 * costs.
 */
export async function localMail(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mailroom-bench-'));
  try {
    const empty = await contender('localMailKept', { folder: join(folder, 'empty') });
    const taken = await contender('localMail', { folder: join(folder, 'full'), messages: 10_000 });
    const full = await contender('localMailKept', { folder: join(folder, 'full') });
    const above = (full.rss ?? NaN) - (full.idleRss ?? NaN);
    table('The local mail server, mail of 2 KB kept in a folder', [
      ['', 'messages', 'start ms', 'taken per s', 'told p50 ms', 'p95 ms', 'MB above idle'],
      ['empty', empty.count ?? 0, empty.ms.toFixed(0), '', '', '', mb((empty.rss ?? NaN) - (empty.idleRss ?? NaN))],
      [
        'full',
        full.count ?? 0,
        full.ms.toFixed(0),
        rate(taken),
        (taken.p50 ?? NaN).toFixed(1),
        (taken.p95 ?? NaN).toFixed(1),
        mb(above),
      ],
    ]);
    verdict('start, nothing kept yet', empty.ms, 500, ' ms', true);
    verdict("taking mail, beside the 100 a second that Mailpit's documents give", rate(taken), 100, ' a second');
    verdict('from taken to read under IDLE, p95', taken.p95 ?? NaN, 1_000, ' ms', true);
    verdict('memory with a full folder', above / 1_048_576, 60, ' MB', true);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
