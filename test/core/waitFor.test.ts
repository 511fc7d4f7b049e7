import assert from 'node:assert/strict';
import { createTransport } from 'nodemailer';
import {
  codesIn,
  connect,
  linksIn,
  NotArrived,
  providerById,
  startMailServer,
  waitFor,
  type MailServer,
} from '../../shared/index.js';

describe('waitFor', () => {
  let server: MailServer;
  let post: ReturnType<typeof createTransport>;
  before(async () => {
    server = await startMailServer({ smtp: 0, imap: 0 });
    post = createTransport({ host: server.host, port: server.smtp.port });
  });
  after(async () => {
    post.close();
    await server.close();
  });
  const send = (more: object = {}) =>
    post.sendMail({
      from: 'Shop <shop@example.com>',
      to: 'ann@example.com',
      subject: 'Welcome',
      text: 'Hello.',
      ...more,
    });

  it('resolves with a message that comes while it waits, its links and codes picked out', async () => {
    const waiting = waitFor(server, { to: 'new@example.com', subject: /^confirm/i, within: 20_000 });
    await send({ to: 'new@example.com' });
    await send({
      to: 'new@example.com',
      subject: 'Confirm your address',
      text: 'Your code is 492 817.\nhttps://example.com/confirm?t=abc',
      html: '<p>Your code is <b>492 817</b>. <a href="https://example.com/confirm?t=abc&amp;x=1">Confirm</a></p>',
    });
    const found = await waiting;
    assert.deepEqual(
      [found.subject, found.links, found.codes],
      [
        'Confirm your address',
        [
          { text: 'Confirm', url: 'https://example.com/confirm?t=abc&x=1' },
          { text: 'https://example.com/confirm?t=abc', url: 'https://example.com/confirm?t=abc' },
        ],
        ['492 817'],
      ],
    );
    assert.equal(found.read, false);
  });
  it('finds what came just before, and not what came before a time', async () => {
    await send({ subject: 'Already there' });
    assert.equal((await waitFor(server, { subject: 'already', within: 20_000 })).subject, 'Already there');
    await assert.rejects(waitFor(server, { subject: 'already', since: Date.now() + 2_000, within: 300 }), NotArrived);
  });
  it('rejects with what came instead', async () => {
    const since = new Date();
    await send({ to: 'bob@example.com', subject: 'Your invoice' });
    const failed = await waitFor(server, { to: 'ann@nowhere.test', subject: 'Welcome', since, within: 1_500 }).catch(
      (error: unknown) => error,
    );
    assert.ok(failed instanceof NotArrived);
    assert.match(
      failed.message,
      /^No message to “ann@nowhere\.test”, with the subject “Welcome” came within 1\.5 s\. Instead .* came:\n[^]*“Your invoice” to bob@example\.com from shop@example\.com/,
    );
    assert.equal(failed.came.at(-1)?.subject, 'Your invoice');
  });
  it('takes a client as well, and leaves its connections to it', async () => {
    await send({ subject: 'By a client' });
    const client = connect(providerById('imap'), server.account);
    assert.equal((await waitFor(client, { subject: 'By a client', within: 20_000 })).subject, 'By a client');
  });
  it('rejects with the error of an account that cannot be read, and of times that are none', async () => {
    const closed = await startMailServer({ smtp: 0, imap: 0 });
    await closed.close();
    await assert.rejects(waitFor(closed, { within: 20_000 }), { code: 'unavailable' });
    await assert.rejects(waitFor(server, { within: 0 }), { code: 'invalid_input' });
    await assert.rejects(waitFor(server, { since: 'tomorrow' }), { code: 'invalid_input' });
  });
});

describe('links and codes of a message', () => {
  it('links are those of the HTML with their words, then those of the text; each once, and none that is no link', async () => {
    assert.deepEqual(
      await linksIn({
        html: '<a href="https://a.example/?x=1&amp;y=2"> Go <b>there</b></a><a href="#top">up</a><a href="javascript:alert(1)">no</a><a href="https://b.example/"><img alt="Logo" src="x"></a>',
        text: 'See (https://c.example/wiki/A_(b)), <https://a.example/?x=1&y=2>, https://d.example/end.',
      }),
      [
        { text: 'Go there', url: 'https://a.example/?x=1&y=2' },
        { text: 'Logo', url: 'https://b.example/' },
        { text: 'https://c.example/wiki/A_(b)', url: 'https://c.example/wiki/A_(b)' },
        { text: 'https://d.example/end', url: 'https://d.example/end' },
      ],
    );
    assert.deepEqual(await linksIn({ html: '<div>'.repeat(5000) }), []);
    assert.equal(
      (await linksIn({ text: Array.from({ length: 500 }, (_, i) => `https://x.example/${i}`).join(' ') })).length,
      200,
    );
  });
  for (const [text, codes] of [
    ['Your verification code is 123456.', ['123456']],
    ['Enter this code:\n\n  G7K-42P\n', ['G7K-42P']],
    ['Use 4821 to sign in. It expires in 10 minutes, at 14:30.', ['4821']],
    ['Dein Bestätigungscode lautet 90210', ['90210']],
    ['Order 2026 of 12.50 €, phone +49 30 123456, https://x.example/code/555555', []],
    ['839201', ['839201']],
    ['Invoice for 2026\nTotal: 1999', []],
    ['Your one-time password: AB12CD', ['AB12CD']],
  ] as const) {
    it(`codes of ${JSON.stringify(text)}: ${codes.join() || 'none'}`, () => assert.deepEqual(codesIn({ text }), codes));
  }
});
