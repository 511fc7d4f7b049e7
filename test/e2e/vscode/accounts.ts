import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { elsewhere, until, type Journeys } from './journey.js';

/** Signing in through the browser, and accounts in files. */
export const accountJourneys: Journeys = {
  async 'signs in through the browser: refused, a stranger, cancelled, then allowed and kept'({
    wb,
    page,
    box,
    shot,
    axe,
  }) {
    const vendor = box.vendors.outreach;
    const there = await elsewhere(vendor.url);
    const account = { ...vendor.account, baseUrl: there.url };
    const own = vendor.url;
    // Its links name the address it is reached at.
    vendor.url = there.url;
    await wb.command('Mailroom: Add Account');
    await wb.pick('Outreach');
    const form = await wb.webview('form', 'Add Outreach');
    for (const key of ['baseUrl', 'clientId', 'clientSecret'])
      await form.locator(`[data-field=${key}] input`).fill(String(account[key]));
    await form.locator('[data-field=accountName] input').fill('Sales');
    await shot('sign-in-form');
    await axe('form', 'Add Outreach');
    const granted = vendor.grants;
    const begin = async () => {
      const opened = page.context().waitForEvent('page');
      await form.locator('button', { hasText: 'Sign In and Add' }).click();
      // A site that VS Code does not know yet is asked about.
      assert.match(await wb.dialog('Open'), /127\.0\.0\.2/);
      const tab = await opened;
      await tab.getByRole('heading', { name: 'Sign in to Outreach' }).waitFor();
      return tab;
    };

    let tab = await begin();
    await tab.getByRole('button', { name: 'Deny' }).click();
    await form.locator('#trouble', { hasText: 'Consent was not given (access_denied' }).waitFor();
    await tab.close();

    tab = await begin();
    const back = new URL(new URL(tab.url()).searchParams.get('redirect_uri')!);
    assert.equal(back.host, new URL(page.url()).host, 'comes back to the workbench in this browser');
    const box1 = page.locator('.quick-input-widget input').first();
    await box1.fill(`${back.href}&state=other&code=x`);
    await page.keyboard.press('Enter');
    await page.locator('.quick-input-message', { hasText: 'not started here' }).waitFor();
    await shot('sign-in-waiting');
    back.searchParams.set('state', 'other');
    back.searchParams.set('code', 'x');
    await tab.goto(back.href);
    await wb.toast('This window did not start that sign-in').waitFor();
    await shot('sign-in-stranger');
    await tab.close();
    await wb.toast('Waiting for the sign-in').getByRole('button', { name: 'Cancel' }).click();
    await form.locator('#trouble', { hasText: 'did not finish. Nothing was saved.' }).waitFor();
    assert.equal(vendor.grants, granted, 'no code was exchanged so far');

    tab = await begin();
    assert.ok(new URL(tab.url()).searchParams.get('code_challenge'), 'with the code challenge that was asked for');
    await tab.getByRole('button', { name: 'Allow' }).click();
    await tab.waitForURL(/callback/);
    await wb.row('Sales').waitFor();
    await tab.close();
    await until('the form is closed', async () => (await page.locator('.tab').count()) === 0);
    assert.equal(vendor.grants, granted + 1);
    await wb.clearToasts();

    // Another window knows what was stored, and asks nobody.
    await page.reload();
    await wb.row('Sales').waitFor({ timeout: 60_000 });
    await wb.expand('Sales', /^Mailboxes/);
    await wb.row('ann@acme.test').waitFor();
    assert.equal(vendor.grants, granted + 1);
    await wb.collapse();
    await wb.menu('Sales', 'Remove Account');
    await wb.dialog('Remove Account');
    await wb.row('Sales').waitFor({ state: 'detached' });
    vendor.url = own;
    await there.close();
  },

  async 'accounts of the sandbox are renamed and edited as others are'({ wb, page }) {
    await wb.collapse();
    await wb.row('Sodium Sandbox').click();
    await page.keyboard.press('F2');
    await wb.input('Sodium by another name');
    await wb.row('Sodium by another name').waitFor();
    await wb.menu('Sodium by another name', 'Edit Account');
    const form = await wb.webview('form', 'Edit Sodium by another name');
    const name = form.locator('[data-field=accountName] input');
    await name.fill('Sodium Sandbox');
    await form.locator('button', { hasText: 'Check and Save' }).click();
    await wb.row('Sodium Sandbox').waitFor();
    await until('the form is closed', async () => (await page.locator('.tab').count()) === 0);
    await wb.collapse();
  },

  async 'imports accounts from a file, each with its result; renames, exports without secrets, removes'({
    wb,
    page,
    box,
    folder,
    shot,
  }) {
    const { scaleway, rackspace } = box.vendors;
    const imap = JSON.parse(box.lines.split('\n').find(line => line.includes('"imap"'))!).account;
    const { password, ...open } = imap;
    const good = {
      accounts: [
        { name: 'Team mail', provider: 'scaleway', values: scaleway.account },
        { name: 'My own mail', provider: 'imap', values: open },
        {
          name: 'Office',
          provider: 'rackspace',
          remember: 'session',
          values: { baseUrl: rackspace.account.baseUrl, userKey: rackspace.account.userKey },
        },
      ],
    };
    writeFileSync(join(folder, 'good.json'), JSON.stringify(good));
    writeFileSync(
      join(folder, 'mixed.json'),
      JSON.stringify({
        accounts: [
          good.accounts[1],
          { name: 'Wrong', provider: 'imap', values: { ...open, imapPort: 'many' } },
          { name: 'Odd', provider: 'postcards' },
          { name: 'Second mail', provider: 'imap', values: open },
        ],
      }),
    );
    await wb.command('Mailroom: Import Accounts');
    await wb.file(join(folder, 'good.json'));
    const asked = await wb.dialog('Import');
    for (const line of [
      `Team mail: Base URL ${scaleway.account.baseUrl}`,
      `My own mail: IMAP Host ${open.imapHost}`,
      `Office: Base URL ${rackspace.account.baseUrl}`,
    ])
      assert.ok(asked.includes(line), line);
    await wb.toast('3 accounts were imported. Delete the file').waitFor();
    await wb.clearToasts();
    await wb.command('Mailroom: Import Accounts');
    await wb.file(join(folder, 'mixed.json'));
    assert.match(await wb.dialog('Cancel'), /Do you trust these servers and settings with your mail\?/);
    await wb.command('Mailroom: Import Accounts');
    await wb.file(join(folder, 'mixed.json'));
    await wb.dialog('Import');
    await wb.toast('One account was imported. 3 refused.').waitFor();
    await shot('imported');
    await wb.toast('3 refused.').getByRole('button', { name: 'Show' }).click();
    for (const line of [
      'My own mail: refused. It already exists',
      'Wrong: refused. IMAP Port',
      'Odd: refused. Mailroom does not know its provider',
      'Second mail: imported. Its secrets',
    ])
      await page.locator('.view-line', { hasText: line }).first().waitFor();
    await shot('import-results');
    await wb.closeAll();

    // What came with its secrets works at once; what came without asks for them.
    await wb.expand('Team mail', /^Mailboxes/);
    await wb.row('user001@').waitFor();
    await wb.collapse();
    await wb.expand('My own mail');
    await wb
      .row(/^Folders/)
      .locator('.monaco-tl-twistie')
      .click();
    await wb.input(password);
    await wb.row('INBOX').waitFor();
    await wb.collapse();

    await wb.row('Second mail').click();
    await page.keyboard.press('F2');
    await wb.input('Renamed mail');
    await wb.row('Renamed mail').waitFor();

    const file = join(folder, 'exported.json');
    await wb.command('Mailroom: Export Accounts');
    await wb.file(file);
    await wb.toast('exported without their secrets').waitFor();
    const text = readFileSync(file, 'utf8');
    const named = (JSON.parse(text) as { accounts: { name: string }[] }).accounts.map(one => one.name);
    assert.deepEqual(
      named.filter(name => name !== 'Support mail'),
      ['Team mail', 'My own mail', 'Office', 'Renamed mail'],
    );
    for (const { account } of Object.values(box.vendors)) {
      for (const [key, value] of Object.entries(account as object))
        if (/secret|token|password|signature/i.test(key) && typeof value === 'string')
          assert.ok(!text.includes(value), `no ${key} in the file`);
    }
    assert.ok(!text.includes(password));
    await wb.clearToasts();

    for (const name of ['Team mail', 'My own mail', 'Office', 'Renamed mail']) {
      await wb.row(name).click({ position: { x: 60, y: 8 } });
      await page.keyboard.press('Delete');
      assert.match(await wb.dialog('Remove Account'), /Nothing changes at the provider/);
      await wb.row(name).waitFor({ state: 'detached' });
    }
  },
};
