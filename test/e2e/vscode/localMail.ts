import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTransport } from 'nodemailer';
import { breaksPolicy, until, type Journey, type Journeys } from './journey.js';
import { hostile } from './letters.js';
import type { Loose } from './workbench.js';

const root = join(__dirname, '../../..');
const run = promisify(execFile);
/** What a program of the workspace does: it sends one message, by the settings that were copied. */
const SEND = `import { createTransport } from 'nodemailer';
const transport = createTransport({ host: process.env.SMTP_HOST, port: Number(process.env.SMTP_PORT) });
await transport.sendMail({
  from: 'Shop <shop@example.com>', to: 'ann@example.com', subject: process.argv[2],
  text: 'Your code is 492817. https://shop.example/start?token=abc', html: '<p>Your code is <b>492817</b>. <a href="https://shop.example/start?token=abc">Start now</a></p>',
});
transport.close();
`;
/** The program in the folder that is open, with what it needs. */
function program(
  folder: string,
  settings: string,
): { send(subject: string): Promise<unknown>; test(file: string): Promise<{ stdout: string }> } {
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  for (const [name, at] of [
    ['n8n-nodes-mailroom', root],
    ['nodemailer', join(root, 'node_modules/nodemailer')],
  ] as const)
    if (!existsSync(join(folder, 'node_modules', name))) symlinkSync(at, join(folder, 'node_modules', name));
  writeFileSync(join(folder, 'send.mjs'), SEND);
  const env = {
    ...process.env,
    NODE_OPTIONS: '',
    ...Object.fromEntries(
      settings
        .trim()
        .split('\n')
        .map(line => line.split('=') as [string, string]),
    ),
  };
  return {
    send: subject => run(process.execPath, ['send.mjs', subject], { cwd: folder, env }),
    test: file =>
      run(process.execPath, [join(root, 'node_modules/mocha/bin/mocha.js'), '--no-config', '--exit', file], {
        cwd: folder,
        env,
      }),
  };
}
/** Does what copies something, and gives what was copied. */
async function copied(page: Loose, copy: () => Promise<unknown>): Promise<string> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  let now = '';
  // Only a page that has the focus may touch the clipboard; of a webview, the workbench around it has not.
  await page.evaluate('window.focus(), navigator.clipboard.writeText("nothing yet")');
  await copy();
  await until('something is copied', async () => {
    now = await page.evaluate('window.focus(), navigator.clipboard.readText()');
    return now !== 'nothing yet';
  });
  return now;
}
/** Starts the server, unless it runs, and gives its settings as a program reads them. */
async function started({ wb, page }: Journey): Promise<string> {
  if ((await wb.row('Local Mail').count()) === 0) await wb.command('Mailroom: Start Local Mail Server');
  await wb.row(/Local Mail.*SMTP \d+/).waitFor();
  await wb.clearToasts();
  return copied(page, async () => {
    await wb.menu('Local Mail', 'Copy Mail Settings');
    await wb.pick('.env');
  });
}

/** A message that came a long way, as its headers tell. */
const TRAVELLED = [
  'Authentication-Results: mx.example.net; dkim=pass header.d=shop.example; spf=fail smtp.mailfrom=shop.example; dmarc=pass (p=REJECT) header.from=shop.example',
  'Received: from relay.example (relay.example [192.0.2.7]) by mx.example.net with ESMTPS id 2; Tue, 24 Nov 2026 21:05:42 +0000',
  'Received: from app.shop.example (app.shop.example [192.0.2.1]) by relay.example with ESMTPSA id 1; Tue, 24 Nov 2026 21:05:00 +0000',
  'DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=2026; h=From:To:Subject:Date; bh=x; b=y',
  'Precedence: bulk',
  'From: Shop <shop@shop.example>',
  'To: ann@example.com',
  'Subject: Your order 1042',
  'Date: Tue, 24 Nov 2026 21:05:00 +0000',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=m',
  '',
  '--m',
  'Content-Type: multipart/alternative; boundary=a',
  '',
  '--a',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'Your order is on its way.',
  '--a',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<style>p{color:#102030}@media (prefers-color-scheme: dark){p{color:#a0b0c0}}</style><table width="100%" style="background:#f4f0e8"><tr><td style="padding:24px"><h1 style="color:#7a3b00">Your order is on its way</h1><p>Two parcels, <a href="https://shop.example/track/1042">track them here</a>.</p></td></tr></table><p>Shop, 12 Harbour Street</p>',
  '--a--',
  '--m',
  'Content-Type: application/pdf; name=invoice.pdf',
  'Content-Disposition: attachment; filename=invoice.pdf',
  'Content-Transfer-Encoding: base64',
  '',
  Buffer.alloc(3000, 'x').toString('base64').replace(/.{76}/g, '$&\r\n'),
  '--m--',
  '',
].join('\r\n');

export const localMailJourneys: Journeys = {
  async 'what a program sends is seen as it is sent, and a test made of it passes; a switch makes the next sending fail'(
    j,
  ) {
    const { wb, page, folder, shot, axe } = j;
    const began = Date.now();
    const settings = await started(j);
    const own = program(folder, settings);
    await wb.collapse();
    await wb.expand('Local Mail', /^Messages/);
    await wb.row('None').waitFor();
    await own.send('Welcome to the shop');
    await wb.row('Welcome to the shop').waitFor();
    await wb.row(/Messages.*1 unread/).waitFor();
    await shot('local-mail');
    await wb.row('Welcome to the shop').click();
    const reader = await wb.webview('reader', 'Welcome to the shop');
    await reader.locator('.codes', { hasText: '492817' }).waitFor();
    await reader.locator('summary', { hasText: 'Links (1)' }).click();
    await reader.locator('.links li', { hasText: 'https://shop.example/start?token=abc' }).waitFor();
    await shot('local-mail-reader');
    await axe('reader', 'Welcome to the shop');
    const test = await copied(page, async () => {
      await reader.getByRole('button', { name: 'Copy as Test' }).click();
      await wb.pick('Mocha');
    });
    await wb.command('File: New Untitled Text File');
    await page.keyboard.press('Control+V');
    await page.locator('.view-line', { hasText: 'n8n-nodes-mailroom' }).first().waitFor();
    writeFileSync(join(folder, 'welcome.test.mjs'), test);
    assert.match((await own.test('welcome.test.mjs')).stdout, /1 passing/);
    await wb.menu('Local Mail', 'Simulate Failures');
    await wb.pick('Over Quota');
    await shot('local-mail-switches');
    await page.locator('.quick-input-widget').getByRole('button', { name: 'OK' }).click();
    await wb.row(/Local Mail.*Over Quota/).waitFor();
    await assert.rejects(own.send('Another'), /552[ -]5\.2\.2/);
    await wb.menu('Local Mail', 'Simulate Failures');
    await wb.pick('Over Quota');
    await page.locator('.quick-input-widget').getByRole('button', { name: 'OK' }).click();
    await until('it behaves', async () => (await wb.row(/Local Mail.*Over Quota/).count()) === 0);
    await own.send('One more');
    await wb.row('One more').waitFor();
    const took = Date.now() - began;
    console.log(`    from the start of the server to the end in ${(took / 1000).toFixed(1)} s`);
    await wb.command('View: Revert and Close Editor');
    await wb.closeAll();
    await wb.clearToasts();
    assert.ok(took < 60_000, `${took} ms`);
  },
  'a developer looks into a message: its parts, its way, what its headers claim, as wide as a phone on a dark ground, and saves it':
    breaksPolicy(async j => {
      const { wb, page, folder, shot, axe } = j;
      const settings = await started(j);
      const post = createTransport({ host: '127.0.0.1', port: Number(/SMTP_PORT=(\d+)/.exec(settings)![1]) });
      await wb.collapse();
      await wb.expand('Local Mail', /^Messages/);
      await post.sendMail({ envelope: { from: 'shop@shop.example', to: 'ann@example.com' }, raw: TRAVELLED });
      post.close();
      await wb.row('Your order 1042').click();
      let reader = await wb.webview('reader', 'Your order 1042');
      await reader.getByRole('button', { name: 'Details', exact: true }).click();
      const section = (name: string) =>
        reader.locator('.inspection details', { has: reader.locator('summary', { hasText: name }) });
      await section('Parts').locator('tr', { hasText: 'application/pdf' }).getByText('invoice.pdf').waitFor();
      await section('Path of the Message').locator('tr', { hasText: 'ESMTPS' }).getByText('42 s').waitFor();
      await section('Authentication').locator('tr', { hasText: 'SPF' }).getByText('fail', { exact: true }).waitFor();
      await section('Authentication').getByText('did not verify it').waitFor();
      await section('Hints').getByText('no header List-Unsubscribe').waitFor();
      await shot('inspect');
      await axe('reader', 'Your order 1042');
      await section('All Headers').locator('summary').scrollIntoViewIfNeeded();
      await shot('inspect-headers');
      await reader.getByRole('button', { name: 'Hide Details' }).click();
      await reader.getByRole('button', { name: 'HTML' }).click();
      await reader.locator('iframe').waitFor();
      await reader.getByRole('button', { name: 'Phone' }).click();
      await reader.getByRole('button', { name: 'Dark', exact: true }).click();
      assert.equal(await reader.evaluate('document.querySelector("iframe").clientWidth'), 375);
      const colours = () =>
        reader.evaluate(
          '(({ contentWindow: inner }) => ["body", "p"].map(name => inner.getComputedStyle(inner.document.querySelector(name)).color))(document.querySelector("iframe"))',
        );
      assert.deepEqual(
        await colours(),
        ['rgb(212, 212, 212)', 'rgb(160, 176, 192)'],
        'as the message says for dark schemes',
      );
      await shot('inspect-phone-dark');
      await axe('reader', 'Your order 1042');
      for (const name of ['Light', 'Desktop']) await reader.getByRole('button', { name, exact: true }).click();
      assert.equal(await reader.evaluate('document.querySelector("iframe").clientWidth'), 1024);
      assert.deepEqual(await colours(), ['rgb(31, 31, 31)', 'rgb(16, 32, 48)']);
      await shot('inspect-desktop');
      await reader.getByRole('button', { name: 'Full Width' }).click();
      reader = await wb.webview('reader', 'Your order 1042');
      await reader.getByRole('button', { name: 'Save as .eml' }).click();
      const file = join(folder, 'order.eml');
      await wb.file(file);
      await wb.toast('Saved Your order 1042.eml.').waitFor();
      assert.ok(readFileSync(file, 'utf8').endsWith(TRAVELLED), 'as it was sent, below what the server put before it');
      await wb.clearToasts();
      await page.keyboard.press('Escape');
      await wb.closeAll();
    }),

  'an HTML file is seen as mail while it is written, with what will go wrong, and is sent to the local inbox':
    breaksPolicy(async j => {
      const { wb, page, folder, spy, shot, axe } = j;
      const before = spy.seen.length;
      const file = join(folder, 'welcome.html');
      await started(j);
      writeFileSync(
        file,
        `<title>Welcome aboard</title><style>.bar{display:flex;border-radius:4px;background:#205080;color:#fff;padding:12px}</style><div class="bar"><h1>Welcome aboard</h1></div><p>Read <a href="http://shop.example/start">how to begin</a>.</p><p><a href="https://shop.example/unsubscribe">No more mail</a></p><img src="${spy.url}/logo.png"><script>fetch("${spy.url}/script")</script>`,
      );
      await wb.openFile('welcome.html');
      await page.locator('.view-line', { hasText: 'Welcome aboard' }).first().waitFor();
      await wb.command('Mailroom: Preview as Mail');
      let reader = await wb.webview('reader', 'Welcome aboard');
      for (const hint of [
        'One image has no alt text',
        'One link does not use https',
        'A link unsubscribes',
        'Mail programs remove scripts',
        'display: flex does not work in Outlook for Windows',
        'no plain text part',
      ])
        await reader.locator('.hints li', { hasText: hint }).waitFor();
      await reader.frameLocator('iframe').getByRole('heading', { name: 'Welcome aboard' }).waitFor();
      await shot('preview');
      await axe('reader', 'Welcome aboard');
      await page.locator('.view-line', { hasText: 'Welcome aboard' }).first().click();
      await page.keyboard.press('Control+Home');
      await page.keyboard.type('<p>A second line');
      await page.keyboard.press('Control+S');
      reader = await wb.webview('reader', 'Welcome aboard');
      await reader.frameLocator('iframe').getByText('A second line').waitFor();
      await reader.getByRole('button', { name: 'Send to Local Inbox' }).click();
      await wb.collapse();
      await wb.expand('Local Mail', /^Messages/);
      await wb.row('Welcome aboard').waitFor();
      await shot('preview-sent');
      await wb.closeAll();
      assert.deepEqual(spy.seen.slice(before), [], 'nothing was fetched');
    }),
  'hostile mail that arrives locally, or lies in the workspace as a file, shows nothing active and fetches nothing':
    breaksPolicy(async j => {
      const { wb, page, folder, spy, shot, axe } = j;
      const settings = await started(j);
      const before = spy.seen.length;
      const port = Number(/SMTP_PORT=(\d+)/.exec(settings)![1]);
      const post = createTransport({ host: '127.0.0.1', port });
      const subject = '[Run](command:workbench.action.quit) $(bug) \u202egpj.exe';
      const raw = (
        await createTransport({ streamTransport: true, buffer: true }).sendMail({
          from: '"$(bug)" <mallory@evil.example>',
          to: 'ann@example.com',
          subject,
          html: hostile(spy.url),
        })
      ).message as Buffer;
      await wb.collapse();
      await wb.expand('Local Mail', /^Messages/);
      await post.sendMail({ envelope: { from: 'mallory@evil.example', to: 'ann@example.com' }, raw });
      post.close();
      writeFileSync(join(folder, 'hostile.eml'), raw);
      await wb.row('command:workbench').click();
      const looked = async (reader: Loose) => {
        await reader.locator('iframe').waitFor();
        await until('the frame is there', () =>
          reader.evaluate('document.querySelector("iframe").contentDocument?.readyState === "complete"'),
        );
        const active: string[] = await reader.evaluate(
          '[...document.querySelector("iframe").contentDocument.querySelectorAll("script,iframe,object,embed,form,input,button,svg,math,base,link,video,audio")].map(e => e.localName)',
        );
        assert.deepEqual(active, []);
        await reader.locator('summary', { hasText: 'Links' }).click();
        assert.equal(await reader.locator('.links li', { hasText: /javascript:|data:/i }).count(), 0);
        await reader.locator('.links li', { hasText: 'xn--pypl-53d.example' }).getByRole('button').click();
        assert.match(await wb.dialog('Cancel'), /xn--pypl-53d\.example[\s\S]*may imitate/);
        await reader.getByRole('button', { name: 'Details', exact: true }).click();
        await reader.locator('.inspection tr', { hasText: 'text/html' }).first().waitFor();
        assert.equal(
          await reader.evaluate('document.querySelectorAll(".inspection :is(script,iframe,img,a,form,style)").length'),
          0,
        );
      };
      await looked(await wb.webview('reader', 'command:workbench'));
      await shot('local-mail-hostile');
      await wb.closeAll();
      await wb.openFile('hostile.eml');
      const file = await wb.webview('reader', 'command:workbench');
      await looked(file);
      await shot('eml-hostile');
      await axe('reader', 'command:workbench');
      await page.getByRole('button', { name: 'Open as Text' }).first().click();
      await page.locator('.view-line', { hasText: 'MIME-Version' }).first().waitFor();
      await shot('eml-as-text');
      await wb.closeAll();
      assert.deepEqual(spy.seen.slice(before), [], 'nothing was fetched');
    }),
};
