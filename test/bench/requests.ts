import { createServer as createPlain, type RequestListener } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { selfSigned } from '../../shared/mailServer/imap/certificate.js';
import { contender, rate, table, verdict, type Figures } from './harness.js';
import { ONE } from './listings.js';

/**
 * How long the server takes for an answer, in milliseconds; how many requests are counted; and how often each contender
 * has its turn.
 */
const SERVER = 5;
const REQUESTS = 200;
const TURNS = 7;

const answer: RequestListener = (_, response) => {
  setTimeout(() => {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        id: ONE,
        email: 'ann@example.com',
        status: 'ready',
        domain_id: ONE,
        created_at: '2026-01-02T03:04:05Z',
      }),
    );
  }, SERVER);
};

/** By processor time: that of the machine's clock depends on who else wants the processors. */
const middle = (all: readonly Figures[]): Figures =>
  [...all].sort((a, b) => (a.cpuMs ?? NaN) - (b.cpuMs ?? NaN))[all.length >> 1]!;

/** The same requests by bare undici and by Mailroom, one by one and eight at a time, over HTTP and TLS. */
export async function requests(): Promise<void> {
  const { key, cert } = selfSigned();
  const rows: [name: string, plain: Figures, ours: Figures][] = [];
  for (const scheme of ['http', 'https'] as const) {
    const server = scheme === 'http' ? createPlain(answer) : createSecure({ key, cert }, answer);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    try {
      for (const atOnce of [1, 8]) {
        const settings = { port: (server.address() as AddressInfo).port, ca: cert, messages: REQUESTS, scheme, atOnce };
        const plain: Figures[] = [];
        const ours: Figures[] = [];
        for (let turn = 0; turn < TURNS; turn++) {
          plain.push(await contender('plainRequests', settings));
          ours.push(await contender('mailroomRequests', settings));
        }
        rows.push([
          `${scheme.toUpperCase()}, ${atOnce === 1 ? 'one by one' : `${atOnce} at a time`}`,
          middle(plain),
          middle(ours),
        ]);
      }
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }
  const cells = (f: Figures) => [f.ms.toFixed(0), (f.cpuMs ?? NaN).toFixed(0), rate(f)];
  table(`${REQUESTS} requests to a server that takes ${SERVER} ms, beside bare undici`, [
    ['', 'undici ms', 'CPU ms', 'per s', 'Mailroom ms', 'CPU ms', 'per s'],
    ...rows.map(([name, plain, ours]) => [name, ...cells(plain), ...cells(ours)]),
  ]);
  for (const [name, plain, ours] of rows)
    verdict(`processor time of bare undici, ${name}`, (ours.cpuMs ?? NaN) / (plain.cpuMs ?? NaN), 1.25, 'x', true);
}
