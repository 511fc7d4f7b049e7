import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until, type Journey, type Journeys } from './journey.js';

const sendButton = (form: Journey['page']) => form.locator('footer button').first();

/** Handling of mail, day by day. */
export const everydayJourneys: Journeys = {
  async 'a draft is kept at the server, opened again from its folder, changed, and sent from where it lies'(j) {
    const { wb, box, page, folder, shot, axe } = j;
    const drafts = () => box.mail.folder('u0@test.local', 'Drafts').messages;
    const arrived = () => box.mail.folder('u1@test.local').messages;
    const there = drafts().length;
    const before = arrived().length;
    writeFileSync(join(folder, 'plan.txt'), 'The plan');
    await wb.collapse();
    await wb.menu('IMAP', 'New Message');
    let form = await wb.webview('form', 'New Message');
    await form.locator('[data-field=to] textarea').fill('Bob <u1@test.local>');
    await form.locator('[data-field=subject] input').fill('Plan for May');
    await form.locator('[data-field=text] textarea').fill('First words.');
    await form.getByRole('button', { name: /^Choose Files… Attachments/ }).click();
    await wb.pick('plan.txt');
    await form.locator('[data-field=attachments] li', { hasText: 'plan.txt' }).waitFor();
    await form.getByRole('button', { name: 'Save Draft' }).click();
    await form.locator('.said', { hasText: 'Saved in Drafts.' }).waitFor();
    assert.equal(drafts().length, there + 1);
    await shot('draft-saved');
    await axe('form', 'New Message');
    await form.locator('[data-field=text] textarea').fill('Second words.');
    await form.getByRole('button', { name: 'Save Draft' }).click();
    await until(
      'the later one took its place',
      () => drafts().length === there + 1 && /Second words/.test(String(drafts().at(-1)?.source)),
    );
    await wb.closeAll();
    await wb.expand('IMAP', /^Folders/, /^Drafts/);
    await page
      .locator('.monaco-list-row[role=treeitem][aria-level="4"]')
      .filter({ hasText: /^Messages/ })
      .first()
      .locator('.monaco-tl-twistie')
      .click();
    await wb.row('Plan for May').click();
    form = await wb.webview('form', 'Draft: Plan for May');
    await form.locator('[data-field=attachments] li', { hasText: 'plan.txt' }).waitFor();
    assert.deepEqual(
      [
        await form.locator('[data-field=to] textarea').inputValue(),
        (await form.locator('[data-field=text] textarea').inputValue()).trim(),
      ],
      ['Bob <u1@test.local>', 'Second words.'],
    );
    await form.locator('[data-field=text] textarea').fill('Third words.');
    await shot('draft-opened');
    await axe('form', 'Draft');
    await sendButton(form).click();
    await wb.toast('The message was sent.').waitFor();
    await until('it is no draft any more', () => drafts().length === there);
    assert.equal(arrived().length, before + 1);
    const sent = String(arrived().at(-1)!.source);
    assert.match(sent, /Third words/);
    assert.match(sent, /plan\.txt/);
    await until('its row is gone', async () => (await wb.row('Plan for May').count()) === 0);
    await wb.clearToasts();
    await wb.closeAll();
  },

  async 'a provider that keeps no drafts says so'(j) {
    const { wb, shot } = j;
    await wb.collapse();
    await wb.menu('Sodium', 'New Message');
    const form = await wb.webview('form', 'New Message');
    await form.locator('[data-field=subject] input').fill('To be kept here');
    await form.getByRole('button', { name: 'Save Draft' }).click();
    await form.locator('.said', { hasText: 'Sodium keeps no drafts' }).waitFor();
    await shot('draft-refused');
    await form.getByRole('button', { name: 'Discard Draft' }).click();
    await wb.dialog('Discard Draft');
    await wb.closeAll();
  },

  async 'a message is sent again: the same people, words and files, under a name of its own'(j) {
    const { wb, box, shot, axe } = j;
    const arrived = () => box.mail.folder('u1@test.local').messages;
    const before = arrived().length;
    box.mail.deliver(
      'u0@test.local',
      [
        'From: u0@test.local',
        'To: Bob <u1@test.local>',
        'Subject: Once more',
        'Message-ID: <once@x.example>',
        `Date: ${new Date().toUTCString()}`,
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=b',
        '',
        '--b\r\nContent-Type: text/plain\r\n\r\nThe same words.',
        '--b\r\nContent-Type: text/csv; name=list.csv\r\nContent-Disposition: attachment; filename=list.csv\r\n\r\na,b\r\n--b--',
        '',
      ].join('\r\n'),
    );
    await wb.collapse();
    await wb.expand('IMAP');
    await wb.menu(/^Messages/, 'Refresh');
    await wb.expand(/^Messages/);
    await wb.menu('Once more', 'Send Again');
    const form = await wb.webview('form', 'Send Again: Once more');
    await form.locator('[data-field=attachments] li', { hasText: 'list.csv' }).waitFor();
    assert.deepEqual(
      [
        await form.locator('[data-field=to] textarea').inputValue(),
        await form.locator('[data-field=subject] input').inputValue(),
        (await form.locator('[data-field=text] textarea').inputValue()).trim(),
      ],
      ['Bob <u1@test.local>', 'Once more', 'The same words.'],
    );
    await shot('send-again');
    await axe('form', 'Send Again');
    assert.equal(arrived().length, before, 'nothing is sent without the button');
    await sendButton(form).click();
    await wb.toast('The message was sent.').waitFor();
    await until('it arrived', () => arrived().length === before + 1);
    const sent = String(arrived().at(-1)!.source);
    assert.match(sent, /The same words/);
    assert.match(sent, /list\.csv/);
    assert.doesNotMatch(sent, /once@x\.example/);
    await wb.clearToasts();
    await wb.closeAll();
  },

  async 'mail is searched in all accounts at once; one that fails says so, and holds up no other'(j) {
    const { wb, box, page, shot } = j;
    for (const folder of ['INBOX', 'Archive'])
      box.mail.deliver(
        'u0@test.local',
        `From: Eve <eve@x.example>\r\nTo: u0@test.local\r\nSubject: Needle in ${folder}\r\nDate: ${new Date().toUTCString()}\r\n\r\nHay.\r\n`,
        { folder },
      );
    box.vendors.sodium.fail({ status: 503, times: 30 });
    await wb.collapse();
    await wb.command('Mailroom: Search All Accounts');
    await wb.input('needle');
    const account = (name: string, said: string | RegExp) =>
      page
        .locator('.monaco-list-row[role=treeitem][aria-level="1"]')
        .filter({ hasText: name })
        .filter({ hasText: said })
        .first();
    await account('IMAP and SMTP', '2 found').waitFor();
    await account('Sodium', 'failed').waitFor({ timeout: 60_000 });
    await wb.row('Needle in Archive').waitFor();
    await shot('search-all');
    await wb.row('Needle in INBOX').click();
    await wb.webview('reader', 'Hay.');
    await shot('search-opened');
    box.vendors.sodium.mend();
    await wb.command('Mailroom: Clear Search Results');
    await until('the view is gone', async () => (await wb.row('Needle in').count()) === 0);
    await wb.closeAll();
  },

  async 'an account that is watched counts its unread mail though no list of it is open, also after a reload'(j) {
    const { wb, box, page, shot } = j;
    const deliver = (subject: string) =>
      box.mail.deliver(
        'u0@test.local',
        `From: Eve <eve@x.example>\r\nTo: u0@test.local\r\nSubject: ${subject}\r\nDate: ${new Date().toUTCString()}\r\n\r\nText.\r\n`,
      );
    const unread = async () =>
      Number(
        /(\d+) unread/.exec(
          await wb
            .row('IMAP and SMTP')
            .innerText({ timeout: 1000 })
            .catch(() => ''),
        )?.[1] ?? 0,
      );
    await wb.collapse();
    await wb.menu('IMAP and SMTP', 'Watch');
    await until('its row counts', async () => (await unread()) > 0);
    const before = await unread();
    deliver('Watched one');
    await until('what came is counted', async () => (await unread()) === before + 1);
    await shot('watched');
    await page.reload();
    await wb.open();
    await until('it is watched again', async () => (await unread()) === before + 1, 60_000);
    deliver('Watched two');
    await until('what came is counted', async () => (await unread()) === before + 2);
    await wb.menu('IMAP and SMTP', 'Stop Watching');
    await until('its row counts no more', async () => (await unread()) === 0);
    await wb.clearToasts();
  },

  async 'addresses of mail that was read are offered where addresses are typed'(j) {
    const { wb, box, page, shot, axe } = j;
    box.mail.deliver(
      'u0@test.local',
      `From: Zoe Quill <zoe@x.example>\r\nTo: u0@test.local\r\nSubject: From Zoe\r\nDate: ${new Date().toUTCString()}\r\n\r\nText.\r\n`,
    );
    await wb.collapse();
    await wb.expand('IMAP');
    await wb.menu(/^Messages/, 'Refresh');
    await wb.expand(/^Messages/);
    await wb.row('From Zoe').click();
    await wb.webview('reader', 'Text.');
    await wb.closeAll();
    await wb.collapse();
    await wb.menu('IMAP', 'New Message');
    const form = await wb.webview('form', 'New Message');
    const to = form.locator('[data-field=to] textarea');
    await to.click();
    await page.keyboard.type('a@x.example, qui');
    await form.locator('[role=option]', { hasText: 'Zoe Quill <zoe@x.example>' }).waitFor();
    await shot('offered');
    await axe('form', 'New Message');
    await to.click();
    await page.keyboard.type('l');
    await form.locator('[role=option]', { hasText: 'Zoe Quill' }).waitFor();
    await page.keyboard.press('Enter');
    assert.equal(await to.inputValue(), 'a@x.example, Zoe Quill <zoe@x.example>');
    await form.getByRole('button', { name: 'Discard Draft' }).click();
    await wb.dialog('Discard Draft');
    await wb.closeAll();
  },
};
