import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stored, until, writes, type Journey, type Journeys } from './journey.js';
import type { Loose } from './workbench.js';

/** Opens the form of a mailbox of an account, below its branch. */
async function open({ wb }: Journey, account: string, mailbox: string): Promise<Loose> {
  await wb.collapse();
  await wb.expand(account, /^Mailboxes/);
  await wb.scrollTo(mailbox);
  await wb.row(mailbox).click();
  return wb.webview('form', mailbox);
}
const button = (form: Loose, label: string) => form.locator('header button', { hasText: label });
const attributes = (one: { body: Buffer }) =>
  (JSON.parse(one.body.toString()) as { data: { attributes: unknown } }).data.attributes;

/** The form of a mailbox: its buttons, the commands in its title, and its other views. */
export const formJourneys: Journeys = {
  async 'a form keeps two changes that come close together'(j) {
    const { wb, page, box } = j;
    const form = await open(j, 'Outreach', 'ann@acme.test');
    box.vendors.outreach.forget();
    await form.locator('[data-field=maxEmailsPerDay] input').fill('345');
    // The text field is left by the click, so that both are sent at once.
    await form.locator('[data-field=sendRequiresSync] input').click();
    await until('both are in the document', async () => (await form.locator('.changed').count()) === 2);
    await page.locator('.tab.dirty').waitFor();
    await wb.save();
    await until('it is saved', async () => (await page.locator('.tab.dirty').count()) === 0);
    assert.deepEqual(writes(box, 'outreach').map(attributes), [{ maxEmailsPerDay: 345, sendRequiresSync: true }]);
    await wb.closeAll();
  },
  async 'what is wrong with a field is said once it was left, and goes as soon as it is right'({ wb, shot }) {
    await wb.command('Mailroom: Add Account');
    await wb.pick('IMAP');
    const form = await wb.webview('form', 'Add IMAP');
    const port = form.locator('[data-field=imapPort]');
    const input = port.locator('input');
    const complaint = port.locator('.complaint:not([hidden])');
    await input.fill('many');
    assert.equal(await complaint.count(), 0, 'who is still writing is left alone');
    await form.locator('[data-field=imapHost] input').focus();
    await complaint.waitFor();
    await shot('field-wrong');
    await input.fill('99');
    await until('it is gone while typing', async () => (await complaint.count()) === 0);
    await input.fill('99999999');
    await complaint.waitFor();
    await input.fill('993');
    await until('it is gone again', async () => (await complaint.count()) === 0);
    await wb.closeAll();
  },
  async 'a field that is neither on nor off says so, and can be left so again'(j) {
    const { wb, page, box, shot } = j;
    const { attributes: there } = box.vendors.outreach.rows.mailboxes.get(3);
    const before = there.sendRequiresSync;
    there.sendRequiresSync = null;
    const form = await open(j, 'Outreach', 'cho@acme.test');
    const field = form.locator('[data-field=sendRequiresSync]');
    const one = field.locator('input');
    await field.getByText('not set').waitFor();
    // What a screen reader is told: the state of the box, and the words that describe it.
    const told = () =>
      one.evaluate((box: Loose) => [
        box.indeterminate ? 'mixed' : String(box.checked),
        (box.getAttribute('aria-describedby') ?? '')
          .split(' ')
          .map((id: string) => box.ownerDocument.getElementById(id)?.textContent ?? '')
          .join(' '),
      ]) as Promise<[string, string]>;
    await until('a screen reader hears it', async () => {
      const [state, words] = await told();
      return state === 'mixed' && /^not set/.test(words);
    });
    await shot('not-set');
    await one.click();
    await page.locator('.tab.dirty').waitFor();
    await until('it is on', async () => (await told())[0] === 'true');
    await field.getByRole('button', { name: 'Clear' }).click();
    await until('it is as it was', async () => (await told())[0] === 'mixed');
    box.vendors.outreach.forget();
    await wb.save();
    await until('it is saved', async () => (await page.locator('.tab.dirty').count()) === 0);
    assert.deepEqual(writes(box, 'outreach'), [], 'there was nothing to send');
    there.sendRequiresSync = before;
    await wb.closeAll();
  },
  async 'a form changes a password in boxes: typed twice, sent once, nowhere else'(j) {
    const { wb, page, box, shot } = j;
    const form = await open(j, 'Scaleway', 'user021@');
    box.vendors.scaleway.forget();
    await button(form, 'Change Password').click();
    await wb.input('Correct-horse-7-battery');
    await page.locator('.quick-input-widget', { hasText: 'Enter it again' }).waitFor();
    await wb.input('Correct-horse-8-battery');
    await page.locator('.quick-input-widget', { hasText: 'The two do not match.' }).waitFor();
    await shot('password');
    assert.deepEqual(writes(box, 'scaleway'), []);
    await wb.input('Correct-horse-7-battery');
    await until('it was sent', () => writes(box, 'scaleway').length > 0);
    await page.locator('.statusbar-item', { hasText: 'user021@' }).waitFor();
    assert.equal(writes(box, 'scaleway').length, 1);
    assert.match(writes(box, 'scaleway')[0]!.body.toString(), /Correct-horse-7-battery/);
    assert.equal(await page.locator('.tab.dirty').count(), 0);
    await wb.command('Mailroom: Show JSON Beside');
    await page.locator('.view-line').first().waitFor();
    assert.ok(!(await page.locator('.view-lines').allInnerTexts()).join().includes('battery'));
    await wb.closeAll();
  },
  async 'a form tests sending and syncing, and says what the vendor said'(j) {
    const { wb, page, box, shot } = j;
    const form = await open(j, 'Outreach', 'ann@acme.test');
    box.vendors.outreach.forget();
    await button(form, 'Test Send').click();
    await page.locator('.statusbar-item', { hasText: 'Test whether a mailbox can send' }).waitFor();
    await page.locator('.editor-actions .codicon-toolbar-more').first().click();
    await page.locator('.monaco-menu .action-item', { hasText: 'Test Synchronization' }).waitFor();
    await shot('form-title');
    await page.keyboard.press('Escape');
    await button(form, 'Test Sync').click();
    await page.locator('.statusbar-item', { hasText: 'Test whether a mailbox can sync' }).waitFor();
    assert.deepEqual(
      writes(box, 'outreach').map(({ path }) => path.split('/').at(-1)),
      ['testSend', 'testSync'],
    );
    const other = await open(j, 'Outreach', 'ben@acme.test');
    await button(other, 'Test Send').click();
    await wb.toast('Smtp connection failed').waitFor();
    // The vendor may also answer with the mailbox, in which the failure stands.
    await wb.clearToasts();
    const row = box.vendors.outreach.rows.mailboxes.get(2);
    box.vendors.outreach.fail({
      method: 'POST',
      status: 200,
      headers: { 'content-type': 'application/vnd.api+json' },
      body: JSON.stringify({ data: { type: 'mailbox', id: 2, attributes: row.attributes } }),
    });
    await button(other, 'Test Send').click();
    await wb.toast('ben@acme.test” needs attention').waitFor();
    await shot('test-failed');
    await wb.clearToasts();
    await wb.closeAll();
  },
  async 'a form links and unlinks; what has no place of its own is behind More'(j) {
    const { wb, page, box, shot } = j;
    const form = await open(j, 'Outreach', 'cho@acme.test');
    box.vendors.outreach.forget();
    await button(form, 'Link EWS Master Account').first().click();
    await page.locator('.statusbar-item', { hasText: 'Link a mailbox with the EWS master account' }).waitFor();
    await form.getByRole('button', { name: 'Unlink EWS Master Account' }).click();
    await page.locator('.statusbar-item', { hasText: 'Unlink a mailbox from the EWS master account' }).waitFor();
    assert.deepEqual(
      writes(box, 'outreach').map(({ path }) => path.split('/').at(-1)),
      ['linkEwsMasterAccount', 'unlinkEwsMasterAccount'],
    );
    await button(form, 'More…').click();
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'spamPattern.add' }).waitFor();
    assert.equal(
      await page.locator('.quick-input-list .monaco-list-row', { hasText: 'mailbox.' }).count(),
      0,
      'and nothing else',
    );
    await shot('form-more');
    await page.keyboard.press('Escape');
    await wb.closeAll();
  },
  async 'a form syncs now, from its buttons and from its title'(j) {
    const { wb, page, box, shot } = j;
    await wb.collapse();
    await wb.expand('Sodium', /^Mailboxes/);
    const rows = page.locator('.monaco-list-row[role=treeitem][aria-level="3"]').filter({ hasText: '@' });
    await rows.first().waitFor();
    await rows.first().click();
    const form = await wb.webview('form', 'Synchronize Now');
    box.vendors.sodium.forget();
    await button(form, 'Synchronize Now').click();
    await page.locator('.statusbar-item', { hasText: 'queued' }).waitFor();
    await shot('form-sync');
    await page.locator('.editor-actions .codicon-sync').click();
    await until(
      'it was asked for twice',
      () => writes(box, 'sodium').filter(({ path }) => path.endsWith('/sync')).length === 2,
    );
    await wb.closeAll();
  },
  async 'a form deletes: what can be restored is shown as it is, and restored; what is gone is closed'(j) {
    const { wb, page, box, shot } = j;
    const form = await open(j, 'Scaleway', 'user004@');
    box.vendors.scaleway.forget();
    assert.equal(await button(form, 'Restore').count(), 0);
    await button(form, 'Delete…').click();
    await wb.input('user004@mail.example.com');
    await form.locator('.subtitle', { hasText: 'deletion scheduled' }).waitFor();
    await shot('form-deleted');
    await button(form, 'Restore').click();
    await until('it was restored', () => writes(box, 'scaleway').some(({ path }) => path.endsWith('/restore')));
    await until('the form shows it', async () => !/scheduled/.test(await form.locator('.subtitle').innerText()));
    await wb.clearToasts();
    await wb.closeAll();
    const other = await open(j, 'Outreach', 'first6@acme.test');
    await button(other, 'Delete…').click();
    await wb.input('first6@acme.test');
    await until('its tab is closed', async () => (await page.locator('.tab').count()) === 0);
    await wb.clearToasts();
  },
  async 'a form is compared with the server, read again, shown as JSON and back'(j) {
    const { wb, page, box, shot } = j;
    await open(j, 'Outreach', 'ann@acme.test');
    const { attributes: there } = box.vendors.outreach.rows.mailboxes.get(1);
    there.maxEmailsPerDay = 4321;
    await wb.command('Mailroom: Compare with Server');
    await page.locator('.tab', { hasText: 'Server ↔ Yours' }).waitFor();
    await page.locator('.original .view-line', { hasText: '4321' }).waitFor();
    assert.equal(
      await page.locator('.modified .view-line', { hasText: '4321' }).count(),
      0,
      'the form is still there as it was read',
    );
    await shot('compare');
    await wb.command('View: Close Editor');
    await wb.command('Mailroom: Reload from Server');
    await until(
      "the form shows the server's value",
      async () =>
        (await (
          await wb.webview('form', 'ann@acme.test')
        )
          .locator('[data-field=maxEmailsPerDay] input')
          .inputValue()) === '4321',
    );
    await wb.command('Mailroom: Show JSON Beside');
    await page.locator('.view-line', { hasText: '"maxEmailsPerDay"' }).first().waitFor();
    await wb.command('Mailroom: Show Form');
    await page.locator('.view-line').first().waitFor({ state: 'detached' });
    await until(
      'there are two forms',
      async () =>
        (
          await Promise.all(
            (page.frames() as Loose[]).map(frame =>
              frame
                .evaluate(
                  'document.body?.dataset.kind === "form" && document.body.textContent.includes("ann@acme.test")',
                )
                .catch(() => false),
            ),
          )
        ).filter(Boolean).length === 2,
    );
    await wb.closeAll();
  },
  async 'a form that cannot be filled says why, and tries again on a click'(j) {
    const { wb, box, shot, axe } = j;
    await wb.collapse();
    await wb.expand('Scaleway', /^Mailboxes/);
    await wb.row('user005@').waitFor();
    box.vendors.scaleway.fail({ status: 403, times: 100, body: '{"message":"not today"}' });
    await wb.row('user005@').click();
    let form = await wb.webview('form', 'Retry');
    await shot('form-held');
    await axe('form', 'Retry');
    box.vendors.scaleway.mend();
    await form.getByRole('button', { name: 'Retry' }).click();
    form = await wb.webview('form', 'user005@');
    await until('it can be edited', async () => (await form.locator('#trouble:not([hidden])').count()) === 0);
    await shot('form-filled');
    await wb.closeAll();
  },
  async 'a form with changes outlives a restart, and then sends nothing that was not shown'(j) {
    const { wb, page, box, folder, shot } = j;
    const form = await open(j, 'Outreach', 'first9@acme.test');
    await form.locator('[data-field=maxEmailsPerDay] input').fill('456');
    await page.locator('.tab.dirty').waitFor();
    // Unsaved text is written down a while after the last change.
    const kept = join(folder, '../data/User/Backups');
    await until(
      'the workbench has written it down',
      () =>
        existsSync(kept) &&
        readdirSync(kept, { recursive: true, withFileTypes: true }).some(
          one =>
            one.isFile() && readFileSync(join(one.parentPath, one.name), 'utf8').includes('"maxEmailsPerDay": 456'),
        ),
    );
    await until('and that it is a form', () => stored(page, 'serializedGrid', 'mailroom.form', 'first9'), 60_000);
    box.vendors.outreach.rows.mailboxes.get(9).attributes.maxMailingsPerDay = 77;
    page.once('dialog', (dialog: Loose) => void dialog.accept());
    await page.reload();
    await page.waitForSelector('.activitybar', { timeout: 60_000 });
    const again = await wb.webview('form', 'first9@acme.test', 60_000);
    assert.equal(await again.locator('[data-field=maxEmailsPerDay] input').inputValue(), '456');
    box.vendors.outreach.forget();
    await page.locator('.tab.dirty').first().click();
    await wb.save();
    // Nobody knows what the text was made from, so that each difference is asked about.
    await page.locator('.monaco-dialog-box', { hasText: 'Overwrite what someone else changed' }).waitFor();
    await again.locator('[data-field=maxMailingsPerDay] .complaint:not([hidden])').waitFor();
    await shot('form-returned');
    assert.match(await wb.dialog('Cancel'), /77 on the server/);
    assert.deepEqual(writes(box, 'outreach'), []);
    await wb.command('File: Revert File');
    await page.locator('.tab.dirty').waitFor({ state: 'detached' });
    await wb.clearToasts();
    await wb.closeAll();
  },
};
