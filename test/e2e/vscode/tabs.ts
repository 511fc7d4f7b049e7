import assert from 'node:assert/strict';
import { stored, until, writes, type Journey, type Journeys } from './journey.js';
import type { Loose } from './workbench.js';

const DRAFT = 'Not sent before the restart.';
/** What the store names of each kind of tab; the lists, opened last, also by what they note of themselves. */
const TABS = [
  'serializedGrid',
  'mailroom.reader',
  'mailroom.lists',
  'mailroom.composer',
  'mailroom.overview',
  'mailroom.requests',
  'spamList',
];

/** One domain among many, opened with a search so that the rows below it are in sight. */
async function domain(wb: Journey['wb']): Promise<void> {
  await wb.expand('Rackspace Email Sandbox', /^Domains/);
  await wb.menu(/^Domains/, 'Search or Filter');
  await wb.input('example.com');
  await wb.expand(/^example\.com/);
}

/** Journeys about tabs that come back, and lists of the second kind of mailbox. */
export const tabJourneys: Journeys = {
  async 'Rackspace Email mailboxes have their spam lists too'({ wb, page, box, shot }) {
    await wb.collapse();
    await domain(wb);
    await wb.expand(/^Rackspace Mailboxes/);
    const rows = page.locator('.monaco-list-row[role=treeitem][aria-level="5"]').filter({ hasText: '@' });
    await rows.first().waitFor();
    const name = (await rows.first().getByText(/@/).first().innerText()).trim();
    await wb.expand(name, /^Spam Lists/);
    box.vendors.rackspace.forget();
    await wb.menu(/^Spam Lists/, 'Edit Lists');
    const lists = await wb.webview('lists', `Spam Lists of ${name}`);
    const column = lists.locator('[data-column=blockedSenders]');
    await column.locator('textarea').fill('rs@evil.example');
    await column.getByRole('button', { name: 'Add to Blocked Senders' }).click();
    await until(
      'it is on the list',
      async () => (await column.locator('li', { hasText: 'rs@evil.example' }).count()) > 0,
    );
    assert.match(writes(box, 'rackspace')[0]!.path, /\/rs\/mailboxes\/.*rs(@|%40)evil\.example/);
    await shot('rs-lists');
    await wb.closeAll();
  },
  async 'one command brings sandbox accounts, which run inside the extension'({ wb, page, shot }) {
    await wb.command('Mailroom: Add Sandbox Accounts');
    await wb.pick('All sandbox providers');
    // Here the environment lends the same accounts, so that the started ones add nothing; that they started is what
    // counts.
    await page.locator('.statusbar-item', { hasText: 'You already have the sandbox accounts.' }).waitFor();
    await wb.command('Welcome: Open Walkthrough');
    await wb.pick('Get Started with Mailroom');
    await page.locator('.getting-started-step', { hasText: 'Block a sender' }).click();
    // The workbench shows a picture in the theme's colours on a page of its own.
    const drawn =
      'document.visibilityState === "visible" && (document.querySelector("svg")?.getBoundingClientRect().width ?? 0) > 100 ' +
      '&& getComputedStyle(document.querySelector("svg rect")).fill !== "rgb(0, 0, 0)"';
    await until('the picture is drawn', async () =>
      (
        await Promise.all(
          (page.frames() as Loose[])
            .filter(frame => frame !== page.mainFrame())
            .map(frame => frame.evaluate(drawn).catch(() => false)),
        )
      ).some(Boolean),
    );
    await shot('walkthrough');
    await wb.closeAll();
  },
  async 'tabs come back after a restart, each filled when it is looked at'({ wb, page, box, shot }) {
    await wb.collapse();
    await wb.expand('IMAP', /^Messages/);
    await wb.row('Figures of the third').click();
    const reader = await wb.webview('reader', 'Figures');
    await reader.getByRole('button', { name: 'Reply', exact: true }).click();
    const form = await wb.webview('form', 'Reply');
    await form.locator('[data-field=text] textarea').fill(DRAFT);
    await wb.collapse();
    await wb.menu('Outreach', 'Show Overview');
    await (await wb.webview('overview', 'ben@acme.test')).locator('svg').first().waitFor();
    await wb.command('Mailroom: Show Requests');
    await wb.webview('requests', '/api/v2/mailboxes');
    await domain(wb);
    await wb.expand(/^Mailboxes/, 'alex.smith@', /^Spam Lists/);
    await wb.menu(/^Spam Lists/, 'Edit Lists');
    await wb.webview('lists', 'anyone@spam.com');
    await until(
      'the workbench has written down what is open, and the draft',
      async () => (await stored(page, ...TABS)) && (await stored(page, DRAFT)),
      60_000,
    );
    for (const vendor of Object.values(box.vendors)) vendor.forget();
    await page.reload();
    await page.waitForSelector('.activitybar', { timeout: 60_000 });
    const lists = await wb.webview('lists', 'anyone@spam.com', 60_000);
    assert.equal(await lists.locator('.column').count(), 4);
    assert.equal(box.vendors.outreach.seen.length, 0, 'a tab out of sight asks for nothing');
    await shot('returned');
    const tab = (name: string | RegExp) => page.locator('.tab').filter({ hasText: name }).first();
    await tab('Overview of').click();
    await wb.webview('overview', 'ben@acme.test');
    await tab('Mailroom Requests').click();
    await wb.webview('requests', '/api/v2/mailboxes');
    await tab('Reply:').click();
    const again = await wb.webview('form', 'continued from your draft');
    assert.equal(await again.locator('[data-field=text] textarea').inputValue(), DRAFT);
    await tab(/^Figures/).click();
    await (await wb.webview('reader', 'Figures')).locator('pre', { hasText: 'row 14' }).waitFor();
    await wb.closeAll();
  },
};
