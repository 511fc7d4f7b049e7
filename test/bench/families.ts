import { realLab } from '../e2e/mail/real.js';
import type { Family } from '../e2e/mail/lab.js';
import { root } from '../e2e/mail/servers/debian.js';
import { letter } from '../sandbox/letter.js';
import { contender, inTurns, rate, table, verdict, type Figures } from './harness.js';

/*
 * The same mailbox on servers of several families, on loopback. Cyrus and Courier wait for an acknowledgement that the
 * client's system delays by some 40 ms in each command, so the number of commands decides there, not the work.
 */

const ALL = { dovecot: 'Dovecot', cyrus: 'Cyrus', courier: 'Courier' } as const;
type Measured = Extract<Family, keyof typeof ALL>;

const text = 'A line of words as people write them, long enough to be a line of a real message.\n'.repeat(12);
const message = (i: number) => letter({ subject: `Message number ${i}`, text, html: `<p>${text}</p>` });

async function figures(family: Measured, messages: number): Promise<Figures[]> {
  const lab = await realLab(family);
  try {
    const user = lab.user();
    await lab.fill(user, messages, message);
    const settings = { port: lab.imapTlsPort, smtpPort: lab.smtpPort, ...user, ca: lab.ca, messages };
    return await inTurns(
      3,
      () => contender('rawFetch', settings),
      ...['envelope', 'text', 'full'].map(fetch => () => contender('mailroomFeed', { ...settings, fetch })),
    );
  } finally {
    await lab.close();
  }
}

/** Reads a backlog from each family; Cyrus and Courier are held to a third of Dovecot's rate. */
export async function families(messages: number): Promise<void> {
  if (!root) return console.log('\nServers of other families: left out, as this does not run as root.');
  const found = new Map<Measured, Figures[]>();
  for (const family of Object.keys(ALL) as Measured[]) found.set(family, await figures(family, messages));
  table(
    `Reading a backlog of ${messages} messages from servers of several families (TLS, loopback), messages a second`,
    [
      ['server', 'raw FETCH of all', 'envelopes', 'text', 'whole', ''],
      ...[...found].map(([family, all]) => [ALL[family], ...all.map(rate), all.map(one => one.note ?? '').join('')]),
    ],
  );
  const dovecot = found.get('dovecot')!;
  for (const family of ['cyrus', 'courier'] as const) {
    for (const [i, what] of ['envelopes', 'text', 'whole messages'].entries()) {
      const all = found.get(family)!;
      verdict(
        `${what} on ${ALL[family]} against Dovecot`,
        rate(all[i + 1]!) / rate(dovecot[i + 1]!),
        0.33,
        'x',
        false,
        `one raw FETCH of all of it: ${(rate(all[0]!) / rate(dovecot[0]!)).toFixed(2)}x`,
      );
    }
  }
}
