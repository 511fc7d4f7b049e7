import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { connect, providerById, type Client, type FileValue } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { accountOf } from '../providers/imapAccount.js';
import { differences, judged, NAMED, viewOf } from './judges.js';
import { startMail, type Mail } from '../sandbox/mail.js';

/** A message of a corpus, and where it is from. */
export interface Sample {
  name: string;
  source: Buffer;
}
/** What reading a corpus told: messages, problems by kind with the first few names, and what it cost. */
export interface Report {
  messages: number;
  kinds: Map<string, { count: number; examples: string[] }>;
  seconds: number;
  rss: number;
  slowest: { name: string; ms: number };
}

/** Messages read at once. */
const BATCH = 100;
const USER = 'u0@test.local';
type Any = any;

/** Every `.eml` and every mbox below a folder. An mbox is told by its first line (RFC 4155). */
export function* samplesBelow(folder: string): Generator<Sample> {
  const entries = statSync(folder).isFile()
    ? [folder]
    : readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter(one => one.isFile())
        .map(one => join(one.parentPath, one.name))
        .sort();
  for (const path of entries) {
    const name = relative(folder, path) || path;
    if (/\.eml$/i.test(path)) {
      yield { name, source: readFileSync(path) };
      continue;
    }
    if (statSync(path).size < 5) continue;
    const bytes = readFileSync(path);
    if (bytes.toString('latin1', 0, 5) !== 'From ') continue;
    const text = bytes.toString('latin1');
    let n = 0;
    for (const one of text.split(/(?:^|\r?\n)(?=From \S+ .*\d{4})/)) {
      const body = one.slice(one.indexOf('\n') + 1).replace(/^>(?=>*From )/gm, '');
      if (one.startsWith('From ') && body.trim()) yield { name: `${name}#${++n}`, source: Buffer.from(body, 'latin1') };
    }
  }
}

/** As a server keeps it: lines end with CR LF. */
const wired = (source: Buffer): Buffer =>
  source.includes('\r\n') ? source : Buffer.from(source.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');

/**
 * Reads every message through an embedded server, as list, get, attachments and feed give it, and compares each with
 * the others and with the judges.
 */
export async function readCorpus(samples: Iterable<Sample>, quirks: object = {}): Promise<Report> {
  const report: Report = { messages: 0, kinds: new Map(), seconds: 0, rss: 0, slowest: { name: '', ms: 0 } };
  const note = (kind: string, name: string) => {
    const found = report.kinds.get(kind) ?? { count: 0, examples: [] };
    found.count++;
    if (found.examples.length < 5) found.examples.push(name);
    report.kinds.set(kind, found);
  };
  const begun = performance.now();
  const run = async (batch: Sample[]) => {
    const mail = await startMail({ imap: { quirks } });
    const client = connect(providerById('imap')!, accountOf(mail));
    try {
      await readBatch(mail, client, batch, note, report);
    } finally {
      closeConnections();
      await mail.close();
    }
    report.rss = Math.max(report.rss, process.memoryUsage().rss);
  };
  let batch: Sample[] = [];
  for (const { name, source } of samples) {
    batch.push({ name, source: wired(source) });
    if (batch.length === BATCH) {
      await run(batch);
      batch = [];
    }
  }
  if (batch.length) await run(batch);
  report.seconds = (performance.now() - begun) / 1000;
  return report;
}

async function readBatch(
  mail: Mail,
  client: Client,
  batch: readonly Sample[],
  note: (kind: string, name: string) => void,
  report: Report,
): Promise<void> {
  for (const { source } of batch) mail.deliver(USER, source);
  const listed: Any[] = [];
  for await (const one of client.call('message.list', {}) as AsyncIterable<Any>) listed.unshift(one);
  const fed: Any[] = [];
  for (
    let at = await client.from('messageReceived', { folders: ['INBOX'] }, '2020-01-01T00:00:00Z'), more = true;
    more;
  ) {
    const got: Any = await client.since('messageReceived', { folders: ['INBOX'], fetch: 'full' }, at);
    fed.push(...got.items.map((one: Any) => one.item));
    ({ cursor: at, more } = got);
  }
  if (listed.length !== batch.length) note(`list gives ${listed.length} of ${batch.length} messages`, batch[0]!.name);
  if (fed.length !== batch.length) note(`feed gives ${fed.length} of ${batch.length} messages`, batch[0]!.name);
  for (const [i, { name, source }] of batch.entries()) {
    report.messages++;
    if (!listed[i] || !fed[i]) continue;
    const begun = performance.now();
    const got: Any = await client
      .call('message.get', { message: listed[i].id })
      .catch((error: Error) => ({ error: error.message, failed: true }));
    const ms = performance.now() - begun;
    if (ms > report.slowest.ms) report.slowest = { name, ms };
    if (got.error) {
      note(`set aside: ${got.error}`.slice(0, 120), name);
      continue;
    }
    for (const key of ['from', 'to', 'subject', 'date']) {
      if (JSON.stringify(listed[i][key]) !== JSON.stringify(got[key]))
        note(`${key} differs between list and get`, name);
      if (JSON.stringify(fed[i][key]) !== JSON.stringify(got[key])) note(`${key} differs between feed and get`, name);
    }
    for (const key of ['text', 'html']) if (fed[i][key] !== got[key]) note(`${key} differs between feed and get`, name);
    const contents: Uint8Array[] = [];
    for (const one of got.attachments ?? [])
      contents.push(
        await bytesOf((await client.call('attachment.get', { message: got.id, attachment: one.id })) as FileValue),
      );
    for (const [k, one] of (fed[i].attachments ?? []).entries()) {
      if (one.content && !Buffer.from(await bytesOf(one.content)).equals(Buffer.from(contents[k] ?? [])))
        note('an attachment differs between feed and get', name);
    }
    for (const { field, name: named } of differences(viewOf(got, contents), await judged(source), source)) {
      note(
        named
          ? `${field} differs from the judges (${named}: ${NAMED.find(one => one.name === named)!.reason})`
          : `${field} differs from all judges`,
        name,
      );
    }
  }
}

async function bytesOf(file: FileValue): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of file.open()) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces);
}

/** The report in words. */
export const told = ({ messages, kinds, seconds, rss, slowest }: Report): string =>
  [
    `${messages} messages in ${seconds.toFixed(1)} s, at most ${Math.round(rss / 2 ** 20)} MB; the slowest ${Math.round(slowest.ms)} ms (${slowest.name}).`,
    ...[...kinds]
      .sort(([, a], [, b]) => b.count - a.count)
      .map(([kind, { count, examples }]) => `${String(count).padStart(6)}  ${kind}\n        ${examples.join(', ')}`),
    ...(kinds.size ? [] : ['Nothing differs.']),
  ].join('\n');

if (require.main === module) {
  const [folder] = process.argv.slice(2);
  if (!folder) {
    console.error('Say which folder: npm run corpus -- FOLDER');
    process.exitCode = 1;
  } else
    void readCorpus(samplesBelow(folder)).then(report => {
      console.log(told(report));
      process.exit(0);
    });
}
