import assert from 'node:assert/strict';
import { until, type Journeys } from './journey.js';

/** What the tree says of itself: pages, attention, failures. And mail that is too much. */
export const stateJourneys: Journeys = {
  async 'loads more of a long list, and keeps what was loaded'({ wb, box, shot }) {
    // Others make and delete mailboxes, too.
    const whole = new RegExp(`^Mailboxes.*${box.vendors.outreach.rows.mailboxes.size}`);
    await wb.collapse();
    await wb.expand('Outreach', /^Mailboxes/);
    await wb.scrollTo('Load more');
    await shot('load-more');
    await wb.row('Load more').click();
    await wb.scrollTo(whole, 'up');
    // The row with the number is there before, too: that it was read again is seen by the requests.
    const pages = () =>
      (box.vendors.outreach.seen as { path: string }[]).filter(({ path }) => /\/mailboxes(\?|$)/.test(path)).length;
    box.vendors.outreach.forget();
    await wb.menu(/^Mailboxes/, 'Refresh');
    await until('both pages were read again', () => pages() >= 2);
    await wb.row(whole).waitFor();
    assert.equal(await wb.row('Load more').count(), 0);
  },

  async 'counts what needs attention and gathers it from all accounts'({ wb, page, shot }) {
    await wb.collapse();
    const pane = page.locator('.pane', { has: page.locator('.pane-header', { hasText: 'Needs Attention' }) });
    const header = pane.locator('.pane-header');
    if ((await header.getAttribute('aria-expanded')) !== 'true') await header.click();
    const rows = async () => Number(await pane.locator('[role=treeitem]').first().getAttribute('aria-setsize'));
    const badge = async () =>
      Number(
        await page
          .locator('.activitybar .action-item', { has: page.locator('[aria-label^="Mailroom"]') })
          .locator('.badge-content')
          .innerText({ timeout: 1000 })
          .catch(() => '0'),
      );
    await wb.command('Mailroom: Check All Mailboxes');
    await pane.locator('[role=treeitem]', { hasText: 'bob@example.com' }).waitFor({ timeout: 60_000 });
    await until('a second account is there', async () => (await badge()) >= 18, 60_000);
    // One account has over a hundred domains, at the pace that its vendor allows, unless only one of them was searched
    // for before.
    await until(
      'it ends with a summary',
      async () => {
        if (await wb.toast('need attention.').count()) return true;
        await wb
          .toast('Checking all mailboxes')
          .getByRole('button', { name: 'Cancel' })
          .click({ timeout: 1000 })
          .catch(() => {});
        return false;
      },
      60_000,
    );
    await until('the badge counts the rows', async () => (await rows()) >= 2 && (await badge()) === (await rows()));
    await shot('attention');
    await pane.locator('[role=treeitem]', { hasText: 'bob@example.com' }).first().click();
    await wb.webview('form', 'bob@example.com');
    await wb.closeAll();
    await header.click();
  },

  async 'five megabytes of nested tables and turned letters: nothing fetched, nothing stuck'({ wb, spy, shot, axe }) {
    await wb.collapse();
    await wb.expand('IMAP', /^Messages/);
    const row = wb.row('Quarterly table');
    await row.waitFor();
    assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(await row.innerText()), 'the row shows no letters that turn others');
    const before = spy.seen.length;
    await row.click();
    const reader = await wb.webview('reader', 'Quarterly table', 60_000);
    await reader.locator('pre', { hasText: 'in plain text' }).waitFor();
    const started = Date.now();
    await reader.getByRole('button', { name: 'HTML' }).click();
    await until(
      'the tables are there',
      () =>
        reader.evaluate(
          'document.querySelector("iframe")?.contentDocument?.readyState === "complete" && document.querySelector("iframe").contentDocument.body.childElementCount > 0',
        ),
      60_000,
    );
    const shown = Date.now() - started;
    const { elements, depth } = (await reader.evaluate(`(() => {
      const all = document.querySelector('iframe').contentDocument.body.querySelectorAll('*');
      let depth = 0;
      for (const one of all) { let at = 0; for (let up = one; up; up = up.parentElement) at++; depth = Math.max(depth, at); if (depth > 1000) break; }
      return { elements: all.length, depth };
    })()`)) as { elements: number; depth: number };
    assert.ok(elements <= 60_001 && depth <= 260, `${elements} elements, ${depth} deep`);
    const asked = Date.now();
    await reader.getByRole('button', { name: 'Plain text' }).click();
    await reader.locator('pre', { hasText: 'in plain text' }).waitFor();
    const answered = Date.now() - asked;
    console.log(`    5 MB shown in ${shown} ms, a click answered in ${answered} ms`);
    assert.ok(answered < 5000, 'the page still answers');
    const words: string = await reader.locator('main').innerText();
    assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(words), 'neither heading, sender nor file turns its letters');
    assert.match(words, /reportfdp\.exe/, 'a file is called what it is');
    await shot('tables');
    await axe('reader', 'Quarterly table');
    assert.equal(spy.seen.length, before, 'nothing was fetched');
    await wb.closeAll();
  },
};
