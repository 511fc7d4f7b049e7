import { connect as tcpConnect } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Client, FileValue } from '../../shared/index.js';
import type { Counts } from './delay.js';

/** What each contender brings to the walk of a user through a mailbox; the names are those of the table. */
export interface Walker {
  list(): Promise<void>;
  first(): Promise<void>;
  next(): Promise<void>;
  twenty(): Promise<void>;
  mark(): Promise<void>;
  move(): Promise<void>;
  download(): Promise<void>;
  send(): Promise<void>;
  again(): Promise<void>;
}
export type Step = keyof Walker;
export const STEPS: readonly Step[] = ['list', 'first', 'next', 'twenty', 'mark', 'move', 'download', 'send', 'again'];
/** What is missing was not offered by the contender. */
export type Walk = Partial<Record<Step, { roundTrips: number; ms: number }>>;

/** The counts of the proxy now. */
const countsOf = (port: number): Promise<Counts> =>
  new Promise((resolve, reject) => {
    let said = '';
    tcpConnect(port, '127.0.0.1')
      .on('data', data => {
        said += String(data);
      })
      .on('end', () => resolve(JSON.parse(said) as Counts))
      .on('error', reject);
  });

/** Walks step by step; each is counted until its result is there, and what it left under way until the next begins. */
export async function walk(walker: Partial<Walker>, control: number): Promise<Walk> {
  const out: Walk = {};
  for (const step of STEPS) {
    const run = walker[step];
    if (!run) continue;
    const before = await countsOf(control);
    const began = performance.now();
    await run.call(walker);
    const ms = performance.now() - began;
    out[step] = { roundTrips: (await countsOf(control)).roundTrips - before.roundTrips, ms };
  }
  return out;
}

export interface Place {
  port: number;
  smtpPort: number;
  user: string;
  password: string;
  ca: string;
  /** Whom the walk's mail is sent to, so that it does not change the mailbox that is walked through. */
  other: string;
  /** Messages in the inbox; the newest one, beyond these, has the large attachment. */
  messages: number;
}

export function mailroomWalker(client: Client, { other }: Place): Walker {
  const ids: string[] = [];
  const read = (id: string) => client.call('message.get', { message: id }) as Promise<unknown>;
  const send = (n: number) =>
    client.call('message.send', {
      to: [other],
      subject: `walk ${n}`,
      text: 'A short text.',
      saveToSent: 'no',
    }) as Promise<unknown>;
  return {
    async list() {
      for await (const { id } of client.call('message.list', { folder: 'INBOX' }) as AsyncIterable<{ id: string }>)
        if (ids.push(id) >= 50) break;
    },
    async first() {
      await read(ids[1]!);
    },
    async next() {
      await read(ids[2]!);
    },
    async twenty() {
      await Promise.all(ids.slice(3, 23).map(read));
    },
    async mark() {
      await client.call('message.mark', { message: ids[1], read: true });
    },
    async move() {
      await client.call('message.move', { message: ids[45], target: 'Archive' });
    },
    async download() {
      const file = (await client.call('attachment.get', { message: ids[0], attachment: '2' })) as FileValue;
      for await (const _piece of file.open()) {
        /* read to its end */
      }
    },
    async send() {
      await send(1);
    },
    async again() {
      await send(2);
    },
  };
}

interface Imap {
  connect(): Promise<void>;
  mailboxOpen(name: string): Promise<{ exists: number }>;
  close(): void;
  fetch(set: string, query: object, options?: object): AsyncIterable<{ uid: number; source: Buffer }>;
  fetchAll(set: string, query: object, options?: object): Promise<{ uid: number }[]>;
  fetchOne(set: string, query: object, options?: object): Promise<{ source: Buffer }>;
  messageFlagsAdd(set: string, flags: string[], options: object): Promise<unknown>;
  messageMove(set: string, to: string, options: object): Promise<unknown>;
  download(set: string, part: string, options: object): Promise<{ content: AsyncIterable<Buffer> }>;
}
interface Transport {
  sendMail(mail: object): Promise<unknown>;
  close(): void;
}
export type Nodemailer = { createTransport(options: object): Transport };

/** The library of IMAP and the parser by themselves, as their documents show them. */
export async function plainImap({
  port,
  user,
  password,
}: Place): Promise<{ client: Imap; parse(source: Buffer): Promise<unknown> }> {
  const load = createRequire(join(process.cwd(), 'package.json'));
  const { ImapFlow } = load('imapflow') as { ImapFlow: new (options: object) => Imap };
  const { default: PostalMime } = load('postal-mime') as { default: { parse(source: Buffer): Promise<unknown> } };
  const client = new ImapFlow({
    host: '127.0.0.1',
    port,
    secure: true,
    auth: { user, pass: password },
    logger: false,
    tls: { rejectUnauthorized: false },
  });
  return { client, parse: source => PostalMime.parse(source) };
}

export async function imapflowWalker(place: Place): Promise<Walker> {
  const { client, parse } = await plainImap(place);
  const { user, other, password, smtpPort, messages } = place;
  const { createTransport } = createRequire(join(process.cwd(), 'package.json'))('nodemailer') as Nodemailer;
  let transport: Transport;
  const read = async (uid: number) => {
    await parse((await client.fetchOne(String(uid), { source: true }, { uid: true })).source);
  };
  const byUid = { uid: true };
  const again = async () => {
    await transport.sendMail({ from: user, to: other, subject: 'walk', text: 'A short text.' });
  };
  return {
    async list() {
      await client.connect();
      const { exists } = await client.mailboxOpen('INBOX');
      await client.fetchAll(`${exists - 49}:*`, {
        uid: true,
        flags: true,
        internalDate: true,
        size: true,
        envelope: true,
        bodyStructure: true,
      });
    },
    first: () => read(messages),
    next: () => read(messages - 1),
    async twenty() {
      await Promise.all(Array.from({ length: 20 }, (_, i) => read(messages - 2 - i)));
    },
    async mark() {
      await client.messageFlagsAdd(String(messages), ['\\Seen'], byUid);
    },
    async move() {
      await client.messageMove(String(messages - 41), 'Archive', byUid);
    },
    async download() {
      for await (const _piece of (await client.download(String(messages + 1), '2', byUid)).content) {
        /* read to its end */
      }
    },
    async send() {
      transport = createTransport({
        pool: true,
        host: '127.0.0.1',
        port: smtpPort,
        secure: true,
        auth: { user, pass: password },
        tls: { rejectUnauthorized: false },
      });
      await again();
    },
    again,
  };
}

/** What is used of n8n's package; the rest n8n does not offer. */
export interface N8nBox {
  search(criteria: object, fields: object, limit?: number): Promise<{ uid: number; source?: Buffer }[]>;
  addFlags(uids: number[], flags: string[]): Promise<unknown>;
  downloadAttachments(message: object): Promise<{ content: Buffer }[]>;
  end(): void;
}
export function n8nWalker(
  open: () => Promise<N8nBox>,
  parse: (source: Buffer) => Promise<unknown>,
  { createTransport }: Nodemailer,
  { user, other, password, smtpPort, messages }: Place,
): Partial<Walker> {
  let box: N8nBox;
  const read = async (uid: number) => {
    for (const { source } of await box.search({ uid: String(uid) }, { uid: true, source: true })) await parse(source!);
  };
  const send = async () => {
    const transport = createTransport({
      host: '127.0.0.1',
      port: smtpPort,
      secure: true,
      auth: { user, pass: password },
      tls: { rejectUnauthorized: false },
    });
    await transport.sendMail({ from: user, to: other, subject: 'walk', text: 'A short text.' });
    transport.close();
  };
  return {
    async list() {
      box = await open();
      await box.search({ uid: `${messages - 48}:*` }, { uid: true, envelope: true, bodyStructure: true }, 50);
    },
    first: () => read(messages),
    next: () => read(messages - 1),
    async twenty() {
      await Promise.all(Array.from({ length: 20 }, (_, i) => read(messages - 2 - i)));
    },
    async mark() {
      await box.addFlags([messages], ['\\Seen']);
    },
    async download() {
      const [found] = await box.search({ uid: String(messages + 1) }, { uid: true, bodyStructure: true });
      await box.downloadAttachments(found!);
    },
    send,
    again: send,
  };
}

/** A raw connection: what is sent and what is waited for. */
export interface RawLine {
  send(text: string): void;
  until(end: RegExp): Promise<string>;
}
/**
 * The fewest turns that a client can take who knows what the server can do, one command after the other where one needs
 * the other's answer.
 */
export function rawWalker(
  open: (port: number) => Promise<RawLine>,
  { port, smtpPort, user, other, password, messages }: Place,
): Walker {
  let c: RawLine;
  let smtp: RawLine;
  const ask = async (command: string) => {
    c.send(`x ${command}\r\n`);
    await c.until(/^x OK/m);
  };
  const read = (set: string) => ask(`UID FETCH ${set} (UID BODY.PEEK[])`);
  const ready = async () => {
    smtp = await open(smtpPort);
    await smtp.until(/^220 .*\r\n/m);
    smtp.send('EHLO bench\r\n');
    await smtp.until(/^250 [^\r]*\r\n/m);
    smtp.send(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}\r\n`);
    await smtp.until(/^235[^\r]*\r\n/m);
  };
  const again = async () => {
    smtp.send(`MAIL FROM:<${user}>\r\nRCPT TO:<${other}>\r\nDATA\r\n`);
    await smtp.until(/^354[^\r]*\r\n/m);
    smtp.send(`From: ${user}\r\nTo: ${other}\r\nSubject: walk\r\n\r\nA short text.\r\n.\r\n`);
    await smtp.until(/^250[^\r]*\r\n/m);
  };
  return {
    async list() {
      c = await open(port);
      await c.until(/\* OK/);
      await ask(`LOGIN "${user}" "${password}"`);
      await ask('SELECT INBOX');
      await ask(`UID FETCH ${messages - 48}:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)`);
    },
    first: () => read(String(messages)),
    next: () => read(String(messages - 1)),
    twenty: () => read(`${messages - 21}:${messages - 2}`),
    mark: () => ask(`UID STORE ${messages} +FLAGS.SILENT (\\Seen)`),
    move: () => ask(`UID MOVE ${messages - 40} Archive`),
    async download() {
      await ask(`UID FETCH ${messages + 1} (UID BODY.PEEK[2])`);
    },
    async send() {
      await ready();
      await again();
    },
    again,
  };
}
