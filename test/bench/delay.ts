import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * A TCP proxy that makes a server far away and counts round trips, in a process of its own. Starts with
 * `{"targets": {"imap": 993}, "roundTrip": 50}` (milliseconds), prints the port for each target and one for `control`,
 * which answers every connection with the counts so far.
 *
 * What is counted: a round trip is a turn of the client after a turn of the server. The client's first bytes after
 * bytes of the server had reached it on the same connection begin one; more bytes before the server's next ones are the
 * same turn. So commands sent together count once, and those of TLS count as any other. A connection counts one more
 * for the handshake of TCP, which the kernel does without asking us: it is added to the time of the first bytes.
 */
export interface Counts {
  roundTrips: number;
  connections: number;
  up: number;
  down: number;
}
interface Settings {
  targets: Record<string, number>;
  roundTrip: number;
}

/** Bytes under way in one direction are bounded, as a network's are. */
const IN_FLIGHT = 8 * 1024 * 1024;

function pass(from: Socket, to: Socket, oneWay: number, seen: (bytes: number) => void, reached: () => void) {
  let underWay = 0;
  let full = false;
  const flow = () => {
    if (!full && underWay <= IN_FLIGHT) from.resume();
    else from.pause();
  };
  to.on('drain', () => {
    full = false;
    flow();
  });
  from.on('data', (chunk: Buffer) => {
    seen(chunk.length);
    underWay += chunk.length;
    flow();
    const deliver = () => {
      underWay -= chunk.length;
      reached();
      if (to.destroyed) return;
      if (!to.write(chunk)) full = true;
      flow();
    };
    if (oneWay) setTimeout(deliver, oneWay);
    else deliver();
  });
  from.on('end', () => setTimeout(() => to.end(), oneWay));
  from.on('error', () => to.destroy());
  from.on('close', () => setTimeout(() => to.destroy(), oneWay));
}

async function listen(target: number, roundTrip: number, counts: Counts): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, client => {
    counts.connections++;
    counts.roundTrips++;
    const begin = () => {
      const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      let turn = true;
      pass(
        client,
        upstream,
        roundTrip / 2,
        bytes => {
          counts.up += bytes;
          if (turn) {
            counts.roundTrips++;
            turn = false;
          }
        },
        () => {},
      );
      pass(
        upstream,
        client,
        roundTrip / 2,
        bytes => {
          counts.down += bytes;
        },
        () => {
          turn = true;
        },
      );
      client.resume();
    };
    if (roundTrip) setTimeout(begin, roundTrip);
    else begin();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function main() {
  // It goes with whoever started it.
  process.stdin.on('close', () => process.exit()).resume();
  const { targets, roundTrip } = JSON.parse(process.argv[2]!) as Settings;
  const counts: Counts = { roundTrips: 0, connections: 0, up: 0, down: 0 };
  const ports: Record<string, number> = {};
  for (const [name, target] of Object.entries(targets)) ports[name] = await listen(target, roundTrip, counts);
  const control = createServer(socket => {
    socket.on('error', () => {});
    socket.end(JSON.stringify(counts));
  });
  await new Promise<void>(resolve => {
    control.listen(0, '127.0.0.1', resolve);
  });
  console.log(JSON.stringify({ ...ports, control: (control.address() as AddressInfo).port }));
}
void main();
