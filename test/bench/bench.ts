import { spawn } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { realLab } from '../e2e/mail/real.js';
import type { Figure } from './extension.js';
import { families } from './families.js';
import { arrival, backlog, haveDovecot, steps } from './far.js';
import { hostile } from './hostile.js';
import { lists } from './lists.js';
import { localMail } from './localMail.js';
import { requests } from './requests.js';
import {
  contender,
  each,
  inTurns,
  mb,
  memory,
  perMessage,
  rate,
  server,
  table,
  verdict,
  type Figures,
} from './harness.js';

/**
 * `npm run bench`: figures side by side with what users run today, each contender in a process of its own on the same
 * server in one run. `npm run bench -- steps backlog arrival lists requests read families many large latency send local
 * extension` chooses parts: the first four behind a delay of 50 ms and with round trips counted. Dovecot and Postfix
 * take part where they are installed and this runs as root. `--messages 2000` makes the backlogs smaller.
 */
const args = process.argv.slice(2);
const option = (name: string, otherwise: number) => {
  const i = args.indexOf(`--${name}`);
  return i < 0 ? otherwise : Number(args[i + 1]);
};
const parts = args.filter((arg, i) => !arg.startsWith('--') && !args[i - 1]?.startsWith('--'));
const wanted = (part: string) => parts.length === 0 || parts.includes(part);

async function read() {
  const messages = option('messages', 10_000);
  const s = await server({ messages });
  try {
    const base = { ...s.settings, messages };
    // What the servers spend on a contender: they run on the same processors, so that nobody can be faster than they
    // are.
    type Served = Figures & { serverMs: number };
    const served = async (name: string, settings: object): Promise<Served> => {
      const { cpuMs } = await s.tell({});
      const figures = await contender(name, settings);
      return { ...figures, serverMs: (await s.tell({})).cpuMs - cpuMs };
    };
    const limit = await served('rawFetch', base);
    // It looks for unread mail and marks what it has read.
    const n8nPath = async () => {
      await s.tell({ unseen: true });
      return served('n8nResolved', { ...base, messages: Math.min(messages, 3000) });
    };
    const mailroom = (fetch: string) => () => served('mailroomFeed', { ...base, fetch });
    const [n8n, rawEnvelopes, envelopes, text, whole] = (await inTurns(
      3,
      n8nPath,
      () => served('rawEnvelopes', base),
      mailroom('envelope'),
      mailroom('text'),
      mailroom('full'),
    )) as [Served, Served, Served, Served, Served];
    const server = (f: Served) => (f.serverMs / (f.count ?? NaN)).toFixed(3);
    const why = (f: Served) =>
      `of each message's ${(f.ms / (f.count ?? NaN)).toFixed(3)} ms the server worked ${server(f)} and Mailroom ${each(f).toFixed(3)}, on ${availableParallelism()} processors whose load was ${loadavg()[0]!.toFixed(1)}`;
    const row = (name: string, f: Served) => [
      name,
      f.count ?? 0,
      (f.ms / 1000).toFixed(2),
      rate(f),
      `${(rate(f) / rate(n8n)).toFixed(1)}x`,
      perMessage(f),
      f.cpuMs === undefined ? '' : `${(each(n8n) / each(f)).toFixed(1)}x`,
      server(f),
      mb(f.idleRss),
      mb(f.rss),
      mb(f.heap),
      mb(f.buffers),
      f.note ?? '',
    ];
    table(`Reading a backlog of ${messages} messages (TLS, loopback)`, [
      [
        'contender',
        'messages',
        's',
        'per s',
        'n8n',
        'CPU ms each',
        'n8n',
        'server ms',
        'idle MB',
        'peak MB',
        'heap',
        'buffers',
        '',
      ],
      row('limit: raw socket, whole messages, not parsed', limit),
      row('raw socket, ENVELOPE and BODYSTRUCTURE', rawEnvelopes),
      row("n8n's own path (@n8n/imap, mailparser, mark as read)", n8n),
      row('Mailroom, text, HTML and attachments', whole),
      row('Mailroom, text and HTML only', text),
      row('Mailroom, envelopes', envelopes),
    ]);
    verdict('whole messages against n8n', rate(whole) / rate(n8n), 5, 'x', false, why(whole));
    verdict(
      'text without attachments against n8n',
      rate(text) / rate(n8n),
      12,
      'x',
      false,
      `by processor time ${(each(n8n) / each(text)).toFixed(1)}x; ${why(text)}`,
    );
    verdict(
      'envelopes against a raw FETCH of the same',
      rate(envelopes) / rate(rawEnvelopes),
      0.75,
      'x',
      false,
      `${why(envelopes)}; for the raw one, which drops every byte, it worked ${server(rawEnvelopes)}`,
    );
    verdict('peak memory, whole messages', (whole.rss ?? NaN) / 1048576, 130, ' MB', true, memory(whole));
    console.log(`          peak of n8n's own path: ${mb(n8n.rss)} MB for ${n8n.count} messages`);
  } finally {
    await s.stop();
  }
}

async function many() {
  const messages = option('many', 100_000);
  const s = await server({ messages });
  try {
    const f = await contender('mailroomFeed', { ...s.settings, messages, fetch: 'envelope' });
    table(`Reading ${messages} envelopes`, [
      ['contender', 's', 'per s', 'idle MB', 'peak MB', 'heap'],
      ['Mailroom, envelopes', (f.ms / 1000).toFixed(1), rate(f), mb(f.idleRss), mb(f.rss), mb(f.heap)],
    ]);
    verdict(`peak memory for ${messages}`, (f.rss ?? NaN) / 1048576, 130, ' MB', true, memory(f));
  } finally {
    await s.stop();
  }
}

async function large() {
  const s = await server({ messages: 0, big: 60_000_000 });
  try {
    const f = await contender('mailroomFeed', { ...s.settings, messages: 1, fetch: 'full' });
    table('One message with an attachment, 60 MB together, read to its end', [
      ['contender', 'MB read', 's', 'idle MB', 'peak MB', 'heap', 'buffers'],
      ['Mailroom', mb(f.bytes), (f.ms / 1000).toFixed(2), mb(f.idleRss), mb(f.rss), mb(f.heap), mb(f.buffers)],
    ]);
    verdict('above idle', ((f.rss ?? NaN) - (f.idleRss ?? NaN)) / 1048576, 64, ' MB', true);
  } finally {
    await s.stop();
  }
}

async function latency() {
  const rows: Figures[] = [];
  for (const name of ['rawIdle', 'n8nArrival', 'mailroomTrigger']) {
    const s = await server({ messages: 10, every: 300, count: 40 });
    try {
      rows.push(await contender(name, s.settings));
    } finally {
      await s.stop();
    }
  }
  const row = (name: string, f: Figures) => [
    name,
    f.count ?? 0,
    (f.p50 ?? NaN).toFixed(1),
    (f.p95 ?? NaN).toFixed(1),
    f.note ?? '',
  ];
  table('From delivery to hand-over under IDLE, a message every 300 ms', [
    ['contender', 'messages', 'p50 ms', 'p95 ms', ''],
    row('raw IDLE, nothing fetched', rows[0]!),
    row("n8n's own path (@n8n/imap)", rows[1]!),
    row('Mailroom, execution started', rows[2]!),
  ]);
  verdict('p95 above raw IDLE', (rows[2]!.p95 ?? NaN) - (rows[0]!.p95 ?? NaN), 20, ' ms', true);
}

const RAW = 'one raw connection, pipelined';
const POOL = 'nodemailer alone, a pool of five';

async function send() {
  for (const roundTrip of [0, 30]) {
    const s = await server({ messages: 0, roundTrip });
    try {
      const with_ = (messages: number) => ({ ...s.settings, messages });
      const n8n = await contender('n8nSend', with_(roundTrip ? 30 : 100));
      const [raw, pool, ours] = (await inTurns(
        roundTrip ? 1 : 5,
        () => contender('rawSend', with_(roundTrip ? 100 : 3000)),
        () => contender('poolSend', with_(roundTrip ? 600 : 3000)),
        () => contender('mailroomSend', with_(roundTrip ? 1000 : 3000)),
      )) as [Figures, Figures, Figures];
      const row = (name: string, f: Figures) => [
        name,
        f.count ?? 0,
        (f.ms / 1000).toFixed(2),
        rate(f),
        `${((f.count ?? 0) / f.ms / ((n8n.count ?? 0) / n8n.ms)).toFixed(1)}x`,
        perMessage(f),
        f.note ?? '',
      ];
      table(`Sending a text of 2 KB, ${roundTrip} ms round trip (TLS, login)`, [
        ['contender', 'messages', 's', 'per s', 'n8n', 'CPU ms each', ''],
        row('one connection per message, as n8n sends', n8n),
        row(RAW, raw),
        row(POOL, pool),
        row('Mailroom', ours),
      ]);
      if (roundTrip) {
        verdict('against n8n at 30 ms', rate(ours) / (((n8n.count ?? 0) / n8n.ms) * 1000), 20, 'x');
        continue;
      }
      verdict('against one raw connection on loopback', rate(ours) / rate(raw), 0.9, 'x');
      console.log(
        `          the raw connection sends bytes that stand ready, and client and server take turns; Mailroom checks and composes, ${perMessage(ours)} ms of processor time for each,\n` +
          '          while the server works on another core. With both cores free it sends 1.4 times as much as the raw connection (measured with real-time priority);\n' +
          `          where others want them it waits for its turn more often than a process that mostly sleeps. Load now: ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores.`,
      );
    } finally {
      await s.stop();
    }
  }
}

/** The same against Postfix, where the server and not this machine's Node is what takes the time. */
async function postfix() {
  if (!haveDovecot())
    return console.log('\nSending to Postfix: left out, as it is not installed or this does not run as root.');
  const lab = await realLab();
  try {
    const settings = { port: lab.imapPort, smtpPort: lab.smtpPort, ...lab.user(), ca: lab.ca, messages: 1000 };
    const [raw, pool, ours] = (await inTurns(
      3,
      () => contender('rawSend', settings),
      () => contender('poolSend', settings),
      () => contender('mailroomSend', settings),
    )) as [Figures, Figures, Figures];
    const row = (name: string, f: Figures) => [
      name,
      f.count ?? 0,
      (f.ms / 1000).toFixed(2),
      rate(f),
      perMessage(f),
      f.note ?? '',
    ];
    table('Sending a text of 2 KB to Postfix on loopback (TLS, login)', [
      ['contender', 'messages', 's', 'per s', 'CPU ms each', ''],
      row(RAW, raw),
      row(POOL, pool),
      row('Mailroom', ours),
    ]);
    verdict('against one raw connection to Postfix', rate(ours) / rate(raw), 0.9, 'x');
  } finally {
    await lab.close();
  }
}

/**
 * The extension against its budget. The tree is measured in a process of its own; the workbench is installed when it is
 * missing.
 */
async function extension() {
  const { measureSizes } = await import('./extension.js');
  const { measureWorkbench } = await import('./workbench.js');
  const { buildVsix } = await import('../tools/vsix.js');
  const vsix = buildVsix().file;
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      '--import',
      'tsx',
      '--disable-warning=ExperimentalWarning',
      '-e',
      `require(${JSON.stringify(join(__dirname, 'extension.ts'))}).measureTree().then(all => console.log(JSON.stringify(all)))`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let last = '[]';
  for await (const line of createInterface({ input: child.stdout })) last = line;
  const figures = [...measureSizes(vsix), ...(JSON.parse(last) as Figure[]), ...(await measureWorkbench(vsix))];
  console.log('\nThe VS Code extension');
  for (const { what, value, unit, limit } of figures) verdict(what, value, limit, ` ${unit}`, true);
}

async function main() {
  // All other words choose kinds and ways, and it takes an hour: only where it is named.
  if (args[0] === 'hostile') {
    await hostile(parts.slice(1), option('mb', 50));
    return;
  }
  if (wanted('steps')) await steps();
  if (wanted('backlog')) await backlog(option('messages', 3000));
  if (wanted('arrival')) await arrival();
  if (wanted('lists')) await lists();
  if (wanted('requests')) await requests();
  if (wanted('read')) await read();
  if (wanted('families')) await families(option('messages', 2000));
  if (wanted('many')) await many();
  if (wanted('large')) await large();
  if (wanted('latency')) await latency();
  if (wanted('send')) {
    await send();
    await postfix();
  }
  if (wanted('local')) await localMail();
  if (wanted('extension')) await extension();
}
void main();
