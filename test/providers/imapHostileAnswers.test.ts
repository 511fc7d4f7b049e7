import assert from 'node:assert/strict';
import { codesIn, connect, linksIn, providerById } from '../../shared/index.js';
import { decodeStream } from '../../shared/providers/imap/mime/transfer.js';
import { closeConnections } from '../../shared/providers/imap/session/imapPool.js';
import { startMail, type Mail } from '../sandbox/mail.js';
import { filled, hostileServer, mail as mailOf, MB, MIXED, part, within, type HostileServer } from './hostileMail.js';
import { accountOf } from './imapAccount.js';

type Any = any;
/** Megabytes of each message here, unless told: enough to fail without the bounds. */
const SIZE = 3;
/** What costs most to answer or to pass on. */
const KINDS: (string | [kind: string, mb: number])[] = [
  'thirty multiparts round short lines',
  'a thousand parts of HTML',
  ['blank lines', 9],
  'ampersands in lines',
  'recipients in a hundred kilobytes',
  'parameters (RFC 2231) of a thousand files',
  'encoded words in names',
];

describe('IMAP: answers to hostile mail', function () {
  this.timeout(300_000);
  let server: HostileServer;
  before(async () => {
    server = await hostileServer();
  });
  after(() => {
    closeConnections();
    server.close();
  });
  const call = (name: string, input: Record<string, unknown>): Promise<Any> =>
    connect(providerById('imap')!, server.account).call(name, input) as Promise<Any>;
  const reply = (message: string, more = {}) =>
    call('message.reply', {
      message,
      quote: true,
      replyAll: true,
      text: 'Hi',
      html: '<p>Hi',
      saveToSent: 'no',
      ...more,
    });
  const forward = (message: string, as: 'inline' | 'attachment') =>
    call('message.forward', { message, as, to: ['u0@test.local'], text: 'Hi', saveToSent: 'no' });

  for (const [kind, mb] of KINDS.map(one => (Array.isArray(one) ? one : ([one, SIZE] as const)))) {
    it(`costs little to answer and to pass on: ${kind}`, async () => {
      const message = await server.deliver(kind, mb);
      await within(`reply to ${kind}`, mb, () =>
        reply(message).catch((error: Any) => assert.equal(error.code, 'rejected')),
      );
      await within(`forward of ${kind}`, mb, () => forward(message, 'inline'));
      await within(`forward of ${kind} as a file`, mb, () => forward(message, 'attachment'));
    });
  }
  it('costs little to look through for links and codes', async () => {
    const texts = [
      'y',
      '1234 ',
      '1234\n',
      'https://a.b/)))',
      `https://x${')'.repeat(7_900)} `,
      'code 1234 ',
      '@',
      '://',
      'code\n1234\n',
    ];
    for (const text of texts.map(piece => filled(piece, 2 * MB).toString('latin1'))) {
      await within(text.slice(0, 10), 4, async () => {
        codesIn({ text });
        await linksIn({ text });
      });
    }
    for (const html of ['<a href="https://x.y/z">a</a>', '<div>a</div>', '<img src="cid:a">'].map(piece =>
      filled(piece, 2 * MB).toString('latin1'),
    )) {
      await within(html.slice(0, 10), 4, () => linksIn({ html }));
    }
    assert.deepEqual(
      (await linksIn({ text: 'See (https://a.test/x_(y)), https://b.test/?!) and https://c.test/z...' })).map(
        one => one.url,
      ),
      ['https://a.test/x_(y)', 'https://b.test/', 'https://c.test/z'],
    );
  });
  it('costs little to decode: uuencode in short lines', async () => {
    for (const piece of ['\n', '!\n', '! \n', '!\r\n', 'e\n']) {
      const bytes = Buffer.concat([Buffer.from('begin 644 a\n'), filled(piece, 9 * MB)]);
      await within(JSON.stringify(piece), 9, async () => {
        for await (const _ of decodeStream(slices(bytes), 'uuencode'));
      });
    }
  });
});

describe('IMAP: what is said where an answer meets a bound', () => {
  let mail: Mail;
  before(async () => {
    mail = await startMail();
  });
  after(async () => {
    closeConnections();
    await mail.close();
  });
  /** Delivers a message, answers it or passes it on, and gives what went out. */
  async function sent(name: 'message.reply' | 'message.forward', bytes: Buffer, input: object = {}): Promise<string> {
    const { uid } = mail.deliver('u0@test.local', bytes);
    const id = `INBOX;UIDVALIDITY=${mail.folder('u0@test.local').uidValidity};UID=${uid}`;
    const more = name === 'message.reply' ? { quote: true, cc: ['u1@test.local'] } : { to: ['u1@test.local'] };
    mail.smtp.forget();
    await connect(providerById('imap')!, accountOf(mail)).call(name, {
      message: id,
      text: 'Hi',
      saveToSent: 'no',
      ...more,
      ...input,
    });
    return mail.smtp.seen.messages[0]!.bytes.toString().replace(/=\r\n/g, '');
  }
  const html = (length: number) => mailOf(['Content-Type: text/html'], filled('<p>word ', length));

  it('quotes so much of a text and of HTML, and says that there is more', async () => {
    const text = await sent('message.reply', mailOf([], filled('> a\nb\n', 200 * 1024)));
    assert.match(text, /\r\n> b\r\n>> a\r\n/);
    assert.match(text, /\[The rest of this message is not quoted\.\]\s*$/);
    assert.ok(text.length < 250 * 1024, `${text.length}`);
    assert.doesNotMatch(
      await sent('message.reply', mailOf([], filled('> a\nb\n', 100 * 1024))),
      /The rest of this message/,
    );
    const long = await sent('message.reply', html(600 * 1024), { html: '<p>Hi' });
    assert.match(long, /<pre>word[^]*\[The rest of this message is not quoted\.\]<\/pre>/);
    assert.match(await sent('message.reply', html(300 * 1024), { html: '<p>Hi' }), /<blockquote type=3D"cite"><p>word/);
  });
  it('says that a message which is beyond all reason is not quoted, and answers it', async () => {
    const bytes = mailOf(['Content-Type: multipart/mixed; boundary=b'], filled('--b\r\n\r\nx\r\n', 260_000));
    assert.match(
      await sent('message.reply', bytes),
      /\[The text of this message could not be read, so it is not quoted\.\]/,
    );
    const passed = await sent('message.forward', bytes);
    assert.match(
      passed,
      /\[The text of the forwarded message could not be read\. The message is attached as it came\.\]/,
    );
    assert.match(passed, /filename=forwarded\.eml/);
  });
  it('passes on a message as a file where it is too long to stand in the text', async () => {
    const passed = await sent('message.forward', mailOf([], filled('word\n', 1.2 * MB)));
    assert.match(passed, /\[The forwarded message is too long to stand here\. It is attached as it came\.\]/);
    assert.match(passed, /filename=forwarded\.eml/);
    const short = await sent('message.forward', html(300 * 1024));
    assert.match(short, /\[The rest of this text stands in the HTML of this message\.\]/);
    assert.doesNotMatch(short, /forwarded\.eml/);
  });
  it('passes on a message as a file where it has more files than are asked for one by one', async () => {
    const files = (count: number) =>
      mailOf(
        [MIXED],
        ...Array.from({ length: count }, () => part('--b\r\nContent-Type: application/pdf', Buffer.from('x\r\n'))),
        '--b--\r\n',
      );
    const passed = await sent('message.forward', files(101));
    assert.match(passed, /\[The forwarded message has more than 100 files\. It is attached as it came\.\]/);
    assert.match(passed, /filename=forwarded\.eml/);
    const few = await sent('message.forward', files(100));
    assert.equal(few.match(/filename=part-/g)?.length, 100);
    assert.doesNotMatch(few, /forwarded\.eml/);
  });
  it('answers a thousand addresses at most', async () => {
    const to = (count: number) =>
      mailOf([`Reply-To: ${Array.from({ length: count }, (_, i) => `n${i}@other.example`).join(',\r\n ')}`], 'x');
    await assert.rejects(sent('message.reply', to(1_001)), /would go to 1001 addresses, and 1000 at most are answered/);
    assert.match(await sent('message.reply', to(1_000)), /n999@other\.example/);
    await assert.rejects(sent('message.reply', to(1_000), { cc: [] }), (error: Any) => {
      assert.match(
        error.message,
        /refused n0@other\.example \(550 [^)]*\), .*n4@other\.example \([^)]*\), and 995 more recipients\.$/,
      );
      assert.equal(error.details.native.rejected.length, 1_000);
      return true;
    });
  });
  it('reads as far as it goes a header that does not end, and says so where nobody is found in it', async () => {
    const endless = `X: y\r\n${' a\r\n'.repeat(100_000)}`;
    const monstrous = `To: ${'a@b.c, '.repeat(60_000)}x@y.z`;
    assert.match(
      await sent('message.reply', Buffer.from(`From: a@u.test\r\n${monstrous}\r\n${endless}\r\nx`)),
      /^To: a@u\.test/m,
    );
    await assert.rejects(
      sent('message.reply', Buffer.from(`${monstrous}\r\n${endless}\r\nx`), { quote: false }),
      /does not say whom to answer\. Only the first 256 KB of its header were read\./,
    );
  });
});

async function* slices(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += MB) yield bytes.subarray(at, at + MB);
}
