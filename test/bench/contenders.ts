import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { connect as tlsConnect, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import type { Client, FileValue } from '../../shared/index.js';
import type * as Follow from '../../nodes/lib/follow.js';
import { ONE, PAGES, type Listing } from './listings.js';
import {
  imapflowWalker,
  mailroomWalker,
  n8nWalker,
  plainImap,
  rawWalker,
  walk,
  type N8nBox,
  type Nodemailer,
} from './steps.js';

/**
 * What is used of `@n8n/imap`. Its own types are there only where the bench is installed, and types are checked without
 * it.
 */
interface N8nImap extends N8nBox {
  onArrival(told: () => Promise<void>): void;
}

/** One contender a process: reads its settings, does its work, prints its figures. */
interface Settings {
  port: number;
  smtpPort: number;
  user: string;
  other: string;
  password: string;
  ca: string;
  messages: number;
  fetch?: string;
  count?: number;
  control?: number;
  listing?: Listing;
  scheme?: string;
  atOnce?: number;
  folder?: string;
}
const [name, json] = process.argv.slice(2) as [string, string];
const settings = JSON.parse(json) as Settings;
// The bundle stands in .cache; what is measured is loaded from where it is installed.
const load = createRequire(join(process.cwd(), 'test/bench/package.json'));

// How much V8's heap and the buffers beside it held at their worst. What the whole process held is the kernel's own
// count: asking for it every few milliseconds took a seventh of the time of a contender that is not waiting for its
// server, and missed what came between.
let heap = 0;
let buffers = 0;
const sample = () => {
  const now = process.memoryUsage();
  heap = Math.max(heap, now.heapUsed);
  buffers = Math.max(buffers, now.arrayBuffers);
};
setInterval(sample, 100).unref();
const peak = () => process.resourceUsage().maxRSS * 1024;
const now = () => performance.timeOrigin + performance.now();

/** Processor time since a mark, in milliseconds. */
const spent = (mark: NodeJS.CpuUsage) => {
  const { user, system } = process.cpuUsage(mark);
  return { cpuMs: (user + system) / 1000 };
};

/** The same request so often, so many at a time, after a few that do not count. */
async function repeated(ask: () => Promise<{ id: string }>): Promise<{ count: number; ms: number; cpuMs: number }> {
  setDefaultCACertificates([settings.ca]);
  let left = 0;
  let count = 0;
  const round = (many: number) => {
    left = many;
    return Promise.all(
      Array.from({ length: settings.atOnce! }, async () => {
        while (left-- > 0) if ((await ask()).id === ONE) count++;
      }),
    );
  };
  await round(100);
  count = 0;
  const began = performance.now();
  const cpu = process.cpuUsage();
  await round(settings.messages);
  return { count, ms: performance.now() - began, ...spent(cpu) };
}

function spread(times: number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  return { p50: sorted[Math.floor(sorted.length * 0.5)], p95: sorted[Math.floor(sorted.length * 0.95)] };
}

const mailroom = (): Client => {
  const { connect, providerById } = load('../../dist/shared/index.js') as typeof import('../../shared/index.js');
  return connect(providerById('imap'), {
    user: settings.user,
    password: settings.password,
    imapHost: '127.0.0.1',
    imapPort: settings.port,
    imapSecurity: 'tls',
    smtpHost: '127.0.0.1',
    smtpPort: settings.smtpPort,
    smtpSecurity: 'tls',
    allowedCertificate: settings.ca,
    concurrent: 50,
  });
};
const n8nImap = () => {
  const { ImapSimple } = load('@n8n/imap') as {
    ImapSimple: { connect(options: object, mailbox: object): Promise<N8nImap> };
  };
  return ImapSimple.connect(
    {
      host: '127.0.0.1',
      port: settings.port,
      secure: true,
      user: settings.user,
      password: settings.password,
      allowUnauthorizedCerts: true,
    },
    { mailbox: 'INBOX' },
  );
};

/** An answer's last line is looked for in so many bytes: Dovecot's to a login tells all it can do. */
const LAST = 2000;
/** A raw TLS connection that speaks lines, with as little as possible in between. */
async function raw(
  port: number,
): Promise<{ socket: TLSSocket; until(end: RegExp): Promise<string>; send(text: string): void; bytes: () => number }> {
  const socket = tlsConnect({
    host: '127.0.0.1',
    port,
    ca: settings.ca,
    servername: 'localhost',
    rejectUnauthorized: false,
  });
  socket.setNoDelay();
  let tail = '';
  let bytes = 0;
  let look = () => {};
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    tail = (tail + chunk.subarray(-LAST).toString('latin1')).slice(-LAST);
    look();
  });
  return {
    socket,
    bytes: () => bytes,
    send: text => socket.write(text),
    until: end =>
      new Promise(resolve => {
        look = () => {
          const found = end.exec(tail);
          if (found) {
            tail = '';
            look = () => {};
            resolve(found[0]);
          }
        };
        look();
      }),
  };
}
async function rawImap() {
  const c = await raw(settings.port);
  await c.until(/\* OK/);
  c.send(`a LOGIN "${settings.user}" "${settings.password}"\r\n`);
  await c.until(/^a OK/m);
  c.send('b SELECT INBOX\r\n');
  await c.until(/^b OK/m);
  return c;
}

const CONTENDERS: Record<string, () => Promise<object>> = {
  async rawFetch() {
    const c = await rawImap();
    const began = performance.now();
    c.send('c UID FETCH 1:* (UID BODY.PEEK[])\r\n');
    await c.until(/^c OK/m);
    c.socket.destroy();
    return { count: settings.messages, ms: performance.now() - began };
  },
  async rawEnvelopes() {
    const c = await rawImap();
    const began = performance.now();
    c.send('c UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)\r\n');
    await c.until(/^c OK/m);
    c.socket.destroy();
    return { count: settings.messages, ms: performance.now() - began };
  },
  // As n8n's Email Trigger does it in its "resolved" format: search and fetch twenty, parse each whole, mark them,
  // search again.
  async n8nResolved() {
    const { simpleParser } = load('mailparser') as { simpleParser(source: Buffer): Promise<{ subject?: string }> };
    const client = await n8nImap();
    const began = performance.now();
    const cpu = process.cpuUsage();
    let last = 0;
    let count = 0;
    while (count < settings.messages) {
      const found = (
        await client.search({ seen: false, uid: `${last + 1}:*` }, { uid: true, source: true }, 20)
      ).filter(m => m.uid > last);
      if (!found.length) break;
      for (const message of found) {
        await simpleParser(message.source!);
        last = Math.max(last, message.uid);
        count++;
      }
      await client.addFlags(
        found.map(m => m.uid),
        ['\\Seen'],
      );
    }
    const ms = performance.now() - began;
    client.end();
    return { count, ms, ...spent(cpu) };
  },
  async mailroomFeed() {
    const client = mailroom();
    const input = { fetch: settings.fetch, attachmentLimit: 100 * 1024 * 1024 };
    // A cursor from before the first message: everything waits.
    const first = JSON.parse((await client.since('messageReceived', { fetch: 'envelope' })).cursor) as {
      folders: Record<string, { last: number; base: number; seen?: string; ring?: string }>;
    };
    for (const folder of Object.values(first.folders)) {
      folder.last = 0;
      folder.base = 0;
      delete folder.seen;
      delete folder.ring;
    }
    let cursor = JSON.stringify(first);
    global.gc?.();
    await new Promise(resolve => setTimeout(resolve, 100));
    const idleRss = process.memoryUsage.rss();
    heap = buffers = 0;
    const began = performance.now();
    const cpu = process.cpuUsage();
    let count = 0;
    let bytes = 0;
    for (;;) {
      const batch = await client.since('messageReceived', input, cursor);
      for (const { item } of batch.items) {
        const { subject, attachments = [] } = item as {
          subject?: string;
          attachments?: { size: number; content?: FileValue }[];
        };
        createHash('sha1').update(String(subject));
        count++;
        // What comes with its message is there already; a large file is read to its end as a workflow would.
        for (const { size, content } of attachments)
          if (content && size > 1024 * 1024) for await (const piece of content.open()) bytes += piece.length;
      }
      cursor = batch.cursor;
      if (!batch.more) break;
    }
    return { count, bytes, ms: performance.now() - began, ...spent(cpu), idleRss };
  },
  async plainFlow() {
    const { client, parse } = await plainImap(settings);
    await client.connect();
    await client.mailboxOpen('INBOX');
    const began = performance.now();
    const cpu = process.cpuUsage();
    let count = 0;
    for await (const { source } of client.fetch('1:*', { uid: true, source: true })) {
      await parse(source);
      count++;
    }
    const ms = performance.now() - began;
    client.close();
    return { count, ms, ...spent(cpu) };
  },
  rawWalk: async () => ({ walk: await walk(rawWalker(raw, settings), settings.control!) }),
  imapflowWalk: async () => ({ walk: await walk(await imapflowWalker(settings), settings.control!) }),
  async n8nWalk() {
    const { simpleParser } = load('mailparser') as { simpleParser(source: Buffer): Promise<unknown> };
    return {
      walk: await walk(n8nWalker(n8nImap, simpleParser, load('nodemailer') as Nodemailer, settings), settings.control!),
    };
  },
  mailroomWalk: async () => ({ walk: await walk(mailroomWalker(mailroom(), settings), settings.control!) }),
  async plainList() {
    const { provider, account, page } = settings.listing!;
    const { providerById } = load('../../dist/shared/index.js') as typeof import('../../shared/index.js');
    const { Agent, request } = createRequire(join(process.cwd(), 'package.json'))('undici') as typeof import('undici');
    const { sign } = providerById(provider).auth;
    const dispatcher = new Agent({ connections: 1 });
    const began = performance.now();
    const cpu = process.cpuUsage();
    let count = 0;
    for (let i = 0; i < PAGES; i++) {
      const url = `http://127.0.0.1:${settings.port}${page.replace('{page}', String(i + 1)).replace('{offset}', String(i * 100))}`;
      const { headers } = await sign!({ method: 'GET', url, headers: { accept: 'application/json' } }, {
        userAgent: 'bench',
        ...account,
      } as never);
      const answer = (await (await request(url, { headers, dispatcher })).body.json()) as
        { mailboxes?: unknown[] } | unknown[];
      count += (Array.isArray(answer) ? answer : answer.mailboxes!).length;
    }
    return { count, ms: performance.now() - began, ...spent(cpu) };
  },
  async mailroomList() {
    const { provider, account, input } = settings.listing!;
    const { connect, providerById } = load('../../dist/shared/index.js') as typeof import('../../shared/index.js');
    const client = connect(providerById(provider), {
      baseUrl: `http://127.0.0.1:${settings.port}`,
      ...account,
      perMinute: 60_000,
    });
    const began = performance.now();
    const cpu = process.cpuUsage();
    const seen = new Set<string>();
    for await (const { id } of client.call('mailbox.list', input) as AsyncIterable<{ id: string }>) seen.add(id);
    return { count: seen.size, ms: performance.now() - began, ...spent(cpu) };
  },
  async plainRequests() {
    const { Agent, request } = createRequire(join(process.cwd(), 'package.json'))('undici') as typeof import('undici');
    const dispatcher = new Agent({ connections: settings.atOnce! });
    const url = `${settings.scheme}://localhost:${settings.port}/mailbox/v1alpha1/mailboxes/${ONE}`;
    const headers = { accept: 'application/json', 'x-auth-token': '7c0f1e9a-4b1d-4a57-9d5e-2f6f3a9c1b20' };
    return repeated(async () => (await (await request(url, { headers, dispatcher })).body.json()) as { id: string });
  },
  async mailroomRequests() {
    const { connect, providerById } = load('../../dist/shared/index.js') as typeof import('../../shared/index.js');
    const client = connect(providerById('scaleway'), {
      baseUrl: `${settings.scheme}://localhost:${settings.port}`,
      secretKey: '7c0f1e9a-4b1d-4a57-9d5e-2f6f3a9c1b20',
      perMinute: 60_000,
      concurrent: settings.atOnce!,
    });
    return repeated(() => client.call('mailbox.get', { mailbox: ONE }) as Promise<{ id: string }>);
  },
  async rawIdle() {
    const c = await rawImap();
    const times: number[] = [];
    c.send('c IDLE\r\n');
    let seen = '';
    await new Promise<void>(resolve =>
      c.socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1');
        for (const _ of seen.match(/\* \d+ EXISTS\r\n/g) ?? []) times.push(now());
        seen = seen.slice(seen.lastIndexOf('\n') + 1);
        if (times.length >= settings.count!) resolve();
      }),
    );
    // When each was delivered stands in its subject, read afterwards.
    c.send('DONE\r\n');
    await c.until(/^c OK/m);
    let text = '';
    c.socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    c.send('d UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n');
    await c.until(/^d OK/m);
    const delivered = [...text.matchAll(/sent ([\d.]+)/g)].map(m => Number(m[1])).slice(-times.length);
    c.socket.destroy();
    return { count: times.length, ms: 0, ...spread(times.map((time, i) => time - delivered[i]!)) };
  },
  async n8nArrival() {
    const { simpleParser } = load('mailparser') as { simpleParser(source: Buffer): Promise<{ subject?: string }> };
    const client = await n8nImap();
    const times: number[] = [];
    let last = Math.max(0, ...(await client.search({ all: true }, { uid: true })).map(m => m.uid));
    const began = performance.now();
    const done = new Promise<void>(resolve => {
      const limit = setTimeout(resolve, 120_000);
      client.onArrival(async () => {
        for (const message of (await client.search({ uid: `${last + 1}:*` }, { uid: true, source: true }, 20)).filter(
          m => m.uid > last,
        )) {
          last = message.uid;
          const { subject } = await simpleParser(message.source!);
          times.push(now() - Number(/sent ([\d.]+)/.exec(subject ?? '')?.[1]));
        }
        if (times.length >= settings.count!) {
          clearTimeout(limit);
          resolve();
        }
      });
    });
    await done;
    client.end();
    return { count: times.length, ms: performance.now() - began, ...spread(times) };
  },
  async mailroomTrigger() {
    const times: number[] = [];
    let finish = () => {};
    const done = new Promise<void>(resolve => {
      finish = resolve;
    });
    // Loaded here only: the front end must not stand in the memory of the others.
    const { follow } = createRequire(__filename)('./follow.cjs') as typeof Follow;
    const trigger = follow({
      state: {},
      keyPrefix: 'bench',
      intervalMs: 60_000,
      concurrent: 5,
      async open() {
        const client = mailroom();
        return {
          since: cursor => client.since('messageReceived', { fetch: 'text' }, cursor),
          from: async () => undefined,
          watch: changed => client.watch('messageReceived', { fetch: 'text' }, changed),
        };
      },
      async execute(items) {
        for (const { item } of items)
          times.push(now() - Number(/sent ([\d.]+)/.exec((item as { subject?: string }).subject ?? '')?.[1]));
        if (times.length >= settings.count!) finish();
        return 'success';
      },
      poisoned() {},
      outage() {},
      log() {},
    });
    await done;
    await trigger.close();
    return { count: times.length, ms: 0, ...spread(times) };
  },
  async n8nSend() {
    const { createTransport } = load('nodemailer') as {
      createTransport(options: object): { sendMail(mail: object): Promise<unknown>; close(): void };
    };
    const began = performance.now();
    const cpu = process.cpuUsage();
    for (let i = 0; i < settings.messages; i++) {
      const transport = createTransport({
        host: '127.0.0.1',
        port: settings.smtpPort,
        secure: true,
        auth: { user: settings.user, pass: settings.password },
        tls: { rejectUnauthorized: false },
      });
      await transport.sendMail({ from: settings.user, to: settings.user, subject: `n8n ${i}`, text: BODY });
      transport.close();
    }
    return { count: settings.messages, ms: performance.now() - began, ...spent(cpu) };
  },
  async rawSend() {
    const c = await raw(settings.smtpPort);
    await c.until(/^220 .*\r\n/m);
    c.send('EHLO bench\r\n');
    await c.until(/^250 [^\r]*\r\n/m);
    c.send(`AUTH PLAIN ${Buffer.from(`\0${settings.user}\0${settings.password}`).toString('base64')}\r\n`);
    await c.until(/^235[^\r]*\r\n/m);
    const began = performance.now();
    const cpu = process.cpuUsage();
    for (let i = 0; i < settings.messages; i++) {
      c.send(`MAIL FROM:<${settings.user}>\r\nRCPT TO:<${settings.user}>\r\nDATA\r\n`);
      await c.until(/^354[^\r]*\r\n/m);
      c.send(`From: ${settings.user}\r\nTo: ${settings.user}\r\nSubject: raw ${i}\r\n\r\n${BODY}\r\n.\r\n`);
      await c.until(/^250[^\r]*\r\n/m);
    }
    const ms = performance.now() - began;
    c.socket.destroy();
    return { count: settings.messages, ms, ...spent(cpu) };
  },
  // What the library that Mailroom stands on gives by itself, with as many connections, each logged in before the time
  // begins.
  async poolSend() {
    const { createTransport } = createRequire(join(process.cwd(), 'package.json'))('nodemailer') as {
      createTransport(options: object): { sendMail(mail: object): Promise<unknown> };
    };
    const transport = createTransport({
      pool: true,
      maxConnections: 5,
      maxMessages: Infinity,
      host: '127.0.0.1',
      port: settings.smtpPort,
      secure: true,
      auth: { user: settings.user, pass: settings.password },
      tls: { rejectUnauthorized: false },
    });
    const one = (i: number) =>
      transport.sendMail({ from: settings.user, to: settings.user, subject: `pool ${i}`, text: BODY });
    await Promise.all(Array.from({ length: 20 }, (_, i) => one(-1 - i)));
    const began = performance.now();
    const cpu = process.cpuUsage();
    let next = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        while (next < settings.messages) await one(next++);
      }),
    );
    return { count: settings.messages, ms: performance.now() - began, ...spent(cpu) };
  },
  async mailroomSend() {
    const client = mailroom();
    const one = (i: number) =>
      client.call('message.send', { to: [settings.user], subject: `mailroom ${i}`, text: BODY, saveToSent: 'no' });
    // As the raw connection is logged in before its time begins, so is the pool: the sandbox holds back each greeting
    // for 100 ms.
    await Promise.all(Array.from({ length: 20 }, (_, i) => one(-1 - i)));
    const began = performance.now();
    const cpu = process.cpuUsage();
    let next = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        while (next < settings.messages) await one(next++);
      }),
    );
    return { count: settings.messages, ms: performance.now() - began, ...spent(cpu) };
  },
  // The local mail server takes what a pool in another process sends, and then tells a reader of each message as it
  // comes.
  async localMail() {
    const { connect, providerById, startMailServer } = load(
      '../../dist/shared/index.js',
    ) as typeof import('../../shared/index.js');
    const server = await startMailServer({ smtp: 0, imap: 0, folder: settings.folder! });
    const sender = { ...settings, smtpPort: server.smtp.tlsPort, user: 'bench@mailroom.test', password: 'any' };
    const taken = JSON.parse(
      await output(process.execPath, [process.argv[1]!, 'poolSend', JSON.stringify(sender)]),
    ) as { count: number; ms: number };
    const stop = new AbortController();
    const client = connect(providerById('imap'), server.account, { signal: stop.signal });
    const times: number[] = [];
    const { createTransport } = createRequire(join(process.cwd(), 'package.json'))('nodemailer') as {
      createTransport(options: object): { sendMail(mail: object): Promise<unknown> };
    };
    const transport = createTransport({ host: server.host, port: server.smtp.port, ignoreTLS: true });
    let { cursor } = await client.since('messageReceived', {});
    let wake = () => {};
    void client.watch('messageReceived', {}, () => wake()).catch(() => {});
    for (let i = 0; i < 40; i++) {
      const came = new Promise<void>(resolve => {
        wake = resolve;
      });
      await transport.sendMail({
        from: 'bench@mailroom.test',
        to: 'bench@mailroom.test',
        subject: `live ${i}`,
        text: BODY,
      });
      const sent = now();
      for (let there = false; !there;) {
        const batch = await client.since('messageReceived', {}, cursor);
        cursor = batch.cursor;
        there = batch.items.length > 0;
        if (!there) await came;
      }
      times.push(now() - sent);
    }
    stop.abort();
    await server.close();
    return { ...taken, ...spread(times) };
  },
  // What a folder full of mail costs the process that serves it, and how soon it does.
  async localMailKept() {
    const { startMailServer } = load('../../dist/shared/index.js') as typeof import('../../shared/index.js');
    global.gc?.();
    const idleRss = process.memoryUsage.rss();
    const began = performance.now();
    const server = await startMailServer({ smtp: 0, imap: 0, folder: settings.folder! });
    const ms = performance.now() - began;
    await new Promise(resolve => setTimeout(resolve, 500));
    return { count: server.messages, ms, idleRss };
  },
};
/** All that a program prints. */
async function output(program: string, args: string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let all = '';
  for await (const piece of child.stdout) all += String(piece);
  return all;
}
const BODY = 'A line of text that says nothing much but fills the message.\r\n'.repeat(32);

void CONTENDERS[name]!().then(
  figures => {
    sample();
    console.log(JSON.stringify({ rss: peak(), heap, buffers, ...figures }));
    process.exit(0);
  },
  error => {
    console.error(name, error);
    process.exit(1);
  },
);
