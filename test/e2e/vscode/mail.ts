import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { breaksPolicy, until, type Journey, type Journeys } from './journey.js';

const tab = ({ page }: Journey, name: string | RegExp) => page.locator('.tab').filter({ hasText: name }).first();
const line = ({ page }: Journey, text: string | RegExp) => page.locator('.view-line', { hasText: text }).first();
async function openMail({ wb }: Journey, subject: string) {
  await wb.collapse();
  await wb.expand('IMAP', /^Messages/);
  await wb.row(subject).click();
  return wb.webview('reader', subject);
}

/** So often a column was added. */
let tries = 0;
/** What is done with a message that is read, and letters that are written. */
export const mailJourneys: Journeys = {
  'what a message brings along is saved, opened and looked at; headers, source and JSON are texts': breaksPolicy(
    async j => {
      const { wb, folder, shot, axe } = j;
      const reader = await openMail(j, 'Figures of the third');
      assert.match(await reader.locator('.when').innerText(), /\d\d:\d\d/, "the time, also of yesterday's mail");
      await reader.getByRole('button', { name: 'Preview trend.png' }).click();
      await until('the picture is there', () =>
        reader.evaluate('document.querySelector(".attachments img")?.naturalWidth > 0'),
      );
      await shot('attachments');
      await axe('reader', 'Figures');
      await reader.getByRole('button', { name: 'Save As… figures.csv' }).click();
      await wb.file(join(folder, 'figures.csv'));
      await wb.toast('Saved figures.csv.').waitFor();
      assert.match(readFileSync(join(folder, 'figures.csv'), 'utf8'), /^month,messages\r\nJuly,120\r\nAugust,154/);
      await wb.clearToasts();
      await reader.getByRole('button', { name: 'Open figures.csv' }).click();
      assert.match(await wb.dialog('Open'), /figures\.csv[\s\S]*text\/csv/);
      await line(j, 'July,120').waitFor();
      for (const [button, text] of [
        ['Headers', 'figures@example.com'],
        ['Source', 'Content-Disposition'],
        ['Open as JSON', '"uidValidity"'],
      ] as const) {
        await tab(j, /^Figures of the third quarter$/).click();
        await (await wb.webview('reader', 'Figures')).getByRole('button', { name: button }).click();
        await line(j, text).waitFor();
      }
      await wb.closeAll();
    },
  ),

  'a message is marked, moved and deleted from where it is read; the keys keep their place': breaksPolicy(async j => {
    const { wb, box, page, shot } = j;
    const inbox = () => box.mail.folder('u0@test.local').messages;
    box.mail.deliver(
      'u0@test.local',
      'From: a@x.example\r\nTo: u0@test.local\r\nSubject: To be moved\r\nMessage-ID: <moved@x.example>\r\n\r\nText\r\n',
    );
    box.mail.deliver(
      'u0@test.local',
      'From: a@x.example\r\nTo: u0@test.local\r\nSubject: To be deleted\r\nMessage-ID: <deleted@x.example>\r\n\r\nText\r\n',
    );
    await wb.collapse();
    await wb.expand('IMAP');
    await wb.menu(/^Messages/, 'Refresh');
    let reader = await openMail(j, 'To be moved');
    const mark = reader.getByRole('button', { name: /^Mark as/ });
    const before = await mark.innerText();
    await mark.focus();
    await mark.press('Enter');
    await until('it is marked', async () => (await mark.innerText()) !== before);
    assert.equal(
      await reader.evaluate('document.activeElement.textContent'),
      await mark.innerText(),
      'the focus stays on the button',
    );
    assert.match(await reader.getByRole('status').innerText(), /^Marked as/);
    await shot('marked');
    const all = inbox().length;
    const archived = () => box.mail.folder('u0@test.local', 'Archive').messages.length;
    const there = archived();
    await reader.getByRole('button', { name: 'Move' }).click();
    await wb.pick('Archive');
    await until('its tab is gone', async () => (await tab(j, 'To be moved').count()) === 0);
    await until('it left the inbox', () => inbox().length === all - 1);
    assert.equal(archived(), there + 1);
    reader = await openMail(j, 'To be deleted');
    const count = inbox().length;
    await reader.getByRole('button', { name: 'Delete' }).click();
    await wb.dialog('Delete message');
    await until('its tab is gone', async () => (await tab(j, 'To be deleted').count()) === 0);
    await until('it left the inbox', () => inbox().length === count - 1);
    assert.equal(await page.locator('.monaco-dialog-box').count(), 0);
  }),

  'a list is gone through by keys: the next message, an answer to all with its quote, one passed on, one flagged':
    breaksPolicy(async j => {
      const { wb, box, page, shot, axe } = j;
      const subject = (n: number) => `Round ${n}`;
      for (const n of [1, 2])
        box.mail.deliver(
          'u0@test.local',
          `From: Eve <u2@test.local>\r\nTo: u0@test.local, u1@test.local\r\nSubject: ${subject(n)}\r\nMessage-ID: <round${n}@x.example>\r\nDate: ${new Date().toUTCString()}\r\n\r\nWords of round ${n}.\r\n`,
        );
      await wb.collapse();
      await wb.expand('IMAP');
      await wb.menu(/^Messages/, 'Refresh');
      let reader = await openMail(j, subject(2));
      await reader.locator('pre', { hasText: 'Words of round 2' }).click();
      await page.keyboard.press('j');
      reader = await wb.webview('reader', 'Words of round 1');
      await until('one tab is left', async () => (await page.locator('.tab').count()) === 1);
      await reader.getByRole('button', { name: 'Previous' }).click();
      reader = await wb.webview('reader', 'Words of round 2');
      await reader.getByRole('button', { name: 'Flag', exact: true }).click();
      await reader.locator('.badge', { hasText: 'Flagged' }).waitFor();
      assert.ok(box.mail.folder('u0@test.local').messages.some(({ flags }) => flags.includes('\\Flagged')));
      await shot('handling');
      await axe('reader', subject(2));
      await reader.locator('pre').click();
      await page.keyboard.press('a');
      const form = await wb.webview('form', 'Reply to all');
      await form.locator('[data-field=text] textarea').fill('To all of you.');
      const before = box.mail.folder('u1@test.local').messages.length;
      await form.locator('footer button').first().click();
      await wb.toast('The message was sent.').waitFor();
      assert.equal(
        box.mail.folder('u1@test.local').messages.length,
        before + 1,
        'who got the message gets the answer, though the sender is unknown here',
      );
      await wb.clearToasts();
      reader = await wb.webview('reader', 'Words of round 2');
      await reader.locator('pre').click();
      await page.keyboard.press('f');
      const forward = await wb.webview('form', 'Forward: Round 2');
      await forward.locator('[data-field=to] textarea').fill('u1@test.local');
      await forward.locator('[data-field=text] textarea').fill('Look at this.');
      await shot('forward');
      await forward.locator('footer button').first().click();
      await wb.toast('The message was sent.').waitFor();
      assert.equal(box.mail.folder('u1@test.local').messages.length, before + 2);
      await wb.clearToasts();
      await wb.closeAll();
    }),

  async 'a new message with a file: kept over closing its tab, sent once however often the keys are pressed'(j) {
    const { wb, box, page, folder, shot, axe } = j;
    const arrived = () => box.mail.folder('u1@test.local').messages.length;
    const before = arrived();
    writeFileSync(join(folder, 'notes.txt'), 'Notes of the meeting');
    await wb.collapse();
    await wb.menu('IMAP', 'New Message');
    let form = await wb.webview('form', 'New Message');
    await form.locator('[data-field=to] textarea').fill('u1@test.local');
    await form.locator('[data-field=subject] input').fill('Notes');
    await form.getByRole('button', { name: /^Choose Files… Attachments/ }).click();
    await wb.pick('notes.txt');
    await form.locator('[data-field=attachments] li', { hasText: 'notes.txt' }).waitFor();
    await form.locator('footer button').first().click();
    await form.getByText('Message is required.', { exact: true }).first().waitFor();
    assert.equal(arrived(), before, 'an empty message does not leave');
    await form.locator('[data-field=text] textarea').fill('See the notes.');
    await form.locator('button', { hasText: 'Cancel' }).click();
    await until('it is closed', async () => (await page.locator('.tab').count()) === 0);
    await wb.menu('IMAP', 'New Message');
    form = await wb.webview('form', 'continued from your draft');
    await form.locator('[data-field=attachments] li', { hasText: 'notes.txt' }).waitFor();
    await shot('new-message');
    await axe('form', 'New Message');
    const text = form.locator('[data-field=text] textarea');
    assert.equal(await text.inputValue(), 'See the notes.');
    await text.focus();
    await page.keyboard.down('Control');
    for (let i = 0; i < 4; i++) await page.keyboard.down('Enter');
    await page.keyboard.up('Enter');
    await page.keyboard.press('Enter');
    await page.keyboard.up('Control');
    await wb.toast('The message was sent.').waitFor();
    await until('it is closed', async () => (await page.locator('.tab').count()) === 0);
    assert.equal(arrived(), before + 1);
    await wb.clearToasts();
    await wb.menu('IMAP', 'New Message');
    form = await wb.webview('form', 'New Message');
    assert.equal(await form.locator('[data-field=subject] input').inputValue(), '', 'what was sent left no draft');
    await form.locator('[data-field=subject] input').fill('Not to be kept');
    await wb.closeAll();
    await wb.menu('IMAP', 'New Message');
    form = await wb.webview('form', 'continued from your draft');
    await form.locator('button', { hasText: 'Discard Draft' }).click();
    await wb.dialog('Discard Draft');
    await until('it is closed', async () => (await page.locator('.tab').count()) === 0);
    await wb.menu('IMAP', 'New Message');
    assert.ok(
      !(await (await wb.webview('form', 'New Message')).locator('main').innerText()).includes(
        'continued from your draft',
      ),
    );
    await wb.closeAll();
  },

  async 'a conversation takes a task and lets it go; one that cannot be read is tried again'(j) {
    const { wb, box, shot } = j;
    await wb.collapse();
    await wb.expand('Sodium', /^Conversations/);
    box.vendors.sodium.fail({ status: 403, path: '/conversations/', times: 1, body: '{"title":"Not just now"}' });
    await wb.row('VAT return 70').click();
    let reader = await wb.webview('reader', 'Try Again');
    await shot('reader-failed');
    box.vendors.sodium.mend();
    await reader.getByRole('button', { name: 'Try Again' }).first().click();
    reader = await wb.webview('reader', 'Show message');
    for (const [button, pick] of [
      ['Link Task', 'VAT return 1'],
      ['Unlink Task', 'VAT return 1'],
    ] as const) {
      box.vendors.sodium.forget();
      await reader
        .getByRole('button', { name: new RegExp(`^${button}`) })
        .last()
        .click();
      await wb.pick(pick);
      if (button === 'Unlink Task') await wb.dialog('Unlink Task');
      await until(`${button} was sent`, () =>
        (box.vendors.sodium.seen as { method: string }[]).some(({ method }) => method !== 'GET'),
      );
    }
    await reader.getByRole('button', { name: 'Reload' }).click();
    await reader.locator('article').first().waitFor();
    await wb.closeAll();
  },

  'a page stands still for whoever asked the system for that, and keeps its words for who hears them': breaksPolicy(
    async j => {
      const { wb, page } = j;
      await page.emulateMedia({ reducedMotion: 'reduce' });
      await openMail(j, 'Figures of the third');
      const moving = `(() => {
      const one = document.body.appendChild(document.createElement('i'));
      one.style.transition = 'all 5s';
      const { transitionDuration, transitionProperty } = getComputedStyle(one);
      one.remove();
      return document.body.classList.contains('vscode-reduce-motion') && (transitionDuration === '0s' || transitionProperty === 'none');
    })()`;
      await until('nothing moves', async () => (await wb.webview('reader', 'Figures')).evaluate(moving));
      await page.emulateMedia({ reducedMotion: null });
      const reader = await wb.webview('reader', 'Figures');
      assert.equal(
        await reader.evaluate('document.querySelectorAll("[role=status]").length'),
        1,
        'there before it has anything to say',
      );
      await wb.closeAll();
    },
  ),

  async 'a column of a list is added once however often the keys are pressed, and copied into another domain'(j) {
    const { wb, box, page, shot } = j;
    // A second try adds others than the first.
    const once = `${String.fromCharCode(97 + (tries++ % 26))}-once`;
    await wb.collapse();
    await wb.expand('Rackspace Email Sandbox');
    await wb.menu(/^Domains/, 'Search or Filter');
    await wb.input('example.com');
    await wb.expand(/^Domains/, /^example\.com/, /^Mailboxes/, 'alex.smith@');
    await wb.menu(/^Spam Lists/, 'Edit Lists');
    const lists = await wb.webview('lists', 'anyone@spam.com');
    const column = lists.locator('[data-column=blockedSenders]');
    const writes = () =>
      (box.vendors.rackspace.seen as { method: string; path: string }[]).filter(({ method }) => method !== 'GET');
    box.vendors.rackspace.forget();
    await column.locator('textarea').fill(Array.from({ length: 12 }, (_, i) => `${once}${i}.example`).join('\n'));
    await page.keyboard.down('Control');
    for (let i = 0; i < 3; i++) await page.keyboard.down('Enter');
    await page.keyboard.up('Enter');
    await page.keyboard.press('Enter');
    await page.keyboard.up('Control');
    await wb.toast('12 done.').waitFor();
    await until(
      'they are on the list',
      async () => (await column.locator('li', { hasText: `${once}11.example` }).count()) > 0,
    );
    assert.equal(writes().length, 12);
    await wb.clearToasts();
    // What a filter hides is not worked on, though it is ticked.
    await column
      .locator('li', { hasText: `${once}1.example` })
      .locator('input')
      .check();
    await column.locator('input[type=search]').fill(`${once}2`);
    await column
      .locator('li', { hasText: `${once}2.example` })
      .locator('input')
      .check();
    box.vendors.rackspace.forget();
    await column.getByRole('button', { name: 'Remove Selected' }).click();
    await wb.dialog('Remove');
    await until('one is gone', async () => (await column.locator('li', { hasText: `${once}2.example` }).count()) === 0);
    await column.getByText('No matching entries').waitFor();
    await column.locator('input[type=search]').fill('');
    assert.deepEqual(
      [
        writes().length,
        await column
          .locator('li', { hasText: `${once}1.example` })
          .locator('input')
          .isChecked(),
      ],
      [1, true],
    );
    await shot('lists-once');
    box.vendors.rackspace.forget();
    await column.getByRole('button', { name: 'Copy To' }).click();
    await page.locator('.quick-input-widget').getByRole('button', { name: 'Choose Another Domain' }).click();
    await page.locator('.quick-input-widget input[type=text]').first().fill('tenant001');
    // With the answer of the search comes the way to take what was typed; until then its rows are about to be replaced.
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Use “tenant001”' }).waitFor();
    await wb.pick('tenant001');
    await until('its mailboxes are asked for', () =>
      (box.vendors.rackspace.seen as { path: string }[]).some(({ path }) => /tenant001.*\/mailboxes/.test(path)),
    );
    await page.locator('.quick-input-widget input[placeholder="Choose mailboxes"]').waitFor();
    await page.keyboard.press('Escape');
    assert.equal(writes().length, 0);
    await wb.clearToasts();
    await wb.closeAll();
  },
};
