import assert from 'node:assert/strict';
import { until, writes, type Journeys } from './journey.js';
import type { Loose } from './workbench.js';

/** The main journey with the keyboard alone: from here on the mouse is taken away. */
export const keyboardJourneys: Journeys = {
  async 'with the keyboard alone: a changed limit, a blocked sender, an answered conversation'({
    wb,
    page,
    box,
    shot,
  }) {
    await wb.closeAll();
    await wb.collapse();
    const { press, type, command, menu, row, tabTo } = keys(page);
    const { keyboard } = page;
    const mouse = page.mouse;
    page.mouse = new Proxy(mouse, {
      get() {
        throw new Error('The mouse was taken away.');
      },
    });
    try {
      await command('Focus on Accounts View');
      await row(/^Rackspace Email Sandbox/);
      await press('ArrowRight');
      await row(/^Domains/);
      await press('ArrowRight');
      await menu('Search or Filter');
      await page.locator('.quick-input-widget input[type=text]').first().waitFor();
      await type('example.com');
      await press('Enter');
      await row(/^example\.com/);
      await press('ArrowRight');
      await row(/^Mailboxes/);
      await press('ArrowRight');
      await row(/^john\.smith@example\.com/);
      await press('Enter');
      const form = await wb.webview('form', 'john.smith@example.com');
      await tabTo(form, '[data-field=size]');
      // Not Ctrl+A: the workbench hears it too, and selects once more a moment later.
      await press('End');
      await press('Shift+Home');
      await type('3072');
      await page.locator('.tab.dirty').waitFor();
      box.vendors.rackspace.forget();
      await press('Control+s');
      await page.locator('.tab.dirty').waitFor({ state: 'detached' });
      // The limit, and what this vendor forgets unless it is told again.
      assert.match(
        writes(box, 'rackspace')
          .map(one => one.body.toString())
          .join(),
        /^size=3072(&emailForwardingAddress=[^&,]*)?$/,
      );
      await shot('keyboard-limit');

      await command('Focus on Accounts View');
      await row(/^john\.smith@example\.com/);
      await press('ArrowRight');
      await row(/^Spam Lists/);
      await menu('Edit Lists');
      const lists = await wb.webview('lists', 'john.smith@example.com');
      await tabTo(lists, '[data-column=blockedSenders] textarea');
      await type('nuisance@spam.example');
      box.vendors.rackspace.forget();
      await press('Tab');
      await press('Enter');
      await lists.locator('[data-column=blockedSenders] li', { hasText: 'nuisance@spam.example' }).waitFor();
      assert.equal(writes(box, 'rackspace').length, 1);
      assert.ok(
        await lists.evaluate('document.activeElement.matches("[data-column=blockedSenders] textarea")'),
        'the focus is where the next one is typed',
      );

      await command('Focus on Accounts View');
      await press('Control+ArrowLeft');
      await row(/^Sodium/);
      await press('ArrowRight');
      await row(/^Conversations/);
      await press('ArrowRight');
      await row(/VAT return 70/);
      await press('Enter');
      const reader = await wb.webview('reader', 'VAT return 70');
      await reader.getByRole('button', { name: 'Reply', exact: true }).first().waitFor();
      await tabTo(reader, 'button', 'Reply');
      await press('Enter');
      const reply = await wb.webview('form', 'Reply');
      await until('the message has the focus', () =>
        reply.evaluate(
          'document.hasFocus() && document.activeElement?.closest("[data-field]")?.textContent.includes("Message")',
        ),
      );
      await type('Thank you, received.');
      box.vendors.sodium.forget();
      await press('Control+Enter');
      await page
        .locator('.notification-toast', { hasText: /The message (was sent|is queued)/ })
        .first()
        .waitFor();
      const sent = writes(box, 'sodium');
      assert.equal(sent.length, 1);
      assert.match(sent[0]!.body.toString(), /Thank you, received\./);
      await shot('keyboard-answered');
    } finally {
      page.mouse = mouse;
    }
    await keyboard.press('Escape');
    await wb.clearToasts();
    await wb.closeAll();
  },
};

function keys(page: Loose) {
  const press = (key: string): Promise<void> => page.keyboard.press(key);
  const type = (text: string): Promise<void> => page.keyboard.type(text);
  return {
    press,
    type,
    async command(title: string): Promise<void> {
      await press('F1');
      await page.locator('.quick-input-widget input[type=text]').first().waitFor();
      await type(title);
      await page
        .locator('.quick-input-list .monaco-list-row.focused', { hasText: title.replace(/^Mailroom: /, '') })
        .waitFor();
      await press('Enter');
      await page
        .locator('.quick-input-list .monaco-list-row.focused', { hasText: title.replace(/^Mailroom: /, '') })
        .waitFor({ state: 'hidden' });
    },
    /** Chooses from the menu of the row that has the focus. */
    async menu(entry: string): Promise<void> {
      await press('Shift+F10');
      const one = page
        .locator('.monaco-menu .action-item', { has: page.locator('.action-label', { hasText: entry }) })
        .first();
      await one.waitFor();
      for (let i = 0; i < 40 && !(await one.evaluate((element: Loose) => element.classList.contains('focused'))); i++)
        await press('ArrowDown');
      await press('Enter');
      await page.locator('.monaco-menu').first().waitFor({ state: 'detached' });
    },
    /**
     * Goes down the tree, from its first row, until a row has the focus. Rows that are still loading are waited for.
     */
    async row(name: RegExp): Promise<void> {
      const focused = async (): Promise<string> =>
        page.evaluate(
          'document.querySelector(".pane-body .monaco-list:focus-within .monaco-list-row.focused, .pane-body .monaco-list:focus .monaco-list-row.focused")?.innerText ?? ""',
        );
      await page.locator('.monaco-list-row[role=treeitem]', { hasText: name }).first().waitFor({ state: 'attached' });
      await press('Home');
      for (let i = 0; i < 200; i++) {
        if (name.test((await focused()).trim())) return;
        await press('ArrowDown');
      }
      throw new Error(`No row ${name} was reached with the arrow keys; the last was "${await focused()}"`);
    },
    /** Goes on with Tab until an element of the page has the focus. */
    async tabTo(frame: Loose, selector: string, text = ''): Promise<void> {
      await until('the page has the focus', () => frame.evaluate('document.hasFocus()'));
      for (let i = 0; i < 80; i++) {
        if (
          await frame.evaluate(
            `(() => { const at = document.activeElement?.closest(${JSON.stringify(selector)}); return Boolean(at) && at.textContent.includes(${JSON.stringify(text)}); })()`,
          )
        )
          return;
        await press('Tab');
      }
      throw new Error(`Tab never came to ${selector} ${text}`);
    },
  };
}
