import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Workbench } from './driver.js';
import { until, writes, type Journeys } from './journey.js';

/** One domain among more than a hundred. */
async function findDomain(wb: Workbench): Promise<void> {
  await wb.expand('Rackspace Email Sandbox');
  await wb.menu(/^Domains/, 'Search or Filter');
  await wb.input('example.com');
  await wb.expand(/^Domains/);
  await wb.row(/^example\.com/).waitFor();
}

/** Long work: exports, copies and selections, each with its progress and its summary. */
export const bulkJourneys: Journeys = {
  async 'copies entries of a list to other mailboxes, one of them refused'({ wb, page, box, shot, axe }) {
    await wb.collapse();
    await findDomain(wb);
    await wb.expand(/^example\.com/, /^Mailboxes/, 'alex.smith@');
    await wb.menu(/^Spam Lists/, 'Edit Lists');
    const lists = await wb.webview('lists', 'anyone@spam.com');
    const column = lists.locator('[data-column=blockedSenders]');
    for (const entry of ['anyone@spam.com', 'junk.example'])
      await column.locator('li', { hasText: entry }).locator('input').check();
    await shot('lists-chosen');
    await axe('lists');
    box.vendors.rackspace.forget();
    box.vendors.rackspace.fail({ status: 403, path: 'user001', body: 'You may not change this mailbox.' });
    await column.getByRole('button', { name: 'Copy To' }).click();
    for (const name of ['john.smith@', 'user001@']) {
      await page.locator('.quick-input-widget input[type=text]').first().fill(name);
      await page
        .locator('.quick-input-list .monaco-list-row', { hasText: name })
        .locator('input[type=checkbox], .monaco-checkbox')
        .first()
        .click();
    }
    await shot('lists-copy');
    await page.locator('.quick-input-widget').getByRole('button', { name: 'OK' }).click();
    await wb.toast('3 done, 1 failed').waitFor();
    await shot('lists-copied', 'passing');
    await wb.toast('3 done, 1 failed').getByRole('button', { name: 'Show' }).click();
    await page
      .locator('.view-line', { hasText: /user001@example\.com:\s(anyone@spam\.com|junk\.example):\s/ })
      .first()
      .waitFor();
    assert.equal(writes(box, 'rackspace').filter(one => one.path.includes('john.smith')).length, 2);
    assert.equal(
      writes(box, 'rackspace').filter(one => one.path.includes('user001')).length,
      2,
      'what was refused is not sent again',
    );
    await wb.clearToasts();
    await wb.closeAll();
  },

  async 'exports a list as CSV, an account as JSON, a tenant until it is cancelled'({ wb, page, box, folder, shot }) {
    await wb.collapse();
    const { attributes } = box.vendors.outreach.rows.mailboxes.get(3);
    const before = attributes.emailSignature;
    attributes.emailSignature = '=HYPERLINK("https://evil.example","click, please")';
    await wb.expand('Outreach', /^Mailboxes/);
    await wb.menu(/^Mailboxes/, 'Export');
    await wb.file(join(folder, 'list.csv'));
    await wb.toast('125 rows were exported.').waitFor();
    await shot('exported');
    attributes.emailSignature = before;
    const csv = readFileSync(join(folder, 'list.csv'), 'utf8');
    assert.ok(csv.startsWith('\ufeffid,'), 'says that it is UTF-8, then the shared columns');
    assert.equal(csv.split('\r\n').length, 127);
    assert.ok(csv.includes(`,"'=HYPERLINK(""https://evil.example"",""click, please"")",`), 'a formula is made text');
    await wb.toast('125 rows were exported.').getByRole('button', { name: 'Open' }).click();
    await page.locator('.tab', { hasText: 'list.csv' }).waitFor();
    await wb.closeAll();
    await wb.clearToasts();

    await wb.collapse();
    await wb.menu('Outreach', 'Export');
    await page.locator('.quick-input-widget').getByRole('button', { name: 'OK' }).click();
    await wb.file(join(folder, 'account.json'));
    await wb.toast('125 rows were exported.').waitFor();
    const all = JSON.parse(readFileSync(join(folder, 'account.json'), 'utf8')) as { kind: string; email: string }[];
    assert.deepEqual([all.length, all[0]!.kind], [125, 'mailbox']);
    await wb.clearToasts();

    await findDomain(wb);
    box.vendors.rackspace.fail({ silent: true, path: '/rs/mailboxes', times: 100 });
    await wb.menu(/^example\.com/, 'Export');
    await page.locator('.quick-input-widget').getByRole('button', { name: 'OK' }).click();
    await wb.file(join(folder, 'tenant.csv'));
    await wb.toast('100 so far').waitFor();
    await wb.toast('Exporting').getByRole('button', { name: 'Cancel' }).click();
    await wb.toast('You cancelled the export after 120 rows, so the file is incomplete.').waitFor();
    await shot('export-cancelled');
    box.vendors.rackspace.mend();
    assert.equal(readFileSync(join(folder, 'tenant.csv'), 'utf8').split('\r\n').length, 122);
    await wb.clearToasts();
  },

  async 'works on several rows at once: one question, one progress, one summary'({ wb, page, box, shot }) {
    await wb.collapse();
    await wb.expand('IMAP', /^Messages/);
    await wb.row('Lunch on Thursday').click({ modifiers: ['Control'] });
    await wb.row('Figures of the third').click({ modifiers: ['Control'] });
    await wb.row('This week in mail').click({ modifiers: ['Control'] });
    await wb.menu('This week in mail', 'Mark as Read');
    await wb.toast('3 done.').waitFor();
    assert.equal(box.mail.folder('u0@test.local').messages.filter(one => [...one.flags].includes('\\Seen')).length, 3);
    await wb.clearToasts();

    await wb.collapse();
    await wb.expand('Scaleway', /^Mailboxes/);
    await wb.row('user002@').click({ modifiers: ['Control'] });
    for (const name of ['user003@', 'user004@']) await wb.row(name).click({ modifiers: ['Control'] });
    box.vendors.scaleway.forget();
    box.vendors.scaleway.fail({
      status: 403,
      method: 'DELETE',
      body: '{"type":"denied_authentication","message":"not yours"}',
    });
    await wb.menu('user004@', 'Delete');
    await shot('bulk-question');
    const said = await page.locator('.quick-input-widget').first().innerText();
    await wb.input('3');
    for (const name of ['user002@', 'user003@', 'user004@']) assert.match(said, new RegExp(name));
    await wb.toast('2 done, 1 failed').waitFor();
    await shot('bulk-summary');
    await wb.toast('2 done, 1 failed').getByRole('button', { name: 'Show' }).click();
    await page
      .locator('.view-line', { hasText: /user00\d@mail\.example\.com:\snot\syours/ })
      .first()
      .waitFor();
    assert.equal(writes(box, 'scaleway').length, 3);
    await until(
      'two are marked',
      async () =>
        (await page.locator('.monaco-list-row[role=treeitem]').filter({ hasText: 'deletion scheduled' }).count()) >= 2,
    );
    await wb.clearToasts();
    await wb.closeAll();
    await page.keyboard.press('Escape');
  },
};
