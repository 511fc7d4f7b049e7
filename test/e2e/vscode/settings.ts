import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until, writes, type Journeys } from './journey.js';

const ACCOUNT = 'Migadu Sandbox';

/** Settings as files: pulled, edited, compared, applied. */
export const settingsJourneys: Journeys = {
  async 'settings are pulled into the workspace, edited as files, and applied after a look at what will change'(j) {
    const { wb, page, box, spy, folder, shot, axe } = j, root = join(folder, 'mailroom', ACCOUNT);
    const file = join(root, 'mailbox', 'user003@example.com.mailroom'), ok = () => page.locator('.quick-input-widget').getByRole('button', { name: 'OK' }).click();
    const edit = (changes: object) => writeFileSync(file, `${JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...changes }, null, 2)}\n`);
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
    const hostile = `[click](command:workbench.action.reloadWindow) $(trash) <img src=${spy.url}/settings>`;
    edit({ name: hostile, may_access_pop3: false });
    await wb.menu(ACCOUNT, 'Apply Settings');
    const planned = page.locator('.quick-input-list .monaco-list-row', { hasText: 'user003@example.com' });
    await planned.waitFor();
    await shot('settings-plan');
    assert.equal(await page.locator('.quick-input-list').locator('a, img, .codicon-trash').count(), 0);
    assert.deepEqual(writes(box, 'migadu'), [], 'a look changes nothing');
    await ok();
    await wb.toast('1 done').waitFor();
    const sent = writes(box, 'migadu');
    assert.equal(sent.length, 1);
    assert.deepEqual(JSON.parse(String(sent[0]!.body)), { name: hostile, may_access_pop3: false });
    await wb.clearToasts();

    await wb.command('Go to File...');
    await wb.input('user003@example.com.mailroom');
    const form = await wb.webview('form', 'user003@example.com');
    await form.getByRole('button', { name: 'Compare with Server' }).waitFor();
    assert.equal(await form.locator('img[src^="http"]').count(), 0);
    await shot('settings-form');
    await axe('form', 'user003@example.com');
    await form.getByRole('button', { name: 'Compare with Server' }).click();
    await page.locator('.tab', { hasText: 'Server ↔ File' }).waitFor();
    await wb.closeAll();

    // Somebody else changes the same value meanwhile.
    edit({ name: 'Ours' });
    const url = `${box.vendors.migadu.url}/v1/domains/example.com/mailboxes/user003`;
    const { user, key } = { user: box.vendors.migadu.account.user, key: box.vendors.migadu.account.apiKey };
    const changed = await fetch(url, { method: 'PUT', headers: { authorization: `Basic ${btoa(`${user}:${key}`)}`, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Theirs' }) });
    assert.equal(changed.status, 200);
    box.vendors.migadu.forget();
    await wb.menu(ACCOUNT, 'Apply Settings');
    await planned.filter({ hasText: 'changed on the server too' }).waitFor();
    assert.equal(await planned.locator('input[type=checkbox]:checked, .monaco-checkbox.checked').count(), 0, 'nobody is overwritten by pressing OK');
    await planned.locator('input[type=checkbox], .monaco-checkbox').first().click();
    await shot('settings-conflict');
    await ok();
    assert.match(await wb.dialog('Cancel'), /Overwrite what someone else changed[^]*Theirs[^]*Ours/);
    assert.deepEqual(writes(box, 'migadu'), []);

    rmSync(file);
    await wb.menu(ACCOUNT, 'Apply Settings');
    await wb.toast('1 skipped').waitFor();
    assert.deepEqual(writes(box, 'migadu'), [], 'a file that is gone deletes nothing');
    await until('nobody asked for a picture', () => !spy.seen.some(one => one.includes('settings')));
    await wb.clearToasts();
  },
};
