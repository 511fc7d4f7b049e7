import { existsSync } from 'node:fs';
import { away, contender, mb, rate, server, table, verdict, type Figures, type Server } from './harness.js';
import { STEPS, type Step, type Walk } from './steps.js';

/** In milliseconds: where users' servers are. */
const FAR = 50;
const NAMES: Record<Step, string> = {
  list: 'login and first list',
  first: 'first message',
  next: 'next message',
  twenty: 'twenty messages at once',
  mark: 'mark',
  move: 'move',
  download: 'download of 5 MB',
  send: 'send, with login',
  again: 'send another',
};
/** Round trips that Mailroom may take. */
const AIMS: Partial<Record<Step, number>> = { list: 8, first: 2, next: 2, twenty: 6 };
type Kind = 'embedded' | 'dovecot';
const TITLES = { embedded: 'the embedded servers', dovecot: 'Dovecot and Postfix' };

/** True where the real servers can be started. */
export const haveDovecot = () =>
  process.getuid?.() === 0 && existsSync('/usr/sbin/dovecot') && existsSync('/usr/sbin/postfix');
const kinds = (): Kind[] => {
  if (haveDovecot()) return ['embedded', 'dovecot'];
  console.log('\nDovecot and Postfix: left out, as they are not installed or this does not run as root.');
  return ['embedded'];
};

/** Runs at a server, on loopback or so many milliseconds away. */
async function at<T>(s: Server, roundTrip: number, run: (settings: Record<string, unknown>) => Promise<T>): Promise<T> {
  const proxy = await away(s.settings, roundTrip);
  try {
    return await run(proxy.settings);
  } finally {
    proxy.stop();
  }
}

/** A user's walk through a mailbox, step by step. Round trips are those of `delay.ts`. */
export async function steps(): Promise<void> {
  const messages = 300;
  for (const kind of kinds()) {
    const s = await server({ kind, messages, big: 5_000_000 });
    try {
      for (const roundTrip of [0, FAR]) {
        const names = ['rawWalk', 'imapflowWalk', 'n8nWalk', 'mailroomWalk'];
        const walks: Walk[] = [];
        for (const name of names)
          walks.push((await at(s, roundTrip, settings => contender(name, { ...settings, messages }))).walk ?? {});
        const cell = (walk: Walk, step: Step) =>
          walk[step] ? `${walk[step].roundTrips} (${walk[step].ms.toFixed(0)} ms)` : '-';
        table(`Step by step, ${roundTrip} ms round trip, ${TITLES[kind]}: round trips (and time)`, [
          ['step', 'raw', 'imapflow and postal-mime', 'n8n', 'Mailroom'],
          ...STEPS.map(step => [NAMES[step], ...walks.map(walk => cell(walk, step))]),
        ]);
        if (!roundTrip) continue;
        for (const [step, aim] of Object.entries(AIMS) as [Step, number][])
          verdict(`round trips, ${NAMES[step]}`, walks[3]![step]?.roundTrips ?? NaN, aim, '', true);
      }
    } finally {
      await s.stop();
    }
  }
}

interface Backlog {
  raw: Figures;
  rawEnvelopes: Figures;
  n8n: Figures;
  plain: Figures;
  envelope: Figures;
  text: Figures;
  full: Figures;
}
async function backlogOf(s: Server, settings: object, messages: number, ofN8n: number): Promise<Backlog> {
  const base = { ...settings, messages };
  const mailroom = (fetch: string) => contender('mailroomFeed', { ...base, fetch });
  await s.tell({ unseen: true });
  const n8n = await contender('n8nResolved', { ...base, messages: ofN8n });
  return {
    n8n,
    raw: await contender('rawFetch', base),
    rawEnvelopes: await contender('rawEnvelopes', base),
    plain: await contender('plainFlow', base),
    envelope: await mailroom('envelope'),
    text: await mailroom('text'),
    full: await mailroom('full'),
  };
}
function tell(title: string, { raw, rawEnvelopes, n8n, plain, envelope, text, full }: Backlog): void {
  const row = (name: string, f: Figures) => [
    name,
    f.count ?? 0,
    (f.ms / 1000).toFixed(2),
    rate(f),
    `${(rate(f) / rate(n8n)).toFixed(1)}x`,
    mb(f.rss),
    f.note ?? '',
  ];
  table(title, [
    ['contender', 'messages', 's', 'per s', 'n8n', 'peak MB', ''],
    row('one raw FETCH, whole messages, not parsed', raw),
    row('one raw FETCH, ENVELOPE and BODYSTRUCTURE', rawEnvelopes),
    row("n8n's own path", n8n),
    row('imapflow, one FETCH, and postal-mime', plain),
    row('Mailroom, text, HTML and attachments', full),
    row('Mailroom, text and HTML only', text),
    row('Mailroom, envelopes', envelope),
  ]);
}

/** A backlog, far away and on loopback. */
export async function backlog(messages: number): Promise<void> {
  for (const kind of kinds()) {
    const s = await server({ kind, messages });
    try {
      const far = await at(s, FAR, settings => backlogOf(s, settings, messages, Math.min(messages, 300)));
      tell(`A backlog of ${messages}, ${FAR} ms round trip, ${TITLES[kind]}`, far);
      for (const [name, f] of [
        ['whole messages', far.full],
        ['text', far.text],
      ] as const) {
        verdict(`${name} at ${FAR} ms against one raw FETCH`, rate(f) / rate(far.raw), 0.5, 'x');
        verdict(`${name} at ${FAR} ms against n8n`, rate(f) / rate(far.n8n), 10, 'x');
      }
      verdict(
        `envelopes at ${FAR} ms against a raw FETCH of the same`,
        rate(far.envelope) / rate(far.rawEnvelopes),
        0.75,
        'x',
      );
      if (kind === 'embedded') continue;
      const near = await backlogOf(s, s.settings, messages, Math.min(messages, 1000));
      tell(`A backlog of ${messages}, loopback, ${TITLES[kind]}`, near);
      verdict(
        'envelopes on loopback against a raw FETCH of the same',
        rate(near.envelope) / rate(near.rawEnvelopes),
        0.75,
        'x',
      );
      verdict('whole messages on loopback against one raw FETCH', rate(near.full) / rate(near.raw), 0.5, 'x');
      for (const f of [far.full, near.full])
        verdict('peak memory, whole messages', (f.rss ?? NaN) / 1048576, 130, ' MB', true);
    } finally {
      await s.stop();
    }
  }
}

/** From delivery to the start of an execution, far away. */
export async function arrival(): Promise<void> {
  for (const kind of kinds()) {
    const rows: Figures[] = [];
    for (const name of ['rawIdle', 'n8nArrival', 'mailroomTrigger']) {
      const s = await server({ kind, messages: 10, every: 300, count: 20 });
      try {
        rows.push(await at(s, FAR, settings => contender(name, settings)));
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
    table(`From delivery to hand-over under IDLE, ${FAR} ms round trip, a message every 300 ms, ${TITLES[kind]}`, [
      ['contender', 'messages', 'p50 ms', 'p95 ms', ''],
      row('raw IDLE, nothing fetched', rows[0]!),
      row("n8n's own path (@n8n/imap)", rows[1]!),
      row('Mailroom, execution started', rows[2]!),
    ]);
  }
}
