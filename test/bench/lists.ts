import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LISTS, ROWS } from './listings.js';
import { away, contender, rate, table, verdict, type Figures } from './harness.js';

/** In milliseconds there and back. */
const FAR = 50;
/**
 * Answers as each vendor's index does, with rows made up; who asks is not looked at, since only the walk is measured.
 */
function vendors(): Promise<Server> {
  const slice = (from: number, count: number) =>
    Array.from({ length: Math.max(0, Math.min(count, ROWS - from)) }, (_, i) => from + i);
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://localhost');
    const number = (name: string) => Number(url.searchParams.get(name) ?? 0);
    const id = (i: number) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
    const answer = url.pathname.startsWith('/mailbox/')
      ? {
          total_count: ROWS,
          mailboxes: slice((number('page') - 1) * number('page_size'), number('page_size')).map(i => ({
            id: id(i),
            email: `m${i}@example.com`,
            status: 'ready',
          })),
        }
      : url.pathname.startsWith('/v1/')
        ? {
            offset: number('offset'),
            size: number('size'),
            total: ROWS,
            mailboxes: slice(number('offset'), Math.min(250, number('size'))).map(i => ({
              name: `m${i}`,
              displayName: `Mailbox ${i}`,
            })),
          }
        : slice(number('offset'), Math.min(100, number('limit'))).map(i => ({
            id: id(i),
            username: `m${i}`,
            email_addresses: [`m${i}@example.com`],
            sources: [],
          }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  });
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

/** Lists of 10,000 beside the plainest loop with bare undici: a hundred rows a page, page after page. */
export async function lists(): Promise<void> {
  const server = await vendors();
  try {
    for (const roundTrip of [0, FAR]) {
      const proxy = await away({ port: (server.address() as AddressInfo).port }, roundTrip);
      const rows: [string, Figures, Figures][] = [];
      try {
        for (const one of LISTS) {
          const settings = { ...proxy.settings, listing: one, messages: ROWS };
          rows.push([one.provider, await contender('plainList', settings), await contender('mailroomList', settings)]);
        }
      } finally {
        proxy.stop();
      }
      const cells = ({ ms, cpuMs = NaN, note = '' }: Figures) => [(ms / 1000).toFixed(2), cpuMs.toFixed(0), note];
      table(`Lists of ${ROWS}, ${roundTrip} ms round trip`, [
        ['provider', 'plain loop s', 'CPU ms', '', 'Mailroom s', 'CPU ms', '', 'per s'],
        ...rows.map(([name, plain, ours]) => [name, ...cells(plain), ...cells(ours), rate(ours)]),
      ]);
      for (const [name, plain, ours] of rows) {
        if (ours.count !== ROWS) console.log(`  MISSED  ${name}: ${ours.count} of ${ROWS} rows`);
        if (roundTrip) verdict(`time of the plainest loop, ${name}`, ours.ms / plain.ms, 1 / 3, 'x', true);
        else
          verdict(
            `processor time of the plainest loop, ${name}`,
            (ours.cpuMs ?? NaN) / (plain.cpuMs ?? NaN),
            1.5,
            'x',
            true,
          );
      }
    }
  } finally {
    server.close();
  }
}
