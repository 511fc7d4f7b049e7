import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sandboxes } from './driver.js';
import { writes, type Journeys } from './journey.js';

const ACCOUNT = 'Migadu Sandbox';

/** Settings as files: pulled, edited, and applied after a look. */
export const settingsJourneys: Journeys = {
  async 'settings are pulled into the workspace, edited as files, and applied after a look at what will change'(j) {
    const { wb, page, box, spy, folder, shot } = j;
    const root = join(folder, 'mailroom', ACCOUNT);
    const file = join(root, 'mailbox', 'user003@example.com.mailroom');
    const ok = () => page.locator('.quick-input-widget').getByRole('button', { name: 'OK' }).click();
    const edit = (changes: object) =>
      writeFileSync(file, `${JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }, null, 2)}\n`);
    // A file that was compared is remembered by VS Code as text, and its list opens it as that.
    await wb.command('Clear Editor History');
    await wb.dialog('Clear');
    await wb.collapse();
    await wb.menu(ACCOUNT, 'Pull Settings');
    await wb.row(ACCOUNT).waitFor();
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Mailboxes' }).waitFor();
    await shot('settings-kinds');
    await ok();
    await wb.toast('done').waitFor();
    await shot('settings-pulled');
    assert.ok(existsSync(file) && existsSync(join(root, 'mailroom.json')));
    await wb.clearToasts();

    box.vendors.migadu.forget();
    // Another one at each try: what was applied before is no change.
    const hostile = `[click](command:workbench.action.reloadWindow) $(trash) <img src=${spy.url}/settings> ${Date.now()}`;
    edit({ name: hostile, may_access_pop3: false });
    await wb.menu(ACCOUNT, 'Apply Settings');
    const planned = page.locator('.quick-input-list .monaco-list-row', { hasText: 'user003@example.com' });
    await planned.waitFor();
    await shot('settings-plan');
    assert.equal(await page.locator('.quick-input-list').locator('a[href], img, .codicon-trash').count(), 0);
    assert.deepEqual(writes(box, 'migadu'), [], 'a look changes nothing');
    await ok();
    await wb.toast('1 done').waitFor();
    const sent = writes(box, 'migadu');
    assert.equal(sent.length, 1);
    const {
      name,
      may_access_pop3: pop3 = false,
      ...others
    } = JSON.parse(String(sent[0]!.body)) as Record<string, unknown>;
    assert.deepEqual([name, pop3, others], [hostile, false, {}]);
    await wb.clearToasts();

    await wb.openFile('user003@example.com.mailroom');
    const form = await wb.webview('form', 'user003@example.com');
    await form.getByRole('button', { name: 'Compare with Server' }).waitFor();
    assert.equal(await form.locator('img[src^="http"]').count(), 0);
    await shot('settings-form');
    await form.getByRole('button', { name: 'Compare with Server' }).click();
    await page.locator('.tab', { hasText: 'Server ↔ File' }).waitFor();
    for (const side of ['original', 'modified'])
      await page.locator(`.monaco-diff-editor .${side} .view-line`, { hasText: '"name":' }).waitFor();
    await shot('settings-compared');
    // By its name: other journeys leave tabs too.
    await page.locator('.tab', { hasText: 'user003@example.com.mailroom', hasNotText: 'Server ↔ File' }).click();
    const again = await wb.webview('form', 'user003@example.com');
    await again.getByLabel('Name', { exact: true }).fill('Typed and not saved');
    await again.getByRole('button', { name: 'Apply…' }).click();
    await planned.filter({ hasText: 'Typed and not saved' }).waitFor();
    await shot('settings-typed');
    await page.keyboard.press('Escape');
    await wb.closeAll();

    await changedElsewhere(box, 'Theirs');
    edit({ name: 'Ours' });
    box.vendors.migadu.forget();
    await wb.menu(ACCOUNT, 'Apply Settings');
    await planned.filter({ hasText: 'changed on the server too' }).waitFor();
    await shot('settings-conflict');
    await planned.locator('input[type=checkbox], .monaco-checkbox').first().click();
    await ok();
    await page.locator('.monaco-dialog-box').waitFor();
    await shot('settings-overwrite');
    assert.match(await wb.dialog('Cancel'), /Overwrite what someone else changed[^]*Theirs[^]*Ours/);
    assert.deepEqual(writes(box, 'migadu'), []);
    assert.ok(!spy.seen.some(one => one.includes('settings')), 'nobody asked for a picture');
  },
};

/** Somebody else gives the mailbox another name. */
async function changedElsewhere({ vendors }: Sandboxes, name: string): Promise<void> {
  const { url, account } = vendors.migadu as { url: string; account: { user: string; apiKey: string } };
  const answer = await fetch(`${url}/v1/domains/example.com/mailboxes/user003`, {
    method: 'PUT',
    headers: {
      authorization: `Basic ${Buffer.from(`${account.user}:${account.apiKey}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ name }),
  });
  assert.equal(answer.status, 200);
}
