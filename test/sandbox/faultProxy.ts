import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

interface Pair {
  client: Socket;
  upstream: Socket;
  stalled: boolean;
  left: number;
  onLeft: (() => void) | undefined;
  cut: boolean;
  inFlight: number;
}

/** A TCP proxy on loopback whose faults are switched while it runs. Times in milliseconds. */
export interface FaultProxy {
  host: string;
  port: number;
  /** Bytes in each direction, and when each connection and each login (seen only in clear text) was tried. */
  seen: { up: number; down: number; connections: number[]; logins: number[] };
  /** The last of what passed, a line for each piece, with the time: for the message of a test that failed. */
  last(): string;
  open(): number;
  /** The most connections (or logins) tried within any span of `ms`. */
  busiest(ms: number, what?: 'connections' | 'logins'): number;
  forget(): void;
  /**
   * Back to normal for new connections; ends flapping, delay and cuts. Stalled connections stay stalled, as a dead NAT
   * entry does.
   */
  pass(): void;
  /** Nothing passes any more, in present and new connections, and sockets stay open. */
  stall(): void;
  /** Stalls present connections only. */
  stallOpen(): void;
  /** Resets both sides of every connection. */
  reset(): void;
  /** Ends both sides in order. */
  fin(): void;
  /** Resets everything now and every new connection. */
  refuse(): void;
  /**
   * Once so many more bytes have come down (from the server), over present connections or else the next one: cut in the
   * middle of an answer.
   */
  cutAfter(bytes: number, how?: 'reset' | 'fin' | 'stall', times?: number): void;
  /** Adds this much to each round trip. */
  roundTrip(ms: number): void;
  /** Passes for `up`, then resets and refuses for `down`, over and over until `pass`. */
  flap(up: number, down: number): void;
  close(): Promise<void>;
}

/** Listens on a free loopback port and passes everything to `target`. */
export async function startFaultProxy(target: number, { host = '127.0.0.1', port = 0 } = {}): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  const loose = new Set<Socket>();
  let mode: 'pass' | 'stall' | 'refuse' = 'pass';
  let oneWay = 0;
  let timer: NodeJS.Timeout | undefined;
  let cuts: { bytes: number; how: 'reset' | 'fin' | 'stall'; times: number }[] = [];
  const seen: FaultProxy['seen'] = { up: 0, down: 0, connections: [], logins: [] };
  const last: string[] = [];
  const ways = {
    reset: (p: Pair) => {
      if (!p.client.destroyed) p.client.resetAndDestroy();
      if (!p.upstream.destroyed) p.upstream.destroy();
    },
    fin: (p: Pair) => {
      p.client.end();
      p.upstream.end();
    },
    stall: (p: Pair) => {
      p.stalled = true;
    },
  };
  const each = (act: (pair: Pair) => void) => {
    for (const pair of [...pairs]) act(pair);
  };
  const arm = (pair: Pair) => {
    const cut = cuts[0];
    if (!cut) return;
    if (--cut.times <= 0) cuts.shift();
    pair.left = cut.bytes;
    pair.onLeft = () => ways[cut.how](pair);
  };
  const later = (act: () => void) => {
    if (oneWay > 0) setTimeout(act, oneWay);
    else act();
  };

  function pass(pair: Pair, from: Socket, to: Socket, down: boolean) {
    from.on('data', (chunk: Buffer) => {
      if (pair.stalled || (down && pair.cut)) return;
      seen[down ? 'down' : 'up'] += chunk.length;
      last.push(`${new Date().toISOString().slice(11, 23)} ${down ? '<' : '>'} ${chunk.toString('latin1', 0, 400)}`);
      if (last.length > 30) last.shift();
      if (!down && /^\S+ (?:LOGIN|AUTHENTICATE) |^AUTH /im.test(chunk.toString('latin1', 0, 200)))
        seen.logins.push(Date.now());
      let part = chunk;
      let then: (() => void) | undefined;
      if (down && pair.left <= chunk.length) {
        part = chunk.subarray(0, pair.left);
        then = pair.onLeft;
        pair.cut = true;
      } else if (down) pair.left -= chunk.length;
      pair.inFlight += part.length;
      if (pair.inFlight > 4 * 1024 * 1024) from.pause();
      later(() => {
        pair.inFlight -= part.length;
        if (pair.stalled || to.destroyed) return;
        const flowing = to.write(part, () => then?.());
        if (!flowing) {
          from.pause();
          to.once('drain', () => from.resume());
        } else if (from.isPaused()) from.resume();
      });
    });
    from.on('end', () =>
      later(() => {
        if (!pair.stalled) to.end();
      }),
    );
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, client => {
    seen.connections.push(Date.now());
    loose.add(client);
    client.on('error', () => {}).on('close', () => loose.delete(client));
    if (mode === 'refuse') return void client.resetAndDestroy();
    const upstream = connect({ port: target, host, allowHalfOpen: true, noDelay: true });
    const pair: Pair = {
      client,
      upstream,
      stalled: mode === 'stall',
      left: Infinity,
      onLeft: undefined,
      cut: false,
      inFlight: 0,
    };
    pairs.add(pair);
    arm(pair);
    pass(pair, client, upstream, false);
    pass(pair, upstream, client, true);
    upstream.on('error', () => {
      if (!client.destroyed && !pair.stalled) client.resetAndDestroy();
    });
    upstream.on('close', () => {
      if (!pair.stalled && !client.destroyed) later(() => client.destroySoon());
    });
    client.on('close', () => {
      upstream.destroy();
      pairs.delete(pair);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });

  const proxy: FaultProxy = {
    host,
    port: (server.address() as AddressInfo).port,
    seen,
    open: () => loose.size,
    last: () => last.join('\n'),
    busiest(ms, what = 'connections') {
      const times = seen[what];
      let most = 0;
      for (let from = 0, to = 0; to < times.length; to++) {
        while (times[to]! - times[from]! >= ms) from++;
        most = Math.max(most, to - from + 1);
      }
      return most;
    },
    forget() {
      Object.assign(seen, { up: 0, down: 0 });
      seen.connections.length = 0;
      seen.logins.length = 0;
    },
    pass() {
      mode = 'pass';
      oneWay = 0;
      cuts = [];
      clearInterval(timer);
      clearTimeout(timer);
      each(p => {
        p.left = Infinity;
      });
    },
    stall() {
      mode = 'stall';
      each(ways.stall);
    },
    stallOpen() {
      each(ways.stall);
    },
    reset() {
      each(ways.reset);
    },
    fin() {
      each(ways.fin);
    },
    refuse() {
      mode = 'refuse';
      each(ways.reset);
    },
    cutAfter(bytes, how = 'reset', times = 1) {
      cuts.push({ bytes, how, times });
      each(p => {
        if (cuts.length > 0 && p.left === Infinity) arm(p);
      });
    },
    roundTrip(ms) {
      oneWay = ms / 2;
    },
    flap(up, down) {
      const goUp = () => {
        mode = 'pass';
        timer = setTimeout(goDown, up);
      };
      const goDown = () => {
        mode = 'refuse';
        each(ways.reset);
        timer = setTimeout(goUp, down);
      };
      goUp();
    },
    async close() {
      clearTimeout(timer);
      each(p => {
        p.client.destroy();
        p.upstream.destroy();
      });
      for (const socket of loose) socket.destroy();
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };
  return proxy;
}
