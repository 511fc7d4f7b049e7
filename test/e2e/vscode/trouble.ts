import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { elsewhere, until, writes, type Journey, type Journeys } from './journey.js';

/** Brings an account in from a file, with its secrets. */
async function bring({ wb, folder }: Journey, account: object): Promise<void> {
  writeFileSync(join(folder, 'one.json'), JSON.stringify({ accounts: [account] }));
  await wb.command('Mailroom: Import Accounts');
  await wb.file(join(folder, 'one.json'));
  assert.match(await wb.dialog('Import'), /Do you trust these servers and settings with your mail\?/);
  await wb.toast('One account was imported.').waitFor();
  await wb.clearToasts();
}
async function leave({ wb }: Journey, name: string): Promise<void> {
  await wb.collapse();
  await wb.menu(name, 'Remove Account');
  await wb.dialog('Remove Account');
  await wb.row(name).waitFor({ state: 'detached' });
}

/** Whether the browser's store holds a text: the workbench writes what extensions note some seconds later. */
const holds = (text: string): string => `(async () => {
  for (const { name } of await indexedDB.databases()) {
    const db = await new Promise((resolve, reject) => { const open = indexedDB.open(name); open.onsuccess = () => resolve(open.result); open.onerror = reject; });
    for (const store of db.objectStoreNames) {
      const values = await new Promise((resolve, reject) => { const all = db.transaction(store).objectStore(store).getAll(); all.onsuccess = () => resolve(all.result); all.onerror = reject; });
      if (values.some(one => typeof one === 'string' && one.includes(${JSON.stringify(text)}))) { db.close(); return true; }
    }
    db.close();
  }
  return false;
})()`;

/** What goes wrong with accounts, and the way out of it. */
export const troubleJourneys: Journeys = {
  async 'tests an account, whose row says how it is; edits it to an address that does not answer, and back'(j) {
    const { wb, page, box, shot } = j;
    const vendor = box.vendors.scaleway;
    await bring(j, { name: 'Shop', provider: 'scaleway', values: vendor.account });
    await wb.menu('Shop', 'Test Account');
    await wb.toast('Shop works.').waitFor();
    await wb.clearToasts();

    vendor.fail({ status: 503, times: 100 });
    await wb.menu('Shop', 'Test Account');
    await wb.toast('Testing Shop: ').waitFor();
    await wb.row(/^Shop.*cannot be reached/).waitFor();
    // Its message is still open, which holds up nothing.
    await wb.menu('Shop', 'Test Account');
    await wb.toast('(2 times within a minute)').waitFor();
    await until(
      'no progress is left',
      async () => (await page.locator('.notification-toast .monaco-progress-container.active').count()) === 0,
    );
    await shot('test-failed');
    vendor.mend();
    await wb.clearToasts();

    await wb.menu('Shop', 'Edit Account');
    const form = await wb.webview('form', 'Edit Shop');
    const address = form.locator('[data-field=baseUrl] input');
    await address.fill('http://127.0.0.1:9');
    await form.locator('button', { hasText: 'Check and Save' }).click();
    assert.match(await wb.dialog('Cancel'), /The account check failed/);
    await form.locator('#trouble', { hasText: '127.0.0.1:9' }).waitFor();
    await shot('edit-failed');
    await address.fill(String(vendor.account.baseUrl));
    await form.locator('[data-field=accountName] input').fill('Shop of ours');
    await form.locator('button', { hasText: 'Check and Save' }).click();
    await wb.row('Shop of ours').waitFor();
    await until('the form is closed', async () => (await page.locator('.tab').count()) === 0);
    await wb.expand('Shop of ours', /^Mailboxes/);
    await wb.row('user001@').waitFor();
    await leave(j, 'Shop of ours');
  },

  async 'never remembers a secret: asked for again, a wrong one too, and given up for a while'(j) {
    const { wb, page, box, shot } = j;
    const vendor = box.vendors.scaleway;
    const secret = String(vendor.account.secretKey);
    await bring(j, { name: 'Shop', provider: 'scaleway', values: vendor.account });
    await wb.menu('Shop', 'Edit Account');
    const form = await wb.webview('form', 'Edit Shop');
    await form.locator('[data-field=remember] select').selectOption('never');
    await form.locator('button', { hasText: 'Check and Save' }).click();
    await until('the form is closed', async () => (await page.locator('.tab').count()) === 0);
    await until('the choice is written down', () => page.evaluate(holds('"remember":"never"')), 60_000);
    await page.reload();
    await wb.row('Shop').waitFor({ timeout: 60_000 });
    const box1 = page.locator('.quick-input-widget input');
    await wb.expand('Shop');
    await wb
      .row(/^Mailboxes/)
      .locator('.monaco-tl-twistie')
      .click();
    await box1.waitFor();
    await shot('secret-asked');
    await page.keyboard.press('Escape');
    await wb.row('The secret of this account is missing').waitFor();
    await wb.row(/^Shop.*sign-in needed/).waitFor();
    await wb.row('Retry').click();
    await wb.input('00000000-0000-4000-8000-000000000000');
    await wb.toast('Shop: ').waitFor();
    await wb.row('Retry').click();
    await wb.input(secret);
    await wb.row('user001@').waitFor();
    await until('its row says no more of it', async () => !/sign-in needed/.test(await wb.row(/^Shop/).innerText()));
    await wb.clearToasts();
    await leave(j, 'Shop');
  },

  async 'signs in again after the vendor ended the sign-in: one message for all that failed'(j) {
    const { wb, page, box, shot } = j;
    const vendor = box.vendors.outreach;
    const there = await elsewhere(vendor.url);
    const own = vendor.url;
    vendor.url = there.url;
    const {
      clientId,
      clientSecret,
      accessToken: _,
      refreshToken: __,
      ...rest
    } = vendor.account as Record<string, unknown>;
    await bring(j, {
      name: 'Sales',
      provider: 'outreach',
      values: { ...rest, redirectUri: undefined, baseUrl: there.url, clientId, clientSecret },
    });
    const messages = page.locator('.notification-list-item', { hasText: 'Sales: ' });
    const signIn = async () => {
      const opened = page.context().waitForEvent('page');
      await wb.toast('Sales: ').getByRole('button', { name: 'Sign In' }).click();
      await wb.dialog('Open');
      const tab = await opened;
      await tab.getByRole('button', { name: 'Allow' }).click();
      await tab.waitForURL(/callback/);
      await wb.toast('Sales is signed in.').waitFor();
      await tab.close();
    };
    await wb.expand('Sales', /^Mailboxes/);
    await wb.toast('Sales: ').waitFor();
    await wb.row(/^Sales.*sign-in needed/).waitFor();
    await signIn();
    await wb.row('ann@acme.test').waitFor();
    await wb.clearToasts();

    vendor.revoke();
    vendor.fail({
      status: 400,
      headers: { 'content-type': 'application/json' },
      body: '{"error":"invalid_grant","error_description":"revoked"}',
      path: '/oauth/token',
      times: 100,
    });
    await wb
      .row(/^Mailboxes/)
      .locator('.monaco-tl-twistie')
      .click();
    for (const branch of [/^Users/, /^Webhooks/, /^Mailings/])
      await wb.row(branch).locator('.monaco-tl-twistie').click();
    await wb.toast('Sales: ').waitFor();
    await until('all have failed', async () => (await wb.row('Retry').count()) > 0);
    assert.equal(await messages.count(), 1);
    await shot('signed-out');
    vendor.mend();
    await signIn();
    await until('its row says no more of it', async () => !/sign-in needed/.test(await wb.row(/^Sales/).innerText()));
    await wb.expand(/^Mailboxes/);
    await wb.row('ann@acme.test').waitFor();
    await wb.clearToasts();
    await leave(j, 'Sales');
    vendor.url = own;
    await there.close();
  },

  async 'requests follow along, are filtered, opened and cleared, and show no secret; the log is at hand'(j) {
    const { wb, page, box, shot, axe } = j;
    await wb.collapse();
    await wb.command('Mailroom: Show Requests');
    const requests = await wb.webview('requests');
    const rows = requests.locator('tbody tr:not(.details)');
    await requests.getByRole('button', { name: 'Clear' }).click();
    await requests.getByText('No requests yet.').waitFor();
    await wb.expand('Scaleway', /^Mailboxes/);
    await requests.locator('tr', { hasText: '/mailboxes' }).first().waitFor();
    box.vendors.scaleway.fail({ status: 503, times: 1 });
    await wb.menu(/^Mailboxes/, 'Refresh');
    await requests.locator('tr.failed').first().waitFor();
    await wb.collapse();
    await wb.expand('IMAP', /^Folders/);
    await requests.locator('tr', { hasText: 'LIST' }).first().waitFor();
    const time = rows.first().locator('td').first();
    assert.match((await time.innerText()).trim(), /^\d\d:\d\d:\d\d$/);
    assert.ok((await time.getByRole('button').boundingBox())!.height < 30, 'the time is on one line');
    await requests.locator('input[type=search]').fill('503');
    await until('only what failed is shown', async () => (await rows.count()) === 1);
    await rows.first().getByRole('button').click();
    await requests.locator('.details', { hasText: 'Retried after' }).waitFor();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await requests.getByRole('button', { name: 'Copy as cURL' }).click();
    await until('it is copied', async () =>
      /^curl --request GET .*"Authorization: \$AUTHORIZATION" .*mailboxes/.test(
        await page.evaluate('window.focus(), navigator.clipboard.readText()'),
      ),
    );
    await shot('request-details');
    await axe('requests');
    await requests.locator('input[type=search]').fill('');
    await requests.getByRole('combobox', { name: 'Show' }).selectOption('failed');
    await until('only what failed is shown', async () => (await rows.count()) === 1);
    await requests.getByRole('combobox', { name: 'Show' }).selectOption('');
    const said: string = await requests.locator('main').innerText();
    await wb.command('Mailroom: Show Log');
    // Its text goes through a native module that this workbench runs without; what is written there is tested without a
    // workbench.
    await page
      .locator('.part.panel select, .part.panel .monaco-select-box')
      .filter({ hasText: 'Mailroom' })
      .first()
      .waitFor();
    for (const { account } of Object.values(box.vendors)) {
      for (const [key, value] of Object.entries(account as object))
        if (/secret|token|password|signature/i.test(key) && typeof value === 'string')
          assert.ok(!said.includes(value), `no ${key}`);
    }
    await wb.command('View: Hide Panel');
    await wb.closeAll();
    await wb.collapse();
  },

  async 'the wire of mail: what client and server said, whether TLS protects it, and nothing of the login'(j) {
    const { wb, box, shot, axe } = j;
    const { password } = box.mail.users[0]!;
    box.mail.deliver(
      'u0@test.local',
      'Subject: [Look](https://elsewhere.example) <img src=x>\r\n\r\nhttps://elsewhere.example\r\n',
    );
    await wb.collapse();
    await wb.command('Mailroom: Show Requests');
    const requests = await wb.webview('requests');
    await requests.getByRole('button', { name: 'Clear' }).click();
    await requests.getByText('No requests yet.').waitFor();
    await wb.menu('IMAP', 'Test Account');
    await wb.toast('IMAP and SMTP Sandbox works.').waitFor();
    await wb.clearToasts();
    await wb.expand('IMAP', /^Messages/);
    const filter = requests.locator('input[type=search]');
    const said = requests.locator('pre.wire');
    const first = requests.locator('tbody tr:not(.details)').first().getByRole('button');
    const open = async (words: string): Promise<string> => {
      await filter.fill(words);
      await first.click();
      await said.waitFor();
      return await said.innerText();
    };

    assert.match(await open('UID FETCH'), /^C: \w+ UID FETCH [^]*^S: \* \d+ FETCH \([^]*^S: \w+ OK /m);
    const details = await requests.locator('.details').innerText();
    // The server on this machine is reached without TLS.
    assert.match(details, /Encryption\s+None/);
    await until('a message is told of as it was said', async () =>
      (await said.innerText()).includes('[Look](https://elsewhere.example) <img src=x>'),
    );
    assert.equal(await said.locator('a, img, strong').count(), 0, 'it is text and nothing else');
    await shot('request-imap');
    await axe('requests');
    await first.click();

    const login = await open('AUTH');
    assert.match(login, /^C: (?:\w+ )?AUTH(?:ENTICATE)? "?(?:PLAIN|LOGIN)"? \*\*\*$/m);
    await first.click();
    const smtp = await open('smtp://');
    assert.match(smtp, /^S: 220 [^]*^C: EHLO \[127\.0\.0\.1\][^]*^C: AUTH PLAIN \*\*\*\nS: 235 /m);
    await requests.getByRole('button', { name: 'Copy as swaks' }).waitFor();
    await shot('request-smtp');
    for (const text of [login, smtp, details])
      assert.ok(!text.includes(password) && !text.includes(Buffer.from(password).toString('base64').slice(0, 6)));
    await filter.fill('');
    await wb.closeAll();
    await wb.collapse();
  },

  async 'deletes with a click where the setting says so'(j) {
    const { wb, page, box, folder } = j;
    const settings = join(dirname(folder), 'data/User/settings.json');
    const before = readFileSync(settings, 'utf8');
    writeFileSync(settings, JSON.stringify({ ...(JSON.parse(before) as object), 'mailroom.confirmDelete': 'click' }));
    try {
      await page.reload();
      await wb.row('Scaleway').waitFor({ timeout: 60_000 });
      await wb.expand('Scaleway', /^Mailboxes/);
      box.vendors.scaleway.forget();
      await wb.menu('user012@', 'Delete');
      assert.match(await wb.dialog('Delete'), /user012@/);
      await until('it was asked for', () => writes(box, 'scaleway').length === 1);
      await page
        .locator('.notification-list-item', { hasText: 'is scheduled' })
        .getByRole('button', { name: 'Restore' })
        .click();
      await until('it was restored', () => writes(box, 'scaleway').some(one => one.path.endsWith('/restore')));
    } finally {
      writeFileSync(settings, before);
    }
    await wb.clearToasts();
    await page.reload();
    await wb.row('Scaleway').waitFor({ timeout: 60_000 });
  },
};
