import { createServer, connect as connectSocket, type AddressInfo, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import {
  connect,
  createDispatcher,
  isMailError,
  isStream,
  providerById,
  take,
  type Client,
  type Field,
  type HttpDispatcher,
  type Operation,
} from '../../shared/index.js';
import { cases } from '../contract/cases.js';
import type { ProviderCase } from '../contract/case.js';
import { startMail } from '../sandbox/mail.js';
import { startFaultProxy } from '../sandbox/faultProxy.js';
import type { Fault, Vendor } from '../sandbox/vendor.js';
import { accountOf } from '../providers/imapAccount.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { closePools } from '../../shared/providers/imap/session/smtpPool.js';

/**
 * What a campaign saw. `survived`: the call went well all the same. `told`: it failed with an error of ours. The rest
 * must be 0: `untold`, an error that is not ours; `lost`, a success of something that was not done, or a list that
 * lacks rows; `repeated`, a write done more often than without a fault; `late`, a call that outlasted its bound;
 * `leaked`, sockets and servers left at the end; `secrets` seen in an error or a log.
 */
export interface Report {
  injected: number;
  survived: number;
  told: number;
  untold: number;
  lost: number;
  repeated: number;
  late: number;
  leaked: number;
  secrets: number;
  /** Each thing that must not be, in a line. */
  findings: string[];
}
export const BAD = ['untold', 'lost', 'repeated', 'late', 'leaked', 'secrets'] as const;

type Values = Record<string, unknown>;
/** Numbers between 0 and 1 that are the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * How long a request waits for a byte, in milliseconds; and how long a call may take as a whole, retries and rests
 * included.
 */
const TIMEOUT = 700;
const LONGEST = 25_000;

/** Each fault by a name: what a vendor does, for a given answer and the secrets that it was sent. */
const FAULTS: Record<string, (pick: () => number, secrets: readonly string[]) => Fault> = {
  ...Object.fromEntries(
    [400, 401, 403, 404, 408, 409, 413, 422, 500, 501, 502, 503, 504].map(status => [
      `status ${status}`,
      () => ({ status, headers: { 'retry-after': '0' }, body: '' }),
    ]),
  ),
  throttles: () => ({ throttle: true }),
  'throttles without a time': () => ({ status: 429, body: '' }),
  'is silent': () => ({ silent: true }),
  'breaks off in the body': () => ({ cut: 'body' }),
  'breaks off before the answer': () => ({ cut: 'answer' }),
  'garbles its answer': () => ({ malformed: true }),
  'answers with a page': () => ({
    status: 200,
    headers: { 'content-type': 'text/html' },
    body: '<html><body>Welcome</body></html>',
  }),
  'answers with nothing': () => ({ status: 200, body: '' }),
  'answers null': () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: 'null' }),
  'answers with a list of lists': () => ({
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: '[[[[]]]]',
  }),
  'says that it is packed': () => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body: 'not packed at all' }),
  'points elsewhere': () => ({ status: 302, headers: { location: 'http://127.0.0.1:1/elsewhere' }, body: '' }),
  'is slow': pick => ({ delayMs: Math.floor(pick() * 200) }),
  'repeats what it was sent': (pick, secrets) => ({
    status: [400, 422, 500][Math.floor(pick() * 3)]!,
    headers: { 'content-type': 'text/plain' },
    body: secrets
      .map(
        one =>
          [
            `could not read ${one}`,
            `sent: ${encodeURIComponent(one)}`,
            `sent: ${Buffer.from(`user:${one}`).toString('base64')}`,
          ][Math.floor(pick() * 3)],
      )
      .join('; '),
  }),
};
/** What a proxy on the way may do. */
const PROXIES = ['drops', 'answers 407', 'answers 403', 'answers garbage', 'drops after 200', 'is silent'] as const;

/** A proxy that opens ways to this machine, until it is told to do something else. */
async function startProxy() {
  const state: { fault: (typeof PROXIES)[number] | undefined } = { fault: undefined };
  const sockets = new Set<Socket>();
  const server: Server = createServer(socket => {
    sockets.add(socket);
    socket
      .on('error', () => {})
      .on('close', () => sockets.delete(socket))
      .once('data', data => {
        const port = Number(/^CONNECT [^ ]*:(\d+) /.exec(data.toString('latin1'))?.[1]);
        switch (state.fault) {
          case 'drops':
            return socket.destroy();
          case 'answers 407':
            return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
          case 'answers 403':
            return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
          case 'answers garbage':
            return socket.end('garbage\r\n\r\n');
          case 'drops after 200':
            socket.write('HTTP/1.1 200 OK\r\n\r\n');
            return socket.destroy();
          case 'is silent':
            return undefined;
          default:
        }
        const up = connectSocket(port, '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          up.pipe(socket);
          socket.pipe(up);
        });
        sockets.add(up);
        up.on('error', () => socket.destroy()).on('close', () => {
          sockets.delete(up);
          socket.destroy();
        });
        socket.on('close', () => up.destroy());
        return undefined;
      });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    state,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const one of sockets) one.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

const held = () => process.getActiveResourcesInfo().filter(name => /^(?:TCP|TLS|Pipe)/.test(name)).length;
const operationsOf = (id: string) => providerById(id).operations as Readonly<Record<string, Operation>>;

/**
 * Runs faults of a seed for so many milliseconds, over all operations of all providers and mail, and says what became
 * of them.
 */
export async function campaign({
  seed,
  ms,
  say = () => {},
}: {
  seed: number;
  ms: number;
  say?: (line: string) => void;
}): Promise<Report> {
  const report: Report = {
    injected: 0,
    survived: 0,
    told: 0,
    untold: 0,
    lost: 0,
    repeated: 0,
    late: 0,
    leaked: 0,
    secrets: 0,
    findings: [],
  };
  const pick = numbers(seed);
  const one = <T>(list: readonly T[]): T => list[Math.floor(pick() * list.length)]!;
  const found = (kind: (typeof BAD)[number], what: string) => {
    report[kind]++;
    report.findings.push(`${kind}: ${what}`);
    say(`${kind}: ${what}`);
  };
  const before = held();
  const until = performance.now() + ms;
  const proxy = await startProxy();
  // A name of its own, since what is on this machine goes through no proxy.
  const lookup = (_: string, options: { all?: boolean }, done: (...given: unknown[]) => void) =>
    options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
  const pools: HttpDispatcher[] = [
    await createDispatcher({ lookup: lookup as never, connectMs: TIMEOUT }),
    await createDispatcher({ proxies: { url: proxy.url }, connectMs: TIMEOUT }),
  ];
  const vendors = new Map<
    ProviderCase,
    { vendor: Vendor; token: ReturnType<NonNullable<ProviderCase['token']>> | undefined }
  >();
  for (const each of cases) {
    const vendor = await each.start();
    vendors.set(each, { vendor, token: each.token?.(vendor) });
  }
  const mail = await startMailFaults(report, found, pick);
  try {
    let count = 0;
    while (performance.now() < until) {
      if (++count % 6 === 0) {
        await mail.round();
        continue;
      }
      const each = one(cases);
      const name = one(Object.keys(each.examples));
      const proxied = pick() < 0.2;
      await round({
        each,
        name,
        ...vendors.get(each)!,
        pool: pools[proxied ? 1 : 0]!,
        fault: proxied ? one(PROXIES) : one(Object.keys(FAULTS)),
        proxied,
      });
    }
  } finally {
    await mail.close();
    for (const { vendor } of vendors.values()) await vendor.close();
    for (const pool of pools) await pool.destroy();
    await proxy.close();
    const end = performance.now() + 5000;
    while (held() > before && performance.now() < end) await new Promise(resolve => setTimeout(resolve, 50));
    if (held() > before) found('leaked', process.getActiveResourcesInfo().join(' '));
  }
  return report;

  async function round({
    each,
    name,
    vendor,
    token,
    pool,
    fault,
    proxied,
  }: {
    each: ProviderCase;
    name: string;
    vendor: Vendor;
    token: ReturnType<NonNullable<ProviderCase['token']>> | undefined;
    pool: HttpDispatcher;
    fault: string;
    proxied: boolean;
  }): Promise<void> {
    const what = `${each.id} ${name}, ${proxied ? 'a proxy' : 'the vendor'} ${fault}`;
    const provider = providerById(each.id);
    const write = operationsOf(each.id)[name]!.effect !== 'read';
    const account = { ...vendor.account, concurrent: 50, perMinute: 60_000, plainHttp: true };
    const logs: string[] = [];
    const through = proxied
      ? { ...account, baseUrl: String(vendor.account.baseUrl).replace('127.0.0.1', 'vendor.test') }
      : account;
    const open = (to: object, dispatcher: HttpDispatcher | undefined, key: string, timeoutMs = TIMEOUT): Client =>
      connect(provider, to as Values, {
        key,
        timeoutMs,
        patience: 2,
        observe: seen => logs.push(JSON.stringify(seen)),
        ...(dispatcher ? { dispatcher } : {}),
        ...(token ? { token } : {}),
      });
    vendor.mend();
    // What is made ready for a fault is no fault: a busy machine has its time.
    const good = open(account, pools[0], '', 30_000);
    const input = await each.examples[name]!(good, vendor);
    const plain = write ? undefined : await outcome(good, name, input);
    const known = secretsOf(each.id, name, { ...account, ...input }, await token?.());
    vendor.forget();
    const given = FAULTS[fault]?.(pick, known);
    const times = 1 + Math.floor(pick() * 3);
    if (given)
      vendor.fail({
        ...given,
        times,
        ...(pick() < 0.5 ? { method: write ? one(['POST', 'PUT', 'PATCH', 'DELETE']) : 'GET' } : {}),
      });
    else proxy.state.fault = fault as (typeof PROXIES)[number];
    report.injected++;
    const began = performance.now();
    const came = await outcome(open(through, pool, `${report.injected}`), name, input);
    proxy.state.fault = undefined;
    if (performance.now() - began > LONGEST) found('late', `${what}: ${Math.round(performance.now() - began)} ms`);
    const shown = `${came.error === undefined ? '' : inspect(came.error, { depth: 20 })} ${safeJson(came.error)} ${logs.join('\n')}`;
    for (const secret of known)
      if (shown.includes(secret)) found('secrets', `${what}: ${secret.slice(0, 2)}… in ${shown.slice(0, 300)}`);
    const changing = vendor.seen.filter(({ method }) => method !== 'GET');
    if (came.error !== undefined) {
      if (!isMailError(came.error)) found('untold', `${what}: ${String(came.error).slice(0, 300)}`);
      else report.told++;
      return await vendorSettles(vendor);
    }
    report.survived++;
    // Some vendors write null for an empty list.
    if (plain?.rows !== undefined && came.rows !== undefined && came.rows < plain.rows && fault !== 'answers null')
      found('lost', `${what}: ${came.rows} of ${plain.rows} rows`);
    if (
      write &&
      changing.length === 0 &&
      !/verify$/.test(name) &&
      (came.value as Values | undefined)?.outcome !== 'unknown' &&
      given?.status === undefined
    ) {
      found('lost', `${what}: success, and the vendor was asked for nothing`);
    }
    repeatedIn(
      what,
      changing.map(({ method, path, body, query }) => `${method} ${path}?${query} ${body.toString('latin1')}`),
      given?.throttle || given?.status === 429 || given?.status === 401 ? times : 0,
    );
    await vendorSettles(vendor);
  }
  /** The very same change, sent more often than once; what was throttled, or refused for its token, was not done. */
  function repeatedIn(what: string, sent: readonly string[], throttled: number): void {
    const counts = new Map<string, number>();
    for (const line of sent) counts.set(line, (counts.get(line) ?? 0) + 1);
    for (const [line, count] of counts)
      if (count > 1 + throttled) found('repeated', `${what}: ${line.slice(0, 200)} ${count} times`);
  }
  function vendorSettles(vendor: Vendor): void {
    vendor.mend();
    vendor.forget();
  }
}

/** The result of a call read to its end, at most 300 rows. */
async function outcome(
  client: Client,
  name: string,
  input: Values,
): Promise<{ value?: unknown; rows?: number; error?: unknown }> {
  try {
    const result = client.call(name, input) as unknown;
    if (!isStream(result)) return { value: await result };
    return { rows: (await take(result, 300)).length };
  } catch (error) {
    return { error };
  }
}

/** The values of an account and an input that nobody may see again. */
function secretsOf(id: string, name: string, values: Values, token: string | undefined): string[] {
  const fields = { ...(providerById(id).auth.fields as Record<string, Field>), ...operationsOf(id)[name]!.input };
  const secret = Object.entries(fields)
    .filter(([, field]) => field.type === 'text' && field.secret)
    .map(([key]) => values[key]);
  return [...secret, token].filter((value): value is string => typeof value === 'string' && value.length > 5);
}
const safeJson = (value: unknown) => {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
};

/** Mail through a line that breaks: what was said to be sent is there once, what was not at most once. */
async function startMailFaults(
  report: Report,
  found: (kind: (typeof BAD)[number], what: string) => void,
  pick: () => number,
) {
  const mail = await startMail();
  const imap = await startFaultProxy(mail.imap.tlsPort, {});
  const smtp = await startFaultProxy(mail.smtp.tlsPort, {});
  const client = connect(providerById('imap'), accountOf(mail, 0, { imapPort: imap.port, smtpPort: smtp.port }), {
    resolve: async () => '127.0.0.1',
  });
  let sent = 0;
  for (let i = 0; i < 20; i++)
    mail.deliver('u0@test.local', `From: a@b.test\r\nTo: u0@test.local\r\nSubject: old ${i}\r\n\r\nhello ${i}\r\n`);
  return {
    async round() {
      const subject = `chaos ${++sent}`;
      const write = pick() < 0.5;
      const line = write && pick() < 0.7 ? smtp : imap;
      const how = (['reset', 'fin', 'refuse'] as const)[Math.floor(pick() * 3)]!;
      if (how === 'refuse') {
        line.refuse();
        setTimeout(() => line.pass(), 300);
      } else line.cutAfter(Math.floor(pick() * 4000), how);
      report.injected++;
      const came = await outcome(
        client,
        write ? 'message.send' : 'message.list',
        write ? { to: 'u1@test.local', subject, text: 'x', saveToSent: 'no' } : { folder: 'INBOX' },
      );
      line.pass();
      const what = `mail ${write ? 'message.send' : 'message.list'}, the line: ${how}`;
      if (came.error === undefined) report.survived++;
      else if (isMailError(came.error)) report.told++;
      else found('untold', `${what}: ${String(came.error).slice(0, 300)}`);
      if (inspect(came.error, { depth: 20 }).includes('pass0')) found('secrets', what);
      if (!write && came.rows !== undefined && came.rows < 20) found('lost', `${what}: ${came.rows} of 20 rows`);
      if (!write) return;
      const there = mail.smtp.seen.messages.filter(({ bytes }) => bytes.includes(`Subject: ${subject}\r\n`)).length;
      if (there > 1) found('repeated', `${what}: ${there} times`);
      if (there === 0 && came.error === undefined) found('lost', what);
    },
    async close() {
      closePools();
      closeConnections();
      await imap.close();
      await smtp.close();
      await mail.close();
    },
  };
}
