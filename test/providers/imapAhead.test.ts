import assert from 'node:assert/strict';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { connect, providerById, take, type Batch, type Client } from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { measurePauses, standsStill } from '../../shared/providers/imap/feed/standstill.js';
import { uidsOf } from '../../shared/providers/imap/messages/content.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { accountOf } from './imapAccount.js';

const imap = providerById('imap');
const USER = 'u0@test.local';
type Item = { id: string; item: { subject: string; text?: string; html?: string; unreadable?: boolean } };

/**
 * Stands between client and server in clear text: hears each packet, may hold back what the server says, or end
 * connections.
 */
interface Between {
  server: Server;
  port: number;
  said: { up: boolean; text: string }[];
  hold(on: boolean): void;
  /** Ends a connection when this says so of what went up. */
  intolerant: ((text: string, open: number) => boolean) | undefined;
  connections: number;
  /** What the server says is that late, in milliseconds. */
  late: number;
  /** Where this says so of what the server says, that and all behind it comes 45 ms later. */
  standsStill: ((text: string) => boolean) | undefined;
}
async function between(port: number): Promise<Between> {
  let held: (() => void)[] | undefined;
  const self: Between = {
    server: createServer(to => {
      const from = connectTcp(port, '127.0.0.1');
      self.connections++;
      const open = new Set<string>();
      const pass = (source: Socket, up: boolean, write: (chunk: Buffer) => void) =>
        source.on('data', (chunk: Buffer) => {
          const text = chunk.toString('latin1');
          self.said.push({ up, text });
          for (const [, tag] of text.matchAll(up ? /^(\w+) (?:UID )?[A-Z]+/gm : /^(\w+) (?:OK|NO|BAD)/gm))
            if (up) open.add(tag!);
            else open.delete(tag!);
          if (up && self.intolerant?.(text, open.size)) {
            to.destroy();
            from.destroy();
            return;
          }
          write(chunk);
        });
      pass(to, true, chunk => from.write(chunk));
      let moving: Promise<unknown> | undefined;
      pass(from, false, chunk => {
        const still = self.standsStill?.(chunk.toString('latin1'));
        if (moving || still) {
          const mine = (moving = Promise.all([
            moving,
            still &&
              new Promise(resolve => {
                setTimeout(resolve, 45);
              }),
          ]).then(() => {
            to.write(chunk);
            if (moving === mine) moving = undefined;
          }));
        } else if (held) held.push(() => to.write(chunk));
        else if (self.late) setTimeout(() => to.write(chunk), self.late);
        else to.write(chunk);
      });
      for (const [one, other] of [
        [to, from],
        [from, to],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }),
    port: 0,
    said: [],
    intolerant: undefined,
    connections: 0,
    late: 0,
    standsStill: undefined,
    hold(on) {
      const waiting = held ?? [];
      held = on ? waiting : undefined;
      if (!on) for (const write of waiting) write();
    },
  };
  await new Promise<void>(resolve => self.server.listen(0, '127.0.0.1', resolve));
  self.port = (self.server.address() as AddressInfo).port;
  return self;
}
const until = async (what: string, check: () => boolean) => {
  for (let i = 0; i < 300; i++) {
    if (check()) return;
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  throw new Error(`${what}: never`);
};

describe('IMAP feed: what is asked for ahead', function () {
  this.timeout(60_000);
  let mail: Mail;
  let middle: Between;
  let client: Client;
  beforeEach(async () => {
    mail = await startMail();
    middle = await between(mail.imap.port);
    client = connect(imap, accountOf(mail, 0, { imapHost: '127.0.0.1', imapPort: middle.port, imapSecurity: 'none' }));
  });
  afterEach(async () => {
    closeConnections();
    middle.server.close();
    await mail.close();
  });

  const since = async (fetch: string, cursor: string) =>
    (await client.since('messageReceived', { fetch }, cursor)) as Batch & { items: Item[] };
  const backlog = async (count: number) => {
    const { cursor } = await client.since('messageReceived', {});
    for (let i = 0; i < count; i++)
      mail.deliver(USER, { subject: `m${i}`, text: `text ${i}`, ...(i % 2 ? { html: `<b>${i}</b>` } : {}) });
    return cursor;
  };
  /** To the end, with the cursor as text in between; after an error again. */
  const rest = async (fetch: string, cursor: string) => {
    const items: Item[] = [];
    for (let rounds = 0, errors = 0; rounds < 300; rounds++) {
      let batch: Awaited<ReturnType<typeof since>>;
      try {
        batch = await since(fetch, cursor);
      } catch (error) {
        if (++errors > 10) throw error;
        continue;
      }
      items.push(...batch.items);
      cursor = batch.cursor;
      if (!batch.more) return items;
    }
    throw new Error('no end');
  };
  const subjects = (items: readonly Item[]) => items.map(({ item }) => item.subject);
  const names = (count: number) => Array.from({ length: count }, (_, i) => `m${i}`);
  const up = () => middle.said.filter(one => one.up).map(one => one.text);
  const fetches = (text: string) => text.match(/UID FETCH /g)?.length ?? 0;
  /** How many summaries the server was asked for. */
  const told = () =>
    up()
      .join('')
      .match(/UID FETCH \S+ \(UID FLAGS [^\n]* ENVELOPE/g)
      ?.reduce((sum, line) => sum + uidsOf(/FETCH (\S+)/.exec(line)![1]!).length, 0) ?? 0;
  /** Tags that went up and were not answered yet, among what was said until now. */
  const open = (said = middle.said) => {
    const tags = new Set<string>();
    for (const one of said)
      for (const [, tag] of one.text.matchAll(one.up ? /^(P\d+) UID FETCH/gm : /^(P\d+) OK/gm))
        if (one.up) tags.add(tag!);
        else tags.delete(tag!);
    return tags.size;
  };

  it('goes up while the window before is still on its way, and everything comes in order, each once', async () => {
    const cursor = await backlog(700);
    const one = await since('envelope', cursor);
    middle.said.length = 0;
    middle.hold(true);
    const two = since('envelope', one.cursor);
    await until(
      'several commands before the first answer',
      () => up().reduce((sum, text) => sum + fetches(text), 0) >= 2,
    );
    middle.hold(false);
    const second = await two;
    assert.deepEqual(subjects([...one.items, ...second.items, ...(await rest('envelope', second.cursor))]), names(700));
  });

  it('and all contents of a window with it: one packet for what it took a round trip each', async () => {
    const cursor = await backlog(200);
    const one = await since('text', cursor);
    middle.said.length = 0;
    const items = [...one.items, ...(await rest('text', one.cursor))];
    assert.deepEqual(subjects(items), names(200));
    assert.ok(items.every(({ item }, i) => item.text?.trim() === `text ${i}` && !!item.html === !!(i % 2)));
    const packets = up().filter(text => fetches(text) > 0);
    assert.ok(
      packets.some(
        text => fetches(text) >= 3 && /BODY\.PEEK\[1\]\)[^]*BODY\.PEEK\[1\] BODY\.PEEK\[2\]\)[^]*ENVELOPE/.test(text),
      ),
      packets.join('\n'),
    );
    const windows = Math.ceil(200 / 16);
    assert.ok(packets.length <= windows + 3, `${packets.length} packets`);
  });

  it('is no more than a few messages, and nothing for whoever does not go on or is interrupted', async () => {
    // What a round trip holds, which on a busy machine is not nothing even here; and never more than this.
    for (const [fetch, window, most] of [
      ['envelope', 64, 1024],
      ['text', 32, 512],
    ] as const) {
      const cursor = await backlog(1500);
      middle.said.length = 0;
      const one = await since(fetch, cursor);
      assert.equal(told(), window, 'the first look');
      // As if another feed on the same account looked each time in between.
      for (let i = 0; i < 3; i++) await since(fetch, cursor);
      assert.equal(told(), 4 * window, 'those who take turns');
      let at = one.cursor;
      let handed = window;
      middle.said.length = 0;
      for (let i = 0; i < 4; i++) {
        const batch = await since(fetch, at);
        at = batch.cursor;
        handed += batch.items.length;
      }
      // Gets its turn when all that is over.
      await take(client.call('folder.list', {}) as AsyncIterable<unknown>);
      const beyond = told() - (handed - window);
      assert.ok(beyond > 0 && beyond <= most, `${fetch}: ${beyond} asked for in vain`);
      closeConnections();
    }
  });

  it('is over before another task gets the connection', async () => {
    const cursor = await backlog(300);
    const others = {
      LIST: () => take(client.call('folder.list', {}) as AsyncIterable<unknown>),
      'EXAMINE INBOX': () => since('envelope', cursor),
      'EXAMINE Archive': () => take(client.call('message.list', { folder: 'Archive' }) as AsyncIterable<unknown>),
    };
    for (const [command, other] of Object.entries(others)) {
      const one = await since('envelope', cursor);
      mail.imap.trouble.fail({ command: 'UID FETCH', uid: 200, delayMs: 300, times: 1 });
      middle.said.length = 0;
      const two = await since('envelope', one.cursor);
      assert.ok(open() > 0, 'something is under way');
      await other();
      const turn = middle.said.findIndex(({ up, text }) => up && text.includes(command));
      assert.ok(turn > 0, command);
      assert.equal(open(middle.said.slice(0, turn)), 0, command);
      assert.deepEqual(subjects([...one.items, ...two.items, ...(await rest('envelope', two.cursor))]), names(300));
    }
  });

  it('of contents, stays unread until the next look or until somebody else needs the connection', async () => {
    // A server nearby is not asked for contents ahead.
    middle.late = 20;
    const { cursor } = await client.since('messageReceived', {});
    const text = 'A line of text that fills the message.\r\n'.repeat(2000);
    for (let i = 0; i < 80; i++) mail.deliver(USER, { subject: `m${i}`, text });
    const contents = () =>
      up()
        .join('')
        .match(/UID FETCH \S+ \(UID BODY\.PEEK\[HEADER/g)?.length ?? 0;
    let at = cursor;
    let asked = 0;
    const items: Item[] = [];
    for (let looks = 0; items.length < 80; looks++) {
      assert.ok(looks < 80);
      middle.said.length = 0;
      const batch = await since('text', at);
      at = batch.cursor;
      items.push(...batch.items);
      asked = Math.max(asked, contents());
      if (looks % 3 === 2) await take(client.call('folder.list', {}) as AsyncIterable<unknown>);
    }
    assert.ok(asked > 1, 'contents beyond the window were asked for');
    assert.deepEqual(subjects(items), names(80));
    assert.ok(items.every(({ item }) => item.text?.trim() === text.replaceAll('\r\n', '\n').trim()));
    assert.equal(middle.connections, 1);
  });

  // Cyrus 3.6 and Courier 5.2, seen on the wire: Nagle's algorithm there, and an acknowledgement that is delayed here.
  it('of contents goes to a server nearby, too, where that stands still in each command', async () => {
    let at = await backlog(320);
    let handed = 0;
    let beyond = 0;
    middle.standsStill = text => /BODY\[HEADER\]/.test(text);
    const items: Item[] = [];
    for (let more = true; more;) {
      const batch = await since('text', at);
      ({ cursor: at, more = false } = batch);
      items.push(...batch.items);
      handed = Number(items.at(-1)!.id.split('/').pop());
      const asked = [
        ...up()
          .join('')
          .matchAll(/UID FETCH (\S+) \(UID BODY\.PEEK\[HEADER/g),
      ].flatMap(([, set]) => uidsOf(set!));
      beyond = Math.max(beyond, Math.max(...asked) - handed);
    }
    assert.deepEqual(subjects(items), names(320));
    assert.ok(items.every(({ item }, i) => item.text?.trim() === `text ${i}`));
    assert.ok(beyond >= 16, `contents of ${beyond} messages were asked for ahead`);
    assert.equal(middle.connections, 1);
  });

  it('a server stands still where three commands in a row do, and does not where a busy machine makes a pause now and then', () => {
    const commands = (...pauses: number[]) => timed(0, ...pauses);
    const timed = (away: number, ...pauses: number[]) => {
      const client = {} as Parameters<typeof standsStill>[0];
      for (const pause of pauses) {
        let now = 0;
        const command = measurePauses(client, () => now, away);
        for (const ms of [1 + away, pause, 2]) {
          now += ms;
          command.beat();
        }
        command.end();
      }
      return standsStill(client);
    };
    assert.equal(commands(45, 45), false);
    assert.equal(commands(45, 45, 45), true);
    assert.equal(commands(45, 45, 3, 45, 45, 20), false);
    // It holds for the connection: what is asked ahead makes the pauses go away.
    assert.equal(commands(40, 90, 41, 1, 1), true);
    // The way to a server far away is no pause of it.
    assert.equal(timed(60, 3, 3, 3, 3), false);
    assert.equal(timed(60, 45, 45, 45), true);
  });

  it('is asked for again singly where one of several commands is refused, so that only the message it is about suffers', async () => {
    const { cursor } = await client.since('messageReceived', {});
    const text = 'A line of text that fills the message.\r\n'.repeat(1000);
    for (let i = 0; i < 60; i++) mail.deliver(USER, { subject: `m${i}`, text, ...(i % 2 ? { html: '<b>x</b>' } : {}) });
    const one = await since('text', cursor);
    assert.ok(one.items.length < 15);
    // The next window was told of already, so that this strikes at its contents.
    const bad = one.items.length + 3;
    mail.imap.trouble.fail({ command: 'UID FETCH', uid: bad, reply: 'NO Message is damaged' });
    const { items }: { items: Item[] } = await since('text', one.cursor);
    assert.deepEqual(
      items.map(({ item }) => [item.subject, !!item.unreadable]),
      items.map((_, i) => [`m${one.items.length + i}`, i === 2]),
    );
    assert.ok(items.length > 5 && items.every(({ item }) => item.unreadable || item.text));
  });

  it('does not cost or repeat a message that the server refuses, or on which it ends the connection', async () => {
    for (const fetch of ['envelope', 'text']) {
      for (const fault of [
        { reply: 'NO Message is damaged' },
        { close: 'fin' },
        { close: 'reset' },
        { cut: 'literal' },
      ] as const) {
        if (fetch === 'envelope' && 'cut' in fault) continue;
        mail.imap.trouble.mend();
        const cursor = await backlog(300);
        const bad = mail.folder(USER).messages.at(-120)!.uid;
        mail.imap.trouble.fail({ command: 'UID FETCH', uid: bad, times: Infinity, ...fault });
        mail.imap.forget();
        const items = await rest(fetch, cursor);
        const label = `${fetch} ${JSON.stringify(fault)}`;
        assert.equal(items.length, 300, label);
        assert.equal(new Set(items.map(({ id }) => id)).size, 300, label);
        assert.deepEqual(
          items.filter(({ item }) => item.unreadable).map(({ id }) => Number(id.split('/').pop())),
          [bad],
          label,
        );
        assert.ok(mail.imap.seen.logins.length <= 5, `${label}: ${mail.imap.seen.logins.length} logins`);
        closeConnections();
      }
    }
  }).timeout(90_000);

  it('ends with its connection, without an error that nobody hears', async () => {
    const cursor = await backlog(300);
    const one = await since('envelope', cursor);
    mail.imap.trouble.fail({ command: 'UID FETCH', uid: 200, silent: true });
    const two = await since('envelope', one.cursor);
    assert.ok(open() > 0, 'something is under way');
    closeConnections();
    mail.imap.trouble.mend();
    assert.deepEqual(subjects([...one.items, ...two.items, ...(await rest('envelope', two.cursor))]), names(300));
  });

  it('ends at once for whoever is stopped while he waits for it', async () => {
    const cursor = await backlog(300);
    const stop = new AbortController();
    const one = await since('envelope', cursor);
    mail.imap.trouble.fail({ command: 'UID FETCH', uid: 100, silent: true });
    const stopped = connect(
      imap,
      accountOf(mail, 0, { imapHost: '127.0.0.1', imapPort: middle.port, imapSecurity: 'none' }),
      { signal: stop.signal },
    );
    const waiting = stopped.since('messageReceived', { fetch: 'envelope' }, one.cursor);
    await until('it waits', () => open() > 0);
    const begun = performance.now();
    stop.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    assert.ok(performance.now() - begun < 1000);
    mail.imap.trouble.mend();
    assert.deepEqual(subjects([...one.items, ...(await rest('envelope', one.cursor))]), names(300));
  });

  it('is not tried again for a while where the connection does not stand it', async () => {
    const cursor = await backlog(300);
    middle.intolerant = (text, waiting) => waiting > 1 || fetches(text) > 1;
    middle.connections = 0;
    closeConnections();
    const items = await rest('text', cursor);
    assert.deepEqual(subjects(items), names(300));
    assert.ok(items.every(({ item }) => !item.unreadable));
    assert.ok(middle.connections <= 3, `${middle.connections} connections`);
  });

  it('is not tried again for a while either when the connection ended between two looks', async () => {
    const cursor = await backlog(1000);
    let { cursor: at, items } = await since('envelope', cursor);
    const all = [...items];
    mail.imap.trouble.fail({ command: 'UID FETCH', uid: 200, delayMs: 100, close: 'fin', times: 1 });
    ({ cursor: at, items } = await since('envelope', at));
    all.push(...items);
    await until('it ends', () => mail.imap.open() === 0);
    middle.said.length = 0;
    all.push(...(await rest('envelope', at)));
    assert.deepEqual(subjects(all), names(1000));
    assert.ok(!/^P/m.test(up().join('')), 'one at a time');
  });

  it('each command is told to a host that watches, those beside the library too', async () => {
    const seen: string[] = [];
    client = connect(imap, accountOf(mail, 0, { imapHost: '127.0.0.1', imapPort: middle.port, imapSecurity: 'none' }), {
      observe: one => seen.push(one.method),
    });
    const cursor = await backlog(100);
    middle.said.length = 0;
    seen.length = 0;
    await rest('text', cursor);
    const asked = middle.said
      .filter(({ up }) => up)
      .flatMap(({ text }) => [...text.matchAll(/^(P?)\w+ UID FETCH/gm)].map(([, beside]) => beside));
    assert.ok(asked.includes('P'), 'some went beside the library');
    assert.equal(seen.filter(method => method === 'UID FETCH').length, asked.length);
  });
});
