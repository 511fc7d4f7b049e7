import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as a pretend vendor sees it. `path` is as sent, `segments` are its decoded parts. */
export interface Seen {
  method: string;
  url: URL;
  path: string;
  segments: string[];
  query: URLSearchParams;
  headers: Record<string, string>;
  body: Buffer;
  at: number;
}
/** Objects become JSON; header names as given. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string | Buffer | object;
}

/**
 * Something to go wrong. Everything but the last three replaces the vendor's answer. Asked for by a test
 * (`vendor.fail`), by a header `x-sandbox-fault: {...}` on one request, or by `POST /__sandbox/faults` for a while.
 */
export interface Fault {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** The vendor's own throttling answer. */
  throttle?: boolean;
  /** Takes the request and never answers. */
  silent?: boolean;
  /**
   * Does what was asked, then breaks the answer: closes the connection after half of the body, or before its first
   * byte.
   */
  cut?: 'body' | 'answer';
  /** Does what was asked, then garbles the answer. */
  malformed?: boolean;
  contentType?: string;
  delayMs?: number;
  /** Does what was asked, and answers what this makes of the answer; for tests in the same process. */
  rewrite?(reply: Reply, request: Seen): Reply;
  /** Which requests; all unless given. */
  method?: string;
  path?: string;
  /** How many requests; 1 unless given. */
  times?: number;
}

const FAULT_KEYS = [
  'status',
  'headers',
  'body',
  'throttle',
  'silent',
  'cut',
  'malformed',
  'contentType',
  'delayMs',
  'method',
  'path',
  'times',
] as const satisfies (keyof Fault)[];
/** What is asked for over HTTP. Throws a sentence for whoever misspelled it, or their test would pass without it. */
function readAsked(what: string, text: string, fields: readonly string[]): Record<string, unknown> {
  let asked: unknown;
  try {
    asked = JSON.parse(text);
  } catch {
    /* said below */
  }
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked))
    throw new Error(`${what} takes a JSON object with any of ${fields.join(', ')}.`);
  const unknown = Object.keys(asked).filter(key => !fields.includes(key));
  if (unknown.length) throw new Error(`${what} knows no ${unknown.join(', ')}, but ${fields.join(', ')}.`);
  return asked as Record<string, unknown>;
}
const readFault = (text: string) => readAsked('A fault', text, FAULT_KEYS) as Fault;

export interface Vendor {
  id: string;
  /** Base address, as the account field `baseUrl` wants it. */
  url: string;
  /** A good account: what a user would fill in. */
  account: Record<string, unknown>;
  /** Requests that arrived, oldest first, since the last `forget`. */
  seen: Seen[];
  forget(): void;
  fail(fault: Fault): void;
  /** Ends all faults. */
  mend(): void;
  /** The vendor's time, in milliseconds; tests move it forward instead of waiting. */
  now(): number;
  advance(ms: number): void;
  /** Stops the vendor's time: only `advance` moves it, so that a slow machine changes nothing. */
  stopClock(): void;
  /**
   * For a vendor that runs where nobody tests: from now on nothing can be made to happen over HTTP, nothing is
   * remembered of requests, and a page that made a name of its own mean this machine (DNS rebinding) is refused.
   */
  seal(): void;
  close(): Promise<void>;
}

export interface VendorOptions {
  id: string;
  account(url: string): Record<string, unknown>;
  /** Added to the address for `url`, for vendors whose base has a path. */
  prefix?: string;
  handle(request: Seen, vendor: Vendor): Reply | Promise<Reply>;
  /** The throttling answer to this request, in the form that it asked for. */
  throttled(request: Seen): Reply;
  /**
   * What else can be made to happen here: `POST /__sandbox/<name>` with `fields` of them as a JSON object. What it
   * returns is the answer.
   */
  controls?: Readonly<
    Record<string, { fields: readonly string[]; act(given: Record<string, unknown>, vendor: Vendor): unknown }>
  >;
}

const largestBody = 64 * 1024 * 1024;

/** A real HTTP server on a free loopback port that answers as `handle` says, and misbehaves on command. */
export async function startVendor({
  id,
  account,
  prefix = '',
  handle,
  throttled,
  controls = {},
}: VendorOptions): Promise<Vendor> {
  const sockets = new Set<Socket>();
  let faults: Fault[] = [];
  let offset = 0;
  let stopped: number | undefined;
  let sealed = false;
  const server = createServer(
    (incoming, outgoing) =>
      void serve(incoming, outgoing).catch(error => {
        console.error(`sandbox ${id}:`, error);
        if (!outgoing.headersSent) outgoing.writeHead(500).end();
        else outgoing.destroy();
      }),
  );
  server.keepAliveTimeout = 60_000;
  server.on('connection', socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const vendor: Vendor = {
    id,
    url: origin + prefix,
    account: account(origin + prefix),
    seen: [],
    forget() {
      vendor.seen.length = 0;
    },
    fail(fault) {
      faults.push({ ...fault });
    },
    mend() {
      faults = [];
    },
    now: () => (stopped ?? Date.now()) + offset,
    advance(ms) {
      offset += ms;
    },
    stopClock() {
      stopped ??= Date.now();
    },
    seal() {
      sealed = true;
      vendor.forget();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse) {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of incoming as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > largestBody) return void outgoing.writeHead(413).end();
      parts.push(part);
    }
    const url = new URL(incoming.url ?? '/', origin);
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(', ') : (value ?? ''),
      ]),
    );
    const request: Seen = {
      method: incoming.method ?? 'GET',
      url,
      path: (incoming.url ?? '/').split('?')[0]!,
      query: url.searchParams,
      headers,
      body: Buffer.concat(parts),
      at: vendor.now(),
      segments: (incoming.url ?? '/')
        .split('?')[0]!
        .split('/')
        .filter(s => s !== '')
        .map(s => {
          try {
            return decodeURIComponent(s);
          } catch {
            return s;
          }
        }),
    };
    if (sealed) {
      if (headers.host !== new URL(origin).host || /^(__)?sandbox$/.test(request.segments[0] ?? ''))
        return write(outgoing, { status: 404 });
      return write(outgoing, await handle(request, vendor));
    }
    if (request.segments[0] === '__sandbox')
      return write(
        outgoing,
        await control(request).catch((error: Error) => ({ status: 400, body: { message: error.message } })),
      );
    vendor.seen.push(request);
    let fault: Fault | undefined;
    try {
      fault = pick(request);
    } catch (error) {
      return write(outgoing, { status: 400, body: { message: (error as Error).message } });
    }
    if (fault?.silent) return;
    if (fault?.throttle) return write(outgoing, throttled(request));
    if (fault?.status !== undefined)
      return write(outgoing, {
        status: fault.status,
        ...(fault.headers ? { headers: fault.headers } : {}),
        body: fault.body ?? '',
      });
    let reply = await handle(request, vendor);
    if (fault?.rewrite) reply = fault.rewrite(reply, request);
    if (fault?.delayMs) await new Promise(resolve => setTimeout(resolve, fault.delayMs));
    if (fault?.cut === 'answer') return void outgoing.destroy();
    if (fault?.malformed)
      return write(outgoing, {
        ...reply,
        body:
          bytes(reply)
            .subarray(0, Math.max(1, Math.floor(bytes(reply).length / 2)))
            .toString('latin1') + '<<<&',
      });
    if (fault?.contentType) reply.headers = { ...reply.headers, 'content-type': fault.contentType };
    write(outgoing, reply, fault?.cut === 'body');
  }
  function pick(request: Seen): Fault | undefined {
    const own = request.headers['x-sandbox-fault'];
    if (own) return readFault(own);
    const found = faults.find(
      f => (!f.method || f.method === request.method) && (!f.path || request.path.includes(f.path)),
    );
    if (found && (found.times = (found.times ?? 1) - 1) <= 0) faults = faults.filter(f => f !== found);
    return found;
  }
  async function control(request: Seen): Promise<Reply> {
    const what = `${request.method} ${request.segments[1] ?? ''}`;
    if (what === 'POST faults') {
      vendor.fail(readFault(request.body.toString()));
      return { status: 204 };
    }
    if (what === 'DELETE faults') {
      vendor.mend();
      return { status: 204 };
    }
    if (what === 'POST clock') {
      const { advanceMs } = readAsked('The clock', request.body.toString(), ['advanceMs']);
      if (!Number.isInteger(advanceMs) || Number(advanceMs) < 0)
        throw new Error('The clock goes forward by whole milliseconds, such as {"advanceMs": 60000}.');
      vendor.advance(Number(advanceMs));
      return { status: 204 };
    }
    if (what === 'GET requests')
      return { status: 200, body: vendor.seen.map(s => ({ method: s.method, path: s.path, query: s.url.search })) };
    const name = request.segments[1] ?? '';
    const own = request.method === 'POST' && Object.hasOwn(controls, name) ? controls[name]! : undefined;
    if (own)
      return {
        status: 200,
        body: { result: (await own.act(readAsked(name, request.body.toString(), own.fields), vendor)) ?? null },
      };
    const more = Object.entries(controls)
      .map(([one, { fields }]) => `, POST /__sandbox/${one} {${fields.join(', ')}}`)
      .join('');
    return {
      status: 404,
      body: {
        message: `POST or DELETE /__sandbox/faults, POST /__sandbox/clock {advanceMs}, GET /__sandbox/requests${more}`,
      },
    };
  }
  return vendor;
}

const bytes = (reply: Reply): Buffer =>
  Buffer.isBuffer(reply.body)
    ? reply.body
    : Buffer.from(
        typeof reply.body === 'string' ? reply.body : reply.body === undefined ? '' : JSON.stringify(reply.body),
      );

function write(outgoing: ServerResponse, reply: Reply, cut = false) {
  const body = bytes(reply);
  const json = reply.body !== undefined && typeof reply.body !== 'string' && !Buffer.isBuffer(reply.body);
  const headers = {
    ...(json ? { 'content-type': 'application/json' } : {}),
    ...reply.headers,
    ...(reply.status === 204 || reply.status === 304 ? {} : { 'content-length': String(body.length) }),
  };
  outgoing.writeHead(reply.status, headers);
  if (!cut) return void outgoing.end(reply.status === 204 ? undefined : body);
  outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => outgoing.destroy());
}
