import assert from 'node:assert/strict';
import {
  connect,
  providerById,
  take,
  type Client,
  type FileValue,
  type MailError,
  type Message,
} from '../../shared/index.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { closePools } from '../../shared/providers/imap/session/smtpPool.js';
import { limits, SpeedMeter } from '../../shared/providers/imap/session/timeLimits.js';
import { startImap } from './imap.js';
import { letter, letterWithFile } from './mail.js';
import { startSmtp } from './smtp.js';
import { accountOf, bytesOf, follow, idOf, withScript } from './with.js';

type Any = any;
const usual = { ...limits };
const sourceOf = (name: string, size: number, chunk = 65_536): FileValue => ({
  name,
  type: 'application/octet-stream',
  size,
  async *open() {
    for (let at = 0; at < size; at += chunk) yield Buffer.alloc(Math.min(chunk, size - at), 'x');
  },
});

/*
 * These scripts are our own: they try the bounds on time and speed that Mailroom sets itself, and no report stands
 * behind them.
 */
describe('slow servers', function () {
  this.timeout(60_000);
  // A minute is a second here.
  beforeEach(() => {
    Object.assign(limits, { lowSpeedTime: 1000, reply: 1000, command: 1500, transfer: 20_000 });
  });
  afterEach(() => {
    Object.assign(limits, usual);
    closeConnections();
    closePools();
  });

  it('a transfer is too slow when fewer bytes than the limit came for the whole time', () => {
    Object.assign(limits, usual);
    const meter = new SpeedMeter();
    const rate = (bytes: number, from: number, until: number, begin = 0) => {
      for (let at = from; at <= until; at += 1000)
        if (meter.isTooSlow(begin + ((at - from) / 1000) * bytes, at)) return at;
      return undefined;
    };
    assert.equal(rate(1023, 0, 300_000), 60_000);
    meter.reset();
    assert.equal(rate(10_240, 0, 300_000), undefined);
    // A standstill counts when it makes the whole time too slow, however fast it was before.
    const at = rate(0, 301_000, 600_000, 3_072_000)!;
    assert.ok(at > 350_000 && at <= 361_000, `${at}`);
  });

  const file = letterWithFile(2, 'z'.repeat(3000));
  const drip = (item: string) => `C: UID FETCH 2 (UID BODY.PEEK[${item}]…\nS: <drip>`;
  const tooSlow = (error: MailError) =>
    error.code === 'unavailable' &&
    /^IMAP at 127\.0\.0\.1:\d+ sends too slowly: less than 1 KB a second for 1 s\./.test(error.message);
  const ways: Record<string, [item: string, read: (client: Client) => Promise<unknown>]> = {
    'an attachment': [
      '2',
      async client =>
        bytesOf((await client.call('attachment.get', { message: idOf(2), attachment: '2' })) as FileValue),
    ],
    'a source': ['', async client => bytesOf((await client.call('message.source', { message: idOf(2) })) as FileValue)],
    'a text': ['HEADER', client => client.call('message.get', { message: idOf(2) }) as Promise<unknown>],
  };
  for (const [what, [item, read]] of Object.entries(ways)) {
    it(`${what} that drips is given up, and said so`, () =>
      withScript(
        drip(item),
        async client => {
          await assert.rejects(read(client), tooSlow);
          // Others are served.
          assert.equal((await take(client.call('message.list', {}) as AsyncIterable<Message>)).length, 2);
        },
        { messages: [letter(1), file] },
      ));
  }

  it('an attachment that is forwarded drips: nothing is sent', async () => {
    const imap = await startImap(drip('2'), { messages: [letter(1), file] });
    const smtp = await startSmtp();
    try {
      const sent = accountOf(imap, smtp).call('message.forward', {
        message: idOf(2),
        to: 'a@x.test',
        saveToSent: 'no',
      }) as Promise<Any>;
      await assert.rejects(sent, /sends too slowly/);
      assert.equal(smtp.mails.length, 0);
    } finally {
      closeConnections();
      await Promise.all([imap.close(), smtp.close()]);
    }
  });

  it('a message whose content drips holds up no other in the feed', () =>
    withScript(
      drip('HEADER'),
      async (client, server) => {
        const { cursor } = await client.since('messageReceived', { fetch: 'full' });
        server.messages.push(file, letter(3));
        const { items } = await follow(client, { fetch: 'full' }, cursor);
        assert.deepEqual(
          items.map(({ item }) => [item.subject, !!item.unreadable]),
          [
            ['m2', true],
            ['m3', false],
          ],
        );
      },
      { messages: [letter(1)] },
    ));

  it('a download as a whole has a bound, and says how far it came', async () => {
    limits.transfer = 0;
    await withScript(
      '',
      async client => {
        await assert.rejects(
          ways['an attachment']![1](client),
          /The download took longer than 0 minutes and was given up: 0 of 3000 bytes had come\./,
        );
      },
      { messages: [letter(1), file] },
    );
  });

  it('a command that drips words and never ends is given up', () =>
    withScript('C: STATUS …\nS: <drip>', async client => {
      limits.command = 400;
      await assert.rejects(
        client.call('folder.status', { folder: 'INBOX' }) as Promise<Any>,
        /did not finish STATUS within .* minutes\./,
      );
    }));

  for (const [how, script] of [
    ['is never answered', 'S: <silence>'],
    ['ends the connection', 'S: <close>'],
  ] as const) {
    it(`a command that changes something and ${how} may have been done, and says so`, () =>
      withScript(`C: UID MOVE …\n${script}`, async client => {
        limits.silence = 400;
        await assert.rejects(
          client.call('message.move', { message: idOf(1), target: 'Box' }) as Promise<Any>,
          /may have done it all the same: look before you run this again\.$/,
        );
      }));
  }

  const send = (port: number, more: Record<string, unknown> = {}, signal?: AbortSignal) =>
    connect(
      providerById('imap'),
      { user: 'u0@test.local', password: 'pass0', smtpHost: '127.0.0.1', smtpPort: port, smtpSecurity: 'none' },
      signal ? { signal } : {},
    ).call('message.send', { to: 'a@x.test', subject: 'x', text: 'y', saveToSent: 'no', ...more }) as Promise<Any>;

  it('an answer behind the message that never ends leaves it open whether it was sent', async () => {
    const server = await startSmtp('C: .\nS: <drip>');
    try {
      const { outcome, native } = await send(server.port);
      assert.equal(outcome, 'unknown');
      assert.match(
        native.reason,
        /answer did not end within 1 s\)\. It may have been delivered; it is not sent again by itself\.$/,
      );
      assert.equal(server.log.filter(line => line === 'C: DATA').length, 1);
    } finally {
      await server.close();
    }
  });

  it('an answer that never ends before the message is an error, and nothing was sent', async () => {
    const server = await startSmtp('C: MAIL …\nS: <drip>');
    try {
      limits.reply = 300;
      await assert.rejects(send(server.port), /answer did not end within 0\.3 s/);
      assert.ok(!server.log.includes('C: DATA'));
    } finally {
      await server.close();
    }
  });

  // More than the systems on both sides keep for the connection.
  const large = { attachments: [sourceOf('large.bin', 24 * 1048576)] };
  it('a server that takes the message too slowly is given up before its end: it was not sent', async () => {
    const server = await startSmtp('C: DATA\nS: 354 go on\nS: <read slowly>');
    try {
      await assert.rejects(
        send(server.port, large),
        (error: MailError) =>
          error.code === 'unavailable' &&
          /took less than 1 KB a second for 1 s\. The message was broken off before its end, so it was not sent\.$/.test(
            error.message,
          ),
      );
      assert.equal(server.connections, 1);
    } finally {
      await server.close();
    }
  });
  it('a message as a whole has a bound', async () => {
    Object.assign(limits, { lowSpeedTime: 60_000, transfer: 1000 });
    const server = await startSmtp('C: DATA\nS: 354 go on\nS: <read slowly>');
    try {
      await assert.rejects(
        send(server.port, large),
        /the message was not taken within .* minutes\. The message was broken off/,
      );
    } finally {
      await server.close();
    }
  });

  describe('giving up is felt within a second', () => {
    const slowFile = (begun: () => void): FileValue => ({
      name: 'f',
      type: 'text/plain',
      async *open() {
        begun();
        yield Buffer.from('x');
        await new Promise(() => {});
      },
    });
    const phases: [
      what: string,
      script: string,
      reached: RegExp | undefined,
      more?: (begun: () => void) => Record<string, unknown>,
    ][] = [
      ['the envelope', 'C: MAIL …\nS: <silence>', /^C: MAIL/],
      ['the message being taken slowly', 'C: DATA\nS: 354 go on\nS: <read slowly>', /^S: 354/, () => large],
      ['the answer that does not come', 'C: .\nS: <silence>', /^C: \.$/],
      ['the answer that does not end', 'C: .\nS: <drip>', /^C: \.$/],
      ['an attachment that is read slowly', '', undefined, begun => ({ attachments: [slowFile(begun)] })],
      [
        'a small attachment that is read slowly',
        '',
        undefined,
        begun => ({ attachments: [{ ...slowFile(begun), size: 1 }] }),
      ],
    ];
    for (const [what, script, reached, more] of phases) {
      it(what, async () => {
        Object.assign(limits, usual);
        const handed = /^C: \./.test(script);
        const server = await startSmtp(script);
        const over = new AbortController();
        try {
          let here!: () => void;
          const begun = new Promise<void>(resolve => {
            here = resolve;
          });
          const sent = send(server.port, more?.(here) ?? {}, over.signal);
          // A message that was handed over may have been taken, whoever gives up.
          const work = handed
            ? sent.then(({ outcome, native }) => assert.ok(outcome === 'unknown' && /enough/.test(native.reason)))
            : assert.rejects(sent, /enough/);
          if (reached)
            while (!server.log.some(line => reached.test(line)))
              await new Promise(resolve => {
                setTimeout(resolve, 5);
              });
          else await begun;
          const at = performance.now();
          over.abort(new Error('enough'));
          await work;
          assert.ok(performance.now() - at < 1000, `${performance.now() - at} ms`);
        } finally {
          await server.close();
        }
      });
    }
    it('a download', async () => {
      Object.assign(limits, usual);
      const server = await startImap(drip('2'), { messages: [letter(1), file] });
      const over = new AbortController();
      const client = connect(
        providerById('imap'),
        {
          user: 'u0@test.local',
          password: 'pass0',
          imapHost: '127.0.0.1',
          imapPort: server.port,
          imapSecurity: 'none',
        },
        { signal: over.signal },
      );
      try {
        const work = assert.rejects(ways['an attachment']![1](client), /enough/);
        while (!server.heard('UID FETCH 2 (UID BODY.PEEK[2]').length)
          await new Promise(resolve => {
            setTimeout(resolve, 5);
          });
        const at = performance.now();
        over.abort(new Error('enough'));
        await work;
        assert.ok(performance.now() - at < 1000);
      } finally {
        closeConnections();
        await server.close();
      }
    });
  });
});
