import assert from 'node:assert/strict';
import type { Workbench } from './driver.js';
import { until, writes, type Journeys } from './journey.js';
import type { Loose } from './workbench.js';

/** What lies on the clipboard, as another program would take it from there. */
async function clipboard(page: Loose): Promise<string> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  return page.evaluate('navigator.clipboard.readText()') as Promise<string>;
}
const copied = async (page: Loose, before: string): Promise<string> => {
  let now = before;
  await until('something else is on the clipboard', async () => {
    now = await clipboard(page);
    return now !== before;
  });
  return now;
};

/** One domain of Scaleway among many. */
async function findDomain(wb: Workbench, name: string): Promise<void> {
  await wb.expand('Scaleway');
  await wb.menu(/^Domains/, 'Search or Filter');
  await wb.input(name);
  await wb.expand(/^Domains/);
  await wb.row(new RegExp(`^${name}`)).waitFor();
}

/** Commands of rows and of selections, each from the menu or the palette. */
export const rowJourneys: Journeys = {
  async 'copies ids and n8n nodes of the rows selected'({ wb, page }) {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await wb.collapse();
    await wb.expand('Outreach', /^Mailboxes/);
    await wb.row('first4@acme.test').click({ modifiers: ['Control'] });
    await wb.row('first5@acme.test').click({ modifiers: ['Control'] });
    const before = await clipboard(page);
    await wb.menu('first4@acme.test', 'Copy ID');
    const ids = await copied(page, before);
    assert.equal(ids, '4\n5');
    await wb.menu('first5@acme.test', 'Copy as n8n Node');
    const rows = await copied(page, ids);
    const nodes = (text: string) =>
      (JSON.parse(text) as { nodes: { type: string; parameters: Record<string, unknown> }[] }).nodes;
    assert.deepEqual(
      nodes(rows).map(({ parameters: { operation, mailbox } }) => [operation, (mailbox as { value: string }).value]),
      [
        ['get', '5'],
        ['get', '4'],
      ],
    );
    await wb.menu(/^Mailboxes/, 'Copy as n8n Node');
    const [list, ...more] = nodes(await copied(page, rows));
    assert.deepEqual(
      [list!.parameters, list!.type, more],
      [{ provider: 'outreach', resource: 'mailbox', operation: 'list' }, 'n8n-nodes-mailroom.mailbox', []],
    );
    await wb.clearToasts();
    await page.keyboard.press('Escape');
  },

  async 'adds a mailbox with a form: one request'({ wb, page, box, shot }) {
    await wb.collapse();
    await wb.expand('Outreach', /^Mailboxes/);
    box.vendors.outreach.forget();
    await wb.menu(/^Mailboxes/, 'Add…');
    const form = await wb.webview('form', 'Create a mailbox');
    await form.locator('[data-field=email] input').fill('aaa-new@acme.test');
    await form.locator('[data-field=user] input').fill('1');
    for (const check of ['validateSend', 'validateSync']) await form.locator(`[data-field=${check}] input`).click();
    await shot('create');
    await form.locator('footer button', { hasText: 'Create' }).click();
    await until('the form is closed', async () => (await page.locator('.tab').count()) === 0);
    assert.deepEqual(
      writes(box, 'outreach').map(({ method }) => method),
      ['POST'],
    );
    // The server puts what is new at the end.
    await wb.menu(/^Mailboxes/, 'Load All');
    await wb.row('aaa-new@acme.test').waitFor();
  },

  async 'what was chosen for a field is shown by its name, and sent by its ID'({ wb, page, box, shot, axe }) {
    await wb.collapse();
    await wb.expand('Scaleway', /^Mailboxes/);
    await wb.menu(/^Mailboxes/, 'Add…');
    const form = await wb.webview('form', 'Create a mailbox');
    const domain = form.locator('[data-field=domain_id]');
    await domain.getByRole('button', { name: /^Choose/ }).click();
    await page.locator('.quick-input-widget input[type=text]').first().fill('mail.example.com');
    await page.locator('.quick-input-list .monaco-list-row', { hasText: 'Use “mail.example.com”' }).waitFor();
    await page
      .locator('.quick-input-list .monaco-list-row', { hasText: /^\s*mail\.example\.com/ })
      .first()
      .click();
    await until('its name is shown', async () => (await domain.locator('input').inputValue()) === 'mail.example.com');
    await form.locator('[data-field=local_part] input').fill('chosen.by.name');
    await form.locator('[data-field=password] input').fill('Correct-horse-9-battery');
    await form.locator('[data-field=subscription_period] select').selectOption('monthly');
    await shot('chosen');
    await axe('form', 'Create a mailbox');
    box.vendors.scaleway.forget();
    await form.locator('footer button', { hasText: 'Create' }).click();
    await until('the form is closed', async () => (await page.locator('.tab').count()) === 0);
    assert.match(
      (JSON.parse(writes(box, 'scaleway')[0]!.body.toString()) as { domain_id: string }).domain_id,
      /^[\da-f]{8}-[\da-f-]{27}$/,
    );
  },

  async 'loads all of a long list, filters it by fields, clears the filter'({ wb, page, shot }) {
    await wb.collapse();
    await wb.expand('Scaleway', /^Mailboxes/);
    await wb.menu(/^Mailboxes/, 'Load All');
    // One more where another journey made one.
    await wb.row(/^Mailboxes.*13[01]/).waitFor();
    await wb.menu(/^Mailboxes/, 'Filter by Fields');
    const form = await wb.webview('form', 'Filter Mailboxes');
    await form.locator('[data-field=search] input').fill('user01');
    await form.locator('footer button', { hasText: 'Apply' }).click();
    await wb.row(/^Mailboxes.*10.*filtered/).waitFor();
    const said = () =>
      page
        .locator('.pane-body .message')
        .first()
        .innerText({ timeout: 1000 })
        .catch(() => '') as Promise<string>;
    await until('the view says that a filter is on', async () => /Filtered:.*Mailboxes/.test(await said()));
    await shot('filtered');
    await wb.menu(/^Mailboxes/, 'Clear Filter');
    await wb.row(/^Mailboxes.*100\+/).waitFor();
    await until('the view says nothing of it any more', async () => !(await said()).includes('Mailboxes'));
    await wb.row('user005@').click();
    await wb.webview('form', 'user005@');
    await wb.command('Mailroom: Open as JSON');
    await page.locator('.view-line', { hasText: '"subscription_period"' }).first().waitFor();
    await wb.closeAll();
  },

  async 'moves several messages into a folder that is asked for once, and marks some as unread'({
    wb,
    page,
    box,
    shot,
  }) {
    for (const name of ['One', 'Two']) {
      box.mail.deliver(
        'u0@test.local',
        `From: grace@example.com\r\nTo: u0@test.local\r\nSubject: To be moved: ${name}\r\nDate: ${new Date().toUTCString()}\r\n\r\nText.\r\n`,
        { flags: ['\\Seen'] },
      );
    }
    await wb.collapse();
    await wb.expand('IMAP', /^Messages/);
    await wb.menu(/^Messages/, 'Refresh');
    const inbox = () => box.mail.folder('u0@test.local').messages;
    const before = inbox().length;
    const archive = () => box.mail.folder('u0@test.local', 'Archive').messages.length;
    const there = archive();
    const unseen = () => inbox().filter(one => ![...one.flags].includes('\\Seen')).length;
    await wb.row('To be moved: One').click({ modifiers: ['Control'] });
    await wb.row('To be moved: Two').click({ modifiers: ['Control'] });
    const unread = unseen();
    await wb.menu('To be moved: Two', 'Mark as Unread');
    await wb.toast('2 done.').waitFor();
    assert.equal(unseen(), unread + 2);
    await wb.clearToasts();
    await wb.menu('To be moved: Two', 'Move…');
    await wb.pick('Archive');
    await until('both have arrived', () => archive() === there + 2);
    await shot('moved');
    assert.equal(inbox().length, before - 2);
    await until('they are gone from the list', async () => (await wb.row('To be moved').count()) === 0);
    await wb.clearToasts();
    await page.keyboard.press('Escape');
  },

  async 'an action on a mixed selection leaves out what it is not for'({ wb, page, box, shot }) {
    await wb.collapse();
    await findDomain(wb, 'mail.example.com');
    await wb.expand(/^Mailboxes/);
    await wb.row('user005@').click({ modifiers: ['Control'] });
    await wb.row(/^mail\.example\.com/).click({ modifiers: ['Control'] });
    box.vendors.scaleway.forget();
    await wb.menu(/^mail\.example\.com/, 'Actions…');
    await wb.pick('domain.delete');
    await page.locator('.quick-input-widget', { hasText: 'Type' }).waitFor();
    const asked: string = await page.locator('.quick-input-widget').innerText();
    await shot('mixed');
    assert.match(asked, /Type mail\.example\.com to confirm\. Everything below it is lost too/);
    assert.ok(!asked.includes('user005'), asked);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    assert.deepEqual(writes(box, 'scaleway'), []);
    await wb.menu(/^Domains/, 'Clear Filter');
  },

  async 'checks a domain, connects a mailbox again and synchronizes it'({ wb, box, shot }) {
    await wb.collapse();
    await findDomain(wb, 'mail.example.com');
    box.vendors.scaleway.forget();
    await wb.menu(/^mail\.example\.com/, 'Validate DNS');
    await until('it was asked for', () => writes(box, 'scaleway').some(one => one.path.includes('validate-records')));
    await wb.menu(/^Domains/, 'Clear Filter');
    await wb.collapse();
    await wb.expand('Sodium', /^Mailboxes/);
    box.vendors.sodium.forget();
    await wb.menu('ann@acme.test', 'Synchronize Now');
    await until('it was asked for', () => writes(box, 'sodium').length === 1);
    await wb.scrollTo('old@acme.test');
    await wb.menu('old@acme.test', 'Reconnect…');
    await wb.input('https://acme.test/back');
    await wb.row(/old@acme\.test.*reconnect required/).waitFor();
    await shot('reconnect');
    await wb.clearToasts();
    await wb.closeAll();
  },

  async 'links a conversation with a task, and takes the link away'({ wb, box }) {
    await wb.collapse();
    await wb.expand('Sodium', /^Conversations/);
    box.vendors.sodium.forget();
    for (const [i, action] of ['conversation.linkTask', 'conversation.unlinkTask'].entries()) {
      await wb.menu('VAT return 70', 'Actions…');
      await wb.pick(action);
      await wb.pick('VAT return 12');
      if (action.endsWith('unlinkTask'))
        assert.match(await wb.dialog('Unlink Task'), /VAT return 70[\s\S]*You can link it again\./);
      await until('it was asked for', () => writes(box, 'sodium').length === i + 1);
    }
    assert.deepEqual(
      writes(box, 'sodium').map(({ method }) => method),
      ['POST', 'DELETE'],
    );
  },

  async 'deletes several mailboxes by their number, and restores them all'({ wb, page, box, shot }) {
    await wb.collapse();
    await wb.expand('Scaleway', /^Mailboxes/);
    await wb.row('user020@').click({ modifiers: ['Control'] });
    await wb.row('user021@').click({ modifiers: ['Control'] });
    box.vendors.scaleway.forget();
    await wb.menu('user021@', 'Delete…');
    await wb.input('2');
    await wb.toast('2 done.').waitFor();
    await shot('bulk-restore');
    await wb.toast('2 done.').getByRole('button', { name: 'Restore' }).click();
    await until(
      'both were restored',
      () => writes(box, 'scaleway').filter(one => one.path.endsWith('/restore')).length === 2,
    );
    assert.equal(writes(box, 'scaleway').length, 4);
    await wb.clearToasts();
    await page.keyboard.press('Escape');
  },
};
