import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { wait } from './watch.js';

export interface Outbox {
  port: number;
  sent: { to: string; source: string }[];
  /** What was sent to an address, once there are so many; throws after twenty seconds. */
  to(address: string, count?: number): Promise<{ to: string; source: string }[]>;
  close(): Promise<void>;
}

/** What the rules of servers send: kept, and shown by the address it goes to. */
export async function outbox(): Promise<Outbox> {
  const sent: Outbox['sent'] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      stream
        .on('data', (part: Buffer) => parts.push(part))
        .on('end', () => {
          for (const { address } of session.envelope.rcptTo)
            sent.push({ to: address, source: Buffer.concat(parts).toString('utf8') });
          done();
        });
    },
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    sent,
    close: () => new Promise<void>(resolve => server.close(() => resolve())),
    async to(address: string, count = 1) {
      for (const end = Date.now() + 20_000; ; await wait(50)) {
        const found = sent.filter(one => one.to === address);
        if (found.length >= count) return found;
        if (Date.now() > end)
          throw new Error(`Nothing was sent to ${address}: ${JSON.stringify(sent.map(one => one.to))}`);
      }
    },
  };
}
